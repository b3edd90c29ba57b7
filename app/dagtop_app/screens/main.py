"""The console's one screen: header, views, inspector, the line for answers, footer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

from dagtop.core.snapshot import BROKEN as BROKEN_TEXT
from dagtop.core.snapshot import TaskRow
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.screen import Screen

from dagtop_app.actions import ACTIONS, BY_ID, KEPT_FOOTER, Action, bindings, footer_of
from dagtop_app.bridge import Bridge
from dagtop_app.chrome.view_model import FOOT_HIGH, FOOT_WIDE, TALL, WIDE, is_small, tiny_lines
from dagtop_app.chrome.word_line import Standing, word_line
from dagtop_app.launching import later
from dagtop_app.lines import Line, line_width, rule
from dagtop_app.screens.levelled import Levelled
from dagtop_app.settings.keymap import help_key, shown_of
from dagtop_app.steering.useful import is_useful
from dagtop_app.tasks import inspector as inspector_model
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.roster import Roster
from dagtop_app.tasks.tally import at_gates
from dagtop_app.timeline.eta_texts import left_of_run
from dagtop_app.views.listed import BY_NAME, VIEWS
from dagtop_app.widgets.footer import Footer
from dagtop_app.widgets.header import Header
from dagtop_app.widgets.inspector import Inspector
from dagtop_app.widgets.messages import Opened, Selected
from dagtop_app.widgets.painted import Painted
from dagtop_app.widgets.stage import Stage
from dagtop_app.widgets.task_table import ColumnHead

if TYPE_CHECKING:
    from dagtop_app.reloading.timekeeper import Keeper
    from dagtop_app.widgets.foot import Foot, Panel

#: How often the engine is looked at, per second.
RATE = 10
#: So many times as long as a look takes is the time until the next one, up to so many seconds.
_REST, _LONGEST_REST = 6.0, 0.25
#: Seconds after the first paint from which on the rest of the console is read.
_READ_AFTER = 0.3


#: Names of the actions that change something about the run.
_STEERS = frozenset(action.do.partition("(")[0] for action in ACTIONS if action.group == "Steer") - {"do"}


#: All that keys do where a terminal is too small to show what they would act on.
_WHEN_TINY = ("quit", "help", "shell", "leave")
_KEYS_WHEN_TINY = ("app.quit", "app.help", "app.shell")


class MainScreen(Levelled, Screen[None]):
    """Draws what the bridge has, sends what keys ask for."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    AUTO_FOCUS = ""
    rate: float = RATE

    def __init__(
        self,
        bridge: Bridge,
        title: str,
        *,
        now: Callable[[], float] = time.monotonic,
        keeper: Keeper | None = None,
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.keeper = keeper
        self._next_run = ""
        self.roster = Roster()
        self.source_title = title
        self.now = now
        self.header = Header(id="header")
        self.stage = Stage(self, id="stage")
        self.inspector = Inspector(id="inspector")
        self.inspector.returned = bridge.returned
        self._side_rule = Painted(id="side-rule")
        self.side = Vertical(self._side_rule, self.inspector, id="side")
        self._word = Painted(id="word")
        self.footer = Footer(id="footer")
        self._foot: Foot | None = None
        self._tiny: Painted | None = None
        self._look_again = 0.0
        self._drawing = False
        self._first = True
        self._unpainted = ExitStack()
        """Nothing is painted before something has been drawn: the first paint is no empty screen."""
        self.when_painted: Callable[[], None] = lambda: None
        """Called once, after the first paint."""

    def compose(self) -> ComposeResult:
        """What the first paint needs, as large as it will be; the rest is made when it is first shown."""
        self._fit(self.app.size, update=False)
        self.side.set_class(self._wants_side, "-shown")
        yield self.header
        yield Vertical(self.stage, self.side, id="body")
        yield self._word
        yield self.footer

    def on_mount(self) -> None:
        """Start looking at the engine."""
        self._unpainted.enter_context(self.app.batch_update())
        self.set_timer(_READ_AFTER, self._first_drawn)  # whatever happens
        self.table.focus()
        self.set_interval(1 / self.rate, self._look)
        self.set_timer(_READ_AFTER, self._read_the_rest)

    def on_unmount(self) -> None:
        """It may go before it was ever painted."""
        self._unpainted.close()

    def _read_the_rest(self) -> None:
        rest = later.rest()

        def read_one() -> None:
            if (
                time.perf_counter() >= self._look_again and next(rest, later.DONE) is later.DONE
            ):  # a large run goes first
                timer.stop()

        timer = self.set_interval(later.PAUSE, read_one)

    # -- what is shown ---------------------------------------------------------------------------------------

    @property
    def selected_row(self) -> TaskRow | None:
        """The task that keys act on."""
        return self.stage.current.row

    def _look(self) -> None:
        """Ten times a second, but seldom enough for a run of a hundred thousand tasks not to go slower for being looked at."""
        begun = time.perf_counter()
        if begun >= self._look_again:
            self.poll()
            over = time.perf_counter()
            self._look_again = over + min(_REST * (over - begun), _LONGEST_REST)

    def poll(self) -> None:
        """Draw what is new."""
        if self.keeper is not None:
            self._keep_time(self.keeper)
        self.check_file()
        if self.bridge.poll() or self.roster.is_due(self.now()):
            self._draw_new()
        elif self.stage.current.tick():
            self.draw_rule()
        self.check_leaving()

    def _keep_time(self, keeper: Keeper) -> None:
        if not self.leaving and keeper.tick(self.bridge):
            self.on_attached()
        if (text := keeper.text()) != self._next_run:
            self._next_run = text
            self._draw_header()
            self.draw_word()

    def action_run_now(self) -> None:
        """Run beside the schedule."""
        if self.keeper is None:
            self.bridge.refuse("the graph has no schedule; r and R run tasks again")
        elif not self.keeper.runs_all:
            self.bridge.refuse("only nodes of it have schedules; r and R on a node run it again")
        elif self.keeper.run_now(self.bridge):
            self.on_attached()
        self.draw_word()

    def on_attached(self) -> None:
        """Another engine: what was read of the one before is read anew."""
        self.foresight.forget()
        for view in self.stage.made:
            view.attached()

    def draw(self) -> None:
        """Draw everything as it is now."""
        self.bridge.poll()
        self.roster.show(self.bridge.snapshot, self.now())
        self._draw_new(moved=True)
        self._first_drawn()

    def _first_drawn(self) -> None:
        if self._first:
            self._first = False
            self._unpainted.close()
            self.call_after_refresh(self.when_painted)

    def _draw_new(self, *, moved: bool = False) -> None:
        snapshot = self.bridge.snapshot
        self.roster.usual = self.inspector.usual = self.bridge.usual
        moved = self.roster.show(snapshot, self.now()) or moved
        if self.has_class("-tiny"):
            self._draw_tiny()
            return
        self._draw_header()
        self.stage.current.show(moved=moved)
        self.draw_side()
        self._draw_foot()
        self.draw_rule()
        self.draw_word()
        self.draw_footer()

    def _draw_header(self) -> None:
        current = BY_NAME[self.view].key
        self.header.left = left_of_run(self.bridge.snapshot, self.foresee()) if self.bridge.usual else None
        self.header.show(self.roster.snapshot, self.source_title, self.tabs(), current, self._next_run, self.crumbs)

    def _draw_tiny(self) -> None:
        if self._tiny is None:
            self._tiny = Painted(id="tiny")
            self.mount(self._tiny)
        keys = " ".join(shown_of(BY_ID[name]).split()[0] for name in _KEYS_WHEN_TINY if shown_of(BY_ID[name]))
        self._tiny.set_lines(tiny_lines(self.roster.snapshot, self.size.width, self.size.height, keys=keys))

    def draw_rule(self) -> None:
        """The line above the view."""
        painted = self.stage.rule
        left, right = self.stage.current.title()
        painted.set_lines([rule(left, right, painted.size.width)])

    def draw_side(self) -> None:
        """The inspector and the line above it."""
        side, shown = self.side, self._wants_side
        if shown is not side.has_class("-shown"):
            side.set_class(shown, "-shown")
            return  # it is drawn as soon as it has a size
        if not shown:
            return
        row, snapshot = self.roster.row, self.roster.snapshot
        painted, inspector = self._side_rule, self.inspector
        inspector.at_length = self.has_class("-wide")
        if self.draw_node_side(painted) or self.draw_group_side(painted):
            return
        left, right = inspector_model.title(snapshot, row)
        painted.set_lines([rule(left, right, painted.size.width)])
        count = 0 if self.has_class("-foot") else 30 if inspector.at_length else 8
        lines = self.bridge.engine.logs.tail(row.name, count) if row is not None and count else ()
        inspector.show(snapshot, row, lines)

    def _draw_foot(self) -> None:
        """Events and log below the table, where there is room for them; made when they are first shown."""
        shown = self.has_class("-foot")
        if self._foot is None and shown:
            from dagtop_app.widgets.foot import Foot  # noqa: PLC0415 - most terminals are smaller

            self._foot = Foot(id="foot")
            self.mount(self._foot, before="#word")
        elif self._foot is not None and shown:
            row = self.telling_row
            logs = self.bridge.engine.logs.tail(row.name, 8) if row is not None else ()
            self._foot.show(self.bridge.story, self.roster.snapshot, row, logs)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that steer are refused at once where there is no engine any more; letters of a filter are no keys."""
        if self._opens_ask and self.is_asking:
            return False
        if self.has_class("-tiny") and action not in _WHEN_TINY:
            return False
        if action in _STEERS and self.snapshot.broken:
            self.bridge.refuse(BROKEN_TEXT)
            self.draw_word()
            return False
        return super().check_action(action, parameters)

    async def on_panel_clicked(self, message: Panel.Clicked) -> None:
        """One of the panels below the table was clicked."""
        await self.run_action(message.action)

    def draw_word(self) -> None:
        """The line above the footer: what is marked, and what became of the last command."""
        cells, told = self._word.size.width, self.marked_text()
        marked: Line = (("── ", "rule"), (told, "strong"), (" ", "rule")) if told else ()
        self._word.set_lines([(*marked, *word_line(self.standing, max(0, cells - line_width(marked))))])

    @property
    def standing(self) -> Standing:
        """What that line tells of."""
        bridge, wanted, keeper = self.bridge, self.roster.wanted, self.keeper
        wrong = wanted.error or (wanted.hint if not self.roster.order else "")
        by_node = keeper is not None and not keeper.runs_all
        return Standing(
            bridge.snapshot,
            bridge.word.text,
            bridge.word.tone,
            wrong=wrong if self.view == "tasks" else "",
            error=bridge.engine.error,
            is_over=bridge.is_over,
            has_not_begun=bridge.has_not_begun,
            leaves=bool(self.leaving),
            next_run="" if self.header.tells(self._next_run) else self._next_run,
            waits_for_nodes=by_node and " next at " in self._next_run,
        )

    def draw_footer(self) -> None:
        """Keys that matter now; those that would be refused are greyed."""
        self.footer.show([(action, self.is_useful(action)) for action in self.footer_actions()])

    def footer_actions(self) -> Sequence[Action]:
        """What matters now, the most important first."""
        row = self.selected_row
        kept = self.view == "tasks" and row is not None and upkeep.is_kept(row)
        actions = tuple(self.with_levels(KEPT_FOOTER if kept else footer_of(self.stage.current.footer)))
        if self.view != "logs" and at_gates(self.snapshot):
            actions = (BY_ID["run.gate"], *actions)
        if self.keeper is not None and self.keeper.runs_all and self.bridge.is_over:
            actions = (BY_ID["run.now"], *actions)
        return actions

    def is_useful(self, action: Action) -> bool:
        """Whether the key would do something to one of the chosen tasks."""
        if action.id.startswith("task.") and (some := self.some_chosen):
            return any(self._is_useful(action, row) for row in some)
        useful = self.useful_on_node(action)
        return self._is_useful(action, self.selected_row) if useful is None else useful

    def _is_useful(self, action: Action, row: TaskRow | None) -> bool:
        match action.id:
            case "run.reload":
                return self.reloader is not None
            case "run.now":
                return self.keeper is not None and self.keeper.runs_all and self.bridge.is_over
            case "run.more" | "run.fewer" | "run.pause" | "run.drain":
                return self.may_steer
            case _ if action.view == "breakers":
                return bool(self.snapshot.breakers)
            case _ if action.view == "escalations":
                return bool(self.snapshot.escalations)
            case _:
                return is_useful(action.id, self.snapshot, row)

    # -- sizes -----------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Choose what fits, then draw it."""
        self._fit(event.size)
        if event.size == self.outer_size:  # everything has been laid out for it; Textual tells the first one twice
            if self._first:
                self.draw()  # and Textual paints it now, not at its next tick
            else:
                event.prevent_default()
        if self.has_class("-tiny"):  # no part has a size by which it would ask to be drawn
            self.on_resized()

    def _fit(self, size: Size, *, update: bool = True) -> None:
        """All classes in one step: each step would work out every style on the screen again.

        At the right of a wide table stands the inspector; a graph is wide itself and has it below.
        """
        wide, high = size
        below = self.stage.current.inspector != "beside"
        self.update_classes(
            {
                "-tiny": is_small(wide, high),
                "-wide": wide >= WIDE and not below,
                "-below": below,
                "-room": high >= TALL,
                "-tall": high >= 30,
                "-taller": high >= 40,
                "-foot": wide >= FOOT_WIDE and high >= FOOT_HIGH and self.stage.current.name == "tasks",
            },
            update=update,
        )

    @property
    def _wants_side(self) -> bool:
        has_room = self.has_class("-wide") or self.has_class("-room")
        return self.inspector_wanted and bool(self.stage.current.inspector) and has_room

    def action_view(self, name: str) -> None:
        """Show a view."""
        super().action_view(name)
        self._fit(self.size)

    def on_resized(self) -> None:
        """A part has another size. Several do at once: they are drawn together."""
        if not self._drawing:
            self._drawing = True
            self.call_after_refresh(self._draw_resized)
            if self._first:
                self.call_later(self.draw)

    def _draw_resized(self) -> None:
        self._drawing = False
        if self.focused is None:  # the terminal was too small for a while
            self.pane.focus()
        self.draw()

    # -- messages --------------------------------------------------------------------------------------------

    def on_selected(self, message: Selected) -> None:
        """A view's cursor moved: every view is about this task now."""
        self.select(message.index)

    def on_opened(self, message: Opened) -> None:
        """A task was double-clicked."""
        self.select(message.index)
        self.action_detail()

    def on_graph_view_told(self) -> None:
        """The graph is drawn in another way."""
        if self.view == "graph":
            self.draw_rule()

    async def on_header_chosen(self, message: Header.Chosen) -> None:
        """A tab was clicked."""
        for view in VIEWS:
            if view.key == message.key:
                await self.run_action(view.action)

    def on_column_head_sorted(self, message: ColumnHead.Sorted) -> None:
        """A column title was clicked: sort by it, or turn it round."""
        if message.sort == self.roster.sort:
            self.action_reverse()
        else:
            self.sort_by(message.sort)

    async def on_footer_pressed(self, message: Footer.Pressed) -> None:
        """An entry of the footer was clicked."""
        for action in (*footer_of(self.stage.current.footer), *KEPT_FOOTER, *ACTIONS):
            if shown_of(action) == message.shown or (action.id == "app.help" and message.shown == help_key()):
                await self.run_action(action.do)
                return

    def on_key(self, event: events.Key) -> None:
        """Any key: the order stands still for a moment."""
        self.roster.touch(self.now())
