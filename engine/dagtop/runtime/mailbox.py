"""Commands from other processes, which come through the run's journal, on their way to its engine."""

from __future__ import annotations

from collections.abc import Callable

from dagtop.core.commands import Command
from dagtop.ports.journal import JournalWriter, Posted


def open_mailbox(writer: JournalWriter, send: Callable[[Command, int, str], None]) -> None:
    """Have commands that are posted to this session of a run handed to its engine.

    They are answered by events, as any, and the journal finds their answers there. What comes when the engine has ended is
    refused by the journal when it is closed.
    """

    def take(posted: Posted) -> None:
        send(posted.command, posted.number, posted.by)

    writer.listen(take)
