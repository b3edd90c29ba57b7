"""One run on the running event loop: commands, timers and reports go in, events and snapshots go out.

The machine decides, the workers carry out, and this looks after both until the run is over.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel

from dagtop.core import inputs as inp
from dagtop.core.blast import expected
from dagtop.core.commands import CancelRun, Command, MarkSucceeded, ScaleTask, SwapGraph
from dagtop.core.escalation import Evidence
from dagtop.core.events import AnyEvent, LoopBlocked, Problem, TaskRestarted
from dagtop.core.machine import RunMachine
from dagtop.core.snapshot import Blocked
from dagtop.core.spreading import spread
from dagtop.core.states import ACTIVE, RunState
from dagtop.core.together import summary_of_all
from dagtop.errors import DagtopError, GraphError
from dagtop.ports.recorder import Recorder
from dagtop.runtime import by_hand
from dagtop.runtime.aside import Aside
from dagtop.runtime.breaker_registry import Registry
from dagtop.runtime.breakers import RunBreakers
from dagtop.runtime.calls import Calls
from dagtop.runtime.clock import loop_clock, running_loop
from dagtop.runtime.evidence import Kept, evidence_of, returned_by
from dagtop.runtime.growth import Growth
from dagtop.runtime.hiding import GIVERS
from dagtop.runtime.inbox import Alarm, Doorbell, Inbox
from dagtop.runtime.job import Job
from dagtop.runtime.outlet import Outlet
from dagtop.runtime.publisher import Publisher
from dagtop.runtime.reports import Reports
from dagtop.runtime.swapping import Versions
from dagtop.runtime.watchdog import WATCHDOG, Patient, sentence, stack_of
from dagtop.runtime.where import where_is
from dagtop.runtime.workers import Workers

_log = logging.getLogger("dagtop")

#: Shortest wait for something due later, in seconds: a shorter one may vanish in the clock's rounding, and nothing is ever due.
SOONEST = 1e-6


class Engine:
    """Carries out one `Job`.

    Commands may come from any thread through `send`; everything else belongs to the loop's thread.

    Parameters
    ----------
    breakers: where its circuit breakers are; those of the process unless given.
    """

    def __init__(self, job: Job, *, breakers: Registry | None = None) -> None:
        self.job = job
        self.hiding = job.hiding
        self.hiding.given = self._given
        self.alarm = Alarm()
        self.doorbell = Doorbell(self.alarm.ring)
        self.inbox: Inbox[tuple[Command, int, str]] = Inbox(self.doorbell)
        self._moved: Inbox[str] = Inbox(self.doorbell)
        """Names of breakers that somebody else has moved."""
        self.reports = Reports(job.plan, self.doorbell)
        self.breakers = RunBreakers(
            job.policy.breakers,
            on_moved=self._moved.put,
            tell=partial(self.reports.problem, "breakers"),
            registry=breakers,
        )
        self.machine = RunMachine(job.plan, job.policy, job.ledger, breakers=self.breakers, evidence=self._evidence)
        self.machine.veil = self.hiding.veil if self.hiding.is_on else None
        self.calls = Calls(job, self.reports)
        self.calls.ledger = self.machine.ledger
        self.machine.may_say = lambda index: self.calls.call_of(index).wants_context
        self.publisher: Publisher | None = None
        self.hold_open = False
        """Stay when the run is over, for commands that may give it something to do again."""
        self.expects_more = False
        """Some of it is to start over by itself, at due times that are kept elsewhere: services stay up for that."""
        self.ended_at: float | None = None
        """When the run was over and nobody held it open, seconds since it began."""
        self.workers = Workers(self.machine, self.calls, self.reports, self.alarm)
        self.aside = Aside(self.machine, self.calls, self.workers, self.reports, job.checked.around)
        self.workers.aside = self.aside
        self.growth = Growth(
            job, self.machine, self.calls, self.reports, self.doorbell, self.workers.obey, self.now, job.left
        )
        self.versions = Versions(job.plan, job.fingerprints)
        """Other versions of the graph that the run may go on with."""
        self.calls.growth = self.aside.consulting.growth = self.growth
        self.rounds = 0
        """How often this has gone round on the loop: it grows as long as the loop lives and has something to do."""
        self.thread = 0
        """The thread that the loop runs in, and the loop itself (on trio: its root task); set when the run begins."""
        self.loop: Any = None
        self._patient: Patient
        self._kept: deque[Kept] = deque(maxlen=100)
        """By whom the loop was kept from going round, lately."""
        self._outlet = Outlet(self.machine, job.recorders, job.first_event, self.hiding)
        self._clock: Callable[[], float] = lambda: 0.0
        self._epoch = 0.0

    # -- from outside -----------------------------------------------------------------------------------------------

    def send(self, command: Command, number: int, by: str) -> None:
        """Hand in a command, from any thread; it is answered by an event with this number."""
        self.inbox.put((self.hiding.command(command), number, by))

    def send_all(self, commands: Sequence[tuple[Command, int]], by: str) -> None:
        """Hand in commands with their numbers, from any thread: nothing happens between one and the next."""
        self.inbox.put_all([(self.hiding.command(command), number, by) for command, number in commands])

    def add_recorders(self, recorders: Sequence[Recorder], *, inside: bool = False) -> None:
        """Have further recorders take every event, `inside` with the names that tasks have. Before the run begins."""
        self._outlet.add(recorders, inside=inside)

    def close(self) -> None:
        """Do not stay open once the run is over. From any thread."""
        self.hold_open = False
        self.doorbell.ring()

    def expect_more(self, more: bool) -> None:
        """Say whether some of it is to start over by itself. From any thread."""
        self.expects_more = more
        self.doorbell.ring()

    def now(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._epoch

    def _evidence(self, index: int) -> Evidence:
        return evidence_of(self.job, self.machine.ledger, self.calls.outputs, index, self.now(), self._kept)

    def _given(self, index: int) -> Mapping[str, Any]:
        """What a task was given, for secrets to be found in it."""
        plan, specs = self.machine.plan, self.job.checked.specs
        own = {} if specs is None else {"": specs.get(plan.names[index])}
        return {**own, **{plan.names[above]: self.calls.outputs[above] for above in plan.upstream[index][:GIVERS]}}

    # -- the run ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry the run out to its end. When cancelled: stop what runs, let it clean up, then let the cancellation go on.

        Raises
        ------
        DagtopError: it ended before its time, which is a bug of ours; never in silence.
        """
        self._clock = loop_clock()
        self._epoch = self._clock() - self.job.elapsed
        self.thread, self.loop = threading.get_ident(), running_loop()
        self.alarm.set_again()
        self.doorbell.bind()
        cancelled: BaseException | None = None
        async with anyio.create_task_group() as outside:
            outside.start_soon(self._hear_cancellation, name="dagtop:cancellation")
            with anyio.CancelScope(shield=True), self.breakers.in_use(self.now(), self.machine.admission.circuits()):
                async with anyio.create_task_group() as group:
                    self.workers.begin(group, self._clock, self._epoch)
                    self._begin()
                    self._patient = Patient(self, self._hear_of_blocked_loop)
                    WATCHDOG.watch(self._patient)
                    try:
                        cancelled = await self._supervise()
                    finally:
                        WATCHDOG.forget(self._patient)
                    self.workers.send_home()
            outside.cancel_scope.cancel()
        if cancelled is not None:
            raise cancelled
        await (
            anyio.lowlevel.checkpoint_if_cancelled()
        )  # by a scope around this, whose cancellation was heard in our place
        if self.ended_at is None:
            raise DagtopError("the engine stopped before the run had ended: this is a bug in dagtop, please report it")

    def _begin(self) -> None:
        job = self.job
        begin = inp.Begin(
            self.now(),
            run=job.run_id,
            started_at=job.started_at,
            resumed=job.ledger is not None,
            reruns=job.reruns,
            skips=job.skips,
            stops=job.stops,
        )
        self.machine.approved.update(job.approved)
        self.workers.obey(self.machine.handle(begin))
        for command in job.orders:
            self._obey(command, 0, "the journal")
        if self.publisher is not None:
            self._outlet.flush(self.now())
            self.publisher.watch(self.machine.ledger, self.breakers.views, self.machine.admission.limits.used)
            self.publisher.as_seen = self.hiding.snapshot
            self._outlet.add([self.publisher], inside=True)

    async def _hear_cancellation(self) -> None:
        """Waits to be cancelled in place of the run, which is shielded."""
        try:
            await anyio.sleep_forever()
        finally:
            if not self.workers.closing:
                self._stop_from_outside()

    def _stop_from_outside(self) -> None:
        """Whoever waits for the run no longer does. A second time changes nothing: clean-up is not cut short (B23)."""
        self.hold_open = False
        self.alarm.ring()
        if not self.machine.is_over and self.machine.ledger.run_state is not RunState.CANCELLING:
            self.send(CancelRun(reason="cancelled from outside"), 0, "the caller")

    async def _supervise(self) -> BaseException | None:
        """Commands, timers, reports, batches of events, snapshots. Gives back a cancellation that came meanwhile."""
        cancelled: BaseException | None = None
        while True:
            self.alarm.set_again()
            wait = self._go_round()
            if self.machine.is_over and not self.hold_open and not self.alarm.rung and wait != 0:
                self.ended_at = self.now()
                self._outlet.flush(self.ended_at)
                if self.publisher is not None:
                    self.publisher.publish(self.ended_at)
                return cancelled
            try:
                if wait is None:
                    await self.alarm.wait()
                elif wait > 0:
                    with anyio.move_on_after(wait):
                        await self.alarm.wait()
                else:
                    await anyio.lowlevel.checkpoint()
            except anyio.get_cancelled_exc_class() as error:
                if not self.workers.on_asyncio or self.workers.is_breaking_down:
                    raise  # a worker has crashed, which is a bug of ours: everything ends
                cancelled = error
                self._stop_from_outside()

    def _each(self, command: Command) -> tuple[Sequence[Command], str]:
        """The commands for single tasks that one for a node or a pattern comes to, and what they do: the first one's answer."""
        each, ledger = spread(self.machine.plan, command), self.machine.ledger
        if len(each) == 1:
            return each, ""
        found = expected(ledger, command, each)
        if not found:
            return each[:1], ""
        return [one for one, _ in found], summary_of_all(ledger.plan, command, [(one.task, it) for one, it in found])

    def _obey(self, command: Command, number: int, by: str, told: str = "") -> None:
        if isinstance(command, SwapGraph) and (version := self.versions.take(command.version)) is not None:
            caused = self.growth.swap(version, self.versions, command, number, by)
            self.growth.start_over(self._forgotten(caused))
            return
        if isinstance(command, ScaleTask) and self._scale(command, number, by):
            return
        machine, before = self.machine, len(self.machine.outbox)
        instructions = machine.handle(inp.CommandGiven(self.now(), by_hand.recordable(command), number, by, told))
        caused = machine.outbox[before:]
        again = self._forgotten(caused)
        if type(command) is MarkSucceeded:
            by_hand.keep(self.calls, machine.plan.index, command, caused)
        self.workers.obey(instructions)
        if again:
            self.growth.start_over(again)

    def _scale(self, command: ScaleTask, number: int, by: str) -> bool:
        """Go on with another number of replicas; False if the command is to be refused."""
        try:
            version = self.versions.scaled(command.task, command.replicas, self.job.checked.config)
        except GraphError:
            return False
        caused = self.growth.swap(version, self.versions, command, number, by)
        self.growth.start_over(self._forgotten(caused))
        return True

    def _forgotten(self, caused: Sequence[AnyEvent]) -> list[str]:
        """The tasks that start over: what they returned is nobody's input any more."""
        again = [event.task for event in caused if type(event) is TaskRestarted]
        for task in again:
            self.calls.forget(task)
        return again

    def _go_round(self) -> float | None:
        """Do all that is due now; how long until something is due again (None: nothing foreseen)."""
        machine = self.machine
        self.rounds += 1
        if machine.is_over and not self.hold_open:
            WATCHDOG.forget(self._patient)  # first, so that nothing comes after `run.finished`
        if self._patient.has_news:
            self._tell_what_kept_the_loop()
        while (told := self.inbox.take()) is not None:
            self.growth.apply()  # what tasks have asked for before is there by then
            each, answer = self._each(told[0])
            for command in each:
                self._obey(command, *told[1:], answer)
                answer = ""
        if machine.expects_more is not self.expects_more:
            self.workers.obey(machine.handle(inp.Expecting(self.now(), self.expects_more)))
        growth_wait = self.growth.look(self.now())
        while (name := self._moved.take()) is not None:
            if self.hold_open or not machine.is_over:
                self.workers.obey(machine.handle(inp.BreakerMoved(self.now(), name)))
        now = self.now()
        while self.reports.begun:
            self.workers.obey(machine.handle(inp.AttemptBegan(now, *self.reports.begun.popleft())))
        while self.reports.ready:
            index, attempt, value = self.reports.ready.popleft()
            if machine.ledger.attempt[index] == attempt and machine.ledger.state[index] in ACTIVE:
                self.calls.outputs[index] = value
            self.workers.obey(machine.handle(inp.SaidReady(now, index, attempt)))
        report_wait = self.reports.drain(machine, now)
        while machine.is_over and self.reports.lines:  # all of them belong before `run.finished`
            report_wait = self.reports.drain(machine, now)
        due = machine.next_due()
        if due is not None and due <= now:
            self.workers.obey(machine.handle(inp.Tick(now)))
        self._outlet.flush(now)
        waits = [wait for wait in (report_wait, growth_wait, self.aside.look(now)) if wait is not None]
        due = machine.next_due()
        if due is not None:
            waits.append(due - now)
        if self.publisher is not None:
            publish_wait = self.publisher.due_in(now, ticking=not machine.is_over)
            if publish_wait == 0:
                self.publisher.publish(now, self._clock)
                publish_wait = self.publisher.due_in(now, ticking=not machine.is_over)
            if publish_wait is not None:
                waits.append(publish_wait)
        if not waits:
            return None
        wait = min(waits)
        return max(wait, SOONEST) if wait > 0 else 0.0

    # -- the loop itself ----------------------------------------------------------------------------------------------

    def where(self, task: str) -> str:
        """Where a task is now: the lines of a traceback, innermost last, or a sentence that says why not. From any thread."""
        return self.hiding.text(where_is(self, self.hiding.names.inside(task)))

    def returned(self, task: str) -> str:
        """What a task that has succeeded returned, shortly and without secrets, or "" of any other. From any thread."""
        told = returned_by(self.job.plan, self.machine.ledger, self.calls.outputs, self.hiding.names.inside(task))
        return self.hiding.text(told)

    def _hear_of_blocked_loop(self, blocked: Blocked) -> None:
        """On the watchdog's thread, while nothing can be told by events."""
        blocked = self.hiding.blocked(blocked)
        if not self._outlet.hear(blocked) and self.publisher is None:
            _log.warning("%s", sentence(blocked))

    def _tell_what_kept_the_loop(self) -> None:
        for blocked in self._patient.take():
            self._kept.append(Kept(self.now(), blocked))
            if blocked.task:
                event: AnyEvent = LoopBlocked(
                    self.now(), blocked.task, blocked.attempt, blocked.seconds, stack_of(blocked)
                )
            else:
                event = Problem(self.now(), "the event loop", sentence(blocked))
            self.machine.note(event)
