"""From a run to its report."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.failure import AttemptRecord
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RunState, TaskState
from dagtop.observe.report import Report, ReportRecorder, collect, collect_snapshot
from dagtop.observe.report.commands import command_text
from dagtop.observe.report.json import from_json, to_json
from report_scene import FakeRun, FakeTask, big_run, failure, plan_of, small_run


def task_of(report: Report, name: str):  # type: ignore[no-untyped-def]
    return next(task for task in report.tasks if task.name == name)


def test_a_report_tells_the_run() -> None:
    report = collect(small_run(), inputs={"day": "monday", "token": "x"}, source="etl.py")
    assert (report.schema, report.graph, report.state, report.source) == (
        "dagtop-report/1",
        "orders",
        "failed",
        "etl.py",
    )
    assert (report.started, report.finished) == ("2025-01-02T03:04:05.250000Z", "2025-01-02T03:04:09.450000Z")
    assert report.counts == {"succeeded": 3, "failed": 1, "skipped": 1}
    assert (report.task_count, report.attempt_count) == (5, 6)
    assert report.peak_parallel == 2
    assert report.inputs["day"].text == "'monday'"
    assert "x" not in report.inputs["token"].text


def test_a_report_tells_each_task() -> None:
    report = collect(small_run())
    extract = task_of(report, "extract")
    assert (extract.queue_time, extract.run_time, extract.place) == (0.1, 1.0, "etl.py:5")
    assert extract.output.size == 3
    load = task_of(report, "load")
    assert [a.ending for a in load.timeline] == ["failed"] * 3
    assert load.failure.error == "OperationalError"
    assert load.started_at == pytest.approx(1.1)
    join = task_of(report, "join")
    assert (join.reason, join.timeline, join.started_at) == ("upstream load failed", (), None)
    assert join.upstream == ("clean", "load")


def test_the_critical_path_is_the_chain_that_took_longest_and_ran() -> None:
    report = collect(small_run())
    assert report.critical_path == ("extract", "load")
    assert report.critical_path_time == pytest.approx(1.0 + 3.0)
    assert [t.name for t in report.tasks if t.on_critical_path] == ["extract", "load"]


def test_a_task_that_succeeded_at_last_shows_its_failed_attempts_and_no_failure() -> None:
    past = AttemptRecord(number=1, started_at=0.0, ended_at=1.0, ending="timed_out", failure=failure())
    task = FakeTask("a", attempts=2, started_at=2.0, ended_at=3.0, ready_at=1.5, failure=failure(), history=(past,))
    told = collect(FakeRun(plan_of("g", {"a": []}), [task], duration=3.0)).tasks[0]
    assert [(a.number, a.ending) for a in told.timeline] == [(1, "timed_out"), (2, "succeeded")]
    assert told.failure is None
    assert (told.queue_time, told.run_time, told.elapsed) == (0.5, 2.0, 3.0)


def test_the_recorder_adds_successes_that_a_restart_threw_away() -> None:
    recorder = ReportRecorder()
    recorder.record(
        1,
        [
            ev.RunStarted(0.0, "r", "g", 0.0, 1, 8),
            ev.TaskStarted(0.0, "a", 1),
            ev.TaskSucceeded(1.0, "a", 1),
            ev.TaskRestarted(5.0, "a", "by hand"),
            ev.TaskStarted(6.0, "a", 2),
            ev.TaskSucceeded(8.0, "a", 2),
        ],
    )
    task = FakeTask("a", attempts=2, ready_at=5.0, started_at=6.0, ended_at=8.0)
    report = collect(FakeRun(plan_of("g", {"a": []}), [task], duration=8.0), recorder=recorder)
    assert [(a.number, a.started_at, a.ended_at) for a in report.tasks[0].timeline] == [(1, 0.0, 1.0), (2, 6.0, 8.0)]
    told = report.tasks[0]
    assert (told.run_time, told.elapsed, told.queue_time, report.max_parallel) == (3.0, 2.0, 1.0, 8)


def test_the_recorder_stays_bounded() -> None:
    recorder = ReportRecorder(attempts=10)
    for n in range(3000):
        recorder.record(
            n,
            [
                ev.TaskStarted(n, f"t{n}", 1),
                ev.TaskSucceeded(n + 1, f"t{n}", 1),
                ev.CommandApplied(n, cmd.PauseRun(), n, "me", "paused"),
                ev.Problem(n, "callback", "broke"),
                ev.RunPaused(n),
                ev.RunContinued(n + 0.5),
            ],
        )
    report = collect(FakeRun(plan_of("g", {"a": []}), [FakeTask("a")]), recorder=recorder)
    assert len(recorder.attempts) == 10
    assert (len(report.commands), report.commands_left_out) == (1000, 2000)
    assert (len(report.problems), report.problems_left_out) == (200, 2800)
    assert len(report.pauses) == 200


def test_outputs_that_cannot_be_kept_are_one_line_of_a_report() -> None:
    recorder = ReportRecorder()
    recorder.record(1, [ev.Problem(1.0, "journal", "the output is a set", f"t{n}") for n in range(1_000)])
    report = collect(FakeRun(plan_of("g", {"a": []}), [FakeTask("a")]), recorder=recorder)
    assert [(one.task, one.message) for one in report.problems] == [
        ("t0", "the output is a set; so it is with 999 more")
    ]
    assert report.problems_left_out == 0


def test_live_edits_tell_who_when_and_what_came_of_it() -> None:
    recorder = ReportRecorder()
    recorder.record(
        1,
        [
            ev.CommandApplied(1.0, cmd.RestartTask("load", True), 1, "ann", "restarts 2 tasks"),
            ev.CommandRefused(2.0, cmd.SetMaxParallel(0), 2, "bob", "the limit must be at least 1"),
        ],
    )
    applied, refused = collect(small_run(), recorder=recorder).commands
    assert (applied.by, applied.command, applied.applied) == ("ann", "restart load and everything after it", True)
    assert (refused.at, refused.applied, refused.answer) == (2.0, False, "the limit must be at least 1")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (cmd.CancelTask("a"), "cancel a"),
        (cmd.HoldTask("a"), "hold a"),
        (cmd.ReleaseTask("a"), "release a"),
        (cmd.RestartTask("a"), "restart a"),
        (cmd.PauseRun(), "pause the run"),
        (cmd.ContinueRun(), "continue the run"),
        (cmd.DrainRun(), "drain the run"),
        (cmd.CancelRun(), "cancel the run: cancelled by hand"),
        (cmd.AbandonRun(), "abandon what does not stop, and end the run"),
        (cmd.SetMaxParallel(4), "set max_parallel to 4"),
        (cmd.SetPolicy("a", retries=5, timeout=2.0), "set retries=5, timeout=2.0 of a"),
    ],
)
def test_commands_are_told_in_words(command: cmd.Command, text: str) -> None:
    assert command_text(command) == text


def test_a_pause_ends_with_the_run_if_nobody_continued_it() -> None:
    recorder = ReportRecorder()
    recorder.record(1, [ev.RunPaused(1.0), ev.RunContinued(2.0), ev.RunPaused(3.0)])
    pauses = collect(small_run(), recorder=recorder).pauses
    assert [(p.started_at, p.ended_at) for p in pauses] == [(1.0, 2.0), (3.0, 4.2)]


def test_a_run_that_goes_on_can_be_reported() -> None:
    plan = plan_of("g", {"a": [], "b": ["a"]})
    rows = (
        TaskRow(index=0, name="a", state=TaskState.RUNNING, attempt=1, ready_at=0.0, started_at=1.0),
        TaskRow(index=1, name="b", state=TaskState.WAITING, stale=True),
    )
    snapshot = RunSnapshot(
        graph="g", state=RunState.RUNNING, at=5.0, plan=plan, rows=rows, max_parallel=3,
        answers=(ev.CommandApplied(1.0, cmd.PauseRun(), 1, "me", "paused"),),
    )  # fmt: skip
    report = collect_snapshot(snapshot)
    assert (report.state, report.duration, report.max_parallel, len(report.commands)) == ("running", 5.0, 3, 1)
    assert (report.tasks[0].timeline[0].ending, report.tasks[0].run_time) == ("running", 4.0)
    assert report.tasks[1].stale


def test_an_empty_graph_has_a_report() -> None:
    report = collect(FakeRun(plan_of("g", {}), [], duration=0.0))
    assert (report.task_count, report.counts, report.critical_path, report.peak_parallel) == (0, {}, (), 0)


def test_the_json_reads_back_to_the_same_report() -> None:
    recorder = ReportRecorder()
    recorder.record(1, [ev.Problem(1.0, "journal", "full"), ev.RunPaused(0.0)])
    report = collect(big_run(50, bad=5, width=5), recorder=recorder, inputs={"n": 1})
    assert from_json(to_json(report)) == report


def test_hostile_text_survives_into_the_json() -> None:
    name = "a\udcff\x00\x1b<b>\u202e"
    report = collect(FakeRun(plan_of("g\ud800", {name: []}), [FakeTask(name, reason="\udcff")]))
    told = from_json(to_json(report)).tasks[0]
    assert told.name == "a\\udcff\x00\x1b<b>\u202e"
    assert told.reason == "\\udcff"
