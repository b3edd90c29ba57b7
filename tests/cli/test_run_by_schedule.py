"""`dagtop run` and `dagtop check` of a graph with a schedule, as processes."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import datetime

import pytest

NIGHTLY = """
    from dagtop import Graph
    graph = Graph("nightly", cron="0 2 * * *", timezone="Europe/Berlin")
    graph.add("one", lambda: 1)
"""

#: As often as it goes; it counts its runs in a file, and from the third on they fail.
BUSY = """
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("busy", every=0.05)

    @graph.task
    def count():
        done = Path("count")
        runs = int(done.read_text()) + 1 if done.exists() else 1
        done.write_text(str(runs))
        if runs >= 3:
            raise OSError("from now on")
"""


def until(process: subprocess.Popen[str], text: str, times: int = 1) -> str:
    """What the process tells on stderr up to the line that has the text for so many times."""
    assert process.stderr is not None
    told, found = "", 0
    for line in process.stderr:
        told += line
        found += text in line
        if found == times:
            return told
    raise AssertionError(f"{text!r} was never told:\n{told}")


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl+C"), (signal.SIGTERM, "SIGTERM")])
def test_B44_it_says_when_it_is_due_and_waits_until_it_is_told_to_stop(write, run, number, name) -> None:
    write("nightly.py", NIGHTLY)
    process = run.start("run", "nightly.py")
    told = until(process, "next run of nightly at ")
    assert "02:00" in told
    assert " (in " in told
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == f"dagtop: {name}: waits no longer\n"


def test_B44_each_run_is_one_of_its_own_and_the_exit_code_is_that_of_the_latest(write, run) -> None:
    write("busy.py", BUSY)
    process = run.start("run", "busy.py", "--plain")
    told = until(process, "busy: failed")
    assert told.count("busy: succeeded after") == 2
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    counted = int((run.folder / "count").read_text())
    runs = [json.loads(line) for line in run("runs", "--json", "--limit", "0").stdout.splitlines()]
    assert len({kept["run"] for kept in runs}) == len(runs) >= counted >= 3
    assert [kept["state"] for kept in runs][::-1][:3] == ["succeeded", "succeeded", "failed"]
    between_runs = "waits no longer" in err  # else the signal came while one went on, and may have ended that
    assert process.returncode in ({1} if between_runs else {1, 130})


def test_B44_a_signal_while_a_run_goes_on_ends_it_and_the_waiting(write, run) -> None:
    write(
        "slow.py",
        """
        import anyio
        from dagtop import Graph
        graph = Graph("slow", every=0.05)

        @graph.task
        async def waits():
            print("under way")
            await anyio.sleep(1000)
        """,
    )
    process = run.start("run", "slow.py")
    until(process, "under way")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "next run" not in err


def test_B44_the_previous_run_is_cancelled_for_the_next_one_if_so_wanted(write, run) -> None:
    write(
        "slow.py",
        """
        import anyio
        from dagtop import Graph
        graph = Graph("slow", every=0.5, overlap="cancel")

        @graph.task
        async def waits():
            await anyio.sleep(1000)
        """,
    )
    process = run.start("run", "slow.py", "--json")
    events = []
    assert process.stdout is not None
    for line in process.stdout:
        events.append(json.loads(line))
        if [event["type"] for event in events].count("run.started") == 2:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    (finished,) = [event for event in events if event["type"] == "run.finished"]
    assert finished["state"] == "cancelled"
    (command,) = [event for event in events if event["type"] == "command.applied"]
    assert command["by"] == "the schedule"
    assert len({event["run"] for event in events}) == 2


def test_B44_now_runs_once_at_once_and_leaves(write, run) -> None:
    write("nightly.py", NIGHTLY)
    done = run("run", "nightly.py", "--now", "--plain")
    assert done.returncode == 0
    assert "one succeeded" in done.stdout
    assert "next run" not in done.stderr


def test_B44_moments_that_have_passed_leave_nothing_to_do(write, run) -> None:
    write("past.py", 'from dagtop import Graph\ngraph = Graph("past", at="2020-01-01").add("one", lambda: 1)')
    done = run("run", "past.py")
    assert (done.returncode, done.stderr) == (
        0,
        "dagtop: past is not due any more: every moment that at= names is past\n",
    )


def test_B44_check_lists_the_next_five_due_times(write, dagtop_here) -> None:
    write("nightly.py", NIGHTLY)
    lines = dagtop_here("check", "nightly.py").out.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("  next due "))
    assert [line.split()[-2] for line in lines[first : first + 5]] == ["02:00"] * 5
    assert not lines[first + 5].startswith("   ")
    told = json.loads(dagtop_here("check", "nightly.py", "--json").out)
    due = [datetime.fromisoformat(moment) for moment in told["due"]]
    assert len(due) == 5
    assert due == sorted(due)
    write("plain.py", 'from dagtop import Graph\ngraph = Graph("plain").add("one", lambda: 1)')
    assert json.loads(dagtop_here("check", "plain.py", "--json").out)["due"] == []
    assert "next due" not in dagtop_here("check", "plain.py").out


def test_B44_check_lists_the_next_due_times_of_nodes_with_their_names(write, dagtop_here) -> None:
    write(
        "meta.py",
        """
        from dagtop import Graph, MetaDAG
        hourly = Graph("hourly", cron="0 * * * *", timezone="UTC").add("page", lambda: 1)
        never = Graph("plain").add("total", lambda: 1)
        nightly = MetaDAG("nightly").add(hourly).add(MetaDAG("inner").add(hourly, name="deep")).add(never)
        """,
    )
    told = json.loads(dagtop_here("check", "meta.py", "--json").out)
    assert [due["node"] for due in told["nodes_due"]] == ["hourly", "inner/deep", "hourly", "inner/deep", "hourly"]
    lines = dagtop_here("check", "meta.py").out.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("  next due "))
    assert lines[first].endswith(":00 UTC  hourly")
    assert lines[first + 1].endswith(":00 UTC  inner/deep")


def test_B44_a_wrong_option_is_told_with_its_place(write, dagtop_here) -> None:
    write("wrong.py", 'from dagtop import Graph\ngraph = Graph("wrong", cron="0 25 * * *").add("one", lambda: 1)')
    told = dagtop_here("check", "wrong.py")
    assert told.code == 2
    assert "cron '0 25 * * *' cannot be read: bad hour" in told.err
    assert "wrong.py:2" in told.err


def test_B44_a_reconciler_has_no_schedule_of_its_own(write, dagtop_here) -> None:
    """It waited for its due time, and then for ever."""
    write(
        "kept.py", 'from dagtop import Graph, Reconciler\nkept = Reconciler(Graph("g", every=60).add("one", lambda: 1))'
    )
    for command in ("check", "run"):
        told = dagtop_here(command, "kept.py")
        assert told.code == 2
        assert "are for what comes to an end; a Reconciler keeps its tasks up all the time" in told.err
        assert "kept.py:2" in told.err


def test_B44_a_node_with_a_schedule_starts_over_in_a_run_that_lasts_and_a_signal_ends_it(write, run) -> None:
    write(
        "meta.py",
        """
        from dagtop import Graph, MetaDAG
        ingest = Graph("ingest", every=0.5).add("page", lambda: 1)
        report = Graph("report").add("total", lambda ingest: ingest["page"])
        nightly = MetaDAG("nightly").add(ingest).add(report, depends_on=["ingest"])
        """,
    )
    process = run.start("run", "meta.py", "--json")
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        pages = [event for event in events if event["type"] == "task.succeeded" and event["task"] == "ingest/page"]
        if len(pages) == 3:
            break
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 143)
    assert "next run of ingest at " in err
    assert [event["task"] for event in events if event["type"] == "task.succeeded"].count("report/total") == 1
    assert len({event["run"] for event in events}) == 1


def test_a_schedule_that_is_all_past_is_told_by_check(write, dagtop_here) -> None:
    write("past.py", "from dagtop import Graph\ngraph = Graph('past', at='2020-01-01').add('a', lambda: 1)\n")
    assert "  next due          never: every moment that at= names is past" in dagtop_here("check", "past.py").out


@pytest.mark.parametrize(
    "make", ["Graph('g', {}).add('a', lambda: 1)", "MetaDAG('m', {}).add(Graph('g').add('a', lambda: 1))"]
)
def test_how_a_schedule_is_kept_is_refused_where_there_is_none(make, write, dagtop_here) -> None:
    """It was accepted without a word, and the graph ran once and at once."""
    write(
        "idle.py", "from dagtop import Graph, MetaDAG\ngraph = " + make.format("timezone='UTC', missed='once'") + "\n"
    )
    told = dagtop_here("check", "idle.py")
    assert told.code == 2
    assert "timezone= and missed= without a schedule: say when with every=, cron= or at=" in told.err
    write("idle.py", "from dagtop import Graph, MetaDAG\ngraph = " + make.format("timezone='UTC', every=5") + "\n")
    assert dagtop_here("check", "idle.py").code == 0
