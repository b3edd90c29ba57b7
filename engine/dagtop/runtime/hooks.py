"""From events to the methods of plugins: what each event means for runs, tasks and attempts, and calling who wants to know."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextvars import Context, copy_context
from typing import Any, Protocol

import anyio
import anyio.to_thread

from dagtop.core import events as ev
from dagtop.core.failure import Failure
from dagtop.core.figures import count_of_tasks
from dagtop.core.plan import Plan
from dagtop.core.policy import RunPolicy
from dagtop.core.states import TaskState
from dagtop.graph.listening import Interest, Listener, is_async_callback
from dagtop.ports.plugin import (
    HOOKS,
    AttemptInfo,
    AttemptOutcome,
    Plugin,
    RunInfo,
    RunOutcome,
    TaskInfo,
    TaskOutcome,
)
from dagtop.runtime.failures import said_of

#: How many errors of one plugin are told; more would only bury the first ones.
COMPLAINTS = 20

_RUN: tuple[type[ev.Event], ...] = (ev.RunStarted, ev.RunResumed, ev.RunReopened, ev.RunFinished)
_TASK: tuple[type[ev.Event], ...] = (
    ev.TaskStarted,
    ev.TaskSucceeded,
    ev.TaskRetrying,
    ev.TaskFailed,
    ev.TaskTimedOut,
    ev.TaskCancelled,
    ev.TaskSkipped,
    ev.TaskCached,
    ev.TaskRestarted,
    ev.GraphChanged,
)
_ENDINGS: dict[type[ev.Event], TaskState] = {
    ev.TaskSucceeded: TaskState.SUCCEEDED,
    ev.TaskFailed: TaskState.FAILED,
    ev.TaskTimedOut: TaskState.TIMED_OUT,
    ev.TaskCancelled: TaskState.CANCELLED,
    ev.TaskSkipped: TaskState.SKIPPED,
    ev.TaskCached: TaskState.CACHED,
}


class Tell(Protocol):
    """Takes a problem."""

    def __call__(self, source: str, message: str, task: str = "") -> None: ...


class Follow:
    """What the events of one run mean: (method, argument) for each, in order.

    Parameters
    ----------
    run, started_at: the run's id, and the wall clock of its beginning, which a resumed run does not tell again.
    """

    def __init__(self, plan: Plan, run: str, started_at: float, policy: RunPolicy) -> None:
        self._plan = plan
        self._ids: dict[str, str] = {"run": run, "graph": plan.name}
        self._epoch = started_at
        self._begun_at = started_at
        self._max_parallel = policy.max_parallel
        self._limits = {f"pool:{name}": pool.limit for name, pool in policy.pools.items()}
        self._is_adaptive = policy.adaptive
        self._tasks: dict[str, float] = {}
        """By task that has begun: when."""
        self._attempts: dict[str, tuple[int, float]] = {}
        """By task with an attempt in progress: its number, and when it began."""
        self._numbers: dict[str, int] = {}
        """By task that has begun: how many attempts it has had since."""
        self._later: dict[str, tuple[str, ...]] = {}
        """By task that came while the run went on, or was rewired: what it depends on."""

    def told(self, event: ev.AnyEvent) -> Iterator[tuple[str, Any]]:
        """The methods that are called for an event, and with what."""
        at = self._epoch + event.at
        match event:
            case ev.RunStarted():
                self._epoch, self._max_parallel = event.started_at, event.max_parallel
                yield "before_run", self._begins(event.started_at, resumed=False)
            case ev.RunResumed() | ev.RunReopened():
                yield "before_run", self._begins(at, resumed=True)
            case ev.RunFinished():
                yield "after_run", self._over(event, at)
            case ev.LimitChanged(what="max_parallel"):
                self._max_parallel = event.limit
            case ev.LimitChanged():
                self._limits[event.what] = event.limit
            case ev.TaskStarted():
                yield from self._started(event, at)
            case ev.TaskRetrying():
                state = TaskState.TIMED_OUT if event.timed_out else TaskState.FAILED
                yield from self._attempt_over(event.task, at, state, event.failure, event.delay)
            case ev.GraphChanged():
                self._later |= {task.name: task.upstream for task in event.added} | event.rewired
            case ev.TaskRestarted():
                yield from self._attempt_over(event.task, at, TaskState.CANCELLED)
                if event.task in self._tasks:
                    yield from self._task_over(event.task, at, TaskState.CANCELLED, reason=event.reason)
            case _ if (ending := _ENDINGS.get(type(event))) is not None and isinstance(event, ev.TaskEvent):
                yield from self._ended(event, at, ending)
            case _:
                return

    def _begins(self, at: float, *, resumed: bool) -> RunInfo:
        self._begun_at = at
        return RunInfo(
            **self._ids,
            started_at=self._epoch,
            begun_at=at,
            tasks=count_of_tasks(self._plan),
            max_parallel=self._max_parallel,
            resumed=resumed,
            limits={**({"window": self._max_parallel} if self._is_adaptive else {}), **self._limits},
        )

    def _over(self, event: ev.RunFinished, at: float) -> RunOutcome:
        return RunOutcome(
            **self._ids, state=event.state, begun_at=self._begun_at, ended_at=at, counts=dict(event.counts)
        )

    def _started(self, event: ev.TaskStarted, at: float) -> Iterator[tuple[str, Any]]:
        task = event.task
        if task not in self._tasks:
            self._tasks[task] = at
            self._numbers[task] = 0
            yield "before_task", TaskInfo(**self._ids, task=task, started_at=at, upstream=self._upstream(task))
        self._attempts[task] = event.attempt, at
        self._numbers[task] += 1
        yield "before_attempt", AttemptInfo(**self._ids, task=task, attempt=event.attempt, started_at=at)

    def _upstream(self, task: str) -> tuple[str, ...]:
        if (later := self._later.get(task)) is not None:
            return later
        index, names = self._plan.index.get(task), self._plan.names
        return () if index is None else tuple(names[i] for i in self._plan.upstream[index])

    def _ended(self, event: ev.TaskEvent, at: float, ending: TaskState) -> Iterator[tuple[str, Any]]:
        failure = getattr(event, "failure", None)
        reason = getattr(event, "reason", "") or getattr(event, "note", "")
        yield from self._attempt_over(event.task, at, ending, failure)
        yield from self._task_over(event.task, at, ending, failure, reason)

    def _attempt_over(
        self, task: str, at: float, state: TaskState, failure: Failure | None = None, retry_in: float | None = None
    ) -> Iterator[tuple[str, Any]]:
        running = self._attempts.pop(task, None)
        if running is not None:
            number, started_at = running
            outcome = AttemptOutcome(
                **self._ids,
                task=task,
                attempt=number,
                state=state,
                started_at=started_at,
                ended_at=at,
                failure=failure,
                retry_in=retry_in,
            )
            yield "after_attempt", outcome

    def _task_over(
        self, task: str, at: float, state: TaskState, failure: Failure | None = None, reason: str = ""
    ) -> Iterator[tuple[str, Any]]:
        outcome = TaskOutcome(
            **self._ids,
            task=task,
            state=state,
            attempts=self._numbers.pop(task, 0),
            started_at=self._tasks.pop(task, None),
            ended_at=at,
            failure=failure,
            reason=reason,
        )
        yield "after_task", outcome


class Hooked:
    """One plugin in one run. It is called with each event, and calls the plugin's methods; what they raise it tells."""

    def __init__(self, plugin: Plugin, follow: Follow, tell: Tell, context: Context) -> None:
        self.name = plugin.name or type(plugin).__name__
        self.methods = {name: method for name in HOOKS if (method := overridden(plugin, name)) is not None}
        self.is_async = any(is_async_callback(method) for method in self.methods.values())
        self._events = Interest(plugin.events).kinds
        self._follow = follow
        self._tell = tell
        self._context = context
        self._errors = 0

    @property
    def interest(self) -> Interest:
        """The events that must be seen for these methods."""
        events = self._events if "on_event" in self.methods else frozenset[type[ev.Event]]()
        if events is None:
            return Interest()
        tasks = _TASK if self.methods.keys() - {"before_run", "after_run", "on_event"} else ()
        return Interest((*_RUN, *tasks, *events))

    def call(self, event: ev.AnyEvent) -> None:
        """Call the methods, all of them plain functions."""
        for name, method, argument in self._calls(event):
            try:
                self._context.run(method, argument)
            except BaseException as error:  # noqa: BLE001 - the user's: it becomes an event (B16)
                self._raised(event, name, error)

    async def call_async(self, event: ev.AnyEvent) -> None:
        """Call the methods, some of them async; the plain ones in a thread, so that they do not keep the loop."""
        for name, method, argument in self._calls(event):
            try:
                if is_async_callback(method):
                    await method(argument)
                else:
                    await anyio.to_thread.run_sync(lambda: self._context.run(method, argument))  # noqa: B023 - it is awaited here and now
            except anyio.get_cancelled_exc_class():
                raise  # by the run's end, or of what it awaited: the caller knows which
            except BaseException as error:  # noqa: BLE001 - as above
                self._raised(event, name, error)

    def _calls(self, event: ev.AnyEvent) -> Iterator[tuple[str, Callable[[Any], Any], Any]]:
        method = self.methods.get("on_event")
        if method is not None and (self._events is None or type(event) in self._events):
            yield "on_event", method, event
        for name, argument in self._follow.told(event):
            if (method := self.methods.get(name)) is not None:
                yield name, method, argument

    def _raised(self, event: ev.AnyEvent, name: str, error: BaseException) -> None:
        if isinstance(event, ev.Problem):  # or one that fails at problems would never come to an end
            return
        self._errors += 1
        if self._errors <= COMPLAINTS:
            last = "; no more of its errors are told" if self._errors == COMPLAINTS else ""
            message = f"{name}: {said_of(error)}"[:500] + last
            self._tell(f"plugin {self.name}", message, getattr(event, "task", ""))


def overridden(plugin: Plugin, name: str) -> Callable[[Any], Any] | None:
    """The method of a plugin, if it is its own."""
    method: Any = getattr(plugin, name, None)
    own = getattr(method, "__func__", method) is not getattr(Plugin, name)
    return method if callable(method) and own else None


def listeners_for(
    plugins: Sequence[Plugin], make_follow: Callable[[], Follow], tell: Tell, context: Context
) -> Iterator[Listener]:
    """The callbacks through which plugins hear of a run: each has a thread of its own or, if a method is async, a loop task."""
    for plugin in plugins:
        try:
            hooked = Hooked(plugin, make_follow(), tell, context.copy())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - its `events` are none; or code of others that raises when it is looked at
            said = str(error) if type(error) is ValueError else said_of(error)
            tell("plugins", f"plugin {_name_of(plugin)!r} is left out: {said}"[:500])
            continue
        if hooked.methods:
            call: Callable[[Any], Awaitable[None] | None] = hooked.call_async if hooked.is_async else hooked.call
            yield Listener(call, hooked.interest, source=f"plugin {hooked.name}")


def _name_of(plugin: Plugin) -> str:
    try:
        return str(plugin.name) or type(plugin).__name__
    except BaseException:  # noqa: BLE001 - a property of theirs
        return type(plugin).__name__


class Caller:
    """The code that makes an executor. Plugins are called in its context: what is set there (a trace that goes on) they see."""

    def __init__(self) -> None:
        self._made_in = threading.get_ident(), copy_context()

    def context(self) -> Context:
        """Called where the run begins: the context there, but if that is a thread of the run's own, the one of the beginning."""
        ident, context = self._made_in
        return copy_context() if threading.get_ident() == ident else context
