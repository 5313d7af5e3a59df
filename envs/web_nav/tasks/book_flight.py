"""Tasks on the site of an airline."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import ClassVar, NamedTuple

from .. import words
from ..dom import Markup, Style
from ..page import Action, Event, Page
from ..params import WritableBrowsing
from ..seedrandom import SeedRandom
from ..widgets import SIZED, autocomplete, datepicker, menu_entry

_FORM = Markup("""
<div id="menu">
  <h2 id="header-book">Book Your One-Way Flight</h2>
  <div class="input-container"><input id="flight-from" class="flight-input" type="text" placeholder="From:"></div>
  <div class="input-container"><input id="flight-to" class="flight-input" type="text" placeholder="To:"></div>
  <div class="departure-container">
    <div class="departure-header">Departure Date</div>
    <div class="input-container"><input id="datepicker" class="flight-input" type="text" readonly></div>
  </div>
  <div class="search-container"><button id="search">Search</button></div>
</div>
<div id="results" class="hide"></div>""")
_HEADER = Markup("""
<div class="flight-header">
  <span><button id="menu-back">Back</button></span>
  <div class="flight-summary"><span class="flight-codes"></span><span> | </span><span class="flight-date"></span></div>
</div>""")
_FLIGHT = Markup("""
<div class="flight">
  <div class="flight-depart">
    <div class="label-container"><label>Depart:</label></div>
    <div class="details-container">
      <div class="depart-time"></div><div class="depart-day"></div><div class="depart-city"></div>
    </div>
  </div>
  <div class="flight-arrive">
    <div class="label-container"><label>Arrives:</label></div>
    <div class="details-container">
      <div class="arrive-time"></div><div class="arrive-day"></div><div class="arrive-city"></div>
    </div>
  </div>
  <div class="flight-duration">
    <div class="label-container"><label>Duration:</label></div>
    <div class="details-container"><div class="time-duration"></div></div>
  </div>
  <div class="book"><button class="flight-price"></button></div>
</div>""")
_FIRST, _LAST = datetime(2016, 10, 1), datetime(2016, 12, 31)
_DAY = timedelta(days=1)


@functools.cache
def _airports() -> tuple[tuple[str, str], ...]:
    """Return the airports as they are and in lower case."""
    return tuple((airport, airport.lower()) for airport in words.lists()["AIRPORTS"])


@functools.lru_cache(4096)
def _matches(part: str) -> list[str]:
    return [airport for airport, lowered in _airports() if part in lowered]


class _Flight(NamedTuple):
    depart: datetime
    arrive: datetime
    price: int  # dollars

    @property
    def duration(self) -> timedelta:
        return self.arrive - self.depart

    @property
    def duration_shown(self) -> str:
        minutes = self.duration // timedelta(minutes=1)
        return f"{minutes // 60}h {minutes % 60}m"


def _draw_flight(random: SeedRandom, day: datetime, price_below: int) -> _Flight:
    """Draw a flight that departs on ``day`` and arrives within a day and a half."""
    depart = words.date(random, day, day + _DAY)
    arrive = words.date(random, depart, day + 1.5 * _DAY)
    return _Flight(depart, arrive, random.integer(50, price_below))


class BookFlight(Page):
    """Search for flights on a day, book the cheapest or the shortest one."""

    name = "book-flight"
    limit = 30_000.0
    knobs = WritableBrowsing
    style = Style(hidden=frozenset({".hide"}), sized=SIZED | {"#area"})
    menu_delay: ClassVar[float] = 300.0
    calendar_fade: ClassVar[float] = 208.0

    def build(self) -> None:
        """Draw both places, the day, what counts, and the flights."""
        self.area.append(*_FORM.copy())
        sample = self.random.sample
        self.origin = sample(words.lists()["AIRPORTS"])
        self.origin_said = sample(_parts(self.origin))
        self.destination = sample(words.lists()["AIRPORTS"])
        self.destination_said = sample(_parts(self.destination))
        day = words.date(self.random, _FIRST, _LAST)
        self.day = f"{day:%m/%d/%Y}"
        self.criterion = sample(("cheapest", "shortest"))
        self.utterance = (
            f"Book the {self.criterion} one-way flight from: {self.origin_said} to: {self.destination_said}"
            f" on {self.day}."
        )
        self.fields = (
            ("criterion", self.criterion),
            ("from", self.origin_said),
            ("to", self.destination_said),
            ("date", self.day),
        )
        for name in ("flight-from", "flight-to"):
            autocomplete(self, self[name], self.matches, self.menu_delay)
        datepicker(self, self["datepicker"], _FIRST.date(), _LAST.date(), date(2026, 1, 1), self.calendar_fade)
        self.flights = self.draw_flights(self.day)
        self["search"].on("click", self.search)

    def matches(self, text: str) -> list[str]:
        """Return the airports that contain ``text``, in any case."""
        return _matches(text.lower())

    def draw_flights(self, day: str) -> tuple[_Flight, ...]:
        """Draw flights that depart on ``day`` (MM/DD/YYYY)."""
        start, count = datetime.strptime(day, "%m/%d/%Y"), self.random.integer(3, 5)
        return tuple(_draw_flight(self.random, start, 1200) for _ in range(count))

    def search(self, event: Event) -> None:
        """Show flights, if all three inputs are filled in; those of the task, if they are right."""
        self["results"].clear()
        origin, destination, day = (self[name].value for name in ("flight-from", "flight-to", "datepicker"))
        airports = words.lists()["AIRPORTS"]
        is_error = False
        for name, is_wrong in (
            ("flight-from", origin not in airports),
            ("flight-to", destination not in airports),
            ("datepicker", not day),
        ):
            self[name].remove_class("error")
            if is_wrong:
                self[name].add_class("error")
                is_error = True
        if is_error:
            return
        self["results"].remove_class("hide")
        self["menu"].add_class("hide")
        header = _HEADER.element()
        header.first("flight-codes").append(f"{_parts(origin)[1]} to {_parts(destination)[1]}")
        header.first("flight-date").append(day)
        self["results"].append(header)
        self["menu-back"].on("click", self.back)
        if self.is_asked_for(origin, destination, day):
            # Of the destination, only what was said.
            origin_shown, destination_shown = self.origin, self.destination_said
            best = min(self.flights, key=self.rank)
            flights = [(flight, self.rank(flight) == self.rank(best)) for flight in self.flights]
        else:
            origin_shown, destination_shown = origin, destination
            flights = [(flight, False) for flight in self.draw_flights(day)]
        self.show(flights, origin_shown, destination_shown)

    def is_asked_for(self, origin: str, destination: str, day: str) -> bool:
        """Return whether a search is the one that the task is about."""
        return self.origin_said in origin and self.destination_said in destination and day == self.day

    def rank(self, flight: _Flight) -> timedelta | int:
        """Return what the best flight has least of."""
        return flight.price if self.criterion == "cheapest" else flight.duration

    def show(self, flights: list[tuple[_Flight, bool]], origin: str, destination: str) -> None:
        """Show ``flights``, each with whether it is the one to book."""
        for flight, is_right in flights:
            element = _FLIGHT.element()
            for name, text in (
                ("depart-time", words.clock(flight.depart)),
                ("depart-day", words.day(flight.depart)),
                ("depart-city", origin),
                ("arrive-time", words.clock(flight.arrive)),
                ("arrive-day", words.day(flight.arrive)),
                ("arrive-city", destination),
                ("time-duration", flight.duration_shown),
                ("flight-price", f"Book flight for ${flight.price}"),
            ):
                element.first(name).append(text)
            element.first("flight-price").on("click", self.book, is_right)
            self["results"].append(element)

    def back(self, event: Event) -> None:
        """Show the form again."""
        self["results"].add_class("hide")
        self["menu"].remove_class("hide")

    def book(self, event: Event) -> None:
        """See whether it is the flight to book."""
        self.grade(event.argument)

    def solve(self) -> Iterator[Action]:
        """Fill in the form with the help of its menus, search, book."""
        if self["menu"].has_class("hide"):
            yield from self.choose()
            yield Action(self["menu-back"])
        yield from self.fill_in()
        yield Action(self["search"])
        yield from self.choose()

    def fill_in(self) -> Iterator[Action]:
        """Choose both places in the menus, and the day."""
        for name, said, airport in (
            ("flight-from", self.origin_said, self.origin),
            ("flight-to", self.destination_said, self.destination),
        ):
            if self[name].value != airport:
                if menu_entry(self, airport) is None:
                    yield Action(self[name], said)
                if (entry := menu_entry(self, airport)) is not None:
                    yield Action(entry)
        yield from self.pick_day()

    def pick_day(self) -> Iterator[Action]:
        """Choose the day in the calendar."""
        picker, control = self["ui-datepicker-div"], self["datepicker"]
        if control.value == self.day:
            return
        if picker.is_hidden:
            if self.focused is control:
                yield Action(self["flight-from"])
            yield Action(control)
        month, day, year = map(int, self.day.split("/"))
        while (shown := self.widgets["datepicker"].replace(day=1)) != date(year, month, 1):
            yield Action(picker.first("ui-datepicker-prev" if shown > date(year, month, 1) else "ui-datepicker-next"))
        yield Action(next(link for link in picker.all("ui-state-default") if link.text == str(day)))

    def choose(self) -> Iterator[Action]:
        """Book the right flight, if it is shown."""
        for button in self["results"].all("flight-price"):
            if any(listener.argument for listener in button.listeners):
                yield Action(button)
                return


class BookFlightNoDelay(BookFlight):
    """The same with menus and a calendar that come and go at once."""

    name = "book-flight-nodelay"
    menu_delay = 0.0
    calendar_fade = 0.0


class BookFlightForm(BookFlight):
    """The first page alone: fill in where and when, search. Seeds give the places and days of book-flight.

    After the task of this name in Gur et al., "Learning to Navigate the Web", ICLR 2019; MiniWoB++ does not have it.
    """

    name = "book-flight-form"

    @classmethod
    def instructions(cls) -> int:
        """Return how many instructions there are: two places or codes of airports, and a day."""
        said = {part for airport in words.lists()["AIRPORTS"] for part in _parts(airport)}
        return len(said) ** 2 * (_LAST - _FIRST).days

    def build(self) -> None:
        """Draw both places and the day."""
        super().build()
        self.utterance = (
            f"Search for a one-way flight from: {self.origin_said} to: {self.destination_said} on {self.day}."
        )
        self.fields = self.fields[1:]

    def search(self, event: Event) -> None:
        """See whether all three inputs are right."""
        origin, destination, day = (self[name].value for name in ("flight-from", "flight-to", "datepicker"))
        airports = words.lists()["AIRPORTS"]
        are_airports = origin in airports and destination in airports
        self.grade(are_airports and self.is_asked_for(origin, destination, day))

    def solve(self) -> Iterator[Action]:
        """Fill in the form with the help of its menus, search."""
        yield from self.fill_in()
        yield Action(self["search"])


def _parts(airport: str) -> tuple[str, str]:
    """Return the place and the code of "Place (CODE)"."""
    place, _, code = airport.partition(" (")
    return place, code.partition(")")[0]


class BuyTicket(Page):
    """Book the cheapest, the dearest, the shortest or the longest flight."""

    name = "buy-ticket"
    template = Markup("""
    <div class="flight">
      <div class="flight-duration">
        <div class="label-container"><label>Duration:</label></div>
        <div class="details-container"><div class="time-duration"></div></div>
      </div>
      <div class="book"><button class="buy-ticket"></button></div>
    </div>""")
    #: What is looked at, and whether the least of it is wanted.
    criteria = {
        "cheapest cost": ("price", True),
        "shortest duration": ("duration", True),
        "longest duration": ("duration", False),
        "most expensive cost": ("price", False),
    }

    def build(self) -> None:
        """Draw the day, what counts, and four flights."""
        day = words.date(self.random, datetime(2017, 1, 1), datetime(2017, 7, 1))
        criterion = self.random.sample(tuple(self.criteria))
        midnight = datetime(day.year, day.month, day.day)
        flights = [_draw_flight(self.random, midnight, 2000) for _ in range(4)]
        attribute, is_least = self.criteria[criterion]
        values = [getattr(flight, attribute) for flight in flights]
        best, worst = (min(values), max(values)) if is_least else (max(values), min(values))
        for flight, value in zip(flights, values, strict=True):
            element = self.template.element()
            element.first("time-duration").append(flight.duration_shown)
            button = element.first("buy-ticket")
            button.append(f"Book for ${flight.price}")
            button.on("click", self.buy, 1.0 if value == best else -1.0 if value == worst else -0.5)
            self.area.append(element)
        self.utterance = f"Buy the ticket with the {criterion}."
        self.fields = (("target", criterion),)

    def buy(self, event: Event) -> None:
        """Reward the best flight; punish the worst one more than the others."""
        self.end(event.argument, event.argument > 0)

    def solve(self) -> Iterator[Action]:
        """Book the best flight."""
        buttons = self.area.all("buy-ticket")
        yield Action(next(button for button in buttons if button.listeners[0].argument == 1.0))
