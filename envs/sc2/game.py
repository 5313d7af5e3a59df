"""The game itself behind the environment: pysc2 plays it, and shows what the embedded engine would show."""

from __future__ import annotations

import dataclasses
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from ..core.reading import one_of
from .functions import FUNCTIONS, PLACES
from .params import GAMES, LOOPS

#: Mini-games whose minerals the game does not put back when it is restarted: they are created anew.
ECONOMIES = ("CollectMineralsAndGas", "BuildMarines")
#: Seeds that the game can tell apart.
SEEDS = 2**32
_NO_OP = 0


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a step has led to."""

    observation: dict[str, NDArray[np.int16]]
    """``feature_screen`` (27, height, width), ``feature_minimap`` (11, height, width), ``player`` (11,) and
    ``control_groups`` (10, 2)."""
    mask: NDArray[np.int8]
    """(573,), the functions that are available."""
    reward: float
    """pysc2's: what the score has grown by, but 0 in the first step."""
    terminated: bool
    """All one's units are dead."""
    truncated: bool
    """The time is up."""
    score: int
    loop: int


class PySC2Game:
    """A mini-game that pysc2 plays: the installed game, or the embedded engine behind pysc2's back."""

    def __init__(
        self,
        game: str,
        screen: tuple[int, int] = (64, 64),
        minimap: tuple[int, int] = (64, 64),
        step_mul: int = 8,
        is_embedded: bool = False,
    ) -> None:
        """Make sure that there is a game; it starts with the first `reset`.

        Args:
            game: one of `GAMES`.
            screen: width and height in pixels.
            minimap: the same.
            step_mul: game loops per step.
            is_embedded: let the embedded engine stand in for the game.

        Raises:
            DependencyNotInstalled: there is no game, or pysc2 is not installed.
        """
        self.name = one_of("game", game, GAMES)
        if not is_embedded:
            require_game(game)
        self._screen, self._minimap, self._step_mul, self._is_embedded = screen, minimap, step_mul, is_embedded
        self._loops = round(GAMES[game].seconds * LOOPS)
        self._env: Any = None
        self._seeds = np.random.default_rng()
        self._available: frozenset[int] = frozenset()

    def reset(self, seed: int | None = None) -> Seen:
        """Start an episode; with a seed, a game of that seed, and the same episodes after it."""
        is_new = seed is not None or self.name in ECONOMIES
        if seed is not None:
            self._seeds = np.random.default_rng(seed)
        else:
            seed = int(self._seeds.integers(SEEDS))
        if self._env is None:
            self._env = self._open(seed % SEEDS)
        else:
            self._env.reseed(seed % SEEDS, is_new)
        return self._see(self._env.reset()[0])

    def step(self, action: NDArray[Any]) -> Seen:
        """Call a function.

        Args:
            action: its number, then all arguments, see `functions.ARGUMENTS`. What is not available does nothing.
        """
        from pysc2.lib import actions

        number = int(action[0])
        function = actions.FUNCTIONS[number if number in self._available else _NO_OP]
        arguments = [[int(action[k]) for k in PLACES[argument.name]] for argument in function.args]
        return self._see(self._env.step([actions.FunctionCall(function.id, arguments)])[0])

    def close(self) -> None:
        """End the game."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _open(self, seed: int) -> Any:
        from .api import compat

        compat.prepare()
        compat.parse_flags()
        from pysc2.env import sc2_env

        from .api.reseeding import ReseededEnv

        chosen: AbstractContextManager[None] = nullcontext()
        if self._is_embedded:
            from .api.inprocess import forced

            chosen = forced()
        with chosen:
            return ReseededEnv(
                map_name=self.name,
                players=[sc2_env.Agent(sc2_env.Race.terran)],
                agent_interface_format=sc2_env.AgentInterfaceFormat(
                    feature_dimensions=sc2_env.Dimensions(screen=self._screen, minimap=self._minimap)
                ),
                step_mul=self._step_mul,
                random_seed=seed,
            )

    def _see(self, timestep: Any) -> Seen:
        shown = timestep.observation
        available = shown.available_actions
        self._available = frozenset(available.tolist())
        mask = np.zeros(FUNCTIONS, np.int8)
        mask[available] = 1
        loop = int(shown.game_loop[0])
        return Seen(
            observation={
                name: np.clip(np.asarray(shown[name]), 0, 32767).astype(np.int16)
                for name in ("control_groups", "feature_minimap", "feature_screen", "player")
            },
            mask=mask,
            reward=float(timestep.reward or 0.0),
            terminated=timestep.last() and loop < self._loops,
            truncated=timestep.last() and loop >= self._loops,
            score=int(shown.score_cumulative[0]),
            loop=loop,
        )


def require_game(game: str) -> None:
    """Make sure that StarcraftII and the map of a mini-game are there.

    Raises:
        DependencyNotInstalled: they are not; says where they were looked for and what to do.
    """
    from .api.inprocess import installation

    folder, is_installed = installation()
    instead = "Without it: backend='embedded'."
    if not is_installed:
        told = f"SC2PATH={os.environ['SC2PATH']}" if "SC2PATH" in os.environ else "SC2PATH is not set"
        raise DependencyNotInstalled(
            f"backend='game' needs StarCraft II, and there is none in {folder} ({told}). On Linux unpack version 4.10 "
            "of https://github.com/Blizzard/s2client-proto#downloads there, elsewhere install it with Battle.net; or "
            f"set SC2PATH to where it is. {instead}"
        )
    path = Path(folder) / "Maps" / "mini_games" / f"{game}.SC2Map"
    if not path.exists():
        raise DependencyNotInstalled(
            f"backend='game' needs the map {path}. It is in "
            "https://github.com/deepmind/pysc2/releases/download/v1.2/mini_games.zip: unpack that in "
            f"{path.parent.parent}. {instead}"
        )
