"""What a comparison consists of: settings, and the jobs that follow from them. Neither changes once written."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlx import __version__
from rlx.registry.catalog import row_of

from ..datasets import open_dataset
from ..learners import LEARNERS, OFFLINE, fill_args, learners_for, misfits, spaces_of
from ..observations import Inputs
from .files import read_json, write_json

MANIFEST = "manifest.json"
_OPTIONAL = ("vary", "looks", "tuning")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a comparison."""

    env_id: str
    env_kwargs: Mapping[str, Any]
    algos: Mapping[str, Mapping[str, Any]]
    """Name -> all arguments but the seed; of an expert, none."""
    seeds: Sequence[int]
    """One run of each algorithm per seed."""
    evaluations: int
    """Points of a learning curve, the one before training not counted."""
    episodes: int
    """Per evaluation."""
    version: str = __version__
    """Of rlx."""
    vary: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    """Keyword arguments of the environment, and the values with which every run is judged besides."""
    looks: int = 0
    """How often it is asked who is ahead, so that no more runs are made than that takes; 0: all runs are made."""

    tuning: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    """Learner -> trials and steps of the search that found its arguments, where `rlx tune` did."""

    @property
    def batch(self) -> int:
        """Runs of each algorithm from look to look."""
        return len(self.seeds) // max(self.looks, 1)


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of one algorithm, and all that its result depends on."""

    env_id: str
    env_kwargs: Mapping[str, Any]
    algo: str
    args: Mapping[str, Any]
    seed: int
    evaluations: int
    episodes: int
    version: str
    vary: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def hash(self) -> str:
        """A hash of the whole content."""
        return hashlib.sha256(json.dumps(content(self), sort_keys=True).encode()).hexdigest()

    @property
    def name(self) -> str:
        """The name of the job's folder."""
        return f"{self.algo}-seed{self.seed}-{self.hash[:8]}"

    @property
    def learns(self) -> bool:
        """Whether the algorithm is a learner, not an expert."""
        return self.algo in LEARNERS


def content(of: Settings | Job) -> dict[str, Any]:
    """Return the fields as they are written and hashed: those of `_OPTIONAL` only where they are set."""
    return {name: value for name, value in dataclasses.asdict(of).items() if value or name not in _OPTIONAL}


def setups_of(vary: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the set-ups to judge in: what each changes in the environment's keyword arguments."""
    return [{name: value} for name, values in vary.items() for value in values]


def label(setup: Mapping[str, Any]) -> str:
    """Return a set-up as a user would write it, like ``design=swap``."""
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in setup.items()
    )


def make_settings(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    algos: Sequence[str],
    values: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    steps: int | None,
    evaluations: int,
    episodes: int,
    vary: Mapping[str, Sequence[Any]] = MappingProxyType({}),
    looks: int = 0,
    tuning: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
) -> Settings:
    """Check what a user asked for, and complete it.

    Args:
        env_id: the environment.
        env_kwargs: its keyword arguments.
        algos: experts of the environment, and learners that suit its observations and actions; empty for all of them.
        values: learner -> arguments that differ from the tuned ones.
        seeds: one run of each algorithm per seed.
        steps: of training; None for what is tuned, or the learner's default.
        evaluations: points of a learning curve.
        episodes: per evaluation.
        vary: keyword arguments of the environment, and the values with which every run is judged besides.
        looks: how often it is asked who is ahead; 0 if all runs are to be made.
        tuning: learner -> trials and steps of the search that found its ``values``.

    Raises:
        ValueError: an unknown algorithm or argument, a number that is not allowed, a learner that the observations
            or the actions do not suit, or a set-up in which no policy trained with ``env_kwargs`` can act.
    """
    for name, number in {"seeds": len(seeds), "evaluations": evaluations, "episodes": episodes}.items():
        if number < 1:
            raise ValueError(f"{name} = {number}: at least 1 is needed.")
    if looks and len(seeds) % looks:
        raise ValueError(
            f"{len(seeds)} seeds cannot be divided into {looks} looks; {looks * math.ceil(len(seeds) / looks)} can."
        )
    row = row_of(env_id)
    others = (*(row.experts if row else ()), "random")
    suitable, unfit = learners_for(env_id, env_kwargs), misfits(env_id, env_kwargs)
    for algo in (*algos, *values):
        if algo not in (*LEARNERS, *others):
            raise ValueError(
                f"There is no algorithm {algo!r} for {env_id}. There are: {', '.join([*suitable, *others])}."
            )
        if unfit.get(algo):
            raise ValueError(f"{algo} does not suit {unfit[algo]} Learners that do: {', '.join(suitable) or 'none'}.")
    complete: dict[str, dict[str, Any]] = {}
    for algo in algos or (*suitable, *others):
        args: dict[str, Any] = {}
        if algo in LEARNERS:
            given = dict(values.get(algo, {})) | ({} if steps is None else {"steps": steps})
            args = dataclasses.asdict(fill_args(algo, env_id, given))
            if algo in OFFLINE:
                open_dataset(args["dataset"])  # so that a mistake is told before anything runs
            del args["seed"]
        complete[algo] = args
    _check_setups(env_id, env_kwargs, vary, is_learned=any(algo in LEARNERS for algo in complete))
    if looks and len(complete) < 2:
        raise ValueError(f"Whether {', '.join(complete)} is ahead can only be asked beside another algorithm.")
    settings = Settings(
        env_id, env_kwargs, complete, list(seeds), evaluations, episodes, vary=dict(vary), looks=looks,
        tuning={algo: dict(of) for algo, of in tuning.items() if algo in complete},
    )  # fmt: skip
    return Settings(**json.loads(json.dumps(content(settings))))  # as it will be read again


def _check_setups(
    env_id: str, env_kwargs: Mapping[str, Any], vary: Mapping[str, Sequence[Any]], is_learned: bool
) -> None:
    """Make the environment in each set-up, so that a mistake is told before anything runs.

    Raises:
        ValueError: a trained policy cannot read the observations there, or take the actions.
    """
    ours = spaces_of(env_id, env_kwargs)
    for setup in setups_of(vary):
        theirs = spaces_of(env_id, {**env_kwargs, **setup})
        if not is_learned:
            continue
        can_read = Inputs.of(ours[0]).entries == Inputs.of(theirs[0]).entries
        for place, name, fits in ((0, "observations", can_read), (1, "actions", ours[1] == theirs[1])):
            if not fits:
                raise ValueError(
                    f"No trained policy can act with {label(setup)}: the {name} are {theirs[place]} there, but "
                    f"{ours[place]} in training. Vary something else, or compare experts alone with --algos."
                )


def command_of(settings: Settings, out: Path) -> str:
    """Return the command that makes a comparison into ``out``, as a user would type it.

    Arguments that are not those tuned for the environment, or the defaults, are spelled out.
    """
    count = len(settings.seeds)
    several = list(settings.seeds) == list(range(count))
    words = ["rlx", "compare" if several else "train", settings.env_id]
    words += (
        ["--algos", ",".join(settings.algos), "--seeds", str(count)]
        if several
        else ["--algo", *settings.algos, "--seed", str(settings.seeds[0])]
    )
    words += ["--evaluations", str(settings.evaluations), "--eval-episodes", str(settings.episodes)]
    if settings.env_kwargs:
        words += ["--env-kwargs", json.dumps(settings.env_kwargs)]
    for name, values in settings.vary.items():
        words += ["--vary", f"{name}={json.dumps(values)[1:-1]}"]
    for algo, args in settings.algos.items():
        usual = json.loads(json.dumps(dataclasses.asdict(fill_args(algo, settings.env_id, {})))) if args else {}
        for name, value in args.items():
            if value != usual[name]:
                words += ["--set", f"{algo + '.' if several else ''}{name}={json.dumps(value)}"]
    if settings.looks:
        words += ["--stop", "adaptive", "--looks", str(settings.looks)]
    return shlex.join([*words, "--out", str(out)])


def jobs_of(settings: Settings) -> list[Job]:
    """Return the jobs of a comparison, learners first since they take longest."""
    names = ("env_id", "env_kwargs", "evaluations", "episodes", "version", "vary")
    shared = {name: getattr(settings, name) for name in names}
    jobs = [
        Job(algo=algo, args={**args, "seed": seed} if algo in LEARNERS else {}, seed=seed, **shared)
        for algo, args in settings.algos.items()
        for seed in settings.seeds
    ]
    return sorted(jobs, key=lambda job: not job.learns)


def write_manifest(folder: Path, settings: Settings) -> list[Job]:
    """Write the manifest of a new comparison, or check that the one in ``folder`` is this very comparison.

    Raises:
        ValueError: ``folder`` holds another comparison; says what differs.
    """
    path, jobs = folder / MANIFEST, jobs_of(settings)
    if path.exists():
        differences = _differences(content(read_settings(folder)), content(settings))
        if differences:
            raise ValueError(
                f"{folder} holds another comparison, and results of different settings must not be mixed:\n  "
                + "\n  ".join(differences)
                + "\nGive the settings of then to continue it, or another folder with --out to start a new one."
            )
        return jobs
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"settings": content(settings), "jobs": {job.name: job.hash for job in jobs}})
    return jobs


def read_settings(folder: Path) -> Settings:
    """Return the settings of the comparison in ``folder``.

    Raises:
        ValueError: there is none.
    """
    if not (folder / MANIFEST).exists():
        raise ValueError(f"{folder} holds no comparison. `rlx compare ENV --out {folder}` makes one.")
    return Settings(**read_json(folder / MANIFEST)["settings"])


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Return one line per entry that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for key in {**old, **new}:
            missing = "(not there)"
            lines += _differences(old.get(key, missing), new.get(key, missing), f"{name}.{key}" if name else key)
        return lines
    return [] if old == new else [f"{name} is {_short(old)} there and {_short(new)} here"]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
