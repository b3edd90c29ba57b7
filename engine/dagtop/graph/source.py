"""The code behind a task as a text that is the same in every process: its own, what it closes over, and what it calls.

What it calls is found by name: functions and classes of the user's that are globals of its module, whether written there or
imported into it, and so on from those. Methods of other objects, and what is looked up at run time, are not seen.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import sysconfig
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import msgspec

_BETWEEN = "\x1f"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
#: Most functions and classes that are followed from one task.
MOST = 500
#: Globals of these types count by value, where values count.
_PLAIN = (bool, int, float, complex, str, bytes, tuple, frozenset, type(None))

#: Where code lies that the user did not write: the standard library, what is installed, and dagtop.
_NOT_THEIRS = (
    *(path + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))),
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
    "<frozen ",
)


def source_of(fn: Callable[..., Any], *, values: bool = False) -> str:
    """The text. With `values` plain globals that it uses count too, and the state of objects whose methods it is.

    Never raises, whatever the objects do when they are looked at.
    """
    found: list[str] = []
    seen = {id(fn)}
    queue: deque[object] = deque([fn])
    while queue and len(found) < MOST:
        item = queue.popleft()
        try:
            text, further = _look_at(item, values)
        except BaseException as error:  # noqa: BLE001 - the user's objects decide what happens when they are looked at
            _unless_interrupted(error)
            text, further = f"<{type(item).__qualname__}>", []
        found.append(text)
        for other in further:
            if id(other) not in seen:
                seen.add(id(other))
                queue.append(other)
    return _BETWEEN.join(found)


def mark_of(fn: Callable[..., Any]) -> str:
    """A hash of that text."""
    return hashlib.blake2b(source_of(fn).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _look_at(item: Any, values: bool) -> tuple[str, list[object]]:
    """(the text of one callable or class, what it leads to)."""
    kind = type(item)
    if kind is partial:
        given = [*item.args, *item.keywords.values()]
        return (
            stable_text(list(item.keywords)) + "".join(map(_closed_over, given)),
            [item.func, *filter(_is_followed, given)],
        )
    if kind is MethodType:
        return (_state(item.__self__) if values else ""), [item.__func__]
    if kind is FunctionType:
        return _look_at_function(item, values)
    if issubclass(kind, type):
        return _look_at_class(item)
    call = getattr(kind, "__call__", None)  # noqa: B004 - what makes it callable
    if type(call) is FunctionType:
        return (_state(item) if values else f"<{kind.__qualname__}>"), [call]
    return stable_text(item), []


def _look_at_function(fn: FunctionType, values: bool) -> tuple[str, list[object]]:
    text, names = _of_code(fn.__code__)
    parts = [text, stable_text(fn.__defaults__), stable_text(fn.__kwdefaults__)]
    further: list[object] = []
    for cell in fn.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # the cell is empty still
            continue
        parts.append(_closed_over(value))
        if _is_followed(value):
            further.append(value)
    for name in names:
        value = fn.__globals__.get(name, fn)
        if value is not fn and _is_theirs(value):
            further.append(value)
        elif values and type(value) in _PLAIN:
            parts.append(f"{name}={stable_text(value)}")
    wrapped = getattr(fn, "__wrapped__", None)
    if _is_followed(wrapped):
        further.append(wrapped)
    return _BETWEEN.join(parts), further


def _is_followed(value: object) -> bool:
    return type(value) in (FunctionType, MethodType, partial)


def _closed_over(value: object) -> str:
    return "" if _is_followed(value) else stable_text(value)


def _is_theirs(value: object) -> bool:
    """Whether it is a function or a class that the user wrote."""
    if type(value) is FunctionType:
        return not value.__code__.co_filename.startswith(_NOT_THEIRS)
    if issubclass(type(value), type):
        return any(not one.__code__.co_filename.startswith(_NOT_THEIRS) for one in _methods(value))
    return False


def _look_at_class(item: Any) -> tuple[str, list[object]]:
    """Its plain attributes, methods and bases: text of a class is found only where its module is."""
    attributes = _attributes(item)
    kept = [
        f"{name}={stable_text(value)}"
        for name, value in attributes.items()
        if type(value) in _PLAIN and not name.startswith("__")
    ]
    return f"class {_BETWEEN.join(kept)}", [
        *_methods(item),
        *filter(_is_theirs, type.__dict__["__mro__"].__get__(item)),
    ]


def _methods(item: object) -> list[FunctionType]:
    found = (
        value.__func__
        if type(value) in (staticmethod, classmethod)
        else value.fget
        if type(value) is property
        else value
        for value in _attributes(item).values()
    )
    return [value for value in found if type(value) is FunctionType]


def _attributes(item: object) -> Mapping[str, Any]:
    """Read past the metaclass: a hostile one could answer with code of its own."""
    attributes: Mapping[str, Any] = type.__dict__["__dict__"].__get__(item)
    return attributes


@lru_cache(maxsize=4096)
def _of_code(code: CodeType) -> tuple[str, tuple[str, ...]]:
    """(its text, the names that it looks up). Code objects that are equal do the same, wherever their texts differ."""
    return _text(code) or _compiled(code), tuple(sorted(set(_names_in(code))))


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _text(item: Any) -> str:
    try:
        return inspect.getsource(item)
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""


def _compiled(code: CodeType) -> str:
    """For code whose text is not to be had."""
    constants = [_compiled(item) if isinstance(item, CodeType) else stable_text(item) for item in code.co_consts]
    return f"{code.co_code!r}{constants!r}{code.co_names!r}"


def _state(owner: object) -> str:
    try:
        return f"<{type(owner).__qualname__} {stable_text(vars(owner))}>"
    except TypeError:
        return stable_text(owner)


def stable_text(value: object) -> str:
    """A text for a value that is the same in every process; objects that are only equal to themselves count by their type."""
    try:
        return msgspec.json.encode(value, enc_hook=_by_value, order="deterministic").decode()
    except BaseException as error:  # noqa: BLE001 - the value is the user's: anything may happen while it is read
        _unless_interrupted(error)
        try:
            return _by_value(value)
        except BaseException as again:  # noqa: BLE001 - as above
            _unless_interrupted(again)
            return f"<{type(value).__qualname__}>"


def _by_value(value: object) -> str:
    """What JSON has no words for (a path, a pattern, a dict with odd keys): too many changes are seen rather than too few."""
    kind = type(value)
    if kind.__eq__ is object.__eq__:
        return f"<{kind.__qualname__}>"
    if isinstance(value, (set, frozenset)):  # each process has an order of its own
        return "{" + ", ".join(sorted(map(stable_text, value))) + "}"
    return f"<{kind.__qualname__} {_ADDRESS.sub('', repr(value))}>"


def _unless_interrupted(error: BaseException) -> None:
    """Let a Ctrl+C through, which is nothing that the object did."""
    if isinstance(error, KeyboardInterrupt):
        raise error
