"""Probes: user code that finds out how a running task is, beside the attempt and never in its way."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio

from dagtop.core.inputs import Probed
from dagtop.core.instructions import RunProbe
from dagtop.core.machine import RunMachine
from dagtop.core.restart import ProbeKind
from dagtop.graph.surroundings import Surroundings, services_of
from dagtop.runtime.calls import Calls
from dagtop.runtime.chores import Chore, Chores
from dagtop.runtime.failures import said_of
from dagtop.runtime.services import Services

#: So many threads may hang in questions about one attempt; then nothing is asked before one of them has come back.
HANGING = 10


class Probing:
    """The probes of one run. Belongs to the loop's thread.

    Parameters
    ----------
    answer: takes each answer for the machine.
    now: seconds since the run began.
    """

    def __init__(
        self,
        machine: RunMachine,
        calls: Calls,
        chores: Chores,
        services: Services,
        around: Surroundings,
        answer: Callable[[Probed], None],
        now: Callable[[], float],
    ) -> None:
        self._machine = machine
        self._calls = calls
        self._chores = chores
        self._services = services
        self._around = around
        self._answer = answer
        self._now = now
        self._asking: Counter[RunProbe] = Counter()
        """How many threads are at a question."""
        self._lock = threading.Lock()

    def probe(self, question: RunProbe) -> None:
        """Ask how a task is; no answer in time is one too."""
        name = self._machine.plan.names[question.index]
        self._chores.start(f"{question.kind.value}:{name}", partial(self._ask, question), bounded_from=self._now())

    async def _ask(self, question: RunProbe, chore: Chore) -> None:
        policy = self._machine.ledger.policies[question.index]
        probe = policy.ready if question.kind is ProbeKind.READY else policy.alive
        timeout = probe.timeout if probe is not None else 0.0
        over, ok, said = anyio.Event(), False, ""

        async def lose_patience() -> None:
            with anyio.move_on_after(timeout):
                await over.wait()
                return
            self._tell(question, False, f"no answer within {timeout:g} s")
            self._chores.abandon(chore)

        async with anyio.create_task_group() as group:
            group.start_soon(lose_patience)
            ok, said = await self._found_out(question, chore)
            over.set()
        if not chore.abandoned:
            self._tell(question, ok, said)

    async def _found_out(self, question: RunProbe, chore: Chore) -> tuple[bool, str]:
        index = question.index
        call = (self._around.readies if question.kind is ProbeKind.READY else self._around.alives).get(index)
        if call is None:
            return True, ""  # the graph has changed, and it has no probe any more
        if self._asking[question] >= HANGING:
            return False, f"{HANGING} earlier questions hang"
        try:
            services = await self._services.open(services_of(call.arguments))
        except BaseException as raised:
            if self._chores.is_ending(chore):
                raise
            return False, said_of(raised)
        context = self._chores.context()
        attempt = self._machine.ledger.attempt[index]
        sink = self._calls.sink_in(context, self._machine.plan.names[index], attempt)
        ask = self._calls.beside(index, call, self._calls.contexts.get(index), services)
        output, error = await self._chores.call(
            chore,
            context,
            ask if call.is_async else partial(self._counted, question, ask),
            is_async=call.is_async,
            room=None if call.is_async else self._chores.rooms[0],
        )
        if sink is not None:
            sink.close()
        if error is not None:
            return False, said_of(error)[:300]
        return output is not False, ""

    def _counted(self, question: RunProbe, ask: Callable[[], Any]) -> Any:
        with self._lock:
            self._asking[question] += 1
        try:
            return ask()
        finally:
            with self._lock:
                self._asking[question] -= 1
                if not self._asking[question]:
                    del self._asking[question]

    def _tell(self, question: RunProbe, ok: bool, said: str) -> None:
        self._answer(Probed(self._now(), question.index, question.attempt, question.kind, ok, said))
