"""The neural predictive controller for signal temporal logic (Meng and Fan 2023, https://arxiv.org/abs/2309.05131).

A network maps the first observation of an episode to plans of all its actions. It learns through the model: plans are
rolled out, and the gradient of the formula's smooth robustness goes back through dynamics and network. What differs
from the paper:

- Starts are fresh in every update, not from a fixed set.
- The network proposes several plans. The best of them counts most in the loss, so that they come to differ: left or
  right of an obstacle, before or after a light. Judged by exact robustness, the best is carried out.
- The backup teaches. Where no proposal satisfies the formula, plans near them are tried; those that do are remembered,
  and the nearest proposal is drawn to them. So the network learns where the gradient says nothing: nothing tells a car
  that has passed a sign that it should have stopped.

Reading order: `Args`, `NPC.learn`, `NPC._update`; how the network acts is told by `rlx.baselines.stl_planners`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .stl_planners import NeuralPlanner, half_width, judge, judge_smoothly, middle, model_of, search
from .training import (
    Rules,
    check_args,
    compute_reproducibly,
    copy_into,
    descend,
    first_seed,
    forward,
    make_network,
    read_checkpoint,
    write_checkpoint,
)


@dataclasses.dataclass(frozen=True)
class Args:
    """The arguments of `NPC`; a step is a step of an episode that plans are made for, however many plans there are."""

    steps: int = 20_000_000
    """Steps of training, over all episodes."""
    seed: int = 0
    """Of everything random: network, starts, search."""
    num_envs: int = 256
    """Starts per update."""
    plans: int = 16
    """Plans proposed for a start."""
    hidden_sizes: tuple[int, ...] = (256, 256, 256)
    """Width of each hidden layer."""
    rate: float = 1e-3
    """Adam's learning rate."""
    final_rate: float = 0.02
    """The learning rate falls linearly to this fraction of itself."""
    max_norm: float = 1.0
    """Longest gradient."""
    margin: float = 0.1
    """Robustness that is enough: more earns nothing."""
    temperature_start: float = 0.5
    """Temperature of the smooth robustness at first, in its units."""
    temperature_end: float = 0.02
    """And from `anneal_fraction` of the steps on; between, it falls geometrically."""
    share_start: float = 0.5
    """Share of the loss that is the mean over plans at first; the rest is the loss of the best plan."""
    share_end: float = 0.05
    """And from `anneal_fraction` of the steps on; between, it falls geometrically."""
    anneal_fraction: float = 0.8
    """Fraction of the steps over which temperature and share fall."""
    search_starts: int = 64
    """Starts per update, of those without a satisfying plan, near whose plans others are tried; 0: no search."""
    search_candidates: int = 64
    """Plans tried for each of these."""
    memory_size: int = 50_000
    """Satisfying plans that are remembered; the oldest go first."""
    memory_batch: int = 256
    """Of these, how many the network is drawn to in an update."""
    memory_weight: float = 1.0
    """Weight of that in the loss."""
    backup_rounds: int = 10
    """Rounds of the trained policy's search where no proposal satisfies the formula; 0: it takes the best proposal."""
    backup_candidates: int = 200
    """Plans tried in each round."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        positive = "rate max_norm temperature_start temperature_end"
        rules: Rules = (
            (positive, lambda v: v > 0, "more than 0"),
            ("plans memory_size memory_batch search_candidates backup_candidates", lambda v: v >= 1, "at least 1"),
            ("margin search_starts memory_weight backup_rounds", lambda v: v >= 0, "at least 0"),
            ("share_start share_end anneal_fraction", lambda v: 0 < v <= 1, "more than 0 and at most 1"),
        )
        check_args("stl_npc", self, rules)


class NPC:
    """A run of training: call `learn`, take the `policy`; `save` and `load` in between as you like."""

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None) -> None:
        """Make the model and a fresh network.

        Args:
            env_id: an id whose environment has a ``model()``.
            env_kwargs: its keyword arguments.
            args: the run's arguments.

        Raises:
            TypeError: the environment has no model.
        """
        compute_reproducibly()
        self.args = args = args or Args()
        self.env_id = env_id
        self.updates = 0
        self.loss = self.solved = 0.0  # of the last update: the loss, and the share of starts with a satisfying plan
        self.generator = torch.Generator().manual_seed(args.seed)  # of the network
        self.random = np.random.default_rng((args.seed, 1))  # of search and memory
        self.change_envs(env_kwargs or {})

        some = np.concatenate([self._starts(-1 - k) for k in range(8)])
        self.mean, spread = some.mean(0), some.std(0)
        self.spread = np.where(spread > 1e-6, spread, 1.0).astype(np.float32)
        self.controls = len(self.model.action_low)
        outputs = args.plans * self.model.length * self.controls
        self.network = make_network((some.shape[1], *args.hidden_sizes, outputs), self.generator, last=None)
        self.optimizer = torch.optim.Adam(self.network, args.rate, fused=True)

    @property
    def step(self) -> int:
        """Steps of the episodes planned so far."""
        return self.updates * self.args.num_envs * self.model.length

    @property
    def policy(self) -> NeuralPlanner:
        """The network as it is now, as a policy of its own."""
        arrays = [parameter.detach().numpy().copy() for parameter in self.network]
        # The first layer takes observations as they are.
        arrays[1] = arrays[1] - (self.mean / self.spread) @ arrays[0]
        arrays[0] = arrays[0] / self.spread[:, None]
        layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        backup = self.args.backup_rounds, self.args.backup_candidates
        return NeuralPlanner(layers, self.env_id, self.env_kwargs, backup)

    @property
    def metrics(self) -> dict[str, float]:
        """Updates so far; of the last one, the loss and the share of starts that a plan satisfies; plans remembered."""
        return {"updates": self.updates, "loss": self.loss, "solved": self.solved, "remembered": self.found}

    def learn(self, until: int, on_step: Callable[[int], None] = lambda step: None) -> None:
        """Go on until ``until`` steps have been taken; ``on_step`` is told the number after each update."""
        while self.step < until:
            self._update()
            on_step(self.step)

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on with the model of environments with other arguments and the same spaces; what is remembered is lost.

        Args:
            env_kwargs: keyword arguments of the environments from now on, all of them.
        """
        self.env_kwargs = dict(env_kwargs)
        self.model = model_of(self.env_id, env_kwargs)
        self.envs = gymnasium.make_vec(self.env_id, self.args.num_envs, **env_kwargs)
        self.found = 0  # plans ever remembered
        self.memory: tuple[Tensor, Tensor] | None = None

    # Learning

    def _update(self) -> None:
        """Improve the network by one gradient step."""
        args = self.args
        progress = min(self.step / (args.anneal_fraction * args.steps), 1.0)
        share = args.share_start * (args.share_end / args.share_start) ** progress
        temperature = args.temperature_start * (args.temperature_end / args.temperature_start) ** progress
        fraction = 1.0 - (1.0 - args.final_rate) * min(self.step / args.steps, 1.0)
        self.optimizer.param_groups[0]["lr"] = args.rate * fraction

        observations = self._starts(self.updates)
        starts = torch.from_numpy(observations)
        plans = self._propose(starts)
        smooth = judge_smoothly(self.model, starts, plans, temperature)
        # A bounded slope: starts that cannot be won, or are far from it, do not drown the rest.
        violations = torch.log1p(torch.relu(args.margin - smooth))
        loss = _mostly_least(violations, share)
        self._search(observations, plans.detach().numpy())
        if self.memory is not None:
            rows = torch.from_numpy(self.random.integers(min(self.found, args.memory_size), size=args.memory_batch))
            remembered, targets = (part[rows] for part in self.memory)
            distances = (self._propose(remembered) - targets[:, None]).square().mean((2, 3))
            loss = loss + args.memory_weight * _mostly_least(distances, share)
        descend(loss, self.network, self.optimizer, args.max_norm)
        self.loss = loss.item()
        self.updates += 1

    def _propose(self, observations: Tensor) -> Tensor:
        """Return the plans (B, M, T, A) that the network makes for observations (B, D)."""
        model = self.model
        x = (observations - torch.from_numpy(self.mean)) / torch.from_numpy(self.spread)
        outputs = torch.tanh(forward(self.network, x, torch.relu))
        center, width = (torch.from_numpy(part) for part in (middle(model), half_width(model)))
        return center + width * outputs.reshape(len(x), -1, model.length, self.controls)

    def _search(self, observations: NDArray[np.float32], plans: NDArray[np.float32]) -> None:
        """Look for satisfying plans where there is none, and remember them."""
        args = self.args
        is_open = judge(self.model, observations, plans).max(1) < 0.0
        self.solved = 1.0 - float(is_open.mean())
        rows = np.flatnonzero(is_open)[: args.search_starts]
        if not len(rows):
            return
        better, scores = search(
            self.model, observations[rows], plans[rows], self.random, candidates=args.search_candidates
        )
        is_found = scores >= 0.0
        if is_found.any():
            self._remember(observations[rows][is_found], better[is_found])

    def _remember(self, observations: NDArray[np.float32], plans: NDArray[np.float32]) -> None:
        """Put plans (n, T, A) in the places of the oldest."""
        size = self.args.memory_size
        if self.memory is None:
            shapes = (observations.shape[1:], plans.shape[1:])
            self.memory = (torch.zeros(size, *shapes[0]), torch.zeros(size, *shapes[1]))
        places = torch.arange(self.found, self.found + len(plans)) % size
        for part, rows in zip(self.memory, (observations, plans), strict=True):
            part[places] = torch.from_numpy(rows)
        self.found += len(plans)

    def _starts(self, number: int) -> NDArray[np.float32]:
        """Return the starts (B, D) of an update; those of negative numbers are for none."""
        seed = first_seed(self.args.seed, 1 + number if number >= 0 else 2**40 - number)
        observations: NDArray[np.float32] = self.envs.reset(seed=seed)[0]
        return observations

    # Keeping

    def save(self, path: str | Path) -> None:
        """Write all that the rest of the run depends on to ``path``, atomically."""
        checkpoint = {
            "network": self.network,
            "optimizer": self.optimizer.state_dict(),
            "memory": self.memory,
            "random": self.random.bit_generator.state,
            "progress": (self.updates, self.found, self.loss, self.solved),
        }
        write_checkpoint(path, self.args, checkpoint)

    def load(self, path: str | Path) -> None:
        """Continue from what `save` wrote. The file holds Python objects: load only what you wrote yourself.

        Raises:
            ValueError: it was written by a run with other arguments; names the first that differs.
        """
        checkpoint = read_checkpoint(path, self.args)
        copy_into(self.network, checkpoint["network"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.memory, self.random.bit_generator.state = checkpoint["memory"], checkpoint["random"]
        self.updates, self.found, self.loss, self.solved = checkpoint["progress"]


def _mostly_least(values: Tensor, share: float) -> Tensor:
    """Return the mean over rows (B, M) of their least, and a ``share`` of their mean."""
    return ((1.0 - share) * values.min(1).values + share * values.mean(1)).mean()
