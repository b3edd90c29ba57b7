"""Descriptors 1 and 2, slow readers, and lines on the wire."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest
from dagtop.core import events as ev
from dagtop.core.commands import CancelTask
from dagtop.core.failure import Failure
from dagtop.core.states import RunState
from dagtop.observe.wire import encode, iso
from dagtop_app.plain.printers import StreamPrinter, Wire
from dagtop_app.plain.saying import say
from dagtop_app.plain.spool import Spool
from dagtop_app.terminal.streams import (
    FEWEST_DESCRIPTORS,
    held_terminal,
    own_terminal,
    stdout_reserved,
    tell,
    write_all,
)

# -- whose descriptors they are ---------------------------------------------------------------------------------------


def test_a_graph_file_may_lead_both_descriptors_elsewhere(capfd, tmp_path):
    """The console could not take a terminal that nobody wrote to any more: `Bad file descriptor`."""
    seen: list[str] = []
    with held_terminal():
        reader = next(thread for thread in threading.enumerate() if thread.name == "output of the process")
        elsewhere = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
        for number in (1, 2):
            os.dup2(elsewhere, number)
        os.close(elsewhere)
        reader.join(10)  # it has read both to their ends
        with own_terminal(lambda _, line: seen.append(line), for_textual=True):
            os.write(1, b"where it wants\n")
    os.write(1, b"given back\n")
    assert (tmp_path / "log").read_text() == "where it wants\n"
    assert capfd.readouterr().out == "given back\n"
    assert seen == []


def test_children_have_a_stdin_where_the_graph_file_has_closed_it(capfd):
    """They were started without one: the first file that a child opened was its descriptor 0."""
    with held_terminal():
        os.close(0)
        with own_terminal(lambda *_: None, for_textual=True):
            assert os.read(0, 1) == b""
            assert os.get_inheritable(0)


def test_while_stdout_is_reserved_everybody_else_writes_to_stderr(capfd):
    with stdout_reserved() as real:
        os.write(1, b"raw\n")
        subprocess.run(["echo", "child"], check=True)
        os.write(real, b"asked for\n")
    os.write(1, b"afterwards\n")
    assert capfd.readouterr() == ("asked for\nafterwards\n", "raw\nchild\n")


def test_stdout_comes_back_when_something_goes_wrong(capfd):
    with pytest.raises(ZeroDivisionError), stdout_reserved():
        raise ZeroDivisionError
    os.write(1, b"back\n")
    assert capfd.readouterr().out == "back\n"


@pytest.mark.parametrize("speak", [say, tell])
def test_a_line_for_people_and_its_end_are_one_piece(speak, monkeypatch):
    """The lines of a run came between them: "up to 10 s for clean-up17:16:28 SIGTERM: ..."."""
    pieces = []

    class Stream:
        write = staticmethod(pieces.append)
        flush = staticmethod(lambda: None)

    monkeypatch.setattr(sys, "stderr", Stream())
    speak("a line")
    assert [piece.removeprefix("dagtop: ") for piece in pieces] == ["a line\n"]


def test_an_owned_terminal_hands_on_every_line_of_everybody(capfd):
    lines: list[tuple[str, str]] = []
    with own_terminal(lambda stream, line: lines.append((stream, line))) as terminal:
        os.write(1, b"one\ntwo \xe2\x82")
        os.write(1, b"\xac\nbad \xff\n")
        os.write(2, b"  1%\r 50%\r100%\nno end")
        subprocess.run("echo child; echo error >&2", shell=True, check=True)
        terminal.file.write("drawn\n")
    os.write(1, b"back\n")
    assert sorted(lines) == [
        ("stderr", "100%"),
        ("stderr", "no enderror"),
        ("stdout", "bad \\xff"),
        ("stdout", "child"),
        ("stdout", "one"),
        ("stdout", "two €"),
    ]
    assert capfd.readouterr() == ("back\n", "drawn\n")


def test_a_terminal_for_textual_is_what_textual_draws_on(capfd):
    before = sys.__stdout__, sys.__stderr__
    with own_terminal(lambda stream, line: None, for_textual=True) as terminal:
        assert sys.__stdout__ is sys.__stderr__ is terminal.file
        print("drawn", file=sys.__stderr__)
    assert (sys.__stdout__, sys.__stderr__) == before
    assert capfd.readouterr() == ("drawn\n", "")


def test_a_child_that_outlives_the_console_does_not_keep_it():
    lines: list[str] = []
    reading, writing = os.pipe()
    with own_terminal(lambda stream, line: lines.append(line)):
        child = subprocess.Popen(["sh", "-c", "echo started; read ignored"], stdin=reading)
        os.write(1, b"mine\n")
    os.close(writing)
    child.wait()
    os.close(reading)
    assert "mine" in lines


def test_a_line_without_end_is_handed_on_in_pieces():
    lines: list[str] = []
    with own_terminal(lambda stream, line: lines.append(line)):
        os.write(1, b"x" * 60_000)
    assert "".join(lines) == "x" * 60_000
    assert max(map(len, lines)) <= 8 * 1024


def test_everything_is_written_also_where_the_descriptor_does_not_block():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = os.urandom(300_000)
    received: list[bytes] = []

    def read_all() -> None:
        while chunk := os.read(reading, 1 << 16):
            received.append(chunk)

    reader = threading.Thread(target=read_all)
    reader.start()
    write_all(writing, data)
    os.close(writing)
    reader.join()
    os.close(reading)
    assert b"".join(received) == data


# -- the spool --------------------------------------------------------------------------------------------------------


def batch(*numbers: int) -> list[ev.TaskReady]:
    return [ev.TaskReady(float(number), f"t{number}") for number in numbers]


def told(first: int, events: list[ev.TaskReady]) -> bytes:
    return b"".join(f"{first + i}:{event.task}\n".encode() for i, event in enumerate(events))


def everything(spool: Spool) -> bytes:
    spool.close()
    return b"".join(iter(spool.get, b""))


def test_a_spool_gives_back_everything_in_order():
    spool = Spool(told)
    spool.put(1, batch(1, 2))
    spool.put(3, batch(3))
    assert everything(spool) == b"1:t1\n2:t2\n3:t3\n"


def test_what_does_not_fit_into_memory_waits_on_disk_in_order():
    spool = Spool(told, most_in_memory=2)
    for number in range(1, 6):
        spool.put(number, batch(number))
    assert spool.is_on_disk
    assert spool.get() == b"1:t1\n"
    spool.put(6, batch(6))
    assert everything(spool) == b"2:t2\n3:t3\n4:t4\n5:t5\n6:t6\n"
    assert not spool.is_on_disk


def test_a_full_disk_loses_nothing(monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    spool = Spool(told, most_in_memory=1)
    spool.put(1, batch(1))
    spool.put(2, batch(2))
    monkeypatch.setattr(os, "pwrite", full)
    spool.put(3, batch(3))
    spool.put(4, batch(4))
    assert everything(spool) == b"1:t1\n2:t2\n3:t3\n4:t4\n"


def test_batches_that_say_nothing_are_passed_over():
    spool = Spool(lambda first, events: b"")
    for number in range(1, 3000):
        spool.put(number, batch(number))
    assert everything(spool) == b""


def test_a_reader_that_never_reads_does_not_hold_up_the_engine():
    reading, writing = os.pipe()
    printer = StreamPrinter(writing, Wire(run="r"), stops_the_run=True)
    printed = threading.Event()
    printer.start(None, printed.set, lambda: None)  # type: ignore[arg-type]  # it asks nothing of the engine
    for number in range(1, 1001):
        printer.record(number, [ev.Log(0.0, "t", 1, "stdout", "", "x" * 1000)])
    printer.finish()
    assert not printed.is_set(), "the pipe holds far less than that"
    os.close(reading)
    assert printed.wait(60)
    os.close(writing)


# -- the wire ---------------------------------------------------------------------------------------------------------


def line_of(event: ev.AnyEvent, **head: object) -> dict[str, object]:
    raw = encode(7, event, **({"run": "r-1", "started_at": 1_700_000_000.0} | head))  # type: ignore[arg-type]  # a head of the test's
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    return json.loads(raw.decode("utf-8"))


def test_a_line_has_the_fields_of_the_design():
    assert line_of(ev.TaskSucceeded(1.25, "load", 2)) == {
        "v": 1,
        "seq": 7,
        "time": "2023-11-14T22:13:21.250000Z",
        "elapsed": 1.25,
        "type": "task.succeeded",
        "run": "r-1",
        "task": "load",
        "attempt": 2,
        "note": "",
    }


def test_the_last_line_has_state_and_counts():
    line = line_of(ev.RunFinished(2.0, RunState.FAILED, {"failed": 1}))
    assert (line["type"], line["state"], line["counts"]) == ("run.finished", "failed", {"failed": 1})


def test_a_command_is_told_by_its_verb_and_fields():
    line = line_of(ev.CommandApplied(1.0, CancelTask("load"), 3, "you", "done"))
    assert line["command"] == {"do": "cancel", "task": "load"}


@pytest.mark.parametrize("text", ["\udc80\ud800", "\x00\x1b[2J\n\r\u2028", "x" * 10_000, "", '"\\', "日本\u200b"])
def test_any_text_makes_a_valid_line(text):
    failure = Failure(error="E", message=text)
    line = line_of(ev.TaskFailed(1.0, text, 1, failure))
    if "\udc80" not in text:
        assert (line["task"], line["failure"]["message"]) == (text, text)  # type: ignore[index]  # it is an object


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, 10**40, b"\xff", {1: {2: [3]}}])
def test_any_change_of_policy_makes_a_valid_line(value):
    assert line_of(ev.PolicyChanged(1.0, "load", {"x": value}))["task"] == "load"


def test_a_value_that_contains_itself_makes_a_valid_line():
    endless: list[object] = []
    endless.append(endless)
    assert line_of(ev.PolicyChanged(1.0, "load", {"x": endless}))["task"] == "load"


def test_on_a_terminal_no_control_character_gets_through():
    event = ev.Log(0.0, "t", 1, "stdout", "", "a\x9b31mb\x7fc\u00e9")
    plain, safe = (Wire(run="r", for_terminal=terminal).encode(1, [event]) for terminal in (False, True))
    assert json.loads(plain) == json.loads(safe)
    assert "\x9b" in plain.decode()
    assert not any(0x7F <= ord(char) <= 0x9F for char in safe.decode())


def test_times_have_six_places_also_on_the_full_second():
    assert iso(0.0) == "1970-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("most", [10, FEWEST_DESCRIPTORS - 1])  # with fewer Python itself may not start
def test_where_too_few_files_may_be_open_that_is_said_in_one_line(run, most):
    """There was a traceback, of whatever could not be opened first."""
    script = f'ulimit -n {most}; exec "$0" "$@"'
    told = subprocess.run(
        ["sh", "-c", script, *run.command("run", "it.py")],
        env=run.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.returncode == 2
    assert told.stderr == f"dagtop: no more than {most} files may be open here; it needs 32: ulimit -n 1024\n"


def test_a_run_does_with_the_fewest_descriptors_that_are_asked_for(run, write):
    write("it.py", "from dagtop import Graph\ngraph = Graph('it')\ngraph.add('it', lambda: None)\n")
    script = f'ulimit -n {FEWEST_DESCRIPTORS}; exec "$0" "$@"'
    told = subprocess.run(
        ["sh", "-c", script, *run.command("run", "it.py")],
        cwd=run.folder, env=run.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
