"""Where outputs are kept for later runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a task returned, and what from."""

    task: str
    key: bytes
    """Digest of `parts`."""
    parts: Mapping[str, str]
    """What the result was made of: a digest of each part, by what people call it ("code", "input extract")."""
    run: str
    """The run that made it."""
    codec: str
    value: bytes
    """The output, encoded."""


class Cache(Protocol):
    """The entries of one graph. Used by the engine's thread, and where it says so by a thread that may wait.

    An entry that does not come back exactly as it was put in does not come back at all. All of it raises `JournalError`
    where the place cannot be read.
    """

    def open(self) -> None:
        """Find what is there. May wait for a disk."""
        ...

    def has(self, task: str, key: bytes) -> bool:
        """Whether there is an entry; at once."""
        ...

    def get(self, task: str, key: bytes) -> Entry | None:
        """The entry; None if it is gone. May wait for a disk if it is `far`.

        Raises
        ------
        JournalError: it is damaged.
        """
        ...

    def is_far(self, task: str, key: bytes) -> bool:
        """Whether `get` may wait for a disk."""
        ...

    def latest(self, task: str) -> Mapping[str, str]:
        """The parts of what was put in last for a task; empty if nothing was. At once."""
        ...

    def put(self, entry: Entry) -> None:
        """Keep an entry from now on; at once, it is written later. Never raises."""
        ...

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left. False if that took too long or could not be done."""
        ...
