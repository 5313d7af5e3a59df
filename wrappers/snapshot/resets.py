"""Resets of single environments."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.utils.seeding import np_random

from ..states import load_state, save_state
from ..states.protocol import check_layers, trust
from .collecting import check_stack, described
from .lot import Lot, end_of_phase
from .moments import Snapshot, Snapshots, read_snapshots


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
        check_stack(env, "SnapshotReset")
        self._lot, self._phase = Lot(snapshots, classes), end_of_phase(steps)
        self._lot.check(described(env))
        check_layers(env, self._lot.snapshots.moments[0].state)
        super().__init__(env, horizon)

    @property
    def samples(self) -> dict[str, int]:
        """Steps taken so far: by the student here, by the teacher for the snapshots, and by both."""
        return self._lot.samples(self._steps)

    def _choose(self, random: np.random.Generator) -> Snapshot | None:
        return self._lot.draw(random) if self._steps < self._phase else None


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
        check_stack(env, "BackwardReset")
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
