"""What typing does to a form control, as Chromium 156 does it for American English.

A text takes characters at its caret. A date or a time consists of fields: digits fill one until no further digit could
belong to it, then the next has the keyboard; separators are passed over.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from typing import NamedTuple

from .dom import Element

#: Typed into as a text.
_TEXTS = frozenset(
    {"INPUT_text", "INPUT_password", "INPUT_search", "INPUT_email", "INPUT_tel", "INPUT_url", "TEXTAREA"}
)
#: A blank, typed, clicks them.
BUTTONS = frozenset({"BUTTON", "INPUT_button", "INPUT_submit", "INPUT_reset", "INPUT_checkbox", "INPUT_radio"})
_NUMERIC = frozenset("0123456789.eE+-")


class _Field(NamedTuple):
    low: int
    high: int


class Fields(NamedTuple):
    """Where typing goes on in a date or time."""

    place: int  # of the field that has the keyboard
    typed: str  # digits typed into it since it has
    values: tuple[int | None, ...]


class _Kind(NamedTuple):
    """A control made of fields."""

    fields: tuple[_Field, ...]
    read: Callable[[str], tuple[int | None, ...]]
    write: Callable[..., str]


def _read_date(value: str) -> tuple[int | None, ...]:
    if not value:
        return (None, None, None)
    year, month, day = map(int, value.split("-"))
    return month, day, year


def _write_date(month: int, day: int, year: int) -> str:
    # The calendar repeats after 400 years; Python's ends in the year 9999.
    is_date = day <= calendar.monthrange(2000 + year % 400, month)[1]
    return f"{year:04}-{month:02}-{day:02}" if is_date else ""


def _read_time(value: str) -> tuple[int | None, ...]:
    if not value:
        return (None, None, None)
    hour, minute = map(int, value.split(":")[:2])
    return hour % 12 or 12, minute, hour // 12


def _write_time(hour: int, minute: int, is_afternoon: int) -> str:
    return f"{hour % 12 + 12 * is_afternoon:02}:{minute:02}"


_MERIDIEM = _Field(0, 1)  # takes the letters A and P
_KINDS = {
    "INPUT_date": _Kind((_Field(1, 12), _Field(1, 31), _Field(1, 275760)), _read_date, _write_date),
    "INPUT_time": _Kind((_Field(1, 12), _Field(0, 59), _MERIDIEM), _read_time, _write_time),
}


def is_focusable(element: Element) -> bool:
    """Return whether it can have the keyboard."""
    tag = element.tag
    if tag.startswith("INPUT_") or tag in ("BUTTON", "TEXTAREA", "SELECT"):
        return not element.is_disabled
    return "tabindex" in element.attributes or (tag == "A" and "href" in element.attributes)


def is_text(element: Element) -> bool:
    """Return whether it is typed into as a text, and may be."""
    return element.tag in _TEXTS and "readonly" not in element.attributes


def has_picker(element: Element) -> bool:
    """Return whether a blank opens a picker over the page, which keeps the keyboard from then on."""
    return element.tag in _KINDS and "readonly" not in element.attributes


def insert(element: Element, text: str) -> None:
    """Type ``text`` into a text control, at its caret."""
    value, caret = element.value, element.edit
    if limit := element.attributes.get("maxlength"):
        text = text[: max(int(limit) - len(value), 0)]
    element.typed(value[:caret] + text + value[caret:], caret + len(text))


def press(element: Element, character: str) -> bool:
    """Type one character into a control of any kind; return whether its value is another one then."""
    before = element.value
    if is_text(element):
        insert(element, character)
    elif "readonly" in element.attributes:
        return False
    elif element.tag == "INPUT_number":
        _press_number(element, character)
    elif element.tag == "SELECT":
        _press_select(element, character)
    elif kind := _KINDS.get(element.tag):
        _enter(element, kind, _press_fields(kind, _fields(element, kind), character))
    return element.value != before


def arrive(element: Element) -> None:
    """Start at the first field of a date or time that gets the keyboard."""
    if kind := _KINDS.get(element.tag):
        element.edit = Fields(0, "", _fields(element, kind).values)


def leave(element: Element) -> bool:
    """End the field of a date or time that is being typed; return whether that changes the value."""
    before = element.value
    if kind := _KINDS.get(element.tag):
        _enter(element, kind, _complete(kind, _fields(element, kind)))
    return element.value != before


def _fields(element: Element, kind: _Kind) -> Fields:
    edit = element.edit
    return edit if isinstance(edit, Fields) else Fields(0, "", kind.read(element.value))


def _enter(element: Element, kind: _Kind, fields: Fields) -> None:
    value = "" if None in fields.values else kind.write(*fields.values)
    if value != element.value:
        element.typed(value, fields)
    else:
        element.edit = fields


def _press_fields(kind: _Kind, fields: Fields, character: str) -> Fields:
    field = kind.fields[fields.place]
    if field is _MERIDIEM:
        choice = "ap".find(character.lower())
        return fields if choice < 0 else _with(fields, choice)
    if character not in "0123456789":
        return fields
    length = len(str(field.high))
    typed = (fields.typed + character)[-length:]
    number = int(typed)
    is_hour = kind.fields[-1] is _MERIDIEM and fields.place == 0
    if is_hour and 12 < number < 24:
        fields = fields._replace(values=(number - 12, fields.values[1], 1))
    else:
        fields = _with(fields, min(number, field.high) if number >= field.low else None)
    fields = fields._replace(typed=typed)
    is_full = len(typed) >= length or number * 10 > field.high
    if is_full and fields.place + 1 < len(kind.fields):
        fields = _complete(kind, fields)
        fields = fields._replace(place=fields.place + 1)
    return fields


def _complete(kind: _Kind, fields: Fields) -> Fields:
    """Give a field the nearest value that it can have: only zeros are none."""
    if fields.typed and int(fields.typed) < kind.fields[fields.place].low:
        is_hour = kind.fields[-1] is _MERIDIEM
        fields = _with(fields, 12 if is_hour else kind.fields[fields.place].low)
    return fields._replace(typed="")


def _with(fields: Fields, value: int | None) -> Fields:
    values = fields.values[: fields.place] + (value,) + fields.values[fields.place + 1 :]
    return fields._replace(values=values)


def _press_number(element: Element, character: str) -> None:
    if character not in _NUMERIC:
        return
    typed = (element.edit if isinstance(element.edit, str) else element.value) + character
    try:
        float(typed)
    except ValueError:
        element.typed("", typed)
    else:
        element.typed(typed, typed)


def _press_select(element: Element, character: str) -> None:
    """Choose the next option that starts with ``character``."""
    options = [option for option in element.descendants() if option.tag == "OPTION"]
    values = [option.value for option in options]
    start = values.index(element.value) + 1 if element.value in values else 0
    for option in options[start:] + options[:start]:
        if option.text.strip().lower().startswith(character.lower()):
            element.typed(option.value, 0)
            return
