"""How a running task is: what it says of itself, and what its probes find out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.deadlines import Due
from dagtop.core.instructions import RunProbe, StopReason
from dagtop.core.restart import Probe, ProbeKind, RestartPolicy
from dagtop.core.spreading import replicas_of
from dagtop.core.states import ACTIVE, TaskState
from dagtop.core.stopping import stop_attempt
from dagtop.core.supervising import count_as_ready
from dagtop.core.topology import reach

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine

#: Answers in a row that count, where a probe does not say.
_THRESHOLD = {ProbeKind.READY: 1, ProbeKind.ALIVE: 3}
_DUE = {ProbeKind.READY: Due.READY_PROBE, ProbeKind.ALIVE: Due.ALIVE_PROBE}


def said_ready(machine: RunMachine, event: inp.SaidReady) -> None:
    """A task says of itself that it is ready."""
    if machine.ledger.attempt[event.index] == event.attempt and machine.ledger.state[event.index] in ACTIVE:
        _serve(machine, event.index, event.at)
        machine.fill(event.at)


def _serve(machine: RunMachine, index: int, at: float) -> None:
    policy, attempt = machine.ledger.policies[index], machine.ledger.attempt[index]
    supervised = policy.is_supervised or machine.policy.supervises
    opens = supervised and machine.ledger.state[index] is TaskState.RUNNING
    if opens and index in machine.joins.early:
        return
    machine.emit(ev.TaskServing(at, machine.plan.names[index], opens))
    if not opens:
        return
    count_as_ready(machine, index, at)
    if policy.alive is not None and (index, ProbeKind.ALIVE) not in machine.streaks:
        _ask_later(machine, index, at, attempt, ProbeKind.ALIVE, policy.alive.delay)


def attempt_begun(machine: RunMachine, index: int, at: float, attempt: int) -> None:
    """An attempt has started: ask how it is from time to time, if it has probes."""
    policy = machine.ledger.policies[index]
    machine.streaks.pop((index, ProbeKind.READY), None)
    machine.streaks.pop((index, ProbeKind.ALIVE), None)
    if policy.ready is not None and index not in machine.joins.early:
        _ask_later(machine, index, at, attempt, ProbeKind.READY, policy.ready.delay)
    elif policy.alive is not None:
        _ask_later(machine, index, at, attempt, ProbeKind.ALIVE, policy.alive.delay)
    if _may_be_ready_at_once(
        machine, index
    ):  # looked at when due: how one that has just come is called is not known yet
        machine.deadlines.push(at, Due.READY_PROBE, index, attempt)


def _may_be_ready_at_once(machine: RunMachine, index: int) -> bool:
    policy = machine.ledger.policies[index]
    kept = machine.may_say is not None and policy.ready is None and policy.restart.policy is RestartPolicy.ALWAYS
    return kept and index not in machine.joins.early


def _is_ready_at_once(machine: RunMachine, index: int) -> bool:
    """Whether it is to run always, has no way to say that it is ready, and nothing waits for that but nodes that end with it."""
    if machine.may_say is None or not _may_be_ready_at_once(machine, index) or machine.may_say(index):
        return False
    plan = machine.plan
    return all(i in plan.nodes or replicas_of(plan, i) for i in reach(plan.downstream, [index]).difference([index]))


def probes_changed(machine: RunMachine, index: int, at: float) -> None:
    """The policy of a task is another one: if it runs, ask what nobody asks yet."""
    policy, attempt = machine.ledger.policies[index], machine.ledger.attempt[index]
    if machine.ledger.state[index] is not TaskState.RUNNING:
        return
    kind = ProbeKind.READY if policy.ready is not None and index not in machine.joins.early else ProbeKind.ALIVE
    probe = _probe(machine, index, kind)
    if probe is not None and (index, kind) not in machine.streaks:
        _ask_later(machine, index, at, attempt, kind, probe.delay)


def _ask_later(machine: RunMachine, index: int, at: float, attempt: int, kind: ProbeKind, wait: float) -> None:
    machine.streaks.setdefault((index, kind), 0)
    machine.deadlines.push(at + wait, _DUE[kind], index, attempt)


def probe_due(machine: RunMachine, index: int, at: float, attempt: int, kind: ProbeKind) -> None:
    """It is time to ask a running task how it is."""
    if machine.ledger.state[index] is not TaskState.RUNNING:
        return
    if kind is ProbeKind.READY and _is_ready_at_once(machine, index):
        _serve(machine, index, at)
    elif _is_asked(machine, index, kind):
        machine.instruct(RunProbe(index, attempt, kind))
    else:
        machine.streaks.pop((index, kind), None)


def _is_asked(machine: RunMachine, index: int, kind: ProbeKind) -> bool:
    """Whether there is such a probe, and its answer is not known yet."""
    known = kind is ProbeKind.READY and index in machine.joins.early
    return _probe(machine, index, kind) is not None and not known


def probed(machine: RunMachine, event: inp.Probed) -> None:
    """A probe has answered."""
    index, at, kind = event.index, event.at, event.kind
    probe = _probe(machine, index, kind)
    if machine.ledger.attempt[index] != event.attempt or machine.ledger.state[index] is not TaskState.RUNNING:
        return
    if probe is None or not _is_asked(machine, index, kind):
        machine.streaks.pop((index, kind), None)
        return
    counts = event.ok is (kind is ProbeKind.READY)
    streak = machine.streaks.get((index, kind), 0) + 1 if counts else 0
    machine.streaks[index, kind] = streak
    needed = probe.threshold or _THRESHOLD[kind]
    if kind is ProbeKind.READY and event.said and not event.ok:
        _tell_why_not(machine, index, at, event.said)
    if streak < needed:
        _ask_later(machine, index, at, event.attempt, kind, probe.interval)
    elif kind is ProbeKind.READY:
        _serve(machine, index, at)
    else:
        times = "failed" if needed == 1 else f"failed {needed} times in a row"
        reason = f"liveness probe {times}" + (f": {event.said}" if event.said else "")
        stop_attempt(machine, index, at, StopReason.UNWELL, reason)
    machine.fill(at)


def _tell_why_not(machine: RunMachine, index: int, at: float, said: str) -> None:
    """What a readiness probe raised; that it only says no is what every start looks like."""
    from dagtop.core.signs import without_ids  # noqa: PLC0415 - only where a probe raises

    reason = f"readiness probe: {said}"
    if without_ids(machine.ledger.reason.get(index, "")) != without_ids(reason):
        machine.emit(ev.TaskNotReady(at, machine.plan.names[index], reason))


def _probe(machine: RunMachine, index: int, kind: ProbeKind) -> Probe | None:
    policy = machine.ledger.policies[index]
    return policy.ready if kind is ProbeKind.READY else policy.alive
