"""Our own web tasks: the form of a flight, forms of any size, a form over several pages."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rlx.envs.web_nav import commands, words
from rlx.envs.web_nav.env import WebNavEnv, WebNavVectorEnv
from rlx.envs.web_nav.page import Action
from rlx.envs.web_nav.params import WritableBrowsing
from rlx.envs.web_nav.reference import at_random, by_the_oracle
from rlx.envs.web_nav.tasks import MINIWOB, TASKS
from rlx.envs.web_nav.tasks.book_flight import BookFlightForm
from rlx.envs.web_nav.tasks.controls import CONTROLS, PARTS, Control
from rlx.envs.web_nav.tasks.form_n import FormN
from rlx.envs.web_nav.tasks.multi_page import MultiPage
from rlx.envs.web_nav.tokens import survey
from rlx.registry.checks import check
from rlx.registry.experts import RandomPolicy, make_expert

SHORT_SITE = {"pages": 1, "navigation": 0, "distractors": 0, "address": 0, "payment": 0, "cabin": 0, "dates": 0}
LONG_SITE = {"pages": 5, "navigation": 8, "distractors": 8}
#: The easiest and the hardest settings of each task, and the usual ones.
SETTINGS: list[tuple[str, dict[str, float]]] = [
    ("book-flight-form", {}),
    ("form-n", {"n": 8}),
    ("form-n", {}),
    ("form-n", {"n": 100}),
    ("multi-page", SHORT_SITE),
    ("multi-page", {}),
    ("multi-page", LONG_SITE),
]
with_settings = pytest.mark.parametrize(("task", "parameters"), SETTINGS)


def page_of(task: str, seed: int, **parameters: float) -> Any:
    kind = TASKS[task]
    return kind(seed, kind.browsing(**parameters))


def finish(page: Any) -> None:
    """Let the oracle go on."""
    for action in page.solve():
        page.perform(action)
        page.advance(300.0)


def test_tasks_are_miniwobs_and_ours() -> None:
    assert set(TASKS) - set(MINIWOB) == {"book-flight-form", "form-n", "multi-page"}


# ---------------------------------------------------------------------------------------------------------- all of them


@with_settings
def test_a_seed_is_an_instance(task: str, parameters: dict[str, float]) -> None:
    pages = [page_of(task, seed, **parameters) for seed in range(20)]
    for seed, page in enumerate(pages):
        again = page_of(task, seed, **parameters)
        assert (page.utterance, page.fields, page.dump()) == (again.utterance, again.fields, again.dump())
    assert len({page.utterance for page in pages}) == 20


@with_settings
def test_the_oracle_succeeds_within_the_horizon(task: str, parameters: dict[str, float]) -> None:
    env = gymnasium.make("rlx/WebNav-v0", task=task, parameters=parameters)
    oracle = make_expert(env, "oracle")
    for seed in range(200):
        observation, info = env.reset(seed=seed)
        is_over = False
        while not is_over:
            assert info["signals"]["omitted"] == 0  # nothing is left out of the observation
            observation, reward, terminated, truncated, info = env.step(oracle.act(observation, info))
            is_over = terminated or truncated
        assert (reward, terminated, info["success"]) == (1.0, True, True), seed


@with_settings
def test_pages_fit_whatever_is_done(task: str, parameters: dict[str, float]) -> None:
    env = WebNavEnv(task, parameters=parameters)
    policy = RandomPolicy(env, seed=0)
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        for _ in range(20):
            assert env.observation_space.contains(observation)
            assert info["signals"]["elements"] <= len(observation["element_mask"])
            observation, _, terminated, _, info = env.step(policy.act(observation, info))
            if terminated:
                break


@pytest.mark.parametrize("task", ["form-n", "multi-page"])
def test_there_is_room_for_what_a_survey_finds(task: str) -> None:
    room = TASKS[task].room()
    assert room is not None
    assert all(found <= most for found, most in zip(survey()["sizes"][task][1:], room[1:], strict=True))
    assert WebNavEnv(task).observation_space["elements"].shape == (room[0], 5, room[2])


@pytest.mark.parametrize("task", ["form-n", "multi-page"])
def test_the_contract_holds(task: str) -> None:
    """With a context of its own."""
    assert check("rlx/WebNav-v0", task=task)


@pytest.mark.parametrize("task", ["form-n", "multi-page"])
def test_random_play_loses(task: str) -> None:
    env = WebNavEnv(task)
    policy = RandomPolicy(env, seed=0)
    rewards = []
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        terminated = False
        while not terminated:
            observation, reward, terminated, _, info = env.step(policy.act(observation, info))
        rewards.append(reward)
    assert set(rewards) == {-1.0}


@pytest.mark.parametrize("task", ["form-n", "multi-page"])
def test_every_control_counts(task: str) -> None:
    """A form with one control that does not hold what it should is wrong."""
    for seed in range(5):
        fields = [(key, value) for key, value in page_of(task, seed).fields if key in CONTROLS]
        assert len(fields) > 2
        for key, value in fields:
            page = page_of(task, seed)
            finish_but_submit(page)
            spoil(page, CONTROLS[key], value)
            page.perform(Action(page["submit"]))
            assert (page.is_done, page.raw_reward) == (True, -1.0), key


def spoil(page: Any, control: Control, value: str) -> None:
    """Put something else than ``value`` into a control."""
    if control.kind == "radio":
        other = next(other for other in control.values if other != value)
        page.activate(page[f"{control.id}-{other}"])
    elif control.kind == "checkbox":
        page.activate(page[control.id])
    else:
        page[control.id].value += "7"


def finish_but_submit(page: Any) -> None:
    for action in page.solve():
        if action.element.id == "submit":
            return
        page.perform(action)


@pytest.mark.parametrize("task", ["form-n", "multi-page"])
def test_progress_is_rewarded(task: str) -> None:
    """Each control that the oracle changes is worth as much; the end takes all of it back."""
    env = WebNavEnv(task, dense=True, parameters={"discount": 1.0})
    env.reset(seed=1)
    potentials, terminated = [], False
    while not terminated:
        _, _, terminated, _, info = env.step(np.int64(env.solve()))
        potentials.append(info["reward_terms"]["potential"])
    goals = len(env.session.goals)
    assert goals > 3
    assert sum(p == pytest.approx(1.0 / goals) for p in potentials) == goals
    assert (potentials[-1], sum(potentials)) == (-1.0, pytest.approx(0.0))


def test_parameters_are_those_of_the_task() -> None:
    for arguments, message in (
        ({"task": "login-user", "parameters": {"n": 8.0}}, r"parameters has 'n'. Allowed: step_ms"),
        ({"task": "form-n", "parameters": {"m": 8.0}}, r"parameters has 'm'. Allowed: .*discount, writing, n"),
        ({"task": "form-n", "parameters": {"n": 101.0}}, r"FormBrowsing.n = 101.0 is outside \[8, 100\]"),
        ({"task": "multi-page", "parameters": {"pages": 9}}, r"SiteBrowsing.pages = 9 is outside \[1, 5\]"),
    ):
        with pytest.raises(ValueError, match=message):
            WebNavEnv(**arguments)


def test_a_context_makes_it_easier_and_never_harder() -> None:
    env = WebNavEnv("form-n", parameters={"n": 60})
    sizes = []
    for n in (8, 20, 60):
        observation, info = env.reset(seed=2, options={"context": {"n": n}})
        assert observation["element_mask"].shape == (60,)
        sizes.append(int(observation["element_mask"].sum()))
    assert sizes[0] <= 8 < sizes[1] <= 20 < sizes[2] <= 60
    with pytest.raises(ValueError, match=r"n = 80.0 is outside \[8, 60\]"):
        env.reset(options={"context": {"n": 80}})
    with pytest.raises(ValueError, match=r"login = 1.0 is outside \[0, 0\]"):
        WebNavEnv("multi-page", parameters={"login": 0}).reset(options={"context": {"login": 1}})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_there_is_room_for_whatever_a_context_asks_for(data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(["form-n", "multi-page"]))
    bounds = TASKS[task].browsing().context_space()
    knobs = [name for name in bounds if name not in WritableBrowsing().context()]
    context = {}
    for name in knobs:
        box = bounds[name]
        assert isinstance(box, spaces.Box)
        context[name] = data.draw(st.floats(float(box.low), float(box.high)))
    env = WebNavEnv(task)
    env.reset(seed=data.draw(st.integers(0, 1_000)), options={"context": context})
    terminated = False
    while not terminated:
        _, _, terminated, _, info = env.step(np.int64(env.solve()))
        assert info["signals"]["omitted"] == 0
    assert info["success"]


def test_rows_of_a_vector_environment_may_differ() -> None:
    envs = WebNavVectorEnv(3, task="multi-page")
    context = {"pages": np.array([1.0, 2.0, 3.0]), "navigation": np.array([0.0, 2.0, 4.0])}
    envs.reset(seed=5, options={"context": context})
    single = WebNavEnv("multi-page")
    for i in range(3):
        single.reset(seed=5 + i, options={"context": {name: value[i] for name, value in context.items()}})
        page = envs._states["simulation"][i].page
        assert (page.utterance, page.dump()) == (single.utterance, single.dom())
        assert len(page.asked) == 1 + i


# ----------------------------------------------------------------------------------------------------- book-flight-form


def test_the_form_asks_for_what_book_flight_does() -> None:
    for seed in range(20):
        form, whole = page_of("book-flight-form", seed), page_of("book-flight", seed)
        assert (form.fields, form.dump()) == (whole.fields[1:], whole.dump())


def test_the_search_ends_it() -> None:
    for seed in range(5):
        page = page_of("book-flight-form", seed)
        page.perform(Action(page["search"]))
        assert (page.is_done, page.raw_reward) == (True, -1.0)
        page = page_of("book-flight-form", seed)
        *_, last = moves(page)
        assert last.element.id == "search"
        assert page.raw_reward == 1.0


def moves(page: Any) -> Any:
    for action in page.solve():
        yield action
        page.perform(action)
        page.advance(300.0)


@pytest.mark.parametrize("name", ["flight-from", "flight-to", "datepicker"])
def test_each_input_of_the_flight_counts(name: str) -> None:
    for seed in range(5):
        page = page_of("book-flight-form", seed)
        for action in moves(page):
            if action.element.id == "search":
                page[name].value = "02/01/2016" if name == "datepicker" else words.lists()["AIRPORTS"][seed]
        assert page.raw_reward == -1.0


def test_flights_are_counted() -> None:
    airports = words.lists()["AIRPORTS"]
    said = {part for airport in airports for part in airport[:-1].split(" (")}
    days = {page_of("book-flight-form", seed).day for seed in range(2_000)}
    assert BookFlightForm.instructions() == len(said) ** 2 * len(days)


# --------------------------------------------------------------------------------------------------------------- form-n


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 100), st.integers(0, 2**31))
def test_a_form_is_as_full_as_it_gets(n: int, seed: int) -> None:
    page = page_of("form-n", seed, n=n)
    nodes = len(page.nodes())
    missing = [control.size for key, control in CONTROLS.items() if key not in dict(page.fields)]
    assert nodes <= n < nodes + min(missing)
    finish(page)
    assert page.raw_reward == 1.0


def test_instructions_are_counted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With few controls: what seeds give is all that there is, and as much as is said."""
    few = (
        Control("a", "text", ("x", "y")),
        Control("b", "text", ("x", "z", "w")),
        Control("c", "checkbox", ("yes", "no")),
        Control("d", "radio", ("u", "v")),
        Control("e", "radio", ("u", "v", "w")),
    )
    for key in list(CONTROLS):
        monkeypatch.delitem(CONTROLS, key)
    for control in few:
        monkeypatch.setitem(CONTROLS, control.key, control)
    for n in range(8, 27):
        found = {frozenset(page_of("form-n", seed, n=n).fields) for seed in range(1_500)}
        assert len(found) == FormN.instructions(n=n), n


def test_instructions_are_counted_by_sets_of_controls() -> None:
    sizes = {key: control.size for key, control in CONTROLS.items()}
    for n in (8, 10, 12, 14):
        count = 0
        for k in range(5):
            for chosen in itertools.combinations(CONTROLS, k):
                left = n - 4 - sum(sizes[key] for key in chosen)
                if 0 <= left < min(size for key, size in sizes.items() if key not in chosen):
                    count += math.prod(len(CONTROLS[key].values) for key in chosen)
        assert FormN.instructions(n=n) == count


@pytest.mark.parametrize("key", CONTROLS)
def test_values_are_different_and_can_be_put_in(key: str) -> None:
    control = CONTROLS[key]
    assert len(control.values) > 1
    if len(control.values) <= 100_000:
        assert len(set(control.values)) == len(control.values)
    chosen = {0, len(control.values) // 2, len(control.values) - 1}
    for value in (control.values[place] for place in chosen):
        page = page_of("form-n", 0)
        page.area.append(Control(f"other {key}", control.kind, control.values).element())
        other = Control(f"other {key}", control.kind, control.values)
        for action in other.fill(page, value):
            page.perform(action)
        assert other.is_filled(page, value)
        assert not any(
            other.is_filled(page, control.values[place]) for place in chosen if control.values[place] != value
        )


# ----------------------------------------------------------------------------------------------------------- multi-page


def test_a_site_asks_for_the_same_in_any_form() -> None:
    for seed in range(10):
        whole = dict(page_of("multi-page", seed).fields)
        for parameters in (SHORT_SITE, LONG_SITE, {"pages": 1}, {"payment": 0}, {"navigation": 0, "distractors": 0}):
            some = page_of("multi-page", seed, **parameters).fields
            assert some and all(whole[key] == value for key, value in some)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_left_out(part: str) -> None:
    keys = {control.key for control in PARTS[part]}
    for seed in range(5):
        assert keys <= {key for key, _ in page_of("multi-page", seed).fields}
        page = page_of("multi-page", seed, **{part: 0})
        assert not keys & {key for key, _ in page.fields}
        finish(page)
        assert page.raw_reward == 1.0


def test_parts_are_dealt_to_pages() -> None:
    for count, parts in ((1, 5), (2, 5), (5, 5), (5, 2)):
        parameters = dict.fromkeys(list(PARTS)[parts:], 0) | {"pages": count}
        page = page_of("multi-page", 0, **parameters)
        assert len(page.asked) == min(count, parts)
        assert all(page.asked)


def test_one_can_go_back_and_mend() -> None:
    page = page_of("multi-page", 4, pages=3, navigation=3)
    wrong = next(element for element in page["bar"].elements() if element.id != page.wanted)
    page.perform(Action(wrong))
    assert page["title"].text == words.capitalize(wrong.id)
    page.perform(Action(page["next"]))
    page.perform(Action(page["next"]))
    shown = {node.element.id for node in page.nodes()}
    assert {"back", "submit"} <= shown and "next" not in shown
    page.perform(Action(page["back"]))
    assert {"back", "next"} <= {node.element.id for node in page.nodes()}
    finish(page)
    assert page.raw_reward == 1.0


def test_the_wrong_service_loses() -> None:
    page = page_of("multi-page", 4)
    finish_but_submit(page)
    page.perform(Action(next(element for element in page["bar"].elements() if element.id != page.wanted)))
    page.perform(Action(page["submit"]))
    assert page.raw_reward == -1.0


def test_distractors_are_of_no_use_and_some_end_it() -> None:
    kinds = set()
    for seed in range(30):
        page = page_of("multi-page", seed, pages=1, navigation=0, distractors=8)
        others = [element for element in page["page-0"].elements() if element.tag != "DIV"]
        assert len(others) == 8
        for element in others:
            kinds.add(element.tag)
            twin = page.copy()
            twin.perform(Action(twin.document.follow(page.document.path(element))))
            assert twin.is_done == (element.tag == "BUTTON")
            assert twin.raw_reward == (-1.0 if twin.is_done else 0.0)
    assert kinds == {"P", "A", "INPUT_text", "BUTTON"}


def test_sites_are_counted() -> None:
    parts = {part: math.prod(len(control.values) for control in controls) for part, controls in PARTS.items()}
    services = {page_of("multi-page", seed).wanted for seed in range(200)}
    assert MultiPage.instructions() == len(services) * math.prod(parts.values())
    assert MultiPage.instructions(**SHORT_SITE) == parts["login"]


# ------------------------------------------------------------------------------------------------------------- commands


def test_the_command_prints_the_numbers() -> None:
    told = CliRunner().invoke(commands.app, ["instructions", "--n", "9"]).output
    assert f"| form-n, n = 9 | {FormN.instructions(n=9):.2e} | {FormN.instructions(n=9)} |" in told
    assert str(BookFlightForm.instructions()) in told


def test_the_command_tells_how_hard_tasks_are(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    arguments = ["experts", "--task", "form-n", "--task", "simple-algebra", "--episodes", "3", "--out", str(out)]
    told = CliRunner().invoke(commands.app, arguments).output
    *_, form, algebra = out.read_text().splitlines()
    assert told.splitlines() == [form, algebra]
    random, oracle = at_random("form-n", range(20_000, 20_003)), by_the_oracle("form-n", range(20_000, 20_003))
    assert form == (
        f"| form-n | {random.success:.3f} | {random.reward:.2f} | {random.actions:.1f} | 1.000 | {oracle.actions:.1f} |"
    )
    assert "no action types the answer" in algebra
    refused = CliRunner().invoke(commands.app, ["experts", "--task", "form"])
    assert "--task 'form' is unknown" in str(refused.exception)
