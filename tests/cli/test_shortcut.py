"""`dagtop FILE` read without the parser: it says what the parser would, or leaves it to the parser."""

from __future__ import annotations

import shlex

import pytest
from dagtop_app.commandline.cli import app
from dagtop_app.commandline.options import GraphOptions, KeepOptions, OutputOptions
from dagtop_app.commandline.shortcut import read

PLAIN = [
    "etl.py",
    "./a/b/etl.py:graph",
    "etl.py -p n=30 -p seconds=5 --no-journal",
    "-p n=1 etl.py --param text='a b' -p empty= -p x=-1",
    "etl.py --max-parallel 8 --timeout 1.50 --fail-fast",
    "--db /tmp/history.db etl.py --report r.html --report r.json",
    "'with space.py' -p 'json={\"a\": [1, 2]}'",
]
LEFT = [
    "",
    "etl",
    "run etl.py",
    "check etl.py",
    "etl.py other.py",
    "etl.py --help",
    "-h",
    "--version",
    "etl.py --json",
    "etl.py --plain",
    "etl.py --loop trio",
    "etl.py --max-parallel=8",
    "etl.py --max-parallel eight",
    "etl.py --max-parallel 0",
    "etl.py --max-parallel -1",
    "etl.py --timeout 1e3",
    "etl.py --timeout nan",
    "etl.py --timeout 1 --timeout 2",
    "etl.py --fail-fast --fail-fast",
    "etl.py -pn=1",
    "etl.py -p",
    "etl.py -p ''",
    "etl.py -p --no-journal",
    "etl.py -- -x.py",
    "-etl.py",
    "etl.py --parallel 8",
    "resume last --db x.py",
]


@pytest.mark.parametrize("line", PLAIN)
def test_what_is_read_is_what_the_parser_reads(line):
    arguments = shlex.split(line)
    asked = read(arguments)
    assert asked is not None
    _, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    (file,) = bound.args
    assert asked.file == str(file) or asked.file == f"./{file}"
    assert asked.graph == bound.kwargs.get("graph", GraphOptions())
    assert asked.output == bound.kwargs.get("output", OutputOptions())
    assert asked.keep == bound.kwargs.get("keep", KeepOptions())


@pytest.mark.parametrize("line", LEFT)
def test_everything_else_is_left_to_the_parser(line):
    assert read(shlex.split(line)) is None
