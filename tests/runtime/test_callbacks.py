"""What a callback that cannot keep up is given, and what it is spared."""

from __future__ import annotations

import pytest
from dagtop.core.events import AnyEvent, Log, TaskReady
from dagtop.graph.listening import Interest, Listener
from dagtop.runtime import callbacks

LINE = Log(0.0, "a", 1, "stdout", "", "text")
READY = TaskReady(0.0, "a")


def test_a_callback_that_is_far_behind_gets_no_more_lines_but_every_other_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(callbacks, "BACKLOG", 3)
    backlog = callbacks._Line(Listener(print, Interest()), lambda source, message: told.append(message))
    batch: list[AnyEvent] = [LINE, READY, LINE, READY]

    assert list(backlog.admit(batch)) == batch
    assert list(backlog.admit(batch)) == [READY, READY]
    assert list(backlog.admit(batch)) == [READY, READY]
    assert len(told) == 1

    backlog.handled = 8
    assert list(backlog.admit(batch)) == batch


def test_a_callback_that_was_unsubscribed_is_not_called_with_what_was_on_its_way() -> None:
    heard: list[AnyEvent] = []

    def hears_once(event: AnyEvent) -> None:
        heard.append(event)
        listener.active = False

    listener = Listener(hears_once, Interest())
    line = callbacks.ThreadCallback(listener, lambda source, message: None)
    line.put([READY, READY])
    line.put([READY])
    line.end()
    line._thread.join(20)
    assert line.is_done
    assert heard == [READY]


@pytest.mark.anyio
async def test_nor_is_an_async_one() -> None:
    heard: list[AnyEvent] = []

    async def hears_once(event: AnyEvent) -> None:
        heard.append(event)
        listener.active = False

    listener = Listener(hears_once, Interest())
    line = callbacks.AsyncCallback(listener, lambda source, message: None)
    line.put([READY, READY])
    line.end()
    await line.work()
    assert heard == [READY]
