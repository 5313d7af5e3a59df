"""The one way rlx compiles a kernel."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types
from numba.core import event

Function = TypeVar("Function", bound=Callable[..., Any])


@functools.cache
def _digest(record: types.Record) -> str:
    fields = repr((record.name, record.size, record.aligned))
    return hashlib.sha256(fields.encode()).hexdigest()[:16]


# Numba names machine code by the types of the arguments, and a record's type by a number that every process counts for
# itself. Two records that were compiled in two processes may have the same number; loaded together from the cache, one
# would run the code of the other. So here a record's name says what is in it.
types.Record.mangling_args = property(  # type: ignore[method-assign, assignment]
    lambda record: (type(record).__name__, (_digest(record),))
)


@functools.cache
def _stamp(folder: Path) -> str:
    """Return a mark of the kernels in ``folder``, of the random streams, and of the lines that problems number.

    A kernel is compiled together with what it calls. Numba would not see that this has changed: it finds cached machine
    code by a function's name, and by the contents of the function's own file.
    """
    digest = hashlib.sha256()
    for path in (*sorted(Path(__file__).parent.rglob("*.py")), *sorted(folder.glob("*.py"))):
        source = path.read_bytes()
        if b"@jit" in source or b"@inlined" in source or path.name == "problem.py":
            digest.update(source)
    return digest.hexdigest()[:8]


class _Announcement(event.Listener):
    """Tells who waits at a terminal why: a cold cache, which takes a drive half a minute."""

    is_due = True

    def on_start(self, event: Any) -> None:
        if self.is_due and sys.stderr.isatty() and hasattr(event.data["dispatcher"].py_func, "is_kernel"):
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

    The machine code is kept in a cache on disk beside the source, until a kernel in the same folder, or the random
    streams, change; so a kernel and its helpers belong in one folder. Arithmetic is strict (no fastmath): single and
    batched environments must agree bit for bit.

    Args:
        function: a pure function of numbers and arrays.
        is_inlined: merge it into the kernel that calls it, so that loops around it can be vectorised.

    Returns:
        The compiled function, called like the original. The original stays reachable as ``.py_func``.
    """
    function.__qualname__ += f"_{_stamp(Path(function.__code__.co_filename).parent)}"
    function.is_kernel = True  # type: ignore[attr-defined]
    compiled: Any = numba.njit(cache=True, error_model="numpy", forceinline=is_inlined)(function)
    return cast(Function, compiled)


def inlined(function: Function) -> Function:
    """Compile a helper that is merged into the kernel that calls it, see `jit`."""
    return jit(function, is_inlined=True)


def bound(kernel: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Return ``kernel`` compiled for the types of ``arguments``, callable without looking them up again.

    Numba's dispatcher takes longer than a step of a small kernel. The result must be called with arguments of exactly
    these types; that is for callers who own all of them. What is no kernel is returned as it is.
    """
    if not hasattr(kernel, "compile"):
        return kernel
    signature = tuple(map(numba.typeof, arguments))
    kernel.compile(signature)
    entry: Callable[..., Any] = kernel.get_overload(signature)  # type: ignore[attr-defined]
    return entry
