"""From a snapshot to the lines of the screen: the header and the rows of the table. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagtop.core.snapshot import Blocked, RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, RunState, TaskState

from dagtop_app.faces import (
    ASCII,
    BROKEN,
    CRASHED,
    ENTERED,
    RUN_FACES,
    TALLIES,
    Tally,
    drawn,
    face_of,
    glyph_of,
    run_glyph,
)
from dagtop_app.lines import Line, Span, fit_line, joined, line_width, sides
from dagtop_app.tasks import upkeep
from dagtop_app.tasks import why as reasons
from dagtop_app.tasks.obstacles import busy, is_narrowed, slots
from dagtop_app.tasks.stacked_bar import stacked_bar
from dagtop_app.tasks.table_columns import (
    NOTHING_BESIDE,
    Beside,
    Columns,
    arranged,
    breaker_cell,
    slow_text,
    usual_cell,
)
from dagtop_app.tasks.tally import counts_of, done_of, tallied
from dagtop_app.text import clean, clock, cut, duration, fit, name_of, plural, width
from dagtop_app.timeline.eta_texts import Left, left_spans

_S = TaskState

#: Below this the screen shows counts and how to quit, nothing else.
LEAST_WIDTH, LEAST_HEIGHT = 60, 15
#: From this width on the inspector stands at the right of the table.
WIDE = 132
#: From this height on the inspector is shown at the bottom.
TALL = 24
#: From this size on the latest events and the end of the selected task's log stand below the table.
FOOT_WIDE, FOOT_HIGH = 160, 40


# -- header --------------------------------------------------------------------------------------------------


def run_line(
    snapshot: RunSnapshot,
    title: str,
    cells: int,
    next_run: str = "",
    crumbs: Sequence[str] = (),
    *,
    crashed: bool = False,
    left_over: Left | None = None,
) -> Line:
    """First line: where it comes from, the level that is shown, when it runs next if there is room, how the run stands."""
    face, glyph = RUN_FACES[snapshot.state], run_glyph(snapshot.state)
    word = "WAITING" if next_run and snapshot.state is RunState.PENDING else face.word
    if snapshot.broken:
        face, glyph, word = BROKEN, drawn(BROKEN), BROKEN.word
    elif crashed:
        face, glyph, word = CRASHED, drawn(CRASHED), CRASHED.word
    done, total = done_of(snapshot)
    wide = cells >= 120
    serves = upkeep.counts_what_is_up(snapshot)
    if serves:  # it is not to come to an end: what counts is how much of it is well
        level = upkeep.level_of(snapshot)
        done, total = level.well, level.wanted
    figures = f" {done:,}/{total:,} {'up ' if serves else ''}"
    state: list[Span] = [
        (f" {glyph} {word} ", face.style),
        *([(" ", "")] if face.style == "alarm" else []),  # the word is on a ground of its own
        (clock(snapshot.at), "strong"),
    ]
    percent = f" {_percent(done, total):>4}"
    room = 24 if wide else 16
    right: list[Span] = [*state, ("  ", ""), (figures, ""), *_bar(snapshot, room), (f"{percent} ", "strong")]
    right += left_spans(None if crashed or snapshot.broken else left_over, cells)
    left: list[Span] = [(" dagtop ", "brand"), (" ", "")]
    space = cells - line_width(right) - line_width(left) - 1
    source, graph = clean(title, 300), name_of(snapshot.graph, 300) if snapshot.graph else ""
    graph = f" {ENTERED} ".join((graph, *(name_of(name, 60) for name in crumbs))) if crumbs else graph
    if graph and source and graph != source:
        named = f"{source} {ENTERED} {graph}"
        if width(named) > space:
            named = graph
    else:
        named = source or graph
    left.append((cut(named, max(0, space)), "title"))
    if next_run and width(named) + 3 + width(next_run) <= space:
        left += [(" · ", "dim"), (next_run, "queue")]
    return sides(left, right, cells)


def _percent(done: int, total: int) -> str:
    if not total:
        return "0%"
    return "100%" if done == total else f"{min(99, int(100 * done / total))}%"


def _bar(snapshot: RunSnapshot, cells: int) -> list[Span]:
    counts = counts_of(snapshot)
    total = sum(counts.values())
    if not upkeep.keeps(snapshot):
        return stacked_bar(counts, total, cells)
    level, resting = upkeep.level_of(snapshot), 0
    if upkeep.counts_what_is_up(snapshot):
        resting = max(0, level.well - level.up - sum(counts.get(state, 0) for state in GOOD))
    return stacked_bar(counts, total, cells, up=level.up, resting=resting)


def tally_line(snapshot: RunSnapshot, cells: int) -> Line:
    """Second line: how many tasks are in each state, and how many slots are taken; or what keeps all of it from going on."""
    if snapshot.broken:
        return sides([(f" {drawn(BROKEN)} {broken_text(snapshot)} ", "alarm")], [(" q leaves ", "dim")], cells)
    if snapshot.blocked is not None:
        return _blocked_line(snapshot.blocked, cells)
    counted = [(tally, count) for tally, count in tallied(snapshot) if count or tally is TALLIES[0]]
    long = [_tally(tally, count, tally.word, " ") for tally, count in counted]
    left = [(" ", ""), *joined(long, "   ")]
    right: list[Span] = _slots(snapshot, long=True)
    if line_width(left) + line_width(right) + 2 <= cells:
        return sides(left, right, cells)
    right = _slots(snapshot, long=False)
    for worded in range(len(counted), -1, -1):  # the last ones lose their words first
        parts = [_tally(tally, count, tally.short if at < worded else "") for at, (tally, count) in enumerate(counted)]
        left = [(" ", ""), *joined(parts, "  " if worded else " ")]
        if line_width(left) + line_width(right) + 1 <= cells:
            break
    return sides(left, right, cells)


def _tally(tally: Tally, count: int, word: str, gap: str = "") -> list[Span]:
    face = tally.face
    style = face.style if count else "faint"
    spans: list[Span] = [(f"{drawn(face)}{gap}{count:,}", style)]
    loud = tally.gates or (tally.states and tally.states[0] in BAD)
    return [*spans, (f" {word}", style if count and loud else "dim")] if word else spans


def _slots(snapshot: RunSnapshot, *, long: bool) -> list[Span]:
    """How many are busy, of how many; where an adaptive run allows less than it may, both."""
    taken, now = f"{busy(snapshot):,}", slots(snapshot)
    if not is_narrowed(snapshot):
        return [(f"{taken}/{now:,}", "strong"), (" at once " if long else " ", "dim")]
    window: Span = (f"{now:,}/{snapshot.max_parallel:,} slots ", "warn")
    return [(taken, "strong"), (" busy · " if long else " in ", "dim"), window]


def _blocked_line(blocked: Blocked, cells: int) -> Line:
    return fit_line([(" ▲ " if not ASCII else " ! ", "alarm"), (f"{blocked_text(blocked)} ", "alarm")], cells)


def broken_text(snapshot: RunSnapshot) -> str:
    """What the engine broke down over."""
    return f"the engine broke down, nothing goes on: {clean(snapshot.broken, 300)}"


def blocked_text(blocked: Blocked) -> str:
    """What keeps the event loop from going round at this moment, and where: for it nothing else goes on."""
    at = f" at {clean(blocked.where, 200)}" if blocked.where else ""
    if blocked.task and blocked.who:
        return (
            f"{name_of(blocked.task, 80)} is in the way for {duration(blocked.seconds)}{at}: {clean(blocked.who, 200)}"
        )
    who = name_of(blocked.task, 80) if blocked.task else clean(blocked.who, 200) or "something"
    return f"{who} blocks the event loop for {duration(blocked.seconds)}{at}"


def is_small(wide: int, high: int) -> bool:
    """Whether a terminal is too small for the console: keys that do more than leave would act on what nobody sees."""
    return wide < LEAST_WIDTH or high < LEAST_HEIGHT


def tiny_lines(snapshot: RunSnapshot, cells: int, height: int, *, keys: str = "q") -> list[Line]:
    """All that a terminal too small for the console gets. `keys` are those that work there."""
    face = RUN_FACES[snapshot.state]
    lines: list[Line] = [((f"{run_glyph(snapshot.state)} {face.word} {clock(snapshot.at)}", face.style),)]
    if snapshot.broken:
        lines = [((f"{drawn(BROKEN)} {BROKEN.word} {clock(snapshot.at)}", BROKEN.style),)]
        lines.append(((broken_text(snapshot), "alarm"),))
    elif snapshot.blocked is not None:
        lines.append(((blocked_text(snapshot.blocked), "alarm"),))
    for tally, count in tallied(snapshot):
        if count:
            lines.append(((f"{drawn(tally.face)} {count:,} {tally.word}", tally.face.style),))
    last: Line = ((keys, "key"), (f" only · the rest needs {LEAST_WIDTH}x{LEAST_HEIGHT}", "dim"))
    return [fit_line(line, cells) for line in [*lines[: max(0, height - 1)], last]][:height]


# -- table ---------------------------------------------------------------------------------------------------


def tries_of(row: TaskRow) -> str:
    """Attempts so far of those allowed, e.g. 2/5."""
    if not row.attempt:
        return "-"
    if row.policy.restart.is_on and not row.policy.retry.retries:
        return f"{row.attempt:,}"
    return f"{row.attempt}/{max(row.attempt, row.policy.attempts_allowed)}"


def time_of(snapshot: RunSnapshot, row: TaskRow) -> str:
    """How long the latest attempt takes or took."""
    if row.started_at is None:
        return "-"
    if row.state in ACTIVE:
        return clock(snapshot.at - row.started_at)
    return duration(row.ended_at - row.started_at) if row.ended_at is not None else "-"


def policy_of(row: TaskRow, cells: int) -> str:
    """Retries and timeout in a few cells: "3× 30s", "no"; of a task that is started again, when."""
    if row.policy.restart.is_on:
        return upkeep.policy_short(row.policy.restart, cells)
    retry = row.policy.retry
    limit = f"{row.policy.timeout:g}s" if row.policy.timeout is not None else ""
    if cells < 12:
        return " ".join(part for part in (f"{retry.retries}×" if retry.retries else "no", limit) if part)
    kind = {"exponential": "exp", "linear": "lin", "none": "at once"}[str(retry.backoff)]
    tries = f"{retry.retries}× {kind}" if retry.retries else "none"
    return f"{tries} · {limit}" if limit else tries


def row_line(
    snapshot: RunSnapshot,
    row: TaskRow,
    cols: Columns,
    *,
    cursor: bool = False,
    name: str | None = None,
    beside: Beside = NOTHING_BESIDE,
) -> Line:
    """One task in one line; `name` is what it is called in what is shown."""
    face = face_of(row)
    quiet = row.state in FINAL and row.state not in BAD
    name_style = "strong" if cursor else "dim" if quiet or row.state is _S.WAITING else ""
    edge = (">" if ASCII else "▌") if cursor else " "
    cells: dict[str, Sequence[Span]] = {
        "task": ((fit(name_of(row.name if name is None else name, 200), cols.task), name_style),),
        "state": ((fit(face.word, cols.state), face.style),),
        "try": ((fit(tries_of(row), cols.tries), "retry" if row.attempt > 1 and not quiet else "dim"),),
        "why": _why_spans(snapshot, row, cols.why, beside),
    }
    if cols.time:
        cells["time"] = ((fit(time_of(snapshot, row), cols.time, right=True), "dim" if row.state in FINAL else ""),)
    if cols.usual:
        cells["usual"] = (usual_cell(snapshot, row, beside, cols.usual),)
    if cols.policy:
        cells["policy"] = ((fit(policy_of(row, cols.policy), cols.policy), "faint"),)
    if cols.breaker:
        cells["breaker"] = breaker_cell(row, beside, cols.breaker)
    return ((edge, "mark"), (f"{glyph_of(row)} ", face.style), *arranged(cols, cells))


def _why_spans(snapshot: RunSnapshot, row: TaskRow, cells: int, beside: Beside) -> Line:
    told = reasons.why_in_short(snapshot, row)
    slow = slow_text(snapshot, row, beside)
    if not told.text and told.share is None and row.state is _S.RUNNING:
        known, taken = beside.usual.get(row.index), snapshot.at - (row.started_at or snapshot.at)
        told = reasons.Why(reasons.awaited(snapshot, row, known.median - taken if known is not None else None), "dim")
    if told.share is None:
        style = "error" if told.style == "fail" else told.style
        if slow:
            return fit_line([(slow, "warn"), (f" · {told.text}" if told.text else "", style)], cells)
        return ((fit(told.text, cells), style),)
    percent, filled, rest = reasons.share_bar(told.share, 10 if cells < 60 else 16)
    spans: list[Span] = [(percent, "strong"), (filled, "run"), (rest, "bar-rest")]
    if slow:
        spans.append((f" {slow}", "warn"))
    return fit_line([*spans, (f" {told.text}", "dim")], cells)


def table_title(
    snapshot: RunSnapshot, shown: int, sort: str, filter_text: str, *, reverse: bool, problems: bool
) -> tuple[list[Span], list[Span]]:
    """What the rule above the table says: (left, right)."""
    total = len(snapshot.rows)
    count = f"{total:,}" if shown == total else f"{shown:,} of {total:,}"
    arrow = "↑" if reverse else "↓"
    right: list[Span] = [("sort ", "dim"), (f"{sort} {arrow}", "")]
    if problems:
        right += [(" · ", "dim"), ("! problems only", "warn")]
    right += [
        (" · ", "dim"),
        ("filter ", "dim"),
        (cut(clean(filter_text), 24), "warn") if filter_text else ("off", "dim"),
    ]
    return [("Tasks ", "title"), (count, "")], right


def narrowed_by(filter_text: str, *, problems: bool) -> list[Span]:
    """What a view that is no table says of the table's filter, which it obeys; [] without one."""
    spans: list[Span] = []
    if problems:
        spans += [(" · ", "dim"), ("! problems only", "warn")]
    if filter_text:
        spans += [(" · filter ", "dim"), (cut(clean(filter_text), 24), "warn")]
    return spans


def counted(counts: Mapping[TaskState, int]) -> str:
    """Final counts in words: "34 ok, 2 failed, 1 skipped"."""
    parts = []
    for tally in TALLIES:
        count = sum(counts.get(state, 0) for state in tally.states)
        if count:
            parts.append(f"{count:,} {tally.word}")
    return ", ".join(parts) or plural(0, "task")
