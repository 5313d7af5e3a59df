"""The catalog, entry points and experts."""

from __future__ import annotations

import dataclasses
import re
from importlib import metadata

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import NameNotFound
from processes import distribution, python

import rlx
from rlx.registry import catalog
from rlx.registry.experts import RandomPolicy, sample
from rlx.registry.plugins import plugins

ENV_ID = "rlx/ElectricMotor-v0"
ROW = {"id": "rlx/Some-v0", "entry_point": "some.env:SomeEnv", "summary": "Some."}


def family(*rows, **changes):
    return {"name": "some", "title": "Some", "environments": rows or (ROW,), **changes}


def test_catalog_is_registered():
    rows = catalog.environments()
    assert ENV_ID in rows and len(rows) < 100
    for row in rows.values():
        spec = gymnasium.registry[row.id]
        assert spec.kwargs == row.kwargs and spec.max_episode_steps == row.max_episode_steps
        assert type(spec).from_json(spec.to_json()) == spec


def test_register_all_is_idempotent():
    before = dict(gymnasium.registry)
    catalog.register_all()
    assert gymnasium.registry == before


def test_register_all_leaves_other_registrations(monkeypatch):
    own = dataclasses.replace(gymnasium.registry[ENV_ID], max_episode_steps=5)
    monkeypatch.setitem(gymnasium.registry, ENV_ID, own)
    catalog.register_all()
    assert gymnasium.registry[ENV_ID] is own


def test_a_row_becomes_a_frozen_dataclass():
    (row,) = catalog.read_family(family(extra="more"), "some-dist").environments
    assert (row.id, row.family, row.extra, row.max_episode_steps) == ("rlx/Some-v0", "some", "more", None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.id = "other"


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("nonsense", "A family is a dict .* not 'nonsense'"),
        (family(nmae="x"), "family 'some': unknown key 'nmae'. Allowed: name, title, environments"),
        ({"name": "some", "environments": (ROW,)}, "family 'some': the key 'title' is missing"),
        (family(environments=()), "family 'some': 'environments' is a tuple of dicts"),
        (family(commands={"go": "no target"}), r"commands\['go'\] is a string 'package.module:name', not 'no target'"),
        (family("nonsense"), "family 'some', a row: a dict is needed, not 'nonsense'"),
        (family({**ROW, "entrypoint": "a:b"}), "rlx/Some-v0: unknown key 'entrypoint'. Allowed: id, entry_point"),
        (family({**ROW, "family": "x"}), "rlx/Some-v0: unknown key 'family'"),
        (family({"id": "rlx/Some-v0", "summary": "x"}), "rlx/Some-v0: the key 'entry_point' is missing"),
        (family({**ROW, "id": "some-v0"}), "id 'some-v0': an id reads rlx/CamelCase-vN"),
        (family({**ROW, "id": "rlx/some_thing-v0"}), "an id reads rlx/CamelCase-vN"),
        (family({**ROW, "id": "rlx/Some"}), "an id reads rlx/CamelCase-vN"),
        (family({**ROW, "entry_point": object}), "entry_point is a string 'package.module:name', not <class 'object'>"),
        (family({**ROW, "peer": "gem"}), "peer is a string 'package.module:name', not 'gem'"),
        (family({**ROW, "experts": {"pi": "x.PI"}}), r"experts\['pi'\] is a string 'package.module:name', not 'x.PI'"),
        (family({**ROW, "max_episode_steps": 0}), "max_episode_steps is a positive whole number or None, not 0"),
        (family({**ROW, "max_episode_steps": 1.5}), "max_episode_steps is a positive whole number or None, not 1.5"),
        (family({**ROW, "kwargs": {"size": (1, 2)}}), "kwargs = .* does not survive JSON"),
        (family({**ROW, "kwargs": {"f": print}}), "kwargs = .* does not survive JSON"),
        (family({**ROW, "kwargs": {1: 2}}), "kwargs = .* does not survive JSON"),
    ],
)  # fmt: skip
def test_bad_declarations_teach(declaration, message):
    with pytest.raises(catalog.CatalogError, match=message):
        catalog.read_family(declaration)


def test_find_suggests():
    assert catalog.find(ENV_ID).id == ENV_ID
    for typo in ("rlx/ElectricMotr-v0", "ElectricMotor-v0", "electricmotor"):
        with pytest.raises(NameNotFound, match=f"Did you mean {ENV_ID!r}"):
            catalog.find(typo)
    with pytest.raises(NameNotFound, match="`rlx list` shows all ids"):
        catalog.find("Zzz")


def test_gymnasium_suggests_too():
    with pytest.raises(NameNotFound, match="ElectricMotor"):
        gymnasium.make("rlx/ElectricMotr-v0")


GOOD = f"FAMILY = {family({**ROW, 'id': 'rlx/Good-v0'})!r}"
BROKEN = {
    "a module that fails": ("raise RuntimeError('on purpose')", "on purpose"),
    "no such name": ("", "has no attribute 'FAMILY'"),
    "a bad row": (f"FAMILY = {family({**ROW, 'id': 'bad'})!r}", "an id reads rlx/CamelCase-vN"),
    "an id of rlx": (f"FAMILY = {family({**ROW, 'id': ENV_ID})!r}", "is declared twice, first by 'rlx'"),
    "an id twice": (f"FAMILY = {family(ROW, ROW)!r}", "'rlx/Some-v0' is declared twice"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_family_only_warns(tmp_path, broken):
    source, complaint = BROKEN[broken]
    distribution(tmp_path, "bad-luck", source, bad="bad_luck:FAMILY")
    distribution(tmp_path, "good-luck", GOOD, good="good_luck:FAMILY")
    code = "import rlx, gymnasium; print(*gymnasium.registry)"
    done = python(code, PYTHONPATH=str(tmp_path))
    assert {ENV_ID, "rlx/Good-v0"} <= set(done.stdout.split())
    assert "'bad-luck' is left out of rlx" in done.stderr and complaint in done.stderr
    assert done.stderr.count("is left out") == 1


def test_plugins_finds_what_importlib_metadata_finds():
    """The standard library is the oracle."""
    groups = set(metadata.entry_points().groups)
    assert {"rlx.families", "rlx.commands", "console_scripts"} <= groups
    for group in groups:
        expected = {(entry.name, entry.value.partition("[")[0].strip()) for entry in metadata.entry_points(group=group)}
        assert {(plugin.name, plugin.target) for plugin in plugins(group)} == expected


def test_plugins_reads_distributions_once(tmp_path, monkeypatch):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        distribution(tmp_path / folder, "same-thing", "", **{folder: "m:F"})
        monkeypatch.syspath_prepend(tmp_path / folder)
    found = [plugin for plugin in plugins("rlx.families") if plugin.distribution == "same-thing"]
    assert [plugin.name for plugin in found] == ["second"]  # it was put before the first


def test_version_is_one():
    assert rlx.__version__ == metadata.version("rlx")
    assert re.fullmatch(r"\d+\.\d+\.\d+", rlx.__version__)


def test_namespace_is_small():
    for name in rlx.__all__:
        assert callable(getattr(rlx, name))
    with pytest.raises(AttributeError, match="has no attribute 'chekc'. It offers: check, experts, make_expert"):
        _ = rlx.chekc


def test_experts_are_named():
    assert rlx.experts(ENV_ID)[-1] == "random"
    with pytest.raises(NameNotFound, match="Did you mean"):
        rlx.experts("rlx/ElectricMotor-v1")


def test_unknown_expert_lists_those_there_are(tank):
    env = gymnasium.make(tank)
    with pytest.raises(ValueError, match="rlx/Tank-v0 has no expert 'pid'. There are: feedforward, random"):
        rlx.make_expert(env, "pid")


def test_expert_takes_arguments(tank):
    assert rlx.make_expert(gymnasium.make(tank), "feedforward", gain=0.5).gain == 0.5


def test_random_is_there_for_any_environment():
    env = gymnasium.make("CartPole-v1")
    policy = rlx.make_expert(env, "random", seed=0)
    observation, info = env.reset(seed=0)
    policy.reset()
    assert env.action_space.contains(policy.act(observation, info))


def test_random_has_a_generator_of_its_own():
    env = gymnasium.make("CartPole-v1")
    env.action_space.seed(1)
    expected = [env.action_space.sample() for _ in range(20)]
    env.action_space.seed(1)
    draws = [[rlx.make_expert(env, "random", seed=0).act(None, {}) for _ in range(3)] for _ in range(2)]
    assert draws[0] == draws[1]
    assert [env.action_space.sample() for _ in range(20)] == expected


class Spaces(gymnasium.Env):
    """Nothing but an action space."""

    def __init__(self, action_space):
        self.action_space = action_space


MASKS = {
    "discrete": (spaces.Discrete(5, start=2), np.array([0, 1, 0, 1, 0]), lambda a: a in (3, 5)),
    "multidiscrete, a tuple": (
        spaces.MultiDiscrete([2, 3]), (np.array([0, 1]), np.array([1, 0, 1])), lambda a: a[0] == 1 and a[1] in (0, 2),
    ),
    "multidiscrete, end to end": (
        spaces.MultiDiscrete([2, 3]), np.array([1, 0, 0, 1, 1]), lambda a: a[0] == 0 and a[1] in (1, 2),
    ),
    "box": (spaces.Box(-1, 1, (3,), np.float32), np.array([1, 0, 1]), lambda a: a[1] == 0 and a.dtype == np.float32),
    "box without zero": (spaces.Box(1, 2, (2,), np.float64), np.array([1, 0]), lambda a: a[1] == 1.0),
}  # fmt: skip


@pytest.mark.parametrize("case", MASKS)
@pytest.mark.parametrize("where", ["info", "observation"])
def test_random_respects_masks(case, where):
    space, mask, legal = MASKS[case]
    policy = RandomPolicy(Spaces(space), seed=0)
    observation, info = ({}, {"action_mask": mask}) if where == "info" else ({"action_mask": mask}, {})
    actions = [policy.act(observation, info) for _ in range(50)]
    assert all(space.contains(action) and legal(action) for action in actions)
    assert len({np.asarray(action).tobytes() for action in actions}) > 1


def test_other_spaces_take_their_own_masks():
    space = spaces.Tuple([spaces.Discrete(2), spaces.Discrete(2)])
    assert sample(space, (np.array([0, 1], np.int8), np.array([1, 0], np.int8))) == (1, 0)
