"""The one way rlx compiles a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile ``function`` with Numba, once per machine.

    The machine code is kept in a cache on disk beside the source. Numba looks only at the file of the decorated
    function to see whether that cache is stale, so a kernel and its helpers belong in one file. Arithmetic is strict
    (no fastmath): single and batched environments must agree bit for bit.

    Args:
        function: a pure function of numbers and arrays.

    Returns:
        The compiled function, called like the original. The original stays reachable as ``.py_func``.
    """
    compiled: Any = numba.njit(cache=True, error_model="numpy")(function)
    return cast(Function, compiled)


def inlined(function: Function) -> Function:
    """Compile a helper that is merged into the kernel that calls it, so that loops around it can be vectorised."""
    compiled: Any = numba.njit(cache=True, error_model="numpy", forceinline=True)(function)
    return cast(Function, compiled)


def bound(kernel: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Return ``kernel`` compiled for the types of ``arguments``, callable without looking them up again.

    Numba's dispatcher takes longer than a step of a small kernel. The result must be called with arguments of exactly
    these types; that is for callers who own all of them.
    """
    types = tuple(map(numba.typeof, arguments))
    kernel.compile(types)  # type: ignore[attr-defined]
    entry: Callable[..., Any] = kernel.get_overload(types)  # type: ignore[attr-defined]
    return entry
