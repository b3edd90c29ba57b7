"""A file with a `Reconciler`: `dagtop check`, `dagtop run`, and how either ends."""

from __future__ import annotations

import json
import signal

import pytest

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
