"""The scripts in `docs/examples/` run, and learn something."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def output_of(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_stable_baselines3():
    pytest.importorskip("stable_baselines3")
    found = {name: float(mean) for name, mean in re.findall(r"(\w+): (\S+) ±", output_of("sb3_ppo.py"))}
    assert found["PPO"] > found["random"] + 5.0 and found["scripted"] > 20.0


@pytest.mark.slow
def test_rllib():
    """Where RLlib is installed with the Gymnasium that it asks for, see the example."""
    pytest.importorskip("ray.rllib.algorithms.ppo", reason="RLlib needs its own Gymnasium", exc_type=ImportError)
    found = {name: float(mean) for name, mean in re.findall(r"(\w+): (\S+) ±", output_of("rllib_ppo.py"))}
    assert found["PPO"] > found["random"] + 5.0 and found["scripted"] > 20.0


@pytest.mark.slow
def test_pettingzoo_selfplay():
    """Three seeds scored 88 to 90 % against chance, and 88 to 90 % against the network before training."""
    pytest.importorskip("pettingzoo")
    found = dict(re.findall(r"against (.+): (\S+) %", output_of("pettingzoo_selfplay.py")))
    assert found.keys() == {"random", "its own beginning"} and all(float(score) > 80.0 for score in found.values())


@pytest.mark.slow
def test_one_file_q_learning():
    (mean,) = re.findall(r"episodes: (\S+)$", output_of("one_file_q_learning.py"), flags=re.MULTILINE)[-1:]
    assert float(mean) > 15.0
