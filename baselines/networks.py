"""Networks that read observations: all that comes before the hidden layers of a learner.

"mlp" reads any observation that `Inputs` can: numbers as they are, pictures through convolutions. "onehot" reads
integers that stand for choices, and is the fastest way to learn from maps of tiles. "fullyconv" is for actions that
point at a pixel, see `rlx.baselines.fullyconv`. The other three read maps of tiles around an actor, and are those of a
family of papers about turn-based games: "categorical" has a number per tile (Sestini et al. 2019,
https://arxiv.org/abs/2012.01914), "dense" a kind and attributes per tile, and "transformer" a list of entities beside
the maps (both Sestini et al. 2020, https://arxiv.org/abs/2012.03532). They have no recurrent part: where the first
paper has an LSTM of 256 units there is a layer of 256. How many values an integer can have follows from the bounds of
the observation space.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from .observations import MASK, Inputs

MAPS = ("global", "local5", "local3")  # names of the maps, from far to near
CONVOLVED, FEATURES = 64, 256  # published widths: of the second convolution, and of the layers after all maps

_ADVICE = "Choose what the environment observes accordingly, or network=mlp."

Columns = Mapping[str, Tensor]  # what is kept of B observations, by name


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Which network reads the observations, and how large it is."""

    network: str = "mlp"
    """A name in `NETWORKS`."""
    width: float = 1.0
    """Of all but "mlp": layers are so many times as wide as published, or 256 in "onehot"."""
    channels: tuple[int, ...] = (16, 32)
    """Of "mlp": channels of the convolutions, 5 x 5 with stride 4, that read a picture."""
    activation: str = "relu"
    """Of "mlp": after each convolution, relu or tanh."""

    def scaled(self, size: int) -> int:
        """Return the width of a layer that is published with ``size``, an even number."""
        return 2 * max(1, round(self.width * size / 2))


class Features(nn.Module):
    """Makes features (B, size) of observations. What it reads of them are its columns, by name."""

    space: spaces.Space[Any]
    architecture: Architecture
    is_per_action = False  # whether there are features of each action: (B, actions, size)
    actions = 0  # how many actions that tells apart; 0: any number
    device = torch.device("cpu")  # where it computes
    gain = 1.0  # times 1/sqrt(inputs): bound of the first parameters of a layer
    deviation = 1.0  # of the first parameters of embeddings

    def __init__(self, columns: Mapping[str, tuple[tuple[int, ...], Any]], size: int) -> None:
        """Say what is read and what comes out.

        Args:
            columns: name -> shape and dtype of what is kept of one observation.
            size: features per observation.
        """
        super().__init__()
        self.columns, self.size = columns, size

    def read(self, observation: Any) -> tuple[dict[str, NDArray[Any]], tuple[int, ...]]:
        """Read one observation, or a batch of them.

        Returns:
            The columns (N, ...), and the shape of the batch: () for one observation, for which N is 1.
        """
        read, batch = {}, ()
        for name, (shape, dtype) in self.columns.items():
            values = np.ascontiguousarray(observation[name], dtype)
            batch = values.shape[: values.ndim - len(shape)]
            read[name] = values.reshape(-1, *shape)
        return read, batch

    def evaluate(self, observation: Any) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """Return the features (N, size) of one observation or a batch, and the shape of the batch."""
        read, batch = self.read(observation)
        with torch.no_grad():
            return self(self.tensors(read)).cpu().numpy(), batch

    def tensors(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
        """Return arrays by name as tensors where the network computes."""
        return {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}


class Flat(Features):
    """The network "mlp": numbers as they are, and what convolutions leave of each picture."""

    def __init__(self, space: spaces.Space[Any], architecture: Architecture) -> None:
        """Read any observation that `Inputs` can.

        Raises:
            TypeError: a space that it cannot read.
        """
        self.inputs = inputs = Inputs.of(space)
        columns = {"numbers": ((inputs.width,), np.float32), "pictures": ((inputs.picture_width,), np.float16)}
        size = inputs.width
        convolutions = []
        for depth, height, width in inputs.pictures:
            layers: list[nn.Module] = []
            for outputs in architecture.channels:
                layers.append(nn.Conv2d(depth, outputs, 5, stride=4, padding=2))
                layers.append(nn.ReLU() if architecture.activation == "relu" else nn.Tanh())
                depth, height, width = outputs, -(-height // 4), -(-width // 4)
            convolutions.append(nn.Sequential(*layers))
            size += depth * height * width
        super().__init__(columns, size)
        self.convolutions = nn.ModuleList(convolutions)

    def read(self, observation: Any) -> tuple[dict[str, NDArray[Any]], tuple[int, ...]]:
        """Read one observation, or a batch of them, as `Features.read` says."""
        numbers, pictures, batch = self.inputs.read(observation)
        return {"numbers": numbers, "pictures": pictures}, batch

    def forward(self, columns: Columns) -> Tensor:
        """Return the features (B, size)."""
        parts, place = [columns["numbers"]], 0
        for convolutions, shape in zip(self.convolutions, self.inputs.pictures, strict=True):
            end = place + math.prod(shape)
            picture = columns["pictures"][:, place:end].float().reshape(-1, *shape)
            parts.append(convolutions(picture).flatten(1))
            place = end
        return torch.cat(parts, dim=1)


class OneHot(Features):
    """The network "onehot": one layer that reads each integer of a `Dict` as a choice, told one-hot.

    Each value that an integer can have at its place has a row in a table, and the layer is the sum of these rows. That
    is several times faster than the convolutions of the networks of maps.
    """

    most = 1_000  # values of an integer that stands for a choice

    def __init__(self, space: spaces.Space[Any], architecture: Architecture) -> None:
        """Read all entries of ``space`` but "action_mask".

        Raises:
            TypeError: it is no `Dict`, or an entry is not a `Box` of integers with few values.
        """
        there: Mapping[str, Any] = space.spaces if isinstance(space, spaces.Dict) else {"": space}
        boxes: dict[str, spaces.Box] = {}
        for name, box in there.items():
            if name == MASK:
                continue
            is_integer = isinstance(box, spaces.Box) and np.issubdtype(box.dtype, np.integer)
            if not (name and is_integer and float(box.high.max()) - float(box.low.min()) < self.most):
                raise TypeError(
                    f"The network 'onehot' reads a Dict of Boxes of integers with fewer than {self.most} values, but "
                    f"{name or 'the observation'!r} is {box}. {_ADVICE}"
                )
            boxes[name] = box
        low, high = (
            np.concatenate([getattr(box, bound).ravel() for box in boxes.values()]).astype(np.int32)
            for bound in ("low", "high")
        )
        sizes = high - low + 1
        super().__init__({"numbers": ((len(sizes),), np.int32)}, architecture.scaled(FEATURES))
        self.names, self.axes = tuple(boxes), next(iter(boxes.values())).high.ndim  # of the first
        self.starts = (sizes.cumsum() - sizes - low).astype(np.int32)
        self.deviation = len(sizes) ** -0.5  # so that sums start with the variance 1
        self.table = nn.Embedding(int(sizes.sum()), self.size)

    def read(self, observation: Any) -> tuple[dict[str, NDArray[Any]], tuple[int, ...]]:
        """Read one observation, or a batch of them, as `Features.read` says."""
        arrays = [np.asarray(observation[name]) for name in self.names]
        batch = arrays[0].shape[: arrays[0].ndim - self.axes]
        numbers = [array.reshape(math.prod(batch), -1) for array in arrays]
        return {"numbers": np.concatenate(numbers, axis=1, dtype=np.int32) + self.starts}, batch

    def forward(self, columns: Columns) -> Tensor:
        """Return the features (B, size)."""
        return torch.tanh(nn.functional.embedding_bag(columns["numbers"], self.table.weight, mode="sum"))


class Statistics(nn.Module):
    """Reads vectors of numbers, each of which stands for something, through one table of embeddings and one layer."""

    def __init__(self, boxes: Mapping[str, spaces.Box], embedding: int, outputs: int) -> None:
        """Read the columns named in ``boxes``, end to end."""
        super().__init__()
        self.names = tuple(boxes)
        length = sum(box.shape[0] for box in boxes.values())
        self.embedding = nn.Embedding(max(map(_vocabulary, boxes.values())), embedding)
        self.layer = nn.Linear(length * embedding, outputs)

    def forward(self, columns: Columns) -> Tensor:
        """Return (B, outputs)."""
        numbers = torch.cat([columns[name] for name in self.names], dim=1).long()
        return torch.relu(self.layer(self.embedding(numbers).flatten(1)))


class MapFeatures(Features):
    """What the three networks of tile maps have in common.

    Each map becomes a picture, as the network tells it, and goes through two convolutions, 3 x 3; what comes out,
    joined to the statistics of the actor and of its target, goes through a layer, is joined to the previous action, and
    goes through another.
    """

    #: Entries of the observation -> number of axes.
    entries: dict[str, int]
    #: Whether the last layer is published without an activation.
    is_last_linear = False
    gain = 3.0**0.5  # keeps the variance

    def __init__(
        self,
        boxes: Mapping[str, spaces.Box],
        architecture: Architecture,
        depth: int,
        statistics: Sequence[Statistics],
    ) -> None:
        """Read ``boxes``, of which the maps become pictures with ``depth`` channels."""
        scaled = architecture.scaled
        super().__init__({name: (boxes[name].shape, boxes[name].dtype) for name in self.entries}, scaled(FEATURES))
        self.convolutions = nn.ModuleDict({
            name: nn.Sequential(
                nn.Conv2d(depth, scaled(32), 3, padding="same"),
                nn.ReLU(),
                nn.Conv2d(scaled(32), scaled(CONVOLVED), 3, padding="same"),
                nn.ReLU(),
            )
            for name in MAPS
        })  # fmt: skip
        cells = sum(boxes[name].shape[0] * boxes[name].shape[1] for name in MAPS)
        told = sum(part.layer.out_features for part in statistics)
        self.statistics = nn.ModuleList(statistics)
        self.joint = nn.Linear(cells * scaled(CONVOLVED) + told, scaled(FEATURES))
        self.last = nn.Linear(scaled(FEATURES) + boxes["previous"].shape[0], scaled(FEATURES))

    def forward(self, columns: Columns) -> Tensor:
        """Return the features (B, size)."""
        maps = [
            self.convolutions[name](picture.movedim(3, 1)).flatten(1)
            for name, picture in zip(MAPS, self.pictures(columns), strict=True)
        ]
        x = torch.relu(self.joint(torch.cat([*maps, *(part(columns) for part in self.statistics)], dim=1)))
        x = self.last(torch.cat([x, columns["previous"].float()], dim=1))
        return x if self.is_last_linear else torch.relu(x)

    def pictures(self, columns: Columns) -> list[Tensor]:
        """Return a picture (B, height, width, depth) of each map."""
        raise NotImplementedError


class Categorical(MapFeatures):
    """Maps of one number per tile; the statistics of both actors share a table of embeddings."""

    entries = {**dict.fromkeys(MAPS, 2), "self": 1, "target": 1, "previous": 1}

    def __init__(self, space: spaces.Space[Any], architecture: Architecture) -> None:
        """Read ``space``.

        Raises:
            TypeError: an entry is missing or of another kind.
        """
        scaled, boxes = architecture.scaled, boxes_of(space, architecture.network, self.entries)
        actors = {name: boxes[name] for name in ("self", "target")}
        super().__init__(boxes, architecture, scaled(32), [Statistics(actors, scaled(64), scaled(FEATURES))])
        self.tiles = nn.ModuleDict({name: nn.Embedding(_vocabulary(boxes[name]), scaled(32)) for name in MAPS})

    def pictures(self, columns: Columns) -> list[Tensor]:
        """Return a picture (B, height, width, depth) of each map: the embeddings of its tiles."""
        return [self.tiles[name](columns[name].long()) for name in MAPS]


class Dense(MapFeatures):
    """Maps of several numbers per tile, its kind and its attributes, each of which has embeddings that are summed.

    That is a 1 x 1 convolution of all of them told one-hot.
    """

    entries = {**dict.fromkeys(MAPS, 3), "self": 1, "target": 1, "previous": 1}
    is_last_linear = True

    def __init__(self, space: spaces.Space[Any], architecture: Architecture) -> None:
        """Read ``space``.

        Raises:
            TypeError: an entry is missing or of another kind.
        """
        scaled, boxes = architecture.scaled, boxes_of(space, architecture.network, self.entries)
        super().__init__(boxes, architecture, scaled(32), _actor_statistics(boxes, architecture))
        vocabularies = {name: boxes[name].high.max(axis=(0, 1)).astype(int) + 1 for name in MAPS}
        self.starts = {name: (sizes.cumsum() - sizes).tolist() for name, sizes in vocabularies.items()}
        self.tiles = nn.ModuleDict(
            {name: nn.Embedding(int(sizes.sum()), scaled(32)) for name, sizes in vocabularies.items()}
        )

    def pictures(self, columns: Columns) -> list[Tensor]:
        """Return a picture (B, height, width, depth) of each map: tanh of the sum of the embeddings of each tile."""
        rows = {name: columns[name].long() + torch.tensor(self.starts[name], device=self.device) for name in MAPS}
        return [torch.tanh(self.tiles[name](rows[name]).sum(dim=3)) for name in MAPS]


class Attention(nn.Module):
    """Lets entities attend to each other: two heads, layers normalised before and after, one linear layer at the end.

    The published description leaves open what the normalisations enclose; this is ours.
    """

    heads = 2

    def __init__(self, width: int) -> None:
        """Work on entities of ``width`` numbers each."""
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.questions, self.values, self.mix, self.layer = (nn.Linear(width, width) for _ in range(4))
        self.keys = nn.Linear(width, width, bias=False)  # one would be added to all alike

    def forward(self, entities: Tensor, bias: Tensor) -> Tensor:
        """Return (B, entities, width) for as much; ``bias`` (B, 1, 1, entities) is added to how much each is heeded."""
        x = self.before(entities)
        questions, keys, values = (self._split(part(x)) for part in (self.questions, self.keys, self.values))
        heeded = torch.softmax(questions @ keys.transpose(2, 3) * questions.shape[3] ** -0.5 + bias, dim=3)
        x = entities + self.mix((heeded @ values).transpose(1, 2).flatten(2))
        return self.after(x + self.layer(x))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class Transformer(MapFeatures):
    """Maps of the kind of each tile, to which are added those of the entities that lie there.

    Entities come in lists of as many kinds, padded, with a mask. They attend to each other once per map. Each map has a
    second one with the place of the entity in the lists, counted from 1, by which its numbers are fetched.
    """

    entries = {
        **dict.fromkeys(MAPS, 2),
        **{f"{name}_index": 2 for name in MAPS},
        "entities": 3,
        "entity_mask": 2,
        "self": 1,
        "target": 1,
        "previous": 1,
    }

    def __init__(self, space: spaces.Space[Any], architecture: Architecture) -> None:
        """Read ``space``.

        Raises:
            TypeError: an entry is missing or of another kind.
        """
        scaled, boxes = architecture.scaled, boxes_of(space, architecture.network, self.entries)
        width = scaled(64)
        super().__init__(boxes, architecture, scaled(32) + width, _actor_statistics(boxes, architecture))
        self.tiles = nn.ModuleDict({name: nn.Embedding(_vocabulary(boxes[name]), scaled(32)) for name in MAPS})
        kinds, _, numbers = boxes["entities"].shape
        self.kinds = nn.ModuleList([nn.Linear(numbers, width) for _ in range(kinds)])
        self.attention = nn.ModuleDict({name: Attention(width) for name in MAPS})

    def pictures(self, columns: Columns) -> list[Tensor]:
        """Return a picture (B, height, width, depth) of each map: its tiles' embeddings and its entities' numbers."""
        lists = [torch.tanh(layer(columns["entities"][:, k])) for k, layer in enumerate(self.kinds)]
        entities = torch.cat(lists, dim=1)
        bias = torch.where(columns["entity_mask"].flatten(1)[:, None, None] != 0, 0.0, -1e9)
        pictures = []
        for name in MAPS:
            attended = self.attention[name](entities, bias)
            table = nn.functional.pad(attended, (0, 0, 1, 0))  # place 0: no entity
            first = torch.arange(len(table), device=self.device)[:, None, None] * table.shape[1]
            there = nn.functional.embedding(columns[f"{name}_index"].long() + first, table.flatten(0, 1))
            pictures.append(torch.cat([self.tiles[name](columns[name].long()), there], dim=3))
        return pictures


def _qweb(space: spaces.Space[Any], architecture: Architecture) -> Features:
    from .qweb import QWeb  # which stands on this module

    return QWeb(space, architecture)


def _fullyconv(space: spaces.Space[Any], architecture: Architecture) -> Features:
    from .fullyconv import FullyConv

    return FullyConv(space, architecture)


NETWORKS: dict[str, Callable[[spaces.Space[Any], Architecture], Features]] = {
    "mlp": Flat,
    "onehot": OneHot,
    "categorical": Categorical,
    "dense": Dense,
    "transformer": Transformer,
    "fullyconv": _fullyconv,
}

#: Those whose features are of each action, and none of the state; only `DQN` can use them.
ACTION_NETWORKS: dict[str, Callable[[spaces.Space[Any], Architecture], Features]] = dict.fromkeys(
    ("qweb", "qweb-alone", "qweb-overlap"), _qweb
)


def make_features(
    space: spaces.Space[Any], architecture: Architecture, generator: torch.Generator, actions: int = 0
) -> Features:
    """Make the network of ``architecture`` for observations in ``space``.

    Layers start uniform in +-gain/sqrt(inputs), embeddings normal with the standard deviation that the network names.

    Args:
        space: of one observation.
        architecture: which network, and how large.
        generator: of the first parameters.
        actions: how many there are, if that is known.

    Raises:
        TypeError: a space that it cannot read, or another number of actions than it tells apart; says what suits it.
    """
    features = _empty(space, architecture).to_empty(device="cpu")
    if actions and features.actions not in (0, actions):
        raise TypeError(
            f"The network {architecture.network!r} tells {features.actions} actions apart here, not {actions}. "
            "Choose how the environment acts accordingly, or network=mlp."
        )
    with torch.no_grad():
        for part in features.modules():
            if isinstance(part, nn.Linear | nn.Conv2d):
                bound = features.gain * part.weight[0].numel() ** -0.5
                for parameter in part.parameters():
                    parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1).mul_(bound))
            elif isinstance(part, nn.LSTM):
                for parameter in part.parameters():
                    bound = part.hidden_size**-0.5
                    parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1).mul_(bound))
            elif isinstance(part, nn.Embedding):
                part.weight.copy_(torch.randn(part.weight.shape, generator=generator).mul_(features.deviation))
            elif isinstance(part, nn.LayerNorm):
                part.reset_parameters()
    return features


def load_features(
    space: spaces.Space[Any], architecture: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> Features:
    """Return a network with the parameters in ``arrays``, named as in its ``state_dict``."""
    features = _empty(space, Architecture(**{**architecture, "channels": tuple(architecture["channels"])}))
    features.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()}, assign=True)
    return features


def _empty(space: spaces.Space[Any], architecture: Architecture) -> Features:
    """Return a network without numbers, so that none are drawn from torch's global generator."""
    with torch.device("meta"):
        features = (NETWORKS | ACTION_NETWORKS)[architecture.network](space, architecture)
    features.space, features.architecture = space, architecture
    return features


def boxes_of(space: spaces.Space[Any], network: str, entries: Mapping[str, int]) -> dict[str, spaces.Box]:
    """Return those of ``entries`` (name -> number of axes) that ``network`` reads in ``space``.

    Raises:
        TypeError: an entry is missing or of another kind; says which, and what the network reads.
    """
    there = space.spaces if isinstance(space, spaces.Dict) else {}
    needed = ", ".join(f"{name} ({axes} axes)" for name, axes in entries.items())
    for name, axes in entries.items():
        box = there.get(name)
        if box is None:
            problem = f"this one has no {name!r}: it is a {type(space).__name__} of {', '.join(map(repr, there))}"
        elif not isinstance(box, spaces.Box) or len(box.shape) != axes:
            problem = f"{name!r} of this one is {box}"
        elif name != "entities" and not (np.issubdtype(box.dtype, np.integer) and box.low.min() >= 0):
            problem = f"{name!r} of this one is {box}, which is not made of integers from 0 on"
        else:
            continue
        raise TypeError(
            f"The network {network!r} reads observations with the entries {needed}, but {problem}. {_ADVICE}"
        )
    return {name: there[name] for name in entries}  # type: ignore[misc]


def _vocabulary(box: spaces.Box) -> int:
    return int(box.high.max()) + 1


def _actor_statistics(boxes: Mapping[str, spaces.Box], architecture: Architecture) -> list[Statistics]:
    """Return what reads the actor and its target, a table of embeddings each."""
    size = architecture.scaled(FEATURES)
    return [Statistics({name: boxes[name]}, size, size) for name in ("self", "target")]
