"""Which values are secret: found under names that say so, in whatever tasks are given. Nothing of a value's own code runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import MemberDescriptorType
from typing import Any

from dagtop.observe.known import LONGEST, MOST
from dagtop.observe.redact import looks_secret, may_be_known, secrets_of_environment

#: How deep is looked, and at how many items of each container; at `MOST` of one whose name says that all are secret.
_DEPTH, _ITEMS = 6, 1_000
#: Types whose values are secret whatever their name, and where they keep them.
SECRET_TYPES = frozenset({"SecretStr", "SecretBytes", "Secret"})
_KEPT_AS = ("_secret_value", "_secret", "value", "_value")


def secrets_in(values: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> set[str]:
    """The texts in `values` and in the environment whose names, or types, say that they are secret."""
    found = {
        text[:LONGEST] for name, value in values.items() for text in _under(name, value, looks_secret(name), _DEPTH)
    }
    return found | secrets_of_environment(environ or {})


def is_secret_type(kind: type) -> bool:
    """Whether values of a type are made to be hidden, as pydantic's `SecretStr` is."""
    return any(
        type.__dict__["__name__"].__get__(base) in SECRET_TYPES or "get_secret_value" in _own(base)
        for base in type.__dict__["__mro__"].__get__(kind)
    )


def _own(kind: type) -> Mapping[str, Any]:
    own: Mapping[str, Any] = type.__dict__["__dict__"].__get__(kind)
    return own


def _under(name: str, value: Any, secret: bool, depth: int) -> Iterator[str]:
    """Texts in a value that stands under a name; `secret` says whether that, or one above it, is one of a secret."""
    kind = type(value)
    if kind is str:
        if secret and may_be_known(name, value):
            yield value
    elif kind in _NOTHING:
        return
    elif kind is int:
        if secret and value.bit_length() < 512 and len(text := str(value)) >= 6:
            yield text
    elif kind in {bytes, bytearray}:
        if secret and may_be_known(name, text := bytes(value[:LONGEST]).decode("utf-8", "replace")):
            yield text
    elif depth:
        yield from _inside(name, value, kind, secret, depth - 1)


_NOTHING = frozenset({bool, float, complex, type(None)})


def _inside(name: str, value: Any, kind: type, secret: bool, depth: int) -> Iterator[str]:
    items = MOST if secret else _ITEMS
    try:
        if issubclass(kind, dict):
            for key, item in list(islice(dict.items(value), items)):
                told = key if type(key) is str else name
                under = looks_secret(told) and told is key
                yield from _under(told if under else name, item, secret or under, depth)
        elif issubclass(kind, (list, tuple)):
            plain = list.__iter__ if issubclass(kind, list) else tuple.__iter__
            fields = _own(kind).get("_fields", ()) if issubclass(kind, tuple) else ()
            for place, item in enumerate(list(islice(plain(value), items))):
                told = fields[place] if place < len(fields) and type(fields[place]) is str else ""
                under = looks_secret(told)
                yield from _under(told if under else name, item, secret or under, depth)
        elif issubclass(kind, (set, frozenset)):
            plain_set = set.__iter__ if issubclass(kind, set) else frozenset.__iter__
            for item in list(islice(plain_set(value), items)):
                yield from _under(name, item, secret, depth)
        else:
            yield from _in_object(name, value, kind, secret, depth)
    except (
        RuntimeError,
        TypeError,
        AttributeError,
    ):  # changed at this moment by somebody else, or stranger than it looks
        return


def _in_object(name: str, value: Any, kind: type, secret: bool, depth: int) -> Iterator[str]:
    hides = is_secret_type(kind)
    for field, item in islice(_fields_of(value, kind), _ITEMS):
        under = looks_secret(field)
        hidden = hides and field in _KEPT_AS
        yield from _under("secret" if hidden else field if under else name, item, secret or under or hidden, depth)


def _fields_of(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """What an object has, past whatever its class makes of attributes."""
    own: Any = None
    for base in type.__dict__["__mro__"].__get__(kind):
        for field, slot in list(_own(base).items()):
            if type(slot) is MemberDescriptorType:
                try:
                    yield field, slot.__get__(value, kind)
                except AttributeError:  # not set
                    continue
            elif field == "__dict__" and own is None and type(slot).__name__ == "getset_descriptor":
                own = slot.__get__(value, kind)
    if type(own) is dict:
        yield from list(own.items())
