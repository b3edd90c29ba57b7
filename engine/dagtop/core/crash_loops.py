"""Tasks that fail again however often they are started again: how that is said, and what can be done about it."""

from __future__ import annotations

from dagtop.core.causes import Case, Finding, cut, seconds, sentence
from dagtop.core.states import TaskState

#: With so many restarts in vain it is a loop.
_LOOP = 2


def in_a_loop(case: Case, found: Finding) -> Finding:
    """The cause, as one of a task that is started again by its policy."""
    if not case.crashes:
        return found
    what = "crash" if case.state is TaskState.BACKOFF else "restart"  # the last restart is still to come
    times = f"one {what}" if case.crashes == 1 else f"{case.crashes} {what}{'es' if what == 'crash' else 's'}"
    span = case.attempts[-1].ended_at - case.attempts[0].started_at if case.attempts else 0.0
    told = f"{times} in {seconds(span)}" if span else times
    loop = "Crash loop: " if case.crashes >= _LOOP else ""
    if case.state is TaskState.BACKOFF:
        next_one = (
            f"The next restart comes in {seconds(case.comes_in)}." if case.comes_in else "The next restart comes now."
        )
    else:
        next_one = "It has had all the restarts that it is allowed, and is not started again by itself."
    return found._replace(
        summary=sentence(f"{loop}{told}; {_within(found.summary)}"), evidence=(*found.evidence, next_one)
    )


def ways_out(case: Case) -> list[str]:
    """What can be done about its restarts."""
    if not case.policy.restart.is_on:
        return []
    name = cut(case.name, 80)
    if case.state is TaskState.BACKOFF:
        return [f"It is started again by itself; stop {name} until that is mended (command stop), and start it then."]
    if case.state is TaskState.BLOCKED:
        after = [f"What was skipped because of {name} may run as soon as that does."] if case.blocks else []
        return [
            f"Raise max_restarts= above {case.crashes} (-1: as many as it takes), which unblocks it and goes on counting.",
            *after,
        ]
    return []


def _within(summary: str) -> str:
    """A sentence as it goes on after a semicolon; names of errors stay as they are."""
    first = summary.partition(" ")[0]
    is_a_word = first.isalpha() and (len(first) == 1 or first[1:].islower())
    return f"{summary[0].lower()}{summary[1:]}" if is_a_word else summary
