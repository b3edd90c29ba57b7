"""How a graph is written down and checked: what `from dagtop import Graph` gives."""

from typing import TYPE_CHECKING

from dagtop.graph.declare import Graph
from dagtop.graph.options import ExecutorConfig

if TYPE_CHECKING:
    from dagtop.graph.meta import MetaDAG

__all__ = ["ExecutorConfig", "Graph", "MetaDAG"]


def __getattr__(name: str) -> object:
    if name != "MetaDAG":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dagtop.graph import meta  # noqa: PLC0415 - most files have none

    return meta.MetaDAG
