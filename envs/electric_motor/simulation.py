"""The drive without a task: voltages in, trajectories out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.reading import number
from . import kernels as k
from . import params as p
from .drive import LOADS, Plant, read_converter, read_motor, read_parameters, read_supply


@dataclasses.dataclass(frozen=True, eq=False)
class Simulation:
    """What `simulate` returns."""

    time: NDArray[np.float64]  # (K + 1,) s
    states: NDArray[np.float64]  # (K + 1, n + 2): omega, electrical states, epsilon (three-phase motors)
    torque: NDArray[np.float64]  # (K + 1,) N m
    names: tuple[str, ...]  # of the columns of states


def simulate(
    motor: str,
    actions: ArrayLike,
    *,
    params: Mapping[str, float] | None = None,
    load: Mapping[str, Any] | None = None,
    converter: str | Mapping[str, Any] = "continuous",
    supply: float | Mapping[str, Any] | None = None,
    tau: float = 1e-4,
    voltage_hold: str = "abc",
    initial_state: Sequence[float] | None = None,
    seed: int = 0,
) -> Simulation:
    """Drive a motor by given actions, without limits, references or noise.

    Args:
        motor: as for `ElectricMotorEnv`, like the arguments below.
        actions: (K, A) duty cycles, or (K,) or (K, B) switching states.
        params: the motor's parameters that differ from the defaults.
        load: by default a constant speed of 100 rad/s.
        converter: kind, or dict.
        supply: volts, or dict; the motor's own by default.
        tau: control period in s.
        voltage_hold: ``"abc"`` or ``"dq"``.
        initial_state: (n + 2,) or (n + 1,) for DC motors, in the order of ``names``; zero by default. A load that
            imposes the speed overrules omega.
        seed: of what is random (an Ornstein-Uhlenbeck load, an AC supply's phase).

    Returns:
        Time, ODE states and torque at the K + 1 sampling instants.

    Raises:
        ValueError: an argument that is unknown, out of range or unphysical; actions outside the action space.
    """
    kind, parameters = read_motor(motor, params)
    plant = Plant(
        motor,
        p.DriveParameters(
            parameters,
            read_parameters("load", {"type": "const"} if load is None else load, LOADS),
            read_supply(supply, kind.supply),
        ),
        read_converter(converter, kind),
        number("tau", tau),
        voltage_hold,
    )
    columns = len(plant.bridges) if plant.converter.is_finite else kind.channels
    commands = _numbers("actions", actions)
    if commands.ndim == 1 and columns == 1:
        commands = commands[:, None]
    if plant.converter.kind == "none" and commands.ndim > 0:
        commands = np.zeros((len(commands), kind.channels))
    elif commands.ndim != 2 or commands.shape[1] != columns:
        raise ValueError(f"actions of {motor} have shape (K, {columns}), not {np.shape(actions)}.")
    else:
        if plant.converter.is_finite:
            low, high = np.zeros(columns), np.array([len(bridge.table[0]) - 1 for bridge in plant.bridges])
        else:
            low, high = map(np.array, plant.action_bounds())
        allowed = (commands >= low) & (commands <= high)
        if plant.converter.is_finite:
            allowed &= commands == np.floor(commands)
        bad = ~allowed.all(axis=1)
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise ValueError(f"actions[{i}] = {commands[i].tolist()}: allowed are {low.tolist()} to {high.tolist()}.")

    row, state = np.zeros(1, k.ROW), np.zeros(1, k.DRIVE)
    plant.pack(plant.parameters, row[0])
    names = ("omega", *kind.states, *(("epsilon",) if kind.is_three_phase else ()))
    if initial_state is not None:
        values = _numbers("initial_state", initial_state)
        if values.shape != (len(names),) or not np.isfinite(values).all():
            raise ValueError(f"initial_state of {motor} is ({', '.join(names)}), not {initial_state!r}.")
        places = (0, *range(2, 2 + len(kind.states)), 1)
        for place, value in zip(places, values, strict=False):
            row["initial"][0, place] = value, 0.0, value, value
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"seed = {seed!r}: a whole number in [0, 2^64) is needed.")
    state["rng"][0] = np.array([seed, 0, 0], np.uint64)
    k.reset(state, row, np.ones(1, np.bool_), np.zeros((1, 1), np.float32), np.zeros((8, 1)), np.zeros((1, 0), np.int8))
    states, torque = np.zeros((len(commands) + 1, len(kind.states) + 2)), np.zeros(len(commands) + 1)
    k.simulate(state, row[0], commands, states, torque)
    time = np.arange(len(commands) + 1) * float(tau)
    return Simulation(np.asarray(time, np.float64), states[:, : len(names)], torque, names)


def _numbers(what: str, given: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} = {given!r:.80}: an array of numbers is needed.") from None
