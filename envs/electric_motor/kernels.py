"""The drive: machine, converter, supply, load, references and reward of one control period, as scalar functions.

One machine model serves all ten motors. In the frame in which the equations have constant coefficients, every
electrical machine obeys (Kron's generalised machine; Krause, Wasynczuk, Sudhoff, "Analysis of Electric Machinery")::

    u = R i + L di/dt + omega (G i + e)        and        T = w . i (G i + e),

with resistances R, inductances L, motional inductances G, permanent flux e, speed omega and power weights w. Multiplied
out, with the electrical state x (currents, or currents and rotor fluxes), this is

    dx/dt = A x + omega (C x + d) + B v,       T = x . (Q x + q),       J domega/dt = T - T_load(omega).

So a motor is a handful of matrices (`motors.py`), torque and back-EMF always balance, and the functions below have no
case for any motor. Units are SI; angles are electrical radians; omega is mechanical.

Phase voltages reach the machine frame by Clarke's transform and a turn of each pair of components by
``spin * epsilon``. An inverter holds the phase voltages, so during a period the frame voltages turn with the rotor;
with ``turns = 0`` they stand still instead ("dq hold").
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import COST, INFO, REWARD, TERMINATED, Stream, inlined, jit, normal, state_dtype, uniform

Array = NDArray[np.float64]
Record = Any  # an element of an array of `ROW` (row), `DRIVE` (s) or `SCRATCH` (w)
Four = tuple[float, float, float, float]
Ten = tuple[float, float, float, float, float, float, float, float, float, float]

#: Room for electrical states, converter channels (phases), references, generators of a reference, constraints, knots of
#: a speed profile, signals of an observation, and steps of dead time.
STATES, CHANNELS, REFERENCES, GENERATORS, CONSTRAINTS, KNOTS, SIGNALS, DELAY = 4, 6, 4, 8, 4, 64, 40, 4

#: Where groups of signals stand among all signals of all motors. A drive numbers those it has without gaps, in this
#: order (`Drive.signals`): that is their place in the pool, from which observations, references and constraints choose.
OMEGA, TORQUE, PHASE_CURRENT, CURRENT, PHASE_VOLTAGE, VOLTAGE, EPSILON, SUPPLY = 0, 1, 2, 8, 12, 18, 22, 23
POOL = 32

# Positions in the vector that is integrated: speed, angle, electrical states, frame voltages.
_W, _E, _X, _V, _SIZE = 0, 1, 2, 6, 10
# What a lane holds besides: step size, imposed acceleration, charge drawn from the supply, speed at the period's end.
_H, _ACCELERATION, _DRAWN, _NEXT_SPEED, _LANE = 10, 11, 12, 13, 14
#: Drives that are integrated side by side; one more lane is for intermediate results.
LANES = 32

LOADS = ("poly", "const", "profile", "ornstein_uhlenbeck")
_POLY, _CONST, _PROFILE, _ORNSTEIN_UHLENBECK = range(4)

SUPPLIES = ("ideal", "rc", "ac1", "ac3")
_IDEAL, _RC, _AC1, _AC3 = range(4)

GENERATOR_KINDS = ("const", "wiener", "laplace", "sine", "triangle", "sawtooth", "step", "feasible")
_REF_CONST, _WIENER, _LAPLACE, _SINE, _TRIANGLE, _SAWTOOTH, _STEP, _FEASIBLE = range(8)

_F8, _I8 = np.float64, np.int64

#: A reference generator, packed.
GENERATOR = np.dtype(
    [
        ("kind", _I8),
        ("cumulative", _F8),  # probability of this or an earlier generator
        ("value", _F8),
        ("log_sigma", _F8, (2,)),  # log10 of the step size's range
        ("amplitude", _F8, (2,)),
        ("frequency", _F8, (2,)),  # Hz; or periods in s
        ("draws_period", _I8),
        ("offset", _F8, (2,)),
        ("margin", _F8, (2,)),  # the reference stays within
        ("length", _F8, (2,)),  # steps of a sub-episode
    ]
)

#: Everything about a drive that does not change during an episode.
ROW = np.dtype(
    [
        # Machine
        ("n", _I8),
        ("m", _I8),
        ("a", _F8, (STATES, STATES)),
        ("c", _F8, (STATES, STATES)),
        ("d", _F8, (STATES,)),
        ("b", _F8, (STATES, STATES)),
        ("q2", _F8, (STATES, STATES)),
        ("q1", _F8, (STATES,)),
        ("current", _F8, (STATES, STATES)),  # electrical state -> frame currents
        ("pole_pairs", _F8),
        ("inertia", _F8),  # rotor and load, kg m^2
        ("per_inertia", _F8),
        ("spin", _F8, (2,)),  # turn of each pair from the stationary to the machine frame, in units of epsilon
        ("is_three_phase", _I8),
        ("is_flux_oriented", _I8),  # report dq quantities along the rotor flux (induction machines)
        ("clarke", _F8, (STATES, CHANNELS)),
        ("declarke", _F8, (CHANNELS, STATES)),
        ("observes_flux", _I8),
        ("observer", _F8, (2,)),  # r_r / l_r and l_m r_r / l_r of the flux observer
        # Converter: a channel is the difference of two half-bridge legs, minus an offset
        ("channels", _I8),
        ("is_finite", _I8),
        ("source", _I8, (CHANNELS,)),  # the action that drives the channel
        ("gain", _F8, (CHANNELS, 2)),  # duty of each leg = gain * action + bias
        ("bias", _F8, (CHANNELS, 2)),
        ("table", _I8, (CHANNELS, 8, 2)),  # finite: leg states per action: 0 both off, 1 upper on, 2 lower on
        ("legs", _I8, (CHANNELS,)),
        ("has_diode_only", _I8, (CHANNELS,)),  # the lower switch is a diode: one quadrant
        ("offset", _F8, (CHANNELS,)),
        ("supply_of", _I8, (CHANNELS,)),
        ("is_linear", _I8),  # averaged, ideal: voltage = supply * (net gain * action + net bias)
        ("net_gain", _F8, (CHANNELS,)),
        ("net_bias", _F8, (CHANNELS,)),
        ("interlocking_time", _F8),
        ("waits_for_period", _I8),  # a commutating leg is off until the period's end
        ("dead_time", _I8),  # periods between choosing and applying an action
        ("actions", _I8),
        ("sources", _I8),  # actions of the converter: those, or the phases' duty cycles they stand for
        ("is_dq_action", _I8),
        ("drive_low", _F8, (CHANNELS,)),  # of the mean voltage of a channel, normalised
        ("drive_high", _F8, (CHANNELS,)),
        # Supply
        ("supply", _I8),
        ("supply_voltage", _F8),  # V, amplitude for AC
        ("supply_r", _F8),
        ("supply_c", _F8),
        ("supply_frequency", _F8),
        ("supply_phase", _F8),  # rad, negative: drawn at reset
        # Load
        ("load", _I8),
        ("load_a", _F8),
        ("load_b", _F8),
        ("load_c", _F8),
        ("load_omega", _F8),
        ("load_sigma", _F8),
        ("load_theta", _F8),
        ("load_range", _F8, (2,)),
        ("knots", _I8),
        ("knot_time", _F8, (KNOTS,)),
        ("knot_omega", _F8, (KNOTS,)),
        # Time
        ("tau", _F8),
        ("substeps", _I8),
        ("h", _F8),  # tau / substeps
        ("turns", _I8),  # 1: phase voltages are held during a period, 0: frame voltages are
        # Initial state of omega, epsilon, x: mean, deviation (0: uniform in the interval), interval
        ("initial", _F8, (STATES + 2, 4)),
        # Pool: where each group of signals begins
        ("at_phase_current", _I8),
        ("at_current", _I8),
        ("at_phase_voltage", _I8),
        ("at_voltage", _I8),
        ("at_epsilon", _I8),
        ("at_supply", _I8),
        ("at_flux", _I8),
        ("at_direction", _I8),
        ("voltages", _I8),  # frame voltages among the signals
        ("reports", _I8),  # signals of info: the first of the pool
        # Observation
        ("signals", _I8),
        ("is_whole", _I8),  # the observed signals are the first of the pool
        ("signal", _I8, (SIGNALS,)),
        ("per_scale", _F8, (SIGNALS,)),  # 1 / scale
        ("low", _F8, (SIGNALS,)),
        ("noise", _F8, (SIGNALS,)),  # standard deviation, normalised
        ("is_noisy", _I8),
        # References
        ("references", _I8),
        ("reference", _I8, (REFERENCES,)),
        ("reference_scale", _F8, (REFERENCES,)),
        ("per_reference_scale", _F8, (REFERENCES,)),
        ("reference_start", _F8, (REFERENCES, 2)),
        ("generator_length", _F8, (REFERENCES, 2)),  # steps until another generator may take over
        ("generator", GENERATOR, (REFERENCES * GENERATORS,)),
        ("is_feasible", _I8),
        ("shadow_chance", _F8),  # of a new target for the shadow's voltage, per period
        ("shadow_share", _F8),  # of the way to the target, per period
        # Reward
        ("weight", _F8, (REFERENCES,)),
        ("power", _F8, (REFERENCES,)),
        ("per_span", _F8, (REFERENCES,)),
        ("reward_bias", _F8),
        ("violation_reward", _F8),
        # Constraints: a weighted norm of signals, at most 1
        ("constraints", _I8),
        ("constraint_terms", _I8, (CONSTRAINTS,)),
        ("constraint_signal", _I8, (CONSTRAINTS, 8)),
        ("constraint_weight", _F8, (CONSTRAINTS, 8)),
        ("constraint_order", _F8, (CONSTRAINTS,)),  # 0: maximum norm
        ("constraint_soft", _F8, (CONSTRAINTS,)),
        ("merges_by_product", _I8),
    ],
    align=True,
)

# Columns of the state of a reference.
_VALUE, _GENERATOR, _REMAINING, _TENURE, _SIGMA, _AMPLITUDE, _CYCLES, _PHASE, _OFFSET, _WIDTH = range(10)

#: The state of a drive.
DRIVE = state_dtype(
    ("k", _I8),  # periods since reset
    ("y", _F8, (_SIZE,)),  # speed, angle (unwrapped), electrical states, frame voltages
    ("direction", _F8, (2,)),  # cosine and sine of the angle
    ("supply", _F8, (3,)),
    ("supply_phase", _F8),
    ("phase_voltage", _F8, (CHANNELS,)),
    ("action", _F8, (CHANNELS,)),  # applied last
    ("reference", _F8, (REFERENCES, 10)),
    ("legs", _I8, (CHANNELS, 2)),  # what the switches of a finite converter are doing
    ("pending", _F8, (DELAY, CHANNELS)),  # chosen, not yet applied
    ("flux", _F8, (2,)),  # observed rotor flux
    # A second drive that a feasible reference follows
    ("shadow_y", _F8, (_SIZE,)),
    ("shadow_drive", _F8, (CHANNELS, 2)),  # normalised voltage and the target it moves to
)


#: Room for intermediate results: a record, since views of its fields count no references.
SCRATCH = np.dtype(
    [
        ("pool", _F8, (POOL,)),
        ("currents", _F8, (CHANNELS,)),
        ("frame", _F8, (STATES,)),
        ("commands", _F8, (CHANNELS, 2)),
        ("first", _F8, (CHANNELS, 2)),  # commands during the interlocking time
        ("before", _F8, (_SIZE,)),
        ("voltage", _F8, (CHANNELS,)),
        ("lanes", _F8, (_LANE, LANES + 1)),
    ],
    align=True,
)


# ----------------------------------------------------------------------------------------------- machine and load


# The functions up to `integrate` are arithmetic without branches or memory on plain numbers and tuples: so the compiler
# runs eight drives at once in one vector register. Lanes round like scalars, so that nothing depends on it.


@inlined
def matrix(m: Array) -> tuple[float, ...]:
    """Return a 4 x 4 matrix, row by row."""
    return (
        m[0, 0], m[0, 1], m[0, 2], m[0, 3], m[1, 0], m[1, 1], m[1, 2], m[1, 3],
        m[2, 0], m[2, 1], m[2, 2], m[2, 3], m[3, 0], m[3, 1], m[3, 2], m[3, 3],
    )  # fmt: skip


@inlined
def vector(v: Array) -> Four:
    """Return four components."""
    return v[0], v[1], v[2], v[3]


@inlined
def ten(y: Array) -> Ten:
    """Return the ten components of a state."""
    return y[0], y[1], y[2], y[3], y[4], y[5], y[6], y[7], y[8], y[9]


@inlined
def machine_of(row: Record) -> Any:
    """Return the coefficients of `derivative`: A, C, B, d, Q, q, load, inverse inertia, pole pairs, voltage turns."""
    return (
        matrix(row.a), matrix(row.c), matrix(row.b), vector(row.d), matrix(row.q2), vector(row.q1),
        (row.load_a, row.load_b, row.load_c, row.inertia * 1e3), row.per_inertia, row.pole_pairs,
        row.turns * row.spin[0], row.turns * row.spin[1],
    )  # fmt: skip


@inlined
def load_torque(load: Four, omega: float) -> float:
    """Static load torque in N m: sign(w) c w^2 + b w + a, where a is smoothed around standstill over 1 ms."""
    a, b, c, slope = load
    return b * omega + c * omega * abs(omega) + min(max(slope * omega, -a), a)


@inlined
def torque_of(q2: Any, q1: Four, y: Ten, n: int) -> float:
    """Torque of the machine in N m: x . (Q x + q), for ``n`` states."""
    x_0, x_1, x_2, x_3 = y[_X], y[_X + 1], y[_X + 2], y[_X + 3]
    torque = x_0 * (q1[0] + q2[0] * x_0)
    if n > 1:
        torque += x_0 * (q2[1] * x_1) + x_1 * ((q1[1] + q2[4] * x_0) + q2[5] * x_1)
    if n > 2:
        torque += (
            (x_0 * (q2[2] * x_2 + q2[3] * x_3) + x_1 * (q2[6] * x_2 + q2[7] * x_3))
            + x_2 * ((q1[2] + q2[8] * x_0) + (q2[9] * x_1 + (q2[10] * x_2 + q2[11] * x_3)))
        ) + x_3 * ((q1[3] + q2[12] * x_0) + (q2[13] * x_1 + (q2[14] * x_2 + q2[15] * x_3)))
    return torque


@jit
def machine_torque(row: Record, y: Array) -> float:
    """Torque of the machine in N m at the state ``y``."""
    return torque_of(matrix(row.q2), vector(row.q1), ten(y), row.n)


@inlined
def rate(i: int, a: Any, c: Any, b: Any, d: Four, y: Ten, n: int) -> float:
    """Return dx_i/dt: line i of A x + omega (C x + d) + B v, for ``n`` states."""
    if i >= n:
        return 0.0
    k, omega = 4 * i, y[_W]
    total = (omega * d[i] + (a[k] + omega * c[k]) * y[_X]) + b[k] * y[_V]
    if n > 1:
        total += (a[k + 1] + omega * c[k + 1]) * y[_X + 1] + b[k + 1] * y[_V + 1]
    if n > 2:
        total += ((a[k + 2] + omega * c[k + 2]) * y[_X + 2] + (a[k + 3] + omega * c[k + 3]) * y[_X + 3]) + (
            b[k + 2] * y[_V + 2] + b[k + 3] * y[_V + 3]
        )
    return total


@inlined
def derivative(machine: Any, y: Ten, imposes_speed: bool, acceleration: float, n: int) -> Ten:
    """Return dy/dt of y = (omega, epsilon, x_0 ... x_3, v_0 ... v_3), for ``n`` states.

    ``imposes_speed``: the load dictates ``acceleration`` whatever the torque.
    """
    a, c, b, d, q2, q1, load, per_inertia, pole_pairs, turn_0, turn_1 = machine
    electrical = pole_pairs * y[_W]
    free = (torque_of(q2, q1, y, n) - load_torque(load, y[_W])) * per_inertia
    return (
        acceleration if imposes_speed else free,
        electrical,
        rate(0, a, c, b, d, y, n),
        rate(1, a, c, b, d, y, n),
        rate(2, a, c, b, d, y, n),
        rate(3, a, c, b, d, y, n),
        -turn_0 * electrical * y[_V + 1],
        turn_0 * electrical * y[_V],
        -turn_1 * electrical * y[_V + 3],
        turn_1 * electrical * y[_V + 2],
    )


@inlined
def moved(y: Ten, h: float, slope: Ten, n: int) -> Ten:
    """Return y + h slope, for ``n`` states; machines of one state stand still, and so do their voltages."""
    if n == 1:
        return y[0] + h * slope[0], y[1] + h * slope[1], y[2] + h * slope[2], y[3], y[4], y[5], y[6], y[7], y[8], y[9]
    if n == 2:
        return (
            y[0] + h * slope[0], y[1] + h * slope[1], y[2] + h * slope[2], y[3] + h * slope[3], y[4], y[5],
            y[6] + h * slope[6], y[7] + h * slope[7], y[8], y[9],
        )  # fmt: skip
    return (
        y[0] + h * slope[0], y[1] + h * slope[1], y[2] + h * slope[2], y[3] + h * slope[3], y[4] + h * slope[4],
        y[5] + h * slope[5], y[6] + h * slope[6], y[7] + h * slope[7], y[8] + h * slope[8], y[9] + h * slope[9],
    )  # fmt: skip


@inlined
def runge_kutta(machine: Any, lanes: Array, first: int, last: int, substeps: int, imposes_speed: bool, n: int) -> None:
    """Integrate lanes of machines of ``n`` states; see `integrate`."""
    for _ in range(substeps):
        for lane in range(first, last):
            h, acceleration = lanes[_H, lane], lanes[_ACCELERATION, lane]
            y = (
                lanes[0, lane], lanes[1, lane], lanes[2, lane], lanes[3, lane], lanes[4, lane],
                lanes[5, lane], lanes[6, lane], lanes[7, lane], lanes[8, lane], lanes[9, lane],
            )  # fmt: skip
            slope_1 = derivative(machine, y, imposes_speed, acceleration, n)
            slope_2 = derivative(machine, moved(y, 0.5 * h, slope_1, n), imposes_speed, acceleration, n)
            slope_3 = derivative(machine, moved(y, 0.5 * h, slope_2, n), imposes_speed, acceleration, n)
            slope_4 = derivative(machine, moved(y, h, slope_3, n), imposes_speed, acceleration, n)
            total = moved(moved(moved(slope_1, 2.0, slope_2, n), 2.0, slope_3, n), 1.0, slope_4, n)
            y = moved(y, h * (1.0 / 6.0), total, n)
            lanes[0, lane], lanes[1, lane], lanes[2, lane] = y[0], y[1], y[2]
            if n > 1:
                lanes[3, lane], lanes[6, lane], lanes[7, lane] = y[3], y[6], y[7]
            if n > 2:
                lanes[4, lane], lanes[5, lane], lanes[8, lane], lanes[9, lane] = y[4], y[5], y[8], y[9]


@jit
def integrate(row: Record, lanes: Array, first: int, last: int, substeps: int) -> None:
    """Advance the columns ``first`` to ``last - 1`` of ``lanes`` by the classical Runge-Kutta method.

    A lane is a drive: its state y, then the step size, the acceleration that its load imposes, ... (`_LANE` rows). It
    takes ``substeps`` steps.
    """
    machine, imposes_speed = machine_of(row), row.load != _POLY
    # Three copies, in which what a smaller machine does not have is left out.
    if row.n == 1:
        runge_kutta(machine, lanes, first, last, substeps, imposes_speed, 1)
    elif row.n == 2:
        runge_kutta(machine, lanes, first, last, substeps, imposes_speed, 2)
    else:
        runge_kutta(machine, lanes, first, last, substeps, imposes_speed, 4)


@jit
def load_lane(lanes: Array, lane: int, y: Array, h: float, acceleration: float) -> None:
    """Put a drive's state into a lane."""
    for i in range(_SIZE):
        lanes[i, lane] = y[i]
    lanes[_H, lane], lanes[_ACCELERATION, lane] = h, acceleration


@jit
def unload_lane(lanes: Array, lane: int, y: Array) -> None:
    """Take a drive's state out of a lane."""
    for i in range(_SIZE):
        y[i] = lanes[i, lane]


@jit
def profile_speed(row: Record, time: float) -> float:
    """Speed of an external profile at ``time``: linear between knots, constant beyond the last."""
    last = row.knots - 1
    if time >= row.knot_time[last]:
        return row.knot_omega[last]
    i = 0
    while row.knot_time[i + 1] <= time:
        i += 1
    share = (time - row.knot_time[i]) / (row.knot_time[i + 1] - row.knot_time[i])
    return row.knot_omega[i] + share * (row.knot_omega[i + 1] - row.knot_omega[i])


@jit
def next_imposed_speed(row: Record, s: Record, omega: float) -> float:
    """Speed at the end of this period where the load imposes it."""
    if row.load == _PROFILE:
        return profile_speed(row, (s.k + 1) * row.tau)
    if row.load == _ORNSTEIN_UHLENBECK:
        # The exact transition of the process over one period.
        decay = math.exp(-row.load_theta * row.tau)
        spread = row.load_sigma * math.sqrt((1.0 - decay * decay) / (2.0 * row.load_theta))
        moved = row.load_omega + (omega - row.load_omega) * decay + spread * normal(s.rng)
        return min(max(moved, row.load_range[0]), row.load_range[1])
    return omega


# ------------------------------------------------------------------------------------------- converter and supply


@jit
def turn(x: float, y: float, cos: float, sin: float) -> tuple[float, float]:
    """Rotate the vector (x, y) by the angle with this cosine and sine."""
    return cos * x - sin * y, sin * x + cos * y


@jit
def turn_by(x: float, y: float, angle: float) -> tuple[float, float]:
    """Rotate the vector (x, y) by ``angle``."""
    return turn(x, y, math.cos(angle), math.sin(angle))


@jit
def turn_spin(x: float, y: float, spin: float, cos: float, sin: float) -> tuple[float, float]:
    """Rotate the vector (x, y) by ``spin`` (-1, 0 or 1) times the angle with this cosine and sine."""
    return (x, y) if spin == 0.0 else turn(x, y, cos, spin * sin)


@jit
def phase_currents(row: Record, y: Array, cos: float, sin: float, w: Record) -> None:
    """Write the current out of each converter channel, A; ``cos`` and ``sin`` are those of epsilon."""
    n, frame, currents = row.n, w.frame, w.currents
    for i in range(STATES):
        frame[i] = 0.0
        for j in range(n):
            frame[i] += row.current[i, j] * y[_X + j]
    if row.is_three_phase:
        frame[0], frame[1] = turn_spin(frame[0], frame[1], -row.spin[0], cos, sin)
        frame[2], frame[3] = turn_spin(frame[2], frame[3], -row.spin[1], cos, sin)
    for i in range(row.channels):
        currents[i] = 0.0
        for j in range(STATES):
            currents[i] += row.declarke[i, j] * frame[j]


@jit
def frame_voltages(row: Record, phase_voltage: Array, cos: float, sin: float, y: Array) -> None:
    """Write the frame voltages of ``y`` that the phase voltages give at the angle with this cosine and sine."""
    for i in range(row.m):
        y[_V + i] = 0.0
        for j in range(row.channels):
            y[_V + i] += row.clarke[i, j] * phase_voltage[j]
    if row.is_three_phase:
        y[_V], y[_V + 1] = turn_spin(y[_V], y[_V + 1], row.spin[0], cos, sin)
        y[_V + 2], y[_V + 3] = turn_spin(y[_V + 2], y[_V + 3], row.spin[1], cos, sin)


@jit
def direction(row: Record, y: Array) -> tuple[float, float]:
    """Return cosine and sine of epsilon; (1, 0) where nothing turns."""
    if row.is_three_phase:
        return math.cos(y[_E]), math.sin(y[_E])
    return 1.0, 0.0


@jit
def leg_share(row: Record, channel: int, leg: int, command: float, current: float) -> float:
    """Share of the period in which a leg connects its output to the upper rail.

    ``command`` is a duty cycle, or the state of a finite leg; ``current`` flows out of the leg and decides when both
    switches are off, through the diodes.
    """
    if row.is_finite:
        if command == 0.0:
            return 1.0 if current < 0.0 else 0.0
        return 1.0 if command == 1.0 else 0.0
    if row.has_diode_only[channel]:
        return command if current >= 0.0 else 1.0
    lost = row.interlocking_time / row.tau
    if current > 0.0:
        return max(command - lost, 0.0)
    if current < 0.0:
        return min(command + lost, 1.0)
    return command


@jit
def convert(row: Record, commands: Array, currents: Array, supply: Array, phase_voltage: Array) -> float:
    """Write the phase voltages that leg ``commands`` give; return the current drawn from the supply, A."""
    drawn = 0.0
    for channel in range(row.channels):
        level = -row.offset[channel]
        for leg in range(row.legs[channel]):
            sign = 1.0 - 2.0 * leg
            share = leg_share(row, channel, leg, commands[channel, leg], sign * currents[channel])
            level += sign * share
            drawn += sign * share * currents[channel]
        phase_voltage[channel] = level * supply[row.supply_of[channel]]
    return drawn


@jit
def supply_voltages(row: Record, s: Record) -> None:
    """Write the supply voltages at the beginning of the period, V; phases a, b, c follow each other.

    An RC supply carries its own state.
    """
    if row.supply == _AC1 or row.supply == _AC3:
        angle = 2.0 * math.pi * row.supply_frequency * s.k * row.tau + s.supply_phase
        for i in range(3):
            s.supply[i] = row.supply_voltage * math.sin(angle - i * 2.0 * math.pi / 3.0)


@jit
def leg_commands(row: Record, action: Array, commands: Array) -> None:
    """Write what an action asks of each leg: a duty cycle in [0, 1], or a switching state."""
    for channel in range(row.channels):
        value = action[row.source[channel]]
        for leg in range(2):
            if row.is_finite:
                commands[channel, leg] = row.table[channel, int(value), leg]
            else:
                commands[channel, leg] = row.gain[channel, leg] * value + row.bias[channel, leg]


@jit
def begin_period(row: Record, s: Record, action: Array, w: Record, lane: int) -> None:
    """Apply ``action`` (phase quantities): put the drive into ``lane``, ready to be integrated over the period.

    The last lane is free for intermediate integrations.
    """
    y, lanes = s.y, w.lanes
    acceleration = 0.0
    if row.load != _POLY:
        lanes[_NEXT_SPEED, lane] = next_imposed_speed(row, s, y[_W])
        acceleration = (lanes[_NEXT_SPEED, lane] - y[_W]) / row.tau
    supply_voltages(row, s)
    if row.is_linear:
        # Without interlocking, diodes or a supply that gives way, an averaged converter is a gain.
        for channel in range(row.channels):
            duty = row.net_gain[channel] * action[row.source[channel]] + row.net_bias[channel]
            s.phase_voltage[channel] = duty * s.supply[row.supply_of[channel]]
        frame_voltages(row, s.phase_voltage, s.direction[0], s.direction[1], y)
        load_lane(lanes, lane, y, row.h, acceleration)
        return
    commands = w.commands
    leg_commands(row, action, commands)
    duration, drawn = row.tau, 0.0
    cos, sin = s.direction[0], s.direction[1]
    if row.is_finite and starts_switching(row, s, w):
        phase_currents(row, y, cos, sin, w)
        drawn = convert(row, w.first, w.currents, s.supply, s.phase_voltage) * row.interlocking_time
        frame_voltages(row, s.phase_voltage, cos, sin, y)
        substeps, free = max(1, math.ceil(row.substeps * row.interlocking_time / row.tau)), LANES
        load_lane(lanes, free, y, row.interlocking_time / substeps, acceleration)
        integrate(row, lanes, free, free + 1, substeps)
        unload_lane(lanes, free, y)
        duration -= row.interlocking_time
        cos, sin = direction(row, y)
    phase_currents(row, y, cos, sin, w)
    lanes[_DRAWN, lane] = drawn + convert(row, commands, w.currents, s.supply, s.phase_voltage) * duration
    frame_voltages(row, s.phase_voltage, cos, sin, y)
    load_lane(lanes, lane, y, duration / row.substeps, acceleration)


@jit
def starts_switching(row: Record, s: Record, w: Record) -> bool:
    """Set the legs of a finite converter; return whether one of them changes from one switch to the other.

    Such a leg first has both switches off, for the interlocking time or for the period.
    """
    waits = False
    for channel in range(row.channels):
        for leg in range(row.legs[channel]):
            command, before = w.commands[channel, leg], s.legs[channel, leg]
            w.first[channel, leg] = command
            if row.interlocking_time > 0.0 and before != 0 and command != 0.0 and command != before:
                waits = True
                w.first[channel, leg] = 0.0
                if row.waits_for_period:
                    w.commands[channel, leg] = 0.0
            s.legs[channel, leg] = int(w.commands[channel, leg])
    return waits


@jit
def meets_kink(row: Record, before: float, after: float) -> bool:
    """Return whether the speed entered, left or crossed the zone in which friction is smoothed."""
    zone = row.load_a / (row.inertia * 1e3)
    inside_before, inside_after = abs(before) <= zone, abs(after) <= zone
    return inside_before != inside_after or (not inside_before and before * after < 0.0)


@jit
def end_period(row: Record, s: Record, w: Record, lane: int) -> None:
    """Take the drive out of its lane at the end of the period."""
    lanes = w.lanes
    if row.load == _POLY and row.load_a > 0.0 and meets_kink(row, s.y[_W], lanes[_W, lane]):
        # The load's slope jumps there, which costs the method its order: once more, in finer steps.
        load_lane(lanes, LANES, s.y, lanes[_H, lane] / 16.0, 0.0)
        integrate(row, lanes, LANES, LANES + 1, 16 * row.substeps)
        unload_lane(lanes, LANES, s.y)
    else:
        unload_lane(lanes, lane, s.y)
    if row.load != _POLY:
        s.y[_W] = lanes[_NEXT_SPEED, lane]
    s.direction[0], s.direction[1] = direction(row, s.y)
    if row.supply == _RC:
        # The capacitor's exact response to the mean current of the period.
        settled = row.supply_voltage - row.supply_r * lanes[_DRAWN, lane] / row.tau
        s.supply[0] = settled + (s.supply[0] - settled) * math.exp(-row.tau / (row.supply_r * row.supply_c))
    s.k += 1


# ----------------------------------------------------------------------------------------------------- signals


@jit
def wrap(angle: float) -> float:
    """Bring an angle into [-pi, pi)."""
    return angle - 2.0 * math.pi * math.floor((angle + math.pi) / (2.0 * math.pi))


@jit
def flux_direction(y: Array) -> tuple[float, float]:
    """Return cosine and sine of the rotor flux's angle in the stator frame (induction machines)."""
    size = math.sqrt(y[_X + 2] * y[_X + 2] + y[_X + 3] * y[_X + 3])
    if size == 0.0:
        return 1.0, 0.0
    return y[_X + 2] / size, y[_X + 3] / size


@jit
def fill_pool(row: Record, s: Record, y: Array, cos: float, sin: float, w: Record) -> None:
    """Write every signal of the drive, SI units; ``cos`` and ``sin`` are those of epsilon."""
    pool, current, voltage = w.pool, row.at_current, row.at_voltage
    count = row.at_phase_voltage - current  # an induction machine may have rotor currents that nobody sees
    pool[OMEGA] = y[_W]
    pool[TORQUE] = machine_torque(row, y)
    for i in range(count):
        pool[current + i] = y[_X + i]
    for i in range(row.channels):
        pool[row.at_phase_voltage + i] = s.phase_voltage[i]
    pool[row.at_supply] = s.supply[0]
    if not row.is_three_phase:
        return
    pool[row.at_epsilon] = wrap(y[_E])
    pool[row.at_direction], pool[row.at_direction + 1] = cos, sin
    phase_currents(row, y, cos, sin, w)
    for i in range(row.at_current - row.at_phase_current):
        pool[row.at_phase_current + i] = w.currents[i]
    for i in range(row.voltages):
        pool[voltage + i] = y[_V + i]
    if row.is_flux_oriented:
        # The states are not all currents, and dq means along the rotor flux.
        along, across = flux_direction(y)
        for i in range(count):
            pool[current + i] = 0.0
            for j in range(row.n):
                pool[current + i] += row.current[i, j] * y[_X + j]
        for i in range(0, row.voltages, 2):
            pool[current + i], pool[current + i + 1] = turn(pool[current + i], pool[current + i + 1], along, -across)
            pool[voltage + i], pool[voltage + i + 1] = turn(pool[voltage + i], pool[voltage + i + 1], along, -across)
    if row.observes_flux:
        pool[row.at_flux] = math.hypot(s.flux[0], s.flux[1])
        pool[row.at_flux + 1] = math.atan2(s.flux[1], s.flux[0])


@jit
def observe_flux(row: Record, s: Record) -> None:
    """Advance the rotor-flux observer by one period, from the measured stator current and speed.

    d psi/dt = (l_m r_r / l_r) i_s - (r_r / l_r) psi + j p omega psi, solved exactly for constant i_s and omega.
    """
    y = s.y
    rate, turning = row.observer[0], row.pole_pairs * y[_W]
    real, imaginary = row.observer[1] * y[_X], row.observer[1] * y[_X + 1]
    # The stationary solution is drive / (rate - j turning).
    size = rate * rate + turning * turning
    still_0 = (real * rate - imaginary * turning) / size
    still_1 = (imaginary * rate + real * turning) / size
    decay = math.exp(-rate * row.tau)
    moved_0, moved_1 = turn_by(s.flux[0] - still_0, s.flux[1] - still_1, turning * row.tau)
    s.flux[0], s.flux[1] = still_0 + decay * moved_0, still_1 + decay * moved_1


@jit
def constraint_level(row: Record, pool: Array, c: int) -> float:
    """Return how much of constraint ``c`` is used up: 1 at the limit."""
    order = row.constraint_order[c]
    level = 0.0
    for k in range(row.constraint_terms[c]):
        share = abs(pool[row.constraint_signal[c, k]]) * row.constraint_weight[c, k]
        if order == 0.0:
            level = max(level, share)
        elif order == 2.0:
            level += share * share
        else:
            level += share**order
    if order == 2.0:
        return math.sqrt(level)
    return level if order == 0.0 else level ** (1.0 / order)


@jit
def violation(row: Record, pool: Array) -> tuple[float, float]:
    """Return the merged degree of violation in [0, 1], and the highest level of any constraint."""
    degree, kept, highest = 0.0, 1.0, 0.0
    for c in range(row.constraints):
        level = constraint_level(row, pool, c)
        soft = row.constraint_soft[c]
        share = 1.0 if level > 1.0 else 0.0
        if soft < level <= 1.0:
            share = (level - soft) / (1.0 - soft)
        degree = max(degree, share)
        kept *= 1.0 - share
        highest = max(highest, level)
    return (1.0 - kept if row.merges_by_product else degree), highest


# --------------------------------------------------------------------------------------------------- references


@jit
def within(rng: Stream, interval: Array) -> float:
    """Draw uniformly from ``interval`` (2,)."""
    return interval[0] + (interval[1] - interval[0]) * uniform(rng)


@jit
def within_both(rng: Stream, interval: Array, low: float, high: float) -> float:
    """Draw uniformly from what ``interval`` (2,) and [low, high] share; from the nearest end, if that is nothing."""
    first = min(max(interval[0], low), high)
    return first + (min(max(interval[1], low), high) - first) * uniform(rng)


@jit
def begin_sub_episode(row: Record, s: Record, r: int) -> None:
    """Draw a new generator when its tenure is over, and the parameters of reference ``r``'s next sub-episode."""
    state, rng = s.reference[r], s.rng
    if state[_TENURE] <= 0.0:
        state[_TENURE] = math.floor(within(rng, row.generator_length[r]))
        draw, g = uniform(rng), 0
        while g < GENERATORS - 1 and draw >= row.generator[r * GENERATORS + g].cumulative:
            g += 1
        state[_GENERATOR] = g
        if row.generator[r * GENERATORS + g].kind == _FEASIBLE:
            s.shadow_y[:] = s.y
    generator = row.generator[r * GENERATORS + int(state[_GENERATOR])]
    # Always the same number of draws, so that the stream does not depend on the kind.
    state[_REMAINING] = min(math.floor(within(rng, generator.length)), state[_TENURE])
    state[_SIGMA] = 10.0 ** within(rng, generator.log_sigma)
    low, high = generator.margin[0], generator.margin[1]
    fits = 0.5 * (high - low)
    state[_AMPLITUDE] = within_both(rng, generator.amplitude, 0.0, fits)
    draw = within(rng, generator.frequency)
    state[_CYCLES] = row.tau / draw if generator.draws_period else row.tau * draw
    state[_OFFSET] = within_both(rng, generator.offset, low + state[_AMPLITUDE], high - state[_AMPLITUDE])
    state[_PHASE] = uniform(rng)
    state[_WIDTH] = uniform(rng)


@jit
def shadow_excess(row: Record, s: Record, w: Record) -> float:
    """Write the shadow's signals to the pool; return how far it is outside its constraints and margins, 0 if inside."""
    pool, y = w.pool, s.shadow_y
    cos, sin = direction(row, y)
    fill_pool(row, s, y, cos, sin, w)
    _, level = violation(row, pool)
    excess = max(level - 0.9, 0.0)
    for r in range(row.references):
        generator = row.generator[r * GENERATORS + int(s.reference[r, _GENERATOR])]
        if generator.kind == _FEASIBLE:
            value = pool[row.reference[r]] * row.per_reference_scale[r]
            excess = max(excess, max(value - generator.margin[1], generator.margin[0] - value))
    return excess


@jit
def shadow_step(row: Record, s: Record, w: Record) -> None:
    """Advance the drive that a feasible reference follows, by random band-limited voltages within the constraints."""
    for a in range(row.channels):
        # Drawn even where nothing follows the shadow, so that the stream does not depend on it.
        draw, target = uniform(s.rng), uniform(s.rng)
        if draw < row.shadow_chance:
            s.shadow_drive[a, 1] = row.drive_low[a] + (row.drive_high[a] - row.drive_low[a]) * target
        s.shadow_drive[a, 0] += row.shadow_share * (s.shadow_drive[a, 1] - s.shadow_drive[a, 0])
    is_followed = False
    for r in range(row.references):
        is_followed |= row.generator[r * GENERATORS + int(s.reference[r, _GENERATOR])].kind == _FEASIBLE
    if not is_followed:
        return
    before, y, voltage = w.before, s.shadow_y, w.voltage
    before[:] = y
    excess_before = shadow_excess(row, s, w)
    imposes_speed = row.load != _POLY
    for attempt in range(2):
        # At full drive; if that leads outside, with the voltage off; if neither leads back, the reference holds.
        y[:] = before
        strength = 1.0 - attempt
        for channel in range(row.channels):
            drive = strength * s.shadow_drive[channel, 0]
            voltage[channel] = (row.net_gain[channel] * drive + row.net_bias[channel]) * row.supply_voltage
        cos, sin = direction(row, y)
        frame_voltages(row, voltage, cos, sin, y)
        load_lane(w.lanes, LANES, y, row.h, 0.0)
        integrate(row, w.lanes, LANES, LANES + 1, row.substeps)
        unload_lane(w.lanes, LANES, y)
        if imposes_speed:
            y[_W] = s.y[_W]
        excess = shadow_excess(row, s, w)
        if excess <= 0.0 or excess < excess_before:
            return
    y[:] = before
    shadow_excess(row, s, w)


@jit
def triangle(cycle: float, width: float) -> float:
    """Periodic wave in [-1, 1] that rises for the share ``width`` of its cycle; 1 is a sawtooth."""
    cycle -= math.floor(cycle)
    if cycle < width:
        return 2.0 * cycle / width - 1.0
    return 1.0 - 2.0 * (cycle - width) / (1.0 - width)


@jit
def next_reference(row: Record, s: Record, r: int, shadow_value: float) -> None:
    """Advance reference ``r`` by one step; normalised by its signal's limit."""
    state = s.reference[r]
    state[_REMAINING] -= 1.0
    state[_TENURE] -= 1.0
    generator = row.generator[r * GENERATORS + int(state[_GENERATOR])]
    kind = generator.kind
    draw, sign = 0.0, 1.0
    if kind == _WIENER:
        draw = normal(s.rng)
    elif kind == _LAPLACE:
        spread = uniform(s.rng) - 0.5
        sign = math.copysign(1.0, spread)
        draw = -sign * math.log(1.0 - 2.0 * abs(spread))
    state[_PHASE] += state[_CYCLES]
    phase, value = state[_PHASE], state[_VALUE]
    if kind == _WIENER or kind == _LAPLACE:
        value += state[_SIGMA] * draw
    elif kind == _SINE:
        value = state[_OFFSET] + state[_AMPLITUDE] * math.sin(2.0 * math.pi * phase)
    elif kind == _TRIANGLE:
        value = state[_OFFSET] + state[_AMPLITUDE] * triangle(phase, state[_WIDTH])
    elif kind == _SAWTOOTH:
        value = state[_OFFSET] + state[_AMPLITUDE] * triangle(phase, 1.0)
    elif kind == _STEP:
        up = phase - math.floor(phase) < state[_WIDTH]
        value = state[_OFFSET] + (state[_AMPLITUDE] if up else -state[_AMPLITUDE])
    elif kind == _FEASIBLE:
        value = shadow_value
    else:
        value = generator.value
    state[_VALUE] = min(max(value, generator.margin[0]), generator.margin[1])


@jit
def next_references(row: Record, s: Record, w: Record) -> None:
    """Advance all references; the pool is overwritten when one of them is feasible."""
    pool = w.pool
    for r in range(row.references):
        if s.reference[r, _REMAINING] <= 0.0:
            begin_sub_episode(row, s, r)
    if row.is_feasible:
        shadow_step(row, s, w)
    for r in range(row.references):
        next_reference(row, s, r, pool[row.reference[r]] * row.per_reference_scale[r])


# ----------------------------------------------------------------------------------------------- the environment


@jit
def observe(row: Record, s: Record, pool: Array, observation: NDArray[np.float32], values: Array, i: int) -> None:
    """Write row ``i`` of the normalised observation, and of the SI signals and references for ``info``."""
    # Whole arrays and an index: a view of a row would count references, which costs more than the row.
    n, is_noisy, is_whole = row.signals, row.is_noisy, row.is_whole
    for k in range(n):
        value = pool[k if is_whole else row.signal[k]] * row.per_scale[k]
        if is_noisy:
            value += row.noise[k] * normal(s.rng)
        observation[i, k] = min(max(value, row.low[k]), 1.0)
    column = INFO + row.references + 2
    for k in range(row.reports):
        values[i, column + k] = pool[k]
    column += row.reports
    for r in range(row.references):
        observation[i, n + r] = s.reference[r, _VALUE]
        values[i, column + r] = s.reference[r, _VALUE] * row.reference_scale[r]


@jit
def to_phases(row: Record, s: Record, actions: Array, i: int, applied: Array) -> None:
    """Write action ``i``, given in the rotating frame as phase quantities for the middle of the period it acts in."""
    y = s.y
    period = row.pole_pairs * y[_W] * row.tau  # the rotor's turn in a period
    if row.is_flux_oriented:
        # The stator's voltages stand still meanwhile; the rotor's do so too, unless they turn with it.
        cos, sin = flux_direction(y)
        angle = math.atan2(sin, cos)
        first = angle + period * (row.dead_time + 0.5)
        second = angle - y[_E] + period * 0.5 * (1.0 - row.turns)
    else:
        delay = period * (row.dead_time + 0.5 * row.turns)
        first = -row.spin[0] * (y[_E] + delay)
        second = -row.spin[1] * (y[_E] + delay)
    x_0, x_1 = turn_by(actions[i, 0], actions[i, 1], first)
    x_2, x_3 = turn_by(actions[i, 2] if row.actions > 2 else 0.0, actions[i, 3] if row.actions > 3 else 0.0, second)
    for channel in range(row.channels):
        applied[channel] = (
            row.declarke[channel, 0] * x_0 + row.declarke[channel, 1] * x_1
            + row.declarke[channel, 2] * x_2 + row.declarke[channel, 3] * x_3
        )  # fmt: skip
        applied[channel] = min(max(applied[channel], -1.0), 1.0)


@jit
def reset_row(row: Record, s: Record, w: Record, observation: NDArray[np.float32], values: Array, i: int) -> None:
    """Start an episode of one drive."""
    s.k = 0
    for c in range(STATES + 2):
        mean, deviation, low, high = row.initial[c, 0], row.initial[c, 1], row.initial[c, 2], row.initial[c, 3]
        # One draw each, whatever the distribution.
        draw = uniform(s.rng) if deviation == 0.0 else normal(s.rng)
        value = low + (high - low) * draw if deviation == 0.0 else mean + deviation * draw
        s.y[(_W, _E, _X, _X + 1, _X + 2, _X + 3)[c]] = min(max(value, low), high)
    if row.load == _CONST:
        s.y[_W] = row.load_omega
    elif row.load == _PROFILE:
        s.y[_W] = profile_speed(row, 0.0)
    elif row.load == _ORNSTEIN_UHLENBECK:
        s.y[_W] = min(max(s.y[_W], row.load_range[0]), row.load_range[1])
    phase = 2.0 * math.pi * uniform(s.rng)
    s.supply_phase = phase if row.supply_phase < 0.0 else row.supply_phase
    s.supply[:] = row.supply_voltage
    supply_voltages(row, s)
    s.y[_V : _V + 4] = 0.0
    s.direction[0], s.direction[1] = direction(row, s.y)
    s.phase_voltage[:] = 0.0
    s.legs[:] = 0
    s.action[:] = 0.0
    s.pending[:] = 0.0
    s.flux[:] = s.y[_X + 2 : _X + 4]
    s.shadow_y[:] = s.y
    s.shadow_drive[:] = 0.0
    for r in range(row.references):
        s.reference[r, :] = 0.0
        s.reference[r, _VALUE] = within(s.rng, row.reference_start[r])
    next_references(row, s, w)
    fill_pool(row, s, s.y, s.direction[0], s.direction[1], w)
    observe(row, s, w.pool, observation, values, i)


@jit
def begin_step(row: Record, s: Record, actions: Array, w: Record, lane: int, i: int) -> None:
    """Apply action ``i``, or the one whose dead time is over, and put the drive into ``lane``."""
    if row.is_dq_action:
        to_phases(row, s, actions, i, s.action)
    else:
        for a in range(row.sources):
            s.action[a] = actions[i, a]
    if row.dead_time > 0:
        # Ring of actions chosen but not yet applied.
        slot = s.k % row.dead_time
        for a in range(row.sources):
            s.action[a], s.pending[slot, a] = s.pending[slot, a], s.action[a]
    begin_period(row, s, s.action, w, lane)


@jit
def end_step(
    row: Record, s: Record, w: Record, lane: int, observation: NDArray[np.float32], values: Array, i: int
) -> None:
    """Take the drive out of ``lane``, judge the step, and write row ``i`` of the outputs."""
    end_period(row, s, w, lane)
    if row.observes_flux:
        observe_flux(row, s)
    fill_pool(row, s, s.y, s.direction[0], s.direction[1], w)
    pool = w.pool
    degree, level = violation(row, pool)
    reward = (1.0 - degree) * row.reward_bias
    for r in range(row.references):
        error = abs(pool[row.reference[r]] * row.per_reference_scale[r] - s.reference[r, _VALUE]) * row.per_span[r]
        power = row.power[r]
        cost = error if power == 1.0 else error**power
        values[i, INFO + r] = -(1.0 - degree) * row.weight[r] * cost
        reward += values[i, INFO + r]
    values[i, INFO + row.references] = (1.0 - degree) * row.reward_bias
    values[i, INFO + row.references + 1] = degree * row.violation_reward
    values[i, REWARD] = reward + degree * row.violation_reward
    values[i, TERMINATED] = 1.0 if level > 1.0 else 0.0
    values[i, COST] = degree

    next_references(row, s, w)
    if row.is_feasible:
        fill_pool(row, s, s.y, s.direction[0], s.direction[1], w)  # the shadow used the pool
    observe(row, s, w.pool, observation, values, i)


@jit
def reset(
    states: NDArray[np.void],
    rows: NDArray[np.void],
    active: NDArray[np.bool_],
    observation: NDArray[np.float32],
    values: Array,
    action_mask: NDArray[np.int8],
) -> None:
    """Start an episode in every active row (see `core.Problem`)."""
    w = np.empty(1, SCRATCH)[0]
    for i in range(states.shape[0]):
        if active[i]:
            row = rows[min(i, rows.shape[0] - 1)]
            reset_row(row, states[i], w, observation, values, i)


@jit
def step(
    states: NDArray[np.void],
    rows: NDArray[np.void],
    actions: Array,
    active: NDArray[np.bool_],
    observation: NDArray[np.float32],
    values: Array,
    action_mask: NDArray[np.int8],
) -> None:
    """Step every active row (see `core.Problem`)."""
    count = states.shape[0]
    # Drives that share their parameters are integrated side by side.
    width = min(LANES, count) if rows.shape[0] == 1 else 1
    w = np.empty(1, SCRATCH)[0]
    for start in range(0, count, width):
        stop, row = min(start + width, count), rows[min(start, rows.shape[0] - 1)]
        filled = 0
        for i in range(start, stop):
            if active[i]:
                begin_step(row, states[i], actions, w, filled, i)
                filled += 1
        integrate(row, w.lanes, 0, filled, row.substeps)
        filled = 0
        for i in range(start, stop):
            if active[i]:
                end_step(row, states[i], w, filled, observation, values, i)
                filled += 1


@jit
def simulate(row: Record, s: Record, actions: Array, states: Array, torque: Array) -> None:
    """Drive one machine by ``actions`` (K, A), without a task; write states (K+1, n+2) and torque (K+1,)."""
    w, n = np.empty(1, SCRATCH)[0], row.n
    for k in range(actions.shape[0] + 1):
        if k > 0:
            begin_period(row, s, actions[k - 1], w, 0)
            integrate(row, w.lanes, 0, 1, row.substeps)
            end_period(row, s, w, 0)
        states[k, 0] = s.y[_W]
        for i in range(n):
            states[k, 1 + i] = s.y[_X + i]
        states[k, n + 1] = s.y[_E]
        torque[k] = machine_torque(row, s.y)
