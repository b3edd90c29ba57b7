"""The list of runs in the console: every key of it, while the run below goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from console_fakes import S, running_mix
from console_runs import NOW, FakeJournal, listed, some, some_runs, summary
from dagtop.core.commands import CancelRun
from dagtop.errors import JournalError
from dagtop_app.commands.browsing import Browser
from dagtop_app.screens.kept_replay import KeptReplay
from dagtop_app.screens.popup import Popup
from dagtop_app.screens.run_list import RunList
from msgspec.structs import replace

pytestmark = pytest.mark.anyio


class TestWhatIsThere:
    async def test_the_run_that_goes_on_is_on_top_and_is_as_it_is_now(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            assert "this one" in seen.lines[3]
            assert "● RUNNING" in seen.lines[3]
            assert "     3 this one" in seen.lines[3]
            seen.engine.change("extract_users", state=S.FAILED)
            await seen.settle()
            assert "     4 this one" in seen.lines[3]

    async def test_what_is_written_meanwhile_comes_into_the_list(self) -> None:
        journal = FakeJournal(some()[1:])
        async with listed(journal) as seen:
            assert "crawl" not in seen.text
            journal.kept.insert(0, some()[0])
            seen.list._looks_at, seen.list._stamp = float("-inf"), None
            seen.list.poll()
            await seen.done()
            assert "crawl" in seen.text

    async def test_a_history_that_cannot_be_read_is_told(self) -> None:
        journal = FakeJournal([])
        journal.wrong = JournalError("the journal is damaged")
        async with listed(journal) as seen:
            assert "the journal is damaged" in seen.text

    async def test_without_a_run_that_says_so(self) -> None:
        from dagtop.core.snapshot import EMPTY

        async with listed(FakeJournal([]), snapshot=EMPTY) as seen:
            assert "no runs are kept in history.db" in seen.text

    async def test_thousands_of_runs_are_gone_through_and_only_visible_ones_put_into_words(self) -> None:
        journal = FakeJournal([summary(number, run=f"r{number}") for number in range(1, 5001)])
        async with listed(journal) as seen:
            assert "Runs 5,001" in seen.lines[1]
            await seen.press("G")
            assert seen.run == "r5000"
            assert len(seen.list.table._drawn) <= 30
            await seen.press("home")
            assert "this one" in seen.lines[3]

    async def test_the_key_opens_it_and_without_a_journal_says_why_not(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("escape")
            assert seen.app.screen is seen.app.main
            await seen.press("O")
            await seen.done()
            assert isinstance(seen.app.screen, RunList)
            await seen.press("O")
            assert seen.app.screen is seen.app.main
            seen.app.main.journal = None
            await seen.press("O")
            assert seen.app.screen is seen.app.main
            assert "no history is known here" in seen.text


class TestMoving:
    async def test_keys_move_and_the_cursor_stays_on_its_run(self) -> None:
        journal = FakeJournal([summary(number, run=f"r{number}") for number in range(1, 101)])
        async with listed(journal) as seen:
            for keys, run in (
                (("j",), "r1"), (("down", "down"), "r3"), (("k",), "r2"), (("end",), "r100"),
                (("g",), seen.app.main.snapshot.run), (("j", "j", "j"), "r3"),
            ):  # fmt: skip
                await seen.press(*keys)
                assert seen.run == run, keys
            await seen.press("pagedown")
            assert seen.list.table.place == 3 + seen.list.table.scrollable_content_region.height
            await seen.press("pageup")
            journal.kept.insert(0, summary(0, run="new"))
            seen.list._looks_at, seen.list._stamp = float("-inf"), None
            seen.list.poll()
            await seen.done()
            assert seen.run == "r3"

    async def test_a_click_selects_and_two_open(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.pilot.click("#runs", offset=(10, 3))
            await seen.settle()
            assert seen.list.table.place == 3
            await seen.pilot.click("#runs", offset=(10, 2), times=2)
            await seen.done()
            assert "there is no run 20261121-0002-abcdef" in seen.text

    async def test_n_goes_to_what_did_not_go_well(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            runs = []
            for _ in range(3):
                await seen.press("n")
                runs.append(seen.run[9:13])
            assert runs == ["0003", "0004", "0006"]
            await seen.press("N")
            assert seen.run[9:13] == "0004"
            await seen.press("G", "n")
            assert "no run with a problem below" in seen.text


class TestSieving:
    async def test_the_filter_works_while_it_is_typed_and_esc_clears_it(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("slash", *"state:crash")
            assert [row.run[9:13] for row in seen.list.rows] == ["0004"]
            await seen.press("enter")
            assert "filter state:crash" in seen.text
            await seen.press("escape")
            assert len(seen.list.rows) == len(some()) + 1
            assert isinstance(seen.app.screen, RunList)

    async def test_letters_typed_in_one_go_are_the_filter(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.pilot.press("slash", "d", "x", "q")
            await seen.settle()
            assert seen.list.ask.value == "dxq"
            assert isinstance(seen.app.screen, RunList)

    async def test_a_wrong_filter_says_what_is_wrong_and_hides_nothing(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("slash", *"state:faild", "enter")
            assert "did you mean 'failed'?" in seen.text
            assert len(seen.list.rows) == len(some()) + 1

    async def test_problems_only_and_one_graph_only(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("exclamation_mark")
            assert "problems only" in seen.text
            assert all(row.is_problem or row.here for row in seen.list.rows)
            await seen.press("exclamation_mark", "j", "f")
            assert {row.summary.graph for row in seen.list.rows} == {"crawl"}
            await seen.press("f")
            assert len(seen.list.rows) == len(some()) + 1


class TestReplaying:
    async def test_enter_plays_a_run_while_the_one_here_goes_on(self) -> None:
        journal = await some_runs()
        async with listed(journal) as seen:
            await seen.press("j", "enter")
            await seen.done()
            assert isinstance(seen.app.screen, KeptReplay)
            assert "replay of daily" in seen.lines[0]
            seen.engine.change("extract_events", state=S.FAILED)
            await seen.settle()
            assert seen.app.main.snapshot.rows[seen.app.main.snapshot.plan.index["extract_events"]].state is S.FAILED
            await seen.press("escape")
            assert isinstance(seen.app.screen, RunList)
            await seen.press("escape")
            assert seen.app.screen is seen.app.main
            await seen.app.workers.wait_for_complete()

    @pytest.mark.parametrize("key", ["q", "ctrl+q"])
    async def test_q_comes_back_all_the_way(self, key: str) -> None:
        journal = await some_runs()
        async with listed(journal) as seen:
            await seen.press("j", "enter")
            await seen.done()
            assert isinstance(seen.app.screen, KeptReplay)
            await seen.press(key)
            await seen.settle()
            assert seen.app.screen is seen.app.main
            assert seen.app.is_running
            assert seen.engine.sent == []

    async def test_nothing_of_the_run_here_is_changed_by_keys_on_a_replay(self) -> None:
        journal = await some_runs()
        async with listed(journal) as seen:
            await seen.press("j", "enter")
            await seen.done()
            await seen.press("x", "R", "K", "D", "plus", "p")
            assert seen.engine.sent == []
            assert isinstance(seen.app.screen, KeptReplay)

    async def test_enter_on_the_run_here_comes_back_to_it(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("enter")
            assert seen.app.screen is seen.app.main

    async def test_a_run_that_is_gone_is_told(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("j", "j", "enter")
            await seen.done()
            assert "there is no run 20261121-0002-abcdef" in seen.text
            assert isinstance(seen.app.screen, RunList)


class TestComparing:
    async def test_d_compares_with_the_run_before_of_the_same_graph(self) -> None:
        journal = await some_runs()
        async with listed(journal) as seen:
            await seen.press("j", "d")
            await seen.done()
            assert isinstance(seen.app.screen, Popup)
            assert "FAILED NEWLY" in seen.text
            assert "second  succeeded → failed: OSError: no such disk" in seen.text

    async def test_d_compares_with_the_marked_run_whichever_came_first(self) -> None:
        journal = await some_runs()
        async with listed(journal) as seen:
            await seen.press("j", "space")
            assert "1 marked" in seen.text
            await seen.press("G", "d")
            await seen.done()
            assert "FAILED NEWLY" in seen.text

    async def test_without_another_run_it_says_what_to_do(self) -> None:
        async with listed(FakeJournal(some()[:1])) as seen:
            await seen.press("j", "d")
            await seen.done()
            assert "Space marks the one to compare with" in seen.text

    async def test_marks_go_by_esc(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("j", "space", "space")
            assert len(seen.list.marked) == 2
            await seen.press("k", "space")
            assert len(seen.list.marked) == 1
            await seen.press("escape")
            assert seen.list.marked == []
            assert isinstance(seen.app.screen, RunList)


class TestTellingOfOne:
    async def test_e_writes_a_report_with_outputs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        journal = await some_runs()
        async with listed(journal) as seen:
            await seen.press("j", "E", "3")
            await seen.done()
            (name,) = os.listdir()
            assert name.endswith(".json")
            assert f"wrote {name}" in seen.text
        report = json.loads((tmp_path / name).read_bytes())
        assert [task["output"]["text"] for task in report["tasks"] if task["name"] == "first"] == ["42"]

    async def test_y_copies_its_id_or_a_command(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("j", "j", "j", "y", "4")
            assert seen.app.clipboard == "dagtop resume 20261121-0003-abcdef"

    async def test_of_a_run_that_was_started_from_python_no_resume_is_copied(self) -> None:
        async with listed(FakeJournal([replace(one, source="") for one in some()])) as seen:
            await seen.press("j", "j", "j", "y")
            assert "dagtop replay" in seen.text
            assert "dagtop resume" not in seen.text

    async def test_the_keys_are_told(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("question_mark")
            assert isinstance(seen.app.screen, Popup)
            assert "since:3d" in seen.text

    async def test_a_footer_entry_can_be_clicked(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.pilot.click("#footer", offset=(seen.lines[-1].index("! Problems"), 0))
            await seen.settle()
            assert seen.list.problems


class TestCancelling:
    async def test_x_has_the_other_process_cancel_it_after_a_yes(self) -> None:
        journal = FakeJournal(some())
        async with listed(journal) as seen:
            await seen.press("j", "x", "n")
            assert journal.posted == []
            await seen.press("x", "y")
            await seen.done()
            ((run, command, by),) = journal.posted
            assert run == "20261121-0001-abcdef"
            assert isinstance(command, CancelRun)
            assert by == "console"
            assert "cancelling" in seen.text

    async def test_x_on_anything_else_says_why_not(self) -> None:
        journal = FakeJournal(some())
        async with listed(journal) as seen:
            await seen.press("x")
            assert "K cancels the run of this console" in seen.text
            await seen.press("j", "j", "x")
            assert "does not go on" in seen.text
            assert journal.posted == []


async def test_a_small_terminal_has_the_list_too() -> None:
    for size in ((60, 15), (20, 5), (1, 1), (300, 100)):
        async with listed(FakeJournal(some()), size=size) as seen:
            await seen.press("j", "exclamation_mark", "G")
            assert seen.app.is_running


def test_the_clock_of_these_tests_is_what_it_says() -> None:
    from datetime import UTC, datetime

    assert datetime.fromtimestamp(NOW, UTC).isoformat() == "2026-11-21T12:00:00+00:00"


class TestByItself:
    async def test_the_list_is_there_without_a_run_and_q_leaves_it(self) -> None:
        app = Browser(FakeJournal(some()), text="state:failed", now=lambda: 0.0)
        async with app.run_test(size=(100, 30)) as pilot:
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert [row.run[9:13] for row in app.list.rows] == ["0003"]
            await pilot.press("x", "slash", "escape", "E", "escape", "y", "escape", "T", "escape", "q")
        assert app.return_code == 0

    async def test_a_run_is_played_and_q_comes_back_to_the_list(self) -> None:
        app = Browser(await some_runs(), now=lambda: 0.0)
        async with app.run_test(size=(100, 30)) as pilot:
            await app.workers.wait_for_complete()
            await pilot.pause()
            await pilot.press("enter")
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert isinstance(app.screen, KeptReplay)
            await pilot.press("q")
            await pilot.pause()
            assert app.screen is app.list

    def test_a_pattern_of_graphs_means_what_it_means_on_the_command_line(self) -> None:
        from dagtop_app.commands.history import filter_of
        from dagtop_app.runs.filter import RunFilter
        from dagtop_app.runs.list_model import with_pasts

        wanted = RunFilter(filter_of("night*", ["failed", "crashed"], "3d", ["nightly.py"]), NOW)
        assert wanted.error == ""
        passing = wanted.passing(with_pasts(some()), problems=False)
        assert [row.run[9:13] for row in passing] == ["0003", "0004"]


class TestInWords:
    async def test_runs_opens_the_list_with_a_filter(self) -> None:
        async with listed(FakeJournal(some())) as seen:
            await seen.press("escape")
            seen.app.main.obey("runs state:failed")
            await seen.done()
            assert isinstance(seen.app.screen, RunList)
            assert [row.run[9:13] for row in seen.list.rows] == ["0003"]

    def test_in_plain_lines_the_latest_are_told(self) -> None:
        from dagtop_app.plain.looks import Looks
        from dagtop_app.words.parsing import WordError, parse

        snapshot, looks = running_mix(), Looks()
        assert [*looks.answer(parse("runs", snapshot), snapshot)] == ["No history is known here."]
        looks.journal = FakeJournal(some())  # type: ignore[assignment]  # it has what is asked for
        head, line = looks.answer(parse("runs state:failed", snapshot), snapshot)
        assert head.startswith("RUN")
        assert "20261121-0003-abcdef" in line
        assert [*looks.answer(parse("runs nowhere", snapshot), snapshot)] == ["No run is like that."]
        with pytest.raises(WordError, match="did you mean"):
            list(looks.answer(parse("runs state:faild", snapshot), snapshot))
