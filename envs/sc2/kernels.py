"""A step of a mini-game, and what a player sees of it."""

from __future__ import annotations

from ..core import INFO, REWARD, TERMINATED, TRUNCATED, integer, jit
from .control import act_on
from .economy import produce, work
from .engine import act, explode, fly, separate
from .functions import offer
from .generator import begin, trigger
from .layers import see_layers
from .observations import see
from .orders import explore
from .params import BEACON, NONE
from .records import GATHER, Array, Record

INFO_NAMES = {
    "reward_terms": ("score",),
    "signals": (
        "score", "game_loop", "minerals", "vespene", "food_used", "food_cap", "marines_made", "kills", "losses",
    ),
}  # fmt: skip


@jit
def loop(p: Record, s: Record) -> None:
    """Let a game loop pass."""
    s.loop += 1
    count = s.count
    if count == 0:
        return
    fly(p, s)
    # Nobody is always first.
    first = integer(s.dice, count)
    for k in range(count):
        u = first + k
        if u >= count:
            u -= count
        kind = s.kind[u]
        if kind == NONE or kind >= BEACON:
            continue
        s.is_moving[u] >>= 1
        if p.is_structure[kind]:
            produce(p, s, u)
        elif s.order[u] >= GATHER:
            work(p, s, u)
        elif s.life[u] > 0.0:
            act(p, s, u)
    separate(p, s)
    u = 0
    while s.has_doomed and u < s.count:
        if s.kind[u] != NONE and s.life[u] <= 0.0:
            explode(p, s, u)
        u += 1
    s.has_doomed = 0
    trigger(p, s)


@jit
def report(p: Record, s: Record, i: int, values: Array) -> None:
    """Fill what ``info`` tells."""
    line = INFO + 1
    values[line, i], values[line + 1, i], values[line + 2, i] = s.score, s.loop, s.minerals
    values[line + 3, i], values[line + 4, i], values[line + 5, i] = s.vespene, s.food_used, s.food_cap
    values[line + 6, i], values[line + 7, i], values[line + 8, i] = s.made, s.kills, s.losses


@jit
def open_game(p: Record, s: Record, i: int, values: Array) -> None:
    """Begin a game."""
    begin(p, s)
    report(p, s, i, values)


@jit
def play(p: Record, s: Record, action: Array, i: int, values: Array) -> None:
    """Do what an action says, and let ``step_mul`` loops pass."""
    before = s.score
    act_on(p, s, action)
    for _ in range(p.step_mul):
        if s.is_over or s.loop >= p.loops:
            break
        loop(p, s)
    explore(p, s)
    values[INFO, i] = values[REWARD, i] = s.score - before
    values[TERMINATED, i] = s.is_over
    values[TRUNCATED, i] = not s.is_over and s.loop >= p.loops
    report(p, s, i, values)


@jit
def show(p: Record, s: Record, i: int, observation: Array, action_mask: Array) -> None:
    """Fill a row with numbers, and the mask if there is one."""
    see(p, s, observation[i])
    if action_mask.shape[1]:
        offer(p, s, action_mask[i])


@jit
def show_layers(p: Record, s: Record, i: int, observation: Array, action_mask: Array) -> None:
    """Fill a row with feature layers, after the mask if there is one."""
    size = action_mask.shape[1]
    see_layers(p, s, observation[i, size:])
    if size:
        offer(p, s, action_mask[i])
        observation[i, :size] = action_mask[i]


@jit
def reset(states: Array, rows: Array, active: Array, observation: Array, values: Array, action_mask: Array) -> None:
    """Begin games, and show numbers; see `Problem`."""
    for i in range(len(states)):
        if active[i]:
            p, s = rows[min(i, len(rows) - 1)], states[i]
            open_game(p, s, i, values)
            show(p, s, i, observation, action_mask)


@jit
def step(
    states: Array, rows: Array, actions: Array, active: Array, observation: Array, values: Array, action_mask: Array
) -> None:
    """Play, and show numbers; see `Problem`, ``actions`` (rows, A)."""
    for i in range(len(states)):
        if active[i]:
            p, s = rows[min(i, len(rows) - 1)], states[i]
            play(p, s, actions[i], i, values)
            show(p, s, i, observation, action_mask)


@jit
def reset_layers(
    states: Array, rows: Array, active: Array, observation: Array, values: Array, action_mask: Array
) -> None:
    """Begin games, and show feature layers; see `Problem`."""
    for i in range(len(states)):
        if active[i]:
            p, s = rows[min(i, len(rows) - 1)], states[i]
            open_game(p, s, i, values)
            show_layers(p, s, i, observation, action_mask)


@jit
def step_layers(
    states: Array, rows: Array, actions: Array, active: Array, observation: Array, values: Array, action_mask: Array
) -> None:
    """Play, and show feature layers; see `Problem`, ``actions`` (rows, A)."""
    for i in range(len(states)):
        if active[i]:
            p, s = rows[min(i, len(rows) - 1)], states[i]
            play(p, s, actions[i], i, values)
            show_layers(p, s, i, observation, action_mask)
