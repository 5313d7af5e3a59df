"""The table of learning with snapshots, on a small task: what is kept, what counts, and what is written."""

import json
import math

import gymnasium
import numpy as np
import pytest

from rlx.baselines import snapshot_table as table
from rlx.wrappers.snapshot import SnapshotReset, SnapshotVectorReset, collect_snapshots

PENDULUM = table.Task("Pendulum-v1", "ppo", 1_024, 1_024, 20)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(table, "TASKS", (PENDULUM,))
    monkeypatch.setattr(table, "ARMS", {"base": None, "S3RL": table.ARMS["S3RL"]})
    for name, value in {"SEEDS": 2, "POINTS": 2, "EPISODES": 2, "FLOOR_EPISODES": 2, "SHOWN": (1, 2)}.items():
        monkeypatch.setattr(table, name, value)


def test_the_first_evaluation_at_a_level_counts():
    assert table.steps_to(1.0, [0.0, 1.0, 0.0, 2.0], [10, 20, 30, 40]) == 20
    assert table.steps_to(3.0, [0.0, 1.0, 0.0, 2.0], [10, 20, 30, 40]) == math.inf


def test_a_run_that_never_reaches_a_level_is_told(small):
    curves = {PENDULUM.name: {"base": np.array([[0.0, 0.0], [0.0, 9.0]]), "S3RL": np.array([[9.0, 9.0], [9.0, 9.0]])}}
    teachers = {PENDULUM.name: {"random": 0.0, "return": 10.0, "collected": 7}}
    rows = [line for line in table.thresholds(curves, teachers) if "| 5 |" in line]
    assert "1 of 2 | ≥ 1,024 (1,024 to 1,024) | ≥ 1,024 (1,024 to 1,024)" in rows[0]
    assert "2 of 2 | 512 (512 to 512) | 519 (519 to 519)" in rows[1]


def test_what_is_kept_is_not_run_again(small, tmp_path, monkeypatch):
    monkeypatch.setattr(table, "run_all", lambda folder, jobs: folder.mkdir(exist_ok=True))
    monkeypatch.setattr(
        "sys.argv", ["snapshot_table", "--out", str(tmp_path / "runs"), "--page", str(tmp_path / "page.md")]
    )
    table.main()
    page = (tmp_path / "page.md").read_text()
    assert page.count("| Pendulum | S3RL |") == 1 and (tmp_path / "page.svg").exists()
    assert len(list((tmp_path / "runs").glob("Pendulum-S3RL-*.json"))) == 2

    made = table.make_learner
    monkeypatch.setattr(table, "make_learner", None)
    table.main()
    assert (tmp_path / "page.md").read_text() == page
    file = tmp_path / "runs" / "Pendulum-base-0.json"
    found = json.loads(file.read_text())
    file.write_text(json.dumps({**found, "settings": {**found["settings"], "steps": 1}}))
    monkeypatch.setattr(table, "make_learner", made)
    again = table.study(tmp_path / "runs", PENDULUM, "base", 0)
    assert again["returns"] == found["returns"] and again["settings"] == found["settings"]


@pytest.mark.parametrize(
    ("env_id", "kind"), [("Pendulum-v1", SnapshotReset), ("rlx/RoguelikeNPC-Paper-v0", SnapshotVectorReset)]
)
def test_environments_start_from_snapshots_for_as_many_steps_in_all(env_id, kind, tmp_path):
    env = gymnasium.make(env_id)
    file = tmp_path / "snapshots.npz"
    collect_snapshots(env, lambda observation: 0 * env.action_space.sample(), episodes=1).save(file)
    settings = {"env_id": env_id, "snapshots": str(file), "classes": None, "horizon": 3, "steps": 8}
    envs = gymnasium.make_vec(table.STARTED, 2, **settings)
    inner = getattr(envs, "envs", [envs])
    assert all(isinstance(one, kind) for one in inner)
    envs.reset(seed=0)
    lengths = np.zeros(2, int)
    for t in range(12):
        *_, terminated, truncated, _ = envs.step(envs.action_space.sample())
        lengths += ~(terminated | truncated)
        assert t != 2 or truncated.all() or terminated.any()
    assert sum(one.samples["student"] for one in inner) > 8 and not truncated.any()
