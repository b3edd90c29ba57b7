"""What the machine is told: outcomes of attempts, the passing of time, commands.

Each says when: `at` is in seconds since the run began.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from dagtop.core.commands import Command
from dagtop.core.failure import Failure


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


class AttemptStopped(_Input, frozen=True):
    """The attempt ended because it was told to. `failure` is what it raised instead of ending quietly, if it did."""

    index: int
    attempt: int
    failure: Failure | None = None
    unit_random: float = 0.0


class Tick(_Input, frozen=True):
    """Time has passed `RunMachine.next_due`."""


class CommandGiven(_Input, frozen=True):
    """A person or a program asks for something."""

    command: Command
    id: int
    by: str


Input: TypeAlias = Begin | AttemptSucceeded | AttemptRaised | AttemptStopped | Tick | CommandGiven
