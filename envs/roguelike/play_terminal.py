"""The game in a terminal: keys are typed and sent by Enter, as many as one likes."""

from __future__ import annotations

import sys
from typing import TextIO

import numpy as np

from .play import HELP, NPC, PLAYER, Controls
from .records import ACTION_NAMES, BOW, COLUMN, CRATE, DRINK, FLOOR, HOLE, KIND, MELEE, SIZE
from .render import figures

_TILES = {HOLE: " ", COLUMN: "#", FLOOR: ".", CRATE: "%"}
_ITEMS = {MELEE: ")", BOW: "}", DRINK: "!"}
_ACTORS = {NPC: "N", PLAYER: "@"}
_LEGEND = "@ you, N npc, # column, % crate, ) melee weapon, } bow, ! potion"
#: Colours of glyphs, as ANSI numbers them.
_COLOURS = {"@": "1;34", "N": "1;31", "#": "90", "%": "33", ")": "36", "}": "32", "!": "35", ".": "90"}
#: What arrow keys send.
_ARROWS = {"\x1b[A": "8", "\x1b[B": "2", "\x1b[C": "6", "\x1b[D": "4"}
_CLEAR = "\x1b[2J\x1b[H"


def run(controls: Controls) -> None:
    """Play until the person leaves or the input ends."""
    show(controls, sys.stdout)
    for line in sys.stdin:
        for arrow, key in _ARROWS.items():
            line = line.replace(arrow, key)
        for key in line.rstrip("\r\n"):
            controls.press(key)
        if controls.is_done:
            return
        show(controls, sys.stdout)


def show(controls: Controls, out: TextIO) -> None:
    """Write the room, both sides, what has happened and the keys to ``out``, in colour if that is a terminal."""
    has_colours = out.isatty()
    room = draw_room(controls.session.game)
    beside = [_LEGEND, "", *draw_actor(controls, PLAYER), "", *draw_actor(controls, NPC)]
    lines = []
    for row, text in zip(room, beside + [""] * SIZE, strict=False):
        cells = [f"\x1b[{_COLOURS[c]}m{c}\x1b[0m" if has_colours and c in _COLOURS else c for c in row]
        lines.append(f" {' '.join(cells)}   {text}".rstrip())
    if controls.is_telling:
        lines += ["", *draw_intentions(controls)]
    lines += ["", *controls.messages, "", *HELP]
    out.write((_CLEAR if has_colours else "") + "\n".join(lines) + "\nKeys, then Enter (Ctrl-D quits): ")
    out.flush()


def draw_room(game: np.void) -> list[str]:
    """Return the room, north up, a character per cell."""
    rows = []
    for north in reversed(range(SIZE)):
        row = ""
        for cell in range(north, SIZE * SIZE, SIZE):
            item, actor = int(game["item"][cell]), int(game["occupant"][cell]) - 1
            ground = _ITEMS[int(game["table"][item, KIND])] if item else _TILES[int(game["tile"][cell])]
            row += _ACTORS.get(actor, ground)
        rows.append(row)
    return rows


def draw_actor(controls: Controls, actor: int) -> list[str]:
    """Return how an actor is and what it has."""
    session = controls.session
    game, design = session.game, session.design
    skills = {name: int(design[name][actor]) for name in ("attack", "dexterity", "defence")}
    skills["attack"] += int(game["buff_attack"][actor])
    skills["defence"] += int(game["buff_defence"][actor])
    items = [f"{session.name(item)} {figures(game['table'][item])}" for item in game["equipment"][actor] if item]
    told = [f"{name} {value}" for name, value in skills.items()]
    if game["buff"][actor]:
        told.append(f"turns of the buff left: {int(game['buff'][actor])}")
    return [f"{('NPC', 'YOU')[actor]}  {int(game['hp'][actor])} hp", ", ".join(told), ", ".join(items)]


def draw_intentions(controls: Controls) -> list[str]:
    """Return what the npc would do, the likeliest first."""
    found = controls.session.intentions()
    if found is None:
        return ["The npc tells nothing of that."]
    kind, numbers = found
    order = [int(action) for action in np.argsort(-numbers, kind="stable") if np.isfinite(numbers[action])]
    heading = f"If it were the npc's turn ({kind}):"
    return [
        heading,
        *(f"  {ACTION_NAMES[action]:<9} {numbers[action]:7.3f}" for action in order if numbers[action] != 0),
    ]
