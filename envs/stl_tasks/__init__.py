"""Six tasks in signal temporal logic: traffic, a maze, two of a ship, a rover, an arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import lazily

if TYPE_CHECKING:
    from .env import STLTaskEnv, STLTaskVectorEnv
    from .planning import Model
    from .tasks import TASKS

#: The formulas of the tasks, over their signals. Operators without a window reach to the end of the trace.
FORMULAS = {
    "Traffic": (
        "(light < 0.5 -> F waited > 0 and (trigger > 0.5 -> G margin > 0))"
        " and (light > 0.5 -> G not (red > 0 and inside > 0))"
        " and (gap > -0.5 -> G headway > 0)"
    ),
    "Maze": (
        "G (band_1 > 0 -> beside_1 > 0) and (goal_1 > 0 -> F reach_1 > 0)"
        " and G (band_2 > 0 -> beside_2 > 0) and (goal_2 > 0 -> F reach_2 > 0)"
    ),
    "ShipSafe": "G clearance_1 > 0 and G clearance_2 > 0 and G bank > 0",
    "ShipTrack": "G clearance > 0 and G bank > 0 and (time_left > 0 U G on_track > 0)",
    "Rover": (
        "G in_map > 0 and G free_1 > 0 and G free_2 > 0 and G free_3 > 0 and G free_4 > 0"
        " and (charged > 0 -> F at_destination > 0) and (charged < 0 -> F at_charger > 0)"
        " and (at_charger > 0 -> G[0,2] (stand_by > 0 or hold < 0)) and G battery > 0"
    ),
    "Arm": "F G reach > 0 and G clearance > 0 and G limits > 0",
}

__all__ = ["FAMILY", "FORMULAS", "TASKS", "Model", "STLTaskEnv", "STLTaskVectorEnv"]

__getattr__ = lazily(__name__, {"Model": "planning", "STLTaskEnv": "env", "STLTaskVectorEnv": "env", "TASKS": "tasks"})


def _environment(name: str, summary: str, expert: str, *tags: str) -> dict[str, Any]:
    return {
        "id": f"rlx/STL-{name}-v0",
        "entry_point": f"{__name__}.env:STLTaskEnv",
        "vector_entry_point": f"{__name__}.env:STLTaskVectorEnv",
        "kwargs": {"task": name, "formula": FORMULAS[name]},
        "summary": summary,
        "tags": ("continuous", "temporal-logic", *tags),
        "paper": "https://arxiv.org/abs/2309.05131",
        "experts": {expert: f"{__name__}.experts:{expert}"},
    }


FAMILY: dict[str, Any] = {
    "name": "stl_tasks",
    "extra": "stl",
    "title": "Signal temporal logic",
    "environments": (
        _environment("Traffic", "A car before a stop sign or a light.", "driver", "driving"),
        _environment("Maze", "A rising ball between bars, through goals.", "steering", "navigation"),
        _environment("ShipSafe", "A ship between obstacles and banks.", "pilot", "navigation"),
        _environment("ShipTrack", "A ship back on track in time.", "pilot", "navigation"),
        _environment("Rover", "A rover, its charger and its destination.", "navigator", "navigation"),
        _environment("Arm", "A robot arm that reaches a goal past a sphere.", "inverse_kinematics", "robotics"),
    ),
    "commands": {},
}
