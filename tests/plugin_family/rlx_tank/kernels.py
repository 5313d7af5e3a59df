"""A tank's transition: Torricelli's law, one second a step."""

import math

import numpy as np

from rlx.envs.core import COST, INFO, REWARD, TERMINATED, jit, state_dtype, uniform

STATE = state_dtype(("level", np.float64), ("target", np.float64))  # both in m
INFO_NAMES = {"reward_terms": ("tracking", "spilling"), "signals": ("level",), "reference": ("level",)}


@jit
def report(tank, state, observation, values, i):
    """Fill in what can be seen of a state."""
    observation[i, 0] = state.level / tank.height
    observation[i, 1] = state.target / tank.height
    values[INFO + 2, i] = state.level
    values[INFO + 3, i] = state.target


@jit
def reset(states, rows, active, observation, values, action_mask):
    """Start at a random level, with another to reach."""
    for i in range(len(states)):
        if active[i]:
            tank, state = rows[min(i, len(rows) - 1)], states[i]
            state.level = tank.height * uniform(state.rng)
            state.target = tank.height * (0.1 + 0.8 * uniform(state.rng))
            report(tank, state, observation, values, i)


@jit
def step(states, rows, actions, active, observation, values, action_mask):
    """Let water in by the valve and the rain, and out by the hole."""
    for i in range(len(states)):
        if active[i]:
            tank, state = rows[min(i, len(rows) - 1)], states[i]
            gain = tank.inflow * actions[i, 0] + tank.rain * uniform(state.rng)
            loss = tank.hole * math.sqrt(2.0 * 9.81 * state.level)
            level = max(state.level + (gain - loss) / tank.area, 0.0)
            spilled = max(level - tank.height, 0.0)
            state.level = level - spilled
            values[INFO, i] = -abs(state.level - state.target) / tank.height
            values[INFO + 1, i] = -10.0 * spilled
            values[REWARD, i] = values[INFO, i] + values[INFO + 1, i]
            values[TERMINATED, i] = spilled > 0.0
            values[COST, i] = spilled
            report(tank, state, observation, values, i)
