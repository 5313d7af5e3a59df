"""The real thing: pages in Chrome or Chromium, behind the same environment."""

from .driver import PageError
from .page import BrowserPage, Site, pages

__all__ = ["BrowserPage", "PageError", "Site", "pages"]
