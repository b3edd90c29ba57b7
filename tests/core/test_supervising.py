"""B27 to B29, B32: tasks that are kept up, started again by their policy, and blocked at their ceiling."""

from __future__ import annotations

from typing import Any

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.restart import NO_RESTART
from dagtop.core.states import RunState, TaskState
from machine_driver import Driver
from machine_kept import crash, kept, service


class TestBackoff:
    def test_B28_restart_n_comes_after_0_base_2_base_4_base_and_at_most_cap(self) -> None:
        driver = service(kept("always", base=2.0, cap=9.0))
        assert crash(driver, times=6) == [0.0, 2.0, 4.0, 8.0, 9.0, 9.0]

    def test_B28_the_delay_is_measured_from_the_end_of_the_run_and_not_from_its_start(self) -> None:
        """wave-executor measured from the start: a run longer than the delay was started again at once."""
        driver = service(kept("always", base=2.0, reset_after=1_000.0))
        assert crash(driver, after=100.0, times=4) == [0.0, 2.0, 4.0, 8.0]

    def test_B28_chance_takes_its_share_of_the_delay(self) -> None:
        driver = service(kept("always", base=2.0, jitter=0.5))
        driver.fail("a")
        driver.fail("a", chance=1.0)
        assert driver.of(ev.TaskRestarting)[-1].delay == 1.0

    def test_B28_a_run_of_reset_after_seconds_was_healthy_and_counting_begins_anew(self) -> None:
        """wave-executor had no such reset: a crash a week blocked a service in the end."""
        driver = service(kept(max_restarts=3, base=2.0, reset_after=10.0))
        assert crash(driver, times=3) == [0.0, 2.0, 4.0]
        assert crash(driver, after=10.0) == [0.0]
        assert [(e.restart, e.crashes) for e in driver.of(ev.TaskRestarting)] == [(1, 1), (2, 2), (3, 3), (1, 1)]
        assert crash(driver, after=9.9, times=2) == [2.0, 4.0]
        driver.fail("a")
        assert driver.state("a") is TaskState.BLOCKED

    def test_B28_a_week_of_crashes_once_an_hour_blocks_nothing(self) -> None:
        driver = service(kept(max_restarts=1))
        assert crash(driver, after=3_600.0, times=168) == [0.0] * 168

    def test_B28_no_policy_starts_nothing_again(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(restart=NO_RESTART)}, supervises=True)
        driver.fail("a")
        assert (driver.state("a"), driver.run_state) == (TaskState.FAILED, RunState.FAILED)

    def test_B28_on_failure_leaves_a_success_alone(self) -> None:
        driver = service(kept())
        driver.succeed("a")
        assert (driver.state("a"), driver.run_state) == (TaskState.SUCCEEDED, RunState.SUCCEEDED)

    def test_B28_retries_come_first_and_a_restart_has_all_of_them_again(self) -> None:
        driver = service(kept(retry=Retry(1, base=0.0), base=1.0))
        for _ in range(4):
            driver.fail("a")
        assert driver.types("a")[:8] == [
            *("ready", "started", "retrying", "ready", "started"),
            *("restarting", "ready", "started"),
        ]
        assert len(driver.of(ev.TaskRestarting)) == 2
        assert driver.state("a") is TaskState.BACKOFF

    def test_B28_what_ran_out_of_time_is_started_again(self) -> None:
        driver = service(kept(timeout=5.0))
        driver.advance(5.0)
        driver.stopped("a")
        assert driver.state("a") is TaskState.RUNNING
        assert driver.of(ev.TaskRestarting)[0].timed_out
        assert driver.of(ev.TaskRestarting)[0].failure.error == "TaskTimeoutError"


class TestCeiling:
    @pytest.mark.parametrize("allowed", [0, 1, 2, 7])
    def test_B29_max_restarts_n_allows_n_restarts_and_then_the_task_is_blocked(self, allowed: int) -> None:
        """wave-executor's max_restart_attempts=N counted starts: N-1 restarts."""
        driver = service(kept(max_restarts=allowed, base=0.0))
        for _ in range(allowed + 1):
            assert driver.state("a") is TaskState.RUNNING
            driver.fail("a")
        assert driver.started == ["a"] * (allowed + 1)
        assert driver.state("a") is TaskState.BLOCKED
        assert driver.run_state is RunState.FAILED

    def test_B29_by_default_that_is_5_on_failure_and_no_end_of_them_always(self) -> None:
        driver = service(kept(base=0.0))
        for _ in range(6):
            driver.fail("a")
        assert driver.state("a") is TaskState.BLOCKED
        always = service(kept("always", base=0.0))
        for _ in range(60):
            always.fail("a")
        assert always.state("a") is TaskState.RUNNING

    def test_B29_successful_runs_of_always_do_not_count(self) -> None:
        """wave-executor blocked an `always` task after max_restart_attempts good runs."""
        driver = service(kept("always", max_restarts=2, base=0.0, reset_after=1_000.0))
        for _ in range(50):
            driver.succeed("a")
        driver.fail("a")
        driver.succeed("a")
        driver.fail("a")
        assert driver.state("a") is TaskState.RUNNING
        driver.fail("a")
        assert driver.state("a") is TaskState.BLOCKED

    def test_B29_the_reason_tells_how_often_and_what_came_of_it(self) -> None:
        driver = service(kept(max_restarts=2, base=0.0))
        for _ in range(3):
            driver.fail("a")
        assert driver.reason("a") == "restarted 2 times and failed again: ValueError"

    def test_B32_dependents_of_a_blocked_task_are_skipped_and_the_run_ends(self) -> None:
        """With wave-executor they stayed pending for ever, and waiting for them ran into its timeout."""
        driver = Driver({"a": [], "b": ["a"], "c": ["b"]}, {"a": kept(max_restarts=0)}, supervises=True)
        driver.fail("a")
        assert driver.states() == {"a": "blocked", "b": "skipped", "c": "skipped"}
        assert driver.reason("b") == "upstream a blocked"
        assert driver.run_state is RunState.FAILED

    def test_B32_a_run_does_not_end_while_a_restart_is_due(self) -> None:
        """wave-executor said that it was complete: `failed` counted as an end."""
        driver = service(kept(base=100.0))
        driver.fail("a")
        driver.fail("a")
        assert (driver.state("a"), driver.run_state) == (TaskState.BACKOFF, RunState.RUNNING)
        assert driver.machine.next_due() == 60.0


class TestAnotherChance:
    @pytest.fixture
    def blocked(self) -> Driver:
        """`a` is blocked at its ceiling of 1; `b` was skipped because of it, and `c` has nothing to do with them."""
        driver = Driver(
            {"a": [], "b": ["a"], "c": []}, {"a": kept(max_restarts=1, base=4.0), "c": kept("always")}, supervises=True
        )
        driver.fail("a")
        driver.fail("a")
        assert driver.states() == {"a": "blocked", "b": "skipped", "c": "running"}
        return driver

    def test_B29_raising_the_ceiling_unblocks_and_allows_as_many_more(self, blocked: Driver) -> None:
        """wave-executor's blocked tasks stayed blocked whatever the ceiling became."""
        blocked.command(cmd.SetPolicy("a", max_restarts=3))
        assert blocked.states() == {"a": "running", "b": "waiting", "c": "running"}
        blocked.fail("a")
        assert blocked.of(ev.TaskRestarting)[-1].restart == 3
        blocked.advance(8.0)
        blocked.fail("a")
        assert blocked.state("a") is TaskState.BLOCKED
        assert blocked.started.count("a") == 1 + 3
        assert blocked.started.count("c") == 1

    def test_B29_taking_the_ceiling_away_unblocks(self, blocked: Driver) -> None:
        blocked.command(cmd.SetPolicy("a", max_restarts=-1, restart="always"))
        for _ in range(20):
            crash(blocked)
        assert blocked.state("a") is TaskState.RUNNING

    def test_B29_a_ceiling_that_is_raised_too_little_unblocks_nothing(self, blocked: Driver) -> None:
        blocked.command(cmd.SetPolicy("a", max_restarts=0))
        assert blocked.state("a") is TaskState.BLOCKED

    def test_B29_a_change_of_the_graph_unblocks_by_its_new_ceiling(self, blocked: Driver) -> None:
        blocked.change("a new version", policies={"a": kept(max_restarts=2)})
        assert blocked.states() == {"a": "running", "b": "waiting", "c": "running"}
        blocked.fail("a")
        assert blocked.state("a") is TaskState.BLOCKED

    @pytest.mark.parametrize("command", [cmd.RestartTask("a"), cmd.StartTask("a"), cmd.StartRun(), cmd.RetryFailed()])
    def test_B29_a_person_unblocks_and_restarts_are_counted_from_the_beginning(
        self, blocked: Driver, command: cmd.Command
    ) -> None:
        blocked.command(command)
        assert blocked.states() == {"a": "running", "b": "waiting", "c": "running"}
        blocked.fail("a")
        assert (blocked.state("a"), blocked.of(ev.TaskRestarting)[-1].restart) == (TaskState.RUNNING, 1)
        blocked.succeed("a")
        assert blocked.state("b") is TaskState.RUNNING

    def test_B29_it_does_so_too_when_everything_has_come_to_its_end(self) -> None:
        driver = service(kept(max_restarts=0))
        driver.fail("a")
        assert driver.run_state is RunState.FAILED
        driver.command(cmd.SetPolicy("a", max_restarts=1))
        assert (driver.run_state, driver.state("a")) == (RunState.RUNNING, TaskState.RUNNING)
        driver.succeed("a")
        assert driver.run_state is RunState.SUCCEEDED

    def test_B29_a_task_that_failed_without_a_policy_runs_again_by_a_new_one(self) -> None:
        driver = service(TaskPolicy())
        driver.fail("a")
        driver.command(cmd.SetPolicy("a", restart="on-failure", max_restarts=1))
        assert driver.state("a") is TaskState.RUNNING
        driver.fail("a")
        assert driver.state("a") is TaskState.BLOCKED


class TestPolicyChanges:
    """B25 in a task that waits for its restart."""

    def backing_off(self, **options: Any) -> Driver:
        driver = service(kept(**{"base": 8.0, "max_restarts": 4} | options))
        crash(driver, times=1)
        driver.advance(1.0)
        driver.fail("a")
        driver.advance(3.0)
        assert driver.state("a") is TaskState.BACKOFF
        return driver

    def test_B25_another_backoff_counts_from_the_end_of_the_last_run(self) -> None:
        driver = self.backing_off()
        driver.command(cmd.SetPolicy("a", restart_backoff=5.0))
        assert driver.machine.ledger.due_at[0] == 1.0 + 5.0
        driver.advance(1.9)
        assert driver.state("a") is TaskState.BACKOFF
        driver.advance(0.1)
        assert driver.state("a") is TaskState.RUNNING

    def test_B25_a_shorter_backoff_that_is_over_starts_it_now(self) -> None:
        driver = self.backing_off()
        driver.command(cmd.SetPolicy("a", restart_cap=1.0))
        driver.advance(0.0)
        assert driver.state("a") is TaskState.RUNNING

    def test_B25_a_longer_one_holds_it_back(self) -> None:
        driver = self.backing_off()
        driver.command(cmd.SetPolicy("a", restart_backoff=30.0))
        driver.advance(26.9)
        assert driver.state("a") is TaskState.BACKOFF
        driver.advance(0.2)
        assert driver.state("a") is TaskState.RUNNING

    def test_B25_a_policy_of_no_restarts_ends_it_as_its_last_run_ended(self) -> None:
        driver = self.backing_off()
        driver.command(cmd.SetPolicy("a", restart="no"))
        assert driver.state("a") is TaskState.FAILED
        late = service(kept(timeout=1.0, base=8.0))
        for _ in range(2):
            late.advance(1.0)
            late.stopped("a")
        late.command(cmd.SetPolicy("a", restart="no"))
        assert late.state("a") is TaskState.TIMED_OUT

    @pytest.mark.parametrize("policy", ["no", "on-failure"])
    def test_B25_a_success_that_was_to_be_followed_by_another_run_is_one(self, policy: str) -> None:
        driver = service(kept("always", base=8.0))
        driver.succeed("a", "a")
        assert driver.state("a") is TaskState.BACKOFF
        driver.command(cmd.SetPolicy("a", restart=policy))
        assert (driver.state("a"), driver.run_state) == (TaskState.SUCCEEDED, RunState.SUCCEEDED)

    def test_B25_a_ceiling_below_the_restarts_that_it_has_had_blocks_it(self) -> None:
        driver = self.backing_off()
        driver.command(cmd.SetPolicy("a", max_restarts=2))
        assert driver.state("a") is TaskState.BACKOFF
        driver.command(cmd.SetPolicy("a", max_restarts=1))
        assert driver.state("a") is TaskState.BLOCKED
        assert driver.reason("a") == "restarted once and failed again: ValueError"

    def test_B25_a_task_that_waits_for_a_retry_keeps_its_retries_whatever_its_restarts_become(self) -> None:
        """It was ended, with its retries left, because it had been restarted before."""
        driver = service(kept(retry=Retry(1, base=5.0)))
        driver.fail("a")
        driver.advance(5.0)
        driver.fail("a")
        driver.fail("a")
        assert driver.state("a") is TaskState.BACKOFF
        driver.command(cmd.SetPolicy("a", restart="no"))
        assert driver.state("a") is TaskState.BACKOFF
        driver.advance(5.0)
        assert driver.state("a") is TaskState.RUNNING

    def test_B25_a_change_of_retries_leaves_a_task_alone_that_waits_for_its_restart(self) -> None:
        """After a success there was no failure to make a retry of: the run broke down."""
        driver = service(kept("always", base=8.0))
        driver.succeed("a", "a")
        driver.command(cmd.SetPolicy("a", retries=3, base=0.1))
        assert (driver.state("a"), driver.machine.ledger.due_at[0]) == (TaskState.BACKOFF, 8.0)

    def test_B25_always_brings_back_what_had_come_to_a_good_end(self) -> None:
        driver = service(kept())
        driver.succeed("a")
        driver.command(cmd.SetPolicy("a", restart="always"))
        assert (driver.state("a"), driver.run_state) == (TaskState.RUNNING, RunState.RUNNING)

    @pytest.mark.parametrize("state", ["waiting", "ready", "held", "running", "cancelling"])
    def test_B25_elsewhere_it_counts_when_the_run_ends(self, state: str) -> None:
        driver = Driver({"up": [], "a": ["up"]}, {"a": kept(max_restarts=0)}, supervises=True)
        if state == "held":
            driver.command(cmd.HoldTask("a"))
        if state == "ready":
            driver.command(cmd.PauseRun())
        if state != "waiting":
            driver.succeed("up")
        if state == "cancelling":
            driver.command(cmd.RestartTask("a"))
        assert driver.state("a") == state
        driver.command(cmd.SetPolicy("a", max_restarts=1, restart_backoff=0.0))
        assert driver.state("a") == state
        driver.succeed(*driver.running_names() - {"a"})
        if state == "held":
            driver.command(cmd.ReleaseTask("a"))
        if state == "ready":
            driver.command(cmd.ContinueRun())
        if state == "cancelling":
            driver.stopped("a")
        driver.fail("a")
        assert driver.state("a") is TaskState.RUNNING
        driver.fail("a")
        assert driver.state("a") is TaskState.BLOCKED
