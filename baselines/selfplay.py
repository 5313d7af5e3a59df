"""Self-play: a learner against a growing pool of its own past, and an Elo rating of all of them. `rlx selfplay`.

Any environment can be used whose argument ``opponent`` takes the name of a rule, a policy's file, or a list of these of
which each episode draws one, and whose ``info`` tells at an episode's end a ``result`` (``"win"``, ``"loss"``, or
whatever is neither) or ``success``. After each round the policy joins the pool as it is then: playing against one's
past selves as well as the latest keeps a learner from running in circles (Bansal et al. 2017,
https://arxiv.org/abs/1710.03748).

A run is a function of its `Settings`, also if it was killed and resumed.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import gymnasium
import numpy as np
import typer

from rlx.registry.catalog import row_of
from rlx.registry.experts import make_expert

from .arguments import parse
from .commands import Env, EnvKwargs, console, json_object, show_table
from .compare.files import Log, lock, read_json, write_json
from .compare.results import markdown_table
from .compare.run import progress_bars
from .elo import Match, Ratings, rate
from .evaluation import FIRST_SEED, evaluate
from .learners import fill_args, learners_for, make_learner
from .policy import load_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETTINGS, MATCHES, TABLE, PICTURE = "settings.json", "matches.jsonl", "ratings.md", "ratings.png"
CHECKPOINTS = 4  # per round

OnStep = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a run of self-play is a function of."""

    env_id: str
    env_kwargs: dict[str, Any]
    """Of the environment, but for ``opponent``."""
    algo: str
    args: dict[str, Any]
    """Of the learner, all of them; ``steps`` are those of all rounds."""
    rounds: int
    """After each, the policy is kept, and joins the pool."""
    fixed: tuple[str, ...]
    """Opponents that are always in the pool; the first one's rating is 0."""
    pool: int
    """How many kept policies are in the pool at most, the latest ones."""
    latest_share: float
    """Share of episodes against the latest of them; it is never less than another's."""
    games: int
    """Of each pair of players in each seating."""

    def __post_init__(self) -> None:
        """Refuse what cannot be played.

        Raises:
            ValueError: names the setting, its value and what is allowed.
        """
        from .training import Rules, check_args  # needs torch, which `--help` does without

        fewest = self.args["num_envs"]  # or a round could pass without a step
        rules: Rules = (
            ("rounds pool", lambda v: v >= 1, "at least 1"),
            ("steps_per_round", lambda v: v >= fewest, f"at least num_envs = {fewest}"),
            ("latest_share", lambda v: 0 <= v <= 0.9, "between 0 and 0.9"),
            ("games", lambda v: 1 <= v <= 10_000, "between 1 and 10000"),
            ("fixed", lambda v: len(v) == len(set(v)) > 0, "one or more names, each once"),
            ("env_kwargs", lambda v: "opponent" not in v, "without opponent, which self-play sets"),
        )
        check_args("self-play", self, rules)

    @property
    def steps_per_round(self) -> int:
        """Steps of training, over all environments."""
        return int(self.args["steps"]) // self.rounds

    @property
    def players(self) -> tuple[str, ...]:
        """Everybody who is rated, by name."""
        return (*self.fixed, *(_kept(number) for number in range(1, self.rounds + 1)))

    def opponents(self, kept: Sequence[str]) -> list[str]:
        """Return the pool in which ``kept`` are the policies so far; who stands there twice is drawn twice as often."""
        if not kept:
            return list(self.fixed)
        *older, latest = kept[-self.pool :]
        others = [*self.fixed, *older]
        times = round(len(others) * self.latest_share / (1.0 - self.latest_share))
        return others + [latest] * max(times, 1)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Who plays whom, as agent and opponent: everybody everybody else.

        A fixed opponent is the agent only where an expert has its name; ``"random"`` is one everywhere.
        """
        agents = [name for name in self.players if name not in self.fixed or name in _experts(self.env_id)]
        return [(agent, opponent) for agent in agents for opponent in self.players if agent != opponent]


def _kept(number: int) -> str:
    return f"round-{number}"


def start(folder: Path, settings: Settings) -> None:
    """Write the settings to ``folder``, once it is certain that they can be played.

    Raises:
        ValueError: others are there, or the environment does not take such opponents.
    """
    _try(settings)
    ours = json.loads(json.dumps(dataclasses.asdict(settings)))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SETTINGS
    if path.exists():
        theirs = read_json(path)
        was = {**theirs, **theirs["args"]}
        for name, value in {**ours["args"], **ours}.items():
            if was.get(name) != value:
                raise ValueError(
                    f"{folder} was begun with {name} = {json.dumps(was.get(name))}, not {json.dumps(value)}. "
                    "Give another --out, or the same settings."
                )
    write_json(path, ours)


def _try(settings: Settings) -> None:
    # As many as there will ever be, so that an environment says at once if these are too many.
    names = [_kept(number) for number in range(1, settings.rounds)]
    most = max(len(settings.opponents(names[:count])) for count in range(settings.rounds))
    opponents = [*settings.fixed, *settings.fixed[:1] * most][:most]
    try:
        gymnasium.make(settings.env_id, **settings.env_kwargs, opponent=opponents).close()
    except (TypeError, ValueError) as error:
        who = ", ".join(settings.fixed)
        raise ValueError(f"{settings.env_id} takes no pool of {most}, {who} and kept policies: {error}") from error


# Training


def train(folder: Path, settings: Settings, on_step: OnStep = lambda step: None) -> None:
    """Train all rounds, from where it was left. ``folder`` gets a ``round-N.npz`` for each, and a checkpoint."""

    def checkpoint(number: int) -> Path:
        return folder / f"{_kept(number)}.pt"

    def env_kwargs(number: int) -> dict[str, Any]:
        kept = [str(_policy(folder, _kept(k))) for k in range(1, number)]
        return {**settings.env_kwargs, "opponent": settings.opponents(kept)}

    if _policy(folder, _kept(settings.rounds)).exists():
        return
    first = max((k for k in range(1, settings.rounds + 1) if checkpoint(k).exists()), default=1)
    learner = make_learner(settings.algo, settings.env_id, env_kwargs(first), settings.args)
    if checkpoint(first).exists():
        learner.load(checkpoint(first))
    at = learner.step
    for number in range(first, settings.rounds + 1):
        for part in range(1, CHECKPOINTS + 1):
            learner.learn(settings.steps_per_round * ((number - 1) * CHECKPOINTS + part) // CHECKPOINTS, on_step)
            if part < CHECKPOINTS and learner.step > at:  # saving twice might begin new episodes twice
                learner.save(checkpoint(number))
        learner.policy.save(_policy(folder, _kept(number)))
        if number < settings.rounds:
            learner.change_envs(env_kwargs(number + 1))
            learner.save(checkpoint(number + 1))
        checkpoint(number).unlink(missing_ok=True)


def _policy(folder: Path, name: str) -> Path:
    return folder / f"{name}.npz"


# Games


def cross_play(folder: Path, settings: Settings, on_match: Callable[[int], None] = lambda count: None) -> list[Match]:
    """Let everybody play everybody else; matches that are in ``folder`` are not played again.

    Args:
        folder: of the policies.
        settings: who plays, and how often.
        on_match: told how many matches are there, now and after each.
    """
    log = Log(folder / MATCHES)
    try:
        found = {(row["agent"], row["opponent"]): Match(**row) for row in log.rows}
        for agent, opponent in settings.pairs:
            on_match(len(found))
            if (agent, opponent) not in found:
                match = _play(folder, settings, agent, opponent)
                log.append(match._asdict())
                found[agent, opponent] = match
        on_match(len(found))
    finally:
        log.close()
    return list(found.values())


def _play(folder: Path, settings: Settings, agent: str, opponent: str) -> Match:
    """Play one match. Its episodes are its own, so that chance in one tells nothing of chance in another."""
    numbers = [settings.players.index(name) for name in (agent, opponent)]
    seed = int(np.random.default_rng((settings.args["seed"], *numbers)).integers(FIRST_SEED, 2**31 - settings.games))
    ours, theirs = (name if name in settings.fixed else str(_policy(folder, name)) for name in (agent, opponent))
    return Match(agent, opponent, *play(ours, theirs, settings.env_id, settings.env_kwargs, settings.games, seed))


def play(
    agent: str, opponent: str, env_id: str, env_kwargs: Mapping[str, Any], games: int, seed: int
) -> tuple[int, int, int]:
    """Return how many games the agent won, drew and lost.

    Args:
        agent: an expert's name or a policy's file.
        opponent: as the environment takes it.
        env_id: the environment.
        env_kwargs: its other arguments.
        games: how many.
        seed: of the first; the next ones follow.
    """

    def sit_down(env: gymnasium.Env[Any, Any]) -> Any:
        if agent not in _experts(env_id):
            return load_policy(agent)
        return make_expert(env, agent, **({"seed": seed} if agent == "random" else {}))

    env_kwargs = {**env_kwargs, "opponent": opponent}
    ends = evaluate(sit_down, env_id, env_kwargs, games, seed=seed, tell_end=outcome).ends
    return ends.count("win"), ends.count("draw"), ends.count("loss")


def _experts(env_id: str) -> set[str]:
    row = row_of(env_id)
    return {"random", *(row.experts if row else ())}


def outcome(terminated: bool, info: Mapping[str, Any]) -> str:
    """Return ``"win"``, ``"draw"`` or ``"loss"``, given what info tells at a game's end.

    Raises:
        ValueError: it tells nothing.
    """
    if "result" in info:
        result = str(info["result"])
        return result if result in ("win", "loss") else "draw"
    if "success" in info:
        return "win" if info["success"] else "loss" if terminated else "draw"
    raise ValueError('Nobody can be rated: at the end of an episode, info has neither "result" nor "success".')


# Ratings


def write_ratings(folder: Path, settings: Settings, matches: Sequence[Match]) -> Ratings:
    """Rate all players, and write a table and a picture to ``folder``."""
    import matplotlib

    from .compare.figures import STYLE

    ratings = rate(matches, settings.fixed[0])
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        draw(settings, matches, ratings).savefig(folder / PICTURE)
    (folder / TABLE).write_text(_markdown(settings, matches, ratings), encoding="utf-8")
    return ratings


def rows(settings: Settings, matches: Sequence[Match], ratings: Ratings) -> list[dict[str, str]]:
    """Return the table of ratings, the best first: heading -> cell."""
    table = []
    for name in sorted(settings.players, key=lambda name: -ratings.players[name].elo):
        as_agent = [match.score for match in matches if match.agent == name]
        as_opponent = [1.0 - match.score for match in matches if match.opponent == name]
        table.append({
            "Player": name,
            "Elo": str(ratings.players[name]),
            "Score as agent": _percent(as_agent),
            "Score as opponent": _percent(as_opponent),
        })  # fmt: skip
    return table


def _percent(scores: Sequence[float]) -> str:
    return f"{100 * np.mean(scores):.0f} %" if scores else "–"


def _markdown(settings: Settings, matches: Sequence[Match], ratings: Ratings) -> str:
    scores = {(match.agent, match.opponent): f"{100 * match.score:.0f}" for match in matches}
    agents = dict.fromkeys(match.agent for match in matches)
    cross = [
        {"agent ↓ opponent →": agent, **{name: scores.get((agent, name), "–") for name in settings.players}}
        for agent in agents
    ]
    misses = {match: abs(match.score - ratings.expected(match)) for match in matches}
    mean_miss, worst = np.mean(list(misses.values())), max(matches, key=misses.__getitem__)
    notes = (
        f"Elo by the model of Bradley and Terry, a draw as half a win; {settings.fixed[0]} is 0.",
        f"Each pair has played {settings.games} games in each seating. Intervals (95 %) are those of the distance from",
        "the mean of all, and tell the chance in the games, not that in training.",
        f"To be the agent is worth {ratings.seat} points.",
        f"The ratings miss the score of a match by {100 * mean_miss:.1f} percentage points on average,",
        f"and most where {worst.agent} plays {worst.opponent}:",
        f"{100 * worst.score:.0f} % instead of {100 * ratings.expected(worst):.0f} %.",
    )
    parts = (
        f"# Self-play: {settings.algo} on {settings.env_id}",
        "\n".join(markdown_table(rows(settings, matches, ratings))),
        "\n".join(notes),
        "Score of the row's player as agent against the column's as opponent, in percent:",
        "\n".join(markdown_table(cross)),
        f"![Elo by round, and scores]({PICTURE})",
    )
    return "\n\n".join(parts) + "\n"


def draw(settings: Settings, matches: Sequence[Match], ratings: Ratings) -> Figure:
    """Draw the kept policies' ratings by round, with the fixed ones as lines, and the score of each match."""
    from matplotlib.figure import Figure

    from .compare.figures import COLORS, GREY

    size = len(settings.players)
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = range(1, settings.rounds + 1)
    kept = [ratings.players[_kept(number)] for number in numbers]
    left.errorbar(
        numbers, [r.elo for r in kept], [r.error for r in kept], color=COLORS[0], marker="o", capsize=3, markersize=5
    )
    for name in settings.fixed:
        elo = ratings.players[name].elo
        left.axhline(elo, color=GREY, linestyle="--", linewidth=1)
        left.annotate(name, (1.01, elo), xycoords=("axes fraction", "data"), va="center", color=GREY)
    left.set(xlabel="Round", ylabel="Elo, 95 % interval", title="Policies after each round; fixed opponents dashed")
    left.xaxis.get_major_locator().set_params(integer=True)

    score = np.full((size, size), np.nan)
    for match in matches:
        score[settings.players.index(match.agent), settings.players.index(match.opponent)] = match.score
    picture = right.imshow(100 * score, cmap="RdBu", vmin=0, vmax=100, aspect="auto")
    right.set_xticks(range(size), settings.players, rotation=45, ha="right", fontsize=8)
    right.set_yticks(range(size), settings.players, fontsize=8)
    right.grid(False)
    right.set(xlabel="Opponent", ylabel="Agent", title="Score of the agent, %")
    figure.colorbar(picture, ax=right)
    return figure


# Command


def selfplay(
    env: Env,
    out: Annotated[Path, typer.Option(help="Folder of the results; the same command continues what is there.")],
    algo: Annotated[str, typer.Option(help="The learner.")] = "ppo",
    rounds: Annotated[int, typer.Option(help="After each, the policy is kept and joins the pool.")] = 10,
    steps_per_round: Annotated[int, typer.Option(help="Steps of training.")] = 200_000,
    fixed: Annotated[
        str,
        typer.Option(metavar="NAMES", help="ENV's own opponents, always in the pool; the first is Elo 0."),
    ] = "random",
    pool: Annotated[int, typer.Option(help="How many kept policies are in the pool at most, the latest ones.")] = 8,
    latest_share: Annotated[float, typer.Option(help="Share of episodes against the latest of them.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An argument of the learner; repeatable.")
    ] = None,
    env_kwargs: EnvKwargs = "{}",
    games: Annotated[int, typer.Option(help="Games of each pair of players in each seating.")] = 200,
) -> None:
    """Train against a pool of earlier selves and fixed opponents; rate them all by Elo.

    Policies are OUT/round-N.npz, ratings OUT/ratings.md and OUT/ratings.png. Ctrl-C stops; the same command continues.
    """
    kwargs, names = json_object(env_kwargs), tuple(name.strip() for name in fixed.split(",") if name.strip())
    suitable = learners_for(env, kwargs)
    if algo not in suitable:
        learners = ", ".join(suitable) or "none"
        raise typer.BadParameter(f"{algo!r} does not learn {env}. Learners that do: {learners}.", param_hint="--algo")
    args = fill_args(algo, env, {"steps": rounds * steps_per_round, "seed": seed, **parse(change or [])})
    settings = Settings(env, kwargs, algo, dataclasses.asdict(args), rounds, names, pool, latest_share, games)
    start(out, settings)
    try:
        with lock(out), progress_bars(console) as progress:
            training = progress.add_task("training", total=settings.args["steps"])
            train(out, settings, lambda step: progress.update(training, completed=step))
            progress.remove_task(training)
            playing = progress.add_task("matches", total=len(settings.pairs))
            matches = cross_play(out, settings, lambda count: progress.update(playing, completed=count))
    except KeyboardInterrupt:
        console.print(f"Stopped. To go on:\n  {shlex.join(['rlx', *sys.argv[1:]])}", highlight=False)
        raise typer.Exit(130) from None
    ratings = write_ratings(out, settings, matches)
    show_table(settings.env_id, rows(settings, matches, ratings))
    console.print(f"To be the agent is worth {ratings.seat} points. See {out / TABLE}", highlight=False)
