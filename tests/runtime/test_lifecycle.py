"""Setup and teardown of tasks (B36)."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, Retry, RunState, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.testing import rehearse
from engine_driver import Live, check_books, live, run_all

pytestmark = pytest.mark.anyio


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Threads that wait for this go on waiting until the test is over."""
    event = threading.Event()
    yield event
    event.set()


class Steps(list[str]):
    """What happened, in order; makes functions that say so."""

    def says(self, what: str, *, sync: bool = False, then: Callable[[], Any] = lambda: None) -> Callable[..., Any]:
        def plain() -> Any:
            self.append(what)
            return then()

        async def on_loop() -> Any:
            await anyio.lowlevel.checkpoint()
            return plain()

        return plain if sync else on_loop


def fails() -> None:
    raise ValueError("no")


@pytest.mark.parametrize("sync_around", [False, True])
@pytest.mark.parametrize("sync_task", [False, True])
async def test_B36_setup_then_the_task_then_teardown_wherever_each_of_them_runs(
    sync_task: bool, sync_around: bool
) -> None:
    graph = Graph("g")
    steps: list[Any] = []
    threads: dict[str, int] = {}
    here = threading.get_ident()

    def step(what: str, value: Any) -> Any:
        threads[what] = threading.get_ident()
        steps.append((what, value))
        return value

    def sync_setup(ctx: TaskContext) -> Any:
        return step("setup", f"made for {ctx.task}")

    async def async_setup(ctx: TaskContext) -> Any:
        await anyio.lowlevel.checkpoint()
        return sync_setup(ctx)

    def sync_teardown(resource: str, ctx: TaskContext, works: str) -> None:
        assert ctx.resource == resource
        step("teardown", (resource, works))

    async def async_teardown(resource: str, ctx: TaskContext, works: str) -> None:
        await anyio.lowlevel.checkpoint()
        sync_teardown(resource, ctx, works)

    def sync_works(resource: str, ctx: TaskContext) -> str:
        assert ctx.resource == resource
        step("task", resource)
        return "its output"

    async def async_works(resource: str, ctx: TaskContext) -> str:
        await anyio.lowlevel.checkpoint()
        return sync_works(resource, ctx)

    graph.add(
        "works",
        sync_works if sync_task else async_works,
        setup=sync_setup if sync_around else async_setup,
        teardown=sync_teardown if sync_around else async_teardown,
    )
    run = await run_all(graph)
    assert steps == [
        ("setup", "made for works"),
        ("task", "made for works"),
        ("teardown", ("made for works", "its output")),
    ]
    assert (threads["task"] == here) is not sync_task
    assert (threads["setup"] == here, threads["teardown"] == here) == (not sync_around, not sync_around)
    assert run.types("works") == ["ready", "started", "succeeded", "tearing_down", "torn_down"]
    assert isinstance(run.events[-1], ev.RunFinished)


async def test_B36_teardowns_run_in_the_reverse_order_each_when_nobody_needs_the_task_any_more() -> None:
    graph = Graph("g")
    steps = Steps()
    for name, needs in {"base": [], "left": ["base"], "right": ["base"], "top": ["left", "right"], "other": []}.items():
        graph.add(
            name, steps.says(name), depends_on=needs, setup=steps.says(f"+{name}"), teardown=steps.says(f"-{name}")
        )
    await run_all(graph)
    assert steps.index("-top") < min(steps.index("-left"), steps.index("-right"))
    assert steps.index("-base") > max(steps.index("-left"), steps.index("-right"))
    assert steps.index("-other") < steps.index("-base")
    assert sorted(steps) == sorted(f"{sign}{name}" for name in graph.names for sign in ("", "+", "-"))


@pytest.mark.parametrize("sync", [False, True])
async def test_B36_it_runs_for_a_task_that_failed_and_for_one_that_was_skipped_only_if_it_had_begun(sync: bool) -> None:
    graph = Graph("g")
    steps = Steps()
    graph.add("bad", steps.says("bad", sync=sync, then=fails), teardown=steps.says("-bad", sync=sync))
    graph.add(
        "after", steps.says("after"), depends_on=["bad"], setup=steps.says("+after"), teardown=steps.says("-after")
    )
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["after"].state is TaskState.SKIPPED
    assert steps == ["bad", "-bad"]


async def test_B36_it_runs_for_a_task_that_was_cancelled_and_for_one_that_timed_out() -> None:
    graph = Graph("g")
    steps = Steps()
    begun = {"stopped": anyio.Event(), "late": anyio.Event()}

    async def hangs(ctx: TaskContext) -> None:
        begun[ctx.task].set()
        await anyio.sleep_forever()

    graph.add("stopped", hangs, setup=steps.says("+stopped"), teardown=steps.says("-stopped"))
    graph.add("late", hangs, setup=steps.says("+late"), teardown=steps.says("-late"))
    async with live(graph) as run:
        for event in begun.values():
            await event.wait()
        await run.command(cmd.CancelTask("stopped"))
        await run.command(cmd.SetPolicy("late", timeout=0.001))
    assert sorted(steps) == ["+late", "+stopped", "-late", "-stopped"]
    assert run.result is not None
    assert [task.state for task in run.result] == [TaskState.CANCELLED, TaskState.TIMED_OUT]


@pytest.mark.parametrize("how", ["command", "scope", "run_timeout"])
async def test_B36_it_runs_shielded_when_the_whole_run_is_cancelled(how: str) -> None:
    graph = Graph("g")
    steps = Steps()

    async def teardown() -> None:
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        steps.append("torn down")

    graph.add("hangs", anyio.sleep_forever, setup=steps.says("set up"), teardown=teardown)
    graph.add("never", steps.says("never"), depends_on=["hangs"], teardown=steps.says("-never"))
    config = ExecutorConfig(run_timeout=0.02 if how == "run_timeout" else None)
    run = Live(DAGExecutor(graph, config, capture=False))
    run.engine.add_recorders([run])
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(run.executor.run)
            await run.until(ev.TaskStarted, "hangs")
            while not steps:
                await anyio.lowlevel.checkpoint()
            if how == "command":
                run.send(cmd.CancelRun())
            elif how == "scope":
                scope.cancel()
    assert steps == ["set up", "torn down"]
    check_books(run)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_B36_a_second_cancel_from_outside_does_not_cut_teardown_short() -> None:
    """sdax does not shield: its second cancel leaves the clean-up half done."""
    import asyncio

    graph = Graph("g")
    cleaning, go_on, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()
    steps: list[str] = []

    async def hangs() -> None:
        begun.set()
        await anyio.sleep_forever()

    async def teardown() -> None:
        cleaning.set()
        await go_on.wait()
        steps.append("clean")

    graph.add("hangs", hangs, setup=Steps().says("set up"), teardown=teardown)
    running = asyncio.ensure_future(DAGExecutor(graph, capture=False).run())
    await begun.wait()
    running.cancel()
    await cleaning.wait()
    for _ in range(5):
        running.cancel()
        await asyncio.sleep(0)
    assert not running.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert steps == ["clean"]


async def test_B36_what_teardown_raises_is_collected_and_fails_nothing() -> None:
    graph = Graph("g")
    steps = Steps()

    def exits() -> None:
        sys.exit("teardown says goodbye")

    graph.add("a", steps.says("a"), teardown=steps.says("-a", then=fails))
    graph.add("b", steps.says("b"), depends_on=["a"], teardown=exits)
    run = await run_all(graph)
    result = run.result
    assert result is not None
    assert result.state is RunState.SUCCEEDED
    assert [(found.of, found.task, found.failure.error) for found in result.teardown_failures] == [
        ("task 'b'", "b", "TaskExitError"),
        ("task 'a'", "a", "ValueError"),
    ]
    torn = {event.task: event.failure for event in run.of(ev.TaskTornDown)}
    assert torn["a"].message == "no"
    assert [(problem.source, problem.task) for problem in run.of(ev.Problem)] == [("teardown", "b"), ("teardown", "a")]


async def test_B36_setup_runs_with_each_attempt_until_it_has_succeeded_and_teardown_once() -> None:
    graph = Graph("g")
    steps: list[str] = []

    def setup() -> str:
        steps.append("setup")
        if steps.count("setup") < 3:
            raise OSError("not yet")
        return "there"

    def flaky(resource: str) -> str:
        steps.append(resource)
        if steps.count("there") < 2:
            raise ValueError
        return resource

    def teardown(resource: str) -> None:
        steps.append(f"teardown of {resource}")

    graph.add("flaky", flaky, setup=setup, teardown=teardown, retries=Retry(retries=5, base=0))
    run = await run_all(graph)
    assert steps == ["setup", "setup", "setup", "there", "there", "teardown of there"]
    assert run.result is not None
    assert run.result["flaky"].attempts == 4


async def test_B36_a_setup_that_fails_fails_the_attempt_and_is_torn_down() -> None:
    graph = Graph("g")
    steps = Steps()
    graph.add("task", steps.says("task"), setup=steps.says("setup", then=fails), teardown=steps.says("teardown"))
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["task"].state is TaskState.FAILED
    assert run.result["task"].failure is not None
    assert run.result["task"].failure.message == "no"
    assert steps == ["setup", "teardown"]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_B36_the_timeout_counts_from_the_beginning_of_setup(loop: str) -> None:
    graph = Graph("g")
    steps = Steps()
    graph.add("task", steps.says("task"), timeout=60, setup=anyio.sleep_forever, teardown=steps.says("teardown"))
    result = rehearse(graph, loop=loop).result
    assert result["task"].state is TaskState.TIMED_OUT
    assert result["task"].duration == pytest.approx(60, abs=1)
    assert steps == ["teardown"]


async def test_B36_a_setup_in_a_thread_is_waited_for_before_its_task_is_torn_down(stuck: threading.Event) -> None:
    graph = Graph("g")
    steps = Steps()
    begun = threading.Event()

    def setup() -> str:
        begun.set()
        stuck.wait()
        steps.append("setup")
        return "a resource"

    def teardown(resource: str) -> None:
        steps.append(f"teardown of {resource}")

    async def task() -> None:
        steps.append("task")

    graph.add("task", task, setup=setup, teardown=teardown)
    async with live(graph) as run:
        await anyio.to_thread.run_sync(begun.wait)
        await run.command(cmd.CancelTask("task"))
        assert run.state("task") is TaskState.CANCELLING
        stuck.set()
    assert steps == ["setup", "teardown of a resource"]
    assert run.result is not None
    assert run.result["task"].state is TaskState.CANCELLED


@pytest.mark.parametrize("sync", [False, True])
async def test_B36_a_teardown_that_hangs_holds_up_a_cancelled_run_no_longer_than_the_grace(
    sync: bool, stuck: threading.Event
) -> None:
    graph = Graph("g", cancel_grace=0.02)
    begun = threading.Event()

    def sync_teardown() -> None:
        begun.set()
        stuck.wait()

    async def async_teardown() -> None:
        begun.set()
        while True:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                pass

    graph.add("task", Steps().says("task"), teardown=sync_teardown if sync else async_teardown)
    async with live(graph) as run:
        await anyio.to_thread.run_sync(begun.wait)
        await run.command(cmd.CancelRun())
    assert run.result is not None
    (failure,) = run.result.teardown_failures
    assert failure.failure.error == "TimeoutError"
    assert "0.02 s after the run was cancelled" in failure.failure.message
    assert run.engine.workers.threads_left == int(sync)


async def test_B36_a_chain_of_thousands_declared_from_its_end_is_torn_down_without_recursion() -> None:
    """sdax raises RecursionError for a chain of 2,000 that is declared leaf first."""
    graph = Graph("g")
    steps = Steps()
    for i in reversed(range(2_000)):
        needs = [f"t{i - 1}"] if i else []
        graph.add(f"t{i}", steps.says("run"), depends_on=needs, teardown=steps.says(f"-{i}"))
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.ok
    assert [step for step in steps if step != "run"] == [f"-{i}" for i in reversed(range(2_000))]


async def test_B36_a_thousand_teardowns_in_threads_do_not_start_a_thousand_threads() -> None:
    graph = Graph("g")
    at_once, most, lock = 0, 0, threading.Lock()

    def teardown() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        with lock:
            at_once -= 1

    for i in range(1_000):
        graph.add(f"t{i}", Steps().says("run"), teardown=teardown)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.ok
    assert most <= 32


async def test_B36_a_task_that_is_restarted_after_its_teardown_is_set_up_again() -> None:
    graph = Graph("g")
    steps = Steps()
    graph.add("a", steps.says("a"), setup=steps.says("+a"), teardown=steps.says("-a"))
    executor = DAGExecutor(graph, capture=False)
    run = Live(executor)
    run.engine.add_recorders([run])
    run.engine.hold_open = True
    async with anyio.create_task_group() as group:
        group.start_soon(executor.run)
        await run.until(ev.RunFinished)
        await run.command(cmd.RestartTask("a"))
        await run.until(ev.RunFinished, count=2)
        run.engine.close()
    assert steps == ["+a", "a", "-a"] * 2
    check_books(run)


async def test_a_context_variable_that_setup_sets_is_seen_by_the_task() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    graph = Graph("g")

    def setup() -> None:
        variable.set("of setup")

    graph.add("thread", lambda: variable.get(), setup=setup)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["thread"].output == "of setup"


async def test_what_setup_and_teardown_print_is_the_tasks_own_output() -> None:
    graph = Graph("g")
    graph.add("a", lambda: print("task"), setup=lambda: print("setup"), teardown=lambda: print("teardown"))
    run = Live(DAGExecutor(graph, capture=True))
    run.engine.add_recorders([run])
    await run.executor.run()
    assert [(log.task, log.attempt, log.line) for log in run.of(ev.Log)] == [
        ("a", 1, "setup"),
        ("a", 1, "task"),
        ("a", 1, "teardown"),
    ]


async def test_a_scope_that_setup_leaves_open_is_an_error_of_the_attempt() -> None:
    graph = Graph("g")

    async def setup() -> anyio.CancelScope:
        return anyio.CancelScope().__enter__()

    graph.add("a", Steps().says("a"), setup=setup)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["a"].state is TaskState.FAILED
    assert run.result["a"].failure is not None
    assert "had entered and not left" in run.result["a"].failure.message


async def test_functions_around_tasks_of_from_specs_are_called_with_id_and_spec() -> None:
    steps: list[Any] = []

    async def run(task_id: str, spec: dict[str, Any], ctx: TaskContext) -> Any:
        return spec["n"], ctx.resource

    async def setup(task_id: str, spec: dict[str, Any]) -> str:
        return f"{task_id}/{spec['n']}"

    def teardown(task_id: str, spec: dict[str, Any], ctx: TaskContext) -> None:
        steps.append((task_id, ctx.resource))

    graph = Graph.from_specs(
        "g",
        tasks={"a": {"n": 1}, "b": {"n": 2}, "c": {"n": 3}},
        dependencies={"b": ["a"]},
        run=run,
        task_options={
            "a": {"setup": setup, "teardown": teardown},
            "b": {"when": lambda task_id, spec: spec["_dep_outputs"]["a"][0] == 1},
            "c": {"when": lambda task_id, spec: spec["n"] != 3},
        },
    )
    result = (await run_all(graph)).result
    assert result is not None
    assert [(task.state, task.output) for task in result] == [
        (TaskState.SUCCEEDED, (1, "a/1")),
        (TaskState.SUCCEEDED, (2, None)),
        (TaskState.SKIPPED, None),
    ]
    assert steps == [("a", "a/1")]


def square_of(resource: int, ctx: TaskContext) -> tuple[int, bool]:
    assert ctx.resource == resource
    return resource * resource, os.getpid() != resource_pid()


def resource_pid() -> int:
    return int(os.environ["DAGTOP_TEST_PID"])


async def test_B37_a_task_in_another_process_is_set_up_and_torn_down_in_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAGTOP_TEST_PID", str(os.getpid()))
    graph = Graph("g")
    steps: list[tuple[str, int]] = []

    async def setup() -> int:
        steps.append(("setup", os.getpid()))
        return 7

    def teardown(resource: int) -> None:
        steps.append((f"teardown of {resource}", os.getpid()))

    graph.add("far", square_of, backend="process", setup=setup, teardown=teardown)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["far"].output == (49, True)
    assert steps == [("setup", os.getpid()), ("teardown of 7", os.getpid())]
