"""How fast a long run is opened and gone through: `python benchmarks/replay.py [--events 1000000] [--tasks 10000]`.

Needs the test extra (pexpect, pyte) and an installed dagtop. A run of so many events is written through the journal, with lines
of output, progress, retries and failures. Then, each beside its bar:

- open: `dagtop replay` in a real pseudo-terminal, from the call to the first paint of the screen, and to the run's end on it: the
  first time, and once checkpoints are kept; in seconds, and beside the first paint of an empty Textual app;
- jump: to instants all over the run, until the whole snapshot is there;
- step: event by event, back and forward;
- the longest that whoever draws waits for the story of a new instant.

Beside the seconds stands the processor time of the process, which others on the machine do not change much.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from console import EMPTY_APP, Terminal, report, shows
from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.core.failure import Failure
from dagtop.core.states import RunState
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.journal import RunRecord
from dagtop.runtime.replay import Replay

DAGTOP = [sys.executable, "-m", "dagtop_app"]
#: Seconds: to the first paint, of a jump, of a step, and of what may keep the screen.
OPEN, JUMP, STEP, KEEPS = 2.0, 0.15, 0.05, 0.05
RESET = Failure(
    error="OSError", message="connection reset by peer", traceback="Traceback (most recent call last):\n" * 8
)
perf, cpu = time.perf_counter, time.process_time


def life(name: str, place: int, at: float, told: int) -> Iterator[AnyEvent]:
    """What a task has to tell: `told` events beside those of its states."""
    yield ev.TaskReady(at, name)
    yield ev.TaskStarted(at + 0.0005, name, 1)
    attempt = 1
    if place % 50 == 0:
        attempt = 2
        yield ev.TaskRetrying(at + 0.001, name, 1, 0.0, RESET)
        yield ev.TaskReady(at + 0.001, name)
        yield ev.TaskStarted(at + 0.0011, name, 2)
    for number in range(told):
        now = at + 0.0012 + 0.001 * number / told
        if number % 5 == 4:
            yield ev.TaskProgress(now, name, number, told, "rows")
        else:
            yield ev.Log(now, name, attempt, "stdout", "", f"line {number} of what a task says while it works")
    if place % 997 == 996:
        yield ev.TaskFailed(at + 0.0025, name, attempt, RESET)
    else:
        yield ev.TaskSucceeded(at + 0.0025, name, attempt)


def write(path: Path, tasks: int, events: int) -> int:
    """A run of about so many events; how many it has."""
    names = tuple(f"stage_{number % 7}/load_{number}" for number in range(tasks))
    record = RunRecord(
        run="big",
        graph="big",
        source="",
        started_at=1.7e9,
        pid=os.getpid(),
        names=names,
        upstream=tuple((number - 10,) if number >= 10 else () for number in range(tasks)),
        fingerprints=("f" * 16,) * tasks,
    )
    writer = SqliteJournal(path).begin(record, print)
    told = max(0, round(events / tasks) - 3)
    number, at = 1, 0.0
    batch: list[AnyEvent] = [ev.RunStarted(0.0, "big", "big", 1.7e9, tasks, 32)]
    for place, name in enumerate(names):
        at += 0.003
        batch += life(name, place, at, told)
        if len(batch) > 3_000:
            writer.record(number, batch)
            number, batch = number + len(batch), []
    batch.append(ev.RunFinished(at + 1.0, RunState.FAILED, {"succeeded": tasks - tasks // 997, "failed": tasks // 997}))
    writer.record(number, batch)
    if not writer.close(600.0):
        raise SystemExit("the journal could not be written")
    return number + len(batch) - 1


def opened(path: Path, last: int, what: str) -> None:
    """From the call to the first paint, and to the last event on the screen, which shows all of the run then."""
    begun = perf()
    terminal = Terminal([*DAGTOP, "replay", "last", "--db", str(path)])
    terminal.until(shows("WHY / NEXT"), timeout=300)
    paint = perf() - begun
    terminal.until(shows(f"event {last:,} of {last:,}"), timeout=300)
    there = perf() - begun
    terminal.end()
    begun = perf()
    terminal = Terminal([sys.executable, "-c", EMPTY_APP])
    terminal.until(shows("ready"), timeout=300)
    least = perf() - begun
    terminal.end()
    figure = f"{paint:.2f} s, {there:.2f} s = {paint / least:.1f}, {there / least:.1f} x"
    report(f"{what}: first paint, its end", figure, paint < OPEN, f"{OPEN:g} s")


def timed(act: Callable[[], object], replay: Replay) -> tuple[float, float, float]:
    """Seconds until the instant is shown, of the processor for it, and that its story takes from whoever draws."""
    begun, spent = perf(), cpu()
    act()
    while replay.transport.heading is not None:
        time.sleep(0.0002)
    there, spent = perf() - begun, cpu() - spent
    begun = perf()
    replay.story.catch_up()
    return there, spent, perf() - begun


def told(what: str, found: list[tuple[float, float, float]], bar: float) -> None:
    """One line: seconds, and those of the processor."""
    walls, spent = sorted(wall for wall, _, _ in found), statistics.median(used for _, used, _ in found)
    median, p95 = statistics.median(walls), walls[int(len(walls) * 0.95)]
    figure = f"median {median * 1e3:.0f}, p95 {p95 * 1e3:.0f}, processor {spent * 1e3:.0f} ms"
    report(what, figure, median <= bar, f"{bar * 1e3:.0f} ms")


def gone_through(path: Path, count: int) -> None:
    """Jumps and steps in a run of which all is read."""
    begun, spent = perf(), cpu()
    stored = SqliteJournal(path).load("last")
    replay = Replay(stored, at_end=True)
    replay.start()
    while replay.transport.read < 1.0 or replay.transport.filling or replay.transport.heading is not None:
        time.sleep(0.01)
    print(
        f"{'all of it is read, in the background':44} {perf() - begun:20.2f} s, processor {cpu() - spent:.2f} s",
        flush=True,
    )
    dice, last = random.Random(1), stored.last
    jumps = [timed(lambda: replay.seek(dice.randint(0, last)), replay) for _ in range(count)]
    told("jump to any instant", jumps, JUMP)
    timed(lambda: replay.seek(last // 2), replay)
    told("step back", [timed(lambda: replay.step(-1), replay) for _ in range(count)], STEP)
    told("step forward", [timed(lambda: replay.step(1), replay) for _ in range(count)], STEP)
    keeps = max(took for _, _, took in jumps)
    report(
        "whoever draws waits for the story, at most", f"{keeps * 1e3:.0f} ms", keeps <= KEEPS, f"{KEEPS * 1e3:.0f} ms"
    )
    replay.close()
    replay.join(60.0)
    stored.close()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--count", type=int, default=60)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        last = write(path, chosen.tasks, chosen.events)
        print(f"a run of {chosen.tasks:,} tasks, {last:,} events, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        opened(path, last, "the first time")
        gone_through(path, chosen.count)
        stored = SqliteJournal(path).load("last")
        kept = [stored.checkpoint(number) or b"" for number in stored.checkpoints()]
        stored.close()
        print(f"{'kept for the next time':44} {len(kept):20,} checkpoints, {sum(map(len, kept)) / 1e6:.1f} MB")
        opened(path, last, "with checkpoints")
    return 0


if __name__ == "__main__":
    sys.exit(main())
