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
from functools import partial
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

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
    "dagtop_app.plain.events",
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
#: What `rest` does not give.
DONE = ""
#: Seconds between two of them: each takes some milliseconds, in which no key is answered.
PAUSE = 0.03


class Unread(ModuleType):
    """A module that is read when something in it is first asked for.

    Python has a `LazyLoader`, but before 3.12.3 two threads that ask at once may find the module half read (a task that
    pickles looks through all modules), and in any Python one that could not be read the first time stays empty.
    """

    def __getattribute__(self, name: str) -> Any:
        inside = partial(ModuleType.__getattribute__, self)
        with inside("_lock"):
            if inside("_is_unread"):
                self._is_unread = False  # what it imports may ask for it meanwhile
                try:
                    inside("__spec__").loader.exec_module(self)
                except BaseException:
                    self._is_unread = True
                    raise
                self.__class__ = ModuleType  # type: ignore[assignment]  # as any other module from now on
        return inside(name)


def put_off() -> None:
    """Have `LATER` read when it is used."""
    for name in LATER:
        spec = find_spec(name) if name not in sys.modules else None
        if spec is None:
            continue
        module = sys.modules[name] = module_from_spec(spec)
        vars(module).update(_lock=RLock(), _is_unread=True)
        module.__class__ = Unread
        package, _, own = name.rpartition(".")
        setattr(sys.modules[package], own, module)


def rest() -> Iterator[str]:
    """Reads one of them at each step, and gives its name."""
    for name in (*LATER, *ALSO):
        with suppress(Exception):  # whoever needs it then reads it again, or is told what is wrong
            _ = import_module(name).__doc__
        yield name
