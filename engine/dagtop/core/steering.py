"""Commands carried out on the machine: each is refused with a reason or applied, and answered either way."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.blast import policy_changes, radius, restarted_with
from dagtop.core.instructions import StopReason
from dagtop.core.joins import Verdict
from dagtop.core.ledger import changed_policy
from dagtop.core.retrying import retime_backoff
from dagtop.core.states import ACTIVE, FINAL, GOOD, TaskState
from dagtop.core.topology import reach

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine

#: Who gives the commands of the console: in a reason that is "by hand", as it is when a person cancels the whole run.
_A_PERSON = "console"


def obey(machine: RunMachine, event: inp.CommandGiven) -> None:
    """Answer a command: `CommandRefused`, or `CommandApplied` followed by what it causes."""
    command, at = event.command, event.at
    effect = radius(machine.ledger, command)
    refusal = effect.refusal
    if not refusal and isinstance(command, cmd.SetPolicy):
        refusal = _policy_flaw(machine, command)
    if refusal:
        machine.emit(ev.CommandRefused(at, command, event.id, event.by, refusal))
        return
    machine.emit(ev.CommandApplied(at, command, event.id, event.by, effect.summary))
    _carry_out(machine, command, at, "hand" if event.by == _A_PERSON else event.by)


def _carry_out(machine: RunMachine, command: cmd.Command, at: float, by: str) -> None:
    match command:
        case cmd.CancelTask(task=name):
            _cancel(machine, machine.plan.index[name], at, f"cancelled by {by}")
        case cmd.RestartTask(task=name, downstream=downstream):
            _restart(machine, machine.plan.index[name], at, by, downstream=downstream)
        case cmd.HoldTask(task=name):
            machine.emit(ev.TaskHeld(at, name))
        case cmd.ReleaseTask(task=name):
            _release(machine, machine.plan.index[name], at)
        case cmd.PauseRun():
            machine.starts_allowed = False
            machine.emit(ev.RunPaused(at))
        case cmd.ContinueRun():
            machine.starts_allowed = True
            machine.emit(ev.RunContinued(at))
        case cmd.DrainRun():
            machine.stop_run(at, StopReason.CANCEL, f"drained by {by}", cancel=False)
        case cmd.CancelRun(reason=reason):
            machine.stop_run(at, StopReason.CANCEL, reason, cancel=True)
        case cmd.AbandonRun():
            machine.abandon_told(at)
        case cmd.SetMaxParallel(limit=limit):
            machine.emit(ev.LimitChanged(at, limit, f"set by {by}"))
        case cmd.SetPolicy(task=name):
            _set_policy(machine, machine.plan.index[name], command, at)
        case _ as unreachable:
            assert_never(unreachable)


def _cancel(machine: RunMachine, index: int, at: float, reason: str) -> None:
    if machine.ledger.state[index] in ACTIVE:
        machine.stop_attempt(index, at, StopReason.CANCEL, reason)
    else:
        machine.cancel_unstarted(index, at, reason)


def _release(machine: RunMachine, index: int, at: float) -> None:
    machine.emit(ev.TaskReleased(at, machine.plan.names[index]))
    if machine.ledger.state[index] is TaskState.HELD:
        machine.become_ready(index, at)


def _restart(machine: RunMachine, index: int, at: float, by: str, *, downstream: bool) -> None:
    """Put tasks back to the beginning, then ask the trigger rules again, upstream first."""
    ledger, names = machine.ledger, machine.plan.names
    if machine.is_over:
        machine.stopping = None
        machine.starts_allowed = True
        machine.emit(ev.RunReopened(at))
    chosen = restarted_with(ledger, index, downstream=downstream)
    reason = f"restarted by {by}"
    put_back: list[int] = []
    for i in chosen:
        state = ledger.state[i]
        if state in ACTIVE:
            machine.stop_attempt(i, at, StopReason.RESTART, reason)
        else:
            machine.unfinished += state in FINAL
            machine.emit(ev.TaskRestarted(at, names[i], reason))
            put_back.append(i)
    if not downstream:
        for i in sorted(reach(machine.plan.downstream, [index])):
            if ledger.state[i] in GOOD or ledger.state[i] in ACTIVE:
                machine.emit(ev.TaskStale(at, names[i], names[index]))
    fed = sorted({below for i in put_back for below in machine.plan.downstream[i]})
    for i in (*put_back, *fed):
        machine.joins.recount(i, ledger.state)
    put_back += _withdrawn(machine, fed, at, reason)
    for i in put_back:
        if ledger.state[i] is TaskState.WAITING:
            machine.evaluate(i, at)


def _withdrawn(machine: RunMachine, fed: list[int], at: float, reason: str) -> list[int]:
    """Tasks that were about to start on results that are being made anew: they wait for them again."""
    states, found = machine.ledger.state, []
    for index in fed:
        about_to_start = states[index] in (TaskState.READY, TaskState.HELD, TaskState.BACKOFF)
        if about_to_start and machine.joins.verdict(index) is not Verdict.START:
            machine.emit(ev.TaskRestarted(at, machine.plan.names[index], reason))
            found.append(index)
    return found


def _policy_flaw(machine: RunMachine, command: cmd.SetPolicy) -> str:
    try:
        changed_policy(machine.ledger.policies[machine.plan.index[command.task]], policy_changes(command))
    except ValueError as error:
        return str(error)
    return ""


def _set_policy(machine: RunMachine, index: int, command: cmd.SetPolicy, at: float) -> None:
    changes = policy_changes(command)
    machine.emit(ev.PolicyChanged(at, command.task, changes))
    state = machine.ledger.state[index]
    if state is TaskState.BACKOFF and set(changes) - {"timeout"}:
        retime_backoff(machine, index, at)
    elif state is TaskState.RUNNING and "timeout" in changes:
        machine.restart_timer(index, at)
    machine.may_time_out = machine.may_time_out or "timeout" in changes
