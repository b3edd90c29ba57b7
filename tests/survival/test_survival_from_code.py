"""B33 from code: a new Reconciler goes on with the desired state that the one before had in the journal."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from dagtop import Graph, Reconciler, TaskContext, TaskState
from dagtop.core.events import Problem, RunStarted
from dagtop.errors import JournalError
from dagtop.journal.retention import Retention, prune
from dagtop.journal.sqlite import SqliteJournal
from dagtop.runtime.history import History

pytestmark = pytest.mark.anyio

Make = Callable[..., Reconciler]


#: Who began how often; not a variable that tasks close over, which would be a part of what they are.
STARTS: Counter[str] = Counter()


@pytest.fixture
def starts() -> Counter[str]:
    STARTS.clear()
    return STARTS


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(**options: Any) -> Reconciler:
        graph = Graph("services")

        @graph.task(restart="no")
        def once() -> int:
            STARTS["once"] += 1
            return 7

        for name in ("web", "extra"):
            graph.add(name, _service(name), depends_on=["once"])
        return Reconciler(graph, journal=tmp_path / "runs.db", **options)

    return made


def _service(name: str) -> Callable[[TaskContext], Any]:
    async def serve(ctx: TaskContext) -> None:
        STARTS[name] += 1
        ctx.ready()
        await anyio.sleep_forever()

    return serve


async def test_B33_what_was_stopped_and_changed_is_so_again_and_what_had_succeeded_is_not_done_twice(
    make: Make, starts: Counter[str]
) -> None:
    async with make() as one:
        await one.wait_ready(timeout=20)
        await one.stop_task("extra")
        await one.set_policy("web", restart="always", restart_backoff=3.0)
        await one.set_max_parallel(5)
        run = one.run_id
    assert starts == {"once": 1, "web": 1, "extra": 1}
    async with make() as two:
        assert await two.wait_ready("web", timeout=20)
        assert two.run_id == run
        assert two["extra"].wanted is False
        assert two["web"].policy.restart.base == 3.0
        assert two.snapshot.max_parallel == 5
    assert starts == {"once": 1, "web": 2, "extra": 1}
    async with make() as three:
        await three.start_task("extra")
        assert await three.wait_ready(timeout=20)
    async with make() as four:
        assert await four.wait_ready("extra", timeout=20)
    assert starts == {"once": 1, "web": 4, "extra": 3}


async def test_B33_it_begins_anew_if_that_is_said_or_the_run_is_open(make: Make, starts: Counter[str]) -> None:
    async with make() as one:
        await one.wait_ready(timeout=20)
        await one.stop_task("extra")
        async with make() as beside:
            assert beside.run_id != one.run_id
    async with make(resume=None) as anew:
        assert await anew.wait_ready(timeout=20)
    async with make(resume=one.run_id) as again:
        assert await again.wait_ready("web", timeout=20)
        assert again["extra"].wanted is False
    with pytest.raises(JournalError, match="no run"):
        await make(resume="nothing").start()


async def test_B33_stop_then_start_resumes_the_desired_state_in_one_process(make: Make, starts: Counter[str]) -> None:
    """The peer's tasks stayed stopped for ever (stop_start)."""
    async with make() as one:
        await one.wait_ready(timeout=20)
        await one.stop_task("extra")
        await one.stop()
        assert one["web"].state is TaskState.CANCELLED
        await one.start()
        assert await one.wait_ready("web", timeout=20)
        assert one["extra"].state is TaskState.CANCELLED
    assert starts == {"once": 1, "web": 2, "extra": 1}


async def test_B33_a_task_that_was_removed_and_is_added_again_runs(make: Make, starts: Counter[str]) -> None:
    """The peer's task stayed stopped for ever (readd_never_runs)."""
    async with make() as one:
        await one.wait_ready(timeout=20)
        whole = one.graph
        await one.update(Graph("services").add("other", _service("other")))
        await one.update(whole)
        assert await one.wait_ready("web", "extra", timeout=20)
    assert starts["web"] == starts["extra"] == 2


async def test_B33_an_id_that_was_removed_stays_removed_until_it_is_added_again(tmp_path: Path) -> None:
    """The peer's removed tasks came back from its checkpoint (checkpoint_removed_returns)."""

    async def run(task: str, spec: int, ctx: TaskContext) -> None:
        ctx.ready((task, spec))
        await anyio.sleep_forever()

    def made() -> Reconciler:
        graph = Graph.from_specs("workers", tasks={"a": 1, "b": 2, "c": 3}, run=run)
        return Reconciler(graph, journal=tmp_path / "runs.db")

    async with made() as one:
        assert await one.wait_ready(timeout=20)
        await one.update(remove=["b", "c"])
        await one.update(add={"c": 3})
        assert await one.wait_ready("c", timeout=20)
    async with made() as two:
        assert await two.wait_ready("a", "c", timeout=20)
        assert [row.name for row in two.snapshot.rows] == ["a", "c"]
        await two.update(add={"b": 2})
        assert await two.wait_ready("b", timeout=20)
    async with made() as three:
        assert await three.wait_ready("a", "b", "c", timeout=20)


def test_events_of_a_run_without_an_end_are_kept_up_to_a_bound_and_late_readers_are_told() -> None:
    told: list[str] = []
    history = History(lambda source, message: told.append(message), latest=10)
    for number in range(1, 101):
        history.record(number, [Problem(float(number), "x", str(number))])
    assert history.count == 100
    found = history.batch(0)
    assert found is not None
    number, batch = found
    assert 80 <= number <= 90
    assert batch[0].at == number + 1
    assert history.batch(100) is None
    assert history.batch(99) is not None
    assert threading.current_thread() is threading.main_thread()


async def test_B33_the_journal_has_one_run_with_a_session_for_each_process(make: Make, tmp_path: Path) -> None:
    for _ in range(3):
        async with make() as one:
            assert await one.wait_ready(timeout=20)
    stored = SqliteJournal(tmp_path / "runs.db").load("last")
    assert len(stored.sessions) == 3
    assert sum(isinstance(event, RunStarted) for event in stored.events()) == 1


async def test_B33_the_run_that_the_next_start_goes_on_with_is_never_pruned(
    make: Make, starts: Counter[str], tmp_path: Path
) -> None:
    """Each start told the journal that its run was one like any other, so `dagtop runs prune` let its desired state go."""
    async with make() as one:
        assert await one.wait_ready("web", timeout=20)
        run = one.run_id
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        pruned = prune(journal, Retention(keep=0))
    assert pruned.gone == ()
    assert [kept.run for kept, _ in pruned.spared] == [run]
