"""Steps per second in a browser, next to MiniWoB++'s own environment (Selenium, screenshots off), in turns.

``python -m rlx.envs.web_nav.browser.speed``, with ``chromedriver`` on the ``PATH`` for the other side. Each step clicks
a field of login-user and types a value of the instruction; neither side waits.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import DependencyNotInstalled

from .. import actions, observations
from ..params import Browsing
from ..session import Session, Task
from .driver import FLAGS
from .find import find
from .page import BrowserPage, pages

_ROUNDS = 5
_STEPS, _RESETS = 100, 10
_LENGTH = 10  # steps of a short episode
_COLUMNS = ("steps", "resets", f"steps in episodes of {_LENGTH}, resets included")


class Player(NamedTuple):
    """One side.

    ``reset(seed)`` starts an instance; ``step(state, k)`` types into one of the two fields, by turns, and returns the
    next state.
    """

    reset: Callable[[int], Any]
    step: Callable[[Any, int], Any]

    def rates(self) -> tuple[float, float, float]:
        """Measure what `_COLUMNS` name, per second."""
        state = self.reset(0)
        start = time.perf_counter()
        for k in range(_STEPS):
            state = self.step(state, k)
        stepped = time.perf_counter()
        for seed in range(_RESETS):
            self.reset(seed)
        again = time.perf_counter()
        for k in range(_STEPS):
            state = self.step(state if k % _LENGTH else self.reset(k), k)
        return _STEPS / (stepped - start), _RESETS / (again - stepped), _STEPS / (time.perf_counter() - again)


def ours(kind: type[BrowserPage]) -> Player:
    """Return the player of login-user in a browser."""
    layout = observations.layout(kind.name, None, None, None)
    task, browsing = Task(kind, layout, "raw", False), Browsing(limit_ms=kind.limit, step_ms=0.0)

    def step(session: Session, k: int) -> Session:
        places = [place for place, node in enumerate(session.page.nodes()) if node.tag.startswith("INPUT")]
        session.step([actions.encode(places[k % 2], 1 + k % 2, layout.fields)])
        return session

    return Player(lambda seed: Session(task, seed, browsing), step)


def theirs(env: Any) -> Player:
    """Return the player of MiniWoB++'s own environment."""
    from miniwob.action import ActionTypes

    def step(observation: Any, k: int) -> Any:
        inputs = [element for element in observation["dom_elements"] if element["tag"].startswith("input")]
        kind = ActionTypes.FOCUS_ELEMENT_AND_TYPE_FIELD
        observation, _, is_done, _, _ = env.step(env.create_action(kind, ref=inputs[k % 2]["ref"], field=k % 2))
        # Its time limit is a clock on the wall.
        return env.reset(seed=k)[0] if is_done else observation

    return Player(lambda seed: env.reset(seed=seed)[0], step)


def _miniwob(folder: Path) -> Any:
    """Return MiniWoB++'s environment; its browser is started by a script in ``folder``, since it takes no flags."""
    driver = shutil.which("chromedriver")
    if driver is None:
        raise DependencyNotInstalled("MiniWoB++'s own environment needs chromedriver: apt-get install chromium-driver")
    program = folder / "browser"
    program.write_text(f'#!/bin/sh\nexec "{find()}" --headless --no-sandbox {" ".join(FLAGS)} "$@"\n')
    program.chmod(0o755)
    os.environ |= {"MINIWOB_CHROME_BINARY": str(program), "MINIWOB_CHROMEDRIVER": driver}
    import gymnasium
    import miniwob  # noqa: F401

    env: Any = gymnasium.make("miniwob/login-user-v1").unwrapped
    env.set_record_screenshots(False)
    return env


def main() -> None:
    """Measure, and print a table in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        kind, env = pages("login-user"), _miniwob(Path(folder))
        players = {'`backend="browser"`': ours(kind), "MiniWoB++, screenshots off": theirs(env)}
        rates: dict[str, list[tuple[float, ...]]] = {name: [] for name in players}
        for _ in range(_ROUNDS):
            for name, player in players.items():
                rates[name].append(player.rates())
        env.close()
        kind.site.close()
    print(f"| per second | {' | '.join(_COLUMNS)} |\n|---|{'---|' * len(_COLUMNS)}")
    for name, rounds in rates.items():
        print(f"| {name} | {' | '.join(f'{rate:.1f}' for rate in np.median(rounds, axis=0))} |")
    print(f"\nMedians of {_ROUNDS} rounds, by turns; load average {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
