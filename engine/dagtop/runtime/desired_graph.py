"""The graph that a reconciler keeps: as it is wanted now, and what it is to be instead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from dagtop.errors import GraphError
from dagtop.graph.declare import Graph
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.runnable import Runnable
from dagtop.runtime.comparing import UpdatePlan, compare
from dagtop.runtime.swapping import Version


class DesiredGraph:
    """A graph as `taken_as_it_is`, checked when that is asked for, and its successors.

    Parameters
    ----------
    given: how it is to be run.
    otherwise: what holds where neither that nor the graph says anything.
    """

    def __init__(self, graph: Graph, given: ExecutorConfig | None, otherwise: ExecutorConfig) -> None:
        self.now = graph
        """The graph of now."""
        self._given = given or ExecutorConfig()
        self._otherwise = otherwise
        self._lock = threading.RLock()
        self._version: Version | None = None
        """The graph of now, checked; None until it is."""
        self._taken: tuple[Graph, Version | None] = self.now, None
        """The latest that the run is known to go on with."""
        self.as_scaled: Callable[[Version], Version] = _as_it_is
        """A version with the replicas that the run has by now."""

    def configured(self, graph: Graph) -> ExecutorConfig:
        """How a version of it is run."""
        return self._given.over(graph.config).over(self._otherwise)

    @property
    def version(self) -> Version:
        """The graph of now, checked.

        Raises
        ------
        GraphError: it cannot be run.
        """
        with self._lock:
            if self._version is None:
                self._version = self._checked(self.now)
            return self._version

    def _checked(self, graph: Graph) -> Version:
        config = self.configured(graph)
        return Version(graph.checked(config), graph.fingerprints(config), graph)

    def successor(self, graph: Graph | None, changes: Mapping[str, Any]) -> Version:
        """What is wanted instead: another graph, or this one with changes of its specs.

        Raises
        ------
        GraphError: it cannot be run.
        TypeError: both are given.
        """
        if graph is not None:
            if changes:
                raise TypeError(f"update takes a graph, or {', '.join(changes)}, and not both")
            return self._checked(taken_as_it_is(graph))
        if self.now.specs is None:
            raise GraphError(
                "only a graph of Graph.from_specs is updated by tasks; hand in the new graph: update(graph)"
            )
        return self._checked(self.now.specified(**changes))

    def compare(self, version: Version) -> UpdatePlan:
        """What is different between the graph of now and a version of it. All of it is new if that of now cannot be run."""
        try:
            now = self.version
        except GraphError:
            return UpdatePlan(added=tuple(version.checked.plan.names))
        return compare(self.as_scaled(now), self.as_scaled(version))

    def replace(self, graph: Graph) -> None:
        """Want another graph before anything runs."""
        with self._lock:
            self.now, self._version = graph, None

    def want(self, version: Version) -> None:
        """Want that version from here on."""
        with self._lock:
            self.now, self._version = version.graph, version

    def begins(self) -> None:
        """The run begins with the graph of now.

        Raises
        ------
        GraphError: it cannot be run.
        """
        self._taken = self.now, self.version

    def taken(self, version: Version) -> None:
        """The run goes on with that version."""
        self._taken = version.graph, version

    def refused(self, version: Version) -> None:
        """The run does not go on with that version: what it is known to go on with is wanted, if nothing else is by now."""
        with self._lock:
            if self._version is version:
                self.now, self._version = self._taken


def _as_it_is(version: Version) -> Version:
    return version


def taken_as_it_is(graph: Graph) -> Graph:
    """A graph of specs as they are at this moment; another one itself.

    Raises
    ------
    GraphError: it is no `Graph`.
    """
    if not isinstance(graph, Graph):
        way_out = ": add the Reconciler to the MetaDAG, as a node" if isinstance(graph, Runnable) else ""
        raise GraphError(f"a Reconciler keeps the tasks of a Graph, not {graph!r}{way_out}")
    return graph.specified() if graph.specs is not None else graph
