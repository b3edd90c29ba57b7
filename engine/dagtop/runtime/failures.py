"""From an exception to a `Failure`: plain bounded text, whatever the exception does when it is looked at."""

from __future__ import annotations

import linecache
import os
import sysconfig
import traceback
from types import TracebackType

from dagtop.core.failure import Failure
from dagtop.core.policy import Retry
from dagtop.errors import TaskExitError

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: Where code lies that the user did not write: the standard library and what is installed.
_NOT_THEIRS = tuple(
    path + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))
)

#: Longest message and traceback that are kept, in characters.
MESSAGE, TRACEBACK = 2_000, 20_000


def failure_of(error: BaseException) -> Failure:
    """What is kept of an exception that user code raised. Never raises."""
    if issubclass(type(error), (SystemExit, KeyboardInterrupt)):
        said = (
            f"the task called sys.exit({text_of(error)})"
            if isinstance(error, SystemExit)
            else "the task raised KeyboardInterrupt"
        )
        shown: BaseException = TaskExitError(f"{said}; a task ends by returning or raising an ordinary exception")
        shown.__traceback__ = BaseException.__dict__["__traceback__"].__get__(error)
        error = shown
    trace = _without_ours(BaseException.__dict__["__traceback__"].__get__(error))
    return Failure(
        error=_type_name(type(error)),
        message=text_of(error)[:MESSAGE],
        traceback=_formatted(error, trace),
        where=_where(trace),
    )


def _type_name(kind: type) -> str:
    """Its qualified name, past whatever its metaclass makes of that."""
    return str(type.__dict__["__qualname__"].__get__(kind))[:200]


def text_of(error: BaseException) -> str:
    """The exception's own message. Never raises."""
    try:
        return str(error)
    except BaseException as broken:  # noqa: BLE001 - the user's __str__, which may even call sys.exit
        return f"<its message cannot be read: {type(broken).__name__}>"


def may_be_retried(error: BaseException, retry: Retry) -> bool:
    """Whether the policy's exception types let this one be tried again. Never raises."""
    try:
        return isinstance(error, retry.on) and not isinstance(error, retry.not_on)
    except BaseException:  # noqa: BLE001 - the user's types decide what isinstance does
        return False


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not dagtop's."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
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


def _where(trace: TracebackType | None) -> str:
    """The innermost line that the user wrote; the innermost one of all if none is theirs."""
    frames: list[TracebackType] = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    if not frames:
        return ""
    theirs = [one for one in frames if not one.tb_frame.f_code.co_filename.startswith((*_NOT_THEIRS, "<frozen "))]
    found = (theirs or frames)[-1]
    code = found.tb_frame.f_code
    return f"{code.co_filename}:{found.tb_lineno} in {code.co_name}"
