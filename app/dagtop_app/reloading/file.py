"""A graph file that is read again while its run goes on: what is different, told before it is applied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dagtop.core.commands import SwapGraph
from dagtop.core.events import CommandApplied, CommandRefused
from dagtop.core.plan import Plan
from dagtop.core.snapshot import BROKEN
from dagtop.core.states import TaskState
from dagtop.core.topology import reach
from dagtop.core.values import dataclass
from dagtop.errors import DagtopError, LoadError
from dagtop.loaders.again import PATIENCE, files_of, read_again
from dagtop.loaders.python import split
from dagtop.observe.redact import seen

from dagtop_app.launching.due import scheduled_nodes_of
from dagtop_app.launching.preparing import Prepared
from dagtop_app.plain.saying import say
from dagtop_app.reloading.aside import ReadsAside
from dagtop_app.text import clean

if TYPE_CHECKING:
    from dagtop.core.schedule import Schedule, Timetable
    from dagtop.runtime.comparing import UpdatePlan
    from dagtop.runtime.executor import DAGExecutor
    from dagtop.runtime.swapping import Version
    from dagtop.runtime.thread import EngineThread

#: Who applies what has changed, as the events tell it.
BY = "the changed file"

#: Milliseconds that a file must lie still before it is read, and at most waited for: editors write in several steps.
_STILL, _LONGEST = 100, 1_000

#: Milliseconds between two looks at what nobody told of.
_LOOK = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """What the file says now, and what that changes."""

    plan: UpdatePlan
    version: Version
    again: tuple[str, ...] = ()
    """Tasks that start over."""
    supervised: bool = False


class Reloader(ReadsAside[Difference]):
    """Reads the file of a run again.

    Parameters
    ----------
    prepared: what the run began with.
    executor: what carries it out, or what gives that when it is asked for.
    """

    def __init__(
        self, prepared: Prepared, executor: DAGExecutor | Callable[[], DAGExecutor], *, patience: float = PATIENCE
    ) -> None:
        super().__init__()
        self._prepared = prepared
        self._given = executor
        self._patience = patience
        self.path, _ = split(prepared.source)
        self._marks = _marks_of(self._files())
        self.is_broken = False
        """Whether the file was broken when it was read last."""

    @property
    def _executor(self) -> DAGExecutor:
        return self._given() if callable(self._given) else self._given

    def look(self) -> Difference:
        """Read it and compare; it takes as long as the file does.

        Raises
        ------
        DagtopError: it is broken, or the run cannot go on with what it says. Nothing has changed.
        """
        self._marks = _marks_of(self._files())
        self.is_broken = True
        # What the run began with is told apart by its text, which is that of the next version once the file is read.
        self._executor.prepared.versions.now()
        found = read_again(self.path, self._read, patience=self._patience)
        self._marks |= _marks_of([file for file in self._files() if file not in self._marks])
        self.is_broken = False
        return found

    def _read(self) -> Difference:
        from dagtop.runtime.swapping import Version  # noqa: PLC0415 - loaded already: it runs

        again = self._prepared.again
        if again is None:
            raise LoadError("it cannot be read again", place=self.path)
        prepared = again()
        if (prepared.reconciler is None) is not (self._prepared.reconciler is None):
            kind = "a graph that runs to its end" if prepared.reconciler is None else "a Reconciler"
            raise LoadError(f"it defines {kind} now; start dagtop anew for that", place=self.path)
        if _schedules_of(prepared) != _schedules_of(self._prepared):
            raise LoadError("it says otherwise when it is due; start dagtop anew for that", place=self.path)
        graph, config = prepared.graph, prepared.config
        version = Version(graph.checked(config), graph.fingerprints(config), graph)
        plan = self._executor.compare(version)
        return Difference(plan, version, self._start_over(plan, version.checked.plan), self._executor.supervises)

    def _start_over(self, update: UpdatePlan, plan: Plan) -> tuple[str, ...]:
        """What is changed; in a run to an end also what was made of that."""
        ledger = self._executor.prepared.machine.ledger
        known, states = ledger.plan.index, ledger.state

        def has_begun(name: str) -> bool:
            return name in known and states[known[name]] not in (TaskState.WAITING, TaskState.READY)

        changed = [name for name in update.changed if has_begun(name)]
        if self._executor.supervises:
            return tuple(changed)
        first = {plan.index[name] for name in changed}
        below = first | set(reach(plan.downstream, first))
        return tuple(name for i, name in enumerate(plan.names) if i in below and has_begun(name))

    def command(self, difference: Difference) -> SwapGraph:
        """What has the run go on with it.

        Raises
        ------
        GraphError: it cannot, by now.
        """
        return SwapGraph(self._executor.hand_in_version(difference.version))

    @staticmethod
    def lines(difference: Difference) -> Sequence[str]:
        """What is different, a line each, for people: names in it may hold anything."""
        return [clean(seen(line), 1_000) for line in str(difference.plan).splitlines()]

    # -- watching -----------------------------------------------------------------------------------------------------

    @contextmanager
    def watching(self, changed: Callable[[], None]) -> Generator[None]:
        """While this is open, call `changed` on a thread of its own after the file, or a module beside it, was written."""
        stop = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(stop, changed), name="watches the graph file", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()

    def _watch(self, stop: threading.Event, changed: Callable[[], None]) -> None:
        from watchfiles import watch  # noqa: PLC0415 - only where files are watched

        while not stop.is_set():
            folders = {file.parent for file in self._files()}
            try:
                for changes in watch(
                    *sorted(folders), stop_event=stop, recursive=False, step=_STILL, debounce=_LONGEST,
                    rust_timeout=_LOOK, yield_on_timeout=True, raise_interrupt=False,
                ):  # fmt: skip
                    if self._is_written({Path(file) for _, file in changes}):
                        changed()
                        if not {file.parent for file in self._files()} <= folders:
                            break
            except OSError as error:
                say(f"{self.path} is not watched any more: {error}")
                return

    def _is_written(self, changes: set[Path]) -> bool:
        """Whether there is anything to be read; what was written while nobody watched counts too."""
        marks = _marks_of(self._files())
        if marks == self._marks and not (self.is_broken and any(file.suffix == ".py" for file in changes)):
            return False
        self._marks = marks
        return True

    def _files(self) -> list[Path]:
        return [Path(file).resolve() for file in files_of(self.path)]


def _schedules_of(prepared: Prepared) -> tuple[Schedule | None, dict[str, Timetable]]:
    return prepared.config.schedule(), scheduled_nodes_of(prepared)


def _marks_of(files: Sequence[Path]) -> dict[Path, tuple[int, ...]]:
    """What changes when a file is written; one that is not there, as while an editor puts another in its place, has none."""
    found: dict[Path, tuple[int, ...]] = {}
    for file in files:
        with suppress(OSError):
            stat = file.stat()
            found[file] = stat.st_mtime_ns, stat.st_size, stat.st_ino
    return found


@contextmanager
def applying_changes(reloader: Reloader, engine: EngineThread) -> Generator[None]:
    """Without a console: what has changed is said and applied at once, for as long as this is open."""

    def answered(event: CommandApplied | CommandRefused) -> None:
        if engine.error is not None:
            say(clean(event.reason if isinstance(event, CommandRefused) else BROKEN, 500))
        elif isinstance(event, CommandRefused):
            say(f"the run goes on as it was: {clean(event.reason, 500)}")

    def changed() -> None:
        try:
            difference = reloader.look()
        except DagtopError as error:
            say(f"the run goes on as it was: {error}")
            return
        if difference.plan.is_empty:
            return
        say(f"{clean(reloader.path, 300)} has changed:")
        for line in reloader.lines(difference):
            say(f"  {line}")
        try:
            engine.send(reloader.command(difference), by=BY, answered=answered)
        except DagtopError as error:
            say(f"the run goes on as it was: {error}")

    with reloader.watching(changed):
        yield
