"""B15 and B29: what people are told of a task that fails again however often it is started again."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.escalation import Cause, EscalationReport
from dagtop.core.failure import Failure
from dagtop.core.policy import Retry
from dagtop.core.restart import Probe
from machine_driver import Driver
from machine_kept import crash, kept, service


def reports(driver: Driver) -> list[EscalationReport]:
    return [event.report for event in driver.of(ev.TaskEscalated)]


def test_B15_five_crashes_in_a_row_are_a_crash_loop_and_people_are_told_while_it_goes_on() -> None:
    driver = Driver({"a": [], "b": ["a"]}, {"a": kept("always")}, supervises=True)
    crash(driver, after=1.0, times=4)
    assert not reports(driver)
    crash(driver, after=1.0, times=6)
    (made,) = reports(driver)
    assert (made.state, made.cause, made.attempt_count) == ("backoff", Cause.REPEATED, 5)
    assert made.summary == "Crash loop: 5 crashes in 12 s; ValueError: no: a bug, or input that it cannot take."
    assert "The next restart comes in 8 s." in made.evidence
    assert any("command stop" in option for option in made.options)
    assert not any("max_restarts" in option for option in made.options)
    assert made.blocks == ("b",)


def test_B29_a_blocked_task_is_told_of_with_all_its_attempts_and_how_to_unblock_it() -> None:
    driver = Driver({"a": [], "b": ["a"]}, {"a": kept(max_restarts=2, base=1.0)}, supervises=True)
    crash(driver, after=1.0, times=2)
    driver.advance(1.0)
    driver.fail("a")
    (made,) = reports(driver)
    assert (made.state, made.attempt_count, len(made.attempts)) == ("blocked", 3, 3)
    assert made.summary.startswith("Crash loop: 2 restarts in 4 s; ValueError: no")
    assert any("Raise max_restarts= above 2" in option for option in made.options)
    assert not any("no_retry_on" in option or "retries=" in option for option in made.options)
    assert made.policy["restart"].startswith("on-failure, at most 2 times, after 0 s, 1 s")


def test_B29_a_task_that_may_not_be_restarted_at_all_is_in_no_loop() -> None:
    driver = service(kept(max_restarts=0))
    driver.fail("a")
    (made,) = reports(driver)
    assert made.summary.startswith("ValueError: no")


def test_B15_after_a_healthy_run_earlier_crashes_are_not_told_any_more() -> None:
    driver = service(kept(max_restarts=1, reset_after=10.0))
    crash(driver, after=11.0, times=7)
    driver.fail("a")
    (made,) = reports(driver)
    assert made.attempt_count == 2
    assert made.summary.startswith("One restart in 11 s; ")


def test_B15_a_restart_by_a_person_begins_another_story() -> None:
    driver = service(kept(max_restarts=1, base=0.0))
    driver.fail("a", "a")
    driver.command(cmd.RestartTask("a"))
    driver.fail("a", "a")
    assert [made.attempt_count for made in reports(driver)] == [2, 2]


def test_B15_with_retries_the_attempts_of_every_life_are_told() -> None:
    driver = service(kept(max_restarts=1, base=0.0, retry=Retry(1, base=0.0)))
    driver.fail("a", "a", "a", "a")
    (made,) = reports(driver)
    assert [past.number for past in made.attempts] == [1, 2, 3, 4]


@pytest.mark.parametrize("on_stop", [None, Failure(error="OSError", message="closed")])
def test_B31_a_task_that_was_not_well_is_told_of_as_one(on_stop: Failure | None) -> None:
    """What it raised when it was told to stop took the place of why it was."""
    driver = service(kept(max_restarts=1, alive=Probe(threshold=1, timeout=2.0)))
    for _ in range(2):
        driver.advance(5.0)
        driver.probe("a", "alive", ok=False, said="no answer within 2 s")
        driver.stopped("a", failure=on_stop)
    (made,) = reports(driver)
    assert (made.cause, made.cause.words) == (Cause.UNWELL, "not well")
    assert made.summary.startswith("One restart in 10 s; it ran, and was not well: liveness probe failed: no answer")
    assert ("then OSError: closed" in made.summary) is (on_stop is not None)
    assert made.evidence[0] == "Both attempts were stopped because of its liveness probe."
    assert any("Probe(timeout=)" in option for option in made.options)
    assert any("ready=" in option for option in made.options)


def test_B15_a_service_that_does_not_answer_is_to_blame_also_in_a_loop() -> None:
    driver = service(kept("always"))
    refused = Failure(error="ConnectionRefusedError", message="no")
    for _ in range(5):
        driver.advance(60.0)
        driver.tell(inp.AttemptRaised(driver.at, 0, driver.running.pop(0), refused, True))
        driver.command(cmd.SetPolicy("a", reset_after=1_000.0))
    (made,) = reports(driver)
    assert made.cause is Cause.UNAVAILABLE
    assert "; a service that it needs does not answer" in made.summary
    assert any("restart_backoff=" in option for option in made.options)
