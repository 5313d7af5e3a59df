"""A window that shows pictures."""

from __future__ import annotations

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray


class Display:
    """A pygame window, opened when the first picture is shown."""

    def __init__(self, title: str, fps: int) -> None:
        """Prepare a window called ``title`` that shows at most ``fps`` pictures per second.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        try:
            import pygame
        except ImportError:
            raise DependencyNotInstalled('A window needs pygame: pip install "rlx[render]"') from None
        self._pygame, self._title, self._fps = pygame, title, fps
        self._window: pygame.Surface | None = None
        self._clock = pygame.time.Clock()

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
