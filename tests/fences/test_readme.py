"""The README and the guide tell the truth: their commands, keys, options, examples and pictures are those of the program."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import dagtop
import pytest
from dagtop import RunState
from dagtop.core.policy import Retry
from dagtop.graph.options import GRAPH_OPTIONS, LATER_GRAPH_OPTIONS, LATER_TASK_OPTIONS, TASK_OPTIONS
from dagtop.loaders.python import load
from dagtop.observe.report import FORMATS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
GUIDE = "\n".join(PAGES.values())
CODE = re.findall(r"`([^`\n]+)`", GUIDE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_there_are_exactly_two_commands_to_copy_and_ci_runs_them() -> None:
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert "sample_graphs/stdlib_census.py" in commands[0]
    assert commands[1].endswith("pytest")
    assert "grep '^python3 -m venv' README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_its_example_runs_and_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "shop.py").write_text(example, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    result = load(str(tmp_path / "shop.py")).target.run()
    assert result.state is RunState.SUCCEEDED
    assert result["total"].output == len("monday") + 20 + 30


def test_the_page_of_the_house_has_every_room_with_what_it_says_of_itself() -> None:
    page = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
    for base in ("engine/dagtop", "app/dagtop_app"):
        for room in (ROOT / base).glob("*/__init__.py"):
            said = room.read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0].splitlines()[0]
            assert f"| `{room.parent.name}` | {said} |" in page, room


def test_the_samples_that_are_named_are_there() -> None:
    named = set(re.findall(r"`(sample_graphs/\w+\.py)`", GUIDE))
    named |= {f"sample_graphs/{name}" for name in re.findall(r"`(\w+\.py)` \(", GUIDE)}
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_link_leads_to_a_file_and_a_title_that_are_there() -> None:
    found = 0
    for page, text in PAGES.items():
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
            name, _, anchor = link.partition("#")
            target = (page.parent / name) if name else page
            assert target.exists(), (page.name, link)
            assert not anchor or anchor in _anchors(PAGES[target.resolve()]), (page.name, link)
            found += 1
    assert found > 20


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_public_name_is_told_with_what_it_is_for() -> None:
    section = GUIDE.partition("\n## What to import\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", section))
    assert [name for name in dagtop.__all__ if name not in told] == []
    assert [name for name in told - {"dagtop", "rehearse"} if name not in dagtop.__all__] == []


def test_every_option_of_a_task_and_of_a_graph_is_told() -> None:
    for option in (*TASK_OPTIONS, *GRAPH_OPTIONS):
        assert any(re.search(rf"\b{option}\b", code) for code in CODE), option
    (told,) = [code for code in CODE if code.startswith("Retry(retries, ")]
    assert re.findall(r"\w+", told)[1:] == list(Retry.__dataclass_fields__)


def test_no_option_is_told_that_is_not_there_yet() -> None:
    tables = [row.split("|")[1] for row in GUIDE.splitlines() if row.startswith("| `")]
    told = {code for cell in tables for code in re.findall(r"`(\w+)`", cell)}
    assert told & ((LATER_TASK_OPTIONS | LATER_GRAPH_OPTIONS) - {*TASK_OPTIONS, *GRAPH_OPTIONS}) == set()


def test_every_key_of_the_console_is_told_and_none_that_is_not_there() -> None:
    from dagtop_app.actions import ACTIONS

    (table,) = [part for part in GUIDE.split("\n\n") if part.startswith("| key |")]
    cells = [cell for row in table.splitlines()[2:] for cell in row.strip("| ").split(" | ")]
    told = {key for cell in cells[::2] for code in re.findall(r"`([^`]+)`", cell) for key in code.split()}
    everywhere = [action for action in ACTIONS if action.in_palette and not action.view]
    assert told <= {key for action in ACTIONS for key in action.shown.split()}
    assert [action.id for action in everywhere if told.isdisjoint(action.shown.split())] == []


def test_every_command_and_option_of_the_command_line_is_told() -> None:
    from dagtop_app.commandline.cli import app

    commands = {name for name in app if not name.startswith("-")}
    assert {code.split()[1] for code in CODE if re.match(r"dagtop [a-z]+( [A-Z]+)*( \[[A-Z]+\])?$", code)} == commands
    options = {
        name
        for argument in app["run"].assemble_argument_collection()
        for name in argument.names
        if name.startswith("--") and not name.startswith("--no-fail")
    }
    assert len(options) >= 9
    assert [name for name in options if not any(code.split()[0] == name for code in CODE)] == []


def test_every_form_of_report_is_told() -> None:
    assert all(f"`{suffix}`" in GUIDE for suffix in FORMATS)


def test_every_dependency_has_a_line_that_says_why(project: dict[str, Any]) -> None:
    names = [re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]]
    section = README.partition("## Dependencies")[2].partition("\n## ")[0]
    assert [name for name in names if f"[{name}]" not in section] == []


def test_the_extras_it_names_are_there(project: dict[str, Any]) -> None:
    assert set(re.findall(r"dagtop\[(\w+)\]", GUIDE)) == set(project["optional-dependencies"])


def test_the_version_of_the_changelog_is_the_projects(project: dict[str, Any]) -> None:
    from dagtop_app.version import VERSION

    assert project["version"] == VERSION
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
