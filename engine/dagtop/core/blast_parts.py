"""What the radii of commands have in common: how a refusal is said, and names of the tasks in question."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from dagtop.core import commands as cmd
from dagtop.core.affected import Situation
from dagtop.core.states import GOOD, RunState, TaskState

#: States of a run that is told to end.
STOPPED = frozenset({RunState.DRAINING, RunState.CANCELLING})

TaskCommand: TypeAlias = (
    cmd.CancelTask
    | cmd.AbandonTask
    | cmd.SkipTask
    | cmd.MarkSucceeded
    | cmd.ApproveTask
    | cmd.RejectTask
    | cmd.RestartTask
    | cmd.StopTask
    | cmd.StartTask
    | cmd.HoldTask
    | cmd.ReleaseTask
    | cmd.SetPolicy
)


def refused(reason: str) -> cmd.BlastRadius:
    """That it would not be done, and why."""
    return cmd.BlastRadius(summary=f"refused: {reason}", refusal=reason)


def lacks(torn: str) -> str:
    """Why what needs something torn down cannot run."""
    return f"its upstream {torn} was torn down, and is not to run; start that first"


def thrown_away(now: Situation, again: Collection[int]) -> tuple[str, ...]:
    """Names of those that have a result which is made anew."""
    return tuple(now.plan.names[i] for i in again if now.state[i] in GOOD)


def names_of(now: Situation, wanted: Callable[[TaskState], bool]) -> tuple[str, ...]:
    """Names of all tasks in such a state."""
    names: Sequence[str] = now.plan.names
    return tuple(names[i] for i, state in enumerate(now.state) if wanted(state))
