"""Values as digests that are the same in every process, for as long as the values are equal in every part."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from dagtop.errors import DagtopError
from dagtop.journal import codec
from dagtop.journal.codec import Encoded

#: How many parts of a value are looked at to find whether it is small.
PARTS = 2_000
#: Characters or bytes that count as one more part.
RUN_OF_TEXT = 64

_SETS = (b'{"$":"set"', b'{"$":"frozenset"')


class UndigestibleError(DagtopError):
    """A value that has no digest; the message says why, as "is a some.Type"."""


def digest(value: object) -> str:
    """The digest of a value.

    Raises
    ------
    UndigestibleError: it is, or holds, something of which equality cannot be told from the outside.
    """
    return digest_encoded(codec.encode(value))


def digest_encoded(encoded: Encoded) -> str:
    """The digest of a value that is encoded already.

    Raises
    ------
    UndigestibleError: as for `digest`.
    """
    if not encoded.storable:
        raise UndigestibleError(encoded.reason)
    blob = encoded.blob
    if encoded.codec == "tagged" and any(mark in blob for mark in _SETS):
        blob = json.dumps(_in_order(json.loads(blob)), ensure_ascii=True).encode()
    return hashlib.blake2b(encoded.codec.encode() + b"\n" + blob, digest_size=16).hexdigest()


def is_small(value: object) -> bool:
    """Whether encoding the value takes next to no time. Looks at few parts of it, and calls no code of the user's."""
    left = PARTS
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        kind = type(item)
        left -= 1
        if kind is str or kind is bytes or kind is bytearray:
            left -= len(item) // RUN_OF_TEXT
        elif kind is list or kind is tuple or kind is dict or kind is set or kind is frozenset:
            if len(item) > left:
                return False
            try:
                todo += [*item, *item.values()] if kind is dict else item
            except RuntimeError:  # another thread changes it under our hands
                return False
        if left <= 0:
            return False
    return True


def _in_order(tree: Any) -> Any:
    """Sets have no order, and each process gives them another one."""
    if isinstance(tree, list):
        return [_in_order(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ordered = {key: _in_order(item) for key, item in tree.items()}
    if ordered.get("$") in ("set", "frozenset"):
        ordered["v"] = sorted(ordered["v"], key=json.dumps)
    return ordered
