"""`dagtop show`: the graph of a file in every form."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from dagtop import Graph
from dagtop.core.plan import EMPTY_PLAN, Plan
from dagtop.core.states import TaskState
from dagtop.observe import graph_text
from dagtop_app.commands import showing_formats as formats
from dagtop_app.commands.showing import Shape, lines_of, routed
from dagtop_app.graphview import Scale

FORMS = ("tree", "boxes", "pills", "mermaid", "dot", "json", "svg")

ETL = """
    from dagtop import Graph

    graph = Graph("etl")

    @graph.task
    def extract(): raise SystemExit("no task may run")

    @graph.task
    def clean(extract): ...

    @graph.task
    def config(): ...

    @graph.task
    def load(clean, extract, config): ...
"""

META = """
    from dagtop import Graph, MetaDAG

    ingest = Graph("ingest")

    @ingest.task
    def fetch(): ...

    sales = Graph("sales")

    @sales.task
    def sums(): ...

    graph = MetaDAG("nightly").add(ingest).add(sales, depends_on=["ingest"])
"""


WRONG = """
    from dagtop import Graph

    graph = Graph("g")
    graph.add("a", print, depends_on=["b"])
"""


def plan_of(edges: dict[str, tuple[str, ...]]) -> Plan:
    graph = Graph("g")
    for name, needed in edges.items():
        graph.add(name, lambda: None, depends_on=list(needed))
    return graph.validate()


def mapped(count: int) -> Plan:
    edges: dict[str, tuple[str, ...]] = {"start": ()}
    edges |= {f"load[{n}]": ("start",) for n in range(count)}
    edges["end"] = tuple(f"load[{n}]" for n in range(count))
    edges["other"] = ("start",)
    return plan_of(edges)


HOSTILE = ("[/bold] ]]> </text>", "\x1b[31m \u202e", 'quote " \\ `x` #1', "a" * 10_000, "名前 \u200b", "<script>&amp;")


def hostile() -> Plan:
    return plan_of({name: HOSTILE[:place] for place, name in enumerate(HOSTILE)})


def test_the_tree_has_each_task_once_below_what_it_waits_for_longest(dagtop_here, write):
    file = str(write("g.py", ETL))
    done = dagtop_here("show", file)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "etl: 4 tasks, 4 edges", "", "extract", "╰─ clean", "   ╰─ load   (and config)", "config",
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_every_task_and_runs_none(dagtop_here, write, form):
    done = dagtop_here("show", str(write("g.py", ETL)), "--as", form)
    assert done.code == 0
    for name in ("extract", "clean", "config", "load"):
        assert name in done.out


@pytest.mark.parametrize("form", FORMS)
def test_hostile_names_cannot_break_out_of_any_form(form):
    text = "\n".join(lines_of(hostile(), form))
    if form == "json":
        assert [task["name"] for task in json.loads(text)["tasks"]] == list(HOSTILE)
        return
    assert "\x1b" not in text
    assert "\u202e" not in text
    if form == "svg":
        names = "".join(ET.fromstring(text).itertext())
        assert "<script>" in names  # as text
        assert "<script>" not in text
    if form == "mermaid":
        assert all(re.fullmatch(r'  n\d+\["[^"`\\<>&]*"\]|  n\d+ --> n\d+', line) for line in text.splitlines()[1:])
    if form == "dot":
        assert all(line.count('"') - line.count('\\"') in {0, 2} for line in text.splitlines()[3:])


def test_boxes_show_the_lines(dagtop_here, write):
    out = dagtop_here("show", str(write("g.py", ETL)), "--as", "boxes").out
    assert "│○ extract├" in out
    assert "╰" in out


def test_groups_of_a_larger_graph_are_one_unless_all_are_wanted():
    plan = mapped(100)
    assert list(lines_of(plan, "tree")) == [
        "g: 103 tasks, 201 edges (1 group folded; --all shows each task)", "",
        "start", "├─ load[0..99]  (100 tasks)", "│  ╰─ end", "╰─ other",
    ]  # fmt: skip
    assert len(list(lines_of(plan, "tree", folded=False))) == 105
    assert "╔" in "".join(lines_of(plan, "boxes"))
    small = list(lines_of(mapped(5), "tree"))
    assert len(small) == 10


def test_json_tells_what_every_task_needs(dagtop_here, write):
    found = json.loads(dagtop_here("show", str(write("g.py", ETL)), "--as", "json").out)
    assert (found["v"], found["graph"], found["levels"], found["edges"]) == (1, "etl", 3, 4)
    assert [(task["name"], task["needs"], task["level"]) for task in found["tasks"]] == [
        ("extract", [], 0), ("clean", ["extract"], 1), ("config", [], 0), ("load", ["extract", "clean", "config"], 2),
    ]  # fmt: skip


def test_nodes_of_a_graph_of_graphs_are_subgraphs(dagtop_here, write):
    file = str(write("g.py", META))
    mermaid = dagtop_here("show", file, "--as", "mermaid").out
    assert re.search(r'subgraph g\d+\["ingest"\]\n +n\d+\["fetch"\]', mermaid)
    assert mermaid.count("subgraph") == mermaid.count("\n  end\n") == 2
    dot = dagtop_here("show", file, "--as", "dot").out
    assert dot.count("{") == dot.count("}") == 3


def test_every_edge_is_in_dot_and_in_mermaid():
    plan = plan_of({"a": (), "b": ("a",), "c": ("a", "b")})
    assert {line.strip() for line in lines_of(plan, "dot") if "->" in line} == {"n0 -> n1;", "n0 -> n2;", "n1 -> n2;"}
    assert sum("-->" in line for line in lines_of(plan, "mermaid")) == 3


def test_states_are_told_by_glyph_word_and_colour():
    plan = plan_of({"a": (), "b": ("a",)})
    states = {0: TaskState.SUCCEEDED, 1: TaskState.FAILED}
    shape = Shape(plan, folded=False)
    svg = "\n".join(formats.svg(routed(shape, Scale.BOX), shape.labels, "g", states))
    assert "✖ b" in svg
    assert "b (failed)" in svg
    assert 'class="t fail"' in svg
    assert any(":::fail" in line for line in graph_text.mermaid(plan, states))
    assert any('tooltip="failed"' in line for line in graph_text.dot(plan, states))
    assert json.loads(formats.as_json(plan, states=states))["tasks"][1]["state"] == "failed"


def test_a_graph_with_a_mistake_is_told_like_everywhere(dagtop_here, write):
    done = dagtop_here("show", str(write("g.py", WRONG)))
    assert done.code == 2
    assert not done.out


def test_an_unknown_form_is_told_with_those_that_there_are(dagtop_here, write):
    done = dagtop_here("show", str(write("g.py", ETL)), "--as", "png")
    assert done.code == 2
    assert "mermaid" in done.err


def test_an_empty_graph_is_shown_in_every_form():
    for form in FORMS:
        assert list(lines_of(EMPTY_PLAN, form))


def test_textual_is_not_loaded():
    code = "import sys, dagtop_app.commands.showing; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
