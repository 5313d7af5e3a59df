"""What the kernels read and change: constants, and the records of a design and of a game.

Cells are numbered ``10 * x + y``; x grows to the east and y to the north. Actors are numbered in the order in which
they take their turns, item ids count from 1, and 0 is no item.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import state_dtype

Array = NDArray[Any]
Record = Any

#: Edge of the room, its cells, room for actors, items, shapes of rooms, and for those who may decide for an actor.
SIZE, CELLS, ACTORS, ITEMS, SHAPES, POOL = 10, 100, 4, 24, 16, 64

#: What a cell is.
HOLE, COLUMN, FLOOR, CRATE = -1, 0, 1, 3

#: What is seen in a cell; an item is 3 + its id.
BLOCKED, CLEAR, SELF, TARGET = range(4)

#: Actions 0 to 7 move, 8 drinks, 9 to 16 shoot.
POTION, SHOOT, ACTIONS = 8, 9, 17
ACTION_NAMES = (
    *(f"move_{name}" for name in ("n", "e", "s", "w", "ne", "se", "sw", "nw")),
    "potion",
    *(f"shoot_{name}" for name in ("n", "e", "s", "w", "ne", "se", "sw", "nw")),
)

#: The eight directions: N, E, S, W, NE, SE, SW, NW.
EAST = np.array([0, 1, 0, -1, 1, 1, -1, -1])
NORTH = np.array([1, 0, -1, 0, 1, -1, -1, 1])
OFFSET = SIZE * EAST + NORTH
#: Direction of the signs of a way east and north, each plus one; -1 in the middle.
DIRECTION = np.array([[6, 3, 7], [2, -1, 0], [5, 1, 4]])

#: Kinds of items, and the slots that they go into.
KINDS = {"melee": 0, "bow": 1, "potion": 2}
MELEE, BOW, DRINK = KINDS.values()
#: Columns of an item's attributes.
KIND, DICE, SIDES, BONUS, RANGE, HEAL, ATTACK, DEFENCE, DURATION, ATTRIBUTES = range(10)
#: Levels of an item that observations show, 0 to `LEVEL` each: least and greatest damage, range or duration, hit points
#: healed, points added to attack and defence together.
LEVELS, LEVEL = 5, 8

#: Who decides for an actor. External: whoever calls ``step``.
RULES = {"external": 0, "still": 1, "random": 2, "chaser": 3, "kiter": 4, "greedy": 5}
EXTERNAL, STILL, RANDOM, CHASER, KITER, GREEDY = RULES.values()
#: Besides: a policy, which is asked between two steps.
POLICY = len(RULES)

#: Ways to show a game.
OBSERVATIONS = {"ids": 0, "dense": 1, "entities": 2}
IDS, DENSE, ENTITIES = OBSERVATIONS.values()

#: Streams of random numbers.
LEVEL_STREAM, LOOT_STREAM, COMBAT_STREAM, OPPONENT_STREAM = range(4)

_F8, _I8, _I2, _I1 = np.float64, np.int64, np.int16, np.int8

#: A design, made ready for the kernels.
DESIGN = np.dtype(
    [
        ("observation", _I8),
        # Actors, in the order of their turns
        ("actors", _I8),
        ("team", _I8, (ACTORS,)),
        ("rules", _I8, (ACTORS,)),  # how many may decide for it, of whom an episode draws one
        ("rule", _I1, (ACTORS, POOL)),
        ("hp_low", _I8, (ACTORS,)),
        ("hp_high", _I8, (ACTORS,)),
        ("attack", _I8, (ACTORS,)),
        ("dexterity", _I8, (ACTORS,)),
        ("defence", _I8, (ACTORS,)),
        ("max_hp", _I8),
        # Items
        ("table", _I2, (ITEMS + 1, ATTRIBUTES)),
        ("starts", _I8, (3,)),  # how many of each kind an actor may start with
        ("start", _I8, (3, ITEMS)),  # their ids
        ("drops", _I8),
        ("drop", _I8, (ITEMS,)),  # ids of what may lie in the room
        ("weight", _F8, (ITEMS,)),  # their weights, added up
        ("is_procedural", _I8),  # attributes are drawn anew for every episode
        ("alpha", _F8),  # the larger, the weaker such items
        # Room
        ("columns", _I8),
        ("column", _I1, (SHAPES, CELLS)),
        ("holes", _I8),
        ("hole", _I1, (SHAPES, CELLS)),
        ("crates_low", _F8),  # shares of the floor
        ("crates_high", _F8),
        ("loot_low", _F8),
        ("loot_high", _F8),
        # Rules
        ("potion_keeps_turn", _I8),
        ("can_shoot_adjacent", _I8),
        ("step_reward", _F8),
        ("illegal_reward", _F8),
        ("potion_reward", _F8),
        ("win_reward", _F8),
        ("loss_reward", _F8),
    ],
    align=True,
)

#: A game.
STATE = state_dtype(
    ("streams", np.uint64, (4, 3)),  # level, loot, combat, opponent
    ("tile", _I1, (CELLS,)),
    ("open", np.uint64, (8, 2)),  # by direction, the set of cells (see boards.py) from which one can walk that way
    ("item", _I1, (CELLS,)),
    ("ground", _I1, (CELLS,)),  # what is seen there, but for actors
    ("occupant", _I1, (CELLS,)),  # actor plus one
    ("table", _I2, (ITEMS + 1, ATTRIBUTES)),
    ("level", _I1, (ITEMS + 1, LEVELS)),
    ("turn", _I8),  # whose it is
    ("winner", _I8),  # a team, or -1
    ("decisions", _I8),  # given to ``step``
    # Actors
    ("member", _I8, (ACTORS,)),  # which of the design's rules decides
    ("cell", _I8, (ACTORS,)),
    ("hp", _I8, (ACTORS,)),
    ("equipment", _I8, (ACTORS, 3)),  # item ids by slot
    ("buff", _I8, (ACTORS,)),  # own turns that it lasts, this one included
    ("buff_attack", _I8, (ACTORS,)),
    ("buff_defence", _I8, (ACTORS,)),
    ("previous", _I8, (ACTORS,)),  # action, or -1
    # Their tallies
    ("dealt", _I8, (ACTORS,)),
    ("taken", _I8, (ACTORS,)),
    ("potions", _I8, (ACTORS,)),
    ("pickups", _I8, (ACTORS,)),
)
