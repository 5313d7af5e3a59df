"""Wrappers that work on any environment of the contract."""

if not __name__.startswith("rlx."):
    raise ImportError(f"This package is rlx.wrappers, not {__name__}: pip install -e . and import it by that name.")

from .states import load_state, register_adapter, save_state  # noqa: E402

__all__ = ["load_state", "register_adapter", "save_state"]
