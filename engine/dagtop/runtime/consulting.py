"""Answers to `Consult`: a task's condition first, then its cache. Meanwhile the task waits, and holds no slot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from dagtop.core.events import TaskNotCached
from dagtop.core.inputs import Consulted, Verdict
from dagtop.core.instructions import Consult
from dagtop.core.machine import RunMachine
from dagtop.core.states import TaskState
from dagtop.errors import Skip
from dagtop.graph.surroundings import Surroundings, services_of
from dagtop.runtime.calls import Calls
from dagtop.runtime.chores import Chore, Chores, Ended
from dagtop.runtime.failures import failure_of, text_of
from dagtop.runtime.services import Services

if TYPE_CHECKING:
    from dagtop.runtime.caching import Caching
    from dagtop.runtime.growth import Growth


class Consulting:
    """The questions that are open. Belongs to the loop's thread.

    Parameters
    ----------
    ready: waits until tasks may start.
    answer: takes each answer.
    now: seconds since the run began.
    """

    def __init__(
        self,
        machine: RunMachine,
        calls: Calls,
        chores: Chores,
        services: Services,
        around: Surroundings,
        ready: Callable[[], Awaitable[None]],
        answer: Callable[[Consulted], None],
        now: Callable[[], float],
    ) -> None:
        self._machine = machine
        self._calls = calls
        self._chores = chores
        self._services = services
        self._whens = around.whens
        self._maps = around.maps
        self._caches = around.caches
        self._ready = ready
        self._tell = answer
        self._now = now
        self.open_cache: Callable[[], Awaitable[None]] | None = None
        """Opens the cache, where no task had one when the run began."""
        self._cache_open: anyio.Event | None = None
        """Set when that is over; None if nobody has asked for it."""
        self.growth: Growth | None = None
        """Through which further tasks come; set before the run begins."""
        self.open: dict[int, Chore] = {}
        """By task: who is about to answer for it."""

    def ask(self, question: Consult) -> None:
        """Find an answer; one to an earlier question about the task is wanted no longer."""
        index = question.index
        earlier = self.open.pop(index, None)
        if earlier is not None:
            self._chores.abandon(earlier)
        name = self._machine.plan.names[index]
        self.open[index] = self._chores.start(f"when:{name}", partial(self._answer, question))

    def let_go(self) -> None:
        """Ask no longer about tasks that do not wait for an answer any more: they were stopped."""
        states = self._machine.ledger.state
        for index in [index for index in self.open if states[index] is not TaskState.WAITING]:
            self._chores.abandon(self.open.pop(index))

    async def _answer(self, question: Consult, chore: Chore) -> None:
        index = question.index
        await self._ready()
        verdict, reason, error = await self._condition(index, chore)
        if verdict is Verdict.RUN and index in self._maps and not chore.abandoned:
            call = partial(self._call, index, chore, is_async=False)
            error = await self._grown.expand(index, call)
            verdict = Verdict.RUN if error is None else Verdict.FAIL
        if index in self._caches and self._calls.caching is None:
            await self._cache_opened()
        caching = self._calls.caching
        if verdict is Verdict.RUN and caching is not None and index in caching.keys and not chore.abandoned:
            verdict, reason = await self._cached(caching, question, chore)
        if chore.abandoned:
            return
        if self.open.get(index) is chore:
            del self.open[index]
        failure = None if error is None else failure_of(error)
        self._tell(Consulted(self._now(), index, question.token, verdict, reason, failure))

    async def _cache_opened(self) -> None:
        """The first cached tasks have come while the run goes on: wait until the cache is open, for them and those after."""
        if self.open_cache is not None:
            open_cache, self.open_cache = self.open_cache, None
            over = self._cache_open = anyio.Event()

            async def work(_: Chore) -> None:  # its own, for the task that came first may be stopped meanwhile
                try:
                    await open_cache()
                finally:
                    over.set()

            self._chores.start("cache", work)
        if self._cache_open is not None:
            await self._cache_open.wait()

    @property
    def _grown(self) -> Growth:
        assert self.growth is not None, "set before the run begins"
        return self.growth

    async def _condition(self, index: int, chore: Chore) -> tuple[Verdict, str, BaseException | None]:
        if self._grown.left_by_earlier(index):
            return Verdict.CACHED, "it was done before the run was resumed", None
        if index not in self._whens:
            return Verdict.RUN, "", None
        when = self._whens[index]
        if when is None:
            return Verdict.SKIP, "when=False", None
        try:
            services = await self._services.open(services_of(when.arguments))
        except BaseException as raised:
            if self._chores.is_ending(chore):
                raise
            return Verdict.FAIL, "", raised  # what kept a service from opening
        output, error = await self._call(
            index, chore, self._calls.beside(index, when, services=services), when.is_async
        )
        if error is None:
            try:
                if isinstance(output, Skip):
                    error = output
                elif output:
                    return Verdict.RUN, "", None
            except BaseException as own:  # noqa: BLE001 - the user's object decides what it is and whether it is true
                error = own
        if error is not None and issubclass(type(error), Skip):
            return Verdict.SKIP, text_of(error)[:500] or f"when={_name_of(when.fn)} said no", None
        if error is not None:
            return Verdict.FAIL, f"when={_name_of(when.fn)} raised {text_of(error)}"[:500], error
        return Verdict.SKIP, f"when={_name_of(when.fn)} said no", None

    async def _call(self, index: int, chore: Chore, fn: Callable[[], Any], is_async: bool) -> Ended:
        """Call the user's code for a task, in a thread only when there is room."""
        context: Context = self._chores.context()
        sink = self._calls.sink_in(context, self._machine.plan.names[index], self._machine.ledger.attempt[index] + 1)
        room = None if is_async else self._chores.rooms[0]
        ended = await self._chores.call(chore, context, fn, is_async=is_async, room=room)
        if sink is not None:
            sink.close()
        return ended

    async def _cached(self, caching: Caching, question: Consult, chore: Chore) -> tuple[Verdict, str]:
        from dagtop.runtime.caching import Hit  # noqa: PLC0415 - only where there is a cache

        index = question.index
        found = await caching.lookup(index, question.fresh, partial(self._call, index, chore))
        if isinstance(found, Hit):
            return Verdict.CACHED, found.reason
        self._machine.note(TaskNotCached(self._now(), self._machine.plan.names[index], found.reason))
        return Verdict.RUN, ""


def _name_of(fn: Callable[..., Any]) -> str:
    while isinstance(fn, partial):
        fn = fn.func
    return str(getattr(fn, "__name__", type(fn).__name__))[:200]
