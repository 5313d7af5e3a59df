"""The contract of an rlx environment, as checks that anyone can run on any environment.

``check("rlx/ElectricMotor-v0")`` goes through the clauses below, one small function each, in the order of the contract
(docs/design.md, section 2), and stops at the first that is broken with a sentence that says so.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import importlib.util
import inspect
import json
import math
import os
import pickle
import random
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import DependencyNotInstalled, InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import iterate

from .catalog import Environment, environments, register_all
from .experts import RandomPolicy, experts, make_expert
from .fleet import Fleet, stacked
from .probe import STEPS, Broken, Env, Moment, advance, begin, begin_and_play, difference, need, need_same, play

SEED = 20_000
LONGEST_EPISODE = 10_000  # steps of the roll-out where the catalog names no horizon
ROWS = 4
HORIZON = 7  # short, so that rows of a vector environment are truncated at a time
HEADINGS = (
    "Description",
    "Action space",
    "Observation space",
    "Rewards",
    "Starting state",
    "Episode end",
    "Arguments",
    "Info",
    "References",
    "Version history",
)


class ContractError(gymnasium.error.Error):
    """An environment breaks a clause of the contract; the message says in one sentence which, and how."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of one clause."""

    number: str
    """Where the design document states it, e.g. "2.4"."""
    clause: str
    skipped: str | None = None
    """Why it does not apply; None if it was checked and holds."""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.number:>4}  {self.clause}" + (f" (skipped: {self.skipped})" if self.skipped else "")


def check(env_id: str, **kwargs: Any) -> tuple[Result, ...]:
    """Verify that an environment keeps the whole contract.

    Args:
        env_id: an id of the catalog, or any other that Gymnasium knows.
        **kwargs: for `gymnasium.make`.

    Returns:
        A result for each clause; each prints as a line.

    Raises:
        ContractError: the first clause that is broken.
    """
    register_all()
    subject = Subject(env_id, kwargs)
    return tuple(verify(subject, number, clause) for number, clause in CLAUSES)


def verify(subject: Subject, number: str, clause: Clause) -> Result:
    """Verify one clause.

    Raises:
        ContractError: it is broken.
    """
    title = (clause.__doc__ or "").strip().splitlines()[0].rstrip(".")
    try:
        with contextlib.ExitStack() as subject.closing:
            return Result(number, title, clause(subject))
    except Broken as broken:
        sentence = str(broken)
    except Exception as error:
        raise ContractError(
            f"{subject} breaks clause {number} of the contract ({title}): {type(error).__name__} was raised: {error}"
        ) from error
    raise ContractError(f"{subject} breaks clause {number} of the contract ({title}): {sentence}.")


@dataclasses.dataclass
class Subject:
    """The environment under check; makes fresh ones, which are closed at the clause's end."""

    env_id: str
    kwargs: dict[str, Any]
    closing: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)

    def __str__(self) -> str:
        """Return id and arguments."""
        return ", ".join([self.env_id, *(f"{key}={value!r}" for key, value in self.kwargs.items())])

    @property
    def row(self) -> Environment | None:
        """The catalog's row, if there is one."""
        return environments().get(self.env_id)

    @property
    def spec(self) -> gymnasium.envs.registration.EnvSpec:
        """What Gymnasium has registered."""
        return gymnasium.spec(self.env_id)

    @property
    def is_deterministic(self) -> bool:
        """Whether the task has no chance in it, by its tags."""
        return self.row is not None and "deterministic" in self.row.tags

    def make(self, **more: Any) -> Env:
        """Return a new environment as users get it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env: Env = gymnasium.make(self.env_id, **self.kwargs, **more)
        self.closing.callback(env.close)
        return env

    def bare(self, **more: Any) -> Any:
        """Return a new environment without wrappers."""
        return self.make(**more).unwrapped

    def make_vec(self, **more: Any) -> VectorEnv[Any, Any, Any]:
        """Return the native vector environment with `ROWS` rows."""
        envs: VectorEnv[Any, Any, Any] = gymnasium.make_vec(self.env_id, ROWS, **self.kwargs, **more)
        self.closing.callback(envs.close)
        return envs


Clause = Callable[[Subject], str | None]
CLAUSES: list[tuple[str, Clause]] = []


def clause(number: str) -> Callable[[Clause], Clause]:
    """Add a function to the contract. It returns why it does not apply, or None."""

    def add(function: Clause) -> Clause:
        CLAUSES.append((number, function))
        return function

    return add


def elsewhere(subject: Subject, job: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``job(env, *arguments)`` as another process works it out, with a bare environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        order, answer = Path(folder, "order"), Path(folder, "answer")
        spec = copy.deepcopy(subject.spec)
        spec.kwargs.update(subject.kwargs)
        order.write_bytes(pickle.dumps((spec, job, arguments)))
        code = "from rlx.registry.checks import serve; import sys; serve(*sys.argv[1:])"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        child = subprocess.run(
            [sys.executable, "-c", code, str(order), str(answer)], env=environment, capture_output=True, text=True
        )
        need(child.returncode == 0, f"another process failed with {child.stderr.strip().rpartition(chr(10))[2]!r}")
        return pickle.loads(answer.read_bytes())


def serve(order: str, answer: str) -> None:
    """Carry out an order of `elsewhere`."""
    spec, job, arguments = pickle.loads(Path(order).read_bytes())
    Path(answer).write_bytes(pickle.dumps(job(gymnasium.make(spec).unwrapped, *arguments)))


def load_and_play(env: Any, state: Any, moment: Moment) -> list[Moment]:
    """Continue from a saved state."""
    env.load_state(state)
    return play(env, moment)


# ---------------------------------------------------------------------------------------------------------------------
# 2.1 Gymnasium, strictly
# ---------------------------------------------------------------------------------------------------------------------


@clause("2.1")
def gymnasium_agrees(subject: Subject) -> str | None:
    """Gymnasium's own check_env passes without a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(subject.bare(), skip_render_check=True)
    need(not caught, f"it warned: {caught[0].message if caught else ''}")
    return None


@clause("2.1")
def episodes_are_lawful(subject: Subject) -> str | None:
    """Over whole episodes, observations, rewards and info are what they should be."""
    env = subject.make()
    policy = RandomPolicy(env, seed=0)
    horizon = (env.spec and env.spec.max_episode_steps) or LONGEST_EPISODE
    for seed in (SEED, SEED + 1):
        moment = begin(env, seed)
        need("reward_terms" not in moment.info, "reset has no reward, yet its info has 'reward_terms'")
        _lawful(env, moment, "after reset")
        for step in range(1, horizon + 1):
            before, kept = moment, copy.deepcopy(moment)
            moment = advance(env, policy.act(moment.observation, moment.info))
            _lawful(env, moment, f"in step {step}")
            _lawful_reward(moment, step)
            need_same(before, kept, f"step {step} changed what was returned before it; each needs arrays of its own")
            if moment.over:
                break
    return None


def _lawful(env: Env, moment: Moment, when: str) -> None:
    """Check an observation, and the parts of info that may come with any."""
    need(
        env.observation_space.contains(moment.observation),
        f"the observation {when} is {moment.observation!r}, outside {env.observation_space}",
    )
    cost = moment.info.get("cost", 0.0)
    need(math.isfinite(cost) and cost >= 0, f"info['cost'] {when} is {cost!r}, not a number >= 0")
    need("success" not in moment.info or moment.over, f"info['success'] {when} comes before the episode's end")
    need(
        isinstance(moment.info.get("success", False), bool | np.bool_),
        f"info['success'] {when} is {moment.info.get('success')!r}, not a bool",
    )
    mask = moment.info.get("action_mask")
    if mask is not None:
        need(np.any(mask), f"info['action_mask'] {when} allows no action")
        if isinstance(moment.observation, dict):
            need("action_mask" in moment.observation, "info has an 'action_mask' that the Dict observation lacks")
            need_same(mask, moment.observation["action_mask"], f"the masks of info and observation {when} differ")


def _lawful_reward(moment: Moment, step: int) -> None:
    """Check the reward and that its named terms explain it."""
    reward, terms = moment.reward, moment.info.get("reward_terms")
    need(math.isfinite(reward), f"the reward in step {step} is {reward!r}")
    need(isinstance(terms, dict) and len(terms) > 0, f"info in step {step} has no dict 'reward_terms'")
    total = math.fsum((terms or {}).values())
    need(
        math.isclose(total, reward, rel_tol=1e-9, abs_tol=1e-12),
        f"the reward in step {step} is {reward!r}, but the reward_terms {terms} sum to {total!r}",
    )


@clause("2.1")
def seeds_decide(subject: Subject) -> str | None:
    """The same seed gives the same trajectory, next to another environment and in another process."""
    one, other = subject.bare(), subject.bare()
    first = begin_and_play(one, SEED)
    begin(other, SEED + 1)
    second = begin_and_play(other, SEED)
    need_same(first, second, f"two environments with seed {SEED} part")
    need_same(first, elsewhere(subject, begin_and_play, SEED), f"this and another process with seed {SEED} part")
    return None


@clause("2.1")
def other_seeds_differ(subject: Subject) -> str | None:
    """Another seed gives another trajectory."""
    if subject.is_deterministic:
        return "the task is tagged deterministic"
    env = subject.bare()
    one, other = begin_and_play(env, SEED), begin_and_play(env, SEED + 1)
    need(bool(difference(one, other)), f"the seeds {SEED} and {SEED + 1} give the same {len(one)} moments")
    return None


@clause("2.1")
def reset_goes_on(subject: Subject) -> str | None:
    """A reset without seed goes on with the random stream: a new episode, and again the same one."""
    one, other = subject.bare(), subject.bare()
    episodes = [begin_and_play(one, seed) for seed in (SEED, None)]
    again = [begin_and_play(other, seed) for seed in (SEED, None)]
    need_same(episodes[1], again[1], f"the second episodes after seed {SEED} part")
    if not subject.is_deterministic:
        need(bool(difference(episodes[0], episodes[1])), "reset() without seed repeats the episode before")
    return None


@clause("2.1")
def no_global_generator(subject: Subject) -> str | None:
    """Randomness is the environment's own: the global generators stay where they are."""
    before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002 - this is what must not be used
    begin_and_play(subject.bare(), SEED)
    after = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    need(before[0] == after[0], "it draws from Python's global `random`")
    need(before[1] == after[1], "it draws from NumPy's global `np.random`")
    return None


@clause("2.1")
def reset_options_are_not_consumed(subject: Subject) -> str | None:
    """The options that a caller hands to reset stay as they are."""
    options: dict[str, Any] = {"context": {}}
    subject.bare().reset(seed=SEED, options=options)
    need(options == {"context": {}}, f"reset(options={{'context': {{}}}}) turned them into {options}")
    return None


@clause("2.1")
def spec_is_json(subject: Subject) -> str | None:
    """The spec survives JSON and makes the same environment."""
    try:
        json.dumps(subject.kwargs)
    except TypeError:
        return "the arguments of this check are no JSON"
    spec = subject.make().spec
    assert spec is not None
    copied = type(spec).from_json(spec.to_json())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = gymnasium.make(copied)
    subject.closing.callback(twin.close)
    need_same(begin_and_play(subject.make(), SEED), begin_and_play(twin, SEED), "the environment made of it parts")
    return None


# ---------------------------------------------------------------------------------------------------------------------
# 2.2 State is a value
# ---------------------------------------------------------------------------------------------------------------------


@clause("2.2")
def state_is_a_value(subject: Subject) -> str | None:
    """A saved state gives the same future: as often as it is loaded, in any environment, in another process."""
    env = subject.bare()
    for name in ("save_state", "load_state"):
        need(callable(getattr(env, name, None)), f"env.unwrapped has no method {name}()")
    # In a context of its own, since the state must carry that along.
    moment = play(env, begin(env, SEED, _contexts(env, 1)[0]), steps=5)[-1]
    state = env.save_state()
    future = play(env, moment)
    need_same(future, load_and_play(env, state, moment), "after load_state the future parts")
    need_same(future, load_and_play(env, state, moment), "loaded a second time, the state's future parts")
    need_same(future, load_and_play(subject.bare(), state, moment), "loaded into a new environment, the future parts")
    need_same(future, elsewhere(subject, load_and_play, state, moment), "loaded in another process, the future parts")
    return None


@clause("2.2")
def copies_are_independent(subject: Subject) -> str | None:
    """A deep copy of the environment goes its own way."""
    env = subject.bare()
    moment = play(env, begin(env, SEED), steps=5)[-1]
    try:
        twin = copy.deepcopy(env)
    except Exception as error:
        return f"it cannot be copied ({type(error).__name__}); save_state() can"
    need_same(play(twin, moment), play(env, moment), "copy and original part")
    return None


# ---------------------------------------------------------------------------------------------------------------------
# 2.3 Parameters are data
# ---------------------------------------------------------------------------------------------------------------------


@clause("2.3")
def context_space_is_finite(subject: Subject) -> str | None:
    """context_space names numbers with finite bounds, and reset reports all of them."""
    env = subject.bare()
    space = getattr(env, "context_space", None)
    need(isinstance(space, spaces.Dict), f"env.unwrapped.context_space is {space!r}, not a spaces.Dict")
    for name, box in _context_items(env):
        need(isinstance(box, spaces.Box) and box.shape == (), f"{name} is {box}, not a Box of shape ()")
        need(bool(np.isfinite(box.low) and np.isfinite(box.high)), f"{name} lies in [{box.low}, {box.high}]")
    reported = begin(env, SEED).info.get("context")
    need(isinstance(reported, dict), "the info of reset has no dict 'context'")
    need(
        set(reported or {}) == set(space or {}),
        f"info['context'] has the names {sorted(reported or {})}, context_space {sorted(space or {})}",
    )
    for name, box in _context_items(env):
        value = float((reported or {})[name])
        need(bool(box.low <= value <= box.high), f"the default {name} = {value} lies outside [{box.low}, {box.high}]")
    return None


@clause("2.3")
def contexts_merge(subject: Subject) -> str | None:
    """A partial context changes what it names, for one episode."""
    env = subject.bare()
    defaults = begin(env, SEED).info["context"]
    for name, box in _context_items(env):
        value = float(box.low if defaults[name] != box.low else box.high)
        reported = begin(env, SEED, {name: value}).info["context"]
        need_same(
            reported, {**defaults, name: value}, f"under the context {{{name!r}: {value}}}, info['context'] is off"
        )
    need_same(begin(env).info["context"], defaults, "a reset without context keeps the episode's before")
    return None


@clause("2.3")
def every_context_is_legal(subject: Subject) -> str | None:
    """Any context within the bounds is accepted, and its episode is lawful."""
    env = subject.bare()
    corners = [{name: float(bound)} for name, box in _context_items(env) for bound in (box.low, box.high)]
    for context in corners + _contexts(env, 5):
        try:
            moments = begin_and_play(env, SEED, context=context)
        except ValueError as error:
            raise Broken(f"the context {context} is within its bounds, yet refused: {error}") from error
        for moment in moments:
            _lawful(env, moment, f"under the context {context}")
    return None


@clause("2.3")
def bad_contexts_are_refused(subject: Subject) -> str | None:
    """An unknown name and a value out of range raise ValueError, and leave the environment as it was."""
    bad: list[tuple[str, Any]] = [("no_such_parameter", 1.0)]
    env, control = subject.bare(), subject.bare()
    for name, box in _context_items(env):
        width = max(float(box.high - box.low), 1.0)
        bad += [(name, float(box.low) - width), (name, float(box.high) + width), (name, math.nan)]
    moment = begin(env, SEED)
    begin(control, SEED)
    for name, value in bad:
        try:
            env.reset(seed=SEED + 1, options={"context": {name: value}})
        except ValueError as error:
            need(name in str(error), f"the error for {name} = {value} does not name it: {error}")
        else:
            raise Broken(f"the context {{{name!r}: {value}}} is accepted")
    need_same(play(env, moment), play(control, moment), "a refused context changed the episode")
    need_same(begin(env), begin(control), "a refused context changed the next episode")
    return None


@clause("2.3")
def chance_ignores_the_context(subject: Subject) -> str | None:
    """The random stream does not depend on the context, so that contexts compare on the same seed."""
    env = subject.bare()
    if not _context_items(env):
        return "no parameter may vary"
    for steps in (0, 5):
        following = []
        for context in [{}, *_contexts(env, 3)]:
            moment = begin(env, SEED, context)
            episode = play(env, moment, steps)
            # An episode that ends sooner draws less, and says nothing.
            if not any(moment.over for moment in episode):
                following.append((context, begin(env)))
        for context, start in following[1:]:
            need_same(following[0][1], start, f"{steps} steps under {context}, the episode after starts differently")
    return None


def _context_items(env: Any) -> list[tuple[str, spaces.Box]]:
    return list(env.context_space.items())


def _contexts(env: Any, count: int) -> list[dict[str, float]]:
    """Return contexts drawn from the whole space."""
    generator = np.random.default_rng(SEED)
    items = _context_items(env)
    return [{name: float(generator.uniform(box.low, box.high)) for name, box in items} for _ in range(count)]


# ---------------------------------------------------------------------------------------------------------------------
# 2.4 One kernel, two faces
# ---------------------------------------------------------------------------------------------------------------------


def needs_vector(clause: Clause) -> Clause:
    """Skip ``clause`` where no vector class is registered."""

    @functools.wraps(clause)
    def checked(subject: Subject) -> str | None:
        return clause(subject) if subject.spec.vector_entry_point else "no vector_entry_point is registered"

    return checked


@clause("2.4")
@needs_vector
def rows_equal_singles(subject: Subject) -> str | None:
    """Row i with seed s is the single environment with seed s + i, in each autoreset mode, truncated or not."""
    for mode in AutoresetMode:
        for limit in ({"max_episode_steps": HORIZON}, {}):
            envs = subject.make_vec(autoreset_mode=mode, **limit)
            fleet = Fleet(envs, [subject.make(**limit) for _ in range(ROWS)])
            fleet.reset(SEED, [{}] * ROWS)
            for step in range(1, STEPS + 1):
                fleet.step(f"in step {step} of {mode.value} with {limit or 'the registered horizon'}")
    return None


@clause("2.4")
@needs_vector
def rows_have_contexts(subject: Subject) -> str | None:
    """Each row of a vector environment can have a context of its own, for one episode."""
    contexts = _contexts(subject.bare(), ROWS)
    if not contexts[0]:
        return "no parameter may vary"
    envs = subject.make_vec(max_episode_steps=HORIZON)
    fleet = Fleet(envs, [subject.make(max_episode_steps=HORIZON) for _ in range(ROWS)])
    fleet.reset(SEED, contexts)
    for step in range(1, STEPS + 1):
        fleet.step(f"in step {step} with a context per row")
    return None


@clause("2.4")
@needs_vector
def rows_are_a_value(subject: Subject) -> str | None:
    """The state of a vector environment is a value too."""
    envs = subject.make_vec(max_episode_steps=HORIZON)
    envs.reset(seed=SEED)
    _march(envs, 5)
    state = envs.unwrapped.save_state()  # type: ignore[attr-defined]
    future = _march(envs, STEPS)
    for other in (envs, subject.make_vec(max_episode_steps=HORIZON)):
        other.unwrapped.load_state(pickle.loads(pickle.dumps(state)))  # type: ignore[attr-defined]
        need_same(future, _march(other, STEPS), "after load_state the future parts")
    return None


@clause("2.4")
@needs_vector
def bad_actions_of_rows_are_refused(subject: Subject) -> str | None:
    """A batch with one bad action raises InvalidAction, and no row moves."""
    envs, control = subject.make_vec(), subject.make_vec()
    envs.reset(seed=SEED)
    control.reset(seed=SEED)
    actions = RandomPolicy(envs, seed=0).act(None, {})  # type: ignore[arg-type]
    rows = list(iterate(envs.action_space, actions))
    wrong = {"one row too few": stacked(envs.single_action_space, rows[1:])}
    for what, action in _bad_actions(envs.single_action_space).items():
        if np.shape(action) == np.shape(rows[0]):
            wrong[f"{what} in row 1"] = np.array([rows[0], action, *rows[2:]])
    for what, batch in wrong.items():
        with _must_raise(InvalidAction, f"a batch with {what}"):
            envs.step(batch)
    need_same(_march(envs, STEPS), _march(control, STEPS), "a refused action changed the episodes")
    return None


def _march(envs: VectorEnv[Any, Any, Any], steps: int) -> list[Moment]:
    """Step a vector environment with the same random actions every time."""
    generator = RandomPolicy(envs, seed=0)  # type: ignore[arg-type]
    return [advance(envs, generator.act(None, {})) for _ in range(steps)]  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------------------
# 2.6 Experts, 2.7 Seen, 2.8 Errors teach, 3 Anatomy
# ---------------------------------------------------------------------------------------------------------------------


@clause("2.6")
def experts_act(subject: Subject) -> str | None:
    """There are experts, and each acts inside the action space."""
    if subject.row is None:
        return "the id is not in the catalog"
    names = experts(subject.env_id)
    need(len(names) > 1, "the catalog names no expert; 'random' exists everywhere and does not count")
    for name in names:
        env = subject.make()
        try:
            policy = make_expert(env, name)
        except DependencyNotInstalled:
            continue  # it has an extra of its own
        moment = begin(env, SEED)
        policy.reset()
        for step in range(1, STEPS + 1):
            action = policy.act(moment.observation, moment.info)
            need(
                env.action_space.contains(action),
                f"{name!r} acts {action!r} in step {step}, outside {env.action_space}",
            )
            moment = advance(env, action)
            if moment.over:
                moment = begin(env)
                policy.reset()
    return None


@clause("2.7")
def pictures_need_no_display(subject: Subject) -> str | None:
    """render_mode="rgb_array" gives pictures without a display, and looking changes nothing."""
    env = subject.bare()
    if "rgb_array" not in env.metadata["render_modes"]:
        return "no render_mode 'rgb_array' is declared"
    need(env.metadata.get("render_fps", 0) > 0, "metadata has no 'render_fps'")
    with _environ(DISPLAY=None, WAYLAND_DISPLAY=None, SDL_VIDEODRIVER=None):
        try:
            seen = subject.bare(render_mode="rgb_array")
        except DependencyNotInstalled as error:
            return str(error)
        moments, pictures = [begin(seen, SEED)], [seen.render()]
        for _ in range(3):
            moments += play(seen, moments[-1], steps=1)
            pictures.append(seen.render())
    for picture in pictures:
        kind = f"{getattr(picture, 'dtype', type(picture).__name__)} of shape {np.shape(picture)}"
        fits = isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3
        need(fits and picture.shape[2] == 3, f"render() returned {kind}, not uint8 of shape (height, width, 3)")
        need(picture.min() < picture.max(), "render() returned a picture of one colour")
    need(pictures[0] is not pictures[1], "render() returned the same array twice")
    unseen = [begin(env, SEED)]
    for _ in range(3):
        unseen += play(env, unseen[-1], steps=1)
    need_same(moments, unseen, "rendering changed the episode")
    return None


@clause("2.7")
def windows_open(subject: Subject) -> str | None:
    """render_mode="human" works through pygame."""
    if "human" not in subject.bare().metadata["render_modes"]:
        return "no render_mode 'human' is declared"
    if importlib.util.find_spec("pygame") is None:
        return 'pygame is missing: pip install "rlx[render]"'
    # SDL's dummy driver stands in for a screen, so that nothing flashes up and none is needed.
    with _environ(SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="dummy"):
        env = subject.bare(render_mode="human")
        moment = begin(env, SEED)
        need(env.render() is None, "render() returns something, though the window is the picture")
        play(env, moment, steps=2)
        env.close()
    return None


@clause("2.8")
def bad_actions_are_refused(subject: Subject) -> str | None:
    """An action of a wrong shape or kind raises InvalidAction, and leaves the environment as it was."""
    env, control = subject.bare(), subject.bare()
    moment, same = begin(env, SEED), begin(control, SEED)
    for what, action in _bad_actions(env.action_space).items():
        with _must_raise(InvalidAction, f"an action with {what}, {action!r},"):
            env.step(action)
    need_same(play(env, moment), play(control, same), "a refused action changed the episode")
    return None


@clause("2.8")
def mistakes_are_told(subject: Subject) -> str | None:
    """A step before reset and an unknown argument are errors."""
    with _must_raise(ResetNeeded, "step() before reset()"):
        env = subject.bare()
        env.step(env.action_space.sample())
    with _must_raise(TypeError, "the unknown argument no_such_argument=1"):
        subject.make(no_such_argument=1)
    return None


@clause("3")
def docstring_is_a_page(subject: Subject) -> str | None:
    """The class's docstring has the fixed headings, in order."""
    kind = type(subject.bare())
    found = re.findall(r"^ *#+ *(.+?) *$", inspect.getdoc(kind) or "", re.MULTILINE)
    missing = [heading for heading in HEADINGS if heading not in found]
    need(not missing, f"the docstring of {kind.__name__} lacks the headings {missing}, written '## {HEADINGS[0]}'")
    need([heading for heading in found if heading in HEADINGS] == list(HEADINGS), f"the headings come as {found}")
    return None


def _bad_actions(space: spaces.Space[Any]) -> dict[str, Any]:
    """Return actions that no environment with this action space should take, by what is wrong with them."""
    if isinstance(space, spaces.Box):
        nan = np.full(space.shape, np.nan, space.dtype)
        return {"NaN": nan, "one component too many": np.zeros((*space.shape[:-1], space.shape[-1] + 1), space.dtype)}
    if isinstance(space, spaces.Discrete):
        return {"an index past the end": space.start + space.n, "a fraction": float(space.start) + 0.5}
    if isinstance(space, spaces.MultiDiscrete):
        return {"an index past the end": space.start + space.nvec, "one component too many": np.append(space.start, 0)}
    return {"no meaning": "nonsense"}


@contextlib.contextmanager
def _must_raise(kind: type[Exception], what: str) -> Iterator[None]:
    try:
        yield
    except kind as error:
        need(str(error), f"{what} raises {kind.__name__} without a message")
    except Exception as error:
        raise Broken(f"{what} raises {type(error).__name__} ({error}), not {kind.__name__}") from error
    else:
        raise Broken(f"{what} is accepted")


@contextlib.contextmanager
def _environ(**changes: str | None) -> Iterator[None]:
    """Set environment variables (None: unset) for a while."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environ(changes)
    try:
        yield
    finally:
        _set_environ(before)


def _set_environ(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
