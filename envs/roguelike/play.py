"""Playing against an npc: the game between a person and a policy, whatever shows it.

`GameSession` is the game, `Controls` are its keys; `play_window` and `play_terminal` only show them. A game that is
logged can be played again, as a demonstration: see `replay`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium
import numpy as np
import typer
from numpy.typing import NDArray

from ..core import Policy, State, read_policy
from . import FAMILY
from .records import ACTION_NAMES, DRINK, OBSERVATIONS, POTION, SHOOT

_KWARGS = ("design", "npc_class", "phase", "obs")  # what a game may differ by
NPC, PLAYER = 0, 1  # actors, and teams
SIDES = ("npc", "player")
EXPERTS: dict[str, str] = FAMILY["environments"][0]["experts"]

#: Keys that name a direction: around S, as on a number pad, and those of vi with Shift, since h, n and u mean more.
DIRECTIONS = {
    key: direction
    for keys in ("wdxaeczq", "86249317", "KLJHUNBY")
    for direction, key in enumerate(keys)
}  # fmt: skip
HELP = (
    "move or strike: Q W E A D Z X C, number pad, or Shift and vi's keys;  f and a direction: shoot;  h: potion",
    "u: undo;  Tab or t: what the npc has in mind;  n: new game;  Esc: quit",
)

_ENDS = {"npc": "The npc has won.", "player": "You have won.", "nobody": "The npc has run out of time: nobody has won."}
_REASONS = {
    "move": "Something is in the way.",
    "potion": "You have no potion, or are under one.",
    "shoot": "There is nobody to hit.",
}


class Random:
    """A policy that draws legal actions."""

    def __init__(self, seed: int = 0) -> None:
        """Draw by a generator of its own."""
        self._rng = np.random.default_rng(seed)

    def reset(self) -> None:
        """Do nothing: the generator goes on."""

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """Draw an action."""
        return int(self._rng.choice(np.flatnonzero(info["action_mask"])))


def choose(name: str, env: gymnasium.Env[Any, Any]) -> Policy:
    """Return the policy in the file or folder ``name``, or else the expert of that name.

    Raises:
        ValueError: there is neither; says which experts there are.
    """
    if Path(name).exists():
        return read_policy(name)
    if name == "random":
        return Random()
    if name not in EXPERTS:
        raise ValueError(f"{name!r} is neither a policy's file nor an expert. Experts: {', '.join(EXPERTS)}, random.")
    module, _, factory = EXPERTS[name].partition(":")
    policy: Policy = getattr(importlib.import_module(module), factory)(env)
    return policy


def make_env(env_id: str, **kwargs: Any) -> Any:
    """Make a game in which each step is a decision of the actor whose turn it is, without wrappers."""
    return gymnasium.make(env_id, opponent="external", **kwargs).unwrapped


class Decision(NamedTuple):
    """What an actor did about what it saw."""

    who: int
    """The actor: 0 is the npc."""
    action: int
    observation: str
    """Hash of what it saw."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """All that a game goes on from."""

    state: State
    observation: dict[str, NDArray[Any]]
    info: dict[str, Any]
    decisions: tuple[Decision, ...]


class GameSession:
    """Games between a person, who plays the player, and a policy, who plays the npc.

    The npc's decisions follow those of the person at once: it is the person's turn, or the game is over.
    """

    def __init__(self, env: Any, policy: Policy, seed: int = 0, log: Path | None = None, against: str = "") -> None:
        """Start the first game.

        Args:
            env: of `make_env`.
            policy: who plays the npc.
            seed: of the first game; each further one has the next.
            log: a JSONL file that finished and abandoned games are appended to.
            against: what the log calls the policy.

        Raises:
            ValueError: the policy cannot read the observations.
        """
        self.env, self.policy, self.log, self.against = env, policy, log, against
        self.horizon = gymnasium.spec(env.spec.id).max_episode_steps
        self.seed = seed
        self.news: list[str] = []
        """What has happened since the person's last decision."""
        self._past: list[Moment] = []
        self._start()

    @property
    def game(self) -> np.void:
        """The state, a record of `records.STATE`."""
        state: np.void = self.moment.state.states[0]
        return state

    @property
    def design(self) -> np.void:
        """The packed design, a record of `records.DESIGN`."""
        row: np.void = self.moment.state.rows[0]
        return row

    @property
    def winner(self) -> str | None:
        """``"npc"`` or ``"player"``; ``"nobody"`` if the npc has run out of time; None as long as the game goes on."""
        if self.game["winner"] >= 0:
            return SIDES[int(self.game["winner"])]
        npc = sum(decision.who == NPC for decision in self.moment.decisions)
        return "nobody" if self.horizon is not None and npc >= self.horizon else None

    def is_legal(self, action: int) -> bool:
        """Return whether the person can do ``action`` now."""
        return self.winner is None and bool(self.moment.info["action_mask"][action])

    def act(self, action: int) -> bool:
        """Let the person act, and the npc respond.

        Returns:
            Whether the action is legal; nothing happens if it is not.
        """
        if not self.is_legal(action):
            return False
        self._past.append(self.moment)
        self.news = []
        self._decide(action)
        self._respond()
        return True

    def undo(self) -> bool:
        """Take the person's last decision back, and what followed; return whether there was one."""
        if not self._past:
            return False
        self.moment = self._past.pop()
        self.env.load_state(self.moment.state)
        self.news = ["One decision is taken back."]
        return True

    def restart(self) -> None:
        """Log the game, and start the next one."""
        self.close()
        self.seed += 1
        self._start()

    @property
    def record(self) -> dict[str, Any]:
        """The game as JSON can hold it; undone decisions are no part of it."""
        return {
            "env_id": self.env.spec.id,
            "env_kwargs": {name: self.env.spec.kwargs[name] for name in _KWARGS if name in self.env.spec.kwargs},
            "design_id": self.env.design_id,
            "seed": self.seed,
            "against": self.against,
            "decisions": [
                {"who": SIDES[decision.who], "action": decision.action, "observation": decision.observation}
                for decision in self.moment.decisions
            ],
            "winner": self.winner,
        }

    def close(self) -> None:
        """Log the game, if the person has done anything in it."""
        if self.log is not None and any(decision.who == PLAYER for decision in self.moment.decisions):
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.record) + "\n")

    def intentions(self) -> tuple[str, NDArray[Any]] | None:
        """Return what the npc would do if it were its turn: of what kind the numbers are, and one per action.

        They are probabilities, or else what actions are worth; minus infinity where one is impossible. None if the
        policy tells neither.
        """
        seen = self.env.view(NPC)
        mask = seen["action_mask"]
        if hasattr(self.policy, "probabilities"):
            kind, numbers = "probability", self.policy.probabilities(seen, {"action_mask": mask})
        elif hasattr(self.policy, "values"):
            kind, numbers = "value", self.policy.values(seen)
        else:
            return None
        return kind, np.where(mask != 0, numbers, -np.inf)

    def _start(self) -> None:
        observation, info = self.env.reset(seed=self.seed)
        self.policy.reset()
        self._past, self.news = [], []
        self.moment = Moment(self.env.save_state(), observation, info, ())
        self._respond()

    def _respond(self) -> None:
        """Let the npc decide until it is the person's turn."""
        while self.winner is None and self.game["turn"] == NPC:
            observation, info = self.moment.observation, self.moment.info
            try:
                action = int(self.policy.act(observation, info))
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{self.against or 'The policy'} cannot read what it sees ({type(error).__name__}: {error}). Say "
                    f"by --obs what it has learned from: {', '.join(OBSERVATIONS)}."
                ) from error
            self._decide(action)

    def _decide(self, action: int) -> None:
        before, who = self.moment, int(self.game["turn"])
        observation, _, _, _, info = self.env.step(action)
        decision = Decision(who, action, digest(before.observation))
        self.moment = Moment(self.env.save_state(), observation, info, (*before.decisions, decision))
        self.news.append(self._told(who, action, before.state.states[0]))

    def _told(self, who: int, action: int, before: np.void) -> str:
        """Return in words what an action has brought about."""
        now, foe = self.game, 1 - who
        told = f"{('The npc', 'You')[who]}: {ACTION_NAMES[action].replace('_', ' ')}"
        if now["pickups"][who] > before["pickups"][who]:
            told += f", takes {self.name(before['item'][now['cell'][who]])}"
        elif now["potions"][who] > before["potions"][who]:
            told += f", {self.name(before['equipment'][who, DRINK])}"
        elif action >= SHOOT or (action < POTION and now["cell"][who] == before["cell"][who]):
            told += f", {int(before['hp'][foe] - now['hp'][foe])} damage"
        return told + "."

    def name(self, item: int) -> str:
        """Return an item's name."""
        names: dict[int, str] = {one.id: one.name.replace("_", " ") for one in self.env.design.items}
        return names[item]


def digest(observation: dict[str, NDArray[Any]]) -> str:
    """Return twelve hexadecimal digits that tell observations apart."""
    content = hashlib.sha256()
    for name in sorted(observation):
        content.update(name.encode())
        content.update(np.ascontiguousarray(observation[name]).tobytes())
    return content.hexdigest()[:12]


class Controls:
    """What keys do in a `GameSession`, whichever window or terminal they come from."""

    def __init__(self, session: GameSession) -> None:
        """Hold the keys of ``session``."""
        self.session = session
        self.is_aiming = False
        """Whether the next key is the direction of a shot."""
        self.is_telling = False
        """Whether to show what the npc has in mind."""
        self.is_done = False
        """Whether the person wants to leave."""
        self._refusal = ""
        self._commands: dict[str, Callable[[], object]] = {
            "f": self._aim,
            "h": lambda: self._act(POTION),
            "u": session.undo,
            "n": session.restart,
            "t": self._tell,
            "\t": self._tell,
            "\x1b": self._leave,
        }

    def press(self, key: str) -> bool:
        """Do what a key says, a character; return whether it says anything."""
        is_shot, self.is_aiming, self._refusal = self.is_aiming, False, ""
        if key in DIRECTIONS:
            self._act(DIRECTIONS[key] + (SHOOT if is_shot else 0))
        elif key in self._commands and not is_shot:
            self._commands[key]()
        else:
            return is_shot  # which is called off
        return True

    @property
    def messages(self) -> list[str]:
        """What to tell the person."""
        if self.is_aiming:
            return ["Shoot in which direction?"]
        if self._refusal:
            return [self._refusal]
        winner = self.session.winner
        return self.session.news + ([] if winner is None else [_ENDS[winner]])

    def _act(self, action: int) -> None:
        if not self.session.act(action) and self.session.winner is None:
            self._refusal = _REASONS[ACTION_NAMES[action].partition("_")[0]]

    def _aim(self) -> None:
        self.is_aiming = self.session.winner is None

    def _tell(self) -> None:
        self.is_telling = not self.is_telling

    def _leave(self) -> None:
        self.is_done = True


class Demonstration(NamedTuple):
    """A game of a log: what it says, and what the person saw and did."""

    record: dict[str, Any]
    steps: list[tuple[dict[str, NDArray[Any]], dict[str, Any], int]]
    """Observation, info and action of each decision."""


class Script:
    """A policy that does what it did before."""

    def __init__(self, actions: list[int]) -> None:
        """Do ``actions``, and then go north."""
        self._actions = itertools.chain(actions, itertools.repeat(0))

    def reset(self) -> None:
        """Do nothing: a script is for one game."""

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """Return the next action."""
        return next(self._actions)


def replay(log: Path) -> list[Demonstration]:
    """Play the games of a log again.

    Raises:
        ValueError: a game takes another course than it did; says where.
    """
    lines = log.read_text(encoding="utf-8").splitlines()
    return [_replay(json.loads(line), f"{log}:{number}") for number, line in enumerate(lines, 1)]


def _replay(record: dict[str, Any], where: str) -> Demonstration:
    env = make_env(record["env_id"], **record["env_kwargs"])
    if env.design_id != record["design_id"]:
        raise ValueError(f"{where}: the design is {env.design_id} now, but was {record['design_id']}.")
    by_side = {side: [one["action"] for one in record["decisions"] if one["who"] == side] for side in SIDES}
    session = GameSession(env, Script(by_side["npc"]), record["seed"])
    steps = []
    for action in by_side["player"]:
        moment = session.moment
        steps.append((moment.observation, moment.info, action))
        session.act(action)
    decisions = session.record["decisions"]
    for number, (now, then) in enumerate(itertools.zip_longest(decisions, record["decisions"]), 1):
        if now != then:
            raise ValueError(f"{where}: decision {number} is {now} now, but was {then}.")
    if session.winner != record["winner"]:
        raise ValueError(f"{where}: the winner is {session.winner} now, but was {record['winner']}.")
    return Demonstration(record, steps)


def play(
    ctx: typer.Context,
    against: Annotated[
        str,
        typer.Option(metavar="POLICY", help=f"The npc: a policy's file (or its folder), {', '.join(EXPERTS)}, random."),
    ] = "chaser",
    design: Annotated[str | None, typer.Option(help="A shipped design's name, or a file.")] = None,
    npc_class: Annotated[str | None, typer.Option(help="The npc's class.")] = None,
    phase: Annotated[int | None, typer.Option(help="Of the curriculum; the last one, by default.")] = None,
    obs: Annotated[
        str | None, typer.Option(help=f"What the policy has learned from: {', '.join(OBSERVATIONS)}.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first game; each further one has the next.")] = 0,
    log: Annotated[Path | None, typer.Option(help="Append the games to this file, as JSON lines.")] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Play in the terminal, as without a display.")] = False,
) -> None:
    """Play the player, turn by turn, against an npc."""
    from . import play_terminal, play_window

    given = zip(_KWARGS, (design, npc_class, phase, obs), strict=True)
    kwargs = {name: value for name, value in given if value is not None}
    has_window = not terminal and play_window.has_display()
    env = make_env(str(ctx.info_name), render_mode="rgb_array" if has_window else None, **kwargs)
    session = GameSession(env, choose(against, env), seed, log, against)
    try:
        (play_window if has_window else play_terminal).run(Controls(session))
    finally:
        session.close()
