"""Breakers and escalations on a run that was kept, at the instants of it."""

from __future__ import annotations

import pytest
from console_pilot import Clock, Seen
from dagtop import Breaker, DAGExecutor, Graph, Retry
from dagtop.core import events as ev
from dagtop.journal.memory import MemoryJournal
from dagtop.runtime.replay import Replay
from dagtop_app.console import ConsoleApp
from test_replay_screen import there

pytestmark = pytest.mark.anyio


async def _kept() -> MemoryJournal:
    graph = Graph("kept", breakers=[Breaker("api", failure_threshold=2, recovery_timeout=600, on_open="fail")])

    @graph.task(retries=Retry(3, base=0), circuit="api")
    def fails() -> None:
        raise OSError("no")

    graph.add("after", lambda: None, depends_on=["fails"])
    journal = MemoryJournal()
    await DAGExecutor(graph, journal=journal).run()
    return journal


async def test_both_show_the_instant_and_nothing_of_them_can_be_changed() -> None:
    journal = await _kept()
    events = [*journal.load("last").events()]
    opened = next(n for n, event in enumerate(events, 1) if isinstance(event, ev.BreakerOpened))
    replay = Replay(journal.load("last"), at_end=True)
    app = ConsoleApp(replay, title="replay of kept.py", now=Clock())
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, replay, Clock())  # type: ignore[arg-type]  # it is asked for nothing that this has not
        replay.start()
        await there(seen, lambda: replay.transport.indexed and replay.transport.heading is None)
        await seen.press("5")
        assert "▌○ api" in seen.text
        assert "2 failures in a row" in seen.text
        assert "Close" not in seen.lines[-1]
        await seen.press("c")
        await there(seen, lambda: "replay" in seen.lines[-3] and "refused" in seen.text)
        await seen.press("6")
        assert "▌▲ ESC-1 HIGH" in seen.text
        await seen.press("A")
        assert app.screen is app.main
        assert "ESC-1" in seen.text
        await seen.press("o", "escape", "t", "escape", "y")
        assert app.clipboard.startswith("## ESC-1: fails failed")
        replay.seek(opened - 1)
        await there(seen, lambda: replay.transport.heading is None)
        assert "nothing was escalated" in seen.text
        await seen.press("5")
        assert "▌● api" in seen.text
        assert "0 calls" not in seen.text
    replay.close()
    assert replay.join(20)
