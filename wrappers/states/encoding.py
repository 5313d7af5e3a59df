"""Plain values as JSON text and arrays, so that a file of them can be read without running code.

Plain are None, bool, int, float, str, bytes, NumPy scalars, arrays and generators, and list, tuple, dict and deque of
plain values. Arrays of one dtype and shape are stacked: many states of one environment become a few large arrays.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ATOMS = (type(None), bool, int, float, str)
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


class StateError(Exception):
    """A state that cannot be saved, kept or loaded; says why, and what can be done."""


class _Pools:
    """Arrays by dtype and shape, in order of appearance."""

    def __init__(self) -> None:
        self.places: dict[tuple[Any, tuple[int, ...]], int] = {}
        self.arrays: list[list[NDArray[Any]]] = []

    def add(self, array: NDArray[Any]) -> int:
        place = self.places.setdefault((array.dtype, array.shape), len(self.arrays))
        if place == len(self.arrays):
            self.arrays.append([])
        self.arrays[place].append(array)
        return place


def encode(value: Any) -> tuple[str, list[NDArray[Any]]]:
    """Return JSON text and the arrays to which it refers, for `decode`.

    Raises:
        StateError: a part is not plain; names it.
    """
    pools = _Pools()
    text = json.dumps(_node(value, "", pools), separators=(",", ":"))
    return text, [np.stack(arrays) for arrays in pools.arrays]


def _node(value: Any, path: str, pools: _Pools) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list:
        return [_node(part, f"{path}[{i}]", pools) for i, part in enumerate(value)]
    if kind is tuple:
        return {"tuple": _node(list(value), path, pools)}
    if kind is deque:
        return {"deque": [value.maxlen, _node(list(value), path, pools)]}
    if kind is dict:
        return {"dict": [[_node(key, path, pools), _node(value[key], f"{path}[{key!r}]", pools)] for key in value]}
    if kind is bytes:
        return {"bytes": pools.add(np.frombuffer(value, np.uint8))}
    if kind is np.ndarray and not value.dtype.hasobject:
        return {"array": pools.add(value)}
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return {"scalar": pools.add(np.asarray(value))}
    if kind is np.random.Generator and type(value.bit_generator).__name__ in _BIT_GENERATORS:
        return {"generator": _node(value.bit_generator.state, path, pools)}
    raise StateError(
        f"{path or 'The value'} is a {kind.__module__}.{kind.__qualname__}, which cannot be written without pickle. "
        "Keep it in memory, or register an adapter that describes it by numbers, text and arrays."
    )


def decode(text: str, arrays: list[NDArray[Any]]) -> Any:
    """Return the value of which `encode` made these.

    Raises:
        ValueError, TypeError, KeyError, IndexError, StopIteration: they are not what `encode` returned.
    """
    return _value(json.loads(text), [iter(array) for array in arrays])


def _value(node: Any, pools: list[Any]) -> Any:
    if isinstance(node, list):
        return [_value(part, pools) for part in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    if kind == "tuple":
        return tuple(_value(content, pools))
    if kind == "deque":
        return deque(_value(content[1], pools), content[0])
    if kind == "dict":
        return {_value(key, pools): _value(part, pools) for key, part in content}
    if kind == "generator":
        state = _value(content, pools)
        if state["bit_generator"] not in _BIT_GENERATORS:
            raise ValueError(f"{state['bit_generator']!r} is no bit generator.")
        generator = np.random.Generator(getattr(np.random, state["bit_generator"])())
        generator.bit_generator.state = state
        return generator
    if kind not in ("bytes", "array", "scalar"):
        raise ValueError(f"{kind!r} is no kind of value.")
    array = np.asarray(next(pools[content]))
    if kind == "bytes":
        return array.tobytes()
    return array.copy() if kind == "array" else array[()]


def is_plain(value: Any) -> bool:
    """Return whether `encode` takes ``value``."""
    try:
        _node(value, "", _Pools())
    except StateError:
        return False
    return True


def fingerprint(values: Iterable[Any]) -> bytes:
    """Return bytes that are the same for the same plain values, and for no others."""
    text, arrays = encode(list(values))
    described = [f"{array.dtype.descr}{array.shape}".encode() + array.tobytes() for array in arrays]
    return b"\n".join([text.encode(), *described])
