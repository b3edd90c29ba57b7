"""What becomes of tasks that came while a run went on, when the run is resumed: the graph does not have them yet.

Such a task comes again only if the task that spawned it runs again. That is needed when it has to run itself, or when
something has to run that waits for it; a task that comes again must find its own upstream, so that comes too. A task that
had finished and only comes again keeps its output, if whatever it was made from is as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagtop.journal.history import Spawned, TaskHistory

if TYPE_CHECKING:
    from dagtop.journal.resume import Judge

_NEVER = TaskHistory()


@dataclass(slots=True)
class Fate:
    """What becomes of them."""

    outputs: dict[str, Any] = field(default_factory=dict)
    """Outputs that still count, by task."""
    spawners: dict[str, str] = field(default_factory=dict)
    """Tasks of the graph that have to spawn again, and for whose sake."""


def fate_of_spawned(judge: Judge, *, outputs_needed: bool) -> Fate:
    """Decide, given what becomes of the tasks of the graph so far."""
    index_of = judge.plan.index
    spawned = {name: one for name, one in judge.history.spawned.items() if name not in index_of and one.spawner}
    if not spawned:
        return Fate()
    runs = _have_to_run(judge, spawned, outputs_needed)
    comes, fate = _Coming(judge, spawned, runs), Fate()
    comes.follow()
    runs |= comes.spawn_again
    _spread(spawned, runs)
    fate.spawners = comes.spawners
    fate.outputs = {name: judge.outputs[name] for name in comes.seen if name not in runs and _has_output(judge, name)}
    return fate


def _has_output(judge: Judge, name: str) -> bool:
    return judge.history.tasks.get(name, _NEVER).result is not None and name in judge.outputs


def _have_to_run(judge: Judge, spawned: Mapping[str, Spawned], outputs_needed: bool) -> set[str]:
    """Those that have not finished, or whose results no longer count."""
    sound: dict[str, bool] = {}
    runs: set[str] = set()
    for name, one in spawned.items():
        task = judge.history.tasks.get(name, _NEVER)
        sound[name] = _is_sound(judge, one, task, sound)
        finished = task.ending == "skipped" or (
            task.result is not None and (name in judge.outputs or not outputs_needed)
        )
        if not finished or not sound[name]:
            runs.add(name)
    _spread(spawned, runs)
    return runs


def _is_sound(judge: Judge, one: Spawned, task: TaskHistory, sound: Mapping[str, bool]) -> bool:
    """Whether what it was made from is as it was. What spawned it came earlier, so that is decided already."""
    number = task.result.number if task.result is not None else task.ended or judge.history.seen
    own = judge.plan.index.get(one.spawner)
    if own is not None and not judge.runs_as_before(own, number):
        return False
    if own is None and not sound.get(one.spawner, False):
        return False
    for name in one.upstream:
        index = judge.plan.index.get(name)
        if index is None or name == one.spawner:
            continue
        if index in judge.left or judge.history.tasks.get(name, _NEVER).redone > number:
            return False
    return True


def _spread(spawned: Mapping[str, Spawned], runs: set[str]) -> None:
    """What was made from the output of one that runs, other than the one that spawned it, runs too."""
    grows = True
    while grows:
        more = {
            name
            for name, one in spawned.items()
            if name not in runs and any(needed in runs and needed != one.spawner for needed in one.upstream)
        }
        runs |= more
        grows = bool(more)


class _Coming:
    """Follows what has to be there again for what has to run."""

    def __init__(self, judge: Judge, spawned: Mapping[str, Spawned], runs: set[str]) -> None:
        self._judge, self._spawned = judge, spawned
        self._stack: list[tuple[str, str]] = [(name, name) for name in runs if spawned[name].expected]
        """(a task that has to come, the one for whose sake)."""
        self.seen: set[str] = set()
        self._told: set[str] = set()
        self.spawners: dict[str, str] = {}
        self.spawn_again: set[str] = set()
        """Spawned tasks that have to run so that they spawn."""

    def follow(self) -> None:
        judge = self._judge
        for index in judge.left:
            name = judge.plan.names[index]
            self._all_of(name, name)
            self._upstream_of(judge.history.rewired.get(name, ()), name)
        while self._stack:
            name, cause = self._stack.pop()
            if name in self.seen:
                continue
            self.seen.add(name)
            one = self._spawned[name]
            if one.spawner in self._spawned:
                self.spawn_again.add(one.spawner)
                self._stack.append((one.spawner, cause))
            elif one.spawner in judge.plan.index:
                self.spawners.setdefault(one.spawner, f"{cause} has to run")
            self._all_of(one.spawner, cause)
            self._upstream_of(one.upstream, cause)

    def _all_of(self, spawner: str, cause: str) -> None:
        """Whoever runs again spawns all that it spawned before."""
        if spawner not in self._told:
            self._told.add(spawner)
            names = self._judge.history.children.get(spawner, ())
            self._stack += [(name, cause) for name in names if name in self._spawned]

    def _upstream_of(self, names: tuple[str, ...], cause: str) -> None:
        self._stack += [(name, cause) for name in names if name in self._spawned]
