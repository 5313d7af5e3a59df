"""`rlx compare` and `rlx train`: whole comparisons of a toy, with failures, interruptions and changed minds."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import choices  # noqa: F401  (registers its environments)
import gymnasium
import numpy as np
import pytest
import toys
from gymnasium import spaces
from typer.testing import CliRunner

from rlx.baselines.commands import parse_vary
from rlx.baselines.compare.files import Log, read_json, read_log, write_json
from rlx.baselines.compare.job import run
from rlx.baselines.compare.manifest import Job, Settings, content, jobs_of, make_settings, read_settings, write_manifest
from rlx.baselines.compare.results import finished_runs, load_results, needed_jobs, rows, sentences
from rlx.baselines.compare.run import is_done, job_folder
from rlx.baselines.evaluation import FIRST_SEED, evaluate
from rlx.baselines.learners import make_learner
from rlx.baselines.observations import Inputs
from rlx.baselines.policy import load_policy
from rlx.registry.cli import app

TOY = "toys:Toy/Reach-v0"
TINY = ["--steps", "120", "--evaluations", "3", "--eval-episodes", "4"]
SMALL = ["--set", "ddpg.hidden_sizes=[8]", "--set", "ddpg.warmup=20", "--set", "ddpg.batch_size=8"]


@pytest.fixture(autouse=True)
def toys_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(toys.__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(toys.__file__).parent), prepend=os.pathsep)


def rlx(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output + (repr(result.exception) if result.exception else "")


def compare(out: Path, *more: str) -> tuple[int, str]:
    return rlx(
        "compare", TOY, "--out", out, "--algos", "ddpg,random", "--seeds", "2", "--jobs", "2", *TINY, *SMALL, *more
    )


def test_a_failed_job_loses_no_other_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "runs"
    monkeypatch.setenv("TOY_BROKEN", "1")
    code, text = compare(out)
    assert code == 1
    assert "ddpg-seed1" in text
    assert "RuntimeError: the rail is bent" in text
    assert "output.txt" in text
    results = load_results(out)
    assert {algo: len(runs) for algo, runs in results.runs.items()} == {"ddpg": 1, "random": 2}
    assert [(job.algo, job.seed) for job in results.missing] == [("ddpg", 1)]

    finished = {path: path.stat().st_mtime_ns for path in out.glob("jobs/*/done.json")}
    assert len(finished) == 3
    monkeypatch.delenv("TOY_BROKEN")
    code, text = compare(out)
    assert code == 0, text
    assert "3 of 4 jobs are done already" in text
    assert {path: path.stat().st_mtime_ns for path in finished} == finished

    results = load_results(out)
    assert not results.missing
    assert {algo: results.returns(algo).shape for algo in results.runs} == {"ddpg": (2, 4), "random": (2, 4)}
    (first, second) = results.runs["ddpg"]
    assert [row["step"] for row in first.log] == [0, 40, 80, 120]
    assert [row["kind"] for row in first.log] == ["evaluation"] * 3 + ["final"]
    final = first.final
    assert final["lengths"] == [20] * 4
    assert final["ends"] == ["truncated"] * 4
    assert all(0.0 <= cost <= 1.0 for cost in final["costs"])
    assert first.log != second.log
    assert first.config["versions"]["gymnasium"]
    assert first.config["args"]["gamma"] == 0.99
    assert not np.array_equal(*results.returns("random"))  # each run of "random" draws its own lots

    policy = load_policy(job_folder(out, first.job))
    again = evaluate(lambda env: policy, TOY, {}, 4)
    assert again.returns == final["returns"]

    # The settings are part of the folder.
    before = read_json(out / "manifest.json")
    code, text = compare(out, "--steps", "240", "--set", "ddpg.gamma=0.5")
    assert code != 0
    assert "algos.ddpg.steps is 120 there and 240 here" in text
    assert "algos.ddpg.gamma is 0.99 there and 0.5 here" in text
    assert "--out" in text
    assert read_json(out / "manifest.json") == before


def test_train_is_one_job_and_leaves_a_policy(tmp_path: Path):
    out = tmp_path / "trained"
    small = [entry.removeprefix("ddpg.") for entry in SMALL]
    code, text = rlx("train", TOY, "--out", out, "--seed", "3", *TINY, *small)
    assert code == 0, text
    assert load_policy(out).act(np.zeros(2)).shape == (1,)
    assert [job.seed for job in jobs_of(load_results(out).settings)] == [3]
    code, text = rlx("watch", "rlx/ElectricMotor-v0", "--policy", out / "policy.npz", "--out", tmp_path / "x.txt")
    assert code == 2
    assert ".gif" in text


def undisturbed(settings: Settings, folder: Path) -> dict[str, bytes]:
    """The logs of a comparison's jobs, carried out in this process one after the other, by name."""
    logs = {}
    for job in jobs_of(settings):
        (folder / job.name).mkdir(parents=True)
        write_json(folder / job.name / "job.json", content(job))
        run(folder / job.name)
        logs[job.name] = (folder / job.name / "log.jsonl").read_bytes()
    return logs


def logs_in(out: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in out.glob("jobs/*/log.jsonl")}


@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.slow)])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_continued(tmp_path: Path, stop: signal.Signals, executor: str):
    """Ctrl-C says how to go on; a kill leaves no process behind; the same command ends with the same result."""
    pytest.importorskip("ray" if executor == "ray" else "rlx")
    rlx = str(Path(sys.executable).with_name("rlx"))
    protocol = ["--algos=ddpg", "--seeds=1", "--steps=1500", "--evaluations=25", "--eval-episodes=2"]
    command = [rlx, "compare", TOY, *protocol, *SMALL, f"--executor={executor}", "--out"]
    out = tmp_path / "runs"
    process = subprocess.Popen(
        [*command, str(out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells ignore it in the background
    )  # fmt: skip
    log = None
    while process.poll() is None and len(read_log(log) if log else []) < 4:
        time.sleep(0.01)
        log = next(out.glob("jobs/*/log.jsonl"), None)
    if stop == signal.SIGINT:
        os.killpg(process.pid, stop)  # as a terminal does it
    else:
        process.send_signal(stop)
    text, _ = process.communicate()
    assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL), text
    assert log is not None
    if stop == signal.SIGINT:
        assert "0 of 1 jobs are done. To go on:" in text
        assert f"rlx compare {TOY} --algos=ddpg" in text
    for _ in range(100):  # an orphan notices within half a second
        size = log.stat().st_size
        time.sleep(0.7)
        if log.stat().st_size == size:
            break
    assert 4 <= len(read_log(log)) < 26

    assert subprocess.run([*command, str(out)], capture_output=True).returncode == 0
    assert logs_in(out) == undisturbed(read_settings(out), tmp_path / "undisturbed")
    assert [row["step"] for row in read_log(log)] == [60 * k for k in range(26)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, on which there is room for one job and a half."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=112k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "message"),
    [(2, "the disk is full"), (3, "Stopped: [Errno 28] No space left on device")],
    ids=["the last job", "with more to come"],
)
def test_a_disk_that_is_full_and_then_larger(tmp_path: Path, small_disk: Path, seeds: int, message: str):
    """It is told; and on a larger disk the same command ends as if nothing had happened."""
    out = small_disk / "runs"
    few = ("--algos", "ddpg", "--seeds", str(seeds), "--jobs", "1", "--keep-learners")
    code, text = compare(out, *few)
    assert code == 1 and message in " ".join(text.split()) and "The same command" in text, text
    (done,) = out.glob("jobs/*/done.json")
    time_done = done.stat().st_mtime_ns
    (failed,) = (path for path in out.glob("jobs/*/log.jsonl") if path.parent != done.parent)
    assert 0 < len(read_log(failed)) < 4

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    code, text = compare(out, *few)
    assert code == 0 and f"1 of {seeds} jobs are done already" in text, text
    assert done.stat().st_mtime_ns == time_done
    assert logs_in(out) == undisturbed(read_settings(out), tmp_path / "undisturbed")


def test_judged_on_other_setups(tmp_path: Path):
    """The final rows say where; a job that was stopped between two set-ups goes on there."""
    out = tmp_path / "runs"
    arguments = ["--seeds", "1", "--vary", "max_episode_steps=5,10", "--vary", "disable_env_checker=true"]
    code, text = compare(out, *arguments)
    assert code == 0, text
    assert "max_episode_steps=10" in text
    assert read_json(out / "manifest.json")["settings"]["vary"] == {
        "max_episode_steps": [5, 10], "disable_env_checker": [True],
    }  # fmt: skip

    logs = {path: path.read_bytes() for path in out.glob("jobs/*/log.jsonl")}
    assert len(logs) == 2
    setups = [{"max_episode_steps": 5}, {"max_episode_steps": 10}, {"disable_env_checker": True}]
    for path in logs:
        finals = [row for row in read_log(path) if row["kind"] == "final"]
        assert [row.get("setup") for row in finals] == [None, *setups]
        assert [row["lengths"] for row in finals] == [[n] * 4 for n in (20, 5, 10, 20)]
        assert finals[0]["returns"] == finals[3]["returns"]
        assert {row["step"] for row in finals} == {120 if "ddpg" in str(path) else 0}
        path.write_bytes(b"".join(logs[path].splitlines(keepends=True)[:-2]))
        (path.parent / "done.json").unlink()
    code, text = compare(out, *arguments)
    assert code == 0, text
    assert {path: path.read_bytes() for path in logs} == logs

    code, text = compare(out, "--seeds", "1", "--vary", "max_episode_steps=5,11")
    assert code != 0
    assert "vary.max_episode_steps is [5, 10] there and [5, 11] here" in text
    assert "vary.disable_env_checker is [true] there and (not there) here" in text


class Booked(toys.Reach):
    """Keeps the seeds of each of its set-ups."""

    seeds: ClassVar[dict[str, list[int]]] = {}

    def __init__(self, place: str = "training") -> None:
        self.place_name = place

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if seed is not None:
            self.seeds.setdefault(self.place_name, []).append(seed)
        return super().reset(seed=seed, options=options)


gymnasium.register("Toy/Booked-v0", entry_point=Booked, max_episode_steps=20, disable_env_checker=True)


@pytest.mark.parametrize("algo", ["ddpg", "random"])
def test_no_run_trains_on_the_seeds_it_is_judged_by(tmp_path: Path, algo: str):
    values = {"ddpg": {"hidden_sizes": [8], "warmup": 20, "batch_size": 8}}
    settings = make_settings("Toy/Booked-v0", {}, [algo], values, [9_999], 100, 1, 3, {"place": ["a", "b"]})
    (job,) = jobs_of(settings)
    write_json(tmp_path / "job.json", content(job))
    Booked.seeds.clear()
    run(tmp_path)
    judged = [FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2]
    assert Booked.seeds["a"] == Booked.seeds["b"] == judged
    trained = {999_900_000} if algo == "ddpg" else set()
    assert set(Booked.seeds["training"]) == {*trained, *judged}


def finish(folder: Path, settings: Settings, levels: dict[str, float]) -> list[str]:
    """Write what the needed jobs would have written, and return which there were."""
    jobs, _ = needed_jobs(settings, finished_runs(folder, settings))
    done = []
    for job in jobs:
        home = job_folder(folder, job)
        if home.exists():
            continue
        home.mkdir(parents=True)
        returns = [levels[job.algo] + np.random.default_rng((len(job.algo), job.seed)).standard_normal()]
        row = {"kind": "final", "step": 0, "returns": returns, "lengths": [1], "ends": ["truncated"], "costs": [0.0]}
        (home / "log.jsonl").write_text(json.dumps(row) + "\n")
        write_json(home / "config.json", {"spec": {"max_episode_steps": 1}})
        write_json(home / "done.json", {"hash": job.hash, "cpu_seconds": 1.0})
        done.append(f"{job.algo} {job.seed}")
    return done


def test_runs_are_made_until_it_is_decided_who_is_ahead(tmp_path: Path):
    names = ["pi", "random", "constant"]
    settings = make_settings("rlx/ElectricMotorPaper2019-v0", {}, names[:2], {}, range(15), None, 1, 1, looks=3)
    settings = dataclasses.replace(settings, algos=dict.fromkeys(names, {}))
    write_manifest(tmp_path, settings)
    levels = {"pi": 100.0, "random": 0.0, "constant": 0.0}
    batches = [finish(tmp_path, settings, levels) for _ in range(4)]
    assert batches[0] == [f"{name} {seed}" for name in names for seed in range(5)]
    assert batches[1] == [f"{name} {seed}" for name in names[1:] for seed in range(5, 10)]  # pi is ahead of both
    assert batches[2] == [f"{name} {seed}" for name in names[1:] for seed in range(10, 15)]
    assert batches[3] == []
    results = load_results(tmp_path)
    assert results.missing == []
    assert sentences(results)[0] == (
        "After 3 looks: pi is ahead of random and constant; random and constant cannot be told apart."
    )
    assert {row["Algorithm"]: row["Runs"] for row in rows(results)} == {"pi": "5", "random": "15", "constant": "15"}


def test_a_missing_run_holds_up_the_decision(tmp_path: Path):
    settings = make_settings("rlx/ElectricMotorPaper2019-v0", {}, ["pi", "random"], {}, range(10), None, 1, 1, looks=2)
    write_manifest(tmp_path, settings)
    finish(tmp_path, settings, {"pi": 100.0, "random": 0.0})
    lost = next(job for job in jobs_of(settings) if (job.algo, job.seed) == ("pi", 2))
    shutil.rmtree(job_folder(tmp_path, lost))
    jobs, decisions = needed_jobs(settings, finished_runs(tmp_path, settings))
    assert lost in jobs and len(jobs) == 10
    assert decisions is not None and decisions.looks == 0 and not decisions.better


def test_compare_tells_what_was_decided(tmp_path: Path):
    code, text = compare(tmp_path / "runs", "--stop", "adaptive", "--looks", "1")
    assert code == 0, text
    assert "After 1 look: ddpg and random cannot be told apart." in text  # two runs of each say nothing


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "runs"
    few = ("--algos", "random", "--seeds", "2", "--jobs", "1", "--evaluations", "1", "--eval-episodes", "1")
    full = [True, False]  # the first job fits

    def write(path: Path, value: Any) -> None:
        if path.name == "job.json" and full and full.pop():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_json(path, value)

    monkeypatch.setattr("rlx.baselines.compare.run.write_json", write)
    code, text = rlx("compare", TOY, *few, "--out", out)
    assert code == 1 and "No space left on device" in text and "The same command goes on" in text
    code, text = rlx("compare", TOY, *few, "--out", out)
    assert code == 0 and "1 of 2 jobs are done already" in text


def test_only_one_at_a_time(tmp_path: Path):
    import fcntl

    settings = make_settings(TOY, {}, ["random"], {}, [0], None, 1, 1)
    write_manifest(tmp_path, settings)
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, text = rlx(
            "compare", TOY, "--algos=random", "--seeds=1", "--evaluations=1", "--eval-episodes=1", "--out", tmp_path
        )
    assert code != 0
    assert "Another process is at work" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--algos", "ddpgg"], "There is no algorithm 'ddpgg' for toys:Toy/Reach-v0. There are: ddpg"),
        (["--set", "ddpg.gama=1"], "Did you mean 'gamma'"),
        (["--set", "gamma=1"], "ddpg.gamma"),
        (["--set", "sac.gamma=1"], "There is no algorithm 'sac'"),
        (["--seeds", "0"], "seeds = 0: at least 1"),
        (["--stop", "adaptive", "--seeds", "12"], "12 seeds cannot be divided into 5 looks; 15 can."),
        (["--stop", "adaptive", "--algos", "random"], "Whether random is ahead can only be asked beside another"),
        (["--steps", "0"], "steps = 0, but it must be at least 1"),
        (["--env-kwargs", "{motor"], "is not JSON"),
        (["--env-kwargs", "[1]"], "is not a JSON object"),
        (
            ["--algos", "dqn"],
            "dqn does not suit the actions of toys:Toy/Reach-v0, Box(-1.0, 1.0, (1,), float32). Learn",
        ),
        (["--set", "dqn.gamma=0.5"], "Learners that do: ddpg"),
        (
            ["--vary", "design"],
            "'design' varies nothing: write it as NAME=VALUE,VALUE,..., for instance design=base,swap",
        ),
        (["--vary", "design="], "'design=' varies nothing"),
        (["--vary", "design=base"], "Toy/Reach-v0 with kwargs ({'design': 'base'})"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tmp_path: Path, arguments: list[str], message: str):
    code, text = rlx("compare", TOY, "--out", tmp_path / "runs", *arguments)
    assert code != 0
    assert message in " ".join(text.replace("│", " ").split())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["compare", "train"])
def test_learners_that_do_not_suit_are_refused(tmp_path: Path, command: str):
    option = {"compare": "--algos", "train": "--algo"}[command]
    code, text = rlx(command, "CartPole-v1", option, "ddpg", "--out", tmp_path / "runs")
    assert code != 0
    assert "ddpg does not suit the actions of CartPole-v1, Discrete(2). Learners that do: dqn" in text
    assert not (tmp_path / "runs").exists()


def test_setups_in_which_no_trained_policy_can_act():
    def ask(env_id: str, algos: list[str], vary: dict[str, list[Any]]) -> None:
        make_settings(env_id, {}, algos, {}, [0], 1000, 1, 1, vary)

    motor = "rlx/ElectricMotor-v0"
    with pytest.raises(ValueError, match="No trained policy can act with motor=pmsm: the observations are Box"):
        ask(motor, ["ddpg"], {"motor": ["series_dc", "pmsm"]})
    with pytest.raises(ValueError, match=r"with converter=finite: the actions are Discrete\(4\) there, but Box"):
        ask(motor, ["ddpg", "random"], {"converter": ["finite"]})
    ask(motor, ["random"], {"motor": ["pmsm"]})  # an expert is made for the set-up
    ask("choices:Toy/Pick-v0", ["dqn"], {"told": ["info"]})  # masks are no input


def test_values_to_vary_are_json_or_words():
    for text, values in {
        "base,swap": ["base", "swap"],
        "1,2.5,true": [1, 2.5, True],
        "1,swap": [1, "swap"],
        '["a","b"],["c"]': [["a", "b"], ["c"]],
        '{"type": "poly", "a": 0.1},{"type": "const"}': [{"type": "poly", "a": 0.1}, {"type": "const"}],
    }.items():
        assert parse_vary([f"design={text}"]) == {"design": values}
    assert parse_vary(["a=1", "b=x=y", "a=2"]) == {"a": [1, 2], "b": ["x=y"]}


def test_show_args():
    code, text = rlx("train", TOY, "--out", "unused", "--show-args", "--set", "gamma=0.5")
    assert code == 0, text
    assert "gamma" in text
    assert "0.99" in text
    assert not Path("unused").exists()


# The parts


def test_jobs_are_hashed_by_their_content():
    def jobs(**more: object) -> list[Job]:
        arguments = {"env_kwargs": {}, "values": {}, "steps": 100, "evaluations": 2, "episodes": 3, **more}
        return jobs_of(make_settings(TOY, algos=["random", "ddpg"], seeds=[0, 1], **arguments))

    assert [(job.algo, job.seed) for job in jobs()] == [("ddpg", 0), ("ddpg", 1), ("random", 0), ("random", 1)]
    assert len({job.hash for job in jobs()}) == 4
    assert [job.hash for job in jobs()] == [job.hash for job in jobs()]
    for change in (
        {"env_kwargs": {"max_episode_steps": 9}},
        {"values": {"ddpg": {"gamma": 0.5}}},
        {"steps": 99},
        {"episodes": 4},
    ):
        assert jobs(**change)[0].hash != jobs()[0].hash
    assert jobs(steps=99)[2].hash == jobs()[2].hash  # an expert's result does not depend on training
    varied = jobs(vary={"max_episode_steps": [5]})
    assert all(job.hash != plain.hash for job, plain in zip(varied, jobs(), strict=True))


def test_without_set_ups_nothing_tells_of_them(tmp_path: Path):
    """Manifests and hashes are those of comparisons made before there were set-ups."""
    settings = make_settings(TOY, {}, ["random"], {}, [0], None, 1, 1)
    (job,) = write_manifest(tmp_path, settings)
    fields = {"env_id": TOY, "env_kwargs": {}, "algo": "random", "args": {}, "seed": 0, "evaluations": 1, "episodes": 1,
              "version": settings.version}  # fmt: skip
    assert content(job) == fields
    assert job.hash == hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    assert list(read_json(tmp_path / "manifest.json")["settings"]) == [
        "env_id", "env_kwargs", "algos", "seeds", "evaluations", "episodes", "version",
    ]  # fmt: skip


def test_experts_of_an_environment_are_known():
    settings = make_settings("rlx/ElectricMotorPaper2019-v0", {}, [], {}, [0], 1000, 1, 1)
    assert {"ddpg", "pi", "random"} <= set(settings.algos)
    assert settings.algos["pi"] == {}


def test_done_means_this_job(tmp_path: Path):
    job = jobs_of(make_settings(TOY, {}, ["random"], {}, [0], None, 1, 1))[0]
    job_folder(tmp_path, job).mkdir(parents=True)
    assert not is_done(tmp_path, job)
    write_json(job_folder(tmp_path, job) / "done.json", {"hash": "of another"})
    assert not is_done(tmp_path, job)
    write_json(job_folder(tmp_path, job) / "done.json", {"hash": job.hash})
    assert is_done(tmp_path, job)


def test_a_log_forgets_what_was_not_finished(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    log = Log(path)
    log.append({"a": 3})
    log.close()
    assert [row["a"] for row in read_log(path)] == [1, 2, 3]
    assert path.read_bytes() == b'{"a": 1}\n{"a": 2}\n{"a": 3}\n'


def test_evaluation_plays_the_same_episodes_one_by_one_and_together():
    class Constant:
        def __init__(self, is_batched: bool) -> None:
            self.is_batched = is_batched

        def reset(self) -> None: ...

        def act(self, observation: np.ndarray, info: object) -> np.ndarray:
            return np.full((*observation.shape[:-1], 1), 0.3, np.float32)

    for env_id, kwargs in ((TOY, {}), ("rlx/ElectricMotorPaper2019-v0", {"max_episode_steps": 300})):
        alone = evaluate(lambda env: Constant(False), env_id, kwargs, 5)
        together = evaluate(lambda env: Constant(True), env_id, kwargs, 5)
        assert alone == together
        assert len(set(alone.returns)) == 5
    assert FIRST_SEED + 1000 < 2**31


def test_evaluation_reports_terminations():
    class Zero:
        is_batched = True

        def reset(self) -> None: ...

        def act(self, observation: np.ndarray, info: object) -> np.ndarray:
            return np.zeros((len(observation), 1), np.float32)

    played = evaluate(lambda env: Zero(), "toys:Toy/Clock-v0", {}, 3)
    assert (played.ends, played.lengths, played.returns) == (["terminated"] * 3, [3] * 3, [6.0] * 3)


class Goal(toys.Clock):
    """A `Clock` with a goal, which is reached if the last action was positive."""

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, info | ({"success": action[0] > 0} if terminated else {})


gymnasium.register("Toy/Goal-v0", entry_point=Goal, max_episode_steps=5, disable_env_checker=True)


@pytest.mark.parametrize("is_batched", [False, True])
def test_evaluation_reports_successes_and_failures(is_batched: bool):
    class Constant:
        def __init__(self, action: float) -> None:
            self.action, self.is_batched = action, is_batched

        def reset(self) -> None: ...

        def act(self, observation: np.ndarray, info: object) -> np.ndarray:
            return np.full((*observation.shape[:-1], 1), self.action, np.float32)

    def ends(action: float) -> list[str]:
        return evaluate(lambda env: Constant(action), "Toy/Goal-v0", {}, 2).ends

    odd = "success" if is_batched else "truncated"  # one by one, the second episode is an odd one, without an end
    assert ends(1.0) == ["success", odd]
    assert ends(-1.0) == ["failure", odd.replace("success", "failure")]


def test_choices_among_observations_are_told_one_hot():
    space = spaces.Dict({
        "cards": spaces.MultiDiscrete([2, 3], start=[1, 0]),
        "grid": spaces.MultiDiscrete(np.full((2, 1, 1), 2)),
        "lamps": spaces.MultiBinary(2),
        "turn": spaces.Discrete(2),
    })  # fmt: skip
    inputs = Inputs.of(space)
    assert (inputs.width, inputs.pictures) == (2 * 3 + 2 * 2 + 2 + 2, [])
    one = {"cards": np.array([2, 0]), "grid": np.array([[[1]], [[0]]]), "lamps": np.array([1, 0], np.int8), "turn": 1}
    assert space.contains(one | {"turn": np.int64(1)})
    expected = [0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1]
    numbers, pictures, batch = inputs.read(one)
    assert (numbers.tolist(), pictures.shape, batch) == ([expected], (1, 0), ())
    two = {key: np.stack([value, space[key].sample()]) for key, value in one.items()}
    numbers, _, batch = inputs.read(two)
    assert (numbers[0].tolist(), numbers.shape, batch) == (expected, (2, 14), (2,))


class Cards(gymnasium.Env[Any, Any]):
    """Two cards are shown; saying whether they are alike pays 1. It ends after ten rounds."""

    observation_space = spaces.MultiDiscrete([3, 3])
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.rounds = 0
        return self._show(), {}

    def step(self, action: Any) -> Any:
        reward = float(action == (self.cards[0] == self.cards[1]))
        self.rounds += 1
        return self._show(), reward, self.rounds == 10, False, {}

    def _show(self) -> Any:
        self.cards = self.np_random.integers(0, 3, 2)
        return self.cards.copy()


gymnasium.register("Toy/Cards-v0", entry_point=Cards, disable_env_checker=True)


def test_a_learner_reads_choices():
    """Whether two numbers are alike is no linear matter, and told one-hot it is learned soon."""
    args = {"hidden_sizes": [32], "warmup": 100, "batch_size": 32, "gamma": 0.0, "n_steps": 1, "num_envs": 4,
            "replay_size": 2_000, "update_ratio": 0.25, "rate": 3e-3, "steps": 2_000}  # fmt: skip
    learner = make_learner("dqn", "Toy/Cards-v0", {}, args)
    learner.learn(2_000, lambda step: None)
    assert evaluate(lambda env: learner.policy, "Toy/Cards-v0", {}, 5).returns == [10.0] * 5


def test_sentences_follow_the_numbers(tmp_path: Path):
    """The same comparison with the learner ahead, behind, and neither."""
    settings = make_settings(TOY, {}, ["ddpg", "random"], {}, [0, 1, 2], 100, 1, 2)
    jobs = write_manifest(tmp_path, settings)

    def say(learner: list[list[float]]) -> str:
        for job in jobs:
            home = job_folder(tmp_path, job)
            home.mkdir(parents=True, exist_ok=True)
            returns = learner[job.seed] if job.learns else [10.0, 20.0]
            row = {"kind": "final", "step": 100, "returns": returns, "lengths": [5, 5], "ends": ["truncated"] * 2,
                   "costs": [0.0, 0.0]}  # fmt: skip
            (home / "log.jsonl").write_text(json.dumps(row) + "\n")
            write_json(home / "done.json", {"hash": job.hash, "cpu_seconds": 1.0})
            write_json(home / "config.json", {})
        (sentence,) = sentences(load_results(tmp_path))
        return sentence

    assert say([[8.0, 18.0], [7.0, 17.0], [8.0, 18.0]]).startswith(
        "random is ahead of ddpg: the mean returns are 15.0 and 12.7, the difference is 2.33 (95 % interval 2.00 to"
    )
    assert say([[13.0, 23.0]] * 3) == (
        "ddpg is ahead of random: the mean returns are 18.0 and 15.0, the difference is 3.00 (95 % interval 3.00 to "
        "3.00). ddpg does better in 100 % of the episodes."
    )
    assert say([[13.0, 16.0], [6.0, 25.0], [10.0, 20.0]]).startswith("ddpg and random cannot be told apart: the mean")


def test_help_is_quick():
    """Help loads neither torch nor matplotlib."""
    code = (
        "import sys, rlx.baselines.commands; print(*(m for m in ('torch', 'matplotlib', 'jinja2') if m in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
