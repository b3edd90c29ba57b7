"""What the view of logs shows, and how each line of it looks. Pure: no terminal here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

from dagtop.core.paths import is_inside
from dagtop.core.values import dataclass

from dagtop_app.levels.model import relative
from dagtop_app.lines import Line, Span, line_width
from dagtop_app.logs.sieve import Sieve
from dagtop_app.logs.store import Kept, LogStore, Raw
from dagtop_app.text import clean, clock, fit, name_of, plural, wrap

Times = Literal["elapsed", "clock", "off"]
TIMES: tuple[Times, ...] = ("elapsed", "clock", "off")
STREAMS = ("", "log", "stdout", "stderr")
LEVELS = ("", "INFO", "WARNING", "ERROR")
_RANKS = {"DEBUG": 0, "INFO": 1, "WARN": 2, "WARNING": 2, "ERROR": 3, "CRITICAL": 4, "FATAL": 4}
_OF_STREAM = {"stdout": 1, "stderr": 2}
SINCE = (0.0, 60.0, 300.0, 900.0)
"""Seconds; 0 is everything."""
_STYLES = {0: "faint", 1: "", 2: "warn", 3: "bad", 4: "bad"}
#: Lines that are looked at in one go: some ten milliseconds.
SLICE = 8_000
#: Characters of a line, where it is cut and where it is wrapped.
_CUT, _WRAPPED = 4_096, 16_384
NAME_CELLS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose lines they are."""

    tasks: tuple[str, ...] | None = None
    """None: those of all."""
    node: str = ""
    """Those of all tasks in it."""
    told: str = "of all tasks"
    """For the line above the view."""

    @property
    def one(self) -> str | None:
        """The task, if it is one."""
        return self.tasks[0] if self.tasks is not None and len(self.tasks) == 1 and not self.node else None

    def test(self) -> Callable[[str], bool] | None:
        """Whether a task is meant."""
        if self.node:
            return lambda task: is_inside(task, self.node)
        return frozenset(self.tasks).__contains__ if self.tasks is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which lines are shown."""

    subject: Subject = Subject()
    level: str = ""
    stream: str = ""
    since: float = 0.0
    """Seconds before the moment at which it was chosen; 0 is everything."""
    only: str = ""
    """Only lines with this in them, see `pattern_of`."""


class Mark(NamedTuple):
    """A line that a person has drawn."""

    before: int
    """The number of the line that came first after it."""
    text: str


def rank(stream: str, level: str) -> int:
    """How grave a line is: 0 debug, 1 info and stdout, 2 warning and stderr, 3 error, 4 critical."""
    return _RANKS.get(level.upper(), 1) if stream == "log" else _OF_STREAM.get(stream, 1)


def pattern_of(text: str) -> re.Pattern[str] | None:
    """What is searched: a text in whatever case, or `/a regular expression/`. None for nothing, or if it is none yet."""
    if len(text) > 2 and text[0] == text[-1] == "/":
        try:
            return re.compile(text[1:-1], re.IGNORECASE)
        except (re.error, RecursionError, OverflowError):
            return None
    return re.compile(re.escape(text), re.IGNORECASE) if text else None


def wrong_in(text: str) -> str:
    """What is wrong with a regular expression that is searched; "" if nothing is, or it is none."""
    text = text.removeprefix("&").strip()
    if len(text) > 2 and text[0] == text[-1] == "/":
        try:
            re.compile(text[1:-1], re.IGNORECASE)
        except (re.error, RecursionError, OverflowError) as error:
            return f"not a regular expression: {error}"
    return ""


class LogRoll:
    """The lines of a store that are shown, by their places, and which of them match the search."""

    def __init__(self) -> None:
        self.store = LogStore()
        self.choice = Choice()
        self.needle = ""
        self.pattern: re.Pattern[str] | None = None
        self.marks: list[Mark] = []
        self._sieve: Sieve | None = None
        self._search: Sieve | None = None
        self._since = float("-inf")

    # -- which -----------------------------------------------------------------------------------------------

    def read(self, store: LogStore) -> None:
        """Show the lines of another run."""
        if store is not self.store:
            self.store = store
            self.marks.clear()
        self._begin()

    def choose(self, choice: Choice, at: float) -> None:
        """Show others; `at` is now."""
        if choice.since != self.choice.since:
            self._since = at - choice.since if choice.since else float("-inf")
        self.choice = choice
        self._begin()

    def search(self, text: str) -> None:
        """Look for a text; a text that begins with & has the lines without it left out."""
        only = text[1:].strip() if text.startswith("&") else ""
        if only != self.choice.only:
            self.choice = replace(self.choice, only=only)
            self._begin()
        self.needle = text
        self.pattern = pattern_of(only or text.removeprefix("&"))
        self._search = self._new(self.pattern) if self.pattern is not None and not only else None
        self.work()

    def _begin(self) -> None:
        choice = self.choice
        narrowed = choice.level or choice.stream or choice.since or choice.only or choice.subject.test() is not None
        self._sieve = self._new(pattern_of(choice.only)) if narrowed else None
        if self._search is not None:
            self._search = self._new(self.pattern)
        self.work()

    def _new(self, pattern: re.Pattern[str] | None) -> Sieve:
        choice = self.choice
        least, stream = _RANKS[choice.level] if choice.level else 0, choice.stream
        wants: Callable[[Raw], bool] | None = None
        if least or stream or pattern is not None:
            wants = partial(_wants, least, stream, pattern)
        return Sieve(self.store, wants, task=choice.subject.test(), since=self._since)

    def work(self, limit: int = SLICE) -> int:
        """Look at more lines; says by how many places those that were shown have moved down."""
        moved = self._sieve.step(limit) if self._sieve is not None else 0
        if self._search is not None and (self._sieve is None or self._sieve.is_through):
            self._search.step(limit)
        return moved

    @property
    def is_busy(self) -> bool:
        """Whether there are lines that it has not looked at."""
        return any(sieve is not None and not sieve.is_through for sieve in (self._sieve, self._search))

    @property
    def left(self) -> int:
        """Lines that are still to be looked at."""
        return sum(sieve.left for sieve in (self._sieve, self._search) if sieve is not None)

    # -- where -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._sieve.found) if self._sieve is not None else self.store.count - self.store.first

    def number(self, place: int) -> int:
        """The number of the line at a place."""
        return self._sieve.found[place] if self._sieve is not None else self.store.first + place

    def numbers(self) -> Sequence[int]:
        """The numbers of all lines that are shown now."""
        return self._sieve.found.copy() if self._sieve is not None else range(self.store.first, self.store.count)

    def place(self, number: int) -> int:
        """The place of a line, or of the next that is shown."""
        return self._sieve.found.place(number) if self._sieve is not None else max(0, number - self.store.first)

    def line(self, place: int) -> Kept:
        """The line at a place."""
        return self.store.line(self.number(place))

    @property
    def match_count(self) -> int:
        """Lines that match the search."""
        return len(self._search.found) if self._search is not None else 0

    def match(self, place: int, step: int) -> int | None:
        """The place of the match after, or before, a place; around the end. None without any."""
        found = self._search.found if self._search is not None else ()
        if not found or not len(self):
            return None
        here = self.number(min(max(place, 0), len(self) - 1))
        at = found.place(here + 1) if step > 0 else found.place(here) - 1
        return self.place(found[at % len(found)])

    def mark(self, at: float, started_at: float) -> Mark:
        """Draw a line below what there is now."""
        when = wall(at, started_at) if started_at else clock(at)
        mark = Mark(self.store.count, f"mark {len(self.marks) + 1} · {when}")
        self.marks.append(mark)
        return mark

    # -- how -------------------------------------------------------------------------------------------------

    def marks_after(self, place: int) -> list[Mark]:
        """What was drawn between the line at a place and the next."""
        if not self.marks:
            return []
        end = self.number(place + 1) if place + 1 < len(self) else float("inf")
        return [mark for mark in self.marks if self.number(place) < mark.before <= end]

    def begins_attempt(self, place: int, line: Kept) -> bool:
        """Whether the line is the first of an attempt, in the log of one task."""
        if self.choice.subject.one is None or not line.attempt:
            return False
        return place == 0 or self.line(place - 1).attempt != line.attempt


def _wants(least: int, stream: str, pattern: re.Pattern[str] | None, raw: Raw) -> bool:
    if stream and raw[3] != stream:
        return False
    if least and rank(raw[3], raw[4]) < least:
        return False
    return pattern is None or pattern.search(clean(raw[5].expandtabs(4), _CUT)) is not None


def wall(at: float, started_at: float) -> str:
    """A moment of the run by the clock on the wall."""
    return time.strftime("%H:%M:%S", time.localtime(started_at + at))


@dataclass(slots=True, kw_only=True)
class Look:
    """How lines are drawn."""

    times: Times = "elapsed"
    wrapping: bool = False
    started_at: float = 0.0

    def time_of(self, line: Kept) -> str:
        """When a line was written."""
        if self.times == "off":
            return ""
        return wall(line.at, self.started_at) if self.times == "clock" else f"{clock(line.at):>7}"


def spans_of(line: Kept, subject: Subject, look: Look) -> tuple[list[Span], Span]:
    """A line as (what stands before its text, its text)."""
    lead: list[Span] = []
    if look.times != "off":
        lead.append((f"{look.time_of(line)} ", "faint"))
    if subject.one is None:
        name = relative(line.task, subject.node) if subject.node else line.task
        again = f" #{line.attempt}" if line.attempt > 1 else ""
        shown = name_of(name, 100) if line.task else "(process)"
        lead.append((f"{fit(shown, NAME_CELLS - len(again))}{again} ", "key"))
    style = _STYLES[rank(line.stream, line.level)]
    if line.stream == "log":
        lead.append((f"{fit(clean(line.level, 12), 7)} ", style or "dim"))
    elif line.stream == "stderr":
        lead.append(("stderr  ", "warn"))
        style = ""
    return lead, (clean(line.text.expandtabs(4), _WRAPPED if look.wrapping else _CUT), style)


def rows_of(roll: LogRoll, place: int, look: Look, cells: int, header: Callable[[Kept], str]) -> Iterator[Line]:
    """All that is drawn for the line at a place: a header before an attempt, the line, marks after it."""
    line = roll.line(place)
    if roll.begins_attempt(place, line):
        yield _ruled(header(line), "head", "─", cells)
    lead, (text, style) = spans_of(line, roll.choice.subject, look)
    room = max(20, cells - 1)
    indent = line_width(lead)
    parts = wrap(text, max(10, room - indent - 1)) if look.wrapping else [text]
    yield _lit(((" ", ""), *lead, (parts[0], style)), roll.pattern)
    for part in parts[1:]:
        yield _lit(((" " * (indent + 1), ""), (part, style)), roll.pattern)
    for mark in roll.marks_after(place):
        yield _ruled(mark.text, "warn", "═", cells)


def _ruled(text: str, style: str, char: str, cells: int) -> Line:
    return ((" ", ""), (char * 2, "rule"), (f" {text} ", style), (char * max(2, cells - len(text) - 6), "rule"))


def _lit(line: Line, pattern: re.Pattern[str] | None) -> Line:
    return line if pattern is None else tuple(span for piece in line for span in _lit_piece(piece, pattern))


def _lit_piece(piece: Span, pattern: re.Pattern[str]) -> Iterator[Span]:
    text, style = piece
    start = 0
    for found in pattern.finditer(text):
        if found.end() > found.start():
            if found.start() > start:
                yield text[start : found.start()], style
            yield found.group(), "match"
            start = found.end()
    yield text[start:], style


def plain_line(line: Kept, subject: Subject, look: Look) -> str:
    """A line as a pager or the clipboard gets it; nothing in it steers a terminal."""
    lead, (text, _) = spans_of(line, subject, look)
    return f"{''.join(part for part, _ in lead)}{text}".rstrip()


def next_of(values: tuple[object, ...], now: object, step: int = 1, *, around: bool = True) -> object:
    """The next of some values."""
    place = values.index(now) + step if now in values else 0
    return values[place % len(values)] if around else values[min(max(place, 0), len(values) - 1)]


def told_of(choice: Choice) -> list[str]:
    """What is left out, in words."""
    told = []
    if choice.level:
        told.append(f"{choice.level.lower()} or worse")
    if choice.stream:
        told.append(f"only {choice.stream}")
    if choice.since:
        told.append(f"since {choice.since / 60:g}m")
    if choice.only:
        told.append(f"only {clean(choice.only, 20)}")
    return told


def of_tasks(names: tuple[str, ...], kind: str) -> Subject:
    """The lines of several tasks, or of one."""
    if len(names) == 1:
        return Subject(tasks=names, told=name_of(names[0], 60))
    return Subject(tasks=names, told=f"of {plural(len(names), 'task')} {kind}")
