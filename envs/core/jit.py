"""The one way rlx compiles a kernel."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event

Function = TypeVar("Function", bound=Callable[..., Any])


# Kernels are compiled together with the random streams' functions. Numba would not see that those have changed: it
# finds cached machine code by a function's name, and by the contents of the function's own file.
_CORE = hashlib.sha256(Path(__file__).with_name("random.py").read_bytes()).hexdigest()[:8]


class _Announcement(event.Listener):
    """Tells who waits at a terminal why: a cold cache, which takes a drive half a minute."""

    is_due = True

    def on_start(self, event: Any) -> None:
        if self.is_due and sys.stderr.isatty() and event.data["dispatcher"].py_func.__qualname__.endswith(_CORE):
            self.is_due = False
            print(
                "rlx compiles its kernels. That happens once on a machine and may take half a minute.", file=sys.stderr
            )

    def on_end(self, event: Any) -> None:
        pass


announcement = _Announcement()
event.register("numba:compile", announcement)  # type: ignore[no-untyped-call]


def jit(function: Function, *, is_inlined: bool = False) -> Function:
    """Compile ``function`` with Numba, once per machine.

    The machine code is kept in a cache on disk beside the source, until the function's file or `core` changes; so a
    kernel and its helpers belong in one file. Arithmetic is strict (no fastmath): single and batched environments must
    agree bit for bit.

    Args:
        function: a pure function of numbers and arrays.
        is_inlined: merge it into the kernel that calls it, so that loops around it can be vectorised.

    Returns:
        The compiled function, called like the original. The original stays reachable as ``.py_func``.
    """
    function.__qualname__ += f"_{_CORE}"
    compiled: Any = numba.njit(cache=True, error_model="numpy", forceinline=is_inlined)(function)
    return cast(Function, compiled)


def inlined(function: Function) -> Function:
    """Compile a helper that is merged into the kernel that calls it, see `jit`."""
    return jit(function, is_inlined=True)


def bound(kernel: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Return ``kernel`` compiled for the types of ``arguments``, callable without looking them up again.

    Numba's dispatcher takes longer than a step of a small kernel. The result must be called with arguments of exactly
    these types; that is for callers who own all of them.
    """
    types = tuple(map(numba.typeof, arguments))
    kernel.compile(types)  # type: ignore[attr-defined]
    entry: Callable[..., Any] = kernel.get_overload(types)  # type: ignore[attr-defined]
    return entry
