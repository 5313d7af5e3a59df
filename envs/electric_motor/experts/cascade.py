"""The cascade: speed, then torque, then currents; each loop faster than the one around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import gymnasium
import numpy as np

from .. import params as p
from ..drive import Drive, Plant
from .machine import Limits, Measured, Vector, Windings, frame_of
from .torque import POINTS


class InnerLoop(Protocol):
    """Control of the currents."""

    def act(self, now: Measured, target: Vector, torque: float | None = None) -> Any:
        """Return the action that moves the fed states to ``target`` (m,), which should make ``torque`` in N m."""


class SpeedPi:
    """PI control of the speed, with the known load torque fed forward.

    Symmetrical optimum (Schröder, "Elektrische Antriebe - Regelung von Antriebssystemen"): K = J / (a T), T_n = a^2 T
    with a = 2 and T the delay of the torque. For large signals, where the torque takes its time, the error is that of
    the speed which the torque will still bring about until it is back at what keeps the speed; and the integral
    forgets within 50 periods (anti-windup).
    """

    def __init__(self, plant: Plant, highest: float, a: float = 2.0) -> None:
        """Design for inertia and load of ``plant``, whose torque is at most ``highest`` in N m."""
        load = plant.parameters.load
        self.load = load if isinstance(load, p.PolynomialLoad) else p.PolynomialLoad(j_load=0.0)
        self.inertia = plant.parameters.motor.j_rotor + self.load.j_load
        delay = plant.tau * (1.0 + plant.converter.dead_time)
        self.gain = self.inertia / (a * delay)
        self.integral_gain = self.gain * plant.tau / (a * a * delay)
        self.highest = highest
        self.integral, self.error, self.wanted, self.possible, self.is_small = 0.0, 0.0, 0.0, 0.0, False

    def load_torque(self, omega: float) -> float:
        """Return the load torque in N m, its constant part smoothed around standstill."""
        load = self.load
        constant = min(max(1e3 * self.inertia * omega, -load.a), load.a)
        return constant + load.b * omega + load.c * omega * abs(omega)

    def act(self, omega: float, target: float, torque: float, settling: Callable[[float], float]) -> float:
        """Return the torque in N m that brings ``omega`` to ``target``.

        Args:
            omega: speed in rad/s.
            target: reference of the speed in rad/s.
            torque: of the motor, at this instant, in N m.
            settling: time in s that the motor takes from here to a torque.
        """
        keeping = self.load_torque(omega) + self.integral
        late = (torque - keeping) * settling(keeping) / (2.0 * self.inertia)
        self.error = target - omega - late
        self.wanted = keeping + self.gain * self.error
        follows = abs(torque - self.possible) < 0.02 * self.highest
        self.is_small = follows and abs(torque - keeping) < 0.25 * self.highest
        return self.wanted

    def made(self, torque: float) -> None:
        """Take note of the torque that is possible instead of the wanted one."""
        self.possible = torque
        if self.is_small and abs(torque - self.wanted) <= 1e-6 * abs(self.wanted):
            self.integral += self.integral_gain * self.error
        else:
            self.integral *= 0.98


class Cascade:
    """A policy that controls speed, torque or currents of an electric drive."""

    def __init__(self, env: gymnasium.Env[Any, Any], inner: Callable[[Plant, Windings, Limits], InnerLoop]) -> None:
        """Control ``env``, wrapped or not, with ``inner`` as current control.

        Raises:
            ValueError: the environment has nothing to control, or references that no loop follows.
        """
        self.env: Any = env.unwrapped
        drive = getattr(self.env, "drive", None)
        if not isinstance(drive, Drive):
            raise ValueError(f"This expert controls an electric drive, such as rlx/ElectricMotor-v0, not {env}.")
        if drive.plant.converter.kind == "none":
            raise ValueError("converter = 'none' leaves nothing to control: the phases are directly at the supply.")
        self.drive, self.make_inner = drive, inner
        known = ("omega", "torque", *Limits(drive, Windings(drive.plant)).names)
        unknown = set(drive.references) - set(known)
        if unknown or {"omega", "torque"} <= set(drive.references):
            raise ValueError(
                f"This expert follows the references {', '.join(known)}, though not omega and torque at once; the "
                f"environment's are {', '.join(drive.references)}."
            )
        self.reset()

    def reset(self) -> None:
        """Design all loops for the parameters of this episode, and forget the one before."""
        plant = dataclasses.replace(self.drive.plant, parameters=self.env.parameters)
        windings = Windings(plant)
        limits = Limits(dataclasses.replace(self.drive, plant=plant), windings)
        self.frame = frame_of(plant)
        self.point = POINTS[type(plant.parameters.motor)](plant, limits)
        self.inner = self.make_inner(plant, windings, limits)
        self.speed = SpeedPi(plant, self.drive.limits["torque"])
        self.lowest = limits.lowest
        self.currents = [(i, name) for i, name in enumerate(limits.names) if name in self.drive.references]
        self.follows_currents = len(self.currents) == len(self.drive.references)

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Return an action for what ``info`` tells in SI units: ``signals`` and ``reference``."""
        signals, reference = info["signals"], info["reference"]
        now = self.frame.measure(signals)
        torque = reference.get("torque", 0.0)
        if "omega" in reference:
            torque = self.speed.act(
                now.omega, reference["omega"], signals["torque"], lambda load: self.point.settling(load, now)
            )
        target, possible = self.point.targets(torque, now)
        if "omega" in reference:
            self.speed.made(possible)
        for i, name in self.currents:
            target[i] = reference[name]
        if self.currents:
            target = self.point.allowed(target, now)
        return self.inner.act(now, np.maximum(target, self.lowest), None if self.follows_currents else possible)
