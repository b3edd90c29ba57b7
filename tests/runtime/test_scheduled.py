"""A scheduled graph, on virtual time: days pass at once, and machines sleep."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest
from dagtop import DagtopError, ExecutorConfig, Graph, MetaDAG, OptionError, RunState, Scheduled, TaskContext
from dagtop.core.commands import StopTask
from dagtop.core.events import CommandApplied, RunFinished, TaskSucceeded
from dagtop.journal.sqlite import SqliteJournal
from dagtop.testing import EventLog, run_on_virtual_time

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 3, 28, 12, tzinfo=BERLIN).timestamp()
HOUR = 3600.0

pytestmark = pytest.mark.parametrize("loop", ["asyncio", "trio"])


class Wall:
    """The wall clock: it goes on with the loop's, also while the machine sleeps, when the loop's stands still."""

    def __init__(self, begin: float = BEGIN) -> None:
        self.ahead = begin
        self._zero: float | None = None

    def __call__(self) -> float:
        try:
            now = anyio.current_time()
        except (RuntimeError, anyio.NoEventLoopError):
            return self.ahead
        if self._zero is None:
            self._zero = now
        return self.ahead + now - self._zero


def graph_of(
    seconds: float = 0.0, wall: Callable[[], float] = lambda: 0.0, **options: object
) -> tuple[Graph, list[float]]:
    """A graph of one task that takes so long, and the hours after the beginning at which it began."""
    began: list[float] = []
    graph = Graph("nightly", **options)

    @graph.task
    async def work() -> None:
        began.append(round((wall() - BEGIN) / HOUR, 3))
        await anyio.sleep(seconds)

    return graph, began


def run_for(hours: float, scheduled: Scheduled, loop: str, *between: tuple[float, Callable[[], object]]) -> Scheduled:
    """Let it run for so many hours; `between`: what happens so many hours after the beginning."""

    async def at(hour: float, do: Callable[[], object]) -> None:
        await anyio.sleep(hour * HOUR)
        do()

    async def all_of_it() -> None:
        with anyio.move_on_after(hours * HOUR):
            async with anyio.create_task_group() as group:
                for hour, do in between:
                    group.start_soon(at, hour, do)
                await scheduled.run_forever()

    run_on_virtual_time(all_of_it, loop=loop)
    return scheduled


class TestRuns:
    def test_B44_each_due_time_is_a_run_of_its_own_also_when_clocks_go_forward(self, loop: str, tmp_path: Path) -> None:
        wall, log = Wall(), EventLog()
        graph, began = graph_of(60, wall, cron="30 2 * * *", timezone="Europe/Berlin")
        journal = SqliteJournal(tmp_path / "runs.db")
        scheduled = run_for(60, Scheduled(graph, journal=journal, recorders=[log], wall=wall), loop)
        assert [run.due and run.due.isoformat() for run in scheduled.runs] == [
            "2026-03-29T03:00:00+02:00",
            "2026-03-30T02:30:00+02:00",
        ]
        assert began == [14, 37.5]
        assert scheduled.count == len({run.run for run in scheduled.runs}) == 2
        assert {kept.run for kept in journal.runs()} == {run.run for run in scheduled.runs}
        assert len(log.of(RunFinished)) == 2
        assert scheduled.last is not None
        assert scheduled.last.state is RunState.SUCCEEDED
        assert scheduled.runs[0].duration == pytest.approx(60)
        journal.close()

    def test_B44_callbacks_of_the_graph_hear_of_every_run(self, loop: str) -> None:
        wall = Wall()
        graph, _ = graph_of(1, wall, every="1h")
        heard: list[str] = []

        @graph.on_event("run.finished")
        async def over(event: RunFinished) -> None:
            heard.append(event.state.value)

        run_for(3.5, Scheduled(graph, wall=wall), loop)
        assert heard == ["succeeded"] * 3

    def test_B44_a_run_that_fails_does_not_end_the_schedule(self, loop: str) -> None:
        wall = Wall()
        graph = Graph("nightly", every="1h")

        @graph.task
        async def fails() -> None:
            raise OSError("down")

        scheduled = run_for(2.5, Scheduled(graph, wall=wall), loop)
        assert [run.state for run in scheduled.runs] == [RunState.FAILED, RunState.FAILED]

    def test_B44_after_the_last_moment_it_comes_to_an_end_by_itself(self, loop: str) -> None:
        wall = Wall()
        graph, began = graph_of(1, wall, at=["2026-03-28 13:00", "2026-03-28 15:00"], timezone="Europe/Berlin")
        scheduled = run_for(1e6, Scheduled(graph, wall=wall), loop)
        assert began == [1, 3]
        assert scheduled.next_due is None

    def test_B44_cancelling_it_cancels_the_run_that_goes_on(self, loop: str) -> None:
        wall, log = Wall(), EventLog()
        graph, _ = graph_of(HOUR, wall, every="1h")
        run_for(1.5, Scheduled(graph, recorders=[log], wall=wall), loop)
        assert [event.state for event in log.of(RunFinished)] == [RunState.CANCELLED]


class TestSleep:
    def test_B44_a_machine_that_slept_through_the_night_makes_up_for_it_once(self, loop: str) -> None:
        wall = Wall()
        graph, began = graph_of(1, wall, cron="0 */2 * * *", timezone="Europe/Berlin", missed="once")

        def sleeps() -> None:
            wall.ahead += 9 * HOUR

        scheduled = run_for(3, Scheduled(graph, wall=wall), loop, (0.5, sleeps))
        (made_up, *_) = scheduled.runs
        assert made_up.made_up
        assert made_up.due is not None
        assert (made_up.due.hour, made_up.passed_over) == (20, 3)
        assert 9.5 <= began[0] <= 9.51

    def test_B44_it_wakes_up_within_seconds_of_a_due_time_that_is_near(self, loop: str) -> None:
        """The loop's clock stood still: a sleep of two hours would have gone on for two hours after waking up."""
        wall = Wall()
        graph, began = graph_of(1, wall, cron="0 21 * * *", timezone="Europe/Berlin")

        def sleeps() -> None:
            wall.ahead += 8.49 * HOUR

        run_for(2, Scheduled(graph, wall=wall), loop, (0.5, sleeps))
        assert began == [9]


class TestOverlap:
    def test_B44_a_queue_runs_what_was_due_meanwhile(self, loop: str) -> None:
        wall = Wall()
        graph, began = graph_of(1.4 * HOUR, wall, every="1h", overlap="queue")
        run_for(5.5, Scheduled(graph, wall=wall), loop)
        assert began == [1, 2.4, 3.8, 5.2]

    def test_B44_skip_leaves_it_out(self, loop: str) -> None:
        wall = Wall()
        graph, began = graph_of(1.4 * HOUR, wall, every="1h")
        run_for(5.5, Scheduled(graph, wall=wall), loop)
        assert began == [1, 3, 5]

    def test_B44_cancel_cancels_the_run_for_the_next_one(self, loop: str) -> None:
        wall, log = Wall(), EventLog()
        graph, began = graph_of(1.4 * HOUR, wall, every="1h", overlap="cancel")
        scheduled = run_for(3.5, Scheduled(graph, recorders=[log], wall=wall), loop)
        assert began == [1, 2, 3]
        assert [run.state for run in scheduled.runs] == [RunState.CANCELLED, RunState.CANCELLED]
        assert {run.reason for run in scheduled.runs} == {"the next run is due"}
        assert [event.by for event in log.of(CommandApplied)][:2] == ["the schedule", "the schedule"]

    def test_B44_cancel_leaves_a_run_alone_that_ends_in_time(self, loop: str) -> None:
        wall = Wall()
        graph, began = graph_of(0.4 * HOUR, wall, every="1h", overlap="cancel")
        scheduled = run_for(3.5, Scheduled(graph, wall=wall), loop)
        assert began == [1, 2, 3]
        assert {run.state for run in scheduled.runs} == {RunState.SUCCEEDED}


class TestByHand:
    def test_B44_it_runs_now_beside_the_schedule(self, loop: str) -> None:
        wall = Wall()
        graph, began = graph_of(60, wall, every="1h")
        scheduled = Scheduled(graph, wall=wall)
        run_for(1.5, scheduled, loop, (0.25, scheduled.run_now))
        assert began == [0.25, 1]
        assert [run.due is None for run in scheduled.runs] == [True, False]

    def test_B44_it_runs_now_only_when_nothing_runs(self, loop: str) -> None:
        wall = Wall()
        graph, _ = graph_of(HOUR / 2, wall, every="1h")
        scheduled = Scheduled(graph, wall=wall)
        refused: list[str] = []

        def now() -> None:
            with pytest.raises(DagtopError) as error:
                scheduled.run_now()
            refused.append(str(error.value))

        run_for(1.9, scheduled, loop, (1.25, now))
        assert refused == ["a run of 'nightly' goes on already; runs never go on side by side"]

    def test_B44_stop_lets_the_run_end_and_begins_no_other(self, loop: str) -> None:
        wall = Wall()
        graph, began = graph_of(HOUR / 2, wall, every="1h")
        scheduled = Scheduled(graph, wall=wall)
        run_for(9, scheduled, loop, (1.25, scheduled.stop))
        assert began == [1]
        assert scheduled.runs[0].state is RunState.SUCCEEDED
        assert scheduled.next_due is None

    def test_B44_stop_with_cancel_cancels_it(self, loop: str) -> None:
        wall = Wall()
        graph, _ = graph_of(HOUR / 2, wall, every="1h")
        scheduled = Scheduled(graph, wall=wall)
        run_for(9, scheduled, loop, (1.25, lambda: scheduled.stop(cancel=True)))
        assert scheduled.runs[0].reason == "the schedule was stopped"

    def test_B44_an_event_of_the_caller_ends_the_run_and_the_schedule(self, loop: str) -> None:
        wall, event = Wall(), threading.Event()
        graph, began = graph_of(1, wall, every="1h", cancel_event=event)
        run_for(9, Scheduled(graph, wall=wall), loop, (1.5, event.set))
        assert began == [1]

    def test_B44_it_waits_once(self, loop: str) -> None:
        wall = Wall()
        graph, _ = graph_of(1, wall, at="2026-03-28 13:00", timezone="Europe/Berlin")
        scheduled = run_for(3, Scheduled(graph, wall=wall), loop)
        with pytest.raises(DagtopError, match="make another one"):
            run_on_virtual_time(scheduled.run_forever, loop=loop)


class TestInAThread:
    def test_B44_it_runs_beside_the_program_and_stops_when_told(self, loop: str) -> None:
        """On the real clock: one run after another, as fast as the shortest interval allows."""
        ran = threading.Semaphore(0)
        graph = Graph("busy", every=0.01)

        @graph.task
        async def work(ctx: TaskContext) -> None:
            ran.release()

        with Scheduled(graph).start(loop=loop) as busy:
            assert busy.next_due is not None
            for _ in range(3):
                assert ran.acquire(timeout=20)
        busy.wait(20)
        assert busy.count == len(busy.runs) >= 3
        assert not busy.is_running
        with pytest.raises(DagtopError, match="make another one"):
            busy.start()


class TestRefusals:
    def test_B44_a_graph_that_is_never_due_is_refused(self, loop: str) -> None:
        with pytest.raises(OptionError, match="give it every=, cron= or at="):
            Scheduled(graph_of()[0])
        assert Scheduled(graph_of()[0], ExecutorConfig(every=5)).next_due is not None

    def test_nobody_waits_for_a_thread_that_was_not_started(self, loop: str) -> None:
        with pytest.raises(DagtopError, match="nothing to wait for"):
            Scheduled(graph_of(every=5)[0]).wait()


class TestNodes:
    """Nodes of a MetaDAG: one run that lasts, in which their tasks start over."""

    def meta(self, wall: Wall, **options: object) -> tuple[MetaDAG, list[tuple[str, float]]]:
        began: list[tuple[str, float]] = []

        def told(task: str, seconds: float) -> Callable[[], object]:
            async def work() -> None:
                began.append((task, round((wall() - BEGIN) / HOUR, 3)))
                await anyio.sleep(seconds)

            return work

        ingest = Graph("ingest", **({"every": "1h"} | options))
        ingest.add("page", told("page", 360)).add("store", told("store", 360), depends_on=["page"])
        report = Graph("report").add("total", told("total", 1))
        return MetaDAG("nightly").add(ingest).add(report, depends_on=["ingest"]), began

    def test_B44_the_tasks_of_a_node_start_over_at_its_due_times_and_no_others(self, loop: str) -> None:
        wall, log = Wall(), EventLog()
        meta, began = self.meta(wall)
        scheduled = Scheduled(meta, recorders=[log], wall=wall)
        run_for(99, scheduled, loop, (2.5, scheduled.stop))
        assert began == [
            ("page", 0),
            ("store", 0.1),
            ("total", 0.2),
            ("page", 1),
            ("store", 1.1),
            ("page", 2),
            ("store", 2.1),
        ]
        assert scheduled.count == 1
        assert scheduled.last is not None
        assert scheduled.last.state is RunState.SUCCEEDED
        applied = log.of(CommandApplied)
        assert {event.by for event in applied} == {"the schedule"}
        assert (
            applied[0].effect == "ingest/page runs again, 1 task after it keeps old results"
        )  # report/total; not its own

    def test_B44_what_a_person_has_stopped_is_not_started_by_its_due_time(self, loop: str) -> None:
        """The next due time brought it up again."""
        wall = Wall()
        meta, began = self.meta(wall)
        scheduled = Scheduled(meta, wall=wall)

        def stop_task() -> None:
            assert scheduled._executor is not None
            scheduled._executor.prepared.send(StopTask("ingest/store"), 1, "hand")

        run_for(99, scheduled, loop, (0.5, stop_task), (2.5, scheduled.stop))
        assert began == [("page", 0), ("store", 0.1), ("total", 0.2), ("page", 1), ("page", 2)]

    def test_B44_a_node_that_still_goes_on_is_not_begun_again(self, loop: str) -> None:
        wall = Wall()
        meta, began = self.meta(wall, every=600)
        scheduled = Scheduled(meta, wall=wall)
        run_for(99, scheduled, loop, (0.9, scheduled.stop))
        assert [at for task, at in began if task == "page"] == [0, pytest.approx(1200 / HOUR, abs=0.001), 0.667]

    def test_B44_services_stay_up_for_the_due_times_to_come(self, loop: str) -> None:
        """They were stopped after the first round, and a node that needs them failed at every later due time."""
        wall, log, heard = Wall(), EventLog(), list[float]()

        async def api(ctx: TaskContext) -> None:
            ctx.ready(0.0)
            await anyio.sleep_forever()

        async def look(north: dict[str, float]) -> None:
            heard.append(north["api"])

        north = Graph("north").add("api", api, restart="always")
        poll = Graph("poll", every="1h").add("look", look)
        last = Graph("last", at="2026-03-28 13:30", timezone="Europe/Berlin").add("once", lambda: 1)
        meta = MetaDAG("m").add(north).add(poll, depends_on=["north"]).add(last)
        scheduled = Scheduled(meta, recorders=[log], wall=wall)
        run_for(99, scheduled, loop, (2.5, scheduled.stop))
        assert heard == [0, 0, 0]
        assert [event.task for event in log.of(TaskSucceeded)].count("north/api") == 1
        assert scheduled.last is not None
        assert scheduled.last.state is RunState.SUCCEEDED

    def test_B44_when_no_moment_is_left_services_are_let_go(self, loop: str) -> None:
        wall, heard = Wall(), list[float]()

        async def api(ctx: TaskContext) -> None:
            ctx.ready(1.0)
            await anyio.sleep_forever()

        async def look(north: dict[str, float]) -> None:
            heard.append(north["api"])

        north = Graph("north").add("api", api, restart="always")
        poll = Graph("poll", at="2026-03-28 13:30", timezone="Europe/Berlin").add("look", look)
        scheduled = run_for(99, Scheduled(MetaDAG("m").add(north).add(poll, depends_on=["north"]), wall=wall), loop)
        assert heard == [1, 1]
        assert scheduled.last is not None
        assert scheduled.last.state is RunState.SUCCEEDED

    def test_B44_when_no_moment_is_left_the_run_ends(self, loop: str) -> None:
        wall = Wall()
        meta, began = self.meta(wall, every=None, at="2026-03-28 13:00", timezone="Europe/Berlin")
        scheduled = run_for(99, Scheduled(meta, wall=wall), loop)
        assert [at for task, at in began if task == "page"] == [0, 1]
        assert scheduled.next_due is None

    def test_B44_stop_with_cancel_ends_it_at_once(self, loop: str) -> None:
        wall = Wall()
        meta, _ = self.meta(wall)
        scheduled = Scheduled(meta, wall=wall)
        run_for(99, scheduled, loop, (1.05, lambda: scheduled.stop(cancel=True)))
        assert scheduled.last is not None
        assert scheduled.last.state is RunState.CANCELLED

    def test_B44_a_schedule_of_the_whole_is_as_that_of_a_graph_and_does_not_go_with_one_of_a_node(
        self, loop: str
    ) -> None:
        wall = Wall()
        meta, began = self.meta(wall, every=None)
        whole = MetaDAG("whole", every="2h").add(meta)
        run_for(4.5, Scheduled(whole, wall=wall), loop)
        assert [at for task, at in began if task == "page"] == [2, 4]
        both = MetaDAG("both", every="2h").add(self.meta(wall)[0])
        with pytest.raises(OptionError, match="only one of them can say when"):
            Scheduled(both)
