"""The neural predictive controller, and the planners beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import rlx.registry.cli
from rlx.baselines import stl_table
from rlx.baselines.arguments import describe
from rlx.baselines.compare.manifest import make_settings
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import fill_args, learners_for, make_learner
from rlx.baselines.policy import load_policy
from rlx.baselines.stl_milp import Program, maze
from rlx.baselines.stl_npc import NPC, Args
from rlx.baselines.stl_planners import (
    CEM,
    Gradient,
    NeuralPlanner,
    Planner,
    RandomShooting,
    draw,
    judge,
    middle,
    model_of,
    search,
)
from rlx.envs.core.stl import parse
from rlx.registry.experts import make_expert

TRAFFIC, MAZE = "rlx/STL-Traffic-v0", "rlx/STL-Maze-v0"
TASKS = [f"rlx/STL-{task}-v0" for task in ("Traffic", "Maze", "ShipSafe", "ShipTrack", "Rover", "Arm")]
SMALL: dict[str, Any] = {"num_envs": 32, "plans": 4, "hidden_sizes": (32, 32), "search_starts": 16, "memory_batch": 32}


def starts(env_id: str, count: int) -> Any:
    return gymnasium.make_vec(env_id, count).reset(seed=7)[0]


def share(policy: Any, env_id: str, episodes: int = 100) -> float:
    return evaluate(lambda env: policy, env_id, {}, episodes).ends.count("success") / episodes


@pytest.mark.parametrize("env_id", TASKS)
def test_what_is_judged_is_what_is_executed(env_id: str):
    model, env = model_of(env_id), gymnasium.make(env_id)
    plan = np.clip(draw(model, np.random.default_rng(0), 1), -1.0, 1.0)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        (told,) = judge(model, observation[None], plan)[0]
        for action in plan[0, 0]:
            _, _, is_over, _, info = env.step(action)
        assert is_over
        # Observations are of single precision.
        assert info["robustness"]["low"] == pytest.approx(told, abs=2e-4, rel=1e-5)


def test_a_search_never_returns_worse():
    model, observations = model_of("rlx/STL-Rover-v0"), starts("rlx/STL-Rover-v0", 40)
    plans = np.random.default_rng(1).uniform(-1.0, 1.0, (40, 3, model.length, 2)).astype(np.float32)
    before = judge(model, observations, plans).max(1)
    found, scores = search(model, observations, plans, np.random.default_rng(0), rounds=3, candidates=50)
    assert (scores >= before).all() and (scores > before).any()
    assert np.array_equal(judge(model, observations, found[:, None])[:, 0], scores)
    assert np.abs(found).max() <= 1.0
    nothing, scores = search(model, observations, plans, np.random.default_rng(0), rounds=0)
    assert np.array_equal(scores, before)


def test_a_search_leaves_alone_what_satisfies():
    model, observations = model_of(MAZE), starts(MAZE, 40)
    plans = np.random.default_rng(1).uniform(-1.0, 1.0, (40, 30, model.length, 1)).astype(np.float32)
    scores = judge(model, observations, plans)
    best = plans[np.arange(40), scores.argmax(1)]
    found, _ = search(model, observations, plans, np.random.default_rng(0), rounds=3)
    is_satisfied = scores.max(1) >= 0.0
    assert 0 < is_satisfied.sum() < 40
    assert np.array_equal(found[is_satisfied], best[is_satisfied])


def planners(env_id: str) -> list[Planner]:
    model = model_of(env_id)
    return [RandomShooting(model, 300), CEM(model, 5, 200, 20), Gradient(model, 30, 4)]


@pytest.mark.parametrize("env_id", [MAZE, "rlx/STL-ShipSafe-v0"])
def test_planners_find_what_doing_nothing_does_not(env_id: str):
    model = model_of(env_id)
    observations = starts(env_id, 20)
    idle = np.broadcast_to(middle(model), (20, 1, model.length, len(middle(model))))
    idly = (judge(model, observations, idle) >= 0.0).mean()
    for planner in planners(env_id):
        plans = planner.plan(observations)
        assert plans.dtype == np.float32 and np.abs(plans).max() <= 1.0
        assert (judge(model, observations, plans[:, None]) >= 0.0).mean() > idly + 0.25, type(planner).__name__


def test_a_plan_depends_on_its_start_alone():
    observations = starts(TRAFFIC, 6)
    for planner in planners(TRAFFIC)[:2]:
        together = planner.plan(observations)
        assert np.array_equal(together, planner.plan(observations))
        assert np.array_equal(together[2:3], planner.plan(observations[2:3]))


def test_patience_goes_on_and_impatience_stops():
    model, observations = model_of(MAZE), starts(MAZE, 10)
    patient, hasty = (
        judge(model, observations, CEM(model, 10, 100, 10, has_patience).plan(observations)[:, None])
        for has_patience in (True, False)
    )
    assert ((hasty >= 0.0) == (patient >= 0.0)).mean() > 0.85
    assert patient.mean() > hasty.mean() >= 0.0


def test_a_mixed_integer_program_says_what_comes_of_its_plan():
    observations, planner = starts(MAZE, 10), maze()
    plans = planner.plan(observations)[:, None]
    theirs, own = judge(planner.model, observations, plans)[:, 0], judge(model_of(MAZE), observations, plans)[:, 0]
    assert (theirs >= 0.0).mean() >= 0.8
    assert (own[theirs >= 0.0] >= 0.0).all()  # its formula implies that of the task


def test_a_mixed_integer_program_finds_the_largest_margin():
    # x_t = x_0 + sum of actions, |action| <= 1; either side, but not the middle.
    offsets, slopes = np.full((3, 1), 0.5), np.tril(np.ones((3, 2)), -1)[:, None]
    for text, margin in (
        ("F (x > 2)", 0.5),
        ("G (x > 0.25)", 0.25),
        ("G[1,2] (x > 1 or x < -0.75)", 0.5),
        ("x > 0 -> F[1,1] x < 0", 0.5),
        ("not F x > 1", 0.5),
    ):
        formula = parse(text)
        program = Program(("x",), offsets, slopes, np.full(2, -1.0), np.ones(2))
        program.require(formula)
        actions = program.solve(10.0)
        assert actions is not None
        trace = 0.5 + np.array([0.0, actions[0], actions.sum()])
        grid = np.linspace(-1.0, 1.0, 41)
        first, second = (x.ravel() for x in np.meshgrid(grid, grid))
        traces = 0.5 + np.stack([np.zeros(first.shape), first, first + second], 1)
        best = formula.robustness({"x": traces}).max()
        assert formula.robustness({"x": trace}) == pytest.approx(best) == pytest.approx(margin), text
    program = Program(("x",), offsets, slopes, np.full(2, -1.0), np.ones(2))
    program.require(parse("F x > 3"))
    assert program.solve(10.0) is None
    with pytest.raises(TypeError, match="not of 'x > 0 U x < 1'"):
        program.require(parse("x > 0 U x < 1"))


def test_planners_act_one_by_one_as_in_a_batch():
    planner = CEM(model_of(TRAFFIC), 2, 50, 5)
    batch, env = gymnasium.make_vec(TRAFFIC, 3), gymnasium.make(TRAFFIC)
    observations, info = batch.reset(seed=3)
    planner.reset()
    played = []
    for _ in range(planner.model.length):
        played.append(planner.act(observations, info))
        observations, _, _, _, info = batch.step(played[-1])
    observation, info = env.reset(seed=5)
    planner.reset()
    for actions in played:
        action = planner.act(observation, info)
        assert action.shape == (1,) and np.array_equal(action, actions[2])
        observation, _, _, _, info = env.step(action)


def test_a_short_run_learns_and_its_backup_helps():
    learner = NPC(TRAFFIC, {}, Args(**{**SMALL, "num_envs": 128}, steps=128 * 25 * 100, backup_rounds=0))
    untrained = share(learner.policy, TRAFFIC, 300)
    learner.learn(learner.args.steps)
    assert learner.metrics["updates"] == 100 and learner.metrics["remembered"] > 0
    trained, policy = share(learner.policy, TRAFFIC, 300), learner.policy
    assert trained > untrained + 0.2
    policy.backup = (5, 100)
    assert share(policy, TRAFFIC, 300) > trained


def test_runs_repeat_themselves_also_when_they_are_resumed(tmp_path: Path):
    def weights(learner: NPC) -> list[Any]:
        return [parameter.detach().numpy().copy() for parameter in learner.network]

    args = Args(**SMALL, steps=32 * 25 * 20, seed=4)
    whole, halves, resumed = (NPC(TRAFFIC, {}, args) for _ in range(3))
    whole.learn(args.steps)
    halves.learn(args.steps // 2)
    halves.save(tmp_path / "half.pt")
    resumed.load(tmp_path / "half.pt")
    resumed.learn(args.steps)
    assert resumed.step == whole.step == args.steps
    assert resumed.metrics == whole.metrics
    assert all(np.array_equal(x, y) for x, y in zip(weights(whole), weights(resumed), strict=True))
    other = NPC(TRAFFIC, {}, Args(**SMALL, steps=32 * 25 * 20, seed=5))
    other.learn(args.steps)
    assert not np.array_equal(weights(whole)[0], weights(other)[0])
    with pytest.raises(ValueError, match="seed = 4, not 5"):
        other.load(tmp_path / "half.pt")


def test_a_policy_proposes_what_the_network_proposes(tmp_path: Path):
    learner = NPC("rlx/STL-Arm-v0", {"reward": "progress"}, Args(**SMALL, steps=320 * 2))
    learner.learn(learner.args.steps)
    observations = starts("rlx/STL-Arm-v0", 5)
    learner.policy.save(tmp_path / "policy.npz")
    policy = load_policy(tmp_path)
    assert isinstance(policy, NeuralPlanner)
    assert policy.backup == (10, 200) and policy.env_kwargs == {"reward": "progress"}
    with torch.no_grad():
        told = learner._propose(torch.from_numpy(observations)).numpy()
    assert told.shape == (5, 4, 10, 7)
    assert np.allclose(policy.propose(observations), told, atol=1e-4)
    best = judge(policy.model, observations, policy.propose(observations)).max(1)
    assert (judge(policy.model, observations, policy.plan(observations)[:, None])[:, 0] >= best).all()


def test_another_formula_and_a_change_of_it():
    learner = NPC(MAZE, {"formula": "G x > 1"}, Args(**SMALL, steps=32 * 25 * 4))
    learner.learn(32 * 25 * 2)
    assert str(learner.model.formula) == str(learner.policy.model.formula)
    learner.change_envs({"formula": "G x < 3"})
    learner.learn(learner.args.steps)
    assert learner.policy.env_kwargs == {"formula": "G x < 3"}


def test_who_it_suits():
    assert "stl_npc" in learners_for(TRAFFIC, {})
    assert "stl_npc" not in learners_for("Pendulum-v1", {})
    assert "stl_npc" not in learners_for("Hopper-v5", {})  # its model is none of a task, and no method
    with pytest.raises(ValueError, match=r"stl_npc does not suit Pendulum-v1: it needs env.unwrapped.model\(\)"):
        make_settings("Pendulum-v1", {}, ["stl_npc"], {}, [0], None, 1, 1)
    with pytest.raises(TypeError, match="Pendulum-v1 has no model to plan with"):
        NPC("Pendulum-v1", {}, Args(**SMALL))


@pytest.mark.parametrize("env_id", TASKS)
def test_tuned_arguments_fit(env_id: str):
    assert learners_for(env_id, {})[0] == "stl_npc"
    args = fill_args("stl_npc", env_id, {})
    assert make_learner("stl_npc", env_id, {}, {"steps": args.steps, **SMALL}).step == 0


@pytest.mark.parametrize(("name", "value"), [("plans", 0), ("share_end", 0.0), ("rate", -1.0), ("margin", -0.1)])
def test_values_that_are_not_allowed(name: str, value: Any):
    with pytest.raises(ValueError, match=f"stl_npc: {name} = {value!r}"):
        Args(**{name: value})


def test_all_arguments_are_explained():
    assert [name for name, _, meaning in describe(Args) if not meaning.endswith(".")] == []


def test_the_command(tmp_path: Path):
    options = ["--algo", "stl_npc", "--steps", str(32 * 25 * 2), "--evaluations", "1", "--eval-episodes", "3"]
    small = ["num_envs=32", "plans=4", "hidden_sizes=[32]", "search_starts=8"]
    settings = [word for setting in small for word in ("--set", setting)]
    command = ["train", TRAFFIC, "--out", str(tmp_path), *options, *settings]
    result = CliRunner().invoke(rlx.registry.cli.app, command)
    assert result.exit_code == 0, result.output
    assert isinstance(load_policy(tmp_path), NeuralPlanner)
    result = CliRunner().invoke(rlx.registry.cli.app, ["export", str(tmp_path), "--onnx", str(tmp_path / "npc.onnx")])
    assert "plans with a model of its environment" in str(result.exception)


def test_the_table_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    shooting = stl_table.Method(lambda env, folder: RandomShooting(model_of(MAZE), 20), 50, timed=1)
    random = stl_table.Method(lambda env, folder: make_expert(env, "random", seed=0), 50, timed=1)
    names = (*stl_table.CLASSICAL, stl_table.OURS)
    monkeypatch.setattr(stl_table, "TASKS", [MAZE])
    monkeypatch.setattr(stl_table, "METHODS", {"random": random, **dict.fromkeys(names, shooting)})
    monkeypatch.setattr("sys.argv", ["stl_table", "--out", str(tmp_path)])
    stl_table.main()
    page = capsys.readouterr().out
    won = share(RandomShooting(model_of(MAZE), 20), MAZE, 50)
    assert 0.5 < won and f"| Maze | CEM | {won:.3f} |" in page
    assert f"| Maze | {won:.3f} |" in page and "| yes |" in page
    monkeypatch.setattr(stl_table, "measure", None)
    stl_table.main()
    assert capsys.readouterr().out == page
