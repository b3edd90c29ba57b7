"""A run read back from the lines of JSON that `dagtop run --json` printed.

They do not tell who depends on whom: the graph is the tasks that are told of, in the order in which they are, with what
changes of the graph say of them. Types of events that this dagtop does not know are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dagtop.core.events import AnyEvent, GraphChanged, RunStarted, TaskEvent
from dagtop.core.ledger import Ledger
from dagtop.errors import IllegalTransitionError, JournalError
from dagtop.journal.codec import Encoded
from dagtop.journal.standing import Standing, standing_after
from dagtop.journal.stored import BaseStoredRun
from dagtop.observe.wire import VERSION
from dagtop.ports.journal import RunRecord, RunSummary, Session
from dagtop.runtime.past import plan_of

#: Events that are read at once.
_TOGETHER = 4096
#: What a line holds at most, so that another file is not read as one of its lines.
_LONGEST = 64 * 2**20


class _Head(msgspec.Struct):
    """What every line has."""

    v: int
    seq: int
    elapsed: float
    type: str
    run: str


_head = msgspec.json.Decoder(_Head)
_event: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyEvent)
_KNOWN = frozenset(kind.__struct_config__.tag for kind in AnyEvent.__args__)


class StreamRun(BaseStoredRun):
    """The last run that is told of in a file. Everything is in memory, and nothing changes any more."""

    def __init__(self, record: RunRecord, summary: RunSummary, events: Sequence[AnyEvent]) -> None:
        super().__init__((Session(number=1, first=1, record=record),), summary)
        self._events = events

    @property
    def last(self) -> int:
        """Number of the last event."""
        return len(self._events)

    def batch(self, number: int) -> tuple[int, Sequence[AnyEvent]]:
        """Event `number` with those that come after it, and its number; none behind the last."""
        return number, self._events[number - 1 : number - 1 + _TOGETHER]

    def close(self) -> None:
        """Do nothing: the file is closed."""

    def _encoded_output(self, session: int, task: str, attempt: int) -> Encoded | None:
        return None


def read_stream(path: str | os.PathLike[str]) -> StreamRun:
    """The last run that is told of in a file of lines.

    Raises
    ------
    JournalError: it cannot be read, or a line of it is not what it should be; the message says which.
    """
    name = os.fspath(path)
    events: list[AnyEvent] = []
    lines: list[int] = []
    run, due = "", 0
    for place, line in _lines_of(Path(path)):
        head, event = _read(line, f"{name}:{place}")
        if head.run != run:
            run, due, events, lines = head.run, head.seq, [], []
        if head.seq != due:
            raise JournalError(f"{name}:{place}: event {due} of the run is missing before event {head.seq}")
        due += 1
        if event is not None:
            events.append(event)
            lines.append(place)
    if not events:
        raise JournalError(f"{name}: there is no event in it; `dagtop run --json` prints what it should hold")
    record = _record(run, events)
    _check(record, events, lines, name)
    return StreamRun(record, _summary(record, events), events)


def _check(record: RunRecord, events: Sequence[AnyEvent], lines: Sequence[int], name: str) -> None:
    """See that they are what a run may tell, in this order."""
    ledger = Ledger(plan_of(record))
    for event, line in zip(events, lines, strict=True):
        try:
            ledger.apply(event)
        except (KeyError, ValueError, IllegalTransitionError) as error:
            told = str(error).partition(": this is a bug")[0]
            raise JournalError(f"{name}:{line}: this does not follow from what stands before it: {told}") from error


def _lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            place = 0
            while line := file.readline(_LONGEST):
                place += 1
                if line.strip():
                    yield place, line
    except OSError as error:
        raise JournalError(f"{path}: it cannot be read: {(error.strerror or str(error)).lower()}") from error


def _read(line: bytes, where: str) -> tuple[_Head, AnyEvent | None]:
    """What a line tells; no event if its type is not known."""
    try:
        head = _head.decode(line)
        if head.v != VERSION:
            raise JournalError(f"{where}: it is of version {head.v}, and this dagtop reads version {VERSION}")
        if head.type not in _KNOWN:
            return head, None
        return head, _event.decode(line.replace(b'"elapsed":', b'"at":', 1))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        cut = "" if line.endswith(b"\n") else "; it is cut off"
        raise JournalError(f"{where}: this is no event: {str(error)[:200].lower()}{cut}") from error


def _record(run: str, events: Sequence[AnyEvent]) -> RunRecord:
    begun = next((event for event in events if isinstance(event, RunStarted)), None)
    names = dict.fromkeys(_names(events))
    return RunRecord(
        run=run,
        graph=begun.graph if begun is not None else run,
        source="",
        started_at=begun.started_at if begun is not None else 0.0,
        pid=0,
        names=tuple(names),
        upstream=((),) * len(names),
        fingerprints=("",) * len(names),
    )


def _names(events: Sequence[AnyEvent]) -> list[str]:
    """The tasks that there are before the graph changes for the first time, in the order in which they are told of."""
    seen: dict[str, None] = {}
    later: set[str] = set()
    for event in events:
        if isinstance(event, GraphChanged):
            later.update(task.name for task in event.added if task.name not in seen)
            others = [name for task in event.added for name in task.upstream]
            others += [*event.rewired, *(name for needs in event.rewired.values() for name in needs)]
            others += [*event.removed, *event.changed]
            seen.update(dict.fromkeys(name for name in others if name not in later))
        elif isinstance(event, TaskEvent) and event.task not in later:
            seen[event.task] = None
    return list(seen)


def _summary(record: RunRecord, events: Sequence[AnyEvent]) -> RunSummary:
    standing = Standing()
    for event in events:
        standing = standing_after(event, record.started_at) or standing
    return RunSummary(
        run=record.run,
        graph=record.graph,
        source="",
        started_at=record.started_at,
        state=standing.state.value,
        finished_at=standing.finished_at,
        counts=standing.counts,
        tasks=len(record.names),
    )
