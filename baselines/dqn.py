"""Deep Q-learning (Mnih et al. 2015, https://doi.org/10.1038/nature14236), in one file, with what came after it.

A network Q(s, a) learns the return of each action; acting is taking the best of those that are allowed. Added are
double Q-learning (van Hasselt et al. 2015, https://arxiv.org/abs/1509.06461), dueling streams (Wang et al. 2015,
https://arxiv.org/abs/1511.06581), returns over several steps (Hessel et al. 2017, https://arxiv.org/abs/1710.02298),
and on request prioritised replay (Schaul et al. 2015, https://arxiv.org/abs/1511.05952) and values that are told as
probabilities (HL-Gauss; Farebrother et al. 2024, https://arxiv.org/abs/2403.03950). A learner that is shown what to do
(`rlx.baselines.curriculum`) can learn from examples with a margin (Hester et al. 2017,
https://arxiv.org/abs/1704.03732). Reading order: `Args`, `Network`, `spread`, `SumTree`, `Replay`, `DQN`.

A run is a function of its arguments: on one machine it gives the same result bit for bit, also if it was killed and
resumed. Every random number comes from a generator that the learner owns.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from .networks import ACTION_NETWORKS, NETWORKS, Architecture, Columns, Features, make_features
from .policy import QPolicy, Support, allowed_by
from .training import (
    ACTIVATIONS,
    Rules,
    check_args,
    compute_reproducibly,
    copy_into,
    descend,
    first_seed,
    forward,
    hidden,
    load_envs,
    make_envs,
    make_network,
    move,
    read_checkpoint,
    save_envs,
    write_checkpoint,
)


@dataclasses.dataclass(frozen=True)
class Args:
    """The arguments of `DQN`; a step is one step of one environment."""

    steps: int = 500_000
    """Steps of training, over all environments."""
    seed: int = 0
    """Of everything random: network, exploration, replay, environments."""
    num_envs: int = 8
    """Environments stepped together."""
    episode_steps: int = 0
    """Cut training episodes off after so many steps, for more variety; 0 leaves the environment's own horizon."""
    network: str = "mlp"
    """What reads the observations: mlp (any), onehot (integers), categorical, dense or transformer (tile maps),
    fullyconv (pictures, where actions are pixels), or qweb, qweb-alone or qweb-overlap (pages, see learner qweb)."""
    width: float = 1.0
    """Of all but mlp: layers are so many times as wide as published, or 256 in onehot."""
    channels: tuple[int, ...] = (16, 32)
    """Of mlp: channels of the convolutions, 5 x 5 with stride 4, that read a picture; each divides its sides by 4."""
    hidden_sizes: tuple[int, ...] = (256, 256)
    """Width of each layer after that; the last belongs to the streams, of which each has one."""
    activation: str = "relu"
    """Of these layers: relu or tanh."""
    dueling: bool = True
    """Of all but fullyconv and qweb: tell what a state is worth, and what each action adds to it, in two streams."""
    double: bool = True
    """Let the learned network choose the next action, and the target network only tell its value."""
    gamma: float = 0.99
    """Discount per step; 1 where episodes end by themselves."""
    n_steps: int = 3
    """Rewards that are seen before the target network tells the rest."""
    bins: int = 0
    """Tell a value as probabilities of so many intervals (HL-Gauss; 51 or more), not as a number; 0: as a number."""
    value_low: float = -1.0
    """Where the intervals begin: values, after `reward_scale`, that are less cannot be told."""
    value_high: float = 1.0
    """Where they end; leave a few intervals beyond the best value."""
    smoothing: float = 0.75
    """Standard deviation of the normal distribution that stands for a value, in intervals."""
    error_bound: float = 1.0
    """Beyond it errors count linearly (Huber), so that rare disasters do not drown the rest; 0: never."""
    reward_scale: float = 1.0
    """Rewards are multiplied by it."""
    batch_size: int = 64
    """Transitions per update."""
    replay_size: int = 100_000
    """Steps remembered; the oldest go first."""
    priority_exponent: float = 0.0
    """Draw transitions in proportion to this power of their last error; 0 draws uniformly."""
    priority_correction: float = 0.4
    """Power of the weights that make up for it, at first; it rises linearly to 1."""
    update_ratio: float = 0.25
    """Updates per step of one environment; with 8 environments, 0.25 is two updates each time all have moved."""
    warmup: int = 1_000
    """Steps with uniformly random actions before the first update."""
    rate: float = 1e-3
    """Adam's learning rate."""
    final_rate: float = 0.1
    """The learning rate falls linearly to this fraction of itself."""
    gradient_bound: float = 10.0
    """Largest norm of a gradient; longer ones are shortened. 0: any."""
    tau: float = 0.005
    """How far the target network moves towards the learned one per update."""
    epsilon_start: float = 1.0
    """Probability of a random action at first."""
    epsilon_end: float = 0.05
    """And from `epsilon_fraction` of the steps on; between, it falls linearly."""
    epsilon_fraction: float = 0.2
    """Fraction of the steps over which it falls."""
    margin: float = 0.0
    """Actions that were shown (see `qweb`) are to be worth so much more than any other; 0: that does not matter."""
    margin_weight: float = 1.0
    """How much that matters beside the errors of values."""
    device: str = "cpu"
    """Where the network computes: cpu, cuda, cuda:1, mps. A GPU pays where a network is large."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        rules: Rules = (
            ("n_steps", lambda v: v >= 1, "at least 1"),
            ("bins priority_exponent gradient_bound margin margin_weight", lambda v: v >= 0, "at least 0"),
            ("bins", lambda v: v != 1, "0, or at least 2"),
            ("value_high", lambda v: v > self.value_low, f"more than value_low = {self.value_low!r}"),
            ("rate smoothing width", lambda v: v > 0, "more than 0"),
            ("epsilon_start epsilon_end gamma priority_correction", lambda v: 0 <= v <= 1, "between 0 and 1"),
            ("epsilon_fraction", lambda v: 0 < v <= 1, "more than 0 and at most 1"),
            ("channels", lambda v: len(v) > 0 and min(v) >= 1, "one or more numbers of at least 1"),
            ("network", lambda v: v in NETWORKS | ACTION_NETWORKS, " or ".join(NETWORKS | ACTION_NETWORKS)),
        )
        check_args("dqn", self, rules)

    @property
    def architecture(self) -> Architecture:
        """What reads the observations."""
        return Architecture(self.network, self.width, self.channels, self.activation)

    @property
    def support(self) -> Support:
        """The intervals of values."""
        return Support(self.value_low, self.value_high, self.bins)


class Network:
    """Q(s, a) for all actions a at once.

    The features of the observation go through the hidden layers of the ``trunk`` and then through those of the stream
    ``advantages``: a column per action. With dueling, their mean is replaced by what the stream ``values`` tells. With
    bins, a column is the logarithms of probabilities, up to a constant, and Q is their mean over the intervals'
    middles. Features of each action (`Features.is_per_action`) have one linear layer, the same for all actions.
    """

    def __init__(self, features: Features, actions: int, args: Args, generator: torch.Generator) -> None:
        """Make fresh parameters of all that comes after the features."""
        self.features = features
        self.activation = ACTIVATIONS[args.activation]
        self.support = args.support
        self.centers = torch.from_numpy(self.support.centers)
        cells = max(args.bins, 1)
        if features.is_per_action:
            self.parts = {"trunk": [], "advantages": make_network((features.size, cells), generator, last=None)}
        else:
            *trunk, last = (features.size, *args.hidden_sizes)
            self.parts = {"trunk": make_network(trunk, generator, last=None)}
            self.parts["advantages"] = make_network((trunk[-1], last, actions * cells), generator)
            if args.dueling:
                self.parts["values"] = make_network((trunk[-1], last, cells), generator)
        self.parameters = [*features.parameters(), *(parameter for part in self.parts.values() for parameter in part)]
        features.device = torch.device(args.device)
        move((*self.parameters, self.centers), features.device)

    def tell(self, columns: Columns) -> Tensor:
        """Return the last layer's columns, shape (B, A, bins or 1), of what the features read of B observations."""
        x = hidden(self.parts["trunk"], self.features(columns), self.activation)
        told = self._stream("advantages", x)
        if "values" in self.parts:
            told = told - told.mean(dim=1, keepdim=True) + self._stream("values", x)
        return told

    def values(self, told: Tensor) -> Tensor:
        """Return Q of what `tell` returned, or of a part of it: one axis less."""
        return torch.softmax(told, dim=-1) @ self.centers if self.support.bins else told.squeeze(-1)

    def _stream(self, name: str, x: Tensor) -> Tensor:
        told = forward(self.parts[name], x.flatten(0, -2), self.activation)
        return told.reshape(len(x), -1, max(self.support.bins, 1))


def spread(values: Tensor, support: Support, smoothing: float) -> Tensor:
    """Return the probabilities (B, bins) that stand for values (B,): a normal distribution's, cut off at the ends.

    HL-Gauss of Farebrother et al. 2024; ``smoothing`` is the standard deviation in intervals.
    """
    edges = torch.from_numpy(support.edges).to(values.device)
    deviation = smoothing * (support.high - support.low) / support.bins
    values = values.clamp(support.low, support.high)
    cumulative = torch.erf((edges - values[:, None]) / (2.0**0.5 * deviation))
    mass = cumulative.diff(dim=1)
    return mass / mass.sum(dim=1, keepdim=True)


class SumTree:
    """Weights of places, any of which is drawn in proportion to its weight, in time that grows with their logarithm."""

    def __init__(self, places: int) -> None:
        """Weigh ``places`` places, all zero."""
        self.leaves = 1 << max(places - 1, 1).bit_length()
        self.sums = np.zeros(2 * self.leaves)  # node k has the children 2 k and 2 k + 1; leaf of place p: leaves + p

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self.sums[1])

    def __getitem__(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the weights of places."""
        return self.sums[self.leaves + places]

    def __setitem__(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        """Change the weights of places."""
        nodes = self.leaves + places
        self.sums[nodes] = weights
        while nodes[0] > 1:
            nodes = nodes // 2
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]

    def find(self, marks: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the places where the running sum of weights passes the marks, each in [0, total)."""
        nodes = np.ones(len(marks), np.int64)
        for _ in range(self.leaves.bit_length() - 1):
            nodes = 2 * nodes
            left = self.sums[nodes]
            goes_right = (marks >= left) & (self.sums[nodes + 1] > 0)  # never, by rounding, where nothing weighs
            marks = np.where(goes_right, marks - left, marks)
            nodes += goes_right
        return nodes - self.leaves


class Choice(NamedTuple):
    """What is done in N environments, and what is to be learned from it; all of shape (N,)."""

    action: NDArray[np.int64]
    """The actions' indices."""
    live: NDArray[np.bool_]
    """Whether there is anything to be learned from it."""
    example: NDArray[np.bool_]
    """Whether somebody who knows has chosen it."""


class Batch(NamedTuple):
    """Transitions over up to ``n_steps`` steps, B of them."""

    places: NDArray[np.int64]
    """Where they begin in the replay."""
    weight: Tensor
    """In the loss, (B,)."""
    state: dict[str, Tensor]
    """The columns of the features."""
    action: Tensor
    """Index of the first action, (B, 1)."""
    reward: Tensor
    """Discounted sum of the rewards, (B,)."""
    discount: Tensor
    """Of what comes after, (B,): gamma to the power of the number of steps; 0 after a termination."""
    next_state: dict[str, Tensor]
    next_legal: Tensor
    """Which actions are allowed there, (B, A)."""
    legal: Tensor
    """Which were allowed at first, (B, A)."""
    is_example: Tensor
    """Whether the first action was shown, (B,)."""


class Replay:
    """The last steps of all environments: row t is what they saw and did at one time, so that nothing is kept twice.

    A row of an environment that is not ``live`` is the end of an episode: what was seen last, with nothing done about
    it. A transition begins at a live row whose next ``n_steps`` rows are there, and stops short at the episode's end.
    """

    def __init__(self, features: Features, actions: int, args: Args) -> None:
        """Allocate the columns; the system hands out their memory as they fill."""
        self.args, self.features = args, features
        self.rows = max(args.replay_size // args.num_envs, args.n_steps + 2)
        shape = (self.rows, args.num_envs)
        self.columns: dict[str, NDArray[Any]] = {
            **{name: np.empty((*shape, *inner), dtype) for name, (inner, dtype) in features.columns.items()},
            "legal": np.empty((*shape, actions), np.bool_),
            "action": np.empty(shape, np.int64),
            "reward": np.empty(shape, np.float32),
            "live": np.empty(shape, np.bool_),
            "example": np.empty(shape, np.bool_),
            "terminated": np.empty(shape, np.bool_),
        }
        self.count = 0  # rows ever added
        self.weights = SumTree(self.rows * args.num_envs)  # zero where no transition can begin
        self.highest = 1.0  # weight of transitions whose error is not known yet

    def add(self, row: Mapping[str, NDArray[Any]]) -> None:
        """Append a row, by the names of the columns."""
        now = self.count % self.rows
        for name, column in self.columns.items():
            column[now] = row[name]
        self.count += 1
        n, every = self.args.num_envs, np.arange(self.args.num_envs)
        self.weights[now * n + every] = np.zeros(n)  # what began here is forgotten
        if self.count > self.args.n_steps:
            ready = (now - self.args.n_steps) % self.rows
            self.weights[ready * n + every] = self.highest * self.columns["live"][ready]

    def sample(self, correction: float, random: np.random.Generator) -> Batch:
        """Return a batch of transitions, drawn by weight, one from each of ``batch_size`` equal parts of the total."""
        args, columns, size = self.args, self.columns, self.args.batch_size
        places = self.weights.find((np.arange(size) + random.random(size)) / size * self.weights.total)
        weights = self.weights[places]
        row, env = np.divmod(places, args.num_envs)
        rows = (row[:, None] + np.arange(args.n_steps)) % self.rows
        live = np.logical_and.accumulate(columns["live"][rows, env[:, None]], axis=1)
        steps = live.sum(axis=1)
        discounts = args.gamma ** np.arange(args.n_steps + 1)
        reward = (discounts[:-1] * live * columns["reward"][rows, env[:, None]]).sum(axis=1)
        after = (row + steps) % self.rows
        discount = discounts[steps] * ~columns["terminated"][after - 1, env]
        return Batch(
            places,
            self._tensor((weights / weights.min()) ** -correction).float(),
            self._state(row, env),
            self._tensor(columns["action"][row, env])[:, None],
            self._tensor(reward).float(),
            self._tensor(discount).float(),
            self._state(after, env),
            self._tensor(columns["legal"][after, env]),
            self._tensor(columns["legal"][row, env]),
            self._tensor(columns["example"][row, env]),
        )

    def weigh(self, places: NDArray[np.int64], errors: NDArray[np.float32]) -> None:
        """Let transitions be drawn by the errors that have just been found in them."""
        weights = (np.abs(errors).astype(np.float64) + 1e-6) ** self.args.priority_exponent
        self.highest = max(self.highest, float(weights.max()))
        self.weights[places] = weights

    def _state(self, row: NDArray[np.int64], env: NDArray[np.int64]) -> dict[str, Tensor]:
        return self.features.tensors({name: self.columns[name][row, env] for name in self.features.columns})

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self.features.device)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return min(self.count, self.rows)


class DQN:
    """A run of DQN: call `learn`, take the `policy`; `save` and `load` in between as you like."""

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None) -> None:
        """Make the environments and a fresh network.

        Args:
            env_id: an id whose actions are `Discrete` and whose observations the network can read.
            env_kwargs: keyword arguments of the environment.
            args: the run's arguments.

        Raises:
            TypeError: spaces that DQN cannot use; says which kind is needed.
        """
        self.args = args = args or Args()
        compute_reproducibly()
        self.env_id = env_id
        self.envs = make_envs("DQN", env_id, env_kwargs, args)
        action_space = self.envs.single_action_space
        if not isinstance(action_space, spaces.Discrete):
            raise TypeError(f"DQN needs Discrete actions, but those of {env_id} are {action_space}.")
        self.action_space, self.actions = action_space, int(action_space.n)

        space = self.envs.single_observation_space
        generator = torch.Generator().manual_seed(args.seed)
        self.random = np.random.default_rng((args.seed, 1))  # of exploration and replay
        self.network, self.target = (
            Network(make_features(space, args.architecture, generator, self.actions), self.actions, args, generator)
            for _ in range(2)
        )
        copy_into(self.target.parameters, self.network.parameters)
        self.optimizer = torch.optim.Adam(self.network.parameters, args.rate, fused=True)

        self.replay = Replay(self.network.features, self.actions, args)
        self.decisions = 0  # of all environments, those that only reset included
        self.updates = 0
        self.loss = self.value = torch.zeros(())  # of the last update
        self.ended = np.zeros(args.num_envs, np.bool_)  # rows whose next step only resets them
        self.seen: dict[str, NDArray[Any]] = {}  # the current observations, and what is legal
        self._reset()

    @property
    def step(self) -> int:
        """Environment steps taken so far."""
        return self.decisions

    @property
    def policy(self) -> QPolicy:
        """The network as it is now, as a policy of its own."""
        parts = {}
        for name, part in self.network.parts.items():
            arrays = [parameter.detach().cpu().numpy().copy() for parameter in part]
            parts[name] = list(zip(arrays[::2], arrays[1::2], strict=True))
        features = copy.deepcopy(self.network.features)
        return QPolicy(parts, self.args.activation, features, self.action_space, self.args.support)

    @property
    def metrics(self) -> dict[str, float]:
        """Updates so far, and of the last one the loss and the mean value of the batch."""
        return {"updates": self.updates, "loss": self.loss.item(), "value": self.value.item()}

    def learn(self, until: int, on_step: Callable[[int], None] = lambda step: None) -> None:
        """Go on until ``until`` steps have been taken; ``on_step`` is told the number after each decision."""
        args = self.args
        while self.step < until:
            self._act()
            if self.decisions > args.warmup and self.replay.weights.total > 0:
                self.optimizer.param_groups[0]["lr"] = args.rate * (1.0 - (1.0 - args.final_rate) * self._progress())
                for _ in range(int((self.decisions - args.warmup) * args.update_ratio) - self.updates):
                    self._update()
            on_step(self.step)

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on in environments with other arguments and the same spaces; episodes under way are cut off.

        Args:
            env_kwargs: keyword arguments of the environments from now on, all of them.
        """
        self.envs.close()
        self.envs = make_envs("DQN", self.env_id, env_kwargs, self.args)
        self._cut_off()

    # Acting

    def _act(self) -> None:
        """Let every environment carry out one decision, and remember what came of it."""
        choice = self._choose()
        observation, reward, terminated, truncated, info = self.envs.step(self.action_space.start + choice.action)
        self.replay.add({
            **self.seen,
            **choice._asdict(),
            "reward": self.args.reward_scale * reward,
            "terminated": terminated,
        })  # fmt: skip
        self.ended = terminated | truncated
        self._see(observation, info)
        self.decisions += self.args.num_envs

    def _choose(self) -> Choice:
        """Choose the next actions; a learner that shares its episodes with others may override this."""
        return Choice(self._explore(), ~self.ended, np.zeros(self.args.num_envs, np.bool_))

    def _explore(self) -> NDArray[np.int64]:
        """Return the next actions' indices, shape (N,)."""
        args, allowed = self.args, self.seen["legal"]
        falling = min(self._progress() / args.epsilon_fraction, 1.0)
        epsilon = args.epsilon_start + falling * (args.epsilon_end - args.epsilon_start)
        if self.decisions < args.warmup:
            epsilon = 1.0
        lots = self.random.random((args.num_envs, 1 + self.actions))  # whether to explore, and where to
        anything = np.where(allowed, lots[:, 1:], -1.0).argmax(axis=1)
        return np.asarray(np.where(lots[:, 0] < epsilon, anything, self.best(self.seen)))

    def best(self, seen: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Return the indices of the best actions, (N,), in what N environments show, see `seen`."""
        with torch.no_grad():
            values = self.network.values(self.network.tell(self.network.features.tensors(seen))).cpu().numpy()
        return np.asarray(np.where(seen["legal"], values, -np.inf).argmax(axis=1))

    def _reset(self) -> None:
        """Start new episodes everywhere, from seeds that depend on the run's seed and the step alone."""
        self._see(*self.envs.reset(seed=first_seed(self.args.seed, self.decisions)))
        self.ended = np.zeros(self.args.num_envs, np.bool_)

    def _see(self, observation: Any, info: Any) -> None:
        read, _ = self.network.features.read(observation)
        self.seen = {**read, "legal": allowed_by(observation, info, (self.args.num_envs, self.actions))}

    def _progress(self) -> float:
        return min(self.step / self.args.steps, 1.0)

    # Learning

    def _update(self) -> None:
        """Improve the network by one gradient step."""
        args, network = self.args, self.network
        correction = args.priority_correction + self._progress() * (1.0 - args.priority_correction)
        batch = self.replay.sample(correction, self.random)

        with torch.no_grad():
            next_values = self.target.values(self.target.tell(batch.next_state))
            judged = network.values(network.tell(batch.next_state)) if args.double else next_values
            best = judged.masked_fill(~batch.next_legal, -math.inf).argmax(dim=1, keepdim=True)
            target = batch.reward + batch.discount * next_values.gather(1, best).squeeze(1)
        every = network.tell(batch.state)
        told = every.gather(1, batch.action[:, :, None].expand(-1, -1, every.shape[2])).squeeze(1)
        value = network.values(told)
        if args.bins:
            losses = -(spread(target, args.support, args.smoothing) * torch.log_softmax(told, dim=1)).sum(dim=1)
        else:
            delta = args.error_bound or math.inf
            losses = 2.0 * torch.nn.functional.huber_loss(value, target, reduction="none", delta=delta)
        if args.margin > 0:
            rivals = network.values(every).masked_fill(~batch.legal, -math.inf) + args.margin
            highest = rivals.scatter(1, batch.action, value[:, None]).amax(dim=1)
            losses = losses + args.margin_weight * batch.is_example * (highest - value)
        self.loss = (batch.weight * losses).mean()
        self.value = value.mean()
        descend(self.loss, network.parameters, self.optimizer, args.gradient_bound)
        if args.priority_exponent > 0:
            self.replay.weigh(batch.places, (target - value).detach().cpu().numpy())

        with torch.no_grad():
            torch._foreach_lerp_(self.target.parameters, network.parameters, args.tau)
        self.updates += 1

    # Keeping

    def save(self, path: str | Path) -> None:
        """Write all that the rest of the run depends on to ``path``, atomically.

        The environments are part of that. Where they cannot be saved, see `save_envs`, new episodes are started now,
        here and in a run that is resumed from ``path``: both then have the same future.
        """
        write_checkpoint(path, self.args, self._state())

    def load(self, path: str | Path) -> None:
        """Continue from what `save` wrote. The file holds Python objects: load only what you wrote yourself.

        Raises:
            ValueError: it was written by a run with other arguments; names the first that differs.
        """
        self._restore(read_checkpoint(path, self.args))

    def _state(self) -> dict[str, Any]:
        """Return all that the rest of the run depends on, see `save`."""
        envs, replay = save_envs(self.envs), self.replay
        if envs is None:
            self._cut_off()
        return {
            "networks": [self.network.parameters, self.target.parameters],
            "optimizer": self.optimizer.state_dict(),
            "replay": {name: torch.from_numpy(column[: len(replay)]) for name, column in replay.columns.items()},
            "weights": (replay.count, replay.highest, torch.from_numpy(replay.weights.sums)),
            "random": self.random.bit_generator.state,
            "progress": (self.decisions, self.updates, self.loss.item(), self.value.item()),
            "acting": (self.ended, self.seen),
            "envs": envs,
        }

    def _restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue from what `_state` returned."""
        for network, saved in zip((self.network, self.target), checkpoint["networks"], strict=True):
            copy_into(network.parameters, saved)
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.replay.count, self.replay.highest, sums = checkpoint["weights"]
        self.replay.weights.sums = sums.numpy()
        for name, column in checkpoint["replay"].items():
            self.replay.columns[name][: len(column)] = column.numpy()
        self.random.bit_generator.state = checkpoint["random"]
        self.decisions, self.updates, loss, value = checkpoint["progress"]
        self.loss, self.value = torch.tensor(loss), torch.tensor(value)
        self.ended, self.seen = checkpoint["acting"]
        if checkpoint["envs"] is None:
            self._reset()
        else:
            load_envs(self.envs, checkpoint["envs"])

    def _cut_off(self) -> None:
        """Truncate all episodes and start new ones."""
        nothing = np.zeros(self.args.num_envs, np.bool_)
        self.replay.add({**self.seen, **dict.fromkeys(("action", "reward", "live", "example", "terminated"), nothing)})
        self._reset()
