"""The leaderboard: a page that says all it takes to make it again."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from suites import fake
from typer.testing import CliRunner

from rlx.baselines import commands
from rlx.baselines.compare.leaderboard import load_board, place_rows
from rlx.baselines.compare.manifest import Settings, command_of, make_settings
from rlx.registry.cli import app

ROACHES, TRAFFIC, PENDULUM = "rlx/SC2-DefeatRoaches-v0", "rlx/STL-Traffic-v0", "Pendulum-v1"
MALLOC = "rlx/MallocGame-v0"
LEVELS = {
    TRAFFIC: {"ddpg": [0.2, 0.4, 0.6, 0.8, 1.0], "driver": [0.8] * 5, "random": [0.0] * 5},
    ROACHES: {
        "ppo": [120.0] * 5,
        "dqn": [60.0] * 5,
        "scripted": [110.0] * 5,
        "focus": [20.0] * 5,
        "random": [10.0] * 5,
    },
    PENDULUM: {"ddpg": [-150.0] * 5, "random": [-1200.0] * 5},
}


def rlx(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, " ".join(f"{result.output} {result.exception or ''}".replace("│", " ").split())


def test_the_best_comes_first(tmp_path: Path):
    fake(tmp_path, LEVELS, runs=5)
    board = load_board([tmp_path])
    rows = place_rows(board, ROACHES)
    assert [row["Algorithm"] for row in rows] == ["ppo", "scripted", "dqn", "focus", "random"]
    kinds = [row["Kind"] for row in rows]
    assert kinds == ["tuned learner", "reference expert", "tuned learner", "expert", ""]
    assert [row["0 to 1"] for row in rows] == ["1.10", "1.00", "0.500", "0.100", "0"]
    assert place_rows(board, TRAFFIC)[1]["IQM [95 %]"].startswith("0.600 [")
    learner, other = place_rows(board, PENDULUM)  # has no expert, so no scale
    assert "0 to 1" not in learner and (learner["Kind"], other["Kind"]) == ("learner", "")


def test_the_page(tmp_path: Path):
    fake(tmp_path / "runs", LEVELS, runs=5)
    page = tmp_path / "docs" / "board.md"
    code, text = rlx("leaderboard", tmp_path / "runs", "--out", page)
    assert code == 0 and "All environments" in text
    text = page.read_text()
    titles = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
    assert titles == ["All environments", "StarCraft II mini-games", ROACHES, "Signal temporal logic", TRAFFIC,
                      "Other environments", PENDULUM, "Versions"]  # fmt: skip
    assert f"rlx leaderboard {tmp_path / 'runs'} --out {page}" in text
    svg = page.with_suffix(".svg").read_text()
    rows = list(csv.DictReader(page.with_suffix(".csv").open()))
    assert len(rows) == 5 * (3 + 5 + 2)
    assert [row["score"] for row in rows if row["algorithm"] == "ddpg"][:5] == ["0.2", "0.4", "0.6", "0.8", "1"]
    assert rlx("leaderboard", tmp_path / "runs", "--out", page)[0] == 0
    assert (page.read_text(), page.with_suffix(".svg").read_text()) == (text, svg), "the same runs, another page"


def test_comparisons_are_found_in_a_folder(tmp_path: Path):
    fake(tmp_path / "one", {TRAFFIC: LEVELS[TRAFFIC]}, runs=5)
    fake(tmp_path / "two", {ROACHES: LEVELS[ROACHES]}, runs=5)
    (tmp_path / "one" / "suite.json").unlink()
    (comparison,) = (path for path in (tmp_path / "two").iterdir() if path.is_dir())
    assert load_board([tmp_path / "one", comparison]).each.keys() == {TRAFFIC, ROACHES}
    with pytest.raises(ValueError, match="another of the folders has rlx/STL-Traffic-v0 too"):
        load_board([tmp_path / "one", tmp_path / "one" / "STL-Traffic-v0"])


def test_what_is_not_finished_is_refused(tmp_path: Path):
    fake(tmp_path, {TRAFFIC: LEVELS[TRAFFIC]}, runs=5)
    job = next((tmp_path / "STL-Traffic-v0" / "jobs").glob("ddpg-seed3-*"))
    (job / "done.json").unlink()
    with pytest.raises(ValueError, match=r"1 run on \S+ not finished \(ddpg-seed3-.*\n  rlx compare rlx/STL"):
        load_board([tmp_path])


def test_environments_without_a_scale_are_enough(tmp_path: Path):
    fake(tmp_path / "runs", {PENDULUM: LEVELS[PENDULUM]}, runs=5)
    page = tmp_path / "page.md"
    code, text = rlx("leaderboard", tmp_path / "runs", "--out", page)
    assert code == 0 and "## All environments" not in page.read_text()
    assert "| ddpg | learner |" in page.read_text() and "page.svg" not in page.read_text()
    assert not page.with_suffix(".svg").exists()


def test_mistakes(tmp_path: Path):
    fake(tmp_path / "few", {TRAFFIC: {name: scores[:2] for name, scores in LEVELS[TRAFFIC].items()}})
    code, text = rlx("leaderboard", tmp_path / "few", "--out", tmp_path / "page.md")
    assert code == 1 and "2 runs of ddpg" in text and "takes 5 or more" in text
    assert not (tmp_path / "page.md").exists()
    code, text = rlx("leaderboard", tmp_path / "few", "--out", tmp_path / "page.html")
    assert code == 2 and "ends in .md" in text
    code, text = rlx("leaderboard", tmp_path, "--out", tmp_path / "page.md")
    assert code == 1 and "holds no comparison" in text


@pytest.mark.parametrize(
    "asked",
    [
        (TRAFFIC, {}, ["ddpg", "driver", "random"], {}, range(5), None, 5, 20),
        (TRAFFIC, {}, ["ddpg", "random"], {"ddpg": {"hidden_sizes": [8], "gamma": 0.9}}, range(6), 77, 2, 3, {}, 2),
        (ROACHES, {"action": "units"}, ["random"], {}, range(3), None, 1, 2),
        (MALLOC, {"program": "mlp6_train"}, ["beam"], {}, range(2), None, 1, 2, {"program": ["mlp6_infer", "moe8"]}),
        (TRAFFIC, {}, ["ddpg"], {}, [7], 77, 1, 2),
    ],
    ids=["usual", "changed", "another interface", "varied", "train"],
)
def test_a_command_makes_the_same_comparison(asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = make_settings(*asked)
    made: list[Settings] = []

    class Made(Exception):
        pass

    def stop(comparisons: dict[Path, Settings], *_: Any) -> None:
        made.extend(comparisons.values())
        raise Made

    monkeypatch.setattr(commands, "_run", stop)
    name, *words = shlex.split(command_of(settings, tmp_path))
    assert name == "rlx"
    CliRunner().invoke(app, words)
    assert made == [settings]
