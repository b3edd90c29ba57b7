"""Why a task is not running, and what would let it: pools, resources, rates, breakers, gates, caches, conditions."""

from __future__ import annotations

import pytest
from console_fakes import S, snapshot_of
from console_scenes import report_of, steered
from dagtop.core.breakers import BreakerView, Moved
from dagtop.core.events import GateWaiting
from dagtop.core.guards import Breaker, BreakerState, Gate, Ruling
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.snapshot import Blocked, RunSnapshot
from dagtop_app.chrome.view_model import run_line, tally_line, tiny_lines
from dagtop_app.lines import line_width
from dagtop_app.steering.undo import row_of
from dagtop_app.tasks import inspector as inspector_model
from dagtop_app.tasks.explain import explain
from dagtop_app.tasks.why import needs, why

HALF = BreakerState.HALF_OPEN


def told(snapshot: RunSnapshot, task: str) -> str:
    row = row_of(snapshot, task)
    assert row is not None
    return why(snapshot, row).text


def at_length(snapshot: RunSnapshot, task: str) -> str:
    row = row_of(snapshot, task)
    assert row is not None
    lines = inspector_model.full(snapshot, row, (), 100)
    explained = "\n".join(text for text, _ in explain(snapshot, row))
    return "\n".join("".join(text for text, _ in line) for line in lines) + "\n" + explained


def with_policy(policy: TaskPolicy, **fields: object) -> RunSnapshot:
    return snapshot_of({"t": ()}, {"t": {"state": S.READY, "policy": policy}}, **fields)


class TestQueued:
    def test_what_it_waits_for_is_named_with_its_figures(self) -> None:
        scene = steered()
        assert told(scene, "fetch_3") == "waits for pool web: 2 of 2 in use"
        assert told(scene, "train_more") == "waits for 2 gpu: 2 of 3 in use"
        assert told(scene, "fetch_4") == "breaker mail is open: first probe in 12s"

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"state": HALF, "computed": HALF, "probing": True}, "breaker api is half-open: one probe is under way"),
            (
                {
                    "state": BreakerState.OPEN, "computed": BreakerState.CLOSED, "forced": BreakerState.OPEN,
                    "recent": (Moved(1.0, "open", "held open by ann", by_force=True),),
                },
                "breaker api is open: held open by ann",
            ),
        ],
    )  # fmt: skip
    def test_a_breaker_says_when_it_moves_or_who_holds_it(self, fields: dict[str, object], said: str) -> None:
        view = BreakerView(name="api", spec=Breaker("api"), **fields)
        assert told(with_policy(TaskPolicy(circuit="api"), breakers=(view,)), "t") == said

    def test_with_all_of_it_free_it_is_the_rate(self) -> None:
        assert (
            told(with_policy(TaskPolicy(pool="web"), limits={"pool:web": (0, 4)}), "t")
            == "waits for the rate of pool web"
        )

    def test_one_that_needs_more_has_the_first_claim(self) -> None:
        rows = {
            name: {"state": S.READY, "policy": TaskPolicy(resources={"lift": wanted})}
            for name, wanted in (("big", 2), ("t", 1))
        }
        scene = snapshot_of({"big": (), "t": ()}, rows, limits={"resource:lift": (2, 3)})
        assert told(scene, "big") == "waits for 2 lift: 2 of 3 in use"
        assert told(scene, "t") == "one before it needs more of lift: 2 of 3 in use"

    def test_an_adaptive_limit_is_told(self) -> None:
        scene = with_policy(TaskPolicy(), max_parallel=32, window=12)
        assert told(scene, "t") == "next in line · 0/12 slots busy (adaptive, 32 at most)"

    def test_several_obstacles_are_all_told(self) -> None:
        text = at_length(steered(limits={"pool:web": (2, 2)}), "fetch_3")
        assert "waits for pool web: 2 of 2 in use" in text
        assert "# changes the limit of a pool; b its breaker" in text


class TestWaiting:
    def test_a_condition_or_cache_is_asked(self) -> None:
        scene = snapshot_of({"t": (), "u": ()}, {"u": {"state": S.RUNNING}})
        assert told(scene, "t") == "about to start"
        object.__setattr__(scene.plan, "asks", {0})
        assert told(scene, "t") == "asks its condition, or looks into the cache"

    def test_services_are_opened_first(self) -> None:
        scene = snapshot_of({"t": ()}, {})
        object.__setattr__(scene.plan, "sets_up", True)
        assert told(scene, "t") == "services are being opened first"

    @pytest.mark.parametrize(
        ("policy", "missing"),
        [
            (TaskPolicy(), ["bad", "on"]),
            (TaskPolicy(trigger="all_done"), ["on"]),
            (TaskPolicy(trigger="none_failed"), ["on"]),
            (TaskPolicy(trigger="any_success"), ["on"]),
            (TaskPolicy(on_upstream_failure="run"), ["on"]),
        ],
    )
    def test_what_is_missing_goes_by_the_tasks_own_rule(self, policy: TaskPolicy, missing: list[str]) -> None:
        scene = snapshot_of(
            {"bad": (), "on": (), "t": ("bad", "on")},
            {"bad": {"state": S.FAILED}, "on": {"state": S.RUNNING}, "t": {"policy": policy}},
        )
        row = row_of(scene, "t")
        assert row is not None
        assert [it.name for it in needs(scene, row)] == missing


class TestGates:
    def test_prompt_and_deadline_are_told(self) -> None:
        assert told(steered(), "deploy") == "a decides · skipped in 68s · Deploy 14 pages to production?"
        assert "Deploy 14 pages to production?" in at_length(steered(), "deploy")

    @pytest.mark.parametrize(
        ("gate", "said"),
        [
            (Gate(timeout=60.0), "a decides · rejected in 60s"),
            (Gate(timeout=60.0, on_timeout=Ruling.APPROVE), "a decides · approved in 60s"),
            (Gate(), "a decides"),
        ],
    )
    def test_what_then_is_told(self, gate: Gate, said: str) -> None:
        row = {"state": S.HELD, "gate": GateWaiting(252.0, "t", "", gate.timeout), "policy": TaskPolicy(gate=gate)}
        assert told(snapshot_of({"t": ()}, {"t": row}), "t") == said


class TestEndings:
    def test_cached_ran_and_torn_down_say_why(self) -> None:
        scene = steered()
        assert told(scene, "old_report") == "code, options and inputs unchanged since run r-0001"
        assert told(scene, "list_pages") == "not from the cache: its code changed"
        assert told(scene, "scratch") == "torn down"
        assert "It has been torn down" in at_length(scene, "scratch")

    def test_a_failure_has_its_cause_evidence_and_options_beside_it(self) -> None:
        text = at_length(steered(), "load")
        for part in ("bug or bad input", "- its input has not changed", "→ mark load as succeeded", "holds up publish"):
            assert part in text

    def test_only_the_latest_report_counts_and_none_of_a_task_that_is_well(self) -> None:
        scene = steered(
            escalations=(report_of("load", summary="old"), report_of("load", summary="new"), report_of("train"))
        )
        load, train = row_of(scene, "load"), row_of(scene, "train")
        assert load is not None
        assert train is not None
        report = inspector_model.escalation_of(scene, load)
        assert report is not None
        assert report.summary == "new"
        assert inspector_model.escalation_of(scene, train) is None

    def test_backend_pool_resources_and_breaker_are_in_the_inspector(self) -> None:
        assert "backend process" in at_length(steered(), "train")
        assert "takes 2 gpu, 2/3 in use" in at_length(steered(), "train")
        assert "pool web 2/2" in at_length(steered(), "fetch_1")
        assert "breaker api closed" in at_length(steered(), "fetch_1")

    def test_the_whole_policy_is_told(self) -> None:
        policy = TaskPolicy(
            retry=Retry(retries=1), timeout=3, retry_on_timeout=False, trigger="all_done", on_upstream_failure="run", priority=2,
            cost=4, tags=("x",),
        )  # fmt: skip
        text = inspector_model.policy_text(snapshot_of({"t": ()}, {"t": {"policy": policy}}).rows[0])
        for part in (
            "none after a timeout",
            "starts on all_done",
            "runs all the same",
            "cost 4",
            "priority 2",
            "tags x",
        ):
            assert part in text


class TestHeader:
    @pytest.mark.parametrize("cells", [60, 80, 100, 132, 160, 300])
    @pytest.mark.parametrize("blocked", [None, Blocked(task="load", seconds=3.2, stack="", where="load.py:12 in load")])
    def test_it_takes_exactly_its_width(self, cells: int, blocked: Blocked | None) -> None:
        scene = steered(blocked=blocked)
        assert line_width(tally_line(scene, cells)) == cells
        assert line_width(run_line(scene, "nightly.py", cells)) == cells
        assert all(line_width(line) == cells for line in tiny_lines(scene, cells, 12))

    def test_gates_and_both_limits_are_counted(self) -> None:
        text = "".join(part for part, _ in tally_line(steered(), 160))
        assert "◫ 1 at a gate" in text
        assert "held" not in text
        assert "3 busy · 6/8 slots" in text
        assert "3/8 at once" in "".join(part for part, _ in tally_line(steered(window=8), 160))

    def test_what_blocks_the_loop_takes_the_line(self) -> None:
        scene = steered(blocked=Blocked(task="load", seconds=3.2, stack="", where="load.py:12 in load"))
        text = "".join(part for part, _ in tally_line(scene, 100))
        assert "load blocks the event loop for 3.2s at load.py:12 in load" in text
        mine = steered(blocked=Blocked(task="", seconds=3.2, stack="", who="a callback of on_event"))
        assert "a callback of on_event blocks the event loop" in "".join(part for part, _ in tally_line(mine, 100))
