"""What a graph file may define beside a `Graph`, told apart without importing it: the executors take as long as all else that a
graph needs, and a file that has not imported them has none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagtop import DAGExecutor, Reconciler


class _WhenImported(type):
    """A class that stands for one of dagtop's, wherever `isinstance` is asked."""

    module: str

    def __subclasscheck__(cls, kind: type) -> bool:
        module = sys.modules.get(cls.module)
        return module is not None and issubclass(kind, getattr(module, cls.__name__, ()))

    def __instancecheck__(cls, value: object) -> bool:
        return issubclass(type(value), cls)


META_DAG: Any = _WhenImported("MetaDAG", (), {"module": "dagtop.graph.meta"})
DAG_EXECUTOR: Any = _WhenImported("DAGExecutor", (), {"module": "dagtop.runtime.executor"})
RECONCILER: Any = _WhenImported("Reconciler", (), {"module": "dagtop.runtime.reconciler"})


def as_executor(value: Any) -> DAGExecutor | None:
    """The value if it is a `DAGExecutor`."""
    return value if isinstance(value, DAG_EXECUTOR) else None


def as_reconciler(value: Any) -> Reconciler | None:
    """The value if it is a `Reconciler`."""
    return value if isinstance(value, RECONCILER) else None
