"""Finite-control-set model predictive control (Rodriguez and Cortes, "Predictive Control of Power Converters")."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from .. import params as p
from ..drive import Plant
from ..motors import equations
from .currents import switching_states
from .machine import Limits, Measured, Vector, Windings, rotation

MOTORS = ("pmsm", "synrm")


class FiniteSetMpc:
    """Tries all switching states over one or two periods and takes the first of the best sequence.

    The prediction is exact for constant speed and voltage. Cost per period: the squared error of the currents, relative
    to their limits; where a torque is wanted, the squared error of the torque, and so much of the currents' that it is
    made with the least of them. Currents beyond their limits outweigh everything. A dead time is compensated by
    predicting to its end.
    """

    def __init__(self, plant: Plant, windings: Windings, limits: Limits, horizon: int) -> None:
        """Predict the motor of ``plant`` over ``horizon`` periods."""
        self.limits, self.tau, self.horizon = limits, plant.tau, horizon
        motor: Any = plant.parameters.motor
        self.matrices = equations(plant.kind.machine(motor))
        self.pole_pairs, self.k, self.saliency = motor.p, 1.5 * motor.p, motor.l_d - motor.l_q
        self.psi = motor.psi_p if isinstance(motor, p.Pmsm) else 0.0
        self.actions, self.levels = switching_states(plant)
        self.pending = [np.zeros(2)] * plant.converter.dead_time
        self.per_limit = 1.0 / limits.targets[0][1]
        self.highest = max(abs(self.torque(np.array([0.0, limits.largest["i_sq"]]))), 1e-9)
        if self.saliency:
            diagonal = math.sqrt(0.5) * limits.largest["i_sq"]
            self.highest += self.k * abs(self.saliency) * diagonal**2

    def torque(self, x: Vector) -> Any:
        """Return the torque in N m of currents (..., 2)."""
        return self.k * x[..., 1] * (self.psi + self.saliency * x[..., 0])

    def prediction(self, omega: float) -> tuple[Vector, Vector, Vector]:
        """Return the matrices of x' = phi x + gamma v + c over one period at constant speed (matrix exponential)."""
        rates = np.zeros((5, 5))
        rates[:2, :2] = self.matrices["a"] + omega * self.matrices["c"]
        rates[:2, 2:4], rates[:2, 4] = self.matrices["b"], omega * self.matrices["d"]
        rates *= self.tau
        exponential = term = np.eye(5)
        for order in range(1, 9):
            term = term @ rates / order
            exponential = exponential + term
        return exponential[:2, :2], exponential[:2, 2:4], exponential[:2, 4]

    def act(self, now: Measured, target: Vector, torque: float | None = None) -> Any:
        """Return the switching state for currents ``target`` (2,), or for a ``torque`` in N m that they should make."""
        phi, gamma, constant = self.prediction(now.omega)
        x = now.x
        for voltages in self.pending:
            x = phi @ x + gamma @ voltages + constant
        made = now.supply * (self.levels @ now.turn)
        first = made @ gamma.T + (phi @ x + constant)
        cost = self.cost(first, target, torque)
        if self.horizon == 2:
            # The rotor, and with it the frame, has turned on by then.
            later = made @ rotation(2, self.pole_pairs * now.omega * self.tau)
            second = (first @ phi.T + constant)[:, None] + (later @ gamma.T)[None]
            cost += self.cost(second.reshape(-1, 2), target, torque).reshape(len(made), -1).min(axis=1)
        best = int(cost.argmin())
        self.pending.append(made[best])
        self.pending.pop(0)
        return self.actions[best]

    def cost(self, x: Vector, target: Vector, torque: float | None) -> Vector:
        """Return the cost (K,) of currents ``x`` (K, 2)."""
        away = (x - target) * self.per_limit
        cost = (away * away).sum(axis=1)
        if torque is not None:
            error = (self.torque(x) - torque) / self.highest
            cost = error * error + 1e-2 * cost
        return np.asarray(cost + self.limits.excess(x))


def predictive_control(env: gymnasium.Env[Any, Any], horizon: int) -> Callable[[Plant, Windings, Limits], FiniteSetMpc]:
    """Return what makes a `FiniteSetMpc` for the drive of ``env``.

    Raises:
        ValueError: the motor, the converter or the horizon does not fit.
    """
    drive = getattr(env.unwrapped, "drive", None)
    if drive is not None and not (drive.plant.motor in MOTORS and drive.plant.converter.is_finite):
        raise ValueError(
            f"mpc is for motor = 'pmsm' or 'synrm' with converter = 'finite'; this drive has motor = "
            f"{drive.plant.motor!r}, converter = {drive.plant.converter.kind!r}. The expert 'pi' controls them all."
        )
    if horizon not in (1, 2):
        raise ValueError(f"mpc horizon = {horizon!r}: 1 or 2 periods are possible.")
    return functools.partial(FiniteSetMpc, horizon=horizon)
