"""What saving and loading cost, next to `copy.deepcopy`: ``python -m rlx.wrappers.states.cost ENV_ID ...``."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import gymnasium

from .encoding import encode, fingerprint
from .protocol import load_state, save_state

_HEADER = """\
| environment | save, us | load, us | state, bytes | deepcopy, us | what the copy does |
| --- | ---: | ---: | ---: | ---: | --- |"""


def _microseconds(task: Callable[[], Any], count: int) -> float:
    """Return the CPU time of ``task``, the least of five means over ``count`` calls."""
    times = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(count):
            task()
        times.append(time.process_time() - start)
    return 1e6 * min(times) / count


def _future(env: gymnasium.Env[Any, Any], actions: list[Any]) -> list[bytes]:
    """Return what comes of the actions, up to the end of the episode."""
    outcomes = []
    for action in actions:
        *outcome, _ = env.step(action)
        outcomes.append(fingerprint(outcome))
        if outcome[2] or outcome[3]:
            break
    return outcomes


def _copy(env: gymnasium.Env[Any, Any], actions: list[Any]) -> tuple[str, str]:
    """Return how long `copy.deepcopy` takes, and whether the copy continues as ``env`` would."""
    try:
        other = copy.deepcopy(env)
    except Exception as error:  # each class of environments fails in its own way
        return "", f"fails: {type(error).__name__}"
    taken = f"{_microseconds(lambda: copy.deepcopy(env), 10):,.0f}"
    state = save_state(env)
    expected = _future(env, actions)
    load_state(env, state)
    try:
        is_same = _future(other, actions) == expected
    except Exception as error:
        return taken, f"cannot go on: {type(error).__name__}"
    return taken, "goes on" if is_same else "another future: the state is lost"


def row(env_id: str) -> str:
    """Return the line of the table for ``env_id``, in the middle of an episode."""
    env = gymnasium.make(env_id)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(5):
        env.step(env.action_space.sample())
    state = save_state(env)
    size = sum(array.nbytes for array in encode(state)[1])
    save, load = _microseconds(lambda: save_state(env), 200), _microseconds(lambda: load_state(env, state), 200)
    taken, fate = _copy(env, [env.action_space.sample() for _ in range(20)])
    return f"| `{env_id}` | {save:.0f} | {load:.0f} | {size:,} | {taken} | {fate} |"


if __name__ == "__main__":
    if find_spec("ale_py"):
        import ale_py

        gymnasium.register_envs(ale_py)
    print(_HEADER)
    for env_id in sys.argv[1:]:
        print(row(env_id), flush=True)
