"""Signal temporal logic: formulas, and how well traces satisfy them.

Formulas are built from objects or read by `parse`. `robustness` judges recorded traces, many at once; `Monitor` a trace
while it grows, by the kernels `start` and `advance`, which an environment may call from its own; and
`rlx.envs.core.stl.smooth` judges traces in torch, with gradients.
"""

from .formula import (
    And,
    Finally,
    Formula,
    FormulaError,
    Globally,
    Historically,
    Implies,
    Linear,
    Not,
    Once,
    Or,
    Predicate,
    Since,
    Until,
    check_signals,
    signal,
)
from .kernels import HIGH, LOW, NOW, advance, start
from .online import Monitor
from .parsing import parse
from .robustness import ENDS, robustness

__all__ = [
    "ENDS",
    "HIGH",
    "LOW",
    "NOW",
    "And",
    "Finally",
    "Formula",
    "FormulaError",
    "Globally",
    "Historically",
    "Implies",
    "Linear",
    "Monitor",
    "Not",
    "Once",
    "Or",
    "Predicate",
    "Since",
    "Until",
    "advance",
    "check_signals",
    "parse",
    "robustness",
    "signal",
    "start",
]
