"""The line above the footer, as a value: what is told first, and to whom."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_fakes import finished_with_failures, running_mix
from console_scenes import steered
from dagtop.core.events import Problem
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import RunState, TaskState
from dagtop.errors import DagtopError
from dagtop_app.chrome.word_line import Standing, word_line
from dagtop_app.launching.farewell import farewell
from dagtop_app.lines import line_width
from dagtop_app.steering.edit_model import Known, more_of
from dagtop_app.tasks.stacked_bar import shares, stacked_bar


def told(standing: Standing, cells: int = 120) -> str:
    line = word_line(standing, cells)
    assert line_width(line) == cells
    return "".join(text for text, _ in line)


def ended(state: RunState, **counts: int) -> RunSnapshot:
    found = {TaskState(name): count for name, count in counts.items()}
    return msgspec.structs.replace(running_mix(), state=state, counts=found, problems=(), problem_count=0)


def test_what_is_wrong_with_the_filter_comes_before_everything() -> None:
    standing = Standing(running_mix(), "cancelled x", "good", wrong="no such state", error=ValueError("x"), leaves=True)
    assert told(standing).startswith("── no such state ─")


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("x"), "this is a bug of dagtop, please report it"), (DagtopError("no"), "the engine")],
)
def test_an_engine_that_broke_down_is_told_with_the_way_out(error: Exception, said: str) -> None:
    assert said in told(Standing(running_mix(), error=error))
    assert told(Standing(running_mix(), error=error)).split(" ─")[0].endswith("q leaves")
    assert "── it said so · q leaves" in told(Standing(running_mix(), "it said so", error=error))


def test_who_leaves_is_told_what_is_waited_for_and_how_not_to_wait() -> None:
    assert "leaves when 6 tasks have ended · Ctrl+c leaves at once" in told(
        Standing(ended(RunState.RUNNING, running=6), "cancelling", "warn", leaves=True)
    )
    assert "leaves when 1 task has ended" in told(Standing(ended(RunState.RUNNING, running=1), leaves=True))
    over = Standing(ended(RunState.SUCCEEDED, succeeded=1), leaves=True, is_over=True)
    assert "the run is over: all is well" in told(over)


def test_draining_is_told_unless_something_was_refused() -> None:
    draining = ended(RunState.DRAINING, running=1)
    assert "draining: it ends when what runs has · Z goes on · K stops all" in told(Standing(draining, "ok", "good"))
    assert "── no such task ─" in told(Standing(draining, "no such task", "bad"))


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing(ended(RunState.FAILED, failed=2), is_over=True), "2 tasks failed · n next · r runs one again · q leaves"),
        (Standing(ended(RunState.FAILED, failed=1), is_over=True, is_replay=True), "1 task failed · n next · q leaves"),
        (Standing(ended(RunState.CANCELLED, cancelled=3), is_over=True), "the run is over: cancelled · q leaves"),
        (
            Standing(ended(RunState.PENDING), is_over=True, has_not_begun=True, next_run="next in 3s"),
            "next in 3s · . runs it now",
        ),
        (
            Standing(ended(RunState.SUCCEEDED), is_over=True, next_run="ingest next at 02:00", waits_for_nodes=True),
            "ingest next at 02:00 · all is done until then · q leaves",
        ),
        (
            Standing(ended(RunState.FAILED), is_over=True, is_replay=True, crashed="r-1"),
            "its process ended before the run did · dagtop resume r-1",
        ),
        (Standing(ended(RunState.FAILED), "copied", "good", is_over=True, is_replay=True, crashed="r-1"), "── copied ─"),
    ],
)  # fmt: skip
def test_of_a_run_that_is_over_it_is_told_how_and_what_can_be_done(standing: Standing, said: str) -> None:
    assert said in told(standing)


def test_on_the_right_stands_what_waits_for_somebody() -> None:
    trouble = Problem(1.0, "journal", "the disk is nearly full")
    snapshot = msgspec.structs.replace(steered(), problems=(trouble,), problem_count=1)
    text = told(Standing(snapshot, next_run="next in 5m"))
    assert "journal: the disk is nearly full" in text
    assert text.rstrip("─ ").endswith("1 task at a gate · a decides   next in 5m  ▲ 1 problem")


def test_an_output_that_cannot_be_kept_is_good_to_know_and_no_problem() -> None:
    notice = Problem(1.0, "journal", "the output is a set; it is not kept, and on resume the task runs again", "b[0]")
    well = msgspec.structs.replace(ended(RunState.SUCCEEDED, succeeded=3), problems=(notice,), problem_count=1)
    text = told(Standing(well, is_over=True))
    assert "all is well" in text
    assert text.rstrip("─ ").endswith("not every output can be kept")
    assert "▲" not in text
    told_after = farewell(well)
    assert "not every output can be kept: on resume b[0] runs again (the output is a set)" in told_after
    assert "problem" not in told_after
    trouble = Problem(1.0, "journal", "the disk is nearly full")
    both = msgspec.structs.replace(well, problems=(trouble, notice), problem_count=2)
    assert told(Standing(both, is_over=True)).rstrip("─ ").endswith("▲ 1 problem")
    assert "journal: the disk is nearly full" in told(Standing(msgspec.structs.replace(both, state=RunState.RUNNING)))
    assert "▲ 1 problem around the run, the latest: journal: the disk is nearly full" in farewell(both)


def test_in_a_replay_nobody_decides_at_a_gate() -> None:
    text = told(Standing(steered(), is_replay=True))
    assert "1 task at a gate" in text
    assert "a decides" not in text


@pytest.mark.parametrize("cells", [0, 1, 5, 20, 60, 300])
def test_it_is_as_wide_as_it_is_to_be(cells: int) -> None:
    for text in ("", "x" * 1_000, "\x1b[31m[red]\u202e"):
        assert "\x1b" not in told(
            Standing(finished_with_failures(), text, "bad", wrong=text and "", is_over=True), cells
        )


class TestBars:
    def test_each_state_has_its_share_and_the_rest_is_to_come(self) -> None:
        counts = {TaskState.SUCCEEDED: 5, TaskState.FAILED: 2, TaskState.SKIPPED: 1, TaskState.RUNNING: 1}
        assert stacked_bar(counts, 10, 20) == [
            ("█" * 10, "ok"), ("█" * 4, "fail"), ("█" * 2, "skip"), ("▒" * 2, "run"), ("··", "bar-rest")
        ]  # fmt: skip

    def test_services_that_are_up_count_as_ok(self) -> None:
        assert stacked_bar({TaskState.RUNNING: 4}, 4, 8, up=4)[0] == ("█" * 8, "ok")
        between = {TaskState.RUNNING: 3, TaskState.BACKOFF: 1}
        assert stacked_bar(between, 4, 8, up=2, resting=1) == [("█" * 6, "ok"), ("▒" * 2, "run"), ("", "bar-rest")]

    def test_one_among_thousands_is_seen(self) -> None:
        assert shares([99_999, 1, 0], 10) == [9, 1, 0]
        assert sum(shares([1, 1, 1, 1, 1], 3)) == 3
        assert shares([0, 0], 4) == [0, 4]


def test_while_a_field_is_typed_in_it_is_told_what_it_takes() -> None:
    known = Known(frozenset({"db", "gpu"}), frozenset())
    assert more_of("pool", known) == "there is db or gpu"
    assert more_of("circuit", known) == "the run has no breakers; any name makes one"
    fields: dict[str, Any] = {"trigger": "all_success", "on_upstream_failure": "run it all the same"}
    assert all(word in more_of(name, known) for name, word in fields.items())
    assert TaskPolicy().trigger in more_of("trigger", known)
