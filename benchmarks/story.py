"""What it costs to know what has happened in a run: `python benchmarks/story.py`. Prints figures beside their bars."""

from __future__ import annotations

import statistics
import time
import tracemalloc

from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.observe.story import Story

TASKS, AT_ONCE = 100_000, 50
perf = time.perf_counter


def batches() -> list[tuple[int, list[AnyEvent]]]:
    """A run of so many tasks, as an engine tells it."""
    made: list[tuple[int, list[AnyEvent]]] = []
    for first in range(0, TASKS, AT_ONCE):
        names = [(0.001 * n, f"load[{n}]") for n in range(first, first + AT_ONCE)]
        batch: list[AnyEvent] = [ev.TaskReady(at, name) for at, name in names]
        batch += [ev.TaskStarted(at + 0.0005, name, 1) for at, name in names]
        batch += [ev.TaskSucceeded(at + 0.5, name, 1) for at, name in names]
        made.append((3 * first + 1, batch))
    return made


def main() -> None:
    """Measure, several times, since others use the machine too."""
    told = batches()
    events = sum(len(batch) for _, batch in told)
    queued, taken = [], []
    for _ in range(5):
        story, begun = Story(), perf()
        for first, batch in told:
            story.record(first, batch)
        between = perf()
        story.catch_up()
        queued.append((between - begun) / events * 1e6)
        taken.append((perf() - between) / events * 1e6)
    print(f"queue an event, on the engine's thread   {min(queued):6.3f} µs   bar 0.2 µs")
    print(
        f"take an event, on the console's          {min(taken):6.3f} µs   bar 2 µs   median {statistics.median(taken):.3f}"
    )
    tracemalloc.start()
    story = Story()
    for first, batch in told:
        story.take(first, batch)
    size, _ = tracemalloc.get_traced_memory()
    print(f"{TASKS:,} tasks are kept in              {size / 1e6:6.1f} MB   bar 64 MB")


if __name__ == "__main__":
    main()
