"""Events as lines of JSON: what `dagtop run --json` prints, one object a line.

Every line has `v`, `seq`, `time`, `elapsed`, `type` and `run`, in this order, then the event's own fields under their
own names (`task`, `attempt`, `delay`, `failure` …).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from dagtop.core.events import AnyEvent

#: Grows when a field changes its meaning or goes away; new fields and types come without notice.
VERSION = 1

_encoder = msgspec.json.Encoder(enc_hook=repr)


def iso(seconds: float) -> str:
    """UTC ISO 8601 with microseconds and a Z, of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:26] + "Z"


def to_object(seq: int, event: AnyEvent, *, run: str, started_at: float) -> dict[str, Any]:
    """One event as the object that goes on the wire. `started_at` is the wall clock at which the run began."""
    fields = msgspec.structs.asdict(event)
    at = fields.pop("at")
    # RunStarted has fields that every line has, and its own clock: the object's own values win.
    return {
        "v": VERSION,
        "seq": seq,
        "time": iso(started_at + at),
        "elapsed": round(at, 6),
        "type": event.type,
        "run": run,
    } | fields


def encode(seq: int, event: AnyEvent, *, run: str, started_at: float) -> bytes:
    """One event as one line, newline included, valid UTF-8 and valid JSON whatever the texts are."""
    value = to_object(seq, event, run=run, started_at=started_at)
    try:
        return _encoder.encode(value) + b"\n"
    except (UnicodeEncodeError, msgspec.MsgspecError, TypeError, ValueError, RecursionError, OverflowError):
        return _encoder.encode(_plain(value)) + b"\n"


def encode_batch(first: int, batch: Iterable[AnyEvent], *, run: str, started_at: float) -> bytes:
    """A batch of events, the first of which has number `first`, as lines."""
    return b"".join(encode(first + i, event, run=run, started_at=started_at) for i, event in enumerate(batch))


def _plain(value: Any, depth: int = 16) -> Any:
    """The same value made of what JSON knows; lone surrogates, which UTF-8 does not know, become U+FFFD."""
    match value:
        case str():
            return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        case bool() | None | int() | float():
            return value if not isinstance(value, int) or abs(value) < 1 << 63 else str(value)
        case _ if depth == 0:
            return "…"
        case dict():
            return {str(_plain(str(key))): _plain(item, depth - 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item, depth - 1) for item in value]
        case msgspec.Struct():
            return _plain({**_tag_of(value), **msgspec.structs.asdict(value)}, depth - 1)
        case _:
            return _plain(repr(value))


def _tag_of(value: msgspec.Struct) -> dict[str, Any]:
    config = value.__struct_config__
    return {config.tag_field: config.tag} if config.tag_field else {}
