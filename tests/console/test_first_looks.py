"""What somebody who sees the console for the first time took for something else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_events import engine_with_events
from console_fakes import FakeEngine, S, running_mix, snapshot_of
from console_pilot import Clock, Seen, console
from dagtop.core import commands as do
from dagtop.core.blast import blast_radius
from dagtop.core.events import GateWaiting
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Restart
from dagtop.core.states import RunState
from dagtop.journal.memory import MemoryJournal
from dagtop.ports.journal import RunSummary
from dagtop.runtime.replay import Replay
from dagtop_app import faces
from dagtop_app.chrome.view_model import run_line
from dagtop_app.console import ConsoleApp
from dagtop_app.lines import line_width
from dagtop_app.logs.roll import wrong_in
from dagtop_app.screens import questions
from dagtop_app.screens.form import Form
from dagtop_app.screens.popup import _folded
from dagtop_app.settings.keymap import unsteered
from dagtop_app.tasks.filters import Filter
from test_replay_screen import _run, there

pytestmark = pytest.mark.anyio


def text_of(line: Any) -> str:
    return "".join(text for text, _ in line)


async def test_while_events_are_followed_no_bar_stands_on_one_that_keys_do_not_act_on() -> None:
    async with console(engine_with_events(), (100, 30)) as seen:
        await seen.press("7")
        pane = seen.app.main.stage.current.pane
        assert pane.following
        assert pane.cursor == -1
        await seen.press("f")
        assert pane.cursor == pane.place
        await seen.press("k")
        assert seen.selected == (pane.about or seen.selected)


@pytest.mark.parametrize(("in_ascii", "glyph", "edge"), [(False, "✖", "▌"), (True, "!", ">")])
async def test_a_wrong_field_is_marked_and_named_without_colours(
    monkeypatch: pytest.MonkeyPatch, in_ascii: bool, glyph: str, edge: str
) -> None:
    monkeypatch.setattr(faces, "ASCII", in_ascii)
    async with console(FakeEngine(running_mix()), (100, 40)) as seen:
        await seen.press("e")
        form = seen.app.screen
        assert isinstance(form, Form)
        form.inputs["retries"].value = "many"
        await seen.settle()
        assert str(form._notes["retries"].content).startswith(f"{glyph} ")
        assert f"not yet: {glyph} retries: " in text_of(form._outlook.lines[0])
        marked = [name for name, label in form._labels.items() if str(label.content).startswith(edge)]
        assert marked == [next(iter(form.inputs))]
        await seen.press("down")
        marked = [name for name, label in form._labels.items() if str(label.content).startswith(edge)]
        assert marked == [list(form.inputs)[1]]


class Died(Replay):
    """Of a run whose process was killed."""

    @property
    def summary(self) -> RunSummary:
        return msgspec.structs.replace(super().summary, state="crashed")


async def test_the_replay_of_a_run_whose_process_died_says_so_and_how_to_go_on() -> None:
    journal = MemoryJournal()
    await _run(journal)
    replay, clock = Died(journal.load("last"), at_end=True), Clock()
    app = ConsoleApp(replay, title="replay of kept.py", now=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, replay, clock)  # type: ignore[arg-type]  # it is asked for nothing that this has not
        replay.start()
        await there(seen, lambda: replay.transport.indexed and replay.transport.heading is None)
        await there(seen, lambda: "✖ CRASHED" in seen.lines[0])
        assert f"dagtop resume {replay.summary.run}" in seen.text
        await seen.press("left_square_bracket")
        await there(seen, lambda: replay.transport.heading is None and "CRASHED" not in seen.lines[0])
    replay.close()
    assert replay.join(20)


async def test_a_replay_does_not_offer_to_run_a_task_again() -> None:
    journal = MemoryJournal()
    await _run(journal)
    replay, clock = Replay(journal.load("last"), at_end=True), Clock()
    app = ConsoleApp(replay, title="replay of kept.py", now=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, replay, clock)  # type: ignore[arg-type]  # it is asked for nothing that this has not
        replay.start()
        await there(seen, lambda: "the run is over" in seen.text)
        assert "n next · q leaves" in seen.text
        assert "runs one again" not in seen.text
    replay.close()
    assert replay.join(20)


def test_texts_of_a_replay_name_no_keys_that_it_would_refuse() -> None:
    line = (
        (" ", ""),
        ("held by you · p releases it       ", "held"),
        ("used up · r starts it · e raises the ceiling · E", ""),
    )
    assert text_of(unsteered(line)).split() == ["held", "by", "you", "used", "up", "·", "E"]
    assert [len(text) for text, _ in unsteered(line)] == [len(text) for text, _ in line]
    assert unsteered((("in 4s · ReadTimeout", "retry"),)) == (("in 4s · ReadTimeout", "retry"),)


async def test_problems_only_does_not_count_the_task_that_only_the_cursor_keeps() -> None:
    async with console(FakeEngine(running_mix()), (100, 30)) as seen:
        names = seen.engine.latest.plan.index
        fine = next(row.name for row in seen.engine.latest.rows if row.state is S.SUCCEEDED)
        await seen.press("exclamation_mark")
        count = len(seen.app.main.roster.order) - seen.app.main.roster.kept
        await seen.press("exclamation_mark")
        seen.app.main.select(names[fine])
        await seen.press("exclamation_mark")
        roster = seen.app.main.roster
        assert len(roster.order) - roster.kept == count
        assert f"{count} of {len(names)}" in seen.text


def test_up_is_said_only_of_a_run_that_mostly_keeps_tasks_up() -> None:
    always = TaskPolicy(restart=Restart(policy="always"))
    rows: dict[str, dict[str, Any]] = {f"t{number}": {"state": S.SUCCEEDED, "attempt": 1} for number in range(3)}
    rows["t3"] = {"state": S.RUNNING, "attempt": 1, "started_at": 1.0, "serving": True, "policy": always}
    tasks: dict[str, tuple[str, ...]] = {f"t{number}": () for number in range(5)}
    assert " 3/5 " in (line := text_of(run_line(snapshot_of(tasks, rows), "nightly.py", 100)))
    assert " up " not in line
    kept = {task: {**row, "policy": always} for task, row in rows.items()}
    assert "/5 up" in text_of(run_line(snapshot_of(tasks, kept), "nightly.py", 100))


async def test_a_wrong_regular_expression_is_told_in_the_logs_too() -> None:
    assert wrong_in("/(/").startswith("not a regular expression")
    assert not wrong_in("/a/") + wrong_in("(") + wrong_in("/") + wrong_in("&x")
    async with console(FakeEngine(running_mix()), (100, 30)) as seen:
        await seen.press("4", "slash", *"/(/")
        assert "not a regular expression" in seen.text


def test_a_key_that_no_filter_has_is_told_with_those_there_are() -> None:
    assert "no filter is called foo: there are state, tag, " in Filter("foo:bar").hint
    assert Filter("state:failed").hint == ""
    told = Filter("state:nonsense").error
    assert all(word in told for word in ("waiting", "retry", "gate", "stopped"))


def test_a_task_at_its_gate_is_not_called_held() -> None:
    gate = GateWaiting(1.0, "deploy", "sure?")
    snapshot = snapshot_of({"deploy": ()}, {"deploy": {"state": S.HELD, "gate": gate}})
    assert blast_radius(snapshot, do.RestartTask("deploy")).refusal.endswith("has not run yet (at its gate)")


@pytest.mark.parametrize(
    ("users", "said"), [(1, "1 task asks it before it starts"), (2, "2 tasks ask it before they start")]
)
def test_one_task_asks_its_breaker_and_two_ask_theirs(users: int, said: str) -> None:
    rows = {f"t{number}": {"policy": TaskPolicy(circuit="api")} for number in range(users)}
    snapshot = snapshot_of(dict.fromkeys(rows, ()), rows)
    assert said in blast_radius(snapshot, do.TripBreaker("api")).summary


def test_the_help_has_room_for_its_longest_key() -> None:
    lines = [text_of(line) for line in questions.help_lines(100)]
    assert any(line.startswith("Ctrl+Home ") for line in lines)


def test_the_quit_dialog_is_read_to_its_end_and_tells_the_way_out_of_draining() -> None:
    line = (("▶ ", "run"), ("a" * 20, ""), ("  ", ""), ("▶ ", "run"), ("b" * 20, ""), ("one " * 20, ""))
    folded = _folded(line, 40, 4)
    assert all(line_width(part) < 40 for part in folded)
    assert "".join(map(text_of, folded)).replace(" ", "") == text_of(line).replace(" ", "")
    draining = msgspec.structs.replace(running_mix(), state=RunState.DRAINING)
    told = "\n".join(map(text_of, questions.quit_question(draining).lines))
    assert "esc, then Z goes on" in told
