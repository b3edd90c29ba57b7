"""Runs that were kept, for the tests of the list of them: made up ones, and some that were run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timezone
from pathlib import Path
from typing import Any

from console_fakes import FakeEngine, running_mix
from console_pilot import Clock, Seen
from dagtop import DAGExecutor, Graph
from dagtop.errors import JournalError
from dagtop.journal.memory import MemoryJournal
from dagtop.ports.journal import RunSummary
from dagtop_app.console import ConsoleApp
from dagtop_app.screens.run_list import RunList
from msgspec.structs import replace

#: 2026-11-21 12:00:00 UTC.
NOW = 1_795_262_400.0
UTC = timezone.utc  # noqa: UP017 - 3.11 has the shorter name, and tests read the same

HOSTILE = "\x1b[31mevil\x07[/bold]\u202e\n" + "w" * 90


def summary(number: int, state: str = "succeeded", *, seconds: float | None = 60.0, **fields: Any) -> RunSummary:
    """A run that began so many hours ago."""
    began = NOW - 3600.0 * number
    over = state in {"succeeded", "failed", "cancelled", "timed_out"}
    given: dict[str, Any] = {
        "run": f"20261121-{number:04}-abcdef", "graph": "nightly", "source": "/srv/nightly.py", "started_at": began,
        "state": state, "finished_at": began + seconds if over and seconds is not None else None,
        "counts": {"succeeded": 58} if state == "succeeded" else {}, "tasks": 58, "pid": 4242,
    }  # fmt: skip
    return RunSummary(**(given | fields))


def some() -> list[RunSummary]:
    """One of every kind, latest first."""
    return [
        summary(1, "running", alive=True, pid=3131, graph="crawl", source="/srv/crawl.py", tasks=12_000),
        summary(2, seconds=252.0),
        summary(3, "failed", counts={"succeeded": 51, "failed": 2, "skipped": 5}),
        summary(4, "crashed", finished_at=None),
        summary(5, seconds=118.0),
        summary(6, "incomplete", incomplete="no space is left on the disk", graph="etl", source="", tasks=9),
        summary(7, "cancelled", counts={"succeeded": 3, "cancelled": 55}),
        summary(8, seconds=121.0),
        summary(30, "timed_out", counts={"succeeded": 40, "timed_out": 1, "cancelled": 17}),
        summary(31, seconds=109.0, graph=HOSTILE, source=HOSTILE),
        summary(32, seconds=120.0),
        summary(9000, seconds=3.2, counts={"succeeded": 50, "cached": 8}),
    ]


class FakeJournal:
    """A list of runs, and what was asked for."""

    def __init__(self, runs: Sequence[RunSummary]) -> None:
        self.kept = list(runs)
        self.wrong: Exception | None = None
        self.posted: list[tuple[str, Any, str]] = []
        self.path = Path("history.db")

    def runs(self) -> Sequence[RunSummary]:
        if self.wrong is not None:
            raise self.wrong
        return tuple(self.kept)

    def load(self, run: str) -> Any:
        raise JournalError(f"there is no run {run}")

    def usual(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}

    def post(self, run: str, command: Any, by: str, *, patience: float = 10.0) -> Any:
        from dagtop.ports.journal import Reply

        self.posted.append((run, command, by))
        return Reply(applied=True, text="cancelling")


class Runs(Seen):
    """A console with the list of runs open."""

    journal: Any

    @property
    def list(self) -> RunList:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, RunList))

    @property
    def run(self) -> str:
        """The run under the cursor."""
        row = self.list.table.row
        return row.run if row is not None else ""

    async def done(self) -> None:
        """Until nothing is done aside any more, and what came of it is seen."""
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()
        await self.settle()

    async def settle(self) -> None:
        await super().settle()
        for screen in self.app.screen_stack:
            if isinstance(screen, RunList):
                screen.poll()
        await self.pilot.pause()


def list_app(journal: Any, engine: Any = None, *, snapshot: Any = None) -> ConsoleApp:
    """A console that has such a journal."""
    live = (
        snapshot if snapshot is not None else replace(running_mix(), started_at=NOW - 252.0, run="20261121-1155-livexx")
    )
    app = ConsoleApp(engine if engine is not None else FakeEngine(live), title="nightly.py", now=lambda: 0.0)
    app.main.journal = journal
    return app


def open_list(app: ConsoleApp) -> None:
    """As the key does, but with a clock and a wall of its own."""
    screen = RunList(app.main.journal, app.main, now=lambda: 0.0, wall=lambda: NOW, zone=UTC)  # type: ignore[arg-type]
    app.push_screen(screen)


@asynccontextmanager
async def listed(
    journal: Any, engine: Any = None, size: tuple[int, int] = (100, 30), **more: Any
) -> AsyncIterator[Runs]:
    """The list, read."""
    app = list_app(journal, engine, **more)
    async with app.run_test(size=size) as pilot:
        seen = Runs(app, pilot, app.bridge.engine, Clock())  # type: ignore[arg-type]  # it is asked for nothing else
        seen.journal = journal
        open_list(app)
        await pilot.pause()
        await seen.done()
        yield seen


async def some_runs() -> MemoryJournal:
    """Two runs of a graph of which the later one fails, and one of another."""
    journal = MemoryJournal()
    await _run(journal, "daily", fails=False)
    await _run(journal, "other", fails=False)
    await _run(journal, "daily", fails=True)
    return journal


async def _run(journal: MemoryJournal, name: str, *, fails: bool) -> None:
    graph = Graph(name)

    @graph.task
    def first() -> int:
        return 42

    @graph.task(depends_on=[first])
    def second() -> None:
        if fails:
            raise OSError("no such disk")

    await DAGExecutor(graph, journal=journal, capture=True).run()
