"""The learners, by name, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import gymnasium

from . import arguments
from .tuned import TUNED

Kinds = type[gymnasium.Space[Any]] | tuple[type[gymnasium.Space[Any]], ...]

#: name -> (module, class of the learner, dataclass of its arguments, kinds of action spaces); imported when used.
LEARNERS: dict[str, tuple[str, str, str, Kinds]] = {
    "bc": ("rlx.baselines.bc", "BC", "Args", (gymnasium.spaces.Box, gymnasium.spaces.Discrete)),
    "ddpg": ("rlx.baselines.ddpg", "DDPG", "Args", gymnasium.spaces.Box),
    "dqn": ("rlx.baselines.dqn", "DQN", "Args", gymnasium.spaces.Discrete),
    "iql": ("rlx.baselines.iql", "IQL", "Args", (gymnasium.spaces.Box, gymnasium.spaces.Discrete)),
    "metaqweb": ("rlx.baselines.metatrainer", "MetaQWeb", "Args", gymnasium.spaces.Discrete),
    "ppo": ("rlx.baselines.ppo", "PPO", "Args", (gymnasium.spaces.Discrete, gymnasium.spaces.Box)),
    "qweb": ("rlx.baselines.curriculum", "CurriculumDQN", "Args", gymnasium.spaces.Discrete),
    "sindy_rl": ("rlx.baselines.sindy_rl", "SindyRL", "Args", gymnasium.spaces.Box),
    "stl_npc": ("rlx.baselines.stl_npc", "NPC", "Args", gymnasium.spaces.Box),
}

#: Those that learn from a dataset alone: they run only where one is given, never because they suit.
OFFLINE = ("bc", "iql")

#: (name, kind of action space) -> the kind of observations that it reads then, where not any will do.
OBSERVATIONS: dict[tuple[str, type[gymnasium.Space[Any]]], Kinds] = {
    ("ppo", gymnasium.spaces.Box): gymnasium.spaces.Box,
    ("sindy_rl", gymnasium.spaces.Box): gymnasium.spaces.Box,
}
#: name -> entries that the observations must have, where not any will do.
ENTRIES = {"metaqweb": ("elements", "fields"), "qweb": ("elements", "fields")}
#: name -> the parameter that an episode's context must have, where none is needed by the others.
CONTEXTS = {"metaqweb": "writing"}
#: name -> the method that the environment must have, where the others need none.
METHODS = {"stl_npc": "model"}


class Learner(Protocol):
    """A run of training, as `rlx compare` drives it. Its class takes ``(env_id, env_kwargs, args)``.

    One that learns a model besides may have ``describe_model() -> str`` and ``draw_model(matplotlib figure)``: the
    text and the picture are kept beside its policy, and shown in reports.

    ``args`` has the fields ``steps`` and ``seed``. A run's future depends on what it was made of, on its `change_envs`,
    and on nothing else, also across `save` and `load`.
    """

    @property
    def step(self) -> int:
        """Environment steps taken so far; where there is only a dataset, gradient steps."""

    @property
    def policy(self) -> Any:
        """What has been learned so far: ``reset()``, ``act(observation, info)``, and ``save(path)``."""

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers worth watching."""

    def learn(self, until: int, on_step: Callable[[int], None]) -> None:
        """Go on until so many steps have been taken; ``on_step`` is told the number now and then."""

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on in environments with other arguments and the same spaces; episodes under way are cut off."""

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, atomically."""

    def load(self, path: str | Path) -> None:
        """Continue from a checkpoint."""


def spaces_of(env_id: str, env_kwargs: Mapping[str, Any]) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    """Return where the observations and the actions of ``env_id`` lie."""
    env = gymnasium.make(env_id, **env_kwargs)
    env.close()
    return env.observation_space, env.action_space


def misfits(env_id: str, env_kwargs: Mapping[str, Any]) -> dict[str, str]:
    """Return, by learner, what of ``env_id`` does not suit it and what it needs; empty where it suits."""
    env = gymnasium.make(env_id, **env_kwargs)
    env.close()
    observations, actions = env.observation_space, env.action_space
    shown = observations.spaces if isinstance(observations, gymnasium.spaces.Dict) else ()
    contexts = tuple(getattr(env.unwrapped, "context_space", ()))
    found = dict.fromkeys(LEARNERS, "")
    for name, (*_, kind) in LEARNERS.items():
        entries = ENTRIES.get(name, ())
        if not isinstance(actions, kind):
            found[name] = f"the actions of {env_id}, {actions}."
        elif not isinstance(observations, OBSERVATIONS.get((name, type(actions)), gymnasium.Space)):
            found[name] = f"the observations of {env_id}, {observations}. With these actions it reads a Box."
        elif not all(entry in shown for entry in entries):
            found[name] = f"the observations of {env_id}, {observations}. It reads {' and '.join(entries)}."
        elif name in CONTEXTS and CONTEXTS[name] not in contexts:
            found[name] = f"the contexts of {env_id}: it needs {CONTEXTS[name]!r}."
        elif name in METHODS and not callable(getattr(env.unwrapped, METHODS[name], None)):
            found[name] = f"{env_id}: it needs env.unwrapped.{METHODS[name]}()."
    return found


def learners_for(env_id: str, env_kwargs: Mapping[str, Any]) -> list[str]:
    """Return the learners that the actions, observations, contexts and methods of ``env_id`` suit, but for `OFFLINE`.

    Those tuned for it come first, in the order in which `TUNED` has them.
    """
    names = (name for name, misfit in misfits(env_id, env_kwargs).items() if not misfit and name not in OFFLINE)
    tuned = [name for name, tuned_id in TUNED if tuned_id == env_id]
    return sorted(names, key=lambda name: tuned.index(name) if name in tuned else len(tuned))


def args_of(algo: str) -> type[Any]:
    """Return the dataclass of the arguments of ``algo``."""
    module, _, args, _ = LEARNERS[algo]
    return getattr(import_module(module), args)  # type: ignore[no-any-return]


def fill_args(algo: str, env_id: str, values: Mapping[str, Any]) -> Any:
    """Return arguments of ``algo``: its defaults, changed by what is tuned for ``env_id``, changed by ``values``.

    Raises:
        ValueError: an unknown name or a value that is not allowed.
    """
    return arguments.fill(args_of(algo), {**TUNED.get((algo, env_id), {}), **values})


def make_learner(algo: str, env_id: str, env_kwargs: Mapping[str, Any], args: Mapping[str, Any]) -> Learner:
    """Make the learner ``algo`` with exactly ``args``, the rest at its defaults."""
    module, learner, *_ = LEARNERS[algo]
    made: Learner = getattr(import_module(module), learner)(env_id, env_kwargs, arguments.fill(args_of(algo), args))
    return made
