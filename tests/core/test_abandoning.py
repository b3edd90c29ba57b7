"""B22: a task that was told to stop and does not is waited for no longer, on a person's word."""

from __future__ import annotations

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.states import RunState
from dagtop.core.states import TaskState as S
from machine_driver import Driver


def test_B22_one_task_is_abandoned_and_the_run_goes_on() -> None:
    driver = Driver({"a": [], "b": [], "c": ["a"]})
    driver.command(cmd.CancelTask("a"))
    driver.command(cmd.AbandonTask("a"))
    assert driver.state("a") is S.CANCELLED
    assert driver.state("b") is S.RUNNING
    assert driver.state("c") is S.SKIPPED
    assert driver.of(ev.TaskCancelled)[-1].failure.error == "Abandoned"
    driver.succeed("b")
    assert driver.run_state is not RunState.RUNNING


def test_B22_what_was_not_told_to_stop_is_not_abandoned() -> None:
    driver = Driver({"a": [], "b": ["a"]})
    driver.command(cmd.AbandonTask("a"))
    assert "cancel it first" in driver.of(ev.CommandRefused)[-1].reason
    driver.command(cmd.AbandonTask("b"))
    assert "does not run" in driver.of(ev.CommandRefused)[-1].reason
    driver.command(cmd.AbandonTask("nobody"))
    assert "there is no task" in driver.of(ev.CommandRefused)[-1].reason


def test_B22_one_that_is_to_run_again_does_so_when_it_is_abandoned() -> None:
    driver = Driver({"a": []})
    driver.command(cmd.RestartTask("a"))
    assert driver.state("a") is S.CANCELLING
    driver.command(cmd.AbandonTask("a"))
    assert driver.state("a") is S.RUNNING
