"""Instances: buffers and a capacity, in memory, as minimalloc's CSV, and as the record that the kernels read."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import kernels as k
from .params import Packing

_COLUMNS = ("id", "lower", "upper", "size")


@dataclasses.dataclass(frozen=True)
class Buffer:
    """A buffer: its lifetime, and the memory that it needs all that time."""

    id: str
    lower: int
    """When its life begins."""
    upper: int
    """When it has ended: the first moment at which its memory is free again."""
    size: int
    """In bytes, or in whatever the capacity is in."""
    offset: int | None = None
    """Where it lies, if that is known."""


@dataclasses.dataclass(frozen=True)
class Instance:
    """Buffers to be packed into a memory.

    Raises:
        ValueError: no buffers, two of one id, an empty lifetime or size, an offset below zero, or a capacity below
            what is live at a time; says which buffer.
    """

    buffers: tuple[Buffer, ...]
    capacity: int

    def __post_init__(self) -> None:
        """Check that this is an instance."""
        if not self.buffers:
            raise ValueError("An instance has at least one buffer.")
        seen = set()
        for buffer in self.buffers:
            if buffer.id in seen:
                raise ValueError(f"Two buffers have the id {buffer.id!r}.")
            seen.add(buffer.id)
            if buffer.lower >= buffer.upper:
                raise ValueError(
                    f"Buffer {buffer.id!r} lives from {buffer.lower} to {buffer.upper}: upper is the first moment "
                    "after its life, and greater than lower."
                )
            if buffer.size < 1:
                raise ValueError(f"Buffer {buffer.id!r} has size {buffer.size}: at least 1 is needed.")
            if buffer.offset is not None and buffer.offset < 0:
                raise ValueError(f"Buffer {buffer.id!r} has offset {buffer.offset}: it is at least 0.")
        if self.capacity < self.lower_bound:
            raise ValueError(
                f"No packing fits into capacity = {self.capacity}: {self.lower_bound} are live at a time. Pass that or "
                "more; capacity=None takes it."
            )

    @property
    def lower_bound(self) -> int:
        """The most that is live at a time; no packing is lower."""
        return most_live(self.buffers)

    @property
    def height(self) -> int | None:
        """How much memory the offsets take; None where one is missing."""
        tops = [buffer.offset + buffer.size for buffer in self.buffers if buffer.offset is not None]
        return max(tops) if len(tops) == len(self.buffers) else None

    @classmethod
    def from_csv(cls, source: str | os.PathLike[str], capacity: int | None = None) -> Instance:
        """Read a file as minimalloc reads and writes it: ``id,lower,upper,size``, and perhaps ``offset``.

        Args:
            source: path of the file.
            capacity: of the memory; the most that is live at a time, if None.

        Raises:
            ValueError: a column too few or too many, a cell that is no whole number, or as for `Instance`.
        """
        with Path(source).open(newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = tuple(reader.fieldnames or ())
            if sorted(columns) not in (sorted(_COLUMNS), sorted((*_COLUMNS, "offset"))):
                raise ValueError(
                    f"{source} has the columns {', '.join(columns) or '(none)'}. Needed are {', '.join(_COLUMNS)}; "
                    "offset is allowed."
                )
            buffers = []
            for row in reader:
                try:
                    numbers = {name: int(cell) for name, cell in row.items() if name != "id"}
                except (TypeError, ValueError):
                    cells = ", ".join(f"{name} = {row[name]!r}" for name in columns)
                    raise ValueError(
                        f"{source}, line {reader.line_num}: {cells}. All but the id are whole numbers."
                    ) from None
                buffers.append(Buffer(row["id"], **numbers))
        return cls(tuple(buffers), most_live(buffers) if capacity is None else capacity)

    def to_csv(self) -> str:
        """Return the file that `from_csv` and minimalloc read; with offsets where all are known."""
        columns = _COLUMNS if self.height is None else (*_COLUMNS, "offset")
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([getattr(buffer, name) for name in columns] for buffer in self.buffers)
        return file.getvalue()


def most_live(buffers: Iterable[Buffer]) -> int:
    """Return the most that is live at a time; 0 of nothing."""
    # Where one life ends and another begins, memory is freed first.
    events = sorted(event for b in buffers for event in ((b.lower, b.size), (b.upper, -b.size)))
    live = most = 0
    for _, change in events:
        live += change
        most = max(most, live)
    return most


def size_class(buffers: int) -> int:
    """Return the room that so many buffers take in the records: 512, 2048, 8192, ..., see `kernels.layout`."""
    size = 512
    while size < buffers:
        size *= 4
    return size


def pack(instance: Instance | None, parameters: Packing, order: str) -> NDArray[np.void]:
    """Return the record that the kernels read, shape ().

    Args:
        instance: what to pack; None: each episode draws its own.
        parameters: how tight, and what to draw.
        order: a key of `kernels.ORDERS`.
    """
    row = np.zeros((), k.layout(size_class(parameters.buffers))[0])
    row["buffers"], row["order"], row["temporal"] = parameters.buffers, k.ORDERS[order], parameters.temporal
    capacity = k.CAPACITY if instance is None else instance.capacity
    row["capacity"] = int(capacity * (1.0 + parameters.slack))
    if instance is None:
        row["bound"], row["end"] = k.CAPACITY, k.DURATION
    else:
        row["is_given"], row["bound"] = 1, instance.lower_bound
        for name in ("lower", "upper", "size"):
            row[name][: parameters.buffers] = [getattr(buffer, name) for buffer in instance.buffers]
        row["begin"] = min(buffer.lower for buffer in instance.buffers)
        row["end"] = max(buffer.upper for buffer in instance.buffers)
    return row
