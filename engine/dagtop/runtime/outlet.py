"""The way out: events are numbered and handed to the recorders, in order and in batches."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msgspec import structs

from dagtop.core.events import AnyEvent, Problem, RunFinished
from dagtop.core.machine import RunMachine
from dagtop.core.snapshot import Blocked
from dagtop.ports.recorder import HearsBlocked, Recorder
from dagtop.runtime.failures import text_of
from dagtop.runtime.hiding import Hiding


class Outlet:
    """Hands a machine's events to whoever wants them. A recorder that raises is told of, and left out from then on."""

    def __init__(self, machine: RunMachine, recorders: Sequence[Recorder], first: int, hiding: Hiding) -> None:
        self._machine = machine
        self._recorders = list(recorders)
        self._inside: list[Recorder] = []
        """Those of them that know tasks by the names that they have, secret or not."""
        self._hiding = hiding
        self._next_number = first

    def add(self, recorders: Sequence[Recorder], *, inside: bool = False) -> None:
        """Have further recorders take every event from now on; `inside`: with the names that tasks have, secret or not."""
        self._recorders.extend(recorders)
        if inside:
            self._inside.extend(recorders)

    def hear(self, blocked: Blocked) -> bool:
        """Tell those recorders that want to know at once what keeps the loop; whether there are any. From any thread."""
        hearers = [recorder for recorder in self._recorders.copy() if isinstance(recorder, HearsBlocked)]
        for hearer in hearers:
            with contextlib.suppress(Exception):  # it hears of it again, as an event
                hearer.loop_blocked(blocked)
        return bool(hearers)

    def flush(self, at: float) -> None:
        """Hand out what has happened since the last time."""
        machine = self._machine
        if machine.is_over:
            _end_with_the_end(machine.outbox)
        while batch := machine.outbox:
            machine.outbox = []
            first = self._next_number
            self._next_number += len(batch)
            seen = self._hiding.outside(batch)
            for recorder in self._recorders.copy():
                try:
                    recorder.record(first, batch if seen is batch or self._is_inside(recorder) else seen)
                except Exception as error:  # noqa: BLE001 - a recorder never brings the run down (STYLE 12)
                    self._recorders.remove(recorder)
                    message = f"left out from now on: {type(error).__name__}: {text_of(error)}"[:500]
                    machine.note(Problem(at, type(recorder).__name__, message))

    def _is_inside(self, recorder: Recorder) -> bool:
        return any(one is recorder for one in self._inside)


def _end_with_the_end(batch: list[AnyEvent]) -> None:
    """What tasks had said before the run finished, and is known only now, goes before `run.finished`: that comes last."""
    for place in range(len(batch) - 1, -1, -1):
        finished = batch[place]
        if isinstance(finished, RunFinished):
            before = [
                event if event.at <= finished.at else structs.replace(event, at=finished.at)
                for event in batch[place + 1 :]
            ]
            batch[place:] = [*before, finished]
            return
