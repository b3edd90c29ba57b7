"""The report as JSON: the schema as it is, indented, in UTF-8."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from dagtop.observe.report.schema import Report


def to_json(report: Report) -> bytes:
    """The report, with a line break at its end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def from_json(text: bytes | str) -> Report:
    """A report read back.

    Raises
    ------
    msgspec.ValidationError: it is not a report.
    """
    return msgspec.json.decode(text, type=Report)


def json_schema() -> bytes:
    """What `docs/report.schema.json` says: the schema, as JSON Schema."""
    return msgspec.json.format(msgspec.json.encode(_dedented(msgspec.json.schema(Report))), indent=1) + b"\n"


def _dedented(value: Any) -> Any:
    """With descriptions as Python 3.13 has docstrings, which earlier ones leave indented."""
    match value:
        case dict():
            return {
                key: cleandoc(it) if key == "description" and isinstance(it, str) else _dedented(it)
                for key, it in value.items()
            }
        case list():
            return [_dedented(item) for item in value]
        case _:
            return value
