"""Experts: the controllers of an electric drive that a drive engineer would use.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``. They know the drive's parameters and read SI values from ``info``, like a controller with sensors.
`docs/results/electric_motor_experts.md` shows what they reach; ``python -m rlx.envs.electric_motor.experts`` makes that table.
"""

from __future__ import annotations

from typing import Any

import gymnasium

from .cascade import Cascade
from .currents import CurrentPi
from .predictive import predictive_control

__all__ = ["Cascade", "mpc", "pi"]


def pi(env: gymnasium.Env[Any, Any]) -> Cascade:
    """Return PI control for every motor, task and converter.

    DC motors: current PI for each winding; three-phase motors: field-oriented control. Around it, as the task asks, the
    currents that make a torque (maximum torque per ampere, field weakening) and a speed PI. Finite converters take the switching state
    that comes nearest to the voltages of the same controller.

    Raises:
        ValueError: not an electric drive, ``converter="none"``, or references other than speed, torque and currents.
    """
    return Cascade(env, CurrentPi)


def mpc(env: gymnasium.Env[Any, Any], horizon: int = 1) -> Cascade:
    """Return finite-control-set model predictive control, for finite converters of PMSM and SynRM.

    Args:
        env: the environment.
        horizon: periods of prediction, 1 or 2; all their switching states are tried.

    Raises:
        ValueError: another motor or converter, another horizon, or as for `pi`.
    """
    return Cascade(env, predictive_control(env, horizon))
