"""The sample of a graph of graphs runs for real: what it reports is compared with a direct computation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagtop import Graph, MetaDAG, RunState, TaskState
from dagtop.loaders.python import load

SAMPLES = Path(__file__).parents[2] / "sample_graphs"


@pytest.fixture
def sample() -> Iterator[tuple[MetaDAG, Any]]:
    before, path = set(sys.modules), list(sys.path)
    loaded = load(str(SAMPLES / "nightly_meta.py"))
    assert isinstance(loaded.target, MetaDAG)
    yield loaded.target, loaded.module
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"nightly_meta", "loopback"}:
            del sys.modules[name]


class Crowd:
    """How many tasks of a kind ran at once."""

    def __init__(self, counts: Any) -> None:
        self._counts = counts
        self._inside: set[str] = set()
        self.most = 0

    def hear(self, event: Any) -> None:
        task = getattr(event, "task", "")
        if event.type == "task.started" and self._counts(task):
            self._inside.add(task)
            self.most = max(self.most, len(self._inside))
        elif event.type in {"task.succeeded", "task.retrying", "task.failed"}:
            self._inside.discard(task)


def test_what_it_reports_is_what_a_direct_computation_gives(sample: tuple[MetaDAG, Any], tmp_path: Path) -> None:
    meta, module = sample
    writers = Crowd(lambda task: task.startswith(("ingest/fetch", "clean/scrub")) or task == "report/page")
    fetchers = Crowd(lambda task: task.startswith("ingest/fetch"))
    meta.subscribe(writers.hear)
    meta.subscribe(fetchers.hear)
    result = meta.run(inputs={"pace": 0, "pages": 2, "seed": 3, "folder": str(tmp_path)})
    assert result.state is RunState.SUCCEEDED, result
    assert result["source/archive"].state is TaskState.SUCCEEDED
    assert result["source/archive"].attempts == 2, "it came apart once"
    assert max(writers.most, fetchers.most) <= 2
    means = {}
    for station in module.STATIONS:
        by_hour: dict[str, float] = {}
        for _, when, degrees in module.readings(station, 2, 3):
            if degrees < 100:
                by_hour.setdefault(when, degrees)
        means[station] = round(sum(by_hour.values()) / len(by_hour), 2)
    assert result["report/means"].output == means
    assert (tmp_path / "weather.md").read_text("utf-8") == result["report/page"].output
    assert result["report"].output["page"] == result["report/page"].output


def test_the_source_is_let_go_of_also_after_a_bad_night(sample: tuple[MetaDAG, Any], tmp_path: Path) -> None:
    meta, _ = sample
    result = meta.run(inputs={"pace": 0, "pages": 0, "folder": str(tmp_path)})
    assert result.state is RunState.FAILED
    failure = result["clean/quality"].failure
    assert failure is not None
    assert failure.error == "ZeroDivisionError"
    assert (result["clean"].state, result["report"].state) == (TaskState.FAILED, TaskState.SKIPPED)
    assert (result["source/archive"].state, result["source"].state) == (TaskState.SUCCEEDED, TaskState.SUCCEEDED)


def test_its_files_outlive_the_run_so_that_another_one_goes_on_with_them(
    sample: tuple[MetaDAG, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl+C `dagtop resume` kept what `generate` had given: a folder that was gone, and every fetch failed for 21 s."""
    _, module = sample
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    graph = Graph("source", inputs={"pages": 1, "seed": 1, "folder": ""}, resources={"disk": 1})
    graph.add("generate", module.generate, resources={"disk": 1})
    place = Path(graph.run()["generate"].output)
    assert place.parent == tmp_path
    assert {file.stem for file in (place / "source").iterdir()} == set(module.STATIONS)
