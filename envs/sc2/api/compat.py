"""Makes DeepMind's pysc2 4.0.0 importable on today's Python, without changing what it does.

Nothing here runs until `prepare` is called, which is all that a program or notebook needs::

    from rlx.envs.sc2 import api

    api.prepare()
    from pysc2.env import sc2_env
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import runpy
import sys
import types
from collections.abc import Sequence
from typing import Any

from gymnasium.error import DependencyNotInstalled

#: What pysc2 imports only to show a window or to write a video -> how to get it.
OPTIONAL = {"pygame": 'pip install "rlx[render]"', "skvideo": "pip install sk-video"}


def shuffled_hue(scale: int) -> Any:
    """Return a palette (scale, 3) in an order that looks random and is always the same.

    pysc2's own calls ``random.shuffle`` as Python 3.11 does not allow any more, while it is imported.
    """
    import numpy as np
    from pysc2.lib import colors

    palette = list(colors.smooth_hue_palette(scale))
    random.Random(21).shuffle(palette)  # noqa: S311 - an order of colours
    return np.array(palette)


class Unavailable:
    """Stands in for a class of a module that is not installed; pysc2 derives from one while it is imported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Say what to install.

        Raises:
            DependencyNotInstalled: always.
        """
        raise DependencyNotInstalled(f"pysc2 needs skvideo to write videos: {OPTIONAL['skvideo']}")


class Absent(types.ModuleType):
    """Stands in for a module that is not installed: it can be imported, and says what to install when it is used."""

    FFmpegWriter = Unavailable

    @property
    def io(self) -> Absent:
        """The package's module of that name."""
        return self

    def __getattr__(self, name: str) -> Any:
        """Return the name of a key, which pysc2 reads while it is imported; anything else is an error.

        Raises:
            AttributeError: for names that begin with an underscore.
            DependencyNotInstalled: for others.
        """
        if name.startswith("K_"):
            return name
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise DependencyNotInstalled(f"pysc2 needs {self.__name__}.{name} for this: {OPTIONAL[self.__name__]}")


def prepare() -> None:
    """Make pysc2 work on this machine: it can be imported, and plays the embedded engine if no game is installed.

    Calling this again does nothing.

    Raises:
        DependencyNotInstalled: pysc2 is not installed.
    """
    patch()
    importlib.import_module(".inprocess", __package__)


def patch() -> None:
    """Make ``import pysc2.env.sc2_env`` work.

    Raises:
        DependencyNotInstalled: pysc2 is not installed.
    """
    if importlib.util.find_spec("pysc2") is None:
        raise DependencyNotInstalled('pysc2 is not installed: pip install "rlx[sc2]"')
    importlib.import_module(".messages", __package__)
    from pysc2.lib import colors

    colors.shuffled_hue = shuffled_hue
    absent = [name for name in OPTIONAL if name not in sys.modules and importlib.util.find_spec(name) is None]
    sys.modules.update({name: Absent(name) for name in absent})
    importlib.import_module("pysc2.lib.renderer_human")
    # Others are to see that they are not there.
    for name in absent:
        del sys.modules[name]


def parse_flags() -> None:
    """Let pysc2 run where nobody has parsed its command line: all flags have their defaults."""
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()


def run(module: str, arguments: Sequence[str] = ()) -> None:
    """Run a program of pysc2, or one that uses it, as ``python -m`` would, where pysc2 alone cannot be imported.

    Args:
        module: for instance ``pysc2.bin.agent``.
        arguments: of its command line.
    """
    prepare()
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
