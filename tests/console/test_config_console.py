"""The console as a person has set it: keys, themes, questions; and what is told of mistakes, which never stand in the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from console_fakes import FakeEngine, finished_with_failures, running_mix
from console_pilot import Clock, Seen
from dagtop.core.commands import CancelTask, RestartTask
from dagtop_app.actions import ACTIONS, BY_ID
from dagtop_app.console import ConsoleApp
from dagtop_app.settings import keymap
from dagtop_app.settings.config import COLUMNS, read
from dagtop_app.settings.keymap import clashes, key_named, key_settings, key_shown
from dagtop_app.settings.told import at_length, in_one_line
from dagtop_app.tasks.table_columns import NAMES

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _usual_keys_afterwards():
    yield
    keymap.use_keys({})


@asynccontextmanager
async def set_so(folder: Path, text: str, engine: FakeEngine | None = None) -> AsyncGenerator[Seen]:
    """The console with these settings."""
    (folder / "config.toml").write_text(text)
    clock = Clock()
    engine = engine if engine is not None else FakeEngine(running_mix())
    app = ConsoleApp(engine, title="nightly.py", now=clock, setting=read(folder / "config.toml"))
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, engine, clock)
        await seen.settle()
        yield seen


async def choose(seen: Seen, task: str) -> None:
    seen.app.main.select(seen.engine.latest.plan.index[task])
    await seen.settle()


def told(folder: Path, text: str) -> list[str]:
    (folder / "config.toml").write_text(f"[keys]\n{text}\n")
    document = read(folder / "config.toml").document
    assert document is not None
    return [one.removeprefix(f"{folder}/") for one in clashes(key_settings(document))]


class TestKeys:
    async def test_a_key_does_what_it_was_given_and_its_old_one_nothing(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[keys]\ntask.cancel = ["X", "delete"]\n') as seen:
            await choose(seen, "train_ltv")
            await seen.press("x")
            assert seen.app.screen is seen.app.main
            for key in ("X", "delete"):
                await seen.press(key)
                assert "Cancel train_ltv?" in seen.text
                await seen.press("escape")
            assert "X Del Cancel" in seen.text

    async def test_help_and_footer_show_the_keys_as_they_are(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[keys]\ntask.logs = "f7"\napp.help = "H"\ntask.edit = ""\n') as seen:
            assert "F7 Logs" in seen.text
            assert "H Help" in seen.text
            assert "e Edit" not in seen.text
            await seen.press("H")
            assert "F7" in seen.text

    async def test_what_texts_say_of_keys_is_what_they_are_now(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[keys]\ntask.hold = "f7"\n') as seen:
            assert "held by you · F7 releases it" in seen.text
        async with set_so(tmp_path, "") as seen:
            assert "held by you · p releases it" in seen.text

    async def test_two_keys_change_places(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[keys]\ntask.restart = "x"\ntask.cancel = "r"\n') as seen:
            await choose(seen, "load_orders")
            await seen.press("x")
            assert seen.engine.sent == [RestartTask("load_orders")]
            await choose(seen, "train_ltv")
            await seen.press("r", "y")
            assert seen.engine.sent[-1] == CancelTask("train_ltv")

    async def test_an_action_without_a_key_can_be_given_one(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[keys]\ntask.skip = "f8"\n') as seen:
            await choose(seen, "train_ltv")
            await seen.press("f8")
            assert "Skip train_ltv?" in seen.text

    async def test_a_key_of_a_view_is_remapped_there(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[keys]\ngraph.critical = "f6"\n') as seen:
            await seen.press("2")
            await seen.settle()
            before = seen.text
            await seen.press("f6")
            assert seen.text != before

    async def test_a_clash_is_told_with_line_and_both_actions_and_the_console_opens(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[keys]\ntask.cancel = "r"\n') as seen:
            assert "config.toml:2: r is now task.cancel; task.restart has no key left" in seen.text
            await choose(seen, "train_ltv")
            await seen.press("r")
            assert "Cancel train_ltv?" in seen.text

    async def test_clashes_that_do_not_fit_into_the_line_are_told_whole_among_the_keys(self, tmp_path: Path) -> None:
        text = '[keys]\ntask.restart-downstream = "ctrl+d"\ntask.cancel = "r"\ntask.hold = "j"\n'
        async with set_so(tmp_path, text) as seen:
            assert "config.toml:2: Ctrl+d is now task.restart-downstream" in seen.text
            assert "… · ? tells 2 more" in seen.text
            await seen.press("question_mark")
            help_text = " ".join(" ".join(line.strip(" │") for line in seen.lines).split())
            assert "IN YOUR SETTINGS" in help_text
            assert "config.toml:3: r is now task.cancel; task.restart has no key left" in help_text
            assert "config.toml:4: j is now task.hold; move.down has only ↓ left" in help_text
        assert in_one_line(["short"], 80, "?") == "short"
        assert in_one_line(["long " * 30], 40, "?").endswith("… · ? tells all")
        assert at_length([], 80) == []

    def test_every_kind_of_clash_names_both(self, tmp_path: Path) -> None:
        assert told(tmp_path, 'task.cancel = "r"') == [
            "config.toml:2: r is now task.cancel; task.restart has no key left"
        ]
        assert told(tmp_path, 'task.cancel = "j"') == ["config.toml:2: j is now task.cancel; move.down has only ↓ left"]
        assert told(tmp_path, 'task.cancel = "f7"\ntask.hold = "f7"') == [
            "config.toml:3: F7 is now task.hold, and no longer task.cancel (line 2)"
        ]
        assert told(tmp_path, 'task.cancel = "<"')[:1] == [
            "config.toml:2: < is now task.cancel, but in the view graph graph.less"
        ]
        assert told(tmp_path, 'task.cancel = "r"\ntask.restart = "x"') == []

    def test_every_key_of_the_list_is_one_that_can_be_written(self) -> None:
        for action in ACTIONS:
            for key in action.keys.split(","):
                if key:
                    assert key_named(key) == key, (action.id, key)
                    assert key_shown(key).isprintable()

    @pytest.mark.parametrize(
        ("text", "key"),
        [("/", "slash"), ("?", "question_mark"), ("X", "X"), ("ctrl+R", "ctrl+shift+r"), ("Ctrl+r", "ctrl+r"),
         ("shift+Up", "shift+up"), ("esc", "escape"), ("F5", "f5"), ("é", "é"), ("ctrl+alt+x", "ctrl+alt+x")],
    )  # fmt: skip
    def test_keys_are_named_as_people_write_them(self, text: str, key: str) -> None:
        assert key_named(text) == key

    @pytest.mark.parametrize("text", ["", "f99", "ctrl+", "hello", "ctrl+ctrl+x", " ", "\t", "strg+x"])
    def test_what_is_no_key_is_none(self, text: str) -> None:
        assert key_named(text) is None


class TestQuestions:
    async def test_a_question_that_is_not_wanted_is_not_asked(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[confirm]\ncancel = "never"\n') as seen:
            await choose(seen, "train_ltv")
            await seen.press("x")
            assert seen.engine.sent == [CancelTask("train_ltv")]

    async def test_one_that_is_always_wanted_is_asked_though_nothing_is_lost(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[confirm]\nrestart = "always"\n', FakeEngine(finished_with_failures())) as seen:
            await choose(seen, "load_orders")
            await seen.press("r")
            assert seen.engine.sent == []
            assert "Restart load_orders?" in seen.text

    async def test_leaving_can_always_be_asked(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, '[confirm]\nquit = "always"\n', FakeEngine(finished_with_failures())) as seen:
            await seen.press("q")
            assert "the run is over" in seen.text
            assert seen.app.screen is not seen.app.main

    async def test_columns_are_those_that_are_set_in_their_order(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, 'columns = ["task", "why", "state"]\n') as seen:
            head = next(line for line in seen.lines if "WHY / NEXT" in line)
            assert head.index("TASK") < head.index("WHY / NEXT") < head.index("STATE")
            assert "RETRIES" not in head

    def test_columns_have_the_names_that_the_table_knows(self) -> None:
        assert set(COLUMNS) == set(NAMES)

    async def test_the_rate_is_the_one_that_is_set(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, "refresh = 2\n") as seen:
            assert seen.app.main.rate == 2


MINE = '[base]\nbackground = "#101020"\n[states]\nfail = "#ff3333"\n'


class TestThemes:
    async def test_a_theme_of_ones_own_is_there_by_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "themes").mkdir()
        (tmp_path / "themes" / "mine.toml").write_text(MINE)
        async with set_so(tmp_path, 'theme = "mine"\n') as seen:
            assert seen.app.theme == "mine"
            assert seen.app.theme_variables["dt-fail"] == "#ff3333"
            assert seen.app.theme_variables["dt-run"] == "#59c2ff"

    async def test_it_is_read_again_when_it_is_written_and_a_mistake_leaves_it_as_it_was(self, tmp_path: Path) -> None:
        folder = tmp_path / "themes"
        folder.mkdir()
        file = folder / "mine.toml"
        file.write_text(MINE)
        async with set_so(tmp_path, 'theme = "mine"\n') as seen:
            file.write_text(MINE.replace("#ff3333", "#ee2222"))
            seen.app.read_themes_again()
            await seen.settle()
            assert seen.app.theme_variables["dt-fail"] == "#ee2222"
            file.write_text(MINE.replace('"#ff3333"', '"red"'))
            seen.app.read_themes_again()
            await seen.settle()
            assert seen.app.theme_variables["dt-fail"] == "#ee2222"
            assert 'themes/mine.toml:4: fail takes a colour such as "#ff6b74", not "red"' in seen.text
            file.unlink()
            seen.app.read_themes_again()
            await seen.settle()
            assert seen.app.theme == "mine"

    async def test_the_menu_shows_each_theme_before_it_is_taken(self, tmp_path: Path) -> None:
        async with set_so(tmp_path, "") as seen:
            await seen.press("T", "down")
            assert seen.app.theme == "dagtop-contrast"
            assert "high contrast" in seen.text
            await seen.press("escape")
            assert seen.app.theme == "dagtop-dark"
            await seen.press("T", "end")
            assert seen.app.theme != "dagtop-dark"
            await seen.press("home", "down", "enter")
            assert seen.app.theme == "dagtop-contrast"
            assert (tmp_path / "config.toml").read_text() == ""

    async def test_s_keeps_the_theme_for_good(self, tmp_path: Path) -> None:
        text = '# mine\nrefresh = 3\n[keys]\ntheme = "x"\n'
        async with set_so(tmp_path, text.replace('theme = "x"', 'task.hold = "p"')) as seen:
            await seen.press("T", "down", "s")
            assert read(tmp_path / "config.toml").config.theme == "dagtop-contrast"
            assert "# mine\nrefresh = 3\n" in (tmp_path / "config.toml").read_text()

    async def test_without_colours_there_is_nothing_to_choose(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        async with set_so(tmp_path, "") as seen:
            await seen.press("T")
            assert "NO_COLOR is set" in seen.text


def test_ids_of_the_app_itself_can_be_given_keys_too() -> None:
    ids = {binding.id for binding in ConsoleApp.BINDINGS}  # type: ignore[union-attr]
    assert set(keymap.APP_IDS) <= ids
    assert not set(keymap.APP_IDS) & set(BY_ID)
