"""`rlx tune`: what is searched, what is kept, and what a comparison makes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import toys
from typer.testing import CliRunner

from rlx.baselines.compare.files import read_json
from rlx.baselines.compare.manifest import read_settings
from rlx.baselines.compare.results import load_results, protocol
from rlx.baselines.evaluation import FIRST_SEED
from rlx.baselines.tuning import (
    FIRST_EPISODE,
    FIRST_RUN,
    SPACES,
    Plan,
    Range,
    attempt,
    open_study,
    propose,
    read_space,
    resume,
    states_of,
)
from rlx.registry.cli import app

pytest.importorskip("optuna")
TOY = "toys:Toy/Reach-v0"
SMALL = ["--set", "hidden_sizes=[8]", "--set", "warmup=20", "--set", "batch_size=8", "--steps", "60"]
SEARCH = ["--search", "actor_rate=1e-4:1e-2:log", "--search", "gamma=[0.5, 0.9]"]
FEW = ["--runs", "1", "--evaluations", "1", "--eval-episodes", "2"]


@pytest.fixture(autouse=True)
def toys_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(toys.__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(toys.__file__).parent), prepend=os.pathsep)


def rlx(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, " ".join((result.output + repr(result.exception or "")).replace("│", " ").split())


def params(folder: Path) -> list[dict[str, object]]:
    return [trial.params for trial in states_of(open_study(folder), ("COMPLETE", "PRUNED"))]


def test_the_best_of_a_search_is_what_a_comparison_takes(tmp_path: Path):
    out, runs = tmp_path / "search", tmp_path / "runs"
    code, text = rlx("tune", TOY, "--algo", "ddpg", *SMALL, *SEARCH, *FEW, "--trials", 2, "--out", out)
    assert code == 0, text
    found = read_json(out / "incumbent.json")
    assert found["trials"] == 2 and found["steps"] == 120 and found["args"]["steps"] == 60
    best = max(states_of(open_study(out), ("COMPLETE",)), key=lambda trial: trial.value or -np.inf)
    assert found["args"]["gamma"] == json.loads(best.params["gamma"]) and found["score"] == best.value

    # More trials go on, and do not depend on the interruption.
    code, text = rlx("tune", TOY, "--algo", "ddpg", *SMALL, *SEARCH, *FEW, "--trials", 3, "--out", out)
    assert code == 0, text
    whole = tmp_path / "whole"
    assert rlx("tune", TOY, "--algo", "ddpg", *SMALL, *SEARCH, *FEW, "--trials", 3, "--out", whole)[0] == 0
    assert params(out) == params(whole) and len(params(out)) == 3

    code, text = rlx("compare", TOY, "--algos", "ddpg,random", "--tuned", out, "--seeds", 1, "--evaluations", 1,
                     "--eval-episodes", 2, "--out", runs)  # fmt: skip
    assert code == 0, text
    settings = read_settings(runs)
    best_args = read_json(out / "incumbent.json")["args"]
    assert settings.algos["ddpg"].items() >= best_args.items()
    assert settings.tuning == {"ddpg": {"trials": 3, "steps": 180}}
    assert any("ddpg were found in 3 trials, 180 steps" in line for line in protocol(load_results(runs)))

    code, text = rlx("compare", "Pendulum-v1", "--tuned", out, "--out", tmp_path / "other")
    assert code != 0 and "ddpg was tuned for toys:Toy/Reach-v0" in text
    code, text = rlx("tune", TOY, "--algo", "ddpg", *FEW, "--out", out)
    assert code != 0 and "holds another search: given, space differ" in text


def test_a_trial_that_was_interrupted_is_made_again(tmp_path: Path):
    study, space = open_study(tmp_path), read_space("ddpg", {})
    proposed = propose(study.ask(), space)
    resume(study)
    assert len(states_of(study, ("FAIL",))) == 1 and not states_of(study, ("RUNNING",))
    assert propose(study.ask(), space) == proposed


def test_trials_see_no_run_and_no_episode_of_a_comparison(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    seeds: dict[str, list[int]] = {"runs": [], "episodes": []}

    class Learner:
        step, policy = 10, None

        def learn(self, until: int, on_step: object) -> None:
            pass

    class Played:
        returns = (1.0,)

    monkeypatch.setattr("rlx.baselines.tuning.make_learner",
                        lambda algo, env, kwargs, args: seeds["runs"].append(args["seed"]) or Learner())  # fmt: skip
    monkeypatch.setattr("rlx.baselines.tuning.evaluate",
                        lambda *arguments, seed: seeds["episodes"].append(seed) or Played())  # fmt: skip
    plan = Plan("ddpg", TOY, {}, {}, {}, runs=3, evaluations=2, episodes=5, seed=0)
    assert attempt(open_study(tmp_path).ask(), plan, lambda fraction: None) == 1.0
    assert seeds["runs"] == [FIRST_RUN, FIRST_RUN + 1, FIRST_RUN + 2]
    assert set(seeds["episodes"]) == {FIRST_EPISODE} and FIRST_SEED + 100_000 < FIRST_EPISODE < 2**31


@pytest.mark.parametrize("algo", list(SPACES))
def test_every_space_is_of_arguments_that_are_allowed(algo: str, tmp_path: Path):
    from rlx.baselines.learners import fill_args

    study = open_study(tmp_path)
    for _ in range(20):
        fill_args(algo, "", propose(study.ask(), read_space(algo, {})))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"gama": "0.1:0.2"}, "ddpg has no argument 'gama'. It has: steps"),
        ({"gamma": "0.9"}, "write LOW:HIGH, LOW:HIGH:log, or a list of values"),
        ({"gamma": "0.9:0.1"}, "LOW is less than HIGH"),
        ({"gamma": "0:0.1:log"}, "more than 0 for their logarithms"),
    ],
)
def test_spaces_that_cannot_be_read(texts: dict[str, str], words: str):
    with pytest.raises(ValueError, match=words):
        read_space("ddpg", texts)


def test_spaces():
    assert read_space("ppo", {"epochs": "2:9"}) == {"epochs": Range(2, 9)}
    with pytest.raises(ValueError, match="Say what to search of qweb: --search NAME=LOW:HIGH"):
        read_space("qweb", {})
