"""All about one circuit breaker, as lines and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dagtop.core.breakers import BreakerView
from dagtop.core.forecast import Usual
from dagtop.core.guards import BreakerState, OnOpen
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import TaskState
from dagtop.observe.story import Story, Turn

from dagtop_app import faces
from dagtop_app.breakers.machine import drawing, trips_at
from dagtop_app.breakers.model import (
    Calls,
    Effect,
    Users,
    by_trouble,
    effect,
    held_up,
    lately,
    p95,
    stretches,
    turns_of,
)
from dagtop_app.breakers.rows import settings_text, strip
from dagtop_app.faces import face_of, glyph_of
from dagtop_app.lines import Line, Span, line_width
from dagtop_app.tasks.obstacles import WORDS, forced_by
from dagtop_app.tasks.why import why
from dagtop_app.text import clean, clock, cut, duration, fit, name_of, plural, seconds_of, width, wrap

#: Cells of the words at the left of the lines about one breaker.
_LABEL = 9
#: Tasks that are looked at of those that ask one.
_LOOKED_AT = 2000


class Scene(NamedTuple):
    """What the lines about one breaker are made from."""

    snapshot: RunSnapshot
    story: Story
    view: BreakerView
    users: Users
    calls: Calls
    selected: int | None = None
    """The task that keys act on."""
    usual: Mapping[int, Usual] = {}
    """How long tasks took in earlier runs, by index."""


def detail(scene: Scene, cells: int, height: int, *, cost: Effect | None) -> list[Line]:
    """As much as fits into `height` lines, the most telling ones; `height` 0 for everything."""
    snapshot, view = scene.snapshot, scene.view
    turns = turns_of(view, scene.story)
    rows = by_trouble(snapshot, scene.users.tasks(view.name)[:_LOOKED_AT])
    room = height or 1000
    facts = [*_facts(scene, rows, cost)]
    tall = room >= len(facts) + 6 + 3
    machine = drawing(view, snapshot.at, cells, tall=tall) if room >= len(facts) + 4 + 1 else []
    if tall and machine and line_width(machine[0]) + _LEGEND <= cells:
        machine = _with_legend(machine, scene)
    lines: list[Line] = [*machine]
    if view.forced is not None:
        lines.append(_forced(view))
    left = max(1, room - len(lines) - len(facts))
    many = left if height else len(turns)
    lines += [*_history(turns, cells, max(1, min(many, left)))]
    for label, spans in facts:
        lines += _labelled(label, spans)
    left = room - len(lines) - 2
    if rows and left >= min(3, len(rows)):
        lines += [(), ((" WHO ASKS IT", "head"),), *_everybody(scene, rows, cells, left if height else 500)]
    return lines[:room]


#: Cells that the figures take beside the machine.
_LEGEND = 44


def _with_legend(machine: Sequence[Line], scene: Scene) -> list[Line]:
    """Its figures, at the right of the machine."""
    view, at = scene.view, scene.snapshot.at
    known, rejected = scene.calls.of(view.name), scene.calls.rejected[view.name]
    users = scene.users.count(view.name)
    verb = "fail" if view.spec.on_open is OnOpen.FAIL else "wait"
    what = f"{verb}{'s' if users == 1 else ''} {'at' if verb == 'fail' else 'for'} it"
    now = [*stretches(turns_of(view, scene.story), at)]
    shut = sum(one.end - one.start for one in now if one.state != BreakerState.CLOSED)
    since = f" since {clock(now[-1].start)}, for {clock(at - now[-1].start)}" if now else ""
    longest = p95(known)
    took = f", 95 of 100 within {duration(longest)}" if longest is not None else ""
    good = sum(call.ok for call in known)
    facts = (
        ("now", f"{WORDS[view.state]}{since}"),
        ("open", f"{duration(shut)} of the run so far" if shut else "never so far"),
        ("opened", plural(view.trips, "time")),
        ("calls", f"{good:,} of {len(known):,} went well{took}"),
        ("tasks", f"{plural(users, 'task')} {'asks' if users == 1 else 'ask'} it, and {what}"),
        ("rejected", plural(rejected, "task")),
    )
    lines = [*machine]
    for place, (label, text) in enumerate(facts):
        lines[place] = (*lines[place], ("    ", ""), (fit(label, 10), "head"), (text, ""))
    return lines


def _labelled(label: str, spans: Sequence[Span]) -> list[Line]:
    return [((f" {fit(label, _LABEL)} ", "head"), *spans)]


def _forced(view: BreakerView) -> Line:
    forced, computed = view.forced, view.computed
    assert forced is not None
    own = "as by itself" if forced is computed else f"by itself it is {WORDS[computed]}"
    return (
        (f" {fit('forced', _LABEL)} ", "head"),
        (f" {WORDS[forced]} ", "alarm"),
        (f" {forced_by(view)}", ""),
        (f" · {own}", "dim" if forced is computed else "warn"),
        (" · f lets it go", "key"),
    )


def _facts(scene: Scene, rows: Sequence[TaskRow], cost: Effect | None) -> Iterator[tuple[str, Sequence[Span]]]:
    snapshot, view = scene.snapshot, scene.view
    yield "window", _window(scene)
    yield "guards", _tasks(rows, scene.selected, 24) or [("no task asks it", "faint")]
    waiting = [row for row in rows if row.state is TaskState.READY] if view.state is not BreakerState.CLOSED else []
    if waiting or view.state is not BreakerState.CLOSED:
        yield "waits", _waiting(snapshot, waiting)
    troubled = [row.index for row in rows if row.state in _UNDONE]
    if view.state is not BreakerState.CLOSED and troubled:
        after = held_up(snapshot, troubled)
        if after:
            yield "holds up", [(f"{plural(len(after), 'task')}: ", "block"), *_tasks(after, scene.selected, 8)]
    yield "effect", _effect(cost, scene.calls.rejected[view.name])


_UNDONE = frozenset({TaskState.READY, TaskState.BACKOFF, TaskState.FAILED, TaskState.TIMED_OUT, TaskState.BLOCKED})


def _window(scene: Scene) -> list[Span]:
    snapshot, view = scene.snapshot, scene.view
    spec, known = view.spec, scene.calls.of(view.name)
    counted = f"{view.failures} of {trips_at(spec)}"
    full = min(spec.failure_threshold, 20)
    failed = min(view.failures, full)
    bad, none = ("!", ".") if faces.ASCII else ("✖", "·")
    if view.computed is BreakerState.CLOSED:
        spans: list[Span] = [(bad * failed, "fail"), (none * (full - failed), "faint"), (f"  {counted}", "")]
    else:
        spans = [(f"opened {plural(view.trips, 'time')}, counts again when closed", "")]
    if spec.window is not None:
        spans += [("   ", ""), *strip(lately(known, snapshot.at, 20, spec.window))]
    if known:
        good = sum(call.ok for call in known)
        spans.append((f"   {good:,} of {plural(len(known), 'call')} went well", "dim"))
    return spans


def _tasks(rows: Sequence[TaskRow], selected: int | None, most: int) -> list[Span]:
    spans: list[Span] = []
    for row in rows[:most]:
        face = face_of(row)
        spans += [
            (f"{glyph_of(row)} ", face.style),
            (name_of(row.name, 40), "match" if row.index == selected else ""),
            ("  ", ""),
        ]
    if len(rows) > most:
        spans.append((f"+{len(rows) - most:,} more  ", "dim"))
    return spans


def _waiting(snapshot: RunSnapshot, waiting: Sequence[TaskRow]) -> list[Span]:
    if not waiting:
        return [("nobody now", "faint")]
    spans: list[Span] = [(f"{plural(len(waiting), 'task')}: ", "queue")]
    for row in sorted(waiting, key=lambda row: row.ready_at or 0.0)[:6]:
        since = f" {clock(snapshot.at - row.ready_at)}" if row.ready_at is not None else ""
        spans += [(name_of(row.name, 40), ""), (f"{since}  ", "dim")]
    return spans


def _effect(cost: Effect | None, rejected: int) -> list[Span]:
    turned = f"{plural(rejected, 'task')} failed at it" if rejected else ""
    if cost is None:
        return [(turned or "too many tasks to tell what it cost", "fail" if turned else "faint")]
    if not cost.tasks:
        return [(turned or "nothing has waited at it so far", "fail" if turned else "faint")]
    who = f"{plural(cost.tasks, 'task')} waited at it for {duration(cost.seconds)} in all"
    spans: list[Span] = []
    if cost.critical >= 0.05:
        spans = [(f"+{duration(cost.critical)}", "warn"), (" on the critical path so far", ""), (f" · {who}", "dim")]
    else:
        spans = [(who, ""), (", off the critical path", "dim")]
    return [*spans, (f" · {turned}", "fail")] if turned else spans


def _history(turns: Sequence[Turn], cells: int, most: int) -> list[Line]:
    """Its moves in at most so many lines, the latest last; in one line as many of them as fit."""
    told = [*zip(turns, _went(turns), strict=True)]
    if not told:
        return _labelled("history", [("it has not moved so far", "faint")])
    if most == 1 and len(told) > 1:
        spans: list[Span] = []
        for turn, went in reversed(told):
            piece: list[Span] = [*_turn(turn, went, 30), ("   ", "")]
            if spans and line_width(spans) + line_width(piece) > cells - _LABEL - 2:
                break
            spans = [*piece, *spans]
        return _labelled("history", spans)
    lines: list[Line] = []
    widest = max(width(went) for _, went in told[-most:])
    for place, (turn, went) in enumerate(told[-most:]):
        lines += _labelled("" if place else "history", _turn(turn, fit(went, widest), max(20, cells - widest - 24)))
    return lines


def _went(turns: Sequence[Turn]) -> Iterator[str]:
    """For each move: from where to where."""
    now = BreakerState.CLOSED.value
    for turn in turns:
        if turn.forced:
            yield f"held {_word(turn.state)}" if turn.state else "let go"
        elif not turn.state:
            yield "other settings"
        else:
            yield f"{_word(now)} → {_word(turn.state)}" if turn.state != now else f"{_word(turn.state)} again"
            now = turn.state


def _word(state: str) -> str:
    return state.replace("_", "-")


_STYLES = {"open": "fail", "half_open": "retry", "closed": "ok"}


def _turn(turn: Turn, went: str, room: int) -> list[Span]:
    style = "held" if turn.forced else _STYLES.get(turn.state, "")
    reason = clean(turn.reason, 300)
    if reason.endswith(" by hand"):
        reason = f"{reason.removesuffix('hand')}you"
    return [(f"{clock(turn.at):<5} ", "faint"), (went, style), (f"  {cut(reason, room)}", "dim")]


def _everybody(scene: Scene, rows: Sequence[TaskRow], cells: int, most: int) -> Iterator[Line]:
    shown = rows if len(rows) <= most else rows[: most - 1]
    widest = min(40, max((width(name_of(row.name, 60)) for row in rows), default=8))
    for row in shown:
        face = face_of(row)
        told = why(scene.snapshot, row)
        chosen = row.index == scene.selected
        yield (
            (" ▌" if chosen and not faces.ASCII else " >" if chosen else "  ", "mark"),
            (f"{glyph_of(row)} ", face.style),
            (f"{fit(name_of(row.name, 60), widest)} ", "strong" if chosen else ""),
            (f"{fit(face.word, 9)} ", face.style),
            (cut(told.text, max(8, cells - widest - 16)), told.style),
        )
    if len(rows) > len(shown):
        yield ((f"  +{len(rows) - len(shown):,} more", "dim"),)


def markdown(scene: Scene) -> str:
    """All about one breaker, to paste into a ticket."""
    snapshot, view = scene.snapshot, scene.view
    turns = turns_of(view, scene.story)
    forced = f" (forced; by itself {WORDS[view.computed]})" if view.forced is not None else ""
    lines = [
        f"### Breaker {_md(view.name)}: {WORDS[view.state]}{forced}",
        "",
        f"- {view.failures} of {trips_at(view.spec)}; probes after {seconds_of(view.spec.recovery_timeout)}",
        f"- opened {plural(view.trips, 'time')}; run {_md(snapshot.run)} at {clock(snapshot.at)}",
    ]
    rows = by_trouble(snapshot, scene.users.tasks(view.name)[:_LOOKED_AT])
    if rows:
        told = ", ".join(f"{_md(row.name)} {face_of(row).word.lower()}" for row in rows[:12])
        lines.append(f"- asked by {told}{f' and {len(rows) - 12:,} more' if len(rows) > 12 else ''}")
    lines += [f"- {clock(turn.at)} {went}: {_md(turn.reason)}" for turn, went in zip(turns, _went(turns), strict=True)]
    return "\n".join(lines) + "\n"


def _md(text: str) -> str:
    """A foreign text in Markdown."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|~" else char for char in clean(text, 300))


def cost_of(scene: Scene) -> Effect | None:
    """What the breaker has cost so far."""
    users = scene.users.tasks(scene.view.name)[:_LOOKED_AT]
    return effect(scene.snapshot, scene.story, turns_of(scene.view, scene.story), users, scene.usual)


def paragraphs(scene: Scene, cells: int) -> list[Line]:
    """Everything about it, full size."""
    lines = detail(scene, cells, 0, cost=cost_of(scene))
    return [*[((part, "dim"),) for part in wrap(settings_text(scene.view), cells)], (), *lines]
