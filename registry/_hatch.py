"""Build hook: places the start-up files, and makes the editable install.

Hatchling cannot rewrite prefixes in an editable install, so ``build/dev/rlx`` becomes a folder of links into the
checkout, and that folder is what goes on the path. Type checkers and new files see through it without a reinstall.
"""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LINKS = {
    "__init__.py": "registry/_root.py",
    "py.typed": "registry/py.typed",
    "registry": "registry",
    "envs": "envs",
    "wrappers": "wrappers",
    "baselines": "baselines",
}
STARTUP = {
    "registry/_autoload.py": "_rlx_autoload.py",
    "registry/rlx.pth": "rlx.pth",
    "registry/rlx.start": "rlx.start",
}


class LinkFarm(BuildHookInterface[Any]):
    """Adds the start-up files to the wheel; in an editable build, links ``build/dev/rlx`` to the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Prepare a build; ``version`` is "standard" or "editable"."""
        root = Path(self.root)
        startup = {str(root / source): target for source, target in STARTUP.items()}
        build_data["force_include"].update(startup)
        if version != "editable":
            return
        # Not the static force-include: that would put a copy of rlx/__init__.py before the checkout's.
        build_data["force_include_editable"].update(startup)
        farm = root / "build" / "dev" / "rlx"
        farm.mkdir(parents=True, exist_ok=True)
        for name, source in LINKS.items():
            link, target = farm / name, os.path.relpath(root / source, farm)
            # A link that is right stays, so that a reinstall disturbs no process that is importing.
            if not link.is_symlink() or os.readlink(link) != target:
                link.unlink(missing_ok=True)
                link.symlink_to(target, target_is_directory=(root / source).is_dir())
