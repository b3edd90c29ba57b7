"""What an exception comes from and what is in it: chains of causes, and groups. Never raises; none of the user's code runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from dagtop.errors import RemoteError, RetryAfter

#: So many exceptions of one chain or group are looked at, and so many names of types are kept.
MEMBERS, NAMES = 50, 20
_TRIVIAL = frozenset({object, BaseException, Exception, BaseExceptionGroup, ExceptionGroup})

# Past whatever a user's class makes of these attributes.
_slots: Any = BaseException.__dict__
_group: Any = BaseExceptionGroup.__dict__
_type: Any = type.__dict__


def trace_of(error: BaseException) -> TracebackType | None:
    """Its traceback."""
    found: TracebackType | None = _slots["__traceback__"].__get__(error)
    return found


def attributes_of(error: BaseException) -> dict[str, Any]:
    """What has been set on it."""
    found: dict[str, Any] = _slots["__dict__"].__get__(error)
    return found


def is_of(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Whether its type is one of these; `isinstance` would ask the user's object for its class too."""
    return issubclass(type(error), kinds)


def told_by(error: BaseException) -> BaseException:
    """The error that a `RetryAfter` was raised from, or while handling; of anything else itself."""
    if not issubclass(type(error), RetryAfter):
        return error
    return _cause(error) or _context(error) or error


def family_of(error: BaseException) -> Sequence[BaseException]:
    """The error, what caused it, and what is in it if it is a group, and so on; the root last. No error comes twice."""
    seen: dict[int, BaseException] = {}
    queue = [error]
    for one in queue:  # grows while it is walked
        if id(one) in seen or len(seen) >= MEMBERS:
            continue
        seen[id(one)] = one
        queue += _next(one)
    return _root_last(error, list(seen.values()))


def _root_last(error: BaseException, found: list[BaseException]) -> list[BaseException]:
    root, seen = error, {id(error)}
    while (after := next(iter(_next(root)), None)) is not None and id(after) not in seen:
        root = after
        seen.add(id(root))
        if len(seen) > MEMBERS:
            break
    return [one for one in found if one is not root] + [root]


def _next(error: BaseException) -> Sequence[BaseException]:
    """What it comes from: what it was raised from, else what is in it."""
    cause = _cause(error) or _wrapped(error)
    inside: Sequence[BaseException] = _members(error)
    return [cause, *inside] if cause is not None else inside


def leaves_of(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, and in groups in it; of anything else itself."""
    return list(_leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    waiting = [error]
    count = 0
    while waiting and count < MEMBERS:
        one = waiting.pop()
        inside = _members(one)
        if inside:
            waiting += reversed(inside)
        else:
            count += 1
            yield one


def _members(error: BaseException) -> Sequence[BaseException]:
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    found: Sequence[BaseException] = _group["exceptions"].__get__(error)
    return found[:MEMBERS]


def _cause(error: BaseException) -> BaseException | None:
    found: BaseException | None = _slots["__cause__"].__get__(error)
    return found


def _context(error: BaseException) -> BaseException | None:
    if _slots["__suppress_context__"].__get__(error):
        return None
    found: BaseException | None = _slots["__context__"].__get__(error)
    return found


def _wrapped(error: BaseException) -> BaseException | None:
    """The error in whose `except` block this one was raised, by a `raise` right there: in all but words its cause.

    One that came up deeper is another matter: `except KeyError: return fetch()` does not fail because of the KeyError.
    """
    context = _context(error)
    if context is None or issubclass(type(error), (LookupError, TypeError, AttributeError, NameError)):
        return None
    caught, raised = trace_of(context), trace_of(error)
    while raised is not None and raised.tb_next is not None:
        raised = raised.tb_next
    while caught is not None and raised is not None:
        if caught.tb_frame is raised.tb_frame:
            return context
        caught = caught.tb_next
    return None


def kinds_of(family: Sequence[BaseException]) -> tuple[str, ...]:
    """Names of the first one's base classes, and of the others' types with theirs; `Exception` and the like left out."""
    names: dict[str, None] = {}
    for place, one in enumerate(family):
        mro: tuple[type, ...] = _type["__mro__"].__get__(type(one))
        for kind in mro[1:] if place == 0 else mro:
            if kind not in _TRIVIAL:
                names[str(_type["__name__"].__get__(kind))[:60]] = None
        if type(one) is RemoteError:
            names.update(dict.fromkeys(str(kind).rpartition(".")[2][:60] for kind in one.kinds[:NAMES]))
    return tuple(names)[:NAMES]
