"""What is paid: the page's reward, in one of three ways, and on request progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .page import Page

#: What a page pays, by the name of the way.
REWARDS: Mapping[str, Callable[[Page], float]] = {
    "raw": lambda page: page.raw_reward,
    "scaled": lambda page: page.reward,
    "success": lambda page: float(page.raw_reward == 1.0),
}
#: ``task``: the page's own reward, at the end. ``potential``: progress, if asked for.
TERMS = ("task", "potential")


def shaping(before: float, after: float, discount: float, is_done: bool) -> float:
    """Return the potential-based reward of a step, which changes no optimal policy.

    Ng, Harada, Russell, "Policy invariance under reward transformations", ICML 1999: discount * after - before, where
    an episode's end has the potential 0.

    Args:
        before: the potential of the state that the step was taken in.
        after: the potential of the state it has led to.
        discount: that of the agent.
        is_done: whether the task has ended.
    """
    return (0.0 if is_done else discount * after) - before
