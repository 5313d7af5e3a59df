"""Robustness in torch, differentiable: exact, or with smooth minimum and maximum. Only this file needs torch.

The exact minimum has the gradient of whichever operand is the smallest, and none for the rest. A smooth one spreads it:

``"logsumexp"``
: max(x) is about T log(sum(exp(x / T))), which is above the maximum by at most T log(n); a minimum as far below
  (Pant, Abbas and Mangharam, "Smooth operator: control using the smooth robustness of temporal logic", CCTA 2017).

``"softmax"``
: the mean of x with weights exp(x / T), which is below the maximum; a minimum above (Gilpin, Kurtz and Lin, "A smooth
  robustness measure of signal temporal logic for symbolic control", IEEE L-CSS 5, 2021).

Both approach the exact robustness as the temperature T goes to zero, and operators are nested, so errors add up.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .formula import Formula, check_signals
from .robustness import Operation, Traces

#: What stands for infinity in smooth operations, for an infinite number has no gradient.
NOTHING = 1e30


def robustness(
    formula: Formula,
    signals: Mapping[str, torch.Tensor],
    *,
    temperature: float | None = None,
    smoothing: str = "logsumexp",
    full: bool = False,
) -> torch.Tensor:
    """Return the robustness of ``formula`` on traces, with gradients. Windows end with the trace.

    Args:
        formula: what is asked.
        signals: a tensor by name, time last: (T,) or (B, T), all of one shape.
        temperature: of the smooth operations, in units of the robustness; exact if None.
        smoothing: ``"logsumexp"`` or ``"softmax"``.
        full: return the robustness at all times, not only at time 0.

    Returns:
        Shape () or (B,); of the signals' shape if ``full``. Where a window lies beyond the trace, its minimum is inf
        and its maximum -inf, or 1e30 and -1e30 if smooth.

    Raises:
        FormulaError: an unknown signal.
        ValueError: no samples, signals of different shapes, or an argument out of range.
    """
    if smoothing not in _SMOOTH:
        raise ValueError(f"smoothing={smoothing!r}: allowed are {', '.join(_SMOOTH)}.")
    if temperature is not None and not temperature > 0.0:
        raise ValueError(f"temperature={temperature}: it is positive, or None for exact minimum and maximum.")
    check_signals(formula, signals)
    tensors = {name: signals[name].movedim(-1, 0) for name in formula.signals}
    shapes = {tuple(tensor.shape) for tensor in tensors.values()}
    if len(shapes) > 1 or 0 in next(iter(shapes)):
        raise ValueError(f"Signals are tensors of one shape with at least one sample, time last, not {shapes}.")
    first = next(iter(tensors.values()))
    operations = _EXACT if temperature is None else _SMOOTH[smoothing](temperature)
    length = len(first)
    traces = Traces(torch, operations, tensors, length, limit=length, placement={"device": first.device})
    values: torch.Tensor = traces.evaluate(formula, 0, length if full else 1, NOTHING)
    return values.movedim(0, -1) if full else values[0]


_EXACT = (Operation(torch.maximum, -torch.inf), Operation(torch.minimum, torch.inf))


def _logsumexp(temperature: float) -> tuple[Operation, Operation]:
    largest = Operation(torch.logaddexp, -NOTHING, lambda x: x / temperature, lambda x: x * temperature)
    smallest = Operation(torch.logaddexp, NOTHING, lambda x: x / -temperature, lambda x: x * -temperature)
    return largest, smallest


def _softmax(temperature: float) -> tuple[Operation, Operation]:
    # An operand is carried as the logarithm of its weight, and its value; two of them become one.
    def combine(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        share = torch.sigmoid(x[..., 0] - y[..., 0])
        value = share * x[..., 1] + (1.0 - share) * y[..., 1]
        return torch.stack([torch.logaddexp(x[..., 0], y[..., 0]), value], -1)

    def operation(sign: float) -> Operation:
        return Operation(
            combine, -sign * NOTHING, lambda x: torch.stack([x * (sign / temperature), x], -1), lambda x: x[..., 1]
        )

    return operation(1.0), operation(-1.0)


_SMOOTH = {"logsumexp": _logsumexp, "softmax": _softmax}
