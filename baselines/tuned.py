"""Arguments found by tuning: what `rlx train` and `rlx compare` use for an environment unless told otherwise."""

from __future__ import annotations

from typing import Any

#: (algorithm, environment) -> arguments that differ from the algorithm's defaults.
TUNED: dict[tuple[str, str], dict[str, Any]] = {}
