"""What the machine is told: outcomes of attempts, the passing of time, commands.

Each says when: `at` is in seconds since the run began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

import msgspec

from dagtop.core.commands import Command
from dagtop.core.failure import Failure
from dagtop.core.policy import BackendName, TaskPolicy
from dagtop.core.restart import ProbeKind


class _Input(msgspec.Struct, frozen=True, gc=False):
    at: float


class Begin(_Input, frozen=True):
    """The run begins."""

    run: str
    started_at: float
    """Wall clock, seconds since 1970 UTC."""
    resumed: bool = False
    """It goes on with a run that another process left; what that one finished is in the ledger already."""
    reruns: tuple[tuple[int, str], ...] = ()
    """(task, reason) for tasks that were finished and start over all the same."""
    skips: tuple[tuple[int, str], ...] = ()
    """(task, reason) for tasks that a person had skipped, which stay so."""
    stops: tuple[tuple[int, str], ...] = ()
    """(task, reason) for tasks that a person wanted down, which stay so."""


class AttemptBegan(_Input, frozen=True):
    """A worker outside of the engine's process has begun the task's body: the clock of its timeout begins."""

    index: int
    attempt: int


class AttemptSucceeded(_Input, frozen=True):
    """The attempt returned."""

    index: int
    attempt: int


class AttemptRaised(_Input, frozen=True):
    """The attempt ended in an exception that was not of our making."""

    index: int
    attempt: int
    failure: Failure
    retriable: bool
    """Whether the policy's exception types let this exception be tried again."""
    unit_random: float = 0.0
    """Chance for the jitter, in [0, 1)."""
    retry_after: float | None = None
    """Seconds after which the task itself wants to be tried again (`RetryAfter`); None leaves it to the policy."""


class AttemptSkipped(_Input, frozen=True):
    """The task said that it need not run (`Skip`)."""

    index: int
    attempt: int
    reason: str


class AttemptStopped(_Input, frozen=True):
    """The attempt ended because it was told to. `failure` is what it raised instead of ending quietly, if it did."""

    index: int
    attempt: int
    failure: Failure | None = None
    unit_random: float = 0.0


class SaidReady(_Input, frozen=True):
    """A running task says that it does what it is there for."""

    index: int
    attempt: int


class Probed(_Input, frozen=True):
    """The answer to `RunProbe`. `said` is what was wrong, if it was."""

    index: int
    attempt: int
    kind: ProbeKind
    ok: bool
    said: str = ""


class Verdict(Enum):
    """What the runtime says of a task about which it was asked."""

    RUN = "run"
    SKIP = "skip"
    """Its `when` says that it need not run."""
    CACHED = "cached"
    """Its output of an earlier run was taken; it is where outputs are kept."""
    FAIL = "fail"
    """Its `when` raised."""


class Consulted(_Input, frozen=True):
    """The answer to `Consult`. `token` is that of the question: an answer to an older question does not count."""

    index: int
    token: int
    verdict: Verdict
    reason: str = ""
    failure: Failure | None = None


class TeardownEnded(_Input, frozen=True):
    """The answer to `RunTeardown`."""

    index: int
    failure: Failure | None = None


class SetUpEnded(_Input, frozen=True):
    """The answer to `SetUp`."""

    failure: Failure | None = None


class WoundDown(_Input, frozen=True):
    """The answer to `WindDown`: services are closed and the graph's teardown has run."""


class BreakerMoved(_Input, frozen=True):
    """Somebody else in this process has moved a breaker that this run uses, or has given its probe back."""

    breaker: str


class NewTask(msgspec.Struct, frozen=True):
    """A task that is to be added; `upstream` are names."""

    name: str
    upstream: tuple[str, ...]
    policy: TaskPolicy
    asks: bool = False
    """See `Plan.asks`."""
    cleans_up: bool = False
    """See `Plan.cleans_up`."""
    backend: BackendName | None = None
    """See `Plan.backends`."""
    kind: int = -1
    """See `Plan.kinds`; -1 for one of its own."""


class GraphChange(msgspec.Struct, frozen=True, kw_only=True):
    """How the graph is to change: checked by the runtime, without a cycle, names of tasks that there are or will be."""

    added: Sequence[NewTask] = ()
    removed: tuple[str, ...] = ()
    """They keep their place, and end if they have not."""
    rewired: Mapping[str, tuple[str, ...]] = {}
    """The whole new upstream, by name of a task that was there before."""
    policies: Mapping[str, TaskPolicy] = {}
    """By name of a task that was there before and has another policy now."""
    changed: tuple[str, ...] = ()
    """Tasks whose code is another one: what they have done does not count any more."""
    asks: tuple[str, ...] | None = None
    """See `Plan.asks`; None if only what is added tells."""
    cleans_up: tuple[str, ...] | None = None
    """See `Plan.cleans_up`; None as above."""
    backends: Mapping[str, BackendName] | None = None
    """See `Plan.backends`; None as above."""
    nodes: tuple[str, ...] | None = None
    """See `Plan.nodes`; None as above."""


class GraphGiven(_Input, frozen=True):
    """The graph changes while the run goes on. `number` and `by` are those of a command that asked for it, if one did."""

    change: GraphChange
    reason: str
    spawner: str = ""
    """The task that asked for it, if one did."""
    number: int = 0
    by: str = ""
    version: int = 0
    """That of the `SwapGraph` command."""
    command: Command | None = None
    """The command that asked for it, if that was another one."""
    announced: bool = False
    """Whether all that is added was announced before, see `growing.announce`."""


class Expecting(_Input, frozen=True):
    """Whether something is to start over by itself, at a time that only others know: then services stay up for that."""

    more: bool


class Tick(_Input, frozen=True):
    """Time has passed `RunMachine.next_due`."""


class CommandGiven(_Input, frozen=True):
    """A person or a program asks for something."""

    command: Command
    id: int
    by: str
    told: str = ""
    """What is answered, if it is one of many that come to more than what it does by itself."""


Input: TypeAlias = (
    Begin
    | AttemptBegan
    | AttemptSucceeded
    | AttemptRaised
    | AttemptSkipped
    | AttemptStopped
    | SaidReady
    | Probed
    | Consulted
    | TeardownEnded
    | SetUpEnded
    | WoundDown
    | BreakerMoved
    | GraphGiven
    | Expecting
    | Tick
    | CommandGiven
)
