"""The commands of `dagtop`. This file parses; each command's work is in a module of its own, loaded when called."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import App, Parameter

from dagtop_app.commandline import cli_history as history
from dagtop_app.commandline import cli_telling as telling
from dagtop_app.commandline.calling import signals
from dagtop_app.commandline.cli_words import Run
from dagtop_app.commandline.options import (
    GraphOptions,
    JournalOptions,
    KeepOptions,
    OutputOptions,
    UsageError,
    checked,
    tell_parser,
)
from dagtop_app.version import VERSION

_EPILOGUE = (
    "Exit codes: 0 all wanted tasks succeeded or were skipped by rule, 1 some failed, 2 usage or a graph that cannot "
    "be loaded (nothing ran), 124 run timeout, 129 SIGHUP, 130 interrupted, 131 SIGQUIT, 141 nobody reads stdout "
    "any more, 143 SIGTERM."
)

#: What the generated script does not know: which runs there are.
_COMPLETE_RUNS = r"""_dagtop() {
  local cur="${COMP_WORDS[COMP_CWORD]}"
  local place="$COMP_CWORD ${COMP_WORDS[1]}"
  if [[ "$place" =~ ^(2 (resume|report|replay|approve|reject|gates|tell|diff)|3 diff)$ && "$cur" != -* ]]; then
    local runs
    runs="$("${COMP_WORDS[0]}" runs 2>/dev/null | while read -r run _; do [[ $run != RUN ]] && echo "$run"; done)"
    COMPREPLY=($(compgen -W "last $runs" -- "$cur"))
  else
    _dagtop_words "$@"
  fi
}
"""

app = App(
    name="dagtop",
    help="Run graphs of Python tasks, watch them and steer them while they run.",
    help_epilogue=_EPILOGUE,
    version=VERSION,
    version_flags=["--version", "-V"],
    help_format="plaintext",
    verbose=False,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # which signal it was decides about the exit code
)

File = Annotated[Path, Parameter(name="FILE", help="The graph file, FILE or FILE:NAME if it defines several.")]
Now = Annotated[
    bool,
    Parameter(
        negative="", show_default=False, help="Do not wait for the graph's schedule: run once, at once, and leave."
    ),
]

Watching = Annotated[
    bool,
    Parameter(
        name="--watch",
        negative="",
        show_default=False,
        help="Read the file again when it is written, and go on with what it says then.",
    ),
]

Afresh = Annotated[
    bool,
    Parameter(
        name="--new",
        negative="",
        show_default=False,
        help="Begin a Reconciler anew, instead of going on with how it was left.",
    ),
]

tell_parser(Parameter)


@app.default
def watch(
    file: Annotated[Path | None, Parameter(name="FILE", help="The graph file, FILE or FILE:NAME.")] = None,
    /,
    *,
    now: Now = False,
    watching: Watching = False,
    afresh: Afresh = False,
    graph: GraphOptions | None = None,
    output: OutputOptions | None = None,
    keep: KeepOptions | None = None,
) -> int:
    """Run graphs of Python tasks, watch them and steer them while they run.

    `dagtop FILE` opens the console on a terminal; without one (a pipe, CI=true, TERM=dumb) it is `dagtop run FILE`.
    """
    if file is None:
        app.help_print([])
        return 0
    _check_that_it_is_no_command(str(file))
    graph, output, keep = graph or GraphOptions(), output or OutputOptions(), keep or KeepOptions()
    if not _opens_console(output):
        talks = output.plain and os.isatty(0) and os.isatty(1)
        return _run(file, graph, output, keep, now=now, watching=watching, afresh=afresh, talks=talks)
    parameters = checked(graph, output)
    from dagtop_app.commands.watching import watch_command  # noqa: PLC0415 - the console loads Textual

    return watch_command(
        str(file), signals, graph, parameters, output, keep, now=now, watch_file=watching, afresh=afresh
    )


@app.command
def run(
    file: File,
    /,
    *,
    now: Now = False,
    watching: Watching = False,
    afresh: Afresh = False,
    graph: GraphOptions | None = None,
    output: OutputOptions | None = None,
    keep: KeepOptions | None = None,
) -> int:
    """Run a graph without the console: live progress on a terminal, or --plain lines, or --json events."""
    graph, output, keep = graph or GraphOptions(), output or OutputOptions(), keep or KeepOptions()
    return _run(file, graph, output, keep, now=now, watching=watching, afresh=afresh)


def _run(
    file: Path,
    graph: GraphOptions,
    output: OutputOptions,
    keep: KeepOptions,
    *,
    now: bool,
    watching: bool,
    afresh: bool,
    talks: bool = False,
) -> int:
    parameters = checked(graph, output)
    from dagtop_app.commands.running import run_command  # noqa: PLC0415 - the engine is loaded only to run

    return run_command(
        str(file), signals, graph, parameters, output, keep, now=now, watch_file=watching, afresh=afresh, talks=talks
    )


@app.command
def check(
    file: File,
    /,
    *,
    graph: GraphOptions | None = None,
    json: Annotated[
        bool, Parameter(negative="", show_default=False, help="The plan as one JSON object on stdout.")
    ] = False,
    keep: JournalOptions | None = None,
) -> int:
    """Check a graph, print its plan and critical path, and how long a run will take. No task runs."""
    graph = graph or GraphOptions()
    parameters = checked(graph)
    from dagtop_app.commands.checking import check_command  # noqa: PLC0415 - the engine is loaded only when it is needed

    return check_command(str(file), graph, parameters, keep or JournalOptions(), as_json=json)


@app.command
def show(
    file: File,
    /,
    *,
    form: Annotated[
        Literal["tree", "boxes", "pills", "mermaid", "dot", "json", "svg"],
        Parameter(name="--as", help="How it is drawn, or for which program it is written."),
    ] = "tree",
    every: Annotated[
        bool,
        Parameter(
            name="--all", negative="", show_default=False, help="Every task, also of groups such as load[0..9999]."
        ),
    ] = False,
    graph: GraphOptions | None = None,
) -> int:
    """Draw a graph on stdout: as a tree, boxes or pills, or as mermaid, dot, JSON or SVG. No task runs."""
    graph = graph or GraphOptions()
    parameters = checked(graph)
    from dagtop_app.commands.showing import show_command  # noqa: PLC0415 - the engine is loaded only when it is needed

    return show_command(str(file), graph, parameters, form, every=every)


@app.command
def resume(
    run: Run,
    /,
    *,
    trust_changes: Annotated[
        bool, Parameter(negative="", show_default=False, help="Keep the results of tasks whose code has changed.")
    ] = False,
    graph: GraphOptions | None = None,
    output: OutputOptions | None = None,
    keep: JournalOptions | None = None,
) -> int:
    """Go on with a run that did not end well: what succeeded is kept, the rest runs.

    On a terminal it opens the console; with --plain or --json, or without a terminal, it runs as `dagtop run` does.
    """
    graph, output, keep = graph or GraphOptions(), output or OutputOptions(), keep or JournalOptions()
    parameters = checked(graph, output)
    if _opens_console(output):
        from dagtop_app.commands.watching import resume_on_console  # noqa: PLC0415 - the console loads Textual

        return resume_on_console(run, signals, graph, parameters, output, keep, trust_changes=trust_changes)
    from dagtop_app.commands.resuming import resume_command  # noqa: PLC0415 - the engine is loaded only to run

    return resume_command(run, signals, graph, parameters, output, keep, trust_changes=trust_changes)


history.add_to(app)
telling.add_to(app)


@app.command(name="config")
def config_(
    *,
    config: Annotated[
        Path | None, Parameter(help="The file of settings, instead of DAGTOP_CONFIG or the user's own.")
    ] = None,
    init: Annotated[
        bool, Parameter(negative="", show_default=False, help="Write a file with all that can be set, as comments.")
    ] = False,
    keys: Annotated[
        bool, Parameter(negative="", show_default=False, help="List the actions of the console, and their keys.")
    ] = False,
) -> int:
    """Print the file of settings of the console, what is in force, and what is wrong with it."""
    from dagtop_app.commands.config_command import config_command  # noqa: PLC0415 - as above

    return config_command(config, init=init, keys=keys)


@app.command
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Whose script.")],
    /,
) -> int:
    """Print a script that completes commands, options and files: `source <(dagtop completion bash)`."""
    script = app.generate_completion(prog_name="dagtop", shell=shell)
    if shell == "bash":
        script = script.replace("\n_dagtop() {", f"\n{_COMPLETE_RUNS}\n_dagtop_words() {{", 1)
    print(script)
    return 0


def _opens_console(output: OutputOptions) -> bool:
    from dagtop_app.settings import places as settings  # noqa: PLC0415 - `dagtop` alone needs none of it

    asked_for = output.json or output.plain
    return not asked_for and settings.wants_console(stdin=os.isatty(0), stdout=os.isatty(1))


def commands() -> list[str]:
    """Their names."""
    return [name for name in app if not name.startswith("-")]


def _check_that_it_is_no_command(file: str) -> None:
    """`dagtop rnu` is a slip of the pen, not a file."""
    if os.path.exists(file) or "/" in file or "." in file or ":" in file:
        return
    near = difflib.get_close_matches(file, commands(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; the commands are {', '.join(commands())}"
    raise UsageError(f"there is no command and no file {file!r}{hint}")


def parse_and_do(arguments: Sequence[str]) -> int:
    """Do what the arguments say, and return the exit code.

    Raises
    ------
    UsageError: they say nothing that can be done.
    """
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        raise UsageError(_in_words(error, arguments)) from error
    return result if isinstance(result, int) else 0


def _in_words(error: cyclopts.CycloptsError, arguments: Sequence[str]) -> str:
    """What was wrong with the arguments, in one sentence."""
    first = arguments[0]
    if isinstance(error, cyclopts.UnusedCliTokensError):
        if not first.startswith("-") and first not in commands():
            try:
                _check_that_it_is_no_command(first)
            except UsageError as better:
                return str(better)
        return f"too many arguments: {' '.join(error.unused_tokens or ())}"
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        return f"{name} needs a value" if name.startswith("-") else f"{name} is missing"
    message = " ".join(str(error).split())
    return message[:1].lower() + message[1:]
