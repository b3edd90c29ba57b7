"""The answers to a command for many tasks, as one."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.commands import Command
from dagtop.errors import CommandRefused
from dagtop.runtime.answer import Answer


class Answers(Answer):
    """Refused if it was refused for every one of them; what makes no sense for some is left out for these."""

    def __init__(self, command: Command, each: Sequence[Answer]) -> None:
        self.command = command
        self.each = tuple(each)
        """The answer for each task."""

    @property
    def done(self) -> bool:
        """Whether all have come."""
        return all(answer.done for answer in self.each)

    @property
    def applied(self) -> bool | None:
        """True: carried out for some. False: refused for all. None: not all are answered yet."""
        return any(answer.applied for answer in self.each) if self.done else None

    @property
    def effect(self) -> str:
        """What it did; "" unless it was applied."""
        found = [answer.effect for answer in self.each if answer.applied]
        return "; ".join(found) if self.done else ""

    @property
    def refusal(self) -> str:
        """Why it was refused; "" unless it was."""
        return self.each[0].refusal if self.applied is False else ""

    def __repr__(self) -> str:
        applied = sum(answer.applied is True for answer in self.each)
        return f"Answers({self.command.verb}, {applied} of {len(self.each)} applied)"

    def wait(self, timeout: float | None = None) -> str:
        """Block until all have come, and return what the command did.

        Raises
        ------
        CommandRefused: for all of them, with the first one's reason.
        TimeoutError: one has not come within `timeout` seconds.
        DagtopError: asked in the engine's own thread, which would wait for itself; `await` it there.
        """
        for answer in self.each:
            try:
                answer.wait(timeout)
            except CommandRefused:
                continue
        return self._result()

    async def _heard(self) -> str:
        for answer in self.each:
            try:
                await answer
            except CommandRefused:
                continue
        return self._result()
