"""Settings of a circuit breaker that a person changes while it is in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagtop.core.commands import SetBreaker
from dagtop.core.guards import Breaker

#: The settings that can be changed. What becomes of a task at an open breaker is each graph's own affair.
SETTINGS = ("failure_threshold", "recovery_timeout", "success_threshold", "window", "failure_rate")
#: Those of which 0 means that there is none.
_MAY_GO = frozenset({"window", "failure_rate"})


def changes_of(command: SetBreaker) -> dict[str, Any]:
    """The settings that the command gives a value."""
    changes = {name: value for name in SETTINGS if (value := getattr(command, name)) is not None}
    return {**changes, "failure_rate": changes.get("failure_rate", 0)} if changes.get("window") == 0 else changes


def changed_breaker(spec: Breaker, changes: Mapping[str, Any]) -> Breaker:
    """The breaker with other settings.

    Raises
    ------
    ValueError: one is out of its range, or asks for another one.
    """
    values: dict[str, Any] = {
        name: None if name in _MAY_GO and value == 0 else value for name, value in changes.items()
    }
    return replace(spec, **values)


def settings_of(spec: Breaker, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values that these settings have come to."""
    return {name: getattr(spec, name) for name in changes}


def change_reason(spec: Breaker, changes: Mapping[str, Any], by: str) -> str:
    """ "failure_threshold 5 → 3, recovery_timeout 30 → 10, set by hand"."""
    told = [
        f"{name} {_text(before)} → {_text(value)}"
        for name, value in changes.items()
        if (before := getattr(spec, name)) != (value or None)
    ]
    return f"{', '.join(told)}, set by {by}"


def inverse_of(spec: Breaker, command: SetBreaker) -> SetBreaker | None:
    """The command that takes another one back, given the settings before it; None if that changes nothing."""
    changes = changes_of(command)
    if "window" in changes:
        changes.setdefault("failure_rate", 0)
    before = {name: getattr(spec, name) or 0 for name in changes}
    return SetBreaker(command.breaker, **before) if any(before[name] != changes[name] for name in changes) else None


def _text(value: float | None) -> str:
    return f"{value:g}" if value else "none"
