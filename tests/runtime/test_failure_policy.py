"""B11, B13, B14 through the engine: what a task says by what it raises, from wherever it raises it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest
from dagtop import Graph, Retry, RetryAfter, RunState, Skip, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.errors import DagtopError
from dagtop.runtime.failures import may_be_retried, wish_of
from engine_driver import live, run_all
from trio.testing import MockClock

pytestmark = pytest.mark.anyio


class Nasty(Skip):
    def __str__(self) -> str:
        raise SystemExit(9)

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - that is the point
        raise SystemExit(9)


async def skips() -> None:
    raise Skip("nothing new")


def skips_in_a_thread() -> None:
    raise Skip("nothing new")


async def skips_after_a_wait() -> None:
    await anyio.lowlevel.checkpoint()
    raise Skip("nothing new")


async def skips_in_a_group() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(skips)


async def skips_in_a_group_of_groups() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(skips_in_a_group)
        group.start_soon(skips)


async def skips_in_finally() -> None:
    try:
        raise ValueError("no")
    finally:
        raise Skip("nothing new")


async def skips_because_of_an_error() -> None:
    try:
        raise FileNotFoundError("orders.csv")
    except FileNotFoundError as error:
        raise Skip("nothing new") from error


class TestSkip:
    @pytest.mark.parametrize(
        "body",
        [
            skips,
            skips_in_a_thread,
            skips_after_a_wait,
            skips_in_a_group,
            skips_in_a_group_of_groups,
            skips_in_finally,
            skips_because_of_an_error,
        ],
        ids=lambda body: body.__name__,
    )
    async def test_B13_a_task_may_skip_itself(self, body: Any) -> None:
        graph = Graph("g")
        graph.add("maybe", body, retries=5).add("after", lambda maybe: 1)
        graph.add("join", lambda maybe: maybe is None, trigger="none_failed", depends_on=["maybe"])
        result = (await run_all(graph)).result
        assert result is not None
        assert result["maybe"].state is TaskState.SKIPPED
        assert result["maybe"].reason == "nothing new"
        assert result["maybe"].attempts == 1
        assert result["maybe"].failure is None
        assert result["after"].state is TaskState.SKIPPED
        assert result["join"].output is True
        assert result.state is RunState.SUCCEEDED
        assert result.escalations == ()

    async def test_B13_a_skip_among_errors_is_a_failure(self) -> None:
        graph = Graph("g")

        @graph.task
        async def both() -> None:
            raise ExceptionGroup("both", [Skip("nothing new"), ValueError("no")])

        result = (await run_all(graph)).result
        assert result is not None
        assert result["both"].state is TaskState.FAILED

    async def test_B13_a_skip_without_a_reason_has_one_all_the_same(self) -> None:
        graph = Graph("g")

        @graph.task
        async def maybe() -> None:
            raise Skip

        result = (await run_all(graph)).result
        assert result is not None
        assert result["maybe"].reason == "it said that it need not run"

    async def test_B13_an_earlier_attempt_may_have_failed(self) -> None:
        graph = Graph("g")

        @graph.task(retries=Retry(retries=1, backoff="none"))
        async def maybe(ctx: TaskContext) -> None:
            raise ValueError("no") if ctx.attempt == 1 else Skip("nothing new")

        result = (await run_all(graph)).result
        assert result is not None
        assert result["maybe"].state is TaskState.SKIPPED
        assert [past.ending for past in result["maybe"].history] == ["failed"]

    async def test_B13_a_restart_of_a_task_that_skipped_itself_runs_it(self) -> None:
        graph = Graph("g")

        @graph.task
        async def maybe(ctx: TaskContext) -> str:
            if ctx.attempt == 1:
                raise Skip("nothing new")
            return "new"

        @graph.task
        async def waits() -> None:
            await anyio.sleep_forever()

        async with live(graph) as run:
            await run.until(ev.TaskSkipped, "maybe")
            await run.command(cmd.RestartTask("maybe"))
            await run.until(ev.TaskSucceeded, "maybe")
            await run.command(cmd.CancelRun())
        assert run.result is not None
        assert run.result["maybe"].output == "new"

    async def test_B23_a_skip_of_a_task_that_was_told_to_stop_is_quiet(self) -> None:
        graph = Graph("g")

        @graph.task
        async def stubborn() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                raise Skip("never mind")

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "stubborn")
            await anyio.lowlevel.checkpoint()
            await run.command(cmd.CancelTask("stubborn"))
        assert run.result is not None
        assert run.result["stubborn"].state is TaskState.CANCELLED
        assert run.result["stubborn"].failure is None

    def test_B16_a_skip_that_bites_is_a_skip(self) -> None:
        wish = wish_of(Nasty())
        assert wish is not None
        assert wish.skip is not None
        assert "cannot be read" in wish.skip

    def test_a_long_reason_is_cut(self) -> None:
        wish = wish_of(Skip("x" * 10_000))
        assert wish is not None
        assert len(wish.skip or "") == 300


class TestRetryAfter:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": MockClock(autojump_threshold=0)}

    async def test_B11_it_waits_as_long_as_the_task_asked(self) -> None:
        graph = Graph("g")
        starts: list[float] = []
        asked = [100.0, None, 0.0]

        @graph.task(retries=Retry(retries=3, base=2, factor=3, cap=5, jitter=0))
        async def busy() -> str:
            starts.append(anyio.current_time())
            if len(starts) == 4:
                return "done"
            wait = asked[len(starts) - 1]
            raise ValueError if wait is None else RetryAfter(wait)

        result = (await run_all(graph)).result
        assert result is not None
        assert result["busy"].output == "done"
        assert [round(b - a, 3) for a, b in pairwise(starts)] == [100, 5, 0]

    async def test_B11_it_is_tried_again_whatever_retry_on_says(self) -> None:
        graph = Graph("g")

        @graph.task(retries=1, retry_on=OSError)
        async def busy(ctx: TaskContext) -> int:
            if ctx.attempt == 1:
                raise RetryAfter(3)
            return 1

        result = (await run_all(graph)).result
        assert result is not None
        assert result["busy"].output == 1

    @pytest.mark.parametrize("retries", [0, 1])
    async def test_B11_when_no_retry_is_left_it_fails_with_its_cause(self, retries: int) -> None:
        graph = Graph("g")

        @graph.task(retries=retries)
        async def busy() -> None:
            try:
                raise ConnectionError("503")
            except ConnectionError as error:
                raise RetryAfter(1, "ask later") from error

        result = (await run_all(graph)).result
        assert result is not None
        task = result["busy"]
        assert task.attempts == retries + 1
        assert task.failure is not None
        assert (task.failure.error, task.failure.message) == ("ConnectionError", "503")
        assert "ask later" in task.failure.traceback

    async def test_B11_without_a_cause_it_is_the_failure_itself(self) -> None:
        graph = Graph("g")

        @graph.task
        async def busy() -> None:
            raise RetryAfter(1.5)

        result = (await run_all(graph)).result
        assert result is not None
        assert result["busy"].failure is not None
        assert result["busy"].failure.message == "the task wants to be tried again in 1.5 s"

    async def test_B11_of_several_in_a_group_the_longest_counts(self) -> None:
        graph = Graph("g")

        async def limited(seconds: float) -> None:
            raise RetryAfter(seconds)

        @graph.task(retries=1)
        async def busy(ctx: TaskContext) -> None:
            if ctx.attempt > 1:
                return
            async with anyio.create_task_group() as group:
                group.start_soon(limited, 3)
                group.start_soon(limited, 7)

        run = await run_all(graph)
        (event,) = run.of(ev.TaskRetrying)
        assert event.delay in (3, 7)  # trio may end the group with the first of them
        assert wish_of(ExceptionGroup("g", [RetryAfter(3), RetryAfter(7)])) == (None, 7.0)

    async def test_B11_among_other_errors_it_does_not_count(self) -> None:
        assert wish_of(ExceptionGroup("g", [RetryAfter(3), ValueError()])) is None
        assert wish_of(ExceptionGroup("g", [RetryAfter(3), Skip()])) is None
        assert wish_of(ValueError()) is None

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "5", True, None, 10**400])
    async def test_B11_what_is_no_time_is_an_error_of_the_tasks(self, seconds: Any) -> None:
        with pytest.raises(ValueError, match="RetryAfter must be"):
            RetryAfter(seconds)

    async def test_B25_its_delay_can_be_cut_short_by_a_restart(self) -> None:
        graph = Graph("g")

        @graph.task(retries=1)
        async def busy(ctx: TaskContext) -> int:
            if ctx.attempt == 1:
                raise RetryAfter(1e6)
            return 1

        async with live(graph) as run:
            await run.until(ev.TaskRetrying, "busy")
            await run.command(cmd.RestartTask("busy"))
        assert run.result is not None
        assert run.result["busy"].output == 1
        assert run.result.duration < 1


async def test_B11_retry_after_works_from_a_thread() -> None:
    graph = Graph("g")

    @graph.task(retries=Retry(retries=1, base=1000))
    def busy(ctx: TaskContext) -> int:
        if ctx.attempt == 1:
            raise RetryAfter(0)
        return 1

    result = (await run_all(graph)).result
    assert result is not None
    assert result["busy"].output == 1


class TestTypes:
    @pytest.mark.parametrize(
        ("options", "attempts"),
        [
            ({"retry_on": OSError}, 3),
            ({"retry_on": (KeyError, OSError)}, 3),
            ({"retry_on": KeyError}, 1),
            ({"retry_on": ()}, 1),
            ({"no_retry_on": ConnectionError}, 1),
            ({"no_retry_on": [FileNotFoundError]}, 3),
            ({"retry_on": OSError, "no_retry_on": ConnectionError}, 1),
            ({"retries": Retry(retries=2, backoff="none", on=(OSError,))}, 3),
            ({"retries": Retry(retries=2, backoff="none", not_on=(OSError,))}, 1),
            ({"retries": Retry(retries=2, backoff="none", on=(KeyError,)), "retry_on": OSError}, 3),
        ],
        ids=str,
    )
    async def test_B11_which_errors_are_tried_again(self, options: dict[str, Any], attempts: int) -> None:
        graph = Graph("g")

        async def fails() -> None:
            raise ConnectionResetError("by peer")

        graph.add("fails", fails, **{"retries": Retry(retries=2, backoff="none"), **options})
        result = (await run_all(graph)).result
        assert result is not None
        assert result["fails"].attempts == attempts

    @pytest.mark.parametrize(
        ("error", "retry", "expected"),
        [
            (ExceptionGroup("g", [OSError(), OSError()]), Retry(on=(OSError,)), True),
            (ExceptionGroup("g", [OSError(), KeyError()]), Retry(on=(OSError,)), False),
            (ExceptionGroup("g", [OSError(), KeyError()]), Retry(), True),
            (ExceptionGroup("g", [ExceptionGroup("h", [KeyError()]), OSError()]), Retry(not_on=(KeyError,)), False),
            (ExceptionGroup("g", [KeyError()]), Retry(on=(ExceptionGroup,)), True),
            (BaseExceptionGroup("g", [KeyboardInterrupt()]), Retry(), False),
            (KeyboardInterrupt(), Retry(), False),
            (SystemExit(), Retry(on=(BaseException,)), True),
        ],
        ids=str,
    )
    def test_B11_a_group_is_tried_again_if_all_that_is_in_it_may_be(
        self, error: BaseException, retry: Retry, expected: bool
    ) -> None:
        assert may_be_retried(error, retry) is expected

    async def test_B11_one_retry_object_for_two_tasks_counts_for_each_alone(self) -> None:
        graph = Graph("g")
        shared = Retry(retries=2, backoff="none")

        async def fails() -> None:
            raise ValueError("no")

        graph.add("a", fails, retries=shared).add("b", fails, retries=shared)
        graph.add("c", fails, retries=shared, no_retry_on=ValueError)
        result = (await run_all(graph)).result
        assert result is not None
        assert [task.attempts for task in result] == [3, 3, 1]
        assert shared == Retry(retries=2, backoff="none")


class TestJitter:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": MockClock(autojump_threshold=0)}

    async def test_B11_a_jittered_delay_lies_between_its_share_and_the_whole(self) -> None:
        graph = Graph("g")

        async def fails() -> None:
            raise ValueError("no")

        for n in range(100):
            graph.add(f"t{n}", fails, retries=Retry(retries=1, base=10, jitter=0.4))
        run = await run_all(graph)
        delays = [event.delay for event in run.of(ev.TaskRetrying)]
        assert all(6 < delay <= 10 for delay in delays)
        assert len(set(delays)) > 90
        starts = {event.task: event.at for event in run.of(ev.TaskStarted) if event.attempt == 2}
        assert all(
            round(starts[event.task] - event.at, 6) == round(event.delay, 6) for event in run.of(ev.TaskRetrying)
        )


def test_the_two_words_of_a_task_are_public_errors() -> None:
    assert issubclass(Skip, DagtopError)
    assert issubclass(RetryAfter, DagtopError)
    assert str(RetryAfter(5, "busy")) == "busy"
    assert RetryAfter(5).seconds == 5.0
    assert Skip("x").reason == "x"
