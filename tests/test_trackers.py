"""Trackers are told what the log is told, and results do not depend on them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
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
from rlx.baselines.compare.trackers import TRACKERS, WeightsAndBiases, numbers
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
        log=lambda values, step, commit: told.append((step, values)), finish=lambda: told.append(("finish", None))
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


def rows_written(home: Path) -> dict[int, dict[str, float]]:
    """Read what Weights & Biases has written in ``home``, of all runs of the job: step -> its numbers."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = {}
    for file in sorted(home.glob("wandb/offline-run-*/*.wandb")):
        data, place, record = file.read_bytes(), 7, b""  # 7 bytes say what the file is
        while place + 7 <= len(data):  # a part of a record is a checksum, its length, its kind, and its bytes
            if 32768 - place % 32768 < 7:  # what is left of a block is padding
                place += 32768 - place % 32768
                continue
            length, kind = struct.unpack_from("<HB", data, place + 4)
            record += data[place + 7 : place + 7 + length]
            place += 7 + length
            if kind in (1, 4):  # a whole one, or the last part
                items = Record.FromString(record).history.item
                row = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}
                found |= {row.pop("_step"): {name: row[name] for name in row if name[0] != "_"}} if row else {}
                record = b""
    return found


@pytest.mark.slow
def test_weights_and_biases_keeps_every_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the real package: every row of the log, also the last one before a process is killed."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (job,) = jobs_of(make_settings("Toy/Reach-v0", {}, ["ddpg"], SMALL, [0], 60, 2, 3))
    home = tmp_path / "killed"
    home.mkdir()
    write_json(home / "job.json", content(job))
    code = f"""
import time
from pathlib import Path
from rlx.baselines.compare.files import read_json
from rlx.baselines.compare.manifest import Job
from rlx.baselines.compare.trackers import WeightsAndBiases
home = Path({str(home)!r})
tracker = WeightsAndBiases(home, Job(**read_json(home / "job.json")))
tracker.log(0, {{"loss": 2.0}})
tracker.log(30, {{"loss": 1.0}})
time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 40.0
        while 30 not in rows_written(home) and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        child.kill()
        child.wait()
    resumed = WeightsAndBiases(home, job)
    resumed.log(60, {"loss": 0.5})
    resumed.close()
    assert rows_written(home) == {0: {"loss": 2.0}, 30: {"loss": 1.0}, 60: {"loss": 0.5}}

    carry_out(tmp_path / "job", "wandb")
    rows = read_log(tmp_path / "job" / "log.jsonl")
    assert len(rows) == 3
    assert rows_written(tmp_path / "job") == {row["step"]: pytest.approx(numbers(row)) for row in rows}


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
