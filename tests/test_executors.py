"""Where jobs run: the same results everywhere, and again when a job is killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import toys
from rich.console import Console

from rlx.baselines.compare.executors import EXECUTORS, Attempt, Local, make_executor
from rlx.baselines.compare.manifest import Settings, jobs_of, make_settings, write_manifest
from rlx.baselines.compare.run import ATTEMPTS, Task, run_jobs

TOY = "toys:Toy/Reach-v0"
SMALL = {"ddpg": {"hidden_sizes": [8], "warmup": 20, "batch_size": 8}}


@pytest.fixture(autouse=True)
def toys_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(toys.__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(toys.__file__).parent))


@pytest.fixture
def settings(toys_for_jobs: None) -> Settings:
    return make_settings(TOY, {}, ["ddpg", "random"], SMALL, range(1), 400, 2, 3)


def tasks_of(folder: Path, settings: Settings) -> list[Task]:
    write_manifest(folder, settings)
    return [Task(folder, job) for job in jobs_of(settings)]


def logs(tasks: Sequence[Task]) -> dict[str, str]:
    return {task.job.name: hashlib.sha256((task.home / "log.jsonl").read_bytes()).hexdigest() for task in tasks}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(toys.__file__).parent))
        patch.setenv("PYTHONPATH", str(Path(toys.__file__).parent))
        tasks = tasks_of(folder, make_settings(TOY, {}, ["ddpg", "random"], SMALL, range(1), 400, 2, 3))
        assert run_jobs(tasks, Local(), 2, Console(quiet=True)) == []
    return logs(tasks)


class Killing(Local):
    """Kills the first attempts of the jobs of DDPG."""

    def __init__(self, times: int) -> None:
        self.times, self.starts = times, 0

    def start(self, home: Path, options: Sequence[str]) -> Attempt:
        attempt: Any = super().start(home, options)
        if home.name.startswith("ddpg"):
            self.starts += 1
            if self.starts <= self.times:
                time.sleep(0.1)
                attempt._process.kill()
        return attempt


def test_a_killed_job_is_started_again(tmp_path: Path, settings: Settings, expected: dict[str, str]):
    tasks, executor = tasks_of(tmp_path, settings), Killing(2)
    assert run_jobs(tasks, executor, 2, Console(quiet=True)) == []
    assert executor.starts == 3 and logs(tasks) == expected


def test_a_job_that_is_killed_again_and_again_fails(tmp_path: Path, settings: Settings):
    tasks, executor = tasks_of(tmp_path, settings)[:1], Killing(99)
    assert run_jobs(tasks, executor, 1, Console(quiet=True)) == tasks
    assert executor.starts == ATTEMPTS


def kill_a_worker() -> None:
    """Kill the process that started a job of DDPG, as soon as there is one."""
    for _ in range(600):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                if b"rlx.baselines.compare.job" in command and b"ddpg" in command:
                    parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                    if b"ray::" in Path(f"/proc/{parent}/cmdline").read_bytes():
                        os.kill(parent, signal.SIGKILL)
                        return
            except (OSError, ValueError):  # it has ended in the meantime
                continue
        time.sleep(0.05)
    raise AssertionError("no worker of Ray started a job")


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_ray_gives_the_same_results_though_a_worker_is_killed(
    tmp_path: Path, settings: Settings, expected: dict[str, str]
):
    pytest.importorskip("ray")
    tasks = tasks_of(tmp_path, settings)
    executor = make_executor("ray", {"num_cpus": 2})
    killer = subprocess.Popen([sys.executable, "-c", "import test_executors; test_executors.kill_a_worker()"],
                              cwd=Path(__file__).parent,
                              env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    output = tmp_path / "output"
    try:
        with output.open("w") as file:
            failed = run_jobs(tasks, executor, 2, Console(file=file))
        assert killer.wait(timeout=60) == 0
    finally:
        killer.kill()
        executor.close()
    assert failed == [] and logs(tasks) == expected
    assert "it is started again" in " ".join(output.read_text().split())


def test_slurm_gives_the_same_results(tmp_path: Path, settings: Settings, expected: dict[str, str]):
    pytest.importorskip("submitit")
    tasks = tasks_of(tmp_path / "runs", settings)
    executor = make_executor("slurm", {"logs": str(tmp_path / "slurm"), "cluster": "local"})
    assert run_jobs(tasks, executor, 2, Console(quiet=True)) == []
    assert logs(tasks) == expected


def test_mistakes():
    with pytest.raises(ValueError, match="no executor 'pbs'. There are: local, ray, slurm"):
        make_executor("pbs", {})
    with pytest.raises(ValueError, match=r"The executor local does not take \{'cores': 3\}"):
        make_executor("local", {"cores": 3})
    assert list(EXECUTORS) == ["local", "ray", "slurm"]
