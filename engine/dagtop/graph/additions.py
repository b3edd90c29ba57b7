"""Tasks that come while a graph runs: checked one by one, as strictly as those that were there from the beginning."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import structs

from dagtop.core.nearest import nearest
from dagtop.core.policy import BackendName, RunPolicy
from dagtop.core.values import dataclass
from dagtop.errors import CycleError, DuplicateTaskError, GraphError, OptionError, UnknownDependencyError
from dagtop.graph.binding import Call, Item
from dagtop.graph.check_task import check_guards, check_task
from dagtop.graph.flaws import Flaws
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.surroundings import AroundCheck, Declarations, Service, Surroundings, place_of

if TYPE_CHECKING:
    from dagtop.core.inputs import NewTask
    from dagtop.graph.scope import Scope


@dataclass(frozen=True, slots=True)
class Task:
    """A task to be added to a graph that runs: return it, or a list of them, from a task.

    Parameters
    ----------
    name: unique in the graph.
    fn: a function, as for `Graph.add`.
    options: those of `Graph.add`, and `before`: tasks (names or functions) that have not started and shall wait for this one.
    """

    are_used: ClassVar[bool] = False
    """Whether there has been any in this process: until then no list that a task returns need be looked through for some."""

    name: str
    fn: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, name: str, fn: Callable[..., Any], **options: Any) -> None:
        Task.are_used = True
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "fn", fn)
        object.__setattr__(self, "options", options)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Task, self.name, self.fn, **self.options), ()


@dataclass(frozen=True, slots=True)
class Addition:
    """A task that passed every check, and is about to come into the graph under a number of its own."""

    task: NewTask
    call: Call
    around: Surroundings
    """What stands around it."""
    before: tuple[str, ...]
    """Tasks that shall wait for it."""


class Additions:
    """The names and numbers of a graph that grows. Not safe to be called from two threads at once.

    Parameters
    ----------
    index: the tasks' numbers by name; never changed here.
    upstream: the names of the tasks that a task depends on, by its name.
    has_started: whether a task has started already, by its name: no other can come before it.
    """

    def __init__(
        self,
        index: Mapping[str, int],
        upstream: Callable[[str], Iterable[str]],
        has_started: Callable[[str], bool],
        by_function: Mapping[int, str],
        config: ExecutorConfig,
        policy: RunPolicy,
        services: Mapping[str, Service],
    ) -> None:
        self._later: dict[str, int] = {}
        self._index: ChainMap[str, int] = ChainMap(self._later, dict(index))  # a copy: the graph's own may be replaced
        self._upstream = upstream
        self._has_started = has_started
        self._name_of = list(index)
        self._later_upstream: dict[str, tuple[str, ...]] = {}
        self._held_back: dict[str, list[str]] = {}
        """By task: those that come before it because they said so."""
        self._by_function = dict(by_function)
        self._config = config
        self._policy = policy
        self._services = dict(services)

    def check(
        self, wanted: Task, item: Item | None = None, *, again: bool = False, scope: Scope | None = None
    ) -> Addition:
        """Check one task and give it its number. With `item` its first parameter takes an element of a list.

        `again`: it is there, and its spawner wants it once more: it has its number. `scope`: what the names mean that it uses.

        Raises
        ------
        GraphError: all that is wrong with it; nothing has been added.
        """
        from dagtop.core.inputs import NewTask  # noqa: PLC0415 - not to begin with

        flaws = Flaws()
        name, own = wanted.name, self._index[wanted.name] if again else len(self._name_of)
        place = place_of(wanted.fn)
        if not isinstance(name, str) or not name.strip():
            flaws.add(GraphError, f"the name of a task must be a text that is not empty, not {name!r}", place)
        elif name in self._index and not again:
            flaws.add(DuplicateTaskError, f"there is a task named {name!r} already", place)
        options = dict(wanted.options)
        before = self._before(options.pop("before", ()), flaws, place)
        index = self._index if scope is None else scope.index(self._index)
        config = self._config if scope is None else scope.config
        by_function = self._by_function if scope is None else {**self._by_function, **scope.by_function}
        around = AroundCheck(Declarations(), index, config.inputs, flaws)
        around.services = self._services if scope is None else dict(scope.services)
        policy, call, needs = check_task(
            own, name, wanted.fn, options, place, config, index, by_function, around, flaws, item=item
        )
        check_guards([policy], [name], {0: place}, self._policy if scope is None else scope.policy, flaws)
        names = self._names(sorted(set(needs)))
        if before:
            self._check_order(name, names, before, flaws, place)
        if again and name in self._all_above(names):
            flaws.add(CycleError, f"{name!r} cannot depend on what depends on it", place)
        flaws.raise_all()
        found = around.found
        if scope is not None:
            policy, call, found = scope.limits(policy), scope.call(call), scope.around(found)
        backend = self._backend(options, call, config)
        if not again:
            self._later[name] = own
            self._name_of.append(name)
            for later in before:
                self._held_back.setdefault(later, []).append(name)
        self._later_upstream[name] = names
        self._by_function.setdefault(id(wanted.fn), name)
        asks = own in found.whens or own in found.caches or own in found.maps
        cleans_up = own in found.setups or own in found.teardowns
        return Addition(NewTask(name, names, policy, asks, cleans_up, backend), call, found, before)

    def knows(self, name: str) -> bool:
        """Whether there is a task of this name, or one is about to come."""
        return name in self._index

    def alike(self, first: Addition, name: str, item: Item) -> Addition:
        """The task of another element of a list: that of the first one was checked, and all but name and element is the same."""
        own = len(self._name_of)
        self._later[name] = own
        self._name_of.append(name)
        self._later_upstream[name] = first.task.upstream
        for later in first.before:
            self._held_back.setdefault(later, []).append(name)
        arguments = (
            (parameter, item if type(source) is Item else source) for parameter, source in first.call.arguments
        )
        call = replace(first.call, arguments=tuple(arguments))
        return Addition(structs.replace(first.task, name=name), call, first.around.of_another(own), first.before)

    def _backend(self, options: Mapping[str, Any], call: Call, config: ExecutorConfig) -> BackendName | None:
        where = BackendName(options.get("backend") or config.backend or BackendName.THREAD)
        return None if call.is_async or where in (BackendName.ASYNC, BackendName.THREAD) else where

    def _before(self, listed: Any, flaws: Flaws, place: str) -> tuple[str, ...]:
        given: Sequence[Any] = ()
        if isinstance(listed, str) or callable(listed):
            given = (listed,)
        elif listed is not None:
            try:
                given = tuple(listed)
            except TypeError:
                flaws.add(OptionError, f"before must be a task or a list of tasks, not {listed!r}", place)
        found: list[str] = []
        for one in given:
            name = self._by_function.get(id(one)) if callable(one) else one
            if isinstance(name, str) and name in self._index:
                found.append(name)
            else:
                hint = nearest(str(one), self._index)
                flaws.add(UnknownDependencyError, f"before names {one!r}, which is no task{hint}", place)
        return tuple(found)

    def _check_order(self, name: str, needs: Sequence[str], before: Sequence[str], flaws: Flaws, place: str) -> None:
        """A task cannot come before what it depends on."""
        seen = self._all_above(needs)
        for later in before:
            if later in seen:
                flaws.add(CycleError, f"{name!r} cannot come before {later!r}, on which it depends", place)
            elif self._has_started(later):
                flaws.add(GraphError, f"{name!r} cannot come before {later!r}, which has started already", place)

    def _all_above(self, names: Iterable[str]) -> set[str]:
        """These, and all that they depend on."""
        seen, stack = set(names), list(names)
        while stack:
            for above in self._above(stack.pop()):
                if above not in seen:
                    seen.add(above)
                    stack.append(above)
        return seen

    def _above(self, name: str) -> Iterable[str]:
        own = self._later_upstream.get(name)
        return (*(own if own is not None else self._upstream(name)), *self._held_back.get(name, ()))

    def _names(self, numbers: Sequence[int]) -> tuple[str, ...]:
        return tuple(self._name_of[number] for number in numbers)
