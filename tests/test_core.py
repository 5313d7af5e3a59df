"""The machinery that families share: random streams, parameters, and one kernel with two faces."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import io
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium
import numba
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode
from scipy import stats

from rlx.baselines.policy import MlpPolicy
from rlx.envs import core
from rlx.envs.core import Parameters, integer, jit, normal, philox, quantity, read_policy, uniform
from rlx.envs.core.jit import announcement
from rlx.envs.core.random import _EDGE, TAIL
from rlx.envs.electric_motor import ElectricMotorEnv, ElectricMotorVectorEnv
from rlx.registry.probe import difference

# ------------------------------------------------------------------------------------------------------- compilation


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_compilation_is_announced_at_a_terminal_once(monkeypatch, tmp_path):
    (tmp_path / "fresh_kernel.py").write_text("def same(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    same = importlib.import_module("fresh_kernel").same
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(announcement, "is_due", True)
    for _ in range(2):
        numba.njit(lambda x: x + 1)(1)  # somebody else's
        assert not sys.stderr.getvalue()
    compiled = jit(same)
    compiled(1)
    compiled(1.0)
    assert sys.stderr.getvalue().count("rlx compiles its kernels") == 1


def test_machine_code_is_kept_apart_for_other_helpers(tmp_path):
    """What Numba does not see: a kernel's file is the same, but what it draws from or calls is not."""
    shutil.copytree(Path(core.__file__).parent, tmp_path / "core")
    (tmp_path / "kernel.py").write_text("from core import jit\n\n@jit\ndef same(x):\n    return x\n")
    code = "import kernel; print(kernel.same.py_func.__qualname__)"

    def name():
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True).stdout

    names = {name()}
    source = tmp_path / "core" / "random.py"
    source.write_text(source.read_text() + "\n")
    names.add(name())
    (tmp_path / "helpers.py").write_text("from core import jit\n\n@jit\ndef other(x):\n    return x\n")
    names.add(name())
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    names.add(name())
    assert len(names) == 3


def test_kernels_of_several_records_can_share_a_cache(tmp_path):
    """Each record is compiled in a process of its own; another process loads all of them."""
    (tmp_path / "records.py").write_text(
        "import sys\n"
        "import numpy as np\n"
        "from rlx.envs.core import jit\n"
        "@jit\n"
        "def inner(r):\n"
        "    for i in range(len(r.x)):\n"
        "        r.x[i] = np.sin(i) ** 2 + np.cos(i) ** 2\n"
        "    return round(r.x.sum())\n"
        "@jit\n"
        "def outer(rows):\n"
        "    return inner(rows[0])\n"
        "for n in map(int, sys.argv[1:]):\n"
        "    print(outer(np.zeros(1, np.dtype([('x', np.float64, (n,))]))))\n"
    )

    def found(*sizes):
        command = [sys.executable, "records.py", *map(str, sizes)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return [float(line) for line in done.stdout.split()]

    for n in (64, 200, 100):
        assert found(n) == [n]
    assert found(200, 64, 100) == [200, 64, 100]
    assert found(100, 200, 64) == [100, 200, 64]


# ---------------------------------------------------------------------------------------------------- random streams


@jit
def many(rng, count, kind):
    """Draw ``count`` numbers: 0 uniform, 1 normal, from 2 on integers below ``kind``."""
    out = np.empty(count)
    for i in range(count):
        if kind == 0:
            out[i] = uniform(rng)
        elif kind == 1:
            out[i] = normal(rng)
        else:
            out[i] = integer(rng, kind)
    return out


def stream(key, counter=0):
    return np.array([key, counter, 0], np.uint64)


def words(pair):
    """The four 32-bit words, low first."""
    return [int(half) >> shift & 0xFFFFFFFF for half in pair for shift in (0, 32)]


def encrypt(key, counter, high):
    return words(philox(np.uint64(key), np.uint64(counter), np.uint64(high)))


def test_philox_gives_the_known_answers():
    """Philox4x32 with seven rounds: the answers that its authors publish with Random123."""
    ones = 2**64 - 1
    assert encrypt(0, 0, 0) == [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]
    assert encrypt(ones, ones, ones) == [0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662]


def test_philox_agrees_with_its_definition():
    """Written again with whole numbers of any size, from the paper."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        key, low, high = (int(rng.integers(0, 2**64, dtype=np.uint64)) for _ in range(3))
        k, c = [key & 0xFFFFFFFF, key >> 32], [low & 0xFFFFFFFF, low >> 32, high & 0xFFFFFFFF, high >> 32]
        for _ in range(7):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
            k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
        assert encrypt(key, low, high) == c


def test_a_uniform_draw_reads_53_bits_of_half_a_block():
    rng = stream(7, 3)
    halves = [int(half) for half in philox(np.uint64(7), np.uint64(3), np.uint64(0))]
    assert uniform(rng) == (halves[0] >> 11) * 2.0**-53
    assert rng.tolist() == [7, 4, halves[1]]
    kept = rng.copy()
    assert uniform(rng) == (halves[1] >> 11) * 2.0**-53
    assert rng.tolist() == [7, 4, 0]
    assert uniform(kept) == (halves[1] >> 11) * 2.0**-53  # the other half travels with the stream


def test_normal_draws_fill_the_area_under_the_density():
    """The ziggurat's layers: equal areas, stacked from zero to the density's peak, the tail in the lowest."""
    edge, density = _EDGE, np.exp(-0.5 * _EDGE**2)
    areas = edge[1:-1] * np.diff(density[1:])
    assert areas == pytest.approx(edge[0] * density[1], rel=1e-9)
    below = edge[1] * density[1] + np.sqrt(2.0 * np.pi) * stats.norm.sf(edge[1])
    assert below == pytest.approx(edge[0] * density[1], rel=1e-12)
    assert edge[1] == TAIL
    assert edge[-1] == 0.0


def test_normal_draws_reach_into_the_tail():
    deviates = many(stream(11), 2_000_000, 1)
    beyond = np.abs(deviates[np.abs(deviates) > TAIL])
    expected = len(deviates) * 2.0 * stats.norm.sf(TAIL)
    assert abs(len(beyond) - expected) < 4.0 * np.sqrt(expected)
    assert stats.kstest(stats.norm.sf(beyond) / stats.norm.sf(TAIL), "uniform").pvalue > 1e-3
    for power, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        spread = np.std(deviates**power) / np.sqrt(len(deviates))
        assert abs(np.mean(deviates**power) - moment) < 4.0 * spread


@pytest.mark.parametrize("key", [0, 1, 2**63 + 12345])
def test_draws_have_their_distributions(key):
    draws = many(stream(key), 50_000, 0)
    assert (draws >= 0.0).all()
    assert (draws < 1.0).all()
    assert stats.kstest(draws, "uniform").pvalue > 1e-3
    deviates = many(stream(key), 50_000, 1)
    assert stats.kstest(deviates, "norm").pvalue > 1e-3
    assert stats.kstest(deviates[::2], "norm").pvalue > 1e-3
    numbers = many(stream(key), 50_000, 7)
    assert stats.chisquare(np.bincount(numbers.astype(int), minlength=7)).pvalue > 1e-3


def test_successive_draws_are_independent():
    draws = many(stream(5), 100_000, 0)
    counts, *_ = np.histogram2d(draws[::2], draws[1::2], bins=10, range=[[0, 1], [0, 1]])
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3
    deviates = many(stream(5), 100_000, 1)
    for lag in (1, 2, 3):
        assert abs(np.corrcoef(deviates[lag:], deviates[:-lag])[0, 1]) < 0.015


@pytest.mark.parametrize("key", [0, 41])
def test_neighbouring_keys_give_independent_streams(key):
    draws, others = many(stream(key), 50_000, 0), many(stream(key + 1), 50_000, 0)
    counts, *_ = np.histogram2d(draws, others, bins=10, range=[[0, 1], [0, 1]])
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3
    first = np.array([uniform(stream(k)) for k in range(5000)])
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.05


def test_a_stream_can_be_continued_anywhere():
    rng = stream(9)
    many(rng, 101, 1)
    expected = many(rng.copy(), 50, 1)
    np.testing.assert_array_equal(many(pickle.loads(pickle.dumps(rng)), 50, 1), expected)


# -------------------------------------------------------------------------------------------------------- parameters


@dataclasses.dataclass(frozen=True)
class Wheel(Parameters):
    radius: float = quantity(0.3, "m", "radius", low=0.01, high=2.0)
    spokes: int = quantity(8, "1", "number of spokes", low=0, high=100)
    drag: float = quantity(0.0, "N s", "drag", low=0.0, high=5.0)


@dataclasses.dataclass(frozen=True)
class Cart(Parameters):
    wheel: Wheel = Wheel()
    mass: float = quantity(10.0, "kg", "mass", low=0.1, high=25.0, spread=(0.5, 10.0))
    seats: int = quantity(2, "1", "seats", low=1, high=9, varies=False)
    name: str = "cart"


@pytest.mark.parametrize("value", [0.0, -1.0, 2.1, float("inf"), float("nan")])
def test_values_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match=re.escape(f"Wheel.radius = {value!r} is outside [0.01, 2] m (radius).")):
        Wheel(radius=value)


@pytest.mark.parametrize("value", ["0.3", None, True, [0.3], np.array([0.3])])
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(TypeError, match=r"Wheel\.radius is a number in m, but"):
        Wheel(radius=value)


def test_bounds_are_inclusive_and_numpy_numbers_are_numbers():
    assert Wheel(radius=0.01).radius == 0.01
    assert Wheel(radius=np.float32(0.5)).radius == 0.5
    assert Wheel(spokes=np.int64(3)).spokes == 3


def test_context_names_what_varies():
    assert Cart().context() == {"wheel.radius": 0.3, "wheel.spokes": 8.0, "wheel.drag": 0.0, "mass": 10.0}


def test_context_space_spreads_around_the_own_value_within_the_range():
    space = Cart(wheel=Wheel(radius=1.0)).context_space()
    bounds = {name: (float(box.low), float(box.high)) for name, box in space.items()}
    assert bounds == {
        "wheel.radius": (0.25, 2.0),  # four times the value is too large for a wheel
        "wheel.spokes": (2.0, 32.0),
        "wheel.drag": (0.0, 5.0),  # nothing to multiply
        "mass": (5.0, 25.0),
    }
    assert all(box.shape == () and box.dtype == np.float64 for box in space.values())


def test_a_context_replaces_what_it_names():
    cart = Cart()
    changed = cart.with_context({"mass": 12, "wheel.spokes": np.array(10.0)})
    assert changed == Cart(mass=12.0, wheel=Wheel(spokes=10))
    assert isinstance(changed.wheel.spokes, int)
    assert cart == Cart()
    assert cart.with_context({}) is cart


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"mas": 1.0}, r"Unknown context name 'mas'. Did you mean 'mass'\? Allowed: "),
        ({"seats": 2}, "Unknown context name 'seats'"),
        ({"name": 2}, "Unknown context name 'name'"),
        ({"radius": 1.0}, r"Did you mean 'wheel.radius'\?"),
        ({3: 1.0}, "Unknown context name 3"),
        ({"mass": 4.9}, r"mass = 4.9 is outside \[5, 25\]"),
        ({"mass": float("nan")}, r"mass = nan is outside \[5, 25\]"),
        ({"mass": "heavy"}, "mass = 'heavy' is not a number"),
        ({"mass": [1.0, 2.0]}, r"mass = \[1.0, 2.0\] is not a number"),
        ({"mass": None}, "mass = None is not a number"),
    ],
)
def test_contexts_that_are_refused(context, sentence):
    with pytest.raises(ValueError, match=sentence):
        Cart().with_context(context)


# ------------------------------------------------------------------------------------- one environment and many of it

VARIANTS = {
    "series_dc": {},
    "rc": {"supply": {"type": "rc", "voltage": 60.0}, "converter": {"bridges": "2qc", "interlocking_time": 2e-6}},
    "wandering": {"load": {"type": "ornstein_uhlenbeck"}, "noise": 0.02, "motor": "shunt_dc"},
    "pmsm": {"motor": "pmsm", "task": "current", "references": "feasible", "action_frame": "dq", "observation": "dict"},
    "finite": {
        "motor": "pmsm",
        "task": "torque",
        "converter": {"type": "finite", "interlocking_time": 1e-6, "dead_time": 2},
        "initial": {"i_sq": (-100.0, 100.0), "epsilon": (-3.0, 3.0)},
    },
    "scim": {
        "motor": "scim",
        "flux_observer": True,
        "angle": "cos_sin",
        "references": {"switch": ["sine", "laplace", "step"], "tenure": (3, 9)},
    },
    "eesm": {"motor": "eesm", "converter": "finite", "constraints": [{"signals": ["i_e"], "soft": 0.3}]},
    "mains": {"motor": "scim", "converter": "none", "supply": {"type": "ac3"}},
}
ROWS = (1, 3, 70)  # fewer and more than are integrated side by side


def actions_for(envs, steps, seed=0):
    envs.action_space.seed(seed)
    return [envs.action_space.sample() for _ in range(steps)]


def row(value, i):
    """Row ``i`` of a batched observation or info."""
    if isinstance(value, dict):
        return {key: row(part, i) for key, part in value.items()}
    return value[i]


@pytest.mark.parametrize("num_envs", ROWS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_row_is_the_single_environment(variant, num_envs):
    """Bit for bit: observations, rewards, ends and infos, over several episodes."""
    kwargs, horizon, seed = VARIANTS[variant], 11, 900
    envs = ElectricMotorVectorEnv(num_envs, max_episode_steps=horizon, **kwargs)
    singles = [ElectricMotorEnv(**kwargs) for _ in range(num_envs)]
    observations, info = envs.reset(seed=seed)
    for i, env in enumerate(singles):
        observation, single_info = env.reset(seed=seed + i)
        assert not difference(row(observations, i), observation)
        assert not difference(row(info, i), single_info)
    ended = np.zeros(num_envs, bool)
    elapsed = np.zeros(num_envs, int)
    for actions in actions_for(envs, 25):
        observations, rewards, terminated, truncated, info = envs.step(actions)
        for i, env in enumerate(singles):
            if ended[i]:  # the next step begins an episode
                observation, _ = env.reset()
                assert not difference(row(observations, i), observation)
                assert (rewards[i], terminated[i], truncated[i]) == (0.0, False, False)
                elapsed[i], ended[i] = 0, False
                continue
            observation, reward, done, _, single_info = env.step(actions[i])
            elapsed[i] += 1
            assert not difference(row(observations, i), observation)
            assert (rewards[i], terminated[i]) == (reward, done)
            assert truncated[i] == (elapsed[i] == horizon)
            for group in ("signals", "reference", "reward_terms"):
                assert not difference(row(info[group], i), single_info[group])
            assert info["cost"][i] == single_info["cost"]
            ended[i] = terminated[i] or truncated[i]


@pytest.mark.parametrize("mode", AutoresetMode)
def test_autoreset_modes_go_through_the_same_episodes(mode):
    """Whatever happens at an episode's end, what happens in episodes is the same."""
    num_envs, horizon = 5, 6
    kwargs = {"motor": "pmsm", "task": "current", "noise": 0.01}
    envs = ElectricMotorVectorEnv(num_envs, max_episode_steps=horizon, autoreset_mode=mode, **kwargs)
    singles = [ElectricMotorEnv(**kwargs) for _ in range(num_envs)]
    observations, _ = envs.reset(seed=3)
    expected = [env.reset(seed=3 + i)[0] for i, env in enumerate(singles)]
    rng = np.random.default_rng(0)
    for _episode in range(3):
        for i in range(num_envs):
            np.testing.assert_array_equal(observations[i], expected[i])
        for step in range(1, horizon + 1):
            actions = 0.3 * rng.uniform(-1.0, 1.0, (num_envs, 3)).astype(np.float32)
            observations, rewards, terminated, truncated, info = envs.step(actions)
            assert not terminated.any()
            assert truncated.all() == truncated.any() == (step == horizon)
            last = info["final_obs"] if mode == AutoresetMode.SAME_STEP and step == horizon else observations
            for i, env in enumerate(singles):
                expected[i], reward, *_ = env.step(actions[i])
                np.testing.assert_array_equal(last[i], expected[i])
                assert rewards[i] == reward
        assert info["_episode_length"].all()
        assert (info["episode_length"] == horizon).all()
        expected = [env.reset()[0] for env in singles]
        if mode == AutoresetMode.NEXT_STEP:
            observations, *_ = envs.step(actions)
        elif mode == AutoresetMode.DISABLED:
            with pytest.raises(ResetNeeded, match=r"Row 0 has ended: call envs.reset"):
                envs.step(actions)
            observations, _ = envs.reset(options={"reset_mask": np.ones(num_envs, bool)})


def test_episode_statistics():
    """The sums are those of the rewards returned; Gymnasium's own wrapper finds the same."""
    envs = ElectricMotorVectorEnv(4, max_episode_steps=9, autoreset_mode=AutoresetMode.SAME_STEP)
    wrapped = gymnasium.wrappers.vector.RecordEpisodeStatistics(envs)
    wrapped.reset(seed=0)
    returns = np.zeros(4)
    for step, actions in enumerate(actions_for(envs, 27), start=1):
        _, rewards, terminated, truncated, info = wrapped.step(0.1 * actions)
        returns += rewards
        done = terminated | truncated
        assert done.any() == ("episode_return" in info)
        assert done.all() == (step % 9 == 0)
        if done.any():
            np.testing.assert_array_equal(info["episode_return"], returns)
            np.testing.assert_array_equal(info["_episode_return"], done)
            np.testing.assert_allclose(info["episode"]["r"], returns, rtol=1e-6)
            np.testing.assert_array_equal(info["episode"]["l"], info["episode_length"])
            returns[:] = 0.0


def test_same_step_keeps_the_final_info():
    envs = ElectricMotorVectorEnv(3, max_episode_steps=2, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.reset(seed=0)
    actions = np.full((3, 1), 0.5, np.float32)
    envs.step(actions)
    _, rewards, *_, info = envs.step(actions)
    terms = info["final_info"]["reward_terms"]
    np.testing.assert_allclose(sum(terms.values()), rewards)
    assert (info["signals"]["i"] == 0.0).all()  # the new episodes' beginning
    assert (info["final_info"]["signals"]["i"] > 0.0).all()
    assert info["_final_obs"].all()


def test_reset_mask_starts_some_rows():
    envs = ElectricMotorVectorEnv(4, motor="permex_dc")
    before, _ = envs.reset(seed=0)
    stepped, *_ = envs.step(np.full((4, 1), 0.2, np.float32))
    mask = np.array([False, True, False, True])
    observations, info = envs.reset(options={"reset_mask": mask})
    np.testing.assert_array_equal(observations[~mask], stepped[~mask])
    assert (observations[mask] != stepped[mask]).any()
    assert (info["signals"]["i"][mask] == 0.0).all()
    np.testing.assert_array_equal(info["_signals"], mask)
    again, _ = envs.reset(seed=0, options={"reset_mask": mask})
    np.testing.assert_array_equal(again[mask], before[mask])
    np.testing.assert_array_equal(again[~mask], stepped[~mask])


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        ([True, False], "is a bool array of shape"),
        (np.array([1, 0]), "is a bool array of shape"),
        (np.array([True]), r"is a bool array of shape \(2,\)"),
        (np.array([False, False]), "selects no row"),
    ],
)
def test_masks_that_are_refused(mask, sentence):
    envs = ElectricMotorVectorEnv(2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=sentence):
        envs.reset(options={"reset_mask": mask})


def test_the_first_reset_starts_every_row():
    with pytest.raises(ResetNeeded, match="leave 'reset_mask' out"):
        ElectricMotorVectorEnv(2).reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded):
        ElectricMotorVectorEnv(2).step(np.zeros((2, 1), np.float32))
    with pytest.raises(ResetNeeded):
        ElectricMotorEnv().step(np.zeros(1, np.float32))


def test_contexts_by_row():
    envs = ElectricMotorVectorEnv(3, motor="permex_dc")
    r_a = np.array([0.016, 0.03, 0.06])
    observations, info = envs.reset(seed=5, options={"context": {"motor.r_a": r_a, "load.j_load": 2e-4}})
    np.testing.assert_array_equal(info["context"]["motor.r_a"], r_a)
    np.testing.assert_array_equal(info["context"]["load.j_load"], [2e-4] * 3)
    actions = [0.1 * action for action in actions_for(envs, 20)]
    batch = [envs.step(action) for action in actions]
    for i in range(3):
        env = ElectricMotorEnv(motor="permex_dc")
        observation, _ = env.reset(seed=5 + i, options={"context": {"motor.r_a": r_a[i], "load.j_load": 2e-4}})
        np.testing.assert_array_equal(observations[i], observation)
        for action, (observation, reward, *_) in zip(actions, batch, strict=True):
            single, single_reward, *_ = env.step(action[i])
            np.testing.assert_array_equal(observation[i], single)
            assert reward[i] == single_reward


@pytest.mark.parametrize("motor", ["series_dc", "scim"])
def test_contexts_drawn_for_each_of_many_rows(motor):
    """Rows with parameters, and so step sizes, of their own."""
    num_envs = 70
    envs = ElectricMotorVectorEnv(num_envs, motor=motor, max_episode_steps=8)
    envs.context_space.seed(0)
    contexts = [envs.context_space.sample() for _ in range(num_envs)]
    columns = {name: np.array([context[name] for context in contexts]) for name in contexts[0]}
    observations, _ = envs.reset(seed=30, options={"context": columns})
    actions = actions_for(envs, 7)
    batch = [envs.step(action) for action in actions]
    for i, context in enumerate(contexts):
        env = ElectricMotorEnv(motor=motor)
        observation, _ = env.reset(seed=30 + i, options={"context": context})
        np.testing.assert_array_equal(observations[i], observation)
        for action, (observation, reward, terminated, _, info) in zip(actions, batch, strict=True):
            single, single_reward, done, _, single_info = env.step(action[i])
            np.testing.assert_array_equal(observation[i], single)
            assert (reward[i], terminated[i]) == (single_reward, done)
            assert not difference(row(info["signals"], i), single_info["signals"])
            if done:
                break


def test_a_context_is_for_one_episode():
    env = ElectricMotorEnv()
    space = env.context_space
    assert set(space) == set(env.reset(seed=0)[1]["context"])
    _, info = env.reset(options={"context": {"motor.r_a": 0.02}})
    assert info["context"]["motor.r_a"] == 0.02
    assert env.reset()[1]["context"]["motor.r_a"] == 0.016
    envs = ElectricMotorVectorEnv(2, max_episode_steps=2)
    envs.reset(seed=0, options={"context": {"motor.r_a": np.array([0.02, 0.03])}})
    assert [p.motor.r_a for p in envs.parameters] == [0.02, 0.03]
    for _ in range(3):
        envs.step(np.zeros((2, 1), np.float32))
    assert [p.motor.r_a for p in envs.parameters] == [0.016, 0.016]


def test_a_context_does_not_move_the_random_stream():
    """References, noise and initial states are the same in two contexts on one seed."""
    kwargs = {"motor": "pmsm", "task": "current", "noise": 0.05, "initial": {"i_sd": (-50.0, 50.0)}}
    runs = []
    for context in ({}, {"motor.r_s": 0.03, "supply.voltage": 200.0}):
        env = ElectricMotorEnv(**kwargs)
        _, info = env.reset(seed=1, options={"context": context})
        runs.append([info["reference"]])
        runs[-1] += [env.step(np.zeros(3, np.float32))[4]["reference"] for _ in range(600)]
    assert runs[0] == runs[1]


def test_contexts_of_vector_environments_that_are_refused():
    envs = ElectricMotorVectorEnv(3)
    before, _ = envs.reset(seed=0)
    state = envs.save_state()
    for context, sentence in (
        ({"motor.r_a": np.ones(2)}, r"motor.r_a is a number or of shape \(3,\), not \(2,\)"),
        ({"motor.r_a": np.array([0.016, 0.016, 9.0])}, "motor.r_a = .*9.0.* is outside"),
        ({"motor.ra": 0.016}, "Did you mean 'motor.r_a'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            envs.reset(seed=9, options={"context": context})
    assert not difference(envs.save_state().states, state.states)


@pytest.mark.parametrize("variant", VARIANTS)
def test_state_is_a_value(variant):
    """A pickled state goes on in another object, also after the first has gone elsewhere."""
    env = ElectricMotorEnv(**VARIANTS[variant])
    env.reset(seed=2)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(40)]
    for action in actions[:15]:
        env.step(action)
    state = pickle.dumps(env.unwrapped.save_state())
    future = [env.step(action) for action in actions[15:]] + [env.reset()]
    other = ElectricMotorEnv(**VARIANTS[variant])
    other.load_state(pickle.loads(state))
    assert not difference([other.step(action) for action in actions[15:]] + [other.reset()], future)
    env.load_state(pickle.loads(state))
    assert not difference([env.step(action) for action in actions[15:]] + [env.reset()], future)


def test_state_goes_on_in_another_process():
    env = ElectricMotorEnv(motor="pmsm", task="current")
    env.reset(seed=8)
    action = np.array([0.3, -0.1, 0.05], np.float32)
    env.step(action)
    state = pickle.dumps(env.save_state())
    script = (
        "import pickle, sys\n"
        "import numpy as np\n"
        "from rlx.envs.electric_motor import ElectricMotorEnv\n"
        "env = ElectricMotorEnv(motor='pmsm', task='current')\n"
        "env.load_state(pickle.loads(sys.stdin.buffer.read()))\n"
        "steps = [env.step(np.array([0.3, -0.1, 0.05], np.float32)) for _ in range(30)]\n"
        "sys.stdout.buffer.write(pickle.dumps(steps))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=state, capture_output=True, check=True)
    assert not difference(pickle.loads(done.stdout), [env.step(action) for _ in range(30)])


def test_state_of_a_vector_environment():
    envs = ElectricMotorVectorEnv(5, motor="pmsm", task="current", max_episode_steps=7)
    envs.reset(seed=4, options={"context": {"motor.r_s": np.linspace(0.01, 0.03, 5)}})
    actions = actions_for(envs, 30)
    for action in actions[:6]:
        envs.step(action)
    state = pickle.loads(pickle.dumps(envs.save_state()))
    future = [envs.step(action) for action in actions[6:]]
    others = ElectricMotorVectorEnv(5, motor="pmsm", task="current", max_episode_steps=7)
    others.load_state(state)
    assert not difference([others.step(action) for action in actions[6:]], future)


def test_states_that_do_not_fit_are_refused():
    env, envs = ElectricMotorEnv(), ElectricMotorVectorEnv(3)
    env.reset(seed=0)
    envs.reset(seed=0)
    for target, state in ((env, envs.save_state()), (envs, env.save_state()), (env, None), (envs, {"states": 1})):
        with pytest.raises(TypeError, match="save_state"):
            target.load_state(state)
    with pytest.raises(TypeError, match="4 such rows"):
        ElectricMotorVectorEnv(4).load_state(envs.save_state())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("steps", [0, 5])
def test_copies_go_their_own_way(copied, steps):
    env = gymnasium.make("rlx/ElectricMotorPmsmCurrent-v0")
    env.reset(seed=0)
    action = np.array([0.2, -0.1, 0.0], np.float32)
    for _ in range(steps):
        env.step(action)
    twin = copied(env)
    assert not difference([twin.step(action) for _ in range(20)], [env.step(action) for _ in range(20)])
    twin.step(action)
    assert difference(twin.step(action), env.step(action))


def test_what_is_returned_is_fresh():
    """Neither steps nor the caller's own writing change what was or will be returned."""
    for env in (ElectricMotorEnv(), ElectricMotorVectorEnv(3)):
        twin = copy.deepcopy(env)
        observation, info = env.reset(seed=0)
        twin.reset(seed=0)
        kept = copy.deepcopy((observation, info))
        action = 0.5 * env.action_space.high
        env.step(action)
        twin.step(action)
        assert not difference((observation, info), kept)
        observation[:] = 99.0
        assert not difference(env.step(action), twin.step(action))


def test_what_nobody_holds_is_used_again():
    envs = gymnasium.make_vec("rlx/ElectricMotor-v0", num_envs=2)
    observation, _ = envs.reset(seed=0)
    held, action = observation[1], envs.action_space.sample()  # a view of it is enough
    as_it_was, places = held.copy(), set()
    for _ in range(10):
        observation, *_ = envs.step(action)
        places.add(observation.__array_interface__["data"][0])
    np.testing.assert_array_equal(held, as_it_was)
    assert len(places) == 2 and held.__array_interface__["data"][0] - held.nbytes not in places


def test_reset_without_seed_goes_on_and_with_seed_repeats():
    env = ElectricMotorEnv()
    first = [env.reset(seed=3)[0], env.reset()[0], env.reset()[0]]
    second = [env.reset(seed=3)[0], env.reset()[0], env.reset()[0]]
    np.testing.assert_array_equal(first, second)
    assert len({tuple(observation) for observation in first}) == 3
    unseeded = {tuple(ElectricMotorEnv().reset()[0]) for _ in range(5)}
    assert len(unseeded) == 5


# ----------------------------------------------------------------------------------------------------------- actions

BAD_ACTIONS = [
    (np.zeros(2, np.float32), r"Box\(.*\) is needed.*shape \(2,\)"),
    (np.float32(0.0), r"shape \(\)"),
    (0.3, r"shape \(\)"),
    (np.zeros((1, 1)), r"shape \(1, 1\)"),
    ([np.nan], "no NaN"),
    (np.array([np.nan], np.float32), r"The action is \[nan\]"),
    (["0.2"], "dtype"),
    (None, "None was given"),
    (np.array([True]), "bool"),
    (np.array([1j]), "complex"),
    ({"a": 1}, "was given"),
    ([[0.1], [0.1, 0.2]], "was given"),
]


@pytest.mark.parametrize(("action", "sentence"), BAD_ACTIONS)
def test_actions_that_are_refused_leave_the_environment_as_it_is(action, sentence):
    env, twin = ElectricMotorEnv(), ElectricMotorEnv()
    env.reset(seed=0)
    twin.reset(seed=0)
    with pytest.raises(InvalidAction, match=sentence):
        env.step(action)
    good = np.array([0.4], np.float32)
    assert not difference(env.step(good), twin.step(good))


@pytest.mark.parametrize("action", [4, -1, 1.0, np.array([1]), "up", None, np.nan])
def test_switching_states_that_are_refused(action):
    env = ElectricMotorEnv(converter="finite")
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"Discrete\(4\)"):
        env.step(action)
    env.step(3)
    env.step(np.int64(2))
    multiple = ElectricMotorEnv(motor="eesm", converter="finite")
    multiple.reset(seed=0)
    multiple.step(np.array([7, 3]))
    for bad in ([8, 0], [0, 4], [0], [0, -1], [1.0, 1.0]):
        with pytest.raises(InvalidAction):
            multiple.step(np.array(bad))


def test_batches_of_actions_that_are_refused():
    envs = ElectricMotorVectorEnv(3)
    envs.reset(seed=0)
    state = envs.save_state()
    bad = np.zeros((3, 1))
    bad[1] = np.nan
    with pytest.raises(InvalidAction, match=r"The action in row 1 is \[nan\]"):
        envs.step(bad)
    for wrong in (np.zeros((2, 1)), np.zeros(3), np.zeros((3, 2)), 0.0, None):
        with pytest.raises(InvalidAction, match=r"3 x Box.*\(shape \(3, 1\)\) is needed"):
            envs.step(wrong)
    assert not difference(envs.save_state().states, state.states)


def test_actions_beyond_the_box_are_clipped_and_left_alone():
    env, twin = ElectricMotorEnv(), ElectricMotorEnv()
    env.reset(seed=0)
    twin.reset(seed=0)
    action = np.array([np.inf])
    assert not difference(env.step(action), twin.step(np.array([1.0])))
    assert action[0] == np.inf
    assert not difference(env.step([-7]), twin.step([-1.0]))


@pytest.mark.parametrize("num_envs", [0, -1])
def test_no_environments(num_envs):
    with pytest.raises(ValueError, match=f"num_envs = {num_envs}: at least 1"):
        ElectricMotorVectorEnv(num_envs)


def test_seeds_of_vector_environments():
    envs = ElectricMotorVectorEnv(3)
    one, _ = envs.reset(seed=[7, 8, 9])
    other, _ = envs.reset(seed=7)
    np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="2 seeds were given for 3 environments"):
        envs.reset(seed=[1, 2])


@pytest.mark.parametrize("make", [ElectricMotorEnv, lambda: ElectricMotorVectorEnv(2)])
def test_reset_options_that_are_refused(make):
    env = make()
    env.reset(seed=0)
    state = env.save_state()
    with pytest.raises(ValueError, match=r"Unknown reset option 'contxt'. Allowed: 'context'"):
        env.reset(seed=1, options={"contxt": {}})
    with pytest.raises(ValueError, match="motor.r_a"):
        env.reset(seed=1, options={"context": {"motor.r_a": -1.0}})
    assert not difference(env.save_state().states, state.states)


def test_make_vec_finds_the_native_face():
    envs = gymnasium.make_vec("rlx/ElectricMotorPmsmCurrent-v0", num_envs=3)
    assert isinstance(envs.unwrapped, ElectricMotorVectorEnv)
    assert envs.unwrapped.max_episode_steps == 10_000


# ------------------------------------------------------------------------------------------------------------ policies


def test_policies_are_read_by_whoever_declares_their_ending(tmp_path):
    policy = MlpPolicy([(np.ones((2, 1)), np.zeros(1))], "relu", (2,), gymnasium.spaces.Box(-1, 1, (1,)))
    policy.save(tmp_path / "policy.npz")
    for path in (tmp_path, tmp_path / "policy.npz", str(tmp_path)):
        assert read_policy(path).act(np.ones(2, np.float32), {}) == policy.act(np.ones(2, np.float32), {})
    with pytest.raises(FileNotFoundError, match="There is no policy at .*none.npz. `rlx train` writes"):
        read_policy(tmp_path / "none.npz")
    (tmp_path / "policy.txt").write_text("north")
    with pytest.raises(ValueError, match=r"policy.txt: policies are files that end in .*\.npz"):
        read_policy(tmp_path / "policy.txt")
