"""Experts: the controllers of an electric drive that a drive engineer would use.

A factory takes the environment, wrapped or not, and returns a policy: ``reset()`` at the start of each episode, then
``act(observation, info)``. Like a controller with sensors they read SI values from ``info``, not the observation, and
they know the drive's parameters. ``python -m rlx.envs.electric_motor.experts`` measures what they reach.
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

    Current PI for each winding of DC motors, field-oriented control of three-phase motors. Around it, as the task asks,
    the choice of currents that make a torque (maximum torque per ampere, field weakening), and a speed PI. Finite
    converters take the switching state that comes nearest to what the same controller wants.

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
