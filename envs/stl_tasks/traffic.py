"""A car before a stop sign or a traffic light, perhaps behind another car."""

from __future__ import annotations

from math import sqrt

from ..core import jit, uniform
from .scalars import Array, Record, clip, select, smooth_step

OBSERVED = ("x", "v", "light", "timer", "gap", "lead_speed", "trigger")
HIDDEN: dict[str, str] = {}
SIGNALS = (*OBSERVED, "inside", "red", "waited", "headway", "margin")
INSIDE, RED, WAITED, HEADWAY, MARGIN = range(7, 12)


@jit
def move(s: Record, a: Array, p: Record) -> None:
    """Take an Euler step.

    At a sign the timer counts the time in the box and is lost beyond it; at a light it is the time in the period.
    """
    in_box = (s.timer + p.dt * smooth_step(s.x + p.box)) * smooth_step(-s.x)
    in_period = s.timer + p.dt
    in_period = select(in_period >= p.period, in_period - p.period, in_period)
    x = s.x + p.dt * s.v
    s.gap = s.gap + select(s.gap >= 0.0, p.dt * (s.lead_speed - s.v), 0.0)
    s.v = clip(s.v + p.dt * p.acceleration * a[0], -0.01, p.speed)
    s.timer = select(s.light > 0.5, in_period, in_box)
    s.x = x


@jit
def sense(s: Record, p: Record) -> tuple[float, ...]:
    """Return `SIGNALS`."""
    return (
        s.x,
        s.v,
        s.light,
        s.timer,
        s.gap,
        s.lead_speed,
        s.trigger,
        -s.x * (s.x + p.box),
        p.red_time - s.timer,
        s.timer - p.stop_time,
        s.gap - p.safe_gap,
        -0.5 * p.box - s.x,
    )


@jit
def progress(seen: Array, p: Record) -> float:
    """Reward speed where it is allowed; penalise a sign not minded, a red light, and too small a gap."""
    x, v, light, trigger = seen[0], seen[1], seen[2], seen[6]
    reward: float = 0.0
    if light < 0.5:
        reward -= trigger > 0.5 and seen[MARGIN] < 0.0
        reward -= seen[WAITED] < 0.0 and x > 0.0
        reward += 0.005 * v if seen[WAITED] >= 0.0 else 0.0
    elif seen[RED] <= 0.0:
        reward += 0.005 * v
    else:
        reward -= seen[INSIDE] > 0.0
    if seen[4] != -1.0 or seen[5] != 0.0:
        reward += 0.005 * v if seen[HEADWAY] > 0.0 else seen[HEADWAY]
    return reward


@jit
def begin(s: Record, p: Record) -> None:
    """Draw a start: a quarter approaches a stop sign, a quarter stands there, half approaches a light."""
    kind = uniform(s.dice)
    s.light = 1.0 if kind >= 0.5 else 0.0
    is_waiting = 0.25 <= kind < 0.5
    s.trigger, s.timer, s.gap, s.lead_speed = 0.0, 0.0, -1.0, 0.0
    if is_waiting:
        s.x = -p.box * (1.0 - uniform(s.dice))
        s.v = uniform(s.dice)
        s.timer = (p.stop_time + 0.1) * uniform(s.dice)
        return
    s.x = -p.box - (p.distance - p.box) * uniform(s.dice)
    # Slow enough to stop before the box.
    s.v = min(sqrt(-2.0 * p.acceleration * (s.x + p.box)), p.speed) * uniform(s.dice)
    if s.light > 0.5:
        s.timer = p.period * uniform(s.dice)
    else:
        s.trigger = 1.0 if uniform(s.dice) < 0.5 else 0.0
    if uniform(s.dice) < 0.5:
        s.gap = p.safe_gap + (p.distance - p.safe_gap) * uniform(s.dice)
        # Fast enough to be followed at the safe gap.
        slowest = sqrt(max(s.v * s.v - 2.0 * p.acceleration * (s.gap - p.safe_gap), 0.0))
        s.lead_speed = slowest + (p.speed - slowest) * uniform(s.dice)
