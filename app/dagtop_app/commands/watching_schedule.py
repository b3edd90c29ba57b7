"""`dagtop FILE` on a terminal, of a graph with a schedule: one console, and an engine for each run."""

from __future__ import annotations

import gc
import time
from pathlib import Path

from dagtop.core.agenda import Agenda
from dagtop.core.events import Log
from dagtop.core.schedule import Timetable
from dagtop.observe.story import Story
from dagtop.ports.journal import Journal
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.thread import EngineThread

from dagtop_app.commandline.options import OutputOptions
from dagtop_app.commandline.signals import Signals
from dagtop_app.launching import later
from dagtop_app.launching.executing import executor_for
from dagtop_app.launching.preparing import Prepared
from dagtop_app.launching.run_end import Reports
from dagtop_app.logs.store import DeepLogs
from dagtop_app.plain import headless
from dagtop_app.reloading.next_run import NextRun
from dagtop_app.reloading.schedule import RereadForNextRun
from dagtop_app.reloading.timekeeper import NotBegun, Timekeeper
from dagtop_app.settings import places as settings
from dagtop_app.terminal.streams import own_terminal, tell


class _Runs:
    """Makes the engines, and knows the latest."""

    def __init__(self, prepared: Prepared, output: OutputOptions, journal: Journal | None) -> None:
        self.prepared, self._output, self._journal = prepared, output, journal
        self.engine: EngineThread | None = None
        self._executor: DAGExecutor | None = None
        self._reports: Reports | None = None

    def make(self) -> EngineThread:
        """The engine of the next run. The reports of the one before are written: they may be all that is left of it."""
        self.write_reports()
        self._reports = Reports(self._output.report, self.prepared)
        self._executor = executor_for(
            self.prepared, self._reports.recorders, journal=self._journal, output=self._output
        )
        self.engine = EngineThread(
            self._executor, hold_open=True, loop=self._output.loop, story=Story(), logs=DeepLogs()
        )
        return self.engine

    def write_reports(self) -> list[str]:
        """Write those of the latest run."""
        if self._executor is None or self._reports is None:
            return []
        written = self._reports.write(self._executor.result())
        if self._journal is not None:
            from dagtop_app.commands.pruning import after_a_run  # noqa: PLC0415 - only where runs are kept

            after_a_run(self._journal, self.prepared.journal, self._output.config)
        return written


def show_by_schedule(
    prepared: Prepared,
    timetable: Timetable,
    signals: Signals,
    output: OutputOptions,
    journal: Journal | None,
    *,
    again: str,
) -> int:
    """Wait for due times and run behind the console until the user leaves. `again` is what goes on with a run, without its id.

    The exit code is that of the latest run, or 0.
    """
    later.put_off()
    from dagtop_app.console import run_console  # noqa: PLC0415 - Textual only when there is something to show

    runs = _Runs(prepared, output, journal)
    plan = prepared.seen()
    nothing_yet = NotBegun(plan, prepared.config.run_policy().max_parallel)
    keeper = Timekeeper(Agenda(timetable, time.time()), runs.make)

    def take_over(found: NextRun) -> None:
        runs.prepared = found.prepared
        if found.timetable is not None:
            keeper.go_by(Agenda(found.timetable, time.time()))

    def to_the_logs(stream: str, line: str) -> None:
        engine = runs.engine or nothing_yet
        engine.logs.record(0, [Log(at=engine.latest.at, task="", attempt=0, stream=stream, level="", line=line)])

    def begin() -> None:
        gc.freeze()  # see `watching`
        gc.enable()

    signals.restore()  # from here on the console answers them
    with own_terminal(to_the_logs, for_textual=True) as terminal:
        code = run_console(
            nothing_yet,
            begin=begin,
            title=Path(prepared.source).name,
            resume=again,
            summary=terminal.file,
            keeper=keeper,
            reloader=RereadForNextRun(prepared, take_over),
            on_hangup=output.on_hangup,
            inputs=prepared.config.inputs,
            source=prepared.source,
            journal=journal if journal is not None else settings.journal_at(),
        )
    for path in runs.write_reports():
        tell(f"  report: {path}")
    signals.end_with(code)
    if runs.engine is not None and not runs.engine.join(0):
        headless.end_process(code)
    return code
