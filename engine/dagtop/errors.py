"""Every error that dagtop raises on purpose.

    DagtopError
    ├── GraphError                  the graph cannot be run as it is; lists every problem found
    │   ├── CycleError              tasks wait for each other
    │   ├── UnknownDependencyError  a dependency that is not there
    │   ├── DuplicateTaskError      two tasks of one name
    │   └── OptionError             an option that does not exist, or a value it does not take
    ├── LoadError                   a graph file cannot be loaded
    ├── TaskError                   a task did not do what was asked of it
    │   ├── TaskTimeoutError        an attempt took longer than `timeout`
    │   ├── TaskExitError           the task called `sys.exit` or raised KeyboardInterrupt
    │   └── UpstreamFailedError     on_upstream_failure="fail", and an upstream did
    ├── JournalError                the journal cannot be read or written
    ├── CommandRefused              a command was not carried out
    └── IllegalTransitionError      a bug in dagtop: a move that the table of states does not list

Messages are lower-case, read after "could not …", and name the way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DagtopError(Exception):
    """Base of all of them."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a graph or its file."""

    message: str
    place: str = ""
    """"file.py:12", where known."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class GraphError(DagtopError):
    """The graph cannot be run as it is. `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[Flaw] | str) -> None:
        self.problems: tuple[Flaw, ...] = (Flaw(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(flaw) for flaw in self.problems))


class CycleError(GraphError):
    """Tasks wait for each other."""


class UnknownDependencyError(GraphError):
    """A task depends on something that is not there."""


class DuplicateTaskError(GraphError):
    """Two tasks have one name."""


class OptionError(GraphError):
    """An option that does not exist, or a value that it does not take."""


class LoadError(DagtopError):
    """A graph file cannot be loaded. The message names file and line, and the way out."""

    def __init__(self, message: str, *, place: str = "") -> None:
        self.message = message
        self.place = place
        super().__init__(f"{place}: {message}" if place else message)


class TaskError(DagtopError):
    """A task did not do what was asked of it."""


class TaskTimeoutError(TaskError):
    """An attempt took longer than its `timeout`."""


class TaskExitError(TaskError):
    """A task tried to end the whole program."""


class UpstreamFailedError(TaskError):
    """An upstream task failed, and this task was told to fail with it."""


class JournalError(DagtopError):
    """The journal cannot be read or written."""


class CommandRefused(DagtopError):  # noqa: N818 - the public name is fixed
    """A command was not carried out; the message says why."""


class IllegalTransitionError(DagtopError):
    """A bug in dagtop: a task was to make a move that the table of states does not list."""
