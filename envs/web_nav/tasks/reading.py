"""Tasks that ask for something that is to be read, or worked out, and typed."""

from __future__ import annotations

import re

from .. import words
from ..dom import Element, Markup
from ..page import Event
from ..params import Browsing
from ..seedrandom import SeedRandom
from .text import EnterText

_DIGITS = tuple(range(10))


class ReadTable(EnterText):
    """Type what a table says of a key."""

    name = "read-table"
    knobs = Browsing
    form = Markup("""
    <div id="tab"></div>
    <div id="form">
      <input type="text" id="tt">
      <button id="subbtn" class="secondary-action">Submit</button>
    </div>""")
    values = (
        ("Color", "COLORS"),
        ("First name", "PEOPLE_NAMES"),
        ("Last name", "LAST_NAMES"),
        ("Country", "COUNTRIES"),
        ("Gender", "GENDERS"),
        ("Language", "LANGUAGES"),
        ("Year of Birth", ""),
        ("Religion", "RELIGIONS"),
    )

    def draw(self) -> None:
        """Draw five rows and the one that is asked for."""
        rows = self.random.shuffle(self.values)[:5]
        wanted = self.random.integer(0, 5)
        table = Element("TABLE")
        for row, (key, values) in enumerate(rows):
            if values:
                value = self.random.sample(words.lists()[values])
            else:
                value = str(self.random.integer(1940, 2016))
            table.append(Element("TR", Element("TD", key), Element("TD", value)))
            if row == wanted:
                self.expected = value
                self.utterance = f"Enter the value of {key} into the text field and press Submit."
                self.fields = (("target", key),)
        self["tab"].append(table)


class SimpleArithmetic(EnterText):
    """Type the result of a sum, a difference or a product."""

    name = "simple-arithmetic"
    knobs = Browsing
    input = "math-answer"
    form = Markup("""
    <div class="math-container">
      <div id="math-problem"></div>
      <input type="text" id="math-answer">
    </div>
    <button id="subbtn" class="secondary-action">Submit</button>""")

    def draw(self) -> None:
        """Draw two digits and the operation."""
        first, second = self.random.sample(_DIGITS), self.random.sample(_DIGITS)
        operation = self.random.sample("-+x")
        results = {"-": first - second, "+": first + second, "x": first * second}
        self.expected = str(results[operation])
        self["math-problem"].append(f"{first} {operation} {second} =")
        self.utterance = "Solve the math problem and type your answer into the textbox. Press submit when done."


class SimpleAlgebra(EnterText):
    """Type the unknown of a sum or a difference."""

    name = "simple-algebra"
    knobs = Browsing
    input = "math-answer"
    form = Markup("""
    <div id="math-problem"></div>
    <div class="math-container"><span>x =</span><input type="text" id="math-answer"></div>
    <button id="subbtn" class="secondary-action">Submit</button>""")

    def draw(self) -> None:
        """Draw a digit, the result, the operation, and whether the unknown comes first."""
        digit, result = self.random.sample(_DIGITS), self.random.integer(0, 100)
        operation, is_first = self.random.sample("-+"), self.random.sample((True, False))
        if operation == "+":
            self.expected = str(result - digit)
        else:
            self.expected = str(result + digit if is_first else digit - result)
        left = f"x {operation} {digit}" if is_first else f"{digit} {operation} x"
        self["math-problem"].append(f"{left} = {result}")
        self.utterance = "Solve for x and type your answer into the textbox. Press Submit when done."


def _draw_words(random: SeedRandom, count: int) -> list[tuple[str, bool]]:
    """Draw words, each with whether a sentence ends after it."""
    drawn: list[tuple[str, bool]] = []
    for _ in range(count):
        word = random.sample(words.lists()["lorem_words"])
        is_first = not drawn or drawn[-1][1]
        drawn.append((words.capitalize(word) if is_first else word, random.random() < 0.2))
    return drawn


def _letters(word: str) -> str:
    return re.sub("[^a-zA-Z]", "", word)


class FindWord(EnterText):
    """Type the word at a position in a text."""

    name = "find-word"
    knobs = Browsing
    input = "answer-input"
    form = Markup("""
    <p></p>
    <input id="answer-input" type="text">
    <button id="subbtn" class="secondary-action">Submit</button>""")

    def draw(self) -> None:
        """Draw the text and the position."""
        count = self.random.integer(6, 15)
        wanted = self.random.integer(0, count)
        drawn = _draw_words(self.random, count)
        self.expected = _letters(drawn[wanted][0])
        text = " ".join(f"{_letters(word)}." if is_last else word for word, is_last in drawn)
        self.area.elements()[0].append(text)
        self.utterance = (
            f"Find the {words.ordinal(wanted + 1)} word in the paragraph, type that into the textbox"
            ' and press "Submit".'
        )
        self.fields = (("target", str(wanted + 1)),)

    def submit(self, event: Event) -> None:
        """Compare the letters and digits that were typed."""
        self.grade(re.sub("[^a-zA-Z0-9]", "", self[self.input].value) == self.expected)


class CopyPaste(EnterText):
    """Type what stands in a text area."""

    name = "copy-paste"
    knobs = Browsing
    input = "answer-input"
    form = Markup("""
    <div id="container"></div>
    <button id="subbtn" class="secondary-action">Submit</button>""")

    def draw(self) -> None:
        """Draw which control comes first, and the text."""
        controls = [Element("TEXTAREA", id="to-copy"), Element("INPUT_text", id="answer-input")]
        if self.random.integer(0, 2):
            controls.reverse()
        self["container"].append(*controls)
        for low, high in ((6, 15), (11, 30)):  # the size of the text area
            self.random.integer(low, high)
        count = self.random.integer(6, 10)
        self.random.integer(0, count)  # which nobody uses
        drawn = _draw_words(self.random, count)
        self.expected = "".join(f"{word}. " if is_last else f"{word} " for word, is_last in drawn)
        self["to-copy"].value = self.expected
        self.utterance = "Copy the text in the textarea below, paste it into the textbox and press Submit."
