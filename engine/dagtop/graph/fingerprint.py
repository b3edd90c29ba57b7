"""A hash of what decides a task's result: when it changes, a stored result is no longer the task's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from dagtop.core.policy import TaskPolicy
from dagtop.graph.binding import Call, FromInput
from dagtop.graph.check import Checked
from dagtop.graph.source import source_of, stable_text

_BETWEEN = "\x1f"


def fingerprints(checked: Checked, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """By task index: 16 hex digits over its code (see `source_of`), spec, trigger rule, and the inputs it takes.

    The code of its setup counts too, and the list that it maps over, if that is given.

    Policies that decide how a task is run, not what comes out of it (retries, timeouts, order), are left out; so are the names of
    the tasks it depends on, which the journal keeps beside it.
    """
    plan, specs, around = checked.plan, checked.specs, checked.around
    shared: dict[tuple[int, int], str] = {}
    found: list[str] = []
    for index, policy in enumerate(plan.policies):
        call = checked.calls[0] if specs is not None else checked.calls[index]
        key = (id(call.fn), id(policy))
        own = shared.get(key)
        if own is None:
            own = shared[key] = code_mark(call.fn, policy)
        extra: list[str] = []
        if index in around.setups:
            extra.append(code_mark(around.setups[index].fn, policy))
        if index in around.maps and around.maps[index].over is None:
            extra.append(stable_text(around.maps[index].items))
        if specs is not None:
            spec = specs[plan.names[index]]
            if spec is not None:
                extra.append(stable_text(spec))
        elif call.by_spec and call.spec is not None:
            extra.append(stable_text(call.spec))
        elif call.arguments:
            extra += [f"{name}={stable_text(inputs[name])}" for name in _input_names(call) if name in inputs]
        found.append(_digest(_BETWEEN.join((own, *extra))) if extra else own)
    return tuple(found)


def code_mark(fn: Callable[..., Any], policy: TaskPolicy, *, values: bool = False) -> str:
    """The part of a task's fingerprint that its inputs have no part in. `values`: see `source_of`."""
    return _digest(f"{source_of(fn, values=values)}{_BETWEEN}{policy.trigger}/{policy.on_upstream_failure}")


def source_mark(fn: Callable[..., Any]) -> str:
    """A hash of a function's code, of what it closes over, and of the plain globals that it uses."""
    return _digest(source_of(fn, values=True))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _input_names(call: Call) -> list[str]:
    return sorted(source.name for _, source in call.arguments if isinstance(source, FromInput))
