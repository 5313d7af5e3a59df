"""The network "assets" of DDPG: what it computes, what it refuses, and that it finds out what is good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlx.baselines.ddpg import DDPG, NETWORKS, Args
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import fill_args, make_learner
from rlx.baselines.policy import AssetsPolicy, load_policy
from rlx.envs.portfolio import Market
from rlx.registry.experts import make_expert

PORTFOLIO = "rlx/Portfolio-v0"
PAIR = {"world": {"kind": "pair"}, "assets": 4, "window": 6, "costs": 0.002}
SMALL = {"hidden_sizes": (8, 8), "batch_size": 16, "replay_size": 500, "warmup": 40, "num_envs": 4, "actor_rate": 1e-2}
KINDS = ("assets", "named-assets")


def learner(network: str = "assets", is_lively: bool = False, has_features: bool = False, **args: Any) -> DDPG:
    """A fresh learner; lively, its last layers are larger than those of others, so that scores differ."""
    env_kwargs = {"dataset": foretold(), "window": 6} if has_features else PAIR
    made = DDPG(PORTFOLIO, env_kwargs, Args(network=network, **{**SMALL, **args}))
    if is_lively:
        with torch.no_grad():
            for last in (made.actor[4], made.actor[-2], made.critic[-2]):
                last.mul_(300.0)
    return made


def foretold(days: int = 1500) -> Market:
    """Prices at random, the sign of each return the day before, and noise that all assets share."""
    random = np.random.default_rng(0)
    returns = random.normal(0.0, 0.02, (days, 4))
    omen = np.append(np.sign(returns[1:]), np.zeros((1, 4)), axis=0)
    dates = np.datetime64("2020-01-01") + np.arange(days)
    splits = {"train": (dates[0], dates[days * 2 // 3 - 1]), "test": (dates[days * 2 // 3], dates[-1])}
    features = {"omen": omen, "noise": random.normal(size=days)}
    return Market(tuple("ABCD"), dates, 100.0 * np.exp(returns.cumsum(axis=0)), splits=splits, features=features)


def observations(count: int, seed: int = 0, has_features: bool = False) -> dict[str, np.ndarray]:
    """Days and holdings as a portfolio has them; not all assets can be traded."""
    random = np.random.default_rng(seed)
    drawn = {
        "returns": random.normal(0.0, 0.03, (count, 6, 4)),
        "weights": random.dirichlet(np.ones(5), count),
        "tradable": random.integers(0, 2, (count, 4)),
        "conditions": random.uniform(0.0, 1.0, (count, 9)),
        **({"features": random.normal(0.0, 1.0, (count, 6, 4, 2))} if has_features else {}),
    }
    return {name: values.astype(np.float32) for name, values in drawn.items()}


def of(seen: dict[str, np.ndarray], order: list[int]) -> dict[str, np.ndarray]:
    """The same with the assets in another order."""
    return {
        **seen,
        "returns": seen["returns"][:, :, order],
        "weights": seen["weights"][:, [*order, 4]],
        "tradable": seen["tradable"][:, order],
        **({"features": seen["features"][:, :, order]} if "features" in seen else {}),
    }


# What it computes


@pytest.mark.parametrize("has_features", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("network", KINDS)
def test_the_policy_is_the_actor_and_survives_the_disk(
    network: str, activation: str, has_features: bool, tmp_path: Path
):
    made = learner(network, is_lively=True, has_features=has_features, activation=activation)
    seen = observations(7, has_features=has_features)
    made.policy.save(tmp_path / "policy.npz")
    policy = load_policy(tmp_path)
    assert isinstance(policy, AssetsPolicy)
    weights = policy.act(seen)
    assert (weights.shape, weights.dtype) == ((7, 5), np.float32)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    assert np.ptp(weights, axis=0).max() > 0.05, "a policy that always does the same tests little"
    rows = torch.from_numpy(made.network.read(seen))
    scores = torch.tanh(made.network.scores(made.actor, rows)).detach()
    np.testing.assert_allclose(weights, torch.softmax(3.0 * scores, dim=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(weights, made.network.to_space(scores.double().numpy()), rtol=1e-4, atol=1e-6)
    for k in range(7):
        single = policy.act({name: values[k] for name, values in seen.items()}, {})
        np.testing.assert_allclose(single, weights[k], rtol=1e-4, atol=1e-6)
        assert single in made.network.action_space
    assert policy.observation_space == made.network.observation_space


@pytest.mark.parametrize("has_features", [False, True])
@pytest.mark.parametrize("network", KINDS)
def test_only_named_assets_are_told_apart(network: str, has_features: bool):
    """Assets that change places get each other's weights, and the value of that is the same."""
    made, order = learner(network, is_lively=True, has_features=has_features), [2, 0, 3, 1]
    seen = observations(7, has_features=has_features)
    scores = torch.rand((7, 5), generator=torch.Generator().manual_seed(0)) * 2 - 1
    apart = np.abs(made.policy.act(of(seen, order)) - made.policy.act(seen)[:, [*order, 4]]).max()

    def value(seen: dict[str, np.ndarray], scores: torch.Tensor) -> torch.Tensor:
        return made.network.value(made.critic, torch.from_numpy(made.network.read(seen)), scores)

    difference = (value(of(seen, order), scores[:, [*order, 4]]) - value(seen, scores)).abs().max()
    if network == "assets":
        assert apart < 1e-6 and difference < 1e-5
    else:
        assert apart > 1e-3 and difference > 1e-3


@pytest.mark.parametrize("has_features", [False, True])
def test_everything_that_is_seen_matters(has_features: bool):
    made = learner(is_lively=True, has_features=has_features)
    rows = torch.from_numpy(made.network.read(observations(50, has_features=has_features))).requires_grad_()
    scores = torch.zeros((50, 5), requires_grad=True)
    made.network.scores(made.actor, rows).square().sum().backward()
    assert (rows.grad.abs().sum(dim=0) > 0).all()
    rows.grad = None
    made.network.value(made.critic, rows, scores).sum().backward()
    assert (rows.grad.abs().sum(dim=0) > 0).all()
    assert (scores.grad.abs().sum(dim=0) > 0).all()


def test_features_are_exported(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    from rlx.baselines.export import TOLERANCE, export_policy

    policy = learner(is_lively=True, has_features=True).policy
    env = gymnasium.make(PORTFOLIO, dataset=foretold(), window=6)
    assert export_policy(policy, env, tmp_path / "policy.onnx") <= TOLERANCE
    with pytest.raises(ValueError, match="Choose its own environment"):
        export_policy(policy, gymnasium.make(PORTFOLIO, assets=4, window=6), tmp_path / "other.onnx")


def test_all_parameters_are_learned():
    made = learner()
    before = [parameter.detach().clone() for parameter in (*made.actor, *made.critic)]
    made.learn(200)
    for old, new in zip(before, (*made.actor, *made.critic), strict=True):
        assert not torch.equal(old, new)


def test_a_run_is_a_function_of_its_arguments(tmp_path: Path):
    """Also across a checkpoint."""
    whole, torn, resumed = learner("named-assets"), learner("named-assets"), learner("named-assets")
    whole.learn(400)
    torn.learn(200)
    torn.save(tmp_path / "checkpoint")
    resumed.load(tmp_path / "checkpoint")
    resumed.learn(400)
    for ours, theirs in zip((*whole.actor, *whole.critic), (*resumed.actor, *resumed.critic), strict=True):
        assert torch.equal(ours, theirs)


# What it refuses

BOX = spaces.Box(0.0, 1.0, (5,))
SEEN = {
    "returns": spaces.Box(-1.0, 1.0, (6, 4)),
    "weights": BOX,
    "tradable": spaces.Box(0.0, 1.0, (4,)),
    "conditions": spaces.Box(0.0, 1.0, (2,)),
}


@pytest.mark.parametrize(
    ("seen", "acts"),
    [
        (BOX, BOX),
        (spaces.Dict({name: box for name, box in SEEN.items() if name != "conditions"}), BOX),
        (spaces.Dict({**SEEN, "tradable": spaces.Discrete(4)}), BOX),
        (spaces.Dict({**SEEN, "tradable": BOX}), BOX),
        (spaces.Dict({**SEEN, "features": BOX}), BOX),
        (spaces.Dict({**SEEN, "features": spaces.Box(-1.0, 1.0, (4, 6, 2))}), BOX),
        (spaces.Dict(SEEN), spaces.Box(0.0, 1.0, (4,))),
        (spaces.Dict(SEEN), spaces.Box(-1.0, 1.0, (5,))),
    ],
)
def test_spaces_that_it_cannot_use(seen: spaces.Space[Any], acts: spaces.Box):
    for network in KINDS:
        with pytest.raises(TypeError, match=r"'assets' reads a Dict of returns \(W, N\), .* network=mlp"):
            NETWORKS[network](seen, acts, (8,), "relu")


def test_the_spaces_that_it_can_use():
    assert NETWORKS["assets"](spaces.Dict(SEEN), BOX, (8,), "relu").actions == 5


def test_the_mlp_reads_no_dict():
    with pytest.raises(TypeError, match="'mlp' of DDPG needs a Box of observations"):
        DDPG(PORTFOLIO, PAIR)


# That it learns


def growth(make_policy: Any, env_kwargs: dict[str, Any], episodes: int = 20) -> np.ndarray:
    """Mean log growth of a day in each episode."""
    return np.array(evaluate(make_policy, PORTFOLIO, env_kwargs, episodes).returns) / 252.0


def test_what_is_tuned_can_be_trained():
    """On the shipped data; all that is checked here is that it runs."""
    args = {"steps": 512, "warmup": 256, "replay_size": 512, "batch_size": 16}
    made = make_learner("ddpg", PORTFOLIO, {}, vars(fill_args("ddpg", PORTFOLIO, args)))
    made.learn(512, lambda step: None)
    assert made.metrics["updates"] > 0
    env = gymnasium.make(PORTFOLIO)
    assert made.policy.act(env.reset(seed=0)[0]) in env.action_space


def test_finds_out_what_a_feature_tells():
    """On days that it has not seen. Who knows which prices will rise, and holds them alike, has 1.5 % a day."""
    env_kwargs = {"dataset": foretold(), "window": 2, "costs": 0.0, "days": 252, "start": "anywhere"}
    changes = {"steps": 20_000, "hidden_sizes": (32, 32), "gamma": 0.5, "batch_size": 128, "update_ratio": 1 / 32}
    args = fill_args("ddpg", PORTFOLIO, {**changes, "warmup": 1_280, "actor_rate": 1e-3})
    made = DDPG(PORTFOLIO, {**env_kwargs, "split": "train"}, args)
    made.learn(args.steps)
    policies = (lambda env: made.policy, lambda env: make_expert(env, "equal_weight"))
    learned, equal = (growth(policy, {**env_kwargs, "split": "test"}).mean() for policy in policies)
    assert learned > 0.01 and abs(equal) < 0.001


@pytest.mark.slow
def test_finds_out_which_of_a_pair_is_cheap():
    """The spread can be seen, and half of it is gone in ten days. On the same days 1/N gets nothing of that."""
    env_kwargs = {"world": {"kind": "pair", "spread": 0.2, "half_life": 10}, "assets": 2, "window": 5, "costs": 0.0}
    args = fill_args("ddpg", PORTFOLIO, {"steps": 80_000, "network": "named-assets"})
    made = DDPG(PORTFOLIO, env_kwargs, args)
    made.learn(args.steps)
    ahead = growth(lambda env: made.policy, env_kwargs) - growth(
        lambda env: make_expert(env, "equal_weight"), env_kwargs
    )
    assert ahead.mean() > 20e-4
    assert ahead.mean() > 5.0 * ahead.std(ddof=1) / len(ahead) ** 0.5
