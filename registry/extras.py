"""Which optional dependencies are there, and what to type for those that are not."""

from __future__ import annotations

import re
from importlib import metadata

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(\[(?P<extras>[^\]]*)\])?.*?;.*\bextra\s*==\s*['\"](?P<extra>[^'\"]+)")


def extras(distribution: str = "rlx") -> dict[str, tuple[str, ...]]:
    """Return the names of the distributions that each extra brings, as the installed metadata tells."""
    declared: dict[str, list[str]] = {
        name: [] for name in metadata.metadata(distribution).get_all("Provides-Extra", [])
    }
    for requirement in filter(None, map(_REQUIREMENT.match, metadata.requires(distribution) or ())):
        of_its_own = normal(requirement["name"]) == normal(distribution)
        names = (requirement["extras"] or "").split(",") if of_its_own else [requirement["name"]]
        declared[requirement["extra"]] += [f"[{normal(name)}]" if of_its_own else normal(name) for name in names]
    return {name: tuple(dict.fromkeys(_expanded(names, declared))) for name, names in declared.items()}


def missing(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those distributions of ``names`` that are not installed."""
    return tuple(name for name in names if version(name) is None)


def version(distribution: str) -> str | None:
    """Return the version of a distribution; None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def how_to_install(module: str, distribution: str = "rlx") -> str:
    """Return the command that installs a missing module: by the extra that brings it, if there is one."""
    by_size = sorted(extras(distribution).items(), key=lambda item: len(item[1]))
    extra = next((name for name, brings in by_size if normal(module) in brings), None)
    return f'pip install "{distribution}[{extra}]"' if extra else f"pip install {module}"


def normal(name: str) -> str:
    """Return a distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _expanded(names: list[str], declared: dict[str, list[str]]) -> list[str]:
    """Replace ``[extra]``, an extra that stands for others, by what those bring."""
    expanded: list[str] = []
    for name in names:
        expanded += _expanded(declared.get(name.strip("[]"), []), declared) if name.startswith("[") else [name]
    return expanded
