"""Electric motor control: ten motors with converters, supplies and loads; current, torque and speed control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import lazily

if TYPE_CHECKING:
    from .env import ElectricMotorEnv, ElectricMotorVectorEnv
    from .presets import from_gem
    from .simulation import simulate

__all__ = ["FAMILY", "ElectricMotorEnv", "ElectricMotorVectorEnv", "from_gem", "simulate"]

__getattr__ = lazily(
    __name__,
    {
        "ElectricMotorEnv": "env",
        "ElectricMotorVectorEnv": "env",
        "from_gem": "presets",
        "simulate": "simulation",
    },
)


def _environment(
    name: str,
    summary: str,
    tags: tuple[str, ...],
    experts: tuple[str, ...],
    peer: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    return {
        "id": f"rlx/ElectricMotor{name}-v0",
        "entry_point": f"{__name__}.env:ElectricMotorEnv",
        "vector_entry_point": f"{__name__}.env:ElectricMotorVectorEnv",
        "max_episode_steps": 10_000,
        "summary": summary,
        "tags": tags,
        "paper": "https://arxiv.org/abs/1910.09434",
        "peer": f"{__name__}.peer:{peer}" if peer else None,
        "experts": {expert: f"{__name__}.experts:{expert}" for expert in experts},
        **fields,
    }


_WAVE: dict[str, Any] = {"amplitude": [0.0, 0.385], "offset": [0.0, 0.77], "length": [10_000, 10_000]}

#: The series DC drive of arXiv:1910.09434, as in the code of gym-electric-motor's first commit (21 October 2019): speed
#: control over one second by a one-quadrant converter with a dead time of one period; reward
#: 1 - |omega - omega*| / omega_max; one reference per episode: a wave of at most the nominal speed, or (half of the
#: time) what the drive itself does under random voltages. Unlike there, a reference is seen before it is judged, not
#: after; and the drive's own references keep within the limits by their voltages, not by clipping.
PAPER_2019: dict[str, Any] = {
    "motor": "series_dc",
    "task": "speed",
    "params": {"r_a": 2.78, "r_e": 1.0, "l_a": 6.3e-3, "l_e": 1.6e-3, "l_e_prime": 0.05, "j_rotor": 0.017},
    "converter": {"type": "continuous", "bridges": ["1qc"], "dead_time": 1},
    "supply": 420.0,
    "load": {"type": "poly", "a": 0.1, "b": 0.12, "c": 0.01, "j_load": 0.0},
    "limits": {"omega": 130.9, "i": 65.0, "torque": 325.0, "u": 546.0},
    "nominal": {"omega": 100.7, "i": 50.0, "torque": 250.0},
    "reward": {"bias": "positive", "violation_reward": 0.0},
    "initial": {"omega": [0.0, 100.7], "i": [0.0, 50.0]},
    "references": {
        "switch": [
            {"kind": "step", **_WAVE, "period": [1 / 20, 1 / 3]},
            {"kind": "sine", **_WAVE, "period": [1 / 20, 1 / 3]},
            {"kind": "triangle", **_WAVE, "period": [1 / 20, 1 / 5]},
            {"kind": "sawtooth", **_WAVE, "period": [1 / 20, 1 / 5], "offset": [0.0, 0.0]},
            {"kind": "feasible", "p": 4.0},
        ],
        "tenure": [10_000, 10_000],
    },
}

FAMILY: dict[str, Any] = {
    "name": "electric_motor",
    "extra": "electric-motor",
    "title": "Electric motor control",
    "environments": (
        _environment(
            "", "Speed control of a series DC motor, continuous converter.", ("continuous", "speed"), ("pi",),
            peer="series_dc_speed",
        ),
        _environment(
            "Paper2019", "Speed control of a series DC motor, as in the paper's code of 2019.", ("continuous", "speed"),
            ("pi",), kwargs=PAPER_2019,
            reference_scores={
                "cascaded PI of 2019": {
                    "mean": 9812.5,
                    "median": 9978.3,
                    "source": "its code of 2019, run on its own references, 20 episodes",
                }
            },
        ),
        _environment(
            "PmsmCurrent", "Current control of a permanent magnet synchronous motor, continuous converter.",
            ("continuous", "current"), ("pi",), kwargs={"motor": "pmsm", "task": "current"}, peer="pmsm_current",
        ),
        _environment(
            "PmsmCurrentFinite", "Current control of a permanent magnet synchronous motor by switching states.",
            ("discrete", "current"), ("pi", "mpc"),
            kwargs={"motor": "pmsm", "task": "current", "converter": "finite"},
            peer="pmsm_current_finite",
        ),
        _environment(
            "ScimSpeed", "Speed control of a squirrel cage induction motor, continuous converter.",
            ("continuous", "speed"), ("pi",), kwargs={"motor": "scim", "task": "speed"}, peer="scim_speed",
        ),
    ),
    "commands": {},
}  # fmt: skip
