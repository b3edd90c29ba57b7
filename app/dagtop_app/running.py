"""From a graph file and options to a run without the console."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagtop import DAGExecutor, ExecutorConfig, Graph, MetaDAG, Reconciler
from dagtop.errors import DagtopError, Flaw, GraphError, JournalError, OptionError
from dagtop.graph.binding import FromInput
from dagtop.graph.listening import Listener
from dagtop.graph.runnable import Runnable
from dagtop.loaders.problems import nearest
from dagtop.loaders.python import Loaded, load
from dagtop.ports.journal import Journal
from dagtop.ports.recorder import Recorder

from dagtop_app import farewell, headless, settings
from dagtop_app.options import GraphOptions, JournalOptions, KeepOptions, OutputOptions, UsageError, stored
from dagtop_app.plain import PlainLines, some
from dagtop_app.signals import EXIT_CODES, Signals
from dagtop_app.telling import GateNotes
from dagtop_app.terminal import stdout_reserved, tell

if TYPE_CHECKING:
    from dagtop.core.schedule import Timetable
    from dagtop.journal.resume import Resumption
    from dagtop.runtime.result import RunResult
    from dagtop.runtime.thread import EngineThread

    from dagtop_app.plain_console import Conversation

#: What a graph file may define, the first one first.
KINDS = (MetaDAG, Reconciler, DAGExecutor, Graph)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A graph that was loaded and checked, and how it is to be run."""

    graph: Runnable
    config: ExecutorConfig
    source: str
    recorders: tuple[Recorder, ...] = ()
    """Those of the file's own executor."""
    journal: Journal | str | Path | None = None
    """That of the file's own executor."""
    plugins: Sequence[Any] = ()
    """Those of the file's own executor, its hooks among them."""
    listeners: Sequence[Listener] = ()
    """Those that the file's own executor got by `@executor.on_event` and the like."""
    reconciler: Reconciler | None = None
    """What keeps it up, if it is a desired state and not a run that comes to an end."""
    again: Callable[[], Prepared] | None = None
    """Loads and checks it again while a run of it goes on."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Command line options that a resumed run needs again, and the working directory as "folder"."""


def prepare(
    where: str,
    options: GraphOptions,
    parameters: Mapping[str, Any],
    *,
    stored_parameters: Mapping[str, Any] | None = None,
    beside_a_run: bool = False,
) -> Prepared:
    """Load the file, lay the options over what it says, and check the graph.

    Parameters
    ----------
    parameters: those that were given now; each must be taken by something.
    stored_parameters: those of the run that is resumed; the ones given now win.
    beside_a_run: a run of an earlier version of it goes on.

    Raises
    ------
    LoadError: the file cannot be loaded.
    GraphError: the graph cannot be run; all that is wrong is listed.
    """
    everything = {**(stored_parameters or {}), **parameters}
    folder = _working_directory()  # before the file, which may go elsewhere
    loaded = load(where, everything, kinds=KINDS, beside_a_run=beside_a_run)
    target = loaded.target
    supervisor = target if isinstance(target, Reconciler) else None
    given: Any = loaded.target
    found: Any = supervisor.own_executor if supervisor is not None else given
    own: DAGExecutor | None = found if isinstance(found, DAGExecutor) else None
    graph: Runnable = given if own is None else own.graph
    base = graph.config if own is None else own.config
    config = ExecutorConfig(
        max_parallel=options.max_parallel,
        fail_fast=options.fail_fast or None,
        run_timeout=options.timeout,
        inputs=everything,
        cache=False if options.no_cache else None,
    ).over(base)
    graph.validate(config)
    _check_that_all_are_taken(parameters, loaded, graph, config)
    return Prepared(
        graph=graph,
        config=config,
        source=loaded.source,
        recorders=tuple(own.recorders) if own is not None else (),
        journal=own.journal if own is not None else None,
        plugins=_plugins_of(own) if own is not None else (),
        listeners=_listeners_of(own) if own is not None else (),
        reconciler=supervisor,
        again=partial(
            prepare, loaded.source, options, parameters, stored_parameters=stored_parameters, beside_a_run=True
        ),
        options=stored(
            {
                "max_parallel": options.max_parallel,
                "fail_fast": options.fail_fast or None,
                "timeout": options.timeout,
                "folder": folder,
            }
        ),
    )


def _plugins_of(executor: DAGExecutor) -> list[Any]:
    wanted = executor.plugins or ()
    return [*([wanted] if isinstance(wanted, str) else wanted), *executor.hooks.plugins]


def _listeners_of(executor: DAGExecutor) -> list[Listener]:
    """Without those of its config, which the next executor has from there."""
    known = (executor.config.on_event, executor.config.on_escalation)
    return [one for one in executor.listeners.all if not any(one.call is call for call in known)]


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return None


def _check_that_all_are_taken(
    parameters: Mapping[str, Any], loaded: Loaded, graph: Runnable, config: ExecutorConfig
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
    """Where the run will be kept. A file that was asked for is seen to be writable.

    One that was not, the user's own history, does not stand in the way: the engine tells that it cannot be written, and the
    run goes on.

    Raises
    ------
    JournalError: the file that was asked for cannot be written.
    """
    if keep.no_journal:
        return None
    own = prepared.journal if keep.db is None else keep.db
    if own is not None and not isinstance(own, (str, PathLike)):
        return own
    journal = settings.journal_at(own)
    if own is not None:
        settings.check_writable(journal)
    return journal


def can_be_resumed(journal: Journal | None) -> bool:
    """Whether a run that is begun in it now is kept there."""
    if journal is None:
        return False
    from dagtop.journal.sqlite import SqliteJournal  # noqa: PLC0415 - loaded already if there is one

    if not isinstance(journal, SqliteJournal):
        return True
    try:
        settings.check_writable(journal)
    except JournalError:
        return False
    return True


def executor_for(
    prepared: Prepared,
    recorders: Sequence[Recorder],
    *,
    journal: Journal | None,
    output: OutputOptions,
    resume: Resumption | None = None,
) -> DAGExecutor:
    """What runs it, with the file's own recorders and plugins, ours, and the plugins that are installed."""
    options: dict[str, Any] = {
        "recorders": [*prepared.recorders, *recorders],
        "journal": journal,
        "source": prepared.source,
        "resume": resume,
        "capture": True,
        "options": dict(prepared.options),
        "plugins": [*prepared.plugins, *output.plugin, *(() if output.no_plugins else ["installed"])],
    }
    if prepared.reconciler is not None:
        executor = prepared.reconciler.executor(prepared.config, **options)
    else:
        executor = DAGExecutor(prepared.graph, prepared.config, **options)
    for listener in prepared.listeners:
        executor.listeners.add(listener)
    return executor


def run_to_the_end(
    prepared: Prepared,
    signals: Signals,
    output: OutputOptions,
    *,
    out: int,
    journal: Journal | None,
    resume: Resumption | None = None,
    resume_command: str = "",
    meanwhile: Callable[[EngineThread], AbstractContextManager[None]] | None = None,
    hold_open: bool = False,
    watch_file: bool = False,
    talks: bool = False,
) -> int:
    """Run the graph without the console and return the exit code.

    Parameters
    ----------
    out: descriptor of the real standard output.
    resume_command: what goes on with the run, without its id at the end.
    meanwhile: entered while the run goes on.
    hold_open: whether the run stays when it is over, until what goes on meanwhile closes it.
    talks: whether a person sits at the terminal, and gives commands in words.
    watch_file: apply what changes in the graph file; the run then stays for that when it is over, until a signal comes.
    """
    from dagtop.runtime.thread import EngineThread  # noqa: PLC0415 - only where a run is

    reports = Reports(output.report, prepared)
    conversation = _conversation(prepared, out, resume) if talks else None
    printer = conversation.printer if conversation is not None else _printer(prepared, output, out, resume)
    executor = executor_for(prepared, [printer, *reports.recorders], journal=journal, output=output, resume=resume)
    if not talks:  # whoever sits here is told what to type here
        executor.recorders.append(GateNotes(executor.run_id, kept=can_be_resumed(journal), db=file_of(journal)))
    engine = EngineThread(executor, hold_open=hold_open or watch_file or talks, loop=output.loop)
    grace = executor.config.run_policy().cancel_grace
    if conversation is not None:
        from dagtop_app.reloading import Reloader  # noqa: PLC0415 - only where a person gives commands in words

        reloader = Reloader(prepared, executor)
        watch: headless.Watch = conversation.watch(engine, grace=grace, reloader=reloader)
    else:
        watch = headless.Watch(engine, printer, say=headless.say, grace=grace)
    watch.on_hangup = output.on_hangup
    signals.deliver_to(watch.signal, wake=watch.mailbox.wake)
    for number in signals.received:  # they came while we got ready
        watch.signal(number)
    with (
        meanwhile(engine) if meanwhile is not None else nullcontext(),
        _applying(prepared, executor, engine, watch_file),
    ):
        watch.wait()
    signals.deliver_to(lambda number: os._exit(EXIT_CODES[number]))
    watch.mailbox.close()
    code = _tell(engine, executor, watch, reports, resume_command)
    if journal is not None and engine.error is None:
        from dagtop_app.pruning import after_a_run  # noqa: PLC0415 - only where runs are kept

        after_a_run(journal, prepared.journal, output.config)
    if watch.stuck:
        headless.end_process(code)
    return code


def _applying(
    prepared: Prepared, executor: DAGExecutor, engine: EngineThread, watch_file: bool
) -> AbstractContextManager[None]:
    if not watch_file:
        return nullcontext()
    from dagtop_app.reloading import Reloader, applying_changes  # noqa: PLC0415 - only where files are watched

    return applying_changes(Reloader(prepared, executor), engine)


def file_of(journal: Journal | None) -> Path | None:
    """The file of a journal, if another terminal has to be told which one it is."""
    path = getattr(journal, "path", None)
    return path if path is not None and path != settings.journal_at(environ={}).path else None


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

        from dagtop_app.picturing import draw  # noqa: PLC0415 - as above

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
                headless.say(str(error))
        return written


def _printer(prepared: Prepared, output: OutputOptions, out: int, resume: Resumption | None) -> headless.Printer:
    from dagtop_app.printers import StreamPrinter, Wire, is_terminal  # noqa: PLC0415 - each form of output is loaded alone

    run, started_at = (resume.run, resume.started_at) if resume is not None else ("", 0.0)
    if output.json:
        wire = Wire(run=run, started_at=started_at, for_terminal=is_terminal(out))
        return StreamPrinter(out, wire, stops_the_run=True)
    if not output.plain and is_terminal(2) and settings.can_draw():
        from dagtop_app.live import LivePrinter  # noqa: PLC0415 - as above

        return LivePrinter()
    lines = PlainLines(prepared.graph.validate(prepared.config), started_at)
    return StreamPrinter(out if output.plain else 2, lines, stops_the_run=output.plain)


def _conversation(prepared: Prepared, out: int, resume: Resumption | None) -> Conversation:
    from dagtop_app import config  # noqa: PLC0415 - only where a person gives commands in words
    from dagtop_app.plain_console import Conversation  # noqa: PLC0415 - as above

    lines = PlainLines(prepared.graph.validate(prepared.config), resume.started_at if resume is not None else 0.0)
    return Conversation(lines, out, config.current().config.confirm)


def _tell(
    engine: EngineThread, executor: DAGExecutor, watch: headless.Watch, reports: Reports, resume_command: str
) -> int:
    """Write the reports and say how it went."""
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
        headless.say(f"could not resume: {error}")
        return stopped_with or 2
    if isinstance(error, DagtopError):
        headless.say(str(error))
        return stopped_with or 1
    import traceback  # noqa: PLC0415 - never needed, we hope

    traceback.print_exception(error, file=sys.stderr)
    headless.say("this is a bug in dagtop; please report it with the lines above")
    return stopped_with or 1


def timetable_of(prepared: Prepared) -> Timetable | None:
    """When it is due; None if it says nothing of that.

    Raises
    ------
    OptionError: what keeps its tasks up has a schedule, or the MetaDAG and its nodes both have one.
    """
    if prepared.config.schedule() is None:
        return None
    if prepared.reconciler is not None:
        message = "every=, cron= and at= are for what comes to an end; a Reconciler keeps its tasks up all the time"
        raise OptionError([Flaw(message, prepared.graph.place)])
    scheduled_nodes_of(prepared)  # it has none, or that is an error
    from dagtop.runtime.schedule import timetable_of as due_times  # noqa: PLC0415 - only where something is scheduled

    return due_times(prepared.config)


def scheduled_nodes_of(prepared: Prepared) -> dict[str, Timetable]:
    """The due times of nodes of a MetaDAG, by path.

    Raises
    ------
    OptionError: the MetaDAG has a schedule too.
    """
    if not isinstance(prepared.graph, MetaDAG):
        return {}
    from dagtop.runtime.node_schedule import scheduled_nodes  # noqa: PLC0415 - only where nodes are

    return scheduled_nodes(prepared.graph)


def resume_command(keep: JournalOptions) -> str:
    """What goes on with a run, as it is typed, without the run's id."""
    return f"dagtop resume --db {shlex.quote(str(keep.db))}" if keep.db else "dagtop resume"


def refuse_to_watch(watch_file: bool) -> None:
    """A schedule has a run of its own each time.

    Raises
    ------
    UsageError: it is wanted all the same.
    """
    if watch_file:
        raise UsageError(
            "--watch is for one run that goes on, and this graph has a schedule: add --now, or leave it out"
        )


def _say_no_words(talks: bool) -> None:
    if talks:
        headless.say("a graph with a schedule takes no commands here: `dagtop tell` gives them, --now runs it once")


def run_command(
    where: str,
    signals: Signals,
    graph_options: GraphOptions,
    parameters: Mapping[str, Any],
    output: OutputOptions,
    keep: KeepOptions,
    *,
    now: bool = False,
    watch_file: bool = False,
    afresh: bool = False,
    talks: bool = False,
) -> int:
    """`dagtop run`; with `talks` also `dagtop FILE --plain` on a terminal.

    A graph with a schedule waits for its due times; with `now` it runs once, at once, like any other.

    Raises
    ------
    DagtopError: nothing ran.
    """
    with stdout_reserved() as out:
        prepared = prepare(where, graph_options, parameters)
        journal = open_journal(prepared, keep)
        again = resume_command(keep) if can_be_resumed(journal) else ""
        if not now and (timetable := timetable_of(prepared)) is not None:
            refuse_to_watch(watch_file)
            _say_no_words(talks)
            from dagtop_app.scheduling import run_by_schedule  # noqa: PLC0415 - only where something is scheduled

            return run_by_schedule(prepared, timetable, signals, output, out=out, journal=journal, resume_command=again)
        if not now and (nodes := scheduled_nodes_of(prepared)):
            from dagtop_app.scheduling import run_with_scheduled_nodes  # noqa: PLC0415 - as above

            refuse_to_watch(watch_file)
            _say_no_words(talks)
            return run_with_scheduled_nodes(
                prepared, nodes, signals, output, out=out, journal=journal, resume_command=again
            )
        resumption = None
        if prepared.reconciler is not None:
            from dagtop_app.surviving import desired_state  # noqa: PLC0415 - only for a desired state

            resumption = desired_state(prepared, journal, afresh=afresh)
        return run_to_the_end(
            prepared,
            signals,
            output,
            out=out,
            journal=journal,
            resume=resumption,
            resume_command=again,
            watch_file=watch_file,
            talks=talks,
        )
