"""Tasks about one widget: dialogs, tabs, sections, a menu, a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from .. import words
from ..dom import Element, Markup, Style
from ..page import Action, Event, Page
from ..widgets import SIZED, accordion, autocomplete, dialog, menu_entry, select_tab, treeview
from .links import add_tabs


class ClickDialog(Page):
    """Click the cross in the corner of a dialog."""

    name = "click-dialog"
    style = Style(sized=SIZED | {"#area"})
    buttons: ClassVar[tuple[str, ...]] = ()

    def build(self) -> None:
        """Draw the dialog's text and the button."""
        content = Element("DIV", Element("P", words.words(self.random, 4, 8)), id="dialog")
        self.draw()
        box = dialog(self, content, self.buttons)
        for button in box.all("ui-button"):
            button.on("click", self.press, button.text)

    def draw(self) -> None:
        """Draw nothing: there is one button."""
        self.expected = "x"
        self.utterance = 'Close the dialog box by clicking the "x".'

    def press(self, event: Event) -> None:
        """See which button it was."""
        self.grade({"Close": "x"}.get(event.argument.strip(), event.argument) == self.expected)

    def solve(self) -> Iterator[Action]:
        """Click the button."""
        name = "Close" if self.expected == "x" else self.expected
        buttons = (button for button in self.document.body.all("ui-button") if button.text.strip() == name)
        yield Action(next(buttons))


class ClickDialog2(ClickDialog):
    """Click the named button of a dialog, or the cross in its corner."""

    name = "click-dialog-2"
    buttons = ("Cancel", "OK")

    def draw(self) -> None:
        """Draw the button."""
        self.expected = self.random.sample((*self.buttons, "x"))
        self.utterance = f'Click the button in the dialog box labeled "{self.expected}".'
        self.fields = (("target", self.expected),)


class ClickTab(Page):
    """Click the named one of three tabs, which is not the one that is shown."""

    name = "click-tab"

    def build(self) -> None:
        """Draw the texts, the tab, and which one is shown."""
        add_tabs(self, [[words.words(self.random, 20)] for _ in range(3)])
        expected = self.random.integer(1, 4)
        if expected == 3:
            select_tab(self.links()[self.random.sample((0, 1))])
        elif expected == 1:
            select_tab(self.links()[self.random.sample((1, 2))])
        self.expected = expected
        for number, link in enumerate(self.links(), 1):
            link.on("click", self.judge, number)
        self.utterance = f"Click on Tab #{expected}."
        self.fields = (("target", str(expected)),)

    def links(self) -> list[Element]:
        """Return the three links."""
        return self.area.all("ui-tabs-anchor")

    def judge(self, event: Event) -> None:
        """See which tab it was."""
        self.grade(event.argument == self.expected)

    def solve(self) -> Iterator[Action]:
        """Click it."""
        yield Action(self.links()[self.expected - 1])


class ClickCollapsible(Page):
    """Open a section, then submit."""

    name = "click-collapsible"
    form = Markup('<p><br><button id="subbtn" class="secondary-action">Submit</button></p>')

    def build(self) -> None:
        """Draw the section's number and text."""
        number = self.random.integer(1, 51)
        self.area.append(Element("H3", f"Section #{number}"), Element("DIV", words.words(self.random, 20)))
        self.area.append(*self.form.copy())
        accordion(self, self.area)
        self["subbtn"].on("click", self.submit)
        self.utterance = "Expand the section below and click submit."

    def submit(self, event: Event) -> None:
        """See whether the section is open."""
        self.grade(not self.area.elements()[1].is_hidden)

    def solve(self) -> Iterator[Action]:
        """Open it, submit."""
        header, panel, _ = self.area.elements()
        if panel.is_hidden:
            yield Action(header)
        yield Action(self["subbtn"])


class UseAutocomplete(Page):
    """Enter a country that begins, and often ends, as is said; a menu offers countries."""

    name = "use-autocomplete"
    style = Style(sized=SIZED)
    form = Markup("""
    <label for="tags">Tags: </label><input id="tags">
    <button id="subbtn" class="secondary-action">Submit</button>""")

    def build(self) -> None:
        """Draw a country and what is said of it."""
        self.area.append(*self.form.copy())
        self.country = self.random.sample(words.lists()["COUNTRIES"])
        autocomplete(self, self["tags"], self.matches)
        self.start = self.country[: self.random.integer(2, 5)]
        self.end_said = self.country[-self.random.integer(2, 5) :]
        if self.random.uniform(0, 1) < 0.75:
            self.utterance = f'Enter an item that starts with "{self.start}" and ends with "{self.end_said}".'
            self.fields = (("start", self.start), ("end", self.end_said))
        else:
            self.end_said = ""
            self.utterance = f'Enter an item that starts with "{self.start}".'
            self.fields = (("start", self.start),)
        self["subbtn"].on("click", self.submit)

    def matches(self, text: str) -> list[str]:
        """Return the countries that begin with ``text``, in any case."""
        return [country for country in words.lists()["COUNTRIES"] if country.lower().startswith(text.lower())]

    def is_right(self) -> bool:
        """Return whether what is entered begins and ends as is said."""
        value = self["tags"].value
        return value.startswith(self.start) and value.endswith(self.end_said)

    def submit(self, event: Event) -> None:
        """See whether it does."""
        self.grade(self.is_right())

    def solve(self) -> Iterator[Action]:
        """Type the beginning, wait for the menu, choose from it, submit."""
        if not self.is_right():
            if not self["tags"].value:
                yield Action(self["tags"], self.start)
            if menu_entry(self, self.country) is None:
                yield Action(self["tags"])
            if (entry := menu_entry(self, self.country)) is not None:
                yield Action(entry)
        yield Action(self["subbtn"])


class NavigateTree(Page):
    """Find a file or a folder in a tree of folders that can be opened."""

    name = "navigate-tree"
    style = Style(sized=frozenset({".hitarea"}))
    most: ClassVar[int] = 8  # files and folders

    def build(self) -> None:
        """Draw the tree, the wanted place, and the names."""
        tree = Element("UL", id="tree", classes="filetree")
        self.area.append(Element("DIV", tree))
        self.draw_folder(tree, self.most, 0, 0)
        labels = tree.all("file", "folder")
        wanted = self.random.integer(0, len(labels) - 1)
        for label in labels:
            label.append(self.random.sample(words.lists()["FIFTY_NAMES"]))
        treeview(tree)
        for label in labels:
            assert label.parent is not None
            label.parent.on("click", self.judge)
        self.expected = labels[wanted].text
        self.utterance = (
            f'Navigate through the file tree. Find and click on the folder or file named "{self.expected}".'
        )
        self.fields = (("target", self.expected),)

    def draw_folder(self, folder: Element, size: int, count: int, level: int) -> None:
        """Draw the files and folders inside one, ``count`` being counted already."""
        made = 0
        while made < size and count < self.most and level < 2:
            made += 1
            count += 1
            if self.random.sample(("file", "folder")) == "file":
                folder.append(Element("LI", Element("SPAN", classes="file")))
            else:
                inner = Element("UL")
                folder.append(Element("LI", Element("SPAN", classes="folder"), inner))
                inner_size = self.random.integer(0, self.most - made)
                self.draw_folder(inner, inner_size, count, level + 1)
                count += inner_size

    def judge(self, event: Event) -> bool | None:
        """End the episode at the wanted name and at any file; what is inside a folder tells it too."""
        label = next(child for child in event.current.elements() if child.tag == "SPAN")
        if label.text != self.expected and label.has_class("folder"):
            return None
        self.grade(label.text == self.expected)
        return False

    def solve(self) -> Iterator[Action]:
        """Open the folder around it, click it."""
        label = next(label for label in self["tree"].all("file", "folder") if label.text == self.expected)
        folder = label.parent and label.parent.parent
        assert folder is not None and folder.parent is not None
        if folder.is_hidden:
            yield Action(folder.parent.first("folder"))
        yield Action(label)
