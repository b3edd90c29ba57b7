"""Commands as they are typed in another terminal: a name, and values in the order of its fields or as NAME=VALUE."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from dagtop.core import commands as cmd
from dagtop.core.backoff import Backoff
from dagtop.core.guards import BreakerState
from dagtop.core.policy import OnUpstreamFailure, Trigger
from dagtop.core.restart import RestartPolicy

from dagtop_app.commandline.options import UsageError

#: Commands that cannot come from outside of the run's process.
_ONLY_INSIDE = (cmd.SwapGraph,)

#: What fields take that are texts of few values.
_CHOICES: dict[str, tuple[str, ...]] = {
    "trigger": tuple(Trigger),
    "on_upstream_failure": tuple(OnUpstreamFailure),
    "backoff": tuple(Backoff),
    "state": (*BreakerState, ""),
    "restart": tuple(RestartPolicy),
}
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def parse_command(verb: str, values: Sequence[str], reason: str = "") -> cmd.Command:
    """A command from its name and what it takes: values in the order of its fields, or NAME=VALUE; JSON, else text.

    A `reason` that is given beside them is that of the command.

    Raises
    ------
    UsageError: there is no such command, or it takes other values.
    """
    kinds: dict[str, Any] = {
        str(kind.__struct_config__.tag): kind for kind in get_args(cmd.Command) if kind not in _ONLY_INSIDE
    }
    kind = kinds.get(verb)
    if kind is None:
        near = difflib.get_close_matches(verb, kinds, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(kinds)}"
        raise UsageError(f"there is no command {verb!r}; {hint}")
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    takes = _takes(verb, fields)
    given: dict[str, Any] = {}
    for place, text in enumerate(values):
        name, value = _named(text, place, list(fields), fields, takes)
        if name in given:
            raise UsageError(f"{name} is given twice: {takes}")
        given[name] = _value(name, value, fields[name].type, takes)
    if reason:
        if "reason" not in fields:
            raise UsageError(f"{verb} takes no reason: {takes}")
        if "reason" in given:
            raise UsageError(f"reason is given twice: {takes}")
        given["reason"] = reason
    for name, field in fields.items():
        if field.required and name not in given:
            raise UsageError(f"{name} is missing: {takes}")
    command: cmd.Command = kind(**given)
    return command


def _takes(verb: str, fields: dict[str, Any]) -> str:
    """How the command is written."""
    words = [name if field.required else f"[{name}]" for name, field in fields.items()]
    return f"{verb} takes {' '.join(words) or 'nothing'}"


def _named(text: str, place: int, names: list[str], fields: dict[str, Any], takes: str) -> tuple[str, str]:
    """(the field that a word is for, its value)."""
    name, equals, value = text.partition("=")
    if equals and name in fields:
        return name, value
    if place >= len(names):
        raise UsageError(f"{text!r} is too much: {takes}")
    if equals and name.isidentifier() and fields[names[place]].type not in (str, Any):
        near = difflib.get_close_matches(name, names, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"there is no value {name!r}{hint}: {takes}")
    return names[place], text


def _value(name: str, text: str, kind: Any, takes: str) -> Any:
    if kind is str and name not in _CHOICES:
        return text
    if kind is Any:
        return _json_or_text(text)
    accepted = tuple(one for one in (get_args(kind) or (kind,)) if one is not type(None))
    if name in _CHOICES:
        if text not in _CHOICES[name]:
            listed = ", ".join(repr(choice) for choice in map(str, _CHOICES[name]))
            raise UsageError(f"{name} must be one of {listed}, not {text!r}: {takes}")
        return text
    if accepted == (str,):
        return text
    try:
        return msgspec.convert(_json_or_text(text), kind)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: half a character
        wanted = " or ".join(_KINDS[one] for one in accepted)
        raise UsageError(f"{name} must be {wanted}, not {text!r}: {takes}") from None


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
