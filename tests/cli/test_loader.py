"""From a file to the graph in it, and everything that can be wrong on the way."""

from __future__ import annotations

import linecache
import os
import pickle
import sys
from pathlib import Path

import pytest
from dagtop import DAGExecutor, Graph, GraphError, LoadError
from dagtop.loaders.python import load, split

pytestmark = pytest.mark.usefixtures("interpreter_as_it_was")

ONE = """
from dagtop import Graph

graph = Graph("one")


@graph.task
def a(): ...
"""


def refusal(where: object, **parameters: object) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(str(where), parameters)
    return caught.value


# -- what is taken ----------------------------------------------------------------------------------------------------


def test_the_one_graph_of_a_file_is_taken(write):
    path = write("etl.py", ONE)
    loaded = load(str(path))
    assert (loaded.target.name, loaded.name, loaded.source, loaded.path) == ("one", "graph", str(path), str(path))


def test_a_relative_path_is_told_in_full(write, tmp_path, monkeypatch):
    write("etl.py", ONE)
    monkeypatch.chdir(tmp_path)
    assert load("etl.py").source == str(tmp_path / "etl.py")


def test_an_object_that_does_not_tell_its_class_is_passed_over(write):
    """A proxy with nothing behind it raises when it is asked what it is: that was a traceback of ours."""
    proxy = "class Proxy:\n    __class__ = property(lambda self: 1 / 0)\nproxy = Proxy()\n"
    assert load(str(write("etl.py", ONE + proxy))).target.name == "one"


def test_one_graph_under_two_names_counts_once(write):
    assert load(str(write("etl.py", ONE + "\ndag = graph\n"))).name == "graph"


def test_an_imported_graph_counts_only_if_the_file_defines_none(write):
    write("other_graphs.py", 'from dagtop import Graph\ntheirs = Graph("theirs")\n')
    assert load(str(write("etl.py", "from other_graphs import theirs\n" + ONE))).target.name == "one"
    assert load(str(write("only.py", "from other_graphs import *\n"))).target.name == "theirs"


def test_a_name_with_an_underscore_counts_only_if_there_is_no_other(write):
    assert load(str(write("etl.py", ONE + '\n_inner = Graph("inner")\n'))).target.name == "one"
    assert load(str(write("only.py", 'from dagtop import Graph\n_inner = Graph("inner")\n'))).target.name == "inner"


def test_an_executor_counts_instead_of_the_graph_it_wraps(write):
    path = write("etl.py", ONE + "\nfrom dagtop import DAGExecutor\nexecutor = DAGExecutor(graph)\n")
    loaded = load(str(path), kinds=(DAGExecutor, Graph))
    assert (loaded.name, type(loaded.target)) == ("executor", DAGExecutor)


def test_of_several_graphs_the_named_one_is_taken(write):
    path = write("etl.py", ONE + '\nother = Graph("other")\n')
    loaded = load(f"{path}:other")
    assert (loaded.target.name, loaded.source) == ("other", f"{path}:other")


def test_a_graph_may_be_made_under_an_if_or_in_a_loop(write):
    text = "from dagtop import Graph\nif True:\n    for _ in range(2):\n        graph = Graph('late')\n"
    assert load(str(write("etl.py", text))).target.name == "late"


def test_build_is_called_when_there_is_no_graph(write):
    path = write("etl.py", "from dagtop import Graph\ndef build(): return Graph('built')\n")
    loaded = load(str(path))
    assert (loaded.target.name, loaded.name) == ("built", "build")


def test_build_gets_the_parameters_that_it_takes(write):
    text = "from dagtop import Graph\ndef build(day, *, size=3): return Graph(f'{day}/{size}')\n"
    loaded = load(str(write("etl.py", text)), {"day": "monday", "unknown": 1})
    assert (loaded.target.name, loaded.taken) == ("monday/3", {"day", "size"})


def test_build_with_keywords_gets_all_parameters(write):
    text = "from dagtop import Graph\ndef build(**given): return Graph(','.join(sorted(given)))\n"
    assert load(str(write("etl.py", text)), {"b": 1, "a": 2}).target.name == "a,b"


def test_a_named_function_is_called_like_build(write):
    path = write("etl.py", ONE + "\ndef nightly(): return Graph('nightly')\n")
    assert load(f"{path}:nightly").target.name == "nightly"


@pytest.mark.parametrize("name", ["c:drive.py", "a b.py", "graph", "ünï.py", "etl.py:graph", "-x.py", "1st.py"])
def test_odd_file_names_work(write, name):
    assert load(str(write(name, ONE))).target.name == "one"


def test_a_path_that_exists_is_never_split(write, tmp_path):
    write("etl.py", ONE)
    odd = write("etl.py:graph", ONE.replace('"one"', '"odd"'))
    assert load(str(odd)).target.name == "odd"
    assert split(f"{tmp_path}/etl.py:other") == (f"{tmp_path}/etl.py", "other")


# -- how it runs ------------------------------------------------------------------------------------------------------


def test_the_file_runs_as_a_module_that_can_be_found_again(write):
    text = ONE + "\nimport dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int\np = Point(3)\n"
    module = load(str(write("points_of_etl.py", text))).module
    assert pickle.loads(pickle.dumps(module.p)) == module.p
    assert (module.__name__, module.__file__) == ("points_of_etl", sys.modules["points_of_etl"].__file__)


def test_main_does_not_run_and_arguments_are_not_ours(write):
    text = ONE + "\nimport sys\nargv = sys.argv\nif __name__ == '__main__':\n    raise SystemExit(3)\n"
    path = write("etl.py", text)
    assert load(str(path)).module.argv == [str(path)]


def test_modules_beside_the_file_are_found_first(write):
    write("beside_me.py", "NAME = 'beside'\n")
    path = write("etl.py", "from dagtop import Graph\nfrom beside_me import NAME\ngraph = Graph(NAME)\n")
    assert load(str(path)).target.name == "beside"


def test_prints_go_to_stderr(write, capsys):
    load(str(write("etl.py", "print('at import')\n" + ONE)))
    assert capsys.readouterr() == ("", "at import\n")


def test_a_second_load_gets_everything_fresh(write):
    write("beside_me.py", "NAME = 'old'\n")
    path = write("etl.py", "from dagtop import Graph\nimport beside_me\ngraph = Graph(beside_me.NAME)\n")
    first = load(str(path))
    write("beside_me.py", "NAME = 'renewed'\n")
    second = load(str(path))
    assert (first.target.name, second.target.name) == ("old", "renewed")
    assert first.module is not second.module


def test_a_file_called_like_a_module_hides_nothing(write):
    before = sys.modules["json"]
    loaded = load(str(write("json.py", ONE)))
    assert sys.modules["json"] is before
    assert sys.modules[loaded.module.__name__] is loaded.module


def test_two_files_of_one_name_are_two_modules(write):
    first, second = load(str(write("a/same_name.py", ONE))), load(str(write("b/same_name.py", ONE)))
    assert sys.modules[first.module.__name__] is first.module
    assert sys.modules[second.module.__name__] is second.module


def test_tracebacks_show_the_code_that_runs_even_after_an_edit(write):
    path = write("etl.py", ONE)
    load(str(path))
    write("etl.py", "\n" * 50)
    linecache.checkcache(str(path))
    assert linecache.getline(str(path), 4) == 'graph = Graph("one")\n'


def test_a_file_with_an_encoding_of_its_own_is_read_in_it(write):
    path = write("etl.py", b'# -*- coding: latin-1 -*-\nfrom dagtop import Graph\ngraph = Graph("caf\xe9")\n')
    assert load(str(path)).target.name == "café"


# -- what cannot be read ----------------------------------------------------------------------------------------------


def test_a_missing_file_is_told_with_the_nearest_name(write, tmp_path):
    write("nightly.py", ONE)
    error = refusal(tmp_path / "nigtly.py")
    assert (error.place, error.message) == (
        str(tmp_path / "nigtly.py"),
        "there is no such file (did you mean 'nightly.py'?)",
    )
    assert "'nightly.py'" in refusal(tmp_path / "nightly").message
    assert "no folder" in refusal(tmp_path / "nowhere" / "etl.py").message
    assert refusal(f"{tmp_path / 'nigtly.py'}:graph").place == str(tmp_path / "nigtly.py")


def test_a_folder_is_told_with_what_is_in_it(write, tmp_path):
    write("etl.py", ONE)
    assert refusal(tmp_path).message == "this is a folder; give a graph file (it has etl.py)"


def test_nothing_is_not_a_file():
    assert refusal("").message == "no graph file was named"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told(write):
    path = write("etl.py", ONE)
    path.chmod(0)
    assert refusal(path).message == "it cannot be read: Permission denied"


def test_a_device_is_not_a_graph_file():
    assert "device" in refusal("/dev/zero").message


@pytest.mark.parametrize("text", [b"x = 1\ny = 'caf\xe9'\n", b"\n\n\nz = '\xff'\n"])
def test_a_file_that_is_not_utf8_is_told_with_the_line(write, text):
    error = refusal(write("etl.py", text))
    assert error.place.endswith(f"etl.py:{text.count(chr(10).encode())}")
    assert error.message.endswith("save it as UTF-8")


def test_null_bytes_are_told_with_the_line(write):
    error = refusal(write("etl.py", b"x = 1\ny = '\0'\n"))
    assert error.place.endswith("etl.py:2")
    assert error.message == "it contains null bytes; save it as UTF-8 text"


def test_a_name_that_is_none_is_refused(write):
    path = write("etl.py", ONE)
    assert "is not a name" in refusal(f"{path}:not a name").message


# -- what does not run ------------------------------------------------------------------------------------------------


def test_a_syntax_error_has_line_text_and_caret(write):
    error = refusal(write("etl.py", "x = 1\ndef f(:\n    pass\n"))
    assert error.place.endswith("etl.py:2")
    first, line, caret = error.message.split("\n")
    assert first == "SyntaxError: invalid syntax"
    assert line.index(":") == caret.index("^")


def test_code_nested_too_deeply_is_told(write):
    assert refusal(write("etl.py", "x = " + "(" * 5000 + ")" * 5000)).place


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise ValueError('no luck')", "raises ValueError: no luck"),
        ("1 / 0", "raises ZeroDivisionError: division by zero"),
        ("import sys; sys.exit()", "calls sys.exit(), but"),
        ("import sys; sys.exit('bye')", "calls sys.exit('bye'), but"),
        ("raise KeyboardInterrupt", "raises KeyboardInterrupt"),
        ("def f(): f()\nf()", "calls itself without end"),
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'; install it where dagtop runs"),
        ("from . import helpers", "import by full name"),
        ("import asyncio; raise asyncio.CancelledError", "raises CancelledError"),
        ("class E(Exception):\n  def __str__(self): 1 / 0\nraise E", "raises E: (its text cannot be shown)"),
        ("class E(Exception):\n  def __str__(self): raise SystemExit\nraise E", "raises E: (its text"),
        ("raise ExceptionGroup('both', [ValueError(1), TypeError(2)])", "raises ExceptionGroup: both"),
    ],
)
def test_what_a_file_raises_is_told_with_its_line(write, code, expected):
    error = refusal(write("etl.py", f"x = 1\n{code}\n"))
    assert expected in error.message
    assert ".py:" in error.place
    assert "Traceback" not in str(error)


def test_the_place_is_in_the_file_and_the_way_down_is_told(write):
    write("config_beside.py", "def read():\n    raise OSError('no config')\n")
    error = refusal(write("etl.py", "import config_beside\n\nconfig_beside.read()\n"))
    assert error.place.endswith("etl.py:3")
    assert error.message == "raises OSError: no config\n    in config_beside.py:2 read()"


def test_the_way_down_leaves_our_own_frames_out(write):
    error = refusal(write("etl.py", "from dagtop import Retry\nRetry(base=-1)\n"))
    assert error.place.endswith("etl.py:2")
    assert error.message == "raises ValueError: base must be at least 0 seconds, not -1"


def test_a_file_is_compiled_once_so_that_it_warns_once(write):
    path = write("etl.py", "from dagtop import Graph\ngraph = Graph('x')\ntext = '\\d'\n")
    with pytest.warns(Warning, match="invalid escape sequence") as told:
        load(str(path))
    assert len(told) == 1


def test_an_endless_message_is_cut(write):
    assert len(refusal(write("etl.py", "raise ValueError('x' * 10**6)\n")).message) < 3_000


def test_a_file_that_failed_leaves_no_module_behind(write):
    refusal(write("half_done.py", "x = 1\nraise ValueError\n"))
    assert "half_done" not in sys.modules


def test_a_graph_that_cannot_be_is_a_graph_error_with_its_line(write):
    path = write("etl.py", "from dagtop import Graph\n\ngraph = Graph('x', max_paralel=3)\n")
    with pytest.raises(GraphError) as caught:
        load(str(path))
    (flaw,) = caught.value.problems
    assert flaw.place == f"{path}:3"
    assert "'max_parallel'" in flaw.message


# -- what is not there ------------------------------------------------------------------------------------------------


def test_a_file_without_a_graph_says_what_to_do(write):
    path = write("etl.py", "x = 1\n")
    error = refusal(path)
    assert error.place == str(path)
    assert error.message.startswith("it defines no Graph or MetaDAG; assign one")


def test_several_graphs_are_listed_with_their_lines(write):
    error = refusal(write("etl.py", ONE + '\nother = Graph("other")\n'))
    head, first, second = error.message.split("\n")
    assert head == "it defines 2 graphs; say which one, as in etl.py:graph"
    assert first.split() == ["graph", "Graph,", "line", "4"]
    assert second.split() == ["other", "Graph,", "line", "10"]


def test_a_name_that_is_missing_is_told_with_the_nearest(write):
    path = write("etl.py", ONE)
    assert refusal(f"{path}:grph").message == "it has no 'grph' (did you mean 'graph'?); its graphs are graph"


def test_a_name_that_is_no_graph_is_told_with_what_it_is(write):
    error = refusal(f"{write('etl.py', ONE + chr(10) + 'size = 3' + chr(10))}:size")
    assert error.message == "'size' is an int, not a Graph or MetaDAG"
    assert error.place.endswith("etl.py:10")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return None", "build() returns nothing"),
        ("return 3", "build() returns an int, not a Graph or MetaDAG"),
        ("raise ValueError('no day')", "build() raises ValueError: no day"),
        ("raise SystemExit(3)", "build() calls sys.exit(3)"),
        ("return build()", "build() calls itself without end"),
    ],
)
def test_a_build_that_fails_is_told(write, body, expected):
    error = refusal(write("etl.py", f"def build():\n    {body}\n"))
    assert error.message.startswith(expected)
    assert "etl.py:" in error.place


def test_a_build_that_needs_parameters_says_how_to_give_them(write):
    error = refusal(write("etl.py", "def build(day, size, n=1): ...\n"), size=3)
    assert error.message == "build() needs day; give -p day=VALUE"


def test_a_parameter_of_build_near_the_missing_one_is_told(write):
    error = refusal(write("etl.py", "def build(day): ...\n"), dya="monday")
    assert error.message == "build() needs day; give -p day=VALUE; nothing takes 'dya' (did you mean 'day'?)"


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("bool", "tru", "true or false for x, not 'tru'"),
        ("'bool'", 1, "true or false for x, not 1"),
        ("int", "three", "a whole number for x, not 'three'"),
        ("int", True, "a whole number for x, not True"),
        ("int | None", "three", "a whole number or null for x, not 'three'"),
        ("'int | None'", 1.5, "a whole number or null for x, not 1.5"),
        ("float", "fast", "a number for x, not 'fast'"),
        ("str", [1], "text for x, not [1]; as text it is in quotes, -p 'x=\"…\"'"),
        ("str", 1.5, "text for x, not 1.5; as text it is in quotes, -p 'x=\"…\"'"),
    ],
)
def test_a_value_that_does_not_fit_the_annotation_is_told_before_build_runs(write, annotation, value, expected):
    """`slow=tru` was a text that is not empty, and so the slow way was taken."""
    error = refusal(write("etl.py", f"def build(x: {annotation} = 1): raise AssertionError\n"), x=value)
    assert error.message == f"build() takes {expected}"


def test_all_that_does_not_fit_is_told_at_once(write):
    error = refusal(write("etl.py", "def build(day, x: int, y: bool): ...\n"), x="a", y="b")
    assert error.message == (
        "build() needs day; give -p day=VALUE; it takes a whole number for x, not 'a'; it takes true or false for y, not 'b'"
    )


@pytest.mark.parametrize(
    ("annotation", "value", "taken"),
    [
        ("float", 3, 3.0),
        ("str", 20260101, "20260101"),
        ("int | str", 3, 3),
        ("str | None", None, None),
        ("list", "a", "a"),
    ],
)
def test_a_value_reaches_build_as_its_annotation_says(write, annotation, value, taken):
    text = f"from dagtop import Graph\ndef build(x: {annotation}, **rest): return Graph('g', inputs={{'x': x}})\n"
    found = load(str(write("etl.py", text)), {"x": value}).target.config.inputs["x"]
    assert (found, type(found)) == (taken, type(taken))


def test_an_async_build_is_refused(write):
    assert refusal(write("etl.py", "async def build(): ...\n")).message == "build() must be a plain function, not async"


def test_a_graph_file_read_from_a_pipe_works(tmp_path: Path):
    reading, writing = os.pipe()
    os.write(writing, ONE.encode())
    os.close(writing)
    try:
        assert load(f"/dev/fd/{reading}").target.name == "one"
    finally:
        os.close(reading)
