"""Figures tell tasks: what stands for a node of a graph of graphs is none, nor is what was taken out of the graph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dagtop import DAGExecutor, Graph, MetaDAG, TaskState
from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.sqlite import SqliteJournal
from dagtop.observe.report import collect
from dagtop.observe.report.html import to_html
from dagtop.observe.report.json import to_json
from dagtop.observe.report.junit import to_junit
from dagtop.observe.report.markdown import to_markdown
from dagtop_app.tasks.tally import counts_of, done_of
from test_files import command

FILE = """
from dagtop import Graph, MetaDAG

first, second = Graph("first"), Graph("second")
first.add("a", lambda: 1)
first.add("b", lambda: 1 / 0)
second.add("c", lambda: 3)
both = MetaDAG("both").add(first).add(second, depends_on=["first"])
"""


def two_nodes() -> MetaDAG:
    """Three tasks in two nodes: one succeeds, one fails, one is skipped."""
    first, second = Graph("first"), Graph("second")
    first.add("a", lambda: 1)
    first.add("b", lambda: 1 / 0)
    second.add("c", lambda: 3)
    return MetaDAG("both").add(first).add(second, depends_on=["first"])


ENDED = {"succeeded": 1, "failed": 1, "skipped": 1}


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryJournal | SqliteJournal:
    return MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "runs.db")


def test_results_events_and_the_list_of_runs_count_tasks_only(journal: MemoryJournal | SqliteJournal) -> None:
    seen: list[AnyEvent] = []
    result = two_nodes().run(journal=journal, on_event=seen.append)
    assert result.counts == ENDED
    assert {event.tasks for event in seen if isinstance(event, ev.RunStarted)} == {3}
    assert [event.counts for event in seen if isinstance(event, ev.RunFinished)] == [ENDED]
    (line,) = journal.runs()
    assert (line.tasks, dict(line.counts)) == (3, ENDED)
    journal.close()


def test_a_run_that_grew_is_listed_with_all_its_tasks(journal: MemoryJournal | SqliteJournal) -> None:
    graph = Graph("grows")
    graph.add("parts", lambda: [1, 2, 3])
    graph.map("part", lambda part: part, over="parts")
    result = graph.run(journal=journal)
    (line,) = journal.runs()
    assert line.tasks == sum(result.counts.values()) == 5
    journal.close()


def test_reports_count_tasks_only() -> None:
    report = collect(two_nodes().run())
    assert (report.task_count, report.counts, report.attempt_count) == (3, ENDED, 2)
    assert sum(task.is_node for task in report.tasks) == 2
    assert json.loads(to_json(report))["task_count"] == 3
    assert "1 of 3 tasks succeeded" in to_html(report).decode()
    assert "1 of 3 tasks succeeded" in to_markdown(report).decode()
    assert b'tests="3"' in to_junit(report)


def test_what_was_taken_out_of_the_graph_is_no_task_any_more() -> None:
    graph, other = Graph("g"), Graph("g")
    graph.add("gone", lambda: 1, gate=True)
    for each in (graph, other):
        each.add("stays", lambda: 2)
    with DAGExecutor(graph).start() as run:
        run.swap(other)
        result = run.wait(20)
        assert (dict(counts_of(run.snapshot)), done_of(run.snapshot)) == ({TaskState.SUCCEEDED: 1}, (1, 1))
    assert (result.counts, result.removed) == ({"succeeded": 1}, {"gone"})
    report = collect(result)
    assert (report.task_count, report.counts) == (1, {"succeeded": 1})
    assert [task.removed for task in report.tasks] == [True, False]


def test_the_command_line_counts_tasks_only(tmp_path: Path) -> None:
    file = tmp_path / "both.py"
    file.write_text(FILE)
    told = command("run", str(file), "--plain", "--db", str(tmp_path / "runs.db"))
    assert told.returncode == 1
    text = told.stdout + told.stderr
    assert "started: 3 tasks" in text
    assert "run failed: 1 succeeded, 1 failed, 1 skipped." in text
    farewell = text.partition("✖ both: failed")[2]
    assert "1 ok, 1 failed, 1 skipped" in farewell
    assert "NodeFailedError" not in farewell  # what failed is told, not what it is in
