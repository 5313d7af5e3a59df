"""Collects buffers and instructions in order, and works out live ranges and alias groups for a `Program`."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator

from .program import Buffer, Instruction, Moves, Program


class Builder:
    """Makes a `Program` step by step; a buffer is named by the index that `buffer` returns."""

    def __init__(self) -> None:
        """Begin an empty program."""
        self._buffers: list[Buffer] = []
        self._instructions: list[Instruction] = []
        self._uses: list[list[int]] = []  # by buffer: the instructions that need it
        self._loops: list[tuple[int, int]] = []  # closed loops, inner before outer: instructions [start, end)
        self._trips: list[int] = []  # of the loops that are open
        self._carried: list[set[int]] = []  # by closed loop: what one trip makes for the next
        self._shared: list[tuple[int, int]] = []  # (buffer, the older one whose place it takes if it can)
        self._updates: dict[int, tuple[int, int]] = {}  # instruction -> one such pair: it writes only a part
        self._donated: set[int] = set()

    def buffer(self, kind: str, size: int, shape: tuple[int, ...], dtype: str) -> int:
        """Add a buffer of ``size`` bytes; return its index."""
        index = len(self._buffers)
        self._buffers.append(Buffer(size, kind, False, index, (0, 0), shape, dtype))
        self._uses.append([])
        return index

    def size(self, index: int) -> int:
        """Return the size of a buffer in bytes."""
        return self._buffers[index].bytes

    def instruction(
        self,
        op: str,
        reads: Iterable[tuple[int, int]],
        writes: Iterable[tuple[int, int]],
        flops: int = 0,
        mxu: int = 0,
        runs: int = 1,
    ) -> None:
        """Add an instruction, given what one run moves and computes; it runs ``runs`` times in each trip of its loops.

        Reads of one buffer count together, at most the whole of it; a read of no bytes only keeps the buffer alive.
        """
        reads, writes = self._together(reads), self._together(writes)
        for index, _ in (*reads, *writes):
            self._uses[index].append(len(self._instructions))
        times = runs * math.prod(self._trips)
        moved = tuple((index, times * read) for index, read in reads if read)
        written = tuple((index, times * write) for index, write in writes)
        self._instructions.append(Instruction(op, moved, written, times * flops, times * mxu, times))

    def _together(self, moves: Iterable[tuple[int, int]]) -> Moves:
        total: dict[int, int] = {}
        for index, moved in moves:
            total[index] = min(total.get(index, 0) + moved, self._buffers[index].bytes)
        return tuple(total.items())

    def update(self, new: int, old: int) -> None:
        """Say that the last instruction made ``new`` by overwriting a part of ``old``.

        Where ``old`` is needed later, or is not the program's to overwrite, the instruction copies it whole instead.
        """
        self._shared.append((new, old))
        self._updates[len(self._instructions) - 1] = (new, old)

    def share(self, new: int, old: int) -> None:
        """Let ``new`` take the place of ``old``, if that is not needed any more by then."""
        self._shared.append((new, old))

    def donate(self, param: int) -> None:
        """Allow the program to overwrite a param."""
        self._donated.add(param)

    @contextlib.contextmanager
    def loop(self, trips: int) -> Iterator[set[int]]:
        """Repeat what is added within ``trips`` times; put what one trip makes for the next into the set it gives."""
        start, carried = len(self._instructions), set[int]()
        self._trips.append(trips)
        yield carried
        self._trips.pop()
        if len(self._instructions) > start:
            self._loops.append((start, len(self._instructions)))
            self._carried.append(carried)

    def build(self, name: str, source: str, outputs: Iterable[int]) -> Program:
        """Return the program, given the buffers that it hands back."""
        outputs, end = set(outputs), len(self._instructions)
        made = {index: time for time, entry in enumerate(self._instructions) for index, _ in entry.outputs}
        replaced = [{old for new, old in self._shared if new in carried} for carried in self._carried]
        live = []
        for index, uses in enumerate(self._uses):
            first = made.get(index, 0)
            last = end if index in outputs else max(uses, default=first)
            for (start, stop), carried, gone in zip(self._loops, self._carried, replaced, strict=True):
                outside = index not in made or first < start
                kept = outside and index not in gone and any(start <= time < stop for time in uses)
                if kept or index in carried:
                    last = max(last, stop - 1)
            live.append((first, last))
        roots = self._groups(made, live)
        for time, (new, old) in self._updates.items():
            if roots[new] != roots[old]:
                self._copy_whole(time, new, old)
        buffers = tuple(
            dataclasses.replace(buffer, is_output=index in outputs, alias=roots[index], live=live[index])
            for index, buffer in enumerate(self._buffers)
        )
        return Program(name, source, buffers, tuple(self._instructions))

    def _groups(self, made: dict[int, int], live: list[tuple[int, int]]) -> list[int]:
        """Return the root of each buffer's alias group: a member is made when the one before is not needed any more."""
        groups = [[index] for index in range(len(live))]
        for new, old in self._shared:
            if groups[new] is groups[old] or self._buffers[new].bytes != self._buffers[old].bytes:
                continue
            # What is given is there before the first instruction.
            members = sorted((*groups[new], *groups[old]), key=lambda index: made.get(index, -1))
            ours = all(self._buffers[index].kind == "temp" or index in self._donated for index in members)
            in_turn = all(
                live[a][1] <= made.get(b, -1) and made.get(a, -1) < made.get(b, -1)
                for a, b in zip(members, members[1:], strict=False)
            )
            if ours and in_turn:
                for index in members:
                    groups[index] = members
        return [members[0] for members in groups]

    def _copy_whole(self, time: int, new: int, old: int) -> None:
        entry = self._instructions[time]

        def whole(moves: Moves, index: int) -> Moves:
            kept = tuple(move for move in moves if move[0] != index)
            return (*kept, (index, entry.times * self._buffers[index].bytes))

        self._instructions[time] = dataclasses.replace(
            entry, inputs=whole(entry.inputs, old), outputs=whole(entry.outputs, new)
        )
