"""Tasks on forms that search for films, the same in many shapes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

from .. import words
from ..dom import Element, Markup
from ..page import Action, Event, Page, fill
from ..params import WritableBrowsing

_GENRES = (
    "Action", "Adventure", "Comedy", "Crime", "Drama", "Fantasy", "Historical", "Horror", "Mystery", "Paranoid",
    "Political", "Romance", "Saga", "Satire", "Surreal", "Thriller", "Urban", "Western",
)  # fmt: skip


class _Layout(NamedTuple):
    """A shape of the form, as HTML. Its last element submits."""

    form: str  # around {rows}
    row: str  # around {label}
    labels: tuple[str, str, str]  # of the genre, the director and the year


_TABLE = _Layout(
    '<div class="title-div">Movie Search</div><table><tbody>{rows}</tbody></table><div class="final">Submit</div>',
    '<tr><th>{label}</th><td><input type="text"></td></tr>',
    ("Genre", "Director", "Year"),
)
_LAYOUTS = (
    _Layout(
        '{rows}<button type="button">Submit</button>',
        '<p><span>{label}</span><input type="text"></p>',
        ("Genre:", "Director:", "Year:"),
    ),
    _Layout(
        '{rows}<div class="submit-row"><button type="button">Search</button></div>',
        '<div class="row"><div>{label}</div><input type="text"></div>',
        ("Genre", "Director Name", "Year"),
    ),
    _TABLE,
    _Layout(
        '{rows}<div class="submit-row"><button type="button">Go!</button></div>',
        '<div class="field"><div class="label">{label}</div><div class="input"><input type="text"></div></div>',
        ("Movie Genre", "Director Name", "Released Date"),
    ),
    _Layout(
        '<div class="ui-entry-wrap">{rows}</div><div class="ui-footer"><div class="ui-submit">Search</div></div>',
        '<div class="ui-entry"><input type="text"><div class="ui-label">{label}</div></div>',
        ("Genre", "Director", "Year"),
    ),
)


@functools.cache
def _markup(layout: _Layout, order: tuple[int, ...]) -> Markup:
    """Return the form with its rows in ``order``."""
    rows = "".join(layout.row.format(label=layout.labels[row]) for row in order)
    return Markup(layout.form.format(rows=rows))


class MultiLayouts(Page):
    """Fill in a genre, a director and a year, in a form of one of five shapes."""

    name = "multi-layouts"
    limit = 20_000.0
    knobs = WritableBrowsing

    def build(self) -> None:
        """Draw the film, the shape and the order of its rows."""
        genre = self.random.sample(_GENRES).lower()
        director = self.random.sample(words.lists()["LAST_NAMES"])
        year = str(self.random.integer(1970, 2018))
        self.expected = (genre, director, year)
        self.utterance = f"Search for {genre} movies directed by {director} from year {year}."
        self.fields = (("genre", genre), ("director", director), ("year", year))
        layout = self.choose()
        self.order = tuple(self.random.shuffle((0, 1, 2)))
        self.area.append(*_markup(layout, self.order).copy())
        self.last().on("click", self.submit)

    def choose(self) -> _Layout:
        """Draw the shape."""
        return self.random.sample(_LAYOUTS)

    def last(self) -> Element:
        """Return the element that submits."""
        return list(self.area.descendants())[-1]

    def inputs(self) -> list[Element]:
        """Return the inputs for genre, director and year."""
        shown = [element for element in self.area.descendants() if element.tag == "INPUT_text"]
        return [shown[self.order.index(row)] for row in range(3)]

    def submit(self, event: Event) -> None:
        """Compare what was typed, the names in any case."""
        genre, director, year = (control.value for control in self.inputs())
        typed = (genre.lower().strip(), director.lower().strip(), year)
        self.grade(typed == tuple(expected.lower() for expected in self.expected))

    def solve(self) -> Iterator[Action]:
        """Fill all three, submit."""
        for control, text in zip(self.inputs(), self.expected, strict=True):
            yield from fill(control, text)
        yield Action(self.last())


class MultiOrderings(MultiLayouts):
    """The same in a form of one shape."""

    name = "multi-orderings"

    def choose(self) -> _Layout:
        """Draw nothing."""
        return _TABLE
