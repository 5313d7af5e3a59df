"""Words as numbers: a vocabulary of what pages are made of, and hashing for what they are filled with."""

from __future__ import annotations

import functools
import json
import re
import zlib
from array import array
from importlib import resources
from typing import Any

#: Words that are in no vocabulary share so many numbers, which begin at 1; 0 is no word.
BUCKETS = 4096
_WORDS = re.compile(r"[^\W_]+")


@functools.cache
def survey() -> dict[str, Any]:
    """Return what was found on the pages: the vocabulary ``words``, and ``sizes`` by task, see `survey.measure`."""
    text = resources.files(__package__).joinpath("data", "survey.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@functools.cache
def vocabulary() -> dict[str, int]:
    """Return the numbers of the words that have one of their own."""
    return {word: 1 + BUCKETS + place for place, word in enumerate(survey()["words"])}


def words(text: str) -> list[str]:
    """Return the words of ``text``: runs of letters and digits, in lower case; numbers without leading zeros."""
    return [str(int(word)) if word.isdecimal() else word for word in _WORDS.findall(text.lower())]


@functools.lru_cache(1 << 14)
def token(word: str) -> int:
    """Return the number of a word: its own, or that of its bucket (CRC-32)."""
    return vocabulary().get(word) or 1 + zlib.crc32(word.encode()) % BUCKETS


@functools.lru_cache(1 << 14)
def encode(texts: tuple[str, ...], length: int) -> tuple[bytes, int]:
    """Return the tokens of several texts, int16 of shape (len(texts), length), as bytes, and how many did not fit."""
    row, omitted = array("h"), 0
    for text in texts:
        tokens = list(map(token, words(text)))
        omitted += max(len(tokens) - length, 0)
        row.extend(tokens[:length] + [0] * (length - len(tokens)))
    return row.tobytes(), omitted
