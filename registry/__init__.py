"""What is there, and how to reach it: catalog, start-up, experts, checks, bench and the command line.

In the checkout this folder also holds `_root.py`, which is installed as ``rlx/__init__.py``, and the start-up files
`_autoload.py`, `rlx.pth` and `rlx.start`, which go beside the package `rlx` (see `_hatch.py`).
"""

if not __name__.startswith("rlx."):
    raise ImportError(f"This package is rlx.registry, not {__name__}: pip install -e . and import it by that name.")
