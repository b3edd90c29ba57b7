"""Checkpoints and the tape: however a replay comes to an instant, it shows what folding every event from the first shows."""

from __future__ import annotations

import random
import zlib
from itertools import islice

import msgspec
import pytest
from dagtop import Breaker, DAGExecutor, Graph, Retry, TaskContext
from dagtop.core import events as ev
from dagtop.core.snapshot import RunSnapshot
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.resume import plan_resumption
from dagtop.observe.story import Story
from dagtop.observe.tape import StoryUntil, Tape
from dagtop.ports.journal import StoredRun
from dagtop.runtime.checkpoint_codec import Codec
from dagtop.runtime.checkpoint_told import Outline
from dagtop.runtime.checkpoints import Checkpoint, copied, same
from dagtop.runtime.past import Past
from dagtop.runtime.publisher import SnapshotBox
from dagtop.runtime.reel import Reel
from dagtop.runtime.replay_index import Index
from dagtop.runtime.shelf import Shelf

SEEDS = range(4)


def random_graph(seed: int, *, grows: bool) -> Graph:
    """Tasks that succeed, fail, are tried again, spawn others, tell how far they are, and go through a breaker and a pool."""
    dice = random.Random(seed)
    graph = Graph(
        f"random {seed}",
        breakers=[Breaker("api", failure_threshold=2, recovery_timeout=60, on_open="fail")],
        pools={"db": 2},
    )
    names: list[str] = []
    for number in range(dice.randint(6, 14)):
        fails, spawns, tells = dice.random() < 0.25, dice.random() < 0.2, dice.random() < 0.5

        async def work(
            ctx: TaskContext, *, number: int = number, fails: bool = fails, spawns: bool = spawns, tells: bool = tells
        ) -> int:
            if tells:
                ctx.log.info("task %d, attempt %d", number, ctx.attempt)
                ctx.progress(1, 2, "half")
            if spawns:
                ctx.spawn(f"more {number}", lambda: number)
            if fails or (number % 5 == 4 and ctx.attempt == 1):
                raise OSError(f"no {number}")
            return number

        graph.add(
            f"t{number}",
            work,
            depends_on=dice.sample(names, min(len(names), dice.randint(0, 3))),
            retries=Retry(1, base=0),
            circuit="api" if dice.random() < 0.3 else None,
            pool="db" if dice.random() < 0.3 else None,
        )
        names.append(f"t{number}")
    if grows:
        graph.add("late", lambda: 1)
    return graph


def random_run(seed: int) -> StoredRun:
    """A run of such a graph; of every second one, what failed ran again in another process, with a task more."""
    journal = MemoryJournal()
    first = random_graph(seed, grows=False)
    DAGExecutor(first, journal=journal, capture=True).start().wait()
    if seed % 2:
        graph = random_graph(seed, grows=True)
        stored = journal.load("last")
        resumption = plan_resumption(stored, graph.validate(), graph.fingerprints(), trust_changes=True)
        DAGExecutor(graph, journal=journal, resume=resumption).start().wait()
    return journal.load("last")


@pytest.fixture(scope="module", params=SEEDS)
def stored(request: pytest.FixtureRequest) -> StoredRun:
    return random_run(request.param)


def folded(stored: StoredRun, number: int) -> tuple[Past, RunSnapshot]:
    """From the first event on, in one go."""
    box = SnapshotBox()
    past = Past(stored, box)
    while not past.forward(number=number, most=100_000):
        pass
    past.show(past.at)
    return past, box.latest


def seen(snapshot: RunSnapshot) -> object:
    """All that is shown, but how often it was."""
    plan = snapshot.plan
    shape = tuple(plan.names), [*map(list, plan.upstream)], list(plan.order), set(plan.nodes)
    return shape, {**msgspec.structs.asdict(snapshot), "version": 0, "plan": None}


def checkpoints_of(stored: StoredRun, spacing: int) -> list[Checkpoint]:
    past, found = Past(stored), list[Checkpoint]()
    for number in [*range(spacing, stored.last, spacing), stored.last]:
        while not past.forward(number=number, most=100_000):
            pass
        found.append(past.checkpoint())
    return found


def test_B40_a_checkpoint_is_what_folding_from_the_start_comes_to(stored: StoredRun) -> None:
    dice, last = random.Random(stored.last), stored.last
    kept = checkpoints_of(stored, 7)
    box = SnapshotBox()
    past = Past(stored, box)
    for number in [dice.randint(0, last) for _ in range(25)]:
        before = [one for one in kept if one.number <= number]
        past.back_to(before[-1]) if before else past.begin()
        while not past.forward(number=number, most=dice.randint(1, 5)):
            pass
        past.show(past.at)
        plain, snapshot = folded(stored, number)
        assert same(past.ledger, plain.ledger)
        assert seen(box.latest) == seen(snapshot)


def test_a_checkpoint_stays_what_it_was_whatever_is_built_on_it(stored: StoredRun) -> None:
    kept = checkpoints_of(stored, 3)
    before = copied(kept[0].ledger)
    past = Past(stored)
    past.back_to(kept[0])
    while not past.forward():
        pass
    assert same(kept[0].ledger, before)
    assert not same(past.ledger, before)


def test_B40_checkpoints_come_back_from_bytes_as_they_were(stored: StoredRun) -> None:
    kept = checkpoints_of(stored, 5)
    plan = Past(stored).first_plan
    past = Past(stored, plan=plan)
    kept = [_again(past, one) for one in kept]
    told = Codec(plan).encode_all(kept)
    assert told is not None
    reader = Codec(plan)
    last = reader.base_on(told[stored.last])
    assert last is not None
    for one in kept:
        made = reader.decode(told[one.number])
        assert made is not None
        assert same(made.ledger, one.ledger)
        assert made._replace(ledger=one.ledger) == one


def _again(past: Past, one: Checkpoint) -> Checkpoint:
    """The same checkpoint, with the graph that is this one's."""
    past.begin()
    while not past.forward(number=one.number, most=100_000):
        pass
    return past.checkpoint()


def test_every_byte_of_a_checkpoint_that_is_wrong_makes_it_none_at_all(stored: StoredRun) -> None:
    kept = checkpoints_of(stored, 50)
    plan = kept[0].ledger.plan
    told = Codec(plan).encode_all(kept[-1:])
    if told is None:  # it was resumed: the graph of its first process is another one
        told = {}
    dice = random.Random(1)
    for blob in told.values():
        for _ in range(30):
            broken = bytearray(blob)
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
            Codec(plan).decode(bytes(broken))  # it may be read as something; it raises nothing
        assert Codec(plan).decode(blob[: len(blob) // 2]) is None
        assert Codec(plan).decode(zlib.compress(b"\x80")) is None


def test_an_outline_comes_back_or_is_none() -> None:
    outline = Outline(number=9, at=1.5, marks=([0.0, 1.0], [0, 5]), troubles=([3], [0.5]))
    assert Outline.read(outline.told()) == outline
    assert Outline.read(outline.told()[:-3]) is None
    assert Outline.read(msgspec.structs.replace(outline, format=99).told()) is None


def tape_of(stored: StoredRun) -> StoryUntil:
    tape = Tape()
    events = [*stored.events()]
    for first in range(0, len(events), 3):
        tape.take(first + 1, events[first : first + 3])
    reel = Reel(stored)
    reel.batch(1)
    return StoryUntil(tape, reel.at_hand)


def told_of(story: Story) -> object:
    """All that views read of a story."""
    tracks = [
        (track.name, track.number, track.first, [*track.spans], track.kind, track.since, track.attempt, track.ran)
        for track in story.tracks.values()
    ]
    load = story.load
    return (
        tracks,
        ([*load.at], [*load.who], load.now, load.peak, load.until(1e9)),
        {name: [*turns] for name, turns in story.breakers.items()},
        [*story.edits],
        {what: [*limits] for what, limits in story.limits.items()},
        [*story.graph_edits],
        ([*story.pauses], story.paused_at, [*story.sessions]),
        [*reversed(story.events)],
        (story.seen, story.at),
    )


def test_B40_the_story_at_every_event_is_what_it_was_live(stored: StoredRun) -> None:
    live, forward = Story(), tape_of(stored)
    at_each = list[object]()
    for number, event in enumerate(stored.events(), 1):
        live.take(number, [event])
        forward.until(number, live.at)
        forward.catch_up()
        at_each.append(told_of(live))
        assert told_of(forward) == at_each[-1], number
    dice = random.Random(stored.last)
    for number in [dice.randint(1, stored.last) for _ in range(20)]:
        back = tape_of(stored)
        back.until(number, next(islice(stored.events(number), 1)).at)
        back.catch_up()
        assert told_of(back) == at_each[number - 1], number


def test_a_story_that_is_still_being_read_tells_how_much_waits(stored: StoredRun) -> None:
    tape = Tape()
    story = StoryUntil(tape, Reel(stored).at_hand)
    story.until(stored.last, 1.0)
    assert story.catch_up()
    assert story.statistics().waiting == stored.last
    tape.take(1, [*stored.events()])
    story.catch_up()
    assert story.statistics().waiting == 0
    assert len(story.tracks) == len({event.task for event in stored.events() if isinstance(event, ev.TaskReady)})


def indexed(stored: StoredRun, shelf: Shelf) -> Index:
    """Read through, here and now."""
    index = Index(Reel(stored), Past(stored).first_plan, shelf)
    index._run()
    return index


def test_what_one_replay_finds_out_is_there_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.runtime.replay_index.WORTH", 1)
    stored = random_run(0)
    plan = Past(stored).first_plan
    first = indexed(stored, Shelf(stored, plan, spacing=5))
    assert [*stored.checkpoints()] == [0, *(n for n in stored.checkpoints() if n)]
    assert stored.last in stored.checkpoints()
    shelf = Shelf(stored, plan, spacing=5)
    second = Index(Reel(stored), plan, shelf)
    assert second.knows_all
    assert (second.troubles, second.end) == (first.troubles, first.end)
    for number in range(stored.last + 1):
        found = shelf.before(number)
        if number >= shelf.spacing:
            assert found is not None
            assert 0 <= number - found.number < 2 * shelf.spacing
        if found is not None:
            assert same(found.ledger, folded(stored, found.number)[0].ledger)


def test_a_damaged_checkpoint_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.runtime.replay_index.WORTH", 1)
    stored = random_run(0)
    plan = Past(stored).first_plan
    indexed(stored, Shelf(stored, plan, spacing=5))
    kept = {number: stored.checkpoint(number) or b"" for number in stored.checkpoints()}
    middle = sorted(kept)[len(kept) // 2]
    assert stored.keep_checkpoints({**kept, middle: b"nothing of that"})
    found = Shelf(stored, plan, spacing=5).before(middle)
    assert found is not None
    assert found.number < middle
    assert stored.keep_checkpoints({**kept, stored.last: b"nor of that"})
    assert Shelf(stored, plan, spacing=5).before(middle) is None


def test_there_are_never_too_many_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.runtime.shelf.MOST", 4)
    monkeypatch.setattr("dagtop.runtime.shelf.FEWEST", 1)
    stored = random_run(1)
    shelf = Shelf(stored, Past(stored).first_plan, spacing=2)
    indexed(stored, shelf)
    assert 2 <= len(shelf._numbers) <= 5
    assert shelf.last == stored.last
