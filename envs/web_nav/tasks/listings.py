"""Tasks on lists that are shown page by page: a search engine, a book of contacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .. import words
from ..dom import Markup, Style
from ..page import Action, Event, Page, fill
from ..params import WritableBrowsing
from ..widgets import pagination

_DOMAINS = (
    "com", "net", "org", "ca", "us", "gov", "pizza", "gg", "tv", "co.uk", "it", "eu", "hk", "mx", "se", "jp", "io",
    "rocks",
)  # fmt: skip
_STYLE = Style(hidden=frozenset({".disabled", ".first", ".last"}))


class _Result(NamedTuple):
    title: str
    url: str
    description: str


class SearchEngine(Page):
    """Search for a name, then open the result of a given rank."""

    name = "search-engine"
    limit = 20_000.0
    knobs = WritableBrowsing
    style = _STYLE
    form = Markup("""
    <div id="search-bar"><input type="text" id="search-text"><button id="search">Search</button></div>
    <div id="page-content"></div>
    <ul id="pagination"></ul>""")
    template = Markup("""
    <div>
      <a href="#" class="search-title"></a><div class="search-url"></div><div class="search-desc"></div>
    </div>""")

    def build(self) -> None:
        """Draw nine results, the name and the rank."""
        self.area.append(*self.form.copy())
        self["search"].on("click", self.search)
        results = self.draw_results()
        self.query = self.random.sample(self.random.shuffle(words.lists()["FIFTY_NAMES"]))
        self.rank = self.random.integer(0, 9)
        results[self.rank] = results[self.rank]._replace(title=self.query)
        self.results = tuple(results)
        self.searched = ""  # what the shown results are for
        self.utterance = (
            f'Use the textbox to enter "{self.query}" and press "Search", then find and click the'
            f" {words.ordinal(self.rank + 1)} search result."
        )
        self.fields = (("query", self.query), ("rank", str(self.rank + 1)))

    def draw_results(self) -> list[_Result]:
        """Draw nine results."""
        sample, lorem = self.random.sample, words.lists()["lorem_words"]
        names = self.random.shuffle(words.lists()["FIFTY_NAMES"])
        results = []
        for _ in range(9):
            subdomain, domain = (sample(lorem).replace(",", "", 1) for _ in range(2))
            title = sample(names)
            url = f"https://{sample(('www.', ''))}{sample(('', subdomain))}{domain}.{sample(_DOMAINS)}"
            results.append(_Result(title, url, words.words(self.random, self.random.integer(2, 4))))
        return results

    def search(self, event: Event) -> None:
        """Show the first page of results."""
        pagination(self, self["pagination"], 3, 3, self.show)

    def show(self, number: int) -> None:
        """Show a page of results: those of the task, if the text is right, or else any."""
        self.searched = self["search-text"].value
        first = 3 * (number - 1)
        results = self.results[first : first + 3] if self.is_right() else self.draw_results()[:3]
        self["page-content"].clear()
        for rank, result in enumerate(results, first):
            element = self.template.element()
            for name, text in zip(("title", "url", "desc"), result, strict=True):
                element.first(f"search-{name}").append(text)
            element.first("search-title").on("click", self.open, rank)
            self["page-content"].append(element)

    def is_right(self) -> bool:
        """Return whether the shown results are those of the task."""
        return self.searched.lower() == self.query.lower()

    def open(self, event: Event) -> None:
        """See which result it was."""
        self.grade(self.is_right() and event.argument == self.rank)

    def solve(self) -> Iterator[Action]:
        """Search, turn to the page, open the result."""
        if not self.is_right():
            yield from fill(self["search-text"], self.query)
            yield Action(self["search"])
        page = 1 + self.rank // 3
        number = next(item for item in self["pagination"].elements() if item.text == str(page))
        if not number.has_class("active"):
            yield Action(number)
        yield Action(self["page-content"].all("search-title")[self.rank % 3])


class _Contact(NamedTuple):
    name: str
    phone: str
    email: str
    address: str


_HOSTS = ("hotmail", "yahoo", "gmail", "aol", "live", "fb", "openai", "myspace", "skynet")
_STREETS = (
    "Court", "Ct", "Street", "St", "Road", "Rd", "Drive", "Dr", "Avenue", "Ave", "Alley", "Boulevard", "Blvd",
    "Crescent", "Cres", "Grove", "Gr", "Lane", "Loop", "Park", "Place", "Square", "Terrace", "Tce",
)  # fmt: skip


class PhoneBook(Page):
    """Find a person in a book of contacts, click a property of theirs."""

    name = "phone-book"
    limit = 15_000.0
    style = _STYLE
    form = Markup('<div id="contact"></div><ul id="pagination"></ul>')
    template = Markup("""
    <div>
      <h2 class="name"></h2>
      <div class="property"><span class="property-name">Phone: </span><span><a class="phone"></a></span></div>
      <div class="property"><span class="property-name">Email: </span><span><a class="email"></a></span></div>
      <div class="property"><span class="property-name">Address: </span><span><a class="address"></a></span></div>
    </div>""")
    properties = ("phone", "email", "address")

    def build(self) -> None:
        """Draw five contacts, the wanted one, and the property."""
        self.area.append(*self.form.copy())
        names = self.random.shuffle(words.lists()["PEOPLE_NAMES"])
        self.contacts = tuple(self.draw_contact(self.random.sample(names)) for _ in range(5))
        self.wanted = self.random.integer(0, 5)
        self.property = self.random.sample(self.properties)
        self.shown = 0
        name, end = self.contacts[self.wanted].name, " number" if self.property == "phone" else ""
        self.utterance = f"Find {name} in the contact book and click on their {self.property}{end}."
        self.fields = (("name", name), ("target", f"{self.property}{end}"))
        pagination(self, self["pagination"], 5, 1, self.show)

    def draw_contact(self, name: str) -> _Contact:
        """Draw the properties of a person."""
        email, address = self.draw_email(name), self.draw_address()
        integer = self.random.integer
        return _Contact(name, f"{integer(110, 990)}-{integer(0, 1000):03}-{integer(0, 10_000):04}", email, address)

    def draw_email(self, name: str) -> str:
        """Draw an address with the name or its beginning."""
        sample, integer = self.random.sample, self.random.integer
        length = integer(3, min(len(name), 5))
        user = (name if sample((True, False)) else name[:length]).lower()
        suffix = "" if sample((True, False)) else integer(10, 10_000)
        return f"{user}{suffix}@{sample(_HOSTS)}.{sample(_DOMAINS)}"

    def draw_address(self) -> str:
        """Draw a number and a street."""
        sample, integer = self.random.sample, self.random.integer
        address = f"{integer(1, 10_000)} {sample(words.lists()['LAST_NAMES'])} {sample(_STREETS)}"
        if sample((True, False, False, False)):
            address += f", {sample(('Apt', 'Unit'))} {integer(1, 50)}"
        return address

    def show(self, number: int) -> None:
        """Show a contact."""
        self.shown = number - 1
        contact = self.contacts[self.shown]
        element = self.template.element()
        element.first("name").append(contact.name)
        for name in self.properties:
            link = element.first(name)
            link.append(getattr(contact, name))
            link.on("click", self.choose)
        self["contact"].clear()
        self["contact"].append(element)

    def choose(self, event: Event) -> None:
        """Reward the person with 0.7 and the property with 0.3, or punish."""
        is_person, is_property = self.shown == self.wanted, event.current.classes == self.property
        reward = (0.7 if is_person else -0.7) + (0.3 if is_property else -0.3)
        self.end(reward, reward > 0)

    def solve(self) -> Iterator[Action]:
        """Turn to the person, click the property."""
        while self.shown != self.wanted:
            yield Action(self["pagination"].first("next" if self.shown < self.wanted else "prev"))
        yield Action(self["contact"].first(self.property))
