"""B38, B39 for graphs of graphs: a stored run goes on with what had not finished, at every level."""

from __future__ import annotations

from pathlib import Path

import anyio
from dagtop import DAGExecutor, Graph, MetaDAG, Reconciler, TaskContext, TaskState
from dagtop.journal.resume import plan_resumption
from dagtop.journal.sqlite import SqliteJournal

RAN: list[str] = []


def one() -> int:
    RAN.append("one")
    return 1


def fails_once(ingest: dict[str, int]) -> int:
    RAN.append("fails_once")
    if RAN.count("fails_once") == 1:
        raise ValueError("not yet")
    return ingest["page"] + ingest["child"]


def spawns(ctx: TaskContext) -> str:
    RAN.append("spawns")
    ctx.spawn("child", lambda: 10)
    return "spawned"


def meta() -> MetaDAG:
    ingest = Graph("ingest").add("page", one).add("spawns", spawns)
    report = Graph("report").add("total", fails_once).add("text", lambda total: f"total {total}")
    inner = MetaDAG("inner").add(report)
    return MetaDAG("m").add(ingest).add(inner, depends_on="ingest").add(Reconciler(Graph("r").add("t", one)))


def test_B38_a_resumed_run_keeps_what_was_finished_in_each_node(tmp_path: Path) -> None:
    RAN.clear()
    file = SqliteJournal(tmp_path / "runs.db")
    first = anyio.run(DAGExecutor(meta(), journal=file).run)
    assert first["inner"].state is TaskState.FAILED
    again = meta()
    resumption = plan_resumption(file.load("last"), again.validate(), again.fingerprints())
    assert set(resumption.kept) == {"ingest/page", "r/t", "r"}
    result = anyio.run(DAGExecutor(again, journal=file, resume=resumption).run)
    assert result.ok
    assert sorted(RAN) == [
        "fails_once",
        "fails_once",
        "one",
        "one",
        "spawns",
        "spawns",
    ]  # for what came into the node must come again
    assert result["inner"].output == {"report": {"total": 11, "text": "total 11"}}


def test_outputs_of_nodes_are_not_stored_a_second_time(tmp_path: Path) -> None:
    file = SqliteJournal(tmp_path / "runs.db")
    anyio.run(DAGExecutor(MetaDAG("m").add(Graph("g").add("t", one)), journal=file).run)
    assert file.load("last").outputs(["g/t", "g"])["g/t"] == 1
    assert file.load("last").outputs(["g"]).get("g") is None
