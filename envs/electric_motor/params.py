"""The parameters of a drive. Defaults are those of gym-electric-motor 3.0.3, so that results can be compared."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

from ..core import Parameters, quantity
from ..core.reading import number, sequence


def _resistance(default: float, meaning: str) -> Any:
    return quantity(default, "ohm", meaning, low=0.0, high=1e3)


def _inductance(default: float, meaning: str, spread: tuple[float, float] = (0.25, 4.0)) -> Any:
    return quantity(default, "H", meaning, low=1e-9, high=1e2, spread=spread)


def _flux(default: float, meaning: str) -> Any:
    return quantity(default, "Vs", meaning, low=0.0, high=1e2)


def _inertia(default: float, meaning: str) -> Any:
    return quantity(default, "kg m^2", meaning, low=0.0, high=1e4)


def _pole_pairs(default: int) -> Any:
    return quantity(default, "1", "pole pairs", low=1, high=100, varies=False)


class Motor(Parameters):
    """Parameters of a machine; `motors.MOTORS` turns them into its equations."""

    j_rotor: float


@dataclasses.dataclass(frozen=True)
class WoundDc(Motor):
    """DC motor with an excitation winding."""

    r_a: float = _resistance(16e-3, "armature resistance")
    r_e: float = _resistance(0.16, "excitation resistance")
    l_a: float = _inductance(19e-6, "armature inductance")
    l_e: float = _inductance(5.4e-3, "excitation inductance")
    l_e_prime: float = _inductance(1.7e-3, "effective excitation inductance: flux linked with the armature per ampere")
    j_rotor: float = _inertia(2.5e-3, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class SeriesDc(WoundDc):
    """Series DC motor: armature and excitation winding carry one current."""

    r_e: float = _resistance(48e-3, "excitation resistance")


@dataclasses.dataclass(frozen=True)
class ShuntDc(WoundDc):
    """Shunt DC motor: both windings at one voltage."""

    r_e: float = _resistance(0.4, "excitation resistance")


@dataclasses.dataclass(frozen=True)
class ExtExDc(WoundDc):
    """Externally excited DC motor: two windings, two voltages."""


@dataclasses.dataclass(frozen=True)
class PermExDc(Motor):
    """DC motor with permanent magnets."""

    r_a: float = _resistance(16e-3, "armature resistance")
    l_a: float = _inductance(19e-6, "armature inductance")
    psi_e: float = _flux(0.165, "flux of the magnets linked with the armature")
    j_rotor: float = _inertia(0.025, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class Pmsm(Motor):
    """Permanent magnet synchronous motor."""

    p: int = _pole_pairs(3)
    r_s: float = _resistance(18e-3, "stator resistance")
    l_d: float = _inductance(0.37e-3, "direct-axis inductance")
    l_q: float = _inductance(1.2e-3, "quadrature-axis inductance")
    psi_p: float = _flux(66e-3, "flux of the magnets")
    j_rotor: float = _inertia(0.03883, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class SynRm(Motor):
    """Synchronous reluctance motor."""

    p: int = _pole_pairs(4)
    r_s: float = _resistance(0.57, "stator resistance")
    l_d: float = _inductance(10.1e-3, "direct-axis inductance")
    l_q: float = _inductance(4.1e-3, "quadrature-axis inductance")
    j_rotor: float = _inertia(0.8e-3, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class Eesm(Motor):
    """Externally excited synchronous motor.

    Nguyen and Hofmann, ICELM 2014, doi:10.1109/ICELMACH.2014.6960287, except l_m: gym-electric-motor's 1.589 mH gives
    a negative leakage (1.5 l_m^2 > l_d l_e), with which currents grow without a source.
    """

    p: int = _pole_pairs(3)
    r_s: float = _resistance(15.55e-3, "stator resistance")
    r_e: float = _resistance(7.2e-3, "excitation resistance")
    # The spreads keep every context physical: 1.5 l_m^2 < l_d l_e.
    l_d: float = _inductance(1.66e-3, "direct-axis inductance", (0.9, 4.0))
    l_q: float = _inductance(0.35e-3, "quadrature-axis inductance")
    l_m: float = _inductance(1.2e-3, "mutual inductance of direct axis and excitation", (0.25, 1.0))
    l_e: float = _inductance(1.74e-3, "excitation inductance", (0.9, 4.0))
    k: float = quantity(65.21, "1", "turns ratio; refers excitation to the stator, drops out of i_e and u_e",
                        low=1e-3, high=1e6, varies=False)  # fmt: skip
    j_rotor: float = _inertia(0.3883, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class Scim(Motor):
    """Squirrel cage induction motor."""

    p: int = _pole_pairs(2)
    l_m: float = _inductance(143.75e-3, "main inductance")
    l_sigs: float = _inductance(5.87e-3, "stator leakage inductance")
    l_sigr: float = _inductance(5.87e-3, "rotor leakage inductance")
    r_s: float = _resistance(2.9338, "stator resistance")
    r_r: float = _resistance(1.355, "rotor resistance")
    j_rotor: float = _inertia(1.1e-3, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class Dfim(Motor):
    """Doubly fed induction motor: stator and rotor each at an inverter."""

    p: int = _pole_pairs(2)
    l_m: float = _inductance(297.5e-3, "main inductance")
    l_sigs: float = _inductance(25.71e-3, "stator leakage inductance")
    l_sigr: float = _inductance(25.71e-3, "rotor leakage inductance")
    r_s: float = _resistance(4.42, "stator resistance")
    r_r: float = _resistance(3.51, "rotor resistance")
    j_rotor: float = _inertia(13.695e-3, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class SixPmsm(Motor):
    """Six-phase permanent magnet synchronous motor: two star windings 30 degrees apart, isolated neutrals."""

    p: int = _pole_pairs(5)
    l_d: float = _inductance(125e-6, "direct-axis inductance")
    l_q: float = _inductance(126e-6, "quadrature-axis inductance")
    l_x: float = _inductance(39e-6, "x-axis inductance of the second plane")
    l_y: float = _inductance(35e-6, "y-axis inductance of the second plane")
    r_s: float = _resistance(64.3e-3, "stator resistance")
    psi_PM: float = _flux(4.7e-3, "flux of the magnets")
    j_rotor: float = _inertia(0.011, "rotor inertia")


@dataclasses.dataclass(frozen=True)
class PolynomialLoad(Parameters):
    """Static load: T = sign(omega) (c omega^2 + a) + b omega, with inertia; a is smoothed around standstill."""

    kind: ClassVar[str] = "poly"
    a: float = quantity(0.0, "N m", "constant load torque", low=0.0, high=1e5, from_zero=1.0)
    b: float = quantity(0.0, "N m s", "linear load coefficient", low=0.0, high=1e4, from_zero=0.1)
    c: float = quantity(0.0, "N m s^2", "quadratic load coefficient", low=0.0, high=1e3, from_zero=1e-3)
    j_load: float = quantity(1e-5, "kg m^2", "load inertia", low=0.0, high=1e4, spread=(0.0, 100.0), from_zero=0.1)


@dataclasses.dataclass(frozen=True)
class ConstantSpeedLoad(Parameters):
    """A load that holds the speed whatever the torque."""

    kind: ClassVar[str] = "const"
    omega: float = quantity(100.0, "rad/s", "speed", low=-1e4, high=1e4)


@dataclasses.dataclass(frozen=True)
class ProfileLoad(Parameters):
    """A load that imposes a speed profile: linear between knots, constant after the last."""

    kind: ClassVar[str] = "profile"
    time: tuple[float, ...] = (0.0, 1.0)
    """Times of the knots in s, rising from 0; at most 64."""
    omega: tuple[float, ...] = (0.0, 100.0)
    """Speeds at the knots in rad/s."""

    def __post_init__(self) -> None:
        """Check the knots."""
        super().__post_init__()
        for name in ("time", "omega"):
            what = f"Speed profile {name}"
            values = tuple(number(what, value) for value in sequence(what, getattr(self, name)))
            object.__setattr__(self, name, values)
        if len(self.time) != len(self.omega) or not 1 <= len(self.time) <= 64:
            raise ValueError(f"A speed profile has 1 to 64 knots, not {len(self.time)} and {len(self.omega)}.")
        if self.time[0] != 0.0 or any(b <= a for a, b in zip(self.time, self.time[1:], strict=False)):
            raise ValueError(f"The times of a speed profile rise from 0, not {self.time}.")
        if any(not abs(speed) <= 1e4 for speed in self.omega):
            raise ValueError(f"The speeds of a profile lie in [-1e4, 1e4] rad/s, not {self.omega}.")


@dataclasses.dataclass(frozen=True)
class OrnsteinUhlenbeckLoad(Parameters):
    """A load that imposes a speed that wanders: domega = theta (mean - omega) dt + sigma dW, within [low, high]."""

    kind: ClassVar[str] = "ornstein_uhlenbeck"
    mean: float = quantity(100.0, "rad/s", "mean speed", low=-1e4, high=1e4)
    sigma: float = quantity(50.0, "rad/s^1.5", "diffusion", low=0.0, high=1e5)
    theta: float = quantity(1.0, "1/s", "rate of return to the mean", low=1e-3, high=1e4)
    low: float = quantity(-200.0, "rad/s", "lowest speed", low=-1e4, high=1e4)
    high: float = quantity(200.0, "rad/s", "highest speed", low=-1e4, high=1e4)

    def __post_init__(self) -> None:
        """Check the interval."""
        super().__post_init__()
        if self.low >= self.high:
            raise ValueError(f"OrnsteinUhlenbeckLoad needs low < high, not low = {self.low}, high = {self.high}.")


@dataclasses.dataclass(frozen=True)
class IdealSupply(Parameters):
    """A DC source whose voltage nothing moves."""

    kind: ClassVar[str] = "ideal"
    voltage: float = quantity(60.0, "V", "supply voltage", low=0.1, high=1e5)


@dataclasses.dataclass(frozen=True)
class RcSupply(Parameters):
    """A DC source behind a resistance, with a capacitor at the converter."""

    kind: ClassVar[str] = "rc"
    voltage: float = quantity(60.0, "V", "open-circuit voltage", low=0.1, high=1e5)
    r: float = quantity(1.0, "ohm", "source resistance", low=1e-6, high=1e4)
    c: float = quantity(4e-3, "F", "capacitance", low=1e-9, high=1e3)


@dataclasses.dataclass(frozen=True)
class Ac1Supply(Parameters):
    """A single-phase AC source."""

    kind: ClassVar[str] = "ac1"
    voltage: float = quantity(230.0, "V", "root mean square voltage", low=0.1, high=1e5)
    frequency: float = quantity(50.0, "Hz", "frequency", low=0.0, high=1e4)
    phase: float | None = None
    """Phase at the start in rad, [0, 2 pi); drawn for each episode, if None."""

    def __post_init__(self) -> None:
        """Check the phase."""
        super().__post_init__()
        if self.phase is not None:
            number(f"{type(self).__name__}.phase", self.phase, 0.0, 2.0 * math.pi)


@dataclasses.dataclass(frozen=True)
class Ac3Supply(Parameters):
    """A three-phase AC source."""

    kind: ClassVar[str] = "ac3"
    voltage: float = quantity(400.0, "V", "root mean square line-to-line voltage", low=0.1, high=1e5)
    frequency: float = quantity(50.0, "Hz", "frequency", low=0.0, high=1e4)
    phase: float | None = None
    """Phase at the start in rad, [0, 2 pi); drawn for each episode, if None."""

    def __post_init__(self) -> None:
        """Check the phase."""
        super().__post_init__()
        if self.phase is not None:
            number(f"{type(self).__name__}.phase", self.phase, 0.0, 2.0 * math.pi)


Load = PolynomialLoad | ConstantSpeedLoad | ProfileLoad | OrnsteinUhlenbeckLoad
Supply = IdealSupply | RcSupply | Ac1Supply | Ac3Supply


@dataclasses.dataclass(frozen=True)
class DriveParameters(Parameters):
    """The physical quantities of a drive that an episode's context may change."""

    motor: Motor
    load: Load
    supply: Supply
