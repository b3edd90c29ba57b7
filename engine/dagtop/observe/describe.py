"""What a value is, told without running its code: only the standard types are looked into, and never for long.

A user's object may have a `__repr__` or `__len__` that raises, hangs or prints a secret, so of those only the type's
name is told. What a name says is secret is not told at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from dagtop.observe.redact import REDACTED, looks_secret, redactor
from dagtop.observe.secrets import is_secret_type

_SCALARS = (bool, float, complex, type(None))
_SETS = (set, frozenset)
_SIZED = (str, bytes, bytearray, list, tuple, dict, *_SETS)
_BRACKETS: Mapping[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")")}
_ITEMS = 8
_DEPTH = 3
_TEXT = 120
_BITS = 512
"""Writing a whole number in decimal takes time that grows with the square of its length."""


class Described(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of a value."""

    type: str
    """Name of its type, e.g. "list" or "DataFrame"."""
    size: int | None = None
    """Number of items, characters or bytes of a standard container."""
    text: str = ""
    """A short form of a value of a standard type; "" of any other."""


def describe(value: Any, *, limit: int = 300) -> Described:
    """Type, size and a text of at most about `limit` characters. Never runs code of the value's own."""
    kind = type(value)
    size = len(value) if kind in _SIZED else None
    text = _short(value, _DEPTH)
    if len(text) > limit:
        text = f"{text[:limit]}…"
    return Described(type=_type_name(kind), size=size, text=text)


def describe_named(name: str, value: Any, *, limit: int = 300) -> Described:
    """As `describe`, but without the value if its name looks secret."""
    told = describe(value, limit=limit)
    if looks_secret(name):
        return Described(type=told.type, text=REDACTED)
    return told


def describe_all(values: Mapping[str, Any]) -> dict[str, Described]:
    """`describe_named` of each."""
    return {name: describe_named(name, value) for name, value in values.items()}


def _type_name(kind: type) -> str:
    # `type.__name__` cannot be replaced by a class attribute when read from the slot of `type` itself.
    name: str = type.__dict__["__name__"].__get__(kind)
    return name


def _short(value: Any, depth: int) -> str:
    kind = type(value)
    if kind is str:
        told = redactor()(value[: _TEXT * 10])
        return repr(told if len(told) <= _TEXT else told[:_TEXT] + "…")
    if kind is int:
        return repr(value) if value.bit_length() <= _BITS else f"<int of {value.bit_length():,} bits>"
    if kind in _SCALARS:
        return repr(value)
    if kind is bytes or kind is bytearray:
        return f"<{kind.__name__} of {len(value):,}>"
    if kind in {list, tuple, dict, *_SETS}:
        return _container(value, kind, depth)
    name = _type_name(kind)
    return REDACTED if is_secret_type(kind) else f"<{name}>" if depth < _DEPTH else ""


def _container(value: Any, kind: type, depth: int) -> str:
    left, right = _BRACKETS.get(kind, ("{", "}"))
    if not value:
        return f"{kind.__name__}()" if kind in _SETS else left + right
    if not depth:
        return f"{left}…{right}"
    try:
        first = list(islice(value.items() if kind is dict else value, _ITEMS))
    except RuntimeError:  # a thread that outlived its task changes it at this moment
        return f"{left}…{right}"
    if kind is dict:
        shown = [f"{_short(k, 0)}: {REDACTED if looks_secret(k) else _short(v, depth - 1)}" for k, v in first]
    else:
        shown = [_short(item, depth - 1) for item in first]
    if len(value) > len(first):
        shown.append(f"… {len(value) - len(first):,} more")
    elif kind is tuple and len(shown) == 1:
        shown[0] += ","
    return left + ", ".join(shown) + right
