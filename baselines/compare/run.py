"""Runs the jobs of comparisons: a few at a time, progress on the screen, nothing lost when one fails."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .executors import POLL_PERIOD, Attempt, Executor
from .files import lock, read_json, write_json
from .job import DONE, JOB, OUTPUT, PROGRESS
from .manifest import Job, content

EXPERT_SHARE = 0.03  # of the work in a training run; for the overall estimate of time alone
NO_SPACE = 2**16  # bytes; a disk on which less is free is full
ATTEMPTS = 3  # of a job that is killed: by somebody, for want of memory, or with its machine


@dataclasses.dataclass(frozen=True)
class Task:
    """A job, and the comparison it belongs to."""

    folder: Path
    job: Job

    @property
    def home(self) -> Path:
        """Where the job keeps its files."""
        return job_folder(self.folder, self.job)

    @property
    def is_done(self) -> bool:
        """Whether the job has been finished."""
        return is_done(self.folder, self.job)


@dataclasses.dataclass
class Running:
    """A job at work."""

    task: Task
    attempt: Attempt
    bar: TaskID


def job_folder(folder: Path, job: Job) -> Path:
    """Return where a job keeps its files."""
    return folder / "jobs" / job.name


def is_done(folder: Path, job: Job) -> bool:
    """Return whether a job has been finished."""
    done = job_folder(folder, job) / DONE
    return done.exists() and read_json(done)["hash"] == job.hash


def run_jobs(
    tasks: Sequence[Task], executor: Executor, parallel: int, console: Console, options: Sequence[str] = ()
) -> list[Task]:
    """Run all jobs that are not done yet, and return those that failed.

    A job that is killed is started again, and goes on from its last checkpoint.

    Args:
        tasks: all of them.
        executor: where they run.
        parallel: how many at a time.
        console: where progress is shown.
        options: of `rlx.baselines.compare.job`, the same for all; results do not depend on them.

    Raises:
        ValueError: another process is at work in one of the folders.
        KeyboardInterrupt: Ctrl-C; the jobs at work have been stopped and can be resumed.
    """
    with contextlib.ExitStack() as stack:
        for folder in dict.fromkeys(task.folder for task in tasks):
            stack.enter_context(lock(folder))
        progress = stack.enter_context(progress_bars(console))
        waiting = [task for task in tasks if not task.is_done]
        if len(waiting) < len(tasks):
            console.print(f"{len(tasks) - len(waiting)} of {len(tasks)} jobs are done already.")
        overall = progress.add_task("all jobs", total=sum(map(_weight, waiting)) or 1.0)
        running: list[Running] = []
        failed: list[Task] = []
        attempts: collections.Counter[Path] = collections.Counter()
        finished = 0.0
        try:
            while waiting or running:
                while waiting and len(running) < parallel:
                    running.append(_start(waiting.pop(0), executor, progress, options))
                time.sleep(POLL_PERIOD)
                underway = 0.0
                for each in tuple(running):
                    task, status = each.task, each.attempt.poll()
                    if status is None:
                        fraction = _fraction(task.home / PROGRESS)
                        progress.update(each.bar, completed=fraction)
                        underway += _weight(task) * fraction
                        continue
                    running.remove(each)
                    progress.remove_task(each.bar)
                    attempts[task.home] += 1
                    if status < 0 and attempts[task.home] < ATTEMPTS:
                        console.print(f"[yellow]killed[/]  {task.job.name}; it is started again")
                        waiting.append(task)
                        continue
                    finished += _weight(task)
                    if status == 0 and task.is_done:
                        console.print(f"[green]done[/]    {task.job.name}")
                    else:
                        failed.append(task)
                        console.print(f"[red]failed[/]  {task.job.name}")
                progress.update(overall, completed=finished + underway)
        finally:
            for each in running:
                each.attempt.stop()
    return failed


def last_words(task: Task) -> str:
    """Return the last line that a failed job printed: of a traceback, what went wrong."""
    output = task.home / OUTPUT
    lines = output.read_text(errors="replace").strip().splitlines() if output.exists() else []
    if lines:
        return lines[-1]
    if shutil.disk_usage(task.folder).free < NO_SPACE:
        return "It ended without a word, for the disk is full."
    return "It ended without a word; perhaps the system killed it for want of memory."


def _weight(task: Task) -> float:
    return 1.0 if task.job.learns else EXPERT_SHARE


def _start(task: Task, executor: Executor, progress: Progress, options: Sequence[str]) -> Running:
    task.home.mkdir(parents=True, exist_ok=True)
    write_json(task.home / JOB, content(task.job))
    (task.home / PROGRESS).unlink(missing_ok=True)
    bar = progress.add_task(f"{task.job.algo}, seed {task.job.seed}", total=1.0)
    return Running(task, executor.start(task.home, options), bar)


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
