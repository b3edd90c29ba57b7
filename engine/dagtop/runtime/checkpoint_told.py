"""What is written of a replay's checkpoints: msgpack, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dagtop.core.escalation import EscalationReport
from dagtop.core.events import CommandApplied, CommandRefused, EscalationAcknowledged, GateWaiting, Problem
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.states import RunState

#: Grows with every change of what is told: a checkpoint of another format is none.
FORMAT = 2
#: More are read as damaged: bytes of one, when it is unpacked.
_LARGEST = 1 << 30


class ToldGraph(msgspec.Struct, frozen=True, kw_only=True):
    """A graph that is not that of the first record."""

    name: str
    count: int
    names: Sequence[str] = ()
    """Of a full one."""
    upstream: Mapping[int, Sequence[int]] = {}
    """Of a full one all, else those that differ."""
    nodes: Sequence[int] = ()
    order: Sequence[int] = ()
    """If it is not the order that one finds."""
    policies: Mapping[int, int] = {}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as it is written."""

    format: int
    number: int
    at: float
    session: int
    words: tuple[str, ...]
    state: bytes
    attempt: bytes
    full: tuple[bytes, ...] = ()
    """Times, in full."""
    missing: tuple[bytes, ...] = ()
    """Or where there is none."""
    times: tuple[dict[int, float], ...] = ()
    """And where they are not those of the last."""
    same: dict[str, bytes] = {}
    """Of what only some tasks have: those of which it is as in the last."""
    reason: dict[int, str]
    failure: dict[int, Failure]
    history: dict[int, tuple[AttemptRecord, ...]]
    progress: dict[int, tuple[float, float | None, str]]
    due_at: dict[int, float]
    cancelling_at: dict[int, float]
    first_attempt: dict[int, int]
    gates: dict[int, GateWaiting]
    why_run: dict[int, str]
    held: dict[int, str]
    stale: set[int]
    torn_down: set[int]
    serving: set[int]
    restarts: dict[int, tuple[int, int]]
    since: dict[int, int]
    down: set[int]
    gone: set[int]
    generation: dict[int, int]
    run: str
    run_state: RunState
    run_reason: str
    started_at: float
    finished_at: float | None
    max_parallel: int
    window: int
    escalations: list[EscalationReport]
    escalations_same: int = 0
    acknowledged: dict[int, EscalationAcknowledged]
    breakers: dict[str, str]
    forced: dict[str, str]
    breaker_settings: dict[str, dict[str, Any]]
    pool_limits: dict[str, int]
    told_policies: list[dict[str, Any]]
    policies: dict[int, int]
    graph: ToldGraph | None
    views: list[dict[str, Any]]
    limits: dict[str, int]
    events: int
    problems: tuple[Problem, ...]
    problem_count: int
    answers: tuple[CommandApplied | CommandRefused, ...]


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What is found out of a whole run by reading all of it."""

    format: int = FORMAT
    number: int
    """Of its last event."""
    at: float
    marks: tuple[list[float], list[int]]
    """When, and the number of the event."""
    troubles: tuple[list[int], list[float]]

    def told(self) -> bytes:
        """It as bytes."""
        return zlib.compress(msgspec.msgpack.encode(self), 1)

    @staticmethod
    def read(kept: bytes) -> Outline | None:
        """The outline; None if it is damaged, or of another version."""
        try:
            found = msgspec.msgpack.decode(unpacked(kept), type=Outline)
        except (zlib.error, msgspec.MsgspecError, ValueError):
            return None
        return found if found.format == FORMAT else None


def packed(told: Told) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(told), 1)


def unpacked(kept: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(kept, _LARGEST)
    if not unpacker.eof:
        raise ValueError("cut off, or too large")
    return raw
