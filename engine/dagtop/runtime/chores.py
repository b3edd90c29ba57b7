"""User code beside the attempts: conditions, setups and teardowns of graphs, teardowns of tasks, the lives of services.

Each chore has a loop task of its own, in which its coroutine is driven as that of an attempt is: it can be interrupted, and
let go of where it does not end.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, copy_context
from types import CoroutineType
from typing import Any, TypeAlias

import anyio
import sniffio
from anyio.abc import TaskGroup

from dagtop.backends.event_loop import (
    LEFT_OPEN,
    Abandoned,
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
from dagtop.errors import NOT_AWAITED
from dagtop.runtime.cpu import ThreadPlace

#: How many threads conditions may have at once, and teardowns as many.
PLACES = 32

Ended: TypeAlias = tuple[Any, BaseException | None]
"""(what it returned, what it raised)."""


def interruptible() -> tuple[Interrupt, AbstractContextManager[Any]]:
    """How the loop task that calls this is interrupted, and what it must enter for that."""
    if sniffio.current_async_library() == "trio":
        scope = anyio.CancelScope()
        return ScopeInterrupt(scope), scope
    return AsyncioInterrupt(), nullcontext()


async def stage(
    attempt: Attempt, context: Context, call: Callable[[], Any], threads: ThreadBackend, *, is_async: bool
) -> Ended:
    """One piece of user code, in the calling loop task or in a thread; stages of one context see each other's variables.

    A thread is left behind only by an attempt that is abandoned.
    """
    if is_async:
        return await _on_loop(attempt, context, call)
    output: Any = None
    error: BaseException | None = None

    def told_where() -> Any:
        attempt.thread = ThreadPlace()
        return call()

    attempt.in_thread = attempt.errand is None
    try:
        output, error = await threads.run(context, told_where)
    except BaseException as raised:  # noqa: BLE001 - it was let go of, or something strange has cancelled its loop task
        return None, raised
    attempt.in_thread = False
    if error is None and type(output) is CoroutineType:
        output.close()
        output, error = None, TypeError(NOT_AWAITED)
    return output, error


async def _on_loop(attempt: Attempt, context: Context, call: Callable[[], Any]) -> Ended:
    scopes = scope_state()
    home, groups = scopes.cancel_scope, len(nurseries())
    output: Any = None
    error: BaseException | None = None
    try:
        coroutine = context.run(call)
        attempt.coroutine = coroutine
        waiting = context.run(coroutine.send, None)
    except StopIteration as stop:
        output = stop.value
    except BaseException as raised:  # noqa: BLE001 - the user's: it becomes an outcome
        error = raised
    else:
        try:
            output = await drive(attempt, context, coroutine, waiting)
        except BaseException as raised:  # noqa: BLE001 - as above
            error = raised
    left_open = await leave_nurseries(groups)
    if left_open or scopes.cancel_scope is not home:
        await leave_scopes(scopes, home)
        error = RuntimeError(LEFT_OPEN) if error is None else error
    return output, error


class Chore:
    """A chore in progress."""

    __slots__ = ("abandoned", "attempt", "bounded_from", "name", "stopped")

    def __init__(self, name: str) -> None:
        self.name = name
        self.attempt: Attempt | None = None
        """Set when it begins."""
        self.bounded_from: float | None = None
        """Since when it may keep a run that is cancelled no longer than the grace allows; None for one that never does."""
        self.stopped = False
        self.abandoned = False

    def stop(self) -> None:
        """Interrupt it where it waits; what runs in a thread goes on."""
        self.stopped = True
        if self.attempt is not None:
            self.attempt.stop_told = False
            self.attempt.stop()


Work: TypeAlias = Callable[[Chore], Awaitable[None]]


class Chores:
    """The chores of one run. Belongs to the loop's thread.

    Parameters
    ----------
    grace: how long a run that is cancelled waits for those that are bounded, in seconds.
    ring: wakes the engine, which then calls `look`.
    """

    def __init__(self, grace: float, ring: Callable[[], None]) -> None:
        self.grace = grace
        self.rooms = [Room(PLACES, ring), Room(PLACES, ring)]
        """Where conditions, and teardowns, wait for a thread."""
        self._ring = ring
        self.threads_left = 0
        """Threads of chores that were abandoned; they may still run."""
        self.threads: ThreadBackend
        self._group: TaskGroup
        self._context = Context()
        self._running: set[Chore] = set()
        self._cancelled_at: float | None = None

    def begin(self, group: TaskGroup, threads: ThreadBackend) -> None:
        """Take the loop that is running."""
        self._group, self.threads = group, threads
        self._context = copy_context()

    def context(self) -> Context:
        """A context as at the beginning of the run."""
        return self._context.copy()

    def start(self, name: str, work: Work, *, bounded_from: float | None = None) -> Chore:
        """Begin a chore: `work` is ours, and calls the user's code with `call`."""
        chore = Chore(name)
        chore.bounded_from = bounded_from
        self._running.add(chore)
        self._context.copy().run(self._start_soon, chore, work)
        return chore

    def _start_soon(self, chore: Chore, work: Work) -> None:
        self._group.start_soon(self._carry_out, chore, work, name=f"dagtop:{chore.name}")

    @property
    def are_there(self) -> bool:
        """Whether any is in progress."""
        return bool(self._running)

    def is_ending(self, chore: Chore) -> bool:
        """Whether a cancellation that comes up in it is its own; else it is of something that the user's code awaited."""
        return chore.abandoned or chore.stopped or self._group.cancel_scope.cancel_called

    async def call(
        self, chore: Chore, context: Context, fn: Callable[[], Any], *, is_async: bool, room: Room | None = None
    ) -> Ended:
        """Call the user's code, in a thread when there is room; a chore that was stopped or abandoned does not come to it."""
        attempt = chore.attempt
        assert attempt is not None, "a chore that calls has begun"
        try:
            place = None if room is None else await room.enter()
        except BaseException as raised:
            if self._group.cancel_scope.cancel_called:
                raise
            return None, Abandoned() if chore.abandoned else raised
        try:
            if chore.abandoned or chore.stopped:
                return None, Abandoned()
            output, error = await stage(attempt, context, fn, self.threads, is_async=is_async)
        finally:
            if room is not None and place is not None:
                room.leave(place)
        if attempt.abandoned:
            return None, Abandoned()
        if attempt.stop_told or (is_async and stray_cancels()()):
            await attempt.handle.settle()
        return output, error

    def bound(self, chore: Chore, now: float) -> None:
        """From now on it may keep a cancelled run no longer than the grace allows."""
        chore.bounded_from = now
        self._ring()

    def abandon(self, chore: Chore) -> None:
        """Wait no longer for it."""
        if chore.abandoned:
            return
        chore.abandoned = True
        if chore.attempt is not None:
            self.threads_left += chore.attempt.in_thread
            chore.attempt.abandon()

    def look(self, now: float, *, cancelled: bool) -> float | None:
        """Let go of those that have kept a cancelled run too long; seconds until something may be due again."""
        waits = [wait for room in self.rooms if (wait := room.look()) is not None]
        if not cancelled:
            self._cancelled_at = None
            return min(waits, default=None)
        if self._cancelled_at is None:
            self._cancelled_at = now
        for chore in list(self._running):
            if chore.bounded_from is None or chore.abandoned:
                continue
            left = max(chore.bounded_from, self._cancelled_at) + self.grace - now
            if left <= 0:
                self.abandon(chore)
            else:
                waits.append(left)
        return min(waits, default=None)

    def send_home(self) -> None:
        """The run has ended: nobody waits for what is left."""
        for chore in list(self._running):
            self.abandon(chore)

    async def _carry_out(self, chore: Chore, work: Work) -> None:
        handle, scope = interruptible()
        chore.attempt = Attempt(-1, 0, handle)
        chore.attempt.abandoned = chore.abandoned
        try:
            with _forgiving(chore), scope:
                await work(chore)
                if chore.abandoned or chore.stopped:  # perhaps by itself, and nothing was awaited since
                    await handle.settle()
        except anyio.get_cancelled_exc_class():
            # On asyncio it may be the user's own, of something that he awaited; it must not end the group.
            if self._group.cancel_scope.cancel_called or sniffio.current_async_library() == "trio":
                raise
        finally:
            self._running.discard(chore)


@contextlib.contextmanager
def _forgiving(chore: Chore) -> Any:
    """On trio, scopes that the user's code left open make a complaint of those around them."""
    try:
        yield
    except RuntimeError:
        if sniffio.current_async_library() != "trio" or chore.attempt is None or chore.attempt.coroutine is None:
            raise


class Room:
    """Lets so many in at a time; who stays longer than `LONG` does not count any more, so that what hangs keeps nobody out."""

    #: In seconds.
    LONG = 1.0

    def __init__(self, places: int, ring: Callable[[], None]) -> None:
        self._places = places
        self._ring = ring
        self._since: dict[object, float] = {}
        self._waiting: deque[anyio.Event] = deque()

    async def enter(self) -> object:
        """Wait for a place; what comes back is for `leave`."""
        while self._waiting or self._free() <= 0:
            turn = anyio.Event()
            self._waiting.append(turn)
            self._ring()
            try:
                await turn.wait()
            except BaseException:
                if turn.is_set():
                    self._let_in()
                else:
                    self._waiting.remove(turn)
                raise
            if self._free() > 0:
                break
        place = object()
        self._since[place] = anyio.current_time()
        return place

    def leave(self, place: object) -> None:
        """Give the place back."""
        del self._since[place]
        self._let_in()

    def look(self) -> float | None:
        """Let those in for whom there is a place by now; seconds until there may be one."""
        if not self._waiting:
            return None
        self._let_in()
        now = anyio.current_time()
        waits = [since + self.LONG - now for since in self._since.values() if since + self.LONG > now]
        return min(waits, default=None) if self._waiting else None

    def _free(self) -> int:
        now = anyio.current_time()
        return self._places - sum(now - since < self.LONG for since in self._since.values())

    def _let_in(self) -> None:
        for _ in range(min(self._free(), len(self._waiting))):
            self._waiting.popleft().set()
