"""Everything that takes time, on trio's virtual clock: no test here waits for real (B5, B7, B11, B12, B25)."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest
from dagtop import Graph, Retry, RunState, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from engine_driver import live, run_all
from trio.testing import MockClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def sleeper(seconds: float):  # type: ignore[no-untyped-def]
    async def sleeps() -> None:
        await anyio.sleep(seconds)

    return sleeps


class TestOrder:
    async def test_B5_a_task_starts_when_its_own_dependencies_allow_it_never_at_a_level_barrier(self) -> None:
        graph = Graph("g")
        graph.add("A", sleeper(10)).add("B", sleeper(1)).add("C", sleeper(1), depends_on=["A", "B"])
        graph.add("D", sleeper(1)).add("E", sleeper(1), depends_on=["D"])
        result = (await run_all(graph)).result
        assert result is not None
        starts = {task.name: round(task.started_at or 0.0, 3) for task in result}
        assert starts == {"A": 0, "B": 0, "C": 10, "D": 0, "E": 1}
        assert result.critical_path() == ["A", "C"]
        assert round(result.duration, 3) == 11

    async def test_B7_the_critical_path_leads_through_the_first_success_that_started_a_task(self) -> None:
        graph = Graph("g")
        graph.add("fast", sleeper(1)).add("slow", sleeper(10))
        graph.add("end", sleeper(20), depends_on=["fast", "slow"], trigger="any_success")
        result = (await run_all(graph)).result
        assert result is not None
        assert (result.critical_path(), round(result.duration)) == (["fast", "end"], 21)

    async def test_B6_one_at_a_time_is_sequential_in_the_order_of_priority_and_length(self) -> None:
        graph = Graph("g", max_parallel=1)
        graph.add("short", sleeper(1)).add("long", sleeper(1), cost=5).add("first", sleeper(1), priority=1)
        graph.add("leads", sleeper(1)).add("after", sleeper(1), depends_on=["leads"], cost=9)
        run = await run_all(graph)
        assert [event.task for event in run.of(ev.TaskStarted)] == ["first", "leads", "after", "long", "short"]
        assert [round(event.at) for event in run.of(ev.TaskStarted)] == [0, 1, 2, 3, 4]

    async def test_B7_a_task_in_its_backoff_holds_no_slot(self) -> None:
        graph = Graph("g", max_parallel=1)

        async def once(ctx: TaskContext) -> None:
            if ctx.attempt == 1:
                raise ValueError

        graph.add("again", once, retries=Retry(retries=1, base=100, cap=100), priority=1)
        graph.add("other", sleeper(50))
        result = (await run_all(graph)).result
        assert result is not None
        assert round(result["other"].ended_at or 0) == 50
        assert round(result["again"].started_at or 0) == 100


class TestRetries:
    async def test_B11_delays_grow_from_base_to_the_cap(self) -> None:
        graph = Graph("g")
        starts: list[float] = []

        @graph.task(retries=Retry(retries=4, base=2, factor=3, cap=10))
        async def fails() -> None:
            starts.append(anyio.current_time())
            raise ValueError

        run = await run_all(graph)
        waits = [round(b - a, 3) for a, b in pairwise(starts)]
        assert waits == [2, 6, 10, 10]
        assert [event.delay for event in run.of(ev.TaskRetrying)] == [2, 6, 10, 10]
        assert run.result is not None
        assert run.result["fails"].attempts == 5
        assert [record.number for record in run.result["fails"].history] == [1, 2, 3, 4, 5]

    async def test_B11_only_what_the_policy_names_is_tried_again(self) -> None:
        graph = Graph("g")

        def add(name: str, error: Exception, retry: Retry) -> None:
            async def fails() -> None:
                raise error

            graph.add(name, fails, retries=retry)

        add("named", OSError("x"), Retry(retries=2, on=(OSError,)))
        add("other", ValueError("x"), Retry(retries=2, on=(OSError,)))
        add("never", FileNotFoundError("x"), Retry(retries=2, on=(OSError,), not_on=(FileNotFoundError,)))
        result = (await run_all(graph)).result
        assert result is not None
        assert {task.name: task.attempts for task in result} == {"named": 3, "other": 1, "never": 1}

    async def test_B25_a_backoff_is_shortened_while_it_lasts(self) -> None:
        graph = Graph("g")

        @graph.task(retries=Retry(retries=1, base=1_000))
        async def again(ctx: TaskContext) -> float:
            if ctx.attempt == 1:
                raise ValueError
            return anyio.current_time()

        async with live(graph) as run:
            await run.until(ev.TaskRetrying)
            await anyio.sleep(3)
            await run.command(cmd.SetPolicy("again", base=5.0))
        assert run.result is not None
        assert round(run.result["again"].started_at or 0) == 5


class TestTimeouts:
    async def test_B12_a_timeout_is_per_attempt_and_retried(self) -> None:
        graph = Graph("g")

        @graph.task(timeout=5, retries=Retry(retries=1, base=1))
        async def slow(ctx: TaskContext) -> None:
            await anyio.sleep(100 if ctx.attempt == 1 else 4)

        run = await run_all(graph)
        assert run.result is not None
        assert run.result.ok
        assert [round(event.at, 3) for event in run.of(ev.TaskStarted)] == [0, 6]
        assert run.types("slow") == ["ready", "started", "cancelling", "retrying", "ready", "started", "succeeded"]
        assert run.of(ev.TaskRetrying)[0].timed_out is True

    async def test_B12_without_retry_on_timeout_it_is_final(self) -> None:
        graph = Graph("g").add("slow", sleeper(100), timeout=5, retries=3, retry_on_timeout=False)
        result = (await run_all(graph)).result
        assert result is not None
        assert (result["slow"].state, result["slow"].attempts) == (TaskState.TIMED_OUT, 1)
        assert result["slow"].failure is not None
        assert result["slow"].failure.message == "attempt 1 took longer than its timeout of 5 s"
        assert result.state is RunState.FAILED

    async def test_B12_a_timeout_error_of_the_tasks_own_is_an_ordinary_failure(self) -> None:
        graph = Graph("g")

        @graph.task(timeout=100)
        async def impatient() -> None:
            with anyio.fail_after(1):
                await anyio.sleep(50)

        result = (await run_all(graph)).result
        assert result is not None
        assert result["impatient"].state is TaskState.FAILED
        assert result["impatient"].failure is not None
        assert result["impatient"].failure.error == "TimeoutError"

    async def test_B12_run_timeout_ends_the_run_and_everything_has_an_event(self) -> None:
        graph = Graph("g", run_timeout=10, max_parallel=2)

        @graph.task
        async def cleans() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(3)

        graph.add("runs", sleeper(100)).add("ready", sleeper(1)).add("waits", sleeper(1), depends_on=["runs"])
        graph.add("backs_off", sleeper(1), priority=-1)
        run = await run_all(graph)
        assert run.result is not None
        assert (run.result.state, run.result.reason) == (RunState.TIMED_OUT, "run_timeout of 10 s")
        assert {task.name: task.state for task in run.result} == {
            "cleans": TaskState.TIMED_OUT,
            "runs": TaskState.TIMED_OUT,
            "ready": TaskState.CANCELLED,
            "waits": TaskState.CANCELLED,
            "backs_off": TaskState.CANCELLED,
        }
        assert round(run.result.duration) == 13
        assert {event.task for event in run.of(ev.TaskTimedOut, ev.TaskCancelled)} == set(graph.names)

    async def test_B12_a_run_that_ends_in_time_knows_nothing_of_its_timeout(self) -> None:
        run = await run_all(Graph("g", run_timeout=10, default_timeout=9).add("t", sleeper(8)))
        assert run.result is not None
        assert (run.result.ok, round(run.result.duration)) == (True, 8)

    async def test_B12_run_timeout_counts_while_the_run_drains(self) -> None:
        graph = Graph("g", run_timeout=10).add("runs", sleeper(100))
        async with live(graph) as run:
            await run.until(ev.TaskStarted)
            await run.command(cmd.DrainRun())
        assert run.result is not None
        assert run.result.state is RunState.TIMED_OUT

    async def test_B22_a_clean_up_longer_than_the_grace_is_not_waited_for(self) -> None:
        graph = Graph("g")

        @graph.task
        async def cleans() -> None:
            try:
                await anyio.sleep_forever()
            except BaseException:
                while True:
                    try:
                        await anyio.sleep(1)
                    except BaseException:
                        with_patience.append(anyio.current_time())
                        if len(with_patience) > 3:
                            raise

        with_patience: list[float] = []
        async with live(graph, cancel_grace=5) as run:
            await run.until(ev.TaskStarted)
            run.send(cmd.CancelRun())
        assert run.result is not None
        assert run.result.state is RunState.CANCELLED
        assert run.result.duration < 6
