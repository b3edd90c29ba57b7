"""Texts, view models, filters and order: pure functions."""

from __future__ import annotations

import signal

import msgspec
import pytest
from console_fakes import EDGES, HOSTILE, S, fail, finished_with_failures, hostile, many, running_mix, snapshot_of
from dagtop.core.commands import HoldTask, PauseRun, ReleaseTask, SetMaxParallel, SetPolicy
from dagtop.core.forecast import Usual
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.snapshot import EMPTY
from dagtop.core.states import RunState, TaskState
from dagtop_app.chrome.tabs import tab_line
from dagtop_app.chrome.view_model import row_line, run_line, tally_line, tiny_lines
from dagtop_app.faces import STYLES, TASK_FACES
from dagtop_app.launching.farewell import exit_code, farewell
from dagtop_app.lines import line_width
from dagtop_app.steering.edit_model import draft, initial
from dagtop_app.steering.undo import inverse
from dagtop_app.tasks import inspector as inspector_model
from dagtop_app.tasks.explain import explain
from dagtop_app.tasks.filters import Filter, is_problem, matches
from dagtop_app.tasks.roster import PACE, Roster
from dagtop_app.tasks.row_orders import SORTS
from dagtop_app.tasks.table_columns import Beside, columns, head_line
from dagtop_app.tasks.why import awaited, why
from dagtop_app.text import bar, clean, clock, cut, duration, fit, name_of, width, wrap
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

WIDTHS = (60, 70, 78, 79, 80, 100, 132, 160, 300)


class TestText:
    @given(st.text())
    def test_cleaned_text_has_no_character_that_acts_on_a_terminal(self, text: str) -> None:
        shown = clean(text)
        shown.encode()
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
        assert not set(shown) & set("\u200b\u200e\u202e\u2066\ufe0f\u2028")

    def test_control_characters_are_shown_as_pictures(self) -> None:
        assert clean("\x1b[31m\nx") == "␛[31m␊x"
        assert clean("\x9b") == "�"

    @given(st.text(), st.integers(0, 40))
    def test_fitted_text_takes_exactly_its_cells(self, text: str, cells: int) -> None:
        assert cell_len(fit(clean(text), cells)) == cells

    @given(st.text(), st.integers(2, 40))
    def test_wrapped_lines_are_never_wider_than_asked(self, text: str, cells: int) -> None:
        assert all(width(line) <= cells for line in wrap(clean(text), cells))

    def test_a_cut_text_says_that_something_is_missing(self) -> None:
        assert cut("abcdef", 4) == "abc…"
        assert clean("x" * 10_000, 10) == "x" * 9 + "…"

    def test_a_name_is_never_nothing(self) -> None:
        assert name_of("") == "(no name)"
        assert name_of("  ") == "␣␣"

    def test_times_are_short_and_exact_where_it_matters(self) -> None:
        assert [duration(s) for s in (0.0004, 0.42, 0.9999, 3.21, 9.99, 41, 725, 11045)] == [
            "0ms", "420ms", "1.0s", "3.2s", "0:09", "0:41", "12:05", "3:04:05",
        ]  # fmt: skip
        assert clock(60 * 60 * 51) == "2d03h"

    @given(st.floats(-1, 2), st.integers(1, 30))
    def test_a_bar_takes_its_cells(self, share: float, cells: int) -> None:
        assert len("".join(bar(share, cells))) == cells


class TestLines:
    @pytest.mark.parametrize("cells", WIDTHS)
    @pytest.mark.parametrize("scene", [running_mix(), finished_with_failures(), hostile(), many(2000), EMPTY])
    def test_every_line_takes_exactly_the_width_of_the_terminal(self, scene: object, cells: int) -> None:
        snapshot = scene
        cols = columns(cells, 30)
        made = [run_line(snapshot, "nightly.py", cells), tally_line(snapshot, cells), tab_line((), "1", cells)]
        made += [head_line(cols, "name", cells), *tiny_lines(snapshot, cells, 12)]
        made += [row_line(snapshot, row, cols, cursor=row.index % 2 == 0) for row in snapshot.rows[:50]]
        assert {line_width(line) for line in made} == {cells}

    def test_every_style_that_a_line_names_exists(self) -> None:
        for snapshot in (running_mix(), hostile(), finished_with_failures()):
            lines = [run_line(snapshot, "x", 80), tally_line(snapshot, 80)]
            for row in snapshot.rows:
                lines += [row_line(snapshot, row, columns(100, 20)), *inspector_model.full(snapshot, row, (), 60)]
                lines += inspector_model.short(snapshot, row, (), 80, 8)
            assert {style for line in lines for _, style in line} <= {"", *STYLES}

    def test_a_single_failure_among_thousands_has_a_cell_in_the_bar(self) -> None:
        rows = {"t0": {"state": S.FAILED}} | {f"t{n}": {"state": S.SUCCEEDED} for n in range(1, 3000)}
        line = run_line(snapshot_of(dict.fromkeys(rows, ()), rows), "x", 100)
        assert any(style == "fail" and "█" in text for text, style in line)

    def test_not_quite_done_is_never_a_hundred_percent(self) -> None:
        rows = {f"t{n}": {"state": S.SUCCEEDED if n else S.RUNNING} for n in range(1000)}
        assert " 99%" in "".join(text for text, _ in run_line(snapshot_of(dict.fromkeys(rows, ()), rows), "x", 80))

    def test_every_state_has_a_glyph_of_one_cell_and_a_word_that_fits(self) -> None:
        assert set(TASK_FACES) == set(TaskState)
        assert all(
            cell_len(face.glyph) == 1 and len(face.plain) == 1 and len(face.word) <= 8 for face in TASK_FACES.values()
        )


class TestWhy:
    def of(self, task: str, **fields: object) -> str:
        snapshot = msgspec.structs.replace(running_mix(), **fields)
        return why(snapshot, snapshot.rows[snapshot.plan.index[task]]).text

    def test_a_waiting_task_names_what_it_needs_worst_first(self) -> None:
        assert self.of("score_ltv") == "needs ○ convert_prices, ○ sessions (+2 more)"
        assert self.of("convert_prices") == "needs ↻ fetch_fx_rates"

    def test_a_queued_task_knows_its_place_in_the_line(self) -> None:
        assert self.of("train_ltv") == "next in line · 4/8 slots busy"
        assert self.of("train_churn") == "2nd in line · 4/8 slots busy"

    def test_a_queued_task_of_a_paused_run_says_so(self) -> None:
        assert self.of("train_ltv", state=RunState.PAUSED) == "the run is paused · Z goes on"

    def test_a_backoff_counts_down_and_keeps_its_error(self) -> None:
        assert self.of("fetch_fx_rates") == "in 12s · ReadTimeout: GET https://fx.example/v1"
        assert self.of("fetch_fx_rates", at=263.9).startswith("in 1s")
        assert self.of("fetch_fx_rates", at=264.0).startswith("now, when a slot is free")

    def test_a_held_task_names_the_key_that_releases_it(self) -> None:
        assert self.of("snapshot_config") == "held by you · p releases it"
        assert self.of("geo_enrich") == "held by you · needs ● extract_users"

    def test_a_running_task_shows_its_progress(self) -> None:
        snapshot = running_mix()
        told = why(snapshot, snapshot.rows[snapshot.plan.index["extract_users"]])
        assert (told.text, told.share) == ("page 62 of 100", 0.62)
        assert self.of("extract_events") == "1,200,000 rows read"

    def test_a_running_task_that_tells_nothing_of_itself_says_what_comes_after_it(self) -> None:
        """WHY / NEXT was empty."""
        running = {"state": S.RUNNING, "attempt": 1, "started_at": 10.0}
        snapshot = snapshot_of({"a": (), "b": ("a",), "c": ("a",), "d": ("b",), "e": ()}, {"a": running}, at=14.0)
        assert [awaited(snapshot, row) for row in snapshot.rows[:2]] == [
            "○ b and 1 more wait for it",
            "○ d waits for it",
        ]
        assert awaited(snapshot, snapshot.rows[4]) == "nothing waits for it"
        usual = {0: Usual(10.0, 12.0, 3)}
        line = row_line(snapshot, snapshot.rows[0], columns(100, 10), beside=Beside(usual=usual))
        assert "~6s left · ○ b and 1 more wait for it" in "".join(text for text, _ in line)

    def test_what_ended_says_how(self) -> None:
        assert self.of("load_orders") == 'IntegrityError: duplicate key value violates "orders_pk" (881)'
        assert self.of("vacuum") == "cancelled by hand"
        assert self.of("warm_cache") == "told to stop 3s ago · cancelled by hand"
        assert self.of("backfill_2019") == "when: full_refresh is False"
        assert self.of("build_mart") == "upstream load_orders failed"
        assert self.of("join_orders") == "after 1 failed attempt"

    def test_a_stale_result_is_told(self) -> None:
        snapshot = running_mix()
        row = msgspec.structs.replace(snapshot.rows[0], stale=True)
        assert why(snapshot, row).text.startswith("stale: an upstream ran again")

    @pytest.mark.parametrize("scene", [running_mix(), hostile(), finished_with_failures()])
    def test_the_long_answer_exists_for_every_task(self, scene: object) -> None:
        for row in scene.rows:
            told = list(explain(scene, row))
            assert told
            assert all(text and clean(text) == text for text, _ in told)

    def test_the_long_answer_names_what_has_to_move_first(self) -> None:
        snapshot = running_mix()
        told = " ".join(text for text, _ in explain(snapshot, snapshot.rows[snapshot.plan.index["publish"]]))
        assert "✖ load_orders" in told

    @pytest.mark.parametrize(("attempt", "words"), [(2, "attempt 2 of 2"), (3, "attempt 3")])
    def test_an_attempt_beyond_what_the_policy_allows_is_not_counted_against_it(self, attempt: int, words: str) -> None:
        """A task without retries that was run again by hand was shown as "attempt 2 of 1"."""
        policy = TaskPolicy(retry=Retry(retries=1))
        snapshot = snapshot_of({"a": ()}, {"a": {"state": S.RUNNING, "attempt": attempt, "policy": policy}})
        [row] = snapshot.rows
        row = msgspec.structs.replace(row, policy=policy)
        assert why(snapshot, row).text == words
        assert next(explain(snapshot, row))[0].endswith(f"{words}.")


class TestFilter:
    def names(self, text: str, *, problems: bool = False) -> list[str]:
        snapshot = running_mix()
        return [snapshot.plan.names[i] for i in matches(snapshot.rows, Filter(text), problems=problems)]

    def test_plain_text_is_found_anywhere_in_the_name(self) -> None:
        assert self.names("ORDERS") == ["extract_orders", "clean_orders", "join_orders", "load_orders"]

    def test_words_are_joined_by_and(self) -> None:
        assert self.names("orders !join state:ok") == ["extract_orders", "clean_orders"]

    def test_regular_expressions_stand_in_slashes(self) -> None:
        assert self.names("/^(load|join)_/") == ["join_orders", "load_orders"]

    def test_a_broken_regular_expression_says_so_and_hides_nothing(self) -> None:
        assert "not a regular expression" in Filter("/(/").error
        assert len(self.names("/(/")) == len(EDGES)

    def test_fuzzy_letters_keep_their_order(self) -> None:
        assert self.names("~fxr") == ["fetch_fx_rates"]

    def test_states_go_by_every_name_they_have(self) -> None:
        assert self.names("state:retry") == self.names("state:backoff") == ["fetch_fx_rates", "sync_crm"]
        assert self.names("state:failed,held") == ["load_orders", "notify_ops", "snapshot_config"]
        assert "no state is called" in Filter("state:qqq").error

    def test_problems_are_what_went_wrong_or_is_tried_again(self) -> None:
        assert self.names("", problems=True) == [
            "fetch_fx_rates", "sync_crm", "load_orders", "build_mart", "notify_ops", "warm_cache",
        ]  # fmt: skip

    @given(st.text(max_size=30))
    def test_no_text_breaks_the_filter(self, text: str) -> None:
        self.names(text)


class TestRoster:
    def test_problems_come_first_and_done_last(self) -> None:
        roster = Roster()
        roster.show(running_mix(), 0.0)
        names = [roster.snapshot.plan.names[i] for i in roster.order]
        assert names[:4] == ["load_orders", "notify_ops", "fetch_fx_rates", "sync_crm"]
        assert names[-1] == "join_orders"

    def test_a_task_between_its_rounds_is_no_problem_and_stays_among_what_runs(self) -> None:
        roster, snapshot = Roster(), running_mix()
        rows = list(snapshot.rows)
        place = next(row.index for row in rows if row.state is S.RUNNING)
        rows[place] = msgspec.structs.replace(rows[place], state=S.BACKOFF, failure=None, restarts=3)
        before, after = Roster(), msgspec.structs.replace(snapshot, rows=tuple(rows))
        before.show(snapshot, 0.0)
        roster.show(after, 0.0)
        assert list(roster.order) == list(before.order)
        assert not is_problem(rows[place])
        assert is_problem(msgspec.structs.replace(rows[place], failure=fail("E", "")))

    def test_the_cursor_is_a_task_not_a_line(self) -> None:
        roster = Roster()
        snapshot = running_mix()
        roster.show(snapshot, 0.0)
        assert roster.select(snapshot.plan.index["publish"])
        for sort in SORTS:
            roster.sort = sort
            roster.rebuild()
            assert snapshot.plan.names[roster.order[roster.place]] == "publish"

    def test_the_task_under_the_cursor_keeps_its_place_until_the_cursor_leaves(self) -> None:
        roster = Roster()
        snapshot = running_mix()
        roster.show(snapshot, 0.0)
        place = snapshot.plan.index["extract_events"]
        roster.select(place)
        before = roster.place
        rows = list(snapshot.rows)
        rows[place] = msgspec.structs.replace(rows[place], state=S.SUCCEEDED)
        roster.show(msgspec.structs.replace(snapshot, rows=tuple(rows)), 100.0)
        assert roster.place == before
        roster.go(0)
        roster.rebuild()
        assert roster.order.index(place) > 15

    def test_nothing_moves_for_two_seconds_after_a_key(self) -> None:
        roster = Roster()
        snapshot = running_mix()
        roster.show(snapshot, 0.0)
        roster.touch(10.0)
        before = list(roster.order)
        rows = list(snapshot.rows)
        rows[0] = msgspec.structs.replace(rows[0], state=S.FAILED, failure=fail("E", ""))
        changed = msgspec.structs.replace(snapshot, rows=tuple(rows))
        roster.show(changed, 11.0)
        assert list(roster.order) == before
        roster.show(msgspec.structs.replace(changed, rows=tuple(rows)), 12.5)
        assert roster.order[0] == 0

    def test_an_order_that_stood_still_is_caught_up_though_nothing_new_came(self) -> None:
        """The run's last snapshot may come while the order must not change: it is the one that stays on the screen."""
        roster = Roster()
        snapshot = running_mix()
        roster.show(snapshot, 0.0)
        roster.touch(10.0)
        rows = list(snapshot.rows)
        rows[0] = msgspec.structs.replace(rows[0], state=S.FAILED, failure=fail("E", ""))
        last = msgspec.structs.replace(snapshot, rows=tuple(rows))
        roster.show(last, 11.0)
        assert not roster.is_due(11.0)
        assert roster.is_due(12.5)
        assert roster.show(last, 12.5)
        assert roster.order[0] == 0
        assert not roster.is_due(100.0)

    def test_the_more_rows_the_more_seldom_they_are_sorted(self) -> None:
        roster = Roster()
        snapshot = many(PACE // 64)
        roster.show(snapshot, 0.0)
        looks = 0
        for turn in range(1, 17):
            before = roster.order
            roster.show(msgspec.structs.replace(snapshot, rows=list(snapshot.rows)), turn / 128)
            looks += roster.order is not before
        assert looks == 8

    def test_before_the_first_key_the_cursor_stays_on_the_first_line(self) -> None:
        roster = Roster()
        snapshot = running_mix()
        roster.show(snapshot, 0.0)
        rows = list(snapshot.rows)
        rows[0] = msgspec.structs.replace(rows[0], state=S.FAILED)
        roster.show(msgspec.structs.replace(snapshot, rows=tuple(rows)), 1.0)
        assert (roster.place, roster.selected) == (0, 0)

    def test_a_filter_that_hides_everything_leaves_no_selection(self) -> None:
        roster = Roster()
        roster.show(running_mix(), 0.0)
        roster.wanted = Filter("no such task")
        roster.rebuild()
        assert roster.selected is None
        assert roster.row is None
        roster.wanted = Filter("")
        roster.rebuild()
        assert roster.row is not None

    def test_the_next_problem_is_found_around_the_end(self) -> None:
        roster = Roster()
        roster.show(running_mix(), 0.0)
        roster.go(24)
        assert roster.find(lambda row: row.state is S.FAILED, 1)
        assert roster.place == 0


class TestEdit:
    policy = TaskPolicy(retry=Retry(retries=2, base=1.0), timeout=30)

    def typed(self, **fields: str) -> object:
        return draft("t", self.policy, initial(self.policy) | fields)

    def test_the_shape_of_delays_is_checked_as_it_is_typed(self) -> None:
        assert self.typed(factor="3", cap="9", jitter="0.5").result == SetPolicy(
            task="t", factor=3.0, cap=9.0, jitter=0.5
        )
        assert self.typed(factor="3", cap="9", retries="3").outlook.endswith("30s each at most")
        assert "waits 1s, 3s, 9s" in self.typed(factor="3", cap="9", retries="3").outlook
        assert self.typed(factor="0.5").errors == {"factor": "1 or more"}
        assert self.typed(factor="x").errors == {"factor": "a number, 1 or more"}
        assert self.typed(jitter="2").errors == {"jitter": "from 0 to 1"}
        assert self.typed(cap="-1").errors == {"cap": "0 or more seconds"}

    def test_only_what_changed_is_sent(self) -> None:
        assert self.typed(retries="4").result == SetPolicy(task="t", retries=4)
        assert self.typed(timeout="0", backoff="lin").result == SetPolicy(task="t", timeout=0.0, backoff="linear")
        assert self.typed().result is None

    def test_the_outlook_says_what_it_comes_to(self) -> None:
        assert self.typed(retries="3").outlook == "4 attempts, waits 1s, 2s, 4s; 30s each at most"

    @pytest.mark.parametrize(
        ("field", "text"), [("retries", "-1"), ("retries", "1.5"), ("timeout", "nan"), ("base", "-2"), ("backoff", "x")]
    )
    def test_a_wrong_field_is_named_and_nothing_is_sent(self, field: str, text: str) -> None:
        now = self.typed(**{field: text})
        assert set(now.errors) == {field}
        assert now.result is None

    @given(st.text(max_size=12))
    def test_nothing_typed_breaks_the_dialog(self, text: str) -> None:
        for field in initial(self.policy):
            self.typed(**{field: text})


class TestUndo:
    def test_live_edits_have_an_inverse(self) -> None:
        snapshot = running_mix()
        assert inverse(snapshot, SetMaxParallel(limit=9)) == SetMaxParallel(limit=8)
        assert inverse(snapshot, HoldTask(task="publish")) == ReleaseTask(task="publish")
        assert inverse(snapshot, SetPolicy(task="sync_crm", retries=9, timeout=5)) == SetPolicy(
            task="sync_crm", retries=2, timeout=60
        )
        assert inverse(snapshot, SetPolicy(task="vacuum", timeout=5)) == SetPolicy(task="vacuum", timeout=0.0)
        assert inverse(snapshot, SetPolicy(task="vacuum", cost=5)) == SetPolicy(task="vacuum", cost=-1)
        assert inverse(snapshot, PauseRun()) is not None


class TestFarewell:
    def test_it_tells_how_the_run_ended_in_at_most_twenty_lines(self) -> None:
        told = farewell(finished_with_failures(), report="r.html", resume="dagtop resume r-7f3a")
        assert "failed after 4:58" in told
        assert "load_orders: IntegrityError" in told
        assert "report: r.html" in told
        assert "dagtop resume r-7f3a" in told
        assert len(told.splitlines()) <= 20

    def test_a_flood_of_failures_is_counted_not_listed(self) -> None:
        rows = {f"t{n}": {"state": S.FAILED, "failure": fail("E", HOSTILE[n % len(HOSTILE)])} for n in range(500)}
        told = farewell(snapshot_of(dict.fromkeys(rows, ()), rows, state=RunState.FAILED))
        assert "495 more failures" in told
        assert len(told.splitlines()) <= 20
        assert all(clean(line) == line for line in told.splitlines())

    def test_exit_codes_are_honest(self) -> None:
        codes = {state: exit_code(state) for state in RunState}
        assert (codes[RunState.SUCCEEDED], codes[RunState.FAILED], codes[RunState.TIMED_OUT]) == (0, 1, 124)
        assert codes[RunState.CANCELLED] == codes[RunState.RUNNING] == 130
        assert exit_code(RunState.CANCELLED, terminated=signal.SIGTERM) == 143
        assert exit_code(RunState.CANCELLED, terminated=signal.SIGHUP) == 129
        assert exit_code(RunState.SUCCEEDED, broken=True) == 1
