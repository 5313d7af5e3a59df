"""Policies in files, for environments in which others act too: opponents, and tools that put a policy to the test.

Environments know no learner. Who writes a kind of file declares who reads it, in the entry-point group
``rlx.policies``; the name there is the file's ending, without the dot.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

GROUP = "rlx.policies"


class Policy(Protocol):
    """What acts, trained or written."""

    def reset(self) -> None:
        """Forget the episode before; called at the start of each."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Choose the action for what ``reset`` or ``step`` of the environment just returned.

        Where the policy's ``is_batched`` is true, also for a batch of observations, as a vector environment has them.
        """


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy.

    Args:
        path: a file, or the folder of a training run, which holds a ``policy.npz``.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: nobody reads such files, or it is none of them.
    """
    file = Path(path)
    file = file / "policy.npz" if file.is_dir() else file
    if not file.exists():
        raise FileNotFoundError(f"There is no policy at {file}. `rlx train` writes policy.npz files.")
    readers = {reader.name: reader for reader in entry_points(group=GROUP)}
    if file.suffix[1:] not in readers:
        raise ValueError(f"{file}: policies are files that end in {', '.join(f'.{name}' for name in readers)}.")
    policy: Policy = readers[file.suffix[1:]].load()(file)
    return policy
