"""What is said of tasks that are kept at a desired state: up or not, started again when, and what a person can do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from dagtop.core.plan import Plan
from dagtop.core.restart import CRASH_LOOP, Restart, RestartPolicy, ceiling_of
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import FINAL, GOOD, RunState, TaskState

from dagtop_app.faces import face_of
from dagtop_app.tasks.tally import ByRows
from dagtop_app.text import clean, clock, clock_left, plural, seconds_of

_S = TaskState

#: Policies in the order in which they become stronger, with what each means.
POLICIES = {
    RestartPolicy.NO: "not at all",
    RestartPolicy.ON_FAILURE: "after it failed, ran out of time, or was not well",
    RestartPolicy.ALWAYS: "after every end, a good one too",
}
#: A policy as the table has room for it.
SHORT = {RestartPolicy.NO: "no", RestartPolicy.ON_FAILURE: "on-fail", RestartPolicy.ALWAYS: "always"}


def is_kept(row: TaskRow) -> bool:
    """Whether the task is kept at a desired state, or a person has said that it is to be down."""
    return row.policy.is_supervised or not row.wanted or row.gone


@lru_cache(maxsize=4)
def _keeps(plan: Plan) -> bool:
    return any(policy.is_supervised for policy in plan.policies)


def keeps(snapshot: RunSnapshot) -> bool:
    """Whether the run keeps tasks at a desired state."""
    return _keeps(snapshot.plan)


@lru_cache(maxsize=4)
def _comes_to_an_end(plan: Plan) -> bool:
    """Whether it is a graph of graphs with tasks that end: then its services are let go of, and it is no desired state."""
    return bool(plan.nodes) and not all(
        policy.restart.is_on for index, policy in enumerate(plan.policies) if index not in plan.nodes
    )


@lru_cache(maxsize=4)
def _serves(plan: Plan) -> bool:
    always = RestartPolicy.ALWAYS
    return any(policy.restart.policy is always or policy.ready is not None for policy in plan.policies)


def serves(snapshot: RunSnapshot) -> bool:
    """Whether some of its tasks are to go on for ever, so that the run has no end to count towards."""
    if _comes_to_an_end(snapshot.plan):
        return False
    return _serves(snapshot.plan) or (keeps(snapshot) and level_of(snapshot).up > 0)


@lru_cache(maxsize=4)
def _mostly_kept(plan: Plan) -> bool:
    tasks = [policy for index, policy in enumerate(plan.policies) if index not in plan.nodes]
    return 2 * sum(policy.is_supervised for policy in tasks) >= len(tasks)


def counts_what_is_up(snapshot: RunSnapshot) -> bool:
    """Whether the run's figure is how much of it is up: not that of an ordinary graph in which some task has restarts."""
    return serves(snapshot) and _mostly_kept(snapshot.plan)


def is_service(row: TaskRow) -> bool:
    """Whether the task, as it runs, would not come to an end by itself: it is stopped when a run is drained."""
    restart = row.policy.restart
    return restart.policy is RestartPolicy.ALWAYS or (restart.is_on and row.serving)


class Level(NamedTuple):
    """How far the run is what it should be, in tasks."""

    well: int
    """Up, or at a good end."""
    up: int
    """Those of them that run."""
    wanted: int


def level_of(snapshot: RunSnapshot) -> Level:
    """How many tasks are well, and how many are wanted."""
    return _level(ByRows(snapshot.rows), snapshot.plan)


@lru_cache(maxsize=2)
def _level(key: ByRows, plan: Plan) -> Level:
    wanted = [row for row in key.rows if row.wanted and not row.gone and row.index not in plan.nodes]
    up = sum(row.state is _S.RUNNING and row.serving for row in wanted)
    well = up + sum(row.state in GOOD or is_between_rounds(row) for row in wanted)
    return Level(well, up, len(wanted))


def is_restart(row: TaskRow) -> bool:
    """Whether what it waits for in BACKOFF is a restart by its policy, and not a retry."""
    return row.state is _S.BACKOFF and row.restarts > 0 and row.attempt == row.attempts_before


def is_between_rounds(row: TaskRow) -> bool:
    """Whether it has done its round, and begins again in a while: nothing is wrong with it."""
    return row.state is _S.BACKOFF and row.failure is None and row.restarts > 0


def replicas_of(snapshot: RunSnapshot, task: str) -> int | None:
    """How many replicas there are of a task; None if it never had any."""
    index, count = snapshot.plan.index, 0
    if f"{task}[0]" not in index:
        return None
    while (place := index.get(f"{task}[{count}]")) is not None and not snapshot.rows[place].gone:
        count += 1
    return count


def replicas_text(snapshot: RunSnapshot, row: TaskRow) -> str:
    """Of a task that stands for replicas: how many of them are up; "" of any other."""
    count = replicas_of(snapshot, row.name)
    if not count:
        return ""
    rows = [snapshot.rows[snapshot.plan.index[f"{row.name}[{number}]"]] for number in range(count)]
    return (
        f"{sum(one.state is _S.RUNNING and one.serving for one in rows)}/{count} up" if any(map(is_kept, rows)) else ""
    )


def whole_of(snapshot: RunSnapshot, task: str) -> str:
    """The task that one is a replica of; any other is itself."""
    name, bracket, number = task.rpartition("[")
    is_replica = bracket and number.endswith("]") and number[:-1].isdigit() and name in snapshot.plan.index
    return name if is_replica else task


# -- one line ------------------------------------------------------------------------------------------------------------


def is_healthy(snapshot: RunSnapshot, row: TaskRow) -> bool:
    """Whether it has run for so long that restarts before it count no more."""
    begun = row.started_at
    return begun is not None and snapshot.at - begun >= row.policy.restart.reset_after


def is_looping(snapshot: RunSnapshot, row: TaskRow) -> bool:
    """Whether it fails again and again, and has not been healthy since."""
    if row.crashes < CRASH_LOOP:
        return False
    return is_restart(row) or (row.state is _S.RUNNING and not is_healthy(snapshot, row))


def running_text(snapshot: RunSnapshot, row: TaskRow) -> str:
    """Of a task that runs: whether it is up, and how often it had to be started."""
    if not (row.policy.is_supervised or row.serving):
        return ""
    parts = ["up" if row.serving else "not ready yet"]
    if row.reason and row.state is _S.RUNNING and not row.serving:
        parts.append(clean(row.reason, 200))
    if is_looping(snapshot, row):
        parts.append(f"crash loop: {counted_crashes(row.crashes)} so far")
    elif row.restarts:
        parts.append(f"restarted {row.restarts}×")
    return " · ".join(parts)


def restart_text(snapshot: RunSnapshot, row: TaskRow) -> str:
    """When it is started again: "restart 3 in 4s (3 crashes)"."""
    left = max(0.0, (row.due_at or snapshot.at) - snapshot.at)
    when = f"in {clock_left(left)}" if left > 0 else "now, when a slot is free"
    crashes = f" ({counted_crashes(row.crashes)})" if row.failure is not None else " · it ended well"
    return f"restart {row.restarts} {when}{crashes}"


def counted_crashes(count: int) -> str:
    """ "3 crashes"."""
    return "1 crash" if count == 1 else f"{count:,} crashes"


def blocked_text(row: TaskRow) -> str:
    """Why it is started no more, and the way out, which comes first: there may be room for little."""
    why = clean(row.reason) or "cannot go on by itself"
    if not row.policy.restart.is_on or row.failure is None:
        return why
    used = f"{plural(row.crashes, 'restart')} used up" if row.crashes else "failed, and has no restarts"
    return f"{used} · r starts it · e raises the ceiling · {clean(row.failure.error, 200)}"


#: How the engine tells that whoever sits before the console did it.
_BY_YOU = re.compile(r"^(stopped|cancelled) by (?:hand|console)\b")


def down_text(row: TaskRow) -> str:
    """Of a task that is to be down, and of one that went; "" of any other."""
    if row.gone:
        return "removed from the graph" if row.state in FINAL else "removed from the graph, is being stopped"
    if row.wanted:
        return ""
    if row.state not in FINAL:
        return "is to stay down"
    told = _BY_YOU.sub(r"\1 by you", clean(row.reason, 200)) if row.state is _S.CANCELLED else ""
    return f"{told or 'is to stay down'} · d starts it"


def desired_text(row: TaskRow) -> str:
    """ "want UP · is RETRY · gen 4": the desired state in one line."""
    want = "GONE" if row.gone else "UP" if row.wanted else "DOWN"
    return f"want {want} · is {standing(row)} · gen {row.generation}"


def standing(row: TaskRow) -> str:
    """How it is, in a word."""
    if row.state is _S.RUNNING and row.serving:
        return "UP"
    return "NOT READY" if row.state is _S.RUNNING and row.policy.is_supervised else face_of(row).word


# -- policies ------------------------------------------------------------------------------------------------------------


def policy_short(restart: Restart, cells: int) -> str:
    """A restart policy in a few cells."""
    policy = RestartPolicy(restart.policy)
    if cells < 12 or policy is RestartPolicy.NO:
        return SHORT[policy]
    ceiling = ceiling_of(restart)
    return SHORT[policy] if ceiling is None else f"{SHORT[policy]} · ≤{ceiling}"


def restart_brief(restart: Restart) -> str:
    """How often and after how long it is started again, in few words."""
    if not restart.is_on:
        return "no restarts"
    ceiling = ceiling_of(restart)
    often = "restarts" if ceiling is None else f"{plural(ceiling, 'restart')} at most"
    delays = ", ".join(seconds_of(it) for it in (0, restart.base, 2 * restart.base))
    return f"{SHORT[RestartPolicy(restart.policy)]}: {often}, after {delays} …"


def restart_words(restart: Restart) -> str:
    """A restart policy in words."""
    if not restart.is_on:
        return "is not started again"
    after = "after every end" if restart.policy is RestartPolicy.ALWAYS else "after a failure"
    ceiling = ceiling_of(restart)
    often = "as often as it takes" if ceiling is None else f"{plural(ceiling, 'restart')} after failures at most"
    waits = f"waits 0s, {seconds_of(restart.base)}, {seconds_of(2 * restart.base)} … {seconds_of(restart.cap)}"
    jitter = f", jitter {restart.jitter:.0%}" if restart.jitter else ""
    return f"started again {after} · {often} · {waits}{jitter} · healthy after {seconds_of(restart.reset_after)}"


def probes_words(row: TaskRow) -> str:
    """Which probes it has; "" if none."""
    policy = row.policy
    asked = [
        f"{what} probe every {seconds_of(probe.interval)}, no answer in {seconds_of(probe.timeout)} is a no"
        for what, probe in (("readiness", policy.ready), ("liveness", policy.alive))
        if probe is not None
    ]
    return " · ".join(asked)


# -- at length -----------------------------------------------------------------------------------------------------------


def not_ready_text(row: TaskRow) -> str:
    """What a running task has to do to be ready."""
    if row.policy.ready is not None:
        return f"Its readiness probe has not passed yet; it is asked every {seconds_of(row.policy.ready.interval)}."
    return "It is ready when it says ctx.ready(), passes a probe (ready=Probe(…) in the file), or has succeeded once."


def allowance(row: TaskRow) -> str:
    """How many restarts after a failure it has left."""
    restart = row.policy.restart
    ceiling = ceiling_of(restart)
    if ceiling is None:
        return "It is started again as often as it takes."
    left = max(0, ceiling - row.crashes)
    anew = f"a healthy run of {seconds_of(restart.reset_after)} begins the count anew"
    return f"{plural(left, 'further restart')} after failures allowed, of {ceiling}; {anew}."


def explain_kept(snapshot: RunSnapshot, row: TaskRow, name: str) -> Iterator[tuple[str, str]]:
    """The long answer for a task that is kept, where it differs from that for any other: (text, style class)."""
    match row.state:
        case _S.RUNNING:
            yield from _running(snapshot, row, name)
        case _S.BACKOFF:
            how = "failed" if row.failure is not None else "came to its end"
            yield f"{name} {how}, and is started again by its policy: {restart_text(snapshot, row)}.", "retry"
            if row.failure is not None:
                yield f"{clean(row.failure.error, 200)}: {clean(row.failure.message, 600)}", "error"
                yield allowance(row), "dim"
            if is_looping(snapshot, row):
                yield f"{row.crashes} failures, none after a healthy run: a crash loop.", "fail"
            yield "r starts it now, d has it stay down, P changes the policy, e ceiling and delays.", "dim"
        case _S.BLOCKED:
            yield f"{name} is started no more: {clean(row.reason) or 'it has had its restarts'}.", "block"
            if row.failure is not None:
                yield f"{clean(row.failure.error, 200)}: {clean(row.failure.message, 600)}", "error"
            yield (
                "e with a higher max_restarts starts it again; so does r, and then they count from the beginning.",
                "",
            )
        case _:
            yield from _down(row, name)


def _running(snapshot: RunSnapshot, row: TaskRow, name: str) -> Iterator[tuple[str, str]]:
    taken = clock(snapshot.at - (row.started_at if row.started_at is not None else snapshot.at))
    if row.serving:
        yield f"{name} is up, and has been running for {taken}: what depends on it may start.", "ok"
    else:
        yield f"{name} has been running for {taken}, and is not ready yet: what depends on it waits.", "retry"
        yield not_ready_text(row), ""
        if row.reason:
            yield f"{clean(row.reason, 300)}.", "fail"
    if row.restarts:
        times = f"{plural(row.restarts, 'restart')} since it was healthy, {row.crashes} of them after a failure"
        yield f"{times}.", "fail" if is_looping(snapshot, row) else ""
    if row.policy.alive is not None:
        yield f"Its liveness probe asks every {seconds_of(row.policy.alive.interval)}.", "dim"
    if row.policy.restart.is_on:
        yield f"It is {restart_words(row.policy.restart)}.", "dim"
    yield "@ shows where it is now, d has it stay down, P changes the policy.", "dim"


def _down(row: TaskRow, name: str) -> Iterator[tuple[str, str]]:
    if row.gone:
        yield f"{name} was removed from the graph. If the graph names it again, it starts anew.", ""
    elif not row.wanted:
        told = f": {clean(row.reason)}" if row.reason else ""
        yield f"{name} is to be down{told}. Its policy does not start it again.", ""
        yield "d starts it, with what was skipped because of it.", "dim"


def differs(row: TaskRow) -> bool:
    """Whether `explain_kept` has the answer."""
    if row.gone or not row.wanted:
        return row.state in FINAL
    supervised = row.policy.is_supervised or row.serving
    return is_restart(row) or (supervised and row.state in {_S.RUNNING, _S.BLOCKED})


def run_is_up(snapshot: RunSnapshot) -> bool:
    """Whether the run goes on, and all that is wanted is well."""
    if snapshot.state is not RunState.RUNNING or not keeps(snapshot):
        return False
    level = level_of(snapshot)
    return level.up > 0 and level.well == level.wanted
