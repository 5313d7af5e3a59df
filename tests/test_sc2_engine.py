"""The engine of the mini-games against calculations by hand: walking, fighting, spawning, gathering, building."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlx.envs.sc2 import engine, functions, params, records
from rlx.envs.sc2.env import SC2Env, SC2VectorEnv

pytestmark = pytest.mark.xdist_group("sc2")  # compiled once

SECOND = 16  # loops
OWN, ENEMY = records.OWN, records.ENEMY
MARINE, SCV, ZERGLING, BANELING, ROACH = params.MARINE, params.SCV, params.ZERGLING, params.BANELING, params.ROACH
#: Where nobody is disturbed, and who stands there so that no new wave comes.
CORNER = (43.0, 35.0)


def arrange(env, *units, minerals=None):
    """Start a game in which there are these units alone: tuples of kind, owner, x, y and a dict of fields."""
    env.reset(seed=0)
    saved = env.save_state()
    state = saved.states[0]
    state["kind"][:], state["body"][:], state["count"] = params.NONE, -engine.FAR, len(units)
    state["missiles"] = 0
    state["has_doomed"] = 1  # who has no life left explodes at the end of the loop
    for u, (kind, owner, x, y, fields) in enumerate(units):
        clean = {"target": -1, "aim": -1, "worker": -1, "rally_target": -1, "goal_x": x, "goal_y": y}
        zero = ("order", "cooldown", "windup", "pace", "amount", "timer", "stuck", "is_selected", "groups",
                "plans", "queued", "has_rally", "project", "rest")  # fmt: skip
        unit = params.UNITS[kind - 1]
        body = max(unit.radius, 0.5 * (unit.width + unit.height)) if kind < params.BEACON else -engine.FAR
        clean |= dict.fromkeys(zero, 0) | {"life": unit.life, "tag": 1000 + u, "is_moving": 2, "body": body}
        for name, value in (clean | {"kind": kind, "owner": owner, "x": x, "y": y} | fields).items():
            state[name][u] = value
    if minerals is not None:
        state["minerals"] = minerals
    env.load_state(saved)


def wait(env, loops=1):
    """Let loops pass in which nothing is ordered; return the state."""
    for _ in range(loops):
        env.step(np.zeros(env.action_space.shape, np.int64) if env.action_space.shape else 0)
    return env.state


def arena(**scenario):
    return SC2Env("DefeatRoaches", "units", step_mul=1, scenario=scenario)


def loops_until(env, is_so, most=2000):
    """Return after how many loops something is so."""
    for loop in range(1, most):
        if is_so(wait(env)):
            return loop
    raise AssertionError("it never came")


# ------------------------------------------------------------------------------------------------------------- walking


@pytest.mark.parametrize("kind, speed", [(MARINE, 2.25), (ZERGLING, 2.9531), (BANELING, 2.5), (ROACH, 2.25)])
def test_units_walk_at_their_speed(kind, speed):
    env = arena()
    walker = (kind, OWN, 24.0, 22.0, {"order": records.MOVE, "goal_x": 34.0, "goal_y": 22.0})
    arrange(env, walker, (ROACH, ENEMY, *CORNER, {}))
    state = wait(env, 32)
    assert state["x"][0] == pytest.approx(24.0 + 2.0 * speed, abs=1e-9)
    assert state["y"][0] == 22.0
    rest = loops_until(env, lambda state: state["order"][0] == records.IDLE)
    assert 32 + rest == pytest.approx(10.0 / speed * SECOND, abs=2.0)


def test_workers_accelerate_and_brake():
    env = arena()
    arrange(
        env,
        (SCV, OWN, 24.0, 22.0, {"order": records.MOVE, "goal_x": 34.0, "goal_y": 22.0}),
        (MARINE, OWN, 24.0, 35.0, {}),
        (ROACH, ENEMY, *CORNER, {}),
    )
    state = wait(env, 16)  # a second, of which v / a = 1.125 s would be needed to full speed
    assert state["x"][0] == pytest.approx(24.0 + 0.5 * 2.5, rel=0.1)
    rest = loops_until(env, lambda state: state["order"][0] == records.IDLE)
    expected = 10.0 / 2.8125 + 2.8125 / 2.5  # as long as at full speed, and once the time to reach it
    assert (16 + rest) / SECOND == pytest.approx(expected, rel=0.04)


def test_nobody_leaves_the_rectangle():
    env = SC2Env("DefeatRoaches", "units")
    env.reset(seed=3)
    for _ in range(60):
        env.step(np.full(24, 1 + 5))  # south-west
        state = env.state
        there = state["kind"] != params.NONE
        assert ((state["x"][there] >= 22.0) & (state["x"][there] <= 44.0)).all()
        assert ((state["y"][there] >= 20.0) & (state["y"][there] <= 36.0)).all()


def test_clumps_spread():
    env = SC2Env("DefeatZerglingsAndBanelings", "units", scenario={"scan": 0.0})
    for seed in range(20):
        env.reset(seed=seed)
        state = wait(env, 4)  # two seconds
        there = np.flatnonzero(state["kind"] != params.NONE)
        places = np.stack([state["x"][there], state["y"][there]], axis=1)
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(len(there), 1)]
        assert apart.min() > 0.95 * 0.75


# ------------------------------------------------------------------------------------------------------------ fighting


def first_hit(kind, owner, victim, gap, **fields):
    """Return what the first hit takes, and after how many loops it comes."""
    env = arena()
    near = params.UNITS[kind - 1].radius + params.UNITS[victim - 1].radius + gap
    arrange(
        env,
        (kind, owner, 30.0, 28.0, fields),
        (victim, OWN + ENEMY - owner, 30.0 + near, 28.0, {"life": 500.0, "cooldown": 1000.0}),
    )
    loops = loops_until(env, lambda state: state["life"][1] < 500.0)
    return 500.0 - env.state["life"][1], loops


@pytest.mark.parametrize(
    "kind, owner, victim, gap, damage",
    [
        (MARINE, OWN, ZERGLING, 4.9, 6.0),
        (MARINE, OWN, BANELING, 4.9, 6.0),
        (MARINE, OWN, ROACH, 4.9, 5.0),  # of 6, armor takes 1
        (ROACH, ENEMY, MARINE, 3.9, 16.0),
        (ZERGLING, ENEMY, MARINE, 0.05, 5.0),
        (BANELING, ENEMY, MARINE, 0.2, 35.0),  # 20, and 15 to light units
        (BANELING, ENEMY, ROACH, 0.2, 19.0),  # 20, and armor takes 1
    ],
)
def test_damage(kind, owner, victim, gap, damage):
    taken, _ = first_hit(kind, owner, victim, gap)
    assert taken == damage


def test_a_missile_takes_time():
    _, near = first_hit(ROACH, ENEMY, MARINE, 0.5)
    _, far = first_hit(ROACH, ENEMY, MARINE, 3.9)
    assert far - near == pytest.approx((3.9 - 0.5) / 18.75 * SECOND, abs=1.0)


def test_a_missile_hits_though_its_roach_is_dead():
    env = arena()
    roach = {"life": 1.0, "aim": 1, "order": records.ATTACK, "target": 1}
    arrange(env, (ROACH, ENEMY, 28.0, 28.0, roach), (MARINE, OWN, 32.8, 28.0, {"cooldown": 1e5}),
            (ROACH, ENEMY, *CORNER, {}))  # fmt: skip
    loops_until(env, lambda state: state["missiles"] == 1)
    saved = env.save_state()
    saved.states[0]["life"][0], saved.states[0]["cooldown"][1] = 0.5, 0.0
    env.load_state(saved)
    assert wait(env)["kind"][0] == params.NONE
    assert env.state["life"][1] == 45.0
    loops_until(env, lambda state: state["life"][1] == 29.0, most=5)


@pytest.mark.parametrize("kind, owner, victim, period", [(MARINE, OWN, ROACH, 0.8608), (ROACH, ENEMY, MARINE, 2.0)])
def test_shots_per_second(kind, owner, victim, period):
    env = arena()
    other = OWN + ENEMY - owner
    arrange(
        env,
        (kind, owner, 28.0, 28.0, {"life": 1e6}),
        (victim, other, 31.0, 28.0, {"life": 1e6, "cooldown": 1e5}),
    )
    loops, shots, last = 1900, 0, 1e6
    for _ in range(loops):
        life = wait(env)["life"][1]
        shots, last = shots + (life < last), life
    # A shot comes from a loop early to two loops late: on the mean half a loop late.
    assert shots == pytest.approx(loops / (period * SECOND + 0.5), rel=0.02)


def test_zerg_regenerate_and_marines_do_not():
    env = arena()
    arrange(
        env,
        (MARINE, OWN, 23.0, 21.0, {"life": 10.0}),
        (ZERGLING, ENEMY, 43.0, 35.0, {"life": 10.0}),
        (ROACH, ENEMY, 40.0, 21.0, {"life": 145.0}),
    )
    state = wait(env, 10 * SECOND)
    assert state["life"][:3].tolist() == pytest.approx([10.0, 10.0 + 2.734, 145.0])


def test_how_long_a_marine_needs_for_a_zergling():
    env = arena()
    arrange(
        env,
        (MARINE, OWN, 28.0, 28.0, {"life": 1e6}),
        (ZERGLING, ENEMY, 28.8, 28.0, {}),
        (ROACH, ENEMY, *CORNER, {}),
    )
    loops = loops_until(env, lambda state: state["kind"][1] == params.NONE)
    # 6 shots in five periods take 36 of 35 hit points, but 1.3 come back: it takes a seventh.
    assert loops / SECOND == pytest.approx(6 * (0.8608 + 1.0 / SECOND), abs=0.4)


def test_an_exploding_baneling_hits_within_its_splash():
    env = arena()
    near, far = 2.2 + 0.375 - 0.02, 2.2 + 0.375 + 0.02
    arrange(
        env,
        (BANELING, ENEMY, 30.0, 28.0, {"life": -1.0}),
        (MARINE, OWN, 30.0 + near, 28.0, {"cooldown": 100.0}),
        (MARINE, OWN, 30.0, 28.0 + far, {"cooldown": 100.0}),
        (ZERGLING, ENEMY, 30.0, 28.0 - 1.0, {"life": 35.0}),
        (ROACH, ENEMY, *CORNER, {}),
    )
    state = wait(env)
    assert state["kind"][0] == params.NONE
    assert state["life"][1:4].tolist() == [10.0, 45.0, 35.0]


def test_waves_join_heal_nobody_and_stand_in_line():
    for game, fresh, foes in (("DefeatRoaches", 5, 4), ("DefeatZerglingsAndBanelings", 4, 10)):
        env = SC2Env(game, "units", step_mul=1)
        arrange(
            env,
            (MARINE, OWN, 30.0, 28.0, {"life": 7.0, "cooldown": 9.0}),
            (ZERGLING, ENEMY, 30.5, 28.0, {"life": 1.0}),
            (MARINE, OWN, 31.5, 28.0, {"life": 20.0}),
        )
        loops_until(env, lambda state: (state["kind"] == MARINE).sum() > 2, most=30)
        state = env.state
        marines = state["kind"] == MARINE
        assert sorted(state["life"][marines]) == [7.0, 20.0, *[45.0] * fresh]
        assert (state["owner"] == ENEMY)[state["kind"] != params.NONE].sum() == foes
        assert len(set(state["x"][marines])) == 1
        y = np.sort(state["y"][marines])
        assert np.allclose(np.diff(y), 1.0)
        assert state["is_selected"][marines].all()


# ------------------------------------------------------------------------------------------------- spawning and endings


def starts(game, number=1000):
    env = SC2VectorEnv(num_envs=number, game=game)
    env.reset(seed=0)
    return env.save_state().states


def places(states, kind):
    """Return where the units of a kind stand, (N, K, 2)."""
    mask = states["kind"] == kind
    number = mask[0].sum()
    assert (mask.sum(axis=1) == number).all()
    return np.stack([states["x"][mask], states["y"][mask]], axis=1).reshape(len(states), number, 2)


def is_within(points, left, bottom, right, top):
    x, y = points[..., 0], points[..., 1]
    return bool(((x >= left) & (x <= right) & (y >= bottom) & (y <= top)).all())


def distances(a, b):
    return np.linalg.norm(a[:, :, None] - b[:, None], axis=3)


def between_pairs(points):
    return distances(points, points)[:, *np.triu_indices(points.shape[1], 1)]


def test_where_beacons_are():
    states = starts("MoveToBeacon")
    marines, beacons = places(states, MARINE), places(states, params.BEACON)
    assert is_within(marines, 22, 20, 44, 36) and np.ptp(marines[..., 0]) > 21.5
    assert is_within(beacons, 23.5, 21.5, 42.5, 34.5)
    assert np.linalg.norm(beacons - [33.0, 28.0], axis=2).min() >= 4.0
    assert distances(marines, beacons).min() >= 5.0


def test_where_shards_are():
    states = starts("CollectMineralShards")
    marines, shards = places(states, MARINE), places(states, params.SHARD)
    assert marines.shape[1] == 2 and shards.shape[1] == 20
    assert is_within(shards, 23, 21, 43, 35) and np.ptp(shards[..., 0]) > 19.9
    assert distances(marines, shards).min() >= 2.0


def test_where_zerglings_hide():
    states = starts("FindAndDefeatZerglings")
    marines, zerglings = places(states, MARINE), places(states, ZERGLING)
    assert np.allclose(np.linalg.norm(marines - [32.0, 28.0], axis=2), 1.0)
    away = np.linalg.norm(zerglings - [32.0, 28.0], axis=2)
    assert away[:, 0].min() >= 8.0 and away[:, 0].max() <= 9.0
    assert away[:, 1].min() >= 7.5 and away[:, 1].max() <= 9.5
    assert away[:, 2:].min() >= 10.5
    assert is_within(zerglings[:, 2:], 11, 13, 53, 43)
    assert between_pairs(zerglings).min() >= 5.0


@pytest.mark.parametrize("game, kind", [("DefeatRoaches", ROACH), ("DefeatZerglingsAndBanelings", BANELING)])
def test_where_armies_stand(game, kind):
    states = starts(game)
    marines, foes = places(states, MARINE), places(states, kind)
    middles = (marines.mean(axis=1), foes.mean(axis=1))
    is_left = middles[0][:, 0] < 33.0
    assert 400 < is_left.sum() < 600
    left, right = (23.97, 25.06, 27.98, 31.05), (38.02, 25.04, 42.04, 31.08)
    for middle, box, other in zip(middles, (left, right), (right, left), strict=True):
        assert is_within(middle[is_left], *box) and is_within(middle[~is_left], *other)
    assert np.allclose(np.sort(marines[..., 1] - middles[0][:, None, 1]), np.arange(-4.0, 5.0))
    if kind == ROACH:
        assert np.allclose(np.sort(foes[..., 1] - middles[1][:, None, 1]), [-1.5, -0.5, 0.5, 1.5])


@pytest.mark.parametrize("game, fields, geysers", [("CollectMineralsAndGas", 16, 4), ("BuildMarines", 8, 0)])
def test_where_an_economy_starts(game, fields, geysers):
    states = starts(game, 200)
    base, workers = places(states, params.COMMAND_CENTER), places(states, SCV)
    assert np.allclose(base, [29.83, 28.01])
    assert workers.shape[1] == 12
    offset = np.abs(workers - base)
    assert set(np.unique(offset[..., 0].round(6))) == {3.5, 4.5} and offset[..., 1].max() < 2.51
    assert places(states, params.MINERALS).shape[1] == fields
    assert (states["kind"] == params.GEYSER).sum(axis=1).max() == geysers
    assert (states["minerals"] == 50.0).all() and (states["food_used"] == 12.0).all()
    assert (states["food_cap"] == 15.0).all()


@pytest.mark.parametrize(
    "game, loops",
    [("MoveToBeacon", 1920), ("CollectMineralShards", 1920), ("FindAndDefeatZerglings", 2880),
     ("CollectMineralsAndGas", 6720), ("BuildMarines", 14400)],
)  # fmt: skip
def test_time_runs_out(game, loops):
    env = SC2Env(game)
    env.reset(seed=0)
    for _ in range(loops // 8 - 1):
        assert env.step(0)[2:4] == (False, False)
    assert env.step(0)[2:4] == (False, True)
    assert env.state["loop"] == loops


def test_a_lost_fight_is_over():
    env = SC2Env("DefeatRoaches", "units", scenario={"marines": 3})
    env.reset(seed=0)
    rewards = 0.0
    for _ in range(240):
        _, reward, is_terminated, is_truncated, _ = env.step(np.full(24, 9))
        rewards += reward
        if is_terminated or is_truncated:
            break
    assert (rewards, is_terminated, is_truncated) == (-3.0, True, False)


@pytest.mark.parametrize(
    "game, reach, kind", [("MoveToBeacon", 1.25, params.BEACON), ("CollectMineralShards", 1.875, params.SHARD)]
)
def test_what_is_reached_is_paid_for(game, reach, kind):
    for away, paid in ((reach - 0.01, 1.0), (reach + 0.01, 0.0)):
        env = SC2Env(game, step_mul=1)
        arrange(env, (MARINE, OWN, 30.0, 28.0, {}), (kind, 0, 30.0 + away, 28.0, {}), (kind, 0, 40.0, 28.0, {}))
        assert env.step(0)[1] == paid


@pytest.mark.parametrize("game, kind, paid", [
    ("DefeatRoaches", ROACH, 10.0), ("DefeatZerglingsAndBanelings", ZERGLING, 5.0),
    ("DefeatZerglingsAndBanelings", BANELING, 5.0), ("FindAndDefeatZerglings", ZERGLING, 1.0),
])  # fmt: skip
def test_what_dies_is_paid_for(game, kind, paid):
    env = SC2Env(game, "units", step_mul=1)
    arrange(env, (MARINE, OWN, 30.0, 28.0, {}), (kind, ENEMY, 34.0, 28.0, {"life": 1.0}), (kind, ENEMY, *CORNER, {}))
    rewards = [env.step(np.zeros(env.action_space.shape, np.int64))[1] for _ in range(8)]
    assert sum(rewards) == paid


# ------------------------------------------------------------------------------------------------------------- economy


def travel(cells):
    """Return the seconds of a worker for a way from rest to rest: 2.5 cells/s^2 up and down, at most 2.8125 cells/s."""
    top, rate = 2.8125, 2.5
    if cells >= top**2 / rate:
        return cells / top + top / rate
    return 2.0 * math.sqrt(cells / rate)


def test_a_trip_to_a_field():
    env = SC2Env("BuildMarines", step_mul=1)
    base, field = (29.83, 28.01), (23.0, 28.01)
    arrange(
        env,
        (params.COMMAND_CENTER, OWN, *base, {}),
        (params.MINERALS, 0, *field, {"amount": 1800.0}),
        (SCV, OWN, 26.0, 28.01, {"order": records.GATHER, "target": 1}),
        minerals=0.0,
    )
    paid = []
    for loop in range(60 * SECOND):
        if wait(env)["minerals"] > 5.0 * len(paid):
            paid.append(loop)
    # From the edge of the field, whose half width is 1, to that of the command centre, whose radius is 2.75.
    way = base[0] - field[0] - 2.75 - 1.0 - 2 * 0.375
    expected = 2.786 + 0.5 + 2.0 * travel(way)
    assert np.diff(paid).mean() / SECOND == pytest.approx(expected, rel=0.05)
    assert env.state["amount"][1] == 1800.0 - 5.0 * round((1800.0 - env.state["amount"][1]) / 5.0)


def test_two_workers_take_turns():
    env = SC2Env("BuildMarines", step_mul=1)
    workers = [(SCV, OWN, 26.0, 27.0 + k, {"order": records.GATHER, "target": 1}) for k in range(3)]
    arrange(
        env,
        (params.COMMAND_CENTER, OWN, 29.83, 28.01, {}),
        (params.MINERALS, 0, 23.0, 28.01, {"amount": 1800.0}),
        *workers,
        minerals=0.0,
    )
    state = wait(env, 100 * SECOND)
    # No field gives more than 5 in the 2.786 s for which a worker is at it.
    assert 0.85 * 100.0 / 2.786 * 5.0 < state["minerals"] <= 100.0 / 2.786 * 5.0


@pytest.mark.parametrize(
    "macro, price, seconds", [(2, 50.0, 17.0), (3, 100.0, 30.0), (4, 150.0, 65.0), (6, 75.0, 30.0)]
)
def test_prices_and_times(macro, price, seconds):
    kind = {2: SCV, 3: params.DEPOT, 4: params.BARRACKS, 6: params.REFINERY}[macro]
    env = SC2Env("CollectMineralsAndGas", step_mul=1)
    arrange(
        env,
        (params.COMMAND_CENTER, OWN, 29.83, 28.01, {}),
        (params.DEPOT, OWN, 40.0, 33.0, {}),
        (params.GEYSER, 0, 39.5, 20.5, {"amount": 2250.0}),
        (SCV, OWN, 34.0, 24.0, {}),
        minerals=200.0,
    )
    before = (env.state["kind"] == kind).sum()
    env.step(macro)
    start = 1 if macro == 2 else loops_until(env, lambda state: (state["kind"] == kind).sum() > before)
    assert env.state["minerals"] == 200.0 - price

    def is_made(state):
        return ((state["kind"] == kind) & (state["project"] == params.NONE)).sum() > before

    assert loops_until(env, is_made) == pytest.approx(seconds * SECOND, abs=1)
    assert start < 200


def test_a_barracks_makes_a_marine_in_25_seconds():
    env = SC2Env("BuildMarines", step_mul=1)
    base = (params.COMMAND_CENTER, OWN, 29.83, 28.01, {})
    arrange(env, base, (params.BARRACKS, OWN, 38.5, 28.5, {}), minerals=60.0)
    env.step(5)
    assert env.state["minerals"] == 10.0
    loops_until(env, lambda state: state["made"] == 1)
    assert env.state["loop"] == pytest.approx(25 * SECOND, abs=2)
    assert env.state["score"] == 1.0


# ---------------------------------------------------------------------------------------------------- what players tell


def tell(env, number, x=None, y=None, **more):
    """Call a function of pysc2, at a place of the map."""
    action = np.zeros(env.action_space.shape, np.int64)
    action[0] = number
    camera = env.state["camera"]
    for at, (px, py) in {functions.AT_SCREEN: (x, y), functions.AT_SCREEN2: more.pop("corner", (None, None))}.items():
        if px is not None:
            action[at] = (px - camera[0] + 12.0) * 64 / 24
            action[at + 1] = (camera[1] + 12.0 - py) * 64 / 24
    for name, value in more.items():
        action[getattr(functions, f"AT_{name.upper()}")] = value
    return env.step(action)


SELECT_POINT, SELECT_RECT, GROUP, SELECT_ARMY, ATTACK, CANCEL, CANCEL_LAST, MOVE, TRAIN_MARINE, TRAIN_SCV, DEPOT = (
    2, 3, 4, 7, 12, 140, 168, 331, 477, 490, 91,
)  # fmt: skip


def squad():
    env = SC2Env("DefeatRoaches", "functions", step_mul=1)
    marines = [(MARINE, OWN, 26.0 + 3.0 * k, 24.0, {}) for k in range(3)]
    arrange(env, *marines, (ROACH, ENEMY, *CORNER, {}))
    return env


def test_points_rectangles_and_groups_select():
    env = squad()
    tell(env, SELECT_POINT, 29.0, 24.0)
    assert env.state["is_selected"][:3].tolist() == [0, 1, 0]
    tell(env, GROUP, group=4, group_act=1)
    tell(env, SELECT_RECT, 25.0, 23.0, corner=(30.0, 25.0))
    assert env.state["is_selected"][:3].tolist() == [1, 1, 0]
    tell(env, SELECT_POINT, 32.0, 24.0, point_act=1)  # toggle
    assert env.state["is_selected"][:3].tolist() == [1, 1, 1]
    tell(env, GROUP, group=4, group_act=0)
    assert env.state["is_selected"][:3].tolist() == [0, 1, 0]
    tell(env, SELECT_POINT, 33.0, 32.0)  # where nothing is
    assert env.state["is_selected"][:3].tolist() == [0, 1, 0]
    tell(env, SELECT_ARMY)
    assert env.state["is_selected"][:3].tolist() == [1, 1, 1]


def test_orders_wait_in_a_queue():
    env = squad()
    tell(env, SELECT_POINT, 26.0, 24.0)
    route = [(28.0, 26.0), (26.0, 28.0), (24.0, 26.0), (26.0, 24.0)]
    for k, (x, y) in enumerate(route):
        tell(env, MOVE, x, y, queued=int(k > 0))
    state = env.state
    assert state["plans"][0] == 3
    reached = []
    for _ in range(300):
        state = wait(env)
        near = [k for k, (x, y) in enumerate(route) if math.hypot(state["x"][0] - x, state["y"][0] - y) < 0.4]
        reached += [k for k in near if not reached or reached[-1] != k]
    assert reached[-4:] == [0, 1, 2, 3]
    assert state["order"][0] == records.IDLE and state["plans"][0] == 0
    tell(env, MOVE, 35.0, 24.0, queued=0)
    tell(env, MOVE, 26.0, 24.0, queued=1)
    tell(env, MOVE, 26.0, 30.0, queued=0)  # instead of all others
    assert env.state["plans"][0] == 0


def test_a_queue_has_five_places_and_gives_refunds():
    env = SC2Env("BuildMarines", "functions", step_mul=1)
    env.reset(seed=0)
    arrange(
        env,
        (params.COMMAND_CENTER, OWN, 29.83, 28.01, {}),
        (params.DEPOT, OWN, 40.0, 33.0, {}),
        (params.BARRACKS, OWN, 36.5, 28.5, {}),
        minerals=400.0,
    )
    tell(env, SELECT_POINT, 36.5, 28.5)
    for k in range(7):
        tell(env, TRAIN_MARINE)
        assert env.state["queued"][2] == min(k + 1, 5)
    assert env.state["minerals"] == 150.0
    for k in range(5):
        tell(env, CANCEL_LAST)
        assert env.state["minerals"] == 200.0 + 50.0 * k
    assert env.state["food_used"] == 12.0  # as before: none is being made
    state = wait(env, 500)
    assert state["made"] == 0


def test_without_supply_nothing_is_made():
    env = SC2Env("BuildMarines", "functions", step_mul=1)
    arrange(
        env,
        (params.COMMAND_CENTER, OWN, 29.83, 28.01, {}),
        (params.DEPOT, OWN, 40.0, 33.0, {}),
        (params.BARRACKS, OWN, 36.5, 28.5, {"queued": 2, "is_selected": 1}),
        minerals=0.0,
    )
    saved = env.save_state()
    saved.states[0]["food_used"] = 14.0
    saved.states[0]["queue"][2, :2] = MARINE
    env.load_state(saved)
    state = wait(env, 900)
    assert (state["made"], state["queued"][2], state["food_used"]) == (1, 1, 15.0)


def test_giving_up_a_building_returns_three_quarters():
    env = SC2Env("BuildMarines", "functions", step_mul=1)
    arrange(
        env,
        (params.COMMAND_CENTER, OWN, 29.83, 28.01, {}),
        (SCV, OWN, 36.0, 28.0, {"is_selected": 1}),
        minerals=100.0,
    )
    tell(env, DEPOT, 38.0, 28.0)
    loops_until(env, lambda state: (state["kind"] == params.DEPOT).any())
    assert env.state["minerals"] == 0.0
    wait(env, 20)
    tell(env, SELECT_POINT, 38.0, 28.0)
    tell(env, CANCEL)
    state = wait(env)
    assert state["minerals"] == 75.0 and not (state["kind"] == params.DEPOT).any()


# ------------------------------------------------------------------------------------------------------------ anything


REFERENCES = ("target", "aim", "worker", "rally_target")


def assert_sound(env, room):
    """Check what holds in every state."""
    state, game = env.state, env.parameters
    count, kind = int(state["count"]), state["kind"]
    there = kind != params.NONE
    assert count <= room and not there[count:].any()
    for name in ("x", "y", "life", "cooldown", "minerals", "vespene", "score"):
        assert np.isfinite(state[name]).all()
    assert ((state["x"] >= game.left) & (state["x"] <= game.right))[there].all()
    assert ((state["y"] >= game.bottom) & (state["y"] <= game.top))[there].all()
    assert (state["life"][there] > 0.0).all()
    assert len(set(state["tag"][there])) == there.sum()
    for name in REFERENCES:
        held = state[name][there]
        assert (held < count).all() and there[held[held >= 0]].all(), name
    held = state["victim"][: state["missiles"]]
    assert there[held[held >= 0]].all()
    assert ((state["body"] > 0.0) == (there & (kind < params.BEACON))).all()
    plans = [state["plan_target"][u, : state["plans"][u]] for u in np.flatnonzero(there)]
    held = np.concatenate([np.zeros(0, np.int64), *plans])
    assert there[held[held >= 0]].all()
    assert (state["plans"] <= records.PLANS).all() and (state["queued"] <= records.QUEUE).all()
    assert state["minerals"] >= 0.0 and state["vespene"] >= 0.0
    assert not state["is_selected"][~there].any()


@pytest.mark.parametrize("game", list(params.GAMES))
def test_random_play_leaves_a_sound_state(game):
    rng = np.random.default_rng(7)
    env = SC2Env(game, "functions")
    room = len(env.state["kind"])
    known = list(functions.TABLE)
    for seed in range(15):
        _, info = env.reset(seed=seed)
        for _ in range(120):
            action = rng.integers(env.action_space.nvec)
            legal = [number for number in known if info["action_mask"][number]]
            action[0] = rng.choice(known if rng.random() < 0.2 else legal)
            _, _, is_terminated, _, info = env.step(action)
            assert_sound(env, room)
            if is_terminated:
                break
