"""From the ledger to an escalation report: why a task failed for good, what it holds up, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from dagtop.core.causes import Case, cut, find, seconds
from dagtop.core.crash_loops import in_a_loop
from dagtop.core.escalation import EscalationReport, Evidence
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.impact import blocked_by
from dagtop.core.joins import Joins
from dagtop.core.ledger import Ledger
from dagtop.core.policy import TaskPolicy
from dagtop.core.remedies import options
from dagtop.core.restart import ceiling_of
from dagtop.core.signs import name_of
from dagtop.core.states import FINAL, GOOD
from dagtop.core.wording import ending_word

#: Names that a report lists, of tasks that cannot run.
BLOCKED = 100
#: Room for texts of the user's in one report, in bytes as encoded; with the rest that makes less than 100 KB.
TRACEBACKS, MESSAGES, NAMES, INPUTS = 48_000, 20_000, 8_000, 8_000

#: Room that every attempt has for the texts that are not its traceback, however many there are.
LEAST = 300
#: Characters of attempts that fit whatever they are: none takes more than 6 bytes.
FITS = TRACEBACKS // 6


def report(
    ledger: Ledger, joins: Joins, index: int, number: int, at: float, evidence: Evidence, circuit_state: str = ""
) -> EscalationReport:
    """What a person needs to know of a task that has just ended for good. Comes after the event of its ending.

    Parameters
    ----------
    number: of the report within the run, from 1.
    at: seconds since the run began.
    circuit_state: of the breaker that the task names, "" if it names none.
    """
    blocked = blocked_by(ledger, joins, index)
    case = replace(_case(ledger, index, at, evidence, circuit_state), blocks=bool(blocked))
    found = in_a_loop(case, find(case))
    policy = case.policy
    return EscalationReport(
        number=number,
        task=case.name,
        run=ledger.run,
        graph=ledger.plan.name,
        state=case.state.value,
        cause=found.cause,
        summary=found.summary,
        evidence=found.evidence,
        options=options(case, found),
        attempts=bounded(case.attempts),
        attempt_count=case.used,
        circuit=policy.circuit,
        circuit_state=circuit_state,
        inputs=_bounded_inputs(evidence),
        blocks=_bounded_names([ledger.plan.names[i] for i in blocked[:BLOCKED]]),
        blocks_count=len(blocked),
        policy=policy_text(policy),
        at=at,
        escalated_at=evidence.utc,
    )


def _case(ledger: Ledger, index: int, at: float, evidence: Evidence, circuit_state: str) -> Case:
    desired = ledger.desired
    first = desired.since.get(index, ledger.first_attempt.get(index, 0))
    states, names = ledger.state, ledger.plan.names
    return Case(
        name=names[index],
        state=states[index],
        reason=ledger.reason.get(index, ""),
        failure=ledger.failure.get(index),
        attempts=tuple(past for past in ledger.history.get(index, ()) if past.number > first),
        used=ledger.attempt[index] - first,
        before=first,
        policy=ledger.policies[index],
        evidence=evidence,
        circuit_state=circuit_state,
        crashes=desired.restarts.get(index, (0, 0))[1],
        comes_in=max(0.0, ledger.due_at.get(index, at) - at),
        trouble=tuple(
            (names[i], ending_word(states[i]))
            for i in ledger.plan.upstream[index]
            if states[i] in FINAL and states[i] not in GOOD
        ),
    )


def policy_text(policy: TaskPolicy) -> dict[str, str]:
    """The policy, field by field, as people read it; what is not in use is left out."""
    retry = policy.retry
    told = {"retries": str(retry.retries)}
    if retry.retries:
        told["backoff"] = _backoff_text(policy)
        told["retry_on"] = _type_names(retry.on)
        if retry.not_on:
            told["no_retry_on"] = _type_names(retry.not_on)
    told["timeout"] = "none" if policy.timeout is None else seconds(policy.timeout)
    if policy.timeout is not None and retry.retries:
        told["retry_on_timeout"] = "yes" if policy.retry_on_timeout else "no"
    told["trigger"] = str(policy.trigger)
    told["on_upstream_failure"] = str(policy.on_upstream_failure)
    if policy.restart.is_on:
        told["restart"] = _restart_text(policy)
    for option, probe in (("ready", policy.ready), ("alive", policy.alive)):
        if probe is not None:
            told[option] = f"asked every {seconds(probe.interval)}, for at most {seconds(probe.timeout)}"
    if policy.circuit:
        told["circuit"] = cut(policy.circuit)
    if policy.pool:
        told["pool"] = cut(policy.pool)
    if policy.resources:
        told["resources"] = cut(", ".join(f"{name} {amount}" for name, amount in policy.resources.items()))
    if policy.gate is not None:
        told["gate"] = cut(policy.gate.prompt) or "yes"
    return told


def _type_names(kinds: Sequence[type]) -> str:
    return cut(", ".join(map(name_of, kinds[:10])))


def _restart_text(policy: TaskPolicy) -> str:
    restart = policy.restart
    ceiling = ceiling_of(restart)
    often = (
        "as often as it takes" if ceiling is None else "at most once" if ceiling == 1 else f"at most {ceiling} times"
    )
    jitter = f", less up to {restart.jitter:.0%} by chance" if restart.jitter else ""
    waits = f"after 0 s, {seconds(restart.base)} × 2, up to {seconds(restart.cap)}{jitter}"
    return f"{restart.policy}, {often}, {waits}; counted anew after {seconds(restart.reset_after)}"


def _backoff_text(policy: TaskPolicy) -> str:
    retry = policy.retry
    if retry.backoff == "none":
        return "none"
    grows = f" × {retry.factor:g}" if retry.backoff == "exponential" else ""
    jitter = f", less up to {retry.jitter:.0%} by chance" if retry.jitter else ""
    return f"{retry.backoff} from {seconds(retry.base)}{grows} up to {seconds(retry.cap)}{jitter}"


# -- bounds -----------------------------------------------------------------------------------------------------------


def bounded(attempts: Sequence[AttemptRecord]) -> tuple[AttemptRecord, ...]:
    """The attempts with no more text than a report has room for: the latest keeps most, and nothing is told twice."""
    if sum(map(_length, attempts)) <= FITS:
        return tuple(attempts)
    tracebacks, messages = TRACEBACKS, MESSAGES
    last_with: dict[str, int] = {}
    for place, past in enumerate(attempts):
        if past.failure is not None and past.failure.traceback:
            last_with[past.failure.traceback] = place
    kept: list[AttemptRecord] = []
    for place in range(len(attempts) - 1, -1, -1):
        past = attempts[place]
        failure = past.failure
        if failure is not None:
            shown_at = last_with.get(failure.traceback, place)
            if shown_at != place:
                traceback = f"(as of attempt {attempts[shown_at].number})"
            else:
                traceback = _fitted(failure.traceback, tracebacks)
                tracebacks -= _size(traceback)
            shorter, used = _shortened(failure, traceback, max(messages // 2, LEAST))
            messages -= used
            if shorter is not failure:
                past = msgspec.structs.replace(past, failure=shorter)
        kept.append(past)
    return tuple(kept[::-1])


def _length(past: AttemptRecord) -> int:
    failure = past.failure
    return len(failure.traceback) + len(failure.message) + len(failure.root) + len(failure.where) if failure else 0


def _shortened(failure: Failure, traceback: str, room: int) -> tuple[Failure, int]:
    """The failure with that traceback, and with its other texts in `room` bytes; and how many they take."""
    error = _fitted(failure.error, room // 8)
    message = _fitted(failure.message, room // 3)
    root = _fitted(failure.root, room // 6)
    where = _fitted(failure.where, room // 4)
    kinds = failure.kinds if sum(_size(kind) + 3 for kind in failure.kinds) <= room // 8 else ()
    used = sum(map(_size, (error, message, root, where, *kinds)))
    changes = {"error": error, "message": message, "root": root, "where": where, "kinds": kinds, "traceback": traceback}
    if all(getattr(failure, name) == text for name, text in changes.items()):
        return failure, used
    return msgspec.structs.replace(failure, **changes), used


def _fitted(text: str, room: int) -> str:
    """`text`, without its middle if it is longer than `room` bytes, encoded."""
    size = _size(text)
    if size <= room:
        return text
    aim = room
    while aim > 60:
        keep = max(1, (aim - 50) * len(text) // size // 2)
        short = f"{text[:keep]}\n… {len(text) - 2 * keep:,} characters left out …\n{text[-keep:]}"
        if _size(short) <= room:
            return short
        aim = aim * 4 // 5  # what is dear to encode was not spread evenly
    return text[: max(0, room - 3) // 6] + "…"


def _size(text: str) -> int:
    """Bytes of `text` in JSON."""
    if len(text) > _LONGEST:
        return 6 * len(text)
    try:
        return len(_encode(text)) - 2
    except UnicodeEncodeError:  # lone surrogates; whoever writes them down makes "\\udc80" or U+FFFD of each
        return 6 * len(text)


_encode = msgspec.json.Encoder().encode
_LONGEST = 100_000


def _bounded_names(names: Sequence[str]) -> tuple[str, ...]:
    """As many as there is room for."""
    room, kept = NAMES, 0
    for name in names:
        room -= _size(name) + 3
        if room < 0:
            break
        kept += 1
    return tuple(names[:kept])


def _bounded_inputs(evidence: Evidence) -> dict[str, str]:
    told: dict[str, str] = {}
    room = INPUTS
    for name, text in evidence.inputs.items():
        room -= _size(name) + _size(text) + 6
        if room < 0:
            told["…"] = f"and {len(evidence.inputs) - len(told):,} more"
            break
        told[name] = text
    return told
