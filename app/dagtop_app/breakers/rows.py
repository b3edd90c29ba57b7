"""The list of circuit breakers: a line for each, and what stands above it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dagtop.core.breakers import BreakerView
from dagtop.core.guards import BreakerState, OnOpen
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import TaskState

from dagtop_app import faces
from dagtop_app.breakers.machine import FACES, glyph, trips_at
from dagtop_app.breakers.model import Calls, Users, counts, lately, p95
from dagtop_app.lines import Line, Span
from dagtop_app.tasks.obstacles import WORDS, forced_by
from dagtop_app.text import clean, clock, clock_left, cut, duration, fit, seconds_of

_FORCED = "FORCED"


class Cols(NamedTuple):
    """Widths of the columns; 0 for one that is left out."""

    name: int
    state: int = 10
    fail: int = 8
    p95: int = 6
    calls: int = 10
    reject: int = 6
    guards: int = 6
    waits: int = 0
    trips: int = 0
    next: int = 10


def columns(cells: int, longest: int) -> Cols:
    """What fits: names as long as they are where there is room, more columns on screens of 100 and 132 cells."""
    cols = Cols(name=0)
    if cells >= 99:
        cols = cols._replace(waits=6, trips=6)
    if cells >= 131:
        cols = cols._replace(calls=20, next=24)
    shown = [*filter(None, cols)]
    left = cells - 3 - sum(shown) - len(shown) - 4  # three cells before the calls, and before what is next
    name = max(8, min(longest, left, 48))
    return cols._replace(name=name, next=cols.next + max(0, left - name))


def head_line(cols: Cols) -> Line:
    """The titles."""
    titles = (
        ("NAME", cols.name, False),
        ("STATE", cols.state, False),
        ("FAIL/OF", cols.fail, True),
        ("p95", cols.p95, True),
        ("", 1, False),
        (f"CALLS {'60s' if cols.calls < 20 else 'of 60s'}", cols.calls, False),
        ("REJECT", cols.reject, True),
        ("TASKS", cols.guards, True),
        ("WAIT", cols.waits, True),
        ("TRIPS", cols.trips, True),
        ("", 1, False),
        ("NEXT", cols.next, False),
    )
    text = " ".join(fit(title, cells, right=right) for title, cells, right in titles if cells)
    return ((f"   {text}", "head"),)


def row_line(snapshot: RunSnapshot, view: BreakerView, users: Users, calls: Calls, cols: Cols, *, cursor: bool) -> Line:
    """One breaker."""
    face = FACES[view.state]
    held = view.forced is not None
    style = "held" if held else face.style
    loud = held or view.state is not BreakerState.CLOSED
    waits = users.count(view.name, TaskState.READY) if loud else 0
    known, rejected = calls.of(view.name), calls.rejected[view.name]
    longest = p95(known)
    counts_now = not held and view.computed is BreakerState.CLOSED
    failed = f"{view.failures if counts_now else '-'}/{view.spec.failure_threshold}"
    number = "strong" if view.failures and counts_now else "dim"
    spans: list[Span] = [
        ("▌" if cursor else " ", "mark"),
        (f"{glyph(view.state)} ", face.style),
        (fit(clean(view.name, 200), cols.name), "strong" if loud else ""),
        (" ", ""),
        (fit(_FORCED if held else face.word, cols.state), style if loud else "dim"),
        (" ", ""),
        (fit(failed, cols.fail, right=True), number),
        (" ", ""),
        (
            fit("-" if longest is None else duration(longest), cols.p95, right=True),
            "" if longest is not None else "faint",
        ),
        ("   ", ""),
        *strip(lately(known, snapshot.at, cols.calls)),
        (" ", ""),
        (fit(f"{rejected:,}", cols.reject, right=True), "fail" if rejected else "faint"),
        (" ", ""),
        (fit(f"{users.count(view.name):,}", cols.guards, right=True), ""),
    ]
    if cols.waits:
        spans += [(" ", ""), (fit(f"{waits:,}", cols.waits, right=True), "queue" if waits else "faint")]
    if cols.trips:
        spans += [(" ", ""), (fit(f"{view.trips:,}", cols.trips, right=True), "" if view.trips else "faint")]
    spans += [
        ("   ", ""),
        (cut(next_text(snapshot, view, short=cols.next < 16), cols.next), style if loud else "faint"),
    ]
    return tuple(spans)


_MARKS = {"+": ("✔", "+", "ok"), "!": ("✖", "!", "fail"), "?": ("✖", "?", "retry"), ".": ("·", ".", "faint")}


def strip(marks: str) -> list[Span]:
    """A strip of marks, see `lately`."""
    spans: list[Span] = []
    for mark in marks:
        shown, plain, style = _MARKS[mark]
        char = plain if faces.ASCII else shown
        if spans and spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + char, style)
        else:
            spans.append((char, style))
    return spans


def next_text(snapshot: RunSnapshot, view: BreakerView, *, short: bool = False) -> str:
    """What happens to it next, or in which state and since when somebody holds it; `short`: the glyph tells the state."""
    if view.forced is not None:
        since = next((moved.at for moved in reversed(view.recent) if moved.by_force and moved.state), None)
        who = who_of(forced_by(view))
        state = "" if short else f"{WORDS[view.forced]}, "
        return f"{state}{who}{'' if since is None else f' {clock(since)}'}"
    if view.state is BreakerState.OPEN:
        left = (view.probe_due_at or snapshot.at) - snapshot.at
        return f"in {clock_left(left)}" if left > 0 else "probe now"
    if view.state is BreakerState.HALF_OPEN:
        done = f"{view.successes + view.probing}/{view.spec.success_threshold}"
        return f"probe {done}" if view.probing else f"waits {done}"
    return "-"


def who_of(reason: str) -> str:
    """Who did it, from the engine's words: "held open by hand" is "you"."""
    _, by, who = reason.rpartition(" by ")
    return ("you" if who == "hand" else who) if by else "by hand"


def rule_of(views: Sequence[BreakerView]) -> tuple[list[Span], list[Span]]:
    """(left, right) of the line above the list."""
    opened, half, forced = counts(views)
    right: list[Span] = [
        (f"{opened} open", "fail" if opened else "dim"),
        (" · ", "dim"),
        (f"{half} half-open", "retry" if half else "dim"),
    ]
    if forced:
        right += [(" · ", "dim"), (f"{forced} forced", "held")]
    return [("Breakers", "title"), (f" {len(views)}", "dim")], right


def settings_text(view: BreakerView, *, short: bool = False) -> str:
    """Its settings in a few words."""
    spec = view.spec
    recovery = seconds_of(spec.recovery_timeout)
    if short:
        times = f" ×{spec.success_threshold}" if spec.success_threshold > 1 else ""
        return f"{trips_at(spec, short=True)} · probe {recovery}{times}"
    probes = f" · closes after {spec.success_threshold} probes" if spec.success_threshold > 1 else ""
    fails = " · tasks fail at it" if spec.on_open is OnOpen.FAIL else ""
    return f"trips at {trips_at(spec)} · probes after {recovery}{probes}{fails}"
