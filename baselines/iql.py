"""Implicit Q-learning (Kostrikov et al. 2021, https://arxiv.org/abs/2110.06169): learning from a dataset alone.

A value V(s) is learned as an expectile, above 0.5, of the values of those actions that the dataset has in states like
s: close to the best of them, and no action outside the dataset is ever asked for (equation 5 of the paper). Twin
critics Q(s, a) look one step ahead to V (equation 6). The policy clones the dataset, each action weighed by how much
better than V it is (equation 7). So it is behaviour cloning, `rlx.baselines.bc`, with weights, and what tells them.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from . import bc
from .bc import Batch, Network
from .training import Rules, check_args

WEIGHT_BOUND = 100.0  # of an action, as in the authors' code


@dataclasses.dataclass(frozen=True)
class Args(bc.Args):
    """The arguments of `IQL`: those of behaviour cloning, and more."""

    gamma: float = 0.99
    """Discount per step."""
    expectile: float = 0.7
    """Of the values of a state's actions: 0.5 is their mean, near 1 the best."""
    sharpness: float = 3.0
    """By which advantages are multiplied before they weigh actions exponentially; 0 clones all actions alike. (The
    inverse temperature, beta, of the paper.)"""
    reward_scale: float = 1.0
    """Rewards are multiplied by it; advantages should be of the order of 1."""
    tau: float = 0.005
    """How far the target critics move towards the learned ones per step."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        super().__post_init__()
        rules: Rules = (
            ("gamma", lambda v: 0 <= v <= 1, "between 0 and 1"),
            ("expectile", lambda v: 0 < v < 1, "more than 0 and less than 1"),
            ("sharpness", lambda v: v >= 0, "at least 0"),
        )
        check_args("iql", self, rules)


class IQL(bc.BC):
    """A run of implicit Q-learning, used like one of `BC`."""

    args: Args

    def _make_critics(self) -> None:
        kind = self.kind

        def make(inputs: int, outputs: int) -> Network:
            return Network(self.observation_space, inputs, outputs, self.args, self.generator)

        self.value = make(0, 1)
        self.critics = [make(kind.inputs, kind.judged) for _ in range(2)]
        self.target_critics = [make(kind.inputs, kind.judged) for _ in range(2)]
        self.judging = [parameter for critic in self.critics for parameter in critic.parameters]
        self.targets = [parameter for critic in self.target_critics for parameter in critic.parameters]
        for target, parameter in zip(self.targets, self.judging, strict=True):
            target.data.copy_(parameter.data)
        self.learned = [*self.learned, *self.value.parameters, *self.judging]
        self.told = torch.zeros(2)  # mean value and advantage of the last batch

    @property
    def metrics(self) -> dict[str, float]:
        """Of the last batch the loss, the mean value of its states, and the mean advantage of its actions."""
        value, advantage = self.told.tolist()
        return {**super().metrics, "value": value, "advantage": advantage}

    def _loss(self, batch: Batch) -> Tensor:
        """Return the sum of the losses of policy, value and critics; no two of them reach the same parameters."""
        args, kind = self.args, self.kind
        with torch.no_grad():
            judged = torch.minimum(*(kind.judge(critic, batch.state, batch.action) for critic in self.target_critics))
            after = self.value(batch.next_state).squeeze(1)
            target = args.reward_scale * batch.reward + args.gamma * batch.goes_on * after
        value = self.value(batch.state).squeeze(1)
        advantage = judged - value
        side = torch.where(advantage > 0, args.expectile, 1.0 - args.expectile)
        value_loss = (side * advantage.square()).mean()
        errors = [kind.judge(critic, batch.state, batch.action) - target for critic in self.critics]
        weight = torch.exp(args.sharpness * advantage.detach()).clamp(max=WEIGHT_BOUND)
        surprise = kind.surprise(self.actor(batch.state), batch.action, batch.legal)
        self.told = torch.stack((value.mean(), advantage.mean())).detach()
        return (weight * surprise).mean() + value_loss + sum(error.square().mean() for error in errors)

    def _follow(self) -> None:
        """Let the target critics follow."""
        with torch.no_grad():
            torch._foreach_lerp_(self.targets, self.judging, self.args.tau)
