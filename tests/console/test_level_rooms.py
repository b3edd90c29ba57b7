"""What is in each node, and what a command for one comes to: the pure rooms."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace as with_fields
from typing import Any

import pytest
from console_fakes import S, counts_of, running_mix, snapshot_of
from console_nested import NESTED, in_nodes, nested, with_nodes
from dagtop.core import commands as do
from dagtop.core.blast import blast_radius
from dagtop.core.restart import Restart
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import FINAL, RunState, TaskState
from dagtop_app.graph.level_parts import part_of
from dagtop_app.levels import texts as level_texts
from dagtop_app.levels.model import Levels
from dagtop_app.lines import Line, line_width
from dagtop_app.steering.node_commands import orders, radius_of
from dagtop_app.tasks.table_columns import columns
from msgspec.structs import replace


def taken(snapshot: RunSnapshot) -> Levels:
    levels = Levels()
    levels.take(snapshot)
    return levels


def named(snapshot: RunSnapshot, indices: Any) -> list[str]:
    return [str(snapshot.plan.names[index]) for index in indices]


def tasks_of(commands: Sequence[do.Command]) -> list[str]:
    return [getattr(one, "task", "") for one in commands]


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def changed(snapshot: RunSnapshot, **rows: dict[str, Any]) -> RunSnapshot:
    new = list(snapshot.rows)
    for name, fields in rows.items():
        index = snapshot.plan.index[name.replace("__", "/")]
        new[index] = replace(new[index], **fields)
    return replace(snapshot, rows=tuple(new), counts=counts_of(new), version=snapshot.version + 1)


class TestLevels:
    def test_a_graph_without_nodes_stays_the_very_same_snapshot(self) -> None:
        levels, mix = Levels(), running_mix()
        assert levels.take(mix) is mix
        assert not levels.there

    def test_a_level_has_its_tasks_and_the_nodes_in_it(self) -> None:
        scene = nested()
        levels = taken(scene)
        assert named(scene, levels.children("")) == ["ingest", "exports", "report", "publish"]
        assert named(scene, levels.children("ingest")) == ["ingest/raw", "ingest/clean"]
        assert named(scene, levels.children("ingest/raw")) == ["ingest/raw/page_a", "ingest/raw/page_b"]
        assert named(scene, levels.tree()) == ["ingest", "ingest/raw", "ingest/clean", "exports", "report", "publish"]
        assert levels.crumbs("ingest/raw") == ["ingest", "raw"]

    def test_the_states_in_a_node_are_rolled_up_at_every_level(self) -> None:
        scene = nested()
        levels = taken(scene)
        ingest = levels.rolled(scene.plan.index["ingest"])
        assert (ingest.state, ingest.done, ingest.total, ingest.begun) == (S.RUNNING, 1, 4, 1.0)
        exports = levels.rolled(scene.plan.index["exports"])
        assert exports.state is S.FAILED
        assert named(scene, exports.failed) == ["exports/orders"]
        assert named(scene, exports.active) == ["exports/slow"]
        assert exports.goes_on
        assert level_texts.stacked(exports.faces) == [
            [("✔ 1", "ok")],
            [("● 1", "run")],
            [("✖ 1", "fail")],
            [("⊘ 1", "skip")],
        ]

    def test_a_node_whose_tasks_have_ended_is_as_the_engine_says(self) -> None:
        done = {"state": S.SUCCEEDED, "started_at": 1.0, "ended_at": 9.0}
        scene = nested({"exports/orders": {"state": S.CANCELLED, "ended_at": 8.0}, "exports/slow": done, "exports/mail": done,
                        "exports": {"state": S.CANCELLED, "ended_at": 9.0}})  # fmt: skip
        levels = taken(scene)
        rolled = levels.rolled(scene.plan.index["exports"])
        assert (rolled.state, rolled.begun, rolled.ended) == (S.CANCELLED, 1.0, 9.0)

    def test_the_header_counts_tasks_and_no_nodes(self) -> None:
        levels = Levels()
        shown = levels.take(nested())
        assert sum(shown.counts.values()) == len(shown.rows) - len(shown.plan.nodes)

    def test_a_row_of_a_node_is_the_same_object_until_something_in_it_changes(self) -> None:
        levels, scene = Levels(), nested()
        first = levels.take(scene)
        later = levels.take(replace(scene, at=scene.at + 1))
        assert later.rows is first.rows
        now = levels.take(changed(scene, report__total={"state": S.RUNNING, "started_at": 9.0}))
        plan = scene.plan.index
        assert now.rows[plan["exports"]] is first.rows[plan["exports"]]
        assert now.rows[plan["report"]].state is S.RUNNING

    @pytest.mark.parametrize("seed", range(6))
    def test_books_kept_up_row_by_row_are_those_of_a_fresh_look(self, seed: int) -> None:
        dice, scene, levels = random.Random(seed), nested(), Levels()
        levels.take(scene)
        names = [*NESTED]
        for step in range(60):
            rows = {}
            for name in dice.sample(names, 3):
                state = dice.choice([*TaskState])
                ended = float(step + 10) if state in FINAL else None
                rows[name.replace("/", "__")] = {
                    "state": state,
                    "started_at": 5.0,
                    "ended_at": ended,
                    "serving": dice.random() < 0.3,
                }
            if dice.random() < 0.3:  # the graph grows
                names = [*names, f"exports/more_{step}"]
                grown = with_nodes(
                    snapshot_of({name: NESTED.get(name, ()) for name in names}, {}), named(scene, scene.plan.nodes)
                )
                scene = replace(grown, rows=(*scene.rows, grown.rows[-1]))
            scene = changed(scene, **rows)
            shown, fresh = levels.take(scene), Levels()
            again = fresh.take(scene)
            for index in scene.plan.nodes:
                mine, anew = levels.rolled(index), fresh.rolled(index)
                assert mine.faces == anew.faces
                assert (mine.state, mine.total, mine.done) == (anew.state, anew.total, anew.done)
                assert set(mine.failed) == set(anew.failed)
                assert set(mine.active) == set(anew.active)
                assert mine.serving == anew.serving
                assert shown.rows[index].state is again.rows[index].state
            assert shown.counts == again.counts
            assert levels.children("exports") == fresh.children("exports")

    def test_what_stands_before_and_after_a_node_is_told_by_nodes(self) -> None:
        scene = nested()
        levels, index = taken(scene), scene.plan.index
        assert named(scene, levels.needs(index["publish"])) == ["exports", "report"]
        assert named(scene, levels.needs(index["ingest/clean"])) == ["ingest/raw"]
        assert named(scene, levels.feeds(index["ingest"])) == ["report"]
        assert level_texts.waits_for(levels, index["publish"]) == "waits for exports, report"

    def test_the_graph_of_a_level_has_an_edge_where_something_inside_depends_on_something_inside(self) -> None:
        scene = nested()
        plan = scene.plan
        for path, edges in (
            ("", {("ingest", "report"), ("report", "publish"), ("exports", "publish")}),
            ("ingest", {("ingest/raw", "ingest/clean")}),
            ("exports", {("exports/orders", "exports/mail")}),
        ):
            part = part_of(plan, path)
            assert {(plan.names[a], plan.names[b]) for a, b in part.edges} == edges
            assert list(part.members) == list(taken(scene).children(path))

    def test_a_slash_in_the_name_of_a_task_makes_no_level(self) -> None:
        scene = with_nodes(snapshot_of({"a/x/y": (), "a": ("a/x/y",)}, {}), ["a"])
        levels = taken(scene)
        assert named(scene, levels.children("a")) == ["a/x/y"]
        assert list(part_of(scene.plan, "a").members) == [0]

    def test_of_a_level_that_has_gone_the_nearest_one_is_left(self) -> None:
        levels = taken(nested())
        assert levels.nearest("ingest/raw") == "ingest/raw"
        assert levels.nearest("ingest/gone/deeper") == "ingest"
        assert levels.nearest("gone") == ""

    def test_limits_of_a_level_are_those_that_its_path_names(self) -> None:
        scene = nested()
        assert [said for said, _ in level_texts.limits_of(scene, "ingest")] == ["at most 2 at once, 1 busy"]
        assert [said for said, _ in level_texts.limits_of(scene, "exports")] == ["pool db 1/4"]

    @pytest.mark.parametrize("cells", [60, 80, 132, 200])
    def test_lines_of_nodes_are_as_wide_as_the_table(self, cells: int) -> None:
        scene = nested()
        levels = taken(scene)
        cols = columns(cells, 30)
        for index in levels.tree():
            for indent in (0, 1, 3):
                line = level_texts.node_line(
                    levels, levels.snapshot.rows[index], cols, "a name", indent=indent, cursor=True
                )
                assert line_width(line) == cells

    def test_the_inspector_of_a_node_says_what_failed_and_what_it_waits_for(self) -> None:
        scene = nested()
        levels, rows = taken(scene), taken(scene).snapshot.rows
        exports = "\n".join(text(line) for line in level_texts.full(levels, rows[scene.plan.index["exports"]], (), 60))
        assert "orders  IntegrityError: duplicate key 881" in exports
        assert "pool db 1/4" in exports
        publish = "\n".join(text(line) for line in level_texts.full(levels, rows[scene.plan.index["publish"]], (), 60))
        assert "waits for exports, report" in publish
        told = "\n".join(text(line) for line in level_texts.explained(levels, rows[scene.plan.index["exports"]], 60))
        assert "Failed in it: orders." in told

    def test_services_that_do_what_they_are_there_for_are_told_as_up(self) -> None:
        up = {"state": S.RUNNING, "started_at": 1.0, "serving": True}
        scene = nested({"report/total": up, "report/chart": up})
        levels = taken(scene)
        row = levels.snapshot.rows[scene.plan.index["report"]]
        line = text(level_texts.node_line(levels, row, columns(80, 16), "report"))
        assert "RUNNING  up " in line
        assert line.rstrip().endswith("● 2  2 up")
        assert text(tuple(level_texts.title(levels, row)[1])) == "● RUNNING · 0/2 done · 2 up"

    @pytest.mark.parametrize(
        ("cells", "seen"),
        [(30, "ingest/clean/dedupe"), (16, "…/clean/dedupe"), (10, "…/dedupe"), (3, "…/dedupe"), (0, "…/dedupe")],
    )
    def test_of_a_path_that_is_too_long_the_end_is_shown(self, cells: int, seen: str) -> None:
        assert level_texts.end_of("ingest/clean/dedupe", cells) == seen


class TestCommandsForANode:
    def test_a_command_for_a_task_is_none_for_a_node(self) -> None:
        assert orders(nested(), do.CancelTask(task="exports/slow")) is None
        assert orders(running_mix(), do.CancelTask(task="vacuum")) is None
        assert orders(nested(), do.MarkSucceeded("exports")) is None

    def test_cancelling_a_node_stops_what_runs_and_tells_what_after_it_is_skipped(self) -> None:
        made = orders(nested(), do.CancelTask(task="ingest", reason="late"))
        assert made is not None
        assert set(tasks_of(made.commands)) == {"ingest/raw/page_b", "ingest/clean/dedupe", "ingest/clean/join"}
        assert {getattr(one, "reason", "") for one in made.commands} == {"late"}
        assert made.radius.stops == ("ingest/raw/page_b",)
        assert made.radius.never_runs == (
            "ingest/clean/dedupe", "ingest/clean/join", "report/total", "report/chart", "publish/upload",
        )  # fmt: skip

    def test_a_restart_goes_to_what_has_run_and_one_with_downstream_to_the_first_ones(self) -> None:
        alone = orders(nested(), do.RestartTask(task="exports"))
        assert alone is not None
        assert alone.radius.runs_again == ("exports/good", "exports/orders", "exports/mail")
        assert alone.radius.stops == ("exports/slow",)
        assert len(alone.commands) == 4
        below = orders(nested(), do.RestartTask(task="exports", downstream=True))
        assert below is not None
        assert tasks_of(below.commands) == ["exports/good", "exports/orders", "exports/slow"]
        assert below.radius.runs_again == alone.radius.runs_again

    def test_what_makes_no_sense_for_any_task_is_refused_with_a_reason(self) -> None:
        scene = nested()
        assert "nothing in it has run yet" in radius_of(scene, do.RestartTask(task="publish")).refusal
        assert "nothing in it is held" in radius_of(scene, do.ReleaseTask(task="ingest")).refusal
        assert (
            "the run is over" in radius_of(replace(scene, state=RunState.FAILED), do.CancelTask(task="exports")).refusal
        )

    def test_holding_a_node_holds_what_has_not_started(self) -> None:
        made = orders(nested(), do.HoldTask(task="ingest"))
        assert made is not None
        assert tasks_of(made.commands) == ["ingest/clean/dedupe", "ingest/clean/join"]

    def test_a_policy_for_a_node_is_told_once(self) -> None:
        radius = radius_of(nested(), do.SetPolicy("exports", restart="always"))
        assert radius.summary == "4 tasks restart = always"

    @pytest.mark.parametrize("seed", range(8))
    def test_no_command_is_given_that_would_be_refused_by_itself(self, seed: int) -> None:
        dice = random.Random(seed)
        base = nested()
        rows = tuple(
            replace(row, state=dice.choice([*TaskState]), held=dice.random() < 0.2, wanted=dice.random() < 0.9)
            for row in base.rows
        )
        scene = replace(base, rows=rows, counts=counts_of(rows))
        for node in ("ingest", "exports", "report", "ingest/raw"):
            for kind in (do.CancelTask, do.SkipTask, do.HoldTask, do.ReleaseTask):
                made = orders(scene, kind(task=node))
                assert made is not None
                assert bool(made.radius.refusal) is not bool(made.commands)
                for one in made.commands:
                    assert not blast_radius(scene, one).refusal, one

    def test_a_node_of_ten_thousand_is_asked_about_at_once(self) -> None:
        scene = in_nodes(10_000, 10_000)
        made = orders(scene, do.RestartTask(task="node_000", downstream=True))
        assert made is not None
        assert len(made.radius.runs_again) == 4000
        assert len(made.radius.stops) == 2000

    def test_supervised_tasks_stay_down_and_it_is_said(self) -> None:
        scene = nested()
        rows = tuple(
            replace(row, policy=with_fields(row.policy, restart=Restart(policy="always"))) for row in scene.rows
        )
        scene = replace(scene, rows=rows)
        assert radius_of(scene, do.CancelTask("exports")).summary.endswith("services stay down until started")
        radius = radius_of(scene, do.StopTask("exports"))
        made = orders(scene, do.StopTask("exports"))
        assert made is not None
        assert len(made.commands) == 4  # those that have ended too, or they might be started again
        assert radius.summary.endswith("all stay down until started")
