"""The escalations as lines: one for each, and all about one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dagtop.core.events import EscalationAcknowledged
from dagtop.core.snapshot import RunSnapshot
from dagtop.observe.story import Story

from dagtop_app import faces
from dagtop_app.escalations.model import (
    VERDICTS,
    Deed,
    Entry,
    Severity,
    Status,
    Tally,
    Way,
    chain,
    last_failure,
    near,
    resolved_at,
    tries,
)
from dagtop_app.faces import face_of, glyph, glyph_of, task_face
from dagtop_app.lines import Line, Span, line_width
from dagtop_app.steering.undo import row_of
from dagtop_app.tasks.obstacles import busy, slots
from dagtop_app.tasks.why import error_line
from dagtop_app.text import clean, clean_lines, clock, cut, duration, fit, name_of, plural, width, wrap

_LABEL = 7


class Look(NamedTuple):
    """How a status looks."""

    glyph: str
    plain: str
    word: str
    style: str


LOOKS: Mapping[Status, Look] = {
    Status.OPEN: Look("▲", "!", "open", "fail"),
    Status.ACKED: Look("◇", "a", "acked", "held"),
    Status.AGAIN: Look("↻", "~", "runs again", "retry"),
    Status.RESOLVED: Look("✔", "+", "resolved", "ok"),
    Status.REPEATED: Look("·", ".", "came again", "dim"),
}
_SEVERE: Mapping[Severity, str] = {Severity.HIGH: "fail", Severity.WARN: "retry", Severity.NOTE: "dim"}


def look_glyph(status: Status) -> str:
    """The glyph of a status, in ASCII where that was asked for."""
    return LOOKS[status].plain if faces.ASCII else LOOKS[status].glyph


class Cols(NamedTuple):
    """Widths of the columns."""

    name: int
    task: int
    reason: int
    owner: int


_FIXED = 3 + 1 + 4 + 1 + 6 + 2 + 2 + 8 + 3


def columns(cells: int, known: Sequence[Entry]) -> Cols:
    """What fits: ids and names as long as they are where there is room, reasons for the rest."""
    name = max((len(entry.name) for entry in known), default=5)
    owner = 10 if cells < 132 else 16
    left = cells - _FIXED - name - owner
    longest = max((width(name_of(entry.report.task, 100)) for entry in known), default=4)
    task = max(8, min(longest, left // 2 if cells < 132 else left // 3))
    return Cols(name, task, max(8, left - task), owner)


def head_line(cols: Cols) -> Line:
    """The titles."""
    text = (
        f"   {fit('ID', cols.name)} {'SEV':<4} {'AGE':>6}  {fit('TASK', cols.task)}  {fit('REASON', cols.reason)}"
        f" {'BLAST':>8}  {fit('OWNER', cols.owner)}"
    )
    return ((text, "head"),)


def row_line(snapshot: RunSnapshot, entry: Entry, cols: Cols, *, cursor: bool) -> Line:
    """One escalation."""
    look, report = LOOKS[entry.status], entry.report
    quiet = entry.status not in (Status.OPEN, Status.ACKED)
    blast = plural(report.blocks_count, "task") if report.blocks_count else "-"
    return (
        ("▌" if cursor else " ", "mark"),
        (f"{look_glyph(entry.status)} ", look.style),
        (fit(entry.name, cols.name), "dim" if quiet else "strong"),
        (" ", ""),
        (fit(entry.severity.value, 4), "dim" if quiet else _SEVERE[entry.severity]),
        (" ", ""),
        (fit(clock(snapshot.at - report.at), 6, right=True), "dim"),
        ("  ", ""),
        (fit(name_of(report.task, 100), cols.task), "dim" if quiet else ""),
        ("  ", ""),
        (fit(reason(entry, cols.reason), cols.reason), "dim" if quiet else ""),
        (" ", ""),
        (fit(blast, 8, right=True), "block" if report.blocks_count and not quiet else "faint"),
        ("  ", ""),
        (fit(owner_text(entry), cols.owner), "dim" if quiet else "held" if entry.owner else "faint"),
    )


def reason(entry: Entry, cells: int) -> str:
    """Why it was escalated: the kind of cause, how often it was tried, and where there is room the error."""
    report = entry.report
    words = report.cause.words
    if report.attempt_count > 1:
        words = f"{words}, {report.attempt_count} tries"
    failure = last_failure(entry)
    if failure is not None and cells >= len(words) + 14:
        return cut(f"{words} · {error_line(failure)}", cells)
    return words


def who(owner: EscalationAcknowledged) -> str:
    """Who looks after one."""
    return "you" if owner.by in ("hand", "console") else clean(owner.by, 40)


def owner_text(entry: Entry) -> str:
    """Whose it is: who looks after it, or what became of it."""
    if entry.status is Status.OPEN:
        return "-"
    if entry.owner is not None and entry.status is Status.ACKED:
        return who(entry.owner)
    return LOOKS[entry.status].word


def rule_of(figures: Tally, total: int, wanted: str) -> tuple[list[Span], list[Span]]:
    """(left, right) of the line above the list."""
    right: list[Span] = [
        (f"{figures.open:,} open", "fail" if figures.open else "dim"),
        (" · ", "dim"),
        (f"{figures.acked:,} acked", "held" if figures.acked else "dim"),
        (" · ", "dim"),
        (f"{figures.resolved:,} resolved", "dim"),
    ]
    left: list[Span] = [("Escalations", "title")]
    if total > figures.open + figures.acked + figures.resolved:
        left.append((f" the latest of {total:,}", "dim"))
    if wanted:
        left += [("  ", ""), (wanted, "match")]
    return left, right


# -- all about one -------------------------------------------------------------------------------------------------------


class Scene(NamedTuple):
    """What the lines about one escalation are made from."""

    snapshot: RunSnapshot
    story: Story
    entry: Entry
    deeds: Sequence[Deed]
    way: Way | None


def detail_title(scene: Scene) -> tuple[list[Span], list[Span]]:
    """(left, right) of the line above it."""
    entry, report = scene.entry, scene.entry.report
    look = LOOKS[entry.status]
    left: list[Span] = [(entry.name, "title"), ("  ", ""), (cut(name_of(report.task, 100), 36), "title")]
    right: list[Span] = [
        (f"{look_glyph(entry.status)} {look.word}", look.style),
        (f" · raised {clock(report.at)} · run {clean(report.run, 20)}", "dim"),
    ]
    return left, right


#: What is left out when there is no room for all, the least telling first, and how many lines of it stay.
_LEFT_OUT = (
    ("NEAR", 1), ("HINT", 1), ("", 0), ("HINT", 0), ("CHAIN", 0), ("NEAR", 0), ("WHERE", 0), ("PLAN", 0), ("DO", 2), ("NOW", 0),
)  # fmt: skip


#: A traceback is shown where so many lines are free for it at least.
_WORTH = 6


def detail(scene: Scene, cells: int, height: int) -> list[Line]:
    """As much as fits into `height` lines, the most telling ones first to stay."""
    parts = [*_parts(scene, cells)]
    room = height
    for label, least in _LEFT_OUT:
        place = next((place for place, (name, _) in enumerate(parts) if name == label), None)
        while place is not None and sum(len(lines) for _, lines in parts) > room and len(parts[place][1]) > least:
            parts[place] = (label, parts[place][1][:-1])
    lines = [line for _, body in parts for line in body][:room]
    left = room - len(lines)
    trace = traceback_lines(scene.entry, cells) if left >= _WORTH else []
    return lines + (trace if len(trace) <= left else [*trace[:2], *trace[2 - left :]])


def _parts(scene: Scene, cells: int) -> Iterator[tuple[str, list[Line]]]:
    snapshot, entry = scene.snapshot, scene.entry
    report = entry.report
    failure = last_failure(entry)
    what: list[Span] = (
        [(error_line(failure), "error")] if failure is not None else [(clean(report.summary, 600), "error")]
    )
    yield "WHAT", _labelled("WHAT", [what])
    if entry.owner is not None:
        note = f": {clean(entry.owner.note, 300)}" if entry.owner.note else ""
        since = f"{who(entry.owner)} {clock(entry.owner.at)}"
        yield "ACK", _labelled("ACK", [[(since, "held"), (note, "")]])
    if (now := _now(scene)) is not None:
        yield "NOW", _labelled("NOW", [now])
    if failure is not None and failure.where:
        took = report.attempts[-1].ended_at - report.attempts[-1].started_at if report.attempts else None
        more = f"   attempt {report.attempts[-1].number}" if report.attempts else ""
        took_text = f"   took {duration(took)}" if took is not None else ""
        where = clean(failure.where, 300)
        yield "WHERE", _labelled("WHERE", [[(where, ""), (f"{more}{took_text}", "dim")]])
    yield "TRIED", _labelled("TRIED", [_tried(scene, cells)])
    yield "BLAST", _labelled("BLAST", [_blast(snapshot, entry, cells)])
    links = chain(snapshot, entry)
    if len(links) > 1:
        arrow = " <- " if faces.ASCII else " ← "
        yield "CHAIN", _labelled("CHAIN", [[(clean(arrow.join(links), 1000), "")]])
    told = [clean(text, 400) for text in near(snapshot, scene.story, entry)]
    lines = [[(part, "dim")] for text in told[:4] for part in wrap(text, max(20, cells - _LABEL - 3))[:2]]
    yield "NEAR", _labelled("NEAR", lines)
    if scene.deeds and entry.status in (Status.OPEN, Status.ACKED):
        yield "", [()]
        yield "DO", _labelled("DO", [*_deeds(scene)])
        if scene.way is not None and not scene.deeds[0].radius.refusal:
            yield "PLAN", _labelled("PLAN", [_plan(snapshot, scene.way, cells)])
        yield "HINT", _labelled("HINT", [[(clean(text, 400), "")] for text in report.options[:4]])


def _labelled(label: str, lines: Sequence[Sequence[Span]]) -> list[Line]:
    return [((f" {fit('' if place else label, _LABEL)} ", "head"), *spans) for place, spans in enumerate(lines)]


def _now(scene: Scene) -> list[Span] | None:
    """What has become of it since."""
    entry, row = scene.entry, scene.entry.row
    match entry.status:
        case Status.RESOLVED if row is None or row.gone:
            return [("the task is not in the graph any more", "dim")]
        case Status.RESOLVED:
            assert row is not None
            at = resolved_at(scene.story, entry)
            when = f" {duration(at - entry.report.at)} later" if at is not None else ""
            because = f": {clean(row.reason, 200)}" if row.reason else ""
            return [(f"{glyph_of(row)} {face_of(row).word.lower()}{when}", face_of(row).style), (because, "dim")]
        case Status.AGAIN:
            assert row is not None
            return [
                (f"{glyph_of(row)} {face_of(row).word.lower()}", face_of(row).style),
                (", after it was started over", "dim"),
            ]
        case Status.REPEATED:
            task = entry.report.task
            later = next(one.number for one in reversed(scene.snapshot.escalations) if one.task == task)
            return [(f"it failed for good once more: ESC-{later}", "warn")]
        case _:
            return None


def _tried(scene: Scene, cells: int) -> list[Span]:
    report = scene.entry.report
    told = tries(report)
    if not told:
        return [("it did not come to an attempt", "faint")]
    arrow = "->" if faces.ASCII else "→"
    verdict: Span = (f" {arrow} {VERDICTS[report.cause]}", "strong")
    left = cells - _LABEL - 3 - width(verdict[0])
    shown: list[list[Span]] = []
    for place in range(len(told) - 1, -1, -1):
        record, same = told[place]
        error = clean(record.failure.error, 30) if record.failure is not None else record.ending.replace("_", " ")
        piece: list[Span] = [(f"{clock(record.ended_at)} ", "dim"), task_face_of(record.ending)]
        piece.append((f"{'same' if same else error}  ", ""))
        earlier = width(f"{place} earlier  ") if place else 0
        if shown and line_width(piece) + earlier > left:
            break
        left -= line_width(piece)
        shown.insert(0, piece)
    more = len(told) - len(shown)
    before: list[Span] = [(f"{more} earlier  ", "faint")] if more else []
    return [*before, *(span for piece in shown for span in piece), verdict]


def task_face_of(ending: str) -> Span:
    """The glyph of how an attempt ended."""
    from dagtop.core.states import TaskState  # noqa: PLC0415 - for this alone

    state = TaskState(ending)
    return f"{glyph(state)} ", task_face(state).style


def _blast(snapshot: RunSnapshot, entry: Entry, cells: int) -> list[Span]:
    report = entry.report
    if not report.blocks_count:
        return [("nothing waits for it", "faint")]
    spans: list[Span] = []
    room, shown = cells - _LABEL - 14, 0
    for name in report.blocks[:20]:
        row = row_of(snapshot, name)
        text = f"{name_of(name, 30)}  "
        if room < width(text) + 2:
            break
        room -= width(text) + 2
        shown += 1
        if row is not None:
            spans.append((f"{glyph_of(row)} ", face_of(row).style))
        spans.append((text, ""))
    if report.blocks_count > shown:
        spans.append((f"+{report.blocks_count - shown:,} more", "dim"))
    return spans


def _deeds(scene: Scene) -> Iterator[list[Span]]:
    before = ""
    for deed in scene.deeds:
        if deed.radius.refusal:
            yield [
                (f"{deed.key}  ", "off"),
                (deed.what, "off"),
                (f"  not now: {clean(deed.radius.refusal, 200)}", "faint"),
            ]
        else:
            what = f"{'or ' if deed.key == before else ''}{deed.what}"
            yield [(f"{deed.key}  ", "key"), (what, ""), (f"  {clean(deed.radius.summary, 300)}", "dim")]
        before = deed.key
    yield [("e  ", "key"), ("edit retries, timeout, policy, then r", "")]


def _plan(snapshot: RunSnapshot, way: Way, cells: int) -> list[Span]:
    arrow = " -> " if faces.ASCII else " → "
    names = [name_of(name, 30) for name in way.tasks[:6]]
    more = f"{arrow}+{len(way.tasks) - 6:,} more" if len(way.tasks) > 6 else ""
    about = f"about {duration(way.seconds)}, " if way.seconds is not None else ""
    taken = f"   {about}{busy(snapshot)} of {slots(snapshot)} slots busy"
    path = f"{arrow.join(names)}{more}"
    return [("R", "key"), (f"{arrow}{cut(path, max(16, cells - _LABEL - 8 - len(taken)))}", ""), (taken, "dim")]


def full(scene: Scene, cells: int) -> list[Line]:
    """Everything, for the full-size popup: with the traceback, the inputs and the policy."""
    report = scene.entry.report
    lines: list[Line] = [((part, "strong"),) for part in wrap(clean(report.summary, 2000), cells)]
    lines += [(), *(line for _, body in _parts(scene, cells) for line in body)]
    lines += _section("WHAT IT WAS TOLD FROM", report.evidence, cells)
    lines += _section("WHAT CAN BE DONE", report.options, cells)
    lines += _section("IT WAS GIVEN", [f"{name}: {text}" for name, text in report.inputs.items()], cells)
    lines += _section("POLICY", [f"{name}: {text}" for name, text in report.policy.items()], cells)
    lines += traceback_lines(scene.entry, cells)
    return lines


def _section(title: str, texts: Sequence[str], cells: int) -> list[Line]:
    if not texts:
        return []
    lines: list[Line] = [(), ((f" {title}", "head"),)]
    for text in texts:
        for place, part in enumerate(wrap(clean(text, 2000), max(20, cells - 5))):
            lines.append((("  - " if not place else "    ", "faint"), (part, "")))
    return lines


def traceback_lines(entry: Entry, cells: int) -> list[Line]:
    """The latest traceback, with what is one's own code in it standing out."""
    failure = last_failure(entry)
    text = failure.traceback if failure is not None else ""
    if not text.strip():
        return []
    lines: list[Line] = [(), ((" TRACEBACK", "head"),)]
    for part in clean_lines(text):
        style = "strong" if part.lstrip().startswith("File ") else "" if part.startswith("    ") else "error"
        if part.startswith(("Traceback (", "During handling", "The above exception")):
            style = "dim"
        lines.append((("  ", ""), (cut(part, max(10, cells - 3)), style)))
    return lines
