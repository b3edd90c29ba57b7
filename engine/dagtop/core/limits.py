"""What attempts share besides slots: pools with a limit and a rate, and resources by the amount. Counts only; who waits is `Lanes`.

An attempt takes all that it needs or nothing. Every count has a key, which is also the lane in which tasks wait for it:
"pool:db", "rate:db" (the pool has room and its rate has not), "resource:gpu".

The rate is a token bucket: `burst` tokens at most, `rate` new ones per second, one for each start. It is kept as a line in
time, not as a sum of tokens (the virtual scheduling of ATM's generic cell rate algorithm, ITU-T I.371): of the starts since
the bucket was last full, start number k may come at `full_at + (k - burst + 1) / rate`. One division from a fixed point:
nothing adds up, so there is no drift, and what is due at a time is due at exactly that time.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping

from dagtop.core.guards import Pool
from dagtop.core.policy import TaskPolicy

_NOTHING: Mapping[str, int] = {}


class _Rate:
    """The token bucket of one pool."""

    __slots__ = ("burst", "full_at", "per_second", "starts")

    def __init__(self, per_second: float, burst: int) -> None:
        self.per_second, self.burst = per_second, burst
        self.full_at = 0.0
        """When the bucket was full for the last time."""
        self.starts = 0
        """How many starts there have been since."""

    def due(self) -> float:
        """When the next start may come."""
        missing = self.starts - self.burst + 1
        if missing <= 0:
            return self.full_at
        return min(self.full_at + missing / self.per_second, sys.float_info.max)

    def take(self, at: float) -> None:
        if not self.starts or at > self.full_at + self.starts / self.per_second:
            self.full_at, self.starts = at, 0
        self.starts += 1


class Limits:
    """How much of each pool and resource is in use, and by whom.

    Parameters
    ----------
    pools: limits and rates by name.
    resources: how much there is of each, by name.
    """

    def __init__(self, pools: Mapping[str, Pool], resources: Mapping[str, int]) -> None:
        self.limit: dict[str, int] = {f"pool:{name}": pool.limit for name, pool in pools.items()}
        """By key: how much there is."""
        self.limit.update({f"resource:{name}": amount for name, amount in resources.items()})
        self.in_use: dict[str, int] = dict.fromkeys(self.limit, 0)
        """By key: how much of it is taken."""
        self._rates = {name: _Rate(pool.rate, pool.burst) for name, pool in pools.items() if pool.rate is not None}
        self._taken: dict[int, tuple[tuple[str, int], ...]] = {}
        self._needs: dict[int, tuple[TaskPolicy, tuple[tuple[str, int], ...]]] = {}

    def needs(self, policy: TaskPolicy) -> tuple[tuple[str, int], ...]:
        """What an attempt takes, as (key, amount)."""
        known = self._needs.get(id(policy))
        if known is None:
            keys = [(f"resource:{name}", amount) for name, amount in policy.resources.items() if amount]
            if policy.pool:
                keys.insert(0, (f"pool:{policy.pool}", 1))
            known = self._needs[id(policy)] = (policy, tuple(keys))  # with the policy, so that its id stays its own
        return known[1]

    def blocked_by(self, policy: TaskPolicy, at: float, kept: Mapping[str, int] = _NOTHING) -> str | None:
        """The lane in which an attempt has to wait; None if it fits now. `kept` is what is left for others, by key."""
        limit, in_use = self.limit, self.in_use
        for key, amount in self.needs(policy):
            if in_use[key] + amount + kept.get(key, 0) > limit[key]:
                return key
        if policy.pool in self._rates and at < self._rates[policy.pool].due():
            return f"rate:{policy.pool}"
        return None

    def take(self, index: int, policy: TaskPolicy, at: float) -> None:
        """An attempt of task `index` starts."""
        if index in self._taken:
            raise AssertionError(f"task {index} takes from pools and resources twice: this is a bug in dagtop")
        needs = self.needs(policy)
        if not needs:
            return
        self._taken[index] = needs
        for key, amount in needs:
            self.in_use[key] += amount
        if policy.pool in self._rates:
            self._rates[policy.pool].take(at)

    def give_back(self, index: int) -> Collection[str]:
        """The attempt of task `index` has ended: the keys of what is free again; none if it had taken nothing."""
        taken = self._taken.pop(index, ())
        for key, amount in taken:
            self.in_use[key] -= amount
        return [key for key, _ in taken]

    def set_pool_limit(self, pool: str, limit: int) -> None:
        """A pool has a new limit; what is above it goes on to its end."""
        self.limit[f"pool:{pool}"] = limit

    def rate_due(self, pool: str, at: float) -> float:
        """When the next start may come in a pool that has a rate, as far as the rate goes: `at` if it may come now."""
        rate = self._rates.get(pool)
        return at if rate is None else max(at, rate.due())

    def used(self) -> dict[str, tuple[int, int]]:
        """(in use, limit) by key."""
        return {key: (used, self.limit[key]) for key, used in self.in_use.items()}
