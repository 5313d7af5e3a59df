"""Finished suites of comparisons that were never run."""

from __future__ import annotations

import json
from pathlib import Path

from rlx.baselines.compare.files import write_json
from rlx.baselines.compare.manifest import make_settings, write_manifest
from rlx.baselines.compare.run import job_folder
from rlx.baselines.compare.suite import write_suite


def fake(folder: Path, levels: dict[str, dict[str, list[float]]], runs: int = 2) -> None:
    """Write what a suite would have written: by environment and algorithm the scores of the runs."""
    for env_id, home in write_suite(folder, list(levels)).items():
        scores = levels[env_id]
        settings = make_settings(env_id, {}, list(scores), {}, range(runs), 100, 1, 1)
        for job in write_manifest(home, settings):
            place = job_folder(home, job)
            place.mkdir(parents=True)
            final = scores[job.algo][job.seed]
            rows = [{"kind": "evaluation", "step": 0, "returns": [final / 2]}] if job.learns else []
            rows.append({"kind": "final", "step": 100 * job.learns, "returns": [final]})
            rest = {"lengths": [1], "ends": ["truncated"], "costs": [0.0]}
            (place / "log.jsonl").write_text("".join(json.dumps({**row, **rest}) + "\n" for row in rows))
            write_json(
                place / "config.json",
                {"spec": {"max_episode_steps": 1}, "versions": {}, "machine": {"cpu": "a cpu"}, "commit": None},
            )
            write_json(place / "done.json", {"hash": job.hash, "cpu_seconds": 1.0})
