"""gym-electric-motor's environments of the same tasks, for ``rlx bench`` where it is installed."""

from __future__ import annotations

import functools
import importlib
from typing import Any


def _gem(env_id: str) -> Any:
    """Make ``env_id`` as gym-electric-motor does by default."""
    return importlib.import_module("gym_electric_motor").make(env_id)


series_dc_speed = functools.partial(_gem, "Cont-SC-SeriesDc-v0")
pmsm_current = functools.partial(_gem, "Cont-CC-PMSM-v0")
pmsm_current_finite = functools.partial(_gem, "Finite-CC-PMSM-v0")
scim_speed = functools.partial(_gem, "Cont-SC-SCIM-v0")
