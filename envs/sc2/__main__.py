"""Measure random play and the experts: ``python -m rlx.envs.sc2 > docs/results/sc2_experts.md``."""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np

from . import experts
from .env import SC2Env, SC2VectorEnv

EPISODES = 100
#: Game, expert, interface.
PLAYERS = (
    ("MoveToBeacon", "scripted", "grid"),
    ("MoveToBeacon", "scripted", "point"),
    ("CollectMineralShards", "scripted", "grid"),
    ("CollectMineralShards", "split", "grid"),
    ("FindAndDefeatZerglings", "scripted", "grid"),
    ("DefeatRoaches", "scripted", "grid"),
    ("DefeatRoaches", "attack_move", "grid"),
    ("DefeatRoaches", "focus", "grid"),
    ("DefeatRoaches", "focus", "units"),
    ("DefeatZerglingsAndBanelings", "scripted", "grid"),
    ("DefeatZerglingsAndBanelings", "attack_move", "grid"),
    ("DefeatZerglingsAndBanelings", "focus", "grid"),
    ("DefeatZerglingsAndBanelings", "focus", "units"),
    ("CollectMineralsAndGas", "harvest", "economy"),
    ("CollectMineralsAndGas", "expand", "economy"),
    ("BuildMarines", "builder", "economy"),
)
HEAD = f"""# Scripted players of the StarCraft II mini-games

Made by `python -m rlx.envs.sc2 > docs/results/sc2_experts.md`.

Scores in the **embedded engine**: {EPISODES} episodes, seeds from 0 on, 8 loops a step. `random` draws from the action
space of the interface beside it; `functions` draws among the functions that are available. Published scores are those
of the real game, from table 1 of SC2LE (arXiv:1708.04782) and table 1 of "Relational Deep Reinforcement Learning"
(arXiv:1806.01830): mean / maximum.
"""
#: Random policy, DeepMind's human player, StarCraft grandmaster, FullyConv, Relational agent.
PUBLISHED = {
    "MoveToBeacon": ("1 / 6", "26 / 28", "28 / 28", "26 / 45", "27"),
    "CollectMineralShards": ("17 / 35", "133 / 142", "177 / 179", "103 / 134", "196"),
    "FindAndDefeatZerglings": ("4 / 19", "46 / 49", "61 / 61", "45 / 56", "62"),
    "DefeatRoaches": ("1 / 46", "41 / 81", "215 / 363", "100 / 355", "303"),
    "DefeatZerglingsAndBanelings": ("23 / 118", "729 / 757", "727 / 848", "62 / 251", "736"),
    "CollectMineralsAndGas": ("12 / 750", "6880 / 6952", "7566 / 7566", "3978 / 4130", "4906"),
    "BuildMarines": ("<1 / 5", "138 / 142", "133 / 133", "3 / 42", "123"),
}
TAIL = """
What the experts do is told in `rlx.envs.sc2.experts`. pysc2's own scripted player of DefeatRoaches, which `scripted` is
after, is reported with 97 / 345 in the real game. `focus` on the interface `units` gives nine to 24 marines an order of
their own twice a second, more than a person can; `grid` has one order for all of them. The interface `economy` chooses
who works and where to build by itself, so that random play is no measure of its games; random `functions` is.
"""


def main() -> None:
    """Print the tables, and what is being measured on stderr."""
    print(HEAD)
    print("| game | player | interface | mean | standard deviation | maximum |")
    print("|---|---|---|---:|---:|---:|")
    for game in PUBLISHED:
        played = [(expert, action) for name, expert, action in PLAYERS if name == game]
        for action in [*dict.fromkeys(action for _, action in played), "functions"]:
            show(game, "random", action, at_random(game, action))
        for expert, action in played:
            show(game, f"`{expert}`", action, by_expert(game, expert, action))
    print("\n## Published scores of the real game\n")
    print("| game | random | human | grandmaster | FullyConv | Relational |")
    print("|---|---:|---:|---:|---:|---:|")
    for game, scores in PUBLISHED.items():
        print(f"| {game} | {' | '.join(scores)} |")
    print(TAIL, end="")


def show(game: str, player: str, action: str, scores: Any) -> None:
    """Print a row."""
    print(f"{game}: {player}, {action}", file=sys.stderr)
    print(
        f"| {game} | {player} | `{action}` | {scores.mean():.1f} | {scores.std():.1f} | {scores.max():g} |", flush=True
    )


def at_random(game: str, action: str) -> Any:
    """Return the scores of random play, (`EPISODES`,)."""
    env = SC2VectorEnv(EPISODES, game=game, action=action)
    rng = np.random.default_rng(0)
    _, info = env.reset(seed=0)
    scores, is_over = np.zeros(EPISODES), np.zeros(EPISODES, np.bool_)
    space = cast(Any, env.single_action_space)
    space.seed(0)
    while not is_over.all():
        actions = np.array([space.sample() for _ in range(EPISODES)])
        if action == "functions":
            available = info["action_mask"][:, : space.nvec[0]] * rng.random((EPISODES, space.nvec[0]))
            actions[:, 0] = available.argmax(axis=1)
        _, rewards, terminated, truncated, info = env.step(actions)
        scores += np.where(is_over, 0.0, rewards)
        is_over |= terminated | truncated
    return scores


def by_expert(game: str, expert: str, action: str) -> Any:
    """Return the scores of an expert, (`EPISODES`,)."""
    env = SC2Env(game, action)
    policy = getattr(experts, expert)(env)
    scores = np.zeros(EPISODES)
    for seed in range(EPISODES):
        observation, info = env.reset(seed=seed)
        policy.reset()
        is_over = False
        while not is_over:
            observation, reward, terminated, truncated, info = env.step(policy.act(observation, info))
            scores[seed] += reward
            is_over = terminated or truncated
    return scores


if __name__ == "__main__":
    main()
