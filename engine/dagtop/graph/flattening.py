"""From a graph of graphs to one graph of tasks whose names are paths, with a task for each node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dagtop.core.paths import SLASH
from dagtop.core.plan import Plan
from dagtop.core.policy import BackendName, OnUpstreamFailure, TaskPolicy, Trigger
from dagtop.core.states import BAD, GOOD, TaskState
from dagtop.core.topology import topological_order
from dagtop.core.values import dataclass
from dagtop.core.wording import ending_word
from dagtop.errors import DuplicateTaskError, GraphError, Skip
from dagtop.graph.binding import Call, Parameter, StateOf
from dagtop.graph.check import Checked, kinds_of
from dagtop.graph.flaws import Flaws
from dagtop.graph.levels import Inside, Level
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.scope import SETUP, Scope
from dagtop.graph.surroundings import Surroundings, services_of

#: Trigger rules by which a task may start although everything before it was skipped.
_STARTS_ANYWAY = frozenset({Trigger.ALL_DONE, Trigger.NONE_FAILED})


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be so for anything in a node to start."""

    tasks: tuple[int, ...]
    """Those before the node."""
    trigger: Trigger

    def why_not(self, states: Sequence[TaskState]) -> int | None:
        """Which of them keeps the node from starting; None if none does."""
        lost = [i for i, state in enumerate(states) if _keeps_back(state, self.trigger)]
        if not lost or (self.trigger is Trigger.ANY_SUCCESS and len(lost) < len(states)):
            return None
        return lost[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the first tasks of a node wait for."""

    upstream: tuple[int, ...] = ()
    """The tasks of the nodes before it."""
    trigger: Trigger = Trigger.ALL_SUCCESS
    on_upstream_failure: OnUpstreamFailure = OnUpstreamFailure.SKIP
    around: tuple[Condition, ...] = ()
    """Those of the levels around it."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Those of the levels around it, and its own."""
        if not self.upstream or self.on_upstream_failure is OnUpstreamFailure.RUN:
            return self.around
        return (*self.around, Condition(self.upstream, self.trigger))

    def inner(self, upstream: tuple[int, ...], trigger: Trigger, on_upstream_failure: OnUpstreamFailure) -> Entry:
        """That of a node in it."""
        if not upstream:
            return self
        return Entry(
            upstream=upstream, trigger=trigger, on_upstream_failure=on_upstream_failure, around=self.conditions
        )

    def policy(self, policy: TaskPolicy) -> TaskPolicy:
        """That of a task which starts as soon as the node may."""
        if not self.upstream:
            return policy
        if policy.trigger is self.trigger and policy.on_upstream_failure is self.on_upstream_failure:
            return policy
        return replace(policy, trigger=self.trigger, on_upstream_failure=self.on_upstream_failure)


class Flat:
    """The tasks of all nodes, one after the other; what is in a node comes before the node's own task."""

    def __init__(self, flaws: Flaws) -> None:
        self.flaws = flaws
        self.names: list[str] = []
        self.calls: list[Call] = []
        self.upstream: list[list[int]] = []
        self.policies: list[TaskPolicy] = []
        self.places: dict[int, str] = {}
        self.backends: dict[int, BackendName] = {}
        self.around = Surroundings()
        self.nodes: set[int] = set()
        self.by_function: dict[int, str] = {}
        self.twice: set[int] = set()
        """Functions that are tasks in several nodes."""
        self.checked: list[Checked] = []
        """What each graph has come to."""

    def add_graph(self, inside: Inside, level: Level, entry: Entry, visible: Mapping[str, str]) -> list[int]:
        """Add the tasks of a graph: their numbers."""
        graph, first = inside.graph, len(self.names)
        own = {name for name in (*graph.names, *graph.service_names) if isinstance(name, str)} if visible else set()
        nodes = {name: path for name, path in visible.items() if name not in own}
        config = level.config_for_tasks(nodes)
        try:
            checked = graph.checked(config)
        except GraphError as error:
            for flaw in error.problems:
                self.flaws.add(type(error), f"node {level.path!r}: {flaw.message}", flaw.place or inside.place)
            return []
        self.checked.append(checked)
        around, plan = checked.around, checked.plan
        sets_up = around.setup is not None or around.teardown is not None
        if sets_up and SETUP in plan.index:
            message = f"node {level.path!r}: a task cannot be named {SETUP!r}, for the graph has a setup or teardown"
            self.flaws.add(DuplicateTaskError, message, inside.place)
        offset = first + sets_up

        def number(index: int) -> int:
            return offset + index

        by_function = {key: f"{level.path}{SLASH}{name}" for key, name in checked.by_function.items()}
        scope = level.scope(config, nodes, by_function, around.services)
        entries = sorted(entry.upstream)
        if sets_up:
            self._add_setup(scope, around, entry, entries, inside.place)
            entries = [first]
        for name, service in around.services.items():
            call = scope.call(Call(service.enter, service.on_loop, service.arguments))
            self.around.services[scope.full(name)] = replace(service, name=scope.full(name), arguments=call.arguments)
        limited: dict[int, TaskPolicy] = {}
        for index, name in enumerate(plan.names):
            policy = plan.policies[index]
            kept = limited.get(id(policy))
            if kept is None:
                kept = limited[id(policy)] = scope.limits(policy)
                level.check(policy, f"node {level.path!r}: task {name!r}", plan.places.get(index, ""), self.flaws)
            needed = [offset + above for above in plan.upstream[index]]
            if not needed:
                kept = kept if sets_up else entry.policy(kept)
                needed = list(entries)
            call = checked.calls[0 if checked.specs is not None else index]
            spec = checked.specs[name] if checked.specs is not None else None
            self._add(scope.full(name), scope.call(call, number, spec=spec), needed, kept)
            if index in plan.places or inside.place:
                self.places[offset + index] = plan.places.get(index) or inside.place
        self.backends.update({offset + index: where for index, where in plan.backends.items()})
        self.around.add(_with_paths(scope.around(around, number), by_function, scope))
        setup = (Condition((first,), Trigger.ALL_SUCCESS),) if sets_up else ()
        for index in range(offset, len(self.names)):
            is_first = not plan.upstream[index - offset] and not sets_up
            conditions = entry.around if is_first else (*entry.conditions, *setup)
            if conditions:
                self._guard(index, conditions)
        for key, full in by_function.items():
            if self.by_function.setdefault(key, full) != full:
                self.twice.add(key)
        return list(range(first, len(self.names)))

    def add_node(self, level: Level, inside: Sequence[int], place: str, description: str) -> int:
        """Add the task of a node: its number."""
        policy = TaskPolicy(trigger=Trigger.ALL_DONE, description=description, cost=0.0)
        index = self._add(level.path, _NODE, list(inside), policy)
        self.nodes.add(index)
        if place:
            self.places[index] = place
        return index

    def to_checked(self, name: str, config: ExecutorConfig, home: str) -> Checked:
        """All of it.

        Raises
        ------
        GraphError: there are flaws.
        """
        self.flaws.raise_all()
        downstream: list[list[int]] = [[] for _ in self.names]
        in_order = True
        for index, needed in enumerate(self.upstream):
            for above in needed:
                downstream[above].append(index)
                in_order = in_order and above < index
        around = self.around
        order = range(len(self.names)) if in_order else topological_order(self.upstream, downstream)
        plan = Plan(
            name=name,
            names=tuple(self.names),
            index={full: i for i, full in enumerate(self.names)},
            upstream=self.upstream,
            downstream=downstream,
            order=order,
            policies=self.policies,
            places=self.places,
            backends=self.backends,
            asks=frozenset((*around.whens, *around.caches, *around.maps)),
            cleans_up=frozenset((*around.setups, *around.teardowns)),
            kinds=kinds_of([call.fn for call in self.calls]) if config.adaptive else None,
            nodes=frozenset(self.nodes),
            winds_down=bool(around.services),
        )
        by_function = {key: full for key, full in self.by_function.items() if key not in self.twice}
        return Checked(plan, self.calls, around=around, by_function=by_function, config=config, home=home)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _add(self, name: str, call: Call, upstream: list[int], policy: TaskPolicy) -> int:
        self.names.append(name)
        self.calls.append(call)
        self.upstream.append(upstream)
        self.policies.append(policy)
        return len(self.names) - 1

    def _add_setup(self, scope: Scope, around: Surroundings, entry: Entry, upstream: list[int], place: str) -> None:
        """The setup and the teardown of a graph are those of a task before all others."""
        policy = entry.policy(scope.limits(TaskPolicy(description="the setup and teardown of the node's graph")))
        index = self._add(scope.full(SETUP), replace(_SETS_UP, scope=scope), list(upstream), policy)
        if place:
            self.places[index] = place
        if around.setup is not None:
            call = self.around.setups[index] = scope.call(around.setup)
            needs = services_of(call.arguments)
            if needs:
                self.around.needs[index] = needs
        if around.teardown is not None:
            self.around.teardowns[index] = scope.call(around.teardown)

    def _guard(self, index: int, conditions: Sequence[Condition]) -> None:
        """A task that starts whatever became of those before it must not start in a node that did not."""
        policy = self.policies[index]
        starts_anyway = policy.on_upstream_failure is OnUpstreamFailure.RUN or policy.trigger in _STARTS_ANYWAY
        when = self.around.whens.get(index, _ALWAYS)
        if starts_anyway and when is not None:
            self.around.whens[index] = _guarded(when, conditions, self.names)


async def _never_called() -> None:
    """The function of a node's task, which ends without running."""


async def _set_up() -> bool:
    """The function of the task that has a graph's setup."""
    return True


async def _always() -> bool:
    return True


_NODE = Call(_never_called, True)
_SETS_UP = Call(_set_up, True)
_ALWAYS = Call(_always, True)


def _guarded(when: Call, conditions: Sequence[Condition], names: Sequence[str]) -> Call:
    """A condition that also asks whether the node of its task has started."""
    before = [index for condition in conditions for index in condition.tasks]
    paths = [names[index] for index in before]
    first = [(Parameter(f"state of {path}", True, False, False), StateOf(path)) for path in paths]

    def check(found: Sequence[TaskState]) -> None:
        start = 0
        for condition in conditions:
            end = start + len(condition.tasks)
            lost = condition.why_not(found[start:end])
            if lost is not None:
                raise Skip(f"upstream {paths[start + lost]} {ending_word(found[start + lost])}")
            start = end

    if when.is_async:

        async def ask_async(*given: Any, **named: Any) -> Any:
            check(given[: len(before)])
            return await when.fn(*given[len(before) :], **named)

        ask: Callable[..., Any] = ask_async
    else:

        def ask_sync(*given: Any, **named: Any) -> Any:
            check(given[: len(before)])
            return when.fn(*given[len(before) :], **named)

        ask = ask_sync
    ask.__name__ = getattr(when.fn, "__name__", "when")
    ask.__wrapped__ = when.fn  # type: ignore[attr-defined]
    return replace(when, fn=ask, arguments=(*first, *when.arguments))


def _keeps_back(state: TaskState, trigger: Trigger) -> bool:
    if trigger is Trigger.ALL_DONE:
        return False
    if trigger is Trigger.NONE_FAILED:
        return state in BAD or state is TaskState.CANCELLED
    return state not in GOOD


def _with_paths(around: Surroundings, by_function: Mapping[int, str], scope: Scope) -> Surroundings:
    """The lists over which tasks are mapped come from tasks that have other names in the whole."""
    for index, mapped in around.maps.items():
        if mapped.over is not None:
            over = by_function[id(mapped.over)] if callable(mapped.over) else scope.full(mapped.over)
            around.maps[index] = replace(mapped, over=over)
    return around
