"""B15: a report has everything, and is never large."""

from __future__ import annotations

import msgspec
import pytest
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.diagnosis import bounded, policy_text, report
from dagtop.core.escalation import Cause, EscalationReport, Evidence
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.guards import Gate
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.signs import without_ids
from machine_driver import Driver

_LARGEST = 100_000


def attempt(number: int, traceback: str, message: str = "no", error: str = "OddError") -> AttemptRecord:
    failure = Failure(error=error, message=message, traceback=traceback, where="a.py:1 in f")
    return AttemptRecord(number=number, started_at=number, ended_at=number + 0.5, ending="failed", failure=failure)


def attempts_of(made: EscalationReport) -> list[tuple[int, float, float, str, str, str]]:
    return [
        (
            past.number,
            past.started_at,
            past.ended_at - past.started_at,
            past.failure.error,
            past.failure.message,
            past.failure.traceback,
        )
        for past in made.attempts
        if past.failure is not None
    ]


def test_B15_every_attempt_is_told_with_number_start_duration_type_message_and_traceback() -> None:
    driver = Driver({"load": []}, {"load": TaskPolicy(retry=Retry(retries=1, backoff="none"))})
    for n in (1, 2):
        driver.at += 1.5
        failure = Failure(error=f"Error{n}", message=f"text {n}", traceback=f"trace {n}")
        driver.tell(inp.AttemptRaised(driver.at, 0, driver.running.pop(0), failure, True))
    (event,) = driver.of(ev.TaskEscalated)
    assert attempts_of(event.report) == [
        (1, 0.0, 1.5, "Error1", "text 1", "trace 1"),
        (2, 1.5, 1.5, "Error2", "text 2", "trace 2"),
    ]
    assert event.report.attempt_count == 2
    assert (event.report.number, event.report.run, event.report.graph) == (1, "r", "graph")
    assert event.at == event.report.at == 3.0
    assert driver.types("load")[-2:] == ["failed", "escalated"]


def test_B15_attempts_from_before_a_restart_are_not_counted_and_earlier_reports_stay() -> None:
    from dagtop.core import commands as cmd

    driver = Driver({"load": []})
    driver.fail("load", retriable=False)
    driver.command(cmd.RestartTask("load"))
    driver.fail("load", retriable=False)
    driver.command(cmd.RestartTask("load"))
    driver.succeed("load")
    reports = driver.machine.ledger.escalations
    assert [(one.number, one.attempt_count, [past.number for past in one.attempts]) for one in reports] == [
        (1, 1, [1]),
        (2, 1, [2]),
    ]


@pytest.mark.parametrize(
    "text",
    ["x" * 20_000, "é" * 20_000, "\x1b" * 20_000, "\ud800" * 20_000, '"\\' * 10_000, "🙂" * 20_000],
    ids=["plain", "two bytes", "escapes", "surrogates", "quotes", "four bytes"],
)
def test_B15_fifty_huge_tracebacks_make_no_huge_report(text: str) -> None:
    driver = Driver(
        {"load": [], **{f"t{i}": ["load"] for i in range(200)}},
        {"load": TaskPolicy(retry=Retry(retries=59, backoff="none"))},
    )
    driver.at = 1.0
    for n in range(60):
        failure = Failure(
            error=f"E{text[:199]}",
            message=f"{n} {text[:1990]}",
            traceback=f"{n} {text[:19_990]}",
            where=text[:300],
            root=text[:300],
            kinds=tuple(f"{i}{text[:50]}" for i in range(20)),
        )
        driver.tell(inp.AttemptRaised(1.0, 0, driver.running.pop(0), failure, True))
    machine = driver.machine
    evidence = Evidence(inputs={f"{i}{text[:60]}": text[:300] for i in range(40)})
    made = report(machine.ledger, machine.joins, 0, 1, 1.0, evidence)
    encoded = (
        msgspec.json.encode(made) if "\ud800" not in text else str(msgspec.to_builtins(made)).encode("utf-8", "replace")
    )
    assert len(encoded) <= _LARGEST
    assert len(made.attempts) == 50
    assert made.attempt_count == 60
    assert [past.number for past in made.attempts] == list(range(11, 61))
    last = made.attempts[-1].failure
    assert last is not None
    assert len(last.traceback) > 5_000
    assert "characters left out" in made.attempts[-1].failure.traceback or len(last.traceback) > 19_000  # type: ignore[union-attr]


def test_B15_a_traceback_is_told_once_where_room_is_short() -> None:
    same = "frame\n" * 3_000
    kept = bounded([attempt(n, same) for n in range(1, 51)])
    texts = [past.failure.traceback for past in kept if past.failure is not None]
    assert texts == ["(as of attempt 50)"] * 49 + [same]


def test_B15_where_there_is_room_nothing_is_changed() -> None:
    given = [attempt(n, "short trace") for n in range(1, 51)]
    assert list(bounded(given)) == given
    assert all(kept is past for kept, past in zip(bounded(given), given, strict=True))


def test_B15_the_policy_in_force_is_told_as_text() -> None:
    policy = TaskPolicy(
        retry=Retry(retries=3, base=2, cap=30, jitter=0.5, on=(OSError,), not_on=(FileNotFoundError,)),
        timeout=300,
        retry_on_timeout=False,
        trigger="none_failed",
        on_upstream_failure="fail",
        circuit="api",
        pool="db",
        resources={"gpu": 1, "memory": 4},
        gate=Gate(prompt="sure?"),
    )
    assert policy_text(policy) == {
        "retries": "3",
        "backoff": "exponential from 2 s × 2 up to 30 s, less up to 50% by chance",
        "retry_on": "OSError",
        "no_retry_on": "FileNotFoundError",
        "timeout": "5 min 0 s",
        "retry_on_timeout": "no",
        "trigger": "none_failed",
        "on_upstream_failure": "fail",
        "circuit": "api",
        "pool": "db",
        "resources": "gpu 1, memory 4",
        "gate": "sure?",
    }
    assert policy_text(TaskPolicy()) == {
        "retries": "0",
        "timeout": "none",
        "trigger": "all_success",
        "on_upstream_failure": "skip",
    }


def test_B15_the_policy_of_now_is_told_not_that_of_the_beginning() -> None:
    from dagtop.core import commands as cmd

    driver = Driver({"load": []})
    driver.command(cmd.SetPolicy("load", retries=1, backoff="none", timeout=9))
    driver.fail("load", "load")
    (event,) = driver.of(ev.TaskEscalated)
    assert event.report.policy["retries"] == "1"
    assert event.report.policy["timeout"] == "9 s"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("row 17 of 1,000", "row # of #"),
        ("<T at 0x7f3A91>", "<T at #>"),
        ("id 3f2c8a1e-0000-4000-8000-1234567890ab", "id #"),
        ("commit 8229b15c0ffee123", "commit #"),
        ("at 12:05:33.25", "at #"),
        ("deadbeef stays, it has no digit", "deadbeef stays, it has no digit"),
    ],
)
def test_B15_what_is_left_of_a_message_when_errors_are_compared(text: str, without: str) -> None:
    assert without_ids(text) == without


def test_B15_every_cause_has_words() -> None:
    assert all(cause.words for cause in Cause)
