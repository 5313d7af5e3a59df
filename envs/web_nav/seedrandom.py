"""The random numbers of a page: JavaScript's ``Math.seedrandom(seed)`` and the helpers that MiniWoB++ builds on it.

The generator is ARC4 with its first 256 bytes dropped (David Bau, seedrandom); a double takes 52 bits or more of it.
The helpers draw in the order of MiniWoB++ 1.1.0's ``core.js``, so that a seed gives the instance it gives in a browser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core import jit

Item = TypeVar("Item")

#: Doubles drawn from ARC4 at once; a call of a compiled function costs more than a double.
_AHEAD = 64


@jit
def _schedule(key: NDArray[np.uint8], arc4: NDArray[np.uint8]) -> None:
    """Set up ``arc4``, uint8 of shape (258,): the permutation, then the two counters."""
    for i in range(256):
        arc4[i] = i
    j = 0
    for i in range(256):
        value = arc4[i]
        j = (j + key[i % len(key)] + value) & 255
        arc4[i] = arc4[j]
        arc4[j] = value
    arc4[256] = arc4[257] = 0
    for _ in range(256):
        _byte(arc4)


@jit
def _byte(arc4: NDArray[np.uint8]) -> int:
    i = (int(arc4[256]) + 1) & 255
    value = int(arc4[i])
    j = (int(arc4[257]) + value) & 255
    arc4[i] = arc4[j]
    arc4[j] = value
    arc4[256], arc4[257] = i, j
    return int(arc4[(int(arc4[i]) + value) & 255])


@jit
def _doubles(arc4: NDArray[np.uint8], count: int) -> NDArray[np.float64]:
    """Draw ``count`` doubles from [0, 1)."""
    doubles = np.empty(count)
    for index in range(count):
        numerator, denominator, low = 0.0, 2.0**48, 0
        for _ in range(6):
            numerator = numerator * 256.0 + _byte(arc4)
        while numerator < 2.0**52:
            numerator, denominator, low = (numerator + low) * 256.0, denominator * 256.0, _byte(arc4)
        while numerator >= 2.0**53:
            numerator, denominator, low = numerator / 2.0, denominator / 2.0, low >> 1
        doubles[index] = (numerator + low) / denominator
    return doubles


def _key(seed: int) -> NDArray[np.uint8]:
    """Return the ARC4 key of ``seed``: its digits and a zero."""
    return np.frombuffer(f"{seed}\0".encode(), np.uint8).copy()


class SeedRandom:
    """``Math.random`` after ``Math.seedrandom(seed)``, with MiniWoB++'s helpers. Picklable; `copy` is cheap."""

    __slots__ = ("_ahead", "_arc4", "_used")

    def __init__(self, seed: int) -> None:
        """Start the stream of ``seed``, an integer that a double holds exactly.

        Raises:
            ValueError: the integer is too large.
        """
        if abs(seed) > 2**53:
            raise ValueError(f"seed = {seed}: JavaScript's numbers are exact from -2**53 to 2**53.")
        self._arc4 = np.empty(258, np.uint8)
        _schedule(_key(seed), self._arc4)
        self._ahead: list[float] = []
        self._used = 0

    def copy(self) -> SeedRandom:
        """Return a stream that will give the same numbers."""
        twin = object.__new__(SeedRandom)
        twin._arc4, twin._ahead, twin._used = self._arc4.copy(), self._ahead, self._used
        return twin

    def random(self) -> float:
        """Draw a double from [0, 1)."""
        if self._used == len(self._ahead):
            self._ahead, self._used = _doubles(self._arc4, _AHEAD).tolist(), 0
        self._used += 1
        return self._ahead[self._used - 1]

    def integer(self, low: int, high: int) -> int:
        """Draw from {low, ..., high - 1}; ``low``, if that is empty (``core.randi``)."""
        return math.floor(self.random() * (high - low) + low)

    def uniform(self, low: float, high: float) -> float:
        """Draw from [low, high) (``core.randf``)."""
        return self.random() * (high - low) + low

    def sample(self, items: Sequence[Item]) -> Item:
        """Draw one of ``items`` (``core.sample``)."""
        return items[math.floor(self.random() * len(items))]

    def shuffle(self, items: Sequence[Item]) -> list[Item]:
        """Return ``items`` in random order (``core.shuffle``)."""
        shuffled = list(items)
        for last in range(len(shuffled) - 1, -1, -1):
            other = math.floor(self.random() * (last + 1))
            shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
        return shuffled
