"""What errors look like: signs by which one kind of cause is told from another. Pure functions of a `Failure`'s texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from dagtop.core.failure import Failure

#: Of errors that are called that, or come from such: nobody answers, or says that it cannot now.
_UNAVAILABLE_NAME = re.compile(
    r"^(?:ConnectionError|BrokenPipeError|BrokenResourceError|TimeoutError|TimeoutException|Timeout|gaierror|BackendError"
    r"|RetryAfter|URLError|MaxRetryError|InternalServerError|BadGateway|OverloadedError|AutoReconnect|NoBrokersAvailable)$"
    r"|Connect(?:ion)?(?:Error|or|Timeout|Refused|Reset|Aborted|Lost|Closed)|Disconnected|Unavailable|Unreachable|RateLimit"
    r"|TooManyRequests|(?:Read|Write|Pool|Gateway|API|Server|Socket)Timeout|ServerSelection|RemoteProtocol|CircuitOpen"
)
_UNAVAILABLE_TEXT = re.compile(
    r"connection (?:refused|reset|aborted|closed|timed out)|(?:name or service|host|network).{0,20}(?:not known|unreachable)"
    r"|no route to host|could not connect|failed to connect|temporarily unavailable|service unavailable|bad gateway"
    r"|gateway time-?out|internal server error|too many requests|rate.?limit|server is (?:busy|overloaded)"
    r"|temporary failure in name resolution|\b(?:http(?:/[\d.]+)?|status(?:[ _]?code)?|response|error)[ :=]*(?:5\d\d|429)\b",
    re.IGNORECASE,
)

#: What gave out, by what the error is called or says.
_EXHAUSTED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("worker", re.compile(r"WorkerDied|WorkerLost|BrokenProcessPool|TerminatedWorker|KilledWorker|BrokenExecutor")),
    ("memory", re.compile(r"MemoryError|OutOfMemory|out of memory|cannot allocate memory|\[Errno 12\]", re.IGNORECASE)),
    ("disk", re.compile(r"no space left|disk is full|disk quota exceeded|\[Errno (?:28|122)\]", re.IGNORECASE)),
    ("files", re.compile(r"too many open files|\[Errno 2[34]\]", re.IGNORECASE)),
    ("threads", re.compile(r"can't start new thread", re.IGNORECASE)),
)

#: Errors that code or data brings about, not chance.
_CERTAIN = frozenset(
    {
        *("LookupError", "TypeError", "AttributeError", "ValueError", "NameError", "AssertionError", "ArithmeticError"),
        *(
            "NotImplementedError",
            "ImportError",
            "SyntaxError",
            "RecursionError",
            "FileNotFoundError",
            "FileExistsError",
        ),
        *("IsADirectoryError", "NotADirectoryError", "PermissionError", "TaskExitError", "TransferError"),
        *("KeyError", "IndexError", "UnboundLocalError", "ZeroDivisionError", "ModuleNotFoundError"),
    }
)

_VARYING = re.compile(
    r"0x[0-9a-f]+"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)
#: Longest part of a message by which errors are compared, in characters.
_COMPARED = 500


class Signature(NamedTuple):
    """By which two errors count as the same one."""

    error: str
    message: str
    where: str


def signature(failure: Failure) -> Signature:
    """The error without what differs from one time to the next: numbers, addresses, ids."""
    return Signature(failure.error, without_ids(failure.message[:_COMPARED]), without_ids(failure.where[-_COMPARED:]))


def without_ids(text: str) -> str:
    """`text` with "#" for every number, address and id."""
    return _VARYING.sub("#", text)


def _names(failure: Failure) -> tuple[str, ...]:
    return (failure.error.rpartition(".")[2], *failure.kinds)


def is_unavailable(failure: Failure) -> bool:
    """Whether somebody out there did not answer, or said that it cannot now."""
    if any(_UNAVAILABLE_NAME.search(name) for name in _names(failure)):
        return True
    if failure.service and "OSError" in _names(failure) and not is_certain(failure):
        return True
    return _UNAVAILABLE_TEXT.search(failure.message) is not None or _UNAVAILABLE_TEXT.search(failure.root) is not None


def exhausted(failure: Failure) -> str:
    """What gave out: "worker", "memory", "disk", "files", "threads"; "" if it does not look like that."""
    text = " ".join((*_names(failure), failure.message[:_COMPARED], failure.root))
    return next((what for what, sign in _EXHAUSTED if sign.search(text)), "")


def is_certain(failure: Failure) -> bool:
    """Whether it is of a kind that code or data brings about, so that trying again changes nothing."""
    return not _CERTAIN.isdisjoint(_names(failure))


def asks_to_wait(failure: Failure) -> bool:
    """Whether the task said itself that it is to be tried again later, and nothing more."""
    return failure.error == "RetryAfter"


def is_among(failure: Failure, kinds: Iterable[type]) -> bool:
    """Whether exception types of a policy hold an error, by their names."""
    names = {*_names(failure), "Exception", "BaseException"}
    return any(name_of(kind) in names for kind in kinds)


def name_of(kind: type) -> str:
    """Of an exception type, past what a metaclass of the user's makes of it."""
    return str(type.__dict__["__qualname__"].__get__(kind)).rpartition(".")[2]


def is_unwell(failure: Failure) -> bool:
    """Whether dagtop stopped it because of its liveness probe."""
    return failure.error == "UnwellError"


def is_timeout(failure: Failure) -> bool:
    """Whether the attempt took longer than dagtop lets it; a `TimeoutError` of the task's own is another thing."""
    return failure.error == "TaskTimeoutError"
