"""Which snapshot is drawn: classes of the teacher's values, and members of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .moments import Snapshot, Snapshots, read_snapshots


def classify(values: NDArray[np.float64], classes: int) -> NDArray[np.int64]:
    """Return the class of each value, by k-means in one dimension, exactly.

    Among all ways to cut the sorted values into so many intervals, that with the least sum of squared distances from
    the intervals' means, found by dynamic programming (Wang and Song, "Ckmeans.1d.dp", The R Journal 3(2), 2011). Equal
    values are of one class.

    Args:
        values: shape (N,), finite.
        classes: k; fewer where there are fewer values that differ.

    Returns:
        Shape (N,), from 0, the class of the lowest values, up.

    Raises:
        ValueError: ``classes`` is not positive, or a value is not finite.
    """
    if classes < 1:
        raise ValueError(f"classes = {classes}: at least 1 is needed.")
    if not np.isfinite(values).all():
        raise ValueError("Values that are not finite cannot be classified.")
    points, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    points = points - points.mean()  # sums of squares lose digits far from zero
    sums = np.concatenate([np.zeros((3, 1)), np.cumsum([counts, counts * points, counts * points**2], axis=1)], axis=1)

    def costs(end: int) -> NDArray[np.float64]:
        """Return the cost of an interval from each place below ``end`` up to it."""
        weight, first, second = sums[:, end, None] - sums[:, :end]
        return second - first**2 / weight  # type: ignore[no-any-return]

    count = len(points)
    best = np.array([0.0, *[math.inf] * count])  # of the first n points, in the classes so far
    cuts = np.zeros((min(classes, count), count + 1), np.int64)
    for k in range(len(cuts)):
        last, best = best, np.full(count + 1, math.inf)
        for end in range(k + 1, count + 1):
            totals = last[:end] + costs(end)
            cuts[k, end] = np.argmin(totals)
            best[end] = totals[cuts[k, end]]
    labels, end = np.empty(count, np.int64), count
    for k in reversed(range(len(cuts))):
        labels[cuts[k, end] : end] = k
        end = cuts[k, end]
    return labels[places]


class Lot:
    """Draws snapshots: a class of their values first, if there are classes, and then a member."""

    def __init__(self, snapshots: Snapshots | str | Path, classes: int | None) -> None:
        """Draw from ``snapshots``, or the file of them, sorted into so many classes; None: into one.

        Raises:
            ValueError: there are none, or they cannot be classified.
        """
        self.snapshots = snapshots if isinstance(snapshots, Snapshots) else read_snapshots(snapshots)
        if not len(self.snapshots):
            raise ValueError("There are no snapshots to start from.")
        values = self.snapshots.values
        labels = np.zeros(len(values), np.int64) if classes is None else classify(values, classes)
        self._classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def check(self, described: Mapping[str, Any]) -> None:
        """Refuse the snapshots of an environment that is described in another way.

        Raises:
            ValueError: names what differs.
        """
        for name, mine in described.items():
            theirs = self.snapshots.provenance.get(name)
            if theirs != mine:
                raise ValueError(f"These snapshots are of another environment: its {name} is {theirs}, not {mine}.")

    def draw(self, random: np.random.Generator) -> Snapshot:
        """Return a snapshot."""
        members = self._classes[random.integers(len(self._classes))]
        return self.snapshots.moments[int(members[random.integers(len(members))])]

    def samples(self, student: int) -> dict[str, int]:
        """Return the steps of the student, which are given, of the teacher, and of both."""
        teacher = int(self.snapshots.provenance["steps"])
        return {"student": student, "teacher": teacher, "total": student + teacher}


def end_of_phase(steps: int | None) -> float:
    """Return for how many steps episodes start from snapshots."""
    if steps is not None and steps < 0:
        raise ValueError(f"steps = {steps}: at least 0, or None.")
    return math.inf if steps is None else steps
