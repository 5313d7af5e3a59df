"""What an agent sees of a page: tensors of fixed shapes with masks, or a text."""

from __future__ import annotations

import functools
import struct
from array import array
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..core.problem import Observations
from .actions import is_typable
from .dom import Element
from .page import Page
from .tokens import BUCKETS, encode, survey, vocabulary

#: What is told of a node, each as words.
ATTRIBUTES = ("tag", "text", "value", "name", "classes")
#: What else is true of a node. A leaf has no visible node inside; a new one was not there before the step.
FEATURES = ("focused", "tampered", "new", "typable", "checked", "disabled", "text", "leaf")
_FOCUSED, _TAMPERED, _NEW, _TYPABLE, _CHECKED, _DISABLED, _TEXT, _LEAF = (1 << i for i in range(len(FEATURES)))
#: The features of each sum of the numbers above, int8 as bytes.
_BITS = [bytes(state >> i & 1 for i in range(len(FEATURES))) for state in range(1 << len(FEATURES))]
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


def layout(task: str, elements: int | None, fields: int | None, tokens: int | None) -> Layout:
    """Return the layout of a task: what is given, and for the rest what its pages were found to need.

    Raises:
        ValueError: one of the numbers is not positive.
    """
    given = {"elements": elements, "fields": fields, "tokens": tokens}
    for name, value in given.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} = {value!r}: at least 1 is needed, or None for what the task's pages need.")
    usual = survey()["sizes"].get(task, _USUAL)
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
        #: Per buffer: name and size of each part. Sizes and starts count bytes.
        self.parts: list[list[tuple[str, int]]] = [[] for _ in self.dtypes]
        self.starts: dict[str, int] = {}
        for name, _, buffer, columns in observations.slices:
            assert name is not None
            width = self.dtypes[buffer].itemsize
            self.starts[name] = columns.start * width
            self.parts[buffer].append((name, (columns.stop - columns.start) * width))

    def __reduce__(self) -> tuple[Any, ...]:
        return _plan, (self.layout,)

    def join(self, parts: dict[str, bytes]) -> tuple[bytearray, ...]:
        """Return buffers whose parts begin as given and go on with zeros."""
        return tuple(bytearray().join(parts[name].ljust(size, b"\0") for name, size in sizes) for sizes in self.parts)


@functools.cache
def _plan(layout: Layout) -> _Plan:
    return _Plan(layout)


#: The buffers' places, in the order in which the space has dtypes.
_FLAGS, _NUMBERS = 0, 1
_NUMBER = struct.Struct("h")


class View:
    """The tensors that show a page; only what has changed is written.

    Attributes:
        buffers: the observation, flat, int8 and int16, as `core.Problem` has it.
        count: how many nodes the page has.
    """

    def __init__(self, layout: Layout, page: Page, fields: tuple[tuple[str, str], ...]) -> None:
        """Show ``page``, whose instruction is ``fields``."""
        self.layout, self._plan = layout, _plan(layout)
        shown = [encode(field, layout.tokens) for field in fields[: layout.fields]]
        self._fields, self._field_mask = b"".join(row for row, _ in shown), b"\1" * len(shown)
        self._omitted = max(len(fields) - layout.fields, 0) + sum(cut for _, cut in shown)
        none = bytes(layout.fields)
        # The masks of a node that is no leaf, of a leaf, and of one that takes typing.
        self._masks = b"\0" + none, b"\1" + none, b"\1" + self._field_mask.ljust(layout.fields, b"\0")
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
        nodes = page.nodes()[: self.layout.elements]
        self._places = {node.element: place for place, node in enumerate(nodes) if not node.is_text}
        self._structure = page.document.structure

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what points into the page or the buffers, see `attach`."""
        return self.__dict__ | {"_places": {}, "buffers": ()}

    def refresh(self, page: Page) -> None:
        """Show what has changed."""
        document = page.document
        if document.structure != self._structure:
            self._list(page)
        else:
            if self._has_new:
                start, size = self._plan.starts["features"], self.layout.elements * len(FEATURES)
                self.buffers[_FLAGS][start : start + size][FEATURES.index("new") :: len(FEATURES)] = 0
                self._has_new = False
            for element in document.touched:
                if (place := self._places.get(element)) is not None:
                    self._show(page, element, place)
            document.touched.clear()
        self._tell_time(page)

    def place(self, element: Element) -> int | None:
        """Return where an element is shown, or None."""
        return self._places.get(element)

    @property
    def mask(self) -> NDArray[np.int8]:
        """The actions that are allowed, shape (actions,)."""
        start = self._plan.starts["action_mask"]
        return self.buffers[_FLAGS][start : start + self.layout.actions]

    def is_allowed(self, action: int) -> bool:
        """Return whether the mask has an action."""
        return self._written[_FLAGS][self._plan.starts["action_mask"] + action] != 0

    @property
    def omitted(self) -> int:
        """How many nodes, fields and words there is no room for."""
        return self._omitted + max(self.count - self.layout.elements, 0) + sum(self._cuts)

    def _list(self, page: Page, is_first: bool = False) -> None:
        """Show all nodes."""
        length = self.layout.tokens
        nodes = page.nodes()
        shown = nodes[: self.layout.elements] if len(nodes) > self.layout.elements else nodes
        parents = {node.parent for node in shown}
        before, focused = self._places, page.focused
        places: dict[Element, int] = {}
        rows, cuts, features, masks = [], [], [], []
        for place, node in enumerate(shown):
            element = node.element
            if node.is_text:
                row, cut = encode(("t", node.text or "", "", "", ""), length)
                state = _TEXT
            else:
                places[element] = place
                row, cut = _encode(element, node.text, length)
                state = _state(element, focused)
            if not is_first and element not in before:
                state |= _NEW
            if place not in parents:
                state |= _LEAF
            rows.append(row)
            cuts.append(cut)
            features.append(_BITS[state])
            masks.append(self._masks[_reach(state)])
        self._written = self._plan.join(
            {
                "action_mask": b"".join(masks),
                "depth": array("h", [node.depth for node in shown]).tobytes(),
                "element_mask": b"\1" * len(shown),
                "elements": b"".join(rows),
                "features": b"".join(features),
                "field_mask": self._field_mask,
                "fields": self._fields,
                "parent": array("h", [node.parent + 1 for node in shown]).tobytes(),
                "time": b"",
            }
        )
        self._read()
        self._places, self._structure, self._cuts = places, page.document.structure, cuts
        self._has_new, self.count = not is_first, len(nodes)
        page.document.touched.clear()

    def _show(self, page: Page, element: Element, place: int) -> None:
        """Show one element again."""
        flags, numbers = self._written
        starts, row_size, actions = self._plan.starts, 2 * len(ATTRIBUTES) * self.layout.tokens, 1 + self.layout.fields
        row, self._cuts[place] = _encode(element, page.nodes()[place].text, self.layout.tokens)
        start = starts["elements"] + place * row_size
        numbers[start : start + row_size] = row
        start = starts["features"] + place * len(FEATURES)
        end = start + len(FEATURES)
        state = _state(element, page.focused) | (_LEAF if flags[end - 1] else 0)
        flags[start:end] = _BITS[state]
        start = starts["action_mask"] + place * actions
        flags[start : start + actions] = self._masks[_reach(state)]

    def _tell_time(self, page: Page) -> None:
        start = self._plan.starts["time"]
        share = int(min(1000.0 * page.time / page.limit, 1000.0))
        _NUMBER.pack_into(self._written[_NUMBERS], start, share)

    def _read(self) -> None:
        """Let the arrays show what is written."""
        pairs = zip(self._written, self._plan.dtypes, strict=True)
        self.buffers = tuple(np.frombuffer(written, dtype) for written, dtype in pairs)


def _reach(state: int) -> int:
    """Return what can be done to a node: 0 nothing, 1 a click, 2 typing too."""
    return 0 if not state & _LEAF else 2 if state & _TYPABLE else 1


def _encode(element: Element, text: str | None, length: int) -> tuple[bytes, int]:
    """Return the attributes of an element, see `tokens.encode`."""
    value = "" if element.tag in ("INPUT_checkbox", "INPUT_radio", "OPTION") else element.value
    placeholder = element.attributes.get("placeholder")
    name = f"{element.id} {placeholder}" if placeholder else element.id
    return encode((element.tag, text or "", value, name, element.classes), length)


def _state(element: Element, focused: Element | None) -> int:
    """Return the sum of an element's features."""
    state = _FOCUSED if element is focused else 0
    if element.is_tampered:
        state += _TAMPERED
    if element.is_checked:
        state += _CHECKED
    if is_typable(element):
        state += _TYPABLE
    if element.attributes and element.is_disabled:
        state += _DISABLED
    return state


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
