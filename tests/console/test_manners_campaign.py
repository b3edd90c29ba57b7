"""Signals at any instant of a console on a real terminal: afterwards the terminal is as it was, and nothing is left behind.

It plays `ROUNDS` rounds; set DAGTOP_SIGNALS for another number, 200 before a release. The instants are drawn: whatever
moment one falls into, the same holds.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from console_terminal import PATIENCE, Real, on_terminal

ROUNDS = int(os.environ.get("DAGTOP_SIGNALS", "4"))

#: Tasks on the loop, in a thread, in a process of their own, and with a child.
BUSY = """
    import time
    import anyio
    from dagtop import Graph, TaskContext

    graph = Graph("busy", cancel_grace=5)

    def sleeps():
        import time
        time.sleep(1000)

    @graph.task
    async def waits():
        await anyio.sleep(1000)

    @graph.task
    def thread(ctx: TaskContext):
        while not ctx.cancelled:
            print("going on")
            time.sleep(0.02)

    @graph.task
    async def child():
        async with await anyio.open_process(["sleep", "1000"]) as process:
            try:
                await process.wait()
            finally:
                process.kill()

    graph.add("process", sleeps, backend="process")
"""

CODES = {
    signal.SIGINT: 130,
    signal.SIGTERM: 143,
    signal.SIGHUP: 129,
    signal.SIGQUIT: 131,
}


def in_session(pid: int) -> list[str]:
    """What still runs of all that a process has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue
            name, _, rest = text.rpartition(")")
            state, _, _, session, *_ = rest.split()
            if session == str(pid) and state not in "ZX":
                found.append(name)
    return found


def drain(real: Real, seconds: float) -> bool:
    """Take what comes for a while; False if it has ended."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not real.look(min(0.02, left)):
            return False
    return True


def go_on_until_its_end(real: Real, story: str) -> None:
    """A console that was busy stops itself only now, after the first SIGCONT: a shell continues what it sees stopped."""
    deadline = time.monotonic() + PATIENCE
    while drain(real, 0.5):
        assert time.monotonic() < deadline, f"{story}\n{real.text}"
        with suppress(ProcessLookupError):
            os.kill(real.child.pid, signal.SIGCONT)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_signals_at_any_instant_leave_nothing_behind(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    delay, numbers = dice.choice([0.05, 0.3, 1.0, 2.0]) * dice.random() * 2, [dice.choice(list(CODES))]
    while dice.random() < 0.5:
        numbers.append(dice.choice(list(CODES)))
    stops = dice.random() < 0.4
    with on_terminal(tmp_path, BUSY) as real:
        pid = real.child.pid
        drain(real, delay)
        if stops:
            os.kill(pid, signal.SIGTSTP)
            drain(real, dice.random() / 2)
            os.kill(pid, signal.SIGCONT)
            drain(real, dice.random() / 2)
        for number in numbers:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            drain(real, dice.random() / 5)
        story = f"after {delay:.3f} s, stops={stops}: {[one.name for one in numbers]}"
        go_on_until_its_end(real, story)
        code = real.end()
        if code is None:
            assert real.child.signalstatus in numbers, story
            code = 128 + (real.child.signalstatus or 0)
        assert code in {CODES[number] for number in numbers}, f"{story}: {code}\n{real.raw[-3000:]}"
        if "?1049h" in real.raw:
            real.check_that_all_is_restored()
        ours = "Traceback" in real.raw and "entry.py" in real.raw  # Python's own, before anything of ours was there
        assert not ours, f"{story}\n{real.raw[-3000:]}"
        deadline = time.monotonic() + PATIENCE
        while left := in_session(pid):
            assert time.monotonic() < deadline, f"{story}: {left}"
            time.sleep(0.02)
        if (journal := tmp_path / "runs.db").exists():
            with closing(sqlite3.connect(journal)) as kept:
                assert kept.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
