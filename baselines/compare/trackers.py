"""Where the numbers of a run go while it learns, besides its log: TensorBoard, Weights & Biases, or nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .manifest import Job, content


class Tracker(Protocol):
    """Takes numbers by step."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take ``values``, by name, as they are after ``step`` environment steps."""

    def close(self) -> None:
        """Write what has not been written."""


class TensorBoard:
    """Event files in the job's folder: ``tensorboard --logdir OUT`` shows all jobs of a comparison."""

    def __init__(self, home: Path, job: Job) -> None:
        """Write beside the log in ``home``."""
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(home / "tensorboard"))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take ``values`` as they are after ``step`` environment steps."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Write what has not been written."""
        self._writer.close()


class WeightsAndBiases:
    """A run of the project ``rlx``, or ``WANDB_PROJECT``; a resumed job continues it."""

    def __init__(self, home: Path, job: Job) -> None:
        """Start or continue the run of ``job``."""
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "rlx"),
            group=job.env_id,
            name=f"{job.algo}, seed {job.seed}",
            id=job.hash[:32],
            resume="allow",
            config=content(job),
            dir=str(home),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take ``values`` as they are after ``step`` environment steps."""
        self._run.log(dict(values), step=step, commit=True)  # else they wait for the next step, and a kill loses them

    def close(self) -> None:
        """Write what has not been written."""
        self._run.finish()


class Nowhere:
    """Takes numbers and forgets them."""

    def __init__(self, home: Path, job: Job) -> None:
        """Do nothing."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


TRACKERS: dict[str, type[Nowhere] | type[TensorBoard] | type[WeightsAndBiases]] = {
    "none": Nowhere,
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """Return what of a row of a log can be drawn: means over its episodes, and the learner's metrics."""
    ends = row["ends"]
    return {
        "evaluation/return": float(np.mean(row["returns"])),
        "evaluation/length": float(np.mean(row["lengths"])),
        "evaluation/cost": float(np.mean(row["costs"])),
        **({"evaluation/success": ends.count("success") / len(ends)} if {"success", "failure"} & set(ends) else {}),
        **{f"learner/{name}": value for name, value in row.get("metrics", {}).items()},
    }
