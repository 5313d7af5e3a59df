"""What an agent sees of a page: tensors of fixed shapes with masks, or a text."""

from __future__ import annotations

import functools
import itertools
import operator
import struct
from array import array
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..core.problem import Observations
from .actions import is_typable
from .dom import Element, Outline
from .page import Page
from .tokens import BUCKETS, encode, survey, vocabulary

#: What is told of a node, each as words.
ATTRIBUTES = ("tag", "text", "value", "name", "classes")
#: What else is true of a node. A leaf has no visible node inside; a new one was not there before the step.
FEATURES = ("focused", "tampered", "new", "typable", "checked", "disabled", "text", "leaf")
_FOCUSED, _TAMPERED, _NEW, _TYPABLE, _CHECKED, _DISABLED, _TEXT, _LEAF = (1 << i for i in range(len(FEATURES)))
#: The features of each sum of the numbers above, int8 as bytes.
_BITS = [bytes(state >> i & 1 for i in range(len(FEATURES))) for state in range(1 << len(FEATURES))]
#: The buffers' places, in the order in which the space has dtypes.
_FLAGS, _NUMBERS = 0, 1
_NUMBER = struct.Struct("h")
#: Of a task that no survey has seen.
_USUAL = (128, 8, 16)


class Layout(NamedTuple):
    """How much of a page there is room for."""

    elements: int
    fields: int
    tokens: int  # words of a text

    @property
    def actions(self) -> int:
        """The number of actions."""
        return self.elements * (1 + self.fields)


def layout(
    task: str,
    elements: int | None = None,
    fields: int | None = None,
    tokens: int | None = None,
    room: tuple[int, int, int] | None = None,
) -> Layout:
    """Return the layout of a task: what is given, and for the rest ``room``, or what its pages were found to need.

    Raises:
        ValueError: one of the numbers is not positive.
    """
    given = {"elements": elements, "fields": fields, "tokens": tokens}
    for name, value in given.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} = {value!r}: at least 1 is needed, or None for what the task's pages need.")
    usual = room or survey()["sizes"].get(task, _USUAL)
    return Layout(*(most if value is None else value for value, most in zip(given.values(), usual, strict=True)))


def space(layout: Layout) -> spaces.Dict:
    """Return the space of observations; the environment's docstring says what they are."""
    elements, fields, tokens = layout
    last = BUCKETS + len(vocabulary())
    shapes: dict[str, tuple[int, tuple[int, ...], type]] = {
        "action_mask": (1, (layout.actions,), np.int8),
        "depth": (elements, (elements,), np.int16),
        "element_mask": (1, (elements,), np.int8),
        "elements": (last, (elements, len(ATTRIBUTES), tokens), np.int16),
        "features": (1, (elements, len(FEATURES)), np.int8),
        "field_mask": (1, (fields,), np.int8),
        "fields": (last, (fields, 2, tokens), np.int16),
        "parent": (elements, (elements,), np.int16),
        "time": (1000, (1,), np.int16),
    }
    return spaces.Dict({name: spaces.Box(0, high, shape, dtype) for name, (high, shape, dtype) in shapes.items()})


class _Plan:
    """Where the parts of an observation lie in its buffers, one of int8 (flags) and one of int16 (numbers)."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        observations = Observations(space(layout))
        self.dtypes = [np.dtype(dtype) for dtype in observations.dtypes]
        self.row_size = len(ATTRIBUTES) * layout.tokens * _NUMBER.size
        #: Of the buffers; sizes count bytes, as do the starts and ends below.
        self.sizes = [width * dtype.itemsize for width, dtype in zip(observations.widths, self.dtypes, strict=True)]
        #: Of each part: its buffer, start and end.
        self.spans: dict[str, tuple[int, int, int]] = {}
        for name, _, buffer, columns in observations.slices:
            assert name is not None
            width = self.dtypes[buffer].itemsize
            self.spans[name] = buffer, columns.start * width, columns.stop * width

    def __reduce__(self) -> tuple[Any, ...]:
        return _plan, (self.layout,)

    def write(self, buffers: tuple[bytearray, ...], parts: dict[str, bytes]) -> None:
        """Let parts of the buffers begin as given and go on with zeros."""
        for name, part in parts.items():
            buffer, start, end = self.spans[name]
            buffers[buffer][start:end] = part.ljust(end - start, b"\0")


@functools.cache
def _plan(layout: Layout) -> _Plan:
    return _Plan(layout)


#: What is told of an element as long as it is not touched: its text; its attributes, and how many words of theirs do
#: not fit; the sum of its features, but for new and leaf, which go with its place.
Told: TypeAlias = tuple[str | None, bytes, int, int]


@functools.lru_cache(256)
def _masks(fields: int, shown: int) -> list[bytes]:
    """Return, by sums of features, what a node takes: a click, any of the ``fields``; ``shown`` of them are there."""
    click, typing = bytes([1] + fields * [0]), bytes((1 + shown) * [1] + (fields - shown) * [0])
    sums = range(len(_BITS))
    return [bytes(1 + fields) if not s & _LEAF else typing if s & _TYPABLE else click for s in sums]


class View:
    """The tensors that show a page; only what has changed is written.

    Attributes:
        buffers: the observation, flat, int8 and int16, as `core.Problem` has it.
        mask: of it, the actions that are allowed, shape (actions,).
        count: how many nodes the page has.
        omitted: how many nodes, fields and words there is no room for.
    """

    def __init__(self, layout: Layout, page: Page, fields: tuple[tuple[str, str], ...]) -> None:
        """Show ``page``, whose instruction is ``fields``."""
        self.layout, self._plan = layout, _plan(layout)
        self._written = tuple(map(bytearray, self._plan.sizes))
        self._read()
        shown = [encode(field, layout.tokens) for field in fields[: layout.fields]]
        self._plan.write(
            self._written, {"field_mask": b"\1" * len(shown), "fields": b"".join([row for row, _ in shown])}
        )
        self._omitted = max(len(fields) - layout.fields, 0) + sum(cut for _, cut in shown)
        self._masks = _masks(layout.fields, len(shown))
        self._told: dict[Element, Told] = {}
        self._places: dict[Element, int] = {}
        self._has_new = False
        self._list(page, is_first=True)
        self._tell_time(page)

    def copy(self, page: Page) -> View:
        """Return the view of a copy of its page."""
        twin: View = object.__new__(View)
        twin.__dict__.update(self.__dict__)
        twin._written = tuple(map(bytearray, self._written))
        twin._cuts = self._cuts.copy()
        twin.attach(page)
        return twin

    def attach(self, page: Page) -> None:
        """Go on with ``page``, which is a copy of the page that is shown."""
        self._read()
        self._told = {}
        self._places = _places(page.document.outline(), self.layout.elements)
        self._outline = page.document.outline()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what points into the page or the buffers, see `attach`."""
        return self.__dict__ | {"_told": {}, "_places": {}, "_outline": None, "buffers": (), "mask": None}

    def refresh(self, page: Page) -> None:
        """Show what has changed."""
        document = page.document
        outline, before = document.outline(), self._outline
        if outline is not before and not outline.has_shape_of(before):
            self._list(page)
        else:
            if self._has_new:
                _, start, end = self._plan.spans["features"]
                self.buffers[_FLAGS][start:end][FEATURES.index("new") :: len(FEATURES)] = 0
                self._has_new = False
            if outline is not before:
                self._replace(page)
            if document.touched:
                texts, focused = outline.texts, page.focused
                for element in document.touched:
                    if (place := self._places.get(element)) is not None:
                        self._show(element, place, texts[place], focused)
                document.touched.clear()
        self._tell_time(page)

    def place(self, element: Element) -> int | None:
        """Return where an element is shown, or None."""
        return self._places.get(element)

    def is_allowed(self, action: int) -> bool:
        """Return whether the mask has an action."""
        return self._written[_FLAGS][self._plan.spans["action_mask"][1] + action] != 0

    def _list(self, page: Page, is_first: bool = False) -> None:
        """Show all nodes."""
        length, document, focused = self.layout.tokens, page.document, page.focused
        outline, count = document.outline(), self.layout.elements
        elements, are_texts, texts = outline.elements[:count], outline.are_texts[:count], outline.texts[:count]
        parents = outline.parents[:count]
        has_inside = set(parents)
        before, known = self._places, self._told
        for element in document.touched:
            known.pop(element, None)
        document.touched.clear()
        new = 0 if is_first else _NEW
        everything: dict[Element, Told] = {}
        rows, cuts, states = [], [], []
        for place, (element, is_text, text) in enumerate(zip(elements, are_texts, texts, strict=True)):
            if is_text:
                _, row, cut, state = _tell_text(text, length)
            else:
                told = known.get(element)
                if told is None or told[0] != text:
                    told = _tell(element, text, focused, length)
                everything[element] = told
                _, row, cut, state = told
            if element not in before:
                state |= new
            if place not in has_inside:
                state |= _LEAF
            rows.append(row)
            cuts.append(cut)
            states.append(state)
        self._plan.write(
            self._written,
            {
                "action_mask": b"".join([self._masks[state] for state in states]),
                "depth": array("h", outline.depths[:count]).tobytes(),
                "element_mask": b"\1" * len(rows),
                "elements": b"".join(rows),
                "features": b"".join([_BITS[state] for state in states]),
                "parent": array("h", [parent + 1 for parent in parents]).tobytes(),
            },
        )
        self._told, self._places = everything, _places(outline, count)
        self._outline, self._cuts = outline, cuts
        self._has_new, self.count = not is_first, len(outline.elements)
        self.omitted = self._omitted + max(self.count - self.layout.elements, 0) + sum(cuts)

    def _replace(self, page: Page) -> None:
        """Show the nodes that have taken the places of others, in an outline of the same shape."""
        before, known, focused = self._outline, self._places, page.focused
        outline = self._outline = page.document.outline()
        self._places = _places(outline, self.layout.elements)
        are_others = map(operator.is_not, outline.elements, before.elements)
        are_reworded = map(operator.ne, outline.texts, before.texts)
        are_changed = map(operator.or_, are_others, are_reworded)
        for place in itertools.compress(range(self.layout.elements), are_changed):
            self._told.pop(before.elements[place], None)
            element, text = outline.elements[place], outline.texts[place]
            if outline.are_texts[place]:
                told = _tell_text(text, self.layout.tokens)
            else:
                told = self._told[element] = _tell(element, text, focused, self.layout.tokens)
            is_new = element not in known
            self._write(place, told, _NEW if is_new else 0)
            self._has_new |= is_new

    def _show(self, element: Element, place: int, text: str | None, focused: Element | None) -> None:
        """Show one element again."""
        told = _tell(element, text, focused, self.layout.tokens)
        if told != self._told.get(element):
            self._told[element] = told
            self._write(place, told)

    def _write(self, place: int, told: Told, new: int = 0) -> None:
        """Show what is told of the node at ``place``; ``new`` is `_NEW` or 0."""
        _, row, cut, state = told
        self.omitted += cut - self._cuts[place]
        self._cuts[place] = cut
        (flags, numbers), spans, row_size = self._written, self._plan.spans, self._plan.row_size
        start = spans["elements"][1] + place * row_size
        numbers[start : start + row_size] = row
        start = spans["features"][1] + place * len(FEATURES)
        end = start + len(FEATURES)
        state |= new | (_LEAF if flags[end - 1] else 0)
        flags[start:end] = _BITS[state]
        mask = self._masks[state]
        start = spans["action_mask"][1] + place * len(mask)
        flags[start : start + len(mask)] = mask

    def _tell_time(self, page: Page) -> None:
        _, start, _ = self._plan.spans["time"]
        share = int(min(1000.0 * page.time / page.limit, 1000.0))
        _NUMBER.pack_into(self._written[_NUMBERS], start, share)

    def _read(self) -> None:
        """Let the arrays show what is written."""
        pairs = zip(self._written, self._plan.dtypes, strict=True)
        self.buffers = tuple([np.frombuffer(written, dtype) for written, dtype in pairs])
        _, start, end = self._plan.spans["action_mask"]
        self.mask: NDArray[np.int8] = self.buffers[_FLAGS][start:end]


def _places(outline: Outline, count: int) -> dict[Element, int]:
    """Return where the elements among the first ``count`` nodes are."""
    numbered = enumerate(zip(outline.elements[:count], outline.are_texts, strict=False))
    return {element: place for place, (element, is_text) in numbered if not is_text}


def _tell_text(text: str | None, length: int) -> Told:
    """Return what is told of a text."""
    return text, *encode(("t", text or "", "", "", ""), length), _TEXT


def _tell(element: Element, text: str | None, focused: Element | None, length: int) -> Told:
    """Return what is told of an element, whose attributes have room for ``length`` words."""
    tag, attributes, name = element.tag, element.attributes, element.id
    value = "" if tag in ("INPUT_checkbox", "INPUT_radio", "OPTION") else element.value
    state = _FOCUSED if element is focused else 0
    if element.is_tampered:
        state |= _TAMPERED
    if element.is_checked:
        state |= _CHECKED
    if is_typable(element):
        state |= _TYPABLE
    if attributes:
        if element.is_disabled:
            state |= _DISABLED
        if placeholder := attributes.get("placeholder"):
            name = f"{name} {placeholder}"
    row, cut = encode((tag, text or "", value, name, element.classes), length)
    return text, row, cut, state


def markup(page: Page) -> str:
    """Return the page as a text, a line per node, which begins with the node's place: ``[3] <BUTTON id=go>Go``."""
    lines = []
    for place, node in enumerate(page.nodes()):
        element = node.element
        if node.is_text:
            content = node.text or ""
        else:
            about = {"id": element.id, "class": element.classes, "value": element.value}
            about |= {"placeholder": element.attributes.get("placeholder", "")}
            told = [element.tag, *(f'{name}="{value}"' for name, value in about.items() if value)]
            told += ["focused"] if element is page.focused else []
            told += ["checked"] if element.is_checked else []
            content = f"<{' '.join(told)}>{node.text or ''}"
        lines.append(f"{'  ' * node.depth}[{place}] {content}")
    return "\n".join(lines)
