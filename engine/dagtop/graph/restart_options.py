"""The options that keep a task at a desired state, as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagtop.core.checks import check_seconds, one_of
from dagtop.core.restart import NO_RESTART, Probe, ProbeKind, Restart, RestartPolicy

#: Those that make a task's `Restart`, and its probes.
RESTART_OPTIONS = ("restart", "max_restarts", "restart_backoff", "ready", "alive")


def as_restart(value: object) -> Restart:
    """A restart policy by name, or a `Restart`.

    Raises
    ------
    ValueError: it is neither.
    """
    if isinstance(value, Restart):
        return value
    policy = one_of(RestartPolicy, value, "restart")
    return NO_RESTART if policy is RestartPolicy.NO else Restart(policy=policy)


def restart_of(options: Mapping[str, Any], default: str | Restart | None) -> Restart:
    """What the options of a task, and the graph's default, say about restarts.

    Raises
    ------
    ValueError: a value is out of its range.
    """
    chosen = options.get("restart")
    given = as_restart(default if chosen is None else chosen) if (chosen or default) is not None else NO_RESTART
    changes: dict[str, Any] = {}
    if options.get("max_restarts") is not None:
        changes["max_restarts"] = options["max_restarts"]
    if options.get("restart_backoff") is not None:
        check_seconds("restart_backoff", options["restart_backoff"])
        changes["base"] = options["restart_backoff"]
    return replace(given, **changes) if changes else given


def probes_of(options: Mapping[str, Any]) -> dict[str, Probe]:
    """The probes among the options, by kind, each with the mark of its code.

    Raises
    ------
    ValueError: one is neither a function nor a `Probe` with a function.
    """
    found: dict[str, Probe] = {}
    for kind in ProbeKind:
        value = options.get(kind.value)
        if value is None:
            continue
        probe = value if isinstance(value, Probe) else Probe(value) if callable(value) else None
        if probe is None or probe.check is None:
            raise ValueError(f"{kind.value} must be a function, or a Probe with one, not {value!r}")
        from dagtop.graph.source import mark_of  # noqa: PLC0415 - few tasks have any

        found[kind.value] = replace(probe, mark=mark_of(probe.check))
    return found
