"""Where jobs run: the same results everywhere, and again when a job is killed."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import toys
from processes import run
from rich.console import Console

from rlx.baselines.compare.executors import EXECUTORS, Attempt, Local, make_executor
from rlx.baselines.compare.manifest import Settings, jobs_of, make_settings, write_manifest
from rlx.baselines.compare.run import ATTEMPTS, Task, run_jobs
from rlx.baselines.compare.suite import load_suite, reference_of
from rlx.registry.catalog import families

TOY = "toys:Toy/Reach-v0"
SMALL = {"ddpg": {"hidden_sizes": [8], "warmup": 20, "batch_size": 8}}
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.fixture(autouse=True)
def toys_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(toys.__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(toys.__file__).parent), prepend=os.pathsep)


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
        patch.setenv("PYTHONPATH", str(Path(toys.__file__).parent), prepend=os.pathsep)
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


def jobs_at_work(folder: Path) -> dict[int, int]:
    """Return the process of each job in ``folder`` that learns with DDPG -> the process that started it."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text().split("\0")
            if "rlx.baselines.compare.job" in command and f"{folder}/" in (home := command[4]) and "/ddpg-" in home:
                found[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):  # it has ended in the meantime
            continue
    return found


def kill(folder: Path, what: Callable[[int, int], int]) -> None:
    """Kill what is chosen of a job of DDPG in ``folder`` and its parent, as soon as there is one."""
    for _ in range(2400):
        for process, parent in jobs_at_work(folder).items():
            os.kill(what(process, parent), signal.SIGKILL)
            return
        time.sleep(0.05)
    raise AssertionError("no job of DDPG was started")


@needs_proc
def test_ray_gives_the_same_results_though_a_worker_is_killed(
    tmp_path: Path, settings: Settings, expected: dict[str, str]
):
    pytest.importorskip("ray")
    tasks = tasks_of(tmp_path, settings)
    executor = make_executor("ray", {"num_cpus": 2})
    output = tmp_path / "output"
    try:
        with output.open("w") as file, ThreadPoolExecutor() as pool:
            killed = pool.submit(kill, tmp_path, lambda process, parent: parent)
            failed = run_jobs(tasks, executor, 2, Console(file=file))
            killed.result()
    finally:
        executor.close()
    assert failed == [] and logs(tasks) == expected
    assert "it is started again" in " ".join(output.read_text().split())


def all_logs(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.glob("*/jobs/*/log.jsonl")}


def all_scores(out: Path) -> dict[str, dict[str, list[float]]]:
    return {
        env_id: {algo: results.scores(algo).tolist() for algo in results.runs}
        for env_id, results in load_suite(out).each.items()
    }


@pytest.mark.slow
@needs_proc
def test_every_family_gives_the_same_results_on_ray_though_a_job_is_killed(tmp_path: Path):
    pytest.importorskip("ray")
    ids = [family.environments[0].id for family in families() if family.distribution == "rlx"]
    numbers = ["--steps=64", "--seeds=2", "--evaluations=1", "--eval-episodes=1", "--jobs=2"]

    def compare(out: Path, executor: str) -> str:
        return run(sys.executable, "-m", "rlx.registry.cli", "compare", *ids, *numbers, f"--executor={executor}",
                   "--out", out).stdout  # fmt: skip

    compare(tmp_path / "local", "local")
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill, tmp_path / "ray", lambda process, parent: process)
        text = compare(tmp_path / "ray", "ray")
        killed.result()
    assert "it is started again" in " ".join(text.split())
    assert all_logs(tmp_path / "ray") == (expected := all_logs(tmp_path / "local"))
    assert all_scores(tmp_path / "ray") == (scores := all_scores(tmp_path / "local"))
    assert list(scores) == ids and all({"random", reference_of(env_id)} < scores[env_id].keys() for env_id in ids)
    assert len(expected) == 2 * sum(map(len, scores.values()))


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
