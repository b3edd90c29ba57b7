"""A run does not go slower than it must for being looked at: a look that took long is followed by a rest."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from console_fakes import FakeEngine
from console_scenes import chain
from dagtop_app.console import ConsoleApp
from dagtop_app.screens import main


@pytest.mark.parametrize(("took", "looks"), [(0.001, 10), (0.02, 5), (0.05, 4), (0.2, 2)])
def test_a_look_that_takes_long_is_followed_by_a_rest(took: float, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one second of ten ticks; `took`: seconds of each look."""
    now, seen = [0.0], [0]

    def poll() -> None:
        seen[0] += 1
        now[0] += took

    screen = ConsoleApp(FakeEngine(chain(3)), title="chain").main
    monkeypatch.setattr(main, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(screen, "poll", poll)
    for tick in range(10):
        now[0] = max(now[0], tick / 10)
        screen._look()
    assert seen[0] == looks
