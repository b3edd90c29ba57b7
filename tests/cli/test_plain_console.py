"""`dagtop FILE --plain` on a terminal: lines of the run, and commands in words."""

from __future__ import annotations

import signal

import pexpect
import pytest

FAILS = """
    import anyio
    from dagtop import Graph

    graph = Graph("etl")

    @graph.task
    def load():
        print("loading")
        raise ValueError("duplicate key 881")

    @graph.task(depends_on=["load"])
    def publish(load): ...

    @graph.task
    async def slow():
        await anyio.sleep(1000)

    @graph.task(depends_on=["slow"])
    def after(slow): ...
"""

GOES_WELL = """
    from dagtop import Graph

    graph = Graph("fine")
    graph.add("one", lambda: 1)
"""


@pytest.fixture
def talk(run, write):
    """`talk("graph.py", text)`: the command on a terminal of its own."""
    children: list[pexpect.spawn] = []

    def begin(name: str, text: str, *more: str) -> pexpect.spawn:
        write(name, text)
        command, *rest = run.command(name, "--plain", "--no-journal", *more)
        environ = run.environ | {"TERM": "dumb"}
        child = pexpect.spawn(
            command, rest, cwd=str(run.folder), env=environ, encoding="utf-8", timeout=60, dimensions=(40, 200)
        )
        child.setecho(False)
        children.append(child)
        child.expect_exact("Type a word and Enter")
        return child

    yield begin
    for child in children:
        child.close(force=True)


def test_B22_commands_are_given_by_word_and_answered_by_sentences(talk):
    child = talk("etl.py", FAILS)
    child.expect_exact("load failed")
    child.sendline("why publish")
    child.expect_exact("publish was skipped: upstream load failed.")
    child.expect_exact("Words: mark publish succeeded; logs publish.")  # to restart it would be refused
    child.sendline("hold after")
    child.expect_exact("(undo takes it back)")
    child.sendline("undo")
    child.expect_exact("undone: ")
    child.sendline("limit +1")
    child.expect_exact("max_parallel 32 → 33 (undo takes it back).")
    child.sendline("policy always slo*")
    child.expect_exact("slow: ")
    child.sendline("tasks state:failed")
    child.expect_exact("load, failed")
    child.expect_exact("ValueError: duplicate key 881.")
    child.sendline("logs load")
    child.expect_exact("load | loading")
    child.sendline("status")
    child.expect_exact("etl is running")
    child.sendline("cancle slow")
    child.expect_exact("there is no command 'cancle'; did you mean 'cancel'?")


def test_what_would_be_lost_is_told_first_and_a_yes_is_typed(talk):
    child = talk("etl.py", FAILS)
    child.expect_exact("load failed")
    child.sendline("cancel slow because it is late")
    child.expect_exact("Will not run: after. Type yes:")
    child.sendline("no")
    child.expect_exact("Nothing was changed.")
    child.sendline("cancel slow because it is late")
    child.expect_exact("Type yes:")
    child.sendline("yes")
    child.expect_exact("slow cancelled: cancelled by hand: it is late")
    child.expect_exact("The run is over: 1 task failed.")
    child.sendline("retry failed")
    child.expect_exact("load started")
    child.expect_exact("The run is over: 1 task failed.")
    child.sendline("quit")
    child.expect_exact("\netl: failed")
    child.expect_exact(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1


def test_an_empty_line_holds_the_lines_of_the_run_back_until_the_next(talk):
    child = talk("etl.py", FAILS)
    child.expect_exact("load failed")
    child.sendline("")
    child.expect_exact("> ")
    child.sendline("status")
    child.expect_exact("etl is running")


@pytest.mark.parametrize("how", ["cancel", "drain"])
def test_a_run_that_goes_on_is_left_by_a_word(talk, how):
    child = talk("etl.py", FAILS.replace("1000", "2"))
    child.expect_exact("slow started")
    child.sendline("quit")
    child.expect_exact("anything else stays.")
    child.sendline("nothing")
    child.expect_exact("It goes on.")
    child.sendline("quit")
    child.expect_exact("anything else stays.")
    child.sendline(how)
    child.expect_exact({"cancel": "slow cancelled", "drain": "slow succeeded"}[how])
    child.expect_exact(pexpect.EOF)
    child.wait()
    assert child.exitstatus in {1, 130}


def test_a_run_that_goes_well_is_left_by_itself(talk):
    child = talk("fine.py", GOES_WELL)
    child.expect_exact("fine: succeeded")
    child.expect_exact(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_the_end_of_what_is_typed_leaves_the_run_to_itself(talk):
    child = talk("etl.py", FAILS.replace("1000", "1"))
    child.expect_exact("load failed")
    child.sendeof()
    child.expect_exact("run failed: ")
    child.expect_exact(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_and_its_clean_ups(talk, number, code):
    child = talk("etl.py", FAILS)
    child.expect_exact("slow started")
    child.sendline("cancel slow")
    child.expect_exact("Type yes:")
    child.kill(number)
    child.expect_exact("slow cancelled")
    child.expect_exact(pexpect.EOF)
    child.wait()
    assert child.exitstatus == code


def test_without_a_terminal_plain_takes_no_commands(run, write):
    write("fine.py", GOES_WELL)
    done = run("fine.py", "--plain", "--no-journal")
    assert done.returncode == 0
    assert "Type a word" not in done.stdout
    assert "one succeeded" in done.stdout


def test_no_textual_is_loaded_for_plain_words(run):
    import subprocess
    import sys

    code = "import dagtop_app.plain.console, sys; raise SystemExit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=run.environ, check=False).returncode == 0


READS = """
    import os, sys
    import anyio
    from dagtop import Graph

    graph = Graph("reads", max_parallel=1)

    @graph.task
    def reads():
        print("found", repr(sys.stdin.read()))
        os.close(0)

    @graph.task(depends_on=["reads"])
    async def waits():
        await anyio.sleep(1000)
"""


def test_words_are_for_the_console_whatever_a_task_does_with_stdin(talk):
    """A task that read there got every other word."""
    child = talk("it.py", READS)
    child.expect_exact("found ''")
    child.expect_exact("waits started")
    for _ in range(3):
        child.sendline("status")
        child.expect_exact("reads is running")
    child.sendline("quit")
    child.expect_exact("cancel")
    child.sendline("cancel")
    child.expect(pexpect.EOF)
