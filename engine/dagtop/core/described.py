"""Policies and guards as plain data, so that a journal can tell how a run was set up, and back again to look at it."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any

from dagtop.core.backoff import Backoff
from dagtop.core.guards import Breaker, Gate
from dagtop.core.policy import DEFAULT_POLICY, Retry, RunPolicy, TaskPolicy
from dagtop.core.restart import Probe, Restart

Plain = Mapping[str, Any]

#: What is made of the fields that are values of their own.
_PARTS: Mapping[str, type] = {"retry": Retry, "gate": Gate, "restart": Restart, "ready": Probe, "alive": Probe}

#: Functions, and options that only the engine that ran it could read.
_LEFT_OUT = frozenset({"check", "extra"})


def described(value: Any) -> dict[str, Any]:
    """A policy, or a part of one, as plain data: only what is not the default. Functions are left out."""
    told: dict[str, Any] = {}
    for field in fields(value):
        given = getattr(value, field.name)
        if field.name not in _LEFT_OUT and given != _default(field):
            told[field.name] = _plain(field.name, given)
    return told


def policy_of(told: Plain) -> TaskPolicy:
    """The policy that was described. What cannot be made of it, as from a newer version, is left at its default."""
    made: TaskPolicy = _made(TaskPolicy, told) if told else DEFAULT_POLICY
    return made


def policies_of(distinct: Sequence[Plain], which: Sequence[int], count: int) -> list[TaskPolicy]:
    """Those of `count` tasks: `which` says for each which one of the distinct ones it has; if it is empty all have the first."""
    made = [policy_of(told) for told in distinct] or [DEFAULT_POLICY]
    if not which:
        return [made[0]] * count
    return [made[number] if 0 <= number < len(made) else DEFAULT_POLICY for number in (*which, *[0] * count)][:count]


def told_apart(policies: Sequence[TaskPolicy]) -> tuple[tuple[Plain, ...], tuple[int, ...]]:
    """The distinct ones described, and for each task which it is; nothing for each if all have one."""
    alike: dict[object, int] = {}
    distinct: list[Plain] = []
    numbers: dict[str, int] = {}
    which: list[int] = []
    for policy in policies:
        key = _look(policy)
        number = alike.get(key)
        if number is None:
            told = described(policy)
            number = alike[key] = numbers.setdefault(repr(told), len(numbers))
            if number == len(distinct):
                distinct.append(told)
        which.append(number)
    return tuple(distinct), tuple(which) if len(distinct) > 1 else ()


def _look(policy: TaskPolicy) -> object:
    """Equal for policies that are described alike, if not the other way round; quick, since graphs have many tasks."""
    return (
        id(policy.retry),
        policy.timeout,
        policy.retry_on_timeout,
        policy.trigger,
        policy.on_upstream_failure,
        policy.priority,
        policy.cost,
        policy.circuit,
        policy.pool,
        id(policy.resources),
        id(policy.gate),
        id(policy.restart),
        id(policy.ready),
        id(policy.alive),
        policy.tags,
        policy.description,
    )


def described_run(policy: RunPolicy) -> dict[str, Any]:
    """Limits and breakers of a run as plain data."""
    return {
        "supervises": policy.supervises,
        "pools": {name: pool.limit for name, pool in policy.pools.items()},
        "resources": dict(policy.resources),
        "breakers": {name: described(breaker) for name, breaker in policy.breakers.items()},
    }


def breaker_of(name: str, told: Plain) -> Breaker:
    """The breaker that was described; one with the defaults if nothing was."""
    made: Breaker = _made(Breaker, {**told, "name": name})
    return made


def _default(field: Field[Any]) -> object:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _plain(name: str, value: Any) -> Any:
    if name in {"on", "not_on"}:
        return [kind.__name__ for kind in value]
    if name in _PARTS and value is not None:
        return {"": True, **described(value)}  # not empty, so that it is not taken for none
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _made(kind: type, told: Plain) -> Any:
    known = {field.name for field in fields(kind)}
    given = {name: _value(name, value) for name, value in told.items() if name in known}
    try:
        return kind(**given)
    except (ValueError, TypeError):  # of another version of dagtop
        return kind(name=given["name"]) if kind is Breaker else kind()


def _value(name: str, value: Any) -> Any:
    if name in _PARTS and isinstance(value, Mapping):
        return _made(_PARTS[name], value)
    if name in {"on", "not_on"}:
        found = [getattr(builtins, str(kind), None) for kind in value]
        return tuple(kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseException))
    if name == "backoff":
        return Backoff(value)
    return tuple(value) if isinstance(value, list) else value
