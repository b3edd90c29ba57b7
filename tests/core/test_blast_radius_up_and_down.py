"""B22 and B33: what stops, starts and restart policies would do, told before it is done, is what they do."""

from __future__ import annotations

import random

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.blast import blast_radius, radius
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import FINAL, GOOD, TaskState
from machine_driver import Driver
from machine_kept import kept
from machine_steps import KINDS_OF_SERVICES, Step, take
from test_blast_radius import snapshot_of
from test_machine_fuzz import random_driver


def services(policy: TaskPolicy) -> Driver:
    return Driver({"db": [], "api": ["db"], "web": ["api"]}, {"db": policy}, supervises=True)


def said(driver: Driver, command: cmd.Command) -> str:
    effect = blast_radius(snapshot_of(driver), command)
    return effect.refusal or effect.summary


STOP, START, CANCEL = cmd.StopTask("db"), cmd.StartTask("db"), cmd.CancelTask("db")


def test_B22_a_stop_says_that_the_task_stays_down() -> None:
    driver = services(kept())
    told = "db is told to stop, 2 tasks after it will be skipped; it stays down until it is started"
    assert said(driver, STOP) == said(driver, CANCEL) == told
    assert said(driver, cmd.StopTask("web")) == "web will not run; it stays down until it is started"
    assert said(driver, cmd.CancelTask("web")) == "web will not run"  # nothing keeps it up: it need not be kept down
    driver.say_ready("db")
    assert blast_radius(snapshot_of(driver), STOP).stops == ("db",)
    assert blast_radius(snapshot_of(driver), STOP).never_runs == ()  # api runs already, and goes on


def test_B22_a_start_says_what_comes_with_it() -> None:
    driver = services(kept())
    assert said(driver, START) == "db is up already (running)"
    driver.command(STOP)
    assert said(driver, STOP) == "db is to be down already"
    assert said(driver, START) == "db is started when it has stopped"
    driver.stopped("db")
    assert said(driver, START) == "db is started; 2 tasks that were skipped because of it may run"
    assert said(driver, cmd.StartTask("api")) == "api is to be up, and starts when its upstream db is"
    assert not blast_radius(snapshot_of(driver), START).loses_something


def test_B22_a_start_of_what_succeeded_says_that_its_result_is_made_anew() -> None:
    driver = services(kept())
    driver.succeed("db", "api")
    effect = blast_radius(snapshot_of(driver), START)
    assert (effect.runs_again, effect.goes_stale, effect.loses_something) == (("db",), ("api", "web"), True)


def test_B22_a_stop_of_what_is_being_restarted_is_one_of_what_has_ended_too() -> None:
    driver = services(kept(max_restarts=0))
    driver.command(cmd.RestartTask("db"))
    assert said(driver, STOP) == said(driver, CANCEL) == "db is being stopped, and stays down until it is started"
    driver.stopped("db")
    driver.fail("db")
    assert said(driver, STOP) == "db has ended (blocked), and stays down until it is started"


def test_B22_a_restart_of_what_is_kept_up_names_what_gets_another_chance() -> None:
    driver = services(kept(max_restarts=0))
    driver.fail("db")
    effect = blast_radius(snapshot_of(driver), cmd.RestartTask("db"))
    assert effect.runs_again == ("db", "api", "web")


def test_B22_start_run_counts_what_is_started() -> None:
    driver = services(kept(max_restarts=0))
    assert said(driver, cmd.StartRun()) == "everything that should run does, or has come to a good end"
    driver.fail("db")
    assert said(driver, cmd.StartRun()) == "3 tasks started"
    driver.command(STOP)
    assert said(driver, cmd.StartRun()) == "2 tasks started"


def test_B22_a_task_that_was_removed_takes_no_command() -> None:
    driver = services(kept())
    driver.change("a new version", removed=("db",), rewired={"api": ()})
    driver.stopped("db")
    for command in (START, STOP, cmd.RestartTask("db"), cmd.MarkSucceeded("db"), cmd.SkipTask("db")):
        assert said(driver, command) == "db was removed from the graph"


def test_B22_a_ceiling_that_unblocks_says_so() -> None:
    driver = services(kept(max_restarts=1, base=0.0))
    driver.fail("db", "db")
    assert said(driver, cmd.SetPolicy("db", max_restarts=2)) == "db: max_restarts = 2; db runs again"
    told = "db: restart = always, as many restarts as it takes; db runs again"
    assert said(driver, cmd.SetPolicy("db", restart="always", max_restarts=-1)) == told
    assert said(driver, cmd.SetPolicy("db", max_restarts=0)) == "db: max_restarts = 0"
    answer = driver.command(cmd.SetPolicy("db", restart="never"))
    assert isinstance(answer, ev.CommandRefused)
    assert "restart must be one of 'no', 'on-failure', 'always', not 'never'" in answer.reason
    done = services(kept())
    done.succeed("db")
    assert blast_radius(snapshot_of(done), cmd.SetPolicy("db", restart="always")).runs_again == ("db",)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_B22_on_random_runs_of_services_what_is_said_before_is_what_happens(first: int) -> None:
    for seed in range(first, first + 100):
        chance = random.Random(f"radius {seed}")
        driver = random_driver(chance, kept_up=0.9)
        for _ in range(chance.randint(0, 40)):
            take(driver, Step(chance.choice(KINDS_OF_SERVICES), chance.randrange(1_000), chance.randrange(1_000)))
        name = chance.choice(driver.plan.names)
        policy = cmd.SetPolicy(name, restart=chance.choice(["no", "always"]), max_restarts=chance.choice([None, -1, 4]))
        commands = [cmd.StopTask(name), cmd.StartTask(name), cmd.RestartTask(name), cmd.StartRun(), policy]
        try:
            _compare(driver, chance.choice(commands))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def _compare(driver: Driver, command: cmd.Command) -> None:
    effect, before, states = blast_radius(snapshot_of(driver), command), len(driver.events), driver.states()
    assert effect == radius(driver.machine.ledger, command)
    answer = driver.command(command)
    if isinstance(answer, ev.CommandRefused):
        return  # the machine may know more
    assert not effect.refusal
    assert answer.effect == effect.summary
    after = driver.events[before:]
    stopped = {e.task for e in after if isinstance(e, ev.TaskCancelling) and states[e.task] is TaskState.RUNNING}
    assert stopped == {name for name in effect.stops if states[name] is TaskState.RUNNING}
    restarted = {e.task for e in after if isinstance(e, ev.TaskRestarted) and states[e.task] in FINAL}
    assert set(effect.runs_again) <= restarted
    thrown_away = {name for name in restarted if states[name] in GOOD}
    assert thrown_away <= set(effect.runs_again)
