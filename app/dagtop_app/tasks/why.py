"""Why a task is as it is, and what happens next: the column that the console is for. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from dagtop.core.failure import Failure
from dagtop.core.guards import OnReject, Ruling
from dagtop.core.plan import Plan
from dagtop.core.policy import OnUpstreamFailure, Trigger
from dagtop.core.ready import ranking
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, RunState, TaskState

from dagtop_app.faces import glyph_of, is_at_gate
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.obstacles import ById, obstacles, slots_text, turn
from dagtop_app.text import bar, clean, clock, clock_left, name_of, number, ordinal, plural

_S = TaskState

#: How the engine calls whoever sits before the console; of runs of long ago it is not known who did it.
BY_YOU = frozenset({"", "hand", "console"})
#: Beyond this many queued tasks the place in the line is not worked out any more: it is long, and that is what matters.
_LONGEST_LINE = 500


class Why(NamedTuple):
    """A short text, the style class it is drawn in, and the share done (None: no bar)."""

    text: str
    style: str = ""
    share: float | None = None


#: Errors of dagtop's own whose message says it all.
_SAYS_ALL = frozenset({"TaskTimeoutError", "TaskExitError", "UpstreamFailedError", "WorkerDiedError"})


def error_line(failure: Failure) -> str:
    """A failure in one line."""
    error, message = clean(failure.error, 200), clean(failure.message, 1000).strip("␊ ")
    return f"{error}: {message}" if message else error


def needs(snapshot: RunSnapshot, row: TaskRow) -> list[TaskRow]:
    """Upstream tasks that it still waits for, by its own rule, the troubled ones first."""
    rows, policy = snapshot.rows, row.policy
    ended = policy.trigger != Trigger.ALL_SUCCESS or policy.on_upstream_failure == OnUpstreamFailure.RUN
    settled = FINAL if ended else GOOD
    missing = [it for i in snapshot.plan.upstream[row.index] if not ((it := rows[i]).state in settled or it.serving)]
    return sorted(missing, key=lambda it: (it.state not in BAD, it.state not in ACTIVE, it.index))


@lru_cache(maxsize=4)
def _ranks(plan: Plan) -> Sequence[int]:
    return ranking(plan)[0]


def _line_of(snapshot: RunSnapshot) -> Mapping[int, int]:
    """For each queued task how many start before it; empty if the line is very long."""
    if not 0 < snapshot.counts.get(_S.READY, 0) <= _LONGEST_LINE:
        return {}
    return _line(ById(snapshot))


@lru_cache(maxsize=1)
def _line(key: ById) -> Mapping[int, int]:
    ranks = _ranks(key.snapshot.plan)
    ready = sorted((ranks[row.index], row.index) for row in key.snapshot.rows if row.state is _S.READY)
    return {index: place for place, (_, index) in enumerate(ready)}


def why(snapshot: RunSnapshot, row: TaskRow) -> Why:
    """What the row's task waits for, does, or ended with, in one line."""
    if row.state in FINAL and (down := upkeep.down_text(row)):
        return Why(down, "dim")
    match row.state:
        case _S.WAITING:
            return _why_waiting(snapshot, row)
        case _S.READY:
            return _why_queued(snapshot, row)
        case _S.HELD:
            return _why_gate(snapshot, row) if is_at_gate(row) else Why(f"{held_text(row)} · p releases it", "held")
        case _S.RUNNING:
            return _why_running(snapshot, row)
        case _S.BACKOFF if upkeep.is_restart(row):
            told = upkeep.restart_text(snapshot, row)
            return Why(_joined(told, error_line(row.failure) if row.failure else ""), "retry")
        case _S.BACKOFF:
            left = max(0.0, (row.due_at or snapshot.at) - snapshot.at)
            when = f"in {clock_left(left)}" if left > 0 else "now, when a slot is free"
            return Why(_joined(when, error_line(row.failure) if row.failure else ""), "retry")
        case _S.CANCELLING:
            return _why_cancelling(snapshot, row)
        case _S.FAILED | _S.TIMED_OUT:
            return Why(error_line(row.failure) if row.failure else clean(row.reason) or "failed", "fail")
        case _S.BLOCKED:
            return Why(upkeep.blocked_text(row), "block")
        case _S.SKIPPED:
            return Why(clean(row.reason) or "skipped by rule", "dim")
        case _S.CANCELLED:
            return Why(clean(row.reason) or "stopped", "dim")
        case _S.CACHED:
            return _aged(row, Why(clean(row.reason) or "result of an earlier run", "dim"))
        case _S.SUCCEEDED:
            return _aged(row, Why(_joined(upkeep.replicas_text(snapshot, row), _why_ok(row)), "dim"))


def why_in_short(snapshot: RunSnapshot, row: TaskRow) -> Why:
    """The same for the table, where every cell counts: errors of dagtop's own are sentences, and need not be named."""
    told = why(snapshot, row)
    named, _, said = told.text.partition(": ")
    return told._replace(text=said) if row.state in BAD and said and named in _SAYS_ALL else told


def _aged(row: TaskRow, told: Why) -> Why:
    if row.state is _S.CACHED and row.torn_down:
        told = told._replace(text=_joined(told.text, "torn down"))
    return Why(_joined("stale: an upstream ran again", told.text), "retry") if row.stale else told


def held_text(row: TaskRow) -> str:
    """Who holds it."""
    return f"held by {'you' if row.held_by in BY_YOU else clean(row.held_by, 60)}"


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _held_up(snapshot: RunSnapshot) -> str:
    """Why nothing at all starts, if so."""
    match snapshot.state:
        case RunState.PAUSED:
            return "the run is paused · Z goes on"
        case RunState.DRAINING:
            return "the run is draining: nothing new starts"
        case RunState.CANCELLING:
            return "the run is stopping"
        case RunState.PENDING:
            return "the run has not begun"
        case _:
            return ""


def _why_waiting(snapshot: RunSnapshot, row: TaskRow) -> Why:
    missing = needs(snapshot, row)
    if not missing:
        told = _joined(f"{held_text(row)} · p releases it" if row.held else "", _held_up(snapshot))
        return Why(told or _asked(snapshot, row), "dim")
    shown = ", ".join(f"{glyph_of(it)} {name_of(it.name, 60)}{_not_ready(it)}" for it in missing[:2])
    more = f" (+{len(missing) - 2} more)" if len(missing) > 2 else ""
    rule = "any of " if row.policy.trigger == Trigger.ANY_SUCCESS and len(missing) > 1 else ""
    return Why(_joined(held_text(row) if row.held else "", f"needs {rule}{shown}{more}"), "held" if row.held else "dim")


def _asked(snapshot: RunSnapshot, row: TaskRow) -> str:
    """Why a task whose upstream lets it start is WAITING still."""
    plan = snapshot.plan
    if row.index in plan.asks:
        return "asks its condition, or looks into the cache"
    nothing_yet = snapshot.counts.get(_S.WAITING, 0) == len(snapshot.rows)
    return "services are being opened first" if plan.sets_up and nothing_yet else "about to start"


def _why_gate(snapshot: RunSnapshot, row: TaskRow) -> Why:
    asked = row.gate
    prompt = clean(asked.prompt, 300) if asked is not None else ""
    return Why(_joined("a decides", gate_deadline(snapshot, row), prompt, "held as well" if row.held else ""), "retry")


def _not_ready(row: TaskRow) -> str:
    """Of an upstream task that runs, and that others wait for all the same."""
    return " (not ready yet)" if row.state is _S.RUNNING and row.policy.is_supervised else ""


def gate_deadline(snapshot: RunSnapshot, row: TaskRow) -> str:
    """What becomes of a task at its gate if nobody decides, and when; "" if it waits for ever."""
    asked, gate = row.gate, row.policy.gate
    if asked is None or asked.timeout is None:
        return ""
    left = asked.at + asked.timeout - snapshot.at
    when = f"in {clock_left(left)}" if left > 0 else "now"
    if gate is not None and gate.on_timeout is Ruling.APPROVE:
        return f"approved {when}"
    return f"{'skipped' if gate is not None and gate.on_reject is OnReject.SKIP else 'rejected'} {when}"


def _why_queued(snapshot: RunSnapshot, row: TaskRow) -> Why:
    stopped = _held_up(snapshot)
    if stopped:
        return Why(stopped, "held")
    missing = [*obstacles(snapshot, row)]
    if missing:
        return Why(" · ".join(missing), "queue")
    if waits := turn(snapshot, row):
        return Why(waits, "queue")
    place = _line_of(snapshot).get(row.index)
    if place is None:
        where = f"one of {snapshot.counts.get(_S.READY, 0):,} in line"
    else:
        where = "next in line" if place == 0 else f"{ordinal(place + 1)} in line"
    return Why(f"{where} · {slots_text(snapshot)}", "queue")


def which_attempt(row: TaskRow) -> str:
    """ "attempt 2 of 3"; one that was asked for by hand, beyond what the policy allows, is just "attempt 4"."""
    allowed = row.policy.attempts_allowed
    return f"attempt {row.attempt} of {allowed}" if row.attempt <= allowed else f"attempt {row.attempt}"


def _why_running(snapshot: RunSnapshot, row: TaskRow) -> Why:
    told = row.progress
    kept = upkeep.running_text(snapshot, row)
    again = _joined(kept or (which_attempt(row) if row.attempt > 1 else ""), why_run(row))
    if told is None:
        limit = row.policy.timeout
        if limit is not None and row.started_at is not None:
            left = limit - (snapshot.at - row.started_at)
            if left < limit / 2:
                return Why(_joined(again, f"timeout in {clock_left(left)}" if left > 0 else "out of time"), "retry")
        return Why(again, "retry" if kept and not row.serving else "dim")
    done, total, message = told
    text = clean(message, 300)
    if total is not None and total > 0:
        share = min(1.0, max(0.0, done / total))
        return Why(_joined(*_standing_first(kept, text or f"{number(done)}/{number(total)}", again)), "", share)
    return Why(_joined(*_standing_first(kept, _counted(done, text), again)), "")


def awaited(snapshot: RunSnapshot, row: TaskRow, left: float | None = None) -> str:
    """Of a running task that tells nothing of itself: how long it has `left`, if that is known, and what comes when it ends."""
    rows, plan = snapshot.rows, snapshot.plan
    below = [i for i in plan.downstream[row.index] if rows[i].state is _S.WAITING and i not in plan.nodes]
    told = f"~{clock_left(left)} left" if left is not None and left > 0 else ""
    if not below:
        return told or "nothing waits for it"
    first = f"{glyph_of(rows[below[0]])} {name_of(rows[below[0]].name, 60)}"
    others = f" and {len(below) - 1:,} more wait" if len(below) > 1 else " waits"
    return _joined(told, f"{first}{others} for it")


def _standing_first(kept: str, progress: str, again: str) -> tuple[str, str]:
    """Of a task that is kept it matters most whether it is up; of any other how far it is."""
    return (again, progress) if kept else (progress, again)


def _counted(done: float, text: str) -> str:
    """ "14,201 rows" as it is; the number in front where the text has none."""
    if not done or any(char.isdigit() for char in text):
        return text
    return _joined(number(done), text) if not text else f"{number(done)} {text}"


def _why_cancelling(snapshot: RunSnapshot, row: TaskRow) -> Why:
    reason = clean(row.reason, 200)
    return Why(_joined(f"told to stop{told_ago(snapshot, row)}", reason), "stop")


def told_ago(snapshot: RunSnapshot, row: TaskRow) -> str:
    """ " 3s ago": since when it has known that it should stop, or "" if that is not known."""
    if row.cancelling_at is None:
        return ""
    passed = max(0.0, snapshot.at - row.cancelling_at)
    return f" {int(passed)}s ago" if passed < 100 else f" {clock(passed)} ago"


_FAILED = frozenset({_S.FAILED.value, _S.TIMED_OUT.value})


def _why_ok(row: TaskRow) -> str:
    failed = sum(one.ending in _FAILED for one in row.history)  # others were restarted by hand, or stopped
    times = f"after {plural(failed, 'failed attempt')}" if failed else ""
    told = clean(row.progress[2], 200) if row.progress and row.progress[1] is None else ""
    torn_down = "torn down" if row.torn_down else ""
    return _joined(clean(row.reason, 200), told, times, why_run(row), torn_down)


def why_run(row: TaskRow) -> str:
    """Of a task with a cache that ran, or runs, all the same: why."""
    return f"not from the cache: {clean(row.why_run, 200)}" if row.why_run else ""


def share_bar(share: float, cells: int = 10) -> tuple[str, str, str]:
    """("62% ", filled, rest) of a progress bar."""
    filled, rest = bar(share, cells)
    return f"{int(share * 100):3d}% ", filled, rest
