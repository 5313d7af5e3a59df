"""WebNav's browser back end: what Chromium shows is what agents see, and no page can hold them up."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import data_equivalence
from typer.testing import CliRunner

from rlx.envs.web_nav.browser import BrowserPage, PageError, pages
from rlx.envs.web_nav.browser.conformance import play
from rlx.envs.web_nav.browser.find import VARIABLE, find
from rlx.envs.web_nav.commands import app
from rlx.envs.web_nav.page import Action
from rlx.envs.web_nav.tasks import TASKS
from rlx.registry.experts import make_expert

pytestmark = pytest.mark.xdist_group("browser")  # one at a time


def missing() -> str:
    """Return why there is no browser here, or nothing."""
    try:
        pages("click-test").site.close()
    except DependencyNotInstalled as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def browser() -> None:
    """Skip what needs a browser where there is none."""
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture
def open_page(browser: None, tmp_path: Path) -> Iterator[Any]:
    """Return what opens a page: of MiniWoB++ by its name, or of a body and a script."""
    opened: list[type[BrowserPage]] = []

    def open_(task: str, script: str = "", timeout: float = 10.0) -> BrowserPage:
        if "<" in task:
            file = tmp_path / "page.html"
            file.write_text(f"<!doctype html><title>Do it</title><body>{task}<script>{script}</script></body>")
            task = str(file)
        opened.append(pages(task, timeout=timeout))
        return opened[-1](0)

    yield open_
    for kind in opened:
        kind.site.close()


def act(page: BrowserPage, id: str, text: str | None = None, milliseconds: float = 300.0) -> None:
    page.perform(Action(page[id], text))
    page.advance(milliseconds)


# ------------------------------------------------------------------------------------------------- the same as embedded


@pytest.mark.parametrize("task", ["login-user", "enter-date", "order-food", "use-autocomplete"])
def test_both_show_the_same(browser: None, task: str) -> None:
    kind = pages(task)
    try:
        for seed in range(2):
            verdict, _ = play(kind, seed, 8)
            assert not verdict.difference
            assert verdict.steps > 0
    finally:
        kind.site.close()


def test_a_difference_is_told(browser: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "click-test", TASKS["click-test-2"])
    kind = pages("click-test")
    try:
        verdict, _ = play(kind, 0, 8)
        assert verdict.difference.startswith("after the start: utterance: embedded")
    finally:
        kind.site.close()


def test_the_command_tells_and_records(browser: None, tmp_path: Path) -> None:
    arguments = ["conformance", "--task", "click-button", "--seeds", "2", "--first", "5", "--record", str(tmp_path)]
    answer = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "table.md")])
    assert answer.exit_code == 0, answer.output
    assert "1 of 1 tasks were the same throughout" in answer.output
    assert "| click-button | 2 / 2 |" in (tmp_path / "table.md").read_text()
    recorded = json.loads((tmp_path / "pages.json").read_text())["click-button"]
    assert [told[:2] for told in recorded] == [[seed, TASKS["click-button"](seed).utterance] for seed in (5, 6)]
    rollouts = json.loads(gzip.decompress((tmp_path / "rollouts.json.gz").read_bytes()))
    for rollout in rollouts:
        page = TASKS[rollout["task"]](rollout["seed"])
        for element, text, _ in rollout["steps"]:
            page.perform(Action([node.element for node in page.nodes() if not node.is_text][element], text))
            page.advance(300.0)
        assert [page.raw_reward, page.reward] == rollout["steps"][-1][2]


def test_a_task_that_is_not_embedded_has_no_other_side() -> None:
    answer = CliRunner().invoke(app, ["conformance", "--task", "click-pie"])
    assert "--task 'click-pie' is unknown" in str(answer.exception)


def test_an_episode_begins_afresh_whatever_came_before(open_page: Any) -> None:
    page = open_page("click-tab-2")
    kind, first = type(page), page.dump()
    act(page, page.nodes()[-1].element.id or "area")
    assert [kind(seed).dump() == first for seed in (0, 1, 0)] == [True, False, True]


def test_time_passes_in_steps_alone(open_page: Any) -> None:
    page = open_page("login-user")
    time.sleep(0.3)
    page.advance(100.0)
    assert page.time == 100.0
    page.advance(page.limit)
    assert (page.is_done, page.reward, page.time) == (True, -1.0, page.limit)


def alike(embedded: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether both have led to the same, but for what a browser cannot vary."""
    *results, info = embedded
    if "context" in info:
        info = info | {"context": {name: value for name, value in info["context"].items() if name != "writing"}}
    return data_equivalence((*results, info), other)


def test_the_environment_is_the_same(browser: None) -> None:
    """Contract and all: what the embedded page gives, a wrapper's truncation included."""
    embedded = gymnasium.make("rlx/WebNavLoginUser-v0")
    other = gymnasium.make("rlx/WebNavLoginUser-v0", backend="browser", render_mode="rgb_array")
    try:
        for seed in (0, 1):
            results = [env.reset(seed=seed) for env in (embedded, other)]
            oracle = make_expert(embedded, "oracle")
            is_done = False
            while not is_done:
                assert alike(*results)
                assert other.observation_space.contains(results[1][0])
                action = oracle.act(*results[0][:1], results[0][-1])
                results = [env.step(action) for env in (embedded, other)]
                is_done = results[0][2]
            assert alike(*results)
            assert results[1][-1]["success"]
        assert other.render().shape == (320, 500, 3)
        with pytest.raises(PageError, match="backend='embedded'"):
            other.unwrapped.save_state()
        assert other.unwrapped.dom() == embedded.unwrapped.dom()
    finally:
        other.close()
    with pytest.raises(PageError, match="closed"):
        other.reset()


def test_what_needs_an_oracle_is_refused(browser: None) -> None:
    env = gymnasium.make("rlx/WebNavLoginUser-v0", backend="browser")
    try:
        with pytest.raises(PageError, match="backend='embedded'"):
            env.reset(options={"context": {"warm_start": 0.5}})
        env.reset(seed=0)
        with pytest.raises(PageError, match="oracle"):
            env.unwrapped.solve()
    finally:
        env.close()


def test_rows_are_pages(browser: None) -> None:
    envs = gymnasium.make_vec("rlx/WebNavLoginUser-v0", num_envs=2, backend="browser")
    embedded = gymnasium.make_vec("rlx/WebNavLoginUser-v0", num_envs=2)
    try:
        results = [each.reset(seed=3) for each in (embedded, envs)]
        for actions in ([0, 1], [20, 25], [30, 12]):
            assert alike(*results)
            results = [each.step(np.array(actions)) for each in (embedded, envs)]
    finally:
        envs.close()


def test_unknown_back_ends_are_told() -> None:
    with pytest.raises(ValueError, match="backend = 'firefox' is unknown. Allowed: embedded, browser"):
        gymnasium.make("rlx/WebNavLoginUser-v0", backend="firefox")


# ------------------------------------------------------------------------------------------------------- pages of users

FORM = '<p id="said">Say yes</p><input id="answer"><button id="go">Go</button><input id="day" type="date">'
SCRIPT = """
var task = {
  limit: 5000,
  start: (seed) => Object.assign(task, { utterance: `Say yes to ${seed}`, fields: { answer: "yes" }, done: false }),
};
document.getElementById("go").onclick = () => {
  task.reward = document.getElementById("answer").value === "yes" ? 1 : -1;
  task.done = true;
};
"""


def test_a_page_of_ones_own(open_page: Any) -> None:
    page = open_page(FORM, SCRIPT)
    assert (page.utterance, page.fields, page.limit) == ("Say yes to 0", (("answer", "yes"),), 5000.0)
    assert [node.tag for node in page.nodes()] == ["BODY", "P", "INPUT_text", "BUTTON", "INPUT_date"]
    act(page, "answer", "yes")
    act(page, "day", "05202010")
    assert (page["answer"].value, page["day"].value, page.focused) == ("yes", "2010-05-20", page["day"])
    act(page, "go")
    assert (page.is_done, page.reward) == (True, 1.0)


def test_a_page_without_a_task_runs_out_of_time(open_page: Any) -> None:
    page = open_page("<p>Nothing to do</p>")
    assert (page.utterance, page.fields) == ("Do it", ())
    page.advance(page.limit)
    assert (page.is_done, page.reward) == (True, -1.0)


def test_what_is_visible_is_told(open_page: Any) -> None:
    page = open_page(
        '<div style="display: contents"><b id="in">in</b></div><div hidden><b>out</b></div><p></p>'
        '<div id="flat" style="height: 0"><i id="floats" style="float: left">floats</i> </div>'
        '<em style="visibility: hidden">takes its place</em>'
    )
    tags = [(node.tag, node.element.id, node.depth) for node in page.nodes()]
    assert tags[:5] == [("BODY", "", 0), ("DIV", "", 1), ("B", "in", 2), ("DIV", "flat", 1), ("I", "floats", 2)]
    assert [tag for tag, *_ in tags[5:]] == ["EM"]


def test_elements_stay_the_same(open_page: Any) -> None:
    page = open_page(FORM, 'document.getElementById("go").onclick = () => document.getElementById("said").remove()')
    before = {element.id: element for element in page.document.body.descendants()}
    act(page, "go")
    after = {element.id: element for element in page.document.body.descendants()}
    assert after == {name: element for name, element in before.items() if name != "said"}
    assert after["go"].is_tampered
    assert not after["answer"].is_tampered


def test_a_picture_is_taken_when_asked_for(open_page: Any) -> None:
    picture = open_page("<body style='background: rgb(10, 20, 30)'>").picture()
    assert (picture.shape, picture.dtype) == ((720, 1280, 3), np.uint8)
    assert picture[300, 300].tolist() == [10, 20, 30]


def test_it_cannot_be_saved(open_page: Any) -> None:
    page = open_page(FORM)
    for refused in (page.copy, page.__getstate__, page.solve):
        with pytest.raises(PageError, match="backend='embedded'"):
            refused()


@pytest.mark.skipif(find_spec("miniwob") is None, reason="MiniWoB++ is not installed")
def test_unknown_pages_are_told() -> None:
    with pytest.raises(ValueError, match=r"task = 'no-such-page' is unknown\..*login-user"):
        pages("no-such-page")
    with pytest.raises(ValueError, match=r"task = 'none\.html': there is no such file"):
        pages("none.html")


def test_a_browser_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DependencyNotInstalled, match=r"browser = '/no/such/browser' is no program.*playwright install"):
        find("/no/such/browser")
    monkeypatch.setenv(VARIABLE, "no-such-browser")
    with pytest.raises(DependencyNotInstalled, match=f"{VARIABLE} = 'no-such-browser'"):
        find()
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("rlx.envs.web_nav.browser.find.PLACES", ())
    assert find() is None


# -------------------------------------------------------------------------------------------------------- hostile pages

GO = "document.getElementById('go').onclick = () => { %s }"
FAST = 3.0  # seconds a page is given here


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("for (;;);", "not answered within|gone|did not load"),
        ("var task = { start: () => { throw new Error('no task today') } }", "threw in start.*no task today"),
        ("var task = { start: () => { for (;;); } }", "not answered within"),
    ],
    ids=["never loads", "throws", "never starts"],
)
def test_a_page_that_does_not_start(open_page: Any, script: str, message: str) -> None:
    start = time.monotonic()
    with pytest.raises(PageError, match=message):
        open_page(FORM, script, timeout=FAST)
    assert time.monotonic() - start < 60.0


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("for (;;);", "not answered within"),
        ("(function again() { Promise.resolve().then(again) })()", "not answered within"),
        ("(function again() { setTimeout(again); setTimeout(again) })()", "timers never settle"),
        ("location.href = 'http://127.0.0.1:9/elsewhere'", "would leave for http://127.0.0.1:9/elsewhere"),
        ("location.reload()", "would leave for"),
    ],
    ids=["loops", "promises without end", "timers without end", "leaves", "reloads"],
)
def test_a_page_that_cannot_go_on(open_page: Any, script: str, message: str) -> None:
    page = open_page(FORM, GO % script, timeout=FAST)
    start = time.monotonic()
    with pytest.raises(PageError, match=message):
        act(page, "go")
    assert time.monotonic() - start < 60.0
    again = type(page)(1)  # another episode is not harmed
    act(again, "answer", "x")
    assert again["answer"].value == "x"


@pytest.mark.parametrize(
    "script",
    [
        "alert('stop'); confirm('stop'); prompt('stop'); print(); window.open('about:blank')",
        "for (let i = 0; i < 1e5; i++) console.log('flood'.repeat(100))",
        "(function again() { setTimeout(again) })()",
        "throw new Error('on click')",
        "setTimeout(() => { throw new Error('later') })",
        "window.onbeforeunload = () => 'stay'; history.pushState(null, '', '#here')",
    ],
    ids=["opens dialogs", "floods the console", "polls", "throws", "throws later", "stays"],
)
def test_a_page_that_is_a_nuisance(open_page: Any, script: str) -> None:
    page = open_page(FORM, GO % script)
    act(page, "go")
    act(page, "answer", "x")
    assert (page.time, page["answer"].value, page.is_done) == (600.0, "x", False)
    if "throw" in script:
        assert any("Error" in error for error in page.errors)
    type(page)(1).advance(1.0)


TEXT = "</script>'\"`${alert(1)}\\ \u2028$(touch here);"


def test_texts_are_never_code(open_page: Any, tmp_path: Path) -> None:
    page = open_page(FORM, f"var task = {{ utterance: {json.dumps(TEXT).replace('</', '<' + chr(92) + '/')} }}")
    assert page.utterance == TEXT
    typed = TEXT.replace("\u2028", " ")
    act(page, "answer", typed)
    assert page["answer"].value == typed
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
