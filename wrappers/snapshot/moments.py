"""Moments of episodes, and the file that keeps them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..states.encoding import decode, encode

_FORMAT, _VERSION = "rlx.snapshots", 1


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """A moment of an episode."""

    state: Mapping[str, Any]
    """What `save_state` returned."""
    observation: Any
    """What the teacher saw."""
    info: dict[str, Any]
    """And was told, with the episode's ``"context"``, where it has one."""
    value: float
    """What the teacher expected from here: its status."""
    episode: int
    step: int
    """Steps since the episode's start."""
    reward_to_go: float
    """Sum of the rewards that the teacher got from here on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshots:
    """Moments of a teacher's episodes, in the order of time."""

    moments: tuple[Snapshot, ...]
    provenance: Mapping[str, Any]
    """Where they come from: plain values. ``"steps"`` is the number of steps that the teacher took."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.moments)

    @property
    def values(self) -> NDArray[np.float64]:
        """The teacher's values, shape (len(self),)."""
        return np.array([moment.value for moment in self.moments])

    def save(self, path: str | Path) -> None:
        """Write a compressed file, atomically. Reading it runs no code.

        Raises:
            StateError: a state, observation or info holds what is not plain; names it.
        """
        rows = [tuple(getattr(moment, field.name) for field in _FIELDS) for moment in self.moments]
        text, arrays = encode(rows)
        header = json.dumps({"format": _FORMAT, "version": _VERSION, "provenance": dict(self.provenance)})
        texts = {name: np.frombuffer(part.encode(), np.uint8) for name, part in (("header", header), ("text", text))}
        temporary = Path(f"{path}.partial")
        with temporary.open("wb") as file:
            np.savez_compressed(file, **texts, **{f"array_{i}": array for i, array in enumerate(arrays)})  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


_FIELDS = dataclasses.fields(Snapshot)


def read_snapshots(path: str | Path) -> Snapshots:
    """Read what `Snapshots.save` wrote; no code in the file is run.

    Raises:
        ValueError: it is no file of snapshots, is damaged, or of a later version.
        OSError: it cannot be opened.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = dict(file)
        header = json.loads(parts.pop("header").tobytes())
        if header["format"] != _FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
        if header["version"] > _VERSION:
            raise ValueError(f"its version is {header['version']}, and this rlx reads {_VERSION}: update rlx")
        rows = decode(parts.pop("text").tobytes().decode(), [parts[f"array_{i}"] for i in range(len(parts))])
        moments = tuple(Snapshot(*row) for row in rows)
        if "steps" not in header["provenance"]:
            raise ValueError("it does not tell where they come from")
        if not all(isinstance(moment.state, dict) and isinstance(moment.info, dict) for moment in moments):
            raise ValueError("its parts are no snapshots")
        return Snapshots(moments, header["provenance"])
    except OSError:
        raise
    except Exception as error:  # what damaged bytes raise in zip, zlib, NumPy and JSON is a long list
        how = "Make one by collect_snapshots(...).save(path)."
        raise ValueError(f"{path} is no file of snapshots: {error}. {how}") from error
