"""B11, B13, B14: what endings do to what is downstream, in every mix; and tasks that skip themselves or ask to be tried later."""

from __future__ import annotations

from itertools import product

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.policy import Retry, RunPolicy, TaskPolicy
from dagtop.core.states import RunState, TaskState
from machine_driver import BROKEN, Driver

S = TaskState
OK, BAD, SKIP, STOP = "ok", "failed", "skipped", "cancelled"
_ENDS = (OK, BAD, SKIP, STOP)


def end(driver: Driver, name: str, how: str) -> None:
    match how:
        case "ok":
            driver.succeed(name)
        case "failed":
            driver.fail(name, retriable=False)
        case "skipped":
            driver.skip(name)
        case _:
            driver.command(cmd.CancelTask(name))
            driver.stopped(name)


def starts(trigger: str, ends: tuple[str, ...]) -> bool:
    """Whether a task starts once its upstream has ended like that: the rules' words, once more."""
    match trigger:
        case "all_success":
            return all(how == OK for how in ends)
        case "any_success":
            return OK in ends
        case "all_done":
            return True
        case _:
            return BAD not in ends and STOP not in ends


class TestTriggers:
    @pytest.mark.parametrize("trigger", ["all_success", "any_success", "all_done", "none_failed"])
    @pytest.mark.parametrize("otherwise", ["skip", "fail", "run"])
    @pytest.mark.parametrize("ends", list(product(_ENDS, repeat=2)), ids="-".join)
    def test_B13_every_rule_with_every_mix_of_two_endings(
        self, trigger: str, otherwise: str, ends: tuple[str, str]
    ) -> None:
        policy = TaskPolicy(trigger=trigger, on_upstream_failure=otherwise)
        driver = Driver({"a": [], "b": [], "join": ["a", "b"], "after": ["join"]}, {"join": policy})
        for name, how in zip("ab", ends, strict=True):
            end(driver, name, how)
        if starts(trigger, ends) or otherwise == "run":
            assert driver.state("join") is S.RUNNING
            return
        assert driver.state("join") is (S.SKIPPED if otherwise == "skip" else S.FAILED)
        assert driver.state("after") is S.SKIPPED
        assert driver.types("join")[-1] == ("skipped" if otherwise == "skip" else "escalated")

    def test_B13_any_success_starts_with_the_first_and_gives_up_with_the_last(self) -> None:
        driver = Driver({"a": [], "b": [], "c": [], "any": ["a", "b", "c"]}, {"any": TaskPolicy(trigger="any_success")})
        end(driver, "a", BAD)
        end(driver, "b", SKIP)
        assert driver.state("any") is S.WAITING
        end(driver, "c", OK)
        assert driver.state("any") is S.RUNNING

    def test_B13_any_success_does_not_wait_for_the_others(self) -> None:
        driver = Driver({"a": [], "b": [], "any": ["a", "b"]}, {"any": TaskPolicy(trigger="any_success")})
        end(driver, "b", OK)
        assert driver.running_names() == {"a", "any"}

    def test_B13_none_failed_takes_a_join_after_an_if_else_along_a_chain_of_skips(self) -> None:
        tasks = {"if": [], "yes": ["if"], "yes2": ["yes"], "no": ["if"], "join": ["yes2", "no"]}
        driver = Driver(tasks, {"join": TaskPolicy(trigger="none_failed")})
        end(driver, "if", OK)
        end(driver, "yes", SKIP)
        assert driver.state("yes2") is S.SKIPPED
        end(driver, "no", OK)
        assert driver.state("join") is S.RUNNING

    def test_B13_a_skip_that_follows_from_a_failure_does_not_count_as_one_for_what_is_further_down(self) -> None:
        """Each rule looks at its own upstream only: what was skipped because of a failure was skipped."""
        driver = Driver({"a": [], "b": ["a"], "c": ["b"]}, {"c": TaskPolicy(trigger="none_failed")})
        end(driver, "a", BAD)
        assert driver.state("b") is S.SKIPPED
        assert driver.state("c") is S.RUNNING

    def test_B13_a_failure_reaches_downstream_while_its_other_upstream_still_runs(self) -> None:
        driver = Driver({"a": [], "slow": [], "join": ["a", "slow"], "end": ["join"]})
        end(driver, "a", BAD)
        assert (driver.state("join"), driver.state("end")) == (S.SKIPPED, S.SKIPPED)
        assert driver.running_names() == {"slow"}

    def test_B13_a_failing_task_on_upstream_failure_fail_fails_all_that_say_so_below_it(self) -> None:
        fails = TaskPolicy(on_upstream_failure="fail")
        driver = Driver({"a": [], "b": ["a"], "c": ["b"]}, {"b": fails, "c": fails})
        end(driver, "a", BAD)
        assert set(driver.states().values()) == {S.FAILED}
        assert [event.failure.message for event in driver.of(ev.TaskFailed)] == [
            "no",
            "upstream a failed",
            "upstream b failed",
        ]


class TestFailFast:
    def test_B14_a_task_that_skips_itself_is_no_failure(self) -> None:
        driver = Driver({"a": [], "b": [], "c": ["b"]}, fail_fast=True)
        end(driver, "a", SKIP)
        end(driver, "b", OK)
        assert driver.state("c") is S.RUNNING

    def test_B14_a_task_that_a_person_stops_is_no_failure(self) -> None:
        driver = Driver({"a": [], "b": [], "c": ["b"]}, fail_fast=True)
        end(driver, "a", STOP)
        end(driver, "b", OK)
        assert driver.state("c") is S.RUNNING

    def test_B14_only_the_last_attempt_counts(self) -> None:
        retry = TaskPolicy(retry=Retry(retries=1, backoff="none"))
        driver = Driver({"a": [], "b": [], "c": ["b"]}, {"a": retry}, fail_fast=True)
        driver.fail("a")
        end(driver, "b", OK)
        assert driver.running_names() == {"a", "c"}
        driver.fail("a")
        assert driver.run_state is RunState.DRAINING

    def test_B14_what_runs_is_not_tried_again_and_its_downstream_does_not_start(self) -> None:
        retry = TaskPolicy(retry=Retry(retries=5, backoff="none"))
        driver = Driver({"a": [], "b": [], "c": ["b"], "d": []}, {"b": retry}, fail_fast=True)
        end(driver, "a", BAD)
        driver.fail("b")
        assert driver.state("b") is S.FAILED
        end(driver, "d", OK)
        assert driver.state("c") is S.CANCELLED
        assert driver.run_state is RunState.FAILED


class TestSkip:
    def test_B13_a_task_that_skips_itself_says_why_and_is_not_tried_again(self) -> None:
        driver = Driver({"a": [], "b": ["a"]}, {"a": TaskPolicy(retry=Retry(retries=5, backoff="none"))})
        driver.skip("a", reason="nothing new")
        assert driver.state("a") is S.SKIPPED
        assert driver.reason("a") == "nothing new"
        assert driver.reason("b") == "upstream a was skipped"
        assert driver.run_state is RunState.SUCCEEDED
        assert driver.of(ev.TaskEscalated) == []

    def test_B24_a_task_that_skipped_itself_can_be_restarted(self) -> None:
        driver = Driver({"a": [], "b": ["a"]})
        driver.skip("a")
        driver.command(cmd.RestartTask("a", downstream=True))
        driver.succeed("a", "b")
        assert set(driver.states().values()) == {S.SUCCEEDED}

    def test_B23_a_task_that_skips_itself_when_it_is_told_to_stop_is_stopped(self) -> None:
        driver = Driver({"a": []})
        driver.command(cmd.CancelTask("a"))
        driver.skip("a")
        assert driver.state("a") is S.CANCELLED


class TestRetryAfter:
    def again(self, driver: Driver, after: float | None, *, retriable: bool = True, chance: float = 0.5) -> None:
        attempt = driver.running.pop(0)
        driver.tell(inp.AttemptRaised(driver.at, 0, attempt, BROKEN, retriable, chance, after))

    def test_B11_its_delay_replaces_that_of_the_policy_whatever_cap_and_jitter_say(self) -> None:
        retry = Retry(retries=3, base=1, cap=2, jitter=1.0)
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=retry)})
        self.again(driver, 100.0)
        self.assert_waits(driver, 100.0)

    def assert_waits(self, driver: Driver, seconds: float) -> None:
        assert driver.of(ev.TaskRetrying)[-1].delay == seconds
        driver.advance(seconds * 0.999)
        assert driver.state("a") is (S.BACKOFF if seconds else S.RUNNING)
        driver.advance(seconds * 0.001 + 1e-9)
        assert driver.state("a") is S.RUNNING

    def test_B11_it_uses_up_a_retry_and_the_next_delay_is_the_policys_again(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=2, base=4, factor=3))})
        self.again(driver, 7.0)
        self.assert_waits(driver, 7.0)
        self.again(driver, None)
        self.assert_waits(driver, 12.0)
        self.again(driver, 7.0)
        assert driver.state("a") is S.FAILED
        assert driver.of(ev.TaskFailed)[0].failure is BROKEN

    def test_B24_a_task_that_is_restarted_out_of_it_backs_off_by_its_policy_again(self) -> None:
        """The hour that an attempt before the restart had asked for was waited for after the next one."""
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=5, base=1.0))})
        driver.fail("a", retry_after=3600.0)
        driver.command(cmd.RestartTask("a"))
        driver.fail("a")
        assert driver.of(ev.TaskRetrying)[-1].delay == 1.0

    def test_B11_none_at_all_is_at_once(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=1, base=50))})
        self.again(driver, 0.0)
        assert driver.state("a") is S.RUNNING

    def test_B25_a_change_of_backoff_does_not_touch_a_delay_that_the_task_asked_for(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=1, base=50))})
        self.again(driver, 10.0)
        driver.advance(1.0)
        driver.command(cmd.SetPolicy("a", base=1.0))
        assert driver.machine.ledger.due_at[0] == 10.0

    def test_B25_taking_its_retries_away_ends_it(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=1, base=50))})
        self.again(driver, 10.0)
        driver.command(cmd.SetPolicy("a", retries=0))
        assert driver.state("a") is S.FAILED
        assert driver.types("a")[-1] == "escalated"


class TestRetries:
    def test_B11_a_retry_object_that_tasks_share_counts_for_each_alone(self) -> None:
        shared = TaskPolicy(retry=Retry(retries=2, backoff="none"))
        driver = Driver({"a": [], "b": []}, {"a": shared, "b": shared})
        driver.fail("a", "a", "b")
        assert driver.running_names() == {"a", "b"}
        driver.fail("a")
        assert driver.state("a") is S.FAILED
        driver.fail("b")
        assert driver.state("b") is S.RUNNING

    @pytest.mark.parametrize("chance", [0.0, 0.25, 0.999])
    def test_B11_jitter_takes_away_its_share_by_chance(self, chance: float) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=1, base=8, jitter=0.5))})
        driver.fail("a", chance=chance)
        assert driver.of(ev.TaskRetrying)[0].delay == 8 * (1 - 0.5 * chance)

    def test_B11_what_may_not_be_tried_again_fails_with_retries_left(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=9, backoff="none"))})
        driver.fail("a", retriable=False)
        assert driver.state("a") is S.FAILED
        (event,) = driver.of(ev.TaskEscalated)
        assert event.report.attempt_count == 1

    @pytest.mark.parametrize(
        ("given", "kept"),
        [(OSError, (OSError,)), ([OSError], (OSError,)), ((OSError, KeyError), (OSError, KeyError)), ((), ())],
    )
    def test_B11_exception_types_are_given_alone_or_as_several(
        self, given: type | tuple[type, ...], kept: tuple[type, ...]
    ) -> None:
        retry = Retry(on=given, not_on=given)  # type: ignore[arg-type]  # that is what is tested
        assert (retry.on, retry.not_on) == (kept, kept)

    @pytest.mark.parametrize("given", ["OSError", OSError(), (OSError, 3), int, None])
    def test_B11_anything_else_is_an_error_that_says_so(self, given: object) -> None:
        with pytest.raises(ValueError, match="must be exception types, not"):
            Retry(on=given)  # type: ignore[arg-type]  # that is what is tested


def test_B14_the_default_is_to_keep_going() -> None:
    assert RunPolicy().fail_fast is False
