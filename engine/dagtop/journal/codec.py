"""Outputs to bytes and back: what comes back is equal in type and value to what went in, or it is not stored.

Nothing is ever guessed from a round trip: a survey looks at the exact type of every part of the value, and only types
of which the way back is known are let through. It calls no method of the user's objects (their `__eq__`, `__repr__`,
`__class__` and metaclass never run), so it cannot be fooled or made to raise by them. Pickle is never used.

- "json": None, bool, int of 64 bits, finite float, str, list, and dict with str keys, as plain JSON;
- "tagged": the same plus the types of `tagged.py`, as JSON with tags;
- "bytes", "bytearray": as they are;
- "unstorable": anything else. The blob is the reason, for people.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from dagtop.errors import JournalError
from dagtop.journal import tagged

#: Longest output that is kept, encoded. Outputs are encoded on the engine's thread and kept in memory until committed.
LIMIT = 64 * 2**20
#: Deepest nesting that is kept: well below what the interpreter's own recursion limit allows in any caller.
DEPTH = 200

_to_json = msgspec.json.Encoder().encode

_INT_MIN = -(2**63)
_INT_MAX = 2**64 - 1


class Encoded(NamedTuple):
    """A value as it is stored."""

    codec: str
    blob: bytes

    @property
    def storable(self) -> bool:
        """Whether the value can be had back."""
        return self.codec != "unstorable"

    @property
    def reason(self) -> str:
        """Why it cannot be had back."""
        return self.blob.decode("utf-8", "replace")


class _UnstorableError(Exception):
    """Ends a survey; the message is the reason."""


def encode(value: object, *, limit: int = LIMIT) -> Encoded:
    """The value as it is at this moment. Never raises: what cannot be kept comes out as "unstorable"."""
    try:
        return _encode(value, limit)
    except _UnstorableError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - the value is the user's: another thread may change it under our hands
        reason = f"could not be encoded ({type(error).__name__})"
    return Encoded("unstorable", reason.encode("utf-8", "replace"))


def decode(codec: str, blob: bytes) -> Any:
    """The value that `encode` was given.

    Raises
    ------
    JournalError: the bytes are damaged, or a newer dagtop made them.
    """
    try:
        match codec:
            case "json":
                return msgspec.json.decode(blob)
            case "tagged":
                return tagged.from_tree(msgspec.json.decode(blob))
            case "bytes":
                return blob
            case "bytearray":
                return bytearray(blob)
            case _:
                raise ValueError(f"there is no codec {codec!r}")
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, msgspec.DecodeError) as error:
        raise JournalError(f"a stored output cannot be read: {error}") from error


def _encode(value: object, limit: int) -> Encoded:
    if type(value) is bytes or type(value) is bytearray:
        _check_size(len(value), limit)
        return Encoded(type(value).__name__, bytes(value))
    survey = _Survey(limit)
    survey.look_at(value)
    blob = b""
    if survey.plain:
        try:
            blob = _to_json(value)
        except UnicodeEncodeError:
            survey.plain = False  # lone surrogates: only the tagged form has a place for them
    if not survey.plain:
        blob = _to_json(tagged.to_tree(value))
    _check_size(len(blob), limit)
    return Encoded("json" if survey.plain else "tagged", blob)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise _UnstorableError(f"is larger than the {limit:,} bytes that are kept of one output")


class _Survey:
    """Looks once at every part of a value, before a byte of it is encoded: so a huge value costs next to nothing."""

    __slots__ = ("_limit", "_sizes", "plain")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sizes: dict[int, int] = {}
        """Of the containers seen, by `id` (the value keeps them alive): 0 while one is still being looked at."""
        self.plain = True
        """Whether plain JSON says it all."""

    def look_at(self, value: object) -> None:
        """Find whether `value` can be kept, and how.

        Raises
        ------
        _UnstorableError: it cannot.
        """
        _check_size(self._size_of_items((value,), 0), self._limit)

    def _size_of_items(self, items: Any, depth: int) -> int:
        """The least number of bytes that the items need, encoded. `type() is`, since `isinstance` asks the value."""
        size = 0
        low, high = _INT_MIN, _INT_MAX  # globals cost more, and there may be millions of items
        for item in items:
            kind = type(item)
            if kind is str:
                size += len(item) + 2
            elif kind is int:
                size += 2
                if not low <= item <= high:
                    self.plain = False
                    size += item.bit_length() // 4
            elif kind is float:
                size += 4
                if not math.isfinite(item):
                    self.plain = False
            elif kind is bool or item is None:
                size += 5
            elif kind is list or kind is dict:
                size += self._size_of_container(item, kind, depth)
            else:
                size += self._size_of_tagged(item, kind, depth)
        return size

    def _size_of_tagged(self, item: Any, kind: type, depth: int) -> int:
        self.plain = False
        if kind is tuple or kind is set or kind is frozenset:
            return self._size_of_container(item, kind, depth)
        if kind is bytes or kind is bytearray:
            return len(item) + 2
        if reason := tagged.refusal(item):
            raise _UnstorableError(f"{'is' if depth == 0 else 'holds'} {reason}")
        return 4

    def _size_of_container(self, item: Any, kind: type, depth: int) -> int:
        key = id(item)
        size = self._sizes.get(key)
        if size is None:
            if depth >= DEPTH:
                raise _UnstorableError(f"is nested more than {DEPTH} levels deep")
            self._sizes[key] = 0
            size = 2 + self._size_of_items(item.values() if kind is dict else item, depth + 1)
            if kind is dict:
                size += self._size_of_keys(item, depth)
            _check_size(size, self._limit)
            self._sizes[key] = size
        elif size == 0:
            raise _UnstorableError("contains itself")
        return size

    def _size_of_keys(self, mapping: dict[Any, Any], depth: int) -> int:
        size = 0
        for key in mapping:
            if type(key) is not str:
                self.plain = False
                return self._size_of_items(mapping, depth + 1)
            size += len(key) + 3
        return size
