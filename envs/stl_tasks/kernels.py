"""Episodes of all tasks: which task it is, is a number in the parameters.

A task's own physics are in the module of its name: ``begin`` draws a start, ``move`` takes a step, ``sense`` returns
the signals, ``progress`` the hand-made reward.
"""

from __future__ import annotations

import numpy as np

from ..core import COST, INFO, REWARD, SUCCESS, TERMINATED, jit
from ..core.random import bits
from ..core.stl import advance, start
from . import arm, maze, rover, ship_safe, ship_track, traffic
from .scalars import Array, Record

#: In the order of `tasks.TASKS`.
TRAFFIC, MAZE, SHIP_SAFE, SHIP_TRACK, ROVER, ARM = range(6)
#: Where ``values`` hold the terms of the reward, the robustness interval and the signals.
TERMS, INTERVAL, SIGNALS = INFO, INFO + 3, INFO + 5

Program = tuple[Array, Array]


@jit
def begin(s: Record, p: Record) -> None:
    """Draw the start of an episode, from a random stream of its own: however much is drawn, the next starts alike."""
    s.dice[0] = bits(s.rng)
    s.dice[1] = np.uint64(0)
    s.dice[2] = np.uint64(0)
    if p.task == TRAFFIC:
        traffic.begin(s, p)
    elif p.task == MAZE:
        maze.begin(s, p)
    elif p.task == SHIP_SAFE:
        ship_safe.begin(s, p)
    elif p.task == SHIP_TRACK:
        ship_track.begin(s, p)
    elif p.task == ROVER:
        rover.begin(s, p)
    else:
        arm.begin(s, p)


@jit
def move(s: Record, a: Array, p: Record) -> None:
    """Take a step of the dynamics under action ``a`` (A,)."""
    if p.task == TRAFFIC:
        traffic.move(s, a, p)
    elif p.task == MAZE:
        maze.move(s, a, p)
    elif p.task == SHIP_SAFE:
        ship_safe.move(s, a, p)
    elif p.task == SHIP_TRACK:
        ship_track.move(s, a, p)
    elif p.task == ROVER:
        rover.move(s, a, p)
    else:
        arm.move(s, a, p)


@jit
def keep(seen: tuple[float, ...], signals: Array) -> None:
    """Write ``seen`` down."""
    for j, signal in enumerate(seen):
        signals[j] = signal


@jit
def sense(s: Record, p: Record) -> None:
    """Fill ``s.signals``."""
    if p.task == TRAFFIC:
        keep(traffic.sense(s, p), s.signals)
    elif p.task == MAZE:
        keep(maze.sense(s, p), s.signals)
    elif p.task == SHIP_SAFE:
        keep(ship_safe.sense(s, p), s.signals)
    elif p.task == SHIP_TRACK:
        keep(ship_track.sense(s, p), s.signals)
    elif p.task == ROVER:
        keep(rover.sense(s, p), s.signals)
    else:
        keep(arm.sense(s, p), s.signals)


@jit
def progress(s: Record, p: Record) -> float:
    """Return the hand-made reward of the present state."""
    if p.task == TRAFFIC:
        return traffic.progress(s.signals, p)
    if p.task == MAZE:
        return maze.progress(s.signals, p)
    if p.task == SHIP_SAFE:
        return ship_safe.progress(s.signals, p)
    if p.task == SHIP_TRACK:
        return ship_track.progress(s.signals, p)
    if p.task == ROVER:
        return rover.progress(s.signals, p)
    return arm.progress(s.signals, p)


@jit
def judge(s: Record, p: Record, bounds: Array, program: Program, observation: Array, values: Array) -> None:
    """Let the monitor see the present state; fill ``observation``, and ``values`` with interval and signals."""
    sense(s, p)
    s.low, s.high = advance(program, s.memory, s.signals)
    values[INTERVAL], values[INTERVAL + 1] = s.low, s.high
    for j in range(len(values) - SIGNALS):
        values[SIGNALS + j] = s.signals[j]
    last = len(observation) - 1
    for j in range(last):
        observation[j] = min(max(s.signals[j], bounds[0, j]), bounds[1, j])
    observation[last] = p.dt * (p.steps - s.step)


@jit
def conclude(s: Record, p: Record, values: Array) -> None:
    """Fill ``values`` with reward, cost and end.

    The cost is what has become certain of the violation, ``max(-high, 0)``, beyond what has been paid.
    """
    due = max(-s.high, 0.0)
    values[COST] = due - s.paid
    s.paid = due
    is_over = s.step >= p.steps
    is_satisfied = is_over and s.low >= 0.0
    values[TERMINATED], values[SUCCESS] = is_over, is_satisfied
    values[TERMS] = p.weights[0] * s.low if is_over else 0.0
    values[TERMS + 1] = p.weights[1] * is_satisfied
    values[TERMS + 2] = p.weights[2] * progress(s, p)
    values[REWARD] = values[TERMS] + values[TERMS + 1] + values[TERMS + 2]


@jit
def reset(
    states: Array,
    rows: Array,
    bounds: Array,
    nodes: Array,
    numbers: Array,
    active: Array,
    observation: Array,
    values: Array,
    action_mask: Array,
) -> None:
    """Start episodes, see `Problem`."""
    for i in range(len(states)):
        if active[i]:
            s, p = states[i], rows[min(i, len(rows) - 1)]
            s.step, s.paid = 0, 0.0
            begin(s, p)
            start((nodes, numbers), s.memory)
            judge(s, p, bounds, (nodes, numbers), observation[i], values[:, i])


@jit
def step(
    states: Array,
    rows: Array,
    bounds: Array,
    nodes: Array,
    numbers: Array,
    actions: Array,
    active: Array,
    observation: Array,
    values: Array,
    action_mask: Array,
) -> None:
    """Take a step, see `Problem`."""
    for i in range(len(states)):
        if active[i]:
            s, p = states[i], rows[min(i, len(rows) - 1)]
            s.step += 1
            move(s, actions[i], p)
            judge(s, p, bounds, (nodes, numbers), observation[i], values[:, i])
            conclude(s, p, values[:, i])


@jit
def rollout(states: Array, p: Record, controls: Array, columns: Array, signals: Array) -> None:
    """Fill ``signals`` (N, K, T + 1, S), those of ``columns`` (S,), under ``controls`` (N, K, T, A) from ``states``."""
    scratch = states[:1].copy()
    s = scratch[0]
    for n in range(controls.shape[0]):
        for k in range(controls.shape[1]):
            scratch[0] = states[n]
            for t in range(controls.shape[2] + 1):
                if t > 0:
                    move(s, controls[n, k, t - 1], p)
                sense(s, p)
                for j in range(len(columns)):
                    signals[n, k, t, j] = s.signals[columns[j]]
