"""`dagtop FILE` on a terminal: the engine in its thread, the console in front of it."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagtop.core.events import AnyEvent, Log
from dagtop.observe.story import Story

from dagtop_app.commandline.options import GraphOptions, JournalOptions, KeepOptions, OutputOptions
from dagtop_app.commandline.signals import Signals
from dagtop_app.launching import later
from dagtop_app.launching.due import refuse_to_watch, scheduled_nodes_of, timetable_of
from dagtop_app.launching.engine_to_be import EngineToBe
from dagtop_app.launching.kept_where import Kept, resume_command
from dagtop_app.launching.preparing import Prepared, prepare
from dagtop_app.launching.run_end import Reports
from dagtop_app.logs.store import DeepLogs
from dagtop_app.settings import places as settings
from dagtop_app.terminal.streams import held_terminal, own_terminal, tell

if TYPE_CHECKING:
    from dagtop import DAGExecutor
    from dagtop.journal.resume import Resumption
    from dagtop.ports.journal import Journal
    from dagtop.runtime.thread import EngineThread

    from dagtop_app.reloading.timekeeper import NodeKeeper


#: How often garbage is looked for while tasks run. As Python has it, a key waits for that where a graph is large: events and rows
#: of tasks are kept, and are no garbage.
_SELDOM = 50_000, 20, 50


def watch_command(
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
) -> int:
    """Load the graph, run it, and show the console until the user leaves. `now`: once and at once, whatever its schedule says.

    Raises
    ------
    DagtopError: nothing ran.
    """
    usual = gc.get_threshold()
    gc.disable()  # until there is something to see, see `entry`
    try:
        with held_terminal():
            return _watch(
                where, signals, graph_options, parameters, output, keep, now=now, watch_file=watch_file, afresh=afresh
            )
    finally:
        gc.set_threshold(*usual)
        gc.enable()


def resume_on_console(
    run: str,
    signals: Signals,
    graph_options: GraphOptions,
    parameters: Mapping[str, Any],
    output: OutputOptions,
    keep: JournalOptions,
    *,
    trust_changes: bool,
) -> int:
    """Go on with a run that was kept, in the console.

    Raises
    ------
    DagtopError: there is no such run, it is open elsewhere, or its graph cannot be loaded. Nothing ran.
    """
    from dagtop_app.commands.resuming import take_up  # noqa: PLC0415 - a new run needs none of it

    with held_terminal():
        taken = take_up(run, graph_options, parameters, output, keep, trust_changes=trust_changes)
        if taken is None:
            return 0
        kept = Kept(lambda: taken.journal, resume_command(keep))
        return _show(taken.prepared, signals, taken.output, kept, resumption=taken.resumption)


def _watch(
    where: str,
    signals: Signals,
    graph_options: GraphOptions,
    parameters: Mapping[str, Any],
    output: OutputOptions,
    keep: KeepOptions,
    *,
    now: bool,
    watch_file: bool,
    afresh: bool,
) -> int:
    prepared = prepare(where, graph_options, parameters)
    kept = Kept.of(prepared, keep)
    if not now and (timetable := timetable_of(prepared)) is not None:
        refuse_to_watch(watch_file)
        from dagtop_app.commands.watching_schedule import show_by_schedule  # noqa: PLC0415 - only where something is scheduled

        return show_by_schedule(prepared, timetable, signals, output, kept.journal, again=kept.again)
    keeper: NodeKeeper | None = None
    if not now and (nodes := scheduled_nodes_of(prepared)):
        from dagtop_app.reloading.timekeeper import NodeKeeper  # noqa: PLC0415 - as above

        keeper = NodeKeeper(nodes)
    left, word = None, ""
    if prepared.reconciler is not None:
        from dagtop_app.launching.surviving import desired_state, sentence  # noqa: PLC0415 - only for a desired state

        left = desired_state(prepared, kept.journal, afresh=afresh)
        word = sentence(left) if left is not None else ""
    return _show(
        prepared,
        signals,
        output,
        kept,
        resumption=left,
        node_times=keeper,
        watch_file=watch_file,
        word=word,
    )


def _show(
    prepared: Prepared,
    signals: Signals,
    output: OutputOptions,
    kept: Kept,
    *,
    resumption: Resumption | None = None,
    node_times: NodeKeeper | None = None,
    watch_file: bool = False,
    word: str = "",
) -> int:
    """Run it behind the console. `word`: told first."""
    reports = Reports(output.report, prepared)
    past = None if resumption is None or kept.journal is None else partial(_before, kept.journal, resumption)
    story, logs = Story(past=past), DeepLogs()

    def make() -> tuple[DAGExecutor, EngineThread]:
        from dagtop.runtime.thread import EngineThread  # noqa: PLC0415 - see `EngineToBe`

        from dagtop_app.launching.executing import executor_for  # noqa: PLC0415 - not to begin with

        executor = executor_for(prepared, reports.recorders, journal=kept.journal, output=output, resume=resumption)
        return executor, EngineThread(executor, hold_open=True, loop=output.loop, story=story, logs=logs)

    engine = EngineToBe(make, story=story, logs=logs)
    if resumption is not None or prepared.reconciler is not None or prepared.plugins or output.plugin:
        engine.made()  # what is wrong with those is told before anything is shown
    if node_times is not None:
        node_times.serve(engine.expect_more)
    later.put_off()
    from dagtop_app.console import run_console  # noqa: PLC0415 - Textual only when there is something to show
    from dagtop_app.reloading.file import Reloader  # noqa: PLC0415 - as above

    def to_the_logs(stream: str, line: str) -> None:
        log = Log(at=engine.latest.at, task="", attempt=0, stream=stream, level="", line=line)
        engine.logs.record(0, [log])

    def begin() -> None:
        engine.prepare()
        gc.freeze()  # none of what start-up made is garbage: no need to look at it again while tasks run
        gc.set_threshold(*_SELDOM)
        gc.enable()
        if word:
            to_the_logs("dagtop", word)
        engine.start()

    signals.restore()  # from here on the console answers them
    with own_terminal(to_the_logs, for_textual=True) as terminal:
        code = run_console(
            engine,
            begin=begin,
            title=Path(prepared.source).name,
            resume=lambda: kept.again,
            keeper=node_times,
            summary=terminal.file,
            reloader=Reloader(prepared, lambda: engine.executor),
            watch_file=watch_file,
            word=word,
            on_hangup=output.on_hangup,
            inputs=prepared.config.inputs,
            source=prepared.source,
            journal=lambda: kept.journal if kept.journal is not None else settings.journal_at(),
        )
    for path in reports.write(engine.executor.result()) if output.report else ():
        tell(f"  report: {path}")
    if kept.journal is not None:
        from dagtop_app.commands.pruning import after_a_run  # noqa: PLC0415 - only where runs are kept

        after_a_run(kept.journal, prepared.journal, output.config)
    signals.end_with(code)
    if not engine.join(0):
        from dagtop_app.plain import headless  # noqa: PLC0415 - seldom needed

        headless.end_process(code)
    return code


def _before(journal: Journal, resumption: Resumption) -> Iterable[AnyEvent]:
    """What earlier processes told of a run that is gone on with."""
    return islice(journal.load(resumption.run).events(), resumption.next_event - 1)
