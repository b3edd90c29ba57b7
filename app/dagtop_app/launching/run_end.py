"""What is said and written when a run without the console is over."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dagtop.errors import DagtopError, JournalError

from dagtop_app.launching.preparing import Prepared
from dagtop_app.plain.saying import say
from dagtop_app.terminal.streams import tell

if TYPE_CHECKING:
    from dagtop import DAGExecutor
    from dagtop.ports.recorder import Recorder
    from dagtop.runtime.result import RunResult
    from dagtop.runtime.thread import EngineThread

    from dagtop_app.plain import headless


class Reports:
    """The reports that were asked for: listens during the run, writes after it."""

    def __init__(self, paths: Sequence[Path], prepared: Prepared) -> None:
        self._paths = paths
        self._prepared = prepared
        self.recorders: list[Recorder] = []
        if paths:
            from dagtop.observe.report import ReportRecorder  # noqa: PLC0415 - only where one is wanted

            self.recorders = [ReportRecorder()]

    def write(self, result: RunResult) -> list[str]:
        """Write them, and return the paths of those that could be written."""
        if not self._paths:
            return []
        from dagtop.observe.report import collect, write_report  # noqa: PLC0415 - only where one is wanted

        from dagtop_app.reports.picturing import draw  # noqa: PLC0415 - as above

        (recorder,) = self.recorders
        report = collect(
            result,
            recorder=recorder,  # type: ignore[arg-type]  # it is the one made above
            inputs=self._prepared.config.inputs,
            source=self._prepared.source,
        )
        written: list[str] = []
        for path in self._paths:
            try:
                written.append(str(write_report(report, path, draw=draw)))
            except DagtopError as error:
                say(str(error))
        return written


def tell_the_end(
    engine: EngineThread, executor: DAGExecutor, watch: headless.Watch, reports: Reports, resume_command: str
) -> int:
    """Write the reports and say how it went."""
    from dagtop_app.launching import farewell  # noqa: PLC0415 - not to begin with
    from dagtop_app.plain import headless  # noqa: PLC0415 - not to begin with
    from dagtop_app.plain.events import some  # noqa: PLC0415 - not to begin with

    if engine.error is not None:
        return _broken(engine.error, watch.code)
    written = reports.write(engine.result if engine.result is not None else executor.result())
    snapshot = engine.latest
    resume = f"{resume_command} {snapshot.run}" if resume_command else ""
    tell(watch.as_told(farewell.farewell(snapshot, report=", ".join(written), resume=resume)))
    if watch.stuck:
        tell(f"  left behind, still running: {some(watch.stuck)}")
    return headless.exit_code(snapshot.state, watch.code)


def _broken(error: BaseException, stopped_with: int | None) -> int:
    """The engine itself ended with an error: the one traceback that people see, because they should report it."""
    if isinstance(error, JournalError):  # the stored run could not be taken up: nothing ran
        say(f"could not resume: {error}")
        return stopped_with or 2
    if isinstance(error, DagtopError):
        say(str(error))
        return stopped_with or 1
    import traceback  # noqa: PLC0415 - never needed, we hope

    traceback.print_exception(error, file=sys.stderr)
    say("this is a bug in dagtop; please report it with the lines above")
    return stopped_with or 1
