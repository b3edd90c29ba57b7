"""The one place that knows the engine: looks at its snapshots, sends it commands, remembers what can be undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from dagtop.core import commands as do
from dagtop.core.events import CommandApplied, CommandRefused
from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow
from dagtop.core.states import GOOD, RUN_OVER, RunState
from dagtop.core.values import dataclass
from dagtop.observe.story import Story

from dagtop_app.steering import undo
from dagtop_app.text import name_of, plural

if TYPE_CHECKING:
    from dagtop.core.forecast import Usual

#: Who gives the commands, as the events tell it.
BY = "console"
#: Seconds that one look at the engine may take for what has happened since the last one; and of a run that is over.
CATCH_UP, CATCH_UP_AFTER = 0.006, 0.03


class LogLine(Protocol):
    """One line that a task printed or logged."""

    @property
    def number(self) -> int: ...
    @property
    def at(self) -> float: ...
    @property
    def task(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def stream(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def text(self) -> str: ...


class Logs(Protocol):
    """What the console reads of a `LogBook`; safe from any thread."""

    def tail(self, task: str | None, count: int) -> Sequence[LogLine]:
        """The latest `count` lines, oldest first, of one task or of all (None)."""
        ...

    def since(self, number: int, task: str | None = None, limit: int = 1000) -> Sequence[LogLine]:
        """Up to `limit` lines with a number above `number`, oldest first."""
        ...


class Engine(Protocol):
    """What the console asks of an `EngineThread`. Nothing here waits but `join`."""

    def send(self, command: do.Command, *, by: str) -> int: ...
    def where(self, task: str) -> str: ...
    def close(self) -> None: ...
    def join(self, timeout: float | None = None) -> bool: ...
    @property
    def latest(self) -> RunSnapshot: ...
    @property
    def logs(self) -> Logs: ...
    @property
    def story(self) -> Story | None: ...
    @property
    def result(self) -> Any: ...
    @property
    def error(self) -> BaseException | None: ...


class Idle:
    """An engine of this kind has no run: it stands where one will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What became of a command, for the line above the footer."""

    text: str
    tone: str
    """Style class: "warn" while it is under way, "good" or "bad" once it is answered."""


@dataclass(slots=True, eq=False)
class _Batch:
    """The answers to one command for many tasks."""

    left: int
    told: str = ""
    """What all of it comes to, if somebody has said it."""
    applied: int = 0
    effect: str = ""
    refusal: str = ""
    backs: list[do.Command] = field(default_factory=list)


def _told_of(backs: Sequence[do.Command]) -> str:
    """What taking a start or a stop of services back comes to, in plain words; "" of anything else."""
    for kind, how in ((do.StopTask, "down"), (do.StartTask, "up")):
        names = [back.task for back in backs if isinstance(back, kind)]
        if names and len(names) == len(backs):
            who = f"{name_of(names[0], 60)} is" if len(names) == 1 else f"{plural(len(names), 'task')} are"
            return f"{who} to be {how} again"
    return ""


def ended_at(snapshot: RunSnapshot) -> float | None:
    """When a run that is over was over: the engine may have been kept open since. None while it goes on."""
    if snapshot.state not in RUN_OVER:
        return None
    return max((row.ended_at for row in snapshot.rows if row.ended_at is not None), default=snapshot.at)


def settled(snapshot: RunSnapshot) -> RunSnapshot:
    """The snapshot with `at` at the run's end, if it is over."""
    end = ended_at(snapshot)
    return snapshot if end is None or end == snapshot.at else msgspec.structs.replace(snapshot, at=end)


class Bridge:
    """The engine as the console sees it. Polled by the screen, ten times a second."""

    def __init__(self, engine: Engine, *, now: Callable[[], float] = time.monotonic) -> None:
        self.engine = engine
        self.snapshot: RunSnapshot = EMPTY
        """The latest, with `at` carried on between two publications so that times keep counting."""
        self.word = Word(text="", tone="")
        self._story = Story()
        self._now = now
        self._published: RunSnapshot | None = None
        self._published_at = 0.0
        self._pending: dict[int, tuple[do.Command, do.Command | None]] = {}
        self._undoing: set[int] = set()
        self._end: float | None = None
        self._undo: list[tuple[do.Command, Sequence[do.Command]]] = []
        self._batches: dict[int, _Batch] = {}
        self._escalations = ("", 0)
        """The run that was looked at last, and how many it had had."""
        self._read = 0
        """Number of the latest event that was looked at for answers."""
        self._returned: tuple[Engine, TaskRow, str] | None = None
        """What the task that was asked for last returned."""

    def attach(self, engine: Engine) -> None:
        """Look at another run from now on. What was to be undone or answered belonged to the one before."""
        self.engine = engine
        self._story = Story()
        self.word = Word(text="", tone="")
        self._published = self._end = None
        self._pending.clear()
        self._undoing.clear()
        self._undo.clear()
        self._batches.clear()
        self._read = 0

    @property
    def _stands(self) -> bool:
        """Whether it is a replay: time goes on there only as that says, and back too."""
        return bool(getattr(self.engine, "is_replay", False))

    def look_again(self) -> None:
        """The next snapshot is new, whichever it is."""
        self._published = None
        self._read = 0

    def poll(self) -> bool:
        """Take the latest snapshot. True if there is anything new to draw: a new one, or another second."""
        story = self.story
        seen = story.seen
        story.catch_up(CATCH_UP if self._end is None else CATCH_UP_AFTER)
        self._take_told(story)
        latest = self.engine.latest
        if latest is EMPTY and self.snapshot is not EMPTY:  # a new engine that has told nothing yet
            return False
        fresh = latest is not self._published
        if fresh:
            self._published, self._published_at = latest, self._now()
        if fresh:
            self._end = ended_at(latest)
        at = latest.at if self._end is None or self._stands else self._end
        goes_on = self._end is None and not self._stands and not latest.broken
        if goes_on and latest.state is not RunState.PENDING:
            at += self._now() - self._published_at
        if not fresh and int(at) == int(self.snapshot.at) and story.seen == seen:
            return False
        if latest.run == self.snapshot.run and (goes_on or latest.broken):
            at = max(at, self.snapshot.at)
        self.snapshot = latest if at == latest.at else msgspec.structs.replace(latest, at=at)
        if fresh:
            self._take_escalations(latest)
            self._take_answers(latest)
        if latest.broken and self._pending:  # nobody answers these any more
            self._pending.clear()
            self._batches.clear()
            self.word = Word(text="", tone="")
        return True

    @property
    def story(self) -> Story:
        """What has happened in the run; another object if the engine is another one, or has gone back in time."""
        return self.engine.story or self._story

    @property
    def usual(self) -> Mapping[int, Usual]:
        """How long tasks took in earlier runs, by index, where the engine knows it."""
        found: Mapping[int, Usual] = getattr(self.engine, "usual", {})
        return found

    def returned(self, row: TaskRow) -> str:
        """What a task that went well returned, shortly and without secrets; "" where that is not known. Asked once a task."""
        known = self._returned
        if known is None or known[0] is not self.engine or known[1] is not row:
            ask = getattr(self.engine, "returned", None)
            known = self._returned = (
                self.engine,
                row,
                str(ask(row.name)) if ask is not None and row.state in GOOD else "",
            )
        return known[2]

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more by itself."""
        return self.engine.latest.state in RUN_OVER or self.engine.error is not None or self.has_not_begun

    @property
    def has_not_begun(self) -> bool:
        """Whether there is no run yet, and none will come by itself but at its time."""
        return isinstance(self.engine, Idle)

    def send(self, command: do.Command, saying: str) -> int:
        """Give a command; `saying` is shown until it is answered."""
        back = undo.inverse(self.snapshot, command)
        number = self.engine.send(command, by=BY)
        self._pending[number] = (command, back)
        self.word = Word(text=f"{saying}…", tone="warn")
        return number

    def send_all(self, commands: Sequence[do.Command], saying: str, *, told: str = "") -> None:
        """Give one command to many tasks: it is answered, with `told` if all take it, and undone, as one."""
        batch = _Batch(len(commands), told)
        for command in commands:
            self._batches[self.send(command, saying)] = batch

    @property
    def can_undo(self) -> bool:
        """Whether there is a live edit to take back."""
        return bool(self._undo)

    def undo(self) -> bool:
        """Take the latest live edit back. False if there is none."""
        if not self._undo:
            self.word = Word(text="nothing to undo", tone="dim")
            return False
        command, backs = self._undo.pop()
        batch = _Batch(len(backs), _told_of(backs))
        for back in backs:
            number = self.engine.send(back, by=BY)
            self._pending[number] = (back, None)
            self._undoing.add(number)
            if len(backs) > 1:
                self._batches[number] = batch
        self.word = Word(text=f"undoing {command.verb}…", tone="warn")
        return True

    def refuse(self, reason: str) -> None:
        """Say why something was not even asked of the engine."""
        self.word = Word(text=reason, tone="bad")

    def say(self, text: str) -> None:
        """Tell something that is neither good nor bad."""
        self.word = Word(text=text, tone="dim")

    def _take_escalations(self, snapshot: RunSnapshot) -> None:
        """Tell in a line of those that were raised since the last look: of the latest, and how many there are."""
        before, self._escalations = self._escalations, (snapshot.run, snapshot.escalation_count)
        new = snapshot.escalation_count - before[1]
        if before[0] != snapshot.run or new <= 0 or not snapshot.escalations or self._stands or self._pending:
            return
        report = snapshot.escalations[-1]
        more = f" · and {new - 1:,} more" if new > 1 else ""
        told = f"ESC-{report.number} {name_of(report.task, 60)}: {report.cause.words}{more} · 6 tells of it"
        self.word = Word(text=told, tone="bad")

    def _take_answers(self, snapshot: RunSnapshot) -> None:
        for answer in snapshot.answers:
            if answer.id in self._pending:
                self._take(answer)

    def _take_told(self, story: Story) -> None:
        """A snapshot shows the latest answers only, and a command for thousands of tasks has thousands: the story has all."""
        read, self._read = self._read, story.seen
        if not self._pending or read == self._read:
            return
        told: list[CommandApplied | CommandRefused] = []
        for number, event in reversed(story.events):
            if number <= read:
                break
            if isinstance(event, (CommandApplied, CommandRefused)):
                told.append(event)
        for answer in reversed(told):
            pending = self._pending.get(answer.id)
            if pending is not None and pending[0] == answer.command:  # another process had the same numbers
                self._take(answer)

    def _take(self, answer: CommandApplied | CommandRefused) -> None:
        command, back = self._pending.pop(answer.id)
        undone = "undone: " if answer.id in self._undoing else ""
        self._undoing.discard(answer.id)
        if (batch := self._batches.pop(answer.id, None)) is not None:
            self._take_one_of(batch, answer, command, back, undone)
            return
        match answer:
            case CommandApplied():
                if back is not None:
                    self._undo.append((command, (back,)))
                undo = " · u undoes it" if back is not None else ""
                effect = (_told_of([command]) if undone else "") or answer.effect or command.verb
                self.word = Word(text=f"{undone}{effect}{undo}", tone="good")
            case CommandRefused():
                self.word = Word(text=f"{command.verb} refused: {answer.reason}", tone="bad")

    def _take_one_of(
        self,
        batch: _Batch,
        answer: CommandApplied | CommandRefused,
        command: do.Command,
        back: do.Command | None,
        undone: str,
    ) -> None:
        """One of many answers; the last one says what became of all."""
        batch.left -= 1
        if isinstance(answer, CommandApplied):
            batch.applied += 1
            batch.effect = batch.effect or answer.effect
            if back is not None:
                batch.backs.insert(0, back)
        else:
            batch.refusal = batch.refusal or answer.reason
        if batch.left:
            return
        if not batch.applied:
            self.word = Word(text=f"{command.verb} refused: {batch.refusal}", tone="bad")
            return
        if batch.backs and not undone:
            self._undo.append((command, tuple(batch.backs)))
        if batch.told and not batch.refusal:
            batch.effect = batch.told
            more = ""
        else:
            more = f", and {plural(batch.applied - 1, 'task')} more" if batch.applied > 1 else ""
        refused = f" · refused for some: {batch.refusal}" if batch.refusal else ""
        undo = " · u undoes it" if batch.backs and not undone else ""
        self.word = Word(text=f"{undone}{batch.effect or command.verb}{more}{refused}{undo}", tone="good")
