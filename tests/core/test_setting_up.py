"""B36 in the machine alone: what must be set up before the first task starts."""

from __future__ import annotations

import pytest
from dagtop import Graph
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.failure import Failure
from dagtop.core.instructions import SetUp, StartAttempt, WindDown
from dagtop.core.invariants import check_invariants
from dagtop.core.machine import RunMachine
from dagtop.core.policy import RunPolicy
from dagtop.core.states import RunState, TaskState


@pytest.fixture
def machine() -> RunMachine:
    graph = Graph("g", setup=lambda: None).add("a", lambda: 1).add("b", lambda: 2)
    return RunMachine(graph.validate(), RunPolicy())


def begin(machine: RunMachine) -> None:
    assert machine.handle(inp.Begin(0.0, run="r", started_at=0.0)) == [SetUp()]


def give(machine: RunMachine, at: float, command: cmd.Command) -> list[object]:
    return list(machine.handle(inp.CommandGiven(at, command, 1, "test")))


def test_B36_tasks_start_when_the_setup_is_over(machine: RunMachine) -> None:
    begin(machine)
    assert machine.handle(inp.SetUpEnded(1.0)) == [StartAttempt(0, 1), StartAttempt(1, 1)]
    assert machine.handle(inp.SetUpEnded(2.0)) == [], "a second answer does not count"


def test_B36_if_it_fails_nothing_starts_and_the_run_has_failed(machine: RunMachine) -> None:
    begin(machine)
    assert machine.handle(inp.SetUpEnded(1.0, Failure(error="OSError", message="no"))) == [WindDown()]
    assert machine.ledger.state == [TaskState.CANCELLED] * 2
    machine.handle(inp.WoundDown(2.0))
    assert machine.ledger.run_state is RunState.FAILED
    assert machine.ledger.run_reason == "the graph's setup failed: OSError: no"
    check_invariants(machine)


def test_B22_a_pause_outlasts_the_setup_and_its_end_does_not_come_before_it(machine: RunMachine) -> None:
    begin(machine)
    give(machine, 0.1, cmd.PauseRun())
    assert give(machine, 0.2, cmd.ContinueRun()) == []
    give(machine, 0.3, cmd.PauseRun())
    assert machine.handle(inp.SetUpEnded(1.0)) == []
    assert len(give(machine, 2.0, cmd.ContinueRun())) == 2


def test_B23_a_run_that_is_cancelled_while_it_is_set_up_closes_and_a_late_answer_changes_nothing(
    machine: RunMachine,
) -> None:
    begin(machine)
    assert give(machine, 0.1, cmd.CancelRun()) == [WindDown()]
    assert machine.handle(inp.SetUpEnded(0.2, Failure(error="Cancelled", message=""))) == []
    machine.handle(inp.WoundDown(0.3))
    assert machine.ledger.run_state is RunState.CANCELLED
    assert sum(isinstance(event, ev.RunFinished) for event in machine.outbox) == 1


def test_B24_a_run_that_is_opened_again_is_set_up_again(machine: RunMachine) -> None:
    begin(machine)
    machine.handle(inp.SetUpEnded(1.0))
    machine.handle(inp.AttemptSucceeded(2.0, 0, 1))
    assert machine.handle(inp.AttemptSucceeded(2.0, 1, 1)) == [WindDown()]
    machine.handle(inp.WoundDown(3.0))
    assert give(machine, 4.0, cmd.RestartTask("a")) == [SetUp()]
    assert machine.handle(inp.SetUpEnded(5.0)) == [StartAttempt(0, 2)]
    check_invariants(machine)
