"""B26 and B40: random graphs, random outcomes, random commands at random instants; the books must balance at every step."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from dagtop.core.guards import Breaker, Gate, Pool
from dagtop.core.policy import OnUpstreamFailure, Retry, TaskPolicy, Trigger
from dagtop.core.restart import NO_RESTART, Probe, Restart, RestartPolicy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machine_driver import Driver
from machine_steps import KINDS, KINDS_OF_SERVICES, Step, check_the_end, finish, take

#: DAGTOP_FUZZ=20000 looks harder.
EXAMPLES = int(os.environ.get("DAGTOP_FUZZ", "250"))
STORIES = 2 * EXAMPLES


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
    circuit=st.sampled_from(["", "", "api", "mail"]),
    pool=st.sampled_from(["", "", "db", "slow"]),
    resources=st.sampled_from([{}, {}, {"gpu": 1}, {"gpu": 2, "ram": 1}]),
    gate=st.sampled_from([None, None, None, Gate(), Gate(timeout=2.0, on_timeout="approve"), Gate(on_reject="skip")]),
)
supervised = st.builds(
    TaskPolicy,
    retry=st.sampled_from([Retry(retries=0), Retry(retries=0), Retry(retries=1, base=1.0)]),
    timeout=st.sampled_from([None, None, None, 2.5]),
    trigger=st.sampled_from(list(Trigger)),
    on_upstream_failure=st.sampled_from(list(OnUpstreamFailure)),
    circuit=st.sampled_from(["", "", "api", "mail"]),
    pool=st.sampled_from(["", "", "db"]),
    gate=st.sampled_from([None, None, None, Gate()]),
    restart=st.builds(
        Restart,
        policy=st.sampled_from(list(RestartPolicy)),
        max_restarts=st.sampled_from([None, 0, 1, 2]),
        base=st.sampled_from([0.0, 1.0, 2.0]),
        cap=st.sampled_from([1.5, 60.0]),
        jitter=st.sampled_from([0.0, 0.5]),
        reset_after=st.sampled_from([0.5, 60.0]),
    ),
    ready=st.sampled_from([None, None, Probe(delay=0.5), Probe(threshold=2)]),
    alive=st.sampled_from([None, None, Probe(threshold=1), Probe(interval=0.5, delay=1.0)]),
)
plain = st.sampled_from([TaskPolicy(), TaskPolicy(retry=Retry(retries=1, base=1.0)), TaskPolicy(timeout=1.5)])
step = st.builds(Step, st.sampled_from(KINDS), st.integers(0, 30), st.integers(0, 30))
steps = st.one_of(st.lists(step, max_size=15), st.lists(step, min_size=25, max_size=70))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, TaskPolicy], dict[str, Any]]:
    count = draw(st.integers(1, 8))
    names = [f"t{i}" for i in range(count)]
    ranks = draw(st.permutations(range(count)))  # so that the order of declaration is not the order of running
    some = draw(st.sampled_from([policies, plain, supervised, st.one_of(plain, supervised)]))
    tasks: dict[str, list[str]] = {}
    for i, name in enumerate(names):
        earlier = [names[j] for j in range(count) if ranks[j] < ranks[i]]
        tasks[name] = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
    some_names = st.lists(st.sampled_from(names), unique=True, max_size=3)
    more = {
        "asks": draw(some_names),
        "cleans_up": draw(some_names),
        "winds_down": draw(st.booleans()),
        "sets_up": draw(st.sampled_from([False, False, True])),
    }
    return tasks, {name: draw(some) for name in names}, more


run_policies = st.fixed_dictionaries(
    {
        "max_parallel": st.integers(1, 4),
        "fail_fast": st.booleans(),
        "run_timeout": st.sampled_from([None, None, 5.0]),
        "adaptive": st.booleans(),
        "supervises": st.booleans(),
    }
)
AROUND: dict[str, Any] = {
    "pools": {"db": Pool(2), "slow": Pool(2, rate=0.5)},
    "resources": {"gpu": 2, "ram": 1},
    "breakers": {
        "api": Breaker("api", failure_threshold=1, recovery_timeout=1.0),
        "mail": Breaker("mail", failure_threshold=2, recovery_timeout=3.0, success_threshold=2, on_open="fail"),
    },
}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), run_policies, steps)
def test_B26_commands_are_safe_at_any_instant_and_B40_the_events_replay_to_the_live_state(
    graph: tuple[dict[str, list[str]], dict[str, TaskPolicy], dict[str, Any]],
    run_policy: dict[str, Any],
    script: list[Step],
) -> None:
    tasks, of_tasks, more = graph
    driver = Driver(tasks, of_tasks, **more, **run_policy, **AROUND)
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
                take(driver, Step(chance.choice(KINDS), chance.randrange(1_000), chance.randrange(1_000)))
            finish(driver)
            check_the_end(driver)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("first", range(0, STORIES, 50))
def test_B28_long_stories_of_tasks_that_are_kept_up_end_well(first: int) -> None:
    """Crashes, restarts, probes, and people who change their minds; few of them end the run."""
    for seed in range(first, first + 50):
        chance = random.Random(f"services {seed}")
        driver = random_driver(chance, kept_up=0.9)
        try:
            for _ in range(chance.randint(40, 160)):
                take(driver, Step(chance.choice(KINDS_OF_SERVICES), chance.randrange(1_000), chance.randrange(1_000)))
            finish(driver)
            check_the_end(driver)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("first", range(0, STORIES, 50))
def test_B35_long_stories_of_nodes_with_services_end_well(first: int) -> None:
    """Graphs of graphs, in which tasks are kept up beside others that come to an end."""
    for seed in range(first, first + 50):
        chance = random.Random(f"nodes {seed}")
        driver = random_driver(chance, kept_up=chance.choice([0.3, 0.7]), in_nodes=True)
        kinds = chance.choice([KINDS, KINDS_OF_SERVICES])
        try:
            for _ in range(chance.randint(20, 160)):
                take(driver, Step(chance.choice(kinds), chance.randrange(1_000), chance.randrange(1_000)))
            finish(driver)
            check_the_end(driver)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def nodes_of(chance: random.Random) -> tuple[dict[str, list[str]], list[str]]:
    """What each task needs, in a graph of graphs; and the tasks that stand for its nodes."""
    tasks: dict[str, list[str]] = {}
    nodes: list[str] = []

    def lay(path: str, before: list[str], depth: int) -> None:
        inside: list[str] = []
        for number in range(chance.randint(1, 3)):
            if depth < 2 and chance.random() < 0.25:
                name = f"{path}/n{number}"
                inner = [one for one in inside if one in nodes and chance.random() < 0.5]
                lay(name, before + inner, depth + 1)
            else:
                name = f"{path}/t{number}"
                above = [one for one in inside if one not in nodes and chance.random() < 0.5]
                tasks[name] = above or list(before)
            inside.append(name)
        tasks[path] = inside
        nodes.append(path)

    laid: list[str] = []
    for number in range(chance.randint(1, 3)):
        lay(f"n{number}", [one for one in laid if chance.random() < 0.6], 0)
        laid.append(f"n{number}")
    return tasks, nodes


def random_driver(chance: random.Random, kept_up: float | None = None, *, in_nodes: bool = False) -> Driver:
    names = [f"t{i}" for i in range(chance.randint(2, 9))]
    width = chance.choice([1, 2, 3])
    tasks = {name: chance.sample(names[:i], min(i, chance.randint(0, width))) for i, name in enumerate(names)}
    nodes: list[str] = []
    if in_nodes:
        tasks, nodes = nodes_of(chance)
        names = [name for name in tasks if name not in nodes]
    odd, guarded = chance.random(), chance.choice([0.0, 0.3, 0.8])

    often = chance.choice([0.0, 0.4, 0.9]) if kept_up is None else kept_up

    def restart() -> Restart:
        return Restart(
            policy=chance.choice(list(RestartPolicy)),
            max_restarts=chance.choice([None, None, 0, 1, 3]),
            base=chance.choice([0.0, 1.0]),
            cap=chance.choice([2.0, 60.0]),
            reset_after=chance.choice([1.0, 60.0]),
        )

    def policy() -> TaskPolicy:
        return TaskPolicy(
            retry=Retry(retries=chance.randrange(3), base=chance.choice([0.0, 0.0, 1.0, 3.0])),
            timeout=chance.choice([None, None, 2.0]),
            retry_on_timeout=chance.random() < 0.5,
            trigger=chance.choice(list(Trigger)) if chance.random() < odd else Trigger.ALL_SUCCESS,
            on_upstream_failure=chance.choice(list(OnUpstreamFailure)) if chance.random() < odd else "skip",
            priority=chance.randrange(2),
            circuit=chance.choice(["api", "mail"]) if chance.random() < guarded else "",
            pool=chance.choice(["db", "slow"]) if chance.random() < guarded else "",
            resources=chance.choice([{"gpu": 1}, {"gpu": 2, "ram": 1}]) if chance.random() < guarded else {},
            gate=chance.choice([Gate(), Gate(timeout=2.0)]) if chance.random() < guarded / 2 else None,
            restart=restart() if chance.random() < often else NO_RESTART,
            ready=chance.choice([Probe(), Probe(delay=0.5, threshold=2)]) if chance.random() < often / 2 else None,
            alive=chance.choice([Probe(), Probe(delay=2.0, threshold=1)]) if chance.random() < often / 2 else None,
        )

    return Driver(
        tasks,
        {name: policy() for name in names} | {name: TaskPolicy(trigger=Trigger.ALL_DONE, cost=0.0) for name in nodes},
        nodes=nodes,
        asks=[name for name in names if chance.random() < guarded / 2],
        cleans_up=[name for name in names if chance.random() < guarded / 2],
        winds_down=chance.random() < guarded,
        sets_up=chance.random() < guarded / 2,
        adaptive=chance.random() < guarded / 2,
        **AROUND,
        max_parallel=chance.randint(1, 4),
        fail_fast=chance.random() < 0.2 and kept_up is None,
        supervises=chance.random() < often and not in_nodes,
        run_timeout=chance.choice([None, None, None, 9.0]) if kept_up is None else None,
    )
