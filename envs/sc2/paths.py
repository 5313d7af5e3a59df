"""Ways around buildings, where there are any: a search over the cells of the map."""

from __future__ import annotations

import math

import numpy as np

from ..core import jit
from .params import NONE
from .records import HARVEST, MAP, Array, Record

#: A building covers a cell if it reaches that far into it.
COVERED = 0.3
#: How far from a goal inside a building the search may walk through that.
WITHIN = 2
#: Cells of a way that are looked along for a straight piece.
AHEAD = 6
#: Steps to the eight neighbours; the straight ones first.
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))


@jit
def survey(p: Record, s: Record) -> None:
    """Mark the cells that buildings and resources cover."""
    s.blocked[:] = np.uint64(0)
    for v in range(s.count):
        kind = s.kind[v]
        if kind == NONE or p.width[kind] == 0.0:
            continue
        w, h = 0.5 * p.width[kind] - COVERED, 0.5 * p.height[kind] - COVERED
        first, last = max(int(s.x[v] - w), 0), min(int(s.x[v] + w), MAP - 1)
        for row in range(max(int(s.y[v] - h), 0), min(int(s.y[v] + h), MAP - 1) + 1):
            for column in range(first, last + 1):
                s.blocked[row] |= np.uint64(1) << np.uint64(column)
    s.is_surveyed = 1


@jit
def is_blocked(s: Record, column: int, row: int) -> bool:
    """Return whether a cell is covered."""
    return bool((s.blocked[row] >> np.uint64(column)) & np.uint64(1))


@jit
def is_open(s: Record, x0: float, y0: float, x1: float, y1: float, goal: int) -> bool:
    """Return whether nothing stands on the straight line between two points.

    Args:
        s: the state.
        x0: of the first point; where it stands does not matter.
        y0: the same.
        x1: of the second.
        y1: the same.
        goal: a cell about which nothing matters, as row times `MAP` plus column.
    """
    steps = int(2.0 * math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)) + 1
    start = int(y0) * MAP + int(x0)
    for k in range(1, steps + 1):
        column, row = int(x0 + (x1 - x0) * k / steps), int(y0 + (y1 - y0) * k / steps)
        cell = row * MAP + column
        if cell != start and is_blocked(s, column, row) and not is_near(cell, goal):
            return False
    return True


@jit
def is_near(cell: int, goal: int) -> bool:
    """Return whether a cell lies about the goal."""
    return abs(cell % MAP - goal % MAP) <= WITHIN and abs(cell // MAP - goal // MAP) <= WITHIN


@jit
def search(p: Record, s: Record, start: int, goal: int, ahead: Array) -> bool:
    """Find the cells that lead to a goal; return whether they lead there from the start.

    Args:
        p: the task.
        s: the state.
        start: a cell.
        goal: a cell, which may be covered.
        ahead: (`MAP` squared,), to be filled with the next cell on the way from each cell, -1 where none is known.
    """
    ahead[:] = -1
    queue = np.empty(MAP * MAP, np.int16)
    queue[0], ahead[goal] = goal, goal
    first, last = 0, 1
    left, right = int(p.left), int(math.ceil(p.right)) - 1
    bottom, top = int(p.bottom), int(math.ceil(p.top)) - 1
    while first < last:
        cell = int(queue[first])
        first += 1
        if cell == start:
            return True
        column, row = cell % MAP, cell // MAP
        for k in range(8):
            other_column, other_row = column + STEPS[k][0], row + STEPS[k][1]
            if not (left <= other_column <= right and bottom <= other_row <= top):
                continue
            other = other_row * MAP + other_column
            if ahead[other] >= 0 or (is_blocked(s, other_column, other_row) and other != start
                                     and not is_near(other, goal)):  # fmt: skip
                continue
            # Not between two corners.
            if k >= 4 and (is_blocked(s, other_column, row) or is_blocked(s, column, other_row)):
                continue
            ahead[other] = cell
            queue[last] = other
            last += 1
    return False


@jit
def route(p: Record, s: Record, u: int, x: float, y: float) -> tuple[bool, float, float]:
    """Return whether a unit can get to a point, and the point to walk to next."""
    if p.rule < HARVEST:
        return True, x, y
    if not s.is_surveyed:
        survey(p, s)
    goal = int(y) * MAP + int(x)
    if is_open(s, s.x[u], s.y[u], x, y, goal):
        return True, x, y
    ahead = np.empty(MAP * MAP, np.int16)
    start = int(s.y[u]) * MAP + int(s.x[u])
    if not search(p, s, start, goal, ahead):
        return False, x, y
    # The farthest of the next cells that can be seen.
    cell = int(ahead[start])
    at_x, at_y = cell % MAP + 0.5, cell // MAP + 0.5
    for _ in range(AHEAD):
        cell = int(ahead[cell])
        if not is_open(s, s.x[u], s.y[u], cell % MAP + 0.5, cell // MAP + 0.5, goal):
            break
        at_x, at_y = cell % MAP + 0.5, cell // MAP + 0.5
    return True, at_x, at_y


@jit
def length(p: Record, s: Record, x0: float, y0: float, x1: float, y1: float) -> float:
    """Return the length of the way from one point to another in cells, or 0 where there is none."""
    if not s.is_surveyed:
        survey(p, s)
    start, goal = int(y0) * MAP + int(x0), int(y1) * MAP + int(x1)
    if is_open(s, x0, y0, x1, y1, goal):
        return math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
    ahead = np.empty(MAP * MAP, np.int16)
    if not search(p, s, start, goal, ahead):
        return 0.0
    total, cell = 0.0, start
    while cell != goal:
        following = int(ahead[cell])
        total += math.sqrt(float((following % MAP - cell % MAP) ** 2 + (following // MAP - cell // MAP) ** 2))
        cell = following
    return total
