"""dagtop: run graphs of Python tasks, watch them and steer them while they run.

This is what a graph file imports. It needs no terminal and imports none.
"""

from dagtop.core.guards import Breaker, Gate, Pool
from dagtop.core.policy import Retry
from dagtop.core.states import RunState, TaskState
from dagtop.errors import (
    CommandRefused,
    CycleError,
    DagtopError,
    DuplicateTaskError,
    GraphError,
    JournalError,
    LoadError,
    OptionError,
    RetryAfter,
    Skip,
    TaskError,
    TaskTimeoutError,
    UnknownDependencyError,
)
from dagtop.graph import ExecutorConfig, Graph
from dagtop.graph.additions import Task
from dagtop.graph.outlook import ExecutionPlan
from dagtop.ports.plugin import Plugin
from dagtop.runtime.answer import Answer
from dagtop.runtime.breaker_board import breakers
from dagtop.runtime.context import TaskContext
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.handle import Run
from dagtop.runtime.result import RunResult, TaskResult

__all__ = [
    "Answer",
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
    "OptionError",
    "Plugin",
    "Pool",
    "Retry",
    "RetryAfter",
    "Run",
    "RunResult",
    "RunState",
    "Skip",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskState",
    "TaskTimeoutError",
    "UnknownDependencyError",
    "breakers",
]
