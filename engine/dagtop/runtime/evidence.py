"""What the runtime knows of a task that failed for good and the machine does not: its inputs, the wall clock, earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from dagtop.core.escalation import Evidence
from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.snapshot import Blocked
from dagtop.core.states import GOOD
from dagtop.core.wording import ending_word
from dagtop.graph.binding import FromInput
from dagtop.observe.describe import describe_named
from dagtop.observe.visible import storable
from dagtop.observe.wire import iso
from dagtop.runtime.job import Job

#: How many of a task's inputs are described, and in how many characters each.
INPUTS, TEXT = 20, 300
#: How many upstream tasks are asked whether a failing line worked on what they gave.
GIVERS = 50


def given_to(plan: Plan, outputs: Sequence[Any], index: int) -> Mapping[str, Any]:
    """What the upstream of a task gave it, by name; of very many the first."""
    return {plan.names[i]: outputs[i] for i in plan.upstream[index][:GIVERS]}


class Kept(NamedTuple):
    """The loop was kept from going round."""

    until: float
    """Seconds since the run began."""
    blocked: Blocked


def evidence_of(
    job: Job, ledger: Ledger, outputs: Sequence[Any], index: int, at: float, kept: Iterable[Kept] = ()
) -> Evidence:
    """All that a report wants to know, redacted and bounded. `kept`: by whom the loop was kept lately."""
    usual = job.usual.get(index)
    blocker, seconds = blocker_of(kept, ledger.attempt_started[index], at)
    return Evidence(
        utc=iso(job.started_at + at),
        inputs=dict(_inputs(job, ledger, outputs, index)),
        usual_seconds=usual.median if usual is not None else None,
        usual_longest=usual.p95 if usual is not None else None,
        usual_runs=usual.runs if usual is not None else 0,
        blocker=blocker.task if blocker is not None else "",
        blocked_seconds=seconds,
        blocked_at=blocker.where if blocker is not None else "",
    )


def returned_by(plan: Plan, ledger: Ledger, outputs: Sequence[Any], task: str) -> str:
    """What a task that has succeeded returned, redacted and bounded; "" if it has not, or if that cannot be told."""
    try:
        index = plan.index.get(task)
        if index is None or ledger.state[index] not in GOOD:
            return ""
        output = outputs[index]
        return "nothing" if output is None else _told(task, output)
    except Exception:  # noqa: BLE001 - the user's threads may change it while it is read (STYLE 12: text for people)
        return ""


def blocker_of(kept: Iterable[Kept], since: float | None, at: float) -> tuple[Blocked | None, float]:
    """The task that kept the loop for more than half of a time, and for how long; (None, 0) if none did."""
    if since is None:
        return None, 0.0
    times: dict[str, float] = {}
    latest: dict[str, Blocked] = {}
    for until, blocked in kept:
        inside = min(until, at) - max(until - blocked.seconds, since)
        if inside > 0 and blocked.task and not blocked.who:
            times[blocked.task] = times.get(blocked.task, 0.0) + inside
            latest[blocked.task] = blocked
    task = max(times, key=times.__getitem__, default="")
    return (latest[task], times[task]) if task and times[task] > (at - since) / 2 else (None, 0.0)


def _inputs(job: Job, ledger: Ledger, outputs: Sequence[Any], index: int) -> Iterator[tuple[str, str]]:
    plan = ledger.plan
    upstream = plan.upstream[index]
    for above in upstream[:INPUTS]:
        name, state = plan.names[above], ledger.state[above]
        yield name, _told(name, outputs[above]) if state in GOOD else f"nothing: it {ending_word(state)}"
    if len(upstream) > INPUTS:
        yield "…", f"and {len(upstream) - INPUTS:,} more upstream tasks"
    yield from islice(_own_inputs(job, plan, index), INPUTS)


def _own_inputs(job: Job, plan: Plan, index: int) -> Iterator[tuple[str, str]]:
    """The graph's inputs that the task takes, and its spec."""
    checked = job.checked
    name = plan.names[index]
    if checked.specs is not None:
        if name in checked.specs:
            yield "spec", _told("spec", checked.specs[name])
        return
    if index >= len(checked.calls):
        return
    for _, source in checked.calls[index].arguments:
        if isinstance(source, FromInput) and source.name in job.inputs:
            yield source.name, _told(source.name, job.inputs[source.name])


def _told(name: str, value: Any) -> str:
    told = describe_named(name, value, limit=TEXT)
    many = f" of {told.size:,}" if told.size is not None and told.type not in ("str", "bytes") else ""
    return storable(f"{told.type}{many}: {told.text}" if told.text else told.type + many)
