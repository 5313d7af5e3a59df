"""The drive: machine, converter, supply, load, references and reward of one control period.

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
Matrix = tuple[Four, Four, Four, Four]
Ten = tuple[float, float, float, float, float, float, float, float, float, float]

#: Room for electrical states, converter channels (phases), references, generators of a reference, constraints, knots of
#: a speed profile, signals of an observation, and steps of dead time.
STATES, CHANNELS, REFERENCES, GENERATORS, CONSTRAINTS, KNOTS, SIGNALS, DELAY = 4, 6, 4, 8, 4, 64, 40, 4

# Positions in the vector that is integrated: speed, angle, electrical states, frame voltages.
_W, _E, _X, _V, _SIZE = 0, 1, 2, 6, 10

#: Drives that are taken side by side.
LANES = 32
#: Lanes that are integrated at once.
WIDTH = 8
#: Steps in which one is taken anew where the load's slope jumps.
FINER: Any = np.int64(16)
# Numba compiles a function anew for every whole number that it is called with, but not for these.
ZERO: Any = np.int64(0)
ONE: Any = np.int64(1)

# A lane is a column of the table `lanes`. It holds a drive's vector y, step size and imposed acceleration, which is all
# that an integration needs, ...
_H, _ACCELERATION, _INTEGRATED = 10, 11, 12
# ... then every signal, ...
OMEGA, TORQUE, PHASE_CURRENT, CURRENT, PHASE_VOLTAGE, VOLTAGE, EPSILON, SUPPLY = 0, 12, 13, 19, 23, 29, 33, 34
COS, SIN, FLUX = 37, 38, 39
# ... references, action, speed at the period's end, interlocking pause, charge and current drawn from the supply, a
# vector in the stator's frame, y at the beginning, ...
_REFERENCE, _ACTION, _NEXT_SPEED, _PAUSE, _DRAWN, _DRAIN, _STILL, _BEFORE = 41, 45, 51, 52, 53, 54, 55, 59
# ... what constraints and reward add up, what the converter's legs shall do, at first and then, the shadow's signals.
_LEVEL, _DEGREE, _KEPT, _HIGHEST, _REWARD, _FIRST, _COMMAND, _SHADOW, _LANE = 69, 70, 71, 72, 73, 74, 86, 98, 102

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
        # Observation: lines of a lane
        ("signals", _I8),
        ("signal", _I8, (SIGNALS,)),
        ("per_scale", _F8, (SIGNALS,)),  # 1 / scale
        ("low", _F8, (SIGNALS,)),
        ("noise", _F8, (SIGNALS,)),  # standard deviation, normalised
        ("reports", _I8),  # signals of info
        ("report", _I8, (SIGNALS,)),
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


#: Room for the lanes: a record, since views of its fields have a fixed shape and count no references. So whoever makes
#: it must hold it for as long as they are used: it takes the view anew in each round.
SCRATCH = np.dtype([("lanes", _F8, (_LANE, LANES))])


# ----------------------------------------------------------------------------------------------- machine and load


# Loops over lanes are innermost and their bodies plain arithmetic, without branches and with fixed places in memory: so
# the compiler runs several drives at once in one vector register. Lanes round like scalars; nothing depends on it.


@inlined
def vector(v: Array) -> Four:
    """Return four components."""
    return v[0], v[1], v[2], v[3]


@inlined
def matrix(m: Array) -> Matrix:
    """Return the lines of a 4 x 4 matrix."""
    return (
        (m[0, 0], m[0, 1], m[0, 2], m[0, 3]), (m[1, 0], m[1, 1], m[1, 2], m[1, 3]),
        (m[2, 0], m[2, 1], m[2, 2], m[2, 3]), (m[3, 0], m[3, 1], m[3, 2], m[3, 3]),
    )  # fmt: skip


@inlined
def dot(a: Four, b: Four) -> float:
    """Return the scalar product of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]


@inlined
def state_of(lanes: Array, lane: int) -> Ten:
    """Return the vector y of a lane."""
    return (
        lanes[0, lane], lanes[1, lane], lanes[2, lane], lanes[3, lane], lanes[4, lane],
        lanes[5, lane], lanes[6, lane], lanes[7, lane], lanes[8, lane], lanes[9, lane],
    )  # fmt: skip


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
def torque_of(q2: Matrix, q1: Four, y: Ten, n: int) -> float:
    """Torque of the machine in N m: x . (Q x + q), for ``n`` states."""
    x_0, x_1, x_2, x_3 = y[_X], y[_X + 1], y[_X + 2], y[_X + 3]
    torque = x_0 * (q1[0] + q2[0][0] * x_0)
    if n > 1:
        torque += x_0 * (q2[0][1] * x_1) + x_1 * ((q1[1] + q2[1][0] * x_0) + q2[1][1] * x_1)
    if n > 2:
        torque += (
            (x_0 * (q2[0][2] * x_2 + q2[0][3] * x_3) + x_1 * (q2[1][2] * x_2 + q2[1][3] * x_3))
            + x_2 * ((q1[2] + q2[2][0] * x_0) + (q2[2][1] * x_1 + (q2[2][2] * x_2 + q2[2][3] * x_3)))
        ) + x_3 * ((q1[3] + q2[3][0] * x_0) + (q2[3][1] * x_1 + (q2[3][2] * x_2 + q2[3][3] * x_3)))
    return torque


@inlined
def rate(a: Four, c: Four, b: Four, d: float, y: Ten, n: int) -> float:
    """Return the change of a state: its line of A x + omega (C x + d) + B v, for ``n`` states."""
    omega = y[_W]
    total = (omega * d + (a[0] + omega * c[0]) * y[_X]) + b[0] * y[_V]
    if n > 1:
        total += (a[1] + omega * c[1]) * y[_X + 1] + b[1] * y[_V + 1]
    if n > 2:
        total += ((a[2] + omega * c[2]) * y[_X + 2] + (a[3] + omega * c[3]) * y[_X + 3]) + (
            b[2] * y[_V + 2] + b[3] * y[_V + 3]
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
        rate(a[0], c[0], b[0], d[0], y, n),
        rate(a[1], c[1], b[1], d[1], y, n) if n > 1 else 0.0,
        rate(a[2], c[2], b[2], d[2], y, n) if n > 2 else 0.0,
        rate(a[3], c[3], b[3], d[3], y, n) if n > 2 else 0.0,
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
def runge_kutta(row: Record, lanes: Array, count: int, substeps: int, n: int) -> None:
    """Integrate lanes of machines of ``n`` states; see `integrate`."""
    machine, imposes_speed = machine_of(row), row.load != _POLY
    for _ in range(substeps):
        for lane in range(count):
            h, acceleration = lanes[_H, lane], lanes[_ACCELERATION, lane]
            y = state_of(lanes, lane)
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
def integrate(row: Record, lanes: Array, count: int, substeps: int) -> None:
    """Advance ``count`` lanes by ``substeps`` classical Runge-Kutta steps."""
    # Lanes without a drive repeat the first, so that all are computed `WIDTH` at once; one alone is faster by itself.
    whole = -(-count // WIDTH) * WIDTH if count > 1 else count
    for i in range(_INTEGRATED):
        for lane in range(count, whole):
            lanes[i, lane] = lanes[i, 0]
    # Three copies, in which what a smaller machine does not have is left out.
    if row.n == 1:
        runge_kutta(row, lanes, whole, substeps, 1)
    elif row.n == 2:
        runge_kutta(row, lanes, whole, substeps, 2)
    else:
        runge_kutta(row, lanes, whole, substeps, 4)


@jit
def meets_kink(row: Record, before: float, after: float) -> bool:
    """Return whether the speed entered, left or crossed the zone in which friction is smoothed."""
    zone = row.load_a / (row.inertia * 1e3)
    inside_before, inside_after = abs(before) <= zone, abs(after) <= zone
    return inside_before != inside_after or (not inside_before and before * after < 0.0)


@jit
def integrate_past_kinks(row: Record, lanes: Array) -> None:
    """Integrate the first lane over what is left of the period, in finer steps where the load's slope jumps.

    A jump costs the method its order.
    """
    for _ in range(row.substeps):
        for i in range(_SIZE):
            lanes[_BEFORE + i, 0] = lanes[i, 0]
        integrate(row, lanes, ONE, ONE)
        if meets_kink(row, lanes[_BEFORE, 0], lanes[_W, 0]):
            for i in range(_SIZE):
                lanes[i, 0] = lanes[_BEFORE + i, 0]
            lanes[_H, 0] /= FINER
            integrate(row, lanes, ONE, FINER)
            lanes[_H, 0] *= FINER


@jit
def advance(row: Record, lanes: Array, spare: Array, count: int) -> None:
    """Integrate ``count`` lanes over what is left of the period."""
    if row.load != _POLY or row.load_a == 0.0:
        integrate(row, lanes, count, row.substeps)
        return
    for i in range(_SIZE):
        for lane in range(count):
            lanes[_BEFORE + i, lane] = lanes[i, lane]
    integrate(row, lanes, count, row.substeps)
    for lane in range(count):
        if meets_kink(row, lanes[_BEFORE, lane], lanes[_W, lane]):
            for i in range(_SIZE):
                spare[i, 0] = lanes[_BEFORE + i, lane]
            spare[_H, 0] = lanes[_H, lane]
            integrate_past_kinks(row, spare)
            for i in range(_SIZE):
                lanes[i, lane] = spare[i, 0]


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
def next_imposed_speed(row: Record, s: Record) -> float:
    """Speed at the end of this period where the load imposes it."""
    omega = s.y[_W]
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


@inlined
def turn(x: float, y: float, cos: float, sin: float) -> tuple[float, float]:
    """Rotate the vector (x, y) by the angle with this cosine and sine."""
    return cos * x - sin * y, sin * x + cos * y


@jit
def turn_by(x: float, y: float, angle: float) -> tuple[float, float]:
    """Rotate the vector (x, y) by ``angle``."""
    return turn(x, y, math.cos(angle), math.sin(angle))


@inlined
def turn_spin(x: float, y: float, spin: float, cos: float, sin: float) -> tuple[float, float]:
    """Rotate the vector (x, y) by ``spin`` (-1, 0 or 1) times the angle with this cosine and sine."""
    return turn(x, y, 1.0 if spin == 0.0 else cos, spin * sin)


@jit
def directions(row: Record, lanes: Array, count: int) -> None:
    """Write cosine and sine of epsilon; (1, 0) where nothing turns."""
    if row.is_three_phase:
        for lane in range(count):
            lanes[COS, lane], lanes[SIN, lane] = math.cos(lanes[_E, lane]), math.sin(lanes[_E, lane])
    else:
        for lane in range(count):
            lanes[COS, lane], lanes[SIN, lane] = 1.0, 0.0


@jit
def phase_currents(row: Record, lanes: Array, count: int) -> None:
    """Write the currents of the machine frame, and those out of each converter channel, A."""
    current, spin_0, spin_1 = matrix(row.current), -row.spin[0], -row.spin[1]
    for lane in range(count):
        x = lanes[_X, lane], lanes[_X + 1, lane], lanes[_X + 2, lane], lanes[_X + 3, lane]
        i_0, i_1, i_2, i_3 = dot(current[0], x), dot(current[1], x), dot(current[2], x), dot(current[3], x)
        lanes[CURRENT, lane], lanes[CURRENT + 1, lane] = i_0, i_1
        lanes[CURRENT + 2, lane], lanes[CURRENT + 3, lane] = i_2, i_3
        cos, sin = lanes[COS, lane], lanes[SIN, lane]
        lanes[_STILL, lane], lanes[_STILL + 1, lane] = turn_spin(i_0, i_1, spin_0, cos, sin)
        lanes[_STILL + 2, lane], lanes[_STILL + 3, lane] = turn_spin(i_2, i_3, spin_1, cos, sin)
    for channel in range(row.channels):
        line = vector(row.declarke[channel])
        for lane in range(count):
            still = lanes[_STILL, lane], lanes[_STILL + 1, lane], lanes[_STILL + 2, lane], lanes[_STILL + 3, lane]
            lanes[PHASE_CURRENT + channel, lane] = dot(line, still)


@jit
def frame_voltages(row: Record, lanes: Array, count: int) -> None:
    """Write the voltages of the machine frame that the phase voltages give."""
    for i in range(STATES):
        for lane in range(count):
            lanes[_STILL + i, lane] = 0.0
        for channel in range(row.channels if i < row.m else 0):
            k = row.clarke[i, channel]
            for lane in range(count):
                lanes[_STILL + i, lane] += k * lanes[PHASE_VOLTAGE + channel, lane]
    spin_0, spin_1 = row.spin[0], row.spin[1]
    for lane in range(count):
        cos, sin = lanes[COS, lane], lanes[SIN, lane]
        v_0, v_1 = turn_spin(lanes[_STILL, lane], lanes[_STILL + 1, lane], spin_0, cos, sin)
        v_2, v_3 = turn_spin(lanes[_STILL + 2, lane], lanes[_STILL + 3, lane], spin_1, cos, sin)
        lanes[_V, lane], lanes[_V + 1, lane], lanes[_V + 2, lane], lanes[_V + 3, lane] = v_0, v_1, v_2, v_3


@inlined
def leg_share(is_finite: bool, has_diode_only: bool, lost: float, command: float, current: float) -> float:
    """Share of the period in which a leg connects its output to the upper rail.

    ``command`` is a duty cycle, or the state of a finite leg; ``lost`` the interlocking time's share of the period.
    ``current`` flows out of the leg and decides when both switches are off, through the diodes.
    """
    if is_finite:
        on = 1.0 if command == 1.0 else 0.0
        return (1.0 if current < 0.0 else 0.0) if command == 0.0 else on
    if has_diode_only:
        return command if current >= 0.0 else 1.0
    share = max(command - lost, 0.0) if current > 0.0 else command
    return min(command + lost, 1.0) if current < 0.0 else share


@jit
def convert(row: Record, commands: int, lanes: Array, count: int) -> None:
    """Write the phase voltages that the leg ``commands`` (their first row) give, and the current from the supply, A."""
    is_finite, lost = row.is_finite != 0, row.interlocking_time / row.tau
    for lane in range(count):
        lanes[_DRAIN, lane] = 0.0
    for channel in range(row.channels):
        has_diode_only, offset = row.has_diode_only[channel] != 0, row.offset[channel]
        for lane in range(count):
            lanes[PHASE_VOLTAGE + channel, lane] = -offset
        for leg in range(row.legs[channel]):
            sign = 1.0 - 2.0 * leg
            for lane in range(count):
                current = sign * lanes[PHASE_CURRENT + channel, lane]
                share = leg_share(is_finite, has_diode_only, lost, lanes[commands + 2 * channel + leg, lane], current)
                lanes[PHASE_VOLTAGE + channel, lane] += sign * share
                lanes[_DRAIN, lane] += share * current
        supply = SUPPLY + row.supply_of[channel]
        for lane in range(count):
            lanes[PHASE_VOLTAGE + channel, lane] *= lanes[supply, lane]


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
def leg_commands(row: Record, lanes: Array, count: int) -> None:
    """Write what the actions ask of each leg: a duty cycle in [0, 1], or a switching state."""
    for channel in range(row.channels):
        source = row.source[channel]
        for leg in range(row.legs[channel]):
            command, gain, bias = _COMMAND + 2 * channel + leg, row.gain[channel, leg], row.bias[channel, leg]
            if row.is_finite:
                for lane in range(count):
                    lanes[command, lane] = row.table[channel, int(lanes[_ACTION + source, lane]), leg]
            else:
                for lane in range(count):
                    lanes[command, lane] = gain * lanes[_ACTION + source, lane] + bias


@jit
def start_switching(row: Record, s: Record, lanes: Array, lane: int) -> None:
    """Set the legs of a finite converter, and the time for which those that change from one switch to the other wait.

    Such a leg first has both switches off, for the interlocking time or for the period.
    """
    lanes[_PAUSE, lane] = 0.0
    for channel in range(row.channels):
        for leg in range(row.legs[channel]):
            place = 2 * channel + leg
            command, before = lanes[_COMMAND + place, lane], s.legs[channel, leg]
            lanes[_FIRST + place, lane] = command
            if before != 0 and command != 0.0 and command != before:
                lanes[_PAUSE, lane] = row.interlocking_time
                lanes[_FIRST + place, lane] = 0.0
                if row.waits_for_period:
                    lanes[_COMMAND + place, lane] = 0.0
            s.legs[channel, leg] = int(lanes[_COMMAND + place, lane])


@jit
def switch(row: Record, states: NDArray[np.void], start: int, lanes: Array, count: int) -> None:
    """Apply actions by a converter that is more than a gain; let the interlocking time pass, if there is one."""
    leg_commands(row, lanes, count)
    for lane in range(count):
        lanes[_PAUSE, lane] = lanes[_DRAWN, lane] = 0.0
    if row.is_finite and row.interlocking_time > 0.0:
        for lane in range(count):
            start_switching(row, states[start + lane], lanes, lane)
        phase_currents(row, lanes, count)
        convert(row, _FIRST, lanes, count)
        frame_voltages(row, lanes, count)
        substeps = max(1, math.ceil(row.substeps * row.interlocking_time / row.tau))
        for lane in range(count):
            lanes[_H, lane] = lanes[_PAUSE, lane] / substeps
            lanes[_DRAWN, lane] = lanes[_DRAIN, lane] * lanes[_PAUSE, lane]
        integrate(row, lanes, count, substeps)
        directions(row, lanes, count)
    phase_currents(row, lanes, count)
    convert(row, _COMMAND, lanes, count)
    tau, substeps = row.tau, row.substeps
    for lane in range(count):
        duration = tau - lanes[_PAUSE, lane]
        lanes[_H, lane] = duration / substeps
        lanes[_DRAWN, lane] += lanes[_DRAIN, lane] * duration


@jit
def load(row: Record, s: Record, lanes: Array, lane: int) -> None:
    """Put a drive's state into a lane."""
    for i in range(_SIZE):
        lanes[i, lane] = s.y[i]
    lanes[COS, lane], lanes[SIN, lane] = s.direction[0], s.direction[1]
    for i in range(3):
        lanes[SUPPLY + i, lane] = s.supply[i]
    for r in range(row.references):
        lanes[_REFERENCE + r, lane] = s.reference[r, _VALUE]
    if row.observes_flux:
        lanes[FLUX, lane], lanes[FLUX + 1, lane] = math.hypot(s.flux[0], s.flux[1]), math.atan2(s.flux[1], s.flux[0])


@jit
def store(row: Record, s: Record, lanes: Array, lane: int) -> None:
    """Take a drive's state out of a lane."""
    for i in range(_SIZE):
        s.y[i] = lanes[i, lane]
    s.direction[0], s.direction[1] = lanes[COS, lane], lanes[SIN, lane]
    for i in range(row.channels):
        s.phase_voltage[i] = lanes[PHASE_VOLTAGE + i, lane]


@jit
def act(row: Record, s: Record, actions: Array, i: int, lanes: Array, lane: int) -> None:
    """Put the drive's state into a lane, and action ``i``, or the one whose dead time is over."""
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
    for channel in range(row.channels):  # at least as many as there are actions
        lanes[_ACTION + channel, lane] = s.action[channel]
    supply_voltages(row, s)
    load(row, s, lanes, lane)
    lanes[_ACCELERATION, lane] = 0.0
    if row.load != _POLY:
        lanes[_NEXT_SPEED, lane] = next_imposed_speed(row, s)
        lanes[_ACCELERATION, lane] = (lanes[_NEXT_SPEED, lane] - s.y[_W]) / row.tau


@jit
def pass_period(row: Record, states: NDArray[np.void], start: int, lanes: Array, spare: Array, count: int) -> None:
    """Let a control period pass under the actions in ``count`` lanes, whose drives begin at ``start``."""
    if row.is_linear:
        # Without interlocking, diodes or a supply that gives way, an averaged converter is a gain.
        for channel in range(row.channels):
            source, gain, bias = _ACTION + row.source[channel], row.net_gain[channel], row.net_bias[channel]
            supply = SUPPLY + row.supply_of[channel]
            for lane in range(count):
                lanes[PHASE_VOLTAGE + channel, lane] = (gain * lanes[source, lane] + bias) * lanes[supply, lane]
        h = row.h
        for lane in range(count):
            lanes[_H, lane] = h
    else:
        switch(row, states, start, lanes, count)
    frame_voltages(row, lanes, count)
    advance(row, lanes, spare, count)
    if row.load != _POLY:
        for lane in range(count):
            lanes[_W, lane] = lanes[_NEXT_SPEED, lane]
    directions(row, lanes, count)
    for lane in range(count):
        s = states[start + lane]
        store(row, s, lanes, lane)
        s.k += 1
        if row.supply == _RC:
            # The capacitor's exact response to the mean current of the period.
            settled = row.supply_voltage - row.supply_r * lanes[_DRAWN, lane] / row.tau
            s.supply[0] = settled + (s.supply[0] - settled) * math.exp(-row.tau / (row.supply_r * row.supply_c))
            lanes[SUPPLY, lane] = s.supply[0]
        if row.observes_flux:
            observe_flux(row, s, lanes, lane)


# ----------------------------------------------------------------------------------------------------- signals


@inlined
def wrap(angle: float) -> float:
    """Bring an angle into [-pi, pi)."""
    return angle - 2.0 * math.pi * math.floor((angle + math.pi) / (2.0 * math.pi))


@inlined
def flux_direction(x_2: float, x_3: float) -> tuple[float, float]:
    """Return cosine and sine of the angle of the rotor flux (x_2, x_3) in the stator frame (induction machines)."""
    size = math.sqrt(x_2 * x_2 + x_3 * x_3)
    return (x_2 / size, x_3 / size) if size > 0.0 else (1.0, 0.0)


@jit
def measure(row: Record, lanes: Array, count: int) -> None:
    """Write every signal that follows from the state, SI units."""
    q2, q1 = matrix(row.q2), vector(row.q1)
    for lane in range(count):
        lanes[TORQUE, lane] = torque_of(q2, q1, state_of(lanes, lane), 4)
        lanes[EPSILON, lane] = wrap(lanes[_E, lane])
        lanes[VOLTAGE, lane], lanes[VOLTAGE + 1, lane] = lanes[_V, lane], lanes[_V + 1, lane]
        lanes[VOLTAGE + 2, lane], lanes[VOLTAGE + 3, lane] = lanes[_V + 2, lane], lanes[_V + 3, lane]
    phase_currents(row, lanes, count)
    if row.is_flux_oriented:
        # Here dq means along the rotor flux.
        for lane in range(count):
            along, across = flux_direction(lanes[_X + 2, lane], lanes[_X + 3, lane])
            for i in (CURRENT, CURRENT + 2, VOLTAGE, VOLTAGE + 2):
                lanes[i, lane], lanes[i + 1, lane] = turn(lanes[i, lane], lanes[i + 1, lane], along, -across)


@jit
def observe_flux(row: Record, s: Record, lanes: Array, lane: int) -> None:
    """Advance the rotor-flux observer by one period, from the measured stator current, speed and rotor voltage.

    d psi/dt = (l_m r_r / l_r) i - (r_r / l_r) psi + j p omega psi + u, solved exactly for constant i and omega and a
    voltage u (zero in a cage) that stands still in the rotor's frame or, without turning voltages, in the stator's.
    """
    rate, turning = row.observer[0], row.pole_pairs * lanes[_W, lane]
    real, imaginary = row.observer[1] * lanes[_X, lane], row.observer[1] * lanes[_X + 1, lane]
    u_0, u_1 = lanes[_V + 2, lane], lanes[_V + 3, lane]  # at the end of the period
    if row.turns == 0:
        real, imaginary, u_0, u_1 = real + u_0, imaginary + u_1, 0.0, 0.0
    # What is driven by i stands still at drive / (rate - j turning), what is driven by u turns as u / rate.
    size = rate * rate + turning * turning
    end_0 = (real * rate - imaginary * turning) / size + u_0 / rate
    end_1 = (imaginary * rate + real * turning) / size + u_1 / rate
    begin_0, begin_1 = turn_by(u_0 / rate, u_1 / rate, -turning * row.tau)
    begin_0, begin_1 = begin_0 + end_0 - u_0 / rate, begin_1 + end_1 - u_1 / rate
    decay = math.exp(-rate * row.tau)
    moved_0, moved_1 = turn_by(s.flux[0] - begin_0, s.flux[1] - begin_1, turning * row.tau)
    s.flux[0], s.flux[1] = end_0 + decay * moved_0, end_1 + decay * moved_1
    lanes[FLUX, lane], lanes[FLUX + 1, lane] = math.hypot(s.flux[0], s.flux[1]), math.atan2(s.flux[1], s.flux[0])


@jit
def constraint_level(row: Record, c: int, lanes: Array, count: int) -> None:
    """Write how much of constraint ``c`` is used up: 1 at the limit."""
    order = row.constraint_order[c]
    for lane in range(count):
        lanes[_LEVEL, lane] = 0.0
    for k in range(row.constraint_terms[c]):
        signal, weight = row.constraint_signal[c, k], row.constraint_weight[c, k]
        if order == 0.0:
            for lane in range(count):
                lanes[_LEVEL, lane] = max(lanes[_LEVEL, lane], abs(lanes[signal, lane]) * weight)
        elif order == 2.0:
            for lane in range(count):
                share = lanes[signal, lane] * weight
                lanes[_LEVEL, lane] += share * share
        else:
            for lane in range(count):
                lanes[_LEVEL, lane] += (abs(lanes[signal, lane]) * weight) ** order
    if order == 2.0:
        for lane in range(count):
            lanes[_LEVEL, lane] = math.sqrt(lanes[_LEVEL, lane])
    elif order != 0.0:
        for lane in range(count):
            lanes[_LEVEL, lane] = lanes[_LEVEL, lane] ** (1.0 / order)


@jit
def violation(row: Record, lanes: Array, count: int) -> None:
    """Write the merged degree of violation in [0, 1], and the highest level of any constraint."""
    for lane in range(count):
        lanes[_DEGREE, lane], lanes[_KEPT, lane], lanes[_HIGHEST, lane] = 0.0, 1.0, 0.0
    for c in range(row.constraints):
        constraint_level(row, c, lanes, count)
        soft = row.constraint_soft[c]
        slope = 1.0 / (1.0 - soft) if soft < 1.0 else 0.0
        for lane in range(count):
            level = lanes[_LEVEL, lane]
            share = 1.0 if level > 1.0 else max(level - soft, 0.0) * slope
            lanes[_DEGREE, lane] = max(lanes[_DEGREE, lane], share)
            lanes[_KEPT, lane] *= 1.0 - share
            lanes[_HIGHEST, lane] = max(lanes[_HIGHEST, lane], level)
    if row.merges_by_product:
        for lane in range(count):
            lanes[_DEGREE, lane] = 1.0 - lanes[_KEPT, lane]


@jit
def signals_of(row: Record, s: Record) -> Array:
    """Return a drive's lane, in which every signal has its place, SI units."""
    scratch = np.zeros(1, SCRATCH)
    lanes = scratch[0].lanes
    load(row, s, lanes, ZERO)
    for i in range(row.channels):
        lanes[PHASE_VOLTAGE + i, 0] = s.phase_voltage[i]
    measure(row, lanes, ONE)
    return scratch[0].lanes[:, 0].copy()


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
def shadow_excess(row: Record, s: Record, shadow: Array) -> float:
    """Measure the shadow; return how far it is outside its constraints and margins, 0 if inside."""
    measure(row, shadow, ONE)
    violation(row, shadow, ONE)
    excess = max(shadow[_HIGHEST, 0] - 0.9, 0.0)
    for r in range(row.references):
        generator = row.generator[r * GENERATORS + int(s.reference[r, _GENERATOR])]
        if generator.kind == _FEASIBLE:
            value = shadow[row.reference[r], 0] * row.per_reference_scale[r]
            excess = max(excess, max(value - generator.margin[1], generator.margin[0] - value))
    return excess


@jit
def shadow_step(row: Record, s: Record, shadow: Array) -> None:
    """Advance the drive that a feasible reference follows, by random band-limited voltages within the constraints.

    It is then in the first lane of ``shadow``.
    """
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
    load(row, s, shadow, ZERO)
    for i in range(_SIZE):
        shadow[i, 0] = s.shadow_y[i]
    directions(row, shadow, ONE)
    excess_before = shadow_excess(row, s, shadow)
    for attempt in range(3):
        # At full drive; if that leads outside, with the voltage off; if neither leads back, the reference holds.
        for i in range(_SIZE):
            shadow[i, 0] = s.shadow_y[i]
        directions(row, shadow, ONE)
        if attempt < 2:
            strength = 1.0 - attempt
            for channel in range(row.channels):
                drive = strength * s.shadow_drive[channel, 0]
                duty = row.net_gain[channel] * drive + row.net_bias[channel]
                shadow[PHASE_VOLTAGE + channel, 0] = duty * row.supply_voltage
            frame_voltages(row, shadow, ONE)
            shadow[_H, 0], shadow[_ACCELERATION, 0] = row.h, 0.0
            integrate(row, shadow, ONE, row.substeps)
            if row.load != _POLY:
                shadow[_W, 0] = s.y[_W]
            directions(row, shadow, ONE)
        excess = shadow_excess(row, s, shadow)
        if excess <= 0.0 or excess < excess_before:
            break
    for i in range(_SIZE):
        s.shadow_y[i] = shadow[i, 0]


@jit
def triangle(cycle: float, width: float) -> float:
    """Periodic wave in [-1, 1] that rises for the share ``width`` of its cycle; 1 is a sawtooth."""
    cycle -= math.floor(cycle)
    if cycle < width:
        return 2.0 * cycle / width - 1.0
    return 1.0 - 2.0 * (cycle - width) / (1.0 - width)


@jit
def deviate(s: Record, kind: int) -> float:
    """Draw the step of a random walk, of unit deviation (Wiener) or scale (Laplace)."""
    if kind == _WIENER:
        return normal(s.rng)
    spread = uniform(s.rng) - 0.5
    return -math.copysign(1.0, spread) * math.log(1.0 - 2.0 * abs(spread))


@jit
def wave(kind: int, phase: float, width: float) -> float:
    """Return a wave of unit amplitude at ``phase``, in cycles."""
    if kind == _SINE:
        return math.sin(2.0 * math.pi * phase)
    if kind == _STEP:
        return 1.0 if phase - math.floor(phase) < width else -1.0
    return triangle(phase, width if kind == _TRIANGLE else 1.0)


@jit
def next_reference(row: Record, s: Record, r: int, shadow_value: float) -> float:
    """Advance reference ``r`` by one step and return it, normalised by its signal's limit."""
    state = s.reference[r]
    state[_REMAINING] -= 1.0
    state[_TENURE] -= 1.0
    state[_PHASE] += state[_CYCLES]
    generator = row.generator[r * GENERATORS + int(state[_GENERATOR])]
    kind = generator.kind
    if kind == _WIENER or kind == _LAPLACE:
        value = state[_VALUE] + state[_SIGMA] * deviate(s, kind)
    elif kind == _FEASIBLE:
        value = shadow_value
    elif kind == _REF_CONST:
        value = generator.value
    else:
        value = state[_OFFSET] + state[_AMPLITUDE] * wave(kind, state[_PHASE], state[_WIDTH])
    value = min(max(value, generator.margin[0]), generator.margin[1])
    state[_VALUE] = value
    return value


@jit
def next_references(row: Record, states: NDArray[np.void], start: int, lanes: Array, shadow: Array, count: int) -> None:
    """Advance all references of the drives in ``count`` lanes."""
    for lane in range(count):
        s = states[start + lane]
        for r in range(row.references):
            if s.reference[r, _REMAINING] <= 0.0:
                begin_sub_episode(row, s, r)
        if row.is_feasible:
            shadow_step(row, s, shadow)
            for r in range(row.references):
                lanes[_SHADOW + r, lane] = shadow[row.reference[r], 0] * row.per_reference_scale[r]
    # One reference after the other: so the draws of several drives overlap.
    for r in range(row.references):
        for lane in range(count):
            lanes[_REFERENCE + r, lane] = next_reference(row, states[start + lane], r, lanes[_SHADOW + r, lane])


# ----------------------------------------------------------------------------------------------- the environment


@jit
def to_phases(row: Record, s: Record, actions: Array, i: int, applied: Array) -> None:
    """Write action ``i``, given in the rotating frame as phase quantities for the middle of the period it acts in."""
    y = s.y
    period = row.pole_pairs * y[_W] * row.tau  # the rotor's turn in a period
    if row.is_flux_oriented:
        # The stator's voltages stand still meanwhile; the rotor's do so too, unless they turn with it.
        cos, sin = flux_direction(y[_X + 2], y[_X + 3])
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
def judge(row: Record, lanes: Array, count: int, values: Array, start: int) -> None:
    """Write reward, its terms, cost and termination."""
    violation(row, lanes, count)
    bias, violation_reward, line = row.reward_bias, row.violation_reward, INFO + row.references
    for lane in range(count):
        degree, i = lanes[_DEGREE, lane], start + lane
        lanes[_REWARD, lane] = (1.0 - degree) * bias
        values[line, i] = lanes[_REWARD, lane]
        values[line + 1, i] = degree * violation_reward
        values[TERMINATED, i] = 1.0 if lanes[_HIGHEST, lane] > 1.0 else 0.0
        values[COST, i] = degree
    for r in range(row.references):
        signal, per_scale, per_span = row.reference[r], row.per_reference_scale[r], row.per_span[r]
        power, weight = row.power[r], row.weight[r]
        for lane in range(count):
            error = abs(lanes[signal, lane] * per_scale - lanes[_REFERENCE + r, lane]) * per_span
            term = -(1.0 - lanes[_DEGREE, lane]) * weight * (error if power == 1.0 else error**power)
            values[INFO + r, start + lane] = term
            lanes[_REWARD, lane] += term
    for lane in range(count):
        values[REWARD, start + lane] = lanes[_REWARD, lane] + lanes[_DEGREE, lane] * violation_reward


@jit
def observe(
    row: Record,
    states: NDArray[np.void],
    start: int,
    lanes: Array,
    count: int,
    observation: NDArray[np.float32],
    values: Array,
) -> None:
    """Write the normalised observation, and the signals and references in SI units for ``info``."""
    n, line = row.signals, INFO + row.references + 2
    for k in range(n):
        signal, per_scale, low, noise = row.signal[k], row.per_scale[k], row.low[k], row.noise[k]
        if noise > 0.0:
            for lane in range(count):
                value = lanes[signal, lane] * per_scale + noise * normal(states[start + lane].rng)
                observation[start + lane, k] = min(max(value, low), 1.0)
        else:
            for lane in range(count):
                observation[start + lane, k] = min(max(lanes[signal, lane] * per_scale, low), 1.0)
    for k in range(row.reports):
        signal = row.report[k]
        for lane in range(count):
            values[line + k, start + lane] = lanes[signal, lane]
    line += row.reports
    for r in range(row.references):
        scale = row.reference_scale[r]
        for lane in range(count):
            observation[start + lane, n + r] = lanes[_REFERENCE + r, lane]
            values[line + r, start + lane] = lanes[_REFERENCE + r, lane] * scale


@jit
def reset_drive(row: Record, s: Record) -> None:
    """Draw the state in which an episode starts."""
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


@jit
def run_of(active: NDArray[np.bool_], start: int, longest: int) -> tuple[int, int]:
    """Return the next drives that are taken side by side: the first active one, and the end of its neighbours."""
    first = start
    while first < active.shape[0] and not active[first]:
        first += 1
    end = first
    while end < min(active.shape[0], first + longest) and active[end]:
        end += 1
    return first, end


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
    # Drives that share their parameters are taken side by side.
    longest, scratch = LANES if rows.shape[0] == 1 else 1, np.empty(2, SCRATCH)
    first, end = run_of(active, ZERO, longest)
    while first < end:
        row, count = rows[min(first, rows.shape[0] - 1)], end - first
        lanes, spare = scratch[0].lanes, scratch[1].lanes
        for lane in range(count):
            s = states[first + lane]
            reset_drive(row, s)
            load(row, s, lanes, lane)
            for i in range(row.channels):
                lanes[PHASE_VOLTAGE + i, lane] = 0.0
        directions(row, lanes, count)
        measure(row, lanes, count)
        for lane in range(count):
            store(row, states[first + lane], lanes, lane)
        next_references(row, states, first, lanes, spare, count)
        observe(row, states, first, lanes, count, observation, values)
        first, end = run_of(active, end, longest)


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
    longest, scratch = LANES if rows.shape[0] == 1 else 1, np.empty(2, SCRATCH)
    first, end = run_of(active, ZERO, longest)
    while first < end:
        row, count = rows[min(first, rows.shape[0] - 1)], end - first
        lanes, spare = scratch[0].lanes, scratch[1].lanes
        for lane in range(count):
            act(row, states[first + lane], actions, first + lane, lanes, lane)
        pass_period(row, states, first, lanes, spare, count)
        measure(row, lanes, count)
        judge(row, lanes, count, values, first)
        next_references(row, states, first, lanes, spare, count)
        observe(row, states, first, lanes, count, observation, values)
        first, end = run_of(active, end, longest)


@jit
def simulate(states: NDArray[np.void], row: Record, actions: Array, trajectory: Array, torque: Array) -> None:
    """Drive one machine by ``actions`` (K, A), without a task; write its states (K+1, n+2) and torque (K+1,)."""
    scratch, n, s = np.empty(2, SCRATCH), row.n, states[0]
    for k in range(actions.shape[0] + 1):
        lanes, spare = scratch[0].lanes, scratch[1].lanes
        if k == 0:
            load(row, s, lanes, ZERO)
        else:
            act(row, s, actions, k - 1, lanes, ZERO)
            pass_period(row, states, ZERO, lanes, spare, ONE)
        measure(row, lanes, ONE)
        trajectory[k, 0], trajectory[k, n + 1] = lanes[_W, 0], lanes[_E, 0]
        for i in range(n):
            trajectory[k, 1 + i] = lanes[_X + i, 0]
        torque[k] = lanes[TORQUE, 0]
