"""Makes a `Program` of parsed HLO: which buffers there are, what each instruction moves, what shares memory."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from .builder import Builder
from .costs import VIEWS, costs, reads
from .hlo import Computation, Module, Operation, Shape, aliases, called
from .program import Program

# What an operation gives: a buffer, or a tuple of such values.
_Value = int | tuple[Any, ...]


def lower(module: Module, name: str, source: str) -> Program:
    """Make a program of an HLO module.

    Tuples and bitcasts are views and cost nothing. A loop's body stands in the schedule once and counts for all trips
    (once, if the text does not tell how many there are); of a conditional, the branch with the most flops runs.
    Copies that the compiler scheduled between memory spaces are undone: where buffers lie is the game's to decide.
    """
    return _Lowering(module).run(name, source)


class _Lowering:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.builder = Builder()

    def run(self, name: str, source: str) -> Program:
        module = self.module
        params = [self.allocate(operation.shape, "param") for operation in module.entry.parameters]
        result = self.computation(module.entry, params)
        for output, number, part in module.donated:
            for new, old in zip(_leaves(_at(result, output)), _leaves(_at(params[number], part)), strict=True):
                self.builder.donate(old)
                self.builder.share(new, old)
        return self.builder.build(name, source, _leaves(result))

    def allocate(self, shape: Shape, kind: str) -> _Value:
        if shape.parts is not None:
            return tuple(self.allocate(part, kind) for part in shape.parts)
        return self.builder.buffer(kind, shape.bytes, shape.dims, shape.dtype)

    def computation(self, computation: Computation, params: list[_Value]) -> _Value:
        """Run a computation's operations on the values of its parameters; return its result."""
        values: dict[str, _Value] = {}
        for operation in computation.operations.values():
            if operation.op == "parameter":
                values[operation.name] = params[int(operation.literal)]
            else:
                operands = [values[name] for name in operation.operands]
                values[operation.name] = self.operation(operation, computation, operands)
        return values[computation.root.name]

    def operation(self, operation: Operation, computation: Computation, operands: list[_Value]) -> _Value:
        op = operation.op
        if op == "constant":
            return self.allocate(operation.shape, "const")
        if op in ("tuple", "after-all"):
            return tuple(operands)
        if op == "get-tuple-element":
            return _at(operands[0], (int(operation.attributes["index"]),))
        if op in VIEWS or op.endswith("-done") or op == "async-update":
            return operands[0]
        if op in ("call", "async-start"):
            return self.computation(self.called(operation, "calls", "to_apply"), operands)
        if op == "while":
            return self.loop(operation, operands[0])
        if op == "conditional":
            branches = [self.module.computations[name] for name in called(operation)]
            flops = [
                sum(costs(self.module, each, branch)[0] for each in branch.operations.values()) for branch in branches
            ]
            chosen = flops.index(max(flops))
            return self.computation(branches[chosen], [operands[1 + chosen]])
        if op.endswith("-start"):
            # Its own shape lists operands and contexts too; what it gives is what is taken from it when it is done.
            done = next((user for user in computation.users[operation.name] if user.op.endswith("-done")), operation)
            operand = computation.operations[operation.operands[0]]
            if op == "copy-start" and _spaces(done.shape) != _spaces(operand.shape):
                return operands[0]
            operation = dataclasses.replace(operation, op=op.removesuffix("-start"), shape=done.shape)
        return self.execute(operation, computation, operands)

    def execute(self, operation: Operation, computation: Computation, operands: list[_Value]) -> _Value:
        """Add an instruction for an operation."""
        inputs = []
        for value, read in zip(operands, reads(operation, computation, self.module), strict=True):
            leaves = list(_leaves(value))
            inputs += [(leaf, read if len(leaves) == 1 else _EVERYTHING) for leaf in leaves]
        result = self.allocate(operation.shape, "temp")
        outputs = list(_leaves(result))
        writes = {leaf: part.bytes for leaf, part in zip(outputs, operation.shape.leaves(), strict=True)}
        overwritten = []
        for position, (update, number) in _updates(operation, computation, self.module).items():
            (old,) = _leaves(operands[number])
            writes[outputs[position]] = update
            overwritten.append((outputs[position], old))
        flops, mxu = costs(self.module, operation, computation)
        self.builder.instruction(operation.op, inputs, writes.items(), flops, mxu)
        for new, old in overwritten:
            self.builder.update(new, old)
        for output, number, part in aliases(operation.attributes.get("output_to_operand_aliasing", "")):
            for new, old in zip(_leaves(_at(result, output)), _leaves(_at(operands[number], part)), strict=True):
                self.builder.share(new, old)
        return result

    def loop(self, operation: Operation, value: _Value) -> _Value:
        trips = re.search(r"known_trip_count\W+n\W+(\d+)", operation.attributes.get("backend_config", ""))
        condition, body = self.called(operation, "condition"), self.called(operation, "body")
        if trips and int(trips[1]) == 0:
            return value
        with self.builder.loop(int(trips[1]) if trips else 1) as carried:
            self.computation(condition, [value])
            result = self.computation(body, [value])
            inside = set(_leaves(value))
            for new, old in zip(_leaves(result), _leaves(value), strict=True):
                if new not in inside:
                    carried.add(new)
                    self.builder.share(new, old)
        return result

    def called(self, operation: Operation, *keys: str) -> Computation:
        for key in keys:
            if key in operation.attributes:
                return self.module.computations[operation.attributes[key].lstrip("%")]
        raise ValueError(f"The HLO text's {operation.op} {operation.name!r} has no {' or '.join(keys)}.")


_EVERYTHING = 1 << 62  # bytes; the builder reads no more of a buffer than there is


def _leaves(value: _Value) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    else:
        for part in value:
            yield from _leaves(part)


def _at(value: _Value, index: tuple[int, ...]) -> _Value:
    for position in index:
        if isinstance(value, int) or position >= len(value):
            raise ValueError(f"The HLO text takes part {list(index)} of something that has no such part.")
        value = value[position]
    return value


def _spaces(shape: Shape) -> list[int]:
    return [part.space for part in shape.leaves()]


def _updates(operation: Operation, computation: Computation, module: Module) -> dict[int, tuple[int, int]]:
    """Return {output: (bytes written, operand)} for the outputs that are an operand, updated in a part."""
    if operation.op != "fusion":
        part = {"dynamic-update-slice": 1, "scatter": -1}.get(operation.op)
        if part is None or operation.shape.parts is not None:
            return {}
        return {0: (computation.operations[operation.operands[part]].shape.bytes, 0)}
    inner = module.computations[called(operation)[0]]
    roots = [inner.root]
    if inner.root.op == "tuple":
        roots = [inner.operations[name] for name in inner.root.operands]
    updates = {}
    for position, root in enumerate(roots):
        root = _seen_through(root, inner)
        if root.op == "dynamic-update-slice":
            old, update = (inner.operations[name] for name in root.operands[:2])
            if (old := _seen_through(old, inner)).op == "parameter":
                updates[position] = (update.shape.bytes, int(old.literal))
    return updates


def _seen_through(operation: Operation, computation: Computation) -> Operation:
    while operation.op in VIEWS:
        operation = computation.operations[operation.operands[0]]
    return operation
