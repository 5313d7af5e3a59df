"""What pages say: MiniWoB++'s word lists, and the random texts and dates that are made from them.

The lists in ``data/words.json`` are those of MiniWoB++ 1.1.0 (MIT, see ``data/LICENSE.miniwob``).
"""

from __future__ import annotations

import functools
import json
from datetime import datetime, timedelta
from pathlib import Path

from .seedrandom import SeedRandom

_ALPHANUMERIC = "qwertyuiopasdfghjklzxcvbnmQWERTYUIOPASDFGHJKLZXCVBNM1234567890"
#: Names of months and days, whatever the locale of the process.
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EPOCH = datetime(1970, 1, 1)


@functools.cache
def lists() -> dict[str, tuple[str, ...]]:
    """Return the word lists by MiniWoB++'s names, such as ``"FIFTY_NAMES"`` or ``"lorem_words"``."""
    text = (Path(__file__).parent / "data" / "words.json").read_text(encoding="utf-8")
    return {name: tuple(words) for name, words in json.loads(text).items()}


@functools.cache
def synonyms() -> tuple[tuple[str, ...], ...]:
    """Return groups of words that mean the same."""
    return tuple(tuple(group.split(",")) for group in lists()["SYNONYMS"])


def capitalize(text: str) -> str:
    """Return ``text`` with its first letter in upper case, the others as they are."""
    return text[:1].upper() + text[1:]


def words(random: SeedRandom, low: int, high: int | None = None) -> str:
    """Return sentences of ``low`` to ``high - 1`` words (``ui_utils.generateWords``); of ``low`` without ``high``."""
    lorem = lists()["lorem_words"]
    count = random.integer(low, low if high is None else high)
    text, is_first = "", True
    for i in range(count):
        word = random.sample(lorem)
        if is_first:
            word, is_first = capitalize(word), False
        # The draw is made for the last word too.
        ends_sentence, is_last = random.random() < 0.2, i + 1 == count
        if is_last:
            text += word.replace(",", "", 1)
        elif ends_sentence:
            text, is_first = f"{text}{word}. ", True
        else:
            text += f"{word} "
    return text + "."


def ordinal(number: int) -> str:
    """Return a position below 21 as pages write it: ``"1st"``, ``"4th"``."""
    return f"{number}{('st', 'nd', 'rd')[number - 1] if number < 4 else 'th'}"


def string(random: SeedRandom, low: int, high: int | None = None) -> str:
    """Return ``low`` to ``high - 1`` letters and digits (``ui_utils.generateString``); ``low`` without ``high``."""
    count = random.integer(low, low if high is None else high)
    return "".join(random.sample(_ALPHANUMERIC) for _ in range(count))


def date(random: SeedRandom, start: datetime, end: datetime) -> datetime:
    """Return a time from [start, end), in whole milliseconds (``ui_utils.randomDate``)."""
    first, last = milliseconds(start), milliseconds(end)
    return _EPOCH + timedelta(milliseconds=int(first + random.random() * (last - first)))


def milliseconds(time: datetime) -> int:
    """Return ``time``, in whole milliseconds, as JavaScript counts it: milliseconds since 1970."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def day(time: datetime) -> str:
    """Return the day as JavaScript's ``toDateString`` does: ``"Fri Dec 23 2016"``."""
    return f"{_DAYS[time.weekday()]} {MONTHS[time.month - 1][:3]} {time.day:02} {time.year}"


def clock(time: datetime) -> str:
    """Return hours and minutes in American English: ``"4:05 PM"``."""
    return f"{time.hour % 12 or 12}:{time.minute:02} {'AM' if time.hour < 12 else 'PM'}"
