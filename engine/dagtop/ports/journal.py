"""Where runs are kept, so that they outlive the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import msgspec

from dagtop.core.commands import Command
from dagtop.core.events import AnyEvent
from dagtop.core.forecast import Usual
from dagtop.ports.recorder import Recorder

#: Takes (task, message); task is "" when the problem is not about one task. May be called from any thread.
OnProblem: TypeAlias = Callable[[str, str], None]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run before it begins."""

    run: str
    """The run's id."""
    graph: str
    source: str
    """Absolute path of the graph file, with ":NAME" if one was given; "" if the graph was made in Python."""
    started_at: float
    """Wall clock, seconds since 1970 UTC, of the run's first beginning: a resumed run keeps it."""
    pid: int
    names: tuple[str, ...]
    upstream: tuple[tuple[int, ...], ...]
    fingerprints: tuple[str, ...]
    """By task: a hash of its code and of the options that change what it does."""
    parameters: Mapping[str, Any] = {}
    """What `-p NAME=VALUE` and `inputs=` gave, so that a resumed run gets the same."""
    options: Mapping[str, Any] = {}
    """Command line options that a resumed run needs again."""
    lost: tuple[str, ...] = ()
    """Names of parameters and options that could not be stored; filled in by the journal."""
    policies: tuple[Mapping[str, Any], ...] = ()
    """The distinct policies of its tasks, see `dagtop.core.described`; none in a record of an earlier version."""
    policy: tuple[int, ...] = ()
    """By task: which of them it has; empty if all have the first."""
    nodes: tuple[int, ...] = ()
    """Tasks that stand for a node of a graph of graphs."""
    setup: Mapping[str, Any] = {}
    """Limits and breakers, see `dagtop.core.described.described_run`."""
    hidden: Mapping[str, str] = {}
    """By name: a digest of the name that the task has in the graph, where that one tells a secret."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One process's part of a run: a run has one, and one more each time that it is resumed."""

    number: int
    """From 1."""
    first: int
    """Number of its first event."""
    record: RunRecord
    """The graph as this process saw it."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of runs."""

    run: str
    graph: str
    source: str
    started_at: float
    state: str
    """A `RunState` value; "crashed" if the run never ended and nobody runs it any more; "incomplete" if the journal
    had to give up before the run ended (`incomplete` says why)."""
    finished_at: float | None = None
    counts: Mapping[str, int] = {}
    tasks: int = 0
    opened_at: float = 0.0
    """When the process that had it open last took it up; wall clock."""
    alive: bool = False
    """A process has it open. A finished run may be: a console can reopen it."""
    pid: int = 0
    """Of the process that had it open last."""
    incomplete: str = ""
    """Why the journal stops before the run did; "" if it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStatistics:
    """How far a journal is behind its run."""

    queued: int
    """Events recorded and not yet committed."""
    committed: int
    """Number of the last event that is safe."""
    bytes: int
    """What was committed of events and outputs, as encoded."""
    problems: int
    """How many problems were told."""


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A command that somebody in another process gives to a run."""

    number: int
    """Below 0, so that no command that is given in the run's own process has it; the event that answers has it as `id`."""
    command: Command
    by: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a run answered to a command from another process."""

    applied: bool
    text: str
    """What it did, or why it was refused."""


class StoredRun(Protocol):
    """A run read back. It may still be going on: what is committed meanwhile is seen by the next call."""

    @property
    def record(self) -> RunRecord:
        """The record of the latest session."""
        ...

    @property
    def sessions(self) -> Sequence[Session]:
        """Who ran it, in order; at least one."""
        ...

    @property
    def summary(self) -> RunSummary:
        """Its line in the list of runs, as it was when it was loaded."""
        ...

    def events(self, first: int = 1) -> Iterator[AnyEvent]:
        """Every event that was committed, in order, from number `first` on.

        Raises
        ------
        JournalError: events are missing or damaged.
        """
        ...

    @property
    def last(self) -> int:
        """Number of the last event that was committed; 0 if none was."""
        ...

    def look(self) -> RunSummary:
        """Its line in the list of runs, as it is now."""
        ...

    def batch(self, number: int) -> tuple[int, Sequence[AnyEvent]]:
        """The events that are kept together with event `number`, and the number of their first; none behind the last.

        Raises
        ------
        JournalError: events are missing or damaged.
        """
        ...

    def checkpoints(self) -> Sequence[int]:
        """Numbers of the events after which a checkpoint is kept, ascending; 0 is for what belongs to none of them."""
        ...

    def checkpoint(self, number: int) -> bytes | None:
        """What was kept as the checkpoint of that number; None if that is gone, or damaged."""
        ...

    def keep_checkpoints(self, kept: Mapping[int, bytes]) -> bool:
        """Keep checkpoints, by number, in place of those that there are. May wait for a disk.

        False, and nothing is kept, if that cannot be done now: the run goes on, or the place cannot be written.
        """
        ...

    def output(self, task: str) -> Any:
        """The stored output of the task's last success.

        Raises
        ------
        KeyError: none is stored.
        JournalError: it is damaged.
        """
        ...

    def outputs(self, tasks: Iterable[str]) -> dict[str, Any]:
        """The stored outputs of those of the tasks that have one: faster than to ask for each.

        Raises
        ------
        JournalError: one is damaged.
        """
        ...

    def has_output(self, task: str) -> bool:
        """Whether an output is stored; a success that returned None counts as stored."""
        ...


class JournalWriter(Recorder, Protocol):
    """Takes one run. Called on the engine's thread; writes on its own, in batches, in order.

    What is stored is always the beginning of the run, without a gap: when the journal cannot go on, it says so and
    stores nothing more.
    """

    @property
    def committed(self) -> int:
        """Number of the last event that is safe: it outlives a `kill -9`."""
        ...

    def output(self, task: str, attempt: int, value: Any, *, given: bool = False) -> None:
        """Store what a task returned. Call it before recording the task's success: it is committed with that or before.

        For a `task.cached`, call it with attempt 0, and do so for None too. The value is taken as it is at this moment.
        `given` says that a person gave it: it takes the place of what the attempt may have returned.
        Never raises: a value that cannot be stored is told to `on_problem`, and on resume the task runs again.
        """
        ...

    def took(self, names: Sequence[str], fingerprints: Sequence[str], seconds: Sequence[float]) -> None:
        """Store how long the successful attempt of each task took; -1 for a task without. Once, before `close`. Never raises.

        `names` may go on behind those of the record, and `fingerprints` may be missing for those.
        """
        ...

    def listen(self, take: Callable[[Posted], None]) -> None:
        """From now on have `take` called, on a thread of the journal's, with each command that is posted to this session.

        Each is handed over at most once, within a second or so, and the event that answers it is its answer.
        """
        ...

    def statistics(self) -> JournalStatistics:
        """The numbers as they are now."""
        ...

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left and stop. False if that took too long or could not be done."""
        ...


class Journal(Protocol):
    """A place where runs are kept. All of it raises `JournalError` where the place cannot be read or written."""

    def begin(self, record: RunRecord, on_problem: OnProblem) -> JournalWriter:
        """Start keeping a new run."""
        ...

    def resume(self, record: RunRecord, first: int, on_problem: OnProblem) -> JournalWriter:
        """Go on with the stored run `record.run` as a new session; its next event has number `first`.

        Raises
        ------
        JournalError: there is no such run, a process still has it open, or `first` is not the next number.
        """
        ...

    def load(self, run: str) -> StoredRun:
        """Read a run back. `run` is an id, the beginning of one, or "last"."""
        ...

    def post(self, run: str, command: Command, by: str, *, patience: float = 10.0) -> Reply:
        """Give a command to a run that goes on elsewhere, and wait for its answer. `run` is as for `load`.

        Raises
        ------
        JournalError: there is no such run, nobody runs it, or there was no answer within `patience` seconds.
        """
        ...

    def runs(self) -> Sequence[RunSummary]:
        """All runs, latest first."""
        ...

    def usual(
        self, source: str, graph: str, names: Sequence[str], fingerprints: Sequence[str], *, before: str = ""
    ) -> dict[str, Usual]:
        """How long tasks took in the latest runs of the graph from that source, or of that name if it has none.

        Runs in which a task had the same fingerprint decide; without any, all of them do. A task of which nothing is known
        is left out. `before` is the id of a run: then only those count that began before it.
        """
        ...

    def close(self) -> None:
        """Let go of the file. Writers stay open: each is closed by whoever began it."""
        ...
