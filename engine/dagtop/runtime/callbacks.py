"""The user's callbacks: plain ones on a thread of their own each, async ones on the loop, so that a slow one slows nothing."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from dagtop.core.events import AnyEvent, Log, Problem, TaskEscalated
from dagtop.graph.listening import Listener
from dagtop.runtime.failures import said_of
from dagtop.runtime.inbox import Doorbell

#: How long the end of a run waits for callbacks that have not caught up, in seconds.
PATIENCE = 10.0

#: How many events a callback may be behind before it gets no more lines of output.
BACKLOG = 100_000

#: How many of a callback's errors are told; more of them would only bury the first ones.
COMPLAINTS = 100


class Tell(Protocol):
    """Takes a problem: (source, message)."""

    def __call__(self, source: str, message: str) -> None: ...


class Callbacks:
    """A recorder: the callbacks of one run. New ones may come, and old ones leave, at any time and from any thread."""

    def __init__(self, tell: Tell, listen: Callable[[Callbacks], None]) -> None:
        self._tell = tell
        self._listen = listen
        """Told when there is the first callback: until then no event is looked at."""
        self._new: deque[Listener] = deque()
        self._doorbell = Doorbell(self._take_new)
        self._listening = False
        self._lines: list[_Line] = []
        self._group: TaskGroup | None = None

    def add(self, listener: Listener) -> None:
        """Call this one too, from the next batch of events on. From any thread."""
        self._new.append(listener)
        self._doorbell.ring()

    def open(self, group: TaskGroup) -> None:
        """Begin, on the run's loop; async callbacks run in `group`."""
        self._group = group
        self._doorbell.bind()
        self._take_new()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        for line in self._lines.copy():
            if line.listener.active:
                line.offer(batch)
            elif line.is_done:
                self._lines.remove(line)
            else:  # to be waited for at the end of the run: until then its last call may go on
                line.end()

    async def finish(self) -> None:
        """Wait until all have caught up, or for as long as there is patience; who has not is told of."""
        self._group = None
        for line in self._lines:
            line.end()
        with anyio.move_on_after(PATIENCE, shield=True):
            for line in self._lines:
                await line.caught_up()
        for line in self._lines:
            if not line.is_done and line.listener.active:
                line.complain(
                    f"it had not caught up {PATIENCE:g} s after the run; the latest events did not reach it",
                )

    def _take_new(self) -> None:
        if self._group is None:
            return
        while self._new:
            listener = self._new.popleft()
            if not listener.active:
                continue
            if not self._listening:
                self._listening = True
                self._listen(self)
            kind = AsyncCallback if listener.is_async else ThreadCallback
            line = kind(listener, self._tell)
            self._lines.append(line)
            if isinstance(line, AsyncCallback):
                self._group.start_soon(line.work, name=f"dagtop:{listener.source}")


class _Line:
    """One callback, what is on its way to it, and how far it is behind.

    Past `BACKLOG` events it gets no lines of output: only they can be without bound.
    """

    def __init__(self, listener: Listener, tell: Tell) -> None:
        self.listener = listener
        self.is_done = False
        """It has caught up, and is called no more."""
        self.handled = 0
        """Counted up by whoever calls back."""
        self._tell = tell
        self._given = 0
        self._told = False
        self._errors = 0

    def offer(self, batch: Sequence[AnyEvent]) -> None:
        """Take what it wants of a batch."""
        batch = self.listener.interest.among(batch)
        if batch:
            self.put(self.admit(batch))

    def admit(self, batch: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """What of the batch the callback gets."""
        if self._given - self.handled > BACKLOG:
            if not self._told:
                self._told = True
                self.complain(f"it is {BACKLOG:,} events behind; it gets no lines of output until it has caught up")
            batch = [event for event in batch if type(event) is not Log]
        self._given += len(batch)
        return batch

    def complain(self, message: str) -> None:
        """Have a problem told."""
        label = self.listener.label
        self._tell(self.listener.source, f"{label}: {message}" if label else message)

    def argument(self, event: AnyEvent) -> Any:
        """What the callback is called with."""
        return event.report if self.listener.takes_report and isinstance(event, TaskEscalated) else event

    def raised(self, event: AnyEvent, error: BaseException) -> None:
        """The callback raised: it becomes an event (B16)."""
        if isinstance(event, Problem):  # or a callback that fails at problems would never come to an end
            return
        self._errors += 1
        if self._errors <= COMPLAINTS:
            last = "; no more of its errors are told" if self._errors == COMPLAINTS else ""
            self.complain(said_of(error)[:500] + last)

    def put(self, batch: Sequence[AnyEvent]) -> None:
        """Send events on their way."""
        raise NotImplementedError

    def end(self) -> None:
        """Nothing more comes."""
        raise NotImplementedError

    async def caught_up(self) -> None:
        """Wait until it has."""
        raise NotImplementedError


class ThreadCallback(_Line):
    """Calls a plain function, in order, on a thread of its own."""

    def __init__(self, listener: Listener, tell: Tell) -> None:
        super().__init__(listener, tell)
        self._queue: queue.SimpleQueue[Sequence[AnyEvent] | None] = queue.SimpleQueue()
        self._told_to_end = False
        # A callback that hangs must not keep the process: a daemon, and a bare thread outside thread.py.
        self._thread = threading.Thread(target=self._work, name=f"dagtop:{listener.source}", daemon=True)
        self._thread.start()

    def put(self, batch: Sequence[AnyEvent]) -> None:
        self._queue.put(batch)

    def end(self) -> None:
        if not self._told_to_end:
            self._told_to_end = True
            self._queue.put(None)

    async def caught_up(self) -> None:
        while not self.is_done:  # noqa: ASYNC110 - on a virtual clock, waiting for an event would be no wait at all
            await anyio.sleep(0.001)

    def _work(self) -> None:
        listener = self.listener
        while (batch := self._queue.get()) is not None:
            for event in batch:
                if listener.active and listener.interest.about(event):
                    try:
                        listener.call(self.argument(event))
                    except BaseException as error:  # noqa: BLE001 - the user's: it becomes an event (B16)
                        self.raised(event, error)
            self.handled += len(batch)
        self.is_done = True


class AsyncCallback(_Line):
    """Awaits a coroutine function, in order, in a task of its own on the engine's loop."""

    def __init__(self, listener: Listener, tell: Tell) -> None:
        super().__init__(listener, tell)
        self._send, self._receive = anyio.create_memory_object_stream[Sequence[AnyEvent]](float("inf"))
        self._done = anyio.Event()

    def put(self, batch: Sequence[AnyEvent]) -> None:
        self._send.send_nowait(batch)

    def end(self) -> None:
        self._send.close()

    async def caught_up(self) -> None:
        await self._done.wait()

    async def work(self) -> None:
        """Call back until `end`."""
        listener = self.listener
        try:
            with self._receive:
                async for batch in self._receive:
                    for event in batch:
                        if listener.active and listener.interest.about(event):
                            await self._call(event)
                    self.handled += len(batch)
            self.is_done = True
        finally:
            self._done.set()

    async def _call(self, event: AnyEvent) -> None:
        try:
            await self.listener.call(self.argument(event))
        except anyio.get_cancelled_exc_class() as error:
            await anyio.lowlevel.checkpoint_if_cancelled()
            # Nobody has cancelled us: it is the callback's own, of something that it awaited.
            self.raised(event, error)
        except BaseException as error:  # noqa: BLE001 - the user's: it becomes an event (B16)
            self.raised(event, error)
