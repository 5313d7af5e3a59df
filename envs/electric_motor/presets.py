"""Ready-made arguments: the defaults of each task, and gym-electric-motor's sixty ids."""

from __future__ import annotations

from typing import Any

from .motors import MOTORS

#: Load (a, b, c, j_load) and largest step of the reference in gym-electric-motor's speed control.
_SPEED: dict[str, tuple[tuple[float, float, float, float], float]] = {
    "permex_dc": ((0.0, 0.0, 0.0, 1e-4), 5e-2),
    "extex_dc": ((0.0, 0.0, 0.0, 1e-4), 1e-1),
    "series_dc": ((0.01, 0.05, 0.0, 1e-4), 2e-2),
    "shunt_dc": ((0.05, 0.01, 0.0, 1e-4), 3e-2),
    "pmsm": ((0.01, 0.01, 0.0, 1e-5), 1e-1),
    "synrm": ((0.01, 0.01, 0.0, 1e-5), 1e-2),
    "eesm": ((0.01, 0.01, 0.0, 1e-5), 1e-1),
    "scim": ((0.01, 0.01, 0.0, 1e-5), 1e-2),
    "dfim": ((0.01, 0.01, 0.0, 1e-5), 1e-2),
    "sixpmsm": ((0.01, 0.01, 0.0, 1e-5), 1e-1),
}
#: Where the finite-control-set ids differ.
_SPEED_FINITE: dict[str, tuple[tuple[float, float, float, float], float]] = {
    "permex_dc": ((0.0, 0.0, 0.0, 1e-3), 5e-3),
    "series_dc": ((0.15, 0.05, 0.0, 1e-4), 5e-3),
    "shunt_dc": ((0.05, 0.01, 0.0, 1e-4), 5e-3),
    "eesm": ((0.0, 0.0, 0.0, 1e-5), 1e-1),
}

_GEM_MOTORS = {
    "PermExDc": "permex_dc", "ExtExDc": "extex_dc", "SeriesDc": "series_dc", "ShuntDc": "shunt_dc", "PMSM": "pmsm",
    "SynRM": "synrm", "EESM": "eesm", "SCIM": "scim", "DFIM": "dfim", "SIXPMSM": "sixpmsm",
}  # fmt: skip
_GEM_TASKS = {"CC": "current", "TC": "torque", "SC": "speed"}
_GEM_KINDS = {"Cont": "continuous", "Finite": "finite"}

#: The sixty ids of gym-electric-motor 3.0.3 that `from_gem` translates.
GEM_IDS = tuple(f"{kind}-{task}-{motor}-v0" for kind in _GEM_KINDS for task in _GEM_TASKS for motor in _GEM_MOTORS)


def task_defaults(motor: str, task: str, is_finite: bool) -> dict[str, Any]:
    """Return the load and the reference's fields that hold where a user says nothing else."""
    if task == "speed":
        (a, b, c, j_load), sigma = (_SPEED_FINITE if is_finite else {}).get(motor, _SPEED[motor])
        load = {"type": "poly", "a": a, "b": b, "c": c, "j_load": j_load}
        return {"load": load, "reference": {"sigma": (1e-3, sigma)}}
    sigma_low = 1e-2 if motor == "permex_dc" else 1e-3
    return {"load": {"type": "const", "omega": 100.0}, "reference": {"sigma": (sigma_low, 1e-1)}}


def from_gem(env_id: str) -> dict[str, Any]:
    """Return the keyword arguments that make the task of a gym-electric-motor id.

    Example:
        ``gymnasium.make("rlx/ElectricMotor-v0", **from_gem("Cont-CC-PMSM-v0"))``

    Args:
        env_id: one of `GEM_IDS`.

    Raises:
        ValueError: another id; names the ones that exist.
    """
    if env_id not in GEM_IDS:
        raise ValueError(
            f"{env_id!r} is not an id of gym-electric-motor 3.0.3. They read KIND-TASK-MOTOR-v0 with KIND one of "
            f"{', '.join(_GEM_KINDS)}; TASK one of {', '.join(_GEM_TASKS)}; MOTOR one of {', '.join(_GEM_MOTORS)}."
        )
    kind, task, name, _ = env_id.split("-")
    motor = _GEM_MOTORS[name]
    is_three_phase = MOTORS[motor].is_three_phase
    supply = 420.0 if is_three_phase else 60.0
    if motor == "sixpmsm" or (kind == "Cont" and task == "CC" and motor in ("pmsm", "eesm")):
        supply = 300.0
    if motor == "series_dc" and kind == "Finite" and task != "SC":
        supply = 420.0
    arguments: dict[str, Any] = {
        "motor": motor,
        "task": _GEM_TASKS[task],
        "converter": _GEM_KINDS[kind],
        "supply": supply,
        "tau": 1e-5 if kind == "Finite" and motor != "sixpmsm" else 1e-4,
        "voltage_hold": "dq",
    }
    if env_id == "Cont-TC-ShuntDc-v0":
        arguments["load"] = {"type": "const", "omega": 230.0}
        arguments["references"] = {"torque": {"margin": (0.0, 0.8)}}
    if env_id == "Cont-CC-EESM-v0":
        arguments["references"] = {"i_sd": {}, "i_sq": {}, "i_e": {"margin": (0.0, 1.0)}}
    if motor == "sixpmsm" and task == "CC":
        arguments["reward"] = {"weights": dict.fromkeys(("i_sd", "i_sq", "i_sx", "i_sy"), 0.5)}
    return arguments
