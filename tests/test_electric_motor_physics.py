"""The physics of the drives against oracles: gym-electric-motor's trajectories, textbook equations, closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import textbook
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import solve_ivp

from rlx.envs.electric_motor import simulate
from rlx.envs.electric_motor.motors import MOTORS

DATA = Path(__file__).parent / "data"
CASES = json.loads((DATA / "electric_motor_oracle.json").read_text())
ORACLE = np.load(DATA / "electric_motor_oracle.npz")

DC = [name for name, kind in MOTORS.items() if not kind.is_three_phase]
AC = [name for name, kind in MOTORS.items() if kind.is_three_phase]
CONST = {"type": "const", "omega": 100.0}


def defaults(motor):
    """Parameters of a motor as a dict."""
    return dict(vars(MOTORS[motor].parameters()))


def worst(found, expected):
    """Largest deviation of any column, relative to its range (to its size, if it is constant)."""
    found, expected = np.asarray(found), np.asarray(expected)
    size = np.abs(expected).max(axis=0)
    spread = np.ptp(expected, axis=0)
    scale = np.where(spread > 1e-9 * size, spread, np.where(size > 0.0, size, 1.0))
    return float((np.abs(found - expected).max(axis=0) / scale).max())


# ------------------------------------------------------------------------------------------- trajectories of others


def oracle(name, voltage_hold):
    """Return rlx's simulation of a case, at the samples the oracle's file has."""
    case = CASES[name]
    result = simulate(actions=ORACLE[f"actions/{case['actions']}"], voltage_hold=voltage_hold, **case["arguments"])
    stride = case["stride"]
    return result.states[::stride], result.torque[::stride]


@pytest.mark.parametrize("name", CASES)
def test_trajectories_of_gym_electric_motor(name):
    states, torque = oracle(name, "dq")
    assert worst(states, ORACLE[f"dq/{name}"]) < 1e-6
    if f"torque/{name}" in ORACLE:
        assert worst(torque, ORACLE[f"torque/{name}"]) < 1e-6


@pytest.mark.parametrize("name", [name for name in CASES if f"abc/{name}" in ORACLE])
def test_trajectories_with_phase_voltages_held(name):
    states, expected = oracle(name, "abc")[0], ORACLE[f"abc/{name}"]
    if name == "pmsm/finiteB6_il":
        # The file replays the voltages of its dq run. From step 836 on a diode would decide otherwise on its own.
        states, expected = states[:83], expected[:83]
    assert worst(states, expected) < 1e-6


def test_documented_order_of_states():
    for name, case in CASES.items():
        result = simulate(actions=ORACLE[f"actions/{case['actions']}"][:1], **case["arguments"])
        assert result.states.shape[1] == ORACLE[f"dq/{name}"].shape[1] == len(result.names)
    assert simulate("eesm", np.zeros((1, 4))).names == ("omega", "i_sd", "i_sq", "i_e", "epsilon")
    assert simulate("dfim", np.zeros((1, 6))).names[1:5] == ("i_salpha", "i_sbeta", "psi_ralpha", "psi_rbeta")


# ----------------------------------------------------------------------------------------------- textbook equations

#: Within these factors every machine stays physical.
SPREAD = {"l_m": (0.7, 0.95), "l_d": (0.95, 1.3), "l_e": (0.95, 1.3)}


def random_case(motor, load, bridges, converter, seed, steps=60):
    """Arguments of `simulate` for a random machine in a random state."""
    rng = np.random.default_rng(seed)
    kind = MOTORS[motor]
    params = {
        name: value if name in ("p", "k") else value * rng.uniform(*SPREAD.get(name, (0.7, 1.3)))
        for name, value in defaults(motor).items()
    }
    speed = rng.choice([-1.0, 1.0]) * rng.uniform(30.0, 120.0)
    if load == "const":
        load = {"type": "const", "omega": speed}
    else:
        load = {"type": "poly", "a": rng.uniform(0.0, 0.2), "b": rng.uniform(0.0, 0.05), "c": 1e-5, "j_load": 2e-3}
    currents = rng.uniform(-0.7, 0.7, len(kind.states)) * kind.limits["i"]
    if kind.is_flux_oriented:
        currents[2:] = rng.uniform(-0.8, 0.8, 2)  # Vs
    initial = [speed, *currents, *([rng.uniform(-3.0, 3.0)] if kind.is_three_phase else [])]
    is_finite = converter["type"] == "finite"
    columns = []
    for bridge in bridges:
        if is_finite:
            draws = rng.integers(0, {"1qc": 2, "2qc": 3, "4qc": 4, "b6": 8}[bridge], steps)
            columns.append(np.repeat(draws, 2)[:steps])  # each switching state twice
        else:
            low = 0.0 if bridge in ("1qc", "2qc") else -1.0
            columns += [rng.uniform(low, 1.0, steps) for _ in range(3 if bridge == "b6" else 1)]
    return {
        "motor": motor,
        "actions": np.stack(columns, axis=1),
        "params": params,
        "load": load,
        "converter": {"bridges": list(bridges), **converter},
        "supply": kind.supply,
        "tau": 1e-5 if is_finite else 1e-4,
        "initial_state": initial,
    }


def agrees(case, voltage_hold):
    found = simulate(**case, voltage_hold=voltage_hold)
    states, torque = textbook.simulate(**case, voltage_hold=voltage_hold)
    return max(worst(found.states, states), worst(found.torque, torque))


def bridges_of(motor):
    return tuple("4qc" if place == "dc" else place for place in MOTORS[motor].converters)


@pytest.mark.parametrize("voltage_hold", ["abc", "dq"])
@pytest.mark.parametrize("load", ["const", "poly"])
@pytest.mark.parametrize("kind", ["continuous", "finite"])
@pytest.mark.parametrize("motor", MOTORS)
def test_every_motor_against_the_textbook(motor, kind, load, voltage_hold):
    for seed in range(2):
        case = random_case(motor, load, bridges_of(motor), {"type": kind}, seed)
        assert agrees(case, voltage_hold) < 1e-6


CONVERTERS = [("series_dc", ("1qc",)), ("permex_dc", ("1qc",)), ("permex_dc", ("2qc",)), ("permex_dc", ("4qc",)),
              ("shunt_dc", ("2qc",)), ("extex_dc", ("4qc", "2qc")), ("extex_dc", ("2qc", "1qc")), ("pmsm", ("b6",)),
              ("scim", ("b6",)), ("eesm", ("b6", "4qc")),
              ("dfim", ("b6", "b6")), ("sixpmsm", ("b6", "b6"))]  # fmt: skip
MODES = {
    "continuous": {"type": "continuous", "interlocking_time": 3e-6},
    "period": {"type": "finite", "interlocking_time": 1e-6},
    "interlocking": {"type": "finite", "interlocking_time": 1e-6, "commutation": "interlocking"},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("motor", "bridges"), CONVERTERS)
def test_interlocking_and_diodes_against_the_textbook(motor, bridges, mode):
    """Also four-quadrant converters, where gym-electric-motor's legs see currents of the wrong sign."""
    for seed in range(3):
        for load in ("const", "poly"):
            case = random_case(motor, load, bridges, MODES[mode], seed)
            assert agrees(case, "abc") < 1e-6


@pytest.mark.parametrize(("motor", "bridges"), CONVERTERS)
def test_interlocking_matters(motor, bridges):
    """The cases above would notice a converter that ignores its interlocking time."""
    case = random_case(motor, "const", bridges, MODES["period"], 0)
    ideal = case | {"converter": {"type": "finite", "bridges": list(bridges)}}
    if "1qc" not in bridges:
        assert worst(simulate(**case).states, simulate(**ideal).states) > 1e-3


@pytest.mark.parametrize("motor", ["permex_dc", "pmsm", "dfim"])
def test_friction_around_standstill(motor):
    """Torque of both signs and much Coulomb friction: the speed crosses its kinks again and again."""
    load = {"type": "poly", "a": 0.2, "b": 0.02, "c": 2e-5, "j_load": 2e-3}
    for seed in range(3):
        case = random_case(motor, "poly", bridges_of(motor), {"type": "continuous"}, seed, steps=200)
        case |= {"load": load, "initial_state": None}
        assert agrees(case, "abc") < 1e-6


def test_actions_of_one_column_may_be_flat():
    actions = np.linspace(-1.0, 1.0, 20)
    one, other = simulate("series_dc", actions), simulate("series_dc", actions[:, None])
    np.testing.assert_array_equal(one.states, other.states)


# ---------------------------------------------------------------------------------------------------- energy balance


def magnetic_energy(motor, p, x):
    """Energy of the field in J (magnets excepted) by the states, columns of ``x``."""
    if motor == "series_dc":
        return 0.5 * (p["l_a"] + p["l_e"]) * x[0] ** 2
    if motor == "permex_dc":
        return 0.5 * p["l_a"] * x[0] ** 2
    if motor in ("shunt_dc", "extex_dc"):
        return 0.5 * (p["l_a"] * x[0] ** 2 + p["l_e"] * x[1] ** 2)
    if motor in ("scim", "dfim"):
        i_s, i_r = induction_currents(p, x)
        l_s, l_r = p["l_m"] + p["l_sigs"], p["l_m"] + p["l_sigr"]
        return 0.75 * (l_s * abs(i_s) ** 2 + 2 * p["l_m"] * (i_s * i_r.conjugate()).real + l_r * abs(i_r) ** 2)
    if motor == "sixpmsm":
        return 1.5 * (p["l_d"] * x[0] ** 2 + p["l_q"] * x[1] ** 2 + p["l_x"] * x[2] ** 2 + p["l_y"] * x[3] ** 2)
    energy = 0.75 * (p["l_d"] * x[0] ** 2 + p["l_q"] * x[1] ** 2)
    if motor == "eesm":
        energy = energy + 0.5 * p["l_e"] * x[2] ** 2 + 1.5 * p["l_m"] * x[0] * x[2]
    return energy


def induction_currents(p, x):
    """Stator and rotor current as complex vectors in the stator's frame."""
    i_s, psi_r = x[0] + 1j * x[1], x[2] + 1j * x[3]
    return i_s, (psi_r - p["l_m"] * i_s) / (p["l_m"] + p["l_sigr"])


def input_and_loss(motor, p, x, epsilon, phases):
    """Electrical power taken in and lost in copper, W."""
    turn = np.exp(1j * epsilon)
    if motor in DC:
        i_a, i_e = (x[0], x[0]) if motor == "series_dc" else (x[0], x[1] if len(x) > 1 else 0.0)
        u_a, u_e = phases if motor == "extex_dc" else (phases[0], phases[0])
        excited = 0.0 if motor in ("series_dc", "permex_dc") else u_e * i_e
        return u_a * i_a + excited, p["r_a"] * i_a**2 + p.get("r_e", 0.0) * i_e**2
    vectors = textbook.MACHINES[motor](**p).voltages(phases)
    if motor in ("scim", "dfim"):
        i_s, i_r = induction_currents(p, x)
        u_r = vectors[1] * turn  # the rotor's inverter turns with it
        power = 1.5 * (vectors[0] * i_s.conjugate() + u_r * i_r.conjugate()).real
        return power, 1.5 * (p["r_s"] * abs(i_s) ** 2 + p["r_r"] * abs(i_r) ** 2)
    u = vectors[0] / turn
    if motor == "sixpmsm":
        v = vectors[1] * turn
        power = 3 * (u.real * x[0] + u.imag * x[1] + v.real * x[2] + v.imag * x[3])
        return power, 3 * p["r_s"] * (x**2).sum()
    power, loss = 1.5 * (u.real * x[0] + u.imag * x[1]), 1.5 * p["r_s"] * (x[0] ** 2 + x[1] ** 2)
    return (power + vectors[1] * x[2], loss + p["r_e"] * x[2] ** 2) if motor == "eesm" else (power, loss)


SHARES = st.floats(-1.0, 1.0, width=32)


@pytest.mark.parametrize("motor", MOTORS)
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_power_taken_in_is_lost_stored_or_turns_the_shaft(motor, data):
    """u i = R i^2 + dW/dt + T omega, for any state, voltage and parameters: nothing makes or swallows energy."""
    kind = MOTORS[motor]
    draw = lambda n: np.array(data.draw(st.lists(SHARES, min_size=n, max_size=n)))  # noqa: E731
    names = [name for name in defaults(motor) if name not in ("p", "k")]
    factors = dict(zip(names, draw(len(names)), strict=True))
    params = defaults(motor)
    for name, share in factors.items():
        low, high = SPREAD.get(name, (0.5, 2.0))
        params[name] *= low + (high - low) * (share + 1.0) / 2.0
    x = draw(len(kind.states)) * kind.limits["i"]
    if kind.is_flux_oriented:
        x[2:] /= kind.limits["i"]
    duties = draw(kind.channels)
    speed, epsilon = draw(2) * (kind.limits["omega"], np.pi)
    # Five samples of a smooth motion: the phase voltages stay the same all the time.
    tau = 2e-6
    run = simulate(
        motor,
        np.tile(duties, (4, 1)),
        params=params,
        load={"type": "const", "omega": speed},
        tau=tau,
        initial_state=[speed, *x, *([epsilon] if kind.is_three_phase else [])],
    )
    n = len(kind.states)
    energy = magnetic_energy(motor, params, run.states[:, 1 : 1 + n].T)
    rate = np.dot([1.0, -8.0, 0.0, 8.0, -1.0], energy) / (12.0 * tau)
    middle = run.states[2]
    # An inverter's leg gives half its share of the supply, a four-quadrant converter all of it.
    shares = np.repeat(
        [0.5 if b == "b6" else 1.0 for b in kind.converters], [3 if b == "b6" else 1 for b in kind.converters]
    )
    phases = duties * shares * kind.supply
    taken, lost = input_and_loss(motor, params, middle[1 : 1 + n], middle[-1], phases)
    shaft = run.torque[2] * speed
    assert taken - lost - rate == pytest.approx(
        shaft, abs=1e-6 * (abs(taken) + abs(lost) + abs(rate) + abs(shaft) + 1.0)
    )


def test_the_field_of_a_machine_at_rest_only_decays():
    """Short-circuited windings and no motion: energy falls in every step."""
    for motor, kind in MOTORS.items():
        x = [0.5 * kind.limits["i"]] * len(kind.states)
        if kind.is_flux_oriented:
            x[2:] = 0.4, -0.3
        initial = [0.0, *x, *([0.3] if kind.is_three_phase else [])]
        run = simulate(
            motor, np.zeros((200, kind.channels)), load={"type": "const", "omega": 0.0}, initial_state=initial
        )
        energy = magnetic_energy(motor, defaults(motor), run.states[:, 1 : 1 + len(x)].T)
        assert (np.diff(energy) < 0.0).all() or energy[-1] < 1e-9 * energy[0]


# ----------------------------------------------------------------------------------------------------- steady states


def settled(motor, actions, steps=30_000, **arguments):
    run = simulate(motor, np.tile(actions, (steps, 1)), **arguments)
    return run.states[-1], run.torque[-1]


def test_dc_motors_settle_at_ohms_law():
    u, omega = 0.4 * 60.0, 100.0
    p = defaults("series_dc")
    states, torque = settled("series_dc", [0.4])
    i = u / (p["r_a"] + p["r_e"] + p["l_e_prime"] * omega)
    assert states[1] == pytest.approx(i, rel=1e-9)
    assert torque == pytest.approx(p["l_e_prime"] * i**2, rel=1e-9)
    p = defaults("permex_dc")
    states, torque = settled("permex_dc", [0.4])
    assert states[1] == pytest.approx((u - p["psi_e"] * omega) / p["r_a"], rel=1e-9)
    p = defaults("shunt_dc")
    states, torque = settled("shunt_dc", [0.4])
    i_e = u / p["r_e"]
    assert states[1:] == pytest.approx([(u - p["l_e_prime"] * i_e * omega) / p["r_a"], i_e], rel=1e-9)


def test_dc_motor_settles_where_torque_meets_the_load():
    """Permanently excited motor on a load b omega: omega = psi u / (b r + psi^2)."""
    p, b = defaults("permex_dc"), 0.05
    states, torque = settled("permex_dc", [0.5], load={"type": "poly", "a": 0.0, "b": b, "c": 0.0, "j_load": 0.0})
    omega = p["psi_e"] * 30.0 / (b * p["r_a"] + p["psi_e"] ** 2)
    assert states[0] == pytest.approx(omega, rel=1e-9)
    assert torque == pytest.approx(b * omega, rel=1e-9)


@pytest.mark.parametrize("motor", ["pmsm", "sixpmsm"])
@pytest.mark.parametrize("omega", [-300.0, 20.0, 100.0])
def test_short_circuit_of_a_permanent_magnet_machine(motor, omega):
    p = defaults(motor)
    psi, w = p.get("psi_p", p.get("psi_PM")), p["p"] * omega
    size = p["r_s"] ** 2 + w**2 * p["l_d"] * p["l_q"]
    states, torque = settled(motor, [0.0] * MOTORS[motor].channels, load={"type": "const", "omega": omega})
    i_d, i_q = -psi * w**2 * p["l_q"] / size, -psi * w * p["r_s"] / size
    assert states[1:3] == pytest.approx([i_d, i_q], rel=1e-8)
    phases = 1.5 if motor == "pmsm" else 3.0
    assert torque == pytest.approx(phases * p["p"] * (psi + (p["l_d"] - p["l_q"]) * i_d) * i_q, rel=1e-8)
    assert torque * omega < 0.0


@pytest.mark.parametrize("slip", [1.0, 0.1, 0.03, -0.05])
def test_induction_machine_has_the_torque_of_its_equivalent_circuit(slip):
    """Air-gap power over synchronous speed, of the T circuit at the fundamental of the sampled mains."""
    p, frequency, tau = defaults("scim"), 50.0, 2e-5
    w = 2 * np.pi * frequency
    speed = w / p["p"]
    supply = {"type": "ac3", "voltage": 400.0, "frequency": frequency, "phase": 0.3}
    steps = 50_000
    run = simulate(
        "scim", np.zeros((steps, 0)), supply=supply, converter="none", tau=tau,
        load={"type": "const", "omega": (1.0 - slip) * speed},
    )  # fmt: skip
    # Each sample of the mains holds for a period, which takes sinc(w tau / 2) of the fundamental's amplitude.
    u = 400.0 * np.sqrt(2 / 3) * np.sinc(w * tau / 2 / np.pi)
    stator = p["r_s"] + 1j * w * p["l_sigs"]
    rotor = p["r_r"] / slip + 1j * w * p["l_sigr"]
    magnetizing = 1j * w * p["l_m"]
    i_s = u / (stator + magnetizing * rotor / (magnetizing + rotor))
    i_r = i_s * magnetizing / (magnetizing + rotor)
    torque = 1.5 * abs(i_r) ** 2 * p["r_r"] / slip / speed
    last = slice(-round(1 / frequency / tau), None)
    assert run.torque[last].mean() == pytest.approx(torque, rel=5e-5)
    assert np.hypot(*run.states[last, 1:3].T).mean() == pytest.approx(abs(i_s), rel=1e-4)


def test_dfim_at_synchronous_speed_is_excited_by_its_rotor():
    """No slip and a short-circuited stator: rotor DC makes a stator EMF, as in a synchronous machine."""
    p = defaults("dfim")
    run = simulate("dfim", np.tile([0.0, 0.0, 0.0, 0.1, -0.05, -0.05], (20_000, 1)))
    # Rotor voltage 0.1 * 720 / 2 along its own axis; stator impedance at the rotor's speed.
    w, u_r = p["p"] * 100.0, 36.0
    l_s, l_r = p["l_m"] + p["l_sigs"], p["l_m"] + p["l_sigr"]
    i_r = u_r / p["r_r"]  # DC in the rotor's frame
    i_s = -1j * w * p["l_m"] * i_r / (p["r_s"] + 1j * w * l_s)
    x = run.states[-1]
    turn = np.exp(1j * x[-1])
    assert complex(x[1], x[2]) / turn == pytest.approx(i_s, rel=1e-6)
    assert complex(x[3], x[4]) / turn == pytest.approx(l_r * i_r + p["l_m"] * i_s, rel=1e-6)


# -------------------------------------------------------------------------------------------------- loads and supplies


def run_down(load, omega, steps=2000, tau=1e-4):
    """Speed of a series motor without current."""
    j = 2.5e-3
    run = simulate(
        "series_dc",
        np.zeros(steps),
        load={"type": "poly", "j_load": 7.5e-3, **load},
        initial_state=[omega, 0.0],
        tau=tau,
    )
    return run.time, run.states[:, 0], j + 7.5e-3


def test_run_down_against_a_viscous_and_a_quadratic_load():
    t, omega, j = run_down({"b": 0.02}, 80.0)
    np.testing.assert_allclose(omega, 80.0 * np.exp(-0.02 * t / j), rtol=1e-9)
    t, omega, j = run_down({"c": 1e-3}, 80.0)
    np.testing.assert_allclose(omega, 80.0 / (1.0 + 1e-3 * 80.0 * t / j), rtol=1e-9)
    np.testing.assert_array_equal(
        run_down({"a": 0.1, "b": 0.02, "c": 1e-3}, -80.0)[1], -run_down({"a": 0.1, "b": 0.02, "c": 1e-3}, 80.0)[1]
    )


def test_coulomb_friction_is_smoothed_over_one_millisecond():
    """Constant until omega = a 1 ms / J, then exponential with 1 ms: the speed never overshoots zero."""
    a = 0.1
    t, omega, j = run_down({"a": a}, 1.0)
    knee = a * 1e-3 / j
    reached = (1.0 - knee) * j / a
    expected = np.where(t < reached, 1.0 - a * t / j, knee * np.exp(-(t - reached) / 1e-3))
    np.testing.assert_allclose(omega, expected, atol=2e-5)
    assert (omega > 0.0).all()


def test_speed_profile_is_interpolated_and_then_held():
    load = {"type": "profile", "time": [0.0, 0.02, 0.05, 0.051], "omega": [10.0, -50.0, 200.0, 150.0]}
    run = simulate("pmsm", np.zeros((1000, 3)), load=load)
    np.testing.assert_allclose(run.states[:, 0], np.interp(run.time, load["time"], load["omega"]), atol=1e-9)
    # The angle is the speed's integral: every knot is a sampling instant, so the trapezoid rule is exact.
    steps = 0.5e-4 * (run.states[1:, 0] + run.states[:-1, 0])
    np.testing.assert_allclose(run.states[1:, -1], 3 * np.cumsum(steps), atol=1e-9)


def test_ornstein_uhlenbeck_speed_follows_the_exact_process():
    mean, sigma, theta, tau = 50.0, 40.0, 20.0, 1e-3
    load = {"type": "ornstein_uhlenbeck", "mean": mean, "sigma": sigma, "theta": theta, "low": -1e3, "high": 1e3}
    speed = simulate("permex_dc", np.zeros(40_000), load=load, tau=tau, seed=4).states[:, 0]
    assert speed[0] == 0.0
    decay = np.exp(-theta * tau)
    noise = (speed[1:] - mean - (speed[:-1] - mean) * decay) / (sigma * np.sqrt((1 - decay**2) / (2 * theta)))
    assert stats.kstest(noise, "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.02
    assert speed[2000:].mean() == pytest.approx(mean, abs=1.5)
    assert speed[2000:].var() == pytest.approx(sigma**2 / (2 * theta), rel=0.12)


def test_ornstein_uhlenbeck_speed_stays_in_its_interval_and_depends_on_the_seed():
    load = {"type": "ornstein_uhlenbeck", "mean": 100.0, "sigma": 500.0, "low": 20.0, "high": 120.0}
    runs = [simulate("permex_dc", np.zeros(2000), load=load, seed=seed).states[:, 0] for seed in (1, 1, 2)]
    assert min(map(np.min, runs)) == 20.0
    assert max(map(np.max, runs)) == 120.0
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_rc_supply_settles_by_ohms_law():
    """V_c = V - R d i with the current (d V_c - psi omega) / r_a that flows through the duty cycle d of the time."""
    p, d, omega, v, r = defaults("permex_dc"), 0.6, 100.0, 60.0, 0.05
    emf = p["psi_e"] * omega
    supply = {"type": "rc", "voltage": v, "r": r, "c": 4e-3}
    states, _ = settled(
        "permex_dc", [d], supply=supply, load={"type": "const", "omega": omega}, converter={"bridges": "2qc"}
    )
    v_c = (v + r * d * emf / p["r_a"]) / (1.0 + r * d**2 / p["r_a"])
    assert states[1] == pytest.approx((d * v_c - emf) / p["r_a"], rel=1e-6)


@pytest.mark.parametrize(("kind", "bridge"), [("continuous", "2qc"), ("continuous", "4qc"), ("finite", "4qc")])
def test_rc_supply_against_its_differential_equation(kind, bridge):
    """Converter and capacitor solved together; rlx updates the capacitor once per period, so it converges with tau."""
    p, v, r, c = defaults("permex_dc"), 60.0, 0.5, 4e-3
    supply, load = {"type": "rc", "voltage": v, "r": r, "c": c}, {"type": "const", "omega": 100.0}
    share = {"continuous": 0.6, "finite": 1.0}[kind]
    error = []
    for tau in (1e-5, 5e-6):
        steps = round(0.02 / tau)
        action = 1 if kind == "finite" else share
        converter = {"type": kind, "bridges": bridge}
        run = simulate("permex_dc", np.full((steps, 1), action), supply=supply, load=load, tau=tau, converter=converter)

        def slope(t, y):
            i, v_c = y
            return [(share * v_c - p["r_a"] * i - p["psi_e"] * 100.0) / p["l_a"], ((v - v_c) / r - share * i) / c]

        solution = solve_ivp(slope, (0.0, 0.02), [0.0, v], "DOP853", rtol=1e-9, t_eval=run.time)
        error.append(worst(run.states[:, 1], solution.y[0]))
    assert error[1] < 2e-2
    assert error[1] < 0.6 * error[0]


def test_single_phase_supply_feeds_the_motor_with_a_sine():
    """A resistive-inductive load on a sampled sine, by phasors."""
    p, tau = defaults("series_dc"), 1e-5
    supply = {"type": "ac1", "voltage": 23.0, "frequency": 50.0, "phase": 0.7}
    run = simulate("series_dc", np.ones(40_000), supply=supply, tau=tau, load={"type": "const", "omega": 0.0})
    w = 2 * np.pi * 50.0
    impedance = p["r_a"] + p["r_e"] + 1j * w * (p["l_a"] + p["l_e"])
    # A sample holds for a period: half a period late, on average.
    phasor = 23.0 * np.sqrt(2) * np.exp(1j * (0.7 - w * tau / 2)) / impedance
    transient = -phasor.imag * np.exp(-run.time * impedance.real / (p["l_a"] + p["l_e"]))
    expected = (phasor * np.exp(1j * w * run.time)).imag + transient
    assert worst(run.states[:, 1], expected) < 1e-5


def test_direct_start_of_an_induction_motor():
    """From rest to near-synchronous speed at the mains, against the textbook with the same sampled voltages."""
    p, tau, amplitude = defaults("scim"), 1e-4, 400.0 * np.sqrt(2 / 3)
    load = {"type": "poly", "a": 0.0, "b": 0.001, "c": 0.0, "j_load": 1e-3}
    supply = {"type": "ac3", "voltage": 400.0, "frequency": 50.0, "phase": 0.2}
    run = simulate("scim", np.zeros((3000, 0)), supply=supply, converter="none", tau=tau, load=load)
    assert run.states[-1, 0] == pytest.approx(2 * np.pi * 50.0 / p["p"], rel=0.02)

    def mains(t):
        angle = 2 * np.pi * 50.0 * t + 0.2
        return amplitude * np.sin(angle - 2 * np.pi / 3 * np.arange(3))

    # A continuous bridge at full duty passes the supply: duty 1, less half.
    states, torque = textbook.simulate(
        "scim", np.ones((300, 3)), params=p, load=load, converter={"type": "continuous"}, supply=lambda t: 2 * mains(t),
        tau=tau, voltage_hold="abc",
    )  # fmt: skip
    assert worst(run.states[:301], states) < 1e-6
    assert worst(run.torque[:301], torque) < 1e-6


# ------------------------------------------------------------------------------------------------------ step size


@pytest.mark.parametrize("tau", [1e-6, 1e-3, 1e-2])
@pytest.mark.parametrize("motor", ["permex_dc", "extex_dc", "pmsm", "scim", "sixpmsm"])
def test_accuracy_does_not_depend_on_the_control_period(motor, tau):
    case = random_case(motor, "poly", bridges_of(motor), {"type": "continuous"}, 5, steps=10) | {"tau": tau}
    case["actions"] = 0.2 * case["actions"]
    assert agrees(case, "abc") < 1e-6
