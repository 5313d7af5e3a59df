"""The memory map: fast memory over the program's time, as a compiler engineer draws it. No display is needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.display import load_pygame, pixels
from .program import Program

WIDTH, HEIGHT = 960, 600

_PAPER, _CARD, _EDGE, _GRID = (244, 246, 248), (255, 255, 255), (214, 219, 226), (233, 236, 240)
_INK, _MUTED, _RED = (38, 46, 58), (106, 115, 128), (199, 55, 52)
#: What a buffer is -> its colour.
_KINDS = {
    "parameter": (31, 99, 173),
    "constant": (126, 87, 164),
    "temporary": (56, 142, 84),
    "output": (226, 126, 36),
}
_NAMES = {"param": "parameter", "const": "constant", "temp": "temporary"}
_LEFT, _RIGHT, _TOP, _MAP, _BAND = 76, 16, 64, 400, 70  # pixels: margins, height of the map and of the bandwidth


class MemoryMap:
    """Draws a game; made when a picture is first asked for."""

    def __init__(self) -> None:
        """Prepare pictures.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        self._pygame = pygame = load_pygame()
        self._surface = pygame.Surface((WIDTH, HEIGHT), depth=32)
        self._fonts = {size: pygame.font.Font(None, size) for size in (16, 19, 26)}

    def draw(self, program: Program, row: np.void, game: np.void) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (600, 960, 3).

        Args:
            program: what the game is about.
            row: the packed program, a record of `kernels.layout`.
            game: the state, a record of `kernels.layout`.
        """
        surface, draw = self._surface, self._pygame.draw
        surface.fill(_PAPER)
        count, capacity = int(row["instructions"]), int(row["capacity"])
        width = WIDTH - _LEFT - _RIGHT
        scale = width / count
        is_over = int(game["use"]) == int(row["uses"])
        now = count if is_over else int(row["time"][game["use"]])

        speedup = float(row["all_slow"]) / float(game["latency"])
        self._text(_LEFT, 12, program.name, _INK, 26)
        progress = f"move {int(game['use'])} of {int(row['uses'])}, instruction {min(now, count - 1)} of {count}"
        self._text(_LEFT, 37, progress, _MUTED, 19)
        self._text(WIDTH - _RIGHT, 12, f"{speedup:.3f} times as fast as without", _INK, 26, 1.0)
        self._text(WIDTH - _RIGHT, 37, f"modelled latency {1e6 * float(game['latency']):,.1f} us", _MUTED, 19, 1.0)

        draw.rect(surface, _CARD, (_LEFT, _TOP, width, _MAP))
        for k in range(5):
            y = _TOP + round(_MAP * k / 4)
            draw.line(surface, _GRID, (_LEFT, y), (_LEFT + width, y))
            self._text(_LEFT - 8, y - 6, f"{capacity * (4 - k) / 4 / 2**20:g} MiB", _MUTED, 16, 1.0)
        for chunk in range(int(game["chunks"])):
            owner = int(game["owner"][chunk])
            buffer = program.buffers[owner]
            color = _KINDS["output" if buffer.is_output else _NAMES[buffer.kind]]
            begin, end = int(game["begin"][chunk]), int(game["end"][chunk])
            x, right = _LEFT + begin * scale, _LEFT + (end + 1) * scale
            top = _TOP + _MAP * (1.0 - (int(game["place"][chunk]) + int(row["room"][owner])) / capacity)
            bottom = _TOP + _MAP * (1.0 - int(game["place"][chunk]) / capacity)
            box = self._pygame.Rect(round(x), round(top), max(round(right - x), 1), max(round(bottom - top), 1))
            draw.rect(surface, color, box)
            if box.width > 3 and box.height > 3:
                draw.rect(surface, _CARD, box, 1)
            if row["is_given"][owner] or chunk != self._first_chunk(game, owner):
                self._arrow(box.left, box.centery)  # copied in from slow memory
        draw.rect(surface, _EDGE, (_LEFT, _TOP, width, _MAP), 1)

        self._bandwidth(row, game, _TOP + _MAP + 26, scale, count)
        x = _LEFT + round(now * scale)
        draw.line(surface, _RED, (x, _TOP), (x, _TOP + _MAP + 26 + _BAND), 2)
        x = _LEFT
        for name, color in _KINDS.items():
            draw.rect(surface, color, (x, HEIGHT - 22, 12, 12))
            x = self._text(x + 18, HEIGHT - 22, name, _INK, 19) + 18
        self._arrow(x + 6, HEIGHT - 16)
        self._text(x + 18, HEIGHT - 22, "copied in", _INK, 19)
        return pixels(surface)

    def _bandwidth(self, row: np.void, game: np.void, top: int, scale: float, count: int) -> None:
        """Draw what the slow memory's bandwidth is used for: the program's bytes, and copies."""
        self._text(_LEFT, top - 17, "slow memory's bandwidth: program, copies, idle", _MUTED, 16)
        slow, copied = game["slow"][:count], game["copied"][:count]
        mixed = game["fast"][:count] / row["fast_bandwidth"] + slow / row["slow_bandwidth"]
        most = row["slow_bandwidth"] * np.maximum(row["compute"][:count], mixed)
        draw = self._pygame.draw
        draw.rect(self._surface, _CARD, (_LEFT, top, round(count * scale), _BAND))
        for t in range(count):
            if most[t] > 0.0:
                x, width = _LEFT + round(t * scale), max(round(scale), 1)
                used, copies = round(_BAND * slow[t] / most[t]), round(_BAND * copied[t] / most[t])
                draw.rect(self._surface, (176, 183, 193), (x, top + _BAND - used, width, used))
                draw.rect(self._surface, _KINDS["parameter"], (x, top + _BAND - used - copies, width, copies))
        draw.rect(self._surface, _EDGE, (_LEFT, top, round(count * scale), _BAND), 1)

    @staticmethod
    def _first_chunk(game: np.void, owner: int) -> int:
        return int(np.argmax(game["owner"][: int(game["chunks"])] == owner))

    def _arrow(self, x: int, y: int) -> None:
        self._pygame.draw.polygon(self._surface, _INK, [(x - 4, y), (x + 4, y), (x, y - 5)])

    def _text(self, x: float, y: float, text: str, color: tuple[int, int, int], size: int, align: float = 0.0) -> int:
        """Write ``text`` from ``x`` on, or up to it (``align`` 1); return where it ends."""
        label = self._fonts[size].render(text, True, color)
        width = int(label.get_width())
        left = round(x - align * width)
        self._surface.blit(label, (left, y))
        return left + width
