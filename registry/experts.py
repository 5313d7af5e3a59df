"""Experts: the controllers a practitioner would use, by name, with the interface of a trained policy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol, cast

import gymnasium
import numpy as np
from gymnasium import spaces

from .catalog import environments, find
from .plugins import resolve


class Policy(Protocol):
    """What an expert and a trained policy have in common."""

    def reset(self) -> None:
        """Forget the episode before; called at the start of each."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Choose the action for what ``reset`` or ``step`` of the environment just returned."""


class RandomPolicy:
    """Draws actions uniformly from the action space, among those the mask allows."""

    def __init__(self, env: gymnasium.Env[Any, Any], seed: int | None = None) -> None:
        """Act at random in ``env``.

        Args:
            env: the environment; only its action space is used, and not its generator.
            seed: of the policy's own generator.
        """
        self._space = copy.deepcopy(env.action_space)
        self._space.seed(seed)

    def reset(self) -> None:
        """Do nothing: the actions of an episode do not depend on the one before, and the generator goes on."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Draw an action; ``info["action_mask"]`` or ``observation["action_mask"]`` rules some out."""
        mask = mask_of(observation, info)
        return self._space.sample() if mask is None else sample(self._space, mask)


def mask_of(observation: Any, info: dict[str, Any]) -> Any:
    """Return the mask of legal actions: of ``info``, else of a `Dict` observation; None where every action is legal."""
    mask = info.get("action_mask")
    return observation.get("action_mask") if mask is None and isinstance(observation, dict) else mask


def sample(space: spaces.Space[Any], mask: Any) -> Any:
    """Draw from ``space`` where ``mask`` is not zero.

    Args:
        space: `Discrete`, `MultiDiscrete`, `Box`, or any space whose ``sample`` takes the mask as it is.
        mask: for `Discrete`, shape (n,); for `MultiDiscrete`, one such mask per component, in a tuple or end to end;
            for `Box`, of the action's shape: a component that is masked out stays at zero, or at the bound next to it.
    """
    if isinstance(space, spaces.Box):
        idle = np.clip(0, space.low, space.high).astype(space.dtype)
        return np.where(np.asarray(mask) != 0, space.sample(), idle)
    if isinstance(space, spaces.Discrete):
        return space.sample(np.asarray(mask, np.int8))
    if isinstance(space, spaces.MultiDiscrete):
        parts = mask if isinstance(mask, tuple) else np.split(np.asarray(mask), np.cumsum(space.nvec)[:-1])
        return space.sample(tuple(np.asarray(part, np.int8) for part in parts))
    return space.sample(mask)


def experts(env_id: str) -> tuple[str, ...]:
    """Return the names of the experts of ``env_id``; "random" is always among them, last.

    Raises:
        gymnasium.error.NameNotFound: the catalog has no such id.
    """
    return (*find(env_id).experts, "random")


def make_expert(env: gymnasium.Env[Any, Any], name: str, **kwargs: Any) -> Policy:
    """Make the expert ``name`` for ``env``.

    Args:
        env: made by `gymnasium.make`, wrapped or not.
        name: one of ``experts(env.spec.id)``.
        **kwargs: the expert's own arguments; "random" has ``seed``.

    Raises:
        ValueError: no expert of that name; lists those there are.
    """
    env_id = env.spec.id if env.spec is not None else None
    row = environments().get(env_id or "")
    factories: dict[str, Callable[..., Policy] | str] = {**(row.experts if row else {}), "random": RandomPolicy}
    if name not in factories:
        raise ValueError(f"{env_id or env} has no expert {name!r}. There are: {', '.join(factories)}.")
    factory = factories[name]
    return cast(Policy, (resolve(factory) if isinstance(factory, str) else factory)(env, **kwargs))
