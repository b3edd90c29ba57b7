"""The commands as they are typed: what they print where, and with which exit code they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dagtop import Graph
from dagtop.journal.sqlite import SqliteJournal
from dagtop.loaders.python import load
from dagtop.ports.journal import RunRecord
from dagtop_app.commandline.options import seconds_of
from dagtop_app.version import VERSION

ETL = """
    import os
    from dagtop import Graph

    print("at import")
    graph = Graph("etl", max_parallel=4)

    @graph.task
    def extract(day="monday"):
        print("printed")
        os.write(1, b"raw\\n")
        os.system("echo from a child")
        return day

    @graph.task(cost=3)
    async def load(extract): ...

    @graph.task
    def report(extract): ...
"""

FAILS = """
    from dagtop import Graph

    graph = Graph("bad")

    @graph.task
    def works(): return 1

    @graph.task
    def fails(works): raise ValueError("no \\x1b[31mluck\\nat all")

    @graph.task
    def after(fails): ...
"""


def events_of(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


# -- usage ------------------------------------------------------------------------------------------------------------


def test_dagtop_alone_prints_help_and_leaves_with_0(dagtop_here):
    told = dagtop_here()
    assert (told.code, told.err) == (0, "")
    for word in ("check", "completion", "resume", "run", "runs", "--max-parallel", "Exit codes"):
        assert word in told.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rnu"], "there is no command and no file 'rnu'; did you mean 'run'?"),
        (["chekc", "etl.py"], "did you mean 'check'?"),
        (["xyzzy"], "the commands are"),
        (["run"], "FILE is missing"),
        (["resume"], "RUN is missing\nTry 'dagtop resume --help'."),
        (["run", "etl.py", "other.py"], "too many arguments: other.py"),
        (["run", "etl.py", "--max-paralel", "3"], "Did you mean --max-parallel?"),
        (["run", "etl.py", "--max-parallel", "0"], "--max-parallel takes a whole number of at least 1, not 0"),
        (["run", "etl.py", "--max-parallel", "many"], '"many"'),
        (["run", "etl.py", "--timeout", "0"], "--timeout takes a number of seconds above 0, not 0"),
        (["run", "etl.py", "--timeout", "nan"], "not nan"),
        (["run", "etl.py", "--timeout"], "--timeout needs a value"),
        (["run", "etl.py", "--timeout", "10q"], "a duration such as 10s, 5m or 1h30m, not '10q'"),
        (["run", "etl.py", "--timeout", "10s ago"], "not '10s ago'"),
        (["run", "etl.py", "--timeout", "0m"], "--timeout takes a number of seconds above 0, not 0"),
        (["run", "etl.py", "--json", "--plain"], "give one of them"),
        (["run", "etl.py", "-p", "day"], "-p takes NAME=VALUE, not 'day'"),
        (["run", "etl.py", "-p", "a b=1"], "-p takes NAME=VALUE"),
        (["run", "etl.py", "--loop", "twisted"], '"asyncio", "trio"'),
        (["run", "etl.py", "--report", "run.pdf"], "its name must end in"),
        (["run", "etl.py", "--report", "nowhere/run.html"], "no folder 'nowhere'"),
        (["runs", "--limit", "-1"], "--limit takes"),
        (["completion", "tcsh"], '"bash", "zsh", "fish"'),
    ],
)
def test_a_slip_of_the_pen_is_told_in_a_line_and_nothing_runs(dagtop_here, write, arguments, expected):
    write("etl.py", ETL)
    told = dagtop_here(*arguments)
    assert (told.code, told.out) == (2, "")
    assert expected in told.err
    assert "at import" not in told.err
    assert "Traceback" not in told.err
    assert told.err.startswith("dagtop: ")


def test_a_file_that_is_called_like_a_command_is_run_by_its_path(dagtop_here, write):
    write("run", ETL)
    assert dagtop_here("./run", "--no-journal").code == 0
    assert dagtop_here("run", "run", "--no-journal").code == 0


@pytest.mark.parametrize("command", [["run"], ["check"], []])
def test_a_file_that_cannot_be_loaded_leaves_with_2(dagtop_here, write, command):
    write("etl.py", "1 / 0\n")
    told = dagtop_here(*command, "etl.py")
    assert (told.code, told.out) == (2, "")
    assert told.err == "dagtop: could not load etl.py:1: raises ZeroDivisionError: division by zero\n"


def test_all_problems_of_a_graph_are_told_with_their_lines(dagtop_here, write):
    write("etl.py", "from dagtop import Graph\ng = Graph()\n@g.task\ndef a(b): ...\n@g.task(retires=3)\ndef c(): ...\n")
    for command in ("check", "run"):
        told = dagtop_here(command, "etl.py")
        assert (told.code, told.out) == (2, "")
        assert "2 problems" in told.err
        assert "  etl.py:3: parameter 'b' is no task and no input" in told.err
        assert "  etl.py:5: task 'c': there is no option 'retires'; did you mean 'retries'?" in told.err


def test_hostile_text_in_an_error_is_shown_and_not_sent(dagtop_here, write):
    write("etl.py", r"raise ValueError('a\x1b[2Jb\x9bc')" + "\n")
    assert "a␛[2Jb\N{REPLACEMENT CHARACTER}c" in dagtop_here("check", "etl.py").err


# -- check ------------------------------------------------------------------------------------------------------------


def test_check_prints_the_plan_and_runs_nothing(dagtop_here, write):
    write("etl.py", ETL)
    told = dagtop_here("check", "etl.py", "-p", "day=tuesday")
    assert told.code == 0
    assert told.err == "at import\n"
    assert told.out.splitlines() == [
        "etl: 3 tasks, 2 edges, 2 levels, no problems",
        "  widest level      2 tasks",
        "  levels            1 · 2",
        "  critical path     2 tasks, cost 4 of 5",
        "                    extract → load",
        "  forecast          cost 4 with 4 at once, of which it uses 2",
        "  max_parallel      4",
        "  fail_fast         no",
        "  default_retries   0",
        "  input             day = 'tuesday'",
    ]


def test_check_tells_the_same_as_json(dagtop_here, write):
    path = write("etl.py", ETL)
    told = dagtop_here("check", "etl.py", "--json", "--max-parallel", "2", "--fail-fast")
    plan = json.loads(told.out)
    assert plan["ok"] is True
    assert plan["source"] == str(path)
    assert (plan["tasks"], plan["edges"], plan["levels"], plan["widths"]) == (3, 2, 2, [1, 2])
    assert (plan["critical_path"], plan["critical_cost"]) == (["extract", "load"], 4)
    assert (plan["options"]["max_parallel"], plan["options"]["fail_fast"]) == (2, True)


def test_B8_check_forecasts_from_earlier_runs_and_says_from_how_many(dagtop_here, write, tmp_path):
    path = write(
        "plan.py",
        "from dagtop import Graph\n"
        "g = Graph('g', max_parallel=1)\n"
        "g.add('a', lambda: 1).add('b', lambda a: 1).add('c', lambda: 1).add('d', lambda: 1, cost=2)\n",
    )
    journal = SqliteJournal(tmp_path / "runs.db")
    graph = load(str(path), {}, kinds=(Graph,)).target
    for number, seconds in enumerate([[2.0, 4.0, -1.0, 3.0], [4.0, 6.0, -1.0, 5.0], [3.0, -1.0, -1.0, 4.0]]):
        record = RunRecord(
            run=f"r{number}", graph="g", source=str(path), started_at=1.0, pid=1, names=graph.names,
            upstream=((), (0,), (), ()), fingerprints=graph.fingerprints(),
        )  # fmt: skip
        writer = journal.begin(record, lambda task, message: None)
        writer.took(graph.names, graph.fingerprints(), seconds)
        writer.close()
    told = dagtop_here("check", "plan.py")
    # a 3 s, b 5 s; d took 4 s and is declared as 2, so 1 is 2 s; c counts as the median of 3, 4 and 5 s.
    assert told.out.splitlines()[3:9] == [
        "  critical path     2 tasks, 8.0s of 0:16",
        "                    a 3.0s (3 runs) → b 5.0s (2 runs)",
        "  forecast          0:16 with 1 at once, of which it uses 1",
        "  known from        2 to 3 runs of 3 tasks",
        "                    1 declared cost, 1 taken as 2.0s",
        "                    nothing of c: taken as 4.0s",
    ]
    found = json.loads(dagtop_here("check", "plan.py", "--json", "--max-parallel", "2").out)["forecast"]
    assert (found["makespan"], found["unit"], found["max_parallel"], found["width"]) == (8, "seconds", 2, 2)
    known = {task["task"]: (task["cost"], task["from"], task["runs"]) for task in found["tasks"]}
    assert known == {"a": (3, "runs", 3), "b": (5, "runs", 2), "c": (4, "nothing", 0), "d": (4, "declared", 3)}
    (tmp_path / "broken.db").write_text("no database" * 1000)
    assert dagtop_here("check", "plan.py", "--db", "broken.db").code == 2


def test_a_second_run_takes_what_is_unchanged_unless_it_is_told_not_to(dagtop_here, write):
    write("cached.py", "from dagtop import Graph\ng = Graph('g')\ng.add('a', lambda: 1, cache=True)\n")
    states = []
    for arguments in ([], [], ["--no-cache"], ["--no-journal"]):
        told = dagtop_here("run", "cached.py", "--json", *arguments)
        states.append(json.loads(told.out.splitlines()[-1])["counts"])
    assert states == [{"succeeded": 1}, {"cached": 1}, {"succeeded": 1}, {"succeeded": 1}]


def test_check_tells_problems_as_json_too(dagtop_here, write):
    path = write("etl.py", "from dagtop import Graph\ng = Graph()\n@g.task\ndef a(b): ...\n")
    told = dagtop_here("check", "etl.py", "--json")
    assert told.code == 2
    assert json.loads(told.out) == {
        "v": 1,
        "ok": False,
        "problems": [
            {
                "message": "parameter 'b' is no task and no input; "
                "as an input it is given with -p b=VALUE or inputs={'b': …}",
                "place": f"{path}:3",
            }
        ],
    }
    assert "etl.py:3" in told.err


def test_an_input_that_looks_secret_is_not_shown(dagtop_here, write):
    write("etl.py", "from dagtop import Graph\ng = Graph()\n@g.task\ndef a(api_token): ...\n")
    assert "hunter2" not in dagtop_here("check", "etl.py", "-p", "api_token=hunter2").out


def test_a_parameter_that_nothing_takes_is_told_with_the_nearest(dagtop_here, write):
    write("etl.py", ETL)
    told = dagtop_here("check", "etl.py", "-p", "dya=3")
    assert told.code == 2
    assert "no task and no build() takes the parameter 'dya'" in told.err


def test_a_parameter_near_one_of_build_that_was_not_given_is_told(dagtop_here, write):
    write("etl.py", "from dagtop import Graph\ndef build(day='x'): return Graph('g').add('a', lambda: day)\n")
    told = dagtop_here("check", "etl.py", "-p", "dya=3")
    assert (told.code, "takes the parameter 'dya' (did you mean 'day'?)" in told.err) == (2, True)


# -- run --------------------------------------------------------------------------------------------------------------


def test_json_is_clean_whatever_tasks_print(dagtop_here, write):
    write("etl.py", ETL)
    told = dagtop_here("run", "etl.py", "--json", "--no-journal")
    events = events_of(told.out)
    assert told.code == 0
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["v"] for event in events} == {1}
    assert len({event["run"] for event in events}) == 1
    assert events[0]["type"] == "run.started"
    assert (events[-1]["type"], events[-1]["state"], events[-1]["counts"]) == (
        "run.finished",
        "succeeded",
        {"succeeded": 3},
    )
    assert [e["line"] for e in events if e["type"] == "log"] == ["printed"]
    for line in ("at import", "raw", "from a child"):
        assert f"{line}\n" in told.err
        assert line not in told.out


def test_every_json_line_has_the_same_head(dagtop_here, write):
    write("etl.py", ETL)
    for event in events_of(dagtop_here("run", "etl.py", "--json", "--no-journal").out):
        assert list(event)[:6] == ["v", "seq", "time", "elapsed", "type", "run"]
        assert len(event["time"]) == len("2026-01-02T03:04:05.123456Z")
        assert event["time"].endswith("Z")


def test_plain_lines_go_to_stdout_when_asked_for_and_else_to_stderr(dagtop_here, write):
    write("etl.py", ETL)
    asked = dagtop_here("run", "etl.py", "--plain", "--no-journal")
    assert " extract started.\n" in asked.out
    assert " extract | printed\n" in asked.out
    assert "raw" not in asked.out
    unasked = dagtop_here("run", "etl.py", "--no-journal")
    assert unasked.out == ""
    assert " extract started.\n" in unasked.err


def test_a_run_that_fails_leaves_with_1_and_tells_the_story(dagtop_here, write):
    write("bad.py", FAILS)
    told = dagtop_here("run", "bad.py", "--plain")
    assert told.code == 1
    assert "fails failed, attempt 1 of 1: ValueError: no ␛[31mluck␊at all. Needed by after." in told.out
    assert "after skipped: upstream fails failed." in told.out
    assert "fails: ValueError: no ␛[31mluck␊at all" in told.err
    assert "go on with: dagtop resume " in told.err
    assert "\x1b" not in told.out + told.err


def test_a_run_without_a_terminal_needs_no_word_run(dagtop_here, write):
    write("etl.py", ETL)
    assert events_of(dagtop_here("etl.py", "--json", "--no-journal").out)[-1]["state"] == "succeeded"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1e3", 1000),
        ("10s", 10),
        ("250ms", 0.25),
        ("5m", 300),
        ("2min", 120),
        ("1h30m", 5400),
        ("1.5h", 5400),
    ],
)
def test_a_timeout_is_given_in_seconds_or_as_a_duration(dagtop_here, write, text, seconds):
    assert seconds_of(text) == seconds
    write("etl.py", "from dagtop import Graph\ng = Graph('g').add('a', print)\n")
    told = dagtop_here("check", "etl.py", "--timeout", text, "--json")
    assert json.loads(told.out)["options"]["run_timeout"] == seconds


def test_the_run_timeout_leaves_with_124(dagtop_here, write):
    write(
        "long.py",
        "import anyio\nfrom dagtop import Graph\ng = Graph()\n@g.task\nasync def a(): await anyio.sleep(1000)\n",
    )
    told = dagtop_here("run", "long.py", "--timeout", "0.01", "--json", "--no-journal")
    assert told.code == 124
    assert events_of(told.out)[-1]["state"] == "timed_out"


def test_trio_runs_it_as_well(dagtop_here, write):
    pytest.importorskip("trio")
    write(
        "etl.py",
        "import sniffio\nfrom dagtop import Graph\ng = Graph()\n@g.task\nasync def a(): print(sniffio.current_async_library())\n",
    )
    assert "a | trio" in dagtop_here("run", "etl.py", "--plain", "--loop", "trio", "--no-journal").out


def test_parameters_reach_tasks_as_json_or_text(dagtop_here, write):
    write(
        "etl.py", "from dagtop import Graph\ng = Graph()\n@g.task\ndef a(n, day, none): print(repr((n, day, none)))\n"
    )
    told = dagtop_here(
        "run", "-p", "n=[1, 2.5]", "-p", "day=2026-01-02", "-p", "none=NaN", "etl.py", "--plain", "--no-journal"
    )
    assert "a | ([1, 2.5], '2026-01-02', 'NaN')" in told.out


def test_an_executor_in_the_file_brings_its_own_options(dagtop_here, write):
    write(
        "etl.py",
        """
        from dagtop import DAGExecutor, ExecutorConfig, Graph
        graph = Graph("etl")
        graph.add("a", lambda: None)
        executor = DAGExecutor(graph, ExecutorConfig(max_parallel=7))
        """,
    )
    assert events_of(dagtop_here("run", "etl.py", "--json", "--no-journal").out)[0]["max_parallel"] == 7
    assert (
        events_of(dagtop_here("run", "etl.py", "--json", "--no-journal", "--max-parallel", "3").out)[0]["max_parallel"]
        == 3
    )


def test_reports_are_written_where_they_were_asked_for(dagtop_here, write, tmp_path):
    write("bad.py", FAILS)
    told = dagtop_here("run", "bad.py", "--no-journal", "--report", "run.json", "--report", "run.html")
    assert told.code == 1
    assert json.loads((tmp_path / "run.json").read_text())
    assert "<html" in (tmp_path / "run.html").read_text()
    assert "report: run.json, run.html" in told.err


@pytest.mark.parametrize("history", [b"not a journal" * 500, b""])
def test_B17_a_history_that_is_no_journal_is_told_and_the_run_goes_on(dagtop_here, write, monkeypatch, history):
    """Nobody asked for it by name: a broken file in the user's own folder once kept every graph from running."""
    write("bad.py", "from dagtop import Graph\ng = Graph()\n@g.task\ndef a(): raise ValueError('no')\n")
    monkeypatch.setenv("DAGTOP_DB", str(write("torn.db", history)))

    told = dagtop_here("run", "bad.py", "--plain")

    assert told.code == 1
    assert "this run is not kept: the journal" in told.out
    assert "go on with" not in told.err
    assert Path("torn.db").read_bytes() == history


def test_a_journal_that_cannot_be_written_is_told_before_anything_runs(dagtop_here, write):
    write("etl.py", ETL)
    told = dagtop_here("run", "etl.py", "--plain", "--db", "etl.py")
    assert (told.code, told.out) == (2, "")
    assert "the journal" in told.err


# -- runs and resume --------------------------------------------------------------------------------------------------


def test_runs_are_listed_latest_first(dagtop_here, write):
    assert "no runs are kept" in dagtop_here("runs").err
    write("etl.py", ETL)
    write("bad.py", FAILS)
    dagtop_here("run", "etl.py")
    dagtop_here("run", "bad.py")
    listed = [json.loads(line) for line in dagtop_here("runs", "--json").out.splitlines()]
    assert [(run["graph"], run["state"]) for run in listed] == [("bad", "failed"), ("etl", "succeeded")]
    assert listed[0]["counts"] == {"succeeded": 1, "failed": 1, "skipped": 1}
    head, bad = dagtop_here("runs", "--limit", "1").out.splitlines()
    assert head.split() == ["RUN", "STATE", "STARTED", "TOOK", "TASKS", "GRAPH", "ENDINGS", "FILE"]
    assert bad.index("1 succeeded, 1 failed, 1 skipped") == head.index("ENDINGS")
    assert bad.index("bad.py") == head.index("FILE")
    assert bad.split()[:2] == [listed[0]["run"], "failed"]


def test_resume_keeps_what_succeeded_and_runs_the_rest(dagtop_here, write):
    write("bad.py", FAILS)
    dagtop_here("run", "bad.py", "--plain")
    write("bad.py", FAILS.replace("raise ValueError(", "print(works, "))
    told = dagtop_here("resume", "last", "--plain")
    assert told.code == 0
    assert "goes on: 2 tasks to do, 1 result kept" in told.err
    assert "fails | 1 no" in told.out
    assert "works started" not in told.out
    again = dagtop_here("resume", "last", "--plain")
    assert (again.code, again.out) == (0, "")
    assert "nothing is left to do" in again.err


def test_resume_tells_what_runs_again_and_why(dagtop_here, write):
    write("bad.py", FAILS)
    dagtop_here("run", "bad.py")
    write("bad.py", FAILS.replace("return 1", "return 2"))
    told = dagtop_here("resume", "last", "--json")
    assert told.code == 1
    assert "works runs again: its code or options changed" in told.err
    assert "--trust-changes" in told.err
    events = events_of(told.out)
    assert events[0]["seq"] > 1
    assert "run.resumed" in {event["type"] for event in events}
    trusting = dagtop_here("resume", "last", "--trust-changes", "--plain")
    assert "works started" not in trusting.out


def test_resume_gives_the_run_its_parameters_and_options_again(dagtop_here, write):
    text = "from dagtop import Graph\ng = Graph()\n@g.task\ndef a(n):\n    print(n)\n    raise ValueError\n"
    write("etl.py", text)
    dagtop_here("run", "etl.py", "-p", "n=[1]", "--max-parallel", "5")
    assert "a | [1]" in dagtop_here("resume", "last", "--plain").out
    assert "a | two" in dagtop_here("resume", "last", "--plain", "-p", "n=two").out


def test_resume_goes_back_to_the_folder_where_the_run_was_started(dagtop_here, write, tmp_path, monkeypatch):
    """Relative paths meant another folder when somebody resumed from there."""
    text = "import os\nfrom dagtop import Graph\ng = Graph()\n@g.task\ndef a():\n    print(os.getcwd())\n    raise ValueError\n"
    write("etl.py", text)
    first, other = tmp_path / "first", tmp_path / "other"
    first.mkdir()
    other.mkdir()
    monkeypatch.chdir(first)
    dagtop_here("run", "../etl.py")
    here = dagtop_here("resume", "last", "--plain")
    assert ("folder" in here.err, f"a | {first}" in here.out) == (False, True)
    monkeypatch.chdir(other)
    told = dagtop_here("resume", "last", "--plain", "--report", "run.json")
    assert f"in the folder where the run was started: {first}" in told.err
    assert f"a | {first}" in told.out
    assert (other / "run.json").exists()
    monkeypatch.chdir(other)
    first.rmdir()
    gone = dagtop_here("resume", "last", "--plain")
    assert f"the run was started in {first}: No such file or directory; relative paths mean this folder now" in gone.err
    assert f"a | {other}" in gone.out


def test_resume_of_what_is_not_there_is_told(dagtop_here, write):
    assert dagtop_here("resume", "last").code == 2
    write("bad.py", FAILS)
    dagtop_here("run", "bad.py")
    told = dagtop_here("resume", "zzz")
    assert (told.code, told.out) == (2, "")
    assert "there is no run 'zzz'" in told.err


def test_resume_of_a_run_whose_file_is_gone_is_told(dagtop_here, write):
    path = write("bad.py", FAILS)
    dagtop_here("run", "bad.py")
    path.unlink()
    told = dagtop_here("resume", "last")
    assert told.code == 2
    assert "there is no such file" in told.err


def test_a_report_of_a_run_that_was_kept(dagtop_here, write, tmp_path):
    write("bad.py", FAILS)
    dagtop_here("run", "bad.py", "--report", "live.json")
    write("bad.py", FAILS.replace("def after(fails)", "def later(fails)"))
    told = dagtop_here("report", "last")
    assert (told.code, told.err) == (0, "")
    assert "bad: failed" in told.out
    assert "1 ok, 1 failed, 1 skipped" in told.out
    assert dagtop_here("report", "last", "kept.json", "kept.html").code == 0
    live, kept = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("live", "kept"))
    assert [(task["name"], task["state"]) for task in kept["tasks"]] == [(t["name"], t["state"]) for t in live["tasks"]]
    dagtop_here("resume", "last")
    assert "fails" in dagtop_here("report", "last").out, "also when the graph has changed in between"
    assert "its name must end in" in dagtop_here("report", "last", "kept.pdf").err


# -- version ----------------------------------------------------------------------------------------------------------


def test_the_version_is_the_one_of_the_distribution(dagtop_here, pytestconfig):
    assert f'\nversion = "{VERSION}"\n' in (pytestconfig.rootpath / "pyproject.toml").read_text()
    assert dagtop_here("--version").out == f"{VERSION}\n"


def test_problems_that_are_alike_are_told_once_and_counted(dagtop_here, write):
    lines = "".join(f"g.add('t{number}', print, retires=3)\n" for number in range(17))
    write("etl.py", f"from dagtop import Graph\ng = Graph()\n{lines}")
    told = dagtop_here("check", "etl.py").err.splitlines()
    assert told[0] == "dagtop: the graph cannot be run, 17 problems:"
    assert told[-1] == "  … and 14 more like it"
    assert len(told) == 5


def test_resume_tells_one_figure_of_what_is_kept(dagtop_here, write):
    write(
        "etl.py",
        """
        import os
        from dagtop import Graph
        g = Graph("etl")
        g.add("first", lambda: 1)
        def part(number):
            return 1 / (number - 2)
        g.map("parts", part, over=[1, 2, 3])
        g.add("last", lambda first, parts: 1)
        """,
    )
    assert dagtop_here("run", "etl.py").code == 1
    told = dagtop_here("resume", "last", "--plain")
    assert (
        "goes on: 2 tasks to do, 1 result kept, and of 2 tasks that came while it ran, as these come again" in told.err
    )
    assert "run resumed; 1 result kept." in told.out
    assert told.out.count("kept its result: it was done before the run was resumed") == 2
