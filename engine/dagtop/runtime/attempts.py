"""How one attempt is carried out: on the loop, in a thread, in another process, with services and a setup before it."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import anyio
import sniffio
from anyio.abc import TaskGroup

from dagtop.backends.event_loop import (
    LEFT_OPEN,
    AsyncioInterrupt,
    Attempt,
    Interrupt,
    ScopeInterrupt,
    drive,
    leave_nurseries,
    nurseries,
)
from dagtop.backends.thread import ThreadBackend
from dagtop.core import inputs as inp
from dagtop.core.failure import Failure
from dagtop.core.instructions import Instruction, StartAttempt, StopReason
from dagtop.core.machine import RunMachine
from dagtop.errors import NOT_AWAITED, Skip
from dagtop.runtime.calls import Calls
from dagtop.runtime.chores import Ended, interruptible, stage
from dagtop.runtime.cpu import ThreadPlace
from dagtop.runtime.evidence import given_to
from dagtop.runtime.failures import failure_of, may_be_retried, place_of, wish_of
from dagtop.runtime.families import is_of
from dagtop.runtime.reports import Reports

if TYPE_CHECKING:
    from dagtop.runtime.aside import Aside


class Attempts:
    """The attempts in progress of one run. The pool of workers, which carries them out, is made of this.

    `begin` comes first, on the loop; everything here belongs to the loop's thread.
    """

    def __init__(self, machine: RunMachine, calls: Calls, reports: Reports) -> None:
        self.machine = machine
        self.calls = calls
        self.reports = reports
        self.running: dict[int, Attempt] = {}
        """By task: attempts that are suspended or in a thread."""
        self.threads_left = 0
        """Threads of attempts that were abandoned: they may still run, and keep the process from ending."""
        self.on_asyncio = True
        self.group: TaskGroup
        self.aside: Aside
        """Carries out what is no attempt; set before `begin`."""
        self._threads: ThreadBackend
        self._context = Context()
        self._clock: Callable[[], float] = lambda: 0.0
        self._epoch = 0.0

    def begin(self, group: TaskGroup, clock: Callable[[], float], epoch: float) -> None:
        """Take the loop that is running; `epoch` is what its clock says at the run's beginning."""
        self.group, self._clock, self._epoch = group, clock, epoch
        self.on_asyncio = sniffio.current_async_library() != "trio"
        self._context = copy_context()
        self._threads = ThreadBackend()
        self.aside.begin(group, self._threads)

    def now(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._epoch

    def obey(self, instructions: list[Instruction]) -> None:
        """Carry instructions out."""
        raise NotImplementedError

    @property
    def is_breaking_down(self) -> bool:
        """Whether a worker has crashed: then its group cancels all of them, and each must let itself be ended."""
        return self.group.cancel_scope.cancel_called

    async def _go_on(
        self, start: StartAttempt, context: Context, coroutine: Coroutine[Any, Any, Any], waiting: Any
    ) -> Ended | None:
        """The rest of an async attempt that has suspended, on asyncio. None: nobody waits for it any more."""
        attempt = Attempt(start.index, start.attempt, AsyncioInterrupt(), self.calls.contexts.get(start.index))
        return await self._to_its_end(attempt, context, coroutine, waiting)

    async def _in_scope(self, start: StartAttempt) -> Ended | None:
        """A whole async attempt on trio, where an interrupt needs a scope that is there from the beginning."""
        context = self._context.copy()
        scope = anyio.CancelScope()
        groups = len(nurseries())
        ended: Ended | None = None
        try:
            with scope:
                try:
                    coroutine = self.calls.coroutine(start.index, start.attempt, context)
                    waiting = context.run(coroutine.send, None)
                except StopIteration as stop:
                    ended = stop.value, None
                except BaseException as raised:  # noqa: BLE001 - the user's: it becomes an outcome
                    ended = None, raised
                else:
                    flag = self.calls.contexts.get(start.index)
                    attempt = Attempt(start.index, start.attempt, ScopeInterrupt(scope), flag)
                    ended = await self._to_its_end(attempt, context, coroutine, waiting)
                if await leave_nurseries(groups) and ended is not None and ended[1] is None:
                    ended = None, RuntimeError(LEFT_OPEN)
        except RuntimeError:  # trio leaves the scopes inside ours, and complains
            if ended is not None and ended[1] is None:
                ended = None, RuntimeError(LEFT_OPEN)
        return ended

    async def _to_its_end(
        self, attempt: Attempt, context: Context, coroutine: Coroutine[Any, Any, Any], waiting: Any
    ) -> Ended | None:
        self.running[attempt.index] = attempt
        attempt.coroutine = coroutine
        output: Any = None
        error: BaseException | None = None
        try:
            output = await drive(attempt, context, coroutine, waiting)
        except BaseException as raised:
            if self.is_breaking_down and is_of(raised, anyio.get_cancelled_exc_class()):
                raise  # another worker has crashed: there is no machine to tell
            error = raised  # the user's: it becomes an outcome
        if self.running.get(attempt.index) is attempt:
            del self.running[attempt.index]
        return await self._settled(attempt, output, error)

    async def _surrounded(self, start: StartAttempt) -> Ended | None:
        """A whole attempt of a task that needs services or has a setup or a teardown: one call after the other."""
        index, calls, lifecycle = start.index, self.calls, self.aside.lifecycle
        context, call = self._context.copy(), calls.call_of(index)
        setup = self.aside.around.setups.get(index)
        wants_context = call.wants_context or (setup is not None and setup.wants_context)
        flag = calls.begin(index, start.attempt, context, wants_context=wants_context)
        handle, scope = interruptible()
        attempt = Attempt(index, start.attempt, handle, flag)
        self.running[index] = attempt
        output: Any = None
        error: BaseException | None = None
        try:
            with scope:
                services, error = await lifecycle.prepare(attempt, context, flag)
                if error is None and not attempt.stop_told:
                    fn: Callable[[], Any] = calls.own(index, call, flag, services, lifecycle.resource(index))
                    if calls.away and index in calls.away and not calls.is_gone(fn):
                        fn = attempt.errand = calls.trip(index, start.attempt, fn, flag)
                    if calls.caching is not None and not call.is_async:
                        fn = calls.caching.in_thread(index, fn)
                    output, error = await stage(attempt, context, fn, self._threads, is_async=call.is_async)
        except RuntimeError:  # trio leaves the scopes inside ours, and complains
            if self.on_asyncio:
                raise  # a bug of ours, not of the task's
            error = RuntimeError(LEFT_OPEN) if error is None else error
        if self.is_breaking_down and error is not None and is_of(error, anyio.get_cancelled_exc_class()):
            raise error  # another worker has crashed: there is no machine to tell
        if self.running.get(index) is attempt:
            del self.running[index]
        return await self._settled(attempt, output, error)

    async def _in_thread(self, start: StartAttempt) -> Ended | None:
        """A whole attempt of a plain function: in a thread, or in another process, for which a thread waits."""
        if start.index in self.calls.surrounded:
            return await self._surrounded(start)
        context = self._context.copy()
        fn = self.calls.thunk(start.index, start.attempt, context)
        if self.calls.caching is not None:
            fn = self.calls.caching.in_thread(start.index, fn)
        scope = anyio.CancelScope()
        handle: Interrupt = AsyncioInterrupt() if self.on_asyncio else ScopeInterrupt(scope)
        attempt = Attempt(start.index, start.attempt, handle, self.calls.contexts.get(start.index), in_thread=True)
        if self.calls.trips:
            attempt.errand = self.calls.trips.pop(start.index, None)
            attempt.in_thread = attempt.errand is None
        self.running[start.index] = attempt

        def told_where() -> Any:
            attempt.thread = ThreadPlace()
            return fn()

        output: Any = None
        error: BaseException | None = None
        with scope:
            try:
                output, error = await self._threads.run(context, told_where)
            except BaseException as raised:
                if not attempt.abandoned and (not self.on_asyncio or self.is_breaking_down):
                    raise
                error = raised  # abandoned, or cancelled by a stranger, see `_shake_off`: nobody waits for the thread
                if not attempt.abandoned:
                    self.threads_left += attempt.in_thread
                    if attempt.errand is not None:
                        attempt.errand.abandon()
        if self.running.get(start.index) is attempt:
            del self.running[start.index]
        if error is None and type(output) is CoroutineType:  # isinstance would ask the user's object for its class
            output.close()
            error = TypeError(NOT_AWAITED)
        return await self._settled(attempt, output, error)

    async def _settled(self, attempt: Attempt, output: Any, error: BaseException | None) -> Ended | None:
        """Clear the interrupt away; an attempt that was told to stop is answered for here."""
        if not attempt.stop_told and not attempt.abandoned:
            return output, error
        await attempt.handle.settle()
        if not attempt.abandoned:
            quiet = error is None or is_of(error, (anyio.get_cancelled_exc_class(), Skip))
            failure = self._stood_at(attempt, error) if quiet or error is None else failure_of(error)
            if self.machine.ledger.attempt[attempt.index] == attempt.number:
                self.calls.ended(attempt.index)
            if self.reports.lines:
                self.reports.drain(self.machine, self.now())
            stopped = inp.AttemptStopped(self.now(), attempt.index, attempt.number, failure, random.random())
            self.obey(self.machine.handle(stopped))
        return None

    def _stood_at(self, attempt: Attempt, error: BaseException | None) -> Failure | None:
        """Where an attempt was when its time was up; None of one that was stopped for another reason."""
        late = self.machine.stop_reasons.get(attempt.index) in (StopReason.TIMEOUT, StopReason.RUN_TIMEOUT)
        place = place_of(error) if late and error is not None else ""
        return Failure(error="", message="", where=place) if place else None

    def _raised(self, start: StartAttempt, error: BaseException, now: float) -> inp.Input:
        self.calls.ended(start.index)
        if self.reports.lines:
            self.reports.drain(self.machine, now)
        wish = wish_of(error)
        if wish is not None and wish.skip is not None:
            return inp.AttemptSkipped(now, start.index, start.attempt, wish.skip)
        later = wish.retry_after if wish is not None else None
        again = later is not None or may_be_retried(error, self.machine.ledger.policies[start.index].retry)
        failure = failure_of(error, given_to(self.machine.plan, self.calls.outputs, start.index))
        return inp.AttemptRaised(now, start.index, start.attempt, failure, again, random.random(), later)
