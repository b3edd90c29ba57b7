"""`dagtop FILE` with plain options, read without the parser, which takes longer to load than all of ours that the console needs.

Whatever is not quite plain is left to the parser: help, mistakes, `--option=value`, everything that does not open the console.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dagtop_app.commandline.options import GraphOptions, KeepOptions, OutputOptions

_FILE = re.compile(r"[^-].*\.py(:\w+)?")
_WHOLE = re.compile(r"[1-9][0-9]{0,8}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_ANY = re.compile(r"[^-].*", re.DOTALL)


class Asked(NamedTuple):
    """What the arguments say."""

    file: str
    graph: GraphOptions
    output: OutputOptions
    keep: KeepOptions
    now: bool = False


class _Option(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    value: Callable[[str], Any]


_MANY = {
    "-p": _Option("parameters", _ANY, str),
    "--param": _Option("parameters", _ANY, str),
    "--report": _Option("report", _ANY, Path),
    "--plugin": _Option("plugin", _ANY, str),
}
_ONE = {
    "--max-parallel": _Option("max_parallel", _WHOLE, int),
    "--timeout": _Option("timeout", _NUMBER, float),
    "--db": _Option("db", _ANY, Path),
    "--config": _Option("config", _ANY, Path),
}
_FLAGS = {
    "--fail-fast": "fail_fast",
    "--no-cache": "no_cache",
    "--no-journal": "no_journal",
    "--no-plugins": "no_plugins",
    "--now": "now",
    "--ascii": "ascii",
}


def read(arguments: Sequence[str]) -> Asked | None:
    """What is asked for; None if the parser must say."""
    file = ""
    given: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument in _FLAGS and _FLAGS[argument] not in given:
            given[_FLAGS[argument]] = True
        elif (option := _MANY.get(argument) or _ONE.get(argument)) is not None:
            text = next(rest, "")
            if not option.pattern.fullmatch(text) or (argument in _ONE and option.name in given):
                return None
            value = option.value(text)
            given[option.name] = (*given.get(option.name, ()), value) if argument in _MANY else value
        elif not file and _FILE.fullmatch(argument):
            file = argument
        else:
            return None
    if not file:
        return None
    return Asked(
        file,
        GraphOptions(
            **{
                name: given[name]
                for name in ("parameters", "max_parallel", "fail_fast", "timeout", "no_cache")
                if name in given
            }
        ),
        OutputOptions(
            **{name: given[name] for name in ("report", "plugin", "no_plugins", "config", "ascii") if name in given}
        ),
        KeepOptions(**{name: given[name] for name in ("db", "no_journal") if name in given}),
        now="now" in given,
    )
