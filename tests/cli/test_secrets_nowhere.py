"""Secrets planted in a graph file, in what it is given and in what it does: no command tells one, no file holds one."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dagtop.observe.report import FORMATS
from planted import ENVIRON, KEPT, PARAMETERS, PLANTED, everything_in, found, graph_text

Call = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture
def told(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """`told("report", "RUN")`: all that a command prints, in this process."""
    from dagtop_app.commandline.calling import call

    for name, value in {**ENVIRON, "DAGTOP_DB": str(folder / "runs.db"), "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)

    def tell(*arguments: str) -> str:
        capfd.readouterr()
        call(arguments)
        return "".join(capfd.readouterr())

    return tell


@pytest.fixture
def forgotten(folder: Path) -> Iterator[None]:
    """The graph file may be loaded again."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def run(folder: Path, told: Call, forgotten: None) -> str:
    """What a run prints as JSON; it runs once."""
    printed = folder / "printed.ndjson"
    if not printed.exists():
        (folder / "etl.py").write_text(graph_text(), "utf-8")
        text = told("run", "--json", "etl.py", *PARAMETERS)
        assert '"run.finished"' in text
        printed.write_text(text, "utf-8")
    return printed.read_text("utf-8")


def test_B45_lines_of_json_tell_none(run: str) -> None:
    assert found(run) == {}
    failed = {line["task"]: line["failure"] for line in _objects(run) if line["type"] == "task.failed"}
    assert set(failed) == {"bound", "child", "bad"}
    assert failed["bound"]["message"] == "refused: «redacted» and «redacted»"
    lines = [line["line"] for line in _objects(run) if line["type"] == "log"]
    assert "logging in with «redacted» or «redacted»" in lines
    assert {"half with token=«redacted»"} == {
        line["message"] for line in _objects(run) if line["type"] == "task.progress"
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "etl.py", *PARAMETERS),
        ("run", "--plain", "etl.py", *PARAMETERS),
        ("check", "etl.py", *PARAMETERS),
        ("check", "--json", "etl.py", *PARAMETERS),
        *[("show", "--as", form, "etl.py", *PARAMETERS) for form in ("tree", "boxes", "mermaid", "dot", "json", "svg")],
        ("runs",),
        ("runs", "--json"),
        ("report", "RUN"),
        ("diff", "RUN", "RUN"),
        ("diff", "--json", "RUN", "RUN"),
        ("resume", "RUN"),
        ("gates", "RUN"),
        ("tell", "RUN", "cancel bad because of password=pw-of-a-reason"),
        ("replay", "RUN"),
        ("run", "etl.py", "-p", f"password={PLANTED['input']}", "-p", "pasword=x"),
    ],
    ids=lambda arguments: "-".join(arguments[:3]).replace("/", "")[:40],
)
def test_B45_no_command_tells_one(told: Call, run: str, arguments: tuple[str, ...]) -> None:
    text = told(*(_id(run) if argument == "RUN" else argument for argument in arguments))
    assert text
    assert found(text) == {}
    assert "pw-of-a-reason" not in text


@pytest.mark.parametrize("ending", FORMATS)
def test_B45_no_report_of_a_run_that_was_kept_has_one(told: Call, folder: Path, run: str, ending: str) -> None:
    told("report", _id(run), f"report{ending}")
    assert found((folder / f"report{ending}").read_text("utf-8")) == {}


def test_no_ticket_has_one(told: Call, folder: Path, run: str) -> None:
    assert "escalations" in told("report", _id(run), "--escalations", "tickets")
    tickets = list((folder / "tickets").iterdir())
    assert tickets
    for ticket in tickets:
        assert found(ticket.name + ticket.read_text("utf-8")) == {}


def test_B45_the_journal_has_only_what_a_run_needs_to_be_gone_on_with(told: Call, folder: Path, run: str) -> None:
    told("tell", _id(run), "cancel bad because of password=pw-of-a-reason")
    text = everything_in(folder / "runs.db")
    assert found(text, but=KEPT) == {}
    assert set(KEPT) <= found(text).keys()  # it looks where there is something
    assert "pw-of-a-reason" not in text
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        events = connection.execute("SELECT events FROM chunks").fetchall()
    assert found("".join(str(blob, "utf-8", "replace") for (blob,) in events)) == {}
    assert (folder / "runs.db").stat().st_mode & 0o077 == 0


def test_what_was_done_by_a_task_with_a_secret_name_is_not_done_again(told: Call, run: str) -> None:
    text = told("resume", _id(run))
    assert "2 results kept" in text
    assert "load postgres://ana:«redacted»@db/orders started" not in text


def test_a_name_of_ones_own_is_hidden_as_config_toml_says(
    told: Call, folder: Path, forgotten: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGTOP_DB", str(tmp_path / "runs.db"))
    (folder / "iban.py").write_text(
        "from dagtop import Graph\ngraph = Graph('g')\n@graph.task\ndef pay(iban):\n    print('to', iban)\n", "utf-8"
    )
    given = ("run", "--json", "iban.py", "-p", "iban=DE02120300000000202051")
    assert "to DE02120300000000202051" in told(*given)
    (folder / "config.toml").write_text('[safety]\nredact = ["iban"]\n', "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGTOP_CONFIG", str(folder / "config.toml"))
        hidden = told(*given)
        assert '"to «redacted»"' in hidden
        assert "DE0212" not in hidden
        (folder / "config.toml").write_text('[safety]\nredact = [""]\n', "utf-8")
        assert "config.toml:2: safety.redact takes a list of words" in told(*given)
    assert "DE0212" in told(*given)  # only for that command


def test_config_toml_may_show_secrets(
    told: Call, folder: Path, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(run) == {}
    monkeypatch.setenv("DAGTOP_DB", str(tmp_path / "runs.db"))
    (folder / "shown.toml").write_text("[safety]\nhide-secrets = false\n", "utf-8")
    monkeypatch.setenv("DAGTOP_CONFIG", str(folder / "shown.toml"))
    text = told("run", "--json", "etl.py", *PARAMETERS)
    assert set(PLANTED) - {"description", "tag", "output"} <= found(text).keys() | {"output"}


def _id(run: str) -> str:
    name: str = _objects(run)[0]["run"]
    return name


def _objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
