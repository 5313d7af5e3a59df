"""A game of the embedded engine, as the protocol drives it."""

from __future__ import annotations

import functools

import numpy as np
from gymnasium.utils import seeding

from ...core.jit import bound
from ...core.random import new_stream
from .. import layers, orders, serving
from ..env import SC2Env
from ..params import NONE
from ..records import MAP, Array
from .abilities import FIRST_TAG, WORTH

#: Width and height in pixels.
Size = tuple[int, int]
#: Bits per pixel of each layer, as the game has them; those that are not named have one.
BITS = dict.fromkeys(("unit_type", "unit_hit_points", "unit_energy", "unit_shields", "buffs"), 32) | dict.fromkeys(
    (
        "height_map", "visibility_map", "player_id", "player_relative", "unit_hit_points_ratio", "unit_energy_ratio",
        "unit_shields_ratio", "unit_density", "unit_density_aa", "effects", "buff_duration", "build_progress", "alerts",
    ),
    8,
)  # fmt: skip


class Pictures:
    """Feature layers of the screen or the minimap, and their bytes, which the protocol sends."""

    def __init__(self, names: tuple[str, ...], size: Size) -> None:
        """Make room for layers of (width, height) pixels."""
        width, height = size
        self.names = names
        self.bits = np.array([BITS.get(name, 1) for name in names])
        self.layers = np.zeros((len(names), height, width), np.int16)
        self.data = np.zeros((len(names), 4 * height * width), np.uint8)
        self.lengths: list[int] = (-(-self.bits * height * width // 8)).tolist()


class Embedded:
    """A mini-game in progress.

    ``p`` is the record of the game and ``s`` that of its state, see `records`; ``books`` is what the score counts
    besides, see `serving.BOOKS`. ``draw()`` brings ``pictures`` up to date, of screen and minimap, and ``keep_score()``
    brings ``amounts`` and ``worth``, see `serving.keep_score`.
    """

    def __init__(
        self, name: str, seed: int | None, screen: Size = (0, 0), minimap: Size = (0, 0), has_fog: bool = True
    ) -> None:
        """Make a game ready for `start`.

        Args:
            name: one of `params.GAMES`.
            seed: of its random stream, the same as the environment's ``reset(seed=...)``; None draws one.
            screen: width and height of the layers of the screen, in pixels.
            minimap: the same of the minimap.
            has_fog: whether what nobody sees is hidden, in the mini-game that has fog.
        """
        problem = SC2Env(name, action="functions").problem
        self.name = name
        self.rows = np.array([problem.pack(problem.parameters)])
        self.states = np.zeros(1, problem.state_dtype)
        self._books = np.zeros(1, serving.BOOKS)
        self.p, self.s, self.books = self.rows[0], self.states[0], self._books[0]
        self.p["screen"], self.p["minimap"] = screen, minimap
        if not has_fog:
            self.p["sight"] = 2.0 * MAP
        self.p["screen_layer"], self.p["minimap_layer"] = range(len(layers.SCREEN)), range(len(layers.MINIMAP))
        self.pictures = Pictures(layers.SCREEN, screen), Pictures(layers.MINIMAP, minimap)
        self.player = np.zeros(len(layers.PLAYER), np.int64)
        self.groups = np.zeros(20, np.int64)
        self.amounts = np.zeros(len(serving.AMOUNTS))
        self.worth = np.zeros((len(serving.WORTHS), len(serving.CATEGORIES)))
        self._units = np.zeros((len(self.s["kind"]), len(serving.UNIT_FIELDS)))
        self._able = np.zeros(orders.ABILITIES, np.bool_)
        self._prices = np.stack([self.p["minerals"], self.p["vespene"]], 1)
        for kind, worth in WORTH.items():
            self._prices[kind] = worth
        self.s["rng"] = new_stream(seeding.np_random(seed)[0])
        game, kept = (self.states, self.rows), self._books
        scores = *game, kept, self._prices, self.amounts, self.worth
        told = *game, self.player, self.groups, self._units
        drawn = *game, *(getattr(side, field) for field in ("layers", "bits", "data") for side in self.pictures)
        self._advance = bound(serving.advance, *game, kept, 1)
        self._tell_abilities = bound(serving.tell_abilities, *game, 1, self._able)
        self._tell = functools.partial(bound(serving.tell, *told), *told)
        self.keep_score = functools.partial(bound(serving.keep_score, *scores), *scores)
        self.draw = functools.partial(bound(serving.draw, *drawn), *drawn)

    def start(self) -> None:
        """Begin a game; the random stream goes on."""
        serving.start(self.states, self.rows, self._books)

    def advance(self, loops: int) -> None:
        """Let game loops pass, fewer if the game ends."""
        self._advance(self.states, self.rows, self._books, loops)

    @property
    def is_over(self) -> bool:
        """Whether the time is up or all one's units are dead."""
        return bool(self.s["is_over"] or self.s["loop"] >= self.p["loops"])

    def abilities(self, unit: int = -1) -> list[int]:
        """Return the numbers in `orders` of what a unit can be told now, or what the selected ones can."""
        self._tell_abilities(self.states, self.rows, unit, self._able)
        able: list[int] = np.flatnonzero(self._able).tolist()
        return able

    def look(self) -> list[list[float]]:
        """Fill ``player`` and ``groups``; return `serving.UNIT_FIELDS` of each unit that is seen."""
        told: list[list[float]] = self._units[: self._tell()].tolist()
        return told

    def slot(self, tag: int) -> int:
        """Return the slot of the unit with a tag of the protocol, or -1."""
        found = np.flatnonzero((self.s["tag"] == tag - FIRST_TAG) & (self.s["kind"] != NONE))
        return int(found[0]) if len(found) else -1

    def save(self) -> tuple[Array, Array]:
        """Return the state as a value."""
        return self.states.copy(), self._books.copy()

    def load(self, state: tuple[Array, Array]) -> None:
        """Go on from what `save` returned."""
        self.states[:], self._books[:] = state

    def grid(self) -> Array:
        """Return which cells of the map can be walked on, bool (64, 64), the row of y = 0 first."""
        x, y = np.meshgrid(np.arange(MAP) + 0.5, np.arange(MAP) + 0.5)
        is_free: Array = (self.p["left"] <= x) & (x <= self.p["right"]) & (self.p["bottom"] <= y) & (y <= self.p["top"])
        for u in np.flatnonzero(self.s["kind"] != NONE):
            kind = self.s["kind"][u]
            is_free &= (abs(x - self.s["x"][u]) > self.p["width"][kind] / 2) | (
                abs(y - self.s["y"][u]) > self.p["height"][kind] / 2
            )
        return is_free
