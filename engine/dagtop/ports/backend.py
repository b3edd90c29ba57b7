"""What the engine needs of a place outside of its own process where plain functions run.

The near side is the engine's process, the far side where the function runs. A `Parcel` goes there, `Item`s come back
while it runs, and a `Reply` at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from dagtop.core.values import dataclass

Item: TypeAlias = tuple[Any, ...]
"""What an attempt says while it runs: its first element says what it is, the others are plain values."""

Reply: TypeAlias = tuple[str, bytes]
"""How an attempt ended, in a word, and what belongs to that."""

#: The word of a reply of an attempt that let itself be stopped.
STOPPED = "stopped"


class Stopped(SystemExit):
    """Raised in a task's code on the far side where it is told to end, so that its `finally` blocks run."""


class Channel(Protocol):
    """The way from the far side to the near side, from any thread. Never raises."""

    def send(self, item: Item) -> None:
        """Say something."""
        ...

    def on_stop(self, told: Callable[[], None]) -> None:
        """Have `told` called when the attempt is told to stop; at once if it was already."""
        ...


Entry: TypeAlias = Callable[[Any, bytes, Channel], Reply]
"""Carries a call out on the far side: (the function, or the exception that kept it from being read; the call; the channel)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One attempt, packed."""

    key: int
    """Of the function: parcels with one key have one function."""
    function: bytes
    call: bytes


class Away(Protocol):
    """One attempt that is not here. All of it may be asked from any thread, and never waits."""

    @property
    def where(self) -> str:
        """Where it is now, in words that follow "is": "in the worker process 12"."""
        ...

    def cancel(self) -> None:
        """Tell it to stop."""
        ...

    def abandon(self) -> None:
        """Nobody waits any more: end it now."""
        ...


class Errand(Away, Protocol):
    """One attempt on its way: made on the engine's loop, carried out in a thread."""

    def carry_out(self) -> Reply:
        """Wait until it is over, or has stopped because it was told to.

        Raises
        ------
        TaskError: it could not be sent, or its worker died.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatistics:
    """What a backend has done so far."""

    started: int = 0
    """Workers that were started."""
    busy: int = 0
    """Attempts in progress."""
    idle: int = 0
    """Workers that wait for one."""
    died: int = 0
    """Workers that died in the middle of an attempt without being told to."""


class Backend(Protocol):
    """A place where plain functions run. Belongs to one run; starts nothing before the first errand is carried out."""

    def errand(self, task: str, parcel: Callable[[], Parcel], hear: Callable[[Item], None]) -> Errand:
        """Prepare an attempt. `parcel` is called in the thread that carries it out, and so is `hear`."""
        ...

    def close(self) -> None:
        """End everything that was started, and wait for it; in a thread. Called once, when no attempt is in progress."""
        ...

    def statistics(self) -> BackendStatistics:
        """What it has done so far, from any thread."""
        ...
