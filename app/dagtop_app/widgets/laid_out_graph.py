"""The drawing of a run's graph: laid out in a worker thread, repainted as the run goes on, made anew when the graph grows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from dagtop.core.plan import Plan
from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow
from textual.message import Message
from textual.timer import Timer
from textual.worker import Worker, WorkerState, get_current_worker

from dagtop_app import faces
from dagtop_app.graph import texts as graph_texts
from dagtop_app.graph.critical import CriticalPath
from dagtop_app.graph.extents import Extents
from dagtop_app.graph.ground import Focus
from dagtop_app.graph.loading import Sheet, Wish, is_grown, load
from dagtop_app.graph.texts import foot
from dagtop_app.graph.words import NodeWords, counted_spans, is_ticking
from dagtop_app.graphview import (
    ASCII,
    UNICODE,
    Canvas,
    Cursor,
    Drawing,
    Highlight,
    Overview,
    Scale,
    Wall,
    first_cursor,
)
from dagtop_app.lines import Span
from dagtop_app.tasks.marks import Marks
from dagtop_app.text import clean, cut, name_of, plural
from dagtop_app.widgets.drawn_graph import DrawnGraph
from dagtop_app.widgets.painted import Painted

#: Seconds between two drawings of a graph that grows, and how many tasks make it a second more.
_REST, _PACE = 0.2, 2000
#: Up to so many nodes an overview is made anew for another size of the window without waiting.
_AT_ONCE = 3_000


class Picture(NamedTuple):
    """A sheet, and all that it takes to hang it up."""

    sheet: Sheet
    words: NodeWords
    drawing: Drawing
    extents: Extents


class LaidOutGraph(DrawnGraph):
    """Has drawings of the run's graph made, hangs them up, and keeps them as the run is."""

    class Told(Message, namespace="graph_view"):
        """What `title` says is something else now."""

    def __init__(self, foot_line: Painted, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.sheet: Sheet | None = None
        self.cursor: Cursor | None = None
        """The node that the keys go from; None in an empty graph, and before there is a drawing."""
        self.scale: Scale | None = None
        """As a person wants it; None: what fits."""
        self.whole = False
        """Whether a person wants all of it on the screen, however small."""
        self.focus_part: Focus | None = None
        """The part that a person wants to see; None: the whole graph."""
        self.folded: bool | None = None
        """Whether groups are drawn as one, as a person wants it; None: where that is worth it."""
        self.opened: tuple[str, ...] = ()
        """Keys of the groups that a person has opened, the latest last."""
        self.critical = CriticalPath()
        self._foot = foot_line
        self._snapshot: RunSnapshot = EMPTY
        self._plan: Plan | None = None
        self._selected: int | None = None
        self._level: str | None = None
        self._outside: int | None = -1
        self._posted: list[int] = []
        self._wanted: Collection[int] | None = None
        """The tasks that a filter wants, as told last."""
        self._tasks_sought: frozenset[int] | None = None
        self._marks_drawn: tuple[int, Sheet | None] = (0, None)
        self._worker: Worker[Picture | None] | None = None
        self._asked_room = (0, 0)
        """For which room the latest drawing was begun."""
        self._lineage = 0
        self._rest: Timer | None = None

    # -- what the screen says --------------------------------------------------------------------------------

    def show(
        self,
        snapshot: RunSnapshot,
        selected: int | None,
        sought: Collection[int] | None = None,
        level: str | None = None,
    ) -> None:
        """Draw what has changed; with `sought` those tasks stand out from all others. `level`: only what is directly in it."""
        self._snapshot, self._wanted = snapshot, sought
        if level != self._level:
            self._level, self.focus_part = level, None
            self.folded, self.opened = None, ()
            if snapshot.plan is self._plan:
                self.critical.forget()
                self._order()
        if snapshot.plan is not self._plan:
            before, self._plan = self._plan, snapshot.plan
            if before is not None and is_grown(before, snapshot.plan):
                self._grow()
            else:
                self._begin()
        self._take_selected(selected)
        sheet, words = self.sheet, self._words
        if sheet is None or words is None or not self._fits(sheet):
            return
        old = words.snapshot
        moved = self._moved(old, snapshot)
        words.take(snapshot, None if moved is None else [pair for pair in moved if pair[0].state is not pair[1].state])
        self._take_sought()
        if self.critical:
            self._find_critical(old)
        self._repaint_changed(sheet, old, moved)
        self.draw_foot()

    def mark(self, marks: Marks) -> None:
        """Show what is marked."""
        known = (marks.version, self.sheet)
        if known == self._marks_drawn:
            return
        self._marks_drawn = known
        nodes = self.sheet.nodes if self.sheet is not None else {}
        found = frozenset(nodes[task] for task in marks.places(self._snapshot.plan) if task in nodes)
        if found != self.marked:
            self.marked = found
            self.refresh()

    def title(self) -> tuple[list[Span], list[Span]]:
        """What the line above the drawing says: (left, right)."""
        pending = len(self._snapshot.rows) if self.is_loading else None
        critical = self.critical.seconds if self.critical else None
        return graph_texts.title(self.sheet, name_of(self._snapshot.graph, 200), pending, critical)

    @property
    def is_loading(self) -> bool:
        """Whether a drawing is being made."""
        return self._worker is not None and self._worker.is_running

    def draw_foot(self) -> None:
        """The line below the drawing."""
        group: list[Span] = []
        row = self._row
        cursor, sheet, words = self.cursor, self.sheet, self._words
        if cursor is not None and sheet is not None and words is not None and cursor.node in sheet.bundles:
            bundle = sheet.bundles[cursor.node]
            group = [(f"{cut(bundle.label, 32)}  ", "strong"), *counted_spans(words.counts(cursor.node))]
            if bundle.is_level or sheet.is_folded:
                row = None  # the counts say it all, and keys act on all of it
            if sheet.is_folded and not bundle.is_level:
                group.append((" · keys act on all of it · Enter opens", "dim"))
        line = foot(
            self.hidden, sheet, row, group, critical=bool(self.critical), cells=self._foot.size.width
        )  # fmt: skip
        self._foot.set_lines([line])

    @property
    def _row(self) -> TaskRow | None:
        rows = self._snapshot.rows
        return rows[self._selected] if self._selected is not None and self._selected < len(rows) else None

    def _moved(self, old: RunSnapshot, new: RunSnapshot) -> list[tuple[TaskRow, TaskRow]] | None:
        """The rows (before, after) that are other ones now; None if there are more or fewer of them."""
        if old.rows is new.rows:
            return []
        if len(old.rows) != len(new.rows):
            return None
        return [(was, row) for was, row in zip(old.rows, new.rows, strict=True) if was is not row]

    def _repaint_changed(self, sheet: Sheet, old: RunSnapshot, moved: list[tuple[TaskRow, TaskRow]] | None) -> None:
        if moved is None:
            self.repaint(list(range(len(sheet.tasks))), [])
            return
        new, words = self._snapshot, self._words
        changed: set[int] = set()
        ticking: set[int] = set()
        for was, row in moved:
            node = words.node_of(row.index) if words is not None else None
            if node is not None:
                (ticking if was.state is row.state else changed).add(node)
        if sheet.scale is Scale.BOX:
            if int(old.at) != int(new.at):
                ticking.update(node for node, task in enumerate(sheet.tasks) if is_ticking(new.rows[task]))
        else:
            ticking.clear()
        self.repaint(list(changed), list(ticking - changed))

    def _take_selected(self, selected: int | None) -> None:
        """Follow the selection of the other views, but neither an old one nor the echo of our own."""
        if selected == self._outside:
            return
        self._outside = selected
        if selected in self._posted:
            del self._posted[: self._posted.index(selected) + 1]
            return
        self._posted.clear()
        if selected != self._selected:
            self._selected = selected
            self._look_at_selected()

    def on_show(self) -> None:
        """Other views had their say meanwhile."""
        self._posted.clear()
        self._outside = -1

    def _look_at_selected(self) -> None:
        sheet, task = self.sheet, self._selected
        if sheet is None or self.drawing is None or not self._fits(sheet):
            return
        if task is not None and task not in sheet.nodes:
            if self.focus_part is not None and task < len(sheet.labels):
                self.focus_part = Focus(task, self.focus_part.depth)
                self._order()
            return  # a task that came after this drawing was begun: the next one has it
        self.cursor = Cursor(sheet.nodes[task]) if task is not None else None
        self._light()
        if self.cursor is not None:
            self.reveal(self.cursor.node)

    def _take_sought(self) -> None:
        tasks = None if self._wanted is None else frozenset(self._wanted)
        if tasks != self._tasks_sought or (tasks is None) is not (self.sought is None):
            self._tasks_sought = tasks
            nodes = self.sheet.nodes if self.sheet is not None else {}
            self.seek(None if tasks is None else frozenset(nodes[task] for task in tasks if task in nodes))

    # -- making drawings -------------------------------------------------------------------------------------

    def _fits(self, sheet: Sheet) -> bool:
        """Whether the tasks of a drawing are those of the run; there may be more of them by now."""
        return sheet.wish.lineage == self._lineage

    def _grow(self) -> None:
        """The graph has further tasks: draw it anew, but not with every task, or no drawing would ever be ready."""
        if not self.is_loading and self._rest is None:
            self._order()

    def _have_rest(self, sheet: Sheet) -> None:
        """For a while after a drawing of a graph that grows none is begun."""
        self._rest = self.set_timer(_REST + len(sheet.labels) / _PACE, self._rested)

    def _rested(self) -> None:
        self._rest = None
        if self.sheet is not None and self.sheet.wish.plan is not self._snapshot.plan:
            self._grow()

    def _begin(self) -> None:
        """There is another graph."""
        self._lineage += 1
        self.focus_part = None
        self.folded, self.opened = None, ()
        self.critical.forget()
        self._selected = None
        self.on_show()
        if not self._snapshot.rows:
            self._stop()
            self.sheet = self.cursor = None
            self.take_down(["There is no task to draw."])
        else:
            self._order()

    @property
    def _room(self) -> tuple[int, int]:
        """Columns and rows that a drawing has; a little of both before it is known."""
        size = self.scrollable_content_region.size
        return max(20, size.width), max(5, size.height)

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    def _order(self) -> None:
        """Have the wished drawing made; what is on screen stays there until it is ready."""
        plan = self._snapshot.plan
        if not plan.names:
            return
        self._stop()
        self._asked_room = self._room
        wish = Wish(
            plan=plan,
            scale=self.scale,
            whole=self.whole,
            focus=self.focus_part,
            level=self._level,
            room=self._asked_room,
            lineage=self._lineage,
            folded=self.folded,
            opened=frozenset(self.opened),
            halves=not faces.ASCII and not self.app.no_color,
        )
        if self.sheet is None:
            self.take_down([f"laying out {plural(len(plan.names), 'task')}…"])
        self._worker = self.run_worker(
            partial(_work, wish, self.sheet),
            group="graph",
            description="draws the graph",
            exclusive=True,
            thread=True,
            exit_on_error=False,
        )
        self.post_message(self.Told())

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A drawing is ready, or is none."""
        if event.worker is not self._worker:
            return
        if event.state is WorkerState.SUCCESS and event.worker.result is not None:
            self._take(event.worker.result)
        elif event.state is WorkerState.ERROR and self.sheet is None:
            self.take_down([f"The graph cannot be drawn: {clean(repr(event.worker.error), 300)}"])
        self.post_message(self.Told())

    def _take(self, picture: Picture) -> None:
        """Hang a drawing up so that the selected task stays where it was on the screen."""
        sheet, words = picture.sheet, picture.words
        if self.sheet is not None and self.sheet.wish.level != sheet.wish.level:
            self.cursor = None  # nothing in this drawing was in the one before
        before = self.place_of(self.cursor.node) if self.cursor is not None and self.drawing is not None else None
        task = self._selected
        if task is not None and task not in sheet.nodes and self.sheet is not None and self.cursor is not None:
            task = self.sheet.tasks[
                self.cursor.node
            ]  # the selected one has come since, and will be in the next drawing
        grown, self.sheet = self.sheet is not None and self.sheet.wish.plan is not sheet.wish.plan, sheet
        words.take(self._snapshot, None)
        self.sought = self._tasks_sought = None
        self.hang(picture.drawing, words, picture.extents)
        self._take_sought()
        self.cursor = (
            Cursor(sheet.nodes[task]) if task is not None and task in sheet.nodes else first_cursor(sheet.layout)
        )
        if self.cursor is not None and task is None:
            self.cursor = None
        self._light()
        if self.cursor is not None:
            if before is not None:
                self.pan(*(self.place_of(self.cursor.node) - before))
            self.reveal(self.cursor.node)
        self.draw_foot()
        if grown or sheet.wish.plan is not self._snapshot.plan:
            self._have_rest(sheet)

    def on_resize(self) -> None:
        """Another size may want another scale, and an overview is made for one size."""
        self.fit_window()
        sheet, words = self.sheet, self._words
        if sheet is None or words is None or not self.size:
            if self._worker is not None and self.size and self._room != self._asked_room:
                self._order()  # the first drawing is not there yet, and was begun for another size
            return
        if sheet.scale.is_small and len(sheet.tasks) <= _AT_ONCE:
            highlight = self.drawing.highlight if self.drawing is not None else Highlight()
            room = self.scrollable_content_region.size
            self.hang(_draw(sheet, words, (room.width, room.height)), words)
            self.light(highlight)
        if self.scale is None or self.scale.is_small:
            self._order()
        if self.cursor is not None:
            self.reveal(self.cursor.node)
        self.call_after_refresh(self.draw_foot)

    # -- what stands out -------------------------------------------------------------------------------------

    def _light(self) -> None:
        sheet = self.sheet
        if sheet is None:
            return
        selected = self.cursor.node if self.cursor is not None else None
        highlight = Highlight.of(sheet.layout, selected)
        for piece in self.critical.pieces(sheet):
            path = Highlight.of(sheet.layout, None, piece).critical
            highlight = replace(highlight, critical=highlight.critical | path)
        self.light(highlight)
        self.draw_foot()

    def _find_critical(self, old: RunSnapshot | None = None) -> None:
        """Work the critical path out, at most once a second."""
        snapshot, sheet, path = self._snapshot, self.sheet, self.critical
        if sheet is None or (old is not None and int(old.at) == int(snapshot.at)):
            return
        before = path.tasks
        path.find(sheet, snapshot)
        if path.tasks != before:
            self._light()
        self.post_message(self.Told())


def _draw(sheet: Sheet, words: NodeWords, room: tuple[int, int]) -> Drawing:
    glyphs = ASCII if faces.ASCII else UNICODE
    if sheet.scale is Scale.OVERVIEW:
        return Overview(sheet.layout, max(1, room[0] - 2), max(1, room[1]), words, glyphs)
    if sheet.scale is Scale.WALL:
        return Wall(sheet.layout, max(1, room[1]), words, glyphs, halves=sheet.wish.halves)
    return Canvas(sheet.atlas.maps[sheet.scale], words, glyphs)


def _work(wish: Wish, before: Sheet | None) -> Picture | None:
    """In a worker thread: make a drawing."""
    worker = get_current_worker()
    sheet = load(wish, before, lambda: worker.is_cancelled)
    if sheet is None:
        return None
    words = NodeWords(sheet)
    drawing = _draw(sheet, words, wish.room)
    return Picture(sheet, words, drawing, Extents(drawing))
