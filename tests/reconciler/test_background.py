"""Services in a graph that comes to an end are let go of when nothing else is left to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from dagtop import DAGExecutor, Graph, MetaDAG, Reconciler, RunState, TaskContext, TaskState
from dagtop.core.commands import CancelRun, DrainRun, RestartTask
from dagtop.core.states import RUN_OVER
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from dagtop.testing import rehearse

anyio_test = pytest.mark.anyio


async def serve(ctx: TaskContext) -> None:
    ctx.ready("here")
    await anyio.sleep_forever()


@anyio_test
async def test_a_service_is_stopped_when_everything_else_has_ended() -> None:
    graph = Graph("g")
    graph.add("api", serve, restart="always")
    graph.add("client", lambda api: api)
    result = await DAGExecutor(graph, capture=False).run()
    assert result.state is RunState.SUCCEEDED
    assert result["api"].state is TaskState.SUCCEEDED
    assert result["client"].output == "here"


@pytest.mark.parametrize("nested", [False, True])
def test_services_alone_go_on_until_they_are_stopped_also_as_replicas(nested: bool) -> None:
    """What stands for the replicas is nothing else to be done: it ended the run when all were ready."""
    graph = Graph("g").add("web", serve, restart="always", replicas=2)
    run = rehearse(MetaDAG("m").add(graph) if nested else graph, commands=[(50, CancelRun())])
    assert (run.result.state, run.result.duration) == (RunState.CANCELLED, 50)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_service_that_is_down_at_the_end_does_not_keep_the_run_and_fails_it(loop: str) -> None:
    graph = Graph("g")

    @graph.task(restart="always", restart_backoff=1000)
    async def api(ctx: TaskContext) -> None:
        ctx.ready()
        await anyio.sleep(1)
        raise ConnectionError("gone")

    @graph.task(depends_on=[api])
    async def client() -> None:
        await anyio.sleep(10)

    result = rehearse(graph, loop=loop).result
    assert (result.state, result["api"].state) == (RunState.FAILED, TaskState.FAILED)


@pytest.mark.parametrize("how", ["drained", "fail_fast"])
def test_a_run_that_starts_nothing_new_lets_go_of_its_services_too(how: str) -> None:
    """It went on for ever: a drained MetaDAG, and one with fail_fast in which a task had failed."""
    graph = Graph("g", fail_fast=how == "fail_fast").add("api", serve, restart="always")

    @graph.task
    async def client(api: str) -> str:
        await anyio.sleep(10)
        if how == "fail_fast":
            raise ValueError("wrong")
        return api

    graph.add("late", lambda client: client)
    run = rehearse(graph, commands=[(5, DrainRun())] if how == "drained" else [])
    assert run.result["api"].state is TaskState.SUCCEEDED
    assert run.result["client"].state.value == ("failed" if how == "fail_fast" else "succeeded")
    assert run.result.duration == 10


@anyio_test
async def test_B34_a_node_of_services_is_done_when_they_serve_and_ends_with_the_rest() -> None:
    services = Graph("services").add("api", serve, restart="always")
    work = Graph("work").add("ask", lambda services: services["api"])
    meta = MetaDAG("meta").add(Reconciler(services)).add(work, depends_on=["services"])
    log: list[str] = []
    executor = DAGExecutor(meta, capture=False)
    executor.subscribe(lambda event: log.append(event.task), "task.restarted")
    result = await executor.run()
    assert result.state is RunState.SUCCEEDED
    assert result["work/ask"].output == "here"
    assert log == []  # the node does not start over because of a service that nobody needs any more


def served(tries: list[Any]) -> MetaDAG:
    """A service that says how often it was started, and a client that is told, and fails once at first."""
    services, up = Graph("services"), list[int]()

    @services.task(restart="always")
    async def api(ctx: TaskContext) -> None:
        up.append(len(up) + 1)
        ctx.ready(up[-1])
        await anyio.sleep_forever()

    client = Graph("client").add("first", lambda: None)

    def asks(services: dict[str, int]) -> None:
        tries.append(services.get("api"))
        if len(tries) == 1:
            raise ValueError("once")

    client.add("asks", asks, depends_on=["first"])
    return MetaDAG("m").add(Reconciler(services)).add(client, depends_on=["services"])


@anyio_test
@pytest.mark.parametrize("how", ["retry failed", "restart"])
async def test_B34_a_service_that_was_let_go_of_is_there_again_for_a_task_that_is_retried(how: str) -> None:
    """The task ran against the port of a service that was down."""
    tries: list[Any] = []
    run = DAGExecutor(served(tries), capture=False).start(hold_open=True)
    await run.until(lambda: run.state in RUN_OVER)
    if how == "restart":
        told = run.blast_radius(RestartTask("client/asks")).summary
        assert "because of what was let go of" in told
        await run.restart("client/asks")
    else:
        await run.retry_failed()
    await run.until(lambda: len(tries) == 2 and run.state in RUN_OVER)
    run.close()
    result = await run
    assert tries == [1, 2]
    assert (result.state, result["services"].state) == (RunState.SUCCEEDED, TaskState.SUCCEEDED)


@anyio_test
async def test_B34_a_run_that_is_resumed_waits_for_the_services_that_it_starts_again(tmp_path: Path) -> None:
    """Its tasks began before these were ready, and got nothing of them."""
    tries: list[Any] = []
    meta, journal = served(tries), SqliteJournal(tmp_path / "runs.db")
    first = await DAGExecutor(meta, journal=journal, capture=False).run()
    assert first.state is RunState.FAILED
    left = plan_resumption(journal.load(first.run), meta.validate(), meta.fingerprints())
    result = await DAGExecutor(meta, journal=journal, capture=False, resume=left).run()
    assert tries == [1, 2]
    assert result.state is RunState.SUCCEEDED


@anyio_test
async def test_a_reconciler_keeps_its_services_though_everything_else_has_ended() -> None:
    graph = Graph("g").add("api", serve, restart="always").add("once", lambda: 1, restart="no")
    async with Reconciler(graph, capture=False) as services:
        assert await services.wait_ready(timeout=20)
        assert services["api"].state is TaskState.RUNNING
        with pytest.raises(TimeoutError):
            await services.wait(0.05)
