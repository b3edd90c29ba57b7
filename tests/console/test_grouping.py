"""Tasks of one name and a number as one row of the table: what it tells, going into it, keys on all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from console_fakes import FakeEngine, S, counts_of, fail, many, plan_of, snapshot_of
from console_pilot import console
from dagtop.core.commands import CancelTask, RestartTask
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop_app.console import ConsoleApp
from dagtop_app.lines import line_width
from dagtop_app.tasks.grouping import Folding, Grouping
from dagtop_app.tasks.grouping_texts import figures, rolled_up
from dagtop_app.tasks.roster import Roster

pytestmark = pytest.mark.anyio

BAD = (3, 17)


def mapped(count: int = 40, *, prefix: str = "load") -> RunSnapshot:
    """A map in the middle: two elements failed, the last ones wait, a few run."""
    edges: dict[str, tuple[str, ...]] = {"split": ()}
    edges |= {f"{prefix}[{n}]": ("split",) for n in range(count)}
    edges |= {"join": tuple(f"{prefix}[{n}]" for n in range(count)), "mail": ("join",)}
    rows: dict[str, Mapping[str, Any]] = {
        "split": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 1.0}
    }
    dup = fail("IntegrityError", "duplicate key 881", "nightly.py:131 in load")
    for n in range(count):
        begun = {"attempt": 1, "started_at": 10.0 + n}
        state: dict[str, Any] = {"state": S.SUCCEEDED, **begun, "ended_at": 20.0 + n}
        if n in BAD:
            state = {"state": S.FAILED, **begun, "ended_at": 12.0 + n, "failure": dup}
        elif n >= count - 4:
            state = {"state": S.READY, "ready_at": 5.0}
        elif n >= count - 9:
            state = {"state": S.RUNNING, **begun}
        rows[f"{prefix}[{n}]"] = state
    return snapshot_of(edges, rows)


def grown(before: RunSnapshot, count: int) -> RunSnapshot:
    """The same with more elements."""
    names = [*before.plan.names, *(f"load[{n}]" for n in range(40, 40 + count))]
    rows = (
        *before.rows,
        *(TaskRow(index=i, name=names[i], state=S.READY) for i in range(len(before.rows), len(names))),
    )
    plan = plan_of(dict.fromkeys(names, ()))
    return msgspec.structs.replace(before, plan=plan, rows=rows, counts=counts_of(rows), version=before.version + 1)


class TestTheModel:
    def names(self, roster: Roster) -> list[str]:
        return [roster.snapshot.plan.names[index] for index in roster.order]

    def test_large_maps_are_one_row_where_their_worst_element_belongs(self) -> None:
        roster = Roster()
        roster.show(mapped(), 0.0)
        assert self.names(roster) == ["load[0]", "join", "mail", "split"]
        assert len(roster.grouping.packs[roster.order[0]].members) == 40

    def test_small_ones_and_numbered_names_are_not_folded_by_themselves(self) -> None:
        roster = Roster()
        roster.show(mapped(11), 0.0)
        assert len(roster.order) == 14
        roster.show(many(50), 0.0)
        assert len(roster.order) == 50
        assert roster.grouping.turn() is Folding.ALL
        roster.rebuild()
        assert len(roster.order) == 1
        assert roster.grouping.turn() is Folding.NONE
        roster.rebuild()
        assert len(roster.order) == 50

    def test_a_filter_and_problems_look_into_groups(self) -> None:
        from dagtop_app.tasks.filters import Filter

        roster = Roster()
        roster.show(mapped(), 0.0)
        roster.look_for(Filter("load[1"), problems=False)
        assert len(roster.order) == 11
        roster.look_for(Filter(""), problems=True)
        assert self.names(roster) == ["load[3]", "load[17]"]
        roster.look_for(Filter(""), problems=False)
        assert len(roster.order) == 4

    def test_a_task_that_is_gone_to_opens_its_group_and_another_one_closes_it(self) -> None:
        roster = Roster()
        snapshot = mapped()
        roster.show(snapshot, 0.0)
        assert roster.select(snapshot.plan.index["load[17]"])
        assert roster.grouping.opened == "load[*]"
        assert len(roster.order) == 40
        assert roster.row is not None
        assert roster.row.name == "load[17]"
        assert roster.select(snapshot.plan.index["mail"])
        assert roster.grouping.opened == ""
        assert len(roster.order) == 4

    def test_problems_are_found_in_folded_groups(self) -> None:
        roster = Roster()
        roster.show(mapped(), 0.0)
        assert roster.find(lambda row: row.state is S.FAILED, 1)
        assert roster.row is not None
        assert roster.row.name == "load[3]"

    def test_a_map_that_grows_stays_one_row(self) -> None:
        roster = Roster()
        before = mapped()
        roster.show(before, 0.0)
        roster.touch(0.0)
        roster.show(grown(before, 500), 0.1)
        assert len(roster.order) == 4
        assert len(roster.grouping.packs[roster.order[0]].members) == 540
        roster.show(grown(before, 600), 100.0)
        assert len(roster.grouping.packs[roster.order[0]].members) == 640

    def test_another_graph_has_groups_of_its_own(self) -> None:
        grouping = Grouping()
        grouping.take(mapped().plan)
        grouping.take(mapped(30, prefix="page").plan)
        grouping.fold(range(33))
        assert {pack.key for pack in grouping.packs.values()} == {"page[*]"}

    def test_the_order_of_every_sort_holds_with_groups(self) -> None:
        from dagtop_app.tasks.row_orders import SORTS

        for sort in SORTS:
            roster = Roster()
            roster.sort = sort
            roster.show(mapped(), 0.0)
            assert len(roster.order) == (43 if sort == "lanes" else 4), sort

    def test_what_a_group_comes_to(self) -> None:
        roster = Roster()
        snapshot = mapped()
        roster.show(snapshot, 0.0)
        rolled = rolled_up(snapshot, roster.grouping.packs[roster.order[0]])
        assert (rolled.total, rolled.done) == (40, 31)
        assert rolled.worst.name == "load[3]"
        assert "".join(text for text, _ in figures(rolled.counts)) == "✔29 ●5 ◌4 ✖2"

    def test_a_hundred_thousand_are_one_row(self) -> None:
        roster = Roster()
        roster.show(mapped(100_000), 0.0)
        assert len(roster.order) == 4


class TestKeys:
    async def test_the_row_tells_what_its_tasks_come_to(self) -> None:
        async with console(FakeEngine(mapped())) as seen:
            (line,) = [
                line
                for line in seen.lines
                if line.startswith(("▌", " ")) and "load[0..39] ▸" in line and "FAILED" in line
            ]
            assert "✔29 ●5 ◌4 ✖2" in line
            assert "77%" in line
            assert "Tasks 43 · 1 group" in seen.text
            assert "load[3]" in seen.text  # in the inspector

    async def test_enter_goes_in_and_escape_and_backspace_out(self) -> None:
        async with console(FakeEngine(mapped())) as seen:
            await seen.press("home", "enter")
            assert "Tasks load[0..39] · 40 tasks" in seen.text
            assert seen.selected == "load[3]"
            await seen.press("escape")
            assert "Tasks 43 · 1 group" in seen.text
            assert seen.selected == "load[0]"
            await seen.press("enter", "backspace")
            assert "1 group" in seen.text

    async def test_keys_act_on_all_of_it_with_one_question(self) -> None:
        engine = FakeEngine(mapped())
        async with console(engine) as seen:
            await seen.press("home", "x")
            assert "Cancel 40 tasks?" in seen.text
            await seen.press("y")
            assert len(engine.sent) == 9
            assert all(isinstance(command, CancelTask) for command in engine.sent)

    async def test_in_the_group_and_in_other_views_keys_act_on_one_task(self) -> None:
        engine = FakeEngine(mapped())
        async with console(engine) as seen:
            await seen.press("home", "enter", "r")
            assert engine.sent == [RestartTask("load[3]")]

    async def test_space_marks_all_of_it(self) -> None:
        async with console(FakeEngine(mapped())) as seen:
            await seen.press("home", "space")
            assert "40 selected" in seen.text
            await seen.press("k", "space")
            assert "selected ──" not in seen.text

    async def test_n_goes_to_the_problem_in_it(self) -> None:
        async with console(FakeEngine(mapped())) as seen:
            await seen.press("n")
            assert seen.selected == "load[3]"
            assert "Tasks load[0..39]" in seen.text
            await seen.press("n")
            assert seen.selected == "load[17]"

    async def test_o_shows_every_task(self) -> None:
        async with console(FakeEngine(mapped())) as seen:
            await seen.press("o")
            assert "Tasks 43 " in seen.text
            assert "group" not in next(line for line in seen.lines if "── Tasks" in line)
            await seen.press("o")
            assert "1 group" in seen.text

    async def test_the_cursor_stays_on_the_group_while_its_tasks_change(self) -> None:
        engine = FakeEngine(mapped())
        async with console(engine) as seen:
            await seen.press("home")
            seen.clock.now += 10
            engine.change("mail", state=S.FAILED, failure=fail("E", "x"))
            await seen.settle()
            engine.change("load[30]", state=S.SUCCEEDED, ended_at=50.0)
            await seen.settle()
            assert seen.app.main.roster.pack is not None
            assert "✔29 ●5" in seen.text or "✔30 ●4" in seen.text

    async def test_hostile_names_are_grouped_safely(self) -> None:
        for text in ("\x1b[31m", "漢字", "[b +", "\u202e"):
            async with console(FakeEngine(mapped(20, prefix=text))) as seen:
                assert all(line_width([(line, "")]) == 80 for line in seen.lines)
                await seen.press("home", "enter", "escape")
                assert seen.app.is_running


SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_pictures(snap_compare: Any, size: tuple[int, int]) -> None:
    app = ConsoleApp(FakeEngine(mapped(10_000)), title="nightly.py", now=lambda: 0.0)
    assert snap_compare(app, press=["home"], terminal_size=size)


async def test_a_map_inside_a_node_is_one_row_of_its_level() -> None:
    from console_nested import with_nodes

    names = [f"ingest/load[{n}]" for n in range(20)]
    failed = {"state": S.FAILED, "attempt": 1, "started_at": 1.0, "ended_at": 2.0}
    edges: dict[str, tuple[str, ...]] = {**dict.fromkeys(names, ()), "ingest": tuple(names)}
    engine = FakeEngine(with_nodes(snapshot_of(edges, {names[3]: failed}), ["ingest"]))
    async with console(engine) as seen:
        main = seen.app.main
        (node,) = [index for index in main.roster.order if main.roster.levels.is_node(index)]
        main.select(node)
        await seen.press("enter")
        assert any("load[0..19] ▸" in line and "ingest/" not in line for line in seen.lines)
        await seen.press("home", "enter")
        assert seen.selected == "ingest/load[3]"
        await seen.press("escape")
        assert any("load[0..19] ▸" in line for line in seen.lines)
        await seen.press("escape")
        assert main.roster.level == ""


async def test_in_the_events_space_marks_the_task_and_not_its_group() -> None:
    from dagtop.core.events import TaskSucceeded

    engine = FakeEngine(mapped())
    engine.story.record(1, [TaskSucceeded(20.0, "load[0]", 1)])
    async with console(engine) as seen:
        await seen.press("7", "home", "space")
        assert seen.app.main.roster.marks.names == {"load[0]"}
