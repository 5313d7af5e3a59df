"""`rlx portfolio report`: what it writes, and that it says no more than the evidence does."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas
import pytest
from gymnasium.error import DependencyNotInstalled
from rich.console import Console
from typer.testing import CliRunner

from rlx.envs import core
from rlx.envs.portfolio import commands, load, shipped
from rlx.envs.portfolio.accounting import Backtest
from rlx.envs.portfolio.commands import app, play, runs_of, trained_with
from rlx.envs.portfolio.experts import walk_forward
from rlx.envs.portfolio.market import Market
from rlx.envs.portfolio.report import Study, findings, metrics, rows, run_metrics, side_by_side, write_report
from rlx.envs.portfolio.statistics import measures, turnover

DAYS = 600


def dates_of(days: int) -> np.ndarray:
    return np.busday_offset("2019-01-02", np.arange(days))


def study(leads: dict[str, float] | None = None, days: int = DAYS, **changes) -> Study:
    """Return a study of strategies that lead the benchmark by so much a day."""
    random = np.random.default_rng(0)
    common = random.standard_t(5, days - 1)
    backtests = {}
    for name, lead in {"equal_weight": 0.0, **({"a": 0.0, "b<c>&$x$": 0.0} if leads is None else leads)}.items():
        returns = 0.0004 + lead + 0.006 * common + 0.003 * random.standard_t(5, days - 1)
        value = 1e6 * np.cumprod(np.append(1.0, 1.0 + returns))
        turnover = np.append(1.0, random.uniform(0.0, 0.02, days - 1))
        backtests[name] = Backtest(value, 0.001 * turnover * value, turnover)
    return Study(dates=dates_of(days), backtests=backtests, **changes)


def whole_study() -> Study:
    """Return a study with everything that there can be."""
    weights = np.random.default_rng(1).dirichlet(np.ones(9), DAYS)
    short = weights.copy()
    short[:, 0], short[:, 1] = -weights[:, 0], weights[:, 1] + 2.0 * weights[:, 0]
    done = study(
        index=("an index", np.linspace(100.0, 120.0, DAYS)),
        assets=tuple("ABCDEFGH"),
        compliance=[
            {"strategy": "a", "date": "2019-01-02", "rule": "turnover", "amount": 0.25},
            {"strategy": "a", "date": "2019-01-03", "rule": "turnover", "amount": 0.75},
        ],
        settings={"Cost": "10 bp"},
        warnings=["Mind the <gap>."],
    )
    held = {"a": weights, "b<c>&$x$": short}
    backtests = {name: dataclasses.replace(one, weights=held.get(name)) for name, one in done.backtests.items()}
    return dataclasses.replace(done, backtests=backtests)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> SimpleNamespace:
    """Return what was written of a whole study."""
    folder, done = tmp_path_factory.mktemp("report"), whole_study()
    comparison = done.compare(replicates=200)
    page = write_report(done, comparison, folder)
    return SimpleNamespace(folder=folder, page=page, study=done, comparison=comparison, text=page.read_text())


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Page(HTMLParser):
    """What a page asks for, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.asked, self.words, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.asked += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_needs_nothing_else(written):
    page = Page(written.text)
    assert all(asked.startswith("#") for asked in page.asked)
    assert not {"script", "link", "img", "iframe"} & set(page.tags) and "@import" not in written.text
    assert set(re.findall(r"url\((.)", written.text)) <= {"#"}
    assert page.tags.count("svg") == 6


def test_the_page_has_two_themes(written):
    assert "prefers-color-scheme: dark" in written.text
    style, figures = written.text.split("</style>", 1)
    for name in set(re.findall(r"var\(--(\w+)\)", written.text)):
        assert f"--{name}:" in style
    for color in ("#ffffff", "#1d1f21", "#62676d", "#e3e5e8"):
        assert color not in figures and color in style


def test_the_page_says_what_was_found(written):
    words = " ".join(Page(written.text).words)
    for sentence in (*findings(written.study, written.comparison), "Mind the <gap>.", "b<c>&$x$", "Cost: 10 bp"):
        assert sentence in words
    assert "3 strategies from 2019-01-02 to 2021-04-20: 600 days, 2.4 years of 252." in words
    for row in rows(written.study, written.comparison):
        assert set(row.values()) <= set(Page(written.text).words)


def test_pictures_are_drawings_of_their_own(written):
    names = {path.name for path in written.folder.iterdir()} - {"index.html", "metrics.csv", "curves.csv"}
    pictures = {"growth", "sharpe_ratios", "drawdown", "rolling_sharpe_ratio", "turnover_and_cost", "weights"}
    assert names == {"compliance.csv", *(f"{name}.svg" for name in pictures)}
    texts = {name: words_of(written.folder / f"{name}.svg") for name in pictures}
    assert all("b<c>&$x$" in words for words in texts.values())
    assert {"cash", "2 others"} <= texts["weights"]


def words_of(picture: Path) -> set[str | None]:
    return {text.text for text in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")}


def test_numbers_are_written_in_full(written):
    table = read(written.folder / "metrics.csv")
    for row, expected in zip(table, metrics(written.study, written.comparison), strict=True):
        assert row.pop("strategy") == expected.pop("strategy")
        found = {name: float(value) if value else math.nan for name, value in row.items()}
        assert found == pytest.approx(expected, rel=1e-15, nan_ok=True)
    assert [row["sharpe_low"] for row in table][-1] == ""  # the index is not tested
    curves = read(written.folder / "curves.csv")
    assert [row["date"] for row in curves] == [str(date) for date in written.study.dates]
    for name, backtest in written.study.backtests.items():
        assert [float(row[name]) for row in curves] == backtest.value.tolist()
    assert [float(row["amount"]) for row in read(written.folder / "compliance.csv")] == [0.25, 0.75]


def test_the_same_study_gives_the_same_report(written, tmp_path):
    again = whole_study()
    write_report(again, again.compare(replicates=200), tmp_path)
    for path in written.folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_compliance_is_counted(written):
    table = written.text[written.text.index("<h2>Compliance") :]
    assert re.findall(r"<td>([^<]*)</td>", table)[:3] == ["turnover", "2", "0.5000"]


def test_equals_are_called_equal():
    done = study({"a": 0.0, "b": 0.0})
    comparison = done.compare(replicates=200)
    told = findings(done, comparison)
    least = min(comparison.p_value.values())
    assert told[0] == (
        "No strategy's Sharpe ratio is shown to differ from that of equal_weight at the 95 % level (2 comparisons "
        f"taken together; the smallest p = {least:.3f})."
    )
    assert told[1].endswith("is not supported.") and f"p = {comparison.spa:.2f}" in told[1]


def test_better_and_worse_are_told_apart():
    done = study({"good": 0.003, "bad": -0.003, "same": 0.0})
    comparison = done.compare(replicates=200)
    told = findings(done, comparison)
    assert told[0].startswith("The Sharpe ratio of good is higher than that of equal_weight at the 95 % level (+")
    assert told[1].startswith("The Sharpe ratio of bad is lower than that of equal_weight at the 95 % level (-")
    assert told[2] == "Those of the others are not shown to differ from that of equal_weight."
    assert told[3].endswith("is supported.")
    assert f"{comparison.deflated['good']:.3f}" in told[4] and "4 strategies were tried" in told[4]


def test_one_strategy_alone(tmp_path):
    done = study({}, days=100)
    comparison = done.compare(replicates=100)
    assert len(findings(done, comparison)) == 1
    text = write_report(done, comparison, tmp_path).read_text()
    assert not (tmp_path / "compliance.csv").exists() and not (tmp_path / "rolling_sharpe_ratio.svg").exists()
    assert "1 strategy from" in text


def test_cash_and_ruin_can_be_reported(tmp_path):
    done = study({"a": 0.0})
    nothing = np.zeros(DAYS)
    ruin = np.append(np.linspace(1e6, 0.0, 100), np.zeros(DAYS - 100))
    backtests = done.backtests | {"cash": Backtest(np.full(DAYS, 1e6), nothing, nothing),
                                  "ruin": Backtest(ruin, nothing, nothing)}  # fmt: skip
    done = Study(dates=done.dates, backtests=backtests)
    comparison = done.compare(replicates=100)
    write_report(done, comparison, tmp_path)
    table = {row["Strategy"]: row for row in rows(done, comparison)}
    assert table["cash"]["Sharpe"] == "–" and table["ruin"]["CAGR, %"] == "-100.0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"benchmark": "hrp"}, "benchmark = 'hrp' has no backtest. There are: equal_weight, a, b"),
        ({"index": ("an index", np.ones(3))}, f"an index has 3 days, but there are {DAYS} dates"),
        ({"index": ("a", np.ones(DAYS))}, "a strategy of the index's name, 'a'"),
        ({"backtests": {"a": Backtest(*np.ones((3, DAYS)), np.ones((4, 3)))}}, "a's weights has 4 days"),
        (
            {"backtests": {"a": Backtest(*np.ones((3, DAYS)), np.ones((DAYS, 3)))}, "assets": ("A",)},
            "a's weights are of 2 assets, but 1 are named",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(changes: dict, words: str):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(study(), **changes)


# Learners with several runs


def study_of_runs(leads: tuple[float, ...] = (-0.001, 0.0, 0.004), **changes) -> Study:
    """Return a study of a strategy and of a learner whose runs lead the benchmark by so much a day."""
    done = study({"a": 0.0} | {str(place): lead for place, lead in enumerate(leads)})
    weights = np.random.default_rng(2).dirichlet(np.ones(3), (DAYS, len(leads)))
    found = [dataclasses.replace(done.backtests[str(place)], weights=weights[:, place]) for place in range(len(leads))]
    backtests = {name: done.backtests[name] for name in ("equal_weight", "a")} | {"learner": side_by_side(found)}
    names = {"learner": [f"seed {place}" for place in range(len(leads))]}
    return Study(dates=done.dates, backtests=backtests, runs=names, assets=("A", "B"), **changes)


def test_the_numbers_of_a_learner_are_means_over_its_runs():
    done = study_of_runs()
    comparison = done.compare(replicates=200)
    runs, learner = run_metrics(done, comparison), done.backtests["learner"]
    assert [(row["strategy"], row["run"]) for row in runs] == [("learner", f"seed {place}") for place in range(3)]
    for place, row in enumerate(runs):
        expected = measures(learner.value[:, place]) | {"turnover": turnover(learner.turnover[:, place])}
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    (mean,) = (row for row in metrics(done, comparison) if row["strategy"] == "learner")
    for name in ("sharpe", "cagr", "max_drawdown", "turnover", "cost_rate", "final_value"):
        assert mean[name] == pytest.approx(np.mean([row[name] for row in runs]), rel=1e-12)
    assert mean["sharpe"] == pytest.approx(comparison.sharpe["learner"].value, rel=1e-12)
    (shown,) = (row for row in rows(done, comparison) if row["Strategy"] == "learner")
    assert shown["Deflated"] == "–" and shown["Sharpe"].startswith(f"{mean['sharpe']:.2f} [")
    np.testing.assert_allclose(done.held()["learner"], learner.weights.mean(axis=2))


def test_a_learner_at_the_top_is_told_to_be_a_mean():
    done = study_of_runs()
    comparison = done.compare(replicates=200)
    told = findings(done, comparison)
    ratios = [row["sharpe"] for row in run_metrics(done, comparison)]
    assert "of learner, " in told[-3] and told[-3].endswith("Of a mean over runs there is no deflated Sharpe ratio.")
    assert told[-1] == (
        f"The numbers of learner are means over 3 runs, whose Sharpe ratios go from {min(ratios):.2f} to "
        f"{max(ratios):.2f}."
    )


def test_a_report_lists_every_run(tmp_path):
    held_back = [
        {"strategy": name, "run": run, "date": "2019-01-02", "rule": "turnover", "amount": amount}
        for name, run, amount in [("a", "", 0.2), *[("learner", f"seed {place}", 0.1 * place) for place in (0, 2)]]
    ]
    done = study_of_runs(compliance=held_back)
    comparison = done.compare(replicates=200)
    text = write_report(done, comparison, tmp_path).read_text()
    table = read(tmp_path / "runs.csv")
    expected = run_metrics(done, comparison)
    assert [float(row["sharpe"]) for row in table] == [row["sharpe"] for row in expected]
    assert [row["run"] for row in table] == ["seed 0", "seed 1", "seed 2"]
    words = Page(text).words
    section = words[words.index("Runs") : words.index("Calendar years")]
    assert {f"{row['sharpe']:.2f}" for row in expected} <= set(section) and "seed 2" in section
    curves = read(tmp_path / "curves.csv")
    for place in range(3):
        found = [float(row[f"learner seed {place}"]) for row in curves]
        assert found == done.backtests["learner"].value[:, place].tolist()
    compliance = words[words.index("Compliance") : words.index("How this was measured")]
    assert {"0.7", "0.1000", "0.2000"} <= set(compliance)  # 2 days of 3 runs
    assert "mean over them" in text


def test_a_single_run_has_no_runs(written):
    assert "Runs" not in Page(written.text).words and "mean over them" not in written.text


def test_runs_side_by_side():
    one, other = (Backtest(*np.full((3, 4), x), weights=np.full((4, 2), x)) for x in (1.0, 2.0))
    both = side_by_side([one, other])
    assert both.value.shape == both.cost.shape == (4, 2) and both.weights.shape == (4, 2, 2)
    np.testing.assert_array_equal(both.weights[..., 1], other.weights)
    assert side_by_side([dataclasses.replace(each, weights=None) for each in (one, other)]).weights is None


def test_runs_need_their_names():
    with pytest.raises(ValueError, match=rf"learner's value has the shape \({DAYS}, 3\), but runs names 0 of its runs"):
        dataclasses.replace(study_of_runs(), runs={})


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_without_a_module_it_says_what_to_type(monkeypatch, tmp_path, module: str):
    done = study({}, days=100)
    comparison = done.compare(replicates=100)
    monkeypatch.delitem(sys.modules, "rlx.envs.portfolio.figures")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DependencyNotInstalled, match=rf'needs {module}: pip install "rlx\[baselines\]"'):
        write_report(done, comparison, tmp_path / "new")
    assert not (tmp_path / "new").exists()


# The command


@pytest.fixture(scope="module")
def prices(tmp_path_factory) -> Path:
    """Return a table of prices of four assets."""
    path = tmp_path_factory.mktemp("prices") / "four.csv"
    returns = np.random.default_rng(7).normal(0.0004, 0.01, (400, 4))
    table = np.column_stack([dates_of(400).astype(str), np.round(100.0 * np.cumprod(1.0 + returns, axis=0), 4)])
    path.write_text("\n".join(",".join(row) for row in [["date", *"ABCD"], *table.tolist()]) + "\n")
    return path


def run(*arguments: object, code: int = 0) -> str:
    """Return what the command printed, however wide the terminal is."""
    done = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split()) + (str(done.exception) if code else "")


class Half:
    """Keeps half of the wealth in cash, spread evenly otherwise."""

    def __init__(self, assets: int) -> None:
        self._weights = np.append(np.full(assets, 0.5 / assets), 0.5).astype(np.float32)

    def reset(self) -> None:
        pass

    def act(self, observation, info):
        return self._weights


@pytest.fixture
def half(monkeypatch, tmp_path) -> Path:
    """Return the folder of a run whose policy is `Half` of four assets."""
    monkeypatch.setattr(core, "read_policy", lambda path: Half(4))
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "policy.npz").touch()
    return tmp_path / "half"


def test_the_command_reports_on_own_prices(prices, half, tmp_path):
    out = tmp_path / "out"
    shown = run("--strategies", "inverse_volatility,buy_and_hold", "--prices", prices, "--lookback", 100, "--policy",
                half, "--replicates", 100, "--trials", 50, "--out", out)  # fmt: skip
    table = {row["strategy"]: row for row in read(out / "metrics.csv")}
    assert set(table) == {"equal_weight", "inverse_volatility", "buy_and_hold", "half"}
    assert str(out / "index.html") in shown and all(name in shown for name in table)
    assert "Given that 50 strategies were tried" in shown
    curves = read(out / "curves.csv")
    assert len(curves) == 300 and curves[0]["date"] == str(dates_of(400)[100])
    assert float(table["half"]["volatility"]) == pytest.approx(
        0.5 * float(table["equal_weight"]["volatility"]), rel=0.1
    )
    text = (out / "index.html").read_text()
    assert "four.csv, 4 assets, digest" in text and f"Policy half: {half}" in text


def comparison(folder: Path, seeds: int = 3, learners: tuple[str, ...] = ("ddpg",)) -> Path:
    """Write a finished comparison of learners and an expert on portfolios that see five days."""
    told = {"env_id": "rlx/Portfolio-v0", "env_kwargs": {"window": 5}}
    jobs = {f"{algo}-seed{seed}-0123abcd": "0123abcdef" for algo in (*learners, "hrp") for seed in range(seeds)}
    for job in jobs:
        (folder / "jobs" / job).mkdir(parents=True)
        (folder / "jobs" / job / "job.json").write_text(json.dumps(told))
        for name in ("done.json", "policy.npz") if not job.startswith("hrp") else ("done.json",):
            (folder / "jobs" / job / name).touch()
    algos = {learner: {"steps": 1} for learner in learners} | {"hrp": {}}
    (folder / "manifest.json").write_text(json.dumps({"settings": told | {"algos": algos}, "jobs": jobs}))
    return folder


@pytest.fixture
def policy_of_seed(monkeypatch) -> None:
    """Let the policy of each seed hold one of four assets, the first that of seed 0."""

    def read(folder: Path) -> SimpleNamespace:
        seed = int(re.search(r"-seed(\d+)-", str(folder))[1])
        return SimpleNamespace(reset=lambda: None, act=lambda observation, info: np.eye(5, dtype=np.float32)[seed])

    monkeypatch.setattr(core, "read_policy", read)


def test_the_runs_of_a_comparison_are_one_strategy(prices, policy_of_seed, tmp_path):
    folder, out = comparison(tmp_path / "compared"), tmp_path / "out"
    shown = run("--strategies", "equal_weight", "--prices", prices, "--lookback", 100, "--policy", f"mine={folder}",
                "--replicates", 100, "--out", out)  # fmt: skip
    table = {row["strategy"]: row for row in read(out / "metrics.csv")}
    assert set(table) == {"equal_weight", "mine"}
    runs = read(out / "runs.csv")
    assert [row["run"] for row in runs] == ["seed 0", "seed 1", "seed 2"]
    market = load(prices)
    for row, path in zip(runs, runs_of("mine", folder).values(), strict=True):
        played, _ = play(path, market, 0.001, {"window": 5}, *dates_of(400)[[100, -1]])
        assert float(row["final_value"]) == played.value[-1]
    assert float(table["mine"]["sharpe"]) == pytest.approx(np.mean([float(row["sharpe"]) for row in runs]))
    assert "The numbers of mine are means over 3 runs, whose Sharpe ratios go from" in shown
    assert f'Policy mine: {folder}, 3 runs. In the environment: {{"window": 5}}' in " ".join(
        Page((out / "index.html").read_text()).words
    )


def test_runs_are_found(tmp_path):
    jobs = {f"seed {seed}": tmp_path / "two" / "jobs" / f"ppo-seed{seed}-0123abcd" for seed in range(3)}
    assert runs_of("ppo", comparison(tmp_path / "two", learners=("ddpg", "ppo"))) == jobs
    one = comparison(tmp_path / "one", seeds=1) / "jobs" / "ddpg-seed0-0123abcd"
    assert runs_of("any", tmp_path / "one") == {"seed 0": one}
    assert runs_of("any", one) == {"": one} and runs_of("any", one / "policy.npz") == {"": one / "policy.npz"}
    assert trained_with(tmp_path / "one") == trained_with(one) == trained_with(one / "policy.npz") == {"window": 5}


@pytest.mark.parametrize("missing", ["done.json", "policy.npz"])
def test_runs_that_are_not_finished_are_told(missing: str, tmp_path):
    comparison(tmp_path)
    (tmp_path / "jobs" / "ddpg-seed1-0123abcd" / missing).unlink()
    with pytest.raises(ValueError, match="1 of 3 runs are not finished: ddpg-seed1-0123abcd. The command"):
        runs_of("ddpg", tmp_path)


def test_one_of_several_learners_must_be_chosen(tmp_path):
    comparison(tmp_path / "two", learners=("ddpg", "ppo"))
    with pytest.raises(ValueError, match=r"several learners .*, ddpg, ppo. Choose .* --policy ddpg=.*/two\."):
        runs_of("two", tmp_path / "two")
    with pytest.raises(ValueError, match="no learner was trained there"):
        runs_of("none", comparison(tmp_path / "none", learners=()))


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (40, "Strategy Sharpe"),
        (60, "Strategy Sharpe p CAGR"),
        (65, "Strategy Sharpe p CAGR Drawdown"),
        (80, "Strategy Sharpe p CAGR Drawdown Cost Volatility"),
    ],
)
def test_a_narrow_terminal_shows_fewer_columns(width: int, headings: str, prices, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "console", Console(width=width))
    arguments = ["--strategies", "equal_weight,exponentiated_gradient", "--prices", prices, "--replicates", 100]
    lines = CliRunner().invoke(app, ["report", *map(str, arguments), "--out", str(tmp_path)]).stdout.splitlines()
    table = lines[: lines.index("")]
    words = " ".join(table).split()
    assert set(headings.split()) == {word for word in words if word.isalpha()} - {"bp"}
    assert {"equal_weight", "exponentiated_gradient"} < set(words) and max(map(len, table)) <= width


def test_policies_see_further_columns(prices, half, tmp_path, monkeypatch):
    table = pandas.read_csv(prices).melt("date", var_name="asset", value_name="close")
    table["rsi"] = np.arange(len(table), dtype=float)
    table.to_csv(tmp_path / "long.csv", index=False)
    seen = []
    monkeypatch.setattr(Half, "act", lambda self, observation, info: seen.append(observation) or self._weights)
    run("--strategies", "equal_weight", "--prices", tmp_path / "long.csv", "--feature", "rsi", "--lookback", 100,
        "--policy", half, "--out", tmp_path / "out")  # fmt: skip
    assert {observation["features"].shape for observation in seen} == {(50, 4, 1)}


def test_days_can_be_chosen(prices, tmp_path):
    run("--strategies", "equal_weight", "--prices", prices, "--first", "2020-01-01", "--last", "2020-04-30",
        "--replicates", 100, "--out", tmp_path)  # fmt: skip
    dates = [row["date"] for row in read(tmp_path / "curves.csv")]
    assert (dates[0], dates[-1]) == ("2020-01-01", "2020-04-30")


def test_the_default_is_the_test_split_and_training_days_are_told(half, tmp_path, monkeypatch):
    monkeypatch.setattr(core, "read_policy", lambda path: Half(20))
    shown = run("--strategies", "equal_weight", "--policy", f"mine={half}", "--out", tmp_path / "a")
    dates = [row["date"] for row in read(tmp_path / "a" / "curves.csv")]
    assert (dates[0], dates[-1]) == ("2019-01-02", "2022-12-28") and "trained" not in shown
    shown = run("--strategies", "equal_weight", "--policy", f"mine={half}", "--split", "all", "--first", "2015-06-01",
                "--out", tmp_path / "b")  # fmt: skip
    assert "up to 2015-12-31, on which policies are trained" in shown


def test_a_policy_is_played_as_a_strategy_is_run(monkeypatch):
    market, first, last = shipped(), np.datetime64("2019-01-02"), np.datetime64("2019-06-28")
    monkeypatch.setattr(core, "read_policy", lambda path: SimpleNamespace(reset=lambda: None, act=act))
    act = lambda observation, info: np.append(np.full(20, 0.05), 0.0).astype(np.float32)  # noqa: E731
    played, held_back = play(Path("any"), market, 0.001, {}, first, last)
    strategy = walk_forward(market, ["equal_weight"], rebalance="daily", cost=0.001, first=first, last=last)
    # The environment trades no changes of weights below 1e-6; of twenty assets, at 10 bp of 1e6.
    for name, dust in (("value", 0.1), ("cost", 20 * 1e-6 * 0.001 * 1e6), ("turnover", 20 * 1e-6), ("weights", 1e-6)):
        np.testing.assert_allclose(getattr(played, name), getattr(strategy["equal_weight"], name), rtol=0.0, atol=dust)
    assert played.weights.shape == (len(played.value), 21) and held_back == []
    np.testing.assert_allclose(played.weights.sum(axis=1), 1.0, atol=1e-9)
    assert played.weights[0, -1] == 1.0 and played.weights[1, -1] == pytest.approx(0.0, abs=1e-6)


def test_what_held_a_policy_back_is_kept(monkeypatch):
    market, first, last = shipped(), np.datetime64("2019-01-02"), np.datetime64("2019-03-28")
    monkeypatch.setattr(core, "read_policy", lambda path: Half(20))
    played, held_back = play(Path("any"), market, 0.0, {"constraints": {"turnover": 0.2}}, first, last)
    assert [row["rule"] for row in held_back[:2]] == ["turnover"] * 2
    assert held_back[0]["date"] == "2019-01-02" and held_back[0]["amount"] > held_back[1]["amount"] > 0.1
    assert played.weights[1, -1] == pytest.approx(0.8, abs=0.01)


def test_a_policy_needs_days_before_the_first(monkeypatch):
    market = shipped()
    monkeypatch.setattr(core, "read_policy", lambda path: Half(20))
    with pytest.raises(ValueError, match=f"the first, 2007-01-10: it can be {market.dates[50]} or later"):
        play(Path("any"), market, 0.0, {}, np.datetime64("2007-01-10"), np.datetime64("2008-01-02"))


def test_a_policy_that_cannot_read_is_told_so(monkeypatch):
    market, first, last = shipped(), np.datetime64("2019-01-02"), np.datetime64("2019-03-28")
    monkeypatch.setattr(core, "read_policy", lambda path: SimpleNamespace(reset=lambda: None, act=act))
    act = lambda observation, info: np.asarray(observation, np.float32)  # noqa: E731
    with pytest.raises(ValueError, match="a/run cannot read what the environment shows .*--env-kwargs"):
        play(Path("a/run"), market, 0.0, {}, first, last)


def test_a_run_tells_what_its_policy_was_trained_with(half, prices, monkeypatch):
    told = {"assets": ["D", "B"], "window": 5, "world": "pair", "split": "train"}
    settings = {"env_id": "rlx/PortfolioSynthetic-v0", "env_kwargs": told}
    (half / "manifest.json").write_text(json.dumps({"settings": settings}))
    arguments = trained_with(half)
    assert arguments == trained_with(half / "policy.npz") == {"assets": ["D", "B"], "window": 5}
    (half / "manifest.json").write_text(json.dumps({"settings": {"env_id": "rlx/PortfolioPair-v0", "env_kwargs": {}}}))
    assert trained_with(half) == {"assets": 2, "window": 20}, "what the id says"
    monkeypatch.setattr(core, "read_policy", lambda path: Half(2))
    played, _ = play(half, load(prices), 0.0, arguments, *dates_of(400)[[10, -1]])
    np.testing.assert_allclose(played.weights[1], [0.0, 0.25, 0.0, 0.25, 0.5], atol=0.01)


def test_after_ruin_the_value_stays(monkeypatch):
    close = np.full((100, 2), 100.0)
    close[10:] = 0.1
    market = Market(("A", "B"), dates_of(100), close)
    monkeypatch.setattr(core, "read_policy", lambda path: SimpleNamespace(reset=lambda: None, act=act))
    act = lambda observation, info: np.array([0.5, 0.5, 0.0], np.float32)  # noqa: E731
    played, _ = play(Path("any"), market, 0.0, {"window": 1}, market.dates[1], market.dates[-1])
    assert played.value[8] == pytest.approx(1e6) and set(played.value[9:]) == {played.value[-1]}
    assert played.value[-1] < 0.01 * 1e6 and not played.turnover[9:].any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--strategies", "markowitz"], "--strategies markowitz is unknown. Strategies: equal_weight, "),
        (["--policy", "no/such"], "--policy no/such: there is no policy. `rlx train` writes"),
        (["--policy", "."], "--policy .: there is no policy. `rlx train` writes"),
        (["--split", "tset"], "tset"),
        (["--env-kwargs", "{"], "--env-kwargs '{' is no JSON"),
        (["--env-kwargs", '{"costs": 0}'], "without dataset, world, split, days, start, costs"),
        (["--policy", "x=ELSEWHERE"], "ELSEWHERE: it was trained in rlx/Tank-v0, and knows no portfolios"),
        (["--policy", "hrp=RUN"], "--policy hrp: a strategy has that name"),
        (["--policy", "x=RUN", "--policy", "x=RUN"], "another policy is called x"),
        (["--benchmark", "mine"], "--benchmark mine is none of these: equal_weight."),
        (["--trials", "0"], "--trials 0: 1 are shown, and each of them was tried"),
        (["--first", "2022-12-01"], "there are 19 days: at least 64 are needed"),
        (["--feature", "rsi"], "--feature names a column of --prices, which is not given"),
        (["--prices", "PRICES.csv", "--feature", "rsi"], "rsi"),
        (["--prices", "PRICES.csv", "--split", "train"], "--split train: a file of prices has no splits"),
    ],
)
def test_mistakes_are_told(arguments: list[str], words: str, prices, tmp_path, monkeypatch):
    for name, env_id in (("RUN", "rlx/Portfolio-v0"), ("ELSEWHERE", "rlx/Tank-v0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.npz").touch()
        (tmp_path / name / "manifest.json").write_text(json.dumps({"settings": {"env_id": env_id, "env_kwargs": {}}}))
    (tmp_path / "PRICES.csv").write_bytes(prices.read_bytes())
    monkeypatch.chdir(tmp_path)
    strategies = [] if {"--strategies", "hrp=RUN"} & set(arguments) else ["--strategies", "equal_weight"]
    assert words in run(*strategies, *arguments, "--out", "out", code=1)
    assert not Path("out").exists()
