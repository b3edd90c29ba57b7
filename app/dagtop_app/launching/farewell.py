"""What the terminal tells after the console has closed, and with which exit code. Pure."""

from __future__ import annotations

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import BAD, FINAL, RUN_OVER, RunState

from dagtop_app.chrome.around import notice_text, trouble_text
from dagtop_app.chrome.view_model import counted
from dagtop_app.commandline.signals import EXIT_CODES
from dagtop_app.faces import ASCII, RUN_FACES, glyph, run_glyph
from dagtop_app.tasks.tally import counts_of
from dagtop_app.terminal.ascii_form import ascii_of
from dagtop_app.text import clean, cut, duration, name_of, plural

#: Failed tasks that get a line of their own.
_NAMED = 5
_CELLS = 100


def exit_code(state: RunState, *, terminated: int | None = None, broken: bool = False) -> int:
    """0 succeeded, 1 failed, 124 run timeout, 130 left or cancelled by the user, or that of the signal that ended it."""
    if broken:
        return 1
    if terminated is not None:
        return EXIT_CODES[terminated]
    match state:
        case RunState.SUCCEEDED:
            return 0
        case RunState.FAILED:
            return 1
        case RunState.TIMED_OUT:
            return 124
        case _:
            return 130


def farewell(
    snapshot: RunSnapshot, *, title: str = "", report: str = "", resume: str = "", error: BaseException | None = None
) -> str:
    """At most 20 lines: how the run ended, counts, the first failures, the report, how to go on."""
    face = RUN_FACES[snapshot.state]
    word = face.word.lower() if snapshot.state in RUN_OVER else f"left while {face.word.lower()}"
    name = name_of(snapshot.graph or title or "run", 60)
    counts = counts_of(snapshot)
    lines = [f"{run_glyph(snapshot.state)} {name}: {word} after {duration(snapshot.at)} · {counted(counts)}"]
    if snapshot.reason:
        lines.append(f"  {clean(snapshot.reason, 200)}")
    failed = [row for row in snapshot.rows if row.state in BAD]
    bad = [row for row in failed if row.index not in snapshot.plan.nodes] or failed
    lines += [_failed(row) for row in bad[:_NAMED]]
    if len(bad) > _NAMED:
        lines.append(f"  … and {plural(len(bad) - _NAMED, 'more failure')}")
    if told := trouble_text(snapshot):
        lines.append(f"  ▲ {told}")
    if told := notice_text(snapshot):
        lines.append(f"  {told}")
    if error is not None:
        lines.append(f"  the engine broke down, a bug of dagtop: {clean(repr(error), 300)}")
    left = sum(count for state, count in counts.items() if state not in FINAL)
    if left and snapshot.state not in RUN_OVER:
        lines.append(f"  {plural(left, 'task')} not finished")
    if report:
        lines.append(f"  report: {clean(report, 300)}")
    if resume and snapshot.state is not RunState.SUCCEEDED:
        lines.append(f"  go on with: {clean(resume, 300)}")
    text = "\n".join(cut(line, _CELLS) if not line.startswith(("  report", "  go on")) else line for line in lines)
    return ascii_of(text) if ASCII else text


def _failed(row: TaskRow) -> str:
    from dagtop_app.tasks.why import error_line  # noqa: PLC0415 - not to begin with

    why = error_line(row.failure) if row.failure is not None else clean(row.reason, 200)
    # The name of the file is enough: with its whole path there would be no room for what went wrong.
    at = row.failure.where.rpartition("/")[2] if row.failure is not None else ""
    where = f"  ({clean(at, 60)})" if at else ""
    return cut(f"  {glyph(row.state)} {name_of(row.name, 40)}: {why}", _CELLS - len(where)) + where
