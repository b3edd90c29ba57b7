"""A desired state that an earlier process left, by a crash or an orderly stop: a new start of the same file goes on with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from dagtop.errors import JournalError
from dagtop.ports.journal import Journal

from dagtop_app.commandline.options import UsageError
from dagtop_app.launching.kept_where import file_of
from dagtop_app.launching.preparing import Prepared
from dagtop_app.plain.saying import say
from dagtop_app.text import clean, name_of, plural

if TYPE_CHECKING:
    from dagtop.journal.resume import Resumption

#: Tasks that are named as stopped; of more the rest is counted.
_NAMED = 5


def desired_state(prepared: Prepared, journal: Journal | None, *, afresh: bool) -> Resumption | None:
    """What the latest run of the file left, if it is a Reconciler's; says so.

    Raises
    ------
    UsageError: another process has it open: a second set of services would come up beside the first one.
    """
    if prepared.reconciler is None or journal is None or afresh:
        return None
    from dagtop.journal.desired import go_on_with, latest_of, open_elsewhere  # noqa: PLC0415 - only for a desired state

    try:
        graph = prepared.seen().name
        if (other := open_elsewhere(journal, prepared.source, graph)) is not None:
            name, run, file = name_of(graph, 60), clean(other.run), file_of(journal)
            db = f"--db {shlex.quote(str(file))} " if file is not None else ""
            raise UsageError(
                f"{name} is running already (run {run}, process {other.pid}): `dagtop replay {db}{run}` looks at it, "
                f"`dagtop tell {db}{run} …` steers it, --new starts another one"
            )
        stored = latest_of(journal, prepared.source, graph)
        if stored is None:
            return None
        plan = prepared.graph.validate(prepared.config)
        found = go_on_with(stored, plan, prepared.graph.fingerprints(prepared.config))
    except JournalError as error:
        say(f"begins anew, since it cannot be seen how it was left: {error}")
        return None
    if found is not None:
        say(sentence(found))
    return found


def sentence(found: Resumption) -> str:
    """With what it goes on, for people."""
    parts = [f"goes on with run {clean(found.run)}", *live_changes(found)]
    if found.kept:
        parts.append(f"{plural(len(found.kept), 'finished task')} kept")
    return f"{', '.join(parts)}; --new starts afresh"


def live_changes(found: Resumption) -> list[str]:
    """What a person had stopped and changed, and is so again."""
    parts = []
    if found.stops:
        more = f" and {len(found.stops) - _NAMED:,} more" if len(found.stops) > _NAMED else ""
        named = ", ".join(name_of(name, 40) for name in list(found.stops)[:_NAMED])
        parts.append(f"{named}{more} {'stays' if len(found.stops) == 1 else 'stay'} stopped")
    changed = len(found.policies) + len(found.replicas) + len(found.limits)
    if changed:
        parts.append(f"{plural(changed, 'live change')} in force again")
    return parts
