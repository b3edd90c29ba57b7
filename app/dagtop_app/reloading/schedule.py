"""The file of a graph with a schedule, read again between two runs or during one: the next run is of what it says then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from dagtop.errors import LoadError
from dagtop.loaders.again import PATIENCE, read_again
from dagtop.loaders.python import split
from dagtop.observe.redact import seen
from dagtop.runtime.comparing import compare
from dagtop.runtime.swapping import Version

from dagtop_app.launching.due import timetable_of
from dagtop_app.launching.preparing import Prepared
from dagtop_app.reloading.aside import ReadsAside
from dagtop_app.reloading.next_run import NextRun
from dagtop_app.reloading.timekeeper import NotBegun
from dagtop_app.text import clean


class RereadForNextRun(ReadsAside[NextRun]):
    """Reads the file of a graph with a schedule again.

    Parameters
    ----------
    prepared: what the latest run was made of.
    take_over: makes the next run of what the file says now.
    """

    def __init__(self, prepared: Prepared, take_over: Callable[[NextRun], None], *, patience: float = PATIENCE) -> None:
        super().__init__()
        self._prepared = prepared
        self._version = _version(prepared)  # at once: the text of its functions is that of the file, which may change
        self._take_over = take_over
        self._patience = patience
        self.path, _ = split(prepared.source)

    def look(self) -> NextRun:
        """Read it and compare; it takes as long as the file does.

        Raises
        ------
        DagtopError: it is broken, or is no graph with a schedule any more.
        """
        return read_again(self.path, self._read, patience=self._patience)

    def _read(self) -> NextRun:
        before, again = self._prepared, self._prepared.again
        if again is None:
            raise LoadError("it cannot be read again", place=self.path)
        now = again()
        version, timetable = _version(now), timetable_of(now)
        if timetable is None:
            raise LoadError("it does not say any more when it is due; start dagtop anew for that", place=self.path)
        plan = compare(self._version, version)
        other = now.config.schedule() != before.config.schedule()
        parts = [] if plan.is_empty else [clean(seen(line.strip()), 200) for line in str(plan).splitlines()]
        if other:
            parts.append("it is due at other times")
        idle = NotBegun(now.seen(), now.config.run_policy().max_parallel)
        return NextRun(now, version, timetable if other else None, " · ".join(parts), idle)

    def take(self) -> NextRun | str | None:
        """What came of it, once; the next run is of that. None as long as there is no answer."""
        answer = super().take()
        if isinstance(answer, NextRun):
            self._prepared, self._version = answer.prepared, answer.version
            self._take_over(answer)
        return answer

    def watching(self, changed: Callable[[], None]) -> AbstractContextManager[None]:
        """Nobody watches it: `--watch` is for one run that goes on."""
        raise NotImplementedError


def _version(prepared: Prepared) -> Version:
    graph, config = prepared.graph, prepared.config
    return Version(graph.checked(config), graph.fingerprints(config), graph)
