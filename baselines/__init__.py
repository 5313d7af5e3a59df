"""Learning algorithms, one file each, and their comparison."""

if not __name__.startswith("rlx."):
    raise ImportError(f"This package is rlx.baselines, not {__name__}: pip install -e . and import it by that name.")
