"""B27 to B29: restarts by policy together with everything else that a task may need or have."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.guards import Breaker, Gate, Pool
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Probe
from dagtop.core.states import RunState, TaskState
from machine_driver import BROKEN, Driver
from machine_kept import kept, service


def test_B27_a_finished_dependency_starts_its_dependents_in_the_same_step() -> None:
    """wave-executor looked once a poll: a chain of ten took ten polls."""
    names = [f"t{i}" for i in range(10)]
    driver = Driver(
        {name: names[i - 1 : i] for i, name in enumerate(names)}, dict.fromkeys(names, kept()), supervises=True
    )
    for name in names:
        assert driver.running_names() == {name}
        driver.succeed(name)
    assert (driver.at, driver.run_state) == (0.0, RunState.SUCCEEDED)


def test_B28_a_task_that_waits_for_its_restart_holds_no_slot_and_no_place() -> None:
    policies = {"a": kept(pool="db", base=5.0), "b": TaskPolicy(pool="db")}
    driver = Driver({"a": [], "b": []}, policies, max_parallel=1, pools={"db": Pool(1)}, supervises=True)
    driver.fail("a")
    assert driver.running_names() == {"a"}
    driver.fail("a")
    assert driver.running_names() == {"b"}
    driver.advance(5.0)
    assert driver.state("a") is TaskState.READY


def test_B28_a_hold_keeps_a_restart_back_and_a_pause_too() -> None:
    driver = service(kept(base=5.0))
    driver.fail("a")
    driver.fail("a")
    driver.command(cmd.HoldTask("a"))
    driver.advance(5.0)
    assert driver.state("a") is TaskState.HELD
    driver.command(cmd.PauseRun())
    driver.command(cmd.ReleaseTask("a"))
    assert driver.state("a") is TaskState.READY
    driver.command(cmd.ContinueRun())
    assert driver.state("a") is TaskState.RUNNING


def test_B28_a_gate_is_passed_once_and_again_only_when_a_person_starts_the_task_over() -> None:
    driver = service(kept(gate=Gate(prompt="go?")))
    driver.command(cmd.ApproveTask("a"))
    driver.fail("a")
    assert driver.state("a") is TaskState.RUNNING
    driver.command(cmd.RestartTask("a"))
    driver.stopped("a")
    assert driver.state("a") is TaskState.HELD


@pytest.mark.parametrize("on_open", ["wait", "fail"])
def test_B20_a_task_that_is_kept_up_waits_for_its_breaker_and_does_not_end_there(on_open: str) -> None:
    breaker = Breaker("api", failure_threshold=1, recovery_timeout=30.0, on_open=on_open)
    driver = service(kept(circuit="api", base=1.0), breakers={"api": breaker})
    driver.fail("a")
    assert driver.state("a") is TaskState.READY
    driver.advance(30.0)
    assert driver.state("a") is TaskState.RUNNING
    driver.succeed("a")
    assert driver.run_state is RunState.SUCCEEDED


def test_B20_a_breaker_that_opens_does_not_cut_the_delay_of_a_restart_short() -> None:
    driver = service(kept(circuit="api", base=8.0), breakers={"api": Breaker("api", failure_threshold=9)})
    driver.fail("a")
    driver.fail("a")
    driver.command(cmd.TripBreaker("api"))
    assert driver.state("a") is TaskState.BACKOFF
    driver.command(cmd.ResetBreaker("api"))
    driver.advance(8.0)
    assert driver.state("a") is TaskState.RUNNING


def test_B36_between_restarts_nothing_is_torn_down_and_once_it_is_blocked_it_is() -> None:
    driver = Driver({"a": []}, {"a": kept(max_restarts=1, base=3.0)}, cleans_up=["a"], supervises=True)
    driver.fail("a")
    assert not driver.tearing
    driver.fail("a")
    assert driver.state("a") is TaskState.BLOCKED
    driver.torn_down("a")
    assert driver.run_state is RunState.FAILED


def test_B36_what_was_torn_down_is_set_up_again_for_a_task_that_is_unblocked() -> None:
    policies = {"db": kept(), "a": kept(max_restarts=0)}
    driver = Driver({"db": [], "a": ["db"]}, policies, cleans_up=["db"], supervises=True)
    driver.succeed("db")
    driver.fail("a")
    driver.torn_down("db")
    driver.command(cmd.SetPolicy("a", max_restarts=2))
    assert driver.states() == {"db": "running", "a": "waiting"}


def test_B28_a_run_that_reaches_its_timeout_starts_nothing_again() -> None:
    driver = service(kept("always"), run_timeout=10.0)
    driver.advance(10.0)
    driver.stopped("a", failure=BROKEN)
    assert (driver.state("a"), driver.run_state) == (TaskState.TIMED_OUT, RunState.TIMED_OUT)


def test_B28_a_drained_run_lets_a_run_end_and_starts_nothing_again() -> None:
    driver = Driver({"a": [], "b": []}, {"a": kept("always"), "b": kept(base=9.0)}, supervises=True)
    driver.fail("b")
    driver.fail("b")
    driver.command(cmd.DrainRun())
    assert driver.states() == {"a": "cancelling", "b": "cancelled"}
    driver.stopped("a")
    assert driver.run_state is RunState.CANCELLED


def test_B28_a_drained_reconciler_lets_jobs_finish_and_then_stops_its_services() -> None:
    """It was DRAINING for ever."""
    policies = {"db": kept("always"), "job": kept(), "later": kept()}
    driver = Driver({"db": [], "job": ["db"], "later": ["job"]}, policies, supervises=True)
    driver.say_ready("db")
    answer = driver.command(cmd.DrainRun())
    assert isinstance(answer, ev.CommandApplied)
    assert answer.effect == "1 task may finish, 1 task will not run, then 1 service is stopped"
    assert driver.states() == {"db": "running", "job": "running", "later": "cancelled"}
    driver.succeed("job")
    assert driver.state("db") is TaskState.CANCELLING
    driver.stopped("db")
    assert driver.states() == {"db": "succeeded", "job": "succeeded", "later": "cancelled"}
    assert driver.run_state is RunState.CANCELLED


def test_B26_a_run_that_was_drained_and_has_not_ended_goes_on_and_nothing_is_lost() -> None:
    policies = {"db": kept("always"), "job": kept(), "later": kept(), "down": kept()}
    driver = Driver({"db": [], "job": ["db"], "later": ["job"], "down": ["db"]}, policies, supervises=True)
    driver.say_ready("db")
    driver.command(cmd.StopTask("down"))
    driver.stopped("down")
    driver.command(cmd.DrainRun())
    driver.succeed("job")
    assert driver.state("db") is TaskState.CANCELLING
    answer = driver.command(cmd.ContinueRun())
    assert isinstance(answer, ev.CommandApplied)
    assert answer.effect == "the run is not drained any more, 1 task that was not to run may run"
    driver.stopped("db")
    driver.say_ready("db")
    assert driver.states() == {"db": "running", "job": "succeeded", "later": "running", "down": "cancelled"}
    driver.succeed("later")
    assert driver.run_state is RunState.RUNNING


def test_B26_a_run_that_ends_for_another_reason_does_not_go_on() -> None:
    driver = Driver({"a": [], "b": []}, fail_fast=True)
    driver.fail("b")
    answer = driver.command(cmd.ContinueRun())
    assert isinstance(answer, ev.CommandRefused)
    assert answer.reason == "the run is ending: fail_fast: b failed"


def test_B28_the_fifth_crash_in_a_row_is_told_to_people_and_so_is_the_end() -> None:
    driver = service(kept(base=0.0))
    for _ in range(4):
        driver.fail("a")
    assert not driver.of(ev.TaskEscalated)
    driver.fail("a")
    assert [e.report.state for e in driver.of(ev.TaskEscalated)] == ["backoff"]
    driver.fail("a")
    assert driver.of(ev.TaskEscalated)[-1].report.state == "blocked"


def test_B29_fail_fast_counts_a_blocked_task_and_no_restart() -> None:
    driver = Driver({"a": [], "b": [], "c": ["b"]}, {"a": kept(max_restarts=1)}, supervises=True, fail_fast=True)
    driver.fail("a")
    assert driver.run_state is RunState.RUNNING
    driver.fail("a")
    driver.succeed("b")
    assert driver.states() == {"a": "blocked", "b": "succeeded", "c": "cancelled"}


def test_B28_a_probe_alone_does_not_start_a_task_again() -> None:
    driver = service(TaskPolicy(alive=Probe(threshold=1)))
    driver.advance(0.0)
    driver.probe("a", "alive", ok=False)
    driver.stopped("a")
    assert driver.state("a") is TaskState.FAILED


def test_B32_one_that_was_to_be_started_again_and_whose_upstream_was_stopped_is_skipped_with_that_reason() -> None:
    """It "started over, since its upstream runs again", and was skipped in the same moment."""
    driver = Driver({"api": [], "worker": ["api"]}, {"api": kept("always"), "worker": kept(base=9.0)}, supervises=True)
    driver.say_ready("api")
    driver.fail("worker")
    driver.fail("worker")
    assert driver.state("worker") is TaskState.BACKOFF
    driver.command(cmd.StopTask("api"))
    driver.stopped("api")
    driver.advance(20.0)
    assert driver.state("worker") is TaskState.SKIPPED
    assert "restarted" not in driver.types("worker")
    driver.command(cmd.StartTask("api"))
    driver.say_ready("api")
    assert driver.states() == {"api": "running", "worker": "running"}
