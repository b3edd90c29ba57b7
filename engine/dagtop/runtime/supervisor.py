"""What carries out a desired state: an executor that keeps its tasks up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dagtop.errors import JournalError
from dagtop.graph.declare import Graph
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.runnable import Runnable
from dagtop.runtime.executor import DAGExecutor

if TYPE_CHECKING:
    from dagtop.journal.resume import Resumption


class Supervisor(DAGExecutor):
    """Runs a graph as a desired state.

    Parameters
    ----------
    otherwise: what holds where neither `config` nor the graph says anything.
    options: as for `DAGExecutor`.
    """

    supervises = True

    def __init__(
        self, graph: Graph, config: ExecutorConfig | None = None, *, otherwise: ExecutorConfig, **options: Any
    ) -> None:
        self._otherwise = otherwise
        super().__init__(graph, config, **options)

    def configured(self, graph: Runnable) -> ExecutorConfig:
        """How a version of the graph is run."""
        return super().configured(graph).over(self._otherwise)

    def left_behind(self, wanted: str, fingerprints: Sequence[str]) -> Resumption | None:
        """How an earlier process left it, if there is anything to go on with. `wanted`: "latest", or the id of a run.

        Raises
        ------
        JournalError: the journal cannot be read, or there is no such run; of the latest one that is only told.
        """
        from dagtop.journal.desired import go_on_with, latest_of  # noqa: PLC0415 - only where a journal is

        try:
            journal = self.open_journal()
            name = self.hiding.names.outside(self.graph.name)
            stored = latest_of(journal, self.source, name) if wanted == "latest" else journal.load(wanted)
            return None if stored is None else go_on_with(stored, self.plan, fingerprints)
        except JournalError as error:
            if wanted != "latest":
                raise
            self.prepared.reports.problem("journal", f"how it was left cannot be seen, it begins anew: {error}")
            return None
