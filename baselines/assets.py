"""The network "assets" of `DDPG`: one opinion of each asset, formed in the same way, and weights made of all of them.

The idea is that of the ensemble of identical independent evaluators (Jiang, Xu and Liang 2017,
https://arxiv.org/abs/1706.10059): a network that is shared gives every asset a score, by what that asset did, and a
softmax turns the scores into weights. So every day teaches as many lessons as there are assets, and no asset is good
because of its name. Where names do matter, "named-assets" knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from .policy import RETURN_SCALE, SCORE_SCALE, AssetsPolicy
from .training import ACTIVATIONS, forward, hidden, make_network

ENTRIES = ("returns", "weights", "tradable", "conditions", "features")  # what is read; the last where it is there


class Assets:
    """Reads the log returns of N assets on the last W days, and what is held of them; acts by weights, cash last.

    Of each asset one sees its own returns, its weight, whether it can be traded, and its features on these days, if
    there are any; and what all share: the mean return of each day, the conditions and the share of cash. An actor gives
    scores; brought to [-1, 1] by tanh, with noise where it explores, times `SCORE_SCALE`, their softmax is the weights.
    A critic encodes each asset with its new weight, sums the encodings by new weights, and values that sum, what is
    shared, and how much is bought and sold.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        hidden_sizes: tuple[int, ...],
        activation: str,
        is_named: bool = False,
    ) -> None:
        """Take note of sizes.

        Args:
            observation_space: a `Dict` of ``returns`` (W, N), ``weights`` (N + 1,), cash last, ``tradable`` (N,) and
                ``conditions`` (C,); and maybe ``features`` (W, N, F).
            action_space: a `Box` (N + 1,) in [0, 1].
            hidden_sizes: width of each hidden layer.
            activation: of these, a name in `ACTIVATIONS`.
            is_named: tell assets apart, by biases of their own in the first layers.

        Raises:
            TypeError: spaces of other kinds or sizes; says which are needed.
        """
        there: Mapping[str, Any] = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {}
        match [getattr(there.get(name), "shape", None) for name in ENTRIES]:
            case [(days, assets), (held,), (tradable,), (conditions,), (None | (_, _, _)) as features] if (
                held - 1 == tradable == assets
                and (features is None or features[:2] == (days, assets))
                and action_space.shape == (held,)
                and (action_space.low == 0.0).all()
                and (action_space.high == 1.0).all()
            ):
                self.days, self.assets, self.conditions = int(days), int(assets), int(conditions)
            case _:
                raise TypeError(
                    "The network 'assets' reads a Dict of returns (W, N), weights (N + 1,), tradable (N,), conditions "
                    "(C,) and maybe features (W, N, F), and acts in a Box (N + 1,) in [0, 1], but here are "
                    f"{observation_space} and {action_space}. Choose the environment's arguments accordingly, or "
                    "observations that are a Box and network=mlp."
                )
        self.observation_space, self.action_space = observation_space, action_space
        self.activation, self.function = activation, ACTIVATIONS[activation]
        self.hidden_sizes, self.is_named = hidden_sizes, is_named
        self.features = features[2] if features else 0
        self.entries = ENTRIES if features else ENTRIES[:-1]
        self.columns = [days * assets, assets + 1, assets, conditions, days * assets * self.features]
        self.observations: int = sum(self.columns)
        self.actions: int = assets + 1
        self.depth = 2 * len(hidden_sizes)  # tensors of the hidden layers

    def make(self, generator: torch.Generator) -> tuple[list[Tensor], list[Tensor]]:
        """Return fresh parameters: of an actor, for assets and for cash, and of a critic, its encoder and the rest."""
        shared = self.days + self.conditions + 1
        each = self.days + 2 + self.days * self.features + shared
        actor = make_network((each, *self.hidden_sizes, 1), generator)
        critic = make_network((each + 1, *self.hidden_sizes), generator, last=None)
        if self.is_named:
            for network in (actor, critic):
                biases = torch.rand((self.assets, self.hidden_sizes[0]), generator=generator)
                network[1] = biases.mul_(2).sub_(1).requires_grad_()
        actor += make_network((shared, *self.hidden_sizes, 1), generator)
        critic += make_network((self.hidden_sizes[-1] + shared + 3, *self.hidden_sizes, 1), generator)
        return actor, critic

    def read(self, observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return a batch of observations as rows."""
        parts = [observation[name].reshape(len(observation[name]), -1) for name in self.entries]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def scores(self, actor: list[Tensor], observation: Tensor) -> Tensor:
        """Return scores (B, N + 1) of the assets and cash, before the tanh."""
        each, shared = self._see(observation)
        of_assets, of_cash = actor[: self.depth + 2], actor[self.depth + 2 :]
        x = forward(of_assets[2:], self._first(of_assets, each, shared), self.function)
        return torch.cat((x.reshape(-1, self.assets), forward(of_cash, shared, self.function)), dim=1)

    def value(self, critic: list[Tensor], observation: Tensor, action: Tensor) -> Tensor:
        """Return the values (B, 1) of scores (B, N + 1) in [-1, 1]."""
        each, shared = self._see(observation)
        wanted = torch.softmax(SCORE_SCALE * action, dim=1)
        new, old = wanted[:, :-1], each[:, :, self.days]
        encoder, rest = critic[: self.depth], critic[self.depth :]
        x = hidden(encoder[2:], self._first(encoder, torch.cat((each, new[:, :, None]), dim=2), shared), self.function)
        held = (new[:, :, None] * x.reshape(*new.shape, -1)).sum(dim=1)
        bought, sold = ((sign * (new - old)).clamp(min=0.0).sum(dim=1, keepdim=True) for sign in (1.0, -1.0))
        return forward(rest, torch.cat((held, shared, wanted[:, -1:], bought, sold), dim=1), self.function)

    def to_space(self, action: NDArray[np.float64]) -> NDArray[Any]:
        """Return the weights for scores (B, N + 1) in [-1, 1]."""
        weights: NDArray[Any] = np.exp(SCORE_SCALE * action)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), self.action_space.dtype)

    def policy(self, actor: list[Tensor]) -> AssetsPolicy:
        """Return an actor as a policy of its own."""
        arrays = [parameter.detach().numpy().copy() for parameter in actor]
        layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        half = len(layers) // 2
        parts = {"assets": layers[:half], "cash": layers[half:]}
        return AssetsPolicy(parts, self.activation, self.observation_space, self.action_space)

    def _see(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen of each asset, (B, N, W + 2 + W F), and what all share, (B, W + C + 1)."""
        returns, weights, tradable, conditions, features = torch.split(observation, self.columns, dim=1)
        returns = RETURN_SCALE * returns.reshape(-1, self.days, self.assets)
        features = features.reshape(len(features), self.days, self.assets, self.features).transpose(1, 2)
        own = (returns.transpose(1, 2), weights[:, :-1, None], tradable[:, :, None], features.flatten(2))
        each = torch.cat(own, dim=2)
        return each, torch.cat((returns.mean(dim=2), conditions, weights[:, -1:]), dim=1)

    def _first(self, parameters: list[Tensor], each: Tensor, shared: Tensor) -> Tensor:
        """Return what the first layer makes of each asset, (B N, width); what is shared is multiplied once."""
        weight, bias = parameters[:2]
        own = each.shape[2]
        return self.function(each @ weight[:own] + (shared @ weight[own:])[:, None] + bias).flatten(0, 1)
