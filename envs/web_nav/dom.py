"""A document: elements, what of them is visible, and listeners.

It holds what an agent and a page's code can tell apart, and no geometry: an element has a box or has none.
`Document.outline` lists what is visible in the order of MiniWoB++'s ``core.getDOMInfo``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple, TypeVar

#: Called as ``handler(page, event)``; ``False`` ends the event's way up and its default action, as in jQuery.
Handler = Callable[..., "bool | None"]
Function = TypeVar("Function", bound=Callable[..., Any])

#: Shown in a box of their own, also when they are empty.
_REPLACED = frozenset({"BUTTON", "TEXTAREA", "SELECT", "IMG", "CANVAS", "HR", "TH", "TD", "LI", "svg"})
#: Never laid out.
_UNSHOWN = frozenset({"INPUT_hidden", "OPTION", "BR", "SCRIPT", "STYLE"})
#: Markup elements that have no end tag.
_VOID = frozenset({"br", "hr", "img", "input"})
_NO_ATTRIBUTES: Mapping[str, str] = {}


class Style(NamedTuple):
    """What a page's style sheet says of the elements it names by tag, ``#id`` or ``.class``."""

    #: Not displayed, nor is what lies inside.
    hidden: frozenset[str] = frozenset()
    #: In a box of a given size, so visible when empty.
    sized: frozenset[str] = frozenset()


@functools.lru_cache(1 << 14)
def _look(style: Style, tag: str, id: str, classes: str) -> tuple[bool, bool]:
    """Return whether such an element is displayed, and whether it has a box when it is empty."""
    names = {tag, f"#{id}", *(f".{name}" for name in classes.split())}
    is_displayed = tag not in _UNSHOWN and names.isdisjoint(style.hidden)
    is_sized = tag in _REPLACED or tag.startswith("INPUT_") or not names.isdisjoint(style.sized)
    return is_displayed, is_sized


class Listener(NamedTuple):
    """What happens on an event at an element."""

    type: str
    handler: Handler
    argument: Any


def unbound(function: Function) -> Function:
    """Return a method's function: a page may be copied, and its copy must answer for itself."""
    plain: Function = getattr(function, "__func__", function)
    return plain


def plain(argument: Any) -> Any:
    """Return what a handler is to be given.

    Raises:
        TypeError: it is an element, which a copied page would share with its origin.
    """
    if isinstance(argument, Element):
        raise TypeError(f"A handler's argument is plain data, not {argument!r}: give its id, or use event.current.")
    return argument


class Element:
    """An element of a document.

    Attributes:
        tag: upper case; with the type for an input, ``"INPUT_text"``; lower case inside ``svg``.
        id: unique in its document, or empty.
        classes: names, separated by blanks.
        attributes: the other ones; never changed in place, see `set`.
        children: elements and texts, in order; changed through methods only. A list in each of them would keep
            Python's collector of garbage busy.
        parent: the element around it; None at the top, and inside what was taken out of a document.
        document: the document it is in.
        listeners: on its events, in order of registration.
        is_tampered: whether it was clicked in this episode.
        edit: where typing goes on: the caret in a text, or the fields of a date or time, see `forms`.
    """

    __slots__ = (
        "_classes", "_is_checked", "_is_hidden", "_value", "attributes", "children", "document", "edit", "id",
        "is_tampered", "listeners", "parent", "tag",
    )  # fmt: skip

    def __init__(
        self,
        tag: str,
        *children: Element | str,
        id: str = "",
        classes: str = "",
        value: str = "",
        attributes: Mapping[str, str] = _NO_ATTRIBUTES,
    ) -> None:
        """Make an element outside any document, around ``children``."""
        self.tag, self.id, self.attributes = tag, id, attributes
        self._classes, self._value = classes, value
        self._is_checked = self._is_hidden = self.is_tampered = False
        self.edit: Any = 0
        self.listeners: tuple[Listener, ...] = ()
        self.parent: Element | None = None
        self.document: Document | None = None
        self.children: tuple[Element | str, ...] = ()
        if children:
            self.append(*children)

    def __repr__(self) -> str:
        """Return its start tag."""
        name = f" id={self.id!r}" if self.id else ""
        return f"<{self.tag}{name} class={self._classes!r}>"

    # What an element is.

    def identify(self, id: str) -> None:
        """Give it an id, it being in a document or not."""
        self.id = id
        if self.document is not None:
            self.document.ids.setdefault(id, self)
            self._touch()

    @property
    def classes(self) -> str:
        """Its class names, separated by blanks."""
        return self._classes

    @classes.setter
    def classes(self, classes: str) -> None:
        if classes != self._classes:
            before, self._classes = self._classes, classes
            if self.document is not None:
                self.document.reclassified(self, before)

    def has_class(self, name: str) -> bool:
        """Return whether ``name`` is one of the classes."""
        return f" {name} " in f" {self._classes} "

    def add_class(self, *names: str) -> None:
        """Add classes after those that are there."""
        new = [name for name in names if not self.has_class(name)]
        self.classes = " ".join((*self._classes.split(), *new))

    def remove_class(self, *names: str) -> None:
        """Take classes away."""
        self.classes = " ".join(name for name in self._classes.split() if name not in names)

    def toggle_class(self, name: str) -> None:
        """Add a class, or take it away if it is there."""
        if self.has_class(name):
            self.remove_class(name)
        else:
            self.add_class(name)

    @property
    def value(self) -> str:
        """The text in an input or a text area; the chosen option's value of a select."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        self._value, self.edit = value, len(value)
        self._touch()

    def typed(self, value: str, edit: Any) -> None:
        """Take a value that was typed; ``edit`` says where typing goes on."""
        self._value, self.edit = value, edit
        self._touch()

    @property
    def is_checked(self) -> bool:
        """Whether a box is ticked or a radio button chosen."""
        return self._is_checked

    @is_checked.setter
    def is_checked(self, is_checked: bool) -> None:
        if is_checked and self.tag == "INPUT_radio":
            for other in self.radio_group():
                other._check(False)
        self._check(is_checked)

    def _check(self, is_checked: bool) -> None:
        if is_checked != self._is_checked:
            self._is_checked = is_checked
            self._touch()

    def radio_group(self) -> list[Element]:
        """Return the radio buttons of which one can be chosen, itself included."""
        name = self.attributes.get("name", "")
        if not name or self.document is None:
            return [self]
        everything = self.document.body.descendants()
        return [other for other in everything if other.tag == self.tag and other.attributes.get("name") == name]

    @property
    def is_disabled(self) -> bool:
        """Whether it is a control that takes no input."""
        return "disabled" in self.attributes

    def set(self, name: str, value: str | None) -> None:
        """Set an attribute other than id and class; take it away with ``None``."""
        attributes = {key: old for key, old in self.attributes.items() if key != name}
        self.attributes = attributes if value is None else attributes | {name: value}
        self._touch()

    @property
    def is_hidden(self) -> bool:
        """Whether its own style keeps it and what is inside from being displayed."""
        return self._is_hidden

    @is_hidden.setter
    def is_hidden(self, is_hidden: bool) -> None:
        if is_hidden != self._is_hidden:
            self._is_hidden = is_hidden
            self._restructure()

    # Where it is.

    @property
    def text(self) -> str:
        """Its text and that of its descendants, joined."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @text.setter
    def text(self, text: str) -> None:
        self.clear()
        self.append(text)

    def append(self, *children: Element | str) -> None:
        """Add children at the end; an element that is elsewhere moves."""
        self.insert(len(self.children), *children)

    def insert(self, index: int, *children: Element | str) -> None:
        """Add children, so that the first is at ``index``."""
        for child in children:
            if isinstance(child, Element):
                if child.parent is not None:
                    child.remove()
                child.parent = self
                if self.document is not None:
                    self.document.adopt(child)
        self.children = self.children[:index] + children + self.children[index:]
        self._restructure()

    def remove(self) -> None:
        """Take it out of its parent."""
        if self.parent is not None:
            self.parent.children = tuple(child for child in self.parent.children if child is not self)
            self.parent._restructure()
            self.parent = None
            if self.document is not None:
                self.document.release(self)

    def clear(self) -> None:
        """Take all children out."""
        if not self.children:
            return
        for child in self.children:
            if isinstance(child, Element):
                child.parent = None
                if self.document is not None:
                    self.document.release(child)
        self.children = ()
        self._restructure()

    def elements(self) -> list[Element]:
        """Return the children that are elements."""
        return [child for child in self.children if isinstance(child, Element)]

    def descendants(self) -> Iterator[Element]:
        """Yield the elements inside it, in document order."""
        ahead = self.elements()[::-1]
        while ahead:
            element = ahead.pop()
            yield element
            if element.children:
                ahead += element.elements()[::-1]

    def all(self, *classes: str) -> list[Element]:
        """Return the elements inside it that have one of ``classes``, in document order."""
        wanted = frozenset(classes)
        return [e for e in self.descendants() if e._classes and not wanted.isdisjoint(e._classes.split())]

    def first(self, name: str) -> Element:
        """Return the first element inside it with class ``name``.

        Raises:
            LookupError: there is none.
        """
        for element in self.descendants():
            if element.has_class(name):
                return element
        raise LookupError(f"No element inside {self!r} has the class {name!r}.")

    def closest(self, name: str) -> Element | None:
        """Return the innermost element around it, or itself, that has the tag ``name`` or the class ``.name``."""
        element: Element | None = self
        while element is not None:
            if element.tag == name or (name[0] == "." and element.has_class(name[1:])):
                return element
            element = element.parent
        return None

    def is_heard(self, *types: str) -> bool:
        """Return whether somebody listens to events of one of these types, at it or around it."""
        element: Element | None = self
        while element is not None:
            if element.listeners and any(listener.type in types for listener in element.listeners):
                return True
            element = element.parent
        return False

    def on(self, type: str, handler: Handler, argument: Any = None) -> None:
        """Call ``handler`` on an event at it or inside.

        Args:
            type: such as ``"click"``.
            handler: a method of the page's task, or a function; called as ``handler(page, event)``.
            argument: plain data, given as ``event.argument``.
        """
        self.listeners += (Listener(type, unbound(handler), plain(argument)),)
        if self.document is not None:
            self.document.heard.add(type)

    def off(self, type: str) -> None:
        """Forget the listeners on an event."""
        self.listeners = tuple(listener for listener in self.listeners if listener.type != type)

    def _touch(self) -> None:
        if self.document is not None:
            self.document.touched.add(self)

    def _restructure(self) -> None:
        if self.document is not None:
            self.document.structure += 1

    def copy(
        self, parent: Element | None = None, document: Document | None = None, ids: dict[str, Element] | None = None
    ) -> Element:
        """Return it and what is inside anew, in ``document``; ``ids`` collects the elements with an id."""
        twin = Element.__new__(Element)
        twin.tag, twin.attributes, twin.listeners = self.tag, self.attributes, self.listeners
        twin._classes, twin._value, twin.edit = self._classes, self._value, self.edit
        twin._is_checked, twin._is_hidden, twin.is_tampered = self._is_checked, self._is_hidden, self.is_tampered
        twin.parent, twin.document, twin.id = parent, document, self.id
        children = self.children
        if len(children) > 1 or (children and not isinstance(children[0], str)):
            children = tuple([c if isinstance(c, str) else c.copy(twin, document, ids) for c in children])
        twin.children = children
        if ids is not None and self.id:
            ids.setdefault(self.id, twin)
        return twin


class Node(NamedTuple):
    """Something visible: an element, or a text between elements."""

    element: Element  # of a text, the element it is in
    is_text: bool
    text: str | None  # of a text, and of an element without elements inside; else None
    parent: int  # the place of its parent, -1 for the body
    depth: int  # 0 for the body

    @property
    def tag(self) -> str:
        """The element's tag, or ``"t"`` for a text."""
        return "t" if self.is_text else self.element.tag


class Outline(NamedTuple):
    """What is visible, in document order, the body first: a `Node` per place, in columns.

    As many objects as there are nodes would keep Python's collector of garbage busy.
    """

    elements: list[Element]
    are_texts: list[bool]
    texts: list[str | None]
    parents: list[int]
    depths: list[int]

    @classmethod
    def of(cls, nodes: Sequence[Node]) -> Outline:
        """Return the columns of ``nodes``."""
        columns: Any = ([node[column] for node in nodes] for column in range(len(Node._fields)))
        return cls(*columns)

    def has_shape_of(self, other: Outline) -> bool:
        """Return whether there are as many nodes, which lie in each other in the same way."""
        return self.parents == other.parents and self.are_texts == other.are_texts


class Document:
    """A tree of elements and what of it is visible.

    Attributes:
        body: its root.
        style: what the style sheet says.
        ids: elements by their id.
        structure: a number that grows when the list of visible nodes may have changed.
        touched: elements whose id, value, classes, attributes, focus or ``is_tampered`` changed since it was emptied.
        heard: types of events that an element has a listener on, or had.
        focused: the element that has the keyboard, if it is not the body.
    """

    def __init__(self, style: Style) -> None:
        """Make an empty document."""
        self.style = style
        self.ids: dict[str, Element] = {}
        self.structure = 0
        self.touched: set[Element] = set()
        self.heard: set[str] = set()
        self.focused: Element | None = None
        self.body = Element("BODY")
        self.body.document = self
        self._outline = Outline([], [], [], [], [])
        self._listed = -1  # the structure that the outline shows

    def adopt(self, element: Element) -> None:
        """Take in ``element`` and what is inside."""
        element.document = self
        for listener in element.listeners:
            self.heard.add(listener.type)
        if element.id:
            self.ids.setdefault(element.id, element)
        for child in element.children:
            if isinstance(child, Element):
                child.parent = element
                self.adopt(child)

    def release(self, element: Element) -> None:
        """Let go of ``element`` and what is inside, which comes apart: it has no parents until it is adopted again.

        As cycles, what is taken out would stay in memory until Python's collector of garbage finds it.
        """
        element.document = None
        if self.ids.get(element.id) is element:
            del self.ids[element.id]
        if self.focused is element:
            self.focused = None
            self.touched.add(element)
        for child in element.children:
            if isinstance(child, Element):
                child.parent = None
                self.release(child)

    def reclassified(self, element: Element, before: str) -> None:
        """Note that ``element`` had the classes ``before``."""
        self.touched.add(element)
        tag, id = element.tag, element.id
        if _look(self.style, tag, id, before) != _look(self.style, tag, id, element.classes):
            self.structure += 1

    def outline(self) -> Outline:
        """Return what is visible. The lists are not to be changed."""
        if self._listed != self.structure:
            self._outline, self._listed = Outline([], [], [], [], []), self.structure
            self._list(self.body, -1, 0)
        return self._outline

    def nodes(self) -> list[Node]:
        """Return what is visible, in document order, the body first."""
        return list(map(Node._make, zip(*self.outline(), strict=True)))

    def _list(self, element: Element, parent: int, depth: int) -> None:
        if element._is_hidden:
            return
        is_displayed, is_sized = _look(self.style, element.tag, element.id, element._classes)
        if not is_displayed:
            return
        children = element.children
        text: str | None = ""  # all of it, if there are no elements inside
        for child in children:
            if not isinstance(child, str):
                text = None
                break
            if stripped := child.strip():
                text = f"{text} {stripped}" if text else stripped
        if text == "" and not is_sized:
            return
        outline = self._outline
        elements, are_texts, texts, parents, depths = outline
        place = len(elements)
        elements.append(element)
        are_texts.append(False)
        texts.append(text)
        parents.append(parent)
        depths.append(depth)
        if text is not None:
            return
        for child in children:
            if not isinstance(child, str):
                self._list(child, place, depth + 1)
            elif stripped := child.strip():
                elements.append(element)
                are_texts.append(True)
                texts.append(stripped)
                parents.append(place)
                depths.append(depth + 1)
        if not is_sized and len(elements) == place + 1:
            for column in outline:
                column.pop()

    def is_displayed(self, element: Element) -> bool:
        """Return whether neither it nor an element around it is hidden."""
        inner: Element | None = element
        while inner is not None:
            if inner._is_hidden or not _look(self.style, inner.tag, inner.id, inner._classes)[0]:
                return False
            inner = inner.parent
        return True

    def dump(self) -> dict[str, Any]:
        """Return what is visible as MiniWoB++'s ``core.getDOMInfo`` nests it.

        Each element is a dict with ``tag``, ``id``, ``classes``, and where it has them ``value``, ``text``,
        ``children``; a text between elements has ``tag`` ``"t"`` and ``text``. Such a text is in one piece: a browser
        cuts it where lines end, which depends on its fonts.
        """
        dumped: list[dict[str, Any]] = []
        for node in self.nodes():
            element = node.element
            entry: dict[str, Any] = {"tag": node.tag}
            if node.text is not None:
                entry["text"] = node.text
            if not node.is_text:
                if element.tag in ("INPUT_checkbox", "INPUT_radio"):
                    entry["value"] = element.is_checked
                elif element.tag.startswith("INPUT_") or element.tag == "TEXTAREA":
                    entry["value"] = element.value
                entry |= {"id": element.id, "classes": element.classes}
            if node.parent >= 0:
                dumped[node.parent].setdefault("children", []).append(entry)
            dumped.append(entry)
        return dumped[0]

    def copy(self) -> Document:
        """Return the document anew."""
        twin = Document(self.style)
        twin.structure, twin.heard = self.structure, self.heard.copy()
        twin.body = self.body.copy(None, twin, twin.ids)
        if self.focused is not None:
            twin.focused = twin.follow(self.path(self.focused))
        return twin

    def path(self, element: Element) -> list[int]:
        """Return the places of ``element`` and of those around it among their siblings, from the body inwards."""
        places = []
        while element.parent is not None:
            places.append(next(i for i, child in enumerate(element.parent.children) if child is element))
            element = element.parent
        return places[::-1]

    def follow(self, path: list[int]) -> Element:
        """Return the element that lies at `path`."""
        element = self.body
        for place in path:
            child = element.children[place]
            assert isinstance(child, Element)
            element = child
        return element


class Markup:
    """Elements to be put into documents any number of times, with their listeners."""

    def __init__(self, *parts: Element | str) -> None:
        """Take elements, and HTML: elements and texts; blanks between elements are left out.

        ``style="display: none"`` hides; ``value`` and ``checked`` set what a control shows at first.
        """
        self._root = Element("BODY")
        for part in parts:
            self._root.append(*([part] if isinstance(part, Element) else _read(part)))

    def copy(self) -> tuple[Element | str, ...]:
        """Return the elements and texts anew."""
        twin = self._root.copy()
        for child in twin.children:
            if isinstance(child, Element):
                child.parent = None
        return twin.children

    def element(self) -> Element:
        """Return its first element anew."""
        return next(child for child in self.copy() if isinstance(child, Element))


def _read(html: str) -> tuple[Element | str, ...]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root.children


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self._inner = Element("BODY")

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name = tag.upper() if tag != "input" else f"INPUT_{attributes.pop('type', 'text')}"
        element = Element(
            name, id=attributes.pop("id", ""), classes=attributes.pop("class", ""), value=attributes.pop("value", "")
        )
        element.is_hidden = "display:none" in attributes.pop("style", "").replace(" ", "")
        element.is_checked = attributes.pop("checked", None) is not None
        element.attributes = attributes or _NO_ATTRIBUTES
        self._inner.append(element)
        if tag not in _VOID:
            self._inner = element

    def handle_endtag(self, tag: str) -> None:
        if self._inner.parent is None or self._inner.tag != tag.upper():
            raise ValueError(f"</{tag}> ends no open element: the innermost one is {self._inner!r}.")
        if self._inner.tag == "TEXTAREA":
            self._inner._value = self._inner.text
        if self._inner.tag == "SELECT":
            self._inner._value = next((option.value for option in self._inner.descendants()), "")
        if self._inner.tag == "OPTION":
            self._inner._value = self._inner.value or self._inner.text.strip()
        self._inner = self._inner.parent

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._inner.append(data)
