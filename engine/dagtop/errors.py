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
    │   ├── UnwellError             its liveness probe said that it was not well
    │   ├── TaskExitError           the task called `sys.exit` or raised KeyboardInterrupt
    │   ├── BackendError            the place where the task was to run cannot be had
    │   ├── WorkerDiedError         the process that ran the task is gone
    │   ├── TransferError           an argument or an output cannot be sent between processes
    │   ├── RemoteError             what a task raised elsewhere, where the exception itself cannot be had here
    │   ├── UpstreamFailedError     on_upstream_failure="fail", and an upstream did
    │   ├── NodeFailedError         a node of a MetaDAG: something in it failed
    │   ├── CircuitOpenError        its circuit breaker was open, and it does not wait for that
    │   ├── GateRejectedError       somebody, or the deadline, rejected it at its gate
    │   └── RetryAfter              raised by a task: try again in so many seconds
    ├── Skip                        raised by a task: it need not run
    ├── JournalError                the journal cannot be read or written
    ├── CommandRefused              a command was not carried out
    └── IllegalTransitionError      a bug in dagtop: a move that the table of states does not list

Messages are lower-case, read after "could not …", and name the way out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

import msgspec  # nothing here stands on the core


class DagtopError(Exception):
    """Base of all of them."""


class Flaw(msgspec.Struct, frozen=True):
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
        super().__init__("\n".join(str(flaw) for flaw in folded(self.problems)))


#: Of problems that differ only in their task so many are told, and then how many more there are.
ALIKE = 3

_TASK = re.compile(r"""\btask (?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")


def folded(problems: Sequence[Flaw]) -> list[Flaw]:
    """The problems as they are told: of many that differ only in their task the first few, and how many more there are."""
    kinds: dict[str, list[Flaw]] = {}
    for flaw in problems:
        kinds.setdefault(_TASK.sub("task", flaw.message, count=1), []).append(flaw)
    told: list[Flaw] = []
    for alike in kinds.values():
        few = len(alike) <= ALIKE + 1
        told += alike if few else [*alike[:ALIKE], Flaw(f"… and {len(alike) - ALIKE:,} more like it")]
    return told


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


class UnwellError(TaskError):
    """A running task was stopped because its liveness probe said no."""


#: The message of the TypeError of a plain function that called an async one.
NOT_AWAITED = (
    "the function returned a coroutine that nobody awaits: write it with async def and await, "
    "or in place of a lambda around an async function give that function, or functools.partial of it"
)


class TaskExitError(TaskError):
    """A task tried to end the whole program."""


class BackendError(TaskError):
    """The place where a task was to run cannot be had."""


class WorkerDiedError(TaskError):
    """The process that ran a task is gone; the message says how it ended."""


class TransferError(TaskError):
    """A function, an argument or an output cannot be sent between processes."""


class RemoteError(TaskError):
    """Stands for an exception that a task raised in another process and that cannot be had here."""

    def __init__(self, message: str, kinds: Sequence[str] = ()) -> None:
        self.kinds = tuple(kinds)
        """Its type and that one's bases, as "module.name"."""
        super().__init__(message)


class UpstreamFailedError(TaskError):
    """An upstream task failed, and this task was told to fail with it."""


class NodeFailedError(TaskError):
    """Something in a node of a `MetaDAG` failed."""


class CircuitOpenError(TaskError):
    """The task's circuit breaker was open, and the breaker says `on_open="fail"`."""


class GateRejectedError(TaskError):
    """Somebody, or the deadline of the gate, rejected the task at its gate."""


class RetryAfter(TaskError):  # noqa: N818 - a word that tasks say
    """Raised by a task: this attempt has failed, try again in so many seconds.

    It uses up a retry, whatever `retry_on` says; only the delay is another one. When no retry is left the task fails, with the
    error that this was raised `from` if there is one.

    Parameters
    ----------
    seconds: from now to the next attempt, 0 or more.
    message: why.

    Raises
    ------
    ValueError: `seconds` is not a number of at least 0.
    """

    def __init__(self, seconds: float, message: str = "") -> None:
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not is_number or not 0 <= seconds <= sys.float_info.max:
            way_out = ": make a number of it, as with float()" if isinstance(seconds, (str, bytes)) else ""
            raise ValueError(f"RetryAfter must be given a number of seconds of at least 0, not {seconds!r}{way_out}")
        self.seconds = float(seconds)
        self.message = message
        super().__init__(message or f"the task wants to be tried again in {self.seconds:g} s")

    def __reduce__(self) -> tuple[type[RetryAfter], tuple[float, str]]:
        return type(self), (self.seconds, self.message)


class Skip(DagtopError):  # noqa: N818 - a word that tasks say
    """Raised by a task: it need not run after all. It ends SKIPPED, with this reason, and is not tried again.

    What is downstream goes by its trigger rule, as after every skipped task.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason)


class JournalError(DagtopError):
    """The journal cannot be read or written."""


class CommandRefused(DagtopError):  # noqa: N818 - the public name is fixed
    """A command was not carried out; the message says why."""


class IllegalTransitionError(DagtopError):
    """A bug in dagtop: a task was to make a move that the table of states does not list."""
