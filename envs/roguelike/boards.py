"""Sets of cells as bits: cell c is bit c % 64 of word c // 64, so that a set moves in any direction at once."""

from __future__ import annotations

import numpy as np

from ..core import inlined
from .records import CELLS, SIZE

Board = tuple[np.uint64, np.uint64]

_ONE = np.uint64(1)
_WORD = np.uint64(64)


def _board(cells: list[int]) -> Board:
    total = sum(1 << cell for cell in cells)
    return np.uint64(total & (2**64 - 1)), np.uint64(total >> 64)


#: Cells that have a neighbour to the north, and to the south.
NOT_NORTHERN = _board([cell for cell in range(CELLS) if cell % SIZE < SIZE - 1])
NOT_SOUTHERN = _board([cell for cell in range(CELLS) if cell % SIZE > 0])


@inlined
def single(cell: int) -> Board:
    """Return the set of one cell."""
    bit = _ONE << np.uint64(cell & 63)
    return (bit, np.uint64(0)) if cell < 64 else (np.uint64(0), bit)


@inlined
def moved(low: np.uint64, high: np.uint64, offset: int) -> Board:
    """Return a set with ``offset`` added to each cell; the caller sees to the borders."""
    if offset > 0:
        by = np.uint64(offset)
        return low << by, (high << by) | (low >> (_WORD - by))
    by = np.uint64(-offset)
    return (low >> by) | (high << (_WORD - by)), high >> by
