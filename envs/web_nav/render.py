"""A page as a picture: boxes, texts, controls and what has the keyboard. No display is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.display import load_pygame, pixels
from .dom import Element, Node
from .page import Page
from .session import Move

WIDTH, HEIGHT = 800, 600

_PAPER, _CARD, _EDGE, _BAND = (244, 246, 248), (255, 255, 255), (205, 211, 220), (38, 46, 58)
_INK, _MUTED, _LINK, _FOCUS = (38, 46, 58), (106, 115, 128), (31, 99, 173), (226, 126, 36)
_GOOD, _BAD = (56, 142, 84), (199, 55, 52)
_TOP, _FOOT, _MARGIN, _GAP = 74, 30, 16, 5  # pixels
_LINE = 21
_MOST_LINES = 3  # of the instruction; info["utterance"] has the rest
_CELL = 26  # least width of a cell in a table
_MOST_COLUMNS = 3  # a page that is still longer is cut off
#: What begins a line of its own.
_BLOCKS = frozenset("BODY DIV P FORM UL OL LI TABLE TR H1 H2 H3 H4 FIELDSET HR DL DT DD SECTION NAV PRE".split())
_CELLS = frozenset({"TD", "TH"})


class Screen:
    """Draws pages: where things lie is this drawer's choice, since an embedded page has no geometry."""

    def __init__(self) -> None:
        """Prepare pictures.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        self._pygame = pygame = load_pygame()
        self._fonts = {size: pygame.font.Font(None, size) for size in (18, 24)}

    def draw(self, page: Page, move: Move | None) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (600, 800, 3).

        Args:
            page: the page.
            move: what was done last.
        """
        pygame = self._pygame
        surface = pygame.Surface((WIDTH, HEIGHT), depth=32)
        surface.fill(_PAPER)
        surface.fill(_BAND, (0, 0, WIDTH, _TOP))
        lines = self._wrapped(page.utterance, WIDTH - 3 * _MARGIN, 24)
        if len(lines) > _MOST_LINES:
            lines[_MOST_LINES - 1 :] = [f"{lines[_MOST_LINES - 1]} ..."]
        for i, line in enumerate(lines):
            self._write(surface, _MARGIN, 8 + 21 * i, line, _CARD, 24)
        room = HEIGHT - _TOP - _FOOT
        for columns in range(1, _MOST_COLUMNS + 1):
            width = WIDTH // columns
            sheet = pygame.Surface((width, room * columns), depth=32)
            sheet.fill(_PAPER)
            if _Flow(self, sheet, page).bottom <= room * columns:
                break
        for column in range(columns):
            surface.blit(sheet, (column * width, _TOP), (0, column * room, width, room))
        said = "" if move is None else f"{'click' if move.text is None else f'type {move.text!r} into'} {move.tag}"
        label = f" {move.label!r:.50}" if move is not None and move.label else ""
        surface.fill(_CARD, (0, HEIGHT - _FOOT, WIDTH, _FOOT))
        self._write(surface, _MARGIN, HEIGHT - _FOOT + 8, said + label, _INK, 18)
        end = f"reward {page.raw_reward:g}" if page.is_done else f"{page.time / 1e3:.1f} of {page.limit / 1e3:g} s"
        color = _MUTED if not page.is_done else _GOOD if page.raw_reward > 0 else _BAD
        self._write(surface, WIDTH - _MARGIN, HEIGHT - _FOOT + 8, end, color, 18, align=1.0)
        return pixels(surface)

    def _wrapped(self, text: str, width: int, size: int) -> list[str]:
        """Return ``text`` in lines that fit."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if self._fonts[size].size(longer)[0] <= width or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _write(
        self, surface: Any, x: int, y: int, text: str, color: tuple[int, int, int], size: int, align: float = 0.0
    ) -> None:
        """Write from ``x`` on, or up to it (``align`` 1)."""
        label = self._fonts[size].render(text, True, color)
        surface.blit(label, (x - round(align * label.get_width()), y))


class _Flow:
    """Puts nodes one after the other, blocks on lines of their own, and draws a box around what has children."""

    def __init__(self, screen: Screen, surface: Any, page: Page) -> None:
        self._screen, self._surface = screen, surface
        nodes = page.nodes()
        self._inside: list[list[int]] = [[] for _ in nodes]
        for place, node in enumerate(nodes):
            if node.parent >= 0:
                self._inside[node.parent].append(place)
        self._nodes, self._focused = nodes, page.focused
        self._x, self.bottom = _MARGIN, _MARGIN
        self._put(0, _MARGIN, surface.get_width() - _MARGIN)

    def _put(self, place: int, left: int, right: int) -> None:
        node = self._nodes[place]
        is_block = not node.is_text and node.element.tag in _BLOCKS
        start = self._x
        if is_block and self._x > left:
            self._break(left)
        if not self._inside[place]:
            self._leaf(node, left, right)
        elif is_block:
            is_boxed = len(self._inside[place]) > 1 and node.element.tag not in ("BODY", "P", "TR", "LI")
            inset = _GAP + 3 if is_boxed else 0
            top = self.bottom
            self.bottom += inset
            self._x = left + inset
            for inner in self._inside[place]:
                self._put(inner, left + inset, right - inset)
            self._break(left + inset)
            self.bottom += inset - (_GAP if is_boxed else 0)
            self._x = left
            if is_boxed:
                box = (left, top, right - left, self.bottom - top)
                self._screen._pygame.draw.rect(self._surface, _EDGE, box, 1, 3)
                self.bottom += _GAP
        else:
            for inner in self._inside[place]:
                self._put(inner, left, right)
        if node.element.tag in _CELLS:
            self._x = max(self._x, start + _CELL)
        if is_block:
            self._break(left)

    def _break(self, left: int) -> None:
        """Begin a line, unless this one is empty."""
        if self._x > left:
            self.bottom += _LINE
        self._x = left

    def _leaf(self, node: Node, left: int, right: int) -> None:
        """Draw a control, a text or an empty box."""
        element = node.element
        if node.is_text or (node.text and not _is_button(element)):
            is_link = element.closest("A") is not None or element.has_class("alink")
            self._text(node.text or "", left, right, _LINK if is_link else _INK, element is self._focused)
        elif element.tag in ("INPUT_checkbox", "INPUT_radio"):
            box = self._box(16, left, right, element, _CARD, radius=8 if element.tag == "INPUT_radio" else 2)
            if element.is_checked:
                self._surface.fill(_LINK, box.inflate(-8, -8))
        elif element.tag.startswith("INPUT_") or element.tag in ("TEXTAREA", "SELECT"):
            hint = element.attributes.get("placeholder") or element.id
            text, color = (element.value, _INK) if element.value else (hint, _MUTED)
            self._label(text, color, left, right, element, _CARD, least=150)
        elif element.tag in _CELLS and not node.text:
            self._box(10, left, right, element, _EDGE, radius=2)
        else:
            name = node.text or element.id or element.classes or element.tag.lower()
            self._label(name, _INK if node.text else _MUTED, left, right, element, _EDGE, least=20)

    def _label(
        self, text: str, color: tuple[int, int, int], left: int, right: int, element: Element,
        fill: tuple[int, int, int], least: int,
    ) -> None:  # fmt: skip
        """Draw a box of at least a width, with one line in it."""
        text = self._screen._wrapped(text, right - left - 20, 18)[0]
        width = self._screen._fonts[18].size(text)[0] + 14
        box = self._box(max(width, least), left, right, element, fill, radius=4)
        self._screen._write(self._surface, box.left + 7, box.top + 2, text, color, 18)

    def _box(self, width: int, left: int, right: int, element: Element, fill: tuple[int, int, int], radius: int) -> Any:
        """Draw an empty box, rimmed if the element has the keyboard; return where it is."""
        if self._x + width > right:
            self._break(left)
        pygame = self._screen._pygame
        box = pygame.Rect(self._x, self.bottom + 2, width, 16 if width == 16 else _LINE - 4)
        is_focused = element is self._focused
        pygame.draw.rect(self._surface, fill, box, border_radius=radius)
        pygame.draw.rect(self._surface, _FOCUS if is_focused else _MUTED, box, 2 if is_focused else 1, radius)
        self._x += width + _GAP
        return box

    def _text(self, text: str, left: int, right: int, color: tuple[int, int, int], is_focused: bool) -> None:
        """Write words, over as many lines as they need."""
        font = self._screen._fonts[18]
        for word in text.split():
            width = font.size(word)[0]
            if self._x + width > right:
                self._break(left)
            self._screen._write(self._surface, self._x, self.bottom + 4, word, color, 18)
            if is_focused:
                self._surface.fill(_FOCUS, (self._x, self.bottom + 18, width, 2))
            self._x += width + _GAP


def _is_button(element: Element) -> bool:
    return element.tag == "BUTTON" or element.has_class("ui-button")
