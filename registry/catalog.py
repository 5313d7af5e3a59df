"""The catalog: which environments there are, as data, and their registration with Gymnasium.

A family is a dict named in the entry-point group ``rlx.families``, of this distribution or of any other::

    FAMILY = {
        "name": "pendulum_cart",
        "title": "Carts with pendulums",
        "extra": "pendulum",  # the pip extra that brings what the family needs; left out if nothing
        "environments": (
            {
                "id": "rlx/PendulumCart-v0",
                "entry_point": "pendulum_cart.env:PendulumCartEnv",
                "max_episode_steps": 500,
                "summary": "Balance a pole on a cart.",
            },
        ),
    }

The keys are the fields of `Family` and `Environment`; everything is a name or JSON, so that reading the catalog imports
no environment. Whatever lists environments (command line, documentation, tests, bench) reads it here.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from .plugins import Plugin, plugins, resolve

GROUP = "rlx.families"
_ID = re.compile(r"rlx/[A-Z][A-Za-z0-9]*(-[A-Z][A-Za-z0-9]*)*-v\d+")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_Row = TypeVar("_Row")


class CatalogError(ValueError):
    """A family's declaration that cannot be used; says which entry, and what is allowed."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """One row of the catalog."""

    id: str
    """``rlx/CamelCase-vN``."""
    entry_point: str
    """``module:Class`` of the single environment."""
    summary: str
    """One sentence."""
    max_episode_steps: int | None = None
    """The horizon, after which an episode is truncated; None where only the task ends it."""
    vector_entry_point: str | None = None
    """``module:Class`` of the native vector environment; `gymnasium.make_vec` then takes it by default."""
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Keyword arguments that make this variant; JSON."""
    tags: tuple[str, ...] = ()
    paper: str | None = None
    """Where the task was first described."""
    experts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name -> ``module:factory``; the factory takes the environment, wrapped or not, and returns a policy."""
    reference: str = ""
    """The expert whose score counts as 1 where environments are put on one scale; the first one if none is named."""
    reference_scores: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Policy name -> ``{"mean": ..., "source": ...}``."""
    peer: str | None = None
    """``module:factory`` of another library's environment of the same task, for ``rlx bench``."""
    play: str | None = None
    """``module:function`` by which a person plays, for ``rlx play``; its arguments are options, as Typer reads them."""
    family: str = ""
    extra: str = ""

    def __post_init__(self) -> None:
        """Refuse what Gymnasium, JSON or a reader could not use.

        Raises:
            CatalogError: names the field, the value and what is allowed.
        """
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise CatalogError(f"id {self.id!r}: an id reads rlx/CamelCase-vN, for instance 'rlx/ElectricMotor-v0'.")
        names = ("entry_point", "vector_entry_point", "peer", "play")
        targets = {name: getattr(self, name) for name in names}
        targets |= {f"experts[{name!r}]": target for name, target in self.experts.items()}
        for field, target in targets.items():
            required = field == "entry_point" or field.startswith("experts")
            if (target is not None or required) and not _is_target(target):
                raise CatalogError(f"{self.id}: {field} is a string 'package.module:name', not {target!r}.")
        if self.reference and self.reference not in self.experts:
            raise CatalogError(
                f"{self.id}: reference {self.reference!r} is none of its experts, {', '.join(self.experts)}."
            )
        horizon = self.max_episode_steps
        if horizon is not None and not (isinstance(horizon, int) and horizon > 0):
            raise CatalogError(f"{self.id}: max_episode_steps is a positive whole number or None, not {horizon!r}.")
        try:
            is_json = json.loads(json.dumps(self.kwargs)) == self.kwargs
        except TypeError:
            is_json = False
        if not is_json:
            raise CatalogError(
                f"{self.id}: kwargs = {self.kwargs!r} does not survive JSON. Use strings, numbers, booleans, None, and "
                "lists and dicts (with string keys) of them."
            )


@dataclasses.dataclass(frozen=True)
class Family:
    """Environments of one domain, as one distribution declares them."""

    name: str
    """The family's folder or package, e.g. ``electric_motor``."""
    title: str
    """For headings."""
    environments: tuple[Environment, ...]
    extra: str = ""
    """The extra of its distribution that installs what it needs; empty if it needs nothing."""
    commands: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name -> ``module:function`` or ``module:typer_app``, shown as ``rlx <name>``."""
    distribution: str = "rlx"
    """What to ``pip install``."""


def register_all() -> None:
    """Register the whole catalog with Gymnasium; ids that are registered already stay as they are.

    A family that cannot be read is reported by a warning that names its distribution, and left out.
    """
    # Imported here, since gymnasium's own import may be what called this function (see _autoload.py).
    from gymnasium.envs.registration import register, registry

    for row in environments().values():
        if row.id not in registry:
            register(
                row.id,
                entry_point=row.entry_point,
                vector_entry_point=row.vector_entry_point,
                max_episode_steps=row.max_episode_steps,
                kwargs=dict(row.kwargs),
            )


def environments() -> Mapping[str, Environment]:
    """Return the rows of all families by id."""
    return {row.id: row for family in families() for row in family.environments}


def row_of(env_id: str) -> Environment | None:
    """Return the row of an id, which may be ``MODULE:ID``; None if the catalog has none."""
    return environments().get(env_id.rpartition(":")[2])


@functools.cache
def families() -> tuple[Family, ...]:
    """Return all families that could be read, those of rlx first, then by distribution and name."""
    found: list[Family] = []
    for plugin in plugins(GROUP):
        try:
            family = read_family(resolve(plugin.target), plugin.distribution)
            _refuse_duplicates(family, found)
        except Exception as error:  # whatever another distribution does, the rest must register
            _warn(plugin, error)
        else:
            found.append(family)
    return tuple(found)


def read_family(declaration: Any, distribution: str = "rlx") -> Family:
    """Turn a family's dict into a `Family`.

    Args:
        declaration: the dict that the entry point names.
        distribution: the name to ``pip install``.

    Raises:
        CatalogError: an unknown or missing key, or a value that cannot be used.
    """
    if not isinstance(declaration, Mapping):
        raise CatalogError(f"A family is a dict (see rlx.registry.catalog), not {declaration!r:.80}.")
    where = f"family {declaration.get('name', '?')!r}"
    rows = declaration.get("environments", ())
    if not isinstance(rows, list | tuple) or not rows:
        raise CatalogError(f"{where}: 'environments' is a tuple of dicts, one per id, not {rows!r:.80}.")
    shared = {"family": declaration.get("name", ""), "extra": declaration.get("extra", "")}
    family = _made(Family, {**declaration, "environments": (), "distribution": distribution}, {}, where)
    for name, target in family.commands.items():
        if not _is_target(target):
            raise CatalogError(f"{where}: commands[{name!r}] is a string 'package.module:name', not {target!r}.")
    return dataclasses.replace(
        family, environments=tuple(_made(Environment, row, shared, f"{where}, {_id_of(row)}") for row in rows)
    )


def find(env_id: str) -> Environment:
    """Return the row of ``env_id``.

    Raises:
        gymnasium.error.NameNotFound: there is none; suggests the nearest id.
    """
    rows = environments()
    if env_id in rows:
        return rows[env_id]
    import difflib

    from gymnasium.error import NameNotFound

    # Compared without namespace and case, so that "electricmotor" finds its way.
    short = {name.removeprefix("rlx/").lower(): name for name in rows}
    close = difflib.get_close_matches(str(env_id).removeprefix("rlx/").lower(), short, n=1, cutoff=0.5)
    hint = f"Did you mean {short[close[0]]!r}?" if close else "`rlx list` shows all ids."
    raise NameNotFound(f"{env_id!r} is not in the catalog of rlx. {hint}")


def _made(kind: type[_Row], values: Any, more: Mapping[str, Any], where: str) -> _Row:
    """Make a row of ``values``, whose keys are the fields of ``kind`` but for those of ``more``."""
    if not isinstance(values, Mapping):
        raise CatalogError(f"{where}: a dict is needed, not {values!r:.80}.")
    fields = [field for field in dataclasses.fields(kind) if field.name not in more]  # type: ignore[arg-type]
    allowed = [field.name for field in fields]
    for key in values:
        if key not in allowed:
            raise CatalogError(f"{where}: unknown key {key!r}. Allowed: {', '.join(allowed)}.")
    for field in fields:
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if field.name not in values and not optional:
            raise CatalogError(f"{where}: the key {field.name!r} is missing.")
    return kind(**values, **more)


def _refuse_duplicates(family: Family, found: list[Family]) -> None:
    taken = {row.id: other.distribution for other in found for row in other.environments}
    for row in family.environments:
        if row.id in taken:
            raise CatalogError(f"id {row.id!r} is declared twice, first by {taken[row.id]!r}. Choose another name.")
        taken[row.id] = family.distribution


def _is_target(target: object) -> bool:
    return isinstance(target, str) and _TARGET.fullmatch(target) is not None


def _id_of(row: Any) -> str:
    return str(row.get("id", "a row without id")) if isinstance(row, Mapping) else "a row"


def _warn(plugin: Plugin, error: Exception) -> None:
    import warnings

    warnings.warn(
        f"The family {plugin.name!r} of the distribution {plugin.distribution!r} is left out of rlx: {error} "
        f"({type(error).__name__}). Update that distribution, or uninstall it.",
        stacklevel=2,
    )
