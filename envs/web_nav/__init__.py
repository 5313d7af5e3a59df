"""Web pages as tasks: a document that answers clicks and typing as a browser does, without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import lazily

if TYPE_CHECKING:
    from .env import WebNavEnv, WebNavVectorEnv
    from .params import Browsing
    from .tasks import TASKS

__all__ = ["FAMILY", "TASKS", "Browsing", "WebNavEnv", "WebNavVectorEnv"]

__getattr__ = lazily(
    __name__,
    {"Browsing": "params", "TASKS": "tasks", "WebNavEnv": "env", "WebNavVectorEnv": "env"},
)


def _row(id: str, summary: str, **kwargs: Any) -> dict[str, Any]:
    return {
        "id": f"rlx/{id}-v0",
        "entry_point": f"{__name__}.env:WebNavEnv",
        "vector_entry_point": f"{__name__}.env:WebNavVectorEnv",
        "max_episode_steps": 50,
        "summary": summary,
        "kwargs": kwargs,
        "tags": ("discrete", "web"),
        "paper": "https://arxiv.org/abs/1812.09195",
        "experts": {"oracle": f"{__name__}.experts:oracle"},
    }


FAMILY: dict[str, Any] = {
    "name": "web_nav",
    "extra": "web-nav",
    "title": "Web navigation",
    "environments": (
        _row("WebNav", "Do on a web page what an instruction says; the task is an argument."),
        _row("WebNavBookFlight", "Search for flights, book the cheapest or the shortest.", task="book-flight"),
        _row("WebNavClickCheckboxes", "Tick the boxes that are named, and no other.", task="click-checkboxes"),
        _row("WebNavClickDialog", "Click the button of a dialog that is named.", task="click-dialog-2"),
        _row("WebNavClickOption", "Choose one of several radio buttons.", task="click-option"),
        _row("WebNavClickTab", "Find a link behind one of three tabs.", task="click-tab-2"),
        _row("WebNavEmailInbox", "Find a message; reply, forward, delete or mark it.", task="email-inbox"),
        _row("WebNavEnterDate", "Type a date into a date control.", task="enter-date"),
        _row("WebNavEnterText", "Type a text in the case that is asked for.", task="enter-text-2"),
        _row("WebNavLoginUser", "Log in with a name and a password.", task="login-user"),
        _row("WebNavSocialMedia", "Answer all posts of a user in the way that is asked for.", task="social-media-all"),
    ),
    "commands": {"web": f"{__name__}.commands:app"},
}
