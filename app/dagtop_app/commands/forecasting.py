"""How long a run will take, from what earlier ones took: for `dagtop check`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dagtop.core.forecast import Costs, Forecast, Usual, costs_of, forecast
from dagtop.core.plan import Plan
from dagtop.core.values import dataclass
from dagtop.errors import JournalError

from dagtop_app.commandline.options import JournalOptions
from dagtop_app.launching.preparing import Prepared
from dagtop_app.plain.saying import say
from dagtop_app.settings import places as settings
from dagtop_app.text import clean, duration, name_of, plural

#: Of the tasks of which nothing is known, so many are named.
UNKNOWN_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is expected of a run, and from what."""

    plan: Plan
    costs: Costs
    forecast: Forecast
    max_parallel: int
    usual: Mapping[int, Usual]

    def amount(self, cost: float) -> str:
        """A cost for people: seconds where anything was measured."""
        return duration(cost) if self.costs.in_seconds else f"cost {cost:g}"

    def on_path(self, index: int) -> str:
        """A task of the critical path, with what it takes and how often that was seen."""
        name = name_of(self.plan.names[index], 60)
        if not self.costs.in_seconds:
            return name
        return f"{name} {duration(self.costs.by_task[index])} ({self.known_from(index)})"

    def known_from(self, index: int) -> str:
        """Where a task's cost is known from."""
        if self.plan.policies[index].cost is not None:
            return "declared"
        usual = self.usual.get(index)
        return plural(usual.runs, "run") if usual is not None else "not known"


def outlook_of(plan: Plan, max_parallel: int, usual: Mapping[int, Usual]) -> Outlook:
    """The forecast of a run, given how long its tasks usually take."""
    costs = costs_of(plan.policies, {index: one.median for index, one in usual.items()})
    found = forecast(plan, costs.by_task, max_parallel)
    return Outlook(plan=plan, costs=costs, forecast=found, max_parallel=max_parallel, usual=usual)


def history_of(prepared: Prepared, plan: Plan, keep: JournalOptions) -> dict[int, Usual]:
    """How long the tasks usually take. A history that cannot be read is told of; one that was asked for is an error.

    Raises
    ------
    JournalError: the file that was asked for cannot be read.
    """
    own = prepared.journal if keep.db is None else keep.db
    try:
        journal: Any = own
        if own is None or isinstance(own, (str, os.PathLike)):
            place = own or os.environ.get(settings.DB_VARIABLE)
            if place and not Path(place).exists():  # then nothing of SQLite need be loaded
                return {}
            journal = settings.journal_at(place)
        fingerprints = prepared.graph.fingerprints(prepared.config)
        found: dict[str, Usual] = journal.usual(prepared.source, plan.name, plan.names, fingerprints)
    except JournalError as error:
        if keep.db is not None:
            raise
        say(f"how long tasks took in earlier runs is not known: {clean(str(error), 300)}")
        return {}
    return {plan.index[name]: usual for name, usual in found.items()}


def forecast_lines(outlook: Outlook) -> Iterator[str]:
    """The forecast for people."""
    found = outlook.forecast
    slots = f"{outlook.max_parallel:,} at once, of which it uses {found.width:,}"
    yield f"  forecast          {outlook.amount(found.makespan)} with {slots}"
    if not outlook.costs.in_seconds:
        return
    runs = [usual.runs for usual in outlook.usual.values()]
    span = plural(max(runs), "run") if min(runs) == max(runs) else f"{min(runs)} to {plural(max(runs), 'run')}"
    yield f"  known from        {span} of {plural(len(runs), 'task')}"
    policies = outlook.plan.policies
    declared = sum(policy.cost is not None for policy in policies)
    if declared:
        yield f"                    {plural(declared, 'declared cost')}, 1 taken as {duration(outlook.costs.unit)}"
    unknown = [i for i, policy in enumerate(policies) if policy.cost is None and i not in outlook.usual]
    if unknown:
        names = ", ".join(name_of(outlook.plan.names[index], 60) for index in unknown[:UNKNOWN_NAMED])
        more = f" and {len(unknown) - UNKNOWN_NAMED:,} more" if len(unknown) > UNKNOWN_NAMED else ""
        yield f"                    nothing of {names}{more}: taken as {duration(outlook.costs.unknown)}"


def forecast_object(outlook: Outlook) -> dict[str, Any]:
    """The forecast for programs."""
    found, plan = outlook.forecast, outlook.plan
    return {
        "makespan": found.makespan,
        "unit": "seconds" if outlook.costs.in_seconds else "cost",
        "max_parallel": outlook.max_parallel,
        "width": found.width,
        "tasks": [
            {
                "task": name,
                "cost": outlook.costs.by_task[index],
                "from": "declared"
                if plan.policies[index].cost is not None
                else "runs"
                if index in outlook.usual
                else "nothing",
                "runs": outlook.usual[index].runs if index in outlook.usual else 0,
                "p95": outlook.usual[index].p95 if index in outlook.usual else None,
                "start": found.starts[index],
                "end": found.ends[index],
            }
            for index, name in enumerate(plan.names)
        ],
    }
