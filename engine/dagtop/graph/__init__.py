"""How a graph is written down and checked: what `from dagtop import Graph` gives."""

from dagtop.graph.declare import Graph
from dagtop.graph.meta import MetaDAG
from dagtop.graph.options import ExecutorConfig

__all__ = ["ExecutorConfig", "Graph", "MetaDAG"]
