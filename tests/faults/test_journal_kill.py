"""`kill -9`: what was said to be safe is there, whole and in order, and the run can be gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest
from dagtop.core.events import RunResumed, TaskSucceeded
from dagtop.errors import JournalError
from dagtop.journal.liveness import describe, is_alive, pid_of, this_process
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from journal_scene import environ_for_children, plan_of, record_of, resume

#: Records task after task as fast as it can, and says after each round how far it is safe.
VICTIM = """
    import sys
    from journal_scene import begin, record_of
    from dagtop.journal.sqlite import SqliteJournal

    names = [f"t{number}" for number in range(20_000)]
    session = begin(SqliteJournal(sys.argv[1]), record_of("r1", dict.fromkeys(names, ())))
    session.start()
    for number, name in enumerate(names):
        session.succeed(name, [number, "x" * (number % 500)])
        if number % 3 == 0:
            print(session.writer.committed, flush=True)
"""


def start(tmp_path: Path, program: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", dedent(program), str(tmp_path / "runs.db")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environ_for_children())


@pytest.mark.parametrize("rounds", [1, 50, 400, 1500])
def test_B38_what_was_safe_outlives_kill_9_whole_and_in_order(tmp_path: Path, rounds: int) -> None:
    victim = start(tmp_path, VICTIM)
    assert victim.stdout is not None
    for _ in range(rounds):
        safe = int(victim.stdout.readline())
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        assert journal.runs()[0].alive
        with pytest.raises(JournalError, match=f"still open in process {victim.pid}"):
            plan_resumption(journal.load("last"), plan_of({"t0": ()}), ["f"])
        victim.kill()
        # What it had said before it died, which we had not read yet.
        said = [int(line) for line in victim.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
        safe = max([safe, *said])
        victim.stdout.close()
        assert victim.wait() == -signal.SIGKILL

        [line] = journal.runs()
        assert (line.state, line.alive) == ("crashed", False)
        stored = journal.load("r1")
        events = list(stored.events())
        assert len(events) >= safe
        succeeded = [event.task for event in events if isinstance(event, TaskSucceeded)]
        assert succeeded == [f"t{number}" for number in range(len(succeeded))]
        for number, name in enumerate(succeeded):
            if number % 97 == 0:
                assert stored.output(name) == [number, "x" * (number % 500)]

        names = [f"t{number}" for number in range(20_000)]
        resumption = plan_resumption(stored, plan_of(dict.fromkeys(names, ())), ["f"] * len(names))
        assert list(resumption.kept) == succeeded
        assert resumption.left == tuple(names[len(succeeded) :])
        again = resume(journal, record_of("r1", dict.fromkeys(names, ())), resumption.next_event)
        again.record(RunResumed(99.0, len(succeeded)))
        assert again.writer.close()
        assert len(list(stored.events())) == len(events) + 1


def test_a_program_that_forgets_to_close_loses_nothing(tmp_path: Path) -> None:
    program = """
        import sys
        from journal_scene import begin, ready, record_of
        from dagtop.journal.sqlite import SqliteJournal

        session = begin(SqliteJournal(sys.argv[1]), record_of("r1", {}))
        session.record(*ready(5000))
    """
    process = start(tmp_path, program)
    assert process.wait() == 0
    process.communicate()
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        assert len(list(journal.load("r1").events())) == 5000


def test_a_process_is_known_by_more_than_its_number() -> None:
    here = this_process()
    assert is_alive(here)
    assert pid_of(here) == os.getpid()
    pid, started, *rest = here.split(" ")
    assert not is_alive(" ".join([pid, str(int(started) + 1), *rest]))
    for nobody in ("", "x", "0", "-1", "99999999999999999999999", "٣"):
        assert not is_alive(nobody)


def test_a_dead_process_that_nobody_has_asked_about_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    known = describe(process.pid)
    assert is_alive(known)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(known)
    process.communicate()
    assert not is_alive(known)
