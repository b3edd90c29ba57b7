"""Driving a user's coroutine ourselves, step by step: in a context of its own, interruptible once, and abandonable.

Every attempt gets its own `contextvars.Context`, although attempts share worker coroutines: what one task sets, the next
one on the same worker does not see. Cancellation on asyncio is by edge, as asyncio users expect: the task's `finally`
blocks may await undisturbed. On trio it is by level, as trio users expect.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import sniffio

from dagtop.ports.backend import Away

#: How often an abandoned coroutine is interrupted before it is given up.
_PATIENCE = 100

#: Those that were given up.
_UNDYING: list[Coroutine[Any, Any, Any]] = []


class Abandoned(BaseException):
    """The engine no longer waits for this attempt."""


class Attempt:
    """An attempt in progress that can be told to stop."""

    __slots__ = (
        "_flag",
        "abandoned",
        "coroutine",
        "errand",
        "handle",
        "in_thread",
        "index",
        "number",
        "stop_told",
        "thread",
    )

    def __init__(
        self, index: int, number: int, handle: Interrupt, flag: Flag | None = None, *, in_thread: bool = False
    ) -> None:
        self.index = index
        self.number = number
        self.handle = handle
        self.stop_told = False
        self.abandoned = False
        self._flag = flag
        self.in_thread = in_thread
        self.coroutine: Coroutine[Any, Any, Any] | None = None
        """The task's own, if it is async."""
        self.thread: Any = None
        """Where it runs, if it is in a thread."""
        self.errand: Away | None = None
        """What it is in another process, if it is: that is told in its stead."""

    def stop(self) -> None:
        """Raise its flag, and interrupt it where it waits; a thread cannot be interrupted and must look at its flag."""
        if self.stop_told:
            return
        self.stop_told = True
        if self._flag is not None:
            self._flag.cancel()
        if self.errand is not None:
            self.errand.cancel()
        elif not self.in_thread:
            self.handle.interrupt()

    def abandon(self) -> None:
        """Let go of it where it waits."""
        self.abandoned = True
        if self.errand is not None:
            self.errand.abandon()
        self.handle.interrupt()


class Flag(Protocol):
    """Something the task can look at."""

    def cancel(self) -> None:
        """Show that the attempt was told to stop."""
        ...


class Interrupt(Protocol):
    """How what the current worker waits for is interrupted."""

    def interrupt(self) -> None:
        """Raise the loop's cancellation where the worker waits now."""
        ...

    async def settle(self) -> None:
        """Leave no trace of an interrupt behind, so that the worker can go on."""
        ...


class AsyncioInterrupt:
    """By cancelling the worker's asyncio task, once each time."""

    __slots__ = ("_task",)

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 - see the module docstring: this is where asyncio's edge is needed

        task = asyncio.current_task()
        assert task is not None, "a worker runs in a task"
        self._task = task

    def interrupt(self) -> None:
        self._task.cancel("dagtop stops this attempt")

    async def settle(self) -> None:
        if self._task.cancelling():
            while self._task.uncancel():
                pass
            try:
                await anyio.lowlevel.checkpoint()
            except anyio.get_cancelled_exc_class():
                while self._task.cancelling():
                    self._task.uncancel()


def stray_cancels() -> Callable[[], int]:
    """Counts the cancellations of the calling worker that nobody has taken back: a task that cancels `asyncio.current_task()`
    and ends before it awaits leaves one behind. On trio there is no such thing."""
    if sniffio.current_async_library() == "trio":
        return int
    import asyncio  # noqa: PLC0415 - see the module docstring

    task = asyncio.current_task()
    assert task is not None, "a worker runs in a task"
    return task.cancelling


class ScopeInterrupt:
    """By cancelling a scope that was entered before the attempt began."""

    __slots__ = ("scope",)

    def __init__(self, scope: anyio.CancelScope) -> None:
        self.scope = scope

    def interrupt(self) -> None:
        self.scope.cancel()

    async def settle(self) -> None:
        """The scope goes with the attempt."""


class _Unknown:
    """In place of anyio's own state, where it cannot be found."""

    cancel_scope: Any = None


def scope_state() -> Any:
    """What holds the innermost cancel scope of this asyncio task as `.cancel_scope`.

    anyio does not give it away, and its place may change: then attempts that leave scopes open go unnoticed, as before.
    """
    try:
        import asyncio  # noqa: PLC0415 - see the module docstring

        from anyio._backends._asyncio import _task_states  # noqa: PLC0415 - asyncio only

        task = asyncio.current_task()
        return _Unknown if task is None else _task_states[task]
    except (ImportError, KeyError, TypeError, RuntimeError):  # RuntimeError: on trio
        return _Unknown


async def leave_scopes(state: Any, home: Any) -> None:
    """Leave the scopes that an attempt entered on its worker's asyncio task and did not leave; what runs in them ends.

    Otherwise they would cancel whatever comes next on this worker, and the worker itself could not end.
    """
    if state.cancel_scope is home:
        return
    while (scope := state.cancel_scope) is not None and scope is not home:
        scope.cancel()
        scope.__exit__(None, None, None)
    await AsyncioInterrupt().settle()


def nurseries() -> list[Any]:
    """The task groups that the calling trio task is in; on asyncio none, where `leave_scopes` sees to them."""
    if sniffio.current_async_library() != "trio":
        return []
    import trio  # noqa: PLC0415 - an extra

    return trio.lowlevel.current_task().child_nurseries


async def leave_nurseries(count: int) -> bool:
    """Leave the task groups that user code entered on this trio task and did not leave; what runs in them ends. False: none.

    Otherwise trio would end the task, and everything with it. The way out is not public: without it that is what happens.
    """
    there = nurseries()
    if len(there) <= count:
        return False
    while len(there) > count:
        nursery = there[-1]
        leave = getattr(nursery, "_nested_child_finished", None)
        if leave is None:
            break
        nursery.cancel_scope.cancel()
        await leave(None)
    return True


#: Said of an attempt that ends inside a scope of its own.
LEFT_OPEN = "the task ended inside a task group or cancel scope that it had entered and not left; use `with` for it"


@types.coroutine
def drive(
    attempt: Attempt, context: Context, coroutine: Coroutine[Any, Any, Any], waiting: Any
) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that has made its first step and now waits for `waiting`.

    Raises
    ------
    Abandoned: the engine no longer waits; the coroutine is left where it is, closed as far as it lets itself be closed.
    """
    send, throw, run = coroutine.send, coroutine.throw, context.run
    try:
        while True:
            try:
                sent = yield waiting
            except BaseException as error:  # noqa: BLE001 - whatever the loop throws is the coroutine's to handle
                if attempt.abandoned:
                    _let_go(context, coroutine)
                    raise Abandoned from None
                waiting = run(throw, error)
            else:
                if attempt.abandoned:
                    _let_go(context, coroutine)
                    raise Abandoned
                waiting = run(send, sent)
    except StopIteration as stop:
        return stop.value


def _let_go(context: Context, coroutine: Coroutine[Any, Any, Any]) -> None:
    """Unwind a coroutine here and now, so that its scopes are left in the task that entered them.

    One that awaits in its clean-up is interrupted there too, again and again. One that never gives in is kept for good: to let it
    be collected would only run it once more, somewhere else.
    """
    for _ in range(_PATIENCE):
        try:
            # close() would do, but up to Python 3.12 it leaves an async generator that is awaited in where it is.
            context.run(coroutine.throw, Abandoned())
        except BaseException:  # noqa: BLE001 - what it raises at its very end is nobody's any more
            return
    _UNDYING.append(coroutine)
