"""Programs from what compilers print: HLO text, and JAX functions by way of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from gymnasium.error import DependencyNotInstalled

from .hlo import parse
from .lowering import lower
from .program import IN_PLACE_OF_BF16, Program


def from_hlo(text: str, name: str | None = None, source: str = "hlo") -> Program:
    """See `Program.from_hlo`."""
    module = parse(text)
    return lower(module, name or module.name, source)


def from_jax(function: Callable[..., Any], *shapes: Any, name: str | None = None, as_bf16: bool = False) -> Program:
    """See `Program.from_jax`."""
    compiled = compile_jax(function, *shapes)
    name = name or getattr(function, "__name__", None)
    return from_hlo(compiled.as_text(), name, IN_PLACE_OF_BF16 if as_bf16 else "jax")


def require(module: str) -> Any:
    """Import a module that only the import of programs needs.

    Raises:
        gymnasium.error.DependencyNotInstalled: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DependencyNotInstalled(
            f'Importing a program needs {module.split(".")[0]}: `pip install "rlx[malloc-import]"`.'
        ) from None


def compile_jax(function: Callable[..., Any], *shapes: Any) -> Any:
    """Compile a function for the machine at hand, without running it; return JAX's compiled function."""
    jax = require("jax")

    def is_dims(entry: Any) -> bool:
        return isinstance(entry, tuple) and all(isinstance(extent, int) for extent in entry)

    def shaped(entry: Any) -> Any:
        return jax.ShapeDtypeStruct(entry, "float32") if is_dims(entry) else entry

    arguments = jax.tree.map(shaped, shapes, is_leaf=lambda entry: entry is not shapes and is_dims(entry))
    lower = getattr(function, "lower", None) or jax.jit(function).lower
    return lower(*arguments).compile()
