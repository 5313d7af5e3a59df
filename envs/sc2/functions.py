"""The functions of pysc2 that matter to the mini-games: numbers, names, and what they do.

Numbers and names are those of pysc2 4.0.0, `pysc2.lib.actions.FUNCTIONS`; its general ones, as it offers them by
default.
"""

from __future__ import annotations

import numpy as np

from ..core import jit
from . import orders
from .orders import HALF_VIEW, can_any, is_mine, pick
from .params import MARINE, SCV
from .records import IDLE, MAP, Array, Record

#: How many functions pysc2 has.
FUNCTIONS = 573
#: What kind of function it is: what it reads of the arguments.
(ABSENT, NO_OP, CAMERA, POINT, RECT, GROUP, UNIT, IDLE_WORKER, ARMY, BUILD_QUEUE, QUICK, SCREEN, MINIMAP) = range(13)
#: The arguments of all functions end to end, after the function's number; sizes of 0 are those of screen and minimap.
ARGUMENTS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("screen", (0, 0)),
    ("minimap", (0, 0)),
    ("screen2", (0, 0)),
    ("queued", (2,)),
    ("control_group_act", (5,)),
    ("control_group_id", (10,)),
    ("select_point_act", (4,)),
    ("select_add", (2,)),
    ("select_unit_act", (4,)),
    ("select_unit_id", (500,)),
    ("select_worker", (4,)),
    ("build_queue_id", (10,)),
    ("unload_id", (500,)),
)


def _places() -> dict[str, range]:
    places, first = {}, 1
    for name, sizes in ARGUMENTS:
        places[name] = range(first, first + len(sizes))
        first += len(sizes)
    return places


#: Argument -> where it stands in an action; and where each begins.
PLACES = _places()
(AT_SCREEN, AT_MINIMAP, AT_SCREEN2, AT_QUEUED, AT_GROUP_ACT, AT_GROUP, AT_POINT_ACT, AT_ADD, AT_UNIT_ACT, AT_UNIT,
 AT_WORKER, AT_QUEUE, AT_UNLOAD) = (places.start for places in PLACES.values())  # fmt: skip

#: Number -> name, kind, ability.
TABLE: dict[int, tuple[str, int, int]] = {
    0: ("no_op", NO_OP, 0),
    1: ("move_camera", CAMERA, 0),
    2: ("select_point", POINT, 0),
    3: ("select_rect", RECT, 0),
    4: ("select_control_group", GROUP, 0),
    5: ("select_unit", UNIT, 0),
    6: ("select_idle_worker", IDLE_WORKER, 0),
    7: ("select_army", ARMY, 0),
    11: ("build_queue", BUILD_QUEUE, 0),
    12: ("Attack_screen", SCREEN, orders.FIGHT),
    13: ("Attack_minimap", MINIMAP, orders.FIGHT),
    42: ("Build_Barracks_screen", SCREEN, orders.BUILD_BARRACKS),
    44: ("Build_CommandCenter_screen", SCREEN, orders.BUILD_COMMAND_CENTER),
    79: ("Build_Refinery_screen", SCREEN, orders.BUILD_REFINERY),
    91: ("Build_SupplyDepot_screen", SCREEN, orders.BUILD_DEPOT),
    140: ("Cancel_quick", QUICK, orders.CANCEL),
    168: ("Cancel_Last_quick", QUICK, orders.CANCEL_LAST),
    261: ("Halt_quick", QUICK, orders.HALT),
    264: ("Harvest_Gather_screen", SCREEN, orders.HARVEST_FROM),
    269: ("Harvest_Return_quick", QUICK, orders.HAND_OVER),
    274: ("HoldPosition_quick", QUICK, orders.STAND),
    331: ("Move_screen", SCREEN, orders.GO),
    332: ("Move_minimap", MINIMAP, orders.GO),
    333: ("Patrol_screen", SCREEN, orders.WALK_ABOUT),
    334: ("Patrol_minimap", MINIMAP, orders.WALK_ABOUT),
    335: ("Rally_Units_screen", SCREEN, orders.RALLY_UNITS),
    336: ("Rally_Units_minimap", MINIMAP, orders.RALLY_UNITS),
    343: ("Rally_Workers_screen", SCREEN, orders.RALLY_WORKERS),
    344: ("Rally_Workers_minimap", MINIMAP, orders.RALLY_WORKERS),
    451: ("Smart_screen", SCREEN, orders.SMART),
    452: ("Smart_minimap", MINIMAP, orders.SMART),
    453: ("Stop_quick", QUICK, orders.STOP),
    477: ("Train_Marine_quick", QUICK, orders.TRAIN_MARINE),
    490: ("Train_SCV_quick", QUICK, orders.TRAIN_SCV),
}
_KIND = np.zeros(FUNCTIONS, np.int64)
_ABILITY = np.zeros(FUNCTIONS, np.int64)
for _number, (_, _kind, _ability) in TABLE.items():
    _KIND[_number], _ABILITY[_number] = _kind, _ability
_KNOWN = np.array(sorted(TABLE))


@jit
def screen_point(p: Record, s: Record, x: float, y: float) -> tuple[float, float]:
    """Return the point of the map in the middle of a pixel of the screen."""
    return (
        s.camera[0] - HALF_VIEW + (x + 0.5) * 2.0 * HALF_VIEW / p.screen[0],
        s.camera[1] + HALF_VIEW - (y + 0.5) * 2.0 * HALF_VIEW / p.screen[1],
    )


@jit
def minimap_point(p: Record, x: float, y: float) -> tuple[float, float]:
    """Return the point of the map in the middle of a pixel of the minimap."""
    return (x + 0.5) * MAP / p.minimap[0], MAP - (y + 0.5) * MAP / p.minimap[1]


@jit
def call(p: Record, s: Record, action: Array) -> int:
    """Call a function; return what came of it, see `orders`."""
    number = int(action[0])
    kind, ability = _KIND[number], _ABILITY[number]
    is_queued = action[AT_QUEUED] != 0.0
    if kind == NO_OP:
        return orders.DONE
    if kind == ABSENT:
        return orders.IMPOSSIBLE
    if kind == CAMERA:
        x, y = minimap_point(p, action[AT_MINIMAP], action[AT_MINIMAP + 1])
        orders.move_camera(p, s, x, y)
    elif kind == POINT:
        x, y = screen_point(p, s, action[AT_SCREEN], action[AT_SCREEN + 1])
        orders.select_point(p, s, x, y, int(action[AT_POINT_ACT]))
    elif kind == RECT:
        x, y = screen_point(p, s, action[AT_SCREEN], action[AT_SCREEN + 1])
        other_x, other_y = screen_point(p, s, action[AT_SCREEN2], action[AT_SCREEN2 + 1])
        orders.select_rect(p, s, x, y, other_x, other_y, action[AT_ADD] != 0.0)
    elif kind == GROUP:
        orders.control_group(s, int(action[AT_GROUP_ACT]), int(action[AT_GROUP]))
    elif kind == UNIT:
        orders.select_unit(s, int(action[AT_UNIT_ACT]), int(action[AT_UNIT]))
    elif kind == IDLE_WORKER:
        way = int(action[AT_WORKER])
        orders.select_idle_worker(s, way == 1 or way == 3, way >= 2)
    elif kind == ARMY:
        orders.select_army(s, action[AT_ADD] != 0.0)
    elif kind == BUILD_QUEUE:
        if not can_any(p, s, orders.CANCEL_LAST):
            return orders.IMPOSSIBLE
        return orders.obey(p, s, orders.CANCEL_LAST, 0.0, 0.0, -1, False)
    elif not can_any(p, s, ability):
        return orders.IMPOSSIBLE
    elif kind == QUICK:
        return orders.obey(p, s, ability, 0.0, 0.0, -1, is_queued)
    elif kind == SCREEN:
        x, y = screen_point(p, s, action[AT_SCREEN], action[AT_SCREEN + 1])
        return orders.obey(p, s, ability, x, y, pick(p, s, x, y), is_queued)
    else:
        x, y = minimap_point(p, action[AT_MINIMAP], action[AT_MINIMAP + 1])
        return orders.obey(p, s, ability, x, y, -1, is_queued)
    return orders.DONE


@jit
def offer(p: Record, s: Record, mask: Array) -> None:
    """Mark the functions that are available, in the first 573 entries of ``mask``; arguments may have all values."""
    mask[:] = 1
    mask[:FUNCTIONS] = 0
    selected, army, idle, producing = 0, False, False, False
    for u in range(s.count):
        if not is_mine(s, u):
            continue
        selected += s.is_selected[u]
        army = army or s.kind[u] == MARINE
        idle = idle or (s.kind[u] == SCV and s.order[u] == IDLE)
        producing = producing or (s.is_selected[u] != 0 and s.queued[u] > 0)
    for k in range(len(_KNOWN)):
        number = _KNOWN[k]
        kind = _KIND[number]
        if kind <= GROUP:
            mask[number] = 1
        elif kind == UNIT:
            mask[number] = selected > 1
        elif kind == IDLE_WORKER:
            mask[number] = idle
        elif kind == ARMY:
            mask[number] = army
        elif kind == BUILD_QUEUE:
            mask[number] = producing and selected == 1  # several show no queue
        else:
            mask[number] = can_any(p, s, _ABILITY[number])
