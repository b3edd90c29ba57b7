"""B22: what a command would do, said before it is done, is what it does."""

from __future__ import annotations

import random

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.blast import blast_radius, radius
from dagtop.core.guards import Pool
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import TaskState
from dagtop.runtime.publisher import row_of
from machine_driver import Driver


def snapshot_of(driver: Driver) -> RunSnapshot:
    ledger = driver.machine.ledger
    return RunSnapshot(
        state=ledger.run_state,
        plan=ledger.plan,
        rows=[row_of(ledger, index) for index in range(len(ledger.plan))],
        max_parallel=ledger.max_parallel,
    )


_CHAIN = {"a": [], "b": ["a"], "c": ["b"], "other": []}


def test_B22_cancel_names_what_stops_and_what_will_not_run() -> None:
    driver = Driver(_CHAIN)
    effect = blast_radius(snapshot_of(driver), cmd.CancelTask("a"))
    assert (effect.stops, effect.never_runs, effect.refusal) == (("a",), ("b", "c"), "")
    assert effect.summary == "a is told to stop, 2 tasks after it will be skipped"
    assert effect.loses_something


def test_B22_restart_names_what_runs_again_what_stops_and_what_goes_stale() -> None:
    driver = Driver(_CHAIN)
    driver.succeed("a", "b")
    alone = blast_radius(snapshot_of(driver), cmd.RestartTask("a"))
    assert (alone.runs_again, alone.stops, alone.goes_stale) == (("a",), (), ("b", "c"))
    below = blast_radius(snapshot_of(driver), cmd.RestartTask("a", downstream=True))
    assert (below.runs_again, below.stops, below.goes_stale) == (("a", "b"), ("c",), ())
    assert below.summary == "3 tasks run again, 1 task told to stop first"


def test_B22_nothing_is_lost_by_a_hold_a_pause_or_a_limit() -> None:
    snapshot = snapshot_of(Driver(_CHAIN))
    for command in (cmd.HoldTask("b"), cmd.PauseRun(), cmd.SetMaxParallel(3), cmd.SetPolicy("a", retries=3)):
        effect = blast_radius(snapshot, command)
        assert not effect.refusal
        assert not effect.loses_something
        assert effect.summary


def test_what_a_change_does_is_told_in_words_that_fit_the_number() -> None:
    driver = Driver(_CHAIN)
    assert blast_radius(snapshot_of(driver), cmd.PauseRun()).summary.startswith("starts nothing new; ")
    told = blast_radius(snapshot_of(driver), cmd.SetPolicy("a", retries=3, timeout=2.0, base=0.5)).summary
    assert told == "a: retries = 3, timeout = 2, base = 0.5"
    assert blast_radius(snapshot_of(driver), cmd.SetPolicy("a", timeout=0.0)).summary == "a: no timeout"


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_B22_what_is_said_before_is_what_happens(first: int) -> None:
    """On random runs: the same answer from a snapshot and from the live ledger, and the tasks it names are those it hits."""
    for seed in range(first, first + 50):
        chance = random.Random(seed)
        names = [f"t{i}" for i in range(7)]
        tasks = {name: chance.sample(names[:i], min(i, chance.randint(0, 2))) for i, name in enumerate(names)}
        driver = Driver(tasks, max_parallel=3)
        for _ in range(chance.randint(0, 12)):
            running = sorted(driver.running_names() - {names[i] for i in driver.told})
            if running:
                name = chance.choice(running)
                driver.succeed(name) if chance.random() < 0.7 else driver.fail(name)
        name = chance.choice(names)
        command = chance.choice(
            [cmd.CancelTask(name), cmd.RestartTask(name), cmd.RestartTask(name, downstream=True), cmd.CancelRun()]
        )
        _compare(driver, command)


def _compare(driver: Driver, command: cmd.Command) -> None:
    effect = blast_radius(snapshot_of(driver), command)
    assert effect == radius(driver.machine.ledger, command)
    before, states = len(driver.events), driver.states()
    answer = driver.command(command)
    assert isinstance(answer, ev.CommandRefused) is bool(effect.refusal)
    after = driver.events[before:]
    assert {e.task for e in after if isinstance(e, ev.TaskCancelling)} == set(effect.stops)
    restarted = {e.task for e in after if isinstance(e, ev.TaskRestarted) and states[e.task] is not TaskState.READY}
    assert restarted == set(effect.runs_again) | (restarted & {getattr(command, "task", "")})
    stale = {e.task for e in after if isinstance(e, ev.TaskStale)}
    assert stale == set(effect.goes_stale)
    if isinstance(command, cmd.CancelTask):
        for name in list(driver.running_names()):
            driver.stopped(name) if driver.plan.index[name] in driver.told else None
        lost = {e.task for e in driver.events[before:] if isinstance(e, (ev.TaskSkipped, ev.TaskCancelled))}
        assert lost == set(effect.never_runs) | set(effect.stops)


def test_B22_a_command_for_what_is_not_there_is_refused_with_the_nearest_name_before_it_is_given_and_after() -> None:
    policies = {"other": TaskPolicy(pool="database", circuit="payments")}
    driver = Driver(_CHAIN | {"transform": []}, policies=policies, pools={"database": Pool(2)})
    for command, refusal in (
        (cmd.CancelTask("tranform"), "there is no task 'tranform'; did you mean 'transform'?"),
        (cmd.SetPoolLimit("databse", 3), "no task is in a pool 'databse'; did you mean 'database'?"),
        (cmd.TripBreaker("payment"), "no task asks a circuit breaker 'payment'; did you mean 'payments'?"),
    ):
        assert blast_radius(snapshot_of(driver), command).refusal == refusal
        answer = driver.command(command)
        assert isinstance(answer, ev.CommandRefused)
        assert answer.reason == refusal


def test_what_a_restart_does_is_told_in_the_right_number() -> None:
    driver = Driver({"a": [], "b": ["a"], "c": ["b"]})
    driver.succeed("a", "b")
    driver.fail("c")
    snapshot = snapshot_of(driver)
    assert blast_radius(snapshot, cmd.RestartTask("a")).summary == "a runs again, 1 task after it keeps old results"
    assert blast_radius(snapshot, cmd.RestartTask("c", downstream=True)).summary == "1 task runs again"
    assert blast_radius(snapshot, cmd.RetryFailed()).summary == "1 task that failed runs again"


def test_what_there_is_none_of_is_left_out() -> None:
    driver = Driver({"only": []})
    assert blast_radius(snapshot_of(driver), cmd.CancelRun()).summary == "1 task told to stop"
    assert blast_radius(snapshot_of(driver), cmd.PauseRun()).summary == "starts nothing new; 1 task may finish"
    driver.succeed("only")
    assert "0 task" not in blast_radius(snapshot_of(driver), cmd.PauseRun()).summary


def test_all_that_runs_again_with_what_failed_is_named() -> None:
    """The dialog said "Run 1 task again", and those after it ran too."""
    driver = Driver({"a": [], "b": ["a"], "c": ["b"], "d": []})
    driver.succeed("d")
    driver.fail("a")
    found = blast_radius(snapshot_of(driver), cmd.RetryFailed())
    assert found.summary == "1 task that failed runs again, and 2 tasks after them"
    assert found.runs_again == ("a", "b", "c")
