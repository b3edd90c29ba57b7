"""Checkpoints to bytes and back, so that the next replay of a run need not make them again.

The last one is told in full. Of the others only what differs from it is told: a task that has ended in both is told once.
What cannot be told exactly is not told at all: a replay makes its checkpoints itself then.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dagtop.core.breakers import BreakerView
from dagtop.core.described import breaker_of, described, policy_of
from dagtop.core.desired import Desired
from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.policy import DEFAULT_POLICY, TaskPolicy
from dagtop.core.states import TaskState
from dagtop.core.topology import topological_order
from dagtop.runtime.checkpoint_told import FORMAT, Told, ToldGraph, packed, unpacked
from dagtop.runtime.checkpoints import Checkpoint
from dagtop.runtime.publisher import Notes

_TIMES = ("ready_at", "attempt_started", "ended_at")
#: What only some tasks have, by index.
_SPARSE = (
    "reason",
    "failure",
    "history",
    "progress",
    "due_at",
    "cancelling_at",
    "first_attempt",
    "gates",
    "why_run",
    "held",
)
_SETS = ("stale", "torn_down")
_PLAIN = ("run", "run_state", "run_reason", "started_at", "finished_at", "max_parallel", "window")
_BESIDE = ("acknowledged", "breakers", "forced", "breaker_settings", "pool_limits")


class _CannotBeToldError(Exception):
    """It would not come back as it is."""


class Codec:
    """For the checkpoints of one run.

    Parameters
    ----------
    plan: the graph of its first record.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._base: Checkpoint | None = None
        self._policies: dict[str, TaskPolicy] = {}
        """By what is told of them: one object each, so that rows that are the same stay the same."""

    def encode_all(self, checkpoints: Sequence[Checkpoint]) -> dict[int, bytes] | None:
        """All of them by number, in order; None if one cannot be told."""
        if not checkpoints:
            return None
        last = checkpoints[-1]
        try:
            told = {one.number: packed(self._told(one, None if one is last else last)) for one in checkpoints}
        except (_CannotBeToldError, msgspec.MsgspecError, UnicodeError, TypeError, ValueError, OverflowError):
            return None
        return told

    def base_on(self, kept: bytes) -> Checkpoint | None:
        """The last one, which the others are told by; None if it cannot be read."""
        self._base = None
        self._base = self.decode(kept)
        return self._base

    def decode(self, kept: bytes) -> Checkpoint | None:
        """The checkpoint; None if it is damaged, or of another version."""
        try:
            told = msgspec.msgpack.decode(unpacked(kept), type=Told)
            return self._made(told) if told.format == FORMAT else None
        except (zlib.error, msgspec.MsgspecError, ValueError, TypeError, LookupError, AttributeError):
            return None

    # -- to bytes ----------------------------------------------------------------------------------------------------

    def _told(self, one: Checkpoint, base: Checkpoint | None) -> Told:
        ledger = one.ledger
        codes = {state: code for code, state in enumerate(TaskState)}
        policies = _Policies()
        fields: dict[str, Any] = {name: getattr(ledger, name) for name in (*_SETS, *_PLAIN, *_BESIDE)}
        fields |= {part: getattr(ledger.desired, part) for part in Desired.__slots__}
        same: dict[str, bytes] = {}
        for name in _SPARSE:
            own = getattr(ledger, name)
            if base is not None:
                alike, own = _apart(own, getattr(base.ledger, name))
                same[name] = array("i", alike).tobytes()
            fields[name] = own
        if base is None:
            fields["full"] = tuple(_full(getattr(ledger, name)) for name in _TIMES)
        else:
            if len(base.ledger.state) < len(ledger.state):
                raise _CannotBeToldError
            columns = [_relative(getattr(ledger, name), getattr(base.ledger, name)) for name in _TIMES]
            fields["missing"], fields["times"] = zip(*columns, strict=True)
        before = base.ledger.escalations if base is not None else []
        count = len(ledger.escalations) if before[: len(ledger.escalations)] == ledger.escalations else 0
        return Told(
            format=FORMAT,
            number=one.number,
            at=one.at,
            session=one.session,
            words=tuple(state.value for state in TaskState),
            state=bytes(map(codes.__getitem__, ledger.state)),
            attempt=array("q", ledger.attempt).tobytes(),
            same=same,
            escalations=ledger.escalations[count:],
            escalations_same=count,
            graph=self._graph(ledger.plan, base, policies),
            policies=policies.places(ledger.policies, self._plan.policies),
            told_policies=policies.told,
            views=[_told_view(view) for view in one.circuits.values()],
            limits=dict(one.limits),
            events=one.notes.events,
            problems=tuple(one.notes.problems),
            problem_count=one.notes.problem_count,
            answers=tuple(one.notes.answers),
            **fields,
        )

    def _graph(self, plan: Plan, base: Checkpoint | None, policies: _Policies) -> ToldGraph | None:
        if plan is self._plan:
            return None
        names, upstream = list(plan.names), dict(enumerate(map(list, plan.upstream)))
        if base is not None:
            whole = base.ledger.plan
            if list(whole.names[: len(names)]) != names:
                raise _CannotBeToldError
            names = []
            upstream = {own: needs for own, needs in upstream.items() if needs != list(whole.upstream[own])}
        found = topological_order(plan.upstream, plan.downstream)
        return ToldGraph(
            name=plan.name,
            count=len(plan),
            names=names,
            upstream=upstream,
            nodes=sorted(plan.nodes),
            order=() if list(plan.order) == found else list(plan.order),
            policies=policies.places(plan.policies, self._plan.policies),
        )

    # -- and back ----------------------------------------------------------------------------------------------------

    def _made(self, told: Told) -> Checkpoint:
        policies = [self._policy(one) for one in told.told_policies]
        plan = self._plan if told.graph is None else self._plan_of(told.graph, policies)
        ledger, base = Ledger(plan), self._base.ledger if self._base is not None else None
        words = [TaskState(word) for word in told.words]
        ledger.state[:] = [words[code] for code in told.state]
        ledger.attempt[:] = array("q", told.attempt)
        if not len(plan) == len(ledger.state) == len(ledger.attempt):
            raise ValueError("not the tasks of this run")
        for state in TaskState:
            ledger.counts[state] = 0
        for code in set(told.state):
            ledger.counts[words[code]] = told.state.count(code)
        ledger.policies[:] = _placed(len(plan), policies, told.policies, self._plan.policies)
        for place, name in enumerate(_TIMES):
            if told.full:
                column = _from_full(told.full[place])
            else:
                column = _from_relative(told.missing[place], told.times[place], getattr(base, name))
            getattr(ledger, name)[:] = column
        for name in _SPARSE:
            if alike := told.same.get(name):
                whole = getattr(base, name)
                getattr(ledger, name).update((index, whole[index]) for index in array("i", alike))
            getattr(ledger, name).update(getattr(told, name))
        for name in _SETS:
            getattr(ledger, name).update(getattr(told, name))
        for name in (*_PLAIN, *_BESIDE):
            setattr(ledger, name, getattr(told, name))
        for part in Desired.__slots__:
            setattr(ledger.desired, part, getattr(told, part))
        shared = base.escalations[: told.escalations_same] if base is not None else []
        ledger.escalations = [*shared, *told.escalations]
        views = [_view(one) for one in told.views]
        notes = Notes(told.events, told.problems, told.problem_count, told.answers)
        return Checkpoint(
            told.number, told.at, told.session, ledger, {view.name: view for view in views}, told.limits, notes
        )

    def _plan_of(self, told: ToldGraph, policies: Sequence[TaskPolicy]) -> Plan:
        whole = self._base.ledger.plan if self._base is not None else None
        names = told.names if whole is None else whole.names[: told.count]
        upstream = [
            list(told.upstream[i] if whole is None or i in told.upstream else whole.upstream[i])
            for i in range(told.count)
        ]
        downstream: list[list[int]] = [[] for _ in names]
        for own, needed in enumerate(upstream):
            for above in needed:
                downstream[above].append(own)
        return Plan(
            name=told.name,
            names=tuple(names),
            index={name: index for index, name in enumerate(names)},
            upstream=upstream,
            downstream=downstream,
            order=list(told.order) or topological_order(upstream, downstream),
            policies=_placed(told.count, policies, told.policies, self._plan.policies),
            nodes=frozenset(told.nodes),
        )

    def _policy(self, told: Mapping[str, Any]) -> TaskPolicy:
        return self._policies.setdefault(repr(told), policy_of(told))


class _Policies:
    """Those that are told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self._places: dict[int, int] = {}
        self._alike: dict[tuple[int, int], bool] = {}
        self._kept: list[TaskPolicy] = []

    def places(self, own: Sequence[TaskPolicy], usual: Sequence[TaskPolicy]) -> dict[int, int]:
        """Where the policies of tasks stand in `told`, by index, where they are not the usual ones."""
        found: dict[int, int] = {}
        for index, policy in enumerate(own):
            other = usual[index] if index < len(usual) else DEFAULT_POLICY
            if policy is not other and not self._same(policy, other):
                found[index] = self._place(policy)
        return found

    def _same(self, one: TaskPolicy, other: TaskPolicy) -> bool:
        pair = id(one), id(other)
        if pair not in self._alike:
            self._alike[pair] = one == other
        return self._alike[pair]

    def _place(self, policy: TaskPolicy) -> int:
        place = self._places.get(id(policy))
        if place is None:
            told = described(policy)
            if policy_of(told) != policy:
                raise _CannotBeToldError
            place = self._places[id(policy)] = len(self.told)
            self.told.append(told)
            self._kept.append(policy)
        return place


def _placed(
    count: int, policies: Sequence[TaskPolicy], places: Mapping[int, int], usual: Sequence[TaskPolicy]
) -> list[TaskPolicy]:
    made = [*usual[:count], *[DEFAULT_POLICY] * (count - len(usual))]
    for index, place in places.items():
        made[index] = policies[place]
    return made


def _apart(own: Mapping[int, Any], whole: Mapping[int, Any]) -> tuple[list[int], dict[int, Any]]:
    """Which of them are as in the last one, and the others."""
    alike: list[int] = []
    others: dict[int, Any] = {}
    for index, value in own.items():
        if index in whole and (value is whole[index] or value == whole[index]):
            alike.append(index)
        else:
            others[index] = value
    return alike, others


def _full(times: Sequence[float | None]) -> bytes:
    """A column of times; their bytes by rank, of which the high ones are much alike."""
    nan = float("nan")
    raw = array("d", [nan if at is None else at for at in times]).tobytes()
    return b"".join(raw[rank::8] for rank in range(8))


def _from_full(told: bytes) -> list[float | None]:
    count = len(told) // 8
    raw = bytearray(len(told))
    for rank in range(8):
        raw[rank::8] = told[rank * count : (rank + 1) * count]
    return [None if at != at else at for at in array("d", bytes(raw))]  # noqa: PLR0124 - only NaN is not itself


def _relative(times: Sequence[float | None], whole: Sequence[float | None]) -> tuple[bytes, dict[int, float]]:
    missing = bytes([at is None for at in times])
    own = {i: at for i, (at, last) in enumerate(zip(times, whole, strict=False)) if at is not None and at != last}
    return missing, own


def _from_relative(missing: bytes, own: Mapping[int, float], whole: Sequence[float | None]) -> list[float | None]:
    times = [None if none else at for none, at in zip(missing, whole, strict=False)]
    for index, at in own.items():
        times[index] = at
    return times


def _told_view(view: BreakerView) -> dict[str, Any]:
    told = msgspec.structs.asdict(view)
    spec = described(view.spec)
    if breaker_of(view.name, spec) != view.spec:
        raise _CannotBeToldError
    return {**told, "spec": spec}


_View = msgspec.defstruct(
    "_View",
    [(field.name, field.type, field.default) for field in msgspec.structs.fields(BreakerView) if field.name != "spec"],
    kw_only=True,
)


def _view(told: dict[str, Any]) -> BreakerView:
    spec = told.pop("spec")
    rest = msgspec.structs.asdict(msgspec.convert(told, _View))
    return BreakerView(spec=breaker_of(rest["name"], spec), **rest)
