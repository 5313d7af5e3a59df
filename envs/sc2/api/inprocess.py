"""pysc2 on the embedded engine, in one process: what it would start as a game is a session here.

Importing this registers `RlxEmbedded` with pysc2, which takes it where no game is installed, with
``--sc2_run_config=RlxEmbedded``, and inside `forced`. pysc2's own controller and protocol run over it, bytes and all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import compat

compat.patch()

from absl import flags  # noqa: E402 - pysc2 cannot be imported before
from pysc2.lib import remote_controller, sc_process  # noqa: E402
from pysc2.run_configs import lib, platforms  # noqa: E402

from .session import VERSION, Session  # noqa: E402

#: Where pysc2 looks for an installed game.
PLATFORMS = (platforms.Windows, platforms.Cygwin, platforms.MacOS, platforms.Linux)


def installation() -> tuple[str, bool]:
    """Return the folder where pysc2 looks for the game on this machine, and whether it finds one there."""
    compat.parse_flags()
    kind = next((kind for kind in PLATFORMS if kind.priority()), platforms.Linux)
    config = kind.__new__(kind)
    try:
        config.__init__()  # it knows the folder even if there is nothing
    except (OSError, sc_process.SC2LaunchError):
        return config.data_dir, False
    return config.data_dir, True


class Wire:
    """Stands where pysc2's websocket would: what is sent is answered at once."""

    def __init__(self) -> None:
        """Start a session."""
        self.session = Session()
        self.sock = self  # where pysc2 asks for the port
        self._answers: list[bytes] = []

    def getpeername(self) -> tuple[str, int]:
        """Return a host, and a port that stands for none."""
        return "embedded", 0

    def send(self, message: bytes) -> None:
        """Serve a request."""
        self._answers.append(self.session.answer_bytes(message))

    def recv(self) -> bytes:
        """Return the response to the first request that has had none."""
        return self._answers.pop(0)

    def close(self) -> None:
        """Do nothing: a session holds nothing."""


class Controller(remote_controller.RemoteController):  # type: ignore[misc]
    """pysc2's controller over a `Wire`."""

    def _connect(self, host: str, port: int, proc: Any, timeout_seconds: float) -> Wire:
        return Wire()


class Process:
    """Stands where pysc2's process of the game would."""

    def __init__(self) -> None:
        """Start a session."""
        compat.parse_flags()
        self.controller = Controller("embedded", 0, self)

    def close(self) -> None:
        """End the session."""
        self.controller.quit()

    def __enter__(self) -> Controller:
        """Return the controller."""
        return self.controller

    def __exit__(self, *_: object) -> None:
        """End the session."""
        self.close()


class RlxEmbedded(lib.RunConfig):  # type: ignore[misc]
    """pysc2's description of a game that is the embedded engine."""

    def __init__(self, version: Any = None) -> None:
        """Be of the version of the game that the engine follows, whatever is asked for."""
        self._only = lib.Version(VERSION["game_version"], VERSION["base_build"], VERSION["data_version"], None)
        super().__init__(replay_dir=os.path.abspath("replays"), data_dir="", tmp_dir=None, version=self._only)

    @classmethod
    def priority(cls) -> float:
        """Return less than an installed game's, and more than that of one that is not installed."""
        return 0.5 if installation()[1] else 2.0

    def get_versions(self, containing: str | None = None) -> dict[str, Any]:
        """Return the one version."""
        return {self._only.game_version: self._only}

    def map_data(self, map_name: str, players: int | None = None) -> bytes:
        """Return nothing: the engine knows the maps by their names."""
        return b""

    def start(self, version: Any = None, **_: Any) -> Process:
        """Start a session."""
        return Process()


@contextmanager
def forced() -> Iterator[None]:
    """Let pysc2 take the embedded engine inside the block, whether a game is installed or not."""
    compat.parse_flags()
    before, flags.FLAGS.sc2_run_config = flags.FLAGS.sc2_run_config, RlxEmbedded.name()
    try:
        yield
    finally:
        flags.FLAGS.sc2_run_config = before
