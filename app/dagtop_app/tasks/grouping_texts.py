"""A group of tasks in words: its row of the table, its side of the inspector. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, TaskState

from dagtop_app.faces import ASCII, ENTERED, TALLIES, drawn, face_of, glyph_of
from dagtop_app.lines import Line, Span, fit_line, joined, line_width
from dagtop_app.tasks.grouping import Pack
from dagtop_app.tasks.row_orders import rank
from dagtop_app.tasks.stacked_bar import stacked_bar
from dagtop_app.tasks.table_columns import Columns, arranged
from dagtop_app.tasks.why import error_line, why
from dagtop_app.text import clean, clock, cut, duration, fit, name_of, plural

#: Members looked at per second, at most, to tell how a group stands.
_PACE = 100_000
#: Members that are named.
_NAMED = 12
_TELLING = BAD | ACTIVE | {TaskState.BACKOFF}


class Rolled(NamedTuple):
    """What the tasks of a group come to."""

    counts: Mapping[TaskState, int]
    worst: TaskRow
    """The one that comes first in the order of problems."""
    begun: float | None
    ended: float | None
    """None while one of them is still to end."""
    some: Sequence[TaskRow] = ()
    """One of each state."""
    telling: Sequence[TaskRow] = ()
    """What is wrong, then what goes on: the first few."""
    telling_count: int = 0

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """How many have come to their end."""
        return sum(count for state, count in self.counts.items() if state in FINAL)


class Rolls:
    """The latest of each group; of large ones not at every look."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, int, float, Rolled]] = {}

    def of(self, snapshot: RunSnapshot, pack: Pack) -> Rolled:
        """How the group stands."""
        known = self._known.get(pack.key)
        if known is not None and known[1] == len(pack.members):
            rests = 0.0 <= snapshot.at - known[2] < len(pack.members) / _PACE
            if known[0] is snapshot.rows or rests:
                return known[3]
        rolled = rolled_up(snapshot, pack)
        self._known[pack.key] = (snapshot.rows, len(pack.members), snapshot.at, rolled)
        return rolled


def rolled_up(snapshot: RunSnapshot, pack: Pack) -> Rolled:
    """How a group stands."""
    rows = [snapshot.rows[index] for index in pack.members]
    counts = Counter([row.state for row in rows])
    begun = min((row.started_at for row in rows if row.started_at is not None), default=None)
    over = all(state in FINAL for state in counts)
    ended = max((row.ended_at for row in rows if row.ended_at is not None), default=None) if over else None
    some = tuple({(row.state, row.held, row.gate is None): row for row in reversed(rows)}.values())
    telling = [row for row in rows if row.state in _TELLING]
    first = nsmallest(_NAMED, telling, key=rank)
    return Rolled(counts, min(some, key=rank), begun, ended, some, first, len(telling))


def figures(counts: Mapping[TaskState, int]) -> list[Span]:
    """✔9,801 ●8 ✖3, what is well and what goes on first."""
    spans: list[list[Span]] = []
    order = sorted(TALLIES, key=lambda tally: not any(state in GOOD for state in tally.states))
    for tally in order:
        count = sum(counts.get(state, 0) for state in tally.states)
        if count:
            spans.append([(f"{drawn(tally.face)}{count:,}", tally.face.style)])
    return joined(spans, " ")


def percent_of(rolled: Rolled) -> str:
    """How much of it is over."""
    if rolled.begun is None and not rolled.done:
        return "-"
    return "100%" if rolled.done == rolled.total else f"{min(99, 100 * rolled.done // rolled.total)}%"


def group_line(snapshot: RunSnapshot, rolled: Rolled, label: str, cols: Columns, *, cursor: bool = False) -> Line:
    """A group in one line of the table."""
    worst = rolled.worst
    face = face_of(worst)
    quiet = rolled.done == rolled.total and worst.state not in BAD
    edge = (">" if ASCII else "▌") if cursor else " "
    room = cols.task - 2
    shown = cut(label, room)
    took = "-"
    if rolled.begun is not None:
        took = (
            clock(snapshot.at - rolled.begun)
            if rolled.ended is None
            else duration(max(0.0, rolled.ended - rolled.begun))
        )
    cells: dict[str, Sequence[Span]] = {
        "task": (
            (shown, "strong" if cursor else "dim" if quiet else ""),
            (fit(f" {ENTERED}", cols.task - line_width([(shown, "")])), "key"),
        ),
        "state": ((fit(face.word, cols.state), face.style),),
        "try": ((fit(percent_of(rolled), cols.tries), "dim"),),
        "time": ((fit(took, cols.time, right=True), "dim" if quiet else ""),),
        "policy": ((fit(plural(rolled.total, "task"), cols.policy), "faint"),),
        "why": fit_line([*figures(rolled.counts), *_telling(snapshot, worst)], cols.why),
    }
    return ((edge, "mark"), (f"{drawn(face)} ", face.style), *arranged(cols, cells))


def _telling(snapshot: RunSnapshot, worst: TaskRow) -> list[Span]:
    if worst.state not in BAD and worst.state is not TaskState.BACKOFF:
        return []
    text = error_line(worst.failure) if worst.failure is not None else clean(worst.reason, 200)
    return [("  ", ""), (text, "error" if worst.state in BAD else "retry")] if text else []


# -- the inspector ---------------------------------------------------------------------------------------------------------


def group_title(rolled: Rolled, label: str) -> tuple[list[Span], list[Span]]:
    """The line above it: (left, right)."""
    face = face_of(rolled.worst)
    return [(label, "title"), (f" · {plural(rolled.total, 'task')}", "dim")], [
        (f"{drawn(face)} {face.word}", face.style)
    ]


def group_side(snapshot: RunSnapshot, rolled: Rolled, cells: int, height: int) -> list[Line]:
    """How the group stands, and its most telling members."""
    done = stacked_bar(rolled.counts, rolled.total, max(8, min(40, cells - 20)))
    lines: list[Line] = [
        ((" done    ", "head"), *done, (f" {rolled.done:,}/{rolled.total:,}", "")),
        ((" tasks   ", "head"), *figures(rolled.counts)),
    ]
    named = list(_named(snapshot, rolled, max(1, height - len(lines) - 1)))
    if named:
        lines += [(), *named]
    lines.append(
        (
            (
                " ⏎ shows them; keys act on all of them" if not ASCII else " Enter shows them; keys act on all of them",
                "faint",
            ),
        )
    )
    return [fit_line(line, cells) for line in lines[: max(2, height)]]


def _named(snapshot: RunSnapshot, rolled: Rolled, most: int) -> Iterator[Line]:
    """What is wrong first, then what goes on."""
    telling = rolled.telling[: min(most, _NAMED)]
    for row in telling:
        told = why(snapshot, row)
        yield (
            (f" {glyph_of(row)} ", face_of(row).style),
            (f"{name_of(row.name, 40)}  ", ""),
            (told.text, "error" if told.style == "fail" else told.style),
        )
    if rolled.telling_count > len(telling):
        yield ((f"   and {rolled.telling_count - len(telling):,} more", "dim"),)
