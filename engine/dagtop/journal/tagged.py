"""Values that JSON has no words for, as trees of plain JSON with tags: `{"$": "tuple", "v": [1, 2]}`.

A dict of the user's that has a key "$" is written in pairs itself, so a tag is never mistaken. `to_tree` and
`from_tree` are each other's inverse for every value that `codec.py` lets through; `refusal` decides about the leaves.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo


def refusal(value: object) -> str:
    """What a leaf is if it cannot be kept, as "a some.Type"; "" if it can."""
    kind = type(value)
    # A class with a metaclass of its own is not looked up: that would call the metaclass's `__hash__`.
    if type(kind) is not type or kind not in _LEAVES:
        name = _type_name(kind)
        return f"{'an' if name[:1].lower() in {*'aeiou'} else 'a'} {name}"
    if isinstance(value, (dt.datetime, dt.time)) and not _is_known_zone(value.tzinfo):
        return f"a {kind.__name__} with a time zone of type {_type_name(type(value.tzinfo))}"
    return ""


def _type_name(kind: type) -> str:
    """Read past the metaclass: a hostile one could answer with code of its own."""
    attributes: Any = type.__dict__
    parts = [attributes["__module__"].__get__(kind), attributes["__qualname__"].__get__(kind)]
    name = ".".join(part for part in parts if type(part) is str and part != "builtins")
    return name[:200].encode("utf-8", "backslashreplace").decode()


def _is_known_zone(zone: dt.tzinfo | None) -> bool:
    if zone is None or type(zone) is dt.timezone:
        return True
    if type(zone) is not ZoneInfo or zone.key is None:  # pyright: ignore[reportUnnecessaryComparison] - from_file may
        return False
    # One made by `from_file` or `no_cache` need not mean what its key says.
    return ZoneInfo(zone.key) is zone


# -- leaves: how each exact type is written, and read back ------------------------------------------------------------


def _zone_to_tree(zone: dt.tzinfo | None) -> Any:
    if zone is None:
        return None
    if isinstance(zone, ZoneInfo):
        return zone.key
    offset = zone.utcoffset(None) or dt.timedelta()
    name = zone.tzname(None)
    return [*_delta_to_tree(offset), None if name == dt.timezone(offset).tzname(None) else to_tree(name)]


def _zone_from_tree(tree: Any) -> dt.tzinfo | None:
    if tree is None:
        return None
    if isinstance(tree, str):
        return ZoneInfo(tree)
    *delta, name = tree
    offset = _delta_from_tree(delta)
    if name is not None:
        return dt.timezone(offset, from_tree(name))
    return dt.timezone(offset) if offset else dt.UTC


def _datetime_to_tree(value: dt.datetime) -> Any:
    return [value.replace(tzinfo=None).isoformat(), value.fold, _zone_to_tree(value.tzinfo)]


def _datetime_from_tree(tree: Any) -> dt.datetime:
    text, fold, zone = tree
    return dt.datetime.fromisoformat(text).replace(fold=fold, tzinfo=_zone_from_tree(zone))


def _time_to_tree(value: dt.time) -> Any:
    return [value.replace(tzinfo=None).isoformat(), value.fold, _zone_to_tree(value.tzinfo)]


def _time_from_tree(tree: Any) -> dt.time:
    text, fold, zone = tree
    return dt.time.fromisoformat(text).replace(fold=fold, tzinfo=_zone_from_tree(zone))


def _delta_to_tree(value: dt.timedelta) -> Any:
    return [value.days, value.seconds, value.microseconds]


def _delta_from_tree(tree: Any) -> dt.timedelta:
    days, seconds, microseconds = tree
    return dt.timedelta(days, seconds, microseconds)


def _path_leaf(kind: Any) -> tuple[str, Callable[[Any], Any], Callable[[Any], Any]]:
    return kind.__name__, lambda value: to_tree(str(value)), lambda tree: kind(from_tree(tree))


#: Exact type -> tag, to tree, from tree.
_LEAVES: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    dt.datetime: ("datetime", _datetime_to_tree, _datetime_from_tree),
    dt.date: ("date", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: ("time", _time_to_tree, _time_from_tree),
    dt.timedelta: ("timedelta", _delta_to_tree, _delta_from_tree),
    Decimal: ("decimal", str, Decimal),
    UUID: ("uuid", str, UUID),
    complex: ("complex", lambda value: [repr(value.real), repr(value.imag)], lambda tree: complex(*map(float, tree))),
    PurePosixPath: _path_leaf(PurePosixPath),
    PureWindowsPath: _path_leaf(PureWindowsPath),
    type(Path()): _path_leaf(type(Path())),
}

# -- the whole ---------------------------------------------------------------------------------------------------------


def to_tree(value: Any) -> Any:
    """The value as plain JSON data."""
    kind = type(value)
    if kind is str:
        return value if _is_utf8(value) else {"$": "str", "v": value.encode("utf-8", "surrogatepass").hex()}
    if kind is bool or value is None:
        return value
    if kind is int:  # as hex: the way back from decimal digits is barred above 4,300 of them
        return value if -(2**63) <= value < 2**64 else {"$": "int", "v": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$": "float", "v": repr(value)}
    if kind is list:
        return [to_tree(item) for item in value]
    if kind is dict:
        return _dict_to_tree(value)
    if kind is tuple or kind is set or kind is frozenset:
        return {"$": kind.__name__, "v": [to_tree(item) for item in value]}
    if kind is bytes or kind is bytearray:
        return {"$": kind.__name__, "v": base64.b64encode(value).decode("ascii")}
    tag, write, _ = _LEAVES[kind]
    return {"$": tag, "v": write(value)}


def from_tree(tree: Any) -> Any:
    """The value that `to_tree` was given.

    Raises
    ------
    ValueError: the tree was not made by it.
    """
    if isinstance(tree, list):
        return [from_tree(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$" not in tree:
        return {key: from_tree(item) for key, item in tree.items()}
    read = _READERS.get(tree["$"])
    if read is None:
        raise ValueError(f"there is no tag {tree['$']!r}")
    return read(tree["v"])


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dict_to_tree(value: dict[Any, Any]) -> Any:
    if "$" not in value and all(type(key) is str and _is_utf8(key) for key in value):
        return {key: to_tree(item) for key, item in value.items()}
    return {"$": "dict", "v": [[to_tree(key), to_tree(item)] for key, item in value.items()]}


_READERS: dict[str, Callable[[Any], Any]] = {
    "str": lambda tree: bytes.fromhex(tree).decode("utf-8", "surrogatepass"),
    "int": lambda tree: int(tree, 16),
    "float": float,
    "dict": lambda tree: {from_tree(key): from_tree(item) for key, item in tree},
    "tuple": lambda tree: tuple(map(from_tree, tree)),
    "set": lambda tree: set(map(from_tree, tree)),
    "frozenset": lambda tree: frozenset(map(from_tree, tree)),
    "bytes": base64.b64decode,
    "bytearray": lambda tree: bytearray(base64.b64decode(tree)),
    **{tag: read for tag, _, read in _LEAVES.values()},
}
