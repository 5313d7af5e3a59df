"""Trackers are told what the log is told, and results do not depend on them."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import toys  # noqa: F401  (registers its environments)
from typer.testing import CliRunner

from rlx.baselines.compare.files import read_json, read_log, write_json
from rlx.baselines.compare.job import run
from rlx.baselines.compare.manifest import Job, content, jobs_of, make_settings
from rlx.baselines.compare.trackers import TRACKERS, numbers
from rlx.registry.cli import app

SMALL = {"ddpg": {"hidden_sizes": [8], "warmup": 20, "batch_size": 8}}


def carry_out(home: Path, tracker: str) -> Job:
    (job,) = jobs_of(make_settings("Toy/Reach-v0", {}, ["ddpg"], SMALL, [0], 60, 2, 3))
    home.mkdir()
    write_json(home / "job.json", content(job))
    run(home, tracker=tracker)
    return job


def test_tensorboard_has_every_evaluation(tmp_path: Path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    carry_out(tmp_path / "job", "tensorboard")
    (file,) = (tmp_path / "job" / "tensorboard").glob("events.*")
    data, place, told = file.read_bytes(), 0, {}
    while place < len(data):  # a record is its length, a checksum, an event, and a checksum
        (length,) = struct.unpack_from("<Q", data, place)
        event = Event.FromString(data[place + 12 : place + 12 + length])
        told |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        place += 16 + length
    rows = read_log(tmp_path / "job" / "log.jsonl")
    expected = {(name, row["step"]): value for row in rows for name, value in numbers(row).items()}
    assert told.keys() == expected.keys() and len(rows) == 3
    np.testing.assert_allclose([told[key] for key in expected], list(expected.values()), rtol=1e-6)

    carry_out(tmp_path / "other", "none")
    assert (tmp_path / "other" / "log.jsonl").read_bytes() == (tmp_path / "job" / "log.jsonl").read_bytes()
    assert read_json(tmp_path / "other" / "done.json")["hash"] == read_json(tmp_path / "job" / "done.json")["hash"]


def test_weights_and_biases_gets_a_run_that_can_be_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[str, Any]] = []
    service = SimpleNamespace(
        log=lambda values, step: told.append((step, values)), finish=lambda: told.append(("finish", None))
    )
    module = SimpleNamespace(init=lambda **settings: told.append(("init", settings)) or service)
    monkeypatch.setitem(sys.modules, "wandb", module)
    job = carry_out(tmp_path / "job", "wandb")
    (_, settings), *rows, last = told
    assert settings["id"] == job.hash[:32] and settings["resume"] == "allow" and settings["config"]["algo"] == "ddpg"
    assert [step for step, _ in rows] == [0, 30, 60] and last == ("finish", None)
    assert rows[-1][1]["evaluation/return"] == pytest.approx(
        np.mean(read_log(tmp_path / "job" / "log.jsonl")[-1]["returns"])
    )


def test_numbers_of_a_row():
    row = {"returns": [1.0, 3.0], "lengths": [4, 6], "costs": [0.0, 0.5], "ends": ["success", "failure"]}
    assert numbers({**row, "metrics": {"loss": 2.0}}) == {
        "evaluation/return": 2.0, "evaluation/length": 5.0, "evaluation/cost": 0.25, "evaluation/success": 0.5,
        "learner/loss": 2.0,
    }  # fmt: skip
    assert "evaluation/success" not in numbers({**row, "ends": ["truncated", "terminated"]})


def test_unknown_trackers_are_told(tmp_path: Path):
    result = CliRunner().invoke(app, ["compare", "Pendulum-v1", "--tracker", "paper", "--out", str(tmp_path / "a")])
    assert result.exit_code != 0 and ", ".join(TRACKERS) in " ".join(result.output.replace("│", " ").split())
