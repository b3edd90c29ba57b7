"""Cancelling tasks and runs while they run (B22, B23, B37)."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator

import anyio
import anyio.lowlevel
import pytest
import sniffio
from dagtop import DAGExecutor, ExecutorConfig, Graph, RunState, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from engine_driver import Live, check_books, live

pytestmark = pytest.mark.anyio


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Threads that wait for this go on waiting until the test is over."""
    event = threading.Event()
    yield event
    event.set()


class TestOneTask:
    async def test_B23_finally_blocks_may_await_and_the_rest_of_the_run_goes_on(self) -> None:
        graph = Graph("g")
        steps: list[str] = []
        cleaning, go_on = anyio.Event(), anyio.Event()

        @graph.task
        async def cleans() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                cleaning.set()
                with anyio.CancelScope(shield=True):  # needed on trio, harmless on asyncio
                    await go_on.wait()
                steps.append("clean")

        @graph.task
        async def other() -> int:
            await go_on.wait()
            return 5

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "cleans")
            await run.command(cmd.CancelTask("cleans"))
            await cleaning.wait()
            assert run.state("cleans") is TaskState.CANCELLING
            again = await run.command(cmd.CancelTask("cleans"))
            assert isinstance(again, ev.CommandRefused)
            assert not steps
            go_on.set()
        assert steps == ["clean"]
        assert run.result is not None
        assert run.result["cleans"].state is TaskState.CANCELLED
        assert run.result["cleans"].reason == "cancelled by a person"
        assert run.result["other"].output == 5

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_B23_on_asyncio_a_cancel_comes_once_as_asyncio_users_expect(self) -> None:
        """No shield is needed around an await in `finally`: the cancellation does not come back."""
        graph = Graph("g")
        steps: list[str] = []

        @graph.task
        async def cleans() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                for i in range(3):
                    await anyio.lowlevel.checkpoint()
                    steps.append(f"clean {i}")

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "cleans")
            run.send(cmd.CancelTask("cleans"))
        assert steps == ["clean 0", "clean 1", "clean 2"]
        assert run.state("cleans") is TaskState.CANCELLED

    async def test_B23_a_task_that_swallows_its_cancellation_and_returns_is_cancelled_all_the_same(self) -> None:
        graph = Graph("g")

        @graph.task
        async def stubborn() -> str:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                pass
            return "what of it"

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "stubborn")
            run.send(cmd.CancelTask("stubborn"))
        assert run.result is not None
        assert run.result["stubborn"].state is TaskState.CANCELLED
        assert run.result["stubborn"].output is None

    async def test_B23_what_it_raises_in_its_clean_up_is_kept(self) -> None:
        graph = Graph("g")

        @graph.task
        async def messy() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                raise ValueError("the mop broke")

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "messy")
            run.send(cmd.CancelTask("messy"))
        failure = run.result["messy"].failure  # type: ignore[index]
        assert failure is not None
        assert failure.message == "the mop broke"
        assert run.state("messy") is TaskState.CANCELLED

    async def test_B37_a_thread_sees_that_it_was_told_and_is_cancelling_until_it_returns(self) -> None:
        graph = Graph("g")
        seen, go_on = threading.Event(), threading.Event()

        @graph.task
        def polite(ctx: TaskContext) -> None:
            while not ctx.cancelled:
                go_on.wait(0.001)
            seen.set()
            go_on.wait(20)

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "polite")
            await run.command(cmd.CancelTask("polite"))
            await anyio.to_thread.run_sync(seen.wait, 20)
            assert run.state("polite") is TaskState.CANCELLING
            go_on.set()
        assert run.state("polite") is TaskState.CANCELLED

    async def test_B22_a_worker_goes_on_after_a_cancelled_attempt_as_if_nothing_had_been(self) -> None:
        graph = Graph("g", max_parallel=1)
        ended: list[str] = []

        async def waits() -> None:
            await anyio.sleep_forever()

        async def after() -> None:
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            with anyio.move_on_after(0.001):
                await anyio.sleep_forever()
            if sniffio.current_async_library() == "asyncio":
                async with asyncio.timeout(20):
                    await asyncio.sleep(0)
                task = asyncio.current_task()
                assert task is not None
                assert task.cancelling() == 0
            ended.append("after")

        graph.add("one", waits, priority=9)
        for i in range(5):
            graph.add(f"t{i}", after)
        async with live(graph) as run:
            await run.until(ev.TaskStarted, "one")
            run.send(cmd.CancelTask("one"))
        assert ended == ["after"] * 5

    async def test_B24_restart_stops_what_runs_and_starts_it_over(self) -> None:
        graph = Graph("g")
        attempts: list[int] = []

        @graph.task
        async def again(ctx: TaskContext) -> int:
            attempts.append(ctx.attempt)
            if ctx.attempt == 1:
                await anyio.sleep_forever()
            return ctx.attempt

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "again")
            await run.command(cmd.RestartTask("again"))
        assert run.result is not None
        assert (attempts, run.result["again"].output) == ([1, 2], 2)
        assert run.types("again") == ["ready", "started", "cancelling", "restarted", "ready", "started", "succeeded"]

    async def test_B22_attempts_stopped_before_a_worker_took_them_up_never_begin(self) -> None:
        """They did, and nobody told them to stop: the run waited for each of them to its end."""
        graph = Graph("g", max_parallel=1_000)
        begun: list[int] = []

        async def waits() -> None:
            begun.append(1)
            await anyio.sleep_forever()

        for i in range(1_000):
            graph.add(f"t{i}", waits)
        executor = DAGExecutor(graph, ExecutorConfig(), capture=False)
        run = Live(executor)
        run.engine.add_recorders([run])
        run.send(cmd.CancelRun())
        run.result = await executor.run()
        check_books(run)
        assert run.result.counts == {"cancelled": 1_000}
        assert len(begun) < 1_000


class TestTheRun:
    async def test_B22_cancel_run_stops_what_runs_and_what_waits_never_starts(self) -> None:
        graph = Graph("g", max_parallel=2)

        async def waits() -> None:
            await anyio.sleep_forever()

        graph.add("a", waits)
        graph.add("b", waits)
        graph.add("c", waits)
        graph.add("d", waits, depends_on=["a"])
        async with live(graph) as run:
            await run.until(ev.TaskStarted, count=2)
            await run.command(cmd.CancelRun(reason="enough"))
        assert run.result is not None
        assert (run.result.state, run.result.reason) == (RunState.CANCELLED, "enough")
        assert {task.reason for task in run.result} == {"enough"}
        assert run.types("d") == ["cancelled"]

    async def test_B22_drain_lets_what_runs_finish_and_starts_nothing_new(self) -> None:
        graph = Graph("g")
        go_on = anyio.Event()

        @graph.task
        async def runs() -> int:
            await go_on.wait()
            return 1

        graph.add("after", lambda runs: runs)
        async with live(graph) as run:
            await run.until(ev.TaskStarted, "runs")
            await run.command(cmd.DrainRun())
            go_on.set()
        assert run.result is not None
        assert (run.result["runs"].output, run.result.counts) == (1, {"succeeded": 1, "cancelled": 1})
        assert run.result.state is RunState.CANCELLED

    async def test_B22_pause_starts_nothing_and_continue_goes_on(self) -> None:
        graph = Graph("g")
        go_on = anyio.Event()

        @graph.task
        async def a() -> None:
            await go_on.wait()

        graph.add("b", lambda a: "b")
        async with live(graph) as run:
            await run.until(ev.TaskStarted, "a")
            await run.command(cmd.PauseRun())
            go_on.set()
            await run.until(ev.TaskReady, "b")
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert run.state("b") is TaskState.READY
            await run.command(cmd.ContinueRun())
        assert run.result is not None
        assert run.result.ok

    async def test_B6_a_limit_that_changes_is_kept(self) -> None:
        graph = Graph("g", max_parallel=4)
        now, seen = 0, []
        gates = {f"t{i}": anyio.Event() for i in range(12)}

        async def task(name: str, spec: object) -> None:
            nonlocal now
            now += 1
            seen.append(now)
            await gates[name].wait()
            now -= 1

        graph = Graph.from_specs("g", tasks=dict.fromkeys(gates), run=task, max_parallel=4)
        async with live(graph) as run:
            await run.until(ev.TaskStarted, count=4)
            await run.command(cmd.SetMaxParallel(2))
            for i in range(4):
                gates[f"t{i}"].set()
                await run.until(ev.TaskSucceeded, count=i + 1)
            await _come_to(lambda: len(seen) == 6)
            assert now == 2
            await run.command(cmd.SetMaxParallel(6))
            await _come_to(lambda: len(seen) == 10)
            assert now == 6
            for gate in gates.values():
                gate.set()
        assert max(seen) == 6

    async def test_B22_abandon_ends_a_run_whose_thread_never_stops(self, stuck: threading.Event) -> None:
        graph = Graph("g")
        graph.add("stuck", lambda: stuck.wait(60))
        graph.add("after", lambda stuck: None)
        async with live(graph) as run:
            await run.until(ev.TaskStarted, "stuck")
            await run.command(cmd.CancelRun())
            assert run.state("stuck") is TaskState.CANCELLING
            await run.command(cmd.AbandonRun())
        assert run.result is not None
        assert run.result["stuck"].state is TaskState.CANCELLED
        assert "no longer waits" in run.result["stuck"].failure.message  # type: ignore[union-attr]
        assert run.engine.workers.threads_left == 1

    async def test_B22_one_task_that_does_not_stop_is_abandoned_and_the_others_go_on(
        self, stuck: threading.Event
    ) -> None:
        graph = Graph("g")
        graph.add("stuck", lambda: stuck.wait(60))
        graph.add("other", lambda: stuck.wait(60))
        async with live(graph) as run:
            await run.until(ev.TaskStarted, "stuck")
            await run.until(ev.TaskStarted, "other")
            await run.command(cmd.CancelTask("stuck"))
            await run.command(cmd.AbandonTask("stuck"))
            assert run.state("stuck") is TaskState.CANCELLED
            assert run.state("other") is TaskState.RUNNING
            stuck.set()
        assert run.result is not None
        assert run.result["other"].state is TaskState.SUCCEEDED

    async def test_B22_a_run_that_is_cancelled_abandons_what_does_not_stop_within_the_grace(
        self, stuck: threading.Event
    ) -> None:
        graph = Graph("g", cancel_grace=0)
        graph.add("stuck", lambda: stuck.wait(60))
        async with live(graph) as run:
            await run.until(ev.TaskStarted, "stuck")
            run.send(cmd.CancelRun())
        assert run.result is not None
        assert run.result.state is RunState.CANCELLED

    async def test_B12_run_timeout_ends_a_run_with_a_stuck_thread(self, stuck: threading.Event) -> None:
        graph = Graph("g", run_timeout=0.01, cancel_grace=0.01)
        graph.add("stuck", lambda: stuck.wait(60))
        graph.add("after", lambda stuck: None)
        async with live(graph) as run:
            pass
        assert run.result is not None
        assert run.result.state is RunState.TIMED_OUT
        assert run.result.counts == {"timed_out": 1, "cancelled": 1}
        assert "no longer waits" in run.result["stuck"].failure.message  # type: ignore[union-attr]

    async def test_B22_abandon_ends_a_run_whose_task_swallows_every_cancellation(self) -> None:
        graph = Graph("g")
        free = False

        @graph.task
        async def immortal() -> None:
            while not free:
                try:
                    await anyio.sleep_forever()
                except BaseException:
                    await _yield_whatever_comes()

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "immortal")
            await run.command(cmd.CancelRun())
            await run.command(cmd.AbandonRun())
        free = True
        assert run.result is not None
        assert run.result["immortal"].state is TaskState.CANCELLED

    async def test_B22_an_abandoned_clean_up_is_unwound_at_once_and_not_whenever_it_is_collected(self) -> None:
        """It was collected after its loop had gone, ran once more there, and Python complained."""
        graph, steps = Graph("g"), []

        @graph.task
        async def cleans() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                try:
                    with anyio.CancelScope(shield=sniffio.current_async_library() == "asyncio"):
                        await anyio.sleep(60)
                finally:
                    steps.append("out")

        async with live(graph) as run:
            await run.until(ev.TaskStarted)
            await run.command(cmd.CancelRun())
            run.send(cmd.AbandonRun())
        assert steps == ["out"]
        gc.collect()

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])  # trio does not let go of a task inside a shield
    @pytest.mark.parametrize("with_group", [False, True])
    async def test_B22_tasks_go_on_after_one_was_abandoned_inside_its_own_scopes(self, with_group: bool) -> None:
        graph = Graph("g", max_parallel=1)
        free = False

        async def immortal() -> None:
            with anyio.CancelScope(shield=True):
                if with_group:
                    async with anyio.create_task_group() as group:
                        group.start_soon(anyio.sleep_forever)
                        await anyio.sleep_forever()
                while not free:
                    try:
                        await anyio.sleep_forever()
                    except BaseException:
                        await _yield_whatever_comes()

        async def after() -> str:
            with anyio.move_on_after(0.001):
                await anyio.sleep_forever()
            return "fine"

        graph.add("immortal", immortal, priority=1)
        for i in range(3):
            graph.add(f"t{i}", after)
        async with live(graph) as run:
            await run.until(ev.TaskStarted, "immortal")
            await run.command(cmd.CancelTask("immortal"))
            await run.command(cmd.AbandonRun())
        free = True
        assert run.result is not None
        assert run.result.counts == {"cancelled": 1, "succeeded": 3}


async def _come_to(reached: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not reached():
            await anyio.lowlevel.checkpoint()


async def _yield_whatever_comes() -> None:
    try:
        await anyio.lowlevel.checkpoint()
    except BaseException:
        return
