"""A page: a document that is clicked and typed into, a clock of its own, and an episode that ends with a reward."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, TypeVar

from . import forms
from .dom import Document, Element, Handler, Node, Style, plain, unbound
from .params import Browsing
from .seedrandom import SeedRandom

#: Events that one typed character may give.
_KEY_EVENTS = frozenset({"keydown", "keypress", "input", "keyup"})
#: Elements that answer a click on what is inside them; so do inputs.
_ACTIVE = frozenset({"LABEL", "BUTTON", "A", "SELECT", "TEXTAREA"})

PageType = TypeVar("PageType", bound="Page")


class Event:
    """What a handler is told.

    Attributes:
        type: such as ``"click"``.
        target: where it happened.
        current: the element whose listener is called.
        argument: what the listener was registered with.
        key: the character typed, for a key's event.
    """

    __slots__ = ("argument", "current", "key", "target", "type")

    def __init__(self, type: str, target: Element, key: str = "") -> None:
        """Describe an event."""
        self.type, self.target, self.current, self.key = type, target, target, key
        self.argument: Any = None


class Action(NamedTuple):
    """Something done to a page."""

    element: Element
    text: str | None = None  # None for a click alone


class _Timer(NamedTuple):
    due: float  # milliseconds
    order: int
    handler: Handler
    argument: Any


class Page:
    """A task, written as the page it is; derive from it once per task.

    A task's own attributes are plain values that are replaced, never changed in place: then a copied page does not
    depend on the page it came from. Elements are looked up when needed, ``page["username"]``.

    Attributes:
        name: of the task, as in MiniWoB++.
        limit: of an episode, in milliseconds; after it the reward is -1. The class has the task's own.
        knobs: what may vary from one episode to the next.
        parameters: that of this one.
        style: what the page's style sheet says.
        seed: that of the instance.
        random: the page's ``Math.random``.
        document: the tree.
        area: the element that holds the task.
        utterance: what is to be done.
        fields: the same as (key, value) pairs.
        time: milliseconds since the episode began.
        widgets: what widgets remember, by a name of theirs; plain values.
        is_done: whether the episode has ended.
        raw_reward: the episode's reward, 0 until it has ended.
        reward: the same; where the task scales it, times the share of the limit that was left.
    """

    name: ClassVar[str]
    limit: float = 10_000.0
    style: ClassVar[Style] = Style()
    knobs: ClassVar[type[Browsing]] = Browsing
    parameters: Browsing

    def __init__(self, seed: int, parameters: Browsing | None = None) -> None:
        """Make the instance of ``seed`` and start its episode; without ``parameters``, with those of `browsing`."""
        self.seed = seed
        self.parameters = self.browsing() if parameters is None else parameters
        self.limit = self.parameters.limit_ms
        self.random = SeedRandom(seed)
        self.document = Document(self.style)
        self.area = Element("DIV", id="area")
        self.document.body.append(Element("DIV", self.area, id="wrap"))
        self.utterance = ""
        self.fields: tuple[tuple[str, str], ...] = ()
        self.time = 0.0
        self.is_done = False
        self.raw_reward = self.reward = 0.0
        self._timers: list[_Timer] = []
        self._timers_made = 0
        self._value_at_focus = ""
        self._structure_at_focus = -1
        self._is_picker_open = False
        self._ui_ids = 0
        self.widgets: dict[str, Any] = {}
        self.build()
        self.after(self.limit, self._time_out)
        self.document.touched.clear()

    # What a task says.

    @classmethod
    def browsing(cls, **given: float) -> Browsing:
        """Return the task's parameters, with those that are ``given`` instead of its defaults.

        Raises:
            ValueError: it has no such parameter, or not with such a value.
        """
        names = [field.name for field in dataclasses.fields(cls.knobs)]
        for name in given:
            if name not in names:
                raise ValueError(f"parameters has {name!r}. Allowed: {', '.join(names)}.")
        return cls.knobs(**{"limit_ms": cls.limit, **given})

    @classmethod
    def room(cls, **given: float) -> tuple[int, int, int] | None:
        """Return how many elements, fields and words of a text its pages need, with the parameters of `browsing`.

        None, if no parameter matters: then a survey has found it, see `survey.measure`.
        """
        return None

    def build(self) -> None:
        """Draw the instance from ``self.random``, fill ``self.area``, set ``utterance`` and ``fields``."""
        raise NotImplementedError

    def solve(self) -> Iterator[Action]:
        """Yield the actions that are left to do, each from the state that the one before has led to."""
        raise NotImplementedError

    # What a task's code calls.

    def __getitem__(self, id: str) -> Element:
        """Return the element with this id.

        Raises:
            LookupError: there is none.
        """
        try:
            return self.document.ids[id]
        except KeyError:
            raise LookupError(f"No element has the id {id!r}; there are {sorted(self.document.ids)}.") from None

    def unique_id(self) -> str:
        """Return the next id that jQuery UI would give."""
        self._ui_ids += 1
        return f"ui-id-{self._ui_ids}"

    def end(self, reward: float, is_scaled: bool = False) -> None:
        """End the episode; later ends have no effect.

        Args:
            reward: the raw one.
            is_scaled: whether it is worth less the later it comes.
        """
        if not self.is_done:
            self.is_done = True
            self.raw_reward = reward
            self.reward = reward * max(0.0, 1.0 - self.time / self.limit) if is_scaled else reward

    def grade(self, is_right: bool) -> None:
        """End the episode with 1, less the later it comes, or with -1."""
        self.end(1.0 if is_right else -1.0, is_right)

    def after(self, milliseconds: float, handler: Handler, argument: Any = None) -> None:
        """Call ``handler(page, argument)`` later; see `Element.on` for what may be given."""
        self._timers_made += 1
        timer = _Timer(self.time + milliseconds, self._timers_made, unbound(handler), plain(argument))
        heapq.heappush(self._timers, timer)

    def cancel(self, handler: Handler, argument: Any = None) -> None:
        """Forget the timers that would call ``handler`` with ``argument``."""
        function = unbound(handler)
        self._timers = [t for t in self._timers if t.handler is not function or t.argument != argument]
        heapq.heapify(self._timers)

    def postpone(self, milliseconds: float, handler: Handler, argument: Any = None) -> None:
        """Call ``handler(page, argument)`` so much after now, and not when it was to be called before."""
        self.cancel(handler, argument)
        self.after(milliseconds, handler, argument)

    def _time_out(self, argument: None) -> None:
        self.end(-1.0)

    def dispatch(self, type: str, target: Element, key: str = "", bubbles: bool = True) -> bool:
        """Tell the listeners of an event, from ``target`` up to the body; return whether none of them refused it."""
        # The way up is that of the moment: listeners may move elements.
        heard = []
        element = target if target.document is None or type in target.document.heard else None
        while element is not None:
            for listener in element.listeners:
                if listener.type == type:
                    heard.append((element, listener))
            element = element.parent if bubbles else None
        if heard:
            event, refused_at = Event(type, target, key), None
            for element, listener in heard:
                if refused_at is not None and element is not refused_at:
                    break
                event.current, event.argument = element, listener.argument
                if listener.handler(self, event) is False:
                    refused_at = element
            if refused_at is not None:
                return False
        if type == "click" and bubbles and not target.is_tampered:
            target.is_tampered = True
            self.document.touched.add(target)
        return True

    def focus(self, element: Element | None) -> None:
        """Give an element the keyboard, if it can have it; ``None`` takes it from whatever has it."""
        document = self.document
        before = self.focused
        if element is before:
            if element is not None and forms.leave(element):
                self._changed(element)
            return
        if element is not None and not (
            element.document is document and forms.is_focusable(element) and document.is_displayed(element)
        ):
            return
        if before is not None:
            document.touched.add(before)
            if forms.leave(before):
                self._changed(before)
            if forms.is_text(before) and before.value != self._value_at_focus:
                self.dispatch("change", before)
            document.focused = None
            self.dispatch("blur", before, bubbles=False)
            self.dispatch("focusout", before)
        if element is not None and element.document is document:
            document.focused = element
            document.touched.add(element)
            self._value_at_focus = element.value
            forms.arrive(element)
            self.dispatch("focus", element, bubbles=False)
            self.dispatch("focusin", element)

    @property
    def focused(self) -> Element | None:
        """What has the keyboard, if it is not the body; what is not displayed any more, or disabled, has lost it."""
        document, focused = self.document, self.document.focused
        if focused is not None:
            is_changed, self._structure_at_focus = self._structure_at_focus != document.structure, document.structure
            if focused.is_disabled or (is_changed and not document.is_displayed(focused)):
                document.touched.add(focused)
                document.focused = None
        return document.focused

    def activate(self, element: Element) -> None:
        """Click ``element`` as a script does: events, then what the element does by itself."""
        if element.is_disabled:
            return
        tag = element.tag
        is_choice = tag in ("INPUT_checkbox", "INPUT_radio")
        chosen = [other for other in element.radio_group() if other.is_checked] if tag == "INPUT_radio" else []
        was_checked = element.is_checked
        if is_choice:
            element.is_checked = tag == "INPUT_radio" or not was_checked
        is_accepted = self.dispatch("click", element)
        if is_choice:
            if not is_accepted:
                element.is_checked = was_checked
                for other in chosen:
                    other.is_checked = True
            elif element.is_checked != was_checked:
                self._changed(element)
        elif is_accepted:
            self._pass_on(element)

    def _pass_on(self, element: Element) -> None:
        """Let the label around ``element`` click its control."""
        inner: Element | None = element
        while inner is not None and inner.tag not in _ACTIVE and not inner.tag.startswith("INPUT_"):
            inner = inner.parent
        if inner is None or inner.tag != "LABEL":
            return
        if name := inner.attributes.get("for"):
            control = self.document.ids.get(name)
        else:
            controls = (e for e in inner.descendants() if e.tag.startswith("INPUT_") or e.tag in ("TEXTAREA", "SELECT"))
            control = next(controls, None)
        if control is not None:
            self.focus(control)
            self.activate(control)

    def _changed(self, element: Element) -> None:
        self.dispatch("input", element)
        self.dispatch("change", element)

    # What is done to a page.

    def click(self, element: Element) -> None:
        """Click ``element`` and give it the keyboard, as MiniWoB++'s ``core.elementClick`` does."""
        if self.is_done or element.document is not self.document:
            return
        if element.tag.islower():  # inside svg: events of its own, which go no further
            for type in ("mousedown", "mouseup", "click"):
                self.dispatch(type, element, bubbles=False)
        else:
            self.activate(element)
            self.focus(element)

    def type(self, text: str) -> None:
        """Type ``text``, key by key, into what has the keyboard; ``"typed"``, an event of our own, follows."""
        focused = self.focused
        if self.is_done or focused is None or self._is_picker_open or not text:
            return
        if forms.is_text(focused) and not focused.is_heard(*_KEY_EVENTS):
            forms.insert(focused, text)
        else:
            for character in text:
                self._press(character)
        self.dispatch("typed", focused)

    def _press(self, character: str) -> None:
        element = self.focused
        if element is None or self._is_picker_open or self.is_done:
            return
        if self.dispatch("keydown", element, character) and self.dispatch("keypress", element, character):
            if character == " " and forms.has_picker(element):
                self._is_picker_open = True
                return
            if forms.press(element, character):
                self.dispatch("input", element, character)
                if not forms.is_text(element) and element.tag != "INPUT_number":
                    self.dispatch("change", element)
        self.dispatch("keyup", element, character)
        if character == " " and element.tag in forms.BUTTONS and self.focused is element:
            self.activate(element)

    def perform(self, action: Action) -> None:
        """Do an action: a click, and typing if there is a text."""
        self.click(action.element)
        if action.text is not None:
            self.type(action.text)

    def advance(self, milliseconds: float) -> None:
        """Let time pass; timers that are due are called in order."""
        end = self.time + milliseconds
        while self._timers and self._timers[0].due <= end and not self.is_done:
            timer = heapq.heappop(self._timers)
            self.time = timer.due
            timer.handler(self, timer.argument)
        if not self.is_done:
            self.time = end

    # What is seen of a page.

    def nodes(self) -> list[Node]:
        """Return what is visible, see `Document.nodes`."""
        return self.document.nodes()

    def dump(self) -> dict[str, Any]:
        """Return what is visible as MiniWoB++ nests it, see `Document.dump`."""
        return self.document.dump()

    def copy(self: PageType) -> PageType:
        """Return the page anew: the same actions give the same future, and neither page knows of the other."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.random = self.random.copy()
        twin.document = self.document.copy()
        twin.area = twin["area"]
        twin.widgets = dict(self.widgets)
        twin._timers = list(self._timers)
        return twin


def fill(element: Element, text: str) -> list[Action]:
    """Return the action that types ``text`` into ``element``, unless it is there already."""
    return [] if element.value == text else [Action(element, text)]
