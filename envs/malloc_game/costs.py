"""What an HLO operation computes and moves, counted as XLA's own cost analysis does.

Source: `xla/service/hlo_cost_analysis.cc` of openxla/xla (Apache-2.0), by its rules. Transcendental functions are not
flops there, and not here. Unlike there, a view (bitcast) of a buffer is seen through, and no read counts more than the
whole buffer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

import numpy as np

from .hlo import Computation, Module, Operation, called

#: Operations that only rename their operand's memory.
VIEWS = frozenset({"bitcast", "get-tuple-element", "optimization-barrier", "add-dependency", "domain"})

_ELEMENTWISE = frozenset(
    """
    abs add and bitcast-convert ceil clamp clz compare complex convert count-leading-zeros divide floor imag is-finite
    maximum minimum multiply negate not or popcnt real reduce-precision remainder round-nearest-afz round-nearest-even
    select shift-left shift-right-arithmetic shift-right-logical sign stochastic-convert subtract xor
    """.split()
)


def costs(module: Module, operation: Operation, computation: Computation) -> tuple[int, int]:
    """Return (flops, how many of them are of matrix products and convolutions) of one run of an operation."""
    op, shape = operation.op, operation.shape
    operands = [computation.operations[name].shape for name in operation.operands]
    if op in _ELEMENTWISE:
        return shape.elements, 0
    if op == "dot":
        contracted = _numbers(operation.attributes.get("lhs_contracting_dims", ""))
        flops = 2 * shape.elements * math.prod(operands[0].dims[dim] for dim in contracted)
        return flops, flops
    if op == "convolution":
        flops = _convolution(operation, operands[0].dims, operands[1].dims)
        return flops, flops
    if op == "sort":
        elements = operands[0].elements
        return elements * max(elements - 1, 0).bit_length(), 0
    if op == "fft":
        lengths = _numbers(operation.attributes["fft_length"])
        return 8 * operands[0].elements * math.prod(length.bit_length() - 1 for length in lengths), 0
    if op == "triangular-solve":
        return 2 * operands[0].dims[-1] * operands[1].elements, 0
    if op == "cholesky":
        return operands[0].dims[-1] * operands[0].elements // 3, 0
    inner = [_computation(module, module.computations[name]) for name in called(operation)]
    if op in _REPEATS:
        counts = _REPEATS[op](operation, [shape.elements for shape in operands], next(shape.leaves()).elements)
        pairs = list(zip(inner, counts, strict=True))
        return sum(flops * count for (flops, _), count in pairs), sum(mxu * count for (_, mxu), count in pairs)
    if op == "conditional":
        return max(inner)
    return sum(flops for flops, _ in inner), sum(mxu for _, mxu in inner)


def _computation(module: Module, computation: Computation) -> tuple[int, int]:
    found = [costs(module, operation, computation) for operation in computation.operations.values()]
    return sum(flops for flops, _ in found), sum(mxu for _, mxu in found)


def _window(operation: Operation) -> dict[str, list[str]]:
    """Read window={size=3x3 stride=2x2 pad=1_1x1_1 ...}: a list of one entry per axis for each key."""
    found = re.findall(r"(\w+)=([^ }]+)", operation.attributes.get("window", ""))
    return {key: text.split("x") for key, text in found}


def _taps(operation: Operation) -> int:
    """Return the number of elements in an operation's window."""
    return math.prod(int(size) for size in _window(operation).get("size", ()))


# How often an operation applies each computation it calls; given itself, the elements of its operands and its result.
_REPEATS: dict[str, Callable[[Operation, list[int], int], tuple[int, ...]]] = {
    "map": lambda operation, operands, result: (result,),
    "reduce": lambda operation, operands, result: (operands[0] - result,),
    "reduce-window": lambda operation, operands, result: ((_taps(operation) - 1) * result,),
    "scatter": lambda operation, operands, result: (operands[-1],),
    "select-and-scatter": lambda operation, operands, result: (
        operands[1] * (_taps(operation) - 1),
        operands[1],
    ),
    "all-reduce": lambda operation, operands, result: (result,),
    "reduce-scatter": lambda operation, operands, result: (0,),
}


def _convolution(operation: Operation, inputs: tuple[int, ...], kernel: tuple[int, ...]) -> int:
    input_labels, kernel_labels, output_labels = re.split("_|->", operation.attributes["dim_labels"])
    window = _window(operation)
    rank = len(window.get("size", ()))
    strides, dilations, stretches = (
        [int(step) for step in window.get(key, ["1"] * rank)] for key in ("stride", "rhs_dilate", "lhs_dilate")
    )
    pads = [int(pad.split("_")[0]) for pad in window.get("pad", ["0_0"] * rank)]
    count = math.prod(
        meetings(
            inputs[input_labels.index(label)],
            kernel[kernel_labels.index(label)],
            operation.shape.dims[output_labels.index(label)],
            strides[axis],
            pads[axis],
            dilations[axis],
            stretches[axis],
        )
        for axis, label in enumerate("0123456789"[:rank])
    )
    features = inputs[input_labels.index("f")] // int(operation.attributes.get("feature_group_count", 1))
    examples = inputs[input_labels.index("b")] // int(operation.attributes.get("batch_group_count", 1))
    return 2 * count * examples * features * operation.shape.dims[output_labels.index("f")]


def meetings(
    inputs: int, kernel: int, outputs: int, stride: int = 1, pad: int = 0, dilation: int = 1, stretch: int = 1
) -> int:
    """Count the pairs (output, kernel element) of a convolution's axis that meet an input element.

    Args:
        inputs: extent of the input.
        kernel: extent of the kernel.
        outputs: extent of the output.
        stride: steps from one output to the next.
        pad: places before the first input.
        dilation: steps from one element of the kernel to the next.
        stretch: steps from one input to the next; between them there is nothing.
    """
    places = np.arange(outputs)[:, None] * stride - pad + np.arange(kernel) * dilation
    return int(np.count_nonzero((places >= 0) & (places < inputs * stretch) & (places % stretch == 0)))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def reads(operation: Operation, computation: Computation, module: Module) -> Iterator[int]:
    """Yield the bytes that an operation reads of each operand, of all its arrays together."""
    inner = module.computations[called(operation)[0]] if operation.op == "fusion" else None
    for position, name in enumerate(operation.operands):
        size = computation.operations[name].shape.bytes
        if inner is not None:
            yield min(size, _read_inside(inner.parameters[position], inner, module))
        else:
            yield min(size, _part(operation, position, computation))


def _part(operation: Operation, position: int, computation: Computation) -> int:
    """Return the bytes that an operation that is not a fusion reads of an operand."""
    size = computation.operations[operation.operands[position]].shape.bytes
    if operation.op in ("slice", "dynamic-slice", "gather") and position == 0:
        return operation.shape.bytes
    if operation.op == "dynamic-update-slice" and position == 0:
        return 0
    if operation.op == "scatter" and position == 0:
        return computation.operations[operation.operands[-1]].shape.bytes
    return size


def _read_inside(value: Operation, computation: Computation, module: Module) -> int:
    """Return the bytes that a fused computation reads of a parameter, or of a view of it."""
    total, whole = 0, False
    for user in computation.users[value.name]:
        positions = [position for position, name in enumerate(user.operands) if name == value.name]
        if user.op in VIEWS:
            total += _read_inside(user, computation, module)
        elif user.op == "fusion":
            inner = module.computations[called(user)[0]]
            total += sum(_read_inside(inner.parameters[position], inner, module) for position in positions)
        else:
            for position in positions:
                part = value.shape.bytes if user.op == "scatter" else _part(user, position, computation)
                # Users that read all of it share one read.
                whole, part = whole or part >= value.shape.bytes, 0 if part >= value.shape.bytes else part
                total += part
    if not computation.users[value.name] and value is computation.root:
        whole = True
    return value.shape.bytes if whole else min(total, value.shape.bytes)
