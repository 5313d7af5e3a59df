"""Observations of many kinds of spaces, as the two arrays that a network reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

MASK = "action_mask"  # an entry that says what is allowed, and is no input


@dataclasses.dataclass(frozen=True)
class Entry:
    """One array of an observation."""

    path: tuple[str | int, ...]
    """Keys and indices that lead to it."""
    shape: tuple[int, ...]
    """Of the array in one observation."""
    classes: int = 0
    """How many values each of its numbers can take, if it stands for a choice and is told one-hot; else 0."""
    start: int = 0
    """The first of these values."""

    @property
    def is_picture(self) -> bool:
        """Whether it is (channels, height, width)."""
        return len(self.shape) == 3 and not self.classes

    @property
    def size(self) -> int:
        """Numbers that a network reads of it."""
        return int(np.prod(self.shape)) * max(self.classes, 1)


class Inputs:
    """What a network reads of an observation: numbers, a flat vector, and pictures, (channels, height, width) each.

    A `Dict` or `Tuple` is read entry by entry. A `Box` or `MultiBinary` of three dimensions is a picture; any other is
    flattened. Of a `Discrete` or `MultiDiscrete` each number is told one-hot, since the order of its values need not
    mean anything; the numbers of one `MultiDiscrete` get as many places as the one with most values. The entry
    "action_mask" of a `Dict` is left out.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Read the given entries, in this order."""
        self.entries = tuple(entries)
        self.pictures = [entry.shape for entry in self.entries if entry.is_picture]
        self.width = sum(entry.size for entry in self.entries if not entry.is_picture)
        self.picture_width = sum(entry.size for entry in self.entries if entry.is_picture)

    @classmethod
    def of(cls, space: spaces.Space[Any]) -> Inputs:
        """Return how to read observations in ``space``.

        Raises:
            TypeError: a space that a network cannot read; says which can be.
        """
        return cls(_entries(space, ()))

    def read(self, observation: Any) -> tuple[NDArray[np.float32], NDArray[np.float16], tuple[int, ...]]:
        """Read one observation, or a batch of them.

        Returns:
            numbers (N, width); pictures end to end (N, picture_width), in half precision since they are large and
            many are kept; and the shape of the batch, () for one observation, for which N is 1.
        """
        numbers: list[NDArray[Any]] = []
        pictures: list[NDArray[Any]] = []
        batch: tuple[int, ...] = ()
        for entry in self.entries:
            values = observation
            for key in entry.path:
                values = values[key]
            values = np.asarray(values)
            batch = values.shape[: values.ndim - len(entry.shape)]
            if entry.classes:
                values = np.eye(entry.classes, dtype=np.float32)[values - entry.start]
            (pictures if entry.is_picture else numbers).append(values.reshape(-1, entry.size))
        none = np.empty((int(np.prod(batch)), 0))
        return (
            np.concatenate([none, *numbers], axis=1, dtype=np.float32),
            np.concatenate([none, *pictures], axis=1, dtype=np.float16),
            batch,
        )


def _entries(space: spaces.Space[Any], path: tuple[str | int, ...]) -> list[Entry]:
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.items() if isinstance(space, spaces.Dict) else enumerate(space)
        return [entry for key, part in parts if path or key != MASK for entry in _entries(part, (*path, key))]
    if isinstance(space, spaces.Discrete):
        return [Entry(path, (), int(space.n), int(space.start))]
    if isinstance(space, spaces.MultiDiscrete):
        start, end = int(space.start.min()), int((space.start + space.nvec).max())
        return [Entry(path, tuple(space.shape), end - start, start)]
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return [Entry(path, tuple(space.shape))]
    where = f" at {'/'.join(map(str, path))}" if path else ""
    raise TypeError(
        f"The observation{where} is a {space}, which a network here cannot read. It reads Box, Discrete, MultiDiscrete "
        "and MultiBinary, and Dict and Tuple of them."
    )
