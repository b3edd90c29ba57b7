"""The columns of the table of tasks: which there are, how wide, in which order, and a row's cells in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, TaskState

from dagtop_app.faces import ASCII
from dagtop_app.lines import Line, Span, fit_line, line_width
from dagtop_app.text import clean, cut, duration, fit, width

if TYPE_CHECKING:
    from dagtop.core.breakers import BreakerView
    from dagtop.core.forecast import Usual

#: All there are, in their usual order.
NAMES = ("task", "state", "try", "time", "usual", "policy", "breaker", "why")
#: What stands before all of them: the cursor's bar, the glyph and a space.
LEAD = 3
#: A task that runs so many times as long as it usually does is slow.
SLOW = 1.5
#: The order of the tree of levels; a table never has it.
LAYERS = "layers"

_STATE, _TRIES, _TIME, _USUAL, _BREAKER = 8, 4, 6, 6, 10
#: WHY takes what is left, and at least so much of what a person has chosen.
_LEAST_WHY = 10
#: What goes first where there is no room for all that a person has chosen.
_GO_FIRST = ("breaker", "usual", "policy", "time", "try", "state")
#: What a click on a column sorts by.
_SORTS = {"task": "name", "state": "state", "try": "tries", "time": "time", "usual": "slow", "why": "problems"}


class Columns(NamedTuple):
    """Widths of the table's columns in cells; 0: not shown."""

    task: int
    state: int
    tries: int
    time: int
    policy: int
    why: int
    usual: int = 0
    breaker: int = 0
    order: tuple[str, ...] = NAMES

    def sizes(self) -> list[tuple[str, int]]:
        """Those that are shown, in their order."""
        cells = {
            "task": self.task, "state": self.state, "try": self.tries, "time": self.time, "usual": self.usual,
            "policy": self.policy, "breaker": self.breaker, "why": self.why,
        }  # fmt: skip
        return [(name, cells[name]) for name in self.order if cells[name]]


class Have(NamedTuple):
    """What there is to show, and where."""

    screen: int = 0
    """Width of the terminal."""
    usual: bool = False
    """Whether it is known how long a task usually takes."""
    breaker: bool = False
    """Whether a task asks a breaker."""
    chosen: tuple[str, ...] = ()
    """What a person wants to see; () is all that there is room for."""


def columns(cells: int, longest_name: int, have: Have = Have()) -> Columns:  # noqa: B008 - frozen
    """The columns that fit `cells` cells: below 78 the policy goes (below 90 if there are more), below 70 the time."""
    name = min(max(longest_name, 12), 16 if cells < 90 else max(16, cells // 4))
    if have.chosen:
        return _chosen(cells, name, have.chosen)
    time = _TIME if cells >= 70 else 0
    usual = _USUAL if have.usual and have.screen >= 100 and cells >= 76 else 0
    breaker = _BREAKER if have.breaker and have.screen >= 132 and cells >= 76 else 0
    policy = 9 if cells < (120 if usual or breaker else 96) else 15
    if cells < 78 or ((usual or breaker) and cells < 90):
        policy = 0  # WHY comes before it, and whole names
        name = max(name, min(longest_name, 20)) if cells >= 78 else name
    taken = LEAD + sum(size + 1 for size in (name, _STATE, _TRIES, time, policy, usual, breaker) if size)
    return Columns(name, _STATE, _TRIES, time, policy, max(0, cells - taken), usual, breaker)


def _chosen(cells: int, name: int, chosen: tuple[str, ...]) -> Columns:
    sizes = {
        "task": name, "state": _STATE, "try": _TRIES, "time": _TIME, "usual": _USUAL, "policy": 9 if cells < 110 else 15,
        "breaker": _BREAKER,
    }  # fmt: skip
    kept = [column for column in chosen if column in NAMES]
    least = cells - LEAD - (_LEAST_WHY if "why" in kept else 0)
    for column in _GO_FIRST:
        if sum(sizes.get(it, 0) + 1 for it in kept) > least and column in kept:
            kept.remove(column)
    taken = LEAD + sum(sizes[it] + 1 for it in kept if it != "why")
    why = max(0, cells - taken) if "why" in kept else 0
    size = {column: sizes[column] if column in kept else 0 for column in sizes}
    return Columns(
        size["task"],
        size["state"],
        size["try"],
        size["time"],
        size["policy"],
        why,
        size["usual"],
        size["breaker"],
        tuple(kept),
    )


def arranged(cols: Columns, cells: Mapping[str, Sequence[Span]]) -> list[Span]:
    """A row's cells in the order of the columns; one that is not given is left empty."""
    spans: list[Span] = []
    sizes = cols.sizes()
    for place, (name, size) in enumerate(sizes):
        gap = "" if place == len(sizes) - 1 else " "
        given = list(cells.get(name, ()))
        if not given:
            spans.append((" " * (size + len(gap)), ""))
            continue
        spans += given[:-1]
        spans.append((given[-1][0] + " " * (size - line_width(given)) + gap, given[-1][1]))
    return spans


def head_line(cols: Columns, sort: str, cells: int, *, reverse: bool = False, kept: bool = False) -> Line:
    """The line of column titles; the one that is sorted by is marked. `kept`: the run keeps tasks at a desired state."""
    mark = ("^" if reverse else "v") if ASCII else "▴" if reverse else "▾"
    tree = sort == LAYERS
    retries = "RETRIES" if cols.policy < 12 else "RETRIES · LIMIT"
    words = {
        "task": "NODE" if tree else "TASK", "state": "STATE", "try": "TRY", "time": "TIME", "usual": "USUAL",
        "policy": "POLICY" if kept else retries, "breaker": "BREAKER", "why": "WHAT IS IN IT" if tree else "WHY / NEXT",
    }  # fmt: skip
    titles: dict[str, Sequence[Span]] = {}
    for name, size in cols.sizes():
        marked = name not in {"why", "policy", "breaker"} and _SORTS.get(name) == sort
        word = f"{words[name]}{mark}" if marked else words[name]
        titles[name] = ((fit(word, size, right=name in {"time", "usual"}), "head"),)
    return fit_line([(" " * LEAD, "head"), *((text, "head") for text, _ in arranged(cols, titles))], cells)


def column_at(cols: Columns, x: int) -> str:
    """The sort that a click on the column titles at cell `x` asks for; "" for none."""
    edge = LEAD
    sizes = cols.sizes()
    for place, (name, size) in enumerate(sizes):
        edge += size + 1
        if x < edge or place == len(sizes) - 1:
            return _SORTS.get(name, "")
    return ""


# -- cells of their own ----------------------------------------------------------------------------------------------------


class Beside(NamedTuple):
    """What rows are seen beside."""

    usual: Mapping[int, Usual] = {}
    """How long tasks take as a rule, by index."""
    breakers: Mapping[str, BreakerView] = {}


NOTHING_BESIDE = Beside()

_GLYPHS = {
    BreakerState.CLOSED: ("●", "=", "ok"), BreakerState.HALF_OPEN: ("◐", "~", "retry"), BreakerState.OPEN: ("○", "!", "fail"),
}  # fmt: skip


def times_usual(snapshot: RunSnapshot, row: TaskRow, usual: Mapping[int, Usual]) -> float | None:
    """How many times as long as usual it takes, or its latest attempt took; None if that is not known."""
    known = usual.get(row.index)
    if known is None or row.started_at is None or known.median <= 0:
        return None
    if row.state in ACTIVE:
        return (snapshot.at - row.started_at) / known.median
    if row.ended_at is None or row.ended_at < row.started_at:
        return None
    return (row.ended_at - row.started_at) / known.median


def is_slow(snapshot: RunSnapshot, row: TaskRow, usual: Mapping[int, Usual]) -> bool:
    """Whether it runs longer than it usually does, by far."""
    if row.state is not TaskState.RUNNING or row.serving:
        return False
    times = times_usual(snapshot, row, usual)
    return times is not None and times > SLOW


def usual_cell(snapshot: RunSnapshot, row: TaskRow, beside: Beside, cells: int) -> Span:
    """How long it usually takes; it stands out while the task is slow."""
    known = beside.usual.get(row.index)
    if known is None:
        return (fit("-", cells, right=True), "faint")
    return (fit(duration(known.median), cells, right=True), "warn" if is_slow(snapshot, row, beside.usual) else "faint")


def breaker_cell(row: TaskRow, beside: Beside, cells: int) -> list[Span]:
    """The breaker that it asks, and how that is."""
    name = row.policy.circuit
    if not name:
        return [(fit("-", cells), "faint")]
    view = beside.breakers.get(name)
    if view is None:
        return [(fit(clean(name, 60), cells), "faint")]
    sign, plain, style = _GLYPHS[view.state]
    glyph = plain if ASCII else sign
    loud = view.state is not BreakerState.CLOSED or view.forced is not None
    shown = cut(clean(name, 60), cells - 2)
    rest = " " * (cells - width(shown) - 2)
    return [
        (f"{shown} ", style if loud else "faint"),
        (glyph, "held" if view.forced is not None else style),
        (rest, ""),
    ]


def slow_text(snapshot: RunSnapshot, row: TaskRow, beside: Beside) -> str:
    """As `slow_word`, of what rows are seen beside."""
    return slow_word(snapshot, row, beside.usual)


def slow_word(snapshot: RunSnapshot, row: TaskRow, usual: Mapping[int, Usual]) -> str:
    """ "▲ 2.1× usual" of one that is slow, else ""."""
    if not usual or not is_slow(snapshot, row, usual):
        return ""
    times = times_usual(snapshot, row, usual)
    told = f"{times:.1f}× usual" if times is not None and times < 100 else "far slower than usual"
    return f"{'^' if ASCII else '▲'} {told}"
