"""A stored run looked at at any of its instants: what it shows is what was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import msgspec
import pytest
from dagtop import Breaker, DAGExecutor, Graph, Retry, TaskContext, TaskState
from dagtop.core import events as ev
from dagtop.core.commands import CancelTask
from dagtop.core.events import AnyEvent
from dagtop.core.ledger import Ledger
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from dagtop.observe.story import Story
from dagtop.ports.journal import RunRecord, StoredRun
from dagtop.runtime import replay as playing
from dagtop.runtime import shelf
from dagtop.runtime.past import Past
from dagtop.runtime.publisher import SnapshotBox, row_of
from dagtop.runtime.replay import Replay


def mixed() -> Graph:
    """Successes, retries, a failure with what it takes along, a spawned task, a breaker that opens, lines of output."""
    graph = Graph("mixed", breakers=[Breaker("api", failure_threshold=2, recovery_timeout=60, on_open="fail")])

    @graph.task
    async def first(ctx: TaskContext) -> int:
        ctx.log.info("begins")
        ctx.spawn("more", lambda: 1)
        return 1

    @graph.task(retries=Retry(2, base=0), depends_on=[first])
    async def flaky(ctx: TaskContext) -> None:
        ctx.log.info("attempt %d", ctx.attempt)
        if ctx.attempt < 3:
            raise OSError("not yet")

    @graph.task(retries=Retry(1, base=0), circuit="api", depends_on=[first], tags=["t"], timeout=9.0)
    async def fails() -> None:
        raise ValueError("never")

    graph.add("after", lambda: None, depends_on=["fails"])
    return graph


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredRun]:
    path = tmp_path_factory.mktemp("replay") / "runs.db"
    DAGExecutor(mixed(), journal=path, capture=True).start().wait()
    run = SqliteJournal(path).load("last")
    yield run
    run.close()


def until(true: Callable[[], object], patience: float = 30.0) -> None:
    """The replay has a thread of its own."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.001)


@pytest.fixture
def played(stored: StoredRun) -> Iterator[Replay]:
    replay = Replay(stored)
    replay.start()
    until(lambda: replay.transport.indexed)
    yield replay
    replay.close()
    assert replay.join(20)


def go(replay: Replay, number: int) -> None:
    replay.seek(number)
    until(lambda: replay.transport.heading is None)


def test_at_every_event_it_shows_what_the_events_before_come_to(played: Replay, stored: StoredRun) -> None:
    ledger = Ledger(Past(stored).ledger.plan)
    for number, event in enumerate(stored.events(), 1):
        ledger.apply(event)
        go(played, number)
        shown = played.latest
        assert list(shown.rows) == [row_of(ledger, index) for index in range(len(ledger.plan))]
        assert (shown.state, shown.events_seen, dict(shown.counts)) == (ledger.run_state, number, ledger.counts)


def test_going_back_shows_the_same_as_going_forward(played: Replay) -> None:
    last = played.transport.last
    there = []
    for number in range(last + 1):
        go(played, number)
        there.append((list(played.latest.rows), played.latest.breakers, played.latest.counts))
    for number in reversed(range(last + 1)):
        go(played, number)
        assert (list(played.latest.rows), played.latest.breakers, played.latest.counts) == there[number]


def test_checkpoints_change_nothing(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "SPACING", 3)
    monkeypatch.setattr(playing, "PIECE", 2)
    monkeypatch.setattr(shelf, "MOST", 3)
    monkeypatch.setattr(shelf, "FEWEST", 1)
    replay = Replay(stored)
    replay.start()
    until(lambda: replay.transport.indexed)
    last = replay.transport.last
    for number in (last, 1, last - 1, 4, 0, last // 2):
        go(replay, number)
        plain = Past(stored, SnapshotBox())
        plain.forward(number=number, most=10_000)
        assert list(replay.latest.rows) == [row_of(plain.ledger, index) for index in range(len(plain.ledger.plan))]
        replay.story.catch_up()
        plain_story = Story()
        plain_story.take(1, [*islice(stored.events(), number)])
        assert [(track.name, list(track.spans)) for track in replay.story.tracks.values()] == [
            (track.name, list(track.spans)) for track in plain_story.tracks.values()
        ]
    replay.close()
    assert replay.join(20)


def test_policies_are_those_of_the_run(played: Replay) -> None:
    fails = next(row for row in played.latest.rows if row.name == "fails")
    assert (fails.policy.retry.retries, fails.policy.circuit, fails.policy.timeout) == (1, "api", 9.0)
    assert fails.policy.tags == ("t",)


def test_a_breaker_is_as_it_was(played: Replay) -> None:
    go(played, 0)
    (before,) = played.latest.breakers
    go(played, played.transport.last)
    (after,) = played.latest.breakers
    assert (before.state, before.trips) == ("closed", 0)
    assert (after.state, after.trips, after.spec.failure_threshold) == ("open", 1, 2)


def test_it_jumps_from_problem_to_problem(played: Replay) -> None:
    go(played, 0)
    seen = []
    while played.to_trouble(1):
        until(lambda: played.transport.heading is None)
        seen.append(played.transport.number)
    assert seen == [number for number, _ in played.transport.troubles]
    assert seen
    assert played.to_trouble(-1)
    until(lambda: played.transport.heading is None)
    assert played.transport.number == seen[-2]


def test_logs_are_those_up_to_the_instant(played: Replay) -> None:
    go(played, 0)
    assert list(played.logs.tail(None, 100)) == []
    go(played, played.transport.last)
    lines = [line.text for line in played.logs.tail("flaky", 100)]
    assert lines == ["attempt 1", "attempt 2", "attempt 3"]
    (second,) = [line for line in played.logs.tail("flaky", 100) if line.text == "attempt 2"]
    played.seek_time(second.at)
    until(lambda: played.transport.heading is None)
    assert [line.text for line in played.logs.since(0, "flaky")] == lines[:2]
    assert played.transport.at == second.at


def test_it_goes_to_a_moment_between_two_events(played: Replay, stored: StoredRun) -> None:
    times = [event.at for event in stored.events()]
    before = max(range(len(times) - 1), key=lambda place: times[place + 1] - times[place])
    at = (times[before] + times[before + 1]) / 2
    for start in (0, len(times)):
        go(played, start)
        played.seek_time(at)
        until(lambda: played.transport.heading is None)
        assert (played.transport.number, played.transport.at, played.latest.at) == (before + 1, at, at)


def test_it_comes_to_a_moment_however_few_moments_it_has_noted(
    stored: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went back to a checkpoint before the moment again and again, and never arrived."""
    monkeypatch.setattr(playing, "PIECE", 1)
    monkeypatch.setattr(playing, "NEAR", 1)
    monkeypatch.setattr("dagtop.runtime.replay_index.MARKS", 1 << 60)
    monkeypatch.setattr(shelf, "SPACING", 3)
    replay = Replay(stored, at_end=True)
    replay.start()
    until(lambda: replay.transport.indexed and replay.transport.heading is None)
    times = [event.at for event in stored.events()]
    for number in (len(times) - 2, 3, len(times) // 2):
        replay.seek_time(times[number])
        until(lambda: replay.transport.heading is None)
        assert replay.transport.at == times[number]
        assert replay.latest.at == times[number]
    replay.close()
    assert replay.join(20)


def test_it_plays_to_the_end_and_stands_still_there(stored: StoredRun) -> None:
    replay = Replay(stored, now=lambda: time.monotonic() * 10_000)
    replay.start()
    until(lambda: replay.transport.indexed)
    replay.play()
    until(lambda: not replay.transport.playing)
    assert replay.transport.number == replay.transport.last
    assert replay.latest.state.value == "failed"
    replay.play()  # once more, from the beginning
    until(lambda: replay.transport.playing is False and replay.transport.number == replay.transport.last)
    replay.close()
    assert replay.join(20)


def test_nothing_of_it_can_be_changed(played: Replay) -> None:
    numbers = [played.send(CancelTask(task="first"), by="console") for _ in range(2)]
    until(lambda: {answer.id for answer in played.latest.answers} >= set(numbers))
    refused = [answer for answer in played.latest.answers if answer.id in numbers]
    assert all("this is a replay" in answer.reason for answer in refused)


def test_speeds_have_ends(played: Replay) -> None:
    played.faster(-100)
    assert played.transport.speed == playing.SPEEDS[0]
    played.faster(+100)
    assert played.transport.speed == playing.SPEEDS[-1]


@pytest.mark.anyio
async def test_a_run_that_was_resumed_is_played_through_all_its_sessions() -> None:
    journal = MemoryJournal()
    fail = True

    def make(*, with_more: bool) -> Graph:
        graph = Graph("grown")
        graph.add("one", lambda: 1)

        def two(one: int) -> int:
            if fail:
                raise OSError("first time")
            return one + 1

        graph.add("two", two)
        if with_more:
            graph.add("three", lambda two: two + 1)
        return graph

    result = await DAGExecutor(make(with_more=False), journal=journal).run()
    fail = False
    graph = make(with_more=True)
    resumption = plan_resumption(journal.load("last"), graph.validate(), graph.fingerprints(), trust_changes=True)
    resumed = await DAGExecutor(graph, journal=journal, resume=resumption).run()
    assert result.state == "failed"
    past = Past(journal.load("last"))
    while not past.forward():
        pass
    states = {name: past.ledger.state[index] for name, index in past.ledger.plan.index.items()}
    assert resumed.state == "succeeded"
    assert states == dict.fromkeys(("one", "two", "three"), TaskState.SUCCEEDED)


def test_what_a_resumed_run_was_left_with_is_not_looked_through_once_for_each_task() -> None:
    """The replay of a resumed run of 100,000 tasks took minutes where the second process had it."""

    class Names(tuple[str, ...]):
        looked = 0

        def __iter__(self) -> Iterator[str]:
            Names.looked += 1
            return super().__iter__()

    graph = Graph("many")
    for number in range(200):
        graph.add(f"t{number}", lambda: 1)
    journal = MemoryJournal()
    graph.run(journal=journal)
    stored = journal.load("last")
    (session,) = stored.sessions
    again = msgspec.structs.replace(session.record, names=Names(session.record.names))
    stored._sessions = (session, msgspec.structs.replace(session, number=2, first=stored.last + 1, record=again))  # type: ignore[attr-defined]
    past = Past(stored)
    while not past.forward():
        pass
    assert past.ledger.state == [TaskState.SUCCEEDED] * 200
    assert 0 < Names.looked < 20


def test_what_cannot_be_read_is_told_by_the_player_and_by_no_thread_on_its_way_out() -> None:
    """The reader's thread printed a traceback over the console where a run was broken in a way that nobody had thought of."""
    journal = MemoryJournal()
    graph = Graph("small")
    graph.add("one", lambda: 1)
    graph.run(journal=journal)
    stored = journal.load("last")
    read = stored.batch

    def batch(number: int) -> tuple[int, Sequence[AnyEvent]]:
        if number == 1:
            raise ArithmeticError("nobody had thought of this")
        return read(number)

    stored.batch = batch  # type: ignore[method-assign]
    played = Replay(stored, at_end=True)
    played.start()
    played._thread.join(10)
    played._index.thread.join(10)  # an exception that leaves a thread fails a test
    assert isinstance(played.error, ArithmeticError)
    played.close()
    assert played.join(10)


def test_a_run_that_goes_on_is_followed() -> None:
    journal = MemoryJournal()
    graph = Graph("follow")

    @graph.task
    async def one(ctx: TaskContext) -> None:
        past = Past(journal.load("last"))
        past.forward()
        assert past.ledger.plan.names == ("one",)

    assert graph.run(journal=journal).state == "succeeded"


class Going:
    """A run that goes on, told by hand."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        names = ("a", "b")
        nothing: tuple[tuple[int, ...], ...] = ((), ())
        record = RunRecord(
            run="r1", graph="g", source="", started_at=0.0, pid=1, names=names, upstream=nothing, fingerprints=names
        )
        self.writer = self.journal.begin(record, lambda task, message: None)
        self.tell(ev.RunStarted(0.0, "r1", "g", 0.0, 2, 4), ev.TaskReady(1.0, "a"))

    def tell(self, *events: AnyEvent) -> None:
        self.writer.record(self.writer.committed + 1, events)


@pytest.fixture
def going() -> Going:
    return Going()


@pytest.fixture
def followed(going: Going, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    monkeypatch.setattr(playing, "FOLLOWING", 0.001)
    monkeypatch.setattr("dagtop.runtime.replay_index.FOLLOWING", 0.001)
    monkeypatch.setattr(playing, "LOOKING", 0.0)
    replay = Replay(going.journal.load("last"), at_end=True)
    replay.start()
    yield replay
    replay.close()
    assert replay.join(20)


def test_it_goes_along_with_a_run_that_goes_on(going: Going, followed: Replay) -> None:
    until(lambda: followed.transport.following)
    for number in range(3, 9):
        going.tell(ev.TaskProgress(float(number), "a", number))
        until(lambda number=number: followed.latest.events_seen == number)  # type: ignore[misc]  # it takes none
        assert followed.transport.following
        assert followed.transport.at == float(number)


def test_who_goes_back_in_a_run_that_goes_on_stays_there_until_its_end_is_wanted(
    going: Going, followed: Replay
) -> None:
    until(lambda: followed.transport.following)
    go(followed, 1)
    going.tell(ev.TaskStarted(2.0, "a", 1), ev.TaskReady(3.0, "b"))
    until(lambda: followed.transport.last == 4)
    assert (followed.transport.number, followed.transport.following, followed.transport.goes_on) == (1, False, True)
    followed.to_end()
    until(lambda: followed.transport.number == 4)
    assert followed.transport.following


def test_playing_to_the_end_of_a_run_that_goes_on_is_to_go_along_with_it(going: Going, followed: Replay) -> None:
    until(lambda: followed.transport.following)
    go(followed, 0)
    followed.faster(100)
    followed.play()
    until(lambda: followed.transport.following)
    going.tell(ev.TaskStarted(5.0, "a", 1))
    until(lambda: followed.latest.events_seen == 3)


def test_a_run_whose_process_goes_away_is_told_to_be_what_it_is_then(going: Going, followed: Replay) -> None:
    until(lambda: followed.transport.following)
    going.writer.close()
    until(lambda: not followed.transport.following)
    assert followed.summary.state == "crashed"
    assert not followed.transport.goes_on
