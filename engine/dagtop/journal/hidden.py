"""Tasks whose names tell a secret: a journal has them under the names that people see, and a digest to find them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from dagtop.core.plan import Plan
from dagtop.ports.journal import RunRecord

if TYPE_CHECKING:
    from dagtop.journal.resume import Resumption

#: Fields of a `Resumption` that say something of tasks by name, or name them.
_BY_NAME = ("kept", "notes", "reruns", "spawned", "skipped", "attempts", "stops", "policies", "replicas")
_NAMED = ("approved", "left", "removed")


def digest(name: str) -> str:
    """Of the name of a task."""
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def names_of(plan: Plan, record: RunRecord) -> dict[str, str]:
    """By name in the record: the name of the task in the graph, for those of which that is another one."""
    if not record.hidden:
        return {}
    stored = {mark: shown for shown, mark in record.hidden.items()}
    return {stored[mark]: name for name in plan.names if (mark := digest(name)) in stored}


def as_stored(plan: Plan, real: Mapping[str, str]) -> Plan:
    """The plan with the names that the record has."""
    shown = {name: seen for seen, name in real.items()}
    names = tuple(shown.get(name, name) for name in plan.names)
    return replace(plan, names=names, index={name: number for number, name in enumerate(names)})


def as_named(resume: Resumption, real: Mapping[str, str]) -> Resumption:
    """What was decided of the tasks of the record, said of the tasks of the graph."""
    by_name: dict[str, Any] = {
        field: {real.get(name, name): value for name, value in getattr(resume, field).items()} for field in _BY_NAME
    }
    named: dict[str, Any] = {field: tuple(real.get(name, name) for name in getattr(resume, field)) for field in _NAMED}
    told: dict[str, Any] = {
        "escalations": tuple(
            msgspec.structs.replace(one, task=real.get(one.task, one.task)) for one in resume.escalations
        ),
        "acknowledged": {
            number: msgspec.structs.replace(one, task=real.get(one.task, one.task))
            for number, one in resume.acknowledged.items()
        },
    }
    return replace(resume, **by_name, **named, **told)
