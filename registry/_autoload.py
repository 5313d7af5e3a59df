"""Start-up hook: lets ``gymnasium.make("rlx/...")`` work before anyone has imported rlx.

Installed beside the package as ``_rlx_autoload`` and called at interpreter start by ``rlx.pth`` (or ``rlx.start``, PEP
829). It therefore runs in every interpreter, and so imports nothing and never raises. ``RLX_AUTOLOAD=0`` turns it off.
"""

import os
import sys

TYPE_CHECKING = False  # as in typing, without its import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class GymnasiumFinder:
    """Waits on ``sys.meta_path`` for the import of gymnasium, then steps aside."""

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Find gymnasium as the other finders do, with a loader that registers rlx afterwards."""
        if name != "gymnasium":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            run_gymnasium = spec.loader.exec_module

            def exec_module(module: "ModuleType") -> None:
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                run_gymnasium(module)
                _register()

            # On the instance: the loader's class, and everything else it can do, stay as they are.
            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _register() -> None:
    try:
        from rlx.registry.catalog import register_all

        register_all()
    except Exception as error:
        import warnings

        warnings.warn(
            f"rlx could not register its environments: {error!r}. Gymnasium works without them. "
            "`import rlx` shows the whole error; RLX_AUTOLOAD=0 turns this start-up hook off.",
            stacklevel=2,
        )


def install() -> None:
    """Arm the hook, once, unless gymnasium is there already or ``RLX_AUTOLOAD=0``."""
    armed = any(isinstance(finder, GymnasiumFinder) for finder in sys.meta_path)
    if not armed and "gymnasium" not in sys.modules and os.environ.get("RLX_AUTOLOAD") != "0":
        sys.meta_path.insert(0, GymnasiumFinder())
