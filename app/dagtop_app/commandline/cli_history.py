"""The commands of `dagtop` about runs that were kept: list, prune, compare, tell of one, play one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from dagtop_app.commandline.calling import signals
from dagtop_app.commandline.cli_words import Run
from dagtop_app.commandline.options import JournalOptions, LookOptions, take_settings

runs_app = App(name="runs", help_format="plaintext", verbose=False, version_flags=[], result_action="return_value")


@runs_app.default
def runs(
    text: Annotated[
        tuple[str, ...],
        Parameter(name="TEXT", negative="", show_default=False, help="Only runs whose line has each of these texts."),
    ] = (),
    /,
    *,
    graph: Annotated[str, Parameter(show_default=False, help="Only of this graph, or of those like etl*.")] = "",
    state: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="Only in this state: failed, crashed, running … Repeatable."),
    ] = (),
    since: Annotated[
        str, Parameter(show_default=False, help="Only begun since then: 3d, 12h, today, 2025-11-20, 2025-11-20T08:30.")
    ] = "",
    json: Annotated[bool, Parameter(negative="", show_default=False, help="One JSON object a line.")] = False,
    limit: Annotated[int, Parameter(help="How many, latest first; 0 for all.")] = 20,
    opens: Annotated[
        bool,
        Parameter(
            name="--open",
            negative="",
            show_default=False,
            help="As a list in the console: to play, compare and report them.",
        ),
    ] = False,
    look: LookOptions | None = None,
    keep: JournalOptions | None = None,
) -> int:
    """List the runs that were kept, latest first; `dagtop runs prune` lets some of them go."""
    from dagtop_app.commands.history import filter_of, runs_command, sieve_of  # noqa: PLC0415 - SQLite only where it is needed

    if opens:
        wanted = filter_of(graph, state, since, text)
        take_settings(look or LookOptions())
        from dagtop_app.commands.browsing import browse_command  # noqa: PLC0415 - the console loads Textual

        return browse_command((keep or JournalOptions()).db, wanted, signals)
    sieve = sieve_of(graph, state, since, text)
    return runs_command((keep or JournalOptions()).db, limit=limit, as_json=json, sieve=sieve)


@runs_app.command
def prune(
    *,
    keep: Annotated[int | None, Parameter(show_default=False, help="Keep so many of the latest runs.")] = None,
    older_than: Annotated[
        str, Parameter(show_default=False, help="Let runs go that ended so long ago: 30d, 12h.")
    ] = "",
    max_size: Annotated[
        str, Parameter(show_default=False, help="Let the oldest go until the rest is no larger: 500MB, 2GB.")
    ] = "",
    dry_run: Annotated[bool, Parameter(negative="", show_default=False, help="Only say what would go.")] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="One JSON object on stdout.")] = False,
    where: JournalOptions | None = None,
) -> int:
    """Let go of runs that were kept, and say what that frees. Without options: as [journal] in config.toml says."""
    from dagtop_app.commands.pruning import prune_command  # noqa: PLC0415 - SQLite only where it is needed

    db = (where or JournalOptions()).db
    return prune_command(db, keep, older_than, max_size, dry=dry_run, as_json=json)


def diff(
    earlier: Annotated[str, Parameter(name="A", help='A run\'s id, the beginning of one, or "last".')],
    later: Annotated[str, Parameter(name="B", help="The run that is compared with it.")],
    /,
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="One JSON object on stdout.")] = False,
    keep: JournalOptions | None = None,
) -> int:
    """Compare two runs: what got slower, what failed newly or no longer, what changed in graph, policies and limits."""
    from dagtop_app.commands.diffing import diff_command  # noqa: PLC0415 - SQLite only where it is needed

    return diff_command(earlier, later, (keep or JournalOptions()).db, as_json=json)


def report(
    run: Run,
    files: Annotated[
        tuple[Path, ...],
        Parameter(name="FILE", negative="", show_default=False, help="Reports to write, by their ending."),
    ] = (),
    /,
    *,
    escalations: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Each escalation as Markdown for a ticket, into the folder behind it, or escalations-RUN.",
        ),
    ] = False,
    keep: JournalOptions | None = None,
) -> int:
    """Write a report of a run that was kept; without a FILE tell it in a few lines."""
    from dagtop_app.commands.reporting import report_command  # noqa: PLC0415 - the engine is loaded only when it is needed

    return report_command(run, files, (keep or JournalOptions()).db, escalations=escalations)


def replay(
    run: Annotated[
        str,
        Parameter(
            name="RUN", help='A run\'s id, the beginning of one, or "last"; or a FILE.ndjson that `run --json` printed.'
        ),
    ],
    /,
    *,
    start: Annotated[
        bool, Parameter(negative="", show_default=False, help="Begin before its first event, not at its end.")
    ] = False,
    look: LookOptions | None = None,
    keep: JournalOptions | None = None,
) -> int:
    """Open the console on a run that was kept, or goes on elsewhere: at any instant of it, or as it was. Nothing runs."""
    take_settings(look or LookOptions())
    from dagtop_app.commands.replaying import replay_command  # noqa: PLC0415 - the console loads Textual

    return replay_command(run, signals, (keep or JournalOptions()).db, from_start=start)


def add_to(app: App) -> None:
    """Have these commands in it."""
    app.command(runs_app)
    for command in (diff, report, replay):
        app.command(command)
