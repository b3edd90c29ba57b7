"""What is different between two runs: what got slower beyond noise, what failed newly or no longer, what changed in graph and
policies.

Pure: it goes by the facts of both runs, and by how long the tasks usually took before the earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dagtop.core.forecast import Usual
from dagtop.core.states import BAD, GOOD
from dagtop.journal.compare_facts import BEGUN, NOT_BEGUN, Facts, TaskFacts, settings_of

#: Differences in seconds below these are noise, whatever else is known: of so many seconds, and of so large a part of the time.
NOISE, NOISE_PART = 0.05, 0.2
#: From so many earlier runs on, what lies between the usual time and the 95th percentile is noise too.
ENOUGH = 3

_BAD = frozenset(state.value for state in BAD)
_GOOD = frozenset(state.value for state in GOOD)


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """A task that took longer, or less long."""

    task: str
    before: float
    after: float
    noise: float
    """Differences up to this tell nothing."""
    runs: int
    """So many earlier runs say what is noise; 0 if it is a mere rule of thumb."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A task that ended in another way, or failed both times."""

    task: str
    before: str
    """A task's state; "" if it was not there."""
    after: str
    error: str = ""
    """Of the later failure, or else of the earlier one."""


class Rewired(msgspec.Struct, frozen=True, kw_only=True):
    """A task that waits for others now."""

    task: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that is another one. `tasks` has all those of which that is so, of a limit or input it is empty."""

    what: str
    before: Any
    after: Any
    tasks: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Tasks are in the order of the later run, those that got slower with the greatest loss first."""

    slower: tuple[Took, ...] = ()
    faster: tuple[Took, ...] = ()
    compared: int = 0
    """Tasks that were timed in both."""
    failed_newly: tuple[Ended, ...] = ()
    failed_no_longer: tuple[Ended, ...] = ()
    failed_still: tuple[Ended, ...] = ()
    ended_otherwise: tuple[Ended, ...] = ()
    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    rewired: tuple[Rewired, ...] = ()
    code: tuple[str, ...] = ()
    """Tasks whose source (with its decorator), or what else decides about their result, is another."""
    policies: tuple[Changed, ...] = ()
    limits: tuple[Changed, ...] = ()
    inputs: tuple[Changed, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is different."""
        return not any(
            getattr(self, name) for name in self.__struct_fields__ if name not in {"compared", "failed_still"}
        )


def compare(before: Facts, after: Facts, usual: Mapping[str, Usual] | None = None) -> Comparison:
    """What is different in `after`. `usual`: how long tasks took in the runs before `before`."""
    both = [name for name in after.tasks if name in before.tasks]
    took = [
        one
        for name in both
        if (one := _took(name, before.tasks[name].seconds, after.tasks[name].seconds, (usual or {}).get(name)))
        is not None
    ]
    endings = list(_endings(before, after))
    return Comparison(
        slower=tuple(sorted((one for one in took if one.after - one.before > one.noise), key=_gain)),
        faster=tuple(sorted((one for one in took if one.before - one.after > one.noise), key=_gain, reverse=True)),
        compared=len(took),
        failed_newly=tuple(one for one in endings if one.after in _BAD and one.before not in _BAD),
        failed_no_longer=tuple(one for one in endings if one.before in _BAD and one.after in _GOOD),
        failed_still=tuple(one for one in endings if one.before in _BAD and one.after in _BAD),
        ended_otherwise=tuple(
            one
            for one in endings
            if one.before and one.after not in _BAD and not (one.before in _BAD and one.after in _GOOD)
        ),
        came=tuple(name for name in after.tasks if name not in before.tasks),
        went=tuple(name for name in before.tasks if name not in after.tasks),
        rewired=tuple(
            change for name in both if (change := _rewired(name, before.tasks[name], after.tasks[name])) is not None
        ),
        code=tuple(name for name in both if _is_other_code(before.tasks[name], after.tasks[name])),
        policies=_policies(before, after, both),
        limits=_changes(before.limits, after.limits),
        inputs=_changes(before.inputs, after.inputs),
    )


def noise_of(before: float, after: float, usual: Usual | None) -> float:
    """The difference in seconds up to which two times of a task tell nothing."""
    spread = usual.p95 - usual.median if usual is not None and usual.runs >= ENOUGH else 0.0
    return max(NOISE, NOISE_PART * min(before, after), spread)


def _took(name: str, before: float | None, after: float | None, usual: Usual | None) -> Took | None:
    if before is None or after is None:
        return None
    runs = usual.runs if usual is not None and usual.runs >= ENOUGH else 0
    return Took(task=name, before=before, after=after, noise=noise_of(before, after, usual), runs=runs)


def _gain(one: Took) -> float:
    return one.before - one.after


def _endings(before: Facts, after: Facts) -> Iterator[Ended]:
    """Tasks of the later run whose end is of another kind, or bad in both. While it goes on, what has not ended is left out."""
    goes_on = after.summary.alive and after.summary.finished_at is None
    for name, now in after.tasks.items():
        if goes_on and now.state in {NOT_BEGUN, BEGUN}:
            continue
        then = before.tasks.get(name, TaskFacts(state=""))
        alike = now.state == then.state or {now.state, then.state} <= _GOOD
        if not alike or now.state in _BAD:
            yield Ended(task=name, before=then.state, after=now.state, error=now.error or then.error)


def _rewired(name: str, before: TaskFacts, after: TaskFacts) -> Rewired | None:
    then, now = set(before.upstream), set(after.upstream)
    if then == now:
        return None
    gained = tuple(one for one in after.upstream if one not in then)
    return Rewired(task=name, gained=gained, lost=tuple(one for one in before.upstream if one not in now))


def _is_other_code(before: TaskFacts, after: TaskFacts) -> bool:
    return bool(before.fingerprint and after.fingerprint) and before.fingerprint != after.fingerprint


def _policies(before: Facts, after: Facts, both: list[str]) -> tuple[Changed, ...]:
    """Each change once, with all tasks of which it is so."""
    found: dict[str, tuple[Changed, list[str]]] = {}
    alike: dict[tuple[int, int], tuple[Changed, ...]] = {}
    for name in both:
        then, now = before.tasks[name], after.tasks[name]
        if then.policy == now.policy and then.exceptions == now.exceptions:
            continue
        key = id(then.policy), id(now.policy)
        if key not in alike or then.exceptions or now.exceptions:
            alike[key] = _changes(settings_of(then), settings_of(now))
        for change in alike[key]:
            found.setdefault(repr(change), (change, []))[1].append(name)
    return tuple(msgspec.structs.replace(change, tasks=tuple(tasks)) for change, tasks in found.values())


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Changed, ...]:
    return tuple(
        Changed(what=name, before=before.get(name), after=after.get(name))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )
