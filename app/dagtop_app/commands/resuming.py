"""`dagtop resume`: go on with a run that was kept, with the console (see `watching`) or without."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dagtop.errors import DagtopError
from dagtop.journal.resume import Resumption, plan_resumption
from dagtop.ports.journal import Journal, RunRecord

from dagtop_app.commandline.options import GraphOptions, JournalOptions, OutputOptions
from dagtop_app.commandline.signals import Signals
from dagtop_app.commands.running import run_to_the_end
from dagtop_app.launching.kept_where import resume_command as command_again
from dagtop_app.launching.preparing import Prepared, prepare
from dagtop_app.launching.surviving import live_changes
from dagtop_app.plain.saying import say
from dagtop_app.settings import places as settings
from dagtop_app.terminal.streams import stdout_reserved, tell
from dagtop_app.text import clean, name_of, plural

if TYPE_CHECKING:
    from dagtop.core.plan import Plan

#: Tasks that run again are told with their reason; of more, the rest is counted.
REASONS_SHOWN = 8


class TakenUp(NamedTuple):
    """A stored run that is ready to go on."""

    prepared: Prepared
    output: OutputOptions
    """Its reports by absolute path: the working directory is that of the run now."""
    journal: Journal
    resumption: Resumption


def resume_command(
    run: str,
    signals: Signals,
    graph_options: GraphOptions,
    parameters: Mapping[str, Any],
    output: OutputOptions,
    keep: JournalOptions,
    *,
    trust_changes: bool,
) -> int:
    """Load the graph that the run was of, decide what is kept, say so, and run the rest.

    Raises
    ------
    DagtopError: there is no such run, it is open elsewhere, or its graph cannot be loaded. Nothing ran.
    """
    with stdout_reserved() as out:
        taken = take_up(run, graph_options, parameters, output, keep, trust_changes=trust_changes)
        if taken is None:
            return 0
        return run_to_the_end(
            taken.prepared,
            signals,
            taken.output,
            out=out,
            journal=taken.journal,
            resume=taken.resumption,
            resume_command=command_again(keep),
        )


def take_up(
    run: str,
    graph_options: GraphOptions,
    parameters: Mapping[str, Any],
    output: OutputOptions,
    keep: JournalOptions,
    *,
    trust_changes: bool,
) -> TakenUp | None:
    """Load the graph that a run was of, decide what is kept, and say so. None if there is nothing left to do.

    Raises
    ------
    DagtopError: there is no such run, it is open elsewhere, or its graph cannot be loaded.
    """
    journal = settings.journal_at(keep.db)
    stored = journal.load(run)
    record = stored.record
    if not record.source:
        raise DagtopError(
            f"could not resume {record.run}: it was started from Python, so there is no graph file to load; "
            "resume it from there with DAGExecutor(resume=...)"
        )
    # Those that are asked for now are written where the user is now.
    output = replace(output, report=tuple(Path(path).absolute() for path in output.report))
    _go_back_to(record.options.get("folder"))
    prepared = prepare(
        record.source, _with_stored(graph_options, record), parameters, stored_parameters=record.parameters
    )
    plan = prepared.graph.validate(prepared.config)
    fingerprints = prepared.graph.fingerprints(prepared.config)
    supervises = prepared.reconciler is not None
    resumption = plan_resumption(stored, plan, fingerprints, trust_changes=trust_changes, supervises=supervises)
    if resumption.nothing_left:
        say(f"run {clean(record.run)} of {name_of(record.graph)} has succeeded; nothing is left to do")
        return None
    for line in resumption_lines(resumption, plan):
        tell(line)
    return TakenUp(prepared, output, journal, resumption)


def _go_back_to(folder: object) -> None:
    """Relative paths in the graph mean what they meant when the run began."""
    if not isinstance(folder, str):  # a run of an earlier version
        return
    try:
        if os.path.samefile(folder, "."):
            return
    except OSError:  # one of the two is not there
        pass
    try:
        os.chdir(folder)
    except OSError as error:
        reason = error.strerror or "it cannot be entered"
        say(f"the run was started in {clean(folder, 300)}: {reason}; relative paths mean this folder now")
    else:
        say(f"in the folder where the run was started: {clean(folder, 300)}")


def _with_stored(given: GraphOptions, record: RunRecord) -> GraphOptions:
    """The options of the run, with those given now on top."""
    before = record.options
    return replace(
        given,
        max_parallel=before.get("max_parallel") if given.max_parallel is None else given.max_parallel,
        fail_fast=given.fail_fast or bool(before.get("fail_fast")),
        timeout=before.get("timeout") if given.timeout is None else given.timeout,
    )


def resumption_lines(resumption: Resumption, plan: Plan) -> Iterator[str]:
    """What is kept, and what runs again and why."""
    again = {name: why for name, why in resumption.reruns.items() if name in plan.index}
    kept, came = len(resumption.kept), len(resumption.spawned)
    to_do = len(plan) - kept - sum(name in plan.index for name in resumption.skipped)
    too = f", and of {plural(came, 'task')} that came while it ran, as these come again" if came else ""
    yield (
        f"run {clean(resumption.run)} of {name_of(plan.name)} goes on: {plural(to_do, 'task')} to do, "
        f"{plural(kept, 'result')} kept{too}"
    )
    for name, why in list(again.items())[:REASONS_SHOWN]:
        yield f"  {name_of(name, 80)} runs again: {clean(why, 300)}"
    if len(again) > REASONS_SHOWN:
        yield f"  … and {len(again) - REASONS_SHOWN:,} more run again"
    if again and any("changed" in why for why in again.values()):
        yield "  (--trust-changes keeps the results of tasks whose code changed)"
    if changes := live_changes(resumption):
        yield f"  {', '.join(changes)}"
    for name in resumption.record.lost:
        yield f"  {clean(name, 80)} could not be stored: it is what the file says now"
