"""The commands `rlx record` and `rlx datasets`: datasets of an environment in tiers, and what they are like.

Four tiers, after D4RL (Fu et al. 2020, https://arxiv.org/abs/2004.07219): ``random`` actions; an ``expert``;
``medium``, a learner that is stopped as soon as it has come a third of the way from the one to the other; and
``mixed``, the three together.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import numpy as np
import typer

from rlx.registry.catalog import row_of
from rlx.registry.experts import Policy, make_expert

from .commands import Env, EnvKwargs, console, json_object, show_table
from .datasets import (
    EPISODES_PER_SEED,
    FIRST_SEED,
    SEEDS,
    Card,
    TellProgress,
    card_of,
    datasets_folder,
    episodes_of,
    names,
    open_dataset,
    write,
)
from .datasets import record as record_one

PLAYED = ("random", "expert", "medium")  # each needs those before it
TIERS = (*PLAYED, "mixed")
WAY = 1 / 3  # from random actions to the expert, at which a learner is medium
CHECKS = 400  # of a learner, at most, on its way there
CHECK_EPISODES = 100  # in each
EXPERT_EPISODES = 20  # in which the best expert is found

Root = Annotated[Path | None, typer.Option("--root", help="Folder of the datasets. Default: Minari's.")]


def record(
    env: Env,
    tier: Annotated[str, typer.Option(metavar="NAMES", help="Some of the four, commas between.")] = ",".join(TIERS),
    policy: Annotated[
        str, typer.Option(help="Who acts in the tier, expert or medium: an expert, or a policy.npz (or its folder).")
    ] = "",
    name: Annotated[str, typer.Option(help="The datasets are NAME/random-v0 and so on. Default: ENV.")] = "",
    steps: Annotated[
        int, typer.Option(min=1, help="Of each tier but mixed; the last episode is played to its end.")
    ] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="Each has episodes of its own.")] = 0,
    root: Root = None,
    env_kwargs: EnvKwargs = "{}",
) -> None:
    """Write datasets of an environment in the format of Minari, for learners that do not play.

    None appears before it is whole, and none is ever changed.
    """
    from .compare.run import progress_bars

    tiers = [each.strip() for each in tier.split(",")]
    if not set(tiers) <= set(TIERS):
        raise typer.BadParameter(f"{tier!r}: tiers are {', '.join(TIERS)}.", param_hint="--tier")
    if policy and tiers not in (["expert"], ["medium"]):
        raise typer.BadParameter("It needs --tier expert or --tier medium.", param_hint="--policy")
    recording = Recording(env, json_object(env_kwargs), name or env.rpartition(":")[2], steps, seed, root)
    try:
        for each in sorted(tiers, key=TIERS.index):
            with progress_bars(console) as progress:
                update = functools.partial(progress.update, progress.add_task(each, total=1.0))
                recording.make(each, policy, lambda part, update=update: update(completed=part))  # type: ignore[misc]
            console.print(f"[green]done[/]    {recording.name}/{each}-v0", highlight=False)
        _show(recording.names(tiers), root)
    except KeyboardInterrupt:
        console.print("Stopped. What was not whole is gone.")
        raise typer.Exit(130) from None


def datasets(
    start: Annotated[str, typer.Argument(metavar="[NAME]", help="Only those whose names begin so.")] = "",
    root: Root = None,
) -> None:
    """List datasets, and what they are like: returns, quality (TQ) and coverage (SACo)."""
    found = [name for name in names(root) if name.startswith(start)]
    if not found:
        console.print(f"None in {datasets_folder(root)}. `rlx record ENV` writes some.", highlight=False)
        return
    _show(found, root)


def _show(found: list[str], root: Path | None) -> None:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.4g}"

    rows = []
    for name in found:
        card = card_of(open_dataset(name, root))
        numbers = {"Mean return": card.mean, "sd": card.std, "TQ": card.tq, "SACo": card.saco}
        counts = {"Steps": str(card.steps), "Episodes": str(card.episodes)}
        texts = {key: number(value) for key, value in numbers.items()}
        rows.append({"Dataset": name, **counts, **texts, "Policy": card.policy})
    show_table(str(datasets_folder(root)), rows)


@dataclasses.dataclass(frozen=True)
class Recording:
    """What tiers are made of."""

    env_id: str
    env_kwargs: Mapping[str, Any]
    name: str
    steps: int
    seed: int = 0
    root: Path | None = None

    def names(self, tiers: list[str] | tuple[str, ...]) -> list[str]:
        """Return the names of the datasets of some tiers."""
        return [f"{self.name}/{tier}-v0" for tier in tiers]

    def make(self, tier: str, policy: str = "", on_progress: TellProgress = lambda fraction: None) -> Card:
        """Write the dataset of a tier; those before it must be there.

        Args:
            tier: one of `TIERS`.
            policy: who acts, an expert's name or a policy's file; "" for whoever the tier stands for.
            on_progress: told now and then which fraction is done.

        Raises:
            ValueError: a dataset is missing, or this one is there already.
        """
        (name,) = self.names([tier])
        if (datasets_folder(self.root) / name).exists():
            raise ValueError(f"{name} is there already. Give another --name, or take the other tiers with --tier.")
        before = self._cards(PLAYED[: TIERS.index(tier)])
        if tier == "mixed":
            return self._mix(name, before)
        act, told = self._policy(tier, policy, before, on_progress)
        written = record_one(
            self.env_id,
            act,
            name,
            self.steps,
            policy=told,
            env_kwargs=self.env_kwargs,
            seed=self._block(tier),
            folder=self.root,
            complete=functools.partial(_complete, before=before),
            on_progress=on_progress,
        )
        return card_of(written)

    def _policy(
        self, tier: str, policy: str, before: list[Card], on_progress: TellProgress
    ) -> tuple[Callable[[gymnasium.Env[Any, Any]], Policy], str]:
        """Return who acts in a tier, and what to call it."""
        from .watching import choose_policy

        if tier == "random":
            policy = "random"
        elif not policy and tier == "expert":
            policy = self._best_expert(on_progress)
        elif not policy:
            learned, told = self._learn(before, on_progress)
            return lambda env: learned, told
        return lambda env: choose_policy(env, policy, self._block(tier)), policy

    def _best_expert(self, on_progress: TellProgress) -> str:
        """Return the expert with the highest mean return."""
        found = row_of(self.env_id)
        experts = tuple(found.experts) if found else ()
        returns = {}
        for place, expert in enumerate(experts):
            try:
                returns[expert] = self._judge(functools.partial(make_expert, name=expert), "expert", EXPERT_EPISODES)
            except gymnasium.error.DependencyNotInstalled as error:
                console.print(f"{expert} is left out: {error}", highlight=False)
            on_progress((place + 1) / len(experts))
        if not returns:
            raise ValueError(f"{self.env_id} has no experts here. Say who acts, with --tier expert --policy FILE.")
        return max(returns, key=lambda expert: returns[expert])

    def _learn(self, before: list[Card], on_progress: TellProgress) -> tuple[Policy, str]:
        """Train the learner that suits until it has come `WAY` from random actions to the expert."""
        from .learners import fill_args, learners_for, make_learner

        random, expert = before
        suitable = learners_for(self.env_id, self.env_kwargs)
        if not suitable:
            raise ValueError(f"No learner suits {self.env_id}. Say who is medium, with --tier medium --policy FILE.")
        args = fill_args(suitable[0], self.env_id, {"seed": self.seed})
        learner = make_learner(suitable[0], self.env_id, self.env_kwargs, dataclasses.asdict(args))
        way = 0.0
        for check in range(1, CHECKS + 1):
            learner.learn(args.steps * check // CHECKS, lambda step: on_progress(step / args.steps))
            mean = self._judge(lambda env: learner.policy, "medium", CHECK_EPISODES)
            way = dataclasses.replace(random, mean=mean).score(random, expert)
            if way >= WAY:
                return learner.policy, f"{suitable[0]} after {learner.step} steps"
        raise ValueError(
            f"{suitable[0]} came only {way:.2f} of the way from random actions to {expert.policy} in {args.steps} "
            f"steps; medium is {WAY:.2f}. Say who is medium, with --tier medium --policy FILE."
        )

    def _judge(self, make_policy: Callable[[gymnasium.Env[Any, Any]], Any], tier: str, episodes: int) -> float:
        """Return the mean return of a policy, on the last of the tier's episodes."""
        from .evaluation import evaluate

        seed = FIRST_SEED + (self._block(tier) + 1) * EPISODES_PER_SEED - episodes
        return float(np.mean(evaluate(make_policy, self.env_id, self.env_kwargs, episodes, seed=seed).returns))

    def _mix(self, name: str, before: list[Card]) -> Card:
        parts = [open_dataset(part, self.root) for part in self.names(PLAYED)]
        about = {"env_id": self.env_id, "env_kwargs": dict(self.env_kwargs), "policy": ", ".join(PLAYED)}
        env = gymnasium.make(self.env_id, **self.env_kwargs)
        try:
            episodes = itertools.chain.from_iterable(map(episodes_of, parts))
            return card_of(write(name, env, episodes, about, self.root, functools.partial(_complete, before=before)))
        finally:
            env.close()

    def _cards(self, tiers: tuple[str, ...]) -> list[Card]:
        """Return the cards of tiers that must be there."""
        try:
            found = [card_of(open_dataset(name, self.root)) for name in self.names(tiers)]
        except ValueError as error:
            raise ValueError(f"{error} Each tier needs those before it: {', '.join(TIERS)}.") from None
        for card, tier in zip(found, tiers, strict=True):
            if (card.env_id, dict(card.env_kwargs)) != (self.env_id, dict(self.env_kwargs)):
                raise ValueError(
                    f"{self.name}/{tier}-v0 is of {card.env_id} with {card.env_kwargs}, not of {self.env_id} with "
                    f"{dict(self.env_kwargs)}. Give another --name."
                )
        return found

    def _block(self, tier: str) -> int:
        """Return the seed of a tier's recording: each has episodes of its own."""
        if self.seed >= SEEDS // len(PLAYED):
            raise ValueError(f"seed = {self.seed}, but it must be less than {SEEDS // len(PLAYED)}.")
        return self.seed * len(PLAYED) + PLAYED.index(tier)


def _complete(card: Card, before: list[Card]) -> Card:
    """Return a card with TQ and SACo, given those of the tiers before it."""
    if not before:
        return dataclasses.replace(card, tq=0.0, saco=1.0)
    random, expert = before[0], (*before, card)[1]
    return dataclasses.replace(card, tq=card.score(random, expert), saco=card.pairs / random.pairs)
