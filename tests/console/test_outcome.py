"""What the inspector tells of a task that went well: how long it took, at which attempt, and what it returned."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, S, snapshot_of
from dagtop import DAGExecutor, Graph
from dagtop.observe.redact import REDACTED
from dagtop.runtime.thread import EngineThread
from dagtop_app.bridge import Bridge
from dagtop_app.lines import Line, line_width
from dagtop_app.tasks.inspector import full, short
from dagtop_app.tasks.outcome import gave_spans, outcome_lines, took_text


def text_of(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


OK = {"state": S.SUCCEEDED, "attempt": 1, "started_at": 1.0, "ended_at": 4.0}


def test_it_says_how_long_it_took_and_at_which_attempt() -> None:
    once, again = snapshot_of({"a": ()}, {"a": OK}), snapshot_of({"a": ()}, {"a": {**OK, "attempt": 3}})
    assert took_text(once.rows[0]) == "in 3.0s"
    assert took_text(again.rows[0]) == "in 3.0s, at attempt 3"
    assert took_text(snapshot_of({"a": ()}, {"a": {"state": S.CACHED}}).rows[0]) == ""


def test_both_forms_of_the_inspector_tell_what_was_returned() -> None:
    snapshot = snapshot_of({"a": ()}, {"a": OK}, at=9.0)
    said = "list of 2: [1, 2]"
    assert " done    in 3.0s\n gave    list of 2  [1, 2]\n" in text_of(
        short(snapshot, snapshot.rows[0], (), 80, 8, None, said)
    )
    at_length = text_of(full(snapshot, snapshot.rows[0], (), 60, None, said))
    assert " OUTCOME\n  succeeded in 3.0s\n  returned list of 2\n    [1, 2]\n" in at_length
    assert "gave" not in text_of(short(snapshot, snapshot.rows[0], (), 80, 8))


@pytest.mark.parametrize(
    "said", ["", "nothing", "str: '\x1b[31m\u202e[red]'", "dict of 9: " + "x" * 5000, "str: " + "漢" * 900]
)
@pytest.mark.parametrize("cells", [1, 12, 40, 160])
def test_whatever_was_returned_it_stays_in_its_place(said: str, cells: int) -> None:
    snapshot = snapshot_of({"a": ()}, {"a": OK}, at=9.0)
    lines = [*outcome_lines(snapshot.rows[0], said, cells)]
    assert len(lines) <= 8
    assert "\x1b" not in text_of([*lines, tuple(gave_spans(said, cells))])
    if cells >= 40:
        assert all(line_width(line) <= cells for line in lines)


def test_neighbours_that_stay_up_are_not_counted_as_not_done() -> None:
    up = {"state": S.RUNNING, "attempt": 1, "started_at": 0.0, "serving": True}
    for rows, said in (
        ({"b": up, "c": up}, "2/2 up  "),
        ({"b": up, "c": OK}, "2/2 up or done  "),
        ({"b": OK}, "1/2 done  "),
    ):
        snapshot = snapshot_of({"a": (), "b": ("a",), "c": ("a",)}, {"a": OK, **rows})
        assert f" feeds   {said}" in text_of(short(snapshot, snapshot.rows[0], (), 80, 8))


class Monster:
    def __repr__(self) -> str:
        raise SystemExit("nobody asks this")

    __len__ = __str__ = __class__ = __repr__  # type: ignore[assignment]


def test_the_engine_tells_it_without_secrets_and_without_running_code_of_the_value() -> None:
    graph = Graph("g")
    graph.add("rows", lambda: [{"id": 1, "password": "hunter2"}])
    graph.add("api_token", lambda: "abc")
    graph.add("monster", Monster)
    graph.add("nothing", lambda: None)
    graph.add("fails", lambda: 1 / 0)
    engine = EngineThread(DAGExecutor(graph))
    assert engine.returned("rows") == ""
    engine.start()
    assert engine.join(30)
    assert engine.returned("rows") == f"list of 1: [{{'id': 1, 'password': {REDACTED}}}]"
    assert engine.returned("api_token") == f"str: {REDACTED}"
    assert engine.returned("monster") == "Monster"
    assert [engine.returned(name) for name in ("nothing", "fails", "no such task")] == ["nothing", "", ""]


def test_the_engine_is_asked_once_for_each_task_that_went_well() -> None:
    asked: list[str] = []

    class Asked(FakeEngine):
        def returned(self, task: str) -> str:
            asked.append(task)
            return "int: 1"

    snapshot = snapshot_of({"a": (), "b": ()}, {"a": OK})
    bridge = Bridge(Asked(snapshot))
    assert [bridge.returned(snapshot.rows[n]) for n in (0, 0, 1, 1, 0)] == ["int: 1", "int: 1", "", "", "int: 1"]
    assert asked == ["a", "a"]
    assert Bridge(FakeEngine(snapshot)).returned(snapshot.rows[0]) == ""
