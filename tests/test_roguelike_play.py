"""People play the roguelike: the game, its keys, window and terminal, and the log of what they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rlx.baselines.dqn import DQN
from rlx.baselines.dqn import Args as DqnArgs
from rlx.baselines.ppo import PPO, Args
from rlx.envs.roguelike.play import NPC, PLAYER, Controls, GameSession, choose, make_env, replay
from rlx.envs.roguelike.records import POTION, SHOOT
from rlx.registry.cli import app

ENV = "rlx/RoguelikeNPC-v0"
KEYS = "wdxaeczq"  # N, E, S, W, NE, SE, SW, NW


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a policy that has been trained, if not for long."""
    args = Args(num_envs=8, rollout_steps=32, hidden_sizes=(16,), steps=1024, batch_size=64)
    learner = PPO(ENV, None, args)
    learner.learn(args.steps)
    path = tmp_path_factory.mktemp("policy") / "policy.npz"
    learner.policy.save(path)
    return str(path)


def start(against: str = "chaser", seed: int = 0, log: Path | None = None, **kwargs: Any) -> GameSession:
    env = make_env(ENV, **kwargs)
    return GameSession(env, choose(against, env), seed, log, against)


def advice(session: GameSession) -> int:
    """What the chaser would do for the person."""
    action = session.env.advise("chaser")
    return int(np.argmax(session.moment.info["action_mask"])) if action < 0 else int(action)


def spell(action: int) -> str:
    return "h" if action == POTION else KEYS[action] if action < POTION else "f" + KEYS[action - SHOOT]


def finish(session: GameSession) -> str:
    """Play to the end; return the keys that do that."""
    typed = ""
    while session.winner is None:
        action = advice(session)
        typed += spell(action)
        assert session.act(action)
    return typed


def invoke(*options: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, ["play", ENV, *options], input=typed, catch_exceptions=False)


# The game


def test_a_game_ends_with_a_winner() -> None:
    winners = set()
    for seed in range(8):
        session = start(seed=seed)
        finish(session)
        game = session.game
        assert session.winner in ("npc", "player")
        assert game["hp"][PLAYER if session.winner == "npc" else NPC] == 0
        winners.add(session.winner)
    assert winners == {"npc", "player"}


def test_it_is_always_the_persons_turn() -> None:
    session = start("random", seed=3)
    while session.winner is None:
        assert session.game["turn"] == PLAYER
        assert session.is_legal(advice(session)) and session.act(advice(session))


def test_a_potion_keeps_the_turn() -> None:
    session = next(session for session in map(lambda seed: start(seed=seed), range(30)) if session.is_legal(POTION))
    before = len(session.moment.decisions)
    assert session.act(POTION)
    assert [decision.who for decision in session.moment.decisions[before:]] == [PLAYER]
    assert session.act(advice(session))
    assert [decision.who for decision in session.moment.decisions[before:]][:2] == [PLAYER, PLAYER]


def test_the_npc_has_as_much_time_as_in_the_environment() -> None:
    session = start("random")
    assert session.horizon == 100
    session.horizon = 4
    while session.winner is None:
        assert session.act(int(np.argmax(session.moment.info["action_mask"])))
    assert session.winner == "nobody"
    assert sum(decision.who == NPC for decision in session.moment.decisions) == 4
    assert not session.act(0)


def test_the_same_seed_is_the_same_game() -> None:
    first, second = start(seed=5), start(seed=5)
    assert finish(first) == finish(second)
    assert first.record == second.record


# Undo


def test_undo_restores_exactly() -> None:
    session = start(seed=1)
    moments = []
    for _ in range(3):
        moments.append(session.moment)
        session.act(advice(session))
    after = session.moment
    assert session.undo()
    assert session.moment is moments[-1]
    assert np.array_equal(session.env.save_state().states, moments[-1].state.states)
    assert session.act(after.decisions[len(moments[-1].decisions)].action)
    assert np.array_equal(session.moment.state.states, after.state.states), "the dice fell otherwise"
    assert session.moment.decisions == after.decisions
    for _ in range(3):
        assert session.undo()
    assert session.moment is moments[0]
    assert not session.undo()


def test_a_lost_game_can_be_taken_back() -> None:
    session = next(session for session in map(lambda seed: start(seed=seed), range(8)) if finish(session) and
                   session.winner == "npc")  # fmt: skip
    assert session.undo() and session.winner is None


# Keys


def test_every_way_to_name_a_direction() -> None:
    for keys in (KEYS, "86249317", "KLJHUNBY"):
        for action, key in enumerate(keys):
            controls = Controls(start(seed=2))
            controls.press(key)
            controls.press("f")
            assert controls.messages == ["Shoot in which direction?"]
            done = controls.session.moment.decisions[1:]
            assert done[0].action == action if done else not controls.session.is_legal(action), key


def test_a_shot_is_two_keys() -> None:
    for seed in range(40):
        controls = Controls(start(seed=seed, npc_class="archer"))
        shots = [a for a in range(SHOOT, SHOOT + 8) if controls.session.is_legal(a)]
        if shots:
            controls.press("f")
            assert controls.press(KEYS[shots[0] - SHOOT])
            assert controls.session._past and controls.session.news[0].startswith("You: shoot")
            return
    raise AssertionError("nobody could ever shoot")


def test_an_unknown_key_does_nothing() -> None:
    controls = Controls(start())
    before, messages = controls.session.moment, controls.messages
    for key in ("", "s", "k", " ", "é", "F1", "\x00"):
        assert not controls.press(key)
        assert controls.session.moment is before and controls.messages == messages and not controls.is_done
    controls.press("f")
    assert controls.press("s"), "a shot is called off"
    assert controls.messages == messages


def test_what_cannot_be_done_is_told_and_costs_nothing() -> None:
    controls = Controls(start())
    session, before = controls.session, controls.session.moment
    reasons = {"move": "Something is in the way.", "potion": "You have no potion", "shoot": "There is nobody to hit."}
    told = set()
    for action in range(17):
        if not session.is_legal(action):
            for key in spell(action):
                controls.press(key)
            told |= {kind for kind, reason in reasons.items() if controls.messages[0].startswith(reason)}
            assert session.moment is before
    assert told == set(reasons)


@settings(max_examples=25, deadline=None)
@given(st.text("wdxaeczqfhut?s", max_size=40), st.integers(0, 20))
def test_whatever_is_typed_a_game_goes_on_and_can_be_taken_back(typed: str, seed: int) -> None:
    controls = Controls(start("random", seed))
    session, first = controls.session, controls.session.moment
    for key in typed:
        controls.press(key)
        assert session.winner is not None or session.game["turn"] == PLAYER
        assert np.array_equal(session.env.save_state().states, session.moment.state.states)
    while session.undo():
        pass
    assert session.moment is first


def test_a_new_game_has_the_next_seed() -> None:
    controls = Controls(start(seed=6))
    controls.press("n")
    assert controls.session.seed == 7
    assert controls.session.moment.decisions == start(seed=7).moment.decisions
    assert not controls.session.undo()


# What the npc has in mind


def test_intentions_are_probabilities(trained: str) -> None:
    session = start(trained)
    before = session.env.save_state().states
    kind, numbers = session.intentions() or ("", np.empty(0))
    possible = np.isfinite(numbers)
    assert kind == "probability" and numbers[possible].sum() == pytest.approx(1.0, abs=1e-6)
    assert possible.tolist() == session.env.view(NPC)["action_mask"].astype(bool).tolist()
    assert np.array_equal(session.env.save_state().states, before)


def test_intentions_are_values_or_nothing() -> None:
    session = start()
    assert session.intentions() is None
    session.policy = DQN(ENV, None, DqnArgs(hidden_sizes=(8, 8), num_envs=1, replay_size=4)).policy
    kind, numbers = session.intentions() or ("", np.empty(0))
    assert kind == "value"
    seen = session.env.view(NPC)
    assert numbers.argmax() == session.policy.act(seen, {"action_mask": seen["action_mask"]})


# Window and terminal


def test_a_game_in_the_window(trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    twin = start(trained, seed=4)
    typed = finish(twin)
    pygame.display.init()
    pygame.event.clear()
    pad = {key: getattr(pygame, f"K_KP{digit}") for key, digit in zip(KEYS, "86249317", strict=True)}
    events = [{"key": pygame.K_TAB, "unicode": "\t"}]
    for number, key in enumerate(typed):
        use_pad = number % 2 and key in pad
        events.append({"key": pad[key], "unicode": ""} if use_pad else {"key": ord(key), "unicode": key})
    for event in (*events, {"key": pygame.K_F1, "unicode": ""}):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, event))
    for _ in range(100):
        pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=(1, 1), rel=(0, 0), buttons=(0, 0, 0)))
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE, unicode="\x1b"))
    drawn: list[Any] = []
    flip = pygame.display.flip
    monkeypatch.setattr(pygame.display, "flip", lambda: drawn.append(pygame.display.get_surface().copy()) or flip())
    log = tmp_path / "games.jsonl"
    result = invoke("--against", trained, "--seed", "4", "--log", str(log))
    assert result.exit_code == 0, result.output
    (record,) = map(json.loads, log.read_text().splitlines())
    assert record == twin.record and record["winner"] == twin.winner
    assert len(typed) < len(drawn) < len(typed) + 20, "drawn for something else than keys, or not drawn"
    assert pygame.surfarray.array3d(drawn[0]).std() > 10
    assert not pygame.display.get_init()


def test_the_window_can_be_closed(trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    pygame.event.clear()
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert invoke("--against", trained).exit_code == 0


def test_a_game_in_the_terminal(trained: str, tmp_path: Path) -> None:
    twin = start(trained, seed=9)
    typed = finish(twin)
    log = tmp_path / "games.jsonl"
    options = ("--terminal", "--against", trained, "--seed", "9", "--log", str(log))
    result = invoke(*options, typed="\n".join([*typed, "t", "\x1b", "w"]))
    assert result.exit_code == 0, result.output
    assert ("You have won." if twin.winner == "player" else "The npc has won.") in result.output
    assert "If it were the npc's turn (probability):" in result.output
    assert "\x1b[" not in result.output, "colours in a pipe"
    (record,) = map(json.loads, log.read_text().splitlines())
    assert record == twin.record


def test_the_terminal_shows_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    from rlx.envs.roguelike.play_terminal import draw_room

    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    session = start(seed=1)
    room = draw_room(session.game)
    assert [len(row) for row in room] == [10] * 10 and "".join(room).count("@") == "".join(room).count("N") == 1
    x, y = divmod(int(session.game["cell"][PLAYER]), 10)
    assert room[9 - y][x] == "@"
    result = invoke("--seed", "1")  # without a display, and to the end of the input
    assert result.exit_code == 0 and " ".join(room[0]).rstrip() in result.output


def test_arrows_are_no_escape() -> None:
    result = invoke("--terminal", "--seed", "1", typed="\x1b[A\n\x1b[C\nf\n")
    assert "Shoot in which direction?" in result.output


def test_what_can_be_played_is_told() -> None:
    runner = CliRunner()
    assert ENV in runner.invoke(app, ["play", "--help"]).output
    assert "--npc-class" in invoke("--help").output
    with pytest.raises(ValueError, match=r"rlx/ElectricMotor-v0 cannot be played by hand. These can: .*RoguelikeNPC"):
        runner.invoke(app, ["play", "rlx/ElectricMotor-v0"], catch_exceptions=False)
    with pytest.raises(ValueError, match="neither a policy's file nor an expert. Experts: chaser"):
        invoke("--terminal", "--against", "chesar")


def test_a_policy_for_other_observations_is_refused(trained: str) -> None:
    with pytest.raises(ValueError, match="Say by --obs what it has learned from: ids, dense, entities"):
        invoke("--terminal", "--against", trained, "--obs", "dense")


# Demonstrations


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two games of which one is finished."""
    path = tmp_path / "games.jsonl"
    session = start(seed=2, log=path, npc_class="warrior")
    session.act(advice(session))
    session.undo()
    finish(session)
    session.restart()
    session.act(advice(session))
    session.close()
    return path


def test_a_log_takes_the_same_course(log: Path) -> None:
    first, second = replay(log)
    assert first.record["winner"] in ("npc", "player") and second.record["winner"] is None
    assert (first.record["seed"], second.record["seed"]) == (2, 3)
    assert first.record["env_kwargs"] == {"npc_class": "warrior"}
    assert len(second.steps) == 1 and len(first.steps) == sum(d["who"] == "player" for d in first.record["decisions"])
    for observation, info, action in first.steps:
        assert observation["action_mask"][action] == info["action_mask"][action] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda game: game["decisions"][1].update(action=8), "decision 2 is"),
        (lambda game: game["decisions"][0].update(observation="0"), "decision 1 is"),
        (lambda game: game["decisions"].pop(), "(decision|the winner is)"),
        (lambda game: game.update(winner="nobody"), "the winner is"),
        (lambda game: game.update(seed=11), "decision 1 is"),
        (lambda game: game.update(design_id="0"), "the design is"),
    ],
)
def test_a_log_that_was_changed_is_found_out(log: Path, change: Any, told: str) -> None:
    games = [json.loads(line) for line in log.read_text().splitlines()]
    change(games[0])
    log.write_text("".join(json.dumps(game) + "\n" for game in games))
    with pytest.raises(ValueError, match=rf"games.jsonl:1: {told}"):
        replay(log)


def test_games_in_which_nothing_was_done_are_not_logged(tmp_path: Path) -> None:
    session = start(log=tmp_path / "games.jsonl")
    session.restart()
    session.close()
    assert not (tmp_path / "games.jsonl").exists()
