"""How many attempts at once, as tasks themselves show it: failures, timeouts, latency against its usual. Never how many wait.

It begins at the most. It goes down

- when more attempts failed than chance explains (three standard deviations above 5 %, or above what is known to be bugs), by
  the share of the time that was lost: with k good ones at once that leads to k (J. Little 1961: at once = rate × latency);
- when the latencies of three groups in a row, each against what is usual for its kind, are 1.5 × as long;
- when a quarter fewer for one round trip, tried seldom, turn out to be as much quicker: then all above only waited.

Whatever goes down is an experiment: if as many fail or it takes as long with fewer at once, it is not the load; the limit
goes back up and that is usual from now on. It goes up by steps that double while all is well, but waits longer each time
that what it tried was too much, as CUBIC does near the last loss (S. Ha, I. Rhee, L. Xu 2008).

Why not a classic rule: `benchmarks/adaptive.py` runs 25 simulated services, 50 at most, against the rules of Netflix's
concurrency-limits. Time against a fixed limit, or window against what the service can do at once (k = 10):

| | AIMD¹ | Vegas² | Gradient2³ | this |
| --- | --- | --- | --- | --- |
| healthy, log-normal latencies: time | 1.00 | 7.2 | 4.0 | 1.03 |
| healthy, 5 % bugs / 20 % bugs: time | 3.7 / 8.6 | 1.00 / 1.00 | 1.00 / 1.00 | 1.00 / 1.01 |
| three times slower for good: time | 1.00 | 1.00 | 1.33 | 1.02 |
| queues above k: window / k | 5.0 | 3.1 | 2.3 | 1.27 |
| slows each other down above k: window / k | 5.0 | 5.0 | 5.0 | 1.19 |
| refuses above k: window / k, attempts refused | 1.00, 435 | 0.62, 726 | never ends | 1.00, 103 |
| times out above k: window / k, attempts lost | 1.45, 256 | 5.0, 2002 | 3.4, 1745 | 1.18, 163 |
| fails all when there are more than k: time, ideal 25 s | 41 | 83 | never ends | 27 |

¹ D. Chiu, R. Jain 1989. ² L. Brakmo, S. O'Malley, L. Peterson 1994. ³ Netflix/concurrency-limits, `Gradient2Limit`.

What it does not see: latencies that vary by a factor of three by themselves hide a queue for a hundred round trips or so.
"""

from __future__ import annotations

import math

from dagtop.core.samples import FEW, GRAIN, Sums, Usual, at_most, upper

#: Failures up to this share are never taken for overload: bugs and bad inputs fail at any load.
TOLERATED = 0.05
#: A share of failures above this is never taken for bugs.
NOT_ALL = 0.6
#: Latency against its usual: from here on the window goes down; and up to here it may go up.
SLOW, CALM = 1.5, 1.15
_LOG_SLOW, _LOG_CALM = math.log(SLOW), math.log(CALM)
#: Up to this standard deviation of their logarithms latencies are alike: a factor of 1.3.
ALIKE = 0.25
#: How many groups of latencies must be slow, one after the other; a group is two thirds of a round trip. One hiccup of the
#: machine hits all attempts that are in progress at once, and is over.
SLOW_GROUPS = 3
#: The least part of the window that one step down leaves.
STEP_DOWN = 0.6
#: The part of it that is left while it is tried whether fewer at once are quicker, and after how many full round trips that is
#: tried when latencies are all alike, and when they are not. It costs a healthy run under 3 % of its time, and halves each time.
DIP, DIP_AFTER, DIP_LATER, DIP_SELDOM = 0.75, 24, 64, 512
#: Most full round trips to wait before a window that had trouble is tried again.
PATIENCE = 64


class Window:
    """The adaptive limit of a run: always within its bounds, which are those of the run.

    Parameters
    ----------
    least: how far it may go down.
    most: how far it may go up.
    """

    _ended: int
    """Attempts that ended, of those that began with this limit."""
    _failed: int
    _spent: float
    """Seconds that they took."""
    _wasted: float
    """Seconds that those of them took that failed."""
    _calm: int
    """Full round trips with this limit."""
    _was_good: bool
    """Whether this limit is one that was good before more was tried."""
    _group: Sums
    """Latencies that are looked at together: logarithms of how they compare with what is usual."""
    _group_size: int
    _slow_groups: int
    """How many groups were slow, one after the other."""
    _quick_rounds: int
    """How many round trips were quicker than usual, one after the other."""
    _tried: int
    """Attempts that ended in this round trip; then those that failed, that ended when the limit had settled, most at once."""
    _missed: int
    _settled: int
    _busiest: int
    _times: Sums
    """The latencies of this round trip."""
    _enough: int
    """How many attempts make a round trip."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = min(least, most), most
        self.limit = most
        self._usual: dict[int, Usual] = {}
        self._shift = 0.0
        """Added to what is usual of every kind: when all have become quicker or slower together."""
        self._fails = TOLERATED
        """The share of failures that is no sign of overload here."""
        self._mean = 0.0
        """Seconds that an attempt took lately."""
        self._unlike = 1.0
        """How much attempts of one kind differ in time, from 0.2 for hardly to 1."""
        self._to_fail = 0.0
        """Seconds that one took lately to fail."""
        self._since = -math.inf
        """When the limit changed."""
        self._settled_at = 0.0
        """From when on latencies are those of the new limit: the quick ones end first."""
        self._bad: int | None = None
        """A limit at which there was trouble."""
        self._good: int | None = None
        """The limit before it was raised for a try."""
        self._patience = 1
        self._before_cut: tuple[int, float] | None = None
        """(limit, share of failures) when it was cut, to see whether that helped."""
        self._no_help = 0
        self._dip: tuple[int, float, int] | None = None
        """While it is tried whether fewer are quicker: limit and mean latency before, and the limit before all such steps."""
        self._since_dip, self._dip_after = 0, 0
        self._hint = False
        """The first attempts were quicker than those after them: perhaps those waited for each other from the start."""
        self._at_bottom = False
        """What is usual is known to be without waiting: fewer at once were not quicker."""
        self._restart()

    def ended(self, kind: int, at: float, seconds: float, ok: bool, in_flight: int) -> str:
        """An attempt ended: why the limit has changed, "" if it has not.

        Parameters
        ----------
        kind: tasks of one kind run the same code: how long they take is compared among themselves.
        at: now, seconds since the run began.
        seconds: how long the attempt took.
        ok: whether it succeeded; False for an exception of its own and for a timeout. (An attempt that a person or the run
            stopped is not told at all: it says nothing about the load.)
        in_flight: attempts in progress when it ended, itself included.
        """
        begun = at - seconds
        if begun < self._since - 1e-9 * max(1.0, at):
            return ""
        if not self._ended:
            self._settled_at = begun + max((1 + self._unlike) * self._mean, 1.2 * self._to_fail)
        self._busiest = max(self._busiest, in_flight)
        self._ended += 1
        self._settled += at >= self._settled_at
        self._spent += seconds
        self._tried += 1
        if ok:
            self._mean += (seconds - self._mean) * (0.1 if self._mean else 1.0)
            self._time(kind, at, begun, seconds)
        else:
            self._to_fail += (seconds - self._to_fail) * (0.1 if self._to_fail else 1.0)
            self._wasted += seconds
            self._failed += 1
            self._missed += 1
        why = self._failing(at) if self._missed else ""
        if not why and self._group.n >= self._group_size:
            why = self._slow(kind, at)
        if not why and self._settled >= self._enough:
            why = self._round_over(at)
        return why

    def set_bounds(self, least: int, most: int) -> str:
        """The run has new bounds: why the limit has changed, "" if it has not."""
        free = self.limit == self.most and self._bad is None
        self.least, self.most = min(least, most), most
        limit = most if free else min(max(self.limit, self.least), most)
        if limit == self.limit:
            return ""
        self._dip = self._good = self._before_cut = None
        return self._move(limit, self._since, f"max_parallel is {most} now")

    # -- what is seen -----------------------------------------------------------------------------------------------

    def _time(self, kind: int, at: float, begun: float, seconds: float) -> None:
        usual = self._usual.get(kind)
        if usual is None:
            usual = self._usual[kind] = Usual(begun)
        if usual.known and at >= self._settled_at:
            ratio = math.log(seconds + GRAIN) - usual.log - self._shift
            self._times.add(ratio)
            self._group.add(ratio)
        if at >= self._settled_at and (not usual.known or (not usual.learned and self._since < usual.begun)):
            usual.learn(at, seconds, self._shift)
            self._hint = self._hint or (usual.known and usual.log > usual.first + _LOG_SLOW)

    def _failing(self, at: float) -> str:
        """Go down if more failed than chance explains."""
        for failed, tried in ((self._missed, self._tried), (self._failed, self._ended)):
            if failed >= 3 and failed > at_most(self._fails, tried):
                share = max(failed / tried, self._wasted / (self._spent or 1.0))
                self._dip = None
                if share >= 0.9 and self.limit == self.least:
                    return ""
                why = f"{failed} of {tried} failed"
                if self._good is not None:
                    return self._back(at, why)
                acute = failed == tried >= 5 or (share >= 0.8 and tried >= max(FEW, self.limit // 2))
                if tried < max(self.limit, FEW) and (self._was_good or not acute):
                    continue  # those of the round trip that have not ended yet may not fail
                if self._is_no_help(share):
                    return self._not_the_load(at, why)
                return self._cut(at, share, why)
        return ""

    def _slow(self, kind: int, at: float) -> str:
        """Go down if attempts take longer than usual."""
        group, self._group = self._group, Sums()
        is_slow = group.mean > max(_LOG_SLOW, 4 * group.error)
        self._slow_groups = self._slow_groups + 1 if is_slow else 0
        if self._slow_groups < SLOW_GROUPS or self._dip is not None:
            return ""
        factor = math.exp(group.mean)
        usual = self._usual[kind]
        known = usual.log + self._shift if usual.known else math.log(self._mean + GRAIN)
        why = f"latency {factor:.1f} × its usual {max(0.0, math.exp(known) - GRAIN) * 1000:.3g} ms"
        if self._good is not None:
            return self._back(at, why)
        return self._try_fewer(at, max(STEP_DOWN, 1 / factor), group.mean, why)

    # -- down -------------------------------------------------------------------------------------------------------

    def _cut(self, at: float, share: float, why: str) -> str:
        """Go down because of failures, by their share of the time: if they are those above what the service can do, to that."""
        if not self._no_help:
            self._before_cut = (self.limit, share)
        self._bad = self.limit
        self._patience = 1
        return self._move(min(self.limit - 1, round(self.limit * max(STEP_DOWN, 1 - share))), at, why)

    def _is_no_help(self, share: float) -> bool:
        """Whether as many fail as before the limit went down, for the second time.

        If all above k at once fail, a share s of `then` attempts becomes 1 - (1 - s) × then / now; if it is not the load, s.
        """
        if self._before_cut is None:
            return False
        limit, then = self._before_cut
        expected = max(0.0, 1 - (1 - then) * limit / self.limit)
        if share > NOT_ALL or then > NOT_ALL or share < (then + expected) / 2:
            self._no_help = 0
        else:
            self._no_help += 1
        return self._no_help > 1

    def _not_the_load(self, at: float, why: str) -> str:
        assert self._before_cut is not None
        limit = self._before_cut[0]
        self._before_cut, self._no_help, self._bad = None, 0, None
        self._fails = min(upper(self._failed, self._ended), NOT_ALL)
        return self._move(limit, at, f"{why}, as many as with more at once: it is not the load")

    def _back(self, at: float, why: str) -> str:
        """What was tried was too much."""
        good, self._good, self._bad = self._good, None, self.limit
        assert good is not None
        self._patience = min(2 * self._patience + 1, PATIENCE)
        why = self._move(good, at, f"{why} with {self.limit} at once")
        self._was_good = True
        return why

    # -- a full round trip without trouble ---------------------------------------------------------------------------

    def _round_over(self, at: float) -> str:
        if self._dip is not None:
            return self._dip_over(at)
        times, full = self._times, self._busiest >= self.limit
        self._quick_rounds = self._quick_rounds + 1 if times.n >= FEW and times.mean < -4 * times.error else 0
        if self._quick_rounds > 1:
            self._shift += times.mean
        clear = (
            self._failed <= self._fails * self._ended
            and self._wasted <= self._fails * self._spent
            and (times.n < FEW or times.mean < _LOG_CALM)
        )
        alike = times.spread < ALIKE
        mean, known = times.mean, times.n >= FEW
        if known:
            self._unlike = min(1.0, 4 * times.spread)
        if not self._missed and (1 - self._failed / self._ended) ** self._tried < 0.01:
            self._failed, self._wasted = 0, 0.0  # what was wrong is over: chance does not do that
        self._fails = max(TOLERATED, min(self._fails, upper(self._failed, self._ended)))
        if full:
            self._calm += 1
            self._since_dip += 1
        self._new_round()
        if full and clear and self.limit < self.most and self._calm >= self._wait():
            return self._raise(at)
        share = max(self._failed / self._ended, self._wasted / (self._spent or 1.0))
        if self._ended >= 4 * self._enough and share > self._fails and self._is_no_help(share):
            return self._not_the_load(at, f"{self._failed} of {self._ended} failed")
        hint = alike and self._hint and not self._at_bottom
        wait = self._dip_after or (DIP_AFTER if alike else DIP_LATER)
        if self.limit < self.most and mean >= _LOG_CALM:
            wait = min(wait, PATIENCE)
        if full and known and (hint or self._since_dip >= wait):
            self._since_dip, self._good, self._hint = 0, None, False
            return self._try_fewer(
                at, DIP if alike else STEP_DOWN, mean, "to see whether attempts are quicker with fewer at once"
            )
        return ""

    def _wait(self) -> int:
        """Full round trips before the next step up."""
        if self._bad is None or self.limit + 1 < self._bad:
            return 1
        return 2 if self.limit >= self._bad else self._patience

    def _raise(self, at: float) -> str:
        stride = 1
        if self._good is not None:  # the last step up went well
            stride = 2 * (self.limit - self._good)
            self._patience = max(1, self._patience // 2)
        if self._bad is not None and self.limit >= self._bad:
            self._bad = None
        self._good = self.limit
        self._before_cut, self._no_help = None, 0
        limit = self.limit + stride
        if self._bad is not None:
            limit = min(limit, max(self._bad - 1, self.limit + 1))
        return self._move(limit, at, f"all is well with {self.limit} at once")

    def _try_fewer(self, at: float, part: float, mean: float, why: str, root: int = 0) -> str:
        limit = max(self.least, math.ceil(self.limit * part))
        if limit == self.limit:
            return ""
        self._dip = (self.limit, mean, root or self.limit)
        return self._move(limit, at, why)

    def _dip_over(self, at: float) -> str:
        """Are attempts quicker with fewer at once? If as much quicker as there are fewer, those above only waited."""
        assert self._dip is not None
        times, (limit, mean, root) = self._times, self._dip
        if times.n < min(4 * limit, max(FEW, (times.spread / 0.05) ** 2)) and self._settled < 4 * limit:
            return ""
        self._dip = None
        quicker, now = mean - times.mean, self.limit
        self._dip_after = min(2 * (self._dip_after or (DIP_AFTER if times.spread < ALIKE else DIP_LATER)), DIP_SELDOM)
        if times.n < FEW or quicker < 0.5 * math.log(limit / now) or quicker < 3 * times.error:
            if mean > _LOG_CALM and times.mean > mean + 0.1:
                why = f"latency {math.exp(times.mean - mean):.1f} × what it was with {limit} at once, and rising"
                return self._try_fewer(at, STEP_DOWN, times.mean, why, root) or self._move(now, at, "")
            self._at_bottom = True
            if mean > _LOG_CALM:
                self._shift += times.mean
            return self._move(root, at, f"attempts are not quicker with {now} at once")
        self._bad, self._patience = limit, 1
        self._shift += min(0.0, times.mean)
        why = f"latency {1 - math.exp(-quicker):.0%} lower with {now} than with {limit} at once"
        if not self._at_bottom and quicker > 0.8 * math.log(limit / now):
            return self._try_fewer(at, STEP_DOWN, max(0.0, times.mean), why)
        self._at_bottom = True
        return self._move(max(now, math.ceil(limit * math.exp(-quicker))), at, why)

    # -- shared -----------------------------------------------------------------------------------------------------

    def _move(self, limit: int, at: float, why: str) -> str:
        was, self.limit = self.limit, min(max(limit, self.least), self.most)
        self._since = at
        self._restart()
        return why if self.limit != was else ""

    def _restart(self) -> None:
        """What was seen with another limit does not count."""
        self._ended = self._failed = self._calm = self._slow_groups = self._quick_rounds = 0
        self._spent = self._wasted = 0.0
        self._was_good = False
        self._group, self._group_size = Sums(), max(FEW, -(-2 * self.limit // 3))
        self._new_round()

    def _new_round(self) -> None:
        self._tried = self._missed = self._settled = self._busiest = 0
        self._times, self._enough = Sums(), max(self.limit, FEW)
