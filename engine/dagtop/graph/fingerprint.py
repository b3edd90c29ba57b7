"""A hash of what decides a task's result: when it changes, a stored result is no longer the task's."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from dagtop.core.policy import TaskPolicy
from dagtop.graph.binding import Call, FromInput
from dagtop.graph.check import Checked

_BETWEEN = "\x1f"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def fingerprints(checked: Checked, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """By task index: 16 hex digits over source text, closure, spec, trigger rule, and the inputs it takes.

    Policies that decide how a task is run, not what comes out of it (retries, timeouts, order), are left out; so are the names of
    the tasks it depends on, which the journal keeps beside it.
    """
    plan, specs = checked.plan, checked.specs
    shared: dict[tuple[int, int], str] = {}
    found: list[str] = []
    for index, policy in enumerate(plan.policies):
        call = checked.calls[0] if specs is not None else checked.calls[index]
        key = (id(call.fn), id(policy))
        own = shared.get(key)
        if own is None:
            own = shared[key] = code_mark(call.fn, policy)
        extra: list[str] = []
        if specs is not None:
            spec = specs[plan.names[index]]
            if spec is not None:
                extra.append(_stable(spec))
        elif call.arguments:
            extra += [f"{name}={_stable(inputs[name])}" for name in _input_names(call) if name in inputs]
        found.append(_digest(_BETWEEN.join((own, *extra))) if extra else own)
    return tuple(found)


def code_mark(fn: Callable[..., Any], policy: TaskPolicy) -> str:
    """The part of a task's fingerprint that its inputs have no part in."""
    return _digest(f"{_source(fn)}{_BETWEEN}{policy.trigger}/{policy.on_upstream_failure}")


def source_mark(fn: Callable[..., Any]) -> str:
    """A hash of a function's code and of what it closes over."""
    return _digest(_source(fn))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


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
    """A text for a value that is the same in every process; objects that are only equal to themselves count by their type."""
    try:
        return msgspec.json.encode(value, enc_hook=_by_value, order="deterministic").decode()
    except Exception:  # noqa: BLE001 - the value is the user's: anything may happen while it is read
        try:
            return _by_value(value)
        except Exception:  # noqa: BLE001 - as above
            return f"<{type(value).__qualname__}>"


def _by_value(value: object) -> str:
    """What JSON has no words for (a path, a pattern, a dict with odd keys): too many changes are seen rather than too few."""
    kind = type(value)
    if kind.__eq__ is object.__eq__:
        return f"<{kind.__qualname__}>"
    if isinstance(value, (set, frozenset)):  # each process has an order of its own
        return "{" + ", ".join(sorted(map(_stable, value))) + "}"
    return f"<{kind.__qualname__} {_ADDRESS.sub('', repr(value))}>"
