"""How a ship sails: what both tasks of the ship share."""

from __future__ import annotations

from math import cos, sin

from ..core import jit, uniform
from .scalars import Array, Record, clip

STATE = ("x", "y", "phi", "u", "v", "r")
SUBSTEPS = 2


@jit
def sail(s: Record, a: Array, p: Record, dt: float) -> None:
    """Take an Euler step of ``dt`` seconds: position, heading, surge and sway velocity, yaw rate."""
    thrust, rudder = p.thrust * a[0], p.rudder * a[1]
    along, across = cos(s.phi), sin(s.phi)
    s.x = s.x + dt * (s.u * along - s.v * across)
    s.y = s.y + dt * (s.u * across + s.v * along)
    s.phi = clip(s.phi + dt * s.r, -p.heading, p.heading)
    s.u = clip(s.u + dt * thrust, p.slowest, p.fastest)
    s.v = clip(s.v + dt * p.sway_gain * rudder, -p.sway, p.sway)
    s.r = clip(s.r + dt * p.yaw_gain * rudder, -p.yaw, p.yaw)


@jit
def launch(s: Record, p: Record) -> None:
    """Draw the ship's state at x = 0: anywhere across the river, at any heading and speed."""
    s.x = 0.0
    s.y = p.width * (uniform(s.dice) - 0.5)
    s.phi = p.heading * (2.0 * uniform(s.dice) - 1.0)
    s.u = p.slowest + (p.fastest - p.slowest) * uniform(s.dice)
    s.v = p.sway * (2.0 * uniform(s.dice) - 1.0)
    s.r = p.yaw * (2.0 * uniform(s.dice) - 1.0)
