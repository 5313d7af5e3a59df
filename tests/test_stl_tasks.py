"""The six tasks in signal temporal logic: dynamics, starts, the formula's verdict, planning, pictures, experts."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from processes import ROOT

from rlx.envs.core.stl import FormulaError, parse
from rlx.envs.stl_tasks import FORMULAS, experts
from rlx.envs.stl_tasks.arm import HIGHEST, LOWEST, flange, jacobian, links
from rlx.envs.stl_tasks.env import STLTaskEnv, STLTaskVectorEnv
from rlx.envs.stl_tasks.rover import OBSTACLES, cut
from rlx.envs.stl_tasks.tasks import TASKS
from rlx.registry.catalog import environments, register_all
from rlx.wrappers.stl import STLMonitor

pytestmark = pytest.mark.xdist_group("stl_tasks")  # compiled once

LENGTHS = {"Traffic": 25, "Maze": 25, "ShipSafe": 20, "ShipTrack": 20, "Rover": 10, "Arm": 10}
EXPERTS = {
    "Traffic": experts.driver,
    "Maze": experts.steering,
    "ShipSafe": experts.pilot,
    "ShipTrack": experts.pilot,
    "Rover": experts.navigator,
    "Arm": experts.inverse_kinematics,
}

every_task = pytest.mark.parametrize("task", TASKS)


def run(env, seed, act=None, context=None):
    """Return an episode's infos, rewards and actions; actions are random without ``act``."""
    generator = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed, options={"context": context or {}})
    infos, rewards, actions, is_over = [info], [], [], False
    while not is_over:
        action = act(observation, info) if act else generator.uniform(-1, 1, env.action_space.shape)
        observation, reward, is_over, is_truncated, info = env.step(action)
        assert not is_truncated
        infos.append(info)
        rewards.append(reward)
        actions.append(action)
    return infos, rewards, actions


def trace(infos):
    """Return the signals of an episode, arrays of shape (T + 1,)."""
    return {name: np.array([info["signals"][name] for info in infos]) for name in infos[0]["signals"]}


def starts(task, count=400):
    """Return the signals of first states, arrays of shape (count,)."""
    envs = STLTaskVectorEnv(count, task=task)
    return envs.reset(seed=0)[1]["signals"]


# ---------------------------------------------------------------------------------------------------------------------
# The formula's verdict
# ---------------------------------------------------------------------------------------------------------------------


@every_task
@pytest.mark.parametrize("driven", [False, True], ids=["random", "expert"])
def test_the_kernel_says_what_the_offline_semantics_say_of_the_recorded_signals(task, driven):
    env = STLTaskEnv(task)
    act = EXPERTS[task](env).act if driven else None
    for seed in range(30):
        infos, rewards, _ = run(env, seed, act)
        assert len(infos) == LENGTHS[task] + 1
        lows = [info["robustness"]["low"] for info in infos]
        highs = [info["robustness"]["high"] for info in infos]
        rho = env.formula.robustness(trace(infos))
        assert lows[-1] == highs[-1] == rho == rewards[-1]
        assert all(a <= b for a, b in itertools.pairwise(lows)) and all(a >= b for a, b in itertools.pairwise(highs))
        assert all(low <= rho <= high for low, high in zip(lows, highs, strict=True))
        assert infos[-1]["success"] == (rho >= 0.0)
        assert rewards[:-1] == [0.0] * (LENGTHS[task] - 1)


@every_task
def test_costs_are_paid_when_a_violation_becomes_certain_and_add_up_to_it(task):
    env = STLTaskEnv(task)
    for seed in range(30):
        infos, _, _ = run(env, seed)
        costs = [info["cost"] for info in infos[1:]]
        assert min(costs) >= 0.0
        assert sum(costs) == pytest.approx(max(-infos[-1]["robustness"]["low"], 0.0), abs=1e-12)
        for i, info in enumerate(infos[1:], 1):
            assert sum(costs[:i]) == pytest.approx(max(-info["robustness"]["high"], 0.0), abs=1e-12)


def test_the_first_and_the_last_state_count():
    env = STLTaskEnv("Maze", formula="G x < 100")
    infos, rewards, _ = run(env, 0)
    assert rewards[-1] == 100.0 - trace(infos)["x"].max()
    for window, place in (("0,0", 0), ("25,25", 25)):
        env = STLTaskEnv("Maze", formula=f"F[{window}] y > 0")
        infos, rewards, _ = run(env, 3)
        assert rewards[-1] == trace(infos)["y"][place]


def test_a_formula_of_ones_own_replaces_the_tasks():
    text = "(G bank > 0) and F[5,15] (H[0,2] u > 4)"
    env = STLTaskEnv("ShipSafe", formula=text)
    thrust = np.array([1.0, 0.0])
    infos, rewards, _ = run(env, 1, lambda observation, info: thrust)
    assert rewards[-1] == parse(text).robustness(trace(infos)) == env.formula.robustness(trace(infos))
    register_all()
    made = gymnasium.make("rlx/STL-ShipSafe-v0", formula=text)
    assert made.unwrapped.formula == env.formula


@every_task
def test_the_catalog_shows_the_formula_that_is_asked_for(task):
    row = environments()[f"rlx/STL-{task}-v0"]
    assert parse(row.kwargs["formula"]) == STLTaskEnv(task).formula


@every_task
def test_a_wrapper_that_watches_the_signals_says_the_same(task):
    env = STLTaskEnv(task)
    watched = STLMonitor(env, FORMULAS[task], steps=LENGTHS[task])
    _, rewards, _ = run(env, 6)
    infos, _, _ = run(watched, 6)
    assert infos[-1]["stl_robustness"] == rewards[-1]


def test_a_formula_may_need_more_memory_than_the_tasks():
    text = " and ".join(f"F G[0,{n}] (x > {n} U y < {n})" for n in range(1, 12))
    env = STLTaskEnv("ShipSafe", formula=text)
    assert env.problem.state_dtype["memory"].shape[0] > STLTaskEnv("ShipSafe").problem.state_dtype["memory"].shape[0]
    infos, rewards, _ = run(env, 1)
    assert rewards[-1] == parse(text).robustness(trace(infos))


@pytest.mark.parametrize(
    "formula, words",
    [
        ("G speed > 0", ("speed", "clearance_1")),
        ("G[5,2] x > 0", ("5", "2")),
        ("G (x > 0 and y > 0", ()),
        ("", ()),
    ],
    ids=["unknown signal", "empty window", "missing bracket", "nothing"],
)
def test_a_formula_that_cannot_be_meant_is_one_clear_error(formula, words):
    with pytest.raises(FormulaError, match=r"\^") as caught:
        STLTaskEnv("ShipSafe", formula=formula)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"task": "Mazes"}, ("Mazes", "Maze", "Rover")),
        ({"reward": "robust"}, ("robust", "robustness", "satisfaction", "progress")),
        ({"params": {"sped": 1.0}}, ("sped", "speed")),
        ({"params": {"period": -1.0}}, ("period", "-1.0", "s")),
        ({"task": "Maze", "params": {"bar_max": 5.0}}, ("bar_max", "width")),
        ({"formula": "x < 9 and F[26,30] v > 0"}, ("F[26,30]", "26 states", "[0,25]")),
    ],
)
def test_arguments_that_are_wrong_are_told(arguments, words):
    with pytest.raises(ValueError) as caught:
        STLTaskEnv(**arguments)
    assert all(word in str(caught.value) for word in words)


@every_task
def test_what_is_observed_are_signals_and_the_time_that_is_left(task):
    env = STLTaskEnv(task)
    size = env.observation_space.shape[0] - 1
    for end in ("low", "high", None):
        context = {name: float(getattr(box, end)) for name, box in env.context_space.items()} if end else {}
        for seed in range(5):
            observation, info = env.reset(seed=seed, options={"context": context})
            for step in range(1, LENGTHS[task] + 1):
                assert np.array_equal(observation[:-1], np.float32(list(info["signals"].values())[:size]))
                observation, _, _, _, info = env.step(env.action_space.high)
                assert observation[-1] == pytest.approx((LENGTHS[task] - step) * env.parameters.dt, abs=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Rewards
# ---------------------------------------------------------------------------------------------------------------------


@every_task
def test_rewards_are_terms_of_one_kind(task):
    rho = run(STLTaskEnv(task), 4)[1][-1]
    infos, rewards, _ = run(STLTaskEnv(task, reward="satisfaction"), 4)
    assert rewards[-1] == float(rho >= 0.0) and sum(rewards) == rewards[-1]
    assert infos[-1]["reward_terms"] == {"robustness": 0.0, "satisfaction": rewards[-1], "progress": 0.0}
    infos, rewards, _ = run(STLTaskEnv(task, reward="progress"), 4)
    assert [info["reward_terms"]["progress"] for info in infos[1:]] == rewards
    assert infos[-1]["robustness"]["low"] == rho


@every_task
def test_progress_is_better_for_those_who_know(task):
    env = STLTaskEnv(task, reward="progress")
    expert = EXPERTS[task](env).act
    by_expert = np.mean([sum(run(env, seed, expert)[1]) for seed in range(100)])
    at_random = np.mean([sum(run(env, seed)[1]) for seed in range(100)])
    assert by_expert > at_random + 0.5


# ---------------------------------------------------------------------------------------------------------------------
# Dynamics, against the equations written down again
# ---------------------------------------------------------------------------------------------------------------------


#: How far the paper's code is from minima and maxima: its until and its polygons are smooth, with a factor of 500.
SMOOTH = {"ShipTrack": math.log(21) / 500, "Rover": math.log(4) / 500}
#: The until of the paper's code asks for its left side at the moment of its right side, too.
AS_THERE = {"ShipTrack": "G clearance > 0 and G bank > 0 and (time_left > 0 U (time_left > 0 and G on_track > 0))"}


@pytest.mark.parametrize("task", [task for task in TASKS if task != "Arm"])
def test_trajectories_and_robustness_are_those_of_the_papers_code(task):
    data = json.loads((ROOT / "tests" / "data" / "stl_npc_trajectories.json").read_text(encoding="utf-8"))
    model = STLTaskEnv(task, formula=AS_THERE.get(task)).model()
    names = TASKS[task].signals[: len(data["tasks"][task][0]["start"])]
    whole = dataclasses.replace(model, formula=parse(" and ".join(f"{name} > 0" for name in names)))
    assert whole.signals == names
    verdicts = set()
    for case in data["tasks"][task]:
        start, controls = np.array(case["start"]), np.array(case["actions"])[None, None]
        observation = np.array([[*start, *(start[:2] if task == "Rover" else ()), 0.0]])
        assert whole.rollout(observation, controls)[0, 0, -1] == pytest.approx(case["end"], abs=1e-8)
        signals = model.rollout(observation, controls)[0, 0]
        rho = model.formula.robustness(dict(zip(model.signals, signals.T, strict=True)))
        assert rho == pytest.approx(case["robustness"], abs=1e-8 + SMOOTH.get(task, 0.0))
        verdicts.add(rho >= 0.0)
    assert verdicts == {True, False}


def test_traffic_moves_as_its_equations_say():
    env, dt = STLTaskEnv("Traffic"), 0.1
    kinds = set()
    for seed in range(40):
        infos, _, actions = run(env, seed)
        for before, action, after in zip(infos, actions, infos[1:], strict=False):
            s, t, a = before["signals"], after["signals"], 10.0 * action[0]
            assert t["x"] == pytest.approx(s["x"] + s["v"] * dt, abs=1e-12)
            assert t["v"] == pytest.approx(min(max(s["v"] + a * dt, -0.01), 10.0), abs=1e-12)
            in_box = 0.5 * (math.tanh(500.0 * (s["x"] + 1.0)) + 1.0)
            timer = (s["timer"] + dt * in_box) * 0.5 * (math.tanh(-500.0 * s["x"]) + 1.0)
            timer = (s["timer"] + dt) % 8.0 if s["light"] else timer
            assert t["timer"] == pytest.approx(timer, abs=1e-9)
            assert t["gap"] == pytest.approx(s["gap"] + (s["lead_speed"] - s["v"]) * dt * (s["gap"] >= 0.0), abs=1e-12)
            assert t["inside"] == pytest.approx(-t["x"] * (t["x"] + 1.0), abs=1e-12)
            assert (t["red"], t["waited"]) == pytest.approx((4.0 - t["timer"], t["timer"] - 1.0), abs=1e-12)
            assert (t["headway"], t["margin"]) == pytest.approx((t["gap"] - 1.0, -0.5 - t["x"]), abs=1e-12)
        kinds.add((s["light"], s["gap"] > -0.5, s["trigger"]))
    assert len(kinds) >= 5


def test_the_maze_moves_as_its_equations_say():
    env, dt = STLTaskEnv("Maze"), 0.2
    for seed in range(20):
        infos, _, actions = run(env, seed)
        for before, action, after in zip(infos, actions, infos[1:], strict=False):
            s, t = before["signals"], after["signals"]
            assert t["x"] == pytest.approx(np.clip(s["x"] + s["vx"] * dt, 0.1, 4.9), abs=1e-12)
            assert t["vx"] == pytest.approx(np.clip(s["vx"] + 40.0 * action[0] * dt, -5.0, 5.0), abs=1e-12)
            assert t["y"] == pytest.approx(s["y"] + dt, abs=1e-12)
            for i, level in ((1, 0.0), (2, 2.5)):
                left, width, goal, y = t[f"left_{i}"], t[f"width_{i}"], t[f"goal_{i}"], t["y"] - level
                assert t[f"band_{i}"] == pytest.approx(-(y + 0.5) * y, abs=1e-12)
                assert t[f"beside_{i}"] == pytest.approx((left + width - t["x"]) * (left - t["x"]), abs=1e-12)
                reach = 0.4**2 - (t["x"] - goal) ** 2 - (y + 0.25) ** 2
                assert t[f"reach_{i}"] == pytest.approx(reach, abs=1e-12)


@pytest.mark.parametrize("task", ["ShipSafe", "ShipTrack"])
def test_ships_sail_as_their_equations_say(task):
    env = STLTaskEnv(task)
    for seed in range(20):
        infos, _, actions = run(env, seed)
        for before, action, after in zip(infos, actions, infos[1:], strict=False):
            s, signals, dt = before["signals"], after["signals"], 0.075
            state, left = np.array([s[name] for name in ("x", "y", "phi", "u", "v", "r")]), s.get("time_left", 0.0)
            thrust, rudder = 0.5 * action[0], 3.0 * action[1]
            for _ in range(2):
                x, y, phi, u, v, r = state
                left -= dt * 0.5 * (np.tanh(500.0 * (y**2 - 0.09)) + 1.0)
                rates = (
                    u * np.cos(phi) - v * np.sin(phi), u * np.sin(phi) + v * np.cos(phi), r,
                    thrust, 0.01 * rudder, 0.5 * rudder,
                )  # fmt: skip
                state = state + dt * np.array(rates)
                state[2:] = np.clip(state[2:], [-0.5, 3.0, -0.3, -0.5], [0.5, 5.0, 0.3, 0.5])
            assert [signals[name] for name in ("x", "y", "phi", "u", "v", "r")] == pytest.approx(state, abs=1e-12)
            if task == "ShipTrack":
                squares = signals["x"] - signals["obstacle_x"], signals["y"] - signals["obstacle_y"]
                assert signals["time_left"] == pytest.approx(left, abs=1e-10)
                assert signals["clearance"] == pytest.approx(
                    np.dot(squares, squares) - signals["radius"] ** 2, abs=1e-9
                )
                assert signals["bank"] == pytest.approx(4.0 - signals["y"] ** 2, abs=1e-12)
                assert signals["on_track"] == pytest.approx(0.09 - signals["y"] ** 2, abs=1e-12)
            else:
                for i in "12":
                    square = (signals["x"] - signals["obstacle_x_" + i]) ** 2
                    square += (signals["y"] - signals["obstacle_y_" + i]) ** 2
                    assert signals["clearance_" + i] == pytest.approx(square - 1.0, abs=1e-9)
                assert signals["bank"] == pytest.approx(2.0 - abs(signals["y"]), abs=1e-12)


def test_the_rover_moves_as_its_equations_say():
    env, dt = STLTaskEnv("Rover"), 0.2
    for seed in range(40):
        infos, _, actions = run(env, seed)
        for before, action, after in zip(infos, actions, infos[1:], strict=False):
            s, t = before["signals"], after["signals"]
            speed, heading = 5.0 * (action[0] + 1.0), np.pi * action[1]
            assert t["x"] == pytest.approx(s["x"] + dt * speed * np.cos(heading), abs=1e-12)
            assert t["y"] == pytest.approx(s["y"] + dt * speed * np.sin(heading), abs=1e-12)
            is_near = math.hypot(s["x"] - s["charger_x"], s["y"] - s["charger_y"]) <= 0.8
            assert t["battery"] == pytest.approx(5.0 if is_near else s["battery"] - dt, abs=1e-12)
            assert t["hold"] == pytest.approx(s["hold"] - dt * is_near, abs=1e-12)
            strayed = math.hypot(t["x"] - s["start_x"], t["y"] - s["start_y"])
            assert t["stand_by"] == pytest.approx(0.1 - strayed, abs=1e-12)
            inward = min(t["x"], 10.0 - t["x"], t["y"], 10.0 - t["y"])
            assert t["in_map"] == pytest.approx(10.0 * inward + 0.01, abs=1e-9)
            for i, (left, bottom, side) in enumerate(OBSTACLES, 1):
                share = np.linspace(0.0, 1.0, 2001)
                x, y = s["x"] + share * (t["x"] - s["x"]), s["y"] + share * (t["y"] - s["y"])
                depth = np.minimum(np.minimum(x - left, left + side - x), np.minimum(y - bottom, bottom + side - y))
                if depth.max() > 0.01:  # it has been in the obstacle
                    assert t[f"free_{i}"] <= 0.0
                elif depth.max() < -0.02:
                    assert t[f"free_{i}"] == pytest.approx(min(1.0, -side * depth[-1] - 0.01), abs=1e-9)


def test_a_way_through_an_edge_is_worth_how_far_its_ends_are():
    # From (0, 0) to (2, 1), through the edge x = 1, 0 <= y <= 1: both are cut in their middle.
    assert cut(0.0, 2.0, 1.0, 0.0, 1.0, 0.0, 1.0) == 0.25
    assert cut(0.0, 4.0, 1.0, 0.0, 2.0, 0.0, 2.0) == 0.25 * 0.75  # t = 1/4, u = 1/4
    assert cut(0.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0) == -1.0  # too short
    assert cut(0.0, 2.0, 1.0, 3.0, 0.0, 0.0, 1.0) == -1.0  # past it
    assert cut(0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0) == -1.0  # along it


def test_the_arms_flange_is_where_pinocchio_says():
    data = json.loads((ROOT / "tests" / "data" / "stl_panda_kinematics.json").read_text(encoding="utf-8"))
    assert data["limits"] == {"lower": list(LOWEST), "upper": list(HIGHEST)}
    assert len(data["cases"]) == 32
    for case in data["cases"]:
        assert flange(tuple(case["q"])) == pytest.approx(case["flange"], abs=1e-12)
        assert links(case["q"])[-1] == pytest.approx(case["flange"], abs=1e-12)


def test_the_arms_jacobian_is_the_derivative():
    q = np.array([0.3, -0.5, 0.2, -1.9, 0.4, 1.7, -0.6])
    tip, derivative = jacobian(q)
    assert tip == pytest.approx(flange(tuple(q)))
    for i in range(7):
        ahead, behind = (np.array(flange(tuple(q + step * np.eye(7)[i]))) for step in (1e-6, -1e-6))
        assert derivative[:, i] == pytest.approx((ahead - behind) / 2e-6, abs=1e-8)


def test_the_arm_moves_as_its_equations_say():
    env = STLTaskEnv("Arm")
    for seed in range(10):
        infos, _, actions = run(env, seed)
        for before, action, after in zip(infos, actions, infos[1:], strict=False):
            s, t = before["signals"], after["signals"]
            q = np.array([s[f"q{i}"] for i in range(1, 8)]) + 0.4 * action
            assert [t[f"q{i}"] for i in range(1, 8)] == pytest.approx(q, abs=1e-12)
            tip = np.array(flange(tuple(q)))
            assert (t["tip_x"], t["tip_y"], t["tip_z"]) == pytest.approx(tip, abs=1e-12)
            goal = np.array([t["goal_x"], t["goal_y"], t["goal_z"]])
            assert t["reach"] == pytest.approx(0.1 - np.linalg.norm(tip - goal), abs=1e-9)
            assert t["clearance"] == pytest.approx(np.linalg.norm(tip - [0.3, 0.3, 0.5]) - 0.2, abs=1e-9)
            assert t["limits"] == pytest.approx(((np.array(HIGHEST) - q) * (q - LOWEST)).min(), abs=1e-9)


# ---------------------------------------------------------------------------------------------------------------------
# Starts
# ---------------------------------------------------------------------------------------------------------------------


def test_cars_start_in_four_ways_and_can_stop():
    s = starts("Traffic", 4000)
    is_light, is_waiting = s["light"] == 1.0, (s["light"] == 0.0) & (s["x"] > -1.0)
    assert np.mean(is_light) == pytest.approx(0.5, abs=0.03) and np.mean(is_waiting) == pytest.approx(0.25, abs=0.03)
    approaches = ~is_waiting
    assert np.all(s["v"][approaches] ** 2 <= 20.0 * (-1.0 - s["x"][approaches]) + 1e-9)
    has_lead = s["gap"] > -0.5
    assert np.mean(has_lead[approaches]) == pytest.approx(0.5, abs=0.03) and not has_lead[is_waiting].any()
    closing = s["v"] ** 2 - s["lead_speed"] ** 2
    assert np.all(closing[has_lead] <= 20.0 * (s["gap"][has_lead] - 1.0) + 1e-9)
    assert np.mean(s["trigger"][approaches & ~is_light]) == pytest.approx(0.5, abs=0.05)
    assert not s["trigger"][is_light | is_waiting].any()
    assert np.all((s["timer"][is_light] >= 0.0) & (s["timer"][is_light] < 8.0))


def test_balls_start_beside_bars_with_goals_in_gaps():
    s = starts("Maze", 4000)
    assert np.all((s["band_1"] <= 0.0) | (s["beside_1"] >= 0.0))
    for i in "12":
        left, width, goal = s["left_" + i], s["width_" + i], s["goal_" + i]
        assert np.all((width >= 2.0) & (width < 4.0) & (left >= 0.0) & (left + width <= 5.0 + 1e-12))
        is_there = goal > 0.0
        room = np.where(goal < left, np.minimum(goal, left - goal), np.minimum(5.0 - goal, goal - left - width))
        assert np.all(goal[~is_there] == -1.0) and np.all(room[is_there] >= 0.4)
        gap = np.where(left > 0.0, left, 5.0 - left - width)
        assert np.all(gap >= 0.1 - 1e-12)


def test_ships_start_with_a_way_ahead():
    s = starts("ShipSafe", 2000)
    assert np.all(np.hypot(s["x"] - s["obstacle_x_1"], s["y"] - s["obstacle_y_1"]) > 2.5)
    assert np.allclose(s["obstacle_x_2"] - s["obstacle_x_1"], 7.5)
    for ahead in np.linspace(0.0, 4.95, 100):
        x, y = ahead * np.cos(s["phi"]), s["y"] + ahead * np.sin(s["phi"])
        assert np.all(np.hypot(x - s["obstacle_x_1"], y - s["obstacle_y_1"]) > 1.0)
    assert np.all(np.abs(y) < 2.0)


def test_ships_on_track_start_in_four_scenes():
    s = starts("ShipTrack", 4000)
    assert np.all(s["clearance"] > 0.0) and np.all(s["bank"] > 0.0)
    far = np.abs(s["y"]) > 1.5
    assert np.all(s["phi"][far] * np.sign(s["y"][far]) <= 0.0) and np.all(s["time_left"][far] >= 0.75 - 1e-12)
    steps = np.round(s["time_left"] / 0.15).astype(int)
    scenes = {(-5.0, -5.0): (1, 9), (5.0, 8.0): (10, 25), (0.0, 5.0): (8, 14), (-1.0, 0.0): (5, 11)}
    for (low, high), (fewest, most) in scenes.items():
        here = (s["obstacle_x"] >= low) & (s["obstacle_x"] <= high)
        assert 0.15 < here.mean() < 0.35
        assert (steps[here].min(), steps[here].max()) == (fewest, most)


def test_rovers_start_in_the_open_within_reach_of_the_charger():
    s = starts("Rover", 4000)
    for name in ("", "destination_", "charger_"):
        x, y = s[name + "x"], s[name + "y"]
        assert np.all((x >= 0.0) & (x <= 10.0) & (y >= 0.0) & (y <= 10.0))
        for left, bottom, side in OBSTACLES:
            assert not np.any((x >= left) & (x <= left + side) & (y >= bottom) & (y <= bottom + side))
    is_there = s["at_charger"] > 1e-12
    distance = 0.8 - s["at_charger"]
    assert np.all(distance[~is_there] <= np.maximum(10.0 * s["battery"][~is_there], 0.8) + 1e-9)
    assert np.all(s["battery"][is_there] == 5.0) and is_there.mean() == pytest.approx(0.55, abs=0.03)
    assert np.allclose(s["hold"][~is_there], 0.6) and len(np.unique(np.round(s["hold"][is_there], 6))) == 4


def test_arms_start_outside_of_the_sphere_and_within_their_limits():
    s = starts("Arm", 2000)
    assert np.all(s["clearance"] > 0.0) and np.all(s["limits"] >= 0.0)
    goal = np.stack([s["goal_x"], s["goal_y"], s["goal_z"]], 1)
    assert np.all(np.linalg.norm(goal - [0.3, 0.3, 0.5], axis=1) > 0.2)
    assert np.all((goal >= [-0.5, -0.5, 0.2]) & (goal <= [0.5, 0.5, 0.8]))


@every_task
def test_starts_differ_from_seed_to_seed_and_not_by_context(task):
    env = STLTaskEnv(task)
    first = env.reset(seed=1)[0]
    assert not np.array_equal(env.reset(seed=2)[0], first) and np.array_equal(env.reset(seed=1)[0], first)
    following = env.reset()[0]
    name, box = next(iter(env.context_space.items()))
    env.reset(seed=1, options={"context": {name: float(box.low)}})
    assert np.array_equal(env.reset()[0], following)


def test_a_context_moves_what_it_names():
    env = STLTaskEnv("Arm")
    wide = run(env, 3, context={"tolerance": 0.2})[0][-1]["signals"]
    plain = run(env, 3)[0][-1]["signals"]
    assert wide["reach"] == pytest.approx(plain["reach"] + 0.1) and wide["clearance"] == plain["clearance"]
    env = STLTaskEnv("Traffic", params={"acceleration": 5.0, "steps": 30})
    assert len(run(env, 0)[1]) == 30 and env.parameters.acceleration == 5.0


def golden(task, seed):
    """Return the beginning and the end of an episode under actions that are written down nowhere else."""
    env = STLTaskEnv(task)
    observation, _ = env.reset(seed=seed)
    first, size = observation.tolist(), env.action_space.shape[0]
    for step in range(LENGTHS[task]):
        observation, _, _, _, info = env.step(np.sin(np.arange(size) + 0.7 * step + seed))
    return {"first": first, "last": observation.tolist(), "robustness": info["robustness"]["low"]}


@every_task
def test_episodes_are_what_they_were(task):
    """A change that moves these is a new version of the id."""
    data = json.loads((ROOT / "tests" / "data" / "stl_tasks_golden.json").read_text(encoding="utf-8"))
    for seed, expected in enumerate(data[f"rlx/STL-{task}-v0"]):
        episode = golden(task, seed)
        for part, values in expected.items():
            assert episode[part] == pytest.approx(values, rel=1e-5, abs=1e-5), (seed, part)


# ---------------------------------------------------------------------------------------------------------------------
# Planning
# ---------------------------------------------------------------------------------------------------------------------


@every_task
def test_a_rollout_is_what_happens(task):
    env = STLTaskEnv(task)
    model = env.model()
    assert model.length == LENGTHS[task] and set(model.signals) <= set(TASKS[task].signals)
    for seed in range(10):
        observation, _ = env.reset(seed=seed)
        infos, _, actions = run(env, seed)
        signals = model.rollout(observation[None], np.array(actions)[None, None])
        happened = trace(infos)
        expected = np.stack([happened[name] for name in model.signals], -1)
        assert signals.shape == (1, 1, LENGTHS[task] + 1, len(model.signals))
        # Observations are of single precision; where a step is smooth within a hundredth, this shows.
        assert np.abs(signals[0, 0] - expected).max() <= 1e-3


@every_task
def test_a_rollout_in_torch_is_the_same_and_has_the_right_gradient(task):
    torch = pytest.importorskip("torch")
    env = STLTaskEnv(task)
    model, generator = env.model(), np.random.default_rng(0)
    observations = np.array([env.reset(seed=seed)[0] for seed in range(20)], np.float64)
    controls = generator.uniform(-1.0, 1.0, (20, 5, model.length, len(model.action_low)))
    expected = model.rollout(observations, controls)
    exact = model.torch_rollout(torch.tensor(observations), torch.tensor(controls, requires_grad=True))
    assert exact.shape == expected.shape and np.abs(exact.detach().numpy() - expected).max() <= 1e-9
    single = model.torch_rollout(torch.tensor(observations).float(), torch.tensor(controls).float())
    assert single.dtype == torch.float32
    assert np.median(np.abs(single.numpy() - expected)) <= 1e-5
    variable = torch.tensor(controls, requires_grad=True)
    model.torch_rollout(torch.tensor(observations), variable).sum().backward()
    assert torch.isfinite(variable.grad).all() and (variable.grad != 0.0).any()


@pytest.mark.parametrize("task", ["Maze", "ShipSafe", "Arm"])
def test_gradients_of_rollouts_are_finite_differences(task):
    torch = pytest.importorskip("torch")
    env = STLTaskEnv(task)
    model, generator = env.model(), np.random.default_rng(1)
    observation = env.reset(seed=5)[0].astype(np.float64)[None]
    controls = generator.uniform(-0.2, 0.2, (1, 1, model.length, len(model.action_low)))
    weights = generator.normal(size=(model.length + 1, len(model.signals)))
    variable = torch.tensor(controls, requires_grad=True)
    (model.torch_rollout(torch.tensor(observation), variable)[0, 0] * torch.tensor(weights)).sum().backward()
    for t, j in itertools.product((0, model.length // 2), range(controls.shape[-1])):
        ends = []
        for step in (1e-6, -1e-6):
            moved = controls.copy()
            moved[0, 0, t, j] += step
            ends.append((model.rollout(observation, moved)[0, 0] * weights).sum())
        assert float(variable.grad[0, 0, t, j]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-5)


def test_a_plan_can_be_made_in_the_midst_of_an_episode():
    env = STLTaskEnv("Rover")
    env.reset(seed=7)
    controls = np.random.default_rng(0).uniform(-1, 1, (10, 2))
    for action in controls[:4]:
        observation, _, _, _, _ = env.step(action)
    signals = env.model().rollout(observation[None], controls[None, None, 4:])
    for action in controls[4:]:
        info = env.step(action)[-1]
    last = dict(zip(env.model().signals, signals[0, 0, -1], strict=True))
    assert last["at_charger"] == pytest.approx(info["signals"]["at_charger"], abs=1e-5)
    assert last["stand_by"] == pytest.approx(info["signals"]["stand_by"], abs=1e-5)


def test_a_model_knows_the_context_and_survives_pickling():
    env = STLTaskEnv("ShipSafe")
    observation, _ = env.reset(seed=0, options={"context": {"width": 5.0}})
    controls = np.zeros((1, 1, 20, 2))
    wide = env.model().rollout(observation[None], controls)
    bank = env.model().signals.index("bank")
    env.reset(seed=0)
    assert np.allclose(wide[..., bank], env.model().rollout(observation[None], controls)[..., bank] + 0.5)
    model = pickle.loads(pickle.dumps(env.model()))
    assert np.array_equal(model.rollout(observation[None], controls), env.model().rollout(observation[None], controls))


def test_shapes_that_do_not_fit_are_told():
    env = STLTaskEnv("Maze")
    observation, _ = env.reset(seed=0)
    with pytest.raises(ValueError, match=r"\(N, 10\).*\(N, K, T, 1\).*\(1, 10\).*\(1, 3, 25, 2\)"):
        env.model().rollout(observation[None], np.zeros((1, 3, 25, 2)))


# ---------------------------------------------------------------------------------------------------------------------
# Experts and pictures
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "task, share",
    [("Traffic", 0.93), ("Maze", 0.95), ("ShipSafe", 0.8), ("ShipTrack", 0.15), ("Rover", 0.9), ("Arm", 0.88)],
)
def test_experts_do_what_they_are_known_to(task, share):
    env = STLTaskEnv(task)
    expert = EXPERTS[task](env)
    satisfied = []
    for seed in range(200):
        expert.reset()
        satisfied.append(run(env, seed, expert.act)[0][-1]["success"])
    assert np.mean(satisfied) >= share


def test_an_expert_of_another_task_says_so():
    with pytest.raises(ValueError, match="Maze.*Rover"):
        experts.steering(STLTaskEnv("Rover"))


@every_task
def test_pictures_change_with_the_state_and_with_the_verdict(task):
    pytest.importorskip("pygame")
    env = STLTaskEnv(task, render_mode="rgb_array")
    with pytest.raises(ResetNeeded):
        env.render()
    pictures = []
    act = EXPERTS[task](env).act
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        if info["robustness"]["low"] < 0.0 <= info["robustness"]["high"]:
            break
    pictures.append(env.render())
    for _ in range(LENGTHS[task]):
        observation, _, _, _, info = env.step(act(observation, info))
        pictures.append(env.render())
    assert all(picture.shape == (600, 960, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(pictures))
    # The badge: undecided first, then what has been decided.
    badges = [tuple(picture[80, 628]) for picture in (pictures[0], pictures[-1])]
    assert badges[0] != badges[1]


def test_after_load_state_the_picture_claims_nothing_about_the_past():
    pytest.importorskip("pygame")
    env = STLTaskEnv("ShipSafe", render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.zeros(2))
    known, state = env.render(), env.save_state()
    env.load_state(state)
    loaded = env.render()
    assert not np.array_equal(known, loaded)
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.zeros(2))
    assert np.array_equal(env.render(), known)
