"""A run as a few lines that redraw themselves: `dagtop run` on a terminal. What tasks print scrolls by above them.

`live_lines` is pure; `LivePrinter` draws what the engine has published last, on a thread of its own, ten times a second.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from dagtop.core.events import AnyEvent, BreakerEvent, GateDecided, Log, Problem
from dagtop.core.snapshot import Blocked, RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, TaskState

from dagtop_app.faces import ASCII, TASK_FACES, drawn, glyph
from dagtop_app.plain.events import PlainLines, blocked_sentence
from dagtop_app.plain.headless import Engine
from dagtop_app.plain.saying import at_most_a_second
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.tally import counts_of, done_of, tallied
from dagtop_app.tasks.why import error_line
from dagtop_app.terminal.ascii_form import ascii_of
from dagtop_app.terminal.streams import Terminal, own_terminal, write_all
from dagtop_app.text import bar, clean, clock, cut, fit, name_of
from dagtop_app.text import width as cells

if TYPE_CHECKING:
    from rich.text import Text

#: Seconds between two drawings, and where every drawing walks over more than `MANY` tasks.
TICK, SLOW_TICK = 0.1, 0.5
MANY = 10_000
#: Lines of tasks that wait to be printed above; of more, the oldest are left out and counted.
MOST_WAITING = 2_000
#: Of the terminal's lines the view leaves at least so many to what scrolls by above it.
LINES_LEFT = 4
MOST_RUNNING = 10
MOST_FAILED = 3

_STYLES = {
    "run": "cyan",
    "ok": "green",
    "fail": "red",
    "retry": "yellow",
    "stop": "magenta",
    "queue": "blue",
    "alarm": "black on yellow",
}


#: Events that are told in a line above the view.
_TOLD = (Problem, GateDecided, BreakerEvent)


class Line(NamedTuple):
    """One line of the view, in parts of one style each."""

    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(text for text, _ in self.parts)


def live_lines(snapshot: RunSnapshot, at: float, width: int, height: int) -> list[Line]:
    """The view of a run at `at` seconds since its beginning, in at most `height` lines of at most `width` cells."""
    room = max(0, height - LINES_LEFT - 2)
    failed = [row for row in snapshot.rows if row.state in BAD]
    failed.sort(key=lambda row: -(row.ended_at or 0.0))
    failed = failed[: min(MOST_FAILED, room // 3)]
    running = sorted(
        (row for row in snapshot.rows if row.state in ACTIVE or upkeep.is_restart(row)),
        key=lambda row: (row.started_at or 0.0, row.index),
    )
    shown = min(len(running), MOST_RUNNING, max(0, room - len(failed)))
    if shown < len(running):
        shown = max(0, shown - 1)
    column = _name_column([*failed, *running[:shown]], width)
    failures = [_failed_line(row, column, width) for row in failed]
    lines = [_running_line(row, snapshot, at, column, width) for row in running[:shown]]
    if shown < len(running) and room > len(failed):
        lines.append(Line(((fit(f"   and {len(running) - shown:,} more", width).rstrip(), "dim"),)))
    return [*failures, *lines, _bar_line(snapshot, at, width), _counts_line(snapshot, width)][-max(1, height - 1) :]


def _cells(parts: Sequence[tuple[str, str]], width: int) -> Line:
    """The parts, cut where the line is full."""
    kept: list[tuple[str, str]] = []
    left = width
    for text, style in parts:
        if left <= 0:
            break
        piece = cut(text, left)
        kept.append((piece, style))
        left -= cells(piece)
    return Line(tuple(kept))


def _name_column(rows: Sequence[TaskRow], width: int) -> int:
    """Cells for names: what the longest takes, but at most half of the line."""
    longest = max((cells(name_of(row.name)) for row in rows), default=0)
    return min(longest, max(8, min(40, width // 2)))


def _running_line(row: TaskRow, snapshot: RunSnapshot, at: float, column: int, width: int) -> Line:
    if row.state is TaskState.BACKOFF:
        return _restart_line(row, snapshot, column, width)
    face = TASK_FACES[row.state]
    name = fit(name_of(row.name), column)
    took = clock(max(0.0, at - (at if row.started_at is None else row.started_at)))
    tries = f"  attempt {row.attempt}" if row.attempt > 1 else ""
    how_far = ""
    if row.progress is not None:
        done, total, message = row.progress
        share = f"{done / total:.0%}" if total else f"{done:g}"
        how_far = f"  {share} {clean(message, 200)}".rstrip()
    kept = upkeep.running_text(snapshot, row) if row.state is TaskState.RUNNING else ""
    standing = (f"  {kept}", "dim" if row.serving else "yellow") if kept else (tries, "dim")
    return _cells(
        [
            (f" {glyph(row.state)} ", _STYLES.get(face.style, "")),
            (name, ""),
            (f" {took:>6}", "bold"),
            standing,
            (how_far, "dim"),
        ],
        width,
    )


def _restart_line(row: TaskRow, snapshot: RunSnapshot, column: int, width: int) -> Line:
    why = f"  {error_line(row.failure)}" if row.failure is not None else ""
    told = upkeep.restart_text(snapshot, row)
    name = fit(name_of(row.name), column)
    return _cells(
        [(f" {glyph(row.state)} ", _STYLES["retry"]), (name, ""), (f"  {told}", _STYLES["retry"]), (why, "dim")], width
    )


def _failed_line(row: TaskRow, column: int, width: int) -> Line:
    name = fit(name_of(row.name), column)
    why = error_line(row.failure) if row.failure is not None else clean(row.reason)
    return _cells([(f" {glyph(row.state)} ", "red"), (name, "red"), (f" {why}", "")], width)


def _bar_line(snapshot: RunSnapshot, at: float, width: int) -> Line:
    done, tasks = done_of(snapshot)
    if serves := upkeep.counts_what_is_up(snapshot):
        done, _, tasks = upkeep.level_of(snapshot)
    share = done / tasks if tasks else 0.0
    head = f" {fit(name_of(snapshot.graph), max(4, min(24, width // 4))).rstrip()}  "
    tail = f" {done:,}/{tasks:,}{' up' if serves else ''}  {share:.0%}  {clock(at)}"
    filled, rest = bar(share, max(4, min(40, width - len(head) - len(tail) - 1)))
    bad = not counts_of(snapshot).keys().isdisjoint(BAD)
    return _cells([(head, "bold"), (filled, "red" if bad else "green"), (rest, "dim"), (tail, "")], width)


def _counts_line(snapshot: RunSnapshot, width: int) -> Line:
    parts: list[tuple[str, str]] = []
    for tally, count in tallied(snapshot):
        if count or TaskState.RUNNING in tally.states:
            parts.append((f" {drawn(tally.face)} {count:,} {tally.word} ", _STYLES.get(tally.face.style, "")))
    state = snapshot.state.value.replace("_", " ")
    if snapshot.reason:
        state += f": {clean(snapshot.reason, 200)}"
    parts.append((f" {state}", "dim"))
    return _cells(parts, width)


class LivePrinter:
    """Draws a run on the terminal behind stderr. Owns file descriptors 1 and 2 from `start` to its end."""

    def __init__(self) -> None:
        self._plain = PlainLines()
        self._above: deque[str] = deque(maxlen=MOST_WAITING)
        self._taken = self._printed = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._terminal: Terminal | None = None

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take what tasks printed, and what a person should not miss; the rest is read from snapshots."""
        for event in batch:
            if isinstance(event, Log):
                self._add(f"{name_of(event.task)} | {clean(event.line)}" if event.task else clean(event.line))
            elif isinstance(event, _TOLD):
                self._add(self._plain.sentence(event))

    def loop_blocked(self, blocked: Blocked) -> None:
        """Say at once what keeps the engine: no event can come meanwhile."""
        self._add(blocked_sentence(blocked))

    def start(self, engine: Engine, printed: Callable[[], None], nobody_reads: Callable[[], None]) -> None:
        """Take the terminal and begin to draw. A terminal that goes away does not stop the run: SIGHUP does."""
        stack = ExitStack()
        self._terminal = stack.enter_context(own_terminal(lambda _, line: self._add(clean(line))))

        def draw_all() -> None:
            try:
                with stack:
                    self._draw(engine)
                # What was on its way when the last drawing was made has arrived now that the descriptors are given back.
                if late := self._take_above():
                    with contextlib.suppress(OSError):
                        write_all(2, "".join(f"{line}\n" for line in late).encode("utf-8", "replace"))
            finally:
                printed()

        self._thread = threading.Thread(target=draw_all, name="draws the run", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Draw what is left and give the terminal back."""
        self._stop.set()

    def give_up(self) -> None:
        """The same, without waiting for a terminal that has stopped."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=0.5)
        if self._terminal is not None:
            at_most_a_second(self._terminal.restore)

    def _add(self, line: str) -> None:
        self._above.append(line)
        self._taken += 1

    def _draw(self, engine: Engine) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a live view pays for Rich
        from rich.live import Live  # noqa: PLC0415 - as above

        assert self._terminal is not None
        console = Console(file=self._terminal.file, force_terminal=True, highlight=False, markup=False, emoji=False)
        live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        try:
            with live:
                over = False
                while not over:
                    over = self._stop.wait(TICK if len(engine.latest.rows) <= MANY else SLOW_TICK)
                    width, height = _size(self._terminal)
                    console.size = (width, height)
                    if above := self._take_above():
                        console.print("\n".join(above), soft_wrap=True)
                    lines = live_lines(engine.latest, engine.latest.at, width - 1, height)
                    live.update(_styled(lines), refresh=True)
                live.update("")
        except OSError:
            return  # the terminal has gone

    def _take_above(self) -> list[str]:
        waiting = len(self._above)
        missing = self._taken - self._printed - waiting
        lines = [self._above.popleft() for _ in range(waiting)]
        self._printed += missing + len(lines)
        if missing > 0:
            lines.insert(0, f"… {missing:,} lines left out: they came faster than the terminal shows them")
        return lines


def _size(terminal: Terminal) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(terminal.file.fileno())
    except OSError:
        return 80, 24
    return size.columns or 80, size.lines or 24


def _styled(lines: Sequence[Line]) -> Text:
    from rich.text import Text  # noqa: PLC0415 - only a live view pays for Rich

    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for part, style in line.parts:
            text.append(ascii_of(part) if ASCII else part, style)
    return text
