"""What people had changed of a desired state in an earlier process, and how it is in force again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dagtop.core import commands as cmd
from dagtop.core.plan import Plan
from dagtop.core.policy import RunPolicy

if TYPE_CHECKING:
    from dagtop.journal.resume import Resumption

_POOL = "pool:"


def with_limits(policy: RunPolicy, resume: Resumption) -> RunPolicy:
    """The policy of a run with the limits that it had last."""
    pools = {
        name: replace(pool, limit=resume.limits[_POOL + name]) if _POOL + name in resume.limits else pool
        for name, pool in policy.pools.items()
    }
    return replace(policy, max_parallel=resume.limits.get("max_parallel", policy.max_parallel), pools=pools)


def orders_of(resume: Resumption, plan: Plan, *, supervises: bool = True) -> tuple[cmd.Command, ...]:
    """The commands that make tasks and breakers what they were made, as far as the graph still has them.

    Of a run that is to come to an end, and has services, only these.
    """
    policies = tuple(cmd.SetPolicy(name, **fields) for name, fields in resume.policies.items() if name in plan.index)
    if not supervises:
        return policies
    scales = (cmd.ScaleTask(name, count) for name, count in resume.replicas.items() if name in plan.index)
    breakers = (cmd.SetBreaker(name, **settings) for name, settings in resume.breakers.items())
    return (*policies, *scales, *breakers)
