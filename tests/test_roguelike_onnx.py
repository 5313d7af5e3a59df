"""Exported policies come back as opponents, and do what they did."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='pip install "rlx[export]"')
pytest.importorskip("onnxruntime", reason='pip install "rlx[export]"')

from rlx.baselines.export import export_policy, observe  # noqa: E402
from rlx.baselines.learners import make_learner  # noqa: E402
from rlx.baselines.onnx_policy import load_onnx  # noqa: E402
from rlx.envs.core import read_policy  # noqa: E402
from rlx.envs.roguelike import load  # noqa: E402
from rlx.envs.roguelike.records import TARGET  # noqa: E402
from rlx.envs.roguelike.suite.episodes import Setup, play  # noqa: E402

ENV_ID = "rlx/RoguelikeNPC-v0"
ARGS: dict[str, dict[str, Any]] = {
    "dqn": {"hidden_sizes": (16,), "num_envs": 1, "batch_size": 1, "replay_size": 8},
    "ppo": {"hidden_sizes": (16,), "num_envs": 1, "network": "onehot", "width": 0.25, "temperature": 1.0},
}


def write(folder: Path, algo: str, obs: str) -> tuple[Path, Path]:
    """Write an untrained policy of which no two actions are worth the same, and the same as an ONNX file."""
    policy = make_learner(algo, ENV_ID, {"obs": obs}, ARGS[algo]).policy
    rng = np.random.default_rng(0)
    layers = policy.layers if algo == "ppo" else policy.parts["advantages"]
    layers[-1] = tuple(rng.normal(0.0, 1.0, part.shape).astype(np.float32) for part in layers[-1])
    ours, theirs = folder / f"{algo}.npz", folder / f"{algo}.onnx"
    policy.save(ours)
    export_policy(policy, gymnasium.make(ENV_ID, obs=obs), theirs)
    return ours, theirs


@pytest.fixture(scope="module", params=[("dqn", "entities"), ("ppo", "ids")], ids=["values", "probabilities"])
def written(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    algo, obs = request.param
    return (obs, *write(tmp_path_factory.mktemp(algo), algo, obs))


def stacked(rows: list[Any]) -> Any:
    if isinstance(rows[0], dict):
        return {name: stacked([row[name] for row in rows]) for name in rows[0]}
    return np.stack(rows)


def test_the_same_actions_one_by_one_and_in_batches(written: tuple[str, Path, Path]):
    """Where they are drawn, the same ones are."""
    obs, *files = written
    seen = [(seen, {"action_mask": info["action_mask"]}) for seen, info in observe(gymnasium.make(ENV_ID, obs=obs), 60)]
    ours, theirs = map(read_policy, files)
    alone = [[policy.act(*one) for one in seen] for policy in (ours, theirs)]
    assert alone[0] == alone[1]
    assert len(set(alone[0])) > 3
    assert all(info["action_mask"][action] for action, (_, info) in zip(alone[1], seen, strict=True))
    observations, infos = (stacked(list(part)) for part in zip(*seen, strict=True))
    together = [policy.act(observations, infos) for policy in (ours, theirs)]
    assert theirs.is_batched and together[1].shape == (60,)
    np.testing.assert_array_equal(*together)


@pytest.mark.parametrize("rows", [1, 16])
def test_the_same_opponent(written: tuple[str, Path, Path], rows: int):
    obs, *files = written
    games: list[list[Any]] = []
    for file in files:
        envs = gymnasium.make_vec(ENV_ID, rows, opponent=str(file), obs=obs)
        rng = np.random.default_rng(0)
        _, info = envs.reset(seed=0)
        game = []
        for _ in range(150):
            action = (info["action_mask"] * rng.random(info["action_mask"].shape)).argmax(axis=1)
            observation, reward, *_, info = envs.step(action)
            game += [(observation["global"] == TARGET).reshape(rows, -1).argmax(axis=1), reward]
        games.append(game)
    assert all(map(np.array_equal, *games))
    assert len(np.unique(games[0][::2])) > 1, "an opponent that stays where it is tests little"


def test_in_the_suite(written: tuple[str, Path, Path]):
    obs, *files = written
    ours, theirs = (play(str(file), load("base"), Setup(obs=obs), episodes=30) for file in files)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_copies_act(written: tuple[str, Path, Path]):
    obs, _, file = written
    (one,) = observe(gymnasium.make(ENV_ID, obs=obs), 1)
    expected = load_onnx(file).act(*one)
    for twin in (copy.deepcopy(load_onnx(file)), pickle.loads(pickle.dumps(load_onnx(file)))):
        assert twin.act(*one) == expected


def test_a_model_for_one_observation_at_a_time(tmp_path: Path):
    _, file = write(tmp_path, "dqn", "ids")
    seen = observe(gymnasium.make(ENV_ID), 20)
    expected = [load_onnx(file).act(*one) for one in seen]
    model = onnx.load(file)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, file)
    policy = load_onnx(file)
    assert not policy.is_batched
    assert [policy.act(*one) for one in seen] == expected
    envs = gymnasium.make_vec(ENV_ID, 3, opponent=str(file))
    _, info = envs.reset(seed=0)
    for _ in range(20):
        *_, info = envs.step(info["action_mask"].argmax(axis=1))


def test_what_cannot_be_read(tmp_path: Path):
    _, file = write(tmp_path, "dqn", "entities")
    with pytest.raises(ValueError, match="cannot read this game's observations.*The model reads entities"):
        gymnasium.make(ENV_ID, opponent=str(file))
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ValueError, match="text.onnx is not a policy that `rlx export` wrote: it is no ONNX model"):
        read_policy(tmp_path / "text.onnx")
    model = onnx.load(file)
    del model.graph.output[0]
    onnx.save(model, file)
    with pytest.raises(ValueError, match="does not tell 'action', only q_values"):
        read_policy(file)
