"""`report html FILE`, after `:` and in `--plain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console_pilot import console
from console_rich import rich_engine
from dagtop.observe.report import FORMATS
from dagtop_app.words.reports import FORMS, Asked, report_asked
from dagtop_app.words.tasks import WordError
from test_plain_talk import Conversation


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_form_of_report_has_a_word() -> None:
    assert {f".{form}" for form in FORMS if form != "tickets"} == set(FORMATS)


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("", Asked("", None)),
        ("html", Asked("html", None)),
        ("HTML out.html", Asked("html", Path("out.html"))),
        ("out.html", Asked("html", Path("out.html"))),
        ("a b.trace.json", Asked("trace.json", Path("a b.trace.json"))),
        ("json 'a b.json'", Asked("json", Path("a b.json"))),
        ("junit", Asked("xml", None)),
        ("tickets some folder", Asked("tickets", Path("some folder"))),
    ],
)
def test_a_form_a_file_or_both_are_understood(typed: str, asked: Asked) -> None:
    assert report_asked(typed) == asked


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("htm", "there is no report 'htm'.*html"),
        ("pdf x", "there are html, md"),
        ("html out.md", r"must end in \.html"),
    ],
)
def test_what_is_wrong_with_it_is_told(typed: str, told: str) -> None:
    with pytest.raises(WordError, match=told):
        report_asked(typed)


@pytest.mark.anyio
async def test_the_word_in_the_console_writes_the_file(here: Path) -> None:
    async with console(rich_engine(), (132, 40)) as seen:
        seen.app.main.obey("report json mine.json")
        await seen.app.workers.wait_for_complete()
        await seen.settle()
        assert json.loads((here / "mine.json").read_bytes())["schema"] == "dagtop-report/1"
        assert "wrote mine.json" in seen.app.main.bridge.word.text
        seen.app.main.obey("report html no/where.html")
        await seen.app.workers.wait_for_complete()
        await seen.settle()
        assert "there is no folder" in seen.app.main.bridge.word.text
        seen.app.main.obey("report")
        await seen.settle()
        assert "one page: everything" in seen.text


def test_the_word_in_plain_writes_the_file_and_tells_where(here: Path) -> None:
    talk = Conversation()
    assert "wrote mine.html into" in talk.type("report html mine.html")
    assert (here / "mine.html").read_bytes().startswith(b"<!doctype html>")
    assert "wrote report-" in talk.type("report md")
    assert "report html, report md" in talk.type("report")
    assert len(list(here.iterdir())) == 2
    assert "must end in .md" in talk.type("report md x.html")
    assert "there is no folder" in talk.type("report no/where.json")
