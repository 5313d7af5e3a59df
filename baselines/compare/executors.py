"""Where jobs run: in processes of this machine, on a Ray cluster, or in a Slurm queue.

A job is the same process everywhere and keeps all it makes in its folder, which every machine has to see under the same
path. So the same manifest gives the same results on each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .job import OUTPUT

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
POLL_PERIOD = 0.1  # s
LOST = -1  # exit status of a process of which nobody knows how it ended


class Attempt(Protocol):
    """A job at work."""

    def poll(self) -> int | None:
        """Return None while it works, 0 when it is done, less than 0 if it was killed, and else that it failed."""

    def stop(self) -> None:
        """End it, and wait until it has ended."""


class Executor(Protocol):
    """Starts jobs."""

    def start(self, home: Path, options: Sequence[str]) -> Attempt:
        """Start the job whose folder is ``home``."""

    def close(self) -> None:
        """Leave nothing behind."""


def launch(home: Path, options: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a job as a process of this machine."""
    with (home / OUTPUT).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "rlx.baselines.compare.job", str(home), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,  # Ctrl-C reaches the process that started it alone, which then stops it
        )


def work(home: Path, options: Sequence[str]) -> int:
    """Carry out a job on the machine where this is called; return the exit status of its process."""
    with launch(home, options) as process:
        try:
            while (status := process.poll()) is None:
                time.sleep(POLL_PERIOD)  # Ray's cancel is not heard in a wait without end
            return status
        finally:
            process.terminate()


class Local:
    """Processes of this machine."""

    def start(self, home: Path, options: Sequence[str]) -> Attempt:
        """Start the job whose folder is ``home``."""
        return _Process(launch(home, options))

    def close(self) -> None:
        """Do nothing."""


class _Process:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class Ray:
    """Tasks of a Ray cluster, each of one core."""

    def __init__(self, address: str = "local", **settings: Any) -> None:
        """Connect to the cluster at ``address``, or start one on this machine.

        Args:
            address: of the cluster, ``auto`` for the one that this machine belongs to, or ``local``.
            settings: more arguments of ``ray.init``.
        """
        import ray

        quiet = {"log_to_driver": False, "include_dashboard": False} if address == "local" else {"log_to_driver": False}
        ray.init(address=address, **{**quiet, **settings})
        self._ray = ray
        # Lost workers are told to us, who start the job again; the pickle of a function by its name is small.
        self._work = ray.remote(num_cpus=1, max_retries=0)(work)

    def start(self, home: Path, options: Sequence[str]) -> Attempt:
        """Start the job whose folder is ``home``."""
        return _RayTask(self._ray, self._work.remote(home.absolute(), list(options)))

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        self._ray.shutdown()


class _RayTask:
    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray, self._reference = ray, reference

    def poll(self) -> int | None:
        done, _ = self._ray.wait([self._reference], timeout=0)
        if not done:
            return None
        try:
            return int(self._ray.get(self._reference))
        except self._ray.exceptions.RayError:  # the worker or its machine is gone
            return LOST

    def stop(self) -> None:
        self._ray.cancel(self._reference)
        self._ray.wait([self._reference], timeout=10)


class Slurm:
    """Jobs of a Slurm queue, by submitit."""

    def __init__(self, logs: str = "slurm", cluster: str | None = None, **settings: Any) -> None:
        """Make ready to submit.

        Args:
            logs: folder for what submitit writes.
            cluster: None for Slurm; ``local`` for processes of this machine, as a trial.
            settings: as submitit names them, for instance ``slurm_partition`` and ``timeout_min``.
        """
        import submitit

        self._executor = submitit.AutoExecutor(folder=logs, cluster=cluster)
        self._executor.update_parameters(**{"name": "rlx", "cpus_per_task": 1, "timeout_min": 24 * 60, **settings})

    def start(self, home: Path, options: Sequence[str]) -> Attempt:
        """Submit the job whose folder is ``home``."""
        return _Submission(self._executor.submit(work, home.absolute(), list(options)))

    def close(self) -> None:
        """Do nothing."""


class _Submission:
    def __init__(self, job: Any) -> None:
        self._job = job

    def poll(self) -> int | None:
        if not self._job.done():
            return None
        return LOST if self._job.exception() else int(self._job.result())

    def stop(self) -> None:
        self._job.cancel()


#: name -> what makes it; its arguments are told by ``--executor-set``.
EXECUTORS: dict[str, type[Local] | type[Ray] | type[Slurm]] = {"local": Local, "ray": Ray, "slurm": Slurm}


def make_executor(name: str, settings: Mapping[str, Any]) -> Executor:
    """Return the executor ``name``.

    Raises:
        ValueError: there is none of this name, or it does not take these settings.
        ImportError: it is not installed.
    """
    if name not in EXECUTORS:
        raise ValueError(f"There is no executor {name!r}. There are: {', '.join(EXECUTORS)}.")
    try:
        return EXECUTORS[name](**settings)
    except (TypeError, NameError) as error:
        raise ValueError(f"The executor {name} does not take {dict(settings)}: {error}.") from error
