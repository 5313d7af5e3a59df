"""Programs: what a compiled ML program computes, in which order, and which bytes move. Facts only, no weights."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

FORMAT = "malloc-program/0"
KINDS = ("param", "const", "temp")

#: The source of programs that were lowered in f32 because the compiler at hand would have turned bf16 into f32.
IN_PLACE_OF_BF16 = "cpuf32"

_DATA = Path(__file__).parent / "data"

Moves = tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class Buffer:
    """A tensor in memory.

    Attributes:
        bytes: its size in bytes.
        kind: ``param`` (given to the program), ``const`` (part of the program) or ``temp`` (made by an instruction).
        is_output: whether the program hands it back.
        alias: index of the root of its alias group, whose members must share one location; its own index, if alone.
        live: first and last instruction at which its content is needed; the last is the number of instructions for an
            output.
        shape: its dimensions; facts for the reader, nothing is computed from them.
        dtype: its element type in HLO's words: ``f32``, ``bf16``, ``s32``, ``pred``, ...
    """

    bytes: int
    kind: str
    is_output: bool
    alias: int
    live: tuple[int, int]
    shape: tuple[int, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One step of a program; its place in the program is its time.

    Attributes:
        op: the operation in HLO's words: ``fusion``, ``dot``, ``convolution``, ...
        inputs: (buffer, bytes read) in the order of the operands. A slice of a buffer reads fewer bytes than it has.
        outputs: (buffer, bytes written); an update in place writes fewer bytes than the buffer has.
        flops: floating point operations.
        mxu: how many of the flops are multiply-adds of a matrix product or convolution.
        times: how often it runs: the trip count, inside a loop. Bytes and flops are totals over all times.
    """

    op: str
    inputs: Moves
    outputs: Moves
    flops: int
    mxu: int
    times: int = 1


@dataclasses.dataclass(frozen=True)
class Program:
    """A scheduled program: buffers, and instructions in the order in which they run.

    A loop stands in the program once, its instructions' bytes and flops counted for all its trips; what it carries
    from trip to trip is an alias group.

    Attributes:
        name: what it is called.
        source: where it comes from. ``cpuf32``: it was lowered in f32 in place of bf16, so that an f32 buffer stands
            for one of half its bytes. Such a program keeps the bytes of its source; `load`, by which environments
            take programs, returns its `as_bf16`.
        buffers: its buffers; instructions name them by index.
        instructions: its instructions.

    Raises:
        ValueError: something does not fit together; the message names the buffer or instruction and the fault.
    """

    name: str
    source: str
    buffers: tuple[Buffer, ...]
    instructions: tuple[Instruction, ...]

    def __post_init__(self) -> None:
        """Check that everything fits together."""
        _Check(self).run()

    @classmethod
    def from_json(cls, source: str | os.PathLike[str] | Mapping[str, Any]) -> Program:
        """Read a program of format ``malloc-program/0``.

        Args:
            source: the path of a file, JSON text, or what JSON text says, as a dict.

        Raises:
            ValueError: it is not JSON, not of this format, or malformed.
        """
        record: Any = source
        if not isinstance(source, Mapping):
            text, where = str(source), "The text"
            if not text.lstrip().startswith("{"):
                text, where = Path(source).read_text("utf-8"), str(source)
            try:
                record = json.loads(text)
            except json.JSONDecodeError as error:
                raise ValueError(f"{where} is not JSON: {error}.") from None
        return _read(record)

    @classmethod
    def from_hlo(cls, text: str, name: str | None = None, source: str = "hlo") -> Program:
        """Make a program of HLO text: what ``jax.jit(f).lower(...).compile().as_text()`` returns, or a dump of XLA.

        Flops and bytes are counted by the rules of XLA's own cost analysis, but that a fused gather reads the rows it
        gathers, not the whole table. Tuples and bitcasts cost nothing. A loop stands in the schedule once and counts
        for all its trips (once, if the text does not tell their number); of a conditional, the branch with the most
        flops runs. What the compiler overwrites in place (slices of an update, what a loop carries, donated
        parameters) is an alias group. Copies that it scheduled between memory spaces are undone.

        Args:
            text: the HLO of one module, scheduled or in an order in which it can run.
            name: the program's name; the module's, if None.
            source: the program's source; ``cpuf32``, if it was lowered in f32 in place of bf16.

        Raises:
            ValueError: the text is not HLO; the message names the line.
        """
        from .importers import from_hlo

        return from_hlo(text, name, source)

    @classmethod
    def from_jax(
        cls, function: Callable[..., Any], *shapes: Any, name: str | None = None, as_bf16: bool = False
    ) -> Program:
        """Compile a JAX function for the machine at hand, without running it, and read the result by `from_hlo`.

        Args:
            function: what `jax.jit` takes, or what it returns (to donate arguments, say).
            *shapes: the function's arguments: `jax.ShapeDtypeStruct`, arrays, tuples of whole numbers for f32 arrays of
                that shape, or lists and dicts of these.
            name: the program's name; the function's, if None.
            as_bf16: whether f32 stands for bf16, which XLA on a CPU would turn into f32 with many conversions.

        Raises:
            gymnasium.error.DependencyNotInstalled: JAX is not installed.
        """
        from .importers import from_jax

        return from_jax(function, *shapes, name=name, as_bf16=as_bf16)

    @classmethod
    def from_onnx(
        cls, path: str | os.PathLike[str], name: str | None = None, dims: Mapping[str, int] | None = None
    ) -> Program:
        """Make a program of an ONNX network: one instruction per node, in the order of the file, nothing fused.

        Nodes that only give a tensor another shape cost nothing. Matrix products and convolutions count as in HLO;
        other flops are those of a plain implementation, without transcendental functions.

        Args:
            path: the network's file; weights that it keeps in other files are not needed.
            name: the program's name; the graph's, if None.
            dims: the extents of the dimensions that the network names instead, such as ``{"batch": 8}``.

        Raises:
            gymnasium.error.DependencyNotInstalled: onnx is not installed.
            ValueError: a shape cannot be inferred, or a node cannot stand in a program; the message names it.
        """
        from .onnx_graph import from_onnx

        return from_onnx(path, name, dims)

    def to_json(self) -> str:
        """Return the program as one line of JSON; `from_json` gives the same program back."""
        buffers = [
            {
                "bytes": buffer.bytes,
                "shape": buffer.shape,
                "dtype": buffer.dtype,
                "kind": buffer.kind,
                "alias": buffer.alias,
                "live": buffer.live,
                "out": buffer.is_output,
            }
            for buffer in self.buffers
        ]
        instructions = [dataclasses.asdict(instruction) for instruction in self.instructions]
        for instruction in instructions:
            if instruction["times"] == 1:
                del instruction["times"]
        record = {
            "format": FORMAT,
            "name": self.name,
            "source": self.source,
            "buffers": buffers,
            "instructions": instructions,
        }
        return json.dumps(record, separators=(",", ":"))

    def as_bf16(self) -> Program:
        """Return what a ``cpuf32`` program stands for: f32 buffers are bf16, half as large. Others return unchanged."""
        if self.source != IN_PLACE_OF_BF16:
            return self
        wide = [buffer.dtype == "f32" for buffer in self.buffers]

        def halved(moves: Moves) -> Moves:
            return tuple((index, moved // 2 if wide[index] else moved) for index, moved in moves)

        return dataclasses.replace(
            self,
            source="cpubf16",
            buffers=tuple(
                dataclasses.replace(buffer, bytes=buffer.bytes // 2, dtype="bf16") if is_wide else buffer
                for buffer, is_wide in zip(self.buffers, wide, strict=True)
            ),
            instructions=tuple(
                dataclasses.replace(entry, inputs=halved(entry.inputs), outputs=halved(entry.outputs))
                for entry in self.instructions
            ),
        )


def shipped() -> tuple[str, ...]:
    """Return the names of the programs that come with rlx."""
    return tuple(sorted(path.stem for path in _DATA.glob("*.json")))


def load(program: str | os.PathLike[str] | Program) -> Program:
    """Return a program in the bytes that a chip moves (see `Program.as_bf16`).

    Args:
        program: a program, the name of a shipped one, or the path of a file: ``.json``, HLO (``.hlo``, ``.txt``) or
            ``.onnx``.

    Raises:
        ValueError: there is no such program, or it is malformed.
    """
    if isinstance(program, Program):
        return program.as_bf16()
    path = Path(program)
    if path.suffix not in _READERS:
        return _load_shipped(str(program))
    if not path.is_file():
        raise ValueError(
            f"program = {str(program)!r}: there is no such file. Shipped programs: {', '.join(shipped())}."
        )
    return _READERS[path.suffix](path).as_bf16()


def _from_text(path: Path) -> Program:
    return Program.from_hlo(path.read_text("utf-8"), path.stem)


_READERS: dict[str, Callable[[Path], Program]] = {
    ".json": Program.from_json,
    ".hlo": _from_text,
    ".txt": _from_text,
    ".onnx": Program.from_onnx,
}


@functools.cache
def _load_shipped(name: str) -> Program:
    names = shipped()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"program = {name!r} is unknown.{hint} Shipped: {', '.join(names)}; or pass the path of a file "
            f"({', '.join(_READERS)}), or a Program made by from_json, from_hlo, from_jax or from_onnx."
        )
    return Program.from_json(_DATA / f"{name}.json").as_bf16()


_BUFFER_KEYS = {"bytes", "shape", "dtype", "kind", "alias", "live", "out"}
_INSTRUCTION_KEYS = {"op", "inputs", "outputs", "flops", "mxu"}


def _read(record: Any) -> Program:
    record = _keys("The program", record, {"format", "name", "source", "buffers", "instructions"})
    if record["format"] != FORMAT:
        raise ValueError(f"The program's format is {record['format']!r}; this version of rlx reads {FORMAT!r}.")
    buffers = []
    for index, entry in enumerate(_list("The program's buffers", record["buffers"])):
        what = f"Buffer {index}"
        fields = _keys(what, entry, _BUFFER_KEYS)
        fields["is_output"] = fields.pop("out")
        fields["live"] = _list(f"{what}: live", fields["live"])
        fields["shape"] = _list(f"{what}: shape", fields["shape"])
        buffers.append(Buffer(**fields))
    instructions = []
    for index, entry in enumerate(_list("The program's instructions", record["instructions"])):
        what = f"Instruction {index}"
        fields = _keys(what, entry, _INSTRUCTION_KEYS, optional={"times"})
        for side in ("inputs", "outputs"):
            moves = _list(f"{what}: {side}", fields[side])
            fields[side] = tuple(_list(f"{what}: {side}", move) for move in moves)
        instructions.append(Instruction(**fields))
    return Program(record["name"], record["source"], tuple(buffers), tuple(instructions))


def _keys(what: str, value: Any, needed: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} is {value!r}: a dict is needed.")
    needed = set(needed)
    if missing := needed - value.keys():
        raise ValueError(f"{what} lacks {', '.join(sorted(missing))}.")
    if unknown := value.keys() - needed - set(optional):
        raise ValueError(f"{what} has unknown keys {', '.join(sorted(unknown))}; known: {', '.join(sorted(needed))}.")
    return dict(value)


def _list(what: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{what} is {value!r}: a list is needed.")
    return tuple(value)


class _Check:
    """Checks a program; every complaint names its place."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.defined: dict[int, int] = {}  # buffer -> instruction

    def run(self) -> None:
        program = self.program
        for field in ("name", "source"):
            if not isinstance(getattr(program, field), str) or not getattr(program, field):
                raise ValueError(f"The program's {field} is {getattr(program, field)!r}: a word is needed.")
        if not program.instructions:
            raise ValueError(f"Program {program.name!r} has no instructions.")
        for index, buffer in enumerate(program.buffers):
            self.buffer(index, buffer)
        for time, instruction in enumerate(program.instructions):
            self.instruction(time, instruction)
        for index, buffer in enumerate(program.buffers):
            if buffer.kind == "temp" and index not in self.defined:
                self.fault(f"Buffer {index}", "is a temp that no instruction writes; is it a param or a const?")

    def fault(self, what: str, complaint: str) -> None:
        raise ValueError(f"{what} of program {self.program.name!r} {complaint}")

    def natural(self, what: str, field: str, value: Any, low: int = 0, high: int | None = None) -> None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole and low <= value and (high is None or value <= high)):
            span = f"of at least {low}" if high is None else f"in [{low}, {high}]"
            self.fault(what, f"has {field} = {value!r}; a whole number {span} is needed.")

    def buffer(self, index: int, buffer: Buffer) -> None:
        what = f"Buffer {index}"
        buffers, end = self.program.buffers, len(self.program.instructions)
        self.natural(what, "bytes", buffer.bytes)
        if buffer.kind not in KINDS:
            self.fault(what, f"has kind = {buffer.kind!r}; allowed: {', '.join(KINDS)}.")
        if not isinstance(buffer.is_output, bool):
            self.fault(what, f"has out = {buffer.is_output!r}; true or false is needed.")
        self.natural(what, "alias", buffer.alias, high=len(buffers) - 1)
        root = buffers[buffer.alias]
        if root.alias != buffer.alias:
            self.fault(
                what, f"names buffer {buffer.alias} as the root of its alias group, but that names {root.alias}."
            )
        if len(buffer.live) != 2:
            self.fault(what, f"has live = {list(buffer.live)}; [first, last] is needed.")
        self.natural(what, "first instruction alive", buffer.live[0], high=end)
        self.natural(what, "last instruction alive", buffer.live[1], low=buffer.live[0], high=end)
        if buffer.is_output and buffer.live[1] != end:
            self.fault(what, f"is an output, but lives only until {buffer.live[1]}; outputs live until {end}.")
        for extent in buffer.shape:
            self.natural(what, "a dimension", extent)
        if not isinstance(buffer.dtype, str):
            self.fault(what, f"has dtype = {buffer.dtype!r}; a word is needed.")

    def instruction(self, time: int, instruction: Instruction) -> None:
        what = f"Instruction {time} ({instruction.op})"
        if not isinstance(instruction.op, str) or not instruction.op:
            self.fault(what, "has no op; a word is needed.")
        self.natural(what, "flops", instruction.flops)
        self.natural(what, "mxu", instruction.mxu, high=instruction.flops)
        self.natural(what, "times", instruction.times, low=1)
        for move in instruction.inputs:
            self.move(what, time, instruction, "reads", move)
            index = move[0]
            if self.program.buffers[index].kind == "temp" and index not in self.defined:
                self.fault(what, f"reads buffer {index} before an instruction has written it.")
        for move in instruction.outputs:
            self.move(what, time, instruction, "writes", move)
            index = move[0]
            if index in self.defined:
                self.fault(
                    what,
                    f"writes buffer {index}, which instruction {self.defined[index]} has written. An update in place "
                    "writes a new buffer with the same alias root.",
                )
            self.defined[index] = time

    def move(self, what: str, time: int, instruction: Instruction, verb: str, move: tuple[int, int]) -> None:
        if len(move) != 2:
            self.fault(what, f"{verb} {list(move)}; [buffer, bytes] is needed.")
        index, moved = move
        self.natural(what, f"buffer {verb[:-1]}", index, high=len(self.program.buffers) - 1)
        buffer = self.program.buffers[index]
        self.natural(what, f"bytes of buffer {index}", moved)
        if moved > buffer.bytes * instruction.times:
            self.fault(
                what,
                f"{verb} {moved} bytes of buffer {index}, which has {buffer.bytes} bytes; times = {instruction.times}.",
            )
        if verb == "writes" and buffer.kind != "temp":
            self.fault(what, f"writes buffer {index}, which is a {buffer.kind}; only temps are written.")
        first, last = buffer.live
        if not first <= time <= last:
            self.fault(what, f"{verb} buffer {index}, which is alive from {first} to {last} only.")
