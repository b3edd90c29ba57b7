"""Everything about one task, as lines: what it waits for, its attempts, its last error, its neighbours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, TaskState

from dagtop_app.bridge import LogLine
from dagtop_app.faces import face_of, glyph, glyph_of, task_face
from dagtop_app.lines import Line, Span
from dagtop_app.tasks import outcome, upkeep
from dagtop_app.tasks import why as reasons
from dagtop_app.tasks.obstacles import breaker_of, breaker_text
from dagtop_app.text import bar, clean, clean_lines, clock, cut, duration, fit, name_of, plural, seconds_of, wrap
from dagtop_app.timeline import usual_texts

if TYPE_CHECKING:
    from dagtop.core.escalation import EscalationReport
    from dagtop.core.failure import AttemptRecord, Failure
    from dagtop.core.forecast import Usual

_S = TaskState
#: Width of the words at the left of the short form.
_LABEL = 9
#: More tasks than these are not counted: the cursor goes from line to line at the speed of keys.
_FAR = 2_000
#: So many lines of its log go before a policy that is long.
_LOGS_KEPT = 3


def title(snapshot: RunSnapshot, row: TaskRow | None) -> tuple[list[Span], list[Span]]:
    """What the rule above the inspector says: (left, right)."""
    if row is None:
        return [("no task", "dim")], []
    face = face_of(row)
    note: list[Span] = [(f"{glyph_of(row)} {face.word}", face.style)]
    if row.held and row.state is not _S.HELD:
        note += [(" · ", "dim"), ("held", "held")]
    if row.stale:
        note += [(" · ", "dim"), ("stale", "retry")]
    if row.torn_down:
        note += [(" · ", "dim"), ("torn down", "dim")]
    if upkeep.is_kept(row):
        note = [(f"{glyph_of(row)} ", face.style), (upkeep.desired_text(row), face.style), *note[1:]]
    return [(cut(name_of(row.name), 40), "title")], note


def short(
    snapshot: RunSnapshot,
    row: TaskRow,
    logs: Sequence[LogLine],
    cells: int,
    height: int,
    usual: Usual | None = None,
    returned: str = "",
) -> list[Line]:
    """The few lines below the table: the most telling ones first. `returned`: what a task that went well did."""
    told = reasons.why(snapshot, row)
    facts: list[tuple[str, Sequence[Span]]] = [("why", _why_spans(snapshot, row))]
    if took := outcome.took_text(row):
        says_more = told.text and not (row.history and told.text.startswith("after "))
        facts[0] = ("done", [(took, ""), *([(f" · {told.text}", told.style)] if says_more else [])])
    if known := usual_texts.usual_spans(snapshot, row, usual):
        facts[0] = (facts[0][0], [*facts[0][1], ("   ", ""), *known])
    if returned and returned != "nothing":
        facts.append(("gave", outcome.gave_spans(returned, cells)))
    if row.gate is not None and row.gate.prompt:
        facts.append(("gate", [(clean(row.gate.prompt, 300), "strong")]))
    report = escalation_of(snapshot, row)
    if report is not None:
        facts.append(("cause", [(f"{report.cause.words}  ", "fail"), (clean(report.summary, 300), "")]))
        if report.options and height > 4:
            facts.append(("do", [(clean(report.options[0], 300), "")]))
    if row.failure is not None and row.state not in GOOD:
        where = f"  {clean(row.failure.where, 200)}" if row.failure.where else ""
        if told.text != reasons.error_line(row.failure):
            facts.append(("error", [(reasons.error_line(row.failure), "error"), (where, "dim")]))
        elif where:
            facts.append(("where", [(where.strip(), "")]))
    if row.history and height > 4:
        facts.append(("tries", _tries(row)))
    facts.append(("needs", _neighbours(snapshot, snapshot.plan.upstream[row.index])))
    facts.append(("feeds", _feeds(snapshot, row)))
    if height > 5:
        where = where_text(snapshot, row)
        facts.append(("policy", [(policy_text(row) + (f" · {where}" if where else ""), "dim")]))
    lines: list[Line] = [((f" {fit(label, _LABEL - 2)} ", "head"), *spans) for label, spans in facts]
    room = height - len(lines) - min(len(logs), _LOGS_KEPT)
    if height > 5 and room > 0:  # there are lines free: the policy need not be cut
        text = lines.pop()[1][0]
        words = wrap(text, max(10, cells - _LABEL))[: room + 1]
        lines += [
            ((f" {fit('' if place else 'policy', _LABEL - 2)} ", "head"), (part, "dim"))
            for place, part in enumerate(words)
        ]
    room = height - len(lines)
    latest = list(logs)[-max(1, room) :]
    if latest and room < 1:
        lines = [*lines[: height - 1]]
    for place, line in enumerate(latest):
        lines.append(((f" {fit('log' if place == 0 else '', _LABEL - 2)} ", "head"), *log_spans(line)))
    return lines[: max(height, 1)]


def _why_spans(snapshot: RunSnapshot, row: TaskRow) -> list[Span]:
    told = reasons.why(snapshot, row)
    if told.share is not None:
        filled, rest = bar(told.share, 20)
        return [(f"{int(told.share * 100)}% ", "strong"), (filled, "run"), (rest, "bar-rest"), (f" {told.text}", "")]
    return [(told.text or ("running" if row.state in ACTIVE else "done"), told.style)]


def _tries(row: TaskRow) -> list[Span]:
    spans: list[Span] = []
    for record in row.history[-4:]:
        error = clean(record.failure.error, 40) if record.failure else record.ending
        face = task_face(TaskState(record.ending))
        spans += [(f"{glyph(TaskState(record.ending))} ", face.style), (f"{record.number} ", "strong")]
        spans.append((f"{duration(record.ended_at - record.started_at)} {error}   ", "dim"))
    return spans


def _neighbours(snapshot: RunSnapshot, indices: Sequence[int]) -> list[Span]:
    if not indices:
        return [("nothing", "faint")]
    rows = sorted((snapshot.rows[i] for i in indices[:500]), key=lambda it: (it.state in GOOD, it.state not in BAD))
    done, up = sum(it.state in GOOD for it in rows), sum(it.serving and it.state not in GOOD for it in rows)
    word = "up" if up and not done else "up or done" if up else "done"
    spans: list[Span] = [(f"{done + up}/{len(indices)} {word}  ", "dim")] if len(indices) > 1 else []
    for it in rows[:12]:
        spans += [(f"{glyph_of(it)} ", face_of(it).style), (f"{name_of(it.name, 40)}  ", "")]
    if len(indices) > 12:
        spans.append((f"+{len(indices) - 12:,} more", "dim"))
    return spans


def _feeds(snapshot: RunSnapshot, row: TaskRow) -> list[Span]:
    direct = snapshot.plan.downstream[row.index]
    spans = _neighbours(snapshot, direct)
    if direct:
        far = _far(snapshot.plan.downstream, row.index)
        if far > _FAR:
            spans.append((f"(over {_FAR:,} in all)", "dim"))
        elif far > len(direct):
            spans.append((f"({far:,} in all)", "dim"))
    return spans


def _far(downstream: Sequence[Sequence[int]], start: int) -> int:
    """How many tasks come after one; one more than `_FAR` if there are more than that."""
    found: set[int] = set()
    queue = [start]
    while queue and len(found) <= _FAR:
        for index in downstream[queue.pop()]:
            if index not in found:
                found.add(index)
                queue.append(index)
    return min(len(found), _FAR + 1)


def policy_text(row: TaskRow) -> str:
    """The policy in force, in words."""
    policy, retry = row.policy, row.policy.retry
    parts = [upkeep.restart_words(policy.restart)] if policy.restart.is_on else []
    if probes := upkeep.probes_words(row):
        parts.append(probes)
    parts += [plural(retry.retries, "retry").replace("retrys", "retries") if retry.retries else "no retries"]
    if retry.retries:
        growth = {"exponential": f"exponential ×{retry.factor:g}", "linear": "linear", "none": "at once"}
        kind = growth[str(retry.backoff)]
        parts.append(kind if kind == "at once" else f"{kind} from {seconds_of(retry.base)} to {seconds_of(retry.cap)}")
        if retry.jitter:
            parts.append(f"jitter {retry.jitter:.0%}")
    parts.append(f"timeout {seconds_of(policy.timeout)}" if policy.timeout is not None else "no timeout")
    if policy.timeout is not None and retry.retries and not policy.retry_on_timeout:
        parts.append("none after a timeout")
    if policy.trigger != "all_success":
        parts.append(f"starts on {policy.trigger}")
    if policy.on_upstream_failure != "skip":
        verb = "fails" if policy.on_upstream_failure == "fail" else "runs all the same"
        parts.append(f"{verb} if its upstream is lost")
    if policy.cost is not None:
        parts.append(f"cost {policy.cost:g}")
    if policy.priority:
        parts.append(f"priority {policy.priority}")
    if policy.tags:
        parts.append("tags " + ", ".join(clean(tag, 40) for tag in policy.tags))
    return " · ".join(parts)


def where_text(snapshot: RunSnapshot, row: TaskRow) -> str:
    """Where it runs and what it takes besides a slot: "process · pool db 4/4 · gpu 2 of 4 · breaker api open"."""
    return " · ".join(text for text, _ in _guards(snapshot, row))


def _guards(snapshot: RunSnapshot, row: TaskRow) -> Iterator[Span]:
    policy = row.policy
    backend = snapshot.plan.backends.get(row.index)
    if backend is not None:
        yield f"backend {backend.value}", ""
    if policy.pool:
        used, there = snapshot.limits.get(f"pool:{policy.pool}", (0, 0))
        full = there and used >= there
        yield f"pool {clean(policy.pool, 60)} {used}/{there}", "warn" if full else ""
    for name, amount in policy.resources.items():
        used, there = snapshot.limits.get(f"resource:{name}", (0, 0))
        yield f"takes {amount} {clean(name, 60)}, {used}/{there} in use", "warn" if used + amount > there else ""
    if policy.circuit:
        view = breaker_of(snapshot, policy.circuit)
        if view is None or view.state is BreakerState.CLOSED:
            yield f"breaker {clean(policy.circuit, 60)} closed", ""
        else:
            yield breaker_text(snapshot, view), "warn"


def escalation_of(snapshot: RunSnapshot, row: TaskRow) -> EscalationReport | None:
    """The latest report of a task that has ended badly, or fails again and again."""
    if row.state not in BAD and row.state is not _S.CANCELLED and not upkeep.is_looping(snapshot, row):
        return None
    return next((report for report in reversed(snapshot.escalations) if report.task == row.name), None)


def log_spans(line: LogLine, *, times: bool = True, task: bool = False) -> list[Span]:
    """One log line: time, level, text."""
    style = {"ERROR": "bad", "CRITICAL": "bad", "WARNING": "warn", "WARN": "warn", "DEBUG": "faint"}.get(line.level, "")
    spans: list[Span] = [(f"{clock(line.at):>7} ", "faint")] if times else []
    if task:
        spans.append((f"{fit(name_of(line.task, 100) if line.task else '(process)', 16)} ", "key"))
    if line.stream == "log":
        spans.append((f"{fit(clean(line.level, 12), 7)} ", style or "dim"))
    elif line.stream == "stderr":
        spans.append(("stderr  ", "warn"))
    spans.append((clean(line.text.expandtabs(4)), style))
    return spans


# -- at length -----------------------------------------------------------------------------------------------


def full(
    snapshot: RunSnapshot,
    row: TaskRow,
    logs: Sequence[LogLine],
    cells: int,
    usual: Usual | None = None,
    returned: str = "",
) -> list[Line]:
    """Everything, section by section, for the right side and for the full-size view."""
    lines: list[Line] = []
    for head, body in _sections(snapshot, row, logs, cells, usual, returned):
        drawn = list(body)
        if drawn:
            if lines:
                lines.append(())
            lines.append(((f" {head}", "head"),))
            lines.extend(drawn)
    return lines


def _sections(
    snapshot: RunSnapshot, row: TaskRow, logs: Sequence[LogLine], cells: int, usual: Usual | None, returned: str
) -> Iterator[tuple[str, Iterator[Line]]]:
    yield ("NOW" if row.state not in FINAL else "OUTCOME"), _now(snapshot, row, cells, returned)
    if row.gate is not None:
        yield "GATE", _gate(snapshot, row, cells)
    report = escalation_of(snapshot, row)
    if report is not None:
        yield "CAUSE", _cause(report, cells)
        yield "WHAT CAN BE DONE", _bullets(report.options, "→", "", cells)
    if known := usual_texts.usual_spans(snapshot, row, usual):
        yield "USUALLY", iter([(("  ", ""), *known)])
    yield "ATTEMPTS", _attempts(snapshot, row, cells)
    if row.failure is not None:
        yield "LAST ERROR", _error(row.failure, cells)
    yield "UPSTREAM", _list(snapshot, snapshot.plan.upstream[row.index], cells)
    yield "DOWNSTREAM", _list(snapshot, snapshot.plan.downstream[row.index], cells)
    yield "POLICY", _wrapped(policy_text(row), "", cells)
    guards = [*_guards(snapshot, row)]
    if guards:
        yield "RUNS IN, AND TAKES", (line for text, style in guards for line in _wrapped(text, style, cells))
    if row.policy.description:
        yield "ABOUT", _wrapped(clean(row.policy.description), "dim", cells)
    yield "LOG", (((" ", ""), *log_spans(line)) for line in logs)


def _wrapped(text: str, style: str, cells: int) -> Iterator[Line]:
    for line in wrap(text, max(10, cells - 3)):
        yield (("  ", ""), (line, style))


def _gate(snapshot: RunSnapshot, row: TaskRow, cells: int) -> Iterator[Line]:
    asked = row.gate
    if asked is not None:
        yield from _wrapped(clean(asked.prompt) or "it asks nothing more", "strong", cells)
        deadline = reasons.gate_deadline(snapshot, row)
        yield (
            (f"  since {clock(asked.at)}", "dim"),
            (f" · {deadline}" if deadline else " · for as long as it takes", "warn" if deadline else "dim"),
            (" · a decides", "key"),
        )


def _cause(report: EscalationReport, cells: int) -> Iterator[Line]:
    yield from _wrapped(report.cause.words, "fail", cells)
    yield from _wrapped(clean(report.summary, 1000), "", cells)
    yield from _bullets(report.evidence, "-", "dim", cells)
    if report.blocks:
        shown = ", ".join(name_of(name, 60) for name in report.blocks[:6])
        more = f" and {report.blocks_count - 6:,} more" if report.blocks_count > 6 else ""
        yield from _wrapped(f"holds up {shown}{more}", "block", cells)


def _bullets(texts: Sequence[str], mark: str, style: str, cells: int) -> Iterator[Line]:
    for text in texts[:12]:
        for place, part in enumerate(wrap(clean(text, 600), max(10, cells - 5))):
            yield ((f"  {mark if place == 0 else ' '} ", "key" if mark == "→" else "faint"), (part, style))


def _now(snapshot: RunSnapshot, row: TaskRow, cells: int, returned: str) -> Iterator[Line]:
    told = reasons.why(snapshot, row)
    yield from outcome.outcome_lines(row, returned, cells)
    if told.share is not None:
        yield (("  ", ""), *_why_spans(snapshot, row)[:3])
    if told.text:
        yield from _wrapped(told.text, told.style, cells)
    if row.state is _S.BACKOFF and row.due_at is not None and row.ended_at is not None and row.due_at > row.ended_at:
        left = max(0.0, row.due_at - snapshot.at)
        filled, rest = bar(1 - left / (row.due_at - row.ended_at), 20)
        yield (
            ("  backoff ", "dim"),
            (filled, "retry"),
            (rest, "bar-rest"),
            (f" of {row.due_at - row.ended_at:.1f}s", "dim"),
        )
    place = snapshot.plan.places.get(row.index)
    if place:
        yield (("  declared at ", "dim"), (cut(clean(place), max(4, cells - 16)), ""))


def _attempts(snapshot: RunSnapshot, row: TaskRow, cells: int) -> Iterator[Line]:
    if len(row.history) > 8:
        yield ((f"  … {len(row.history) - 8} earlier", "faint"),)
    for record in row.history[-8:]:
        yield _attempt(record, cells)
    known = row.history[-1].number if row.history else 0
    if row.attempt > known and row.started_at is not None:
        ended = row.ended_at if row.state in FINAL else None
        taken = duration(ended - row.started_at) if ended is not None else clock(snapshot.at - row.started_at)
        face = face_of(row)
        yield (
            (f"  {row.attempt:>2} ", "strong"),
            (f"{glyph_of(row)} ", face.style),
            (f"{clock(row.started_at):>7} {taken:>7}  ", "dim"),
            (face.word.lower(), face.style),
        )
    elif not row.history:
        yield (("  none yet", "faint"),)


def _attempt(record: AttemptRecord, cells: int) -> Line:
    state = TaskState(record.ending)
    error = reasons.error_line(record.failure) if record.failure else record.ending
    return (
        (f"  {record.number:>2} ", "strong"),
        (f"{glyph(state)} ", task_face(state).style),
        (f"{clock(record.started_at):>7} {duration(record.ended_at - record.started_at):>7}  ", "dim"),
        (cut(error, max(8, cells - 24)), ""),
    )


def _error(failure: Failure, cells: int) -> Iterator[Line]:
    yield from _wrapped(reasons.error_line(failure), "error", cells)
    if failure.where:
        yield ((f"  {cut(clean(failure.where), max(4, cells - 3))}", "dim"),)
    for text in clean_lines(failure.traceback, 200):
        stripped = text.strip()
        style = "strong" if stripped.startswith("File ") else "dim"
        yield ((f"  {cut(text, max(4, cells - 3))}", style),)


def _list(snapshot: RunSnapshot, indices: Sequence[int], cells: int) -> Iterator[Line]:
    rows = sorted((snapshot.rows[i] for i in indices[:2000]), key=lambda it: (it.state in GOOD, it.state not in BAD))
    half = max(12, (cells - 14) // 2)
    for it in rows[:10]:
        face = face_of(it)
        yield (
            (f"  {glyph_of(it)} ", face.style),
            (f"{fit(name_of(it.name, 80), half)} ", ""),
            (fit(face.word.lower(), 8), face.style),
        )
    if len(indices) > 10:
        yield ((f"  +{len(indices) - 10:,} more", "dim"),)
