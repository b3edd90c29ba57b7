"""The keys that go into and out of the nodes of a graph of graphs, and what other keys do on a node."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from dagtop.core import commands as do
from dagtop.core.snapshot import TaskRow
from dagtop.core.states import BAD, FINAL, TaskState

from dagtop_app.actions import BY_ID, Action
from dagtop_app.chrome.tabs import Tab
from dagtop_app.levels import texts as level_texts
from dagtop_app.lines import Line, Span, rule
from dagtop_app.screens.foreseeing import Foreseeing
from dagtop_app.screens.popup import Popup
from dagtop_app.steering import node_commands
from dagtop_app.text import clean, name_of, plural
from dagtop_app.views.listed import VIEWS
from dagtop_app.widgets.painted import Painted

#: What is said where there are no nodes.
_ONE_LEVEL = "this graph has no nodes: all of it is one level"


class Levelled(Foreseeing):
    """Levels, on top of everything else that keys do. A graph without nodes has one, and nothing of this shows."""

    _came_from: tuple[int | None, int] = (None, -1)

    @property
    def node(self) -> TaskRow | None:
        """The row under the cursor, if it stands for a node."""
        row = self.selected_row
        return row if row is not None and self.roster.levels.is_node(row.index) else None

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The names of the levels on the way to what is shown."""
        level = self.roster.drawn_level
        return tuple(self.roster.levels.crumbs(level)) if level else ()

    def _has_levels(self) -> bool:
        if not self.roster.levels.there:
            self.bridge.say(_ONE_LEVEL)
            self.draw_word()
        return self.roster.levels.there

    # -- going in and out ------------------------------------------------------------------------------------

    def enter(self, index: int) -> None:
        """Show what is in a node."""
        roster = self.roster
        if roster.wanted or roster.problems:
            self.set_filter("", problems=False)
        roster.flat = False
        roster.enter(index)
        if self.view == "meta":
            super().action_view("tasks")
        self.bridge.say("")
        self.draw()

    def action_detail(self) -> None:
        """Go into a node; of a task everything, full size."""
        if (node := self.node) is not None and self.view != "events":
            self.enter(node.index)
        else:
            super().action_detail()

    def action_leave_level(self) -> None:
        """Back to the level around this one, or out of a group."""
        if self.leave_group():
            return
        if self._has_levels():
            if not self.roster.leave():
                self.bridge.say(
                    "this is the outermost level" if self.roster.by_level else "all levels are shown already"
                )
            self.draw()

    def action_back(self) -> None:
        """One step back: what is open, the filter, the level, the view."""
        roster, view = self.roster, self.view
        elsewhere = self.is_asking or self.inspector.has_focus or view in {"logs", "meta"}
        if elsewhere or not roster.by_level or not roster.level or roster.marks or roster.grouping.opened:
            super().action_back()
        elif view != "tasks" and self.stage.current.back():
            self.draw()
        else:
            roster.leave()
            self.draw()

    def action_flat(self) -> None:
        """All tasks by their paths, or level by level."""
        if self._has_levels():
            self.roster.show_flat(not self.roster.flat)
            if self.view in {"meta", "logs"}:
                self.action_view("tasks")
            self.bridge.say("all tasks, by their paths" if self.roster.flat else "level by level")
            self.draw()

    def action_meta(self) -> None:
        """The tree of all levels."""
        if self._has_levels() and self.view != "meta":
            roster = self.roster
            before, node = roster.selected, self._node_around(roster.selected)
            self.action_view("meta")
            self.select(node)
            self._came_from = (before, node)

    def _node_around(self, index: int | None) -> int:
        """The node that a task is in, or the first one."""
        levels = self.roster.levels
        if index is not None and levels.is_node(index):
            return index
        around = levels.node_of(levels.home(index)) if index is not None else None
        return levels.tree()[0] if around is None else around

    def action_view(self, name: str) -> None:
        """Show a view; from the tree of levels back to the task that it was opened on, unless another node was chosen."""
        before, node = self._came_from
        if self.view == "meta" and name != "meta" and before is not None and self.roster.selected == node:
            self.roster.select(before)
        super().action_view(name)

    def select(self, index: int | None) -> None:
        """Put every view's cursor on a task; the tree of levels has none, so it is shown where it is."""
        if self.view == "meta" and index is not None and not self.roster.levels.is_node(index):
            self.action_view("tasks")
        super().select(index)

    def action_filter(self) -> None:
        """Open the line to type a filter in; what it finds is no part of the tree."""
        if self.view == "meta":
            self.action_view("tasks")
        super().action_filter()

    def action_problems(self) -> None:
        """Problems only, or everything."""
        if self.view == "meta":
            self.action_view("tasks")
        super().action_problems()

    # -- what is drawn ---------------------------------------------------------------------------------------

    def sought(self) -> Collection[int] | None:
        """What stands out in the drawing of a level: what passes the filter, and the nodes that it is in."""
        roster = self.roster
        if not (roster.wanted or roster.problems):
            return None
        level = roster.drawn_level
        if level is None:
            return roster.order
        found = (roster.levels.child(level, index) for index in roster.order)
        return {index for index in found if index is not None}

    def tree_title(self) -> tuple[list[Span], list[Span]]:
        """What the line above the tree says: (left, right)."""
        levels = self.roster.levels
        failed = sum(1 for index in levels.tree() if levels.snapshot.rows[index].state in BAD)
        right: list[Span] = [(f"{plural(failed, 'node')} failed", "fail")] if failed else []
        count = len(levels.tree())
        return [
            ("Meta ", "title"),
            (clean(self.roster.snapshot.graph, 60), ""),
            (f" · {plural(count, 'node')}", "dim"),
        ], right

    def level_title(self, left: list[Span]) -> list[Span]:
        """The title of the table, with the way to the level."""
        roster = self.roster
        if not roster.levels.there:
            return left
        if not roster.by_level:
            scope = "of all levels" if roster.flat else "found in all levels"
            return [("Tasks ", "title"), (f"{len(roster.order):,} {scope}", "")]
        way = level_texts.crumbs_text(roster.snapshot.graph, roster.levels.crumbs(roster.level))
        nodes = roster.levels.nodes_in(roster.level)
        tasks = len(roster.order) - nodes
        counts = [plural(count, what) for count, what in ((nodes, "node"), (tasks, "task")) if count]
        return [("Tasks ", "title"), (way, ""), (f" · {', '.join(counts)}", "dim")]

    def tabs(self) -> Sequence[Tab]:
        """The views; the tree of levels is one in a graph of graphs."""
        there, snapshot = self.roster.levels.there, self.roster.snapshot
        return [view.tab(snapshot) for view in VIEWS if there or view.name != "meta"]

    def draw_node_side(self, painted: Painted) -> bool:
        """The inspector of the selected node, and the line above it. False if no node is selected."""
        if (node := self.node) is None:
            return False
        left, right = level_texts.title(self.roster.levels, node)
        painted.set_lines([rule(left, right, painted.size.width)])
        self.inspector.draw(node.name, partial(self._node_side, node, at_length=self.inspector.at_length))
        return True

    def _node_side(self, node: TaskRow, cells: int, height: int, *, at_length: bool) -> list[Line]:
        levels = self.roster.levels
        logs = [line for line in self.bridge.engine.logs.tail(None, 400) if line.task.startswith(node.name + "/")]
        if at_length:
            return level_texts.full(levels, node, logs[-20:], cells)
        return level_texts.short(levels, node, logs[-8:], cells, height)

    # -- other keys on a node --------------------------------------------------------------------------------

    def action_why(self) -> None:
        """The long answer."""
        if (node := self.node) is None:
            super().action_why()
            return
        cells = min(84, max(30, self.app.size.width - 14))
        lines = level_texts.explained(self.roster.levels, node, cells)
        self.app.push_screen(Popup(f"Why {name_of(node.name, 60)}", lines, note="esc"))

    def _open_log(self, task: str | None) -> None:
        index = self.snapshot.plan.index.get(task) if task is not None else None
        if index is None or not self.roster.levels.is_node(index):
            super()._open_log(task)
            return
        self.logs_view.open_named(task, node=True)
        self.draw()

    def action_edit(self) -> None:
        """Change the policy of the chosen tasks."""
        if self.roster.marks or self._is_task("e changes no node"):
            super().action_edit()

    def action_hold(self) -> None:
        """Hold the selected task, or all in the node that have not started; release what is held."""
        node = self.node
        if node is None or self.roster.marks:
            super().action_hold()
            return
        name, hold, release = name_of(node.name, 60), do.HoldTask(task=node.name), do.ReleaseTask(task=node.name)
        refused = [node_commands.radius_of(self.snapshot, command).refusal for command in (hold, release)]
        if refused[0] and not refused[1]:
            self.give(release, f"releasing what is held in {name}")
        else:
            self.give(hold, f"holding {name}")

    def action_scale(self) -> None:
        """How many replicas there are of the selected task."""
        if self._is_task("C is about one task"):
            super().action_scale()

    def action_where(self) -> None:
        """Where the selected task is now."""
        if self._is_task("@ looks at one task"):
            super().action_where()

    def _is_task(self, said: str) -> bool:
        node = self.node
        if node is not None:
            self.bridge.refuse(f"{name_of(node.name, 60)} is a node; {said}: Enter goes into it")
            self.draw_word()
        return node is None

    def with_levels(self, actions: Sequence[Action]) -> Sequence[Action]:
        """What the footer offers, in a graph of graphs."""
        if not self.roster.levels.there or self.view == "logs":
            return actions
        first = [BY_ID["level.leave"]] if self.roster.by_level and self.roster.level else []
        if self.node is not None:
            actions = [it._replace(label="Into") if it.id == "task.detail" else it for it in actions]
        if self.view != "meta":
            actions = [*actions[:3], BY_ID["view.meta"], *actions[3:8], BY_ID["level.flat"], *actions[8:]]
        return (*first, *actions)

    def useful_on_node(self, action: Action) -> bool | None:
        """Whether a key would do something to the selected node; None if no node is selected, or any row will do."""
        node = self.node
        if action.id in {"level.leave", "level.flat", "view.meta"}:
            there = self.roster.levels.there
            return there and (action.id != "level.leave" or (self.roster.by_level and bool(self.roster.level)))
        if node is None:
            return None
        counts = self.roster.levels.states(node.index)
        active = len(self.roster.levels.rolled(node.index).active)
        ended = sum(count for state, count in counts.items() if state in FINAL)
        left = sum(counts.values()) - active - ended
        match action.id:
            case "task.cancel":
                return bool(active or left) and active + left > counts.get(TaskState.CANCELLING, 0)
            case "task.restart" | "task.restart-downstream":
                return bool(active or ended or counts.get(TaskState.BACKOFF, 0))
            case "task.hold":
                return left > 0
            case "task.mark" | "task.succeed" | "task.skip":
                return not active and self.snapshot.rows[node.index].state is not TaskState.SUCCEEDED
            case "task.edit" | "task.where" | "task.scale":
                return False
            case _:
                return None
