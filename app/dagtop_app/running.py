"""From a graph file and options to a run without the console."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagtop import DAGExecutor, ExecutorConfig, Graph
from dagtop.errors import DagtopError, Flaw, GraphError
from dagtop.graph.binding import FromInput
from dagtop.loaders.problems import nearest
from dagtop.loaders.python import Loaded, load
from dagtop.ports.journal import Journal
from dagtop.ports.recorder import Recorder

from dagtop_app import headless, settings
from dagtop_app.options import GraphOptions, KeepOptions, OutputOptions, stored
from dagtop_app.signals import Signals
from dagtop_app.summary import summary
from dagtop_app.terminal import stdout_reserved

if TYPE_CHECKING:
    from pathlib import Path

    from dagtop.journal.resume import Resumption
    from dagtop.observe.report import ReportRecorder
    from dagtop.runtime.thread import EngineThread

#: What a graph file may define, the first one first.
KINDS = (DAGExecutor, Graph)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A graph that was loaded and checked, and how it is to be run."""

    graph: Graph
    config: ExecutorConfig
    source: str
    recorders: tuple[Recorder, ...] = ()
    """Those of the file's own executor."""
    journal: Journal | str | Path | None = None
    """That of the file's own executor."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Command line options that a resumed run needs again."""


def prepare(where: str, options: GraphOptions, parameters: Mapping[str, Any]) -> Prepared:
    """Load the file, lay the options over what it says, and check the graph.

    Raises
    ------
    LoadError: the file cannot be loaded.
    GraphError: the graph cannot be run; all that is wrong is listed.
    """
    loaded = load(where, parameters, kinds=KINDS)
    target = loaded.target
    graph: Graph = target.graph if isinstance(target, DAGExecutor) else target
    base = target.config if isinstance(target, DAGExecutor) else graph.config
    config = ExecutorConfig(
        max_parallel=options.max_parallel,
        fail_fast=options.fail_fast,
        run_timeout=options.timeout,
        inputs=dict(parameters),
    ).over(base)
    graph.validate(config)
    _check_that_all_are_taken(parameters, loaded, graph, config)
    own = isinstance(target, DAGExecutor)
    return Prepared(
        graph=graph,
        config=config,
        source=loaded.source,
        recorders=tuple(target._recorders) if own else (),
        journal=target._journal if own else None,
        options=stored(
            {"max_parallel": options.max_parallel, "fail_fast": options.fail_fast, "timeout": options.timeout}
        ),
    )


def _check_that_all_are_taken(
    parameters: Mapping[str, Any], loaded: Loaded, graph: Graph, config: ExecutorConfig
) -> None:
    """A parameter that nothing takes is a slip of the pen."""
    calls = graph.checked(config).calls
    takes = {source.name for call in calls for _, source in call.arguments if isinstance(source, FromInput)}
    takes |= loaded.taken | set(graph.config.inputs)
    strangers = [name for name in parameters if name not in takes]
    if strangers:
        known = f"; it takes {', '.join(sorted(takes))}" if takes else ""
        raise GraphError(
            [
                Flaw(f"no task and no build() takes the parameter {name!r}{nearest(name, takes)}{known}", loaded.path)
                for name in strangers
            ]
        )


def open_journal(prepared: Prepared, keep: KeepOptions) -> Journal | None:
    """Where the run will be kept, seen to be writable.

    Raises
    ------
    JournalError: it cannot be written.
    """
    if keep.no_journal:
        return None
    if prepared.journal is not None and keep.db is None and not isinstance(prepared.journal, str):
        given = prepared.journal
        if hasattr(given, "begin"):
            return given  # type: ignore[return-value]  # a Journal of the file's own
    path = keep.db or (str(prepared.journal) if prepared.journal is not None else None)
    journal = settings.journal_at(path)
    settings.check_writable(journal)
    return journal


def run_to_the_end(
    prepared: Prepared,
    signals: Signals,
    output: OutputOptions,
    *,
    out: int,
    journal: Journal | None,
    resume: Resumption | None = None,
    resume_command: Sequence[str] = (),
) -> int:
    """Run the graph without the console and return the exit code.

    Parameters
    ----------
    out: descriptor of the real standard output.
    resume_command: arguments that go on with the run, without its id at the end.
    """
    from dagtop.observe.report import ReportRecorder  # noqa: PLC0415 - only where a run is
    from dagtop.runtime.thread import EngineThread  # noqa: PLC0415 - as above

    told = ReportRecorder() if output.report else None
    printer = _printer(prepared, output, out, resume)
    recorders: list[Recorder] = [*prepared.recorders, printer]
    if told is not None:
        recorders.append(told)
    executor = DAGExecutor(
        prepared.graph,
        prepared.config,
        recorders=recorders,
        journal=journal,
        source=prepared.source,
        resume=resume,
        capture=True,
        options=dict(prepared.options),
    )
    engine = EngineThread(executor, loop=output.loop)
    watch = headless.Watch(engine, printer, say=headless.say)
    signals.deliver_to(watch.signal)
    if signals.exit_code is not None:  # it came while we got ready
        return signals.exit_code
    watch.wait()
    code = _tell(engine, executor, watch, prepared, told, output, resume_command if journal is not None else ())
    if watch.stuck:
        headless.end_process(code)
    headless.end_process_soon(code, signals)
    return code


def _printer(prepared: Prepared, output: OutputOptions, out: int, resume: Resumption | None) -> headless.Printer:
    from dagtop_app.plain import PlainLines  # noqa: PLC0415 - each form of output is loaded alone
    from dagtop_app.printers import StreamPrinter, Wire, is_terminal  # noqa: PLC0415 - as above

    run, started_at = (resume.run, resume.record.started_at) if resume is not None else ("", 0.0)
    if output.json:
        wire = Wire(run=run, started_at=started_at, for_terminal=is_terminal(out))
        return StreamPrinter(out, wire, stops_the_run=True)
    if not output.plain and is_terminal(2) and settings.can_draw():
        from dagtop_app.live import LivePrinter  # noqa: PLC0415 - as above

        return LivePrinter()
    lines = PlainLines(prepared.graph.validate(prepared.config), started_at)
    return StreamPrinter(out if output.plain else 2, lines, stops_the_run=output.plain)


def _tell(
    engine: EngineThread,
    executor: DAGExecutor,
    watch: headless.Watch,
    prepared: Prepared,
    told: ReportRecorder | None,
    output: OutputOptions,
    resume_command: Sequence[str],
) -> int:
    """Write the reports and say how it went."""
    if engine.error is not None:
        return _broken(engine.error, watch.code)
    result = engine.result if engine.result is not None else executor.result()
    written: list[str] = []
    if told is not None:
        from dagtop.observe.report import collect, write_report  # noqa: PLC0415 - only where one is wanted

        report = collect(result, recorder=told, inputs=prepared.config.inputs, source=prepared.source)
        for path in output.report:
            try:
                written.append(str(write_report(report, path)))
            except DagtopError as error:
                headless.say(str(error))
    command = [*resume_command, result.run] if resume_command else []
    for line in summary(result, reports=written, resume=command, stuck=watch.stuck):
        print(line, file=sys.stderr)
    return headless.exit_code(result.state, watch.code)


def _broken(error: BaseException, stopped_with: int | None) -> int:
    """The engine itself ended with an error: the one traceback that people see, because they should report it."""
    if isinstance(error, DagtopError):
        headless.say(str(error))
        return stopped_with or 1
    import traceback  # noqa: PLC0415 - never needed, we hope

    traceback.print_exception(error, file=sys.stderr)
    headless.say("this is a bug in dagtop; please report it with the lines above")
    return stopped_with or 1


def run_command(
    where: str,
    signals: Signals,
    graph_options: GraphOptions,
    parameters: Mapping[str, Any],
    output: OutputOptions,
    keep: KeepOptions,
) -> int:
    """`dagtop run`."""
    with stdout_reserved() as out:
        prepared = prepare(where, graph_options, parameters)
        journal = open_journal(prepared, keep)
        command = ["dagtop", "resume", *(["--db", keep.db] if keep.db else [])]
        return run_to_the_end(prepared, signals, output, out=out, journal=journal, resume_command=command)
