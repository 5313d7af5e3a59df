"""Actions as numbers: which node of the page, and a click or one of the fields to type."""

from __future__ import annotations

from .dom import Element, Node

#: Controls that typing changes.
_TYPABLE = frozenset(
    {f"INPUT_{kind}" for kind in ("text", "password", "search", "email", "tel", "url", "number", "date", "time")}
    | {"TEXTAREA", "SELECT"}
)
CLICK = 0


def encode(place: int, kind: int, fields: int) -> int:
    """Return the number of an action.

    Args:
        place: of the node, in the order of the page.
        kind: `CLICK`, or 1 + the place of the field to type after a click.
        fields: how many there may be.
    """
    return place * (1 + fields) + kind


def decode(action: int, fields: int) -> tuple[int, int]:
    """Return place and kind, see `encode`."""
    return divmod(action, 1 + fields)


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
