"""Policies as plain data and back: what a journal tells of how a run was set up."""

from __future__ import annotations

import msgspec
import pytest
from dagtop.core.described import breaker_of, described, described_run, policies_of, policy_of, told_apart
from dagtop.core.guards import Breaker, Gate, Pool
from dagtop.core.policy import DEFAULT_POLICY, Retry, RunPolicy, TaskPolicy, Trigger
from dagtop.core.restart import Probe, Restart

RICH = TaskPolicy(
    retry=Retry(retries=4, backoff="linear", base=0.5, jitter=0.2, on=(OSError, ValueError), not_on=(KeyError,)),
    timeout=2.5,
    trigger=Trigger.ANY_SUCCESS,
    priority=3,
    cost=7.0,
    circuit="api",
    pool="db",
    resources={"gpu": 2},
    gate=Gate(prompt="really?", timeout=9.0),
    restart=Restart(policy="always", max_restarts=2, base=3.0),
    ready=Probe(interval=0.5),
    tags=("etl", "nightly"),
    description="loads",
)


def test_a_policy_comes_back_from_json_as_it_was() -> None:
    told = msgspec.json.decode(msgspec.json.encode(described(RICH)))
    assert policy_of(told) == RICH


def test_the_default_policy_takes_no_room() -> None:
    assert described(DEFAULT_POLICY) == {}
    assert policy_of({}) is DEFAULT_POLICY


def test_functions_of_probes_are_left_out() -> None:
    told = described(TaskPolicy(alive=Probe(check=lambda: True, threshold=2)))
    msgspec.json.encode(told)
    assert policy_of(told).alive == Probe(threshold=2)


def test_types_that_are_not_known_here_are_left_out() -> None:
    class OwnError(Exception):
        pass

    assert policy_of(described(TaskPolicy(retry=Retry(on=(OwnError, OSError))))).retry.on == (OSError,)


@pytest.mark.parametrize("told", [{"timeout": -1}, {"trigger": "some_time"}, {"later": 1, "priority": 0}])
def test_what_cannot_be_made_of_it_is_left_at_its_default(told) -> None:
    assert policy_of(told) == DEFAULT_POLICY


def test_equal_policies_are_described_once() -> None:
    retry = Retry(2)
    policies = [TaskPolicy(retry=retry), TaskPolicy(retry=retry), RICH, TaskPolicy(retry=Retry(2))]
    distinct, which = told_apart(policies)
    assert (len(distinct), which) == (2, (0, 0, 1, 0))
    assert policies_of(distinct, which, 4) == policies


def test_one_policy_for_all_needs_no_numbers() -> None:
    distinct, which = told_apart([RICH])
    assert which == ()
    assert policies_of(distinct, which, 3) == [RICH] * 3


def test_records_of_earlier_versions_have_default_policies() -> None:
    assert policies_of((), (), 2) == [DEFAULT_POLICY] * 2


def test_limits_and_breakers_of_a_run_are_told() -> None:
    api = Breaker("api", failure_threshold=2, on_open="fail")
    told = described_run(RunPolicy(pools={"db": Pool(4, rate=2.0)}, resources={"gpu": 1}, breakers={"api": api}))
    told = msgspec.json.decode(msgspec.json.encode(told))
    assert (told["pools"], told["resources"], told["supervises"]) == ({"db": 4}, {"gpu": 1}, False)
    assert breaker_of("api", told["breakers"]["api"]) == api
    assert breaker_of("other", {}) == Breaker("other")
