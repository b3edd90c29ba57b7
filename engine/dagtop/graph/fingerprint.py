"""A hash of what decides a task's result: when it changes, a stored result is no longer the task's."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from dagtop.graph.binding import Call, FromInput
from dagtop.graph.check import Checked


def fingerprints(checked: Checked, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """By task index: 16 hex digits over source text, closure, dependencies, and the inputs it takes.

    Policies (retries, timeouts, order) are left out: they decide how a task is run, not what comes out of it.
    """
    plan = checked.plan
    sources: dict[int, str] = {}

    def source(fn: Callable[..., Any]) -> str:
        found = sources.get(id(fn))
        if found is None:
            found = sources[id(fn)] = _source(fn)
        return found

    found: list[str] = []
    for index, name in enumerate(plan.names):
        call = checked.calls[0] if checked.specs is not None else checked.calls[index]
        parts = [name, source(call.fn), *(plan.names[i] for i in plan.upstream[index])]
        if checked.specs is not None:
            parts.append(_stable(checked.specs[name]))
        parts += [f"{key}={_stable(inputs[key])}" for key in _input_names(call) if key in inputs]
        text = "\x1f".join(parts).encode("utf-8", "backslashreplace")
        found.append(hashlib.sha256(text).hexdigest()[:16])
    return tuple(found)


def _input_names(call: Call) -> list[str]:
    return sorted(source.name for _, source in call.arguments if isinstance(source, FromInput))


def _source(fn: Callable[..., Any]) -> str:
    """The function's source text, or its compiled form where the text is not to be had, and what it closes over."""
    if isinstance(fn, partial):
        return _source(fn.func) + _stable(fn.args) + _stable(fn.keywords)
    plain: Any = inspect.unwrap(fn)
    code = getattr(plain, "__code__", None)
    try:
        text = inspect.getsource(plain)
    except (OSError, TypeError):
        text = f"{code.co_code!r}{code.co_consts!r}{code.co_names!r}" if code is not None else _stable(plain)
    defaults = _stable(getattr(plain, "__defaults__", None)) + _stable(getattr(plain, "__kwdefaults__", None))
    cells = getattr(plain, "__closure__", None) or ()
    closed_over: list[str] = []
    for cell in cells:
        try:
            closed_over.append(_stable(cell.cell_contents))
        except ValueError:  # the cell is empty still
            closed_over.append("")
    return text + defaults + "".join(closed_over)


def _stable(value: object) -> str:
    """A text for a value that is the same in every process; objects count by their type only."""
    try:
        return msgspec.json.encode(value, order="deterministic").decode()
    except Exception:  # noqa: BLE001 - the value is the user's: anything may happen while it is read
        return f"<{type(value).__qualname__}>"
