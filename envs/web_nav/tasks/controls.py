"""The controls that the forms of our own pages are made of, and what may have to be put into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from .. import words
from ..dom import Element
from ..fields import Fields
from ..page import Action, Page


class Numbered(Sequence[str]):
    """The texts that ``write`` makes of the numbers of a range, none of them held in memory."""

    def __init__(self, numbers: range, write: Callable[[int], str] = str) -> None:
        """Write ``numbers``."""
        self._numbers, self._write = numbers, write

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._numbers)

    def __getitem__(self, place: Any) -> Any:
        """Return the text at a place."""
        return self._write(self._numbers[place])


class Control(NamedTuple):
    """A control with its label; for a choice, several.

    Attributes:
        key: the label, and the key of the instruction's field.
        kind: ``"text"``, ``"password"`` or ``"date"``, to be typed into; ``"radio"``, where `values` are what there is
            to choose from; or ``"checkbox"``, with the values yes and no.
        values: what the instruction may say.
    """

    key: str
    kind: str
    values: Sequence[str]

    @property
    def id(self) -> str:
        """The control's id; that of a radio button has its value behind."""
        return self.key.replace(" ", "-")

    @property
    def size(self) -> int:
        """How many nodes it has, labels and what is around them included."""
        return 2 + 2 * len(self.values) if self.kind == "radio" else 3

    def element(self) -> Element:
        """Return it anew, empty, with its label."""
        if self.kind != "radio":
            return Element("P", _label(self.key, self.id), Element(f"INPUT_{self.kind}", id=self.id))
        box = Element("FIELDSET", Element("LEGEND", words.capitalize(self.key)))
        for value in self.values:
            id = self._button(value)
            box.append(Element("INPUT_radio", id=id, attributes={"name": self.id}), _label(value, id))
        return box

    def is_filled(self, page: Page, value: str) -> bool:
        """Return whether what is in it on ``page`` is ``value``."""
        if self.kind == "radio":
            return page[self._button(value)].is_checked
        if self.kind == "checkbox":
            return page[self.id].is_checked == (value == "yes")
        if self.kind == "date":
            month, day, year = value.split("/")
            value = f"{year}-{month}-{day}"
        return page[self.id].value == value

    def fill(self, page: Page, value: str) -> Iterator[Action]:
        """Yield the action that puts ``value`` into it, unless it is there."""
        if not self.is_filled(page, value):
            id = self._button(value) if self.kind == "radio" else self.id
            yield Action(page[id], None if self.kind in ("radio", "checkbox") else value)

    def _button(self, value: str) -> str:
        return f"{self.id}-{value}".replace(" ", "-")


def _label(text: str, id: str) -> Element:
    return Element("LABEL", words.capitalize(text), attributes={"for": id})


def said(fields: Fields) -> str:
    """Return fields as a part of a sentence."""
    return ", ".join(f'{key} "{value}"' for key, value in fields)


def are_filled(page: Page, fields: Fields) -> bool:
    """Return whether the controls on ``page`` hold what ``fields`` say."""
    return all(CONTROLS[key].is_filled(page, value) for key, value in fields)


def fill_in(page: Page, fields: Fields) -> Iterator[Action]:
    """Yield the actions after which they do."""
    for key, value in fields:
        yield from CONTROLS[key].fill(page, value)


def _days(first: date, last: date) -> Numbered:
    """Return the days from ``first`` to ``last``, as a date control is typed into."""
    numbers = range(first.toordinal(), last.toordinal() + 1)
    return Numbered(numbers, lambda number: f"{date.fromordinal(number):%m/%d/%Y}")


def _letters(count: int) -> Numbered:
    """Return all texts of ``count`` consonants and digits."""

    def write(number: int) -> str:
        text = ""
        for _ in range(count):
            number, place = divmod(number, len(_ALPHABET))
            text += _ALPHABET[place]
        return text

    return Numbered(range(len(_ALPHABET) ** count), write)


def _pairs(first: Sequence[str], second: Sequence[str], form: str) -> Numbered:
    """Return ``form`` with each pair of texts."""
    return Numbered(
        range(len(first) * len(second)),
        lambda number: form.format(first[number // len(second)], second[number % len(second)]),
    )


_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
_NAMES = words.lists()["FIFTY_NAMES"]
_LOWER_NAMES = tuple(name.lower() for name in _NAMES)
_STREETS = (
    "Oak", "Maple", "Cedar", "Elm", "Birch", "Willow", "Pine", "Park", "Lake", "Hill", "River", "Church", "Mill",
    "Station", "Garden", "Market",
)  # fmt: skip
_CITIES = (
    "Lisbon", "Porto", "Oslo", "Bergen", "Vienna", "Graz", "Prague", "Brno", "Athens", "Dublin", "Cork", "Warsaw",
    "Lyon", "Nice", "Turin", "Genoa", "Seville", "Bilbao", "Zurich", "Basel", "Ghent", "Utrecht", "Tallinn", "Riga",
)  # fmt: skip
_JOBS = ("teacher", "nurse", "engineer", "farmer", "lawyer", "painter", "baker", "pilot", "cook", "driver", "tailor")
_MAILS = ("mail", "post", "letter", "inbox")
_YES_NO = ("yes", "no")

#: Parts of a form that belong together, by their name.
PARTS: dict[str, tuple[Control, ...]] = {
    "login": (
        Control("username", "text", _LOWER_NAMES),
        Control("password", "password", _letters(5)),
    ),
    "address": (
        Control("street", "text", _pairs(_STREETS, Numbered(range(1, 19)), "{1} {0} Street")),
        Control("city", "text", _CITIES),
        Control("postal code", "text", Numbered(range(10_000, 100_000))),
    ),
    "payment": (
        Control("card", "radio", ("credit", "debit", "gift")),
        Control("card number", "text", Numbered(range(4 * 10**15, 5 * 10**15))),
        Control("security code", "text", Numbered(range(100, 1000))),
    ),
    "cabin": (
        Control("cabin", "radio", ("economy", "business", "first")),
        Control("seat", "radio", ("window", "aisle")),
        Control("insurance", "checkbox", _YES_NO),
    ),
    "dates": (
        Control("departure date", "date", _days(date(2027, 1, 1), date(2027, 6, 30))),
        Control("return date", "date", _days(date(2027, 7, 1), date(2027, 12, 31))),
    ),
}
#: No key and no value has more.
WORDS = 3
#: All controls by their key.
CONTROLS: dict[str, Control] = {
    control.key: control
    for control in (
        *(control for part in PARTS.values() for control in part),
        Control("first name", "text", _NAMES),
        Control("last name", "text", words.lists()["LAST_NAMES"]),
        Control("nickname", "text", _LOWER_NAMES),
        Control("title", "radio", ("Ms", "Mr", "Dr")),
        Control("birthday", "date", _days(date(1950, 1, 1), date(2005, 12, 31))),
        Control("email", "text", _pairs(_LOWER_NAMES, _MAILS, "{}@{}.example")),
        Control("phone", "text", Numbered(range(2_000_000, 10_000_000))),
        Control("language", "text", words.lists()["LANGUAGES"]),
        Control("job", "text", _JOBS),
        Control("color", "text", words.lists()["COLORS"]),
        Control("quantity", "text", Numbered(range(1, 100))),
        Control("coupon", "text", _letters(6)),
        Control("member number", "text", Numbered(range(1000, 10_000))),
        Control("delivery date", "date", _days(date(2027, 1, 1), date(2027, 12, 31))),
        Control("birthplace", "text", _CITIES),
        Control("guests", "text", Numbered(range(1, 20))),
        Control("meal", "radio", ("meat", "fish", "vegan", "none")),
        Control("size", "radio", ("small", "medium", "large")),
        Control("newsletter", "checkbox", _YES_NO),
        Control("gift wrap", "checkbox", _YES_NO),
        Control("parking", "checkbox", _YES_NO),
        Control("breakfast", "checkbox", _YES_NO),
    )
}
