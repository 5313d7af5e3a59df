"""Self-play: ratings recover what is known, and a run is a function of its settings, also if it was stopped."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from typer.testing import CliRunner

from rlx.baselines.elo import Match, rate
from rlx.baselines.learners import fill_args, make_learner
from rlx.baselines.policy import load_policy
from rlx.baselines.selfplay import Settings, cross_play, start, train, write_ratings
from rlx.registry.cli import app

WORTH = {"weak": 1.0, "middle": 2.0, "strong": 8.0}


class Duel(gymnasium.Env[Any, Any]):
    """Choose a weapon; so does the opponent. Who wins is drawn in proportion to what the weapons are worth.

    The first step only shows whether weapons are forged anew: it is there so that episodes have more than one.
    """

    observation_space = spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, opponent: str | list[str] = "weak", tells: str = "result") -> None:
        pool = opponent if isinstance(opponent, list) else [opponent]
        for name in pool:
            if name not in WORTH and not Path(name).exists():
                raise ValueError(f"opponent = {name!r} is unknown.")
        self.pool = [name if name in WORTH else load_policy(name) for name in pool]
        self.tells = tells

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        self.opponent = self.pool[self.np_random.integers(len(self.pool))]
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        observation = np.ones(1, np.float32)
        if self.time == 1:
            return observation, 0.0, False, False, {}
        worth = list(WORTH.values())
        theirs = WORTH[self.opponent] if isinstance(self.opponent, str) else worth[self.opponent.act(observation, {})]
        ours = worth[action]
        has_won = self.np_random.random() < ours / (ours + theirs)
        told = {"result": "win" if has_won else "loss", "success": has_won}
        info = {self.tells: told[self.tells]} if self.tells in told else {}
        return observation, float(has_won), True, False, info


gymnasium.register("Toy/Duel-v0", entry_point=Duel, disable_env_checker=True)

SMALL = {"num_envs": 4, "rollout_steps": 16, "hidden_sizes": [8], "batch_size": 16, "rate": 0.02, "entropy_weight": 0.0}
#: For the roguelike game, whose arguments are tuned.
TINY = {"num_envs": 4, "rollout_steps": 16, "hidden_sizes": [8], "batch_size": 32}
DQN = {"num_envs": 4, "hidden_sizes": [8], "warmup": 16, "replay_size": 200, "batch_size": 8}


def make_settings(env_id: str = "Toy/Duel-v0", algo: str = "ppo", args: Any = None, steps: int = 128, **changes: Any):
    values = {
        "env_kwargs": {},
        "rounds": 3,
        "fixed": ("weak", "middle", "strong"),
        "pool": 2,
        "latest_share": 0.5,
        "games": 40,
        **changes,
    }
    filled = fill_args(algo, env_id, {**(SMALL if args is None else args), "steps": steps * values["rounds"]})
    return Settings(env_id=env_id, algo=algo, args=dataclasses.asdict(filled), **values)


# Elo


TRUTH = {"a": 0.0, "b": 100.0, "c": 250.0, "d": -300.0}
SEAT = 60.0


def chance(agent: str, opponent: str) -> float:
    return 1.0 / (1.0 + 10.0 ** (-(TRUTH[agent] - TRUTH[opponent] + SEAT) / 400.0))


PAIRS = [(agent, opponent) for agent in TRUTH for opponent in TRUTH if agent != opponent]


def test_ratings_are_those_that_expect_the_scores():
    games = 10**7
    matches = [Match(a, b, wins := round(games * chance(a, b)), 0, games - wins) for a, b in PAIRS]
    ratings = rate(matches, "a")
    assert {name: rating.elo for name, rating in ratings.players.items()} == pytest.approx(TRUTH, abs=0.01)
    assert ratings.seat.elo == pytest.approx(SEAT, abs=0.01)
    assert ratings.players["a"].elo == 0.0
    assert all(ratings.expected(match) == pytest.approx(match.score, abs=1e-4) for match in matches)


def test_intervals_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        wins = {pair: int(random.binomial(50, chance(*pair))) for pair in PAIRS}
        ratings = rate([Match(*pair, won, 0, 50 - won) for pair, won in wins.items()], "a")
        misses = {name: ratings.players[name].elo - TRUTH[name] for name in TRUTH}
        mean = np.mean(list(misses.values()))
        hits += [abs(miss - mean) < ratings.players[name].error for name, miss in misses.items()]
        hits.append(abs(ratings.seat.elo - SEAT) < ratings.seat.error)
    assert 0.93 < np.mean(hits) < 0.97


def test_a_draw_is_half_a_win():
    drawn = rate([Match("a", "b", 20, 60, 20), Match("b", "a", 10, 80, 10)], "a")
    halved = rate([Match("a", "b", 50, 0, 50), Match("b", "a", 50, 0, 50)], "a")
    assert drawn == halved
    assert drawn.players["b"].elo == pytest.approx(0.0, abs=1e-6)


def test_who_wins_every_game_has_a_rating():
    matches = [Match("a", "b", 0, 0, 1000), Match("b", "a", 1000, 0, 0)]
    rating = rate(matches, "a").players["b"]
    assert 800 < rating.elo < 2000 and rating.error > 150
    assert rate([Match(a, b, w, d, n) for b, a, n, d, w in matches], "b").players["a"].elo == pytest.approx(-rating.elo)


def test_what_nobody_can_tell_has_a_wide_interval():
    """Whether a wins because it is stronger, or because it is the agent."""
    ratings = rate([Match("a", "b", 800, 0, 200)], "a")
    assert ratings.players["b"].error > 500 and ratings.seat.error > 1000  # the mean of the two is half as far
    assert ratings.seat.elo - ratings.players["b"].elo == pytest.approx(400 * np.log10(4), rel=0.01)


# The pool


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 0.9])
def test_the_latest_has_its_share(share: float):
    settings = make_settings(latest_share=share, pool=4)
    assert settings.opponents([]) == ["weak", "middle", "strong"]
    pool = settings.opponents(["1", "2", "3", "4", "5", "6"])
    assert [*dict.fromkeys(pool)] == ["weak", "middle", "strong", "3", "4", "5", "6"]
    assert [pool.count(name) for name in ("weak", "3", "5")] == [1, 1, 1]
    assert pool.count("6") / len(pool) == pytest.approx(max(share, 1 / 7), abs=0.03)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rounds": 0}, "rounds = 0, but it must be at least 1"),
        ({"pool": 0}, "pool = 0"),
        ({"latest_share": 1.0}, "latest_share = 1.0, but it must be between 0 and 0.9"),
        ({"games": 0}, "games = 0"),
        ({"fixed": ()}, "fixed = ()"),
        ({"fixed": ("weak", "weak")}, "each once"),
        ({"env_kwargs": {"opponent": "weak"}}, "without opponent"),
        ({"steps": 3}, "steps_per_round = 3, but it must be at least num_envs = 4"),
    ],
)
def test_bad_settings(changes: dict[str, Any], message: str):
    settings = make_settings()
    steps = changes.get("steps", 128) * settings.rounds
    values = {name: value for name, value in changes.items() if name != "steps"}
    with pytest.raises(ValueError, match="self-play") as error:
        dataclasses.replace(settings, args={**settings.args, "steps": steps}, **values)
    assert message in str(error.value)


def test_opponents_that_the_environment_does_not_take(tmp_path: Path):
    with pytest.raises(ValueError, match="'strange' is unknown"):
        start(tmp_path, make_settings(fixed=("weak", "strange")))
    args = {"num_envs": 4}
    with pytest.raises(ValueError, match="CartPole-v1 takes no pool of 8, weak, middle, strong and kept policies"):
        start(tmp_path, make_settings("CartPole-v1", args=args))
    many = make_settings("rlx/RoguelikeNPC-v0", args=args, fixed=("random",), rounds=9, latest_share=0.9, pool=8)
    with pytest.raises(ValueError, match="takes no pool of 80, random and kept policies: opponent = a pool of 80"):
        start(tmp_path, many)
    assert list(tmp_path.iterdir()) == []


# Runs


def test_a_known_order_is_recovered(tmp_path: Path):
    """Weapons make games exactly as the model has them, and a learner finds the best one."""
    settings = make_settings(steps=800, games=150)
    start(tmp_path, settings)
    train(tmp_path, settings)
    matches = cross_play(tmp_path, settings)
    ratings = write_ratings(tmp_path, settings, matches)
    weapon = [int(load_policy(tmp_path / f"round-{k}.npz").act(np.ones(1), {})) for k in (1, 2, 3)]
    assert weapon[-1] == 2, "the learner has not found the strongest"
    worth = dict(WORTH) | {f"round-{k + 1}": list(WORTH.values())[weapon[k]] for k in range(3)}
    for name, rating in ratings.players.items():
        miss = rating.elo - 400 * np.log10(worth[name])
        assert abs(miss) < rating.error + ratings.players["weak"].error, name
        assert rating.error < 80
    assert abs(ratings.seat.elo) < 1.5 * ratings.seat.error
    assert {(match.agent, match.opponent) for match in matches} == set(settings.pairs)
    assert all(match.games == 150 for match in matches)
    text = (tmp_path / "ratings.md").read_text()
    assert all(f"| {name} |" in text for name in settings.players)
    assert (tmp_path / "ratings.png").stat().st_size > 10_000


class Stop(Exception):
    pass


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npz", ".jsonl", ".md")}


def arrays_of(folder: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(folder / name) as arrays:
        return dict(arrays)


def run(folder: Path, settings: Settings, stop_at: tuple[int, ...] = (), stop_matches: tuple[int, ...] = ()) -> None:
    """Run to the end; on the way, be stopped at these steps and after so many matches, and go on each time."""
    waiting = {"steps": list(stop_at), "matches": list(stop_matches)}

    def stop(what: str, at: int) -> None:
        if waiting[what] and at >= waiting[what][0]:
            waiting[what].pop(0)
            raise Stop

    while True:
        try:
            start(folder, settings)
            train(folder, settings, lambda step: stop("steps", step))
            write_ratings(folder, settings, cross_play(folder, settings, lambda count: stop("matches", count)))
        except Stop:
            continue
        assert waiting == {"steps": [], "matches": []}
        return


@pytest.mark.parametrize(
    ("env_id", "algo", "args", "fixed"),
    [
        ("Toy/Duel-v0", "ppo", SMALL, ("weak", "strong")),
        ("Toy/Duel-v0", "dqn", DQN, ("weak", "strong")),
        ("rlx/RoguelikeNPC-v0", "ppo", TINY, ("random", "chaser")),
        ("rlx/RoguelikeNPC-v0", "dqn", DQN, ("random", "chaser")),
    ],
)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    env_id: str, algo: str, args: dict[str, Any], fixed: tuple[str, ...], tmp_path: Path
):
    """In the first round, between checkpoints, after a round has ended, twice in one place, and between matches."""
    settings = make_settings(env_id, algo, args, fixed=fixed, games=10)
    run(tmp_path / "whole", settings)
    run(tmp_path / "parts", settings, (20, 132, 300, 300), (0, 3, 7))
    assert files_of(tmp_path / "whole") == files_of(tmp_path / "parts")
    assert not list((tmp_path / "parts").glob("*.pt"))
    first, last = (arrays_of(tmp_path / "whole", f"round-{k}.npz") for k in (1, 3))
    assert any(not np.array_equal(first[name], last[name]) for name in first), "rounds have not changed the policy"


def test_finished_matches_are_not_played_again(tmp_path: Path):
    settings = make_settings(games=5)
    run(tmp_path, settings)
    before = files_of(tmp_path)
    for path in tmp_path.glob("*.npz"):
        path.unlink()
    write_ratings(tmp_path, settings, cross_play(tmp_path, settings))
    assert (tmp_path / "ratings.md").read_bytes() == before["ratings.md"]


def test_other_settings_are_refused(tmp_path: Path):
    start(tmp_path, make_settings())
    start(tmp_path, make_settings())
    with pytest.raises(ValueError, match="begun with pool = 2, not 3"):
        start(tmp_path, make_settings(pool=3))


@pytest.mark.parametrize("tells", ["result", "success"])
def test_outcomes(tells: str, tmp_path: Path):
    settings = make_settings(games=200, env_kwargs={"tells": tells}, rounds=2)
    train(tmp_path, settings)
    matches = {match[:2]: match for match in cross_play(tmp_path, settings)}
    action = int(load_policy(tmp_path / "round-2.npz").act(np.ones(1), {}))
    worth = list(WORTH.values())[action]
    for name, theirs in WORTH.items():
        assert matches["round-2", name].score == pytest.approx(worth / (worth + theirs), abs=0.12)


def test_games_without_a_result(tmp_path: Path):
    settings = make_settings(env_kwargs={"tells": "nothing"}, rounds=1)
    train(tmp_path, settings)
    with pytest.raises(ValueError, match='neither "result" nor "success"'):
        cross_play(tmp_path, settings)


@pytest.mark.parametrize(("algo", "args"), [("ppo", SMALL), ("dqn", DQN), ("ddpg", {"num_envs": 2, "warmup": 4})])
def test_other_environments_begin_new_episodes(algo: str, args: dict[str, Any]):
    """What was learned stays, and so do the steps; the episodes are others."""
    env_id, env_kwargs = ("rlx/ElectricMotor-v0", {}) if algo == "ddpg" else ("Toy/Duel-v0", {"opponent": "strong"})
    learner: Any = make_learner(algo, env_id, {}, args)
    learner.learn(30, lambda step: None)
    step, before = learner.step, learner.envs
    probe = learner.envs.single_observation_space.sample()
    told = learner.policy.act(probe, {})
    learner.change_envs(env_kwargs)
    assert learner.envs is not before and learner.step == step
    assert np.array_equal(learner.policy.act(probe, {}), told)
    assert not learner.ended.any()
    learner.learn(60, lambda step: None)


def test_the_roguelike_game_from_the_command_line(tmp_path: Path):
    arguments = ["selfplay", "rlx/RoguelikeNPC-v0", "--out", str(tmp_path), "--rounds", "2", "--steps-per-round", "256"]
    arguments += ["--fixed", "random,chaser", "--games", "20"]
    arguments += [word for name, value in TINY.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert answer.exit_code == 0, answer.output
    assert all(name in answer.output for name in ("random", "chaser", "round-1", "round-2", "Elo"))
    scores = [json.loads(line) for line in (tmp_path / "matches.jsonl").read_text().splitlines()]
    assert {(row["agent"], row["opponent"]) for row in scores} >= {("random", "round-2"), ("round-2", "chaser")}
    assert len(scores) == 4 * 3
    beaten = next(row for row in scores if (row["agent"], row["opponent"]) == ("chaser", "random"))
    assert beaten["wins"] > beaten["losses"]


def test_a_learner_that_does_not_suit():
    answer = CliRunner().invoke(
        app, ["selfplay", "Toy/Duel-v0", "--out", "x", "--algo", "ddpg"], env={"COLUMNS": "200"}
    )
    assert answer.exit_code == 2 and "Learners that do: dqn, ppo" in answer.output.replace("\n", " ")
