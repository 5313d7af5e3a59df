"""Is an embedded page what a browser shows? Random episodes in both, step by step, and the browser's as a recording."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.problem import Observations
from .. import actions, observations
from ..params import Browsing
from ..session import Session, Task
from ..tasks import TASKS
from .driver import PageError
from .page import BrowserPage

#: The oracle's share of the actions: random play alone sees little of a task.
ORACLE = 0.3
#: Attributes of a page that must agree.
_TOLD = ("utterance", "fields", "limit", "time", "is_done", "raw_reward", "reward")


class Verdict(NamedTuple):
    """What one episode has shown."""

    seed: int
    steps: int  # taken, up to the first difference
    difference: str  # the first, in words; empty if there was none


class Shown(NamedTuple):
    """What the browser showed after a step, or at the start."""

    element: int | None  # what was clicked: its place among the elements
    text: str | None  # what was typed
    page: dict[str, Any]  # see `Page.dump`
    rewards: tuple[float, float] | None  # raw and scaled, at the end


class Recording(NamedTuple):
    """An episode as the browser showed it."""

    task: str
    seed: int
    utterance: str
    shown: list[Shown]


class Episode:
    """An episode that is played on the embedded page and in the browser at the same time.

    Attributes:
        embedded: the embedded side.
        browser: the other one.
        recording: what the browser showed, so far.
    """

    def __init__(self, kind: type[BrowserPage], seed: int) -> None:
        """Start the instance ``seed`` of the task of ``kind`` in both."""
        self._layout = observations.layout(kind.name, None, None, None)
        self._observations = Observations(observations.space(self._layout))
        self._random = np.random.default_rng(seed)
        self.embedded, self.browser = (
            Session(Task(page, self._layout, "raw", False), seed, Browsing(limit_ms=page.limit))
            for page in (TASKS[kind.name], kind)
        )
        self.recording = Recording(kind.name, seed, self.browser.page.utterance, [self._shown(None, None)])

    def difference(self) -> str:
        """Return in what the two differ first, or nothing."""
        here, there = self.embedded.page, self.browser.page
        for name in _TOLD:
            if getattr(here, name) != getattr(there, name):
                return f"{name}: embedded {getattr(here, name)!r}, browser {getattr(there, name)!r}"
        for embedded, browser in zip(self._told(self.embedded), self._told(self.browser), strict=False):
            if embedded != browser:
                return f"embedded {embedded}, browser {browser}"
        embedded_view, browser_view = self._tensors(self.embedded), self._tensors(self.browser)
        different = [name for name, tensor in embedded_view.items() if not np.array_equal(tensor, browser_view[name])]
        return f"observation: {', '.join(different)}" if different else ""

    def step(self) -> str:
        """Take a step in both; return what was done."""
        action = self._choose()
        place, kind = actions.decode(action, self._layout.fields)
        nodes = self.embedded.page.nodes()
        clicked = nodes[place].element
        element = [node.element for node in nodes if not node.is_text].index(clicked)
        text = self.embedded.fields[kind - 1][1] if kind else None
        self.embedded.step([float(action)])
        self.browser.step([float(action)])
        self.recording.shown.append(self._shown(element, text))
        return f"{'click' if text is None else f'type {text!r}'} at {place} {clicked!r}"

    def _choose(self) -> int:
        """Return an action of the oracle, or a random one: clicks and typing equally often where both are allowed."""
        if self._random.random() < ORACLE:
            try:
                return self.embedded.oracle()
            except LookupError:
                pass  # what it would do is no action
        mask = self.embedded.view.mask.reshape(-1, 1 + self._layout.fields)
        place = int(self._random.choice(np.flatnonzero(mask.any(axis=1))))
        fields = np.flatnonzero(mask[place, 1:])
        is_typing = len(fields) > 0 and self._random.random() < 0.5
        kind = 1 + int(self._random.choice(fields)) if is_typing else actions.CLICK
        return actions.encode(place, kind, self._layout.fields)

    def _tensors(self, session: Session) -> dict[str, NDArray[Any]]:
        parts = self._observations.views(tuple(buffer[None] for buffer in session.view.buffers), 0)
        return {str(name): part for name, part in parts}

    def _told(self, session: Session) -> list[str]:
        """Return what an agent is told of each node, as a reader would see it."""
        lines = []
        features = self._tensors(session)["features"]
        for place, (node, row) in enumerate(zip(session.page.nodes(), features, strict=False)):
            told = [f"{place} in {node.parent}: {node.tag}", repr(node.text)]
            if not node.is_text:
                element = node.element
                is_box = element.tag in ("INPUT_checkbox", "INPUT_radio", "OPTION")
                told += [f"id={element.id!r} class={element.classes!r} value={'' if is_box else element.value!r}"]
            told += [name for name, is_set in zip(observations.FEATURES, row, strict=True) if is_set]
            lines.append(" ".join(told))
        return lines

    def _shown(self, element: int | None, text: str | None) -> Shown:
        page = self.browser.page
        return Shown(element, text, page.dump(), (page.raw_reward, page.reward) if page.is_done else None)


def play(kind: type[BrowserPage], seed: int, steps: int) -> tuple[Verdict, Recording | None]:
    """Play an episode in both until it ends, they differ, or ``steps`` are taken.

    Returns:
        What it has shown, and the recording; None if it could not be started.
    """
    episode, taken, done = None, 0, "the start"
    try:
        episode = Episode(kind, seed)
        difference = episode.difference()
        while not difference and taken < steps and not episode.embedded.page.is_done:
            done = episode.step()
            taken += 1
            difference = episode.difference()
    except PageError as error:
        difference = str(error)
    verdict = Verdict(seed, taken, f"after {done}: {difference}" if difference else "")
    return verdict, episode.recording if episode is not None else None


def packed(node: dict[str, Any]) -> list[Any]:
    """Return a node as recordings hold it: tag, text, value, id, classes, children."""
    return [*map(node.get, ("tag", "text", "value", "id", "classes")), [packed(c) for c in node.get("children", ())]]
