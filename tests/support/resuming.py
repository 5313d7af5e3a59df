"""Runs of training that are stopped and go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


def whole_and_resumed(make: Callable[[], Any], step: int, until: int, folder: Path) -> tuple[Any, Any]:
    """Return a run that was saved at ``step`` and went on to ``until``, and one that has just loaded what was saved."""
    whole = make()
    whole.learn(step)
    whole.save(folder / "checkpoint")
    whole.learn(until)
    resumed = make()
    resumed.load(folder / "checkpoint")
    return whole, resumed


def assert_saving_changes_nothing(make: Callable[[], Any], step: int, until: int, folder: Path) -> None:
    """Assert that a run ends alike if it is never saved, saved at ``step``, or resumed from there."""
    never, (whole, resumed) = make(), whole_and_resumed(make, step, until, folder)
    never.learn(until)
    resumed.learn(until)
    files = []
    for name, learner in {"never": never, "whole": whole, "resumed": resumed}.items():
        learner.policy.save(folder / f"{name}.npz")
        files.append((folder / f"{name}.npz").read_bytes())
    assert never.updates == whole.updates == resumed.updates > 0
    assert files[0] == files[1] == files[2]


def assert_learned_alike(ours: Any, theirs: Any) -> None:
    """Assert that two runs of DQN have the same network and have seen the same."""
    assert ours.updates == theirs.updates > 0
    for parameter, other in zip(ours.network.parameters, theirs.network.parameters, strict=True):
        assert torch.equal(parameter, other)
    for name, column in ours.replay.columns.items():
        rows = len(ours.replay)
        assert np.array_equal(column[:rows], theirs.replay.columns[name][:rows])
