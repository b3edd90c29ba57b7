"""How states and endings are said in a sentence."""

from __future__ import annotations

from dagtop.core.failure import Failure
from dagtop.core.joins import Joins
from dagtop.core.ledger import Ledger
from dagtop.core.policy import Trigger
from dagtop.core.states import FINAL, GOOD, TaskState

#: Why a run was drained, and what was not to run any more because of it; and by whom.
DRAINED = "drained by "

#: Why a service is let go of.
NOT_NEEDED = "everything else has ended"


def ending_word(state: TaskState) -> str:
    """The state as it is said of a task: "upstream x failed", "upstream x was skipped"."""
    match state:
        case TaskState.TIMED_OUT:
            return "timed out"
        case TaskState.SKIPPED | TaskState.CANCELLED:
            return f"was {state.value}"
        case _:
            return state.value


def blame(ledger: Ledger, joins: Joins, index: int) -> str:
    """Because of whom a task's trigger rule can no longer be met."""
    states, names = ledger.state, ledger.plan.names
    lost = [i for i in ledger.plan.upstream[index] if states[i] in FINAL and states[i] not in GOOD]
    lost.sort(key=lambda i: states[i] is TaskState.SKIPPED)
    rule = joins.rule.get(index, Trigger.ALL_SUCCESS)
    if not lost:
        return f"no upstream task succeeded (trigger {rule.value})"
    more = f" (+{len(lost) - 1} more)" if len(lost) > 1 else ""
    return f"upstream {names[lost[0]]} {ending_word(states[lost[0]])}{more}"


def is_blame(reason: str) -> bool:
    """Whether a task ended because of its upstream."""
    return reason.startswith(("upstream ", "no upstream "))


def tasks(count: int) -> str:
    """ "1 task", "3 tasks"."""
    return f"{count} task" if count == 1 else f"{count:,} tasks"


def do(count: int, verb: str) -> str:
    """The verb in the form that goes with `tasks(count)`: "keeps", "keep"."""
    return f"{verb}s" if count == 1 else verb


def out_of_time(message: str, failure: Failure | None, error: str = "TaskTimeoutError") -> Failure:
    """Out of time; `failure` is what the attempt raised when it was told to stop, if it did.

    One that has no name tells only where the attempt stood.
    """
    if failure is None:
        return Failure(error=error, message=message)
    said = f"{message}; then {failure.error}: {failure.message}" if failure.error else message
    return Failure(error=error, message=said, traceback=failure.traceback, where=failure.where)


def unwell(message: str, failure: Failure | None) -> Failure:
    """Stopped because of its liveness probe; `failure` as above."""
    return out_of_time(message, failure, "UnwellError")
