"""What attempts share besides slots: pools with a limit and a rate, and resources. Counts only: who waits is the lanes' matter.

An attempt takes all that it needs or nothing. Every count has a key, which is also the lane in which tasks wait for it:
"pool:db", "rate:db" (the pool has room and its rate has not), "resource:gpu".

Nobody is overtaken for ever. The best-ranked request that waits for a key has the first claim to it: a request of a worse
rank does not take of that key what would fit beside, so a big request starts as soon as enough has been given back, however
many small ones come after it. A request that needs several keys and has had to go from one lane to another keeps all it
needs free from then on, or two streams of small requests could fill each of them in turn while it waits for the other; one
request at a time may do that. A claim weighs on worse ranks only, so claims cannot block each other. It ends whenever
something of the key that it waits for is given back (and is made anew if that was not enough): as long as it stands, an
attempt is in progress that will end it, and a waiter that is cancelled leaves nothing behind.

The rate is a token bucket: `burst` tokens at most, `rate` new ones per second, one for each start. It is kept as a line in
time, not as a sum of tokens (the virtual scheduling of ATM's generic cell rate algorithm, ITU-T I.371): of the starts since
the bucket was last full, start number k may come at `full_at + (k - burst + 1) / rate`. One division from a fixed point:
nothing adds up, so there is no drift, and what is due at a time is due at exactly that time.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import TypeAlias

from dagtop.core.guards import Pool
from dagtop.core.policy import TaskPolicy

_Needs: TypeAlias = tuple[tuple[str, int], ...]


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
        self._taken: dict[int, _Needs] = {}
        self._needs: dict[int, tuple[TaskPolicy, _Needs]] = {}
        self._first: dict[str, int] = {}
        """By key: the best rank that waits for it."""
        self._went: dict[int, str] = {}
        """By rank of a waiting request that needs several keys: for which it waits."""
        self._all_for: tuple[int, str, _Needs] | None = None
        """The request for which all that it needs is kept free: its rank, for which key it waits, and what it needs."""

    def declare(self, pools: Mapping[str, Pool], resources: Mapping[str, int]) -> None:
        """Take further pools and resources; those that there are stay as they are."""
        new = Limits(pools, resources)
        for key in new.limit.keys() - self.limit.keys():
            self.limit[key], self.in_use[key] = new.limit[key], 0
        for name in new._rates.keys() - self._rates.keys():
            self._rates[name] = new._rates[name]

    def needs(self, policy: TaskPolicy) -> _Needs:
        """What an attempt takes, as (key, amount)."""
        known = self._needs.get(id(policy))
        if known is None:
            keys = [(f"resource:{name}", amount) for name, amount in policy.resources.items() if amount]
            if policy.pool:
                keys.insert(0, (f"pool:{policy.pool}", 1))
            known = self._needs[id(policy)] = (policy, tuple(keys))  # with the policy, so that its id stays its own
        return known[1]

    def blocked_by(self, policy: TaskPolicy, at: float, rank: int | None = None) -> str | None:
        """The lane in which an attempt has to wait; None if it fits now.

        With its `rank` (0 is the best) it stands in that lane from now on, has a claim there, and respects those of others.
        """
        needs = self.needs(policy)
        for key, amount in needs:
            if self.in_use[key] + amount + self._kept(key, rank) > self.limit[key]:
                if rank is not None:
                    self._claim(key, rank, needs)
                return key
        if rank is not None and self._went:
            self._went.pop(rank, None)
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
        """The attempt of task `index` has ended: the lanes that may move now; none if it had taken nothing."""
        taken = self._taken.pop(index, ())
        for key, amount in taken:
            self.in_use[key] -= amount
        return self._moving([key for key, _ in taken])

    def set_pool_limit(self, pool: str, limit: int) -> Collection[str]:
        """A pool has a new limit; what is above it goes on to its end. The lanes that may move now."""
        key = f"pool:{pool}"
        self.limit[key] = limit
        return self._moving([key])

    def rate_due(self, pool: str, at: float) -> float:
        """When the next start may come in a pool that has a rate, as far as the rate goes: `at` if it may come now."""
        rate = self._rates.get(pool)
        return at if rate is None else max(at, rate.due())

    def used(self) -> dict[str, tuple[int, int]]:
        """(in use, limit) by key."""
        return {key: (used, self.limit[key]) for key, used in self.in_use.items()}

    def forget_claims(self) -> None:
        """Ranks have changed: all that wait ask again."""
        self._first.clear()
        self._went.clear()
        self._all_for = None

    # -- claims -----------------------------------------------------------------------------------------------------

    def _kept(self, key: str, rank: int | None) -> int:
        """How much of it a request of this rank must leave to better ones."""
        if rank is None:
            return 0
        if self._first.get(key, rank) < rank:
            return self.limit[key]
        if self._all_for is not None and self._all_for[0] < rank:
            return dict(self._all_for[2]).get(key, 0)
        return 0

    def _claim(self, key: str, rank: int, needs: _Needs) -> None:
        if rank < self._first.get(key, rank + 1):
            self._first[key] = rank
        if len(needs) > 1:
            if self._all_for is None and self._went.get(rank, key) != key:
                self._all_for = (rank, key, needs)
            self._went[rank] = key

    def _moving(self, keys: list[str]) -> list[str]:
        """Claims to these keys are over, and so are those to other keys of a request that waited for one of them."""
        if self._all_for is not None and self._all_for[1] in keys:
            keys += [key for key, _ in self._all_for[2] if key not in keys]
            self._all_for = None
        for key in keys:
            self._first.pop(key, None)
        return keys
