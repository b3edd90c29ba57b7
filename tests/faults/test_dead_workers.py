"""Workers that die, hang, or are left behind (B23, B37): the task fails with that as its cause, and the others go on."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import pytest
from backend_scene import Place, children, lines_of
from dagtop import Graph, OptionError, Retry, TaskState
from dagtop.backends.dask_cluster import LocalDask
from dagtop.backends.process import ProcessPool
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.policy import BackendName
from dagtop.graph import options as graph_options
from dagtop.loaders.python import load
from dagtop.ports.backend import STOPPED, BackendStatistics, Parcel, Reply
from dagtop.runtime.elsewhere import Elsewhere
from journal_scene import environ_for_children

pytestmark = pytest.mark.anyio

PROCESS = Place("process")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Place]:
    """A scheduler and two worker processes."""
    pytest.importorskip("distributed")
    local = LocalDask()
    yield Place("dask", {"dask": local.address})
    local.close()


def statistics_of(elsewhere: Elsewhere | None) -> BackendStatistics:
    assert elsewhere is not None
    return elsewhere.statistics()[BackendName.PROCESS]


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that has ended and waits to be asked for its exit code is none."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def until(holds: Callable[[], bool]) -> None:
    patience = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < patience, "it never came"
        time.sleep(0.01)


def wait_for(mark: Path) -> None:
    while not mark.exists():
        time.sleep(0.005)


def wait_for_full(full: Path) -> None:
    wait_for(full)


def kill_me(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


class TestADeadProcess:
    @pytest.mark.parametrize(
        ("how", "told"),
        [
            (lambda: kill_me(signal.SIGKILL), "was killed by SIGKILL, perhaps for want of memory"),
            (lambda: kill_me(signal.SIGTERM), "was told to end by SIGTERM"),
            (lambda: os._exit(3), "ended with exit code 3"),
            (lambda: os._exit(0), "ended with exit code 0"),
            (lambda: os.abort(), "was killed by SIGABRT"),
            (lambda: os.closerange(3, 100), f"ended with exit code {os.EX_IOERR}"),
        ],
        ids=["SIGKILL", "SIGTERM", "exit-3", "exit-0", "abort", "closes the socket"],
    )
    async def test_B37_fails_its_task_and_says_how_it_died(self, how: Callable[[], None], told: str) -> None:
        graph = Graph("g")
        PROCESS.add(graph, "dies", how)
        PROCESS.add(graph, "after", lambda: "goes on", depends_on=["dies"], trigger="all_done")
        PROCESS.add(graph, "beside", lambda: "goes on")
        run = await PROCESS.run(graph)
        assert run.result is not None
        failure = run.result["dies"].failure
        assert failure is not None
        assert failure.error == "WorkerDiedError"
        assert f"{told} while it ran task 'dies'" in failure.message
        assert run.result["after"].output == run.result["beside"].output == "goes on"

    async def test_B37_a_crash_leaves_its_traceback_and_what_was_printed_before(self) -> None:
        def crashes() -> None:
            print("just before")
            ctypes.string_at(0)

        graph = Graph("g")
        PROCESS.add(graph, "crashes", crashes)
        run = await PROCESS.run(graph)
        lines = [line for _, _, line in lines_of(run, "crashes")]
        assert lines[0] == "just before"
        assert "Fatal Python error: Segmentation fault" in lines
        assert any(line.endswith("in crashes") for line in lines)

    async def test_B37_is_replaced_when_the_task_is_tried_again(self, tmp_path: Path) -> None:
        def dies_once(mark: Path) -> int:
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return os.getpid()

        graph = Graph("g", inputs={"mark": tmp_path / "mark"})
        PROCESS.add(graph, "dies", dies_once, retries=Retry(retries=1, base=0))
        run = await PROCESS.run(graph)
        assert run.result is not None
        assert run.result["dies"].state is TaskState.SUCCEEDED
        statistics = statistics_of(run.engine.calls.elsewhere)
        assert (statistics.started, statistics.died, statistics.busy) == (2, 1, 0)

    async def test_B37_that_had_nothing_to_do_is_nobodys_failure(self) -> None:
        graph = Graph("g")
        PROCESS.add(graph, "first", os.getpid)
        graph.add("kills", lambda first: os.kill(first, signal.SIGKILL))
        PROCESS.add(graph, "second", lambda first: os.getpid() != first, depends_on=["kills"])
        run = await PROCESS.run(graph)
        assert run.result is not None
        assert run.result["second"].output is True
        assert len(run.of(ev.TaskStarted)) == 3

    async def test_B37_is_noticed_although_a_child_of_it_holds_its_socket(self, tmp_path: Path) -> None:
        def leaves_a_child() -> None:
            if os.fork() == 0:
                time.sleep(600)
            os._exit(1)

        graph = Graph("g")
        PROCESS.add(graph, "forks", leaves_a_child)
        run = await PROCESS.run(graph)
        assert run.result is not None
        failure = run.result["forks"].failure
        assert failure is not None
        assert "ended with exit code 1" in failure.message

    async def test_B37_a_warm_worker_is_used_again(self) -> None:
        graph = Graph("g", max_parallel=1)
        for name in "abc":
            PROCESS.add(graph, name, os.getpid)
        run = await PROCESS.run(graph)
        assert run.result is not None
        assert len({run.result[name].output for name in "abc"}) == 1
        assert statistics_of(run.engine.calls.elsewhere).started == 1


def stubborn(function: Any, call: bytes, channel: Any) -> Reply:
    """An entry that does not let itself be interrupted."""
    channel.send(("here",))
    while True:
        try:
            time.sleep(60)
        except SystemExit:
            channel.send(("no",))


class TestTheEnd:
    async def test_B23_a_task_that_does_not_let_itself_be_ended_is_killed(self) -> None:
        pool = ProcessPool(stubborn, grace=0.05)
        heard: list[str] = []
        here = threading.Event()

        def hear(item: tuple[Any, ...]) -> None:
            heard.append(item[0])
            if item[0] == "here":
                here.set()

        errand = pool.errand("t", lambda: Parcel(key=0, function=b"N.", call=b""), hear)
        ended: list[Reply] = []
        waits = threading.Thread(target=lambda: ended.append(errand.carry_out()))
        waits.start()
        assert await anyio.to_thread.run_sync(here.wait, 30)
        errand.cancel()
        await anyio.to_thread.run_sync(waits.join, 30)
        assert ended == [(STOPPED, b"")]
        assert heard[:2] == ["begun", "here"]
        assert pool.statistics() == BackendStatistics(started=1)
        await anyio.to_thread.run_sync(pool.close)
        assert children() == set()

    async def test_B23_an_attempt_that_is_abandoned_is_killed_at_once(self) -> None:
        pool = ProcessPool(stubborn, grace=600)
        here = threading.Event()
        errand = pool.errand("t", lambda: Parcel(key=0, function=b"N.", call=b""), lambda item: here.set())
        waits = threading.Thread(target=errand.carry_out)
        waits.start()
        assert await anyio.to_thread.run_sync(here.wait, 30)
        errand.abandon()
        await anyio.to_thread.run_sync(waits.join, 30)
        await anyio.to_thread.run_sync(pool.close)
        assert children() == set()

    async def test_B23_an_attempt_that_is_told_to_stop_before_it_began_never_begins(self) -> None:
        pool = ProcessPool(stubborn)
        errand = pool.errand("t", lambda: Parcel(key=0, function=b"N.", call=b""), lambda item: None)
        errand.cancel()
        assert await anyio.to_thread.run_sync(errand.carry_out) == (STOPPED, b"")
        await anyio.to_thread.run_sync(pool.close)
        assert pool.statistics() == BackendStatistics(started=1)

    async def test_B23_what_a_task_has_started_ends_with_it(self, tmp_path: Path) -> None:
        def starts(mark: Path) -> None:
            child = subprocess.Popen(["sleep", "600"])
            mark.with_suffix(".tmp").write_text(str(child.pid))
            mark.with_suffix(".tmp").rename(mark)
            time.sleep(600)

        mark = tmp_path / "mark"
        graph = Graph("g", inputs={"mark": mark})
        PROCESS.add(graph, "starts", starts)
        async with PROCESS.live(graph) as run:
            await anyio.to_thread.run_sync(wait_for, mark)
            await run.command(cmd.CancelTask("starts"))
        assert run.result is not None
        assert run.result["starts"].state is TaskState.CANCELLED
        child = int(mark.read_text())
        await anyio.to_thread.run_sync(until, lambda: not is_alive(child))

    async def test_B23_an_error_while_it_is_ended_is_told(self) -> None:
        def fails(ctx: Any) -> None:
            try:
                ctx.ready()
                time.sleep(600)
            finally:
                raise ValueError("in clean-up")

        graph = Graph("g")
        PROCESS.add(graph, "fails", fails)
        async with PROCESS.live(graph) as run:
            await run.until(ev.TaskServing, "fails")
            await run.command(cmd.CancelTask("fails"))
        assert run.result is not None
        assert run.result["fails"].state is TaskState.CANCELLED
        failure = run.result["fails"].failure
        assert failure is not None
        assert failure.message == "in clean-up"

    def test_B37_no_worker_outlives_a_parent_that_is_killed(self, tmp_path: Path) -> None:
        program = """
            import os, subprocess, sys, time
            from dagtop import Graph
            graph = Graph("g")

            @graph.task(backend="process")
            def works():
                child = subprocess.Popen(["sleep", "600"])
                print(os.getpid(), child.pid, flush=True)
                time.sleep(600)

            graph.run()
        """
        done = _start(program)
        assert done.stdout is not None
        worker, child = map(int, done.stdout.readline().split())
        done.kill()
        done.wait()
        done.stdout.close()
        until(lambda: not is_alive(worker) and not is_alive(child))

    def test_B37_a_dask_cluster_of_ours_does_not_outlive_it_either(self) -> None:
        pytest.importorskip("distributed")
        program = """
            import os, time
            from dagtop import Graph
            graph = Graph("g")

            @graph.task(backend="dask")
            def works():
                print(os.getpid(), os.getppid(), flush=True)
                time.sleep(600)

            graph.run()
        """
        done = _start(program)
        assert done.stdout is not None
        pids = list(map(int, done.stdout.readline().split()))
        done.kill()
        done.wait()
        done.stdout.close()
        until(lambda: not any(map(is_alive, pids)))


def _start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", dedent(program)], env=environ_for_children(), stdout=subprocess.PIPE, text=True
    )


class TestAWorkersSurroundings:
    async def test_B37_it_has_no_terminal_and_an_empty_stdin(self) -> None:
        graph = Graph("g")
        PROCESS.add(graph, "looks", lambda: (sys.stdin.read(), os.getsid(0) == os.getpid()))
        run = await PROCESS.run(graph)
        assert run.result is not None
        assert run.result["looks"].output == ("", True)

    async def test_B37_what_c_code_and_children_write_is_the_tasks_output(self) -> None:
        def writes() -> None:
            print("of python")
            os.write(1, b"of os.write\n")
            subprocess.run(["echo", "of a child"], check=True)
            ctypes.CDLL(None).puts(b"of C")

        graph = Graph("g")
        PROCESS.add(graph, "writes", writes)
        run = await PROCESS.run(graph)
        assert sorted(lines_of(run, "writes")) == [
            ("stdout", 1, "of C"),
            ("stdout", 1, "of a child"),
            ("stdout", 1, "of os.write"),
            ("stdout", 1, "of python"),
        ]

    def test_B37_a_script_without_a_guard_is_not_run_again(self, tmp_path: Path) -> None:
        script = tmp_path / "script.py"
        script.write_text(
            dedent("""
                import warnings
                from dagtop import Graph, Retry, TaskContext
                print("the script runs")
                graph = Graph("g", backend="process")

                class MineError(Exception):
                    pass

                @graph.task(retries=Retry(retries=1, base=0, on=(MineError,)))
                def flaky(ctx: TaskContext):
                    if ctx.attempt == 1:
                        raise MineError
                    warnings.warn("mind the gap", stacklevel=1)
                    return ctx.attempt

                print(graph.run()["flaky"].output)
            """)
        )
        command = [sys.executable, "-X", "dev", str(script)]
        done = subprocess.run(
            command, env=environ_for_children(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout == "the script runs\n2\n"
        assert "UserWarning: mind the gap" in done.stderr
        assert "ResourceWarning" not in done.stderr

    async def test_B37_a_graph_file_that_was_loaded_by_its_path_is_not_imported_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "path", list(sys.path))
        (tmp_path / "dead_helper.py").write_text("def helped(value):\n    return value.n + 1\n")
        (tmp_path / "dead_graph.py").write_text(
            dedent("""
                import os
                from dataclasses import dataclass
                from pathlib import Path
                from dagtop import Graph
                from dead_helper import helped

                with Path(__file__).with_name("loads").open("a") as loads:
                    loads.write("x")

                @dataclass
                class Value:
                    n: int

                graph = Graph("g", backend="process")

                @graph.task
                def value():
                    return Value(1)

                @graph.task(backend="thread")
                def here(value):
                    return isinstance(value, Value), Value(2)

                @graph.task
                def there(here, value):
                    return isinstance(here[1], Value), isinstance(value, Value), helped(value)
            """)
        )
        run = await PROCESS.run(load(str(tmp_path / "dead_graph.py")).target)
        assert run.result is not None
        assert run.result["there"].output == (True, True, 2)
        assert run.result["here"].output[0] is True
        assert (tmp_path / "loads").read_text() == "x"
        for name in ("dead_graph", "dead_helper"):
            del sys.modules[name]


class TestADeadDaskWorker:
    async def test_B37_fails_its_task_once_and_the_others_go_on(self, cluster: Place, tmp_path: Path) -> None:
        def dies(mark: Path) -> None:
            with mark.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)

        mark = tmp_path / "mark"
        graph = Graph("g", inputs={"mark": mark})
        cluster.add(graph, "dies", dies)
        for number in range(6):
            cluster.add(graph, f"t{number}", lambda: time.sleep(0.05))
        run = await cluster.run(graph)
        assert run.result is not None
        failure = run.result["dies"].failure
        assert failure is not None
        assert failure.error == "WorkerDiedError"
        assert "was lost while it ran task 'dies'" in failure.message
        assert {run.result[f"t{number}"].state for number in range(6)} == {TaskState.SUCCEEDED}
        assert mark.read_text() == "x", "Dask must not have tried it again"

    async def test_B37_is_tried_again_if_the_policy_says_so(self, cluster: Place, tmp_path: Path) -> None:
        def dies_once(mark: Path, ctx: Any) -> int:
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return int(ctx.attempt)

        graph = Graph("g", inputs={"mark": tmp_path / "mark"})
        cluster.add(graph, "dies", dies_once, retries=Retry(retries=1, base=0))
        run = await cluster.run(graph)
        assert run.result is not None
        assert run.result["dies"].output == 2

    async def test_B23_what_waits_for_its_turn_on_the_cluster_is_withdrawn(
        self, cluster: Place, tmp_path: Path
    ) -> None:
        def holds(ctx: Any, mark: Path) -> None:
            ctx.ready()
            wait_for(mark)

        mark, full = tmp_path / "mark", tmp_path / "full"
        graph = Graph("g", inputs={"mark": mark, "full": full, "ran": tmp_path / "ran"})
        graph.add("all_hold", wait_for_full)
        for number in range(2):
            cluster.add(graph, f"holds{number}", holds)
        cluster.add(graph, "waits", lambda ran: ran.touch(), depends_on=["all_hold"])
        async with cluster.live(graph) as run:
            await run.until(ev.TaskServing, count=2)
            full.touch()
            await run.until(ev.TaskStarted, "waits")
            await run.command(cmd.CancelTask("waits"))
            await run.until(ev.TaskCancelled, "waits")
            mark.touch()
        assert not (tmp_path / "ran").exists()

    async def test_B37_a_scheduler_that_is_not_there_fails_the_task_with_its_address(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("distributed")
        monkeypatch.setattr("dagtop.backends.dask.CONNECT", 0.2)
        graph = Graph("g", dask="tcp://127.0.0.1:9")
        Place("dask").add(graph, "t", lambda: 1)
        run = await Place("dask").run(graph)
        assert run.result is not None
        failure = run.result["t"].failure
        assert failure is not None
        assert failure.error == "BackendError"
        assert "the Dask scheduler at tcp://127.0.0.1:9 cannot be reached" in failure.message

    async def test_B37_without_an_address_a_cluster_is_started_and_closed(self) -> None:
        pytest.importorskip("distributed")
        before = children()
        graph = Graph("g", backend="dask")
        graph.add("pid", lambda: (os.getpid(), os.getppid()))
        run = await Place("dask").run(graph)
        assert run.result is not None
        pids = run.result["pid"].output
        assert children() == before
        await anyio.to_thread.run_sync(until, lambda: not any(map(is_alive, pids)))

    def test_B37_without_dask_the_graph_says_how_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(graph_options, "find_spec", lambda name: None)
        with pytest.raises(OptionError, match=r"pip install 'dagtop\[dask\]'"):
            Graph("g").add("t", lambda: 1, backend="dask").validate()
        with pytest.raises(OptionError, match=r"pip install 'dagtop\[dask\]'"):
            Graph("g", backend="dask").add("t", lambda: 1).validate()
