"""Behaviour cloning (Pomerleau 1988): a policy that does what a dataset shows, in one file.

Nothing is played while learning: a step is a gradient step on a batch of the dataset, which `rlx record` or anybody
else wrote in the format of Minari. Of `Discrete` actions the logarithm of the probability is raised, among those that
the mask allows; of a `Box`, brought to [-1, 1], the squared distance is lowered, as for a normal distribution of
constant width. Reading order: `Args`, `Choices`, `Amounts`, `Network`, `Table`, `BC`; `rlx.baselines.iql` goes on from
here.

A run is a function of its arguments and of the dataset: on one machine it gives the same result bit for bit, also if it
was killed and resumed.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from .datasets import episodes_of, open_dataset
from .learners import spaces_of
from .networks import NETWORKS, Architecture, Columns, Features, make_features
from .policy import Layers, MlpPolicy, SoftmaxPolicy, allowed_by
from .training import (
    ACTIVATIONS,
    Rules,
    check_args,
    compute_reproducibly,
    copy_into,
    descend,
    forward,
    make_network,
    read_checkpoint,
    write_checkpoint,
)

if TYPE_CHECKING:
    from minari import MinariDataset

READERS = tuple(name for name in NETWORKS if name != "fullyconv")  # which has features of each action


@dataclasses.dataclass(frozen=True)
class Args:
    """The arguments of `BC`; a step is a gradient step."""

    steps: int = 20_000
    """Gradient steps."""
    seed: int = 0
    """Of everything random: network and batches."""
    dataset: str = ""
    """Name or folder of the dataset; `rlx datasets` lists those there are."""
    network: str = "mlp"
    """What reads the observations: mlp (any), onehot (integers), categorical, dense or transformer (tile maps)."""
    width: float = 1.0
    """Of all but mlp: layers are so many times as wide as published, or 256 in onehot."""
    channels: tuple[int, ...] = (16, 32)
    """Of mlp: channels of the convolutions, 5 x 5 with stride 4, that read a picture."""
    hidden_sizes: tuple[int, ...] = (256, 256)
    """Width of each layer after that."""
    activation: str = "relu"
    """Of these layers: relu or tanh."""
    batch_size: int = 256
    """Steps of the dataset per gradient."""
    rate: float = 1e-3
    """Adam's learning rate."""
    final_rate: float = 0.0
    """The learning rate falls linearly to this fraction of itself."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        rules: Rules = (
            ("width rate", lambda v: v > 0, "more than 0"),
            ("channels", lambda v: len(v) > 0 and min(v) >= 1, "one or more numbers of at least 1"),
            ("network", lambda v: v in READERS, " or ".join(READERS)),
        )
        check_args("bc", self, rules)

    @property
    def architecture(self) -> Architecture:
        """What reads the observations."""
        return Architecture(self.network, self.width, self.channels, self.activation)


class Choices:
    """Actions of a `Discrete` space."""

    inputs = 0  # numbers by which a critic is told an action

    def __init__(self, space: spaces.Discrete, observation_space: spaces.Space[Any]) -> None:
        """Take note of the space."""
        self.space, self.outputs = space, int(space.n)
        self.judged = self.outputs  # values that a critic tells

    def read(self, actions: NDArray[Any]) -> Tensor:
        """Return the actions' indices, (T,)."""
        return torch.from_numpy(np.asarray(actions, np.int64) - int(self.space.start))

    def legal(self, observations: Any, infos: Any, rows: int) -> NDArray[np.bool_]:
        """Return what the mask allows in each row, (rows, A)."""
        return allowed_by(observations, infos, (rows, self.outputs))

    def surprise(self, told: Tensor, action: Tensor, legal: Tensor) -> Tensor:
        """Return how far from the actions (B,) a policy is that tells ``told`` (B, A), in nats, (B,)."""
        logits = told.masked_fill(~legal, -torch.inf)
        return -torch.log_softmax(logits, dim=1).gather(1, action[:, None]).squeeze(1)

    def judge(self, critic: Network, state: Columns, action: Tensor) -> Tensor:
        """Return the values of actions, (B,)."""
        return critic(state).gather(1, action[:, None]).squeeze(1)

    def policy(self, features: Features, layers: Layers, activation: str) -> SoftmaxPolicy:
        """Return an actor as a policy of its own, which takes the likeliest action."""
        return SoftmaxPolicy(features, layers, activation, self.space)


class Amounts:
    """Actions of a bounded `Box`, for policies that read a `Box`; they lie in [-1, 1] here."""

    judged = 1

    def __init__(self, space: spaces.Box, observation_space: spaces.Space[Any]) -> None:
        """Take note of the spaces.

        Raises:
            TypeError: actions without bounds, or observations that are no vector.
        """
        if not space.is_bounded():
            raise TypeError(f"The actions are {space}, but a bounded Box is needed.")
        if not isinstance(observation_space, spaces.Box) or len(observation_space.shape) == 3:
            raise TypeError(
                f"With actions in a Box the observations must be a vector, but they are {observation_space}."
            )
        self.space, self.observation_shape = space, observation_space.shape
        self.inputs = self.outputs = int(np.prod(space.shape))

    def read(self, actions: NDArray[Any]) -> Tensor:
        """Return the actions in [-1, 1], (T, A)."""
        low, high = self.space.low.astype(np.float64), self.space.high.astype(np.float64)
        scaled = 2.0 * (actions - low) / (high - low) - 1.0
        return torch.from_numpy(scaled.reshape(len(actions), -1).astype(np.float32))

    def legal(self, observations: Any, infos: Any, rows: int) -> NDArray[np.bool_]:
        """Return nothing in each row: there is no mask, (rows, 0)."""
        return np.ones((rows, 0), np.bool_)

    def surprise(self, told: Tensor, action: Tensor, legal: Tensor) -> Tensor:
        """Return the squared distance of what a policy tells from the actions (B, A), (B,)."""
        return (torch.tanh(told) - action).square().sum(dim=1)

    def judge(self, critic: Network, state: Columns, action: Tensor) -> Tensor:
        """Return the values of actions, (B,)."""
        return critic(state, action).squeeze(1)

    def policy(self, features: Features, layers: Layers, activation: str) -> MlpPolicy:
        """Return an actor as a policy of its own."""
        return MlpPolicy(layers, activation, self.observation_shape, self.space)


#: Kind of action space -> what can be done with its actions.
KINDS: dict[type[spaces.Space[Any]], Callable[..., Choices | Amounts]] = {
    spaces.Box: Amounts,
    spaces.Discrete: Choices,
}


class Network:
    """Features of the observation, and layers after them."""

    def __init__(
        self,
        space: spaces.Space[Any],
        inputs: int,
        outputs: int,
        args: Args,
        generator: torch.Generator,
        last: float | None = None,
    ) -> None:
        """Make fresh parameters.

        Args:
            space: of the observations.
            inputs: numbers that the layers read beside the features.
            outputs: of the last layer.
            args: the run's arguments.
            generator: of the parameters.
            last: bound of the last layer's, see `make_network`.
        """
        self.features = make_features(space, args.architecture, generator)
        self.activation = ACTIVATIONS[args.activation]
        self.layers = make_network((self.features.size + inputs, *args.hidden_sizes, outputs), generator, last)
        self.parameters = [*self.features.parameters(), *self.layers]

    def __call__(self, columns: Columns, *more: Tensor) -> Tensor:
        """Return the outputs (B, outputs) for what the features read, and what the layers read beside them."""
        return forward(self.layers, torch.cat((self.features(columns), *more), dim=1), self.activation)


class Batch(NamedTuple):
    """Steps of a dataset, B of them."""

    state: dict[str, Tensor]
    """The columns of the features."""
    action: Tensor
    """As its kind reads it."""
    reward: Tensor
    """(B,)."""
    goes_on: Tensor
    """1 where the task did not end with the step, else 0, (B,)."""
    next_state: dict[str, Tensor]
    legal: Tensor
    """What the mask allowed, (B, A); of a `Box`, (B, 0)."""


class Table:
    """All of a dataset in memory: a row for each observation, and which of them begin a step."""

    def __init__(self, dataset: MinariDataset, features: Features, kind: Choices | Amounts) -> None:
        """Read the dataset."""
        parts: dict[str, list[Tensor]] = {}
        rows = 0
        for episode in episodes_of(dataset):
            observations, length = episode["observations"], len(episode["rewards"])
            read, _ = features.read(observations)
            columns = {name: torch.from_numpy(column) for name, column in read.items()}
            columns |= {
                "legal": torch.from_numpy(kind.legal(observations, episode["infos"], length + 1)),
                "action": kind.read(episode["actions"]),
                "reward": torch.from_numpy(episode["rewards"].astype(np.float32)),
                "goes_on": torch.from_numpy(~episode["terminations"]).float(),
                "rows": torch.arange(rows, rows + length),
            }
            for name, column in columns.items():
                parts.setdefault(name, []).append(column)
            rows += length + 1
        self.columns = {name: torch.cat(part) for name, part in parts.items()}
        self.names = tuple(features.columns)

    def sample(self, batch_size: int, random: np.random.Generator) -> Batch:
        """Return steps, drawn uniformly with replacement."""
        columns = self.columns
        steps = torch.from_numpy(random.integers(len(self), size=batch_size))
        rows = columns["rows"][steps]
        state, next_state = ({name: columns[name][at] for name in self.names} for at in (rows, rows + 1))
        action, reward, goes_on = (columns[name][steps] for name in ("action", "reward", "goes_on"))
        return Batch(state, action, reward, goes_on, next_state, columns["legal"][rows])

    def __len__(self) -> int:
        """Return how many steps there are."""
        return len(self.columns["rows"])


class BC:
    """A run of behaviour cloning: call `learn`, take the `policy`; `save` and `load` in between as you like."""

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None) -> None:
        """Read the dataset and make a fresh policy.

        Args:
            env_id: the environment that the policy is for; nothing is played.
            env_kwargs: its keyword arguments.
            args: the run's arguments.

        Raises:
            TypeError: spaces that the learner cannot use; says which it can.
            ValueError: there is no such dataset, or its spaces are others than the environment's.
        """
        compute_reproducibly()
        self.args = args = args or Args()
        dataset = open_dataset(args.dataset)
        observations, actions = spaces_of(env_id, env_kwargs or {})
        ours = (("observations", observations, dataset.observation_space), ("actions", actions, dataset.action_space))
        for name, asked, there in ours:
            if asked != there:
                raise ValueError(f"The {name} of {env_id} are {asked}, but in {args.dataset} they are {there}.")
        if type(actions) not in KINDS:
            raise TypeError(f"The actions of {env_id} are {actions}, but a Box or a Discrete is needed.")
        self.kind = KINDS[type(actions)](actions, observations)
        self.observation_space = observations
        self.generator = torch.Generator().manual_seed(args.seed)  # of the networks
        self.random = np.random.default_rng((args.seed, 1))  # of the batches
        self.actor = Network(observations, 0, self.kind.outputs, args, self.generator, last=3e-3)
        self.table = Table(dataset, self.actor.features, self.kind)
        self.step = 0  # gradient steps so far
        self.loss = torch.zeros(())  # of the last one
        self.learned = self.actor.parameters
        self.targets: list[Tensor] = []  # what only follows
        self._make_critics()
        self.optimizer = torch.optim.Adam(self.learned, args.rate, fused=True)

    @property
    def policy(self) -> MlpPolicy | SoftmaxPolicy:
        """The policy as it is now, apart from the learner."""
        arrays = [parameter.detach().numpy().copy() for parameter in self.actor.layers]
        layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        return self.kind.policy(copy.deepcopy(self.actor.features), layers, self.args.activation)

    @property
    def metrics(self) -> dict[str, float]:
        """The loss of the last step."""
        return {"loss": self.loss.item()}

    def learn(self, until: int, on_step: Callable[[int], None] = lambda step: None) -> None:
        """Go on until ``until`` gradient steps have been taken; ``on_step`` is told the number after each."""
        args = self.args
        while self.step < until:
            fraction = 1.0 - (1.0 - args.final_rate) * min(self.step / args.steps, 1.0)
            self.optimizer.param_groups[0]["lr"] = args.rate * fraction
            self.loss = self._loss(self.table.sample(args.batch_size, self.random))
            descend(self.loss, self.learned, self.optimizer)
            self._follow()
            self.step += 1
            on_step(self.step)

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Refuse: a dataset does not change with the environment.

        Raises:
            ValueError: always.
        """
        raise ValueError("What learns from a dataset cannot go on in other environments: it plays in none.")

    def save(self, path: str | Path) -> None:
        """Write all that the rest of the run depends on, but for the dataset, to ``path``, atomically."""
        checkpoint = {
            "parameters": [*self.learned, *self.targets],
            "optimizer": self.optimizer.state_dict(),
            "random": self.random.bit_generator.state,
            "progress": (self.step, self.loss.item()),
        }
        write_checkpoint(path, self.args, checkpoint)

    def load(self, path: str | Path) -> None:
        """Continue from what `save` wrote. The file holds Python objects: load only what you wrote yourself.

        Raises:
            ValueError: it was written by a run with other arguments; names the first that differs.
        """
        checkpoint = read_checkpoint(path, self.args)
        copy_into([*self.learned, *self.targets], checkpoint["parameters"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.random.bit_generator.state = checkpoint["random"]
        self.step, loss = checkpoint["progress"]
        self.loss = torch.tensor(loss)

    # What a learner that judges actions adds

    def _make_critics(self) -> None:
        """Add what is learned beside the policy: nothing."""

    def _loss(self, batch: Batch) -> Tensor:
        """Return what is to be made small."""
        return self.kind.surprise(self.actor(batch.state), batch.action, batch.legal).mean()

    def _follow(self) -> None:
        """Let what only follows the learned parameters do so: nothing."""
