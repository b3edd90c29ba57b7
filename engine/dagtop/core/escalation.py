"""What a person needs to know of a task that failed for good: what was tried, why it failed, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from dagtop.core.failure import AttemptRecord


class Cause(StrEnum):
    """Kinds of root causes, told apart from evidence."""

    REPEATED = "repeated"
    """The same error every time, or one of a kind that chance does not bring about: a bug, or input that it cannot take."""
    FAILED_ONCE = "failed_once"
    """One attempt, one error: whether it comes back is not known."""
    INTERMITTENT = "intermittent"
    """Different errors, or one that came and went."""
    TIMEOUT = "timeout"
    """It ran out of time."""
    UNAVAILABLE = "unavailable"
    """A service that it needs does not answer, or its circuit breaker is open."""
    BAD_INPUT = "bad_input"
    """What an upstream task gave it is not what it can take."""
    EXHAUSTED = "exhausted"
    """Memory, disk or files gave out, or the process that it ran in died."""
    UNWELL = "unwell"
    """It ran, and its liveness probe said that it was not well."""
    UPSTREAM = "upstream"
    """An upstream task failed, and this one was told to fail with it."""
    REJECTED = "rejected"
    """A person, or the deadline of a gate, rejected it."""
    BY_HAND = "by_hand"
    """A person stopped it."""

    @property
    def words(self) -> str:
        """As people read it."""
        return _WORDS[self]


_WORDS: Mapping[Cause, str] = {
    Cause.REPEATED: "bug or bad input",
    Cause.FAILED_ONCE: "error, seen once",
    Cause.INTERMITTENT: "intermittent",
    Cause.TIMEOUT: "out of time",
    Cause.UNAVAILABLE: "service unavailable",
    Cause.BAD_INPUT: "bad output of an upstream task",
    Cause.EXHAUSTED: "resource exhausted",
    Cause.UNWELL: "not well",
    Cause.UPSTREAM: "upstream failed",
    Cause.REJECTED: "rejected",
    Cause.BY_HAND: "stopped by hand",
}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine cannot know by itself."""

    utc: str = ""
    """Now, UTC, ISO 8601."""
    inputs: Mapping[str, str] = {}
    """By name of the upstream task or input: what it gave, described, redacted and bounded."""
    usual_seconds: float | None = None
    """How long the task usually takes, from earlier runs; None if that is not known."""
    usual_longest: float | None = None
    """How long 95 of 100 of those took at most."""
    usual_runs: int = 0
    """How many runs that is known from."""
    blocker: str = ""
    """The task whose code kept the event loop from going round for most of the time while the last attempt ran; "" if none."""
    blocked_seconds: float = 0.0
    """For how long."""
    blocked_at: str = ""
    """Where in its code."""


class EscalationReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task failed for good. Times are seconds since the run began. At most some 100 KB, encoded."""

    number: int
    """From 1 within the run."""
    task: str
    run: str
    graph: str
    state: str
    """How the task ended: "failed", "timed_out", "cancelled" or "blocked"; "backoff" if it is to be started again."""
    cause: Cause
    summary: str
    """The root cause in one sentence."""
    evidence: tuple[str, ...]
    """What the cause was told from, a sentence each."""
    options: tuple[str, ...]
    """What can be done about it, a sentence each, best first."""
    attempts: tuple[AttemptRecord, ...]
    """Those since the task was last restarted by a person, or was healthy, at most the latest 50. Where they would be too much,
    texts are cut: the latest attempt keeps most, and a traceback that an earlier attempt has too is not repeated."""
    attempt_count: int
    """How many there were."""
    circuit: str = ""
    """Name of its breaker, "" if it has none."""
    circuit_state: str = ""
    inputs: Mapping[str, str] = {}
    """What it was given, by name of the upstream task or input; what looks secret is not told."""
    blocks: tuple[str, ...] = ()
    """Downstream tasks that cannot run because of it, nearest first, at most 100."""
    blocks_count: int = 0
    policy: Mapping[str, str] = {}
    """The policy in force, field by field, as text."""
    at: float
    escalated_at: str
    """UTC, ISO 8601."""
