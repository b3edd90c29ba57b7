"""One run, and two that want to go on with it at the same time: only one of them may."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from dagtop import DAGExecutor, Graph
from dagtop.core.states import RunState
from dagtop.errors import JournalError
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal

pytestmark = pytest.mark.anyio


async def test_B38_of_two_that_resume_at_once_one_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    """Both had read the run before either had taken it up; the second one was told so, and ran every task again."""
    ready = tmp_path / "ready"
    ran = tmp_path / "ran"

    def first() -> int:
        with ran.open("a") as file:
            file.write("first ")
        return 1

    def second(first: int) -> int:
        if not ready.exists():
            raise OSError("not yet")
        with ran.open("a") as file:
            file.write("second ")
        return first + 1

    graph = Graph("g").add("first", first).add("second", second)
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        await DAGExecutor(graph, journal=journal, capture=False).run()
        ready.touch()
        stored = journal.load("last")
        plans = [plan_resumption(stored, graph.validate(), graph.fingerprints()) for _ in range(2)]
        winner, loser = (DAGExecutor(graph, journal=journal, resume=plan, capture=False) for plan in plans)
        assert (await winner.run()).state is RunState.SUCCEEDED
        events = len(list(journal.load("last").events()))
        with pytest.raises(JournalError):
            await loser.run()
        assert ran.read_text() == "first second "
        assert len(list(journal.load("last").events())) == events
