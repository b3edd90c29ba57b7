"""Where a running task is now: its present stack, from any thread, without disturbing it.

What is read here belongs to other threads and changes meanwhile. The worst that comes of it is a stack that is a moment old, or a
sentence that says why there is none.
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from dagtop.backends.event_loop import Attempt
from dagtop.backends.thread import ThreadBackend
from dagtop.core.nearest import nearest
from dagtop.core.states import ACTIVE, FINAL, TaskState
from dagtop.runtime.capture import current
from dagtop.runtime.culprit import culprit_of
from dagtop.runtime.stacks import (
    Place,
    frames_of,
    is_ours,
    place,
    text_of_stack,
    waiting_frames,
    without_ours,
    without_plumbing,
)

if TYPE_CHECKING:
    import asyncio

    from dagtop.runtime.engine import Engine

#: How many of the tasks that an attempt has started are shown, and how many levels of them that wait for each other.
CHILDREN, LEVELS = 5, 50

#: Of these one says what they have done, of other ends what was done to them.
_HAVE = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.TIMED_OUT})

_THREAD_CODE = ThreadBackend.run.__code__.co_filename


def where_is(engine: Engine, task: str) -> str:
    """Where a task is now, as the lines of a traceback, innermost last; a sentence if that cannot be told. Never raises."""
    try:
        return _where_is(engine, task)
    except Exception as error:  # noqa: BLE001 - the stacks of others change while they are read (STYLE 12: text for people)
        return f"where {task!r} is cannot be told at this moment: {type(error).__name__}"


def thread_places(frames: Mapping[int, FrameType], attempt: Attempt) -> tuple[Place, ...]:
    """Where an attempt in a thread is, outermost first; empty if its thread does something else by now."""
    if attempt.thread is None:
        return ()
    inner: list[FrameType] = []
    for frame in frames_of(frames.get(attempt.thread.ident)):
        if frame.f_code.co_filename == _THREAD_CODE:
            return tuple(without_ours([place(one) for one in reversed(inner)]))
        inner.append(frame)
    return ()


def _where_is(engine: Engine, task: str) -> str:
    plan, ledger = engine.job.plan, engine.machine.ledger
    index = plan.index.get(task)
    if index is None:
        return f"there is no task {task!r}{nearest(str(task), plan.index)}"
    attempt = engine.workers.running.get(index)
    number = ledger.attempt[index] if attempt is None else attempt.number
    if attempt is None:
        state = ledger.state[index]
        if state not in ACTIVE:
            verb = "has" if state in _HAVE else "was" if state in FINAL else "is"
            return f"{task} does not run: it {verb} {state.value.replace('_', ' ')}"
        places = _on_the_loop(engine, task, number)
        return _told(places) or f"{task} is about to start"
    if attempt.errand is not None:
        return f"{task} is {attempt.errand.where}, which is not looked into"
    if attempt.in_thread:
        return (
            _told(thread_places(_all_frames(), attempt)) or f"{task} is in a thread, not in its own code at this moment"
        )
    if attempt.coroutine is not None and not getattr(attempt.coroutine, "cr_running", False):
        return _suspended(engine, attempt, attempt.coroutine)
    return _told(_on_the_loop(engine, task, number)) or f"{task} is just being resumed"


def _told(places: tuple[Place, ...]) -> str:
    return text_of_stack(places) if places else ""


def _all_frames() -> dict[int, FrameType]:
    return sys._current_frames()


def _on_the_loop(engine: Engine, task: str, number: int) -> tuple[Place, ...]:
    """Where an attempt is whose code the loop's thread is in right now; empty if it is in another one's."""
    frames = frames_of(_all_frames().get(engine.thread))
    found = culprit_of(frames, engine)
    return found.places if (found.task, found.attempt) == (task, number) else ()


def _suspended(engine: Engine, attempt: Attempt, coroutine: Coroutine[Any, Any, Any]) -> str:
    """The stack of an attempt that waits, and those of what it has started."""
    seen: set[int] = {id(coroutine)}
    own = _chain(coroutine, _waits_for(attempt), seen)
    parts = [_told(tuple(without_plumbing(without_ours(own) or own)))]
    children = [(name, _chain(child, waiter, seen)) for name, child, waiter in _children(engine, attempt, seen)]
    for name, places in children[:CHILDREN]:
        parts.append(f"  with {name}:\n{_told(tuple(without_plumbing(places)))}")
    if len(children) > CHILDREN:
        parts.append(f"  … and {len(children) - CHILDREN} more of its own tasks\n")
    return "".join(parts)


def _chain(coroutine: Any, waits_for: Any, seen: set[int]) -> list[Place]:
    """The frames of a coroutine, and those of the asyncio tasks that it waits for, one after the other; outermost first."""
    places = [place(frame) for frame in waiting_frames(coroutine)]
    for _ in range(LEVELS):
        if not _is_task(waits_for) or id(waits_for.get_coro()) in seen:
            break
        seen.add(id(waits_for.get_coro()))
        places += [place(frame) for frame in waiting_frames(waits_for.get_coro())]
        waits_for = getattr(waits_for, "_fut_waiter", None)
    return places


def _waits_for(attempt: Attempt) -> Any:
    """What the worker of an attempt has handed to asyncio to wait for."""
    worker = getattr(attempt.handle, "_task", None)
    return getattr(worker, "_fut_waiter", None)


def _children(engine: Engine, attempt: Attempt, seen: set[int]) -> Iterator[tuple[str, Any, Any]]:
    """(name, coroutine, what it waits for) of what an attempt has started on its own and that still runs."""
    sink = engine.calls.sinks.get(attempt.index)
    if engine.workers.on_asyncio:
        import asyncio  # noqa: PLC0415 - slow to load, and loaded already if it runs

        gathered = list(getattr(_waits_for(attempt), "_children", ()))
        of_context = [task for task in asyncio.all_tasks(engine.loop) if sink is not None and _context_is(task, sink)]
        for task in sorted({*gathered, *of_context}, key=_name_of):
            coroutine = task.get_coro() if _is_task(task) else None
            if coroutine is not None and id(coroutine) not in seen and not _is_worker(coroutine):
                yield _name_of(task), coroutine, getattr(task, "_fut_waiter", None)
        return
    for task in _trio_tasks(engine.loop):
        if sink is not None and task.context.get(current) is sink and id(task.coro) not in seen:
            yield str(task.name), task.coro, None


def _context_is(task: asyncio.Task[Any], sink: object) -> bool:
    get = getattr(task, "get_context", None)  # Python 3.12
    return get is not None and get().get(current) is sink


def _name_of(task: Any) -> str:
    return str(task.get_name()) if _is_task(task) else ""


def _is_task(value: Any) -> bool:
    return hasattr(value, "get_coro") and hasattr(value, "get_name")


def _is_worker(coroutine: Any) -> bool:
    frame = getattr(coroutine, "cr_frame", None)
    return frame is not None and is_ours(frame.f_code)


def _trio_tasks(root: Any) -> Iterator[Any]:
    """All tasks of a trio run, from its root."""
    waiting = [root]
    while waiting:
        task = waiting.pop()
        yield task
        for nursery in tuple(task.child_nurseries):
            waiting.extend(tuple(nursery.child_tasks))
