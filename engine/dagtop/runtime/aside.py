"""Everything in a run beside its attempts: what the machine wants to know or closed is handed on to who looks after it."""

from __future__ import annotations

from contextvars import Context
from typing import assert_never

from anyio.abc import TaskGroup

from dagtop.backends.thread import ThreadBackend
from dagtop.core.inputs import Input
from dagtop.core.instructions import Consult, RunProbe, RunTeardown, SetUp, WindDown
from dagtop.core.machine import RunMachine
from dagtop.core.states import RunState
from dagtop.graph.surroundings import Surroundings
from dagtop.runtime.calls import Calls
from dagtop.runtime.chores import Chores
from dagtop.runtime.consulting import Consulting
from dagtop.runtime.lifecycle import Lifecycle
from dagtop.runtime.probing import Probing
from dagtop.runtime.reports import Reports
from dagtop.runtime.services import Services
from dagtop.runtime.workers import Workers


class Aside:
    """What stands around the tasks of one run. `begin` comes first, on the loop; everything here belongs to the loop's thread."""

    def __init__(
        self, machine: RunMachine, calls: Calls, workers: Workers, reports: Reports, around: Surroundings
    ) -> None:
        self.around = around
        self._machine = machine
        self._calls = calls
        self._workers = workers
        self.chores = Chores(machine.policy.cancel_grace, workers.ring)
        self.services = Services(around.services, self.chores, calls.of_service, self._context_of_none, reports.problem)
        self.lifecycle = Lifecycle(machine, calls, self.chores, self.services, around, self._answer, workers.now)
        self.consulting = Consulting(
            machine,
            calls,
            self.chores,
            self.services,
            around,
            self.lifecycle.until_set_up,
            self._answer,
            workers.now,
        )
        self.probing = Probing(machine, calls, self.chores, self.services, around, self._answer, workers.now)
        if around.services:
            calls.find_service = self.services.find

    def begin(self, group: TaskGroup, threads: ThreadBackend) -> None:
        """Take the loop that is running."""
        self.chores.begin(group, threads)
        self.services.begin()

    def obey(self, instruction: Consult | RunProbe | RunTeardown | SetUp | WindDown) -> None:
        """Carry an instruction out; it is answered later."""
        match instruction:
            case Consult():
                self.consulting.ask(instruction)
            case RunProbe():
                self.probing.probe(instruction)
            case RunTeardown(index=index):
                self.lifecycle.tear_down(index)
            case SetUp():
                self.lifecycle.set_up()
            case WindDown():
                self.lifecycle.wind_down()
            case _ as unreachable:
                assert_never(unreachable)

    def look(self, now: float) -> float | None:
        """Do what is due now; how long until something is due again (None: nothing foreseen)."""
        if not self.chores.are_there:
            return None
        if self.consulting.open:
            self.consulting.let_go()
        return self.chores.look(now, cancelled=self._machine.ledger.run_state is RunState.CANCELLING)

    def send_home(self) -> None:
        """The run has ended: nobody waits for anything any more."""
        self.services.send_home()
        self.chores.send_home()
        self._workers.threads_left += self.chores.threads_left

    def _answer(self, answer: Input) -> None:
        self._workers.obey(self._machine.handle(answer))

    def _context_of_none(self) -> Context:
        context = self.chores.context()
        self._calls.sink_in(context)
        return context
