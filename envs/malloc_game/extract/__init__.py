"""The networks whose programs come with rlx, and the script that extracts them; needs JAX."""

from ..importers import require

require("jax")
