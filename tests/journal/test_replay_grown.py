"""A replay shows the policies of tasks that came while the run went on as they were."""

from __future__ import annotations

from dagtop import Gate, Graph, Retry, TaskContext
from dagtop.core import events as ev
from dagtop.core.policy import TaskPolicy
from dagtop.journal.memory import MemoryJournal
from dagtop.runtime.past import Past


def replayed_policies(graph: Graph) -> dict[str, TaskPolicy]:
    journal = MemoryJournal()
    assert graph.run(journal=journal).ok
    past = Past(journal.load("last"))
    while not past.forward():
        pass
    return dict(zip(past.ledger.plan.names, past.ledger.policies, strict=True))


def test_of_tasks_that_a_task_spawned_and_of_those_of_a_map() -> None:
    graph = Graph("crawl")

    @graph.task
    def crawl(ctx: TaskContext) -> None:
        ctx.spawn("page", lambda: 1, retries=Retry(3, base=0.5), timeout=9)
        ctx.spawn("plain", lambda: 2)

    graph.add("months", lambda: ["jan", "feb"])
    graph.map("load", lambda month: month, over="months", limit=2, retries=1)
    policies = replayed_policies(graph)
    assert (policies["page"].retry.retries, policies["page"].retry.base, policies["page"].timeout) == (3, 0.5, 9)
    assert policies["plain"].retry.retries == 0
    assert [policies[f"load[{number}]"].retry.retries for number in (0, 1)] == [1, 1]
    assert policies["load[0]"].pool == policies["load[1]"].pool is not None


def test_what_a_gate_asks_is_told_by_its_own_event_only() -> None:
    graph = Graph("g")

    @graph.task
    def first(ctx: TaskContext) -> None:
        ctx.spawn(
            "publish", lambda: 1, gate=Gate(prompt="Publish with token=abc?", timeout=0.001, on_timeout="approve")
        )

    heard: list[ev.GraphChanged] = []
    graph.subscribe(heard.append, "graph.changed")
    assert graph.run().ok
    (added,) = heard[0].added
    assert "gate" in added.policy
    assert "Publish" not in str(added)
