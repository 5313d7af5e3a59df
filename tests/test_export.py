"""Exported policies tell what the policies themselves do, by operators that engines know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import choices  # noqa: F401  registers its environments
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx", reason='pip install "rlx[export]"')
onnxruntime = pytest.importorskip("onnxruntime", reason='pip install "rlx[export]"')

from rlx.baselines import export as exporting  # noqa: E402
from rlx.baselines.compare.manifest import make_settings, write_manifest  # noqa: E402
from rlx.baselines.compare.run import job_folder  # noqa: E402
from rlx.baselines.ddpg import DDPG  # noqa: E402
from rlx.baselines.ddpg import Args as DdpgArgs  # noqa: E402
from rlx.baselines.dqn import DQN  # noqa: E402
from rlx.baselines.dqn import Args as DqnArgs  # noqa: E402
from rlx.baselines.export import FORBIDDEN, TOLERANCE, export_policy, inputs_of, observe, outputs_of  # noqa: E402
from rlx.baselines.networks import ACTION_NETWORKS, NETWORKS, Architecture, make_features  # noqa: E402
from rlx.baselines.policy import MlpPolicy, SoftmaxPolicy  # noqa: E402
from rlx.baselines.training import make_network  # noqa: E402
from rlx.registry.cli import app  # noqa: E402

ROGUELIKE = "rlx/RoguelikeNPC-v0"
OBSERVED = {"dense": "dense", "transformer": "entities"}  # the others read "ids"


def layers(sizes: tuple[int, ...], seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    made = make_network(sizes, torch.Generator().manual_seed(seed), last=None)
    arrays = [parameter.detach().numpy() for parameter in made]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def softmax(env: gymnasium.Env[Any, Any], network: str, **more: Any) -> SoftmaxPolicy:
    """A policy with random weights, which are not small."""
    architecture = Architecture(network, 0.25, (4, 4), "tanh")
    features = make_features(env.observation_space, architecture, torch.Generator().manual_seed(1))
    assert isinstance(env.action_space, spaces.Discrete)
    return SoftmaxPolicy(
        features, layers((features.size, 32, int(env.action_space.n))), "tanh", env.action_space, **more
    )


def dqn(env_id: str, env_kwargs: dict[str, Any], **args: Any) -> Any:
    return DQN(env_id, env_kwargs, DqnArgs(hidden_sizes=(16, 16), channels=(4, 4), replay_size=64, **args)).policy


def told(path: Path, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a file says, run by onnxruntime alone."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {one.name: batch[one.name] for one in session.get_inputs()}), strict=True))


def hold_together(policy: Any, env: gymnasium.Env[Any, Any], path: Path) -> dict[str, np.ndarray]:
    """Export, and compare on observations that the export has not seen, in batches of several sizes."""
    assert export_policy(policy, env, path) <= TOLERANCE
    seen = observe(env, 90)[-50:]
    inputs, expected = inputs_of(seen), outputs_of(policy, seen)
    for size in (1, 7, 50):
        found = told(path, {name: array[:size] for name, array in inputs.items()})
        assert set(found) == set(expected)
        for name, values in expected.items():
            assert found[name].shape == values[:size].shape
            np.testing.assert_allclose(found[name], values[:size], rtol=1e-5, atol=1e-5)
    return expected


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "fullyconv"])
def test_networks_of_the_roguelike(network: str, tmp_path: Path) -> None:
    env = gymnasium.make(ROGUELIKE, obs=OBSERVED.get(network, "ids"))
    policy = softmax(env, network)
    path = tmp_path / "policy.onnx"
    expected = hold_together(policy, env, path)
    assert len(set(expected["action"].tolist())) > 1, "a policy that always does the same tests little"
    seen = observe(env, 20)
    inputs = inputs_of(seen)
    masks = inputs["action_mask"] != 0
    found = told(path, inputs)
    assert (found["logits"][~masks] == FORBIDDEN).all() and (found["logits"][masks] > -100).all()
    assert [int(policy.act(*one)) for one in seen] == found["action"].tolist()
    weights = np.exp(found["logits"] - found["logits"].max(axis=1, keepdims=True))
    chances = np.stack([policy.probabilities(*one) for one in seen])
    np.testing.assert_allclose(weights / weights.sum(axis=1, keepdims=True), chances, atol=1e-5)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["policy.onnx"]
    model = onnx.load(path)
    operators = {node.op_type for node in model.graph.node}
    assert "Where" in operators and not {name for name in operators if name.startswith("Scatter")}
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 15)]
    assert {one.name for one in model.graph.input} == set(policy.features.space.keys())  # type: ignore[attr-defined]
    kinds = {one.type.tensor_type.elem_type for one in model.graph.input}
    assert kinds <= {onnx.TensorProto.INT32, onnx.TensorProto.FLOAT}


def test_values_by_maps_of_tiles(tmp_path: Path) -> None:
    env = gymnasium.make(ROGUELIKE)
    hold_together(dqn(ROGUELIKE, {}, network="categorical", width=0.25), env, tmp_path / "policy.onnx")


@pytest.mark.parametrize("network", ACTION_NETWORKS)
def test_values_of_what_can_be_done_on_a_page(network: str, tmp_path: Path) -> None:
    """Pages of several lengths, texts without words, and typing as well as clicks."""
    kwargs = {"task": "login-user-popup"}
    policy = dqn("rlx/WebNav-v0", kwargs, network=network, width=0.25)
    policy.parts["advantages"] = [(20.0 * weight, bias + 0.1) for weight, bias in policy.parts["advantages"]]
    values = hold_together(policy, gymnasium.make("rlx/WebNav-v0", **kwargs), tmp_path / "policy.onnx")["q_values"]
    assert np.ptp(values[values != FORBIDDEN]) > 0.3, "a policy that finds all alike tests little"


@pytest.mark.parametrize("mask", ["observation", "info"])
@pytest.mark.parametrize("args", [{"dueling": False}, {"dueling": True}, {"dueling": True, "bins": 11}])
def test_values_of_actions(mask: str, args: dict[str, Any], tmp_path: Path) -> None:
    """Pictures, numbers that stand for choices, nested parts, and actions that do not start at zero."""
    env = gymnasium.make("Toy/Pick-v0", told=mask)
    policy = dqn("Toy/Pick-v0", {"told": mask}, **args)
    policy.parts = {
        name: [(100.0 * weight if name != "trunk" else weight, bias + 0.1) for weight, bias in part]
        for name, part in policy.parts.items()
    }
    hold_together(policy, env, tmp_path / "policy.onnx")
    model = onnx.load(tmp_path / "policy.onnx")
    assert {one.name for one in model.graph.input} == {"picture", "more/numbers", "more/turn", "action_mask"}


def test_probabilities_of_pictures(tmp_path: Path) -> None:
    env = gymnasium.make("Toy/Pick-v0")
    hold_together(softmax(env, "mlp"), env, tmp_path / "policy.onnx")


def test_a_discrete_observation(tmp_path: Path) -> None:
    env = gymnasium.make("Toy/Walk-v0")
    hold_together(softmax(env, "mlp"), env, tmp_path / "policy.onnx")
    model = onnx.load(tmp_path / "policy.onnx")
    assert {one.name for one in model.graph.input} == {"observation", "action_mask"}


def test_actions_of_a_box(tmp_path: Path) -> None:
    env = gymnasium.make("rlx/ElectricMotorPmsmCurrent-v0")
    space = env.observation_space
    sizes = (space.shape[0], 16, 16, env.action_space.shape[0])  # type: ignore[index]
    policy = MlpPolicy(layers(sizes), "relu", space.shape, env.action_space)  # type: ignore[arg-type]
    hold_together(policy, env, tmp_path / "policy.onnx")


@pytest.mark.parametrize("network", ["assets", "named-assets"])
def test_weights_of_assets(network: str, tmp_path: Path) -> None:
    kwargs = {"assets": 4, "window": 6}
    args = DdpgArgs(network=network, hidden_sizes=(16, 16), replay_size=64)
    policy = DDPG("rlx/Portfolio-v0", kwargs, args).policy
    policy.parts = {name: [*hidden, (100.0 * weight, bias)] for name, (*hidden, (weight, bias)) in policy.parts.items()}
    env = gymnasium.make("rlx/Portfolio-v0", **kwargs)
    weights = hold_together(policy, env, tmp_path / "policy.onnx")["action"]
    assert np.ptp(weights, axis=0).max() > 0.05, "a policy that always does the same tests little"
    other = gymnasium.make("rlx/Portfolio-v0", **{**kwargs, "window": 7})
    with pytest.raises(ValueError, match="Choose its own environment by --env and --env-kwargs"):
        export_policy(policy, other, tmp_path / "policy.onnx")


def test_a_mask_that_allows_nothing_stands_for_none(tmp_path: Path) -> None:
    env = gymnasium.make(ROGUELIKE)
    policy = softmax(env, "mlp")
    export_policy(policy, env, tmp_path / "policy.onnx")
    inputs = inputs_of(observe(env, 6))
    free = told(tmp_path / "policy.onnx", {**inputs, "action_mask": np.ones_like(inputs["action_mask"])})
    none = told(tmp_path / "policy.onnx", {**inputs, "action_mask": np.zeros_like(inputs["action_mask"])})
    assert np.array_equal(free["logits"], none["logits"]) and (none["logits"] > -100).all()


def test_the_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = gymnasium.make(ROGUELIKE)
    names = [f"action {k}" for k in range(17)]
    monkeypatch.setattr(env.unwrapped, "action_names", names, raising=False)
    policy = softmax(env, "mlp", temperature=0.5)
    export_policy(policy, env, tmp_path / "policy.onnx")
    metadata = onnxruntime.InferenceSession(tmp_path / "policy.onnx").get_modelmeta().custom_metadata_map
    assert metadata["design_id"] == env.unwrapped.design_id  # type: ignore[attr-defined]
    assert metadata["env_id"] == ROGUELIKE and json.loads(metadata["actions"]) == names
    assert float(metadata["temperature"]) == 0.5
    other = exporting.metadata_of(policy, gymnasium.make(ROGUELIKE, obs="dense", design="paper"))
    assert other["observation_hash"] != metadata["observation_hash"] and other["design_id"] != metadata["design_id"]
    walk = gymnasium.make("Toy/Walk-v0")
    assert json.loads(exporting.metadata_of(softmax(walk, "mlp"), walk)["actions"]) == ["0", "1"]


def test_golden_vectors(tmp_path: Path) -> None:
    env = gymnasium.make(ROGUELIKE, obs="entities")
    export_policy(softmax(env, "transformer"), env, tmp_path / "policy.onnx", tmp_path / "golden.json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    golden = json.loads((tmp_path / "golden.json").read_text(), parse_constant=refuse)
    arrays = {
        side: {name: np.array(one["data"], one["type"]).reshape(one["shape"]) for name, one in golden[side].items()}
        for side in ("inputs", "outputs")
    }
    found = told(tmp_path / "policy.onnx", arrays["inputs"])
    for name, values in arrays["outputs"].items():
        np.testing.assert_allclose(found[name], values, atol=golden["tolerance"], rtol=golden["tolerance"])
    assert {len(array) for side in arrays.values() for array in side.values()} == {4}


def test_a_file_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = gymnasium.make("Toy/Walk-v0")
    run = exporting.run
    monkeypatch.setattr(exporting, "run", lambda *args: {k: v + np.float32(1e-3) for k, v in run(*args).items()})
    with pytest.raises(ValueError, match="would differ from the policy by 1"):
        export_policy(softmax(env, "mlp"), env, tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())


def test_a_policy_for_another_environment_is_refused(tmp_path: Path) -> None:
    policy = softmax(gymnasium.make(ROGUELIKE), "categorical")
    for env in (gymnasium.make(ROGUELIKE, obs="dense"), gymnasium.make("Toy/Walk-v0")):
        with pytest.raises(ValueError, match="Choose its own environment by --env and --env-kwargs"):
            export_policy(policy, env, tmp_path / "policy.onnx")


# The command


def invoke(*words: object) -> Any:
    return CliRunner().invoke(app, ["export", *map(str, words)], catch_exceptions=False)


def test_the_command_finds_the_environment(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "npc.onnx"
    settings = make_settings(ROGUELIKE, {"obs": "dense"}, ["ppo"], {"ppo": {"network": "dense"}}, [0], 1, 1, 1)
    (job,) = write_manifest(run, settings)
    job_folder(run, job).mkdir(parents=True)
    for folder in (run, job_folder(run, job)):
        softmax(gymnasium.make(ROGUELIKE, obs="dense"), "dense").save(folder / "policy.npz")
    result = invoke(run, "--onnx", out, "--golden")
    assert result.exit_code == 0 and "differs from the policy by" in " ".join(result.output.split())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["npc.onnx", "npc.onnx.golden.json", "run"]
    other = tmp_path / "other.onnx"
    assert invoke(job_folder(run, job) / "policy.npz", "--onnx", other).exit_code == 0
    assert other.read_bytes() == out.read_bytes()


def test_the_command_is_told_the_environment(tmp_path: Path) -> None:
    policy, out = tmp_path / "policy.npz", tmp_path / "npc.onnx"
    softmax(gymnasium.make(ROGUELIKE, obs="dense"), "dense").save(policy)
    with pytest.raises(ValueError, match="Say --env ENV"):
        invoke(policy, "--onnx", out)
    assert invoke(policy, "--onnx", out, "--env", ROGUELIKE, "--env-kwargs", '{"obs": "dense"}').exit_code == 0
    assert out.exists()
