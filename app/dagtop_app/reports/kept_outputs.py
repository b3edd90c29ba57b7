"""What the tasks of a kept run returned, told shortly: for its reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import GOOD
from dagtop.errors import JournalError
from dagtop.observe.describe import Described, describe
from dagtop.ports.journal import StoredRun

#: So many outputs are in memory at once.
_AT_ONCE = 500
_DAMAGED = Described(type="", text="(the stored output cannot be read)")


def outputs_of(stored: StoredRun, snapshot: RunSnapshot) -> dict[str, Described]:
    """By task that has one: its output, described."""
    names = [row.name for row in snapshot.rows if row.state in GOOD and row.index not in snapshot.plan.nodes]
    found: dict[str, Described] = {}
    for first in range(0, len(names), _AT_ONCE):
        found.update(_some(stored, names[first : first + _AT_ONCE]))
    return found


def _some(stored: StoredRun, names: Sequence[str]) -> Iterator[tuple[str, Described]]:
    try:
        outputs = stored.outputs(names)
    except JournalError:
        if len(names) == 1:
            yield names[0], _DAMAGED
        else:
            for name in names:
                yield from _some(stored, [name])
    else:
        for name, value in outputs.items():
            yield name, describe(value)
