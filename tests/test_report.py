"""`rlx report` and `rlx watch`: what they write."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import trim_mean
from typer.testing import CliRunner

from rlx.baselines.compare.files import write_json
from rlx.baselines.compare.manifest import Settings, make_settings, setups_of, write_manifest
from rlx.baselines.compare.results import load_results, number, rows, varied_rows
from rlx.baselines.compare.run import job_folder
from rlx.baselines.policy import MlpPolicy
from rlx.registry.cli import app

ENV = "rlx/ElectricMotorPaper2019-v0"


def fake(
    folder: Path,
    settings: Settings,
    missing: tuple[str, int] | None = None,
    horizon: int | None = 10_000,
    failure: str = "terminated",
) -> None:
    """Write what jobs would have written: DDPG climbs to 9500, PI scores 9800, random 7000; 100 less in each set-up."""
    random = np.random.default_rng(0)
    hardness = random.exponential(100.0, settings.episodes)
    for job in write_manifest(folder, settings):
        if (job.algo, job.seed) == missing:
            continue
        home = job_folder(folder, job)
        home.mkdir(parents=True)
        level = {"ddpg": 9600.0, "pi": 9900.0, "random": 7000.0}[job.algo]
        log = []
        for point in range(settings.evaluations + 1) if job.learns else [settings.evaluations]:
            share = point / settings.evaluations
            returns = 7000.0 + (level - 7000.0) * share**0.3 - hardness
            if job.algo != "pi":
                returns = returns + random.normal(0.0, 30.0) + random.normal(0.0, 20.0, settings.episodes)
            ends = ["truncated"] * (settings.episodes - 1) + [failure if job.learns else "truncated"]
            log.append({"kind": "final" if share == 1 else "evaluation", "step": 1000 * point if job.learns else 0,
                        "returns": returns.tolist(), "lengths": [10_000] * settings.episodes, "ends": ends,
                        "costs": [0.001] * settings.episodes})  # fmt: skip
        for k, setup in enumerate(setups_of(settings.vary), 1):
            log.append({**log[-1], "returns": (returns - 100.0 * k).tolist(), "setup": setup})
        (home / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
        write_json(home / "done.json", {"hash": job.hash, "cpu_seconds": 100.0})
        config = {"versions": {"torch": "2"}, "machine": {"cpu": "a"}, "commit": "abc"}
        write_json(home / "config.json", config | {"spec": {"max_episode_steps": horizon}})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    fake(folder, make_settings(ENV, {}, ["ddpg", "pi", "random"], {}, [0, 1, 2, 3, 4], 20_000, 20, 20))
    result = CliRunner().invoke(app, ["report", str(folder), "--no-clips"])
    assert result.exit_code == 0, result.output
    assert str(folder / "report" / "index.html") in result.output.replace("\n", "")
    return folder / "report"


def test_the_page_needs_nothing_else(report: Path):
    page = (report / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    links = re.findall(r'<a href="([^"]*)"', page)
    assert len(links) == 2 * 15 and all(
        (report / link).exists() for link in links
    )  # of each run its configuration and log
    sources = re.findall(r"""(?:src|(?<!<a )href|url)\s*[=(]\s*["']?([^"')]{0,30})""", page)
    assert sources and all(source.startswith("data:") for source in sources)
    assert "<script" not in page
    assert "{{" not in page
    assert len(page) < 2_000_000


def test_the_page_says_what_was_found_and_how(report: Path):
    page = (report / "index.html").read_text()
    assert re.search(
        r"pi is ahead of ddpg: the mean returns are 9\d+\.\d and 9\d+\.\d, the difference is \d+\.\d ", page
    )
    assert re.search(r"ddpg is ahead of random: the mean returns are 9\d+\.\d and 6\d+\.\d", page)
    assert "5 runs of each algorithm" in page
    assert "no best checkpoint was picked" in page
    assert "gamma = " in page
    assert "95/100" in page  # the learner failed in one episode of each run
    assert "Completed: episodes that lasted to the horizon, 10,000 steps." in page
    assert "set-up" not in page
    assert "Speed control of a series DC motor" in page


def test_pictures_are_drawn(report: Path):
    for name in ("curves", "returns", "episodes"):
        picture = np.asarray(Image.open(report / f"{name}.png").convert("RGB"))
        assert picture.shape[1] > 1000
        assert (picture != 255).any(axis=2).mean() > 0.01


def test_csv_holds_every_episode(report: Path):
    with (report / "results.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 5 * 21 * 20 + 2 * 5 * 20
    final = [float(row["return"]) for row in table if row["algorithm"] == "pi"]
    results = load_results(report.parent)
    np.testing.assert_allclose(np.sort(final), np.sort(results.returns("pi").ravel()))
    assert {row["end"] for row in table} == {"truncated", "terminated"}
    assert float(table[0]["mean_reward"]) == pytest.approx(float(table[0]["return"]) / 10_000)


def test_markdown_holds_the_table(report: Path):
    text = (report / "results.md").read_text()
    assert (
        "| Algorithm | Runs | Mean | Median | IQM [95 %] | Min | Completed | Mean cost | CPU per run | Steps |" in text
    )
    for algo in ("ddpg", "pi", "random"):
        assert f"| {algo} | 5 |" in text


def test_numbers_in_the_table_are_those_of_the_logs(report: Path):
    results = load_results(report.parent)
    pi = rows(results)[1]
    returns = results.returns("pi")
    assert pi["Mean"] == f"{returns.mean():.1f}"
    assert pi["Median"] == f"{np.median(returns):.1f}"
    assert pi["Completed"] == "100/100"
    assert pi["Mean cost"] == "0.00100"
    assert pi["Steps"] == "–"


def test_a_report_of_what_there_is(tmp_path: Path):
    """Two seeds, one of them missing, and no expert."""
    fake(tmp_path, make_settings(ENV, {}, ["ddpg"], {}, [0, 1], 20_000, 4, 3), missing=("ddpg", 1))
    result = CliRunner().invoke(app, ["report", str(tmp_path), "--no-clips", "--out", str(tmp_path / "elsewhere")])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "elsewhere" / "index.html").read_text()
    assert "Not included, since failed or unfinished: ddpg with seed 1." in page
    assert "Fewer than 5 runs" in page


@pytest.mark.parametrize(
    ("horizon", "failure", "heading", "cells"),
    [
        (10_000, "terminated", "Completed", ["4/6", "6/6"]),
        (10_000, "failure", "Success", ["0/6", "0/6"]),
        (None, "success", "Success", ["2/6", "0/6"]),
        (None, "terminated", None, []),
    ],
)
def test_ends_are_counted_where_they_mean_something(
    tmp_path: Path, horizon: int | None, failure: str, heading: str | None, cells: list[str]
):
    """Successes where the task defines them; else how many reached the horizon, if there is one."""
    fake(
        tmp_path,
        make_settings(ENV, {}, ["ddpg", "pi"], {}, [0, 1], 20_000, 4, 3),
        horizon=horizon,
        failure=failure,
    )
    result = CliRunner().invoke(app, ["report", str(tmp_path), "--no-clips"])
    assert result.exit_code == 0, result.output
    table = rows(load_results(tmp_path))
    shown = {"Completed", "Success"} & set(table[0])
    assert shown == ({heading} if heading else set())
    assert [row[heading] for row in table if heading] == cells
    for text in (result.output, *((tmp_path / "report" / name).read_text() for name in ("index.html", "results.md"))):
        assert {name for name in ("Completed", "Success") if name in text} == shown
    assert (f"{heading}: episodes " in (tmp_path / "report" / "results.md").read_text()) == bool(heading)


def test_other_setups_in_a_report(tmp_path: Path):
    """A table of set-ups, all of them together, and sentences; everything else is as without them."""
    fake(tmp_path / "plain", make_settings(ENV, {}, ["ddpg", "pi"], {}, [0, 1], 20_000, 4, 3))
    vary = {"load": [{"type": "const"}], "supply": [300, 400]}
    fake(tmp_path / "varied", make_settings(ENV, {}, ["ddpg", "pi"], {}, [0, 1], 20_000, 4, 3, vary))
    for name in ("plain", "varied"):
        result = CliRunner().invoke(app, ["report", str(tmp_path / name), "--no-clips"])
        assert result.exit_code == 0, result.output
    assert "supply=300" in result.output
    plain, results = load_results(tmp_path / "plain"), load_results(tmp_path / "varied")
    assert rows(plain) == rows(results)

    table = {row["Set-up"]: row for row in varied_rows(results)}
    assert list(table) == ['load={"type": "const"}', "supply=300", "supply=400", "IQM of all"]
    means = [results.returns("ddpg").mean() - drop for drop in (100.0, 200.0, 300.0)]
    assert [row["ddpg"].split(" [")[0] for row in list(table.values())[:3]] == [number(mean) for mean in means]
    scores = results.scores("ddpg")
    low, high = sorted(scores - 200.0)  # every draw of two runs lies between them
    assert table["supply=300"]["ddpg"].endswith(f"[{number(low)}, {number(high)}]")
    everything = np.concatenate([scores - drop for drop in (100.0, 200.0, 300.0)])
    assert table["IQM of all"]["ddpg"].startswith(f"{number(trim_mean(everything, 0.25))} [")

    page, text = ((tmp_path / "varied" / "report" / name).read_text() for name in ("index.html", "results.md"))
    assert text.count("On the 3 set-ups of load, supply together, pi is ahead of ddpg: the mean returns are ") == 1
    assert text.count("ddpg does better on 0 of 3.") == 1
    for row in table.values():
        assert f"| {' | '.join(row.values())} |" in text
        assert row["ddpg"] in page
    assert "After training, each run is judged on 3 more set-ups" in page

    with (tmp_path / "varied" / "report" / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["setup"] for line in lines if line["algorithm"] == "pi" and line["seed"] == "0"] == [
        name for name in ("", *list(table)[:3]) for _ in range(3)
    ]
    with (tmp_path / "plain" / "report" / "results.csv").open() as file:
        assert list(csv.DictReader(file)) == [
            {key: value for key, value in line.items() if key != "setup"} for line in lines if not line["setup"]
        ]


@pytest.mark.parametrize("algos", [["pi"], ["pi", "random"]])
def test_a_report_without_a_learner(tmp_path: Path, algos: list[str]):
    fake(tmp_path, make_settings(ENV, {}, algos, {}, [0], None, 4, 3))
    result = CliRunner().invoke(app, ["report", str(tmp_path), "--no-clips"])
    assert result.exit_code == 0, result.output


def test_no_comparison_there(tmp_path: Path):
    result = CliRunner().invoke(app, ["report", str(tmp_path), "--no-clips"])
    assert "holds no comparison" in str(result.exception)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9812.53, "9812.5"),
        (-1081.04, "-1081.0"),
        (1234567.8, "1,234,567.8"),
        (0.0, "0"),
        (0.00123, "0.00123"),
        (2.5, "2.50"),
    ],
)
def test_numbers_for_people(value: float, text: str):
    assert number(value) == text


def test_watching_an_expert_and_a_policy(tmp_path: Path):
    arguments = ["watch", "rlx/ElectricMotor-v0", "--steps", "100", "--every", "50"]
    result = CliRunner().invoke(app, [*arguments, "--policy", "pi", "--out", str(tmp_path / "pi.gif")])
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "pi.gif") as picture:
        assert picture.n_frames == 2  # type: ignore[attr-defined]
    import gymnasium

    env = gymnasium.make("rlx/ElectricMotor-v0")
    inputs = env.observation_space.shape[0]  # type: ignore[index]
    layers = [(np.zeros((inputs, 1), np.float32), np.zeros(1, np.float32))]
    MlpPolicy(layers, "relu", (inputs,), env.action_space).save(tmp_path / "policy.npz")  # type: ignore[arg-type]
    result = CliRunner().invoke(app, [*arguments, "--policy", str(tmp_path), "--out", str(tmp_path / "end.png")])
    assert result.exit_code == 0, result.output
    assert "Return" in result.output
    assert Image.open(tmp_path / "end.png").size[0] > 100


def test_watching_nobody():
    result = CliRunner().invoke(app, ["watch", "rlx/ElectricMotor-v0", "--policy", "pid", "--out", "x.png"])
    assert "There are: pi, random" in str(result.exception)


@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_from_a_file_in_a_browser(played: Path, scheme: str):
    """No script or request fails, and all pictures are there, clips included."""
    browsers, path = pytest.importorskip("playwright.sync_api"), shutil.which("chromium")
    if path is None:
        pytest.skip("There is no Chromium.")
    complaints: list[str] = []
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(color_scheme=scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("requestfailed", lambda request: complaints.append(request.url[:80]))
        page.goto((played / "index.html").as_uri())
        widths = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        is_wider = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        browser.close()
    assert complaints == [] and not is_wider
    assert len(widths) == 3 and min(widths) > 100  # the returns, and how two policies play
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 26)"}[scheme]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small comparison that was really made."""
    folder = tmp_path_factory.mktemp("played")
    few = ["--seeds", "1", "--evaluations", "1", "--eval-episodes", "2"]
    for command in (["compare", "rlx/STL-Traffic-v0", "--algos", "driver,random", *few, "--out", str(folder)],
                    ["report", str(folder)]):  # fmt: skip
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    return folder / "report"


def test_clips_show_how_policies_play(played: Path):
    for name in ("driver", "random"):
        with Image.open(played / f"{name}.gif") as clip:
            assert clip.n_frames > 5 and clip.width == 360  # type: ignore[attr-defined]
