"""QWeb: what the network heeds and what it does not, that it learns, and the curriculum."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from resuming import assert_learned_alike, whole_and_resumed

from rlx.baselines.arguments import describe
from rlx.baselines.compare.manifest import make_settings
from rlx.baselines.curriculum import Args, CurriculumDQN
from rlx.baselines.dqn import DQN
from rlx.baselines.dqn import Args as DqnArgs
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import fill_args, learners_for, make_learner
from rlx.baselines.networks import ACTION_NETWORKS, Architecture, Features, make_features
from rlx.baselines.policy import load_policy
from rlx.baselines.qweb import agreement, attend, overlap
from rlx.registry.catalog import environments

WORDS = 9  # 0 is none; 1 to 4 say what an element or a field is
NAME, BIRTH, BUTTON = 1, 2, 3


class Form(gymnasium.Env[Any, Any]):
    """Two inputs in any order, and a button at the end. Sent, it pays 0.5 for each input with the right value.

    Elements have two attributes (what they are, what they hold) and fields two parts (key, value), of one token each.
    There is room for a fourth element and a third field.
    """

    observation_space = spaces.Dict({
        "elements": spaces.Box(0, WORDS, (4, 2, 1), np.int16),
        "element_mask": spaces.Box(0, 1, (4,), np.int8),
        "features": spaces.Box(0, 1, (4, 1), np.int8),
        "fields": spaces.Box(0, WORDS, (3, 2, 1), np.int16),
        "field_mask": spaces.Box(0, 1, (3,), np.int8),
    })  # fmt: skip
    action_space = spaces.Discrete(4 * 4)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.labels = self.np_random.permutation([NAME, BIRTH])
        self.wanted = self.np_random.integers(5, WORDS, 2)  # by the fields' order
        self.held = np.zeros(2, np.int64)
        return self._seen()

    def step(self, action: Any) -> Any:
        element, kind = divmod(int(action), 4)
        assert self._seen()[1]["action_mask"][action], "not allowed"
        is_sent = element == 2
        if kind:
            self.held[element] = self.wanted[kind - 1]
        is_right = self.held == self.wanted[self.labels - 1]
        observation, info = self._seen()
        return observation, is_right.mean() * is_sent, is_sent, False, info | {"success": bool(is_right.all())}

    def _seen(self) -> Any:
        elements, fields = np.zeros((4, 2, 1), np.int16), np.zeros((3, 2, 1), np.int16)
        elements[:3, 0, 0], elements[:2, 1, 0] = [*self.labels, BUTTON], self.held
        fields[:2, :, 0] = [[NAME, self.wanted[0]], [BIRTH, self.wanted[1]]]
        mask = np.zeros((4, 4), np.int8)
        mask[:2, :3] = mask[2, 0] = 1
        observation = {
            "elements": elements,
            "element_mask": np.array([1, 1, 1, 0], np.int8),
            "features": (elements[:, 1] != 0).astype(np.int8),
            "fields": fields,
            "field_mask": np.array([1, 1, 0], np.int8),
        }
        return observation, {"action_mask": mask.ravel()}


gymnasium.register("Toy/Form-v0", Form, max_episode_steps=10)

VARIANTS = list(ACTION_NETWORKS)
SPACE = Form.observation_space
LOGIN = {"task": "login-user"}


def make(network: str, seed: int = 0) -> Features:
    return make_features(SPACE, Architecture(network, 0.25), torch.Generator().manual_seed(seed))


def pages(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Observations of `Form` with anything typed into the inputs."""
    env, random = Form(), np.random.default_rng(seed)
    env.reset(seed=seed)
    seen = []
    for _ in range(count):
        env.reset()
        env.held = random.integers(0, WORDS, 2)
        seen.append(env._seen()[0])
    return {name: np.stack([one[name] for one in seen]) for name in SPACE}


def columns_of(features: Features, observation: Any) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in features.read(observation)[0].items()}


# The network


@pytest.mark.parametrize("network", VARIANTS)
def test_features_are_those_of_actions(network: str):
    features = make(network)
    told, batch = features.evaluate(pages(5))
    assert (told.shape, batch, features.size) == ((5, 16, 2), (5,), 2)


@pytest.mark.parametrize("network", VARIANTS)
def test_all_parameters_matter(network: str):
    features = make(network)
    told = features(columns_of(features, pages(40)))
    weights = torch.randn(told.shape, generator=torch.Generator().manual_seed(1))
    names, parameters = zip(*features.named_parameters(), strict=True)
    gradients = torch.autograd.grad((weights * told).sum(), parameters)
    assert [name for name, gradient in zip(names, gradients, strict=True) if gradient.abs().max() < 1e-6] == []


@pytest.mark.parametrize("network", VARIANTS)
def test_one_observation_is_a_batch_of_one(network: str):
    features, batch = make(network), pages(5)
    batch["element_mask"][2:, 2] = 0  # pages of different lengths
    together, _ = features.evaluate(batch)
    for k in range(5):
        alone, shape = features.evaluate({name: values[k] for name, values in batch.items()})
        assert (alone.shape, shape) == ((1, 16, 2), ())
        there = batch["element_mask"][k] != 0
        np.testing.assert_allclose(by_kind(alone)[0][there], by_kind(together)[k][there], rtol=1e-4, atol=1e-6)


def by_kind(told: np.ndarray) -> np.ndarray:
    return told.reshape(len(told), 4, 4, -1)


@pytest.mark.parametrize("network", VARIANTS)
def test_what_is_not_there_does_not_matter(network: str):
    features, observation = make(network), pages(6)
    other = {name: values.copy() for name, values in observation.items()}
    other["elements"][:, 3], other["features"][:, 3] = 7, 1
    if network != "qweb-overlap":  # a field that is not there has no words
        other["fields"][:, 2] = 8
    told, without = (by_kind(features.evaluate(one)[0]) for one in (observation, other))
    np.testing.assert_allclose(told[:, :3, :3], without[:, :3, :3], atol=1e-6)


def test_fields_have_no_order():
    features, observation = make("qweb"), pages(6)
    swapped = {**observation, "fields": observation["fields"][:, [1, 0, 2]]}
    told, other = (by_kind(features.evaluate(one)[0]) for one in (observation, swapped))
    np.testing.assert_allclose(told[:, :3, [0, 1, 2]], other[:, :3, [0, 2, 1]], atol=1e-5)


@pytest.mark.parametrize(("network", "heeds"), [("qweb", True), ("qweb-alone", False)])
def test_an_element_is_read_among_the_others(network: str, heeds: bool):
    """By what tells its actions apart, for what they have in common is the page's."""
    features, observation = make(network), pages(6)
    other = {**observation, "elements": observation["elements"].copy()}
    other["elements"][:, 0, 1] = 7
    told, changed = (np.diff(by_kind(features.evaluate(one)[0])[:, 2], axis=1) for one in (observation, other))
    assert np.allclose(told, changed, atol=1e-5) != heeds


def test_elements_attend_to_what_they_resemble():
    """Orthogonal tokens of length 4 in 16 numbers: the scaled product of a token with itself is 4."""
    tokens = torch.eye(16) * 4.0
    elements, parts = tokens[torch.tensor([[[0, 1], [2, 3]]])].sum(dim=2), tokens[torch.tensor([[[0, 4], [5, 2]]])]
    heeded = attend(elements, parts, torch.tensor([[True, True]]))
    alike, other = np.exp(4.0) / (np.exp(4.0) + 2.0), 1.0 / (np.exp(4.0) + 2.0)  # the other field, and nothing
    even = 1.0 / 3.0
    expected = [[[alike, other], [even, even]], [[even, even], [other, alike]]]
    np.testing.assert_allclose(heeded[0], expected, rtol=1e-5)
    assert not attend(elements, parts, torch.tensor([[False, False]])).any()


def test_agreement_on_a_field():
    heeded = torch.tensor([[[0.5, 0.25], [0.5, 0.125]], [[1.0, 0.0], [0.0, 1.0]]])
    np.testing.assert_allclose(agreement(heeded), [[0.5 * 0.5 + 0.25 * 0.125], [0.0]])


def test_overlap():
    elements = torch.tensor([[[3, 4, 0], [5, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    fields = torch.tensor([[[[3, 0, 0], [4, 5, 7]], [[0, 0, 0], [8, 9, 0]]]] * 2)
    np.testing.assert_allclose(overlap(elements, fields), [[[1, 2 / 3], [0, 0]], [[0, 0], [0, 0]]], rtol=1e-6)


def test_observations_that_are_no_pages():
    with pytest.raises(TypeError, match=r"reads observations with the entries elements \(3 axes\)"):
        DQN("CartPole-v1", None, DqnArgs(network="qweb"))


def test_only_dqn_can_use_it():
    from rlx.baselines.ppo import Args as PpoArgs

    with pytest.raises(ValueError, match="network = 'qweb'"):
        PpoArgs(network="qweb")


def test_learners_that_suit():
    assert learners_for("Toy/Form-v0", {}) == ["dqn", "ppo", "qweb"]
    assert "qweb" not in learners_for("CartPole-v1", {})
    for env_id, message in (
        ("CartPole-v1", r"qweb does not suit the observations of CartPole-v1, Box\(.*\). It reads elements and fields"),
        ("Pendulum-v1", r"qweb does not suit the actions of Pendulum-v1, .* Learners that do: sindy_rl, ppo, ddpg"),
    ):
        with pytest.raises(ValueError, match=message):
            make_settings(env_id, {}, ["qweb"], {}, [0], None, 1, 1)


def test_all_ids_of_pages_are_tuned():
    ids = [row.id for row in environments().values() if row.family == "web_nav"]
    assert "rlx/WebNavLoginUser-v0" in ids
    for env_id in ids:
        assert fill_args("qweb", env_id, {}).lead > 0
    assert learners_for("rlx/WebNavLoginUser-v0", {})[0] == "qweb"


# Learning


def test_it_learns_a_form(tmp_path: Path):
    """Seconds of training; inputs come in any order, and words in any combination. The policy is stored whole."""
    args = Args(steps=6_000, width=0.5, rate=3e-3, update_ratio=0.15)
    learner = make_learner("qweb", "Toy/Form-v0", {}, dataclasses.asdict(args))

    def successes(policy: Any) -> float:
        return float(np.mean([end == "success" for end in evaluate(lambda env: policy, "Toy/Form-v0", {}, 200).ends]))

    assert successes(learner.policy) < 0.2
    learner.learn(args.steps, lambda step: None)
    policy = learner.policy
    assert successes(policy) >= 0.95
    policy.save(tmp_path / "policy.npz")
    loaded, observation = load_policy(tmp_path / "policy.npz"), pages(20)
    assert np.array_equal(loaded.values(observation), policy.values(observation))
    alone = [loaded.act({name: values[k] for name, values in observation.items()}) for k in range(20)]
    assert np.array_equal(loaded.act(observation), alone)


@pytest.mark.parametrize("bins", [0, 11])
def test_the_policy_tells_what_the_network_tells(bins: int):
    learner = CurriculumDQN("Toy/Form-v0", None, Args(width=0.25, bins=bins))
    observation = pages(7)
    told = learner.network.values(learner.network.tell(columns_of(learner.network.features, observation)))
    assert told.shape == (7, 16)
    np.testing.assert_allclose(learner.policy.values(observation), told.detach(), rtol=1e-4, atol=1e-6)


# The curriculum


SMALL = {"width": 0.25, "num_envs": 3, "batch_size": 8, "replay_size": 300, "warmup": 30, "steps": 400}


@pytest.mark.parametrize("network", ["qweb", "qweb-alone"])
def test_a_checkpoint_has_the_same_future(network: str, tmp_path: Path):
    """While the curriculum goes on, and past its end."""
    args = Args(**SMALL, network=network, lead=0.8, margin=0.1, warm_start=1.0, subgoals=2, curriculum_fraction=0.8)
    whole, resumed = whole_and_resumed(lambda: CurriculumDQN("rlx/WebNav-v0", LOGIN, args), 150, 400, tmp_path)
    resumed.learn(400)
    assert_learned_alike(whole, resumed)


def contexts(args: Args) -> dict[int, list[tuple[float, float]]]:
    """Return warm start and subgoals of each row's episode, by the step."""
    learner, found = CurriculumDQN("rlx/WebNav-v0", LOGIN, args), {}
    while learner.step < args.steps:
        rows: Any = learner.envs.parameters  # type: ignore[attr-defined]
        found[learner.step] = [(row.warm_start, row.subgoal_fields) for row in rows]
        learner._act()
    return found


def test_warm_starts_shrink():
    """An episode keeps its own, for four steps at most and one more that resets."""
    found = contexts(Args(**SMALL, warm_start=0.8, episode_steps=4, curriculum_fraction=0.5))
    shares = {step: [share for share, _ in rows] for step, rows in found.items()}
    assert shares[0] == [0.8] * 3
    for step, row in shares.items():
        begun = max(step - 5 * 3, 0)
        assert all(0.8 * (1 - step / 200) - 1e-9 <= share <= 0.8 * (1 - begun / 200) + 1e-9 for share in row if share)
    late = [share for step, row in shares.items() if step > 215 for share in row]
    assert late and set(late) == {0.0}


def test_subgoals_grow():
    found = contexts(Args(**SMALL, subgoals=2, episode_steps=4, curriculum_fraction=0.5))
    goals = {step: {goal for _, goal in rows} for step, rows in found.items()}
    assert goals[0] == {1.0}
    assert goals[150] == {2.0}
    assert goals[300] == {0.0}


def test_warm_starts_reach_the_page():
    """The first pages hold what the oracle has typed, and those of a run without curriculum do not."""
    tampered = {}
    for share in (0.0, 1.0):
        learner = CurriculumDQN("rlx/WebNav-v0", LOGIN, Args(num_envs=16, width=0.25, warm_start=share))
        tampered[share] = learner.seen["features"][:, :, 1].sum()
    assert tampered[0.0] == 0 < tampered[1.0]


def test_the_oracle_leads_and_is_learned_from():
    """All of the first episodes, none of the last ones; whoever has taken over keeps the lead until the end."""
    args = Args(**SMALL, lead=1.0, curriculum_fraction=0.5)
    learner = CurriculumDQN("rlx/WebNav-v0", LOGIN, args)
    led = []
    while learner.step < args.steps:
        wanted = learner.envs.solve(np.ones(3, np.bool_)) if not learner.ended.any() else None  # type: ignore
        has_led = learner.led | learner.ended
        learner._act()
        now = (learner.replay.count - 1) % learner.replay.rows
        row = {name: learner.replay.columns[name][now] for name in ("example", "action", "live")}
        assert not (row["example"] & ~(has_led & row["live"])).any()
        if wanted is not None:
            assert np.array_equal(row["action"][row["example"]], wanted[row["example"]])
        led.append(row["example"].mean())
    assert led[0] == 1.0
    assert sum(led[:20]) > sum(led[20:60]) > 0
    assert not any(led[70:])


def test_examples_are_worth_more_by_a_margin():
    """In what was seen, where nothing else tells actions apart: no reward counts."""
    args = Args(**SMALL | {"steps": 5_000, "rate": 3e-3, "batch_size": 32}, lead=1.0, margin=0.5, reward_scale=1e-9)
    learner = CurriculumDQN("rlx/WebNav-v0", LOGIN, args)
    for _ in range(100):
        learner._act()

    def gap() -> torch.Tensor:
        """Of an example's value from the highest of the other actions, each time."""
        batch = learner.replay.sample(1.0, np.random.default_rng(0))
        with torch.no_grad():
            values = learner.network.values(learner.network.tell(batch.state))
        others = values.masked_fill(~batch.legal, -torch.inf).scatter(1, batch.action, -torch.inf).amax(dim=1)
        return (values.gather(1, batch.action).squeeze(1) - others)[batch.is_example]

    before = gap()
    assert len(before) > 20 and before.mean() < 0.0
    for _ in range(200):
        learner._update()
    assert (gap() > 0.3).float().mean() > 0.8


def test_there_may_be_nobody_to_lead():
    with pytest.raises(TypeError, match="There is nobody to lead: Toy/Form-v0 has no oracle. Leave lead at 0"):
        CurriculumDQN("Toy/Form-v0", None, Args(lead=0.5))


def test_training_may_be_rewarded_otherwise():
    learner = CurriculumDQN("rlx/WebNav-v0", LOGIN, Args(**SMALL, reward="success", dense=True, gamma=0.7))
    for kwargs in (LOGIN, {**LOGIN, "reward": "scaled"}):
        rows: Any = learner.envs
        assert [session.task[2:] for session in rows._states["simulation"]] == [("success", True)] * 3
        assert {row.discount for row in rows.parameters} == {0.7}
        learner.change_envs(kwargs)


def test_a_curriculum_needs_a_context():
    with pytest.raises(TypeError, match="needs the context 'warm_start', but Toy/Form-v0 has: none"):
        CurriculumDQN("Toy/Form-v0", None, Args(warm_start=0.5))


@pytest.mark.parametrize(("name", "value"), [("warm_start", 1.5), ("subgoals", -1), ("curriculum_fraction", 0.0)])
def test_values_that_are_not_allowed(name: str, value: Any):
    with pytest.raises(ValueError, match=f"{name} = {value!r}"):
        Args(**{name: value})


def test_all_arguments_are_explained():
    helps = {name: meaning for name, _, meaning in describe(Args)}
    assert [name for name, meaning in helps.items() if not meaning.endswith(".")] == []
    inherited = {name: meaning for name, _, meaning in describe(DqnArgs)}
    assert helps["tau"] == inherited["tau"], "of the base"
    assert helps["gamma"] != inherited["gamma"], "its own"
