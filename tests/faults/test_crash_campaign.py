"""A process that works on a run is killed again and again, at instants drawn with a seed, also in resuming or on a full disk.

However often: no task whose success was stored runs a second time, none is lost, and what the journal has is what the dying
processes had seen, at least up to what it had called safe. `DAGTOP_CRASHES=200` makes it two hundred deaths instead of these few,
and `DAGTOP_CRASH_SEED` others of them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from crash_world import Plan, needs_of, output_of
from dagtop.core.events import AnyEvent, RunResumed, TaskReady, TaskStarted, TaskSucceeded
from dagtop.core.states import TaskState
from dagtop.journal.sqlite import SqliteJournal, SqliteStoredRun
from dagtop.runtime.past import Past
from journal_scene import environ_for_children

CRASHES = int(os.environ.get("DAGTOP_CRASHES", "16"))
SEED = int(os.environ.get("DAGTOP_CRASH_SEED", "1"))
#: So often one run dies before it is let come to its end.
DEATHS = 4

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class Nursery:
    """Children to order. See `crash_world`."""

    def __init__(self) -> None:
        roots = environ_for_children()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "crash_world.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=roots,
        )

    def raise_one(self, plan: Plan) -> int:
        """Let a child do what is planned; returns how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(vars(plan)), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    one = Nursery()
    yield one
    one.close()


class Life:
    """One run, from its first process to its last, and what each left behind."""

    def __init__(self, folder: Path, seed: int, weight: int = 10) -> None:
        self.folder, self.seed, self.weight = folder, seed, weight
        self.sessions: list[int] = []
        """Those that came so far that the journal had them: they are numbered without gaps, processes are not."""
        self.processes = 0
        self.stored_before: set[str] = set()

    def plan(self, event: int = -1, delay: float = 0.0, room: int = 0) -> Plan:
        self.processes += 1
        return Plan(str(self.folder), self.seed, self.processes, event, delay, room, self.weight)

    def look(self) -> int:
        """See that all is as it must be after a process has ended; returns the number of events that are stored."""
        ran = self._lines("ran")
        twice = self.stored_before & {*ran}
        assert not twice, f"finished tasks ran again: {sorted(twice)}"
        assert len(ran) == len({*ran}), "a task ran twice in one process"
        with closing(SqliteJournal(self.folder / "runs.db")) as journal:
            if not journal.runs():
                assert self._safe() == 0
                return 0
            stored = journal.load("last")
            events = list(stored.events())
            assert len(events) >= self._safe(), "what was called safe is gone"
            if len(stored.sessions) > len(self.sessions):
                self.sessions.append(self.processes)
            self._compare(stored, events)
            names = {event.task for event in events if isinstance(event, TaskSucceeded)}
            assert self.stored_before <= names
            needs = needs_of(self.seed)
            known: dict[str, list[object]] = {}
            for name, above in needs.items():
                if all(one in known for one in above):
                    known[name] = output_of(name, [known[one] for one in above], self.weight)
            assert stored.outputs(names) == {name: known[name] for name in names}
            self.stored_before = names
            return len(events)

    def _compare(self, stored: SqliteStoredRun, events: list[AnyEvent]) -> None:
        """What is stored is what was seen; folded, at its end and somewhere before, it is what it was then."""
        numbered = dict(enumerate(events, 1))
        starts = [session.first for session in stored.sessions]
        for place, process in enumerate(self.sessions):
            end = starts[place + 1] if place + 1 < len(starts) else len(events) + 1
            for line in self._lines("seen", process):
                number, _, told = line.partition(" ")
                if starts[place] <= int(number) < end:
                    assert repr(numbered[int(number)]) == told
        for number in {len(events), random.Random(len(events)).randint(0, len(events))}:
            past = Past(stored)
            while not past.forward(number=number, most=100_000):  # it pauses where another process goes on
                pass
            folded = dict(zip(past.ledger.plan.names, past.ledger.state, strict=True))
            assert folded == states_after(needs_of(self.seed), events[:number]), number

    def _lines(self, kind: str, process: int | None = None) -> list[str]:
        path = self.folder / f"{kind}.{process or self.processes}"
        text = path.read_text() if path.exists() else ""
        return [line.removesuffix("\n") for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def _safe(self) -> int:
        path = self.folder / f"safe.{self.processes}"
        told = path.read_bytes() if path.exists() else b""
        return int.from_bytes(told, "little")  # it may have died before there were 8 of them


def states_after(needs: dict[str, tuple[str, ...]], events: list[AnyEvent]) -> dict[str, TaskState]:
    """Where each task stands, by the plainest of folds."""
    states = dict.fromkeys(needs, TaskState.WAITING)
    for event in events:
        match event:
            case RunResumed():
                states = {
                    name: state if state is TaskState.SUCCEEDED else TaskState.WAITING for name, state in states.items()
                }
            case TaskReady():
                states[event.task] = TaskState.READY
            case TaskStarted():
                states[event.task] = TaskState.RUNNING
            case TaskSucceeded():
                states[event.task] = TaskState.SUCCEEDED
            case _:
                pass
    return states


def finish(nursery: Nursery, life: Life) -> None:
    """Nobody kills it any more: it comes to its end, and every task has succeeded."""
    assert nursery.raise_one(life.plan()) == 0
    life.look()
    assert life.stored_before == {*needs_of(life.seed)}
    ran = [name for process in range(1, life.processes + 1) for name in life._lines("ran", process)]
    assert {*ran} == {*needs_of(life.seed)}
    with closing(SqliteJournal(life.folder / "runs.db")) as journal:
        (run,) = journal.runs()
        assert (run.state, run.alive) == ("succeeded", False)


@pytest.mark.parametrize("number", range(-(-CRASHES // DEATHS)))
def test_B38_B40_however_often_it_is_killed_no_finished_task_runs_twice_and_none_is_lost(
    nursery: Nursery, tmp_path: Path, number: int
) -> None:
    dice = random.Random(f"{SEED} {number}")
    life = Life(tmp_path, seed=dice.randrange(10**6))
    for _ in range(min(DEATHS, CRASHES - number * DEATHS)):
        # Later ones have less left to do; 0 is the beginning itself: the file is made, or the run is being taken up.
        event = dice.choice([0, dice.randrange(1, 200), dice.randrange(1, 60)])
        ended = nursery.raise_one(life.plan(event, delay=dice.random() * 0.04))
        assert ended in (-signal.SIGKILL, 0)
        life.look()
        if ended == 0:  # it was quicker than death
            assert life.stored_before == {*needs_of(life.seed)}
            break
    else:
        finish(nursery, life)


@pytest.mark.parametrize("number", range(max(2, CRASHES // 10)))
def test_B38_a_disk_that_fills_up_and_then_a_kill_leave_what_was_safe_and_the_rest_runs_when_there_is_room(
    nursery: Nursery, tmp_path: Path, number: int
) -> None:
    dice = random.Random(f"{SEED} full {number}")
    life = Life(tmp_path, seed=dice.randrange(10**6), weight=8_000)
    room = dice.randrange(450, 900) * 1000
    for _ in range(2):
        ended = nursery.raise_one(life.plan(dice.randrange(30, 180), delay=dice.random() * 0.1, room=room))
        assert ended in (-signal.SIGKILL, 0, 1)  # 1: there was not even room to take it up, and it said so
        life.look()
    finish(nursery, life)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("number", range(max(1, CRASHES // 20)))
def test_B38_the_same_of_a_real_disk_without_room_for_anything(
    nursery: Nursery, tmp_path: Path, small_disk: Path, number: int
) -> None:
    """Journal and its log share what is left; what the processes themselves tell is on another disk."""
    dice = random.Random(f"{SEED} disk {number}")
    life = Life(tmp_path, seed=dice.randrange(10**6), weight=8_000)
    (tmp_path / "runs.db").symlink_to(small_disk / "runs.db")
    size = dice.randrange(780, 1_100)
    for _ in range(2):
        resize(small_disk, f"{size}k")
        ended = nursery.raise_one(life.plan(dice.randrange(30, 180), delay=dice.random() * 0.1))
        assert ended in (-signal.SIGKILL, 0, 1)
        resize(small_disk, "8m")  # without a free byte SQLite cannot even read what a killed process has left
        life.look()
        size += 150
    finish(nursery, life)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True, capture_output=True)
