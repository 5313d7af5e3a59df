"""A drive put together: what a user asked for, checked, and packed into the record that the kernels read."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..core import Parameters, Problem
from ..core.reading import entries, interval, number, one_of, sequence
from . import kernels as k
from . import params as p
from .generator import Reference, References, pack_references, read_references
from .motors import MOTORS, Machine, Matrix, MotorKind, check_physical, equations
from .presets import task_defaults
from .rewards import Constraint, Reward, read_constraints, read_reward

TASKS = ("current", "torque", "speed")

# Signals that an option adds, and their places among the kernels' signals.
_FLUX = {"psi_abs": k.FLUX, "psi_angle": k.FLUX + 1}
_DIRECTION = {"cos_epsilon": k.COS, "sin_epsilon": k.SIN}

LOADS: dict[str, type[Parameters]] = {
    "poly": p.PolynomialLoad,
    "const": p.ConstantSpeedLoad,
    "profile": p.ProfileLoad,
    "ornstein_uhlenbeck": p.OrnsteinUhlenbeckLoad,
}
SUPPLIES: dict[str, type[Parameters]] = {
    "ideal": p.IdealSupply,
    "rc": p.RcSupply,
    "ac1": p.Ac1Supply,
    "ac3": p.Ac3Supply,
}


@dataclasses.dataclass(frozen=True)
class Bridge:
    """A sub-converter: how actions set its half-bridge legs."""

    channels: int
    low: float  # continuous action
    high: float
    gain: tuple[float, float]  # duty of leg = gain * action + bias
    bias: tuple[float, float]
    legs: int
    offset: float  # of the output, in units of the supply voltage
    table: tuple[tuple[tuple[int, int], ...], ...]  # finite: per channel and action the state of both legs
    has_diode_only: bool = False


_OFF, _UPPER, _LOWER = 0, 1, 2
BRIDGES = {
    "1qc": Bridge(1, 0.0, 1.0, (1.0, 0.0), (0.0, 0.0), 1, 0.0, (((_OFF, 0), (_UPPER, 0)),), has_diode_only=True),
    "2qc": Bridge(1, 0.0, 1.0, (1.0, 0.0), (0.0, 0.0), 1, 0.0, (((_OFF, 0), (_UPPER, 0), (_LOWER, 0)),)),
    "4qc": Bridge(
        1, -1.0, 1.0, (0.5, -0.5), (0.5, 0.5), 2, 0.0,
        (((_UPPER, _UPPER), (_UPPER, _LOWER), (_LOWER, _UPPER), (_LOWER, _LOWER)),),
    ),
    # The eight actions are the switching states of the phases: a * 4 + b * 2 + c.
    "b6": Bridge(
        3, -1.0, 1.0, (0.5, 0.0), (0.5, 0.0), 1, 0.5,
        tuple(tuple((_UPPER if action >> bit & 1 else _LOWER, 0) for action in range(8)) for bit in (2, 1, 0)),
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Converter:
    """A power-electronic converter: one bridge per winding system, or none (phases directly at an AC supply)."""

    kind: str  # "continuous", "finite" or "none"
    bridges: tuple[str, ...]
    interlocking_time: float = 0.0  # s
    dead_time: int = 0  # periods
    commutation: str = "period"
    """How long a leg that changes from one switch to the other has both off (finite converters with an interlocking
    time): ``"period"``, to the end of the control period, the diodes' choice renewed after the interlocking time, as
    gym-electric-motor 3.0.3 does; or ``"interlocking"``, for the interlocking time, as a gate driver does."""

    @property
    def is_finite(self) -> bool:
        """Whether actions are switching states."""
        return self.kind == "finite"


def read_parameters(what: str, given: Any, kinds: Mapping[str, type[Parameters]]) -> Any:
    """Turn ``{"type": kind, field: value, ...}`` into parameters; parameters pass through.

    Raises:
        ValueError: an unknown kind or field, or a value out of range.
    """
    if isinstance(given, tuple(kinds.values())):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} is a dict such as {{'type': '{next(iter(kinds))}'}}, not {given!r}.")
    fields = dict(given)
    kind = one_of(f"{what} type", fields.pop("type", next(iter(kinds))), kinds)
    return fill(kinds[kind], fields)


def fill(parameters: type[Any], fields: Mapping[str, Any]) -> Any:
    """Make ``parameters`` from ``fields``; what is left out has its default.

    Raises:
        ValueError: an unknown field, or a value out of range.
    """
    for name in fields:
        one_of(f"The {parameters.__name__} parameter", name, (field.name for field in dataclasses.fields(parameters)))
    return parameters(**fields)


def read_motor(motor: str, params: Any) -> tuple[MotorKind, p.Motor]:
    """Return a kind of motor and its parameters: the defaults, changed by ``params``.

    Raises:
        ValueError: an unknown motor or parameter, a value out of range, or parameters that are unphysical together.
    """
    kind = MOTORS[one_of("motor", motor, MOTORS)]
    parameters = params if isinstance(params, kind.parameters) else fill(kind.parameters, entries("params", params))
    check_physical(kind.machine(parameters), motor)
    return kind, parameters


def read_supply(given: Any, default: float) -> Any:
    """Return supply parameters from a voltage, a dict, parameters, or None for an ideal source of ``default`` volts."""
    if given is None or (isinstance(given, numbers.Real) and not isinstance(given, bool)):
        return p.IdealSupply(float(default if given is None else given))
    return read_parameters("supply", given, SUPPLIES)


def read_converter(given: Any, kind: MotorKind) -> Converter:
    """Turn a name or a dict into a `Converter` that fits the motor.

    Raises:
        ValueError: an unknown kind or field, bridges that do not fit, or times that make no sense.
    """
    fields = dict(given) if isinstance(given, Mapping) else {"type": given}
    name = one_of("converter", fields.pop("type", "continuous"), ("continuous", "finite", "none"))
    standard = tuple("4qc" if bridge == "dc" else bridge for bridge in kind.converters)
    bridges = fields.pop("bridges", standard)
    bridges = (bridges,) if isinstance(bridges, str) else sequence("converter bridges", bridges)
    interlocking = number("converter interlocking_time", fields.pop("interlocking_time", 0.0), 0.0)
    dead_time = fields.pop("dead_time", 0)
    commutation = one_of("commutation", fields.pop("commutation", "period"), ("period", "interlocking"))
    fields.pop("note", None)  # what the oracle's files say about a case
    for field in fields:
        one_of("The converter field", field, ("type", *(field.name for field in dataclasses.fields(Converter)[1:])))
    fits = len(bridges) == len(kind.converters) and all(
        one_of("bridge", bridge, BRIDGES) == "b6" if place == "b6" else one_of("bridge", bridge, BRIDGES) != "b6"
        for bridge, place in zip(bridges, kind.converters, strict=False)
    )
    if not fits:
        places = ", ".join("b6" if place == "b6" else "one of 1qc, 2qc, 4qc" for place in kind.converters)
        raise ValueError(f"converter bridges = {bridges}: this motor needs {len(kind.converters)}: {places}.")
    if isinstance(dead_time, bool) or dead_time not in range(k.DELAY + 1):
        raise ValueError(f"converter dead_time = {dead_time!r} periods: 0 to {k.DELAY} are possible.")
    return Converter(name, bridges, interlocking, int(dead_time), commutation)


@dataclasses.dataclass(frozen=True)
class Plant:
    """Machine, converter, supply and load: all that `simulate` needs."""

    motor: str
    parameters: p.DriveParameters
    converter: Converter
    tau: float
    voltage_hold: str = "abc"
    action_frame: str = "abc"

    def __post_init__(self) -> None:
        """Check what spans several parts.

        Raises:
            ValueError: names what does not fit.
        """
        one_of("voltage_hold", self.voltage_hold, ("abc", "dq"))
        one_of("action_frame", self.action_frame, ("abc", "dq"))
        number("tau", self.tau, 1e-9, 1.0)
        if self.converter.interlocking_time >= self.tau:
            raise ValueError(
                f"converter interlocking_time = {self.converter.interlocking_time!r} s is not below tau = {self.tau} s."
            )
        if self.converter.kind == "none" and not (
            isinstance(self.parameters.supply, p.Ac3Supply) and self.kind.converters == ("b6",)
        ):
            raise ValueError("converter = 'none' puts three phases directly at a supply of type 'ac3'.")
        if isinstance(self.parameters.supply, p.Ac3Supply) and self.converter.kind != "none":
            raise ValueError("A supply of type 'ac3' feeds the phases directly: converter = 'none' is needed.")
        if self.action_frame == "dq" and not (self.kind.is_three_phase and self.converter.kind == "continuous"):
            raise ValueError("action_frame = 'dq' needs a three-phase motor and a continuous converter.")

    @property
    def kind(self) -> MotorKind:
        """What rlx knows of the motor."""
        return MOTORS[self.motor]

    @property
    def bridges(self) -> tuple[Bridge, ...]:
        """The sub-converters."""
        return tuple(BRIDGES[name] for name in self.converter.bridges)

    @property
    def supply_amplitude(self) -> float:
        """Highest supply voltage in V: of the DC link, or of a phase."""
        supply = self.parameters.supply
        if isinstance(supply, p.Ac1Supply):
            return supply.voltage * math.sqrt(2.0)
        return supply.voltage * math.sqrt(2.0 / 3.0) if isinstance(supply, p.Ac3Supply) else supply.voltage

    def action_space(self) -> spaces.Space[Any]:
        """Return the space of actions: duty cycles, dq voltages, or switching states."""
        if self.converter.kind == "none":
            return spaces.Box(-1.0, 1.0, (0,), np.float32)
        if self.converter.is_finite:
            sizes = [len(bridge.table[0]) for bridge in self.bridges]
            return spaces.Discrete(sizes[0]) if len(sizes) == 1 else spaces.MultiDiscrete(sizes)
        low, high = self.action_bounds()
        return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))

    def action_bounds(self) -> tuple[list[float], list[float]]:
        """Return lowest and highest continuous action, per component."""
        counts = [bridge.channels - 1 if self.action_frame == "dq" and bridge.channels == 3 else bridge.channels
                  for bridge in self.bridges]  # fmt: skip
        low = [bridge.low for bridge, n in zip(self.bridges, counts, strict=True) for _ in range(n)]
        high = [bridge.high for bridge, n in zip(self.bridges, counts, strict=True) for _ in range(n)]
        return low, high

    def pack(self, parameters: p.DriveParameters, row: NDArray[np.void]) -> None:
        """Write machine, converter, supply and load with ``parameters`` into the record ``row`` (shape ())."""
        kind, motor = self.kind, parameters.motor
        machine = kind.machine(motor)
        check_physical(machine, self.motor)
        matrices = equations(machine)
        n = len(kind.states)
        row["n"], row["m"] = n, kind.clarke.shape[0]
        for name, matrix in matrices.items():
            row[name][tuple(slice(0, size) for size in matrix.shape)] = matrix
        row["pole_pairs"] = machine.pole_pairs
        row["spin"], row["turns"] = kind.spin, self.voltage_hold == "abc" and kind.is_three_phase
        row["is_three_phase"], row["is_flux_oriented"] = kind.is_three_phase, kind.is_flux_oriented
        row["clarke"][: kind.clarke.shape[0], : kind.channels] = kind.clarke
        row["declarke"][: kind.channels, : kind.declarke.shape[1]] = kind.declarke
        if isinstance(motor, p.Scim | p.Dfim):
            l_r = motor.l_m + motor.l_sigr
            row["observer"] = motor.r_r / l_r, motor.l_m * motor.r_r / l_r
        self._pack_converter(row)
        self._pack_supply(parameters.supply, row)
        self._pack_load(parameters, row)
        row["tau"] = self.tau
        row["substeps"] = self._substeps(machine, matrices, row)
        row["h"] = self.tau / row["substeps"]

    def _pack_converter(self, row: NDArray[np.void]) -> None:
        converter, channel = self.converter, 0
        for source, bridge in enumerate(self.bridges):
            for i in range(bridge.channels):
                row["source"][channel] = source if converter.is_finite else channel
                row["gain"][channel], row["bias"][channel] = bridge.gain, bridge.bias
                row["legs"][channel], row["offset"][channel] = bridge.legs, bridge.offset
                row["has_diode_only"][channel] = bridge.has_diode_only
                row["drive_low"][channel], row["drive_high"][channel] = bridge.low, bridge.high
                for action, states in enumerate(bridge.table[i]):
                    row["table"][channel, action] = states
                channel += 1
        row["channels"], row["is_finite"] = channel, converter.is_finite
        if converter.kind == "none":
            row["gain"], row["bias"], row["legs"], row["offset"] = 0.0, (1.0, 0.0), 1, 0.0
            row["supply_of"][:3] = range(3)
        second = row["legs"] == 2  # the other leg counts negative
        row["net_gain"] = row["gain"][:, 0] - second * row["gain"][:, 1]
        row["net_bias"] = row["bias"][:, 0] - second * row["bias"][:, 1] - row["offset"]
        row["is_linear"] = not (
            converter.is_finite
            or converter.interlocking_time > 0.0
            or isinstance(self.parameters.supply, p.RcSupply)
            or "1qc" in converter.bridges
        )
        row["waits_for_period"] = converter.commutation == "period"
        row["interlocking_time"], row["dead_time"] = converter.interlocking_time, converter.dead_time
        row["sources"] = row["source"][:channel].max() + 1 if converter.kind != "none" else 0
        row["actions"] = len(self.action_bounds()[0]) if self.action_frame == "dq" else row["sources"]
        row["is_dq_action"] = self.action_frame == "dq"

    def _pack_supply(self, supply: Any, row: NDArray[np.void]) -> None:
        row["supply"] = k.SUPPLIES.index(supply.kind)
        row["supply_voltage"] = self.supply_amplitude / self.parameters.supply.voltage * supply.voltage
        row["supply_r"], row["supply_c"] = getattr(supply, "r", 0.0), getattr(supply, "c", 1.0)
        row["supply_frequency"] = getattr(supply, "frequency", 0.0)
        phase = getattr(supply, "phase", 0.0)
        row["supply_phase"] = -1.0 if phase is None else phase

    def _pack_load(self, parameters: p.DriveParameters, row: NDArray[np.void]) -> None:
        load = parameters.load
        row["load"] = k.LOADS.index(load.kind)
        row["inertia"] = parameters.motor.j_rotor
        if isinstance(load, p.PolynomialLoad):
            row["load_a"], row["load_b"], row["load_c"] = load.a, load.b, load.c
            row["inertia"] += load.j_load
            if not row["inertia"] > 0.0:
                raise ValueError("j_rotor + j_load = 0 kg m^2: a drive needs some inertia.")
            row["per_inertia"] = 1.0 / row["inertia"]
        elif isinstance(load, p.ConstantSpeedLoad):
            row["load_omega"] = load.omega
        elif isinstance(load, p.ProfileLoad):
            row["knots"] = len(load.time)
            row["knot_time"][: len(load.time)], row["knot_omega"][: len(load.omega)] = load.time, load.omega
        else:
            row["load_omega"], row["load_sigma"], row["load_theta"] = load.mean, load.sigma, load.theta
            row["load_range"] = load.low, load.high

    def _substeps(self, machine: Machine, matrices: Mapping[str, Matrix], row: NDArray[np.void]) -> int:
        """Choose Runge-Kutta steps per period so that h times the fastest rate stays below 0.065.

        The relative error of the method is then about 0.065^4 / 120 = 1.5e-7. The rates are the eigenvalues of the
        equations, linearised at the limits of speed and current.
        """
        kind, n = self.kind, len(self.kind.states)
        omega = kind.limits["omega"]
        state = np.full(n, kind.limits["i"])
        if machine.state_of_currents is not None:
            state = machine.state_of_currents @ state
        jacobian = np.zeros((n + 1, n + 1))
        jacobian[:n, :n] = matrices["a"] + omega * matrices["c"]
        if isinstance(self.parameters.load, p.PolynomialLoad):
            jacobian[:n, n] = matrices["c"] @ state + matrices["d"]
            jacobian[n, n] = -float(row["load_b"] + 2.0 * row["load_c"] * omega)
            jacobian[n, :n] = (matrices["q2"] + matrices["q2"].T) @ state + matrices["q1"]
            jacobian[n] /= float(row["inertia"])
        rate = float(np.abs(np.linalg.eigvals(jacobian)).max())
        rate = max(rate, machine.pole_pairs * omega if kind.is_three_phase else 0.0)
        return max(1, math.ceil(self.tau * rate / 0.065))


@dataclasses.dataclass(frozen=True)
class Drive:
    """A plant with a task: what is observed, what it should follow, what that is worth, and what it must not do."""

    plant: Plant
    limits: dict[str, float]  # SI, of every signal
    nominal: dict[str, float]
    observed: tuple[str, ...]
    noise: dict[str, float]
    initial: dict[str, tuple[float, float, float, float]]  # state -> mean, deviation, low, high
    references: dict[str, References]
    reward: Reward
    constraints: tuple[Constraint, ...]
    merge: str
    observes_flux: bool
    observation: str

    @property
    def signals(self) -> dict[str, int]:
        """All signals: name -> place in the kernels' lane."""
        kind = self.plant.kind
        names = sorted(kind.signals, key=kind.signals.__getitem__)
        return {name: kind.signals[name] for name in names} | (_FLUX if self.observes_flux else {})

    def low(self, name: str) -> float:
        """Lowest normalised value of a signal."""
        return signal_low(self.plant, name)

    def pack(self, parameters: p.DriveParameters) -> NDArray[np.void]:
        """Return the record that the kernels read, shape ()."""
        row = np.zeros((), k.ROW)
        self.plant.pack(parameters, row)
        places, n = _DIRECTION | self.signals, len(self.observed)
        row["reports"], row["report"][: len(self.signals)] = len(self.signals), tuple(self.signals.values())
        row["signals"], row["signal"][:n] = n, [places[name] for name in self.observed]
        row["per_scale"][:n] = [1.0 / self.limits[name] for name in self.observed]
        row["low"][:n] = [self.low(name) for name in self.observed]
        row["noise"][:n] = [self.noise.get(name, 0.0) for name in self.observed]
        row["observes_flux"] = self.observes_flux
        for i, name in enumerate(("omega", "epsilon", *self.plant.kind.states)):
            row["initial"][i] = self.initial.get(name, (0.0, 0.0, 0.0, 0.0))
        targets = tuple(self.references)
        m = len(targets)
        row["references"], row["reference"][:m] = m, [places[name] for name in targets]
        row["reference_scale"][:m] = [self.limits[name] for name in targets]
        row["per_reference_scale"] = 1.0 / np.where(row["reference_scale"], row["reference_scale"], 1.0)
        margins = []
        for name in targets:
            share = min(self.nominal.get(name, self.limits[name]) / self.limits[name], 1.0)
            margins.append((self.low(name) * share, share))
        pack_references(row, tuple(self.references.values()), margins, [self.low(name) for name in targets])
        row["weight"][:m], row["power"][:m] = self.reward.weights, self.reward.powers
        row["per_span"][:m] = [1.0 / (1.0 - self.low(name)) for name in targets]
        row["reward_bias"], row["violation_reward"] = self.reward.bias, self.reward.violation_reward
        row["constraints"] = len(self.constraints)
        for c, constraint in enumerate(self.constraints):
            size = len(constraint.signals)
            row["constraint_terms"][c] = size
            row["constraint_signal"][c, :size] = [places[name] for name in constraint.signals]
            row["constraint_weight"][c, :size] = [
                1.0 / (self.limits[name] if limit is None else limit)
                for name, limit in zip(constraint.signals, constraint.limits, strict=True)
            ]
            row["constraint_order"][c] = 0.0 if math.isinf(constraint.order) else constraint.order
            row["constraint_soft"][c] = constraint.soft
        row["merges_by_product"] = self.merge == "product"
        return row

    def problem(self) -> Problem:
        """Return the drive as a problem for `core`."""
        low = np.array([self.low(name) for name in self.observed], np.float32)
        lowest = np.array([self.low(name) for name in self.references], np.float32)
        parts: dict[str, spaces.Space[Any]] = {
            "measurement": spaces.Box(low, 1.0, low.shape, np.float32),
            "reference": spaces.Box(lowest, 1.0, lowest.shape, np.float32),
        }
        flat = spaces.Box(np.concatenate([low, lowest]), 1.0, (len(low) + len(lowest),), np.float32)
        return Problem(
            parameters=self.plant.parameters,
            observation_space=spaces.Dict(parts) if self.observation == "dict" else flat,
            action_space=self.plant.action_space(),
            state_dtype=k.DRIVE,
            pack=self.pack,
            reset=k.reset,
            step=k.step,
            info={
                "reward_terms": (*self.references, "bias", "violation"),
                "signals": tuple(self.signals),
                "reference": tuple(self.references),
            },
        )


def signal_low(plant: Plant, name: str) -> float:
    """Return the lowest normalised value of a signal: 0 where it cannot be negative, else -1."""
    kind, is_ac = plant.kind, isinstance(plant.parameters.supply, p.Ac1Supply | p.Ac3Supply)
    if name == "u_sup":
        return -1.0 if is_ac else 0.0
    if name == "psi_abs":
        return 0.0
    if name in kind.low:
        return kind.low[name]
    if kind.is_three_phase or is_ac:
        return -1.0
    first = plant.converter.bridges[0]
    is_positive = {"1qc": ("i", "i_a", "i_e", "u", "u_a", "omega", "torque"), "2qc": ("u", "u_a", "omega")}
    return 0.0 if name in is_positive.get(first, ()) else -1.0


def build_drive(
    motor: str,
    task: str,
    converter: Any,
    params: Any,
    load: Any,
    supply: Any,
    tau: float | None,
    voltage_hold: str,
    limits: Mapping[str, float] | None,
    nominal: Mapping[str, float] | None,
    references: Any,
    reward: Mapping[str, Any] | None,
    constraints: Any,
    merge: str,
    initial: Mapping[str, Any] | None,
    noise: float | Mapping[str, float],
    signals: Iterable[str] | None,
    angle: str,
    flux_observer: bool,
    action_frame: str,
    observation: str,
) -> Drive:
    """Check the arguments of `ElectricMotorEnv` and put the drive together.

    Raises:
        ValueError: names the argument, what was given, and what is allowed.
    """
    kind, parameters = read_motor(motor, params)
    one_of("task", task, TASKS)
    one_of("angle", angle, ("raw", "cos_sin"))
    one_of("merge", merge, ("max", "product"))
    one_of("observation", observation, ("flat", "dict"))
    converter = read_converter(converter, kind)
    defaults = task_defaults(motor, task, converter.is_finite)
    plant = Plant(
        motor,
        p.DriveParameters(
            parameters,
            read_parameters("load", defaults["load"] if load is None else load, LOADS),
            read_supply(supply, kind.supply),
        ),
        converter,
        number("tau", (1e-5 if converter.is_finite else 1e-4) if tau is None else tau),
        voltage_hold,
        action_frame,
    )
    if flux_observer and not kind.is_flux_oriented:
        raise ValueError(f"flux_observer = True needs an induction motor, not {motor}.")

    scales = _scales(plant, limits, kind.limits, "limits")
    names = (*kind.signals, *(_FLUX if flux_observer else ()))
    shown = sorted(kind.signals, key=kind.signals.__getitem__) if signals is None else signals
    observed = tuple(dict.fromkeys(one_of("The observed signal", name, names) for name in sequence("signals", shown)))
    if flux_observer:
        observed += tuple(name for name in _FLUX if name not in observed)
    if angle == "cos_sin" and "epsilon" in observed:
        place = observed.index("epsilon")
        observed = (*observed[:place], *_DIRECTION, *observed[place + 1 :])
    given = dict.fromkeys(observed, noise) if isinstance(noise, numbers.Real) else entries("noise", noise)
    levels = {one_of("The noisy signal", name, observed): number(f"noise of {name}", level, 0.0, 1.0)
              for name, level in given.items()}  # fmt: skip

    targets = kind.targets[task]
    if isinstance(references, Mapping) and references and set(references) <= set(names):
        targets = tuple(references)
    if len(targets) > k.REFERENCES:
        raise ValueError(f"At most {k.REFERENCES} references are possible, not {len(targets)}: {', '.join(targets)}.")
    return Drive(
        plant=plant,
        limits=scales,
        nominal=_scales(plant, nominal, kind.limits | kind.nominal, "nominal"),
        observed=observed,
        noise=levels,
        initial=_initial(entries("initial", initial), (*kind.states, "omega", "epsilon"), scales),
        references=read_references(references, targets, Reference(**defaults["reference"])),
        reward=read_reward(reward, targets),
        constraints=read_constraints(constraints, names, kind.constraints),
        merge=merge,
        observes_flux=flux_observer,
        observation=observation,
    )


def _scales(plant: Plant, given: Mapping[str, float] | None, base: Mapping[str, float], what: str) -> dict[str, float]:
    """Return a value for every signal, from general ones (``i`` for every current) and particular ones."""
    kind, amplitude = plant.kind, plant.supply_amplitude
    values = dict(base)
    for name, value in entries(what, given).items():
        one_of(f"The {what} entry", name, dict.fromkeys((*kind.signals, "i")))
        values[name] = number(f"{what} of {name}", value, 1e-12)
    scales = {}
    for name, place in kind.signals.items():
        if name in values:
            scales[name] = values[name]
        elif name.startswith("i_"):
            scales[name] = values["i"]
        elif k.VOLTAGE <= place < k.EPSILON:
            scales[name] = 2.0 / 3.0 * amplitude  # the longest vector of an inverter's hexagon
        elif k.PHASE_VOLTAGE <= place < k.VOLTAGE:
            is_leg = kind.is_three_phase and plant.converter.kind != "none" and name != "u_e"
            scales[name] = amplitude / 2.0 if is_leg else amplitude
        elif name == "epsilon":
            scales[name] = math.pi
        else:
            scales[name] = amplitude
    longest = getattr(plant.parameters.motor, "l_m", 1.0) * scales.get("i_sd", 1.0)
    return scales | {"psi_abs": longest, "psi_angle": math.pi, "cos_epsilon": 1.0, "sin_epsilon": 1.0}


def _initial(
    given: Mapping[str, Any], states: tuple[str, ...], limits: Mapping[str, float]
) -> dict[str, tuple[float, float, float, float]]:
    """Return mean, deviation and interval of each initial state (SI units)."""
    initial = {}
    for name, value in given.items():
        one_of("The initial state", name, states)
        what, limit = f"initial {name}", limits.get(name, 1e9)
        mean, deviation, ends = 0.0, 0.0, value
        if isinstance(value, Mapping):
            fields = {"mean": 0.0, "std": 0.0, "low": -limit, "high": limit} | dict(value)
            for field in fields:
                one_of("The field of an initial state", field, ("mean", "std", "low", "high"))
            mean, deviation = number(f"{what} mean", fields["mean"]), number(f"{what} std", fields["std"], 0.0)
            ends = fields["low"], fields["high"]
        initial[name] = (mean, deviation, *interval(what, ends, -limit, limit))
    return initial
