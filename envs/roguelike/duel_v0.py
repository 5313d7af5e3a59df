"""The duel of RoguelikeNPC with both sides in the hands of agents, for PettingZoo.

``env(...)`` is the environment, ``raw_env(...)`` the same without a check of the order of calls, ``parallel_env(...)``
the same behind PettingZoo's parallel interface. Since PettingZoo 1.27, importing this module also registers it:
``pettingzoo.make("aec", "rlx/roguelike_duel_v0")``.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from typing import Any

from gymnasium import spaces
from gymnasium.error import DependencyNotInstalled
from numpy import uint8
from numpy.typing import NDArray

from ..core import State
from .env import RoguelikeEnv
from .params import Design
from .records import ACTIONS

try:
    import pettingzoo
    from pettingzoo.utils.conversions import turn_based_aec_to_parallel
    from pettingzoo.utils.wrappers import OrderEnforcingWrapper
except ImportError:
    raise DependencyNotInstalled('The duel needs PettingZoo: pip install "rlx[pettingzoo]"') from None

NAME = "roguelike_duel_v0"


@dataclasses.dataclass(frozen=True)
class DuelState:
    """Everything the future of a duel depends on, besides its actions. Picklable; holds no environment."""

    game: State
    books: dict[str, Any]
    """Who is to act, and what each agent has been told so far."""


class raw_env(pettingzoo.AECEnv):  # type: ignore[misc]
    """Play a roguelike game with an agent on each side.

    ## Description
    The game is that of `rlx/RoguelikeNPC-v0`, turn rule included: a turn passes with a move or an attack only. Who
    drinks, or does what comes to nothing, stays selected. With the player's decisions made by a rule, ``npc_0`` lives
    through the very episodes that it lives through there with that rule as its opponent.

    ## Agents
    ``npc_0`` and ``player_0``; with ``npcs=2`` also ``npc_1``, before the player. The turns go in this order. Who falls
    while its team fights on stays an agent until the end, but is not selected any more; nor is who can do nothing
    because a member of its team is in the way.

    ## Action space
    `Discrete(17)`, as in `rlx/RoguelikeNPC-v0`. What the mask rules out does not end the game; it costs what it costs
    there.

    ## Observation space
    A `Dict`: ``observation``, what `rlx/RoguelikeNPC-v0` shows, from the agent's own side, and ``action_mask`` (17,),
    which is zero while it is not the agent's turn.

    ## Rewards
    Whoever decides gets the design's terms for it, those of the end included. The others' come at the end alone:
    ``win`` times their share of hit points if it is their team that has won, else ``loss``. That is 0 in the shipped
    designs; a design in which it is -10 makes winning and losing weigh about the same.

    ## Episode end
    All terminate together when one side has no hit points left. All are truncated when it is the turn of an npc that
    has taken ``max_cycles`` decisions, as many as it has in `rlx/RoguelikeNPC-v0`, or of a player that has taken twice
    as many, which needs illegal ones.

    ## Arguments
    - ``npcs``: how many fight against the player, 1 to 3.
    - ``max_cycles``: decisions of an npc until truncation.
    - ``npc_class``, ``phase``, ``obs``, ``design``, ``render_mode``: as for `rlx/RoguelikeNPC-v0`.

    `reset` takes ``options={"context": {...}}`` as there, and disregards other options, as PettingZoo's tests ask for.

    ## Info
    The selected agent's has ``action_mask`` and ``signals``; that of who has just decided ``reward_terms``; all have
    ``result`` at the end: ``"win"``, ``"loss"`` or ``"timeout"``.
    """

    metadata = {**RoguelikeEnv.metadata, "name": NAME, "is_parallelizable": False}

    def __init__(
        self,
        npcs: int = 1,
        npc_class: str = "ranger",
        phase: int | None = None,
        obs: str = "ids",
        design: str | os.PathLike[str] | Design = "base",
        max_cycles: int = 100,
        render_mode: str | None = None,
    ) -> None:
        """Set the game up; the arguments are described above.

        Raises:
            ValueError: a number out of range, an unknown class, phase or observation, or a design that cannot be used.
        """
        super().__init__()
        if max_cycles < 1:
            raise ValueError(f"max_cycles = {max_cycles!r}: at least 1 is needed.")
        self._game = RoguelikeEnv(npc_class, "external", phase, obs, design, render_mode, npcs)
        self.design, self.design_id = self._game.design, self._game.design_id
        self.render_mode = render_mode
        self.possible_agents = [*(f"npc_{i}" for i in range(npcs)), "player_0"]
        self._actors = {agent: actor for actor, agent in enumerate(self.possible_agents)}
        self._limits = dict.fromkeys(self.possible_agents, max_cycles) | {"player_0": 2 * max_cycles}
        shown = dict(self._game.problem.observation_space)  # type: ignore[call-overload]
        mask = shown.pop("action_mask")
        space = spaces.Dict({"observation": spaces.Dict(shown), "action_mask": mask})
        self.observation_spaces = {agent: copy.deepcopy(space) for agent in self.possible_agents}
        self.action_spaces = {agent: spaces.Discrete(ACTIONS) for agent in self.possible_agents}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return an agent's observation space."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return an agent's action space."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode.

        Args:
            seed: starts the random stream anew; without it the stream goes on.
            options: ``{"context": {...}}`` sets numbers of the design for this episode.

        Raises:
            ValueError: an unknown name in the context, or a value out of range; nothing has changed then.
        """
        _, info = self._game.reset(seed=seed, options={"context": (options or {}).get("context", {})})
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._decisions = dict.fromkeys(self.agents, 0)
        self._skip_agent_selection = None
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._select(info)

    def step(self, action: int | None) -> None:
        """Take the selected agent's decision; None for one whose game is over.

        Raises:
            InvalidAction: not an action; nothing has changed then.
        """
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        _, reward, is_over, _, info = self._game.step(action)
        self._decisions[agent] += 1
        self._cumulative_rewards[agent] = 0.0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.rewards[agent] = reward
        self.infos = {other: {} for other in self.agents}
        self.infos[agent]["reward_terms"] = info["reward_terms"]
        self._select(info)
        if is_over:
            self._finish(agent)
        elif self._decisions[self.agent_selection] >= self._limits[self.agent_selection]:
            self.truncations = dict.fromkeys(self.agents, True)
            for told in self.infos.values():
                told["result"] = "timeout"
        self._accumulate_rewards()

    def observe(self, agent: str) -> dict[str, Any]:
        """Return what an agent sees."""
        observation = self._game.view(self._actors[agent])
        mask = observation.pop("action_mask")
        if agent != self.agent_selection or self.terminations[agent] or self.truncations[agent]:
            mask[:] = 0
        return {"observation": observation, "action_mask": mask}

    def advise(self, rule: str) -> int:
        """Return what the selected agent would do by a rule; -1 is nothing.

        Args:
            rule: ``"chaser"``, ``"kiter"``, ``"greedy"`` or ``"still"``.
        """
        return self._game.advise(rule)

    def save_state(self) -> DuelState:
        """Return the state as a value: it can be pickled, kept, and loaded into any environment made alike."""
        return DuelState(self._game.save_state(), copy.deepcopy({name: getattr(self, name) for name in _BOOKS}))

    def load_state(self, state: DuelState) -> None:
        """Continue from ``state``: the same actions give the same future, bit for bit.

        Raises:
            TypeError: ``state`` is not a state of a duel.
        """
        if not isinstance(state, DuelState):
            raise TypeError(f"load_state needs what save_state() of a duel returned, not {state!r:.80}")
        self._game.load_state(state.game)
        for name, value in copy.deepcopy(state.books).items():
            setattr(self, name, value)

    def render(self) -> NDArray[uint8] | None:
        """Return the picture (``"rgb_array"``), or show it in a window (``"human"``)."""
        return self._game.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._game.close()

    def _select(self, info: dict[str, Any]) -> None:
        """Select the agent whose turn it is; ``info`` is told from its side."""
        self.agent_selection = agent = self.possible_agents[int(info["signals"]["turn"])]
        self.infos[agent] |= {"action_mask": info["action_mask"], "signals": info["signals"]}

    def _finish(self, winner: str) -> None:
        """End the game, which ``winner`` has just won; its own reward has been given."""
        state = self._game.save_state()
        row, hp = state.rows[0], state.states["hp"][0]
        for agent, actor in self._actors.items():
            has_won = row["team"][actor] == row["team"][self._actors[winner]]
            if agent != winner:
                share = hp[actor] / row["max_hp"]
                self.rewards[agent] = float(row["win_reward"] * share if has_won else row["loss_reward"])
            self.infos[agent]["result"] = "win" if has_won else "loss"
            self.terminations[agent] = True


#: What `DuelState.books` holds.
_BOOKS = (
    "agents", "agent_selection", "rewards", "_cumulative_rewards", "terminations", "truncations", "infos",
    "_decisions", "_skip_agent_selection",
)  # fmt: skip


def env(**kwargs: Any) -> pettingzoo.AECEnv:
    """Return the duel with PettingZoo's check of the order of calls; arguments are `raw_env`'s."""
    return OrderEnforcingWrapper(raw_env(**kwargs))


def parallel_env(**kwargs: Any) -> pettingzoo.ParallelEnv:
    """Return the duel behind PettingZoo's parallel interface; arguments are `raw_env`'s.

    Nobody acts at the same time: of the actions that a step is given, that of one agent counts, whose mask is not zero,
    and whom ``infos[agent]["active_agent"]`` names after the first step.
    """
    return turn_based_aec_to_parallel(env(**kwargs))


if hasattr(pettingzoo, "register"):
    pettingzoo.register("aec", f"rlx/{NAME}", f"{__name__}:env")
    pettingzoo.register("parallel", f"rlx/{NAME}", f"{__name__}:parallel_env")
