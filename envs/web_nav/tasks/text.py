"""Tasks that are solved by typing into a small form, or by giving it the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from .. import words
from ..dom import Element, Markup
from ..page import Action, Event, Page, fill
from ..params import Browsing, WritableBrowsing

_EXPIRING = (
    "about to expire.",
    "about to time out.",
    "expiring soon.",
    "soon to expire.",
    "timing out soon.",
    "going to expire soon.",
    "going to time out soon.",
)
_MESSAGES = (
    "You are running out of time, aren't you?",
    "You have 10 new messages.",
    "Your mother is calling you for dinner.",
    "Please do not panic.",
    "This is an annoying popup message.",
    "It looks like you are trying to log in.",
    "You look good today.",
    "Sorry for this annoying message.",
)


class LoginUser(Page):
    """Type a name and a password, then press Login."""

    name = "login-user"
    knobs = WritableBrowsing
    form = Markup("""
    <div id="form">
      <p><label class="bold">Username</label><input type="text" id="username"></p>
      <p><label class="bold">Password</label><input type="password" id="password"></p>
      <button id="subbtn" class="secondary-action">Login</button>
    </div>""")

    def build(self) -> None:
        """Draw the name and the password."""
        self.area.append(*self.form.copy())
        self.user = self.random.sample(words.lists()["FIFTY_NAMES"]).lower()
        self.password = words.string(self.random, 2, 6)
        self.utterance = (
            f'Enter the username "{self.user}" and the password "{self.password}" into the text fields and press login.'
        )
        self.fields = (("username", self.user), ("password", self.password))
        self["subbtn"].on("click", self.submit)

    def submit(self, event: Event) -> None:
        """Compare what was typed."""
        self.grade(self["username"].value == self.user and self["password"].value == self.password)

    def solve(self) -> Iterator[Action]:
        """Fill both fields, submit."""
        yield from fill(self["username"], self.user)
        yield from fill(self["password"], self.password)
        yield Action(self["subbtn"])


class LoginUserPopup(LoginUser):
    """The same; a question may come in between, when a field gets the keyboard."""

    name = "login-user-popup"
    limit = 15_000.0
    popup = Markup("""
    <div id="popup">
      <p></p><p>Exit to home page?</p>
      <p><button id="popup-ok">OK</button><button id="popup-cancel">Cancel</button></p>
    </div>""")

    def build(self) -> None:
        """Draw the field that the question comes with, if it comes."""
        super().build()
        self["subbtn"].text = "OK"
        field = self.random.sample(("username", "password", None, None))
        if field is not None:
            self[field].on("focus", self.interrupt)

    def interrupt(self, event: Event) -> None:
        """Ask, once; the form is disabled until the answer."""
        event.current.off("focus")
        self.disable("")
        popup = self.popup.element()
        popup.elements()[0].append(self.draw_message())
        self.area.append(popup)
        self["popup-ok"].on("click", self.leave)
        self["popup-cancel"].on("click", self.stay)

    def disable(self, value: str | None) -> None:
        """Disable the form; enable it with ``None``."""
        for name in ("username", "password", "subbtn"):
            self[name].set("disabled", value)

    def draw_message(self) -> str:
        """Draw what comes before the question."""
        if self.random.random() < 0.85:
            return f"Your session is {self.random.sample(_EXPIRING)}"
        return self.random.sample(_MESSAGES)

    def leave(self, event: Event) -> None:
        """Lose."""
        self.end(-1.0)

    def stay(self, event: Event) -> None:
        """Go on with the form."""
        self.disable(None)
        self["popup"].remove()

    def solve(self) -> Iterator[Action]:
        """Fill both fields, answer the question, submit."""
        yield from self.answer()
        for name, text in (("username", self.user), ("password", self.password)):
            yield from fill(self[name], text)
            if "popup" in self.document.ids:
                yield from self.answer()
                yield from fill(self[name], text)
        yield Action(self["subbtn"])

    def answer(self) -> Iterator[Action]:
        """Answer the question, if it is there."""
        if "popup" in self.document.ids:
            yield Action(self["popup-cancel"])


class EnterPassword(Page):
    """Type a password twice."""

    name = "enter-password"
    limit = 15_000.0
    knobs = WritableBrowsing
    form = Markup("""
    <div id="form">
      <p><label>Password</label><input type="password" id="password"></p>
      <p><label>Verify password</label><input type="password" id="verify"></p>
      <button id="subbtn" class="secondary-action">Submit</button>
    </div>""")

    def build(self) -> None:
        """Draw the password."""
        self.area.append(*self.form.copy())
        self.password = words.string(self.random, 2, 6)
        self.utterance = f'Enter the password "{self.password}" into both text fields and press submit.'
        self.fields = (("target", self.password),)
        self["subbtn"].on("click", self.submit)

    def submit(self, event: Event) -> None:
        """Compare what was typed."""
        self.grade(self["password"].value == self["verify"].value == self.password)

    def solve(self) -> Iterator[Action]:
        """Fill both fields, submit."""
        yield from fill(self["password"], self.password)
        yield from fill(self["verify"], self.password)
        yield Action(self["subbtn"])


class EnterText(Page):
    """Type a given text into the only field."""

    name = "enter-text"
    knobs: ClassVar[type[Browsing]] = WritableBrowsing
    input: ClassVar[str] = "tt"
    form = Markup("""
    <div id="form">
      <input type="text" id="tt">
      <button id="subbtn" class="secondary-action">Submit</button>
    </div>""")

    def build(self) -> None:
        """Draw the text."""
        self.area.append(*self.form.copy())
        self["subbtn"].on("click", self.submit)
        self.draw()

    def draw(self) -> None:
        """Draw the instance: what is to be typed, and its wording."""
        self.place()
        self.expected = self.random.sample(words.lists()["FIFTY_NAMES"])
        self.utterance = f'Enter "{self.expected}" into the text field and press Submit.'
        self.fields = (("target", self.expected),)

    def place(self) -> None:
        """Draw where the form lies, which nobody sees here."""
        for _ in range(3):
            self.random.integer(0, 20)

    def submit(self, event: Event) -> None:
        """Compare what was typed."""
        self.grade(self[self.input].value == self.expected)

    def solve(self) -> Iterator[Action]:
        """Fill the field, submit."""
        yield from fill(self[self.input], self.expected)
        yield Action(self["subbtn"])


class EnterText2(EnterText):
    """Type a given text in upper or lower case."""

    name = "enter-text-2"
    knobs = Browsing

    def draw(self) -> None:
        """Draw the text and the case."""
        self.place()
        text = self.random.sample(words.lists()["FIFTY_NAMES"])
        if self.random.integer(0, 2) == 1:
            given, case, self.expected = text.lower(), "upper", text.upper()
        else:
            given, case, self.expected = text.upper(), "lower", text.lower()
        self.utterance = f'Type "{given}" in all {case} case letters in the text input and press Submit.'
        self.fields = (("text", given), ("case", case))


class EnterTextDynamic(EnterText):
    """Type letters and digits into the only field."""

    name = "enter-text-dynamic"

    def draw(self) -> None:
        """Draw the text."""
        self.place()
        self.expected = words.string(self.random, 1, 6)
        self.utterance = f'Enter "{self.expected}" into the text field and press Submit.'
        self.fields = (("target", self.expected),)


class EnterDate(EnterText):
    """Type a date into a date control."""

    name = "enter-date"
    limit = 20_000.0
    form = Markup("""
    <div id="form">
      <input type="date" id="tt">
      <button id="subbtn" class="secondary-action">Submit</button>
    </div>""")
    typed: str

    def draw(self) -> None:
        """Draw the date."""
        date = words.date(self.random, datetime(2010, 1, 1), datetime(2019, 12, 31))
        self.expected, self.typed = f"{date:%Y-%m-%d}", f"{date:%m/%d/%Y}"
        self.utterance = f"Enter {self.typed} as the date and hit submit."
        self.fields = (("target", self.typed),)

    def solve(self) -> Iterator[Action]:
        """Fill the control, submit."""
        if self["tt"].value != self.expected:
            yield Action(self["tt"], self.typed)
        yield Action(self["subbtn"])


class EnterTime(EnterDate):
    """Type a time into a time control."""

    name = "enter-time"
    form = Markup("""
    <div id="form">
      <input type="time" id="tt">
      <button id="subbtn" class="secondary-action">Submit</button>
    </div>""")

    def draw(self) -> None:
        """Draw the time."""
        time = words.date(self.random, datetime(2016, 1, 1), datetime(2016, 12, 31))
        given = words.clock(time)
        target = given.replace(" ", "")
        # A control that has got 1 for the hour waits for a second digit.
        self.expected, self.typed = f"{time:%H:%M}", f"0{target}" if target.startswith("1:") else target
        self.utterance = f"Enter {given} as the time and press submit."
        self.fields = (("target", target),)


class FocusText(Page):
    """Give the only field the keyboard."""

    name = "focus-text"

    def build(self) -> None:
        """Draw nothing that can be seen."""
        field = Element("INPUT_text", id="tt")
        field.on("focus", self.win)
        self.area.append(field)
        self.utterance = "Focus into the textbox."

    def win(self, event: Event) -> None:
        """Take the keyboard away, end the episode."""
        self.focus(None)
        self.grade(True)

    def solve(self) -> Iterator[Action]:
        """Click the field."""
        yield Action(self["tt"])


class FocusText2(Page):
    """Give one of three fields the keyboard."""

    name = "focus-text-2"

    def build(self) -> None:
        """Draw where the fields lie, which nobody sees here, and the right one."""
        for number in (1, 2, 3):
            field = Element("INPUT_text", id=f"tt{number}")
            field.on("focus", self.judge)
            self.area.append(field)
            self.random.integer(5, 20)
            self.random.integer(5, 30)
        number = 1 + self.random.integer(0, 3)
        self.expected = f"tt{number}"
        self.utterance = f"Focus into the {words.ordinal(number)} input textbox."
        self.fields = (("target", str(number)),)

    def judge(self, event: Event) -> None:
        """Take the keyboard away, see which field had it."""
        self.focus(None)
        self.grade(event.current.id == self.expected)

    def solve(self) -> Iterator[Action]:
        """Click the field."""
        yield Action(self[self.expected])
