"""A process that is killed: it runs, or goes on with, a graph of sixty tasks, and leaves in files what it did and what it knew.

As a program it is a nursery: for each line on its standard input, a `Plan` as JSON, it forks a child that does that, waits for
its end, and answers with how it ended. Forking costs a tenth of what starting Python and importing dagtop does.

Beside the journal process number N leaves `ran.N`, a line for each task whose work was done; `seen.N`, a line for each event that
it has seen; and `safe.N`, 8 bytes: the number of the last event that its journal has called safe.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import resource
import signal
import struct
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from dagtop import DAGExecutor, Graph
from dagtop.core.events import AnyEvent
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal

TASKS = 60


class Plan:
    """What a child does, and when it is killed.

    folder: where all of it lies. seed: of the graph. session: from 1. event, delay: it dies so many seconds after it has seen so
    many events; -1: it does not. room: bytes that a file may grow to; 0 for any. weight: bytes of each output.
    """

    def __init__(
        self, folder: str, seed: int, session: int, event: int = -1, delay: float = 0.0, room: int = 0, weight: int = 10
    ) -> None:
        self.folder, self.seed, self.session, self.event = folder, seed, session, event
        self.delay, self.room, self.weight = delay, room, weight


def needs_of(seed: int) -> dict[str, tuple[str, ...]]:
    """By task: what it waits for."""
    dice = random.Random(seed)
    names = [f"t{number}" for number in range(TASKS)]
    return {
        name: tuple(sorted(set(dice.sample(names[max(0, place - 12) : place], min(place, dice.randrange(3))))))
        for place, name in enumerate(names)
    }


def output_of(name: str, above: Sequence[Any], weight: int) -> list[Any]:
    """What a task returns: nobody can make it up who has lost what it comes from."""
    return [
        name,
        sum(hash((one[0], one[1])) % 1009 if isinstance(one[1], str) else one[1] for one in above) + 1,
        "x" * weight,
    ]


def graph_of(plan: Plan) -> Graph:
    """The graph, whose tasks leave a line when they have done their work. Every sixth runs in a thread."""
    graph = Graph("crash", max_parallel=6)
    path = Path(plan.folder, f"ran.{plan.session}")
    ran = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def done(name: str, ctx: Any, above: tuple[str, ...]) -> list[Any]:
        value = output_of(name, [ctx.upstream[one] for one in above], plan.weight)
        os.write(ran, f"{name}\n".encode())
        return value

    def add(place: int, name: str, above: tuple[str, ...]) -> None:
        async def soon(ctx: Any) -> list[Any]:
            await anyio.sleep(0.001 * (place % 4))
            return done(name, ctx, above)

        def in_a_thread(ctx: Any) -> list[Any]:
            return done(name, ctx, above)

        graph.add(name, in_a_thread if place % 6 == 0 else soon, depends_on=list(above))

    for place, (name, above) in enumerate(needs_of(plan.seed).items()):
        add(place, name, above)
    return graph


class Witness:
    """Writes down each event, and gives the sign to die."""

    def __init__(self, plan: Plan) -> None:
        self._file = os.open(Path(plan.folder, f"seen.{plan.session}"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._left = plan.event
        self.sign = threading.Event()
        if plan.event == 0:
            self.sign.set()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        os.write(self._file, "".join(f"{first + place} {event!r}\n" for place, event in enumerate(batch)).encode())
        self._left -= len(batch)
        if self._left <= 0:
            self.sign.set()


class Journal(SqliteJournal):
    """Tells what its writer has called safe, in memory that outlives the process."""

    def watch(self, path: Path) -> None:
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._safe = mmap.mmap(file.fileno(), 8)

    def begin(self, *arguments: Any) -> Any:
        return self._watched(super().begin(*arguments))

    def resume(self, *arguments: Any) -> Any:
        return self._watched(super().resume(*arguments))

    def _watched(self, writer: Any) -> Any:
        def look() -> None:
            while True:
                self._safe[:] = struct.pack("<q", writer.committed)
                time.sleep(0.0005)

        threading.Thread(target=look, daemon=True).start()
        return writer


def live(plan: Plan) -> None:
    """Run, or go on with, the graph until its end, or until death comes."""
    if plan.room:
        resource.setrlimit(resource.RLIMIT_FSIZE, (plan.room, plan.room))
    witness = Witness(plan)

    def die() -> None:
        witness.sign.wait()
        time.sleep(plan.delay)
        os.kill(os.getpid(), signal.SIGKILL)

    if plan.event >= 0:
        threading.Thread(target=die, daemon=True).start()
    journal = Journal(Path(plan.folder, "runs.db"))
    journal.watch(Path(plan.folder, f"safe.{plan.session}"))
    graph = graph_of(plan)
    left = None
    if journal.runs():
        left = plan_resumption(journal.load("last"), graph.validate(), graph.fingerprints())
    anyio.run(DAGExecutor(graph, journal=journal, recorders=[witness], resume=left, capture=False).run)


def main() -> None:
    """The nursery."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                live(Plan(**json.loads(line)))
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
