"""Designs as files: ``design.toml`` in, a checked `Design` out, with errors that name the line.

A file may say ``extends = "base"`` (or another file's path) and then hold only what it changes; ``remove =
["items.long_bow"]`` takes tables of the other design away.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ..core import Parameters
from .params import Actor, Bow, Design, Item, Loot, Melee, Opponent, Phase, Potion, Reward, Room, Start, Turn
from .records import ITEMS, RULES, SHAPES, SIZE

P = TypeVar("P", bound=Parameters)
Place = tuple[str, ...]

_KINDS: dict[str, type[Item]] = {"melee": Melee, "bow": Bow, "potion": Potion}
_DICE = re.compile(r"(\d+)d(\d+)([+-]\d+)?")
_DISTRIBUTIONS = ("table", "procedural")
#: Fewest cells with a floor in any room: crates and loot leave room for the actors.
_FLOOR = 25
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\- \"]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\-]+)\s*=")


class DesignError(ValueError):
    """A design that cannot be used; says where, what is there, and what is allowed."""


def shipped() -> tuple[str, ...]:
    """Return the names of the designs that come with rlx."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml")))


def load(design: str | os.PathLike[str] | Design) -> Design:
    """Return a design.

    Args:
        design: a name of `shipped`, the path of a TOML file, or a `Design`, which is returned as it is.

    Raises:
        DesignError: the file cannot be used; the message begins with its name and the line.
        ValueError: there is no such design.
    """
    if isinstance(design, Design):
        return design
    return _shipped(design) if design in shipped() else _read(_from_file(design))


def design_id(design: Design) -> str:
    """Return twelve hexadecimal digits that tell designs apart; the name does not count."""
    content = json.dumps(dataclasses.asdict(dataclasses.replace(design, name="")), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


@functools.cache
def _shipped(name: str) -> Design:
    return _read(_from_file(name))


def _folder() -> Any:
    return resources.files(__package__) / "data"


@dataclasses.dataclass(frozen=True)
class _Document:
    """A parsed file, merged with what it extends."""

    name: str
    data: dict[str, Any]
    lines: dict[Place, str]
    """Where keys and tables are, as ``file:line``."""


def _from_file(design: str | os.PathLike[str]) -> _Document:
    if design in shipped():
        name, text = f"{design}.toml", (_folder() / f"{design}.toml").read_text(encoding="utf-8")
    else:
        path = Path(design)
        if not path.is_file():
            raise ValueError(f"design = {design!r} is neither a file nor shipped. Shipped are: {', '.join(shipped())}.")
        name, text = path.name, path.read_text(encoding="utf-8")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise DesignError(f"{name}:{line[1] if line else len(text.splitlines())}: this is no TOML: {error}") from None
    own = _Document(Path(name).stem, data, {place: f"{name}:{line}" for place, line in locate(text).items()})
    return _extended(own, Path(design).parent) if "extends" in data else own


def _extended(own: _Document, folder: Path) -> _Document:
    """Return a document laid over the one that it extends."""
    reader, other = _Reader(own), own.data["extends"]
    is_known = isinstance(other, str) and (other in shipped() or (folder / other).is_file())
    if not is_known:
        reader.fault(("extends",), f"this is no file beside it, nor shipped. Shipped are: {', '.join(shipped())}.")
    base = _from_file(other if other in shipped() else folder / other)
    removed = [tuple(str(place).split(".")) for place in own.data.get("remove", [])]
    for place in removed:
        reader.remove(base.data, place)
    lines = {
        place: line for place, line in base.lines.items() if not any(place[: len(gone)] == gone for gone in removed)
    }
    change = {key: value for key, value in own.data.items() if key not in ("extends", "remove")}
    return _Document(own.name, _merged(base.data, change), lines | own.lines)


def locate(text: str) -> dict[Place, int]:
    """Return the line of each key and table of a TOML file; keys of inline tables count as their table."""
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    is_inside = False  # of a string of several lines
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if not is_inside and header:
            table = tuple(part.strip(' "') for part in header[2].split("."))
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, str(counts[table]))
            for depth in range(len(table)):
                found.setdefault(table[: depth + 1], number)
        elif not is_inside and key:
            found[(*table, *key[1].split("."))] = number
        is_inside ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return found


def _merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``change`` laid over it; what is no table is replaced as a whole."""
    merged = dict(base)
    for key, value in change.items():
        old = base.get(key)
        merged[key] = _merged(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return merged


class _Reader:
    """Takes a document apart, and says where it is wrong."""

    def __init__(self, document: _Document) -> None:
        self.document = document

    def fault(self, place: Place, problem: str) -> NoReturn:
        known = next((place[:n] for n in range(len(place), -1, -1) if place[:n] in self.document.lines), ())
        where = self.document.lines.get(known, f"{self.document.name}.toml:1")
        value: Any = self.document.data
        for key in place:
            value = value[int(key)] if isinstance(value, list) else value.get(key) if isinstance(value, dict) else None
        said = f"{'.'.join(place)} = {_spelled(value)}" if value is not None else ".".join(place)
        raise DesignError(f"{where}: {said}: {problem}" if place else f"{where}: {problem}")

    def remove(self, data: dict[str, Any], place: Place) -> None:
        *above, last = place
        for key in above:
            data = data.get(key, {})
        if last not in data:
            self.fault(("remove",), f"the design that this one extends has no {'.'.join(place)!r}.")
        del data[last]

    def table(self, place: Place, allowed: Iterable[str] | None = None, required: Iterable[str] = ()) -> dict[str, Any]:
        """Return the table at ``place``, with no other keys than ``allowed`` and with those ``required``."""
        value: Any = self.document.data
        for key in place:
            value = value[int(key)] if isinstance(value, list) else value.get(key)
            if value is None:
                self.fault(place, f"the section [{'.'.join(place)}] is missing.")
        if not isinstance(value, dict):
            self.fault(place, f"a section [{'.'.join(place)}] is needed, not a value.")
        if allowed is not None:
            known = [*allowed, *required]
            for key in value:
                if key not in known:
                    close = difflib.get_close_matches(key, known, n=1)
                    hint = f"Did you mean {close[0]!r}? " if close else ""
                    self.fault((*place, key), f"this key is unknown. {hint}Allowed: {', '.join(dict.fromkeys(known))}.")
        for key in required:
            if key not in value:
                where = f"key is missing in [{'.'.join(place)}]" if place else "section is missing"
                self.fault((*place, key), f"this {where}.")
        return value

    def number(self, place: Place, value: Any, kind: type[Parameters], field: str, is_whole: bool = False) -> float:
        """Return ``value`` if ``kind`` allows it for ``field``."""
        meta = kind.__dataclass_fields__[field].metadata
        low, high = meta["low"], meta["high"]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high or (is_whole and value != int(value)):
            what = "a whole number" if is_whole else "a number"
            meaning = meta["meaning"].removesuffix(", rounded")
            self.fault(place, f"{what} from {low:g} to {high:g} is needed ({meaning}).")
        return float(value)

    def numbers(self, place: Place, kind: type[P], optional: bool = False, **more: Any) -> P:
        """Return a ``kind`` whose quantities are the keys of the table at ``place``."""
        names = [field.name for field in dataclasses.fields(kind) if "unit" in field.metadata]
        table = self.table(place, names, () if optional else names)
        values = {
            name: self.number((*place, name), table[name], kind, name, _is_whole(kind, name))
            for name in names if name in table
        }  # fmt: skip
        return kind(**values, **more)

    def pair(self, place: Place, value: Any, kind: type[Parameters], field: str) -> tuple[float, float]:
        """Return two numbers, the smaller one first."""
        if not isinstance(value, list) or len(value) != 2:
            self.fault(place, "two numbers are needed, [least, greatest].")
        low, high = (self.number(place, end, kind, f"{field}_low", _is_whole(kind, f"{field}_low")) for end in value)
        if low > high:
            self.fault(place, "the smaller number comes first.")
        return low, high

    def choice(self, place: Place, value: Any, allowed: Iterable[str]) -> str:
        """Return ``value`` if it is one of ``allowed``."""
        if value not in (names := list(allowed)):
            self.fault(place, f"allowed are {', '.join(map(repr, names))}.")
        return str(value)

    def flag(self, place: Place, value: Any) -> bool:
        """Return ``value`` if it is a boolean."""
        if not isinstance(value, bool):
            self.fault(place, "true or false is needed.")
        return value


def _spelled(value: Any) -> str:
    """Return a value as TOML spells it, not too long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_whole(kind: type[Parameters], field: str) -> bool:
    meaning: str = kind.__dataclass_fields__[field].metadata["meaning"]
    return meaning.endswith(", rounded")


def _read(document: _Document) -> Design:
    """Check a document and turn it into a design."""
    reader = _Reader(document)
    parts: dict[str, Callable[[_Reader], Any]] = {
        "turn": _turn,
        "reward": lambda reader: reader.numbers(("reward",), Reward, optional=True),
        "actors": _actors,
        "items": _items,
        "opponent": _opponent,
        "loot": _loot,
        "curriculum": _curriculum,
        "room": _room,
    }
    table = reader.table((), ["max_hp"], parts)
    values = {name: part(reader) for name, part in parts.items()}
    max_hp = reader.number(("max_hp",), table.get("max_hp", 20), Design, "max_hp", is_whole=True)
    curriculum = values["curriculum"]
    if any(phase.start.loot_high > 0 for phase in curriculum) and not any(item.weight for item in values["items"]):
        reader.fault(
            ("items",),
            "no item has a weight, so that nothing can lie in the room. Give one a weight, or let each phase of the "
            "curriculum say loot = [0, 0].",
        )
    return Design(name=document.name, max_hp=max_hp, start=curriculum[-1].start, **values)


def _turn(reader: _Reader) -> Turn:
    names = [field.name for field in dataclasses.fields(Turn)]
    table = reader.table(("turn",), names)
    return Turn(**{name: reader.flag(("turn", name), value) for name, value in table.items()})


def _actors(reader: _Reader) -> tuple[Actor, ...]:
    names = list(reader.table(("actors",)))
    if not names:
        reader.fault(("actors",), "a design needs at least one class of actors, for instance [actors.ranger].")
    return tuple(reader.numbers(("actors", name), Actor, name=name) for name in names)


def _items(reader: _Reader) -> tuple[Item, ...]:
    items: list[Item] = []
    taken: dict[int, str] = {}
    for name in reader.table(("items",)):
        item = _item(reader, name)
        if item.id in taken:
            reader.fault(("items", name, "id"), f"items.{taken[item.id]} has this id already. Ids must differ.")
        taken[item.id] = name
        items.append(item)
    return tuple(items)


def _item(reader: _Reader, name: str) -> Item:
    place = ("items", name)
    kind = _KINDS[reader.choice((*place, "kind"), reader.table(place, None, ["kind"])["kind"], _KINDS)]
    own = {Melee: ["damage"], Bow: ["damage", "range"], Potion: []}[kind]
    effects = ["heal", "attack", "defence", "duration"] if kind is Potion else []
    table = reader.table(place, ["weight", "start", *effects], ["id", "kind", *own])
    number = table["id"]
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= ITEMS:
        reader.fault((*place, "id"), f"an id is a whole number from 1 to {ITEMS}.")
    values: dict[str, Any] = {
        key: reader.number((*place, key), table[key], kind, key, _is_whole(kind, key))
        for key in ("weight", "range", *effects) if key in table
    }  # fmt: skip
    if "damage" in own:
        values |= _dice(reader, (*place, "damage"), table["damage"], kind)
    is_buff = bool(values.get("attack") or values.get("defence"))
    if kind is Potion and not is_buff and not values.get("heal"):
        reader.fault(place, "a potion needs heal, or attack or defence with a duration.")
    if is_buff != bool(values.get("duration")):
        reader.fault((*place, "duration"), "attack and defence last for a duration of 1 to 9 turns, healing has none.")
    is_start = reader.flag((*place, "start"), table.get("start", False))
    return kind(name=name, id=number, is_start=is_start, **values)


def _dice(reader: _Reader, place: Place, value: Any, kind: type[Item]) -> dict[str, float]:
    """Read ``"1d4+2"``."""
    match = _DICE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        reader.fault(place, 'dice read "1d4", "1d4+2" or "2d6-1".')
    numbers = {"dice": int(match[1]), "sides": int(match[2]), "bonus": int(match[3] or 0)}
    for name, number in numbers.items():
        meta = kind.__dataclass_fields__[name].metadata
        if not meta["low"] <= number <= meta["high"]:
            reader.fault(place, f"{name} = {number} is outside [{meta['low']}, {meta['high']}].")
    return {name: float(number) for name, number in numbers.items()}


def _opponent(reader: _Reader) -> Opponent:
    table = reader.table(("opponent",), (), ["rule", "actor"])
    actors = reader.table(("actors",))
    return Opponent(
        reader.choice(("opponent", "rule"), table["rule"], RULES),
        reader.choice(("opponent", "actor"), table["actor"], actors),
    )


def _loot(reader: _Reader) -> Loot:
    table = reader.table(("loot",), ["alpha"], ["distribution"])
    distribution = reader.choice(("loot", "distribution"), table["distribution"], _DISTRIBUTIONS)
    alpha = reader.number(("loot", "alpha"), table.get("alpha", 1.0), Loot, "alpha")
    return Loot(is_procedural=distribution == "procedural", alpha=alpha)


def _curriculum(reader: _Reader) -> tuple[Phase, ...]:
    phases = reader.document.data["curriculum"]
    if not isinstance(phases, list) or not phases:
        reader.fault(("curriculum",), "at least one section [[curriculum]] is needed.")
    return tuple(_phase(reader, ("curriculum", str(k))) for k in range(len(phases)))


def _phase(reader: _Reader, place: Place) -> Phase:
    pairs = ("npc_hp", "target_hp", "loot")
    table = reader.table(place, (), ["steps", *pairs])
    if isinstance(table["steps"], bool) or not isinstance(table["steps"], int) or table["steps"] < 0:
        reader.fault((*place, "steps"), "a whole number from 0 is needed.")
    values: dict[str, float] = {}
    for name in pairs:
        values[f"{name}_low"], values[f"{name}_high"] = reader.pair((*place, name), table[name], Start, name)
    return Phase(table["steps"], Start(**values))


def _room(reader: _Reader) -> Room:
    table = reader.table(("room",), (), ["crates", "columns", "holes"])
    low, high = reader.pair(("room", "crates"), table["crates"], Room, "crates")
    columns = _shapes(reader, "columns", table["columns"], ".#")
    holes = _shapes(reader, "holes", table["holes"], ".x")
    least = min(floor(column, hole) for column in columns for hole in turns(holes))
    if least < _FLOOR:
        reader.fault(("room", "columns"), f"with the holes, a room may have {least} cells; {_FLOOR} are needed.")
    return Room(columns, holes, low, high)


def _shapes(reader: _Reader, name: str, value: Any, allowed: str) -> tuple[str, ...]:
    """Read shapes of ten lines of ten characters."""
    place = ("room", name)
    if not isinstance(value, list) or not 1 <= len(value) <= SHAPES:
        reader.fault(place, f"a list of 1 to {SHAPES} shapes is needed.")
    shapes = []
    for number, shape in enumerate(value, 1):
        rows = str(shape).split()
        if [len(row) for row in rows] != [SIZE] * SIZE or not set("".join(rows)) <= set(allowed):
            what = f"{SIZE} lines of {SIZE} characters {allowed[0]!r} or {allowed[1]!r}"
            reader.fault(place, f"shape {number} is not {what}.")
        shapes.append("\n".join(rows))
    return tuple(shapes)


def turns(shapes: Iterable[str]) -> list[str]:
    """Return shapes in all four turns."""
    turned = []
    for shape in shapes:
        rows = shape.split()
        for _ in range(4):
            turned.append("\n".join(rows))
            rows = ["".join(row) for row in zip(*rows[::-1], strict=True)]
    return turned


def floor(column: str, hole: str) -> int:
    """Return how many cells of a room have a floor."""
    return sum(one == other == "." for one, other in zip(column, hole, strict=True))
