"""The engine in a thread of its own: neither a task that blocks the loop nor a terminal that stalls freezes the other side."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import anyio
from msgspec import structs

from dagtop.core.commands import Command
from dagtop.core.events import AnyEvent, CommandApplied, CommandRefused
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot
from dagtop.errors import DagtopError
from dagtop.observe.logs import LogBook
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.publisher import ANSWERS, PROBLEMS, Publisher, SnapshotBox
from dagtop.runtime.result import RunResult

if TYPE_CHECKING:
    from dagtop.observe.story import Story

Answered: TypeAlias = CommandApplied | CommandRefused


class EngineThread:
    """Runs one `DAGExecutor` in a thread; commands go down, snapshots come up, and nothing else crosses.

    Parameters
    ----------
    executor: what to run.
    hold_open: stay when the run is over, for commands that may give it something to do again, until `close`.
    loop: "asyncio" or "trio".
    story: takes every event too, for whoever draws; it has to be caught up with, or it grows.
    """

    def __init__(
        self,
        executor: DAGExecutor,
        *,
        hold_open: bool = False,
        loop: str = "asyncio",
        story: Story | None = None,
        logs: LogBook | None = None,
    ) -> None:
        self._executor = executor
        self._loop = loop
        self._box = SnapshotBox()
        self._numbers = itertools.count(1)
        self._border = threading.RLock()
        """Held for a moment where a command is handed in or refused, so that each of them is answered by somebody."""
        self._over = False
        self._asked: dict[int, tuple[Command, str, Callable[[Answered], None]]] = {}
        """By number of a command: it, who gave it, and who waits for the answer."""
        self.at_end: list[Callable[[], None]] = []
        """Called on the engine's thread when all is over."""
        self.logs = LogBook() if logs is None else logs
        """The latest lines of every task; safe to read from any thread."""
        self._engine = executor.prepare()
        self._engine.publisher = Publisher(self._box)
        self._engine.hold_open = hold_open
        self.story = story
        """What has happened so far, if somebody wants to know."""
        self._engine.add_recorders([self.logs, self, *((story,) if story is not None else ())])
        self._thread = threading.Thread(target=self._run, name="dagtop:engine", daemon=True)
        self.result: RunResult | None = None
        """Set when the run has ended."""
        self.error: BaseException | None = None
        """What ended the engine other than the end of the run: a bug."""

    @property
    def latest(self) -> RunSnapshot:
        """The run as it was at most some 50 ms ago."""
        return self._box.latest

    def start(self) -> None:
        """Begin the run. What it declares of breakers counts from here on: the first of several runs decides."""
        self._engine.breakers.claim()
        try:
            self._thread.start()
        except BaseException:
            self._engine.breakers.let_go()
            raise

    @property
    def usual(self) -> Mapping[int, Usual]:
        """How long tasks took in earlier runs, by index; empty until the run has begun, and where no journal tells."""
        return self._engine.job.usual

    @property
    def is_this_thread(self) -> bool:
        """Whether who asks runs in the engine's thread, and would wait for itself."""
        return threading.get_ident() == self._thread.ident

    def send(self, command: Command, *, by: str, answered: Callable[[Answered], None] | None = None) -> int:
        """Hand in a command and return at once; the number appears in the event that answers it.

        `answered` is called with that event, on the engine's thread. Once the thread has ended a command is refused, which
        `latest.answers` shows.
        """
        return self.send_all([(command, answered)], by=by)[0]

    def send_all(
        self, commands: Sequence[tuple[Command, Callable[[Answered], None] | None]], *, by: str
    ) -> tuple[int, ...]:
        """Hand in commands of which nothing happens between one and the next, each with who hears its answer, as `send` does."""
        with self._border:
            given = [(command, next(self._numbers)) for command, _ in commands]
            for (command, number), (_, answered) in zip(given, commands, strict=True):
                if answered is not None:
                    self._asked[number] = command, by, answered
            self._engine.send_all(given, by)
            if self._over:
                self._refuse_the_rest()
        return tuple(number for _, number in given)

    def where(self, task: str) -> str:
        """Where a task is now: its stack, innermost last, or a sentence that says why there is none."""
        return self._engine.where(task)

    def returned(self, task: str) -> str:
        """What a task that has succeeded returned: its type, and shortly its value if that is safe to tell. Else ""."""
        return self._engine.returned(task)

    def close(self) -> None:
        """Do not stay open any longer than the run goes on."""
        self._engine.close()

    def expect_more(self, more: bool) -> None:
        """Say whether some of it is to start over by itself, at due times: until none comes any more, services stay up."""
        self._engine.expect_more(more)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds. True if it has come."""
        if self._thread.ident is None:
            return False
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events: answers go to whoever asked."""
        if self._asked:
            for event in batch:
                if isinstance(event, (CommandApplied, CommandRefused)):
                    self._answer(event)

    def _answer(self, event: Answered) -> None:
        asked = self._asked.pop(event.id, None)
        if asked is not None:
            asked[2](event)

    def _run(self) -> None:
        try:
            self.result = anyio.run(self._executor.run, backend=self._loop)
        except BaseException as error:  # noqa: BLE001 - kept for whoever joins; a thread has nobody to raise to
            self.error = error
        with self._border:
            self._over = True
            self._tell_late_problems()
            reason = "the engine ended before it could answer"
            if self.error is not None:
                broken = self._engine.hiding.text(broken_text(self.error))
                reason = f"the engine broke down: {broken}"
                latest = self._box.latest
                self._box.latest = structs.replace(latest, version=latest.version + 1, broken=broken, blocked=None)
            self._refuse_the_rest()
            for number, (command, by, _) in list(self._asked.items()):  # taken by an engine that broke down over it
                self._answer(CommandRefused(self._box.latest.at, command, number, by, reason))
        for told in self.at_end:
            told()

    def _refuse_the_rest(self) -> None:
        """Answer the commands that came after the end."""
        while (told := self._engine.inbox.take()) is not None:
            command, number, by = told
            latest = self._box.latest
            reason = "the run is over and its engine has ended"
            if latest.broken:
                reason = f"the engine broke down: {latest.broken}"
            refused = CommandRefused(latest.at, command, number, by, reason)
            self._box.latest = structs.replace(
                latest, version=latest.version + 1, answers=(*latest.answers, refused)[-ANSWERS:]
            )
            self._answer(refused)

    def _tell_late_problems(self) -> None:
        latest, late = self._box.latest, self._executor.late_problems
        noticed = any(problem.is_notice for problem in latest.problems)
        late = tuple(problem for problem in late if not (noticed and problem.is_notice))
        if late:
            self._box.latest = structs.replace(
                latest,
                version=latest.version + 1,
                problems=(*latest.problems, *late)[-PROBLEMS:],
                problem_count=latest.problem_count + len(late),
            )

    @property
    def threads_left(self) -> int:
        """Threads of abandoned attempts that may run still: they keep the process from ending until they return."""
        return self._engine.workers.threads_left


def broken_text(error: BaseException) -> str:
    """What an engine broke down over, in one line: of what we say ourselves without the name of its type."""
    said = " ".join(str(error).split())
    return said if isinstance(error, DagtopError) and said else f"{type(error).__name__}: {said}".removesuffix(": ")
