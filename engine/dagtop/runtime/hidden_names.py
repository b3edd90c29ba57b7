"""Names of tasks that tell a secret, and the names that people see instead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from dagtop.core.commands import Command
from dagtop.core.events import AnyEvent
from dagtop.core.paths import SLASH
from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.journal.hidden import digest
from dagtop.observe.veil import changed
from dagtop.ports.journal import JournalStatistics, JournalWriter, Posted


class HiddenNames:
    """Which names are hidden, and behind what. Nearly always none are."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._real: dict[str, str] = {}
        self._graph = ""
        self._index: Mapping[str, int] = {}
        self._known = 0
        self._plan: tuple[Plan, Plan] | None = None
        """(as it is, as people see it)."""
        self._rows: dict[str, tuple[TaskRow, TaskRow]] = {}
        self.when_some: Callable[[], None] | None = None
        """Called when the first one is hidden."""

    def __bool__(self) -> bool:
        return bool(self._shown)

    def add(self, plan: Plan, redacted: Callable[[str], str]) -> None:
        """Look at the names of a graph, or at those that have come into it."""
        self._index = plan.index
        names, self._known = plan.names[self._known :], len(plan)
        if self._graph != plan.name:
            self._graph = plan.name
            self._hide([plan.name], redacted, frozenset(), {})
        text = "\n".join(names)
        if redacted(text) == text:  # all of them at once, since nearly always nothing is there
            return
        self._hide(names, redacted, frozenset(plan.names[node] for node in plan.nodes), plan.index)

    def _hide(
        self, names: Sequence[str], redacted: Callable[[str], str], nodes: Collection[str], taken: Mapping[str, int]
    ) -> None:
        """Hide those that tell a secret; what is inside of a node stays inside of it."""
        before = len(self._shown)
        alike: dict[tuple[str, str], list[str]] = {}
        for name in names:
            node, own = _split(name, nodes)
            alike.setdefault((node, redacted(own)), []).append(name)
        for node, own in sorted(alike, key=lambda place: len(place[0])):  # a node stands before what is in it
            inside = self._shown.get(node, node)
            seen = f"{inside}{SLASH}{own}" if inside else own
            real = f"{node}{SLASH}{own}" if node else own
            hidden = [name for name in alike[node, own] if name != real or seen != real]
            alone = len(hidden) == 1 and (seen not in taken or inside != node) and seen not in self._real
            for name in hidden:
                self._shown[name] = shown = seen if alone or name == real else f"{seen}·{digest(name)[:4]}"
                self._real[shown] = name
        when_some = self.when_some
        if len(self._shown) > before and when_some is not None:
            self.when_some = None
            when_some()

    def index_of(self, name: str) -> int | None:
        """The number of a task."""
        return self._index.get(name)

    def outside(self, name: str) -> str:
        """What people see in place of a name, or of any other text that is just that."""
        return self._shown.get(name, name)

    def inside(self, name: str) -> str:
        """The name of the task that people see as this."""
        return self._real.get(name, name)

    def plan(self, plan: Plan) -> Plan:
        """The plan as people see it."""
        if not self._shown:
            return plan
        if self._plan is None or self._plan[0] is not plan:
            names = tuple(map(self.outside, plan.names))
            index = {name: number for number, name in enumerate(names)}
            self._plan = plan, replace(plan, name=self.outside(plan.name), names=names, index=index)
        return self._plan[1]

    def snapshot(self, snapshot: RunSnapshot) -> RunSnapshot:
        """The snapshot as people see it: rows that have not changed are the same objects as before."""
        return msgspec.structs.replace(
            snapshot,
            graph=self.outside(snapshot.graph),
            plan=self.plan(snapshot.plan),
            rows=[self._row(row) if row.name in self._shown else row for row in snapshot.rows],
            problems=changed(snapshot.problems, self.outside),
            answers=changed(snapshot.answers, self.outside),
            escalations=changed(snapshot.escalations, self.outside),
            acknowledged={number: changed(one, self.outside) for number, one in snapshot.acknowledged.items()},
            blocked=changed(snapshot.blocked, self.outside),
        )

    def _row(self, row: TaskRow) -> TaskRow:
        before = self._rows.get(row.name)
        if before is None or before[0] is not row:
            before = self._rows[row.name] = row, msgspec.structs.replace(row, name=self._shown[row.name])
        return before[1]

    def command(self, command: Command) -> Command:
        """The command, for the task that it means."""
        found = {
            field: self._real[name]
            for field in ("task", "node")
            if (name := getattr(command, field, None)) in self._real
        }
        return msgspec.structs.replace(command, **found) if found else command

    def digests(self) -> dict[str, str]:
        """By the name that people see: of the name that the task has."""
        return {seen: digest(name) for seen, name in self._real.items() if name in self._index}


def _split(name: str, nodes: Collection[str]) -> tuple[str, str]:
    """The innermost node that a task is in, "" if it is in none, and its name there."""
    at = name.rfind(SLASH) if nodes else -1
    while at > 0:
        if name[:at] in nodes:
            return name[:at], name[at + 1 :]
        at = name.rfind(SLASH, 0, at)
    return "", name


class HidingWriter:
    """A journal's writer to which tasks have the names that people see."""

    def __init__(self, writer: JournalWriter, names: HiddenNames) -> None:
        self._writer = writer
        self._names = names

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events."""
        self._writer.record(first, batch)

    @property
    def committed(self) -> int:
        """Number of the last event that is safe."""
        return self._writer.committed

    def output(self, task: str, attempt: int, value: Any, *, given: bool = False) -> None:
        """Store what a task returned."""
        self._writer.output(self._names.outside(task), attempt, value, given=given)

    def took(self, names: Sequence[str], fingerprints: Sequence[str], seconds: Sequence[float]) -> None:
        """Store how long tasks took."""
        self._writer.took(tuple(map(self._names.outside, names)), fingerprints, seconds)

    def listen(self, take: Callable[[Posted], None]) -> None:
        """Have commands of other processes taken."""
        self._writer.listen(take)

    def statistics(self) -> JournalStatistics:
        """The numbers as they are now."""
        return self._writer.statistics()

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left and stop."""
        return self._writer.close(timeout)
