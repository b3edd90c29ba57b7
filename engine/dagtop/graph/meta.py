"""`MetaDAG`: a graph whose nodes are graphs, reconcilers, or MetaDAGs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from dagtop.core.nearest import nearest
from dagtop.core.paths import SLASH
from dagtop.core.policy import OnUpstreamFailure, Trigger
from dagtop.core.topology import find_cycle, topological_order
from dagtop.core.values import dataclass
from dagtop.errors import CycleError, DuplicateTaskError, Flaw, GraphError, OptionError, UnknownDependencyError
from dagtop.graph.check import Checked, check_schedule
from dagtop.graph.declare import Graph
from dagtop.graph.flattening import Entry, Flat
from dagtop.graph.flaws import Flaws
from dagtop.graph.hooks import Hooks
from dagtop.graph.levels import OF_A_RUN, Inside, Level, outer_pool, slots, whole_config
from dagtop.graph.listening import Interest, Listener, Listeners
from dagtop.graph.options import GRAPH_OPTIONS, LATER_GRAPH_OPTIONS, ExecutorConfig, unknown_options
from dagtop.graph.runnable import Runnable
from dagtop.graph.within import within
from dagtop.graph.written import caller, check_config, config_of
from dagtop.ports.plugin import Plugin


@runtime_checkable
class HoldsGraph(Protocol):
    """What a `Reconciler` is, as far as a node needs it."""

    @property
    def graph(self) -> Graph: ...

    @property
    def config(self) -> ExecutorConfig: ...


#: What a node may be.
NodeLike: TypeAlias = "Graph | MetaDAG | HoldsGraph"

_NODE_OPTIONS = ("name", "depends_on", "trigger", "on_upstream_failure", "description")


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    name: Any
    of: Any
    depends_on: tuple[Any, ...]
    trigger: Any
    on_upstream_failure: Any
    description: Any
    place: str

    @property
    def inner(self) -> Graph | MetaDAG:
        """The graph that is in it."""
        return self.of if isinstance(self.of, Runnable) else self.of.graph  # type: ignore[return-value]

    @property
    def config(self) -> ExecutorConfig:
        """Its own options."""
        if isinstance(self.of, MetaDAG):
            return self.of.own
        if isinstance(self.of, Graph):
            return self.of.config
        config: ExecutorConfig = self.of.config.over(self.of.graph.config)
        return config


class MetaDAG(Runnable):
    """A graph of graphs: each node is a `Graph`, a `Reconciler`, or a `MetaDAG`. It runs wherever a graph does.

    Its tasks have paths for names: "ingest/page_a" is the task `page_a` of the node `ingest`. The node itself is there as
    "ingest": it succeeds when all its tasks have ended well or were skipped, and its output is what they returned, by name.
    Tasks of nodes after it take that as a parameter `ingest`, from `ctx.upstream["ingest"]`, or, in a graph of `from_specs`,
    from their spec's "_upstream_outputs".

    Parameters
    ----------
    name: what it is called on screen and in the history.
    options: those of `ExecutorConfig`. What a level says of limits holds for everything below it; defaults hold where what is
        below leaves them open.

    Raises
    ------
    GraphError: an option does not exist or does not take its value.

    Example
    -------
    >>> ingest = Graph("ingest").add("page", lambda: 3)
    >>> report = Graph("report").add("total", lambda ingest: sum(ingest.values()))
    >>> nightly = MetaDAG("nightly").add(ingest).add(report, depends_on=["ingest"])
    >>> nightly.run()["report/total"].output
    3
    """

    def __init__(self, name: str = "meta", **options: Any) -> None:
        self.place = caller()
        flaws = unknown_options(options, GRAPH_OPTIONS, LATER_GRAPH_OPTIONS, self.place)
        if not isinstance(name, str) or not name.strip():
            flaws.append(Flaw(f"the name of a MetaDAG must be a text that is not empty, not {name!r}", self.place))
        if flaws:
            raise OptionError(flaws)
        self.name = name
        self.own = config_of(options, self.place)
        """Its own options, without those of its nodes."""
        self._nodes: list[_Node] = []
        self._flat: tuple[object, list[Checked], Checked] | None = None
        self.listeners = Listeners()
        self.hooks = Hooks()

    def __repr__(self) -> str:
        return f"MetaDAG({self.name!r}, {len(self._nodes)} nodes)"

    def __len__(self) -> int:
        return sum(len(node.inner) + 1 for node in self._nodes)

    def add(
        self,
        node: NodeLike,
        *,
        name: str | None = None,
        depends_on: Any = (),
        trigger: str | Trigger = Trigger.ALL_SUCCESS,
        on_upstream_failure: str | OnUpstreamFailure = OnUpstreamFailure.SKIP,
        description: str = "",
        **unknown: Any,
    ) -> MetaDAG:
        """Add a node and return the MetaDAG. Everything is checked together when it is validated or run.

        Parameters
        ----------
        node: a `Graph`, a `Reconciler`, or a `MetaDAG`. The same one may be several nodes, of different names.
        name: unique in this MetaDAG, without "/"; that of the graph unless given.
        depends_on: nodes (by name, or as they were added) that must have ended before its first tasks start.
        trigger, on_upstream_failure: as of a task, for the node as a whole.
        """
        flaws = unknown_options(unknown, _NODE_OPTIONS, (), caller())
        if flaws:
            raise OptionError(flaws)
        if not isinstance(node, Runnable) and not (isinstance(node, HoldsGraph) and isinstance(node.graph, Runnable)):
            message = f"a node is a Graph, a Reconciler or a MetaDAG, not {node!r}"
            way_out = ": put the function into a Graph" if callable(node) and not isinstance(node, type) else ""
            raise GraphError([Flaw(message + way_out, caller())])
        inner = node if isinstance(node, Runnable) else node.graph
        if isinstance(inner, MetaDAG) and (inner is self or any(one.inner is self for one in inner._all_nodes())):
            raise CycleError([Flaw(f"{inner.name!r} cannot be a node of what is in it", caller())])
        given = (depends_on,) if isinstance(depends_on, (str, Runnable, HoldsGraph)) else depends_on
        try:
            listed = tuple(given if given is not None else ())
        except TypeError:
            raise OptionError([Flaw(f"depends_on must be a list of nodes, not {depends_on!r}", caller())]) from None
        called = inner.name if name is None else name
        self._nodes.append(_Node(called, node, listed, trigger, on_upstream_failure, description, caller()))
        return self

    def holds(self) -> Iterator[NodeLike]:
        """What its nodes are, at every level."""
        for node in self._all_nodes():
            yield node.of
            yield node.inner

    # -- reading it -------------------------------------------------------------------------------------------------

    @property
    def config(self) -> ExecutorConfig:
        """Its own options, and what its nodes bring: their inputs, pools and resources as "node/name", their breakers.

        The `max_parallel` of the node "ingest" is the resource "slots:ingest", of which each of its tasks takes one.
        """
        return whole_config(self.own, self._levels())

    @property
    def names(self) -> Sequence[str]:
        """The tasks' names: those of each node, and the node's own."""
        return tuple(self._names())

    @property
    def nodes(self) -> Sequence[str]:
        """The names of its nodes, in the order in which they were added."""
        return tuple(node.name for node in self._nodes)

    def name_of(self, fn: Any) -> str:
        """The path of the task that this function is, or of the node that this graph is.

        Raises
        ------
        GraphError: there is none, or there are several.
        """
        found = list(self._named(fn))
        if len(found) == 1:
            return found[0]
        if not found:
            raise GraphError(f"{fn!r} is no task and no node of {self.name}")
        raise GraphError(f"{fn!r} is {', '.join(map(repr, found))}: say which by its name")

    def checked(self, config: ExecutorConfig | None = None) -> Checked:
        """The graph of all its tasks, with how each is called; for the engine.

        Raises
        ------
        GraphError: lists all that is wrong, each with file and line where that is known.
        """
        check_config(config)
        whole = (config or ExecutorConfig()).over(self.config)
        flat = Flat(Flaws())
        check_schedule(whole, flat.flaws, self.place)
        self._lay(flat, Level.outermost(self.own, whole, self._brought()), Entry(), {})
        self._check_breakers(flat.flaws)
        flat.flaws.raise_all()
        key = [whole, [(node.name, node.place) for node in self._all_nodes()]]
        before = self._flat
        if before is not None and before[0] == key and list(map(id, before[1])) == list(map(id, flat.checked)):
            return before[2]
        checked = flat.to_checked(self.name, whole, self.place.rpartition(":")[0])
        self._flat = key, flat.checked, checked
        return checked

    def every_listener(self) -> Iterator[Listener]:
        """Its own listeners, and those of its nodes, which hear of the tasks in their node."""
        yield from super().every_listener()
        for node in self._nodes:
            own = [*node.inner.every_listener()]
            if not isinstance(node.of, Runnable):
                own += getattr(node.of, "listeners", Listeners()).all
            if node.config.on_event is not None:
                own.append(Listener(node.config.on_event, Interest()))
            if node.config.on_escalation is not None:
                interest = Interest(("task.escalated",))
                own.append(Listener(node.config.on_escalation, interest, source="on_escalation"))
            yield from (within(listener, node.name) for listener in own)

    def every_plugin(self) -> Iterator[tuple[str, Plugin]]:
        """The plugins that its hooks are, and those of its nodes, which hear of the tasks in their node."""
        yield from super().every_plugin()
        for node in self._nodes:
            for path, plugin in node.inner.every_plugin():
                yield f"{node.name}{SLASH}{path}" if path else node.name, plugin

    # -- inside -----------------------------------------------------------------------------------------------------

    def _names(self) -> Iterator[str]:
        for node in self._nodes:
            yield from (f"{node.name}{SLASH}{name}" for name in node.inner.names)
            yield str(node.name)

    def _all_nodes(self) -> Iterator[_Node]:
        for node in self._nodes:
            yield node
            if isinstance(node.inner, MetaDAG):
                yield from node.inner._all_nodes()

    def _named(self, wanted: Any) -> Iterator[str]:
        for node in self._nodes:
            if wanted is node.of or wanted is node.inner:
                yield node.name
            elif isinstance(node.inner, MetaDAG):
                yield from (f"{node.name}{SLASH}{path}" for path in node.inner._named(wanted))
            elif callable(wanted):
                try:
                    yield f"{node.name}{SLASH}{node.inner.name_of(wanted)}"
                except GraphError:
                    continue

    def _levels(self) -> Iterator[tuple[str, ExecutorConfig]]:
        """(path, options) of each node below."""
        for node in self._nodes:
            yield str(node.name), node.config
            if isinstance(node.inner, MetaDAG):
                yield from ((f"{node.name}{SLASH}{path}", config) for path, config in node.inner._levels())

    def _lay(self, flat: Flat, level: Level, outer: Entry, visible: Mapping[str, str]) -> list[int]:
        """Add all nodes: the numbers of their own tasks. What is wrong is told."""
        flaws = flat.flaws
        if not self._nodes:
            flaws.add(GraphError, f"MetaDAG {self.name!r} has no nodes; add one with .add(graph)", self.place)
            return []
        upstream = self._check(flaws)
        if upstream is None:
            return []
        downstream: list[list[int]] = [[] for _ in upstream]
        for i, needed in enumerate(upstream):
            for above in needed:
                downstream[above].append(i)
        order = topological_order(upstream, downstream)
        if len(order) < len(upstream):
            cycle = find_cycle(upstream, set(range(len(upstream))).difference(order))
            path = " → ".join(str(self._nodes[i].name) for i in cycle)
            flaws.add(CycleError, f"these nodes wait for each other: {path}", self._nodes[cycle[0]].place)
            return []
        own: dict[int, int] = {}
        for i in order:
            node = self._nodes[i]
            before = {self._nodes[above].name: own[above] for above in upstream[i]}
            own[i] = self._lay_node(flat, level, outer, node, before, visible)
        return list(own.values())

    def _lay_node(
        self,
        flat: Flat,
        level: Level,
        outer: Entry,
        node: _Node,
        before: Mapping[str, int],
        visible: Mapping[str, str],
    ) -> int:
        inner, inside = node.inner, level.inner(node.name, node.config)
        sees = {**visible, **{name: level.full(name) for name in before}}
        entry = outer.inner(tuple(before.values()), Trigger(node.trigger), OnUpstreamFailure(node.on_upstream_failure))
        if not isinstance(inner, MetaDAG):
            members = flat.add_graph(Inside(inner, node.config, node.place), inside, entry, sees)
        else:
            members = inner._lay(flat, inside, entry, sees)
        return flat.add_node(inside, members, node.place, node.description)

    def _check(self, flaws: Flaws) -> list[list[int]] | None:
        """The numbers of the nodes that each node depends on; None if that cannot be said."""
        index: dict[str, int] = {}
        there = len(flaws.found)
        for i, node in enumerate(self._nodes):
            name = node.name
            if not isinstance(name, str) or not name.strip():
                flaws.add(GraphError, f"the name of a node must be a text that is not empty, not {name!r}", node.place)
            elif SLASH in name:
                way_out = "; give it another one with .add(graph, name=…)"
                flaws.add(GraphError, f"the name of a node cannot have a '/' in it: {name!r}{way_out}", node.place)
            elif name in index:
                first = self._nodes[index[name]].place
                way_out = "; give it another one with .add(graph, name=…)"
                flaws.add(
                    DuplicateTaskError,
                    f"there are two nodes named {name!r}; the first is at {first}{way_out}",
                    node.place,
                )
            else:
                index[name] = i
            self._check_options(node, flaws)
        upstream = [self._numbers(node, index, flaws) for node in self._nodes]
        return upstream if len(flaws.found) == there else None

    def _check_options(self, node: _Node, flaws: Flaws) -> None:
        for option, kind in (("trigger", Trigger), ("on_upstream_failure", OnUpstreamFailure)):
            value = getattr(node, option)
            if value not in list(kind):
                known = ", ".join(repr(str(one)) for one in kind)
                flaws.add(
                    OptionError, f"node {node.name!r}: {option} must be one of {known}, not {value!r}", node.place
                )
        if not isinstance(node.description, str):
            message = f"node {node.name!r}: description must be a text, not {node.description!r}"
            flaws.add(OptionError, message, node.place)
        given = [option for option in OF_A_RUN if getattr(node.config, option, None) is not None]
        for option in (*given, *getattr(node.of, "only_for_a_run", ())):
            message = f"node {node.name!r}: its option {option} is for a run of its own"
            flaws.add(
                OptionError, f"{message}; give it to the outermost MetaDAG, or to its run, instead", node.inner.place
            )

    def _brought(self) -> set[str]:
        """The full names of inputs, pools and resources that nodes bring."""
        brought = {slots(path) for path, _ in self._levels()}
        for path, config in self._levels():
            names = (*config.inputs, *(config.pools or ()), *(config.resources or ()))
            brought.update(f"{path}{SLASH}{name}" for name in names)
        pools = {name for _, config in [("", self.own), *self._levels()] for name in config.pools or ()}
        return brought.union(map(outer_pool, pools))

    def _check_breakers(self, flaws: Flaws) -> None:
        """A breaker belongs to the whole process: it cannot be two things."""
        said = {breaker.name: ("the MetaDAG", breaker) for breaker in self.own.breakers or ()}
        for path, config in self._levels():
            for breaker in config.breakers or ():
                first, before = said.setdefault(breaker.name, (f"node {path!r}", breaker))
                if before != breaker:
                    message = f"node {path!r} says of breaker {breaker.name!r} something else than {first}: a breaker is shared"
                    flaws.add(OptionError, f"{message} by all; say it once, for the outermost MetaDAG", self.place)

    def _numbers(self, node: _Node, index: Mapping[str, int], flaws: Flaws) -> list[int]:
        found: set[int] = set()
        for one in node.depends_on:
            if isinstance(one, str) and one in index:
                found.add(index[one])
                continue
            same = [i for i, other in enumerate(self._nodes) if one is other.of or one is other.inner]
            if not isinstance(one, str) and len(same) == 1:
                found.update(same)
            elif len(same) > 1:
                names = ", ".join(repr(self._nodes[i].name) for i in same)
                flaws.add(
                    UnknownDependencyError,
                    f"node {node.name!r} depends on {one!r}, which is several nodes: say which of {names}",
                    node.place,
                )
            else:
                hint = nearest(str(one), flaws.hints(index))
                flaws.add(
                    UnknownDependencyError, f"node {node.name!r} depends on {one!r}, which is no node{hint}", node.place
                )
        return sorted(found)
