"""Current control: one PI law for the windings of all ten motors, and the modulators that make its voltages."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from .. import params as p
from ..drive import Bridge, Plant
from .machine import Limits, Measured, Vector, Windings


class Modulator:
    """Makes the action that comes nearest to wanted voltages, and says which voltages that will be."""

    def __init__(self, plant: Plant) -> None:
        """Modulate for the converter of ``plant``."""
        self.space = plant.action_space()
        # The voltages that can be set apart from each other; of the windings of a shunt motor, only the armature's.
        m = min(plant.kind.clarke.shape)
        self.clarke, self.declarke = plant.kind.clarke[:m], plant.kind.declarke[:, :m]
        if not plant.converter.is_finite:
            self.low, self.high = map(np.array, plant.action_bounds())

    def __call__(self, base: Vector, step: Vector, now: Measured) -> tuple[Any, Vector]:
        """Return the action for the voltages ``base + step``, and the voltages that it makes.

        Args:
            base: (m,) V, in the controller's frame: what keeps the currents as they are.
            step: (m,) V: what changes them.
            now: what is known of the motor.
        """
        raise NotImplementedError


class DcDuty(Modulator):
    """Duty cycles of the bridges of DC motors, each clipped to what it can do."""

    def __init__(self, plant: Plant, limits: Limits) -> None:
        """Modulate for the converter of ``plant``."""
        super().__init__(plant)
        # The field of a shunt motor settles at u / r_e, so that the voltage limits its current.
        motor = plant.parameters.motor
        self.highest = motor.r_e * limits.largest["i_e"] if isinstance(motor, p.ShuntDc) else math.inf

    def __call__(self, base: Vector, step: Vector, now: Measured) -> tuple[Any, Vector]:
        """See `Modulator`."""
        wanted = np.minimum(np.maximum(base + step, -self.highest), self.highest)
        duty = np.minimum(np.maximum(wanted / (now.supply or math.inf), self.low), self.high)
        return duty.astype(np.float32), duty * now.supply


class SpaceVector(Modulator):
    """Duty cycles of three-phase bridges, centred in the supply (space vector modulation).

    Where the voltages are too high, less is made of the part that changes the currents, not of the part that balances
    the back-EMF, so that all currents move straight to where they should be; a tenth of the voltage is left for that.
    """

    def __init__(self, plant: Plant) -> None:
        """Modulate for the converter of ``plant``."""
        super().__init__(plant)
        # A bridge makes at most its supply between two phases (a hexagon in the plane); an excitation is one line.
        channels, lines, first = np.eye(plant.kind.channels), [], 0
        self.stars: list[slice] = []
        self.lowest: list[float] = []
        self.per_supply = np.ones(len(channels))
        for bridge in plant.bridges:
            phases = range(first, first + bridge.channels)
            if bridge.channels == 3:
                self.stars.append(slice(phases.start, phases.stop))
                self.per_supply[self.stars[-1]] = 2.0
                lines += [channels[i] - channels[j] for i, j in itertools.combinations(phases, 2)]
            else:
                lines.append(channels[first])
            self.lowest += [bridge.low] * (3 if bridge.channels == 3 else 1)
            first = phases.stop
        self.lines = np.array(lines) @ self.declarke

    def __call__(self, base: Vector, step: Vector, now: Measured) -> tuple[Any, Vector]:
        """See `Modulator`."""
        supply, held, share = now.supply or 1e-9, 1.0, 1.0
        lines = self.lines @ now.turn / supply
        starts, changes = (lines @ base).tolist(), (lines @ step).tolist()
        ways = list(zip(starts, changes, self.lowest, strict=True))
        if any(not low <= start + change <= 1.0 for start, change, low in ways):
            held = min(0.9 / max(*map(abs, starts), 1e-9), 1.0)
            for start, change, low in ways:
                if change:
                    room = (1.0 if change > 0.0 else low) - held * start
                    share = min(max(room / change, 0.0), share)
        duty = (self.declarke @ (now.turn @ (held * base + share * step))) * (self.per_supply / supply)
        for star in self.stars:
            phases = duty[star].tolist()
            duty[star] -= 0.5 * (max(phases) + min(phases))
        duty = np.minimum(np.maximum(duty, self.low), self.high)
        return duty.astype(np.float32), now.turn.T @ (self.clarke @ (duty * (supply / self.per_supply)))


class FrameDuty(Modulator):
    """Duty cycles in the rotating frame; a three-phase bridge then makes half the supply in any direction."""

    def __init__(self, plant: Plant) -> None:
        """Modulate for the converter of ``plant``."""
        super().__init__(plant)
        is_pair = [bridge.channels == 3 for bridge in plant.bridges]
        self.per_supply = np.array([2.0 if pair else 1.0 for pair in is_pair for _ in range(1 + pair)])
        # Two star windings share the phases' range among both planes.
        self.radius = 0.5 if isinstance(plant.parameters.motor, p.SixPmsm) else 1.0
        self.pairs = [slice(2 * i, 2 * i + 2) for i, pair in enumerate(is_pair) if pair]

    def __call__(self, base: Vector, step: Vector, now: Measured) -> tuple[Any, Vector]:
        """See `Modulator`."""
        scale = self.per_supply / (now.supply or math.inf)
        start, change, share = (now.turn @ base) * scale, (now.turn @ step) * scale, 1.0
        for pair in self.pairs:  # where the way from start to start + change leaves the circle
            a, b = float(change[pair] @ change[pair]), float(start[pair] @ change[pair])
            c = float(start[pair] @ start[pair]) - self.radius**2
            if a and a + 2.0 * b + c > 0.0:
                held = min(0.9 * self.radius / math.sqrt(max(c + self.radius**2, 1e-12)), 1.0)
                start[pair] *= held
                b, c = held * b, held * held * (c + self.radius**2) - self.radius**2
                share = min((math.sqrt(b * b - a * c) - b) / a, share)
        duty = start + share * change
        duty = np.minimum(np.maximum(duty, self.low), self.high)
        return duty.astype(np.float32), now.turn.T @ (duty / scale)


class Switching(Modulator):
    """The switching state of all bridges whose currents come nearest to the wanted ones and keep within the limits."""

    def __init__(self, plant: Plant, gain: Vector, limits: Limits) -> None:
        """Choose for the converter of ``plant``.

        Args:
            plant: motor, converter and supply.
            gain: (m, m) V/A, voltage per change of the fed states in one period.
            limits: of the currents.
        """
        super().__init__(plant)
        self.per_gain, self.limits = np.linalg.inv(gain).T, limits
        self.actions, self.levels = switching_states(plant)

    def __call__(self, base: Vector, step: Vector, now: Measured) -> tuple[Any, Vector]:
        """See `Modulator`."""
        made = now.supply * (self.levels @ now.turn)
        changes = (made - base) @ self.per_gain
        error = changes - step @ self.per_gain
        cost = (error * error).sum(axis=1) + self.limits.excess(now.x[: len(base)] + changes)
        best = int(cost.argmin())
        return self.actions[best].copy(), made[best]


def switching_states(plant: Plant) -> tuple[list[Any], Vector]:
    """Return the K switching states of a finite converter, and their voltages.

    States that leave the voltage to the current are left out, except in a one-quadrant bridge, whose diode carries the
    only current there is.

    Returns:
        Actions, and (K, m) voltages in the phases' frame, in units of the supply.
    """

    def of(bridge: Bridge) -> list[tuple[int, list[float]]]:
        states = []
        for action in range(len(bridge.table[0])):
            legs = [channel[action][: bridge.legs] for channel in bridge.table]
            if bridge.has_diode_only or not any(0 in leg for leg in legs):
                upper = [[float(switch == 1) for switch in leg] for leg in legs]
                states.append((action, [leg[0] - sum(leg[1:]) - bridge.offset for leg in upper]))
        return states

    combined = list(itertools.product(*map(of, plant.bridges)))
    levels = np.array([[level for _, channels in state for level in channels] for state in combined])
    actions = np.array([[action for action, _ in state] for state in combined], np.int64)
    m = min(plant.kind.clarke.shape)
    voltages: Vector = levels @ plant.kind.clarke[:m].T
    return list(actions if len(plant.bridges) > 1 else actions[:, 0]), voltages


def solve(matrix: Vector, vector: Vector) -> Vector:
    """Return matrix^-1 vector; quick for the sizes that are common here."""
    if len(vector) == 1:
        return np.asarray(vector / matrix[0, 0])
    if len(vector) == 2:
        (a, b), (c, d) = matrix.tolist()
        x, y = vector.tolist()
        determinant = a * d - b * c
        return np.array([(d * x - b * y) / determinant, (a * y - c * x) / determinant])
    return np.asarray(np.linalg.solve(matrix, vector))


def modulator_of(plant: Plant, gain: Vector, limits: Limits) -> Modulator:
    """Return the modulator for the converter of ``plant``; the arguments are those of `Switching`."""
    if plant.converter.is_finite:
        return Switching(plant, gain, limits)
    if plant.action_frame == "dq":
        return FrameDuty(plant)
    return SpaceVector(plant) if plant.kind.is_three_phase else DcDuty(plant, limits)


class CurrentPi:
    """PI control of all currents at once, with feed-forward of the back-EMF and of the coupling between windings.

    Magnitude optimum (Schröder, "Elektrische Antriebe - Regelung von Antriebssystemen"): the integral time cancels the
    winding's, T_n = L / R, and the gain L / (2 T_sigma) follows from the small delay T_sigma. A converter that holds
    its voltage for a period tau has T_sigma = tau / 2: currents then reach their references in one period. A dead time
    on top is compensated by predicting the currents to its end. R, L and the back-EMF are matrices, and voltages are
    means over a period (implicit midpoint rule). Anti-windup by back-calculation: the integral takes the change of
    current that the made voltages bring, not the one that was wanted.
    """

    def __init__(self, plant: Plant, windings: Windings, limits: Limits) -> None:
        """Design for ``windings`` behind the converter of ``plant``."""
        m, tau = windings.fed, plant.tau
        self.windings, self.tau = windings, tau
        self.gain = windings.l[:m, :m] / tau + 0.5 * windings.r[:m, :m]
        self.integral: Vector | None = None  # V
        self.pending = [np.zeros(m)] * plant.converter.dead_time  # voltages chosen, not yet applied
        self.modulator = modulator_of(plant, self.gain, limits)
        self.fields = () if plant.kind.is_three_phase else tuple(range(1, m))
        self.low, self.high = plant.bridges[-1].low, plant.bridges[-1].high

    def act(self, now: Measured, target: Vector, torque: float | None = None) -> Any:
        """Return the action that moves the fed states to ``target`` (m,); ``torque`` is not needed for that."""
        w, m = self.windings, self.windings.fed
        resistance = w.r[:m, :m]
        if self.integral is None:
            self.integral = resistance @ now.x[:m]
        motional = now.omega * w.g
        if now.omega_frame:
            motional = motional + now.omega_frame * w.f
        gain = self.gain + 0.5 * motional[:m, :m]

        at_hand, integral = now, self.integral
        for voltages in self.pending:
            change = solve(gain, voltages - self._held(now, integral, motional))
            x = now.x.copy()
            x[:m] += change
            now, integral = now._replace(x=x), integral + resistance @ change

        base = self._held(now, integral, motional)
        change = target - now.x[:m]
        for i in self.fields:
            # A slow excitation: count on what its voltage can do in this period.
            low, high = sorted((self.low * now.supply, self.high * now.supply))
            change[i] = (min(max(base[i] + gain[i, i] * change[i], low), high) - base[i]) / gain[i, i]
        action, made = self.modulator(base, gain @ change, now)
        self.pending.append(made)
        made = self.pending.pop(0)
        change = solve(gain, made - (base if now is at_hand else self._held(at_hand, self.integral, motional)))
        self.integral = self.integral + resistance @ change
        return action

    def _held(self, now: Measured, integral: Vector, motional: Vector) -> Vector:
        """Return the voltages (m,) that keep the currents as they are."""
        w, m = self.windings, self.windings.fed
        base: Vector = integral + now.omega * w.e[:m] + motional[:m] @ now.x
        if m < len(now.x):  # states that no voltage sets move as well
            half = 0.5 * self.tau * now.drift
            base += w.r[:m, m:] @ (now.x[m:] + half) + w.l[:m, m:] @ now.drift + motional[:m, m:] @ half
        return base
