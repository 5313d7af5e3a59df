"""Pages in a browser, seen and acted on as embedded ones are."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from ...core.display import load_pygame, pixels
from ..dom import Document, Element, Node, Outline, Style
from ..page import Action, Page
from .driver import Browser, PageError, Tab
from .server import FileServer

_URL = re.compile(r"https?://|file://")
#: The window of MiniWoB++, and one for other pages; width and height in pixels.
_SMALL, _USUAL = (500, 320), (1280, 720)
#: The time limit of a page that is not MiniWoB++'s, in milliseconds.
_LIMIT = 30_000.0


class Mirror(Document):
    """A document that shows what a browser has told of its own: what is visible, and no more.

    An element stays the same as long as the browser's does.
    """

    def __init__(self) -> None:
        """Show nothing."""
        super().__init__(Style())
        self._elements: dict[int, Element] = {}
        self._references: dict[Element, int] = {}
        self._rows: dict[int, list[Any]] = {}
        self._tree: list[Any] = []

    def outline(self) -> Outline:
        """Return what is visible; see `Document.outline`."""
        return self._outline

    def show(self, rows: list[list[Any]]) -> None:
        """Show what ``list`` in ``page.js`` has found."""
        elements: dict[int, Element] = {}
        told: dict[int, list[Any]] = {}
        nodes: list[Node] = []
        focused = None
        for row in rows:
            ref, parent, tag, text = row[:4]
            depth = 0 if parent < 0 else nodes[parent].depth + 1
            if ref == 0:
                nodes.append(Node(nodes[parent].element, True, text, parent, depth))
                continue
            element = elements[ref] = self._elements.get(ref) or self._new(tag, depth)
            nodes.append(Node(element, False, text, parent, depth))
            told[ref] = row
            if row != self._rows.get(ref):
                self._tell(element, row)
            if row[-1]:
                focused = element
        tree = [(row[0], row[1], row[3]) for row in rows]
        self._outline, self._elements, self._rows = Outline.of(nodes), elements, told
        self._references = {element: ref for ref, element in elements.items()}
        if tree != self._tree:
            self._tree = tree
            self._connect(nodes)
        self.focused = None if focused is self.body else focused

    def reference(self, element: Element) -> int | None:
        """Return the browser's reference to an element that is visible, or None."""
        return self._references.get(element)

    def _new(self, tag: str, depth: int) -> Element:
        if depth == 0:
            return self.body
        element = Element(tag)
        element.document = self
        return element

    def _tell(self, element: Element, row: list[Any]) -> None:
        """Note what is told of an element."""
        value, element.id, classes, attributes, is_checked, is_tampered, _ = row[4:]
        element.value, element.classes, element.attributes = value, classes, attributes
        element._check(is_checked)
        element.is_tampered = is_tampered
        self.touched.add(element)

    def _connect(self, nodes: list[Node]) -> None:
        """Put the nodes into each other."""
        self.structure += 1
        self.ids = {}
        for node in nodes:
            if not node.is_text:
                node.element.children = (node.text,) if node.text is not None else ()
                if node.element.id:
                    self.ids.setdefault(node.element.id, node.element)
            if node.parent >= 0:
                around = nodes[node.parent].element
                around.children += (node.text or "" if node.is_text else node.element,)
                if not node.is_text:
                    node.element.parent = around


class Site:
    """Where the pages of a task are, and the browser that shows them.

    Attributes:
        name: of the task.
        limit: of an episode, in milliseconds.
        extract: reads the fields out of an instruction, if MiniWoB++ can.
        close: stops browser and server; may be called again.
    """

    def __init__(self, task: str, executable: str | None = None, timeout: float = 10.0) -> None:
        """Launch a browser and look at the page.

        Args:
            task: a page of MiniWoB++ by its name, an HTML file, or a URL.
            executable: see `find.find`.
            timeout: seconds a page has to load, and to answer.

        Raises:
            ValueError: there is no such page.
            DependencyNotInstalled: MiniWoB++, Playwright or a browser is missing.
            PageError: the page does not load.
        """
        self.name = task
        self._free: list[Tab] = []
        with contextlib.ExitStack() as opened:
            is_miniwob = False
            if _URL.match(task):
                self._url = task
            else:
                path, folder = _file(task)
                is_miniwob = folder != path.parent
                server = FileServer(folder)
                opened.callback(server.close)
                self._url = server.url(quote(path.relative_to(folder).as_posix()))
            self._browser = Browser(executable, _SMALL if is_miniwob else _USUAL, timeout)
            opened.callback(self._browser.close)
            tab = self.take()
            self.limit = float(tab.call("limit") or _LIMIT)
            self._free.append(tab)
            self.extract = _extractor(task) if is_miniwob else None
            self.close = opened.pop_all().close

    @property
    def version(self) -> str:
        """The browser's name and version."""
        return self._browser.version

    def take(self) -> Tab:
        """Return a page that nobody has acted on."""
        if self._browser.is_closed:
            raise PageError("The browser has been closed: make another environment.")
        return self._free.pop() if self._free else Tab(self._browser, self._url)

    def __getstate__(self) -> NoReturn:
        """Refuse: a browser is no value."""
        raise PageError(f"{self.name}: a page in a browser cannot be copied or saved. Use backend='embedded'.")

    def give_back(self, tab: Tab) -> None:
        """Load a page again, so that it is there when it is needed."""
        if not self._browser.is_closed and not tab.is_lost:
            tab.load()
            self._free.append(tab)


class BrowserPage(Page):
    """A page in a browser: `Page` as far as an agent can tell.

    One call into the page per step does and shows everything; where a date, a time or a list has the keyboard, real
    keys are pressed in between.

    Attributes:
        errors: what the page's code threw and did not catch, the first of it.
    """

    site: ClassVar[Site]

    def build(self) -> None:
        """Start the episode."""
        self._pending: tuple[int | None, str | None] = (None, None)
        self._mirror = self.document = Mirror()
        self.errors: tuple[str, ...] = ()
        self._tab = self.site.take()
        weakref.finalize(self, self.site.give_back, self._tab)
        told = self._tab.call("start", self.seed, self.limit)
        self.utterance, fields = told["utterance"], told["fields"]
        if fields is None:
            fields = self.site.extract(self.utterance) if self.site.extract else ()
        self.fields = tuple((str(key), str(value)) for key, value in fields)
        self._take_in(told["state"])

    def _take_in(self, state: dict[str, Any]) -> None:
        """Note what the page has become."""
        self.errors = tuple(state["errors"])
        if state["fault"]:
            self._tab.give_up()
            raise PageError(f"{self.name}: the page cannot go on: {state['fault']}.")
        self._mirror.show(state["rows"])
        self.area = self.document.ids.get("area", self.document.body)
        self.time = float(state["time"])
        if state["done"]:
            self.is_done, self.raw_reward, self.reward = True, float(state["raw"]), float(state["reward"])
        elif self.time >= self.limit:
            self.end(-1.0)

    def perform(self, action: Action) -> None:
        """Do an action as soon as time passes: a click, and typing if there is a text."""
        if not self.is_done and (ref := self._mirror.reference(action.element)) is not None:
            self._pending = ref, action.text

    def advance(self, milliseconds: float) -> None:
        """Do what is to be done, and let time pass on the page's clock.

        Raises:
            PageError: the page hangs, broke or would leave.
        """
        if self.is_done:
            return
        (ref, text), self._pending = self._pending, (None, None)
        state = self._tab.call("act", ref, text, milliseconds)
        if state is None:
            assert text is not None
            self._tab.type(text)
            state = self._tab.call("wait", milliseconds)
        self._take_in(state)

    def picture(self) -> NDArray[np.uint8]:
        """Return what the browser shows, uint8 of shape (height, width, 3).

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        image = load_pygame().image
        return pixels(image.load(io.BytesIO(self._tab.picture())))

    def solve(self) -> Iterator[Action]:
        """Refuse: a page in a browser has no oracle."""
        self._refuse("has no oracle, and so no warm start, no sub-goals and no dense reward")

    def copy(self) -> NoReturn:
        """Refuse: what a browser holds cannot be copied."""
        self._refuse("cannot be copied or saved")

    def __getstate__(self) -> NoReturn:
        """Refuse: what a browser holds cannot be pickled."""
        self._refuse("cannot be copied or saved")

    def _refuse(self, what: str) -> NoReturn:
        raise PageError(f"{self.name}: a page in a browser {what}. Use backend='embedded'.")


def pages(task: str, executable: str | None = None, timeout: float = 10.0) -> type[BrowserPage]:
    """Return the class whose instances are episodes of ``task`` in a browser, see `Site`.

    ``site.close()`` of the class stops the browser; so does the end of the process.
    """
    site = Site(task, executable, timeout)
    return type("BrowserPage", (BrowserPage,), {"site": site, "name": site.name, "limit": site.limit})


def _file(task: str) -> tuple[Path, Path]:
    """Return the file of a page, and the folder that is served for it."""
    path = Path(task)
    if path.suffix in (".html", ".htm"):
        if not path.is_file():
            raise ValueError(f"task = {task!r}: there is no such file in {Path.cwd()}.")
        return path.resolve(), path.resolve().parent
    folder = _miniwob() / "html"
    names = sorted(file.stem for file in (folder / "miniwob").glob("*.html"))
    if task not in names:
        raise ValueError(
            f"task = {task!r} is unknown. Allowed in a browser: an HTML file (.html), a URL (http://...), or a page of "
            f"MiniWoB++: {', '.join(names)}."
        )
    return folder / "miniwob" / f"{task}.html", folder


@functools.cache
def _miniwob() -> Path:
    """Return the folder of MiniWoB++, which need not be imported: that would register its environments."""
    spec = importlib.util.find_spec("miniwob")
    if spec is None or spec.origin is None:
        raise DependencyNotInstalled('The pages of MiniWoB++ are missing: pip install "rlx[web]"')
    return Path(spec.origin).parent


def _extractor(task: str) -> Callable[[str], Any] | None:
    """Return what reads the fields out of an instruction, MiniWoB++'s own."""
    spec = importlib.util.spec_from_file_location("rlx_miniwob_fields", _miniwob() / "fields.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], Any] | None = module.FIELD_EXTRACTORS.get(task)
    return found
