"""What the machine tells the runtime to do."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from dagtop.core.restart import ProbeKind


class StopReason(StrEnum):
    """Why an attempt, or the whole run, is stopped."""

    FAIL_FAST = "fail_fast"
    """A task failed and the run was told to start nothing after that."""
    RESTART = "restart"
    """The task is to start over."""
    SETUP = "setup"
    """What must be set up before the first task could not be."""
    TIMEOUT = "timeout"
    """The attempt took longer than its timeout."""
    RUN_TIMEOUT = "run_timeout"
    """The run took longer than `run_timeout`."""
    UNWELL = "unwell"
    """Its liveness probe says that it is not well."""
    DONE = "done"
    """It serves, and nobody needs it any more."""
    CANCEL = "cancel"
    """Somebody cancelled the task or the run."""


class StartAttempt(msgspec.Struct, frozen=True, gc=False):
    """Run the task's code; answer with an outcome that carries the same attempt number."""

    index: int
    attempt: int


class StopAttempt(msgspec.Struct, frozen=True, gc=False):
    """Tell the attempt to stop; it still answers with an outcome when it has."""

    index: int
    attempt: int


class AbandonAttempt(msgspec.Struct, frozen=True, gc=False):
    """Wait no longer for this attempt; whatever it answers later does not count."""

    index: int
    attempt: int


class Consult(msgspec.Struct, frozen=True, gc=False):
    """Ask the task's `when` and its cache, and answer with `Consulted`. `fresh`: do not take the output from the cache."""

    index: int
    token: int
    fresh: bool = False


class RunProbe(msgspec.Struct, frozen=True, gc=False):
    """See whether a running attempt is well; answer with `Probed`."""

    index: int
    attempt: int
    kind: ProbeKind


class RunTeardown(msgspec.Struct, frozen=True, gc=False):
    """Nothing downstream needs the task any more: run its teardown if its setup has started; answer with `TeardownEnded`."""

    index: int


class SetUp(msgspec.Struct, frozen=True, gc=False):
    """Run the graph's setup; answer with `SetUpEnded`. No attempt is started before that."""


class WindDown(msgspec.Struct, frozen=True, gc=False):
    """Every task has ended: close the services, run the graph's teardown, and answer with `WoundDown`."""


Instruction: TypeAlias = (
    StartAttempt | StopAttempt | AbandonAttempt | Consult | RunProbe | RunTeardown | SetUp | WindDown
)
