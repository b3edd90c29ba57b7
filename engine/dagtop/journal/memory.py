"""A journal that lasts as long as its process: for tests and for programs that resume their own runs."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from queue import Empty, SimpleQueue
from typing import Any

from dagtop.core.commands import Command
from dagtop.core.events import AnyEvent
from dagtop.core.forecast import Usual
from dagtop.errors import JournalError
from dagtop.journal import codec
from dagtop.journal.codec import Encoded
from dagtop.journal.mail import answer_of
from dagtop.journal.problems import Problems
from dagtop.journal.records import pack, unpack
from dagtop.journal.standing import Standing, standing_after
from dagtop.journal.stored import BaseStoredRun, find_run, nobody_runs, still_open
from dagtop.journal.usual import Timings, runs_to_look_at, timings_of, usual_of
from dagtop.ports.journal import JournalStatistics, OnProblem, Posted, Reply, RunRecord, RunSummary, Session

#: Events that are read at once.
_TOGETHER = 4096


@dataclass(slots=True)
class _Kept:
    """One run."""

    sessions: list[Session]
    events: list[AnyEvent] = field(default_factory=list)
    outputs: dict[tuple[int, str, int], Encoded] = field(default_factory=dict)
    """By session, task and attempt."""
    standing: Standing = field(default_factory=Standing)
    incomplete: str = ""
    timings: list[tuple[Timings, Sequence[str]]] = field(default_factory=list)
    """Of the sessions that came to their end, with the names that they are of."""
    checkpoints: Mapping[int, bytes] = field(default_factory=dict)
    writer: MemoryWriter | None = None
    """Whoever has it open."""


class MemoryJournal:
    """A `Journal` in memory. Everything is committed at once."""

    def __init__(self) -> None:
        self._runs: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def begin(self, record: RunRecord, on_problem: OnProblem) -> MemoryWriter:
        """Start keeping a new run.

        Raises
        ------
        JournalError: there is a run of that id.
        """
        problems = Problems(on_problem)
        with self._lock:
            if record.run in self._runs:
                raise JournalError(f"there already is a run {record.run} in the journal: give it another id")
            session = Session(number=1, first=1, record=unpack(pack(record, problems)))
            kept = self._runs[record.run] = _Kept([session])
            kept.writer = MemoryWriter(kept, problems)
            return kept.writer

    def resume(self, record: RunRecord, first: int, on_problem: OnProblem) -> MemoryWriter:
        """Go on with the stored run `record.run` as a new session; its next event has number `first`.

        Raises
        ------
        JournalError: there is no such run, it is still open, or `first` is not the next number.
        """
        problems = Problems(on_problem)
        with self._lock:
            kept = self._runs.get(record.run)
            if kept is None:
                raise JournalError(f"there is no run {record.run} in the journal")
            if kept.writer is not None:
                raise still_open(record.run, os.getpid())
            last = len(kept.events)
            if first != last + 1:
                raise JournalError(f"the run {record.run} has {last} events, it cannot go on with number {first}")
            number = len(kept.sessions) + 1
            kept.sessions.append(Session(number=number, first=first, record=unpack(pack(record, problems))))
            kept.incomplete = ""
            kept.writer = MemoryWriter(kept, problems)
            return kept.writer

    def load(self, run: str) -> MemoryStoredRun:
        """Read a run back. `run` is an id, the beginning of one, or "last".

        Raises
        ------
        JournalError: there is no such run.
        """
        with self._lock:
            chosen = find_run(run, list(reversed(self._runs)))
            return MemoryStoredRun(self._runs[chosen], _summary(self._runs[chosen]))

    def post(self, run: str, command: Command, by: str, *, patience: float = 10.0) -> Reply:
        """Give a command to a run that goes on, and wait for its answer; not on its engine's thread.

        Raises
        ------
        JournalError: there is no such run, nobody runs it, or there was no answer within `patience` seconds.
        """
        with self._lock:
            kept = self._runs[find_run(run, list(reversed(self._runs)))]
            writer, summary = kept.writer, _summary(kept)
        if writer is None:
            raise nobody_runs(summary)
        reply = writer.post(command, by, patience)
        if reply is None:
            raise JournalError(f"no answer from the run {summary.run}: it did not answer within {patience:g} s")
        return reply

    def runs(self) -> Sequence[RunSummary]:
        """All runs, latest first."""
        with self._lock:
            return tuple(map(_summary, reversed(self._runs.values())))

    def usual(
        self, source: str, graph: str, names: Sequence[str], fingerprints: Sequence[str], *, before: str = ""
    ) -> dict[str, Usual]:
        """How long tasks took in the latest runs of the graph from that source, or of that name if it has none."""
        with self._lock:
            earlier = takewhile(lambda run: run != before, self._runs)
            runs = [kept for run in earlier if _is_of((kept := self._runs[run]).sessions[0].record, source, graph)]
        latest = [timings for kept in reversed(runs) for timings in reversed(kept.timings)][
            : runs_to_look_at(len(names))
        ]
        return usual_of(
            names, fingerprints, [(timings, partial(tuple[str, ...], theirs)) for timings, theirs in latest]
        )

    def close(self) -> None:
        """Do nothing: there is no file."""


class MemoryWriter:
    """A `JournalWriter` that is never behind."""

    def __init__(self, kept: _Kept, problems: Problems) -> None:
        self._kept = kept
        self._session = kept.sessions[-1]
        self._problems = problems
        self._bytes = 0
        self._closed = False
        self._take: Callable[[Posted], None] | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, SimpleQueue[Reply]] = {}
        """By number of a posted command: where its answer goes."""

    @property
    def committed(self) -> int:
        """Number of the last event."""
        return len(self._kept.events)

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events number `first`, `first` + 1 …

        Raises
        ------
        JournalError: it was closed, or events before these are missing: then nothing more is stored.
        """
        if self._closed:
            raise JournalError("the journal of this run is closed")
        due = self.committed + 1
        if first != due or self._kept.incomplete:
            self._kept.incomplete = f"event {due} never reached the journal (event {first} came instead)"
            raise JournalError(self._kept.incomplete)
        self._kept.events.extend(batch)
        started_at = self._kept.sessions[0].record.started_at
        for event in batch:
            self._kept.standing = standing_after(event, started_at) or self._kept.standing
            if self._asked and (answer := answer_of(event)) is not None and answer[2] in self._asked:
                self._asked[answer[2]].put(Reply(applied=answer[0], text=answer[1]))

    def output(self, task: str, attempt: int, value: Any, *, given: bool = False) -> None:
        """Take what a task returned, as it is at this moment. Never raises."""
        if self._closed or self._kept.incomplete or (value is None and attempt > 0 and not given):
            return
        encoded = codec.encode(value)
        if not encoded.storable:
            self._problems.tell_unstorable(task, encoded)
        self._kept.outputs[self._session.number, task, attempt] = encoded
        self._bytes += len(encoded.blob)

    def took(self, names: Sequence[str], fingerprints: Sequence[str], seconds: Sequence[float]) -> None:
        """Store how long the successful attempt of each task took."""
        if not self._closed:
            self._kept.timings.append((timings_of(names, fingerprints, seconds), tuple(names)))

    def listen(self, take: Callable[[Posted], None]) -> None:
        """From now on have `take` called with commands that are posted."""
        self._take = take

    def post(self, command: Command, by: str, patience: float) -> Reply | None:
        """Hand over a command: the answer, or None if none came in time."""
        number, answer = -next(self._numbers), SimpleQueue[Reply]()
        self._asked[number] = answer
        try:
            if self._take is not None:
                self._take(Posted(number=number, command=command, by=by))
            return answer.get(timeout=patience)
        except Empty:
            return None
        finally:
            del self._asked[number]

    def statistics(self) -> JournalStatistics:
        """The numbers as they are now."""
        return JournalStatistics(queued=0, committed=self.committed, bytes=self._bytes, problems=self._problems.count)

    def close(self, timeout: float = 5.0) -> bool:
        """Let go of the run."""
        if not self._closed:
            self._closed = True
            self._kept.writer = None
            for answer in list(self._asked.values()):
                answer.put(Reply(applied=False, text="the run is over"))
        return not self._kept.incomplete


class MemoryStoredRun(BaseStoredRun):
    """A `StoredRun` that looks at the same lists as the writer."""

    def __init__(self, kept: _Kept, summary: RunSummary) -> None:
        super().__init__(kept.sessions, summary)
        self._kept = kept

    @property
    def last(self) -> int:
        """Number of the last event."""
        return len(self._kept.events)

    def look(self) -> RunSummary:
        """Its line in the list of runs, as it is now."""
        return _summary(self._kept)

    def batch(self, number: int) -> tuple[int, Sequence[AnyEvent]]:
        """Event `number` with those that come after it, and its number; none behind the last."""
        return number, self._kept.events[number - 1 : number - 1 + _TOGETHER]

    def checkpoints(self) -> Sequence[int]:
        """Numbers of the events after which a checkpoint is kept, ascending."""
        return sorted(self._kept.checkpoints)

    def checkpoint(self, number: int) -> bytes | None:
        """What was kept as the checkpoint of that number."""
        return self._kept.checkpoints.get(number)

    def keep_checkpoints(self, kept: Mapping[int, bytes]) -> bool:
        """Keep checkpoints, by number, unless the run goes on."""
        if self._kept.writer is not None:
            return False
        self._kept.checkpoints = dict(kept)
        return True

    def _encoded_output(self, session: int, task: str, attempt: int) -> Encoded | None:
        return self._kept.outputs.get((session, task, attempt))


def _is_of(record: RunRecord, source: str, graph: str) -> bool:
    return record.source == source and (bool(source) or record.graph == graph)


def _summary(kept: _Kept) -> RunSummary:
    record = kept.sessions[-1].record
    alive = kept.writer is not None
    return RunSummary(
        run=record.run,
        graph=record.graph,
        source=record.source,
        started_at=kept.sessions[0].record.started_at,
        state=kept.standing.for_people(alive=alive, incomplete=kept.incomplete),
        finished_at=kept.standing.finished_at,
        counts=kept.standing.counts,
        tasks=sum(kept.standing.counts.values()) or len(record.names) - len(record.nodes),
        alive=alive,
        pid=os.getpid(),
        incomplete=kept.incomplete,
    )
