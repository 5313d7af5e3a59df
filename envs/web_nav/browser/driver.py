"""A browser that is driven from outside: its pages answer calls in time, or are given up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from importlib import resources
from typing import Any, TypeVar

from gymnasium.error import DependencyNotInstalled, Error

from .find import advice, find

Answer = TypeVar("Answer")

#: They keep Chromium quiet.
FLAGS = (
    "--disable-background-networking", "--disable-component-update", "--disable-gpu", "--disable-quic",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
#: Longer than it takes to launch a browser on a busy machine, in seconds.
_LAUNCH = 60.0
#: A browser that is asked to stop is left alone after so many seconds.
_FAREWELL = 5.0


class PageError(Error):
    """A page that cannot go on: it hangs, left, broke, or is no task."""


class Browser:
    """A browser of its own, without a window; talks in a thread of its own, so that no page can hold up the caller."""

    def __init__(self, executable: str | None, size: tuple[int, int], timeout: float) -> None:
        """Launch it.

        Args:
            executable: see `find.find`.
            size: of the picture, width and height in pixels.
            timeout: seconds a page has to load, and to answer.

        Raises:
            DependencyNotInstalled: Playwright is missing, or there is no browser, or it does not start.
        """
        try:
            import playwright.async_api
        except ImportError:
            raise DependencyNotInstalled('The browser back end needs Playwright: pip install "rlx[web]"') from None
        self._start = playwright.async_api.async_playwright
        self._error = playwright.async_api.Error
        self._path = find(executable)
        self.size, self.timeout = size, timeout
        self._script = resources.files(__package__).joinpath("page.js").read_text(encoding="utf-8")
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="rlx-browser")
        thread.start()
        try:
            self._playwright, self._context = self.send(self._launch()).result(_LAUNCH)
        except Exception as error:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise DependencyNotInstalled(
                f"The browser {self._path or 'of Playwright'} did not start: {_first_line(error)}. {advice()}"
            ) from None
        self.close = weakref.finalize(self, _stop, self._loop, self._playwright, self._context)

    async def _launch(self) -> tuple[Any, Any]:
        playwright = await self._start().start()
        try:
            browser = await playwright.chromium.launch(
                executable_path=self._path,
                args=FLAGS,
                # Chromium refuses its sandbox to the superuser.
                chromium_sandbox=not hasattr(os, "geteuid") or os.geteuid() != 0,
                timeout=1000 * _LAUNCH,
            )
        except BaseException:
            await playwright.stop()
            raise
        width, height = self.size
        context = await browser.new_context(
            viewport={"width": width, "height": height}, locale="en-US", timezone_id="UTC", service_workers="block"
        )
        await context.add_init_script(self._script)
        return playwright, context

    @property
    def version(self) -> str:
        """Its name and version."""
        return f"Chromium {self._context.browser.version}"

    @property
    def is_closed(self) -> bool:
        """Whether it has been stopped."""
        return not self.close.alive

    def send(self, work: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        """Begin ``work`` in the browser's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, answer: Future[Answer], seconds: float) -> Answer:
        """Return what ``answer`` brings.

        Raises:
            PageError: nothing in time, or an error; says which.
        """
        try:
            return answer.result(seconds)
        except TimeoutError:
            answer.cancel()
            raise PageError(f"The page has not answered within {seconds:g} s; it hangs.") from None
        except self._error as error:
            raise PageError(f"The page is gone: {_first_line(error)}") from None

    async def new_page(self) -> tuple[Any, Any]:
        """Open a page and the session in which it is called."""
        page = await self._context.new_page()
        page.on("popup", lambda popup: asyncio.ensure_future(popup.close()))
        return page, await self._context.new_cdp_session(page)


class Tab:
    """A page of a browser that is loaded anew for every episode."""

    def __init__(self, browser: Browser, url: str) -> None:
        """Open a page and begin to load ``url``."""
        self._browser, self._url = browser, url
        self._page: Any = None
        self._session: Any = None
        self.is_lost = False
        self.load()

    def load(self) -> None:
        """Begin to load the page anew, and return at once."""
        self._loading = self._browser.send(self._load())

    async def _load(self) -> str:
        if self._page is None:
            self._page, self._session = await self._browser.new_page()
        await self._page.goto(self._url, wait_until="load", timeout=1000 * self._browser.timeout)
        found = await self._session.send("Runtime.evaluate", {"expression": "__rlx.settled()", "awaitPromise": True})
        if "exceptionDetails" in found:
            raise PageError(f"{self._url} is no page that can be driven: it did not load.")
        identity: str = found["result"]["objectId"]
        return identity

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the page's ``__rlx``, see ``page.js``.

        Args:
            name: of the function.
            arguments: plain values; they reach the page as values, never as code.

        Raises:
            PageError: it is gone or hangs, or the function threw.
        """
        return self._guarded(lambda api: self._call(api, name, arguments))

    async def _call(self, api: str, name: str, arguments: tuple[Any, ...]) -> Any:
        answer = await self._session.send(
            "Runtime.callFunctionOn",
            {
                "objectId": api,
                "functionDeclaration": "function (name, ...given) { return this[name](...given); }",
                "arguments": [{"value": argument} for argument in (name, *arguments)],
                "returnByValue": True,
                "awaitPromise": True,
                "userGesture": True,
            },
        )
        if thrown := answer.get("exceptionDetails"):
            told = thrown.get("exception", {}).get("description") or thrown.get("text", "")
            raise PageError(f"{self._url} threw in {name}: {told:.300}")
        try:
            return json.loads(answer["result"]["value"])
        except (KeyError, ValueError):
            raise PageError(f"{self._url} answered {name} with {answer['result']!r:.80}") from None

    def type(self, text: str) -> None:
        """Press keys, one after the other, as a keyboard does."""
        self._guarded(lambda api: self._page.keyboard.type(text))

    def picture(self) -> bytes:
        """Return what the page looks like, as PNG."""
        image: bytes = self._guarded(lambda api: self._page.screenshot())
        return image

    def _guarded(self, work: Callable[[str], Coroutine[Any, Any, Any]]) -> Any:
        """Do ``work`` as soon as the page is loaded; give the page up if it fails."""
        browser = self._browser
        if self.is_lost or browser.is_closed:
            raise PageError("The page has been closed. Call reset() for another one.")
        try:
            # Loading has a time limit of its own, which says more.
            api = browser.wait(self._loading, 2.0 * browser.timeout)
            return browser.wait(browser.send(work(api)), browser.timeout)
        except PageError:
            self.give_up()
            raise

    def give_up(self) -> None:
        """Close the page, whatever it is doing."""
        self.is_lost = True
        self._browser.send(self._close())

    async def _close(self) -> None:
        if self._page is None:
            return
        for work in (self._session.send("Runtime.terminateExecution"), self._page.close()):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(work, _FAREWELL)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().partition("\n")[0]


def _stop(loop: asyncio.AbstractEventLoop, playwright: Any, context: Any) -> None:
    """Stop a browser and its thread."""

    async def stop() -> None:
        for work in (context.browser.close(), playwright.stop()):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(work, _FAREWELL)

    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(stop(), loop).result(3 * _FAREWELL)
    loop.call_soon_threadsafe(loop.stop)
