"""Pictures of the logs at four sizes: of all tasks, of one with its attempts, wrapped and searched, as an enemy writes them."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import HOSTILE, FakeEngine, hostile, running_mix
from dagtop_app.console import ConsoleApp

SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}


def mixed() -> FakeEngine:
    engine = FakeEngine(running_mix())
    add = engine.logs.add
    for attempt, begin in ((1, 140.0), (2, 170.0), (3, 200.0)):
        add(
            "load_orders",
            "loading batch 881 of 14,201 orders",
            at=begin + 1,
            stream="log",
            level="INFO",
            attempt=attempt,
        )
        add(
            "load_orders",
            "BEGIN; INSERT INTO orders SELECT * FROM staging",
            at=begin + 2,
            stream="log",
            level="DEBUG",
            attempt=attempt,
        )
        add("extract_events", f"page {attempt} of 9: 120,000 rows in 1.3 s", at=begin + 3)
        add("load_orders", "slow answer, 9.8 s", at=begin + 12, stream="log", level="WARNING", attempt=attempt)
        add(
            "load_orders",
            "psql: NOTICE: there is no transaction in progress",
            at=begin + 13,
            stream="stderr",
            attempt=attempt,
        )
        add(
            "load_orders",
            'duplicate key value violates unique constraint "orders_pk": Key (order_id)=(881) already exists, inserted by'
            " batch 880 of run r-7f3a at 04:07; the row is \x1b[31mred\x1b[0m there",
            at=begin + 20, stream="log", level="ERROR", attempt=attempt,
        )  # fmt: skip
    add("fetch_fx_rates", "GET https://fx.example/v1 timed out", at=241.0, stream="log", level="ERROR", attempt=2)
    add("", "a line that a thread of nobody printed", at=250.0)
    return engine


def enemy() -> FakeEngine:
    engine = FakeEngine(hostile())
    for n, text in enumerate(HOSTILE):
        engine.logs.add(HOSTILE[-1 - n], text, at=float(n), stream="log", level=text, attempt=n)
    return engine


SCENES = {
    "all": (mixed, ["4"]),
    "one": (mixed, ["l"]),
    "searched": (mixed, ["l", "W", "slash", *"order", "enter"]),
    "graver": (mixed, ["4", "greater_than_sign", "greater_than_sign", "equals_sign"]),
    "enemy": (enemy, ["4"]),
    "nothing": (lambda: FakeEngine(running_mix()), ["l"]),
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_logs(snap_compare: Any, scene: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    make, keys = SCENES[scene]
    monkeypatch.setattr("dagtop_app.logs.roll.wall", lambda at, started_at: "04:12:17")
    assert snap_compare(ConsoleApp(make(), title="nightly.py", now=lambda: 0.0), press=keys, terminal_size=size)
