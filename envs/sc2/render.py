"""The map from above, and beside it what the player's screen and minimap show."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..core.canvas import (
    AMBER,
    BLUE,
    CARD,
    EDGE,
    FAINT,
    GREEN,
    INK,
    LARGE,
    MUTED,
    PAPER,
    PURPLE,
    RED,
    SMALL,
    TEAL,
    Box,
    Canvas,
    Color,
    pale,
)
from . import layers, records
from .params import (
    BANELING,
    BARRACKS,
    BEACON,
    COMMAND_CENTER,
    DEPOT,
    GEYSER,
    LOOPS,
    MARINE,
    MINERALS,
    NONE,
    REFINERY,
    ROACH,
    SCV,
    SHARD,
    ZERGLING,
)

WIDTH, HEIGHT = 960, 600
_GROUND, _OUTSIDE = (236, 232, 222), (206, 202, 194)
_COLORS: dict[int, Color] = {
    MARINE: BLUE, SCV: TEAL, COMMAND_CENTER: BLUE, DEPOT: BLUE, REFINERY: BLUE, BARRACKS: BLUE, ZERGLING: RED,
    BANELING: GREEN, ROACH: PURPLE, MINERALS: (86, 156, 214), GEYSER: (70, 150, 90), BEACON: AMBER,
    SHARD: (86, 156, 214),
}  # fmt: skip
_LETTERS = {COMMAND_CENTER: "CC", DEPOT: "D", REFINERY: "R", BARRACKS: "B"}
#: Colours of `layers.RELATIONS`: oneself, neutral, the enemy.
_RELATIONS: dict[int, Color] = {1: (90, 190, 90), 3: (140, 170, 210), 4: (220, 90, 80)}
_DARK = (24, 27, 32)


class Picture:
    """Draws a game."""

    def __init__(self, title: str) -> None:
        """Prepare pictures of the game called ``title``.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        self._title, self._canvas = title, Canvas(WIDTH, HEIGHT)

    def draw(self, task: np.void, game: np.void) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (600, 960, 3).

        Args:
            task: a record of `records.TASK`.
            game: a record of `records.state`.
        """
        canvas = self._canvas
        canvas.clear(PAPER)
        canvas.text(20, 14, self._title, INK, LARGE)
        self._draw_map(task, game)
        self._draw_numbers(task, game)
        self._draw_screens(task, game)
        return canvas.picture()

    def _draw_map(self, task: np.void, game: np.void) -> None:
        canvas = self._canvas
        wide, high = task["right"] - task["left"] + 2.0, task["top"] - task["bottom"] + 2.0
        scale = min(640.0 / wide, 536.0 / high)
        left, top = 20.0, 48.0

        def at(x: float, y: float) -> tuple[float, float]:
            return left + (x - task["left"] + 1.0) * scale, top + (task["top"] + 1.0 - y) * scale

        frame = Box(left, top, wide * scale, high * scale)
        canvas.rectangle(frame, _OUTSIDE)
        corner = at(task["left"], task["top"])
        canvas.rectangle(Box(*corner, (wide - 2.0) * scale, (high - 2.0) * scale), _GROUND)
        canvas.clip(frame)
        for u in range(int(game["count"])):
            kind = int(game["kind"][u])
            if kind == NONE:
                continue
            x, y = at(game["x"][u], game["y"][u])
            color, radius = _COLORS[kind], float(task["radius"][kind]) * scale
            if task["width"][kind] > 0.0:
                self._draw_building(task, game, u, (x, y), scale)
                continue
            if kind in (BEACON, SHARD):
                canvas.dot((x, y), pale(color, 0.6 if kind == BEACON else 0.2), radius, color)
                continue
            if game["is_selected"][u]:
                canvas.dot((x, y), GREEN, radius + 3.0)
            aim = int(game["aim"][u])
            if aim >= 0 and game["order"][u] < records.GATHER and game["cooldown"][u] > 0.7 * task["period"][kind]:
                canvas.line([(x, y), at(game["x"][aim], game["y"][aim])], pale(color, 0.4), 1.5)
            canvas.dot((x, y), color, radius, CARD)
            turn = math.atan2(game["face_y"][u], game["face_x"][u])
            nose = (x + radius * math.cos(turn), y - radius * math.sin(turn))
            canvas.line([(x, y), nose], CARD, 1.5)
            if kind == SCV and game["amount"][u] > 0.0:
                canvas.dot((x, y), _COLORS[GEYSER] if game["is_gas"][u] else _COLORS[MINERALS], 0.4 * radius)
            self._draw_life(float(game["life"][u] / task["life"][kind]), x, y - radius - 6.0, 2.0 * radius)
        canvas.clip(None)

    def _draw_building(self, task: np.void, game: np.void, u: int, centre: tuple[float, float], scale: float) -> None:
        canvas, kind, (x, y) = self._canvas, int(game["kind"][u]), centre
        w, h = float(task["width"][kind]) * scale, float(task["height"][kind]) * scale
        color, box = _COLORS[kind], Box(x - 0.5 * w, y - 0.5 * h, w, h)
        if kind in (MINERALS, GEYSER):
            canvas.rectangle(box.inset(1, 1, 1, 1), color, radius=3.0)
            return
        is_finished = int(game["project"][u]) == NONE
        canvas.rectangle(box.inset(1, 1, 1, 1), pale(color, 0.3 if is_finished else 0.8), INK, radius=3.0)
        canvas.text(x, y, _LETTERS[kind], CARD if is_finished else INK, SMALL, anchor=(0.5, 0.5))
        making = int(game["queue"][u, 0]) if game["queued"][u] else kind
        if game["timer"][u] > 0.0 and task["build"][making] > 0.0:
            self._draw_life(1.0 - float(game["timer"][u] / task["build"][making]), x, y + 0.5 * h - 7.0, 0.8 * w, AMBER)

    def _draw_life(self, share: float, x: float, y: float, width: float, color: Color | None = None) -> None:
        if share >= 1.0 and color is None:
            return
        share = min(max(share, 0.0), 1.0)
        self._canvas.rectangle(Box(x - 0.5 * width, y, width, 3.0), EDGE)
        tone = color or (GREEN if share > 0.5 else AMBER if share > 0.25 else RED)
        self._canvas.rectangle(Box(x - 0.5 * width, y, max(share * width, 1.0), 3.0), tone)

    def _draw_numbers(self, task: np.void, game: np.void) -> None:
        seconds = max(int(task["loops"] - game["loop"]), 0) // LOOPS
        kinds = game["kind"][: int(game["count"])]
        pairs = [("score", f"{game['score']:,.0f}"), ("time left", f"{seconds // 60}:{seconds % 60:02d}")]
        if task["rule"] >= records.HARVEST:
            pairs += [
                ("minerals, gas", f"{game['minerals']:,.0f}, {game['vespene']:,.0f}"),
                ("supply", f"{game['food_used']:.0f} of {game['food_cap']:.0f}"),
                ("SCVs, marines", f"{(kinds == SCV).sum()}, {(kinds == MARINE).sum()}"),
            ]
        else:
            pairs += [("marines", str((kinds == MARINE).sum()))]
            if task["zerglings"] + task["banelings"] + task["roaches"]:
                pairs += [("enemies killed", str(game["kills"])), ("marines lost", str(game["losses"]))]
        for row, (name, value) in enumerate(pairs):
            self._canvas.text(690, 50 + 22 * row, name, MUTED)
            self._canvas.text(940, 50 + 22 * row, value, anchor=(1, 0))

    def _draw_screens(self, task: np.void, game: np.void) -> None:
        """Draw the layers "player_relative" of the screen and the minimap."""
        view = task.copy()
        view["screen"] = view["minimap"] = 64
        view["screen_layer"] = view["minimap_layer"] = -1
        view["screen_layer"][layers.RELATIVE] = view["minimap_layer"][layers.MINI_RELATIVE] = 0
        view["minimap_layer"][layers.MINI_CAMERA] = 1
        screen, minimap = np.zeros((1, 64, 64), np.int16), np.zeros((2, 64, 64), np.int16)
        layers.draw_screen(view, game, screen)
        layers.draw_minimap(view, game, minimap)
        self._draw_layer("screen: player_relative", screen[0], Box(690, 210, 180, 180))
        self._draw_layer("minimap: player_relative", minimap[0], Box(690, 420, 150, 150), minimap[1])

    def _draw_layer(
        self, title: str, layer: NDArray[np.int16], box: Box, camera: NDArray[np.int16] | None = None
    ) -> None:
        canvas, size = self._canvas, box.width / layer.shape[1]
        canvas.text(box.x, box.y - 4, title, MUTED, SMALL, anchor=(0, 1))
        canvas.rectangle(box, _DARK)
        if camera is not None and camera.any():
            rows, columns = np.nonzero(camera)
            x, y = box.x + columns.min() * size, box.y + rows.min() * size
            wide, high = (np.ptp(columns) + 1) * size, (np.ptp(rows) + 1) * size
            canvas.rectangle(Box(x, y, wide, high), (48, 54, 62), FAINT)
        for row, column in np.argwhere(layer):
            color = _RELATIONS[int(layer[row, column])]
            canvas.rectangle(Box(box.x + column * size, box.y + row * size, size, size), color)
