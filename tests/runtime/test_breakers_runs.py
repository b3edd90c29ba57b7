"""Circuit breakers in real runs: a service that goes down, waits that are virtual, runs beside each other (B18 to B21)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import dagtop
import pytest
from dagtop import Breaker, DAGExecutor, Graph, Retry, RunState, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.snapshot import RunSnapshot
from dagtop.runtime.thread import EngineThread
from engine_driver import Live, live, run_all
from trio.testing import MockClock

#: Virtual seconds, longer than anything here takes.
LONG = 100_000


@pytest.fixture(autouse=True)
def _leave_no_breaker() -> Iterator[None]:
    yield
    dagtop.breakers.forget()
    assert dagtop.breakers.list() == (), "a run that is over still uses a breaker"


class Service:
    """Answers after a second, unless it is down or more call it at once than it can take."""

    def __init__(self, capacity: int = 1_000) -> None:
        self.down = False
        self.capacity = capacity
        self.calls: list[float] = []
        """When each call came, in seconds of the clock."""
        self.inside = 0
        self.most_while_down = 0

    async def call(self) -> int:
        self.calls.append(anyio.current_time())
        self.inside += 1
        try:
            if self.down:
                self.most_while_down = max(self.most_while_down, self.inside)
            crowd = self.inside
            await anyio.sleep(1)
            if self.down or crowd > self.capacity:
                raise ConnectionError("the service does not answer")
            return crowd
        finally:
            self.inside -= 1


def clients(service: Service, count: int, spec: Breaker | None = None, *, name: str = "g", **options: Any) -> Graph:
    graph = Graph(name, breakers=[spec] if spec is not None else [], max_parallel=count)
    for n in range(count):
        graph.add(f"t{n}", service.call, circuit="api", **{"retries": Retry(retries=20, base=600, cap=600), **options})
    return graph


def moves(run: Live) -> list[str]:
    return [event.type.removeprefix("breaker.") for event in run.of(ev.BreakerEvent)]


@pytest.mark.anyio
class TestVirtualTime:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": MockClock(autojump_threshold=0)}

    async def test_B19_of_eight_that_wait_one_probes_where_wave_executor_let_all_eight_call(self) -> None:
        service = Service()
        service.down = True
        async with live(clients(service, 8, Breaker("api", failure_threshold=3, recovery_timeout=30))) as run:
            await run.until(ev.BreakerOpened, patience=LONG)
            assert len(service.calls) == 8, "those that had begun before it opened"
            service.most_while_down = 0
            await run.until(ev.BreakerOpened, count=4, patience=LONG)
            service.down = False
        assert service.most_while_down == 1
        assert len(service.calls) == 8 + 3 + 1 + 7, "three probes that failed, one that did not, and the rest"
        assert run.result is not None
        assert run.result.state is RunState.SUCCEEDED
        assert moves(run) == ["opened", *["half_opened", "opened"] * 3, "half_opened", "closed"]
        starts = [round(event.at) for event in run.of(ev.TaskStarted)]
        assert starts == [0] * 8 + [31, 62, 93, 124] + [125] * 7, "nobody slept its backoff of 600 s"

    async def test_B18_a_service_that_fails_above_five_at_once_is_left_alone_and_asked_again(self) -> None:
        service = Service(capacity=5)
        run = await run_all(clients(service, 12, Breaker("api", failure_threshold=3, recovery_timeout=10, window=60)))
        assert run.result is not None
        assert run.result.state is RunState.SUCCEEDED
        assert set(moves(run)) == {"opened", "half_opened", "closed"}
        for opened, half in zip(run.of(ev.BreakerOpened), run.of(ev.BreakerHalfOpened), strict=False):
            begun = [event for event in run.of(ev.TaskStarted) if opened.at < event.at < half.at]
            assert begun == [], "an attempt began while it was open"

    async def test_B20_a_task_in_its_backoff_wakes_when_another_opens_the_breaker(self) -> None:
        service = Service()
        service.down = True
        graph = clients(service, 1, Breaker("api", failure_threshold=2, recovery_timeout=5))
        graph.add("later", service.call, circuit="api", depends_on=["nap"], retries=Retry(retries=5, base=600, cap=600))

        @graph.task
        async def nap() -> None:
            await anyio.sleep(10)

        async with live(graph) as run:
            await run.until(ev.BreakerOpened, patience=LONG)
            service.down = False
        assert [(event.task, round(event.at)) for event in run.of(ev.TaskStarted)][-2:] == [("t0", 17), ("later", 18)]

    async def test_B20_told_to_fail_it_fails_at_once_and_the_report_names_the_breaker(self) -> None:
        service = Service()
        service.down = True
        graph = clients(service, 2, Breaker("api", failure_threshold=2, on_open="fail"), retries=3)
        graph.add("late", service.call, circuit="api", depends_on=["nap"])

        @graph.task
        async def nap() -> None:
            await anyio.sleep(5)

        run = await run_all(graph)
        assert run.result is not None
        assert {run.state(name) for name in ("t0", "t1", "late")} == {TaskState.FAILED}
        assert len(service.calls) == 2, "no attempt after it had opened, for nobody"
        report = next(report for report in run.result.escalations if report.task == "late")
        assert (report.cause.value, report.circuit, report.circuit_state, report.attempt_count) == (
            "unavailable",
            "api",
            "open",
            0,
        )

    async def test_B18_two_runs_beside_each_other_share_failures_recovery_and_the_one_probe(self) -> None:
        service = Service()
        service.down = True
        spec = Breaker("api", failure_threshold=4, recovery_timeout=30)
        async with live(clients(service, 3, spec)) as one, live(clients(service, 3, spec)) as other:
            await one.until(ev.BreakerOpened, patience=LONG)
            await other.until(ev.BreakerOpened, patience=LONG)
            service.most_while_down = 0
            await one.until(ev.BreakerOpened, count=3, patience=LONG)
            service.down = False
        assert service.most_while_down == 1, "each run sent a probe of its own"
        assert moves(one) == moves(other) == ["opened", *["half_opened", "opened"] * 2, "half_opened", "closed"]
        assert [round(event.at, 3) for event in one.of(ev.BreakerEvent)] == [
            round(event.at, 3) for event in other.of(ev.BreakerEvent)
        ]
        assert len(service.calls) == 6 + 2 + 6

    async def test_B19_a_run_that_is_cancelled_gives_its_probe_to_the_run_that_waits(self) -> None:
        service = Service()
        service.down = True
        spec = Breaker("api", failure_threshold=1, recovery_timeout=30)
        first = clients(service, 1, spec)
        async with live(first) as one:
            await one.until(ev.BreakerOpened, patience=LONG)
            await one.until(ev.TaskStarted, count=2, patience=LONG)
            service.down = False
            async with live(clients(service, 1, spec)) as other:
                await other.until(ev.BreakerHalfOpened)
                await one.command(cmd.CancelRun())
        assert other.result is not None
        assert (one.state("t0"), other.state("t0")) == (TaskState.CANCELLED, TaskState.SUCCEEDED)
        assert moves(other) == ["half_opened", "closed"]

    async def test_the_next_run_finds_the_breaker_open_and_its_first_attempt_is_the_probe(self) -> None:
        service = Service()
        service.down = True
        spec = Breaker("api", failure_threshold=2, recovery_timeout=60)
        await run_all(clients(service, 2, spec, retries=0))
        service.down = False
        run = await run_all(clients(service, 2, spec))
        assert [round(event.at) for event in run.of(ev.TaskStarted)] == [60, 61]
        assert run.of(ev.BreakerOpened)[0].reason.startswith("it was so before this run: 2 failures in a row: ")
        assert moves(run) == ["opened", "half_opened", "closed"]

    async def test_two_runs_that_declare_a_breaker_differently_are_told_so(self) -> None:
        service = Service()
        async with live(clients(service, 1, Breaker("api", failure_threshold=2))) as one:
            await one.until(ev.TaskStarted)
            other = await run_all(clients(service, 1, Breaker("api", failure_threshold=3)))
        (problem,) = other.of(ev.Problem)
        assert problem.source == "breakers"
        assert "'api' keeps what another run in progress has set" in problem.message

    async def test_B20_a_policy_that_names_another_breaker_holds_from_the_next_attempt_on(self) -> None:
        service = Service()
        async with live(clients(service, 1, Breaker("api", failure_threshold=1, recovery_timeout=900))) as run:
            service.down = True
            await run.until(ev.BreakerOpened, patience=LONG)
            service.down = False
            assert isinstance(await run.command(cmd.SetPolicy("t0", circuit="mirror")), ev.CommandApplied)
        assert run.state("t0") is TaskState.SUCCEEDED
        assert round(run.of(ev.TaskSucceeded)[0].at) == 2


@pytest.mark.anyio
class TestByHand:
    async def test_B21_commands_move_the_breaker_and_every_transition_is_an_event(self) -> None:
        graph = Graph("g", max_parallel=1)
        begun, go_on = anyio.Event(), anyio.Event()

        @graph.task(circuit="api", priority=1)
        async def first() -> None:
            begun.set()
            await go_on.wait()

        graph.add("second", lambda: 2, circuit="api")
        async with live(graph) as run:
            await begun.wait()
            await run.command(cmd.TripBreaker("api"))
            go_on.set()
            await run.until(ev.TaskSucceeded, "first")
            assert run.state("second") is TaskState.READY
            await run.command(cmd.ForceBreaker("api", "closed"))
        assert moves(run) == ["opened", "forced"]
        assert dagtop.breakers.view("api").computed.value == "open"

    async def test_B21_code_in_any_thread_moves_it_and_the_run_goes_on(self) -> None:
        dagtop.breakers.force("api", "open", by="a test")
        graph = Graph("g").add("call", lambda: 1, circuit="api").add("free", lambda: 2)
        async with live(graph) as run:
            await run.until(ev.TaskSucceeded, "free")
            assert run.state("call") is TaskState.READY
            thread = threading.Thread(target=dagtop.breakers.force, args=("api", ""))
            thread.start()
        thread.join()
        assert run.result is not None
        assert run.result["call"].output == 1
        assert [event.state for event in run.of(ev.BreakerForced)] == ["open", ""]

    async def test_a_task_may_move_breakers_itself(self) -> None:
        graph = Graph("g", max_parallel=1)
        graph.add("watchman", lambda: dagtop.breakers.trip("api", by="watchman"), priority=1)
        graph.add("call", lambda: 1, circuit="api", depends_on=["watchman"])
        async with live(graph) as run:
            opened = await run.until(ev.BreakerOpened, patience=LONG)
            assert opened.reason == "tripped by watchman"
            dagtop.breakers.reset("api")
        assert run.state("call") is TaskState.SUCCEEDED

    async def test_tasks_in_threads_are_guarded_as_those_on_the_loop(self) -> None:
        calls: list[int] = []
        graph = Graph("g", breakers=[Breaker("api", failure_threshold=1, on_open="fail")], max_parallel=1)

        def broken() -> None:
            calls.append(1)
            raise OSError("no route")

        for n in range(5):
            graph.add(f"t{n}", broken, circuit="api")
        run = await run_all(graph)
        assert len(calls) == 1
        assert {run.state(f"t{n}") for n in range(5)} == {TaskState.FAILED}


def until(thread: EngineThread, wanted: Callable[[RunSnapshot], Any]) -> RunSnapshot:
    """The first snapshot that fits."""
    deadline = time.monotonic() + 20
    while not wanted(snapshot := thread.latest):
        assert time.monotonic() < deadline, snapshot.breakers
        assert thread.error is None, thread.error
        time.sleep(0.002)
    return snapshot


class TestEngineThreads:
    def test_B21_snapshots_of_every_engine_show_the_breaker_and_what_moves_it(self) -> None:
        gate, go_on = threading.Event(), threading.Event()
        spec = Breaker("api", failure_threshold=1, recovery_timeout=900)

        def call() -> None:
            assert gate.wait(20)
            raise OSError("no route")

        graphs = [Graph(name, breakers=[spec]) for name in ("one", "other")]
        graphs[0].add("call", call, circuit="api", retries=5)
        graphs[1].add("first", lambda: go_on.wait(20))
        graphs[1].add("call", lambda first: first, circuit="api")
        one, other = (EngineThread(DAGExecutor(graph, capture=False)) for graph in graphs)
        one.start()
        other.start()
        for thread in (one, other):
            seen = until(thread, lambda snapshot: snapshot.breakers).breakers
            assert [(view.name, view.state.value) for view in seen] == [("api", "closed")]
        gate.set()
        until(one, lambda snapshot: snapshot.breakers[0].state == "open")
        seen = until(other, lambda snapshot: snapshot.breakers[0].state == "open").breakers
        assert seen[0].trips == 1
        assert seen[0].recent[-1].reason == "1 failure in a row: OSError: no route"
        go_on.set()
        until(other, lambda snapshot: snapshot.counts[TaskState.READY] == 1)
        one.send(cmd.CancelRun(), by="a test")
        other.send(cmd.ResetBreaker("api"), by="a test")
        assert one.join(20)
        assert other.join(20)
        assert other.latest.breakers[0].state == "closed"
        assert other.result is not None
        assert other.result.state is RunState.SUCCEEDED


def test_B18_of_two_runs_the_one_that_was_started_first_gives_the_settings() -> None:
    """Each engine took its breakers up in its own thread: who came first there was chance."""
    go_on = threading.Event()

    def declared(threshold: int) -> Graph:
        graph = Graph("g", breakers=[Breaker("api", failure_threshold=threshold)], setup=go_on.wait)
        return graph.add("call", lambda: 1, circuit="api")

    with DAGExecutor(declared(3)).start() as first, DAGExecutor(declared(7)).start() as second:
        try:
            assert dagtop.breakers.view("api").spec.failure_threshold == 3
        finally:
            go_on.set()
        for run in (first, second):
            run.wait()
        problems = [[getattr(event, "message", "") for event in run.events(ev.Problem)] for run in (first, second)]
    assert problems[0] == []
    assert "'api' keeps what another run in progress has set (failure_threshold=3)" in problems[1][0]
