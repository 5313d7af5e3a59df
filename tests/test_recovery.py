"""Steps to recover: learners go on where they ended, in another set-up, until they are as good as they were."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from typer.testing import CliRunner

from rlx.baselines import recovery
from rlx.baselines.compare.files import read_log, write_json
from rlx.baselines.compare.job import FINAL, run
from rlx.baselines.compare.manifest import content, make_settings, write_manifest
from rlx.baselines.compare.run import is_done, job_folder
from rlx.baselines.policy import load_policy
from rlx.baselines.recovery import Plan, recover_all
from rlx.registry.cli import app

LEVERS = "Toy/Levers-v0"
PPO = {"num_envs": 8, "rollout_steps": 8, "hidden_sizes": [8], "batch_size": 32, "rate": 0.02, "entropy_weight": 0.6}
PLAN = Plan(steps=2000, every=200, episodes=20)


class Levers(gymnasium.Env[Any, Any]):
    """One of three levers is the right one, which is not seen. Pulling it pays 1, another one ``wrong``; that is all.

    With ``tells`` info says whether it was a success.
    """

    observation_space = spaces.Box(0.0, 1.0, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, right: int = 0, wrong: float = 0.0, tells: bool = True) -> None:
        self.right, self.wrong, self.tells = right, wrong, tells

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.ones(2, np.float32), {}

    def step(self, action: Any) -> Any:
        is_right = action == self.right
        info = {"success": bool(is_right)} if self.tells else {}
        return np.ones(2, np.float32), 1.0 if is_right else self.wrong, True, False, info


gymnasium.register(LEVERS, entry_point=Levers, disable_env_checker=True)


def train(folder: Path, seeds: int = 2, keep_learner: bool = True, **env_kwargs: Any) -> Path:
    settings = make_settings(LEVERS, env_kwargs, ["ppo", "random"], {"ppo": PPO}, range(seeds), 2000, 1, 10)
    for job in write_manifest(folder, settings):
        home = job_folder(folder, job)
        home.mkdir(parents=True)
        write_json(home / "job.json", content(job))
        run(home, keep_learner)
        assert is_done(folder, job)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has kept its learners."""
    return train(tmp_path_factory.mktemp("trained") / "run")


def test_a_change_costs_all_and_is_learned(trained: Path, tmp_path: Path):
    told: list[float] = []
    found = recover_all(trained, tmp_path, {"right": [0, 2]}, PLAN, told.append)
    assert [(one.seed, one.setup) for one in found] == [(s, {"right": r}) for s in (0, 1) for r in (0, 2)]
    assert told == sorted(told) and told[0] == 0.0 and 0.75 < told[-1] <= 1.0
    for one in found:
        assert (one.algo, one.has_success, one.before, one.target) == ("ppo", True, 1.0, 0.95)
        if one.setup == {"right": 0}:  # where it was trained
            assert (one.steps, one.curve) == (0, [(0, 1.0)])
            continue
        steps, scores = zip(*one.curve, strict=True)
        assert steps == tuple(range(0, 200 * len(steps), 200))
        assert all(score < 0.95 for score in scores[:-1]) and scores[0] == 0.0 and scores[-1] == 1.0
        assert one.steps == steps[-1] > 0
    assert not list(trained.glob("jobs/random*/*.pt")) and not list(trained.glob("jobs/*/checkpoint.pt"))


def test_no_longer_than_allowed(trained: Path, tmp_path: Path):
    (one, other) = recover_all(trained, tmp_path, {"right": [1]}, Plan(steps=20, every=9, episodes=5))
    # Eight environments are stepped together.
    assert [steps for steps, _ in one.curve] == [0, 16, 24]
    assert one.steps == other.steps == math.inf
    recovery.write_results(tmp_path, [one, other])
    assert "| ppo, right=1 | 100.0 % | 0.0 % | > 20 | > 20 | > 20 |" in (tmp_path / "recovery.md").read_text()
    learners = json.loads((tmp_path / "recovery.json").read_text())["learners"]
    assert [row["steps_to_recover"] for row in learners] == [None, None]


def test_what_was_stopped_goes_on_and_ends_the_same(trained: Path, tmp_path: Path):
    vary = {"right": [1, 2]}
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    whole.mkdir()
    torn.mkdir()
    expected = recover_all(trained, whole, vary, PLAN)

    def stop(fraction: float) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover_all(trained, torn, vary, PLAN, stop)
    assert len(read_log(torn / "recovery.jsonl")) == 2
    assert recover_all(trained, torn, vary, PLAN) == expected
    assert (torn / "recovery.jsonl").read_bytes() == (whole / "recovery.jsonl").read_bytes()
    with pytest.raises(ValueError, match="begun with Plan.*episodes=20., not Plan.*episodes=21"):
        recover_all(trained, torn, vary, Plan(2000, 200, 21))


def test_returns_count_from_random_play(tmp_path: Path):
    """All returns are negative here, so that 95 % of one alone would be more than all of it."""
    folder = train(tmp_path / "run", seeds=1, wrong=-8.0, tells=False)
    (one,) = recover_all(folder, tmp_path, {"right": [1]}, PLAN)
    assert not one.has_success and one.before == 1.0
    zero = (one.target - 0.95 * one.before) / 0.05
    assert -8.0 < zero < -2.0
    assert one.curve[0] == (0, -8.0) and one.curve[-1][1] == 1.0


def rlx(*arguments: Any) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output + (repr(result.exception) if result.exception else "")


def test_the_command(trained: Path, tmp_path: Path):
    out = tmp_path / "out"
    arguments = ["recover", trained, "--out", out, "--steps", 2000, "--every", 200, "--episodes", 20]
    code, text = rlx(*arguments, "--vary", "right=0,2")
    assert code == 0, text
    assert "ppo, right=2" in text
    assert sorted(path.name for path in out.iterdir()) == [
        "lock", "recovery.json", "recovery.jsonl", "recovery.md", "recovery.png",
    ]  # fmt: skip
    page = (out / "recovery.md").read_text()
    assert "| ppo, right=0 | 100.0 % | 100.0 % | 0 | 0 | 0 |" in page
    numbers = json.loads((out / "recovery.json").read_text())
    assert numbers["share"] == 0.95
    steps = [row["steps_to_recover"] for row in numbers["learners"] if row["setup"] == {"right": 2}]
    assert f"| {steps[0]:,} | {steps[1]:,} | {np.median(steps):,.0f} |" in page

    code, text = rlx(*arguments)
    assert code != 0 and "Say by --vary in which set-ups" in text
    code, text = rlx(*arguments, "--vary", "left=1")
    assert code != 0 and "left" in text
    code, text = rlx(*arguments[:-1], 0, "--vary", "right=1")
    assert code != 0 and "episodes = 0: at least 1 is needed" in text


def test_learners_are_kept_where_asked(tmp_path: Path):
    folder = train(tmp_path / "run", seeds=1, keep_learner=False)
    assert load_policy(next(folder.glob("jobs/ppo*")))
    assert not list(folder.glob(f"jobs/*/{FINAL}"))
    with pytest.raises(ValueError, match="holds 1 trained policies, but no learner that could go on.*--keep-learners"):
        recover_all(folder, tmp_path, {"right": [1]}, PLAN)
