"""The worker coroutines that carry out what the machine says: attempts are started, stopped, and answered for.

Attempts run on a pool of workers that grows as long as something is ready and nobody is free. A worker steps an async
task itself; one that never suspends costs no switch at all. So that the loop lives all the same (commands, timers,
snapshots), workers share slices of time: when one is spent, all of them stand back until the loop has gone round once.

There is no await between taking an outcome and carrying out what the machine says about it, so nothing here needs a lock.
"""

from __future__ import annotations

from collections import deque

import anyio
import anyio.lowlevel

from dagtop.backends.event_loop import (
    LEFT_OPEN,
    AsyncioInterrupt,
    leave_scopes,
    scope_state,
    stray_cancels,
)
from dagtop.core import inputs as inp
from dagtop.core.instructions import (
    Consult,
    Instruction,
    RunProbe,
    RunTeardown,
    SetUp,
    StartAttempt,
    StopAttempt,
    WindDown,
)
from dagtop.core.machine import RunMachine
from dagtop.runtime.attempts import Attempts
from dagtop.runtime.calls import Calls
from dagtop.runtime.inbox import Alarm
from dagtop.runtime.reports import Reports

#: Longest time that workers go on without letting the loop go round, in seconds. The bar is a gap of 20 ms.
SLICE = 0.005


class Workers(Attempts):
    """The pool of one run. `begin` comes first, on the loop; everything here belongs to the loop's thread."""

    def __init__(self, machine: RunMachine, calls: Calls, reports: Reports, alarm: Alarm) -> None:
        super().__init__(machine, calls, reports)
        self.closing = False
        """Set when the run has ended: workers go home."""
        self._alarm = alarm
        self._starts: deque[StartAttempt] = deque()
        self._coming = 0
        self._parked: list[anyio.Event] = []
        self._slice_spent = False
        self._slice_end = 0.0

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
            if isinstance(instruction, (Consult, RunProbe, RunTeardown, SetUp, WindDown)):
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

    async def _let_the_loop_go_round(self) -> None:
        self._coming += 1  # or others would be called in its place, two more each time
        try:
            await anyio.lowlevel.checkpoint()
        except anyio.get_cancelled_exc_class():
            await self._shake_off()
        finally:
            self._coming -= 1

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
