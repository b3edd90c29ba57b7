"""How attempts end, whatever the user's code does (B12, B13, B16, B37)."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import Graph, Retry, RunState, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from engine_driver import live, run_all

pytestmark = pytest.mark.anyio

_colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


class Unprintable(Exception):  # noqa: N818 - a name of a test
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Deadly(Exception):  # noqa: N818 - a name of a test
    def __str__(self) -> str:
        raise SystemExit(3)


class Odd(BaseException):
    pass


_RAISED: list[tuple[Callable[[], BaseException], str, str]] = [
    (lambda: ValueError("plain"), "ValueError", "plain"),
    (lambda: TimeoutError("mine"), "TimeoutError", "mine"),
    (lambda: SystemExit(7), "TaskExitError", "sys.exit(7)"),
    (lambda: KeyboardInterrupt(), "TaskExitError", "KeyboardInterrupt"),
    (lambda: GeneratorExit(), "GeneratorExit", ""),
    (lambda: asyncio.CancelledError(), "CancelledError", ""),
    (lambda: Odd("odd"), "Odd", "odd"),
    (lambda: Unprintable(), "Unprintable", "cannot be read"),
    (lambda: Deadly(), "Deadly", "cannot be read"),
    (
        lambda: ExceptionGroup("both", [ValueError("one"), TypeError("two")]),
        "ExceptionGroup",
        "both (2 sub-exceptions)",
    ),
    (lambda: RecursionError("deep"), "RecursionError", "deep"),
    (lambda: StopIteration("stop"), "", ""),
    (lambda: StopAsyncIteration("stop"), "", ""),
    (lambda: ValueError("\x1b[31m" + "x" * 10_000), "ValueError", "\x1b[31mxxx"),
    (lambda: ValueError("\ud800 half a character"), "ValueError", "half a character"),
]


class TestRaising:
    @pytest.mark.parametrize(("make", "error", "message"), _RAISED)
    @pytest.mark.parametrize("how", ["at once", "after a wait", "in a thread"])
    async def test_B12_whatever_a_task_raises_fails_that_task_and_nothing_else(
        self, make: Callable[[], BaseException], error: str, message: str, how: str
    ) -> None:
        graph = Graph("g")

        async def at_once() -> None:
            raise make()

        async def after_a_wait() -> None:
            await anyio.lowlevel.checkpoint()
            raise make()

        def in_a_thread() -> None:
            raise make()

        graph.add("bad", {"at once": at_once, "after a wait": after_a_wait, "in a thread": in_a_thread}[how])
        graph.add("after", at_once, depends_on=["bad"])
        graph.add("other", _nothing)
        run = await run_all(graph)
        assert run.result is not None
        failure = run.result["bad"].failure
        assert failure is not None
        assert error in failure.error
        assert message in failure.message
        assert len(failure.message) <= 2_000
        assert (run.result.state, run.result["other"].state) == (RunState.FAILED, TaskState.SUCCEEDED)
        assert run.result["after"].reason == "upstream bad failed"

    async def test_the_failure_names_the_line_of_the_user_and_leaves_our_frames_out(self) -> None:
        graph = Graph("g")

        @graph.task
        async def bad() -> None:
            await anyio.lowlevel.checkpoint()
            raise ValueError("here")

        failure = (await run_all(graph)).result["bad"].failure  # type: ignore[index]
        assert failure is not None
        assert failure.where.endswith(" in bad")
        assert "test_attempts.py" in failure.where
        assert "event_loop.py" not in failure.traceback
        assert 'raise ValueError("here")' in failure.traceback

    async def test_a_failure_below_a_library_names_the_line_that_called_it(self) -> None:
        """`(request.py:643 in http_error_default)` told nobody which of their lines had failed."""
        graph = Graph("g")

        @graph.task
        def bad() -> object:
            return json.loads("{")

        failure = (await run_all(graph)).result["bad"].failure  # type: ignore[index]
        assert failure is not None
        assert failure.where.endswith(" in bad")
        assert "decoder.py" in failure.traceback

    async def test_B16_an_exception_type_that_raises_when_it_is_looked_at_fails_only_its_task(self) -> None:
        class Meta(type):
            def __instancecheck__(cls, instance: object) -> bool:
                raise RuntimeError("do not ask")

        class Picky(Exception, metaclass=Meta):  # noqa: N818 - a name of a test
            pass

        graph = Graph("g")
        graph.add("bad", _broken, retries=Retry(retries=2, on=(Picky,)))
        graph.add("good", _nothing)
        run = await run_all(graph)
        assert run.result is not None
        assert run.result.counts == {"failed": 1, "succeeded": 1}

    async def test_B16_an_exception_that_raises_when_it_is_looked_at_fails_only_its_task(self) -> None:
        """A metaclass without a name, or a traceback that raises, ended the engine."""

        class Meta(type):
            def __getattribute__(cls, name: str) -> Any:
                raise RuntimeError("do not look")

        class Nameless(Exception, metaclass=Meta):  # noqa: N818 - a name of a test
            pass

        class Untraceable(Exception):  # noqa: N818 - a name of a test
            @property
            def __traceback__(self) -> Any:
                raise RuntimeError("do not look")

        def nameless() -> None:
            raise Nameless("one")

        def untraceable() -> None:
            raise Untraceable("two")

        graph = Graph("g")
        graph.add("one", nameless)
        graph.add("two", untraceable)
        graph.add("good", _nothing)
        run = await run_all(graph)
        assert run.result is not None
        assert run.result.counts == {"failed": 2, "succeeded": 1}
        told = [
            (run.result[name].failure.error.rpartition(".")[2], run.result[name].failure.message)
            for name in ("one", "two")
        ]  # type: ignore[union-attr]
        assert told == [("Nameless", "one"), ("Untraceable", "two")]

    async def test_an_output_that_does_not_tell_its_class_is_handed_on(self) -> None:
        """A proxy with nothing behind it raises when it is asked what it is: that ended the engine."""

        class Proxy:
            @property
            def __class__(self) -> Any:
                raise RuntimeError("nothing is behind this")

        graph = Graph("g")
        graph.add("makes", lambda: Proxy())
        graph.add("takes", lambda makes: type(makes) is Proxy)
        run = await run_all(graph)
        assert run.result is not None
        assert run.result["takes"].output is True

    @pytest.mark.parametrize("how", ["group", "cancelled scope", "at once"])
    async def test_a_task_that_leaves_a_scope_open_fails_alone(self, how: str) -> None:
        """The scope stayed on the worker: it cancelled what came next there, and ended the engine with a RuntimeError."""
        kept: list[Any] = []

        async def forgets() -> None:
            kept.append(anyio.create_task_group() if how == "group" else anyio.CancelScope())
            if how != "at once":
                await anyio.lowlevel.checkpoint()
            if how == "group":
                await kept[0].__aenter__()
                kept[0].start_soon(anyio.sleep_forever)
            else:
                kept[0].__enter__()
            if how == "cancelled scope":
                kept[0].cancel()

        async def waits() -> int:
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            return 1

        graph = Graph("g", max_parallel=1)
        graph.add("bad", forgets, priority=1)
        graph.add("good", waits)
        graph.add("better", waits, depends_on=["good"])
        run = await run_all(graph)
        assert run.result is not None
        assert run.result.counts == {"failed": 1, "succeeded": 2}
        assert "had entered and not left" in run.result["bad"].failure.message  # type: ignore[union-attr]

    async def test_a_function_that_raises_before_it_gives_its_coroutine(self) -> None:
        """`async def` under a decorator may raise when called; that ended the engine, not the task."""

        class Refuses:
            async def __call__(self) -> None: ...

        def call(self: Any) -> Any:
            raise ValueError("not today")

        refuses = Refuses()
        graph = Graph("g")
        graph.add("bad", functools.partial(refuses))
        graph.add("good", _nothing)
        graph.validate()
        Refuses.__call__ = call  # type: ignore[method-assign]
        run = await run_all(graph)
        assert run.result is not None
        assert run.result["bad"].failure.message == "not today"  # type: ignore[union-attr]
        assert run.result["good"].state is TaskState.SUCCEEDED

    async def test_a_function_that_returns_a_coroutine_fails_and_says_what_to_write(self) -> None:
        graph = Graph("g")
        graph.add("bad", lambda: _nothing())
        run = await run_all(graph)
        assert "write it with async def" in run.result["bad"].failure.message  # type: ignore[index, union-attr]


class TestOutputs:
    async def test_B3_none_is_an_output_like_any_other(self) -> None:
        graph = Graph("g")
        graph.add("none", _nothing)
        graph.add("takes", lambda none: none is None)
        assert (await run_all(graph)).result["takes"].output is True  # type: ignore[index]

    async def test_B16_outputs_of_any_size_and_kind_are_handed_on_as_they_are(self) -> None:
        graph = Graph("g")
        big, lock = bytes(100_000_000), threading.Lock()
        graph.add("big", lambda: big)
        graph.add("lock", lambda: lock)
        graph.add("both", lambda big, lock: (big, lock))
        output = (await run_all(graph)).result["both"].output  # type: ignore[index]
        assert output[0] is big
        assert output[1] is lock

    @pytest.mark.parametrize(
        "name", ["\x1b[2J", "[red]x[/red]", "a b", "x" * 10_000, "\u200b", "../../etc", "\nx", "ü", "a\x00"]
    )
    async def test_a_hostile_name_is_only_a_name(self, name: str) -> None:
        graph = Graph("g")
        graph.add("first", _nothing)
        graph.add(name, lambda ctx: ctx.scratch_dir.name, depends_on=["first"])
        run = await run_all(graph)
        assert run.result is not None
        assert run.result[name].state is TaskState.SUCCEEDED
        assert "/" not in run.result[name].output

    async def test_B13_a_task_that_runs_in_spite_of_a_failure_gets_none(self) -> None:
        graph = Graph("g")
        graph.add("bad", _broken)
        graph.add("after", lambda bad: ("got", bad), on_upstream_failure="run")
        assert (await run_all(graph)).result["after"].output == ("got", None)  # type: ignore[index]

    async def test_B13_the_old_output_of_a_task_that_failed_in_its_restart_is_not_handed_on(self) -> None:
        """It was: a task that runs in spite of failures got what its upstream had returned before it was restarted."""
        graph = Graph("g")
        runs: list[int] = []
        go = anyio.Event()

        @graph.task
        async def a() -> str:
            runs.append(1)
            if len(runs) > 1:
                raise ValueError
            return "old"

        @graph.task(depends_on=["a"])
        async def gate() -> None:
            if len(runs) == 1:
                await go.wait()

        @graph.task(on_upstream_failure="run")
        async def after(a: str | None, gate: None) -> str | None:
            return a

        async with live(graph) as run:
            await run.until(ev.TaskStarted, "gate")
            await run.command(cmd.RestartTask("a"))
            go.set()
        assert run.result is not None
        assert run.result["a"].state is TaskState.FAILED
        assert run.result["after"].output is None


class TestContext:
    async def test_what_one_attempt_sets_in_its_context_the_next_on_the_same_worker_does_not_see(self) -> None:
        graph = Graph("g", max_parallel=1)
        seen: list[str] = []

        async def task() -> None:
            seen.append(_colour.get())
            _colour.set("red")
            await anyio.lowlevel.checkpoint()
            assert _colour.get() == "red"

        def thread() -> None:
            seen.append(_colour.get())
            _colour.set("blue")

        for i in range(5):
            graph.add(f"t{i}", task)
            graph.add(f"s{i}", thread)
        token = _colour.set("outside")
        run = await run_all(graph)
        assert _colour.get() == "outside"
        _colour.reset(token)
        assert run.result is not None
        assert run.result.ok
        assert seen == ["outside"] * 10

    async def test_the_context_tells_task_attempt_and_upstream(self) -> None:
        graph = Graph("g")
        seen: list[tuple[str, int, dict[str, Any]]] = []
        graph.add("one", lambda: 1)
        graph.add("two", lambda: 2)

        @graph.task(depends_on=["one", "two"], retries=Retry(retries=1, backoff="none"))
        async def sums(ctx: TaskContext) -> int:
            seen.append((ctx.task, ctx.attempt, dict(ctx.upstream)))
            if ctx.attempt == 1:
                raise ValueError
            return sum(ctx.upstream.values())

        run = await run_all(graph)
        assert run.result is not None
        assert run.result["sums"].output == 3
        assert seen == [("sums", 1, {"one": 1, "two": 2}), ("sums", 2, {"one": 1, "two": 2})]
        assert run.result["sums"].attempts == 2

    async def test_progress_from_threads_arrives_and_the_latest_counts(self) -> None:
        graph = Graph("g")
        go_on = threading.Event()

        @graph.task
        def counting(ctx: TaskContext) -> None:
            threads = [threading.Thread(target=ctx.progress, args=(i, 100)) for i in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            ctx.progress(100, 100, "done " + "x" * 1_000)
            ctx.ready()
            go_on.wait(20)

        async with live(graph) as run:
            await run.until(lambda event: isinstance(event, ev.TaskProgress) and event.done == 100)
            go_on.set()
        last = run.of(ev.TaskProgress)[-1]
        assert (last.done, last.total, last.message[:6], len(last.message)) == (100.0, 100.0, "done x", 200)
        assert len(run.of(ev.TaskServing)) == 1

    async def test_the_scratch_directory_is_there_for_the_run_and_gone_after_it(self) -> None:
        graph = Graph("g")

        @graph.task
        def writes(ctx: TaskContext) -> Any:
            (ctx.scratch_dir / "file").write_text("x")
            return ctx.scratch_dir

        @graph.task
        def reads(writes: Any, ctx: TaskContext) -> bool:
            return (writes / "file").exists() and ctx.scratch_dir != writes

        run = await run_all(graph)
        assert run.result is not None
        assert run.result["reads"].output is True
        assert not run.result["writes"].output.parent.exists()


class TestWork:
    @pytest.mark.parametrize("limit", [1, 1_000])
    async def test_B6_attempts_that_wait_at_the_same_time_are_as_many_as_max_parallel(self, limit: int) -> None:
        graph = Graph("g", max_parallel=limit)
        now, most, all_in = 0, 0, anyio.Event()

        async def task() -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            if now == min(limit, 1_000):
                all_in.set()
            await all_in.wait()
            await anyio.lowlevel.checkpoint()
            now -= 1

        for i in range(1_000 if limit > 1 else 50):
            graph.add(f"t{i}", task)
        run = await run_all(graph)
        assert run.result is not None
        assert run.result.ok
        assert most == limit

    async def test_the_loop_goes_round_while_ten_thousand_tasks_do_nothing(self) -> None:
        graph = Graph.from_specs("g", tasks={f"t{i}": i for i in range(10_000)}, run=_nothing_for)
        rounds = 0

        async def count() -> None:
            nonlocal rounds
            while True:
                await anyio.lowlevel.checkpoint()
                rounds += 1

        async with anyio.create_task_group() as group:
            group.start_soon(count)
            run = await run_all(graph)
            group.cancel_scope.cancel()
        assert run.result is not None
        assert run.result.ok
        assert rounds >= 5, "the loop was never let go"

    async def test_B37_plain_functions_run_in_threads_and_the_loop_goes_on(self) -> None:
        """Each of the two waits for the other: one of them on the loop would be a deadlock."""
        graph = Graph("g")
        barrier = threading.Barrier(2, timeout=20)
        here = threading.get_ident()

        def meet() -> bool:
            barrier.wait()
            return threading.get_ident() == here

        async def on_the_loop() -> bool:
            return threading.get_ident() == here

        graph.add("one", meet)
        graph.add("two", meet)
        graph.add("three", on_the_loop)
        result = (await run_all(graph)).result
        assert [task.output for task in result or ()] == [False, False, True]

    async def test_B37_a_plain_function_may_start_an_event_loop_of_its_own(self) -> None:
        """anyio thought that the run's loop was running in the thread, and refused."""
        graph = Graph("g")
        graph.add("inner", lambda: anyio.run(anyio.sleep, 0))
        run = await run_all(graph)
        assert run.result is not None
        assert run.result.state is RunState.SUCCEEDED

    async def test_nothing_is_left_behind_that_python_would_complain_about(self) -> None:
        graph = Graph("g")
        graph.add("a", _nothing)
        graph.add("b", _broken)
        await run_all(graph)
        gc.collect()


async def _nothing() -> None:
    pass


async def _nothing_for(task: str, spec: object) -> None:
    pass


async def _broken() -> None:
    raise ValueError("broken")


def test_a_traceback_is_bounded_however_deep() -> None:
    from dagtop.runtime.failures import failure_of

    def deep(n: int) -> None:
        if not n:
            raise ValueError("x" * 100_000)
        deep(n - 1)

    try:
        deep(min(500, sys.getrecursionlimit() // 2))
    except ValueError as error:
        failure = failure_of(error)
    assert len(failure.traceback) < 21_000
    assert len(failure.message) == 2_000
