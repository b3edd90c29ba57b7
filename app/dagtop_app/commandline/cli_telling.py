"""The commands of `dagtop` that reach a run that goes on in another terminal."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from dagtop_app.commandline.cli_words import Reason, Run, Task
from dagtop_app.commandline.options import JournalOptions


def gates(
    run: Annotated[
        str | None, Parameter(name="RUN", help="Only this run: an id, the beginning of one, or last.")
    ] = None,
    /,
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="One JSON object a line.")] = False,
    keep: JournalOptions | None = None,
) -> int:
    """List the tasks that stand at a gate and wait for a person, in all runs that go on now."""
    from dagtop_app.commands.telling import gates_command  # noqa: PLC0415 - SQLite only where it is needed

    return gates_command(run, (keep or JournalOptions()).db, as_json=json)


def approve(run: Run, task: Task, /, *, reason: Reason = "", keep: JournalOptions | None = None) -> int:
    """Let a task through its gate, in a run that goes on in another terminal."""
    from dagtop_app.commands.telling import decide_command  # noqa: PLC0415 - as above

    return decide_command(run, task, reason, (keep or JournalOptions()).db, approved=True)


def reject(run: Run, task: Task, /, *, reason: Reason = "", keep: JournalOptions | None = None) -> int:
    """Do not let a task through its gate, in a run that goes on in another terminal."""
    from dagtop_app.commands.telling import decide_command  # noqa: PLC0415 - as above

    return decide_command(run, task, reason, (keep or JournalOptions()).db, approved=False)


def tell_run(
    run: Run,
    command: Annotated[
        str, Parameter(name="COMMAND", help="One of the console's: cancel, restart, set-max-parallel, …")
    ],
    values: Annotated[
        tuple[str, ...],
        Parameter(name="VALUE", negative="", show_default=False, help="What it takes: values in order, or NAME=VALUE."),
    ] = (),
    /,
    *,
    reason: Reason = "",
    keep: JournalOptions | None = None,
) -> int:
    """Give any command to a run that goes on in another terminal, and print its answer."""
    from dagtop_app.commands.telling import tell_command  # noqa: PLC0415 - as above

    return tell_command(run, command, values, reason, (keep or JournalOptions()).db)


def add_to(app: App) -> None:
    """Have these commands in it."""
    for command in (gates, approve, reject):
        app.command(command)
    app.command(tell_run, name="tell")
