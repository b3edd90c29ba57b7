"""`dagtop approve`, `reject`, `tell` and `gates`: to steer a run from another terminal, through its journal."""

from __future__ import annotations

import getpass
import json
import shlex
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.observe.redact import seen
from dagtop.observe.visible import storable
from dagtop.observe.wire import iso
from dagtop.ports.journal import Journal, StoredRun

from dagtop_app.commandline.typed import parse_command
from dagtop_app.plain.saying import say
from dagtop_app.settings import places as settings
from dagtop_app.text import clean, duration, name_of, plural

#: Exit code of a command that the run refused.
REFUSED = 1

#: What ends that a task stands at its gate, besides the end of the process.
_LEAVES_GATE = (
    ev.GateDecided,
    ev.TaskStarted,
    ev.TaskSucceeded,
    ev.TaskFailed,
    ev.TaskTimedOut,
    ev.TaskCancelled,
    ev.TaskSkipped,
    ev.TaskCached,
    ev.TaskRestarted,
)


class Waiting(NamedTuple):
    """A task that stands at its gate."""

    run: str
    graph: str
    task: str
    prompt: str
    since: float
    """Wall clock, as the next one."""
    deadline: float | None


# -- commands to a run ------------------------------------------------------------------------------------------------


def decide_command(run: str, task: str, reason: str, db: Path | None, *, approved: bool) -> int:
    """`dagtop approve` and `dagtop reject`.

    Raises
    ------
    JournalError: there is no such run, nobody runs it, or it does not answer.
    """
    command = cmd.ApproveTask(task, reason) if approved else cmd.RejectTask(task, reason)
    journal = settings.journal_at(db)
    stored = journal.load(going_on(journal, run))
    return _give(journal, stored.record.run, command, hint=lambda: _names_waiting(journal, stored.record.run))


def tell_command(run: str, verb: str, values: Sequence[str], reason: str, db: Path | None) -> int:
    """`dagtop tell`.

    Raises
    ------
    UsageError: there is no such command, or it takes other values.
    JournalError: there is no such run, nobody runs it, or it does not answer.
    """
    command = parse_command(verb, values, reason)
    journal = settings.journal_at(db)
    return _give(journal, going_on(journal, run), command, hint=str)


def going_on(journal: Journal, run: str) -> str:
    """Of "last" the run that was taken up latest among those that go on, however old it is; anything else as it is.

    Raises
    ------
    JournalError: the file cannot be read.
    """
    alive = [summary for summary in journal.runs() if summary.alive] if run == "last" else []
    return max(alive, key=lambda summary: summary.opened_at).run if alive else run


def _give(journal: Journal, run: str, command: cmd.Command, hint: Any) -> int:
    if reason := getattr(command, "reason", ""):  # it stands in the file until the run answers
        command = msgspec.structs.replace(command, reason=seen(reason))
    reply = journal.post(run, command, sender())
    if reply.applied:
        print(clean(reply.text) or f"{command.verb}: done")
        return 0
    print(f"dagtop: {command.verb} refused: {clean(reply.text)}{hint()}", file=sys.stderr)
    return REFUSED


def sender() -> str:
    """Who gives the command, as the run will tell it."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError, ImportError):
        return "another terminal"


# -- what waits -------------------------------------------------------------------------------------------------------


def gates_command(run: str | None, db: Path | None, *, as_json: bool) -> int:
    """`dagtop gates`.

    Raises
    ------
    JournalError: there is no such run, or the file cannot be read.
    """
    journal = settings.journal_at(db)
    alive = [run] if run is not None else [summary.run for summary in journal.runs() if summary.alive]
    found = [waiting for one in alive for waiting in waiting_in(journal.load(one))]
    if as_json:
        for one in found:
            print(storable(json.dumps(_object(one), ensure_ascii=False)))
        return 0
    for one in found:
        print("\n".join(_lines(one, db)))
    if not found:
        where = (
            f"in {plural(len(alive), 'run')} that goes on" if len(alive) == 1 else f"in {len(alive)} runs that go on"
        )
        print(f"nothing waits at a gate {where if run is None else f'in run {clean(run)}'}", file=sys.stderr)
    return 0


def waiting_in(stored: StoredRun) -> list[Waiting]:
    """The tasks of a run that stand at their gates now; none if nobody runs it."""
    if not stored.summary.alive:
        return []
    at_gate: dict[str, ev.GateWaiting] = {}
    for event in stored.events():
        if isinstance(event, ev.GateWaiting):
            at_gate[event.task] = event
        elif isinstance(event, _LEAVES_GATE):
            at_gate.pop(event.task, None)
        elif isinstance(event, (ev.RunResumed, ev.RunFinished)):
            at_gate.clear()
    record = stored.record
    return [
        Waiting(
            record.run,
            record.graph,
            event.task,
            event.prompt,
            record.started_at + event.at,
            None if event.timeout is None else record.started_at + event.at + event.timeout,
        )
        for event in at_gate.values()
    ]


def _names_waiting(journal: Journal, run: str) -> str:
    names = [name_of(one.task, 80) for one in waiting_in(journal.load(run))]
    return f"; what waits at a gate: {', '.join(names[:5])}" + (", …" if len(names) > 5 else "") if names else ""


def _object(one: Waiting) -> dict[str, Any]:
    deadline = None if one.deadline is None else iso(one.deadline)
    return {**one._asdict(), "since": iso(one.since), "deadline": deadline}


def _lines(one: Waiting, db: Path | None) -> Iterator[str]:
    question = clean(one.prompt, 1000) or "approve it?"
    yield f"{name_of(one.task)} of {name_of(one.graph)}, run {clean(one.run)}: {question}"
    # Local time: that is the clock on the reader's wall.
    times = f"since {datetime.fromtimestamp(one.since):%Y-%m-%d %H:%M:%S}"  # noqa: DTZ006
    if one.deadline is not None:
        times += f", until {datetime.fromtimestamp(one.deadline):%Y-%m-%d %H:%M:%S}"  # noqa: DTZ006
    yield f"  {times}; {approval(one.run, one.task, db)}"


def approval(run: str, task: str, db: Path | None) -> str:
    """What is typed to approve a task."""
    return " ".join(["dagtop approve", *(["--db", shlex.quote(str(db))] if db else []), run, _quoted(task)])


def _quoted(task: str) -> str:
    """A name as it can be typed; one that cannot be is cleaned, so that at least it can be read."""
    plain = clean(task)
    return ("-- " if plain.startswith("-") else "") + shlex.quote(plain)


# -- what a run without the console says ------------------------------------------------------------------------------


class GateNotes:
    """A recorder that says how to decide about each task that stands at a gate.

    Parameters
    ----------
    run: the run's id.
    kept: whether the run is kept in a journal, through which another terminal can reach it.
    """

    def __init__(self, run: str, *, kept: bool, db: Path | None) -> None:
        self._run, self._kept, self._db = run, kept, db

    def record(self, first: int, batch: Sequence[ev.AnyEvent]) -> None:
        """Take events; called by the engine, never waits."""
        texts = [self.note(event) for event in batch if type(event) is ev.GateWaiting]
        if texts:

            def say_all() -> None:
                for text in texts:
                    say(text)

            threading.Thread(target=say_all, daemon=True).start()

    def note(self, event: ev.GateWaiting) -> str:
        """One gate in words."""
        question = f" ({clean(event.prompt, 300)})" if event.prompt else ""
        within = "" if event.timeout is None else f" for {duration(event.timeout)}"
        waits = f"{name_of(event.task)} waits at its gate{within}{question}"
        if self._kept:
            return f"{waits}; to let it through, from another terminal: {approval(self._run, event.task, self._db)}"
        end = "" if event.timeout is not None else ", and it waits until the run is stopped"
        return f"{waits}; this run is not kept in a journal: no other terminal can decide about it{end}"
