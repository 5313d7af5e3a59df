"""The experts of the electric motors: they run everywhere, are better than chance, and do what the textbooks say."""

from __future__ import annotations

import functools
import math

import gymnasium
import numpy as np
import pytest
from scipy.optimize import minimize

import rlx
from rlx.envs.electric_motor import PAPER_2019, ElectricMotorEnv, from_gem
from rlx.envs.electric_motor.experts import mpc, pi
from rlx.envs.electric_motor.experts.__main__ import RandomPolicy, episodes
from rlx.envs.electric_motor.experts.machine import Measured
from rlx.envs.electric_motor.presets import GEM_IDS


def score(results, steps):
    """Mean reward per step; the steps that an early end leaves count -1 each, the worst tracking there is."""
    return np.mean([total - (steps - length) for total, length, _ in results]) / steps


def run(env, policy, steps, reference=None, seed=0):
    """Yield the signals (SI) after each step; ``reference`` replaces the environment's."""
    observation, info = env.reset(seed=seed)
    policy.reset()
    for _ in range(steps):
        action = policy.act(observation, info if reference is None else info | {"reference": reference})
        assert env.action_space.contains(action), action
        observation, _, terminated, _, info = env.step(action)
        assert not terminated, info
        yield info["signals"]


# ------------------------------------------------------------------------------------------------- every combination


class CheckedPi:
    """`pi`, with a look at every action."""

    def __init__(self, env):
        self.space, self.policy = env.action_space, pi(env)
        self.reset = self.policy.reset

    def act(self, observation, info):
        action = self.policy.act(observation, info)
        assert self.space.contains(action), action
        return action


@pytest.mark.parametrize("name", GEM_IDS)
def test_pi_controls_every_task_and_beats_chance(name):
    arguments, steps = from_gem(name), 2000
    results = episodes(arguments, CheckedPi, 3, steps)
    assert [length for _, length, _ in results] == [steps] * 3, "a limit ended the episode"
    assert score(results, steps) > score(episodes(arguments, RandomPolicy, 3, steps), steps)


@pytest.mark.parametrize("motor", ["pmsm", "synrm", "eesm", "scim", "dfim", "sixpmsm"])
@pytest.mark.parametrize("task", ["current", "torque", "speed"])
@pytest.mark.parametrize(
    "options",
    [
        {"action_frame": "dq"},
        {"converter": {"type": "continuous", "dead_time": 1}},
        {"converter": {"type": "finite", "dead_time": 2}},
        {"converter": {"type": "finite", "interlocking_time": 1e-6}},
    ],
    ids=["dq", "dead_time", "finite_dead_time", "interlocking"],
)
def test_pi_copes_with_converters_of_three_phase_motors(motor, task, options):
    env = ElectricMotorEnv(motor, task, **options)
    assert len(list(run(env, pi(env), 300))) == 300


@pytest.mark.parametrize("motor", ["series_dc", "shunt_dc", "permex_dc", "extex_dc"])
@pytest.mark.parametrize("task", ["current", "torque", "speed"])
@pytest.mark.parametrize(
    "options",
    [
        {"bridge": "1qc"},
        {"bridge": "2qc"},
        {"bridge": "1qc", "type": "finite"},
        {"bridge": "2qc", "type": "finite"},
        {"bridge": "4qc", "dead_time": 1},
        {"bridge": "4qc", "type": "finite", "interlocking_time": 1e-6},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_pi_copes_with_converters_of_dc_motors(motor, task, options):
    options = dict(options)
    bridge = options.pop("bridge")
    converter = {"type": "continuous", **options, "bridges": [bridge] * (2 if motor == "extex_dc" else 1)}
    env = ElectricMotorEnv(motor, task, converter=converter)
    assert len(list(run(env, pi(env), 300))) == 300


@pytest.mark.parametrize("supply", [{"type": "rc", "r": 0.05}, {"type": "ac1"}])
def test_pi_copes_with_a_supply_that_gives_way(supply):
    env = ElectricMotorEnv("series_dc", "current", supply=supply)
    assert len(list(run(env, pi(env), 500))) == 500


def test_experts_are_made_by_name_for_a_wrapped_environment():
    assert rlx.experts("rlx/ElectricMotorPmsmCurrentFinite-v0") == ("pi", "mpc", "random")
    env = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("rlx/ElectricMotorPmsmCurrentFinite-v0"))
    observation, info = env.reset(seed=0)
    for name in ("pi", "mpc"):
        policy = rlx.make_expert(env, name)
        policy.reset()
        assert env.action_space.contains(policy.act(observation, info))


# -------------------------------------------------------------------------------------------------- current control


@pytest.mark.parametrize("dead_time", [0, 1, 2])
@pytest.mark.parametrize(
    ("motor", "reference"),
    [
        ("series_dc", {"i": 0.7}),
        ("permex_dc", {"i": -40.0}),
        ("shunt_dc", {"i_a": 40.0}),
        ("extex_dc", {"i_a": 40.0, "i_e": 0.5}),
        ("pmsm", {"i_sd": -6.0, "i_sq": 4.0}),
        ("synrm", {"i_sd": 1.0, "i_sq": -1.0}),
        ("eesm", {"i_sd": 1.0, "i_sq": 5.0, "i_e": 4.0}),
        ("sixpmsm", {"i_sd": 10.0, "i_sq": -10.0, "i_sx": 5.0, "i_sy": -5.0}),
    ],
)
def test_currents_arrive_after_one_period_and_the_dead_time(motor, reference, dead_time):
    env = ElectricMotorEnv(motor, "current", converter={"type": "continuous", "dead_time": dead_time})
    *_, signals = run(env, pi(env), 1 + dead_time, reference)
    for name, value in reference.items():
        assert signals[name] == pytest.approx(value, rel=5e-3, abs=5e-3 * max(map(abs, reference.values())))


def test_coupled_windings_do_not_disturb_each_other():
    env = ElectricMotorEnv("eesm", "current")
    policy = pi(env)
    *_, signals = run(env, policy, 200, {"i_sd": 0.0, "i_sq": 50.0, "i_e": 60.0})
    assert signals["i_sd"] == pytest.approx(0.0, abs=0.1) and signals["i_e"] == pytest.approx(60.0, abs=0.1)


@pytest.mark.parametrize("motor", ["permex_dc", "pmsm", "eesm", "scim"])
def test_the_integral_does_not_wind_up(motor):
    """After half a second beyond the voltage limit, a reference within it is reached at once, without overshoot."""
    env = ElectricMotorEnv(motor, "current", load={"type": "const", "omega": 300.0})
    policy = pi(env)
    names = {"permex_dc": ("i",), "eesm": ("i_sd", "i_sq", "i_e")}.get(motor, ("i_sd", "i_sq"))
    observation, info = env.reset(seed=0)
    limits = [env.drive.limits[name] for name in names]
    trajectory = []
    for k in range(5400):
        share = 0.65 if k < 5000 else 0.1
        reference = dict(zip(names, (share * limit for limit in limits), strict=True))
        observation, _, terminated, _, info = env.step(policy.act(observation, {**info, "reference": reference}))
        assert not terminated
        trajectory.append([info["signals"][name] for name in names])
    settled = np.array(trajectory[5200:]) / limits
    after = np.array(trajectory[5000:]) / limits
    assert np.abs(settled - 0.1).max() < 2e-3
    assert after[50:].min() > 0.1 - 0.02


def test_reset_reads_the_parameters_of_the_episode():
    env = ElectricMotorEnv("pmsm", "current", voltage_hold="dq")
    policy = pi(env)
    observation, info = env.reset(seed=0, options={"context": {"motor.l_q": 4e-3, "motor.psi_p": 0.1}})
    reference = {"reference": {"i_sd": 0.0, "i_sq": 2.0}}

    def error():
        _, _, _, _, after = env.step(policy.act(observation, {**info, **reference}))
        return abs(after["signals"]["i_sq"] - 2.0)

    wrong = error()
    observation, info = env.reset(seed=0)
    assert wrong > 0.5  # designed for another motor
    policy.reset()
    env.reset(seed=0, options={"context": {"motor.l_q": 4e-3, "motor.psi_p": 0.1}})
    policy.reset()
    assert error() < 1e-3


def test_constraints_narrow_the_currents():
    env = ElectricMotorEnv("pmsm", "torque", constraints=[{"signals": ["i_sd", "i_sq"], "order": 2, "soft": 0.5}])
    lengths = [math.hypot(s["i_sd"], s["i_sq"]) for s in run(env, pi(env), 500, {"torque": 150.0})]
    assert 190.0 < max(lengths) <= 200.0

    env = ElectricMotorEnv("pmsm", "current", constraints=[{"signals": {"i_sd": 50.0}}])
    signals = list(run(env, pi(env), 100, {"i_sd": -200.0, "i_sq": 100.0}))
    assert -50.0 < signals[-1]["i_sd"] < -45.0


# ------------------------------------------------------------------------------------------------- operating points


def standing(policy, omega, **fields):
    n = len(policy.inner.windings.r)
    defaults = {"x": np.zeros(n), "omega_frame": 0.0, "drift": np.zeros(0), "turn": np.eye(2), "supply": 420.0}
    return Measured(omega=omega, **(defaults | fields))


@pytest.mark.parametrize(
    ("motor", "torques"), [("pmsm", (1.0, 40.0, 150.0)), ("synrm", (0.1, 2.0, 5.5)), ("sixpmsm", (1.0, 9.0))]
)
def test_maximum_torque_per_ampere_is_the_shortest_current(motor, torques):
    policy = pi(ElectricMotorEnv(motor, "torque"))
    point = policy.point
    psi = point.field(standing(policy, 0.0))
    for torque in torques:
        target, made = point.targets(torque, standing(policy, 10.0))
        assert made == pytest.approx(torque, rel=1e-6)
        best = minimize(
            lambda i: i @ i / point.largest**2, target[:2] * 0.7 + 1.0, method="SLSQP", options={"ftol": 1e-14},
            constraints={"type": "eq", "fun": lambda i, torque=torque: point.torque(i[0], i[1], psi) / torque - 1.0},
        )  # fmt: skip
        assert np.hypot(*target[:2]) == pytest.approx(np.hypot(*best.x), rel=1e-6)
        mirrored, made = point.targets(-torque, standing(policy, 10.0))
        assert made == pytest.approx(-torque, rel=1e-6) and mirrored[:2] == pytest.approx(target[:2] * [1.0, -1.0])


@pytest.mark.parametrize(
    ("motor", "torque", "flux"), [("pmsm", 40.0, 0.06), ("pmsm", 100.0, 0.12), ("synrm", 2.0, 0.075)]
)
def test_field_weakening_is_the_shortest_current_within_the_voltage(motor, torque, flux):
    point = pi(ElectricMotorEnv(motor, "torque")).point
    m = point.motor
    psi = getattr(m, "psi_p", 0.0)
    i = np.array(point.point(torque, psi, flux))
    assert point.torque(*i, psi) == pytest.approx(torque, rel=1e-5)
    best = minimize(
        lambda i: i @ i / point.largest**2, i * 1.2, method="SLSQP", options={"ftol": 1e-14},
        constraints=[
            {"type": "eq", "fun": lambda i: point.torque(i[0], i[1], psi) / torque - 1.0},
            {"type": "ineq", "fun": lambda i: 1.0 - ((psi + m.l_d * i[0]) ** 2 + (m.l_q * i[1]) ** 2) / flux**2},
        ],
    )  # fmt: skip
    assert np.hypot(*i) == pytest.approx(np.hypot(*best.x), rel=1e-5)


@pytest.mark.parametrize("motor", ["pmsm", "synrm"])
def test_field_weakening_gives_the_highest_torque_there_is(motor):
    point = pi(ElectricMotorEnv(motor, "torque")).point
    m = point.motor
    psi = getattr(m, "psi_p", 0.0)
    for flux in (0.02, 0.05, 0.1):
        i = point.point(1e6, psi, flux)
        angle = np.linspace(0.0, math.pi, 20001)
        i_d, i_q = (flux * np.cos(angle) - psi) / m.l_d, flux * np.sin(angle) / m.l_q
        torque = point.k * i_q * (psi + point.saliency * i_d)
        highest = torque[np.hypot(i_d, i_q) <= point.largest].max(initial=0.0)
        # Where the current limit ends the circle, a shorter flux vector may do a little better.
        assert point.torque(*i, psi) >= highest * (1.0 - 1e-3)
        assert math.hypot(*i) <= point.largest * (1.0 + 1e-9)


def test_speed_beyond_base_speed_needs_field_weakening():
    env = ElectricMotorEnv("pmsm", "speed", supply=100.0)
    *_, signals = run(env, pi(env), 6000, {"omega": 314.0})
    assert signals["omega"] == pytest.approx(314.0, rel=1e-2)
    assert signals["i_sd"] < -20.0


def test_the_flux_model_of_the_squirrel_cage_motor_finds_the_flux():
    env = ElectricMotorEnv("scim", "torque")
    policy = pi(env)
    for _ in run(env, policy, 1500):
        pass
    y = env.save_state().states["y"][0]
    psi = y[4:6]  # rotor flux, stator frame
    assert policy.frame.flux == pytest.approx(np.hypot(*psi), rel=2e-2)
    # The angle is that of the measurement before the last step.
    lag = (math.atan2(psi[1], psi[0]) - policy.frame.angle) % (2.0 * math.pi)
    assert lag == pytest.approx(policy.frame.omega * env.drive.plant.tau, abs=2e-3)


def test_the_field_current_of_a_synchronous_motor_is_a_signal_of_its_own():
    env = ElectricMotorEnv("eesm", "current")
    env.reset(seed=0)
    _, _, _, _, info = env.step(np.array([0.2, -0.1, 0.0, 0.5], np.float32))
    s, x = info["signals"], env.save_state().states["y"][0, 2:5]
    assert [s["i_sd"], s["i_sq"], s["i_e"]] == pytest.approx(x.tolist())


# ----------------------------------------------------------------------------------------------------- speed control


@pytest.mark.parametrize(
    ("motor", "omega"),
    [("series_dc", 150.0), ("shunt_dc", 150.0), ("permex_dc", -150.0), ("extex_dc", 150.0), ("pmsm", -150.0),
     ("synrm", 200.0), ("eesm", 100.0), ("scim", 150.0), ("dfim", -100.0), ("sixpmsm", 40.0)],
)  # fmt: skip
def test_a_constant_speed_is_reached_and_held(motor, omega):
    env = ElectricMotorEnv(motor, "speed")
    speeds = np.array([s["omega"] for s in run(env, pi(env), 9000, {"omega": omega})])
    assert np.abs(speeds[-500:] - omega).max() < 1e-3 * abs(omega)
    assert np.abs(speeds).max() < 1.02 * abs(omega)


def test_the_paper_of_2019_is_matched():
    """The cascaded PI of 2019, in its own code, reaches 9812.5 in the mean and 9978.3 in the median of 20 episodes."""
    returns = [total for total, *_ in episodes(PAPER_2019, pi, 20, 10_000)]
    assert np.mean(returns) >= 9812.5 and np.median(returns) >= 9978.3


# -------------------------------------------------------------------------------------------------------------- MPC


def test_the_prediction_of_mpc_is_exact():
    env = ElectricMotorEnv("pmsm", "current", converter="finite", voltage_hold="dq", tau=1e-4)
    policy = mpc(env)
    observation, info = env.reset(seed=0)
    for _ in range(20):
        now = policy.frame.measure(info["signals"])
        action = policy.act(observation, info)
        phi, gamma, constant = policy.inner.prediction(now.omega)
        voltages = now.supply * policy.inner.levels[action] @ now.turn
        observation, _, _, _, info = env.step(action)
        expected = phi @ now.x + gamma @ voltages + constant
        assert [info["signals"]["i_sd"], info["signals"]["i_sq"]] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("motor", "task", "gain"), [
    ("pmsm", "current", 0.99), ("synrm", "current", 0.99), ("pmsm", "torque", 1.2), ("synrm", "torque", 1.0),
])  # fmt: skip
def test_mpc_is_at_least_as_good_as_pi(motor, task, gain):
    arguments = {"motor": motor, "task": task, "converter": "finite"}
    by_pi, by_mpc = (score(episodes(arguments, policy, 12, 1500), 1500) for policy in (pi, mpc))
    assert by_pi <= gain * by_mpc


@pytest.mark.parametrize("motor", ["pmsm", "synrm"])
@pytest.mark.parametrize("horizon", [1, 2])
def test_mpc_controls_speed_and_copes_with_dead_time(motor, horizon):
    env = ElectricMotorEnv(motor, "speed", converter={"type": "finite", "dead_time": 1})
    target = 2.0
    *_, signals = run(env, mpc(env, horizon=horizon), 3000, {"omega": target})
    assert signals["omega"] == pytest.approx(target, rel=0.1)


# ------------------------------------------------------------------------------------------------------- clear errors


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (pi, {"motor": "scim", "converter": "none", "supply": {"type": "ac3"}}, "nothing to control"),
        (pi, {"motor": "pmsm", "references": {"epsilon": {}}}, "follows the references omega, torque, i_sd, i_sq"),
        (pi, {"motor": "pmsm", "references": {"omega": {}, "torque": {}}}, "not omega and torque at once"),
        (mpc, {"motor": "pmsm"}, "converter = 'finite'; this drive has motor = 'pmsm', converter = 'continuous'"),
        (mpc, {"motor": "scim", "converter": "finite"}, "'pmsm' or 'synrm'"),
        (functools.partial(mpc, horizon=3), {"motor": "pmsm", "converter": "finite"}, "1 or 2 periods"),
    ],
)
def test_what_cannot_be_controlled_is_said(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(ElectricMotorEnv(**arguments))


@pytest.mark.parametrize("make", [pi, mpc])
def test_another_environment_is_refused(make):
    with pytest.raises(ValueError, match="controls an electric drive"):
        make(gymnasium.make("CartPole-v1"))
