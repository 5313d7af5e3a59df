"""Planners for environments that hand out a model of themselves and a formula of signal temporal logic.

A formula speaks of a whole episode, and the models are exact: so a planner plans all of an episode's actions at its
start, from the first observation, and carries them out. To plan again at each step would be nothing but more search.
Each is a policy, ``reset()`` and ``act(observation, info)``, for one episode or for a batch side by side:
`RandomShooting`, `CEM`, `Gradient` search anew for each start; a `NeuralPlanner` has learned to propose plans (see
`rlx.baselines.stl_npc`), takes the best, and searches near its proposals where none satisfies the formula.

What is drawn at random does not depend on the start: a plan is a function of the observation, alone or in a batch.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlx.envs.core.stl import Formula

from .policy import PLANNER, Layers, find_layers, name_layers, write_arrays

Plans = NDArray[np.float32]  # as environments take actions, so that what is judged is what is carried out
Scores = NDArray[np.float64]

#: Numbers of signals that are judged at once.
BLOCK = 2**20
#: From an action of a drawn plan to the next: plans that jitter hardly move anything.
CORRELATION = 0.8


class Model(Protocol):
    """What ``env.unwrapped.model()`` returns: roll-outs of an episode of T steps, and what is asked of its signals."""

    @property
    def formula(self) -> Formula:
        """The formula."""

    @property
    def length(self) -> int:
        """Steps of an episode, T."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals, S, in the order of the roll-outs."""

    @property
    def action_low(self) -> NDArray[np.float64]:
        """The smallest action, (A,)."""

    @property
    def action_high(self) -> NDArray[np.float64]:
        """The largest action, (A,)."""

    def rollout(self, observations: Any, controls: Any) -> NDArray[np.float64]:
        """Return signals (N, K, T + 1, S) from observations (N, D) on, under controls (N, K, T, A)."""

    def torch_rollout(self, observations: Any, controls: Any) -> Any:
        """Return the same for tensors, differentiable."""


def model_of(env_id: str, env_kwargs: Mapping[str, Any] | None = None) -> Model:
    """Return the model of an environment.

    Raises:
        TypeError: it has none.
    """
    env = gymnasium.make(env_id, **(env_kwargs or {}))
    env.close()
    if not hasattr(env.unwrapped, "model"):
        raise TypeError(
            f"{env_id} has no model to plan with: env.unwrapped.model() is needed, as rlx/STL-Traffic-v0 has it."
        )
    model: Model = env.unwrapped.model()
    return model


def judge(model: Model, observations: NDArray[Any], plans: NDArray[Any]) -> Scores:
    """Return the robustness (N, K) of plans (N, K, T, A) that start in observations (N, D): exact, not smoothed."""
    # As many starts at once as keep the signals within some megabytes.
    rows = max(1, BLOCK // (plans.shape[1] * (plans.shape[2] + 1) * len(model.signals)))
    parts = []
    for i in range(0, len(plans), rows):
        signals = model.rollout(observations[i : i + rows], plans[i : i + rows])
        parts.append(model.formula.robustness(by_name(model, signals)))
    return np.concatenate(parts)


def by_name(model: Model, signals: Any) -> dict[str, Any]:
    """Return signals (..., S) by name, each (...)."""
    return {name: signals[..., j] for j, name in enumerate(model.signals)}


def judge_smoothly(model: Model, observations: Any, plans: Any, temperature: float) -> Any:
    """Return the smooth robustness (N, K) of plans (N, K, T, A), differentiable; all are tensors."""
    from rlx.envs.core.stl.smooth import robustness

    signals = by_name(model, model.torch_rollout(observations, plans))
    flat = {name: signal.flatten(0, 1) for name, signal in signals.items()}
    return robustness(model.formula, flat, temperature=temperature).reshape(plans.shape[:2])


def draw(model: Model, random: np.random.Generator, count: int) -> Plans:
    """Return noise (1, count, T, A) of standard deviation 1 where an action's range is 2, correlated over time."""
    noise: Plans = random.standard_normal((1, count, model.length, len(model.action_low)), np.float32)
    for t in range(1, model.length):
        noise[:, :, t] = CORRELATION * noise[:, :, t - 1] + (1.0 - CORRELATION**2) ** 0.5 * noise[:, :, t]
    return np.asarray(noise * half_width(model))


def bounded(model: Model, plans: NDArray[Any]) -> Plans:
    """Return plans (..., A) with actions within their bounds."""
    low, high = model.action_low.astype(np.float32), model.action_high.astype(np.float32)
    return np.asarray(np.clip(plans, low, high), np.float32)


def middle(model: Model) -> Plans:
    """Return the middle of the actions' bounds, (A,)."""
    return np.asarray(0.5 * (model.action_low + model.action_high), np.float32)


def half_width(model: Model) -> Plans:
    """Return half the actions' ranges, (A,)."""
    return np.asarray(0.5 * (model.action_high - model.action_low), np.float32)


def best_of(plans: Plans, scores: Scores, count: int) -> tuple[Plans, Scores]:
    """Return the best of plans (N, K, T, A) by scores (N, K), best first, and their scores."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    chosen: Plans = np.take_along_axis(plans, order[:, :, None, None], 1)
    return chosen, np.take_along_axis(scores, order, 1)


PARENTS = 4  # of the best plans, near which the next are drawn
SPREADS = (0.03, 1.0)  # standard deviation of what is added to a plan, smallest and largest
ANEW = 0.25  # share of plans that are drawn anew, near none


def search(
    model: Model,
    observations: NDArray[Any],
    plans: Plans,
    random: np.random.Generator,
    rounds: int = 1,
    candidates: int = 64,
) -> tuple[Plans, Scores]:
    """Look for plans that satisfy the formula, near given ones: an evolution that keeps the best and stops at success.

    Args:
        model: what is planned with.
        observations: where plans start, (N, D).
        plans: the first of them, (N, K, T, A).
        random: of what is drawn; the same for all starts.
        rounds: how often plans are drawn near the best so far, at most.
        candidates: plans drawn each time, per start.

    Returns:
        The best plans (N, T, A), never worse than the best that was given, and their robustness (N,).
    """
    parents, scores = best_of(plans, judge(model, observations, plans), PARENTS)
    for _ in range(rounds):
        (open_,) = np.nonzero(scores[:, 0] < 0.0)
        if not len(open_):
            break
        noise = draw(model, random, candidates)
        chosen = random.integers(parents.shape[1], size=candidates)
        spreads = np.exp(random.uniform(np.log(SPREADS[0]), np.log(SPREADS[1]), (candidates, 1, 1))).astype(np.float32)
        children = parents[open_][:, chosen] + spreads * noise
        anew = int(ANEW * candidates)
        children[:, :anew] = middle(model) + noise[:, :anew]
        children = bounded(model, children)
        pool = np.concatenate([parents[open_], children], 1)
        told = np.concatenate([scores[open_], judge(model, observations[open_], children)], 1)
        parents[open_], scores[open_] = best_of(pool, told, parents.shape[1])
    return parents[:, 0], scores[:, 0]


class Planner(abc.ABC):
    """A policy that plans an episode at its start: call `reset` before each."""

    is_batched = True

    def __init__(self, model: Model) -> None:
        """Plan with ``model``."""
        self.model = model
        self.reset()

    @abc.abstractmethod
    def plan(self, observations: NDArray[np.float32]) -> Plans:
        """Return plans (N, T, A) for observations (N, D) of the starts of episodes."""

    def reset(self) -> None:
        """Forget the plan: the next action is an episode's first."""
        self._step = 0

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> Plans:
        """Return the next action (A,) of the plan, or a batch of them (N, A)."""
        observation = np.asarray(observation, np.float32)
        t = self._step % self.model.length
        if t == 0:
            self._plans = self.plan(np.atleast_2d(observation))
        self._step += 1
        actions = self._plans[:, t]
        return actions if observation.ndim > 1 else actions[0]


class RandomShooting(Planner):
    """Draws plans and takes the best."""

    def __init__(self, model: Model, candidates: int = 2_000, seed: int = 0) -> None:
        """Plan with ``model``: draw ``candidates`` plans, as ``seed`` has it."""
        super().__init__(model)
        self.candidates, self.seed = candidates, seed

    def plan(self, observations: NDArray[np.float32]) -> Plans:
        """Return the best plans (N, T, A)."""
        noise = draw(self.model, np.random.default_rng(self.seed), self.candidates)
        plans = np.repeat(bounded(self.model, middle(self.model) + noise), len(observations), 0)
        return best_of(plans, judge(self.model, observations, plans), 1)[0][:, 0]


class CEM(Planner):
    """The cross-entropy method: plans are drawn from a normal distribution, which is fitted to the best of them.

    De Boer et al., "A tutorial on the cross-entropy method", Annals of Operations Research 134, 2005; with noise that
    is correlated over time, as Pinneri et al. ("Sample-efficient cross-entropy method for real-time planning", CoRL
    2020) found to matter.
    """

    def __init__(
        self,
        model: Model,
        iterations: int = 20,
        candidates: int = 1_000,
        elites: int = 50,
        has_patience: bool = True,
        seed: int = 0,
    ) -> None:
        """Plan with ``model``.

        Args:
            model: what is planned with.
            iterations: how often the distribution is fitted.
            candidates: plans drawn each time.
            elites: the best of them, to which it is fitted.
            has_patience: go on when a plan satisfies the formula, towards a larger robustness.
            seed: of what is drawn.
        """
        super().__init__(model)
        self.iterations, self.candidates, self.elites = iterations, candidates, elites
        self.has_patience, self.seed = has_patience, seed

    def plan(self, observations: NDArray[np.float32]) -> Plans:
        """Return the best plans seen (N, T, A)."""
        random, model = np.random.default_rng(self.seed), self.model
        shape = (len(observations), 1, model.length, len(model.action_low))
        mean, spread = np.broadcast_to(middle(model), shape).copy(), np.ones(shape, np.float32)
        best, scores = mean.copy(), judge(model, observations, mean)
        for _ in range(self.iterations):
            (open_,) = np.nonzero(self.has_patience | (scores[:, 0] < 0.0))
            if not len(open_):
                break
            plans = bounded(model, mean[open_] + spread[open_] * draw(model, random, self.candidates))
            elites, told = best_of(plans, judge(model, observations[open_], plans), self.elites)
            mean[open_], spread[open_] = elites.mean(1, keepdims=True), elites.std(1, keepdims=True)
            is_better = told[:, :1] > scores[open_]
            best[open_] = np.where(is_better[..., None, None], elites[:, :1], best[open_])
            scores[open_] = np.maximum(scores[open_], told[:, :1])
        return best[:, 0]


class Gradient(Planner):
    """Climbs the gradient of the smooth robustness through the model, from several plans at once (Adam); needs torch.

    Pant, Abbas and Mangharam, "Smooth operator: control using the smooth robustness of temporal logic", CCTA 2017.
    """

    def __init__(
        self,
        model: Model,
        iterations: int = 100,
        restarts: int = 16,
        rate: float = 0.1,
        temperature: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Plan with ``model``.

        Args:
            model: what is planned with.
            iterations: steps of Adam.
            restarts: plans improved side by side.
            rate: learning rate, where an action's range is 2.
            temperature: of the smooth robustness.
            seed: of the first plans.
        """
        super().__init__(model)
        self.iterations, self.restarts = iterations, restarts
        self.rate, self.temperature, self.seed = rate, temperature, seed

    def plan(self, observations: NDArray[np.float32]) -> Plans:
        """Return the best plans seen (N, T, A)."""
        import torch

        model, starts = self.model, torch.from_numpy(observations)
        low, high = (torch.tensor(bound, dtype=torch.float32) for bound in (model.action_low, model.action_high))
        noise = draw(model, np.random.default_rng(self.seed), self.restarts)
        plans = torch.from_numpy(
            np.repeat(bounded(model, middle(model) + noise), len(observations), 0)
        ).requires_grad_()
        adam = torch.optim.Adam([plans], self.rate)
        best = np.full((len(observations), *plans.shape[2:]), np.nan, np.float32)
        scores = np.full(len(observations), -np.inf)
        for _ in range(self.iterations):
            value = judge_smoothly(model, starts, plans, self.temperature)
            adam.zero_grad()
            (-value.sum()).backward()
            adam.step()
            with torch.no_grad():
                plans.clamp_(low, high)
            now, told = best_of(plans.detach().numpy(), judge(model, observations, plans.detach().numpy()), 1)
            best = np.where((told > scores[:, None])[..., None], now[:, 0], best)
            scores = np.maximum(scores, told[:, 0])
        return best


class NeuralPlanner(Planner):
    """A network that proposes several plans for a start; needs no torch.

    The best by exact robustness is taken. Where even that violates the formula, the backup searches near the proposals;
    what it returns is never worse. It knows the environment as it was trained in, not the context of an episode.
    """

    def __init__(
        self,
        layers: Layers,
        env_id: str,
        env_kwargs: Mapping[str, Any],
        backup: tuple[int, int] = (0, 0),
    ) -> None:
        """Take over trained weights.

        Args:
            layers: weight (inputs, outputs) and bias (outputs,) of each layer, in order, relu between; the outputs are
                as many plans as they have room for, before a tanh.
            env_id: the environment whose model is planned with.
            env_kwargs: its keyword arguments, as JSON can hold them.
            backup: rounds of the search, and plans drawn in each; 0 rounds: no search.
        """
        self.layers = [(np.ascontiguousarray(w, np.float32), np.asarray(b, np.float32)) for w, b in layers]
        self.env_id, self.env_kwargs, self.backup = env_id, dict(env_kwargs), backup
        super().__init__(model_of(env_id, env_kwargs))
        self._center, self._half_width = middle(self.model), half_width(self.model)

    def propose(self, observations: NDArray[np.float32]) -> Plans:
        """Return the network's plans (N, M, T, A) for observations (N, D)."""
        x, (weight, bias) = observations, self.layers[-1]
        for hidden_weight, hidden_bias in self.layers[:-1]:
            x = np.maximum(x @ hidden_weight + hidden_bias, 0.0)
        outputs = np.tanh(x @ weight + bias).reshape(len(x), -1, self.model.length, len(self._center))
        return np.asarray(self._center + self._half_width * outputs)

    def plan(self, observations: NDArray[np.float32]) -> Plans:
        """Return the best proposals (N, T, A), or what the backup makes of them."""
        rounds, candidates = self.backup
        return search(
            self.model, observations, self.propose(observations), np.random.default_rng(0), rounds, candidates
        )[0]

    def save(self, path: str | Path) -> None:
        """Write the policy to ``path`` (an ``.npz``), atomically."""
        description = {
            "env_id": self.env_id,
            "env_kwargs": self.env_kwargs,
            "backup": self.backup,
            "layers": {"plans": len(self.layers)},
        }
        write_arrays(path, {PLANNER: np.array(json.dumps(description)), **name_layers({"plans": self.layers})})

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> NeuralPlanner:
        """Return the policy whose arrays `save` wrote."""
        description = json.loads(str(arrays[PLANNER]))
        layers = find_layers(description["layers"], arrays)["plans"]
        return cls(layers, description["env_id"], description["env_kwargs"], tuple(description["backup"]))
