"""Electric drives as textbooks write them: Faraday's law in each winding's own frame, and scipy's integrator.

Written independently of rlx, as its oracle: space vectors are complex numbers, the state is (omega, epsilon, fluxes),
and a machine only says how currents follow from flux linkages. Voltages of the stator belong to the stator's frame,
those of a wound rotor to the rotor's.
"""

from __future__ import annotations

import cmath

import numpy as np
from scipy.integrate import solve_ivp

STAR = np.exp(2j * np.pi / 3 * np.arange(3))
# Two stars 30 degrees apart: fundamental and fifth harmonic.
SIX = np.exp(1j * np.pi / 6 * np.array([0, 4, 8, 1, 5, 9]))


class Machine:
    """Fluxes to currents, torque, and what a recorded state shows."""

    windings: tuple[str, ...] = ()  # the frame in which each flux lives: "stator", "rotor" or "" for a DC winding
    size = 1  # electrical states

    def __init__(self, **params: float) -> None:
        self.__dict__.update(params)
        self.pole_pairs = params.get("p", 1)

    def voltages(self, phases: np.ndarray) -> list[complex]:
        """Space vectors of the phase voltages, one per winding."""
        return list(phases)

    def phase_currents(self, currents: list[complex]) -> list[float]:
        return [current.real for current in currents]


class SeriesDc(Machine):
    windings = ("",)

    def currents(self, fluxes, epsilon):
        return [fluxes[0] / (self.l_a + self.l_e)]

    def fluxes(self, states, epsilon):
        return [states[0] * (self.l_a + self.l_e)]

    def drops(self, currents, omega):
        i = currents[0]
        return [(self.r_a + self.r_e) * i + self.l_e_prime * i * omega]

    def torque(self, currents, fluxes):
        return self.l_e_prime * currents[0].real ** 2

    def states(self, fluxes, epsilon):
        return [current.real for current in self.currents(fluxes, epsilon)]


class PermExDc(SeriesDc):
    def currents(self, fluxes, epsilon):
        return [fluxes[0] / self.l_a]

    def fluxes(self, states, epsilon):
        return [states[0] * self.l_a]

    def drops(self, currents, omega):
        return [self.r_a * currents[0] + self.psi_e * omega]

    def torque(self, currents, fluxes):
        return self.psi_e * currents[0].real


class ExtExDc(SeriesDc):
    windings = ("", "")
    size = 2

    def currents(self, fluxes, epsilon):
        return [fluxes[0] / self.l_a, fluxes[1] / self.l_e]

    def fluxes(self, states, epsilon):
        return [states[0] * self.l_a, states[1] * self.l_e]

    def drops(self, currents, omega):
        i_a, i_e = currents
        return [self.r_a * i_a + self.l_e_prime * i_e * omega, self.r_e * i_e]

    def torque(self, currents, fluxes):
        return self.l_e_prime * currents[0].real * currents[1].real


class ShuntDc(ExtExDc):
    def voltages(self, phases):
        return [phases[0], phases[0]]

    def phase_currents(self, currents):
        return [currents[0].real + currents[1].real]


class Pmsm(Machine):
    windings = ("stator",)
    size = 2
    psi_p = 0.0

    def voltages(self, phases):
        return [2 / 3 * np.dot(phases, STAR)]

    def phase_currents(self, currents):
        return [(currents[0] * turn.conjugate()).real for turn in STAR]

    def currents(self, fluxes, epsilon):
        turn = cmath.exp(1j * epsilon)
        psi = fluxes[0] / turn
        return [complex((psi.real - self.psi_p) / self.l_d, psi.imag / self.l_q) * turn]

    def fluxes(self, states, epsilon):
        i_d, i_q = states
        return [complex(self.l_d * i_d + self.psi_p, self.l_q * i_q) * cmath.exp(1j * epsilon)]

    def drops(self, currents, omega):
        return [self.r_s * currents[0]]

    def torque(self, currents, fluxes):
        return 1.5 * self.pole_pairs * (fluxes[0].conjugate() * currents[0]).imag

    def states(self, fluxes, epsilon):
        i = self.currents(fluxes, epsilon)[0] / cmath.exp(1j * epsilon)
        return [i.real, i.imag]


class Eesm(Pmsm):
    windings = ("stator", "")
    size = 3

    def voltages(self, phases):
        return [2 / 3 * np.dot(phases[:3], STAR), phases[3]]

    def phase_currents(self, currents):
        return [*super().phase_currents(currents), currents[1].real]

    def currents(self, fluxes, epsilon):
        turn = cmath.exp(1j * epsilon)
        psi = fluxes[0] / turn
        i_d, i_e = np.linalg.solve([[self.l_d, self.l_m], [1.5 * self.l_m, self.l_e]], [psi.real, fluxes[1].real])
        return [complex(i_d, psi.imag / self.l_q) * turn, complex(i_e)]

    def fluxes(self, states, epsilon):
        i_d, i_q, i_e = states
        psi = complex(self.l_d * i_d + self.l_m * i_e, self.l_q * i_q)
        return [psi * cmath.exp(1j * epsilon), complex(1.5 * self.l_m * i_d + self.l_e * i_e)]

    def drops(self, currents, omega):
        return [self.r_s * currents[0], self.r_e * currents[1]]

    def states(self, fluxes, epsilon):
        i_s, i_e = self.currents(fluxes, epsilon)
        i = i_s / cmath.exp(1j * epsilon)
        return [i.real, i.imag, i_e.real]


class Dfim(Machine):
    """Wound rotor; the rotor's flux is kept in the rotor's frame."""

    windings = ("stator", "rotor")
    size = 4

    def voltages(self, phases):
        return [2 / 3 * np.dot(phases[:3], STAR), 2 / 3 * np.dot(phases[3:], STAR)]

    def phase_currents(self, currents):
        return [(current * turn.conjugate()).real for current in currents for turn in STAR]

    def currents(self, fluxes, epsilon):
        turn = cmath.exp(1j * epsilon)
        l_s, l_r = self.l_m + self.l_sigs, self.l_m + self.l_sigr
        psi_s, psi_r = fluxes[0], fluxes[1] * turn
        scale = l_s * l_r - self.l_m**2
        return [(l_r * psi_s - self.l_m * psi_r) / scale, (l_s * psi_r - self.l_m * psi_s) / scale / turn]

    def fluxes(self, states, epsilon):
        i_s, psi_r = complex(states[0], states[1]), complex(states[2], states[3])
        l_s, l_r = self.l_m + self.l_sigs, self.l_m + self.l_sigr
        i_r = (psi_r - self.l_m * i_s) / l_r
        return [l_s * i_s + self.l_m * i_r, psi_r / cmath.exp(1j * epsilon)]

    def drops(self, currents, omega):
        return [self.r_s * currents[0], self.r_r * currents[1]]

    def torque(self, currents, fluxes):
        return 1.5 * self.pole_pairs * (fluxes[0].conjugate() * currents[0]).imag

    def states(self, fluxes, epsilon):
        i_s, psi_r = self.currents(fluxes, epsilon)[0], fluxes[1] * cmath.exp(1j * epsilon)
        return [i_s.real, i_s.imag, psi_r.real, psi_r.imag]


class Scim(Dfim):
    def voltages(self, phases):
        return [2 / 3 * np.dot(phases, STAR), 0j]

    def phase_currents(self, currents):
        return super().phase_currents(currents[:1])


class SixPmsm(Machine):
    """The vector space decomposition: the second plane's rotor frame turns backwards."""

    windings = ("stator", "backwards")
    size = 4

    def voltages(self, phases):
        return [np.dot(phases, SIX) / 3, np.dot(phases, SIX**5) / 3]

    def phase_currents(self, currents):
        planes = zip(SIX.conjugate(), (SIX**5).conjugate(), strict=True)
        return [(currents[0] * first + currents[1] * second).real for first, second in planes]

    def currents(self, fluxes, epsilon):
        turn = cmath.exp(1j * epsilon)
        first, second = fluxes[0] / turn, fluxes[1] * turn
        return [
            complex((first.real - self.psi_PM) / self.l_d, first.imag / self.l_q) * turn,
            complex(second.real / self.l_x, second.imag / self.l_y) / turn,
        ]

    def fluxes(self, states, epsilon):
        i_d, i_q, i_x, i_y = states
        turn = cmath.exp(1j * epsilon)
        return [
            complex(self.l_d * i_d + self.psi_PM, self.l_q * i_q) * turn,
            complex(self.l_x * i_x, self.l_y * i_y) / turn,
        ]

    def drops(self, currents, omega):
        return [self.r_s * current for current in currents]

    def torque(self, currents, fluxes):
        planes = [(psi.conjugate() * i).imag for psi, i in zip(fluxes, currents, strict=True)]
        return 3 * self.pole_pairs * (planes[0] - planes[1])

    def states(self, fluxes, epsilon):
        turn = cmath.exp(1j * epsilon)
        first, second = self.currents(fluxes, epsilon)
        first, second = first / turn, second * turn
        return [first.real, first.imag, second.real, second.imag]


class SynRm(Pmsm):
    pass


MACHINES = {
    "series_dc": SeriesDc, "shunt_dc": ShuntDc, "permex_dc": PermExDc, "extex_dc": ExtExDc, "pmsm": Pmsm,
    "synrm": SynRm, "eesm": Eesm, "scim": Scim, "dfim": Dfim, "sixpmsm": SixPmsm,
}  # fmt: skip


def load_torque(load, inertia, omega):
    """GEM's static load: Coulomb friction rises to its value within 1 ms of the run-down it causes."""
    friction = min(max(omega * inertia / 1e-3, -load["a"]), load["a"])
    return friction + load["b"] * omega + load["c"] * omega * abs(omega)


BRIDGE_PHASES = {"1qc": 1, "2qc": 1, "4qc": 1, "b6": 3}
STANDARD_BRIDGES = {"extex_dc": ["4qc", "4qc"], "eesm": ["b6", "4qc"], "dfim": ["b6", "b6"], "sixpmsm": ["b6", "b6"]}


class Converter:
    """Phase voltages in units of the supply, of ideal switches with diodes."""

    def __init__(self, kind, bridges, interlocking_time, tau, commutation):
        self.kind, self.bridges, self.lost, self.commutation = kind, bridges, interlocking_time, commutation
        self.tau = tau
        self.legs = None  # which switch of each half bridge conducts: 1 upper, 2 lower, 0 none

    def intervals(self, action, currents_now):
        """Yield (duration, voltages) of one period; ``currents_now()`` gives the phase currents when asked."""
        if self.kind == "continuous":
            yield self.tau, self._averaged(action, currents_now())
            return
        wanted = [self._switches(bridge, int(a)) for bridge, a in zip(self.bridges, action, strict=True)]
        before = self.legs or [[0] * len(legs) for legs in wanted]
        waiting = [
            [0 if {old, new} == {1, 2} and self.lost > 0 else new for old, new in zip(*pair, strict=True)]
            for pair in zip(before, wanted, strict=True)
        ]
        self.legs = waiting if self.commutation == "period" else wanted
        if waiting == wanted:
            yield self.tau, self._conducted(wanted, currents_now())
        else:
            yield self.lost, self._conducted(waiting, currents_now())
            yield self.tau - self.lost, self._conducted(self.legs, currents_now())

    def _switches(self, bridge, action):
        if bridge == "b6":
            return [1 if action & bit else 2 for bit in (4, 2, 1)]
        return {"1qc": [[0], [1]], "2qc": [[0], [1], [2]], "4qc": [[1, 1], [1, 2], [2, 1], [2, 2]]}[bridge][action]

    def _conducted(self, switches, currents):
        voltages, currents = [], iter(currents)
        for bridge, states in zip(self.bridges, switches, strict=True):
            # Without a switch the current finds the lower diode when it flows out, the upper one when it flows in.
            def potential(switch, current):
                return {1: 1.0, 2: 0.0, 0: 1.0 if current < 0 else 0.0}[switch]

            if bridge == "b6":
                voltages += [potential(switch, next(currents)) - 0.5 for switch in states]
            elif bridge == "4qc":
                current = next(currents)
                voltages.append(potential(states[0], current) - potential(states[1], -current))
            else:
                voltages.append(potential(states[0], next(currents)))
        return voltages

    def _averaged(self, action, currents):
        voltages, action, currents = [], iter(action), iter(currents)

        def duty(value, current):
            return min(max(value - np.sign(current) * self.lost / self.tau, 0.0), 1.0)

        for bridge in self.bridges:
            for _ in range(BRIDGE_PHASES[bridge]):
                value, current = next(action), next(currents)
                if bridge == "1qc":
                    voltages.append(value if current >= 0 else 1.0)
                elif bridge == "2qc":
                    voltages.append(duty(value, current))
                elif bridge == "4qc":
                    voltages.append(duty((1 + value) / 2, current) - duty((1 - value) / 2, -current))
                else:
                    voltages.append(duty((1 + value) / 2, current) - 0.5)
        return voltages


def simulate(motor, actions, *, params, load, converter, supply, tau, voltage_hold, initial_state=None, rtol=1e-11):
    """Return what `rlx.envs.electric_motor.simulate` should: states (K + 1, n) and torque (K + 1,).

    ``supply`` is a number, or a function of time that gives one number or one per phase, which holds for a period.
    """
    machine = MACHINES[motor](**params)
    is_dc = not machine.windings[0]
    imposes_speed = load["type"] == "const"
    inertia = params["j_rotor"] + load.get("j_load", 0.0)
    bridges = converter.get("bridges") or STANDARD_BRIDGES.get(motor, ["4qc" if is_dc else "b6"])
    bridge = Converter(
        converter["type"], bridges, converter.get("interlocking_time", 0.0), tau, converter.get("commutation", "period")
    )
    start = np.zeros(machine.size + 2 - is_dc) if initial_state is None else np.asarray(initial_state, float)
    omega = load["omega"] if imposes_speed else start[0]
    epsilon = 0.0 if is_dc else start[-1]
    fluxes = np.array(machine.fluxes(start[1 : 1 + machine.size], epsilon), complex)
    y = np.concatenate([[omega, epsilon], fluxes.view(float)])
    turns = {"": 0, "stator": 0 if isinstance(machine, Dfim) else -1, "rotor": 1, "backwards": 1}

    def frames(epsilon):
        """Turns from the windings' frames to the one in which equations have constant coefficients."""
        return np.exp([1j * turns[winding] * epsilon for winding in machine.windings])

    def unpacked(y):
        fluxes = list(y[2::2] + 1j * y[3::2])
        return y[0], y[1], fluxes, machine.currents(fluxes, y[1])

    def slope(t, y, voltages, turned):
        omega, epsilon, fluxes, currents = unpacked(y)
        if voltage_hold == "dq":
            voltages = voltages * turned / frames(epsilon)
        rates = voltages - np.array(machine.drops(currents, omega), complex)
        surplus = machine.torque(currents, fluxes) - (0.0 if imposes_speed else load_torque(load, inertia, omega))
        acceleration = 0.0 if imposes_speed else surplus / inertia
        return np.concatenate([[acceleration, machine.pole_pairs * omega], rates.view(float)])

    def currents_now():
        return machine.phase_currents(unpacked(y)[3])

    history = [y]
    for k, action in enumerate(np.asarray(actions, float).reshape(len(actions), -1)):
        voltage = supply(k * tau) if callable(supply) else supply
        for duration, shares in bridge.intervals(action, currents_now):
            held = np.array(machine.voltages(np.asarray(shares) * voltage), complex)
            solution = solve_ivp(slope, (0.0, duration), y, "DOP853", rtol=rtol, atol=1e-13, args=(held, frames(y[1])))
            y = solution.y[:, -1]
        history.append(y)
    states, torque = [], []
    for y in history:
        omega, epsilon, fluxes, currents = unpacked(y)
        states.append([omega, *machine.states(fluxes, epsilon), *([] if is_dc else [epsilon])])
        torque.append(machine.torque(currents, fluxes))
    return np.array(states), np.array(torque)
