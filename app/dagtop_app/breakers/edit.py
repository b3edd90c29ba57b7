"""The form that changes a breaker's settings, checked as it is typed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dagtop.core.breaker_settings import SETTINGS, change_reason, changed_breaker
from dagtop.core.commands import SetBreaker
from dagtop.core.guards import Breaker

from dagtop_app.steering.filling import Checked, Field
from dagtop_app.text import plural

_COUNTS = frozenset({"failure_threshold", "success_threshold"})
#: What the fields are called, and what they mean.
_FIELDS: Mapping[str, tuple[str, str]] = {
    "failure_threshold": ("trips", "at so many failures"),
    "recovery_timeout": ("probes", "after so many seconds"),
    "success_threshold": ("closes", "after so many good probes"),
    "window": ("window", "seconds; empty: failures in a row"),
    "failure_rate": ("rate", "50%, of all in the window; or empty"),
}


def breaker_fields(spec: Breaker) -> dict[str, Field]:
    """What is asked, with what it is now."""
    return {label: Field(_shown(name, getattr(spec, name)), note) for name, (label, note) in _FIELDS.items()}


def breaker_settings(spec: Breaker, users: int) -> Callable[[Mapping[str, str]], Checked[SetBreaker]]:
    """The check of the form for a breaker that has these settings, and that so many tasks ask."""

    def check(typed: Mapping[str, str]) -> Checked[SetBreaker]:
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name in SETTINGS:
            label = _FIELDS[name][0]
            try:
                values[name] = _value(name, typed[label])
            except ValueError as error:
                errors[label] = str(error)
        if errors:
            return Checked(None, errors, "")
        changes = {name: value for name, value in values.items() if value != (getattr(spec, name) or 0)}
        if not changes:
            return Checked(None, {}, "as it is now")
        try:
            changed_breaker(spec, changes)
        except ValueError as error:
            text = str(error)
            wrong = next((name for name in SETTINGS if text.startswith(name)), next(iter(changes)))
            return Checked(None, {_FIELDS[wrong][0]: text.replace(wrong, "it")[:60]}, "")
        told = change_reason(spec, changes, "you").removesuffix(", set by you")
        for name, (label, _) in _FIELDS.items():
            told = told.replace(name, label)
        return Checked(SetBreaker(spec.name, **changes), {}, f"{told} · for {plural(users, 'task')}")

    return check


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 100:g}%" if name == "failure_rate" else f"{value:g}"


def _value(name: str, text: str) -> float:
    """The number that was typed; 0 for nothing, where that means none.

    Raises
    ------
    ValueError: it is none.
    """
    text = text.strip().replace(",", "")
    if not text and name in {"window", "failure_rate"}:
        return 0
    if name in _COUNTS:
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 1_000_000:
            raise ValueError("a whole number of at least 1")
        return int(text)
    share = name == "failure_rate" and text.endswith("%")
    try:
        value = float(text.removesuffix("%") if share else text.removesuffix("s"))
    except ValueError:
        raise ValueError("a number, please") from None
    if not 0 <= value < 1e9:
        raise ValueError("0 or more, up to a billion")
    return value / 100 if share else value
