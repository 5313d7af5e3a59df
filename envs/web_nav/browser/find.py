"""Where a browser is on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from gymnasium.error import DependencyNotInstalled

#: Names a browser may have on the ``PATH``.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
#: Where browsers are that are not on the ``PATH``.
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
#: Names an environment variable with the path of a browser.
VARIABLE = "RLX_BROWSER"


def find(given: str | None = None) -> str | None:
    """Return the path of a Chrome or Chromium.

    Args:
        given: its path, or name on the ``PATH``; None: that in `VARIABLE`, or what is found.

    Returns:
        The path; None if there is none but, perhaps, Playwright's own.

    Raises:
        DependencyNotInstalled: what was given is no program.
    """
    for source, name in (("browser", given), (VARIABLE, os.environ.get(VARIABLE))):
        if name:
            path = shutil.which(name)
            if path is None:
                raise DependencyNotInstalled(f"{source} = {name!r} is no program. {advice()}")
            return path
    found = filter(None, map(shutil.which, NAMES))
    return next(found, None) or next((place for place in PLACES if Path(place).exists()), None)


def advice() -> str:
    """Say where browsers are looked for, and how to get one."""
    return (
        f"Looked at: the argument browser, the variable {VARIABLE}, {', '.join(NAMES)} on the PATH, the usual folders, "
        "and Playwright's own. To get one: `playwright install chromium`, or `apt-get install chromium`."
    )
