"""What can be copied, how it gets to the clipboard, what the terminal is told, and the keys that give the terminal away."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from console_fakes import HOSTILE, TRACEBACK, FakeEngine, hostile, many, running_mix
from console_pilot import console
from dagtop.core.states import RunState
from dagtop_app.tasks.copying import markdown, pieces
from dagtop_app.terminal import clipboard
from dagtop_app.terminal import signs as terminal_signs
from dagtop_app.terminal.child import pager, shell

TOOLS = {"tmux", "pbcopy", "wl-copy", "xclip", "xsel", "clip.exe"}


@pytest.mark.parametrize(
    ("environ", "platform", "there", "command"),
    [
        ({}, "linux", TOOLS, ""),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "linux", TOOLS, "wl-copy"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "linux", {"xsel"}, "xsel"),
        ({"DISPLAY": ":0"}, "linux", TOOLS, "xclip"),
        ({"DISPLAY": ":0"}, "linux", set(), ""),
        ({}, "darwin", TOOLS, "pbcopy"),
        ({"TMUX": "/tmp/tmux-0/default,1,0", "DISPLAY": ":0"}, "linux", TOOLS, "tmux"),
        ({"WSL_DISTRO_NAME": "Debian"}, "linux", TOOLS, "clip.exe"),
    ],
)
def test_the_tool_is_the_one_that_reaches_a_clipboard(
    environ: dict[str, str], platform: str, there: set[str], command: str
) -> None:
    tool = clipboard.tool_of(environ, platform=platform, find=lambda name: name if name in there else None)
    assert (tool[0] if tool else "") == command


def test_a_text_is_told_to_the_terminal_and_given_to_the_tool() -> None:
    written: list[str] = []
    given: list[tuple[Sequence[str], str]] = []
    text = "naïve 漢字\n\ud800"
    copied = clipboard.copy(
        text, write=written.append, tool=("wl-copy",), run=lambda command, it: given.append((command, it))
    )
    assert given == [(("wl-copy",), text)]
    assert copied.told == ""
    (sequence,) = written
    data = sequence.removeprefix("\x1b]52;c;").removesuffix("\a")
    assert base64.b64decode(data).decode() == "naïve 漢字\n\\ud800"


def test_no_terminal_gets_more_than_it_takes_and_that_is_said() -> None:
    written: list[str] = []
    text = "".join(f"line {n} ä\n" for n in range(20_000))
    copied = clipboard.copy(text, write=written.append, tool=())
    assert len(written[0]) <= 100_000
    assert copied.text.endswith(" ä\n")
    assert text.startswith(copied.text)
    assert f"the first {len(copied.text):,} of {len(text):,} characters" in copied.told
    assert len(clipboard.fitted("漢" * 100_000).encode()) <= clipboard.MOST_BYTES


class TestPieces:
    def test_of_a_failed_task_there_is_all(self) -> None:
        snapshot = running_mix()
        row = snapshot.rows[snapshot.plan.index["load_orders"]]
        logs = FakeEngine().logs
        logs.add("load_orders", "insert ```881```", at=240.0, stream="log", level="ERROR")
        found = {piece.key: piece.text for piece in pieces(snapshot, row, logs.lines)}
        assert [*found] == ["n", "e", "t", "l", "m"]
        assert found["n"] == "load_orders"
        assert found["t"] == TRACEBACK.rstrip("\n")
        assert "### `load_orders`: failed" in found["m"]
        assert "- attempt 3 of 3" in found["m"]
        assert "- needs `join_orders`" in found["m"]
        assert "````text" in found["m"]

    def test_of_a_task_that_waits_there_is_its_name_and_its_markdown(self) -> None:
        snapshot = running_mix()
        row = snapshot.rows[snapshot.plan.index["publish"]]
        assert [piece.key for piece in pieces(snapshot, row, ())] == ["n", "m"]

    def test_hostile_texts_steer_nothing(self) -> None:
        snapshot = hostile()
        logs = FakeEngine().logs
        for text in HOSTILE:
            logs.add("x", text, stream="log", level=text)
        for row in snapshot.rows:
            text = markdown(snapshot, row, logs.lines)
            assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\ud800", "\r"}


class TestSigns:
    def test_titles(self) -> None:
        snapshot = running_mix()
        assert terminal_signs.title_of(snapshot, "nightly.py") == "● nightly 44% · 2 failed"
        over = msgspec.structs.replace(snapshot, state=RunState.FAILED)
        assert terminal_signs.title_of(over, "nightly.py") == "✖ nightly failed · 2 failed"
        assert "\x1b" not in terminal_signs.title_of(hostile(), "x")
        assert terminal_signs.title("a\x07b\x1b]0;c") == "\x1b]2;a␇b␛]0;c\a"

    def test_progress(self) -> None:
        snapshot = running_mix()
        assert terminal_signs.progress_of(snapshot) == "\x1b]9;4;2;44\a"
        well = msgspec.structs.replace(many(10), counts={})
        assert terminal_signs.progress_of(well) == "\x1b]9;4;1;0\a"
        assert (
            terminal_signs.progress_of(msgspec.structs.replace(well, state=RunState.SUCCEEDED))
            == terminal_signs.NO_PROGRESS
        )

    @pytest.mark.parametrize(
        ("environ", "progress"),
        [
            ({"TERM": "xterm"}, False), ({"WT_SESSION": "1"}, True), ({"ConEmuANSI": "ON"}, True),
            ({"TERM_PROGRAM": "ghostty"}, True),
            ({"TERM_PROGRAM": "WezTerm", "TMUX": "1"}, False), ({"TERM_PROGRAM": "iTerm.app"}, False),
            ({"TERM_PROGRAM": "iTerm.app", "TERM_FEATURES": "T3LrMSc7UUw9Ts3BFGsSyHNoSxFP"}, True),
            ({"VTE_VERSION": "7600"}, False), ({"VTE_VERSION": "8000"}, True), ({"VTE_VERSION": "x"}, False),
            ({"WT_SESSION": "1", "DAGTOP_NO_TITLE": "1"}, False),
        ],
    )  # fmt: skip
    def test_only_terminals_that_have_progress_are_told(self, environ: dict[str, str], progress: bool) -> None:
        assert terminal_signs.has_progress(environ) is progress

    def test_terminals_without_a_title_are_not_told(self) -> None:
        assert [terminal_signs.has_title({"TERM": it}) for it in ("xterm-256color", "tmux", "linux", "dumb", "")] == [
            True, True, False, False, False,
        ]  # fmt: skip


def test_pager_and_shell_are_the_persons_own() -> None:
    assert pager({"PAGER": "less -S '+G x'"}) == ["less", "-S", "+G x"]
    assert pager({"PAGER": "'"})[0] in {"less", "more"}
    assert shell({"SHELL": "/bin/fish"}) == ["/bin/fish"]
    assert shell({}) == ["/bin/sh"]


@pytest.mark.anyio
class TestKeys:
    async def test_y_offers_what_there_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with console(FakeEngine(running_mix()), (100, 30)) as seen:
            copied: list[str] = []
            monkeypatch.setattr(seen.app, "copy_to_clipboard", copied.append)
            seen.app.main.select(seen.engine.latest.plan.index["load_orders"])
            await seen.press("y")
            for label in ("name", "error", "traceback", "Markdown"):
                assert label in seen.text
            await seen.press("e")
            assert copied[0].startswith("IntegrityError: duplicate key")
            assert "copied error" in seen.text
            await seen.press("y", "enter")
            assert copied[1] == "load_orders"
            await seen.press("y", "escape")
            assert len(copied) == 2

    async def test_y_with_marks_copies_their_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            copied: list[str] = []
            monkeypatch.setattr(seen.app, "copy_to_clipboard", copied.append)
            seen.app.main.roster.marks.toggle(["sync_crm", "load_orders"])
            await seen.press("y")
            assert sorted(copied[0].split("\n")) == ["load_orders", "sync_crm"]

    async def test_y_in_the_logs_offers_the_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = FakeEngine(running_mix())
        engine.logs.add("sync_crm", "a \x1b[31mline", at=3.0)
        async with console(engine) as seen:
            copied: list[str] = []
            monkeypatch.setattr(seen.app, "copy_to_clipboard", copied.append)
            await seen.press("4", "y")
            assert "the 1 line that is shown" in seen.text
            await seen.press("s")
            assert copied == ["   0:03 sync_crm         a ␛[31mline"]

    async def test_f10_gives_the_mouse_away_and_takes_it_back(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("f10")
            assert seen.app.mouse_is_free
            assert "F10 takes it back" in seen.text
            await seen.press("f10")
            assert not seen.app.mouse_is_free

    async def test_without_a_terminal_there_is_none_to_give_away(self) -> None:
        engine = FakeEngine(running_mix())
        engine.logs.add("sync_crm", "a line")
        async with console(engine) as seen:
            await seen.press("ctrl+z")
            assert "there is no terminal to give away" in seen.text
            await seen.press("4", "o")
            await seen.app.workers.wait_for_complete()
            await seen.settle()
            assert "there is no terminal to give away" in seen.text

    async def test_the_bell_rings_for_an_escalation_only_while_the_person_looks_elsewhere(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            rung: list[int] = []
            monkeypatch.setattr(seen.app, "bell", lambda: rung.append(1))
            seen.app.ring(engine.latest)
            count = engine.latest.escalation_count

            def escalate(more: int) -> Any:
                return msgspec.structs.replace(engine.latest, escalation_count=count + more)

            seen.app.ring(escalate(1))
            assert rung == []
            seen.app.app_focus = False
            seen.app.ring(escalate(1))
            assert rung == []
            seen.app.ring(escalate(3))
            assert rung == [1]
