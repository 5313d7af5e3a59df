"""Tanks that break one clause of the contract each, and say which."""

from __future__ import annotations

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from rlx_tank.env import TankEnv, TankVectorEnv

CASES: dict[str, tuple[dict[str, Any], str, str]] = {}
"""Name -> what to register, the clause's function in `rlx.registry.checks`, what the sentence says."""


def breaks(clause: str, sentence: str, **registration: Any) -> Any:
    """Add a class to `CASES`, to be registered with ``registration``."""

    def add(kind: type) -> type:
        face = "vector_entry_point" if issubclass(kind, TankVectorEnv) else "entry_point"
        entries = {"entry_point": "rlx_tank.env:TankEnv", face: f"{__name__}:{kind.__name__}"}
        CASES[kind.__name__] = (entries | registration, clause, sentence)
        return kind

    return add


@breaks("gymnasium_agrees", "it warned: .*infinity")
class Unbounded(TankEnv):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)


@breaks("gymnasium_agrees", "AssertionError was raised")
class Unseeded(TankEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(options=options)


class Altered(TankEnv):
    """Changes what a step returns after a while."""

    elapsed = 0

    def reset(self, *, seed=None, options=None):
        self.elapsed = 0
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self.elapsed += 1
        returned = super().step(action)
        return self.alter(*returned) if self.elapsed > 20 else returned


@breaks("episodes_are_lawful", r"the observation in step 21 is array\(.*\), outside Box\(0.0, 1.0")
class Outside(Altered):
    def alter(self, observation, *rest):
        return observation + np.float32(2), *rest


@breaks("episodes_are_lawful", "the reward in step 21 is -.*, but the reward_terms .* sum to")
class Unexplained(Altered):
    def alter(self, observation, reward, *rest):
        return observation, reward - 0.25, *rest


@breaks("episodes_are_lawful", "info in step 21 has no dict 'reward_terms'")
class Unnamed(Altered):
    def alter(self, observation, reward, terminated, truncated, info):
        del info["reward_terms"]
        return observation, reward, terminated, truncated, info


@breaks("episodes_are_lawful", r"info\['cost'\] in step 21 is -1.0, not a number >= 0")
class Paid(Altered):
    def alter(self, *returned):
        return *returned[:4], returned[4] | {"cost": -1.0}


@breaks("episodes_are_lawful", r"info\['success'\] in step 21 comes before the episode's end")
class Premature(Altered):
    def alter(self, *returned):
        return *returned[:4], returned[4] | {"success": True}


@breaks("episodes_are_lawful", r"info\['action_mask'\] in step 21 allows no action")
class Stuck(Altered):
    def alter(self, *returned):
        return *returned[:4], returned[4] | {"action_mask": np.zeros(1, np.int8)}


@breaks("episodes_are_lawful", "step 22 changed what was returned before it")
class Recycled(Altered):
    kept = np.zeros(2, np.float32)

    def alter(self, observation, *rest):
        self.kept[:] = observation
        return self.kept, *rest


@breaks("seeds_decide", r"this and another process with seed 20000 part: \[1\].info\['pid'\] is \d+ and \d+")
class Local(TankEnv):
    def step(self, action):
        *returned, info = super().step(action)
        return *returned, info | {"pid": os.getpid()}


@breaks("seeds_decide", r"two environments with seed 20000 part: \[1\].info\['count'\]")
class Shared(TankEnv):
    count = 0

    def step(self, action):
        *returned, info = super().step(action)
        # Gymnasium's check compares observations and rewards only, and of few steps.
        Shared.count += 1
        return *returned, info | {"count": Shared.count // 8}


@breaks("other_seeds_differ", "the seeds 20000 and 20001 give the same 41 moments")
class Fixed(TankEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=0, options=options)


@breaks("reset_goes_on", r"reset\(\) without seed repeats the episode before")
class Repeating(TankEnv):
    last = None

    def reset(self, *, seed=None, options=None):
        self.last = self.last if seed is None else seed
        return super().reset(seed=self.last, options=options)


@breaks("no_global_generator", "it draws from NumPy's global `np.random`")
class Global(TankEnv):
    def step(self, action):
        np.random.random()  # noqa: NPY002
        return super().step(action)


@breaks("reset_options_are_not_consumed", "turned them into {}")
class Greedy(TankEnv):
    def reset(self, *, seed=None, options=None):
        context = options.pop("context", {}) if options else {}
        return super().reset(seed=seed, options={"context": context})


@breaks("spec_is_json", "TypeError was raised: .* is not JSON serializable", kwargs={"hook": print})
class Hooked(TankEnv):
    def __init__(self, hook, **kwargs):
        super().__init__(**kwargs)


@breaks("state_is_a_value", r"loaded a second time, the state's future parts: \[0\]")
class Aliased(TankEnv):
    def load_state(self, state):
        super().load_state(state)
        self._states = state.states
        self._bind()


@breaks("state_is_a_value", r"env.unwrapped has no method save_state\(\)")
class Stateless(TankEnv):
    save_state = None


@breaks("copies_are_independent", r"copy and original part: \[0\]")
class Clingy(TankEnv):
    def __deepcopy__(self, memo):
        return self


@breaks("context_space_is_finite", r"area lies in \[0.0, inf\]")
class Endless(TankEnv):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.context_space = spaces.Dict({"area": spaces.Box(0.0, np.inf, (), np.float64)})


@breaks("contexts_merge", r"info\['context'\] is off: \['area'\] is")
class Sticky(TankEnv):
    context: dict[str, float] = {}

    def reset(self, *, seed=None, options=None):
        self.context = self.context | (options or {}).get("context", {})
        return super().reset(seed=seed, options={"context": self.context})


@breaks("every_context_is_legal", "the context {'area': .*} is within its bounds, yet refused: too wide")
class Picky(TankEnv):
    def reset(self, *, seed=None, options=None):
        if (options or {}).get("context", {}).get("area", 0.0) > 1.0:
            raise ValueError("too wide")
        return super().reset(seed=seed, options=options)


@breaks("bad_contexts_are_refused", "the context {'no_such_parameter': 1.0} is accepted")
class Lenient(TankEnv):
    def reset(self, *, seed=None, options=None):
        context = (options or {}).get("context", {})
        known = {name: value for name, value in context.items() if name in self.context_space.spaces}
        return super().reset(seed=seed, options={"context": known})


@breaks("bad_contexts_are_refused", "a refused context changed the episode")
class Rash(TankEnv):
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return super().reset(seed=seed, options=options)


@breaks("chance_ignores_the_context", "the episode after starts differently: .observation")
class Correlated(TankEnv):
    def reset(self, *, seed=None, options=None):
        returned = super().reset(seed=seed, options=options)
        self._states["rng"][0, 1] += bool((options or {}).get("context"))
        return returned


@breaks("rows_equal_singles", "in step 1 of .*, single environment and row 0 part: .reward is")
class Inexact(TankVectorEnv):
    def step(self, actions):
        observations, rewards, *rest = super().step(actions)
        return observations, rewards + 1e-9, *rest


@breaks("rows_equal_singles", "in step 7 of .*, the episode_length of row 0 and the single environment's part")
class Forgetful(TankVectorEnv):
    def step(self, actions):
        *returned, info = super().step(actions)
        info.pop("episode_length", None)
        return *returned, info


@breaks("rows_equal_singles", "reset takes 'reset_mask' out of the caller's options")
class Taking(TankVectorEnv):
    def reset(self, *, seed=None, options=None):
        copied = dict(options or {})
        if options:
            options.pop("reset_mask", None)
        return super().reset(seed=seed, options=copied)


@breaks("rows_have_contexts", "after reset, single environment and row 0 part")
class Uniform(TankVectorEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed, options={k: v for k, v in (options or {}).items() if k != "context"})


@breaks("rows_are_a_value", r"after load_state the future parts: \[0\]")
class Immovable(TankVectorEnv):
    def load_state(self, state):
        pass


@breaks("bad_actions_of_rows_are_refused", "a batch with NaN in row 1 is accepted")
class Forgiving(TankVectorEnv):
    def step(self, actions):
        return super().step(np.nan_to_num(actions))


@breaks("pictures_need_no_display", "returned float64 of shape .*, not uint8 of shape")
class Faint(TankEnv):
    def frame(self):
        return super().frame() / 255.0


@breaks("pictures_need_no_display", "a picture of one colour")
class Blank(TankEnv):
    def frame(self):
        return np.zeros((9, 9, 3), np.uint8)


@breaks("pictures_need_no_display", "rendering changed the episode")
class Disturbed(TankEnv):
    def frame(self):
        self._states["level"] *= 0.5
        return super().frame()


@breaks("windows_open", "returns something, though the window is the picture")
class Doubled(TankEnv):
    def render(self):
        return self.frame()


@breaks("bad_actions_are_refused", "an action with NaN, .* is accepted")
class Tolerant(TankEnv):
    def step(self, action):
        return super().step(np.nan_to_num(action))


@breaks("bad_actions_are_refused", "raises ValueError .*, not InvalidAction")
class Untaught(TankEnv):
    def step(self, action):
        if not self.action_space.contains(action):
            raise ValueError("no")
        return super().step(action)


@breaks("mistakes_are_told", "the unknown argument no_such_argument=1 is accepted")
class Swallowing(TankEnv):
    def __init__(self, render_mode=None, **kwargs):
        super().__init__(render_mode=render_mode)


@breaks("docstring_is_a_page", r"the docstring of Mute lacks the headings \['Observation space', .*'Version history'\]")
class Mute(TankEnv):
    """Mute.

    ## Description
    ## Action space
    """


def register() -> None:
    """Register all cases as ``broken/<name>-v0``."""
    for name, (registration, _, _) in CASES.items():
        if f"broken/{name}-v0" not in gymnasium.registry:
            gymnasium.register(f"broken/{name}-v0", max_episode_steps=300, **registration)
