"""Shared services: opened once, when somebody first needs them, and closed when everything has ended, last opened first.

A service lives in a loop task of its own, or in a thread of its own, from beginning to end: what it enters there (a cancel
scope, a connection that knows its thread) it leaves there.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import InvalidStateError
from contextlib import suppress
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import Any

import anyio

from dagtop.backends.event_loop import Abandoned
from dagtop.core.nearest import nearest
from dagtop.errors import DagtopError
from dagtop.graph.surroundings import Service
from dagtop.runtime.chores import Chore, Chores
from dagtop.runtime.context import Answer
from dagtop.runtime.failures import failure_of, unopened
from dagtop.runtime.families import is_of
from dagtop.runtime.inbox import Doorbell, Inbox


class Life:
    """One opening of a service, until it is closed."""

    def __init__(self, service: Service, told: Callable[[Life], None]) -> None:
        self.service = service
        self._tell_open = told
        self.value: Any = None
        self.is_open = False
        self.error: BaseException | None = None
        """What kept it from opening, or ended it."""
        self.trace: TracebackType | None = None
        """Where that was raised: each time it is raised again it would grow."""
        self.waiting = 0
        """Who waits for it to open."""
        self.closing = False
        self.chore: Chore | None = None
        self.decided = anyio.Event()
        """Set when it is open, or is not going to be."""
        self.over = anyio.Event()
        self._told = anyio.Event()
        self._told_thread = threading.Event()

    def opened(self, value: Any) -> None:
        """It is there. On the loop."""
        if self.over.is_set():  # it was let go of meanwhile
            return
        self.value, self.is_open = value, True
        self.decided.set()
        self._tell_open(self)

    def ended(self, error: BaseException | None) -> None:
        """It is over, whatever it has come to."""
        if error is not None:
            if not self.is_open:
                unopened(error, self.service.name)
            self.error, self.trace = error, BaseException.__dict__["__traceback__"].__get__(error)
        self.is_open, self.value = False, None
        self.decided.set()
        self.over.set()

    def close(self) -> None:
        """Tell it to end."""
        self.closing = True
        self._told.set()
        self._told_thread.set()

    async def live(self, make: Callable[[], Any]) -> None:
        """Its life on the loop. This is driven as user code."""
        made = make()
        kind = type(made)
        if not _is_manager(kind) and inspect.isawaitable(made):
            made = await made
            kind = type(made)
        if hasattr(kind, "__aenter__"):
            async with made as value:
                self.opened(value)
                await self._told.wait()
        elif hasattr(kind, "__enter__"):
            with made as value:
                self.opened(value)
                await self._told.wait()
        else:
            raise _no_manager(self.service, made)

    def live_in_thread(self, make: Callable[[], Any], on_loop: Callable[[Callable[[], None]], None]) -> Any:
        """Its life in a thread. An async context manager is handed back: it wants a loop."""
        made = make()
        kind = type(made)
        if hasattr(kind, "__enter__"):
            with made as value:
                on_loop(partial(self.opened, value))
                self._told_thread.wait()
            return None
        if hasattr(kind, "__aenter__"):
            return made
        raise _no_manager(self.service, made)


def _is_manager(kind: type) -> bool:
    return hasattr(kind, "__aenter__") or hasattr(kind, "__enter__")


def _no_manager(service: Service, made: object) -> TypeError:
    return TypeError(
        f"service {service.name!r} gave an object of type {type(made).__name__}, which is no context manager: "
        "give the value with yield"
    )


class Services:
    """The services of one run. Belongs to the loop's thread, but for `find`.

    Parameters
    ----------
    bind: makes the call of a service from its arguments: (service, values of the services it needs).
    context: a context for the code of services, whose output belongs to no task.
    tell: takes what went wrong where nobody waits for it: (source, message).
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        chores: Chores,
        bind: Callable[[Service, Mapping[str, Any]], Callable[[], Any]],
        context: Callable[[], Context],
        tell: Callable[[str, str], None],
    ) -> None:
        self._services = services
        self._chores = chores
        self._bind = bind
        self._context = context
        self._tell = tell
        self._lives: dict[str, Life] = {}
        self._not_over: list[Life] = []
        """Those that are open last, in the order in which they came to be so."""
        self._calls: Inbox[Callable[[], None]] = Inbox(doorbell := Doorbell(self._take_calls))
        self._doorbell = doorbell
        self._thread = 0
        self._border = threading.Lock()
        self._gone = False

    def begin(self) -> None:
        """Take the loop that is running."""
        self._thread = threading.get_ident()
        self._doorbell.bind()

    # -- for those who need them ------------------------------------------------------------------------------------

    async def open(self, names: Iterable[str]) -> dict[str, Any]:
        """The services of these names, opened where they are not yet.

        Raises
        ------
        BaseException: whatever kept one from opening.
        """
        return {name: await self.get(name) for name in names}

    async def get(self, name: str) -> Any:
        """A service, opened if it is not yet. Opening goes on as long as somebody waits for it.

        Raises
        ------
        BaseException: whatever kept it from opening.
        """
        life = self._lives.get(name)
        if life is None:
            life = self._begin(self._services[name])
        if life.is_open:
            return life.value
        life.waiting += 1
        try:
            await life.decided.wait()
        finally:
            life.waiting -= 1
            if not life.waiting and not life.decided.is_set():
                self._give_up(life)
        if life.error is not None:
            raise life.error.with_traceback(life.trace)
        return life.value

    def find(self, name: str) -> Any:
        """For `ctx.service`: on the loop something to await that gives it; elsewhere the value, or an `Answer`.

        Raises
        ------
        DagtopError: there is no such service, or the run is over.
        BaseException: whatever kept it from opening.
        """
        if name not in self._services:
            hint = nearest(str(name), self._services) if self._services else "; declare it with @graph.service"
            raise DagtopError(f"there is no service {name!r}{hint}")
        if threading.get_ident() == self._thread:
            return self.get(name)
        life = self._lives.get(name)
        if life is not None and life.is_open:
            return life.value
        answer = Answer()
        with self._border:
            if self._gone:
                raise DagtopError(f"service {name!r} is closed: the run is over")
            self._calls.put(partial(self._answer_soon, name, answer))
        return answer

    # -- opening ----------------------------------------------------------------------------------------------------

    def _begin(self, service: Service) -> Life:
        life = self._lives[service.name] = Life(service, self._came_to_be_open)
        self._not_over.append(life)
        life.chore = self._chores.start(f"service:{service.name}", partial(self._live, life))
        return life

    def _came_to_be_open(self, life: Life) -> None:
        self._not_over.remove(life)
        self._not_over.append(life)

    async def _live(self, life: Life, chore: Chore) -> None:
        service, error = life.service, None
        try:
            given = await self.open(service.needs)
            make, context = self._bind(service, given), self._context()
            if service.on_loop:
                _, error = await self._chores.call(chore, context, partial(life.live, make), is_async=True)
            else:
                live = partial(life.live_in_thread, make, self._calls.put)
                made, error = await self._chores.call(chore, context, live, is_async=False)
                if error is None and made is not None:
                    _, error = await self._chores.call(chore, context, partial(life.live, lambda: made), is_async=True)
        except BaseException as raised:  # noqa: BLE001 - of a service that it needs; or nobody waits any more
            error = raised
        finally:
            self._over(life, error)

    def _over(self, life: Life, error: BaseException | None) -> None:
        who = f"service {life.service.name!r}"
        self._not_over.remove(life)
        if self._lives.get(life.service.name) is life:
            del self._lives[life.service.name]
        if not life.is_open and error is None:
            error = RuntimeError(f"{who} ended before it had given a value")
        elif not life.is_open and error is not None and is_of(error, (Abandoned, anyio.get_cancelled_exc_class())):
            # The loop's own exception must not be raised in another loop task than the one it was meant for.
            error = DagtopError(f"{who} was stopped before it was open")
        elif life.is_open and life.closing and error is not None and is_of(error, Abandoned):
            error = TimeoutError(f"it had not closed {self._chores.grace:g} s after the run was cancelled")
        elif life.is_open and not life.closing:
            said = "by itself" if error is None else f"with {_short(error)}"
            self._tell(who, f"it ended {said} before it was closed; it is opened anew where it is needed")
        life.close()  # or a thread that was let go of would wait for ever
        life.ended(error)

    def _give_up(self, life: Life) -> None:
        """Nobody waits for it to open any more. Who comes next opens it anew."""
        if self._lives.get(life.service.name) is life:
            del self._lives[life.service.name]
        if life.chore is not None:
            life.chore.stop()
        life.close()

    # -- from other threads -----------------------------------------------------------------------------------------

    def _take_calls(self) -> None:
        while (call := self._calls.take()) is not None:
            call()

    def _answer_soon(self, name: str, answer: Answer) -> None:
        self._chores.start(f"service-call:{name}", partial(self._answer, name, answer))

    async def _answer(self, name: str, answer: Answer, chore: Chore) -> None:
        value: Any = None
        error: BaseException | None = DagtopError(f"service {name!r} is closed: the run is over")
        try:
            value = await self.get(name)
            error = None
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as raised:  # noqa: BLE001 - the user's: it is raised where the service is wanted
            error = raised
        finally:
            with suppress(InvalidStateError):  # a task that was told to stop waits no longer
                if error is None:
                    answer.set_result(value)
                else:
                    answer.set_exception(error)

    # -- closing ----------------------------------------------------------------------------------------------------

    async def close(self, now: Callable[[], float]) -> list[tuple[str, BaseException]]:
        """Close what is open, last opened first. Gives back what could not be closed."""
        failures: list[tuple[str, BaseException]] = []
        while self._not_over:
            life = next((life for life in self._not_over if not life.is_open), self._not_over[-1])
            was_open, chore = life.is_open, life.chore
            assert chore is not None, "a life that has begun has a chore"
            self._chores.bound(chore, now())
            life.close()
            if not was_open:
                chore.stop()
            await life.over.wait()
            if was_open and life.error is not None:
                failures.append((f"service {life.service.name!r}", life.error))
        return failures

    def send_home(self) -> None:
        """The run has ended: nobody is answered any more."""
        with self._border:
            self._gone = True
        self._take_calls()


def _short(error: BaseException) -> str:
    failure = failure_of(error)
    return f"{failure.error}: {failure.message}"[:500]
