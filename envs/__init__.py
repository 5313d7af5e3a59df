"""The environments: one folder per family, and `core`, which they share."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

if not __name__.startswith("rlx."):
    raise ImportError(f"This package is rlx.envs, not {__name__}: pip install -e . and import it by that name.")


def lazily(package: str, exports: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a family's package, which imports what the family exports when it is first used.

    Reading the catalog imports that package, and must import nothing more.

    Args:
        package: its ``__name__``.
        exports: name -> module of the package.
    """

    def get(name: str) -> Any:
        if name in exports:
            return getattr(importlib.import_module(f"{package}.{exports[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
