"""Listeners of a graph that is a node of a `MetaDAG`: they hear of the tasks in that node, and of nothing else."""

from __future__ import annotations

from dagtop.core.events import AnyEvent
from dagtop.core.paths import SLASH
from dagtop.graph.listening import Interest, Listener


class _Inside(Interest):
    """What somebody wants who knows only the names within a node."""

    __slots__ = ("_inner", "_prefix")

    def __init__(self, inner: Interest, path: str) -> None:
        self._inner, self._prefix = inner, path + SLASH
        self.kinds = inner.kinds
        self.tasks = inner.tasks

    def about(self, event: AnyEvent) -> bool:
        return self.covers(getattr(event, "task", ""))

    def covers(self, name: str) -> bool:
        return name.startswith(self._prefix) and self._inner.covers(name[len(self._prefix) :])


class _Narrowed(Listener):
    """The same callback; whoever unsubscribes it is unsubscribed here too."""

    __slots__ = ("_of",)

    def __init__(self, of: Listener, path: str) -> None:
        self._of = of
        super().__init__(of.call, _Inside(of.interest, path), source=of.source)
        self.label = of.label

    @property
    def active(self) -> bool:
        return self._of.active

    @active.setter
    def active(self, active: bool) -> None:
        pass


def within(listener: Listener, path: str) -> Listener:
    """A listener as that of a node."""
    return _Narrowed(listener, path)
