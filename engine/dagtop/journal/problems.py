"""What a journal tells about itself: each kind of trouble once, however often it happens."""

from __future__ import annotations

from contextlib import suppress

from dagtop.core.events import NOT_KEPT
from dagtop.journal.codec import Encoded
from dagtop.ports.journal import OnProblem


class Problems:
    """Tells and counts. Used by the engine's thread and the writer's; a kind told twice in a race does no harm."""

    def __init__(self, on_problem: OnProblem) -> None:
        self._on_problem = on_problem
        self._told: set[tuple[str, str]] = set()
        self.count = 0

    def tell(self, kind: str, message: str, task: str = "") -> None:
        """Pass the message on, unless this kind was told of this task before."""
        if (kind, task) in self._told:
            return
        self._told.add((kind, task))
        self.count += 1
        with suppress(Exception):  # the journal has nobody else to tell, and must go on
            self._on_problem(task, message)

    def tell_unstorable(self, task: str, output: Encoded) -> None:
        """Say that a task's output is not kept, and what follows from it."""
        self.tell("unstorable", f"{NOT_KEPT}{output.reason}; it is not kept, and on resume the task runs again", task)
