"""What can be typed: the values of the instruction's fields, and where a task needs it, what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .page import Page

#: Pairs of key and value.
Fields = tuple[tuple[str, str], ...]


def _cells(page: Page) -> Fields:
    cells = [element.text for element in page.area.descendants() if element.tag == "TD"]
    return tuple(zip(cells[::2], cells[1::2], strict=True))


def _words(page: Page) -> Fields:
    words = next(element.text for element in page.area.descendants() if element.tag == "P").split()
    return tuple((f"word {place}", word.strip(".,?!")) for place, word in enumerate(words, 1))


def _cases(page: Page) -> Fields:
    text = dict(page.fields)["text"]
    return ("upper", text.upper()), ("lower", text.lower())


#: What a task's fields do not hold, read off the page at the start.
_MORE: Mapping[str, Callable[[Page], Fields]] = {
    "copy-paste": lambda page: (("copied", page["to-copy"].value),),
    "enter-text-2": _cases,
    "enter-time": lambda page: (("padded", f"{page.fields[0][1]:0>7}"),),
    "find-word": _words,
    "read-table": _cells,
}


def typable_fields(page: Page) -> Fields:
    """Return the fields of the instruction, and after them what else a solution may have to type."""
    more = _MORE.get(page.name)
    return page.fields if more is None else page.fields + more(page)
