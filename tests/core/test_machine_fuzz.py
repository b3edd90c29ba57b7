"""B26 and B40: random graphs, random outcomes, random commands at random instants; the books must balance at every step."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Any

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.blast import radius
from dagtop.core.policy import OnUpstreamFailure, Retry, TaskPolicy, Trigger
from dagtop.core.states import FINAL, RUN_OVER, RunState
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machine_driver import BROKEN, Driver

#: DAGTOP_FUZZ=20000 looks harder.
EXAMPLES = int(os.environ.get("DAGTOP_FUZZ", "250"))
STORIES = 2 * EXAMPLES

_KINDS = (
    "succeed succeed succeed succeed fail fail fatal stopped stopped_badly late tick tick advance "
    "cancel restart restart restart_below restart_below hold release pause continue drain cancel_run abandon limit policy"
).split()


@dataclass(frozen=True)
class Step:
    """One thing that happens; `x` and `y` choose among what there is."""

    kind: str
    x: int
    y: int


policies = st.builds(
    TaskPolicy,
    retry=st.builds(
        Retry,
        retries=st.integers(0, 2),
        backoff=st.sampled_from(["none", "linear", "exponential"]),
        base=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        jitter=st.sampled_from([0.0, 0.5]),
    ),
    timeout=st.sampled_from([None, None, 1.0, 2.5]),
    retry_on_timeout=st.booleans(),
    trigger=st.sampled_from(list(Trigger)),
    on_upstream_failure=st.sampled_from(list(OnUpstreamFailure)),
    priority=st.integers(-1, 1),
)
plain = st.sampled_from([TaskPolicy(), TaskPolicy(retry=Retry(retries=1, base=1.0)), TaskPolicy(timeout=1.5)])
step = st.builds(Step, st.sampled_from(_KINDS), st.integers(0, 30), st.integers(0, 30))
steps = st.one_of(st.lists(step, max_size=15), st.lists(step, min_size=25, max_size=70))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, TaskPolicy]]:
    count = draw(st.integers(1, 8))
    names = [f"t{i}" for i in range(count)]
    ranks = draw(st.permutations(range(count)))  # so that the order of declaration is not the order of running
    some = draw(st.sampled_from([policies, plain]))
    tasks: dict[str, list[str]] = {}
    for i, name in enumerate(names):
        earlier = [names[j] for j in range(count) if ranks[j] < ranks[i]]
        tasks[name] = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
    return tasks, {name: draw(some) for name in names}


run_policies = st.fixed_dictionaries(
    {
        "max_parallel": st.integers(1, 4),
        "fail_fast": st.booleans(),
        "run_timeout": st.sampled_from([None, None, 5.0]),
    }
)


def take(driver: Driver, step: Step) -> None:
    """Carry one step out, if there is anything it can be done to."""
    running = sorted(driver.running_names())
    chosen = running[step.x % len(running)] if running else None
    told = sorted(driver.plan.names[i] for i in driver.told if i in driver.running)
    match step.kind:
        case "succeed" if chosen:
            driver.succeed(chosen)
        case "fail" | "fatal" if chosen:
            driver.fail(chosen, retriable=step.kind == "fail", chance=step.y / 31)
        case "stopped" | "stopped_badly" if told:
            driver.stopped(told[step.x % len(told)], failure=BROKEN if step.kind == "stopped_badly" else None)
        case "late":
            late(driver, step)
        case "tick":
            if (due := driver.machine.next_due()) is not None:
                driver.at = max(driver.at, due)
            driver.tell(inp.Tick(driver.at))
        case "advance":
            driver.advance(step.y / 8)
        case _:
            command(driver, step)


def late(driver: Driver, step: Step) -> None:
    """An attempt that nobody waits for any more answers all the same."""
    index = step.x % len(driver.plan)
    number = driver.machine.ledger.attempt[index] - step.y % 2
    if driver.running.get(index) == number or not number:
        return
    before = len(driver.events)
    outcomes: list[inp.Input] = [
        inp.AttemptSucceeded(driver.at, index, number),
        inp.AttemptRaised(driver.at, index, number, BROKEN, True),
        inp.AttemptStopped(driver.at, index, number),
    ]
    driver.tell(outcomes[step.y % 3])
    assert len(driver.events) == before, "an outcome that nobody waits for had an effect"


def command(driver: Driver, step: Step) -> None:
    """Give the command to a task that takes it, if there is one, else to one that must refuse it."""
    options = [given for name in driver.plan.names if (given := command_of(step, name)) is not None]
    taken = [given for given in options if not radius(driver.machine.ledger, given).refusal]
    choice = taken if taken and step.y % 8 else options
    if choice:
        driver.command(choice[step.x % len(choice)])


def command_of(step: Step, name: str) -> cmd.Command | None:
    y = step.y
    commands: dict[str, cmd.Command] = {
        "cancel": cmd.CancelTask(name),
        "restart": cmd.RestartTask(name),
        "restart_below": cmd.RestartTask(name, downstream=True),
        "hold": cmd.HoldTask(name),
        "release": cmd.ReleaseTask(name),
        "pause": cmd.PauseRun(),
        "continue": cmd.ContinueRun(),
        "drain": cmd.DrainRun(),
        "cancel_run": cmd.CancelRun(),
        "abandon": cmd.AbandonRun(),
        "limit": cmd.SetMaxParallel(y % 5),
        "policy": cmd.SetPolicy(
            name, retries=y % 3, timeout=(None, 0.0, 0.7, 4.0)[y % 4], base=(None, 0.2, 5.0)[y % 3]
        ),
    }
    return commands.get(step.kind)


def finish(driver: Driver) -> None:
    """Let everything come to its end: answer what runs, release what is held, let time pass."""
    for _ in range(1_000):
        if driver.machine.is_over:
            return
        if driver.run_state is RunState.PAUSED:
            driver.command(cmd.ContinueRun())
        for index in sorted(driver.machine.ledger.held):
            driver.command(cmd.ReleaseTask(driver.plan.names[index]))
        running = sorted(driver.running_names())
        if running:
            name = running[0]
            driver.stopped(name) if driver.plan.index[name] in driver.told else driver.succeed(name)
        elif (due := driver.machine.next_due()) is not None:
            driver.at = max(driver.at, due)
            driver.tell(inp.Tick(driver.at))
        elif not driver.machine.is_over:
            raise AssertionError(f"nothing runs, nothing is due, and yet the run is not over: {driver.states()}")
    raise AssertionError("the run does not come to an end")


def check_the_end(driver: Driver) -> None:
    assert driver.run_state in RUN_OVER
    assert all(state in FINAL for state in driver.states().values())
    assert not driver.running
    finished, reopened = len(driver.of(ev.RunFinished)), len(driver.of(ev.RunReopened))
    assert finished == reopened + 1, "run.finished once for the run and once for each time it was reopened"
    assert driver.machine.next_due() is None


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), run_policies, steps)
def test_B26_commands_are_safe_at_any_instant_and_B40_the_events_replay_to_the_live_state(
    graph: tuple[dict[str, list[str]], dict[str, TaskPolicy]], run_policy: dict[str, Any], script: list[Step]
) -> None:
    driver = Driver(*graph, **run_policy)
    for step in script:
        take(driver, step)
    finish(driver)
    check_the_end(driver)


@pytest.mark.parametrize("first", range(0, STORIES, 50))
def test_B26_long_stories_end_well(first: int) -> None:
    """Longer than Hypothesis draws them, and biased to what is rare: restarts of a graph that is half done."""
    for seed in range(first, first + 50):
        chance = random.Random(seed)
        driver = random_driver(chance)
        try:
            for _ in range(chance.randint(20, 120)):
                take(driver, Step(chance.choice(_KINDS), chance.randrange(1_000), chance.randrange(1_000)))
            finish(driver)
            check_the_end(driver)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def random_driver(chance: random.Random) -> Driver:
    names = [f"t{i}" for i in range(chance.randint(2, 9))]
    width = chance.choice([1, 2, 3])
    tasks = {name: chance.sample(names[:i], min(i, chance.randint(0, width))) for i, name in enumerate(names)}
    odd = chance.random()

    def policy() -> TaskPolicy:
        return TaskPolicy(
            retry=Retry(retries=chance.randrange(3), base=chance.choice([0.0, 0.0, 1.0, 3.0])),
            timeout=chance.choice([None, None, 2.0]),
            retry_on_timeout=chance.random() < 0.5,
            trigger=chance.choice(list(Trigger)) if chance.random() < odd else Trigger.ALL_SUCCESS,
            on_upstream_failure=chance.choice(list(OnUpstreamFailure)) if chance.random() < odd else "skip",
            priority=chance.randrange(2),
        )

    return Driver(
        tasks,
        {name: policy() for name in names},
        max_parallel=chance.randint(1, 4),
        fail_fast=chance.random() < 0.2,
        run_timeout=chance.choice([None, None, None, 9.0]),
    )
