"""Writes the pages about environments, from the catalog and from what the classes say about themselves.

A family gets a page: its environments as a table, the docstring of each environment class, which is Markdown under
fixed headings, the parameters in its ``params.py``, and links to ``docs/results/<family>*.md``. Each environment gets a
page of facts. They are written before Sphinx looks for its sources, into ``docs/environments/``, which git ignores.
``python catalog_pages.py FOLDER`` writes them without Sphinx.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium

from rlx.envs.core import Parameters
from rlx.registry.catalog import Environment, Family, families
from rlx.registry.plugins import resolve


def write_pages(folder: Path) -> None:
    """Write all pages into ``folder``; a page that has not changed is not touched, so that Sphinx need not read it."""
    pages = {"index.md": index_page(families())}
    for family in families():
        results = sorted(path.stem for path in (folder.parent / "results").glob(f"{family.name}*.md"))
        pages[f"{family.name}/index.md"] = family_page(family, [f"../../results/{name}" for name in results])
        for row in family.environments:
            pages[f"{family.name}/{page_name(row)}.md"] = environment_page(row)
    for stale in set(folder.rglob("*.md")) - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def index_page(all_families: Sequence[Family]) -> str:
    """Return the page that lists everything."""
    parts = [
        "# Environments",
        "Every environment keeps the same [contract](../design.md#the-contract). `rlx list` prints this list, and "
        "`rlx info ID` the facts about one environment.",
    ]
    for family in all_families:
        parts += [f"## [{family.title}]({family.name}/index.md)", environment_table(family, f"{family.name}/")]
    return "\n\n".join([*parts, toctree([f"{family.name}/index" for family in all_families], hidden=True)]) + "\n"


def family_page(family: Family, results: Sequence[str] = ()) -> str:
    """Return a family's page; ``results`` are pages of measurements that belong to it."""
    package = family.environments[0].entry_point.partition(":")[0].rpartition(".")[0]
    intro = (importlib.import_module(package).__doc__ or "").strip()
    wanted = f"{family.distribution}[{family.extra}]" if family.extra else family.distribution
    parts = [f"# {family.title}", intro, f'Install: `pip install "{wanted}"`.', environment_table(family)]
    classes = list(dict.fromkeys(resolve(row.entry_point) for row in family.environments))
    for kind in classes:
        title, _, text = (inspect.getdoc(kind) or "").partition("\n")
        if len(classes) == 1:
            parts += [title, text.strip()]
        else:
            parts += [f"## {kind.__name__}", title, re.sub("^#", "##", text.strip(), flags=re.MULTILINE)]
    tables = list(parameter_tables(f"{package}.params"))
    if tables:
        parts += ["## Parameters", *tables]
    if results:
        parts += ["## Results", toctree(results)]
    return "\n\n".join([*parts, toctree([page_name(row) for row in family.environments], hidden=True)]) + "\n"


def _picture(row: Environment) -> list[str]:
    """Return what shows the picture that ``pictures.py`` drew, if it did."""
    name = row.id.removeprefix("rlx/")
    if not (Path(__file__).parents[1] / "images" / "environments" / f"{name}.png").exists():
        return []
    return [f"![{name} in the middle of an episode.](../../images/environments/{name}.png)"]


def environment_page(row: Environment) -> str:
    """Return the page of one environment."""
    env = gymnasium.make(row.id)
    info = env.reset(seed=0)[1]
    facts = {
        "Action space": f"`{env.action_space}`",
        "Observation space": f"`{env.observation_space}`",
        "Signals": ", ".join(f"`{name}`" for name in info.get("signals", ())),
        "Reference": ", ".join(f"`{name}`" for name in info.get("reference", ())),
        "Horizon": f"{row.max_episode_steps:,} steps" if row.max_episode_steps else "none",
        "Vector environment": "native" if row.vector_entry_point else "`SyncVectorEnv`",
        "Experts": ", ".join(f"`{name}`" for name in (*row.experts, "random")),
        "Tags": ", ".join(row.tags),
        "Paper": f"<{row.paper}>" if row.paper else "",
    }
    parts = [
        f"# {row.id.removeprefix('rlx/')}",
        row.summary,
        *_picture(row),
        f'```python\nimport gymnasium\nimport rlx\n\nenv = gymnasium.make("{row.id}")\n```',
        table(("", ""), ((name, fact) for name, fact in facts.items() if fact)),
        "Actions, observations, rewards and arguments are explained on [the family's page](index.md).",
    ]
    if row.kwargs:
        arguments = json.dumps(row.kwargs, indent=2)
        parts += ["## Arguments", "It is the family's environment with:", f"```json\n{arguments}\n```"]
    if row.reference_scores:
        scores = (
            (f"`{name}`", *(_number(score[key]) if key in score else "" for key in ("mean", "median")),
             score.get("source", ""))
            for name, score in row.reference_scores.items()
        )  # fmt: skip
        parts += ["## Reference scores", table(("Policy", "Mean return", "Median", "Source"), scores)]
    context = context_table(env.unwrapped, info)
    if context:
        parts += [
            "## Context",
            'What `env.reset(options={"context": {...}})` may change for an episode:',
            context,
        ]
    env.close()
    return "\n\n".join(parts) + "\n"


def environment_table(family: Family, prefix: str = "") -> str:
    """Return the environments of a family as a table that links to their pages."""
    rows = (
        (f"[{row.id}]({prefix}{page_name(row)}.md)", row.summary, ", ".join((*row.experts, "random")))
        for row in family.environments
    )
    return table(("Environment", "Summary", "Experts"), rows)


def context_table(env: Any, info: Mapping[str, Any]) -> str:
    """Return what an episode's context may change, ``info`` being that of a reset; empty if nothing."""
    space = getattr(env, "context_space", None)
    if not space:
        return ""
    meant = dict(_quantities(env.parameters)) if isinstance(getattr(env, "parameters", None), Parameters) else {}
    rows = (
        (
            f"`{name}`",
            *map(_number, (info["context"][name], box.low, box.high)),
            *_unit_and_meaning(meant.get(name, {})),
        )
        for name, box in space.items()
    )
    return table(("Name", "Default", "Lowest", "Highest", "Unit", "Meaning"), rows)


def parameter_tables(module: str) -> Iterator[str]:
    """Yield a heading and a table for each class of parameters in ``module`` that has quantities."""
    if importlib.util.find_spec(module) is None:
        return
    for name, kind in vars(importlib.import_module(module)).items():
        if not (isinstance(kind, type) and issubclass(kind, Parameters) and kind.__module__ == module):
            continue
        quantities = [field for field in dataclasses.fields(kind) if "unit" in field.metadata]
        if quantities:
            yield f"### {name}"
            yield inspect.getdoc(kind) or ""
            rows = (
                (f"`{field.name}`", _number(field.default), *_unit_and_meaning(field.metadata),
                 *(_number(field.metadata[bound]) for bound in ("low", "high")))
                for field in quantities
            )  # fmt: skip
            yield table(("Field", "Default", "Unit", "Meaning", "Lowest", "Highest"), rows)


def page_name(row: Environment) -> str:
    """Return the name of an environment's page."""
    return row.id.removeprefix("rlx/")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def toctree(pages: Sequence[str], hidden: bool = False) -> str:
    """Return a table of contents of pages."""
    return "\n".join(["```{toctree}", *([":hidden:"] if hidden else []), *pages, "```"])


def _quantities(parameters: Parameters, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the dotted name of each quantity, and what is declared of it."""
    for field in dataclasses.fields(parameters):
        value = getattr(parameters, field.name)
        if isinstance(value, Parameters):
            yield from _quantities(value, f"{prefix}{field.name}.")
        elif "unit" in field.metadata:
            yield prefix + field.name, field.metadata


def _unit_and_meaning(metadata: Mapping[str, Any]) -> tuple[str, str]:
    unit = str(metadata.get("unit", ""))
    return "" if unit == "1" else unit, str(metadata.get("meaning", ""))


def _number(value: Any) -> str:
    return f"{float(value):.6g}"


def setup(app: Any) -> dict[str, Any]:
    """Let Sphinx write the pages before it looks for sources."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "environments"))
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
