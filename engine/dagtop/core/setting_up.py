"""What must be set up before the first task starts: the doors stay closed until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import inputs as inp
from dagtop.core.instructions import SetUp, StopReason
from dagtop.core.states import RunState
from dagtop.core.stopping import stop_run

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def open_doors(machine: RunMachine) -> None:
    """Let tasks start: at once, or when the graph's setup is over."""
    machine.setting_up = machine.plan.sets_up
    machine.starts_allowed = not machine.setting_up and machine.ledger.run_state is RunState.RUNNING
    if machine.setting_up:
        machine.instruct(SetUp())


def set_up_ended(machine: RunMachine, event: inp.SetUpEnded) -> None:
    """The graph's setup is over. If it failed, no task runs. One that was stopped, as nothing was left to do, has not failed."""
    if not machine.setting_up:
        return
    machine.setting_up = False
    if machine.stopping is None and not machine.winding_down:
        if event.failure is None:
            machine.starts_allowed = machine.ledger.run_state is RunState.RUNNING
        else:
            why = f"the graph's setup failed: {event.failure.error}: {event.failure.message}"
            stop_run(machine, event.at, StopReason.SETUP, why, cancel=False)
    machine.fill(event.at)
