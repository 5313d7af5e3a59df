"""A folder that looks like an installed game, and whose game is the embedded engine.

With ``SC2PATH`` set to it, programs that start StarcraftII for themselves start a server of rlx instead.
"""

from __future__ import annotations

import importlib
import platform
import shlex
import sys
from pathlib import Path

from ..params import GAMES

#: The build whose folder the stub stands in: pysc2 wants 55958 or later.
BUILD = 75689
#: Where the executable is, by what `platform.system` says.
EXECUTABLES = {"Linux": "SC2_x64", "Darwin": "SC2.app/Contents/MacOS/SC2"}
_MARK = "rlx-sc2-stub"


def install(folder: Path) -> Path:
    """Write the stub; return its executable.

    Args:
        folder: new, empty, or a stub already, which is brought up to date.

    Raises:
        DependencyNotInstalled: something that the server needs is missing.
        FileExistsError: it holds something else, perhaps the game.
        NotImplementedError: on Windows, where a program cannot be a script.
    """
    importlib.import_module(".server", __package__)  # what is missing for it is to be known now
    folder = folder.expanduser().resolve()
    system = platform.system()
    if system not in EXECUTABLES:
        raise NotImplementedError(
            f"A stub for {system} is not possible: its game cannot be a script. `rlx sc2 serve` and clients that "
            "connect to a running game work."
        )
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise FileExistsError(f"{folder} holds other files. Name a new folder: rlx sc2 install-stub DIR")
    maps = folder / "Maps" / "mini_games"
    maps.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("This is no game: rlx serves the SC2 API in its place.\n")
    for name in GAMES:
        (maps / f"{name}.SC2Map").write_text(f"The map {name} is built into rlx.\n")
    executable = folder / "Versions" / f"Base{BUILD}" / EXECUTABLES[system]
    executable.parent.mkdir(parents=True, exist_ok=True)
    module = f"{__package__}.server"
    executable.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n')
    executable.chmod(0o755)
    return executable
