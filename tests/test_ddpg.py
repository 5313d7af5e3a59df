"""DDPG: what it remembers, what it computes, that it learns, and that a run is a function of its arguments."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import toys  # noqa: F401  (registers its environments)
from gymnasium import spaces
from resuming import assert_saving_changes_nothing, whole_and_resumed

from rlx.baselines.arguments import describe, fill, parse
from rlx.baselines.compare.files import read_log, write_json
from rlx.baselines.ddpg import DDPG, Args, Replay, make_network
from rlx.baselines.evaluation import evaluate
from rlx.baselines.policy import MlpPolicy, load_policy

SMALL = {"hidden_sizes": (16, 16), "batch_size": 16, "replay_size": 500, "warmup": 40, "num_envs": 2}
SHORT = {"max_episode_steps": 60}
MOTOR = "rlx/ElectricMotorPaper2019-v0"


def weights(learner: DDPG) -> list[np.ndarray]:
    return [array for layer in learner.policy.layers for array in layer]


def same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


# What it remembers


def transitions(**args: object) -> list[tuple[float, ...]]:
    """The replay after 30 decisions in `toys.Clock`: episode, time, reward, next time, goes on."""
    learner = DDPG("Toy/Clock-v0", None, Args(steps=10_000, warmup=10_000, hidden_sizes=(4,), **args))
    for _ in range(30):
        learner._act()
    rows = learner.replay.table[: len(learner.replay)].numpy()
    assert np.array_equal(rows[:, 0], rows[:, 4])  # never from one episode into the next
    return [tuple(map(float, row)) for row in rows[:, [0, 1, 3, 5, 6]]]


def test_transitions_at_the_end_of_an_episode():
    kept = transitions()
    # An even episode terminates at 3: nothing goes on. An odd one is cut off at 5: it would have gone on.
    assert [row for row in kept if row[0] == 0] == [(0, 0, 1, 1, 1), (0, 1, 2, 2, 1), (0, 2, 3, 3, 0)]
    assert [row for row in kept if row[0] == 1] == [(1, t, t + 1, t + 1, 1) for t in range(5)]
    assert len(kept) == 30 - 6  # in 30 steps 6 are resets


def test_transitions_of_held_actions():
    kept = transitions(action_repeat=2)
    # Termination ends a decision early: the reward of the third step alone, and nothing after it. The reset takes the
    # first step of the next decision, so that episode 1 is first seen at 1. Its cut at 5 is a whole decision's end.
    assert [row for row in kept if row[0] == 0] == [(0, 0, 3, 2, 1), (0, 2, 3, 3, 0)]
    assert [row for row in kept if row[0] == 1] == [(1, 0, 3, 2, 1), (1, 2, 7, 4, 1)]
    assert all(row[4] == 1 for row in kept if row[0] % 2)


def test_transitions_of_several_environments():
    learner = DDPG("Toy/Clock-v0", None, Args(steps=10_000, warmup=10_000, hidden_sizes=(4,), num_envs=3))
    for _ in range(30):
        learner._act()
    assert len(learner.replay) == 3 * 24
    assert learner.decisions == learner.step == 90


def test_a_shift_counts_after_a_termination_as_well():
    """The absorbing state goes on earning the shift for ever: 0.5 (1 + 0.5 + 0.25 + ...) = 1."""
    kept = transitions(reward_shift=0.5, gamma=0.5)
    assert [row[2] for row in kept if row[0] == 0] == [1.5, 2.5, 3.0 + 1.0]
    assert [row[2] for row in kept if row[0] == 1] == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert [row[2] for row in transitions(reward_scale=10.0) if row[0] == 0] == [10.0, 20.0, 30.0]


def test_replay_forgets_the_oldest():
    replay = Replay(4, 1, 1)
    for k in range(6):
        one = np.full((1, 1), float(k))
        replay.add(one, one, one, one, one)
    assert len(replay) == 4
    assert sorted(replay.table[:, 0].tolist()) == [2, 3, 4, 5]
    batch = replay.sample(64, torch.Generator().manual_seed(0))
    assert [column.shape for column in batch] == [(64, 1)] * 5
    assert set(batch[2].ravel().tolist()) == {2, 3, 4, 5}


def test_actions_reach_the_environment_in_its_units():
    learner = DDPG("Toy/Clock-v0", None, Args(hidden_sizes=(4,)))
    assert learner.network.to_space(np.array([[-1.0], [0.0], [1.0]])).ravel().tolist() == [-1.0, 1.0, 3.0]


# What it computes


def test_an_update_is_that_of_the_paper():
    args = Args(**SMALL, gamma=0.9, tau=0.25, actor_rate=0.01, critic_rate=0.02)
    learner = DDPG("Toy/Reach-v0", None, args)
    for _ in range(30):
        learner._act()
    batch = learner.replay.sample(args.batch_size, torch.Generator().set_state(learner.generator.get_state()))

    def module(parameters: list[torch.Tensor]) -> torch.nn.Sequential:
        layers: list[torch.nn.Module] = []
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            layer = torch.nn.Linear(*weight.shape)
            layer.weight.data, layer.bias.data = weight.detach().T.clone(), bias.detach().clone()
            layers += [layer, torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1])

    actor, critic = module(learner.actor), module(learner.critic)
    old = [parameter.detach().clone() for parameter in learner.target_critic]
    s, a, r, s2, goes_on = batch
    with torch.no_grad():
        target = r + 0.9 * goes_on * critic(torch.cat((s2, torch.tanh(actor(s2))), 1))
    critic_optimizer = torch.optim.Adam(critic.parameters(), 0.02)
    torch.nn.functional.mse_loss(critic(torch.cat((s, a), 1)), target).backward()
    critic_optimizer.step()
    actor_optimizer = torch.optim.Adam(actor.parameters(), 0.01)
    (-critic(torch.cat((s, torch.tanh(actor(s))), 1)).mean()).backward()
    actor_optimizer.step()

    learner._update()
    for ours, theirs in ((learner.actor, actor), (learner.critic, critic)):
        for parameter, expected in zip(ours, theirs.parameters(), strict=True):
            wanted = expected.T if expected.ndim == 2 else expected
            torch.testing.assert_close(parameter, wanted, rtol=1e-4, atol=1e-6)
    for target_, before, now in zip(learner.target_critic, old, learner.critic, strict=True):
        torch.testing.assert_close(target_, before + 0.25 * (now.detach() - before))


def test_initial_weights():
    parameters = make_network((100, 50, 1), torch.Generator().manual_seed(0))
    assert [tuple(p.shape) for p in parameters] == [(100, 50), (50,), (50, 1), (1,)]
    assert 0.09 < parameters[0].abs().max() <= 0.1
    assert parameters[2].abs().max() <= 3e-3


def test_rates_and_noise_fall():
    learner = DDPG("Toy/Reach-v0", None, Args(**SMALL, steps=1000, final_rate=0.1, actor_rate=1.0))
    learner.decisions = 500
    learner._set_rates()
    assert learner.actor_optimizer.param_groups[0]["lr"] == pytest.approx(0.55)


def test_correlated_noise_has_standard_deviation_one():
    learner = DDPG("Toy/Reach-v0", None, Args(hidden_sizes=(4,), warmup=0, noise_correlation=0.9))
    noise = []
    for _ in range(4000):
        learner._explore()
        noise.append(learner.noise.item())
    assert np.std(noise) == pytest.approx(1.0, abs=0.15)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(0.9, abs=0.03)


# That it learns


def test_learns_to_reach():
    args = Args(steps=4_000, num_envs=4, update_ratio=0.5, hidden_sizes=(32, 32), batch_size=64, warmup=200, gamma=0.8,
                actor_rate=1e-3, replay_size=4_000)  # fmt: skip
    learner = DDPG("Toy/Reach-v0", None, args)
    before = np.mean(evaluate(lambda env: learner.policy, "Toy/Reach-v0", {}, 20).returns)
    learner.learn(args.steps)
    after = np.mean(evaluate(lambda env: learner.policy, "Toy/Reach-v0", {}, 20).returns)
    assert after > -2.5 > before  # the best possible is about -1


# That a run is a function of its arguments


def test_no_global_random_state():
    torch.manual_seed(1)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    learner = DDPG("Toy/Reach-v0", None, Args(**SMALL, steps=200))
    learner.learn(200)
    assert learner.updates > 0
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


def test_seeds_differ():
    learners = [DDPG("Toy/Reach-v0", None, Args(**SMALL, steps=100, seed=seed)) for seed in (0, 1)]
    assert not same(weights(learners[0]), weights(learners[1]))
    assert not np.array_equal(learners[0].observation, learners[1].observation)


@pytest.mark.parametrize("env_id", ["Toy/Reach-v0", MOTOR])
def test_a_checkpoint_has_the_same_future(env_id: str, tmp_path: Path):
    """With and without ``save_state``, and with an episode's end at the moment of saving."""
    args = Args(**SMALL, steps=600, episode_steps=15)
    whole, resumed = whole_and_resumed(lambda: DDPG(env_id, None, args), 150, 400, tmp_path)
    assert resumed.step == 150
    resumed.learn(400)
    assert same(weights(whole), weights(resumed))
    assert np.array_equal(whole.observation, resumed.observation)
    count = len(whole.replay)
    assert torch.equal(whole.replay.table[:count], resumed.replay.table[:count])


def test_episodes_of_gymnasium_go_on_in_a_resumed_run(tmp_path: Path):
    assert_saving_changes_nothing(lambda: DDPG("Pendulum-v1", None, Args(**SMALL, steps=900)), 500, 900, tmp_path)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    DDPG("Toy/Reach-v0", None, Args(**SMALL)).save(tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="gamma = 0.99, not 0.5"):
        DDPG("Toy/Reach-v0", None, Args(**SMALL, gamma=0.5)).load(tmp_path / "checkpoint")


def start_job(folder: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(toys.__file__).parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-P", "-m", "rlx.baselines.compare.job", str(folder)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE)


def make_job(folder: Path, env_id: str, args: Args, evaluations: int) -> Path:
    folder.mkdir()
    job = {"env_id": env_id, "env_kwargs": SHORT, "algo": "ddpg", "args": dataclasses.asdict(args), "seed": args.seed,
           "evaluations": evaluations, "episodes": 2, "version": "test"}  # fmt: skip
    write_json(folder / "job.json", job)
    return folder


@pytest.mark.parametrize("env_id", [pytest.param("toys:Toy/Reach-v0", marks=pytest.mark.slow), MOTOR])
def test_killed_and_resumed_equals_uninterrupted(env_id: str, tmp_path: Path):
    """In other processes, killed without warning, twice; and the result is that of this process too."""
    args = Args(**SMALL, steps=1_200, episode_steps=50)
    whole = make_job(tmp_path / "whole", env_id, args, 6)
    torn = make_job(tmp_path / "torn", env_id, args, 6)
    uninterrupted = start_job(whole)
    for rows in (2, 4):
        process = start_job(torn)
        while len(read_log(torn / "log.jsonl")) < rows and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (torn / "done.json").exists()
        with (torn / "log.jsonl").open("ab") as file:
            file.write(b'{"kind": "evalu')  # as if it had been killed while writing
    for process in (uninterrupted, start_job(torn)):
        assert process.wait() == 0, process.stderr and process.stderr.read().decode()
    assert (whole / "log.jsonl").read_bytes() == (torn / "log.jsonl").read_bytes()
    assert (whole / "policy.npz").read_bytes() == (torn / "policy.npz").read_bytes()
    assert [row["step"] for row in read_log(whole / "log.jsonl")] == [0, 200, 400, 600, 800, 1000, 1200]
    assert not (torn / "checkpoint.pt").exists()
    if env_id == MOTOR:  # where environments can be saved, checkpoints and evaluations change nothing
        learner = DDPG(env_id, SHORT, args)
        learner.learn(args.steps)
        assert same(weights(learner), [a for layer in load_policy(whole).layers for a in layer])


# Policies and arguments


def test_policy_is_the_actor_and_survives_the_disk(tmp_path: Path):
    learner = DDPG("Toy/Clock-v0", None, Args(hidden_sizes=(8, 8), activation="tanh"))
    learner.policy.save(tmp_path / "policy.npz")
    policy = load_policy(tmp_path)
    observations = np.random.default_rng(0).uniform(0.0, 3.0, (5, 2)).astype(np.float32)
    actions = policy.act(observations)
    assert actions.shape == (5, 1)
    assert actions.dtype == np.float32
    for observation, action in zip(observations, actions, strict=True):
        single = policy.act(observation, {})
        assert single.shape == (1,)
        assert single in learner.network.action_space
        np.testing.assert_allclose(single, action, rtol=1e-5)
        hidden = torch.from_numpy(observation[None])
        for k in (0, 2):
            hidden = torch.tanh(hidden @ learner.actor[k] + learner.actor[k + 1])
        expected = 1.0 + 2.0 * torch.tanh(hidden @ learner.actor[4] + learner.actor[5])
        np.testing.assert_allclose(single, expected.detach().numpy()[0], rtol=1e-5)


def test_policy_of_any_shape(tmp_path: Path):
    layers = [(np.ones((6, 4), np.float32), np.zeros(4, np.float32))]
    space = spaces.Box(np.zeros((2, 2)), np.ones((2, 2)), dtype=np.float64)
    MlpPolicy(layers, "relu", (2, 3), space).save(tmp_path / "p.npz")
    policy = load_policy(tmp_path / "p.npz")
    assert policy.act(np.zeros((2, 3))).shape == (2, 2)
    assert policy.act(np.zeros((7, 2, 3))).shape == (7, 2, 2)
    assert policy.act(np.zeros((2, 3))).dtype == np.float64


def test_policy_files_hold_no_code(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="rlx train"):
        load_policy(tmp_path)
    (tmp_path / "text.npz").write_text("no policy")
    np.savez(tmp_path / "object.npz", weight0=np.array([{}], object))
    for name in ("text.npz", "object.npz"):
        with pytest.raises(ValueError, match="is not a policy written by rlx"):
            load_policy(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gama": 0.9}, "Did you mean 'gamma'"),
        ({"gamma": 1.5}, "gamma = 1.5, but it must be at least 0 and less than 1"),
        ({"gamma": "high"}, "gamma = 'high': something like 0.99"),
        ({"activation": "gelu"}, "must be relu or tanh"),
        ({"hidden_sizes": []}, "one or more widths"),
        ({"batch_size": 0}, "batch_size = 0, but it must be at least 1"),
        ({"network": "cnn"}, "must be mlp or assets or named-assets"),
        ({"seed": 10_000}, "less than 10000"),
    ],
)
def test_bad_arguments(values: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        fill(Args, values)


def test_arguments_from_text():
    args = fill(Args, parse(["tau=1", "hidden_sizes=[64, 32]", "activation=tanh", "steps=1e5"]))
    assert (args.tau, args.hidden_sizes, args.activation, args.steps) == (1.0, (64, 32), "tanh", 100_000)
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse(["gamma"])


def test_every_argument_is_explained():
    assert all(meaning.endswith(".") for _, _, meaning in describe(Args))


@pytest.mark.parametrize(
    ("env_id", "message"), [("CartPole-v1", "bounded Box of actions"), ("Blackjack-v1", "bounded Box of actions")]
)
def test_spaces_that_it_cannot_use(env_id: str, message: str):
    with pytest.raises(TypeError, match=message):
        DDPG(env_id)
