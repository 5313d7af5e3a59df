"""Comparisons on several environments: who plays what, and what it adds up to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from suites import fake
from typer.testing import CliRunner

from rlx.baselines.compare.suite import (
    aggregate_rows,
    choose,
    environment_rows,
    improvement_rows,
    load_suite,
    reference_of,
    write_suite,
)
from rlx.registry.catalog import environments
from rlx.registry.cli import app

ROACHES, TRAFFIC, BEACON = "rlx/SC2-DefeatRoaches-v0", "rlx/STL-Traffic-v0", "rlx/SC2-MoveToBeacon-v0"


def rlx(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


LEVELS = {
    ROACHES: {"ppo": [120.0, 180.0], "dqn": [60.0, 60.0], "scripted": [120.0, 120.0], "random": [-10.0, 10.0]},
    TRAFFIC: {"ppo": [0.5, 0.5], "driver": [1.0, 1.0], "random": [0.0, 0.0]},
}


def test_scores_are_put_on_one_scale(tmp_path: Path):
    fake(tmp_path, LEVELS)
    results = load_suite(tmp_path)
    assert results.scales == {ROACHES: (0.0, 120.0), TRAFFIC: (0.0, 1.0)}
    assert list(results.scores) == ["ppo", "dqn", "expert", "random"]
    np.testing.assert_allclose(results.scores["ppo"][ROACHES], [1.0, 1.5])
    np.testing.assert_allclose(results.scores["expert"][TRAFFIC], [1.0, 1.0])
    np.testing.assert_allclose(results.curves["ppo"][ROACHES], [[0.5, 1.0], [0.75, 1.5]])
    ppo, dqn, *_ = aggregate_rows(results)
    assert (ppo["Environments"], dqn["Environments"]) == ("2", "1")
    assert ppo["IQM"].startswith("0.750 ") and ppo["Mean"].startswith("0.875 ") and ppo["Median"].startswith("0.875 ")
    assert ppo["Optimality gap"] == "0.250"  # 1, 1.5, 0.5, 0.5: what is more than 1 counts as 1
    assert environment_rows(results)[1] == {
        "Environment": TRAFFIC, "Expert": "driver", "0 is": "0", "1 is": "1.00", "ppo": "0.50 [0.50, 0.50]", "dqn": "",
    }  # fmt: skip
    assert improvement_rows(results)[0]["dqn"] == "1.00 [1.00, 1.00] of 1"


def test_an_expert_that_is_no_better_than_random_is_no_scale(tmp_path: Path):
    fake(tmp_path, {**LEVELS, BEACON: {"ppo": [3.0, 4.0], "scripted": [0.0, 0.0], "random": [1.0, 0.0]}})
    results = load_suite(tmp_path)
    assert BEACON not in results.scales and BEACON not in results.scores["ppo"]
    assert environment_rows(results)[2]["ppo"] == ""


def test_the_report_has_a_page_for_all_and_one_for_each(tmp_path: Path):
    fake(tmp_path, LEVELS)
    code, text = rlx("report", tmp_path, "--no-clips")
    assert code == 0 and "All environments" in text
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 2 and "expert" in page
    for name in ("SC2-DefeatRoaches-v0", "STL-Traffic-v0"):
        assert f'href="{name}/index.html"' in page and (tmp_path / "report" / name / "index.html").exists()
    assert (tmp_path / "report" / "results.md").read_text().startswith("## All environments\n\n| Algorithm |")


def test_who_plays_what():
    assert choose(ROACHES, []) == ["ppo", "dqn", "scripted", "random"]  # the learners that are tuned for it
    assert choose(ROACHES, ["ddpg", "focus"]) == ["focus", "scripted", "random"]  # those that can
    assert choose("Pendulum-v1", ["ddpg"]) == ["ddpg", "random"]
    assert reference_of("rlx/SC2-BuildMarines-v0") == "builder" and reference_of("Pendulum-v1") == ""
    assert all(reference_of(env_id) in row.experts for env_id, row in environments().items())


def test_mistakes(tmp_path: Path):
    code, text = rlx("compare", ROACHES, ROACHES, "--out", tmp_path / "a")
    assert code != 0 and not (tmp_path / "a").exists()
    code, text = rlx("compare", ROACHES, TRAFFIC, "--env-kwargs", '{"a": 1}', "--out", tmp_path / "a")
    assert code != 0 and "Arguments are those of one environment" in text and not (tmp_path / "a").exists()
    write_suite(tmp_path / "b", [ROACHES, TRAFFIC])
    with pytest.raises(ValueError, match="holds another suite: rlx/SC2-DefeatRoaches-v0, rlx/STL-Traffic-v0"):
        write_suite(tmp_path / "b", [ROACHES])
    with pytest.raises(ValueError, match="holds no suite"):
        load_suite(tmp_path)


def test_several_environments_are_run_together(tmp_path: Path):
    out = tmp_path / "runs"
    numbers = ("--seeds", 1, "--evaluations", 1, "--eval-episodes", 2, "--jobs", 2)
    code, text = rlx("compare", TRAFFIC, "rlx/STL-Maze-v0", "--algos", "random", *numbers, "--out", out)
    assert code == 0, text
    assert "driver" in text and "steering" in text  # the references are there unasked
    assert sorted(load_suite(out).each) == ["rlx/STL-Maze-v0", TRAFFIC]
