"""The list of runs that were kept, over the console: it goes on below, or there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import tzinfo
from typing import TYPE_CHECKING, ClassVar

from dagtop.errors import DagtopError
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from dagtop_app.actions import IN_RUNS, Action, bindings, bindings_of, footer_of
from dagtop_app.lines import Line, rule, sides
from dagtop_app.runs import kept as kept_runs
from dagtop_app.runs import list_model as run_list_model
from dagtop_app.runs.filter import RunFilter
from dagtop_app.runs.kept import History
from dagtop_app.runs.list_model import Kept, with_live
from dagtop_app.screens.asked import AnsweredOnce
from dagtop_app.settings.themed import Themed
from dagtop_app.text import clean
from dagtop_app.widgets.footer import Footer
from dagtop_app.widgets.painted import Painted
from dagtop_app.widgets.run_table import RunTable
from dagtop_app.widgets.typed import Typed

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen

#: Seconds between two looks at what is kept, and how often this is looked at, per second.
_LOOK, _RATE = 2.0, 10
#: From this height on it is told more of the run under the cursor.
_TALL = 20

#: Keys that it has in common with the console.
SHARED = footer_of(IN_RUNS)
_FOOTER = "runs.replay runs.diff app.export look.filter look.problems select.task runs.graph app.copy runs.cancel"


class RunListing(AnsweredOnce, Screen[None]):
    """The list itself: what is in it, and the cursor. What is done with a run comes on top of it.

    Parameters
    ----------
    journal: where the runs are kept.
    live: the console of the run that goes on below; None if there is none.
    wall: the clock on the wall, and `zone` where that wall is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(IN_RUNS), *bindings("runs")]
    AUTO_FOCUS = ""
    live: MainScreen | None

    def __init__(
        self,
        journal: History,
        live: MainScreen | None = None,
        *,
        text: str = "",
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        super().__init__()
        self.journal, self.live = journal, live
        self.now, self._wall, self._zone = now, wall, zone
        self.table = RunTable(id="runs", zone=zone)
        self.table.empty = lambda cells: run_list_model.nothing_lines(len(self.kept), self._place, cells)
        self.kept: list[Kept] = []
        self.rows: list[Kept] = []
        """Those that pass the filter."""
        self.marked: list[str] = []
        self.wanted = RunFilter(text, wall())
        self.problems = False
        self.word: tuple[str, str] = ("reading…", "dim")
        """(text, style) of the line above the footer."""
        self._place = kept_runs.place_of(journal)
        self._header = Painted(id="runs-header")
        self._rule, self._head = Painted(id="rule"), Painted(id="head")
        self._side_rule, self._detail = Painted(id="side-rule"), Painted(id="runs-detail")
        self._word, self.footer = Painted(id="word"), Footer(id="footer")
        self.ask = Typed(id="ask", select_on_focus=False)
        self._read: list[Kept] = []
        """As the journal has them."""
        self._stamp: object = None
        self._looks_at = float("-inf")
        self._reading = False
        self._made_of: tuple[object, object] = (None, None)
        """What `kept` was made of."""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield from (self._header, self._rule, self._head, self.table, self._side_rule, self._detail, self.ask)
        yield from (self._word, self.footer)

    def on_mount(self) -> None:
        """Begin to read."""
        self.table.focus()
        self.set_interval(1 / _RATE, self.poll)
        self.poll()

    # -- reading -------------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Ten times a second: what is new of the run below, and now and then of all others."""
        if self.now() >= self._looks_at and not self._reading:
            self._looks_at = self.now() + _LOOK
            stamp = kept_runs.stamp_of(self.journal)
            others_go_on = any(row.goes_on and not row.here for row in self.kept)
            if stamp is None or stamp != self._stamp or others_go_on:
                self._stamp, self._reading = stamp, True
                self.run_worker(self._look, thread=True, exit_on_error=False, description="reads the runs")
        self._take_live()
        self.draw()

    def _look(self) -> None:
        """On a thread of its own."""
        begun = self.now()
        try:
            found, wrong = kept_runs.read(self.journal), ""
        except Exception as error:  # noqa: BLE001 - a journal that cannot be read must not close the console
            found, wrong = [], str(error) if isinstance(error, DagtopError) else f"{type(error).__name__}: {error}"
        took = self.now() - begun
        self.app.call_from_thread(self._take, found, wrong, took)

    def _take(self, found: list[Kept], wrong: str, took: float) -> None:
        self._reading = False
        self._looks_at = max(
            self._looks_at, self.now() + 20 * took
        )  # of a large history at most a twentieth of the time
        if wrong:
            self.say(wrong, "bad")
        else:
            self._read = found
            if self.word[0] == "reading…":
                self.say("")
        self._take_live()
        self.draw()

    def _take_live(self) -> None:
        """Put the run below into the list as it is now."""
        live, read = self.live, self._read
        snapshot = (
            live.bridge.snapshot if live is not None and not getattr(live.bridge.engine, "is_replay", False) else None
        )
        before, self._made_of = self._made_of, (read, snapshot)
        if before[0] is read and (before[1] is snapshot or self._renew_here()):
            return
        self.kept = with_live(read, snapshot, live.source) if live is not None and snapshot is not None else list(read)
        self.sift()

    def _renew_here(self) -> bool:
        """The run below in its place, as it is now; False if it has another place, or is another one."""
        assert self.live is not None
        place = next((at for at, row in enumerate(self.kept) if row.here), None)
        if place is None:
            return False
        was = self.kept[place]
        (now,) = with_live([was], self.live.bridge.snapshot, self.live.source) or (was,)
        if (now.run, now.goes_on) != (was.run, was.goes_on):
            return False
        self.kept[place] = now
        shown = next((at for at, row in enumerate(self.rows) if row.here), None)
        if shown is not None:
            self.rows[shown] = now
        return True

    def sift(self) -> None:
        """Leave out what is not asked for."""
        self.rows = self.wanted.passing(self.kept, problems=self.problems)
        self.marked = [run for run in self.marked if any(row.run == run for row in self.kept)]

    # -- drawing -------------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """All of it; what is as before is not drawn again."""
        cells = self.size.width
        if not cells or not self.is_attached:
            return
        now = self._wall()
        self.table.show(self.rows, now, self.marked)
        self._header.set_lines([self._first_line(cells)])
        left, right = run_list_model.list_title(
            len(self.rows),
            len(self.kept),
            self.wanted.text,
            len(self.marked),
            problems=self.problems,
            place=self._place,
        )
        self._rule.set_lines([rule(left, right, cells)])
        self._head.set_lines([run_list_model.head_line(self.table.cols, cells)])
        tall = self.size.height >= _TALL
        self._side_rule.display = self._detail.display = tall
        if tall:
            row = self.table.row
            left, right = run_list_model.detail_title(row)
            self._side_rule.set_lines([rule(left, right, cells)])
            self._detail.set_lines(run_list_model.detail_lines(row, cells, now, self._zone))
        text, style = (self.wanted.error, "bad") if self.wanted.error else self.word
        self._word.set_lines([rule([(clean(text, 300), style)] if text else [], [], cells)])
        self.footer.show([(action, self.is_useful(action)) for action in footer_of(f"{_FOOTER} app.quit")])

    def _first_line(self, cells: int) -> Line:
        from dagtop_app.chrome.view_model import run_line  # noqa: PLC0415 - loaded already where there is a run

        if self.live is not None:
            live = self.live
            return run_line(live.bridge.snapshot, live.source_title, cells, left_over=live.header.left)
        return sides([(" dagtop ", "brand"), (" the runs that were kept", "title")], [], cells)

    def is_useful(self, action: Action) -> bool:
        """Whether a key would do something."""
        row = self.table.row
        match action.id:
            case "runs.replay" | "app.export" | "app.copy" | "select.task" | "runs.graph":
                return row is not None
            case "runs.diff":
                return row is not None and bool(self.partner_of(row))
            case "runs.cancel":
                return row is not None and row.goes_on and not row.here
            case _:
                return True

    def partner_of(self, row: Kept) -> str:
        """The run that it is compared with: the marked one, else that of the console, else the one before of its graph."""
        marked = [run for run in self.marked if run != row.run]
        if marked:
            return marked[-1]
        here = next((one.run for one in self._read if one.run == self._live_run and one.run != row.run), "")
        return here or kept_runs.previous_of(row, self.kept)

    @property
    def _live_run(self) -> str:
        return next((row.run for row in self.kept if row.here), "")

    def say(self, text: str, style: str = "dim") -> None:
        """In the line above the footer."""
        self.word = (text, style)
        self.draw()

    def on_resized(self) -> None:
        """A part has another size."""
        self.call_after_refresh(self.draw)

    # -- the cursor ----------------------------------------------------------------------------------------------------

    def action_move(self, how: str) -> None:
        """Move the cursor."""
        self.table.move(how)

    def action_top_twice(self) -> None:
        """To the first run: one g is enough, there is nothing else that it could mean."""
        self.table.move("top")

    def action_next(self, step: int) -> None:
        """To the next run that did not go well, or the one before."""
        rows, here = self.rows, self.table.place
        places = range(here + 1, len(rows)) if step > 0 else range(here - 1, -1, -1)
        found = next((place for place in places if rows[place].is_problem), None)
        if found is None:
            self.say("no run with a problem below" if step > 0 else "no run with a problem above")
        else:
            self.table.go(found)

    def on_run_table_moved(self) -> None:
        """What is told of it."""
        self.draw()

    # -- what is in it -------------------------------------------------------------------------------------------------

    def action_select(self) -> None:
        """Mark the run, or unmark it; the cursor goes on."""
        row = self.table.row
        if row is None:
            return
        if row.run in self.marked:
            self.marked.remove(row.run)
        else:
            self.marked.append(row.run)
        self.table.move("down")
        self.draw()

    def action_problems(self) -> None:
        """Only those that did not go well, or all."""
        self.problems = not self.problems
        self.sift()
        self.draw()

    def look_for(self, text: str) -> None:
        """Another filter."""
        self.wanted = RunFilter(text, self._wall())
        self.sift()
        self.draw()

    def action_filter(self) -> None:
        """Open the line to type a filter in."""
        self.ask.opens(self.wanted.text)
        self.ask.placeholder = "text  /re/  !not  state:failed  graph:etl  since:3d"
        self.ask.add_class("-open")
        self.ask.focus()

    def types_early(self, event: events.Key) -> bool:
        """Letters that came before the line had the focus are meant for it all the same."""
        return self.ask.has_class("-open") and self.ask.takes_early(event)

    def on_input_changed(self, event: Input.Changed) -> None:
        """The filter works while it is typed."""
        event.stop()
        if self.ask.has_class("-open"):
            self.look_for(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps it."""
        event.stop()
        self._close_ask()

    def _close_ask(self) -> None:
        self.ask.remove_class("-open")
        self.table.focus()
        self.draw()

    def action_back(self) -> None:
        """One step back: the line to type in, the filter, the marks; then out."""
        if self.ask.has_class("-open"):
            self._close_ask()
            self.look_for("")
        elif self.wanted or self.wanted.error:
            self.look_for("")
        elif self.problems:
            self.action_problems()
        elif self.marked:
            self.marked = []
            self.draw()
        else:
            self.leave()

    def leave(self) -> None:
        """Back to the console; without one, leave."""
        if self.live is None:
            self.app.exit(return_code=0)
        else:
            self.dismiss()

    def action_quit(self) -> None:
        """As Esc, all at once."""
        self.leave()

    def action_runs(self) -> None:
        """The key that opens it closes it."""
        if self.live is not None:
            self.leave()

    def action_theme(self) -> None:
        """Choose the colours."""
        if isinstance(self.app, Themed):
            self.app.pick_theme()
