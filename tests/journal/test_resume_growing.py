"""Runs whose graph grew, killed with `kill -9` in the middle and gone on with: nothing that had finished runs again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from dagtop import DAGExecutor, Graph, RunResult
from dagtop.core.events import GraphChanged, TaskCached
from dagtop.core.ledger import Ledger
from dagtop.journal.resume import Resumption, plan_resumption
from dagtop.journal.sqlite import SqliteJournal
from dagtop.loaders.python import load
from journal_scene import environ_for_children

#: Imported by each graph file: keeps a list of what was called, and can stop everything at one place.
TRACE = """
    import os, signal

    TRACE, KILL = os.environ["TRACE"], os.environ.get("KILL", "")


    def called(name, safe=()):
        with open(TRACE, "a") as file:
            file.write(f"{name}\\n")
        if name == KILL:
            # What had finished counts only once it is committed.
            import time
            from dagtop.journal.sqlite import SqliteJournal
            journal = SqliteJournal(os.environ["DB"])
            while not set(safe) <= {e.task for e in journal.load("r1").events() if e.type == "task.succeeded"}:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        return name
"""

RUN = """
    import sys
    from dagtop import DAGExecutor
    from dagtop.loaders.python import load
    import anyio, os

    graph = load(sys.argv[1]).target
    anyio.run(DAGExecutor(graph, journal=os.environ["DB"], run_id="r1", source=sys.argv[1]).run)
"""


class Place:
    """A folder with a graph file, whose run is killed in a process of its own and resumed here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.graph = folder, folder / "growing.py"
        self.db, self.trace = folder / "journal.db", folder / "trace"
        self.environ = {"TRACE": str(self.trace), "DB": str(self.db)}
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("KILL", raising=False)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(sys, "modules", dict(sys.modules))

    def write(self, text: str) -> None:
        self.graph.write_text(dedent(TRACE) + dedent(text))

    def killed_at(self, name: str) -> Counter[str]:
        """What was called before the process was killed."""
        done = subprocess.run(
            [sys.executable, "-c", dedent(RUN), str(self.graph)],
            env=environ_for_children() | self.environ | {"KILL": name},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        return self.calls()

    def calls(self) -> Counter[str]:
        found = Counter(self.trace.read_text().split())
        self.trace.write_text("")
        return found

    def resumption(self) -> tuple[Graph, Resumption]:
        graph: Any = load(str(self.graph)).target
        stored = SqliteJournal(self.db).load("r1")
        return graph, plan_resumption(stored, graph.validate(), graph.fingerprints())

    def resumed(self) -> tuple[RunResult, Counter[str]]:
        graph, resumption = self.resumption()
        result = asyncio.run(DAGExecutor(graph, journal=self.db, source=str(self.graph), resume=resumption).run())
        return result, self.calls()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


MAPPED = """
    from dagtop import Graph

    graph = Graph("crawl", max_parallel=1)


    @graph.task
    def pages():
        return [called(f"p{n}") and n for n in range(50)]


    def fetch(page):
        called(f"fetch{page}", [f"fetched[{n}]" for n in range(page)])
        return page * 2


    graph.map("fetched", fetch, over=pages)


    @graph.task
    def total(fetched):
        return sum(fetched)
"""


def test_B38_of_a_mapped_list_no_finished_element_runs_again_and_the_gathered_list_is_right(place: Place) -> None:
    place.write(MAPPED)
    before = place.killed_at("fetch30")
    assert before["fetch30"] == 1
    result, after = place.resumed()
    assert result.ok
    assert result["fetched"].output == [n * 2 for n in range(50)]
    assert result["total"].output == 50 * 49
    assert after == Counter(f"fetch{n}" for n in range(30, 50))
    assert result["fetched[3]"].state.value == "cached"


def test_a_map_that_is_killed_twice_forgets_nothing(place: Place) -> None:
    place.write(MAPPED)
    place.killed_at("fetch10")
    code = dedent("""
        import anyio, os, sys
        from dagtop import DAGExecutor
        from dagtop.journal.resume import plan_resumption
        from dagtop.journal.sqlite import SqliteJournal
        from dagtop.loaders.python import load

        graph = load(sys.argv[1]).target
        resume = plan_resumption(SqliteJournal(os.environ["DB"]).load("r1"), graph.validate(), graph.fingerprints())
        anyio.run(DAGExecutor(graph, journal=os.environ["DB"], source=sys.argv[1], resume=resume).run)
    """).replace("\n\n", "\n")
    text = place.graph.read_text()
    # Elements that were CACHED are done as well as those that succeeded.
    place.graph.write_text(text.replace('== "task.succeeded"', 'in ("task.succeeded", "task.cached")'))
    done = subprocess.run(
        [sys.executable, "-c", code, str(place.graph)],
        env=environ_for_children() | place.environ | {"KILL": "fetch20"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    place.calls()
    result, after = place.resumed()
    assert result["fetched"].output == [n * 2 for n in range(50)]
    assert after == Counter(f"fetch{n}" for n in range(20, 50))


def test_B39_with_another_function_every_element_runs_again(place: Place) -> None:
    place.write(MAPPED)
    place.killed_at("fetch30")
    place.write(MAPPED.replace("page * 2", "page * 3"))
    result, after = place.resumed()
    assert result["fetched"].output == [n * 3 for n in range(50)]
    assert after == Counter(f"fetch{n}" for n in range(50))


def test_B39_elements_of_a_list_that_is_written_in_the_file_count_only_for_that_list(place: Place) -> None:
    given = """
        from dagtop import Graph

        graph = Graph("crawl", max_parallel=1)


        def fetch(page):
            called(f"fetch{page}", ["fetched[0]"] if page == 7 else [])
            return page


        graph.map("fetched", fetch, over=[5, 7, 9])
    """
    place.write(given)
    place.killed_at("fetch7")
    place.write(given.replace("[5, 7, 9]", "[4, 5, 7]"))
    result, after = place.resumed()
    assert result["fetched"].output == [4, 5, 7]
    assert after == Counter(["fetch4", "fetch5", "fetch7"])


CHAIN = """
    from dagtop import Graph

    graph = Graph("chain", max_parallel=1)
    DONE = [f"leaf_{n}" for n in range(3)]


    def leaf(ctx):
        return called(ctx.task)


    def level(ctx):
        depth = int(ctx.task.removeprefix("level_"))
        called(ctx.task, DONE)
        ctx.spawn(f"leaf_{depth}", leaf, priority=10)
        if depth < 5:
            ctx.spawn(f"level_{depth + 1}", level)
        return depth


    graph.add("level_0", level)
    graph.add("alone", lambda: called("alone"), priority=100)
"""


def test_of_a_chain_of_spawned_tasks_only_those_that_must_spawn_again_run_again(place: Place) -> None:
    place.write(CHAIN)
    before = place.killed_at("level_3")
    assert before == Counter(["alone", "level_0", "leaf_0", "level_1", "leaf_1", "level_2", "leaf_2", "level_3"])
    _, resumption = place.resumption()
    assert resumption.reruns == {"level_0": "it spawns its tasks again: level_3 has to run"}
    assert resumption.spawned == {f"leaf_{n}": f"leaf_{n}" for n in range(3)}
    assert resumption.kept == {"alone": "alone"}
    result, after = place.resumed()
    assert result.ok
    assert after == Counter([*(f"level_{n}" for n in range(6)), "leaf_3", "leaf_4", "leaf_5"])
    assert {task.name: task.output for task in result if task.name.startswith("leaf")} == {
        f"leaf_{n}": f"leaf_{n}" for n in range(6)
    }
    assert place.resumption()[1].nothing_left


def test_a_task_whose_spawned_ones_have_all_finished_is_kept_and_they_need_not_come_again(place: Place) -> None:
    place.write("""
        from dagtop import Graph

        graph = Graph("crawl", max_parallel=1)


        @graph.task
        def start(ctx):
            called("start")
            ctx.spawn("page", lambda: called("page"), priority=10)


        @graph.task(depends_on=[start])
        def last():
            called("last", ["page"])
    """)
    place.killed_at("last")
    result, after = place.resumed()
    assert result.ok
    assert after == Counter(["last"])


def test_what_waits_for_a_spawned_task_and_has_not_run_finds_its_output(place: Place) -> None:
    place.write("""
        from dagtop import Graph

        graph = Graph("crawl", max_parallel=1)


        @graph.task
        def start(ctx):
            called("start")
            ctx.spawn("page", lambda: called("page"), before=["report"])


        @graph.task(depends_on=[start])
        def report(ctx):
            called("report", ["page"])
            return dict(ctx.upstream)
    """)
    place.killed_at("report")
    result, after = place.resumed()
    assert after == Counter(["start", "report"])
    assert result["report"].output == {"start": None, "page": "page"}


def test_B40_the_events_of_both_processes_replay_to_the_state_that_was_live(place: Place) -> None:
    place.write(MAPPED)
    place.killed_at("fetch30")
    result, _ = place.resumed()
    graph, _ = place.resumption()
    ledger = Ledger(graph.validate(), 1)
    stored = SqliteJournal(place.db).load("r1")
    for event in stored.events():
        ledger.apply(event)
    assert {name: ledger.state[index] for name, index in ledger.plan.index.items()} == {
        task.name: task.state for task in result
    }
    assert sum(ledger.counts.values() if isinstance(ledger.counts, dict) else ledger.counts) == len(ledger.plan)
    kinds = Counter(type(event) for event in stored.events())
    assert kinds[GraphChanged] >= 2
    assert kinds[TaskCached] == 30
    assert os.path.exists(place.db)
