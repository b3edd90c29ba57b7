"""The key that writes a report of the run as it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console_pilot import console
from console_rich import rich_engine
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.failure import Failure
from dagtop.core.states import TaskState
from dagtop.observe.report import FORMATS
from dagtop_app.reports import exporting

pytestmark = pytest.mark.anyio
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


def files(folder: Path) -> list[Path]:
    """What is in a folder."""
    return list(folder.iterdir())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_form_of_report_can_be_written_from_the_console() -> None:
    assert {f".{form}" for form in exporting.FORMS if form != "tickets"} == set(FORMATS)


@pytest.mark.parametrize("key", ["E", "ctrl+s"])
async def test_the_key_asks_for_the_form_and_tells_the_path(key: str, here: Path) -> None:
    async with console(rich_engine(), (132, 40)) as seen:
        await seen.press(key)
        assert "for pull" not in seen.text
        assert "one page: everything" in seen.text
        await seen.press("enter")
        await seen.app.workers.wait_for_complete()
        await seen.settle()
        (written,) = files(here)
        assert written.name.startswith("report-")
        assert written.read_bytes().startswith(b"<!doctype html>")
        assert f"wrote {written.name} into" in seen.text
        assert seen.app.main.bridge.word.text.endswith(str(here))


async def test_every_form_is_written_from_what_the_console_shows(here: Path) -> None:
    async with console(rich_engine(), (132, 40)) as seen:
        for number, form in enumerate(exporting.FORMS, 1):
            await seen.press("E", str(number))
            await seen.app.workers.wait_for_complete()
            await seen.settle()
            assert "could not" not in seen.app.main.bridge.word.text
            assert form == "tickets" or [path for path in files(here) if path.name.endswith(f".{form}")]


async def test_esc_writes_nothing(here: Path) -> None:
    async with console(rich_engine(), (132, 40)) as seen:
        await seen.press("E", "escape")
        assert "nothing was written" in seen.text
    assert files(here) == []


async def test_a_folder_that_takes_no_file_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting.Path, "cwd", lambda: here / "gone")
    async with console(rich_engine(), (132, 40)) as seen:
        await seen.press("E", "3")
        await seen.app.workers.wait_for_complete()
        await seen.settle()
        assert "could not write a report" in seen.text
        assert seen.app.main.bridge.word.tone == "bad"


async def test_edits_breakers_and_logs_are_in_it_and_secrets_are_not(here: Path) -> None:
    engine = rich_engine()
    bad = next(row for row in engine.latest.rows if row.state is TaskState.FAILED)
    failure = Failure(error="LoginError", message=f"token={TOKEN}")
    engine.change(bad.name, failure=failure)
    engine.logs.add(bad.name, f"logging in with {TOKEN}")
    at = engine.latest.at
    engine.story.record(
        engine.story.statistics().seen + 1,
        [
            ev.CommandApplied(at, cmd.SetMaxParallel(8), id=1, by="ana", effect="max_parallel is 8"),
            ev.BreakerOpened(at, "api", "5 failures in a row", 30.0),
        ],
    )
    async with console(engine, (132, 40)) as seen:
        seen.app.main.inputs = {"password": "hunter2-of-ana"}
        await seen.press("E", "3")
        await seen.app.workers.wait_for_complete()
        (written,) = files(here)
        text = written.read_text("utf-8")
        report = json.loads(text)
        assert TOKEN not in text
        assert "hunter2" not in text
        assert "ana" in {edit["by"] for edit in report["commands"]}
        assert "5 failures in a row" in {move.get("reason") for move in report["breakers"]}
        (task,) = [task for task in report["tasks"] if task["name"] == bad.name]
        assert [line["text"] for line in task["log"]][-1].startswith("logging in with «redacted»")
