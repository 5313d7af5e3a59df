"""What a controller knows of a drive: the equations of its windings, its limits, and the frame it is seen in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import params as p
from ..drive import Drive, Plant

Vector = NDArray[np.float64]
Signals = Mapping[str, float]


class Windings:
    """The voltage equations u = R x + L dx/dt + omega (G x + e) + omega_frame F x of a motor.

    The electrical state x is made of the currents; of induction motors, of stator current and rotor flux in a frame
    that turns with ``omega_frame`` (electrical). The first ``fed`` equations have a voltage that a converter sets.
    """

    def __init__(self, plant: Plant) -> None:
        """Take the matrices of the motor in ``plant``."""
        machine = plant.kind.machine(plant.parameters.motor)
        currents: Vector = np.eye(len(machine.resistance))
        if machine.state_of_currents is not None:
            currents = np.asarray(np.linalg.inv(machine.state_of_currents), np.float64)
        self.fed = min(plant.kind.clarke.shape)
        self.r = machine.resistance[:, None] * currents
        self.l = machine.inductance @ currents
        self.g = machine.motional @ currents
        self.e = machine.permanent
        turned = np.kron(np.eye(2), [[0.0, -1.0], [1.0, 0.0]])
        self.f = turned @ self.l if plant.kind.is_flux_oriented else np.zeros_like(self.l)


class Limits:
    """How large the currents of a drive may be: its limits and its constraints on currents."""

    def __init__(self, drive: Drive, windings: Windings) -> None:
        """Collect what limits the currents of ``drive``.

        A finite converter's references keep a distance: half of what the currents move in one period; one period more
        where an interlocking time lets diodes choose the voltage for that long.
        """
        plant, kind, m = drive.plant, drive.plant.kind, windings.fed
        self.names = ("i_sd", "i_sq") if kind.is_flux_oriented else kind.states
        step = plant.supply_amplitude * plant.tau * np.abs(np.linalg.inv(windings.l[:m, :m])).sum(axis=1)
        step *= plant.converter.is_finite * (1.5 if plant.converter.interlocking_time else 0.5)
        groups = {tuple(names): np.array([drive.limits[name] for name in names]) for names in kind.constraints}
        for constraint in drive.constraints:
            size = len(constraint.signals)
            shrink = constraint.soft * size ** min(0.5 - 1.0 / constraint.order, 0.0)
            pairs = zip(constraint.signals, constraint.limits, strict=True)
            room = shrink * np.array([limit or drive.limits[name] for name, limit in pairs])
            parts = np.arange(size)[:, None] if math.isinf(constraint.order) else [np.arange(size)]
            for part in parts:
                names = tuple(constraint.signals[i] for i in part)
                groups[names] = np.minimum(groups.get(names, math.inf), room[part])
        #: Groups of currents (places in x) whose Euclidean norm, in units of ``room`` (A), is at most 1 in references.
        self.targets: list[tuple[list[int], Vector]] = []
        weights = []
        self.largest = dict.fromkeys(self.names, math.inf)
        for members, limits in groups.items():
            if not set(members) <= set(self.names):
                continue
            places, room = [self.names.index(name) for name in members], 0.985 * limits
            if max(places) < m:
                weights.append(np.zeros(m))
                weights[-1][places] = room**-2.0
                room = room - np.minimum(step[places], 0.25 * room)
                self.targets.append((places, room))
            for name, largest in zip(members, room.tolist(), strict=True):
                self.largest[name] = min(self.largest[name], largest)
        self.weights = np.array(weights).T  # (m, groups)
        # The diode of a one-quadrant bridge carries no current back; what looks like one gets the whole supply.
        one_way = [bridge.has_diode_only for bridge in plant.bridges for _ in range(2 if bridge.channels == 3 else 1)]
        floors = [2e-3 * self.largest[self.names[i]] if is_diode else -math.inf for i, is_diode in enumerate(one_way)]
        self.lowest = np.array(floors)

    def clip(self, currents: Vector) -> Vector:
        """Shorten ``currents`` (m,) in place to what is allowed, and return them."""
        for places, room in self.targets:
            level = math.sqrt(sum((float(currents[i]) / r) ** 2 for i, r in zip(places, room.tolist(), strict=True)))
            if level > 1.0:
                currents[places] /= level
        return currents

    def excess(self, currents: Vector) -> Vector:
        """Return a penalty (K,) that outweighs all else where ``currents`` (K, m) are beyond the limits."""
        penalty: Vector = 1e9 * np.maximum((currents * currents) @ self.weights - 1.0, 0.0).sum(axis=1)
        return penalty


class Measured(NamedTuple):
    """What a controller knows of a motor at one instant, in its frame."""

    x: Vector  # (n,) electrical state
    omega: float  # rad/s, mechanical
    omega_frame: float  # rad/s, electrical, of the frame against the stator; 0 where the machine's own frame is used
    drift: Vector  # (n - m,) rate of the states that no voltage sets
    turn: Vector  # (m, m) rotation to the phases' frame in the middle of the period in which an action acts
    supply: float  # V


def rotation(size: int, first: float, second: float = 0.0) -> Vector:
    """Return the matrix that turns the first pair of components by ``first`` and the second by ``second``."""
    cos, sin = math.cos(first), math.sin(first)
    if size == 2:
        return np.array([[cos, -sin], [sin, cos]])
    turn = np.eye(size)
    turn[0, 0], turn[0, 1], turn[1, 0], turn[1, 1] = cos, -sin, sin, cos
    if size == 4:
        cos, sin = math.cos(second), math.sin(second)
        turn[2, 2], turn[2, 3], turn[3, 2], turn[3, 3] = cos, -sin, sin, cos
    return turn


class Frame:
    """The frame of DC motors: their windings."""

    def __init__(self, plant: Plant) -> None:
        """Measure the motor of ``plant``."""
        self.plant = plant
        self.motor: Any = plant.parameters.motor
        self.fed = min(plant.kind.clarke.shape)
        self.still = np.zeros(len(plant.kind.states) - self.fed)
        self.same = np.eye(self.fed)
        # Time from a measurement to the middle of the period in which the action that follows from it acts, in s.
        self.delay = plant.tau * (plant.converter.dead_time + 0.5)

    def measure(self, signals: Signals) -> Measured:
        """Return the state that ``signals`` (SI) show."""
        x = np.array([signals[name] for name in self.plant.kind.states])
        return Measured(x, signals["omega"], 0.0, self.still, self.same, signals["u_sup"])


class RotorFrame(Frame):
    """The rotor's frame, of synchronous motors."""

    def __init__(self, plant: Plant) -> None:
        """Measure the motor of ``plant``."""
        super().__init__(plant)
        if plant.voltage_hold == "dq":  # the voltages turn along with the rotor
            self.delay -= 0.5 * plant.tau

    def measure(self, signals: Signals) -> Measured:
        """Return the state that ``signals`` (SI) show."""
        x = np.array([signals[name] for name in self.plant.kind.states])
        omega, turn = signals["omega"], self.same
        if self.plant.action_frame == "abc":
            angle = signals["epsilon"] + self.delay * self.motor.p * omega
            first, second = self.plant.kind.spin
            turn = rotation(self.fed, -first * angle, -second * angle)
        return Measured(x, omega, 0.0, self.still, turn, signals["u_sup"])


class FluxFrame(Frame):
    """The frame of the rotor flux, of squirrel cage motors.

    The angle follows from the stator current, which is known in both frames; the flux from the current model, a
    first-order lag behind l_m i_sd (Quang and Dittrich, "Vector Control of Three-Phase AC Machines").
    """

    def __init__(self, plant: Plant) -> None:
        """Measure the motor of ``plant``; its flux is zero at first."""
        super().__init__(plant)
        self.rate = self.motor.r_r / (self.motor.l_m + self.motor.l_sigr)
        self.decay = math.exp(-self.rate * plant.tau)
        self.flux, self.angle, self.omega, self.i_d = 0.0, 0.0, 0.0, 0.0

    def measure(self, signals: Signals) -> Measured:
        """Return the state that ``signals`` (SI) show."""
        l_m, tau = self.motor.l_m, self.plant.tau
        i_d, i_q = signals["i_sd"], signals["i_sq"]
        self.flux = abs(self.decay * self.flux + (1.0 - self.decay) * l_m * 0.5 * (i_d + self.i_d))
        self.i_d = i_d
        if i_d * i_d + i_q * i_q > 1e-12:
            i_alpha, i_beta = self.plant.kind.clarke @ [signals["i_sa"], signals["i_sb"], signals["i_sc"]]
            self.angle = math.atan2(i_beta, i_alpha) - math.atan2(i_q, i_d)
        else:
            self.angle += self.omega * tau
        slip = self.rate * l_m * i_q / max(self.flux, 1e-3 * l_m)
        self.omega = self.motor.p * signals["omega"] + slip
        drift = np.array([self.rate * (l_m * i_d - self.flux), 0.0])
        turn = self.same
        if self.plant.action_frame == "abc":
            turn = rotation(2, self.angle + self.delay * self.omega)
        x = np.array([i_d, i_q, self.flux, 0.0])
        return Measured(x, signals["omega"], self.omega, drift, turn, signals["u_sup"])


class OwnFrame(Frame):
    """A frame of the controller's own, of doubly fed motors: the rotor's voltages keep the rotor flux on its d axis.

    It turns with half the rotor's speed, so that stator and rotor see the same frequency.
    """

    def __init__(self, plant: Plant) -> None:
        """Measure the motor of ``plant``."""
        super().__init__(plant)
        self.angle, self.omega = 0.0, 0.0
        self.rotor_delay = self.delay - 0.5 * plant.tau * (plant.voltage_hold == "dq")

    def measure(self, signals: Signals) -> Measured:
        """Return the state that ``signals`` (SI) show."""
        motor, rotor, omega = self.motor, signals["epsilon"], signals["omega"]
        self.angle = (self.angle + self.omega * self.plant.tau) % (2.0 * math.pi)
        self.omega = 0.5 * motor.p * omega
        phases = [signals[name] for name in ("i_sa", "i_sb", "i_sc", "i_ra", "i_rb", "i_rc")]
        i = rotation(4, -self.angle, rotor - self.angle) @ (self.plant.kind.clarke @ phases)
        flux = motor.l_m * i[:2] + (motor.l_m + motor.l_sigr) * i[2:]
        if self.plant.action_frame == "abc":
            angle = self.angle + self.delay * self.omega
            turn = rotation(4, angle, angle - rotor - self.rotor_delay * motor.p * omega)
        else:  # such actions are understood in the frame of the flux
            angle = -math.atan2(flux[1], flux[0])
            turn = rotation(4, angle, angle)
        return Measured(np.concatenate([i[:2], flux]), omega, self.omega, self.still, turn, signals["u_sup"])


def frame_of(plant: Plant) -> Frame:
    """Return the frame in which the motor of ``plant`` is controlled."""
    if not plant.kind.is_three_phase:
        return Frame(plant)
    frames: dict[type[p.Motor], type[Frame]] = {p.Scim: FluxFrame, p.Dfim: OwnFrame}
    return frames.get(type(plant.parameters.motor), RotorFrame)(plant)
