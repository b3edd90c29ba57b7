"""A graph file that defines a MetaDAG, on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dagtop import Graph, MetaDAG
from dagtop.loaders.python import load

FILE = """
from dagtop import Graph, MetaDAG
ingest = Graph("ingest", inputs={"day": 1}).add("page", lambda day: day)
report = Graph("report").add("total", lambda ingest: ingest["page"])
inner = MetaDAG("inner").add(report)
nightly = MetaDAG("nightly").add(ingest).add(inner, depends_on=["ingest"])
"""


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from dagtop_app.entry import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_outermost_metadag_of_a_file_comes_before_all_else(tmp_path: Path) -> None:
    (tmp_path / "nightly.py").write_text(FILE)
    found = load(str(tmp_path / "nightly.py"))
    assert isinstance(found.target, MetaDAG)
    assert found.name == "nightly"
    assert isinstance(load(f"{tmp_path / 'nightly.py'}:ingest").target, Graph)


def test_dagtop_check_and_run_take_it_and_inputs_go_to_nodes(tmp_path: Path) -> None:
    (tmp_path / "nightly.py").write_text(FILE)
    checked = command("check", "--json", str(tmp_path / "nightly.py"))
    assert json.loads(checked.stdout)["critical_path"][:3] == ["ingest/page", "ingest", "inner/report/total"]
    ran = command("run", "--no-journal", "--json", "-p", "ingest/day=5", str(tmp_path / "nightly.py"))
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, ran.stderr
    assert [line["task"] for line in lines if line["type"] == "task.succeeded"] == [
        "ingest/page",
        "ingest",
        "inner/report/total",
        "inner/report",
        "inner",
    ]
