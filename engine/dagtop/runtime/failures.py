"""From an exception to a `Failure`: plain bounded text, whatever the exception does when it is looked at."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple

from dagtop.core.failure import Failure
from dagtop.core.policy import Retry
from dagtop.errors import RemoteError, RetryAfter, Skip, TaskExitError, TransferError
from dagtop.runtime.families import attributes_of, family_of, is_of, kinds_of, leaves_of, told_by, trace_of
from dagtop.runtime.suspects import HERE, giver_of, innermost

#: Longest message and traceback that are kept, in characters.
MESSAGE, TRACEBACK = 2_000, 20_000
#: Longest line that tells where an exception comes from.
ROOT = 300

NOTHING: Mapping[str, Any] = MappingProxyType({})


#: Under this name an exception from another process carries the failure that was made of it there.
_TOLD = "_dagtop_failure"


def as_told(error: BaseException, failure: Failure) -> BaseException:
    """The exception, for which `failure_of` gives this: it was raised in another process, where its traceback is."""
    attributes_of(error)[_TOLD] = failure
    return error


#: Under this name an exception carries the name of the service that it kept from opening.
_UNOPENED = "_dagtop_service"


def unopened(error: BaseException, service: str) -> None:
    """The exception kept a service from opening: `failure_of` says so."""
    attributes_of(error)[_UNOPENED] = service


def _service_of(error: BaseException) -> str:
    name = attributes_of(error).get(_UNOPENED)
    return name if type(name) is str else ""


def failure_of(error: BaseException, given: Mapping[str, Any] = NOTHING) -> Failure:
    """What is kept of an exception that user code raised. Never raises.

    `given` is what its upstream gave the task, by name: the failure says which of it the failing line had in its hands.
    """
    made_there = attributes_of(error).get(_TOLD)
    if type(made_there) is Failure:
        return made_there
    if issubclass(type(error), (SystemExit, KeyboardInterrupt)):
        said = (
            f"the task called sys.exit({text_of(error)})"
            if is_of(error, SystemExit)
            else "the task raised KeyboardInterrupt"
        )
        shown: BaseException = TaskExitError(f"{said}; a task ends by returning or raising an ordinary exception")
        shown.__traceback__ = trace_of(error)
        error = shown
    told = told_by(error)
    family = family_of(told)
    root = family[-1] if family[-1] is not told else None
    return Failure(
        error=_type_name(type(told)),
        message=text_of(told)[:MESSAGE],
        traceback=_formatted(error, _without_ours(trace_of(error))),
        where=_where(told, family),
        root="" if root is None else f"{_type_name(type(root))}: {text_of(root)}"[:ROOT],
        kinds=kinds_of(family),
        given_by=giver_of(family, given) if given else "",
        service=_service_of(error),
    )


def wish_of(error: BaseException) -> Wish | None:
    """What a task asked for by raising `Skip` or `RetryAfter`, by itself or as all that is in a group. Never raises.

    In a group with other errors neither counts: those are what happened.
    """
    if not issubclass(type(error), (Skip, RetryAfter, BaseExceptionGroup)):
        return None
    told = leaves_of(error)
    if all(issubclass(type(one), Skip) for one in told):
        return Wish(skip=_reason(told[0]))
    delays = [_seconds(one) for one in told if issubclass(type(one), RetryAfter)]
    if len(delays) == len(told):
        return Wish(retry_after=max(delays))
    return None


class Wish(NamedTuple):
    """What a task asks for by what it raises: exactly one is set."""

    skip: str | None = None
    """It need not run; why."""
    retry_after: float | None = None
    """Seconds until it wants to be tried again."""


def _reason(skip: BaseException) -> str:
    reason = text_of(skip)[:ROOT]
    return reason or "it said that it need not run"


def _seconds(wish: BaseException) -> float:
    """As it was checked when it was made; 0 if that has been tampered with."""
    seconds = attributes_of(wish).get("seconds")
    return seconds if type(seconds) is float and 0 <= seconds <= sys.float_info.max else 0.0


def _type_name(kind: type) -> str:
    """Its qualified name, past whatever its metaclass makes of that."""
    return str(type.__dict__["__qualname__"].__get__(kind))[:200]


def text_of(error: BaseException) -> str:
    """The exception's own message. Never raises."""
    try:
        return str(error)
    except BaseException as broken:  # noqa: BLE001 - the user's __str__, which may even call sys.exit
        return f"<its message cannot be read: {type(broken).__name__}>"


def said_of(error: BaseException) -> str:
    """Its type and its own message. Never raises."""
    name, text = _type_name(type(error)), text_of(error)
    return f"{name}: {text}" if text else name


def may_be_retried(error: BaseException, retry: Retry) -> bool:
    """Whether the policy's exception types let this one be tried again. Never raises.

    A group may if it is of such a type itself, or all that is in it is; not if anything in it is of a type that never may.
    """
    try:
        if type(error) is TransferError:
            return False  # it would be the same again
        if type(error) is RemoteError:
            return _is_one_of(error, retry.on) and not _is_one_of(error, retry.not_on)
        if issubclass(type(error), BaseExceptionGroup):
            leaves = leaves_of(error)
            if any(isinstance(one, retry.not_on) for one in (error, *leaves)):
                return False
            return isinstance(error, retry.on) or all(isinstance(one, retry.on) for one in leaves)
        return isinstance(error, retry.on) and not isinstance(error, retry.not_on)
    except BaseException:  # noqa: BLE001 - the user's types decide what isinstance does
        return False


def _is_one_of(error: RemoteError, kinds: Iterable[type[BaseException]]) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in error.kinds for kind in kinds)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not dagtop's."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    return trace


def _formatted(error: BaseException, trace: TracebackType | None) -> str:
    linecache.checkcache()
    try:
        lines = traceback.TracebackException(
            type(error), error, trace, limit=60, max_group_width=15, max_group_depth=10, compact=True
        ).format()
        text = "".join(lines)
    except BaseException as broken:  # noqa: BLE001 - formatting runs the user's __str__ and __cause__
        text = f"<the traceback cannot be shown: {type(broken).__name__}>"
    if len(text) > TRACEBACK:
        half = TRACEBACK // 2
        text = f"{text[:half]}\n… {len(text) - TRACEBACK:,} characters left out …\n{text[-half:]}"
    return text


def _where(error: BaseException, family: Sequence[BaseException]) -> str:
    """Where it was raised; a group with one error in it is where that one is."""
    if issubclass(type(error), BaseExceptionGroup):
        inside = leaves_of(error)
        error = inside[0] if len(inside) == 1 else error
    return place_of(error) or next((place for one in family if (place := place_of(one))), "")


def place_of(error: BaseException) -> str:
    """The innermost line that the user wrote; the innermost one that is not dagtop's if none is theirs; "" if there is none."""
    found = innermost(trace_of(error))
    if found is None:
        return ""
    code = found.tb_frame.f_code
    return f"{code.co_filename}:{found.tb_lineno} in {code.co_name}"[-ROOT:]
