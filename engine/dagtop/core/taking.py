"""What comes of the inputs that are no outcomes of attempts: most of them let something start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import ending
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.asking import answered
from dagtop.core.growing import change_graph
from dagtop.core.states import TaskState
from dagtop.core.steering import obey

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def consulted(machine: RunMachine, event: inp.Consulted) -> None:
    """The runtime was asked about a task, and answers."""
    answered(machine, event)
    machine.fill(event.at)


def teardown_ended(machine: RunMachine, event: inp.TeardownEnded) -> None:
    """What was set up for a task is torn down."""
    if machine.cleanup is None or event.index not in machine.cleanup.running:
        return
    machine.emit(ev.TaskTornDown(event.at, machine.plan.names[event.index], event.failure))
    machine.tear_down(machine.cleanup.torn_down(event.index), event.at)
    if machine.ledger.state[event.index] is TaskState.WAITING and machine.stopping is None:
        machine.evaluate(event.index, event.at)
    machine.fill(event.at)


def wound_down(machine: RunMachine, event: inp.WoundDown) -> None:
    """What there was to close is closed."""
    ending.wound_down(machine, event.at)


def breaker_moved(machine: RunMachine, event: inp.BreakerMoved) -> None:
    """A breaker lets through more, or less, than before."""
    machine.admission.moved(event.at)
    machine.admission.unblock(f"breaker:{event.breaker}")  # a probe that was given back is no transition
    machine.fill(event.at)


def expecting(machine: RunMachine, event: inp.Expecting) -> None:
    """Others say whether something is to start over by itself."""
    machine.expects_more = event.more
    machine.fill(event.at)


def graph_given(machine: RunMachine, event: inp.GraphGiven) -> None:
    """The graph has grown, or is another version."""
    change_graph(machine, event)
    machine.fill(event.at)


def command_given(machine: RunMachine, event: inp.CommandGiven) -> None:
    """A person, or the program, gives a command."""
    obey(machine, event)
    machine.fill(event.at)
