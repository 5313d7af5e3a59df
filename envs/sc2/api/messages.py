"""The messages of the SC2 API, of whichever package brings them.

Two distributions write the folder ``s2clientprotocol``. ``pys2clientprotocol`` is current; the files of
``s2clientprotocol`` itself are so old that protobuf refuses them ("Descriptors cannot be created directly"). The
definitions in them are as good as ever, so where the old files are the ones installed, message classes are built from
these.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

from gymnasium.error import DependencyNotInstalled

#: The files of the protocol; each needs some of those before it.
FILES = ("common", "data", "debug", "error", "query", "raw", "score", "spatial", "ui", "sc2api")


def definition(source: str) -> bytes:
    """Return the protocol definition that a generated Python file of the old kind holds.

    Raises:
        ValueError: it holds none.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "serialized_pb" and isinstance(node.value, ast.Call):
            text = ast.literal_eval(node.value.args[0])
            return text if isinstance(text, bytes) else str(text).encode("latin1")
    raise ValueError("No serialized_pb: this is no generated file of protoc 2.6.")


def build(name: str, serialized: bytes) -> types.ModuleType:
    """Return the module ``name`` with the message classes of a protocol definition."""
    from google.protobuf import descriptor_pool
    from google.protobuf.internal import builder

    module = types.ModuleType(name)
    module.DESCRIPTOR = descriptor = descriptor_pool.Default().AddSerializedFile(serialized)  # type: ignore[attr-defined]
    builder.BuildMessageAndEnumDescriptors(descriptor, module.__dict__)
    builder.BuildTopDescriptorsAndMessages(descriptor, name, module.__dict__)
    return module


def load() -> dict[str, Any]:
    """Import the messages, or build them from old files; return the modules by the names in `FILES`.

    Raises:
        DependencyNotInstalled: there are none.
    """
    names = {file: f"s2clientprotocol.{file}_pb2" for file in FILES}
    try:
        return {file: importlib.import_module(name) for file, name in names.items()}
    except ImportError as error:
        raise DependencyNotInstalled(f'The SC2 API needs its messages ({error}): pip install "rlx[sc2]"') from error
    except TypeError:
        pass
    for name in names.values():
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        sys.modules[name] = build(name, definition(Path(spec.origin).read_text()))
    return {file: sys.modules[name] for file, name in names.items()}


_modules = load()

from google.protobuf.message import DecodeError  # noqa: E402 - what is missing has been said by now

__all__ = ["DecodeError", "common", "data", "raw", "sc2api", "score"]

common: Any = _modules["common"]
data: Any = _modules["data"]
raw: Any = _modules["raw"]
sc2api: Any = _modules["sc2api"]
score: Any = _modules["score"]
