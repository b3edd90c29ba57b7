"""B31: what depends on a supervised task starts when that is ready; a task that is not well is started again."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.policy import Retry, TaskPolicy, Trigger
from dagtop.core.restart import Probe, ProbeKind
from dagtop.core.states import RunState, TaskState
from machine_driver import BROKEN, Driver
from machine_kept import kept


def pair(policy: TaskPolicy, below: TaskPolicy | None = None, **run: object) -> Driver:
    """A database that is kept up, and an api that needs it."""
    return Driver({"db": [], "api": ["db"]}, {"db": policy, "api": below or TaskPolicy()}, supervises=True, **run)


class TestReady:
    def test_B31_dependents_start_when_it_says_so_and_it_goes_on_running(self) -> None:
        """With wave-executor what depends on an `always` task could starve."""
        driver = pair(kept("always"))
        assert driver.states() == {"db": "running", "api": "waiting"}
        driver.say_ready("db")
        assert driver.states() == {"db": "running", "api": "running"}
        assert [e.opens for e in driver.of(ev.TaskServing)] == [True]

    def test_B31_dependents_start_when_its_readiness_probe_has_passed_so_often_in_a_row(self) -> None:
        driver = pair(kept("always", ready=Probe(interval=2.0, threshold=2, delay=5.0)))
        for at, ok in ((5.0, True), (7.0, False), (9.0, True), (11.0, True)):
            driver.advance(at - driver.at)
            assert driver.state("api") is TaskState.WAITING
            driver.probe("db", "ready", ok=ok)
        assert driver.state("api") is TaskState.RUNNING
        driver.advance(60.0)
        assert not driver.probes

    def test_B31_dependents_start_when_it_has_succeeded_once_though_it_is_started_again(self) -> None:
        driver = pair(kept("always", base=9.0))
        driver.succeed("db")
        assert driver.states() == {"db": "running", "api": "running"}
        late = pair(kept("always", base=9.0), max_parallel=1)
        late.succeed("db", "db")
        assert late.states() == {"db": "backoff", "api": "running"}

    def test_B31_to_run_is_not_to_be_ready(self) -> None:
        driver = pair(kept("always"))
        driver.advance(1_000.0)
        assert driver.state("api") is TaskState.WAITING

    @pytest.mark.parametrize("policy", [TaskPolicy(), TaskPolicy(ready=Probe())])
    def test_B31_under_a_reconciler_a_task_that_is_never_started_again_can_be_ready_too(
        self, policy: TaskPolicy
    ) -> None:
        driver = pair(policy)
        driver.say_ready("db")
        assert driver.state("api") is TaskState.RUNNING
        driver.succeed("db", "api")
        assert driver.run_state is RunState.SUCCEEDED

    def test_B31_in_a_plain_run_a_task_that_says_it_is_ready_lets_nobody_start(self) -> None:
        driver = Driver({"a": [], "b": ["a"]})
        driver.say_ready("a")
        assert driver.state("b") is TaskState.WAITING
        assert [e.opens for e in driver.of(ev.TaskServing)] == [False]

    def test_B31_it_is_said_once_however_often_it_says_so(self) -> None:
        driver = pair(kept("always", alive=Probe(delay=1.0), ready=Probe(delay=1.0)))
        for _ in range(3):
            driver.say_ready("db")
        assert len(driver.of(ev.TaskServing)) == 1
        driver.advance(1.0)  # one question whether it is well, and not three
        driver.probe("db", "alive", ok=True)

    def test_B31_what_an_attempt_says_after_its_end_does_not_count(self) -> None:
        driver = pair(kept("always", base=9.0))
        driver.fail("db")
        driver.tell(inp.SaidReady(driver.at, 0, 1))
        driver.tell(inp.Probed(driver.at, 0, 1, ProbeKind.READY, True))
        assert driver.state("api") is TaskState.WAITING
        driver.command(cmd.RestartTask("db"))
        driver.say_ready("db")  # it has been told to stop
        assert driver.state("api") is TaskState.WAITING

    @pytest.mark.parametrize("trigger", list(Trigger))
    def test_B31_for_every_trigger_rule_it_counts_as_a_success(self, trigger: Trigger) -> None:
        driver = Driver(
            {"db": [], "x": [], "api": ["db", "x"]}, {"db": kept("always"), "api": TaskPolicy(trigger=trigger)}
        )
        driver.say_ready("db")
        assert driver.state("api") is (TaskState.RUNNING if trigger is Trigger.ANY_SUCCESS else TaskState.WAITING)
        driver.succeed("x")
        assert driver.state("api") is TaskState.RUNNING

    def test_B31_a_task_that_is_made_an_ordinary_one_while_it_serves_is_counted_once(self) -> None:
        """Its success was counted beside its being ready: what needed two started with one."""
        driver = Driver({"db": [], "x": [], "api": ["db", "x"]}, {"db": kept("always")}, supervises=True)
        driver.say_ready("db")
        driver.command(cmd.SetPolicy("db", restart="no"))
        driver.succeed("db")
        assert driver.state("api") is TaskState.WAITING
        driver.succeed("x")
        assert driver.state("api") is TaskState.RUNNING


class TestDown:
    """A task that was ready goes down."""

    @pytest.fixture
    def held_up(self) -> Driver:
        """`db` serves; `api` runs, `late` waits for a slot."""
        policies = {"db": kept("always", base=5.0), "late": TaskPolicy(priority=-1)}
        driver = Driver({"db": [], "api": ["db"], "late": ["db"]}, policies, supervises=True, max_parallel=2)
        driver.say_ready("db")
        assert driver.states() == {"db": "running", "api": "running", "late": "ready"}
        return driver

    def test_B31_what_has_not_started_waits_again_and_what_runs_is_not_disturbed(self, held_up: Driver) -> None:
        held_up.fail("db")
        assert held_up.states() == {"db": "running", "api": "running", "late": "waiting"}
        assert held_up.types("late")[-1] == "restarted"
        held_up.succeed("api")
        assert held_up.state("late") is TaskState.WAITING
        held_up.say_ready("db")
        assert held_up.state("late") is TaskState.RUNNING

    def test_B31_as_soon_as_it_is_told_to_stop_nothing_is_built_upon_it(self, held_up: Driver) -> None:
        held_up.command(cmd.RestartTask("db"))
        held_up.succeed("api")
        assert held_up.states() == {"db": "cancelling", "api": "succeeded", "late": "waiting"}
        held_up.stopped("db")
        held_up.say_ready("db")
        assert held_up.state("late") is TaskState.RUNNING

    def test_B31_one_that_waits_for_a_retry_is_not_ready(self) -> None:
        """It counted as ready all the while that it was down."""
        driver = Driver(
            {"db": [], "late": ["db"]},
            {"db": kept("always", retry=Retry(3, base=9.0))},
            supervises=True,
            max_parallel=1,
        )
        driver.say_ready("db")
        driver.fail("db")
        assert driver.states() == {"db": "backoff", "late": "waiting"}

    def test_B31_a_dependent_that_crashes_meanwhile_waits_for_it_and_keeps_count(self) -> None:
        driver = pair(kept("always", base=5.0), kept("always", base=1.0))
        driver.say_ready("db")
        driver.fail("api", "api")
        driver.fail("db", "db")
        driver.advance(1.0)
        assert driver.states() == {"db": "backoff", "api": "waiting"}
        driver.advance(4.0)
        driver.say_ready("db")
        driver.fail("api")
        assert driver.of(ev.TaskRestarting)[-1].restart == 3

    def test_B31_one_that_goes_down_for_good_skips_what_has_not_started(self, held_up: Driver) -> None:
        held_up.command(cmd.StopTask("db"))
        held_up.stopped("db")
        assert held_up.states() == {"db": "cancelled", "api": "running", "late": "skipped"}
        assert held_up.reason("late") == "upstream db was cancelled"

    def test_B31_a_rule_that_is_met_without_it_is_met_still(self) -> None:
        policies = {"db": kept("always", base=5.0), "late": TaskPolicy(trigger="any_success")}
        driver = Driver({"db": [], "x": [], "late": ["db", "x"]}, policies, supervises=True, max_parallel=2)
        driver.say_ready("db")
        driver.command(cmd.HoldTask("late"))
        driver.succeed("x")
        driver.fail("db")
        assert driver.state("late") is TaskState.HELD
        driver.command(cmd.ReleaseTask("late"))
        driver.command(cmd.SetMaxParallel(3))
        assert driver.state("late") is TaskState.RUNNING


class TestAlive:
    def test_B31_a_task_that_fails_its_liveness_probe_so_often_in_a_row_is_started_again(self) -> None:
        driver = pair(kept("always", alive=Probe(interval=2.0, delay=4.0)))
        for at, ok in ((4.0, False), (6.0, False), (8.0, True), (10.0, False), (12.0, False), (14.0, False)):
            driver.advance(at - driver.at)
            assert driver.state("db") is TaskState.RUNNING
            driver.probe("db", "alive", ok=ok, said="no answer within 5 s")
        assert driver.state("db") is TaskState.CANCELLING
        assert driver.reason("db") == "liveness probe failed 3 times in a row: no answer within 5 s"
        driver.stopped("db")
        assert driver.state("db") is TaskState.RUNNING
        restarting = driver.of(ev.TaskRestarting)[0]
        assert (restarting.crashes, restarting.failure.error) == (1, "UnwellError")
        driver.advance(4.0)
        driver.probe("db", "alive", ok=True)

    def test_B31_it_ends_at_its_ceiling_as_after_any_crash(self) -> None:
        driver = pair(kept(max_restarts=0, alive=Probe(threshold=1)))
        driver.advance(0.0)
        driver.probe("db", "alive", ok=False)
        driver.stopped("db", failure=BROKEN)
        assert driver.states() == {"db": "blocked", "api": "skipped"}

    def test_B31_a_task_with_both_probes_is_asked_whether_it_lives_once_it_is_ready(self) -> None:
        driver = pair(kept("always", ready=Probe(), alive=Probe(delay=1.0)))
        driver.advance(5.0)
        assert [kind for _, kind in driver.probes] == [ProbeKind.READY]
        driver.probe("db", "ready", ok=True)
        driver.advance(1.0)
        assert [kind for _, kind in driver.probes] == [ProbeKind.ALIVE]

    def test_B31_a_person_who_stops_it_meanwhile_wins(self) -> None:
        driver = pair(kept("always", alive=Probe(threshold=1)))
        driver.advance(0.0)
        driver.probe("db", "alive", ok=False)
        driver.command(cmd.CancelTask("db"))
        driver.stopped("db")
        assert driver.state("db") is TaskState.CANCELLED

    def test_B31_an_answer_to_a_question_about_an_earlier_attempt_does_not_count(self) -> None:
        driver = pair(kept("always", alive=Probe(threshold=1)))
        driver.advance(0.0)
        driver.fail("db")
        driver.tell(inp.Probed(driver.at, 0, 1, ProbeKind.ALIVE, False))
        assert driver.state("db") is TaskState.RUNNING

    def test_B31_answers_in_a_row_do_not_reach_over_a_restart(self) -> None:
        driver = pair(kept("always", base=0.0, alive=Probe(threshold=2)))
        for _ in range(3):
            driver.advance(0.0)
            driver.probe("db", "alive", ok=False)
            assert driver.state("db") is TaskState.RUNNING
            driver.fail("db")

    def test_B30_a_probe_that_comes_with_a_new_version_is_asked_while_the_task_runs_on(self) -> None:
        driver = pair(kept("always"))
        driver.change("a new version", policies={"db": kept("always", ready=Probe(delay=1.0), alive=Probe(delay=2.0))})
        driver.advance(1.0)
        driver.probe("db", "ready", ok=True)
        assert driver.states() == {"db": "running", "api": "running"}
        driver.advance(2.0)
        assert [kind for _, kind in driver.probes] == [ProbeKind.ALIVE]

    def test_B30_a_probe_that_goes_with_a_new_version_is_not_asked_any_more_and_one_that_comes_back_is_asked_once(
        self,
    ) -> None:
        asked, unasked = kept("always", alive=Probe(interval=5.0)), kept("always")
        driver = pair(asked)
        driver.change("a new version", policies={"db": unasked})
        driver.change("a newer version", policies={"db": asked})
        driver.advance(0.0)
        driver.probe("db", "alive", ok=True)
        driver.change("a new version", policies={"db": unasked})
        driver.advance(5.0)
        assert not driver.probes
        driver.change("a newer version", policies={"db": asked})
        driver.advance(0.0)
        assert [kind for _, kind in driver.probes] == [ProbeKind.ALIVE]


def test_B31_a_readiness_probe_that_raises_is_told_once_for_all_errors_that_look_alike() -> None:
    """A probe with a mistake in it held everything up for ever, and nothing anywhere said why."""
    driver = pair(kept("always", ready=Probe()))

    def told() -> list[str]:
        return [event.reason for event in driver.of(ev.TaskNotReady)]

    def answer(ok: bool, said: str) -> None:
        driver.tell(inp.Probed(driver.at, 0, 1, ProbeKind.READY, ok, said))

    answer(False, "OSError: no answer on port 80")
    answer(False, "OSError: no answer on port 81")
    answer(False, "")
    assert told() == ["readiness probe: OSError: no answer on port 80"]
    assert driver.machine.ledger.reason[0] == told()[0]
    answer(False, "no answer within 5 s")
    assert len(told()) == 2
    answer(True, "")
    assert 0 not in driver.machine.ledger.reason
