"""What a client orders, carried out in the embedded game."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import orders
from ..functions import minimap_point, screen_point
from .abilities import ABILITIES, BY_ID, CANT_TARGET, ERROR, NOT_SUPPORTED, RESULTS, SUCCESS
from .embedded import Embedded

#: Where an order is about: a point of the map, and the unit there or -1.
Target = tuple[float, float, int]
Do = Callable[[Embedded, Any, bool], int]


def act(game: Embedded, action: Any, is_selecting: bool = True) -> tuple[int, int]:
    """Carry out an action.

    Args:
        game: where.
        action: an ``Action``.
        is_selecting: raw orders select whom they are for.

    Returns:
        The ``ActionResult``, and the ability that was ordered, or 0.
    """
    result, ability = SUCCESS, 0
    for part, message in action.ListFields():
        if part.name in ("game_loop", "action_chat"):
            continue
        if part.name == "action_feature_layer" and not game.pictures[0].data.size:
            return NOT_SUPPORTED, 0
        for order, content in message.ListFields():
            do = DO.get((part.name, order.name))
            result = NOT_SUPPORTED if do is None else do(game, content, is_selecting)
            ability = getattr(content, "ability_id", 0)
    return result, ability


def obey(game: Embedded, number: int, target: Target | None, is_queued: bool) -> int:
    """Tell the selected units to use the ability that has ``number`` in the game; return the ``ActionResult``."""
    ability = BY_ID.get(number)
    if ability is None:
        return NOT_SUPPORTED
    if target is None:
        if ABILITIES[ability].has_point:
            return ERROR
        target = 0.0, 0.0, -1
    return RESULTS[orders.obey(game.p, game.s, ability, *target, is_queued)]


def command(game: Embedded, order: Any, _: bool) -> int:
    """Tell the selected units to do something at a point of the screen or minimap, or just so."""
    p, s = game.p, game.s
    target: Target | None = None
    if order.HasField("target_screen_coord"):
        x, y = screen_point(p, s, *_pixel(order.target_screen_coord))
        target = x, y, orders.pick(p, s, x, y)
    elif order.HasField("target_minimap_coord"):
        target = *minimap_point(p, *_pixel(order.target_minimap_coord)), -1
    return obey(game, order.ability_id, target, order.queue_command)


def command_raw(game: Embedded, order: Any, is_selecting: bool) -> int:
    """Tell units by their tags to do something."""
    s = game.s
    units = [u for u in map(game.slot, order.unit_tags) if u >= 0]
    if not units:
        return ERROR
    target: Target | None = None
    if order.HasField("target_unit_tag"):
        u = game.slot(order.target_unit_tag)
        if u < 0:
            return CANT_TARGET
        target = float(s["x"][u]), float(s["y"][u]), u
    elif order.HasField("target_world_space_pos"):
        x, y = order.target_world_space_pos.x, order.target_world_space_pos.y
        if not math.isfinite(x + y):
            return ERROR
        target = x, y, -1
    before = s["is_selected"].copy()
    s["is_selected"] = 0
    s["is_selected"][units] = 1
    result = obey(game, order.ability_id, target, order.queue_command)
    if not is_selecting:
        s["is_selected"] = before * (s["kind"] != 0)
    return result


def select_point(game: Embedded, order: Any, _: bool) -> int:
    """Select the unit at a point of the screen."""
    x, y = screen_point(game.p, game.s, *_pixel(order.selection_screen_coord))
    orders.select_point(game.p, game.s, x, y, order.type - 1)
    return SUCCESS


def select_rect(game: Embedded, order: Any, _: bool) -> int:
    """Select the units in rectangles of the screen."""
    is_added = order.selection_add
    for rectangle in order.selection_screen_coord:
        corners = *_pixel(rectangle.p0), *_pixel(rectangle.p1)
        x0, y0 = screen_point(game.p, game.s, *corners[:2])
        x1, y1 = screen_point(game.p, game.s, *corners[2:])
        orders.select_rect(game.p, game.s, x0, y0, x1, y1, is_added)
        is_added = True
    return SUCCESS


def move_camera(game: Embedded, order: Any, _: bool) -> int:
    """Look at a point of the minimap."""
    orders.move_camera(game.p, game.s, *minimap_point(game.p, *_pixel(order.center_minimap)))
    return SUCCESS


def move_camera_raw(game: Embedded, order: Any, _: bool) -> int:
    """Look at a point of the map."""
    x, y = order.center_world_space.x, order.center_world_space.y
    if not math.isfinite(x + y):
        return ERROR
    orders.move_camera(game.p, game.s, x, y)
    return SUCCESS


def control_group(game: Embedded, order: Any, _: bool) -> int:
    """Recall, set or extend a control group."""
    if order.control_group_index > 9:
        return ERROR
    orders.control_group(game.s, order.action - 1, order.control_group_index)
    return SUCCESS


def select_army(game: Embedded, order: Any, _: bool) -> int:
    """Select all marines."""
    orders.select_army(game.s, order.selection_add)
    return SUCCESS


def select_idle_worker(game: Embedded, order: Any, _: bool) -> int:
    """Select an idle worker, or all of them."""
    way = order.type - 1
    orders.select_idle_worker(game.s, way in (1, 3), way >= 2)
    return SUCCESS


def multi_panel(game: Embedded, order: Any, _: bool) -> int:
    """Narrow the selection."""
    orders.select_unit(game.s, order.type - 1, order.unit_index)
    return SUCCESS


def production_panel(game: Embedded, _: Any, __: bool) -> int:
    """Cancel the last unit that the selected building is to make."""
    return obey(game, ABILITIES[orders.CANCEL_LAST].specific, None, False)


def _pixel(point: Any) -> tuple[float, float]:
    return float(point.x), float(point.y)


#: Part of an action, and what it holds -> what to do.
DO: dict[tuple[str, str], Do] = {
    ("action_ui", "control_group"): control_group,
    ("action_ui", "select_army"): select_army,
    ("action_ui", "select_idle_worker"): select_idle_worker,
    ("action_ui", "multi_panel"): multi_panel,
    ("action_ui", "production_panel"): production_panel,
    ("action_feature_layer", "unit_command"): command,
    ("action_feature_layer", "unit_selection_point"): select_point,
    ("action_feature_layer", "unit_selection_rect"): select_rect,
    ("action_feature_layer", "camera_move"): move_camera,
    ("action_raw", "unit_command"): command_raw,
    ("action_raw", "camera_move"): move_camera_raw,
}
