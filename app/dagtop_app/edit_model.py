"""The edit dialog's rules: what was typed, checked as it is typed, and the command it comes to. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from dagtop.core.backoff import Backoff, delay
from dagtop.core.commands import SetPolicy
from dagtop.core.policy import TaskPolicy

from dagtop_app.text import seconds_of

FIELDS: Mapping[str, str] = {
    "retries": "after the first attempt",
    "timeout": "seconds, 0 is none",
    "backoff": "none linear exponential",
    "base": "first delay in seconds",
}
"""Fields of the dialog, in order, with what they mean."""


class Draft(NamedTuple):
    """What the fields say now."""

    command: SetPolicy | None
    """None while a field is wrong, or nothing has changed."""
    errors: Mapping[str, str]
    """What is wrong, by field."""
    outlook: str
    """What it means, in a sentence."""


def initial(policy: TaskPolicy) -> dict[str, str]:
    """The fields as the policy in force has them."""
    return {
        "retries": str(policy.retry.retries),
        "timeout": f"{policy.timeout:g}" if policy.timeout is not None else "0",
        "backoff": str(policy.retry.backoff),
        "base": f"{policy.retry.base:g}",
    }


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError("a whole number, please") from None
    if not 0 <= value <= 1_000_000:
        raise ValueError("0 or more, up to 1,000,000")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("s") or "0")
    except ValueError:
        raise ValueError("a number of seconds") from None
    if not (math.isfinite(value) and value >= 0):
        raise ValueError("0 or more seconds")
    return value


def _growth(text: str) -> str:
    word = text.strip().lower()
    found = [kind.value for kind in Backoff if word and kind.value.startswith(word)]
    if len(found) != 1:
        raise ValueError("none, linear or exponential")
    return found[0]


def draft(task: str, policy: TaskPolicy, typed: Mapping[str, str]) -> Draft:
    """Check every field and say what they come to."""
    errors: dict[str, str] = {}
    values: dict[str, int | float | str] = {}
    for name, check in (("retries", _count), ("timeout", _seconds), ("backoff", _growth), ("base", _seconds)):
        try:
            values[name] = check(typed.get(name, ""))
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        return Draft(None, errors, "")
    now = {name: check for name, check in _now(policy).items() if values[name] != check}
    changes = {name: values[name] for name in now}
    command = SetPolicy(task=task, **changes) if changes else None  # type: ignore[arg-type]  # checked by name above
    return Draft(command, {}, _outlook(policy, values, changed=bool(changes)))


def _now(policy: TaskPolicy) -> dict[str, int | float | str]:
    retry = policy.retry
    return {
        "retries": retry.retries, "timeout": policy.timeout or 0.0, "backoff": str(retry.backoff), "base": retry.base,
    }  # fmt: skip


def _outlook(policy: TaskPolicy, values: Mapping[str, int | float | str], *, changed: bool) -> str:
    retries, retry = int(values["retries"]), policy.retry
    if not retries:
        tries = "one attempt"
    else:
        delays = [
            delay(
                n, backoff=str(values["backoff"]), base=float(values["base"]), factor=retry.factor, cap=retry.cap,
                jitter=0.0, unit_random=0.0,
            )
            for n in range(1, min(retries, 6) + 1)
        ]  # fmt: skip
        more = " …" if retries > 6 else ""
        tries = f"{retries + 1:,} attempts, waits " + ", ".join(seconds_of(round(it, 3)) for it in delays) + more
    limit = float(values["timeout"])
    told = f"{tries}; " + (f"{seconds_of(limit)} each at most" if limit else "no timeout")
    return told if changed else f"{told} (as it is now)"
