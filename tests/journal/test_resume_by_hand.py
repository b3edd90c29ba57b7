"""What people decided in an earlier process, what was set up there, and every kind of event: kept, or done again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, get_args

import msgspec
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, RunResult
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import Failure
from dagtop.core.plan import Plan
from dagtop.core.states import RunState
from dagtop.journal import chunks
from dagtop.journal.resume import Resumption, plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from dagtop.runtime.survival import orders_of
from journal_scene import Graph as Shape
from journal_scene import chain, plan_of, record_of
from test_journal_resume import Story

NO = Failure(error="ValueError", message="no")


def by_hand(command: cmd.Command, *events: ev.AnyEvent) -> Sequence[ev.AnyEvent]:
    return [ev.CommandApplied(5.0, command, 1, "eve", "done"), *events]


class TestSkips:
    def test_what_a_person_skipped_stays_skipped_with_the_reason(self) -> None:
        story = Story().succeed("a")
        story.happen(*by_hand(cmd.SkipTask("b"), ev.TaskSkipped(5.0, "b", "skipped by eve: no need")))
        plan = story.plan()
        assert plan.skipped == {"b": "skipped by eve: no need"}
        assert plan.left == ("c",)

    def test_also_if_its_code_changed_and_its_upstream_runs_again(self) -> None:
        story = Story().happen(*by_hand(cmd.SkipTask("b"), ev.TaskSkipped(5.0, "b", "skipped by eve")))
        plan = story.plan(chain("abc"), ["new"] * 3)
        assert plan.skipped == {"b": "skipped by eve"}
        assert plan.left == ("a", "c")

    def test_but_not_if_it_was_told_to_start_over_since(self) -> None:
        story = Story().happen(*by_hand(cmd.SkipTask("b"), ev.TaskSkipped(5.0, "b", "skipped by eve")))
        story.happen(ev.TaskRestarted(6.0, "b", "restarted by eve"), ev.TaskSkipped(7.0, "b", "upstream a failed"))
        plan = story.plan()
        assert plan.skipped == {}
        assert plan.left == ("a", "b", "c")

    def test_a_second_process_remembers_it_too(self) -> None:
        story = Story().happen(*by_hand(cmd.SkipTask("b"), ev.TaskSkipped(5.0, "b", "skipped by eve"))).go_on()
        assert story.plan().skipped == {"b": "skipped by eve"}


class TestMarks:
    def marked(self, attempt: int, value: Any) -> Story:
        story = Story().happen(ev.TaskFailed(3.0, "a", 1, NO))
        story.session.writer.output("b", attempt, value, given=True)
        return story.happen(
            *by_hand(cmd.MarkSucceeded("b"), ev.TaskSucceeded(5.0, "b", attempt, "marked by eve")),
        )

    @pytest.mark.parametrize("attempt", [0, 1])
    @pytest.mark.parametrize("value", [None, {"rows": [1, 2]}])
    def test_what_a_person_gave_is_kept_though_its_upstream_has_yet_to_run(self, attempt: int, value: Any) -> None:
        plan = self.marked(attempt, value).plan()
        assert plan.kept == {"b": value}
        assert plan.notes == {"b": "marked by eve"}
        assert plan.left == ("a", "c")

    def test_but_not_if_its_code_changed(self) -> None:
        plan = self.marked(0, 5).plan(chain("abc"), ["f", "new", "f"])
        assert plan.reruns == {"b": "its code or options changed"}

    def test_none_that_a_person_gave_takes_the_place_of_what_the_attempt_had_returned(self) -> None:
        story = Story().succeed("a", "b").happen(ev.TaskRestarted(9.0, "b", "restarted by eve"))
        story.session.writer.output("b", 1, None, given=True)
        story.happen(ev.TaskSucceeded(9.0, "b", 1, "marked by eve"))
        assert story.plan().kept == {"a": "a 1", "b": None}


class TestSwaps:
    def test_what_other_code_than_that_of_the_file_made_does_not_count(self) -> None:
        """Swapped while the run went on, and put back before it was resumed: the fingerprints are the same."""
        swap = ev.GraphChanged(4.0, "a new version of the graph", changed=("b",))
        plan = Story().succeed("a").happen(swap).succeed("b").plan()
        assert plan.reruns == {"b": "it had other code than the graph file of that time"}
        assert plan.kept == {"a": "a 1"}
        assert Story().succeed("a", "b").happen(swap).plan().reruns == {}


class TestApprovals:
    approval = (ev.GateWaiting(5.0, "b", "sure?"), ev.GateDecided(6.0, "b", True, "eve", ""))

    def test_one_counts_if_the_task_had_begun(self) -> None:
        plan = Story().succeed("a").happen(*self.approval, ev.TaskStarted(7.0, "b", 1)).plan()
        assert plan.approved == ("b",)

    @pytest.mark.parametrize(
        "after",
        [
            (),
            (ev.TaskStarted(7.0, "b", 1), ev.TaskRestarted(8.0, "b", "restarted by eve")),
            (ev.TaskStarted(7.0, "b", 1), ev.TaskSucceeded(8.0, "b", 1)),
        ],
    )
    def test_else_it_is_asked_for_again(self, after: Sequence[ev.AnyEvent]) -> None:
        assert Story().succeed("a").happen(*self.approval, *after).plan().approved == ()

    def test_or_if_its_code_is_another_now(self) -> None:
        story = Story().succeed("a").happen(*self.approval, ev.TaskStarted(7.0, "b", 1))
        assert story.plan(chain("abc"), ["f", "new", "f"]).approved == ()


class TestSetUps:
    SHAPE: ClassVar[Shape] = {"table": (), "load": ("table",), "index": ("load",), "check": ("index",), "other": ()}

    def plan(self, story: Story, *cleans_up: str) -> Resumption:
        story.session.writer.close()
        plan: Plan = plan_of(self.SHAPE)
        plan = replace(plan, cleans_up=frozenset(plan.index[name] for name in cleans_up))
        return plan_resumption(story.journal.load("r1"), plan, ["f"] * len(plan))

    def test_a_task_with_a_setup_runs_again_if_anything_downstream_of_it_has_to(self) -> None:
        story = Story(self.SHAPE).succeed("table", "load", "other")
        plan = self.plan(story, "table", "other")
        assert plan.reruns == {
            "table": "what it had set up is gone, and index has to run",
            "load": "its upstream table runs again",
        }
        assert plan.kept == {"other": "other 1"}

    def test_so_does_one_whose_result_was_good_until_another_one_had_to_run_again(self) -> None:
        story = Story(self.SHAPE).succeed("table", "load", "index", "other")
        assert list(self.plan(story, "load", "table").reruns) == ["table", "load", "index"]

    def test_but_not_if_everything_downstream_is_done(self) -> None:
        story = Story(self.SHAPE).succeed("table", "load", "index", "check")
        plan = self.plan(story, "table")
        assert plan.reruns == {}
        assert plan.left == ("other",)


class TestEvents:
    FILLED: ClassVar[dict[Any, Any]] = {
        float: 1.5,
        int: 3,
        str: "text",
        bool: True,
        RunState: RunState.FAILED,
        Failure: NO,
        dict[str, int]: {"succeeded": 1},
        dict[str, Any]: {"timeout": 2.5},
        dict[str, tuple[str, ...]]: {"report": ("page",)},
        tuple[str, ...]: ("a", "b"),
        tuple[ev.AddedTask, ...]: (ev.AddedTask("page", ("start",)),),
        cmd.Command: cmd.RejectTask("a", "not today"),
    }

    def filled(self, kind: Any) -> Any:
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(kind):
            wanted = field.type
            if wanted not in self.FILLED:
                wanted = next((one for one in get_args(wanted) if one in self.FILLED), wanted)
            values[field.name] = self.report() if wanted is EscalationReport else self.FILLED[wanted]
        return kind(**values)

    @staticmethod
    def report() -> EscalationReport:
        graph = Graph("g").add("a", lambda: 1 / 0)
        (made,) = graph.run().escalations
        return made

    @pytest.mark.parametrize("kind", get_args(ev.AnyEvent), ids=lambda kind: kind.__name__)
    @pytest.mark.parametrize("odd", [False, True], ids=["plain", "beside an odd one"])
    def test_every_event_comes_back_as_it_was(self, kind: Any, odd: bool) -> None:
        event = self.filled(kind)
        batch = [event, ev.TaskReady(2.0, "\udcff")] if odd else [event]
        chunk = chunks.encode(batch, set(map(type, batch)))
        assert chunks.decode(chunk.format, chunk.blob) == batch
        assert chunk.replaced == 0

    def test_events_of_before_some_fields_were_there_can_be_read(self) -> None:
        lines = (
            b'{"type":"limit.changed","at":1.0,"limit":3,"reason":"by hand"}\n'
            b'{"type":"task.succeeded","at":1.0,"task":"a","attempt":1}\n'
            b'{"type":"graph.changed","at":1.0,"reason":"spawned by a","added":[{"name":"b"}]}\n'
        )
        assert chunks.decode(chunks.LINES, lines) == [
            ev.LimitChanged(1.0, 3, "by hand", "max_parallel"),
            ev.TaskSucceeded(1.0, "a", 1, ""),
            ev.GraphChanged(1.0, "spawned by a", (ev.AddedTask("b"),)),
        ]


class TestInRuns:
    """The same through executors."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> SqliteJournal:
        return SqliteJournal(tmp_path / "journal.db")

    def resumed(self, graph: Graph, file: SqliteJournal) -> tuple[RunResult, list[ev.AnyEvent]]:
        stored = file.load("last")
        resumption = plan_resumption(stored, graph.validate(), graph.fingerprints())
        result = asyncio.run(DAGExecutor(graph, journal=file, resume=resumption).run())
        return result, list(file.load("last").events(resumption.next_event))

    def test_a_skip_and_a_mark_hold_and_what_is_after_them_follows(self, file: SqliteJournal) -> None:
        ran: list[str] = []
        fails = True

        decided = threading.Event()

        def flaky() -> int:
            decided.wait(60)
            if fails:
                raise ValueError("no")
            return 1

        def graph() -> Graph:
            made = Graph("g")
            made.add("flaky", flaky)
            made.add("skipped", lambda flaky: ran.append("skipped"))
            made.add("after_skipped", lambda skipped: ran.append("after_skipped"))
            made.add("marked", lambda flaky: ran.append("marked"))
            made.add("after_marked", lambda marked, flaky: marked + flaky)
            return made

        with DAGExecutor(graph(), ExecutorConfig(max_parallel=1), journal=file).start() as run:
            run.skip("skipped", reason="no need").wait(60)
            run.mark_succeeded("marked", 41, reason="counted by hand").wait(60)
            decided.set()
        assert not run.result.ok
        fails = False
        result, events = self.resumed(graph(), file)
        assert ran == []
        assert result["after_marked"].output == 42
        assert result["marked"].reason == "marked by the program: counted by hand"
        states = {task.name: task.state.value for task in result}
        assert (states["skipped"], states["after_skipped"]) == ("skipped", "skipped")
        assert any(isinstance(event, ev.TaskSkipped) and event.reason.endswith("no need") for event in events)
        assert result.ok

    def test_a_task_that_was_let_through_and_begun_is_not_asked_for_again(self, file: SqliteJournal) -> None:
        writer = file.begin(record_of("r1", {"a": (), "b": ()}), print_nothing)
        writer.record(
            1,
            [
                ev.RunStarted(0.0, "r1", "g", 0.0, 2, 4),
                ev.GateWaiting(1.0, "a", ""),
                ev.GateDecided(1.0, "a", True, "eve", ""),
                ev.TaskStarted(1.0, "a", 1),
            ],
        )
        writer.close()
        again = Graph("g").add("a", lambda: 1, gate=True).add("b", lambda: 2, gate=True)

        @again.on_event("gate.waiting")
        def approve(event: Any) -> None:
            asked.append(event.task)
            file_run.approve(event.task)

        asked: list[str] = []
        resumption = plan_resumption(file.load("last"), again.validate(), again.fingerprints(), trust_changes=True)
        assert resumption.approved == ("a",)
        file_run = DAGExecutor(again, journal=file, resume=resumption).start()
        assert file_run.wait().ok
        assert asked == ["b"]

    def test_the_code_of_a_setup_counts_as_the_tasks_own(self) -> None:
        def one() -> int:
            return 1

        def two() -> int:
            return 2

        def work() -> int:
            return 3

        def mark(setup: Any) -> tuple[str, ...]:
            return Graph("g").add("a", work, setup=setup).fingerprints()

        assert mark(one) != mark(two)
        assert mark(one) == mark(one)
        assert mark(one) != Graph("g").add("a", work).fingerprints()


class TestEscalations:
    def test_B15_what_was_told_and_who_looks_after_it_is_known_to_the_next_process(self) -> None:
        report = TestEvents.report()
        story = Story().succeed("a")
        story.happen(
            ev.TaskEscalated(2.0, "b", report),
            *by_hand(cmd.AcknowledgeEscalation(1, "mine"), ev.EscalationAcknowledged(5.0, "b", 1, "hand", "mine")),
        )
        plan = story.plan()
        assert plan.escalations == (report,)
        assert plan.acknowledged == {1: ev.EscalationAcknowledged(5.0, "b", 1, "hand", "mine")}
        taken_back = story.go_on().happen(ev.EscalationAcknowledged(6.0, "b", 1, "hand", withdrawn=True)).plan()
        assert (taken_back.escalations, taken_back.acknowledged) == ((report,), {})

    def test_B15_a_run_that_goes_on_still_has_them_and_counts_on(self, tmp_path: Path) -> None:
        journal = SqliteJournal(tmp_path / "runs.db")
        graph = Graph("g").add("a", lambda: 1 / 0)
        run = DAGExecutor(graph, journal=journal).start()
        run.wait()
        resumption = plan_resumption(journal.load("last"), graph.validate(), graph.fingerprints(), trust_changes=True)
        again = DAGExecutor(graph, journal=journal, resume=resumption).start().wait()
        assert [one.number for one in again.escalations] == [1, 2]
        stored = [event.report for event in journal.load("last").events() if isinstance(event, ev.TaskEscalated)]
        assert stored == list(again.escalations)

    def test_B22_settings_of_breakers_that_a_person_changed_are_kept(self) -> None:
        story = Story().happen(*by_hand(cmd.SetBreaker("api", failure_threshold=2, window=0.0)))
        story.happen(*by_hand(cmd.SetBreaker("api", failure_threshold=9)))
        kept = story.plan()
        assert kept.breakers == {"api": {"failure_threshold": 9, "window": 0.0, "failure_rate": 0}}
        assert orders_of(kept, chain("abc")) == (
            cmd.SetBreaker("api", failure_threshold=9, window=0.0, failure_rate=0),
        )


def print_nothing(task: str, message: str) -> None:
    raise AssertionError(message)
