"""What a person may ask of a run while it goes on: values, answered by `CommandApplied` or `CommandRefused`."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec


class _Command(msgspec.Struct, frozen=True, tag_field="do", omit_defaults=True):
    """Base of all commands."""

    @property
    def verb(self) -> str:
        """The command's name as it is written on the wire, e.g. "cancel"."""
        return str(self.__struct_config__.tag)


class CancelTask(_Command, frozen=True, tag="cancel"):
    """Stop one task: what runs is told to stop, what has not started will not."""

    task: str
    reason: str = ""


class AbandonTask(_Command, frozen=True, tag="abandon"):
    """Wait no longer for one task that was told to stop and did not."""

    task: str
    reason: str = ""


class RestartTask(_Command, frozen=True, tag="restart"):
    """Run one task again, and with `downstream` everything after it."""

    task: str
    downstream: bool = False
    reason: str = ""
    node: str = ""
    """The node that starts over as a whole, if this is one of its tasks."""


class RetryFailed(_Command, frozen=True, tag="retry-failed"):
    """Run every task again that failed or timed out, and what was skipped because of it."""


class SkipTask(_Command, frozen=True, tag="skip"):
    """Do not run one task that has not started. What needs its output is skipped too, as its trigger rule says."""

    task: str
    reason: str = ""


class MarkSucceeded(_Command, frozen=True, tag="mark-succeeded"):
    """Take `value` for the output of a task that does not run now, and go on with what is downstream."""

    task: str
    value: Any = None
    reason: str = ""


class ApproveTask(_Command, frozen=True, tag="approve"):
    """Let a task through its gate."""

    task: str
    reason: str = ""


class RejectTask(_Command, frozen=True, tag="reject"):
    """Do not let a task through its gate."""

    task: str
    reason: str = ""


class StopTask(_Command, frozen=True, tag="stop"):
    """Have a task down: it is stopped, and not started again by its restart policy before it is wanted up."""

    task: str
    reason: str = ""


class StartTask(_Command, frozen=True, tag="start"):
    """Have a task up: it runs again if it has ended or was stopped, and its restarts count from the beginning."""

    task: str
    reason: str = ""


class ScaleTask(_Command, frozen=True, tag="scale"):
    """Change how many replicas there are of a task."""

    task: str
    replicas: int


class StartRun(_Command, frozen=True, tag="start-run"):
    """Bring up all that should run and does not: after the run was stopped, or tasks have failed."""


class HoldTask(_Command, frozen=True, tag="hold"):
    """Do not let a task start before it is released."""

    task: str


class ReleaseTask(_Command, frozen=True, tag="release"):
    """Let a held task start."""

    task: str


class PauseRun(_Command, frozen=True, tag="pause"):
    """Start nothing new; what runs goes on."""


class ContinueRun(_Command, frozen=True, tag="continue"):
    """Start tasks again after a pause."""


class DrainRun(_Command, frozen=True, tag="drain"):
    """Start nothing new, let what runs finish, then end the run."""


class CancelRun(_Command, frozen=True, tag="cancel-run"):
    """Stop everything and end the run."""

    reason: str = "cancelled by hand"


class AbandonRun(_Command, frozen=True, tag="abandon-run"):
    """Wait no longer for tasks that were told to stop and did not; end the run."""


class SetMaxParallel(_Command, frozen=True, tag="set-max-parallel"):
    """Change how many tasks may run at once."""

    limit: int


class SetPoolLimit(_Command, frozen=True, tag="set-pool-limit"):
    """Change how many attempts may be in progress at once in one pool."""

    pool: str
    limit: int


class TripBreaker(_Command, frozen=True, tag="trip-breaker"):
    """Open a circuit breaker by hand; it recovers as if it had opened by itself."""

    breaker: str


class ResetBreaker(_Command, frozen=True, tag="reset-breaker"):
    """Close a circuit breaker by hand, and forget its failures."""

    breaker: str


class ForceBreaker(_Command, frozen=True, tag="force-breaker"):
    """Hold a circuit breaker in `state` ("open", "closed", "half_open"), whatever happens; "" lets it go."""

    breaker: str
    state: str


class SetBreaker(_Command, frozen=True, tag="set-breaker"):
    """Change settings of a circuit breaker from now on, for all that ask it. None leaves one as it is.

    `window` of 0 takes the window away, and with it the rate; `failure_rate` of 0 takes the rate away.
    """

    breaker: str
    failure_threshold: int | None = None
    recovery_timeout: float | None = None
    success_threshold: int | None = None
    window: float | None = None
    failure_rate: float | None = None


class AcknowledgeEscalation(_Command, frozen=True, tag="acknowledge"):
    """Say that somebody looks after an escalation, which has that number; with `withdraw` that nobody does any more."""

    number: int
    reason: str = ""
    withdraw: bool = False


class SwapGraph(_Command, frozen=True, tag="swap-graph"):
    """Go on with another version of the graph, which was handed to the engine under this number."""

    version: int
    summary: str = ""


class SetPolicy(_Command, frozen=True, tag="set-policy"):
    """Change fields of one task's policy from the next decision on. None leaves a field as it is.

    `timeout` of 0 takes the timeout away; so does "" for `circuit` and `pool`, and -1 for `cost` and `max_restarts`.
    """

    task: str
    retries: int | None = None
    timeout: float | None = None
    backoff: str | None = None
    base: float | None = None
    factor: float | None = None
    cap: float | None = None
    jitter: float | None = None
    retry_on_timeout: bool | None = None
    trigger: str | None = None
    on_upstream_failure: str | None = None
    priority: int | None = None
    cost: float | None = None
    circuit: str | None = None
    pool: str | None = None
    restart: str | None = None
    max_restarts: int | None = None
    restart_backoff: float | None = None
    restart_cap: float | None = None
    restart_jitter: float | None = None
    reset_after: float | None = None


Command: TypeAlias = (
    CancelTask
    | AbandonTask
    | RestartTask
    | RetryFailed
    | SkipTask
    | MarkSucceeded
    | ApproveTask
    | RejectTask
    | StopTask
    | StartTask
    | ScaleTask
    | StartRun
    | HoldTask
    | ReleaseTask
    | PauseRun
    | ContinueRun
    | DrainRun
    | CancelRun
    | AbandonRun
    | SetMaxParallel
    | SetPoolLimit
    | TripBreaker
    | ResetBreaker
    | ForceBreaker
    | SetBreaker
    | AcknowledgeEscalation
    | SwapGraph
    | SetPolicy
)


class BlastRadius(msgspec.Struct, frozen=True, kw_only=True):
    """What a command would do, told before it is done. All task names, in the graph's order."""

    summary: str
    """One sentence for people."""
    runs_again: tuple[str, ...] = ()
    """Tasks whose present result would be thrown away and made anew."""
    stops: tuple[str, ...] = ()
    """Tasks that run now and would be told to stop."""
    never_runs: tuple[str, ...] = ()
    """Tasks that would be skipped or cancelled without having run."""
    goes_stale: tuple[str, ...] = ()
    """Tasks that keep results made from what is about to change."""
    refusal: str = ""
    """Why the command would be refused; "" if it would not."""

    @property
    def loses_something(self) -> bool:
        """Whether results or work in progress would be lost: then a person is asked first."""
        return bool(self.runs_again or self.stops or self.never_runs)
