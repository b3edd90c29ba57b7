"""B8: what earlier runs took orders the next one, and is there for reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph
from dagtop.core import events as ev
from dagtop.core.commands import MarkSucceeded, RestartTask
from dagtop.core.ledger import Ledger
from dagtop.core.states import TaskState
from dagtop.errors import JournalError
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.sqlite import SqliteJournal
from dagtop.journal.usual import UNKNOWN
from dagtop.ports.journal import RunRecord
from dagtop.runtime.costs import seconds_of
from engine_driver import Watch, live

pytestmark = pytest.mark.anyio

NAMES = ("a", "b", "c", "d")


def wide(**options: Any) -> Graph:
    graph = Graph("wide", max_parallel=1, **options)
    for name in NAMES:
        graph.add(name, lambda: None)
    return graph


class Remembers(MemoryJournal):
    """A journal of which the test says what earlier runs took."""

    def __init__(self, **seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self.asked = 0

    def begin(self, record: RunRecord, on_problem: Any) -> Any:
        writer = super().begin(record, on_problem)
        if self._seconds and not self.asked:
            told = [self._seconds.get(name, UNKNOWN) for name in record.names]
            writer.took(record.names, record.fingerprints, told)
        return writer

    def usual(self, *asked: Any) -> Any:
        self.asked += 1
        return super().usual(*asked)


async def started(graph: Graph, journal: Any, **config: Any) -> list[str]:
    watch = Watch()
    executor = DAGExecutor(graph, ExecutorConfig(**config), journal=journal, recorders=[watch], capture=False)
    assert (await executor.run()).ok
    return [event.task for event in watch.of(ev.TaskStarted)]


async def test_B8_without_history_tasks_start_in_the_order_of_declaration() -> None:
    assert await started(wide(), MemoryJournal()) == [*"abcd"]


async def test_B8_what_took_longest_in_earlier_runs_starts_first() -> None:
    assert await started(wide(), Remembers(a=1.0, b=4.0, c=2.0, d=3.0)) == [*"bdca"]


async def test_B8_a_task_without_history_counts_as_the_median() -> None:
    assert await started(wide(), Remembers(a=1.0, b=5.0, d=3.0)) == [*"bcda"]


async def test_B8_the_same_graph_and_history_give_the_same_order() -> None:
    orders = [await started(wide(), Remembers(a=2.0, b=2.0, c=3.0, d=2.0)) for _ in range(3)]
    assert orders == [[*"cabd"]] * 3


async def test_B8_priority_goes_before_history() -> None:
    graph = Graph("wide", max_parallel=1)
    graph.add("a", lambda: None).add("b", lambda: None).add("c", lambda: None, priority=1)
    assert await started(graph, Remembers(a=1.0, b=9.0, c=1.0)) == [*"cba"]


async def test_B8_a_declared_cost_goes_before_history() -> None:
    graph = Graph("wide", max_parallel=1)
    graph.add("a", lambda: None, cost=100).add("b", lambda: None, cost=1).add("c", lambda: None)
    # a and b are declared: 100 units took 1 s and 1 unit 9 s, in the middle 4.505 s; c took 20 s.
    assert await started(graph, Remembers(a=1.0, b=9.0, c=20.0)) == [*"acb"]


async def test_B8_the_history_is_read_once_before_the_run_and_not_at_all_without_a_journal() -> None:
    journal = Remembers(a=1.0)
    await started(wide(), journal)
    assert journal.asked == 1
    executor = DAGExecutor(wide(), capture=False)
    engine = executor.prepare()
    await executor.run()
    assert engine.job.usual == engine.machine.usual == {}


async def test_B8_two_runs_in_one_file_know_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for number in range(3):
        executor = DAGExecutor(wide(), journal=path, capture=False)
        engine = executor.prepare()
        await executor.run()
        assert set(engine.job.usual) == (set(range(4)) if number else set())
    found = SqliteJournal(path).usual("", "wide", NAMES, wide().fingerprints())
    assert {name: usual.runs for name, usual in found.items()} == dict.fromkeys(NAMES, 3)


async def test_only_attempts_that_succeeded_are_measured(tmp_path: Path) -> None:
    def fails() -> None:
        raise ValueError("no")

    graph = Graph("some").add("good", lambda: 1).add("bad", fails).add("after", lambda bad: 1)
    journal = SqliteJournal(tmp_path / "runs.db")
    await DAGExecutor(graph, journal=journal, capture=False).run()
    assert set(journal.usual("", "some", graph.names, graph.fingerprints())) == {"good"}


async def test_what_a_person_marked_is_not_measured() -> None:
    def fails() -> None:
        raise ValueError("no")

    graph = Graph("some").add("bad", fails)
    async with live(graph) as run:
        run.engine.hold_open = True
        await run.until(ev.RunFinished)
        await run.command(MarkSucceeded("bad", 5))
        run.engine.close()
    assert seconds_of(run.engine.machine.ledger) == [UNKNOWN]


async def test_a_task_that_ran_twice_is_measured_by_its_latest_success() -> None:
    async with live(Graph("one").add("a", lambda: None)) as run:
        run.engine.hold_open = True
        await run.until(ev.RunFinished)
        await run.command(RestartTask("a"))
        await run.until(ev.RunFinished, count=2)
        run.engine.close()
    begun, ended = run.of(ev.TaskStarted)[-1], run.of(ev.TaskSucceeded)[-1]
    assert seconds_of(run.engine.machine.ledger) == [ended.at - begun.at]


def test_what_another_process_did_is_not_measured_again() -> None:
    plan = wide().validate()
    ledger = Ledger(plan)
    ledger.seed(0, 1, succeeded=True)
    assert ledger.state[0] is TaskState.SUCCEEDED
    assert seconds_of(ledger) == [UNKNOWN] * 4


async def test_history_that_cannot_be_read_is_a_problem_and_the_run_goes_on() -> None:
    class Broken(MemoryJournal):
        def usual(self, *asked: Any) -> Any:
            raise JournalError("the journal is damaged")

    watch = Watch()
    result = await DAGExecutor(wide(), journal=Broken(), recorders=[watch], capture=False).run()
    assert result.ok
    (problem,) = watch.of(ev.Problem)
    assert problem.message == "how long tasks usually take is not known: the journal is damaged"
