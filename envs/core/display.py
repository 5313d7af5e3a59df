"""pygame, where it is installed: a window that shows pictures, and pictures of what is drawn."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray


def load_pygame(what: str = "Rendering") -> ModuleType:
    """Return pygame, whose fonts are ready. No display is needed.

    Args:
        what: needs it.

    Raises:
        DependencyNotInstalled: pygame is missing.
    """
    try:
        import pygame
    except ImportError:
        raise DependencyNotInstalled(f'{what} needs pygame: pip install "rlx[render]"') from None
    pygame.font.init()
    return pygame


def pixels(surface: Any) -> NDArray[np.uint8]:
    """Return what is on a surface of pygame, uint8 of shape (height, width, 3)."""
    picture: NDArray[np.uint8] = load_pygame().surfarray.array3d(surface).swapaxes(0, 1)
    return np.ascontiguousarray(picture)


class Display:
    """A pygame window, opened when the first picture is shown."""

    def __init__(self, title: str, fps: int) -> None:
        """Prepare a window called ``title`` that shows at most ``fps`` pictures per second.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        self._pygame, self._title, self._fps = load_pygame("A window"), title, fps
        self._window: Any = None
        self._clock = self._pygame.time.Clock()

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show ``picture``, uint8 of shape (height, width, 3), and keep to the frame rate."""
        pygame = self._pygame
        if self._window is None:
            pygame.display.init()
            self._window = pygame.display.set_mode((picture.shape[1], picture.shape[0]))
            pygame.display.set_caption(self._title)
        pygame.event.pump()
        self._window.blit(pygame.surfarray.make_surface(picture.swapaxes(0, 1)), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()
        self._window = None
