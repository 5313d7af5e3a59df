"""The picture of a packing: offsets over time, as memory maps are drawn."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from .generator import Instance

WIDTH, HEIGHT, MARGIN = 640, 480, 12
PAPER, BEYOND, LIFETIME, LIMIT = (255, 255, 255), (240, 240, 240), (255, 244, 206), (199, 55, 52)


def draw(instance: Instance, turn: int | None) -> NDArray[np.uint8]:
    """Draw what has been placed.

    Time runs to the right, offsets upwards. The red line is the capacity; beyond it the paper is grey. The lifetime of
    the next buffer is shaded, with a bar of its size at the left edge.

    Args:
        instance: its offsets are what has been placed.
        turn: index of the next buffer; None after the last.

    Returns:
        uint8 of shape (480, 640, 3).
    """
    placed = [(i, buffer, buffer.offset) for i, buffer in enumerate(instance.buffers) if buffer.offset is not None]
    begin = min(buffer.lower for buffer in instance.buffers)
    end = max(buffer.upper for buffer in instance.buffers)
    top = 1.1 * max([instance.capacity, *(buffer.size + offset for _, buffer, offset in placed)])
    picture = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)

    def x(time: float) -> int:
        return MARGIN + round((WIDTH - 2 * MARGIN) * (time - begin) / (end - begin))

    def y(offset: float) -> int:
        return HEIGHT - MARGIN - round((HEIGHT - 2 * MARGIN) * offset / top)

    picture[: y(instance.capacity)] = BEYOND
    if turn is not None:
        buffer = instance.buffers[turn]
        picture[:, x(buffer.lower) : x(buffer.upper)] = LIFETIME
        picture[y(buffer.size) : y(0), 2 : MARGIN - 4] = _color(turn)
    for i, buffer, offset in placed:
        area = picture[y(offset + buffer.size) : y(offset), x(buffer.lower) : x(buffer.upper)]
        area[:] = _color(i)
        if min(area.shape[:2]) > 3:
            for edge in (area[0], area[-1], area[:, 0], area[:, -1]):
                edge[:] = [part * 0.6 for part in _color(i)]
    picture[y(instance.capacity) - 1 : y(instance.capacity) + 1] = LIMIT
    return picture


def _color(index: int) -> tuple[int, int, int]:
    """Return a colour that is unlike those of the neighbours: hues a golden section apart."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.618034 % 1.0, 0.45, 0.92)
    return round(255 * red), round(255 * green), round(255 * blue)
