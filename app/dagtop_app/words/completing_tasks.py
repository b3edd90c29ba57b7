"""Which tasks a word of the command line would be accepted for, and which of them are meant most likely. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TypeAlias

from dagtop.core import commands as do
from dagtop.core.blast import blast_radii
from dagtop.core.nearest import LONG, MANY
from dagtop.core.paths import is_inside
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, TaskState

from dagtop_app.faces import is_at_gate
from dagtop_app.steering.node_commands import orders
from dagtop_app.tasks import upkeep

Test: TypeAlias = Callable[[TaskRow], bool]

_S = TaskState
#: What a command would do to each that is offered is worked out in runs of so many tasks at most: it is done at every letter.
WEIGHED = 5_000
_WILD = frozenset("*?[")

_RUNS_AGAIN = FINAL | ACTIVE | {_S.BACKOFF}

#: A task that does not pass would be refused, whatever else is so.
_MAY: Mapping[str, Test] = {
    "cancel": lambda row: row.state not in FINAL and row.state is not _S.CANCELLING,
    "restart": lambda row: row.state in _RUNS_AGAIN and not row.gone,
    "hold": lambda row: not row.held and row.state not in FINAL and row.state not in ACTIVE,
    "release": lambda row: row.held,
    "skip": lambda row: row.state not in ACTIVE and row.state not in GOOD and row.state is not _S.SKIPPED,
    "mark": lambda row: row.state not in ACTIVE and row.state not in GOOD and not row.gone,
    "approve": is_at_gate,
    "stop": lambda row: row.wanted and not row.gone and (row.state not in FINAL or row.policy.restart.is_on),
    "start": lambda row: row.state in FINAL and not row.gone and not (row.wanted and row.state in GOOD),
    "abandon": lambda row: row.state is _S.CANCELLING,
    "where": lambda row: row.state in ACTIVE,
    "policy": lambda row: not row.gone,
}
_AS: Mapping[str, str] = {"retry": "restart", "reject": "approve", "gate": "approve"}

_KINDS: Mapping[str, Callable[[str], do.Command]] = {
    "cancel": do.CancelTask, "restart": do.RestartTask, "hold": do.HoldTask, "release": do.ReleaseTask, "skip": do.SkipTask,
    "mark": do.MarkSucceeded, "approve": do.ApproveTask, "stop": do.StopTask, "start": do.StartTask,
    "abandon": do.AbandonTask,
}  # fmt: skip

#: States of the tasks that a word is said of most often.
_LIKELY: Mapping[str, frozenset[TaskState]] = {
    "cancel": ACTIVE, "restart": BAD - {_S.BLOCKED}, "mark": BAD, "skip": BAD, "start": BAD, "stop": ACTIVE, "why": BAD,
    "logs": BAD | ACTIVE, "goto": BAD, "policy": BAD,
}  # fmt: skip


def test_of(word: str, snapshot: RunSnapshot) -> Test | None:
    """What a task must be for the word not to be refused at once; None: anything will do."""
    if snapshot.broken and _AS.get(word, word) in _KINDS:
        return lambda row: False
    if word == "scale":
        return lambda row: upkeep.replicas_of(snapshot, row.name) is not None
    if word == "ack":
        unread = {one.task for one in snapshot.escalations if one.number not in snapshot.acknowledged}
        return lambda row: row.name in unread
    return _MAY.get(_AS.get(word, word))


def is_of_use(word: str, snapshot: RunSnapshot) -> bool:
    """Whether there is a task that the word may be said of."""
    test = test_of(word, snapshot)
    return test is None or any(map(test, snapshot.rows))


def tasks_for(
    word: str, snapshot: RunSnapshot, begun: str, *, said: Collection[str], chosen: Sequence[str], most: int
) -> list[str]:
    """Tasks that have what was begun in their names, and that the word would be accepted for; the likeliest first."""
    test, likely = test_of(word, snapshot), _LIKELY.get(_AS.get(word, word), frozenset())
    wanted, first = begun.lower(), frozenset(chosen)
    patterns = [one for one in said if _WILD.intersection(one) and one not in snapshot.plan.index]
    ranked: list[list[str]] = [[], [], [], []]
    for row in snapshot.rows:
        name = row.name
        if wanted and wanted not in name.lower():
            continue
        if test is not None and row.index not in snapshot.plan.nodes and not test(row):
            continue
        if name in said or not _can_be_typed(name) or any(fnmatchcase(name, pattern) for pattern in patterns):
            continue
        begins = name.lower().startswith(wanted)
        rank = (0 if name in first or row.state in likely else 1) + (0 if begins else 2)
        if len(ranked[rank]) < most:
            ranked[rank].append(name)
            if not rank and len(ranked[0]) == most:
                break
    found = [name for names in ranked for name in names][: 2 * most]
    found.sort(key=lambda name: (not name.lower().startswith(wanted), name not in first))
    return _accepted(word, snapshot, _outside(found, said, snapshot))[:most]


def _can_be_typed(name: str) -> bool:
    return bool(name.strip()) and name.isprintable() and '"' not in name


def _outside(names: Iterable[str], said: Collection[str], snapshot: RunSnapshot) -> list[str]:
    """Those that are in none of the nodes that were named."""
    plan = snapshot.plan
    nodes = [one for one in said if plan.index.get(one) in plan.nodes]
    return [name for name in names if not any(is_inside(name, node) for node in nodes)]


def _accepted(word: str, snapshot: RunSnapshot, names: Sequence[str]) -> list[str]:
    """Those for which the command would not be refused."""
    kind, plan = _KINDS.get(_AS.get(word, word)), snapshot.plan
    if kind is None or len(snapshot.rows) > WEIGHED or not names:
        return list(names)
    radii = blast_radii(snapshot, [kind(name) for name in names])
    refused = {name for name, radius in zip(names, radii, strict=True) if radius.refusal}
    for name in names:
        if plan.index[name] in plan.nodes:
            made = orders(snapshot, kind(name))
            (refused.add if made is not None and made.radius.refusal else refused.discard)(name)
    return [name for name in names if name not in refused]


def nearest_names(begun: str, names: Sequence[str]) -> list[str]:
    """Those that were meant, maybe, by what none is called."""
    if not begun:
        return []
    known = names if len(names) <= MANY else [name for name in names if name[:1] == begun[:1]][:MANY]
    return [name for name in get_close_matches(begun[:LONG], known, n=3) if _can_be_typed(name)]
