"""A search by trial games: each legal action is played out some decisions ahead, with dice of its own.

That is one step of policy improvement on a rule of thumb: Tesauro and Galperin, "On-line policy improvement using
Monte-Carlo search", NIPS 1996.
"""

from __future__ import annotations

import numpy as np

from ..core import jit
from .opponents import PASS, decide
from .records import ACTIONS, CHASER, COMBAT_STREAM, EXTERNAL, GREEDY, POLICY, Array, Record
from .rules import decider, legal, pass_turn, play, target

#: Of what a position is worth, per decision: otherwise the best is to get ready for ever.
DISCOUNT = 0.95


@jit
def worth(p: Record, s: Record, actor: int) -> float:
    """Return how good a position is: 1 and the share of hit points for a win, 0 for a loss.

    In between it is 0.5 at most, by hit points ahead: who only waits does not win.
    """
    if s.winner < 0:
        lead: float = (s.hp[actor] - s.hp[target(p, s, actor)]) / p.max_hp
        return 0.25 + 0.25 * lead
    left: float = s.hp[actor] / p.max_hp
    return 1.0 + left if s.winner == p.team[actor] else 0.0


@jit
def play_out(p: Record, s: Record, actor: int, decisions: int) -> float:
    """Let ``actor`` decide greedily so often, and the others by their rules; return what that is worth, discounted."""
    factor = 1.0
    while decisions > 0 and s.winner < 0:
        rule = decider(p, s, s.turn)
        if rule == EXTERNAL or rule == POLICY:
            rule = GREEDY if p.team[s.turn] == p.team[actor] else CHASER
        if s.turn == actor:
            decisions -= 1
            factor *= DISCOUNT
        action = decide(p, s, s.turn, rule)
        if action == PASS:
            pass_turn(p, s)
        else:
            play(p, s, action)
    return factor * worth(p, s, actor)


@jit
def look_ahead(states: Array, rows: Array, trial: Array, depth: int, samples: int, key: np.uint64) -> int:
    """Return the action that is worth most on average for the actor whose turn it is in row 0.

    Args:
        states: the present, (1,); not changed.
        rows: the design, (1,).
        trial: room for another game, (1,).
        depth: decisions of that actor in a trial game, the one in question included.
        samples: trial games for each action, with the same dice for all of them.
        key: of the dice.
    """
    p, actor = rows[0], states[0].turn
    mask = np.empty(ACTIONS, np.int8)
    legal(p, states[0], actor, mask)
    best, most = 0, -np.inf
    for action in range(ACTIONS):
        if mask[action]:
            total = 0.0
            for sample in range(samples):
                trial[0] = states[0]
                s = trial[0]
                s.streams[COMBAT_STREAM, 0] = key + np.uint64(sample)
                s.streams[COMBAT_STREAM, 1] = s.streams[COMBAT_STREAM, 2] = np.uint64(0)
                play(p, s, action)
                total += play_out(p, s, actor, depth - 1)
            if total > most:
                best, most = action, total
    return best
