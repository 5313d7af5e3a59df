"""Instances: a program on a chip, packed into the record that the kernels read."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from . import kernels as k
from .params import Chip
from .program import Program

#: Smaller buffers stay in slow memory, and nobody decides about them (bytes).
SMALLEST = 4096


def size_class(program: Program) -> int:
    """Return the room that a program takes in the records: 256, 1024, 4096, ..., see `kernels.layout`."""
    uses = sum(len(instruction.inputs) + len(instruction.outputs) for instruction in program.instructions)
    needed = max(len(program.buffers), len(program.instructions), -(-uses // 4))
    size = 256
    while size < needed:
        size *= 4
    return size


def pack(
    program: Program,
    chip: Chip,
    *,
    size: int | None = None,
    strict_bandwidth: bool = False,
    is_considerate: bool = False,
    choices: int = 1,
    is_whole: bool = False,
) -> NDArray[np.void]:
    """Return the record that the kernels read, shape ().

    Args:
        program: its bytes as they are on the chip.
        chip: the chip.
        size: room of the record; the program's `size_class`, if None.
        strict_bandwidth: whether a copy is illegal that idle bandwidth does not cover.
        is_considerate: whether offsets are chosen beside what is going to be used again.
        choices: offsets that the player may choose among.
        is_whole: whether the observation has all its parts.

    Raises:
        ValueError: no buffer of the program could be in fast memory.
    """
    size = size_class(program) if size is None else size
    row = np.zeros((), k.layout(size)[0])
    roots = [buffer.alias for buffer in program.buffers]
    members: dict[int, list[int]] = defaultdict(list)
    for buffer, root in enumerate(roots):
        members[root].append(buffer)
    for root, group in members.items():
        largest = max(program.buffers[member].bytes for member in group)
        row["size"][root] = largest
        row["room"][root] = -(-largest // chip.alignment) * chip.alignment
        row["is_given"][root] = any(program.buffers[member].kind != "temp" for member in group)
        row["is_output"][root] = any(program.buffers[member].is_output for member in group)
        row["is_shared"][root] = len(group) > 1
    may_be_fast = (row["size"] >= SMALLEST) & (row["room"] <= chip.capacity)

    uses = 0
    for t, instruction in enumerate(program.instructions):
        # The vector unit works beside the matrix unit.
        vector = instruction.flops - instruction.mxu
        row["compute"][t] = max(instruction.mxu / chip.matrix_rate, vector / chip.vector_rate)
        for is_written, moves in ((False, instruction.inputs), (True, instruction.outputs)):
            moved: dict[int, int] = defaultdict(int)
            for buffer, count in moves:
                moved[buffer] += count
                row["slow"][t] += count
            for buffer, count in moved.items():
                if may_be_fast[roots[buffer]]:
                    row["time"][uses], row["buffer"][uses] = t, roots[buffer]
                    row["is_written"][uses], row["bytes"][uses] = is_written, count
                    uses += 1
    if uses == 0:
        raise ValueError(
            f"Nothing to decide: no buffer of {program.name} has between {SMALLEST} and {chip.capacity} bytes."
        )

    row["instructions"], row["uses"], row["buffers"] = len(program.instructions), uses, len(program.buffers)
    row["slow_bandwidth"], row["fast_bandwidth"] = chip.slow_bandwidth, chip.fast_bandwidth
    row["capacity"], row["is_strict"], row["is_whole"] = chip.capacity, strict_bandwidth, is_whole
    row["is_considerate"], row["choices"] = is_considerate, choices
    slowest = np.maximum(row["compute"], row["slow"] / chip.slow_bandwidth)
    row["all_slow"] = slowest.sum()

    time, fast = row["time"][:uses], row["bytes"][:uses]
    mixed = fast / chip.fast_bandwidth + (row["slow"][time] - fast) / chip.slow_bandwidth
    row["benefit"][:uses] = slowest[time] - np.maximum(row["compute"][time], mixed)
    upcoming = np.full(size, -1)
    worth, remaining = np.zeros(size), np.zeros(size)
    for use in reversed(range(uses)):
        buffer = int(row["buffer"][use])
        worth[buffer] += row["benefit"][use]
        remaining[buffer] += 1
        row["following"][use], row["worth"][use] = upcoming[buffer], worth[buffer]
        row["remaining"][use] = remaining[buffer]
        upcoming[buffer] = use
    row["first"] = upcoming

    distance = np.arange(size)
    # Near times have columns of their own; the farthest are in the outermost columns.
    scaled = np.log1p(distance) / np.log1p(max(len(program.instructions) - 1, 1)) * (k.PAST - 1)
    row["column"] = np.minimum(np.maximum(scaled, np.minimum(distance, 1)), k.PAST - 1).astype(np.int32)
    return row
