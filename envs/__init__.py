"""The environments: one folder per family, and `core`, which they share."""

if not __name__.startswith("rlx."):
    raise ImportError(f"This package is rlx.envs, not {__name__}: pip install -e . and import it by that name.")
