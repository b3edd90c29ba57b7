"""B30, B32, B33: up and down by a person's word, in every state; a graph that changes; a run that stops and starts again."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.guards import Gate
from dagtop.core.inputs import NewTask
from dagtop.core.ledger import Ledger
from dagtop.core.machine import RunMachine
from dagtop.core.policy import RunPolicy, TaskPolicy
from dagtop.core.restart import Probe
from dagtop.core.states import ACTIVE, FINAL, RunState, TaskState
from machine_driver import Driver, plan_of
from machine_kept import kept

#: Every state that a supervised task can be in, as words for `driver_in`.
STATES = (
    *("waiting", "ready", "held", "at a gate", "running", "serving", "backoff", "retrying"),
    *("restarted", "unwell", "timed out", "succeeded", "blocked", "skipped"),
)


def driver_in(state: str) -> Driver:
    """`a` in that state; `up` comes before it, `below` after it, and `other` has nothing to do with them."""
    policy = kept(
        base=5.0,
        max_restarts=0 if state == "blocked" else 3,
        timeout=1.0 if state == "timed out" else None,
        gate=Gate() if state == "at a gate" else None,
        alive=Probe(threshold=1) if state == "unwell" else None,
    )
    tasks: dict[str, list[str]] = {"up": [], "a": ["up"], "below": ["a"], "other": []}
    driver = Driver(tasks, {"a": policy, "other": kept("always")}, supervises=True)
    if state == "waiting":
        return driver
    if state == "held":
        driver.command(cmd.HoldTask("a"))
    if state == "ready":
        driver.command(cmd.SetMaxParallel(1))
    if state == "skipped":
        driver.fail("up")
        return driver
    driver.succeed("up")
    match state:
        case "serving":
            driver.say_ready("a")
        case "backoff":
            driver.fail("a", "a")
        case "retrying":
            driver.command(cmd.SetPolicy("a", retries=1, base=3.0))
            driver.fail("a")
        case "restarted":
            driver.command(cmd.RestartTask("a"))
        case "unwell":
            driver.advance(0.0)
            driver.probe("a", "alive", ok=False)
        case "timed out":
            driver.advance(1.0)
        case "succeeded":
            driver.succeed("a")
        case "blocked":
            driver.fail("a")
    return driver


def end_of_stop(driver: Driver, name: str = "a") -> None:
    if driver.state(name) is TaskState.CANCELLING:
        driver.stopped(name)


class TestStop:
    @pytest.mark.parametrize("state", STATES)
    def test_B33_a_task_that_is_stopped_stays_down_whatever_it_did(self, state: str) -> None:
        driver = driver_in(state)
        was = driver.state("a")
        assert isinstance(driver.command(cmd.StopTask("a", "maintenance")), ev.CommandApplied)
        end_of_stop(driver)
        assert driver.state("a") is (was if was in FINAL else TaskState.CANCELLED)
        driver.advance(1_000.0)
        runs = driver.started.count("a")
        driver.command(cmd.SetPolicy("a", restart="always", max_restarts=-1))
        driver.command(cmd.RetryFailed())
        driver.command(cmd.StartRun())
        driver.command(cmd.RestartTask("up", downstream=True))
        driver.succeed(*driver.running_names() & {"up"})
        driver.change("a new version", changed=("a",))
        driver.advance(1_000.0)
        assert driver.started.count("a") == runs
        assert isinstance(driver.command(cmd.StopTask("a")), ev.CommandRefused)
        assert driver.state("other") is TaskState.RUNNING

    @pytest.mark.parametrize("state", STATES)
    def test_B33_and_runs_again_when_it_is_started(self, state: str) -> None:
        """wave-executor's tasks stayed `stopped` for ever after stop() and start()."""
        driver = driver_in(state)
        driver.command(cmd.StopTask("a"))
        answer = driver.command(cmd.StartTask("a"))
        assert isinstance(answer, ev.CommandApplied)
        end_of_stop(driver)
        if state == "skipped":
            assert driver.state("a") is TaskState.SKIPPED
            driver.command(cmd.RestartTask("up", downstream=True))
        if driver.state("up") is not TaskState.SUCCEEDED:
            driver.succeed("up")
        if driver.machine.ledger.gates:
            driver.command(cmd.ApproveTask("a"))
        driver.command(cmd.ReleaseTask("a"))
        driver.command(cmd.SetMaxParallel(9))
        assert driver.state("a") is TaskState.RUNNING
        driver.succeed("a")
        assert driver.state("below") is TaskState.RUNNING

    @pytest.mark.parametrize("state", [state for state in STATES if state not in ("succeeded", "blocked", "skipped")])
    def test_B33_cancel_means_the_same_for_a_task_that_is_kept_up(self, state: str) -> None:
        """One that was being restarted was said to be stopping already, and was started again."""
        driver = driver_in(state)
        answer = driver.command(cmd.CancelTask("a"))
        assert isinstance(answer, ev.CommandApplied)
        assert "stays down" in answer.effect
        end_of_stop(driver)
        driver.advance(1_000.0)
        assert driver.state("a") is TaskState.CANCELLED
        driver.command(cmd.RestartTask("a"))
        assert 1 not in driver.machine.ledger.desired.down

    def test_B33_a_task_that_is_up_needs_no_start(self) -> None:
        driver = driver_in("running")
        assert isinstance(driver.command(cmd.StartTask("a")), ev.CommandRefused)
        driver.command(cmd.RestartTask("a"))
        assert isinstance(driver.command(cmd.StartTask("a")), ev.CommandRefused)

    def test_B33_a_start_while_it_still_stops_takes_effect_when_it_has(self) -> None:
        driver = driver_in("serving")
        driver.command(cmd.StopTask("a"))
        driver.command(cmd.StartTask("a"))
        assert driver.state("a") is TaskState.CANCELLING
        driver.command(cmd.StopTask("a"))
        driver.command(cmd.StartTask("a"))
        driver.stopped("a")
        assert driver.state("a") is TaskState.RUNNING

    def test_B33_the_last_word_counts(self) -> None:
        driver = driver_in("running")
        for command in (cmd.StopTask("a"), cmd.StartTask("a"), cmd.RestartTask("a"), cmd.StopTask("a")):
            driver.command(command)
        driver.stopped("a")
        assert driver.state("a") is TaskState.CANCELLED

    def test_B33_restarts_are_counted_from_the_beginning_after_a_start(self) -> None:
        driver = driver_in("backoff")
        driver.command(cmd.StopTask("a"))
        driver.command(cmd.StartTask("a"))
        driver.fail("a")
        assert driver.of(ev.TaskRestarting)[-1].restart == 1

    @pytest.mark.parametrize(
        "state", [state for state in STATES if state not in ("waiting", "ready", "held", "at a gate")]
    )
    def test_B24_restart_in_every_state_starts_it_over(self, state: str) -> None:
        driver = driver_in(state)
        answer = driver.command(cmd.RestartTask("a"))
        if state == "skipped":
            assert isinstance(answer, ev.CommandRefused)
            return
        end_of_stop(driver)
        assert driver.state("a") is TaskState.RUNNING
        assert 1 not in driver.machine.ledger.desired.restarts

    def test_B33_started_before_its_upstream_is_up_it_waits_for_that_to_be_started(self) -> None:
        driver = driver_in("running")
        driver.command(cmd.StopTask("up"))
        driver.command(cmd.StopTask("a"))
        driver.stopped("a")
        driver.change("a new version", policies={"up": kept()}, changed=("up",))
        assert driver.state("up") is TaskState.SUCCEEDED
        driver.command(cmd.StartTask("up"))
        driver.command(cmd.StopTask("up"))
        driver.stopped("up")
        answer = driver.command(cmd.StartTask("a"))
        assert isinstance(answer, ev.CommandApplied)
        assert answer.effect == "a is to be up, and starts when its upstream up is"
        assert driver.state("a") is TaskState.SKIPPED
        driver.command(cmd.StartTask("up"))
        assert driver.states() == {"up": "running", "a": "waiting", "below": "waiting", "other": "running"}

    def test_B32_only_what_is_wanted_up_tells_how_it_went(self) -> None:
        driver = Driver({"a": [], "b": []}, {"a": kept(), "b": kept()}, supervises=True)
        driver.command(cmd.StopTask("a"))
        driver.stopped("a")
        driver.succeed("b")
        assert driver.run_state is RunState.SUCCEEDED

    def test_B26_nobody_is_told_of_a_task_that_a_person_stopped(self) -> None:
        driver = driver_in("running")
        driver.command(cmd.StopTask("a"))
        driver.stopped("a")
        assert not driver.of(ev.TaskEscalated)


class TestRun:
    """stop() and start() are `CancelRun` and `StartRun`."""

    @pytest.mark.parametrize("state", STATES)
    def test_B33_a_run_that_is_stopped_and_started_again_goes_on_to_what_was_wanted(self, state: str) -> None:
        driver = driver_in(state)
        driver.command(cmd.CancelRun())
        for name in sorted(driver.running_names()):
            driver.stopped(name)
        assert driver.run_state is RunState.CANCELLED
        driver.command(cmd.StartRun())
        assert driver.run_state is RunState.RUNNING
        assert driver.state("other") in ACTIVE | {TaskState.READY}
        driver.command(cmd.SetMaxParallel(9))
        for name in ("up", "a"):
            for gate in list(driver.machine.ledger.gates):
                driver.command(cmd.ApproveTask(driver.plan.names[gate]))
            driver.command(cmd.ReleaseTask("a"))
            if driver.state(name) is TaskState.RUNNING:
                driver.succeed(name)
        assert driver.states() == {"up": "succeeded", "a": "succeeded", "below": "running", "other": "running"}

    def test_B33_what_a_person_stopped_before_stays_down(self) -> None:
        driver = driver_in("running")
        driver.command(cmd.StopTask("a"))
        driver.stopped("a")
        driver.command(cmd.CancelRun())
        driver.stopped("other")
        driver.command(cmd.StartRun())
        assert driver.states() == {"up": "succeeded", "a": "cancelled", "below": "skipped", "other": "running"}

    def test_B33_an_always_task_that_succeeded_while_the_run_was_drained_runs_again(self) -> None:
        driver = Driver({"a": []}, {"a": kept("always")}, supervises=True)
        driver.command(cmd.DrainRun())
        driver.succeed("a")
        assert driver.run_state is RunState.SUCCEEDED
        driver.command(cmd.StartRun())
        assert driver.state("a") is TaskState.RUNNING

    def test_B33_a_run_in_which_all_is_as_it_should_be_has_nothing_to_start(self) -> None:
        driver = driver_in("serving")
        assert isinstance(driver.command(cmd.StartRun()), ev.CommandRefused)


class TestChanges:
    """`update()` is a change of the graph under a policy that supervises."""

    def test_B30_only_what_changed_is_replaced(self) -> None:
        driver = driver_in("serving")
        driver.change("a new version", changed=("a",))
        assert driver.states() == {"up": "succeeded", "a": "cancelling", "below": "running", "other": "running"}
        driver.stopped("a")
        assert driver.states() == {"up": "succeeded", "a": "running", "below": "running", "other": "running"}
        assert driver.machine.ledger.desired.generation == {1: 2}

    def test_B30_what_was_skipped_because_of_the_old_version_gets_another_chance(self) -> None:
        driver = driver_in("blocked")
        assert driver.state("below") is TaskState.SKIPPED
        driver.change("a new version", changed=("a",))
        driver.succeed("a")
        assert driver.state("below") is TaskState.RUNNING

    def test_B30_so_does_what_was_skipped_because_of_a_task_that_it_does_not_need_any_more(self) -> None:
        driver = driver_in("blocked")
        driver.change("a new version", removed=("a",), rewired={"a": (), "below": ("up",)})
        assert driver.state("below") is TaskState.RUNNING

    def test_B30_removed_tasks_are_cancelled_and_nobody_waits_for_a_slow_one(self) -> None:
        """wave-executor waited for the cancellation under its lock: everything stood still."""
        driver = driver_in("running")
        driver.change(
            "a new version", removed=("a",), rewired={"a": (), "below": ()}, added=[NewTask("new", ("up",), kept())]
        )
        assert driver.state("a") is TaskState.CANCELLING
        assert driver.running_names() == {"a", "below", "new", "other"}
        driver.advance(1_000.0)
        driver.fail("other")
        assert driver.running_names() == {"a", "below", "new", "other"}
        driver.stopped("a")
        assert driver.state("a") is TaskState.CANCELLED
        assert not driver.of(ev.TaskEscalated)

    @pytest.mark.parametrize("state", STATES)
    def test_B30_a_task_that_was_removed_in_any_state_never_runs_and_may_come_back(self, state: str) -> None:
        """wave-executor's came back as `stopped`, and never ran."""
        driver = driver_in(state)
        driver.change("a new version", removed=("a",), rewired={"a": (), "below": ()})
        driver.command(cmd.SetMaxParallel(9))
        runs = driver.started.count("a")
        for command in (cmd.StartTask("a"), cmd.RestartTask("a"), cmd.StopTask("a"), cmd.MarkSucceeded("a")):
            assert isinstance(driver.command(command), ev.CommandRefused)
        driver.command(cmd.RetryFailed())
        driver.command(cmd.StartRun())
        driver.command(cmd.RestartTask("up", downstream=True))
        driver.succeed(*driver.running_names() & {"up"})
        end_of_stop(driver)
        driver.advance(1_000.0)
        assert driver.started.count("a") == runs
        driver.change("a new version", changed=("a",), rewired={"a": ()}, policies={"a": kept()})
        driver.command(cmd.ReleaseTask("a"))
        assert driver.state("a") is TaskState.RUNNING

    def test_B30_a_task_that_comes_back_while_it_still_stops_is_started_when_it_has(self) -> None:
        driver = driver_in("running")
        driver.change("a new version", removed=("a",), rewired={"a": (), "below": ()})
        driver.change("the old version", changed=("a",))
        assert driver.state("a") is TaskState.CANCELLING
        driver.stopped("a")
        assert driver.state("a") is TaskState.RUNNING

    def test_B30_a_task_that_was_stopped_and_removed_comes_back_as_a_new_one(self) -> None:
        driver = driver_in("running")
        driver.command(cmd.StopTask("a"))
        driver.change("a new version", removed=("a",), rewired={"a": (), "below": ()})
        driver.stopped("a")
        driver.change("the old version", changed=("a",))
        assert driver.state("a") is TaskState.RUNNING

    def test_B30_a_new_restart_policy_takes_effect_and_disturbs_nothing(self) -> None:
        driver = driver_in("backoff")
        driver.change("a new version", policies={"a": kept(base=1.0), "other": kept("always", base=1.0)})
        driver.advance(1.0)
        assert driver.started.count("a") == 3
        assert driver.started.count("other") == 1


class TestResumed:
    def resumed(self, *, stops: tuple[tuple[int, str], ...] = ()) -> Driver:
        """Another process had brought `done` and `job` to a good end; `a` ran, `b` waited for it."""
        tasks: dict[str, list[str]] = {"done": [], "job": [], "a": ["done"], "b": ["a"]}
        policies = {"job": kept("always"), "a": kept("always")}
        driver = Driver(tasks, policies, begin=False, supervises=True)
        plan = driver.plan
        driver.mirror = Ledger(plan, driver.run_policy.max_parallel)
        for ledger in (driver.machine.ledger, driver.mirror):
            for name in ("done", "job"):
                ledger.seed(plan.index[name], 1, succeeded=True)
            ledger.seed(plan.index["a"], 3, succeeded=False)
        driver.tell(inp.Begin(0.0, run="r", started_at=1_000.0, resumed=True, stops=stops))
        return driver

    def test_B33_what_ran_is_started_again_and_what_is_to_run_always_too(self) -> None:
        """wave-executor restored a running task as running: nobody ran it."""
        driver = self.resumed()
        assert driver.states() == {"done": "succeeded", "job": "running", "a": "running", "b": "waiting"}
        driver.say_ready("a")
        assert driver.state("b") is TaskState.RUNNING

    def test_B33_what_a_person_had_stopped_stays_down_until_it_is_started(self) -> None:
        driver = self.resumed(stops=((1, "stopped by hand"), (2, "stopped by hand")))
        assert driver.states() == {"done": "succeeded", "job": "succeeded", "a": "cancelled", "b": "skipped"}
        assert driver.run_state is RunState.SUCCEEDED
        driver.command(cmd.StartTask("a"))
        driver.command(cmd.StartTask("job"))
        assert driver.states() == {"done": "succeeded", "job": "running", "a": "running", "b": "waiting"}

    def test_B40_a_story_of_stops_restarts_and_probes_replays_to_the_live_state(self) -> None:
        driver = driver_in("unwell")
        driver.command(cmd.StopTask("a"))
        driver.stopped("a")
        driver.command(cmd.StartTask("a"))
        driver.fail("a", "a")
        driver.command(cmd.SetPolicy("a", restart_backoff=50.0))
        replayed = Ledger(driver.plan)
        for event in driver.events:
            replayed.apply(event)
        live = driver.machine.ledger
        assert (replayed.state, replayed.due_at) == (live.state, live.due_at)
        assert replayed.desired.restarts == live.desired.restarts == {1: (2, 2)}


def test_B31_a_machine_without_supervised_tasks_looks_for_none() -> None:
    """Nothing of all this costs anything where it is not used."""
    machine = RunMachine(plan_of({"a": []}), RunPolicy())
    assert not machine.supervised
    assert RunMachine(plan_of({"a": []}), RunPolicy(supervises=True)).supervised
    assert RunMachine(plan_of({"a": []}, {"a": TaskPolicy(ready=Probe())}), RunPolicy()).supervised
