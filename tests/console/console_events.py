# ruff: noqa: E501 - a table of events reads best with one a line
"""What has happened in the run of the scenes, for the views that tell of the past."""

from __future__ import annotations

from collections.abc import Sequence

from console_fakes import FakeEngine, fail, running_mix
from console_scenes import report_of
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.states import RunState

DUP = fail("IntegrityError", 'duplicate key value violates "orders_pk" (881)', "nightly.py:131 in load_orders")
SLOW = fail("ReadTimeout", "GET https://fx.example/v1", "nightly.py:88 in fetch_fx_rates")


def happened() -> list[ev.AnyEvent]:
    """Some of everything, in order."""
    return [
        ev.RunStarted(0.0, "r-7f3a", "nightly", 1_795_000_000.0, 25, 8),
        ev.TaskReady(0.0, "auth_token"),
        ev.TaskStarted(0.0, "auth_token", 1),
        ev.TaskSucceeded(0.42, "auth_token", 1),
        ev.TaskSkipped(1.0, "backfill_2019", "when: full_refresh is False"),
        ev.TaskStarted(3.0, "notify_ops", 1),
        ev.TaskFailed(5.2, "notify_ops", 1, fail("SMTPAuthenticationError", "(535, b'5.7.8 authentication failed')")),
        ev.TaskStarted(14.0, "extract_events", 1),
        ev.TaskProgress(60.0, "extract_events", 400_000.0, 1_200_000.0, "rows read"),
        ev.TaskRetrying(167.0, "load_orders", 1, 15.0, DUP),
        ev.CommandApplied(170.0, do.SetMaxParallel(8), 1, "console", "max_parallel 6 → 8"),
        ev.LimitChanged(170.0, 8, "changed by hand"),
        ev.TaskRetrying(210.0, "fetch_fx_rates", 1, 15.0, SLOW, timed_out=True),
        ev.BreakerOpened(210.0, "fx-api", "5 failures in a row: ReadTimeout", 20.0),
        ev.TaskHeld(215.0, "geo_enrich"),
        ev.CommandApplied(215.0, do.HoldTask("geo_enrich"), 2, "console", "geo_enrich is held"),
        ev.CommandRefused(221.0, do.CancelTask("calendar"), 3, "ada@office", "it has ended already"),
        ev.BreakerHalfOpened(230.0, "fx-api", "20s have passed"),
        ev.TaskRetrying(241.0, "fetch_fx_rates", 2, 23.0, SLOW, timed_out=True),
        ev.TaskFailed(241.0, "load_orders", 3, DUP),
        ev.TaskEscalated(241.0, "load_orders", report_of("load_orders")),
        ev.CommandApplied(249.0, do.CancelTask("warm_cache", "it is late"), 4, "console", "warm_cache is told to stop"),
        ev.TaskCancelling(249.0, "warm_cache", 1, "cancelled by hand: it is late"),
        ev.Problem(250.0, "journal", "the disk is nearly full"),
    ]


def engine_with_events(told: Sequence[ev.AnyEvent] | None = None) -> FakeEngine:
    """The run in the middle, with its past."""
    engine = FakeEngine(running_mix())
    engine.story.record(1, list(told if told is not None else happened()))
    return engine


#: One of each kind that there is, with the worst texts.
def one_of_each(text: str) -> list[ev.AnyEvent]:
    """Every kind of event, with a hostile text wherever one fits."""
    bad = fail(text or "E", text, text, text)
    return [
        ev.RunStarted(0.0, text, text, 0.0, 1, 1), ev.RunResumed(0.0, 1), ev.RunPaused(0.0), ev.RunContinued(0.0),
        ev.RunStopping(0.0, text, True), ev.RunReopened(0.0), ev.RunFinished(0.0, RunState.FAILED, {"failed": 1}),
        ev.TaskReady(0.0, text), ev.TaskStarted(0.0, text, 1), ev.TaskSucceeded(0.0, text, 1, text),
        ev.TaskRetrying(0.0, text, 1, 1.0, bad), ev.TaskFailed(0.0, text, 1, bad), ev.TaskTimedOut(0.0, text, 1, bad),
        ev.TaskCancelling(0.0, text, 1, text), ev.TaskCancelled(0.0, text, 1, text), ev.TaskSkipped(0.0, text, text),
        ev.TaskCached(0.0, text, text), ev.TaskBlocked(0.0, text, 1, text, bad), ev.TaskHeld(0.0, text),
        ev.TaskReleased(0.0, text), ev.TaskRestarted(0.0, text, text), ev.TaskRestarting(0.0, text, 1, 1.0, 1, 1, bad),
        ev.TaskWanted(0.0, text, False, text), ev.TaskStale(0.0, text, text), ev.TaskProgress(0.0, text, 1.0, 2.0, text),
        ev.TaskServing(0.0, text), ev.TaskNotReady(0.0, text, text), ev.TaskEscalated(0.0, text, report_of(text)),
        ev.TaskTearingDown(0.0, text),
        ev.TaskTornDown(0.0, text, bad), ev.TaskTornDown(0.0, text), ev.TaskNotCached(0.0, text, text),
        ev.GateWaiting(0.0, text, text, 3.0), ev.GateDecided(0.0, text, False, text, text),
        ev.BreakerOpened(0.0, text, text, 1.0), ev.BreakerHalfOpened(0.0, text, text), ev.BreakerClosed(0.0, text, text),
        ev.BreakerForced(0.0, text, text, "open"), ev.GraphChanged(0.0, text, (ev.AddedTask(text),)), ev.LimitChanged(0.0, 1, text, text),
        ev.LoopBlocked(0.0, text, 1, 1.0, text), ev.PolicyChanged(0.0, text, {text: text}),
        ev.CommandApplied(0.0, do.CancelTask(text, text), 1, text, text),
        ev.CommandRefused(0.0, do.SetPoolLimit(text, 1), 1, text, text), ev.Problem(0.0, text, text, text),
    ]  # fmt: skip
