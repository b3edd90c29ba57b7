"""Setups and teardowns, of tasks and of the graph.

A task's setup belongs to its attempt: it runs in its slot and under its timeout, and again with each attempt until it has
succeeded. Its teardown runs once, when the machine says that nobody needs the task any more, if the setup had started.
Nothing but the patience with a cancelled run cuts a teardown short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any

import anyio

from dagtop.backends.event_loop import Abandoned, Attempt
from dagtop.core.events import Log, Problem
from dagtop.core.failure import Failure
from dagtop.core.inputs import Input, SetUpEnded, TeardownEnded, WoundDown
from dagtop.core.machine import RunMachine
from dagtop.graph.surroundings import Surroundings, services_of
from dagtop.runtime.calls import Calls
from dagtop.runtime.chores import Chore, Chores, Ended, stage
from dagtop.runtime.context import TaskContext
from dagtop.runtime.failures import failure_of
from dagtop.runtime.families import is_of
from dagtop.runtime.result import TeardownFailure
from dagtop.runtime.services import Services


class Lifecycle:
    """What was set up in one run, and how that is undone. Belongs to the loop's thread.

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
        answer: Callable[[Input], None],
        now: Callable[[], float],
    ) -> None:
        self._machine = machine
        self._calls = calls
        self._chores = chores
        self._services = services
        self._around = around
        self._answer = answer
        self._now = now
        self.failures: list[TeardownFailure] = []
        """What could not be torn down or closed, in order."""
        self._started: set[int] = set()
        """Tasks that a teardown is owed to."""
        self._resources: dict[int, Any] = {}
        """By task: what its setup returned, since that succeeded."""
        self._setup: Chore | None = None
        self._set_up_over: anyio.Event | None = None
        self._graph_started = False
        self._graph_resource: Any = None

    # -- tasks ------------------------------------------------------------------------------------------------------

    async def prepare(
        self, attempt: Attempt, context: Context, task_context: TaskContext | None
    ) -> tuple[Mapping[str, Any], BaseException | None]:
        """What comes before the task's own code: (its services, what went wrong)."""
        index = attempt.index
        setup = self._around.setups.get(index)
        if setup is None:
            self._started.add(index)
        try:
            services = await self._services.open(self._around.needs.get(index, ()))
        except BaseException as raised:  # noqa: BLE001 - what kept a service from opening; or it was told to stop
            return {}, raised
        if setup is not None and index not in self._resources:
            self._started.add(index)
            call = self._calls.beside(index, setup, task_context, services)
            resource, error = await stage(attempt, context, call, self._chores.threads, is_async=setup.is_async)
            if error is not None:
                return {}, error
            self._resources[index] = resource
        if task_context is not None:
            task_context.resource = self._resources.get(index)
        return services, None

    def resource(self, index: int) -> Any:
        """What the task's setup returned."""
        return self._resources.get(index)

    def tear_down(self, index: int) -> None:
        """Run a task's teardown, if its setup has started."""

        async def work(chore: Chore) -> None:
            await self._tear_down(index, chore)

        self._chores.start(f"teardown:{self._machine.plan.names[index]}", work, bounded_from=self._now())

    async def _tear_down(self, index: int, chore: Chore) -> None:
        name = self._machine.plan.names[index]
        failure = None
        if index in self._started and index in self._around.teardowns:
            _, error = await self._call_teardown(index, chore)
            failure = self._collect(error, f"task {name!r}", name)
        self._started.discard(index)
        self._resources.pop(index, None)
        self._answer(TeardownEnded(self._now(), index, failure))

    async def _call_teardown(self, index: int, chore: Chore) -> Ended:
        call, attempt = self._around.teardowns[index], self._machine.ledger.attempt[index]
        context = self._chores.context()
        sink = self._calls.sink_in(context, self._machine.plan.names[index], attempt)
        resource = self._resources.get(index)
        task_context = self._calls.later_context(index, attempt, sink, resource) if call.wants_context else None
        services, error = await self._opened(chore, services_of(call.arguments))
        if error is None:
            fn = self._calls.beside(index, call, task_context, services, resource)
            room = None if call.is_async else self._chores.rooms[1]
            _, error = await self._chores.call(chore, context, fn, is_async=call.is_async, room=room)
        if sink is not None:
            sink.close()
        return None, error

    # -- the graph --------------------------------------------------------------------------------------------------

    async def until_set_up(self) -> None:
        """Wait for the end of the graph's setup, if that runs."""
        if self._set_up_over is not None:
            await self._set_up_over.wait()

    def set_up(self) -> None:
        """Run the graph's setup."""
        self._set_up_over = anyio.Event()
        self._setup = self._chores.start("setup", self._set_up)

    async def _set_up(self, chore: Chore) -> None:
        call = self._around.setup
        assert call is not None, "the machine asks for a setup that there is"
        self._say("the graph's setup begins")
        self._graph_started = True
        context = self._chores.context()
        sink = self._calls.sink_in(context)
        services, error = await self._opened(chore, services_of(call.arguments))
        if error is None:
            fn = self._calls.of_graph(call, services)
            self._graph_resource, error = await self._chores.call(chore, context, fn, is_async=call.is_async)
        if sink is not None:
            sink.close()
        failure = None if error is None else failure_of(error)
        if failure is not None and not chore.stopped:
            self._machine.note(Problem(self._now(), "setup", _said(failure)))
        elif failure is None:
            self._say("the graph's setup is over")
        self._setup = None
        assert self._set_up_over is not None, "it is made before this begins"
        self._set_up_over.set()
        self._answer(SetUpEnded(self._now(), failure))

    def wind_down(self) -> None:
        """Close the services and run the graph's teardown."""
        self._chores.start("winding-down", self._wind_down)

    async def _wind_down(self, chore: Chore) -> None:
        if self._setup is not None:
            self._chores.bound(self._setup, self._now())
            self._setup.stop()
            await self.until_set_up()
        for who, raised in await self._services.close(self._now):
            self._collect(raised, who, "")
        call = self._around.teardown
        if call is not None and (self._graph_started or self._around.setup is None):
            context = self._chores.context()
            sink = self._calls.sink_in(context)
            self._chores.bound(chore, self._now())
            fn = self._calls.of_graph(call, resource=self._graph_resource)
            _, error = await self._chores.call(chore, context, fn, is_async=call.is_async)
            if sink is not None:
                sink.close()
            self._collect(error, "the graph", "")
        self._graph_started, self._graph_resource = False, None
        self._answer(WoundDown(self._now()))

    # -- shared -----------------------------------------------------------------------------------------------------

    async def _opened(self, chore: Chore, names: tuple[str, ...]) -> tuple[Mapping[str, Any], BaseException | None]:
        """Services by name, or what kept one of them from opening."""
        if not names:
            return {}, None
        try:
            return await self._services.open(names), None
        except BaseException as error:
            if self._chores.is_ending(chore):
                raise
            return {}, error

    def _collect(self, error: BaseException | None, who: str, task: str) -> Failure | None:
        if error is None:
            return None
        if is_of(error, Abandoned):
            seconds = f"{self._chores.grace:g} s"
            error = TimeoutError(
                f"it had not ended {seconds} after the run was cancelled; dagtop no longer waits for it"
            )
        failure = failure_of(error)
        self.failures.append(TeardownFailure(of=who, task=task, failure=failure))
        source = f"closing {who}" if who.startswith("service") else "teardown"
        self._machine.note(Problem(self._now(), source, _said(failure), task))
        return failure

    def _say(self, line: str) -> None:
        self._machine.note(Log(self._now(), "", 0, "log", "INFO", line))


def _said(failure: Failure) -> str:
    where = f" ({failure.where})" if failure.where else ""
    return f"{failure.error}: {failure.message}"[:500] + where
