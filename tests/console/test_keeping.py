"""Tasks that are kept at a desired state: how they are told from others, and the keys that say what is wanted of them."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from console_fakes import FakeEngine, S, running_mix, snapshot_of
from console_nested import with_nodes
from console_pilot import Seen, console
from console_scenes import report_of
from console_services import services
from dagtop.core.commands import (
    CancelRun,
    CancelTask,
    ContinueRun,
    DrainRun,
    ScaleTask,
    SetPolicy,
    StartRun,
    StartTask,
    StopTask,
)
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import NO_RESTART, Restart
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RunState
from dagtop_app.chrome.view_model import row_line, run_line, tally_line, tries_of
from dagtop_app.faces import face_of
from dagtop_app.graph.words import note_of
from dagtop_app.screens import questions
from dagtop_app.steering.edit_model import draft, initial
from dagtop_app.steering.undo import inverse, row_of
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.explain import explain
from dagtop_app.tasks.filters import Filter, matches
from dagtop_app.tasks.inspector import escalation_of, policy_text, title
from dagtop_app.tasks.table_columns import columns, head_line
from dagtop_app.tasks.why import why

pytestmark = pytest.mark.anyio

ALWAYS = Restart(policy="always")


def row(task: str, snapshot: RunSnapshot | None = None) -> TaskRow:
    found = row_of(snapshot or services(), task)
    assert found is not None
    return found


def at_length(task: str) -> str:
    return "\n".join(text for text, _ in explain(services(), row(task)))


def text_of(line: object) -> str:
    return "".join(part for part, _ in line)  # type: ignore[attr-defined]


async def select(seen: Seen, task: str) -> None:
    seen.app.main.select(seen.engine.latest.plan.index[task])
    await seen.settle()


class TestInOneLine:
    @pytest.mark.parametrize(
        ("task", "told"),
        [
            ("api", "up"),
            ("warmup", "not ready yet"),
            ("worker", "restart 3 in 4s (3 crashes) · ConnectionError: queue went away"),
            ("frontend", "needs ● warmup (not ready yet)"),
            ("importer", "5 restarts used up · r starts it · e raises the ceiling · ValueError"),
            ("mart", "upstream importer blocked"),
            ("crasher", "not ready yet · crash loop: 6 crashes so far"),
            ("ticker", "restart 1 now, when a slot is free · it ended well"),
            ("mailer", "stopped by you · d starts it"),
            ("old_api", "removed from the graph"),
        ],
    )
    def test_why_tells_how_a_task_that_is_kept_stands(self, task: str, told: str) -> None:
        assert why(services(), row(task)).text == told

    def test_B31_what_waits_for_an_upstream_that_is_up_does_not_name_it(self) -> None:
        snapshot = services()
        waiting = TaskRow(index=snapshot.plan.index["worker"], name="worker", state=S.WAITING)
        assert "api" not in why(snapshot, waiting).text

    def test_whether_it_is_up_comes_before_what_it_says_of_itself(self) -> None:
        told = msgspec.structs.replace(row("api"), progress=(117, None, "117 answers"))
        assert why(services(), told).text == "up · 117 answers"

    def test_a_retry_of_a_task_that_is_kept_is_not_told_as_a_restart(self) -> None:
        """Both are BACKOFF to the engine; attempts since the last start tell them apart."""

        retried = msgspec.structs.replace(row("worker"), attempt=5)
        assert why(services(), retried).text.startswith("in 4s · ConnectionError")

    def test_removed_and_stopped_have_faces_of_their_own(self) -> None:
        assert face_of(row("old_api")).word == "REMOVED"
        assert face_of(row("mailer")).word == "STOPPED"
        assert [note_of(services(), row(task)) for task in ("api", "old_api", "worker")] == ["up", "gone", "0:04"]

    def test_the_table_names_the_policy_and_counts_every_attempt(self) -> None:
        snapshot, cols = services(), columns(80, 12)
        assert "POLICY" in text_of(head_line(cols, "graph", 80, kept=upkeep.keeps(snapshot)))
        assert "RETRIES" in text_of(head_line(cols, "graph", 80, kept=upkeep.keeps(running_mix())))
        assert "on-fail" in text_of(row_line(snapshot, row("worker"), cols))
        assert "always" in text_of(row_line(snapshot, row("api"), cols))
        assert tries_of(row("crasher")) == "7"
        assert upkeep.policy_short(Restart(max_restarts=3), 15) == "on-fail · ≤3"
        assert upkeep.policy_short(Restart(policy="always"), 15) == "always"
        assert upkeep.policy_short(Restart(policy="no"), 15) == "no"

    def test_the_header_counts_what_is_up_and_not_what_has_ended(self) -> None:
        line = text_of(run_line(services(), "services.py", 100))
        assert (
            "6/12 up" in line
        )  # ticker between two rounds, api, two copies, what gathers them, migrate; without who is down or gone
        assert "up" not in text_of(run_line(running_mix(), "nightly.py", 100)).replace("upload", "")

    def test_the_header_counts_towards_the_end_of_a_graph_of_graphs_whatever_serves_in_it(self) -> None:
        """It said "6/20 up" of a run that comes to an end, and lets go of its services then."""
        rows = {
            "site/api": {"state": S.RUNNING, "attempt": 1, "started_at": 1.0, "serving": True},
            "site": {"state": S.SUCCEEDED},
            "load/a": {"state": S.SUCCEEDED, "attempt": 1},
        }
        tasks = {
            "site/api": (),
            "site": ("site/api",),
            "load/a": ("site",),
            "load/b": ("load/a",),
            "load": ("load/a", "load/b"),
        }
        snapshot = with_nodes(snapshot_of(tasks, rows), ["site", "load"])

        def kept(*names: str) -> RunSnapshot:
            policies = [TaskPolicy(restart=ALWAYS if name in names else NO_RESTART) for name in snapshot.plan.names]
            return msgspec.structs.replace(snapshot, plan=dataclasses.replace(snapshot.plan, policies=policies))

        assert not upkeep.serves(kept("site/api"))
        assert upkeep.serves(kept("site/api", "load/a", "load/b"))
        assert " up " not in text_of(run_line(kept("site/api"), "site.py", 100))

    def test_the_header_tells_removed_from_stopped(self) -> None:
        line = text_of(tally_line(services(), 160))
        assert "■ 1 stopped" in line
        assert "□ 1 removed" in line
        assert "removed" not in text_of(tally_line(running_mix(), 160))

    def test_the_run_is_up_when_all_that_is_wanted_is(self) -> None:
        snapshot = services()
        well = tuple(one for one in snapshot.rows if one.name in {"migrate", "api", "mailer", "old_api"})

        assert upkeep.run_is_up(msgspec.structs.replace(snapshot, rows=well))
        assert not upkeep.run_is_up(snapshot)
        assert not upkeep.run_is_up(running_mix())


class TestTheInspector:
    @pytest.mark.parametrize(
        ("task", "told"),
        [
            ("api", "want UP · is UP · gen 2"),
            ("worker", "want UP · is RETRY · gen 4"),
            ("warmup", "want UP · is NOT READY · gen 1"),
            ("importer", "want UP · is BLOCKED · gen 1"),
            ("mailer", "want DOWN · is STOPPED · gen 1"),
            ("old_api", "want GONE · is REMOVED · gen 1"),
        ],
    )
    def test_says_what_is_wanted_and_what_is(self, task: str, told: str) -> None:
        assert told in text_of(title(services(), row(task))[1])

    def test_a_task_that_is_not_kept_has_no_such_line(self) -> None:
        snapshot = running_mix()
        assert "want" not in text_of(title(snapshot, snapshot.rows[0])[1])

    def test_tells_policy_and_probes_in_words(self) -> None:
        told = policy_text(row("worker"))
        assert told.startswith(
            "started again after a failure · 5 restarts after failures at most · waits 0s, 2s, 4s … 1m"
        )
        told = policy_text(row("api"))
        assert "after every end · as often as it takes" in told
        assert "readiness probe every 5s" in told
        assert "liveness probe every 10s" in told


class TestTheLongAnswer:
    @pytest.mark.parametrize(
        ("task", "parts"),
        [
            ("api", ["api is up, and has been running for 4:02", "liveness probe asks every 10s"]),
            ("warmup", ["is not ready yet: what depends on it waits", "readiness probe has not passed yet"]),
            (
                "worker",
                ["worker failed, and is started again by its policy: restart 3 in 4s", "2 further restarts", "of 5"],
            ),
            ("importer", ["is started no more: restarted 5 times", "bad header", "higher max_restarts"]),
            (
                "crasher",
                ["6 restarts since it was healthy, 6 of them after a failure", "says ctx.ready(), passes a probe"],
            ),
            ("ticker", ["ticker came to its end, and is started again by its policy"]),
            ("mailer", ["is to be down: stopped by console", "d starts it"]),
            ("old_api", ["was removed from the graph", "names it again"]),
            ("frontend", ["frontend needs 1 task", "warmup", "not ready yet"]),
        ],
    )
    def test_w_tells_what_moves_it_and_the_way_out(self, task: str, parts: list[str]) -> None:
        told = at_length(task)
        assert [part for part in parts if part not in told] == []

    def test_a_crash_loop_tells_its_cause_while_it_still_goes_on(self) -> None:
        report = report_of("crasher", summary="Crash loop: 5 restarts in 12 s.", options=("raise max_restarts",))
        snapshot = services(escalations=(report,), escalation_count=1)
        told = "\n".join(text for text, _ in explain(snapshot, row("crasher")))
        assert "Crash loop: 5 restarts in 12 s." in told
        assert "→ raise max_restarts" in told
        assert escalation_of(snapshot, row("crasher")) is report
        healthy = msgspec.structs.replace(row("crasher"), started_at=100.0)
        assert escalation_of(snapshot, healthy) is None
        assert "crash loop" not in why(snapshot, healthy).text

    async def test_it_opens_by_its_key(self) -> None:
        async with console(FakeEngine(services()), (100, 30)) as seen:
            await select(seen, "worker")
            await seen.press("w")
            assert "started again by its policy" in seen.text


class TestDownAndUp:
    async def test_d_asks_before_it_stops_a_task_and_u_starts_it_again(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await select(seen, "api")
            await seen.press("d")
            assert "Have api stay down?" in seen.text
            assert engine.sent == []
            await seen.press("y")
            assert engine.sent == [StopTask("api")]
            engine.apply("api is told to stop")
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == StartTask("api")

    async def test_d_may_be_given_a_reason(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await select(seen, "api")
            await seen.press("d", "w", "n", "o", "enter")
            assert engine.sent == [StopTask("api", "no")]

    async def test_d_starts_what_a_person_stopped_and_what_is_blocked(self) -> None:
        engine = FakeEngine(services())
        async with console(engine) as seen:
            await select(seen, "mailer")
            await seen.press("d")
            await select(seen, "importer")
            await seen.press("d")
            assert engine.sent == [StartTask("mailer"), StartTask("importer")]

    async def test_d_on_a_task_that_was_removed_says_so(self) -> None:
        engine = FakeEngine(services())
        async with console(engine) as seen:
            await select(seen, "old_api")
            await seen.press("d")
            assert engine.sent == []
            assert "old_api was removed from the graph" in seen.text

    async def test_cancel_says_that_the_task_stays_down_and_is_undone_by_a_start(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await select(seen, "api")
            await seen.press("x")
            assert "down until it is started" in seen.text
            await seen.press("y")
            assert engine.sent == [CancelTask("api")]
            assert inverse(services(), CancelTask("api")) == StartTask("api")
            assert inverse(running_mix(), CancelTask(running_mix().rows[0].name)) is None

    async def test_K_stops_all_and_when_all_is_stopped_starts_it(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await seen.press("K", "y")
            assert engine.sent == [CancelRun()]
            rows = tuple(
                TaskRow(index=one.index, name=one.name, state=S.CANCELLED, policy=one.policy)
                for one in engine.latest.rows
            )
            engine.show(rows=rows, state=RunState.CANCELLED)
            await seen.press("escape")
            assert "everything is stopped · K starts it again" in seen.text
            await seen.press("K")
            assert engine.sent[-1] == StartRun()

    def test_to_drain_services_is_to_stop_them_when_all_else_has_ended(self) -> None:
        """They never end by themselves: it went on for ever."""
        alone = services()
        assert [choice.label.partition(" ")[0] for choice in questions.quit_choices(alone)] == [
            "Cancel",
            "Leave",
            "Stay",
        ]
        rows = [msgspec.structs.replace(one, policy=TaskPolicy()) if one.name == "api" else one for one in alone.rows]
        first = questions.quit_choices(msgspec.structs.replace(alone, rows=tuple(rows)))[0].label
        assert first == "Drain: start nothing new, leave when the one ends, and stop 4 services, with code 1"

    async def test_D_on_services_asks_first_and_can_be_undone_while_it_goes_on(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await seen.press("D")
            assert "services are stopped" in seen.text
            assert engine.sent == []
            await seen.press("y")
            assert engine.sent == [DrainRun()]
            engine.apply()
            engine.show(state=RunState.DRAINING)
            await seen.settle()
            assert "Z goes on · K stops all" in seen.text
            await seen.press("u")
            assert engine.sent[-1] == ContinueRun()
            await seen.press("Z")
            assert engine.sent[-1] == ContinueRun()


class TestPolicies:
    @pytest.mark.parametrize(("key", "policy"), [("1", "no"), ("2", "on-failure")])
    async def test_P_chooses_and_u_takes_it_back(self, key: str, policy: str) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await select(seen, "api")
            await seen.press("P")
            assert "When is api started again?" in seen.text
            assert "after every end, a good one too · now" in seen.text
            await seen.press(key)
            assert engine.sent == [SetPolicy("api", restart=policy)]
            engine.apply()
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == SetPolicy("api", restart="always")

    async def test_P_begins_at_the_policy_of_now(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await select(seen, "worker")
            await seen.press("P", "enter")
            assert engine.sent == []
            await seen.press("P", "down", "enter")
            assert engine.sent == [SetPolicy("worker", restart="always")]
            await select(seen, "api")
            await seen.press("P", "3")
            await seen.press("P", "escape")
            assert len(engine.sent) == 1
            assert "nothing was changed" in seen.text


class TestCopies:
    async def test_C_asks_how_many_and_tells_which_come_or_go(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await select(seen, "copies[1]")
            await seen.press("C")
            assert "Copies of copies" in seen.text
            field = seen.app.screen.inputs["replicas"]
            for text, told in {
                "4": "copies[2] to [3] are started", "1": "copies[1] is stopped", "2": "as it is now", "x": "a whole number",
                "5000": "up to 1,000",
            }.items():  # fmt: skip
                field.value = text
                await seen.pilot.pause()
                assert told in seen.text
            field.value = "4"
            await seen.press("enter")
            assert engine.sent == [ScaleTask("copies", 4)]
            assert inverse(services(), ScaleTask("copies", 4)) == ScaleTask("copies", 2)

    def test_the_last_replica_may_go_and_come_back(self) -> None:
        rows = [msgspec.structs.replace(it, gone=it.gone or it.name.startswith("copies[")) for it in services().rows]
        none_left = msgspec.structs.replace(services(), rows=tuple(rows))
        assert upkeep.replicas_of(none_left, "copies") == 0
        assert upkeep.replicas_of(none_left, "api") is None
        assert inverse(none_left, ScaleTask("copies", 2)) == ScaleTask("copies", 0)

    async def test_C_on_a_task_without_replicas_says_how_it_gets_them(self) -> None:
        engine = FakeEngine(services())
        async with console(engine, (100, 30)) as seen:
            await select(seen, "api")
            await seen.press("C")
            assert "api has no replicas; it is declared with replicas=N" in seen.text


class TestEditing:
    async def test_the_fields_of_restarts_come_first_and_are_checked_as_they_are_typed(self) -> None:
        engine = FakeEngine(services())
        async with console(engine) as seen:
            await select(seen, "worker")
            await seen.press("e")
            fields = seen.app.screen.inputs
            assert [*fields][:6] == [
                "restart", "max_restarts", "restart_backoff", "restart_cap", "restart_jitter", "reset_after",
            ]  # fmt: skip
            for name, wrong, told in (
                ("restart", "sometimes", "no, on-failure or always"),
                ("max_restarts", "-3", "0 or more"),
                ("restart_backoff", "soon", "a number of seconds"),
                ("restart_jitter", "2", "from 0 to 1"),
            ):
                right, fields[name].value = fields[name].value, wrong
                await seen.pilot.pause()
                assert told in seen.text
                fields[name].value = right
            fields["max_restarts"].value = "9"
            fields["restart_cap"].value = "30"
            await seen.pilot.pause()
            assert "on-fail: 9 restarts at most, after 0s, 2s, 4s" in seen.text
            await seen.press("enter")
            assert engine.sent == [SetPolicy("worker", max_restarts=9, restart_cap=30.0)]
            engine.apply()
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == SetPolicy("worker", max_restarts=5, restart_cap=60.0)

    def test_a_ceiling_that_is_taken_away_is_the_usual_one_again(self) -> None:
        kept = row("worker").policy

        kept = dataclasses.replace(kept, restart=dataclasses.replace(kept.restart, max_restarts=3))
        assert draft("worker", kept, initial(kept) | {"max_restarts": ""}).result == SetPolicy("worker", max_restarts=5)

    def test_a_task_that_is_not_kept_may_be_from_now_on(self) -> None:
        policy = row("migrate").policy
        assert draft("migrate", policy, {"restart": "on"}).result == SetPolicy("migrate", restart="on-failure")
        assert draft("migrate", policy, {"restart": "on failure"}).result == SetPolicy("migrate", restart="on-failure")


@pytest.mark.parametrize(
    ("wanted", "tasks"),
    [
        ("state:up", ["api", "copies[0]", "copies[1]"]),
        ("state:down", ["mailer"]),
        ("state:notready", ["warmup", "crasher"]),
        ("state:removed", ["old_api"]),
        ("policy:on-failure", ["worker", "importer", "mart", "copies"]),
        ("policy:no", ["migrate"]),
        ("state:blocked", ["importer"]),
    ],
)
def test_filters_know_how_tasks_are_kept(wanted: str, tasks: list[str]) -> None:
    snapshot = services()
    found = matches(snapshot.rows, Filter(wanted), problems=False)
    assert [snapshot.rows[index].name for index in found] == tasks


async def test_the_footer_and_the_palette_offer_the_keys() -> None:
    async with console(FakeEngine(services()), (132, 40)) as seen:
        await select(seen, "api")
        assert "d Down/up" in seen.lines[-1]
        assert "P Policy" in seen.lines[-1]
        await seen.press("ctrl+p")
        await seen.press(*"copies")
        await seen.app.workers.wait_for_complete()
        await seen.pilot.pause()
        assert "Copies" in seen.text
