"""A form over several pages of a site, as long and as full of other things as one likes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .. import words
from ..dom import Element
from ..page import Action, Event, Page
from ..params import Browsing, SiteBrowsing
from .controls import PARTS, WORDS, are_filled, fill_in, said

#: What the links of a navigation bar lead to.
_SERVICES = ("flights", "trains", "cruises", "buses", "ferries", "tours", "cars", "rockets")
#: What things of no use say: links, inputs, and buttons that end the episode.
_LINKS = ("Help", "Terms", "Contact", "About us", "Careers", "Privacy")
_HINTS = ("Search", "Promotion code", "Feedback", "Gate")
_TRAPS = ("Cancel", "Log out", "Delete all")
_MOST_WORDS = 4  # of a text of no use
#: The nodes of a page without parts: the body, two boxes in it, the title, two boxes around the parts, two buttons.
_FRAME = 8
#: Those of a part without controls: a box and its heading.
_HEADED = 2


class MultiPage(Page):
    """Choose a service of a site, fill in its form over one or more pages, submit it.

    The same seed asks for the same whatever the parameters are, as far as the form asks for it.
    """

    name = "multi-page"
    limit = 30_000.0
    knobs = SiteBrowsing

    @classmethod
    def room(cls, **given: float) -> tuple[int, int, int]:
        """Return how many elements, fields and words of a text its pages need."""
        site = _site(cls.browsing(**given))
        parts, links = _parts(site), round(site.navigation)
        # A context may have all parts on one page.
        sizes = (_HEADED + sum(control.size for control in PARTS[part]) for part in parts)
        elements = _FRAME + sum(sizes) + (1 + links if links else 0) + round(site.distractors)
        fields = sum(len(PARTS[part]) for part in parts) + (links > 0)
        return elements, max(fields, 1), max(WORDS, _MOST_WORDS)

    @classmethod
    def instructions(cls, **given: float) -> int:
        """Return how many instructions there are with the parameters of `browsing`."""
        site = _site(cls.browsing(**given))
        services = len(_SERVICES) if round(site.navigation) else 1
        return services * math.prod(len(control.values) for part in _parts(site) for control in PARTS[part])

    def build(self) -> None:
        """Draw what is asked for, on which page, and what else there is."""
        random, site = self.random, _site(self.parameters)
        links, count = round(site.navigation), _pages(site)
        self.wanted, self.number = random.sample(_SERVICES), 0
        values = {control.key: random.sample(control.values) for part in PARTS.values() for control in part}
        parts = [part for part in random.shuffle(tuple(PARTS)) if part in _parts(site)]
        dealt = [parts[number::count] for number in range(count)]
        # What is asked for, by page.
        self.asked = tuple(
            tuple((control.key, values[control.key]) for part in page for control in PARTS[part]) for page in dealt
        )
        form = Element("DIV", *map(self.draw_page, range(count), dealt), id="form")
        form.append(*(Element("BUTTON", words.capitalize(name), id=name) for name in ("back", "next", "submit")))
        self.area.append(Element("H1", "Travel", id="title"), form)
        self.service = "" if links else self.wanted
        if links:
            self.area.insert(1, self.draw_bar(links))
            form.is_hidden = True
        self["back"].on("click", self.turn, -1)
        self["next"].on("click", self.turn, 1)
        self["submit"].on("click", self.submit)
        self.show(0)
        self.fields = tuple(field for page in self.asked for field in page)
        steps = [f"fill in the form: {said(self.fields)}"] if self.fields else []
        if links:
            self.fields = (("service", self.wanted), *self.fields)
            steps.insert(0, f'choose "{self.wanted}"')
        self.utterance = words.capitalize(f"{', then '.join([*steps, 'press Submit'])}.")

    def draw_page(self, number: int, parts: Sequence[str]) -> Element:
        """Return a page of the form, with things of no use anywhere between its parts."""
        page = Element("DIV", id=f"page-{number}")
        for part in parts:
            controls = (control.element() for control in PARTS[part])
            page.append(Element("DIV", Element("H2", words.capitalize(part)), *controls))
        for _ in range(round(_site(self.parameters).distractors)):
            page.insert(self.random.integer(0, len(page.children) + 1), self.draw_distractor())
        return page

    def draw_distractor(self) -> Element:
        """Return a text, a link, an input, or a button that ends the episode."""
        kind, sample = self.random.integer(0, 4), self.random.sample
        if kind == 0:
            return Element("P", words.words(self.random, 1, _MOST_WORDS + 1))
        if kind == 1:
            return Element("A", sample(_LINKS), attributes={"href": "#"})
        if kind == 2:
            return Element("INPUT_text", attributes={"placeholder": sample(_HINTS)})
        trap = Element("BUTTON", sample(_TRAPS))
        trap.on("click", self.leave)
        return trap

    def draw_bar(self, links: int) -> Element:
        """Return a navigation bar of ``links`` links, one of them the right one."""
        others = self.random.shuffle([service for service in _SERVICES if service != self.wanted])
        bar = Element("NAV", id="bar")
        for service in self.random.shuffle([self.wanted, *others[: links - 1]]):
            link = Element("A", words.capitalize(service), id=service, attributes={"href": "#"})
            link.on("click", self.choose, service)
            bar.append(link)
        return bar

    def choose(self, event: Event) -> None:
        """Show the form of a service; all services have the same."""
        self.service = event.argument
        self["title"].text = words.capitalize(self.service)
        self["form"].is_hidden = False

    def turn(self, event: Event) -> None:
        """Show the page before or behind."""
        self.show(self.number + event.argument)

    def show(self, number: int) -> None:
        """Show a page of the form, and the buttons it has."""
        self.number, last = number, len(self.asked) - 1
        for other in range(len(self.asked)):
            self[f"page-{other}"].is_hidden = other != number
        for name, is_there in (("back", number > 0), ("next", number < last), ("submit", number == last)):
            self[name].is_hidden = not is_there

    def leave(self, event: Event) -> None:
        """Lose."""
        self.end(-1.0)

    def submit(self, event: Event) -> None:
        """Look whether it is the right service, and all controls hold what they should."""
        self.grade(self.service == self.wanted and all(are_filled(self, page) for page in self.asked))

    def solve(self) -> Iterator[Action]:
        """Choose the service, fill in what is not right yet, submit."""
        if self.service != self.wanted:
            yield Action(self[self.wanted])
        for number, page in enumerate(self.asked):
            if not are_filled(self, page):
                yield from self.turn_to(number)
                yield from fill_in(self, page)
        yield from self.turn_to(len(self.asked) - 1)
        yield Action(self["submit"])

    def turn_to(self, number: int) -> Iterator[Action]:
        """Go to a page of the form."""
        while self.number != number:
            yield Action(self["next" if self.number < number else "back"])


def _site(parameters: Browsing) -> SiteBrowsing:
    assert isinstance(parameters, SiteBrowsing)
    return parameters


def _parts(site: SiteBrowsing) -> list[str]:
    """Return the parts that the form has."""
    return [part for part in PARTS if round(getattr(site, part))]


def _pages(site: SiteBrowsing) -> int:
    """Return how many pages the form has."""
    return max(min(round(site.pages), len(_parts(site))), 1)
