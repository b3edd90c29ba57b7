"""Changes of a policy while the run goes on: fields by name, as a command and its event carry them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dagtop.core.policy import Retry, TaskPolicy

#: Fields of a policy that are those of its `retry`.
OF_RETRY = frozenset({"retries", "backoff", "base", "factor", "cap", "jitter"})

#: Fields of a policy that are those of its `restart`, and what they are called there.
OF_RESTART = {
    "restart": "policy",
    "max_restarts": "max_restarts",
    "restart_backoff": "base",
    "restart_cap": "cap",
    "restart_jitter": "jitter",
    "reset_after": "reset_after",
}

#: As a cost: none is declared, and what earlier runs took counts again.
NO_COST = -1


def changed_policy(policy: TaskPolicy, changes: dict[str, Any]) -> TaskPolicy:
    """`policy` with fields of it, or of its `retry` or `restart`, replaced by name.

    Raises
    ------
    ValueError: a value is out of its range.
    """
    own = {name: value for name, value in changes.items() if name not in OF_RETRY and name not in OF_RESTART}
    of_retry = {name: value for name, value in changes.items() if name in OF_RETRY}
    of_restart = {OF_RESTART[name]: value for name, value in changes.items() if name in OF_RESTART}
    if own.get("timeout") == 0:
        own["timeout"] = None
    if own.get("cost") == NO_COST:
        own["cost"] = None
    retry: Retry = replace(policy.retry, **of_retry) if of_retry else policy.retry
    restart = replace(policy.restart, **of_restart) if of_restart else policy.restart
    return replace(policy, retry=retry, restart=restart, **own)
