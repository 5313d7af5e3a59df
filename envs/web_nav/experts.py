"""Experts of web pages: the oracle of each task."""

from __future__ import annotations

from typing import Any

import gymnasium


class Oracle:
    """A policy that knows the page's code: it does what is left to do, from wherever the page is."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Act in ``env``, a `WebNavEnv`, wrapped or not."""
        self._env: Any = env.unwrapped

    def reset(self) -> None:
        """Do nothing: it looks at the page alone."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Choose the next action."""
        return self._env.solve()


def oracle(env: gymnasium.Env[Any, Any]) -> Oracle:
    """Return the oracle."""
    return Oracle(env)
