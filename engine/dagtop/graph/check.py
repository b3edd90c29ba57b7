"""From what was written down to a `Plan`: every check, all problems at once, O(V + E), never recursive."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from dagtop.core.plan import Plan
from dagtop.core.policy import DEFAULT_POLICY, TaskPolicy
from dagtop.core.topology import find_cycle, topological_order
from dagtop.errors import CycleError, DuplicateTaskError, Flaw, GraphError, OptionError, UnknownDependencyError
from dagtop.graph.binding import Call, bind, is_async, parameters_of
from dagtop.graph.options import (
    LATER_TASK_OPTIONS,
    TASK_OPTIONS,
    ExecutorConfig,
    backend_of,
    nearest,
    option_errors,
    task_policy,
    unknown_options,
)
from dagtop.graph.surroundings import NOTHING_AROUND, AroundCheck, Surroundings

if TYPE_CHECKING:
    from dagtop.graph.declare import Columns


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A plan, and how the function of each of its tasks is called."""

    plan: Plan
    calls: Sequence[Call]
    """By task index; one shared entry for a graph made by `from_specs`, see `specs`."""
    specs: Mapping[str, Any] | None = None
    """Spec by name if the graph was made by `from_specs`; then `calls` has one entry."""
    context_parameter: bool = False
    """With `specs`: whether the function takes a context as its third parameter."""
    around: Surroundings = NOTHING_AROUND
    """Conditions, setups and teardowns, shared services."""
    home: str = ""
    """The file that defines the graph, if some task runs in another process."""


#: Flaws that come with the nearest name; of ten thousand misspelt names the first few tell enough.
HINTS = 20


class _Flaws:
    """What has been found wrong, and of which kinds."""

    def __init__(self) -> None:
        self.found: list[tuple[type[GraphError], Flaw]] = []

    def add(self, kind: type[GraphError], message: str, place: str = "") -> None:
        self.found.append((kind, Flaw(message, place)))

    def hints(self, names: Collection[str]) -> Collection[str]:
        """The names among which the nearest is looked for: none any more after many flaws, for each look takes its time."""
        return names if len(self.found) < HINTS else ()

    def raise_all(self) -> None:
        if self.found:
            kinds = {kind for kind, _ in self.found}
            error = kinds.pop() if len(kinds) == 1 else GraphError
            raise error([flaw for _, flaw in self.found])


def check(name: str, columns: Columns, config: ExecutorConfig, by_function: Mapping[int, str], place: str) -> Checked:
    """Check a graph.

    Raises
    ------
    GraphError: or the kind of it that fits if all problems are of one kind.
    """
    flaws = _Flaws()
    names = columns.names
    if not names:
        flaws.add(GraphError, f"graph {name!r} has no tasks; add one with @graph.task or graph.add", place)
        flaws.raise_all()
    index = _check_names(columns, flaws)
    if columns.specs is not None:
        return _check_specs(name, columns, config, index, flaws, place)
    around = AroundCheck(columns.around, index, config.inputs, flaws)
    policies, calls, needs = _check_tasks(columns, config, index, by_function, around, flaws)
    _check_guards(policies, names, columns.places, config, flaws)
    upstream = [sorted(set(needed)) if len(needed) > 1 else needed for needed in needs]
    plan = _make_plan(name, names, index, upstream, policies, columns.places, around.found, flaws)
    if config.adaptive:
        plan = replace(plan, kinds=kinds_of(columns.fns))
    return Checked(plan, calls, around=around.found)


def kinds_of(fns: Sequence[Any]) -> list[int]:
    """A number for each function; closures that one `def` made have the same."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(id(_code_of(fn)), len(numbers)) for fn in fns]


def _code_of(fn: Any) -> object:
    while type(fn) in (partial, MethodType):
        fn = fn.func if type(fn) is partial else fn.__func__
    return fn.__code__ if type(fn) is FunctionType else fn


def _check_guards(
    policies: Sequence[TaskPolicy],
    names: Sequence[str],
    places: Mapping[int, str],
    config: ExecutorConfig,
    flaws: _Flaws,
) -> None:
    """Pools and resources that a task names must be there, and large enough for it (B10)."""
    if not any(policy.is_guarded for policy in {id(policy): policy for policy in policies}.values()):
        return
    run = config.run_policy()
    for i, policy in enumerate(policies):
        place, who = places.get(i, ""), f"task {names[i]!r}"
        if policy.pool and policy.pool not in run.pools:
            hint = nearest(policy.pool, run.pools) or f'; declare it with pools={{"{policy.pool}": 4}}'
            flaws.add(OptionError, f"{who}: there is no pool {policy.pool!r}{hint}", place)
        for resource, amount in policy.resources.items():
            there = run.resources.get(resource)
            if there is None:
                hint = (
                    nearest(resource, run.resources)
                    or f'; declare it with resources={{"{resource}": {max(amount, 1)}}}'
                )
                flaws.add(OptionError, f"{who}: there is no resource {resource!r}{hint}", place)
            elif amount > there:
                flaws.add(
                    OptionError,
                    f"{who} needs {amount} of {resource!r} and there are only {there}: it could never start",
                    place,
                )


def _check_names(columns: Columns, flaws: _Flaws) -> dict[str, int]:
    names = columns.names
    index = dict(zip(names, range(len(names)), strict=True)) if set(map(type, names)) == {str} else {}
    if index and len(index) == len(names) and all(map(str.strip, names)):
        return index
    index = {}
    for i, name in enumerate(names):
        place = columns.places.get(i, "")
        if not isinstance(name, str) or not name.strip():
            flaws.add(GraphError, f"the name of a task must be a text that is not empty, not {name!r}", place)
        elif name in index:
            first = columns.places.get(index[name], "")
            flaws.add(DuplicateTaskError, f"there are two tasks named {name!r}; the first is at {first}", place)
        else:
            index[name] = i
    return index


def _check_specs(
    name: str, columns: Columns, config: ExecutorConfig, index: dict[str, int], flaws: _Flaws, place: str
) -> Checked:
    fn = columns.fns[0]
    dependencies = columns.dependencies or {}
    takes_context = _check_spec_function(fn, flaws, place)
    for stranger in dependencies.keys() - index.keys():
        flaws.add(
            UnknownDependencyError,
            f"dependencies names {stranger!r}, which is no task{nearest(str(stranger), flaws.hints(index))}",
            place,
        )
    find = index.__getitem__
    upstream: list[Sequence[int]] = []
    get = dependencies.get
    for task in columns.names:
        needed = get(task)
        if not needed:
            upstream.append(())
            continue
        try:
            found = list(map(find, needed)) if not isinstance(needed, str) else [find(needed)]
        except (KeyError, TypeError):
            found = _report_unknown(task, needed, index, flaws, place)
        if len(found) > 1:
            found.sort()
            if len(set(found)) < len(found):
                found = sorted(set(found))
        upstream.append(found)
    base = _default_policy(config)
    policies = [base] * len(columns.names)
    around = AroundCheck(columns.around, index, config.inputs, flaws, by_spec=True)
    call = Call(fn, is_async(fn), by_spec=True, wants_context=takes_context)
    for i, options in enumerate(columns.options):
        if options:
            around.task(i, columns.names[i], call, options, "", place)
            policies[i], _ = _check_options(options, config, False, f"task {columns.names[i]!r}", place, flaws)
            if "depends_on" in options or "backend" in options:
                flaws.add(
                    OptionError, f"task {columns.names[i]!r}: depends_on and backend do not go with from_specs", place
                )
    _check_guards(
        policies, columns.names, dict.fromkeys(range(len(policies)), place) if columns.options else {}, config, flaws
    )
    plan = _make_plan(name, columns.names, index, upstream, policies, {}, around.found, flaws)
    return Checked(plan, [call], columns.specs, takes_context, around.found)


def _check_spec_function(fn: Callable[..., Any], flaws: _Flaws, place: str) -> bool:
    if not callable(fn):
        flaws.add(GraphError, f"run must be a function of (task_id, spec), not {fn!r}", place)
        return False
    try:
        parameters = parameters_of(fn)
    except ValueError:
        return False
    required = [parameter for parameter in parameters if not parameter.has_default]
    if len(required) > 3:
        extra = ", ".join(parameter.name for parameter in required[3:])
        flaws.add(
            GraphError, f"run is called as run(task_id, spec) or run(task_id, spec, ctx); it also wants {extra}", place
        )
    return len(required) == 3 or any(parameter.wants_context for parameter in parameters[2:3])


def _check_tasks(
    columns: Columns,
    config: ExecutorConfig,
    index: dict[str, int],
    by_function: Mapping[int, str],
    around: AroundCheck,
    flaws: _Flaws,
) -> tuple[list[TaskPolicy], list[Call], list[list[int]]]:
    policies: list[TaskPolicy] = []
    calls: list[Call] = []
    needs: list[list[int]] = []
    base = _default_policy(config)
    for i, fn in enumerate(columns.fns):
        options, place, task = columns.options[i], columns.places.get(i, ""), columns.names[i]
        policy, call = base, Call(fn, False)
        needed: list[int] = []
        if not callable(fn):
            flaws.add(GraphError, f"task {task!r} must be a function, not {fn!r}", place)
        else:
            call, needed = _bind(fn, i, index, config, place, around, options, flaws)
            if options or around.services:
                needed += around.task(i, task, call, options, str(options.get("backend", "")), place)
            if options:
                policy, depends_on = _check_options(options, config, call.is_async, f"task {task!r}", place, flaws)
                policy = base if policy == base else policy
                needed += _named_tasks(str(task), depends_on, index, by_function, place, flaws)
        policies.append(policy)
        calls.append(call)
        needs.append(needed)
    return policies, calls, needs


def _bind(
    fn: Callable[..., Any],
    own: int,
    index: dict[str, int],
    config: ExecutorConfig,
    place: str,
    around: AroundCheck,
    options: Mapping[str, Any],
    flaws: _Flaws,
) -> tuple[Call, list[int]]:
    try:
        call, needs, found = bind(
            fn,
            parameters_of(fn),
            index,
            own,
            config.inputs,
            place,
            hints=len(flaws.found) < HINTS,
            services=around.services,
            resource="setup" in options,
        )
    except ValueError as error:
        flaws.add(GraphError, str(error), place)
        return Call(fn, False), []
    for flaw in found:
        flaws.add(UnknownDependencyError, flaw.message, flaw.place)
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        flaws.add(
            GraphError,
            "it has a yield, and calling it runs nothing of it: collect what it gives and return that",
            place,
        )
    return call, needs


def _check_options(
    options: Mapping[str, Any], config: ExecutorConfig, is_async: bool, who: str, place: str, flaws: _Flaws
) -> tuple[TaskPolicy, Iterable[Any]]:
    for flaw in unknown_options(options, TASK_OPTIONS, LATER_TASK_OPTIONS, place):
        flaws.add(OptionError, f"{who}: {flaw.message}", place)
    depends_on = options.get("depends_on", ())
    if isinstance(depends_on, str) or callable(depends_on):
        depends_on = (depends_on,)
    try:
        backend_of(options, is_async=is_async)
        return task_policy(options, timeout=config.default_timeout, retries=config.default_retries), depends_on
    except (TypeError, ValueError) as error:
        for message in option_errors(options, is_async=is_async) or [str(error)]:
            flaws.add(OptionError, f"{who}: {message}", place)
        return DEFAULT_POLICY, depends_on


def _named_tasks(
    task: str,
    depends_on: Iterable[Any],
    index: dict[str, int],
    by_function: Mapping[int, str],
    place: str,
    flaws: _Flaws,
) -> list[int]:
    """The indices of what `depends_on` lists: names, or functions that are tasks."""
    found: list[int] = []
    try:
        listed = list(depends_on)
    except TypeError:
        flaws.add(OptionError, f"task {task!r}: depends_on must be a list of tasks, not {depends_on!r}", place)
        return found
    for item in listed:
        name = by_function.get(id(item)) if callable(item) else item
        if isinstance(name, str) and name in index:
            found.append(index[name])
        elif callable(item):
            flaws.add(
                UnknownDependencyError,
                f"task {task!r} depends on {_called(item)}, which is no task of this graph",
                place,
            )
        else:
            hint = nearest(str(item), flaws.hints(index))
            flaws.add(UnknownDependencyError, f"task {task!r} depends on {item!r}, which is no task{hint}", place)
    return found


def _called(item: object) -> str:
    return f"{getattr(item, '__name__', item)}()"


def _report_unknown(task: str, needed: Iterable[Any], index: dict[str, int], flaws: _Flaws, place: str) -> list[int]:
    known: list[int] = []
    if isinstance(needed, str):
        needed = (needed,)
    try:
        listed = list(needed)
    except TypeError:
        flaws.add(OptionError, f"task {task!r}: its dependencies must be a list of tasks, not {needed!r}", place)
        return known
    for item in listed:
        if isinstance(item, str) and item in index:
            known.append(index[item])
        else:
            hint = nearest(str(item), flaws.hints(index))
            flaws.add(UnknownDependencyError, f"task {task!r} depends on {item!r}, which is no task{hint}", place)
    return known


def _default_policy(config: ExecutorConfig) -> TaskPolicy:
    if config.default_timeout is None and config.default_retries is None:
        return DEFAULT_POLICY
    return task_policy({}, timeout=config.default_timeout, retries=config.default_retries)


def _make_plan(
    name: str,
    names: Sequence[str],
    index: dict[str, int],
    upstream: Sequence[Sequence[int]],
    policies: Sequence[TaskPolicy],
    places: Mapping[int, str],
    around: Surroundings,
    flaws: _Flaws,
) -> Plan:
    downstream: list[list[int]] = [[] for _ in names]
    in_order = True
    for i, needed in enumerate(upstream):
        for u in needed:
            downstream[u].append(i)
        if needed and needed[-1] >= i:
            in_order = False
    order: Sequence[int] = range(len(names))
    if not in_order:
        order = topological_order(upstream, downstream)
        if len(order) < len(names):
            left = set(range(len(names))).difference(order)
            cycle = find_cycle(upstream, left)
            path = " → ".join(str(names[i]) for i in cycle)
            flaws.add(CycleError, f"these tasks wait for each other: {path}", places.get(cycle[0], ""))
    flaws.raise_all()
    return Plan(
        name=name,
        names=tuple(names),
        index=index,
        upstream=upstream,
        downstream=downstream,
        order=order,
        policies=policies,
        places=places,
        one_policy=policies[0] if len(set(map(id, policies))) == 1 else None,
        asks=frozenset((*around.whens, *around.caches)),
        cleans_up=frozenset((*around.setups, *around.teardowns)),
        sets_up=around.setup is not None,
        winds_down=bool(around.services) or around.setup is not None or around.teardown is not None,
    )
