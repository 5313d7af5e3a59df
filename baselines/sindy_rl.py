"""SINDy-RL (Zolman, Lagemann, Fasel, Kutz and Brunton 2024, https://arxiv.org/abs/2403.09110), in one file.

An ensemble of sparse polynomials learns how the environment moves and what it pays. A policy learner, `DDPG`, practises
on that model, a surrogate that costs next to nothing; now and then the policy acts in the environment, and the model is
fitted again to what came of it (Dyna). In the end the policy can itself be distilled into sparse polynomials. Reading
order: `Args`, `World`, `SurrogateEnv`, `SindyRL`; the regression is in `rlx.baselines.sindy`.

Where the paper asks a person, the data answer here: bounds are the range of what was observed, pairs of observations
that are cosine and sine are found, and a bound ends the episode where it did so in the environment.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from . import ddpg
from .policy import AssetsPolicy, MlpPolicy
from .sindy import LIBRARIES, Array, Library, PolynomialPolicy, SparseModel, fit, numbered, polynomial
from .training import (
    Rules,
    check_args,
    first_seed,
    load_envs,
    make_envs,
    read_checkpoint,
    save_envs,
    write_checkpoint,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_LIBRARY = 500  # terms; the time of a fit grows with their cube
STARTS = 100  # episodes from which a policy is distilled
NEARBY = 0.1  # standard deviations between what the network sees and what a policy is distilled from besides
SPAN = 3.0  # of the actions it is distilled from, where that of the actions is 1: a tanh is flat there
THRESHOLDS = (0.001, 0.003, 0.01, 0.03, 0.1)  # of a distilled policy


@dataclasses.dataclass(frozen=True)
class Args:
    """The arguments of `SindyRL`; a step is one step of one environment, and none of the surrogate."""

    steps: int = 20_000
    """Steps of training, over all environments; those on the surrogate do not count."""
    seed: int = 0
    """Of everything random: environments, exploration, ensembles, and all that `DDPG` draws."""
    num_envs: int = 1
    """Environments stepped together."""
    episode_steps: int = 0
    """Cut training episodes off after so many steps; 0 leaves the environment's own horizon."""
    warmup: int = 1_000
    """Steps with uniformly random actions before the first fit."""
    hold: int = 1
    """Steps for which such an action is held; slow systems do not move where it changes all the time."""
    collect: int = 200
    """Steps with the policy from one fit to the next."""
    noise: float = 0.1
    """Standard deviation of the noise on its actions there, where the action's range is 2."""
    buffer_size: int = 8_000
    """Transitions the models are fitted to; the oldest go first."""
    library: str = "affine"
    """Terms of the dynamics: affine (in the actions), uncrossed (affine, no products of states), polynomial, or
    distances (polynomial, and |x0 - x1| of all pairs of observations)."""
    degree: int = 0
    """Of the dynamics' polynomials; 0: 2, or 1 where that would be too many terms."""
    ridge: float = 1e-6
    """Penalty of the dynamics' regression, per sample."""
    threshold: float = 0.01
    """Terms that move a target by less than this share of its own size are struck out of the dynamics."""
    reward_library: str = "polynomial"
    """Terms of the reward, in observations and actions; distances where it is how far one is from its reference."""
    reward_after: bool = False
    """The reward is one of the observation after the step, not before."""
    reward_degree: int = 0
    """Of its polynomials; 0: 2, or 1 where that would be too many terms."""
    reward_ridge: float = 1e-6
    """Penalty of the reward's regression, per sample."""
    reward_threshold: float = 0.003
    """As `threshold`, of the reward."""
    models: int = 20
    """In the ensemble whose median predicts."""
    dropped: int = 1
    """Terms that each of them does without."""
    margin: float = 0.1
    """Observations on the surrogate stay within what was observed, widened by this share on each side."""
    surrogate_envs: int = 64
    """Copies of the surrogate stepped together."""
    surrogate_horizon: int = 100
    """Steps of an episode on the surrogate, which begins at an observation from the buffer."""
    practice: int = 12_000
    """Steps on the surrogate after each fit."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Width of each hidden layer, of actor and critic alike."""
    activation: str = "relu"
    """Of the hidden layers: relu or tanh."""
    gamma: float = 0.99
    """Discount per step."""
    reward_scale: float = 1.0
    """Rewards are multiplied by it for the policy learner."""
    batch_size: int = 128
    """Transitions per update of the policy."""
    replay_size: int = 100_000
    """Transitions on the surrogate that are remembered."""
    update_ratio: float = 1 / 8
    """Updates of the policy per step on the surrogate."""
    actor_rate: float = 3e-4
    """Adam's learning rate for the actor."""
    critic_rate: float = 1e-3
    """Adam's learning rate for the critic."""
    final_rate: float = 0.1
    """Learning rates fall linearly to this fraction of themselves."""
    saturation_penalty: float = 0.1
    """Weight in the actor's loss of how far inputs of its final tanh lie beyond 2, squared."""
    policy_degree: int = 0
    """The policy is distilled into polynomials of this degree; 0 leaves the network."""

    def __post_init__(self) -> None:
        """Refuse values that no run can use.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        rules: Rules = (
            ("library reward_library", lambda v: v in LIBRARIES, " or ".join(LIBRARIES)),
            ("hold collect buffer_size models surrogate_envs surrogate_horizon practice",
             lambda v: v >= 1, "at least 1"),
            ("warmup", lambda v: v >= 2, "at least 2"),
            ("ridge reward_ridge actor_rate critic_rate", lambda v: v > 0, "more than 0"),
            ("gamma", lambda v: 0 <= v < 1, "at least 0 and less than 1"),
            ("noise threshold reward_threshold margin dropped saturation_penalty degree reward_degree policy_degree",
             lambda v: v >= 0, "at least 0"),
        )  # fmt: skip
        check_args("sindy_rl", self, rules)

    @property
    def agent(self) -> ddpg.Args:
        """Arguments of the policy learner: those of the same name, and its steps on the surrogate over the run."""
        own = {"steps", "num_envs", "episode_steps", "warmup"}
        names = {field.name for field in dataclasses.fields(ddpg.Args)} - own
        shared = {name: value for name, value in dataclasses.asdict(self).items() if name in names}
        fits = max(1, math.ceil((self.steps - self.warmup) / self.collect))
        return ddpg.Args(
            **shared,
            steps=fits * self.practice,
            num_envs=self.surrogate_envs,
            episode_steps=self.surrogate_horizon,
            warmup=10 * self.surrogate_envs,
        )


# The surrogate


@dataclasses.dataclass(frozen=True)
class World:
    """What is believed about an environment: sparse models, and what the data say of their limits.

    Observations (O,) and actions (A,) are flat here.
    """

    observation_space: spaces.Box
    action_space: spaces.Box
    dynamics: SparseModel
    """Change of the observation, from observation and action."""
    reward: SparseModel
    """From observation and action,"""
    reward_after: bool
    """of which the observation is the one after the step."""
    low: Array
    """Observations stay between this, (O,),"""
    high: Array
    """and this, (O,)."""
    is_fatal: NDArray[np.bool_]
    """Whether crossing them ends the episode: low and high, (2, O)."""
    rings: tuple[tuple[int, int, float], ...]
    """Pairs of observations, and the length of the pair beyond which the episode ends, as of currents in a motor."""
    rewards: tuple[float, float]
    """Least and largest reward."""
    last_reward: float
    """Mean reward of a step that ends an episode."""
    circles: tuple[tuple[int, int], ...]
    """Observations that are cosine and sine of one angle."""
    starts: Array
    """Observations with which episodes begin, (S, O)."""

    def step(self, observation: Array, action: NDArray[Any]) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return the next observations (N, O), rewards (N,), and which episodes (N,) are over."""
        both = np.concatenate((observation, action), axis=1)
        after = observation + self.dynamics(both)
        crossed = np.stack((after < self.low, after > self.high), axis=1)
        is_over = (crossed & self.is_fatal).any(axis=(1, 2))
        for one, other, radius in self.rings:
            is_over |= np.hypot(after[:, one], after[:, other]) > radius
        after = np.clip(after, self.low, self.high)
        for pair in self.circles:
            after[:, pair] /= np.maximum(np.linalg.norm(after[:, pair], axis=1, keepdims=True), 1e-9)
        seen = np.concatenate((after, action), axis=1) if self.reward_after else both
        reward = np.where(is_over, self.last_reward, np.clip(self.reward(seen)[:, 0], *self.rewards))
        return after, reward, np.asarray(is_over)

    def equations(self, observations: list[str] | None = None, actions: list[str] | None = None) -> list[str]:
        """Return the models as text: a line for the change of each observation, and one for the reward.

        Args:
            observations: their names; None for x0, x1, ...
            actions: their names; None for u0, u1, ...
        """
        observations = observations or numbered("x", self.starts.shape[1])
        actions = actions or numbered("u", math.prod(self.action_space.shape))
        variables = [*observations, *actions]
        changes = self.dynamics.equations(variables, [f"{name}' - {name}" for name in observations])
        paid_for = [*(f"{name}'" for name in observations), *actions] if self.reward_after else variables
        return [*changes, *self.reward.equations(paid_for, ["reward"])]


def make_libraries(states: int, controls: int, args: Args) -> tuple[Library, Library]:
    """Return the candidate terms of dynamics and reward.

    Raises:
        ValueError: more than can be fitted; says what to change.
    """
    dynamics = [LIBRARIES[args.library](states, controls, degree) for degree in _degrees(args.degree)]
    if args.degree == 0:
        dynamics.append(polynomial(states, controls, 1))
    reward = [LIBRARIES[args.reward_library](states, controls, degree) for degree in _degrees(args.reward_degree)]
    return (
        first_small(dynamics, f"degree = {args.degree}"),
        first_small(reward, f"reward_degree = {args.reward_degree}"),
    )


def _degrees(degree: int) -> tuple[int, ...]:
    """Return the degrees to try in turn."""
    return (degree,) if degree else (2, 1)


def first_small(libraries: Sequence[Library], setting: str) -> Library:
    """Return the first of ``libraries`` that can be fitted; ``setting`` is what they follow from.

    Raises:
        ValueError: all have too many terms; says what to change.
    """
    for library in libraries:
        if len(library) <= LARGEST_LIBRARY:
            return library
    size, variables = len(libraries[-1]), len(libraries[-1].powers[0])
    raise ValueError(
        f"sindy_rl: {setting} makes {size} terms of {variables} variables, but {LARGEST_LIBRARY} are allowed. "
        "Choose a lower degree, or for the dynamics library=uncrossed."
    )


def believe_nothing(observation_space: spaces.Box, action_space: spaces.Box, starts: Array) -> World:
    """Return a world in which nothing moves and nothing is earned."""
    states = starts.shape[1]
    constant = polynomial(states, math.prod(action_space.shape), 0)
    return World(
        observation_space,
        action_space,
        dynamics=SparseModel(constant, np.zeros((1, states))),
        reward=SparseModel(constant, np.zeros((1, 1))),
        reward_after=False,
        low=np.full(states, -np.inf),
        high=np.full(states, np.inf),
        is_fatal=np.zeros((2, states), np.bool_),
        rings=(),
        rewards=(0.0, 0.0),
        last_reward=0.0,
        circles=(),
        starts=starts,
    )


def learn_world(
    world: World, libraries: tuple[Library, Library], rows: tuple[Array, ...], args: Args, random: np.random.Generator
) -> World:
    """Return ``world`` as transitions tell it.

    Args:
        world: its spaces are kept.
        libraries: candidate terms of dynamics and reward.
        rows: columns of n transitions: s (n, O), a (n, A), r (n, 1), s' (n, O), and 1 where life goes on (n, 1).
        args: of the run.
        random: for the ensembles.
    """
    before, action, reward, after, goes_on = rows
    both, lives = np.concatenate((before, action), axis=1), goes_on[:, 0] > 0
    lasting, last = np.concatenate((before, after[lives])), after[~lives]
    low, high = lasting.min(axis=0), lasting.max(axis=0)
    is_fatal = np.stack(((last < low).any(axis=0), (last > high).any(axis=0)))
    margin = np.where(is_fatal, 0.0, args.margin * (high - low))
    space = world.observation_space
    still, circles = np.flatnonzero(low == high).tolist(), find_circles(lasting)
    dynamics, paying = (library.without(still, circles) for library in libraries)
    counts = args.models, args.dropped
    free = is_free(after, space)
    seen = np.concatenate((after, action), axis=1) if args.reward_after else both
    paid = lives if lives.any() else ~lives  # what the last step pays is told apart
    return dataclasses.replace(
        world,
        dynamics=fit(dynamics, both[free], (after - before)[free], args.ridge, args.threshold, random, *counts),
        reward=fit(paying, seen[paid], reward[paid], args.reward_ridge, args.reward_threshold, random, *counts),
        reward_after=args.reward_after,
        low=np.maximum(low - margin[0], space.low.ravel()),
        high=np.minimum(high + margin[1], space.high.ravel()),
        is_fatal=is_fatal,
        rings=find_rings(lasting, last[((last >= low) & (last <= high)).all(axis=1)]),
        rewards=(float(reward[paid].min()), float(reward[paid].max())),
        last_reward=float(reward[~lives].mean()) if last.size else 0.0,
        circles=circles,
        starts=before,
    )


def flat(rows: NDArray[Any]) -> NDArray[Any]:
    """Return ``rows`` (N, ...) as (N, size of a row)."""
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def is_free(observations: Array, space: spaces.Box) -> NDArray[np.bool_]:
    """Return which observations (N, O) lie inside the bounds of ``space``, (N,).

    One that was kept within its bounds does not tell how the system moves. Observations that never change do not count,
    and where bounds are met most of the time, they are where the system moves: all observations are free then.
    """
    moving = np.ptp(observations, axis=0) > 0
    free = ((observations > space.low.ravel()) & (observations < space.high.ravel()))[:, moving].all(axis=1)
    return np.asarray(free) if free.mean() > 0.5 else np.ones_like(free)


def find_circles(observations: Array) -> tuple[tuple[int, int], ...]:
    """Return the pairs of observations (N, O) that are cosine and sine of one angle, each in one pair at most."""
    pairs: list[tuple[int, int]] = []
    moving = np.flatnonzero(np.ptp(observations, axis=0) > 0)
    for first, second in itertools.combinations(moving.tolist(), 2):
        is_unpaired = not {first, second} & set(itertools.chain(*pairs))
        if is_unpaired and np.allclose(np.square(observations[:, (first, second)]).sum(axis=1), 1.0, atol=1e-4):
            pairs.append((first, second))
    return tuple(pairs)


def find_rings(lasting: Array, last: Array) -> tuple[tuple[int, int, float], ...]:
    """Return pairs of observations, and how long a pair can be where life goes on, that tell why it ended.

    Pairs are taken in the order of how many ends they explain that none before them did.

    Args:
        lasting: where life went on, (N, O).
        last: where it ended, (M, O), but for what bounds of single observations explain.
    """
    rings: list[tuple[int, int, float]] = []
    pairs = list(itertools.combinations(np.flatnonzero(np.ptp(lasting, axis=0) > 0).tolist(), 2))
    radii = [float(np.hypot(lasting[:, one], lasting[:, other]).max()) for one, other in pairs]
    while len(last) and pairs:
        is_beyond = [np.hypot(last[:, i], last[:, j]) > r for (i, j), r in zip(pairs, radii, strict=True)]
        best = int(np.argmax([beyond.sum() for beyond in is_beyond]))
        if not is_beyond[best].any():
            break
        rings.append((*pairs[best], radii[best]))
        last = last[~is_beyond[best]]
    return tuple(rings)


class SurrogateEnv(VectorEnv[Any, Any, Any]):
    """A `World` as environments that are stepped together."""

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(self, num_envs: int, max_episode_steps: int, world: World) -> None:
        """Make ``num_envs`` copies of ``world`` that are truncated after ``max_episode_steps``."""
        self.num_envs, self.horizon, self.world = num_envs, max_episode_steps, world
        self.single_observation_space, self.single_action_space = world.observation_space, world.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin everywhere at observations drawn from the world's; ``options`` are not read."""
        super().reset(seed=seed)
        self.state = self._draw(self.num_envs)
        self.age, self.is_over = np.zeros(self.num_envs, np.int64), np.zeros(self.num_envs, np.bool_)
        return self._observe(), {}

    def step(self, actions: NDArray[Any]) -> tuple[Any, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Move all by the world; those whose episode is over begin anew."""
        begins = self.is_over
        self.state, reward, terminated = self.world.step(self.state, flat(actions))
        self.state[begins] = self._draw(int(begins.sum()))
        self.age = np.where(begins, 0, self.age + 1)
        terminated &= ~begins
        truncated = ~terminated & (self.age >= self.horizon)
        self.is_over = terminated | truncated
        return self._observe(), np.where(begins, 0.0, reward), terminated, truncated, {}

    def _draw(self, count: int) -> Array:
        return self.world.starts[self.np_random.integers(len(self.world.starts), size=count)]

    def _observe(self) -> NDArray[Any]:
        space = self.single_observation_space
        return self.state.astype(space.dtype).reshape(self.num_envs, *(space.shape or ()))


#: What `DDPG` makes its environments of; the world comes as a keyword argument.
SURROGATE = EnvSpec("Surrogate-v0", vector_entry_point=SurrogateEnv)  # type: ignore[arg-type]


# The run


class SindyRL:
    """A run of SINDy-RL: call `learn`, take the `policy`; `save` and `load` in between as you like."""

    def __init__(self, env_id: str, env_kwargs: Mapping[str, Any] | None = None, args: Args | None = None) -> None:
        """Make the environments, a fresh policy learner, and a world about which nothing is known.

        Args:
            env_id: an id whose observations are a `Box` and whose actions are a bounded `Box`.
            env_kwargs: keyword arguments of the environment.
            args: the run's arguments.

        Raises:
            TypeError: spaces that SINDy-RL cannot use; says which kind is needed.
            ValueError: more candidate terms than can be fitted; says what to change.
        """
        self.args = args = args or Args()
        self.env_id = env_id
        self.envs = make_envs("SINDy-RL", env_id, env_kwargs, args)
        observation_space, action_space = self.envs.single_observation_space, self.envs.single_action_space
        if not isinstance(observation_space, spaces.Box):
            raise TypeError(f"SINDy-RL needs a Box of observations, but those of {env_id} are {observation_space}.")
        if not (isinstance(action_space, spaces.Box) and action_space.is_bounded()):
            raise TypeError(f"SINDy-RL needs a bounded Box of actions, but those of {env_id} are {action_space}.")
        self.action_space = action_space

        self.random = np.random.default_rng((args.seed, 1))  # of actions and ensembles
        states, controls = math.prod(observation_space.shape), math.prod(action_space.shape)
        self.libraries = make_libraries(states, controls, args)
        first_small([polynomial(states, 0, args.policy_degree)], f"policy_degree = {args.policy_degree}")
        self.buffer = ddpg.Replay(args.buffer_size, states, controls)
        self.step = 0
        self.fits = 0
        self.held = np.zeros((args.num_envs, *action_space.shape))  # random actions
        self.ended = np.zeros(args.num_envs, np.bool_)  # rows whose next step only resets them
        self.observation = self._reset()
        self.world = believe_nothing(observation_space, action_space, flat(self.observation).astype(np.float64))
        self.agent = ddpg.DDPG(SURROGATE, {"world": self.world}, args.agent)

    @property
    def policy(self) -> MlpPolicy | AssetsPolicy | PolynomialPolicy:
        """The policy as it is now: the network, or what `distil` makes of it where `Args.policy_degree` is set."""
        degree = self.args.policy_degree
        return self.distil(degree) if degree and self.fits else self.agent.policy

    @property
    def metrics(self) -> dict[str, float]:
        """Fits so far, how many terms the models have, steps on the surrogate, and the metrics of `DDPG`."""
        sizes = {"dynamics_terms": self.world.dynamics.size, "reward_terms": self.world.reward.size}
        return {"fits": self.fits, **sizes, "surrogate_steps": self.agent.step, **self.agent.metrics}

    def describe_model(self) -> str:
        """Return the equations of the surrogate, and those of the policy where it has some."""
        policy = self.policy
        return "\n".join([*self.world.equations(), *([str(policy)] if isinstance(policy, PolynomialPolicy) else [])])

    def draw_model(self, figure: Figure) -> None:
        """Draw which terms the equations have and, where there is little to see, where they lead."""
        from .sindy_figures import draw_world

        draw_world(figure, self.world, self._transitions())

    def learn(self, until: int, on_step: Callable[[int], None] = lambda step: None) -> None:
        """Go on until ``until`` steps have been taken; ``on_step`` is told the number after each, and in practice."""
        args = self.args
        while self.step < until:
            self._act()
            on_step(self.step)
            if self.step >= args.warmup + self.fits * args.collect:
                self.world = learn_world(self.world, self.libraries, self._transitions(), args, self.random)
                self.fits += 1
                self.agent.change_envs({"world": self.world})
                self.agent.learn(self.fits * args.practice, lambda _: on_step(self.step))

    def change_envs(self, env_kwargs: Mapping[str, Any]) -> None:
        """Go on in environments with other arguments and the same spaces; episodes under way are cut off.

        What was seen in the environments before leaves the buffer as that fills with what is seen now.

        Args:
            env_kwargs: keyword arguments of the environments from now on, all of them.
        """
        self.envs.close()
        self.envs = make_envs("SINDy-RL", self.env_id, env_kwargs, self.args)
        self.observation = self._reset()

    # Acting

    def _act(self) -> None:
        """Let every environment carry out one step, and remember what came of it."""
        shape = (self.args.num_envs, *self.action_space.shape)
        low, high = self.action_space.low, self.action_space.high
        if self.fits == 0:
            if self.step // self.args.num_envs % self.args.hold == 0:
                self.held = self.random.uniform(low, high, shape)
            action = self.held
        else:
            noise = self.args.noise * (high - low) / 2 * self.random.standard_normal(shape)
            action = np.clip(self.agent.policy.act(self.observation) + noise, low, high)
        action = action.astype(self.action_space.dtype)
        observation, reward, terminated, truncated, _ = self.envs.step(action)
        live = ~self.ended
        columns = self.observation, action, reward, observation, ~terminated
        self.buffer.add(*(flat(column[live]) for column in columns))
        self.observation, self.ended = observation, terminated | truncated
        self.step += self.args.num_envs

    def _reset(self) -> NDArray[Any]:
        """Start new episodes everywhere, from seeds that depend on the run's seed and the step alone."""
        self.ended = np.zeros(self.args.num_envs, np.bool_)
        observation: NDArray[Any] = self.envs.reset(seed=first_seed(self.args.seed, self.step))[0]
        return observation

    def _transitions(self) -> tuple[Array, ...]:
        """Return the buffer by columns."""
        rows = self.buffer.table[: len(self.buffer)].numpy().astype(np.float64)
        return tuple(np.split(rows, np.cumsum(self.buffer.columns)[:-1], axis=1))

    # Distilling

    def distil(self, degree: int, ridge: float = 1e-4) -> PolynomialPolicy:
        """Return the policy as sparse polynomials of the observations.

        It imitates the network where the network goes, in the world as it is believed to be, and nearby. Of several
        thresholds it takes the largest whose error, on observations that were held out, is within a tenth of the
        smallest.

        Args:
            degree: of the polynomials.
            ridge: see `fit`.
        """
        network, world, random = self.agent.policy, self.world, np.random.default_rng((self.args.seed, 3))
        seen = self._visited(network, random)
        held_out = len(seen) // 5
        still = np.flatnonzero(world.low == world.high).tolist()
        library = first_small([polynomial(seen.shape[1], 0, degree)], f"degree = {degree}").without(
            still, world.circles
        )
        labels = self._unbounded(seen)
        shape, counts = self.envs.single_observation_space.shape or (), (self.args.models, self.args.dropped)
        told = self._labels(network, seen[:held_out])
        found: list[tuple[float, PolynomialPolicy]] = []
        for threshold in THRESHOLDS:
            model = fit(library, seen[held_out:], labels[held_out:], ridge, threshold, random, *counts)
            policy = PolynomialPolicy(model, shape, self.action_space)
            error = float(np.mean((self._labels(policy, seen[:held_out]) - told) ** 2))
            found.append((error, policy))
        least = min(error for error, _ in found)
        return next(policy for error, policy in reversed(found) if error <= 1.1 * least)

    def _visited(self, network: Any, random: np.random.Generator) -> Array:
        """Return observations (N, O) where ``network`` goes in the world, and as many nearby, in random order."""
        world = self.world
        states = [world.starts[random.integers(len(world.starts), size=STARTS)]]
        for _ in range(self.args.surrogate_horizon):
            states.append(world.step(states[-1], self._labels(network, states[-1]))[0])
        visited = np.concatenate(states)
        near = visited + NEARBY * visited.std(axis=0) * random.standard_normal(visited.shape)
        return np.asarray(random.permutation(np.concatenate((visited, near))))

    def _unbounded(self, states: Array) -> Array:
        """Return what the actions (N, A) would be if bounds did not bend the network's outputs but cut them off."""
        low, high = self.action_space.low.ravel(), self.action_space.high.ravel()
        with torch.no_grad():
            scores = self.agent.network.scores(self.agent.actor, torch.from_numpy(states.astype(np.float32)))
        return np.asarray((low + high) / 2 + (high - low) / 2 * scores.clamp(-SPAN, SPAN).numpy().astype(np.float64))

    def _labels(self, policy: Any, states: Array) -> Array:
        """Return the flat actions (N, A) of ``policy`` at flat observations (N, O)."""
        space = self.world.observation_space
        shown = states.astype(space.dtype).reshape(len(states), *space.shape)
        return flat(np.asarray(policy.act(shown), np.float64))

    # Keeping

    def save(self, path: str | Path) -> None:
        """Write all that the rest of the run depends on to ``path``, atomically.

        The environments are part of that. Where they cannot be saved (no ``save_state``), new episodes are started now,
        here and in a run that is resumed from ``path``: both then have the same future.
        """
        envs = save_envs(self.envs)
        if envs is None:
            self.observation = self._reset()
        with tempfile.TemporaryDirectory() as folder:
            agent = Path(folder) / "agent"
            self.agent.save(agent)
            content = {
                "agent": agent.read_bytes(),
                "world": self.world,
                "buffer": (self.buffer.count, self.buffer.table[: len(self.buffer)].clone()),
                "random": self.random.bit_generator.state,
                "progress": (self.step, self.fits),
                "acting": (self.ended, self.observation, self.held),
                "envs": envs,
            }
        write_checkpoint(path, self.args, content)

    def load(self, path: str | Path) -> None:
        """Continue from what `save` wrote. The file holds Python objects: load only what you wrote yourself.

        Raises:
            ValueError: it was written by a run with other arguments; names the first that differs.
        """
        checkpoint = read_checkpoint(path, self.args)
        self.world = checkpoint["world"]
        self.agent.change_envs({"world": self.world})
        with tempfile.TemporaryDirectory() as folder:
            agent = Path(folder) / "agent"
            agent.write_bytes(checkpoint["agent"])
            self.agent.load(agent)
        self.buffer.count, rows = checkpoint["buffer"]
        self.buffer.table[: len(rows)] = rows
        self.random.bit_generator.state = checkpoint["random"]
        self.step, self.fits = checkpoint["progress"]
        self.ended, self.observation, self.held = checkpoint["acting"]
        if checkpoint["envs"] is None:
            self.observation = self._reset()
        else:
            load_envs(self.envs, checkpoint["envs"])
