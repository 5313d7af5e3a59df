"""The network "fullyconv": features of each pixel, for actions that point at one.

FullyConv of "StarCraft II: A New Challenge for Reinforcement Learning" (Vinyals et al. 2017,
https://arxiv.org/abs/1708.04782, section 4.3): convolutions keep the size of pictures, so that where to act is chosen
by a 1 x 1 convolution of what they leave, and all that is no place by a layer that reads everything.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from .networks import FEATURES, Architecture, Columns, Features
from .observations import MASK


class Values(nn.Module):
    """Tells the values of a picture's layers: those of few values one-hot, others by log(1 + value)."""

    most = 32  # values of a layer that is told one-hot

    def __init__(self, box: spaces.Box) -> None:
        """Read pictures in ``box`` (layers, height, width), integers from 0 on."""
        super().__init__()
        highest = box.high.max(axis=(1, 2)).astype(int).tolist()
        kinds = [(layer, value) for layer, high in enumerate(highest) if high < self.most for value in range(high + 1)]
        self.layers, self.values = [layer for layer, _ in kinds], [value for _, value in kinds]
        self.amounts = [layer for layer, high in enumerate(highest) if high >= self.most]
        self.depth = len(self.layers) + len(self.amounts)

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, depth, height, width)."""
        values = torch.tensor(self.values, device=picture.device)[:, None, None]
        is_kind = (picture[:, self.layers] == values).float()
        return torch.cat([is_kind, picture[:, self.amounts].float().log1p()], dim=1)


class FullyConv(Features):
    """What two convolutions, 5 x 5 and 3 x 3, leave of pictures at each pixel; actions are none, or a pixel by rows.

    The features of the first action, which points nowhere, are those of the state as well: a layer makes them of all
    pixels and of the entries that are no pictures. These are not told of each pixel, as is published: there they would
    only raise all pixels' features alike.
    """

    is_per_action = True
    gain = 3.0**0.5  # keeps the variance

    def __init__(self, space: spaces.Space[Any], architecture: Architecture) -> None:
        """Read a `Dict` of integers; entries with three axes are pictures (layers, height, width) of one size.

        Raises:
            TypeError: another space, or pictures of several sizes; says what can be read.
        """
        there = space.spaces if isinstance(space, spaces.Dict) else {}
        boxes: dict[str, Any] = {name: box for name, box in there.items() if name != MASK}
        pictures = {name: box for name, box in boxes.items() if len(box.shape or ()) == 3 and box.shape[0]}
        sides = {box.shape[1:] for box in pictures.values()}
        if len(sides) != 1 or not all(map(_counts, boxes.values())):
            raise TypeError(
                "The network 'fullyconv' reads a Dict of Boxes of integers from 0 on, of which those with three axes "
                f"are pictures with the same height and width, but the observation is {space}. Choose what the "
                "environment observes accordingly, or network=mlp."
            )
        pixels = math.prod(sides.pop())
        numbers = {name: box for name, box in boxes.items() if len(box.shape) != 3}
        scaled = architecture.scaled
        first, second, joint = scaled(16), scaled(32), scaled(FEATURES)
        columns = {name: (box.shape, box.dtype) for name, box in (pictures | numbers).items()}
        super().__init__(columns, second * len(pictures))
        self.actions, self.numbers = 1 + pixels, tuple(numbers)
        self.convolutions = nn.ModuleDict()
        for name, box in pictures.items():
            values = Values(box)
            self.convolutions[name] = nn.Sequential(
                values,
                nn.Conv2d(values.depth, first, 5, padding="same"),
                nn.ReLU(),
                nn.Conv2d(first, second, 3, padding="same"),
                nn.ReLU(),
            )
        count = sum(math.prod(box.shape) for box in numbers.values())
        self.joint = nn.Linear(pixels * self.size + count, joint)
        self.first = nn.Linear(joint, self.size)

    def forward(self, columns: Columns) -> Tensor:
        """Return the features (B, 1 + height * width, size)."""
        pixels = torch.cat([read(columns[name]).flatten(2) for name, read in self.convolutions.items()], dim=1)
        numbers = [columns[name].reshape(len(pixels), -1).float().log1p() for name in self.numbers]
        state = torch.relu(self.joint(torch.cat([pixels.flatten(1), *numbers], dim=1)))
        first = torch.relu(self.first(state))
        return torch.cat([first[:, None], pixels.transpose(1, 2)], dim=1)


def _counts(space: spaces.Space[Any]) -> bool:
    """Return whether a space is a box of integers from 0 on."""
    return isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.integer) and bool((space.low >= 0).all())
