"""Environments whose state is a Python object: seeds, sharing, and the notes in ``info``."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from rlx.envs.core import SIMULATION, KernelEnv, KernelVectorEnv, Parameters, Problem, Simulations, as_record, quantity


@dataclasses.dataclass(frozen=True)
class Rule(Parameters):
    length: float = quantity(5.0, "1", "steps until the end", low=1.0, high=50.0)


class Count:
    """Counts up from its seed; ``copies`` says how often somebody had to copy one."""

    copies = 0

    def __init__(self, seed, rule):
        self.seed, self.rule, self.path = seed, rule, []

    def copy(self):
        Count.copies += 1
        return copy.deepcopy(self)

    def step(self, action):
        self.path.append(int(action[0]))

    def report(self, observation, values, action_mask):
        observation[:] = self.seed % 1000, sum(self.path)
        values[:] = sum(self.path[-1:]), len(self.path) >= self.rule.length, 0.0, 0.0, 0.0, sum(self.path[-1:])
        action_mask[:] = 1


class CountEnv(KernelEnv):
    def __init__(self, render_mode=None):
        simulations = Simulations(Count)
        super().__init__(
            Problem(
                parameters=Rule(),
                observation_space=spaces.Box(-1e6, 1e6, (2,), np.float64),
                action_space=spaces.Discrete(3),
                state_dtype=SIMULATION,
                pack=as_record,
                reset=simulations.reset,
                step=simulations.step,
                info={"reward_terms": ("action",)},
                action_mask_size=3,
                notes=lambda states: {"path": np.array([str(count.path) for count in states["simulation"]], object)},
            ),
            render_mode,
        )

    def path(self):
        return self._states["simulation"][0].path


class CountVectorEnv(KernelVectorEnv):
    env_class = CountEnv


def seeds(envs):
    return [count.seed for count in envs._states["simulation"]]


def test_a_given_seed_is_the_instance_and_others_are_drawn_from_the_stream():
    env, other = CountEnv(), CountEnv()
    drawn = []
    for one in (env, other):
        one.reset(seed=7)
        assert seeds(one) == [7]
        drawn.append([one.reset() and seeds(one)[0] for _ in range(3)])
    assert drawn[0] == drawn[1]
    assert len({7, *drawn[0]}) == 4
    env.reset(seed=8)
    env.reset()
    assert seeds(env)[0] not in drawn[0]


@pytest.mark.parametrize("mode", AutoresetMode)
def test_rows_are_single_environments(mode):
    envs, singles = CountVectorEnv(3, autoreset_mode=mode), [CountEnv() for _ in range(3)]
    lengths = np.array([2.0, 3.0, 20.0])
    envs.reset(seed=5, options={"context": {"length": lengths}})
    for i, env in enumerate(singles):
        env.reset(seed=5 + i, options={"context": {"length": lengths[i]}})
    assert seeds(envs) == [5, 6, 7]
    ended = [False] * 3
    for step in range(12):
        actions = np.array([step % 3, 1, 2])
        if mode == AutoresetMode.DISABLED and any(ended):
            envs.reset(options={"reset_mask": np.array(ended)})
            for i in np.flatnonzero(ended):
                singles[i].reset()
            ended = [False] * 3
        returned = envs.step(actions)
        for i, env in enumerate(singles):
            if mode == AutoresetMode.NEXT_STEP and ended[i]:
                env.reset()
                ended[i] = False
                continue
            ended[i] = env.step(actions[i])[2]
            if mode == AutoresetMode.SAME_STEP and ended[i]:
                assert returned[4]["final_info"]["path"][i] == str(env.path())
                env.reset()
        assert seeds(envs) == [env._states["simulation"][0].seed for env in singles]
        assert [count.path for count in envs._states["simulation"]] == [env.path() for env in singles]
        assert returned[4]["path"].tolist() == [str(env.path()) for env in singles]


def test_a_saved_state_costs_nothing_until_somebody_steps():
    env, other = CountEnv(), CountEnv()
    env.reset(seed=1)
    env.step(1)
    before = Count.copies
    state = env.save_state()
    other.load_state(state)
    assert Count.copies == before
    env.step(2)
    other.step(0)
    other.step(0)
    assert Count.copies == before + 2
    assert state.states["simulation"][0].path == [1]
    assert (env.path(), other.path()) == ([1, 2], [1, 0, 0])
    env.load_state(pickle.loads(pickle.dumps(state)))
    assert env.path() == [1]


def test_rows_of_a_saved_state_are_not_changed_either():
    envs = CountVectorEnv(2)
    envs.reset(seed=1)
    envs.step(np.array([1, 2]))
    state = envs.save_state()
    envs.step(np.array([0, 0]))
    assert [count.path for count in state.states["simulation"]] == [[1], [2]]
    envs.load_state(state)
    envs.step(np.array([2, 2]))
    assert [count.path for count in state.states["simulation"]] == [[1], [2]]
    assert [count.path for count in envs._states["simulation"]] == [[1, 2], [2, 2]]


def test_copies_of_an_environment_are_independent():
    env = CountEnv()
    env.reset(seed=1)
    twin = copy.deepcopy(env)
    env.step(1)
    assert (env.path(), twin.path()) == ([1], [])


@dataclasses.dataclass(frozen=True)
class OtherRule(Rule):
    pass


def test_states_of_other_simulations_are_refused():
    env, envs = CountEnv(), CountVectorEnv(1)
    env.reset(seed=1)
    envs.reset(seed=1)
    for one in (env, envs):
        strange = dataclasses.replace(one.save_state(), parameters=(OtherRule(),))
        with pytest.raises(TypeError, match="load_state needs what"):
            one.load_state(strange)
