"""The edit dialog's rules: what was typed, checked as it is typed, and the command it comes to. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from dagtop.core.backoff import Backoff, delay
from dagtop.core.commands import SetPolicy
from dagtop.core.policy import OnUpstreamFailure, TaskPolicy, Trigger
from dagtop.core.restart import NO_CEILING, Restart, RestartPolicy, ceiling_of
from dagtop.core.snapshot import RunSnapshot, TaskRow
from msgspec.structs import replace

from dagtop_app.steering import filling
from dagtop_app.tasks.upkeep import restart_brief
from dagtop_app.text import clean, plural, seconds_of

if TYPE_CHECKING:
    from dagtop_app.steering.filling import Checked

Value: TypeAlias = int | float | str | bool | None

FIELDS: Mapping[str, str] = {
    "retries": "after the first attempt",
    "timeout": "seconds; 0 is none",
    "retry_on_timeout": "yes or no",
    "backoff": "none, linear or exponential",
    "base": "first delay in seconds",
    "factor": "growth: 2 doubles each delay",
    "cap": "longest delay in seconds",
    "jitter": "share left to chance, 0 to 1",
    "trigger": "how its upstream must end",
    "on_upstream_failure": "skip, fail or run",
    "priority": "higher starts first",
    "cost": "longer starts earlier",
    "circuit": "a breaker; empty is none",
    "pool": "a pool; empty is none",
}
"""Fields of the dialog, in order, with what they mean."""

RESTART_FIELDS: Mapping[str, str] = {
    "restart": "no, on-failure or always",
    "max_restarts": "after failures; empty: usual",
    "restart_backoff": "seconds before the second",
    "restart_cap": "longest wait in seconds",
    "restart_jitter": "share left to chance, 0 to 1",
    "reset_after": "seconds that count as healthy",
}
"""Those of a task that is kept up: they come first there. Any other task has the first of them, at the end."""


_MORE: Mapping[str, str] = {
    "retries": "0 is one attempt in all",
    "retry_on_timeout": "whether an attempt that took too long is tried again",
    "trigger": "all_success, any_success, all_done or none_failed of what it needs",
    "on_upstream_failure": "when its trigger cannot be met any more: skip it, fail it, or run it all the same",
    "priority": "of two tasks that are ready; any whole number, 0 is usual",
    "cost": "in any unit, 1 is usual: what has the longest way to go starts first",
    "restart": "whether it is started again by itself when it has ended",
    "reset_after": "after so long a run its restarts are counted from 0 again",
}


def more_of(field: str, known: Known) -> str:
    """What else there is to know of a field while it is typed in; of those that name something, what there is."""
    names = {"pool": known.pools, "circuit": known.circuits}.get(field)
    if names is None:
        return _MORE.get(field, "")
    return f"there is {_listed(sorted(map(clean, names)))}" if names else f"the run has no {_NOUNS[field]}"


_NOUNS = {"pool": "pools", "circuit": "breakers; any name makes one"}


def fields_of(policy: TaskPolicy) -> Mapping[str, str]:
    """The fields of the dialog for a task of this policy."""
    if policy.is_supervised:
        return {**RESTART_FIELDS, **FIELDS}
    return {**FIELDS, "restart": RESTART_FIELDS["restart"]}


class Known(NamedTuple):
    """What a policy may name."""

    pools: frozenset[str] = frozenset()
    circuits: frozenset[str] = frozenset()

    @classmethod
    def of(cls, snapshot: RunSnapshot) -> Known:
        """Pools and breakers of a run."""
        pools = frozenset(key.removeprefix("pool:") for key in snapshot.limits if key.startswith("pool:"))
        return cls(pools, frozenset(view.name for view in snapshot.breakers))


def initial(policy: TaskPolicy) -> dict[str, str]:
    """The fields as the policy in force has them."""
    return {name: _shown(value) for name, value in _now(policy).items()}


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _now(policy: TaskPolicy) -> dict[str, Value]:
    retry, restart = policy.retry, policy.restart
    return {
        "restart": str(restart.policy), "max_restarts": restart.max_restarts, "restart_backoff": restart.base,
        "restart_cap": restart.cap, "restart_jitter": restart.jitter, "reset_after": restart.reset_after,
        "retries": retry.retries, "timeout": policy.timeout or 0.0, "retry_on_timeout": policy.retry_on_timeout,
        "backoff": str(retry.backoff), "base": retry.base, "factor": retry.factor, "cap": retry.cap,
        "jitter": retry.jitter, "trigger": str(policy.trigger),
        "on_upstream_failure": str(policy.on_upstream_failure), "priority": policy.priority, "cost": policy.cost,
        "circuit": policy.circuit, "pool": policy.pool,
    }  # fmt: skip


def _whole(text: str) -> int:
    try:
        return int(text.replace(",", ""))
    except ValueError:
        raise ValueError("a whole number, please") from None


def _count(text: str) -> int:
    value = _whole(text)
    if not 0 <= value <= 1_000_000:
        raise ValueError("0 or more, up to 1,000,000")
    return value


def _priority(text: str) -> int:
    value = _whole(text)
    if abs(value) > 1_000_000_000:
        raise ValueError("between -1e9 and 1e9")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("s") or "0")
    except ValueError:
        raise ValueError("a number of seconds") from None
    if not (math.isfinite(value) and value >= 0):
        raise ValueError("0 or more seconds")
    return value


def _factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("a number, 1 or more") from None
    if not (math.isfinite(value) and value >= 1):
        raise ValueError("1 or more")
    return value


def _ceiling(text: str) -> int | None:
    return _count(text) if text.strip() else None


def _share(text: str) -> float:
    try:
        value = float(text.strip() or "0")
    except ValueError:
        raise ValueError("a number from 0 to 1") from None
    if not 0 <= value <= 1:
        raise ValueError("from 0 to 1")
    return value


def _cost(text: str) -> float | None:
    return _seconds(text) if text.strip() else None


def _yes(text: str) -> bool:
    word = text.strip().lower()
    if word and "yes".startswith(word):
        return True
    if word and "no".startswith(word):
        return False
    raise ValueError("yes or no")


def _one_of(kind: type[StrEnum]) -> Callable[[str], str]:
    words = [member.value for member in kind]

    def check(text: str) -> str:
        word = text.strip().lower()
        word = word.replace("_", "-").replace(" ", "-") if any("-" in one for one in words) else word.replace(" ", "_")
        found = [name for name in words if name == word] or [name for name in words if word and name.startswith(word)]
        if len(found) != 1:
            raise ValueError(_listed(words))
        return found[0]

    return check


def _listed(words: Iterable[str]) -> str:
    *some, last = words
    return f"{', '.join(some)} or {last}" if some else last


def _name(text: str) -> str:
    return text.strip()


_CHECKS: Mapping[str, Callable[[str], Value]] = {
    "retries": _count, "timeout": _seconds, "retry_on_timeout": _yes, "backoff": _one_of(Backoff), "base": _seconds,
    "factor": _factor, "cap": _seconds, "jitter": _share,
    "trigger": _one_of(Trigger), "on_upstream_failure": _one_of(OnUpstreamFailure), "priority": _priority,
    "cost": _cost, "circuit": _name, "pool": _name, "restart": _one_of(RestartPolicy), "max_restarts": _ceiling,
    "restart_backoff": _seconds, "restart_cap": _seconds, "restart_jitter": _share, "reset_after": _seconds,
}  # fmt: skip


def draft(task: str, policy: TaskPolicy, typed: Mapping[str, str], known: Known = Known()) -> Checked[SetPolicy]:  # noqa: B008 - frozen
    """Check every field and say what they come to. A field that was not typed stays as it is."""
    now, errors = _now(policy), dict[str, str]()
    values = dict(now)
    for name, check in _CHECKS.items():
        try:
            values[name] = check(typed[name]) if name in typed else now[name]
        except ValueError as error:
            errors[name] = str(error)
    if values["pool"] and values["pool"] != now["pool"] and values["pool"] not in known.pools:
        errors["pool"] = (
            f"there is {_listed(sorted(map(clean, known.pools)))}" if known.pools else "the run has no pools"
        )
    if values["cost"] is None and now["cost"] is not None and "cost" not in errors:
        errors["cost"] = "1 is the usual"
    if errors:
        return filling.Checked(None, errors, "")
    changes = {name: values[name] for name, was in now.items() if values[name] != was}
    if "max_restarts" in changes and changes["max_restarts"] is None:
        usual = ceiling_of(Restart(policy=str(values["restart"])))
        changes["max_restarts"] = NO_CEILING if usual is None else usual
    command = SetPolicy(task=task, **changes) if changes else None  # type: ignore[arg-type]  # checked by name above
    return filling.Checked(command, {}, _outlook(policy, values, known, changed=bool(changes)))


#: What a field shows that is not the same for all tasks; left so, each keeps its own.
MIXED = "…"


def initial_of_all(rows: Sequence[TaskRow]) -> dict[str, str]:
    """The fields as the policies of several tasks have them; those in which they differ show `MIXED`."""
    first, *others = (initial(row.policy) for row in rows)
    return {name: value if all(it[name] == value for it in others) else MIXED for name, value in first.items()}


def fields_of_all(rows: Sequence[TaskRow]) -> Mapping[str, str]:
    """The fields of the dialog for several tasks; those of services if one of them is one."""
    return fields_of(next((row.policy for row in rows if row.policy.is_supervised), rows[0].policy))


def draft_all(
    rows: Sequence[TaskRow],
    start: Mapping[str, str],
    typed: Mapping[str, str],
    known: Known = Known(),  # noqa: B008 - frozen
) -> Checked[tuple[SetPolicy, ...]]:
    """Check what was typed for several tasks: what is as it was when the dialog opened is left as each of them has it."""
    if len(rows) == 1:
        one = draft(rows[0].name, rows[0].policy, typed, known)
        return filling.Checked(None if one.result is None else (one.result,), one.errors, one.outlook)
    new = {name: value for name, value in typed.items() if value != start.get(name)}
    commands: list[SetPolicy] = []
    by_policy: dict[int, Checked[SetPolicy]] = {}
    for row in rows:
        if id(row.policy) not in by_policy:
            by_policy[id(row.policy)] = draft(row.name, row.policy, new, known)
        one = by_policy[id(row.policy)]
        if one.errors:
            return filling.Checked(None, one.errors, "")
        if one.result is not None:
            commands.append(replace(one.result, task=row.name))
    if not commands:
        return filling.Checked(None, {}, f"{plural(len(rows), 'task')}: as they are now")
    told = ", ".join(f"{name} {clean(value, 24) or 'none'}" for name, value in new.items())
    of = "" if len(commands) == len(rows) else f" of {len(rows):,}"
    return filling.Checked(tuple(commands), {}, f"changes {len(commands):,}{of} tasks: {told}")


def _outlook(policy: TaskPolicy, values: Mapping[str, Value], known: Known, *, changed: bool) -> str:
    from dagtop.core.changes import OF_RESTART, changed_policy  # noqa: PLC0415 - not to begin with

    told = f"{_tries(values)}; {_limit(values)}"
    restart = changed_policy(policy, {name: values[name] for name in OF_RESTART}).restart
    if restart.is_on:
        told = f"{restart_brief(restart)}; {told}"
    circuit = str(values["circuit"])
    if circuit and circuit != policy.circuit and circuit not in known.circuits:
        told = f"{clean(circuit, 40)} is a new breaker, with the usual settings; {told}"
    return told if changed else f"{told} (as it is now)"


def _limit(values: Mapping[str, Value]) -> str:
    limit = float(values["timeout"] or 0)
    if not limit:
        return "no timeout"
    return f"{seconds_of(limit)} each at most" + (
        "" if values["retry_on_timeout"] or not values["retries"] else ", then over"
    )


def _tries(values: Mapping[str, Value]) -> str:
    retries = int(values["retries"] or 0)
    if not retries:
        return "one attempt"
    delays = [
        delay(
            n, backoff=str(values["backoff"]), base=float(values["base"] or 0), factor=float(values["factor"] or 1),
            cap=float(values["cap"] or 0), jitter=0.0, unit_random=0.0,
        )
        for n in range(1, min(retries, 6) + 1)
    ]  # fmt: skip
    more = " …" if retries > 6 else ""
    return f"{retries + 1:,} attempts, waits " + ", ".join(seconds_of(round(it, 3)) for it in delays) + more
