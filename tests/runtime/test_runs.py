"""Whole runs: from outside, many at once, with callbacks and recorders that misbehave (B4, B14, B16, B17)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, DagtopError, ExecutorConfig, Graph, RunResult, RunState, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from engine_driver import Live, Watch, check_books, live, run_all

pytestmark = pytest.mark.anyio


async def _nothing() -> None:
    pass


async def _broken() -> None:
    raise ValueError("broken")


class TestFailure:
    async def test_B13_a_failure_reaches_downstream_at_once(self) -> None:
        graph = Graph("g")
        go_on = anyio.Event()

        @graph.task
        async def slow() -> None:
            await go_on.wait()

        graph.add("bad", _broken)
        graph.add("join", _nothing, depends_on=["slow", "bad"])
        async with live(graph) as run:
            skipped = await run.until(ev.TaskSkipped, "join")
            assert skipped.reason == "upstream bad failed"
            assert run.state("slow") is TaskState.RUNNING
            go_on.set()

    async def test_B14_fail_fast_cancels_nothing_that_runs_and_starts_nothing_new(self) -> None:
        graph = Graph("g", fail_fast=True)
        go_on = anyio.Event()

        @graph.task
        async def runs() -> str:
            await go_on.wait()
            return "done"

        graph.add("bad", _broken)
        graph.add("after", _nothing, depends_on=["runs"])
        async with live(graph) as run:
            await run.until(ev.TaskFailed, "bad")
            go_on.set()
        assert run.result is not None
        assert run.result["runs"].output == "done"
        assert (run.result["after"].state, run.result["after"].reason) == (TaskState.CANCELLED, "fail_fast: bad failed")
        assert run.result.state is RunState.FAILED

    async def test_B14_without_it_independent_branches_go_on(self) -> None:
        graph = Graph("g").add("bad", _broken).add("good", _nothing).add("after", lambda good: 1)
        result = (await run_all(graph)).result
        assert result is not None
        assert result.counts == {"succeeded": 2, "failed": 1}


class TestFromOutside:
    async def test_B23_a_scope_around_the_run_cancels_it_and_it_cleans_up_first(self) -> None:
        graph, cleaned = Graph("g"), anyio.Event()

        @graph.task
        async def cleans() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()
                cleaned.set()

        run = _prepared(graph)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(run.executor.run)
                await run.until(ev.TaskStarted)
                scope.cancel()
        assert scope.cancelled_caught
        assert cleaned.is_set()
        assert (await run.until(ev.RunFinished)).state is RunState.CANCELLED
        check_books(run)

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    @pytest.mark.parametrize("times", [1, 2, 5])
    async def test_B23_native_cancels_however_many_do_not_cut_clean_up_short(self, times: int) -> None:
        graph = Graph("g")
        go_on, cleaned = asyncio.Event(), []

        @graph.task
        async def cleans() -> None:
            try:
                await asyncio.sleep(1_000)
            finally:
                await go_on.wait()
                cleaned.append(1)

        run = _prepared(graph)
        task = asyncio.create_task(run.executor.run())
        await run.until(ev.TaskStarted)
        for _ in range(times):
            task.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        assert run.state("cleans") is TaskState.CANCELLING
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned == [1]
        assert task.cancelled()
        check_books(run)

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_B23_wait_for_ends_the_run(self) -> None:
        graph = Graph("g").add("t", anyio.sleep_forever)
        run = _prepared(graph)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run.executor.run(), 0.01)
        check_books(run)

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_B23_a_run_that_drains_is_cancelled_from_outside_too(self) -> None:
        """The cancellation was taken for a second one, and refused."""
        graph = Graph("g").add("t", anyio.sleep_forever)
        run = _prepared(graph)
        task = asyncio.create_task(run.executor.run())
        await run.until(ev.TaskStarted)
        await run.command(cmd.DrainRun())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert run.state("t") is TaskState.CANCELLED

    async def test_B23_a_run_cancelled_before_it_begins_starts_nothing(self) -> None:
        graph, begun = Graph("g"), []
        graph.add("t", lambda: begun.append(1))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await DAGExecutor(graph, capture=False).run()
            await anyio.lowlevel.checkpoint()
        assert scope.cancelled_caught


class TestManyRuns:
    async def test_B4_one_graph_runs_many_times_at_once_in_one_loop(self) -> None:
        graph = _counting()
        results: dict[int, RunResult] = {}

        async def one(number: int) -> None:
            results[number] = await DAGExecutor(graph, ExecutorConfig(inputs={"number": number}), capture=False).run()

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(one, number)
        assert {number: result["third"].output for number, result in results.items()} == {n: n + 3 for n in range(20)}
        assert len({result.run for result in results.values()}) == 20

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_B4_and_in_many_threads(self) -> None:
        graph = _counting()
        outputs: dict[int, int] = {}

        def one(number: int) -> None:
            outputs[number] = graph.run(inputs={"number": number})["third"].output

        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await anyio.to_thread.run_sync(thread.join)
        assert outputs == {n: n + 3 for n in range(8)}

    async def test_B4_a_graph_that_grows_while_it_runs_does_not_change_that_run(self) -> None:
        graph, go_on = Graph("g"), anyio.Event()

        @graph.task
        async def first() -> None:
            await go_on.wait()

        async with live(graph) as run:
            await run.until(ev.TaskStarted)
            graph.add("second", lambda first: 2)
            go_on.set()
        assert run.result is not None
        assert len(run.result) == 1
        second = (await run_all(graph)).result
        assert second is not None
        assert second["second"].output == 2

    async def test_an_executor_runs_once(self) -> None:
        executor = DAGExecutor(Graph("g").add("a", _nothing), capture=False)
        with pytest.raises(DagtopError, match="has not begun"):
            executor.result()
        await executor.run()
        with pytest.raises(DagtopError, match="runs once"):
            executor.prepare()

    async def test_graph_run_works_where_a_loop_runs_already(self) -> None:
        assert Graph("g").add("a", lambda: 7).run()["a"].output == 7


class TestCallbacks:
    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_B16_a_callback_gets_every_event_in_order(self, kind: str) -> None:
        seen: list[ev.AnyEvent] = []

        async def awaited(event: ev.AnyEvent) -> None:
            await anyio.lowlevel.checkpoint()
            seen.append(event)

        graph = Graph("g", on_event=seen.append if kind == "sync" else awaited)
        graph.add("a", _nothing).add("b", lambda a: 1)
        run = await run_all(graph)
        assert seen == run.events
        assert isinstance(seen[-1], ev.RunFinished)

    @pytest.mark.parametrize("kind", ["sync", "async"])
    @pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
    async def test_B16_one_that_raises_is_shown_and_called_again(self, kind: str, error: BaseException) -> None:
        seen: list[ev.AnyEvent] = []
        told = anyio.Event()

        def fails(event: ev.AnyEvent) -> None:
            seen.append(event)
            raise error

        async def fails_async(event: ev.AnyEvent) -> None:
            fails(event)

        graph = Graph("g", on_event=fails if kind == "sync" else fails_async)

        @graph.task
        async def waits() -> None:
            await told.wait()

        async with live(graph) as run:
            problem = await run.until(ev.Problem, count=2)
            told.set()
        assert problem.source == "on_event"
        assert type(error).__name__ in problem.message
        assert run.result is not None
        assert run.result.ok
        assert len(seen) == len(run.events)

    async def test_B16_a_callback_that_meets_a_cancellation_of_its_own_does_not_cancel_the_run(self) -> None:
        """It let through what something that it awaited had been cancelled with, and that ended all tasks."""

        async def meets(event: ev.AnyEvent) -> None:
            raise asyncio.CancelledError

        graph = Graph("g", on_event=meets).add("a", _nothing).add("b", _nothing, depends_on=["a"])
        with anyio.fail_after(20):
            result = await DAGExecutor(graph).run()
        assert result.counts == {"succeeded": 2}

    async def test_B16_a_slow_callback_does_not_slow_the_run(self) -> None:
        """It is still at its first event when the run has ended."""
        ended, seen = threading.Event(), []

        def slow(event: ev.AnyEvent) -> None:
            ended.wait(20)
            seen.append(event)

        graph = Graph("g", on_event=slow).add("a", _nothing).add("b", _nothing, depends_on=["a"])
        async with live(graph) as run:
            await run.until(ev.RunFinished)
            assert not seen
            ended.set()
        assert len(seen) == len(run.events)

    async def test_B16_the_decorator_returns_the_function(self) -> None:
        assert Graph("g").task(_nothing) is _nothing
        assert Graph("g").task(retries=1)(_broken) is _broken


class TestHangingCallback:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        from trio.testing import MockClock

        return "trio", {"clock": MockClock(autojump_threshold=0)}

    async def test_B16_an_async_callback_that_hangs_does_not_keep_the_run(self) -> None:
        """The end of the run waited for it ten seconds, and then for ever."""

        async def hangs(event: ev.AnyEvent) -> None:
            await anyio.sleep_forever()

        run = await run_all(Graph("g", on_event=hangs).add("a", _nothing))
        assert run.result is not None
        assert run.result.ok

    async def test_B16_nor_does_a_plain_one(self) -> None:
        stuck = threading.Event()
        run = await run_all(Graph("g", on_event=lambda event: stuck.wait(60)).add("a", _nothing))
        stuck.set()
        assert run.result is not None
        assert run.result.ok


class TestRecorders:
    async def test_B16_a_recorder_that_raises_is_told_of_and_left_out(self) -> None:
        class Breaks:
            calls = 0

            def record(self, first: int, batch: Sequence[ev.AnyEvent]) -> None:
                self.calls += 1
                raise OSError("disk full")

        breaks, watch = Breaks(), Watch()
        graph = Graph("g").add("a", _nothing).add("b", lambda a: 1)
        result = await DAGExecutor(graph, recorders=[breaks, watch], capture=False).run()
        assert result.ok
        assert breaks.calls == 1
        (problem,) = watch.of(ev.Problem)
        assert (problem.source, problem.message) == ("Breaks", "left out from now on: OSError: disk full")
        assert watch.numbers == list(range(1, len(watch.events) + 1))

    async def test_B17_an_output_that_cannot_be_stored_is_a_problem_and_the_task_still_succeeded(self) -> None:
        class Writer(Watch):
            stored: dict[str, Any]
            committed = 0

            def __init__(self, tell: Any) -> None:
                super().__init__()
                self.stored, self.closed, self._tell = {}, False, tell

            def output(self, task: str, attempt: int, value: Any, *, given: bool = False) -> None:
                if isinstance(value, threading.Event):
                    self._tell(task, "its output cannot be stored: it is an Event")
                else:
                    self.stored[task] = value

            def took(self, names: Any, fingerprints: Any, seconds: Any) -> None: ...

            def listen(self, take: Any) -> None: ...

            def statistics(self) -> None: ...

            def close(self, timeout: float = 5.0) -> bool:
                self.closed = True
                return True

        class Kept:
            writer: Writer

            def begin(self, record: Any, on_problem: Any) -> Writer:
                self.record = record
                self.writer = Writer(on_problem)
                return self.writer

            def usual(self, *asked: Any) -> dict[str, Any]:
                return {}

        kept, watch = Kept(), Watch()
        graph = Graph("g").add("odd", threading.Event).add("plain", lambda odd: 5)
        result = await DAGExecutor(graph, journal=kept, recorders=[watch], capture=False).run()  # type: ignore[arg-type]
        assert result.ok
        assert kept.writer.stored == {"plain": 5}
        assert kept.writer.closed
        assert kept.record.names == ("odd", "plain")
        (problem,) = watch.of(ev.Problem)
        assert (problem.source, problem.task) == ("journal", "odd")
        assert kept.writer.events == watch.events

    async def test_B17_a_journal_that_cannot_be_opened_is_a_problem_and_the_run_goes_on(self, tmp_path: Any) -> None:
        (tmp_path / "file").write_text("x")
        watch = Watch()
        executor = DAGExecutor(
            Graph("g").add("a", _nothing), journal=tmp_path / "file" / "runs.db", recorders=[watch], capture=False
        )
        assert (await executor.run()).ok
        (problem,) = watch.of(ev.Problem)
        assert "this run is not kept" in problem.message

    async def test_B17_a_journal_that_gets_no_thread_is_a_problem_and_the_run_goes_on(
        self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was told as a bug in dagtop, with two tracebacks, and nothing ran."""
        start = threading.Thread.start

        def none_left(self: threading.Thread) -> None:
            if self.name == "dagtop-journal":
                raise RuntimeError("can't start new thread")
            start(self)

        monkeypatch.setattr(threading.Thread, "start", none_left)
        watch = Watch()
        executor = DAGExecutor(
            Graph("g").add("a", _nothing), journal=tmp_path / "runs.db", recorders=[watch], capture=False
        )
        assert (await executor.run()).ok
        (problem,) = watch.of(ev.Problem)
        assert problem.message.startswith("this run is not kept: the journal ")
        assert "has no thread that writes it" in problem.message


def _prepared(graph: Graph) -> Live:
    run = Live(DAGExecutor(graph, ExecutorConfig(), capture=False))
    run.engine.add_recorders([run])
    return run


def _counting() -> Graph:
    graph = Graph("g", inputs={"number": 0})

    @graph.task
    async def first(number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number + 1

    graph.add("second", lambda first: first + 1)
    graph.add("third", lambda second: second + 1)
    return graph


def test_a_result_that_is_not_there_names_the_nearest_task() -> None:
    result = Graph("g").add("load_orders", lambda: 1).run()
    with pytest.raises(KeyError, match=r"no task 'load_order'; did you mean 'load_orders'\?"):
        result["load_order"]


def test_results_read_well() -> None:
    graph = Graph("g").add("a", lambda: time.sleep(0)).add("b", lambda a: 1 / 0).add("c", lambda b: 1)
    result = graph.run()
    assert "1 succeeded, 1 failed, 1 skipped" in repr(result)
    assert "a" in result
    assert "z" not in result
    assert repr(result["a"]) == f"TaskResult('a', succeeded, 1 attempt, {result['a'].duration:.3f} s)"
    assert repr(result["b"]) == f"TaskResult('b', failed, 1 attempt, {result['b'].duration:.3f} s, ZeroDivisionError)"
    assert repr(result["c"]) == "TaskResult('c', skipped)"
    plain = result.to_dict()
    assert plain["counts"] == {"succeeded": 1, "failed": 1, "skipped": 1}
    assert plain["tasks"][1]["failure"]["error"] == "ZeroDivisionError"
    assert [task.name for task in result] == ["a", "b", "c"]
