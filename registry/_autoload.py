"""Start-up hook: lets ``gymnasium.make("rlx/...")`` work before anyone has imported rlx.

Installed beside the package as ``_rlx_autoload`` and called at interpreter start by ``rlx.pth`` (or ``rlx.start``, PEP
829). It therefore runs in every interpreter, and so imports nothing and never raises. ``RLX_AUTOLOAD=0`` turns it off.
"""

import os
import sys


class _GymnasiumFinder:
    """Waits on ``sys.meta_path`` for the import of gymnasium, then steps aside."""

    def find_spec(self, name, path=None, target=None):
        if name != "gymnasium":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            run_gymnasium = spec.loader.exec_module

            def exec_module(module):
                run_gymnasium(module)
                _register()

            # On the instance: the loader's class, and everything else it can do, stay as they are.
            spec.loader.exec_module = exec_module
        return spec


def _register():
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


def install():
    """Arm the hook, once, unless gymnasium is there already or ``RLX_AUTOLOAD=0``."""
    armed = any(isinstance(finder, _GymnasiumFinder) for finder in sys.meta_path)
    if not armed and "gymnasium" not in sys.modules and os.environ.get("RLX_AUTOLOAD") != "0":
        sys.meta_path.insert(0, _GymnasiumFinder())
