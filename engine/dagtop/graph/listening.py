"""Who wants to hear which events: subscriptions, kept by graphs, executors and runs alike."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast, get_args, overload

from dagtop.core.events import AnyEvent, Event, TaskEscalated

F = TypeVar("F", bound=Callable[..., Any])

#: Which events: a type such as "task.failed", a pattern such as "task.*", or a class of events.
EventType: TypeAlias = str | type[Event]
Unsubscribe: TypeAlias = Callable[[], None]

_BY_TYPE: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent)}


class Interest:
    """Which events somebody wants: of some types, and about some tasks.

    Parameters
    ----------
    types: types, patterns or classes of events; none for all.
    tasks: a task's name, a pattern such as "load_*", or several of them; None for events about anything.

    Raises
    ------
    ValueError: no event is of such a type, or these are no names.
    """

    __slots__ = ("kinds", "tasks")

    def __init__(self, types: Iterable[EventType] = (), tasks: str | Iterable[str] | None = None) -> None:
        self.kinds = _kinds(tuple(types))
        """The classes of the events; None for all."""
        self.tasks = None if tasks is None else _patterns(tasks)

    def among(self, batch: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """The events of the types."""
        kinds = self.kinds
        return batch if kinds is None else [event for event in batch if type(event) in kinds]

    def about(self, event: AnyEvent) -> bool:
        """Whether it is about one of the tasks."""
        return self.tasks is None or self.covers(getattr(event, "task", ""))

    def covers(self, name: str) -> bool:
        """Whether a task of this name is one of the tasks."""
        if self.tasks is None:
            return True
        return bool(name) and any(name == pattern or fnmatchcase(name, pattern) for pattern in self.tasks)


#: What a callback is called with, by what it is given to.
_TAKES = {"on_event": "an event", "on_escalation": "an EscalationReport"}


class Listener:
    """One callback, and what it wants to hear."""

    __slots__ = ("active", "call", "interest", "is_async", "label", "source", "takes_report")

    def __init__(self, call: Callable[[Any], Any], interest: Interest, *, source: str = "on_event") -> None:
        if not callable(call):
            raise ValueError(
                f"{source} must be callable, not {call!r}: give it a function that takes {_TAKES.get(source, 'an event')}"
            )
        self.call = call
        self.interest = interest
        self.source = source
        self.label = ""
        """What it is called where something is told of it, if there may be several."""
        self.takes_report = source == "on_escalation"
        self.is_async = is_async_callback(call)
        self.active = True
        """False from the moment that it was unsubscribed."""


class Listeners:
    """The callbacks of a graph or an executor. May be changed from any thread, and while runs go on."""

    def __init__(self) -> None:
        self.all: list[Listener] = []
        self.joined: Callable[[Listener], None] | None = None
        """Told of each that comes."""

    def add(self, listener: Listener) -> Unsubscribe:
        """Have it called from now on, until what this gives back is called."""
        self.all.append(listener)
        if self.joined is not None:
            self.joined(listener)
        return partial(self._leave, listener)

    def remove(self, callback: Callable[..., Any]) -> None:
        """Call this function no more."""
        for listener in [one for one in self.all if one.call == callback]:
            self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        listener.active = False
        if listener in self.all:
            self.all.remove(listener)


class Listening:
    """What can be listened to: `subscribe`, and the decorators `on_event` and `on_escalation`.

    A plain function is called on a thread of its own, an async one on the engine's loop; neither slows the run, and what they
    raise is an event (`problem`).
    """

    listeners: Listeners

    def subscribe(
        self, callback: Callable[[Any], Any], *types: EventType, tasks: str | Iterable[str] | None = None
    ) -> Unsubscribe:
        """Have `callback` called with events, until the function that this gives back is called.

        Parameters
        ----------
        callback: takes the event; sync or async.
        types: "task.failed", a pattern such as "task.*", or a class of events; none for all of them.
        tasks: only events about these tasks: a name, a pattern such as "load_*", or several of them.

        Raises
        ------
        ValueError: there are no events of such a type, or the callback cannot be called.
        """
        return self._listen(callback, Interest(types, tasks))

    @overload
    def on_event(self, *types: EventType, tasks: str | Iterable[str] | None = None) -> Callable[[F], F]: ...

    @overload
    def on_event(self, callback: F, /) -> F: ...

    def on_event(
        self, *types: EventType | F, tasks: str | Iterable[str] | None = None
    ) -> Callable[..., Any] | Callable[[F], F]:
        """`subscribe` as a decorator, bare or with types and tasks; the function itself is returned unchanged."""
        if len(types) == 1 and tasks is None and _is_callback(types[0]):
            callback = cast(F, types[0])
            self._listen(callback, Interest())
            return callback
        interest = Interest(cast("tuple[EventType, ...]", types), tasks)

        def declare(callback: F) -> F:
            self._listen(callback, interest)
            return callback

        return declare

    @overload
    def on_escalation(self, callback: F, /) -> F: ...

    @overload
    def on_escalation(
        self, callback: None = None, /, *, tasks: str | Iterable[str] | None = None
    ) -> Callable[[F], F]: ...

    def on_escalation(
        self, callback: F | None = None, /, *, tasks: str | Iterable[str] | None = None
    ) -> F | Callable[[F], F]:
        """Have a function called with the `EscalationReport` of each task that fails for good; it is returned unchanged."""
        interest = Interest((TaskEscalated,), tasks)

        def declare(function: F) -> F:
            self._listen(function, interest, source="on_escalation")
            return function

        return declare if callback is None else declare(callback)

    def unsubscribe(self, callback: Callable[..., Any]) -> None:
        """Call this function no more: the way to take a decorator back."""
        self.listeners.remove(callback)

    def _listen(self, callback: Callable[[Any], Any], interest: Interest, *, source: str = "on_event") -> Unsubscribe:
        listener = Listener(callback, interest, source=source)
        listener.label = getattr(callback, "__qualname__", type(callback).__qualname__).rpartition("<locals>.")[2]
        return self.listeners.add(listener)


def is_async_callback(callback: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    while isinstance(callback, partial):
        callback = callback.func
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004


def _is_callback(value: object) -> bool:
    return callable(value) and not (isinstance(value, type) and issubclass(value, Event))


def _kinds(types: tuple[EventType, ...]) -> frozenset[type[Event]] | None:
    if not types:
        return None
    found: set[type[Event]] = set()
    for wanted in types:
        if isinstance(wanted, str):
            fitting = [kind for tag, kind in _BY_TYPE.items() if fnmatchcase(tag, wanted)]
        elif isinstance(wanted, type) and issubclass(wanted, Event):
            fitting = [kind for kind in _BY_TYPE.values() if issubclass(kind, wanted)]
        else:
            raise ValueError(
                'a type of events is a text such as "task.failed" or "task.*", or a class of events, '
                f"not {wanted!r}{_way_out(wanted)}"
            )
        if not fitting:
            near = _nearest_type(str(wanted)[:100])
            raise ValueError(
                f"no event is of type {wanted!r}; " + (f"did you mean {near!r}?" if near else "try 'task.*'")
            )
        found.update(fitting)
    return frozenset(found)


def _way_out(wanted: object) -> str:
    """What to write instead of this, where a type of events is expected."""
    if callable(wanted):
        return (
            ': @graph.on_event("task.failed") stands above the function that it calls, and '
            'graph.subscribe(function, "task.failed") takes it first'
        )
    return ": give several types one after the other" if isinstance(wanted, (list, tuple, set, frozenset)) else ""


def _nearest_type(wanted: str) -> str | None:
    """Of a pattern the nearest among the patterns that have events."""
    known = {tag.partition(".")[0] + ".*" for tag in _BY_TYPE} if wanted.endswith("*") else _BY_TYPE
    return next(iter(difflib.get_close_matches(wanted, known, n=1)), None)


def _patterns(tasks: str | Iterable[str]) -> tuple[str, ...]:
    try:
        found = (tasks,) if isinstance(tasks, str) else tuple(tasks)
    except TypeError:
        found = ()
    if not found or not all(isinstance(one, str) for one in found):
        raise ValueError(f'tasks must be a name, a pattern such as "load_*", or several of them, not {tasks!r}')
    return found
