"""Tasks that their spawner spawns once more, because it is tried again or restarted: what is different about them."""

from __future__ import annotations

from typing import NamedTuple

from dagtop.errors import GraphError
from dagtop.graph.additions import Addition
from dagtop.graph.binding import Call
from dagtop.graph.fingerprint import source_mark
from dagtop.graph.surroundings import Surroundings


class Came(NamedTuple):
    """How a task came the last time."""

    spawner: str
    attempt: int
    """The spawner's, when it spawned it."""
    addition: Addition

    def may_come_again(self, spawner: str, attempt: int) -> bool:
        """Whether it is spawned anew, and not a second one of the same name."""
        return self.spawner == spawner and self.attempt != attempt


def is_another(before: Addition, now: Addition) -> bool:
    """Whether a task that comes again has other code, values, upstream or options than before.

    Raises
    ------
    GraphError: it differs in what cannot be changed while the run goes on.
    """
    name = now.task.name
    for what, one, other in (
        ("before=", before.before, now.before),
        ("backend=", before.task.backend, now.task.backend),
        ("when=, cache=, setup=, teardown= or services", _marks(before.around), _marks(now.around)),
    ):
        if one != other:
            raise GraphError(f"{name!r} is there already, with other {what}: spawn it as it was, or under another name")
    changed = before.task.upstream != now.task.upstream or before.task.policy != now.task.policy
    return changed or source_mark(before.call.fn) != source_mark(now.call.fn)


def _marks(around: Surroundings) -> list[tuple[str, str]]:
    calls: list[tuple[str, Call | None]] = [
        *(("when", call) for call in around.whens.values()),
        *(("cache", call) for call in around.caches.values()),
        *(("setup", call) for call in around.setups.values()),
        *(("teardown", call) for call in around.teardowns.values()),
    ]
    marks = [(what, source_mark(call.fn) if call is not None else "") for what, call in calls]
    return [*marks, *(("service", name) for names in around.needs.values() for name in names)]
