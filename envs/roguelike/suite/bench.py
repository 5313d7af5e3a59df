"""A policy under all patches of a design: what it loses, and what it keeps."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..design import design_id, load
from ..params import Design
from .episodes import FIRST_SEED, Episodes, Setup, digest, play
from .patches import STRENGTHS, Patch
from .patches import patches as shipped_patches
from .statistics import Array, Estimate, bracket, paired_shares, retention, shares, wilson

RESULTS = ("win", "loss", "timeout")
#: Retention is told where the oracle wins so much more often than random play does.
LEAD = 0.1
#: Who plays both sides in the view of a design's balance.
BALANCE_RULES = ("chaser", "kiter", "greedy")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a policy plays a design."""

    family: str
    """Of the patch; these three are empty for the design without a patch."""
    patch: str
    strength: str
    design_id: str
    win: Estimate
    loss: Estimate
    timeout: Estimate
    means: dict[str, float]
    """All else that is measured of an episode, see `episodes.Episodes`."""
    change: Estimate
    """Of the share of wins, from the design without a patch, zero-shot."""
    random: float
    """Share of wins of random play."""
    oracle: float | None
    """Share of wins of who knows this design; None where that is unknown."""
    retention: Estimate | None
    """(win - random) / (oracle - random); None without an oracle that is `LEAD` ahead of random play."""


class Summary(NamedTuple):
    """What the patches of a family do on average."""

    change: Estimate
    retention: Estimate | None
    known: int
    """Of how many designs the retention is the mean."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """A policy's results."""

    policy: str
    policy_sha256: str | None
    design: str
    setup: Setup
    episodes: int
    """Of each design; the same seeds for all."""
    first_seed: int
    oracle: str | None
    """Who the oracle is."""
    rlx: str
    """Version."""
    designs: tuple[Outcome, ...]
    """The design without a patch first."""
    unchanged: tuple[str, ...]
    """Patches that change nothing in this design."""
    profile: dict[str, Summary]
    """By family, and of all patches as ``all``."""
    worst: str
    """The patch and strength with the least retention, where that is known, or else with the greatest loss of wins."""

    def save(self, file: Path) -> None:
        """Write everything as JSON."""
        file.write_text(json.dumps(plain(self), indent=1) + "\n", encoding="utf-8")


class Oracle(NamedTuple):
    """How often who knows the design wins: a policy trained on it, or a planner that knows the rules."""

    name: str
    wins: Mapping[str, tuple[float, int]]
    """design_id -> share of wins, and of how many episodes."""


def read_oracle(file: str | os.PathLike[str] | None, setup: Setup) -> Oracle | None:
    """Read an oracle's numbers.

    Args:
        file: what `Bench.save` wrote, or JSON with the keys ``policy``, ``setup``, ``episodes`` and ``designs``, a
            list of ``{"design_id": ..., "win": {"value": ...}}``, each with ``episodes`` of its own if they differ.
            None: the numbers that come with rlx, those of the expert ``search``.
        setup: how games are set up; ``obs`` does not matter.

    Returns:
        The oracle; None if the shipped numbers are for other set-ups.

    Raises:
        ValueError: the file has no such numbers, or they are for another set-up.
    """
    path: Any = resources.files(__package__.rpartition(".")[0]) / "data" / "suite" / "oracle.json"
    if file is not None:
        path = Path(file)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        own = Setup(**told["setup"])
        wins = {
            row["design_id"]: (float(row["win"]["value"]), int(row.get("episodes", told["episodes"])))
            for row in told["designs"]
        }
        oracle = Oracle(str(told["policy"]), wins)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} holds no oracle's numbers ({error!r}); `rlx rogue bench` writes such files."
        ) from None
    if dataclasses.replace(own, obs=setup.obs) == setup:
        return oracle
    if file is None:
        return None
    raise ValueError(f"{path} is for {own}, which is not how games are set up here: {setup}.")


def run(
    policy: str,
    design: str | os.PathLike[str] | Design = "base",
    setup: Setup | None = None,
    episodes: int = 1000,
    patches: Sequence[Patch] | None = None,
    oracle: Oracle | None = None,
    first_seed: int = FIRST_SEED,
    on_progress: Callable[[float], None] = lambda fraction: None,
) -> Bench:
    """Let a policy play a design and all its patched forms, on the same seeds.

    Args:
        policy: see `episodes.play`.
        design: to be patched.
        setup: see `episodes.Setup`.
        episodes: of each design.
        patches: shipped ones by default.
        oracle: see `read_oracle`.
        first_seed: of the episodes.
        on_progress: told now and then which fraction is done.

    Raises:
        ValueError: none of the patches changes the design; and as `episodes.play` does.
    """
    setup, base = setup or Setup(), load(design)
    cases = [
        _Case(patch.family, patch.name, strength, patch.apply(base, strength))
        for patch in (shipped_patches() if patches is None else patches)
        for strength in STRENGTHS
    ]
    base_case = _Case("", "", "", base)
    changing = [base_case, *(case for case in cases if case.design_id != base_case.design_id)]
    if len(changing) == 1:
        raise ValueError(f"None of the {len(cases)} patches changes the design {base.name!r}.")
    played: list[Episodes] = []
    random: list[Array] = []
    for done, case in enumerate(changing, 1):
        played.append(play(policy, case.design, setup, episodes, first_seed))
        random.append(play("random", case.design, setup, episodes, first_seed)["win"])
        on_progress(done / len(changing))
    sample = _Sample(played, random, [oracle.wins.get(case.design_id) if oracle else None for case in changing])
    families = {case.family: [k for k, one in enumerate(changing) if one.family == case.family] for case in changing}
    patched = list(range(1, len(changing)))
    return Bench(
        policy=policy,
        policy_sha256=digest(policy),
        design=base.name,
        setup=setup,
        episodes=episodes,
        first_seed=first_seed,
        oracle=oracle.name if oracle else None,
        rlx=version("rlx"),
        designs=tuple(sample.outcome(case, k) for k, case in enumerate(changing)),
        unchanged=tuple(case.label for case in cases if case.design_id == base_case.design_id),
        profile={name: sample.summary(members) for name, members in families.items() if name}
        | {"all": sample.summary(patched)},
        worst=changing[min(patched, key=sample.kept)].label,
    )


@dataclasses.dataclass(frozen=True)
class _Case:
    """A design to be played."""

    family: str
    patch: str
    strength: str
    design: Design

    @property
    def label(self) -> str:
        return f"{self.patch}:{self.strength}"

    @functools.cached_property
    def design_id(self) -> str:
        return design_id(self.design)


class _Sample:
    """What was played, and bootstrap draws of the episodes, the same ones for all designs."""

    def __init__(
        self, played: Sequence[Episodes], random: Sequence[Array], oracle: Sequence[tuple[float, int] | None]
    ) -> None:
        self.played = played
        wins, randomly = np.array([found["win"] for found in played]), np.array(random)
        self.wins, self.random = wins.mean(axis=1), randomly.mean(axis=1)
        drawn = shares(wins.shape[1])
        drawn_wins, drawn_random = drawn @ wins.T, drawn @ randomly.T
        self.changes, self.drawn_changes = self.wins - self.wins[0], drawn_wins - drawn_wins[:, :1]
        self.oracle, trials = np.array([one or (np.nan, 1) for one in oracle]).T
        self.oracle[~(self.oracle - self.random >= LEAD)] = np.nan
        self.retained = retention(self.wins, self.random, self.oracle)
        # The oracle's episodes are drawn on their own. A draw without a lead counts as a lead of one point.
        hits = np.random.default_rng(1).binomial(trials.astype(int), np.nan_to_num(self.oracle), drawn_wins.shape)
        drawn_oracle = np.maximum(hits / trials, drawn_random + 0.01)
        self.drawn_retained = retention(drawn_wins, drawn_random, drawn_oracle)

    def outcome(self, case: _Case, k: int) -> Outcome:
        """Return the results of the k-th design."""
        found, base = self.played[k], self.played[0]
        n = len(found["win"])
        is_known = bool(np.isfinite(self.retained[k]))
        return Outcome(
            family=case.family,
            patch=case.patch,
            strength=case.strength,
            design_id=case.design_id,
            win=wilson(found["win"].sum(), n),
            loss=wilson(found["loss"].sum(), n),
            timeout=wilson(found["timeout"].sum(), n),
            means={name: float(values.mean()) for name, values in found.items() if name not in RESULTS},
            change=paired_shares(found["win"], base["win"]),
            random=float(self.random[k]),
            oracle=float(self.oracle[k]) if is_known else None,
            retention=bracket(self.retained[k], self.drawn_retained[:, k]) if is_known else None,
        )

    def summary(self, members: Sequence[int]) -> Summary:
        """Return what holds on average for some of the designs."""
        known = [k for k in members if np.isfinite(self.retained[k])]
        change = bracket(self.changes[members].mean(), self.drawn_changes[:, members].mean(axis=1))
        if not known:
            return Summary(change, None, 0)
        kept = bracket(self.retained[known].mean(), self.drawn_retained[:, known].mean(axis=1))
        return Summary(change, kept, len(known))

    def kept(self, k: int) -> tuple[float, float]:
        """Return what designs are ordered by, the worst first: retention where it is known, else wins."""
        return float(np.nan_to_num(self.retained[k], nan=np.inf)), float(self.changes[k])


def balance(
    design: str | os.PathLike[str] | Design, rule: str, episodes: int = 1000, phase: int | None = None
) -> dict[str, dict[str, Estimate]]:
    """Return how often each class wins against each class if a rule plays both: npc -> target -> share of wins.

    The npc begins; a design in which classes are balanced has much the same in all cells, which need not be a half.

    Args:
        design: of the games.
        rule: one of `BALANCE_RULES`.
        episodes: of each pair.
        phase: of the curriculum.
    """
    base = load(design)
    names = [actor.name for actor in base.actors]
    table: dict[str, dict[str, Estimate]] = {npc: {} for npc in names}
    for npc in names:
        for target in names:
            duel = dataclasses.replace(base, opponent=dataclasses.replace(base.opponent, actor=target))
            wins = play(rule, duel, Setup(npc, rule, phase), episodes)["win"]
            table[npc][target] = wilson(wins.sum(), episodes)
    return table


def plain(value: Any) -> Any:
    """Return dataclasses and named tuples as dicts, as JSON has them."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, tuple | list) else value
