"""Outputs that a person gives in place of a task (`MarkSucceeded`): kept where outputs are, and told of as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import msgspec

from dagtop.core import commands as cmd
from dagtop.core.events import AnyEvent, TaskSucceeded
from dagtop.observe.describe import describe_named
from dagtop.observe.redact import looks_secret
from dagtop.runtime.calls import Calls

#: Whole numbers that JSON readers take, and longest text that is recorded as it is.
_PLAIN_INT, _PLAIN_TEXT = 2**53, 200


def recordable(command: cmd.Command) -> cmd.Command:
    """The command as it is recorded: of an output that a person gave, no more is told than of any other output."""
    if type(command) is not cmd.MarkSucceeded:
        return command
    value, kind = command.value, type(command.value)
    plain = (
        value is None
        or kind is bool
        or (kind is int and abs(value) < _PLAIN_INT)
        or (kind is float and isfinite(value))
        or (kind is str and len(value) <= _PLAIN_TEXT)
    )
    if plain and not looks_secret(command.task):
        return command
    told = describe_named(command.task, value)
    return msgspec.structs.replace(command, value=told.text or f"<{told.type}>")


def keep(calls: Calls, index_of: Mapping[str, int], command: cmd.MarkSucceeded, caused: Sequence[AnyEvent]) -> None:
    """If the command was applied: its value is the task's output, as if the task had returned it."""
    for event in caused:
        if type(event) is TaskSucceeded and event.task == command.task:
            calls.outputs[index_of[event.task]] = command.value
            if calls.writer is not None:
                calls.writer.output(event.task, event.attempt, command.value, given=True)
