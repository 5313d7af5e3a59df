"""Runs the jobs of a comparison: a few processes at a time, progress on the screen, nothing lost when one fails."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .files import read_json, write_json
from .job import DONE, JOB, OUTPUT, PROGRESS
from .manifest import Job, content

POLL_PERIOD = 0.1  # s
EXPERT_SHARE = 0.03  # of the work in a training run; for the overall estimate of time alone
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


@dataclasses.dataclass
class Running:
    """A job at work."""

    job: Job
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    bar: TaskID


def job_folder(folder: Path, job: Job) -> Path:
    """Return where a job keeps its files."""
    return folder / "jobs" / job.name


def is_done(folder: Path, job: Job) -> bool:
    """Return whether a job has been finished."""
    done = job_folder(folder, job) / DONE
    return done.exists() and read_json(done)["hash"] == job.hash


def run_jobs(
    folder: Path, jobs: Sequence[Job], parallel: int, console: Console, keep_learners: bool = False
) -> list[Job]:
    """Run all jobs that are not done yet, and return those that failed.

    Args:
        folder: of the comparison.
        jobs: all of them.
        parallel: how many at a time.
        console: where progress is shown.
        keep_learners: keep what a learner needs to be trained on later.

    Raises:
        ValueError: another process is at work in ``folder``.
        KeyboardInterrupt: Ctrl-C; the jobs at work have been stopped and can be resumed.
    """
    with lock(folder), progress_bars(console) as progress:
        waiting = [job for job in jobs if not is_done(folder, job)]
        if len(waiting) < len(jobs):
            console.print(f"{len(jobs) - len(waiting)} of {len(jobs)} jobs are done already.")
        weights = {job.name: 1.0 if job.learns else EXPERT_SHARE for job in jobs}
        overall = progress.add_task("all jobs", total=sum(weights[job.name] for job in waiting) or 1.0)
        running: list[Running] = []
        failed: list[Job] = []
        finished = 0.0
        try:
            while waiting or running:
                while waiting and len(running) < parallel:
                    running.append(_start(folder, waiting.pop(0), progress, keep_learners))
                time.sleep(POLL_PERIOD)
                underway = 0.0
                for each in tuple(running):
                    name = each.job.name
                    if each.process.poll() is None:
                        fraction = _fraction(job_folder(folder, each.job) / PROGRESS)
                        progress.update(each.bar, completed=fraction)
                        underway += weights[name] * fraction
                        continue
                    running.remove(each)
                    each.output.close()
                    progress.remove_task(each.bar)
                    finished += weights[name]
                    if each.process.returncode == 0 and is_done(folder, each.job):
                        console.print(f"[green]done[/]    {name}")
                    else:
                        failed.append(each.job)
                        console.print(f"[red]failed[/]  {name}")
                progress.update(overall, completed=finished + underway)
        finally:
            for each in running:
                each.process.terminate()
            for each in running:
                each.process.wait()
                each.output.close()
    return failed


def last_words(folder: Path, job: Job) -> str:
    """Return the last line that a failed job printed: of a traceback, what went wrong."""
    lines = (job_folder(folder, job) / OUTPUT).read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "It ended without a word; perhaps the system killed it for want of memory."


def _start(folder: Path, job: Job, progress: Progress, keep_learner: bool) -> Running:
    home = job_folder(folder, job)
    home.mkdir(parents=True, exist_ok=True)
    write_json(home / JOB, content(job))
    (home / PROGRESS).unlink(missing_ok=True)
    output = (home / OUTPUT).open("wb")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rlx.baselines.compare.job", str(home), *["--keep-learner"] * keep_learner],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **ONE_THREAD},
        start_new_session=True,  # Ctrl-C reaches this process alone, which then stops its jobs
    )
    return Running(job, process, output, progress.add_task(f"{job.algo}, seed {job.seed}", total=1.0))


def _fraction(path: Path) -> float:
    try:
        return float(path.read_text() or 0.0)
    except (OSError, ValueError):
        return 0.0


def progress_bars(console: Console) -> Progress:
    """Return bars that tell how far work is, and how long it will take."""
    return Progress(
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        refresh_per_second=4,
    )


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the system lets go of it when the process ends, however it ends."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"Another process is at work in {folder}: wait for it, or stop it first.") from None
        yield
