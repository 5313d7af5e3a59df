"""What the future of known environments and wrappers depends on."""

from __future__ import annotations

import copy
import operator
import types
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import VectorEnv, VectorWrapper

from .encoding import StateError


class Adapter:
    """Saves and loads the state of one layer of a stack, without what the layer wraps.

    A state is a value: independent of the layer, and not changed by loading it. Made of plain values (see `encoding`),
    it can be written to a file. What is random lies under the key ``"random"``, apart from the rest, so that another
    random stream can take its place.
    """

    #: Attributes that change, but are not restored: records of what has been, on which nothing depends.
    logs: tuple[str, ...] = ()

    def check(self, layer: Any) -> None:
        """Refuse a layer that can never be saved.

        Raises:
            StateError: says why.
        """

    def has_state(self, layer: Any) -> bool:
        """Return whether there is anything to save."""
        return True

    def save(self, layer: Any) -> dict[str, Any]:
        """Return the state of ``layer``."""
        raise NotImplementedError

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Give ``layer`` a state that `save` returned."""
        raise NotImplementedError

    def random(self, layer: Any) -> Any:
        """Return what `save` would under ``"random"``: of an environment its ``np_random``, of a wrapper nothing."""
        return layer.np_random.bit_generator.state if isinstance(layer.unwrapped, type(layer)) else None


def is_wrapper(layer: Any) -> bool:
    """Return whether ``layer`` wraps another one."""
    return isinstance(layer, gymnasium.Wrapper | VectorWrapper)


def name_of(kind: type) -> str:
    """Return how a class is called in states, and where adapters are registered."""
    return f"{kind.__module__}.{kind.__qualname__}"


_ADAPTERS: dict[str, Adapter] = {}
#: Where all classes are known: those without an adapter, nor one of a base, have no state.
_GYMNASIUM = ("gymnasium.wrappers.", "gymnasium.envs.mujoco.")


def register_adapter(name: str) -> Callable[[type[Adapter]], type[Adapter]]:
    """Return a decorator that registers an `Adapter` for a class of environments or wrappers, and its subclasses.

    Args:
        name: the class, as ``"package.module.Class"``; it need not be importable.
    """

    def register(kind: type[Adapter]) -> type[Adapter]:
        _ADAPTERS[name] = kind()
        return kind

    return register


def adapter_of(layer: Any) -> Adapter:
    """Return what saves ``layer``: the adapter of its class or the nearest registered base, or a general one."""
    for name in map(name_of, type(layer).__mro__):
        if name in _ADAPTERS:
            return _ADAPTERS[name]
    if name_of(type(layer)).startswith(_GYMNASIUM):
        return _STATELESS
    has_methods = not is_wrapper(layer) and hasattr(layer, "save_state") and hasattr(layer, "load_state")
    return _OWN if has_methods else _EVERYTHING


def is_known(layer: Any) -> bool:
    """Return whether the adapter of ``layer`` was made for its very class, or its class keeps rlx's contract."""
    name = name_of(type(layer))
    return name in _ADAPTERS or name.startswith(_GYMNASIUM) or isinstance(adapter_of(layer), Kernel)


def _load_random(layer: Any, random: Any) -> None:
    if random is not None:
        layer.np_random.bit_generator.state = random


class Attributes(Adapter):
    """The state is in some attributes of the layer; ``"a.b"`` is the attribute b of its attribute a."""

    def __init__(self, *names: str, logs: tuple[str, ...] = ()) -> None:
        """Save the attributes ``names``; ``logs`` change too, but need not be saved."""
        self.names, self.logs = names, logs

    def has_state(self, layer: Any) -> bool:
        """Return whether there are attributes, or the random stream of an environment."""
        return bool(self.names) or not is_wrapper(layer)

    def save(self, layer: Any) -> dict[str, Any]:
        """Return copies of the attributes.

        Raises:
            StateError: there is none of that name.
        """
        try:
            attributes = {name: copy.deepcopy(operator.attrgetter(name)(layer)) for name in self.names}
        except AttributeError as error:
            raise StateError(f"{type(layer).__qualname__} has no state before its first reset: {error}.") from error
        return {"random": self.random(layer), "attributes": attributes}

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Set the attributes."""
        _load_random(layer, state["random"])
        for name in self.names:
            owner, _, last = name.rpartition(".")
            holder = operator.attrgetter(owner)(layer) if owner else layer
            setattr(holder, last, copy.deepcopy(state["attributes"][name]))


#: Attributes that hold no state, by their types: what is built once, and other layers.
_FIXED = (
    gymnasium.Space, gymnasium.Env, VectorEnv, EnvSpec, type, types.ModuleType, types.FunctionType, types.MethodType,
    types.BuiltinFunctionType,
)  # fmt: skip
#: Those that Gymnasium itself gives to every layer.
_GIVEN = {"_np_random", "_np_random_seed", "_saved_kwargs", "_metadata", "metadata", "_cached_spec", "render_mode"}


class Everything(Adapter):
    """Copies all attributes that may hold state: the way for layers about which nothing is known."""

    def save(self, layer: Any) -> dict[str, Any]:
        """Return a copy of the attributes.

        Raises:
            StateError: one cannot be copied.
        """
        attributes: dict[str, Any] = {}
        memo: dict[int, Any] = {}
        for name in self._names(layer):
            value = getattr(layer, name)
            try:
                attributes[name] = copy.deepcopy(value, memo)
            except Exception as error:  # whatever a class's own __deepcopy__ and __reduce__ raise
                kind = type(layer)
                raise StateError(
                    f"{kind.__qualname__} cannot be saved: its attribute {name!r}, a {name_of(type(value))}, cannot be "
                    f"copied ({error}). Tell what its future depends on: "
                    f"@rlx.wrappers.register_adapter({name_of(kind)!r})."
                ) from error
        return {"random": self.random(layer), "attributes": attributes}

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Set the attributes."""
        _load_random(layer, state["random"])
        for name in [name for name in self._names(layer) if name not in state["attributes"]]:
            delattr(layer, name)
        for name, value in copy.deepcopy(state["attributes"]).items():
            if callable(getattr(type(layer), name, None)):
                raise StateError(f"{name!r} is no attribute of a {type(layer).__qualname__} that can be set.")
            setattr(layer, name, value)

    def _names(self, layer: Any) -> list[str]:
        return [name for name, value in vars(layer).items() if name not in _GIVEN and not isinstance(value, _FIXED)]


class Own(Adapter):
    """The layer has methods ``save_state()`` and ``load_state(state)``, which include all that is random."""

    def save(self, layer: Any) -> dict[str, Any]:
        """Return what the layer does."""
        return {"random": None, "state": layer.save_state()}

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Let the layer load it."""
        layer.load_state(state["state"])

    def random(self, layer: Any) -> Any:
        """Refuse: it cannot be told apart.

        Raises:
            StateError: always.
        """
        raise StateError(f"{type(layer).__qualname__}.save_state() does not tell what is random: register an adapter.")


_STATELESS, _EVERYTHING, _OWN = Attributes(), Everything(), Own()


@register_adapter("rlx.envs.core.env.KernelEnv")
@register_adapter("rlx.envs.core.vector.KernelVectorEnv")
class Kernel(Adapter):
    """Environments of rlx: records, and contexts from which parameters are made again."""

    # The contract has all state in `save_state`. The rest is output, or memory in which only padding differs.
    logs = ("_buffers", "_flat", "_mask", "_memory", "_outputs", "_rows", "_states", "_unseen", "_values")

    def save(self, layer: Any) -> dict[str, Any]:
        """Return the records of states and parameters, contexts, and a vector environment's counters."""
        state = layer.save_state()
        return {
            "random": state.states["rng"].copy(),
            "states": state.states,
            "rows": state.rows,
            "contexts": [parameters.context() for parameters in state.parameters],
            "bookkeeping": state.bookkeeping,
        }

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Continue under the parameters of the contexts.

        Raises:
            StateError: the layer was made with other arguments than the one that was saved.
            TypeError: it is of another family or size.
        """
        from ...envs.core import State

        present, rows, contexts = layer.save_state(), state["rows"], state["contexts"]
        if rows.dtype != present.rows.dtype:
            raise TypeError(f"This state is of another family than {type(layer).__qualname__}.")
        parameters, packed = present.parameters, present.rows
        if rows.tobytes() != packed.tobytes() or contexts != [one.context() for one in parameters]:
            parameters, packed = self._made(layer, contexts, len(rows))
            if not np.array_equal(packed, rows):
                raise self._other(layer)
        states = state["states"].copy()
        states["rng"] = state["random"]
        layer.load_state(State(states, packed, parameters, state["bookkeeping"]))

    def single(self, layer: Any, state: Mapping[str, Any]) -> Any:
        """Return a single environment's state as the contract has it, for the rows of a vector environment ``layer``.

        Raises:
            StateError: ``layer`` was made with other arguments.
        """
        from ...envs.core import State

        parameters, packed = self._made(layer, state["contexts"], 1)
        if not np.array_equal(packed, state["rows"]):
            raise self._other(layer)
        return State(state["states"], packed, parameters, {})

    def _made(self, layer: Any, contexts: list[dict[str, float]], rows: int) -> tuple[Any, Any]:
        """Return parameters of each context, and so many of them packed; that takes longer than all the rest."""
        try:
            made = {tuple(context.items()): layer.problem.parameters.with_context(context) for context in contexts}
        except ValueError as error:
            raise self._other(layer) from error
        parameters = tuple(made[tuple(context.items())] for context in contexts)
        return parameters, np.array([layer.problem.pack(one) for one in parameters[:rows]])

    def _other(self, layer: Any) -> StateError:
        return StateError(f"This state is of a {type(layer).__qualname__} that was made with other arguments.")

    def random(self, layer: Any) -> Any:
        """Return the streams in the records."""
        return layer.save_state().states["rng"]


@register_adapter("gymnasium.envs.mujoco.mujoco_env.MujocoEnv")
class Mujoco(Adapter):
    """The integration state, and what environments read of the step before (in MuJoCo, it lags by a substep)."""

    lagging = ("xpos", "xipos")

    def __init__(self, logs: tuple[str, ...] = ()) -> None:
        """Let attributes change that are not restored."""
        self.logs = logs

    def save(self, layer: Any) -> dict[str, Any]:
        """Return numbers of the integration state, shape (S,), and positions of bodies, (bodies, 3)."""
        import mujoco

        signature = mujoco.mjtState.mjSTATE_INTEGRATION
        integration = np.empty(mujoco.mj_stateSize(layer.model, signature))
        mujoco.mj_getState(layer.model, layer.data, integration, signature)
        lagging = {name: getattr(layer.data, name).copy() for name in self.lagging}
        return {"random": self.random(layer), "integration": integration, "lagging": lagging}

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Set the state, compute what follows from it, and put back what lags.

        Raises:
            StateError: the state is of another model.
        """
        import mujoco

        signature = mujoco.mjtState.mjSTATE_INTEGRATION
        size = mujoco.mj_stateSize(layer.model, signature)
        if state["integration"].shape != (size,):
            raise StateError(f"The model of {type(layer).__qualname__} has {size} numbers of state, not so many: "
                             f"{state['integration'].shape}.")  # fmt: skip
        _load_random(layer, state["random"])
        mujoco.mj_setState(layer.model, layer.data, state["integration"], signature)
        mujoco.mj_forward(layer.model, layer.data)
        for name in self.lagging:
            getattr(layer.data, name)[:] = state["lagging"][name]


@register_adapter("ale_py.env.AtariEnv")
class Atari(Adapter):
    """The emulator's state, with and without its own random stream (of sticky actions)."""

    def save(self, layer: Any) -> dict[str, Any]:
        """Return what the emulator serializes."""
        return {"random": self.random(layer), "emulator": layer.ale.cloneState(include_rng=False).serialize()}

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Restore the emulator, its random stream first: what holds that holds all the rest, of another moment."""
        import ale_py

        _load_random(layer, state["random"]["generator"])
        for part in (state["random"]["emulator"], state["emulator"]):
            layer.ale.restoreState(ale_py.ALEState(part))

    def random(self, layer: Any) -> Any:
        """Return the streams of the environment and of the emulator."""
        emulator = layer.ale.cloneState(include_rng=True).serialize()
        return {"generator": super().random(layer), "emulator": emulator}


@register_adapter("gymnasium.vector.sync_vector_env.SyncVectorEnv")
class Synchronous(Attributes):
    """Every environment's state, and which of them are to be reset."""

    def __init__(self) -> None:
        """Save what concerns autoreset."""
        super().__init__("_env_obs", "_autoreset_envs", "_terminations", "_truncations",
                         logs=("_rewards", "_observations"))  # fmt: skip

    def save(self, layer: Any) -> dict[str, Any]:
        """Return all of them."""
        from .protocol import save_state

        return {**super().save(layer), "envs": [save_state(env) for env in layer.envs]}

    def load(self, layer: Any, state: Mapping[str, Any]) -> None:
        """Load all of them.

        Raises:
            StateError: there are more or fewer.
        """
        from .protocol import load_state

        if len(state["envs"]) != len(layer.envs):
            raise StateError(f"This state is of {len(state['envs'])} environments; there are {len(layer.envs)}.")
        super().load(layer, state)
        for env, part in zip(layer.envs, state["envs"], strict=True):
            load_state(env, part)

    def random(self, layer: Any) -> Any:
        """Return nothing: the environments have it."""
        return None


class Refused(Adapter):
    """A layer whose state cannot be had."""

    def __init__(self, reason: str) -> None:
        """Say so, and why."""
        self.reason = reason

    def check(self, layer: Any) -> None:
        """Refuse.

        Raises:
            StateError: always.
        """
        raise StateError(f"The state of {type(layer).__qualname__} cannot be saved: {self.reason}")


_BOX2D = Refused("Box2D does not tell the impulses of its contacts, without which the future is another.")
_MONITORED = ("rewards", "episode_returns", "episode_lengths", "episode_times", "total_steps", "current_reset_info")
_COUNTED = ("episode_count", "episode_start_time", "episode_returns", "episode_lengths", "time_queue", "return_queue",
            "length_queue")  # fmt: skip
_CHECKED = ("checked_reset", "checked_step", "checked_render", "checked_data_reuse", "_previous_data", "close_called")
_RECORDED = ("_video_name", "recording", "recorded_frames", "render_history", "step_id", "episode_id")
_MEAN = ("obs_rms.mean", "obs_rms.var", "obs_rms.count", "_update_running_mean")
_RETURN = tuple(name.replace("obs_", "return_") for name in _MEAN)
_RESET = ("_random", "_left", "_steps")
_CONTROL, _TEXT = "gymnasium.envs.classic_control", "gymnasium.envs.toy_text"
_COMMON, _OBSERVED = "gymnasium.wrappers.common", "gymnasium.wrappers.stateful_observation"

_ADAPTERS |= {
    f"{_CONTROL}.acrobot.AcrobotEnv": Attributes("state"),
    f"{_CONTROL}.cartpole.CartPoleEnv": Attributes("state", "steps_beyond_terminated"),
    f"{_CONTROL}.cartpole.CartPoleVectorEnv": Attributes("state", "steps", "prev_done", "low", "high"),
    f"{_CONTROL}.continuous_mountain_car.Continuous_MountainCarEnv": Attributes("state"),
    f"{_CONTROL}.mountain_car.MountainCarEnv": Attributes("state"),
    f"{_CONTROL}.pendulum.PendulumEnv": Attributes("state", "last_u"),
    f"{_TEXT}.blackjack.BlackjackEnv": Attributes(
        "dealer", "player", "dealer_top_card_suit", "dealer_top_card_value_str"
    ),
    f"{_TEXT}.cliffwalking.CliffWalkingEnv": Attributes("s", "lastaction"),
    f"{_TEXT}.frozen_lake.FrozenLakeEnv": Attributes("s", "lastaction"),
    f"{_TEXT}.taxi.TaxiEnv": Attributes("s", "lastaction", "fickle_step", "taxi_orientation"),
    "gymnasium.envs.box2d.bipedal_walker.BipedalWalker": _BOX2D,
    "gymnasium.envs.box2d.car_racing.CarRacing": _BOX2D,
    "gymnasium.envs.box2d.lunar_lander.LunarLander": _BOX2D,
    # What is drawn at reset is part of the positions from then on.
    "gymnasium.envs.mujoco.pusher_v5.PusherEnv": Mujoco(("goal_pos", "cylinder_pos", "init_qpos")),
    "gymnasium.envs.mujoco.reacher_v5.ReacherEnv": Mujoco(("goal",)),
    "gymnasium.vector.async_vector_env.AsyncVectorEnv": Refused(
        "its environments live in other processes. Use vectorization_mode='sync', or wrap each one there."
    ),
    f"{_COMMON}.Autoreset": Attributes("autoreset"),
    f"{_COMMON}.OrderEnforcing": Attributes("_has_reset"),
    f"{_COMMON}.PassiveEnvChecker": Attributes(logs=_CHECKED),
    f"{_COMMON}.RecordEpisodeStatistics": Attributes(logs=_COUNTED),
    f"{_COMMON}.TimeLimit": Attributes("_elapsed_steps"),
    f"{_OBSERVED}.DelayObservation": Attributes("observation_queue"),
    f"{_OBSERVED}.FrameStackObservation": Attributes("obs_queue", "padding_value", logs=("stacked_obs",)),
    f"{_OBSERVED}.MaxAndSkipObservation": Attributes("_obs_buffer"),
    f"{_OBSERVED}.NormalizeObservation": Attributes(*_MEAN),
    f"{_OBSERVED}.TimeAwareObservation": Attributes("timesteps"),
    "gymnasium.wrappers.atari_preprocessing.AtariPreprocessing": Attributes("obs_buffer", "lives", "game_over"),
    "gymnasium.wrappers.rendering.RecordVideo": Attributes(logs=_RECORDED),
    "gymnasium.wrappers.rendering.RenderCollection": Attributes(logs=("frame_list",)),
    "gymnasium.wrappers.stateful_action.StickyAction": Attributes(
        "last_action", "is_sticky_actions", "num_repeats", "repeats_taken"
    ),
    "gymnasium.wrappers.stateful_reward.NormalizeReward": Attributes(*_RETURN, "discounted_reward"),
    "gymnasium.wrappers.vector.common.RecordEpisodeStatistics": Attributes("prev_dones", logs=_COUNTED),
    "gymnasium.wrappers.vector.stateful_observation.NormalizeObservation": Attributes(*_MEAN),
    "gymnasium.wrappers.vector.stateful_reward.NormalizeReward": Attributes(*_RETURN, "accumulated_reward"),
    "rlx.wrappers.snapshot.resets.ArchiveReset": Refused("its archive is no part of a state."),
    "rlx.wrappers.snapshot.resets.BackwardReset": Attributes(*_RESET, "place", "_successes", "_gained", "_is_attempt"),
    "rlx.wrappers.snapshot.resets.SnapshotReset": Attributes(*_RESET),
    "rlx.wrappers.snapshot.rows.SnapshotVectorReset": Attributes(*_RESET, "_ended"),
    "rlx.wrappers.stl.CostTuple": Attributes(),
    "rlx.wrappers.stl.STLMonitor": Attributes("_watch.memories"),
    "rlx.wrappers.stl.STLVectorMonitor": Attributes("_watch.memories", "_ended"),
    "stable_baselines3.common.monitor.Monitor": Attributes("needs_reset", logs=_MONITORED),
}
