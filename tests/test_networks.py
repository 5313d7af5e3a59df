"""The networks that read observations: their sizes, what they compute, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlx.baselines.dqn import DQN
from rlx.baselines.evaluation import evaluate
from rlx.baselines.learners import make_learner
from rlx.baselines.networks import MAPS, Architecture, Features, make_features
from rlx.baselines.policy import describe_space, load_policy, read_space
from rlx.baselines.ppo import PPO
from rlx.baselines.ppo import Args as PpoArgs
from rlx.baselines.training import descend

TILED = ("categorical", "dense", "transformer")
NEEDS = {**{network: network for network in TILED}, "onehot": "categorical"}  # network -> kind of observations
SIDES = dict(zip(MAPS, (10, 5, 3), strict=True))


def tiles(kind: str) -> spaces.Dict:
    """Observations as the papers have them; their vocabularies are 12, 82, 7 + 5 x 9, 108, 32 and 4."""

    def box(high: Any, *shape: int, dtype: Any = np.int8) -> spaces.Box:
        return spaces.Box(np.zeros(shape, dtype), np.broadcast_to(np.array(high, dtype), shape), dtype=dtype)

    common = {"previous": box(1, 17), "action_mask": box(1, 17)}
    if kind == "categorical":
        maps = {name: box(11, side, side) for name, side in SIDES.items()}
        return spaces.Dict({**maps, "self": box(81, 6, dtype=np.int16), "target": box(81, 5, dtype=np.int16), **common})
    common |= {"self": box(107, 13, dtype=np.int16), "target": box(31, 4, dtype=np.int16)}
    if kind == "dense":
        return spaces.Dict({name: box([6, 8, 8, 8, 8, 8], side, side, 6) for name, side in SIDES.items()} | common)
    maps = {name: box(3, side, side) for name, side in SIDES.items()}
    maps |= {f"{name}_index": box(60, side, side) for name, side in SIDES.items()}
    entities = spaces.Box(-1.0, 1.0, (3, 20, 44), np.float32)
    return spaces.Dict({**maps, "entities": entities, "entity_mask": box(1, 3, 20), **common})


def sample(space: spaces.Dict, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    space.seed(seed)
    drawn = [space.sample() for _ in range(count)]
    return {name: np.stack([one[name] for one in drawn]) for name in space}


def make(network: str, width: float = 0.125, seed: int = 0) -> Features:
    return make_features(tiles(NEEDS[network]), Architecture(network, width), torch.Generator().manual_seed(seed))


def columns_of(features: Features, observation: Any) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in features.read(observation)[0].items()}


@pytest.mark.parametrize(("network", "millions"), [("categorical", 2.61), ("dense", 3.64), ("transformer", 3.75)])
def test_sizes_are_those_published(network: str, millions: float):
    """Without LSTM, with one layer for 17 actions; re-implemented from the papers' code, in millions of parameters."""
    features = make(network, 1.0)
    assert features.size == 256
    count = sum(parameter.numel() for parameter in features.parameters()) + 257 * 17
    assert count / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("network", TILED)
def test_width(network: str):
    features = make(network, 0.125)
    assert features.size == 32
    assert sum(parameter.numel() for parameter in features.parameters()) < 120_000


@pytest.mark.parametrize("network", NEEDS)
def test_all_parameters_matter(network: str):
    features = make(network)
    told = features(columns_of(features, sample(tiles(NEEDS[network]), 30)))
    weights = torch.randn(told.shape, generator=torch.Generator().manual_seed(1))
    names, parameters = zip(*features.named_parameters(), strict=True)
    gradients = torch.autograd.grad((weights * told).sum(), parameters)
    assert [name for name, gradient in zip(names, gradients, strict=True) if gradient.abs().max() < 1e-6] == []


@pytest.mark.parametrize("network", NEEDS)
def test_all_columns_matter(network: str):
    """Each is heeded, and what an observation has beyond them is not."""
    space = tiles(NEEDS[network])
    features, observation = make(network), sample(space, 2)
    if network == "transformer":
        observation["entity_mask"][0] = 1
    told, _ = features.evaluate(observation)
    for name in space:
        other = {**observation, name: observation[name][::-1]}
        assert np.array_equal(features.evaluate(other)[0], told) == (name == "action_mask")


@pytest.mark.parametrize("network", NEEDS)
def test_one_observation_is_a_batch_of_one(network: str):
    features, batch = make(network), sample(tiles(NEEDS[network]), 5)
    together, shape = features.evaluate(batch)
    assert (together.shape, shape) == ((5, 32), (5,))
    for k in range(5):
        alone, shape = features.evaluate({name: values[k] for name, values in batch.items()})
        assert (alone.shape, shape) == ((1, 32), ())
        np.testing.assert_allclose(alone[0], together[k], rtol=1e-4, atol=1e-6)


def test_onehot_is_a_layer_that_reads_one_hot():
    features = make("onehot", 0.25)
    observation = sample(tiles("categorical"), 3)
    told = []
    for name, sizes in {"global": 12, "local3": 12, "local5": 12, "previous": 2, "self": 82, "target": 82}.items():
        told.append(np.eye(sizes)[observation[name].reshape(3, -1)].reshape(3, -1))
    weight = features.table.weight.detach().numpy()
    found, _ = features.evaluate(observation)
    np.testing.assert_allclose(found, np.tanh(np.concatenate(told, axis=1) @ weight), atol=1e-5)


def test_onehot_counts_from_the_least_value():
    space = spaces.Dict(
        {"a": spaces.Box(-2, 2, (1,), np.int8), "b": spaces.Box(np.array([5, 7]), np.array([6, 9]), dtype=np.int16)}
    )
    features = make_features(space, Architecture("onehot"), torch.Generator().manual_seed(0))
    assert features.table.num_embeddings == 5 + 2 + 3
    read, batch = features.read({"a": np.array([-2]), "b": np.array([6, 7])})
    assert (read["numbers"].tolist(), batch) == ([[0, 6, 7]], ())
    read, batch = features.read({"a": np.array([[2], [-1]]), "b": np.array([[5, 9], [6, 8]])})
    assert (read["numbers"].tolist(), batch) == ([[4, 5, 9], [1, 6, 8]], (2,))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Dict({"a": spaces.Box(0, 1, (2,))}), r"'a' is Box\(0.0, 1.0, .2,., float32\)"),
        (spaces.Dict({"a": spaces.Box(-(2**31), 2**31 - 1, (2,), np.int32)}), "fewer than 1000 values"),
        (spaces.Dict({"a": spaces.Discrete(3)}), "'a' is Discrete"),
        (spaces.Box(0, 1, (2,), np.int8), "'the observation' is Box"),
    ],
)
def test_observations_that_are_no_choices(space: spaces.Space[Any], message: str):
    with pytest.raises(TypeError, match=message):
        make_features(space, Architecture("onehot"), torch.Generator())


def test_dense_tiles_are_a_convolution_of_what_is_told_one_hot():
    features, observation = make("dense", 0.25), sample(tiles("dense"), 3)
    pictures = features.pictures(columns_of(features, observation))
    for name, picture in zip(MAPS, pictures, strict=True):
        told = [np.eye(size)[observation[name][..., k]] for k, size in enumerate([7, 9, 9, 9, 9, 9])]
        weight = features.tiles[name].weight.detach().numpy()
        assert weight.shape == (52, 8)
        np.testing.assert_allclose(picture.detach(), np.tanh(np.concatenate(told, -1) @ weight), atol=1e-5)


def test_entities_are_where_the_index_says():
    features, observation = make("transformer", 0.25), sample(tiles("transformer"), 2)
    observation["entity_mask"][:] = 0
    observation["entity_mask"][0, 1, :4] = 1
    observation["local3_index"][:] = 0
    observation["local3_index"][0, 2, 1] = 1 + 1 * 20 + 3  # the fourth bow
    observation["local3_index"][0, 0, 0] = 1 + 1 * 20 + 0
    picture = features.pictures(columns_of(features, observation))[2].detach().numpy()
    entities = picture[..., 8:]
    assert entities.shape == (2, 3, 3, 16)
    assert np.isfinite(entities).all()  # also where there is no entity to attend to
    assert np.argwhere(entities.any(axis=-1)).tolist() == [[0, 0, 0], [0, 2, 1]]
    # What is masked is not attended to; what is not masked is.
    other = {**observation, "entities": observation["entities"].copy()}
    other["entities"][0, 1, 4:] = 0.5
    other["entities"][0, ::2] = 0.5
    np.testing.assert_array_equal(features.pictures(columns_of(features, other))[2].detach(), picture)
    other["entities"][0, 1, 2] = 0.5
    changed = features.pictures(columns_of(features, other))[2].detach().numpy()
    assert np.argwhere((changed != picture).any(axis=-1)).tolist() == [[0, 0, 0], [0, 2, 1]]


def test_attention_is_torchs_own():
    """A block against `torch.nn.MultiheadAttention` with the same numbers."""
    block = make("transformer", 0.25).attention["global"]
    entities = torch.randn(4, 7, 16, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(4, 7, generator=torch.Generator().manual_seed(1)) < 0.7
    mask[:, 0] = True
    theirs = torch.nn.MultiheadAttention(16, 2, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([block.questions.weight, block.keys.weight, block.values.weight]))
        theirs.in_proj_bias.copy_(torch.cat([block.questions.bias, torch.zeros(16), block.values.bias]))
        theirs.out_proj.weight.copy_(block.mix.weight)
        theirs.out_proj.bias.copy_(block.mix.bias)
        x = block.before(entities)
        x = entities + theirs(x, x, x, key_padding_mask=~mask, need_weights=False)[0]
        wanted = block.after(x + block.layer(x))
        found = block(entities, torch.where(mask[:, None, None], 0.0, -1e9))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("network", [*NEEDS, "mlp"])
def test_fresh_parameters(network: str):
    """They come from the generator given, and no other; signals neither vanish nor explode."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    space = tiles(NEEDS.get(network, "dense"))
    ours, again, others = (
        make_features(space, Architecture(network), torch.Generator().manual_seed(seed)).state_dict()
        for seed in (0, 0, 1)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(ours[name], again[name]) for name in ours)
    assert not any(
        torch.equal(ours[name], others[name]) for name in ours if "before" not in name and "after" not in name
    )
    if network != "mlp":
        told, _ = make(network, 1.0).evaluate(sample(space, 50))
        assert 0.05 < told.std(axis=0).mean() < 2.0


@pytest.mark.parametrize(
    ("network", "change", "message"),
    [
        ("categorical", {"local5": None}, "no 'local5': it is a Dict of 'action_mask', 'global'"),
        ("dense", {"self": None}, "network 'dense' reads observations with the entries global .3 axes.*no 'self'"),
        ("transformer", {"entity_mask": None}, "no 'entity_mask'"),
        ("dense", {"local3": spaces.Box(0, 9, (3, 3), np.int8)}, r"'local3' of this one is Box\(0, 9, \(3, 3\), int8"),
        ("categorical", {"self": spaces.Discrete(4)}, r"'self' of this one is Discrete\(4\)"),
        ("categorical", {"global": spaces.Box(0, 9, (10, 10))}, "not made of integers from 0 on"),
        ("categorical", {"target": spaces.Box(-1, 9, (5,), np.int8)}, "not made of integers from 0 on"),
    ],
)
def test_observations_that_do_not_suit(network: str, change: dict[str, Any], message: str):
    parts = {name: part for name, part in {**tiles(network).spaces, **change}.items() if part is not None}
    with pytest.raises(TypeError, match=message) as error:
        make_features(spaces.Dict(parts), Architecture(network), torch.Generator())
    assert "or network=mlp" in str(error.value)


def test_no_entries_at_all():
    with pytest.raises(TypeError, match="no 'global': it is a Box"):
        make_features(spaces.Box(0, 1, (3,)), Architecture("dense"), torch.Generator())


@pytest.mark.parametrize(
    "space",
    [
        *(tiles(network) for network in TILED),
        spaces.Tuple([spaces.Discrete(3, start=-1), spaces.MultiBinary((2, 3)), spaces.MultiDiscrete([[2, 5]])]),
        spaces.Box(np.array([0.1, -np.inf]), np.array([np.inf, 2e9]), dtype=np.float64),
        spaces.Box(0, 255, (3, 0), np.uint8),
        spaces.Box(0, 255, (0, 3, 3), np.uint8),
    ],
)
def test_spaces_survive_the_disk(space: spaces.Space[Any]):
    assert read_space(json.loads(json.dumps(describe_space(space)))) == space


def test_spaces_that_do_not():
    with pytest.raises(TypeError, match="cannot be stored with the space Text"):
        describe_space(spaces.Text(3))


# That they learn


@pytest.mark.parametrize("network", TILED)
def test_gradients_reach_the_numbers_they_are_of(network: str):
    """The fused Adam takes a gradient for laid out in memory as its parameter is; those of convolutions may not be."""
    observations = columns_of(make(network), sample(tiles(NEEDS[network]), 16))
    moved = []
    for fused in (True, False):
        features = make(network)
        parameters = list(features.parameters())
        optimizer = torch.optim.Adam(parameters, 1e-3, fused=fused)
        for _ in range(3):
            descend(features(observations).square().mean(), parameters, optimizer)
        moved.append([parameter.detach().clone() for parameter in parameters])
    for ours, plain in zip(*moved, strict=True):
        assert torch.allclose(ours, plain, atol=1e-5)


class Tiles(gymnasium.Env[Any, Any]):
    """Tell which of three things stands in the middle of the nearest map, where all else is 0; one try per episode.

    Of an entity, it is some of its numbers that differ.
    """

    action_space = spaces.Discrete(3)

    def __init__(self, kind: str = "categorical") -> None:
        entries = tiles(kind).spaces
        del entries["action_mask"]
        self.observation_space = spaces.Dict(entries)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.answer = int(self.np_random.integers(3))
        observation = {name: np.zeros(box.shape, box.dtype) for name, box in self.observation_space.items()}
        if "entities" in observation:
            observation["local3_index"][1, 1] = 1 + 26
            observation["entity_mask"][:2, :9] = 1
            observation["entities"][1, 6, :9] = self.answer - 1.0
        else:
            observation["local3"][1, 1] = self.answer
        return observation, {}

    def step(self, action: Any) -> Any:
        reward = float(action == self.answer)
        observation, info = self.reset()
        return observation, reward, True, False, info


gymnasium.register("Toy/Tiles-v0", entry_point=Tiles, disable_env_checker=True)


def test_ppo_learns_from_integers():
    args = PpoArgs(steps=4_000, num_envs=32, rollout_steps=8, batch_size=64, network="onehot", width=0.25,
                   hidden_sizes=(32,), rate=3e-3)  # fmt: skip
    learner = PPO("Toy/Tiles-v0", None, args)
    learner.learn(args.steps)
    assert np.mean(evaluate(lambda env: learner.policy, "Toy/Tiles-v0", {}, 30).returns) == 1.0


@pytest.mark.parametrize("network", NEEDS)
@pytest.mark.parametrize("algo", ["ppo", "dqn"])
def test_learners_and_policies_take_every_network(algo: str, network: str, tmp_path: Path):
    """Each learns, and survives the disk."""
    args = {"network": network, "width": 0.125, "num_envs": 2, "hidden_sizes": (8,), "batch_size": 16, "rate": 0.01}
    args |= {"rollout_steps": 16} if algo == "ppo" else {"warmup": 30, "update_ratio": 0.5}
    kwargs = {"kind": NEEDS[network]}
    learner = make_learner(algo, "Toy/Tiles-v0", kwargs, args)
    assert isinstance(learner, PPO | DQN)
    before = learner.policy
    learner.learn(70)
    observations, info = learner.envs.reset(seed=0)
    policy = learner.policy
    fresh, learned = before.features.state_dict(), policy.features.state_dict()
    assert not torch.equal(*(list(state.values())[-1] for state in (fresh, learned)))
    policy.save(tmp_path / "policy.npz")
    loaded = load_policy(tmp_path)
    assert loaded.features.architecture == Architecture(network, 0.125, activation=learner.args.activation)
    for name, array in loaded.features.state_dict().items():
        assert torch.equal(array, learned[name])
    assert np.array_equal(loaded.act(observations, info), policy.act(observations, info))
    tell = "probabilities" if algo == "ppo" else "values"
    assert np.array_equal(getattr(loaded, tell)(observations), getattr(policy, tell)(observations))
