"""PPO in one file that learns a duel by playing both of its sides, through PettingZoo's interface.

    pip install "rlx[roguelike,pettingzoo,baselines]"
    python docs/examples/pettingzoo_selfplay.py --rounds 120

A round is one game in each of 64 duels, side by side, and an update on what both sides have decided in them. In the end
the network plays those that have learned nothing, half the games in each seat.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from rlx.envs.roguelike import duel_v0

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--rounds", type=int, default=120)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

GAMMA, LAMBDA, SCALE, RATE, EPOCHS, BATCH, CLIP, ENTROPY = 0.97, 0.8, 0.1, 7e-4, 4, 256, 0.2, 0.003
SEATS, HELD_OUT = ("npc_0", "player_0"), 1_000_000  # the first seed of the games that count
torch.manual_seed(args.seed)
torch.set_num_threads(1)

duels = [duel_v0.env() for _ in range(64)]
# An observation is small whole numbers. The first layer has a row for each value of each of them, as after a one-hot.
parts = duels[0].observation_space("npc_0")["observation"].values()
sizes = np.concatenate([part.high.ravel().astype(np.int64) + 1 for part in parts])
first_rows = np.cumsum(sizes) - sizes


class Network(nn.Module):
    """Tells which actions are how likely, and what is still to be earned."""

    def __init__(self) -> None:
        """Draw fresh weights."""
        super().__init__()
        self.table = nn.EmbeddingBag(int(sizes.sum()), 128, mode="sum")
        nn.init.normal_(self.table.weight, std=len(sizes) ** -0.5)
        self.body = nn.Sequential(nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
        self.logits, self.value = nn.Linear(128, 17), nn.Linear(128, 1)

    def forward(self, rows: torch.Tensor, masks: torch.Tensor) -> tuple[Categorical, torch.Tensor]:
        """Return the distribution over legal actions, and the values."""
        hidden = self.body(self.table(rows))
        return Categorical(logits=self.logits(hidden).masked_fill(~masks, -1e9)), self.value(hidden).squeeze(1)


def chance(rows: torch.Tensor, masks: torch.Tensor) -> tuple[Categorical, None]:
    """Find all legal actions alike."""
    return Categorical(probs=masks.float()), None


@dataclass
class Side:
    """What one side of a game has seen, done, and earned by it, decision by decision."""

    rows: list[np.ndarray] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)


def play(policies: dict[str, Callable], seed: int) -> tuple[list[Side], list[str]]:
    """Play a game in each duel, with a policy for each seat; return both sides of all, and their results for npc_0."""
    for number, duel in enumerate(duels):
        duel.reset(seed=seed + number)
    games = [{seat: Side() for seat in SEATS} for _ in duels]
    live = list(zip(duels, games, strict=True))
    while live:
        for seat, policy in policies.items():
            turns = [(duel, game) for duel, game in live if duel.agent_selection == seat]
            if not turns:
                continue
            seen = [duel.observe(seat) for duel, _ in turns]
            rows = np.stack([np.concatenate([x.ravel() for x in each["observation"].values()]) for each in seen])
            rows, masks = rows + first_rows, np.stack([each["action_mask"] for each in seen]).astype(bool)
            with torch.no_grad():
                distribution, _ = policy(torch.from_numpy(rows), torch.from_numpy(masks))
            for (duel, game), row, mask, action in zip(turns, rows, masks, distribution.sample().tolist(), strict=True):
                duel.step(action)
                side = game[seat]
                side.rows.append(row), side.masks.append(mask), side.actions.append(action)
                side.rewards.append(SCALE * duel.rewards[seat])
            live = [(duel, game) for duel, game in live if not (duel.terminations[seat] or duel.truncations[seat])]
    return [side for game in games for side in game.values() if side.actions], [
        duel.infos["npc_0"]["result"] for duel in duels
    ]


def learn(network: Network, optimizer: torch.optim.Optimizer, sides: list[Side]) -> None:
    """Update by PPO. A game that was cut off counts as over: a draw earns nothing."""
    rows = torch.from_numpy(np.concatenate([side.rows for side in sides]))
    masks = torch.from_numpy(np.concatenate([side.masks for side in sides]))
    actions = torch.tensor([action for side in sides for action in side.actions])
    with torch.no_grad():
        distribution, values = network(rows, masks)
        before = distribution.log_prob(actions)
    advantages, later = torch.zeros(len(actions)), len(actions)
    for side in reversed(sides):
        advantage = value = 0.0
        for reward in reversed(side.rewards):
            later -= 1
            advantage = reward + GAMMA * value - values[later] + GAMMA * LAMBDA * advantage
            advantages[later], value = advantage, values[later]
    targets, advantages = values + advantages, (advantages - advantages.mean()) / advantages.std()
    for batch in (batch for _ in range(EPOCHS) for batch in torch.randperm(len(actions)).split(BATCH)):
        distribution, values = network(rows[batch], masks[batch])
        ratio = (distribution.log_prob(actions[batch]) - before[batch]).exp()
        gain = torch.min(ratio * advantages[batch], ratio.clamp(1.0 - CLIP, 1.0 + CLIP) * advantages[batch])
        error = (targets[batch] - values).square()
        loss = (0.5 * error - gain - ENTROPY * distribution.entropy()).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()


def score(policy: Callable, other: Callable, repeats: int = 4) -> float:
    """Return the percentage of games won by ``policy``, in both seats; a draw is half a win."""
    points = {"win": 1.0, "timeout": 0.5, "loss": 0.0}
    found = []
    for seed in range(HELD_OUT, HELD_OUT + repeats * len(duels), len(duels)):
        found += [points[result] for result in play(dict(zip(SEATS, (policy, other), strict=True)), seed)[1]]
        found += [1.0 - points[result] for result in play(dict(zip(SEATS, (other, policy), strict=True)), seed)[1]]
    return 100.0 * float(np.mean(found))


network = Network()
beginning = copy.deepcopy(network)
optimizer = torch.optim.Adam(network.parameters(), RATE)
for number in range(args.rounds):
    sides, results = play(dict.fromkeys(SEATS, network), seed=(args.seed * args.rounds + number) * len(duels))
    learn(network, optimizer, sides)
    if number % 20 == 19:
        draws, length = results.count("timeout"), sum(len(side.actions) for side in sides) / len(duels)
        print(f"round {number + 1}: {draws} draws of {len(duels)}, {length:.0f} decisions per game", flush=True)
for name, other in {"random": chance, "its own beginning": beginning}.items():
    print(f"against {name}: {score(network, other):.1f} %")
