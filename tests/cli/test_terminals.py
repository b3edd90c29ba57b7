"""On a real terminal: the live view, the console, and the terminal as it was when they have gone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import termios

import pexpect
import pytest

ONE_THAT_WAITS = """
    import os, anyio
    from dagtop import Graph

    graph = Graph("waits")

    @graph.task
    async def waits():
        os.system("echo child >&2")  # first: while it goes on, system(3) has the process ignore Ctrl+C
        print("printed \\x1b[31mred")
        await anyio.sleep(1000)
"""


def on_terminal(run, *arguments: str, **environ: str) -> pexpect.spawn:
    command, *rest = run.command(*arguments)
    environ = run.environ | {"TERM": "xterm-256color"} | environ
    return pexpect.spawn(
        command, rest, cwd=str(run.folder), env=environ, encoding="utf-8", timeout=60, dimensions=(24, 80)
    )


def test_a_run_draws_itself_below_what_tasks_print(run, write):
    write("waits.py", ONE_THAT_WAITS)
    with on_terminal(run, "run", "waits.py", "--no-journal") as child:
        before = termios.tcgetattr(child.child_fd)
        child.expect_exact("waits | printed ␛[31mred")
        child.expect_exact("● 1 running")
        child.sendintr()
        child.expect_exact("Ctrl+C: stopping what runs")
        child.expect_exact("waits: stopped")
        child.expect_exact(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd) == before
    assert child.exitstatus == 130


def test_a_job_without_a_person_gets_plain_lines(run, write):
    write("waits.py", ONE_THAT_WAITS)
    with on_terminal(run, "waits.py", "--no-journal", CI="true") as child:
        child.expect_exact("waits | printed ␛[31mred")
        assert "\x1b[" not in child.before
        child.sendintr()
        child.expect_exact(pexpect.EOF)
    assert child.exitstatus == 130


def test_the_console_leaves_the_terminal_as_it_was_also_after_it_was_stopped_from_outside(run, write):
    """Textual takes what it finds at SIGCONT for what was there before it, and left the terminal raw."""
    write("waits.py", ONE_THAT_WAITS)
    with on_terminal(run, "waits.py", "--no-journal") as child:
        before = termios.tcgetattr(child.child_fd)
        child.expect_exact("RUNNING")
        child.kill(signal.SIGSTOP)
        child.kill(signal.SIGCONT)
        child.expect_exact("\x1b[?1049h")
        child.kill(signal.SIGTERM)
        child.expect_exact("waits: stopped")
        child.expect_exact(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd) == before
    assert child.exitstatus == 143


def test_a_file_alone_opens_the_console_and_leaves_the_terminal_as_it_was(run, write):
    write("waits.py", ONE_THAT_WAITS)
    with on_terminal(run, "waits.py", "--no-journal") as child:
        before = termios.tcgetattr(child.child_fd)
        child.expect_exact("\x1b[?1049h")
        child.expect_exact("RUNNING")
        child.kill(signal.SIGTERM)
        child.expect_exact("\x1b[?1049l")
        child.expect_exact("waits: stopped")
        child.expect_exact(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd) == before
    assert child.exitstatus == 143


FAILS_AND_WAITS = """
    import anyio
    from dagtop import Graph

    graph = Graph("again")

    @graph.task
    def first():
        print("first at work")

    @graph.task(depends_on=["first"])
    async def second():
        raise ValueError("not yet")
"""


def test_resume_opens_the_console_on_a_terminal(run, write):
    write("again.py", FAILS_AND_WAITS)
    assert run("run", "again.py").returncode == 1
    write("again.py", FAILS_AND_WAITS.replace('raise ValueError("not yet")', "await anyio.sleep(1000)"))
    with on_terminal(run, "resume", "last") as child:
        child.expect_exact("goes on: 1 task to do, 1 result kept")
        child.expect_exact("\x1b[?1049h")
        child.expect_exact("RUNNING")
        child.kill(signal.SIGTERM)
        child.expect_exact("\x1b[?1049l")
        child.expect_exact("go on with: dagtop resume")
        child.expect_exact(pexpect.EOF)
    assert child.exitstatus == 143


def test_resume_with_plain_needs_no_console_on_a_terminal(run, write):
    write("again.py", FAILS_AND_WAITS)
    run("run", "again.py")
    with on_terminal(run, "resume", "last", "--plain") as child:
        child.expect_exact("second failed, attempt 2")
        child.expect_exact(pexpect.EOF)
        assert "\x1b[?1049h" not in child.before
    assert child.exitstatus == 1


def test_a_terminal_that_has_stopped_does_not_keep_a_run_that_is_told_to_end(run, write):
    flood = ONE_THAT_WAITS.replace("await anyio.sleep(1000)", "while True: print('x' * 200); await anyio.sleep(0)")
    write("flood.py", flood)
    child = on_terminal(run, "run", "flood.py", "--no-journal")
    child.expect_exact("xxx")
    # From here on nobody reads. Two signals of one number might arrive as one.
    child.kill(signal.SIGTERM)
    child.kill(signal.SIGINT)
    _, status = os.waitpid(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) in {130, 143}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not there")
def test_the_bash_script_completes_commands_options_values_and_files(run, write, tmp_path):
    write("graph.py", "")
    (tmp_path / "dagtop.bash").write_text(run("completion", "bash").stdout)
    script = """
        source dagtop.bash
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _dagtop; echo "${COMPREPLY[@]}"; }
        try dagtop ru; try dagtop run --max; try dagtop run --loop ''; try dagtop run gr; try dagtop completion ''
        complete -p dagtop
        dagtop() { echo "RUN  STATE"; echo "r-71  failed"; echo "r-8  succeeded"; }
        try dagtop resume ''; try dagtop report r-7; try dagtop resume --tr; try dagtop report last gr
        try dagtop diff last r-7
    """
    told = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [
        "run runs",
        "--max-parallel",
        "asyncio trio",
        "graph.py",
        "bash zsh fish",
        "complete -F _dagtop dagtop",
        "last r-71 r-8",
        "r-71",
        "--trust-changes",
        "graph.py",
        "r-71",
    ]
