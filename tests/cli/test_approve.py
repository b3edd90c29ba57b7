"""Gates of a run that goes on in one process, decided from another one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagtop import DAGExecutor
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop_app.commandline.options import UsageError
from dagtop_app.commandline.typed import parse_command
from dagtop_app.commands import telling

SHOP = """
    from dagtop import Gate, Graph

    graph = Graph("shop")
    graph.add("load", lambda: [3, 4])
    graph.add("publish", lambda load: sum(load), gate="Publish?")
"""


class Going:
    """A run without the console that stands at its gate."""

    def __init__(self, run, *arguments: str) -> None:
        self.process = run.start("run", "shop.py", "--json", *arguments)
        self.events: list[dict[str, object]] = []

    def until(self, kind: str) -> dict[str, object]:
        assert self.process.stdout is not None
        while True:
            event = json.loads(self.process.stdout.readline())
            self.events.append(event)
            if event["type"] == kind:
                return event

    def end(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        self.process.stdout.read()
        err = self.process.stderr.read()
        return self.process.wait(60), err


@pytest.fixture
def going(run, write) -> Iterator[Going]:
    write("shop.py", SHOP)
    going = Going(run)
    going.until("gate.waiting")
    yield going
    going.process.kill()
    going.process.communicate()


def test_a_gate_is_listed_and_approved_from_another_process_and_the_run_says_by_whom(run, going: Going) -> None:
    listed = run("gates")
    assert re.search(r"^publish of shop, run \S+: Publish\?\n  since .*; dagtop approve \S+ publish$", listed.stdout)
    (waiting,) = map(json.loads, run("gates", "--json").stdout.splitlines())
    assert (waiting["task"], waiting["prompt"], waiting["deadline"]) == ("publish", "Publish?", None)

    done = run("approve", "last", "publish", "--reason", "looks right")
    assert (done.returncode, done.stdout, done.stderr) == (0, "publish may go through its gate\n", "")
    decided = going.until("gate.decided")
    assert decided["approved"] is True
    assert decided["reason"] == "looks right"
    assert decided["by"] == telling.sender()
    code, err = going.end()
    assert code == 0
    hint = re.search(
        r"^dagtop: publish waits at its gate \(Publish\?\); .*: (dagtop approve --db \S+ (\S+) publish)$",
        err,
        re.MULTILINE,
    )
    assert hint is not None
    assert hint[2] == waiting["run"]


def test_a_rejected_task_fails_and_says_by_whom_and_why(run, going: Going) -> None:
    done = run("reject", str(going.events[0]["run"])[:-1], "publish", "--reason", "not today")
    assert done.returncode == 0
    failed = going.until("task.failed")
    assert failed["failure"]["message"] == f"rejected by {telling.sender()}: not today"  # type: ignore[index]
    assert going.end()[0] == 1


def test_a_refusal_is_told_with_what_waits_instead(run, going: Going) -> None:
    done = run("approve", "last", "lod")
    assert (done.returncode, done.stdout) == (1, "")
    assert "approve refused: " in done.stderr
    assert "what waits at a gate: publish" in done.stderr


def test_any_other_command_can_be_given_too(run, going: Going) -> None:
    done = run("tell", "last", "skip", "publish", "--reason", "no need")
    assert done.returncode == 0
    skipped = going.until("task.skipped")
    assert skipped["reason"] == f"skipped by {telling.sender()}: no need"
    assert going.end()[0] == 0


def test_a_run_that_was_killed_takes_no_commands_and_lists_no_gates(run, going: Going) -> None:
    going.process.kill()
    going.process.wait(60)
    done = run("approve", "last", "publish")
    assert done.returncode == 2
    assert "its process ended before it did: `dagtop resume" in done.stderr
    assert "nothing waits at a gate" in run("gates").stderr


def test_a_run_that_is_not_kept_says_that_nobody_can_approve_it_from_elsewhere(run, write) -> None:
    write("shop.py", SHOP.replace('gate="Publish?"', 'gate=Gate(prompt="Publish?", timeout=0.2, on_timeout="approve")'))
    done = run("run", "shop.py", "--no-journal")
    assert done.returncode == 0
    assert "publish waits at its gate for 200ms (Publish?); this run is not kept in a journal" in done.stderr


def test_a_check_names_the_gates_and_how_long_a_run_will_wait_there(dagtop_here, write) -> None:
    write("shop.py", SHOP + '    graph.add("mail", print, depends_on=["publish"], gate=Gate(timeout=90))\n')
    assert "  waits at gates    publish (no timeout), mail (1:30)\n" in dagtop_here("check", "shop.py").out
    told = json.loads(dagtop_here("check", "shop.py", "--json").out)
    assert told["gates"] == {"publish": None, "mail": 90.0}


@pytest.mark.parametrize("arguments", [("approve", "last", "publish"), ("tell", "last", "pause"), ("gates", "nope")])
def test_without_any_run_it_is_said(dagtop_here, arguments) -> None:
    told = dagtop_here(*arguments)
    assert told.code == 2
    assert "there is no journal" in told.err


class TestCommandsInWords:
    @pytest.mark.parametrize(
        ("words", "command"),
        [
            (["pause"], cmd.PauseRun()),
            (["cancel", "load"], cmd.CancelTask("load")),
            (["cancel", "load", "reason=it hangs"], cmd.CancelTask("load", "it hangs")),
            (["restart", "task=load", "downstream=true"], cmd.RestartTask("load", downstream=True)),
            (["restart", "load", "true"], cmd.RestartTask("load", downstream=True)),
            (["cancel", "12"], cmd.CancelTask("12")),
            (["cancel", "a=b"], cmd.CancelTask("a=b")),
            (["set-max-parallel", "4"], cmd.SetMaxParallel(4)),
            (["mark-succeeded", "load", '{"a": [1, null]}'], cmd.MarkSucceeded("load", {"a": [1, None]})),
            (["mark-succeeded", "load", "value=plain text"], cmd.MarkSucceeded("load", "plain text")),
            (["set-policy", "load", "timeout=2.5", "retries=3"], cmd.SetPolicy("load", timeout=2.5, retries=3)),
        ],
    )
    def test_values_come_in_order_or_by_name(self, words: list[str], command: cmd.Command) -> None:
        assert parse_command(words[0], words[1:]) == command

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (["cancle", "load"], "there is no command 'cancle'; did you mean 'cancel'?"),
            (["swap-graph", "1"], "there is no command 'swap-graph'"),
            (["pause", "now"], "'now' is too much: pause takes nothing"),
            (["cancel"], "task is missing: cancel takes task [reason]"),
            (
                ["restart", "load", "maybe"],
                "downstream must be true or false, not 'maybe': restart takes task [downstream] [reason]",
            ),
            (["restart", "load", "downstreem=true"], "there is no value 'downstreem', did you mean 'downstream'?"),
            (["set-policy", "load", "retries=x"], "retries must be a whole number, not 'x'"),
            (["set-policy", "load", "timeout=soon"], "timeout must be a number, not 'soon'"),
            (
                ["set-policy", "load", "trigger=never"],
                "trigger must be one of 'all_success', 'any_success', 'all_done', ",
            ),
            (["force-breaker", "api", "opn"], "state must be one of 'closed', 'open', 'half_open', '', not 'opn'"),
            (["cancel", "load", "task=load"], "task is given twice"),
            (["pause", "--reason", "lunch"], "pause takes no reason: pause takes nothing"),
            (["cancel", "load", "reason=a", "--reason", "b"], "reason is given twice: cancel takes task [reason]"),
            (["set-max-parallel", "many"], "limit must be a whole number, not 'many': set-max-parallel takes limit"),
            (["set-max-parallel", "\udcff"], "limit must be a whole number"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, words: list[str], complaint: str) -> None:
        reason = words[-1] if "--reason" in words else ""
        values = words[1:-2] if reason else words[1:]
        with pytest.raises(UsageError, match=re.escape(complaint)):
            parse_command(words[0], values, reason)

    def test_a_reason_may_stand_beside_them(self) -> None:
        assert parse_command("restart", ["load"], "bad data") == cmd.RestartTask("load", reason="bad data")


def test_the_example_of_the_guide_is_true() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "tasks.md").read_text(encoding="utf-8")
    section = guide.partition("\n## When a person decides\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```py\n(.*?)```", section, re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, "the guide", "exec", dont_inherit=True), names)
    with DAGExecutor(names["graph"]).start() as run:
        for event in run.events("gate.waiting"):
            assert event.prompt == "Publish?"  # type: ignore[union-attr]
            assert run.approve("publish").wait() == "publish may go through its gate"
    assert run.result["publish"].output == "published 6"


def test_hostile_names_and_questions_are_shown_and_can_be_typed() -> None:
    note = telling.GateNotes("r1", kept=True, db=None).note(ev.GateWaiting(1.0, "-a b\x1b[2J", "sure?\x07", 60.0))
    assert "\x1b" not in note
    assert "\x07" not in note
    assert "dagtop approve r1 -- '-a b" in note
