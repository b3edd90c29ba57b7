"""The long answer to "why": what a task waits for, what moves it, what it holds up. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from dagtop.core.commands import HoldTask
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import BAD, FINAL, GOOD, TaskState
from dagtop.core.topology import reach
from dagtop.core.wording import is_blame
from dagtop.observe.story import Story

from dagtop_app.faces import face_of, glyph_of, is_at_gate
from dagtop_app.tasks import explain_more as more
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.inspector import escalation_of
from dagtop_app.tasks.obstacles import busy, is_narrowed, obstacles, slots
from dagtop_app.tasks.why import gate_deadline, held_text, needs, told_ago, which_attempt, why, why_run
from dagtop_app.text import clean, clock, duration, name_of, ordinal, plural

_S = TaskState
#: How many tasks a paragraph names before it counts the rest.
_NAMED = 8


def explain(snapshot: RunSnapshot, row: TaskRow, story: Story | None = None) -> Iterator[tuple[str, str]]:
    """The answer, paragraph by paragraph: (text, style class). With the `story` of the run also who did what to it."""
    if upkeep.differs(row):
        yield from upkeep.explain_kept(snapshot, row, name_of(row.name, 200))
        if row.state is _S.BLOCKED or upkeep.is_looping(snapshot, row):
            yield from _cause(snapshot, row)
    else:
        yield from _state(snapshot, row, story)
    if row.held and row.state is not _S.HELD:
        since = more.since_when(story, row, HoldTask)
        yield f"It is {held_text(row)}{since}. Whatever happens, it will not start before p releases it.", "held"
    if row.state in _NOT_STARTED:
        yield from more.run_stands(snapshot, story)
    yield from more.looked_after(snapshot, row)
    yield from _holds_up(snapshot, row)
    if story is not None:
        yield from more.done_to_it(story, row)


#: States in which it matters that the run is paused, or stops.
_NOT_STARTED = frozenset({_S.WAITING, _S.READY, _S.HELD, _S.BACKOFF})


def _took(row: TaskRow) -> str:
    """How long it took, and at which attempt it succeeded."""
    if row.started_at is None or row.ended_at is None or row.state is not _S.SUCCEEDED:
        return ""
    tried = f", at its {ordinal(row.attempt)} attempt" if row.attempt > 1 else ""
    return f" in {duration(max(0.0, row.ended_at - row.started_at))}{tried}"


def _culprits(snapshot: RunSnapshot, row: TaskRow) -> Iterator[tuple[str, str]]:
    """Because of which tasks it did not run, those that began it."""
    if not is_blame(row.reason):
        return
    rows = snapshot.rows
    first = [it for i in sorted(reach(snapshot.plan.upstream, [row.index])) if (it := rows[i]).state in BAD]
    if first:
        names = ", ".join(f"{glyph_of(it)} {name_of(it.name, 60)}" for it in first[:4])
        others = f" and {len(first) - 4:,} more" if len(first) > 4 else ""
        verb = "has" if len(first) == 1 else "have"
        yield f"It may run again once {names}{others} {verb} succeeded, or {verb} been given an output (m).", ""


def _because(row: TaskRow) -> str:
    return f": {clean(row.reason)}" if row.reason else ""


def _state(snapshot: RunSnapshot, row: TaskRow, story: Story | None) -> Iterator[tuple[str, str]]:
    name = name_of(row.name, 200)
    told = why(snapshot, row).text
    match row.state:
        case _S.WAITING:
            yield from _waiting(snapshot, row, name)
        case _S.READY:
            yield from _queued(snapshot, row, name, told)
        case _S.HELD if is_at_gate(row):
            yield from _gate(snapshot, row, name)
        case _S.HELD:
            since = more.since_when(story, row, HoldTask)
            yield f"{name} has all it needs, but it is {held_text(row)}{since}. It starts when p releases it.", ""
        case _S.RUNNING:
            taken = clock(snapshot.at - (row.started_at if row.started_at is not None else snapshot.at))
            yield f"{name} has been running for {taken}, {which_attempt(row)}.", ""
            if why_run(row):
                yield f"It runs {why_run(row)}.", "dim"
            yield from more.running_facts(snapshot, row)
            yield "@ shows where it is now.", "dim"
        case _S.BACKOFF:
            left = max(0, row.policy.attempts_allowed - (row.attempt - row.attempts_before))
            yield f"{name} failed; it is tried again {told}", "retry"
            yield f"{plural(left, 'further attempt')} allowed. e changes how many, and how long it waits.", "dim"
        case _S.CANCELLING:
            yield f"{name} was told to stop{told_ago(snapshot, row)} and has not stopped yet{_because(row)}.", ""
            yield (
                "It ends when its code does: a thread cannot be stopped from outside, it has to look at ctx.cancelled.",
                "dim",
            )
        case _S.BLOCKED:
            yield f"{name} cannot go on by itself{_because(row)}.", ""
        case _S.FAILED | _S.TIMED_OUT:
            ending = "ran out of time" if row.state is _S.TIMED_OUT else "failed"
            tried = f" after {plural(row.attempt, 'attempt')}" if row.attempt else " without an attempt"
            yield f"{name} {ending} for good{tried}.", "fail"
            yield told, "error"
            yield from _cause(snapshot, row)
            yield from more.way_out(snapshot, row)
            yield "F runs all that failed again; m gives it an output.", "dim"
        case _S.SKIPPED | _S.CANCELLED:
            ending = "skipped" if row.state is _S.SKIPPED else "stopped"
            yield f"{name} was {ending}{_because(row)}.", ""
            yield from _culprits(snapshot, row)
            yield from more.way_out(snapshot, row)
        case _S.SUCCEEDED | _S.CACHED:
            taken_from = "was taken from the cache" if row.state is _S.CACHED else "is done"
            yield f"{name} {taken_from}{_because(row)}{_took(row)}.", "ok"
            if why_run(row):
                yield f"It ran {why_run(row)}.", "dim"
            if row.torn_down:
                yield "It has been torn down: if it is needed again, it starts over.", "dim"
            if row.stale:
                yield (
                    "An upstream task ran again after it did: its result may be out of date. r runs it again.",
                    "retry",
                )


def _queued(snapshot: RunSnapshot, row: TaskRow, name: str, told: str) -> Iterator[tuple[str, str]]:
    missing = [*obstacles(snapshot, row)]
    if missing:
        yield f"{name} has all it needs from its upstream, and waits for more than a slot:", ""
        for text in missing:
            yield f"  {text}", "queue"
        keys = [
            "# changes the limit of a pool" if row.policy.pool else "",
            "b its breaker" if row.policy.circuit else "",
        ]
        for text in more.holders(snapshot, row):
            yield f"  {text}", "dim"
        yield "; ".join(key for key in keys if key) or "What others hold comes back when they end.", "dim"
        return
    if not more.starts(snapshot):
        yield f"{name} has all it needs, and would start as soon as there is a slot.", ""
        return
    yield f"{name} has all it needs and could start now: {told}.", ""
    if is_narrowed(snapshot):
        yield "The run adapts how many run at once to how tasks fare; fewer than it may run now.", "dim"
    if busy(snapshot) >= slots(snapshot):
        yield f"The slots are held by {more.slot_holders(snapshot)}.", "dim"
    yield "A slot becomes free when a running task ends; + allows one more at once.", "dim"


def _gate(snapshot: RunSnapshot, row: TaskRow, name: str) -> Iterator[tuple[str, str]]:
    asked = row.gate
    if asked is not None:
        yield f"{name} stands at its gate: it has all it needs, and goes on when somebody approves it.", "retry"
        if asked.prompt:
            yield f"  {clean(asked.prompt)}", "strong"
        deadline = gate_deadline(snapshot, row)
        yield (
            f"{'If nobody decides: ' + deadline if deadline else 'It waits for as long as it takes'}. a decides.",
            "dim",
        )


def _cause(snapshot: RunSnapshot, row: TaskRow) -> Iterator[tuple[str, str]]:
    report = escalation_of(snapshot, row)
    if report is not None:
        yield f"Cause: {report.cause.words}. {clean(report.summary, 1000)}", ""
        for text in report.evidence[:4]:
            yield f"  - {clean(text, 400)}", "dim"
        for text in report.options[:4]:
            yield f"  → {clean(text, 400)}", ""


def _waiting(snapshot: RunSnapshot, row: TaskRow, name: str) -> Iterator[tuple[str, str]]:
    missing = needs(snapshot, row)
    if not missing:
        yield f"{name} has all it needs: {why(snapshot, row).text}.", ""
        return
    total = len(snapshot.plan.upstream[row.index])
    yield f"{name} needs {plural(total, 'task')}; {total - len(missing)} of them done, {len(missing)} missing:", ""
    for it in missing[:_NAMED]:
        face = face_of(it)
        yield f"  {glyph_of(it)} {name_of(it.name, 80)} · {face.word.lower()} · {why(snapshot, it).text}", face.style
    if len(missing) > _NAMED:
        yield f"  and {len(missing) - _NAMED:,} more", "dim"
    yield more.rule_text(row), "dim"
    roots = _roots(snapshot, row)
    if roots:
        names = ", ".join(f"{glyph_of(it)} {name_of(it.name, 60)}" for it in roots[:4])
        others = f" and {len(roots) - 4:,} more" if len(roots) > 4 else ""
        yield f"In the end it waits for {names}{others}.", ""


def _roots(snapshot: RunSnapshot, row: TaskRow) -> list[TaskRow]:
    """Upstream tasks, however far, that themselves wait for no other: what has to move first."""
    rows = snapshot.rows
    far = [rows[i] for i in reach(snapshot.plan.upstream, [row.index])]
    moving = [it for it in far if it.state not in GOOD and it.state is not _S.WAITING]
    return sorted(moving, key=lambda it: (it.state not in BAD, it.index))


def _holds_up(snapshot: RunSnapshot, row: TaskRow) -> Iterator[tuple[str, str]]:
    if row.state in GOOD:
        return
    after = [snapshot.rows[i] for i in sorted(reach(snapshot.plan.downstream, [row.index]))]
    waiting = [it for it in after if it.state not in FINAL]
    lost = [it for it in after if it.state in {_S.SKIPPED, _S.CANCELLED, _S.BLOCKED}]
    for them, verb in ((waiting, "wait"), (lost, "did not run")):
        if them and not (verb == "did not run" and row.state not in FINAL):
            names = ", ".join(name_of(it.name, 40) for it in them[:4])
            others = f" and {len(them) - 4:,} more" if len(them) > 4 else ""
            yield (
                f"{plural(len(them), 'task')} after it {verb if len(them) > 1 else _one(verb)}: {names}{others}.",
                "dim",
            )


def _one(verb: str) -> str:
    return "waits" if verb == "wait" else verb
