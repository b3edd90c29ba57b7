"""The keys that change what is seen: moving, views, popups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from textual.containers import Vertical

from dagtop_app.screens import questions
from dagtop_app.screens.leaving import Leaving
from dagtop_app.screens.popup import Choice, Popup, Question
from dagtop_app.settings import told
from dagtop_app.settings.themed import Themed
from dagtop_app.steering import undo
from dagtop_app.tasks import copying
from dagtop_app.tasks.filters import is_problem
from dagtop_app.tasks.inspector import full
from dagtop_app.text import clean, name_of
from dagtop_app.widgets.inspector import Inspector

if TYPE_CHECKING:
    from dagtop_app.views.logs import Logs
    from dagtop_app.widgets.graph_view import GraphView
    from dagtop_app.widgets.log_pane import LogPane
    from dagtop_app.widgets.task_table import TaskTable

#: Within so many seconds the second g of "g g" counts.
_TWICE = 1.0


class Looking(Leaving):
    """Everything that leaves the run alone. The parts it names are the main screen's."""

    side: Vertical
    inspector: Inspector
    inspector_wanted = True
    settings_told: Sequence[str] = ()
    """What is in each other's way in the file of settings."""
    _first_g = float("-inf")

    # -- parts -----------------------------------------------------------------------------------------------

    @property
    def table(self) -> TaskTable:
        """View 1."""
        return self.stage.tasks.pane

    @property
    def graph(self) -> GraphView:
        """View 2."""
        pane: GraphView = self.stage.view("graph").pane
        return pane

    @property
    def logs_view(self) -> Logs:
        """View 4."""
        found = self.stage.view("logs")
        return cast("Logs", found)

    @property
    def log_pane(self) -> LogPane:
        """Its lines."""
        return self.logs_view.pane

    # -- moving ----------------------------------------------------------------------------------------------

    def action_move(self, how: str) -> None:
        """Move the cursor of the pane that has the focus."""
        if self.inspector.has_focus:
            self.inspector.move(how)
        else:
            self.stage.current.move(how)

    def step_on(self) -> None:
        """To the next line, in a view that has lines."""
        if self.view != "graph":
            self.stage.current.move("down")

    def action_top_twice(self) -> None:
        """The second g goes to the top."""
        now = self.now()
        if now - self._first_g <= _TWICE:
            self._first_g = float("-inf")
            self.action_move("top")
        else:
            self._first_g = now

    def action_next(self, step: int) -> None:
        """To the next problem, or match."""
        if not self.stage.current.next(step):
            self.bridge.say(self.stage.current.nothing_next)
        self.draw()

    def next_problem(self, step: int) -> bool:
        """Select the next problem, or the one before; False if there is none."""
        found = self.roster.find(is_problem, step)
        if found:
            self.select(self.roster.selected)
        return found

    def select(self, index: int | None) -> None:
        """Put every view's cursor on a task."""
        if index is None:
            return
        if self.view in {"graph", "events"}:  # what a filter of the table hides is there all the same
            self.roster.keep(index)
        elif not self.roster.select(index):
            self.set_filter("", problems=False)
            self.roster.select(index)
        self.roster.extend()
        self.draw()

    def action_pane(self, step: int) -> None:
        """Between the view and the inspector."""
        if self.is_asking:
            self.close_ask()
        elif self.inspector.has_focus or not self.side.has_class("-shown"):
            self.pane.focus()
        else:
            self.inspector.focus()

    # -- views -----------------------------------------------------------------------------------------------

    def action_view(self, name: str) -> None:
        """Show a view."""
        self.stage.show(name)
        self.pane.focus()
        self.call_after_refresh(self.draw)

    def action_do(self, what: str, view: str = "") -> None:
        """A key of the view that is shown, or of another one, which is shown then."""
        if view and self.view != view:
            self.action_view(view)
        self.stage.current.do(what)

    def action_acknowledge(self) -> None:
        """Look after the escalation of the selected task, in the view that tells of it."""
        self.action_do("acknowledge", "escalations")

    def action_graph(self, what: str) -> None:
        """A key of the graph."""
        self.action_do(what, "graph")

    def action_logs(self, selected: bool) -> None:
        """Logs of the chosen tasks, or of all."""
        row = self.selected_row
        if selected and row is None:
            self.bridge.refuse("no task is selected")
            self.draw_word()
        elif selected and len(self.roster.marks) > 1:
            names = self.snapshot.plan.names
            self.show_logs([names[place] for place in self.roster.marks.places(self.snapshot.plan)])
        else:
            self.action_view("logs")
            self.call_after_refresh(self._open_log, row.name if selected and row is not None else None)

    def show_logs(self, tasks: Sequence[str]) -> None:
        """The lines of these tasks together."""
        self.action_view("logs")
        self.logs_view.open_merged(tasks)
        self.call_after_refresh(self.draw)

    def _open_log(self, task: str | None) -> None:
        self.logs_view.open_named(task)
        self.draw()

    def action_inspector(self) -> None:
        """Show or hide the inspector."""
        self.inspector_wanted = not self.inspector_wanted
        if self.inspector.has_focus:
            self.pane.focus()
        self.draw()

    def action_back(self) -> None:
        """One step back."""
        if self.is_asking:
            self.close_ask(clear=True)
            return
        if self.view != "tasks":
            if not self.stage.current.back():
                self.action_view("tasks")
        elif self.inspector.has_focus:
            self.pane.focus()
        elif self.clear_marks():
            self.bridge.say("nothing is selected any more")
        elif self.roster.wanted or self.roster.wanted.error:
            self.set_filter("", problems=self.roster.problems)
        elif self.roster.problems:
            self.set_filter("", problems=False)
        else:
            self.step_out()
        self.draw()

    def step_out(self) -> None:
        """Esc where there is nothing left to step back from."""
        self.bridge.say("")

    # -- popups ----------------------------------------------------------------------------------------------

    def action_detail(self) -> None:
        """Everything about the task, full size."""
        row = self.selected_row
        if not self.stage.current.opened() and row is not None:
            logs = self.bridge.engine.logs.tail(row.name, 200)
            cells = max(30, self.app.size.width * 94 // 100 - 8)
            title = name_of(row.name, 80)
            lines = full(self.snapshot, row, logs, cells, self.bridge.usual.get(row.index))
            renew = self._renewed(title, row.name, cells)
            self.app.push_screen(Popup(title, lines, full=True, note="esc back · y copies on the table", renew=renew))

    def _renewed(self, title: str, name: str, cells: int) -> Callable[[], Question | None]:
        """The detail of the task of that name anew, whenever there is something new of the run, or another run."""
        shown = self.snapshot

        def renew() -> Question | None:
            nonlocal shown
            now = self.snapshot
            if now is shown or (row := undo.row_of(now, name)) is None:
                return None
            shown = now
            logs = self.bridge.engine.logs.tail(name, 200)
            return Question(title, full(now, row, logs, cells, self.bridge.usual.get(row.index)), ())

        return renew

    def action_why(self) -> None:
        """The long answer."""
        row = self.selected_row
        if row is not None:
            cells = min(84, max(30, self.app.size.width - 14))
            lines = questions.why_lines(self.snapshot, row, cells, self.bridge.story)
            self.app.push_screen(Popup(f"Why {name_of(row.name, 60)}", lines, note="esc"))

    def action_help(self) -> None:
        """Every key."""
        cells = min(90, self.app.size.width - 14)
        keys = questions.help_lines(cells, levels=self.roster.levels.there, view=self.view)
        self.app.push_screen(Popup("Keys", told.at_length(self.settings_told, cells) + keys, note="↑↓ scroll · esc"))

    def action_palette(self) -> None:
        """Every command, and every task, by name."""
        from dagtop_app.words.action_palette import TASK, ActionPalette, action_of  # noqa: PLC0415 - only when it is wanted

        async def chosen(answer: str | None) -> None:
            action = action_of(answer) if answer is not None else None
            if action is not None:
                await self.run_action(action.do)
            elif answer is not None:
                self.select(int(answer.removeprefix(TASK)))

        self.app.push_screen(ActionPalette(self.snapshot.plan.names), chosen)

    def action_theme(self) -> None:
        """Choose the colours."""
        app = self.app
        if isinstance(app, Themed):
            app.pick_theme()

    def action_copy(self) -> None:
        """The menu of what can be copied of the chosen task; of several, their names."""
        row, names = self.selected_row, [row.name for row in self.chosen_rows]
        if len(names) > 1:
            self.copy(f"{len(names):,} names", "\n".join(map(clean, names)))
            return
        found = (
            copying.pieces(self.snapshot, row, self.bridge.engine.logs.tail(row.name, copying.LOG_LINES))
            if row is not None
            else []
        )
        found = [*self.stage.current.pieces(), *found]
        if not found:
            return
        texts = {piece.key: piece for piece in found}
        choices = [Choice((piece.key,), piece.key, piece.label, piece.key) for piece in found]

        def chosen(key: str | None) -> None:
            if key is not None:
                self.copy(texts[key].label, texts[key].text)

        title = f"Copy of {name_of(row.name, 60)}" if row is not None else "Copy"
        self.app.push_screen(Popup(title, [], choices, pick=True, note="⏎ takes · esc"), chosen)

    def copy(self, what: str, text: str) -> None:
        """Copy a text and say so; unless there is more to be said of it."""
        self.bridge.say(f"copied {what}")
        self.app.copy_to_clipboard(text)
        self.draw_word()
