"""The list of runs as lines: what fits, what is told, what is usual of a graph's runs, and what the filter lets through."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import running_mix
from console_runs import HOSTILE, NOW, UTC, some, summary
from dagtop.core.states import RunState
from dagtop_app import faces
from dagtop_app.lines import line_width
from dagtop_app.runs.diff_lines import diff_lines
from dagtop_app.runs.filter import RunFilter
from dagtop_app.runs.list_model import (
    Kept,
    begun_text,
    columns,
    detail_lines,
    detail_title,
    head_line,
    list_title,
    notes,
    nothing_lines,
    run_line,
    sparks,
    with_live,
    with_pasts,
)
from msgspec.structs import replace


def text_of(line: Any) -> str:
    return "".join(text for text, _ in line)


ROWS = with_pasts(some())


class TestLines:
    @pytest.mark.parametrize("cells", [60, 80, 99, 100, 131, 132, 160, 300])
    def test_every_line_is_exactly_as_wide_as_the_screen(self, cells: int) -> None:
        cols = columns(cells, ROWS)
        assert line_width(head_line(cols, cells)) == cells
        if cols.note:
            for row in ROWS:
                assert line_width(run_line(row, cols, NOW, cursor=True, marked=True, zone=UTC)) == cells

    def test_no_control_character_of_a_name_reaches_the_screen(self) -> None:
        for row in ROWS:
            lines = [run_line(row, columns(132, ROWS), NOW, zone=UTC), *detail_lines(row, 132, NOW, UTC)]
            for text in map(text_of, (*lines, detail_title(row)[0])):
                assert text.isprintable(), text
                assert "\u202e" not in text

    def test_ids_are_there_from_a_terminal_of_100_cells_on(self) -> None:
        assert columns(97, ROWS).run == 0
        assert "20261121-0002-abcdef" in text_of(run_line(ROWS[1], columns(99, ROWS), NOW, zone=UTC))

    def test_states_are_told_by_glyph_and_word_in_ascii_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(faces, "ASCII", True)
        for row in ROWS:
            if row.summary.graph != HOSTILE:
                line = text_of(run_line(row, columns(80, ROWS), NOW, cursor=True, zone=UTC))
                assert line.replace("×", "x").replace("…", ".").isascii(), line
        assert sparks([1.0, 8.0]).isascii()

    def test_a_state_that_is_not_known_is_told_as_it_is(self) -> None:
        strange = Kept(summary(1, "melted"))
        assert "MELTED" in text_of(run_line(strange, columns(80, [strange]), NOW, zone=UTC))

    def test_when_it_began_is_as_short_as_can_be(self) -> None:
        assert begun_text(NOW - 60, NOW, UTC) == "11:59:00"
        assert begun_text(NOW - 86_400, NOW, UTC) == "Nov 20 12:00"
        assert begun_text(NOW - 400 * 86_400, NOW, UTC) == "2025-10-17"
        assert begun_text(1e300, NOW, UTC) == "1970-01-01"

    def test_one_that_goes_on_elsewhere_tells_how_long_already(self) -> None:
        line = text_of(run_line(ROWS[0], columns(99, ROWS), NOW, zone=UTC))
        assert "1:00:00" in line
        assert "-/12,000" in line
        assert "process 3131" in line

    def test_a_crashed_one_tells_how_to_go_on(self) -> None:
        crashed = next(row for row in ROWS if row.summary.state == "crashed")
        assert "dagtop resume 20261121-0004-abcdef" in "".join(map(text_of, detail_lines(crashed, 100, NOW, UTC)))
        assert text_of(notes(crashed)) == "resumable"

    def test_of_one_that_was_started_from_python_no_command_is_told_that_would_be_refused(self) -> None:
        crashed = next(row for row in ROWS if row.summary.state == "crashed")
        without = crashed._replace(summary=replace(crashed.summary, source=""))
        told = "".join(map(text_of, detail_lines(without, 100, NOW, UTC)))
        assert "dagtop resume" not in told
        assert "its program, by DAGExecutor(resume=...), goes on with it" in told

    def test_titles_and_empty_lists(self) -> None:
        left, right = list_title(3, 10, "state:failed", 2, problems=True, place="runs.db")
        assert text_of(left) == "Runs 3 of 10 · 2 marked · problems only"
        assert text_of(right) == "runs.db · filter state:failed"
        assert "Esc shows all" in text_of(nothing_lines(5, "", 80)[0])
        assert detail_lines(None, 80, NOW, UTC) == []


class TestWhatIsUsual:
    def test_only_runs_of_the_same_graph_that_succeeded_before_count(self) -> None:
        latest = ROWS[1]
        assert latest.past.seconds == pytest.approx((3.2, 120.0, 121.0, 118.0))
        assert latest.past.median == 119.0
        assert latest.times_usual == pytest.approx(252 / 119)
        assert text_of(notes(latest)) == "▲ 2.1× usual"

    def test_too_few_say_nothing(self) -> None:
        first, second, third = with_pasts([summary(1, seconds=900.0), summary(2), summary(3)])
        assert first.past.median is None
        assert first.times_usual is None
        assert (second.past.seconds, third.past.seconds) == ((60.0,), ())

    def test_the_latest_twenty_count(self) -> None:
        rows = with_pasts([summary(number, seconds=float(number)) for number in range(1, 40)])
        assert rows[0].past.seconds == tuple(float(number) for number in range(21, 1, -1))

    def test_a_failed_run_is_never_slow(self) -> None:
        rows = with_pasts([summary(1, "failed", seconds=900.0), *(summary(number) for number in range(2, 9))])
        assert rows[0].past.median == 60.0
        assert rows[0].times_usual is None


class TestTheRunHere:
    LIVE = replace(running_mix(), started_at=NOW - 252.0, run="live")

    def test_it_is_on_top_while_it_goes_on_wherever_the_journal_has_it(self) -> None:
        stored = with_pasts([summary(1, run="newer"), summary(2, "running", run="live", alive=True)])
        rows = with_live(stored, self.LIVE, "it.py")
        assert [row.run for row in rows] == ["live", "newer"]
        assert rows[0].here
        assert rows[0].goes_on

    def test_one_that_is_over_has_its_own_place(self) -> None:
        stored = with_pasts([summary(1, run="newer"), summary(2, run="live")])
        over = replace(self.LIVE, state=RunState.SUCCEEDED)
        assert [row.run for row in with_live(stored, over, "it.py")] == ["newer", "live"]

    def test_one_that_is_kept_nowhere_is_there_too_and_none_where_there_is_none(self) -> None:
        assert with_live([], self.LIVE, "it.py")[0].summary.source == "it.py"
        assert with_live(ROWS, replace(self.LIVE, run=""), "it.py") == ROWS


class TestTheFilter:
    def passing(self, text: str) -> list[str]:
        wanted = RunFilter(text, NOW)
        assert not wanted.error, wanted.error
        return [row.run[9:13] for row in wanted.passing(ROWS, problems=False)]

    def test_states_graphs_texts_expressions_and_times(self) -> None:
        assert self.passing("state:failed,crashed") == ["0003", "0004"]
        assert self.passing("state:crash") == ["0004"]
        assert self.passing("graph:crawl") == ["0001"]
        assert self.passing("graph:c*l") == ["0001"]
        assert self.passing("!graph:night") == ["0001", "0006", "0031"]
        assert self.passing("/000[12]/") == ["0001", "0002"]
        assert self.passing("SKIPPED") == ["0003"]
        assert self.passing("since:3h state:succeeded") == ["0002"]
        assert self.passing("since:2026-11-21") == ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]
        assert len(self.passing("state:")) == len(ROWS)

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            ("state:faild", "did you mean 'failed'"),
            ("since:soon", "--since takes a date"),
            ("/(/", "not a regular expression"),
            ("sate:failed", "no filter is called sate:; did you mean 'state'?"),
        ],
    )
    def test_what_is_wrong_is_said_and_hides_nothing(self, text: str, wrong: str) -> None:
        wanted = RunFilter(text, NOW)
        assert wrong in wanted.error
        assert wanted.passing(ROWS, problems=False) == ROWS


def test_a_comparison_has_titles_and_sections_in_colours() -> None:
    told = ["A  one  etl  succeeded", "B  two  etl  failed", "", "failed newly: 1", "  load  succeeded → failed"]
    lines = list(diff_lines(iter(told)))
    assert [text_of(line) for line in lines] == [
        "A  one",
        "   etl  succeeded",
        "B  two",
        "   etl  failed",
        "",
        "FAILED NEWLY  1",
        "  load  succeeded → failed",
    ]
    assert lines[-1] == (("  load  succeeded → failed", "fail"),)
