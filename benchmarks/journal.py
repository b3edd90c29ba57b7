"""What the journal costs: `python benchmarks/journal.py [--tasks 100000] [--batches 3,30,300,3000]`.

Three events a task (ready, started, succeeded), as the engine records them, in batches of several sizes. Printed are the
processor time per event, of it the part on the engine's thread, the size of the file, and what reading costs. The bar is
0.7 µs per event: with it, an engine at 2 × floor stays within 3 × floor.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagtop.core.events import AnyEvent, RunStarted, TaskReady, TaskStarted, TaskSucceeded
from dagtop.core.plan import Plan
from dagtop.core.policy import DEFAULT_POLICY
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.journal import RunRecord

#: Processor time per event, in µs.
BAR = 0.7


def record_of(names: tuple[str, ...]) -> RunRecord:
    """A run of tasks that need nothing."""
    nothing: tuple[tuple[int, ...], ...] = ((),) * len(names)
    return RunRecord(
        run="r1",
        graph="g",
        source="",
        started_at=time.time(),
        pid=os.getpid(),
        names=names,
        upstream=nothing,
        fingerprints=("f",) * len(names),
    )


def batches_of(names: tuple[str, ...], size: int) -> list[list[AnyEvent]]:
    """The events of a run, cut into batches."""
    events: list[AnyEvent] = [RunStarted(0.0, "r1", "g", time.time(), len(names), 32)]
    for place, name in enumerate(names):
        at = place * 1.7e-5
        events += [TaskReady(at, name), TaskStarted(at + 1e-6, name, 1), TaskSucceeded(at + 2e-6, name, 1)]
    return [events[start : start + size] for start in range(0, len(events), size)]


def write(path: Path, names: tuple[str, ...], size: int, output: Any) -> dict[str, float]:
    """Record a whole run and close it."""
    batches = batches_of(names, size)
    count = sum(map(len, batches))
    writer = SqliteJournal(path).begin(record_of(names), print)
    cpu, thread, wall = time.process_time(), time.thread_time(), time.perf_counter()
    first = 1
    for batch in batches:
        writer.record(first, batch)
        first += len(batch)
    if output is not None:
        for name in names:
            writer.output(name, 1, output)
    writer.took(names, ("f" * 16,) * len(names), [2e-6] * len(names))
    engine = time.thread_time() - thread
    if not writer.close(120.0):
        raise SystemExit("the journal could not be written")
    spent = time.process_time() - cpu
    return {
        "cpu": spent / count * 1e6,
        "engine": engine / count * 1e6,
        "wall": (time.perf_counter() - wall) / count * 1e6,
        "MB": path.stat().st_size / 1e6,
    }


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds that a call takes."""
    before = time.perf_counter()
    call()
    return (time.perf_counter() - before) * 1e3


def read(path: Path, names: tuple[str, ...]) -> None:
    """Print what listing, reading and resuming a run cost."""
    order = range(len(names))
    nothing: tuple[tuple[int, ...], ...] = ((),) * len(names)
    index = {name: place for place, name in enumerate(names)}
    plan = Plan(
        name="g",
        names=names,
        index=index,
        upstream=nothing,
        downstream=nothing,
        order=order,
        policies=(DEFAULT_POLICY,) * len(names),
    )
    journal = SqliteJournal(path)
    print(f"  list of runs {timed(journal.runs):8.1f} ms")
    print(f"  load         {timed(lambda: journal.load('last')):8.1f} ms")
    stored = journal.load("last")
    print(f"  all events   {timed(lambda: list(stored.events())):8.1f} ms")
    stored = journal.load("last")
    usual = timed(lambda: journal.usual("", "g", names, ("f" * 16,) * len(names)))
    print(f"  usual times  {usual:8.1f} ms")
    print(f"  resumption   {timed(lambda: plan_resumption(stored, plan, ('f',) * len(names))):8.1f} ms")
    journal.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--batches", default="3,30,300,3000")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    names = tuple(f"task_{number}" for number in range(options.tasks))
    print(f"{options.tasks:,} tasks, 3 events each; best of {options.repeat}; bar {BAR} µs of processor time per event")
    print("  batch    µs/event   of it engine's thread    wall      MB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        for size in map(int, options.batches.split(",")):
            for label, output in ((str(size), None), (f"{size}+out", {"rows": 3, "ok": True})):
                found: list[dict[str, float]] = []
                for _ in range(options.repeat):
                    path.unlink(missing_ok=True)
                    found.append(write(path, names, size, output))
                best = min(found, key=lambda numbers: numbers["cpu"])
                told = "" if output is not None else "  ok" if best["cpu"] <= BAR else "  OVER THE BAR"
                numbers = f"{best['cpu']:8.2f} {best['engine']:18.3f} {best['wall']:15.2f} {best['MB']:8.1f}"
                print(f"  {label:9}{numbers}{told}")
        print("reading the last of them back:")
        read(path, names)


if __name__ == "__main__":
    main()
