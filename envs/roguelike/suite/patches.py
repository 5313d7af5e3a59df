"""Patches: named changes of a design, in three strengths, as data.

The file has a table for each patch, ``[family.name]``, with a ``summary`` and some of the edits of `EDITS`. An edit
says what it changes, and by how much at each strength: ``add = { "melee.bonus" = [1, 2, 3] }``. Edits are relative, so
that a patch fits any design; numbers stop at the ends of the ranges that `params` declares.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import os
import tomllib
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ...core import Parameters
from ..design import load
from ..params import Actor, Bow, Design, Item, Melee, Potion
from ..records import ITEMS

P = TypeVar("P", bound=Parameters)

STRENGTHS = ("weak", "medium", "strong")

_KINDS: dict[str, type[Item]] = {"melee": Melee, "bow": Bow, "potion": Potion}
#: What a new item has more of than the best, or less of than the worst.
_MERIT = {"melee": "bonus", "bow": "bonus", "potion": "heal"}


class Patch(NamedTuple):
    """A change of a design."""

    family: str
    name: str
    summary: str
    edits: dict[str, dict[str, list[Any]]]
    """Edit -> what it changes -> its value at each of `STRENGTHS`."""

    def apply(self, design: Design, strength: str) -> Design:
        """Return ``design`` with this change; where it changes nothing there, an equal one.

        Args:
            design: any.
            strength: one of `STRENGTHS`.

        Raises:
            ValueError: an unknown strength.
        """
        if strength not in STRENGTHS:
            raise ValueError(f"strength = {strength!r} is unknown. Allowed: {', '.join(STRENGTHS)}.")
        changed = design
        for edit, parts in self.edits.items():
            for what, values in parts.items():
                changed = EDITS[edit](changed, what, values[STRENGTHS.index(strength)])
        return dataclasses.replace(changed, name=f"{design.name}+{self.name}:{strength}")


def patches(file: str | os.PathLike[str] | None = None) -> tuple[Patch, ...]:
    """Return the patches of a file, or those that come with rlx.

    Raises:
        ValueError: the file cannot be used; says why.
    """
    if file is None:
        return _shipped()
    try:
        return _read(Path(file).read_text(encoding="utf-8"), str(file))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is no TOML: {error}.") from None


def load_changed(design: str | os.PathLike[str] | Design) -> Design:
    """Return a design, as `design.load`, or with a shipped patch, as ``"base+melee_ranks:strong"``.

    Raises:
        ValueError: there is no such design, patch or strength, or the design cannot be used.
    """
    if not isinstance(design, str):
        return load(design)
    base, plus, change = design.rpartition("+")
    if not plus or Path(design).exists():
        return load(design)
    name, _, strength = change.partition(":")
    named = {patch.name: patch for patch in patches()}
    _choice(design, name, named)
    return named[name].apply(load_changed(base), strength)


@functools.cache
def _shipped() -> tuple[Patch, ...]:
    file = resources.files(__package__.rpartition(".")[0]) / "data" / "suite" / "patches.toml"
    return _read(file.read_text(encoding="utf-8"), "patches.toml")


def _read(text: str, file: str) -> tuple[Patch, ...]:
    found = []
    for family, members in tomllib.loads(text).items():
        for name, table in members.items():
            where = f"{file}: [{family}.{name}]"
            for edit in table.keys() - {"summary"}:
                if edit not in EDITS:
                    raise ValueError(f"{where}: there is no edit {edit!r}. Edits: {', '.join(EDITS)}.")
                for what, values in table[edit].items():
                    if not isinstance(values, list) or len(values) != len(STRENGTHS):
                        raise ValueError(f"{where}: {edit}.{what} needs three values: {', '.join(STRENGTHS)}.")
            edits = {edit: table[edit] for edit in table if edit in EDITS}
            found.append(Patch(family, name, table.get("summary", ""), edits))
    return tuple(found)


# ------------------------------------------------------------------------------------------------------------- numbers


def add(design: Design, what: str, amount: float) -> Design:
    """Add to a number: ``"melee.bonus"``, ``"npc.attack"``, ``"start.loot_low"``, ``"room.crates_high"``.

    Items go by kind; actors by side: ``target`` is the class of the design's opponent, ``npc`` all others.
    """
    return _changed(design, what, lambda value: value + amount)


def scale(design: Design, what: str, factor: float) -> Design:
    """Multiply a number, named as for `add`."""
    return _changed(design, what, lambda value: value * factor)


def _changed(design: Design, what: str, change: Callable[[float], float]) -> Design:
    group, _, field = what.partition(".")
    _choice(what, group, [*_KINDS, "npc", "target", "room", "start"])
    if group in _KINDS:
        items = (_moved(item, field, change) if type(item) is _KINDS[group] else item for item in design.items)
        return dataclasses.replace(design, items=tuple(items))
    if group == "room":
        return dataclasses.replace(design, room=_moved(design.room, field, change))
    if group == "start":
        curriculum = tuple(phase._replace(start=_moved(phase.start, field, change)) for phase in design.curriculum)
        return dataclasses.replace(design, start=_moved(design.start, field, change), curriculum=curriculum)
    actors = (_moved(actor, field, change) if _side(design, actor) == group else actor for actor in design.actors)
    return dataclasses.replace(design, actors=tuple(actors))


def _moved(part: P, field: str, change: Callable[[float], float]) -> P:
    """Return ``part`` with another number, which stays in its range."""
    fields = part.__dataclass_fields__
    _choice(type(part).__name__, field, [name for name, each in fields.items() if "unit" in each.metadata])
    low, high = fields[field].metadata["low"], fields[field].metadata["high"]
    return dataclasses.replace(part, **{field: min(max(change(getattr(part, field)), low), high)})


def _side(design: Design, actor: Actor) -> str:
    return "target" if actor.name == design.opponent.actor else "npc"


# --------------------------------------------------------------------------------------------------------------- items


def permute(design: Design, kind: str, order: str) -> Design:
    """Let items of a kind trade attributes; names, ids and weights stay.

    ``"swap"``: the best two; ``"rotate"``: the worst becomes the best, and all others a little worse; ``"reverse"``:
    the best becomes the worst, and so on.
    """
    ranked = _ranked(design, kind)
    ranks = range(len(ranked))
    orders = {
        "swap": [*ranks[:-2], *reversed(ranks[-2:])],
        "rotate": [*ranks[-1:], *ranks[:-1]],
        "reverse": [*reversed(ranks)],
    }
    _choice(kind, order, orders)
    traded = [
        dataclasses.replace(ranked[giver], name=item.name, id=item.id, is_start=item.is_start, weight=item.weight)
        for item, giver in zip(ranked, orders[order], strict=True)
    ]
    return _replaced(design, traded)


def drops(design: Design, table: str, share: float) -> Design:
    """Move a share of the drop table's weight to another table.

    ``"best"``, ``"worst"``: that item of each kind has all of the kind's weight; ``"uniform"``: all items are alike.
    """
    _choice("drops", table, ("uniform", "best", "worst"))
    total = sum(item.weight for item in design.items)
    if total == 0.0:
        return design
    moved = []
    for kind in _KINDS:
        ranked = _ranked(design, kind)
        weight = sum(item.weight for item in ranked)
        for rank, item in enumerate(ranked):
            goal = {
                "uniform": total / len(design.items),
                "best": weight * (rank == len(ranked) - 1),
                "worst": weight * (rank == 0),
            }[table]
            share_of_item = ((1.0 - share) * item.weight + share * goal) / total
            moved.append(dataclasses.replace(item, weight=share_of_item))
    return _replaced(design, moved)


def better(design: Design, kind: str, count: int) -> Design:
    """Put new items into the drop table, each better than all others of the kind."""
    return _extended(design, kind, count, 2.0)


def worse(design: Design, kind: str, count: int) -> Design:
    """Put new items into the drop table, each worse than all others of the kind."""
    return _extended(design, kind, count, -1.0)


def remove(design: Design, kind: str, count: int) -> Design:
    """Take the best items of a kind away; the worst one stays."""
    gone = _ranked(design, kind)[1:][-count:] if count else []
    return dataclasses.replace(design, items=tuple(item for item in design.items if item not in gone))


def renumber(design: Design, kind: str, count: int) -> Design:
    """Give the best items of a kind ids that no item has, as far as there are any."""
    chosen = _ranked(design, kind)[-count:] if count else []
    # The highest first: what another kind has just left stays unused.
    fresh = {item.id: number for item, number in zip(chosen, reversed(_free(design)), strict=False)}
    items = (dataclasses.replace(item, id=fresh.get(item.id, item.id)) for item in design.items)
    return dataclasses.replace(design, items=tuple(items))


def _extended(design: Design, kind: str, count: int, step: float) -> Design:
    ranked = _ranked(design, kind)
    if not ranked:
        return design
    model, word = (ranked[-1], "better") if step > 0 else (ranked[0], "worse")
    weight = sum(item.weight for item in ranked) / len(ranked)
    fresh = []
    for k, number in zip(range(1, count + 1), _free(design), strict=False):
        item = dataclasses.replace(model, name=f"{word}_{kind}_{k}", id=number, is_start=False, weight=weight)
        fresh.append(_moved(item, _MERIT[kind], functools.partial(operator.add, k * step)))
    return dataclasses.replace(design, items=(*design.items, *fresh))


def _ranked(design: Design, kind: str) -> list[Any]:
    """Return the items of a kind, the worst first."""
    _choice("items", kind, _KINDS)
    return sorted((item for item in design.items if type(item) is _KINDS[kind]), key=_worth)


def _worth(item: Any) -> tuple[float, float, int]:
    """Return what items of a kind are ranked by: the mean, and the most, of what they take or give."""
    if isinstance(item, Potion):
        given = item.heal + item.attack + item.defence
        return given, given, item.id
    return item.dice * (item.sides + 1.0) / 2.0 + item.bonus, item.dice * item.sides + item.bonus, item.id


def _free(design: Design) -> list[int]:
    """Return the ids that no item has."""
    return sorted(set(range(1, ITEMS + 1)) - {item.id for item in design.items})


def _replaced(design: Design, items: Sequence[Item]) -> Design:
    """Return ``design`` with ``items`` in place of those with the same ids."""
    by_id = {item.id: item for item in items}
    return dataclasses.replace(design, items=tuple(by_id.get(item.id, item) for item in design.items))


# --------------------------------------------------------------------------------------------------------------- rooms


def smallest(design: Design, shapes: str, count: int) -> Design:
    """Keep the ``holes`` or ``columns`` that leave least of the floor."""
    _choice("smallest", shapes, ("holes", "columns"))
    ordered = sorted(getattr(design.room, shapes), key=lambda shape: shape.count("."))
    kept: dict[str, Any] = {shapes: tuple(ordered[:count])}
    return dataclasses.replace(design, room=dataclasses.replace(design.room, **kept))


def _choice(what: str, value: str, allowed: Iterable[str]) -> None:
    if value not in (names := list(allowed)):
        raise ValueError(f"{what}: {value!r} is unknown. Allowed: {', '.join(names)}.")


EDITS: dict[str, Callable[[Design, str, Any], Design]] = {
    edit.__name__: edit for edit in (add, scale, permute, drops, better, worse, remove, renumber, smallest)
}
