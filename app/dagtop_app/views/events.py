"""View 7: what has happened, newest last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dagtop_app.events.roll import EventFilter, EventRoll
from dagtop_app.events.texts import WEIGHTS, Weight, tell
from dagtop_app.lines import Span
from dagtop_app.text import clean, cut, name_of
from dagtop_app.views.base import View
from dagtop_app.widgets.event_list import EventList

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen


class Events(View[EventList]):
    """Every event of the run, with who gave the commands, when and why."""

    name = "events"
    inspector = "below"
    asks = "text  /re/  !not  ~fuzzy  kind:retry  sev:warning  by:you  task:x  state:failed  tag:x"
    footer: ClassVar[str] = (
        "events.task events.follow events.weight events.only events.times look.filter find.next task.logs task.why app.command"
        " task.cancel task.restart view.tasks app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk)
        self.roll = EventRoll()
        self.pane = EventList(self.roll, id="events")
        self.parts = (self.pane,)

    def show(self, *, moved: bool = False) -> None:
        snapshot = self.desk.bridge.snapshot
        self.pane.started_at = snapshot.started_at
        self.pane.index_of = snapshot.plan.index
        before = self.roll.dropped, len(self.roll.shown)
        self.roll.take(self.desk.bridge.story, snapshot)
        again = before[0] != self.roll.dropped or len(self.roll.shown) < before[1]
        self.pane.show(anew=again or moved)

    def attached(self) -> None:
        self.pane.following = True

    def title(self) -> tuple[list[Span], list[Span]]:
        roll, pane = self.roll, self.pane
        left: list[Span] = [("Events ", "title"), (f"{len(roll.shown):,}", "")]
        if roll.only:
            left += [(" of ", "dim"), (name_of(roll.only, 40), "")]
        right: list[Span] = []
        if roll.wanted.error:
            right += [(cut(clean(roll.wanted.error), 60), "bad"), (" · ", "dim")]
        elif roll.wanted:
            right += [("filter ", "dim"), (cut(clean(roll.wanted.text), 24), "warn"), (" · ", "dim")]
        word = WEIGHTS[roll.least]
        right += [(word, "warn" if roll.least > Weight.NEWS else ""), (" · ", "dim")]
        right.append(("following", "good") if pane.following else ("f follows", "warn"))
        return left, right

    def do(self, what: str) -> object:
        match what:
            case "follow":
                self.pane.follow()
            case "weight":
                self.desk.bridge.say(f"events: {self.roll.next_weight()}")
            case "times":
                self.pane.wall = not self.pane.wall
            case "only":
                self._only()
            case _:
                self._to_task()
                return None
        self.show(moved=True)
        self.desk.draw()
        return None

    def _only(self) -> None:
        """Those of the task under the cursor, or of all again."""
        row = self.desk.roster.row
        task = "" if self.roll.only else self._chosen or (row.name if row is not None else "")
        self.roll.narrow(only=task)
        self.pane.following = True
        self.desk.bridge.say(f"events of {name_of(task, 60)}" if task else "events of all tasks")

    @property
    def _chosen(self) -> str:
        return "" if self.pane.following else self.pane.about

    def _to_task(self) -> None:
        """To the task that the event is about, in the table."""
        if self.pane.following and self.desk.roster.row is not None:  # no event is under a cursor
            self.desk.action_view("tasks")
            return
        task = self.pane.about
        index = self.desk.bridge.snapshot.plan.index.get(task)
        if index is None:
            self.desk.bridge.say("this event is about no task")
            self.desk.draw_word()
            return
        self.desk.action_view("tasks")
        self.desk.select(index)

    def opened(self) -> bool:
        self._to_task()
        return True

    def back(self) -> bool:
        if not self.roll.is_narrowed:
            return False
        self.roll.narrow(wanted=EventFilter(""), least=Weight.NEWS, only="")
        self.show(moved=True)
        return True

    def next(self, step: int) -> bool:
        """The next event that is a warning or worse."""
        pane, shown = self.pane, self.roll.shown
        place = pane.place + step
        while 0 <= place < len(shown):
            if tell(shown[place][1]).weight >= Weight.WARNING:
                pane.go(place)
                return True
            place += step
        return False

    @property
    def nothing_next(self) -> str:
        return "no further warning or failure in the list"

    @property
    def sought(self) -> str:
        return self.roll.wanted.text

    def look_for(self, text: str) -> None:
        self.roll.narrow(wanted=EventFilter(text))
        self.pane.following = True
        self.show(moved=True)
