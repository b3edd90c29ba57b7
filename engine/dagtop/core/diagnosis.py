"""From the ledger to an escalation report: why a task failed for good, what it holds up, and what can be done."""

from __future__ import annotations

from dagtop.core.escalation import Cause, EscalationReport, Evidence
from dagtop.core.joins import Joins
from dagtop.core.ledger import Ledger


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
    failure = ledger.failure.get(index)
    policy = ledger.policies[index]
    first = ledger.first_attempt.get(index, 0)
    return EscalationReport(
        number=number,
        task=ledger.plan.names[index],
        run=ledger.run,
        graph=ledger.plan.name,
        cause=Cause.REPEATED,
        summary=failure.message if failure is not None else ledger.reason.get(index, ""),
        evidence=(),
        options=(),
        attempts=tuple(past for past in ledger.history.get(index, ()) if past.number > first),
        attempt_count=ledger.attempts_used(index),
        circuit=policy.circuit,
        circuit_state=circuit_state,
        inputs=evidence.inputs,
        at=at,
        escalated_at=evidence.utc,
    )
