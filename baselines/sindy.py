"""Ensemble SINDy: sparse polynomials found in data, and a policy that is one.

Sparse identification of nonlinear dynamics (Brunton, Proctor and Kutz, PNAS 113, 2016) regresses what is sought on a
library of candidate terms and strikes out small coefficients, again and again (sequentially thresholded least squares,
STLSQ). Its ensemble (Fasel et al., Proc. R. Soc. A 478, 2022) fits many resampled data sets and libraries, and takes
the median of their coefficients. Reading order: `Library`, `stlsq`, `fit`, `SparseModel`, `PolynomialPolicy`.

STLSQ needs of the data no more than the Gram matrix of the terms, so that one pass over the samples serves all targets
and all rounds of thresholding.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .policy import POLYNOMIAL, describe_space, read_space, write_arrays

Array = NDArray[np.float64]
ROUNDS = 20  # of thresholding, at most


# Candidate terms


@dataclasses.dataclass(frozen=True)
class Library:
    """Monomials of V variables, of which each is an earlier one times a variable, and distances between variables."""

    powers: tuple[tuple[int, ...], ...]
    """Of each monomial the powers of its V variables; ordered by degree, the constant first."""
    pairs: tuple[tuple[int, int], ...] = ()
    """Variables between which the distances are; these P terms come after the monomials."""

    def __len__(self) -> int:
        """Return P, how many terms there are."""
        return len(self.powers) + len(self.pairs)

    def __call__(self, variables: NDArray[Any]) -> Array:
        """Return the terms (N, P) at ``variables`` (N, V)."""
        columns = np.ascontiguousarray(variables.T, np.float64)
        terms = np.ones((len(self), columns.shape[1]))
        for block, parents, factors in self._blocks:
            terms[block] = terms[parents] * columns[factors]
        for row, (one, other) in enumerate(self.pairs, len(self.powers)):
            np.abs(columns[one] - columns[other], out=terms[row])
        return terms.T

    def names(self, variables: Sequence[str]) -> list[str]:
        """Return the terms as text, such as ``x0^2 u0`` or ``|x0 - x1|``."""
        monomials = [
            " ".join(
                f"{name}^{power}" if power > 1 else name for name, power in zip(variables, powers, strict=True) if power
            )
            for powers in self.powers
        ]
        return [*monomials, *(f"|{variables[one]} - {variables[other]}|" for one, other in self.pairs)]

    def without(self, still: Collection[int], circles: Sequence[tuple[int, int]]) -> Library:
        """Return the terms whose coefficients are unique where variables depend on each other.

        Args:
            still: variables that never change; a term has the same samples with and without them.
            circles: pairs that are cosine and sine of one angle, where sin^2 is 1 - cos^2.
        """
        sines = {sine for _, sine in circles}
        return Library(
            tuple(term for term in self.powers if not any(term[v] for v in still) and all(term[v] < 2 for v in sines)),
            tuple(pair for pair in self.pairs if not set(pair) & set(still)),
        )

    @functools.cached_property
    def _blocks(self) -> list[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
        """Of each degree from 1 on: where its terms are, and which earlier term times which variable each is."""
        place = {powers: k for k, powers in enumerate(self.powers)}
        blocks = []
        for degree, group in itertools.groupby(self.powers, key=sum):
            members = list(group)
            if degree == 0:
                continue
            factors = [max(v for v, power in enumerate(powers) if power) for powers in members]
            parents = [
                place[tuple(power - (v == factor) for v, power in enumerate(powers))]
                for powers, factor in zip(members, factors, strict=True)
            ]
            first = place[members[0]]
            blocks.append((slice(first, first + len(members)), np.array(parents), np.array(factors)))
        return blocks


def _ordered(powers: Any) -> Library:
    """Return a library in the usual order: by degree, then x0^2, x0 x1, x1^2."""
    return Library(tuple(sorted(set(powers), key=lambda term: (sum(term), [-power for power in term]))))


def polynomial(states: int, controls: int, degree: int) -> Library:
    """Return all monomials of states and controls up to ``degree``."""
    return _ordered(_monomials(states + controls, degree))


def affine(states: int, controls: int, degree: int) -> Library:
    """Return the monomials of the states up to ``degree``, alone and times each control: a control-affine system."""
    return _ordered(_times_controls(_monomials(states, degree), controls))


def uncrossed(states: int, controls: int, degree: int) -> Library:
    """Return the powers of each state up to ``degree``, alone and times each control."""
    pure = [term for term in _monomials(states, degree) if sum(power > 0 for power in term) <= 1]
    return _ordered(_times_controls(pure, controls))


def distances(states: int, controls: int, degree: int) -> Library:
    """Return all monomials up to ``degree``, and the distances between states: how far one is from its reference."""
    return Library(polynomial(states, controls, degree).powers, tuple(itertools.combinations(range(states), 2)))


#: name -> what makes a library from the numbers of states and controls and a degree.
LIBRARIES: dict[str, Callable[[int, int, int], Library]] = {
    "affine": affine,
    "distances": distances,
    "polynomial": polynomial,
    "uncrossed": uncrossed,
}


def _monomials(variables: int, degree: int) -> list[tuple[int, ...]]:
    """Return the powers of all monomials up to ``degree``."""
    choices = itertools.chain.from_iterable(
        itertools.combinations_with_replacement(range(variables), d) for d in range(degree + 1)
    )
    return [tuple(choice.count(v) for v in range(variables)) for choice in choices]


def _times_controls(terms: list[tuple[int, ...]], controls: int) -> list[tuple[int, ...]]:
    """Return terms of the states alone, and times each control."""
    factors = [tuple(int(v == control) for v in range(controls)) for control in range(-1, controls)]
    return [term + factor for term in terms for factor in factors]


# Regression


def stlsq(gram: Array, moments: Array, ridge: float, threshold: float, allowed: NDArray[np.bool_]) -> Array:
    """Return sparse coefficients by sequentially thresholded ridge regression.

    Each round solves the regression of every target on the terms it still has, and strikes out those whose coefficient
    is smaller than ``threshold``, until nothing changes. The survivors keep the (tiny) bias of the ridge: without it,
    terms that depend on each other, like 1, cos^2 and sin^2, have no unique coefficients.

    Args:
        gram: products of the terms, (P, P).
        moments: products of terms and targets, (P, T).
        ridge: penalty on squared coefficients, added to the diagonal of ``gram``.
        threshold: below which a coefficient is struck out.
        allowed: terms to begin with, (P,).

    Returns:
        The coefficients, (P, T).
    """
    active = np.repeat(allowed[None], moments.shape[1], axis=0)  # (T, P)
    diagonal = np.arange(len(gram))
    coefficients = np.zeros(active.shape)
    for _ in range(ROUNDS):
        # A term that is struck out is solved for all the same, by an equation of its own that says it is zero.
        system = gram * (active[:, :, None] & active[:, None, :])
        system[:, diagonal, diagonal] += np.where(active, ridge, 1.0)
        solved = np.linalg.solve(system, (moments.T * active)[:, :, None])
        coefficients = np.asarray(solved[:, :, 0], np.float64)
        kept = active & (np.abs(coefficients) >= threshold)
        if np.array_equal(kept, active):
            break
        active = kept
    return np.asarray((coefficients * active).T)


@dataclasses.dataclass(frozen=True)
class SparseModel:
    """Targets as sparse sums of terms."""

    library: Library
    coefficients: Array
    """Of each term in each target, (P, T)."""

    def __call__(self, variables: NDArray[Any]) -> Array:
        """Return the targets (N, T) at ``variables`` (N, V)."""
        return np.asarray(self.library(variables) @ self.coefficients)

    @property
    def size(self) -> int:
        """How many coefficients are not zero."""
        return int(np.count_nonzero(self.coefficients))

    def equations(self, variables: Sequence[str], targets: Sequence[str]) -> list[str]:
        """Return a line per target, such as ``y = 0.5 - 2 x0^2``.

        Args:
            variables: their names, V of them.
            targets: what stands left of the equals signs, T of them.
        """
        terms = self.library.names(variables)
        return [f"{name} = {_sum(column, terms)}" for name, column in zip(targets, self.coefficients.T, strict=True)]


def _sum(coefficients: Array, terms: list[str]) -> str:
    """Return a sum of terms as text."""
    parts = [
        f"{'-' if value < 0 else '+'} {f'{abs(value):.4g} {term}'.rstrip()}"
        for value, term in zip(coefficients, terms, strict=True)
        if value
    ]
    text = " ".join(parts).removeprefix("+ ") or "0"
    return "-" + text.removeprefix("- ") if text.startswith("- ") else text


def fit(
    library: Library,
    variables: NDArray[Any],
    targets: NDArray[Any],
    ridge: float,
    threshold: float,
    random: np.random.Generator,
    models: int = 20,
    dropped: int = 1,
) -> SparseModel:
    """Fit an ensemble of sparse models, each to resampled rows and without some terms; return their median.

    Terms and targets are first divided by their root mean squares, so that ``ridge`` and ``threshold`` have no units: a
    term is struck out where it moves the target by less than ``threshold`` of the target's own size.

    Args:
        library: candidate terms.
        variables: at the samples, (N, V).
        targets: at the samples, (N, T).
        ridge: per sample, see `stlsq`.
        threshold: see `stlsq`.
        random: draws rows (with replacement) and dropped terms.
        models: in the ensemble.
        dropped: terms that each model has to do without, drawn anew for each.
    """
    terms = library(variables)
    targets = np.asarray(targets, np.float64)
    term_size, target_size = root_mean_square(terms), root_mean_square(targets)
    terms, targets = terms / term_size, targets / target_size
    members = []
    for _ in range(models):
        count = np.bincount(random.integers(len(terms), size=len(terms)), minlength=len(terms))
        weighted = (terms * count[:, None]).T / len(terms)
        allowed = np.ones(terms.shape[1], np.bool_)
        allowed[random.choice(terms.shape[1], dropped, replace=False)] = False
        members.append(stlsq(weighted @ terms, weighted @ targets, ridge, threshold, allowed))
    return SparseModel(library, np.median(members, axis=0) / term_size[:, None] * target_size)


def root_mean_square(columns: Array) -> Array:
    """Return the root mean square of each column of (N, C), and 1 where that is 0."""
    size = np.sqrt(np.mean(columns**2, axis=0))
    return np.where(size > 0, size, 1.0)


# A policy


class PolynomialPolicy:
    """Maps observations to the actions of a bounded `Box` by sparse polynomials, kept within the bounds.

    It takes one observation (shape of the observation space) or a batch of them (N, ...), and prints as equations.
    """

    is_batched = True

    def __init__(self, model: SparseModel, observation_shape: tuple[int, ...], action_space: spaces.Box) -> None:
        """Take over a fitted model.

        Args:
            model: from flattened observations to flattened actions.
            observation_shape: of one observation.
            action_space: where the actions lie.
        """
        self.model, self.observation_shape, self.action_space = model, observation_shape, action_space

    def reset(self) -> None:
        """Do nothing: the action depends on the observation alone."""

    def act(self, observation: Any, info: dict[str, Any] | None = None) -> NDArray[Any]:
        """Return the action, or a batch of them, for ``observation``."""
        observation, space = np.asarray(observation), self.action_space
        batch = observation.shape[: observation.ndim - len(self.observation_shape)]
        rows = observation.reshape(-1, len(self.model.library.powers[0]))
        action = self.model(rows).reshape(*batch, *space.shape)
        clipped: NDArray[Any] = np.clip(action, space.low, space.high).astype(space.dtype)
        return clipped

    def save(self, path: str | Path) -> None:
        """Write the policy to ``path`` (an ``.npz``), atomically."""
        description = {"observation_shape": self.observation_shape, "actions": describe_space(self.action_space)}
        powers, coefficients = np.array(self.model.library.powers), self.model.coefficients
        described = np.array(json.dumps(description))
        write_arrays(path, {POLYNOMIAL: described, "powers": powers, "coefficients": coefficients})

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> PolynomialPolicy:
        """Return the policy whose arrays `save` wrote."""
        description = json.loads(str(arrays[POLYNOMIAL]))
        library = Library(tuple(map(tuple, arrays["powers"].tolist())))
        action_space: Any = read_space(description["actions"])
        model = SparseModel(library, arrays["coefficients"])
        return cls(model, tuple(description["observation_shape"]), action_space)

    def __str__(self) -> str:
        """Return an equation per action, in observations x0, x1, ...; the bounds are not shown."""
        inputs, actions = len(self.model.library.powers[0]), self.model.coefficients.shape[1]
        return "\n".join(self.model.equations(numbered("x", inputs), numbered("u", actions)))


def numbered(letter: str, count: int) -> list[str]:
    """Return names such as x0, x1, x2."""
    return [f"{letter}{k}" for k in range(count)]
