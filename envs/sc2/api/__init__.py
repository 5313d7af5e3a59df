"""The SC2 API, served by the embedded engine: in the process of a pysc2 program, and over a websocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import lazily

if TYPE_CHECKING:
    from .compat import prepare
    from .inprocess import forced, installation
    from .server import serve
    from .session import Session
    from .stub import install

__all__ = ["Session", "forced", "install", "installation", "prepare", "serve"]

__getattr__ = lazily(
    __name__,
    {
        "Session": "session",
        "forced": "inprocess",
        "install": "stub",
        "installation": "inprocess",
        "prepare": "compat",
        "serve": "server",
    },
)
