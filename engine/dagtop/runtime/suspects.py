"""Which upstream task gave the value that a failing line had in its hands.

The line's names are looked up among the variables of its frame, and compared by identity with what the upstream gave and
with what is in that. No method of the user's objects is called.
"""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import FrameType, TracebackType
from typing import Any

from dagtop.runtime.families import trace_of

#: Where dagtop's own code lies.
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Where code lies that the user did not write: the standard library and what is installed.
_NOT_THEIRS = (
    "<frozen ",
    *(path + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))),
)
#: Errors that data brings about.
_OF_DATA = (LookupError, TypeError, AttributeError, ValueError)
#: How many upstream tasks, and items of what each gave, are looked through; how deep.
_GIVERS, _ITEMS, _DEPTH = 50, 5_000, 3
#: Longest expression in lines, and how many around the one that failed.
_LINES, _AROUND = 20, 8
_NAME = re.compile(r"[^\W\d]\w*")
_BY_CONTEXT = ("upstream", "_dep_outputs")


def innermost(trace: TracebackType | None) -> TracebackType | None:
    """The innermost frame of code that the user wrote; the innermost one that is not dagtop's if none is theirs."""
    theirs = last = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(HERE):  # dagtop's come innermost too, where it handed on what the loop threw at a task
            last = trace
            if not file.startswith(_NOT_THEIRS):
                theirs = trace
        trace = trace.tb_next
    return theirs or last


def giver_of(family: Sequence[BaseException], given: Mapping[str, Any]) -> str:
    """The name in `given` of what the failing line had in its hands; "" if it was none of it, or that cannot be told."""
    for error in reversed(family):
        if issubclass(type(error), _OF_DATA):
            failing = innermost(trace_of(error))
            found = _giver(failing, given) if failing is not None else ""
            if found:
                return found
    return ""


def _giver(failing: TracebackType, given: Mapping[str, Any]) -> str:
    """From the very expression that failed outwards: a comprehension's variables are gone, but what it went through is there."""
    for text in _failing_texts(failing):
        found = _giver_in(text, failing.tb_frame, given)
        if found:
            return found
    return ""


def _giver_in(text: str, frame: FrameType, given: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(_NAME.findall(text)))
    local = frame.f_locals
    held = [(name, local[name]) for name in names if name in local]
    givers = list(islice(given.items(), _GIVERS))
    for upstream, output in givers:
        for name, value in held:
            if value is output and (name == upstream or _is_telling(value)):
                return upstream
    sought = {id(value) for _, value in held if _is_telling(value)}
    if sought:
        for upstream, output in givers:
            if _holds(output, sought):
                return upstream
    if any(name in _BY_CONTEXT for name in names):
        return next((upstream for upstream, _ in givers if f"'{upstream}'" in text or f'"{upstream}"' in text), "")
    return ""


def _failing_texts(failing: TracebackType) -> Iterator[str]:
    """The source of the expression that failed, then of those around it, where Python knows them; else of the line."""
    code = failing.tb_frame.f_code
    places = list(code.co_positions())
    at = failing.tb_lasti // 2
    inner = _span(places[at]) if at < len(places) else None
    if inner is None:
        yield linecache.getline(code.co_filename, failing.tb_lineno, failing.tb_frame.f_globals)
        return
    spans = {span for place in places if (span := _span(place)) and span[0] <= inner[0] and inner[1] <= span[1]}
    # The narrowest first: of those that hold a common place, that is the one which begins last, or ends first.
    for first, last in sorted(spans, key=lambda span: (span[1][0] - span[0][0], span[1][1] - span[0][1]))[:_AROUND]:
        yield _source(failing.tb_frame, first, last)


_Place = tuple[int | None, int | None, int | None, int | None]
_Spot = tuple[int, int]


def _span(place: _Place) -> tuple[_Spot, _Spot] | None:
    """Begin and end of an expression, each as (line, column in bytes)."""
    first, last, begin, end = place
    if first is None or last is None or begin is None or end is None or last - first >= _LINES:
        return None
    return (first, begin), (last, end)


def _source(frame: FrameType, first: _Spot, last: _Spot) -> str:
    lines = [
        linecache.getline(frame.f_code.co_filename, number, frame.f_globals).encode()
        for number in range(first[0], last[0] + 1)
    ]
    lines[-1] = lines[-1][: last[1]]
    lines[0] = lines[0][first[1] :]
    return b"".join(lines).decode(errors="replace")


def _is_telling(value: object) -> bool:
    """Whether being the same object says that it came from there: None, small numbers and short texts are everywhere."""
    kind = type(value)
    if value is None or kind is bool:
        return False
    if kind is int:
        return not -6 < value < 257  # type: ignore[operator]  # an int
    if kind is str or kind is bytes:
        return len(value) > 3  # type: ignore[arg-type]  # it has a length
    return not (kind in (tuple, frozenset) and not value)


def _holds(output: object, sought: set[int]) -> bool:
    """Whether one of the objects with these ids is in what was given, a few levels deep."""
    level: list[object] = [output]
    left = _ITEMS
    for _ in range(_DEPTH):
        below: list[object] = []
        for one in level:
            try:
                items = list(islice(_items(one), left))
            except RuntimeError:  # a thread that outlived its task changes it at this moment
                continue
            left -= len(items)
            if any(id(item) in sought for item in items):
                return True
            below += items
            if left <= 0:
                return False
        level = below
    return False


def _items(value: object) -> Iterable[object]:
    kind = type(value)
    if kind is dict:
        return value.values()  # type: ignore[attr-defined,no-any-return]  # a dict
    if kind in (list, tuple, set, frozenset):
        return value  # type: ignore[return-value]  # it can be gone through
    return ()
