"""WebNav: what an agent sees of a page, does to it and gets for it. The pages themselves are tested elsewhere."""

from __future__ import annotations

import pickle
import zlib
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import InvalidAction
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rlx.envs.web_nav import actions, goals, tokens
from rlx.envs.web_nav.dom import Element
from rlx.envs.web_nav.env import WebNavEnv, WebNavVectorEnv
from rlx.envs.web_nav.observations import ATTRIBUTES, FEATURES, View
from rlx.envs.web_nav.page import Page
from rlx.envs.web_nav.params import WritableBrowsing
from rlx.envs.web_nav.survey import measure
from rlx.envs.web_nav.tasks import TASKS
from rlx.registry.experts import RandomPolicy, make_expert

#: What is to be typed there stands neither in the instruction nor on the page.
WORKED_OUT = {"simple-algebra", "simple-arithmetic"}
INPUTS = {"INPUT_text", "INPUT_password", "INPUT_date", "INPUT_time", "INPUT_number", "TEXTAREA", "SELECT"}


def solve(env: WebNavEnv, seed: int, **context: float) -> list[tuple[float, dict[str, Any]]]:
    """Let the oracle play an episode; return rewards and infos."""
    env.reset(seed=seed, options={"context": context})
    played = []
    for _ in range(60):
        _, reward, terminated, _, info = env.step(np.int64(env.solve()))
        played.append((reward, info))
        if terminated:
            break
    return played


def place_of(env: WebNavEnv, id: str) -> int:
    """Return where the element with an id is shown."""
    return next(place for place, node in enumerate(env.session.page.nodes()) if node.element.id == id)


def act(env: WebNavEnv, id: str, kind: int = actions.CLICK) -> Any:
    return env.step(np.int64(actions.encode(place_of(env, id), kind, env.session.task.layout.fields)))


def attribute(observation: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    return observation["elements"][:, ATTRIBUTES.index(name)]


def feature(observation: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    return observation["features"][:, FEATURES.index(name)]


def padded(text: str, length: int) -> list[int]:
    numbers = [tokens.token(word) for word in tokens.words(text)][:length]
    return numbers + [0] * (length - len(numbers))


# ------------------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("task", ["login-user", "social-media-all", "email-inbox"])
def test_a_seed_gives_its_page(task: str) -> None:
    env = WebNavEnv(task)
    for seed in (0, 3, 2**31 + 5):
        env.reset(seed=seed)
        page = TASKS[task](seed)
        assert (env.utterance, env.dom()) == (page.utterance, page.dump())


def test_without_a_seed_instances_go_on() -> None:
    env = WebNavEnv()
    env.reset(seed=3)
    utterances = [env.reset() and env.utterance for _ in range(4)]
    assert len(set(utterances)) == 4
    env.reset(seed=3)
    assert [env.reset() and env.utterance for _ in range(4)] == utterances


def test_a_seed_that_javascript_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="seed = 9007199254740993"):
        WebNavEnv().reset(seed=2**53 + 1)


def test_unknown_arguments_are_told() -> None:
    for arguments, message in (
        ({"task": "login-usr"}, "Did you mean 'login-user'"),
        ({"reward": "dense"}, "Allowed: raw, scaled, success"),
        ({"views": ["html"]}, "Allowed: utterance, text, dom"),
        ({"actions": "shi17"}, "Allowed: composite, liu18"),
        ({"elements": 0}, "elements = 0"),
        ({"parameters": {"step": 1.0}}, "Allowed: step_ms, limit_ms"),
        ({"parameters": {"step_ms": -1.0}}, r"Browsing.step_ms = -1.0 is outside"),
    ):
        with pytest.raises(ValueError, match=message):
            WebNavEnv(**arguments)


# ------------------------------------------------------------------------------------------------------ observations


def test_words_have_numbers() -> None:
    assert tokens.words("From: O'Hare, 07/10/2016 @Nisi 9iX") == ["from", "o", "hare", "7", "10", "2016", "nisi", "9ix"]
    assert tokens.token("zyzzyva") == 1 + zlib.crc32(b"zyzzyva") % tokens.BUCKETS
    numbers = list(tokens.vocabulary().values())
    assert numbers == list(range(1 + tokens.BUCKETS, 1 + tokens.BUCKETS + len(numbers)))
    assert tokens.vocabulary()["button"] in numbers


def test_the_login_page_is_shown() -> None:
    env = WebNavEnv("login-user")
    observation, _ = env.reset(seed=3)
    page, length = env.session.page, env.session.task.layout.tokens
    nodes = page.nodes()
    count = len(nodes)
    assert observation["element_mask"].tolist() == [1] * count + [0] * (len(observation["element_mask"]) - count)
    assert not observation["elements"][count:].any()
    for place, node in enumerate(nodes):
        assert observation["parent"][place] == node.parent + 1
        assert observation["depth"][place] == node.depth
        assert attribute(observation, "tag")[place].tolist() == padded(node.tag, length)
        assert attribute(observation, "text")[place].tolist() == padded(node.text or "", length)
    fields = [[padded(text, length) for text in field] for field in page.fields]
    assert observation["fields"].tolist() == fields
    act(env, "username", 1)
    observation, *_ = act(env, "password", 2)
    for id, (_, value) in zip(("username", "password"), page.fields, strict=True):
        place = place_of(env, id)
        assert attribute(observation, "value")[place].tolist() == padded(value, length)
        assert attribute(observation, "name")[place].tolist() == padded(id, length)
    assert np.flatnonzero(feature(observation, "focused")).tolist() == [place_of(env, "password")]
    clicked = [place_of(env, "username"), place_of(env, "password")]
    assert np.flatnonzero(feature(observation, "tampered")).tolist() == clicked
    assert observation["time"].tolist() == [60]


def test_new_nodes_are_new_for_one_step() -> None:
    env = WebNavEnv("click-tab-2")
    observation, _ = env.reset(seed=1)
    assert not feature(observation, "new").any()
    before = {node.element for node in env.session.page.nodes()}
    tabs = [node.element for node in env.session.page.nodes() if node.element.has_class("ui-tabs-anchor")]
    tab = next(element for element in tabs if element.attributes["href"] == "#tabs-3")
    place = env.session.view.place(tab)
    assert place is not None
    action = np.int64(actions.encode(place, actions.CLICK, env.session.task.layout.fields))
    observation, *_ = env.step(action)
    fresh = [node.element not in before for node in env.session.page.nodes()]
    assert any(fresh)
    assert feature(observation, "new")[: len(fresh)].tolist() == fresh
    observation, *_ = env.step(action)
    assert not feature(observation, "new").any()


@pytest.mark.parametrize("task", TASKS)
def test_what_has_changed_is_shown_as_if_all_were(task: str) -> None:
    """Random play: tensors that are kept up to date equal those that are made anew, and the masks say what is there."""
    env = WebNavEnv(task)
    policy = RandomPolicy(env, seed=1)
    for seed in range(3):
        observation, info = env.reset(seed=seed)
        for _ in range(12):
            session = env.session
            fresh = View(session.task.layout, session.page, session.fields)
            for kept, made in zip(session.view.buffers, fresh.buffers, strict=True):
                is_new = np.zeros(kept.shape, bool)
                if kept.dtype == np.int8:
                    start = session.task.layout.actions + session.task.layout.elements
                    size = session.task.layout.elements * len(FEATURES)
                    is_new[start : start + size].reshape(-1, len(FEATURES))[:, FEATURES.index("new")] = True
                np.testing.assert_array_equal(np.where(is_new, 0, kept), np.where(is_new, 0, made))
            assert env.observation_space.contains(observation)
            np.testing.assert_array_equal(
                info["action_mask"], allowed(session.page, session.task.layout, session.fields)
            )
            assert session.view.omitted == fresh.omitted
            observation, _, terminated, _, info = env.step(policy.act(observation, info))
            if terminated:
                break


def allowed(page: Page, layout: Any, fields: Any) -> NDArray[np.int8]:
    """Work out the mask from the page."""
    mask = np.zeros((layout.elements, 1 + layout.fields), np.int8)
    nodes = page.nodes()[: layout.elements]
    for place, node in enumerate(nodes):
        if all(other.parent != place for other in nodes):
            mask[place, 0] = 1
            element = node.element
            if not node.is_text and element.tag in INPUTS and not {"readonly", "disabled"} & set(element.attributes):
                mask[place, 1 : 1 + len(fields)] = 1
    return mask.ravel()


@pytest.mark.parametrize("task", TASKS)
def test_every_page_has_room(task: str) -> None:
    """On seeds that no survey has seen, whatever the oracle leads to."""
    env = WebNavEnv(task)
    for seed in range(5_000, 5_020):
        env.reset(seed=seed)
        assert env.session.view.omitted == 0
        if task not in WORKED_OUT:
            assert all(info["signals"]["omitted"] == 0 for _, info in solve(env, seed))


def test_what_has_no_room_is_told() -> None:
    env = WebNavEnv("social-media-all", elements=20, fields=1, tokens=2)
    _, info = env.reset(seed=0)
    page = env.session.page
    lengths = [max(len(tokens.words(text)) - 2, 0) for pair in page.fields[:1] for text in pair]
    for node in page.nodes()[:20]:
        element = node.element
        texts = [node.text or ""] if node.is_text else [node.text or "", element.tag, element.id, element.classes]
        lengths += [max(len(tokens.words(text)) - 2, 0) for text in texts]
    assert info["signals"]["elements"] == len(page.nodes())
    assert info["signals"]["omitted"] == len(page.nodes()) - 20 + len(page.fields) - 1 + sum(lengths)


def test_the_survey_measures_what_is_shipped() -> None:
    sizes, words = measure("enter-text")
    assert sizes == tokens.survey()["sizes"]["enter-text"]
    assert set(words) <= set(tokens.vocabulary())
    assert set(tokens.survey()["sizes"]) == set(TASKS)


def test_info_shows_what_is_asked_for() -> None:
    env = WebNavEnv("login-user", views=["utterance", "text", "dom"])
    _, info = env.reset(seed=3)
    page = env.session.page
    assert (info["utterance"], info["dom"]) == (page.utterance, page.dump())
    lines = info["text"].splitlines()
    assert len(lines) == len(page.nodes())
    assert lines[place_of(env, "subbtn")].strip() == f"[{place_of(env, 'subbtn')}] " + (
        '<BUTTON id="subbtn" class="secondary-action">Login'
    )
    *_, info = act(env, "username", 1)
    line = info["text"].splitlines()[place_of(env, "username")]
    assert f'value="{page.fields[0][1]}"' in line
    assert "focused" in line
    envs = WebNavVectorEnv(2, task="login-user", views=["utterance"])
    _, info = envs.reset(seed=3)
    assert info["utterance"].tolist() == [TASKS["login-user"](seed).utterance for seed in (3, 4)]


# ----------------------------------------------------------------------------------------------------------- actions


@given(st.integers(1, 200), st.integers(1, 20), st.data())
def test_actions_are_numbers(elements: int, fields: int, data: st.DataObject) -> None:
    place, kind = data.draw(st.integers(0, elements - 1)), data.draw(st.integers(0, fields))
    action = actions.encode(place, kind, fields)
    assert 0 <= action < elements * (1 + fields)
    assert actions.decode(action, fields) == (place, kind)


@given(st.integers(1, 200), st.integers(1, 20), st.data())
def test_actions_are_dictionaries(elements: int, fields: int, data: st.DataObject) -> None:
    space = actions.Liu18(elements, fields)
    number = data.draw(st.integers(0, elements * (1 + fields) - 1))
    action = space.action(number)
    assert space.contains(action)
    assert space.number(action) == number
    place, kind = actions.decode(number, fields)
    expected = (actions.CLICK_ELEMENT, place, 0) if kind == actions.CLICK else (actions.TYPE_FIELD, place, kind - 1)
    assert tuple(action[key] for key in ("action_type", "ref", "field")) == expected


def test_dictionaries_do_what_numbers_do() -> None:
    """One by one and in rows, and actions that are drawn are allowed."""
    kwargs: dict[str, Any] = {"task": "email-inbox", "parameters": {"limit_ms": 6_000.0}}
    numbers, dicts = WebNavEnv(**kwargs), WebNavEnv(**kwargs, actions="liu18")
    rows, rows_of_dicts = WebNavVectorEnv(3, **kwargs), WebNavVectorEnv(3, **kwargs, actions="liu18")
    space = dicts.action_space
    assert isinstance(space, actions.Liu18)
    assert rows_of_dicts.single_action_space == space
    _, info = dicts.reset(seed=4)
    envs = numbers, dicts, rows, rows_of_dicts
    told = [env.reset(seed=4)[0] for env in envs]
    space.seed(0)
    for _ in range(25):
        action = space.sample(info["action_mask"])
        number = int(space.number(action))
        assert info["action_mask"][number] == 1
        batch = {key: np.full(3, part) for key, part in action.items()}
        told = [
            env.step(one) for env, one in zip(envs, (np.int64(number), action, np.full(3, number), batch), strict=True)
        ]
        info = told[1][4]
        for one, other in ((told[0], told[1]), (told[2], told[3])):
            for name, part in one[0].items():
                np.testing.assert_array_equal(part, other[0][name])
            np.testing.assert_array_equal(np.array(one[1:3]), np.array(other[1:3]))
    assert told[0][2]


def test_nothing_is_an_action_of_a_dictionary() -> None:
    env = WebNavEnv("login-user", actions="liu18")
    env.reset(seed=3)
    dom = env.dom()
    for place in range(12):
        _, reward, terminated, _, info = env.step({"action_type": actions.NONE, "ref": place, "field": 1})
        assert (env.dom(), reward, terminated) == (dom, 0.0, False)
    assert info["signals"]["time"] == 12 * 300.0


def test_the_oracle_acts_by_dictionaries() -> None:
    env = gymnasium.make("rlx/WebNavLoginUser-v0", actions="liu18")
    observation, info = env.reset(seed=3)
    oracle = make_expert(env, "oracle")
    terminated = False
    while not terminated:
        action = oracle.act(observation, info)
        assert env.action_space.contains(action)
        observation, _, terminated, _, info = env.step(action)
    assert info["success"]


@pytest.mark.parametrize(
    "action",
    [
        5,
        {"action_type": 1, "ref": 2},
        {"action_type": 3, "ref": 2, "field": 0},
        {"action_type": 1, "ref": 16, "field": 0},
        {"action_type": 1, "ref": -1, "field": 0},
        {"action_type": 1, "ref": 2.0, "field": 0},
        {"action_type": 1, "ref": [2], "field": 0},
    ],
)
def test_what_is_no_action_is_told(action: Any) -> None:
    env = WebNavEnv("login-user", actions="liu18")
    env.reset(seed=3)
    with pytest.raises(InvalidAction, match="action_type below 3, ref below 16, field below 2"):
        env.step(action)
    assert env.session.page.time == 0.0


def test_what_the_mask_rules_out_does_nothing_but_time_passes() -> None:
    env = WebNavEnv("login-user")
    _, info = env.reset(seed=3)
    dom = env.dom()
    for action in np.flatnonzero(info["action_mask"] == 0)[:20]:
        _, reward, terminated, _, info = env.step(action)
        assert env.dom() == dom
        assert (reward, terminated) == (0.0, False)
    assert info["signals"]["time"] == 20 * 300.0


def test_a_click_inside_is_quiet() -> None:
    """In a line of a mailbox, trash and star are leaves too; a click on them is another one."""
    page = TASKS["email-inbox"](0)
    thread = page["main"].first("email-thread")
    nodes = page.nodes()
    place = next(i for i, node in enumerate(nodes) if node.element is thread)
    inner: Element | None = nodes[actions.leaf(nodes, place)].element
    assert not any(element.has_class(name) for element in [inner] for name in ("trash", "star") if element)
    while inner is not None and inner is not thread:
        inner = inner.parent
    assert inner is thread


@pytest.mark.parametrize("task", TASKS)
def test_the_oracle_solves_by_actions(task: str) -> None:
    env = WebNavEnv(task)
    env.reset(seed=0)
    if task in WORKED_OUT:
        with pytest.raises(LookupError, match=r"types '-?\d+', which is none of"):
            solve(env, 0)
        return
    for seed in range(900, 912):
        _, info = solve(env, seed)[-1]
        assert info["success"], seed


# ----------------------------------------------------------------------------------------------------------- rewards


def test_success_is_worth_less_later_if_asked_for() -> None:
    # The third click comes after two steps.
    for reward, expected in (("raw", 1.0), ("scaled", 1.0 - 2 * 300.0 / 10_000.0)):
        played = solve(WebNavEnv("login-user", reward=reward), 3)
        assert [reward for reward, _ in played] == pytest.approx([0.0, 0.0, expected])
    scaled = solve(WebNavEnv("login-user", reward="scaled"), 3, step_ms=0.0)
    assert scaled[-1][0] == 1.0


def test_success_alone_may_be_paid() -> None:
    env = WebNavEnv("login-user", reward="success")
    assert [reward for reward, _ in solve(env, 3)] == [0.0, 0.0, 1.0]
    env.reset(seed=3)
    _, reward, terminated, _, info = act(env, "subbtn")
    assert (reward, terminated, info["success"]) == (0.0, True, False)


def test_the_oracles_of_rows() -> None:
    envs, env = WebNavVectorEnv(3, task="login-user"), WebNavEnv("login-user")
    envs.reset(seed=7)
    expected = []
    for seed in (7, 9):
        env.reset(seed=seed)
        expected.append(env.solve())
    assert envs.solve(np.array([True, False, True])).tolist() == expected
    assert envs.solve(np.zeros(3, np.bool_)).tolist() == []


def test_a_wrong_end_is_none() -> None:
    env = WebNavEnv("login-user", reward="scaled")
    env.reset(seed=3)
    _, reward, terminated, _, info = act(env, "subbtn")
    assert (reward, terminated, info["success"]) == (-1.0, True, False)
    _, reward, terminated, _, _ = env.step(np.int64(0))
    assert (reward, terminated) == (0.0, True)


def test_time_runs_out() -> None:
    env = WebNavEnv("login-user", parameters={"limit_ms": 1500.0})
    env.reset(seed=3, options={"context": {"step_ms": 500.0}})
    assert [env.step(np.int64(0))[1:3] for _ in range(3)] == [(0.0, False), (0.0, False), (-1.0, True)]
    env.reset(seed=3, options={"context": {"limit_ms": 3000.0}})
    assert [env.step(np.int64(0))[2] for _ in range(10)] == [False] * 9 + [True]


def test_progress_is_rewarded() -> None:
    env = WebNavEnv("login-user", dense=True, parameters={"discount": 0.9})
    played = [info["reward_terms"] for _, info in solve(env, 3)]
    assert [terms["potential"] for terms in played] == pytest.approx([0.9 * 0.5, 0.9 - 0.5, -1.0])
    env.reset(seed=3)
    act(env, "username", 1)
    _, reward, *_ = act(env, "username", 1)  # typed twice it is wrong
    assert reward == -0.5


@pytest.mark.parametrize("task", ["click-checkboxes", "book-flight-nodelay", "enter-date", "click-dialog-2"])
def test_the_potential_changes_no_policy(task: str) -> None:
    """Over whole episodes its discounted sum is the same whatever one does: minus the potential at the start."""
    env = WebNavEnv(task, dense=True, parameters={"limit_ms": 9_000.0})
    policy = RandomPolicy(env, seed=0)
    for seed in range(6):
        observation, info = env.reset(seed=seed, options={"context": {"warm_start": 0.5}})
        start = goals.share_reached(env.session.page, env.session.goals)
        total, weight, terminated = 0.0, 1.0, False
        while not terminated:
            observation, _, terminated, _, info = env.step(policy.act(observation, info))
            total += weight * info["reward_terms"]["potential"]
            weight *= 0.99
        assert total == pytest.approx(-start)


# -------------------------------------------------------------------------------------------------------- curriculum


@pytest.mark.parametrize("task", ["login-user", "book-flight", "email-inbox", "social-media-all"])
def test_a_warm_start_leaves_less_to_do(task: str) -> None:
    env = WebNavEnv(task)
    for seed in range(3):
        whole, half, last = (len(solve(env, seed, warm_start=share)) for share in (0.0, 0.5, 1.0))
        assert (half, last) == (whole - min(whole // 2, whole - 1), 1)
        env.reset(seed=seed, options={"context": {"warm_start": 1.0}})
        assert env.session.page.time == (whole - 1) * 300.0


def test_a_subgoal_is_the_first_controls() -> None:
    env = WebNavEnv("login-user")
    observation, info = env.reset(seed=3, options={"context": {"subgoal_fields": 1.0}})
    assert observation["field_mask"].tolist() == [1, 0]
    assert env.session.fields == env.session.page.fields[:1]
    _, reward, terminated, _, info = act(env, "username", 1)
    assert (reward, terminated, info["success"]) == (1.0, True, True)
    observation, _ = env.reset(seed=3)
    assert observation["field_mask"].tolist() == [1, 1]
    assert len(solve(env, 3, subgoal_fields=2.0)) == 3  # both are the whole task, which ends with the button


def test_the_form_of_a_flight_is_three_controls() -> None:
    env = WebNavEnv("book-flight")
    for seed in range(3):
        env.reset(seed=seed, options={"context": {"subgoal_fields": 2.0}})
        assert [goal.name for goal in env.session.goals] == ["flight-from", "flight-to"]
        page = env.session.page
        played = solve(env, seed, subgoal_fields=2.0)
        assert played[-1][1]["success"]
        assert env.session.page["flight-from"].value == page.origin  # type: ignore[attr-defined]
        assert env.session.page["datepicker"].value == ""


# ----------------------------------------------------------------------------------------------- the inverse problem

#: Tasks whose instruction can be written.
WRITABLE = [name for name, page in TASKS.items() if issubclass(page.knobs, WritableBrowsing)]


def make_writable(task: str, writing: float, **arguments: Any) -> WebNavEnv:
    return WebNavEnv(task, parameters={"writing": writing, **({"n": 14.0} if task == "form-n" else {})}, **arguments)


@pytest.mark.parametrize("task", WRITABLE)
def test_the_oracle_writes_what_is_right(task: str) -> None:
    env = make_writable(task, 1.0)
    written = 0
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        drafted = env.session.draft
        if drafted is None:
            continue  # no control holds anything
        dom = env.dom()
        count = len(drafted.left)
        for left in range(count, 0, -1):
            kinds = np.flatnonzero(info["action_mask"]) % (1 + env.session.task.layout.fields)
            assert set(kinds) == {1 + entry.place for entry in env.session.draft.left}  # type: ignore[union-attr]
            assert env.dom() == dom
            assert len(set(kinds)) == left
            observation, reward, terminated, _, info = env.step(np.int64(env.solve()))
            assert env.observation_space.contains(observation)
            assert (terminated, reward) == ((left == 1), float(left == 1))
        assert info["success"]
        written += 1
    assert written >= 15


def test_which_tasks_can_be_written() -> None:
    """Those whose instructions say what the controls of the first page are to hold."""
    assert {
        "book-flight", "book-flight-form", "click-option", "enter-date", "enter-password", "enter-text", "form-n",
        "login-user", "multi-layouts", "multi-orderings", "search-engine",
    } <= set(WRITABLE)  # fmt: skip
    with pytest.raises(ValueError, match="'click-link' has no parameter 'writing'.* Tasks that have: book-flight, "):
        WebNavEnv("click-link", parameters={"writing": 1.0})
    env = WebNavEnv("click-link")
    with pytest.raises(ValueError, match="Unknown context name 'writing'"):
        env.reset(seed=0, options={"context": {"writing": 1.0}})


def test_the_share_of_right_fields_is_the_reward() -> None:
    """A label is no user's name, and a field is written once."""
    env = make_writable("login-user", 1.0)
    observation, info = env.reset(seed=3)
    assert not observation["fields"][:, 1].any()  # no values
    assert observation["field_mask"].tolist() == [1, 1]
    entries = env.session.draft.left  # type: ignore[union-attr]
    env.step(np.int64(env.solve()))
    label = next(place for place, node in enumerate(env.session.page.nodes()) if node.text == "Password")
    fields = env.session.task.layout.fields
    time = env.session.page.time
    action = np.int64(actions.encode(label, 1 + entries[0].place, fields))
    observation, reward, terminated, _, info = env.step(action)  # it is written already
    assert (reward, terminated, env.session.page.time) == (0.0, False, time)
    action = np.int64(actions.encode(label, 1 + entries[1].place, fields))
    observation, reward, terminated, _, info = env.step(action)
    assert (reward, terminated, info["success"]) == (0.0, True, False)
    assert info["reward_terms"] == {"task": 0.0, "potential": 0.0}
    length = env.session.task.layout.tokens
    assert observation["fields"][entries[1].place, 1].tolist() == padded("Password", length)
    env.reset(seed=3)
    for entry in entries:
        _, reward, _, _, _ = env.step(np.int64(actions.encode(label, 1 + entry.place, fields)))
    assert reward == -1.0


@pytest.mark.parametrize("task", ["login-user", "form-n", "click-option", "multi-orderings"])
def test_what_was_written_is_done(task: str) -> None:
    """The page begins anew; who puts what is written where it belongs, and submits, has done it."""
    env, plain = make_writable(task, 2.0, dense=True), make_writable(task, 0.0)
    for seed in range(10):
        env.reset(seed=seed)
        plain.reset(seed=seed)
        drafted = env.session.draft
        assert drafted is not None
        for _ in drafted.left:
            _, reward, terminated, _, info = env.step(np.int64(env.solve()))
            assert (reward, terminated) == (0.0, False)
        assert env.dom() == plain.dom()
        page, fields = env.session.page, env.session.fields
        assert page.time == 0.0
        assert {value for _, value in fields} >= {entry.text for entry in drafted.left}
        assert env.utterance == f"{', '.join(f'{key} {value!r}' for key, value in fields)}."
        with pytest.raises(LookupError, match="the task's own alone"):
            env.solve()
        potentials = []
        for entry in drafted.left:
            element = goals.controls(page)[entry.goal.name]
            kind = actions.CLICK if entry.goal.content == "checked" else 1 + entry.place
            place = env.session.view.place(element)
            assert place is not None
            action = np.int64(actions.encode(place, kind, env.session.task.layout.fields))
            _, reward, terminated, _, info = env.step(action)
            potentials.append(reward)
        assert not terminated
        count = len(drafted.left)
        assert potentials[-1] == pytest.approx(0.99 - (count - 1) / count)
        *_, submit = (place for place, node in enumerate(page.nodes()) if node.element.is_heard("click"))
        action = np.int64(actions.encode(submit, actions.CLICK, env.session.task.layout.fields))
        _, reward, terminated, _, info = env.step(action)
        assert (terminated, info["success"], info["reward_terms"]["task"]) == (True, True, 1.0)


def test_what_was_not_done_is_wrong() -> None:
    """Even if the page would have it so: its own judgement is about another instruction."""
    env = make_writable("login-user", 2.0)
    for seed in range(20):
        env.reset(seed=seed)
        drafted, page = env.session.draft, TASKS["login-user"](seed)
        assert drafted is not None
        if drafted.goals[0].content == page.fields[0][1]:
            continue
        for _ in drafted.left:
            env.step(np.int64(env.solve()))
        for entry, (_, value) in zip(drafted.left, page.fields, strict=True):
            env.session.page[entry.goal.name].value = value
        _, reward, terminated, _, _ = act(env, "subbtn")
        assert (reward, terminated) == (-1.0, True)
        return
    raise AssertionError("the rule typed what the task asks for, all the time")


def test_where_no_click_ends_the_episode_the_state_is_enough() -> None:
    env = make_writable("search-engine", 2.0)
    env.reset(seed=3)
    assert [key for key, value in env.session.fields if not value] == ["query"]  # the rank stays
    env.step(np.int64(env.solve()))
    _, reward, terminated, _, info = act(env, "search-text", 1)
    assert (reward, terminated, info["success"]) == (1.0, True, True)


def test_where_nothing_can_be_written_the_task_is_itself() -> None:
    """Forms of one control each: a box says nothing."""
    env = WebNavEnv("form-n", parameters={"n": 8.0})
    drafted = {}
    for seed in range(30):
        _, info = solve(env, seed, writing=1.0)[-1]
        assert info["success"]
        page = env.session.page
        has_box = any(element.tag == "INPUT_checkbox" for element in goals.controls(page).values())
        drafted[seed] = env.session.draft is not None
        assert drafted[seed] != has_box
        assert page.utterance.startswith("Fill in the form") == has_box
    assert len(set(drafted.values())) == 2


@pytest.mark.parametrize("task", ["login-user", "book-flight-form", "form-n"])
def test_the_rule_depends_on_the_seed_alone(task: str) -> None:
    """And it differs from one seed to the next, ends nothing, and leaves the stream of instances as it is."""
    found = []
    for _ in range(2):
        env = make_writable(task, 1.0)
        found.append([(env.reset(seed=seed) and env.dom(), env.session.page.is_done) for seed in range(5)])
    assert found[0] == found[1]
    held = [env.reset(seed=seed) and goals.contents(env.session.page) for seed in range(5)]
    assert len({str(one) for one in held}) > 1
    assert not any(is_done for _, is_done in found[0])
    env.reset(seed=1)
    contexts = [{}, {"writing": 0.0}]
    following = []
    for context in contexts:
        env.reset(seed=1, options={"context": context})
        env.reset(options={"context": context})
        following.append(env.session.page.seed)
    assert following[0] == following[1]


@pytest.mark.parametrize("task", ["login-user", "book-flight-form", "form-n"])
def test_a_draft_is_saved(task: str) -> None:
    """Before anything is written, between, and after it; random play."""
    env, other = make_writable(task, 2.0, dense=True), make_writable(task, 2.0, dense=True)
    policy = RandomPolicy(env, seed=2)
    observation, info = env.reset(seed=0)
    for _ in range(4):
        state, chosen, future = env.save_state(), [], []
        for _ in range(5):
            chosen.append(policy.act(observation, info))
            observation, reward, _, _, info = env.step(chosen[-1])
            future.append(
                (env.dom(), env.utterance, reward, {name: part.tolist() for name, part in observation.items()})
            )
        for saved in (state, pickle.loads(pickle.dumps(state))):
            other.load_state(saved)
            for action, expected in zip(chosen, future, strict=True):
                observation, reward, *_ = other.step(action)
                told = {name: part.tolist() for name, part in observation.items()}
                assert (other.dom(), other.utterance, reward, told) == expected
        env.load_state(state)
        observation, _, _, _, info = env.step(chosen[0])


def test_rows_write_or_do_not() -> None:
    """A vector environment is as many single ones; warm starts are for those that do not write."""
    kwargs: dict[str, Any] = {"task": "multi-orderings"}
    context = {"writing": np.array([0.0, 1.0, 2.0]), "warm_start": np.array([0.5, 0.5, 0.5])}
    rows, ones = WebNavVectorEnv(3, **kwargs), [WebNavEnv(**kwargs) for _ in range(3)]
    told = [rows.reset(seed=5, options={"context": context})]
    singles = [
        [one.reset(seed=5 + i, options={"context": {name: part[i] for name, part in context.items()}})]
        for i, one in enumerate(ones)
    ]
    assert [one.session.draft is not None for one in ones] == [False, True, True]
    for _ in range(3):
        chosen = np.array([int(np.flatnonzero(row)[0]) for row in told[-1][-1]["action_mask"]])
        told.append(rows.step(chosen))
        for i, one in enumerate(ones):
            singles[i].append(one.step(chosen[i]))
    for time, batch in enumerate(told):
        for i, single in enumerate(singles):
            for name, part in single[time][0].items():
                np.testing.assert_array_equal(batch[0][name][i], part)


def test_the_inverse_problem_is_drawn() -> None:
    pytest.importorskip("pygame")
    env = make_writable("book-flight-form", 2.0, render_mode="rgb_array", views=["utterance", "text", "dom"])
    _, info = env.reset(seed=3)
    assert info["utterance"] == "from ?, to ?, date ?."
    pictures = [env.render()]
    for _ in range(3):
        *_, info = env.step(np.int64(env.solve()))
        pictures.append(env.render())
    assert "?" not in info["utterance"]
    assert len({picture.tobytes() for picture in pictures if picture is not None}) == 4


# ----------------------------------------------------------------------------------------------- states and pictures


@pytest.mark.parametrize("task", ["book-flight", "email-inbox", "login-user-popup", "social-media-all"])
def test_a_saved_state_stays_as_it_is(task: str) -> None:
    env, other = WebNavEnv(task, dense=True), WebNavEnv(task, dense=True)
    policy = RandomPolicy(env, seed=2)
    observation, info = env.reset(seed=0)
    for _ in range(4):
        observation, _, _, _, info = env.step(policy.act(observation, info))
    state = env.save_state()
    dom = env.dom()
    chosen, future = [], []
    for _ in range(6):
        chosen.append(policy.act(observation, info))
        observation, reward, _, _, info = env.step(chosen[-1])
        future.append((env.dom(), reward, observation["elements"].tolist(), observation["features"].tolist()))
    for saved in (state, pickle.loads(pickle.dumps(state))):
        other.load_state(saved)
        assert other.dom() == dom
        for action, expected in zip(chosen, future, strict=True):
            observation, reward, *_ = other.step(action)
            assert (other.dom(), reward, observation["elements"].tolist(), observation["features"].tolist()) == expected


def test_named_ids_are_the_tasks() -> None:
    for env_id, task in (("rlx/WebNavLoginUser-v0", "login-user"), ("rlx/WebNavBookFlight-v0", "book-flight")):
        env = gymnasium.make(env_id)
        assert isinstance(env.action_space, spaces.Discrete)
        observation, info = env.reset(seed=4)
        oracle = make_expert(env, "oracle")
        oracle.reset()
        terminated = False
        while not terminated:
            observation, _, terminated, _, info = env.step(oracle.act(observation, info))
        assert info["success"]
        assert env.unwrapped.session.page.name == task  # type: ignore[attr-defined]


@pytest.mark.parametrize("task", ["login-user", "email-inbox", "book-flight", "click-checkboxes", "order-food"])
def test_pages_are_drawn(task: str) -> None:
    pytest.importorskip("pygame")
    env = WebNavEnv(task, render_mode="rgb_array")
    env.reset(seed=3)
    pictures = [env.render()]
    for _ in range(2):
        env.step(np.int64(env.solve()))
        pictures.append(env.render())
    for picture in pictures:
        assert picture is not None
        assert (picture.shape, picture.dtype) == ((600, 800, 3), np.uint8)
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])
