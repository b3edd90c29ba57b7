"""Tasks that come while the run goes on: those that tasks spawn or return, and those of the elements of a list (`lists`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import structs

from dagtop.core import inputs as inp
from dagtop.core.commands import ScaleTask, SwapGraph
from dagtop.core.events import AnyEvent, CommandRefused, TaskRestarted
from dagtop.core.growing import announce
from dagtop.core.instructions import Instruction
from dagtop.core.machine import RunMachine
from dagtop.core.states import FINAL, TaskState
from dagtop.errors import GraphError
from dagtop.graph.additions import Addition, Additions, Task
from dagtop.graph.binding import Item
from dagtop.graph.check import code_of
from dagtop.graph.mapping import Mapped
from dagtop.runtime.again import Came, is_another
from dagtop.runtime.calls import Calls
from dagtop.runtime.inbox import Doorbell
from dagtop.runtime.job import Job
from dagtop.runtime.lists import CallUser, Lists
from dagtop.runtime.reports import Reports
from dagtop.runtime.swapping import Swap, Version, Versions

#: Copies of the graph are that many times as long apart as one takes: a graph that grows task by task is soon a large one.
PATIENCE = 4.0


class _Coming(NamedTuple):
    """A task that is to come, and who asked for it."""

    spawner: str
    addition: Addition
    is_element: bool = False
    """It is that of an element of the spawner's list."""


class Growth:
    """The tasks of one run that are about to come. `spawn` may be called from any thread; the rest is the loop's.

    Parameters
    ----------
    left: outputs of tasks that came in an earlier process of this run, by name: they need not run again.
    """

    def __init__(
        self,
        job: Job,
        machine: RunMachine,
        calls: Calls,
        reports: Reports,
        doorbell: Doorbell,
        obey: Callable[[list[Instruction]], None],
        now: Callable[[], float],
        left: Mapping[str, Any],
    ) -> None:
        self._job, self._machine, self._calls, self._reports = job, machine, calls, reports
        self._doorbell, self._obey, self._now = doorbell, obey, now
        self._left = dict(left)
        self._lock = threading.RLock()  # what is checked and described is the user's: it may spawn too
        self._additions: Additions | None = None
        self.waiting: list[_Coming] = []
        """What is to come, in the order of the numbers that it was given."""
        self.again: dict[str, tuple[Addition, bool]] = {}
        """By name: tasks that are there and were spawned once more, and whether each is another one now."""
        self._came: dict[str, Came] = {}
        self._spawned: dict[str, int] = {}
        """By spawner: its latest attempt that asked for tasks."""
        self._kinds: dict[int, int] = {}
        """By the id of code: what kind of task it makes, if kinds matter."""
        self.lists = Lists(job, machine, calls)
        self._must_come = False
        """Whether one of those that wait is to hold others back: these might start before the loop has gone round."""
        self._announced = 0
        """So many of those that wait were told of already."""
        self._not_before = 0.0
        """When the graph may be copied again."""

    # -- from any thread --------------------------------------------------------------------------------------------

    def spawn(self, spawner: str, task: Task) -> str:
        """Check a task and have it come into the run soon: its name.

        Raises
        ------
        GraphError: all that is wrong with it.
        """
        with self._lock:
            if self._machine.is_over:
                raise GraphError(f"{task.name!r} cannot come any more: the run is over")
            if self._additions is None:
                self._additions = self._begin()
            number = self._machine.plan.index[spawner]
            scope = self._calls.call_of(number).scope
            if scope is not None:
                task = scope.task(task, self._machine.plan.index)
            attempt = self._machine.ledger.attempt[number]
            self._spawned[spawner] = attempt
            came = self._came.get(task.name) if isinstance(task.name, str) else None
            if came is not None and came.may_come_again(spawner, attempt) and task.name in self._machine.plan.index:
                addition = self._additions.check(task, again=True, scope=scope)
                self.again[task.name] = addition, is_another(came.addition, addition)
            else:
                addition = self._additions.check(task, scope=scope)
                self.waiting.append(_Coming(spawner, addition))
                self._must_come = self._must_come or bool(addition.before)
            self._came[task.name] = Came(spawner, attempt, addition)
        self._doorbell.ring()
        return task.name

    def has_spawned(self, index: int, attempt: int) -> bool:
        """Whether this attempt has spawned or returned tasks."""
        return bool(self._spawned) and self._spawned.get(self._machine.plan.names[index]) == attempt

    def _begin(self) -> Additions:
        plan, checked = self._machine.plan, self._job.checked
        return Additions(
            plan.index,
            self._upstream,
            self._has_started,
            checked.by_function,
            checked.config,
            self._job.policy,
            checked.around.services,
        )

    def _upstream(self, name: str) -> Sequence[str]:
        plan = self._machine.plan
        index = plan.index.get(name)
        return () if index is None else [plan.names[above] for above in plan.upstream[index]]

    def _has_started(self, name: str) -> bool:
        index = self._machine.plan.index.get(name)
        return index is not None and self._machine.ledger.state[index] not in _UNBEGUN

    # -- on the loop ------------------------------------------------------------------------------------------------

    def taken_from(self, index: int, output: Any) -> tuple[Any, BaseException | None]:
        """What a task returned, with the names of tasks in place of the tasks that are to come; or what is wrong with them."""
        tasks = [output] if type(output) is Task else list(output)
        others = sum(type(task) is not Task for task in tasks)
        if others:
            several = f"{len(tasks) - others} Task{'s' if len(tasks) - others > 1 else ''} among {others} other value"
            return None, GraphError(
                f"it returned {several}{'s' if others > 1 else ''}: "
                "return Tasks alone, or add them with ctx.spawn() and return the values"
            )
        spawner = self._machine.plan.names[index]
        names: list[str] = []
        for task in tasks:
            try:
                names.append(self.spawn(spawner, task))
            except BaseException as error:  # noqa: BLE001 - options are the user's objects: what they raise is the task's failure
                return None, error
        return (names[0] if type(output) is Task else names), None

    def apply_soon(self) -> None:
        """A task has succeeded that may have asked for others: they are told of now, and come with those of other tasks.

        For the graph is copied each time. What holds others back comes at once: they might start before.
        """
        machine = self._machine
        with self._lock:
            if self._must_come or self.again or machine.is_over or machine.winding_down:
                must_come = True
            else:
                must_come = False
                self._announce(self.waiting[self._announced :])
                self._announced = len(self.waiting)
        if must_come:
            self.apply()

    def _announce(self, coming: Iterable[_Coming]) -> None:
        at = self._now()
        for spawner, group in groupby(coming, attrgetter("spawner")):
            added = [self._prepared(one.addition) for one in group]
            announce(self._machine, at, added, spawner, f"spawned by {spawner}")

    def look(self, now: float) -> float | None:
        """Have what waits come, unless that would take too large a part of the time; how long until it may, if it has to wait."""
        if not (self.waiting or self.again):
            return None
        if now < self._not_before and not (self._must_come or self.again):
            return self._not_before - now
        self.apply()
        over = self._now()
        self._not_before = over + PATIENCE * (over - now)
        return None

    def apply(self) -> None:
        """Have everything that waits come into the run."""
        if not (self.waiting or self.again):
            return
        with self._lock:
            coming, self.waiting = self.waiting, []
            again, self.again = self.again, {}
            told, self._announced = self._announced, 0
            one_by_one, self._must_come = self._must_come or any(one.is_element for one in coming), False
        together = told if one_by_one else len(coming)
        if together:
            self._add_together(coming[:together], told)
        for (spawner, is_element), group in groupby(coming[together:], lambda one: (one.spawner, one.is_element)):
            own = [one.addition for one in group]
            if is_element:
                rewired = {**self._gathered(spawner), **self._held_back(own)}
                self._add(own, spawner, f"the elements of {spawner}", rewired)
            else:
                self._add(own, spawner, f"spawned by {spawner}", self._held_back(own))
        for addition, differs in again.values():
            self._come_again(addition, differs)

    def _add_together(self, coming: Sequence[_Coming], told: int) -> None:
        """What several tasks may have asked for; the first ones were told of already."""
        if self._machine.is_over:
            for spawner, group in groupby(coming, attrgetter("spawner")):
                self._add([one.addition for one in group], spawner, "", {})
            return
        self._announce(coming[told:])
        self._add([one.addition for one in coming], "", "spawned", {}, announced=True)

    def _come_again(self, addition: Addition, differs: bool) -> None:
        """What is unchanged stays as it is, and is called with what it was spawned with now; another one starts over."""
        machine, name = self._machine, addition.task.name
        if machine.is_over:
            return
        plan = machine.plan
        index = plan.index[name]
        self._job.call_anew(index, addition.call)
        self._calls.call_anew(index, addition.call)
        if not differs:
            return
        spawner, before = self._came[name].spawner, len(machine.outbox)
        late = tuple(above for above in self._upstream(name) if name in self._held_by(above))
        change = inp.GraphChange(
            rewired={name: tuple(dict.fromkeys((*addition.task.upstream, *late)))},
            policies={name: addition.task.policy},
            changed=(name,),
        )
        given = inp.GraphGiven(self._now(), change, f"spawned by {spawner} once more, as another one", spawner)
        instructions = machine.handle(given)
        self._job.grow(machine.plan, (), ())
        self._calls.grow(machine.plan, ())
        again = [event.task for event in machine.outbox[before:] if type(event) is TaskRestarted]
        for task in again:
            self._calls.forget(task)
        self._obey(instructions)
        if again:
            self.start_over(again)

    def _held_by(self, name: str) -> tuple[str, ...]:
        came = self._came.get(name)
        return () if came is None else came.addition.before

    def _gathered(self, name: str) -> dict[str, tuple[str, ...]]:
        """The new upstream of a gathering task; none if it is right already."""
        present = tuple(self._upstream(name))
        wanted = (*self._others(name), *self._elements(name))
        return {} if present == wanted else {name: wanted}

    def _others(self, name: str) -> list[str]:
        """What a gathering task waits for besides its elements."""
        owner = self._machine.plan.index[name]
        return [above for above in self._upstream(name) if not self._is_element(above, owner)]

    def _is_element(self, name: str, owner: int) -> bool:
        call = self._calls.call_of(self._machine.plan.index[name])
        return any(type(source) is Item and source.owner == owner for _, source in call.arguments)

    def _elements(self, name: str) -> list[str]:
        return self.lists.names(self._machine.plan.index[name])

    def _held_back(self, additions: Sequence[Addition]) -> dict[str, tuple[str, ...]]:
        """The new upstream of the tasks that shall wait for those that come."""
        known = self._machine.plan.index.keys()
        with_these = {addition.task.name: addition.task.upstream for addition in additions}
        rewired: dict[str, tuple[str, ...]] = {}
        for addition in additions:
            for name in addition.before:
                if self._has_started(name):
                    message = f"it started before {addition.task.name!r} could come before it"
                    self._reports.problem("spawn", message, name)
                elif name in known or name in with_these:
                    before = rewired.get(name) or with_these.get(name) or tuple(self._upstream(name))
                    rewired[name] = (*before, addition.task.name)
        return rewired

    def _add(
        self,
        additions: Sequence[Addition],
        spawner: str,
        reason: str,
        rewired: Mapping[str, tuple[str, ...]],
        *,
        announced: bool = False,
    ) -> None:
        machine, first = self._machine, len(self._machine.plan)
        if machine.is_over:
            names = ", ".join(one.task.name for one in additions[:3])
            self._reports.problem("spawn", f"the run was over before {names} could come", spawner)
            self._additions = None  # the numbers that were given are free again
            return
        change = inp.GraphChange(added=[self._prepared(one) for one in additions], rewired=rewired)
        # What the instructions need must be there before they are obeyed, and the machine knows the numbers only then.
        given = inp.GraphGiven(self._now(), change, reason, spawner, announced=announced)
        instructions = machine.handle(given)
        assert len(machine.plan) == first + len(additions), "numbers are given in order"
        self._job.grow(machine.plan, [one.call for one in additions], [one.around for one in additions])
        self._calls.grow(machine.plan, [one.call for one in additions])
        self._reports.grow(machine.plan)
        self._obey(instructions)

    def _prepared(self, addition: Addition) -> inp.NewTask:
        """A task that an earlier process has finished is asked about: that output is taken."""
        task, kinds = addition.task, self._machine.plan.kinds
        if kinds is not None:
            if not self._kinds:
                self._kinds = {id(code_of(call.fn)): kinds[i] for i, call in enumerate(self._job.checked.calls)}
            kind = self._kinds.setdefault(id(code_of(addition.call.fn)), len(kinds) + len(self._kinds))
            task = structs.replace(task, kind=kind)
        return structs.replace(task, asks=True) if task.name in self._left else task

    def left_by_earlier(self, index: int) -> bool:
        """Take the output that an earlier process of this run has left of a task, if it has."""
        name = self._machine.plan.names[index]
        if name not in self._left:
            return False
        self._calls.outputs[index] = self._left.pop(name)
        if self._calls.writer is not None:
            self._calls.writer.output(name, 0, self._calls.outputs[index])
        return True

    def swap(
        self, version: Version, versions: Versions, command: SwapGraph | ScaleTask, number: int, by: str
    ) -> list[AnyEvent]:
        """Go on with another version of the graph: the events that this causes."""
        machine, checked = self._machine, version.checked
        policy = checked.config.run_policy()
        while True:
            self.apply()
            with self._lock:  # who spawns meanwhile waits, and gets a number of the new version
                if self.waiting:
                    continue
                swap = versions.difference(machine, version)
                before = len(machine.outbox)
                machine.admission.limits.declare(policy.pools, policy.resources)
                other: ScaleTask | None = None
                if isinstance(command, SwapGraph):
                    reason, number_of = "a new version of the graph", command.version
                else:
                    reason, number_of = f"{command.task}: {command.replicas} replicas", 0
                    other = command
                given = inp.GraphGiven(self._now(), swap.change, reason, "", number, by, number_of, other)
                instructions = machine.handle(given)
                caused = machine.outbox[before:]
                if not any(isinstance(event, CommandRefused) for event in caused):
                    self._take_over(version, versions, swap)
            break
        self._obey(instructions)
        return caused

    def _take_over(self, version: Version, versions: Versions, swap: Swap) -> None:
        plan = self._machine.plan
        versions.settled(version)
        self._job.swap(version.checked, plan, swap.calls, swap.around)
        self._calls.swap(plan, swap.calls, swap.specs)
        self._reports.grow(plan)
        self._additions = None
        for name in version.checked.plan.names:
            self._came.pop(name, None)

    # -- lists ------------------------------------------------------------------------------------------------------

    async def expand(self, index: int, call: CallUser) -> BaseException | None:
        """See to it that each element of a gathering task's list has its task, and that it waits for just these."""
        plan = self._machine.plan
        name, mapped = plan.names[index], self._job.checked.around.maps[index]
        if (wrong := await self.lists.read(index, call)) is not None:
            return wrong
        try:
            with self._lock:
                self.waiting += self._missing(index, mapped)
        except GraphError as error:
            return error
        self.apply()
        rewired = self._gathered(name)
        if rewired:
            self._add([], name, f"the elements of {name}", rewired)
        return None

    def _missing(self, owner: int, mapped: Mapped) -> list[_Coming]:
        """The tasks of the elements that have none yet.

        Raises
        ------
        GraphError: all that is wrong with them; then none has a number.
        """
        name, known = self._machine.plan.names[owner], self._machine.plan.index
        self._additions = additions = self._additions or self._begin()
        missing: list[tuple[str, Item]] = []
        for place, one in enumerate(self._elements(name)):
            if not additions.knows(one):
                missing.append((one, Item(owner, place)))
            elif one not in known or not self._is_element(one, owner):
                raise GraphError(f"element {place} cannot have a task named {one!r}: there is another one of that name")
        if not missing:
            return []
        options = {**mapped.options}
        if mapped.over is not None:
            options["depends_on"] = [mapped.over, *_listed(options.get("depends_on", ()))]
        scope = self._calls.call_of(owner).scope
        task = Task(missing[0][0], mapped.fn, **options)
        if scope is not None:
            task = scope.task(task, known)
        first = additions.check(task, missing[0][1], scope=scope)
        rest = (additions.alike(first, one, item) for one, item in missing[1:])
        return [_Coming(name, one, is_element=True) for one in (first, *rest)]

    def start_over(self, names: Iterable[str]) -> None:
        """These tasks start over. Of them a gathering task whose list is made anew waits for that, not for the old elements."""
        maps, plan, states = self._job.checked.around.maps, self._machine.plan, self._machine.ledger.state
        rewired: dict[str, tuple[str, ...]] = {}
        for name in names:
            index = plan.index[name]
            over = self.lists.task_of(maps[index]) if index in maps else None
            if over is not None and states[index] is TaskState.WAITING and states[over] not in FINAL:
                rewired[name] = tuple(self._others(name))
        if rewired:
            self._add([], "", "lists are made anew", rewired)


_UNBEGUN = frozenset({TaskState.WAITING, TaskState.READY, TaskState.HELD})


def _listed(depends_on: Any) -> list[Any]:
    return [depends_on] if isinstance(depends_on, str) or callable(depends_on) else list(depends_on)
