"""How far a task has come: what the oracle would leave in the page's controls, against what is in them."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from .dom import Element
from .page import Page

#: No oracle acts more often.
_MOST_ACTIONS = 200


class Goal(NamedTuple):
    """A control and what is to be in it."""

    name: str
    content: str


class Plan(NamedTuple):
    """What the oracle does."""

    goals: tuple[Goal, ...]  # in the order in which it reaches them
    reached: tuple[int, ...]  # after so many actions
    actions: int  # until the episode ends


def controls(page: Page) -> dict[str, Element]:
    """Return the controls by their id, or by their tag and number where they have none."""
    found: dict[str, Element] = {}
    for element in page.document.body.descendants():
        if element.tag.startswith("INPUT_") or element.tag in ("TEXTAREA", "SELECT"):
            found[element.id or f"{element.tag} {len(found)}"] = element
    return found


def contents(page: Page) -> dict[str, str]:
    """Return what is in the controls, by their names, see `controls`."""
    return {name: content(element) for name, element in controls(page).items()}


def content(element: Element) -> str:
    """Return what is in a control: its value, or whether it is checked."""
    if element.tag in ("INPUT_checkbox", "INPUT_radio"):
        return "checked" if element.is_checked else ""
    return element.value


def plan(page: Page, step_ms: float) -> Plan:
    """Let the oracle solve a copy of ``page``, and note which controls it changes for good."""
    twin, start = page.copy(), contents(page)
    history = [start]
    actions = 0
    for action in itertools.islice(twin.solve(), _MOST_ACTIONS):
        twin.perform(action)
        twin.advance(step_ms)
        actions += 1
        if twin.is_done:
            break
        history.append(contents(twin))
    end = history[-1]
    reached = {}
    for name, left in end.items():
        if left != start.get(name, ""):
            since = len(history) - 1
            while history[since - 1].get(name, "") == left:
                since -= 1
            reached[Goal(name, left)] = since
    goals = tuple(sorted(reached, key=reached.__getitem__))
    return Plan(goals, tuple(reached[goal] for goal in goals), actions)


def share_reached(page: Page, goals: tuple[Goal, ...]) -> float:
    """Return the share of the goals that are reached; 0 without goals."""
    if not goals:
        return 0.0
    found = contents(page)
    return sum(found.get(goal.name) == goal.content for goal in goals) / len(goals)
