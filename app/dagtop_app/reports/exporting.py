"""A report of the run that a console shows, at the instant that it shows: as `dagtop report` writes it. No terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dagtop.core import events as ev
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import BAD, TaskState
from dagtop.observe.report import ReportRecorder, collect_snapshot, write_report
from dagtop.observe.report.recorder import LINES, SeenAttempt
from dagtop.observe.spans import Kind
from dagtop.observe.story import Story, Turn

from dagtop_app.bridge import Logs
from dagtop_app.commands.reporting import write_escalations
from dagtop_app.reports.picturing import draw
from dagtop_app.text import plural
from dagtop_app.words.reports import FORMS

__all__ = ["FORMS", "Export", "recorder_of"]


#: Tasks that ended badly of which the report has the log.
_LOGS = 200


class Export(NamedTuple):
    """What a report is made of. All of it may be read by any thread."""

    snapshot: RunSnapshot
    recorder: ReportRecorder
    logs: Logs
    inputs: Mapping[str, Any]
    source: str

    def write(self, form: str, folder: Path, target: Path | None = None) -> str:
        """Write it and say where it is: into the folder under a name of its own, or as `target`.

        Raises
        ------
        DagtopError: it cannot be written.
        """
        run = self.snapshot.run or "run"
        if form == "tickets":
            place = target or folder / f"escalations-{run}"
            count = write_escalations(self.snapshot, place, self.inputs)
            return (
                f"wrote {plural(count, 'ticket')} into {place.name}, in {place.parent}"
                if count
                else "the run has no escalations"
            )
        for row in [row for row in self.snapshot.rows if row.state in BAD or row.state is TaskState.CANCELLED][:_LOGS]:
            lines = self.logs.tail(row.name, LINES)
            logs = [ev.Log(line.at, row.name, line.attempt, line.stream, line.level, line.text) for line in lines]
            self.recorder.record(1, logs)
        report = collect_snapshot(self.snapshot, recorder=self.recorder, inputs=self.inputs, source=self.source)
        written = write_report(report, target or folder / f"report-{run}.{form}", draw=draw)
        return f"wrote {written.name} into {written.parent.absolute()}"


def recorder_of(story: Story, snapshot: RunSnapshot) -> ReportRecorder:
    """What a recorder would have kept, from the story. For the thread that draws: the story is its."""
    kept = ReportRecorder()
    events: list[ev.AnyEvent] = [
        ev.CommandApplied(edit.at, edit.command, id=0, by=edit.by, effect=edit.text)
        if edit.applied
        else ev.CommandRefused(edit.at, edit.command, id=0, by=edit.by, reason=edit.text)
        for edit in story.edits
    ]
    events += [_move(name, turn) for name, turns in story.breakers.items() for turn in turns]
    events += snapshot.problems
    events += [ev.TaskEscalated(one.at, one.task, one) for one in snapshot.escalations]
    events.sort(key=lambda event: event.at)
    kept.record(1, events)
    kept.problem_count = snapshot.problem_count
    kept.max_parallel = snapshot.max_parallel
    kept.pauses.extend(story.pauses)
    kept.paused_at = story.paused_at
    for name, track in story.tracks.items():
        runs = [span for span in track.spans if span.kind is Kind.RUN]
        if len(runs) > 1 or track.dropped:
            kept.attempts[name] = [SeenAttempt(span.attempt, span.start, span.end, span.ending) for span in runs]
    return kept


def _move(breaker: str, turn: Turn) -> ev.AnyEvent:
    if turn.forced:
        return ev.BreakerForced(turn.at, breaker, turn.reason, turn.state)
    match turn.state:
        case "open":
            return ev.BreakerOpened(turn.at, breaker, turn.reason, turn.probe_in or 0.0)
        case "half_open":
            return ev.BreakerHalfOpened(turn.at, breaker, turn.reason)
        case "closed":
            return ev.BreakerClosed(turn.at, breaker, turn.reason)
        case _:
            return ev.BreakerChanged(turn.at, breaker, turn.reason, {})
