"""What an import costs, and which way imports run."""

from __future__ import annotations

import importlib
import re
import tomllib

import pytest
from processes import ROOT, python, run

HEAVY = ("numba", "torch", "pygame", "matplotlib", "scipy", "pandas", "typer", "rich", "importlib.metadata")
FAMILIES = sorted(path.parent.name for path in (ROOT / "envs").glob("*/__init__.py") if path.parent.name != "core")


def test_import_rlx_is_cheap():
    """Below 30 ms of CPU time on top of gymnasium's own import; the best of several, since the machine is shared."""
    code = (
        "import time, gymnasium; start = time.process_time(); import rlx; print(1000 * (time.process_time() - start))"
    )
    assert min(float(python(code, RLX_AUTOLOAD="0").stdout) for _ in range(5)) < 30.0


@pytest.mark.parametrize("code", ["import rlx", "import gymnasium", "import rlx; rlx.experts('rlx/ElectricMotor-v0')"])
def test_import_loads_nothing_heavy(code):
    loaded = python(f"import sys; {code}; print(*sys.modules)").stdout.split()
    assert "rlx" in loaded
    gymnasium_alone = python("import sys, gymnasium; print(*sys.modules)", RLX_AUTOLOAD="0").stdout.split()
    assert [name for name in HEAVY if name in loaded and name not in gymnasium_alone] == []
    families = [name for name in loaded if re.fullmatch(r"rlx\.envs\.\w+\.\w+", name)]
    assert families == []


def test_help_loads_no_torch():
    code = (
        "import sys; sys.argv = ['rlx', '--help']\n"
        "from rlx.registry.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, 'numba' in sys.modules)"
    )
    assert python(code, check=False).stdout.endswith("False False\n")


def test_imports_run_one_way():
    lint = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = python(f"import os; os.chdir({str(ROOT)!r}); {lint}", check=False)
    assert done.returncode == 0, done.stdout


def test_every_family_is_under_the_contracts():
    """The contracts name families; a new folder must be added to each of them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["type"] == "layers")["layers"]
    assert layers == [" | ".join(FAMILIES), "core"]
    for source in ("rlx.wrappers", "rlx.baselines"):
        (contract,) = (contract for contract in contracts if contract.get("source_modules") == [source])
        named = {module for module in contract["forbidden_modules"] if module.startswith("rlx.envs.")}
        assert named == {f"rlx.envs.{family}" for family in FAMILIES}, contract["name"]


def test_every_family_is_declared():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = settings["entry-points"]["rlx.families"]
    assert declared == {family: f"rlx.envs.{family}:FAMILY" for family in FAMILIES}
    extras = {importlib.import_module(f"rlx.envs.{family}").FAMILY["extra"] for family in FAMILIES}
    assert extras <= set(settings["optional-dependencies"])


def test_lint_imports_command_agrees():
    """`lint-imports` reads its contracts from pyproject.toml, so it must be run there; `make test` does."""
    assert "lint-imports" in run("make", "-C", ROOT, "-n", "test").stdout
