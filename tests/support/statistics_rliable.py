"""Ask rliable for its statistics: ``python statistics_rliable.py > ../data/statistics_rliable.json``.

To be run in an environment of its own: ``pip install rliable==1.2.0 'arch<8' 'pandas<3'``.
"""

from __future__ import annotations

import json

import numpy as np
from rliable import library, metrics

REPLICATES = 50_000
THRESHOLDS = np.linspace(-0.5, 1.5, 21)

random = np.random.default_rng(20_210_830)
scores = {f"algorithm {k}": random.normal(random.uniform(0.2, 0.8, 6), 0.3, (10, 6)).round(6) for k in range(5)}
first, second = list(scores)[:2]


def aggregate(table: np.ndarray) -> np.ndarray:
    """Return rliable's four aggregates of scores (runs, tasks)."""
    return np.array([
        metrics.aggregate_iqm(table),
        metrics.aggregate_mean(table),
        metrics.aggregate_median(table),
        metrics.aggregate_optimality_gap(table),
    ])  # fmt: skip


values, intervals = library.get_interval_estimates(
    scores, aggregate, reps=REPLICATES, random_state=np.random.RandomState(1)
)
pairs = {"pair": (scores[first], scores[second])}
improvement, bounds = library.get_interval_estimates(
    pairs, metrics.probability_of_improvement, reps=2_000, random_state=np.random.RandomState(2)
)
profiles, _ = library.create_performance_profile(scores, THRESHOLDS, reps=10)
print(json.dumps({
    "scores": {name: table.tolist() for name, table in scores.items()},
    "aggregates": ["iqm", "mean", "median", "optimality gap"],
    "values": {name: of.tolist() for name, of in values.items()},
    "intervals": {name: of.tolist() for name, of in intervals.items()},
    "improvement": [float(improvement["pair"]), *np.ravel(bounds["pair"]).tolist()],
    "thresholds": THRESHOLDS.tolist(),
    "profiles": {name: of.tolist() for name, of in profiles.items()},
}))  # fmt: skip
