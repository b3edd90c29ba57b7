"""The options that commands share, and what is checked of them before anything is loaded."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from dagtop.core.values import dataclass

if TYPE_CHECKING:
    from cyclopts import Parameter

Loop = Literal["asyncio", "trio"]
OnHangup = Literal["cancel", "drain", "run-on"]
"""What becomes of the run when its terminal goes away."""


class UsageError(Exception):
    """What was typed cannot be done; the message says what would. Exit code 2."""

    help_helps = True
    """Whether `--help` says more."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What is told, in one line or several."""
        return (str(self),)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|min|m|h|d)")


def seconds_of(text: str) -> float:
    """A number of seconds, or a duration such as 10s, 5m, 1h30m.

    Raises
    ------
    UsageError: it is neither.
    """
    parts = _PARTS.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"--timeout takes a number of seconds, or a duration such as 10s, 5m or 1h30m, not {text!r}"
        ) from None


def _as_duration(_: object, tokens: Sequence[Any]) -> float:
    return seconds_of(tokens[0].value)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions:
    """How the graph is made and run."""

    parameters: Annotated[
        tuple[str, ...],
        Parameter(
            name=["--param", "-p"],
            negative="",
            show_default=False,
            help="NAME=VALUE for build() and for tasks; JSON, else text. Repeatable.",
        ),
    ] = ()
    max_parallel: Annotated[int | None, Parameter(help="Tasks at once, instead of what the file says.")] = None
    fail_fast: Annotated[
        bool, Parameter(negative="", show_default=False, help="After the first failure start nothing new.")
    ] = False
    timeout: Annotated[
        float | None,
        Parameter(
            converter=_as_duration,
            help="Seconds for the whole run, or 10s, 5m, 1h30m; then exit code 124.",
        ),
    ] = None
    no_cache: Annotated[
        bool, Parameter(negative="", show_default=False, help="Take nothing from the cache: every task runs.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """Where runs are kept."""

    db: Annotated[Path | None, Parameter(help="The history's file, instead of DAGTOP_DB or the user's own.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions:
    """How the console looks."""

    config: Annotated[
        Path | None, Parameter(help="The file of settings, instead of DAGTOP_CONFIG or the user's own.")
    ] = None
    ascii: Annotated[
        bool, Parameter(negative="", show_default=False, help="Draw with ASCII only, as on the Linux console.")
    ] = False
    on_hangup: Annotated[
        OnHangup,
        Parameter(help="What becomes of the run when its terminal goes away: cancelled, drained, or gone on with."),
    ] = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions(LookOptions):
    """What is printed and written."""

    json: Annotated[
        bool, Parameter(negative="", show_default=False, help="Events as NDJSON on stdout, one object a line.")
    ] = False
    plain: Annotated[
        bool, Parameter(negative="", show_default=False, help="One line an event on stdout, for people and logs.")
    ] = False
    report: Annotated[
        tuple[Path, ...],
        Parameter(
            negative="", show_default=False, help="Write a report when the run ends, by the name's ending. Repeatable."
        ),
    ] = ()
    loop: Annotated[Loop, Parameter(help="The event loop under the tasks.")] = "asyncio"
    plugin: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            show_default=False,
            help="Tell this plugin too: otel, prometheus, or an installed one. Repeatable.",
        ),
    ] = ()
    no_plugins: Annotated[
        bool, Parameter(negative="", show_default=False, help="Leave out plugins that are merely installed.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOptions(JournalOptions):
    """Where the run is kept, and whether."""

    no_journal: Annotated[
        bool, Parameter(negative="", show_default=False, help="Keep nothing; the run cannot be resumed.")
    ] = False


def tell_parser(parameter: type[Parameter]) -> None:
    """Let the parser read the classes above. It is not imported here: not every command line needs it, and it is slow to load."""
    globals()["Parameter"] = parameter  # where the annotations look for it
    for options in (GraphOptions, JournalOptions, LookOptions, OutputOptions, KeepOptions):
        parameter(name="*")(options)


def checked(graph: GraphOptions, output: OutputOptions | None = None) -> dict[str, Any]:
    """The parameters of `-p`, once all options are seen to make sense.

    Raises
    ------
    UsageError: they do not.
    DagtopError: a report cannot be written.
    """
    check_graph_options(graph)
    if output is not None:
        check_output_options(output)
        take_settings(output)
    from dagtop_app.commandline.safety import learn, take_safety  # noqa: PLC0415 - `dagtop --version` needs none of it

    take_safety()
    parameters = parse_parameters(graph.parameters)
    learn(parameters)
    return parameters


def parse_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as values: JSON where it is JSON, else the text. The last of one name wins.

    Raises
    ------
    UsageError: a pair has no "=", or its name is none.
    """
    if not pairs:
        return {}
    import json  # noqa: PLC0415 - not to begin with

    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        path, _, own = name.rpartition("/")  # of a node, if there is one
        if not equals or not own.isidentifier() or not all(path.split("/") if path else ["-"]):
            raise UsageError(f"-p takes NAME=VALUE, not {pair!r}")
        try:
            parameters[name] = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            parameters[name] = text
    return parameters


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON: they stay text


def check_graph_options(options: GraphOptions) -> None:
    """See that numbers are in their ranges.

    Raises
    ------
    UsageError: one is not.
    """
    if options.max_parallel is not None and options.max_parallel < 1:
        raise UsageError(f"--max-parallel takes a whole number of at least 1, not {options.max_parallel}")
    timeout = options.timeout
    if timeout is not None and not (math.isfinite(timeout) and timeout > 0):
        raise UsageError(f"--timeout takes a number of seconds above 0, not {timeout:g}")


def check_output_options(options: OutputOptions) -> None:
    """See that they can all be followed, while nothing has run yet.

    Raises
    ------
    UsageError: they contradict each other, or something that they need is not there.
    DagtopError: a report cannot be written, or a plugin is not there.
    """
    if options.json and options.plain:
        raise UsageError("--json and --plain both want stdout: give one of them")
    if options.report:
        from dagtop.observe.report import check_report_path  # noqa: PLC0415 - only where reports are

        for path in options.report:
            check_report_path(path)
    if options.plugin:
        from dagtop.loaders.plugins import check_names  # noqa: PLC0415 - only where some are asked for

        check_names(options.plugin)
    if options.loop == "trio":
        from importlib.util import find_spec  # noqa: PLC0415 - only for trio

        if find_spec("trio") is None:
            raise UsageError("--loop trio needs trio: pip install 'dagtop[trio]'")


def take_settings(look: LookOptions) -> None:
    """Have the person's own settings in force, where something is drawn. Before that is loaded: some of it asks them then.

    Raises
    ------
    UsageError: the file of settings cannot be followed.
    """
    from dagtop_app.commandline.safety import follow  # noqa: PLC0415 - as above
    from dagtop_app.settings import config  # noqa: PLC0415 - `dagtop --version` needs none of it
    from dagtop_app.settings import places as settings  # noqa: PLC0415 - as above

    draws = not (isinstance(look, OutputOptions) and look.json) and settings.can_draw()
    if look.config is not None or (draws and (os.isatty(1) or os.isatty(2))):
        setting = config.read(look.config)
        if look.ascii:
            setting = setting.in_ascii()
        config.use(setting)
        follow(setting.config.safety)


def stored(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, for the journal."""
    return {name: value for name, value in options.items() if value is not None}
