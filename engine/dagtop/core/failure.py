"""What is kept of an exception: plain text, so that it outlives the process and is safe to show."""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Why an attempt did not succeed.

    Built by the runtime; the texts are as the user's code gave them (hostile until sanitised for a screen) but bounded.
    """

    error: str
    """Name of the exception type, e.g. "ValueError" or "TaskTimeoutError"."""
    message: str
    """The exception's own message, at most 2,000 characters."""
    traceback: str = ""
    """The formatted traceback without dagtop's own frames, chains and groups included, bounded."""
    where: str = ""
    """"file.py:12 in function" of the innermost frame of the user's code."""
    root: str = ""
    """"Type: message" of what it comes from in the end: the last of its chain of causes, the first of its group; "" if none."""
    kinds: tuple[str, ...] = ()
    """Names of its base classes, and of whatever caused it or is in it, with theirs; `Exception` and the like left out."""
    given_by: str = ""
    """Name of the upstream task whose output the failing line had in its hands, as far as can be told."""
    service: str = ""
    """Name of the shared service of the graph that could not be opened, if it was that."""


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One attempt that has ended."""

    number: int
    """From 1; goes on counting over restarts of the task."""
    started_at: float
    """Seconds since the run began."""
    ended_at: float
    ending: str
    """A final `TaskState` value: "succeeded", "failed", "timed_out" or "cancelled"."""
    failure: Failure | None = None
