"""The list of runs that were kept, as lines: one for each run, and what is told of the one under the cursor. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import BAD, GOOD, RUN_OVER, RunState
from dagtop.ports.journal import RunSummary

from dagtop_app import faces
from dagtop_app.commandline.problems import shorter
from dagtop_app.faces import BROKEN, CRASHED, RUN_FACES, Face, drawn
from dagtop_app.lines import Line, Span, fit_line
from dagtop_app.plain.events import counts_text
from dagtop_app.text import clean, clock, cut, duration, fit, name_of, plural, width

#: So many earlier runs of a graph say how long it usually takes, and from so many on that is told.
_LOOKED_AT, _ENOUGH = 20, 3
#: From so many times as long as usual on, a run is slow.
SLOW = 1.5
_WORDS = {state.value: face for state, face in RUN_FACES.items()} | {
    "crashed": CRASHED,
    "incomplete": Face("✖", "!", "INCOMPLETE", "fail"),
    "broken": BROKEN,
}
_GOOD_STATES = frozenset(state.value for state in GOOD)
_BAD_STATES = frozenset(state.value for state in BAD)
_OVER = frozenset(state.value for state in RUN_OVER)
_LEVELS = "▁▂▃▄▅▆▇█"
_PLAIN_LEVELS = "_.-=+*#@"


class Past(NamedTuple):
    """How long earlier runs of the same graph took that succeeded, the latest last."""

    seconds: tuple[float, ...] = ()

    @property
    def median(self) -> float | None:
        """What is usual; None if too few are known."""
        known = sorted(self.seconds)
        if len(known) < _ENOUGH:
            return None
        return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2


class Kept(NamedTuple):
    """One run of the list."""

    summary: RunSummary
    past: Past = Past()
    here: bool = False
    """It is the one of this console."""

    @property
    def run(self) -> str:
        """Its id."""
        return self.summary.run

    @property
    def seconds(self) -> float | None:
        """How long it took; None if that is not known."""
        found = self.summary
        return None if found.finished_at is None else max(0.0, found.finished_at - found.started_at)

    @property
    def done(self) -> int:
        """Tasks with a good end."""
        return sum(count for state, count in self.summary.counts.items() if state in _GOOD_STATES)

    @property
    def failed(self) -> int:
        """Tasks with a bad one."""
        return sum(count for state, count in self.summary.counts.items() if state in _BAD_STATES)

    @property
    def is_problem(self) -> bool:
        """Whether it did not end well, or has something that did not."""
        state = self.summary.state
        return bool(self.failed) or state in {"failed", "timed_out", "crashed", "incomplete"}

    @property
    def goes_on(self) -> bool:
        """Whether somebody runs it now."""
        return self.summary.state not in _OVER and (self.here or self.summary.alive)

    @property
    def times_usual(self) -> float | None:
        """How many times as long as usual it took; None if that is not known."""
        seconds, usual = self.seconds, self.past.median
        if seconds is None or not usual or self.summary.state != RunState.SUCCEEDED.value:
            return None
        return seconds / usual


def with_pasts(summaries: Iterable[RunSummary]) -> list[Kept]:
    """The runs, latest first, each with what earlier ones of its graph took. A pass over all of them."""
    newest = list(summaries)
    pasts: dict[str, deque[float]] = {}
    found: list[Kept] = []
    for summary in reversed(newest):
        origin = summary.source or f"\0{summary.graph}"
        known = pasts.setdefault(origin, deque(maxlen=_LOOKED_AT))
        kept = Kept(summary, Past(tuple(known)))
        found.append(kept)
        if summary.state == RunState.SUCCEEDED.value and kept.seconds is not None:
            known.append(kept.seconds)
    found.reverse()
    return found


def with_live(kept: Sequence[Kept], snapshot: RunSnapshot, source: str) -> list[Kept]:
    """The same with the run of this console as it is now, on top while it goes on."""
    if not snapshot.run:
        return list(kept)
    place = next((at for at, one in enumerate(kept) if one.run == snapshot.run), None)
    stored = kept[place] if place is not None else None
    others = [one for one in kept if one.run != snapshot.run]
    here = Kept(_summary(snapshot, source, stored), stored.past if stored is not None else Past(), here=True)
    over = snapshot.state in RUN_OVER or bool(snapshot.broken)
    at = place if over and place is not None else 0
    return [*others[:at], here, *others[at:]]


def _summary(snapshot: RunSnapshot, source: str, stored: Kept | None) -> RunSummary:
    nodes = snapshot.plan.nodes
    over = snapshot.state in RUN_OVER
    ended = max((row.ended_at for row in snapshot.rows if row.ended_at is not None), default=snapshot.at)
    return RunSummary(
        run=snapshot.run,
        graph=snapshot.graph,
        source=stored.summary.source if stored is not None else source,
        started_at=snapshot.started_at,
        state="broken" if snapshot.broken else snapshot.state.value,
        finished_at=snapshot.started_at + (ended if over else snapshot.at),
        counts={state.value: count for state, count in snapshot.counts.items() if count},
        tasks=len(snapshot.rows) - len(nodes),
        alive=True,
        pid=stored.summary.pid if stored is not None else 0,
    )


# -- columns -------------------------------------------------------------------------------------------------------------


class Columns(NamedTuple):
    """Cells of each column; 0: it is left out."""

    state: int
    graph: int
    run: int
    begun: int
    took: int
    done: int
    failed: int
    note: int


#: In front of the columns: cursor, mark, glyph.
_LEAD = 4
#: Cells that notes need before names of graphs get more.
_NOTE = 14


def columns(cells: int, rows: Sequence[Kept]) -> Columns:
    """What fits. Names are as wide as the longest of them, within reason."""
    longest = max((width(name_of(one.summary.graph, 60)) for one in rows[:500]), default=5)
    run = 20 if cells >= 98 else 0  # of a terminal of 100, with a bar at its side
    done = min(15, max((len(done_text(one)) for one in rows[:500]), default=5))
    others = (10, run, 12, 7, max(5, done), 6)
    room = cells - _LEAD - sum(size + 1 for size in others if size) - 1
    graph = max(5, min(longest, 36, room - _NOTE))
    return Columns(10, graph, *others[1:], max(0, room - graph))


def head_line(cols: Columns, cells: int) -> Line:
    """The titles of the columns."""
    titles = ("STATE", "GRAPH", "RUN", "BEGUN", "TOOK", "DONE", "FAILED", "NOTE")
    right = {"TOOK", "DONE", "FAILED"}
    line: list[Span] = [(" " * _LEAD, "")]
    for title, size in zip(titles, cols, strict=True):
        if size:
            line.append((fit(title, size, right=title in right) + " ", "head"))
    return fit_line(line, cells)


def run_line(
    kept: Kept, cols: Columns, now: float, *, cursor: bool = False, marked: bool = False, zone: tzinfo | None = None
) -> Line:
    """One run in one line."""
    summary, face = kept.summary, face_of(kept)
    quiet = not kept.here and not kept.is_problem
    edge = (">" if faces.ASCII else "▌") if cursor else " "
    failed: Span = (f"{kept.failed:,}", "fail") if kept.failed else ("-", "faint")
    seconds = _so_far(kept, now)
    slow = (kept.times_usual or 0.0) >= SLOW
    cells: list[tuple[str, int, str, bool]] = [
        (name_of(summary.graph, 200), cols.graph, "strong" if cursor else "" if not quiet else "dim", False),
        (clean(summary.run, 60), cols.run, "dim", False),
        (begun_text(summary.started_at, now, zone), cols.begun, "dim" if quiet else "", False),
        (_took(kept, seconds), cols.took, "warn" if slow else "dim" if quiet else "", True),
        (done_text(kept), cols.done, "dim", True),
        (failed[0], cols.failed, failed[1], True),
    ]
    line: list[Span] = [(edge, "mark"), ("*" if marked else " ", "mark"), (f"{drawn(face)} {face.word}", face.style)]
    line.append((" " * (cols.state - len(face.word) + 1), ""))
    line += [(fit(text, size, right=right) + " ", style) for text, size, style, right in cells if size]
    return (*line, *fit_line(notes(kept), cols.note)) if cols.note else tuple(line)


def done_text(kept: Kept) -> str:
    """How many tasks came to a good end, of how many."""
    known = bool(kept.summary.counts) or kept.summary.state in _OVER
    return f"{kept.done if known else '-':{',' if known else ''}}/{kept.summary.tasks:,}"


def _so_far(kept: Kept, now: float) -> float | None:
    """How long it took, or goes on already."""
    if kept.seconds is None and kept.goes_on:
        return max(0.0, now - kept.summary.started_at)
    return kept.seconds


def _took(kept: Kept, seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return clock(seconds) if kept.goes_on else duration(seconds)


def face_of(kept: Kept) -> Face:
    """How a run stands: glyph, word, style."""
    return _WORDS.get(kept.summary.state) or Face("?", "?", clean(kept.summary.state, 10).upper(), "dim")


def begun_text(at: float, now: float, zone: tzinfo | None = None) -> str:
    """When a run began, by the reader's clock, in 12 cells."""
    when, today = _wall(at, zone), _wall(now, zone)
    if when.date() == today.date():
        return f"{when:%H:%M:%S}"
    return f"{when:%b %d %H:%M}" if when.year == today.year else f"{when:%Y-%m-%d}"


def _wall(at: float, zone: tzinfo | None) -> datetime:
    try:
        return datetime.fromtimestamp(at, zone)
    except (ValueError, OverflowError, OSError):  # no clock ever said so
        return datetime.fromtimestamp(0.0, zone)


def notes(kept: Kept) -> list[Span]:
    """What is worth a word of it."""
    summary = kept.summary
    told: list[Span] = []
    if kept.here:
        told.append(("this one", "key"))
    elif kept.goes_on:
        told.append((f"process {summary.pid}", "run"))
    times = kept.times_usual
    if times is not None and times >= SLOW:
        told.append((f"{'^' if faces.ASCII else '▲'} {times:.1f}× usual" if times < 100 else "far slower", "warn"))
    if summary.incomplete:
        told.append((clean(summary.incomplete, 200), "fail"))
    elif summary.state == "crashed":
        told.append(("resumable", "dim"))
    others = {
        state: count
        for state, count in summary.counts.items()
        if state not in _GOOD_STATES and state not in _BAD_STATES
    }
    if not kept.goes_on and (text := counts_text(others)):
        told.append((clean(text, 80), "dim"))
    spans: list[Span] = []
    for place, span in enumerate(told):
        spans += [(" · ", "faint"), span] if place else [span]
    return spans


# -- what is told of one -------------------------------------------------------------------------------------------------


def detail_title(kept: Kept | None) -> tuple[list[Span], list[Span]]:
    """The line above what is told of the run under the cursor."""
    if kept is None:
        return [("no run", "dim")], []
    face = face_of(kept)
    return [(clean(kept.run, 60), "title")], [(f"{drawn(face)} {face.word}", face.style)]


def detail_lines(kept: Kept | None, cells: int, now: float, zone: tzinfo | None = None) -> list[Line]:
    """Its endings, when it was, how long its graph usually takes, and its file."""
    if kept is None:
        return []
    summary = kept.summary
    endings = clean(counts_text(dict(summary.counts)), 300) or "what became of them is told when it ends"
    facts: list[tuple[str, list[Span]]] = [("tasks", [(f"{summary.tasks:,}  ", "strong"), (endings, "")])]
    began = f"{_wall(summary.started_at, zone):%Y-%m-%d %H:%M:%S}"
    when: list[Span] = [(began, "")]
    if summary.finished_at is not None and not kept.goes_on:
        arrow = "->" if faces.ASCII else "→"
        when.append((f" {arrow} {_wall(summary.finished_at, zone):%H:%M:%S}", ""))
    if summary.pid and not kept.here:
        when.append((f"   process {summary.pid}{'' if summary.alive else ', gone'}", "dim"))
    facts.append(("when", when))
    facts.append(("took", _against_past(kept, _so_far(kept, now))))
    facts.append(("file", [(clean(shorter(summary.source), 300) or "started from Python", "dim")]))
    if not kept.goes_on and not kept.here and summary.state != RunState.SUCCEEDED.value:
        facts.append(("next", [*way_on(summary), (" goes on with it", "dim")]))
    return [fit_line([(f" {fit(label, 7)} ", "head"), *spans], cells) for label, spans in facts]


def way_on(summary: RunSummary) -> list[Span]:
    """What goes on with a run: a command, or the program that it was started from."""
    if summary.source:
        return [(f"dagtop resume {clean(summary.run, 60)}", "key")]
    return [("its program, by ", "dim"), ("DAGExecutor(resume=...)", "key"), (",", "dim")]


def _against_past(kept: Kept, seconds: float | None) -> list[Span]:
    past = kept.past
    told: list[Span] = [(duration(seconds) if seconds is not None else "not known", "strong")]
    usual = past.median
    if usual is None:
        known = plural(len(past.seconds), "earlier run") if past.seconds else "no earlier run"
        return [*told, (f"   {known} of it succeeded", "dim")]
    told.append((f"   usual {duration(usual)} of {plural(len(past.seconds), 'run')}  ", "dim"))
    line = [*past.seconds, *([seconds] if seconds is not None and not kept.goes_on else [])]
    return [*told, (sparks(line), "queue")]


def sparks(values: Sequence[float]) -> str:
    """A small bar for each value, as high as it is against the largest."""
    signs, most = _PLAIN_LEVELS if faces.ASCII else _LEVELS, max(values, default=0.0)
    if most <= 0:
        return signs[0] * len(values)
    return "".join(signs[min(7, max(0, round(value / most * 7)))] for value in values)


def list_title(
    shown: int, total: int, wanted: str, marked: int, *, problems: bool, place: str
) -> tuple[list[Span], list[Span]]:
    """The line above the list: (left, right)."""
    count = f"{shown:,} of {total:,}" if shown != total else f"{total:,}"
    left: list[Span] = [("Runs ", "title"), (count, "strong")]
    if marked:
        left += [(" · ", "dim"), (f"{marked} marked", "mark")]
    if problems:
        left += [(" · ", "dim"), ("problems only", "warn")]
    right: list[Span] = [("filter ", "dim"), (cut(clean(wanted, 200), 40), "match") if wanted else ("off", "dim")]
    return left, ([(f"{place} · ", "faint"), *right] if place else right)


def nothing_lines(total: int, place: str, cells: int) -> list[Line]:
    """What stands where there is no run to show."""
    if total:
        return [fit_line([("  no run is so · Esc shows all", "dim")], cells)]
    return [fit_line([(f"  no runs are kept{f' in {place}' if place else ''}", "dim")], cells)]
