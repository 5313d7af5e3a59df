"""Packing: no overlap ever, known optima, telescoping rewards, minimalloc's files, and the contract."""

from __future__ import annotations

import importlib.util
import itertools
import json
import pickle
import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled, ResetNeeded
from hypothesis import given, settings
from hypothesis import strategies as st

from rlx.envs.malloc_game.packing import Buffer, Instance, MallocPackingEnv, MallocPackingVectorEnv, experts
from rlx.envs.malloc_game.packing import kernels as k
from rlx.envs.malloc_game.packing.generator import most_live, size_class
from rlx.registry import catalog, checks
from rlx.registry.experts import RandomPolicy

DATA = Path(__file__).parent / "data" / "malloc_game"
EXAMPLE = DATA / "packing_example.csv"
ID = "rlx/MallocPacking-v0"
HAS_SOLVER = importlib.util.find_spec("ortools") is not None
EXPERTS = ["greedy_size", "first_fit", "best_fit", "most_contact", *(["cp_sat"] if HAS_SOLVER else [])]


@pytest.fixture
def env_id(monkeypatch):
    """The id, in the catalog with what is installed."""
    package = "rlx.envs.malloc_game.packing"
    row = {
        "id": ID,
        "entry_point": f"{package}:MallocPackingEnv",
        "vector_entry_point": f"{package}:MallocPackingVectorEnv",
        "summary": "Pack buffers with known lifetimes into a memory.",
        "experts": {name: f"{package}.experts:{name}" for name in EXPERTS},
    }
    family = catalog.read_family({"name": "malloc_packing", "title": "Packing", "environments": (row,)})
    others = [other for other in catalog.families() if ID not in [row.id for row in other.environments]]
    monkeypatch.setattr(catalog, "families", lambda: (*others, family))
    catalog.register_all()
    return ID


def play(env, policy, seed=None):
    """Play an episode; return the rewards and the last info."""
    observation, info = env.reset(seed=seed)
    policy.reset()
    rewards, is_over = [], False
    while not is_over:
        observation, reward, is_over, _, info = env.step(policy.act(observation, info))
        assert env.observation_space.contains(observation)
        rewards.append(reward)
    return rewards, info


def overlaps(buffers):
    """Return the pairs that live at the same time and share memory, of those that have a place."""
    placed = [b for b in buffers if b.offset is not None]
    return [
        (a.id, b.id)
        for a, b in itertools.combinations(placed, 2)
        if a.lower < b.upper and b.lower < a.upper and a.offset < b.offset + b.size and b.offset < a.offset + a.size
    ]


def follow(env, offsets):
    """Place each buffer at the offset that its number has; return the return and the last info."""
    env.reset()
    total = 0.0
    for turn in env.turns.tolist():
        _, reward, is_over, _, info = env.step(env.places.index(offsets[turn]))
        total += reward
    assert is_over
    return total, info


# ----------------------------------------------------------------------------------------------------- the contract


def test_contract(env_id):
    results = checks.check(env_id)
    assert [str(result) for result in results if result.skipped and "pygame" not in result.skipped] == []


@pytest.mark.parametrize(
    "kwargs", [{"instance": str(EXAMPLE), "capacity": 13}, {"buffers": 100, "order": "area", "slack": 0.1}]
)
def test_contract_of_variants(env_id, kwargs):
    # A given instance leaves nothing to chance, and greedy_size has but one order.
    exempt = ("other_seeds_differ", "reset_goes_on") if "instance" in kwargs else ("experts_act",)
    for number, clause in checks.CLAUSES:
        if clause.__name__ not in exempt:
            checks.verify(checks.Subject(env_id, kwargs), number, clause)


# ------------------------------------------------------------------------------------------------------- the rules


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    buffers=st.sampled_from([1, 2, 7, 40, 64]),
    order=st.sampled_from(list(k.ORDERS)),
    slack=st.sampled_from([0.0, 0.3]),
    temporal=st.sampled_from([0.05, 0.5, 0.95]),
)
def test_nothing_overlaps_and_rewards_telescope(seed, buffers, order, slack, temporal):
    env = MallocPackingEnv(buffers=buffers, order=order, slack=slack, temporal=temporal)
    policy = RandomPolicy(env, seed=seed)
    observation, info = env.reset(seed=seed)
    total, heights = 0.0, [0]
    for placed in range(1, buffers + 1):
        places = env.places
        assert places == sorted(set(places)) and 1 <= len(places) <= k.PLACES
        assert info["action_mask"].tolist() == [1] * len(places) + [0] * (k.PLACES - len(places))
        action = policy.act(observation, info)
        turn = env.turns[env.placed]
        observation, reward, is_over, _, info = env.step(action)
        assert env.observation_space.contains(observation)
        instance = env.instance
        assert instance.buffers[turn].offset == places[action]
        assert overlaps(instance.buffers) == []
        assert env.placed == placed and is_over == (placed == buffers)
        heights.append(int(info["signals"]["height"]))
        assert heights[-1] == max(b.offset + b.size for b in instance.buffers if b.offset is not None)
        assert info["cost"] == -reward and 0.0 <= info["cost"]
        total += reward
    assert heights == sorted(heights) and heights[-1] == instance.height
    overflow = max(instance.height - instance.capacity, 0) / instance.capacity
    # The capacity without slack is a power of two: then the sum is exact.
    assert total == (-overflow if slack == 0.0 else pytest.approx(-overflow, abs=1e-12))
    assert info["success"] == (instance.height <= instance.capacity) == (total == 0.0)


def naive_places(buffers, b, capacity):
    """Return both ends of each gap, worked out afresh."""
    taken = sorted(
        (other.offset, other.offset + other.size)
        for other in buffers
        if other.offset is not None and other.lower < b.upper and b.lower < other.upper
    )
    tops = list(itertools.accumulate([0, *(top for _, top in taken)], max))
    gaps = list(zip(tops, [bottom for bottom, _ in taken] + [max(capacity, tops[-1] + b.size)], strict=True))
    ends = [{low, high - b.size} for low, high in gaps if high - low >= b.size]
    return sorted(itertools.chain(*ends))[: k.PLACES]


@pytest.mark.parametrize("order", k.ORDERS)
def test_places_are_the_ends_of_gaps(order):
    env = MallocPackingEnv(buffers=50, order=order)
    policy = RandomPolicy(env, seed=0)
    observation, info = env.reset(seed=1)
    for turn in env.turns:
        instance = env.instance
        assert env.places == naive_places(instance.buffers, instance.buffers[turn], instance.capacity)
        observation, _, _, _, info = env.step(policy.act(observation, info))


def test_there_can_be_more_places_than_are_offered():
    # Teeth on fillers that die before the last buffer is born: ten gaps for it, and the open end.
    pairs = [(Buffer(f"filler {i}", 0, 1, 2), Buffer(f"tooth {i}", 0, 2, 1)) for i in range(10)]
    env = MallocPackingEnv(Instance((*itertools.chain(*pairs), Buffer("last", 1, 2, 1)), 40), order="given")
    env.reset()
    for _ in range(20):
        env.step(0)
    assert env.places == [0, 1, 3, 4, 6, 7, 9, 10]


def test_beyond_the_capacity_the_last_gap_does_not_end():
    env = MallocPackingEnv(
        Instance((Buffer("a", 0, 1, 5), Buffer("b", 0, 2, 4), Buffer("c", 1, 2, 6)), 10), order="given"
    )
    env.reset()
    env.step(0)
    assert env.places == [5, 6]
    env.step(1)
    assert env.places == [0, 10]
    env.reset()
    env.step(0)
    observation = env.step(0)[0]
    # Five units below b, one above.
    assert env.places == [9]
    np.testing.assert_allclose(observation["candidates"][0], [0.9, 1.0, 0.0, 1.0, 0.0, 0.5], atol=1e-6)
    assert env.step(0)[1] == -0.5


def test_orders():
    def turns(order):
        env = MallocPackingEnv(
            Instance((Buffer("a", 5, 9, 3), Buffer("b", 0, 2, 4), Buffer("c", 0, 8, 1), Buffer("d", 3, 8, 3)), 99),
            order=order,
        )
        env.reset()
        return "".join("abcd"[turn] for turn in env.turns)

    expected = {"given": "abcd", "size": "bdac", "lifetime": "cdab", "area": "dabc", "start": "bcda"}
    assert {order: turns(order) for order in k.ORDERS} == expected


def test_what_the_mask_rules_out_counts_as_the_highest_place():
    env, other = MallocPackingEnv(), MallocPackingEnv()
    env.reset(seed=0)
    other.reset(seed=0)
    last = len(env.places) - 1
    assert last < k.PLACES - 1
    assert env.step(k.PLACES - 1)[1] == other.step(last)[1]
    assert env.instance == other.instance


def test_a_step_after_the_end_changes_nothing():
    env = MallocPackingEnv(buffers=3)
    play(env, experts.first_fit(env), seed=0)
    instance = env.instance
    assert env.step(0)[1:3] == (0.0, True)
    assert env.instance == instance


def test_observation_shows_the_memory():
    env = MallocPackingEnv(buffers=20)
    rng = np.random.default_rng(0)
    for seed in range(3):
        env.reset(seed=seed)
        for _ in range(15):
            observation = env.step(int(rng.integers(len(env.places))))[0]
        fine = np.zeros((k.CAPACITY, k.DURATION), np.float32)
        demand = np.zeros(k.DURATION)
        for b in env.instance.buffers:
            if b.offset is None:
                demand[b.lower : b.upper] += b.size / k.CAPACITY
            else:
                fine[b.offset : b.offset + b.size, b.lower : b.upper] = 1.0
        cell = k.CAPACITY // k.CELLS
        image = fine.reshape(k.CELLS, cell, k.CELLS, cell).mean(axis=(1, 3))
        np.testing.assert_allclose(observation["memory"], image, atol=1e-5)
        np.testing.assert_allclose(observation["demand"], demand.reshape(k.CELLS, cell).mean(axis=1), atol=1e-6)
        b = env.instance.buffers[env.turns[env.placed]]
        expected = np.array([b.size / k.CAPACITY, b.lower / k.DURATION, b.upper / k.DURATION], np.float32)
        np.testing.assert_array_equal(observation["buffer"][:3], expected)
        places = np.minimum(np.array(env.places) / k.CAPACITY, 1.0)
        np.testing.assert_allclose(observation["candidates"][: len(places), 0], places, atol=1e-7)


def test_contact_is_measured():
    buffers = (Buffer("a", 0, 10, 4), Buffer("b", 0, 4, 3), Buffer("c", 2, 10, 2))
    env = MallocPackingEnv(Instance(buffers, 9), order="given")
    env.reset()
    env.step(0)
    env.step(0)
    observation = env.step(0)[0]
    assert env.instance.height == 9
    env.reset()
    env.step(0)
    observation = env.step(0)[0]
    # Above b, which shares two of the eight steps; that is also the upper end.
    assert env.places == [7]
    np.testing.assert_allclose(observation["candidates"][0], [7 / 9, 0.0, 0.0, 0.25, 1.0, 0.0], atol=1e-6)


# -------------------------------------------------------------------------------------------------- drawn instances


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    buffers=st.sampled_from([1, 2, 16, 64, 200]),
    temporal=st.sampled_from([0.05, 0.5, 0.95]),
)
def test_replaying_the_cut_reaches_the_optimum(seed, buffers, temporal):
    env = MallocPackingEnv(buffers=buffers, temporal=temporal)
    env.reset(seed=seed)
    solution = env.solution
    assert overlaps(solution.buffers) == [] and len(solution.buffers) == buffers
    assert sum(b.size * (b.upper - b.lower) for b in solution.buffers) == k.CAPACITY * k.DURATION
    # Full at all times: the least capacity is what is live at any time.
    assert solution.lower_bound == solution.height == solution.capacity == k.CAPACITY

    bottom_up = sorted(solution.buffers, key=lambda b: b.offset)
    replay = MallocPackingEnv(Instance(tuple(bottom_up), solution.capacity), order="given")
    total, info = follow(replay, [b.offset for b in bottom_up])
    assert total == 0.0 and info["success"]
    assert replay.instance.buffers == tuple(bottom_up)


def test_by_time_first_fit_puts_the_cut_together():
    # As the docstring says: it is the order that makes these instances hard.
    for seed in range(10):
        env = MallocPackingEnv(buffers=64)
        env.reset(seed=seed)
        by_time = sorted(env.solution.buffers, key=lambda b: (b.lower, b.offset))
        again = MallocPackingEnv(Instance(tuple(by_time), k.CAPACITY), order="given")
        assert sum(play(again, experts.first_fit(again))[0]) == 0.0
        assert sum(play(env, experts.first_fit(env))[0]) < -0.1


def test_instances_do_not_depend_on_how_much_was_drawn():
    def second(**kwargs):
        env = MallocPackingEnv(**kwargs)
        env.reset(seed=3)
        env.reset()
        return env.instance

    assert second() != second(temporal=0.9)
    first = MallocPackingEnv()
    first.reset(seed=3, options={"context": {"temporal": 0.9}})
    first.reset()
    assert first.instance == second()


def test_slack_adds_capacity_and_nothing_else():
    env = MallocPackingEnv()
    env.reset(seed=0)
    tight = env.instance
    env.reset(seed=0, options={"context": {"slack": 0.25}})
    assert env.instance.buffers == tight.buffers
    assert (tight.capacity, env.instance.capacity) == (4096, 5120)


def test_one_record_for_a_size_class():
    assert [size_class(n) for n in (1, 512, 513)] == [512, 512, 2048]
    assert MallocPackingEnv(buffers=600).problem.state_dtype == MallocPackingEnv(buffers=2000).problem.state_dtype
    drawn, read = MallocPackingEnv(buffers=64), MallocPackingEnv(EXAMPLE)
    assert drawn.problem.state_dtype is read.problem.state_dtype
    assert drawn._rows.dtype == read._rows.dtype


def test_states_carry_the_instance():
    env, other = MallocPackingEnv(), MallocPackingEnv()
    policy = RandomPolicy(env, seed=0)
    observation, info = env.reset(seed=5)
    for _ in range(10):
        observation, _, _, _, info = env.step(policy.act(observation, info))
    other.load_state(pickle.loads(pickle.dumps(env.save_state())))
    assert other.instance == env.instance and other.solution == env.solution
    assert other.places == env.places


def test_many_at_a_time():
    envs = MallocPackingVectorEnv(3, buffers=10)
    envs.reset(seed=7)
    singles = [MallocPackingEnv(buffers=10) for _ in range(3)]
    for i, env in enumerate(singles):
        env.reset(seed=7 + i)
    for _ in range(10):
        rewards = envs.step(np.zeros(3, np.int64))[1]
        assert rewards.tolist() == [env.step(0)[1] for env in singles]


# ------------------------------------------------------------------------------------------------------------ files


def test_minimalloc_example():
    # Buffers and offsets are those that minimalloc's documentation shows for a capacity of 12.
    instance = Instance.from_csv(EXAMPLE, 12)
    assert instance.lower_bound == instance.height == 12
    assert overlaps(instance.buffers) == []
    assert instance.to_csv() == EXAMPLE.read_text()
    assert Instance.from_csv(EXAMPLE).capacity == 12
    env = MallocPackingEnv(EXAMPLE, order="given")
    assert env.reset()[1]["signals"] == {"height": 0.0, "capacity": 12.0, "lower_bound": 12.0}
    assert env.solution is None
    # Its offsets are among the places, when buffers come from the bottom up.
    bottom_up = sorted(instance.buffers, key=lambda b: b.offset)
    assert (
        follow(MallocPackingEnv(Instance(tuple(bottom_up), 12), order="given"), [b.offset for b in bottom_up])[0] == 0
    )


def test_what_is_packed_can_be_written(tmp_path):
    env = MallocPackingEnv(buffers=20)
    play(env, experts.first_fit(env), seed=0)
    path = tmp_path / "packed.csv"
    path.write_text(env.instance.to_csv())
    assert Instance.from_csv(path, env.instance.capacity) == env.instance
    env.reset(seed=0)
    assert env.instance.to_csv().startswith("id,lower,upper,size\nb0,")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has the columns (none). Needed are id, lower, upper, size; offset is allowed"),
        ("id,lower,upper\na,0,1\n", "has the columns id, lower, upper. Needed"),
        ("id,lower,upper,size,alignment\na,0,1,1,1\n", "has the columns id, lower, upper, size, alignment. Needed"),
        ("id,lower,upper,size\na,0,1,x\n", "line 2: id = 'a', lower = '0', upper = '1', size = 'x'. All but the id"),
        ("id,lower,upper,size\na,0,1,1\nb,0,1\n", "line 3: id = 'b'"),
        ("id,lower,upper,size\na,0,1,1,7\n", "line 2: id = 'a'"),
        ("id,lower,upper,size\n", "at least one buffer"),
        ("id,lower,upper,size\na,0,1,1\na,0,1,1\n", "Two buffers have the id 'a'"),
        ("id,lower,upper,size\na,1,1,1\n", "Buffer 'a' lives from 1 to 1: upper is the first moment after"),
        ("id,lower,upper,size\na,0,1,0\n", "Buffer 'a' has size 0: at least 1"),
        ("id,lower,upper,size,offset\na,0,1,1,-1\n", "Buffer 'a' has offset -1"),
        ("id,lower,upper,size\na,0,2,10\nb,1,3,10\n", "No packing fits into capacity = 15: 20 are live at a time"),
    ],
)
def test_malformed_files_are_told(tmp_path, text, sentence):
    path = tmp_path / "buffers.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        MallocPackingEnv(str(path), capacity=15)


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="order = 'big' is unknown. Allowed: given, size, lifetime, area, start"):
        MallocPackingEnv(order="big")
    with pytest.raises(ValueError, match="capacity = 5 goes with the path of an instance"):
        MallocPackingEnv(capacity=5)
    with pytest.raises(ValueError, match="Packing.buffers = 0 is outside"):
        MallocPackingEnv(buffers=0)
    with pytest.raises(ResetNeeded, match="it draws the instance"):
        _ = MallocPackingEnv().instance


def test_lives_that_touch_do_not_meet():
    assert most_live([Buffer("a", 0, 2, 5), Buffer("b", 2, 3, 7)]) == 7
    env = MallocPackingEnv(Instance((Buffer("a", 0, 2, 5), Buffer("b", 2, 3, 7)), 7))
    assert sum(play(env, experts.first_fit(env))[0]) == 0.0


# ---------------------------------------------------------------------------------------------------------- experts


def naive_height(buffers, is_best):
    """First or best fit, worked out afresh without ceiling."""
    placed = []
    for b in buffers:
        taken = sorted((o, o + c.size) for c, o in placed if c.lower < b.upper and b.lower < c.upper)
        gaps, free = [], 0
        for bottom, top in [*taken, (float("inf"), 0)]:
            if bottom - free >= b.size:
                gaps.append((bottom - free if is_best else 0, free))
            free = max(free, top)
        placed.append((b, min(gaps)[1]))
    return max(b.size + o for b, o in placed)


@pytest.mark.parametrize("name", ["first_fit", "best_fit"])
def test_fits_are_what_they_are_called(name):
    for seed, order in itertools.product(range(10), k.ORDERS):
        env = MallocPackingEnv(buffers=24, order=order)
        play(env, getattr(experts, name)(env), seed)
        instance = env.instance
        assert instance.height == naive_height([instance.buffers[turn] for turn in env.turns], name == "best_fit")


def test_experts_are_better_than_chance():
    def mean(policy, env):
        return np.mean([sum(play(env, policy, seed)[0]) for seed in range(20)])

    env = MallocPackingEnv()
    chance = mean(RandomPolicy(env, seed=0), env)
    for name in ("greedy_size", "first_fit", "best_fit", "most_contact"):
        assert mean(getattr(experts, name)(env), env) > chance + 0.15


def test_greedy_size_needs_its_order(env_id):
    with pytest.raises(ValueError, match="they come in the order 'area'. Make the environment with order='size'"):
        experts.greedy_size(MallocPackingEnv(order="area"))
    with pytest.raises(ValueError, match="These experts pack buffers"):
        experts.first_fit(gymnasium.make("CartPole-v1"))


def test_solver_is_an_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ortools.sat.python.cp_model", None)
    with pytest.raises(DependencyNotInstalled, match=r'pip install "rlx\[packing\]"'):
        experts.cp_sat(MallocPackingEnv())


@pytest.mark.skipif(not HAS_SOLVER, reason="OR-Tools is missing")
def test_solver_packs_what_first_fit_does_not():
    env = MallocPackingEnv(buffers=16)
    solver, simple = experts.cp_sat(env), experts.first_fit(env)
    assert all(play(env, solver, seed)[1]["success"] for seed in range(8))
    assert not all(play(env, simple, seed)[1]["success"] for seed in range(8))


def can_succeed(env):
    """Try every sequence of actions that stays below the capacity."""
    state = env.save_state()
    for action in range(len(env.places)):
        _, reward, is_over, _, _ = env.step(action)
        if reward == 0.0 and (is_over or can_succeed(env)):
            return True
        env.load_state(state)
    return False


@pytest.mark.skipif(not HAS_SOLVER, reason="OR-Tools is missing")
def test_solver_agrees_with_enumeration():
    verdicts = []
    for order, seed in itertools.product(("area", "start"), range(20)):
        env = MallocPackingEnv(buffers=20, order=order)
        solver = experts.cp_sat(env)
        verdicts.append(play(env, solver, seed)[1]["success"])
        env.reset(seed=seed)
        assert can_succeed(env) == verdicts[-1]
        assert solver.status == ("OPTIMAL" if verdicts[-1] else "INFEASIBLE")
    assert set(verdicts) == {True, False}


@pytest.mark.skipif(not HAS_SOLVER, reason="OR-Tools is missing")
def test_solver_tells_what_cannot_be_reached():
    env = MallocPackingEnv(buffers=64)
    solver = experts.cp_sat(env)
    rewards, info = play(env, solver, seed=0)
    assert solver.status == "INFEASIBLE" and not info["success"] and sum(rewards) < 0.0


def test_golden():
    """Heights of first fit: a change here is a new version of the id."""
    golden = json.loads((DATA / "packing_golden.json").read_text())
    assert golden == [{**case, "heights": heights_of(case["arguments"])} for case in golden]


def heights_of(arguments):
    env = MallocPackingEnv(**arguments)
    policy = experts.first_fit(env)
    return [int(play(env, policy, seed)[1]["signals"]["height"]) for seed in range(5)]


# ---------------------------------------------------------------------------------------------------------- picture


def test_picture_shows_the_packing():
    env = MallocPackingEnv(buffers=8, render_mode="rgb_array")
    env.reset(seed=0)
    empty = env.render()
    env.step(0)
    assert empty.shape == (480, 640, 3) and empty.dtype == np.uint8
    assert (env.render() != empty).any()
