"""Planning by mixed-integer linear programs (HiGHS, through SciPy), where signals are affine in the actions.

Raman et al., "Model predictive control with signal temporal logic specifications", CDC 2014: a predicate is a linear
constraint, a choice between parts of the formula a binary that switches the constraints of what is not chosen off.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from rlx.envs.core.stl import And, Finally, Formula, Globally, Implies, Not, Or, Predicate

from .stl_planners import Planner, Plans, best_of, bounded, half_width, judge, middle, model_of

Vector = NDArray[np.float64]

#: The task of `rlx/STL-Maze-v0` in linear predicates: a bar's product is a choice of a side, and a goal's circle a box
#: in it, which is low enough for a ball to be in it at one sample at least, and as wide as the circle is there.
MAZE = (
    "G (band_1 > 0 -> x < left_1 or x > left_1 + width_1) and G (band_2 > 0 -> x < left_2 or x > left_2 + width_2)"
    " and (goal_1 > 0 -> F (y >= -0.351 and y <= -0.149 and x - goal_1 < 0.387 and goal_1 - x < 0.387))"
    " and (goal_2 > 0 -> F (y >= 2.149 and y <= 2.351 and x - goal_2 < 0.387 and goal_2 - x < 0.387))"
)
#: Where a ball neither touches a wall nor is as fast as it can be. The first action changes vx next, and then x.
MAZE_REGION = "G[1,25] (vx < 4.99 and vx > -4.99) and G[2,25] (x > 0.11 and x < 4.89)"


class MILP(Planner):
    """Maximises the least margin of the predicates that a plan relies on, up to 1, or gives up."""

    def __init__(self, env_id: str, formula: str, region: str, seconds: float = 10.0) -> None:
        """Plan for ``env_id``.

        Args:
            env_id: an environment that takes a ``formula``.
            formula: what is asked, without ``U`` and without operators of the past.
            region: a formula whose traces have signals that are affine in the actions; plans stay within it.
            seconds: after which the solver has to do with what it has.
        """
        super().__init__(model_of(env_id, {"formula": f"({formula}) and ({region})"}))
        self.region, self.seconds = model_of(env_id, {"formula": region}), seconds

    def plan(self, observations: NDArray[np.float32]) -> Plans:
        """Return plans (N, T, A); where there is none that satisfies the formula, one within the region."""
        # An action, then none: a system at rest is far from its limits.
        region, actions = self.region, np.random.default_rng(0).uniform(-1.0, 1.0, (500, len(self.model.action_low)))
        plans = np.broadcast_to(middle(region), (len(observations), 500, region.length, actions.shape[1])).copy()
        plans[:, :, 0] += half_width(region) * actions.astype(np.float32)
        within, _ = best_of(plans, judge(region, observations, plans), 1)
        return np.stack([self._improve(*start) for start in zip(observations, within[:, 0], strict=True)])

    def _improve(self, observation: NDArray[np.float32], plan: NDArray[np.float32]) -> Plans:
        """Return the program's plan (T, A), given one within the region."""
        model, reference = self.model, plan.astype(np.float64)
        # One action after the other changed a little: exact, for it is affine there.
        little = 1e-4 * np.eye(reference.size).reshape(-1, *reference.shape)
        signals = model.rollout(observation[None], np.concatenate([reference[None], reference + little])[None])[0]
        slopes = np.moveaxis(signals[1:] - signals[0], 0, -1) / 1e-4
        offsets = signals[0] - slopes @ reference.ravel()
        low, high = (np.broadcast_to(bound, reference.shape).ravel() for bound in (model.action_low, model.action_high))
        program = Program(model.signals, offsets, slopes, low, high)
        program.require(model.formula)
        found = program.solve(self.seconds)
        return plan if found is None else bounded(model, found.reshape(reference.shape))


class Program:
    """Actions, then their margin, then binaries, one for each choice; and what must hold of them."""

    def __init__(self, names: tuple[str, ...], offsets: Vector, slopes: Vector, low: Vector, high: Vector) -> None:
        """Begin without constraints.

        Args:
            names: of the signals, S.
            offsets: their values where actions are zero, (T + 1, S).
            slopes: by how much an action changes them, (T + 1, S, n).
            low: of the actions, (n,).
            high: of the actions, (n,).
        """
        self.names, self.offsets, self.slopes, self.low, self.high = names, offsets, slopes, low, high
        self.actions, self.choices = len(low), 0
        self.rows: list[tuple[list[int], list[float], float]] = []  # columns, coefficients, smallest sum

    def require(self, formula: Formula, t: int = 0, sign: int = 1, choice: int | None = None) -> None:
        """Let ``formula`` hold at time ``t``, its negation if ``sign`` is -1; only if the binary ``choice`` is 1."""
        if isinstance(formula, Predicate):
            self._bound(formula, t, sign, choice)
            return
        is_all, parts = self._parts(formula, t, sign)
        if is_all:
            for part in parts:
                self.require(*part, choice)
            return
        chosen = [self._choose() for _ in parts]
        for part, binary in zip(parts, chosen, strict=True):
            self.require(*part, binary)
        if choice is None:
            self.rows.append((chosen, [1.0] * len(chosen), 1.0))
        else:
            self.rows.append(([*chosen, choice], [1.0] * len(chosen) + [-1.0], 0.0))

    def solve(self, seconds: float) -> Vector | None:
        """Return the actions (n,) with the largest margin that was found, or None.

        Raises:
            DependencyNotInstalled: SciPy is missing.
        """
        try:
            from scipy import optimize, sparse
        except ImportError:
            raise DependencyNotInstalled("Mixed-integer programs need SciPy: pip install scipy") from None
        count = self.actions + 1 + self.choices
        columns, coefficients, least = zip(*self.rows, strict=True)
        heights = np.repeat(np.arange(len(columns)), [len(row) for row in columns])
        matrix = sparse.csr_array(
            (np.concatenate(coefficients), (heights, np.concatenate(columns))), (len(least), count)
        )
        cost, integers = np.zeros(count), np.arange(count) > self.actions
        cost[self.actions] = -1.0
        low = np.concatenate([self.low, np.zeros(1 + self.choices)])
        high = np.concatenate([self.high, np.ones(1 + self.choices)])
        found = optimize.milp(
            cost,
            integrality=integers.astype(np.int64),
            bounds=optimize.Bounds(low, high),
            constraints=optimize.LinearConstraint(matrix, np.array(least)),
            options={"time_limit": seconds},
        )
        return None if found.x is None else np.asarray(found.x[: self.actions])

    def _choose(self) -> int:
        """Return the column of a new binary."""
        self.choices += 1
        return self.actions + self.choices

    def _bound(self, predicate: Predicate, t: int, sign: int, choice: int | None) -> None:
        """Let a predicate's robustness be at least the margin; 0, where actions do not matter."""
        offset, slope = sign * predicate.margin.constant, np.zeros(self.actions)
        for name, factor in predicate.margin.terms:
            j = self.names.index(name)
            offset += sign * factor * self.offsets[t, j]
            slope += sign * factor * self.slopes[t, j]
        (matters,) = np.nonzero(np.abs(slope) > 1e-9)
        columns, coefficients, least = matters.tolist(), slope[matters].tolist(), -offset
        if columns:
            columns, coefficients = [*columns, self.actions], [*coefficients, -1.0]
        if choice is not None:
            # Large enough to allow anything if it is not chosen.
            worst = offset + np.minimum(slope * self.low, slope * self.high).sum() - 1.0
            columns, coefficients, least = [*columns, choice], [*coefficients, worst], least + worst
        self.rows.append((columns, coefficients, least))

    def _parts(self, formula: Formula, t: int, sign: int) -> tuple[bool, list[tuple[Formula, int, int]]]:
        """Return the parts of a formula, with their times and signs, and whether all must hold, or one."""
        match formula:
            case Not(operand):
                return True, [(operand, t, -sign)]
            case And(left, right) | Or(left, right):
                return isinstance(formula, And) == (sign > 0), [(left, t, sign), (right, t, sign)]
            case Implies(left, right):
                return sign < 0, [(left, t, -sign), (right, t, sign)]
            case Globally(operand, window) | Finally(operand, window):
                times = self._times(t, window)
                return isinstance(formula, Globally) == (sign > 0), [(operand, time, sign) for time in times]
        raise TypeError(f"Mixed-integer programs are made of G, F, and, or, not and ->, but not of '{formula}'.")

    def _times(self, t: int, window: tuple[int, int] | None) -> Iterable[int]:
        last = len(self.offsets) - 1
        first, final = (0, last) if window is None else window
        return range(t + first, min(t + final, last) + 1)


def maze() -> MILP:
    """Return the planner of `rlx/STL-Maze-v0`."""
    return MILP("rlx/STL-Maze-v0", MAZE, MAZE_REGION)
