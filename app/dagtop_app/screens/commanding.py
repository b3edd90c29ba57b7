"""Commands in words, from the line that `:` opens: they do what keys do, to the tasks that they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagtop.core.snapshot import RunSnapshot

from dagtop_app.chrome.view_model import counted
from dagtop_app.faces import GATE_FACE
from dagtop_app.screens.looking import Looking
from dagtop_app.screens.popup import Popup
from dagtop_app.tasks import row_orders
from dagtop_app.tasks.tally import counts_of
from dagtop_app.text import clean, name_of, plural
from dagtop_app.views.listed import BY_NAME, VIEWS

if TYPE_CHECKING:
    from dagtop_app.reloading.file import Reloader
    from dagtop_app.reloading.schedule import RereadForNextRun
    from dagtop_app.reloading.timekeeper import Keeper


class Commanding(Looking):
    """What is typed, obeyed. What reads words is loaded when it is first needed."""

    _typed_before: list[str]
    keeper: Keeper | None = None
    reloader: Reloader | RereadForNextRun | None = None

    def action_reload(self) -> None:
        """Read the graph file again."""
        raise NotImplementedError

    def action_runs(self, text: str = "") -> None:
        """The runs that were kept."""
        raise NotImplementedError

    def action_report(self, asked: str) -> None:
        """Write a report of the run as it is now."""
        raise NotImplementedError

    def action_run_now(self) -> None:
        """Run beside the schedule."""
        raise NotImplementedError

    def action_command(self, begin: str = "") -> None:
        """Open the line."""
        from dagtop_app.screens.command_line import CommandLine, Words  # noqa: PLC0415 - as above
        from dagtop_app.words import completing, palette  # noqa: PLC0415 - when it is first needed

        chosen = [row.name for row in self.chosen_rows]
        known = completing.Known(
            views=[view.name for view in VIEWS],
            themes=sorted(self.app.available_themes),
            chosen=chosen,
            may_steer=self.may_steer,
            useless=self._useless_words(),
        )
        words = Words(
            lambda text: completing.offers(text, self.snapshot, known),
            lambda text: palette.outlook(text, self.snapshot, chosen=chosen, usual=self.bridge.usual),
        )

        def entered(line: str | None) -> None:
            if line is not None:
                self.obey(line)
            self.draw()

        self.app.push_screen(CommandLine(words, self.typed_before, begin), entered)

    @property
    def typed_before(self) -> list[str]:
        """What was entered, oldest first."""
        if not hasattr(self, "_typed_before"):
            self._typed_before = []
        return self._typed_before

    def _useless_words(self) -> frozenset[str]:
        """Words that would do nothing here."""
        has = {
            "undo": self.bridge.can_undo,
            "reload": self.reloader is not None,
            "now": self.keeper is not None and self.keeper.runs_all,
        }
        return frozenset(word for word, it_has in has.items() if not it_has)

    def obey(self, line: str) -> None:
        """Do what a line says."""
        from dagtop_app.words.parsing import WordError, parse  # noqa: PLC0415 - when it is first needed

        text = line.strip().removeprefix(":").strip()
        try:
            chosen = [row.name for row in self.chosen_rows]
            worded = parse(text, self.snapshot, chosen=chosen, usual=self.bridge.usual)
        except WordError as error:
            self.bridge.refuse(clean(str(error), 300))
            return
        if worded.commands:
            self.give_all(worded.commands, worded.saying)
        else:
            self._show(worded.word, worded.tasks, worded.rest)

    def _show(self, word: str, tasks: Sequence[str], rest: str) -> None:
        """A word that only shows something."""
        if tasks and word != "select":
            self.goto(tasks[0])
        match word:
            case "why":
                self.action_why()
            case "where":
                self.action_where()
            case "logs" if len(tasks) > 1:
                self.show_logs(tasks)
            case "logs":
                self.action_logs(bool(tasks))
            case "tasks":
                self._filter(rest)
            case "undo":
                self.action_undo()
            case "reload":
                self.action_reload()
            case "now":
                self.action_run_now()
            case "view" | "theme":
                self._choose(word, rest)
            case "sort":
                self._choose("order", rest)
            case "filter":
                self._filter(rest)
            case "select":
                self._mark(tasks)
            case "gates":
                self._filter(f"state:{GATE_FACE.word.lower()}")
            case "runs":
                self.action_runs(rest)
            case "report":
                self.action_report(rest)
            case "problems":
                self.action_view("tasks")
                self.set_filter("", problems=True)
            case "breakers" | "escalations":
                self._view_or(word)
            case "pools":
                self.action_pool()
            case "status":
                self.bridge.say(status_text(self.snapshot))
            case "help":
                self._tell_words(rest)
            case "quit":
                self.action_quit()
            case _:  # what was to be shown is selected now
                pass

    def _tell_words(self, word: str) -> None:
        """All words of the line, or those that begin so."""
        from dagtop_app.words.palette import word_lines  # noqa: PLC0415 - when it is first needed

        lines = word_lines(word, min(100, max(40, self.app.size.width - 14)))
        self.app.push_screen(Popup("Commands", lines, note="↑↓ scroll · ? keys · esc"))

    def _view_or(self, name: str) -> None:
        if name in BY_NAME:
            self.action_view(name)
        elif name == "breakers":
            self.action_breaker()
        else:
            self.bridge.refuse(f"there is no view of {name}")

    def goto(self, task: str) -> None:
        """Put the cursor on a task, in the table unless the view has one of its own."""
        index = self.snapshot.plan.index.get(task)
        if index is not None:
            self.select(index)

    def _filter(self, text: str) -> None:
        self.action_view("tasks")
        self.set_filter(text, problems=False)

    def _choose(self, what: str, begun: str) -> None:
        """A view, an order, or colours, by name or by how that begins."""
        from dagtop_app.words.tasks import WordError, by_beginning  # noqa: PLC0415 - when it is first needed

        if what == "theme" and not begun:
            self.action_theme()
            return
        there = {"view": [*BY_NAME], "order": [*row_orders.SORTS], "theme": sorted(self.app.available_themes)}[what]
        try:
            name = by_beginning(what, begun, there)
        except WordError as error:
            self.bridge.refuse(str(error))
            return
        if what == "view":
            self.action_view(name)
        elif what == "order":
            self.sort_by(name)
        else:
            self.app.theme = name

    def _mark(self, names: Sequence[str]) -> None:
        if not names:
            self.clear_marks()
            self.bridge.say("nothing is selected")
            return
        self.roster.marks.toggle(names)
        self.bridge.say(f"{plural(len(names), 'task')}: {', '.join(name_of(name, 30) for name in names[:5])}")


def status_text(snapshot: RunSnapshot) -> str:
    """How far the run is, in one line."""
    return f"{snapshot.state.value}: {counted(counts_of(snapshot))}"
