"""Datasets come back bit for bit, their cards count right, and what learns from them alone learns what is in them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import choices  # noqa: F401  (registers its environments)
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from resuming import whole_and_resumed
from typer.testing import CliRunner

import rlx
from rlx.baselines import bc, datasets, iql, recording
from rlx.baselines.datasets import Card, Meter, card_of, cells, episodes_of, open_dataset, record, write
from rlx.baselines.evaluation import FIRST_SEED, evaluate
from rlx.baselines.learners import LEARNERS, OFFLINE, learners_for, make_learner
from rlx.baselines.policy import load_policy
from rlx.registry.cli import app
from rlx.registry.experts import RandomPolicy

minari = pytest.importorskip("minari", reason='pip install "rlx[datasets]"')

SMALL = {"hidden_sizes": (16, 16), "batch_size": 32, "rate": 3e-3}
WALK, FORK, REACH, PICK = "Toy/Walk-v0", "Toy/Fork-v0", "Toy/Reach-v0", "Toy/Pick-v0"


class Everything(gymnasium.Env[Any, Any]):
    """Observes and takes one of every kind of value that a dataset can hold; remembers all that went by."""

    observation_space = spaces.Dict({
        "picture": spaces.Box(0, 255, (40, 48, 3), np.uint8),
        "grey": spaces.Box(0, 255, (32, 32), np.uint8),
        "single": spaces.Box(-np.inf, np.inf, (2,), np.float32),
        "double": spaces.Box(-1.0, 1.0, (2, 3), np.float64),
        "nested": spaces.Dict({"bits": spaces.MultiBinary(3), "pair": spaces.Tuple([spaces.Discrete(4)] * 2)}),
        "word": spaces.Text(5),
    })  # fmt: skip

    def __init__(self, actions: str) -> None:
        self.action_space = {
            "box": spaces.Box(-2.0, 1.0, (3,), np.float32),
            "double": spaces.Box(-2.0, 1.0, (3,), np.float64),
            "discrete": spaces.Discrete(5, start=2),
            "many": spaces.MultiDiscrete([3, 4]),
        }[actions]
        self.seen: list[Any] = []
        self.done: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.time = 0
        return self._see()

    def step(self, action: Any) -> Any:
        self.time += 1
        reward = float(self.np_random.normal()) / 3.0
        self.done.append((action, reward))
        return (*self._see(reward, self.time == 7, False),)

    def _see(self, *more: Any) -> Any:
        observation = self.observation_space.sample()
        info = {"action_mask": self.np_random.integers(0, 2, 6, np.int8), "other": object()}
        self.seen.append((observation, info["action_mask"]))
        return observation, *more, info


class Fork(choices.Walk):
    """A walk that may also end at the left, where it pays less."""

    def _info(self) -> dict[str, Any]:
        return {}

    def step(self, action: Any) -> Any:
        self.place += 1 if action else -1
        return self.place, {0: 0.3, 4: 1.0}.get(self.place, 0.0), self.place in (0, 4), False, {}


class Everywhere(RandomPolicy):
    """Acts at random, and takes no masks, for `Everything` has some that mean nothing."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        return self._space.sample()


class Left(RandomPolicy):
    """Mostly goes left, if it may."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        mask = info.get("action_mask", (1, 1))
        return 0 if mask[0] and self._space.np_random.random() < 0.6 else 1


gymnasium.register("Toy/Everything-v0", entry_point=Everything, disable_env_checker=True, order_enforce=False)
gymnasium.register(FORK, entry_point=Fork, max_episode_steps=30, disable_env_checker=True)


def leaves(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, dict | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield np.asarray(value)


def same(ours: Any, theirs: Any) -> bool:
    """Whether two values have the same bits in the same types."""
    pairs = [*zip(leaves(ours), leaves(theirs), strict=True)]
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


# Recording, and reading back


@pytest.mark.parametrize("actions", ["box", "double", "discrete", "many"])
def test_everything_comes_back_bit_for_bit(actions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[Everything] = []

    def make(env: gymnasium.Env[Any, Any]) -> RandomPolicy:
        made.append(env.unwrapped)  # type: ignore[arg-type]
        return Everywhere(env, seed=3)

    written = record("Toy/Everything-v0", make, "toy/x-v0", 10, env_kwargs={"actions": actions}, folder=tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    read = minari.load_dataset("toy/x-v0")  # by Minari itself, which finds it where it looks for datasets
    assert read.total_steps == written.total_steps == 14 and read.total_episodes == 2
    assert read.storage.jpeg_encoding is False
    (env,) = made
    row = 0
    for episode in read.iterate_episodes():
        for k in range(8):
            observation, mask = env.seen[row + k]
            there = {name: column[k] for name, column in episode.observations.items() if name not in ("nested", "word")}
            nested = episode.observations["nested"]
            there |= {"nested": {"bits": nested["bits"][k], "pair": tuple(part[k] for part in nested["pair"])}}
            there |= {"word": episode.observations["word"][k]}
            assert same({name: observation[name] for name in there}, there)
            assert same(episode.infos["action_mask"][k], mask) and list(episode.infos) == ["action_mask"]
        for k in range(7):
            action, reward = env.done[row - row // 8 + k]
            assert same(episode.actions[k], action) and episode.rewards[k] == reward
        assert episode.terminations.tolist() == [False] * 6 + [True] and not episode.truncations.any()
        row += 8


@pytest.mark.parametrize(
    ("env_id", "expert"),
    [("rlx/ElectricMotorPmsmCurrent-v0", "pi"), ("rlx/RoguelikeNPC-v0", "greedy"), ("rlx/MallocGame-v0", "greedy")],
)
def test_families_can_be_played_again_from_their_datasets(env_id: str, expert: str, tmp_path: Path):
    kwargs = {"max_episode_steps": 20}
    dataset = record(env_id, lambda env: rlx.make_expert(env, expert), "x-v0", 30, env_kwargs=kwargs, folder=tmp_path)
    env = dataset.recover_environment()
    seeds = []
    for episode in episodes_of(dataset):
        seeds.append(episode["seed"])
        observation, info = env.reset(seed=seeds[-1])
        seen, masks = [observation], [info.get("action_mask")]
        for k, action in enumerate(episode["actions"]):
            observation, reward, terminated, truncated, info = env.step(action)
            seen.append(observation)
            masks.append(info.get("action_mask"))
            ends = episode["terminations"][k], episode["truncations"][k]
            assert (reward, terminated, truncated) == (episode["rewards"][k], *ends)
        assert any(ends)
        assert same(episode["observations"], datasets.stack(env.observation_space, seen))
        if masks[0] is not None:
            assert same(episode["observations"]["action_mask"], np.stack(masks))
    assert seeds == [*range(datasets.FIRST_SEED, datasets.FIRST_SEED + len(seeds))]


def test_masks_are_kept_where_observations_have_none(tmp_path: Path):
    for told, expected in (("info", ["action_mask"]), ("observation", [])):
        dataset = record(PICK, RandomPolicy, f"{told}-v0", 12, env_kwargs={"told": told}, folder=tmp_path)
        for episode in episodes_of(dataset):
            assert list(episode["infos"]) == expected
            masks = {**episode["observations"], **episode["infos"]}["action_mask"]
            assert masks.shape == (7, 4) and (masks[range(6), episode["actions"] - 3] == 1).all()


def test_no_episode_is_recorded_twice_or_evaluated():
    last = datasets.FIRST_SEED + datasets.SEEDS * datasets.EPISODES_PER_SEED
    assert last <= FIRST_SEED
    blocks = {
        recording.Recording(WALK, {}, "x", 1, seed)._block(tier) for seed in range(333) for tier in recording.PLAYED
    }
    assert len(blocks) == 999 and max(blocks) < datasets.SEEDS
    with pytest.raises(ValueError, match="seed = 333, but it must be less than 333"):
        recording.Recording(WALK, {}, "x", 1, 333)._block("random")
    with pytest.raises(ValueError, match="seed = 1000, but it must be from 0 to 999"):
        record(WALK, RandomPolicy, "x-v0", 1, seed=1000)


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Tired(RandomPolicy):
        def reset(self) -> None:
            tired.append(0)
            if len(tired) == 3:
                raise KeyboardInterrupt

    tired: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        record(WALK, Tired, "a/b/c-v0", 10_000, folder=tmp_path)
    assert datasets.names(tmp_path) == [] and not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.chdir(tmp_path)
    record(WALK, RandomPolicy, "a/b/c-v0", 10, folder=".")
    assert datasets.names(tmp_path) == ["a/b/c-v0"]
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["c-v0"]


def test_a_dataset_does_not_change_and_mistakes_are_told(tmp_path: Path):
    record(WALK, RandomPolicy, "walk-v0", 10, folder=tmp_path)
    with pytest.raises(ValueError, match="walk-v0 is there already"):
        record(WALK, RandomPolicy, "walk-v0", 10, folder=tmp_path)
    with pytest.raises(ValueError, match="'walk 1': the name of a dataset reads like malloc/expert-v0"):
        record(WALK, RandomPolicy, "walk 1", 10, folder=tmp_path)
    with pytest.raises(ValueError, match="There is no dataset 'run-v0' in .*There are: walk-v0"):
        open_dataset("run-v0", tmp_path)

    class Odd(choices.Walk):
        observation_space = spaces.Sequence(spaces.Discrete(2))  # type: ignore[assignment]

    with pytest.raises(ValueError, match="Minari has no datasets of these spaces: .*Sequence"):
        write("odd-v0", Odd(), iter(()), {}, tmp_path)
    assert datasets.names(tmp_path) == ["walk-v0"]


# Cards


def test_cards_count_right(tmp_path: Path):
    """On the way right from the middle: three, four; only one episode differs."""

    class Right(RandomPolicy):
        def act(self, observation: Any, info: dict[str, Any]) -> Any:
            return 1

    dataset = record(WALK, Right, "right-v0", 5, policy="right", folder=tmp_path)
    card = card_of(dataset)
    expected = Card(WALK, {}, "right", 6, 3, 1.0, 0.0, 1.0, 1.0, pairs=2)
    assert (
        card == expected == card_of(open_dataset("right-v0", tmp_path)) == card_of(open_dataset(tmp_path / "right-v0"))
    )
    file = tmp_path / "right-v0" / "data" / "metadata.json"
    metadata = json.loads(file.read_text())
    del metadata["rlx"]
    file.write_text(json.dumps(metadata))  # as if others had recorded it, from something that is not told
    assert card_of(open_dataset("right-v0", tmp_path)) == dataclasses.replace(card, env_id="unknown")
    random, expert = (dataclasses.replace(card, mean=mean) for mean in (-1.0, 3.0))
    assert card.score(random, expert) == 0.5
    with pytest.raises(ValueError, match="right and right both have the mean return -1"):
        card.score(random, random)


def test_what_counts_as_the_same():
    space = spaces.Dict({
        "bounded": spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 50.0], np.float32)),
        "free": spaces.Box(-np.inf, np.inf, (1,), np.float64),
        "whole": spaces.Box(0, 9, (1,), np.int16),
    })  # fmt: skip
    values = {
        "bounded": np.array([[-1.0, 0.0], [-0.81, 4.9], [1.0, 50.0], [0.99, 45.1]], np.float32),
        "free": np.array([[0.0], [0.09], [-0.01], [12.34]]),
        "whole": np.array([[3], [4], [3], [3]], np.int16),
    }
    bounded, free, whole = cells(space, values)
    assert bounded.tolist() == [[0, 0], [0, 0], [9, 9], [9, 9]]
    assert free.tolist() == [[0], [0], [-1], [123]]
    assert whole.tolist() == [[3], [4], [3], [3]]
    meter = Meter(space, spaces.Discrete(2))
    meter.watch({"observations": values, "actions": np.array([0, 0, 1]), "rewards": np.ones(3)})
    assert len(meter.pairs) == 3  # the last observation has no action
    meter.watch({"observations": values, "actions": np.array([0, 1, 1]), "rewards": np.ones(3)})
    assert len(meter.pairs) == 4


def rlx_(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


@pytest.fixture(scope="module")
def tiers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four tiers of the roguelike, medium by an expert that is worse."""
    root = tmp_path_factory.mktemp("datasets")
    common = ("record", "rlx/RoguelikeNPC-v0", "--root", root, "--name", "rogue", "--steps", 400)
    rlx_(*common, "--tier", "random,expert")
    rlx_(*common, "--tier", "medium", "--policy", "chaser")
    rlx_(*common, "--tier", "mixed")
    return root


def test_tiers_and_their_cards(tiers: Path):
    names = [f"rogue/{tier}-v0" for tier in ("expert", "medium", "mixed", "random")]
    assert datasets.names(tiers) == names
    expert, medium, mixed, random = (card_of(open_dataset(name, tiers)) for name in names)
    assert [card.policy for card in (expert, medium, random)] == ["search", "chaser", "random"]
    assert (random.tq, random.saco, expert.tq) == (0.0, 1.0, 1.0)
    assert 0 < medium.tq == (medium.mean - random.mean) / (expert.mean - random.mean) < 1
    assert mixed.steps == sum(card.steps for card in (random, expert, medium))
    assert mixed.saco == mixed.pairs / random.pairs > 2.5
    weighed = sum(card.mean * card.episodes for card in (random, expert, medium)) / mixed.episodes
    assert mixed.mean == pytest.approx(weighed)
    shown = rlx_("datasets", "rogue", "--root", tiers)
    assert all(name in shown for name in names) and f"{mixed.tq:.4g}" in shown
    assert "None in" in rlx_("datasets", "nothing", "--root", tiers)


def test_the_mixed_tier_is_the_others_bit_for_bit(tiers: Path):
    parts = [open_dataset(f"rogue/{tier}-v0", tiers) for tier in recording.PLAYED]
    expected = [episode for part in parts for episode in episodes_of(part)]
    found = [*episodes_of(open_dataset("rogue/mixed-v0", tiers))]
    assert len({episode["seed"] for episode in found}) == len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert same({**ours, "seed": 0}, {**theirs, "seed": 0}) and ours["seed"] == theirs["seed"]


def test_medium_is_a_learner_on_its_way(tmp_path: Path):
    args = {"steps": 2_000, "num_envs": 4, "rollout_steps": 32, "hidden_sizes": (16,), "rate": 3e-3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlx.baselines.learners.TUNED", {("ppo", FORK): args})
        patch.setattr(recording, "CHECKS", 10)
        make = recording.Recording(FORK, {}, "fork", 100, root=tmp_path).make
        random = make("random")
        learner = make_learner("ppo", FORK, {}, args)
        learner.learn(2_000)
        learner.policy.save(tmp_path / "right.npz")
        assert make("expert", str(tmp_path / "right.npz")).mean == 1.0 > random.mean
        medium = make("medium")
        patch.setattr(recording, "WAY", 1.1)
        with pytest.raises(ValueError, match="ppo came only 1.00 of the way from random actions to ppo after"):
            recording.Recording(FORK, {}, "fork", 100, 1, tmp_path)._learn([random, medium], lambda part: None)
    assert medium.policy.startswith("ppo after ") and medium.tq == 1.0  # which is on or off here


def test_mistakes_in_recording_are_told(tiers: Path, tmp_path: Path):
    common = ("record", "rlx/RoguelikeNPC-v0", "--root", tiers, "--name", "rogue")
    assert "rogue/random-v0 is there already" in str(_error(*common))
    other = (*common, "--tier", "mixed", "--env-kwargs", '{"design": "paper"}', "--name", "rogue")
    assert "Each tier needs those before it: random, expert, medium, mixed" in str(
        _error(*common[:-1], "new", "--tier", "medium")
    )
    (tiers / "rogue" / "mixed-v0").rename(tmp_path / "aside")
    try:
        assert "is of rlx/RoguelikeNPC-v0 with {}, not of" in str(_error(*other))
    finally:
        (tmp_path / "aside").rename(tiers / "rogue" / "mixed-v0")
    assert "tiers are random, expert, medium, mixed" in rlx_(*common, "--tier", "good", code=2)
    assert "It needs --tier expert or --tier medium" in rlx_(*common, "--policy", "greedy", code=2)
    make = recording.Recording(WALK, {}, "walk", 10, root=tmp_path).make
    make("random")
    with pytest.raises(ValueError, match="Toy/Walk-v0 has no experts here. Say who acts"):
        make("expert")


def _error(*arguments: object) -> BaseException:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(done.exception, ValueError)
    return done.exception


# Learning


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Walks at random, most steps of which go left if they may."""
    root = tmp_path_factory.mktemp("walks")
    record(WALK, lambda env: Left(env, 0), "walk-v0", 2_000, folder=root)
    return root / "walk-v0"


def mean_return(learner: Any, env_id: str, **env_kwargs: Any) -> float:
    return float(np.mean(evaluate(lambda env: learner.policy, env_id, env_kwargs, 20).returns))


def test_iql_does_better_than_what_it_was_shown(tmp_path: Path):
    """Most walks end at the left, which pays 0.3; a policy that clones them goes there."""
    dataset = record(FORK, lambda env: Left(env, 0), "fork-v0", 2_000, folder=tmp_path)
    assert card_of(dataset).mean < 0.6
    shared = {**SMALL, "dataset": str(tmp_path / "fork-v0"), "steps": 300, "rate": 1e-2}
    cloning = make_learner("bc", FORK, {}, shared)
    cloning.learn(300)
    assert mean_return(cloning, FORK) == pytest.approx(0.3)
    learner = make_learner("iql", FORK, {}, {**shared, "gamma": 0.9, "expectile": 0.9, "sharpness": 10.0, "tau": 0.05})
    learner.learn(300)
    assert mean_return(learner, FORK) == 1.0
    columns, _ = learner.actor.features.read(np.arange(5))
    values = learner.value(learner.actor.features.tensors(columns)).flatten().tolist()
    assert 0.3 < values[1] < values[2] < values[3] < 1.1  # what is best in the dataset is to turn right


def test_cloning_tells_the_shares_of_the_actions_that_are_allowed(walks: Path):
    learner = make_learner("bc", WALK, {}, {**SMALL, "dataset": str(walks), "steps": 500})
    learner.learn(500)
    episodes = [*episodes_of(open_dataset(walks))]
    places = np.concatenate([episode["observations"][:-1] for episode in episodes])
    actions = np.concatenate([episode["actions"] for episode in episodes])
    masks = np.array([[1, 1], [0, 1], [1, 1], [1, 1], [1, 1]])
    told = learner.policy.probabilities(np.arange(5), {"action_mask": masks})
    assert told[1].tolist() == [0.0, 1.0]
    for place in (2, 3):
        assert told[place, 1] == pytest.approx(actions[places == place].mean(), abs=0.03)


@pytest.mark.parametrize("algo", OFFLINE)
def test_continuous_actions_are_learned(algo: str, tmp_path: Path):
    import toys  # noqa: F401

    class Go:
        """Goes to the target, with random steps between."""

        def __init__(self, env: Any) -> None:
            self.random = np.random.default_rng(0)

        def reset(self) -> None:
            pass

        def act(self, observation: Any, info: Any) -> Any:
            best = np.clip((observation[1] - observation[0]) / 0.3, -1.0, 1.0)
            chosen = best if self.random.random() < 0.7 else self.random.uniform(-1.0, 1.0)
            return np.array([chosen], np.float32)

    dataset = record(REACH, Go, "reach-v0", 2_000, folder=tmp_path)
    learner = make_learner(algo, REACH, {}, {**SMALL, "dataset": str(tmp_path / "reach-v0"), "steps": 600})
    assert mean_return(learner, REACH) < -5.0
    learner.learn(600)
    assert mean_return(learner, REACH) > card_of(dataset).mean + 0.5
    low, high = gymnasium.make(REACH).action_space.low, gymnasium.make(REACH).action_space.high  # type: ignore
    actions = learner.kind.read(np.array([low, (low + high) / 2, high]))
    assert actions.tolist() == [[-1.0], [0.0], [1.0]]


@pytest.mark.parametrize("told", ["info", "observation"])
def test_masks_and_pictures_are_learned_from(told: str, tmp_path: Path):
    """Half of the picks that are shown are right, by a rule that needs picture and mask, and half are chance."""

    class Picker(RandomPolicy):
        def act(self, observation: Any, info: dict[str, Any]) -> Any:
            light = observation["picture"][0, ::4, ::5].flatten() + 0.1
            best = 3 + np.argmax(light * {**observation, **info}["action_mask"])
            return best if self._space.np_random.random() < 0.5 else super().act(observation, info)

    kwargs = {"told": told}
    dataset = record(PICK, lambda env: Picker(env, 0), "pick-v0", 1_200, env_kwargs=kwargs, folder=tmp_path)
    args = {**SMALL, "dataset": str(tmp_path / "pick-v0"), "steps": 300, "channels": (4,), "activation": "tanh"}
    args |= {"gamma": 0.0, "rate": 1e-2}
    learner = make_learner("iql", PICK, kwargs, args)
    assert mean_return(learner, PICK, told=told) < 4.0
    learner.learn(300)
    found = mean_return(learner, PICK, told=told)
    assert found > card_of(dataset).mean + 1.0
    learner.policy.save(tmp_path / "policy.npz")
    loaded = load_policy(tmp_path / "policy.npz")
    assert np.mean(evaluate(lambda env: loaded, PICK, kwargs, 20).returns) == found


def test_without_sharpness_iql_clones(walks: Path):
    shared = {**SMALL, "dataset": str(walks), "steps": 50}
    cloning = make_learner("bc", WALK, {}, shared)
    implicit = make_learner("iql", WALK, {}, {**shared, "sharpness": 0.0})
    for learner in (cloning, implicit):
        learner.learn(50)
    for ours, theirs in zip(cloning.actor.parameters, implicit.actor.parameters, strict=True):
        assert torch.equal(ours, theirs)


def test_the_losses_are_those_of_the_paper(walks: Path):
    """Against the equations, written out step by step in NumPy."""
    args = iql.Args(dataset=str(walks), gamma=0.9, expectile=0.8, sharpness=2.0, reward_scale=0.5, hidden_sizes=(8,))
    learner = iql.IQL(WALK, None, args)
    for target in learner.targets:  # so that they differ from what they follow
        target.data.add_(0.05)
    batch = learner.table.sample(16, np.random.default_rng(1))
    loss = learner._loss(batch).item()

    def told(network: bc.Network, columns: Any) -> np.ndarray:
        return network(columns).detach().numpy().astype(np.float64)

    value, after = told(learner.value, batch.state)[:, 0], told(learner.value, batch.next_state)[:, 0]
    policy, expected = told(learner.actor, batch.state), 0.0
    for k, action in enumerate(batch.action.tolist()):
        target_q = min(told(critic, batch.state)[k, action] for critic in learner.target_critics)
        aim = 0.5 * float(batch.reward[k]) + 0.9 * float(batch.goes_on[k]) * after[k]
        u = target_q - value[k]
        expected += abs(0.8 - (u < 0)) * u * u
        expected += sum((aim - told(critic, batch.state)[k, action]) ** 2 for critic in learner.critics)
        legal = batch.legal[k].numpy()
        chance = np.exp(policy[k, action]) / np.exp(policy[k])[legal].sum()
        expected -= min(np.exp(2.0 * u), iql.WEIGHT_BOUND) * np.log(chance)
    assert loss == pytest.approx(expected / 16, rel=1e-5)
    kept = [target.clone() for target in learner.targets]
    learner._follow()
    for target, before, parameter in zip(learner.targets, kept, learner.judging, strict=True):
        assert torch.allclose(target, 0.995 * before + 0.005 * parameter)


def test_episodes_do_not_run_into_each_other(tmp_path: Path):
    """`choices.Ticks` tells episode and time; a termination is told apart from a horizon."""
    record("Toy/Ticks-v0", lambda env: RandomPolicy(env, 0), "ticks-v0", 30, folder=tmp_path)
    learner = bc.BC("Toy/Ticks-v0", None, bc.Args(dataset=str(tmp_path / "ticks-v0"), hidden_sizes=(4,)))
    assert len(learner.table) == card_of(open_dataset(tmp_path / "ticks-v0")).steps
    batch = learner.table.sample(500, np.random.default_rng(0))
    state, after = batch.state["numbers"], batch.next_state["numbers"]
    assert torch.equal(after[:, 0], state[:, 0]) and torch.equal(after[:, 1], state[:, 1] + 1)
    assert torch.equal(batch.reward, after[:, 1])
    assert torch.equal(batch.goes_on == 0, (state[:, 0] % 2 == 0) & (after[:, 1] == 3))


@pytest.mark.parametrize("algo", OFFLINE)
def test_a_run_that_was_stopped_goes_on(algo: str, walks: Path, tmp_path: Path):
    def make() -> Any:
        return make_learner(algo, WALK, {}, {**SMALL, "dataset": str(walks), "steps": 60, "final_rate": 0.5})

    whole, resumed = whole_and_resumed(make, 25, 60, tmp_path)
    assert resumed.step == 25
    resumed.learn(60)
    assert whole.metrics == resumed.metrics and whole.step == 60
    for ours, theirs in zip((*whole.learned, *whole.targets), (*resumed.learned, *resumed.targets), strict=True):
        assert torch.equal(ours, theirs)
    assert whole.optimizer.param_groups[0]["lr"] < 3e-3


def test_compare_runs_them_only_where_asked(walks: Path, tmp_path: Path):
    assert set(OFFLINE) <= set(LEARNERS)
    for env_id in (WALK, REACH, "rlx/RoguelikeNPC-v0", "rlx/ElectricMotor-v0"):
        assert not set(OFFLINE) & set(learners_for(env_id, {}))
    env_id = "choices:Toy/Walk-v0"
    common = ("compare", env_id, "--out", tmp_path / "runs", "--seeds", 1, "--evaluations", 1, "--eval-episodes", 3)
    assert "There is no dataset ''" in str(_error(*common, "--algos", "bc"))
    assert "'nothing'" in str(_error(*common, "--algos", "iql", "--set", "iql.dataset=nothing"))
    assert not (tmp_path / "runs").exists()
    path = os.pathsep.join([str(Path(choices.__file__).parent), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        assert "iql" in rlx_(*common, "--algos", "iql", "--steps", 20, "--set", f"iql.dataset={walks}")
    (job,) = (tmp_path / "runs" / "jobs").glob("iql-*")
    rows = [json.loads(line) for line in (job / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 20]


def test_mistakes_in_learning_are_told(walks: Path, tmp_path: Path):
    args: Callable[..., bc.Args] = bc.Args
    with pytest.raises(ValueError, match="The observations of Toy/Ticks-v0 are .*, but in .*walk-v0 they are Discrete"):
        bc.BC("Toy/Ticks-v0", None, args(dataset=str(walks)))
    with pytest.raises(ValueError, match="cannot go on in other environments"):
        bc.BC(WALK, None, args(dataset=str(walks))).change_envs({})
    with pytest.raises(ValueError, match="expectile = 1.0, but it must be more than 0 and less than 1"):
        iql.Args(expectile=1.0)
    with pytest.raises(ValueError, match="network = 'fullyconv'"):
        args(network="fullyconv")
    with pytest.raises(TypeError, match="a bounded Box is needed"):
        bc.Amounts(spaces.Box(-np.inf, np.inf, (2,)), spaces.Box(0, 1, (2,)))
    with pytest.raises(TypeError, match="observations must be a vector"):
        bc.Amounts(spaces.Box(-1, 1, (2,)), spaces.Dict({"x": spaces.Box(0, 1, (2,))}))
