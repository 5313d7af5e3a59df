"""The inverse problem: a page has been acted on, and the instruction that it would follow from is to be written.

After the meta-trainer of Gur et al. 2019, "Learning to Navigate the Web" (https://arxiv.org/abs/1812.09195), for tasks
without an expert: whoever writes such instructions sets tasks whose solution is known. A rule acts on the page at
random, and each value of the instruction that a control was to hold has to be written anew: as what the control holds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import goals
from .actions import encode, is_typable
from .dom import Element
from .fields import Fields
from .goals import Goal
from .observations import Layout
from .page import Action, Page
from .tokens import words

#: Sets the rule's random numbers apart from others of the same seed.
_STREAM = 3
#: The rule goes no further into what pops up, such as a menu.
_MOST_CHOICES = 3


class Entry(NamedTuple):
    """A field that is to be written."""

    place: int  # among the fields
    text: str  # the right value
    goal: Goal  # what the control holds that it belongs to


class Draft(NamedTuple):
    """An instruction, as far as it is written."""

    fields: Fields  # without values where there is something to write
    left: tuple[Entry, ...]
    goals: tuple[Goal, ...]  # of all entries: the state that the instruction is to lead to
    has_end: bool  # whether a click ends the episode from there
    right: int = 0  # how many entries were written right

    def write(self, place: int, text: str) -> Draft:
        """Return the draft with ``text`` as the value of the field at ``place``."""
        entry = next(entry for entry in self.left if entry.place == place)
        fields = list(self.fields)
        fields[place] = fields[place][0], text
        left = tuple(other for other in self.left if other is not entry)
        return self._replace(fields=tuple(fields), left=left, right=self.right + (text == entry.text))

    def mask(self, page: Page, layout: Layout) -> NDArray[np.int8]:
        """Return which actions write something, (actions,): of a node that says something, and a field that is left."""
        mask = np.zeros((layout.elements, 1 + layout.fields), np.int8)
        mask[np.ix_(list(offers(page, layout)), [1 + entry.place for entry in self.left])] = 1
        return mask.ravel()

    def solve(self, page: Page, layout: Layout) -> int:
        """Return an action that writes something right."""
        entry = self.left[0]
        place = next(place for place, text in offers(page, layout).items() if text == entry.text)
        return encode(place, 1 + entry.place, layout.fields)

    def __str__(self) -> str:
        """Return the instruction as a sentence, with question marks for what is left."""
        left = [entry.place for entry in self.left]
        said = [f"{key} {'?' if place in left else repr(value)}" for place, (key, value) in enumerate(self.fields)]
        return f"{', '.join(said)}."


def draft(page: Page, layout: Layout) -> tuple[Page, Draft] | None:
    """Return what the rule makes of a copy of ``page``, and its instruction; None, if there is nothing to be written.

    Where a field belongs to a control that holds nothing in the end, it is left out of the instruction.

    Args:
        page: at its start.
        layout: what there is room for.
    """
    fields = page.fields
    if not (owners := _owners(page)):
        return None
    reached = _act_at_random(page)
    shown = offers(reached, layout).values()
    controls = goals.controls(reached)
    names = {control: name for name, control in controls.items()}
    found: dict[int, tuple[str, Goal]] = {}
    for place, name in owners.items():
        if place < layout.fields and (control := controls.get(name)) is not None:
            control = next((button for button in control.radio_group() if button.is_checked), control)
            content = goals.content(control)
            if content and (text := said(control, content)) in shown:
                found[place] = text, Goal(names[control], content)
    if not found:
        return None
    kept = [place for place in range(len(fields)) if place in found or place not in owners]
    entries = tuple(Entry(kept.index(place), *entry) for place, entry in found.items())
    blank = tuple((fields[place][0], "" if place in found else fields[place][1]) for place in kept)
    return reached, Draft(blank, entries, tuple(entry.goal for entry in entries), _has_end(reached))


def offers(page: Page, layout: Layout) -> dict[int, str]:
    """Return what the visible leaves of ``page`` hold, or else say, by their places; without those that do neither."""
    outline = page.document.outline()
    parents, found = set(outline.parents), {}
    rows = zip(outline.elements, outline.are_texts, outline.texts, strict=True)
    for place, (element, is_text, text) in enumerate(rows):
        if place not in parents and place < layout.elements:
            held = "" if is_text else said(element, element.value)
            if held or text:
                found[place] = held or text or ""
    return found


def said(element: Element, content: str) -> str:
    """Return what has to be said for ``element`` to hold ``content``; of a radio button, the label."""
    if element.tag == "INPUT_radio":
        return _label(element)
    if not content or element.tag == "INPUT_checkbox":
        return ""
    if element.tag == "INPUT_date":
        year, month, day = content.split("-")
        return f"{month}/{day}/{year}"
    if element.tag == "INPUT_time":
        hour, minute = map(int, content.split(":")[:2])
        return f"{hour % 12 or 12:02}:{minute:02}{'AM' if hour < 12 else 'PM'}"
    return content


def _label(control: Element) -> str:
    label = control.closest("LABEL")
    if label is None and control.document is not None:
        everything = control.document.body.descendants()
        names = (element for element in everything if element.tag == "LABEL")
        label = next((element for element in names if element.attributes.get("for") == control.id), None)
    return "" if label is None else label.text.strip()


def _owners(page: Page) -> dict[int, str]:
    """Return the controls that the oracle makes hold what the fields say, their names by the places of the fields."""
    controls, owners = goals.controls(page), {}
    free = [goal for goal in goals.plan(page, page.parameters.step_ms).goals if goal.name in controls]
    for place, (_, value) in enumerate(page.fields):
        asked = set(words(value))
        for goal in free:
            if asked and asked <= set(words(said(controls[goal.name], goal.content))):
                owners[place] = goal.name
                free.remove(goal)
                break
    return owners


# The rule


def _act_at_random(page: Page) -> Page:
    """Return a copy of ``page`` on which all controls were visited, in any order, and nothing that ends the episode.

    What can be typed into is given one of the instruction's values that it takes; the rest is clicked. If something
    that answers clicks pops up, one of these is clicked, too.
    """
    random = np.random.default_rng((page.seed, _STREAM))
    values = [value for _, value in page.fields]
    names = list(goals.controls(page))
    for place in random.permutation(len(names)):
        control = goals.controls(page).get(names[place])
        if control is None or control.is_disabled or not page.document.is_displayed(control):
            continue
        texts = [values[k] for k in random.permutation(len(values))] if is_typable(control) else [None]
        offered: list[Element] = []
        for text in texts:
            if outcome := _tried(page, Action(control, text)):
                page, offered = outcome
                control = goals.controls(page)[names[place]]
            if control.value or offered:
                break
        for _ in range(_MOST_CHOICES):
            if offered:
                chosen = offered.pop(random.integers(len(offered)))
                page, offered = _tried(page, Action(chosen)) or (page, offered)
    return page


def _tried(page: Page, action: Action) -> tuple[Page, list[Element]] | None:
    """Return a copy of ``page`` after an action, and what can be seen since and answers clicks; None after the end."""
    twin = page.copy()
    before = set(twin.document.outline().elements)
    twin.perform(Action(twin.document.follow(page.document.path(action.element)), action.text))
    twin.advance(page.parameters.step_ms)
    if twin.is_done:
        return None
    return twin, [element for element in _answering(twin) if element not in before]


def _answering(page: Page) -> list[Element]:
    """Return the visible leaves that are no controls and answer clicks."""
    outline, controls = page.document.outline(), set(goals.controls(page).values())
    parents = set(outline.parents)
    leaves = (element for place, element in enumerate(outline.elements) if place not in parents)
    return [element for element in leaves if element not in controls and element.is_heard("click")]


def _has_end(page: Page) -> bool:
    """Return whether a click ends the episode, which time does not."""
    has_time = page.time + page.parameters.step_ms < page.limit
    return has_time and any(_tried(page, Action(element)) is None for element in _answering(page))
