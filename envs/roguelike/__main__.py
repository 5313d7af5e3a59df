"""Measure random play and the experts: ``python -m rlx.envs.roguelike > docs/results/roguelike.md``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from . import experts
from .design import design_id, load
from .env import RoguelikeEnv, RoguelikeVectorEnv
from .records import ACTIONS

HORIZON = 100
EPISODES = 4000  # of random play
GAMES, SEARCHES = 1000, 300  # of a rule, of the search
CLASSES = ("archer", "warrior", "ranger", "boss")
OPPONENTS = ("random", "chaser", "kiter", "greedy")
EXPERTS = ("chaser", "kiter", "greedy", "search")
#: Success and mean return where the authors' training curves begin, read off their plots.
PUBLISHED = {"archer": (0.42, 1.2), "warrior": (0.28, -0.5), "ranger": (0.38, 0.5), "boss": (0.26, None)}

HEAD = """# The roguelike duel: random play, and what the experts reach

Made by `python -m rlx.envs.roguelike > docs/results/roguelike.md`. Design `{design}`, `design_id` {design_id}.

## Random play against the random target

An npc that draws from all 17 actions, legal or not, in {episodes} episodes of the paper's duel. *Success* is the
authors' measure, a return above zero. Beside phase 1 stands where the authors' training curves begin; their first
points are means over 1000 episodes of an agent that already learns, and the boss's skills were not published: ours is
another.

| class | success, phase 1 | published | mean return | published | success, phase 5 | mean return |
|---|---:|---:|---:|---:|---:|---:|"""

TABLE = """
## Experts: wins per hundred games

Phase 5, the last one of the curriculum. {games} games each, {searches} of `search`; the standard error is at most 1.6,
and 2.9. `random` draws from the legal actions.

| class | opponent | random | {names} |
|---|---|---:|{columns}|"""


def random_returns(npc_class: str, phase: int) -> NDArray[np.float64]:
    """Return the returns of `EPISODES` episodes of random play, legal or not, against the random target."""
    envs = RoguelikeVectorEnv(
        EPISODES,
        npc_class=npc_class,
        design="paper",
        phase=phase,
        max_episode_steps=HORIZON,
        autoreset_mode=AutoresetMode.DISABLED,
    )
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    returns, is_running = np.zeros(EPISODES), np.ones(EPISODES, np.bool_)
    while is_running.any():
        _, rewards, terminated, truncated, _ = envs.step(rng.integers(ACTIONS, size=EPISODES))
        returns += np.where(is_running, rewards, 0.0)
        is_over = terminated | truncated
        is_running &= ~is_over
        if is_over.any():
            envs.reset(options={"reset_mask": is_over})
    return returns


def wins(env: RoguelikeEnv, choose: Callable[[Any, Any], int], games: int) -> float:
    """Return the share of games that are won within the horizon."""
    count = 0
    for seed in range(games):
        observation, info = env.reset(seed=seed)
        for _ in range(HORIZON):
            observation, _, is_over, _, info = env.step(choose(observation, info))
            if is_over:
                count += info["success"]
                break
    return count / games


def at_random(seed: int) -> Callable[[Any, Any], int]:
    """Return a choice that draws from the legal actions."""
    rng = np.random.default_rng(seed)
    return lambda observation, info: int(rng.choice(np.flatnonzero(info["action_mask"])))


def main() -> None:
    """Print the tables, and what is being measured on stderr."""
    print(HEAD.format(design="base", design_id=design_id(load("base")), episodes=EPISODES))
    for npc_class, (success, mean) in PUBLISHED.items():
        print(f"random play: {npc_class}", file=sys.stderr)
        first, last = random_returns(npc_class, 1), random_returns(npc_class, 5)
        cells = [_share(first), f"{success:.2f}", f"{first.mean():.2f}", "" if mean is None else f"{mean:.1f}"]
        print(_row(npc_class, *cells, _share(last), f"{last.mean():.2f}"), flush=True)
    names, columns = " | ".join(f"`{name}`" for name in EXPERTS), "---:|" * len(EXPERTS)
    print(TABLE.format(games=GAMES, searches=SEARCHES, names=names, columns=columns.rstrip("|")))
    for npc_class in CLASSES:
        for opponent in OPPONENTS:
            print(f"experts: {npc_class} against {opponent}", file=sys.stderr)
            env = RoguelikeEnv(npc_class, opponent=opponent)
            rates = [wins(env, at_random(0), GAMES)]
            for name in EXPERTS:
                policy = getattr(experts, name)(env)
                rates.append(wins(env, policy.act, SEARCHES if name == "search" else GAMES))
            print(_row(npc_class, opponent, *(f"{100 * rate:.0f}" for rate in rates)), flush=True)


def _share(returns: NDArray[np.float64]) -> str:
    return f"{(returns > 0.0).mean():.3f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
