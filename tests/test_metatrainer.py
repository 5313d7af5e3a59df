"""The meta-trainer: INET learns to write instructions, and QWeb to do what it writes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resuming import assert_learned_alike, whole_and_resumed

from rlx.baselines.arguments import describe
from rlx.baselines.compare.manifest import make_settings
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import learners_for, make_learner
from rlx.baselines.metatrainer import Args, MetaQWeb

WEB = "rlx/WebNav-v0"
LOGIN = {"task": "login-user"}
SMALL = {"width": 0.25, "num_envs": 3, "batch_size": 8, "replay_size": 300, "warmup": 30}


def test_inet_learns_to_write_and_qweb_to_do_it():
    """Seconds of training, the task's own reward in none of them; it is what the policy is judged by."""
    args = Args(
        steps=6_000, inet_fraction=0.4, width=0.25, num_envs=8, batch_size=32, warmup=200, rate=5e-3, update_ratio=0.2
    )
    learner = make_learner("metaqweb", WEB, {"task": "enter-text"}, dataclasses.asdict(args))
    assert successes(learner.policy, "enter-text") < 0.2
    learner.learn(500, lambda step: None)
    assert isinstance(learner, MetaQWeb)
    assert learner.inet.success < 0.7
    learner.learn(args.steps)
    assert learner.inet.success >= 0.85
    assert successes(learner.policy, "enter-text") >= 0.8


def successes(policy: Any, task: str) -> float:
    ends = evaluate(lambda env: policy, WEB, {"task": task}, 100).ends
    return float(np.mean([end == "success" for end in ends]))


def test_inet_writes_and_qweb_does_not_learn_from_it():
    learner = MetaQWeb(WEB, LOGIN, Args(**SMALL, steps=800, inet_fraction=0.1125))
    learner.learn(90)
    wrote = acted = 0
    while learner.step < 500:
        writing, begun = learner._is_writing(), learner.replay.count % learner.replay.rows
        expected = learner.inet.best(learner.seen)
        ended = learner.ended
        learner._act()
        row = {name: column[begun] for name, column in learner.replay.columns.items()}
        assert np.array_equal(row["live"], ~writing & ~ended)
        assert np.array_equal(row["action"][writing], expected[writing])
        wrote, acted = wrote + writing.sum(), acted + row["live"].sum()
    assert wrote > 50
    assert acted > 50


def test_qweb_is_rewarded_for_progress():
    """With the discount that it learns with; nobody else's environments are."""
    learner = MetaQWeb(WEB, LOGIN, Args(**SMALL, steps=800, inet_fraction=0.1125, gamma=0.7))
    rows: Any = learner.envs
    assert {row.discount for row in rows.parameters} == {0.7}
    learner.change_envs({**LOGIN, "reward": "scaled"})
    for envs, is_dense in ((learner.envs, True), (learner.inet.envs, False)):
        rows = envs
        tasks = [session.task for session in rows._states["simulation"]]
        assert [(task.is_dense, task.reward) for task in tasks] == [(is_dense, "scaled")] * 3


@pytest.mark.parametrize("pause", [60, 250])
def test_a_checkpoint_has_the_same_future(pause: int, tmp_path: Path):
    """Whoever is learning when it is written."""
    args = Args(**SMALL, steps=400, inet_fraction=0.3)
    whole, resumed = whole_and_resumed(lambda: MetaQWeb(WEB, LOGIN, args), pause, 400, tmp_path)
    resumed.learn(400)
    assert whole.step == resumed.step
    assert whole.metrics == resumed.metrics
    assert_learned_alike(whole, resumed)
    assert_learned_alike(whole.inet, resumed.inet)


def test_a_run_may_see_the_task_itself():
    """None of its episodes at first, from `curriculum_fraction` of QWeb's steps on the share that was asked for."""
    args = Args(**SMALL, steps=1_200, inet_fraction=0.075, task_share=1.0, episode_steps=4, curriculum_fraction=0.5)
    learner = MetaQWeb(WEB, LOGIN, args)
    learner.learn(90)
    found: dict[int, set[float]] = {}
    while learner.step < args.steps:
        rows: Any = learner.envs
        found[learner.decisions] = {row.writing for row in rows.parameters}
        learner._act()
    early = [kinds for step, kinds in found.items() if step < 550]
    late = [kinds for step, kinds in found.items() if step > 600]
    assert early and all(kinds == {2.0} for kinds in early)
    assert late and all(kinds == {0.0} for kinds in late)


def test_learners_that_suit():
    assert "metaqweb" in learners_for(WEB, LOGIN)
    assert "metaqweb" not in learners_for(WEB, {"task": "click-test"})
    with pytest.raises(ValueError, match="does not suit the contexts of rlx/WebNav-v0: it needs 'writing'"):
        make_settings(WEB, {"task": "click-test"}, ["metaqweb"], {}, [0], None, 1, 1)
    with pytest.raises(TypeError, match="needs the context 'writing', but rlx/WebNav-v0 has: "):
        MetaQWeb(WEB, {"task": "click-test"}, Args(**SMALL, steps=400, inet_fraction=0.3))


@pytest.mark.parametrize(
    ("name", "value"), [("inet_fraction", 0.0), ("inet_fraction", 1.0), ("task_share", 1.5), ("warm_start", 0.5)]
)
def test_values_that_are_not_allowed(name: str, value: Any):
    with pytest.raises(ValueError, match=f"metaqweb: {name} = {value!r}"):
        Args(**{name: value})


def test_all_arguments_are_explained():
    assert [name for name, _, meaning in describe(Args) if not meaning.endswith(".")] == []
