"""B26 on the whole engine: random graphs of tasks that misbehave, random commands at random instants, on both loops.

On virtual time: asyncio with plain functions in threads, trio with async ones only. DAGTOP_FUZZ=10000 looks harder.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from dagtop import DAGExecutor, ExecutorConfig, GraphError
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.commands import Command
from dagtop.core.invariants import check_invariants
from dagtop.core.ledger import Ledger
from dagtop.core.states import FINAL, RunState
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.resume import Resumption, plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from dagtop.runtime.breaker_registry import REGISTRY
from dagtop.runtime.engine import Engine
from dagtop.testing import run_on_virtual_time
from fuzz_books import check_events, check_replay
from fuzz_world import DELAYS, World

EXAMPLES = int(os.environ.get("DAGTOP_FUZZ", "100"))
FIRST = int(os.environ.get("DAGTOP_FUZZ_FIRST", "0"))


class Kept:
    """A recorder that keeps everything."""

    def __init__(self, before: int = 0) -> None:
        self.events: list[ev.AnyEvent] = []
        self.before = before

    def record(self, first: int, batch: Sequence[ev.AnyEvent]) -> None:
        assert first == self.before + len(self.events) + 1
        self.events += batch


class Story:
    """One run of one world, disturbed."""

    def __init__(self, world: World, journal: Any = None, resumed: Story | None = None) -> None:
        self.world = world
        self.journal = journal
        self.resumed = resumed
        self.graph = world.graph() if resumed is None else resumed.graph
        plan = None if resumed is None else resumed.resumption
        self.kept = Kept(0 if plan is None else plan.next_event - 1)
        self.executor = DAGExecutor(
            self.graph, ExecutorConfig(), recorders=[self.kept], capture=False, journal=journal, resume=plan
        )
        self.engine: Engine = self.executor.prepare()
        self.engine.hold_open = world.chance(0.5)
        self.holds_open = self.engine.hold_open
        self.is_cut_short = world.chance(0.1)
        """Whether whoever waits for it is cancelled."""
        self.swaps = False
        self.numbers: list[int] = []
        self.resumption: Resumption | None = None
        """How it can be gone on with."""

    def send(self, command: Command) -> None:
        self.numbers.append(len(self.numbers) + 1)
        self.engine.send(command, self.numbers[-1], "chance")

    async def disturb(self) -> None:
        """Commands, some at once, some apart; then let go of everything, so that the run can end."""
        world, machine = self.world, self.engine.machine
        for _ in range(world.dice.randint(0, 25) if self.resumed is None else 0):
            names = [*machine.plan.names, "nobody"]
            if world.chance(0.03):
                self.swap()
            else:
                self.send(world.command(names))
            if world.chance(0.6):
                await anyio.sleep(world.dice.choice([0.0, 0.0005, 0.2, 0.7]))
        for _ in range(400):
            if machine.is_over:
                if len(self.answered) == len(self.numbers):
                    self.engine.close()
                await anyio.sleep(0.5)
                continue
            self.send(cmd.ContinueRun())
            for index in list(machine.ledger.held):
                self.send(cmd.ReleaseTask(machine.plan.names[index]))
            for index in list(machine.ledger.gates):
                self.send(cmd.ApproveTask(machine.plan.names[index]))
            for breaker in list(machine.ledger.forced):
                self.send(cmd.ForceBreaker(breaker, ""))
            await anyio.sleep(0.5)
        raise AssertionError(f"the run does not come to its end: {machine.ledger.run_state} {machine.ledger.counts}")

    @property
    def answered(self) -> list[int]:
        """Numbers of the commands that have an answer."""
        answers = (event for event in self.kept.events if isinstance(event, (ev.CommandApplied, ev.CommandRefused)))
        return [event.id for event in answers if event.id]

    def swap(self) -> None:
        """Go on with another version of the graph."""
        try:
            version = self.executor.hand_in(self.world.version(self.graph))
        except GraphError:
            return
        self.swaps = True
        self.send(cmd.SwapGraph(version))

    async def play(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self.disturb)
            with anyio.move_on_after(self.world.dice.choice(DELAYS)) if self.is_cut_short else nullcontext():
                await self.executor.run()
            group.cancel_scope.cancel()
        if self.is_cut_short and self.engine.machine.ledger.run_state is RunState.PENDING:
            assert not self.kept.events  # it was cut short before it began
            return
        self.check_nothing_is_left()
        if self.resumed is None:
            self.check_events()
        else:
            self.check_resumed()

    # -- when it is over --------------------------------------------------------------------------------------------

    def check_nothing_is_left(self) -> None:
        engine, world = self.engine, self.world
        machine = engine.machine
        check_invariants(machine)
        assert machine.is_over
        assert machine.active == 0
        assert machine.next_due() is None
        assert all(state in FINAL for state in machine.ledger.state)
        assert not any(used for used, _ in machine.admission.limits.used().values()), machine.admission.limits.used()
        assert not engine.workers.running
        assert not engine.aside.chores.are_there
        for name in world.breakers:
            entry = REGISTRY.entries.get(name)
            assert entry is None or not entry.users, f"{name} is still in use"
        if not self.is_abandoned:
            assert world.alive <= engine.workers.threads_left, "user code still runs"
            assert not +world.open_services, world.open_services
            if not self.swaps:
                self.check_counters()

    @property
    def is_abandoned(self) -> bool:
        """Whether some code was let go of where it did not end: nothing takes longer than the longest grace."""
        grace = self.engine.job.policy.cancel_grace
        return any(
            (isinstance(event, ev.RunStopping) and event.cancel and grace < 1)
            or (isinstance(event, ev.CommandApplied) and isinstance(event.command, cmd.AbandonRun))
            for event in self.kept.events
        )

    def check_counters(self) -> None:
        """What the tasks themselves saw."""
        world = self.world
        limits = {"slots": world.limit, "pool db": 2, "pool slow": 2, "gpu": 2, "ram": 1, "pool map:all": 2}
        for what, peak in world.peak.items():
            if what.startswith("pool ") and world.commanded_limits["any pool"]:
                continue
            allowed = max(limits[what], world.commanded_limits[what])
            assert peak <= allowed, f"{peak} of {what} were inside at once, {allowed} are allowed"

    def check_events(self) -> None:
        events, machine, executor = self.kept.events, self.engine.machine, self.executor
        if not self.swaps:  # a new version brings policies, which are in no event
            check_events(events, executor.plan, machine.plan, self.engine.job.policy)
        check_replay(events, executor.plan, machine.ledger, policies=not self.swaps)
        answered = self.answered
        assert answered == self.numbers[: len(answered)]
        if self.holds_open and not self.is_cut_short:
            assert answered == self.numbers, "a command has no answer"
        finished = sum(isinstance(event, ev.RunFinished) for event in events)
        assert finished == 1 + sum(isinstance(event, ev.RunReopened) for event in events)
        for event in events:
            assert not (isinstance(event, ev.Problem) and "bug" in event.message), event
        if self.journal is not None:
            self.check_journal()

    def check_journal(self) -> None:
        stored = self.journal.load(self.executor.run_id)
        assert list(stored.events()) == self.kept.events
        if self.swaps or len(self.engine.machine.plan) > len(self.executor.plan):
            return
        self.resumption = plan = plan_resumption(stored, self.executor.plan, self.graph.fingerprints())
        if plan.ended is RunState.SUCCEEDED and not self.engine.machine.ledger.stale:
            assert plan.nothing_left, plan.left

    def check_resumed(self) -> None:
        """It did again what was left, and nothing else; both halves together replay to the live state."""
        assert self.resumed is not None
        assert self.resumed.resumption is not None
        kept = set(self.resumed.resumption.kept)
        again = {event.task for event in self.kept.events if isinstance(event, ev.TaskStarted)} & kept
        assert not again, f"{again} had finished and ran again"
        events = list(self.journal.load(self.executor.run_id).events())
        assert events == [*self.resumed.kept.events, *self.kept.events]
        replayed, live = Ledger(self.executor.plan), self.engine.machine.ledger
        for event in events:
            replayed.apply(event)
        for name in ("state", "counts", "attempt", "run_state", "held", "due_at", "gates", "torn_down"):
            assert getattr(replayed, name) == getattr(live, name), f"replay differs in {name}"


def play(seed: int, loop: str, journal: Any = None) -> None:
    try:
        random.seed(seed)
        trio._core._run._r.seed(seed)  # type: ignore[attr-defined]  # so that an example is the same each time
        story = Story(World(seed, plain=loop == "asyncio"), journal)
        run_on_virtual_time(story.play, loop=loop)
        deadline = time.monotonic() + 10
        if story.resumption is not None and story.resumption.left:
            run_on_virtual_time(Story(story.world, journal, story).play, loop=loop)
        while story.world.alive and not story.is_abandoned:  # a condition in a thread that nobody needed any more
            assert time.monotonic() < deadline, "a thread is left"
            time.sleep(0.001)
    except BaseException as error:
        error.add_note(f"seed {seed} on {loop}")
        raise
    finally:
        for name in (f"api {seed}", f"mail {seed}"):
            REGISTRY.entries.pop(name, None)


@pytest.mark.parametrize("part", range(4))
def test_B26_commands_are_safe_at_any_instant_against_a_real_engine(part: int, tmp_path: Path) -> None:
    """It found that a wait shorter than the clock's rounding never ends: what was due stayed due in no time, for ever."""
    for seed in range(FIRST + part, FIRST + EXAMPLES * 3 // 4, 4):
        if seed % 16 == 5:
            with closing(SqliteJournal(tmp_path / f"{seed}.db")) as journal:
                play(seed, "asyncio", journal)
        else:
            play(seed, "asyncio", MemoryJournal() if seed % 4 == 0 else None)


@pytest.mark.parametrize("part", range(2))
def test_B26_commands_are_safe_at_any_instant_on_trio(part: int) -> None:
    for seed in range(FIRST + 500_000 + part, FIRST + 500_000 + EXAMPLES // 4, 2):
        play(seed, "trio", MemoryJournal() if seed % 4 == 0 else None)
