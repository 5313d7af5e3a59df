"""Files that survive being killed: atomic writes, logs that are only ever appended to, and folders with one owner."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` so that ``path`` holds either the old content or the new one, never a part."""
    temporary = path.with_name(path.name + ".partial")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


class Log:
    """A JSONL file: one object per line. A last line that was cut off by a kill does not count."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` for appending; drop an unfinished last line."""
        self.rows = read_log(path)
        if path.exists():
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        self._file = path.open("ab")

    def append(self, row: dict[str, Any]) -> None:
        """Write one object, and let it reach the disk."""
        self.rows.append(row)
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the finished rows of a log; none if it does not exist."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@contextlib.contextmanager
def lock(folder: Path, is_patient: bool = False) -> Iterator[None]:
    """Hold the folder for this process; the system lets go of it when the process ends, however it ends.

    Args:
        folder: to be held.
        is_patient: wait for a process that holds it.

    Raises:
        ValueError: another process holds it.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if is_patient else fcntl.LOCK_NB))
        except OSError:
            raise ValueError(f"Another process is at work in {folder}: wait for it, or stop it first.") from None
        yield
