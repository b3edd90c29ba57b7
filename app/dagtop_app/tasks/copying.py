"""What of a task can be copied: its name, its error, its traceback, all of it as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dagtop.core.snapshot import RunSnapshot, TaskRow

from dagtop_app.bridge import LogLine
from dagtop_app.faces import TASK_FACES
from dagtop_app.tasks.why import error_line
from dagtop_app.text import clean, clean_lines, clock, duration, name_of, plural

#: Lines of its log that go into the Markdown, and that are copied by themselves.
MD_LINES, LOG_LINES = 20, 1_000


class Piece(NamedTuple):
    """Something to copy."""

    key: str
    label: str
    text: str


def pieces(snapshot: RunSnapshot, row: TaskRow, logs: Sequence[LogLine]) -> list[Piece]:
    """What there is of a task, the shortest first."""
    found = [Piece("n", "name", clean(row.name))]
    if row.failure is not None:
        where = f"\n{clean(row.failure.where)}" if row.failure.where else ""
        found.append(Piece("e", "error", f"{error_line(row.failure)}{where}"))
        if row.failure.traceback:
            found.append(Piece("t", "traceback", "\n".join(clean_lines(row.failure.traceback, 4_000))))
    if logs:
        found.append(Piece("l", f"the last {plural(len(logs), 'line')} of its log", "\n".join(map(_log_line, logs))))
    found.append(Piece("m", "all of it as Markdown", markdown(snapshot, row, logs)))
    return found


def _log_line(line: LogLine) -> str:
    level = f"{clean(line.level, 12):7} " if line.stream == "log" else "stderr  " if line.stream == "stderr" else ""
    return f"{clock(line.at):>7} {level}{clean(line.text.expandtabs(4))}".rstrip()


def markdown(snapshot: RunSnapshot, row: TaskRow, logs: Sequence[LogLine]) -> str:
    """A task as one puts it into a ticket."""
    face = TASK_FACES[row.state]
    lines = [f"### {_code(name_of(row.name))}: {face.word.lower()}", ""]
    lines.append(
        f"- run {_code(clean(snapshot.run) or '-')} of {_code(name_of(snapshot.graph or '-'))}, at {clock(snapshot.at)}"
    )
    if row.attempt:
        took = f", {duration(row.ended_at - row.started_at)}" if row.ended_at and row.started_at is not None else ""
        lines.append(f"- attempt {row.attempt} of {row.policy.retry.retries + 1}{took}")
    if row.reason:
        lines.append(f"- why: {clean(row.reason, 500)}")
    needs = (
        [snapshot.plan.names[it] for it in snapshot.plan.upstream[row.index]] if row.index < len(snapshot.plan) else []
    )
    if needs:
        more = f" and {len(needs) - 10:,} more" if len(needs) > 10 else ""
        lines.append(f"- needs {', '.join(_code(name_of(it, 80)) for it in needs[:10])}{more}")
    if row.failure is not None:
        lines.append(f"- error: {_code(error_line(row.failure))}")
        if row.failure.where:
            lines.append(f"- at {_code(clean(row.failure.where))}")
        if row.failure.traceback:
            lines += ["", *_block(clean_lines(row.failure.traceback))]
    if logs:
        lines += ["", "Its log:", "", *_block([_log_line(line) for line in logs[-MD_LINES:]])]
    return "\n".join(lines) + "\n"


def _fence(text: str, least: int) -> str:
    """More backticks than there are anywhere in a text."""
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return "`" * max(least, longest + 1)


def _code(text: str) -> str:
    fence = _fence(text, 1)
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _block(lines: Sequence[str]) -> list[str]:
    fence = _fence("\n".join(lines), 3)
    return [f"{fence}text", *lines, fence]
