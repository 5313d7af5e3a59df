"""Snapshots of a teacher's episodes, and resets that start from them.

After Zhao et al., "Snapshot Reinforcement Learning: Leveraging Prior Trajectories for Efficiency" (2024,
https://arxiv.org/abs/2403.00673): a student's first episodes start in states that a teacher has reached, and with
S3RL they start in states of all kinds (status classification) and end early (student trajectory truncation).

`collect_snapshots` makes `Snapshots`, `read_snapshots` reads their file, and `SnapshotReset` starts from them. Built on
the same `save_state`: `BackwardReset`, a curriculum from a demonstration's end to its beginning, and `ArchiveReset`,
which returns to what exploration itself has found.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import re
from collections.abc import Callable, Hashable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from .states import load_state, save_state
from .states.adapters import Kernel, adapter_of
from .states.encoding import decode, encode
from .states.protocol import check_layers, layers_of, trust

__all__ = [
    "ArchiveReset",
    "BackwardReset",
    "Snapshot",
    "SnapshotReset",
    "SnapshotVectorReset",
    "Snapshots",
    "classify",
    "collect_snapshots",
    "read_snapshots",
]

_FORMAT, _VERSION = "rlx.snapshots", 1
#: Wrappers that learn statistics of what passes through them: a teacher's are not a student's.
_LEARNING = ("NormalizeObservation", "NormalizeReward")


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """A moment of an episode."""

    state: Mapping[str, Any]
    """What `save_state` returned."""
    observation: Any
    """What the teacher saw."""
    info: dict[str, Any]
    """And was told, with the episode's ``"context"``, where it has one."""
    value: float
    """What the teacher expected from here: its status."""
    episode: int
    step: int
    """Steps since the episode's start."""
    reward_to_go: float
    """Sum of the rewards that the teacher got from here on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshots:
    """Moments of a teacher's episodes, in the order of time."""

    moments: tuple[Snapshot, ...]
    provenance: Mapping[str, Any]
    """Where they come from: plain values. ``"steps"`` is the number of steps that the teacher took."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.moments)

    @property
    def values(self) -> NDArray[np.float64]:
        """The teacher's values, shape (len(self),)."""
        return np.array([moment.value for moment in self.moments])

    def save(self, path: str | Path) -> None:
        """Write a compressed file, atomically. Reading it runs no code.

        Raises:
            StateError: a state, observation or info holds what is not plain; names it.
        """
        rows = [tuple(getattr(moment, field.name) for field in _FIELDS) for moment in self.moments]
        text, arrays = encode(rows)
        header = json.dumps({"format": _FORMAT, "version": _VERSION, "provenance": dict(self.provenance)})
        texts = {name: np.frombuffer(part.encode(), np.uint8) for name, part in (("header", header), ("text", text))}
        temporary = Path(f"{path}.partial")
        with temporary.open("wb") as file:
            np.savez_compressed(file, **texts, **{f"array_{i}": array for i, array in enumerate(arrays)})  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


_FIELDS = dataclasses.fields(Snapshot)


def read_snapshots(path: str | Path) -> Snapshots:
    """Read what `Snapshots.save` wrote; no code in the file is run.

    Raises:
        ValueError: it is no file of snapshots, is damaged, or of a later version.
        OSError: it cannot be opened.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = dict(file)
        header = json.loads(parts.pop("header").tobytes())
        if header["format"] != _FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
        if header["version"] > _VERSION:
            raise ValueError(f"its version is {header['version']}, and this rlx reads {_VERSION}: update rlx")
        rows = decode(parts.pop("text").tobytes().decode(), [parts[f"array_{i}"] for i in range(len(parts))])
        moments = tuple(Snapshot(*row) for row in rows)
        if "steps" not in header["provenance"]:
            raise ValueError("it does not tell where they come from")
        if not all(isinstance(moment.state, dict) and isinstance(moment.info, dict) for moment in moments):
            raise ValueError("its parts are no snapshots")
        return Snapshots(moments, header["provenance"])
    except OSError:
        raise
    except Exception as error:  # what damaged bytes raise in zip, zlib, NumPy and JSON is a long list
        how = "Make one by collect_snapshots(...).save(path)."
        raise ValueError(f"{path} is no file of snapshots: {error}. {how}") from error


def _check_stack(env: gymnasium.Env[Any, Any], user: str) -> None:
    """Refuse wrappers that learn statistics.

    Raises:
        ValueError: there is one.
    """
    for layer in layers_of(env):
        if type(layer).__name__ in _LEARNING:
            name = type(layer).__name__
            raise ValueError(f"{name} learns from what it sees, and a teacher's statistics are not a student's: put it "
                             f"outside, {name}({user}(env, ...)).")  # fmt: skip


def _described(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """Return what two environments have in common, if snapshots of the one are for the other."""
    spec = env.unwrapped.spec
    kwargs = {} if spec is None else {name: value for name, value in spec.kwargs.items() if name != "render_mode"}
    return {
        "env_id": None if spec is None else spec.id,
        # Without the addresses that some representations have.
        "env_kwargs": {name: re.sub(" at 0x[0-9a-f]+", "", repr(value)) for name, value in sorted(kwargs.items())},
        "observation_space": str(env.observation_space),
        "action_space": str(env.action_space),
    }


def _actor(policy: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """Return what chooses actions.

    Raises:
        TypeError: ``policy`` does not.
    """
    if hasattr(policy, "act"):
        return policy.act  # type: ignore[no-any-return]
    if hasattr(policy, "predict"):
        return lambda observation, info: policy.predict(observation, deterministic=True)[0]
    if callable(policy):
        return lambda observation, info: policy(observation)
    raise TypeError(f"A policy has act(observation, info), or predict(observation), or is a function; not {policy!r}.")


def collect_snapshots(
    env: gymnasium.Env[Any, Any],
    policy: Any,
    *,
    episodes: int = 10,
    every: int = 10,
    value: Callable[[Any], float] | None = None,
    gamma: float = 0.99,
    seed: int = 0,
) -> Snapshots:
    """Let a teacher act, and keep a snapshot of each episode's start and of every so many-th step.

    Args:
        env: where the student will learn; wrappers without state may differ.
        policy: the teacher: an expert or a policy of rlx, ``act(observation, info)``; a model of Stable-Baselines3,
            ``predict(observation)``; or a function of the observation.
        episodes: how many.
        every: steps from one snapshot to the next.
        value: the teacher's status, a function of the observation: Q(s, pi(s)) or V(s) of its critic. If None, the sum
            of the rewards that followed, discounted by ``gamma``.
        gamma: see ``value``.
        seed: of the first episode; the others follow on.

    Raises:
        StateError: the environment's state cannot be saved.
        ValueError: an argument is out of range, or a wrapper learns statistics.
    """
    if episodes < 1 or every < 1 or not 0.0 <= gamma <= 1.0:
        raise ValueError(f"episodes={episodes}, every={every}, gamma={gamma}: at least 1, at least 1, within [0, 1].")
    _check_stack(env, "collect_snapshots")
    act = _actor(policy)
    moments: list[Snapshot] = []
    lengths, returns = [], []
    for episode in range(episodes):
        observation, info = env.reset(seed=seed + episode)
        if hasattr(policy, "reset"):
            policy.reset()
        told = {name: info[name] for name in ("context",) if name in info}  # of the episode as a whole
        rewards: list[float] = []
        taken: list[tuple[Any, ...]] = []
        is_over = False
        while not is_over:
            if len(rewards) % every == 0:
                status = math.nan if value is None else float(value(observation))
                taken.append((save_state(env), *copy.deepcopy((observation, {**told, **info})), status, len(rewards)))
            observation, reward, terminated, truncated, info = env.step(act(observation, info))
            rewards.append(float(reward))
            is_over = terminated or truncated
        sums, discounted = _to_go(rewards, 1.0), _to_go(rewards, gamma)
        moments += [
            Snapshot(state, seen, heard, discounted[t] if value is None else status, episode, t, sums[t])
            for state, seen, heard, status, t in taken
        ]
        lengths.append(len(rewards))
        returns.append(sums[0])
    provenance = {
        **_described(env),
        "policy": f"{type(policy).__module__}.{type(policy).__qualname__}",
        "seed": seed, "episodes": episodes, "every": every, "steps": sum(lengths), "lengths": lengths,
        "returns": returns, "value": "discounted rewards" if value is None else "function", "gamma": gamma,
        "versions": {name: version(name) for name in ("gymnasium", "numpy")},
    }  # fmt: skip
    return Snapshots(tuple(moments), provenance)


def _to_go(rewards: list[float], gamma: float) -> list[float]:
    """Return for each step the discounted sum of its reward and those after it."""
    sums, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + gamma * total
        sums.append(total)
    return sums[::-1]


def classify(values: NDArray[np.float64], classes: int) -> NDArray[np.int64]:
    """Return the class of each value, by k-means in one dimension, exactly.

    Among all ways to cut the sorted values into so many intervals, that with the least sum of squared distances from
    the intervals' means, found by dynamic programming (Wang and Song, "Ckmeans.1d.dp", The R Journal 3(2), 2011). Equal
    values are of one class.

    Args:
        values: shape (N,), finite.
        classes: k; fewer where there are fewer values that differ.

    Returns:
        Shape (N,), from 0, the class of the lowest values, up.

    Raises:
        ValueError: ``classes`` is not positive, or a value is not finite.
    """
    if classes < 1:
        raise ValueError(f"classes = {classes}: at least 1 is needed.")
    if not np.isfinite(values).all():
        raise ValueError("Values that are not finite cannot be classified.")
    points, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    points = points - points.mean()  # sums of squares lose digits far from zero
    sums = np.concatenate([np.zeros((3, 1)), np.cumsum([counts, counts * points, counts * points**2], axis=1)], axis=1)

    def costs(end: int) -> NDArray[np.float64]:
        """Return the cost of an interval from each place below ``end`` up to it."""
        weight, first, second = sums[:, end, None] - sums[:, :end]
        return second - first**2 / weight  # type: ignore[no-any-return]

    count = len(points)
    best = np.array([0.0, *[math.inf] * count])  # of the first n points, in the classes so far
    cuts = np.zeros((min(classes, count), count + 1), np.int64)
    for k in range(len(cuts)):
        last, best = best, np.full(count + 1, math.inf)
        for end in range(k + 1, count + 1):
            totals = last[:end] + costs(end)
            cuts[k, end] = np.argmin(totals)
            best[end] = totals[cuts[k, end]]
    labels, end = np.empty(count, np.int64), count
    for k in reversed(range(len(cuts))):
        labels[cuts[k, end] : end] = k
        end = cuts[k, end]
    return labels[places]


class _StateReset(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """A wrapper whose resets may start from a state that was saved.

    A reset seeds environment and wrapper, and clears the counters of the wrappers below; then it loads a state, if
    `_choose` gives one, but keeps the environment's own random stream. A reset with options starts a plain episode.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], horizon: int | None) -> None:
        super().__init__(env)
        if horizon is not None and horizon < 1:
            raise ValueError(f"horizon = {horizon}: at least 1 step, or None.")
        self._horizon = horizon
        self._random: np.random.Generator | None = None
        self._left = math.inf  # steps until the episode is truncated
        self._steps = 0
        trust(env)  # before anything is learned

    def _choose(self, random: np.random.Generator) -> Snapshot | None:
        """Return where the next episode starts; None: where the environment lets it."""
        raise NotImplementedError

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, see the class."""
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None or self._random is None:
            # Apart from the environment's stream of the same seed.
            self._random = np_random(None)[0] if seed is None else np.random.default_rng((seed, 1))
        self._left = math.inf
        moment = None if options else self._choose(self._random)
        if moment is None:
            return observation, info
        load_state(self.env, moment.state, random=False)
        if self._horizon is not None:
            self._left = self._horizon
        return copy.deepcopy((moment.observation, moment.info))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step; the horizon truncates."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        self._left -= 1
        return observation, reward, terminated, bool(truncated or self._left <= 0), info


class _Lot:
    """Draws snapshots: a class of their values first, if there are classes, and then a member."""

    def __init__(self, snapshots: Snapshots | str | Path, classes: int | None) -> None:
        self.snapshots = snapshots if isinstance(snapshots, Snapshots) else read_snapshots(snapshots)
        if not len(self.snapshots):
            raise ValueError("There are no snapshots to start from.")
        values = self.snapshots.values
        labels = np.zeros(len(values), np.int64) if classes is None else classify(values, classes)
        self._classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def check(self, described: Mapping[str, Any]) -> None:
        """Refuse the snapshots of an environment that is described in another way."""
        for name, mine in described.items():
            theirs = self.snapshots.provenance.get(name)
            if theirs != mine:
                raise ValueError(f"These snapshots are of another environment: its {name} is {theirs}, not {mine}.")

    def draw(self, random: np.random.Generator) -> Snapshot:
        members = self._classes[random.integers(len(self._classes))]
        return self.snapshots.moments[int(members[random.integers(len(members))])]

    def samples(self, student: int) -> dict[str, int]:
        teacher = int(self.snapshots.provenance["steps"])
        return {"student": student, "teacher": teacher, "total": student + teacher}


def _phase(steps: int | None) -> float:
    """Return for how many steps episodes start from snapshots."""
    if steps is not None and steps < 0:
        raise ValueError(f"steps = {steps}: at least 0, or None.")
    return math.inf if steps is None else steps


class SnapshotReset(_StateReset):
    """Starts episodes from a teacher's snapshots for a number of steps, and then where the environment does.

    With ``classes`` and ``horizon`` this is S3RL; with neither, SnapshotRL. Put wrappers that record or learn
    statistics outside, ``RecordEpisodeStatistics(SnapshotReset(env, ...))``: what they see is the student's alone.

    Observation and info of a reset are those that the teacher had. The teacher's random stream is not continued.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        snapshots: Snapshots | str | Path,
        *,
        classes: int | None = 6,
        horizon: int | None = 100,
        steps: int | None = 100_000,
    ) -> None:
        """Start ``env`` from ``snapshots``.

        Args:
            env: made like the teacher's.
            snapshots: what `collect_snapshots` returned, or the path of a file of them.
            classes: status classification: the snapshots are sorted into so many classes by their value, a class is
                drawn, and a snapshot of it. None: each snapshot is as likely as any other.
            horizon: student trajectory truncation: an episode from a snapshot is truncated after so many steps. None:
                it is not.
            steps: how long episodes start from snapshots, in steps of this environment; None: always.

        Raises:
            ValueError: an argument is out of range, or the snapshots are of another environment.
            StateError: the environment's state cannot be loaded.
        """
        RecordConstructorArgs.__init__(
            self, snapshots=snapshots, classes=classes, horizon=horizon, steps=steps, _disable_deepcopy=True
        )
        _check_stack(env, "SnapshotReset")
        self._lot, self._phase = _Lot(snapshots, classes), _phase(steps)
        self._lot.check(_described(env))
        check_layers(env, self._lot.snapshots.moments[0].state)
        super().__init__(env, horizon)

    @property
    def samples(self) -> dict[str, int]:
        """Steps taken so far: by the student here, by the teacher for the snapshots, and by both."""
        return self._lot.samples(self._steps)

    def _choose(self, random: np.random.Generator) -> Snapshot | None:
        return self._lot.draw(random) if self._steps < self._phase else None


class SnapshotVectorReset(VectorWrapper):
    """`SnapshotReset` for the vector environments of rlx itself, row by row.

    Those of Gymnasium take the single one: ``make_vec(..., vectorization_mode="sync", wrappers=[...])``. The autoreset
    mode is NEXT_STEP or DISABLED.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        snapshots: Snapshots | str | Path,
        *,
        classes: int | None = 6,
        horizon: int | None = 100,
        steps: int | None = 100_000,
    ) -> None:
        """Start the rows of ``env`` from ``snapshots``; the arguments are those of `SnapshotReset`.

        ``steps`` counts those of all rows.

        Raises:
            ValueError: an argument is out of range, or the snapshots are of another environment.
            TypeError: ``env`` is no vector environment of rlx.
        """
        super().__init__(env)
        adapter = adapter_of(env)
        if not isinstance(adapter, Kernel) or not isinstance(env, VectorEnv):
            raise TypeError(
                f"{env} is no vector environment of rlx itself. Others start their environments one by one: "
                "gymnasium.make_vec(..., vectorization_mode='sync', wrappers=[lambda env: SnapshotReset(env, ...)])."
            )
        mode = AutoresetMode(env.metadata["autoreset_mode"])
        if mode == AutoresetMode.SAME_STEP:
            raise ValueError("SnapshotVectorReset needs the autoreset mode NEXT_STEP or DISABLED, not SAME_STEP.")
        if horizon is not None and horizon < 1:
            raise ValueError(f"horizon = {horizon}: at least 1 step, or None.")
        self._lot, self._phase = _Lot(snapshots, classes), _phase(steps)
        spaces = {"observation_space": env.single_observation_space, "action_space": env.single_action_space}
        self._lot.check({name: str(space) for name, space in spaces.items()})
        self._adapter, self._is_automatic = adapter, mode == AutoresetMode.NEXT_STEP
        self._horizon = math.inf if horizon is None else horizon
        self._random: np.random.Generator | None = None
        self._left = np.full(env.num_envs, math.inf)  # steps until a row is truncated
        self._ended = np.zeros(env.num_envs, np.bool_)  # rows that the next step resets
        self._steps = 0

    @property
    def samples(self) -> dict[str, int]:
        """Steps taken so far: by all rows, by the teacher for the snapshots, and by both."""
        return self._lot.samples(self._steps)

    def save_state(self) -> dict[str, Any]:
        """Return the state as a value, see `rlx.wrappers.save_state`."""
        return save_state(self)

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``, see `rlx.wrappers.load_state`."""
        load_state(self, state)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all rows, or those of ``options["reset_mask"]``; with other options, plain ones."""
        options = dict(options or {})
        mask = options.get("reset_mask")
        rows = np.ones(self.num_envs, np.bool_) if mask is None else mask
        observations, infos = self.env.reset(seed=seed, options=options)
        if seed is not None or self._random is None:
            self._random = np_random(None)[0] if seed is None else np.random.default_rng((*_known(seed), 1))
        self._ended[rows] = False
        self._left[rows] = math.inf
        if set(options) <= {"reset_mask"}:
            observations = self._place(rows, observations, infos)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every row; the horizon truncates."""
        begun = self._ended
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        self._steps += int(np.sum(~begun))
        self._left -= 1
        self._left[begun] = math.inf
        late = (self._left <= 0) & ~terminated & ~truncated
        truncated = truncated | late
        if late.any():
            state = self._adapter.save(self.env)
            state["bookkeeping"]["done"] |= late
            self._adapter.load(self.env, state)
        if begun.any():
            observations = self._place(begun, observations, infos)
        self._ended = (terminated | truncated) & self._is_automatic
        return observations, rewards, terminated, truncated, infos

    def _place(self, rows: NDArray[np.bool_], observations: Any, infos: dict[str, Any]) -> Any:
        """Put rows into snapshots, and return the observations with those of the snapshots."""
        if self._steps >= self._phase:
            return observations
        assert self._random is not None
        observations = copy.deepcopy(observations)
        state = self._adapter.save(self.env)
        packed = np.resize(state["rows"], self.num_envs)
        for i in np.flatnonzero(rows).tolist():
            moment = self._lot.draw(self._random)
            *wrappers, layer = moment.state["layers"]
            content = layer["state"]
            state["states"][i], packed[i] = content["states"][0], content["rows"][0]
            state["contexts"][i] = content["contexts"][0]
            elapsed = [part["state"]["attributes"].get("_elapsed_steps") for part in wrappers]
            state["bookkeeping"]["elapsed"][i] = next((n for n in elapsed if n is not None), moment.step)
            self._left[i] = self._horizon
            _write(observations, i, moment.observation)
            _write(infos, i, {name: told for name, told in moment.info.items() if name not in _OF_A_STEP})
        is_shared = all(context == state["contexts"][0] for context in state["contexts"])
        state["rows"] = packed[:1] if is_shared else packed
        self._adapter.load(self.env, state)
        return observations


def _known(seed: Any) -> list[int]:
    """Return the seeds that are not None."""
    return [one for one in np.atleast_1d(seed).tolist() if one is not None]


#: What ``info`` tells of the step, not of where it led: it goes with the reward.
_OF_A_STEP = ("reward_terms", "cost")


def _write(batch: Any, i: int, value: Any) -> None:
    """Write ``value`` into row i of a batch, an array or a dict of them, where the batch has a place for it."""
    if not isinstance(batch, dict):
        batch[i] = value
        return
    for name in batch.keys() & value.keys():
        if isinstance(batch[name], dict | np.ndarray):
            _write(batch[name], i, value[name])


class BackwardReset(_StateReset):
    """Starts near the end of a demonstration, and earlier and earlier as the student does as well from there.

    After Salimans and Chen, "Learning Montezuma's Revenge from a Single Demonstration" (2018,
    https://arxiv.org/abs/1812.03381). An episode succeeds if its rewards sum to those of the teacher from there on. If
    enough of the last ones did, the start moves back by a snapshot; beyond the first, episodes start where the
    environment lets them.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        snapshots: Snapshots | str | Path,
        *,
        episode: int = 0,
        attempts: int = 20,
        share: float = 0.2,
        margin: float = 0.0,
        horizon: int | None = None,
    ) -> None:
        """Start ``env`` from the snapshots of one episode.

        Args:
            env: made like the teacher's.
            snapshots: what `collect_snapshots` returned, or the path of a file of them.
            episode: which of its episodes is the demonstration.
            attempts: episodes from a start until it may move.
            share: of them that must succeed.
            margin: how much less than the teacher's rewards is success too.
            horizon: an episode from a snapshot is truncated after so many steps; None: it is not.

        Raises:
            ValueError: an argument is out of range, or there is no such episode.
            StateError: the environment's state cannot be loaded.
        """
        RecordConstructorArgs.__init__(
            self, snapshots=snapshots, episode=episode, attempts=attempts, share=share, margin=margin, horizon=horizon,
            _disable_deepcopy=True,
        )  # fmt: skip
        _check_stack(env, "BackwardReset")
        if attempts < 1 or not 0.0 <= share <= 1.0:
            raise ValueError(f"attempts={attempts}, share={share}: at least 1, within [0, 1].")
        snapshots = snapshots if isinstance(snapshots, Snapshots) else read_snapshots(snapshots)
        self._demonstration = [moment for moment in snapshots.moments if moment.episode == episode]
        if not self._demonstration:
            raise ValueError(f"There are no snapshots of an episode {episode}.")
        self._attempts, self._share, self._margin = attempts, share, margin
        self._successes: list[bool] = []
        self._gained, self._is_attempt = 0.0, False
        self.place = len(self._demonstration) - 1
        """The snapshot from which episodes start; -1: none any more."""
        check_layers(env, self._demonstration[0].state)
        super().__init__(env, horizon)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, an attempt unless there are options."""
        self._gained, self._is_attempt = 0.0, False
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step; the episode's end ends an attempt."""
        observation, reward, terminated, truncated, info = super().step(action)
        self._gained += float(reward)
        if (terminated or truncated) and self._is_attempt:
            goal = self._demonstration[self.place].reward_to_go
            # The teacher's sum was rounded in another order.
            self._successes.append(self._gained >= goal - self._margin - 1e-9 * abs(goal))
        return observation, reward, terminated, truncated, info

    def _choose(self, random: np.random.Generator) -> Snapshot | None:
        if len(self._successes) >= self._attempts:
            self.place -= sum(self._successes) >= self._share * len(self._successes)
            self._successes = []
        self._is_attempt = self.place >= 0
        return self._demonstration[self.place] if self._is_attempt else None


@dataclasses.dataclass
class _Cell:
    """Of an archive: the best way that is known to a cell."""

    moment: Snapshot
    score: float
    visits: int = 0


class ArchiveReset(_StateReset):
    """Returns to cells that were reached before, rarely visited ones more often, and explores from there.

    The first phase of Go-Explore (Ecoffet et al., "First return, then explore", Nature 590, 2021). The archive holds
    for each cell the state with the highest score, the sum of rewards on the way there; among equals, the shorter way.
    A cell is drawn with a weight of 1 / sqrt(visits + 1).
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        cell: Callable[[Any, dict[str, Any]], Hashable],
        *,
        horizon: int | None = 100,
    ) -> None:
        """Keep an archive of ``env``.

        Args:
            env: any environment whose state can be saved.
            cell: what an observation and info belong to; few enough that an archive of them fits memory.
            horizon: an episode is truncated so many steps after its return; None: it is not.

        Raises:
            ValueError: ``horizon`` is out of range.
            StateError: the environment's state cannot be saved.
        """
        RecordConstructorArgs.__init__(self, cell=cell, horizon=horizon)
        self._cell = cell
        self._score, self._length = 0.0, 0  # of the way to the present
        self.archive: dict[Hashable, _Cell] = {}
        super().__init__(env, horizon)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Return to a cell; the first episode starts where the environment lets it."""
        self._score, self._length = 0.0, 0
        observation, info = super().reset(seed=seed, options=options)
        self._visit(observation, info)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step, and keep where it led."""
        observation, reward, terminated, truncated, info = super().step(action)
        self._score += float(reward)
        self._length += 1
        if not terminated and not truncated:
            self._visit(observation, info)
        return observation, reward, terminated, truncated, info

    def _visit(self, observation: Any, info: dict[str, Any]) -> None:
        name = self._cell(observation, info)
        known = self.archive.get(name)
        if known is None or (self._score, -self._length) > (known.score, -known.moment.step):
            seen, heard = copy.deepcopy((observation, info))
            moment = Snapshot(save_state(self.env), seen, heard, math.nan, 0, self._length, math.nan)
            known = _Cell(moment, self._score, known.visits if known else 0)
            self.archive[name] = known
        known.visits += 1

    def _choose(self, random: np.random.Generator) -> Snapshot | None:
        if not self.archive:
            return None
        cells = list(self.archive.values())
        weights = np.array([cell.visits + 1.0 for cell in cells]) ** -0.5
        chosen = cells[random.choice(len(cells), p=weights / weights.sum())]
        self._score, self._length = chosen.score, chosen.moment.step
        return chosen.moment
