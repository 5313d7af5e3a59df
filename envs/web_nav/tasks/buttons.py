"""Tasks that are solved by a click on the right thing."""

from __future__ import annotations

from collections.abc import Iterator

from .. import words
from ..dom import Element, Markup, Style
from ..page import Action, Event, Page


class ClickTest(Page):
    """Click the only button."""

    name = "click-test"

    def build(self) -> None:
        """Draw nothing that can be seen."""
        button = Element("BUTTON", "Click Me!", id="subbtn")
        button.on("click", self.win)
        self.area.append(button)
        self.utterance = "Click the button."

    def win(self, event: Event) -> None:
        """End the episode."""
        self.grade(True)

    def solve(self) -> Iterator[Action]:
        """Click it."""
        yield Action(self["subbtn"])


_TWO_BUTTONS = Markup('<button id="subbtn">ONE</button><button id="subbtn2">TWO</button>')


class ClickTest2(Page):
    """Click the first of two buttons."""

    name = "click-test-2"

    def build(self) -> None:
        """Draw nothing that can be seen."""
        self.area.append(*_TWO_BUTTONS.copy())
        self["subbtn"].on("click", self.judge, True)
        self["subbtn2"].on("click", self.judge, False)
        self.utterance = "Click button ONE."
        self.fields = (("target", "ONE"),)

    def judge(self, event: Event) -> None:
        """See which button it was."""
        self.grade(event.argument)

    def solve(self) -> Iterator[Action]:
        """Click the first one."""
        yield Action(self["subbtn"])


class ClickButtonSequence(Page):
    """Click one button, then the other."""

    name = "click-button-sequence"

    def build(self) -> None:
        """Draw nothing that can be seen."""
        self.area.append(*_TWO_BUTTONS.copy())
        self.clicked = ""
        for button in self.area.elements():
            button.on("click", self.note)
        self.utterance = "Click button ONE, then click button TWO."

    def note(self, event: Event) -> None:
        """Note the first click, judge after the second."""
        if self.clicked:
            self.grade((self.clicked, event.current.id) == ("subbtn", "subbtn2"))
        self.clicked = event.current.id

    def solve(self) -> Iterator[Action]:
        """Click both in order."""
        if not self.clicked:
            yield Action(self["subbtn"])
        yield Action(self["subbtn2"])


class ClickButton(Page):
    """Click the named button among buttons, fields and texts."""

    name = "click-button"
    names = ("submit", "okay", "ok", "yes", "no", "cancel", "next", "previous")

    def build(self) -> None:
        """Draw six things, at least one of them a button, and the right one."""
        random = self.random
        buttons: list[Element] = []
        for i in range(6):
            kind = random.uniform(0, 1)
            if i == 5 and not buttons:
                kind = 1.0
            if kind < 0.33:
                self.area.append(Element("DIV", self.draw_text()))
            elif kind < 0.66:
                if random.uniform(0, 1) < 0.5:
                    self.area.append(Element("SPAN", f"{self.draw_text()}:"))
                random.integer(40, 150)  # its width
                self.area.append(Element("INPUT_text"))
            else:
                name = random.sample(self.names)
                if random.uniform(0, 1) < 0.5:
                    name = words.capitalize(name)
                buttons.append(Element("BUTTON", name))
                self.area.append(buttons[-1])
                random.uniform(0, 1)  # whether a line ends
        self.expected = random.sample(buttons).text
        for button in buttons:
            button.on("click", self.judge)
        self.utterance = f'Click on the "{self.expected}" button.'
        self.fields = (("target", self.expected),)

    def draw_text(self) -> str:
        """Draw three words."""
        return " ".join(self.random.sample(words.lists()["lorem_words"]) for _ in range(3))

    def judge(self, event: Event) -> None:
        """See which button it was."""
        self.grade(event.current.text == self.expected)

    def solve(self) -> Iterator[Action]:
        """Click it."""
        buttons = (element for element in self.area.elements() if element.tag == "BUTTON")
        yield Action(next(button for button in buttons if button.text == self.expected))


class ClickWidget(Page):
    """Click a control of the named kind."""

    name = "click-widget"
    kinds = ("radio", "checkbox", "text", "textarea", "button")

    def build(self) -> None:
        """Draw five controls and the right kind."""
        kinds = []
        for _ in range(5):
            kind = self.random.sample(self.kinds)
            widget = Element("DIV", self.control(kind, words.string(self.random, 1, 6)), classes="widget")
            widget.on("click", self.judge, kind)
            self.area.append(widget)
            kinds.append(kind)
        self.expected = self.random.sample(kinds)
        self.utterance = f'Click on a "{self.expected}" widget.'
        self.fields = (("target", self.expected),)

    def control(self, kind: str, text: str) -> Element:
        """Return a control with ``text`` in or beside it."""
        if kind == "text":
            return Element("INPUT_text", value=text)
        if kind == "textarea":
            return Element("TEXTAREA", text, value=text)
        if kind == "button":
            return Element("BUTTON", text)
        return Element("LABEL", Element(f"INPUT_{kind}", value="on", attributes={"name": kind}), text)

    def judge(self, event: Event) -> None:
        """See which kind it was."""
        self.grade(event.argument == self.expected)

    def solve(self) -> Iterator[Action]:
        """Click one."""
        widgets = self.area.elements()
        yield Action(next(widget for widget in widgets if widget.listeners[0].argument == self.expected))


class GridCoordinate(Page):
    """Click a point of a grid."""

    name = "grid-coordinate"
    style = Style(sized=frozenset({"circle"}))

    def build(self) -> None:
        """Draw the point."""
        # The axes and their labels are in no box of their own: MiniWoB++ does not see them.
        grid = Element("svg")
        for x in range(-2, 3):
            for y in range(2, -3, -1):
                point = Element("circle", id=f"({x},{y})", classes="plot-point")
                point.on("click", self.judge)
                grid.append(point)
        self.area.append(grid)
        x, y = self.random.integer(-2, 3), self.random.integer(-2, 3)
        self.expected = f"({x},{y})"
        self.utterance = f"Click on the grid coordinate {self.expected}."
        self.fields = (("x", str(x)), ("y", str(y)))

    def judge(self, event: Event) -> None:
        """See which point it was."""
        self.grade(event.current.id == self.expected)

    def solve(self) -> Iterator[Action]:
        """Click it."""
        yield Action(self[self.expected])
