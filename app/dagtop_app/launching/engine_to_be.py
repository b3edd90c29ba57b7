"""An engine that is made when there is something to see: importing what carries out a run takes a tenth of start-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dagtop.core.snapshot import EMPTY

if TYPE_CHECKING:
    from dagtop.core.commands import Command
    from dagtop.core.forecast import Usual
    from dagtop.core.snapshot import RunSnapshot
    from dagtop.observe.story import Story
    from dagtop.runtime.executor import DAGExecutor
    from dagtop.runtime.thread import EngineThread

    from dagtop_app.logs.store import DeepLogs


class EngineToBe:
    """Stands for an `EngineThread`, which it makes as soon as one is needed: at the latest when it is started.

    Parameters
    ----------
    make: the executor of the run, and the engine in its thread, not started.
    story, logs: those of the engine, for whoever draws before there is one.
    """

    def __init__(self, make: Callable[[], tuple[DAGExecutor, EngineThread]], *, story: Story, logs: DeepLogs) -> None:
        self._make = make
        self._made: tuple[DAGExecutor, EngineThread] | None = None
        self._error: BaseException | None = None
        self.story = story
        self.logs = logs

    def made(self) -> tuple[DAGExecutor, EngineThread]:
        """The executor and the engine, made if they have not been."""
        if self._made is None:
            self._made = self._make()
        return self._made

    @property
    def executor(self) -> DAGExecutor:
        """What carries out the run."""
        return self.made()[0]

    def prepare(self) -> None:
        """Make it. What cannot be made is told as what broke the engine down."""
        try:
            self.made()
        except Exception as error:  # noqa: BLE001 - the console shows it
            self._error = error

    def start(self) -> None:
        """Begin the run."""
        if self._made is None:
            self.prepare()
        if self._made is not None:
            self._made[1].start()

    def send(self, command: Command, *, by: str) -> int:
        """Hand in a command."""
        return self.made()[1].send(command, by=by)

    def where(self, task: str) -> str:
        """Where a task is now."""
        return self.made()[1].where(task)

    def returned(self, task: str) -> str:
        """What a task that has succeeded returned, in words."""
        return self._made[1].returned(task) if self._made is not None else ""

    def close(self) -> None:
        """Do not stay open any longer than the run goes on."""
        if self._made is not None:
            self._made[1].close()

    def expect_more(self, more: bool) -> None:
        """Say whether some of it is to start over by itself."""
        self.made()[1].expect_more(more)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end. True if it has come."""
        return self._made is not None and self._made[1].join(timeout)

    @property
    def latest(self) -> RunSnapshot:
        """The run as it was a moment ago."""
        return EMPTY if self._made is None else self._made[1].latest

    @property
    def usual(self) -> Mapping[int, Usual]:
        """How long tasks took in earlier runs."""
        return {} if self._made is None else self._made[1].usual

    @property
    def result(self) -> Any:
        """Set when the run has ended."""
        return None if self._made is None else self._made[1].result

    @property
    def error(self) -> BaseException | None:
        """What ended the engine other than the end of the run."""
        return self._error if self._made is None else self._made[1].error
