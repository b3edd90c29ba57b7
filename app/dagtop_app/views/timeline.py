"""View 3: what every task spends its time on, as a Gantt chart that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dagtop_app.chrome.view_model import TALL, narrowed_by
from dagtop_app.lines import Line, Span, fit_line, rule
from dagtop_app.tasks.grouping_texts import group_title
from dagtop_app.timeline.bars import spans_of
from dagtop_app.timeline.detail import detail_lines, detail_title, group_lines
from dagtop_app.timeline.frame import edge_line, gauge_line, head_lines, legend_line, signs, title
from dagtop_app.views.base import View
from dagtop_app.widgets.painted import Painted
from dagtop_app.widgets.timeline import TimelinePane

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen

#: From these heights of the screen on there is an axis with marks, and a frame around the slots.
_TALLER, _TALLEST = 30, 40
#: From so many events on that have not been read yet that is told.
_MANY = 5_000


class Timeline(View[TimelinePane]):
    """Queued, running, ended how, backing off, predicted: one line per task."""

    name = "timeline"
    inspector = ""
    footer: ClassVar[str] = (
        "task.detail time.left time.closer time.farther time.fit time.follow time.critical time.order time.logs task.why"
        " task.cancel task.restart app.palette task.restart-downstream look.filter edit.undo run.pause run.drain app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk)
        self._head = Painted(id="time-head")
        self._foot = Painted(id="time-foot")
        self.pane = TimelinePane(desk, id="timeline")
        self.parts = (self._head, self.pane, self._foot)

    def show(self, *, moved: bool = False) -> None:
        pane, height = self.pane, self.desk.size.height
        grouping = self.desk.roster.grouping
        groups = {pack.key for pack in grouping.packs.values()}
        pane.gauges.take(self.desk.bridge.story, self.desk.roster.snapshot, groups, grouping.key_of)
        pane.show(moved=moved)
        head = head_lines(pane.scene, pane.order, axis=height >= _TALLER)
        _put(self._head, head)
        _put(self._foot, self._below(height))

    def attached(self) -> None:
        self.pane.forget()

    def title(self) -> tuple[list[Span], list[Span]]:
        pane = self.pane
        waiting = self.desk.bridge.story.statistics().waiting
        roster, reading = self.desk.roster, waiting if waiting > _MANY else 0
        narrowed = narrowed_by(roster.wanted.text, problems=roster.problems)
        return title(pane.scene, pane.lens, pane.order, self.desk.size.width, reading=reading, narrowed=narrowed)

    def do(self, what: str, *, again: bool = True) -> object:
        if again and not self.pane.cells:  # it is shown for the first time, and has no size yet
            self.desk.call_after_refresh(self.do, what, again=False)
            return None
        said = self.pane.do(what)
        if said:
            self.desk.bridge.say(said)
        self.desk.draw()
        return None

    def back(self) -> bool:
        return self.pane.back()

    def _below(self, height: int) -> list[Line]:
        """Everything below the rows, as much as there is room for."""
        scene, width = self.pane.scene, self.desk.size.width
        framed = height >= _TALLEST
        lines: list[Line] = [edge_line(scene, last=False)] if framed else []
        lines += self._gauges(0 if height < _TALLER else 4 if framed else 2)
        if framed:
            lines.append(edge_line(scene, last=True))
        if height >= TALL:
            on_axis = signs(scene).values() if height >= _TALLER else ()
            lines.append(legend_line(width, sorted(set(on_axis))))
        if height < TALL or not self.desk.inspector_wanted:
            return lines
        row = self.desk.roster.row
        most = 3 if height >= _TALLER else 2
        pack = self.desk.roster.pack
        if pack is not None:
            rolled = self.pane.rolls.of(scene.snapshot, pack)
            left, right = group_title(rolled, self.desk.roster.grouping.label(pack.key, pack.members))
            told = group_lines(rolled, width)
            return [*lines, *[()] * framed, rule(left, right, width), *told, *[()] * (most - len(told))]
        pieces = spans_of(scene.story, scene.snapshot, row) if row is not None else ()
        left, right = detail_title(scene, row)
        lines += [()] if framed else []
        lines.append(rule(left, right, width))
        told = detail_lines(scene, row, pieces, width, most)
        return [*lines, *told, *[()] * (most - len(told))]

    def _gauges(self, pools: int) -> list[Line]:
        scene, gauges = self.pane.scene, self.pane.gauges
        slots = gauges.slots(scene.story, scene.snapshot, scene.window)
        lines = [gauge_line(scene, slots, "run")]
        return lines + [gauge_line(scene, pool, "queue") for pool in gauges.pools(scene.snapshot, scene.window, pools)]


def _put(part: Painted, lines: list[Line]) -> None:
    """Show lines in a part that is as high as they are."""
    if part.styles.height is None or part.styles.height.value != len(lines):
        part.styles.height = len(lines)
    part.set_lines([fit_line(line, part.size.width) if part.size.width else line for line in lines])
