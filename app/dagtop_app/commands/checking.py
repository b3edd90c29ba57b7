"""`dagtop check`: the plan of a graph, told without running a task."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

from dagtop.core.forecast import Usual
from dagtop.core.plan import Plan
from dagtop.core.restart import Restart, RestartPolicy, ceiling_of
from dagtop.core.schedule import Timetable
from dagtop.core.spreading import replicas_of
from dagtop.core.topology import levels, reach
from dagtop.core.values import dataclass
from dagtop.errors import DagtopError, GraphError, LoadError
from dagtop.graph import ExecutorConfig
from dagtop.observe.describe import describe_named
from dagtop.observe.redact import seen
from dagtop.observe.visible import storable

from dagtop_app.commandline.options import GraphOptions, JournalOptions
from dagtop_app.commands.forecasting import Outlook, forecast_lines, forecast_object, history_of, outlook_of
from dagtop_app.launching.due import scheduled_nodes_of, timetable_of
from dagtop_app.launching.preparing import Prepared, prepare
from dagtop_app.terminal.streams import stdout_reserved, write_all
from dagtop_app.text import clean, duration, name_of, plural

#: Of a deep graph so many levels, and of a long path so many tasks, are listed for people.
MOST_LEVELS = 12
MOST_ON_PATH = 20
#: How many of the next due times are told.
DUE_TIMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """What is told of a plan."""

    graph: str
    source: str
    tasks: int
    edges: int
    widths: tuple[int, ...]
    """Number of tasks on each level."""
    outlook: Outlook
    """The critical path, and how long a run will take."""
    options: Mapping[str, Any]
    """Those in force."""
    gates: Mapping[str, float | None] = field(default_factory=dict)
    """Tasks that will wait for a person, and for how long at most."""
    due: tuple[datetime, ...] = ()
    """The next due times."""
    is_past: bool = False
    """It has a schedule, and is never due any more."""
    nodes_due: tuple[tuple[str, datetime], ...] = ()
    """The next due times of nodes that have their own, in order."""
    restarts: Mapping[str, Restart] = field(default_factory=dict)
    """Tasks that are started again, and by which policy."""
    never_say: tuple[str, ...] = ()
    """Services that others wait for, and that have no way to say that they are ready."""


def facts_of(
    plan: Plan,
    *,
    source: str = "",
    options: Mapping[str, Any],
    usual: Mapping[int, Usual] = MappingProxyType({}),
    due: tuple[datetime, ...] = (),
    is_past: bool = False,
    nodes_due: tuple[tuple[str, datetime], ...] = (),
    never_say: tuple[str, ...] = (),
) -> PlanFacts:
    """Count levels, and look ahead."""
    level = levels(plan)
    widths = [0] * (max(level, default=-1) + 1)
    for number in level:
        widths[number] += 1
    return PlanFacts(
        graph=plan.name,
        source=source,
        tasks=len(plan),
        edges=sum(len(needed) for needed in plan.upstream),
        widths=tuple(widths),
        outlook=outlook_of(plan, options["max_parallel"], usual),
        options=options,
        gates={
            name: policy.gate.timeout
            for name, policy in zip(plan.names, plan.policies, strict=True)
            if policy.gate is not None
        },
        due=due,
        is_past=is_past,
        nodes_due=nodes_due,
        never_say=never_say,
        restarts={
            name: policy.restart for name, policy in zip(plan.names, plan.policies, strict=True) if policy.restart.is_on
        },
    )


def options_in_force(config: ExecutorConfig) -> dict[str, Any]:
    """The options of a run, defaults filled in, without what its name says is secret."""
    policy = config.run_policy()
    options: dict[str, Any] = {
        "max_parallel": policy.max_parallel,
        "fail_fast": policy.fail_fast,
        "run_timeout": policy.run_timeout,
        "default_timeout": config.default_timeout,
        "default_retries": getattr(config.default_retries, "retries", config.default_retries) or 0,
    }
    for name, value in config.inputs.items():
        options.setdefault("inputs", {})[name] = describe_named(name, value).text or f"<{type(value).__name__}>"
    return options


def plan_lines(facts: PlanFacts) -> Iterator[str]:
    """The plan for people."""
    shape = f"{plural(facts.tasks, 'task')}, {plural(facts.edges, 'edge')}, {plural(len(facts.widths), 'level')}"
    yield f"{name_of(facts.graph, 100)}: {shape}, no problems"
    if facts.widths:
        yield f"  widest level      {plural(max(facts.widths), 'task')}"
        yield "  levels            " + _some([f"{width:,}" for width in facts.widths], MOST_LEVELS, " · ")
        outlook = facts.outlook
        found = outlook.forecast
        share = f" of {outlook.amount(found.total_cost).removeprefix('cost ')}" if found.total_cost else ""
        yield f"  critical path     {plural(len(found.critical_path), 'task')}, {outlook.amount(found.path_cost)}{share}"
        yield "                    " + _some([*map(outlook.on_path, found.critical_path)], MOST_ON_PATH, " → ")
        yield from forecast_lines(outlook)
    if facts.gates:
        waits = [
            f"{name_of(name, 80)} ({'no timeout' if timeout is None else duration(timeout)})"
            for name, timeout in facts.gates.items()
        ]
        yield f"  waits at gates    {_some(waits, MOST_ON_PATH, ', ')}"
    yield from _restart_lines(facts.restarts)
    if facts.never_say:
        yield f"  never say ready   {_some([name_of(name, 80) for name in facts.never_say], MOST_ON_PATH, ', ')}"
        yield f"{'':<20}what waits for them starts when they have succeeded once; a service needs ctx.ready() or ready=Probe(…)"
    if facts.is_past:
        yield "  next due          never: every moment that at= names is past"
    for number, due in enumerate(facts.due):
        yield f"  {'' if number else 'next due':<17} {_moment(due)}"
    for number, (node, due) in enumerate(facts.nodes_due):
        yield f"  {'' if number else 'next due':<17} {_moment(due)}  {name_of(node, 80)}"
    for name, value in facts.options.items():
        if name == "inputs":
            for parameter, text in value.items():
                yield f"  input             {clean(parameter, 100)} = {clean(text, 300)}"
        elif value is not None:
            yield f"  {name:<17} {'yes' if value is True else 'no' if value is False else value}"


def _moment(due: datetime) -> str:
    return f"{due:%a %Y-%m-%d %H:%M}{f':{due:%S}' if due.second else ''} {due:%Z}"


def _restart_lines(restarts: Mapping[str, Restart]) -> Iterator[str]:
    """One line for each policy, with the ceiling where one is set."""
    by_policy: dict[str, list[str]] = {}
    for name, restart in restarts.items():
        ceiling = ceiling_of(restart)
        often = "" if ceiling is None else f", {plural(ceiling, 'restart')} after failures at most"
        by_policy.setdefault(f"{restart.policy}{often}", []).append(name_of(name, 80))
    for number, (policy, names) in enumerate(by_policy.items()):
        yield f"  {'' if number else 'started again':<17} {policy}: {_some(names, MOST_ON_PATH, ', ')}"


def _some(items: list[str], most: int, between: str) -> str:
    if len(items) <= most:
        return between.join(items)
    head, tail = most * 2 // 3, most // 3
    return between.join([*items[:head], f"… {len(items) - head - tail:,} more …", *items[-tail:]])


def check_command(
    where: str, options: GraphOptions, parameters: Mapping[str, Any], keep: JournalOptions, *, as_json: bool
) -> int:
    """Load, check, print. With `as_json` problems are an object on stdout as well as lines on stderr.

    Raises
    ------
    DagtopError: the file or the graph is not right.
    """
    with stdout_reserved() as out:
        try:
            facts = _facts(prepare(where, options, parameters), keep)
        except DagtopError as error:
            if as_json:
                write_all(out, _line({"v": 1, "ok": False, "problems": _problems(error)}))
            raise
        if as_json:
            write_all(out, _line({"v": 1, "ok": True} | _object(facts)))
        else:
            write_all(out, "".join(f"{line}\n" for line in plan_lines(facts)).encode("utf-8", "replace"))
    return 0


def _facts(prepared: Prepared, keep: JournalOptions) -> PlanFacts:
    plan = prepared.seen()
    due = _next_due(prepared)
    return facts_of(
        plan,
        source=prepared.source,
        options=options_in_force(prepared.config),
        usual=history_of(prepared, plan, keep),
        due=due,
        is_past=not due and timetable_of(prepared) is not None,
        nodes_due=_nodes_next_due(prepared),
        never_say=_never_say(prepared),
    )


def _never_say(prepared: Prepared) -> tuple[str, ...]:
    checked = prepared.graph.checked(prepared.config)
    plan, shared = checked.plan, checked.specs is not None
    names = prepared.seen().names
    return tuple(
        names[index]
        for index, policy in enumerate(plan.policies)
        if policy.restart.policy is RestartPolicy.ALWAYS
        and policy.ready is None
        and not checked.calls[0 if shared else index].wants_context
        and any(
            below not in plan.nodes and not replicas_of(plan, below)
            for below in reach(plan.downstream, [index]) - {index}
        )
    )


def _next_due(prepared: Prepared) -> tuple[datetime, ...]:
    timetable = timetable_of(prepared)
    if timetable is None:
        return ()
    return tuple(_coming(timetable, time.time()))


def _nodes_next_due(prepared: Prepared) -> tuple[tuple[str, datetime], ...]:
    now = time.time()
    coming = [
        (node, due) for node, timetable in scheduled_nodes_of(prepared).items() for due in _coming(timetable, now)
    ]
    return tuple(sorted(coming, key=lambda one: one[1])[:DUE_TIMES])


def _coming(timetable: Timetable, now: float) -> Iterator[datetime]:
    for due in islice(timetable.iterate(now, now), DUE_TIMES):
        yield datetime.fromtimestamp(due, UTC).astimezone(timetable.zone)


def _object(facts: PlanFacts) -> dict[str, Any]:
    return {
        "graph": facts.graph,
        "source": facts.source,
        "tasks": facts.tasks,
        "edges": facts.edges,
        "levels": len(facts.widths),
        "widths": facts.widths,
        "critical_path": [facts.outlook.plan.names[index] for index in facts.outlook.forecast.critical_path],
        "critical_cost": facts.outlook.forecast.path_cost,
        "total_cost": facts.outlook.forecast.total_cost,
        "forecast": forecast_object(facts.outlook),
        "gates": dict(facts.gates),
        "due": [due.isoformat() for due in facts.due],
        "nodes_due": [{"node": node, "due": due.isoformat()} for node, due in facts.nodes_due],
        "restarts": {
            name: {"policy": str(restart.policy), "max_restarts": ceiling_of(restart)}
            for name, restart in facts.restarts.items()
        },
        "options": facts.options,
        "problems": [],
    }


def _problems(error: DagtopError) -> list[dict[str, str]]:
    if isinstance(error, GraphError):
        return [{"message": seen(flaw.message), "place": flaw.place} for flaw in error.problems]
    if isinstance(error, LoadError):
        return [{"message": seen(error.message), "place": error.place}]
    return [{"message": seen(str(error)), "place": ""}]


def _line(value: Mapping[str, Any]) -> bytes:
    return storable(json.dumps(value, ensure_ascii=False)).encode() + b"\n"
