"""The worker coroutines that carry out what the machine says: attempts are started, stopped, and answered for.

Attempts run on a pool of workers that grows as long as something is ready and nobody is free. A worker steps an async
task itself; one that never suspends costs no switch at all. So that the loop lives all the same (commands, timers,
snapshots), workers share slices of time: when one is spent, all of them stand back until the loop has gone round once.

There is no await between taking an outcome and carrying out what the machine says about it, so nothing here needs a lock.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
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
    leave_scopes,
    nurseries,
    scope_state,
    stray_cancels,
)
from dagtop.backends.thread import ThreadBackend
from dagtop.core import inputs as inp
from dagtop.core.failure import Failure
from dagtop.core.instructions import (
    Consult,
    Instruction,
    RunTeardown,
    SetUp,
    StartAttempt,
    StopAttempt,
    StopReason,
    WindDown,
)
from dagtop.core.machine import RunMachine
from dagtop.errors import NOT_AWAITED, Skip
from dagtop.runtime.calls import Calls
from dagtop.runtime.chores import interruptible, stage
from dagtop.runtime.cpu import ThreadPlace
from dagtop.runtime.evidence import given_to
from dagtop.runtime.failures import failure_of, may_be_retried, place_of, wish_of
from dagtop.runtime.families import is_of
from dagtop.runtime.inbox import Alarm
from dagtop.runtime.reports import Reports

if TYPE_CHECKING:
    from dagtop.runtime.aside import Aside

#: Longest time that workers go on without letting the loop go round, in seconds. The bar is a gap of 20 ms.
SLICE = 0.005

_Ended = tuple[Any, BaseException | None]


class Workers:
    """The pool of one run. `begin` comes first, on the loop; everything here belongs to the loop's thread."""

    def __init__(self, machine: RunMachine, calls: Calls, reports: Reports, alarm: Alarm) -> None:
        self.machine = machine
        self.calls = calls
        self.reports = reports
        self.running: dict[int, Attempt] = {}
        """By task: attempts that are suspended or in a thread."""
        self.threads_left = 0
        """Threads of attempts that were abandoned: they may still run, and keep the process from ending."""
        self.closing = False
        """Set when the run has ended: workers go home."""
        self.on_asyncio = True
        self.group: TaskGroup
        self.aside: Aside
        """Carries out what is no attempt; set before `begin`."""
        self._alarm = alarm
        self._starts: deque[StartAttempt] = deque()
        self._coming = 0
        self._parked: list[anyio.Event] = []
        self._slice_spent = False
        self._slice_end = 0.0
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

    def send_home(self) -> None:
        """The run has ended: every worker that waits ends."""
        self.closing = True
        self.aside.send_home()
        for parked in self._parked:
            parked.set()

    def ring(self) -> None:
        """Wake the engine: something is to be looked at."""
        self._alarm.ring()

    def obey(self, instructions: list[Instruction]) -> None:
        """Carry instructions out."""
        not_running: set[tuple[int, int]] = set()
        for instruction in instructions:
            if type(instruction) is StartAttempt:
                self._starts.append(instruction)
                continue
            if isinstance(instruction, (Consult, RunTeardown, SetUp, WindDown)):
                self.aside.obey(instruction)
                continue
            attempt = self.running.get(instruction.index)
            if attempt is None or attempt.number != instruction.attempt:
                not_running.add((instruction.index, instruction.attempt))
            elif type(instruction) is StopAttempt:
                attempt.stop()
            else:
                self.threads_left += attempt.in_thread
                del self.running[attempt.index]
                attempt.abandon()
                self.calls.ended(attempt.index)
        if not_running:
            self._withdraw(not_running)
        self._call_help()
        self._alarm.ring()

    def _withdraw(self, told: set[tuple[int, int]]) -> None:
        """Attempts that are stopped before a worker took them up never begin. The others end this very moment by themselves."""
        withdrawn = [start for start in self._starts if (start.index, start.attempt) in told]
        if withdrawn:
            left = [start for start in self._starts if (start.index, start.attempt) not in told]
            self._starts.clear()
            self._starts.extend(left)
        for start in withdrawn:
            self.obey(self.machine.handle(inp.AttemptStopped(self.now(), start.index, start.attempt)))

    # -- the pool ---------------------------------------------------------------------------------------------------

    def _call_help(self) -> None:
        """See to it that somebody takes what is ready: up to two at a time, and those call further ones."""
        while self._coming < 2 and self._coming < len(self._starts):
            self._coming += 1
            if self._parked:
                self._parked.pop().set()
            else:
                self.group.start_soon(self._work, name="dagtop:worker")

    async def _work(self) -> None:  # noqa: PLR0915 - see the comment below
        starts, machine, clock, epoch = self._starts, self.machine, self._clock, self._epoch
        quick = self.on_asyncio
        scopes = scope_state()
        home = scopes.cancel_scope
        # One function, long on purpose: this is what every task goes through, and a call costs as much as a step of it.
        calls, reports, handle, alarm = self.calls, self.reports, machine.handle, self._alarm
        sinks, contexts, is_async = calls.sinks, calls.contexts, calls.is_async
        stray = stray_cancels()
        self._coming -= 1
        while True:
            if not starts:
                if self.closing:
                    return
                called = await self._wait_to_be_called()
                if self.closing:
                    return
                self._coming -= called
                continue
            if self._slice_spent:
                await self._let_the_loop_go_round()
                continue
            start = starts.popleft()
            if starts and self._coming < 2:
                self._call_help()
            index = start.index
            if quick and is_async[index]:
                context = self._context.copy()
                try:
                    coroutine = calls.coroutine(index, start.attempt, context)
                    waiting = context.run(coroutine.send, None)
                except StopIteration as stop:
                    output, error = stop.value, None
                except BaseException as raised:  # noqa: BLE001 - the user's: it becomes an outcome (STYLE 12)
                    output, error = None, raised
                else:
                    ended = await self._go_on(start, context, coroutine, waiting)
                    if ended is None:
                        await leave_scopes(scopes, home)
                        continue
                    output, error = ended
                if scopes.cancel_scope is not home:
                    await leave_scopes(scopes, home)
                    error = RuntimeError(LEFT_OPEN) if error is None else error
            else:
                ended = await (self._in_scope(start) if is_async[index] else self._in_thread(start))
                if ended is None:
                    continue
                output, error = ended
            moment = clock()
            now = moment - epoch
            if error is None and (output is not None or sinks or contexts or calls.caching is not None):
                # else there is nothing to keep and nothing to close: the call is saved
                error = calls.returned(index, start.attempt, output)
            if error is None:
                if reports.lines:
                    reports.drain(machine, now)
                outcome: inp.Input = inp.AttemptSucceeded(now, index, start.attempt)
            else:
                outcome = self._raised(start, error, now)
            for instruction in handle(outcome):
                if type(instruction) is StartAttempt:
                    starts.append(instruction)
                else:
                    self.obey([instruction])
            if not alarm.rung:
                alarm.ring()
            if stray():
                await AsyncioInterrupt().settle()
            if moment >= self._slice_end:
                await self._stand_back()

    async def _stand_back(self) -> None:
        """Let the loop go round once; whoever comes to work meanwhile stands back too."""
        if self._slice_spent:
            await self._let_the_loop_go_round()
            return
        self._slice_spent = True
        try:
            await self._let_the_loop_go_round()
        finally:
            self._slice_spent = False
            self._slice_end = self._clock() + SLICE

    @property
    def is_breaking_down(self) -> bool:
        """Whether a worker has crashed: then its group cancels all of them, and each must let itself be ended."""
        return self.group.cancel_scope.cancel_called

    async def _let_the_loop_go_round(self) -> None:
        try:
            await anyio.lowlevel.checkpoint()
        except anyio.get_cancelled_exc_class():
            await self._shake_off()

    async def _wait_to_be_called(self) -> bool:
        """Wait for `_call_help`, or the end. False: something else woke it."""
        parked = anyio.Event()
        self._parked.append(parked)
        try:
            await parked.wait()
        except anyio.get_cancelled_exc_class():
            if not parked.is_set():
                self._parked.remove(parked)
            await self._shake_off()
        return parked.is_set()

    async def _shake_off(self) -> None:
        """Called where a worker was cancelled between two attempts.

        On asyncio a task may have kept `asyncio.current_task()`, which is the worker's, and have it cancelled when it is long
        over. That is meant for nobody here, and must not end the worker.
        """
        if not self.on_asyncio or self.is_breaking_down:
            raise  # noqa: PLE0704 - the cancellation that is being handled by the caller
        await AsyncioInterrupt().settle()

    async def _go_on(
        self, start: StartAttempt, context: Context, coroutine: Coroutine[Any, Any, Any], waiting: Any
    ) -> _Ended | None:
        """The rest of an async attempt that has suspended, on asyncio. None: nobody waits for it any more."""
        attempt = Attempt(start.index, start.attempt, AsyncioInterrupt(), self.calls.contexts.get(start.index))
        return await self._to_its_end(attempt, context, coroutine, waiting)

    async def _in_scope(self, start: StartAttempt) -> _Ended | None:
        """A whole async attempt on trio, where an interrupt needs a scope that is there from the beginning."""
        context = self._context.copy()
        scope = anyio.CancelScope()
        groups = len(nurseries())
        ended: _Ended | None = None
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
    ) -> _Ended | None:
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

    async def _surrounded(self, start: StartAttempt) -> _Ended | None:
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
            error = RuntimeError(LEFT_OPEN) if error is None else error
        if self.is_breaking_down and error is not None and is_of(error, anyio.get_cancelled_exc_class()):
            raise error  # another worker has crashed: there is no machine to tell
        if self.running.get(index) is attempt:
            del self.running[index]
        return await self._settled(attempt, output, error)

    async def _in_thread(self, start: StartAttempt) -> _Ended | None:
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

    async def _settled(self, attempt: Attempt, output: Any, error: BaseException | None) -> _Ended | None:
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
