"""What the long answer to "why" adds: who did it, when it moves, who stands in the way, what keys would do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagtop.core import commands as do
from dagtop.core.blast import blast_radii
from dagtop.core.policy import OnUpstreamFailure, Trigger
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, FINAL, RunState, TaskState
from dagtop.observe.story import Edit, Story

from dagtop_app.chrome.badges import stands
from dagtop_app.text import clean, clock, clock_left, name_of, plural

_S = TaskState
#: Commands that are told of one task, and tasks that are named of those that hold something.
_EDITS, _NAMED = 4, 4


def who(by: str) -> str:
    """Who gave a command."""
    return "you" if by in ("console", "hand") else clean(by, 60)


def edits_of(story: Story, row: TaskRow) -> list[Edit]:
    """The latest commands that were about the task, or a node that it is in, oldest first."""
    found: list[Edit] = []
    for edit in reversed(story.edits):
        about = getattr(edit.command, "task", "")
        if edit.applied and about and (about == row.name or row.name.startswith(f"{about}/")):
            found.append(edit)
            if len(found) == _EDITS:
                break
    return found[::-1]


def done_to_it(story: Story, row: TaskRow) -> Iterator[tuple[str, str]]:
    """What people have done to it: when, who, what, why."""
    edits = edits_of(story, row)
    if edits:
        yield "What was done to it by hand:", "dim"
    for edit in edits:
        told = clean(edit.why, 300) or clean(edit.text, 300)
        yield f"  {clock(edit.at)} {edit.command.verb} by {who(edit.by)}: {told}", "held"


def since_when(story: Story | None, row: TaskRow, kind: type[do.Command]) -> str:
    """ ", since 0:12": when the latest such command was given for the task; "" if that is not known."""
    if story is None:
        return ""
    edit = next((edit for edit in reversed(edits_of(story, row)) if isinstance(edit.command, kind)), None)
    return "" if edit is None else f", since {clock(edit.at)}{f': {clean(edit.why, 200)}' if edit.why else ''}"


def run_stands(snapshot: RunSnapshot, story: Story | None) -> Iterator[tuple[str, str]]:
    """What keeps the whole run, if anything does: why, who did it, what moves it."""
    because = f": {clean(snapshot.reason, 200)}" if snapshot.reason else ""
    match snapshot.state:
        case RunState.PAUSED:
            edit = _latest(story, do.PauseRun)
            told = f" by {who(edit.by)} since {clock(edit.at)}" if edit is not None else ""
            yield f"The run is paused{told}: nothing new starts before Z goes on.", "held"
        case RunState.DRAINING:
            yield f"The run is draining{because}: what runs may finish, nothing new starts any more.", "held"
        case RunState.CANCELLING:
            yield f"The run is being stopped{because}: nothing new starts any more.", "stop"
        case RunState.PENDING:
            yield "The run has not begun: what its services need is opened first.", "dim"
        case _:
            return


def _latest(story: Story | None, kind: type[do.Command]) -> Edit | None:
    edits = reversed(story.edits) if story is not None else ()
    return next((edit for edit in edits if edit.applied and isinstance(edit.command, kind)), None)


def starts(snapshot: RunSnapshot) -> bool:
    """Whether anything new may start now."""
    return snapshot.state is RunState.RUNNING


# -- by its own rule -----------------------------------------------------------------------------------------------------

_RULES = {
    Trigger.ALL_SUCCESS: "all of them have succeeded",
    Trigger.ANY_SUCCESS: "the first of them has succeeded",
    Trigger.ALL_DONE: "all of them have ended, however that was",
    Trigger.NONE_FAILED: "all of them have ended and none has failed",
}
_LOST = {
    OnUpstreamFailure.SKIP: "it is skipped",
    OnUpstreamFailure.FAIL: "it fails with it",
    OnUpstreamFailure.RUN: "it runs all the same",
}


def rule_text(row: TaskRow) -> str:
    """When it starts by its own rule, and what becomes of it if that cannot be."""
    policy = row.policy
    lost = _LOST[OnUpstreamFailure(policy.on_upstream_failure)]
    return f"It starts when {_RULES[Trigger(policy.trigger)]}; if that cannot be any more, {lost}."


# -- who holds what it needs ---------------------------------------------------------------------------------------------


def slot_holders(snapshot: RunSnapshot) -> str:
    """Who has the slots, the longest first: one of them has to end."""
    return _held_by(snapshot, [row for row in snapshot.rows if row.state in ACTIVE])


def holders(snapshot: RunSnapshot, row: TaskRow) -> Iterator[str]:
    """Who has what is missing of its pool and its resources."""
    policy = row.policy
    if policy.pool and _is_short(snapshot, f"pool:{policy.pool}", 1):
        inside = [it for it in snapshot.rows if it.state in ACTIVE and it.policy.pool == policy.pool]
        yield f"pool {clean(policy.pool, 60)} is held by {_held_by(snapshot, inside)}"
    for name, wanted in policy.resources.items():
        if wanted and _is_short(snapshot, f"resource:{name}", wanted):
            inside = [it for it in snapshot.rows if it.state in ACTIVE and it.policy.resources.get(name)]
            yield f"{clean(name, 60)} is held by {_held_by(snapshot, inside)}"


def _is_short(snapshot: RunSnapshot, key: str, wanted: int) -> bool:
    used, there = snapshot.limits.get(key, (0, wanted))
    return used + wanted > there


def _held_by(snapshot: RunSnapshot, rows: Sequence[TaskRow]) -> str:
    if not rows:
        return "others than tasks of this run"
    longest = sorted(rows, key=lambda it: it.started_at if it.started_at is not None else snapshot.at)
    named = ", ".join(
        f"{name_of(it.name, 40)} for {clock(snapshot.at - it.started_at) if it.started_at is not None else '0:00'}"
        for it in longest[:_NAMED]
    )
    return f"{named} and {plural(len(rows) - _NAMED, 'other')}" if len(rows) > _NAMED else named


# -- while it runs, and after --------------------------------------------------------------------------------------------


def running_facts(snapshot: RunSnapshot, row: TaskRow) -> Iterator[tuple[str, str]]:
    """When it is stopped, what becomes of it if it fails, whether it is in everybody's way."""
    policy = row.policy
    if policy.timeout is not None and row.started_at is not None:
        left = policy.timeout - (snapshot.at - row.started_at)
        yield (
            f"Its time is up in {clock_left(left)}; then it is stopped." if left > 0 else "Its time is up.",
            "dim" if left > policy.timeout / 2 else "retry",
        )
    left_over = policy.attempts_allowed - (row.attempt - row.attempts_before)
    if not policy.restart.is_on:
        again = (
            "there is no further attempt" if left_over <= 0 else f"{plural(left_over, 'further attempt')} may follow"
        )
        yield f"If it fails, {again}.", "dim"
    blocked = snapshot.blocked
    if blocked is not None and blocked.task == row.name:
        where = f", at {clean(blocked.where, 200)}" if blocked.where else ""
        yield f"It keeps the event loop from going round, for {blocked.seconds:.1f} s so far{where}.", "fail"


def looked_after(snapshot: RunSnapshot, row: TaskRow) -> Iterator[tuple[str, str]]:
    """Which escalation tells of it, and whether somebody looks after that."""
    report = next((one for one in reversed(snapshot.escalations) if one.task == row.name), None)
    if report is None or not stands(snapshot, report):
        return
    owner = snapshot.acknowledged.get(report.number)
    if owner is None:
        yield f"ESC-{report.number}: nobody looks after it yet. A acknowledges it, 6 shows all of them.", "warn"
    else:
        note = f": {clean(owner.note, 300)}" if owner.note else ""
        verb = "look" if who(owner.by) == "you" else "looks"
        yield f"ESC-{report.number}: {who(owner.by)} {verb} after it since {clock(owner.at)}{note}", "held"


def way_out(snapshot: RunSnapshot, row: TaskRow) -> Iterator[tuple[str, str]]:
    """What r and R would do to a task that has ended; what is not possible says why, and what would help."""
    if row.state not in FINAL or row.gone:
        return
    commands = (do.RestartTask(row.name), do.RestartTask(row.name, downstream=True))
    alone, after = blast_radii(snapshot, commands)
    if alone.refusal and alone.refusal == after.refusal:
        yield f"r and R cannot run it now: {clean(alone.refusal, 400)}.", "dim"
        return
    told = [
        f"{key} {clean(radius.refusal or radius.summary, 300)}"
        for key, radius in (("r:", alone), ("R:", after))
        if radius.refusal or radius.summary
    ]
    if len(told) == 2 and alone.summary == after.summary:
        told = told[:1]
    yield f"{'; '.join(told)}.", "dim"
