"""Snapshots of a teacher's episodes, and resets that start from them.

After Zhao et al., "Snapshot Reinforcement Learning: Leveraging Prior Trajectories for Efficiency" (2024,
https://arxiv.org/abs/2403.00673): a student's first episodes start in states that a teacher has reached, and with
S3RL they start in states of all kinds (status classification) and end early (student trajectory truncation).

`collect_snapshots` makes `Snapshots`, `read_snapshots` reads their file, and `SnapshotReset` starts from them. Built on
the same `save_state`: `BackwardReset`, a curriculum from a demonstration's end to its beginning, and `ArchiveReset`,
which returns to what exploration itself has found.
"""

from .collecting import collect_snapshots
from .lot import classify
from .moments import Snapshot, Snapshots, read_snapshots
from .resets import ArchiveReset, BackwardReset, SnapshotReset
from .rows import SnapshotVectorReset

__all__ = [
    "ArchiveReset",
    "BackwardReset",
    "Snapshot",
    "SnapshotReset",
    "SnapshotVectorReset",
    "Snapshots",
    "classify",
    "collect_snapshots",
    "read_snapshots",
]
