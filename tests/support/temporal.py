"""Signal temporal logic as it is defined, slowly: an oracle for the monitor, and random formulas to try it on."""

import math

from rlx.envs.core import stl

NAMES = ("x", "y", "z")


def value(formula, trace, t, end, unknown=math.nan):
    """Return the robustness at time ``t``, by recursion over the definition.

    ``trace`` maps names to lists; a predicate after the last sample has the value ``unknown``. Windows end before
    ``end[0]``, and operators without one do not look beyond ``end[1]``.
    """
    match formula:
        case stl.Predicate(margin):
            if t >= len(trace["x"]):
                return unknown
            terms = [coefficient * trace[name][t] for name, coefficient in margin.terms]
            return sum(terms[1:], terms[0]) + margin.constant
        case stl.Not(operand):
            return -value(operand, trace, t, end, -unknown)
        case stl.And(left, right):
            return min(value(left, trace, t, end, unknown), value(right, trace, t, end, unknown))
        case stl.Or(left, right):
            return max(value(left, trace, t, end, unknown), value(right, trace, t, end, unknown))
        case stl.Implies(left, right):
            return max(-value(left, trace, t, end, -unknown), value(right, trace, t, end, unknown))
        case stl.Globally(operand, window):
            return min((value(operand, trace, i, end, unknown) for i in ahead(t, window, end)), default=math.inf)
        case stl.Finally(operand, window):
            return max((value(operand, trace, i, end, unknown) for i in ahead(t, window, end)), default=-math.inf)
        case stl.Historically(operand, window):
            return min((value(operand, trace, i, end, unknown) for i in back(t, window)), default=math.inf)
        case stl.Once(operand, window):
            return max((value(operand, trace, i, end, unknown) for i in back(t, window)), default=-math.inf)
        case stl.Until(left, right, window):
            return max((bound(left, right, trace, i, range(t, i), end, unknown) for i in ahead(t, window, end)),
                       default=-math.inf)  # fmt: skip
        case stl.Since(left, right, window):
            return max((bound(left, right, trace, i, range(i + 1, t + 1), end, unknown) for i in back(t, window)),
                       default=-math.inf)  # fmt: skip
    raise AssertionError(formula)


def bound(left, right, trace, at, times, end, unknown):
    return min([value(right, trace, at, end, unknown), *(value(left, trace, i, end, unknown) for i in times)])


def ahead(t, window, end):
    limit, far = end
    if window is None:
        return range(t, max(far, t + 1))
    return range(t + window[0], min(t + window[1], limit - 1) + 1)


def back(t, window):
    first, last = window or (0, t)
    return range(max(0, t - last), t - first + 1)


def random_predicate(rng):
    names = rng.permutation(NAMES)[: rng.integers(1, 3)]
    terms = tuple((str(name), float(rng.choice([-2.0, -1.0, 0.5, 1.0, 1.0]))) for name in names)
    return stl.Predicate(stl.Linear(terms, float(rng.choice([0.0, 0.0, -0.5, 0.25]))))


def random_formula(rng, depth=3, longest=5, unbounded=0.2, kinds="not and or -> G F H O U S"):
    """Return a formula with windows up to ``longest``; a share ``unbounded`` of operators has none."""
    if depth == 0 or rng.random() < 0.15:
        return random_predicate(rng)

    def operand():
        return random_formula(rng, depth - 1, longest, unbounded, kinds)

    window = None if rng.random() < unbounded else tuple(sorted(rng.integers(0, longest + 1, 2).tolist()))
    match str(rng.choice(kinds.split())):
        case "not":
            return ~operand()
        case "and":
            return operand() & operand()
        case "or":
            return operand() | operand()
        case "->":
            return operand() >> operand()
        case "U":
            return stl.Until(operand(), operand(), window)
        case "S":
            return stl.Since(operand(), operand(), window)
        case symbol:
            kind = {"G": stl.Globally, "F": stl.Finally, "H": stl.Historically, "O": stl.Once}[symbol]
            return kind(operand(), window)


def random_trace(rng, length):
    """Return signals with few distinct values, so that ties are common and sums are exact."""
    return {name: (rng.integers(-8, 9, length) / 4).tolist() for name in NAMES}
