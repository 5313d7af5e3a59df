"""The state of any environment as a value: save it, keep it, load it, and the same future follows.

`save_state` and `load_state` go through a stack of wrappers layer by layer. What a layer's future depends on, an
`Adapter` knows; `register_adapter` adds one. Layers that nobody knows are copied whole, and tried out before they are
trusted (`probe`).
"""

from .adapters import Adapter, Attributes, register_adapter
from .encoding import StateError
from .protocol import is_known_throughout, load_state, probe, save_state

__all__ = [
    "Adapter",
    "Attributes",
    "StateError",
    "is_known_throughout",
    "load_state",
    "probe",
    "register_adapter",
    "save_state",
]
