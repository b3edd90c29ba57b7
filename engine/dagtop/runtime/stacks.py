"""Stacks of code that goes on meanwhile, as text: bounded, and never raising, whatever the other threads do."""

from __future__ import annotations

import gc
import os
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, TypeAlias

#: Most frames, and most characters, of one stack.
FRAMES, TEXT = 40, 8_000

#: How deep one coroutine may wait for another.
_DEEPEST = 500

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INSTALLED = tuple(
    path + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))
)

Place: TypeAlias = tuple[FrameType, int]
"""A frame, and the line it was at when it was seen."""


def place(frame: FrameType) -> Place:
    """Where a frame is now."""
    return frame, frame.f_lineno or frame.f_code.co_firstlineno


def frames_of(frame: FrameType | None) -> list[FrameType]:
    """A frame and its callers, innermost first."""
    found: list[FrameType] = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def is_ours(code: CodeType) -> bool:
    """Whether dagtop wrote it."""
    return code.co_filename.startswith(_OURS)


def is_theirs(code: CodeType) -> bool:
    """Whether the user wrote it: it is neither dagtop's nor the standard library's nor installed."""
    return not code.co_filename.startswith((_OURS, *_INSTALLED, "<frozen "))


def without_ours(places: list[Place]) -> list[Place]:
    """From the first frame on that is not dagtop's, outermost first."""
    for start, (frame, _) in enumerate(places):
        if not is_ours(frame.f_code):
            return places[start:]
    return []


def without_plumbing(places: list[Place]) -> list[Place]:
    """Without what event loops and anyio put around the user's code, and inside of it but for the call that was made."""
    user = [number for number, (frame, _) in enumerate(places) if not _is_plumbing(frame.f_code)]
    return places[user[0] : user[-1] + 2] if user else places[-1:]


def _is_plumbing(code: CodeType) -> bool:
    return any(part in code.co_filename for part in _PLUMBING)


_PLUMBING = tuple(f"{os.sep}{name}{os.sep}" for name in ("anyio", "asyncio", "trio"))


def text_of_stack(places: Iterable[Place]) -> str:
    """As a traceback shows it, innermost last, without a headline. Of what is too much, the outer part is left out."""
    kept = list(places)
    dropped = len(kept) - FRAMES
    try:
        lines = traceback.StackSummary.extract(iter(kept[-FRAMES:]), lookup_lines=True).format()
    except Exception as error:  # noqa: BLE001 - files that change, go away, or are none (STYLE 12: it is text for people)
        return f"  <the stack cannot be shown: {type(error).__name__}>\n"
    if dropped > 0:
        lines.insert(0, f"  … {dropped} outer frames left out …\n")
    text = "".join(lines)
    return text if len(text) <= TEXT else f"  … left out …\n{text[-TEXT:]}"


def where(places: Iterable[Place]) -> str:
    """ "file.py:12 in function" of the innermost frame that the user wrote, or of the innermost one."""
    all_of_them = list(places)
    if not all_of_them:
        return ""
    frame, line = next((one for one in reversed(all_of_them) if is_theirs(one[0].f_code)), all_of_them[-1])
    return f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"


def waiting_frames(awaitable: Any) -> Iterator[FrameType]:
    """The frames of a suspended coroutine and of all that it awaits in turn, outermost first; ends where a loop takes over."""
    for _ in range(_DEEPEST):
        frame, awaits = _step(awaitable)
        if frame is not None:
            yield frame
        if awaits is None:
            return
        awaitable = awaits


def _step(awaitable: Any) -> tuple[FrameType | None, Any]:
    """(its frame, what it awaits)."""
    kind = type(awaitable)
    if kind is CoroutineType:
        return awaitable.cr_frame, awaitable.cr_await
    if kind is GeneratorType:
        return awaitable.gi_frame, awaitable.gi_yieldfrom
    if kind is AsyncGeneratorType:
        return awaitable.ag_frame, awaitable.ag_await
    if kind.__name__ in _WRAPPERS and kind.__module__ == "builtins":
        # These have no attribute that tells what they wrap; the garbage collector knows.
        for held in gc.get_referents(awaitable):
            if type(held) in (CoroutineType, AsyncGeneratorType):
                return None, held
    return None, None


_WRAPPERS = frozenset({"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable"})
