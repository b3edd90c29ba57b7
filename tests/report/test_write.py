"""A report to a file, whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from dagtop.errors import DagtopError
from dagtop.observe.report import Report, collect, write, write_report
from dagtop.observe.report.schema import Draw
from report_scene import small_run


@pytest.fixture
def report() -> Report:
    return collect(small_run())


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("r.html", b"<!doctype html>"),
        ("r.json", b'{\n "schema"'),
        ("R.HTML", b"<!doctype"),
        ("r.md", b"# "),
        ("r.xml", b"<?xml"),
        ("r.trace.json", b'{"displayTimeUnit"'),
        ("r.svg", b"<svg"),
        ("r.mmd", b"flowchart"),
        ("r.dot", b"digraph"),
    ],
)
def test_the_suffix_chooses_the_form(report: Report, tmp_path: Path, name: str, start: bytes) -> None:
    target = write_report(report, tmp_path / name, draw=lambda report: "<svg/>")
    assert target.read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["r.pdf", "r.trace", "r", "html"])
def test_another_suffix_is_refused_with_those_there_are(report: Report, tmp_path: Path, name: str) -> None:
    with pytest.raises(DagtopError, match=r"must end in \.html, \.md, .* or \.dot"):
        write_report(report, tmp_path / name)


@pytest.mark.parametrize("draw", [None, lambda report: ""])
def test_a_graph_that_cannot_be_drawn_is_told(report: Report, tmp_path: Path, draw: Draw | None) -> None:
    with pytest.raises(DagtopError, match="could not draw the graph"):
        write_report(report, tmp_path / "r.svg", draw=draw)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told(report: Report, tmp_path: Path) -> None:
    with pytest.raises(DagtopError, match=r"there is no folder .*; make it first"):
        write_report(report, tmp_path / "no" / "r.html")


def test_a_folder_in_the_way_is_told(report: Report, tmp_path: Path) -> None:
    (tmp_path / "r.html").mkdir()
    with pytest.raises(DagtopError, match="that is a folder"):
        write_report(report, tmp_path / "r.html")


def test_what_was_there_is_replaced(report: Report, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    target.write_text("old")
    write_report(report, target)
    assert b"old" not in target.read_bytes()[:10]


def test_a_link_stays_a_link(report: Report, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write_report(report, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes().startswith(b"{")


def test_the_file_has_the_permissions_that_the_user_gives_new_files(report: Report, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        target = write_report(report, tmp_path / "r.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_failure_while_writing_leaves_what_was_there(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up: the old report stays, and no half file beside it."""
    target = tmp_path / "r.json"
    target.write_text("old")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.os, "fsync", no_space)
    with pytest.raises(DagtopError, match="No space left on device"):
        write_report(report, target)
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    assert target.read_text() == "old"


def test_a_form_that_cannot_be_made_leaves_what_was_there(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.json"
    target.write_text("old")

    def broken(*_: object) -> bytes:
        raise RuntimeError("a bug")

    monkeypatch.setattr(write, "FORMATS", {".json": broken})
    with pytest.raises(RuntimeError):
        write_report(report, target)
    assert target.read_text() == "old"
