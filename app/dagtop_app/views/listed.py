"""Which views there are, in the order of their tabs. None is imported before it is shown, or `launching.later` does it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dagtop.core.snapshot import RunSnapshot

from dagtop_app.chrome import badges
from dagtop_app.chrome.tabs import Tab

if TYPE_CHECKING:
    from dagtop_app.views.base import View


def _nothing(snapshot: RunSnapshot) -> str:
    return ""


class Listed(NamedTuple):
    """One view, before it is made."""

    name: str
    """Also that of its module here; its class is that with a capital."""
    key: str
    label: str
    short: str
    """For narrow terminals."""
    action: str
    """What a click on its tab does."""
    badge: Callable[[RunSnapshot], str] = _nothing
    """What calls for attention there, e.g. "▲2"; "" for nothing. Asked ten times a second."""

    @property
    def kind(self) -> type[View[Any]]:
        """Its class, imported."""
        module = import_module(f"dagtop_app.views.{self.name}")
        return cast("type[View[Any]]", getattr(module, self.name.capitalize()))

    def tab(self, snapshot: RunSnapshot) -> Tab:
        """As the third line of the console has it."""
        return Tab(self.key, self.label, self.badge(snapshot), self.short)


VIEWS = (
    Listed("tasks", "1", "Tasks", "Tasks", "view('tasks')"),
    Listed("graph", "2", "Graph", "Graph", "view('graph')"),
    Listed("timeline", "3", "Timeline", "Time", "view('timeline')"),
    Listed("logs", "4", "Logs", "Logs", "logs(False)"),
    Listed("breakers", "5", "Breakers", "Break", "view('breakers')", badges.breakers),
    Listed("escalations", "6", "Escalations", "Escal", "view('escalations')", badges.escalations),
    Listed("events", "7", "Events", "Event", "view('events')"),
    Listed("meta", "0", "Meta", "Meta", "meta"),
)

BY_NAME = {view.name: view for view in VIEWS}
