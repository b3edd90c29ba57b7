"""What stands beside a run and is told what happens: plugins, and what their methods are given.

    class Pager(Plugin):
        def after_run(self, run: RunOutcome) -> None:
            if run.state is not RunState.SUCCEEDED:
                page(f"{run.graph}: {run.counts}")

Plugins are told, not asked: a method is called soon after what it is named for, in order, on a thread of the plugin's own (an
async one on the engine's loop), and the run never waits for it but at its very end. What a method raises is an event
(`problem`), never the end of the run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeAlias

from dagtop.core.events import AnyEvent, Event
from dagtop.core.states import RunState, TaskState
from dagtop.core.values import dataclass

if TYPE_CHECKING:
    from dagtop.core.failure import Failure

#: What a plugin's method may give back: nothing, or something to await.
Answer: TypeAlias = Awaitable[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run that has begun."""

    run: str
    """The run's id."""
    graph: str
    started_at: float
    """Wall clock, seconds since 1970 UTC; so are all `…_at` here. Of a run that was resumed: of its first beginning."""
    begun_at: float
    """When this process took it up, or, if it was over already, when a command gave it something to do again."""
    tasks: int
    max_parallel: int
    resumed: bool = False
    """Whether it goes on with what another process has left, or goes on after it was over."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """The other limits, as `LimitChanged.what` calls them: "pool:NAME", and "window" with `adaptive`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A run that is over."""

    run: str
    graph: str
    state: RunState
    begun_at: float
    ended_at: float
    counts: Mapping[str, int]
    """Final states of tasks by name in lower case."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return max(0.0, self.ended_at - self.begun_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A task whose first attempt begins."""

    run: str
    graph: str
    task: str
    started_at: float
    upstream: tuple[str, ...] = ()
    """The tasks it depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """A task that has come to its end, also one that never began: skipped, cached, cancelled while it waited."""

    run: str
    graph: str
    task: str
    state: TaskState
    attempts: int
    """How many there were; 0 if it never ran."""
    started_at: float | None
    """When its first attempt began; None if it never ran, and `before_task` was not called."""
    ended_at: float
    failure: Failure | None = None
    """Why it did not succeed."""
    reason: str = ""
    """Why it is as it is, where that has a reason: "upstream load failed", "cancelled by hand"."""

    @property
    def duration(self) -> float:
        """Seconds from the beginning of its first attempt to its end, waits between attempts included; 0 if it never ran."""
        return 0.0 if self.started_at is None else max(0.0, self.ended_at - self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptInfo:
    """An attempt that begins."""

    run: str
    graph: str
    task: str
    attempt: int
    """From 1."""
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOutcome:
    """An attempt that is over."""

    run: str
    graph: str
    task: str
    attempt: int
    state: TaskState
    started_at: float
    ended_at: float
    failure: Failure | None = None
    retry_in: float | None = None
    """Seconds until the next attempt; None if there will be none."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return max(0.0, self.ended_at - self.started_at)


class Plugin:
    """Told what happens in a run. Override what you want, `def` or `async def`; what is not overridden costs nothing.

    One plugin may be used for several runs, also at once: then its methods are called from several threads.
    """

    name: str = ""
    """What it is called where something is told of it; the class's name if this is empty."""
    events: tuple[str | type[Event], ...] = ()
    """Which events `on_event` wants: types, patterns such as "breaker.*", or classes; none for all."""

    def before_run(self, run: RunInfo) -> Answer:
        """The run has begun."""

    def after_run(self, run: RunOutcome) -> Answer:
        """The run is over."""

    def before_task(self, task: TaskInfo) -> Answer:
        """The first attempt of a task begins."""

    def after_task(self, task: TaskOutcome) -> Answer:
        """A task has come to its end, whether it ran or not."""

    def before_attempt(self, attempt: AttemptInfo) -> Answer:
        """An attempt begins."""

    def after_attempt(self, attempt: AttemptOutcome) -> Answer:
        """An attempt is over."""

    def on_event(self, event: AnyEvent) -> Answer:
        """One of `events` has happened; called before the methods above that tell of the same."""


#: The methods of a plugin, in the order in which they are called for the same event.
HOOKS = ("on_event", "before_run", "before_task", "before_attempt", "after_attempt", "after_task", "after_run")
