"""Nodes of a `MetaDAG` that have a schedule: in one run that lasts, their tasks start over at each due time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dagtop.core.agenda import Agenda, Fire, PassedOver
from dagtop.core.commands import RestartTask
from dagtop.core.paths import members
from dagtop.core.plan import Plan
from dagtop.core.schedule import Timetable
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import FINAL, TaskState
from dagtop.core.values import dataclass
from dagtop.errors import Flaw, OptionError
from dagtop.graph.meta import MetaDAG
from dagtop.graph.runnable import Runnable
from dagtop.graph.zones import zone_named


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDue:
    """The next due time of a node."""

    node: str
    """Its path."""
    due: float
    timetable: Timetable


def scheduled_nodes(graph: Runnable) -> dict[str, Timetable]:
    """The due times of the nodes that have some, by path, at every level.

    Raises
    ------
    OptionError: both a node and the whole have a schedule.
    """
    if not isinstance(graph, MetaDAG):
        return {}
    found: dict[str, Timetable] = {}
    for path, config in graph._levels():
        schedule = config.schedule()
        if schedule is not None:
            if graph.own.schedule() is not None:
                message = (
                    f"node {path!r} has a schedule, and so has the MetaDAG that it is in: only one of them can say when"
                )
                raise OptionError([Flaw(message, graph.place)])
            found[path] = Timetable(schedule, zone_named(schedule.timezone))
    return found


def wall_end(state: TaskState, started_at: float, ended_at: float | None) -> float | None:
    """When a task has ended, by the wall clock; None while it goes on."""
    return started_at + (ended_at or 0.0) if state in FINAL else None


def node_end(snapshot: RunSnapshot, path: str) -> float | None:
    """When a node has ended, by the wall clock; None while it goes on."""
    row = snapshot.rows[snapshot.plan.index[path]]
    return wall_end(row.state, snapshot.started_at, row.ended_at)


def is_wanted(snapshot: RunSnapshot, task: str) -> bool:
    """Whether a task is there, and nobody has stopped it."""
    index = snapshot.plan.index.get(task)
    return index is not None and snapshot.rows[index].wanted and not snapshot.rows[index].gone


class NodeTimes:
    """Says which tasks are to start over. A node that still goes on at its due time is treated as its `overlap` says."""

    def __init__(self, nodes: dict[str, Timetable], now: float) -> None:
        self._agendas = {path: Agenda(timetable, now) for path, timetable in nodes.items()}
        self._busy: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether some of them went on when they were last looked at: then it is worth looking again soon."""
        return bool(self._busy)

    def tick(
        self, now: float, plan: Plan, ended: Callable[[str], float | None], wanted: Callable[[str], bool]
    ) -> list[RestartTask]:
        """The commands that are due, upstream first.

        Parameters
        ----------
        plan: that of now: tasks may have come since the run began.
        ended: when a node has ended, by the wall clock; None while it goes on.
        wanted: whether a task is to run at all. One that a person has stopped stays so.
        """
        commands: list[RestartTask] = []
        for path, agenda in self._agendas.items():
            end = ended(path)
            if end is None:
                self._busy.add(path)
                if not agenda.must_give_way(now):
                    continue
                end = now
            if path in self._busy:
                self._busy.discard(path)
                agenda.ended(min(end, now))
            if self._is_due(agenda, now):
                self._busy.add(path)
                names = [plan.names[index] for index in plan.order if index not in plan.nodes]
                chosen = filter(wanted, members(names, path))
                commands += [RestartTask(task, False, f"{path} is due", path) for task in chosen]
        return commands

    def _is_due(self, agenda: Agenda, now: float) -> bool:
        while True:
            match agenda.look(now):
                case Fire():
                    return True
                case PassedOver():
                    continue
                case None:
                    return False

    def next_due(self, now: float) -> NodeDue | None:
        """The node that is due next; None if none is any more."""
        coming: Sequence[NodeDue] = [
            NodeDue(node=path, due=due, timetable=agenda.timetable)
            for path, agenda in self._agendas.items()
            if (due := agenda.next_due(now)) is not None
        ]
        return min(coming, key=lambda one: one.due, default=None)
