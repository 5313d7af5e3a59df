"""Measure the experts, and the numbers of the oracle that come with rlx: the command is in `HEAD`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .bench import BALANCE_RULES, Bench, Oracle, balance, plain, run
from .patches import patches
from .report import BALANCE, balance_table, heat_map, percent, points, ratio, table

NAMES = ("chaser", "kiter", "greedy")

HEAD = """# Changes of the design: what they do to the experts

Made in this folder, with {episodes} episodes of each design, by

    python -m rlx.envs.roguelike.suite --picture roguelike_suite.svg > roguelike_suite.md \\
        --oracle ../../envs/roguelike/data/suite/oracle.json

The same seeds for all, as ranger in the last phase against the design's opponent, the chaser. Experts know each
design's rules. So what they lose is by how much the game has become harder, and the measure for policies that were
trained on the base design; `rlx rogue bench` gives theirs. Intervals are at 95 %, over episodes.
"""

RETENTION = """Retention is (wins - random play's) / (those of `search` - random play's): what a policy has of the lead
that it might have. `search` is a planner that knows the rules, not a bound.
"""


def main() -> None:
    """Print the page; and how far it is on stderr."""
    parser = argparse.ArgumentParser(description="Measure the experts under changed designs; prints Markdown.")
    parser.add_argument("--episodes", type=int, default=1000, help="of each design (1000)")
    parser.add_argument("--picture", type=Path, help="also draw the heat map of `greedy` into this file")
    parser.add_argument("--oracle", type=Path, help="also write the numbers of `search` into this file")
    options = parser.parse_args()
    search = _run("search", options.episodes, None)
    if options.oracle is not None:
        options.oracle.write_text(oracle_text(search), encoding="utf-8")
    wins = {one.design_id: (one.win.value, search.episodes) for one in search.designs}
    others = [_run(expert, options.episodes, Oracle("search", wins)) for expert in NAMES]
    if options.picture is not None:
        options.picture.write_text(heat_map(others[NAMES.index("greedy")]), encoding="utf-8")
    print(page(search, others, options.picture))


def oracle_text(bench: Bench) -> str:
    """Return what `bench.read_oracle` needs, as JSON with a line for each design."""
    told = {name: plain(getattr(bench, name)) for name in ("policy", "setup", "episodes", "first_seed", "rlx")}
    rows = ({"design_id": one.design_id, "win": {"value": one.win.value}} for one in bench.designs)
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    return f'{json.dumps(told)[:-1]}, "designs": [\n{lines}\n]}}\n'


def page(search: Bench, others: list[Bench], picture: Path | None) -> str:
    """Return the page."""
    found = [*others, search]
    heads = [f"`{one.policy}`" for one in found]
    families = list(search.profile)
    changes = [
        ["without a patch, %", *(percent(one.designs[0].win) for one in found)],
        *([_spaced(name), *(points(one.profile[name].change) for one in found)] for name in families),
    ]
    kept = [[_spaced(name), *(ratio(one.profile[name].retention) for one in others)] for name in families]
    shown = f"![Change of wins and retention of greedy, by patch and strength]({picture.name})\n\n" if picture else ""
    rows = [[f"`{patch.name}`", *(_changes(patch.name, one) for one in found)] for patch in patches()]
    summaries = [f"- `{patch.name}` ({_spaced(patch.family)}): {patch.summary}." for patch in patches()]
    tables = [balance_table(rule, balance("base", rule, search.episodes)) for rule in BALANCE_RULES]
    return "\n".join([
        HEAD.format(episodes=search.episodes),
        f"## Wins by family of patches, percentage points\n\n{table(('', *heads), changes)}",
        f"{RETENTION}\n{table(('retention', *heads[:-1]), kept)}",
        f"{shown}## Wins by patch, percentage points\n",
        f"Each cell has the three strengths: weak, medium, strong.\n\n{table(('patch', *heads), rows)}",
        "## The patches\n", *summaries,
        f"\n## Balance of the base design\n\n{BALANCE}\n", *tables,
    ]).rstrip()  # fmt: skip


def _run(expert: str, episodes: int, oracle: Oracle | None) -> Bench:
    def tell(fraction: float) -> None:
        print(f"\r{expert} {100.0 * fraction:3.0f} %", end="", file=sys.stderr)

    return run(expert, episodes=episodes, oracle=oracle, on_progress=tell)


def _changes(patch: str, bench: Bench) -> str:
    return ", ".join(f"{100.0 * one.change.value:+.1f}" for one in bench.designs if one.patch == patch)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    main()
