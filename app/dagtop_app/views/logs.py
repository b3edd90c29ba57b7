"""View 4: what tasks print and log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from dagtop_app.lines import Span
from dagtop_app.logs.roll import (
    LEVELS,
    SINCE,
    STREAMS,
    TIMES,
    Choice,
    LogRoll,
    Subject,
    next_of,
    of_tasks,
    plain_line,
    told_of,
    wrong_in,
)
from dagtop_app.logs.store import Kept, Source
from dagtop_app.tasks.copying import Piece
from dagtop_app.terminal.manners import Mannered
from dagtop_app.text import clean, clock, name_of, plural
from dagtop_app.views.base import View
from dagtop_app.widgets.log_pane import LogPane

if TYPE_CHECKING:
    from dagtop.core.snapshot import TaskRow

    from dagtop_app.screens.main import MainScreen

#: Lines that are copied at most.
COPIED = 5_000
#: Between two slices of work on a log that is long.
_PAUSE = 0.02


class Logs(View[LogPane]):
    """The lines of one task, of several, of a node, or of all."""

    name = "logs"
    inspector = ""
    asks = "search: text  /re/  &text (only lines with it)"
    footer: ClassVar[str] = (
        "look.back log.follow look.filter find.next log.tasks log.level log.since log.times log.wrap log.pager"
        " log.mark log.stream log.task-next view.tasks app.copy app.command app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk)
        self.roll = LogRoll()
        self.pane = LogPane(self.roll, id="logs")
        self.pane.header, self.pane.nothing = self._header, self._nothing
        self.parts = (self.pane,)
        self._source: Source | None = None
        self._seen = 0
        self._told: tuple[bool, int] = (True, 0)
        self._works = False
        self._anchor: int | None = None
        """The number of the line that is to be at the top again once it has been found."""

    # -- which lines -----------------------------------------------------------------------------------------

    @property
    def subject(self) -> Subject:
        """Whose lines are shown."""
        return self.roll.choice.subject

    def open(self, subject: Subject) -> None:
        """Show the lines of others, from the end."""
        self.pane.following = True
        self._choose(replace(self.roll.choice, subject=subject))

    def open_named(self, task: str | None, *, node: bool = False) -> None:
        """Show the lines of a task, of all tasks in a node, or of all (None)."""
        if task is None:
            self.open(Subject())
        elif node:
            self.open(Subject(node=task, tasks=(task,), told=name_of(task, 60)))
        else:
            self.open(of_tasks((task,), ""))

    def open_merged(self, tasks: Sequence[str]) -> None:
        """Show the lines of some tasks together."""
        self.open(of_tasks(tuple(tasks), "together"))

    def _choose(self, choice: Choice) -> None:
        self._look()
        here = self._here()
        self.roll.choose(choice, self.desk.bridge.snapshot.at)
        self._return(here)

    def _here(self) -> int | None:
        """The number of the line at the top."""
        return self.roll.number(self.pane.top) if len(self.roll) and not self.pane.following else None

    def _return(self, number: int | None) -> None:
        pane = self.pane
        pane.inside, pane.moved = 0, False
        pane.settle()
        self._anchor = number
        self._to_anchor()
        self._work_on()

    def _to_anchor(self) -> None:
        """To the line that was at the top, as soon as it has been found again."""
        if self._anchor is None:
            return
        if self.pane.following or self.pane.moved:
            self._anchor = None
            return
        self.pane.scroll_to(y=self.roll.place(self._anchor), animate=False, force=True, immediate=True)
        if not self.roll.is_busy:
            self._anchor = None

    # -- what is new -----------------------------------------------------------------------------------------

    def _look(self) -> Source:
        source = self._source
        if source is None:
            source = self._source = Source(self.desk.bridge.engine.logs)
        source.look()
        if source.store is not self.roll.store:
            self.roll.read(source.store)
        return source

    def show(self, *, moved: bool = False) -> None:
        self.pane.look.started_at = self.desk.bridge.snapshot.started_at
        self.tick()

    def tick(self) -> bool:
        store = self._look().store
        told, self._told = self._told, (self.pane.following, self.roll.match_count)
        if store.count == self._seen and not self.roll.is_busy:
            return told != self._told
        self._seen = store.count
        self.pane.settle(self.roll.work())
        self._to_anchor()
        self._work_on()
        return True

    def _work_on(self) -> None:
        """Go on with a log that is long as soon as the screen has had its turn."""
        if self.roll.is_busy and not self._works:
            self._works = True
            self.pane.set_timer(_PAUSE, self._work)

    def _work(self) -> None:
        self._works = False
        if self.desk.view == self.name:
            self.pane.settle(self.roll.work())
            self._to_anchor()
            self.desk.draw_rule()
            self._work_on()

    def attached(self) -> None:
        self._source = None
        self._seen = 0
        self.pane.following = True
        self._look()
        self._choose(self.roll.choice)

    # -- what is said ----------------------------------------------------------------------------------------

    def title(self) -> tuple[list[Span], list[Span]]:
        roll, right = self.roll, list[Span]()
        if wrong := wrong_in(roll.needle):
            return [("Log ", "title"), (self.subject.told, "")], [(clean(wrong, 50), "bad")]
        for told in told_of(roll.choice):
            right += [(told, "warn"), (" · ", "dim")]
        if roll.left:
            right += [(f"{roll.left:,} more to look at", "dim"), (" · ", "dim")]
        right.append((plural(len(roll), "line"), "dim"))
        if roll.needle and not roll.choice.only:
            right += [(" · ", "dim"), (f"{roll.match_count:,} × ", "warn"), (clean(roll.needle, 24), "match")]
        right += [(" · ", "dim"), ("following", "good") if self.pane.following else ("f follows", "warn")]
        return [("Log ", "title"), (self.subject.told, "")], right

    def _header(self, line: Kept) -> str:
        """What stands before the lines of an attempt."""
        row = self._row_of(line.task)
        told = f"attempt {line.attempt}"
        if row is None:
            return told
        for record in row.history:
            if record.number == line.attempt:
                why = f" · {clean(record.failure.error, 40)}" if record.failure is not None else ""
                return f"{told} · {clock(record.started_at)} → {clock(record.ended_at)} · {record.ending}{why}"
        if row.attempt == line.attempt and row.started_at is not None:
            return f"{told} · from {clock(row.started_at)}"
        return told

    def _row_of(self, task: str) -> TaskRow | None:
        snapshot = self.desk.bridge.snapshot
        index = snapshot.plan.index.get(task)
        return snapshot.rows[index] if index is not None and index < len(snapshot.rows) else None

    def _nothing(self) -> tuple[str, ...]:
        choice = self.roll.choice
        if left_out := told_of(choice):
            return ("", f"No line is left: {', '.join(left_out)}.", "Esc shows all again.")
        one = choice.subject.one is not None
        return (
            "",
            "This task has printed and logged nothing yet." if one else "Nothing has been printed or logged yet.",
            "What tasks print, log with logging, or with ctx.log.info(…), comes here.",
            "4 shows the logs of all tasks, Esc goes back."
            if one
            else "Esc goes back to the tasks; l there shows the log of one.",
        )

    # -- keys ------------------------------------------------------------------------------------------------

    def do(self, what: str) -> object:
        match what:
            case "follow":
                self.pane.following = not self.pane.following
                self._say(f"follow {'on' if self.pane.following else 'off'}")
            case "times":
                self.pane.look.times = next_of(TIMES, self.pane.look.times)  # type: ignore[assignment]
                self._say(f"times {self.pane.look.times}")
            case "wrap":
                self.pane.look.wrapping = not self.pane.look.wrapping
                self.pane.inside = 0
                self._say(f"wrap {'on' if self.pane.look.wrapping else 'off'}")
            case "mark":
                self.roll.mark(self.desk.bridge.snapshot.at, self.pane.look.started_at)
            case "next-task" | "previous-task":
                self._step(1 if what == "next-task" else -1)
            case "tasks":
                self._choose_tasks()
            case "pager":
                self.open_pager()
            case _:
                self._narrow(what)
        self.pane.settle()
        self.desk.draw()
        return None

    def _say(self, text: str) -> None:
        self.desk.bridge.say(text)

    def _narrow(self, what: str) -> None:
        choice = self.roll.choice
        match what:
            case "since":
                self._choose(replace(choice, since=next_of(SINCE, choice.since)))  # type: ignore[arg-type]
            case "stream":
                self._choose(replace(choice, stream=next_of(STREAMS, choice.stream)))  # type: ignore[arg-type]
            case _:
                step = 1 if what == "graver" else -1
                self._choose(replace(choice, level=next_of(LEVELS, choice.level, step, around=False)))  # type: ignore[arg-type]
        self._say(f"log: {', '.join(told_of(self.roll.choice)) or 'all lines'}")

    def _step(self, step: int) -> None:
        """The log of the next task of the table."""
        roster = self.desk.roster
        here = roster.order.index(roster.selected) if roster.selected in roster.order else -1
        roster.go(here + step if self.subject.one is not None else here)
        if roster.row is not None:
            self.open_named(roster.row.name)

    def _choose_tasks(self) -> None:
        """This task, those that are marked, those that pass the filter, all: one after the other."""
        found = self.kinds()
        told = [subject.told for subject in found]
        place = told.index(self.subject.told) + 1 if self.subject.told in told else 0
        self.open(found[place % len(found)])
        self._say(f"log {self.subject.told}")

    def kinds(self) -> list[Subject]:
        """Whose lines can be shown together now."""
        desk, found = self.desk, [Subject()]
        names = self.desk.bridge.snapshot.plan.names
        if desk.roster.row is not None:
            found.append(of_tasks((desk.roster.row.name,), ""))
        if desk.roster.marks:
            places = desk.roster.marks.places(desk.bridge.snapshot.plan)
            found.append(of_tasks(tuple(names[index] for index in places), "that are marked"))
        if desk.roster.wanted or desk.roster.problems:
            found.append(of_tasks(tuple(names[index] for index in desk.roster.order), "that pass the filter"))
        return found

    def open_pager(self) -> None:
        """All that is shown in $PAGER, while the graph goes on."""
        app, roll = self.desk.app, self.roll
        if not len(roll):
            self._say("there is no line to show")
        elif isinstance(app, Mannered):
            # They are written on a thread: what is shown now may be chosen anew meanwhile.
            numbers, line, subject, look = roll.numbers(), roll.store.line, self.subject, self.pane.look
            app.page((plain_line(line(number), subject, look) for number in numbers), "log")
            self._say(f"{plural(len(numbers), 'line')} to the pager")

    def _plain(self, place: int) -> str:
        return plain_line(self.roll.line(place), self.subject, self.pane.look)

    def pieces(self) -> Sequence[Piece]:
        count = len(self.roll)
        if not count:
            return ()
        first = max(0, count - COPIED)
        label = (
            f"the {'last ' if first else ''}{plural(count - first, 'line')} that {'are' if count > 1 else 'is'} shown"
        )
        return [Piece("s", label, "\n".join(self._plain(place) for place in range(first, count)))]

    def back(self) -> bool:
        choice = self.roll.choice
        if self.roll.needle:
            self.look_for("")
        elif told_of(choice):
            self._choose(Choice(subject=choice.subject))
        else:
            return False
        return True

    # -- search ----------------------------------------------------------------------------------------------

    def next(self, step: int) -> bool:
        return self.pane.find(step)

    @property
    def nothing_next(self) -> str:
        return "no match" if self.roll.needle else "/ searches the log"

    @property
    def sought(self) -> str:
        return self.roll.needle

    def look_for(self, text: str) -> None:
        here = self._here()
        self.roll.search(text)
        self._return(here)
        place = self.roll.match(len(self.roll), -1)
        if place is not None:
            self.pane.look_at(place)
        self.desk.draw_rule()
