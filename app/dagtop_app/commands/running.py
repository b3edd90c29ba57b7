"""A run without the console, from the command to its exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from dagtop.ports.journal import Journal

from dagtop_app.commandline.options import GraphOptions, KeepOptions, OutputOptions
from dagtop_app.commandline.signals import EXIT_CODES, Signals
from dagtop_app.commands.telling import GateNotes
from dagtop_app.launching.due import refuse_to_watch, say_no_words, scheduled_nodes_of, timetable_of
from dagtop_app.launching.executing import executor_for
from dagtop_app.launching.kept_where import can_be_resumed, file_of, open_journal, resume_command
from dagtop_app.launching.preparing import Prepared, prepare
from dagtop_app.launching.run_end import Reports, tell_the_end
from dagtop_app.plain import headless
from dagtop_app.plain.events import PlainLines
from dagtop_app.plain.saying import say
from dagtop_app.settings import places as settings
from dagtop_app.terminal.streams import stdout_reserved

if TYPE_CHECKING:
    from dagtop import DAGExecutor
    from dagtop.journal.resume import Resumption
    from dagtop.runtime.thread import EngineThread

    from dagtop_app.plain.console import Conversation


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
    if conversation is not None:
        conversation.journal = journal
    printer = conversation.printer if conversation is not None else _printer(prepared, output, out, resume)
    executor = executor_for(prepared, [printer, *reports.recorders], journal=journal, output=output, resume=resume)
    if not talks:  # whoever sits here is told what to type here
        executor.recorders.append(GateNotes(executor.run_id, kept=can_be_resumed(journal), db=file_of(journal)))
    if conversation is not None:
        executor.recorders.append(conversation.reports)
    engine = EngineThread(executor, hold_open=hold_open or watch_file or talks, loop=output.loop)
    grace = executor.config.run_policy().cancel_grace
    if conversation is not None:
        from dagtop_app.reloading.file import Reloader  # noqa: PLC0415 - only where a person gives commands in words

        reloader = Reloader(prepared, executor)
        watch: headless.Watch = conversation.watch(engine, grace=grace, reloader=reloader)
    else:
        watch = headless.Watch(engine, printer, say=say, grace=grace)
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
    code = tell_the_end(engine, executor, watch, reports, resume_command)
    if journal is not None and engine.error is None:
        from dagtop_app.commands.pruning import after_a_run  # noqa: PLC0415 - only where runs are kept

        after_a_run(journal, prepared.journal, output.config)
    if watch.stuck:
        headless.end_process(code)
    return code


def _applying(
    prepared: Prepared, executor: DAGExecutor, engine: EngineThread, watch_file: bool
) -> AbstractContextManager[None]:
    if not watch_file:
        return nullcontext()
    from dagtop_app.reloading.file import Reloader, applying_changes  # noqa: PLC0415 - only where files are watched

    return applying_changes(Reloader(prepared, executor), engine)


def _printer(prepared: Prepared, output: OutputOptions, out: int, resume: Resumption | None) -> headless.Printer:
    from dagtop_app.plain.printers import StreamPrinter, Wire, is_terminal  # noqa: PLC0415 - each form of output is loaded alone

    run, started_at = (resume.run, resume.started_at) if resume is not None else ("", 0.0)
    if output.json:
        wire = Wire(run=run, started_at=started_at, for_terminal=is_terminal(out))
        return StreamPrinter(out, wire, stops_the_run=True)
    if not output.plain and is_terminal(2) and settings.can_draw():
        from dagtop_app.plain.live import LivePrinter  # noqa: PLC0415 - as above

        return LivePrinter()
    lines = PlainLines(prepared.seen(), started_at)
    return StreamPrinter(out if output.plain else 2, lines, stops_the_run=output.plain)


def _conversation(prepared: Prepared, out: int, resume: Resumption | None) -> Conversation:
    from dagtop_app.plain.console import Conversation  # noqa: PLC0415 - as above
    from dagtop_app.plain.reports import ReportKeeper  # noqa: PLC0415 - as above
    from dagtop_app.settings import config  # noqa: PLC0415 - only where a person gives commands in words

    lines = PlainLines(prepared.seen(), resume.started_at if resume is not None else 0.0)
    reports = ReportKeeper(prepared.config.inputs, prepared.source)
    return Conversation(lines, out, config.current().config.confirm, reports)


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
            say_no_words(talks)
            from dagtop_app.commands.scheduling import run_by_schedule  # noqa: PLC0415 - only where something is scheduled

            return run_by_schedule(prepared, timetable, signals, output, out=out, journal=journal, resume_command=again)
        if not now and (nodes := scheduled_nodes_of(prepared)):
            from dagtop_app.commands.scheduling import run_with_scheduled_nodes  # noqa: PLC0415 - as above

            refuse_to_watch(watch_file)
            say_no_words(talks)
            return run_with_scheduled_nodes(
                prepared, nodes, signals, output, out=out, journal=journal, resume_command=again
            )
        resumption = None
        if prepared.reconciler is not None:
            from dagtop_app.launching.surviving import desired_state  # noqa: PLC0415 - only for a desired state

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
