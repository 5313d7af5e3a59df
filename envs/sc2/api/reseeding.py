"""pysc2's environment, of which an episode can be given a seed."""

from __future__ import annotations

from pysc2.env import sc2_env


class ReseededEnv(sc2_env.SC2Env):  # type: ignore[misc]
    """An `SC2Env` that can create its game anew instead of restarting it, without starting the program anew."""

    _is_new = False

    def reseed(self, seed: int, is_new: bool) -> None:
        """Say how the next `reset` begins its episode.

        Args:
            seed: of the game, if it is created anew.
            is_new: create it anew.
        """
        self._random_seed, self._is_new = seed, is_new

    def _restart(self) -> None:
        if self._is_new:
            self._create_join()
        else:
            super()._restart()
