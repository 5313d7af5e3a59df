"""FullyConv: what it reads and tells, that PPO and DQN learn to point with it, and that it can be exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlx.baselines.dqn import DQN
from rlx.baselines.dqn import Args as DqnArgs
from rlx.baselines.evaluation import evaluate
from rlx.baselines.fullyconv import FullyConv
from rlx.baselines.networks import Architecture, make_features
from rlx.baselines.policy import load_policy
from rlx.baselines.ppo import PPO
from rlx.baselines.ppo import Args as PpoArgs

HEIGHT, WIDTH = 4, 5


class Pointing(gymnasium.Env[Any, Any]):
    """Point at the pixel of kind 2, beside others of kinds 1 and 3; where the number says so, at none. Eight times."""

    observation_space = spaces.Dict(
        {
            "picture": spaces.Box(
                0, np.array([3, 500], np.int16)[:, None, None].repeat(HEIGHT, 1).repeat(WIDTH, 2), dtype=np.int16
            ),
            "nothing": spaces.Box(0, 1, (0, 3, 3), np.int16),
            "number": spaces.Box(0, 1000, (1,), np.int16),
        }
    )
    action_space = spaces.Discrete(1 + HEIGHT * WIDTH)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._show(), {}

    def step(self, action: Any) -> Any:
        reward = float(action == self.wanted)
        return self._show(), reward, False, False, {}

    def _show(self) -> dict[str, Any]:
        self.wanted = int(self.np_random.integers(1 + HEIGHT * WIDTH)) if self.np_random.random() < 0.8 else 0
        picture = np.zeros((2, HEIGHT * WIDTH), np.int16)
        picture[0] = self.np_random.choice([0, 1, 3], HEIGHT * WIDTH)
        picture[1] = self.np_random.integers(500, size=HEIGHT * WIDTH)
        picture[0, max(self.wanted, 1) - 1] = 2
        return {
            "picture": picture.reshape(2, HEIGHT, WIDTH),
            "nothing": np.zeros((0, 3, 3), np.int16),
            "number": np.array([0 if self.wanted else 1000], np.int16),
        }


gymnasium.register("Toy/Pointing-v0", entry_point=Pointing, max_episode_steps=8, disable_env_checker=True)


def make(width: float = 0.25) -> FullyConv:
    features = make_features(
        Pointing.observation_space, Architecture("fullyconv", width), torch.Generator().manual_seed(0)
    )
    assert isinstance(features, FullyConv)
    return features


def sample(count: int) -> dict[str, np.ndarray]:
    env = Pointing()
    seen = [env.reset(seed=seed)[0] for seed in range(count)]
    return {name: np.stack([one[name] for one in seen]) for name in seen[0]}


def test_layers_of_few_values_are_told_one_hot():
    read = make().convolutions["picture"][0]
    picture = sample(3)["picture"]
    wanted = np.concatenate([np.moveaxis(np.eye(4)[picture[:, 0]], 3, 1), np.log1p(picture[:, 1:])], axis=1)
    np.testing.assert_allclose(read(torch.from_numpy(picture)), wanted, rtol=1e-6)


def test_a_pixel_moves_its_features_and_those_of_the_state():
    """Features of a pixel know its neighbourhood of 7 x 7, those of the first action all."""
    features, seen = make(), sample(2)
    assert features.size == 8
    assert features.actions == 1 + HEIGHT * WIDTH
    told, _ = features.evaluate(seen)
    other = {**seen, "picture": seen["picture"].copy()}
    other["picture"][0, 0, 0, 0] = 3 - other["picture"][0, 0, 0, 0]
    changed = (features.evaluate(other)[0] != told).any(axis=2)
    assert not changed[1].any()
    pixels = changed[0, 1:].reshape(HEIGHT, WIDTH)
    assert changed[0, 0]
    assert pixels[0, 0]
    assert not pixels[:, 4].any()
    changed = (features.evaluate({**seen, "number": 1000 - seen["number"]})[0] != told).any(axis=2)
    assert changed[:, 0].all()
    assert not changed[:, 1:].any()


def test_all_parameters_matter():
    features = make()
    told = features({name: torch.from_numpy(values) for name, values in features.read(sample(30))[0].items()})
    weights = torch.randn(told.shape, generator=torch.Generator().manual_seed(1))
    names, parameters = zip(*features.named_parameters(), strict=True)
    gradients = torch.autograd.grad((weights * told).sum(), parameters)
    assert [name for name, gradient in zip(names, gradients, strict=True) if gradient.abs().max() < 1e-6] == []


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 4, (1, 4, 5), np.int16),
        spaces.Dict({"numbers": spaces.Box(0, 4, (3,), np.int16)}),
        spaces.Dict({"a": spaces.Box(0, 4, (1, 4, 5), np.int16), "b": spaces.Box(0, 4, (1, 5, 4), np.int16)}),
        spaces.Dict({"a": spaces.Box(0, 4, (1, 4, 5), np.int16), "b": spaces.Box(0.0, 1.0, (3,))}),
        spaces.Dict({"a": spaces.Box(0, 4, (1, 4, 5), np.int16), "b": spaces.Box(-1, 4, (3,), np.int16)}),
        spaces.Dict({"a": spaces.Box(0, 4, (1, 4, 5), np.int16), "b": spaces.Discrete(3)}),
    ],
)
def test_observations_that_do_not_suit(space: spaces.Space[Any]):
    with pytest.raises(TypeError, match="pictures with the same height and width"):
        make_features(space, Architecture("fullyconv"), torch.Generator())


@pytest.mark.parametrize("learner", [PPO, DQN])
def test_actions_that_are_no_pixels(learner: Any, monkeypatch: pytest.MonkeyPatch):
    args = {PPO: PpoArgs, DQN: DqnArgs}[learner](network="fullyconv")
    monkeypatch.setattr(Pointing, "action_space", spaces.Discrete(7))
    with pytest.raises(TypeError, match="tells 21 actions apart here, not 7"):
        learner("Toy/Pointing-v0", None, args)


def learned(algo: str) -> Any:
    common: dict[str, Any] = {
        "network": "fullyconv",
        "width": 0.25,
        "hidden_sizes": (16,),
        "gamma": 0.0,
        "num_envs": 16,
    }
    if algo == "dqn":
        args = DqnArgs(steps=6_000, rate=3e-3, n_steps=1, epsilon_end=0.5, **common)
        return DQN("Toy/Pointing-v0", None, args)
    return PPO("Toy/Pointing-v0", None, PpoArgs(steps=8_000, rollout_steps=16, batch_size=32, rate=2e-3, **common))


@pytest.mark.parametrize("algo", ["ppo", "dqn"])
def test_pointing_is_learned(algo: str, tmp_path: Path):
    """Eight right answers an episode are possible, and guessing gives 0.4."""
    learner = learned(algo)
    learner.learn(learner.args.steps)
    assert np.mean(evaluate(lambda env: learner.policy, "Toy/Pointing-v0", {}, 20).returns) > 7.0

    learner.policy.save(tmp_path / "policy.npz")
    seen = sample(30)
    assert np.array_equal(load_policy(tmp_path).act(seen), learner.policy.act(seen))

    exporting = pytest.importorskip("rlx.baselines.export", reason='pip install "rlx[export]"')
    env = gymnasium.make("Toy/Pointing-v0")
    assert exporting.export_policy(learner.policy, env, tmp_path / "policy.onnx") <= exporting.TOLERANCE
