"""Packing: one buffer after the other gets its place in memory.

A buffer is a rectangle: its lifetime [lower, upper) by its size. Buffers whose lifetimes meet must not overlap in
memory. Generated instances are cuts of a full rectangle, so that the least capacity is known, and every byte of it is
needed at all times. Cut lines go from edge to edge of a piece (guillotine cuts).

Buffers keep the numbers that the instance gives them; ``turn`` is the order in which they come.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import COST, INFO, REWARD, SUCCESS, TERMINATED, integer, jit, state_dtype, uniform

Array = NDArray[Any]
Record = Any

#: Places that a buffer is offered, at most, and numbers that describe each.
PLACES, TRAITS = 8, 6
#: Cells of the observation's image along time and offset; numbers about the next buffer; buffers seen ahead.
CELLS, FEATURES, AHEAD, OUTLINE = 32, 6, 8, 3
#: The rectangle that is cut, in units of memory and of time.
CAPACITY = DURATION = 4096
#: In which order buffers come; larger first, ties by the second name, then as given.
ORDERS = {"given": 0, "size": 1, "lifetime": 2, "area": 3, "start": 4}
GIVEN, SIZE, LIFETIME, AREA, START = ORDERS.values()

# Where the parts of the observation begin, as a `spaces.Dict` sorts them.
_BUFFER, _CANDIDATES = 0, FEATURES
_DEMAND = _CANDIDATES + PLACES * TRAITS
_LOOKAHEAD = _DEMAND + CELLS
_MEMORY = _LOOKAHEAD + AHEAD * OUTLINE

#: Groups of `info`.
INFO_NAMES = {"reward_terms": ("overflow",), "signals": ("height", "capacity", "lower_bound")}

_F8, _F4, _I8, _I4, _I1 = np.float64, np.float32, np.int64, np.int32, np.int8


@functools.cache
def layout(size: int) -> tuple[np.dtype[np.void], np.dtype[np.void]]:
    """Return the records of an instance and of a state with room for ``size`` buffers.

    Sizes are powers of two, so that Numba compiles once for many instances.
    """
    instance = np.dtype(
        [
            ("buffers", _I8),
            ("capacity", _I8),
            ("bound", _I8),  # the most bytes that are live at a time
            ("begin", _I8),  # of the first lifetime
            ("end", _I8),  # of the last one
            ("order", _I8),  # one of `ORDERS`
            ("is_given", _I8),  # the buffers follow; otherwise each episode draws its own
            ("temporal", _F8),  # share of the cuts that divide lifetimes
            ("lower", _I8, (size,)),
            ("upper", _I8, (size,)),
            ("size", _I8, (size,)),
        ],
        align=True,
    )
    state = state_dtype(
        ("placed", _I8),  # buffers that have a place
        ("height", _I8),  # of the packing
        ("places", _I8),  # how many the next buffer has
        # Buffers, by number
        ("lower", _I8, (size,)),
        ("upper", _I8, (size,)),
        ("size", _I8, (size,)),
        ("cut", _I8, (size,)),  # offset where it was cut out; -1 where nobody knows
        ("offset", _I8, (size,)),  # where it has been placed
        ("turn", _I4, (size,)),  # numbers in the order in which they come
        ("stack", _I4, (size,)),  # numbers of those placed, by offset
        # Places of the next buffer, by offset
        ("place", _I8, (PLACES,)),
        ("spare", _I8, (PLACES,)),  # what would remain of the gap
        ("is_top", _I1, (PLACES,)),  # the buffer would hang from the gap's upper end
        ("below", _I8, (PLACES,)),  # time during which it would touch what is below
        ("above", _I8, (PLACES,)),
        # What the observation shows of the past and of the future
        ("memory", _F4, (CELLS, CELLS)),  # share of each cell that is occupied, offset by time
        ("demand", _F8, (CELLS,)),  # size of what is still to be placed, by time, over the capacity
    )
    return instance, state


# ------------------------------------------------------------------------------------------------------ instances


@jit
def cut(p: Record, s: Record, rng: Array) -> None:
    """Cut a rectangle of `CAPACITY` by `DURATION` into buffers.

    The piece to cut is drawn in proportion to its area, the line uniformly.
    """
    s.lower[0], s.upper[0], s.size[0], s.cut[0] = 0, DURATION, CAPACITY, 0
    count = 1
    while count < p.buffers:
        left = uniform(rng) * (CAPACITY * DURATION)
        piece = 0
        while piece < count - 1 and left >= s.size[piece] * (s.upper[piece] - s.lower[piece]):
            left -= s.size[piece] * (s.upper[piece] - s.lower[piece])
            piece += 1
        life, size = s.upper[piece] - s.lower[piece], s.size[piece]
        is_temporal = uniform(rng) < p.temporal
        if life == 1 and size == 1:
            continue
        s.lower[count], s.upper[count] = s.lower[piece], s.upper[piece]
        s.size[count], s.cut[count] = size, s.cut[piece]
        if size == 1 or (is_temporal and life > 1):
            line = 1 + integer(rng, life - 1)
            s.upper[piece] = s.lower[piece] + line
            s.lower[count] = s.upper[piece]
        else:
            line = 1 + integer(rng, size - 1)
            s.size[piece] = line
            s.size[count] = size - line
            s.cut[count] += line
        count += 1


@jit
def rank(p: Record, s: Record, b: int) -> tuple[int, int]:
    """Return what decides when a buffer comes: the smaller, the sooner."""
    life, size = s.upper[b] - s.lower[b], s.size[b]
    if p.order == SIZE:
        return -size, -life
    if p.order == LIFETIME:
        return -life, -size
    if p.order == AREA:
        return -size * life, -size
    if p.order == START:
        return s.lower[b], -size
    return b, 0


@jit
def line_up(p: Record, s: Record) -> None:
    """Put the buffers in order."""
    for b in range(p.buffers):
        i = b
        while i > 0 and rank(p, s, s.turn[i - 1]) > rank(p, s, b):
            s.turn[i] = s.turn[i - 1]
            i -= 1
        s.turn[i] = b


# -------------------------------------------------------------------------------------------------------- packing


@jit
def meet(s: Record, b: int, other: int) -> int:
    """Return how long two buffers live at the same time; 0 or less: they do not."""
    return min(s.upper[b], s.upper[other]) - max(s.lower[b], s.lower[other])


@jit
def offer(s: Record, offset: int, spare: int, is_top: int) -> None:
    """Add a place, if there is room in the list."""
    if s.places < PLACES:
        s.place[s.places], s.spare[s.places], s.is_top[s.places] = offset, spare, is_top
        s.places += 1


@jit
def find(p: Record, s: Record) -> None:
    """List the places of the next buffer: both ends of each gap that holds it, from low offsets to high ones."""
    s.places = 0
    if s.placed == p.buffers:
        return
    b = s.turn[s.placed]
    life, size = s.upper[b] - s.lower[b], s.size[b]
    free = 0
    for i in range(s.placed):
        other = s.stack[i]
        if meet(s, b, other) > 0:
            spare = s.offset[other] - free - size
            if spare >= 0:
                offer(s, free, spare, 0)
            if spare > 0:
                offer(s, free + spare, spare, 1)
            free = max(free, s.offset[other] + s.size[other])
    # The last gap ends at the capacity; if that is too low, it does not end.
    spare = p.capacity - free - size
    offer(s, free, spare if spare >= 0 else p.capacity, 0)
    if spare > 0:
        offer(s, free + spare, spare, 1)
    for k in range(s.places):
        s.below[k] = life if s.place[k] == 0 else 0
        s.above[k] = life if s.place[k] + size == p.capacity else 0
    for i in range(s.placed):
        other = s.stack[i]
        shared = meet(s, b, other)
        if shared > 0:
            for k in range(s.places):
                if s.offset[other] + s.size[other] == s.place[k]:
                    s.below[k] += shared
                if s.offset[other] == s.place[k] + size:
                    s.above[k] += shared


@jit
def share(cell: int, low: float, high: float) -> float:
    """Return which share of [cell, cell + 1) lies in [low, high)."""
    return min(high, cell + 1.0) - max(low, float(cell))


@jit
def ask(p: Record, s: Record, b: int, amount: float) -> None:
    """Add ``amount`` over the lifetime of a buffer to the demand."""
    scale = CELLS / (p.end - p.begin)
    low, high = (s.lower[b] - p.begin) * scale, (s.upper[b] - p.begin) * scale
    column = int(low)
    while column < high and column < CELLS:
        s.demand[column] += amount * share(column, low, high)
        column += 1


@jit
def paint(p: Record, s: Record, b: int) -> None:
    """Add a placed buffer to the image, which ends at the capacity."""
    across, up = CELLS / (p.end - p.begin), CELLS / p.capacity
    left, right = (s.lower[b] - p.begin) * across, (s.upper[b] - p.begin) * across
    bottom, top = s.offset[b] * up, (s.offset[b] + s.size[b]) * up
    row = int(bottom)
    while row < top and row < CELLS:
        column = int(left)
        while column < right and column < CELLS:
            s.memory[row, column] += share(row, bottom, top) * share(column, left, right)
            column += 1
        row += 1


@jit
def put(p: Record, s: Record, offset: int) -> None:
    """Place the next buffer."""
    b = s.turn[s.placed]
    s.offset[b] = offset
    i = s.placed
    while i > 0 and s.offset[s.stack[i - 1]] > offset:
        s.stack[i] = s.stack[i - 1]
        i -= 1
    s.stack[i] = b
    s.placed += 1
    s.height = max(s.height, offset + s.size[b])
    paint(p, s, b)
    ask(p, s, b, -s.size[b] / p.capacity)
    find(p, s)


@jit
def begin(p: Record, s: Record) -> None:
    """Start with an empty memory, and with an instance of its own where none is given."""
    if p.is_given:
        for b in range(p.buffers):
            s.lower[b], s.upper[b], s.size[b], s.cut[b] = p.lower[b], p.upper[b], p.size[b], -1
    else:
        # A stream for the episode: however much the cuts draw, the environment's own stream moves by one number.
        rng = np.zeros(3, np.uint64)
        rng[0] = np.uint64(uniform(s.rng) * 2.0**53)
        cut(p, s, rng)
    line_up(p, s)
    s.placed = s.height = 0
    s.memory[:] = 0.0
    s.demand[:] = 0.0
    for b in range(p.buffers):
        s.offset[b] = -1
        ask(p, s, b, s.size[b] / p.capacity)
    find(p, s)


# ---------------------------------------------------------------------------------------------------- observation


@jit
def portion(part: float, whole: float) -> float:
    """Return ``part / whole`` within [0, 1]."""
    return min(max(part / whole, 0.0), 1.0)


@jit
def outline(p: Record, s: Record, b: int, out: Array, i: int, column: int) -> None:
    """Write size and lifetime of a buffer into ``out[i, column:column + OUTLINE]``."""
    length = p.end - p.begin
    out[i, column] = portion(s.size[b], p.capacity)
    out[i, column + 1] = portion(s.lower[b] - p.begin, length)
    out[i, column + 2] = portion(s.upper[b] - p.begin, length)


@jit
def report(p: Record, s: Record, observation: Any, values: Array, action_mask: Array, i: int) -> None:
    """Write observation, mask and signals of row ``i``; after the last buffer there is but the image, and action 0."""
    mask, out = observation
    values[INFO + 1, i], values[INFO + 2, i], values[INFO + 3, i] = s.height, p.capacity, p.bound
    for k in range(PLACES):
        action_mask[i, k] = mask[i, k] = k < max(s.places, 1)
    for j in range(_MEMORY):
        out[i, j] = 0.0
    for row in range(CELLS):
        for column in range(CELLS):
            out[i, _MEMORY + row * CELLS + column] = min(s.memory[row, column], np.float32(1.0))
    if s.placed == p.buffers:
        return
    b = s.turn[s.placed]
    life, size, over = s.upper[b] - s.lower[b], s.size[b], max(s.height, p.capacity)
    outline(p, s, b, out, i, _BUFFER)
    out[i, _BUFFER + OUTLINE] = portion(s.placed, p.buffers)
    out[i, _BUFFER + OUTLINE + 1] = portion(s.height, p.capacity)
    out[i, _BUFFER + OUTLINE + 2] = portion(over - p.capacity, p.capacity)
    for k in range(s.places):
        column = _CANDIDATES + k * TRAITS
        out[i, column] = portion(s.place[k], p.capacity)
        out[i, column + 1] = portion(s.spare[k], p.capacity)
        out[i, column + 2] = s.is_top[k]
        out[i, column + 3] = portion(s.below[k], life)
        out[i, column + 4] = portion(s.above[k], life)
        out[i, column + 5] = portion(s.place[k] + size - over, p.capacity)
    for column in range(CELLS):
        out[i, _DEMAND + column] = portion(s.demand[column], 1.0)
    for k in range(min(AHEAD, p.buffers - s.placed - 1)):
        outline(p, s, s.turn[s.placed + 1 + k], out, i, _LOOKAHEAD + k * OUTLINE)


@jit
def reset(states: Array, rows: Array, active: Array, observation: Any, values: Array, action_mask: Array) -> None:
    """Start an episode in every active row (see `core.Problem`)."""
    for i in range(states.shape[0]):
        if active[i]:
            p, s = rows[min(i, rows.shape[0] - 1)], states[i]
            begin(p, s)
            report(p, s, observation, values, action_mask, i)


@jit
def step(
    states: Array, rows: Array, actions: Array, active: Array, observation: Any, values: Array, action_mask: Array
) -> None:
    """Place a buffer in every active row (see `core.Problem`); what the mask rules out counts as the highest place."""
    for i in range(states.shape[0]):
        if active[i]:
            p, s = rows[min(i, rows.shape[0] - 1)], states[i]
            before = max(s.height - p.capacity, 0)
            if s.places > 0:
                put(p, s, s.place[min(int(actions[i, 0]), s.places - 1)])
            added = (max(s.height - p.capacity, 0) - before) / p.capacity
            values[INFO, i] = values[REWARD, i] = 0.0 - added
            values[COST, i] = added
            values[TERMINATED, i] = s.placed == p.buffers
            values[SUCCESS, i] = s.height <= p.capacity
            report(p, s, observation, values, action_mask, i)
