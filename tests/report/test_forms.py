"""The forms for other programs: Markdown, JUnit XML, Chrome's trace, mermaid, dot and SVG."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from dagtop.core.states import TaskState
from dagtop.observe.report import Report, collect
from dagtop.observe.report.graph import to_dot, to_mermaid
from dagtop.observe.report.junit import to_junit
from dagtop.observe.report.markdown import to_markdown
from dagtop.observe.report.trace import to_trace
from dagtop_app.reports import picturing
from dagtop_app.reports.picturing import draw
from markdown_it import MarkdownIt
from report_scene import FakeRun, FakeTask, big_run, plan_of, small_run, steered_run
from test_html import evil_run

JUNIT = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


# -- Markdown ---------------------------------------------------------------------------------------------------------


def test_markdown_tells_the_facts() -> None:
    text = to_markdown(steered_run()).decode()
    for fact in (
        "# ✖ orders: failed",
        "3 of 5 tasks succeeded",
        "### load",
        "OperationalError: database is locked",
        "connecting to the database",
        "set max\\_parallel to 8",
        "✖ refused: it runs already",
        "| api | open | 5 failures in a row |",
        "held closed",
        "slow disk",
        "⊘ SKIPPED",
    ):
        assert fact in text, fact
    assert "this is not told" not in text


def test_no_text_of_the_users_is_markdown_or_html() -> None:
    text = to_markdown(collect(evil_run())).decode()
    rendered = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script" not in rendered
    assert "<img" not in rendered
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_table_of_markdown_has_one_row_for_each_task() -> None:
    rendered = MarkdownIt("commonmark").enable("table").render(to_markdown(steered_run()).decode())
    assert rendered.count("<td>⊘ SKIPPED</td>") == 1
    assert rendered.count("<td>✔ OK</td>") == 3


# -- JUnit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "run", [small_run, evil_run, lambda: big_run(300, bad=7), lambda: FakeRun(plan_of("", {}), [])]
)
def test_junit_is_what_its_schema_says(run: Callable[[], FakeRun]) -> None:
    JUNIT.validate(ET.fromstring(to_junit(collect(run()))))


def test_junit_tells_failures_errors_and_what_did_not_run() -> None:
    run = small_run()
    run.tasks[4] = FakeTask("notify", TaskState.TIMED_OUT, reason="took longer than 5 s")
    suite = ET.fromstring(to_junit(collect(run)))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failure = suite.find("testcase[@name='load']/failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("OperationalError", "database is locked")
    assert "Traceback (most recent call last):" in (failure.text or "")
    skipped = suite.find("testcase[@name='join']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "upstream load failed"


def test_junit_has_the_log_of_what_failed() -> None:
    out = ET.fromstring(to_junit(steered_run())).find(".//testcase[@name='load']/system-out")
    assert out is not None
    assert out.text == "connecting to the database"


# -- trace ------------------------------------------------------------------------------------------------------------


def trace_of(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(to_trace(report))["traceEvents"]
    return found


@pytest.mark.parametrize("run", [small_run, evil_run, lambda: big_run(500, bad=20)])
def test_no_two_attempts_in_one_slot_of_the_trace_overlap(run: Callable[[], FakeRun]) -> None:
    report = collect(run())
    slots: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for event in trace_of(report):
        if event["ph"] == "X" and event["pid"] == 1:
            slots[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    assert sum(map(len, slots.values())) == sum(len(task.timeline) for task in report.tasks)
    for spans in slots.values():
        spans.sort()
        assert all(before[1] <= after[0] + 0.01 for before, after in pairwise(spans))
    assert len(slots) == report.peak_parallel


def test_the_trace_has_what_its_format_wants() -> None:
    events = trace_of(steered_run())
    for event in events:
        assert {"ph", "name", "pid"} <= event.keys()
        assert event["ph"] == "M" or event["ts"] >= 0
        assert (event["ph"] == "X") == ("dur" in event)
        assert (event["ph"] in "sf") == ("id" in event)
    starts = [event["id"] for event in events if event["ph"] == "s"]
    assert sorted(starts) == sorted(event["id"] for event in events if event["ph"] == "f")


def test_the_trace_tells_edits_breakers_problems_and_pauses() -> None:
    events = trace_of(steered_run())
    names = {event["name"] for event in events}
    assert {"load #3", "set max_parallel to 8", "api: open", "api: closed (held)", "journal", "paused"} <= names
    assert {event["args"]["attempts"] for event in events if event["ph"] == "C"} == {0, 1, 2}


# -- graphs -----------------------------------------------------------------------------------------------------------


def test_mermaid_and_dot_have_every_task_edge_and_state() -> None:
    report = collect(small_run())
    flow, graph = to_mermaid(report).decode(), to_dot(report).decode()
    assert flow.count(" --> ") == graph.count(" -> ") == 5
    assert 'n2["' in flow
    assert ":::fail" in flow
    assert "classDef fail" in flow
    assert 'tooltip="failed"' in graph


@pytest.mark.parametrize("form", [to_mermaid, to_dot])
def test_no_name_can_leave_its_quotes(form: Callable[[Report], bytes]) -> None:
    text = form(collect(evil_run())).decode()
    assert "\x1b" not in text
    assert "\n<" not in text
    assert all(line.count('"') % 2 == 0 for line in text.replace('\\"', "").splitlines())


def test_the_picture_has_each_task_with_its_state() -> None:
    root = ET.fromstring(draw(collect(small_run())))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert texts == {"✔ extract", "✔ clean", "✖ load", "⊘ join", "✔ notify"}


def test_the_picture_of_hostile_names_is_well_formed() -> None:
    root = ET.fromstring(draw(collect(evil_run())))
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {
        *("svg", "title", "style", "rect", "path", "g", "text")
    }


def test_groups_of_a_large_graph_are_one_in_its_picture_with_what_became_of_them() -> None:
    picture = draw(collect(big_run(1000, bad=2)))
    assert len(picture) < 40_000
    assert "1 failed, 39 ok" in picture


def test_a_graph_that_is_too_large_for_boxes_is_a_wall_of_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picturing, "MOST", 4)
    assert "each square is a task" in draw(collect(small_run()))
    assert draw(collect(FakeRun(plan_of("g", {}), []))) == ""
