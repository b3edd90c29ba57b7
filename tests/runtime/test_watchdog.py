"""A loop that is kept from going round: who does it is told while it lasts. Nothing here depends on how fast the machine is."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, SimpleNamespace
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, Graph
from dagtop.backends.event_loop import Attempt
from dagtop.core.events import AnyEvent, LoopBlocked, Problem, RunFinished
from dagtop.core.ledger import Ledger
from dagtop.core.snapshot import Blocked
from dagtop.runtime import watchdog
from dagtop.runtime.culprit import GRAPHS, NOBODYS, is_asleep
from dagtop.runtime.stacks import frames_of
from dagtop.runtime.thread import EngineThread
from dagtop.runtime.watchdog import BLOCKED, HELD, Patient

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])


class Ears:
    """A recorder that keeps events, and hears of a blocked loop at once."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.heard: list[Blocked] = []

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        self.events += batch

    def loop_blocked(self, blocked: Blocked) -> None:
        self.heard.append(blocked)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def until(condition: Callable[[], Any]) -> Any:
    """What it gives as soon as that is true."""
    pause = threading.Event()
    for _ in range(20_000):
        if found := condition():
            return found
        pause.wait(0.001)
    raise AssertionError("it never came")


def watched_run(graph: Graph, loop: str, let_go: threading.Event, **options: Any) -> tuple[Blocked, EngineThread, Ears]:
    """Run a graph one task of which blocks until it is let go; what the snapshot told meanwhile."""
    ears = Ears()
    engine = EngineThread(DAGExecutor(graph, recorders=[ears], **options), loop=loop)
    engine.start()
    try:
        told = until(lambda: engine.latest.blocked)
        until(lambda: ears.heard)
    finally:
        let_go.set()
    assert engine.join(20)
    assert engine.error is None, engine.error
    return told, engine, ears


@LOOPS
def test_B37_a_task_that_blocks_in_its_first_step_is_named_while_it_does(loop: str) -> None:
    graph, let_go = Graph("g"), threading.Event()

    @graph.task
    async def greedy() -> None:
        let_go.wait(20)

    told, engine, ears = watched_run(graph, loop, let_go)
    assert (told.task, told.attempt, told.who) == ("greedy", 1, "")
    assert told.seconds >= BLOCKED
    assert "in greedy\n    let_go.wait(20)" in told.stack
    assert told.where.endswith("in greedy")
    assert __file__ in told.where
    assert "dagtop/runtime" not in told.stack
    assert ears.heard[0].task == "greedy"
    (event,) = ears.of(LoopBlocked)
    assert (event.task, event.attempt) == ("greedy", 1)
    assert event.seconds >= told.seconds
    assert "in greedy" in event.stack
    assert engine.latest.blocked is None, "it lives again"
    assert isinstance(ears.events[-1], RunFinished), "which still comes last"


@LOOPS
def test_B37_a_task_that_blocks_after_it_has_waited_is_named_with_the_function_that_it_called(loop: str) -> None:
    graph, let_go = Graph("g"), threading.Event()

    def deep() -> None:
        let_go.wait(20)

    @graph.task
    async def later() -> None:
        await anyio.lowlevel.checkpoint()
        deep()

    told, _, ears = watched_run(graph, loop, let_go)
    assert told.task == "later"
    assert told.where.endswith("in deep")
    assert "in later\n    deep()" in told.stack
    assert len(ears.of(LoopBlocked)) == 1, "once for each time that it blocks"


@LOOPS
def test_B37_what_a_task_has_started_on_the_loop_counts_as_the_task(loop: str) -> None:
    graph, let_go = Graph("g"), threading.Event()

    @graph.task
    async def parent() -> None:
        async def child() -> None:
            await anyio.lowlevel.checkpoint()
            let_go.wait(20)

        async with anyio.create_task_group() as group:
            group.start_soon(child)

    told, *_ = watched_run(graph, loop, let_go)
    assert (told.task, told.attempt) == ("parent", 1)
    assert told.where.endswith("in child")


def test_B37_a_callback_that_a_task_left_with_the_loop_counts_as_the_task() -> None:
    graph, let_go = Graph("g"), threading.Event()

    @graph.task
    async def timer() -> None:
        done = asyncio.Event()

        def ring() -> None:
            let_go.wait(20)
            done.set()

        asyncio.get_running_loop().call_soon(ring)
        await done.wait()

    told, *_ = watched_run(graph, "asyncio", let_go)
    assert told.task == "timer"
    assert told.where.endswith("in ring")


def test_B37_a_block_in_code_of_no_task_is_a_problem_and_blames_none() -> None:
    """Somebody's own loop runs the graph, and something else on it blocks."""
    graph, let_go, ears = Graph("g"), threading.Event(), Ears()
    done: list[anyio.Event] = []

    @graph.task
    async def innocent() -> None:
        done.append(anyio.Event())
        await done[0].wait()

    async def application() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(DAGExecutor(graph, recorders=[ears]).run)
            while not done:
                await anyio.lowlevel.checkpoint()
            let_go.wait(20)
            done[0].set()

    thread = threading.Thread(target=anyio.run, args=[application])
    thread.start()
    until(lambda: ears.heard)
    let_go.set()
    thread.join(20)
    assert (ears.heard[0].task, ears.heard[0].who) == ("", NOBODYS)
    assert ears.heard[0].where.endswith("in application")
    (problem,) = ears.of(Problem)
    assert problem.source == "the event loop"
    assert problem.message.startswith("code that belongs to no task has kept the event loop from going round for ")
    assert not ears.of(LoopBlocked)


def test_B37_a_condition_that_blocks_counts_as_its_task_and_a_graphs_setup_as_the_graphs() -> None:
    graph, let_go, go_on, ears = Graph("g"), threading.Event(), threading.Event(), Ears()

    @graph.setup
    async def prepare() -> None:
        let_go.wait(20)

    async def wanted() -> bool:
        await anyio.lowlevel.checkpoint()
        return go_on.wait(20)

    graph.add("a", lambda: None, when=wanted)
    engine = EngineThread(DAGExecutor(graph, recorders=[ears]))
    engine.start()
    try:
        assert until(lambda: engine.latest.blocked).who == GRAPHS
        let_go.set()
        until(lambda: any(heard.task == "a" for heard in ears.heard))
    finally:
        let_go.set()
        go_on.set()
    assert engine.join(20)
    assert engine.error is None
    assert [event.task for event in ears.of(LoopBlocked)] == ["a"]
    (problem,) = ears.of(Problem)
    assert problem.message.startswith(f"{GRAPHS} has kept the event loop from going round for ")


def test_B37_a_run_that_nobody_watches_logs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    graph = Graph("g")

    @graph.task
    async def greedy() -> None:
        until(lambda: caplog.records)

    with caplog.at_level(logging.WARNING, "dagtop"):
        assert graph.run().ok
    assert caplog.records[0].getMessage().startswith("task 'greedy' (attempt 1) has kept the event loop")
    assert "plain `def`" in caplog.records[0].getMessage()


def test_B37_a_replay_takes_the_event_as_it_comes() -> None:
    graph, let_go = Graph("g"), threading.Event()

    @graph.task
    async def greedy() -> None:
        let_go.wait(20)

    _, engine, ears = watched_run(graph, "asyncio", let_go)
    replayed = Ledger(engine.latest.plan)
    for event in ears.events:
        replayed.apply(event)
    assert replayed.counts == engine.latest.counts


# -- the rules, on a clock of the test's own ------------------------------------------------------------------------------


class Quiet:
    """An engine whose loop does not go round."""

    def __init__(self) -> None:
        graph = Graph("g")

        @graph.task
        async def a() -> None: ...

        made = DAGExecutor(graph).prepare()
        self.rounds, self.rings = 0, 0
        self.job, self.workers, self.reports, self.publisher = made.job, made.workers, made.reports, None
        self.doorbell = self
        self.now = 100.0
        self.heard: list[Blocked] = []
        self.patient = Patient(cast("Any", self), self.heard.append, clock=lambda: self.now)

    def ring(self) -> None:
        self.rings += 1

    def look(self, *, after: float) -> None:
        self.now += after
        frame = sys._getframe()
        self.patient.look(self.now, {threading.get_ident(): frame})


def test_a_loop_that_goes_round_is_left_alone() -> None:
    quiet = Quiet()
    for _ in range(50):
        quiet.rounds += 1
        quiet.look(after=10.0)
    assert (quiet.heard, quiet.rings) == ([], 0)


def test_a_loop_that_answers_the_bell_is_well() -> None:
    quiet = Quiet()
    for _ in range(50):
        quiet.look(after=10.0)
        quiet.rounds = quiet.rings
    assert quiet.heard == []
    assert quiet.rings > 1


def test_it_is_told_again_each_time_that_it_lasts_twice_as_long() -> None:
    quiet = Quiet()
    quiet.look(after=0.0)
    for _ in range(200):
        quiet.look(after=0.05)
    assert len(quiet.heard) == 6
    assert all(later.seconds >= 2 * sooner.seconds for sooner, later in zip(quiet.heard, quiet.heard[1:], strict=False))


def test_one_block_is_one_finding_with_its_whole_length() -> None:
    quiet = Quiet()
    quiet.look(after=0.0)
    quiet.look(after=0.0)
    for _ in range(20):
        quiet.look(after=0.5)
    quiet.now += 0.4
    (found,) = quiet.patient.take()
    assert found.seconds == pytest.approx(10.4)
    assert quiet.patient.take() == []


def test_a_time_in_which_nobody_ran_counts_for_nobody() -> None:
    """The laptop slept for an hour, or the process was stopped."""
    quiet = Quiet()
    quiet.look(after=0.0)
    quiet.look(after=0.0)
    quiet.patient.forgive(3600.0)
    quiet.look(after=3600.0 + BLOCKED - 0.01)
    assert quiet.heard == []
    quiet.look(after=0.02)
    assert len(quiet.heard) == 1


def test_a_time_in_which_the_machine_had_others_to_run_does_not_count() -> None:
    quiet = Quiet()
    quiet.look(after=0.0)
    quiet.look(after=0.0)
    quiet.patient.processor = cast("Any", Waiting(5.0))
    quiet.look(after=5.0 + BLOCKED - 0.01)
    assert quiet.heard == []
    quiet.look(after=0.02)
    assert len(quiet.heard) == 1


def test_a_task_that_held_the_interpreter_is_told_of_while_its_run_goes_on_and_never_after_that() -> None:
    quiet = Quiet()
    attempt = Attempt(0, 1, cast("Any", None))
    attempt.thread = SimpleNamespace(ident=0, processor=SimpleNamespace(ran=lambda _seconds: True))
    quiet.workers.running[0] = attempt
    quiet.patient.processor = cast("Any", SimpleNamespace(ran=lambda _seconds: False))
    quiet.patient.held(2.0, 100.0, {})
    assert [(told.task, told.seconds) for told in quiet.heard] == [("a", 2.0)]
    assert len(quiet.patient.take()) == 1
    quiet.patient.leave()
    quiet.patient.held(2.0, 100.0, {})
    assert len(quiet.heard) == 1
    assert not quiet.patient.has_news


class Waiting:
    """A thread that has waited so long for the processor."""

    def __init__(self, waited: float) -> None:
        self._waited = waited

    def waited(self) -> float:
        return self._waited


def test_nothing_is_told_any_more_once_the_run_has_ended() -> None:
    quiet = Quiet()
    quiet.look(after=0.0)
    quiet.patient.leave()
    for _ in range(5):
        quiet.look(after=10.0)
    assert quiet.heard == []


class TestWhoseCodeItIs:
    def sleeping(self, start: Callable[[list[int], threading.Event], None]) -> list[FrameType]:
        """The stack of a thread whose loop has nothing to do."""
        idents: list[int] = []
        over = threading.Event()
        thread = threading.Thread(target=start, args=[idents, over])
        thread.start()
        try:
            until(lambda: idents)
            return list(until(lambda: self._asleep(idents[0])))
        finally:
            over.set()
            thread.join(20)

    def _asleep(self, ident: int) -> list[FrameType]:
        frames = frames_of(sys._current_frames().get(ident))
        return frames if is_asleep(frames) else []

    @LOOPS
    def test_a_loop_that_waits_for_something_to_happen_is_asleep(self, loop: str) -> None:
        def run(idents: list[int], over: threading.Event) -> None:
            async def idle() -> None:
                idents.append(threading.get_ident())
                while not over.is_set():  # noqa: ASYNC110 - set by another thread
                    await anyio.sleep(0.05)

            anyio.run(idle, backend=loop)

        assert self.sleeping(run)

    def test_a_thread_without_a_loop_is_not_told_asleep(self) -> None:
        assert not is_asleep(frames_of(sys._getframe()))


def test_a_held_interpreter_is_said_to_be_that() -> None:
    told = Blocked(task="a", attempt=2, seconds=3.0, stack="  File …\n", where="x.py:1 in f", who=HELD)
    assert watchdog.sentence(told) == f"task 'a' (attempt 2): {HELD}, for 3.00 s, at x.py:1 in f"
    assert watchdog.stack_of(told).startswith(f"  {HELD}:\n")
