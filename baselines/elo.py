"""Elo ratings from games between two seats, by the model of Bradley and Terry (1952, https://doi.org/10.2307/2334029).

The agent's score in a game is 1, 1/2 or 0; it is expected to be 1 / (1 + 10^(-d / 400)), where d is the agent's rating
less the opponent's, plus what its seat is worth (Davidson and Beaver 1977, Biometrics 33, 693-702): who moves first, or
has more hit points, wins more often at equal strength.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Elo per unit of the logistic function's argument.
SCALE = 400.0 / np.log(10.0)
#: Standard deviation, in Elo, of a normal prior on ratings and seat. A hundred games leave nothing of it; but it keeps
#: the ratings of those who win, or lose, every game finite.
PRIOR = 1000.0
#: Standard errors from the middle of a 95 % interval to its ends.
WIDTH = 1.96

Array = NDArray[np.float64]


class Match(NamedTuple):
    """Games of two players in the same seats; won and lost by the agent."""

    agent: str
    opponent: str
    wins: int
    draws: int
    losses: int

    @property
    def games(self) -> int:
        """How many."""
        return self.wins + self.draws + self.losses

    @property
    def score(self) -> float:
        """The agent's, from 0 to 1; a draw counts as half a win."""
        return (self.wins + self.draws / 2) / self.games


@dataclasses.dataclass(frozen=True)
class Rating:
    """A number of Elo points."""

    elo: float
    error: float
    """From the middle of the 95 % interval to its ends. It tells the chance in the games, as far as the model holds."""

    def __str__(self) -> str:
        """Return it in whole points."""
        return f"{self.elo:.0f} ± {self.error:.0f}"


@dataclasses.dataclass(frozen=True)
class Ratings:
    """What games tell of the strength of players."""

    players: dict[str, Rating]
    """Of everybody, by name. Intervals are those of the distance from the mean of all players, so that they do not
    depend on how well the anchor is known."""
    seat: Rating
    """What it is worth to be the agent."""

    def expected(self, match: Match) -> float:
        """Return the agent's score that the ratings expect of a match."""
        lead = self.players[match.agent].elo - self.players[match.opponent].elo + self.seat.elo
        return float(1.0 / (1.0 + 10.0 ** (-lead / 400.0)))


def rate(matches: Iterable[Match], anchor: str) -> Ratings:
    """Return the likeliest ratings, by Newton's method.

    A draw counts as half a win, which makes the intervals a little too wide. They are as wide as the prior where nobody
    has sat in both seats, so that ratings cannot be told from what the seat is worth.

    Args:
        matches: between players of whom each is connected to each other one by games.
        anchor: the player whose rating is 0.
    """
    matches = list(matches)
    players = list(dict.fromkeys([anchor, *(name for match in matches for name in match[:2])]))
    games = np.array([match.games for match in matches])
    scores = np.array([match.score for match in matches])
    # A row per match; the columns are the players but for the anchor, who is none, and the seat.
    design = np.zeros((len(matches), len(players)))
    places = {name: place - 1 for place, name in enumerate(players)}
    for row, match in zip(design, matches, strict=True):
        row[places[match.agent]] += 1.0
        row[places[match.opponent]] -= 1.0
    design[:, -1] = 1.0  # where the anchor stood

    prior = (SCALE / PRIOR) ** 2
    strength = np.zeros(len(players))
    for _ in range(1000):
        expected = 1.0 / (1.0 + np.exp(-design @ strength))
        slope = design.T @ (games * (scores - expected)) - prior * strength
        information = (design.T * (games * expected * (1.0 - expected))) @ design + prior * np.eye(len(players))
        step = np.linalg.solve(information, slope)
        strength += step / max(1.0, np.abs(step).max())  # short enough not to leap over the maximum
        if np.abs(step).max() < 1e-9:
            break
    covariance = np.linalg.inv(information)
    parts = np.eye(len(players), k=-1)  # of which a player's rating is made; the anchor's of none
    from_mean = parts - parts.mean(axis=0)
    ratings = parts @ strength
    errors = np.sqrt(np.diag(from_mean @ covariance @ from_mean.T))
    return Ratings(
        {name: _rating(*told) for name, *told in zip(players, ratings, errors, strict=True)},
        _rating(strength[-1], np.sqrt(covariance[-1, -1])),
    )


def _rating(strength: float, error: float) -> Rating:
    return Rating(SCALE * float(strength), WIDTH * SCALE * float(error))
