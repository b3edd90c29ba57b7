"""Real signals to a real process: what runs is stopped, cleaned up and told, and the exit code says who did it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from dagtop_app.commandline.signals import Signals

#: Two tasks that go on until they are told to stop; each says when it is under way, and one what it does at its end.
SLOW = """
    import threading, time, anyio
    from dagtop import Graph, TaskContext

    graph = Graph("slow")
    both = threading.Barrier(2)

    @graph.task
    def polite(ctx: TaskContext):
        both.wait()
        while not ctx.cancelled:
            time.sleep(0.001)

    @graph.task
    async def waits():
        await anyio.to_thread.run_sync(both.wait)
        print("under way")
        try:
            await anyio.sleep(1000)
        finally:
            print("cleaned up")
"""

#: A task that no cancel reaches.
STUCK = """
    import threading
    from dagtop import Graph

    graph = Graph("stuck")

    @graph.task
    def stuck():
        print("under way")
        threading.Event().wait(1000)
"""


def until(process: subprocess.Popen[str], text: str) -> str:
    """What the process prints up to the line with the text."""
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if text in line:
            return told
    raise AssertionError(f"{text!r} was never printed:\n{told}\n{process.communicate()[1]}")


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGINT, 130, "Ctrl+C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_a_signal_stops_what_runs_cleans_up_and_tells_how_to_go_on(run, write, number, code, name):
    write("slow.py", SLOW)
    with run.start("run", "slow.py", "--json") as process:
        until(process, "under way")
        process.send_signal(number)
        out, err = process.communicate()
    events = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == code
    assert [event["line"] for event in events if event["type"] == "log"] == ["cleaned up"]
    assert (events[-1]["type"], events[-1]["counts"]) == ("run.finished", {"cancelled": 2})
    assert f"interrupted by {name}" in err
    assert "go on with: dagtop resume " in err


def test_a_second_signal_leaves_at_once_and_names_what_still_ran(run, write):
    write("stuck.py", STUCK)
    with run.start("run", "stuck.py", "--plain", "--no-journal") as process:
        until(process, "under way")
        process.send_signal(signal.SIGINT)
        until(process, "was told to stop")
        process.send_signal(signal.SIGTERM)  # of another kind: it counts however soon it comes
        _, err = process.communicate()
    assert process.returncode == 130
    assert "left at once; still running: stuck" in err
    assert "Traceback" not in err


def test_signals_of_one_kind_that_come_together_count_once():
    """`timeout -s INT 3 dagtop run` signals dagtop and then its group: the run left at once, and nothing was cleaned up."""
    now = [100.0]
    taken: list[int] = []
    signals = Signals(now=lambda: now[0])
    signals.deliver_to(taken.append)
    signals.install()
    try:
        for at, number in [
            (100.0, signal.SIGINT),
            (100.0, signal.SIGINT),
            (100.4, signal.SIGINT),
            (100.4, signal.SIGTERM),
            (100.6, signal.SIGINT),
        ]:
            now[0] = at
            signal.raise_signal(number)
    finally:
        signals.restore()
    assert taken == [signal.SIGINT, signal.SIGTERM, signal.SIGINT]
    assert (signals.received, signals.exit_code) == (taken, 130)


def test_a_signal_while_the_file_loads_ends_it(run, write):
    write("etl.py", "import os, time\nos.write(2, b'loading\\n')\ntime.sleep(1000)\n")
    with run.start("run", "etl.py", stderr=subprocess.STDOUT) as process:
        until(process, "loading")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate()
    assert process.returncode == 143
    assert out == "dagtop: SIGTERM: nothing ran\n"


def test_the_command_lines_own_library_takes_no_signal_for_ctrl_c():
    """It left with 130 and without a word, whatever the signal was, wherever it came while nothing was running yet."""
    from dagtop_app.commandline.cli import app

    assert not app.suppress_keyboard_interrupt


def test_a_signal_that_was_ignored_before_stays_ignored(run, write):
    write("slow.py", SLOW)
    script = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    )
    command = run.command("run", "slow.py", "--plain", "--no-journal")
    with subprocess.Popen(
        [command[0], "-c", script, *command], cwd=run.folder, env=run.environ, stdout=subprocess.PIPE, text=True
    ) as process:
        until(process, "under way")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 143


def test_a_reader_that_goes_away_ends_the_run_without_a_traceback(run, write):
    write(
        "slow.py",
        SLOW.replace(
            'print("under way")',
            'print("under way")\n        while True:\n            print("x" * 99)\n            await anyio.sleep(0)',
        ),
    )
    with run.start("run", "slow.py", "--json", "--no-journal") as process:
        until(process, "under way")
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 141
    assert "nobody reads the output any more" in err
    assert "Traceback" not in err


def test_a_closed_stdout_is_no_reason_to_fail(run, write):
    write("etl.py", "from dagtop import Graph\ngraph = Graph('etl')\ngraph.add('a', lambda: print('hello'))\n")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *run.command("run", "etl.py", "--json", "--no-journal")],
        cwd=run.folder,
        env=run.environ,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["check", "etl.py"], ["completion", "bash"]])
def test_a_full_disk_under_stdout_is_told_without_a_traceback(run, write, arguments):
    write("etl.py", "from dagtop import Graph\ngraph = Graph('etl')\ngraph.add('a', lambda: None)\n")
    with FULL.open("w") as full, run.start(*arguments, stdout=full) as process:
        err = process.stderr.read()
    assert process.returncode == 1
    assert err == "dagtop: stdout cannot be written: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(("file", "code"), [("etl.py", 0), ("nowhere.py", 2)])
def test_a_full_disk_under_stderr_changes_no_exit_code(run, write, file, code):
    write("etl.py", "from dagtop import Graph\ngraph = Graph('etl')\ngraph.add('a', lambda: None)\n")
    with FULL.open("w") as full, run.start("run", file, "--no-journal", stderr=full) as process:
        process.communicate()
    assert process.returncode == code


def test_threads_that_a_file_leaves_behind_do_not_keep_the_process(run, write):
    """A thread pool with a task stuck in it would keep the interpreter at its end for ever: a signal ends it."""
    write(
        "etl.py",
        """
        import concurrent.futures, threading
        from dagtop import Graph

        pool = concurrent.futures.ThreadPoolExecutor()
        pool.submit(threading.Event().wait)
        graph = Graph("etl")
        graph.add("a", lambda: None)
        """,
    )
    with run.start("run", "etl.py", "--plain", "--no-journal") as process:
        until(process, "run succeeded")
        err = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert "etl" in err
    assert process.returncode in (0, 130)


@pytest.mark.parametrize(
    ("option", "told"), [("", "10 s"), (", cancel_grace=45", "45 s"), (", cancel_grace=0.5", "0.5 s")]
)
def test_a_signal_tells_how_long_this_run_waits_for_clean_up(run, write, option, told):
    write("slow.py", SLOW.replace('Graph("slow")', f'Graph("slow"{option})'))
    with run.start("run", "slow.py", "--plain") as process:
        until(process, "under way")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert f"Ctrl+C: stopping what runs, up to {told} for clean-up; once more leaves at once" in err


def test_a_run_with_a_short_grace_leaves_what_is_stuck_behind(run, write):
    write("stuck.py", STUCK.replace('Graph("stuck")', 'Graph("stuck", cancel_grace=0.1)'))
    with run.start("run", "stuck.py", "--plain") as process:
        until(process, "under way")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "stuck" in err.partition("for clean-up")[2]


def test_a_signal_while_text_is_executed_leaves_its_exit_code(run, write):
    """Dataclasses and named tuples execute texts, and Python ended by SIGINT if a signal came just then."""
    write("etl.py", f"exec('import signal; signal.raise_signal({int(signal.SIGTERM)})')")
    ended = run("run", "etl.py")
    assert (ended.returncode, ended.stderr) == (143, "dagtop: SIGTERM: nothing ran\n")
