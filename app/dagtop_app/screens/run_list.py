"""What the list of runs does with them: play one, compare two, tell of one, cancel one that goes on elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from dagtop.errors import DagtopError

from dagtop_app.actions import ACTIONS
from dagtop_app.bridge import Bridge
from dagtop_app.commands.diffing import SHOWN
from dagtop_app.lines import Line
from dagtop_app.reports.exporting import FORMS
from dagtop_app.runs import kept as kept_runs
from dagtop_app.runs.diff_lines import diff_lines
from dagtop_app.runs.kept import Compared, Opened
from dagtop_app.runs.list_model import Kept, way_on
from dagtop_app.screens import questions
from dagtop_app.screens.popup import Choice, Popup
from dagtop_app.screens.run_listing import SHARED, RunListing
from dagtop_app.settings import config
from dagtop_app.settings.keymap import shown_of
from dagtop_app.text import clean, fit, name_of
from dagtop_app.widgets.footer import Footer

T = TypeVar("T")

_REPLAYED = "a replay of a kept run · Esc to the list"
_HELP = (
    "The runs that were kept, latest first; the one of this console, as it is now, is on top while it goes on.",
    "The filter takes texts that are somewhere in the run's id, state, graph, endings or file, /re/, !not, state:failed,",
    "graph:etl and since: with an age or a date, e.g. since:3d or since:2025-11-20.",
    "TOOK stands out, and NOTE says so, where a run took 1.5 times as long as earlier ones of its graph or longer.",
)


class RunList(RunListing):
    """The list with all its keys."""

    _form = "html"
    _busy = ""
    """What is being done, on a thread of its own; "" for nothing."""
    _opened: Opened | None = None

    def _aside(self, saying: str, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Have something done on a thread of its own, and `done` called with what came of it, unless it was given up."""
        if self._busy:
            self.say(f"{self._busy} first; Esc gives it up")
            return
        self._busy = saying
        self.say(f"{saying}…", "warn")

        def run() -> None:
            found: T | None = None
            wrong = ""
            try:
                found = work()
            except DagtopError as error:
                wrong = str(error)
            except Exception as error:  # noqa: BLE001 - a run that cannot be read must not close the console
                wrong = f"{type(error).__name__}: {error}"
            self.app.call_from_thread(self._came, saying, cast("T", found), wrong, done)

        self.run_worker(run, thread=True, exit_on_error=False, description="reads a run")

    def _came(self, saying: str, found: T, wrong: str, done: Callable[[T], None]) -> None:
        if self._busy != saying or not self.is_attached:  # given up
            if isinstance(found, Opened):
                self._let_go(found)
            return
        self._busy = ""
        if wrong:
            self.say(wrong, "bad")
            return
        self.say("")
        done(found)

    def action_back(self) -> None:
        """One step back; what is being read is given up first."""
        if self._busy:
            self._busy = ""
            self.say("given up")
        else:
            super().action_back()

    # -- playing one ---------------------------------------------------------------------------------------------------

    def action_kept(self, what: str) -> None:
        """A key of the list."""
        row = self.table.row
        if row is None:
            self.say("there is no run here")
        elif what == "replay":
            self._replay(row)
        elif what == "diff":
            self._diff(row)
        elif what == "graph":
            self._same_graph(row)
        else:
            self._cancel(row)

    def on_run_table_opened(self) -> None:
        """A double click."""
        self.action_kept("replay")

    def _replay(self, row: Kept) -> None:
        if row.here:
            self.leave()
            return
        work = partial(kept_runs.open_replay, self.journal, row.run)
        self._aside(f"reading {clean(row.run, 60)}", work, partial(self._play, row))

    def _play(self, row: Kept, opened: Opened) -> None:
        from dagtop_app.screens.kept_replay import KeptReplay  # noqa: PLC0415 - when a run is first played

        if self.app.screen is not self:
            self._let_go(opened)
            return
        opened.replay.start()
        self._opened = opened
        bridge = Bridge(opened.replay, now=self.now)
        bridge.say(f"{_REPLAYED} · q {'to the run here, which goes on' if self.live is not None else 'leaves it'}")
        screen = KeptReplay(
            bridge, f"replay of {name_of(row.summary.graph, 60)}", opened.replay, self._left, now=self.now
        )
        record = opened.stored.record
        screen.inputs, screen.source, screen.journal = record.parameters, record.source, None
        setting = config.current().config
        screen.rate, screen.roster.columns = setting.refresh, setting.columns
        self._screen = screen
        self.app.push_screen(screen)

    def _left(self, all_the_way: bool) -> None:
        self._screen.dismiss()
        if all_the_way and self.live is not None:
            self.dismiss()
        opened, self._opened = self._opened, None
        if opened is not None:
            self._let_go(opened)

    def _let_go(self, opened: Opened) -> None:
        opened.replay.close()
        self.app.run_worker(opened.close, thread=True, exit_on_error=False, description="closes a run")

    def on_unmount(self) -> None:
        """The console is left from within the replay."""
        if self._opened is not None:
            self._opened.replay.close()

    # -- comparing two -------------------------------------------------------------------------------------------------

    def _diff(self, row: Kept) -> None:
        partner = self.partner_of(row)
        if not partner:
            self.say("there is no other run of this graph: Space marks the one to compare with")
            return
        work = partial(kept_runs.compare_runs, self.journal, row.run, partner)
        self._aside(f"comparing {clean(row.run, 60)} with {clean(partner, 60)}", work, self._tell_diff)

    def _tell_diff(self, compared: Compared) -> None:
        from dagtop_app.commands.diffing import lines_of  # noqa: PLC0415 - when it is first needed

        told = lines_of(compared.before, compared.after, compared.found, kept_runs.redactor_of(compared))
        lines = [*diff_lines(told)]
        note = f"up to {SHOWN} a section · y copies on the list · esc"
        self.app.push_screen(Popup("What is different in B", lines, full=True, fold=True, note=note))

    # -- telling of one ------------------------------------------------------------------------------------------------

    def action_export(self) -> None:
        """The menu of forms of reports."""
        row = self.table.row
        if row is None:
            self.say("there is no run here")
            return
        run = row.run
        choices, at = questions.menu(FORMS, self._form)

        def chosen(form: str | None) -> None:
            if form is None:
                self.say("nothing was written")
                return
            self._form = form
            work = partial(kept_runs.write_report_of, self.journal, run, form, Path.cwd())
            self._aside(f"writing {form} of {clean(run, 60)}", work, lambda told: self.say(told, "good"))

        title = f"Write a report of run {clean(run, 60)}"
        self.app.push_screen(Popup(title, [], choices, pick=True, at=at, note="⏎ writes it here · esc"), chosen)

    def action_copy(self) -> None:
        """The menu of what can be copied of a run."""
        row = self.table.row
        if row is None:
            self.say("there is no run here")
            return
        other = self.partner_of(row)
        texts = {"id": row.run, "replay": f"dagtop replay {row.run}", "report": f"dagtop report {row.run} report.html"}
        if not row.goes_on and row.summary.source:
            texts["resume"] = f"dagtop resume {row.run}"
        if other:
            texts["diff"] = f"dagtop diff {other} {row.run}"
        choices, at = questions.menu(texts, "id")

        def chosen(what: str | None) -> None:
            if what is not None:
                self.say(f"copied {texts[what]}")
                self.app.copy_to_clipboard(texts[what])

        self.app.push_screen(Popup(f"Copy of run {clean(row.run, 60)}", [], choices, pick=True, at=at), chosen)

    # -- one that goes on elsewhere ------------------------------------------------------------------------------------

    def _cancel(self, row: Kept) -> None:
        if row.here or not row.goes_on:
            self.say("K cancels the run of this console" if row.here else f"run {clean(row.run, 60)} does not go on")
            return
        run, process = row.run, row.summary.pid
        lines: list[Line] = [
            ((f"It goes on in process {process}. What runs there is told to stop,", ""),),
            (("what has not begun will not begin.", ""),),
            (*way_on(row.summary), (" goes on with it later.", "dim")),
        ]
        choices = [
            Choice(("y",), "y", f"Cancel {clean(run, 60)}", "yes", "bad"),
            Choice(("n",), "esc", "Let it go on", "no"),
        ]

        def answered(answer: str | None) -> None:
            if answer == "yes":
                work = partial(kept_runs.cancel, self.journal, run)
                self._aside(f"cancelling {clean(run, 60)}", work, lambda told: self.say(told, "good"))

        title = f"Cancel the run of {name_of(row.summary.graph, 40)} in the other process?"
        self.app.push_screen(Popup(title, lines, choices, grave=True), answered)

    # -- help ----------------------------------------------------------------------------------------------------------

    def _same_graph(self, row: Kept) -> None:
        wanted = f"graph:{row.summary.graph}"
        plain = row.summary.graph and not any(char.isspace() for char in row.summary.graph)
        if not plain:
            self.say("this graph's name cannot be filtered by")
        else:
            self.look_for("" if self.wanted.text == wanted else wanted)

    def action_help(self) -> None:
        """The keys of the list."""
        lines: list[Line] = [((text, "dim"),) for text in _HELP]
        lines.append(())
        for action in (*(action for action in ACTIONS if action.view == "runs"), *SHARED):
            told = action.help.removeprefix("In the list of runs: ")
            lines.append(((fit(shown_of(action), 10), "key"), (told[:1].upper() + told[1:], "")))
        self.app.push_screen(Popup("Keys of the list of runs", lines, note="↑↓ scroll · esc"))

    async def on_footer_pressed(self, message: Footer.Pressed) -> None:
        """An entry of the footer was clicked."""
        for action in (*(action for action in ACTIONS if action.view == "runs"), *SHARED):
            if shown_of(action) == message.shown:
                await self.run_action(action.do)
                return
