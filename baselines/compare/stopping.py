"""When enough runs have been made: a permutation test of all pairs of algorithms, repeated as runs come in.

After AdaStop (Mathieu et al. 2023, https://arxiv.org/abs/2306.10882). Runs come in equal batches; after each, a *look*,
every pair is tested that is not decided yet. The chance that any pair of equal algorithms is ever told apart, over all
pairs and looks, is `alpha`: the looks share it evenly, and the largest of the differences is held against the largest
that arises when the runs of each pair are mixed up. What is decided leaves the test, and makes it sharper for the rest.
For two algorithms the chance is exact; for more it is near (0.053 to 0.060 was measured). Mixing up the runs of all
algorithms would make it exact if all are equal, but takes two thirds more runs to tell three different ones apart.

The package adastop 0.1.3 holds absolute differences against a quantile of signed ones, so that its error is about twice
the nominal one (0.097 instead of 0.05 for two algorithms with five runs); here both are absolute. How often equal
algorithms are told apart here is measured by ``python -m rlx.baselines.compare.stopping``, to `docs/results`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .statistics import Array, share

PERMUTATIONS = 10_000


@dataclasses.dataclass(frozen=True)
class Decisions:
    """What is known after some runs."""

    better: dict[tuple[str, str], int]
    """Pair -> the look, from 1 on, that decided that the first has the higher mean score."""
    undecided: tuple[tuple[str, str], ...]
    """Pairs that are not decided."""
    looks: int
    """How many there have been."""
    is_final: bool
    """Whether no run is needed any more: all pairs are decided, or there is no look left."""

    @property
    def wanted(self) -> set[str]:
        """Algorithms that need more runs."""
        return set() if self.is_final else set(itertools.chain(*self.undecided))


def decide(
    scores: Mapping[str, ArrayLike],
    batch: int,
    looks: int,
    alpha: float = 0.05,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Decisions:
    """Test all pairs of algorithms, as far as their runs go.

    Args:
        scores: name -> scores of its runs in the order in which they were made, a multiple of ``batch``; algorithms
            that are decided need no more of them.
        batch: runs of each algorithm from look to look.
        looks: how many there can be.
        alpha: chance of telling any two equal algorithms apart.
        permutations: how many ways of mixing up runs are drawn.
        seed: of the draws.

    Raises:
        ValueError: fewer than two algorithms, or a number that is not allowed.
    """
    runs = {name: np.asarray(of, np.float64) for name, of in scores.items()}
    _check(runs, batch, looks, alpha)
    random = np.random.default_rng(seed)
    pairs = list(itertools.combinations(runs, 2))
    better: dict[tuple[str, str], int] = {}
    # Row 0 are the differences as observed, the others those of runs mixed up; in each, sums over all looks so far.
    sums = np.zeros((permutations + 1, len(pairs)))
    is_open = np.ones(len(pairs), np.bool_)
    crossed = np.zeros(permutations + 1, np.bool_)  # rows in which some pair was told apart at an earlier look
    done = 0
    for look in range(looks):
        part = slice(look * batch, (look + 1) * batch)
        if any(len(runs[name]) < part.stop for pair in itertools.compress(pairs, is_open) for name in pair):
            break
        done = look + 1
        signs = _signs(random, batch, permutations)
        for place in np.flatnonzero(is_open):
            first, second = pairs[place]
            sums[:, place] += signs @ np.concatenate((runs[first][part], runs[second][part]))
        allowed = int(alpha * done / looks * len(sums)) - int(crossed.sum())
        while is_open.any():
            largest = np.abs(sums[:, is_open]).max(axis=1)
            bound = _bound(largest[~crossed], allowed)
            found = is_open & (np.abs(sums[0]) > bound)
            if not found.any():
                crossed |= largest > bound
                break
            is_open &= ~found
            for place in np.flatnonzero(found):
                first, second = pairs[place]
                better[(first, second) if sums[0, place] > 0 else (second, first)] = done
        if not is_open.any():
            break
    undecided = tuple(itertools.compress(pairs, is_open))
    return Decisions(better, undecided, done, not undecided or done == looks)


def _check(runs: Mapping[str, Array], batch: int, looks: int, alpha: float) -> None:
    if len(runs) < 2:
        raise ValueError(f"Scores of {', '.join(runs) or 'nothing'}: two algorithms at least are needed.")
    if batch < 1 or looks < 1 or not 0.0 < alpha < 1.0:
        raise ValueError(f"batch = {batch}, looks = {looks}, alpha = {alpha}: at least 1 and 1, and between 0 and 1.")


def _signs(random: np.random.Generator, batch: int, permutations: int) -> Array:
    """Return to which side the runs of a pair go, +1 or -1, (1 + permutations, 2 batch); in row 0, to their own."""
    own = np.repeat([1.0, -1.0], batch)
    mixed = random.permuted(np.broadcast_to(own, (permutations, 2 * batch)), axis=1)
    return np.concatenate((own[None], mixed))


def _bound(values: Array, allowed: int) -> float:
    """Return the smallest bound beyond which lie at most ``allowed`` of ``values``."""
    if allowed >= len(values):
        return -np.inf
    if allowed <= 0:
        return np.inf
    # The same runs on the same sides, in another order: sums that are equal but for rounding.
    return float(np.partition(values, -allowed - 1)[-allowed - 1] * (1.0 + 1e-9))


# How often it errs


class Case(NamedTuple):
    """Scores to be told apart, or not."""

    text: str
    draw: Callable[[np.random.Generator, int], list[Array]]
    """Scores (n,) of each algorithm."""
    equals: int
    """How many of the first algorithms are equal."""
    batch: int
    looks: int


def normal(*means: float) -> Callable[[np.random.Generator, int], list[Array]]:
    """Return what draws scores of spread 1 around ``means``."""
    return lambda random, n: [mean + random.standard_normal(n) for mean in means]


def failing(random: np.random.Generator, n: int) -> list[Array]:
    """Return scores of two algorithms of which a fifth of all runs fails altogether."""
    return [np.where(random.random(n) < 0.2, -10.0, 0.0) + random.standard_normal(n) for _ in range(2)]


CASES = (
    Case("2 equal", normal(0, 0), 2, 5, 1),
    Case("2 equal", normal(0, 0), 2, 10, 1),
    Case("2 equal", normal(0, 0), 2, 5, 3),
    Case("2 equal", normal(0, 0), 2, 5, 5),
    Case("2 equal, a fifth of the runs fails", failing, 2, 5, 5),
    Case("3 equal", normal(0, 0, 0), 3, 5, 5),
    Case("5 equal", normal(0, 0, 0, 0, 0), 5, 5, 5),
    Case("10 equal", normal(*[0] * 10), 10, 5, 5),
    Case("2 equal, a third far ahead", normal(0, 0, 10), 2, 5, 5),
    Case("2 equal, 2 better by 1 and 2", normal(0, 0, 1, 2), 2, 5, 5),
    Case("2 that differ by 1", normal(0, 1), 1, 5, 5),
    Case("2 that differ by 2", normal(0, 2), 1, 5, 5),
    Case("3 that differ by 2", normal(0, 2, 4), 1, 5, 5),
)
HEAD = """# How often adaptive stopping errs

Made by `python -m rlx.baselines.compare.stopping > docs/results/stopping.md`: {count:,} made-up comparisons per row, at
a nominal error of 0.05. Scores are normal with a standard deviation of 1, but where a fifth of the runs fails: those
score 10 less. *Error*: how often any two equal algorithms were told apart, or a worse one was called better, with a
95 % interval (Wilson). *Decided*: of the pairs that do differ. *Runs*: the mean over all algorithms; without stopping
it would be batch x looks.

| Algorithms | Batch | Looks | Error | Decided | Runs |
|---|---:|---:|---:|---:|---:|"""


def simulate(case: Case, count: int, permutations: int = 2_000, seed: int = 0) -> tuple[float, float, float]:
    """Return the share of comparisons with an error, of pairs that differ and were decided, and the runs needed.

    Args:
        case: what is compared.
        count: of comparisons.
        permutations: see `decide`.
        seed: of the scores.
    """
    random = np.random.default_rng(seed)
    errors, decided, differing, runs = 0, 0, 0, 0.0
    for number in range(count):
        drawn = case.draw(random, case.batch * case.looks)
        scores = {str(place): of for place, of in enumerate(drawn)}
        result = decide(scores, case.batch, case.looks, permutations=permutations, seed=number)
        right = [int(a) > int(b) and int(a) >= case.equals for a, b in result.better]
        errors += not all(right)
        decided += sum(right)
        differing += math.comb(len(scores), 2) - math.comb(case.equals, 2)
        last = {name: max((look for pair, look in result.better.items() if name in pair), default=0) for name in scores}
        waiting = set(itertools.chain(*result.undecided))
        runs += sum(case.batch * (case.looks if name in waiting else last[name]) for name in scores) / len(scores)
    return errors / count, decided / differing if differing else math.nan, runs / count


def main(count: int = 10_000) -> None:
    """Print the table."""
    print(HEAD.format(count=count))
    for case in CASES:
        error, decided, runs = simulate(case, count)
        found = share(round(error * count), count)
        cells = [f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"]
        cells += ["–" if math.isnan(decided) else f"{decided:.3f}", f"{runs:.1f}"]
        print(f"| {case.text} | {case.batch} | {case.looks} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
