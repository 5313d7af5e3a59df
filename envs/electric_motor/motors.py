"""Ten motors as data: the matrices of the generalised machine, the signals they show, and their limits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kernels as k
from . import params as p

Matrix = NDArray[np.floating[Any]]

# Clarke's transform, amplitude invariant: phases -> (alpha, beta), and back.
_ROOT = math.sqrt(3.0) / 2.0
_CLARKE = np.array([[2.0, -1.0, -1.0], [0.0, 2.0 * _ROOT, -2.0 * _ROOT]]) / 3.0
_DECLARKE = np.array([[1.0, 0.0], [-0.5, _ROOT], [-0.5, -_ROOT]])
# Vector space decomposition of two star windings 30 degrees apart: phases -> (alpha, beta, x, y).
_SIX = (
    np.array(
        [
            [1.0, -0.5, -0.5, _ROOT, -_ROOT, 0.0],
            [0.0, _ROOT, -_ROOT, 0.5, 0.5, -1.0],
            [1.0, -0.5, -0.5, -_ROOT, _ROOT, 0.0],
            [0.0, -_ROOT, _ROOT, 0.5, 0.5, -1.0],
        ]
    )
    / 3.0
)


@dataclasses.dataclass(frozen=True)
class Machine:
    """The generalised machine of `kernels`: u = R i + L di/dt + omega (G i + e), T = w . i (G i + e)."""

    resistance: Matrix  # (n,) diagonal of R
    inductance: Matrix  # (n, n)
    motional: Matrix  # (n, n) G
    permanent: Matrix  # (n,) e
    power_weight: Matrix  # (n,) w: 1 for DC windings, 3/2 per three-phase, 3 per six-phase component
    pole_pairs: int = 1
    state_of_currents: Matrix | None = None  # (n, n): x = S i; the currents themselves, if None


def _dc(motor: p.WoundDc) -> Machine:
    """Armature (first) and, where it has a current of its own, excitation."""
    return Machine(
        resistance=np.array([motor.r_a, motor.r_e]),
        inductance=np.diag([motor.l_a, motor.l_e]),
        motional=np.array([[0.0, motor.l_e_prime], [0.0, 0.0]]),
        permanent=np.zeros(2),
        power_weight=np.ones(2),
    )


def _series_dc(motor: p.SeriesDc) -> Machine:
    return Machine(
        resistance=np.array([motor.r_a + motor.r_e]),
        inductance=np.array([[motor.l_a + motor.l_e]]),
        motional=np.array([[motor.l_e_prime]]),
        permanent=np.zeros(1),
        power_weight=np.ones(1),
    )


def _permex_dc(motor: p.PermExDc) -> Machine:
    return Machine(
        resistance=np.array([motor.r_a]),
        inductance=np.array([[motor.l_a]]),
        motional=np.zeros((1, 1)),
        permanent=np.array([motor.psi_e]),
        power_weight=np.ones(1),
    )


def _synchronous(motor: p.Pmsm | p.SynRm) -> Machine:
    return Machine(
        resistance=np.array([motor.r_s, motor.r_s]),
        inductance=np.diag([motor.l_d, motor.l_q]),
        motional=motor.p * np.array([[0.0, -motor.l_q], [motor.l_d, 0.0]]),
        permanent=np.array([0.0, motor.p * getattr(motor, "psi_p", 0.0)]),
        power_weight=np.full(2, 1.5),
        pole_pairs=motor.p,
    )


def _eesm(motor: p.Eesm) -> Machine:
    return Machine(
        resistance=np.array([motor.r_s, motor.r_s, motor.r_e]),
        inductance=np.array([[motor.l_d, 0.0, motor.l_m], [0.0, motor.l_q, 0.0], [1.5 * motor.l_m, 0.0, motor.l_e]]),
        motional=motor.p * np.array([[0.0, -motor.l_q, 0.0], [motor.l_d, 0.0, motor.l_m], [0.0, 0.0, 0.0]]),
        permanent=np.zeros(3),
        power_weight=np.array([1.5, 1.5, 1.0]),
        pole_pairs=motor.p,
    )


def _induction(motor: p.Scim | p.Dfim) -> Machine:
    """Stator and rotor currents in the stator frame; the state is stator current and rotor flux."""
    one, turned = np.eye(2), np.array([[0.0, 1.0], [-1.0, 0.0]])
    l_s, l_r = motor.l_m + motor.l_sigs, motor.l_m + motor.l_sigr
    rotor_flux = np.hstack([motor.l_m * one, l_r * one])
    return Machine(
        resistance=np.array([motor.r_s, motor.r_s, motor.r_r, motor.r_r]),
        inductance=np.vstack([np.hstack([l_s * one, motor.l_m * one]), rotor_flux]),
        motional=np.vstack([np.zeros((2, 4)), motor.p * turned @ rotor_flux]),
        permanent=np.zeros(4),
        power_weight=np.full(4, 1.5),
        pole_pairs=motor.p,
        state_of_currents=np.vstack([np.eye(2, 4), rotor_flux]),
    )


def _six_phase(motor: p.SixPmsm) -> Machine:
    """Dq plane, and the second plane, which turns the other way."""
    motional = np.zeros((4, 4))
    motional[0, 1], motional[1, 0] = -motor.l_q, motor.l_d
    motional[2, 3], motional[3, 2] = motor.l_y, -motor.l_x
    return Machine(
        resistance=np.full(4, motor.r_s),
        inductance=np.diag([motor.l_d, motor.l_q, motor.l_x, motor.l_y]),
        motional=motor.p * motional,
        permanent=np.array([0.0, motor.p * motor.psi_PM, 0.0, 0.0]),
        power_weight=np.full(4, 3.0),
        pole_pairs=motor.p,
    )


@dataclasses.dataclass(frozen=True)
class MotorKind:
    """What rlx knows of a kind of motor besides its parameters."""

    parameters: type[Any]
    machine: Callable[[Any], Machine]
    states: tuple[str, ...]  # electrical states, in ODE order between omega and epsilon
    signals: dict[str, int]  # name -> position among all signals of all motors, see `kernels`
    converters: tuple[str, ...]  # sub-converters: "dc" (1QC, 2QC or 4QC) or "b6", in channel order
    clarke: Matrix  # (components, channels)
    declarke: Matrix  # (channels, components)
    spin: tuple[int, int]
    limits: dict[str, float]
    nominal: dict[str, float]
    supply: float  # V, of the DC link
    low: dict[str, float]  # lowest normalised value of a signal, where it is not -1
    targets: dict[str, tuple[str, ...]]  # task -> controlled signals
    constraints: tuple[tuple[str, ...], ...]  # groups: one signal is limited, several by their Euclidean norm
    is_three_phase: bool = True
    is_flux_oriented: bool = False

    @property
    def channels(self) -> int:
        """Converter channels: phases, and DC windings with a voltage of their own."""
        return int(self.clarke.shape[1])


def _phases(names: str, first: int, letter: str) -> dict[str, int]:
    return {f"{letter}_{name}": first + i for i, name in enumerate(names.split())}


def _signals(currents: str, voltages: str, phases: str = "", components: str = "") -> dict[str, int]:
    """Name the signals: DC machines by ``currents`` and ``voltages``, AC machines by ``phases`` and ``components``."""
    names = {"omega": k.OMEGA, "torque": k.TORQUE}
    if not phases:
        names |= {name: k.CURRENT + i for i, name in enumerate(currents.split())}
        names |= {name: k.PHASE_VOLTAGE + i for i, name in enumerate(voltages.split())}
        return names | {"u_sup": k.SUPPLY}
    for letter, of_phase, of_component in (
        ("i", k.PHASE_CURRENT, k.CURRENT),
        ("u", k.PHASE_VOLTAGE, k.VOLTAGE),
    ):
        names |= _phases(phases, of_phase, letter)
        names |= _phases(components, of_component, letter)
    return names | {"epsilon": k.EPSILON, "u_sup": k.SUPPLY}


_RPM = math.pi / 30.0

#: What kinds of motors have in common.
_DC: dict[str, Any] = {
    "converters": ("dc",),
    "clarke": np.eye(1),
    "declarke": np.eye(1),
    "spin": (0, 0),
    "limits": {"omega": 400.0, "torque": 38.0, "i": 210.0},
    "nominal": {"omega": 300.0, "torque": 16.0, "i": 97.0},
    "supply": 60.0,
    "low": {"omega": 0.0},
    "targets": {"current": ("i",), "torque": ("torque",), "speed": ("omega",)},
    "constraints": (("i",),),
    "is_three_phase": False,
}
_SYNCHRONOUS: dict[str, Any] = {
    "states": ("i_sd", "i_sq"),
    "signals": _signals("", "", "a b c", "sd sq"),
    "converters": ("b6",),
    "clarke": _CLARKE,
    "declarke": _DECLARKE,
    "spin": (-1, 0),
    "low": {},
    "targets": {"current": ("i_sd", "i_sq"), "torque": ("torque",), "speed": ("omega",)},
    "constraints": (("i_sd", "i_sq"),),
}
_INDUCTION: dict[str, Any] = _SYNCHRONOUS | {
    "states": ("i_salpha", "i_sbeta", "psi_ralpha", "psi_rbeta"),
    "spin": (0, 1),
    "is_flux_oriented": True,
}

MOTORS: dict[str, MotorKind] = {
    "series_dc": MotorKind(
        **_DC | {"low": {"omega": 0.0, "torque": 0.0}},
        parameters=p.SeriesDc,
        machine=_series_dc,
        states=("i",),
        signals=_signals("i", "u"),
    ),
    "shunt_dc": MotorKind(
        **_DC
        | {
            "clarke": np.ones((2, 1)),  # one voltage for both windings
            "declarke": np.ones((1, 2)),  # the converter carries both currents
            "targets": _DC["targets"] | {"current": ("i_a",)},
            "constraints": (("i_a",), ("i_e",)),
        },
        parameters=p.ShuntDc,
        machine=_dc,
        states=("i_a", "i_e"),
        signals=_signals("i_a i_e", "u"),
    ),
    "permex_dc": MotorKind(
        **_DC | {"low": {}},
        parameters=p.PermExDc,
        machine=_permex_dc,
        states=("i",),
        signals=_signals("i", "u"),
    ),
    "extex_dc": MotorKind(
        **_DC
        | {
            "low": {},  # either current may change its sign
            "converters": ("dc", "dc"),
            "clarke": np.eye(2),
            "declarke": np.eye(2),
            "targets": _DC["targets"] | {"current": ("i_a", "i_e")},
            "constraints": (("i_a",), ("i_e",)),
        },
        parameters=p.ExtExDc,
        machine=_dc,
        states=("i_a", "i_e"),
        signals=_signals("i_a i_e", "u_a u_e"),
    ),
    "pmsm": MotorKind(
        **_SYNCHRONOUS,
        parameters=p.Pmsm,
        machine=_synchronous,
        limits={"omega": 4e3 * _RPM, "torque": 160.612362629342, "i": 400.0},
        nominal={"omega": 3e3 * _RPM, "i": 240.0},
        supply=300.0,
    ),
    "synrm": MotorKind(
        **_SYNCHRONOUS,
        parameters=p.SynRm,
        machine=_synchronous,
        limits={"omega": 4.3e3 * _RPM, "torque": 5.832, "i": 18.0},
        nominal={"omega": 3e3 * _RPM, "i": 10.0},
        supply=420.0,
    ),
    "eesm": MotorKind(
        **_SYNCHRONOUS
        | {
            "states": ("i_sd", "i_sq", "i_e"),
            "signals": _signals("", "", "a b c", "sd sq") | {"i_e": k.CURRENT + 2, "u_e": k.PHASE_VOLTAGE + 3},
            "converters": ("b6", "dc"),
            "clarke": np.block([[_CLARKE, np.zeros((2, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]),
            "declarke": np.block([[_DECLARKE, np.zeros((3, 1))], [np.zeros((1, 2)), np.ones((1, 1))]]),
            "targets": _SYNCHRONOUS["targets"] | {"current": ("i_sd", "i_sq", "i_e")},
            "constraints": (("i_sd", "i_sq"), ("i_e",)),
        },
        parameters=p.Eesm,
        machine=_eesm,
        limits={"omega": 12e3 * _RPM, "torque": 129.419767401472, "i": 150.0, "i_e": 150.0},
        nominal={"omega": 4.3e3 * _RPM, "i": 120.0, "i_e": 150.0},
        supply=320.0,
    ),
    "scim": MotorKind(
        **_INDUCTION | {"signals": _signals("", "", "sa sb sc", "sd sq")},
        parameters=p.Scim,
        machine=_induction,
        limits={"omega": 4e3 * _RPM, "torque": 6.266754684785, "i": 5.5},
        nominal={"omega": 3e3 * _RPM, "i": 3.9},
        supply=560.0,
    ),
    "dfim": MotorKind(
        **_INDUCTION
        | {
            "signals": _signals("", "", "sa sb sc ra rb rc", "sd sq rd rq"),
            "converters": ("b6", "b6"),
            "clarke": np.kron(np.eye(2), _CLARKE),
            "declarke": np.kron(np.eye(2), _DECLARKE),
        },
        parameters=p.Dfim,
        machine=_induction,
        limits={"omega": 1800.0 * _RPM, "torque": 33.27096740509266, "i": 9.0},
        nominal={"omega": 1650.0 * _RPM, "i": 7.5},
        supply=720.0,
    ),
    "sixpmsm": MotorKind(
        **_SYNCHRONOUS
        | {
            "states": ("i_sd", "i_sq", "i_sx", "i_sy"),
            "signals": _signals("", "", "a1 b1 c1 a2 b2 c2", "sd sq sx sy"),
            "converters": ("b6", "b6"),
            "clarke": _SIX,
            "declarke": np.linalg.pinv(_SIX),
            "spin": (-1, 1),  # the second plane turns the other way
            "targets": _SYNCHRONOUS["targets"] | {"current": ("i_sd", "i_sq", "i_sx", "i_sy")},
            "constraints": (("i_sd", "i_sq", "i_sx", "i_sy"),),
        },
        parameters=p.SixPmsm,
        machine=_six_phase,
        limits={"omega": 4e3 * _RPM, "torque": 10.0, "i": 400.0},
        nominal={"omega": 3e3 * _RPM, "i": 240.0},
        supply=300.0,
    ),
}


def check_physical(machine: Machine, name: str) -> None:
    """Refuse a machine that would create energy.

    Raises:
        ValueError: its magnetic energy is not positive, i.e. a leakage is not.
    """
    # Energy is i . (W L) i / 2; W L is symmetric for every motor here.
    energy = np.linalg.eigvalsh(machine.power_weight[:, None] * machine.inductance)
    if energy[0] <= 1e-9 * energy[-1]:
        raise ValueError(
            f"These {name} parameters are unphysical: the leakage is not positive, so currents would grow without a "
            "source. The mutual inductance must be smaller, or the self-inductances larger "
            f"(smallest eigenvalue of the inductance matrix: {energy[0]:.3g} H)."
        )


def equations(machine: Machine) -> dict[str, Matrix]:
    """Multiply the machine out to the matrices A, C, d, B, Q, q of `kernels`, and the map from states to currents."""
    s = np.eye(len(machine.resistance)) if machine.state_of_currents is None else machine.state_of_currents
    currents = np.linalg.inv(s)
    inverse = s @ np.linalg.inv(machine.inductance)
    weighted = currents.T * machine.power_weight
    return {
        "a": -inverse @ np.diag(machine.resistance) @ currents,
        "c": -inverse @ machine.motional @ currents,
        "d": -inverse @ machine.permanent,
        "b": inverse,
        "q2": weighted @ machine.motional @ currents,
        "q1": weighted @ machine.permanent,
        "current": currents,
    }
