"""A file with a `Reconciler`: `dagtop check`, `dagtop run`, and how either ends."""

from __future__ import annotations

import json
import signal
from dataclasses import replace

import pytest
from dagtop import Graph
from dagtop.core import events as ev
from dagtop.core.commands import ScaleTask, SetPolicy, StartRun, StartTask, StopTask
from dagtop.core.failure import Failure
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Restart
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RunState, TaskState
from dagtop_app.commandline.options import UsageError
from dagtop_app.commandline.typed import parse_command
from dagtop_app.plain.events import PlainLines
from dagtop_app.plain.live import live_lines
from dagtop_app.plain.printers import Wire

#: One that is up until it is told to stop, and what waits until it is ready.
SERVICES = """
    import anyio
    from dagtop import Graph, Reconciler, TaskContext

    graph = Graph("shop")

    @graph.task(restart="always")
    async def api(ctx: TaskContext):
        ctx.ready(8080)
        await anyio.sleep(1000)

    @graph.task(restart="always")
    async def worker(api):
        print(f"works with {api}")
        await anyio.sleep(1000)

    services = Reconciler(graph)
"""

#: Two that end, one of them badly unless `fine` is given.
JOBS = """
    from dagtop import Graph, Reconciler

    def carry_out(name, spec):
        if spec["fails"]:
            raise ValueError("no luck")
        return name

    def build(fine=False):
        tasks = {"a": {"fails": False}, "b": {"fails": not fine}}
        graph = Graph.from_specs("jobs", tasks=tasks, dependencies={"b": {"a"}}, run=carry_out)
        jobs = Reconciler(graph, restart="no" if fine else "on-failure")
        return jobs
"""


def test_check_tells_the_plan_of_a_reconciler(write, dagtop_here) -> None:
    write("services.py", SERVICES)
    told = dagtop_here("check", "services.py")
    assert told.code == 0
    assert "shop: 2 tasks, 1 edge, 2 levels, no problems" in told.out
    assert "  started again     always: api, worker\n" in told.out
    restarts = json.loads(dagtop_here("check", "services.py", "--json").out)["restarts"]
    assert restarts["api"] == {"policy": "always", "max_restarts": None}


def test_a_graph_of_specs_and_its_reconciler_count_as_one(write, dagtop_here) -> None:
    """The reconciler copies such a graph, which then looked like a second one."""
    write(
        "pages.py",
        """
        from dagtop import Graph, Reconciler
        graph = Graph.from_specs("pages", tasks={"a": {}}, run=lambda name, spec: name)
        pages = Reconciler(graph)
        """,
    )
    told = dagtop_here("check", "pages.py")
    assert told.code == 0, told.err


def test_B32_run_ends_when_nothing_can_change_any_more_with_0_if_all_is_well(write, run) -> None:
    write("jobs.py", JOBS)
    done = run("run", "jobs.py", "-p", "fine=true", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["state"] == "succeeded"


def test_B29_run_ends_with_1_when_a_ceiling_is_reached_and_tells_each_restart(write, run) -> None:
    write(
        "jobs.py",
        """
        from dagtop import Graph, Reconciler
        graph = Graph("jobs")

        @graph.task(max_restarts=2, restart_backoff=0.01)
        def breaks():
            raise ValueError("no luck")

        @graph.task
        def after(breaks): ...

        jobs = Reconciler(graph)
        """,
    )
    done = run("run", "jobs.py", "--plain", "--no-journal")
    assert done.returncode == 1, done.stderr
    lines = [line[9:] for line in done.stdout.splitlines()]
    assert "breaks failed, attempt 1: ValueError: no luck. Restart 1 as soon as it may start, after 1 crash." in lines
    assert "breaks failed, attempt 2: ValueError: no luck. Restart 2 in 10ms, after 2 crashes." in lines
    said = (
        "breaks is blocked, and not started again by itself: restarted 2 times and failed again: ValueError: no luck."
    )
    assert said in lines
    told = run("run", "jobs.py", "--json", "--no-journal")
    events = [json.loads(line) for line in told.stdout.splitlines()]
    by_type = {event["type"]: event for event in events if event.get("task") == "breaks"}
    assert by_type["task.restarting"]["restart"] == 2
    assert by_type["task.restarting"]["crashes"] == 2
    assert by_type["task.restarting"]["delay"] == 0.01
    assert by_type["task.blocked"]["reason"].startswith("restarted 2 times")
    assert events[-1]["counts"]["blocked"] == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_run_goes_on_until_a_signal_stops_it_and_says_which(write, run, number, code) -> None:
    write("services.py", SERVICES)
    with run.start("run", "services.py", "--plain") as process:
        for line in process.stdout:
            if "works with 8080" in line:
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "worker cancelled" in out


def test_what_the_file_listens_to_is_listened_to(write, run) -> None:
    write(
        "jobs.py",
        """
        from dagtop import Graph, Reconciler
        graph = Graph("jobs")
        graph.add("one", lambda: 1)
        jobs = Reconciler(graph)

        @jobs.on_event("task.succeeded")
        def told(event):
            print("heard of", event.task)
        """,
    )
    done = run("run", "jobs.py", "--plain", "--no-journal")
    assert "heard of one" in done.stdout + done.stderr


def test_the_live_view_tells_up_from_not_ready_and_when_a_restart_comes() -> None:
    plan = Graph("shop").add("api", lambda: None).add("worker", lambda: None).add("slow", lambda: None).validate()
    kept = TaskPolicy(restart=Restart(policy="always"))
    broken = Failure(error="OSError", message="refused")
    rows = (
        TaskRow(0, "api", TaskState.RUNNING, 1, started_at=0.0, policy=kept, serving=True),
        TaskRow(
            1, "worker", TaskState.BACKOFF, 3, started_at=50.0, due_at=64.0, policy=kept, restarts=3, crashes=3,
            attempts_before=3, failure=broken,
        ),
        TaskRow(2, "slow", TaskState.RUNNING, 2, started_at=58.0, policy=kept, restarts=1),
    )  # fmt: skip
    plan = replace(plan, policies=(kept,) * 3)
    snapshot = RunSnapshot(graph="shop", state=RunState.RUNNING, at=60.0, plan=plan, rows=rows)
    lines = [line.text for line in live_lines(snapshot, 60.0, 80, 24)]
    assert lines[:3] == [
        " ● api      1:00  up",
        " ↻ worker  restart 3 in 4s (3 crashes)  OSError: refused",
        " ● slow     0:02  not ready yet · restarted 1×",
    ]
    assert "1/3 up" in lines[3]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (ev.TaskRestarting(0.0, "api", 4, 8.0, 3, 0), "api came to its end, attempt 4. Restart 3 in 8.0s."),
        (
            ev.TaskRestarting(0.0, "api", 4, 8.0, 3, 3, Failure(error="OSError", message="refused"), True),
            "api timed out, attempt 4: OSError: refused. Restart 3 in 8.0s, after 3 crashes.",
        ),
        (ev.TaskServing(0.0, "api", True), "api is ready: what depends on it may start."),
        (ev.TaskServing(0.0, "api"), "api is ready."),
        (ev.TaskWanted(0.0, "api", False, "stopped by ann"), "api is wanted down, and stays down: stopped by ann."),
        (ev.TaskWanted(0.0, "api", True, "started by ann"), "api is wanted up: started by ann."),
        (
            ev.TaskBlocked(
                0.0,
                "api",
                6,
                "restarted 5 times and failed again: OSError",
                Failure(error="OSError", message="refused"),
            ),
            "api is blocked, and not started again by itself: restarted 5 times and failed again: OSError: refused.",
        ),
    ],
)
def test_each_event_of_a_task_that_is_kept_has_a_sentence(event: ev.TaskEvent, told: str) -> None:
    assert PlainLines().sentence(event) == told


def test_what_a_task_says_cannot_draw_on_the_screen() -> None:
    hostile = Failure(error="OSError", message="\x1b[2Jgone\nnext")
    told = PlainLines().sentence(ev.TaskRestarting(0.0, "api\x1b[31m", 1, 0.0, 1, 1, hostile))
    assert "\x1b" not in told
    assert "\n" not in told


def test_a_restart_policy_is_typed_in_another_terminal() -> None:
    assert parse_command("set-policy", ["api", "restart=always", "max_restarts=3"]) == SetPolicy(
        "api", restart="always", max_restarts=3
    )
    assert parse_command("stop", ["api", "no more"]) == StopTask("api", "no more")
    assert parse_command("start", ["api"]) == StartTask("api")
    assert parse_command("scale", ["api", "3"]) == ScaleTask("api", 3)
    assert parse_command("start-run", []) == StartRun()
    with pytest.raises(UsageError, match="'no', 'on-failure', 'always'"):
        parse_command("set-policy", ["api", "restart=sometimes"])


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (
            ev.TaskWanted(1.0, "api", False, "stopped by ann"),
            {"type": "task.wanted", "up": False, "reason": "stopped by ann"},
        ),
        (ev.TaskServing(1.0, "api", True), {"type": "task.serving", "opens": True}),
        (
            ev.TaskRestarting(1.0, "api", 2, 4.0, 2, 0),
            {"type": "task.restarting", "delay": 4.0, "restart": 2, "crashes": 0},
        ),
    ],
)
def test_each_event_of_a_task_that_is_kept_is_a_json_object(event: ev.TaskEvent, fields: dict[str, object]) -> None:
    told = json.loads(Wire(run="r-1", started_at=0.0).encode(1, [event]))
    assert told["task"] == "api"
    assert {name: told.get(name) for name in fields} == fields


def test_B31_check_names_services_that_others_wait_for_and_that_never_say_that_they_are_ready(
    write, dagtop_here
) -> None:
    write(
        "mute.py",
        """
        from dagtop import Graph, Probe, Reconciler
        graph = Graph("mute")
        for name in ("api", "alone"):
            graph.add(name, lambda: 1, restart="always")
        graph.add("probed", lambda: 1, restart="always", ready=Probe(lambda: True))
        graph.add("says", lambda ctx: ctx.ready(), restart="always")
        graph.add("uses", lambda api, probed, says: 2)
        services = Reconciler(graph)
        """,
    )
    told = dagtop_here("check", "mute.py").out
    assert "  never say ready   api\n" in told
