"""Tasks on a list of posts with buttons below each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from .. import words
from ..dom import Element, Markup, Style
from ..page import Action, Event, Page


class _Post(NamedTuple):
    name: str
    user: str
    body: str
    time: str = ""


class _Posts(Page):
    """A list of posts; the task is about those of one user."""

    limit = 20_000.0
    style = Style(
        hidden=frozenset({".hide"}),
        sized=frozenset({"#area", ".reply", ".retweet", ".like", ".share", ".more", ".spacer"}),
    )
    template: ClassVar[Markup]
    actions: ClassVar[dict[str, str]]  # names by class
    count: ClassVar[tuple[int, int]]  # posts, from and below

    def build(self) -> None:
        """Draw the posts, the user and the action."""
        posts = self.draw(self.random.integer(*self.count))
        for post in posts:
            element = self.template.element()
            self.area.append(element)
            for name, text in zip(("name", "username", "body"), post, strict=False):
                element.first(name).append(text)
            self.complete(element, post)
        self.action = self.random.sample(tuple(self.actions))
        self.user = posts[self.random.integer(0, len(posts))].user
        self.state(posts)

    def draw(self, count: int) -> list[_Post]:
        """Draw posts."""
        raise NotImplementedError

    def draw_author(self) -> tuple[str, str]:
        """Draw a name and a user name."""
        lists, sample = words.lists(), self.random.sample
        normal, lorem = sample(lists["FIFTY_NAMES"]), sample(lists["lorem_words"]).replace(",", "", 1)
        name = sample((sample(lists["PEOPLE_NAMES"]), sample(lists["LAST_NAMES"])))
        return name, f"@{sample((normal, lorem)).lower()}"

    def draw_body(self) -> str:
        """Draw what a post says."""
        return words.words(self.random, self.random.integer(2, 6))

    def complete(self, element: Element, post: _Post) -> None:
        """Finish the element of a post."""

    def state(self, posts: list[_Post]) -> None:
        """Set the utterance and the fields."""
        raise NotImplementedError

    def author(self, element: Element) -> str:
        """Return the user name on the post around ``element``."""
        post = element.closest(".media")
        assert post is not None
        return post.first("username").text


class SocialMediaAll(_Posts):
    """Press a button on all posts of a user."""

    name = "social-media-all"
    count = (6, 12)
    actions = {"reply": "Reply", "retweet": "Retweet", "like": "Like", "share": "Share"}
    template = Markup("""
    <div class="media">
      <div class="details"><span class="name"></span><span class="username"></span></div>
      <div class="body"></div>
      <div class="controls">
        <span class="reply"></span><span class="retweet"></span><span class="like"></span><span class="share"></span>
      </div>
    </div>""")
    submit_row = Markup('<p id="submitRow"><button type="button">Submit</button></p>')

    def draw(self, count: int) -> list[_Post]:
        """Draw posts, often several by one author."""
        posts: list[_Post] = []
        for _ in range(count):
            is_new = not posts or self.random.random() < 0.3
            name, user = self.draw_author() if is_new else posts[-1][:2]
            posts.append(_Post(name, user, self.draw_body()))
        return self.random.shuffle(posts)

    def complete(self, element: Element, post: _Post) -> None:
        """Let each button be pressed and released."""
        for button in element.all(*self.actions):
            button.on("click", self.toggle)

    def state(self, posts: list[_Post]) -> None:
        """Add the button that submits."""
        (row,) = self.submit_row.copy()
        self.area.append(row)
        self.area.elements()[-1].elements()[0].on("click", self.submit)
        self.say(sum(post.user == self.user for post in posts))

    def say(self, count: int) -> None:
        """Set the utterance and the fields; the user has ``count`` posts."""
        self.amount = count
        button = self.actions[self.action]
        self.utterance = f'Click the "{button}" button on all posts by {self.user} and then click Submit.'
        self.fields = (("button", button), ("user", self.user), ("submit", "Submit"))

    def toggle(self, event: Event) -> None:
        """Press or release a button."""
        event.current.toggle_class("active")

    def buttons(self) -> tuple[list[Element], list[Element]]:
        """Return the buttons that are to be pressed, and the others."""
        right: list[Element] = []
        wrong: list[Element] = []
        for button in self.area.all(*self.actions):
            is_right = button.has_class(self.action) and self.author(button) == self.user
            (right if is_right else wrong).append(button)
        return right, wrong

    def submit(self, event: Event) -> None:
        """Count the right buttons that are pressed; no other may be."""
        right, wrong = self.buttons()
        pressed = sum(button.has_class("active") for button in right)
        self.grade(pressed == self.amount and not any(button.has_class("active") for button in wrong))

    def solve(self) -> Iterator[Action]:
        """Release wrong buttons, press right ones, submit."""
        right, wrong = self.buttons()
        pressed = [button for button in right if button.has_class("active")]
        others = [button for button in right if not button.has_class("active")]
        for button in (
            *(button for button in wrong if button.has_class("active")),
            *pressed[self.amount :],
            *others[: max(self.amount - len(pressed), 0)],
        ):
            yield Action(button)
        yield Action(self["submitRow"].elements()[0])


class SocialMediaSome(SocialMediaAll):
    """Press a button on so many posts of a user."""

    name = "social-media-some"

    def say(self, count: int) -> None:
        """Draw how many; set the utterance and the fields."""
        self.amount = self.random.integer(1, count + 1)
        button, posts = self.actions[self.action], "post" if self.amount == 1 else "posts"
        self.utterance = f'Click the "{button}" button on {self.amount} {posts} by {self.user} and then click Submit.'
        self.fields = (("button", button), ("amount", str(self.amount)), ("user", self.user), ("submit", "Submit"))


class SocialMedia(_Posts):
    """Press one button, or choose it from a menu, on the post of a user."""

    name = "social-media"
    limit = 15_000.0
    count = (5, 10)
    actions = {
        "share": "Share via DM",
        "copy": "Copy link to Tweet",
        "embed": "Embed Tweet",
        "menu-user": "Mute",
        "block-user": "Block",
        "report": "Report",
        "reply": "Reply",
        "retweet": "Retweet",
        "like": "Like",
    }
    template = Markup("""
    <div class="media">
      <div class="details">
        <span class="name"></span><span class="username"></span><span class="spacer"></span><span class="time"></span>
      </div>
      <div class="body"></div>
      <div class="controls">
        <span class="reply"></span><span class="retweet"></span><span class="like"></span>
        <span>
          <span class="more"></span>
          <ul class="hide">
            <li class="share">Share via DM</li>
            <li class="copy">Copy link to Tweet</li>
            <li class="embed">Embed Tweet</li>
            <li class="menu-user">Mute</li>
            <li class="block-user">Block</li>
            <li class="report">Report</li>
          </ul>
        </span>
      </div>
    </div>""")

    def draw(self, count: int) -> list[_Post]:
        """Draw posts, each by an author of its own."""
        self.random.shuffle(words.lists()["FIFTY_NAMES"])  # which nobody uses
        posts = []
        for _ in range(count):
            name, user = self.draw_author()
            time = f"{self.random.integer(1, 20)}h ago"
            posts.append(_Post(name, user, self.draw_body(), time))
        return posts

    def complete(self, element: Element, post: _Post) -> None:
        """Fill in the time and the menu, and let buttons be pressed."""
        element.first("time").append(post.time)
        for name in ("menu-user", "block-user"):
            item = element.first(name)
            item.text = f"{item.text} {post.user}"
        element.first("more").on("click", self.open)
        for button in element.all(*self.actions):
            button.on("click", self.press)

    def state(self, posts: list[_Post]) -> None:
        """Set the utterance and the fields."""
        button = self.actions[self.action]
        self.utterance = f'For the user {self.user}, click on the "{button}" button.'
        self.fields = (("user", self.user), ("button", button))

    def open(self, event: Event) -> None:
        """Open a post's menu and close the others, or close it."""
        assert event.current.parent is not None
        menu = event.current.parent.elements()[1]
        is_hidden = menu.has_class("hide")
        if is_hidden:
            for other in self.area.descendants():
                if other.tag == "UL":
                    other.add_class("hide")
            menu.remove_class("hide")
        else:
            menu.add_class("hide")

    def press(self, event: Event) -> None:
        """See which button it was, and whose."""
        self.grade(event.current.classes == self.action and self.author(event.current) == self.user)

    def solve(self) -> Iterator[Action]:
        """Open the menu if the button is in it, press the button."""
        button = next(b for b in self.area.all(self.action) if self.author(b) == self.user)
        menu = button.closest("UL")
        if menu is not None and menu.has_class("hide"):
            assert menu.parent is not None
            yield Action(menu.parent.elements()[0])
        yield Action(button)
