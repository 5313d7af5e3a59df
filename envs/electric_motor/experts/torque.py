"""Operating points: which currents make a torque, with least loss, within the limits of current and voltage."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import params as p
from ..drive import Plant
from .machine import Limits, Measured, Vector, Windings


def largest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return the largest number in [low, high] up to which ``holds``; ``low``, if it never does."""
    if holds(high):
        return high
    for _ in range(26):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


class OperatingPoint:
    """Chooses the targets of the fed states for a torque; a derived class for each kind of motor."""

    drivers: tuple[int, ...] = (0,)  # the currents that change the torque quickly

    def __init__(self, plant: Plant, limits: Limits) -> None:
        """Plan for the motor of ``plant`` within ``limits``."""
        self.plant, self.limits = plant, limits
        self.motor: Any = plant.parameters.motor
        self.inductances = np.diag(Windings(plant).l).tolist()

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """Return the targets (m,) for ``torque`` in N m, and the torque they make: less, where limits forbid more."""
        raise NotImplementedError

    def allowed(self, target: Vector, now: Measured) -> Vector:
        """Return ``target`` (m,) brought within the limits, for current control."""
        return self.limits.clip(target)

    def settling(self, torque: float, now: Measured) -> float:
        """Return how long the currents that make the torque take from here to ``torque``, in s."""
        target, _ = self.targets(torque, now)
        volts = 0.0
        for i in self.drivers:
            volts = max(volts, self.inductances[i] * abs(float(target[i] - now.x[i])))
        return volts / max(self.highest_voltage(now), 1e-9)

    def highest_voltage(self, now: Measured) -> float:
        """Return the length in V of the voltage vector that is there in any direction, with 5 % left for control."""
        if self.plant.action_frame == "dq":
            return 0.475 * abs(now.supply)
        return 0.95 / math.sqrt(3.0) * abs(now.supply) if self.plant.kind.is_three_phase else 0.95 * abs(now.supply)


class Series(OperatingPoint):
    """T = l' i^2: the current is the root of the torque, so that gains adapt to the flux."""

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        m = self.motor
        possible = abs(now.supply) / max(m.r_a + m.r_e + m.l_e_prime * now.omega, 1e-9)
        current = min(math.sqrt(max(torque, 0.0) / m.l_e_prime), self.limits.largest["i"], possible)
        return np.array([current]), m.l_e_prime * current * current


class PermanentlyExcited(OperatingPoint):
    """T = psi i."""

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        largest = self.limits.largest["i"]
        current = min(max(torque / max(self.motor.psi_e, 1e-9), -largest), largest)
        return np.array([current]), self.motor.psi_e * current


class ExternallyExcited(OperatingPoint):
    """T = l' i_a i_e: the least field with which the armature makes the highest torque, weakened above base speed."""

    def __init__(self, plant: Plant, limits: Limits) -> None:
        """Choose the field."""
        super().__init__(plant, limits)
        self.i_a = limits.largest["i_a"]
        self.i_e = min(limits.largest["i_e"], plant.kind.limits["torque"] / (self.motor.l_e_prime * self.i_a))

    def strongest(self, now: Measured) -> float:
        """Return the field current in A whose back-EMF the voltage allows at this speed."""
        voltage = self.highest_voltage(now)
        emf = max(voltage - self.motor.r_a * self.i_a, 0.1 * voltage)
        return float(emf / max(self.motor.l_e_prime * abs(now.omega), 1e-9))

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        m, i_e = self.motor, min(self.i_e, self.strongest(now))
        flux = m.l_e_prime * float(now.x[1])
        i_a = min(max(torque / flux if flux else 0.0, -self.i_a), self.i_a)
        return np.array([i_a, i_e]), flux * i_a

    def allowed(self, target: Vector, now: Measured) -> Vector:
        """See `OperatingPoint`: the field's back-EMF leaves the armature a voltage."""
        highest = self.strongest(now)
        target[1] = min(max(float(target[1]), -highest), highest)
        return self.limits.clip(target)


class Shunt(OperatingPoint):
    """T = l' i_a i_e with one voltage: the armature current makes the torque, the field follows by itself.

    In steady state both currents have one sign, so that there is braking torque only while a field is left.
    """

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        largest, i_e = self.limits.largest["i_a"], float(now.x[1])
        floor = 0.02 * largest
        if torque >= 0.0:
            share = math.copysign(1.0 / max(abs(i_e), floor), i_e)
        else:
            share = i_e / max(i_e * i_e, floor * floor)
        i_a = min(max(torque / self.motor.l_e_prime * share, -largest), largest)
        return np.array([i_a]), self.motor.l_e_prime * i_a * i_e


class Synchronous(OperatingPoint):
    """Maximum torque per ampere, and along the voltage limit above base speed (Schröder, "Elektrische Antriebe").

    T = k i_q (psi + (l_d - l_q) i_d). Up to base speed (i_d, i_q) is the shortest vector for the torque. Where its flux
    needs more voltage than there is, the point moves along the circle of the highest flux, at most to maximum torque
    per flux.
    """

    drivers = (0, 1)

    def __init__(self, plant: Plant, limits: Limits) -> None:
        """Take the torque constant: 3/2 p, or 3 p with two star windings."""
        super().__init__(plant, limits)
        self.k: float = self.motor.p * (3.0 if isinstance(self.motor, p.SixPmsm) else 1.5)
        self.saliency: float = self.motor.l_d - self.motor.l_q
        self.largest = limits.largest["i_sq"]
        self.fed = min(plant.kind.clarke.shape)

    def field(self, now: Measured) -> float:
        """Return the flux in Vs of the magnets in the d axis."""
        return float(getattr(self.motor, "psi_p", 0.0) or getattr(self.motor, "psi_PM", 0.0))

    def torque(self, i_d: float, i_q: float, psi: float) -> float:
        """Return the torque in N m."""
        return float(self.k * i_q * (psi + self.saliency * i_d))

    def shortest(self, current: float, psi: float) -> tuple[float, float]:
        """Return i_d and i_q of the vector of length ``current`` that makes the most torque.

        The torque does not change along the circle where 2 (l_d - l_q) i_d^2 + psi i_d = (l_d - l_q) current^2.
        """
        longer = self.saliency * current
        root = psi + math.sqrt(psi * psi + 8.0 * longer * longer)
        i_d = 2.0 * longer * current / root if root else 0.0
        return i_d, math.sqrt(max(current * current - i_d * i_d, 0.0))

    def current(self, torque: float, psi: float) -> float:
        """Return the length of the shortest vector for a torque >= 0, or of the longest one allowed.

        Newton's method from above. The torque is convex in the length, since its slope is that at a constant angle:
        where the angle is the best one, turning makes no difference.
        """
        if torque >= self.torque(*self.shortest(self.largest, psi), psi):
            return self.largest
        # With i_d = 0, and with i_d = i_q on the saliency alone, it would take more.
        above = [torque / (self.k * psi)] if psi else []
        above += [math.sqrt(2.0 * torque / (self.k * abs(self.saliency)))] if self.saliency else []
        current = min(above)
        for _ in range(8):
            i_d, i_q = self.shortest(current, psi)
            excess = self.torque(i_d, i_q, psi) - torque
            if excess <= 1e-9 * torque:
                break
            current -= excess * current / (self.k * i_q * (psi + 2.0 * self.saliency * i_d))
        return current

    def highest_flux(self, now: Measured) -> float:
        """Return the flux in Vs that the voltage allows at this speed."""
        voltage = self.highest_voltage(now)
        emf = max(voltage - self.motor.r_s * self.largest, 0.1 * voltage)
        return float(emf / max(self.motor.p * abs(now.omega), 1e-9))

    def point(self, torque: float, psi: float, flux: float) -> tuple[float, float]:
        """Return i_d and i_q for a torque >= 0, or for the highest that is possible with at most ``flux``."""
        m = self.motor
        i_d, i_q = self.shortest(self.current(torque, psi), psi)
        if math.hypot(psi + m.l_d * i_d, m.l_q * i_q) <= flux:
            return i_d, i_q

        def is_weak(current: float) -> bool:
            i_d, i_q = self.shortest(current, psi)
            return math.hypot(psi + m.l_d * i_d, m.l_q * i_q) <= flux

        i_d, i_q = self.shortest(largest(is_weak, 0.0, self.largest), psi)

        def at(angle: float) -> tuple[float, float]:
            return (flux * math.cos(angle) - psi) / m.l_d, flux * math.sin(angle) / m.l_q

        def rises(angle: float) -> bool:
            i_d, i_q = at(angle)
            slope = psi / m.l_d * math.cos(angle) + flux * (1.0 / m.l_q - 1.0 / m.l_d) * math.cos(2.0 * angle)
            return slope >= 0.0 and self.torque(i_d, i_q, psi) <= torque and math.hypot(i_d, i_q) <= self.largest

        # Maximum torque per flux is within a quarter turn if l_d >= l_q, else beyond it.
        end = 0.5 * math.pi if self.saliency >= 0.0 else math.pi
        i_d, i_q = at(largest(rises, math.atan2(m.l_q * i_q, psi + m.l_d * i_d), end))
        return max(i_d, -self.largest), i_q

    def allowed(self, target: Vector, now: Measured) -> Vector:
        """See `OperatingPoint`: currents that need more voltage than there is move to where the flux is weakest."""
        m, target, psi, flux = self.motor, self.limits.clip(target), self.field(now), self.highest_flux(now)
        weakest, i_d, i_q = -min(psi / m.l_d, self.largest), float(target[0]), float(target[1])

        def is_weak(share: float) -> bool:
            return math.hypot(psi + m.l_d * (weakest + share * (i_d - weakest)), m.l_q * share * i_q) <= flux

        share = largest(is_weak, 0.0, 1.0)
        target[0], target[1] = weakest + share * (i_d - weakest), share * i_q
        return target

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        psi = self.field(now)
        i_d, i_q = self.point(abs(torque), psi, self.highest_flux(now))
        target = np.zeros(self.fed)
        target[0], target[1] = i_d, math.copysign(i_q, torque)
        return target, math.copysign(self.torque(i_d, i_q, psi), torque)


class SynchronousExcited(Synchronous):
    """A synchronous motor with the least excitation that makes the highest torque, weakened above base speed."""

    def __init__(self, plant: Plant, limits: Limits) -> None:
        """Choose the excitation."""
        super().__init__(plant, limits)

        def is_weak(i_e: float) -> bool:
            psi = self.motor.l_m * i_e
            return self.torque(*self.shortest(self.largest, psi), psi) < plant.kind.limits["torque"]

        self.i_e = largest(is_weak, 0.0, limits.largest["i_e"])

    def field(self, now: Measured) -> float:
        """Return the flux in Vs of the excitation in the d axis."""
        return float(max(self.motor.l_m * now.x[2], 0.0))

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        target, torque = super().targets(torque, now)
        target[2] = min(self.i_e, self.highest_flux(now) / self.motor.l_m)
        return target, torque


class Induction(OperatingPoint):
    """Rotor-flux orientation: T = k psi i_q (Quang and Dittrich, "Vector Control of Three-Phase AC Machines").

    The flux is the one with which the highest stator current makes the most torque, weakened above base speed.
    """

    drivers = (1,)

    def __init__(self, plant: Plant, limits: Limits) -> None:
        """Choose the flux."""
        super().__init__(plant, limits)
        self.largest = limits.largest["i_sq"]
        self.l_s, self.l_r = self.motor.l_m + self.motor.l_sigs, self.motor.l_m + self.motor.l_sigr
        self.rate = self.motor.r_r / self.l_r
        self.k = 1.5 * self.motor.p * self.motor.l_m / self.l_r
        self.flux: float = self.motor.l_m * self.largest * math.sqrt(0.5)

    def wanted_flux(self, now: Measured) -> float:
        """Return the flux in Vs for most torque, as far as the voltage allows it at this speed."""
        return min(self.flux, self.highest_flux(now))

    def highest_flux(self, now: Measured) -> float:
        """Return the flux in Vs that the voltage allows at this speed."""
        voltage = self.highest_voltage(now)
        emf = max(voltage - self.motor.r_s * self.largest, 0.1 * voltage)
        return float(emf / max(abs(now.omega_frame), 1e-9) * self.motor.l_m / self.l_s)


class Cage(Induction):
    """The squirrel cage motor: the stator current keeps the flux and makes the torque."""

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        flux, wanted = float(now.x[2]), self.wanted_flux(now)
        i_q = torque / max(self.k * flux, 1e-9)
        # The flux moves to its reference in about 5 ms, as far as the current allows.
        i_d = max((wanted + (wanted - flux) / (5e-3 * self.rate)) / self.motor.l_m, 0.0)
        if flux < wanted:  # it builds up with what the torque leaves, at least the half
            half = math.sqrt(0.5) * self.largest
            i_q = min(max(i_q, -half), half)
            i_d = min(i_d, math.sqrt(self.largest**2 - i_q * i_q))
        target = self.allowed(np.array([i_d, i_q]), now)
        return target, self.k * flux * float(target[1])

    def allowed(self, target: Vector, now: Measured) -> Vector:
        """Return currents that keep some flux, so that it has a direction, and whose slip the control can follow."""
        tau, flux = self.plant.tau, float(now.x[2])
        low, high = (
            (flux + (bound - flux) / (10.0 * tau * self.rate)) / self.motor.l_m  # brings the flux there in ten periods
            for bound in (0.02 * self.flux, self.highest_flux(now))
        )
        i_d = min(max(min(float(target[0]), high), low, -self.largest), self.largest)
        room = math.sqrt(self.largest**2 - i_d * i_d)
        room = min(room, 0.1 / tau * max(flux, 2e-5 * self.flux) / (self.rate * self.motor.l_m))
        return np.array([i_d, min(max(float(target[1]), -room), room)])


class DoublyFed(Induction):
    """The doubly fed motor: the rotor's voltages keep the flux; stator and rotor share the magnetising current."""

    def targets(self, torque: float, now: Measured) -> tuple[Vector, float]:
        """See `OperatingPoint`."""
        flux, wanted = max(float(now.x[2]), 0.0), self.wanted_flux(now)
        i_d = wanted / (self.motor.l_m + self.l_r)
        room = math.sqrt(max(self.largest**2 - i_d * i_d, 0.0))
        i_q = min(max(torque / max(self.k * flux, 1e-9), -room), room)
        return np.array([i_d, i_q, wanted, 0.0]), self.k * flux * i_q

    def allowed(self, target: Vector, now: Measured) -> Vector:
        """Return ``target`` within the limits, with no more flux than it needs to have a direction."""
        target = self.limits.clip(target)
        target[2] = 0.1 * self.flux
        return target


#: What makes the torque of each motor.
POINTS: dict[type[p.Motor], type[OperatingPoint]] = {
    p.SeriesDc: Series,
    p.ShuntDc: Shunt,
    p.PermExDc: PermanentlyExcited,
    p.ExtExDc: ExternallyExcited,
    p.Pmsm: Synchronous,
    p.SynRm: Synchronous,
    p.SixPmsm: Synchronous,
    p.Eesm: SynchronousExcited,
    p.Scim: Cage,
    p.Dfim: DoublyFed,
}
