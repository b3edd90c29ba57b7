"""From what was written down to a `Plan`: every check, all problems at once, O(V + E), never recursive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from dagtop.core.nearest import nearest
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.topology import find_cycle, topological_order
from dagtop.core.values import dataclass
from dagtop.errors import CycleError, DuplicateTaskError, GraphError, OptionError, UnknownDependencyError
from dagtop.graph.binding import Call, is_async, parameters_of
from dagtop.graph.check_task import check_guards, check_options, check_task, default_policy
from dagtop.graph.flaws import Flaws
from dagtop.graph.options import (
    ExecutorConfig,
)
from dagtop.graph.surroundings import NOTHING_AROUND, AroundCheck, Surroundings

if TYPE_CHECKING:
    from dagtop.graph.written import Columns


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
    by_function: Mapping[int, str] = field(default_factory=dict)
    """Name of the task by the id of its function."""
    config: ExecutorConfig = field(default_factory=ExecutorConfig)
    """What the graph was checked with."""
    home: str = ""
    """The file that defines the graph, if some task runs in another process."""


def check(name: str, columns: Columns, config: ExecutorConfig, by_function: Mapping[int, str], place: str) -> Checked:
    """Check a graph.

    Raises
    ------
    GraphError: or the kind of it that fits if all problems are of one kind.
    """
    flaws = Flaws()
    names = columns.names
    if not names:
        flaws.add(GraphError, f"graph {name!r} has no tasks; add one with @graph.task or graph.add", place)
        flaws.raise_all()
    check_schedule(config, flaws, place)
    index = _check_names(columns, flaws)
    if columns.specs is not None:
        return _check_specs(name, columns, config, index, flaws, place)
    around = AroundCheck(columns.around, index, config.inputs, flaws)
    policies, calls, needs = _check_tasks(columns, config, index, by_function, around, flaws)
    check_guards(policies, names, columns.places, config.run_policy(), flaws)
    upstream = [sorted(set(needed)) if len(needed) > 1 else needed for needed in needs]
    plan = _make_plan(name, names, index, upstream, policies, columns.places, around.found, flaws)
    if config.adaptive:
        plan = replace(plan, kinds=kinds_of(columns.fns))
    return Checked(plan, calls, around=around.found, by_function=by_function, config=config)


def check_schedule(config: ExecutorConfig, flaws: Flaws, place: str) -> None:
    """See that a schedule is there where something says how it is kept."""
    if idle := config.idle_schedule_options:
        flaws.add(OptionError, f"{idle} without a schedule: say when with every=, cron= or at=, or leave it out", place)


def kinds_of(fns: Sequence[Any]) -> list[int]:
    """A number for each function; closures that one `def` made have the same."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(id(code_of(fn)), len(numbers)) for fn in fns]


def code_of(fn: Any) -> object:
    """What functions share that are of one kind."""
    while type(fn) in (partial, MethodType):
        fn = fn.func if type(fn) is partial else fn.__func__
    return fn.__code__ if type(fn) is FunctionType else fn


def _check_names(columns: Columns, flaws: Flaws) -> dict[str, int]:
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
    name: str, columns: Columns, config: ExecutorConfig, index: dict[str, int], flaws: Flaws, place: str
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
    base = default_policy(config)
    policies = [base] * len(columns.names)
    around = AroundCheck(columns.around, index, config.inputs, flaws, by_spec=True)
    call = Call(fn, is_async(fn), by_spec=True, wants_context=takes_context)
    for i, options in enumerate(columns.options):
        if options:
            around.task(i, columns.names[i], call, options, "", place)
            policies[i], _ = check_options(options, config, False, f"task {columns.names[i]!r}", place, flaws)
            if options.get("depends_on") is not None or options.get("backend") is not None:
                flaws.add(
                    OptionError, f"task {columns.names[i]!r}: depends_on and backend do not go with from_specs", place
                )
    check_guards(
        policies,
        columns.names,
        dict.fromkeys(range(len(policies)), place) if columns.options else {},
        config.run_policy(),
        flaws,
    )
    plan = _make_plan(name, columns.names, index, upstream, policies, {}, around.found, flaws)
    return Checked(plan, [call], columns.specs, takes_context, around.found)


def _check_spec_function(fn: Callable[..., Any], flaws: Flaws, place: str) -> bool:
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
    flaws: Flaws,
) -> tuple[list[TaskPolicy], list[Call], list[list[int]]]:
    policies: list[TaskPolicy] = []
    calls: list[Call] = []
    needs: list[list[int]] = []
    base = default_policy(config)
    for i, fn in enumerate(columns.fns):
        options, place, task = columns.options[i], columns.places.get(i, ""), columns.names[i]
        policy, call, needed = check_task(
            i, task, fn, options, place, config, index, by_function, around, flaws, base=base
        )
        policies.append(policy)
        calls.append(call)
        needs.append(needed)
    return policies, calls, needs


def _report_unknown(task: str, needed: Iterable[Any], index: dict[str, int], flaws: Flaws, place: str) -> list[int]:
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


def _make_plan(
    name: str,
    names: Sequence[str],
    index: dict[str, int],
    upstream: Sequence[Sequence[int]],
    policies: Sequence[TaskPolicy],
    places: Mapping[int, str],
    around: Surroundings,
    flaws: Flaws,
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
        asks=frozenset((*around.whens, *around.caches, *around.maps)),
        cleans_up=frozenset((*around.setups, *around.teardowns)),
        sets_up=around.setup is not None,
        winds_down=bool(around.services) or around.setup is not None or around.teardown is not None,
    )
