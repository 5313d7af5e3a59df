"""Reads HLO text: what XLA prints of a compiled program, `jax.jit(f).lower(...).compile().as_text()`.

The text is parsed into computations of operations; `lowering.lower` makes a `Program` of them.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Iterator

# Bits per element of the types that do not say so in their name.
_BITS = {"pred": 8, "token": 0, "opaque": 0, "c64": 64, "c128": 128}


@dataclasses.dataclass(frozen=True)
class Shape:
    """An array (dtype, dims) or a tuple of shapes (parts).

    Attributes:
        dtype: the element type in HLO's words; empty for a tuple.
        dims: the dimensions of an array.
        parts: the shapes of a tuple; None for an array.
        space: the memory that a layout's S(n) names; 0 is the main one.
    """

    dtype: str
    dims: tuple[int, ...] = ()
    parts: tuple[Shape, ...] | None = None
    space: int = 0

    @functools.cached_property
    def elements(self) -> int:
        """Number of elements; of all arrays, for a tuple."""
        return math.prod(self.dims) if self.parts is None else sum(part.elements for part in self.parts)

    @functools.cached_property
    def bytes(self) -> int:
        """Size in bytes, as XLA packs elements of less than a byte; of all arrays, for a tuple."""
        if self.parts is not None:
            return sum(part.bytes for part in self.parts)
        bits = _BITS.get(self.dtype)
        if bits is None:
            match = re.match(r"[a-z]+(\d+)", self.dtype)
            if not match:
                raise ValueError(f"The HLO type {self.dtype!r} is unknown.")
            bits = int(match[1])
        return -(-self.elements * bits // 8)

    def leaves(self) -> Iterator[Shape]:
        """Iterate over the arrays in it."""
        if self.parts is None:
            yield self
        for part in self.parts or ():
            yield from part.leaves()


@dataclasses.dataclass(frozen=True)
class Operation:
    """One line of HLO.

    Attributes:
        name: its name, unique in its computation.
        shape: what it gives.
        op: its opcode.
        operands: the names of its operands.
        attributes: the text of each attribute.
        literal: what stands between the parentheses: a parameter's number, a constant's value.
    """

    name: str
    shape: Shape
    op: str
    operands: tuple[str, ...]
    attributes: dict[str, str]
    literal: str


@dataclasses.dataclass(frozen=True)
class Computation:
    """A list of operations in the order of the text, which is the schedule if the module is scheduled."""

    name: str
    operations: dict[str, Operation]
    root: Operation

    @functools.cached_property
    def parameters(self) -> tuple[Operation, ...]:
        """Its parameters by number."""
        found = [operation for operation in self.operations.values() if operation.op == "parameter"]
        return tuple(sorted(found, key=lambda operation: int(operation.literal)))

    @functools.cached_property
    def users(self) -> dict[str, tuple[Operation, ...]]:
        """The operations that have one as an operand."""
        users: dict[str, list[Operation]] = {name: [] for name in self.operations}
        for operation in self.operations.values():
            for operand in dict.fromkeys(operation.operands):
                users[operand].append(operation)
        return {name: tuple(found) for name, found in users.items()}


@dataclasses.dataclass(frozen=True)
class Module:
    """A parsed HLO text.

    Attributes:
        name: the module's name.
        computations: its computations by name.
        entry: the one that is run.
        donated: pairs (index of an output, number of the parameter whose memory it takes, index in that parameter).
    """

    name: str
    computations: dict[str, Computation]
    entry: Computation
    donated: tuple[tuple[tuple[int, ...], int, tuple[int, ...]], ...]


def parse(text: str) -> Module:
    """Parse HLO text.

    Raises:
        ValueError: it is not HLO; the message names the line.
    """
    computations: dict[str, Computation] = {}
    entry: Computation | None = None
    name: str = "hlo"
    donated: tuple[tuple[tuple[int, ...], int, tuple[int, ...]], ...] = ()
    lines = enumerate(re.sub(r"/\*.*?\*/", "", text).splitlines(), 1)  # comments as in (f32[], /*index=5*/f32[])
    for _, line in lines:
        if match := re.match(r"HloModule ([\w.-]+)", line):
            name, donated = match[1], _donated(line)
        elif match := re.match(r"(ENTRY )?%?([\w.-]+)(?: *\(.*\) *-> *.*?)? *\{\s*$", line):
            computation = _computation(match[2], lines)
            computations[computation.name] = computation
            if match[1]:
                entry = computation
    if entry is None:
        raise ValueError(
            "This is not HLO text: it has no ENTRY computation. Pass what jax.jit(f).lower(...).compile().as_text() "
            "returns, or what XLA_FLAGS=--xla_dump_hlo_as_text writes."
        )
    for computation in computations.values():
        _check(computation, computations)
    return Module(name, computations, entry, donated)


def called(operation: Operation) -> tuple[str, ...]:
    """Return the names of the computations that an operation calls, in the order of its text."""
    found = [
        re.findall(r"%?([\w.-]+)", operation.attributes[key])
        for key in (
            "calls", "to_apply", "body", "condition", "select", "scatter", "called_computations",
            "branch_computations", "true_computation", "false_computation",
        )
        if key in operation.attributes
    ]  # fmt: skip
    return tuple(name for names in found for name in names)


def _check(computation: Computation, computations: dict[str, Computation]) -> None:
    seen: set[str] = set()
    for operation in computation.operations.values():
        what = f"{operation.op} {operation.name!r} of computation {computation.name!r}"
        for operand in operation.operands:
            if operand not in seen:
                raise ValueError(f"The HLO text's {what} uses {operand!r}, which does not stand before it.")
        for name in called(operation):
            if name not in computations:
                raise ValueError(f"The HLO text's {what} calls {name!r}, which the text does not have.")
        seen.add(operation.name)


def _computation(name: str, lines: Iterator[tuple[int, str]]) -> Computation:
    operations: dict[str, Operation] = {}
    root = None
    for number, line in lines:
        line = line.strip()
        if line.startswith("}"):
            if not operations:
                raise ValueError(f"The HLO text's computation {name!r} is empty (line {number}).")
            return Computation(name, operations, root or next(reversed(operations.values())))
        if not line:
            continue
        try:
            operation = _operation(line.removeprefix("ROOT "))
        except (ValueError, IndexError) as error:
            raise ValueError(f"Line {number} of the HLO text cannot be read ({error}): {line[:120]}") from None
        operations[operation.name] = operation
        if line.startswith("ROOT "):
            root = operation
    raise ValueError(f"The HLO text ends within computation {name!r}.")


def _operation(line: str) -> Operation:
    head = re.match(r"%?([\w.-]+) = ", line)
    if not head:
        raise ValueError("expected '%name = shape op(...)'")
    shape, position = _shape(line, head.end())
    opcode = re.compile(r"\s*([\w-]+)\(").match(line, position)
    if not opcode:
        raise ValueError("expected an operation after the shape")
    end = _closing(line, opcode.end() - 1)
    literal = line[opcode.end() : end]
    operands: tuple[str, ...] = ()
    if opcode[1] not in ("parameter", "constant", "iota"):
        # An operand may stand after its shape.
        operands = tuple(part.split()[-1].lstrip("%") for part in _split(literal))
    attributes = dict(
        (key.strip(), value) for key, _, value in (part.partition("=") for part in _split(line[end + 1 :]))
    )
    return Operation(head[1], shape, opcode[1], operands, attributes, literal)


# The layout may hold tiles and a memory space, as in bf16[8,128]{1,0:T(8,128)(2,1)S(3)}.
_ARRAY = re.compile(r"([a-z][a-z0-9]*)\[([^\]]*)\](\{[^}]*\})?")
_SPACE = re.compile(r"S\((\d+)\)")


def _shape(line: str, position: int) -> tuple[Shape, int]:
    """Read the shape that begins at ``position``; return it and where it ends."""
    if line[position] == "(":
        parts, position = [], position + 1
        while line[position] != ")":
            if line[position] in ", ":
                position += 1
                continue
            part, position = _shape(line, position)
            parts.append(part)
        return Shape("", parts=tuple(parts)), position + 1
    array = _ARRAY.match(line, position)
    if not array:
        raise ValueError(f"expected a shape at column {position + 1}")
    # A dimension that is dynamic is written <=n: its bound is what is reserved.
    dims = tuple(int(extent.strip().removeprefix("<=")) for extent in array[2].split(",") if extent.strip())
    space = _SPACE.search(array[3] or "")
    return Shape(array[1], dims, space=int(space[1]) if space else 0), array.end()


_PAIRS = {"(": ")", "[": "]", "{": "}"}


def _skip(text: str, position: int) -> int:
    """Return the position after the character, string or bracketed text at ``position``."""
    if text[position] == '"':
        end = position + 1
        while text[end] != '"':
            end += 2 if text[end] == "\\" else 1
        return end + 1
    if text[position] in _PAIRS:
        return _closing(text, position) + 1
    return position + 1


def _closing(text: str, position: int) -> int:
    """Return the position of the bracket that closes the one at ``position``."""
    closing, position = _PAIRS[text[position]], position + 1
    while text[position] != closing:
        position = _skip(text, position)
    return position


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets or strings."""
    parts, start, position = [], 0, 0
    while position < len(text):
        if text[position] == ",":
            parts.append(text[start:position])
            start = position + 1
        position = _skip(text, position)
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def aliases(text: str) -> tuple[tuple[tuple[int, ...], int, tuple[int, ...]], ...]:
    """Read {{0}: (2, {}), ...}: triples (index of an output, number of an operand or parameter, index in that)."""
    pairs = re.findall(r"\{([\d, ]*)\}: *\((\d+), *\{([\d, ]*)\}", text)
    return tuple((_index(output), int(number), _index(part)) for output, number, part in pairs)


def _donated(line: str) -> tuple[tuple[tuple[int, ...], int, tuple[int, ...]], ...]:
    key = "input_output_alias="
    start = line.find(key) + len(key)
    return aliases(line[start : _closing(line, start) + 1]) if key in line else ()


def _index(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())
