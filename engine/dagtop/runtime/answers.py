"""The answers to a command for many tasks, as one."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.commands import BlastRadius, Command
from dagtop.core.plan import Plan
from dagtop.core.together import summary_of_all
from dagtop.errors import CommandRefused
from dagtop.runtime.answer import Answer


class Answers(Answer):
    """Refused if it was refused for every one of them; what makes no sense for some is left out for these."""

    def __init__(self, command: Command, each: Sequence[tuple[Answer, BlastRadius | None]], plan: Plan) -> None:
        self.command = command
        self.each = tuple(answer for answer, _ in each)
        """The answer for each task."""
        self._wanted = tuple(wanted for _, wanted in each)
        self._plan = plan

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
        if not self.applied:
            return ""
        found = [
            (str(getattr(answer.command, "task", "")), wanted or BlastRadius(summary=answer.effect))
            for answer, wanted in zip(self.each, self._wanted, strict=True)
            if answer.applied
        ]
        return summary_of_all(self._plan, self.command, found)

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
