"""The game: one buffer use after the other, in the order of the program, and where it finds its bytes.

Time is the index of an instruction. An instruction that computes for c seconds, and moves f bytes from and to the fast
memory (bandwidth F) and s bytes from and to the slow one (bandwidth S), takes ::

    L = max(c, f / F + s / S) + stall.

While it runs the slow memory could move S max(c, f / F + s / S) - s bytes more: copies live on that, and so never
lengthen an instruction. What they cannot move in time is a stall. Every move decides about one use of one buffer, and
everything before it is decided; so only the latency of the instruction at hand changes, and more bytes in fast memory
never make an earlier copy illegal.

A buffer's stay in fast memory is a chunk: an offset and an interval of time. Chunks never overlap. Members of an alias
group are one buffer here.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import COST, INFO, REWARD, TERMINATED, integer, jit, state_dtype

Array = NDArray[Any]
Record = Any

KEEP, COPY, DROP = 0, 1, 2
#: Offsets that a player may choose among.
CHOICES = 8

#: Cells of the observation's image along time and offset, features of a use and of a gap, and uses seen ahead.
CELLS, FEATURES, GAP_FEATURES, AHEAD = 64, 16, 3, 16
#: Columns of the image up to the present instruction.
PAST = 48
# Where the parts of the whole observation begin: bandwidth, buffer, (gaps), lookahead, memory, as a `spaces.Dict` sorts
# them.
_BANDWIDTH, _BUFFER = 0, CELLS

#: Groups of `info`.
INFO_NAMES = {
    "reward_terms": ("access", "copy", "write_back"),
    "signals": ("latency", "speedup", "instruction", "worth", "stall", "program"),
}

_F8, _I8, _I4, _I1 = np.float64, np.int64, np.int32, np.int8


@functools.cache
def layout(size: int) -> tuple[np.dtype[np.void], np.dtype[np.void]]:
    """Return the records of a program and of a game.

    Args:
        size: room for that many instructions and buffers, and four times as many uses. There are few sizes, so that
            Numba compiles once for many programs.
    """
    uses = 4 * size
    program = np.dtype(
        [
            ("instructions", _I8),
            ("uses", _I8),
            ("buffers", _I8),
            ("slow_bandwidth", _F8),
            ("fast_bandwidth", _F8),
            ("capacity", _I8),
            ("is_strict", _I8),  # a copy that would stall is illegal
            ("is_considerate", _I8),  # offsets are chosen beside what is going to be used again
            ("choices", _I8),  # offsets that the player may choose among: 1 or `CHOICES`
            ("is_whole", _I8),  # the observation has image, bandwidth and lookahead
            ("all_slow", _F8),  # latency without fast memory, s
            ("compute", _F8, (size,)),  # of each instruction, s
            ("slow", _F8, (size,)),  # its bytes, if all are slow
            ("time", _I4, (uses,)),  # of each use: its instruction
            ("buffer", _I4, (uses,)),
            ("is_written", _I1, (uses,)),
            ("bytes", _F8, (uses,)),
            ("following", _I4, (uses,)),  # the buffer's next use, or -1
            ("remaining", _F8, (uses,)),  # uses of the buffer from here on
            ("benefit", _F8, (uses,)),  # seconds that the instruction saves if this use alone is fast
            ("worth", _F8, (uses,)),  # the same, summed over the remaining uses
            ("size", _F8, (size,)),  # of a buffer
            ("room", _I8, (size,)),  # that it takes: its size, aligned
            ("is_given", _I1, (size,)),  # it lies in slow memory before the program begins
            ("is_output", _I1, (size,)),
            ("is_shared", _I1, (size,)),  # it stands for an alias group
            ("first", _I4, (size,)),  # use of a buffer
            ("column", _I4, (size,)),  # of the image, at that distance in time
        ],
        align=True,
    )
    game = state_dtype(
        ("program", _I8),  # which of the environment's
        ("use", _I8),  # the next to be decided
        ("chunks", _I8),
        ("latency", _F8),
        # What the next move could do
        ("can_keep", _I1),
        ("can_copy", _I1),
        ("offsets", _I8),  # how many there are
        ("offset", _I8, (CHOICES,)),
        ("gap", _I8, (CHOICES,)),  # bytes that are free there
        ("start", _I4),  # when the chunk, or the copy into it, begins
        ("stall", _F8),  # bytes that the copy there, or back at the program's end, could not move in time
        # Instructions
        ("slow", _F8, (size,)),  # bytes
        ("fast", _F8, (size,)),
        ("copied", _F8, (size,)),
        ("waited", _F8, (size,)),  # stalls, in bytes of the slow memory
        # Buffers
        ("chunk", _I4, (size,)),  # where it is in fast memory, or -1
        ("last", _I4, (size,)),  # the instruction that used it last, or -1
        ("upcoming", _I4, (size,)),  # its next use, or -1
        ("has_slow", _I1, (size,)),
        ("is_dropped", _I1, (size,)),  # an alias group that was dropped stays in slow memory
        # Chunks, and their order by offset
        ("order", _I4, (uses,)),
        ("owner", _I4, (uses,)),
        ("begin", _I4, (uses,)),
        ("end", _I4, (uses,)),
        ("place", _I8, (uses,)),
    )
    return program, game


# ------------------------------------------------------------------------------------------------------- latency


@jit
def base_latency(p: Record, t: int, fast: float, slow: float) -> float:
    """Seconds that instruction ``t`` takes without stalls if it moves so many bytes."""
    return max(p.compute[t], fast / p.fast_bandwidth + slow / p.slow_bandwidth)


@jit
def latency(p: Record, s: Record, t: int) -> float:
    """Seconds that instruction ``t`` takes."""
    return base_latency(p, t, s.fast[t], s.slow[t]) + s.waited[t] / p.slow_bandwidth


@jit
def idle(p: Record, s: Record, t: int) -> float:
    """Bytes that the slow memory could move during instruction ``t`` besides what it does."""
    spare = p.slow_bandwidth * base_latency(p, t, s.fast[t], s.slow[t]) - s.slow[t] - s.copied[t]
    return max(spare, 0.0)


# -------------------------------------------------------------------------------------------------------- chunks


@jit
def find_gaps(p: Record, s: Record, begin: int, end: int, room: int, is_considerate: bool, most: int) -> int:
    """Note the offsets of the smallest gaps that hold ``room`` bytes from ``begin`` to ``end``; return their number.

    ``is_considerate``: what lies in fast memory and will be used again counts up to that use; ``most``: to be noted.
    """
    count, free = 0, 0
    for i in range(s.chunks + 1):
        bottom, top = p.capacity, p.capacity
        if i < s.chunks:
            chunk = s.order[i]
            owner, last = s.owner[chunk], s.end[chunk]
            if is_considerate and s.chunk[owner] == chunk and s.upcoming[owner] >= 0:
                last = max(last, p.time[s.upcoming[owner]])
            if s.begin[chunk] > end or last < begin:
                continue
            bottom = s.place[chunk]
            top = bottom + p.room[owner]
        gap = bottom - free
        if gap >= room and (count < most or gap < s.gap[count - 1]):
            count = min(count + 1, most)
            k = count - 1
            while k > 0 and gap < s.gap[k - 1]:
                s.offset[k], s.gap[k] = s.offset[k - 1], s.gap[k - 1]
                k -= 1
            s.offset[k], s.gap[k] = free, gap
        free = max(free, top)
    return count


@jit
def best_fit(p: Record, s: Record, begin: int, end: int, room: int) -> int:
    """Return the offset of the smallest gap that holds ``room`` bytes from ``begin`` to ``end``, or -1."""
    return s.offset[0] if find_gaps(p, s, begin, end, room, False, 1) > 0 else -1


@jit
def find_offsets(p: Record, s: Record, begin: int, end: int, room: int) -> bool:
    """Note where a new chunk may lie, best fit first, and at first beside what will be used again; False: nowhere."""
    s.offsets = find_gaps(p, s, begin, end, room, True, p.choices) if p.is_considerate else 0
    if s.offsets == 0:
        s.offsets = find_gaps(p, s, begin, end, room, False, p.choices)
    return s.offsets > 0


@jit
def is_free(p: Record, s: Record, chunk: int, begin: int, end: int) -> bool:
    """Return whether ``chunk`` could stay from ``begin`` to ``end``."""
    bottom = s.place[chunk]
    top = bottom + p.room[s.owner[chunk]]
    for i in range(s.chunks):
        other = s.order[i]
        if s.place[other] >= top:
            break
        if (
            other != chunk
            and s.begin[other] <= end
            and s.end[other] >= begin
            and s.place[other] + p.room[s.owner[other]] > bottom
        ):
            return False
    return True


@jit
def add_chunk(s: Record, buffer: int, begin: int, end: int, offset: int) -> None:
    """Give ``buffer`` a place in fast memory."""
    chunk = s.chunks
    s.owner[chunk], s.begin[chunk], s.end[chunk], s.place[chunk] = buffer, begin, end, offset
    i = chunk
    while i > 0 and s.place[s.order[i - 1]] > offset:
        s.order[i] = s.order[i - 1]
        i -= 1
    s.order[i] = chunk
    s.chunk[buffer] = chunk
    s.chunks += 1


# --------------------------------------------------------------------------------------------------------- moves


@jit
def unmoved(p: Record, s: Record, wanted: float, first: int, end: int) -> float:
    """Return what idle bandwidth from instruction ``first`` to before ``end`` leaves of ``wanted`` bytes."""
    for t in range(first, end):
        wanted -= idle(p, s, t)
    return max(wanted, 0.0)


@jit
def copy_start(p: Record, s: Record, b: int, t: int) -> tuple[int, float]:
    """Return when a copy for instruction ``t`` begins at the latest, and the bytes that idle bandwidth then leaves."""
    start, missing = t, p.size[b]
    while missing > 0.0 and start > s.last[b] + 1:
        start -= 1
        missing -= idle(p, s, start)
    return start, max(missing, 0.0)


@jit
def prepare(p: Record, s: Record) -> None:
    """Find out what the next move could do."""
    use = s.use
    b, t = p.buffer[use], p.time[use]
    chunk = s.chunk[b]
    s.can_keep = s.can_copy = s.offsets = 0
    s.stall = 0.0
    if s.is_dropped[b]:
        return
    if chunk >= 0:
        s.can_keep = t <= s.end[chunk] or is_free(p, s, chunk, s.end[chunk] + 1, t)
        s.offsets, s.offset[0], s.gap[0], s.start = 1, s.place[chunk], p.room[b], s.begin[chunk]
    elif not s.has_slow[b]:
        # It comes into being here.
        s.can_keep, s.start = find_offsets(p, s, t, t, p.room[b]), t
    if s.can_keep and p.is_output[b] and p.is_written[use] and p.following[use] < 0:
        # It will have to be written back.
        s.stall = unmoved(p, s, p.size[b], t + 1, p.instructions)
    if s.can_keep or not s.has_slow[b]:
        return
    start, missing = copy_start(p, s, b, t)
    if missing > 0.0 and p.is_strict:
        return
    if find_offsets(p, s, start, t, p.room[b]):
        s.can_copy, s.start, s.stall = 1, start, missing


@jit
def book(p: Record, s: Record, first: int, end: int, step: int, wanted: float) -> float:
    """Move ``wanted`` bytes in the idle bandwidth of instructions from ``first`` to before ``end``; return the rest."""
    for t in range(first, end, step):
        moved = min(idle(p, s, t), wanted)
        s.copied[t] += moved
        wanted -= moved
        if wanted <= 0.0:
            return 0.0
    return wanted


@jit
def write_back(p: Record, s: Record, b: int, limit: int) -> float:
    """Bring a buffer that is in fast memory alone to slow memory before instruction ``limit``.

    Returns:
        The bytes of a stall: all of them, if idle bandwidth and room do not suffice.
    """
    chunk, size = s.chunk[b], p.size[b]
    first = s.last[b] + 1
    end, missing = first, size
    while missing > 0.0 and end < limit:
        missing -= idle(p, s, end)
        end += 1
    s.has_slow[b] = 1
    if missing > 0.0 or not is_free(p, s, chunk, first, end - 1):
        return size
    book(p, s, first, end, 1, size)
    s.end[chunk] = max(s.end[chunk], end - 1)
    return 0.0


@jit
def use_slow(p: Record, s: Record, b: int, t: int) -> float:
    """Use a buffer in slow memory, where it is written back to if need be; return the bytes of the stall."""
    stall = write_back(p, s, b, t) if s.chunk[b] >= 0 and not s.has_slow[b] else 0.0
    s.chunk[b] = -1
    s.has_slow[b] = 1
    s.is_dropped[b] = p.is_shared[b]
    return stall


@jit
def use_fast(p: Record, s: Record, use: int) -> None:
    """Move the bytes of a use, whose buffer has a chunk, from and to fast memory."""
    b, t = p.buffer[use], p.time[use]
    chunk = s.chunk[b]
    s.end[chunk] = max(s.end[chunk], t)
    s.slow[t] -= p.bytes[use]
    s.fast[t] += p.bytes[use]
    if p.is_written[use]:
        s.has_slow[b] = 0


@jit
def make_move(p: Record, s: Record, move: int, choice: int) -> tuple[float, float]:
    """Make a legal move; return the seconds of the stalls it makes: for copies in, and for copies back."""
    use = s.use
    b, t = p.buffer[use], p.time[use]
    copied, returned = 0.0, 0.0
    if move == DROP:
        returned = use_slow(p, s, b, t)
    else:
        if move == COPY:
            book(p, s, t - 1, s.start - 1, -1, p.size[b])
            copied = s.stall
        if s.chunk[b] < 0 or move == COPY:
            add_chunk(s, b, s.start, t, s.offset[choice])
        use_fast(p, s, use)
    s.waited[t] += copied + returned
    s.last[b], s.upcoming[b] = t, p.following[use]
    s.use += 1
    return copied / p.slow_bandwidth, returned / p.slow_bandwidth


@jit
def hand_over_buffer(p: Record, s: Record, b: int) -> float:
    """Write an output back that is in fast memory alone; return the bytes that idle bandwidth does not move."""
    chunk, first = s.chunk[b], s.last[b] + 1
    end = first
    while end < p.instructions and is_free(p, s, chunk, end, end):
        end += 1
    s.end[chunk] = max(s.end[chunk], end - 1)
    s.has_slow[b] = 1
    return book(p, s, first, end, 1, p.size[b])


@jit
def hand_over(p: Record, s: Record) -> float:
    """Write back the program's outputs that are in fast memory alone; return the seconds of the stall."""
    total = 0.0
    for b in range(p.buffers):
        if p.is_output[b] and s.chunk[b] >= 0 and not s.has_slow[b]:
            total += hand_over_buffer(p, s, b)
    s.waited[p.instructions - 1] += total
    return total / p.slow_bandwidth


@jit
def play(p: Record, s: Record, move: int, choice: int) -> tuple[float, float, float]:
    """Make a legal move; return seconds saved by faster bytes, and lost by copies in and by copies back.

    ``choice``: which of the offsets, if a chunk begins.
    """
    t = p.time[s.use]
    before = base_latency(p, t, s.fast[t], s.slow[t])
    copied, returned = make_move(p, s, move, choice)
    saved = before - base_latency(p, t, s.fast[t], s.slow[t])
    if s.use == p.uses:
        returned += hand_over(p, s)
    else:
        prepare(p, s)
    s.latency -= saved - copied - returned
    return saved, copied, returned


@jit
def begin(p: Record, s: Record) -> None:
    """Start a game: everything is in slow memory, or does not exist yet."""
    s.use = s.chunks = 0
    s.latency = p.all_slow
    for t in range(p.instructions):
        s.slow[t] = p.slow[t]
        s.fast[t] = s.copied[t] = s.waited[t] = 0.0
    for b in range(p.buffers):
        s.chunk[b] = s.last[b] = -1
        s.upcoming[b] = p.first[b]
        s.has_slow[b] = p.is_given[b]
        s.is_dropped[b] = 0
    prepare(p, s)


# --------------------------------------------------------------------------------------------------- observation


@jit
def portion(part: float, whole: float) -> float:
    """Return ``part / whole`` within [0, 1]; 0 of nothing."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0.0 else 0.0


@jit
def closeness(p: Record, distance: float) -> float:
    """Map a distance in time to [0, 1], on a logarithmic scale: 1 at hand, 0 as far as the program is long."""
    return 1.0 - portion(math.log1p(distance), math.log1p(p.instructions))


@jit
def describe(p: Record, s: Record, use: int, out: Array, i: int, column: int) -> None:
    """Write the features of a use into ``out[i, column:column + FEATURES]``."""
    b, t, following = p.buffer[use], p.time[use], p.following[use]
    now = base_latency(p, t, s.fast[t], s.slow[t])
    fast = base_latency(p, t, s.fast[t] + p.bytes[use], s.slow[t] - p.bytes[use])
    out[i, column] = portion(p.size[b], p.capacity)
    out[i, column + 1] = portion(math.log2(p.size[b]), math.log2(p.capacity))
    out[i, column + 2] = portion(p.bytes[use], p.size[b])
    out[i, column + 3] = p.is_written[use]
    out[i, column + 4] = p.is_output[b]
    out[i, column + 5] = p.is_shared[b]
    out[i, column + 6] = 1.0 / p.remaining[use]
    out[i, column + 7] = closeness(p, p.time[following] - t) if following >= 0 else 0.0
    out[i, column + 8] = closeness(p, t - s.last[b]) if s.last[b] >= 0 else 0.0
    out[i, column + 9] = s.chunk[b] >= 0
    out[i, column + 10] = s.has_slow[b]
    out[i, column + 11] = portion(p.compute[t], now)
    out[i, column + 12] = portion(now - fast, now)
    out[i, column + 13] = math.sqrt(portion(p.worth[use], p.all_slow))
    out[i, column + 14] = portion(s.stall, p.size[b]) if use == s.use else 0.0
    out[i, column + 15] = closeness(p, t - p.time[s.use])


@jit
def paint(p: Record, out: Array, i: int, image: int, bottom: int, room: int, first: int, last: int) -> None:
    """Add a rectangle to the image that begins in column ``image`` of ``out``.

    It goes from ``bottom`` over ``room`` bytes, and over the image's columns from ``first`` to ``last``.
    """
    scale = CELLS / p.capacity
    low, high = bottom * scale, (bottom + room) * scale
    cell = int(low)
    while cell < high and cell < CELLS:
        share = min(high, cell + 1.0) - max(low, float(cell))
        place = image + cell * CELLS
        for column in range(first, last + 1):
            out[i, place + column] = min(out[i, place + column] + share, 1.0)
        cell += 1


@jit
def describe_gaps(p: Record, s: Record, out: Array, i: int, column: int) -> None:
    """Write the features of the offsets to choose among into ``out[i, column:]``."""
    now, room = p.time[s.use], p.room[p.buffer[s.use]]
    for k in range(s.offsets):
        nearest = p.instructions  # next use of what lies there
        for c in range(s.chunks):
            owner = s.owner[c]
            if (
                s.chunk[owner] == c
                and s.upcoming[owner] > s.use
                and s.place[c] < s.offset[k] + room
                and s.offset[k] < s.place[c] + p.room[owner]
            ):
                nearest = min(nearest, p.time[s.upcoming[owner]] - now)
        out[i, column] = portion(s.offset[k], p.capacity)
        out[i, column + 1] = portion(s.gap[k], p.capacity)
        out[i, column + 2] = closeness(p, nearest)
        column += GAP_FEATURES


@jit
def look(p: Record, s: Record, out: Array, i: int, lookahead: int) -> None:
    """Write memory, bandwidth and the uses to come into row ``i``; those begin in column ``lookahead``."""
    use = s.use
    b, now = p.buffer[use], p.time[use]
    present = PAST - 1
    for k in range(min(AHEAD, p.uses - use - 1)):
        describe(p, s, use + 1 + k, out, i, lookahead + k * FEATURES)
    memory = lookahead + AHEAD * FEATURES
    for c in range(s.chunks):
        owner = s.owner[c]
        first = present - p.column[now - s.begin[c]]
        last = present - p.column[max(now - s.end[c], 0)]
        upcoming = s.upcoming[owner]
        if s.chunk[owner] == c and upcoming >= 0:
            # What it takes to keep it until it is used again.
            last = min(present + p.column[p.time[upcoming] - now], CELLS - 1)
        if last >= 0:
            paint(p, out, i, memory, s.place[c], p.room[owner], max(first, 0), last)
    if s.can_keep or s.can_copy:
        first = max(present - p.column[now - s.start], 0)
        paint(p, out, i, memory + CELLS * CELLS, s.offset[0], p.room[b], first, present)
    # The mean idle share of the slow memory's bandwidth, by column.
    count, column, total = 0, 0, 0.0
    for t in range(p.instructions):
        distance = p.column[abs(t - now)]
        here = max(present - distance, 0) if t <= now else min(present + distance, CELLS - 1)
        if here != column:
            out[i, _BANDWIDTH + column] = total / max(count, 1)
            column, count, total = here, 0, 0.0
        count += 1
        total += portion(idle(p, s, t), p.slow_bandwidth * base_latency(p, t, s.fast[t], s.slow[t]))
    out[i, _BANDWIDTH + column] = total / max(count, 1)


@jit
def report(p: Record, s: Record, observation: Any, values: Array, action_mask: Array, i: int) -> None:
    """Write the observation, the mask and the signals of row ``i``; after the last move all zero but Drop."""
    mask, out = observation
    for k in range(out.shape[1]):
        out[i, k] = 0.0
    is_over = s.use == p.uses
    line = INFO + 3
    values[line, i], values[line + 1, i] = s.latency, p.all_slow / s.latency
    values[line + 2, i] = p.instructions if is_over else p.time[s.use]
    values[line + 3, i] = 0.0 if is_over else p.worth[s.use]
    values[line + 4, i] = 0.0 if is_over else s.stall / p.slow_bandwidth
    values[line + 5, i] = s.program
    for k in range(p.choices):
        is_there = not is_over and k < s.offsets
        action_mask[i, k] = is_there and s.can_keep
        action_mask[i, p.choices + k] = is_there and s.can_copy
    action_mask[i, 2 * p.choices] = 1
    for action in range(action_mask.shape[1]):
        mask[i, action] = action_mask[i, action]
    if is_over:
        return
    buffer = _BUFFER if p.is_whole else 0
    describe(p, s, s.use, out, i, buffer)
    following = buffer + FEATURES
    if p.choices > 1:
        describe_gaps(p, s, out, i, following)
        following += GAP_FEATURES * p.choices
    if p.is_whole:
        look(p, s, out, i, following)


@jit
def reset(states: Array, rows: Array, active: Array, observation: Any, values: Array, action_mask: Array) -> None:
    """Start a game in every active row (see `core.Problem`); ``rows`` (N or 1, K): one of K programs is drawn."""
    for i in range(states.shape[0]):
        if active[i]:
            s = states[i]
            s.program = integer(s.rng, rows.shape[1])
            p = rows[min(i, rows.shape[0] - 1), s.program]
            begin(p, s)
            report(p, s, observation, values, action_mask, i)


@jit
def step(
    states: Array, rows: Array, actions: Array, active: Array, observation: Any, values: Array, action_mask: Array
) -> None:
    """Make a move in every active row (see `core.Problem`); what the mask rules out counts as Drop."""
    for i in range(states.shape[0]):
        if active[i]:
            s = states[i]
            p = rows[min(i, rows.shape[0] - 1), s.program]
            move, choice = divmod(int(actions[i, 0]), p.choices)
            if choice >= s.offsets or (move == KEEP and not s.can_keep) or (move == COPY and not s.can_copy):
                move = DROP
            saved, copied, returned = play(p, s, move, choice)
            values[INFO, i], values[INFO + 1, i] = saved / p.all_slow, -copied / p.all_slow
            values[INFO + 2, i] = -returned / p.all_slow
            values[REWARD, i] = values[INFO, i] + values[INFO + 1, i] + values[INFO + 2, i]
            values[TERMINATED, i] = s.use == p.uses
            values[COST, i] = 0.0
            report(p, s, observation, values, action_mask, i)
