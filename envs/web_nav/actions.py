"""Actions as numbers: which node of the page, and a click or one of the fields to type; or as dictionaries."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from gymnasium import spaces
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

from .dom import Element, Node

Number = TypeVar("Number", int, NDArray[np.int64])

#: Controls that typing changes.
_TYPABLE = frozenset(
    {f"INPUT_{kind}" for kind in ("text", "password", "search", "email", "tel", "url", "number", "date", "time")}
    | {"TEXTAREA", "SELECT"}
)
CLICK = 0
#: Types of an action in `Liu18`; MiniWoB++ calls them NONE, CLICK_ELEMENT and FOCUS_ELEMENT_AND_TYPE_FIELD.
NONE, CLICK_ELEMENT, TYPE_FIELD = range(3)
#: What the mask always rules out, and so does nothing: typing into the body, which is node 0.
_NOTHING = 1


def encode(place: Number, kind: Number, fields: int) -> Number:
    """Return the number of an action.

    Args:
        place: of the node, in the order of the page; or an array of as many as kinds.
        kind: `CLICK`, or 1 + the place of the field to type after a click.
        fields: how many there may be.
    """
    return place * (1 + fields) + kind


def decode(action: int, fields: int) -> tuple[int, int]:
    """Return place and kind, see `encode`."""
    return divmod(action, 1 + fields)


class Liu18(spaces.Dict):
    """Actions as Liu et al. 2018 (arXiv:1802.08802) have them: click an element, or type a field of the instruction.

    They are those of MiniWoB++'s preset of this name, with its keys: ``action_type``, see `NONE`; ``ref``, the place of
    a node; ``field``, that of a field. What a type does not use is ignored. A mask is that of the numbers.
    """

    def __init__(self, elements: int, fields: int) -> None:
        """Make the space for so many nodes and fields."""
        super().__init__(action_type=spaces.Discrete(3), ref=spaces.Discrete(elements), field=spaces.Discrete(fields))
        self.fields = fields

    def number(self, action: Any, batch: tuple[int, ...] = ()) -> NDArray[np.int64]:
        """Return the number of an action, or those of a batch of them: integers of shape ``batch`` by key.

        Raises:
            InvalidAction: it is no action; says what is.
        """
        parts = [np.asarray(action.get(key)) for key in self] if isinstance(action, dict) else []
        sizes = [int(space.n) for space in self.values() if isinstance(space, spaces.Discrete)]
        for part, size in zip(parts, sizes, strict=False):
            if part.shape != batch or part.dtype.kind not in "iu" or np.any((part < 0) | (part >= size)):
                parts = []
        if not parts:
            limits = ", ".join(f"{key} below {size}" for key, size in zip(self, sizes, strict=True))
            raise InvalidAction(
                f"An action is a dict of integers of shape {batch}: {limits}. {action!r} was given. "
                "Try env.action_space.sample()."
            )
        kind, place, field = (part.astype(np.int64) for part in parts)
        typed = np.where(kind == TYPE_FIELD, 1 + field, CLICK)
        return np.where(kind == NONE, _NOTHING, encode(place, typed, self.fields))

    def action(self, number: int) -> dict[str, np.int64]:
        """Return the action of a number, see `decode`."""
        place, kind = decode(number, self.fields)
        parts = (CLICK_ELEMENT, place, 0) if kind == CLICK else (TYPE_FIELD, place, kind - 1)
        return dict(zip(self, map(np.int64, parts), strict=True))

    def sample(self, mask: Any = None, probability: Any = None) -> dict[str, Any]:
        """Draw an action; with a mask of the numbers, one that it allows, each as likely as the others."""
        if not isinstance(mask, np.ndarray):
            return super().sample(mask, probability)
        return self.action(int(self.np_random.choice(np.flatnonzero(mask))))


def is_typable(element: Element) -> bool:
    """Return whether typing changes it."""
    attributes = element.attributes
    return element.tag in _TYPABLE and "readonly" not in attributes and "disabled" not in attributes


def leaf(nodes: list[Node], place: int) -> int:
    """Return where a click reaches the node at ``place``: a leaf inside, if possible one whose click means no more."""
    inside = [place]
    for inner in range(place + 1, len(nodes)):
        if nodes[inner].depth <= nodes[place].depth:
            break
        inside.append(inner)
    leaves = [i for i in inside if i + 1 == len(nodes) or nodes[i + 1].parent != i]
    return next((i for i in leaves if _is_quiet(nodes, i, place)), leaves[0])


def _is_quiet(nodes: list[Node], inner: int, outer: int) -> bool:
    """Return whether a click at ``inner`` meets no listener before ``outer``."""
    while inner != outer:
        node = nodes[inner]
        if not node.is_text and node.element.listeners:
            return False
        inner = node.parent
    return True
