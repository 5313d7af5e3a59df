"""Games that pysc2 plays, as simulations."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..core import INFO, REWARD, TERMINATED, TRUNCATED
from .game import PySC2Game, Seen
from .layers import PLAYER

#: What an observation holds, in the order of its keys.
KEYS = ("control_groups", "feature_minimap", "feature_screen", "player")
_MINERALS, _VESPENE, _FOOD_USED, _FOOD_CAP = (
    PLAYER.index(name) for name in ("minerals", "vespene", "food_used", "food_cap")
)


class Matches:
    """Starts matches, and uses a game again when the match before is over: a game takes long to start."""

    def __init__(self, screen_layers: NDArray[np.int64], minimap_layers: NDArray[np.int64], **arguments: Any) -> None:
        """Prepare for matches.

        Args:
            screen_layers: the layers to show, as indexes of `layers.SCREEN`.
            minimap_layers: the same of `layers.MINIMAP`.
            **arguments: of `PySC2Game`.

        Raises:
            DependencyNotInstalled: there is no game, or pysc2 is not installed.
        """
        self.shown = {"feature_screen": screen_layers, "feature_minimap": minimap_layers}
        self._arguments = arguments
        self._games = [PySC2Game(**arguments)]
        self._idle = self._games.copy()

    def start(self, seed: int, parameters: Any) -> Match:
        """Start a match, see `Simulations`."""
        if not self._idle:
            self._games.append(PySC2Game(**self._arguments))
            self._idle.append(self._games[-1])
        return Match(self, self._idle.pop(), seed)

    def give_back(self, game: PySC2Game) -> None:
        """Keep a game for the next match."""
        self._idle.append(game)

    def close(self) -> None:
        """End all games."""
        for game in self._games:
            game.close()


class Match:
    """A match in progress."""

    def __init__(self, matches: Matches, game: PySC2Game, seed: int) -> None:
        """Start it."""
        self._matches, self._game = matches, game
        self._seen: Seen = game.reset(seed)

    def __del__(self) -> None:
        """Let others have the game."""
        self._matches.give_back(self._game)

    def copy(self) -> NoReturn:
        """Refuse to: nothing can be in two states at once that is outside of this process."""
        raise TypeError("A match of the game cannot be saved, nor go on from a saved state: backend='embedded' can.")

    def step(self, action: list[float]) -> None:
        """Call a function of pysc2."""
        self._seen = self._game.step(np.asarray(action, np.int64))

    def report(self, observation: Any, values: NDArray[np.float64], action_mask: NDArray[np.int8]) -> None:
        """Say what that has led to, see `Simulation`."""
        seen, shown = self._seen, self._matches.shown
        parts = [seen.observation[key] for key in KEYS]
        observation[len(action_mask) :] = np.concatenate(
            [(part[shown[key]] if key in shown else part).ravel() for key, part in zip(KEYS, parts, strict=True)]
        )
        action_mask[:] = 1
        action_mask[: len(seen.mask)] = seen.mask
        observation[: len(action_mask)] = action_mask
        player = seen.observation["player"]
        values[REWARD] = values[INFO] = seen.reward
        values[TERMINATED], values[TRUNCATED] = seen.terminated, seen.truncated
        values[INFO + 1 : INFO + 7] = (
            seen.score, seen.loop, player[_MINERALS], player[_VESPENE], player[_FOOD_USED], player[_FOOD_CAP],
        )  # fmt: skip
        values[INFO + 7 : INFO + 10] = np.nan  # marines made, kills and losses: the game does not tell
