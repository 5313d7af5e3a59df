"""The documentation tells the truth: its code runs, its links lead somewhere, and every environment has a page."""

import importlib.util
import itertools
import re
import sys
import tomllib

import pytest
from processes import ROOT, run
from typer.testing import CliRunner

from rlx.registry.catalog import environments, families
from rlx.registry.cli import app

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "guides").glob("*.md")) + sorted((ROOT / "docs" / "results").glob("*.md"))

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [code for found, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def is_slow(code):
    return code.startswith("# slow")


def play(page, codes, tmp_path, monkeypatch):
    """Run the blocks of a page in one namespace, from top to bottom."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for i, code in enumerate(codes):
        exec(compile(code, f"{page.name}, block {i + 1}", "exec"), namespace)


with_code = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.parametrize("page", with_code, ids=lambda page: page.stem)
def test_the_code_runs(page, tmp_path, monkeypatch):
    play(page, [code for code in blocks(page, "python") if not is_slow(code)], tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in with_code if any(map(is_slow, blocks(p, "python")))], ids=lambda p: p.stem)
def test_all_of_the_code_runs(page, tmp_path, monkeypatch):
    play(page, blocks(page, "python"), tmp_path, monkeypatch)


def test_the_quick_start_of_the_readme_is_short():
    assert len([line for line in blocks(ROOT / "README.md", "python")[0].splitlines() if line]) <= 11


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_pictures_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"\{(?:image|literalinclude|include)\} (\S+)", text)
    for target in targets:
        path = target.partition("#")[0]
        if path and "://" not in path and not path.startswith("environments/") and "/environments/" not in path:
            assert (page.parent / path).exists(), f"{page.name} points at {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_exist(page):
    """Whatever a page tells to type is a target of the Makefile, or a command and options of rlx."""
    makefile = (ROOT / "Makefile").read_text()
    for line in "".join(blocks(page, "console")).splitlines():
        words = line.removeprefix("$ ").partition("#")[0].split()
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        if words[:1] == ["rlx"]:
            command = itertools.takewhile(lambda word: not word.startswith("-"), words[1:])
            answer = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
            assert answer.exit_code == 0, f"{line}\n{answer.output}"
            for option in words[2:]:
                assert not option.startswith("--") or option in answer.stdout, line


def test_the_readme_lists_the_catalog():
    listed = set(re.findall(r"`(rlx/[\w-]+-v\d+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert listed == {row.id for row in environments().values() if row.entry_point.startswith("rlx.")}


def test_the_readme_names_only_extras_that_exist():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    for page in PAGES:
        for names in re.findall(r"pip install \"[\w.]+\[([\w,-]+)\]\"", page.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= set(extras), page.name


@pytest.fixture(scope="module")
def catalog_pages():
    spec = importlib.util.spec_from_file_location("catalog_pages", ROOT / "docs" / "_extensions" / "catalog_pages.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["catalog_pages"] = module
    spec.loader.exec_module(module)
    return module


def test_every_environment_has_a_page(catalog_pages, tmp_path):
    stale = tmp_path / "gone" / "Old-v0.md"
    stale.parent.mkdir()
    stale.write_text("of a family that is no more")
    catalog_pages.write_pages(tmp_path)
    assert not stale.exists()
    for family in families():
        page = (tmp_path / family.name / "index.md").read_text()
        assert family.title in page and "## Action space" in page
        for row in family.environments:
            text = (tmp_path / family.name / f"{row.id.removeprefix('rlx/')}.md").read_text()
            assert row.summary in text and "Observation space" in text
            assert all(f"`{expert}`" in text for expert in row.experts)
            assert (
                f"../../images/environments/{row.id.removeprefix('rlx/')}.png" in text or family.distribution != "rlx"
            )
            assert "## Context" in text and all(f"`{name}`" in text for name in row.reference_scores)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}
    catalog_pages.write_pages(tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}, "unchanged pages were written"


def test_tables_survive_pipes(catalog_pages):
    assert catalog_pages.table(("a",), [("x | y",)]).splitlines()[-1] == r"| x \| y |"


def test_the_pages_build_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason='pip install "rlx[docs]"')
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", tmp_path / "cache", ROOT / "docs"]
    run(*command, tmp_path / "html")
    assert (tmp_path / "html" / "environments" / "electric_motor" / "index.html").exists()
