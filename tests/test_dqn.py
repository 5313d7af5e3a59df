"""DQN: what it remembers, what it computes, that it learns, and that a run is a function of its arguments."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import choices  # registers its environments
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from resuming import assert_saving_changes_nothing, whole_and_resumed
from scipy.stats import norm
from typer.testing import CliRunner

from rlx.baselines.arguments import describe, fill
from rlx.baselines.compare.files import read_log, write_json
from rlx.baselines.compare.results import load_results
from rlx.baselines.dqn import DQN, Args, Batch, SumTree, spread
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import learners_for
from rlx.baselines.observations import Inputs
from rlx.baselines.policy import QPolicy, Support, load_policy
from rlx.registry.cli import app

SMALL = {"hidden_sizes": (16, 16), "channels": (4, 4), "batch_size": 16, "replay_size": 500, "warmup": 40,
         "num_envs": 2}  # fmt: skip
MOTOR = "rlx/ElectricMotorPmsmCurrentFinite-v0"


def weights(policy: QPolicy) -> list[np.ndarray]:
    features = [parameter.numpy() for parameter in policy.features.state_dict().values()]
    return features + [array for layers in policy.parts.values() for layer in layers for array in layer]


def same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return len(ours) == len(theirs) and all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


# What it remembers


def transitions(learner: DQN) -> dict[tuple[int, int, int], tuple[float, ...]]:
    """All transitions of `choices.Ticks` that can be drawn: (environment, episode, time) -> reward, discount, s'."""
    found = {}
    random = np.random.default_rng(0)
    for _ in range(40):
        batch = learner.replay.sample(1.0, random)
        state, next_state = batch.state["numbers"], batch.next_state["numbers"]
        envs = batch.places % learner.args.num_envs
        for env, s, r, d, s2 in zip(envs, state, batch.reward, batch.discount, next_state, strict=True):
            found[(int(env), int(s[0]), int(s[1]))] = (float(r), float(d), int(s2[0]), int(s2[1]))
    return found


def expected(episode: int, start: int, n: int, gamma: float, cut: int = 5) -> tuple[float, ...]:
    end = 3 if episode % 2 == 0 else cut
    steps = min(n, end - start)
    reward = sum(gamma**k * (start + k + 1) for k in range(steps))
    terminates = episode % 2 == 0 and start + steps == 3
    return reward, 0.0 if terminates else gamma**steps, episode, start + steps


@pytest.mark.parametrize(("n", "num_envs"), [(1, 1), (3, 2), (7, 1)])
def test_transitions_over_several_steps(n: int, num_envs: int):
    """They stop at an episode's end, where the rest is nothing after a termination and goes on after a cut."""
    args = Args(gamma=0.5, n_steps=n, num_envs=num_envs, warmup=10_000, hidden_sizes=(4,))
    learner = DQN("Toy/Ticks-v0", None, args)
    for _ in range(30):  # episodes of 3 and 5 steps, a reset each: 3 pairs of episodes
        learner._act()
    found = transitions(learner)
    assert found == {key: expected(key[1], key[2], n, 0.5) for key in found}
    whole = set(itertools.product(range(num_envs), [0, 2], range(3))) | set(
        itertools.product(range(num_envs), [1, 3], range(5))
    )
    assert set(found) >= whole
    assert learner.step == 30 * num_envs


def test_the_oldest_transitions_are_forgotten():
    learner = DQN("Toy/Ticks-v0", None, Args(gamma=0.5, n_steps=2, num_envs=1, replay_size=10, hidden_sizes=(4,)))
    for _ in range(47):
        learner._act()
    found = transitions(learner)
    # Step 40 is the first of episode 8. Of the last ten rows the newest two cannot be drawn yet, nor can a reset.
    assert set(found) == {(0, 7, 3), (0, 7, 4), (0, 8, 0), (0, 8, 1), (0, 8, 2), (0, 9, 0)}
    assert found == {key: expected(key[1], key[2], 2, 0.5) for key in found}


def test_new_episodes_at_a_checkpoint_mix_with_no_others(tmp_path: Path):
    learner = DQN("Toy/Ticks-v0", None, Args(gamma=0.5, n_steps=3, num_envs=1, warmup=10_000, hidden_sizes=(4,)))
    for _ in range(7):  # into the second episode
        learner._act()
    learner.save(tmp_path / "checkpoint")
    for _ in range(12):
        learner._act()
    found = transitions(learner)
    assert {key[1:] for key in found if key[1] == 1} == {(1, 0), (1, 1), (1, 2)}
    assert found == {key: expected(key[1], key[2], 3, 0.5, cut=3) if key[1] == 1 else found[key] for key in found}
    assert found[(0, 2, 0)] == expected(2, 0, 3, 0.5)


@pytest.mark.parametrize("places", [1, 2, 5, 64, 100])
def test_places_are_drawn_by_weight(places: int):
    random = np.random.default_rng(0)
    tree, wanted = SumTree(places), random.random(places) * (random.random(places) < 0.7) + 1e-9 * (places == 1)
    for _ in range(3):
        some = random.permutation(places)[: places // 2 + 1]
        tree[some] = random.random(len(some))
    tree[np.arange(places)] = wanted
    assert tree.total == pytest.approx(wanted.sum())
    marks = (np.arange(20_000) + 0.5) / 20_000 * tree.total
    counts = np.bincount(tree.find(marks), minlength=places)
    assert counts[wanted == 0].sum() == 0
    np.testing.assert_allclose(counts / 20_000, wanted / wanted.sum(), atol=2e-4)
    assert tree.find(np.array([np.nextafter(tree.total, 9.0)]))[0] == np.flatnonzero(wanted)[-1]


def test_priorities_follow_errors():
    args = Args(**SMALL, priority_exponent=0.5, priority_correction=0.5)
    learner = DQN("Toy/Ticks-v0", None, args)
    for _ in range(50):
        learner._act()
    learner._update()
    drawn = np.flatnonzero(learner.replay.weights[np.arange(100)] != 1.0)
    drawn = drawn[learner.replay.weights[drawn] > 0]
    assert 0 < len(drawn) <= 16
    learner.replay.weigh(np.array([drawn[0]]), np.array([400.0], np.float32))
    assert learner.replay.weights[drawn[:1]] == pytest.approx(20.0)
    assert learner.replay.highest == pytest.approx(20.0)
    batch = learner.replay.sample(0.5, np.random.default_rng(0))
    w = learner.replay.weights[batch.places]
    torch.testing.assert_close(batch.weight, torch.from_numpy((w / w.min()) ** -0.5).float())


# What it computes


def module(learner: DQN, network: Any) -> Any:
    """The same dueling network from torch's own parts."""

    def linear(weight: torch.Tensor, bias: torch.Tensor) -> torch.nn.Linear:
        layer = torch.nn.Linear(*weight.shape)
        layer.weight.data, layer.bias.data = weight.detach().T.clone(), bias.detach().clone()
        return layer

    def mlp(parameters: list[torch.Tensor]) -> list[torch.nn.Module]:
        layers = [linear(w, b) for w, b in zip(parameters[::2], parameters[1::2], strict=True)]
        return [part for layer in layers for part in (layer, torch.nn.ReLU())]

    class Dueling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = torch.nn.Sequential(*mlp(network.parts["trunk"]))
            self.advantages = torch.nn.Sequential(*mlp(network.parts["advantages"])[:-1])
            self.state = torch.nn.Sequential(*mlp(network.parts["values"])[:-1])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.trunk(x)
            advantages = self.advantages(x)
            return self.state(x) + advantages - advantages.mean(1, keepdim=True)

    return Dueling()


@pytest.mark.parametrize("bins", [0, 11])
def test_an_update_is_that_of_the_papers(bins: int):
    """Double Q-learning with dueling streams, Huber's loss and a bounded gradient; in Walk, where a mask counts."""
    args = Args(**SMALL, n_steps=2, gamma=0.9, tau=0.25, rate=0.01, gradient_bound=0.1, error_bound=0.05)
    args = dataclasses.replace(args, bins=bins)
    learner = DQN("Toy/Walk-v0", None, args)
    for _ in range(60):
        learner._act()
    with torch.no_grad():  # so that learned and target network differ
        for parameter in learner.network.parameters:
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)), alpha=0.3)
    random = np.random.default_rng()
    random.bit_generator.state = learner.random.bit_generator.state
    batch = learner.replay.sample(1.0, random)
    online, target = module(learner, learner.network), module(learner, learner.target)
    centers = torch.linspace(-1, 1, 12)[:-1] + 1 / 11

    def q(network: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not bins:
            values = network(x)
            return values, values
        x = network.trunk(x)
        a, v = network.advantages(x).reshape(-1, 2, bins), network.state(x)[:, None]
        told = v + a - a.mean(1, keepdim=True)
        return told, (told.softmax(2) * centers).sum(2)

    s, s2 = batch.state["numbers"], batch.next_state["numbers"]
    assert not batch.next_legal.all()
    with torch.no_grad():
        choice = q(online, s2)[1].where(batch.next_legal, -np.inf).argmax(1)
        y = batch.reward + batch.discount * q(target, s2)[1][torch.arange(16), choice]
    told, values = q(online, s)
    rows = torch.arange(16), batch.action[:, 0]
    if bins:
        probabilities = spread(y, args.support, args.smoothing)
        loss = torch.nn.functional.cross_entropy(told[rows], probabilities)
    else:
        loss = 2 * torch.nn.functional.huber_loss(values[rows], y, delta=0.05)
    optimizer = torch.optim.Adam(online.parameters(), 0.01)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(online.parameters(), 0.1)
    optimizer.step()

    before = [parameter.clone() for parameter in learner.target.parameters]
    learner._update()
    torch.testing.assert_close(learner.loss, loss)
    for ours, theirs in zip(learner.network.parameters, online.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.T if theirs.ndim == 2 else theirs, rtol=1e-3, atol=1e-5)
    for now, old, learned in zip(learner.target.parameters, before, learner.network.parameters, strict=True):
        torch.testing.assert_close(now, old + 0.25 * (learned - old))


def test_a_value_as_probabilities():
    support, values = Support(-1.0, 3.0, 40), torch.tensor([-0.5, 0.0, 0.123, 2.4, 7.0])
    mass = spread(values, support, 0.75)
    torch.testing.assert_close(mass.sum(1), torch.ones(5))
    torch.testing.assert_close((mass @ torch.from_numpy(support.centers))[:4], values[:4], rtol=0, atol=1e-3)
    cumulative = norm.cdf(np.linspace(-1, 3, 41), loc=0.123, scale=0.075)
    np.testing.assert_allclose(mass[2], np.diff(cumulative), atol=1e-5)
    assert mass[4].argmax() == 39  # what lies beyond the last interval is told as its end


def test_exploration_falls_and_keeps_to_the_mask():
    learner = DQN("Toy/Walk-v0", None, Args(steps=1000, warmup=0, num_envs=200, hidden_sizes=(4,), epsilon_end=0.1))
    learner.seen["legal"] = np.tile([[True, False], [True, True]], (100, 1))
    with torch.no_grad():
        learner.network.parts["advantages"][-1].copy_(torch.tensor([-5.0, 5.0]))
    picked = np.array([learner._explore() for _ in range(50)])
    assert picked[:, ::2].max() == 0
    assert picked[:, 1::2].mean() == pytest.approx(0.5, abs=0.03)
    learner.decisions = 100  # half way
    assert np.mean([learner._explore()[1::2] for _ in range(50)]) == pytest.approx(1 - 0.55 / 2, abs=0.03)
    learner.decisions = 999
    assert np.mean([learner._explore()[1::2] for _ in range(50)]) == pytest.approx(0.95, abs=0.02)


# That it learns


def best_values(gamma: float) -> np.ndarray:
    """Q of the best policy in the three inner places of `choices.Walk`, by iteration; nan where not allowed."""
    q = np.zeros((5, 2))
    for _ in range(100):
        best = q.max(axis=1)
        best[1] = q[1, 1]
        for place in (1, 2, 3):
            for action in (0, 1):
                after = place + 2 * action - 1
                q[place, action] = {0: 0.3, 4: 1.0}.get(after, gamma * best[after])
    q[1, 0] = np.nan
    return q[1:4]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"double": False, "dueling": False, "gamma": 1.0},
        {"bins": 31, "value_low": -0.3, "value_high": 1.3},
        {"priority_exponent": 0.6, "num_envs": 1, "update_ratio": 0.5},
    ],
    ids=["plain", "undiscounted", "categorical", "prioritised"],
)
def test_learns_the_best_values(more: dict[str, Any]):
    """Any behaviour will do: the returns of the best policy are learned from random walks."""
    args = Args(**{
        "steps": 4_000, "num_envs": 4, "hidden_sizes": (32, 32), "n_steps": 1, "gamma": 0.9, "epsilon_end": 1.0,
        "warmup": 200, "update_ratio": 0.5, "rate": 3e-3, "tau": 0.02, "batch_size": 32, **more,
    })  # fmt: skip
    learner = DQN("Toy/Walk-v0", None, args)
    learner.learn(args.steps)
    wanted = best_values(args.gamma)
    found = learner.policy.values(np.arange(1, 4))
    np.testing.assert_allclose(found[~np.isnan(wanted)], wanted[~np.isnan(wanted)], atol=0.03)


@pytest.mark.parametrize("told", ["observation", "info"])
def test_learns_from_pictures_under_a_mask(told: str):
    """The environment fails at the first action that is not allowed."""
    args = Args(steps=6_000, num_envs=4, hidden_sizes=(32, 32), channels=(8, 8), gamma=0.5, batch_size=32, warmup=200,
                update_ratio=0.25, rate=3e-3, replay_size=6_000, tau=0.02)  # fmt: skip
    kwargs = {"told": told}
    learner = DQN("Toy/Pick-v0", kwargs, args)
    learner.learn(args.steps)
    assert np.mean(evaluate(lambda env: learner.policy, "Toy/Pick-v0", kwargs, 50).returns) > 5.5  # by chance: 3


@pytest.mark.slow
def test_learns_cart_pole():
    args = Args(steps=100_000, hidden_sizes=(128, 128))
    learner = DQN("CartPole-v1", None, args)
    learner.learn(args.steps)
    assert np.mean(evaluate(lambda env: learner.policy, "CartPole-v1", {}, 50).returns) >= 475


# That a run is a function of its arguments


def test_no_global_random_state():
    torch.manual_seed(1)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    learner = DQN("Toy/Pick-v0", None, Args(**SMALL, steps=200))
    learner.learn(200)
    assert learner.updates > 0
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


def test_seeds_differ():
    learners = [DQN("Toy/Pick-v0", None, Args(**SMALL, steps=100, seed=seed)) for seed in (0, 1)]
    assert not same(weights(learners[0].policy), weights(learners[1].policy))
    assert not np.array_equal(learners[0].seen["numbers"], learners[1].seen["numbers"])


@pytest.mark.parametrize("more", [{}, {"priority_exponent": 0.6, "bins": 21}], ids=["plain", "everything"])
@pytest.mark.parametrize("env_id", ["Toy/Pick-v0", MOTOR])
def test_a_checkpoint_has_the_same_future(env_id: str, more: dict[str, Any], tmp_path: Path):
    """With and without ``save_state``, with a replay that has gone round."""
    args = Args(**{**SMALL, "replay_size": 100}, steps=600, **more)
    horizon = {"max_episode_steps": 15} if env_id == MOTOR else {}
    whole, resumed = whole_and_resumed(lambda: DQN(env_id, horizon, args), 150, 400, tmp_path)
    assert resumed.step == 150
    resumed.learn(400)
    assert whole.updates == resumed.updates > 0
    assert same(weights(whole.policy), weights(resumed.policy))
    assert same(list(whole.seen.values()), list(resumed.seen.values()))
    assert same(list(whole.replay.columns.values()), list(resumed.replay.columns.values()))
    assert np.array_equal(whole.replay.weights.sums, resumed.replay.weights.sums)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0"])
def test_episodes_of_gymnasium_go_on_in_a_resumed_run(env_id: str, tmp_path: Path):
    """With environments of their own, and with a vector environment of Gymnasium's."""
    assert_saving_changes_nothing(lambda: DQN(env_id, None, Args(**SMALL, steps=900)), 500, 900, tmp_path)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    DQN("Toy/Walk-v0", None, Args(**SMALL)).save(tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="gamma = 0.99, not 0.5"):
        DQN("Toy/Walk-v0", None, Args(**SMALL, gamma=0.5)).load(tmp_path / "checkpoint")


def start_job(folder: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(choices.__file__).parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-P", "-m", "rlx.baselines.compare.job", str(folder)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE)


def make_job(folder: Path, args: Args) -> Path:
    folder.mkdir()
    job = {"env_id": "choices:Toy/Pick-v0", "env_kwargs": {}, "algo": "dqn", "args": dataclasses.asdict(args),
           "seed": args.seed, "evaluations": 6, "episodes": 2, "version": "test"}  # fmt: skip
    write_json(folder / "job.json", job)
    return folder


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path):
    """In other processes, killed without warning, twice."""
    args = Args(**SMALL, steps=1_200, priority_exponent=0.5)
    whole, torn = make_job(tmp_path / "whole", args), make_job(tmp_path / "torn", args)
    uninterrupted = start_job(whole)
    for rows in (2, 4):
        process = start_job(torn)
        while len(read_log(torn / "log.jsonl")) < rows and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (torn / "done.json").exists()
    for process in (uninterrupted, start_job(torn)):
        assert process.wait() == 0, process.stderr and process.stderr.read().decode()
    assert (whole / "log.jsonl").read_bytes() == (torn / "log.jsonl").read_bytes()
    assert (whole / "policy.npz").read_bytes() == (torn / "policy.npz").read_bytes()
    assert [row["step"] for row in read_log(whole / "log.jsonl")] == [0, 200, 400, 600, 800, 1000, 1200]


def test_train_and_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The learner is found by the kind of actions; learned policies and experts stand beside each other."""
    monkeypatch.setenv("PYTHONPATH", str(Path(choices.__file__).parent), prepend=os.pathsep)
    tiny = ["--steps", "120", "--evaluations", "2", "--eval-episodes", "4"]

    def rlx(command: str, *more: str) -> str:
        arguments = [command, "choices:Toy/Pick-v0", "--out", str(tmp_path / command), *tiny, *more]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    rlx("train", "--set", "hidden_sizes=[8]", "--set", "warmup=20")
    assert isinstance(load_policy(tmp_path / "train"), QPolicy)
    rlx("compare", "--seeds", "1", "--set", "dqn.hidden_sizes=[8]")
    results = load_results(tmp_path / "compare")
    assert set(results.runs) == {"dqn", "ppo", "random"}
    assert results.returns("dqn").shape == (1, 4)


# Policies, spaces and arguments


@pytest.mark.parametrize("more", [{}, {"dueling": False, "activation": "tanh"}, {"bins": 21}])
@pytest.mark.parametrize("env_id", ["Toy/Pick-v0", "Acrobot-v1", "Blackjack-v1"])
def test_policy_is_the_network_and_survives_the_disk(env_id: str, more: dict[str, Any], tmp_path: Path):
    learner = DQN(env_id, None, Args(**SMALL, **more))
    with torch.no_grad():
        for parameter in learner.network.parameters:
            parameter.mul_(10.0)
    learner.policy.save(tmp_path / "policy.npz")
    policy = load_policy(tmp_path)
    assert isinstance(policy, QPolicy)
    seen = {name: torch.from_numpy(learner.seen[name]) for name in ("numbers", "pictures")}
    with torch.no_grad():
        wanted = learner.network.values(learner.network.tell(seen)).numpy()
    observations, info = learner.envs.reset(seed=0)
    values, actions = policy.values(observations), policy.act(observations, info)
    assert values.shape == (2, learner.actions)
    np.testing.assert_allclose(values, wanted, rtol=1e-3, atol=1e-4)
    env = gymnasium.make(env_id)
    observation, info = env.reset(seed=0)
    np.testing.assert_allclose(policy.values(observation), wanted[0], rtol=1e-3, atol=1e-4)
    assert policy.act(observation, info) == actions[0]
    assert policy.act(observation, info) in env.action_space
    assert learner.envs.action_space.contains(actions)


def test_policy_keeps_to_masks():
    policy = DQN("Toy/Ticks-v0", None, Args(hidden_sizes=(4,))).policy
    observation = np.zeros((3, 2), np.float32)
    (best,) = set(policy.act(observation).tolist())
    only_other = np.eye(2, dtype=np.int8)[[1 - best] * 3]
    assert policy.act(observation, {"action_mask": only_other}).tolist() == [1 - best] * 3
    assert policy.act(observation[0], {"action_mask": only_other[0]}) == 1 - best
    assert policy.act(observation[0], {"action_mask": np.zeros(2)}) == best  # allows nothing: stands for none


def test_policy_files_that_are_none(tmp_path: Path):
    np.savez(tmp_path / "half.npz", discrete=np.array('{"layers": {"trunk": 1}}'))
    with pytest.raises(ValueError, match="is not a policy written by rlx"):
        load_policy(tmp_path / "half.npz")


def test_observations_of_many_kinds():
    space = spaces.Dict({
        "action_mask": spaces.MultiBinary(3),
        "inner": spaces.Tuple([spaces.Discrete(3, start=2), spaces.MultiBinary(2)]),
        "image": spaces.Box(0, 1, (2, 3, 3)),
        "table": spaces.Box(-1, 1, (2, 2)),
    })  # fmt: skip
    inputs = Inputs.of(space)
    assert (inputs.width, inputs.picture_width, inputs.pictures) == (3 + 2 + 4, 18, [(2, 3, 3)])
    one = {"action_mask": np.ones(3), "inner": (np.int64(3), np.array([0, 1])), "image": np.ones((2, 3, 3)),
           "table": np.array([[1.0, 2.0], [3.0, 4.0]])}  # fmt: skip
    numbers, pictures, batch = inputs.read(one)
    assert (numbers.tolist(), batch) == ([[0, 1, 0, 0, 1, 1, 2, 3, 4]], ())
    assert (pictures.shape, pictures.dtype, numbers.dtype) == ((1, 18), np.float16, np.float32)
    two = {"inner": (np.array([3, 4]), np.array([[0, 1]] * 2)), "image": np.ones((2, 2, 3, 3)),
           "table": np.stack([one["table"]] * 2)}  # fmt: skip
    numbers, pictures, batch = inputs.read(two)
    assert (numbers[1].tolist(), pictures.shape, batch) == ([0, 0, 1, 0, 1, 1, 2, 3, 4], (2, 18), (2,))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Text(5), "The observation is a Text"),
        (spaces.Dict({"a": spaces.Dict({"b": spaces.Text(5)})}), "The observation at a/b is a Text"),
    ],
)
def test_observations_that_it_cannot_read(space: spaces.Space[Any], message: str):
    with pytest.raises(TypeError, match=message):
        Inputs.of(space)


def test_actions_that_it_cannot_choose():
    with pytest.raises(TypeError, match="Discrete actions"):
        DQN("Pendulum-v1")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gama": 0.9}, "Did you mean 'gamma'"),
        ({"gamma": 1.5}, "dqn: gamma = 1.5, but it must be between 0 and 1"),
        ({"bins": 1}, "bins = 1, but it must be 0, or at least 2"),
        ({"value_low": 2}, "value_high = 1.0, but it must be more than value_low = 2.0"),
        ({"n_steps": 0}, "n_steps = 0, but it must be at least 1"),
        ({"dueling": 3}, "dueling = 3: something like true"),
        ({"batch_size": 0}, "batch_size = 0, but it must be at least 1"),
    ],
)
def test_bad_arguments(values: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        fill(Args, values)


def test_every_argument_is_explained():
    assert all(meaning.endswith(".") for _, _, meaning in describe(Args))


def test_batches_are_as_told():
    learner = DQN("Toy/Pick-v0", None, Args(**SMALL))
    for _ in range(20):
        learner._act()
    batch = learner.replay.sample(1.0, np.random.default_rng(0))
    assert isinstance(batch, Batch)
    assert [tuple(x.shape) for x in batch.state.values()] == [(16, 4 + 7), (16, 80)]
    assert (tuple(batch.action.shape), tuple(batch.next_legal.shape)) == ((16, 1), (16, 4))
    assert {tuple(x.shape) for x in (batch.weight, batch.reward, batch.discount)} == {(16,)}


@pytest.mark.parametrize(
    ("env_id", "names"),
    [
        ("CartPole-v1", ["dqn", "ppo"]),
        ("Pendulum-v1", ["sindy_rl", "ppo", "ddpg"]),
        ("choices:Toy/Pick-v0", ["dqn", "ppo"]),
    ],
)
def test_learners_that_suit(env_id: str, names: list[str]):
    assert learners_for(env_id, {}) == names
