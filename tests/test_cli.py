"""The command line: what it prints, and that what lies elsewhere is loaded only when it is called."""

from __future__ import annotations

import dataclasses

import gymnasium
import pytest
from gymnasium import spaces
from processes import distribution, python, run
from rich.console import Console
from typer.testing import CliRunner

import rlx
from rlx.registry import bench, catalog, cli, extras
from rlx.registry.plugins import Plugin

ENV_ID = "rlx/ElectricMotor-v0"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(cli, "console", Console(soft_wrap=True, width=200))


def rlx_(*arguments: str, code: int = 0) -> str:
    """Run the command in this process and return what it printed."""
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == code, done.output
    return done.output


def rlx_apart(*arguments: str, path: object = "", **environment: str):
    """Run the command as a process of its own, with ``path`` in front of Python's."""
    code = f"import sys; sys.argv = ['rlx', *{arguments!r}]; from rlx.registry.cli import main; main()"
    return python(code, check=False, PYTHONPATH=str(path), COLUMNS="200", **environment)


def test_list_shows_every_id():
    shown = rlx_("list")
    for row in catalog.environments().values():
        assert row.id in shown and row.summary in shown


def test_list_selects(tank):
    assert tank in rlx_("list") and ENV_ID not in rlx_("list", "--family", "tank")
    assert "Nothing fits. Families: electric_motor" in rlx_("list", "--tag", "no-such-tag")


def test_narrow_terminals_cut_no_id():
    done = rlx_apart("list", path="")
    narrow = python("import sys; sys.argv = ['rlx', 'list']; from rlx.registry.cli import main; main()", COLUMNS="60")
    for env_id in catalog.environments():
        assert env_id in done.stdout or env_id == "rlx/Tank-v0"
        assert env_id in narrow.stdout or env_id == "rlx/Tank-v0"


def test_info_tells_everything(tank):
    shown = rlx_("info", tank)
    for part in (
        "Hold the level of a leaking tank in the rain.",
        "Water tanks (tank)",
        'pip install "rlx-tank"',
        f'gymnasium.make("{tank}")',
        "300 steps",
        "feedforward, random",
        "Box(0.0, 1.0, (2,), float32)",
        "hole",
    ):
        assert part in shown
    assert "2.1  Gymnasium's own check_env passes" not in shown


def test_info_checks(tank):
    shown = rlx_("info", tank, "--check")
    assert " 2.1  Gymnasium's own check_env passes without a warning\n" in shown
    assert "   3  The class's docstring has the fixed headings, in order\n" in shown


def test_info_checks_tell_what_is_broken(tank, plugin_folder, tmp_path):
    row = {"id": "rlx/Loose-v0", "entry_point": "rlx_tank.env:TankEnv", "summary": "Without experts."}
    family = {"name": "loose", "title": "Loose", "environments": (row,)}
    distribution(tmp_path, "loose", f"FAMILY = {family!r}", loose="loose:FAMILY")
    done = rlx_apart("info", "rlx/Loose-v0", "--check", path=f"{tmp_path}:{plugin_folder}")
    assert done.returncode == 1 and "Without experts." in done.stdout
    assert done.stderr.startswith("Error rlx/Loose-v0 breaks clause 2.6") and done.stderr.count("\n") == 1


def test_scores_and_arguments_are_shown(tank, monkeypatch):
    score = {"feedforward": {"mean": -3.5, "source": "a paper"}}
    family = catalog.find(tank)
    row = dataclasses.replace(family, kwargs={"params": {"hole": 0.001}}, reference_scores=score, paper="https://x.y")
    families = [dataclasses.replace(each, environments=(row,)) for each in catalog.families() if each.name == "tank"]
    monkeypatch.setattr(catalog, "families", lambda: tuple(families))
    monkeypatch.setattr(cli, "families", lambda: tuple(families))
    shown = rlx_("info", tank)
    assert "feedforward -3.5 (a paper)" in shown and "params={'hole': 0.001}" in shown and "https://x.y" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "rlx/ElectricMotr-v0"), "is not in the catalog of rlx. Did you mean 'rlx/ElectricMotor-v0'?"),
        (("bench", "nonsense"), "'nonsense' is not in the catalog of rlx."),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments, message):
    done = rlx_apart(*arguments)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("Error ") and message in done.stderr and done.stderr.count("\n") == 1
    assert "Traceback" in rlx_apart(*arguments, RLX_TRACEBACK="1").stderr


def test_unknown_command_is_told():
    done = rlx_apart("lsit")
    assert done.returncode == 2 and "No such command 'lsit'" in done.stderr


def test_doctor_tells_versions_and_hook():
    shown = rlx_apart("doctor").stdout
    for part in ("python", "numba", gymnasium.__version__, rlx.__version__, "rlx[electric-motor]", "start-up hook"):
        assert part in shown
    assert "off (RLX_AUTOLOAD=0)" in rlx_apart("doctor", RLX_AUTOLOAD="0").stdout


def test_doctor_names_the_command_for_a_missing_extra(monkeypatch):
    monkeypatch.setattr(extras, "version", lambda name: None if name in ("torch", "jinja2") else "1.0")
    shown = rlx_("doctor")
    assert 'missing jinja2, torch: pip install "rlx[baselines]"' in shown
    assert shown.count("nothing more needed") == [*extras.extras().values()].count(())


def test_doctor_notices_a_missing_hook(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "_rlx_autoload", raising=False)
    monkeypatch.delenv("RLX_AUTOLOAD", raising=False)
    assert "absent: import rlx before gymnasium.make" in rlx_("doctor")


def test_extras_are_read_from_the_metadata():
    found = extras.extras()
    assert found["electric-motor"] == () and found["render"] == ("pygame-ce",)
    assert set(found["all"]) >= {*found["render"], *found["baselines"]}
    assert not any("rlx" in brings for brings in found.values())


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("torch", 'pip install "rlx[baselines]"'),
        ("minari", 'pip install "rlx[datasets]"'),
        ("stable_baselines3", 'pip install "rlx[test]"'),
        ("nothing_of_ours", "pip install nothing_of_ours"),
    ],
)
def test_how_to_install(module, command):
    assert extras.how_to_install(module) == command


COMMANDS = '''
import typer
print("imported")

def hello(name: str = "you") -> None:
    """Greet someone.

    At length.
    """
    print("hello", name)

def train_() -> None:
    """Needs what is not there."""
    import torch_of_tomorrow

app = typer.Typer()

@app.command()
def one() -> None:
    print("one")

@app.command()
def two() -> None:
    print("two")

FAMILY = {"name": "chatty", "title": "Chatty", "commands": {"chat": "chatty:app"}, "environments": (
    {"id": "rlx/Chatty-v0", "entry_point": "a:B", "summary": "x"},)}
'''


@pytest.fixture
def chatty(tmp_path):
    """A folder with a distribution that adds commands, directly and by a family."""
    (tmp_path / "family_of_chatty.py").write_text(COMMANDS[COMMANDS.index("FAMILY") :])
    distribution(tmp_path, "chatty", COMMANDS, chatty="family_of_chatty:FAMILY")
    with open(tmp_path / "chatty-1.0.dist-info" / "entry_points.txt", "a") as file:
        file.write("\n[rlx.commands]\nhello = chatty:hello\nlater = chatty:train_\ngone = no_such_module:f\n")
    return tmp_path


def test_help_lists_commands_without_importing_them(chatty):
    shown = rlx_apart("--help", path=chatty).stdout
    for part in ("list", "doctor", "hello", "Greet someone.", "chat", "later", "(missing: no_such_module)"):
        assert part in shown
    assert "imported" not in shown and "At length." not in shown


def test_commands_run(chatty):
    assert rlx_apart("hello", "--name", "me", path=chatty).stdout == "imported\nhello me\n"
    assert rlx_apart("chat", "two", path=chatty).stdout == "imported\ntwo\n"
    assert "--name" in rlx_apart("hello", "--help", path=chatty).stdout


def test_missing_dependency_is_told_in_one_line(chatty):
    for command, module in (("later", "torch_of_tomorrow"), ("gone", "no_such_module")):
        done = rlx_apart(command, path=chatty)
        expected = f"Error rlx {command} needs '{module}', which is not installed: pip install {module}\n"
        assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize(("command", "module"), [("train", "torch"), ("compare", "torch"), ("report", "jinja2")])
def test_missing_extra_names_the_pip_command(command, module, tmp_path):
    arguments = [str(tmp_path)] if command == "report" else [ENV_ID, "--out", str(tmp_path), "--steps", "1"]
    code = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = ['rlx', {command!r}, *{arguments!r}]\n"
        "from rlx.registry.cli import main; main()"
    )
    told = f"Error rlx {command} needs '{module}', which is not installed: pip install \"rlx[baselines]\"\n"
    assert python(code, check=False).stderr == told


def test_own_commands_cannot_be_replaced(monkeypatch):
    monkeypatch.setattr(cli, "plugins", lambda group: [Plugin("other", "list", "no_such_module:list")])
    assert ENV_ID in rlx_("list")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(bench, "ROUND_SECONDS", 1e-4)


def test_bench_heeds_masks_in_info_and_observation(quick):
    """The empty environment has the masks of a `Dict` observation, and no info."""
    (rates,) = bench.bench(["rlx/MallocGame-v0"], num_envs=2, rounds=1)
    assert rates.batch and rates.empty_batch


def test_bench_writes_a_table(tank, quick, tmp_path):
    out = tmp_path / "results" / "bench.md"
    shown = rlx_("bench", tank, "--num-envs", "8", "--rounds", "1", "--out", str(out))
    assert out.read_text() == shown
    lines = shown.splitlines()
    assert lines[0].startswith("Steps per CPU-second, best of 1 rounds. Python 3.")
    assert lines[2].startswith("| Environment | single | of empty | batch of 8 | of empty | peer |")
    assert lines[4].startswith(f"| `{tank}` | ") and lines[4].count(" k ") == 2 and lines[4].count(" % ") == 2


def peer():
    return gymnasium.make("CartPole-v1")


def missing_peer():
    import no_such_peer  # noqa: F401


@pytest.mark.parametrize(("target", "name"), [(f"{__name__}:peer", "gymnasium"), (f"{__name__}:missing_peer", None)])
def test_bench_races_an_installed_peer(tank, quick, monkeypatch, target, name):
    row = dataclasses.replace(catalog.find(tank), peer=target, vector_entry_point=None)
    monkeypatch.setattr(bench, "find", lambda env_id: row)
    (rates,) = bench.bench([tank], num_envs=2, rounds=1)
    assert rates.peer_name == name and (rates.peer is None) == (name is None)
    assert rates.batch is None and rates.single > 0 and rates.empty_single > 0
    assert ("x |" in bench.markdown([rates])) == (name is not None)


class Masked(gymnasium.Env):
    """Refuses what its mask rules out."""

    observation_space = spaces.Dict({"x": spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1)])})
    action_space = spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.legal = int(self.np_random.integers(3))
        return self.observation_space.sample(), {"action_mask": [int(i == self.legal) for i in range(3)]}

    def step(self, action):
        assert action == self.legal
        observation, info = self.reset()
        return observation, 0.0, self.legal == 0, False, info


def test_bench_replays_legal_actions():
    contender = bench.Contender.enter(Masked())
    contender.run()
    assert contender.best > 0


def test_empty_environments_return_new_arrays(tank):
    empty = bench._empty_spec(gymnasium.make(tank))
    for env in (gymnasium.make(empty), gymnasium.make_vec(empty, 3)):
        first, _ = env.reset(seed=0)
        second = env.step(env.action_space.sample())[0]
        assert first is not second and env.observation_space.contains(second)


def test_module_runs_as_the_command():
    assert "Commands" in run(__import__("sys").executable, "-m", "rlx.registry.cli", "--help").stdout
