"""What reading a run back has in common, wherever it is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dagtop.core.events import AnyEvent
from dagtop.core.states import RUN_OVER, RunState
from dagtop.errors import JournalError
from dagtop.journal import codec
from dagtop.journal.codec import Encoded
from dagtop.journal.history import History
from dagtop.ports.journal import RunRecord, RunSummary, Session


class BaseStoredRun(ABC):
    """A `StoredRun` for adapters that can find events by number and outputs by place."""

    def __init__(self, sessions: Sequence[Session], summary: RunSummary) -> None:
        self._sessions = tuple(sessions)
        self._summary = summary
        self._history = History(tuple(session.first for session in sessions))

    @property
    def record(self) -> RunRecord:
        """The record of the latest session."""
        return self._sessions[-1].record

    @property
    def sessions(self) -> Sequence[Session]:
        """Who ran it, in order; at least one."""
        return self._sessions

    @property
    def summary(self) -> RunSummary:
        """Its line in the list of runs, as it was when it was loaded."""
        return self._summary

    def history(self) -> History:
        """What became of each task, up to now."""
        for event in self.events(self._history.seen + 1):
            self._history.apply(event)
        return self._history

    def output(self, task: str) -> Any:
        """The stored output of the task's last success.

        Raises
        ------
        KeyError: none is stored.
        JournalError: it is damaged.
        """
        encoded = self._find(self.history(), task)
        if encoded is None:
            raise KeyError(task)
        return codec.decode(encoded.codec, encoded.blob)

    def outputs(self, tasks: Iterable[str]) -> dict[str, Any]:
        """The stored outputs of those of the tasks that have one: faster than to ask for each.

        Raises
        ------
        JournalError: one is damaged.
        """
        history = self.history()
        found: dict[str, Any] = {}
        with self._looking():
            for task in tasks:
                encoded = self._find(history, task)
                if encoded is not None:
                    found[task] = codec.decode(encoded.codec, encoded.blob)
        return found

    def has_output(self, task: str) -> bool:
        """Whether an output is stored; a success that returned None counts as stored."""
        return self._find(self.history(), task) is not None

    def _find(self, history: History, task: str) -> Encoded | None:
        known = history.tasks.get(task)
        result = known.result if known is not None else None
        while result is not None:
            encoded = self._encoded_output(result.session, task, result.attempt)
            if encoded is None and result.attempt > 0:
                return Encoded("json", b"null")  # a success without a row returned None
            if encoded is not None:
                return encoded if encoded.storable else None
            result = result.earlier
        return None

    def _looking(self) -> AbstractContextManager[object]:
        """Around several looks at outputs."""
        return nullcontext()

    def events(self, first: int = 1) -> Iterator[AnyEvent]:
        """Every event that was committed, in order, from number `first` on.

        Raises
        ------
        JournalError: events are missing or damaged, or the journal was closed.
        """
        while True:
            start, batch = self.batch(first)
            if not batch:
                return
            yield from batch[first - start :]
            first = start + len(batch)

    @property
    @abstractmethod
    def last(self) -> int:
        """Number of the last event that was committed; 0 if none was."""

    def look(self) -> RunSummary:
        """Its line in the list of runs, as it is now."""
        return self._summary

    @abstractmethod
    def batch(self, number: int) -> tuple[int, Sequence[AnyEvent]]:
        """The events that are kept together with event `number`, and the number of their first; none behind the last."""

    def checkpoints(self) -> Sequence[int]:
        """Numbers of the events after which a checkpoint is kept, ascending."""
        return ()

    def checkpoint(self, number: int) -> bytes | None:
        """What was kept as the checkpoint of that number; None if that is gone, or damaged."""
        return None

    def keep_checkpoints(self, kept: Mapping[int, bytes]) -> bool:
        """Keep checkpoints, by number, in place of those that there are. False if that cannot be done."""
        return False

    @abstractmethod
    def _encoded_output(self, session: int, task: str, attempt: int) -> Encoded | None:
        """What lies at one place; None if nothing does."""


def still_open(run: str, pid: int) -> JournalError:
    """The error for a run that cannot be resumed since somebody still runs it."""
    return JournalError(f"the run {run} is still open in process {pid}: wait for it to end, or end it")


def nobody_runs(summary: RunSummary) -> JournalError:
    """The error for a command to a run that does not go on."""
    if summary.state in {"crashed", "incomplete"}:
        end = f"its process ended before it did: `dagtop resume {summary.run}` goes on with it"
    else:
        ended = {RunState.CANCELLED: "it was cancelled", RunState.TIMED_OUT: "it ran out of time"}
        is_over = summary.state in RUN_OVER
        end = ended.get(RunState(summary.state), f"it has {summary.state}") if is_over else "no process has it open"
    return JournalError(f"the run {summary.run} does not go on any more: {end}")


def find_run(wanted: str, known: Sequence[str]) -> str:
    """The run that `wanted` names: an id, the beginning of just one, or "last". `known` has the latest first.

    Raises
    ------
    JournalError: none, or several.
    """
    if not known:
        raise JournalError("there are no runs in the journal")
    if wanted == "last":
        return known[0]
    if wanted in known:
        return wanted
    found = [run for run in known if wanted and run.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise JournalError(f"{wanted!r} is the beginning of {len(found)} runs ({some}): give more of it")
    raise JournalError(f"there is no run {wanted!r} in the journal; the latest is {known[0]}")
