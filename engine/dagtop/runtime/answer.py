"""`Answer`: what becomes of a command that was given from code."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from dagtop.core.commands import Command
from dagtop.core.events import CommandApplied
from dagtop.errors import CommandRefused, DagtopError
from dagtop.runtime.thread import Answered
from dagtop.runtime.waiting import Bell


class Answer:
    """The answer to one command, which may still be on its way: `answer.wait()`, or `await answer`.

    Whoever does not want to know may leave it alone; the command is carried out, and recorded, all the same.
    """

    def __init__(self, command: Command, *, would_wait_for_itself: Callable[[], bool]) -> None:
        self.command = command
        self._would_wait_for_itself = would_wait_for_itself
        self._event: Answered | None = None
        self._bell = Bell()

    def __repr__(self) -> str:
        if self._event is None:
            said = "not answered yet"
        else:
            said = f"applied: {self.effect}" if self.applied else f"refused: {self.refusal}"
        return f"Answer({self.command.verb}, {said})"

    @property
    def done(self) -> bool:
        """Whether it has come."""
        return self._event is not None

    @property
    def applied(self) -> bool | None:
        """True: carried out. False: refused. None: not answered yet."""
        return None if self._event is None else isinstance(self._event, CommandApplied)

    @property
    def effect(self) -> str:
        """What the command did, a sentence; "" unless it was applied."""
        return self._event.effect if isinstance(self._event, CommandApplied) else ""

    @property
    def refusal(self) -> str:
        """Why it was refused; "" unless it was."""
        if self._event is None or isinstance(self._event, CommandApplied):
            return ""
        return self._event.reason

    def wait(self, timeout: float | None = None) -> str:
        """Block until it comes, and return what the command did.

        Raises
        ------
        CommandRefused: with the reason.
        TimeoutError: it has not come within `timeout` seconds.
        DagtopError: asked in the engine's own thread, which would wait for itself; `await` it there.
        """
        if not self.done:
            if self._would_wait_for_itself():
                raise DagtopError("the engine's thread cannot wait for its own answer; await it instead")
            if not self._bell.wait(lambda: self.done, timeout):
                raise TimeoutError(f"no answer to {self.command.verb} within {timeout:g} s")
        return self._result()

    def __await__(self) -> Generator[Any, Any, str]:
        return self._heard().__await__()

    def settle(self, event: Answered) -> None:
        """Told by the engine."""
        self._event = event
        self._bell.ring()

    async def _heard(self) -> str:
        await self._bell.hear(lambda: self.done)
        return self._result()

    def _result(self) -> str:
        if self.applied:
            return self.effect
        raise CommandRefused(self.refusal)
