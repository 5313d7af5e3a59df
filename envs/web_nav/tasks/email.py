"""Tasks in a mail program: find a message, then reply, forward, delete or mark it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from .. import words
from ..dom import Element, Markup, Style
from ..page import Action, Event, Page, fill

_INBOX = Markup("""
<div id="main">
  <div id="main-header"><h2>Primary</h2><span id="open-search"></span></div>
</div>
<div id="search" class="hide">
  <div id="search-bar">
    <div id="search-header">
      <span id="search-cancel"></span>
      <span><input type="text" id="search-input" placeholder="Search"></span>
    </div>
  </div>
  <div id="results-header"><h4>Results</h4></div>
  <div id="search-results"></div>
</div>""")
_THREAD = Markup("""
<div class="email-thread">
  <div class="email-left">
    <div class="email-sender"></div><div class="email-subject"></div><div class="email-body"></div>
  </div>
  <div class="email-right">
    <div class="email-time"></div>
    <div class="email-actions"><span class="trash"></span><span class="star"></span></div>
  </div>
</div>""")
_EMAIL = Markup("""
<div id="email">
  <div id="email-bar">
    <span id="close-email"></span>
    <div class="email-actions"><span class="trash"></span><span class="star"></span></div>
  </div>
  <div class="email-header">
    <div class="email-subject"></div>
    <span class="email-left"><div class="email-sender"></div><div>to me</div></span>
    <span class="email-right"><div class="email-time"></div></span>
  </div>
  <div class="email-body"></div>
  <div class="email-send">
    <span class="email-reply"><div class="icon"></div><div>Reply</div></span>
    <span class="email-forward"><div class="icon"></div><div>Forward</div></span>
  </div>
</div>""")
_REPLY = Markup("""
<div id="reply">
  <div id="reply-bar"><span id="close-reply"></span><span id="send-reply"></span></div>
  <div class="reply-header">
    <div class="reply-info"><label class="reply-to">to: </label><span class="reply-sender"></span></div>
    <div class="reply-subject"><label class="reply-subj">subject: </label></div>
  </div>
  <div class="reply-body"><textarea id="reply-text"></textarea></div>
</div>""")
_FORWARD = Markup("""
<div id="forward">
  <div id="forward-bar"><span id="close-forward"></span><span id="send-forward"></span></div>
  <div class="forward-header">
    <div class="forward-info"><label>to: </label><input type="text" class="forward-sender"></div>
    <div class="forward-subject"><label>subject: </label></div>
  </div>
  <div class="forward-body"><textarea id="forward-text"></textarea></div>
</div>""")


class _Email(NamedTuple):
    name: str
    subject: str
    body: str


def _summary(text: str) -> str:
    return text if len(text) < 15 else f"{text[:15]}.."


def _highlight(text: str, part: str) -> list[Element | str]:
    """Return ``text`` with the first ``part`` in it marked."""
    before, found, after = text.partition(part)
    children = (before, Element("SPAN", found, classes="highlight") if found else "", after)
    return [child for child in children if child]


class EmailInbox(Page):
    """Do what is asked with the message of a sender."""

    name = "email-inbox"
    limit = 30_000.0
    style = Style(
        hidden=frozenset({".hide"}),
        sized=frozenset(
            {"#open-search", "#search-cancel", "#close-email", "#close-reply", "#send-reply", "#close-forward"}
            | {"#send-forward", ".trash", ".star", ".email-right", ".icon"}
        ),
    )
    emails_below: ClassVar[int] = 12
    actions: ClassVar[tuple[str, ...]] = ("reply", "forward", "delete", "important")

    def build(self) -> None:
        """Draw the messages, the wanted one, and what to do with it."""
        self.area.append(*_INBOX.copy())
        random = self.random
        self.emails = tuple(
            _Email(random.sample(words.lists()["PEOPLE_NAMES"]), words.words(random, 1, 3), words.words(random, 5, 15))
            for _ in range(random.integer(4, self.emails_below))
        )
        for index, email in enumerate(self.emails):
            thread = self.thread(index, [email.name], [_summary(email.subject)], [_summary(email.body)])
            thread.first("star").on("click", self.star, index)
            thread.first("trash").on("click", self.delete, index)
            self["main"].append(thread)
        self.text = ""  # of the reply, or the receiver
        self.say()
        self["open-search"].on("click", self.open_search)
        self["search-cancel"].on("click", self.close_search)
        self["search-input"].on("keyup", self.search)

    def thread(
        self, index: int, name: list[Element | str], subject: list[Element | str], body: list[Element | str]
    ) -> Element:
        """Return the line of a list of messages."""
        thread = _THREAD.element()
        for part, children in (("sender", name), ("subject", subject), ("body", body)):
            thread.first(f"email-{part}").append(*children)
        thread.on("click", self.open, index)
        return thread

    def say(self) -> None:
        """Draw the wanted message, the action, the text or the receiver; set the utterance and the fields."""
        wanted = self.random.integer(0, len(self.emails))
        self.action = self.random.sample(self.actions)
        self.wanted = self.emails[wanted]
        find, by = f"Find the email by {self.wanted.name} and", ("by", self.wanted.name)
        if self.action == "reply":
            self.text = words.words(self.random, 1, 5)
            self.utterance = f'{find} reply to them with the text "{self.text}".'
            self.fields = (by, ("task", "reply"), ("message", self.text))
        elif self.action == "forward":
            self.text = self.random.sample(words.lists()["PEOPLE_NAMES"])
            self.utterance = f"{find} forward that email to {self.text}."
            self.fields = (by, ("task", "forward"), ("to", self.text))
        elif self.action == "delete":
            self.utterance = f"{find} click the trash icon to delete it."
            self.fields = (by, ("task", "delete"))
        else:
            self.utterance = f"{find} click the star icon to mark it as important."
            self.fields = (by, ("task", "star"))

    # The list and its search.

    def open_search(self, event: Event) -> None:
        """Show the search instead of the list."""
        self["search"].remove_class("hide")
        self["main"].add_class("hide")
        self.focus(self["search-input"])

    def close_search(self, event: Event) -> None:
        """Show the list again."""
        self["search"].add_class("hide")
        self["main"].remove_class("hide")
        self["search-input"].value = ""

    def search(self, event: Event) -> None:
        """Show the messages in which the text occurs."""
        text, results = self["search-input"].value, self["search-results"]
        results.clear()
        if text.strip():
            for index, email in enumerate(self.emails):
                if any(text in part for part in email):
                    parts = (email.name, email.subject, _summary(email.body))
                    results.append(self.thread(index, *(_highlight(part, text) for part in parts)))

    # One message.

    def open(self, event: Event) -> None:
        """Show a message instead of the list."""
        index = event.argument
        email = self.emails[index]
        view = _EMAIL.element()
        view.first("email-sender").append(email.name)
        view.first("email-subject").append(email.subject)
        view.first("email-body").append(email.body)
        self["main"].add_class("hide")
        self["search"].add_class("hide")
        self.area.append(view)
        self["close-email"].on("click", self.close)
        view.first("star").on("click", self.star, index)
        view.first("trash").on("click", self.delete, index)
        view.first("email-reply").on("click", self.reply, index)
        view.first("email-forward").on("click", self.forward, index)

    def close(self, event: Event) -> None:
        """Show the list again."""
        self["email"].remove()
        self["main"].remove_class("hide")

    def star(self, event: Event) -> bool:
        """Mark a message, or take the mark away."""
        event.current.toggle_class("clicked")
        return self.judge("important", event.argument)

    def delete(self, event: Event) -> bool:
        """Delete a message, if that is asked; else nothing happens."""
        return self.judge("delete", event.argument)

    def judge(self, action: str, index: int) -> bool:
        """End the episode if ``action`` is what is asked; return False, so that the click goes no further."""
        if action == self.action:
            self.grade(self.emails[index].name == self.wanted.name)
        return False

    def reply(self, event: Event) -> None:
        """Begin an answer."""
        email = self.emails[event.argument]
        form = _REPLY.element()
        form.first("reply-sender").append(email.name)
        form.first("reply-subject").append(f"Re: {email.subject}")
        self["email"].add_class("hide")
        self.area.append(form)
        self["close-reply"].on("click", self.drop, "reply")
        self["send-reply"].on("click", self.send_reply, event.argument)

    def forward(self, event: Event) -> None:
        """Begin to pass a message on."""
        email = self.emails[event.argument]
        form = _FORWARD.element()
        form.first("forward-subject").append(email.subject)
        self["email"].add_class("hide")
        self.area.append(form)
        self["forward-text"].value = email.body
        self["close-forward"].on("click", self.drop, "forward")
        self["send-forward"].on("click", self.send_forward)

    def drop(self, event: Event) -> None:
        """Show the message again instead of the answer."""
        self[event.argument].remove()
        self["email"].remove_class("hide")

    def send_reply(self, event: Event) -> None:
        """Compare the answer and whom it is for."""
        name, text = self.emails[event.argument].name, self["reply-text"].value
        self.grade(self.action == "reply" and name == self.wanted.name and text == self.text)

    def send_forward(self, event: Event) -> None:
        """Compare the message and whom it is for."""
        name, text = self.receiver().value, self["forward-text"].value
        self.grade(self.action == "forward" and name == self.text and text == self.wanted.body)

    def receiver(self) -> Element:
        """Return the control that takes the receiver of a forwarded message."""
        return self["forward"].first("forward-sender")

    def solve(self) -> Iterator[Action]:
        """Leave what leads nowhere; mark or delete in the list, or open the message, write, send."""
        yield from self.go_back()
        is_mark = self.action in ("important", "delete")
        mark = "star" if self.action == "important" else "trash"
        if "email" not in self.document.ids:
            thread = self["main"].all("email-thread")[self.emails.index(self.wanted)]
            yield Action(thread.first(mark) if is_mark else thread)
        elif is_mark:
            yield Action(self["email"].first(mark))
        if is_mark:
            return
        if self.action not in self.document.ids:
            yield Action(self["email"].first(f"email-{self.action}"))
        yield from fill(self.control(), self.text)
        yield Action(self[f"send-{self.action}"])

    def go_back(self) -> Iterator[Action]:
        """Leave the search, a form that is not the right one or is spoilt, another message."""
        ids = self.document.ids
        if not self["search"].has_class("hide"):
            yield Action(self["search-cancel"])
        is_right = "email" in ids and self["email"].first("email-body").text == self.wanted.body
        for form in ("reply", "forward"):
            if form in ids:
                is_right_form = is_right and form == self.action
                if not (is_right_form and self.control().value in ("", self.text) and self.is_body_whole()):
                    yield Action(self[f"close-{form}"])
        if "email" in ids and not is_right:
            yield Action(self["close-email"])

    def control(self) -> Element:
        """Return what takes the reply's text or the receiver."""
        return self["reply-text"] if self.action == "reply" else self.receiver()

    def is_body_whole(self) -> bool:
        """Return whether a message that is passed on is as it came."""
        return self.action == "reply" or self["forward-text"].value == self.wanted.body


class EmailInboxForwardNl(EmailInbox):
    """Forward one of three messages to the sender of another; this is said in many ways."""

    name = "email-inbox-forward-nl"
    emails_below = 3
    action = "forward"

    def say(self) -> None:
        """Draw the wanted message, the receiver and the wording; set the utterance and the fields."""
        self.wanted, receiver, *_ = self.random.shuffle(self.emails)
        self.text = receiver.name
        self.random.random()  # which nobody uses
        wording = self.random.sample(words.lists()["NL_TEMPLATES"])
        self.utterance = wording.replace("NAME", self.wanted.name, 1).replace("DEST", self.text, 1)
        self.fields = (("by", self.wanted.name), ("to", self.text))
