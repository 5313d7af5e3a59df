"""Buffer by buffer, as compilers do it: the most valuable first, each with all its uses at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import jit
from .kernels import (
    COPY,
    DROP,
    KEEP,
    add_chunk,
    begin,
    best_fit,
    book,
    copy_start,
    hand_over_buffer,
    is_free,
    latency,
    play,
    use_fast,
    use_slow,
)

Record = Any


@jit
def total_latency(p: Record, s: Record) -> float:
    """Return the seconds that the program takes."""
    total = 0.0
    for t in range(p.instructions):
        total += latency(p, s, t)
    return total


@jit
def best_fit_for_long(p: Record, s: Record, use: int, start: int) -> int:
    """Return an offset, or -1, where the buffer of a use can stay from ``start`` on for the most uses to come."""
    b, found = p.buffer[use], -1
    while use >= 0:
        offset = best_fit(p, s, start, p.time[use], p.room[b])
        if offset < 0:
            break
        found, use = offset, p.following[use]
    return found


@jit
def place(p: Record, s: Record, b: int, actions: NDArray[np.int8]) -> None:
    """Decide about all uses of a buffer: it stays, else is copied if that is worth its stall, else is slow."""
    use = p.first[b]
    while use >= 0:
        t, chunk = p.time[use], s.chunk[b]
        actions[use] = DROP
        if s.is_dropped[b]:
            pass
        elif chunk >= 0 and is_free(p, s, chunk, s.end[chunk] + 1, t):
            actions[use] = KEEP
        elif chunk < 0 and not s.has_slow[b]:
            offset = best_fit_for_long(p, s, use, t)
            if offset >= 0:
                actions[use] = KEEP
                add_chunk(s, b, t, t, offset)
        elif s.has_slow[b]:
            start, missing = copy_start(p, s, b, t)
            is_worth_it = missing == 0.0 or (not p.is_strict and missing / p.slow_bandwidth < p.worth[use])
            offset = best_fit_for_long(p, s, use, start) if is_worth_it else -1
            if offset >= 0:
                actions[use] = COPY
                book(p, s, t - 1, start - 1, -1, p.size[b])
                s.waited[t] += missing
                add_chunk(s, b, start, t, offset)
        if actions[use] == DROP:
            s.waited[t] += use_slow(p, s, b, t)
        else:
            use_fast(p, s, use)
        s.last[b] = t
        use = p.following[use]
    if p.is_output[b] and s.chunk[b] >= 0 and not s.has_slow[b]:
        s.waited[p.instructions - 1] += hand_over_buffer(p, s, b)


@jit
def plan(
    rows: NDArray[np.void], states: NDArray[np.void], order: NDArray[np.int64], actions: NDArray[np.int8]
) -> float:
    """Place buffers in ``order``, each if that does not make the program slower.

    Args:
        rows: (1,) the packed program.
        states: (2,) records to work in.
        order: buffers.
        actions: (uses,) written: the move at each use.

    Returns:
        The program's latency in seconds, with offsets of the plan's own.
    """
    p, s, kept = rows[0], states[0:1], states[1:2]
    begin(p, s[0])
    actions[:] = DROP
    best: float = p.all_slow
    is_placed = np.zeros(p.buffers, np.bool_)
    improves = True
    while improves:
        # Fast bytes leave bandwidth idle, so that in the next round copies are possible that were not.
        improves = False
        for b in order:
            if is_placed[b]:
                continue
            kept[0] = s[0]
            place(p, s[0], b, actions)
            found = total_latency(p, s[0])
            if found < best:
                best, improves, is_placed[b] = found, True, True
            else:
                s[0] = kept[0]
                use = p.first[b]
                while use >= 0:
                    actions[use] = DROP
                    use = p.following[use]
    return best


@jit
def blocker(p: Record, s: Record, chunk: int, first: int, last: int) -> int:
    """Return the chunk that keeps ``chunk`` from staying from ``first`` to ``last``: the one placed last, or -1."""
    bottom, found = s.place[chunk], -1
    top = bottom + p.room[s.owner[chunk]]
    for other in range(s.chunks):
        if (
            other != chunk
            and s.begin[other] <= last
            and s.end[other] >= first
            and s.place[other] < top
            and s.place[other] + p.room[s.owner[other]] > bottom
        ):
            found = other
    return found


@jit
def rehearse(
    rows: NDArray[np.void], states: NDArray[np.void], rank: NDArray[np.int64], moves: NDArray[np.int8]
) -> float:
    """Play ``moves``; where the game cannot follow, give way and begin again.

    The game's offsets are not the plan's. Where a buffer cannot stay, the less important one of it and the one in its
    place gives up that stay in fast memory.

    Args:
        rows: (1,) the packed program.
        states: records of games; the first is used.
        rank: of each buffer: 0 is the most important.
        moves: (uses,) changed in place; a chunk begins at the first of the offsets there are.

    Returns:
        The latency in seconds.
    """
    p, s = rows[0], states[0]
    entry = np.zeros(p.uses, np.int64)  # of a chunk: the use that made it
    while True:
        begin(p, s)
        is_played = True
        while s.use < p.uses:
            use = s.use
            b, move = p.buffer[use], moves[use]
            chunk = s.chunk[b]
            if move == DROP or (move == KEEP and s.can_keep) or (move == COPY and s.can_copy):
                if move != DROP and (chunk < 0 or move == COPY):
                    entry[s.chunks] = use
                play(p, s, move, 0)
                continue
            if move == COPY and s.can_keep:
                moves[use] = KEEP
                continue
            if move == KEEP and s.can_copy:
                moves[use] = COPY
                continue
            # The stay that gives way: from the use that began it to the next that would begin another.
            loser = use
            if chunk >= 0:
                loser = entry[chunk]
                other = blocker(p, s, chunk, s.end[chunk] + 1, p.time[use])
                if other >= 0 and rank[s.owner[other]] > rank[b]:
                    loser = entry[other]
            while loser >= 0:
                moves[loser] = DROP
                loser = p.following[loser]
                if loser >= 0 and moves[loser] != KEEP:
                    break
            is_played = False
            break
        if is_played:
            latency: float = s.latency
            return latency
