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
def test_one_file_q_learning():
    (mean,) = re.findall(r"episodes: (\S+)$", output_of("one_file_q_learning.py"), flags=re.MULTILINE)[-1:]
    assert float(mean) > 15.0
