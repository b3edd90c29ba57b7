"""What becomes of tasks that came while a run went on, when the run is resumed: the graph does not have them yet.

Such a task comes again only if the task that spawned it runs again. That is needed when it has to run itself, or when
something has to run that waits for it; a task that comes again must find its own upstream, so that comes too. A task that
had finished and only comes again keeps its output, if whatever it was made from is as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from dagtop.core.values import dataclass
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
    tasks = judge.history.tasks
    roots: dict[str, int | None] = {}
    """By task: the one of the graph without which it would not have come; None if the graph does not have it any more."""
    made_anew: dict[str, int] = {}
    """By task: number of the event by which something that it was made from was last taken away."""
    runs: set[str] = set()
    for name, one in spawned.items():  # whoever spawned it stands before it
        task = tasks.get(name, _NEVER)
        number = task.result.number if task.result is not None else task.ended or judge.history.seen
        roots[name] = root = roots.get(one.spawner, judge.plan.index.get(one.spawner))
        above = [needed for needed in one.upstream if needed != one.spawner]
        made_anew[name] = max(
            made_anew.get(one.spawner, 0),
            *(max(tasks.get(needed, _NEVER).redone, made_anew.get(needed, 0)) for needed in above),
            0,
        )
        sound = (
            root is not None
            and judge.runs_as_before(root, number)
            and made_anew[name] <= number
            and not any(judge.plan.index.get(needed) in judge.left for needed in above)
        )
        stored = name in judge.outputs or not outputs_needed
        if not sound or not (task.ending == "skipped" or (task.result is not None and stored)):
            runs.add(name)
    _spread(spawned, runs)
    return runs


def _spread(spawned: Mapping[str, Spawned], runs: set[str]) -> None:
    """What was made from the output of one that runs, other than the one that spawned it, runs too."""
    below: dict[str, list[str]] = {}
    for name, one in spawned.items():
        for needed in one.upstream:
            if needed != one.spawner and needed in spawned:
                below.setdefault(needed, []).append(name)
    stack = list(runs)
    while stack:
        more = [name for name in below.get(stack.pop(), ()) if name not in runs]
        runs.update(more)
        stack += more


class _Coming:
    """Follows what has to be there again for what has to run."""

    def __init__(self, judge: Judge, spawned: Mapping[str, Spawned], runs: set[str]) -> None:
        self._judge, self._spawned, self._runs = judge, spawned, runs
        self._stack: list[tuple[str, str]] = [
            (name, name) for name in reversed(list(spawned)) if name in runs and spawned[name].expected
        ]
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
            if name in self._runs:
                self._all_of(name, cause)
            self._upstream_of((*one.upstream, *judge.history.rewired.get(name, ())), cause)

    def _all_of(self, spawner: str, cause: str) -> None:
        """Whoever runs again spawns all that it spawned before."""
        if spawner not in self._told:
            self._told.add(spawner)
            names = self._judge.history.children.get(spawner, ())
            self._stack += [(name, cause) for name in names if name in self._spawned]

    def _upstream_of(self, names: tuple[str, ...], cause: str) -> None:
        known = self._spawned
        self._stack += [(name, cause) for name in names if name in known and known[name].expected]
