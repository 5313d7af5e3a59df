"""RoguelikeNPC: a non-player character in a duel whose design may change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..core import SUCCESS, TERMINATED, KernelEnv, KernelVectorEnv, Problem
from . import kernels as k
from . import records
from .answers import Answering, Opponent, enlist
from .design import design_id
from .packing import Seat, pack
from .params import Design
from .render import Picture
from .suite.patches import load_changed

#: How an episode ends: nobody has fallen, the npc has, its target has.
_RESULTS = ("timeout", "loss", "win")


class RoguelikeEnv(KernelEnv):
    """Play a non-player character of a roguelike game against the player, under a design that may change.

    ## Description
    A room of 10 x 10 cells with columns, holes, crates and loot; the npc and its target take turns. Whoever walks into
    the other strikes with melee weapon and attack, who stands apart on a free line of eight directions may shoot with
    bow and dexterity; defence is taken off. Entering a cell takes up what lies there, and what was in that slot is
    lost. A turn passes with a move or an attack only: drinking is free, and who does what comes to nothing is asked
    again. The rules are DeepCrawl's (arXiv:2012.01914), derived anew from its published game, and a file: figures of
    items, classes, rooms, loot, rewards and curriculum are the *design*, which a designer may change, and an episode's
    context too.

    ## Action space
    `Discrete(17)`, with ``info["action_mask"]``: 0 to 7 go or strike N, E, S, W, NE, SE, SW, NW; 8 drinks the potion;
    9 to 16 shoot in the same directions. What the mask rules out costs what the paper's does, and the turn stays: an
    impossible move or potion ``illegal`` instead of ``step``, a shot that hits nobody ``step``.

    ## Observation space
    A `Dict`. All have ``action_mask`` (17,), ``previous`` (17,), the last action as a one-hot, ``global`` (10, 10),
    the room by x (east) and y (north), and ``local5`` (5, 5) and ``local3`` (3, 3), what is around the npc. ``self``
    and ``target`` are numbers for an embedding, which each field has its own of, from the space's ``low`` to its
    ``high``; `kernels.ID_FIRST` and `kernels.DENSE_FIRST` end with the table's size. Shapes and ranges are the same
    for all designs, which may have 24 items.

    - ``obs="ids"`` (the paper's categorical one): maps say 0 blocked, 1 floor, 2 self, 3 target, 3 + id an item;
      ``self`` (6,) hit points, potion, melee, bow, own turns of the buff, direction of a shot plus one; ``target``
      (5,) the same without the last.
    - ``obs="dense"``: each cell of a map has 6 numbers: 0 to 3 as above, 4 melee, 5 bow, 6 potion, and five levels
      from 0 to 8: least and greatest damage, range or duration, hit points healed, attack and defence added. ``self``
      (13,) hit points, attack, dexterity, defence, least and greatest damage of melee and of bow, reach, healing and
      adding of the potion, turns of the buff, direction of a shot; ``target`` (4,) hit points, greatest damage by
      melee and by bow, what its potion does (1 heals, 2 adds, 3 both).
    - ``obs="entities"``: maps say 0 to 3; ``entities`` (3, 20, 44) are the melee weapons, bows and potions that lie in
      the room, ``entity_mask`` (3, 20) says which rows are filled, and the maps ``global_index``, ``local5_index`` and
      ``local3_index`` have 0, or 1 + 20 * list + row. Features: x / 9, y / 9, the same from the npc, and the five
      levels as thermometers of 8. ``self`` and ``target`` as in ``dense``.

    Shapes of the last two are those of arXiv:2012.03532; it did not publish what the numbers mean, so that is ours.

    ## Rewards
    -0.01 for each decision (``step``), or -0.1 for an impossible move or potion (``illegal``), or 10 times the share
    of hit points left for a win (``win``); a potion adds 0.01 (``potion``), a loss nothing (``loss``). The design has
    them.

    ## Starting state
    Room, crates, loot, places, hit points and start kit are drawn, by the phase of the curriculum; the npc begins.
    Level, loot and combat have a random stream each: designs and policies can be compared on the same episodes.

    ## Episode end
    Terminated when one side has no hit points left. The spec truncates after 100 decisions.

    ## Arguments
    - ``npc_class``: a class of the design: ``"archer"``, ``"warrior"``, ``"ranger"``, ``"player"`` or ``"boss"``
      (ours).
    - ``opponent``: who plays the other side; None: the design's rule. A rule: ``"random"`` (legal actions),
      ``"chaser"``, ``"kiter"``, ``"greedy"`` or ``"still"``. A policy, which sees the game from its own side, with the
      same kind of observation, mask and ``signals``: its file, as `rlx train` or `rlx export` writes it, or an object
      with ``act(observation, info)``, or such a function. It must choose by these two alone; where it says
      ``is_batched``, a vector environment asks it for all rows at once. After eight decisions that do not pass the
      turn, it passes. A list: each episode draws one of it (``signals["opponent"]``), by a random stream of its own;
      who stands in it twice is drawn twice as often. ``"external"``: there is none: a step is one decision of the actor
      whose turn it is, observation, mask and ``signals`` are those of the next one to decide (``signals["turn"]``), the
      reward is that of the one who decided.
    - ``phase``: of the curriculum, from 1; None: the last one.
    - ``obs``: see above.
    - ``design``: ``"base"``, ``"paper"`` or another of `design.shipped`, the path of a TOML file, or a `Design`; with
      ``"+"`` a patch of the suite and its strength, ``"base+melee_ranks:strong"``.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.
    - ``npcs``: 1 to 3 of the class fight the opponent, one decision after the other in turn, as the agent decides for
      each. The reward is that of the one who decided.

    ## Info
    ``signals``: ``decisions`` so far, ``turn`` (actor to decide; 0 is the npc), ``opponent`` (its place in the list;
    0 is the first, or the only one), ``hp``, ``target_hp``, ``damage_dealt``, ``damage_taken``, ``potions`` drunk and
    ``pickups``; ``reward_terms``; ``action_mask``; ``result``, how the episode ends if it ends here: ``"win"``,
    ``"loss"``, or ``"timeout"`` as long as nobody has won; ``success`` at the end; in `reset` also ``context`` and
    ``design_id``.

    ## References
    - Sestini, Kuhnle, Bagdanov, "DeepCrawl: Deep Reinforcement Learning for Turn-based Strategy Games",
      arXiv:2012.01914.
    - Sestini, Kuhnle, Bagdanov, "Deep Policy Networks for NPC Behaviors that Adapt to Changing Design Parameters in
      Roguelike Games", arXiv:2012.03532.

    ## Version history
    - v0: first version.
    """

    metadata = {**KernelEnv.metadata, "render_fps": 4}
    action_names = records.ACTION_NAMES

    def __init__(
        self,
        npc_class: str = "ranger",
        opponent: Opponent | None = None,
        phase: int | None = None,
        obs: str = "ids",
        design: str | os.PathLike[str] | Design = "base",
        render_mode: str | None = None,
        npcs: int = 1,
    ) -> None:
        """Set the game up; the arguments are described above.

        Raises:
            ValueError: an unknown class, opponent, phase or observation, another number of npcs, or a design that
                cannot be used.
        """
        self.design = load_changed(design)
        self.design_id = design_id(self.design)
        self.design.actor(npc_class)
        if not 1 <= npcs < records.ACTORS:
            raise ValueError(f"npcs = {npcs!r}: from 1 to {records.ACTORS - 1} are allowed.")
        space = _space(obs)
        members = enlist(self.design.opponent.rule if opponent is None else opponent, space)
        rules = tuple(member.rule for member in members)
        seats = (*[Seat(0, npc_class, "external")] * npcs, Seat(1, self.design.opponent.actor, rules))
        problem = Problem(
            parameters=self.design if phase is None else self.design.phase(phase),
            observation_space=space,
            action_space=spaces.Discrete(records.ACTIONS),
            state_dtype=records.STATE,
            pack=lambda design: pack(design, seats, obs),
            reset=k.reset,
            step=Answering(k.step, members, npcs, space) if records.POLICY in rules else k.step,
            info=k.INFO_NAMES,
            action_mask_size=records.ACTIONS,
            has_success=True,
        )
        super().__init__(problem, render_mode)
        self._picture = None if render_mode is None else Picture(self.design, seats)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, see `KernelEnv.reset`; info has the ``design_id`` besides."""
        observation, info = super().reset(seed=seed, options=options)
        info["design_id"] = self.design_id
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a decision, see `KernelEnv.step`; info has the ``result``."""
        returned = super().step(action)
        returned[-1].setdefault("result", "timeout")
        return returned

    def ending(self, values: Any) -> dict[str, Any]:
        """Return ``success`` and ``result``, see `KernelEnv.ending`."""
        place = values[TERMINATED] + values[SUCCESS]
        result = _RESULTS[int(place)] if isinstance(place, float) else np.array(_RESULTS)[place.astype(int)]
        return super().ending(values) | {"result": result}

    def advise(self, rule: str) -> int:
        """Return what the actor whose turn it is would do by a rule; -1 is nothing.

        Args:
            rule: ``"chaser"``, ``"kiter"``, ``"greedy"`` or ``"still"``, which draw no numbers.

        Raises:
            ValueError: another rule.
            ResetNeeded: before the first `reset`.
        """
        if rule not in ("chaser", "kiter", "greedy", "still"):
            raise ValueError(f"rule = {rule!r}: allowed are 'chaser', 'kiter', 'greedy' and 'still'.")
        if not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.advise(rule).")
        return int(k.advise(self._states, self._rows, records.RULES[rule]))

    def view(self, actor: int) -> dict[str, NDArray[Any]]:
        """Return what an actor sees, whosever turn it is.

        Args:
            actor: its number, in the order of the turns: 0 is the npc.

        Raises:
            ResetNeeded: before the first `reset`.
        """
        if not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.view(actor).")
        k.look(self._states, self._rows, actor, self._buffers, self._mask)  # which the next step fills anew
        observation: dict[str, NDArray[Any]] = self._observe()
        return observation

    def frame(self) -> NDArray[np.uint8]:
        """Draw the room, uint8 of shape (560, 800, 3)."""
        if self._picture is None or not self._is_reset:
            raise ResetNeeded("Call env.reset() before env.render().")
        return self._picture.draw(self._rows[0], self._states[0])


class RoguelikeVectorEnv(KernelVectorEnv):
    """Many games, one decision each by one call."""

    env_class = RoguelikeEnv

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes, see `KernelVectorEnv.reset`; info has the ``design_id`` besides."""
        observation, info = super().reset(seed=seed, options=options)
        info["design_id"] = np.full(self.num_envs, self._single.design_id)  # type: ignore[attr-defined]
        return observation, info

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Take decisions, see `KernelVectorEnv.step`; info has all ``result``s."""
        *returned, info = super().step(actions)
        info.setdefault("result", np.full(self.num_envs, "timeout"))
        info.pop("_result", None)
        return *returned, info


def _space(obs: str) -> spaces.Dict:
    if obs not in records.OBSERVATIONS:
        raise ValueError(f"obs = {obs!r} is unknown. Allowed: {', '.join(records.OBSERVATIONS)}.")
    edges = {"global": records.SIZE, "local5": 5, "local3": 3}
    fields, first = (k.ID_FIELDS, k.ID_FIRST) if obs == "ids" else (k.DENSE_FIELDS, k.DENSE_FIRST)
    middle = len(fields["self"])
    parts: dict[str, spaces.Space[Any]] = {
        "action_mask": spaces.Box(0, 1, (records.ACTIONS,), np.int8),
        "previous": spaces.Box(0, 1, (records.ACTIONS,), np.int8),
        "self": _numbers(first[: middle + 1]),
        "target": _numbers(first[middle:]),
    }
    for name, edge in edges.items():
        if obs == "ids":
            parts[name] = spaces.Box(0, records.TARGET + records.ITEMS, (edge, edge), np.int8)
        elif obs == "dense":
            high = np.array([k.TYPES - 1] + [records.LEVEL] * records.LEVELS, np.int8)
            high = np.broadcast_to(high, (edge, edge, 1 + records.LEVELS)).copy()
            parts[name] = spaces.Box(np.zeros_like(high), high, dtype=np.int8)
        else:
            parts[name] = spaces.Box(0, records.TARGET, (edge, edge), np.int8)
            parts[f"{name}_index"] = spaces.Box(0, k.LISTS * k.LONGEST, (edge, edge), np.int8)
    if obs == "entities":
        parts["entities"] = spaces.Box(-1.0, 1.0, (k.LISTS, k.LONGEST, k.FEATURES), np.float32)
        parts["entity_mask"] = spaces.Box(0, 1, (k.LISTS, k.LONGEST), np.int8)
    return spaces.Dict(parts)


def _numbers(first: NDArray[np.int64]) -> spaces.Box:
    """Return the space of fields whose numbers begin at ``first``, the last of which follows them."""
    return spaces.Box(first[:-1].astype(np.int16), (first[1:] - 1).astype(np.int16), dtype=np.int16)
