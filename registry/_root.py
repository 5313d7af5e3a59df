"""Reinforcement learning environments from engineering and research practice, under one contract.

Importing rlx registers every environment of the catalog with Gymnasium, by name only: no environment and no optional
dependency is loaded before ``gymnasium.make`` asks for it. (In the checkout this file is ``registry/_root.py``.)
"""

from typing import TYPE_CHECKING

from rlx.registry.catalog import register_all

if TYPE_CHECKING:
    from rlx.registry.checks import check
    from rlx.registry.experts import experts, make_expert
else:
    _HOMES = {
        "check": "rlx.registry.checks",
        "experts": "rlx.registry.experts",
        "make_expert": "rlx.registry.experts",
    }

    def __getattr__(name):
        """Import what is not needed to register when it is first used."""
        if name not in _HOMES:
            raise AttributeError(f"module 'rlx' has no attribute {name!r}. It offers: {', '.join(__all__)}.")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)


__all__ = ["check", "experts", "make_expert"]
__version__ = "0.1.0"

register_all()
