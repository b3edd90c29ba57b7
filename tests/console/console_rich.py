"""One scene with something for every view: three graphs in one, with services, breakers, escalations, a gate, pools, logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from console_alarms import alarms, hostile_alarms, story_events
from console_events import one_of_each
from console_fakes import HOSTILE, FakeEngine, S, counts_of, hostile, plan_of, running_mix, snapshot_of
from console_nested import with_nodes
from console_scenes import report_of, steered
from console_services import services
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.escalation import EscalationReport
from dagtop.core.events import AnyEvent
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot
from dagtop.ports.journal import RunSummary
from dagtop.runtime.transport import Transport
from timeline_scenes import told

#: How long what is in `shop` takes as a rule.
USUAL = {"shop/extract_events": 112.0, "shop/train_ltv": 190.0, "shop/publish": 5.0, "feeds/vacuum": 12.0}


def within(node: str, snapshot: RunSnapshot) -> RunSnapshot:
    """The same as a node of a larger graph: its names are paths, and the node is a task after all of them."""
    plan = snapshot.plan
    edges = {
        f"{node}/{name}": tuple(f"{node}/{plan.names[up]}" for up in plan.upstream[place])
        for place, name in enumerate(plan.names)
    }
    edges[node] = tuple(edges)
    policies = {f"{node}/{row.name}": row.policy for row in snapshot.rows}
    made = snapshot_of(edges, {})
    rows = [msgspec.structs.replace(row, name=f"{node}/{row.name}") for row in snapshot.rows]
    return msgspec.structs.replace(made, plan=plan_of(edges, policies=policies), rows=(*rows, made.rows[-1]))


def merged(parts: Sequence[RunSnapshot], nodes: Sequence[str], **fields: Any) -> RunSnapshot:
    """Graphs beside each other."""
    edges: dict[str, tuple[str, ...]] = {}
    policies, rows = {}, []
    for part in parts:
        names = part.plan.names
        for place, name in enumerate(names):
            edges[name] = tuple(names[up] for up in part.plan.upstream[place])
            policies[name] = part.plan.policies[place]
            rows.append(msgspec.structs.replace(part.rows[place], index=len(rows)))
    made = snapshot_of(edges, {}, **fields)
    made = msgspec.structs.replace(
        made, plan=plan_of(edges, policies=policies), rows=tuple(rows), counts=counts_of(rows)
    )
    return with_nodes(made, nodes)


def _in_feeds(report: EscalationReport) -> EscalationReport:
    blocks = tuple(f"feeds/{name}" for name in report.blocks)
    return msgspec.structs.replace(report, task=f"feeds/{report.task}", blocks=blocks)


def rich(**changes: Any) -> RunSnapshot:
    """All of it, in the middle of the run. `changes` are fields of the snapshot."""
    feeds = alarms()
    loads = {"list": (), **{f"load[{n}]": ("list",) for n in range(8)}}
    mapped = snapshot_of(
        loads,
        {"list": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 4.0}}
        | {
            f"load[{n}]": {
                "state": (S.SUCCEEDED, S.RUNNING, S.READY, S.FAILED)[n % 4],
                "attempt": 1,
                "started_at": 10.0 + n,
                "ended_at": 40.0 + n,
            }
            for n in range(8)
        },
    )
    nodes = {"shop": running_mix(), "up": services(), "feeds": feeds, "pages": steered(), "map": mapped}
    fields: dict[str, Any] = {
        "breakers": (*feeds.breakers, *nodes["pages"].breakers),
        "escalations": tuple(map(_in_feeds, feeds.escalations)),
        "escalation_count": feeds.escalation_count,
        "acknowledged": feeds.acknowledged,
        "limits": nodes["pages"].limits,
    }
    return merged([within(name, part) for name, part in nodes.items()], [*nodes], **(fields | changes))


def rich_engine(snapshot: RunSnapshot | None = None) -> FakeEngine:
    """An engine with all of it: its past, its logs, what its tasks usually take."""
    engine: Any = FakeEngine(rich() if snapshot is None else snapshot)
    plan = engine.latest.plan
    events = told(engine.latest)
    events += [
        msgspec.structs.replace(event, task=f"feeds/{event.task}") if isinstance(event, ev.TaskEvent) else event
        for event in story_events()[1:]
    ]
    events += [
        ev.CommandApplied(215.0, do.HoldTask("shop/geo_enrich"), 1, "console", "shop/geo_enrich is held"),
        ev.CommandRefused(221.0, do.CancelTask("shop/calendar"), 2, "ada@office", "it has ended already"),
        ev.TaskEscalated(241.0, "shop/load_orders", report_of("shop/load_orders")),
        ev.Problem(250.0, "journal", "the disk is nearly full"),
    ]
    engine.story.record(1, sorted(events, key=lambda event: event.at))
    engine.usual = {plan.index[name]: Usual(seconds, seconds * 1.2, 5) for name, seconds in USUAL.items()}
    add = engine.logs.add
    for n in range(12):
        add("shop/extract_events", f"batch {n}: 20,000 rows in 1.3 s", at=20.0 + 16 * n)
    add("shop/load_orders", "attempt failed: duplicate key 881", at=240.0, stream="log", level="ERROR", attempt=3)
    add("shop/fetch_fx_rates", "slow answer, 9.8 s", at=241.0, stream="stderr", attempt=2)
    add("up/api", "GET /health \x1b[32m200\x1b[0m", at=251.0, stream="log", level="INFO")
    return engine  # type: ignore[no-any-return]


def enemies() -> FakeEngine:
    """Every text as an enemy would write it, wherever there is one: names, errors, reasons, notes, breakers, logs, events."""
    alarming = hostile_alarms()
    fields = {name: getattr(alarming, name) for name in ("breakers", "escalations", "escalation_count", "acknowledged")}
    asked = ev.GateWaiting(1.0, HOSTILE[0], HOSTILE[5], 9.0)
    engine = FakeEngine(msgspec.structs.replace(hostile(), **fields))
    engine.change(HOSTILE[0], state=S.HELD, gate=asked, history=())
    events: list[AnyEvent] = []
    for text in HOSTILE:
        events += one_of_each(text)
    engine.story.record(1, events)
    for n, text in enumerate(HOSTILE):
        engine.logs.add(HOSTILE[-1 - n], text, at=float(n), stream="log", level=text, attempt=n)
        engine.logs.add(text, text, at=float(n))
    return engine


class FakeReplay(FakeEngine):
    """A stored run that stands where it was stopped, and notes what the player is told."""

    is_replay = True
    epoch = 0

    def __init__(self, snapshot: RunSnapshot) -> None:
        super().__init__(snapshot)
        self.told: list[str] = []
        self.summary = RunSummary(run="r", graph="g", source="", started_at=0.0, state="running", alive=True)
        self.transport = Transport(
            number=740, last=1_310, at=252.0, end=410.0, playing=False, speed=1.0, heading=None, indexed=True,
            troubles=((210, 170.0), (620, 210.0), (730, 241.0), (1_200, 380.0)), following=False,
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        """A button of the player."""
        if name not in {"play", "faster", "step", "seek", "seek_time", "to_trouble", "to_end"}:
            raise AttributeError(name)

        def press(*values: object) -> bool:
            self.told.append(f"{name}{values}")
            return True

        return press


def rich_replay() -> FakeReplay:
    """A replay in the middle of the rich run."""
    replay, live = FakeReplay(rich()), rich_engine()
    replay.story, replay.logs = live.story, live.logs
    return replay
