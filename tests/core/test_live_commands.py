"""B22 to B25: what a person may ask of a run, in the machine alone."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.policy import OnUpstreamFailure, Retry, TaskPolicy, Trigger
from dagtop.core.states import RunState, TaskState
from machine_driver import BROKEN, Driver

_CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
_PAIR: dict[str, list[str]] = {"a": [], "b": []}
S = TaskState


def done(tasks: dict[str, list[str]], **options: object) -> Driver:
    """A run in which everything has succeeded."""
    driver = Driver(tasks, **options)  # type: ignore[arg-type]
    while driver.running:
        driver.succeed(min(driver.running_names()))
    assert driver.run_state is RunState.SUCCEEDED
    return driver


def refused(driver: Driver, command: cmd.Command) -> str:
    """The reason of a refusal; nothing else may have happened."""
    before = len(driver.events)
    answer = driver.command(command)
    assert isinstance(answer, ev.CommandRefused), answer
    assert len(driver.events) == before + 1
    return answer.reason


def applied(driver: Driver, command: cmd.Command) -> str:
    answer = driver.command(command)
    assert isinstance(answer, ev.CommandApplied), answer
    return answer.effect


class TestCancel:
    def test_B23_a_running_task_is_told_to_stop_and_the_rest_goes_on(self) -> None:
        driver = Driver({"a": [], "b": [], "after_a": ["a"]})
        assert applied(driver, cmd.CancelTask("a")) == "a is told to stop, 1 task after it will be skipped"
        assert driver.state("a") is S.CANCELLING
        assert driver.machine.active == 2, "it holds its slot until it has stopped"
        driver.stopped("a")
        assert driver.state("a") is S.CANCELLED
        assert (driver.state("after_a"), driver.reason("after_a")) == (S.SKIPPED, "upstream a was cancelled")
        driver.succeed("b")
        assert driver.run_state is RunState.CANCELLED

    def test_B23_while_it_stops_it_is_known_since_when(self) -> None:
        driver = Driver({"a": [], "b": []})
        driver.advance(2.0)
        driver.command(cmd.CancelTask("a"))
        driver.advance(3.0)
        driver.command(cmd.CancelRun())
        assert driver.machine.ledger.cancelling_at == {0: 2.0, 1: 5.0}
        driver.stopped("a")
        driver.succeed("b")
        assert driver.machine.ledger.cancelling_at == {}

    def test_B23_a_reason_is_the_same_whether_a_person_cancels_a_task_or_the_run(self) -> None:
        driver = Driver({"a": [], "b": []})
        answer = driver.command(cmd.CancelTask("a"), by="console")
        driver.command(cmd.CancelRun(), by="console")
        assert (driver.reason("a"), driver.reason("b")) == ("cancelled by hand", "cancelled by hand")
        assert answer.by == "console"

    def test_B23_a_second_cancel_is_refused_and_says_why(self) -> None:
        driver = Driver(_CHAIN)
        applied(driver, cmd.CancelTask("a"))
        assert "still cleaning up" in refused(driver, cmd.CancelTask("a"))

    def test_B23_what_it_raised_while_stopping_is_kept(self) -> None:
        driver = Driver(_CHAIN)
        applied(driver, cmd.CancelTask("a"))
        driver.stopped("a", failure=BROKEN)
        assert driver.of(ev.TaskCancelled)[0].failure == BROKEN

    @pytest.mark.parametrize("how", ["waiting", "ready", "held", "backoff"])
    def test_B22_a_task_that_does_not_run_is_cancelled_at_once(self, how: str) -> None:
        driver = Driver(
            {"first": [], "it": ["first"] if how == "waiting" else []},
            {"it": TaskPolicy(retry=Retry(retries=1, base=5.0), priority=1 if how == "backoff" else 0)},
            max_parallel=1,
        )
        if how == "held":
            driver.command(cmd.HoldTask("it"))
        if how == "backoff":
            driver.fail("it")
        assert driver.state("it").value == how
        applied(driver, cmd.CancelTask("it"))
        assert driver.state("it") is S.CANCELLED
        driver.succeed("first")
        assert driver.run_state is RunState.CANCELLED

    def test_B22_a_task_that_has_ended_cannot_be_cancelled(self) -> None:
        driver = Driver(_CHAIN)
        driver.succeed("a")
        assert refused(driver, cmd.CancelTask("a")) == "a has ended already (succeeded)"

    def test_B22_a_task_that_is_not_there_is_refused(self) -> None:
        assert refused(Driver(_CHAIN), cmd.CancelTask("zzz")) == "there is no task 'zzz'"


class TestRestart:
    def test_B24_alone_it_runs_again_and_downstream_keeps_its_results_and_is_stale(self) -> None:
        driver = done(_CHAIN)
        applied(driver, cmd.RestartTask("a"))
        assert driver.run_state is RunState.RUNNING
        assert driver.running_names() == {"a"}
        assert driver.machine.ledger.stale == {1, 2}
        driver.succeed("a")
        assert (driver.started, driver.run_state) == (["a", "b", "c", "a"], RunState.SUCCEEDED)
        assert len(driver.of(ev.RunFinished)) == 2

    def test_B24_downstream_that_runs_on_old_results_is_stale_too(self) -> None:
        driver = Driver(_CHAIN)
        driver.succeed("a")
        applied(driver, cmd.RestartTask("a"))
        assert driver.running_names() == {"a", "b"}
        assert driver.machine.ledger.stale == {1}

    def test_B24_with_downstream_everything_after_it_runs_again(self) -> None:
        driver = done({**_CHAIN, "other": []})
        driver.command(cmd.RestartTask("b", downstream=True))
        assert driver.running_names() == {"b"}
        assert driver.state("c") is S.WAITING
        driver.succeed("b")
        driver.succeed("c")
        assert driver.run_state is RunState.SUCCEEDED
        assert [driver.machine.ledger.attempt[i] for i in range(4)] == [1, 2, 2, 1]
        assert not driver.machine.ledger.stale

    def test_B24_what_runs_downstream_is_stopped_first(self) -> None:
        driver = Driver(_CHAIN)
        driver.succeed("a")
        driver.command(cmd.RestartTask("a", downstream=True))
        assert driver.state("b") is S.CANCELLING
        assert driver.running_names() == {"a", "b"}
        driver.stopped("b")
        assert driver.state("b") is S.WAITING
        driver.succeed("a")
        assert driver.running_names() == {"b"}
        driver.succeed("b", "c")
        assert driver.run_state is RunState.SUCCEEDED

    def test_B24_a_running_task_is_stopped_and_starts_over(self) -> None:
        driver = Driver(_PAIR)
        driver.command(cmd.RestartTask("a"))
        driver.stopped("a")
        assert driver.running == {0: 2, 1: 1}

    def test_B24_a_task_that_ended_just_before_it_could_be_stopped_starts_over_all_the_same(self) -> None:
        driver = Driver(_PAIR)
        driver.command(cmd.RestartTask("a"))
        driver.succeed("a")
        assert driver.running == {0: 2, 1: 1}

    def test_B24_a_restart_gives_all_retries_again(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=1, backoff="none"))})
        driver.fail("a", "a")
        assert driver.state("a") is S.FAILED
        driver.command(cmd.RestartTask("a"))
        driver.fail("a")
        assert driver.running == {0: 4}, "attempts go on counting"

    def test_B24_in_its_backoff_it_starts_at_once(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=50.0))})
        driver.fail("a")
        driver.command(cmd.RestartTask("a"))
        assert driver.running == {0: 2}
        driver.advance(60)
        driver.succeed("a")
        assert driver.run_state is RunState.SUCCEEDED

    def test_B24_a_skipped_downstream_stays_skipped_when_the_restart_is_alone(self) -> None:
        driver = Driver(_CHAIN)
        driver.fail("a")
        assert driver.state("c") is S.SKIPPED
        driver.command(cmd.RestartTask("a"))
        driver.succeed("a")
        assert (driver.run_state, driver.state("b")) == (RunState.SUCCEEDED, S.SKIPPED)
        driver.command(cmd.RestartTask("b", downstream=True))
        driver.succeed("b", "c")
        assert driver.states() == {"a": S.SUCCEEDED, "b": S.SUCCEEDED, "c": S.SUCCEEDED}

    def test_B24_it_is_refused_where_it_could_only_be_skipped_again(self) -> None:
        driver = Driver(_CHAIN)
        driver.fail("a")
        assert refused(driver, cmd.RestartTask("c")) == (
            "its upstream b did not succeed; restart that one with its downstream"
        )

    def test_B24_what_has_not_run_cannot_be_restarted(self) -> None:
        assert refused(Driver(_CHAIN), cmd.RestartTask("c")) == "c has not run yet (waiting)"

    @pytest.mark.parametrize("how", ["ready", "held", "backoff"])
    def test_B24_what_was_about_to_start_waits_for_the_new_results(self, how: str) -> None:
        """The restarted task's downstream was about to start; it must not start on results that are made anew."""
        driver = Driver({"a": [], "b": ["a"]}, {"b": TaskPolicy(retry=Retry(base=5.0))})
        driver.command(cmd.HoldTask("b")) if how == "held" else None
        driver.command(cmd.PauseRun()) if how == "ready" else None
        driver.succeed("a")
        driver.fail("b") if how == "backoff" else None
        assert driver.state("b").value == how
        driver.command(cmd.RestartTask("a"))
        assert driver.state("b") is S.WAITING

    def test_B24_a_retry_waits_for_an_upstream_that_was_restarted_meanwhile(self) -> None:
        """b ran on a's old result when a was restarted, and failed: its next attempt is for the new result."""
        driver = Driver({"a": [], "b": ["a"]}, {"b": TaskPolicy(retry=Retry(base=1.0))})
        driver.succeed("a")
        driver.command(cmd.RestartTask("a"))
        driver.fail("b")
        driver.advance(1.0)
        assert (driver.state("b"), driver.running_names()) == (S.WAITING, {"a"})
        driver.fail("a")
        assert (driver.state("b"), driver.reason("b")) == (S.SKIPPED, "upstream a failed")

    def test_B24_a_task_lost_to_two_upstreams_is_not_forgotten(self) -> None:
        """It was put back to wait after the rules had been asked, and then nothing ever asked again: the run hung."""
        tasks = {"a": [], "b": ["a"], "x": [], "c": ["b", "x"], "d": ["c", "a"]}
        policies = {"d": TaskPolicy(trigger=Trigger.ANY_SUCCESS, on_upstream_failure=OnUpstreamFailure.SKIP)}
        driver = Driver(tasks, policies, max_parallel=1)
        driver.succeed("a")
        driver.command(cmd.HoldTask("d"))
        driver.command(cmd.RestartTask("a", downstream=True))
        while driver.running:
            name = min(driver.running_names())
            driver.fail(name) if name in {"x", "a"} else driver.succeed(name)
        assert driver.run_state is RunState.FAILED

    def test_B25_whether_it_can_start_is_judged_by_the_rule_in_force(self) -> None:
        """A restart was refused by the rule of the file, after the rule had been changed by hand."""
        driver = Driver({"a": [], "b": [], "c": ["a"]})
        driver.fail("a")
        driver.command(cmd.SetPolicy("c", trigger="all_done"))
        assert applied(driver, cmd.RestartTask("c")) == "c runs again"
        assert driver.running_names() == {"b", "c"}


class TestHold:
    def test_B22_a_held_task_does_not_start_and_holds_no_slot(self) -> None:
        driver = Driver({"a": [], "b": [], "c": []}, max_parallel=1)
        driver.command(cmd.HoldTask("b"))
        driver.succeed("a")
        assert driver.running_names() == {"c"}
        assert applied(driver, cmd.ReleaseTask("b")) == "b may start"
        driver.succeed("c", "b")
        assert driver.run_state is RunState.SUCCEEDED

    def test_B22_a_hold_on_a_waiting_task_takes_effect_when_its_time_comes(self) -> None:
        driver = Driver(_CHAIN)
        driver.command(cmd.HoldTask("b"))
        assert driver.state("b") is S.WAITING
        driver.succeed("a")
        assert driver.state("b") is S.HELD
        assert driver.types("b") == ["held", "ready", "held"]
        driver.command(cmd.ReleaseTask("b"))
        assert driver.running_names() == {"b"}

    def test_B22_a_hold_says_who_gave_it_also_when_its_time_comes(self) -> None:
        driver = Driver({**_CHAIN, "d": ["a"]})
        driver.command(cmd.HoldTask("b"), by="console")
        driver.command(cmd.HoldTask("d"), by="ann@there")
        driver.succeed("a")
        assert [(e.task, e.by) for e in driver.events if isinstance(e, ev.TaskHeld)] == [
            ("b", "hand"),
            ("d", "ann@there"),
            ("b", "hand"),
            ("d", "ann@there"),
        ]
        driver.command(cmd.ReleaseTask("d"))
        assert driver.machine.ledger.held == {1: "hand"}

    def test_B22_a_hold_on_a_task_in_backoff_keeps_its_next_attempt(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=1.0))})
        driver.fail("a")
        driver.command(cmd.HoldTask("a"))
        driver.advance(5)
        assert driver.state("a") is S.HELD
        driver.command(cmd.ReleaseTask("a"))
        assert driver.running == {0: 2}

    def test_B22_a_hold_outlives_a_restart_of_what_is_upstream(self) -> None:
        driver = Driver(_CHAIN)
        driver.command(cmd.HoldTask("b"))
        driver.succeed("a")
        driver.command(cmd.RestartTask("a"))
        driver.succeed("a")
        assert driver.state("b") is S.HELD

    def test_B22_what_makes_no_sense_is_refused(self) -> None:
        driver = Driver(_CHAIN)
        assert "runs already" in refused(driver, cmd.HoldTask("a"))
        assert refused(driver, cmd.ReleaseTask("b")) == "b is not held"
        driver.command(cmd.HoldTask("b"))
        assert refused(driver, cmd.HoldTask("b")) == "b is held already"
        driver.succeed("a")
        assert "nothing to hold" in refused(driver, cmd.HoldTask("a"))


class TestPolicy:
    def test_B25_a_shorter_backoff_counts_from_the_end_of_the_last_attempt(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=60.0))})
        driver.advance(1)
        driver.fail("a")
        driver.advance(2)
        driver.command(cmd.SetPolicy("a", base=5.0))
        assert driver.machine.ledger.due_at == {0: 6.0}
        driver.advance(2.5)
        assert not driver.running
        driver.advance(0.5)
        assert driver.running == {0: 2}

    def test_B25_a_backoff_of_an_attempt_that_ended_at_the_very_beginning(self) -> None:
        """An end at 0.0 seconds was taken for none, and the delay counted from the command."""
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=60.0))})
        driver.fail("a")
        driver.advance(2)
        driver.command(cmd.SetPolicy("a", base=5.0))
        assert driver.machine.ledger.due_at == {0: 5.0}

    def test_B25_a_backoff_that_is_over_by_the_new_policy_ends_at_once(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=60.0))})
        driver.fail("a")
        driver.advance(10)
        driver.command(cmd.SetPolicy("a", backoff="none"))
        driver.advance(0)
        assert driver.running == {0: 2}

    def test_B25_a_longer_backoff_is_waited_for(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=1.0))})
        driver.fail("a")
        driver.command(cmd.SetPolicy("a", base=10.0))
        driver.advance(9)
        assert driver.state("a") is S.BACKOFF
        driver.advance(1)
        assert driver.running == {0: 2}

    def test_B25_the_jitter_of_a_delay_is_not_thrown_anew(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=10.0, jitter=1.0))})
        driver.fail("a", chance=0.75)
        assert driver.machine.ledger.due_at == {0: 2.5}
        driver.command(cmd.SetPolicy("a", base=20.0))
        assert driver.machine.ledger.due_at == {0: 5.0}

    @pytest.mark.parametrize(("timed_out", "ending"), [(False, S.FAILED), (True, S.TIMED_OUT)])
    def test_B25_no_retry_left_ends_a_task_in_its_backoff_as_its_last_attempt_did(
        self, timed_out: bool, ending: TaskState
    ) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(base=9.0), timeout=1.0)})
        if timed_out:
            driver.advance(1)
            driver.stopped("a")
        else:
            driver.fail("a")
        driver.command(cmd.SetPolicy("a", retries=0))
        assert (driver.state("a"), driver.run_state) == (ending, RunState.FAILED)

    def test_B25_more_retries_save_a_task_before_its_last_attempt_ends(self) -> None:
        driver = Driver(_CHAIN)
        driver.command(cmd.SetPolicy("a", retries=1, backoff="none"))
        driver.fail("a")
        assert driver.running == {0: 2}

    def test_B25_a_new_timeout_counts_for_the_attempt_that_runs(self) -> None:
        driver = Driver(_CHAIN)
        driver.advance(5)
        driver.command(cmd.SetPolicy("a", timeout=8.0))
        driver.advance(2.5)
        assert driver.state("a") is S.RUNNING
        driver.command(cmd.SetPolicy("a", timeout=2.0))
        assert driver.state("a") is S.CANCELLING

    def test_B25_a_longer_timeout_or_none_lets_the_attempt_go_on(self) -> None:
        driver = Driver(_PAIR, {name: TaskPolicy(timeout=1.0) for name in "ab"})
        driver.command(cmd.SetPolicy("a", timeout=3.0))
        driver.command(cmd.SetPolicy("b", timeout=0.0))
        driver.advance(2.9)
        assert driver.running_names() == {"a", "b"}
        assert not driver.told
        driver.advance(10)
        assert driver.told == {0}

    @pytest.mark.parametrize(
        "command",
        [
            cmd.SetPolicy("a"),
            cmd.SetPolicy("a", retries=-1),
            cmd.SetPolicy("a", timeout=-1.0),
            cmd.SetPolicy("a", timeout=float("nan")),
            cmd.SetPolicy("a", backoff="sometimes"),
            cmd.SetPolicy("a", jitter=2.0),
            cmd.SetPolicy("a", factor=0.5),
            cmd.SetPolicy("a", cap=float("inf")),
            cmd.SetPolicy("a", base=10**400),  # no float is so large: it once ended the engine
            cmd.SetPolicy("a", timeout=10**400),
            cmd.SetPolicy("a", jitter="much"),  # type: ignore[arg-type]
            cmd.SetPolicy("a", factor="big"),  # type: ignore[arg-type]
            cmd.SetMaxParallel(0),
            cmd.SetMaxParallel(-3),
            cmd.SetMaxParallel(2.5),  # type: ignore[arg-type]
            cmd.SetMaxParallel("9"),  # type: ignore[arg-type]
            cmd.SetMaxParallel(True),
            cmd.CancelTask(["a"]),  # type: ignore[arg-type]  # cannot be a key: it once ended the engine
            cmd.HoldTask(None),  # type: ignore[arg-type]
        ],
    )
    def test_B22_values_out_of_range_are_refused_with_the_reason(self, command: cmd.Command) -> None:
        assert refused(Driver(_CHAIN), command)

    def test_B22_a_cost_that_was_set_is_taken_away_again(self) -> None:
        """To undo it there was only 1, which is no answer: with earlier runs, a declared cost goes before what they took."""
        driver = Driver(_CHAIN)
        driver.command(cmd.SetPolicy("c", cost=7.0))
        assert driver.machine.ledger.policies[2].cost == 7
        answer = driver.command(cmd.SetPolicy("c", cost=-1))
        assert isinstance(answer, ev.CommandApplied)
        assert answer.effect.endswith("no cost of its own")
        assert driver.machine.ledger.policies[2].cost is None
        assert "cost" in refused(driver, cmd.SetPolicy("c", cost=-2))
