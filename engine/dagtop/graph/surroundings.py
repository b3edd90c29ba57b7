"""What stands around the tasks of a graph: conditions, setups and teardowns, shared services. All of it is checked here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dagtop.core.restart import Probe
from dagtop.core.topology import find_cycle, topological_order
from dagtop.core.values import dataclass
from dagtop.errors import CycleError, DuplicateTaskError, GraphError, OptionError, UnknownDependencyError
from dagtop.graph.binding import Call, FromService, Parameter, Source, bind, is_async, parameters_of
from dagtop.graph.mapping import Mapped, mapped_by

if TYPE_CHECKING:
    from dagtop.graph.flaws import Flaws

#: Options of a task that stand around it.
AROUND = ("when", "setup", "teardown")

#: Options whose function is asked before the first attempt.
_ASKED = ("when", "cache")

#: Backends whose code does not share this process's objects.
_ELSEWHERE = frozenset({"process", "dask"})


@dataclass(frozen=True, slots=True)
class Declared:
    """A function that was handed in, and where that was."""

    fn: Callable[..., Any]
    place: str


@dataclass(slots=True)
class Declarations:
    """What a graph declares besides its tasks."""

    services: list[tuple[Any, Declared]] = field(default_factory=list)
    setup: Declared | None = None
    teardown: Declared | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """How a shared service is opened."""

    name: str
    enter: Callable[..., Any]
    """Gives a context manager, or something to await that does."""
    on_loop: bool
    """Entered and left on the event loop; otherwise in a thread."""
    arguments: tuple[tuple[Parameter, Source], ...] = ()
    place: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """The services that are opened before it."""
        return services_of(self.arguments)


#: The parts of `Surroundings` that are kept by task.
_BY_TASK = ("whens", "caches", "setups", "teardowns", "needs", "readies", "alives", "maps")


@dataclass(slots=True, eq=False)
class Surroundings:
    """By task index what stands around it, and what the tasks share."""

    whens: dict[int, Call | None] = field(default_factory=dict)
    """What is asked before the task runs; None for `when=False`."""
    caches: dict[int, Call | None] = field(default_factory=dict)
    """The tasks that have a cache, each with the function that adds to its key, if it has one."""
    setups: dict[int, Call] = field(default_factory=dict)
    teardowns: dict[int, Call] = field(default_factory=dict)
    needs: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The services that a task or its setup takes as parameters."""
    readies: dict[int, Call] = field(default_factory=dict)
    """The readiness probes."""
    alives: dict[int, Call] = field(default_factory=dict)
    """The liveness probes."""
    maps: dict[int, Mapped] = field(default_factory=dict)
    """The tasks that gather what a function returned for each element of a list."""
    services: dict[str, Service] = field(default_factory=dict)
    setup: Call | None = None
    """The graph's own, before the first task."""
    teardown: Call | None = None
    """The graph's own, after everything."""

    def copy(self) -> Surroundings:
        """One whose dictionaries are its own, for a run in which the graph may grow."""
        own: dict[str, Any] = {name: dict(getattr(self, name)) for name in _BY_TASK}
        return replace(self, **own)

    def add(self, others: Surroundings) -> None:
        """Take what stands around further tasks as well."""
        for name in _BY_TASK:
            getattr(self, name).update(getattr(others, name))

    def of_another(self, index: int) -> Surroundings:
        """What stands around the one task that is in here, for a task that is the same but for its index."""
        found: dict[str, Any] = {name: {index: one} for name in _BY_TASK for one in getattr(self, name).values()}
        return Surroundings(**found) if found else NOTHING_AROUND

    def take_over(self, indices: set[int], others: Surroundings) -> None:
        """What stands around these tasks is what stands around them there."""
        for name in _BY_TASK:
            own: dict[int, Any] = getattr(self, name)
            for index in indices:
                own.pop(index, None)
        self.add(others)

    @property
    def surrounded(self) -> set[int]:
        """Tasks whose attempts are more than a call of their function."""
        return {*self.setups, *self.teardowns, *self.needs}


NOTHING_AROUND = Surroundings()


def services_of(arguments: tuple[tuple[Parameter, Source], ...]) -> tuple[str, ...]:
    """The services among what a call takes."""
    return tuple(source.name for _, source in arguments if isinstance(source, FromService))


class AroundCheck:
    """Checks what stands around the tasks, one after the other.

    Parameters
    ----------
    index: the tasks' numbers by name.
    by_spec: the graph is one of `from_specs`: functions are called with a task's id and spec.
    """

    def __init__(
        self,
        declared: Declarations,
        index: Mapping[str, int],
        inputs: Mapping[str, Any],
        flaws: Flaws,
        *,
        by_spec: bool = False,
    ) -> None:
        self._declared = declared
        self._index = index
        self._inputs = inputs
        self._flaws = flaws
        self._by_spec = by_spec
        self.found = Surroundings()
        if declared.services:
            self._take_services()
        self.services = self.found.services
        if declared.setup is not None:
            self.found.setup = self._of_graph("setup", declared.setup, self.services)
        if declared.teardown is not None:
            self.found.teardown = self._of_graph("teardown", declared.teardown, ())

    def task(
        self, index: int, name: object, call: Call, options: Mapping[str, Any], backend: str, place: str
    ) -> list[int]:
        """Look at one task: the tasks that its condition, setup and teardown take outputs of."""
        found, needed = self.found, []
        needs = services_of(call.arguments)
        for option in AROUND:
            fn = options.get(option)
            if fn is None or (option == "when" and fn is True):
                continue
            who = f"{option} of task {name!r}"
            if option == "when" and fn is False:
                found.whens[index] = None
                continue
            made, more = self._of_task(option, fn, index, who, place_of(fn) or place, options.get("setup") is not None)
            needed += more
            if made is None:
                continue
            if option == "when":
                found.whens[index] = made
            elif option == "setup":
                found.setups[index] = made
                needs += services_of(made.arguments)
            else:
                found.teardowns[index] = made
        if options.get("cache"):
            fn, who = options["cache"], f"cache of task {name!r}"
            made, more = (
                (None, []) if fn is True else self._of_task("cache", fn, index, who, place_of(fn) or place, False)
            )
            found.caches[index] = made
            needed += more
            self._check_cache_alone(name, options, place)
        for option, probes in (("ready", found.readies), ("alive", found.alives)):
            probe = options.get(option)
            fn = probe.check if isinstance(probe, Probe) else probe
            if fn is None or not callable(fn):
                continue  # which the check of the option's value tells of
            made, more = self._of_task(
                option,
                fn,
                index,
                f"{option}= of task {name!r}",
                place_of(fn) or place,
                options.get("setup") is not None,
            )
            needed += more
            if made is not None:
                probes[index] = made
        mapped = mapped_by(call.fn)
        if mapped is not None:
            found.maps[index] = mapped
        if needs:
            found.needs[index] = tuple(dict.fromkeys(needs))
        shared = services_of(call.arguments)
        if shared and backend in _ELSEWHERE:
            self._flaws.add(
                OptionError,
                f"task {name!r} runs with backend={backend!r}, where the service {shared[0]!r} of this process cannot go: "
                f"let it run in a thread, or open what it needs inside the task",
                place,
            )
        return needed

    def _check_cache_alone(self, name: object, options: Mapping[str, Any], place: str) -> None:
        beside = [option for option in ("setup", "teardown") if options.get(option) is not None]
        if beside:
            self._flaws.add(
                OptionError,
                f"task {name!r} has cache= and {beside[0]}=: taken from the cache, it would not be set up for those after it; "
                f"leave one of the two out, or put what is set up into a @graph.service",
                place,
            )

    def _of_task(
        self, option: str, fn: Any, own: int, who: str, place: str, resource: bool
    ) -> tuple[Call | None, list[int]]:
        if not callable(fn):
            kinds = "a function, True or False" if option in _ASKED else "a function"
            self._flaws.add(OptionError, f"{who} must be {kinds}, not {fn!r}", place)
            return None, []
        parameters = self._parameters(fn, who, place)
        if parameters is None:
            return None, []
        if self._by_spec:
            return self._called_by_spec(fn, parameters, who, place, most=2 if option in _ASKED else 3), []
        call, needs, flaws = bind(
            fn,
            parameters,
            self._index,
            own,
            self._inputs,
            place,
            services=() if option == "cache" else self.services,
            resource=resource and option in ("teardown", "ready", "alive"),
            own_output=option == "teardown",
        )
        for flaw in flaws:
            self._flaws.add(UnknownDependencyError, f"{who}: {flaw.message}", place)
        if option in _ASKED and call.wants_context:
            self._flaws.add(OptionError, f"{who} takes no TaskContext: no attempt has begun when it is asked", place)
        return call, needs

    def _called_by_spec(
        self, fn: Callable[..., Any], parameters: tuple[Parameter, ...], who: str, place: str, most: int
    ) -> Call:
        required = [parameter for parameter in parameters if not parameter.has_default]
        if len(required) > most or len(parameters) < 2:
            shapes = "(task_id, spec)" if most == 2 else "(task_id, spec) or (task_id, spec, ctx)"
            self._flaws.add(OptionError, f"{who} is called with {shapes} in a graph of from_specs", place)
        wants = len(required) == 3 or any(parameter.wants_context for parameter in parameters[2:3])
        return Call(fn, is_async(fn), by_spec=True, wants_context=wants)

    def _parameters(self, fn: Callable[..., Any], who: str, place: str) -> tuple[Parameter, ...] | None:
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            way_out = "put what comes after the yield into teardown=" if "setup" in who else "return instead"
            self._flaws.add(GraphError, f"{who} has a yield, and calling it runs nothing of it: {way_out}", place)
            return None
        try:
            return parameters_of(fn)
        except ValueError as error:
            self._flaws.add(GraphError, f"{who}: {error}", place)
            return None

    # -- the graph's own --------------------------------------------------------------------------------------------

    def _of_graph(self, option: str, declared: Declared, services: Any) -> Call | None:
        fn, place = declared.fn, place_of(declared.fn) or declared.place
        who = f"the graph's {option}"
        if not callable(fn):
            self._flaws.add(OptionError, f"{who} must be a function, not {fn!r}", place)
            return None
        parameters = self._parameters(fn, who, place)
        if parameters is None:
            return None
        resource = option == "teardown" and self._declared.setup is not None
        call, _, flaws = bind(fn, parameters, {}, -1, self._inputs, place, services=services, resource=resource)
        self._tell(who, "takes inputs and services" if services else "takes inputs", flaws, place)
        if call.wants_context:
            self._flaws.add(OptionError, f"{who} takes no TaskContext: it belongs to no task", place)
        return call

    def _tell(self, who: str, takes: str, flaws: list[Any], place: str) -> None:
        for flaw in flaws:
            tasks = [name for name in self._index if f"parameter {name!r} " in flaw.message]
            services = [name for name in self.found.services if f"parameter {name!r} " in flaw.message]
            if tasks:
                message = f"parameter {tasks[0]!r} is a task, and {who} {takes} only"
            elif services:
                message = f"parameter {services[0]!r} is a service, and services are closed before {who}"
            else:
                message = flaw.message
            self._flaws.add(UnknownDependencyError, f"{who}: {message}", place)

    # -- services ---------------------------------------------------------------------------------------------------

    def _take_services(self) -> None:
        names: dict[str, Declared] = {}
        for name, declared in self._declared.services:
            place = place_of(declared.fn) or declared.place
            if not isinstance(name, str) or not name.strip():
                self._flaws.add(
                    GraphError, f"the name of a service must be a text that is not empty, not {name!r}", place
                )
            elif name in names:
                self._flaws.add(DuplicateTaskError, f"there are two services named {name!r}", place)
            elif name in self._index or name in self._inputs:
                other = "a task" if name in self._index else "an input"
                self._flaws.add(
                    DuplicateTaskError,
                    f"service {name!r} has the name of {other}: a parameter could mean either",
                    place,
                )
            elif not callable(declared.fn):
                self._flaws.add(GraphError, f"service {name!r} must be a function, not {declared.fn!r}", place)
            else:
                names[name] = Declared(declared.fn, place)
        for name, declared in names.items():
            self._take_service(name, declared, names)
        self._check_cycles(list(names))

    def _take_service(self, name: str, declared: Declared, names: Mapping[str, Declared]) -> None:
        fn, place, who = declared.fn, declared.place, f"service {name!r}"
        try:
            parameters = parameters_of(fn)
        except ValueError as error:
            self._flaws.add(GraphError, f"{who}: {error}", place)
            return
        others = {other: i for i, other in enumerate(names) if other != name}
        call, _, flaws = bind(fn, parameters, {}, -1, self._inputs, place, services=others)
        self._tell(who, "takes inputs and other services", flaws, place)
        if call.wants_context:
            self._flaws.add(OptionError, f"{who} takes no TaskContext: it belongs to no task", place)
        enter, on_loop = _entered(fn)
        self.found.services[name] = Service(name, enter, on_loop, call.arguments, place)

    def _check_cycles(self, names: list[str]) -> None:
        number = {name: i for i, name in enumerate(names)}
        known = self.found.services
        upstream = [[number[n] for n in known[name].needs] if name in known else [] for name in names]
        downstream: list[list[int]] = [[] for _ in names]
        for i, needed in enumerate(upstream):
            for above in needed:
                downstream[above].append(i)
        order = topological_order(upstream, downstream)
        if len(order) < len(names):
            cycle = find_cycle(upstream, set(range(len(names))).difference(order))
            path = " → ".join(names[i] for i in cycle)
            self._flaws.add(CycleError, f"these services need each other: {path}", known[names[cycle[0]]].place)


def _entered(fn: Callable[..., Any]) -> tuple[Callable[..., Any], bool]:
    """(what gives the context manager, whether that is called on the loop)."""
    inner: Any = fn
    while isinstance(inner, partial):
        inner = inner.func
    if inspect.isasyncgenfunction(inner):
        return asynccontextmanager(fn), True
    if inspect.isgeneratorfunction(inner):
        return contextmanager(fn), False
    if isinstance(inner, type):
        return fn, hasattr(inner, "__aenter__") and not hasattr(inner, "__enter__")
    return fn, is_async(fn) or inspect.isasyncgenfunction(inspect.unwrap(inner))


def place_of(fn: object) -> str:
    """Where a function is written, as "file.py:12"; "" where that is not known."""
    while isinstance(fn, partial):
        fn = fn.func
    code = getattr(inspect.unwrap(fn) if callable(fn) else fn, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""
