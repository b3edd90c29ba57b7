"""Batches of events to bytes and back: lines of JSON, exactly the events that were recorded.

There are two formats. LINES is msgspec's own, fast, and right for nearly every batch. EXACT is for batches with what
strict JSON has no words for (lone surrogates in names and log lines, nan, inf): the standard library's JSON, as UTF-8
that lets surrogates pass. Nothing is stored that could not be read again: events with fields of the user's are read back
at once, and one that does not come back is replaced by a `problem` event, so that the numbering stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dagtop.core.events import (
    AnyEvent,
    CommandApplied,
    CommandRefused,
    LimitChanged,
    PolicyChanged,
    Problem,
    TaskProgress,
)
from dagtop.errors import JournalError

#: Lines of msgspec JSON.
LINES = 1
#: Lines of the standard library's JSON, encoded with "surrogatepass".
EXACT = 2

#: Events with fields that people and user code fill, so that they may hold anything, whatever their annotations say.
_UNSURE: frozenset[type] = frozenset({TaskProgress, PolicyChanged, LimitChanged, CommandApplied, CommandRefused})

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyEvent)


class Chunk(NamedTuple):
    """A batch of events as it is stored."""

    format: int
    blob: bytes
    replaced: int = 0
    """How many of its events could not be stored."""


def encode(batch: Sequence[AnyEvent], kinds: Iterable[type]) -> Chunk:
    """The batch as it is stored. `kinds` are the types of its events."""
    if _UNSURE.isdisjoint(kinds) or all(_survives(event) for event in batch if type(event) in _UNSURE):
        try:
            return Chunk(LINES, _encoder.encode_lines(batch))
        except (TypeError, ValueError, RecursionError):
            pass  # something that strict JSON cannot say: the slow way finds which
    lines: list[str] = []
    replaced = 0
    for event in batch:
        line = _exact_line(event)
        if line is None:
            replaced += 1
            line = _exact_line(_replacement(event)) or ""
        lines.append(line)
    return Chunk(EXACT, "\n".join(lines).encode("utf-8", "surrogatepass"), replaced)


def decode(format: int, blob: bytes) -> list[AnyEvent]:  # noqa: A002 - the column's name
    """The events of a chunk.

    Raises
    ------
    JournalError: the bytes are damaged, or a newer dagtop made them.
    """
    try:
        if format == LINES:
            return _decoder.decode_lines(blob)
        if format == EXACT:
            text = blob.decode("utf-8", "surrogatepass")
            return [_from_line(line) for line in text.split("\n")]
        raise ValueError(f"there is no format {format!r}")
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
        raise JournalError(f"stored events cannot be read: {error}") from error


def to_json(value: Any) -> bytes:
    """A struct or mapping of ours with hostile texts in it: strict JSON if possible, else in the EXACT format."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError):
        return _to_text(value).encode("utf-8", "surrogatepass")


def from_json(blob: bytes, kind: Any) -> Any:
    """The value that `to_json` was given.

    Raises
    ------
    JournalError: the bytes are damaged.
    """
    try:
        try:
            return msgspec.json.decode(blob, type=kind)
        except (ValueError, msgspec.MsgspecError):
            return msgspec.convert(json.loads(blob.decode("utf-8", "surrogatepass")), kind)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
        raise JournalError(f"a stored record cannot be read: {error}") from error


def _from_line(line: str) -> Any:
    return msgspec.convert(json.loads(line), AnyEvent)


def _survives(event: Any) -> bool:
    """Whether the event comes back as it was from the LINES format."""
    try:
        return bool(_decoder.decode(_encoder.encode(event)) == event)
    except Exception:  # noqa: BLE001 - fields that user code filled may hold objects with code of their own
        return False


def _exact_line(event: Any) -> str | None:
    """The event as a line that reads back as an event of its type; None if there is no such line."""
    try:
        line = _to_text(event)
        return line if type(_from_line(line)) is type(event) else None
    except Exception:  # noqa: BLE001 - as above
        return None


def _to_text(value: Any) -> str:
    return json.dumps(_to_tree(value), ensure_ascii=False, separators=(",", ":"))


def _to_tree(value: Any) -> Any:
    """Structs as dicts with their tags, everything inside them as it is."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tree: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field is not None else {}
        for name in value.__struct_fields__:
            tree[name] = _to_tree(getattr(value, name))
        return tree
    if isinstance(value, Mapping):
        return {key: _to_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_tree(item) for item in value]
    return str.__str__(value) if isinstance(value, str) else value


def _replacement(event: Any) -> Problem:
    at = event.at if type(event.at) is float else 0.0
    task = getattr(event, "task", "")
    return Problem(
        at,
        source="journal",
        message=f"a {event.type} event could not be stored: it holds something that is not plain data",
        task=task if type(task) is str else "",
    )
