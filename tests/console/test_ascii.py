"""With ASCII only every glyph that is drawn has its form, and all is as wide as before; and the console without colours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from console_fakes import FakeEngine, finished_with_failures, running_mix
from console_nested import nested
from console_pilot import Clock, Seen
from console_scenes import steered
from console_services import services
from dagtop.core.snapshot import RunSnapshot
from dagtop_app.actions import ACTIONS
from dagtop_app.console import ConsoleApp
from dagtop_app.faces import GATE_FACE, GONE_FACE, RUN_FACES, TASK_FACES
from dagtop_app.terminal.ascii_form import ascii_of, keys_in_ascii
from dagtop_app.views.listed import VIEWS
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

SCENES: dict[str, Callable[[], RunSnapshot]] = {
    "mix": running_mix, "done": finished_with_failures, "steered": steered, "services": services, "nested": nested,
}  # fmt: skip

#: Popups, by the key that opens them on the table.
POPUPS = ("question_mark", "w", "enter", "e", "b", "q", "T", "R")


async def look(seen: Seen) -> str:
    await seen.settle()
    return seen.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scene", "size"),
    [("mix", (80, 24)), ("done", (132, 40)), ("steered", (160, 45)), ("services", (100, 30)), ("nested", (132, 40))],
)
async def test_every_glyph_of_every_view_and_popup_has_an_ascii_form(scene: str, size: tuple[int, int]) -> None:
    clock = Clock()
    engine = FakeEngine(SCENES[scene]())
    engine.logs.add(engine.latest.plan.names[0], "plain words", at=1.0)
    app = ConsoleApp(engine, title="nightly.py", now=clock)
    app.is_ascii = True
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, pilot, engine, clock)
        for view in VIEWS:
            if view.name != "meta" or scene == "nested":
                await app.main.run_action(view.action)
                text = await look(seen)
                assert text.isascii(), (view.name, {char for char in text if not char.isascii()})
        await app.main.run_action("view('tasks')")
        for key in POPUPS:
            await seen.press(key)
            text = await look(seen)
            assert text.isascii(), (key, {char for char in text if not char.isascii()})
            await seen.press("escape")


def test_states_have_the_form_that_their_faces_say() -> None:
    for face in (*TASK_FACES.values(), *RUN_FACES.values(), GATE_FACE, GONE_FACE):
        assert ascii_of(face.glyph).isascii()
        assert len(ascii_of(face.glyph)) == 1
    told_apart = {ascii_of(face.glyph) for face in (*TASK_FACES.values(), GATE_FACE, GONE_FACE)}
    assert len(told_apart) == len({face.glyph for face in (*TASK_FACES.values(), GATE_FACE, GONE_FACE)})


def test_keys_are_written_out_where_their_signs_cannot_be_drawn() -> None:
    assert keys_in_ascii("⏎") == "Enter"
    assert keys_in_ascii("j ↓") == "j Dn"
    assert all(keys_in_ascii(action.shown).isascii() for action in ACTIONS)


@given(st.text())
def test_no_text_changes_its_width_and_letters_stay(text: str) -> None:
    shown = ascii_of(text)
    assert cell_len(shown) == cell_len(text) or any(not char.isprintable() for char in text)
    assert ascii_of("Größe 日本 ñ") == "Größe 日本 ñ"


def test_boxes_blocks_dots_and_signs_all_have_a_form() -> None:
    for code in (*range(0x2190, 0x2200), *range(0x2500, 0x2600), *range(0x2800, 0x2900), 0x1F50E, 0x2588):
        assert ascii_of(chr(code)).isascii(), hex(code)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({"TERM": "linux"}, True), ({"TERM": "xterm", "DAGTOP_ASCII": "1"}, True), ({"TERM": "xterm"}, False)],
)
def test_ascii_is_chosen_by_the_terminal_or_the_environment(environ: dict[str, str], wanted: bool) -> None:
    code = "from dagtop_app import faces; raise SystemExit(faces.ASCII)"
    environ = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"], **environ}
    assert subprocess.run([sys.executable, "-c", code], env=environ, check=False).returncode == wanted


@pytest.mark.parametrize(("text", "wanted"), [("ascii = true", True), ("ascii = false", False)])
def test_ascii_is_chosen_by_the_settings_before_the_terminal(tmp_path, text: str, wanted: bool) -> None:
    (tmp_path / "config.toml").write_text(text)
    code = (
        "from dagtop_app.settings import config; config.use(config.read()); "
        "from dagtop_app import faces; raise SystemExit(faces.ASCII)"
    )
    environ = {
        "PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"], "TERM": "linux",
        "DAGTOP_CONFIG": str(tmp_path / "config.toml"),
    }  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], env=environ, check=False).returncode == wanted


@pytest.mark.anyio
async def test_without_colours_nothing_has_one_and_failures_stand_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's own way made `FAILED` #363636 on #121212."""
    monkeypatch.setenv("NO_COLOR", "1")
    clock, engine = Clock(), FakeEngine(running_mix())
    app = ConsoleApp(engine, title="nightly.py", now=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, engine, clock)
        await seen.settle()
        assert app.theme == "ansi-dark"
        strips = app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
        for style in styles:
            for colour in (style.color, style.bgcolor):
                assert colour is None or colour.is_default, style
        words = {
            segment.text.strip(): segment.style
            for strip in strips
            for segment in strip
            if segment.style and segment.text.strip()
        }
        assert words["FAILED"].underline
        assert words["FAILED"].bold
        assert words["RETRY"].bold
        assert any(style.reverse for style in styles)
        await seen.press("3")
        strips += app.screen._compositor.render_strips()
        padded = {
            s.text for strip in strips for s in strip if s.style and s.style.underline and s.text != s.text.strip()
        }
        assert padded == set()
