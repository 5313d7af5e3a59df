"""Tasks that are solved by a click on the right one of several links in texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .. import words
from ..dom import Element, Markup
from ..page import Action, Event, Page
from ..widgets import accordion, tabs

_TAB_BAR = Markup("""
<ul>
  <li><a href="#tabs-1">Tab #1</a></li>
  <li><a href="#tabs-2">Tab #2</a></li>
  <li><a href="#tabs-3">Tab #3</a></li>
</ul>""")


def add_tabs(page: Page, texts: Sequence[Iterable[Element | str]]) -> None:
    """Show three texts in tabs."""
    panels = (Element("DIV", Element("P", *text), id=f"tabs-{i}") for i, text in enumerate(texts, 1))
    page.area.append(*_TAB_BAR.copy(), *panels)
    tabs(page, page.area)


class _Links(Page):
    """Texts of twenty words, a fifth of them links, of which one is the right one."""

    def draw_text(self) -> list[Element | str]:
        """Draw a text and which of its words are links."""
        children: list[Element | str] = []
        for word in words.words(self.random, 20).split(" "):
            if self.random.random() < 0.2:
                link = Element("SPAN", word, classes="alink")
                link.on("click", self.follow)
                children.append(link)
            elif children and isinstance(children[-1], str):
                children[-1] += f" {word}"
            else:
                children.append(word)
        return children

    def draw_texts(self, count: int) -> list[list[Element | str]]:
        """Draw texts until one has a link."""
        texts: list[list[Element | str]] = []
        while not any(isinstance(child, Element) for text in texts for child in text):
            texts = [self.draw_text() for _ in range(count)]
        return texts

    def choose(self, wording: str) -> None:
        """Draw the right link; set the utterance and the fields."""
        self.expected = self.random.sample(self.area.all("alink")).text
        self.utterance = f'{wording} "{self.expected}".'
        self.fields = (("target", self.expected),)

    def follow(self, event: Event) -> None:
        """See which link it was."""
        self.grade(event.current.text == self.expected)

    def link(self) -> Element:
        """Return the right link, or the first one that reads so."""
        return next(link for link in self.area.all("alink") if link.text == self.expected)

    def solve(self) -> Iterator[Action]:
        """Click it."""
        yield Action(self.link())


class ClickLink(_Links):
    """Click the named link in a text."""

    name = "click-link"

    def build(self) -> None:
        """Draw the text and the link."""
        (text,) = self.draw_texts(1)
        self.area.append(*text)
        self.choose("Click on the link")


class ClickTab2(_Links):
    """Find a link behind one of three tabs."""

    name = "click-tab-2"

    def build(self) -> None:
        """Draw the texts and the link."""
        add_tabs(self, self.draw_texts(3))
        self.choose("Switch between the tabs to find and click on the link")

    def solve(self) -> Iterator[Action]:
        """Open the link's tab, click the link."""
        link = self.link()
        panel = link.closest(".ui-tabs-panel")
        assert panel is not None
        if panel.is_hidden:
            yield Action(next(a for a in self.area.all("ui-tabs-anchor") if a.attributes["href"] == f"#{panel.id}"))
        yield Action(link)


class ClickCollapsible2(_Links):
    """Find a link in one of three sections that can be opened."""

    name = "click-collapsible-2"

    def build(self) -> None:
        """Draw the texts and the link."""
        for i, text in enumerate(self.draw_texts(3)):
            self.area.append(Element("H3", f"Section #{i + 1}"), Element("DIV", *text))
        self.choose("Expand the sections below, to find and click on the link")
        accordion(self, self.area)

    def solve(self) -> Iterator[Action]:
        """Open the link's section, click the link."""
        link = self.link()
        sections = self.area.elements()
        assert link.parent is not None
        if link.parent.is_hidden:
            yield Action(sections[sections.index(link.parent) - 1])
        yield Action(link)
