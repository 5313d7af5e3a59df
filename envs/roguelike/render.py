"""The room as a player sees it, and beside it what both sides have. No display is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.display import load_pygame, pixels
from .packing import Seat
from .params import Design
from .records import (
    ACTION_NAMES,
    ATTACK,
    BONUS,
    BOW,
    CRATE,
    DEFENCE,
    DICE,
    DRINK,
    DURATION,
    EAST,
    FLOOR,
    HEAL,
    HOLE,
    KIND,
    MELEE,
    NORTH,
    OFFSET,
    RANGE,
    SHOOT,
    SIDES,
    SIZE,
)

WIDTH, HEIGHT = 800, 560
_CELL, _LEFT, _TOP, _PANEL = 52, 20, 20, 560  # pixels

_PAPER, _INK, _MUTED, _BAR = (244, 246, 248), (38, 46, 58), (106, 115, 128), (214, 219, 226)
_VOID, _STONE, _STONE_LIGHT = (58, 62, 72), (128, 134, 144), (172, 178, 187)
_FLOORS = ((228, 222, 208), (221, 214, 198))
_WOOD, _WOOD_DARK, _STEEL, _GOLD = (164, 116, 66), (118, 80, 42), (84, 96, 112), (176, 128, 30)
_RED, _VIOLET = (199, 55, 52), (126, 87, 164)
#: Team -> colour: the npcs, the other side.
_TEAMS = ((178, 58, 66), (31, 99, 173))


class Picture:
    """Draws a game; made when a picture is first asked for."""

    def __init__(self, design: Design, seats: Sequence[Seat]) -> None:
        """Prepare pictures of games under ``design``, in which ``seats`` take part.

        Raises:
            DependencyNotInstalled: pygame is missing.
        """
        pygame = load_pygame()
        self._pygame, self._seats = pygame, seats
        self._names = {0: "none"} | {item.id: item.name.replace("_", " ") for item in design.items}
        self._max_hp = design.max_hp
        self._surface = pygame.Surface((WIDTH, HEIGHT), depth=32)
        self._fonts = {size: pygame.font.Font(None, size) for size in (18, 20, 26)}

    def draw(self, row: np.void, game: np.void) -> NDArray[np.uint8]:
        """Return the picture, uint8 of shape (560, 800, 3).

        Args:
            row: the packed design, a record of `records.DESIGN`.
            game: the state, a record of `records.STATE`.
        """
        self._surface.fill(_PAPER)
        self._draw_room(game)
        self._draw_reach(row, game)
        for actor in range(int(row["actors"])):
            self._draw_shot(game, actor)
        for actor in range(int(row["actors"])):
            self._draw_actor(game, actor)
            self._draw_card(row, game, actor, len(self._seats))
        return pixels(self._surface)

    @staticmethod
    def _corner(cell: int) -> tuple[int, int]:
        """Return the upper left corner of a cell."""
        x, y = divmod(int(cell), SIZE)
        return _LEFT + x * _CELL, _TOP + (SIZE - 1 - y) * _CELL

    def _centre(self, cell: int) -> tuple[int, int]:
        x, y = self._corner(cell)
        return x + _CELL // 2, y + _CELL // 2

    def _draw_room(self, game: np.void) -> None:
        draw, surface = self._pygame.draw, self._surface
        for cell, tile in enumerate(game["tile"].tolist()):
            x, y = self._corner(cell)
            square = (x, y, _CELL, _CELL)
            draw.rect(surface, _VOID if tile == HOLE else _FLOORS[(cell // SIZE + cell) % 2], square)
            if tile == CRATE:
                box = (x + 7, y + 7, _CELL - 14, _CELL - 14)
                draw.rect(surface, _WOOD, box)
                draw.rect(surface, _WOOD_DARK, box, 3)
                draw.line(surface, _WOOD_DARK, (x + 9, y + 9), (x + _CELL - 10, y + _CELL - 10), 3)
                draw.line(surface, _WOOD_DARK, (x + 9, y + _CELL - 10), (x + _CELL - 10, y + 9), 3)
            elif tile not in (FLOOR, HOLE):
                draw.circle(surface, _STONE, (x + _CELL // 2, y + _CELL // 2), 21)
                draw.circle(surface, _STONE_LIGHT, (x + _CELL // 2 - 3, y + _CELL // 2 - 3), 14)
            if game["item"][cell]:
                self._draw_item(game["table"][game["item"][cell]], self._centre(cell))
        draw.rect(surface, _INK, (_LEFT, _TOP, SIZE * _CELL, SIZE * _CELL), 2)

    def _draw_item(self, item: NDArray[np.int16], centre: tuple[int, int]) -> None:
        """Draw a sword, a bow or a flask, and the numbers that matter below."""
        draw, surface, (x, y) = self._pygame.draw, self._surface, centre
        y -= 6
        if item[KIND] == MELEE:
            draw.line(surface, _STEEL, (x - 8, y + 9), (x + 10, y - 9), 4)
            draw.line(surface, _WOOD_DARK, (x - 9, y + 1), (x, y + 10), 3)
        elif item[KIND] == BOW:
            draw.arc(surface, _WOOD_DARK, (x - 14, y - 12, 22, 24), -1.5, 1.5, 3)
            draw.line(surface, _STEEL, (x - 3, y - 12), (x - 3, y + 11), 1)
        else:
            colour = _RED if item[HEAL] else _VIOLET
            draw.circle(surface, colour, (x, y + 3), 8)
            draw.rect(surface, colour, (x - 3, y - 10, 6, 8))
            draw.rect(surface, _WOOD_DARK, (x - 4, y - 12, 8, 3))
        self._write(figures(item), (x, y + 22), _INK, 18, is_centred=True)

    def _draw_reach(self, row: np.void, game: np.void) -> None:
        """Mark where the actor whose turn it is could shoot."""
        actor = int(game["turn"])
        bow = int(game["equipment"][actor, BOW])
        length = max(2, int(game["table"][bow, RANGE]) + int(row["dexterity"][actor]) - 2) if bow else 0
        colour = _TEAMS[self._seats[actor].team]
        for d in range(8):
            cell = int(game["cell"][actor])
            for away in range(1, length + 1):
                if not int(game["open"][d, cell >> 6]) >> (cell & 63) & 1:
                    break
                cell += int(OFFSET[d])
                if away > 1:
                    self._pygame.draw.circle(self._surface, colour, self._centre(cell), 3)
                if game["occupant"][cell]:
                    break

    def _draw_shot(self, game: np.void, actor: int) -> None:
        """Draw an arrow in the direction of a shot just fired."""
        action = int(game["previous"][actor])
        if action >= SHOOT and game["hp"][actor] > 0:
            x, y = self._centre(game["cell"][actor])
            east, north = int(EAST[action - SHOOT]), int(NORTH[action - SHOOT])
            end = (x + east * 46, y - north * 46)
            self._pygame.draw.line(self._surface, _GOLD, (x, y), end, 4)
            self._pygame.draw.circle(self._surface, _GOLD, end, 6)

    def _draw_actor(self, game: np.void, actor: int) -> None:
        draw, surface = self._pygame.draw, self._surface
        seat, hp = self._seats[actor], int(game["hp"][actor])
        x, y = self._centre(game["cell"][actor])
        colour = _TEAMS[seat.team]
        if hp == 0:
            draw.line(surface, colour, (x - 14, y - 14), (x + 14, y + 14), 6)
            draw.line(surface, colour, (x - 14, y + 14), (x + 14, y - 14), 6)
            return
        if game["buff"][actor]:
            draw.circle(surface, _VIOLET, (x, y - 3), 22, 3)
        draw.circle(surface, colour, (x, y - 3), 18)
        if actor == int(game["turn"]):
            draw.circle(surface, _PAPER, (x, y - 3), 15, 2)
        self._write(seat.actor[:1].upper(), (x, y - 3), _PAPER, 26, is_centred=True)
        self._draw_bar((x - 20, y + 18, 40, 6), hp, colour)

    def _draw_bar(self, box: tuple[int, int, int, int], hp: int, colour: tuple[int, int, int]) -> None:
        x, y, width, height = box
        self._pygame.draw.rect(self._surface, _BAR, box)
        filled = round(width * min(hp / self._max_hp, 1.0))
        self._pygame.draw.rect(self._surface, colour, (x, y, filled, height))
        self._pygame.draw.rect(self._surface, _INK, box, 1)

    def _draw_card(self, row: np.void, game: np.void, actor: int, cards: int) -> None:
        """Write down what an actor is and has."""
        room = (HEIGHT - 2 * _TOP) // max(cards, 2)
        seat, top = self._seats[actor], _TOP + actor * room
        hp, table, equipment = int(game["hp"][actor]), game["table"], game["equipment"][actor].tolist()
        side = "npc" if seat.team == 0 else "target"
        self._write(f"{side}: {seat.actor}", (_PANEL, top), _TEAMS[seat.team], 26)
        self._draw_bar((_PANEL, top + 26, 150, 14), hp, _TEAMS[seat.team])
        self._write(f"{hp} hp", (_PANEL + 160, top + 26), _INK, 20)
        skills = [int(row[name][actor]) for name in ("attack", "dexterity", "defence")]
        skills[0] += int(game["buff_attack"][actor])
        skills[2] += int(game["buff_defence"][actor])
        lines = ["attack {}, dexterity {}, defence {}".format(*skills)]
        for slot in (MELEE, BOW, DRINK):
            item = equipment[slot]
            lines.append(f"{self._names.get(item, item)} {figures(table[item]) if item else ''}")
        if game["buff"][actor]:
            lines.append(f"buff, turns left: {int(game['buff'][actor])}")
        action = int(game["previous"][actor])
        lines.append("" if action < 0 else f"last: {ACTION_NAMES[action].replace('_', ' ')}")
        for number, line in enumerate(lines[: (room - 48) // 20]):
            self._write(line, (_PANEL, top + 48 + 20 * number), _INK if number else _MUTED, 20)

    def _write(
        self, text: Any, place: tuple[int, int], colour: tuple[int, int, int], size: int, is_centred: bool = False
    ) -> None:
        image = self._fonts[size].render(str(text), True, colour)
        where = image.get_rect(center=place) if is_centred else image.get_rect(topleft=place)
        self._surface.blit(image, where)


def figures(item: NDArray[np.int16]) -> str:
    """Return what an item does, as short as it gets: the range of its damage, or what it heals or adds."""
    row = item.tolist()
    if row[KIND] != DRINK:
        return f"{row[DICE] + row[BONUS]}-{row[DICE] * row[SIDES] + row[BONUS]}"
    parts = [f"+{row[HEAL]}"] if row[HEAL] else []
    if row[DURATION]:
        parts.append(f"+{row[ATTACK]}/{row[DEFENCE]}")
    return " ".join(parts)
