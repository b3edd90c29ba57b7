"""B15: causes told apart from evidence, and options that fit them; by the machine and the ledger alone."""

from __future__ import annotations

from typing import Any

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.diagnosis import report
from dagtop.core.escalation import Cause, EscalationReport, Evidence
from dagtop.core.failure import Failure
from dagtop.core.guards import Gate
from dagtop.core.joins import Joins
from dagtop.core.ledger import Ledger
from dagtop.core.policy import Retry, TaskPolicy
from hypothesis import given
from hypothesis import strategies as st
from machine_driver import Driver, plan_of

KEY = Failure(error="KeyError", message="'price'", where="load.py:12 in load", kinds=("LookupError",))
REFUSED = Failure(error="ConnectionRefusedError", message="[Errno 111] no", kinds=("ConnectionError", "OSError"))


def error(name: str, message: str = "", **more: Any) -> Failure:
    return Failure(error=name, message=message, **more)


def fail(driver: Driver, name: str, *failures: Failure, each: float = 1.0) -> EscalationReport:
    """Let a task's attempts take `each` seconds and end in these, the last one for good; what was told of it."""
    index = driver.plan.index[name]
    for failure in failures:
        driver.at += each
        driver.tell(inp.AttemptRaised(driver.at, index, driver.running.pop(index), failure, True))
    return last(driver)


def last(driver: Driver) -> EscalationReport:
    return driver.of(ev.TaskEscalated)[-1].report


def told(
    *failures: Failure, evidence: Evidence | None = None, circuit_state: str = "", **policy: Any
) -> EscalationReport:
    """What is told of one task whose attempts end in these."""
    policy.setdefault("retry", Retry(retries=len(failures) - 1, backoff="none"))
    driver = Driver({"up": [], "load": ["up"]}, {"load": TaskPolicy(**policy)})
    driver.succeed("up")
    made = fail(driver, "load", *failures)
    if evidence is None and not circuit_state:
        return made
    machine = driver.machine
    return report(machine.ledger, machine.joins, 1, 1, driver.at, evidence or Evidence(), circuit_state)


class TestCauses:
    def test_B15_the_same_error_every_time_is_a_bug_or_bad_input(self) -> None:
        made = told(*[error("RuntimeError", "no luck", where="load.py:12 in load")] * 3)
        assert made.cause is Cause.REPEATED
        assert made.summary == ("RuntimeError: no luck, at load.py:12 in load: a bug, or input that it cannot take.")
        assert "All 3 attempts ended in the same error at the same place." in made.evidence
        assert made.options[0] == "Mend load.py:12 in load, or what it works on, then restart load with downstream."
        assert (
            "Set no_retry_on=RuntimeError: trying again changed nothing, and 2 attempts more took 2 s." in made.options
        )

    def test_B15_numbers_addresses_and_ids_do_not_make_it_another_error(self) -> None:
        made = told(
            error(
                "RuntimeError",
                "row 17 of <Table at 0x7f3a91> is 3f2c8a1e-0000-4000-8000-1234567890ab",
                where="a.py:3 in f",
            ),
            error(
                "RuntimeError",
                "row 4 of <Table at 0x55d01c> is 9a00bc1e-1111-4222-8333-ba0987654321",
                where="a.py:3 in f",
            ),
        )
        assert made.cause is Cause.REPEATED

    def test_B15_an_error_that_chance_does_not_bring_about_needs_no_second_time(self) -> None:
        made = told(KEY)
        assert made.cause is Cause.REPEATED
        assert "KeyError is an error that code or data brings about, not chance." in made.evidence
        assert not any("no_retry_on" in option for option in made.options)

    def test_B15_one_error_of_any_other_kind_is_not_called_repeated(self) -> None:
        made = told(error("OddError", "hm"))
        assert made.cause is Cause.FAILED_ONCE
        assert made.evidence == ("There was one attempt, so whether the error comes back is not known.",)
        assert made.options[:2] == (
            "Restart load to see whether it comes back.",
            "Set retries=, so that it is tried again by itself.",
        )

    @pytest.mark.parametrize(
        "second",
        [error("OtherError", "no"), error("OddError", "something else"), error("OddError", "no", where="b.py:9 in g")],
        ids=["another type", "another message", "another place"],
    )
    def test_B15_different_errors_are_intermittent(self, second: Failure) -> None:
        made = told(error("OddError", "no", where="a.py:1 in f"), second, error("OddError", "no", where="a.py:1 in f"))
        assert made.cause is Cause.INTERMITTENT
        assert "Raise retries= above 2." in made.options

    def test_B15_what_does_not_answer_is_unavailable(self) -> None:
        made = told(REFUSED, REFUSED, retry=Retry(retries=1, base=2.0, backoff="none"))
        assert made.cause is Cause.UNAVAILABLE
        assert "Both attempts ended without an answer of the service." in made.evidence
        assert made.options[0] == "See that the service answers, then restart load with downstream."
        assert any("circuit=" in option for option in made.options)

    @pytest.mark.parametrize(
        "failure",
        [
            error("TimeoutError", "timed out"),
            error("requests.exceptions.ConnectTimeout", "pool"),
            error("ApiError", "HTTP 503"),
            error("ApiError", "status code: 502"),
            error("HTTPError", "504 Server Error: Gateway Time-out for url: https://x"),
            error("HTTPStatusError", "Server error '500 Internal Server Error' for url"),
            error("ApiError", "429 Too Many Requests"),
            error("OSError", "[Errno 101] Network is unreachable"),
            error("gaierror", "[Errno -2] Name or service not known"),
            error("MyError", "broken", kinds=("ConnectionError", "OSError")),
            error("LoadError", "could not load", root="ConnectionResetError: by peer", kinds=("ConnectionResetError",)),
            error("RateLimitError", "slow down"),
            error("RetryAfter", "the task wants to be tried again in 5 s"),
            error("BackendError", "no Dask scheduler at tcp://x"),
        ],
        ids=lambda failure: failure.error,
    )
    def test_B15_signs_of_a_service_that_is_not_there(self, failure: Failure) -> None:
        assert told(failure).cause is Cause.UNAVAILABLE

    @pytest.mark.parametrize(
        "failure",
        [
            error("FileNotFoundError", "[Errno 2] No such file: 'orders.csv'", kinds=("OSError",)),
            error("PermissionError", "[Errno 13] Permission denied", kinds=("OSError",)),
            error("ValueError", "expected 500 rows, got 503"),
            error("AssertionError", "assert 502 == 501"),
            error("TaskTransformError", "line 504 is odd"),
        ],
        ids=lambda failure: failure.error,
    )
    def test_B15_a_missing_file_or_a_number_of_500_is_no_missing_service(self, failure: Failure) -> None:
        assert told(failure).cause in (Cause.REPEATED, Cause.FAILED_ONCE)

    def test_B15_an_answer_among_the_silences_makes_it_intermittent(self) -> None:
        assert told(REFUSED, KEY).cause is Cause.INTERMITTENT

    @pytest.mark.parametrize(
        ("failure", "option"),
        [
            (error("MemoryError"), "resources="),
            (error("torch.OutOfMemoryError", "CUDA out of memory"), "resources="),
            (
                error("WorkerDiedError", "the worker process 7 was ended by SIGKILL"),
                "out of memory is the usual reason",
            ),
            (error("WorkerDiedError", "the worker process 7 was ended by SIGSEGV"), "PYTHONFAULTHANDLER"),
            (error("WorkerDiedError", "the worker process 7 ended with exit code 3"), "os._exit"),
            (error("OSError", "[Errno 28] No space left on device"), "Make room"),
            (error("OSError", "[Errno 24] Too many open files: 'x'"), "ulimit -n"),
            (error("RuntimeError", "can't start new thread"), "max_parallel"),
            (error("LoadError", "no", root="MemoryError: ", kinds=("MemoryError",)), "resources="),
        ],
        ids=lambda value: value.error if isinstance(value, Failure) else "",
    )
    def test_B15_what_gave_out_is_named(self, failure: Failure, option: str) -> None:
        made = told(REFUSED, failure)
        assert made.cause is Cause.EXHAUSTED
        assert option in " ".join(made.options)
        assert made.evidence == ("1 of 2 attempts ended like that.",)

    def test_B15_a_bad_output_of_an_upstream_task_names_that(self) -> None:
        broken = error("KeyError", "'price'", where="load.py:12 in load", given_by="up")
        made = told(broken, evidence=Evidence(inputs={"up": "list of 2: [{'cost': 3}]"}))
        assert made.cause is Cause.BAD_INPUT
        assert made.summary == "It cannot take what up gave it: KeyError: 'price', at load.py:12 in load."
        assert "up gave list of 2: [{'cost': 3}]." in made.evidence
        assert made.options[0] == "Look at what up returned, mend up, then restart that with downstream."

    def test_B15_a_root_in_the_chain_is_told(self) -> None:
        made = told(error("LoadError", "failed", root="KeyError: 'price'", kinds=("KeyError",)))
        assert made.cause is Cause.REPEATED
        assert "LoadError: failed, which comes from KeyError: 'price'" in made.summary


_texts = st.text(max_size=60) | st.sampled_from(
    ["SIGKILL", "HTTP 503", "run_timeout", "nobody decided", "\ud800\x00\n"]
)
_failures = st.builds(
    Failure,
    error=st.sampled_from(
        "KeyError ConnectionError MemoryError TaskTimeoutError GateRejectedError UpstreamFailedError CircuitOpenError Odd".split()
    )
    | _texts,
    message=_texts,
    where=_texts,
    root=_texts,
    kinds=st.lists(_texts, max_size=3).map(tuple),
    given_by=st.sampled_from(["", "up", "nobody"]),
)
_policies = st.builds(
    TaskPolicy,
    retry=st.builds(Retry, retries=st.integers(0, 60), backoff=st.sampled_from(["none", "linear", "exponential"])),
    timeout=st.none() | st.floats(0.001, 1e9),
    circuit=_texts,
    gate=st.none() | st.builds(Gate, prompt=_texts, timeout=st.none() | st.floats(0.1, 1e6)),
)
_evidence = st.builds(
    Evidence, inputs=st.dictionaries(_texts, _texts, max_size=3), usual_seconds=st.none() | st.floats(0, 1e9)
)


@given(
    st.lists(_failures, min_size=1, max_size=5),
    _policies,
    _evidence,
    st.sampled_from(["", "open", "closed", "half_open"]),
)
def test_B15_whatever_attempts_end_with_there_is_a_report(
    failures: list[Failure], policy: TaskPolicy, evidence: Evidence, circuit_state: str
) -> None:
    ledger = Ledger(plan_of({"up": [], "load": ["up"]}, {"load": policy}))
    last = len(failures)
    for number, failure in enumerate(failures, 1):
        ledger.apply(ev.TaskReady(number, "load"))
        ledger.apply(ev.TaskStarted(number, "load", number))
        ended = ev.TaskFailed(number, "load", number, failure) if number == last else None
        ledger.apply(ended or ev.TaskRetrying(number, "load", number, 0.0, failure))
    made = report(ledger, Joins(ledger.plan), 1, 1, float(last), evidence, circuit_state)
    assert made.summary
    assert made.options
    assert len(made.attempts) == made.attempt_count == last
    assert all(line and "\n" not in line for line in (made.summary, *made.evidence, *made.options))


class TestTimeouts:
    def late(self, evidence: Evidence | None = None, retries: int = 0, **policy: Any) -> EscalationReport:
        policy = {"timeout": 2.0, "retry": Retry(retries=retries, backoff="none"), **policy}
        driver = Driver({"load": []}, {"load": TaskPolicy(**policy)})
        while driver.running:
            driver.advance(2.0)
            driver.stopped("load")
        if evidence is None:
            return last(driver)
        return report(driver.machine.ledger, driver.machine.joins, 0, 1, driver.at, evidence)

    def test_B15_a_timeout_says_what_the_task_usually_takes_and_to_raise_it(self) -> None:
        made = self.late(Evidence(usual_seconds=5.1, usual_longest=6.0, usual_runs=12))
        assert made.cause is Cause.TIMEOUT
        assert made.state == "timed_out"
        assert made.summary == "Attempt 1 took longer than its timeout of 2 s; it usually takes 5.1 s."
        assert "It usually takes 5.1 s, 6 s at most in 95 of 100 (12 earlier runs)." in made.evidence
        assert made.options[0] == "Raise timeout= above 6 s, then restart load with downstream."

    def test_B15_one_earlier_run_is_one_run(self) -> None:
        made = self.late(Evidence(usual_seconds=5.1, usual_longest=5.1, usual_runs=1))
        assert any(line.endswith("(1 earlier run).") for line in made.evidence)

    def test_B15_a_timeout_that_usually_is_enough_says_that_it_hung(self) -> None:
        made = self.late(Evidence(usual_seconds=0.4), retries=1)
        assert "leaves room for that" in " ".join(made.evidence)
        assert "Both attempts ran out of time." in made.evidence
        assert made.options[0] == "See what load waited for: it did not end within 2 s, and usually takes 400 ms."

    def test_B15_a_timeout_of_a_task_that_nobody_knows(self) -> None:
        made = self.late(retry_on_timeout=False, retries=2)
        assert "How long it usually takes is not known: no earlier run of it was kept." in made.evidence
        assert "Set retry_on_timeout=True: its retries do not count for timeouts now." in made.options
        assert made.policy["retry_on_timeout"] == "no"

    def test_B15_the_timeout_of_the_run_is_another_one(self) -> None:
        driver = Driver({"load": []}, run_timeout=3.0)
        driver.advance(3.0)
        driver.stopped("load")
        made = last(driver)
        assert made.cause is Cause.TIMEOUT
        assert made.options[0] == "Raise run_timeout=, or --timeout on the command line."

    def test_B15_timeouts_among_silences_are_a_missing_service(self) -> None:
        driver = Driver({"load": []}, {"load": TaskPolicy(timeout=2.0, retry=Retry(retries=1, backoff="none"))})
        driver.tell(inp.AttemptRaised(0.0, 0, driver.running.pop(0), REFUSED, True))
        driver.advance(2.0)
        driver.stopped("load")
        assert last(driver).cause is Cause.UNAVAILABLE

    def test_B15_a_task_that_kept_the_loop_is_to_blame_for_the_timeouts_of_others(self) -> None:
        """The report sent people to the task that had no chance."""
        made = self.late(Evidence(blocker="crunch", blocked_seconds=1.5, blocked_at="etl.py:7 in crunch"))
        assert made.cause is Cause.TIMEOUT
        assert made.summary.endswith("because task crunch kept the event loop from going round.")
        assert made.evidence[0].startswith("For 1.5 s of that time task crunch kept the loop, at etl.py:7 in crunch")
        assert made.options[0].startswith("Write crunch with def instead of async def")


class TestNotTriedAgain:
    def test_B15_an_error_that_retry_on_does_not_name_was_seen_once_only(self) -> None:
        """It was called a bug, and told to get more retries of which it had used none."""
        driver = Driver({"load": []}, {"load": TaskPolicy(retry=Retry(retries=3, on=(KeyError,)))})
        driver.tell(inp.AttemptRaised(0.0, 0, driver.running.pop(0), error("ValueError", "no"), retriable=False))
        made = last(driver)
        assert made.cause is Cause.FAILED_ONCE
        assert (
            "It has retries=3, but retry_on (KeyError) does not name ValueError: it was not tried again."
            in made.evidence
        )
        assert "Add ValueError to retry_on=, if another attempt may help." in made.options
        assert not any("Raise retries=" in option for option in made.options)

    def test_B15_an_error_that_no_retry_on_names_says_so(self) -> None:
        driver = Driver({"load": []}, {"load": TaskPolicy(retry=Retry(retries=3, not_on=(LookupError,)))})
        driver.tell(inp.AttemptRaised(0.0, 0, driver.running.pop(0), KEY, retriable=False))
        made = last(driver)
        assert made.cause is Cause.REPEATED
        assert "It has retries=3, but no_retry_on names KeyError: it was not tried again." in made.evidence

    def test_B15_retries_that_a_stopping_run_cut_short_are_nobodys_option(self) -> None:
        driver = Driver({"load": []}, {"load": TaskPolicy(retry=Retry(retries=3))})
        driver.tell(inp.AttemptRaised(0.0, 0, driver.running.pop(0), error("ValueError", "no"), retriable=False))
        assert not any("retry_on" in line for line in last(driver).evidence)


class TestServices:
    def test_B15_a_service_that_asked_to_wait_is_not_one_that_does_not_answer(self) -> None:
        made = told(*[error("RetryAfter", "the task wants to be tried again in 5 s")] * 3)
        assert made.cause is Cause.UNAVAILABLE
        assert made.summary.startswith("It asked to be tried again later, and no retry is left: RetryAfter")
        assert made.evidence[0] == "All 3 attempts asked to be tried again later."
        assert made.options[0] == "Raise retries= above 2."
        assert "rate" in made.options[2]

    @pytest.mark.parametrize(
        ("failure", "cause"),
        [
            (error("OSError", "disk on fire", service="db"), Cause.UNAVAILABLE),
            (error("SSLError", "bad", kinds=("OSError",), service="db"), Cause.UNAVAILABLE),
            (error("FileNotFoundError", "x.db", kinds=("OSError",), service="db"), Cause.REPEATED),
            (error("ValueError", "no", service="db"), Cause.REPEATED),
            (error("OSError", "disk on fire"), Cause.FAILED_ONCE),
        ],
    )
    def test_B15_a_service_of_the_graph_that_cannot_be_reached_is_unavailable(
        self, failure: Failure, cause: Cause
    ) -> None:
        made = told(failure)
        assert made.cause is cause
        if cause is Cause.UNAVAILABLE:
            assert made.summary.startswith(f"The service db cannot be opened: {failure.error}: {failure.message}")
            assert made.options[0].startswith("See that what the service db connects to answers")


class TestOtherEndings:
    def test_B15_a_failed_upstream_is_named(self) -> None:
        driver = Driver({"a": [], "b": [], "c": ["a", "b"]}, {"c": TaskPolicy(on_upstream_failure="fail")})
        driver.fail("a", retriable=False)
        first, second = (event.report for event in driver.of(ev.TaskEscalated))
        assert (first.task, second.task) == ("a", "c")
        assert second.cause is Cause.UPSTREAM
        assert second.summary == 'Upstream a failed, and it has on_upstream_failure="fail".'
        assert second.attempts == ()
        assert second.attempt_count == 0
        assert second.options[0] == "See why a did not succeed, then restart that with downstream."

    def test_B15_a_rejection_says_by_whom(self) -> None:
        driver = Driver({"drop": []}, {"drop": TaskPolicy(gate=Gate(prompt="really?"))})
        driver.command(cmd.RejectTask("drop", "not today"), by="kim")
        made = last(driver)
        assert made.cause is Cause.REJECTED
        assert made.summary == "Rejected by kim: not today."
        assert made.options[0] == "Restart drop and approve it."
        assert made.policy["gate"] == "really?"

    def test_B15_nobody_decided_is_a_rejection_with_its_own_option(self) -> None:
        driver = Driver({"drop": []}, {"drop": TaskPolicy(gate=Gate(timeout=60))})
        driver.advance(60)
        made = last(driver)
        assert made.cause is Cause.REJECTED
        assert "Give the gate more time than 60 s (Gate(timeout=))." in made.options

    def test_B15_a_task_that_a_person_stopped_says_by_whom_and_after_what(self) -> None:
        driver = Driver({"load": [], "mart": ["load"]}, {"load": TaskPolicy(retry=Retry(retries=3, backoff="none"))})
        driver.at = 1.0
        driver.fail("load")
        driver.at = 5.0
        driver.command(cmd.CancelTask("load", "looks stuck"), by="kim")
        driver.stopped("load", failure=error("CleanupError", "half done"))
        made = last(driver)
        assert made.cause is Cause.BY_HAND
        assert made.state == "cancelled"
        assert "looks stuck" in made.summary
        assert "It had been running for 4 s." in made.evidence
        assert "Before that, one attempt failed, the last with ValueError: no." in made.evidence
        assert "Told to stop, it ended with CleanupError: half done." in made.evidence
        assert made.blocks == ("mart",)

    def test_B15_a_run_that_is_cancelled_makes_no_report_of_each_task(self) -> None:
        driver = Driver({"a": [], "b": []})
        driver.command(cmd.CancelRun())
        driver.stopped("a", "b")
        assert driver.of(ev.TaskEscalated) == []

    def test_B15_an_open_breaker_is_an_absent_service(self) -> None:
        failure = error("CircuitOpenError", "circuit breaker 'api' is open; the last attempt ended with OddError: no")
        made = told(error("OddError", "no"), failure, circuit="api", circuit_state="open")
        assert made.cause is Cause.UNAVAILABLE
        assert (made.circuit, made.circuit_state) == ("api", "open")
        assert "reset-breaker" in made.options[0]

    def test_B15_timeouts_behind_an_open_breaker_are_an_absent_service(self) -> None:
        late = error("TaskTimeoutError", "attempt 1 took longer than its timeout of 2 s")
        made = told(late, late, circuit="api", circuit_state="half_open", timeout=2.0)
        assert made.cause is Cause.UNAVAILABLE
        assert "does not answer in time" in made.summary
        assert "Circuit breaker api is half-open." in made.evidence


class TestWhatItHoldsUp:
    def blocks(
        self, tasks: dict[str, list[str]], policies: dict[str, TaskPolicy], *failing: str
    ) -> list[tuple[str, ...]]:
        driver = Driver(tasks, policies)
        driver.fail(*failing, retriable=False)
        return [event.report.blocks for event in driver.of(ev.TaskEscalated)]

    def test_B15_all_that_cannot_run_is_told_nearest_first(self) -> None:
        tasks = {"a": [], "far": ["near"], "near": ["a"], "other": []}
        assert self.blocks(tasks, {}, "a") == [("near", "far")]

    def test_B15_what_runs_all_the_same_is_not_blocked(self) -> None:
        tasks = {
            "a": [],
            "b": [],
            "any": ["a", "b"],
            "done": ["a"],
            "run": ["a"],
            "after": ["done"],
            "skips": ["a"],
            "none": ["skips"],
        }
        policies = {
            "any": TaskPolicy(trigger="any_success"),
            "done": TaskPolicy(trigger="all_done"),
            "run": TaskPolicy(on_upstream_failure="run"),
            "none": TaskPolicy(trigger="none_failed"),
        }
        assert self.blocks(tasks, policies, "a") == [("skips",)]

    def test_B15_the_last_hope_of_a_join_blocks_it(self) -> None:
        tasks = {"a": [], "b": [], "any": ["a", "b"]}
        assert self.blocks(tasks, {"any": TaskPolicy(trigger="any_success")}, "a", "b") == [(), ("any",)]

    def test_B15_a_task_that_fails_with_its_upstream_blocks_a_join_that_a_skipped_one_would_not(self) -> None:
        tasks = {"a": [], "fails": ["a"], "none": ["fails"]}
        policies = {"fails": TaskPolicy(on_upstream_failure="fail"), "none": TaskPolicy(trigger="none_failed")}
        assert self.blocks(tasks, policies, "a") == [("fails", "none"), ("none",)]

    def test_B15_the_second_failure_above_a_join_names_it_too(self) -> None:
        tasks = {"a": [], "b": [], "join": ["a", "b"], "end": ["join"]}
        assert self.blocks(tasks, {}, "a", "b") == [("join", "end"), ("join", "end")]

    def test_B15_of_very_many_a_hundred_are_named_and_all_counted(self) -> None:
        tasks: dict[str, list[str]] = {"a": [], **{f"t{i}": ["a"] for i in range(500)}}
        driver = Driver(tasks)
        driver.fail("a", retriable=False)
        made = last(driver)
        assert (len(made.blocks), made.blocks_count) == (100, 500)

    def test_B15_the_blocked_are_the_ones_that_do_not_run(self) -> None:
        """Told before it happens, and then it does."""
        tasks = {"a": [], "b": ["a"], "c": ["a", "x"], "x": [], "d": ["c", "x"], "e": ["d"], "f": ["x"]}
        policies = {"d": TaskPolicy(trigger="any_success"), "e": TaskPolicy(trigger="none_failed")}
        driver = Driver(tasks, policies)
        driver.fail("a", retriable=False)
        while driver.running:
            driver.succeed(min(driver.running_names()))
        skipped = {name for name, state in driver.states().items() if state.value == "skipped"}
        assert set(last(driver).blocks) == skipped == {"b", "c"}
