"""Run records to bytes and back; parameters of any type that can be stored, others by name only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from dagtop.errors import JournalError
from dagtop.journal import chunks, codec
from dagtop.journal.problems import Problems
from dagtop.ports.journal import RunRecord


class Packed(NamedTuple):
    """A record as it is stored."""

    record: bytes
    """All but parameters and options."""
    given_codec: str
    given: bytes
    """Parameters and options."""


def pack(record: RunRecord, problems: Problems) -> Packed:
    """The record as it is stored; what cannot be is told, and named in `lost`."""
    lost: list[str] = []
    given = {
        kind: _storable(kind, values, lost, problems)
        for kind, values in (("parameters", record.parameters), ("options", record.options))
    }
    encoded = codec.encode(given)
    if not encoded.storable:  # each of them can be, all of them together are too large
        lost.extend(name for values in given.values() for name in values)
        problems.tell(
            "given", f"the run's inputs, taken together, {encoded.reason}; they have to be given again on resume"
        )
        encoded = codec.encode({"parameters": {}, "options": {}})
    plain = msgspec.structs.replace(record, parameters={}, options={}, lost=tuple(lost))
    return Packed(chunks.to_json(plain), encoded.codec, encoded.blob)


def unpack(packed: Packed) -> RunRecord:
    """The record that `pack` was given.

    Raises
    ------
    JournalError: the bytes are damaged.
    """
    record: RunRecord = chunks.from_json(packed.record, RunRecord)
    given = codec.decode(packed.given_codec, packed.given)
    if not isinstance(given, dict):
        raise JournalError("a stored record cannot be read: its inputs are not a mapping")
    return msgspec.structs.replace(record, **given)


def _storable(kind: str, values: Mapping[str, Any], lost: list[str], problems: Problems) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        encoded = codec.encode(value)
        if encoded.storable:
            kept[str(name)] = value
        else:
            lost.append(str(name))
            noun = "input" if kind == "parameters" else "option"
            message = f"the {noun} {name!r} {encoded.reason}; it is not kept and has to be given again on resume"
            problems.tell(f"given {name}", message)
    return kept
