"""What a finished run leaves on the terminal: at most 20 lines that tell the story and the way on. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from dagtop.core.states import BAD, RunState
from dagtop.runtime.result import RunResult, TaskResult

from dagtop_app.plain import counts_text, error_text, some
from dagtop_app.text import clean, duration, name_of, plural

#: Failed tasks that get a line each.
FAILURES_SHOWN = 5

_WORDS = {
    RunState.SUCCEEDED: "succeeded",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "was stopped",
    RunState.TIMED_OUT: "ran out of time",
}


def summary(
    result: RunResult, *, reports: Sequence[str] = (), resume: Sequence[str] = (), stuck: Sequence[str] = ()
) -> list[str]:
    """The lines. `resume` is the command that goes on with the run, as arguments; `stuck` are abandoned tasks."""
    word = _WORDS.get(result.state, result.state.value)
    why = f" ({clean(result.reason, 200)})" if result.reason and result.state is not RunState.SUCCEEDED else ""
    counts = counts_text(result.counts) or "nothing to do"
    lines = [f"{name_of(result.graph, 100)} {word}{why} after {duration(result.duration)}: {counts}"]
    failed = [task for task in result if task.state in BAD]
    lines += [_failure_line(task) for task in failed[:FAILURES_SHOWN]]
    if len(failed) > FAILURES_SHOWN:
        lines.append(f"  … and {len(failed) - FAILURES_SHOWN:,} more")
    if stuck:
        lines.append(f"left behind, still running: {some(stuck)}")
    lines += [f"report: {clean(path, 500)}" for path in reports[:FAILURES_SHOWN]]
    if resume and result.state is not RunState.SUCCEEDED:
        lines.append(f"run {clean(result.run, 100)}; go on with: {shlex.join(resume)}")
    return lines


def _failure_line(task: TaskResult) -> str:
    tries = f" ({plural(task.attempts, 'attempt')})" if task.attempts > 1 else ""
    where = f" at {clean(task.failure.where, 200)}" if task.failure is not None and task.failure.where else ""
    what = error_text(task.failure) or clean(task.reason, 300) or task.state.value
    return f"  ✖ {name_of(task.name, 80)}{tries}: {what[:300]}{where}"
