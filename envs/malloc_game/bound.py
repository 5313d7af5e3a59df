"""What no play can beat: a lower bound on the latency of a program, by relaxation; and the optimum of tiny programs.

The game is relaxed to a mixed-integer linear program. Every use of a buffer is fast or slow, and between two uses the
buffer stays in fast memory or does not. What is in fast memory fits at every instruction in total; offsets are left
out. Idle bandwidth and stalls pay for all copies, but those that are under way are kept apart only in total, and take
no more room than the bytes that have moved. Every game is a solution, so the least latency of all is a lower bound.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import ArrayLike, NDArray

from . import kernels as k

try:
    from scipy import optimize, sparse
except ImportError:
    raise DependencyNotInstalled('Bounds need SciPy: pip install "rlx[malloc]"') from None

Array = NDArray[Any]

#: The longest program, in uses, of which `exact` plays every game.
LONGEST = 14

#: What is claimed of the solver's bounds: it works to tolerances of 1e-6.
CLAIMED = 1.0 - 1e-6


def exact(row: np.void) -> float:
    """Return the least latency of any game in s, by playing all of them.

    Args:
        row: the packed program, shape ().

    Raises:
        ValueError: the program has more than `LONGEST` uses.
    """
    uses = int(row["uses"])
    if uses > LONGEST:
        raise ValueError(f"exact() plays every game: the program has {uses} uses, allowed are {LONGEST}. Try bound().")
    program, states = np.array([row])[0], np.zeros(uses + 1, k.layout(len(row["size"]))[1])
    k.begin(program, states[0])

    def least(use: int) -> float:
        if use == uses:
            return float(states[use]["latency"])
        game, found = states[use], math.inf
        move = k.KEEP if game["can_keep"] else k.COPY
        choices = range(int(game["offsets"])) if game["can_keep"] or game["can_copy"] else ()
        for action in ((k.DROP, 0), *((move, choice) for choice in choices)):
            states[use + 1] = game
            k.play(program, states[use + 1], *action)
            found = min(found, least(use + 1))
        return found

    return least(0)


def unlimited(row: np.void) -> float:
    """Return the latency in s with unlimited fast memory: all that is anybody's decision lies there, without a copy."""
    count, uses = int(row["instructions"]), int(row["uses"])
    fast = np.bincount(row["time"][:uses], row["bytes"][:uses], count)
    slow = row["slow"][:count] - fast
    mixed = fast / row["fast_bandwidth"] + slow / row["slow_bandwidth"]
    return float(np.maximum(row["compute"][:count], mixed).sum())


def bound(row: np.void, seconds: float = 60.0) -> float:
    """Return a latency in s that no game can beat, whatever its offsets.

    The largest of three: the latency with unlimited fast memory, all copies for nothing; the relaxation's, where
    decisions may be fractional; and what HiGHS proves in the first node of its search about decisions that may not.
    That depends on the machine only where time runs out. Measured on the 19 shipped programs and ``tpuv4i``: the first
    node takes up to 23 s of one CPU core and proves up to 4.6 % more than fractional decisions do. It solves 14
    programs; of the others it comes to within 0.6 % of the relaxation's optimum.

    Args:
        row: the packed program, shape ().
        seconds: limit on the search; 0 leaves it out, and what remains takes a second or two.

    Raises:
        ValueError: ``seconds`` is negative.
    """
    if not seconds >= 0.0:
        raise ValueError(f"seconds = {seconds}: a solving time is 0 or more.")
    relaxation = _Relaxation(row)
    proven = [unlimited(row), CLAIMED * relaxation.solve()]
    if seconds > 0.0:
        proven.append(CLAIMED * relaxation.search(seconds))
    return max(proven)


class _Relaxation:
    """The relaxed game as a mixed-integer linear program.

    The unit of bytes is the mean size of a buffer in use, that of time what the slow memory takes to move it; so its
    bandwidth is 1, and coefficients are near 1. Expressions are sparse matrices: a column for each variable, a row for
    each value.
    """

    def __init__(self, row: np.void) -> None:
        """Relax the game of the packed program ``row``."""
        self._read(row)
        self._declare()
        self._decide()
        self._run()
        self._move()
        self._fit()

    def _read(self, row: np.void) -> None:
        """Take what is known from the packed program."""
        uses, count = int(row["uses"]), int(row["instructions"])
        buffer, time, following = row["buffer"][:uses], row["time"][:uses].astype(int), row["following"][:uses]
        unit = row["size"][buffer].mean()
        self.tick = float(unit / row["slow_bandwidth"])  # s
        self.ratio = float(row["slow_bandwidth"] / row["fast_bandwidth"])
        self.capacity = float(row["capacity"] / unit)
        self.is_strict = bool(row["is_strict"])
        # Of each instruction
        self.instructions = count
        self.compute, self.all_slow = row["compute"][:count] / self.tick, row["slow"][:count] / unit
        # Of each use
        self.time, self.bytes = time, row["bytes"][:uses] / unit
        self.size, self.room = row["size"][buffer] / unit, row["room"][buffer] / unit
        self.is_last = following < 0
        earlier, later = np.flatnonzero(~self.is_last), following[~self.is_last]
        self.is_first = ~np.isin(np.arange(uses), later)
        self.before, self.after = np.full(uses, -1), np.full(uses, count)  # when its buffer is used, next to this
        self.before[later], self.after[earlier] = time[earlier], time[later]
        self.is_born = self.is_first & (row["is_given"][buffer] == 0)
        self.is_dirtying = self.is_born | (row["is_written"][:uses] == 1)
        self.is_shared, self.is_output = row["is_shared"][buffer] == 1, row["is_output"][buffer] == 1
        # What a use's buffer has at its next use, and had at the previous one; 0, if there is none
        self.next = sparse.csr_array((np.ones(len(earlier)), (earlier, later)), (uses, uses))
        self.previous = self.next.T.tocsr()

    def _declare(self) -> None:
        """Declare the variables."""
        uses, count = len(self.time), self.instructions
        sizes = {
            # Of each use: it is fast; it is so without a copy since the use before; after it the slow memory has no
            # valid copy; the buffer is written back there before its next use, or the end.
            **dict.fromkeys(("fast", "kept", "dirty", "returned"), uses),
            # Bytes that move in idle bandwidth, to this use and back after it; the rest of a copy is a stall.
            **dict.fromkeys(("copied_in", "copied_back"), uses),
            # Of each instruction: its latency without stalls; bytes of copies that move during it.
            **dict.fromkeys(("base", "inflow", "outflow"), count),
            # Bytes copied in: that have moved before it, for uses after it; that may have begun to move and have not
            # moved when it ends. Bytes copied back: that may move when it begins; that have moved when it ends, and
            # could have waited.
            **dict.fromkeys(("arrived", "expected", "leaving", "ahead"), count),
        }
        ends = np.cumsum([0, *sizes.values()]).tolist()
        self.columns = {name: slice(*ends[i : i + 2]) for i, name in enumerate(sizes)}
        identity = sparse.eye_array(ends[-1], format="csr")
        self.variables = {name: identity[columns] for name, columns in self.columns.items()}
        self.low, self.high, self.is_integral = np.zeros(ends[-1]), np.full(ends[-1], np.inf), np.zeros(ends[-1])
        self.constraints: list[tuple[Any, Array, Array]] = []

    def _limit(self, name: str, low: ArrayLike, high: ArrayLike) -> None:
        """Keep variables within ``low`` and ``high``."""
        self.low[self.columns[name]], self.high[self.columns[name]] = low, high

    def _require(self, expression: Any, low: ArrayLike, high: ArrayLike) -> None:
        """Keep the values of an expression within ``low`` and ``high``."""
        count = expression.shape[0]
        self.constraints.append((expression, np.broadcast_to(low, count), np.broadcast_to(high, count)))

    def _sum_at(self, times: Array) -> Any:
        """Return the matrix that gives instructions the sums of what uses have at ``times``, as far as they exist."""
        uses = np.flatnonzero(times < self.instructions)
        return sparse.csr_array((np.ones(len(uses)), (times[uses], uses)), (self.instructions, len(times)))

    def _decide(self) -> None:
        """Relate decisions to each other."""
        fast, kept, dirty, returned = (self.variables[name] for name in ("fast", "kept", "dirty", "returned"))
        for name in ("fast", "kept", "dirty", "returned"):
            self._limit(name, 0.0, 1.0)
        for name in ("fast", "kept"):
            self.is_integral[self.columns[name]] = 1.0
        follows = ~self.is_first
        self._limit("kept", 0.0, follows)
        # A fast use is of a buffer that has stayed since a fast use, or comes into being, or else is copied in.
        self.copy = _scale(~self.is_born) @ fast - kept
        self._require(self.copy, 0.0, np.inf)
        self._require((self.previous @ fast - kept)[follows], 0.0, np.inf)
        # Fast twice at one instruction: the second finds the chunk of the first.
        self._require((kept - fast - self.previous @ fast)[self.before == self.time], -1.0, np.inf)
        # An alias group that was dropped stays slow.
        self._require((fast - self.previous @ fast)[self.is_shared & follows], -np.inf, 0.0)
        # In fast memory, to be written or come into being makes dirty, and what stays remains so.
        self._require((dirty - fast)[self.is_dirtying], 0.0, np.inf)
        self._require((dirty - self.previous @ dirty - kept)[follows], -1.0, np.inf)
        # What is dirty cannot be copied in. So if it does not stay, it is dropped, and written back; and so are outputs
        # at the end.
        self._require((self.copy + self.previous @ dirty)[follows], -np.inf, 1.0)
        self._require((returned - dirty + self.next @ kept)[~self.is_last | self.is_output], 0.0, np.inf)

    def _run(self) -> None:
        """Relate latencies without stalls to what is fast."""
        base, at, gain = self.variables["base"], self._sum_at(self.time), 1.0 - self.ratio
        self.moved = at @ _scale(self.bytes) @ self.variables["fast"]
        # Computing takes its time, and so does moving bytes from and to both memories.
        self._limit("base", self.compute, np.inf)
        self._require(base + gain * self.moved, self.all_slow, np.inf)
        # The longer of both is convex in the fast bytes, so below its chord: nothing lingers to leave bandwidth idle.
        most = at @ self.bytes
        bottom, top = (np.maximum(self.compute, self.all_slow - gain * fast) for fast in (0.0, most))
        slope = np.divide(top - bottom, most, out=np.zeros(len(most)), where=most > 0.0)
        self._require(base - _scale(slope) @ self.moved, -np.inf, bottom)

    def _move(self) -> None:
        """Let copies move in idle bandwidth, or stall."""
        base, inflow, outflow, arrived, expected, leaving, ahead = (
            self.variables[name] for name in ("base", "inflow", "outflow", "arrived", "expected", "leaving", "ahead")
        )
        self.latency = _total(base)
        for name, copy, opens, closes, can_stall in (
            ("copied_in", self.copy, self.before, self.time, not self.is_strict),
            ("copied_back", self.variables["returned"], self.time, self.after, True),
        ):
            # The bytes of a copy move at instructions between its two uses, or stall; all stall if there are none.
            self._limit(name, 0.0, np.where(opens + 1 < closes, self.size, 0.0))
            stall = _scale(self.size) @ copy - self.variables[name]
            self._require(stall, 0.0, np.inf if can_stall else 0.0)
            self.latency += _total(stall)
        # The windows, of all copies together: none moves more than those that may, and none is late.
        copied_in, copied_back = self.variables["copied_in"], self.variables["copied_back"]
        lag = sparse.eye_array(self.instructions, k=-1, format="csr")  # gives each instruction what the one before has
        opening, due = self._sum_at(self.before + 1) @ copied_in, self._sum_at(self.time) @ copied_in
        self._require(arrived - lag @ (arrived + inflow) + due, 0.0, 0.0)
        self._require(expected - lag @ expected - opening + inflow, 0.0, 0.0)
        opening, due = self._sum_at(self.time + 1) @ copied_back, self._sum_at(self.after - 1) @ copied_back
        self._require(leaving - lag @ (leaving - outflow) - opening, 0.0, 0.0)
        self._require(leaving - outflow, 0.0, np.inf)
        self._require(ahead - lag @ ahead - outflow + due, 0.0, 0.0)
        # Copies get what the slow memory does not move for the instruction itself.
        self._require(inflow + outflow - base - self.moved, -np.inf, -self.all_slow)

    def _fit(self) -> None:
        """Keep what is in fast memory within its capacity."""
        fast, kept, inflow, arrived, leaving = (
            self.variables[name] for name in ("fast", "kept", "inflow", "arrived", "leaving")
        )
        gaps = [np.arange(before + 1, time) for before, time in zip(self.before, self.time, strict=True)]
        uses = np.repeat(np.arange(len(gaps)), [len(gap) for gap in gaps])
        between = sparse.csr_array((np.ones(len(uses)), (np.concatenate(gaps), uses)), (self.instructions, len(gaps)))
        # A buffer has its room where it is used, once for two uses at one instruction, and between uses if it stays.
        room, is_same = _scale(self.room), _scale(self.before == self.time)
        occupied = self._sum_at(self.time) @ room @ (fast - is_same @ kept) + between @ room @ kept
        # Chunks last from the first byte of a copy to its use, and from a use to the last byte of a copy back. So there
        # is room for all bytes that have arrived early, or have yet to leave.
        self._require(occupied + arrived + inflow + leaving, -np.inf, self.capacity)

    def solve(self) -> float:
        """Return the least latency in s where decisions may be fractional; 0, if the solver fails."""
        return self.tick * (self._optimize(None, {}).fun or 0.0)

    def search(self, seconds: float) -> float:
        """Return a lower bound in s where they may not, from the first node of a search; 0, if time is up before."""
        options = {"time_limit": seconds, "node_limit": 1, "mip_rel_gap": 0.0}
        return self.tick * (self._optimize(self.is_integral, options).mip_dual_bound or 0.0)

    def _optimize(self, integrality: Array | None, options: dict[str, float]) -> Any:
        """Hand the program to HiGHS."""
        expressions, low, high = zip(*self.constraints, strict=True)
        matrix = sparse.vstack(expressions, format="csr")
        return optimize.milp(
            self.latency,
            integrality=integrality,
            bounds=optimize.Bounds(self.low, self.high),
            constraints=optimize.LinearConstraint(matrix, np.concatenate(low), np.concatenate(high)),
            options=options,
        )


def _scale(values: ArrayLike) -> Any:
    """Return the matrix that multiplies each value with one of ``values``."""
    return sparse.diags_array(np.asarray(values, float), format="csr")


def _total(expression: Any) -> Array:
    """Return the coefficients of the sum of an expression's values."""
    return np.asarray(expression.sum(axis=0), float)
