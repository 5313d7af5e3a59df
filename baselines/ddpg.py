"""Deep deterministic policy gradient (Lillicrap et al. 2015, https://arxiv.org/abs/1509.02971), in one file.

A critic Q(s, a) learns the return of acting with a in s; an actor a = pi(s) climbs the critic's gradient. Both learn
from a replay of past transitions, against slowly following copies of themselves. Reading order: `Args`, `Mlp`,
`Replay`, `DDPG`.

A run is a function of its arguments: on one machine it gives the same result bit for bit, also if it was killed and
resumed. Every random number comes from a generator that the learner owns.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray
from torch import Tensor

from .assets import Assets
from .policy import AssetsPolicy, MlpPolicy
from .training import (
    ACTIVATIONS,
    Rules,
    check_args,
    compute_reproducibly,
    copy_into,
    descend,
    first_seed,
    forward,
    load_envs,
    make_envs,
    make_network,
    read_checkpoint,
    save_envs,
    to_bounds,
    write_checkpoint,
)


@dataclasses.dataclass(frozen=True)
class Args:
    """The arguments of `DDPG`; a step is one step of one environment."""

    steps: int = 1_000_000
    """Steps of training, over all environments; repeated actions count."""
    seed: int = 0
    """Of everything random: networks, exploration, replay, environments."""
    num_envs: int = 1
    """Environments stepped together."""
    action_repeat: int = 1
    """Steps for which an action is held while learning; the finished policy acts at every step."""
    episode_steps: int = 0
    """Cut training episodes off after so many steps, for more variety; 0 leaves the environment's own horizon."""
    network: str = "mlp"
    """What reads and acts: mlp (a Box), assets (a portfolio), or named-assets, which knows which asset is which."""
    hidden_sizes: tuple[int, ...] = (256, 256)
    """Width of each hidden layer, of actor and critic alike."""
    activation: str = "relu"
    """Of the hidden layers: relu or tanh."""
    gamma: float = 0.99
    """Discount per decision."""
    error_bound: float = 0.0
    """Beyond it the critic's errors count linearly (Huber), so that rare disasters do not drown the rest; 0: never."""
    reward_shift: float = 0.0
    """Added to each reward, and to the zeros after a termination, so that no policy gains by it; centres values."""
    reward_scale: float = 1.0
    """Rewards are multiplied by it, after the shift."""
    batch_size: int = 128
    """Transitions per update."""
    replay_size: int = 500_000
    """Transitions remembered; the oldest go first."""
    update_ratio: float = 1.0
    """Updates per decision of one environment; with 16 environments, 0.0625 is one update each time all have moved."""
    warmup: int = 1_000
    """Decisions with uniformly random actions before the first update."""
    actor_rate: float = 1e-4
    """Adam's learning rate for the actor."""
    critic_rate: float = 1e-3
    """Adam's learning rate for the critic."""
    final_rate: float = 1.0
    """Learning rates fall linearly to this fraction of themselves."""
    saturation_penalty: float = 0.0
    """Weight in the actor's loss of how far inputs of its final tanh lie beyond 2, squared; tanh is flat there."""
    tau: float = 0.005
    """How far the target networks move towards the learned ones per update."""
    noise_start: float = 0.3
    """Standard deviation of the exploration noise at first, where the action's range is 2."""
    noise_end: float = 0.05
    """And from `noise_fraction` of the steps on; between, it falls linearly."""
    noise_fraction: float = 0.5
    """Fraction of the steps over which the noise falls."""
    noise_correlation: float = 0.0
    """Correlation of the noise with that of the decision before (0 is white, near 1 drifts)."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        rules: Rules = (
            ("action_repeat", lambda v: v >= 1, "at least 1"),
            ("network", lambda v: v in NETWORKS, " or ".join(NETWORKS)),
            ("noise_start noise_end saturation_penalty", lambda v: v >= 0, "at least 0"),
            ("actor_rate critic_rate", lambda v: v > 0, "more than 0"),
            ("noise_fraction", lambda v: 0 < v <= 1, "more than 0 and at most 1"),
            ("gamma noise_correlation", lambda v: 0 <= v < 1, "at least 0 and less than 1"),
        )
        check_args("ddpg", self, rules)


class Mlp:
    """Actor and critic are stacks of layers that read a `Box`; actions are those of tanh, brought to their bounds."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        hidden_sizes: tuple[int, ...],
        activation: str,
    ) -> None:
        """Take note of sizes.

        Args:
            observation_space: what is read.
            action_space: bounded.
            hidden_sizes: width of each hidden layer.
            activation: of these, a name in `ACTIVATIONS`.

        Raises:
            TypeError: observations are no `Box`.
        """
        if not isinstance(observation_space, spaces.Box):
            raise TypeError(f"The network 'mlp' of DDPG needs a Box of observations, but they are {observation_space}.")
        self.observation_shape, self.action_space = observation_space.shape, action_space
        self.observations, self.actions = math.prod(observation_space.shape), math.prod(action_space.shape)
        self.hidden_sizes, self.activation = hidden_sizes, activation

    def make(self, generator: torch.Generator) -> tuple[list[Tensor], list[Tensor]]:
        """Return fresh parameters of an actor and a critic."""
        # The last layers start within +-0.003 (section 7 of the paper).
        actor = make_network((self.observations, *self.hidden_sizes, self.actions), generator)
        return actor, make_network((self.observations + self.actions, *self.hidden_sizes, 1), generator)

    def read(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Return a batch of observations as rows."""
        return observation.reshape(len(observation), -1).astype(np.float32)

    def scores(self, actor: list[Tensor], observation: Tensor) -> Tensor:
        """Return actions (B, A) before the tanh."""
        return forward(actor, observation, ACTIVATIONS[self.activation])

    def value(self, critic: list[Tensor], observation: Tensor, action: Tensor) -> Tensor:
        """Return the values (B, 1) of actions in [-1, 1]."""
        return forward(critic, torch.cat((observation, action), dim=1), ACTIVATIONS[self.activation])

    def to_space(self, action: NDArray[np.float64]) -> NDArray[Any]:
        """Return what the environment takes for actions (B, A) in [-1, 1]."""
        return to_bounds(action, self.action_space)

    def policy(self, actor: list[Tensor]) -> MlpPolicy:
        """Return an actor as a policy of its own."""
        arrays = [parameter.detach().numpy().copy() for parameter in actor]
        layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        return MlpPolicy(layers, self.activation, self.observation_shape, self.action_space)


#: What reads observations and acts. Actions lie in [-1, 1] until the environment gets them.
NETWORKS: dict[str, Callable[..., Mlp | Assets]] = {
    "mlp": Mlp,
    "assets": Assets,
    "named-assets": functools.partial(Assets, is_named=True),
}


class Replay:
    """The last ``capacity`` transitions, each one row of a table: s, a, r, s', and whether life goes on after it."""

    def __init__(self, capacity: int, observation_size: int, action_size: int) -> None:
        """Allocate the table; the system hands out its memory as it fills."""
        self.columns = [observation_size, action_size, 1, observation_size, 1]
        self.table = torch.empty((capacity, sum(self.columns)))
        self.count = 0  # rows ever added

    def add(self, *columns: NDArray[Any]) -> None:
        """Append n transitions by columns: s (n, O), a (n, A), r (n, 1), s' (n, O), and 1 where life goes on (n, 1)."""
        rows = torch.from_numpy(np.concatenate(columns, axis=1, dtype=np.float32))
        places = torch.arange(self.count, self.count + len(rows)) % len(self.table)
        self.table[places] = rows
        self.count += len(rows)

    def sample(self, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return a batch of transitions, drawn uniformly with replacement, as the five columns."""
        places = torch.randint(len(self), (batch_size,), generator=generator)
        return torch.split(self.table.index_select(0, places), self.columns, dim=1)

    def __len__(self) -> int:
        """Return how many transitions there are."""
        return min(self.count, len(self.table))


class DDPG:
    """A run of DDPG: call `learn`, take the `policy`; `save` and `load` in between as you like."""

    def __init__(
        self, env_id: str | EnvSpec, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None
    ) -> None:
        """Make the environments and fresh networks.

        Args:
            env_id: an id or specification; actions are a bounded `Box`, and observations such as the network can read.
            env_kwargs: keyword arguments of the environment.
            args: the run's arguments.

        Raises:
            TypeError: spaces that DDPG cannot use; says which kind is needed.
        """
        compute_reproducibly()
        self.args = args = args or Args()
        self.env_id = env_id
        self.envs = make_envs("DDPG", env_id, env_kwargs, args)
        observation_space, action_space = self.envs.single_observation_space, self.envs.single_action_space
        if not (isinstance(action_space, spaces.Box) and action_space.is_bounded()):
            raise TypeError(f"DDPG needs a bounded Box of actions, but those of {env_id} are {action_space}.")
        self.network = NETWORKS[args.network](observation_space, action_space, args.hidden_sizes, args.activation)

        self.generator = torch.Generator().manual_seed(args.seed)  # of networks and replay
        self.noise_generator = np.random.default_rng((args.seed, 1))
        self.actor, self.critic = self.network.make(self.generator)
        self.target_actor = [parameter.detach().clone() for parameter in self.actor]
        self.target_critic = [parameter.detach().clone() for parameter in self.critic]
        self.actor_optimizer = torch.optim.Adam(self.actor, args.actor_rate, fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critic, args.critic_rate, fused=True)

        self.replay = Replay(args.replay_size, self.network.observations, self.network.actions)
        self.decisions = 0  # of all environments, those that only reset included
        self.updates = 0
        self.loss = self.value = torch.zeros(())  # of the last update
        self.noise = np.zeros((args.num_envs, self.network.actions))
        self.ended = np.zeros(args.num_envs, np.bool_)  # rows whose next step only resets them
        self.observation = self._reset()

    @property
    def step(self) -> int:
        """Environment steps taken so far."""
        return self.decisions * self.args.action_repeat

    @property
    def policy(self) -> MlpPolicy | AssetsPolicy:
        """The actor as it is now, as a policy of its own."""
        return self.network.policy(self.actor)

    @property
    def metrics(self) -> dict[str, float]:
        """Updates so far, and of the last one the critic's loss and the mean value of the batch."""
        return {"updates": self.updates, "critic_loss": self.loss.item(), "value": self.value.item()}

    def learn(self, until: int, on_step: Callable[[int], None] = lambda step: None) -> None:
        """Go on until ``until`` steps have been taken; ``on_step`` is told the number after each decision."""
        args = self.args
        while self.step < until:
            self._act()
            if self.decisions > args.warmup and len(self.replay) > 0:
                self._set_rates()
                for _ in range(int((self.decisions - args.warmup) * args.update_ratio) - self.updates):
                    self._update()
            on_step(self.step)

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on in environments with other arguments and the same spaces; episodes under way are cut off.

        Args:
            env_kwargs: keyword arguments of the environments from now on, all of them.
        """
        self.envs.close()
        self.envs = make_envs("DDPG", self.env_id, env_kwargs, self.args)
        self.observation = self._reset()

    # Acting

    def _act(self) -> None:
        """Let every environment carry out one decision, and remember what came of it."""
        args, n = self.args, self.args.num_envs
        action = self._explore()
        scaled = self.network.to_space(action)
        reward, terminated = np.zeros(n), np.zeros(n, np.bool_)
        length, next_observation = np.zeros(n, np.int64), self.observation.copy()
        live = ~self.ended  # an episode that is over has nothing to remember: its next step is the reset
        for _ in range(args.action_repeat):
            observation, rewards, terminations, truncations, _ = self.envs.step(scaled)
            observation = self.network.read(observation)
            reward += np.where(live, rewards, 0.0)
            length += live
            next_observation[live] = observation[live]
            terminated |= terminations & live
            self.ended = terminations | truncations
            live = live & ~self.ended
        # A termination ends a decision early, and nothing follows it. A truncation is no end: the critic looks beyond
        # it, and a decision that it cut short tells nothing about a whole one.
        keep = terminated | (length == args.action_repeat)
        reward += args.reward_shift * args.action_repeat * np.where(terminated, 1.0 / (1.0 - args.gamma), 1.0)
        columns = self.observation, action, args.reward_scale * reward[:, None], next_observation, ~terminated[:, None]
        self.replay.add(*(column[keep] for column in columns))
        self.observation = observation
        self.decisions += n

    def _explore(self) -> NDArray[np.float64]:
        """Return the next actions in [-1, 1], shape (N, A)."""
        args = self.args
        if self.decisions < args.warmup:
            return self.noise_generator.uniform(-1.0, 1.0, self.noise.shape)
        progress = min(self.step / (args.noise_fraction * args.steps), 1.0)
        scale = args.noise_start + progress * (args.noise_end - args.noise_start)
        fresh = self.noise_generator.standard_normal(self.noise.shape)
        # An autoregression of standard deviation 1, whatever the correlation.
        self.noise = args.noise_correlation * self.noise + (1.0 - args.noise_correlation**2) ** 0.5 * fresh
        with torch.no_grad():
            greedy = torch.tanh(self.network.scores(self.actor, torch.from_numpy(self.observation))).numpy()
        return np.clip(greedy + scale * self.noise, -1.0, 1.0)

    def _reset(self) -> NDArray[np.float32]:
        """Start new episodes everywhere, from seeds that depend on the run's seed and the step alone."""
        observation, _ = self.envs.reset(seed=first_seed(self.args.seed, self.decisions))
        self.ended[:] = False
        return self.network.read(observation)

    # Learning

    def _update(self) -> None:
        """Improve critic and actor by one gradient step each."""
        args = self.args
        observation, action, reward, next_observation, goes_on = self.replay.sample(args.batch_size, self.generator)

        with torch.no_grad():
            next_action = torch.tanh(self.network.scores(self.target_actor, next_observation))
            next_value = self.network.value(self.target_critic, next_observation, next_action)
            target = reward + args.gamma * goes_on * next_value
        value = self.network.value(self.critic, observation, action)
        self.loss = 2.0 * torch.nn.functional.huber_loss(value, target, delta=args.error_bound or math.inf)
        descend(self.loss, self.critic, self.critic_optimizer)

        before_tanh = self.network.scores(self.actor, observation)
        self.value = self.network.value(self.critic, observation, torch.tanh(before_tanh)).mean()
        excess = (before_tanh.abs() - 2.0).clamp(min=0.0).square().mean()
        descend(args.saturation_penalty * excess - self.value, self.actor, self.actor_optimizer)

        with torch.no_grad():
            torch._foreach_lerp_(self.target_critic, self.critic, args.tau)
            torch._foreach_lerp_(self.target_actor, self.actor, args.tau)
        self.updates += 1

    def _set_rates(self) -> None:
        fraction = 1.0 - (1.0 - self.args.final_rate) * min(self.step / self.args.steps, 1.0)
        self.actor_optimizer.param_groups[0]["lr"] = self.args.actor_rate * fraction
        self.critic_optimizer.param_groups[0]["lr"] = self.args.critic_rate * fraction

    # Keeping

    def save(self, path: str | Path) -> None:
        """Write all that the rest of the run depends on to ``path``, atomically.

        The environments are part of that. Where they cannot be saved, see `save_envs`, new episodes are started now,
        here and in a run that is resumed from ``path``: both then have the same future.
        """
        envs = save_envs(self.envs)
        if envs is None:
            self.observation = self._reset()
        checkpoint = {
            "networks": [self.actor, self.critic, self.target_actor, self.target_critic],
            "optimizers": [self.actor_optimizer.state_dict(), self.critic_optimizer.state_dict()],
            "replay": (self.replay.count, self.replay.table[: len(self.replay)].clone()),
            "generators": (self.generator.get_state(), self.noise_generator.bit_generator.state),
            "progress": (self.decisions, self.updates, self.loss.item(), self.value.item()),
            "acting": (self.noise, self.ended, self.observation),
            "envs": envs,
        }
        write_checkpoint(path, self.args, checkpoint)

    def load(self, path: str | Path) -> None:
        """Continue from what `save` wrote. The file holds Python objects: load only what you wrote yourself.

        Raises:
            ValueError: it was written by a run with other arguments; names the first that differs.
        """
        checkpoint = read_checkpoint(path, self.args)
        networks = (self.actor, self.critic, self.target_actor, self.target_critic)
        for network, saved in zip(networks, checkpoint["networks"], strict=True):
            copy_into(network, saved)
        optimizers = (self.actor_optimizer, self.critic_optimizer)
        for optimizer, saved in zip(optimizers, checkpoint["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.replay.count, rows = checkpoint["replay"]
        self.replay.table[: len(rows)] = rows
        generator_state, self.noise_generator.bit_generator.state = checkpoint["generators"]
        self.generator.set_state(generator_state)
        self.decisions, self.updates, loss, value = checkpoint["progress"]
        self.loss, self.value = torch.tensor(loss), torch.tensor(value)
        self.noise, self.ended, self.observation = checkpoint["acting"]
        if checkpoint["envs"] is None:
            self.observation = self._reset()
        else:
            load_envs(self.envs, checkpoint["envs"])
