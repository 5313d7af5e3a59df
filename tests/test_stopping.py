"""Adaptive stopping: how often it errs, what it decides, and when."""

from __future__ import annotations

import numpy as np
import pytest

from rlx.baselines.compare.stopping import Case, decide, normal, simulate


@pytest.mark.parametrize(("algorithms", "looks"), [(2, 1), (2, 3), (4, 2)])
def test_equal_algorithms_are_told_apart_as_often_as_said(algorithms: int, looks: int):
    case = Case("equal", normal(*[0.0] * algorithms), algorithms, 5, looks)
    error, *_ = simulate(case, 1_500, permutations=1_000)
    assert 0.03 <= error <= 0.065  # a one-sided bound would make it 0.1; three standard errors are 0.017


def test_who_is_far_ahead_does_not_hide_an_error():
    error, decided, runs = simulate(Case("one ahead", normal(0, 0, 10), 2, 5, 3), 1_000, permutations=1_000)
    assert 0.03 <= error <= 0.065 and decided == 1.0 and runs < 15


def test_scores_of_runs_mixed_up_by_hand():
    # Of the 252 ways of dividing ten runs, two are as extreme as the one observed: 2/252 < 0.05 / 5.
    apart = {"good": [6.0, 7.0, 8.0, 9.0, 10.0], "bad": [1.0, 2.0, 3.0, 4.0, 5.0]}
    assert decide(apart, 5, 5).better == {("good", "bad"): 1}
    assert decide(apart, 5, 7).better == {}  # 2/252 > 0.05 / 7
    # With three runs, 2 of 20 are: never below 0.05.
    assert decide({name: of[:3] for name, of in apart.items()}, 3, 1).undecided == (("good", "bad"),)


def test_more_runs_change_no_decision_and_only_the_undecided_need_them():
    random = np.random.default_rng(3)
    scores = {"a": random.normal(0.0, 1.0, 20), "b": random.normal(0.2, 1.0, 20), "c": random.normal(5.0, 1.0, 20)}
    seen = dict.fromkeys(scores, 4)
    found = []
    while True:
        result = decide({name: of[: seen[name]] for name, of in scores.items()}, 4, 5)
        found.append(result)
        if result.is_final:
            break
        seen = {name: count + 4 * (name in result.wanted) for name, count in seen.items()}
    assert [result.looks for result in found] == [1, 2, 3, 4, 5]
    for before, after in zip(found, found[1:], strict=False):
        assert before.better.items() <= after.better.items()
    assert found[-1].better == {("c", "a"): 2, ("c", "b"): 2} and found[-1].undecided == (("a", "b"),)
    assert seen == {"a": 20, "b": 20, "c": 8} and not found[-1].wanted
    assert decide({name: of[: seen[name]] for name, of in scores.items()}, 4, 5) == found[-1]


def test_units_do_not_matter():
    random = np.random.default_rng(4)
    scores = {name: random.normal(mean, 1.0, 10) for name, mean in (("a", 0.0), ("b", 1.0), ("c", 2.0))}
    assert decide(scores, 5, 2) == decide({name: 1e6 * of + 1e4 for name, of in scores.items()}, 5, 2)


def test_runs_that_are_all_the_same_are_not_told_apart():
    assert decide({"a": [1.0] * 10, "b": [1.0] * 10}, 5, 2).undecided == (("a", "b"),)


@pytest.mark.parametrize(
    ("scores", "numbers", "words"),
    [
        ({"a": [1.0]}, (1, 1), "Scores of a: two algorithms at least"),
        ({"a": [1.0], "b": [2.0]}, (0, 1), "batch = 0"),
        ({"a": [1.0], "b": [2.0]}, (1, 0), "looks = 0"),
    ],
)
def test_mistakes(scores: dict[str, list[float]], numbers: tuple[int, int], words: str):
    with pytest.raises(ValueError, match=words):
        decide(scores, *numbers)
