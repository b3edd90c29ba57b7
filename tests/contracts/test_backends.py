"""What every backend keeps (B13, B23, B37): the same tests over async, thread, process and dask."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from backend_scene import Place, children, lines_of
from dagtop import Graph, Retry, RunState, TaskContext, TaskState
from dagtop.backends.dask_cluster import LocalDask
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.instructions import Instruction
from dagtop.core.machine import RunMachine

pytestmark = pytest.mark.anyio

PLACES = ("async", "thread", "process", "dask")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A scheduler and two worker processes, which are there before any run."""
    pytest.importorskip("distributed")
    local = LocalDask()
    yield local.address
    local.close()


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "dask":
        return Place("dask", {"dask": request.getfixturevalue("cluster")})
    return Place(request.param)


class PickyError(Exception):
    """Cannot be made again from its `args`."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class MeantError(Exception):
    pass


class UnpicklableError(ValueError):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def wait_for_the_flag(ctx: TaskContext) -> None:
    ctx.ready()
    while not ctx.cancelled:
        time.sleep(0.005)


async def wait_for_ever(ctx: TaskContext) -> None:
    ctx.ready()
    await anyio.sleep_forever()


def sleep_long(ctx: TaskContext) -> None:
    ctx.ready()
    time.sleep(600)


def wait_for(mark: Path) -> None:
    while not mark.exists():
        time.sleep(0.005)


def is_gone(path: str) -> bool:
    return not Path(path).exists()


def clean_up(mark: Path) -> None:
    mark.write_text("cleaned up")


def waits_and_cleans_up(place: Place) -> Any:
    """A task that waits to be stopped, in the way that its backend stops tasks, and leaves a file behind then."""
    if place.name == "async":

        async def waits(ctx: TaskContext, mark: Path) -> None:
            try:
                await wait_for_ever(ctx)
            finally:
                clean_up(mark)

        return waits
    wait = sleep_long if place.name == "process" else wait_for_the_flag

    def waits_in_vain(ctx: TaskContext, mark: Path) -> None:
        try:
            wait(ctx)
        finally:
            print("in finally")
            clean_up(mark)

    return waits_in_vain


async def test_B37_outputs_are_handed_on_by_name(place: Place) -> None:
    graph = Graph("g", inputs={"day": "monday"})
    place.add(graph, "extract", lambda day: [day, os.getpid()])
    place.add(graph, "nothing", lambda: None)
    place.add(graph, "joined", lambda extract, nothing, factor=2: (extract[:1] * factor, nothing))
    run = await place.run(graph)
    assert run.result is not None
    assert run.result["joined"].output == (["monday", "monday"], None)
    assert (run.result["extract"].output[1] == os.getpid()) is place.is_here
    assert run.result["nothing"].state is TaskState.SUCCEEDED


async def test_B37_a_run_may_mix_all_backends(cluster: str) -> None:
    graph = Graph("g")
    for number, name in enumerate(PLACES):
        Place(name).add(graph, name, lambda ctx: [*ctx.upstream.values()], depends_on=PLACES[:number])
    run = await Place("mixed", {"dask": cluster}).run(graph)
    assert run.result is not None
    assert run.result["dask"].output == [[], [[]], [[], [[]]]]


async def test_one_function_with_specs_runs_everywhere(place: Place) -> None:
    tasks = {"a": {"n": 1}, "b": {"n": 2}}
    run_task = place.fits(lambda task_id, spec: (task_id, spec["n"], spec["_dep_outputs"]))
    options: dict[str, Any] = {} if place.name == "async" else {"backend": place.name}
    graph = Graph.from_specs("g", tasks=tasks, dependencies={"b": ["a"]}, run=run_task, **options)
    run = await place.run(graph)
    assert run.result is not None
    assert run.result["b"].output == ("b", 2, {"a": ("a", 1, {})})


async def test_B12_an_exception_comes_with_its_message_traceback_and_cause(place: Place) -> None:
    def fails() -> None:
        try:
            {}["key"]
        except KeyError as error:
            raise PickyError(7, why="it is so") from error

    graph = Graph("g")
    place.add(graph, "fails", fails)
    run = await place.run(graph)
    assert run.result is not None
    failure = run.result["fails"].failure
    assert failure is not None
    assert (failure.error, failure.message) == ("PickyError", "7: it is so")
    assert "KeyError: 'key'" in failure.traceback
    assert "direct cause" in failure.traceback
    assert "raise PickyError(7" in failure.traceback
    assert failure.where.endswith("in fails")


@pytest.mark.parametrize(
    ("retry", "attempts"),
    [
        (Retry(retries=1, base=0, on=(PickyError,)), 2),
        (Retry(retries=1, base=0, on=(OSError,)), 1),
        (Retry(retries=1, base=0, not_on=(PickyError,)), 1),
    ],
)
async def test_B13_what_is_tried_again_goes_by_the_type_of_the_exception(
    place: Place, retry: Retry, attempts: int
) -> None:
    def fails() -> None:
        raise PickyError(1, why="no")

    graph = Graph("g")
    place.add(graph, "fails", fails, retries=retry)
    run = await place.run(graph)
    assert len(run.of(ev.TaskStarted)) == attempts


async def test_B13_an_exception_that_cannot_be_sent_is_still_told_and_tried_again_by_its_base(place: Place) -> None:
    def fails() -> None:
        raise UnpicklableError

    graph = Graph("g")
    place.add(graph, "fails", fails, retries=Retry(retries=1, base=0, on=(ValueError,)))
    run = await place.run(graph)
    assert run.result is not None
    failure = run.result["fails"].failure
    assert failure is not None
    assert (failure.error, failure.message) == ("UnpicklableError", "holds a lock")
    assert "raise UnpicklableError" in failure.traceback
    assert len(run.of(ev.TaskStarted)) == 2


async def test_B13_an_attempt_that_fails_is_tried_again_and_succeeds(place: Place) -> None:
    def second_time(ctx: TaskContext) -> int:
        if ctx.attempt == 1:
            raise MeantError("not yet")
        return ctx.attempt

    graph = Graph("g")
    place.add(graph, "flaky", second_time, retries=Retry(retries=2, base=0, on=(MeantError,)))
    run = await place.run(graph)
    assert run.result is not None
    assert run.result["flaky"].output == 2
    assert run.types("flaky") == ["ready", "started", "retrying", "ready", "started", "succeeded"]


async def test_B13_a_timeout_ends_an_attempt(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    graph = Graph("g", inputs={"mark": mark})
    graph.add("slow", waits_and_cleans_up(place), backend=place.name, timeout=60)
    async with place.live(graph) as run:
        await run.until(ev.TaskServing, "slow")
        await run.command(cmd.SetPolicy("slow", timeout=0.01))
    assert run.result is not None
    assert run.result["slow"].state is TaskState.TIMED_OUT
    assert mark.read_text() == "cleaned up"


async def test_B13_a_task_that_does_not_stop_keeps_its_dask_worker_and_not_the_run(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kept the run for ever: a thread of another process cannot be ended."""
    monkeypatch.setattr("dagtop.backends.dask.STUCK", 0.1)
    graph = Graph("g", inputs={"mark": tmp_path / "mark"})
    graph.add("deaf", deaf, backend="dask", timeout=60)
    async with Place("dask", {"dask": cluster}).live(graph) as run:
        await run.until(ev.TaskServing, "deaf")
        await run.command(cmd.SetPolicy("deaf", timeout=0.01))
        assert await run.until(ev.TaskTimedOut, "deaf")
    (tmp_path / "mark").touch()
    assert any("keeps a thread of the Dask worker" in line for _, _, line in lines_of(run, "deaf"))


async def test_B13_a_worker_that_never_gets_ready_does_not_keep_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.backends.process.GET_READY", 0.0)
    graph, place = Graph("g"), Place("process")
    place.add(graph, "quick", lambda: 1)
    run = await place.run(graph)
    assert run.result is not None
    failure = run.result["quick"].failure
    assert failure is not None
    assert failure.error == "WorkerDiedError"
    assert "had not got ready within 0 s before it could run task 'quick'" in failure.message


def deaf(ctx: TaskContext, mark: Path) -> None:
    ctx.ready()
    wait_for(mark)


@pytest.mark.parametrize("name", ["process", "dask"])
async def test_B13_the_clock_of_a_timeout_begins_with_the_tasks_body(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting a worker took longer than the timeout of a quick task, which could never succeed."""
    place = Place(name, {"dask": request.getfixturevalue("cluster")} if name == "dask" else {})
    handle, order = RunMachine.handle, list[str]()

    def seen(machine: RunMachine, event: inp.Input) -> list[Instruction]:
        if isinstance(event, (inp.AttemptBegan, inp.AttemptSucceeded)):
            order.append(type(event).__name__)
        return handle(machine, event)

    monkeypatch.setattr(RunMachine, "handle", seen)
    graph = Graph("g")
    place.add(graph, "quick", lambda: 1, timeout=60)
    run = await place.run(graph)
    assert run.result is not None
    assert sorted(order) == ["AttemptBegan", "AttemptSucceeded"]  # the two may overtake each other on their way


async def test_B23_cancel_ends_an_attempt_and_its_finally_runs(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    graph = Graph("g", inputs={"mark": mark})
    graph.add("waits", waits_and_cleans_up(place), backend=place.name)
    place.add(graph, "other", lambda: "goes on")
    async with place.live(graph) as run:
        await run.until(ev.TaskServing, "waits")
        await run.command(cmd.CancelTask("waits"))
    assert run.result is not None
    assert run.result["waits"].state is TaskState.CANCELLED
    assert run.result["other"].output == "goes on"
    assert mark.read_text() == "cleaned up"
    if place.name != "async":
        assert ("stdout", 1, "in finally") in lines_of(run, "waits")


async def test_B23_cancelling_the_run_ends_what_runs_and_nothing_else_starts(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    graph = Graph("g", inputs={"mark": mark})
    graph.add("waits", waits_and_cleans_up(place), backend=place.name)
    place.add(graph, "after", lambda waits: 1)
    async with place.live(graph) as run:
        await run.until(ev.TaskServing, "waits")
        await run.command(cmd.CancelRun())
    assert run.result is not None
    assert run.result.state is RunState.CANCELLED
    assert mark.exists()


async def test_what_a_task_says_is_captured_with_task_and_attempt(place: Place) -> None:
    def talks(ctx: TaskContext) -> None:
        print("printed ü")
        print("to stderr", file=sys.stderr)
        sys.stdout.buffer.write(b"bytes\n")
        logging.getLogger("shop").warning("logged %d", 1)
        logging.getLogger("shop").debug("not let through")
        ctx.log.debug("of ctx")
        print("no newline", end="")
        if ctx.attempt == 1:
            raise MeantError

    graph = Graph("g")
    place.add(graph, "talks", talks, retries=Retry(retries=1, base=0))
    run = await place.run(graph)
    said = [
        ("stdout", "printed ü"),
        ("stderr", "to stderr"),
        ("stdout", "bytes"),
        ("log", "shop: logged 1"),
        ("log", "of ctx"),
        ("stdout", "no newline"),
    ]
    heard = lines_of(run, "talks")
    assert [(stream, line) for stream, attempt, line in heard if attempt == 1] == said
    assert [(stream, line) for stream, attempt, line in heard if attempt == 2] == said
    levels = {event.line: event.level for event in run.of(ev.Log)}
    assert (levels["shop: logged 1"], levels["of ctx"], levels["printed ü"]) == ("WARNING", "DEBUG", "")


async def test_log_levels_are_those_of_the_engines_process(place: Place) -> None:
    def logs() -> None:
        logging.getLogger("quiet.shop").error("too quiet")
        logging.getLogger("loud.shop").debug("loud enough")

    graph = Graph("g")
    place.add(graph, "logs", logs)
    logging.getLogger("quiet").setLevel(logging.CRITICAL)
    logging.getLogger("loud").setLevel(logging.DEBUG)
    try:
        run = await place.run(graph)
    finally:
        logging.getLogger("quiet").setLevel(logging.NOTSET)
        logging.getLogger("loud").setLevel(logging.NOTSET)
    assert lines_of(run, "logs") == [("log", 1, "loud.shop: loud enough")]


async def test_too_much_output_is_counted_and_not_kept(place: Place) -> None:
    def floods() -> None:
        for number in range(20_000):
            print(number)

    graph = Graph("g")
    place.add(graph, "floods", floods)
    run = await place.run(graph)
    lines = [line for _, _, line in lines_of(run, "floods")]
    assert lines[:2] == ["0", "1"]
    assert lines[9_999] == "9999"
    assert "output limit reached" in lines[10_000]
    assert "10,000 lines" in lines[10_001]
    assert len(lines) == 10_002


async def test_progress_and_readiness_are_seen(place: Place, tmp_path: Path) -> None:
    def works(ctx: TaskContext, mark: Path) -> None:
        ctx.progress(1, 4, "a quarter")
        ctx.ready()
        wait_for(mark)

    async def works_async(ctx: TaskContext, mark: Path) -> None:
        ctx.progress(1, 4, "a quarter")
        ctx.ready()
        await anyio.to_thread.run_sync(wait_for, mark)

    mark = tmp_path / "mark"
    graph = Graph("g", inputs={"mark": mark})
    graph.add("works", works_async if place.name == "async" else works, backend=place.name)
    async with place.live(graph) as run:
        told = await run.until(ev.TaskProgress, "works")
        await run.until(ev.TaskServing, "works")
        mark.touch()
    assert (told.done, told.total, told.message) == (1.0, 4.0, "a quarter")


async def test_the_context_knows_upstream_and_has_a_directory_of_its_own(place: Place) -> None:
    def looks(ctx: TaskContext) -> tuple[Any, ...]:
        (ctx.scratch_dir / "file").write_text("kept")
        return ctx.task, ctx.attempt, dict(ctx.upstream), str(ctx.scratch_dir), ctx.cancelled

    def looks_again(looks: Any, ctx: TaskContext) -> bool:
        return Path(looks[3], "file").read_text() == "kept" and str(ctx.scratch_dir) != looks[3]

    graph = Graph("g")
    place.add(graph, "one", lambda: 1)
    place.add(graph, "looks", looks, depends_on=["one"])
    place.add(graph, "again", looks_again)
    run = await place.run(graph)
    assert run.result is not None
    task, attempt, upstream, scratch, cancelled = run.result["looks"].output
    assert (task, attempt, upstream, cancelled) == ("looks", 1, {"one": 1}, False)
    assert run.result["again"].output is True
    assert is_gone(scratch)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SystemExit(7), ("TaskExitError", "sys.exit(7)")),
        (KeyboardInterrupt(), ("TaskExitError", "KeyboardInterrupt")),
        (GeneratorExit(), ("GeneratorExit", "")),
        (StopIteration("stop"), ("", "")),
        (ExceptionGroup("both", [ValueError("one"), TypeError("two")]), ("ExceptionGroup", "both (2 sub-exceptions)")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_B12_whatever_is_raised_fails_the_task_and_nothing_else(
    place: Place, error: BaseException, told: tuple[str, str]
) -> None:
    def fails() -> None:
        raise error

    graph = Graph("g")
    place.add(graph, "fails", fails)
    place.add(graph, "other", lambda: "goes on")
    run = await place.run(graph)
    assert run.result is not None
    failure = run.result["fails"].failure
    assert failure is not None
    assert failure.error == told[0] or not told[0]
    assert told[1] in failure.message
    assert run.result["other"].output == "goes on"


async def test_a_big_output_and_a_big_argument_go_through(place: Place) -> None:
    graph = Graph("g")
    place.add(graph, "big", lambda: b"x" * 10_000_000)
    place.add(graph, "size", lambda big: (len(big), big[-1:]))
    run = await place.run(graph)
    assert run.result is not None
    assert run.result["size"].output == (10_000_000, b"x")


async def test_what_cannot_be_sent_is_one_clear_error_that_names_task_and_value(place: Place) -> None:
    def gives_a_lock() -> Any:
        return threading.Lock()

    lock = threading.Lock()
    graph = Graph("g", inputs={"stream": sys.stderr})
    place.add(graph, "output", gives_a_lock, retries=Retry(retries=3, base=0))
    place.add(graph, "argument", lambda stream: None, retries=Retry(retries=3, base=0))
    place.add(graph, "closure", lambda: lock.locked())
    run = await place.run(graph)
    assert run.result is not None
    if place.is_here:
        assert run.result.state is RunState.SUCCEEDED
        return
    told = {name: run.result[name].failure for name in ("output", "argument", "closure")}
    assert {failure.error for failure in told.values() if failure} == {"TransferError"}
    messages = {name: failure.message for name, failure in told.items() if failure}
    assert "what task 'output' returned, a lock, cannot be sent" in messages["output"]
    assert "argument 'stream' of task 'argument', a" in messages["argument"]
    assert "the function of task 'closure'" in messages["closure"]
    assert "the variable 'lock'" in messages["closure"]
    assert all("leave backend out" in message for message in messages.values())
    assert len(run.of(ev.TaskStarted)) == 3, "it would be the same again"


async def test_nothing_is_left_behind(place: Place) -> None:
    def threads() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    await place.run(Graph("warm").add("a", place.fits(lambda: 1), backend=place.name))
    before, open_files = children(), len(os.listdir("/dev/fd"))
    graph = Graph("g")
    for number in range(3):
        place.add(graph, f"t{number}", lambda: print("one line"))
    run = await place.run(graph)
    assert run.result is not None
    assert run.result.state is RunState.SUCCEEDED
    assert children() == before
    assert not {name for name in threads() if "IO loop" in name}
    assert len(os.listdir("/dev/fd")) <= open_files
