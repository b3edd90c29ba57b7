"""A run read back from what `dagtop run --json` printed: the same at every event, and each line that is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dagtop import DAGExecutor, Graph, Retry, TaskContext
from dagtop.core.events import AnyEvent
from dagtop.core.states import TaskState
from dagtop.errors import JournalError
from dagtop.journal.memory import MemoryJournal
from dagtop.observe.wire import encode_batch
from dagtop.ports.journal import StoredRun
from dagtop.runtime.past import Past
from dagtop.runtime.stream import read_stream


def graph() -> Graph:
    made = Graph("told")

    @made.task
    def first(ctx: TaskContext) -> int:
        ctx.log.info('hostile "elapsed": 1, \ud800 and more')
        ctx.progress(1, 2)
        ctx.spawn("later", lambda: 1)
        return 1

    @made.task(depends_on=[first], retries=Retry(1, base=0))
    def fails() -> None:
        raise OSError("no")

    made.add("after", lambda: None, depends_on=["fails"])
    return made


@pytest.fixture(scope="module")
def kept() -> StoredRun:
    journal = MemoryJournal()
    DAGExecutor(graph(), journal=journal, capture=True).start().wait()
    return journal.load("last")


def lines_of(stored: StoredRun, run: str = "r1") -> list[bytes]:
    events: list[AnyEvent] = [*stored.events()]
    told = encode_batch(1, events, run=stored.record.run, started_at=stored.record.started_at)
    return told.replace(stored.record.run.encode(), run.encode()).splitlines(keepends=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[bytes]], Path]:
    def write(lines: list[bytes]) -> Path:
        path = tmp_path / "run.ndjson"
        path.write_bytes(b"".join(lines))
        return path

    return write


def states(stored: StoredRun, number: int) -> dict[str, TaskState]:
    past = Past(stored)
    while not past.forward(number=number, most=100_000):
        pass
    return dict(zip(past.ledger.plan.names, past.ledger.state, strict=True))


def test_it_is_the_run_that_the_journal_has(kept: StoredRun, write: Callable[[list[bytes]], Path]) -> None:
    read = read_stream(write(lines_of(kept)))
    assert [type(event) for event in read.events()] == [type(event) for event in kept.events()]
    assert read.last == kept.last
    assert (read.record.graph, read.record.started_at) == ("told", kept.record.started_at)
    assert (read.summary.state, read.summary.counts) == (kept.summary.state, kept.summary.counts)
    for number in range(kept.last + 1):
        told = states(kept, number)
        assert {name: state for name, state in states(read, number).items() if name in told} == {
            name: state for name, state in told.items() if name in states(read, number)
        }
    assert states(read, read.last) == states(kept, kept.last)


def test_of_several_runs_it_is_the_last(kept: StoredRun, write: Callable[[list[bytes]], Path]) -> None:
    lines = lines_of(kept)
    read = read_stream(write([*lines[:5], b"\n", *lines_of(kept, "r2")]))
    assert (read.record.run, read.last) == ("r2", kept.last)


def test_what_a_newer_dagtop_tells_besides_is_passed_over(
    kept: StoredRun, write: Callable[[list[bytes]], Path]
) -> None:
    lines = [json.loads(line) for line in lines_of(kept)]
    for line in lines[3:]:
        line["seq"] += 1
        line["what is new"] = [1, 2]
    new = {**lines[2], "seq": lines[2]["seq"] + 1, "type": "task.dreamt", "dream": {"of": "sheep"}}
    all_of_them = [*lines[:3], new, *lines[3:]]
    read = read_stream(write([json.dumps(line).replace(": ", ":", 6).encode() + b"\n" for line in all_of_them]))
    assert read.last == kept.last


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda lines: [*lines[:2], b"what is this?\n", *lines[2:]], "run.ndjson:3: this is no event"),
        (lambda lines: [*lines[:3], b"[1, 2]\n"], "run.ndjson:4: this is no event"),
        (lambda lines: [*lines[:-1], lines[-1][:20]], "; it is cut off"),
        (lambda lines: [*lines[:3], *lines[4:]], "run.ndjson:4: event 4 of the run is missing before event 5"),
        (lambda lines: [lines[0].replace(b'"v":1', b'"v":7')], "run.ndjson:1: it is of version 7"),
        (lambda lines: [lines[0], lines[2].replace(b'"seq":3', b'"seq":2')], "run.ndjson:2: this does not follow"),
        (lambda lines: [b"\xff\xfe\n"], "run.ndjson:1: this is no event"),
        (lambda lines: [], "there is no event in it"),
    ],
)
def test_a_line_that_is_wrong_is_named(
    kept: StoredRun, write: Callable[[list[bytes]], Path], spoil: Callable[[list[bytes]], list[bytes]], told: str
) -> None:
    with pytest.raises(JournalError) as raised:
        read_stream(write(spoil(lines_of(kept))))
    assert told in str(raised.value)


def test_a_file_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such file"):
        read_stream(tmp_path / "nowhere.ndjson")
