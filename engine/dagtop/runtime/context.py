"""`TaskContext`: what a running task may ask of the engine."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from typing import Any

from dagtop.errors import DagtopError, TaskError
from dagtop.graph.additions import Task


class Answer(Future[Any]):
    """A service that a thread waits for."""


class TaskContext:
    """Handed to a task that has a parameter annotated `TaskContext`, or named `ctx` and not annotated. Usable from any thread."""

    __slots__ = (
        "_answer",
        "_cancelled",
        "_find_service",
        "_log",
        "_make_log",
        "_report",
        "_scratch",
        "_spawn",
        "attempt",
        "resource",
        "task",
        "upstream",
    )

    def __init__(
        self,
        task: str,
        attempt: int,
        upstream: Mapping[str, Any],
        report: Callable[[str, tuple[Any, ...]], None],
        make_log: Callable[[], logging.Logger],
        scratch: Callable[[str], Path],
        find_service: Callable[[str], Any] | None = None,
        spawn: Callable[[str, Task], str] | None = None,
    ) -> None:
        self.task = task
        """The task's name."""
        self.attempt = attempt
        """Number of this attempt, from 1."""
        self.upstream = upstream
        """Outputs of the tasks it depends on, by name; None for one that did not succeed."""
        self.resource: Any = None
        """What the task's `setup` returned."""
        self._report = report
        self._make_log = make_log
        self._scratch = scratch
        self._find_service = find_service
        self._spawn = spawn
        self._answer: Answer | None = None
        """Of a service that the task waits for in a thread."""
        self._log: logging.Logger | None = None
        self._cancelled = False

    @property
    def log(self) -> logging.Logger:
        """A logger whose lines belong to this attempt: `ctx.log.info("read %d rows", n)`."""
        if self._log is None:
            self._log = self._make_log()
        return self._log

    @property
    def cancelled(self) -> bool:
        """Whether this attempt was told to stop. A plain function should look now and then, and return."""
        return self._cancelled

    @property
    def replica(self) -> int:
        """The number of this replica, from 0, of a task with `replicas=`; 0 for any other task."""
        number = self.task.rpartition("[")[2]
        return int(number[:-1]) if number.endswith("]") and number[:-1].isdecimal() else 0

    @property
    def scratch_dir(self) -> Path:
        """A directory of this task's own, made when first asked for and removed when the run is over."""
        return self._scratch(self.task)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far it is. Cheap; the latest one counts.

        Parameters
        ----------
        done: in units of the task's own; what is no finite number counts as 0.
        total: in the same units; None, or what is no finite number above 0, if it is not known.
        message: a short text, of which 200 characters are kept.
        """
        done, whole = float(done), 0.0 if total is None else float(total)
        known = math.isfinite(whole) and whole > 0
        told = (done if math.isfinite(done) else 0.0, whole if known else None, str(message)[:200])
        self._report("progress", told)

    def ready(self, value: Any = None) -> None:
        """Say that a long-running task now does what it is there for: tasks that depend on it may start.

        Parameters
        ----------
        value: what they get for its output as long as it has not returned, e.g. the port that it listens on.
        """
        self._report("ready", (self.attempt, value))

    def spawn(self, name: str, fn: Callable[..., Any], **options: Any) -> str:
        """Add a task to the graph while it runs: its name. It is checked here and now, as strictly as those declared before.

        A task that is tried again or restarted may spawn what it spawned before: that stays as it is, or starts over if its
        code, values, upstream or options are others now.

        Parameters
        ----------
        name: unique in the graph.
        fn: its parameters name tasks and inputs, as in `Graph.add`; bind other values with a closure or `functools.partial`.
        options: those of `Graph.add`, and `before`: tasks that have not started and shall wait for this one.

        Raises
        ------
        GraphError: all that is wrong with it; nothing was added.
        DagtopError: the task runs in another process; let it return a `Task` instead.
        """
        if self._spawn is None:
            raise DagtopError("a task that runs in another process cannot add tasks: let it return a Task instead")
        return self._spawn(self.task, Task(name, fn, **options))

    def service(self, name: str) -> Any:
        """The shared service of this name, opened if it is not yet.

        In a plain function this waits and gives the value; on the event loop it gives something to await:
        `db = await ctx.service("db")`.

        Raises
        ------
        DagtopError: the graph has no such service.
        BaseException: whatever kept it from opening.
        """
        if self._find_service is None:
            raise DagtopError(f"there is no service {name!r}; declare it with @graph.service")
        found = self._find_service(name)
        if type(found) is not Answer:
            return found
        self._answer = found
        if self._cancelled:
            self._wait_no_longer()
        return found.result()

    def cancel(self) -> None:
        """Told by the engine, not by tasks: `cancelled` is True from now on."""
        self._cancelled = True
        self._wait_no_longer()

    def _wait_no_longer(self) -> None:
        answer = self._answer
        if answer is not None and not answer.done():
            with suppress(InvalidStateError):  # it has come this very moment
                answer.set_exception(TaskError("told to stop while it waited for a service"))
