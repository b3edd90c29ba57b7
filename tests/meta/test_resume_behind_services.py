"""B40 where services are in the way: after a crash they come up again, and what had used them and finished does not run again."""

from __future__ import annotations

import anyio
import pytest
from dagtop import DAGExecutor, Graph, MetaDAG, TaskContext, TaskState
from dagtop.core.events import TaskStarted, TaskSucceeded
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.resume import Resumption, plan_resumption
from dagtop.runtime.result import RunResult

RAN: list[str] = []
NAME = "crashed"


async def serve(ctx: TaskContext) -> None:
    RAN.append("serve")
    ctx.ready("address")
    await anyio.sleep_forever()


async def other_serve(ctx: TaskContext) -> None:
    RAN.append("other")
    ctx.ready("elsewhere")
    await anyio.sleep_forever()


def fetch(source: dict[str, str]) -> str:
    RAN.append("fetch")
    return f"from {source['archive']}"


def load(fetch: str) -> str:
    RAN.append("load")
    return f"{fetch}, loaded"


def nested(service: object = serve) -> MetaDAG:
    source = Graph("source").add("archive", service, restart="always")
    work = Graph("work").add("fetch", fetch).add("load", load)
    return MetaDAG("m").add(source).add(work, depends_on="source")


def flat(service: object = serve) -> Graph:
    graph = Graph("flat").add("archive", service, restart="always")
    graph.add("fetch", lambda archive: fetch({"archive": archive}))
    return graph.add("load", load)


def crash_after(journal: MemoryJournal, task: str) -> None:
    """What the process did behind the success of that task was never written."""
    kept = journal._runs[NAME]
    end = next(n for n, event in enumerate(kept.events) if isinstance(event, TaskSucceeded) and event.task == task)
    kept.events = kept.events[: end + 1]


async def run(graph: Graph | MetaDAG, journal: MemoryJournal, resume: Resumption | None = None) -> RunResult:
    RAN.clear()
    return await DAGExecutor(graph, journal=journal, run_id=NAME, resume=resume).run()


@pytest.mark.anyio
@pytest.mark.parametrize(("make", "fetched"), [(nested, "work/fetch"), (flat, "fetch")])
async def test_B40_what_a_service_was_used_for_and_has_finished_does_not_run_again(make, fetched) -> None:
    journal = MemoryJournal()
    whole = await run(make(), journal)
    assert whole.state == "succeeded"
    crash_after(journal, fetched)
    resumption = plan_resumption(journal.load(NAME), make().validate(), make().fingerprints())
    assert set(resumption.kept) == {fetched}
    result = await run(make(), journal, resumption)
    assert sorted(RAN) == ["load", "serve"]
    assert result.state == "succeeded"
    assert result[fetched.replace("fetch", "load")].output == "from address, loaded"


@pytest.mark.anyio
async def test_B40_what_is_behind_a_node_of_services_waits_until_they_serve_again() -> None:
    journal = MemoryJournal()
    await run(nested(), journal)
    kept = journal._runs[NAME]
    begun = next(
        n for n, event in enumerate(kept.events) if isinstance(event, TaskStarted) and event.task == "work/fetch"
    )
    kept.events = kept.events[: begun + 1]
    resumption = plan_resumption(journal.load(NAME), nested().validate(), nested().fingerprints())
    result = await run(nested(), journal, resumption)
    assert RAN == ["serve", "fetch", "load"]
    assert result["work/load"].output == "from address, loaded"


@pytest.mark.anyio
@pytest.mark.parametrize(("make", "fetched"), [(nested, "work/fetch"), (flat, "fetch")])
async def test_B40_behind_a_service_with_other_code_everything_runs_again(make, fetched) -> None:
    journal = MemoryJournal()
    await run(make(), journal)
    crash_after(journal, fetched)
    changed = make(other_serve)
    resumption = plan_resumption(journal.load(NAME), changed.validate(), changed.fingerprints())
    assert set(resumption.kept) == set()
    result = await run(changed, journal, resumption)
    assert sorted(RAN) == ["fetch", "load", "other"]
    assert result[fetched].state is TaskState.SUCCEEDED
