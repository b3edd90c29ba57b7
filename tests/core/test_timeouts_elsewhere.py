"""Timeouts of attempts that run outside of the engine's process: their clock begins with the task's body (B13)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dagtop.core import inputs as inp
from dagtop.core.instructions import StopAttempt
from dagtop.core.machine import RunMachine
from dagtop.core.policy import BackendName, Retry, RunPolicy, TaskPolicy
from dagtop.core.states import TaskState
from machine_driver import plan_of

NO = inp.Failure(error="ValueError", message="no")


def begun(
    *, retries: int = 0, cleans_up: bool = False, backend: BackendName | None = BackendName.PROCESS
) -> RunMachine:
    """A run of one task with a timeout of 5 s, which was started at 0."""
    policy = TaskPolicy(timeout=5.0, retry=Retry(retries=retries, backoff="none"))
    plan = plan_of({"far": []}, {"far": policy}, cleans_up=["far"] if cleans_up else [])
    machine = RunMachine(replace(plan, backends={0: backend} if backend else {}), RunPolicy())
    machine.handle(inp.Begin(0.0, run="r", started_at=0.0))
    return machine


def stopped(machine: RunMachine, at: float) -> bool:
    return any(isinstance(one, StopAttempt) for one in machine.handle(inp.Tick(at)))


@pytest.mark.parametrize("backend", [BackendName.PROCESS, BackendName.DASK])
def test_B13_what_waits_for_a_worker_does_not_run_out_of_time(backend: BackendName) -> None:
    machine = begun(backend=backend)
    assert not stopped(machine, 100.0)
    machine.handle(inp.AttemptBegan(100.0, 0, 1))
    assert machine.next_due() == 105.0
    assert not stopped(machine, 104.0)
    assert stopped(machine, 105.0)


def test_B13_the_clock_of_each_attempt_is_its_own() -> None:
    machine = begun(retries=1)
    machine.handle(inp.AttemptBegan(1.0, 0, 1))
    machine.handle(inp.AttemptRaised(2.0, 0, 1, NO, retriable=True))
    machine.handle(inp.Tick(2.0))
    assert (machine.ledger.state[0], machine.ledger.attempt[0]) == (TaskState.RUNNING, 2)
    machine.handle(inp.AttemptBegan(3.0, 0, 1))
    assert not stopped(machine, 50.0), "that was the attempt before"
    machine.handle(inp.AttemptBegan(51.0, 0, 2))
    assert stopped(machine, 56.0)


def test_B13_a_setup_which_runs_here_is_on_the_clock_and_so_is_what_runs_here() -> None:
    assert stopped(begun(cleans_up=True), 5.0)
    assert stopped(begun(backend=None), 5.0)


def test_B13_a_word_of_an_attempt_that_is_over_changes_nothing() -> None:
    machine = begun()
    machine.handle(inp.AttemptSucceeded(1.0, 0, 1))
    before = machine.next_due()
    machine.handle(inp.AttemptBegan(2.0, 0, 1))
    assert machine.next_due() == before
