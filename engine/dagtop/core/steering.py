"""Commands carried out on the machine: each is refused with a reason or applied, and answered either way."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.affected import lost_because_of, restarted_with, retried, wanted_up
from dagtop.core.blast import radius
from dagtop.core.blast_of_tasks import policy_changes
from dagtop.core.blast_parts import TaskCommand
from dagtop.core.breaker_settings import changed_breaker, changes_of
from dagtop.core.changes import OF_RESTART, OF_RETRY, changed_policy
from dagtop.core.escalating import escalate
from dagtop.core.gates import decide
from dagtop.core.instructions import StopReason
from dagtop.core.looking_ahead import reassign, recount_services, rerank
from dagtop.core.restarting import go_on, recount, reopen, start_over
from dagtop.core.retrying import retime_backoff
from dagtop.core.returning import withdrawn
from dagtop.core.states import ACTIVE, BAD, FINAL, TaskState
from dagtop.core.stopping import abandon_attempt, abandon_told, check_timeout, stop_attempt, stop_run
from dagtop.core.wanting import reconsider, want_down, want_up
from dagtop.core.wording import DRAINED

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine

#: Who gives the commands of the console: in a reason that is "by hand", as it is when a person cancels the whole run.
_A_PERSON = "console"


def obey(machine: RunMachine, event: inp.CommandGiven) -> None:
    """Answer a command: `CommandRefused`, or `CommandApplied` followed by what it causes."""
    command, at = event.command, event.at
    effect = radius(machine.ledger, command)
    refusal = effect.refusal
    if not refusal:
        refusal = _flaw(machine, command)
    if refusal:
        machine.emit(ev.CommandRefused(at, command, event.id, event.by, refusal))
        return
    machine.emit(ev.CommandApplied(at, command, event.id, event.by, event.told or effect.summary))
    _carry_out(machine, command, at, "hand" if event.by == _A_PERSON else event.by)


def _carry_out(machine: RunMachine, command: cmd.Command, at: float, by: str) -> None:
    match command:
        case cmd.PauseRun():
            machine.starts_allowed = False
            machine.emit(ev.RunPaused(at))
        case cmd.ContinueRun():
            machine.starts_allowed = not machine.setting_up and not machine.winding_down
            if machine.stopping is None:
                machine.emit(ev.RunContinued(at))
            else:
                go_on(machine, at, f"gone on with by {by}")
        case cmd.DrainRun():
            stop_run(machine, at, StopReason.CANCEL, f"{DRAINED}{by}", cancel=False)
            recount_services(machine)
        case cmd.CancelRun(reason=reason):
            stop_run(machine, at, StopReason.CANCEL, reason, cancel=True)
        case cmd.AbandonRun():
            abandon_told(machine, at)
        case cmd.RetryFailed():
            chosen = retried(machine.ledger)
            failed = [i for i in chosen if machine.ledger.state[i] in BAD]
            start_over(machine, chosen, at, f"restarted by {by}, with all that failed", failed)
        case cmd.StartRun():
            want_up(machine, wanted_up(machine.ledger), at, f"started by {by}")
        case cmd.SetMaxParallel(limit=limit):
            _set_max_parallel(machine, limit, at, by)
        case cmd.SetPoolLimit(pool=pool, limit=limit):
            machine.emit(ev.LimitChanged(at, limit, f"set by {by}", f"pool:{pool}"))
            for lane in machine.admission.limits.set_pool_limit(pool, limit):
                machine.admission.unblock(lane)
        case cmd.TripBreaker() | cmd.ResetBreaker() | cmd.ForceBreaker():
            _move_breaker(machine, command, at, by)
        case cmd.SetBreaker(breaker=name):
            machine.breakers.change(name, changes_of(command), at, by)
            machine.admission.moved(at)
        case cmd.AcknowledgeEscalation(number=number, reason=note, withdraw=withdraw):
            task = next(one.task for one in reversed(machine.ledger.escalations) if one.number == number)
            machine.emit(ev.EscalationAcknowledged(at, task, number, by, note, withdraw))
        case cmd.SwapGraph() | cmd.ScaleTask():
            pass  # refused before, or carried out by whoever has the functions
        case _:
            _carry_out_on_task(machine, command, machine.plan.index[command.task], at, by)


def _carry_out_on_task(machine: RunMachine, command: TaskCommand, index: int, at: float, by: str) -> None:
    match command:
        case cmd.CancelTask(reason=why):
            if machine.ledger.policies[index].restart.is_on:
                want_down(machine, index, at, _said(f"cancelled by {by}", why))
            else:
                _cancel(machine, index, at, _said(f"cancelled by {by}", why))
        case cmd.AbandonTask():
            abandon_attempt(machine, index, at)
        case cmd.StopTask(reason=why):
            want_down(machine, index, at, _said(f"stopped by {by}", why))
        case cmd.StartTask(reason=why):
            want_up(machine, [index], at, _said(f"started by {by}", why))
        case cmd.RestartTask(downstream=downstream, reason=why):
            machine.fresh.add(index)
            if index in machine.ledger.desired.down:
                machine.emit(ev.TaskWanted(at, command.task, True, _said(f"restarted by {by}", why)))
            chosen = restarted_with(machine.ledger, index, downstream=downstream)
            start_over(machine, chosen, at, _said(f"restarted by {by}", why), [index])
        case cmd.SkipTask(reason=why):
            _settle(machine, index, at, _said(f"skipped by {by}", why), skipped=True)
        case cmd.MarkSucceeded(reason=why):
            _settle(machine, index, at, _said(f"marked by {by}", why), skipped=False)
        case cmd.ApproveTask(reason=why):
            decide(machine, index, at, by, why, approved=True)
        case cmd.RejectTask(reason=why):
            decide(machine, index, at, by, why, approved=False)
        case cmd.HoldTask(task=name):
            machine.emit(ev.TaskHeld(at, name, by))
        case cmd.ReleaseTask():
            _release(machine, index, at)
        case cmd.SetPolicy():
            _set_policy(machine, index, command, at)
        case _ as unreachable:
            assert_never(unreachable)


def _move_breaker(
    machine: RunMachine, command: cmd.TripBreaker | cmd.ResetBreaker | cmd.ForceBreaker, at: float, by: str
) -> None:
    match command:
        case cmd.TripBreaker(breaker=name):
            machine.breakers.trip(name, at, by)
        case cmd.ResetBreaker(breaker=name):
            machine.breakers.reset(name, at, by)
        case cmd.ForceBreaker(breaker=name, state=state):
            machine.breakers.force(name, state, at, by)
        case _ as unreachable:
            assert_never(unreachable)
    machine.admission.moved(at)


def _cancel(machine: RunMachine, index: int, at: float, reason: str) -> None:
    if machine.ledger.state[index] in ACTIVE:
        stop_attempt(machine, index, at, StopReason.CANCEL, reason)
        return
    tried = machine.ledger.state[index] is TaskState.BACKOFF
    machine.emit(ev.TaskCancelled(at, machine.plan.names[index], machine.ledger.attempt[index], reason))
    if tried:
        escalate(machine, index, at)
    machine.ended(index, at)


def _said(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def _release(machine: RunMachine, index: int, at: float) -> None:
    machine.emit(ev.TaskReleased(at, machine.plan.names[index]))
    if machine.ledger.state[index] is TaskState.HELD and index not in machine.ledger.gates:
        machine.become_ready(index, at)


def _set_max_parallel(machine: RunMachine, limit: int, at: float, by: str) -> None:
    machine.emit(ev.LimitChanged(at, limit, f"set by {by}"))
    window = machine.window
    if window is not None:
        reason = window.set_bounds(min(machine.policy.min_parallel, limit), limit)
        if window.limit != limit:
            machine.emit(ev.LimitChanged(at, window.limit, reason or "as before", "window"))


def _settle(machine: RunMachine, index: int, at: float, reason: str, *, skipped: bool) -> None:
    """End a task by a person's word; what was skipped because of it before gets another chance."""
    ledger, name = machine.ledger, machine.plan.names[index]
    chance = lost_because_of(ledger, index) if ledger.state[index] in FINAL else []
    if ledger.state[index] in FINAL:
        reopen(machine, at)
        for i in (index, *chance):
            machine.unfinished += 1
            machine.put_back(i, at, reason)
        chance += withdrawn(machine, recount(machine, [index, *chance]), at, reason)
    if skipped:
        machine.emit(ev.TaskSkipped(at, name, reason))
    else:
        machine.emit(ev.TaskSucceeded(at, name, ledger.attempt[index], reason))
    machine.ended(index, at)
    for i in chance:
        if ledger.state[i] is TaskState.WAITING:
            machine.evaluate(i, at)


def _flaw(machine: RunMachine, command: cmd.Command) -> str:
    """What only the machine can see is wrong with a command."""
    if machine.winding_down and isinstance(
        command, (cmd.RestartTask, cmd.RetryFailed, cmd.SkipTask, cmd.MarkSucceeded, cmd.StartTask, cmd.StartRun)
    ):
        return "everything has ended, and services are being closed; wait until the run is over"
    match command:
        case cmd.ContinueRun() if machine.stopping is not None:
            if machine.winding_down or machine.stopping is not StopReason.CANCEL:
                return f"the run is ending: {machine.ledger.run_reason}"
            return ""
        case cmd.SetPolicy():
            return _policy_flaw(machine, command)
        case cmd.SetBreaker(breaker=name):
            return _breaker_flaw(machine, name, command)
        case cmd.SwapGraph():
            return "the graph of this run cannot be swapped"
        case cmd.ScaleTask(task=task):
            if machine.plan.nodes and f"{task}[0]" in machine.plan.index:
                return f"in a graph of graphs the number of replicas is that of the file: change it where {task} is declared"
            return f"{task} was not declared with replicas"
        case _:
            return ""


def _breaker_flaw(machine: RunMachine, name: str, command: cmd.SetBreaker) -> str:
    before = machine.breakers.spec(name)
    try:
        changed = changed_breaker(before, changes_of(command))
    except (TypeError, ValueError) as error:
        return str(error)
    return "" if changed != before else f"breaker {name} has these settings already"


def _policy_flaw(machine: RunMachine, command: cmd.SetPolicy) -> str:
    try:
        changed = changed_policy(machine.ledger.policies[machine.plan.index[command.task]], policy_changes(command))
    except (TypeError, ValueError) as error:
        return str(error)
    if changed.pool and f"pool:{changed.pool}" not in machine.admission.limits.limit:
        return f"there is no pool {changed.pool!r}"
    return ""


def _set_policy(machine: RunMachine, index: int, command: cmd.SetPolicy, at: float) -> None:
    changes = policy_changes(command)
    machine.emit(ev.PolicyChanged(at, command.task, changes))
    state = machine.ledger.state[index]
    if state is TaskState.BACKOFF and changes.keys() & OF_RETRY and machine.ledger.attempts_used(index):
        retime_backoff(machine, index, at)
    elif state is TaskState.RUNNING and "timeout" in changes:
        machine.may_time_out = True
        check_timeout(machine, index, at)
    machine.may_time_out = machine.may_time_out or "timeout" in changes
    if changes.keys() & {"trigger", "on_upstream_failure"}:
        machine.joins.set_rule(index, machine.ledger.policies[index])
        withdrawn(machine, [index], at, "it starts by another rule now")
        if machine.ledger.state[index] is TaskState.WAITING:
            machine.evaluate(index, at)
    if changes.keys() & {"priority", "cost"}:
        rerank(machine)
    if changes.keys() & {"circuit", "pool"}:
        reassign(machine, index)
    if changes.keys() & OF_RESTART.keys():
        machine.supervised = True
        recount_services(machine)
        reconsider(machine, index, at, "its restart policy has changed")
