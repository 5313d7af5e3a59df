"""Feature layers: what the screen and the minimap show, as pysc2 names and orders it."""

from __future__ import annotations

import math

from ..core import jit
from .observations import is_visible
from .orders import HALF_VIEW
from .params import MARINE, NONE, SCV
from .records import GATHER, IDLE, MAP, MINIMAP_LAYERS, OWN, SCREEN_LAYERS, SEARCH, TRAIN, Array, Record

SCREEN = (
    "height_map", "visibility_map", "creep", "power", "player_id", "player_relative", "unit_type", "selected",
    "unit_hit_points", "unit_hit_points_ratio", "unit_energy", "unit_energy_ratio", "unit_shields",
    "unit_shields_ratio", "unit_density", "unit_density_aa", "effects", "hallucinations", "cloaked", "blip", "buffs",
    "buff_duration", "active", "build_progress", "pathable", "buildable", "placeholder",
)  # fmt: skip
MINIMAP = (
    "height_map", "visibility_map", "creep", "camera", "player_id", "player_relative", "selected", "unit_type",
    "alerts", "pathable", "buildable",
)  # fmt: skip
#: What pysc2 tells of a player.
PLAYER = (
    "player_id", "minerals", "vespene", "food_used", "food_cap", "food_army", "food_workers", "idle_worker_count",
    "army_count", "warp_gate_count", "larva_count",
)  # fmt: skip
(HEIGHT, VISIBILITY, CREEP, POWER, PLAYER_ID, RELATIVE, TYPE, SELECTED, LIFE, LIFE_RATIO) = range(10)
DENSITY, DENSITY_AA, ACTIVE, PROGRESS, PATHABLE, BUILDABLE = 14, 15, 22, 23, 24, 25
(MINI_HEIGHT, MINI_VISIBILITY, MINI_CREEP, MINI_CAMERA, MINI_ID, MINI_RELATIVE, MINI_SELECTED, MINI_TYPE) = range(8)
MINI_PATHABLE, MINI_BUILDABLE = 9, 10
#: Numbers of unit types in the game's API, by kind: none, marine, SCV, zergling, baneling, roach, command centre,
#: depot, refinery, barracks, mineral field, geyser, beacon, shard.
TYPES = (0, 48, 45, 105, 9, 110, 18, 19, 20, 21, 341, 342, 317, 1680)
#: Numbers of players, and how they stand to oneself, by owner: neutral, oneself, the enemy.
PLAYERS, RELATIONS = (16, 1, 2), (3, 1, 4)
#: The ground is flat.
GROUND = 127
#: Cells are hidden, were seen, or are.
HIDDEN, FOGGED, SEEN = range(3)


@jit
def sees(p: Record, s: Record, x: float, y: float) -> int:
    """Return whether a point of the map is hidden, was seen or is seen."""
    if p.rule != SEARCH:
        return SEEN
    for u in range(s.count):
        if s.kind[u] == MARINE and (s.x[u] - x) ** 2 + (s.y[u] - y) ** 2 <= p.sight[MARINE] ** 2:
            return SEEN
    row, column = min(max(int(y), 0), MAP - 1), min(max(int(x), 0), MAP - 1)
    return FOGGED if (s.explored[row] >> column) & 1 else HIDDEN


@jit
def is_active(s: Record, u: int) -> bool:
    """Return whether a unit makes or gathers something."""
    return bool(s.order[u] == TRAIN or s.project[u] != NONE or (s.kind[u] == SCV and s.order[u] > GATHER))


@jit
def progress(p: Record, s: Record, u: int) -> float:
    """Return how far a building is, from 0 to 1."""
    if s.kind[u] != SCV and s.project[u] != NONE and p.build[s.kind[u]] > 0.0:
        return 1.0 - s.timer[u] / p.build[s.kind[u]]
    return 1.0


@jit
def put(layers: Array, place: int, row: int, column: int, value: float) -> None:
    """Set a pixel of a layer, if that is shown."""
    if place >= 0:
        layers[place, row, column] = value


@jit
def draw_screen(p: Record, s: Record, layers: Array) -> None:
    """Draw the layers of the screen, ``layers`` (L, height, width)."""
    width, height = p.screen[0], p.screen[1]
    layers[:] = 0
    where = p.screen_layer
    scale_x, scale_y = width / (2.0 * HALF_VIEW), height / (2.0 * HALF_VIEW)
    left, top = s.camera[0] - HALF_VIEW, s.camera[1] + HALF_VIEW
    for row in range(height):
        y = top - (row + 0.5) / scale_y
        is_row = p.bottom <= y <= p.top
        if where[HEIGHT] >= 0:
            layers[where[HEIGHT], row, :] = GROUND
        if where[VISIBILITY] >= 0:
            if p.rule != SEARCH:
                layers[where[VISIBILITY], row, :] = SEEN
            else:
                for column in range(width):
                    layers[where[VISIBILITY], row, column] = sees(p, s, left + (column + 0.5) / scale_x, y)
        if is_row and (where[PATHABLE] >= 0 or where[BUILDABLE] >= 0):
            first = max(int(math.ceil((p.left - left) * scale_x - 0.5)), 0)
            last = min(int((p.right - left) * scale_x - 0.5), width - 1)
            if where[PATHABLE] >= 0:
                layers[where[PATHABLE], row, first : last + 1] = 1
            if where[BUILDABLE] >= 0:
                layers[where[BUILDABLE], row, first : last + 1] = 1
    for u in range(s.count):
        kind = s.kind[u]
        if kind == NONE:
            continue
        x, y = (s.x[u] - left) * scale_x, (top - s.y[u]) * scale_y
        radius = p.radius[kind]
        wide, high = radius * scale_x, radius * scale_y
        if x + wide < 0.0 or x - wide >= width or y + high < 0.0 or y - high >= height or not is_visible(p, s, u):
            continue
        ratio = s.life[u] / p.life[kind]
        at_column, at_row = int(math.floor(x)), int(math.floor(y))
        for row in range(max(int(y - high), 0), min(int(y + high) + 1, height)):
            for column in range(max(int(x - wide), 0), min(int(x + wide) + 1, width)):
                dx, dy = (column + 0.5 - x) / wide, (row + 0.5 - y) / high
                is_inside = dx * dx + dy * dy <= 1.0 or (column == at_column and row == at_row)
                if where[DENSITY_AA] >= 0:  # of 16 points in the pixel, those within
                    points = 0
                    for k in range(16):
                        dx = (column + 0.125 + 0.25 * (k % 4) - x) / wide
                        dy = (row + 0.125 + 0.25 * (k // 4) - y) / high
                        if dx * dx + dy * dy <= 1.0:
                            points += 1
                    layers[where[DENSITY_AA], row, column] += points
                if not is_inside:
                    continue
                put(layers, where[PLAYER_ID], row, column, PLAYERS[s.owner[u]])
                put(layers, where[RELATIVE], row, column, RELATIONS[s.owner[u]])
                put(layers, where[TYPE], row, column, TYPES[kind])
                put(layers, where[SELECTED], row, column, s.is_selected[u])
                put(layers, where[LIFE], row, column, min(max(s.life[u], 1.0), 32000.0))
                put(layers, where[LIFE_RATIO], row, column, 255.0 * ratio)
                put(layers, where[ACTIVE], row, column, 1.0 if is_active(s, u) else 0.0)
                put(layers, where[PROGRESS], row, column, 255.0 * progress(p, s, u) if s.project[u] != NONE else 0.0)
                if where[DENSITY] >= 0:
                    layers[where[DENSITY], row, column] += 1
                if p.is_structure[kind]:
                    put(layers, where[PATHABLE], row, column, 0.0)
                    put(layers, where[BUILDABLE], row, column, 0.0)


@jit
def draw_minimap(p: Record, s: Record, layers: Array) -> None:
    """Draw the layers of the minimap, ``layers`` (L, height, width)."""
    width, height = p.minimap[0], p.minimap[1]
    layers[:] = 0
    where = p.minimap_layer
    scale_x, scale_y = width / MAP, height / MAP
    for row in range(height):
        y = MAP - (row + 0.5) / scale_y
        if where[MINI_HEIGHT] >= 0:
            layers[where[MINI_HEIGHT], row, :] = GROUND
        for column in range(width):
            x = (column + 0.5) / scale_x
            if where[MINI_VISIBILITY] >= 0:
                layers[where[MINI_VISIBILITY], row, column] = sees(p, s, x, y)
            if where[MINI_CAMERA] >= 0:
                layers[where[MINI_CAMERA], row, column] = (
                    abs(x - s.camera[0]) <= HALF_VIEW and abs(y - s.camera[1]) <= HALF_VIEW
                )
            if p.left <= x <= p.right and p.bottom <= y <= p.top:
                put(layers, where[MINI_PATHABLE], row, column, 1.0)
                put(layers, where[MINI_BUILDABLE], row, column, 1.0)
    for u in range(s.count):
        kind = s.kind[u]
        if kind == NONE or not is_visible(p, s, u):
            continue
        x, y = s.x[u] * scale_x, (MAP - s.y[u]) * scale_y
        wide, high = p.radius[kind] * scale_x, p.radius[kind] * scale_y
        at_column, at_row = int(math.floor(x)), int(math.floor(y))
        for row in range(max(int(y - high), 0), min(int(y + high) + 1, height)):
            for column in range(max(int(x - wide), 0), min(int(x + wide) + 1, width)):
                dx, dy = (column + 0.5 - x) / wide, (row + 0.5 - y) / high
                if dx * dx + dy * dy <= 1.0 or (column == at_column and row == at_row):
                    put(layers, where[MINI_ID], row, column, PLAYERS[s.owner[u]])
                    put(layers, where[MINI_RELATIVE], row, column, RELATIONS[s.owner[u]])
                    put(layers, where[MINI_TYPE], row, column, TYPES[kind])
                    put(layers, where[MINI_SELECTED], row, column, s.is_selected[u])
                    if p.is_structure[kind]:
                        put(layers, where[MINI_PATHABLE], row, column, 0.0)
                        put(layers, where[MINI_BUILDABLE], row, column, 0.0)


@jit
def count_player(p: Record, s: Record, seen: Array) -> None:
    """Fill what is told of the player, ``seen`` (11,)."""
    seen[:] = 0
    seen[0], seen[1], seen[2] = 1, min(s.minerals, 32000.0), min(s.vespene, 32000.0)
    seen[3], seen[4] = s.food_used, s.food_cap
    for u in range(s.count):
        if s.owner[u] != OWN:
            continue
        if s.kind[u] == MARINE:
            seen[5] += 1
            seen[8] += 1
        elif s.kind[u] == SCV:
            seen[6] += 1
            if s.order[u] == IDLE:
                seen[7] += 1


@jit
def count_groups(s: Record, seen: Array) -> None:
    """Fill the control groups, ``seen`` (20,): the type of each group's leader, and how many it has."""
    seen[:] = 0
    for u in range(s.count):
        if s.kind[u] != NONE and s.groups[u] != 0:
            for k in range(10):
                if (s.groups[u] >> k) & 1:
                    if seen[2 * k + 1] == 0:
                        seen[2 * k] = TYPES[s.kind[u]]
                    seen[2 * k + 1] += 1


@jit
def see_layers(p: Record, s: Record, seen: Array) -> None:
    """Fill an observation of layers: control groups, minimap, screen and player, end to end."""
    minimap = screen = 0
    for k in range(MINIMAP_LAYERS):
        minimap += 1 if p.minimap_layer[k] >= 0 else 0
    for k in range(SCREEN_LAYERS):
        screen += 1 if p.screen_layer[k] >= 0 else 0
    count_groups(s, seen[:20])
    first = 20
    last = first + minimap * p.minimap[0] * p.minimap[1]
    draw_minimap(p, s, seen[first:last].reshape((minimap, p.minimap[1], p.minimap[0])))
    first, last = last, last + screen * p.screen[0] * p.screen[1]
    draw_screen(p, s, seen[first:last].reshape((screen, p.screen[1], p.screen[0])))
    count_player(p, s, seen[last:])
