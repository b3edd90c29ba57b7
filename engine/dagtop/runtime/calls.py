"""Calling tasks: their arguments, their context, their output."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextvars import Context
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from dagtop.core.ledger import Ledger
from dagtop.core.nearest import nearest
from dagtop.core.plan import Plan
from dagtop.core.policy import BackendName
from dagtop.errors import DagtopError
from dagtop.graph.additions import Task
from dagtop.graph.binding import (
    Call,
    FromContext,
    FromInput,
    FromNode,
    FromResource,
    FromService,
    FromTask,
    Item,
    StateOf,
)
from dagtop.graph.surroundings import Service
from dagtop.ports.journal import JournalWriter
from dagtop.runtime.capture import AttemptSink, current, task_logger
from dagtop.runtime.context import TaskContext
from dagtop.runtime.job import Job
from dagtop.runtime.node_outputs import NodeOutputs
from dagtop.runtime.reports import Reports
from dagtop.runtime.scratch import Scratch

if TYPE_CHECKING:
    from dagtop.graph.mapping import Mapped
    from dagtop.graph.scope import Scope
    from dagtop.runtime.caching import Caching
    from dagtop.runtime.elsewhere import Elsewhere, Trip
    from dagtop.runtime.growth import Growth

_NONE: Mapping[str, Any] = MappingProxyType({})


class Calls:
    """How each task of a job is called. The outputs of those that succeeded are kept here."""

    def __init__(self, job: Job, reports: Reports) -> None:
        self._job = job
        self._plan = job.plan
        self._later: dict[int, Call] = {}
        """How tasks are called that came while the run goes on."""
        self.growth: Growth | None = None
        """Through which further tasks come; set before the run begins."""
        self.ledger: Ledger
        """The state of the run; set before it begins."""
        self._inputs = job.inputs
        self.writer: JournalWriter | None = None
        """Stores outputs, if the run is kept."""
        self.caching: Caching | None = None
        """Keeps outputs for later runs, if some task has a cache."""
        self._reports = reports
        self._capture = job.capture
        checked = job.checked
        n = len(self._plan)
        self.outputs: list[Any] = job.outputs or [None] * n
        self._specs = checked.specs
        self._calls = checked.calls
        self._shared = checked.calls[0] if checked.specs is not None else None
        self.nodes = NodeOutputs(self)
        """What the tasks in each node of a `MetaDAG` returned."""
        self.nodes.grow(self._plan)
        self.is_async: list[bool] = (
            [self._shared.is_async] * n if self._shared is not None else [call.is_async for call in checked.calls]
        )
        """By task: whether its attempt is nothing but a call of a coroutine function."""
        self.contexts: dict[int, TaskContext] = {}
        """By task: the context of its attempt in progress, if it wanted one."""
        self.sinks: dict[int, AttemptSink] = {}
        """By task: what catches the output of its attempt in progress, if output is captured."""
        self.surrounded: Collection[int] = checked.around.surrounded
        """Tasks whose attempts are more than a call of their function."""
        for index in self.surrounded:
            self.is_async[index] = False
        self.find_service: Callable[[str], Any] | None = None
        """For `ctx.service`, if the graph has services."""
        self.trips: dict[int, Trip] = {}
        """By task: an attempt that is about to begin in another process; whoever waits for it takes it from here."""
        self.elsewhere: Elsewhere | None = None
        """The other processes, once a task has wanted one."""
        self.away: Mapping[int, BackendName] = self._plan.backends
        """Tasks that run in another process."""
        self._home = checked.home
        self._dask = job.dask
        self._scratch_dirs = Scratch()
        self._plain: tuple[Callable[..., Any], Sequence[str], Mapping[str, Any]] | None = None
        """(function, names, specs) if all tasks are calls of one function with a spec, and nothing else is wanted."""
        if (
            self._shared is not None
            and checked.specs is not None
            and not self._shared.wants_context
            and not job.capture
        ):
            self._plain = self._shared.fn, self._plan.names, checked.specs

    def coroutine(self, index: int, attempt: int, context: Context) -> Coroutine[Any, Any, Any]:
        """The coroutine of an attempt, not yet stepped; `context` is made ready for it."""
        if self._plain is not None:
            shared, names, specs = self._plain
            name = names[index]
            spec = specs[name]
            return shared(name, self._with_outputs(index, spec) if type(spec) is dict else spec)  # type: ignore[no-any-return]
        fn, args, kwargs = self._prepared(index, attempt, context)
        return fn(*args, **kwargs)  # type: ignore[no-any-return]

    def thunk(self, index: int, attempt: int, context: Context) -> Callable[[], Any]:
        """The call of an attempt, ready to be made in a thread; `context` is made ready for it."""
        fn, args, kwargs = self._prepared(index, attempt, context)
        if self.away and index in self.away and fn is not _say:
            trip = self.trips[index] = self.trip(index, attempt, partial(fn, *args, **kwargs), self.contexts.get(index))
            return trip
        return partial(fn, *args, **kwargs)

    def trip(self, index: int, attempt: int, call: Callable[[], Any], near: TaskContext | None) -> Trip:
        """A call of the task as an attempt in another process, ready to be made in a thread; `near` is its context here."""
        from dagtop.runtime.elsewhere import Ear, Elsewhere  # noqa: PLC0415 - only where one is used

        assert isinstance(call, partial), "made by `beside` or `thunk`"
        if self.elsewhere is None:
            self.elsewhere = Elsewhere(self._home, self._dask)
        names, task = self._plan.names, self._plan.names[index]
        context = near or self._made_context(index, attempt, self.sinks.get(index))
        ear = Ear(partial(self._reports.told, index), context, partial(self._reports.note, task, attempt))
        given = tuple(names[i] for i in self._plan.upstream[index])
        return self.elsewhere.trip(
            self.away[index], task, attempt, call, near, given, partial(self._scratch_path, index), ear
        )

    def returned(self, index: int, attempt: int, output: Any) -> BaseException | None:
        """Keep what an attempt returned, or say what is wrong with it. Comes before the machine hears of it."""
        kind = type(output)
        if kind is Task or ((kind is list or kind is tuple) and Task.are_used and Task in set(map(type, output))):
            assert self.growth is not None, "set before the run begins"
            output, error = self.growth.taken_from(index, output)
            if error is not None:
                return error
        self.outputs[index] = output
        if output is not None and self.writer is not None:
            self.writer.output(self._plan.names[index], attempt, output)
        growth = self.growth
        if self.caching is not None:
            self.caching.store(index, output, has_spawned=growth is not None and growth.has_spawned(index, attempt))
        if growth is not None and (growth.waiting or growth.again):
            growth.apply_soon()
            self._let_go(index)
        elif self.sinks or self.contexts:
            self._let_go(index)
        return None

    def grow(self, plan: Plan, calls: Sequence[Call]) -> None:
        """Tasks have come, behind those that there were."""
        first = len(self._plan)
        self._plan, self.away = plan, plan.backends
        self._plain = None
        for index, call in enumerate(calls, first):
            self._later[index] = call
        self.outputs += [None] * len(calls)
        self.is_async += [call.is_async for call in calls]
        self.surrounded = self._job.checked.around.surrounded
        for index in range(first, len(plan)):
            if index in self.surrounded:
                self.is_async[index] = False

    def call_anew(self, index: int, call: Call) -> None:
        """A task is called otherwise from now on."""
        self._later[index] = call
        self.is_async[index] = call.is_async and index not in self.surrounded

    def swap(self, plan: Plan, calls: Mapping[str, Call], specs: Mapping[str, Any]) -> None:
        """The run goes on with another version of the graph."""
        more = len(plan) - len(self.outputs)
        self._plan, self.away, self._plain = plan, plan.backends, None
        self.outputs += [None] * more
        self.is_async += [False] * more
        self.nodes.grow(plan)
        if self._specs is not None:
            self._specs = {**self._specs, **specs}
        self.surrounded = self._job.checked.around.surrounded
        self._inputs = self._job.inputs
        for name, call in calls.items():
            index = plan.index[name]
            self._later[index] = call
            self.is_async[index] = call.is_async and index not in self.surrounded

    def ended(self, index: int) -> None:
        """An attempt is over that has not succeeded: let go of what it had."""
        if self.growth is not None and (self.growth.waiting or self.growth.again):
            self.growth.apply()  # while the run cannot be over yet
        self._let_go(index)

    def _let_go(self, index: int) -> None:
        self.contexts.pop(index, None)
        self._reports.settle(index)
        sink = self.sinks.pop(index, None)
        if sink is not None:
            sink.close()

    @property
    def maps(self) -> Mapping[int, Mapped]:
        """The tasks that gather what a function returned for each element of a list."""
        return self._job.checked.around.maps

    def forget(self, task: str) -> None:
        """The task starts over: what it returned before is nobody's input any more."""
        index = self._plan.index[task]
        self.outputs[index] = self.nodes.output(index) if index in self._plan.nodes else None

    async def leave(self) -> None:
        """The run is over: end the processes that it started."""
        if self.elsewhere is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self.elsewhere.close)

    def clear_away(self) -> None:
        """The run is over: remove the scratch directories."""
        self._scratch_dirs.clear_away()

    # -- what stands around the attempts ----------------------------------------------------------------------------

    def begin(self, index: int, attempt: int, context: Context, *, wants_context: bool) -> TaskContext | None:
        """Make an attempt ready whose calls come one after the other, with `beside`."""
        sink = self.sink_in(context, self._plan.names[index], attempt)
        if sink is not None:
            self.sinks[index] = sink
        return self._task_context(index, attempt, sink) if wants_context else None

    def sink_in(self, context: Context, task: str = "", attempt: int = 0) -> AttemptSink | None:
        """Have what is printed in `context` captured, if output is; "" for what belongs to no task."""
        if not self._capture:
            return None
        sink = AttemptSink(task, attempt, self._reports.captured)
        context.run(current.set, sink)
        return sink

    def later_context(self, index: int, attempt: int, sink: AttemptSink | None, resource: Any) -> TaskContext:
        """A context for code that runs when the task's attempts are over."""
        made = self._made_context(index, attempt, sink)
        made.resource = resource
        return made

    def call_of(self, index: int) -> Call:
        """How the task's function is called."""
        if self._later and index in self._later:
            return self._later[index]
        return self._shared if self._shared is not None else self._calls[index]

    def beside(
        self,
        index: int,
        call: Call,
        task_context: TaskContext | None = None,
        services: Mapping[str, Any] = _NONE,
        resource: Any = None,
    ) -> Callable[[], Any]:
        """A call for the task, ready to be made: of its own function, or of one that stands beside it."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if call.by_spec:
            args = self._by_spec(index, call)
            if task_context is not None and call.wants_context:
                args.append(task_context)
        else:
            self._fill(call, task_context, args, kwargs, services, resource)
        return partial(call.fn, *args, **kwargs)

    def own(self, index: int, call: Call, *given: Any) -> Callable[[], Any]:
        """The call of the task's own function, as `beside` makes it; if that cannot be made, one that says why."""
        try:
            return self.beside(index, call, *given)
        except BaseException as gone:  # noqa: BLE001 - the element that it was to take is gone, or its list is none
            return partial(_say, gone)

    def is_gone(self, fn: Callable[[], Any]) -> bool:
        """Whether the call only says why there is none: that needs no other process."""
        return isinstance(fn, partial) and fn.func is _say

    def of_graph(self, call: Call, services: Mapping[str, Any] = _NONE, resource: Any = None) -> Callable[[], Any]:
        """A call that belongs to no task, ready to be made."""
        return self.beside(-1, call, None, services, resource)

    def of_service(self, service: Service, services: Mapping[str, Any]) -> Callable[[], Any]:
        """The call that gives a service's context manager, ready to be made."""
        return self.of_graph(Call(service.enter, service.on_loop, service.arguments), services)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _prepared(
        self, index: int, attempt: int, context: Context
    ) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
        sink: AttemptSink | None = None
        if self._capture:
            sink = AttemptSink(self._plan.names[index], attempt, self._reports.captured)
            self.sinks[index] = sink
            context.run(current.set, sink)
        call = self.call_of(index)
        task_context = self._task_context(index, attempt, sink) if call.wants_context else None
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if call.by_spec:
            args = self._by_spec(index, call)
            if task_context is not None:
                args.append(task_context)
        else:
            try:
                self._fill(call, task_context, args, kwargs)
            except BaseException as gone:  # noqa: BLE001 - the element that it was to take is gone, or its list is none
                return _say, [gone], {}
        return call.fn, args, kwargs

    def _fill(
        self,
        call: Call,
        task_context: TaskContext | None,
        args: list[Any],
        kwargs: dict[str, Any],
        services: Mapping[str, Any] = _NONE,
        resource: Any = None,
    ) -> None:
        for parameter, source in call.arguments:
            value: Any
            match source:
                case FromTask(index=upstream):
                    value = self.outputs[upstream]
                case FromInput(name=name):
                    value = self._inputs[name]
                case FromContext():
                    value = task_context
                case FromService(name=name):
                    value = services[name]
                case FromResource():
                    value = resource
                case Item():
                    assert self.growth is not None, "set before the run begins"
                    value = self.growth.lists.item(source)
                case FromNode(path=path):
                    value = self.nodes.value(self._plan.index[path])
                case StateOf(name=name):
                    value = self.ledger.state[self._plan.index[name]]
            if parameter.positional:
                args.append(value)
            else:
                kwargs[parameter.name] = value

    def _by_spec(self, index: int, call: Call) -> list[Any]:
        name = self._plan.names[index]
        if call.scope is not None:
            return self.nodes.by_spec(index, call, call.scope)
        assert self._specs is not None, "a call by spec has specs"
        spec = self._specs[name]
        return [name, self._with_outputs(index, spec) if type(spec) is dict else spec]

    def _with_outputs(self, index: int, spec: dict[Any, Any]) -> dict[Any, Any]:
        names, outputs = self._plan.names, self.outputs
        return {**spec, "_dep_outputs": {names[i]: outputs[i] for i in self._plan.upstream[index]}}

    def _task_context(self, index: int, attempt: int, sink: AttemptSink | None) -> TaskContext:
        made = self.contexts[index] = self._made_context(index, attempt, sink)
        return made

    def _made_context(self, index: int, attempt: int, sink: AttemptSink | None) -> TaskContext:
        names = self._plan.names
        name = names[index]
        scope = self.call_of(index).scope if index >= 0 and self._plan.nodes else None
        return TaskContext(
            task=name,
            attempt=attempt,
            upstream=MappingProxyType(
                {names[i]: self.outputs[i] for i in self._plan.upstream[index]}
                if scope is None
                else self.nodes.upstream(index, scope)
            ),
            report=partial(self._reports.told, index),
            make_log=lambda: task_logger(sink or AttemptSink(name, attempt, self._reports.captured)),
            scratch=partial(self._scratch, index),
            find_service=self.find_service if scope is None else partial(self._find_within, scope),
            spawn=self.growth.spawn if self.growth is not None else None,
        )

    def _find_within(self, scope: Scope, name: str) -> Any:
        if self.find_service is None or name not in scope.services:
            hint = nearest(str(name), scope.services) if scope.services else "; declare it with @graph.service"
            raise DagtopError(f"there is no service {name!r}{hint}")
        return self.find_service(scope.full(name))

    def _scratch(self, index: int, name: str) -> Path:
        path = self._scratch_path(index)
        path.mkdir(exist_ok=True)
        return path

    def _scratch_path(self, index: int) -> Path:
        return self._scratch_dirs.path(index, self._plan.names[index])


def _say(error: BaseException) -> None:
    raise error
