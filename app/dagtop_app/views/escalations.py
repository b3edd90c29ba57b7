"""View 6: the escalations, as an inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from dagtop.core import commands as do
from textual.binding import BindingType

from dagtop_app.actions import bindings
from dagtop_app.escalations import model, texts
from dagtop_app.escalations.model import Deed, Entry, Status, Way
from dagtop_app.lines import Line, Span, rule
from dagtop_app.screens.form import Form
from dagtop_app.screens.popup import Choice, Popup
from dagtop_app.steering.filling import Checked, Field
from dagtop_app.text import clean, name_of
from dagtop_app.views.listing import ListView
from dagtop_app.widgets.listing import Listing

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen


class EscalationList(Listing):
    """One line for each escalation."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("escalations")]


class Escalations(ListView[EscalationList]):
    """What failed for good, who looks after it, and what can be done."""

    name = "escalations"
    inspector = ""
    asks = "part of a task's name, or of an error"
    footer: ClassVar[str] = (
        "run.acknowledge task.restart task.restart-downstream task.mark task.edit task.logs escalation.trace escalation.copy"
        " task.detail task.why escalation.open edit.undo app.palette app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk, EscalationList)
        self._open_only = False
        self._seen: tuple[object, ...] = ()
        self._entries: Sequence[Entry] = ()
        self._dry: tuple[tuple[object, ...], Sequence[Deed], Way | None] = ((), (), None)

    # -- drawing -----------------------------------------------------------------------------------------------------

    @property
    def entries(self) -> Sequence[Entry]:
        """All of them as they stand."""
        snapshot = self.desk.snapshot
        seen = (snapshot.escalations, snapshot.acknowledged, snapshot.rows, snapshot.version)
        if len(seen) != len(self._seen) or any(new is not old for new, old in zip(seen, self._seen, strict=True)):
            self._seen, self._entries = seen, model.entries(snapshot)
        return self._entries

    @property
    def entry(self) -> Entry | None:
        """The one under the cursor."""
        return next((entry for entry in self.entries if entry.report.number == self.pane.key), None)

    def _shown(self) -> list[Entry]:
        wanted = self._sought.casefold()
        return [
            entry
            for entry in self.entries
            if (not self._open_only or entry.status in (Status.OPEN, Status.ACKED))
            and (not wanted or wanted in _searched(entry))
        ]

    def scene(self, entry: Entry) -> texts.Scene:
        """What is told of one. What the keys would do is worked out anew once a second at most."""
        snapshot = self.desk.snapshot
        # To try it on a large graph takes longer than a frame: then only anew when the task itself is another.
        second = int(snapshot.at) if len(snapshot.rows) <= model.MOST else 0
        key = (entry.report.number, entry.status, entry.row, second)
        if self._dry[0] != key:
            self._dry = (key, model.deeds(snapshot, entry), model.way(snapshot, entry, self.desk.bridge.usual))
        return texts.Scene(snapshot, self.desk.bridge.story, entry, self._dry[1], self._dry[2])

    def show(self, *, moved: bool = False) -> None:
        self._follow_selection()
        shown, cells = self._shown(), self.pane.cells
        if not cells:
            return
        numbers = [entry.report.number for entry in shown]
        if self.pane.key not in numbers:
            self.pane.key = numbers[0] if numbers else None
        cols = texts.columns(cells, shown)
        self._head.set_lines([texts.head_line(cols)])
        snapshot = self.desk.snapshot
        lines = [texts.row_line(snapshot, entry, cols, cursor=entry.report.number == self.pane.key) for entry in shown]
        self._fit(len(shown), self._room // 3)
        self.pane.show(numbers, lines or [((self._nothing, "good" if not self.entries else "faint"),)])
        self._draw_detail()

    @property
    def _nothing(self) -> str:
        if not self.entries:
            return "   nothing was escalated: no task has failed for good"
        return "   nothing stands open · o shows all" if not self._sought else "   none has that in it"

    def _follow_selection(self) -> None:
        """Another task was selected elsewhere: the cursor goes to its latest escalation."""
        selected = self.desk.roster.selected
        if selected == self._came_with:
            return
        self._came_with = selected
        known = [
            entry.report.number for entry in self._shown() if entry.row is not None and entry.row.index == selected
        ]
        if known:
            self.pane.key = max(known)

    @property
    def about(self) -> int | None:
        entry = self.entry
        return entry.row.index if entry is not None and entry.row is not None else None

    def _draw_detail(self) -> None:
        entry, cells = self.entry, self._rule.size.width
        if entry is None:
            self._rule.set_lines([])
            self._detail.set_lines([])
            return
        scene = self.scene(entry)
        left, right = texts.detail_title(scene)
        self._rule.set_lines([rule(left, right, cells)])
        height = self._detail.size.height
        lines: list[Line] = texts.detail(scene, self._detail.cells, height) if height else []
        self._detail.set_lines(lines)

    def title(self) -> tuple[list[Span], list[Span]]:
        left, right = texts.rule_of(
            model.tally(self.entries), self.desk.snapshot.escalation_count, clean(self._sought, 24)
        )
        if self._open_only:
            left.append((" open ones", "warn"))
        return left, right

    def attached(self) -> None:
        self._seen, self._entries = (), ()
        self._dry = ((), (), None)
        self.pane.key = None

    # -- keys --------------------------------------------------------------------------------------------------------

    def do(self, what: str) -> object:
        self._follow_selection()
        if self.pane.key is None and self._shown():
            self.pane.key = self._shown()[0].report.number
        entry = self.entry
        if what == "open":
            self._open_only = not self._open_only
            self.desk.draw()
        elif entry is None:
            self.desk.bridge.refuse("nothing was escalated")
            self.desk.draw_word()
        elif what == "acknowledge":
            self._acknowledge(entry)
        elif what == "trace":
            self._trace(entry)
        elif what == "copy":
            self._copy(entry)
        return None

    def _acknowledge(self, entry: Entry) -> None:
        name = f"{entry.name} of {name_of(entry.report.task, 40)}"
        if entry.owner is None:
            self._ask_note(entry, f"Acknowledge {name}", "")
            return
        note = clean(entry.owner.note, 200)
        who = texts.who(entry.owner)
        verb = "look" if who == "you" else "looks"
        lines: list[Line] = [((f"{who} {verb} after it", "held"), (f": {note}" if note else "", ""))]
        choices = [
            Choice(("n", "enter"), "n", "Look after it yourself, or with another note", "note", "strong"),
            Choice(("o",), "o", "Open it again: nobody looks after it", "open"),
            Choice(("escape",), "esc", "Leave it as it is", "no", "dim"),
        ]

        def answered(answer: str | None) -> None:
            if answer == "note":
                self._ask_note(entry, f"Acknowledge {name}", entry.owner.note if entry.owner is not None else "")
            elif answer == "open":
                command = do.AcknowledgeEscalation(entry.report.number, withdraw=True)
                self.desk.give(command, f"opening {entry.name} again")
            else:
                self._unchanged()

        self.desk.app.push_screen(Popup(name, lines, choices), answered)

    def _ask_note(self, entry: Entry, title: str, note: str) -> None:
        def typed(why: str | None) -> None:
            if why is None:
                self._unchanged()
            else:
                command = do.AcknowledgeEscalation(entry.report.number, why)
                self.desk.give(command, f"acknowledging {entry.name}")

        lines: list[Line] = [((clean(entry.report.summary, 120), "dim"),)]
        fields = {"note": Field(note, "may be empty; is kept with the run")}
        self.desk.app.push_screen(Form(title, fields, _noted, lines=lines, last="u undoes it"), typed)

    def _trace(self, entry: Entry) -> None:
        lines = texts.traceback_lines(entry, self._popup_cells)[2:]
        title = f"{entry.name} {name_of(entry.report.task, 50)}"
        self.desk.app.push_screen(
            Popup(title, lines or [(("it has no traceback", "dim"),)], full=bool(lines), note="esc back")
        )

    def _copy(self, entry: Entry) -> None:
        from dagtop.observe.report.ticket import ticket  # noqa: PLC0415 - seldom needed

        look = texts.LOOKS[entry.status]
        told = f"{entry.name} of {name_of(entry.report.task, 40)} as Markdown"
        self.desk.copy(told, ticket(entry.report, entry.owner, look.word))

    def opened(self) -> bool:
        entry = self.entry
        if entry is None:
            return True
        lines = texts.full(self.scene(entry), self._popup_cells)
        title = f"{entry.name} {name_of(entry.report.task, 60)}"
        self.desk.app.push_screen(Popup(title, lines, full=True, note="esc back"))
        return True

    def next(self, step: int) -> bool:
        """To the next that nobody looks after."""
        return self._step_among([entry.report.number for entry in self._shown() if entry.status is Status.OPEN], step)

    @property
    def nothing_next(self) -> str:
        return "nothing stands open"

    def back(self) -> bool:
        if super().back():
            return True
        was, self._open_only = self._open_only, False
        return was


def _noted(typed: Mapping[str, str]) -> Checked[str]:
    """The note as it is kept; any will do, and none."""
    return Checked(typed["note"].strip(), {}, "")


def _searched(entry: Entry) -> str:
    failure = model.last_failure(entry)
    error = f"{failure.error} {failure.message}" if failure is not None else ""
    report = entry.report
    return f"{entry.name} {report.task} {report.cause.words} {report.summary} {error}".casefold()
