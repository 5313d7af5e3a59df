"""Electric motor control: ten motors, their converters, supplies and loads; control of current, torque or speed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..core import KernelEnv, KernelVectorEnv, State
from .drive import build_drive
from .render import Dashboard


class ElectricMotorEnv(KernelEnv):
    """Control the current, the torque or the speed of an electric drive.

    ## Description
    A drive is a motor, the power-electronic converter that feeds it, the supply behind the converter, and the load
    on the shaft. Each step is one control period ``tau``. The controlled signals should follow references that
    wander, jump or oscillate; currents must stay within their limits. The task is that of gym-electric-motor
    (Balakrishna et al. 2021), whose parameters are the defaults; the default environment is speed control of a
    series DC motor (Traue et al. 2019). ``from_gem("Cont-CC-PMSM-v0")`` gives the arguments of each of its sixty
    ids.

    ## Action space
    Continuous converter: a `Box`, the duty cycle of each bridge. ``1qc`` and ``2qc``: [0, 1], u = a u_sup. ``4qc``:
    [-1, 1], u = a u_sup. ``b6`` (three-phase): three numbers in [-1, 1], u_phase = a u_sup / 2. With
    ``action_frame="dq"`` two numbers, the voltage vector in the rotating frame in the same units. Finite converter:
    a `Discrete` (or `MultiDiscrete`) switching state: ``1qc`` 0 off, 1 on; ``2qc`` 0 off, 1 upper, 2 lower; ``4qc``
    0 and 3 zero, 1 plus, 2 minus; ``b6`` 4 a + 2 b + c with 1 for a phase at the upper rail. Several bridges are
    concatenated.

    ## Observation space
    A flat float32 `Box`: the observed signals, then the references for the next period, each divided by its limit
    and kept within its bounds. ``observation="dict"`` gives ``{"measurement", "reference"}`` instead. Signals of
    the default environment: omega, torque, i, u, u_sup.

    ## Rewards
    ``(1 - degree) (bias - sum_k w_k (|s_k - s_k*| / span_k)^n_k) + degree * violation_reward``, see `Reward`; by
    default in [-1, 0], and -10 where a limit is exceeded.

    ## Starting state
    Zero, unless ``initial`` says otherwise.

    ## Episode end
    Terminated when a constraint's level exceeds 1; by default the currents' limits. Truncated by the horizon.

    ## Arguments
    - ``motor``: ``series_dc shunt_dc permex_dc extex_dc pmsm synrm eesm scim dfim sixpmsm``.
    - ``task``: ``current``, ``torque`` or ``speed``.
    - ``converter``: ``"continuous"``, ``"finite"``, ``"none"``, or a dict ``{"type", "bridges", "interlocking_time"
      (s), "dead_time" (periods)}``.
    - ``params``: the motor's parameters that differ from the defaults (SI units).
    - ``load``: ``{"type": "poly", "a", "b", "c", "j_load"}``, ``{"type": "const", "omega"}``, ``{"type": "profile",
      "time", "omega"}`` or ``{"type": "ornstein_uhlenbeck", "mean", "sigma", "theta", "low", "high"}``.
    - ``supply``: volts, or ``{"type": "ideal" | "rc" | "ac1" | "ac3", ...}``.
    - ``tau``: control period in s; 1e-4 for continuous, 1e-5 for finite converters.
    - ``voltage_hold``: ``"abc"``, the inverter holds phase voltages during a period; or ``"dq"``, the voltages turn
      with the rotor, as in gym-electric-motor.
    - ``limits``, ``nominal``: SI values by signal; ``i`` means every current.
    - ``references``: a kind, a dict of `Reference` fields, ``{"switch": [...]}``, or one of these per signal.
    - ``reward``: ``{"weights", "power", "bias", "gamma", "violation_reward"}``.
    - ``constraints``: signal names, groups of names (Euclidean norm), or ``{"signals", "order", "soft"}``;
      ``merge`` is ``"max"`` or ``"product"``.
    - ``initial``: a number, an interval, or ``{"mean", "std", "low", "high"}`` by state (SI units).
    - ``noise``: standard deviation of the observed signals, normalised; a number or one by signal.
    - ``signals``: the observed signals; ``angle="cos_sin"`` shows epsilon by cosine and sine;
      ``flux_observer=True`` adds the rotor flux that an observer estimates (induction motors).
    - ``action_frame``: ``"abc"`` or ``"dq"``. ``observation``: ``"flat"`` or ``"dict"``.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``signals`` (SI, without noise), ``reference`` (SI), ``reward_terms``, ``cost`` (degree of violation, 0 to 1);
    ``context`` at reset.

    ## References
    - A. Traue, G. Book, W. Kirchgässner, O. Wallscheid, "Toward a Reinforcement Learning Environment Toolbox for
      Intelligent Electric Motor Control", arXiv:1910.09434, 2019; IEEE TNNLS 2022.
    - P. Balakrishna, G. Book, W. Kirchgässner, M. Schenke, A. Traue, O. Wallscheid, "gym-electric-motor (GEM): A Python
      toolbox for the simulation of electric drive systems", JOSS 6(58), 2021, doi:10.21105/joss.02498.

    ## Version history
    - v0: first version.
    """

    metadata: dict[str, Any] = {**KernelEnv.metadata, "render_every": 50}

    def __init__(
        self,
        motor: str = "series_dc",
        task: str = "speed",
        converter: str | Mapping[str, Any] = "continuous",
        params: Mapping[str, float] | None = None,
        load: Mapping[str, Any] | None = None,
        supply: float | Mapping[str, Any] | None = None,
        tau: float | None = None,
        voltage_hold: str = "abc",
        limits: Mapping[str, float] | None = None,
        nominal: Mapping[str, float] | None = None,
        references: str | Mapping[str, Any] | None = None,
        reward: Mapping[str, Any] | None = None,
        constraints: Iterable[Any] | None = None,
        merge: str = "max",
        initial: Mapping[str, Any] | None = None,
        noise: float | Mapping[str, float] = 0.0,
        signals: Iterable[str] | None = None,
        angle: str = "raw",
        flux_observer: bool = False,
        action_frame: str = "abc",
        observation: str = "flat",
        render_mode: str | None = None,
    ) -> None:
        """Make the drive; the arguments are described above.

        Raises:
            ValueError: an argument that is unknown, out of range, unphysical, or does not fit the others.
        """
        self.drive = build_drive(
            motor, task, converter, params, load, supply, tau, voltage_hold, limits, nominal, references, reward,
            constraints, merge, initial, noise, signals, angle, flux_observer, action_frame, observation,
        )  # fmt: skip
        super().__init__(self.drive.problem(), render_mode)
        self._dashboard = None if render_mode is None else Dashboard(self.drive)

    def load_state(self, state: State) -> None:
        """Continue from ``state``, see `KernelEnv.load_state`; the picture starts with it."""
        super().load_state(state)
        if self._dashboard is not None:
            self._dashboard.restart(self.parameters)
            self._dashboard.look(self._rows[0], self._states[0])

    def record(self, action: NDArray[Any] | None, reward: float, info: dict[str, Any]) -> None:
        """Note what has just happened."""
        if self._dashboard is not None:
            if action is None:
                self._dashboard.restart(self.parameters)
            self._dashboard.record(int(self._states["k"][0]), action, reward, info["signals"], info["reference"])

    def frame(self) -> NDArray[np.uint8]:
        """Draw the dashboard, uint8 of shape (600, 960, 3)."""
        if self._dashboard is None or not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.render().")
        return self._dashboard.frame()


class ElectricMotorVectorEnv(KernelVectorEnv):
    """Many drives, stepped by one call."""

    env_class = ElectricMotorEnv
