"""The three fights of the mini-games with an agent for each marine, for PettingZoo.

``parallel_env(...)`` is the environment, all marines at a time. Since PettingZoo 1.27, importing this module also
registers it: ``pettingzoo.make("parallel", "rlx/sc2_marines_v0")``.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from ..core import State
from ..core.reading import one_of
from .control import WAYS
from .env import SC2Env
from .experts import Sight, corners, look
from .params import BANELING, ROACH, ZERGLING, Game

try:
    import pettingzoo
except ImportError:
    raise DependencyNotInstalled('The marines need PettingZoo: pip install "rlx[pettingzoo]"') from None

NAME = "sc2_marines_v0"
FIGHTS = ("FindAndDefeatZerglings", "DefeatRoaches", "DefeatZerglingsAndBanelings")
#: Numbers for oneself, for each ally and for each foe.
OWN_FEATURES, ALLY_FEATURES, FOE_FEATURES = 4, 4, 7
#: Places are told in so many cells.
CELLS = 10.0


@dataclasses.dataclass(frozen=True)
class MarinesState:
    """Everything the future depends on, besides actions. Picklable; holds no environment."""

    game: State
    names: dict[int, str]
    """The agent of each marine's tag."""
    joined: int
    """How many agents there have been."""


class parallel_env(pettingzoo.ParallelEnv):  # type: ignore[misc]
    """Fight with an agent for each marine.

    ## Description
    The game is that of `rlx.envs.sc2.SC2Env` with ``action="units"``.

    ## Agents
    ``marine_0``, ``marine_1``, ... in the order in which they join. A marine that joins when a wave is beaten is a new
    agent; there are ``most_agents`` names, and marines after these stand without orders and defend themselves.

    ## Action space
    `Discrete(1 + 8 + F)`: nothing, eight ways of walking from east on anticlockwise, attack the nearest, second
    nearest, ... of F foes that are seen.

    ## Observation space
    A `Dict` of ``observation`` and ``action_mask``. The observation is a `Box`: of the marine its x and y from -1 to 1
    over the playable rectangle, its share of hit points and whether its weapon is ready; then of up to 23 allies, the
    nearest first, whether there is one, how far east and north it is in tens of cells, and its share of hit points;
    then of F foes the same, and three numbers for zergling, baneling, roach.

    ## Rewards
    What the score gains goes to all.

    ## Episode end
    A marine that dies is terminated. All are truncated when time is up.

    ## Arguments
    - ``game``: one of `FIGHTS`.
    - ``most_agents``: names of agents.
    - ``scenario``, ``step_mul``, ``render_mode``: as for `rlx.envs.sc2.SC2Env`.

    `reset` takes ``options={"context": {...}}`` as there, and disregards other options, as PettingZoo's tests ask for.

    ## Info
    ``action_mask`` and ``signals``.
    """

    metadata = {**SC2Env.metadata, "name": NAME, "is_parallelizable": True}

    def __init__(
        self,
        game: str = "DefeatRoaches",
        most_agents: int = 200,
        scenario: dict[str, Any] | None = None,
        step_mul: int = 8,
        render_mode: str | None = None,
    ) -> None:
        """Set the game up; the arguments are described above.

        Raises:
            ValueError: a game that is no fight, or an argument out of range.
        """
        self._game = SC2Env(
            one_of("game", game, FIGHTS), "units", scenario=scenario, step_mul=step_mul, render_mode=render_mode
        )
        marines = self._parameters.marines
        if most_agents < marines:
            raise ValueError(f"most_agents = {most_agents!r}: the game starts with {marines} marines.")
        self.render_mode = render_mode
        self.possible_agents = [f"marine_{number}" for number in range(most_agents)]
        self.agents: list[str] = []
        orders = self._game.action_space.nvec  # type: ignore[attr-defined]
        self._room, actions = len(orders), int(orders[0])
        self._first_foe = OWN_FEATURES + ALLY_FEATURES * (self._room - 1)
        self._width = self._first_foe + FOE_FEATURES * (actions - 1 - WAYS)
        self._observation_space = spaces.Dict(
            {
                "observation": spaces.Box(-10.0, 10.0, (self._width,), np.float32),
                "action_mask": spaces.Box(0, 1, (actions,), np.int8),
            }
        )
        self._action_space = spaces.Discrete(actions)
        self.observation_spaces = {agent: copy.deepcopy(self._observation_space) for agent in self.possible_agents}
        self.action_spaces = {agent: copy.deepcopy(self._action_space) for agent in self.possible_agents}
        self._names: dict[int, str] = {}
        self._joined = 0

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return an agent's observation space."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return an agent's action space."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode.

        Args:
            seed: starts the random stream anew; without it the stream goes on.
            options: ``{"context": {...}}`` sets parameters of the game for this episode.

        Returns:
            Observations and infos by agent.

        Raises:
            ValueError: an unknown name in the context, or a value out of range; nothing has changed then.
        """
        _, info = self._game.reset(seed=seed, options={"context": (options or {}).get("context", {})})
        self._names, self._joined = {}, 0
        self._see()
        return self._told(info["signals"])

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Take one step.

        Args:
            actions: of each agent; nothing of who is left out. What the mask rules out does nothing.

        Returns:
            Observations, rewards, terminations, truncations and infos by agent.
        """
        before = self.agents
        _, reward, _, is_truncated, info = self._game.step(self._orders(actions))
        self._see()
        observations, infos = self._told(info["signals"])
        fallen = [agent for agent in before if agent not in observations]
        for agent in fallen:
            observations[agent] = {
                name: np.zeros(space.shape, space.dtype) for name, space in self._observation_space.items()
            }
            infos[agent] = {"action_mask": observations[agent]["action_mask"], "signals": info["signals"]}
        terminations = dict.fromkeys(observations, False) | dict.fromkeys(fallen, True)
        truncations = dict.fromkeys(observations, is_truncated)
        if is_truncated:
            self.agents = []
        return observations, dict.fromkeys(observations, reward), terminations, truncations, infos

    def save_state(self) -> MarinesState:
        """Return the state as a value: it can be pickled, kept, and loaded into any environment made alike."""
        return MarinesState(self._game.save_state(), dict(self._names), self._joined)

    def load_state(self, state: MarinesState) -> None:
        """Continue from ``state``: the same actions give the same future, bit for bit.

        Raises:
            TypeError: ``state`` is not a state of this environment.
        """
        if not isinstance(state, MarinesState):
            raise TypeError(f"load_state needs what save_state() of these marines returned, not {state!r:.80}")
        self._game.load_state(state.game)
        self._names, self._joined = dict(state.names), state.joined
        self._see()

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture (``"rgb_array"``), or show it in a window (``"human"``)."""
        return self._game.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._game.close()

    @property
    def _parameters(self) -> Game:
        return cast(Game, self._game.parameters)

    def _see(self) -> None:
        """Look at the game, name who is new, and note whom each marine sees at which place."""
        self._sight = sight = look(self._game)
        for tag in sight.tags.tolist():
            if tag not in self._names:
                self._names[tag] = f"marine_{self._joined}"
                self._joined += 1
        names = [self._names[tag] for tag in sight.tags.tolist()]
        self._places = {agent: place for place, agent in enumerate(names) if agent in self.action_spaces}
        self.agents = list(self._places)
        self._order = sight.gaps.argsort(axis=1, kind="stable")

    def _orders(self, actions: dict[str, Any]) -> NDArray[np.int64]:
        """Return the action of the game."""
        orders = np.zeros(self._room, np.int64)
        for agent, action in actions.items():
            place, rank = self._places[agent], int(action) - 1 - WAYS
            if place < self._room and rank < self._order.shape[1]:
                orders[place] = action if rank < 0 else 1 + WAYS + self._order[place, rank]
        return orders

    def _told(self, signals: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Return observations and infos of the agents."""
        seen, mask = self._shown(self._sight), self._masks()
        observations = {
            agent: {"observation": seen[place], "action_mask": mask[place].copy()}
            for agent, place in self._places.items()
        }
        return observations, {
            agent: {"action_mask": mask[place], "signals": signals} for agent, place in self._places.items()
        }

    def _masks(self) -> NDArray[np.int8]:
        """Return what each marine can do, (M, 1 + 8 + F); those that the game has no room for do nothing."""
        mask = np.zeros((len(self._order), self._action_space.n), np.int8)
        mask[:, 0] = 1
        mask[: self._room, : 1 + WAYS + self._order.shape[1]] = 1
        return mask

    def _shown(self, sight: Sight) -> NDArray[np.float32]:
        """Return what each marine is told, (M, width)."""
        game, marines = self._parameters, len(sight.marines)
        seen = np.zeros((marines, self._width), np.float32)
        low, high = corners(game)
        life = sight.life / game.units[0].life
        seen[:, :2] = 2.0 * (sight.marines - low) / (high - low) - 1.0
        seen[:, 2], seen[:, 3] = life, sight.cooldown <= 0.0
        rows = np.arange(marines)[:, None]
        offsets = (sight.marines[None] - sight.marines[:, None]) / CELLS
        away = np.linalg.norm(offsets, axis=2)
        np.fill_diagonal(away, -1.0)
        order = away.argsort(axis=1, kind="stable")[:, 1 : self._room]
        allies = np.zeros((marines, order.shape[1], ALLY_FEATURES), np.float32)
        allies[..., 0], allies[..., 1:3], allies[..., 3] = 1.0, offsets[rows, order], life[order]
        seen[:, OWN_FEATURES : OWN_FEATURES + order.shape[1] * ALLY_FEATURES] = _in_rows(allies)
        order, kinds = self._order, sight.foe_kind
        foes = np.zeros((marines, order.shape[1], FOE_FEATURES), np.float32)
        foes[..., 0], foes[..., 1:3] = 1.0, ((sight.foes[None] - sight.marines[:, None]) / CELLS)[rows, order]
        full = np.array([unit.life for unit in game.units])[kinds - 1]
        foes[..., 3] = (sight.foe_life / full)[order]
        for k, kind in enumerate((ZERGLING, BANELING, ROACH)):
            foes[..., 4 + k] = (kinds == kind)[order]
        seen[:, self._first_foe : self._first_foe + order.shape[1] * FOE_FEATURES] = _in_rows(foes)
        return seen


def _in_rows(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features of units, (M, N, K), as (M, N * K)."""
    return features.reshape(len(features), features.shape[1] * features.shape[2])


if hasattr(pettingzoo, "register"):
    pettingzoo.register("parallel", f"rlx/{NAME}", f"{__name__}:parallel_env")
