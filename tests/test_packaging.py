"""Wheel, sdist and editable install, each in a fresh virtual environment, do what the README says."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import ROOT, run

# One worker builds once for all of them.
pytestmark = pytest.mark.xdist_group("packaging")

ENV_ID = "rlx/ElectricMotor-v0"
MAKE = f"import gymnasium as g; g.make('{ENV_ID}')"
SOURCES = ("envs", "wrappers", "registry", "baselines", "tests", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources: building must not touch the checkout that other tests import."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def wheel(checkout: Path) -> Path:
    return build(checkout, "wheel")


@pytest.fixture(scope="session")
def wheel_of_sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    shutil.unpack_archive(build(checkout, "sdist"), folder)
    return build(next(folder.iterdir()), "wheel")


def build(folder: Path, target: str) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder / "dist"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return next(path for path in (folder / "dist").iterdir() if (path.suffix == ".whl") == (target == "wheel"))


class Venv:
    """A virtual environment that holds what is installed into it, and borrows rlx's dependencies from this one."""

    def __init__(self, folder: Path):
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.folder, self.python = folder, folder / "bin" / "python"
        self.site = next(folder.glob("lib/python*/site-packages"))
        # Start-up files are read in site-packages only, so those of this environment stay out.
        (self.site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *what: object) -> Venv:
        run(
            sys.executable, "-m", "pip", "--python", self.python,
            "install", "-q", "--no-deps", "--no-index", "--no-build-isolation", *what,
        )  # fmt: skip
        return self

    def run(self, code: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(self.python, "-W", "always::UserWarning", "-c", code, check=check, **environment)


@pytest.fixture(scope="session")
def venvs(
    checkout: Path, wheel: Path, wheel_of_sdist: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Venv]:
    """Return the virtual environment of each kind of install."""
    what = {"wheel": (wheel,), "sdist": (wheel_of_sdist,), "editable": ("-e", checkout)}
    made: dict[str, Venv] = {}

    def venv(kind: str) -> Venv:
        if kind not in made:
            made[kind] = Venv(tmp_path_factory.mktemp("venv") / kind).install(*what[kind])
        return made[kind]

    return venv


@pytest.fixture(params=["wheel", "sdist", "editable"])
def venv(request: pytest.FixtureRequest, venvs: Callable[[str], Venv]) -> Venv:
    return venvs(request.param)


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_has_the_package_and_nothing_else(wheel):
    names = set(contents(wheel))
    assert {"rlx/__init__.py", "rlx/py.typed", "_rlx_autoload.py", "rlx.pth", "rlx.start"} <= names
    assert {f"rlx/{folder}/__init__.py" for folder in ("envs", "wrappers", "registry", "baselines")} <= names
    others = {name for name in names if not name.startswith(("rlx/", "rlx-"))}
    assert others == {"_rlx_autoload.py", "rlx.pth", "rlx.start"}
    assert not {name for name in names if Path(name).name in {"_root.py", "_hatch.py", "_autoload.py"}}


def test_sdist_makes_the_same_wheel(wheel, wheel_of_sdist):
    assert contents(wheel) == contents(wheel_of_sdist)


def test_make_needs_no_import(venv):
    assert venv.run(MAKE).stderr == ""


def test_import_rlx_first(venv):
    assert venv.run(f"import rlx; {MAKE}").stderr == ""
    venv.run(f"import rlx; {MAKE}", RLX_AUTOLOAD="0")


def test_module_form_needs_no_hook(venv):
    venv.run(MAKE.replace(ENV_ID, f"rlx:{ENV_ID}"), RLX_AUTOLOAD="0")


def test_hook_can_be_turned_off(venv):
    done = venv.run(MAKE, check=False, RLX_AUTOLOAD="0")
    assert "NamespaceNotFound" in done.stderr and "rlx" in done.stderr


def test_hook_costs_nothing_without_gymnasium(venv):
    loaded = venv.run("import sys; print(*sys.modules)").stdout.split()
    assert "_rlx_autoload" in loaded and not {"rlx", "gymnasium", "numpy", "importlib.util"} & set(loaded)
    assert "GymnasiumFinder" in venv.run("import sys; print(sys.meta_path)").stdout


def test_hook_steps_aside(venv):
    """Also where gymnasium was looked up before it was imported."""
    look = "import importlib.util; importlib.util.find_spec('gymnasium')"
    out = venv.run(f"{look}; import sys, gymnasium; print(sys.meta_path, *gymnasium.registry)").stdout
    assert "GymnasiumFinder" not in out and ENV_ID in out


def test_hook_lets_resources_and_source_through(venv):
    code = "import gymnasium, importlib.resources as r, inspect; inspect.getsource(gymnasium); r.files('gymnasium')"
    venv.run(code)


def test_command_is_installed(venv):
    assert ENV_ID in run(venv.folder / "bin" / "rlx", "list", COLUMNS="200").stdout


def test_top_folders_are_not_importable_from_elsewhere(venv, tmp_path):
    code = f"import os; os.chdir({str(tmp_path)!r}); import envs"
    assert "No module named 'envs'" in venv.run(code, check=False).stderr


def test_new_file_is_seen_without_reinstall(venvs, checkout):
    venv = venvs("editable")
    (checkout / "envs" / "fresh.py").write_text("HERE = 1\n")
    venv.run("from rlx.envs.fresh import HERE")
    (checkout / "envs" / "fresh.py").unlink()


def test_raw_folder_is_refused(checkout):
    code = f"import sys; sys.path.insert(0, {str(checkout)!r}); import registry"
    assert "This package is rlx.registry" in run(sys.executable, "-c", code, check=False).stderr


def test_broken_rlx_only_warns(wheel, tmp_path):
    venv = Venv(tmp_path / "venv").install(wheel)
    (venv.site / "rlx" / "registry" / "catalog.py").write_text("raise RuntimeError('broken on purpose')\n")
    done = venv.run("import gymnasium; print(gymnasium.make('CartPole-v1'))")
    assert "CartPole" in done.stdout
    assert "could not register" in done.stderr and "broken on purpose" in done.stderr


def test_plugin_family_installs_beside(wheel, tmp_path):
    source = shutil.copytree(ROOT / "tests" / "plugin_family", tmp_path / "source")
    venv = Venv(tmp_path / "venv").install(wheel, source)
    venv.run(
        "import gymnasium as g;"
        "e = g.make('rlx/Tank-v0'); e.reset(seed=0); e.step(e.action_space.sample());"
        "v = g.make_vec('rlx/Tank-v0', 3); v.reset(seed=0); v.step(v.action_space.sample())"
    )
    assert "rlx/Tank-v0" in run(venv.folder / "bin" / "rlx", "list", COLUMNS="200").stdout


def test_uninstall_leaves_nothing(wheel, tmp_path):
    venv = Venv(tmp_path / "venv").install(wheel)
    run(sys.executable, "-m", "pip", "--python", venv.python, "uninstall", "-q", "-y", "rlx")
    assert [path.name for path in venv.site.iterdir() if "rlx" in path.name] == []
