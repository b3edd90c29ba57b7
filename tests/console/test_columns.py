"""The columns of the table: what is usual, the breaker, which and in which order; sorting by them; the filter's words."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import FakeEngine, S, many, running_mix, snapshot_of
from console_pilot import console
from console_scenes import steered
from dagtop.core.failure import Failure
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot
from dagtop_app.chrome.view_model import row_line
from dagtop_app.lines import Line, line_width
from dagtop_app.settings.config import COLUMNS
from dagtop_app.tasks.filters import Filter, matches
from dagtop_app.tasks.roster import Roster
from dagtop_app.tasks.row_orders import SORTS
from dagtop_app.tasks.table_columns import LEAD, NAMES, Beside, Have, column_at, columns, head_line

pytestmark = pytest.mark.anyio

WIDE = Have(screen=160, usual=True, breaker=True)


def text_of(line: Line) -> str:
    """A line as text."""
    return "".join(text for text, _ in line)


def usual_of(snapshot: RunSnapshot, **seconds: float) -> dict[int, Usual]:
    """How long some tasks usually take."""
    return {snapshot.plan.index[name]: Usual(median, 2 * median, 5) for name, median in seconds.items()}


def beside(snapshot: RunSnapshot, **seconds: float) -> Beside:
    """The same, with the breakers of the run."""
    return Beside(usual_of(snapshot, **seconds), {view.name: view for view in snapshot.breakers})


class TestWhichThereAre:
    def test_narrow_terminals_have_neither_usual_nor_breaker(self) -> None:
        head = text_of(head_line(columns(80, 16, Have(80, True, True)), "problems", 80))
        assert "USUAL" not in head
        assert "BREAKER" not in head

    def test_from_100_on_what_is_usual_and_from_132_on_the_breaker(self) -> None:
        at_100 = text_of(head_line(columns(99, 16, Have(100, True, True)), "problems", 99))
        assert "USUAL" in at_100
        assert "BREAKER" not in at_100
        at_160 = text_of(head_line(columns(99, 16, WIDE), "problems", 99))
        assert "USUAL" in at_160
        assert "BREAKER" in at_160

    def test_beside_the_inspector_the_policy_goes_before_why_is_too_narrow(self) -> None:
        """With 82 cells of 132 there were 23 for WHY: "ValueError: the order …"."""
        for have in (Have(132, True, False), Have(132, False, True), WIDE):
            assert columns(82, 16, have).policy == 0
        assert columns(82, 16, Have(132, True, False)).why >= 33
        assert columns(82, 16, Have(132)).policy == 9
        assert columns(82, 30, Have(132, True, False)).task == 20
        assert columns(82, 30, Have(132, True, False)).why >= 29

    def test_why_leaves_out_the_names_of_errors_that_say_it_all(self) -> None:
        for error, shown in (("TaskTimeoutError", "it took 3s"), ("ValueError", "ValueError: it took 3s")):
            failure = Failure(error=error, message="it took 3s")
            snapshot = snapshot_of({"a": ()}, {"a": {"state": S.FAILED, "attempt": 1, "failure": failure}})
            assert text_of(row_line(snapshot, snapshot.rows[0], columns(100, 12))).rstrip().endswith(f"  {shown}")

    def test_a_column_with_nothing_in_it_is_not_there(self) -> None:
        assert columns(150, 16, Have(160)).usual == 0
        assert columns(150, 16, Have(160)).breaker == 0

    def test_every_line_is_as_wide_as_it_should_be(self) -> None:
        snapshot = steered()
        seen = beside(snapshot, fetch_1=3.0, load=1.0)
        for chosen in ((), ("why", "task"), ("state", "task", "breaker"), NAMES, NAMES[::-1]):
            for cells in range(40, 170, 7):
                cols = columns(cells, 30, Have(cells, True, True, chosen))
                assert line_width(head_line(cols, "name", cells)) == cells
                for row in snapshot.rows:
                    told = line_width(row_line(snapshot, row, cols, beside=seen))
                    assert told <= cells, (chosen, cells)
                    assert told == cells or (chosen and "why" not in chosen), (chosen, cells)

    def test_a_person_chooses_columns_and_their_order(self) -> None:
        cols = columns(100, 12, Have(100, True, True, ("state", "task", "why")))
        assert text_of(head_line(cols, "name", 100)).split() == ["STATE", "TASK▾", "WHY", "/", "NEXT"]
        line = text_of(row_line(running_mix(), running_mix().rows[0], cols))
        assert line.split()[:3] == ["✔", "OK", "auth_token"]

    def test_what_is_chosen_and_does_not_fit_goes_in_an_order(self) -> None:
        cols = columns(50, 12, Have(50, True, True, NAMES))
        assert [name for name, _ in cols.sizes()][-1] == "why"
        assert cols.breaker == 0

    def test_settings_and_table_know_the_same_columns(self) -> None:
        assert COLUMNS == NAMES

    def test_a_click_on_a_title_sorts_by_it(self) -> None:
        cols = columns(99, 16, WIDE)
        edge = LEAD
        found: dict[str, str] = {}
        for name, size in cols.sizes():
            found[name] = column_at(cols, edge)
            edge += size + 1
        assert found["task"] == "name"
        assert found["usual"] == "slow"
        assert found["breaker"] == ""
        assert found["why"] == "problems"
        assert set(found.values()) - {""} <= set(SORTS)


class TestWhatIsUsual:
    def test_a_task_that_runs_far_longer_than_it_does_stands_out(self) -> None:
        snapshot = running_mix()
        row = snapshot.rows[snapshot.plan.index["extract_events"]]
        line = row_line(snapshot, row, columns(110, 16, WIDE), beside=beside(snapshot, extract_events=112.0))
        assert "2.1× usual · 1,200,000 rows read" in text_of(line)
        assert any(style == "warn" and "1:52" in text for text, style in line)

    def test_one_that_is_in_time_does_not(self) -> None:
        snapshot = running_mix()
        row = snapshot.rows[snapshot.plan.index["extract_events"]]
        line = row_line(snapshot, row, columns(99, 16, WIDE), beside=beside(snapshot, extract_events=200.0))
        assert "usual" not in text_of(line)

    def test_slow_ones_come_before_the_others_that_run(self) -> None:
        roster = Roster()
        snapshot = running_mix()
        roster.usual = usual_of(snapshot, dedupe_events=10.0)
        roster.show(snapshot, 0.0)
        names = [snapshot.rows[index].name for index in roster.order]
        assert names.index("dedupe_events") < names.index("extract_events")

    def test_the_order_of_the_slowest_against_usual(self) -> None:
        roster = Roster()
        snapshot = running_mix()
        roster.usual = usual_of(snapshot, extract_users=72.0, calendar=1.0, clean_orders=570.0)
        roster.sort = "slow"
        roster.show(snapshot, 0.0)
        assert [snapshot.rows[index].name for index in roster.order[:3]] == [
            "calendar",
            "extract_users",
            "clean_orders",
        ]

    def test_the_order_of_starts(self) -> None:
        roster = Roster()
        snapshot = running_mix()
        roster.sort = "start"
        roster.show(snapshot, 0.0)
        started = [snapshot.rows[index].started_at for index in roster.order]
        known = [at for at in started if at is not None]
        assert known == sorted(known)
        assert None not in started[: len(known)]

    async def test_the_console_shows_what_the_engine_knows(self) -> None:
        engine: Any = FakeEngine(running_mix())
        engine.usual = usual_of(engine.latest, extract_events=112.0)
        async with console(engine, (100, 30)) as seen:
            assert "USUAL" in seen.text
            assert "2.1× usual" in seen.text
        async with console(FakeEngine(running_mix()), (100, 30)) as seen:
            assert "USUAL" not in seen.text


class TestTheBreaker:
    async def test_it_is_shown_with_its_state_where_there_is_room(self) -> None:
        async with console(FakeEngine(steered()), (160, 45)) as seen:
            assert "BREAKER" in seen.text
            assert "mail ○" in seen.text
            assert "api ●" in seen.text

    def test_a_long_or_hostile_name_is_cut(self) -> None:
        from dagtop.core.policy import TaskPolicy

        for name in ("x" * 500, "\x1b[31m", "漢字の名前がとても長い"):
            snapshot = snapshot_of({"a": ()}, {"a": {"state": S.READY, "policy": TaskPolicy(circuit=name)}})
            line = row_line(snapshot, snapshot.rows[0], columns(120, 16, WIDE), beside=beside(snapshot))
            assert line_width(line) == 120


class TestTheFilter:
    def names(self, text: str, snapshot: RunSnapshot | None = None) -> list[str]:
        given = snapshot or running_mix()
        return [given.rows[index].name for index in matches(given.rows, Filter(text), problems=False)]

    def test_errors_are_looked_through(self) -> None:
        assert self.names("error:smtp") == ["notify_ops"]
        assert self.names("error:duplicate") == ["join_orders", "load_orders"][1:]

    def test_keys_are_read_in_any_case(self) -> None:
        assert self.names("STATE:failed") == self.names("state:FAILED") == ["load_orders", "notify_ops"]

    def test_nodes_are_parts_of_paths(self) -> None:
        snapshot = snapshot_of({"ingest/page/a": (), "ingest/b": (), "ingest": ()}, {})
        assert self.names("node:ingest", snapshot) == ["ingest/page/a", "ingest/b"]
        assert self.names("node:page", snapshot) == ["ingest/page/a"]

    def test_a_policy_that_there_is_not_is_told(self) -> None:
        assert "there are no, on-failure, always" in Filter("policy:sometimes").error

    def test_a_key_that_is_misspelt_is_told_when_nothing_is_found(self) -> None:
        assert "did you mean 'state'" in Filter("sate:failed").hint
        assert "no filter is called load: there are state, " in Filter("load:x").hint

    async def test_the_hint_is_shown(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("slash", *"sate:failed")
            assert "did you mean 'state'?" in seen.text

    def test_a_hundred_thousand_rows_pass_a_filter(self) -> None:
        assert len(self.names("state:failed load_ !/9$/ ~l0", many(20_000))) > 100
