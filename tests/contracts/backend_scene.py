"""The four places where a task may run, as the contract tests see them."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from dagtop import DAGExecutor, ExecutorConfig, Graph
from dagtop.core import events as ev
from engine_driver import Live, check_books


@dataclass(frozen=True)
class Place:
    """One backend."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def is_here(self) -> bool:
        """Whether its tasks run in the engine's process."""
        return self.name in {"async", "thread"}

    def fits(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """A plain function as one that this backend takes."""
        if self.name != "async":
            return fn

        @functools.wraps(fn)
        async def run(*args: Any, **kwargs: Any) -> Any:
            return fn(*args, **kwargs)

        return run

    def add(self, graph: Graph, name: str, fn: Callable[..., Any], **options: Any) -> None:
        """Add a task that runs here."""
        graph.add(name, self.fits(fn), backend=self.name, **options)

    @asynccontextmanager
    async def live(self, graph: Graph, **config: Any) -> AsyncGenerator[Live]:
        """Run a graph beside the test, with its output captured."""
        run = Live(DAGExecutor(graph, ExecutorConfig(**{**self.config, **config}), capture=True))
        run.engine.add_recorders([run])

        async def carry_out() -> None:
            run.result = await run.executor.run()

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(carry_out)
                yield run
        check_books(run)

    async def run(self, graph: Graph, **config: Any) -> Live:
        """Run a graph to its end."""
        async with self.live(graph, **config) as run:
            pass
        return run


def lines_of(run: Live, task: str) -> list[tuple[str, int, str]]:
    """(stream, attempt, line) of a task's output."""
    return [(event.stream, event.attempt, event.line) for event in run.of(ev.Log) if event.task == task]


def children() -> set[int]:
    """The processes that this one has started, dead ones that nobody asked for included."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return {pid for pid, parent in pairs if parent == os.getpid()} - _those_of_ps(pairs)


def _those_of_ps(pairs: list[tuple[int, ...]]) -> set[int]:
    """`ps` itself, which is gone by now."""
    return {pid for pid, _ in pairs if not _is_there(pid)}


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
