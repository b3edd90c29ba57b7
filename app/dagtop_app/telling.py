"""`dagtop approve`, `reject`, `tell` and `gates`: to steer a run from another terminal, through its journal."""

from __future__ import annotations

import difflib
import getpass
import json
import shlex
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.observe.visible import storable
from dagtop.observe.wire import iso
from dagtop.ports.journal import Journal, StoredRun

from dagtop_app import headless, settings
from dagtop_app.options import UsageError
from dagtop_app.text import clean, duration, name_of, plural

#: Exit code of a command that the run refused.
REFUSED = 1

#: Commands that cannot come from outside of the run's process.
_ONLY_INSIDE = (cmd.SwapGraph,)

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
    stored = journal.load(run)
    return _give(journal, stored.record.run, command, hint=lambda: _names_waiting(journal, stored.record.run))


def tell_command(run: str, verb: str, values: Sequence[str], db: Path | None) -> int:
    """`dagtop tell`.

    Raises
    ------
    UsageError: there is no such command, or it takes other values.
    JournalError: there is no such run, nobody runs it, or it does not answer.
    """
    command = parse_command(verb, values)
    return _give(settings.journal_at(db), run, command, hint=str)


def _give(journal: Journal, run: str, command: cmd.Command, hint: Any) -> int:
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


def parse_command(verb: str, values: Sequence[str]) -> cmd.Command:
    """A command from its name and what it takes: values in the order of its fields, or NAME=VALUE; JSON, else text.

    Raises
    ------
    UsageError: there is no such command, or it takes other values.
    """
    kinds: dict[str, Any] = {
        str(kind.__struct_config__.tag): kind for kind in get_args(cmd.Command) if kind not in _ONLY_INSIDE
    }
    kind = kinds.get(verb)
    if kind is None:
        near = difflib.get_close_matches(verb, kinds, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(kinds)}"
        raise UsageError(f"there is no command {verb!r}; {hint}")
    fields = kind.__struct_fields__
    takes = f"{verb} takes {' '.join(fields)}" if fields else f"{verb} takes nothing"
    given: dict[str, Any] = {}
    texts = {field.name for field in msgspec.structs.fields(kind) if field.type is str}
    for place, text in enumerate(values):
        name, equals, value = text.partition("=")
        if not (equals and name in fields):
            if place >= len(fields):
                raise UsageError(f"{text!r} is too much: {takes}")
            name, value = fields[place], text
        if name in given:
            raise UsageError(f"{name} is given twice: {takes}")
        given[name] = value if name in texts else _json_or_text(value)
    try:
        command: cmd.Command = msgspec.convert({"do": verb, **given}, cmd.Command)
    except msgspec.ValidationError as error:
        raise UsageError(f"{takes}: {str(error).lower()}") from None
    return command


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


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

            def say() -> None:
                for text in texts:
                    headless.say(text)

            threading.Thread(target=say, daemon=True).start()

    def note(self, event: ev.GateWaiting) -> str:
        """One gate in words."""
        question = f" ({clean(event.prompt, 300)})" if event.prompt else ""
        within = "" if event.timeout is None else f" for {duration(event.timeout)}"
        waits = f"{name_of(event.task)} waits at its gate{within}{question}"
        if self._kept:
            return f"{waits}; to let it through, from another terminal: {approval(self._run, event.task, self._db)}"
        end = "" if event.timeout is not None else ", and it waits until the run is stopped"
        return f"{waits}; this run is not kept in a journal: no other terminal can decide about it{end}"
