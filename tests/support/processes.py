"""Other processes, other distributions, and where the checkout lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command: object, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a fresh process; ``environment`` is added to this one's."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def python(code: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter of this environment."""
    return run(sys.executable, "-c", code, check=check, **environment)


def pip_install(*arguments: object) -> None:
    """Install without looking anything up."""
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation", *arguments)


def distribution(folder: Path, name: str, source: str, **families: str) -> None:
    """Lay an installed distribution into ``folder``."""
    (folder / f"{name.replace('-', '_')}.py").write_text(source)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {target}" for key, target in families.items()]
    (info / "entry_points.txt").write_text("\n".join(["[console_scripts]", "x = y:z", "", "[rlx.families]", *lines]))
