"""dagtop: run graphs of Python tasks, watch them and steer them while they run.

This is what a graph file imports. It needs no terminal and imports none. What not every graph needs is imported when it is
first asked for; what only a run needs takes as long again as all the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from dagtop.core.guards import Breaker, Gate, Pool
from dagtop.core.policy import Retry
from dagtop.core.restart import Probe, Restart
from dagtop.core.states import RunState, TaskState
from dagtop.errors import (
    BackendError,
    CommandRefused,
    CycleError,
    DagtopError,
    DuplicateTaskError,
    GraphError,
    JournalError,
    LoadError,
    OptionError,
    RemoteError,
    RetryAfter,
    Skip,
    TaskError,
    TaskExitError,
    TaskTimeoutError,
    TransferError,
    UnknownDependencyError,
    UnwellError,
    WorkerDiedError,
)
from dagtop.graph import ExecutorConfig, Graph

if TYPE_CHECKING:
    from dagtop.graph.additions import Task
    from dagtop.graph.meta import MetaDAG
    from dagtop.graph.outlook import ExecutionPlan
    from dagtop.observe.redact import hide_secrets
    from dagtop.ports.plugin import Plugin
    from dagtop.runtime.answer import Answer
    from dagtop.runtime.breaker_board import breakers
    from dagtop.runtime.comparing import UpdatePlan
    from dagtop.runtime.context import TaskContext
    from dagtop.runtime.executor import DAGExecutor
    from dagtop.runtime.handle import Run
    from dagtop.runtime.reconciler import Reconciler
    from dagtop.runtime.result import RunResult, TaskResult
    from dagtop.runtime.schedule import Scheduled, ScheduledRun

__all__ = [
    "Answer",
    "BackendError",
    "Breaker",
    "CommandRefused",
    "CycleError",
    "DAGExecutor",
    "DagtopError",
    "DuplicateTaskError",
    "ExecutionPlan",
    "ExecutorConfig",
    "Gate",
    "Graph",
    "GraphError",
    "JournalError",
    "LoadError",
    "MetaDAG",
    "OptionError",
    "Plugin",
    "Pool",
    "Probe",
    "Reconciler",
    "RemoteError",
    "Restart",
    "Retry",
    "RetryAfter",
    "Run",
    "RunResult",
    "RunState",
    "Scheduled",
    "ScheduledRun",
    "Skip",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskExitError",
    "TaskResult",
    "TaskState",
    "TaskTimeoutError",
    "TransferError",
    "UnknownDependencyError",
    "UnwellError",
    "UpdatePlan",
    "WorkerDiedError",
    "breakers",
    "hide_secrets",
]

_LATER = {
    "ExecutionPlan": "dagtop.graph.outlook",
    "MetaDAG": "dagtop.graph.meta",
    "Plugin": "dagtop.ports.plugin",
    "Task": "dagtop.graph.additions",
    "Answer": "dagtop.runtime.answer",
    "DAGExecutor": "dagtop.runtime.executor",
    "Reconciler": "dagtop.runtime.reconciler",
    "UpdatePlan": "dagtop.runtime.comparing",
    "Run": "dagtop.runtime.handle",
    "RunResult": "dagtop.runtime.result",
    "Scheduled": "dagtop.runtime.schedule",
    "ScheduledRun": "dagtop.runtime.schedule",
    "TaskContext": "dagtop.runtime.context",
    "TaskResult": "dagtop.runtime.result",
    "breakers": "dagtop.runtime.breaker_board",
    "hide_secrets": "dagtop.observe.redact",
}


def __getattr__(name: str) -> object:
    where = _LATER.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(where), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
