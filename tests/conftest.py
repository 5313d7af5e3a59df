"""What the tests share."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from processes import ROOT, pip_install

# Several test processes share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the plugin family's distribution has been installed."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(ROOT / "tests" / "plugin_family", folder / "source")
    pip_install("--target", folder / "site", source)
    return folder / "site"


@pytest.fixture(scope="session")
def tank(plugin_folder: Path) -> str:
    """The id of the plugin family's environment, registered in this process."""
    from rlx.registry import catalog

    sys.path.append(str(plugin_folder))
    catalog.families.cache_clear()
    catalog.register_all()
    return "rlx/Tank-v0"
