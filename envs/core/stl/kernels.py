"""Robustness of a trace while it grows, as kernels: an environment may call `start` and `advance` from its own.

Each part of a formula is a node. It keeps its values at those times that a coming sample may still change, and at
those that are still to be read, in a ring; a sample costs as many operations as there are such times. A value is kept
on three channels: the bounds of what it will be, and what it is if the trace ends here.

Where time ends after ``limit`` samples, tables tell what a node is at times of which nothing is known yet, for it may
be known already, if a window is cut there. Where time has no end, all such times are alike, and one of them is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, jit

Array = NDArray[np.float64]
#: A flattened formula: records of `NODE`, operands before what is made of them, and numbers they refer to.
Nodes = NDArray[np.void]
Program = tuple[Nodes, Array]

#: Places in a monitor's memory: samples seen, the interval's ends, and the robustness if the trace ended now.
SEEN, LOW, HIGH, NOW = 0, 1, 2, 3
HEADER = 4
#: Values of a node at each time: the bounds, and the value if the trace ended now.
CHANNELS = 3
_LOW, _HIGH, _NOW = 0, 1, 2
#: Numbers behind the ring of a node that gathers: left's minimum with `U`, what has been gathered, and the next time.
GATHERED = 3

# LEAST and MOST are over times first to last from the present, negative in the past; PAST_LEAST, PAST_MOST and
# PAST_SINCE are over all of the past.
(PREDICATE, NOT, AND, OR, IMPLIES, LEAST, MOST, UNTIL, SINCE, PAST_LEAST, PAST_MOST, PAST_SINCE) = range(12)

#: Later than any time.
NEVER = 2**40

_I8 = np.int64
#: A part of a formula.
NODE = np.dtype(
    [
        ("kind", _I8),
        ("left", _I8),  # operands
        ("right", _I8),
        ("first", _I8),  # the window
        ("last", _I8),
        ("start", _I8),  # the times at which its value is asked for
        ("stop", _I8),
        ("reach", _I8),  # its value at t is decided by sample t + reach, ...
        ("ahead", _I8),  # ... and after sample k there is nothing known of it later than k + ahead
        ("is_instant", _I8),  # made of predicates by `not and or ->`: one value that is known at once, on all channels
        ("is_single", _I8),  # whether it is asked for at one time only, and gathers its operand's values
        ("sign", _I8),  # -1 under an odd number of negations
        ("at", _I8),  # its ring in the memory
        ("mask", _I8),  # the ring's size, a power of two, less one
        ("numbers", _I8),  # predicate: constant, then signal and coefficient of each term, in `numbers`
        ("terms", _I8),
        ("unseen", _I8),  # its value by channel and time where nothing is known, in `numbers`; -1: as at the last time
        ("rest", _I8),  # is_single: what its operand's unseen values from a time on amount to
        ("limit", _I8),  # when time ends
    ]
)


@inlined
def _better(is_most: bool, x: float, y: float) -> float:
    """Return the larger or the smaller one."""
    return y if (y > x) == is_most else x


@jit
def _slide(work: Array, room: int, count: int, first: int, width: int, size: int, is_most: bool) -> None:
    """Find the minimum or maximum of the first part of ``work`` over windows; it goes to the second part.

    Window i, of ``count``, begins at ``first + i`` and ends before ``first + i + width``; what lies outside of the
    ``size`` numbers is nothing. ``work`` has four parts with room for ``room`` numbers each. The algorithm is Lemire's
    ("Streaming maximum-minimum filter using no more than three comparisons per element", Nordic Journal of Computing
    13, 2006).
    """
    places, values = 2 * room, 3 * room
    head, tail, at = 0, 0, 0
    for i in range(count):
        while at < min(size, first + i + width):
            value = work[at]
            while tail > head and (value >= work[values + tail - 1]) == is_most:
                tail -= 1
            work[places + tail], work[values + tail] = at, value
            tail += 1
            at += 1
        while head < tail and work[places + head] < first + i:
            head += 1
        work[room + i] = work[values + head] if head < tail else (-np.inf if is_most else np.inf)


@inlined
def _instant(nodes: Nodes, numbers: Array, memory: Array, node: Any, k: int, sample: Array) -> float:
    """Return the value at ``k`` of what is made of predicates by ``not and or ->``."""
    kind = node.kind
    if kind == PREDICATE:
        at = node.numbers
        value = numbers[at + 2] * sample[int(numbers[at + 1])]
        for i in range(1, node.terms):
            value += numbers[at + 2 * i + 2] * sample[int(numbers[at + 2 * i + 1])]
        return value + numbers[at]
    left = memory[nodes[node.left].at + (k & nodes[node.left].mask)]
    if kind == NOT:
        return -left
    right = memory[nodes[node.right].at + (k & nodes[node.right].mask)]
    if kind == AND:
        return min(left, right)
    return max(-left if kind == IMPLIES else left, right)


@jit
def _fetch(
    nodes: Nodes, numbers: Array, memory: Array, index: int, begin: int, end: int, channel: int, k: int, work: Array,
    at: int,
) -> None:  # fmt: skip
    """Write the values of a node at times ``begin`` to ``end`` into ``work`` from place ``at`` on."""
    node = nodes[index]
    ring, mask = node.at, node.mask
    at -= begin
    if node.is_instant:
        for t in range(begin, min(end, k) + 1):
            work[at + t] = memory[ring + (t & mask)]
        unknown = -np.inf if (channel == _LOW) == (node.sign > 0) else np.inf
        for t in range(max(begin, k + 1), end + 1):
            work[at + t] = unknown
        return
    ring += channel * (mask + 1)
    known = k + node.ahead
    for t in range(begin, min(end, known) + 1):
        work[at + t] = memory[ring + (t & mask)]
    if node.unseen >= 0:
        unseen = node.unseen + channel * (node.stop - node.start + 1) - node.start
        for t in range(max(begin, known + 1), end + 1):
            work[at + t] = numbers[unseen + t]
    else:
        for t in range(max(begin, known + 1), end + 1):
            work[at + t] = memory[ring + (max(known, node.start) & mask)]


@jit
def _push(nodes: Nodes, memory: Array, node: Any, k: int, begin: int, end: int) -> None:
    """Find a minimum or maximum over values that are known at once: the new one is pushed into the windows it is in."""
    operand = nodes[node.left]
    is_most, unknown = node.kind == MOST, node.sign * np.inf
    is_asked = operand.start <= k <= operand.stop
    value = memory[operand.at + (k & operand.mask)] if is_asked else 0.0
    for t in range(begin, end + 1):
        first, last = max(0, t + node.first), min(t + node.last, node.limit - 1)
        place, stride = node.at + (t & node.mask), node.mask + 1
        if k == 0 or t >= k + node.ahead:  # so far nothing was known of it
            gathered = -np.inf if is_most else np.inf
        else:
            gathered = memory[place + _NOW * stride]
        if first <= k <= last:
            gathered = _better(is_most, gathered, value)
        is_open = first <= last and k < last
        memory[place] = _better(is_most, gathered, -unknown) if is_open else gathered
        memory[place + stride] = _better(is_most, gathered, unknown) if is_open else gathered
        memory[place + _NOW * stride] = gathered


@jit
def _combine(nodes: Nodes, memory: Array, node: Any) -> None:
    """Find ``not and or ->`` where it is asked for at one time only."""
    left, right, t = nodes[node.left], nodes[node.right], node.start
    for channel in range(CHANNELS):
        one = memory[left.at + (0 if left.is_instant else channel * (left.mask + 1)) + (t & left.mask)]
        other = memory[right.at + (0 if right.is_instant else channel * (right.mask + 1)) + (t & right.mask)]
        if node.kind == NOT:
            value = -one
        elif node.kind == AND:
            value = min(one, other)
        else:
            value = max(-one if node.kind == IMPLIES else one, other)
        memory[node.at + channel] = value


@jit
def _gather(nodes: Nodes, numbers: Array, memory: Array, node: Any, k: int, work: Array) -> None:
    """Find a minimum or maximum that is asked for at one time only: what is decided is gathered once and for all."""
    operand = nodes[node.left]
    is_most = node.kind == MOST
    first, last = max(0, node.start + node.first), min(node.start + node.last, node.limit - 1)
    known = min(last, k + operand.ahead if node.rest >= 0 else max(k + operand.ahead, first))
    extra = node.at + CHANNELS + 1
    gathered, begin = memory[extra], int(memory[extra + 1])
    _fetch(nodes, numbers, memory, node.left, begin, known, _LOW, k, work, 0)
    decided = max(begin, min(last, k - operand.reach) + 1)
    for t in range(begin, decided):
        gathered = _better(is_most, gathered, work[t - begin])
    memory[extra], memory[extra + 1] = gathered, decided
    for channel in range(CHANNELS):
        end = min(known, k) if channel == _NOW else known
        _fetch(nodes, numbers, memory, node.left, decided, end, channel, k, work, 0)
        value = gathered
        for i in range(end - decided + 1):
            value = _better(is_most, value, work[i])
        unseen = max(known + 1, first)
        if channel != _NOW and node.rest >= 0 and unseen <= last:
            value = _better(is_most, value, numbers[node.rest + channel * (last - first + 1) + unseen - first])
        memory[node.at + channel] = value


@jit
def _gather_until(nodes: Nodes, numbers: Array, memory: Array, node: Any, k: int, work: Array, room: int) -> None:
    """Find ``left U right`` that is asked for at one time only, as `_gather` does."""
    left, right = nodes[node.left], nodes[node.right]
    first, last = node.start + node.first, min(node.start + node.last, node.limit - 1)
    known = k + max(left.ahead, right.ahead)
    known = min(last, known if node.rest >= 0 else max(known, node.start, first))
    extra = node.at + CHANNELS
    held, best, begin = memory[extra], memory[extra + 1], int(memory[extra + 2])
    for channel in range(CHANNELS):
        end = min(known, k) if channel == _NOW else known
        _fetch(nodes, numbers, memory, node.left, begin, end, channel, k, work, 0)
        _fetch(nodes, numbers, memory, node.right, begin, end, channel, k, work, room)
        held_now, best_now = held, best
        for t in range(begin, end + 1):
            if t >= first:
                best_now = max(best_now, min(held_now, work[room + t - begin]))
            held_now = min(held_now, work[t - begin])
            if channel == _LOW and t <= k - max(left.reach, right.reach):
                memory[extra], memory[extra + 1], memory[extra + 2] = held_now, best_now, t + 1
        unseen = max(known + 1, node.start)
        if channel != _NOW and node.rest >= 0 and unseen <= last:
            rest = numbers[node.rest + channel * (last - node.start + 1) + unseen - node.start]
            best_now = max(best_now, min(held_now, rest))
        memory[node.at + channel] = best_now


@jit
def _walk(work: Array, room: int, at: int, end: int, first: int) -> float:
    """Return ``left U right`` at place ``at`` of ``work``, or ``left S right`` if ``end`` lies before it."""
    direction = 1 if end >= at else -1
    held, best = np.inf, -np.inf
    for i in range((end - at) * direction + 1):
        if best >= held:
            break
        place = at + i * direction
        if i >= first:
            best = max(best, min(held, work[room + place]))
        held = min(held, work[place])
    return best


@jit
def _propagate(
    nodes: Nodes, numbers: Array, memory: Array, node: Any, k: int, begin: int, end: int, work: Array, room: int
) -> None:
    """Find a node's values at times ``begin`` to ``end``; on the channel `NOW` there are none after ``k``."""
    kind = node.kind
    stride = node.mask + 1
    for channel in range(CHANNELS):
        ring = node.at + channel * stride
        end = min(end, k) if channel == _NOW else end
        if begin > end:
            break
        # The times at which operands are looked at. Later than `far`, they have but one value each.
        low, high = begin, end
        far = k if channel == _NOW else node.limit - 1
        if kind == LEAST or kind == MOST or kind == UNTIL:
            low = max(0, begin + min(node.first, 0)) if kind == UNTIL else max(0, begin + node.first)
            high = min(end + node.last, far)
            if node.unseen < 0 and channel != _NOW:
                ahead = max(nodes[node.left].ahead, nodes[node.right].ahead)
                high = min(high, max(k + ahead, nodes[node.left].start, end + node.first))
        elif kind == SINCE:
            low = max(0, begin - node.last)
        _fetch(nodes, numbers, memory, node.left, low, high, channel, k, work, 0)
        if kind == LEAST or kind == MOST:
            width = node.last - node.first + 1
            _slide(work, room, end - begin + 1, begin + node.first - low, width, high - low + 1, kind == MOST)
            for t in range(begin, end + 1):
                memory[ring + (t & node.mask)] = work[room + t - begin]
            continue
        if kind != NOT and kind != PAST_LEAST and kind != PAST_MOST:
            _fetch(nodes, numbers, memory, node.right, low, high, channel, k, work, room)
        for t in range(begin, end + 1):
            place = t - low
            left, right = work[place], work[room + place]
            if kind == NOT:
                value = -left
            elif kind == AND:
                value = min(left, right)
            elif kind == OR:
                value = max(left, right)
            elif kind == IMPLIES:
                value = max(-left, right)
            elif kind == UNTIL:
                value = _walk(work, room, place, min(t + node.last, high) - low, node.first)
            elif kind == SINCE:
                value = _walk(work, room, place, max(0, t - node.last) - low, node.first)
            else:
                value = right if kind == PAST_SINCE else left
                if t > 0:
                    before = memory[ring + ((t - 1) & node.mask)]
                    if kind == PAST_SINCE:
                        value = max(right, min(left, before))
                    else:
                        value = _better(kind == PAST_MOST, left, before)
            memory[ring + (t & node.mask)] = value


@jit
def _advance(program: Program, memory: Array, sample: Array, work: Array) -> None:
    """Take a sample into account; ``work`` is scratch, four times as long as the program says."""
    nodes, numbers = program
    k, room = int(memory[SEEN]), len(work) // 4
    memory[SEEN] += 1.0
    top = nodes[len(nodes) - 1]
    if k > min(top.reach, top.limit - 1):
        return
    for index in range(len(nodes)):
        node = nodes[index]
        if node.is_instant:
            if node.start <= k <= node.stop:
                memory[node.at + (k & node.mask)] = _instant(nodes, numbers, memory, node, k, sample)
            continue
        begin = max(node.start, k - node.reach)
        end = min(node.stop, k + node.ahead if node.unseen >= 0 else max(k + node.ahead, node.start))
        if begin > end:
            continue
        if (node.kind == LEAST or node.kind == MOST) and nodes[node.left].is_instant:
            _push(nodes, memory, node, k, begin, end)
        elif node.kind <= IMPLIES and node.start == node.stop <= k:
            _combine(nodes, memory, node)
        elif not node.is_single:
            _propagate(nodes, numbers, memory, node, k, begin, end, work, room)
        elif node.kind == UNTIL:
            _gather_until(nodes, numbers, memory, node, k, work, room)
        else:
            _gather(nodes, numbers, memory, node, k, work)
    for channel in range(CHANNELS):
        memory[LOW + channel] = memory[top.at + (0 if top.is_instant else channel * (top.mask + 1))]


@jit
def start(program: Program, memory: Array) -> None:
    """Begin a trace.

    Args:
        program: `Monitor.program`.
        memory: shape (`Monitor.memory_size`,), overwritten.
    """
    memory[:] = 0.0
    memory[LOW], memory[HIGH] = -np.inf, np.inf
    for node in program[0]:
        if node.is_single:
            extra = node.at + CHANNELS
            memory[extra] = np.inf
            memory[extra + 1] = np.inf if node.kind == LEAST else -np.inf
            memory[extra + 2] = node.start if node.kind == UNTIL else max(0, node.start + node.first)


@jit
def advance(program: Program, memory: Array, sample: Array) -> tuple[float, float]:
    """Take the next sample into account.

    Args:
        program: `Monitor.program`.
        memory: as `start` left it, or the last call.
        sample: the signals' values in the monitor's order, shape (signals,).

    Returns:
        The bounds of the robustness at time 0, equal once it is decided; they are also in ``memory[LOW]`` and
        ``memory[HIGH]``. ``memory[NOW]`` is the robustness of the trace as if it ended here.
    """
    _advance(program, memory, sample, np.empty(4 * int(program[1][0])))
    return memory[LOW], memory[HIGH]


@jit
def start_many(program: Program, memories: Array, active: NDArray[np.bool_]) -> None:
    """Begin traces in those rows of ``memories``, shape (N, `Monitor.memory_size`), where ``active`` is true."""
    for i in range(len(memories)):
        if active[i]:
            start(program, memories[i])


@jit
def advance_many(program: Program, memories: Array, samples: Array, active: NDArray[np.bool_]) -> None:
    """Take the samples, shape (N, signals), into account in those rows where ``active`` is true."""
    work = np.empty(4 * int(program[1][0]))
    for i in range(len(memories)):
        if active[i]:
            _advance(program, memories[i], samples[i], work)
