"""Tasks that are solved by ticking boxes or choosing among radio buttons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from .. import words
from ..dom import Element, Markup
from ..page import Action, Event, Page, fill
from ..params import WritableBrowsing

_FORM = Markup('<div id="boxes"></div><br><button id="subbtn" class="secondary-action">Submit</button>')


class ClickOption(Page):
    """Choose one of several radio buttons."""

    name = "click-option"
    knobs = WritableBrowsing

    def build(self) -> None:
        """Draw the options and the right one."""
        self.area.append(*_FORM.copy())
        self["subbtn"].on("click", self.submit)
        names = []
        for i in range(self.random.integer(2, 7)):
            names.append(words.string(self.random, 2, 8))
            button = Element("INPUT_radio", id=f"ch{i}", value="on", attributes={"name": "radio"})
            self["boxes"].append(Element("LABEL", button, names[-1]), Element("BR"))
        chosen = self.random.integer(0, len(names))
        self.right = f"ch{chosen}"
        self.utterance = f"Select {names[chosen]} and click Submit."
        self.fields = (("target", names[chosen]),)

    def submit(self, event: Event) -> None:
        """Look whether the right one is chosen."""
        self.grade(self[self.right].is_checked)

    def solve(self) -> Iterator[Action]:
        """Choose it, submit."""
        if not self[self.right].is_checked:
            yield Action(self[self.right])
        yield Action(self["subbtn"])


class ClickCheckboxes(Page):
    """Tick the named boxes and no other."""

    name = "click-checkboxes"
    form = _FORM
    columns: ClassVar[tuple[str, ...]] = ("boxes",)  # ids
    wording: ClassVar[str] = "Select {} and click Submit."

    def build(self) -> None:
        """Draw the boxes and which of them are named."""
        self.area.append(*self.form.copy())
        self["subbtn"].on("click", self.submit)
        labels, targets = self.draw()
        column_length = -(-len(labels) // len(self.columns))
        for i, label in enumerate(labels):
            box = Element("INPUT_checkbox", id=f"ch{i}", value="on")
            self[self.columns[i // column_length]].append(Element("LABEL", box, label), Element("BR"))
        named = {i for i, _ in targets}
        self.expected = tuple(i in named for i in range(len(labels)))
        said = [target for _, target in targets]
        self.utterance = self.wording.format(", ".join(said) or "nothing")
        self.fields = (*((f"target {i}", target) for i, target in enumerate(said)), ("button", "submit"))

    def draw(self) -> tuple[list[str], list[tuple[int, str]]]:
        """Draw the labels, and the boxes to be ticked as they are said."""
        labels, targets = [], []
        for i in range(self.random.integer(2, 7)):
            labels.append(words.string(self.random, 2, 8))
            if self.random.uniform(0, 1) < 0.5:
                targets.append((i, labels[-1]))
        return labels, targets

    def submit(self, event: Event) -> None:
        """Count the boxes that are as they should be, against the others."""
        right = sum(self[f"ch{i}"].is_checked == is_named for i, is_named in enumerate(self.expected))
        surplus = 2 * right - len(self.expected)
        self.end(surplus / len(self.expected), surplus > 0)

    def solve(self) -> Iterator[Action]:
        """Click each box that is not as it should be, submit."""
        for i, is_named in enumerate(self.expected):
            if self[f"ch{i}"].is_checked != is_named:
                yield Action(self[f"ch{i}"])
        yield Action(self["subbtn"])


class ClickCheckboxesTransfer(ClickCheckboxes):
    """The same, with up to three boxes named, in any order."""

    name = "click-checkboxes-transfer"
    targets: ClassVar[tuple[int, int]] = (0, 4)  # from, below
    boxes: ClassVar[tuple[int, int]] = (3, 7)

    def draw(self) -> tuple[list[str], list[tuple[int, str]]]:
        """Draw how many boxes are to be ticked, the labels, and an order."""
        target_count = self.random.integer(*self.targets)
        low, high = self.boxes
        count = self.random.integer(max(low, target_count), high)
        labels = [words.string(self.random, 2, 8) for _ in range(count)]
        return labels, self.random.shuffle(tuple(enumerate(labels)))[:target_count]


class ClickCheckboxesLarge(ClickCheckboxesTransfer):
    """The same, with five boxes or more named, in two columns."""

    name = "click-checkboxes-large"
    limit = 20_000.0
    form = Markup("""
    <div id="boxes-left"></div><div id="boxes-right"></div><br>
    <button id="subbtn" class="secondary-action">Submit</button>""")
    columns = ("boxes-left", "boxes-right")
    targets = (5, 13)
    boxes = (7, 13)


class ClickCheckboxesSoft(ClickCheckboxes):
    """Tick the boxes that mean the same as the named words."""

    name = "click-checkboxes-soft"
    wording = "Select words similar to {} and click Submit."

    def draw(self) -> tuple[list[str], list[tuple[int, str]]]:
        """Draw the meanings, and for each the word that is said and the word at the box."""
        self.random.integer(2, 7)  # which nobody uses
        meanings = self.random.shuffle(words.synonyms())
        target_count = self.random.integer(1, 6)
        count = self.random.integer(max(3, target_count + 1), 7)
        said, labels = [], []
        for meaning in meanings[:count]:
            said.append(self.random.sample(meaning))
            labels.append(self.random.sample(meaning))
        return labels, self.random.shuffle(tuple(enumerate(said)))[:target_count]


class FormSequence2(Page):
    """Choose a radio button, type a number into one of three fields."""

    name = "form-sequence-2"
    form = Markup("""
    <div>
      <input type="radio" name="radio"><input type="radio" name="radio"><input type="radio" name="radio">
    </div>
    <div><input type="text" id="input-1"><input type="text" id="input-2"><input type="text" id="input-3"></div>
    <div><button id="subbtn" class="secondary-action">Submit</button></div>""")

    def build(self) -> None:
        """Draw the radio button, the number and the field."""
        self.area.append(*self.form.copy())
        self["subbtn"].on("click", self.submit)
        self.button = self.random.integer(1, 4)
        self.number = str(self.random.integer(-10, 51))
        self.field = self.random.integer(1, 4)
        self.utterance = (
            f'Check the {words.ordinal(self.button)} radio button and enter the number "{self.number}"'
            f" into the {words.ordinal(self.field)} textbox."
        )
        self.fields = (
            ("radio target", str(self.button)),
            ("textbox text", self.number),
            ("textbox target", str(self.field)),
        )

    def buttons(self) -> list[Element]:
        """Return the radio buttons."""
        return self.area.elements()[0].elements()

    def submit(self, event: Event) -> None:
        """Compare the fields. MiniWoB++ takes any radio button that is chosen."""
        is_right = all(
            self[f"input-{number}"].value == (self.number if number == self.field else "") for number in (1, 2, 3)
        )
        self.grade(is_right and any(button.is_checked for button in self.buttons()))

    def solve(self) -> Iterator[Action]:
        """Choose, fill the field, submit."""
        button = self.buttons()[self.button - 1]
        if not button.is_checked:
            yield Action(button)
        yield from fill(self[f"input-{self.field}"], self.number)
        yield Action(self["subbtn"])
