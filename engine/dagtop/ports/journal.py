"""Where runs are kept, so that they outlive the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from dagtop.core.events import AnyEvent
from dagtop.ports.recorder import Recorder


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run before it begins."""

    run: str
    """The run's id."""
    graph: str
    source: str
    """Absolute path of the graph file, with ":NAME" if one was given; "" if the graph was made in Python."""
    started_at: float
    """Wall clock, seconds since 1970 UTC."""
    pid: int
    names: tuple[str, ...]
    upstream: tuple[tuple[int, ...], ...]
    fingerprints: tuple[str, ...]
    """By task: a hash of its code and of the options that change what it does."""
    parameters: Mapping[str, Any] = {}
    """What `-p NAME=VALUE` and `inputs=` gave, so that a resumed run gets the same."""
    options: Mapping[str, Any] = {}
    """Command line options that a resumed run needs again."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of runs."""

    run: str
    graph: str
    source: str
    started_at: float
    state: str
    """A `RunState` value; "crashed" if the run never ended and its process is gone."""
    finished_at: float | None = None
    counts: Mapping[str, int] = {}
    tasks: int = 0


class StoredRun(Protocol):
    """A run read back."""

    record: RunRecord

    def events(self) -> Iterator[AnyEvent]:
        """Every event that was committed, in order."""
        ...

    def output(self, task: str) -> Any:
        """The stored output of the task's last success.

        Raises
        ------
        KeyError: none is stored.
        """
        ...

    def has_output(self, task: str) -> bool:
        """Whether an output is stored; a success that returned None counts as stored."""
        ...


class JournalWriter(Recorder, Protocol):
    """Takes one run. Called on the engine's thread; writes on its own, in batches, in order."""

    def output(self, task: str, attempt: int, value: Any) -> None:
        """Store what a task returned. Call it before recording the task's success: both are committed together.

        The value is taken as it is at this moment. Never raises: a value that cannot be stored is told to
        `on_problem`, and on resume the task runs again.
        """
        ...

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left and stop. False if that took too long or could not be done."""
        ...


class Journal(Protocol):
    """A place where runs are kept."""

    def begin(self, record: RunRecord, on_problem: Callable[[str, str], None]) -> JournalWriter:
        """Start keeping a new run. `on_problem(task, message)` may be called from any thread."""
        ...

    def resume(self, run: str, first: int, on_problem: Callable[[str, str], None]) -> JournalWriter:
        """Go on with a stored run; its next event has number `first`."""
        ...

    def load(self, run: str) -> StoredRun:
        """Read a run back. `run` is an id, the beginning of one, or "last"."""
        ...

    def runs(self) -> Sequence[RunSummary]:
        """All runs, latest first."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
