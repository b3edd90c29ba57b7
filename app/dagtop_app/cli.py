"""The commands of `dagtop`. This file parses; each command's work is in a module of its own, loaded when called."""

from __future__ import annotations

import difflib
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import App, Parameter

from dagtop_app.options import (
    GraphOptions,
    JournalOptions,
    KeepOptions,
    OutputOptions,
    UsageError,
    check_graph_options,
    check_output_options,
    parse_parameters,
)
from dagtop_app.signals import Signals, name_of_signal
from dagtop_app.terminal import give_up_stderr_if_it_cannot_be_written, open_missing_descriptors, tell
from dagtop_app.version import VERSION

USAGE_ERROR = 2

#: What the system says when output finds no room.
_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

_EPILOGUE = (
    "Exit codes: 0 all wanted tasks succeeded or were skipped by rule, 1 some failed, 2 usage or a graph that cannot "
    "be loaded (nothing ran), 124 run timeout, 129 SIGHUP, 130 interrupted, 141 nobody reads stdout any more, 143 SIGTERM."
)

#: What the generated script does not know: which runs there are.
_COMPLETE_RUNS = r"""_dagtop() {
  local cur="${COMP_WORDS[COMP_CWORD]}"
  if [[ $COMP_CWORD -eq 2 && "${COMP_WORDS[1]}" =~ ^(resume|report)$ && "$cur" != -* ]]; then
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
Run = Annotated[str, Parameter(name="RUN", help='A run\'s id, the beginning of one, or "last".')]

_signals = Signals()


@app.default
def watch(
    file: Annotated[Path | None, Parameter(name="FILE", help="The graph file, FILE or FILE:NAME.")] = None,
    /,
    *,
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
    from dagtop_app import settings  # noqa: PLC0415 - `dagtop` alone needs none of it

    if output.json or output.plain or not settings.wants_console(stdin=os.isatty(0), stdout=os.isatty(1)):
        return run(file, graph=graph, output=output, keep=keep)
    parameters = _checked(graph, output)
    from dagtop_app.watching import watch_command  # noqa: PLC0415 - the console loads Textual

    return watch_command(str(file), _signals, graph, parameters, output, keep)


@app.command
def run(
    file: File,
    /,
    *,
    graph: GraphOptions | None = None,
    output: OutputOptions | None = None,
    keep: KeepOptions | None = None,
) -> int:
    """Run a graph without the console: live progress on a terminal, or --plain lines, or --json events."""
    graph, output, keep = graph or GraphOptions(), output or OutputOptions(), keep or KeepOptions()
    parameters = _checked(graph, output)
    from dagtop_app.running import run_command  # noqa: PLC0415 - the engine is loaded only to run

    return run_command(str(file), _signals, graph, parameters, output, keep)


@app.command
def check(
    file: File,
    /,
    *,
    graph: GraphOptions | None = None,
    json: Annotated[
        bool, Parameter(negative="", show_default=False, help="The plan as one JSON object on stdout.")
    ] = False,
) -> int:
    """Check a graph and print its plan, levels and critical path. No task runs."""
    graph = graph or GraphOptions()
    parameters = _checked(graph)
    from dagtop_app.checking import check_command  # noqa: PLC0415 - the engine is loaded only when it is needed

    return check_command(str(file), graph, parameters, as_json=json)


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
    """Go on with a run that did not end well: what succeeded is kept, the rest runs."""
    graph, output, keep = graph or GraphOptions(), output or OutputOptions(), keep or JournalOptions()
    parameters = _checked(graph, output)
    from dagtop_app.resuming import resume_command  # noqa: PLC0415 - the engine is loaded only to run

    return resume_command(run, _signals, graph, parameters, output, keep, trust_changes=trust_changes)


@app.command
def runs(
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="One JSON object a line.")] = False,
    limit: Annotated[int, Parameter(help="How many, latest first; 0 for all.")] = 20,
    keep: JournalOptions | None = None,
) -> int:
    """List the runs that were kept, latest first."""
    from dagtop_app.history import runs_command  # noqa: PLC0415 - SQLite only where it is needed

    return runs_command((keep or JournalOptions()).db, limit=limit, as_json=json)


@app.command
def report(
    run: Run,
    files: Annotated[
        tuple[Path, ...],
        Parameter(name="FILE", negative="", show_default=False, help="Reports to write, by their ending."),
    ] = (),
    /,
    *,
    keep: JournalOptions | None = None,
) -> int:
    """Write a report of a run that was kept; without a FILE tell it in a few lines."""
    from dagtop_app.reporting import report_command  # noqa: PLC0415 - the engine is loaded only when it is needed

    return report_command(run, files, (keep or JournalOptions()).db)


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


def _checked(graph: GraphOptions, output: OutputOptions | None = None) -> dict[str, object]:
    check_graph_options(graph)
    if output is not None:
        check_output_options(output)
    return parse_parameters(graph.parameters)


def _commands() -> list[str]:
    return [name for name in app if not name.startswith("-")]


def _check_that_it_is_no_command(file: str) -> None:
    """`dagtop rnu` is a slip of the pen, not a file."""
    if os.path.exists(file) or "/" in file or "." in file or ":" in file:
        return
    near = difflib.get_close_matches(file, _commands(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; the commands are {', '.join(_commands())}"
    raise UsageError(f"there is no command and no file {file!r}{hint}")


def run_command_line(arguments: Sequence[str]) -> int:
    """Parse, do, and return the exit code, for a process that ends then.

    What goes wrong is told in a few lines on stderr, never as a traceback.
    """
    open_missing_descriptors()
    _signals.install()
    code = call(arguments)
    give_up_stderr_if_it_cannot_be_written()
    if "dagtop_app.headless" in sys.modules:  # something may have run, and have left threads behind
        from dagtop_app.headless import end_process_soon  # noqa: PLC0415 - it is there already

        end_process_soon(code, _signals)
    return code


def call(arguments: Sequence[str]) -> int:
    """The same inside a process that goes on afterwards."""
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except UsageError as error:
        return _refuse(str(error), arguments)
    except cyclopts.CycloptsError as error:
        return _refuse(_in_words(error, arguments), arguments)
    except KeyboardInterrupt:
        return _interrupted() or 130
    except BrokenPipeError:
        return _nobody_reads()
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _CANNOT_WRITE and error.filename is None:
            tell(f"dagtop: stdout cannot be written: {error.strerror}")
            _nobody_reads()
            return 1
        # Ours are told in words, and after a signal nothing else counts. The rest are bugs, and keep their traceback.
        if (code := _interrupted()) is not None:
            return code
        from dagtop.errors import DagtopError  # noqa: PLC0415 - loaded already if it was raised

        if not isinstance(error, DagtopError):
            raise
        return _tell_problems(error)
    return result if isinstance(result, int) else 0


def _interrupted() -> int | None:
    """The exit code of the signal that came before anything ran; None if none did."""
    if _signals.exit_code is not None:
        tell(f"dagtop: {name_of_signal(_signals.received[0])}: nothing ran")
    return _signals.exit_code


def _refuse(message: str, arguments: Sequence[str]) -> int:
    from dagtop_app.text import clean  # noqa: PLC0415 - only for errors

    tell(f"dagtop: {clean(message, 1000)}")
    command = f" {arguments[0]}" if arguments and arguments[0] in _commands() else ""
    tell(f"Try 'dagtop{command} --help'.")
    return USAGE_ERROR


def _tell_problems(error: Exception) -> int:
    from dagtop_app.problems import problem_lines  # noqa: PLC0415 - only for errors

    for line in problem_lines(error):
        tell(line)
    return USAGE_ERROR


def _nobody_reads() -> int:
    """stdout has gone: point it elsewhere, so that Python's own flush at the end does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 141


def _in_words(error: cyclopts.CycloptsError, arguments: Sequence[str]) -> str:
    """What was wrong with the arguments, in one sentence."""
    first = arguments[0]
    if isinstance(error, cyclopts.UnusedCliTokensError):
        if not first.startswith("-") and first not in _commands():
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
