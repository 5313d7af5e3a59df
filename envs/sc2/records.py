"""What the kernels work on: the record of a game, and that of its state."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import state_dtype
from .params import NAMES

Array = NDArray[Any]
Record = Any

#: Who owns a unit.
NEUTRAL, OWN, ENEMY = range(3)
#: What a unit is about.
(IDLE, HOLD, MOVE, ATTACK_MOVE, PATROL, ATTACK, GATHER, MINE, RETURN, DELIVER, BUILD, CONSTRUCT, TRAIN) = range(13)
#: `params.RULES` by number.
BEACON_RULE, SHARDS, SEARCH, ARENA, HARVEST, BARRACKS_RULE = range(6)
#: Layers of pictures that pysc2 knows.
SCREEN_LAYERS, MINIMAP_LAYERS = 27, 11
#: Cells of a side of every map.
MAP = 64
#: Orders that wait after the present one, and units that a building makes one after the other.
PLANS, QUEUE = 4, 5
KINDS = len(NAMES)
#: Properties of `Unit` that the kernels read, by kind.
PROPERTIES = (
    "life", "speed", "damage", "range", "period", "armor", "regeneration", "bonus", "splash", "damage_point", "missile",
    "acceleration", "radius", "sight", "width", "height", "minerals", "vespene", "supply", "food", "build",
)  # fmt: skip
FLAGS = ("is_light", "is_structure")
COUNTS = ("marines", "fresh", "zerglings", "banelings", "roaches", "shards", "scvs")
AMOUNTS = ("minerals_at_start", "field", "well", "reach", "win", "loss", "scan", "call")

_F8, _I8, _I2, _I1 = np.float64, np.int64, np.int16, np.int8

#: The record of a game.
TASK = np.dtype(
    [
        ("rule", _I8),
        ("loops", _I8),  # that it lasts
        ("step_mul", _I8),  # loops per step
        ("interface", _I8),  # how actions are told
        ("cells", _I8),  # of a side of the grid of targets
        ("verbs", _I8),
        ("targets", _I8),  # enemies that can be named
        ("own", _I8),  # of one's units that are shown
        ("others", _I8),  # of the other units that are shown
        ("screen_layer", _I8, (SCREEN_LAYERS,)),  # place of each layer in the observation, or -1
        ("minimap_layer", _I8, (MINIMAP_LAYERS,)),
        ("screen", _I8, (2,)),  # width and height in pixels
        ("minimap", _I8, (2,)),
        ("left", _F8),  # the playable rectangle
        ("bottom", _F8),
        ("right", _F8),
        ("top", _F8),
        *((name, _I8) for name in COUNTS),
        *((name, _F8) for name in AMOUNTS),
        ("fastest", _F8),  # what two units come nearer to each other in a loop at most, pushed by others
        ("bounty", _F8, (KINDS,)),  # reward for an enemy's death
        *((name, _F8, (KINDS,)) for name in PROPERTIES),
        *((name, _I8, (KINDS,)) for name in FLAGS),
    ],
    align=True,
)


@functools.cache
def state(size: int) -> np.dtype[np.void]:
    """Return the record of a state with room for ``size`` units. Where nothing else is said, a field is of units."""
    return state_dtype(
        ("dice", np.uint64, (3,)),  # the game's own random stream
        ("loop", _I8),
        ("score", _F8),
        ("minerals", _F8),
        ("vespene", _F8),
        ("collected", _F8, (2,)),  # minerals and vespene
        ("made", _I8),  # marines
        ("kills", _I8),
        ("losses", _I8),
        ("food_used", _F8),
        ("food_cap", _F8),
        ("is_over", _I8),
        ("missiles", _I8),  # in flight
        ("has_doomed", _I8),  # whether somebody is to explode
        ("camera", _F8, (2,)),
        ("explored", np.uint64, (MAP,)),  # a bit of each cell, row by row: whether it was ever seen
        ("is_surveyed", _I8),  # `blocked` is up to date
        ("blocked", np.uint64, (MAP,)),  # a bit of each cell, row by row: whether a building covers it
        ("serial", _I8),  # of the next unit
        ("count", _I8),  # slots in use are below it
        ("tag", _I8, (size,)),
        ("kind", _I1, (size,)),  # `params.NONE`: a free slot
        ("owner", _I1, (size,)),
        ("x", _F8, (size,)),
        ("y", _F8, (size,)),
        ("body", _F8, (size,)),  # radius that others keep away from; far below 0 where nobody has to
        ("face_x", _F8, (size,)),  # where it looks, as a vector of any length
        ("face_y", _F8, (size,)),
        ("life", _F8, (size,)),
        ("order", _I1, (size,)),
        ("target", _I2, (size,)),  # the unit that an order is about, or -1
        ("goal_x", _F8, (size,)),
        ("goal_y", _F8, (size,)),
        ("aim", _I2, (size,)),  # whom it shoots at, or -1
        ("cooldown", _F8, (size,)),  # loops
        ("windup", _F8, (size,)),  # loops to the shot; 0: the weapon rests
        ("flight", _F8, (size,)),  # of missiles: loops until one hits
        ("victim", _I2, (size,)),  # of missiles: whom it hits, or -1
        ("source", _I1, (size,)),  # of missiles: the kind of unit that shot it
        ("pace", _F8, (size,)),  # present speed, of who accelerates
        ("left", _F8, (size,)),  # cells to the goal, a loop ago
        ("rest", _I8, (size,)),  # the loop from which on it looks for enemies again
        ("stuck", _I2, (size,)),  # loops without progress
        ("is_moving", _I1, (size,)),  # whether others may have to make way: 1 in this loop, 2 in the next too
        ("crowd", np.uint64, (size,)),  # a bit of each unit that may be in its way
        ("is_selected", _I1, (size,)),
        ("groups", _I2, (size,)),  # bits of control groups
        ("amount", _F8, (size,)),  # carried, or left in a resource
        ("is_gas", _I1, (size,)),  # what is carried
        ("timer", _F8, (size,)),  # loops to the end of what takes a while
        ("project", _I1, (size,)),  # what it builds; of a building, itself until it is finished
        ("worker", _I2, (size,)),  # who builds, or mines here, or -1
        ("plans", _I2, (size,)),  # orders that wait
        ("plan", _I1, (size, PLANS)),
        ("plan_target", _I2, (size, PLANS)),
        ("plan_x", _F8, (size, PLANS)),
        ("plan_y", _F8, (size, PLANS)),
        ("queued", _I2, (size,)),  # units that a building has yet to make
        ("queue", _I1, (size, QUEUE)),
        ("rally_x", _F8, (size,)),
        ("rally_y", _F8, (size,)),
        ("rally_target", _I2, (size,)),
        ("has_rally", _I1, (size,)),
    )
