"""Proximal policy optimisation (Schulman et al. 2017, https://arxiv.org/abs/1707.06347), in one file.

A policy chooses among the actions that are allowed, by probabilities; a critic V(s) tells the return from s on. Both
play for a while, then the policy is made more likely to do what turned out better than the critic had told, by
generalised advantages (Schulman et al. 2015, https://arxiv.org/abs/1506.02438), but in small steps: what changes a
probability by more than a few tenths of itself counts no further. Actions of a `Discrete` that are not allowed have the
probability 0, in play as in the objective (Huang and Ontanon 2020, https://arxiv.org/abs/2006.14171); those of a `Box`
are a mean and noise. Reading order: `Args`, `Categorical`, `Gaussian`, `Network`, `advantages`, `Rollout`, `PPO`.

A run is a function of its arguments: on one machine it gives the same result bit for bit, also if it was killed and
resumed. Every random number comes from a generator that the learner owns.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from .networks import NETWORKS, Architecture, Columns, Features, make_features
from .policy import Layers, MlpPolicy, SoftmaxPolicy, allowed_by
from .training import (
    ACTIVATIONS,
    Normalizer,
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
    move,
    read_checkpoint,
    save_envs,
    to_bounds,
    write_checkpoint,
)

LOG_ROOT = 0.5 * math.log(2.0 * math.pi)  # of the density of a Gaussian
REWARD_BOUND = 10.0  # of normalised rewards, which the first few steps would else make huge

METRICS = ("policy_loss", "value_loss", "entropy", "kl", "clipped")


@dataclasses.dataclass(frozen=True)
class Args:
    """The arguments of `PPO`; a step is one step of one environment."""

    steps: int = 1_000_000
    """Steps of training, over all environments."""
    seed: int = 0
    """Of everything random: network, actions, order of the batches, environments."""
    num_envs: int = 64
    """Environments stepped together."""
    rollout_steps: int = 64
    """Steps of each environment from update to update."""
    episode_steps: int = 0
    """Cut training episodes off after so many steps, for more variety; 0 leaves the environment's own horizon."""
    network: str = "mlp"
    """What reads the observations: mlp (any), onehot (integers), categorical, dense or transformer (tile maps), or
    fullyconv (pictures, where actions are pixels)."""
    width: float = 1.0
    """Of all but mlp: layers are so many times as wide as published, or 256 in onehot."""
    channels: tuple[int, ...] = (16, 32)
    """Of mlp: channels of the convolutions, 5 x 5 with stride 4, that read a picture."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Width of each layer after that; policy and critic have their own."""
    activation: str = "tanh"
    """Of these layers: relu or tanh."""
    gamma: float = 0.99
    """Discount per step; 1 where episodes end by themselves."""
    gae_lambda: float = 0.95
    """How much more a reward seen counts than one the critic told: 1 waits for all rewards, 0 for one."""
    reward_scale: float = 1.0
    """Rewards are multiplied by it; returns should be of the order of 1."""
    normalize_rewards: bool = False
    """Divide rewards by the running standard deviation of the discounted return, and bound them by 10."""
    normalize_observations: bool = True
    """With Box actions: read observations less their running mean, by their running standard deviation."""
    noise_start: float = 1.0
    """With Box actions: standard deviation at first, where the action's range is 2; from there it is learned."""
    epochs: int = 4
    """Times each step is learned from."""
    batch_size: int = 512
    """Steps per gradient."""
    clip: float = 0.2
    """Relative change of an action's probability beyond which a gain counts no further."""
    value_clip: float = 0.0
    """Change of a value, after `reward_scale`, beyond which a gain counts no further; 0: never."""
    value_weight: float = 0.5
    """Of the critic's loss."""
    entropy_weight: float = 0.01
    """Of the policy's entropy, in nats, which is rewarded."""
    kl_bound: float = 0.0
    """End an update when the policy has moved so far (Kullback-Leibler divergence, in nats); 0: never."""
    rate: float = 3e-4
    """Adam's learning rate."""
    final_rate: float = 0.0
    """The learning rate falls linearly to this fraction of itself."""
    gradient_bound: float = 0.5
    """Largest norm of a gradient; longer ones are shortened. 0: any."""
    temperature: float = 0.0
    """Of the finished policy, with Discrete actions: 0 takes the likeliest, 1 draws by the probabilities, more is more
    random."""
    device: str = "cpu"
    """Where the network computes: cpu, cuda, cuda:1, mps. A GPU pays from networks of the published widths on."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        rules: Rules = (
            ("rollout_steps epochs", lambda v: v >= 1, "at least 1"),
            ("value_clip value_weight entropy_weight kl_bound gradient_bound temperature", lambda v: v >= 0,
             "at least 0"),
            ("width clip rate noise_start", lambda v: v > 0, "more than 0"),
            ("gamma gae_lambda", lambda v: 0 <= v <= 1, "between 0 and 1"),
            ("channels", lambda v: len(v) > 0 and min(v) >= 1, "one or more numbers of at least 1"),
            ("network", lambda v: v in NETWORKS, " or ".join(NETWORKS)),
        )  # fmt: skip
        check_args("ppo", self, rules)

    @property
    def architecture(self) -> Architecture:
        """What reads the observations."""
        return Architecture(self.network, self.width, self.channels, self.activation)


class Categorical:
    """Actions of a `Discrete`: each has a probability, 0 where the mask forbids it; all logarithms are told."""

    normalized: tuple[str, ...] = ()  # columns that its policy could read normalised

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Discrete, args: Args) -> None:
        """Choose among the actions of ``action_space``, whatever is observed."""
        self.space, self.size = action_space, int(action_space.n)
        self.columns = {"legal": ((self.size,), np.bool_), "action": ((), np.int64)}
        self.parameters: list[Tensor] = []

    def see(self, observation: Any, info: Any, count: int) -> dict[str, NDArray[Any]]:
        """Return what ``count`` observations tell of the actions: which are legal."""
        return {"legal": allowed_by(observation, info, (count, self.size))}

    def tell(self, scores: Tensor, columns: Columns) -> Tensor:
        """Return the logarithms of all actions' probabilities, (B, A)."""
        # Not minus infinity, of which the entropy would make 0 times infinity.
        return torch.log_softmax(scores.masked_fill(~columns["legal"], -1e9), dim=1)

    def draw(self, told: NDArray[np.float32], random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return actions (B,) and the logarithms of their probabilities."""
        # The largest of the logarithms, each moved by Gumbel noise, is distributed by the probabilities.
        action = (told + random.gumbel(size=told.shape)).argmax(axis=1)
        return action, told[np.arange(len(action)), action]

    def log_probability(self, told: Tensor, action: Tensor) -> Tensor:
        """Return the logarithms of the probabilities (B,) of actions (B,)."""
        return told.gather(1, action[:, None]).squeeze(1)

    def entropy(self, told: Tensor) -> Tensor:
        """Return the mean entropy, in nats."""
        return -(told.exp() * told).sum(dim=1).mean()

    def to_space(self, action: NDArray[Any]) -> NDArray[Any]:
        """Return what the environments take for actions."""
        return self.space.start + action

    def policy(self, features: Features, layers: Layers, args: Args) -> SoftmaxPolicy:
        """Return what acts by the scores of ``layers``."""
        return SoftmaxPolicy(features, layers, args.activation, self.space, args.temperature)


class Gaussian:
    """Actions of a bounded `Box`: means, which are told, and noise of a learned deviation, the same in all states.

    Here the bounds are -1 and 1. Means and actions may lie beyond; what is executed does not. With a tanh, which
    is flat where the best actions lie, means learned Hopper-v5 much slower.
    """

    normalized = ("numbers",)

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Box, args: Args) -> None:
        """Act in ``action_space`` by what `MlpPolicy` can read.

        Raises:
            TypeError: actions without bounds, observations that are no `Box` or a picture, or another network.
        """
        if not action_space.is_bounded():
            raise TypeError(f"PPO needs Discrete actions or a bounded Box of them, but they are {action_space}.")
        if not isinstance(observation_space, spaces.Box) or len(observation_space.shape) == 3:
            raise TypeError(
                f"With Box actions PPO reads a Box of numbers, but the observations are {observation_space}. "
                "gymnasium.wrappers.FlattenObservation makes one of most others."
            )
        if args.network != "mlp":
            raise TypeError(f"With Box actions PPO reads with network=mlp; {args.network!r} is for Discrete ones.")
        self.space, self.size = action_space, math.prod(action_space.shape)
        self.columns = {"action": ((self.size,), np.float32)}
        self.log_deviation = torch.full((self.size,), math.log(args.noise_start), requires_grad=True)
        self.parameters = [self.log_deviation]

    def see(self, observation: Any, info: Any, count: int) -> dict[str, NDArray[Any]]:
        """Return nothing: all actions are allowed."""
        return {}

    def tell(self, scores: Tensor, columns: Columns) -> Tensor:
        """Return the means, (B, A)."""
        return scores

    def draw(self, told: NDArray[np.float32], random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return actions (B, A) and the logarithms of their densities, (B,)."""
        log_deviation = self.log_deviation.detach().cpu().numpy()
        noise = random.standard_normal(told.shape, np.float32)
        density = -(0.5 * noise**2 + log_deviation + np.float32(LOG_ROOT)).sum(axis=1)
        return told + np.exp(log_deviation) * noise, density

    def log_probability(self, told: Tensor, action: Tensor) -> Tensor:
        """Return the logarithms of the densities (B,) of actions (B, A)."""
        noise = (action - told) * torch.exp(-self.log_deviation)
        return -(0.5 * noise.square() + self.log_deviation + LOG_ROOT).sum(dim=1)

    def entropy(self, told: Tensor) -> Tensor:
        """Return the entropy, in nats."""
        return (self.log_deviation + (0.5 + LOG_ROOT)).sum()

    def to_space(self, action: NDArray[Any]) -> NDArray[Any]:
        """Return what the environments take for actions."""
        return to_bounds(action, self.space)

    def policy(self, features: Features, layers: Layers, args: Args) -> MlpPolicy:
        """Return what acts by the means of ``layers``."""
        return MlpPolicy(layers, args.activation, features.space.shape or (), self.space, "clip")


Distribution = Categorical | Gaussian

#: Kind of action space -> how actions are drawn.
DISTRIBUTIONS: dict[type[spaces.Space[Any]], Callable[..., Distribution]] = {
    spaces.Discrete: Categorical,
    spaces.Box: Gaussian,
}


class Network:
    """Policy and critic: features of the observation, which they share, and layers of their own.

    Of features of each action (`Features.is_per_action`) the policy has one linear layer, the same for all actions, and
    the critic reads those of the first, which tell the state.
    """

    def __init__(self, features: Features, actions: Distribution, args: Args, generator: torch.Generator) -> None:
        """Make fresh parameters; actions start nearly equal, but for features of each action."""
        self.features, self.actions = features, actions
        self.activation = ACTIVATIONS[args.activation]
        sizes = (features.size, *args.hidden_sizes)
        if features.is_per_action:
            # Not near zero: with little to learn from, the features would be the critic's alone, and could die.
            self.policy = make_network((features.size, 1), generator, last=None)
        else:
            self.policy = make_network((*sizes, actions.size), generator)
        self.critic = make_network((*sizes, 1), generator, last=None)
        self.parameters = [*features.parameters(), *self.policy, *self.critic, *actions.parameters]
        features.device = torch.device(args.device)
        move(self.parameters, features.device)

    def tell(self, columns: Columns) -> tuple[Tensor, Tensor]:
        """Return what the distribution tells of the actions, (B, A), and the values, (B,)."""
        features = self.features(columns)
        state = features[:, 0] if self.features.is_per_action else features
        scores = forward(self.policy, features.flatten(0, -2), self.activation).reshape(len(features), -1)
        return self.actions.tell(scores, columns), forward(self.critic, state, self.activation).squeeze(1)


def advantages(
    reward: NDArray[np.float32],
    value: NDArray[np.float32],
    live: NDArray[np.bool_],
    terminated: NDArray[np.bool_],
    gamma: float,
    gae_lambda: float,
) -> NDArray[np.float32]:
    """Return by how much each step turned out better than the critic had told (equation 16 of the paper on GAE).

    After an episode's last step comes a row that is not ``live``, with the value of what was seen last: a termination
    makes that worth nothing, and a truncation does not.

    Args:
        reward: of each step, (T, N).
        value: of what was seen before each step and after the last, (T + 1, N).
        live: where a step was taken, and not an environment reset, (T, N).
        terminated: whether the task ended with the step, (T, N).
        gamma: the discount.
        gae_lambda: by which errors of later steps are discounted further.

    Returns:
        The advantages, (T, N); they mean nothing where ``live`` is false.
    """
    errors = reward + gamma * (value[1:] * ~terminated) - value[:-1]
    result = np.zeros_like(errors)
    after = np.zeros_like(errors[0])
    for t in reversed(range(len(errors))):
        result[t] = errors[t] + gamma * gae_lambda * after
        after = result[t] * live[t]  # nothing flows back through a reset
    return result


class Rollout:
    """What all environments saw and did since the last update: a row per time.

    A row of an environment that is not ``live`` is the end of an episode: what was seen last, with nothing done about
    it.
    """

    def __init__(self, features: Features, actions: Distribution, args: Args) -> None:
        """Allocate the columns."""
        shape = (args.rollout_steps, args.num_envs)
        self.columns: dict[str, NDArray[Any]] = {
            **{
                name: np.empty((*shape, *inner), dtype)
                for name, (inner, dtype) in {**features.columns, **actions.columns}.items()
            },
            "log_probability": np.empty(shape, np.float32),
            "value": np.empty(shape, np.float32),
            "reward": np.empty(shape, np.float32),
            "live": np.empty(shape, np.bool_),
            "terminated": np.empty(shape, np.bool_),
        }
        self.rows = args.rollout_steps
        self.count = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row, by the names of the columns."""
        for name, column in self.columns.items():
            column[self.count] = row[name]
        self.count += 1


class PPO:
    """A run of PPO: call `learn`, take the `policy`; `save` and `load` in between as you like."""

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None) -> None:
        """Make the environments and a fresh network.

        Args:
            env_id: an id whose actions are `Discrete` and whose observations the network can read, or both are a `Box`.
            env_kwargs: keyword arguments of the environment.
            args: the run's arguments.

        Raises:
            TypeError: spaces that PPO cannot use; says which kind is needed.
        """
        self.args = args = args or Args()
        compute_reproducibly()
        self.env_id = env_id
        self.envs = make_envs("PPO", env_id, env_kwargs, args)
        observation_space, action_space = self.envs.single_observation_space, self.envs.single_action_space
        kind = next((kind for kind in DISTRIBUTIONS if isinstance(action_space, kind)), None)
        if kind is None:
            raise TypeError(f"PPO needs Discrete actions or a bounded Box of them, but they are {action_space}.")
        self.actions = DISTRIBUTIONS[kind](observation_space, action_space, args)

        generator = torch.Generator().manual_seed(args.seed)
        self.random = np.random.default_rng((args.seed, 1))  # of actions and the order of batches
        features = make_features(observation_space, args.architecture, generator, self.actions.size)
        self.network = Network(features, self.actions, args, generator)
        self.optimizer = torch.optim.Adam(self.network.parameters, args.rate, eps=1e-5, fused=True)

        self.rollout = Rollout(features, self.actions, args)
        names = self.actions.normalized if args.normalize_observations else ()
        self.normalizers = {name: Normalizer(features.columns[name][0]) for name in names}
        self.returns = Normalizer(())
        self.returned = np.zeros(args.num_envs)  # discounted, in the episodes so far
        self.decisions = 0  # of all environments, those that only reset included
        self.updates = 0
        self.told = dict.fromkeys(METRICS, 0.0)  # of the last update
        self.ended = np.zeros(args.num_envs, np.bool_)  # rows whose next step only resets them
        self.seen: dict[str, NDArray[Any]] = {}  # the current observations, and what is allowed
        self._reset()

    @property
    def step(self) -> int:
        """Environment steps taken so far."""
        return self.decisions

    @property
    def policy(self) -> SoftmaxPolicy | MlpPolicy:
        """The policy as it is now, apart from the learner."""
        arrays = [parameter.detach().cpu().numpy().copy() for parameter in self.network.policy]
        layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        for normalizer in self.normalizers.values():
            layers[0] = normalizer.fold(*layers[0])
        return self.actions.policy(copy.deepcopy(self.network.features), layers, self.args)

    @property
    def metrics(self) -> dict[str, float]:
        """Updates (gradients) so far, and of the last rollout the means of its losses.

        ``kl`` is how far the policy moved, and ``clipped`` the share of steps of which a gain counted no further.
        """
        return {"updates": self.updates, **self.told}

    def learn(self, until: int, on_step: Callable[[int], None] = lambda step: None) -> None:
        """Go on until ``until`` steps have been taken; ``on_step`` is told the number after each decision."""
        while self.step < until:
            self._act()
            on_step(self.step)

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on in environments with other arguments and the same spaces; episodes under way are cut off.

        Args:
            env_kwargs: keyword arguments of the environments from now on, all of them.
        """
        self.envs.close()
        self.envs = make_envs("PPO", self.env_id, env_kwargs, self.args)
        self._cut_off()

    # Acting

    def _act(self) -> None:
        """Let every environment carry out one decision, and learn when there is enough to learn from."""
        told, value = self._tell(self.seen)
        action, log_probability = self.actions.draw(told, self.random)
        observation, reward, terminated, truncated, info = self.envs.step(self.actions.to_space(action))
        self.rollout.add({
            **self.seen,
            "action": action,
            "log_probability": log_probability,
            "value": value,
            "reward": self._scaled(reward),
            "live": ~self.ended,
            "terminated": terminated,
        })  # fmt: skip
        self.ended = terminated | truncated
        self._see(observation, info)
        self.decisions += self.args.num_envs
        self._learn_if_full()

    def _tell(self, seen: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what the distribution tells of the actions, (N, A), and the values, (N,)."""
        with torch.no_grad():
            told, value = self.network.tell(self.network.features.tensors(seen))
        return told.cpu().numpy(), value.cpu().numpy()

    def _scaled(self, reward: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rewards as they are learned from."""
        live = ~self.ended
        self.returned = live * (self.args.gamma * self.returned + reward)
        if self.args.normalize_rewards:
            self.returns.add(self.returned[live])
            reward = np.clip(reward / self.returns.deviation, -REWARD_BOUND, REWARD_BOUND)
        return self.args.reward_scale * reward

    def _reset(self) -> None:
        """Start new episodes everywhere, from seeds that depend on the run's seed and the step alone."""
        self._see(*self.envs.reset(seed=first_seed(self.args.seed, self.decisions)))
        self.ended = np.zeros(self.args.num_envs, np.bool_)
        self.returned = np.zeros(self.args.num_envs)

    def _see(self, observation: Any, info: Any) -> None:
        read, _ = self.network.features.read(observation)
        for name, normalizer in self.normalizers.items():
            normalizer.add(read[name])
            read[name] = normalizer.scale(read[name])
        self.seen = {**read, **self.actions.see(observation, info, self.args.num_envs)}

    # Learning

    def _learn_if_full(self) -> None:
        """Improve policy and critic by what was played, and forget it."""
        args, columns = self.args, self.rollout.columns
        if self.rollout.count < self.rollout.rows:
            return
        self.rollout.count = 0
        live = columns["live"]
        _, last_value = self._tell(self.seen)
        value = np.concatenate((columns["value"], last_value[None]))
        advantage = advantages(columns["reward"], value, live, columns["terminated"], args.gamma, args.gae_lambda)
        places = np.flatnonzero(live)
        if not len(places):
            return
        spread = advantage[live].std()
        columns = {
            **columns,
            "return": advantage + columns["value"],
            "advantage": (advantage - advantage[live].mean()) / (spread + 1e-8),
        }
        flat = self.network.features.tensors(
            {name: column.reshape(live.size, *column.shape[2:]) for name, column in columns.items()}
        )

        self.optimizer.param_groups[0]["lr"] = args.rate * (1.0 - (1.0 - args.final_rate) * self._progress())
        sums, batches = np.zeros(len(METRICS)), 0
        for _ in range(args.epochs):
            order = self.random.permutation(places)
            for batch in np.array_split(order, math.ceil(len(order) / args.batch_size)):
                rows = torch.from_numpy(batch).to(self.network.features.device)
                told = self._update({name: column[rows] for name, column in flat.items()})
                sums, batches = sums + told, batches + 1
            if 0 < args.kl_bound < told[METRICS.index("kl")]:
                break
        self.told = dict(zip(METRICS, (sums / batches).tolist(), strict=True))

    def _update(self, batch: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """Improve the network by one gradient step; return `METRICS`."""
        args, network = self.args, self.network
        told, value = network.tell(batch)
        change = self.actions.log_probability(told, batch["action"]) - batch["log_probability"]
        ratio, advantage = change.exp(), batch["advantage"]
        gain = torch.minimum(ratio * advantage, ratio.clamp(1.0 - args.clip, 1.0 + args.clip) * advantage).mean()
        error = (value - batch["return"]).square()
        if args.value_clip > 0:
            near = batch["value"] + (value - batch["value"]).clamp(-args.value_clip, args.value_clip)
            error = torch.maximum(error, (near - batch["return"]).square())
        value_loss = error.mean()
        entropy = self.actions.entropy(told)
        loss = args.value_weight * value_loss - gain - args.entropy_weight * entropy
        descend(loss, network.parameters, self.optimizer, args.gradient_bound)
        self.updates += 1
        with torch.no_grad():
            kl = (ratio - 1.0 - change).mean()  # unbiased and never negative
            clipped = ((ratio - 1.0).abs() > args.clip).float().mean()
            return torch.stack((-gain, value_loss, entropy, kl, clipped)).cpu().numpy().astype(np.float64)

    def _progress(self) -> float:
        return min(self.step / self.args.steps, 1.0)

    # Keeping

    def save(self, path: str | Path) -> None:
        """Write all that the rest of the run depends on to ``path``, atomically.

        The environments are part of that. Where they cannot be saved, see `save_envs`, new episodes are started now,
        here and in a run that is resumed from ``path``: both then have the same future.
        """
        envs, rollout = save_envs(self.envs), self.rollout
        if envs is None:
            self._cut_off()
        checkpoint = {
            "network": self.network.parameters,
            "optimizer": self.optimizer.state_dict(),
            "rollout": {name: torch.from_numpy(column[: rollout.count]) for name, column in rollout.columns.items()},
            "random": self.random.bit_generator.state,
            "progress": (self.decisions, self.updates, rollout.count, self.told),
            "acting": (self.ended, self.seen, self.returned),
            "normalizers": (self.normalizers, self.returns),
            "envs": envs,
        }
        write_checkpoint(path, self.args, checkpoint)

    def load(self, path: str | Path) -> None:
        """Continue from what `save` wrote. The file holds Python objects: load only what you wrote yourself.

        Raises:
            ValueError: it was written by a run with other arguments; names the first that differs.
        """
        checkpoint = read_checkpoint(path, self.args)
        copy_into(self.network.parameters, checkpoint["network"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        for name, column in checkpoint["rollout"].items():
            self.rollout.columns[name][: len(column)] = column.numpy()
        self.random.bit_generator.state = checkpoint["random"]
        self.decisions, self.updates, self.rollout.count, self.told = checkpoint["progress"]
        self.ended, self.seen, self.returned = checkpoint["acting"]
        self.normalizers, self.returns = checkpoint["normalizers"]
        if checkpoint["envs"] is None:
            self._reset()
        else:
            load_envs(self.envs, checkpoint["envs"])

    def _cut_off(self) -> None:
        """Truncate all episodes and start new ones: a row that is not live tells what the rest was worth."""
        _, value = self._tell(self.seen)
        names = ("action", "log_probability", "reward", "live", "terminated")
        self.rollout.add({**self.seen, **dict.fromkeys(names, False), "value": value})
        self._reset()
        self._learn_if_full()
