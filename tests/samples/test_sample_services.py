"""The sample of services runs for real: what it serves is asked for, what crashes comes back, and no process stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, Reconciler, TaskState
from dagtop.loaders.python import load

SAMPLES = Path(__file__).parents[2] / "sample_graphs"
SOURCES = [str(SAMPLES.parent / name) for name in ("engine", "app", "themes")]
PATIENCE = 60.0
FAST: dict[str, Any] = {"pace": 0.05, "answers": 30}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def modules_stay_as_they_were() -> Iterator[None]:
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"services", "loopback"}:
            del sys.modules[name]


def services() -> tuple[Reconciler, Any]:
    loaded = load(str(SAMPLES / "services.py"), FAST, kinds=(Reconciler,))
    assert isinstance(loaded.target, Reconciler)
    return loaded.target, loaded.module


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(said.strip()) and not said.strip().startswith("Z")


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - other processes do not set events
            await anyio.sleep(0.02)


def wait_until(condition: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.02)


@pytest.mark.anyio
async def test_the_shop_opens_sells_and_comes_back_from_what_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    reconciler, module = services()
    monkeypatch.setattr(module, "TOO_MUCH", 15)
    began: list[str] = []
    restarts: Counter[tuple[str, str]] = Counter()

    @reconciler.on_event
    def hear(event: Any) -> None:
        if event.type == "task.started":
            began.append(event.task)
        elif event.type == "task.restarting":
            restarts[event.task, event.failure.error if event.failure else ""] += 1

    async with reconciler as shop:
        assert await shop.wait_ready(timeout=PATIENCE)
        assert began[0] == "migrate"
        assert began.index("shop") > max(began.index("stock"), began.index("prices"))
        await until(lambda: restarts["prices", "RefusedError"] >= 3 and restarts["suggest", "UnwellError"] >= 1)
        await until(lambda: restarts["tidy", ""] >= 3)
        await until(lambda: shop["prices"].serving and shop["suggest"].serving)
        assert began.count("migrate") == began.count("shop") == began.count("customer 1") == 1
    assert shop.snapshot.rows[shop.graph.names.index("customer 1")].state is TaskState.CANCELLED


class Births:
    """Notes the child processes that a sample starts, by its own function for that."""

    def __init__(self, child: Callable[..., AbstractAsyncContextManager[Any]]) -> None:
        self.unseen = child
        self.pids: list[int] = []

    @asynccontextmanager
    async def __call__(self, *arguments: Any) -> AsyncGenerator[Any]:
        async with self.unseen(*arguments) as process:
            self.pids.append(process.pid)
            yield process


@pytest.mark.anyio
async def test_child_processes_end_when_their_task_is_stopped_and_when_all_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reconciler, module = services()
    births = Births(module.child)
    monkeypatch.setattr(module, "child", births)
    async with reconciler as shop:
        assert await shop.wait_ready("packer", "prices", timeout=PATIENCE)
        there = {pid for pid in births.pids if is_there(pid)}
        assert len(there) == 3
        await shop.stop_task("packer[0]")
        await until(lambda: shop["packer[0]"].state is TaskState.CANCELLED)
        assert len({pid for pid in there if is_there(pid)}) <= 2
    assert not any(map(is_there, births.pids))


@pytest.mark.anyio
async def test_there_are_as_many_packers_as_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    reconciler, module = services()
    births = Births(module.child)

    def only_packers(program: str, *arguments: Any) -> AbstractAsyncContextManager[Any]:
        return (births if program == module.PACKER else births.unseen)(program, *arguments)

    monkeypatch.setattr(module, "child", only_packers)
    async with reconciler as shop:
        assert await shop.wait_ready("packer", timeout=PATIENCE)
        await shop.scale("packer", 4)
        await until(lambda: len(births.pids) == 4)
        await shop.scale("packer", 1)
        await until(lambda: [is_there(pid) for pid in births.pids].count(True) == 1)
    assert not any(map(is_there, births.pids))


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("deaf", ["", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_a_child_process_ends_with_a_cancelled_run_also_if_it_is_deaf(
    monkeypatch: pytest.MonkeyPatch, loop: str, deaf: str
) -> None:
    _, module = services()
    births = Births(module.child)
    children = sys.modules["loopback.children"]
    monkeypatch.setattr(children, "GRACE", 0.2)
    enough = threading.Event()
    graph = Graph("g")

    @graph.task
    async def slow() -> None:
        async with births(f"{deaf}print('up', flush=True); import time; time.sleep(600)") as process:
            await process.stdout.receive()
            enough.set()
            await anyio.sleep_forever()

    result = anyio.run(DAGExecutor(graph, ExecutorConfig(cancel_event=enough)).run, backend=loop)
    assert result["slow"].state is TaskState.CANCELLED
    assert len(births.pids) == 1
    assert not is_there(births.pids[0])


def test_a_child_process_ends_with_a_timeout() -> None:
    _, module = services()
    births = Births(module.child)
    graph = Graph("g")

    @graph.task(timeout=0.5)
    async def slow() -> None:
        async with births("import time; time.sleep(600)"):
            await anyio.sleep_forever()

    assert graph.run()["slow"].state is TaskState.TIMED_OUT
    assert not any(map(is_there, births.pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_process_stays_behind_whatever_ends_dagtop(number: signal.Signals, tmp_path: Path) -> None:
    file = str(SAMPLES / "services.py")
    command = [sys.executable, "-m", "dagtop_app", "run", file, "--no-journal", "--no-plugins", "-p", "pace=0.05"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES), "TMPDIR": str(tmp_path)}
    output = tmp_path / "lines.txt"
    with output.open("wb") as lines:
        dagtop = subprocess.Popen(command, stdout=lines, stderr=lines, stdin=subprocess.DEVNULL, env=environment)
    try:
        wait_until(lambda: len(pids_in(output)) >= 3 and "customer 1 is ready" in output.read_text())
        pids = pids_in(output)
        assert any(map(is_there, pids))
        dagtop.send_signal(number)
        code = dagtop.wait(PATIENCE)
        assert code == -number if number is signal.SIGKILL else code > 0
        wait_until(lambda: not any(map(is_there, pids_in(output))))
    finally:
        dagtop.kill()
        dagtop.wait()


def pids_in(output: Path) -> list[int]:
    """Those that the log lines of a run tell of."""
    return [int(pid) for pid in re.findall(r"it is process (\d+)", output.read_text())]
