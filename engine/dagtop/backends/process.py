"""Worker processes of our own: each runs one attempt at a time, can be ended alone, and takes nobody with it when it dies.

Neither `anyio.to_process` nor loky does here. The one knows only SIGKILL, imports the user's `__main__` again in each worker and
pickles by reference; the other fails every pending task when a single worker dies, and cannot end one task. So: interpreters
started afresh (never forked: the engine has threads), a private socket to each, and the thread that waits for an attempt reads
it. A worker is kept for the next attempt; one that died or was ended is replaced when the next attempt needs one.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from dagtop.backends.frames import BEGUN, CALL, ENTRY, FUNCTION, ITEM, REPLY, Frames
from dagtop.errors import WorkerDiedError
from dagtop.ports.backend import STOPPED, BackendStatistics, Entry, Item, Parcel, Reply

#: How long an attempt that is told to stop has for its `finally` blocks before its process is killed, in seconds.
GRACE = 3.0

#: How long a worker may take to start and to import what a task needs, which does not count for its timeout, in seconds.
GET_READY = 120.0

#: How long workers that are sent home have for their `atexit` functions, in seconds.
FAREWELL = 2.0

#: How often a worker is looked at whose end a child of its own may hide, in seconds.
LOOK_AGAIN = 1.0

_BOOT = "import sys; sys.path[:] = sys.argv[3:]; from dagtop.backends.process_far import main; main({}, {})"
_READ_AT_ONCE = 64 * 1024
_IN_A_ROW = 64
_READS = 16  # as much as a pipe holds, and no more: a flood must not keep anybody from looking at the clock


class _WorkerGoneError(Exception):
    """The worker has ended. `begun` says whether that was in the middle of the attempt."""

    def __init__(self, begun: bool, how: str) -> None:
        super().__init__(how)
        self.begun = begun
        self.how = how


class _Worker:
    """One worker process, seen from here. Used by one thread at a time; `interrupt` and `kill` come from any."""

    def __init__(self, entry: Entry, grace: float) -> None:
        self.is_new = True
        self.is_ready = False
        """Whether it has begun the attempt."""
        self.known: set[int] = set()
        """Functions that it has."""
        self._alive = threading.Lock()
        """Held while a signal is sent, so that the process is not reaped in between and its number not somebody else's."""
        self._reaped = False
        self._wake, self._woken = socket.socketpair()
        near, far = socket.socketpair()
        self._frames = Frames(near)
        boot = _BOOT.format(far.fileno(), grace)
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # pyright: ignore - as multiprocessing does
        try:
            self.process = subprocess.Popen(
                [sys.executable, *flags, "-c", boot, "dagtop", "worker", *sys.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=(far.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            near.close()
            self._wake.close()
            self._woken.close()
            raise
        finally:
            far.close()
        assert self.process.stdout is not None, "a pipe was asked for"
        assert self.process.stderr is not None, "a pipe was asked for"
        self._pipes = {self.process.stdout.fileno(): "stdout", self.process.stderr.fileno(): "stderr"}
        for pipe in self._pipes:
            os.set_blocking(pipe, False)
        with suppress(OSError):
            self._frames.send(ENTRY, pickle.dumps((entry, sys.argv)))

    # -- one attempt ------------------------------------------------------------------------------------------------

    def converse(self, parcel: Parcel, hear: Callable[[Item], None], kill_at: Callable[[], float | None]) -> Reply:
        """Have it carry out an attempt.

        Raises
        ------
        _WorkerGoneError: it has ended.
        """
        key = parcel.key.to_bytes(8, "big")
        with suppress(OSError):  # told by the end of the socket, which has its reasons
            if parcel.key not in self.known:
                self._frames.send(FUNCTION, key, parcel.function)
                self.known.add(parcel.key)
            self._frames.send(CALL, key, parcel.call)
        begun, said, late = False, 0, time.monotonic() + GET_READY
        self.is_ready = False
        poll = select.poll()
        for fd in (self._frames.sock.fileno(), self._woken.fileno(), *self._pipes):
            poll.register(fd, select.POLLIN)
        while True:
            ready = self._wait(poll, kill_at())
            speaks = self._frames.sock.fileno() in ready
            said += speaks
            if (
                not speaks or said % _IN_A_ROW == 0
            ):  # what Python said comes first: a crash writes its last words elsewhere
                self._pass_on(hear)
            if self._woken.fileno() in ready:
                self._woken.recv(16)
            due = kill_at()
            if due is not None and time.monotonic() >= due:
                self.kill()
            elif not begun and time.monotonic() >= late:
                self.end()
                raise _WorkerGoneError(begun, f"had not got ready within {GET_READY:g} s")
            message: tuple[bytes, bytearray] | None = None
            if speaks:
                message = self._frames.receive()
            elif ready or not self._has_ended():
                continue
            if message is None:
                self._pass_on(hear)
                raise _WorkerGoneError(begun, self.end())
            kind, body = message
            if kind == BEGUN:
                begun = True
                self.is_ready = True
                hear(("begun",))
            elif kind == ITEM:
                hear(pickle.loads(body))
            elif kind == REPLY:
                self._pass_on(hear)
                word, _, data = bytes(body).partition(b"\n")
                return word.decode(), data

    def _has_ended(self) -> bool:
        """Whether it has, although the socket is open: a child of its own holds it."""
        with self._alive:
            if self.process.poll() is None:
                return False
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self._reaped = True
        return True

    def _wait(self, poll: select.poll, kill_at: float | None) -> set[int]:
        """The file descriptors that have something to read. One that has only ended is left out from then on."""
        wait = LOOK_AGAIN if kill_at is None else min(LOOK_AGAIN, max(0.0, kill_at - time.monotonic()) + 0.001)
        ready = dict(poll.poll(wait * 1000))
        for fd, what in ready.items():
            if fd in self._pipes and not what & select.POLLIN:
                poll.unregister(fd)
        return set(ready)

    def _pass_on(self, hear: Callable[[Item], None]) -> None:
        """What C code or children have written."""
        for fd, stream in self._pipes.items():
            with suppress(BlockingIOError):
                for _ in range(_READS):
                    if not (data := os.read(fd, _READ_AT_ONCE)):
                        break
                    hear(("bytes", stream, data))

    # -- its end ----------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Tell the attempt to end; whoever waits for it looks at the clock again."""
        self._signal(os.kill, signal.SIGTERM)
        with suppress(OSError):
            self._wake.send(b"!")

    def kill(self) -> None:
        """End it and what it has started."""
        self._signal(os.killpg, signal.SIGKILL)

    def _signal(self, send: Callable[[int, int], None], number: signal.Signals) -> None:
        with self._alive, suppress(ProcessLookupError, PermissionError):
            if not self._reaped:
                send(self.process.pid, number)

    def dismiss(self) -> None:
        """Let it end by itself."""
        self._frames.sock.close()

    def end(self, patience: float = 0.0) -> str:
        """See to it that it has ended, and what it has started too unless it was sent home; how it ended, in words."""
        if patience:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        if self.process.returncode is None:
            self.kill()  # before it is reaped: its number is its own as yet
        with self._alive:
            code = self.process.wait()
            self._reaped = True
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        for sock in (self._frames.sock, self._wake, self._woken):
            sock.close()
        return how_it_ended(code)


def how_it_ended(code: int) -> str:
    """An exit code of `subprocess` in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


class ProcessErrand:
    """One attempt in a worker process."""

    def __init__(self, pool: ProcessPool, task: str, pack: Callable[[], Parcel], hear: Callable[[Item], None]) -> None:
        self._pool = pool
        self._task = task
        self._pack = pack
        self._hear = hear
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._told_at: float | None = None
        self._abandoned = False

    @property
    def where(self) -> str:
        worker = self._worker
        if worker is None:
            return "on its way to a worker process"
        return f"in the worker process {worker.process.pid}{'' if worker.is_ready else ', which gets ready for it'}"

    def cancel(self) -> None:
        with self._lock:
            if self._told_at is None:
                self._told_at = time.monotonic()
                if self._worker is not None:
                    self._worker.interrupt()

    def abandon(self) -> None:
        with self._lock:
            self._told_at = self._told_at or time.monotonic()
            self._abandoned = True
            if self._worker is not None:
                self._worker.kill()

    def carry_out(self) -> Reply:
        parcel = self._pack()
        while True:
            worker = self._pool.take()
            with self._lock:
                told = self._told_at is not None
                self._worker = None if told else worker
            if told:
                self._pool.give_back(worker)
                return STOPPED, b""
            try:
                reply = worker.converse(parcel, self._hear, self._kill_at)
            except _WorkerGoneError as gone:
                self._let_go()
                self._pool.lost(died=self._told_at is None)
                if self._told_at is not None:
                    return STOPPED, b""
                if gone.begun or worker.is_new:
                    raise self._died(worker, gone) from None
                continue  # it died while it had nothing to do: another one takes it
            except BaseException:
                self._let_go()
                worker.kill()
                worker.end()
                self._pool.lost(died=False)
                raise
            self._let_go()
            return self._done(worker, reply)

    def _done(self, worker: _Worker, reply: Reply) -> Reply:
        stopped_by_another = reply[0] == STOPPED and self._told_at is None
        if self._told_at is None and not stopped_by_another:
            worker.is_new = False
            self._pool.give_back(worker)
            return reply
        worker.end()
        self._pool.lost(died=stopped_by_another)
        if stopped_by_another:
            raise self._died(worker, _WorkerGoneError(True, "was told to end by SIGTERM"))
        return reply

    def _let_go(self) -> None:
        with self._lock:
            self._worker = None

    def _kill_at(self) -> float | None:
        return None if self._told_at is None else self._told_at + self._pool.grace

    def _died(self, worker: _Worker, gone: _WorkerGoneError) -> WorkerDiedError:
        when = "while it ran" if gone.begun else "before it could run"
        return WorkerDiedError(f"the worker process {worker.process.pid} {gone.how} {when} task {self._task!r}")


class ProcessPool:
    """The worker processes of one run: as many as attempts in progress need, and kept up to one for each processor.

    Parameters
    ----------
    entry: what a worker calls with each attempt; pickled by reference.
    grace: see `GRACE`.
    """

    def __init__(self, entry: Entry, *, grace: float = GRACE) -> None:
        self.grace = grace
        self._entry = entry
        self._most_idle = os.cpu_count() or 1
        self._lock = threading.Condition()
        self._idle: list[_Worker] = []
        self._started = self._busy = self._died = 0
        self._closed = False

    def errand(self, task: str, parcel: Callable[[], Parcel], hear: Callable[[Item], None]) -> ProcessErrand:
        return ProcessErrand(self, task, parcel, hear)

    def statistics(self) -> BackendStatistics:
        with self._lock:
            return BackendStatistics(started=self._started, busy=self._busy, idle=len(self._idle), died=self._died)

    def take(self) -> _Worker:
        """A worker that has nothing to do: the one that worked last, or a new one.

        Raises
        ------
        WorkerDiedError: no process can be started.
        """
        with self._lock:
            self._busy += 1
            if self._idle:
                return self._idle.pop()
            self._started += 1
        try:
            return _Worker(self._entry, self.grace)
        except BaseException as error:
            with self._lock:
                self._busy -= 1
                self._started -= 1
                self._lock.notify_all()
            if not isinstance(error, OSError):
                raise
            raise WorkerDiedError(f"no worker process can be started: {error}") from error

    def give_back(self, worker: _Worker) -> None:
        """The attempt is over."""
        with self._lock:
            kept = len(self._idle) < self._most_idle and not self._closed
            if kept:
                self._idle.append(worker)
                self._busy -= 1
        if not kept:
            worker.dismiss()
            worker.end(FAREWELL)
            self.lost(died=False)

    def lost(self, *, died: bool) -> None:
        """A worker is no more."""
        with self._lock:
            self._busy -= 1
            self._died += died
            self._lock.notify_all()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in idle:
                worker.dismiss()
            self._lock.wait_for(lambda: not self._busy, timeout=self.grace + FAREWELL)  # abandoned ones were killed
        for worker in idle:
            worker.end(FAREWELL)
