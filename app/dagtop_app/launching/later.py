"""What the console needs only once somebody presses a key: loaded when the first screen has been painted, not before it.

Half of a console's modules answer keys, and loading them would take as long as all that the first screen needs. A module of
`LATER` may be imported as a module at the head of any other (`from dagtop_app.steering import undo`): it is read when
something in it is first used, or else one by one soon after the first paint: the first press of a key is answered as quickly as
the next, and a task that uses up all file descriptors comes too late to keep it away.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import LazyLoader, find_spec, module_from_spec

#: Imported as modules wherever they are needed, and read later.
LATER = (
    "dagtop_app.launching.farewell",
    "dagtop_app.launching.hangup",
    "dagtop_app.reloading.next_run",
    "dagtop_app.screens.edit",
    "dagtop_app.screens.form",
    "dagtop_app.settings.told",
    "dagtop_app.steering.asking",
    "dagtop_app.steering.filling",
    "dagtop_app.steering.guard_texts",
    "dagtop_app.steering.node_commands",
    "dagtop_app.steering.undo",
    "dagtop_app.tasks.copying",
    "dagtop_app.tasks.explain",
    "dagtop_app.tasks.outcome",
    "dagtop_app.tasks.row_orders",
    "dagtop_app.tasks.why",
    "dagtop_app.terminal.child",
    "dagtop_app.terminal.clipboard",
    "dagtop_app.timeline.foresight",
    "dagtop_app.timeline.usual_texts",
    "dagtop_app.widgets.typed",
)
#: Imported by what needs them, when it does.
ALSO = (
    "dagtop_app.plain.headless",
    "dagtop_app.screens.command_line",
    "dagtop_app.words.completing",
    "dagtop_app.words.palette",
    "dagtop_app.views.graph",
    "dagtop_app.views.timeline",
    "dagtop_app.views.logs",
    "dagtop_app.views.breakers",
    "dagtop_app.views.escalations",
    "dagtop_app.views.events",
    "dagtop_app.views.meta",
)
COUNT = len(LATER) + len(ALSO)
#: Seconds between two of them: each takes some milliseconds, in which no key is answered.
PAUSE = 0.03


def put_off() -> None:
    """Have `LATER` read when it is used."""
    if sys.version_info < (3, 12):  # there two threads that use it first at once would read it twice
        return
    for name in LATER:
        spec = find_spec(name) if name not in sys.modules else None
        if spec is None or spec.loader is None:
            continue
        spec.loader = LazyLoader(spec.loader)
        module = sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
        package, _, own = name.rpartition(".")
        setattr(sys.modules[package], own, module)


def rest() -> Iterator[None]:
    """Reads one of them at each step."""
    for name in (*LATER, *ALSO):
        with suppress(Exception):  # whoever needs it then is told what is wrong
            _ = import_module(name).__doc__
        yield
