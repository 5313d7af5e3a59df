"""Forms of any number of elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..dom import Element
from ..page import Action, Event, Page
from ..params import Browsing, FormBrowsing
from .controls import CONTROLS, WORDS, are_filled, fill_in, said

#: The nodes of a page without controls: the body, two boxes in it, the button.
_FRAME = 4


class FormN(Page):
    """Fill in a form whose page has at most ``n`` elements.

    Controls are taken in random order, each if there is room for it, until there is room for none.
    """

    name = "form-n"
    limit = 30_000.0
    knobs = FormBrowsing

    @classmethod
    def room(cls, **given: float) -> tuple[int, int, int]:
        """Return how many elements, fields and words of a text its pages need."""
        n, smallest = _most(cls.browsing(**given)), min(control.size for control in CONTROLS.values())
        return n, min((n - _FRAME) // smallest, len(CONTROLS)), WORDS

    @classmethod
    def instructions(cls, **given: float) -> int:
        """Return how many instructions there are with the parameters of `browsing`, the order of fields not counted.

        A form has no room for a further control. So it is counted by the size of the smallest one that it leaves out.
        """
        room, sizes = _most(cls.browsing(**given)) - _FRAME, {control.size for control in CONTROLS.values()}
        count = sum(_count(size, room - size, room) - _count(size + 1, room - size, room) for size in sizes)
        return count + _count(max(sizes) + 1, -1, room)  # no control is left out

    def build(self) -> None:
        """Draw the controls, and what is to be in them."""
        room, chosen = _most(self.parameters) - _FRAME, []
        for control in self.random.shuffle(tuple(CONTROLS.values())):
            value = self.random.sample(control.values)
            if control.size <= room:
                room -= control.size
                chosen.append((control.key, value))
                self.area.append(control.element())
        self.area.append(Element("BUTTON", "Submit", id="submit"))
        self["submit"].on("click", self.submit)
        self.fields = tuple(chosen)
        self.utterance = f"Fill in the form: {said(self.fields)}. Then press Submit."

    def submit(self, event: Event) -> None:
        """Look whether all controls hold what they should."""
        self.grade(are_filled(self, self.fields))

    def solve(self) -> Iterator[Action]:
        """Fill in the form, submit."""
        yield from fill_in(self, self.fields)
        yield Action(self["submit"])


def _most(parameters: Browsing) -> int:
    """Return how many elements a page may have."""
    assert isinstance(parameters, FormBrowsing)
    return round(parameters.n)


def _count(required: int, low: int, high: int) -> int:
    """Count what can be said of the sets of controls that have ``low + 1`` to ``high`` nodes.

    Args:
        required: controls with less nodes must be among them.
        low: see above.
        high: see above.
    """
    counts = Counter({0: 1})  # by nodes
    for control in CONTROLS.values():
        longer = Counter({nodes + control.size: count * len(control.values) for nodes, count in counts.items()})
        counts = longer if control.size < required else counts + longer
    return sum(count for nodes, count in counts.items() if low < nodes <= high)
