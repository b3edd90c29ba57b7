"""Nodes of a graph of graphs in words: their line in the table, their side of the inspector, breadcrumbs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dagtop.core.paths import SLASH, is_inside
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, TaskState

from dagtop_app.bridge import LogLine
from dagtop_app.faces import ASCII, ENTERED, GATE_FACE, GONE_FACE, TASK_FACES, Face, drawn, face_of, glyph_of
from dagtop_app.levels.model import Levels, Rolled, relative
from dagtop_app.lines import Line, Span, fit_line, joined, line_width
from dagtop_app.tasks import why as reasons
from dagtop_app.tasks.inspector import log_spans
from dagtop_app.tasks.table_columns import Columns, arranged
from dagtop_app.text import bar, clean, clock, cut, duration, fit, name_of, plural, wrap

if TYPE_CHECKING:
    from dagtop.core.escalation import EscalationReport

_S = TaskState

#: In which order the figures of a node are told: what is done, what goes on, what went wrong, what is still to come.
_ORDER: tuple[Face, ...] = (
    *(TASK_FACES[state] for state in (_S.SUCCEEDED, _S.CACHED, _S.RUNNING, _S.CANCELLING, _S.BACKOFF)),
    *(TASK_FACES[state] for state in (_S.FAILED, _S.BLOCKED)), GATE_FACE,
    *(TASK_FACES[state] for state in (_S.READY, _S.HELD, _S.WAITING, _S.SKIPPED, _S.CANCELLED)), GONE_FACE,
)  # fmt: skip
_PLACE = {drawn(face): place for place, face in enumerate(_ORDER)}

#: Names that a line lists before it counts the rest.
_NAMED = 4


def crumbs_text(graph: str, crumbs: Sequence[str]) -> str:
    """ "nightly ▸ ingest ▸ raw"."""
    return f" {ENTERED} ".join(name_of(name, 60) for name in (graph, *crumbs) if name)


def end_of(path: str, cells: int) -> str:
    """As much of the end of a path as fits, by whole names: "…/clean/dedupe"."""
    shown = name_of(path, 400)
    more = "~" if ASCII else "…"
    while _cells(shown) > cells and (rest := shown.removeprefix(more + SLASH).partition(SLASH)[2]):
        shown = f"{more}{SLASH}{rest}"
    return shown


def stacked(faces: Mapping[Face, int]) -> list[list[Span]]:
    """One figure for each face, e.g. "✔ 3", "● 1", "✖ 1"."""
    figures: dict[str, tuple[Face, int]] = {}
    for face, count in faces.items():
        before = figures.get(drawn(face), (face, 0))
        figures[drawn(face)] = (before[0], before[1] + count)
    ordered = sorted(figures.items(), key=lambda it: _PLACE.get(it[0], len(_PLACE)))
    return [[(f"{glyph} {count:,}", face.style)] for glyph, (face, count) in ordered]


def node_line(levels: Levels, row: TaskRow, cols: Columns, name: str, *, cursor: bool = False, indent: int = 0) -> Line:
    """One node in one line of the table; `row` is the one that stands for all that is in it."""
    rolled = levels.rolled(row.index)
    face = face_of(row)
    quiet = not rolled.goes_on and row.state not in BAD
    edge = (">" if ASCII else "▌") if cursor else " "
    shown = f"{'  ' * indent}{name_of(name, 200)}"
    room = cols.task - 2
    cells: dict[str, Sequence[Span]] = {
        "task": (
            (cut(shown, room), "strong" if cursor else "dim" if quiet else ""),
            (fit(f" {ENTERED}", cols.task - min(room, _cells(shown))), "key"),
        ),
        "state": ((fit(face.word, cols.state), face.style),),
        "try": ((fit(_percent(rolled), cols.tries), "dim"),),
        "time": ((fit(_time(levels.snapshot, rolled), cols.time, right=True), "dim" if quiet else ""),),
        "policy": ((fit(plural(rolled.total, "task"), cols.policy), "faint"),),
        "why": fit_line(_why(levels, row, rolled, cols.why), cols.why),
    }
    return ((edge, "mark"), (f"{drawn(face)} ", face.style), *arranged(cols, cells))


def _cells(text: str) -> int:
    return line_width([(text, "")])


def _percent(rolled: Rolled) -> str:
    if not rolled.total or not rolled.has_begun:
        return "-"
    well = rolled.done + rolled.serving
    if well >= rolled.total:
        return "up" if rolled.serving else "100%"
    return f"{min(99, 100 * well // rolled.total)}%"


def _time(snapshot: RunSnapshot, rolled: Rolled) -> str:
    if rolled.begun is None:
        return "-"
    if rolled.ended is not None:
        return duration(max(0.0, rolled.ended - rolled.begun))
    return clock(max(0.0, snapshot.at - rolled.begun))


def _why(levels: Levels, row: TaskRow, rolled: Rolled, cells: int) -> list[Span]:
    """Its figures, and the most telling thing about it."""
    spans = joined(stacked(rolled.faces), " ")
    if said := waits_for(levels, row.index):
        return [(said, "wait")]
    if rolled.failed:
        first = relative(levels.snapshot.rows[rolled.failed[0]].name, row.name)
        more = f" +{len(rolled.failed) - 1:,}" if len(rolled.failed) > 1 else ""
        said, style = f"{name_of(first, 60)}{more}", "fail"
    elif rolled.serving:
        said, style = f"{rolled.serving:,} up", "ok"
    elif rolled.goes_on and rolled.active and cells > 44:
        said, style = "in progress: " + _names(levels, rolled.active, row.name, 2), "dim"
    else:
        said, style = clean(row.reason, 200), "dim"
    return [*spans, ("  ", ""), (said, style)] if said else spans


def waits_for(levels: Levels, index: int) -> str:
    """ "waits for ingest, extract"; "" if nothing stands before the node, or it has begun."""
    rows = levels.snapshot.rows
    before = [] if levels.rolled(index).has_begun else [it for it in levels.needs(index) if not levels.is_met(it)]
    if not before:
        return ""
    home = levels.home(index)
    names = [relative(rows[above].name, home) for above in before]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "waits for " + ", ".join(name_of(name, 40) for name in names[:_NAMED]) + more


def _names(levels: Levels, indices: Sequence[int], path: str, most: int = _NAMED) -> str:
    rows = levels.snapshot.rows
    more = f" and {len(indices) - most:,} more" if len(indices) > most else ""
    return ", ".join(name_of(relative(rows[index].name, path), 40) for index in indices[:most]) + more


# -- the inspector -------------------------------------------------------------------------------------------


def title(levels: Levels, row: TaskRow) -> tuple[list[Span], list[Span]]:
    """What the rule above the inspector says: (left, right)."""
    rolled = levels.rolled(row.index)
    face = face_of(row)
    note: list[Span] = [
        (f"{drawn(face)} {face.word}", face.style),
        (f" · {rolled.done:,}/{rolled.total:,} done", "dim"),
    ]
    if rolled.serving:
        note.append((f" · {rolled.serving:,} up", "ok"))
    return [("node ", "dim"), (cut(name_of(row.name), 40), "title")], note


def short(levels: Levels, row: TaskRow, logs: Sequence[LogLine], cells: int, height: int) -> list[Line]:
    """The few lines below the table: the most telling ones first."""
    rolled = levels.rolled(row.index)
    facts: list[tuple[str, Sequence[Span]]] = [("has", joined(stacked(rolled.faces), "   "))]
    if said := waits_for(levels, row.index):
        facts.append(("why", [(said, "wait")]))
    elif row.reason:
        facts.append(("why", [(clean(row.reason, 300), "dim")]))
    facts += [("failed", _failed(levels, index, row.name)) for index in rolled.failed[: 1 if height < 6 else 3]]
    if rolled.active:
        facts.append(("runs", _listed(levels, rolled.active, row.name)))
    if needed := levels.needs(row.index):
        facts.append(("needs", _listed(levels, needed, levels.home(row.index))))
    facts.append(("feeds", _listed(levels, levels.feeds(row.index), levels.home(row.index))))
    if limits := [*limits_of(levels.snapshot, row.name)]:
        facts.append(("limits", joined([[limit] for limit in limits], " · ")))
    lines: list[Line] = [((f" {fit(label, 7)} ", "head"), *spans) for label, spans in facts]
    latest = list(logs)[-max(0, height - len(lines)) :] if height > len(lines) else []
    for place, line in enumerate(latest):
        lines.append(((f" {fit('log' if place == 0 else '', 7)} ", "head"), *_log_spans(line, row.name)))
    return lines[: max(height, 1)]


def full(levels: Levels, row: TaskRow, logs: Sequence[LogLine], cells: int) -> list[Line]:
    """Everything, section by section."""
    lines: list[Line] = []
    for head, body in _sections(levels, row, logs, cells):
        made = list(body)
        if made:
            lines += [*([()] if lines else []), ((f" {head}", "head"),), *made]
    return lines


def _sections(
    levels: Levels, row: TaskRow, logs: Sequence[LogLine], cells: int
) -> Iterator[tuple[str, Iterable[Line]]]:
    rolled, snapshot = levels.rolled(row.index), levels.snapshot
    yield ("NOW" if rolled.goes_on else "OUTCOME"), _now(levels, row, rolled, cells)
    report = _report(snapshot, rolled)
    if report is not None:
        yield "CAUSE", _wrapped(f"{name_of(report.task, 80)}: {report.cause.words}", "fail", cells)
    yield "FAILED", _tasks(levels, rolled.failed, row.name, cells)
    yield "IN PROGRESS", _tasks(levels, rolled.active, row.name, cells)
    yield (
        "WAITS FOR" if not rolled.has_begun else "NEEDS",
        _tasks(levels, levels.needs(row.index), levels.home(row.index), cells),
    )
    yield "FEEDS", _tasks(levels, levels.feeds(row.index), levels.home(row.index), cells)
    yield "LIMITS OF THIS LEVEL", ((("  ", ""), limit) for limit in limits_of(snapshot, row.name))
    if row.policy.description:
        yield "ABOUT", _wrapped(clean(row.policy.description), "dim", cells)
    yield "LOG", (((" ", ""), *_log_spans(line, row.name)) for line in logs)


def _now(levels: Levels, row: TaskRow, rolled: Rolled, cells: int) -> Iterator[Line]:
    snapshot = levels.snapshot
    filled, rest = bar(min(1.0, (rolled.done + rolled.serving) / max(1, rolled.total)), 20)
    yield (
        ("  ", ""), (f"{_percent(rolled)} ", "strong"), (filled, "fail" if rolled.failed else "ok"),
        (rest, "bar-rest"),
        (f" {rolled.done:,} of {plural(rolled.total, 'task')} done", "dim"),
    )  # fmt: skip
    yield from _figures(rolled, cells)
    if rolled.serving:
        yield (("  ", ""), (f"{plural(rolled.serving, 'task')} up", "ok"))
    if rolled.begun is not None:
        word = "took" if rolled.ended is not None else "for"
        yield (("  ", ""), (f"since {clock(rolled.begun)}, {word} {_time(snapshot, rolled)}", "dim"))
    said = waits_for(levels, row.index) or clean(row.reason, 1000)
    if said:
        yield from _wrapped(said, "wait" if not rolled.has_begun else "dim", cells)
    if place := snapshot.plan.places.get(row.index):
        yield (("  declared at ", "dim"), (cut(clean(place), max(4, cells - 16)), ""))


def _figures(rolled: Rolled, cells: int) -> Iterator[Line]:
    line: list[Span] = [("  ", "")]
    for figure in stacked(rolled.faces):
        if line_width([*line, *figure]) > cells - 1:
            yield tuple(line)
            line = [("  ", "")]
        line += [*figure, ("   ", "")]
    yield tuple(line)


def _wrapped(text: str, style: str, cells: int) -> Iterator[Line]:
    for line in wrap(text, max(10, cells - 3)):
        yield (("  ", ""), (line, style))


def _log_spans(line: LogLine, path: str) -> list[Span]:
    time, *rest = log_spans(line)
    return [time, (f"{fit(name_of(relative(line.task, path), 60), 14)} ", "key"), *rest]


def _failed(levels: Levels, index: int, path: str) -> list[Span]:
    row = levels.snapshot.rows[index]
    spans: list[Span] = [(f"{glyph_of(row)} {name_of(relative(row.name, path), 60)}  ", "fail")]
    if row.failure is not None:
        spans.append((reasons.error_line(row.failure), "error"))
    return spans


def _listed(levels: Levels, indices: Sequence[int], path: str) -> list[Span]:
    if not indices:
        return [("nothing", "faint")]
    spans: list[Span] = []
    for row in (levels.snapshot.rows[index] for index in indices[:8]):
        spans += [(f"{glyph_of(row)} ", face_of(row).style), (f"{name_of(relative(row.name, path), 40)}  ", "")]
    if len(indices) > 8:
        spans.append((f"+{len(indices) - 8:,} more", "dim"))
    return spans


def _tasks(levels: Levels, indices: Sequence[int], path: str, cells: int) -> Iterator[Line]:
    for index in indices[:12]:
        row = levels.snapshot.rows[index]
        name = name_of(relative(row.name, path), 60)
        told = reasons.why(levels.snapshot, row).text if not levels.is_node(index) else face_of(row).word.lower()
        said: list[Span] = [(f"  {glyph_of(row)} ", face_of(row).style), (name, ""), (f"  {told}", "dim")]
        yield fit_line(said, cells)
    if len(indices) > 12:
        yield ((f"  +{len(indices) - 12:,} more", "dim"),)


def _report(snapshot: RunSnapshot, rolled: Rolled) -> EscalationReport | None:
    names = {snapshot.rows[index].name for index in rolled.failed}
    return next((report for report in snapshot.escalations if report.task in names), None)


def limits_of(snapshot: RunSnapshot, path: str) -> Iterator[Span]:
    """What a level limits for everything below it: "at most 2 at once · 1 busy", "pool db 1/4"."""
    for key, (used, there) in snapshot.limits.items():
        kind, _, name = key.partition(":")
        style = "warn" if there and used >= there else ""
        if kind == "resource" and name == f"slots:{path}":
            yield f"at most {there} at once, {used} busy", style
        elif is_inside(name.removeprefix("pool:"), path) and SLASH not in (
            own := relative(name.removeprefix("pool:"), path)
        ):
            word = "pool" if kind == "pool" or name.startswith("pool:") else "resource"
            yield f"{word} {clean(own, 60)} {used}/{there}", style


def explained(levels: Levels, row: TaskRow, cells: int) -> list[Line]:
    """Why a node is as it is, at length."""
    rolled, snapshot = levels.rolled(row.index), levels.snapshot
    name, lines = name_of(row.name, 80), list[Line]()

    def say(text: str, style: str = "") -> None:
        lines.extend(((part, style),) for part in wrap(text, max(20, cells)))

    say(
        f"{name} is a node of {plural(rolled.total, 'task')}; {rolled.done:,} have ended. As a whole it is {face_of(row).word}."
    )
    lines.append(tuple(joined(stacked(rolled.faces), "   ")))
    if said := waits_for(levels, row.index):
        say(f"Before its first tasks can start it {said}.", "wait")
    if rolled.failed:
        say(f"Failed in it: {_names(levels, rolled.failed, row.name)}.", "fail")
        error = snapshot.rows[rolled.failed[0]].failure
        if error is not None:
            say(f"  {reasons.error_line(error)}", "error")
        say("It comes to a good end only if what failed runs again: F, or R for the node with everything after it.")
    if rolled.active:
        say(f"In progress: {_names(levels, rolled.active, row.name)}.")
    if row.reason:
        say(clean(row.reason, 1000), "dim")
    for limit, style in limits_of(snapshot, row.name):
        say(f"Limit of this level: {limit}.", style)
    after = [index for index in levels.feeds(row.index) if snapshot.rows[index].state not in FINAL | ACTIVE]
    if after:
        say(f"After it: {_names(levels, after, levels.home(row.index))}.", "dim")
    say("Enter shows what is in it.", "dim")
    return lines
