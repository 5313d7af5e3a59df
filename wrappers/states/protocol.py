"""Saving and loading whole stacks, and trying out those that are not known."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from .adapters import Adapter, adapter_of, is_known, is_wrapper, name_of
from .encoding import StateError, fingerprint, is_plain

#: Stacks of classes that `probe` has found good.
_TRIED: set[tuple[type, ...]] = set()


def layers_of(env: Any) -> list[Any]:
    """Return the wrappers of ``env``, outermost first, and the environment itself at the end."""
    layers = [env]
    while is_wrapper(layers[-1]):
        layers.append(layers[-1].env)
    return layers


def _kept(env: Any) -> list[tuple[Any, Adapter]]:
    """Return the layers that have a state, and who saves it."""
    pairs = [(layer, adapter_of(layer)) for layer in layers_of(env)]
    return [(layer, adapter) for layer, adapter in pairs if adapter.has_state(layer)]


def is_known_throughout(env: Any) -> bool:
    """Return whether the layers of ``env``, or of all environments in it, are known: `save_state` tries nothing out."""
    rows = (is_known_throughout(row) for row in getattr(env.unwrapped, "envs", ()))
    return all(map(is_known, layers_of(env))) and all(rows)


def save_state(env: Any) -> dict[str, Any]:
    """Return the state of an environment as a value, the counters of its wrappers and its random stream included.

    An environment of an unknown class is tried out first, see `probe`: on a second one, so that this one stays as it
    is.

    Args:
        env: any Gymnasium environment or vector environment, wrapped or not.

    Raises:
        StateError: the state, or a part of it, would be lost; names the layer.
    """
    trust(env)
    return _saved(env)


def load_state(env: Any, state: Mapping[str, Any], *, random: bool = True) -> None:
    """Continue from ``state``: the same actions give the same future, bit for bit.

    Statistics of wrappers that only record (``RecordEpisodeStatistics``, ``RecordVideo``, ``Monitor``) are not part of
    it: they go on.

    Args:
        env: made like the one that was saved; wrappers without state may differ.
        state: what `save_state` returned.
        random: whether the random stream is that of the state too; if not, ``env`` keeps its own.

    Raises:
        StateError: ``env`` is made in another way; says how.
        TypeError: ``state`` is no state at all.
    """
    check_layers(env, state)
    if not random and isinstance(env, VectorEnv):
        raise StateError("A vector environment's random streams cannot be kept: load rows one by one.")
    for (layer, adapter), part in zip(reversed(_kept(env)), reversed(state["layers"]), strict=True):
        content = part["state"]
        adapter.load(layer, content if random else {**content, "random": adapter.random(layer)})


def check_layers(env: Any, state: Mapping[str, Any]) -> None:
    """Hold the layers of ``env`` against those of ``state``.

    Raises:
        StateError: they differ; says where.
        TypeError: ``state`` is no state at all.
    """
    if not isinstance(state, Mapping) or not isinstance(state.get("layers"), list):
        raise TypeError(f"load_state needs what save_state returned, not {state!r:.80}")
    there, saved = [name_of(type(layer)) for layer, _ in _kept(env)], [part["layer"] for part in state["layers"]]
    if there != saved:
        raise StateError(
            f"This state is of {' > '.join(saved)}, but the environment is {' > '.join(there)} "
            "(outermost first, without wrappers that have no state). Wrap it in the same way."
        )


def probe(env: Any, steps: int = 20, seed: int = 0) -> None:
    """Try out whether the state of ``env`` can be saved and loaded; it needs a reset afterwards.

    From a loaded state, the same random actions must give the same observations, rewards and ends, bit for bit, and no
    plain attribute of a layer may differ that is not said to be a log.

    Args:
        env: any environment.
        steps: before the state is saved, and again from there.
        seed: of actions, and of the environment if it is seeded by `reset`.

    Raises:
        StateError: the state, or a part of it, is lost; names what differs.
    """
    for layer in layers_of(env):
        adapter_of(layer).check(layer)
    actions = copy.deepcopy(env.action_space)
    actions.seed(seed)
    base = env.unwrapped
    streams = {name: vars(base).get(name) for name in ("_np_random", "_np_random_seed")}
    env.reset(seed=seed)
    _walk(env, [actions.sample() for _ in range(steps)], is_restarted=True)
    state, before = _saved(env), _attributes(env)
    chosen = [actions.sample() for _ in range(steps)]
    first = _walk(env, chosen)
    env.reset()
    _walk(env, chosen[::-1], is_restarted=True)
    load_state(env, state)
    for place, value in _attributes(env).items():
        if before.get(place) != value:
            layer, name = place
            raise StateError(
                f"{layer}.{name} changes, but its adapter does not restore it. Register one that does, "
                f"@rlx.wrappers.register_adapter({layer!r}), or that has it among its logs."
            )
    second = _walk(env, chosen)
    for t, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            raise StateError(
                f"{env} does not continue from a loaded state as it did before: step {t + 1} differs. A part of its "
                "state is lost: where, an adapter must tell (rlx.wrappers.register_adapter)."
            )
    vars(base).update(streams)
    _TRIED.add(tuple(map(type, layers_of(env))))


def trust(env: Any) -> None:
    """Refuse a stack that cannot be saved, and try out one of unknown classes, if that has not been done.

    Raises:
        StateError: its state would be lost, or there is no way to try.
    """
    layers = layers_of(env)
    for layer in layers:
        adapter_of(layer).check(layer)
    if tuple(map(type, layers)) in _TRIED or all(map(is_known, layers)):
        return
    unknown = next(layer for layer in layers if not is_known(layer))
    try:
        spec = copy.deepcopy(env.spec)
        spec.kwargs.pop("render_mode", None)
        twin = gymnasium.make(spec)
    except Exception as error:  # whatever making an unknown environment may raise
        raise StateError(
            f"{name_of(type(unknown))} is not known, and there is no second {env} to try out whether its state can be "
            "saved. Call rlx.wrappers.states.probe(env) once, before you need it: it resets env."
        ) from error
    try:
        probe(twin)
    finally:
        twin.close()
    _TRIED.add(tuple(map(type, layers)))


def _saved(env: Any) -> dict[str, Any]:
    return {"layers": [{"layer": name_of(type(layer)), "state": adapter.save(layer)} for layer, adapter in _kept(env)]}


def _attributes(env: Any) -> dict[tuple[str, str], bytes]:
    """Return the plain attributes of all layers, but for logs, by layer and name."""
    return {
        (name_of(type(layer)), name): fingerprint([value])
        for layer in layers_of(env)
        for name, value in vars(layer).items()
        if name not in adapter_of(layer).logs and name not in ("_np_random", "_np_random_seed") and is_plain(value)
    }


def _walk(env: Any, actions: list[Any], is_restarted: bool = False) -> list[bytes]:
    """Take actions and return what came of each; at an episode's end, stop, or start another."""
    outcomes = []
    for action in actions:
        *outcome, info = env.step(action)
        outcomes.append(fingerprint(outcome))
        is_over = np.any(outcome[-2] | outcome[-1]) and not isinstance(env, VectorEnv)
        if is_over and not is_restarted:
            break
        if is_over:
            env.reset()
    return outcomes
