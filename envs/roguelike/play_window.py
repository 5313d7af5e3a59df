"""The game in a window of pygame, which sleeps until a key is pressed."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

import numpy as np

from .play import HELP, Controls
from .records import ACTION_NAMES
from .render import HEIGHT, WIDTH

_SIDE, _FOOT = 230, 150  # pixels: beside the picture, and below it
_PAPER, _INK, _MUTED, _BAR, _RED = (244, 246, 248), (38, 46, 58), (106, 115, 128), (214, 219, 226), (178, 58, 66)


def has_display() -> bool:
    """Return whether a window can be opened."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    has_screen = sys.platform != "linux" or any(os.environ.get(name) for name in screens)
    return has_screen and importlib.util.find_spec("pygame") is not None


def run(controls: Controls) -> None:
    """Play until the person leaves; the window sleeps between two events."""
    window = Window(controls)
    try:
        while not controls.is_done:
            window.draw()
            window.wait()
    finally:
        window.close()


class Window:
    """Shows a game and hands its keys on."""

    def __init__(self, controls: Controls) -> None:
        """Open the window."""
        import pygame

        pygame.display.init()
        pygame.font.init()
        self._pygame, self._controls = pygame, controls
        self.surface = pygame.display.set_mode((WIDTH + _SIDE, HEIGHT + _FOOT))
        pygame.display.set_caption(f"{controls.session.env.spec.id} against {controls.session.against}")
        self._fonts = {size: pygame.font.Font(None, size) for size in (20, 24)}
        # Number pads without Num Lock, and arrows, send no character.
        self._keys = {getattr(pygame, f"K_KP{digit}"): str(digit) for digit in range(1, 10)}
        self._keys |= {pygame.K_UP: "8", pygame.K_RIGHT: "6", pygame.K_DOWN: "2", pygame.K_LEFT: "4"}
        self._keys |= {pygame.K_TAB: "\t", pygame.K_ESCAPE: "\x1b"}

    def wait(self) -> None:
        """Sleep until a key is pressed, or the window is closed or has to be drawn again."""
        pygame = self._pygame
        while (event := pygame.event.wait()).type not in (pygame.KEYDOWN, pygame.QUIT, pygame.WINDOWEXPOSED):
            pass
        if event.type == pygame.QUIT:
            self._controls.is_done = True
        elif event.type == pygame.KEYDOWN:
            self._controls.press(self._keys.get(event.key, event.unicode))

    def draw(self) -> None:
        """Show the room, what has happened, the keys, and what the npc has in mind."""
        self.surface.fill(_PAPER)
        picture = self._controls.session.env.frame()
        self.surface.blit(self._pygame.surfarray.make_surface(picture.swapaxes(0, 1)), (0, 0))
        if self._controls.is_telling:
            self._draw_intentions()
        for number, message in enumerate(self._controls.messages[-4:]):
            self._write(message, (20, HEIGHT + 10 + 22 * number), _INK, 24)
        for number, line in enumerate(HELP):
            self._write(line, (20, HEIGHT + _FOOT - 48 + 20 * number), _MUTED, 20)
        self._pygame.display.flip()

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()

    def _draw_intentions(self) -> None:
        """Draw a bar for each action that the npc could take, the larger the rather it would."""
        found = self._controls.session.intentions()
        if found is None:
            self._write("The npc tells nothing of that.", (WIDTH, 20), _MUTED, 20)
            return
        kind, numbers = found
        self._write(f"The npc in its turn: {kind}", (WIDTH, 20), _INK, 20)
        known = np.isfinite(numbers)
        low = float(numbers[known].min(initial=0.0))
        span = max(float(numbers[known].max(initial=0.0)) - low, 1e-9)
        for action, number in enumerate(numbers):
            y = 44 + 28 * action
            self._write(ACTION_NAMES[action].replace("_", " "), (WIDTH, y), _INK if known[action] else _BAR, 20)
            if known[action]:
                length = round(70 * (float(number) - low) / span)
                self._pygame.draw.rect(self.surface, _RED, (WIDTH + 75, y, max(length, 1), 14))
                self._write(f"{number:.2f}", (WIDTH + 152, y), _MUTED, 20)

    def _write(self, text: str, place: tuple[int, int], colour: Any, size: int) -> None:
        self.surface.blit(self._fonts[size].render(text, True, colour), place)
