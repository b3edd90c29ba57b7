"""View 5: the circuit breakers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from dagtop.core import commands as do
from dagtop.core.breakers import BreakerView
from dagtop.core.guards import OnOpen
from dagtop.core.states import TaskState
from textual.binding import BindingType

from dagtop_app.actions import bindings
from dagtop_app.breakers import rows, texts
from dagtop_app.breakers.edit import breaker_fields, breaker_settings
from dagtop_app.breakers.model import Calls, Effect, Users, by_trouble, order_of
from dagtop_app.lines import Line, Span, rule
from dagtop_app.screens.form import Form
from dagtop_app.screens.popup import Popup
from dagtop_app.steering.guard_texts import force_choices, trip_question
from dagtop_app.text import clean, width
from dagtop_app.views.listing import ListView
from dagtop_app.widgets.listing import Listing

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen

#: With more tasks at one breaker than this, what it cost is worked out anew only every few seconds.
_MANY = 200
#: Tasks of one breaker among which the most troubled one is looked for.
_LOOKED_AT = 2000


class BreakerList(Listing):
    """One line for each breaker."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("breakers")]


class Breakers(ListView[BreakerList]):
    """Their states, who asks them and who waits; moved and held by hand."""

    name = "breakers"
    inspector = ""
    asks = "part of a breaker's name"
    footer: ClassVar[str] = (
        "breaker.close breaker.trip breaker.half-open breaker.force breaker.edit edit.undo task.detail breaker.next-guard"
        " breaker.copy task.why task.logs app.palette app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk, BreakerList)
        self.users, self.calls = Users(), Calls()
        self._cost: tuple[str, int, Effect | None] = ("", -1, None)
        self._found: tuple[str, int | None, int | None] = ("", None, None)
        """The task that keys are about, and what it was found for: a breaker and the selected task, which does not ask it."""

    # -- drawing -----------------------------------------------------------------------------------------------------

    @property
    def view(self) -> BreakerView | None:
        """The breaker under the cursor."""
        return next((view for view in self.desk.snapshot.breakers if view.name == self.pane.key), None)

    def scene(self, view: BreakerView) -> texts.Scene:
        """What is told of one."""
        desk, bridge = self.desk, self.desk.bridge
        return texts.Scene(desk.snapshot, bridge.story, view, self.users, self.calls, self.about, bridge.usual)

    def show(self, *, moved: bool = False) -> None:
        snapshot = self.desk.snapshot
        self.users.take(snapshot)
        self.calls.take(self.desk.bridge.story, snapshot)
        self._follow_selection()
        shown = self._shown()
        cells = self.pane.cells
        if not cells:
            return
        longest = max((width(clean(view.name, 200)) for view in shown), default=4)
        cols = rows.columns(cells, longest)
        self._head.set_lines([rows.head_line(cols)])
        names = [view.name for view in shown]
        if self.pane.key not in names:
            self.pane.key = names[0] if names else None
        lines = [
            rows.row_line(snapshot, view, self.users, self.calls, cols, cursor=view.name == self.pane.key)
            for view in shown
        ]
        self._fit(len(shown), self._room // 3 if self._room < 24 else self._room // 2)
        self.pane.show(names, lines or [((self._nothing, "faint"),)])
        self._draw_detail()

    @property
    def _nothing(self) -> str:
        if self._sought:
            return "   no breaker has that in its name"
        return "   no task asks a circuit breaker (circuit=)"

    def _shown(self) -> Sequence[BreakerView]:
        wanted = self._sought.casefold()
        return order_of([view for view in self.desk.snapshot.breakers if wanted in view.name.casefold()])

    def _follow_selection(self) -> None:
        """Another task was selected elsewhere: the cursor goes to its breaker."""
        selected = self.desk.roster.selected
        if selected != self._came_with:
            self._came_with = selected
            if selected is not None and (asked := self.users.asked_by(selected)):
                self.pane.key = asked

    def _draw_detail(self) -> None:
        view, cells = self.view, self._rule.size.width
        if view is None:
            self._rule.set_lines([])
            self._detail.set_lines([])
            return
        left: list[Span] = [(clean(view.name, 40), "title")]
        told = rows.settings_text(view, short=cells < 100)
        self._rule.set_lines([rule(left, [(told, "dim")], cells)])
        height = self._detail.size.height
        lines: list[Line] = []
        if height:
            lines = texts.detail(self.scene(view), self._detail.cells, height, cost=self._cost_of(view))
        self._detail.set_lines(lines)

    def _cost_of(self, view: BreakerView) -> Effect | None:
        """Worked out once a second, or more seldom if that is much."""
        second = int(self.desk.snapshot.at) // (5 if self.users.count(view.name) > _MANY else 1)
        if self._cost[:2] != (view.name, second):
            self._cost = (view.name, second, texts.cost_of(self.scene(view)))
        return self._cost[2]

    def title(self) -> tuple[list[Span], list[Span]]:
        left, right = rows.rule_of(self.desk.snapshot.breakers)
        if self._sought:
            left += [("  ", ""), (clean(self._sought, 24), "match")]
        return left, right

    def attached(self) -> None:
        self.users, self.calls = Users(), Calls()
        self._cost = ("", -1, None)
        self._found = ("", None, None)

    # -- keys --------------------------------------------------------------------------------------------------------

    @property
    def about(self) -> int | None:
        """One that asks the breaker under the cursor: the most troubled, unless one of them is selected."""
        view, selected = self.view, self.desk.roster.selected
        if view is None or (selected is not None and self.users.asked_by(selected) == view.name):
            return selected
        if self._found[:2] != (view.name, selected):  # found once: keys are about the same one until the cursor moves
            users = self.users.tasks(view.name)
            if not users:
                return None
            self._found = (view.name, selected, by_trouble(self.desk.snapshot, users[:_LOOKED_AT])[0].index)
        return self._found[2]

    def do(self, what: str) -> object:
        view = self.view
        if view is None:
            self.desk.bridge.refuse("no task asks a circuit breaker")
            self.desk.draw_word()
            return None
        match what:
            case "close":
                self.desk.give(do.ResetBreaker(view.name), f"closing breaker {clean(view.name, 60)}")
            case "trip":
                self._trip(view)
            case "half-open":
                self._hold(view, "half_open")
            case "force":
                self._force(view)
            case "edit":
                self._edit(view)
            case "copy":
                self._copy(view)
            case "next-guard" | "previous-guard":
                self._step(view, 1 if what == "next-guard" else -1)
            case _:
                return None
        return None

    def _trip(self, view: BreakerView) -> None:
        """Where tasks fail at an open breaker that is asked first."""
        command, saying = do.TripBreaker(view.name), f"opening breaker {clean(view.name, 60)}"
        waiting = self.users.count(view.name, TaskState.READY) + self.users.count(view.name, TaskState.BACKOFF)
        if view.spec.on_open is not OnOpen.FAIL or not waiting:
            self.desk.give(command, saying)
            return

        def answered(answer: str | None) -> None:
            if answer == "yes":
                self.desk.give(command, saying)
            else:
                self._unchanged()

        question = trip_question(view, waiting)
        self.desk.app.push_screen(Popup(*question, grave=True), answered)

    def _hold(self, view: BreakerView, state: str) -> None:
        said = f"holding breaker {clean(view.name, 60)}" if state else f"letting breaker {clean(view.name, 60)} go"
        self.desk.give(do.ForceBreaker(view.name, state), said)

    def _force(self, view: BreakerView) -> None:
        def answered(answer: str | None) -> None:
            if answer is None or answer == "no":
                self._unchanged()
            else:
                self._hold(view, "" if answer == "let-go" else answer)

        title, choices = f"Force breaker {clean(view.name, 50)}", force_choices(view)
        self.desk.app.push_screen(Popup(title, [], choices, pick=True, note="⏎ takes · esc"), answered)

    def _edit(self, view: BreakerView) -> None:
        def typed(command: do.SetBreaker | None) -> None:
            if command is None:
                self._unchanged()
            else:
                self.desk.give(command, f"changing breaker {clean(view.name, 60)}")

        users = self.users.count(view.name)
        form = Form(
            f"Breaker {clean(view.name, 50)}", breaker_fields(view.spec), breaker_settings(view.spec, users),
            last="from now on, for all that ask it · u undoes it",
        )  # fmt: skip
        form.add_class("-wide-labels")
        self.desk.app.push_screen(form, typed)

    def _copy(self, view: BreakerView) -> None:
        self.desk.copy(f"breaker {clean(view.name, 60)} as Markdown", texts.markdown(self.scene(view)))

    def _step(self, view: BreakerView, step: int) -> None:
        """Select the next task that asks it, or the one before."""
        users = [row.index for row in by_trouble(self.desk.snapshot, self.users.tasks(view.name)[:_LOOKED_AT])]
        if users:
            selected = self.about
            here = users.index(selected) if selected in users else -step
            self._select(users[(here + step) % len(users)])
        self.desk.draw()

    def opened(self) -> bool:
        view = self.view
        if view is None:
            return True
        lines = texts.paragraphs(self.scene(view), self._popup_cells)
        self.desk.app.push_screen(Popup(f"Breaker {clean(view.name, 60)}", lines, full=True, note="esc back"))
        return True

    def next(self, step: int) -> bool:
        """To the next breaker that is not closed."""
        return self._step_among([view.name for view in self._shown() if view.state != "closed" or view.forced], step)

    @property
    def nothing_next(self) -> str:
        return "every breaker is closed"
