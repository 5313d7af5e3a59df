"""The contract's checks: the whole catalog keeps it, and each clause notices an environment that breaks it."""

from __future__ import annotations

import dataclasses
import re

import gymnasium
import numpy as np
import pytest
from processes import ROOT

from rlx.registry import catalog, checks
from rlx.registry.checks import CLAUSES, ContractError, Result, Subject, check, verify
from rlx.registry.probe import difference


def title(name: str) -> str:
    return getattr(checks, name).__doc__.strip().splitlines()[0].rstrip(".")


def check_clause(name: str, env_id: str, **kwargs: object) -> Result:
    number = next(number for number, clause in CLAUSES if clause.__name__ == name)
    return verify(Subject(env_id, kwargs), number, getattr(checks, name))


@pytest.mark.parametrize("env_id", catalog.environments())
def test_catalog_keeps_the_contract(env_id):
    results = check(env_id)
    assert len(results) == len(CLAUSES)
    skipped = [str(result) for result in results if result.skipped]
    assert not [line for line in skipped if "pygame" not in line and "deterministic" not in line]


def test_plugin_keeps_the_contract(tank):
    results = check(tank)
    assert [str(result) for result in results if result.skipped] == []
    assert str(results[0]) == " 2.1  Gymnasium's own check_env passes without a warning"


def test_arguments_are_passed_on(tank):
    assert check_clause("seeds_decide", tank, params={"hole": 0.001}).skipped is None
    sentence = r"^rlx/Tank-v0, params=\{'hole': 9\} breaks clause 2.1 .* Tank.hole = 9 is outside"
    with pytest.raises(ContractError, match=sentence):
        check(tank, params={"hole": 9})


def test_other_environments_can_be_checked():
    with pytest.raises(ContractError, match=r"^CartPole-v1 breaks clause 2.1 .*it warned"):
        check("CartPole-v1")


def broken_cases():
    """Read the names without importing: the plugin that they derive from is not installed yet."""
    source = (ROOT / "tests" / "support" / "broken.py").read_text()
    return re.findall(r"^@breaks\(.*\nclass (\w+)\(", source, re.MULTILINE)


@pytest.mark.parametrize("name", broken_cases())
def test_clause_notices(name, tank):
    import broken

    broken.register()
    _, clause, sentence = broken.CASES[name]
    with pytest.raises(ContractError) as caught:
        check_clause(clause, f"broken/{name}-v0")
    message = str(caught.value)
    assert re.match(rf"broken/{name}-v0 breaks clause [\d.]+ of the contract \({re.escape(title(clause))}\): ", message)
    assert re.search(sentence, message), message
    assert len(message.splitlines()) == 1


class Wild:
    """An expert that acts outside the action space."""

    def __init__(self, env):
        pass

    def reset(self):
        pass

    def act(self, observation, info):
        return np.array([1.5], np.float32)


@pytest.mark.parametrize(
    ("experts", "sentence"),
    [
        ({}, "the catalog names no expert"),
        ({"wild": f"{__name__}:Wild"}, r"'wild' acts array\(\[1.5\], dtype=float32\) in step 1, outside Box"),
        ({"lost": "no_such_module:Expert"}, "ModuleNotFoundError was raised: No module named 'no_such_module'"),
    ],
)
def test_experts_are_held_to_it(experts, sentence, tank, monkeypatch):
    family = next(family for family in catalog.families() if family.name == "tank")
    (row,) = family.environments
    changed = dataclasses.replace(family, environments=(dataclasses.replace(row, experts=experts),))
    monkeypatch.setattr(catalog, "families", lambda: (changed,))
    with pytest.raises(ContractError, match=rf"\({title('experts_act')}\): {sentence}"):
        check_clause("experts_act", tank)


def test_every_clause_has_been_broken(tank):
    import broken

    covered = {clause for _, clause, _ in broken.CASES.values()} | {"experts_act"}
    assert covered == {clause.__name__ for _, clause in CLAUSES}


def test_what_does_not_apply_is_skipped(tank):
    gymnasium.register("broken/NoVector-v0", "rlx_tank.env:TankEnv", max_episode_steps=300)
    skipped = {result.clause: result.skipped for result in check("broken/NoVector-v0") if result.skipped}
    assert skipped[title("rows_equal_singles")] == "no vector_entry_point is registered"
    assert skipped[title("experts_act")] == "the id is not in the catalog"


def test_arguments_that_are_no_json_skip_that_clause(tank):
    import broken

    broken.register()
    result = check_clause("spec_is_json", "broken/Hooked-v0", hook=len)
    assert result.skipped == "the arguments of this check are no JSON"


@pytest.mark.parametrize(
    ("one", "other", "parted"),
    [
        (1.0, np.float64(1.0), ""),
        (1, np.int32(1), ""),
        (True, np.bool_(True), ""),
        (float("nan"), np.nan, ""),
        (np.array([1, 2]), np.array([1, 3]), "[1] is 2 and 3"),
        (0.0, -0.0, "is 0.0 and -0.0"),
        (np.float32(1), 1.0, "it is float32 and float64"),
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}, "['a'][1] is 2.0 and 2.5"),
        ({"a": 1}, {"b": 1}, "the dict has the keys ['a'] and ['b']"),
        ([1], [1, 2], "the sequence has 1 and 2 items"),
        (np.zeros(2), np.zeros(3), "it is float64[2] and float64[3]"),
        (1, 1.0, "it is int64[] and float64[]"),
        ("a", "b", "is a and b"),
        (None, None, ""),
        (None, 1.0, "it is object[] and float64[]"),
        (np.array([None, {"a": 1}], object), np.array([None, {"a": 2}], object), "[1]['a'] is 1 and 2"),
    ],
)
def test_difference_says_where(one, other, parted):
    assert difference(one, other) == parted
