"""Arguments of a learner: a dataclass whose field docstrings are the help."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def describe(kind: type[Any]) -> list[tuple[str, Any, str]]:
    """Return (name, default, help) of each field of a dataclass, the help from the docstring below the field.

    The fields of its bases are among them; a field that is declared again without a docstring keeps the help.
    """
    helps: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            helps |= _helps(base)
    return [(field.name, field.default, helps.get(field.name, "")) for field in dataclasses.fields(kind)]


def _helps(kind: type[Any]) -> dict[str, str]:
    """Return the help of each field that ``kind`` itself declares with one."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef))
    return {
        field.target.id: inspect.cleandoc(ast.literal_eval(doc.value)).replace("`", "")
        for field, doc in zip(body, body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr)
    }


def parse(assignments: Iterable[str]) -> dict[str, Any]:
    """Read ``["gamma=0.9", "hidden_sizes=[64, 64]", "activation=tanh"]``; values are JSON or plain words.

    Raises:
        ValueError: an assignment without "=".
    """
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"{assignment!r} sets nothing: write it as NAME=VALUE, for instance gamma=0.95.")
        try:
            values[name.strip()] = json.loads(text)
        except json.JSONDecodeError:
            values[name.strip()] = text
    return values


def fill(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make ``kind`` from values that came from JSON or the command line.

    Raises:
        ValueError: an unknown name, or a value of another type than the field's; says what is allowed.
    """
    defaults = {name: default for name, default, _ in describe(kind)}
    arguments = {}
    for name, value in values.items():
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"There is no argument {name!r}.{hint} Allowed: {', '.join(defaults)}.")
        arguments[name] = _like(defaults[name], value, name)
    return kind(**arguments)


def _like(default: Any, value: Any, name: str) -> Any:
    """Return ``value`` in the type of ``default``."""
    if isinstance(default, tuple) and isinstance(value, list | tuple | int):
        entries = (value,) if isinstance(value, int) else value
        return tuple(_like(default[0], entry, name) for entry in entries)
    if isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, int) and isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not type(default):
        raise ValueError(f"{name} = {value!r}: something like {json.dumps(default)} is needed.")
    return value
