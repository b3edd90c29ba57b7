"""`config.toml`: what it may say, and how it is told what is wrong with it: file, line, and what would be right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from dagtop.core import commands as do
from dagtop_app.commands.config_command import default_text
from dagtop_app.settings import config
from dagtop_app.settings.config import Config, Confirm, read
from dagtop_app.settings.config_file import ConfigError, read_toml
from hypothesis import given
from hypothesis import strategies as st


def wrong(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


class TestReading:
    def test_without_a_file_everything_is_as_usual(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        setting = read(None, {})
        assert setting.config == Config()
        assert setting.config.is_usual
        assert setting.path == tmp_path / "dagtop" / "config.toml"
        assert setting.themes == tmp_path / "dagtop" / "themes"

    def test_the_option_wins_over_the_variable_which_wins_over_the_users_own_place(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).write_text(f"refresh = {len(name) + ord(name) - 94}\n")
        environ = {"DAGTOP_CONFIG": str(tmp_path / "b")}
        assert read(tmp_path / "a", environ).config.refresh == 4
        assert read(None, environ).config.refresh == 5
        assert read(None, environ).given == "DAGTOP_CONFIG"

    @pytest.mark.parametrize("text", ["{} = 1", "[{}]\nx = 1", "x = {{{} = 1}}", "'a'.{} = 1", "[confirm]\n{} = 1"])
    def test_a_key_of_very_many_parts_is_told_before_it_is_read(self, tmp_path: Path, text: str) -> None:
        """TOML readers take time and room by the square of the parts: 30,000 took more than three gigabytes."""
        told = wrong(tmp_path / "config.toml", f"# one\n{text.format(' . '.join(['a'] * 100_000))}\n")
        assert told in (":2: it is nested too deeply", ":3: it is nested too deeply")

    def test_dots_in_texts_and_comments_are_no_parts(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        dots = ".".join(["a"] * 100)
        path.write_text(f'# {dots}\ntheme = "dagtop-light" # {dots}\n[keys]\n"task.cancel" = ["x"] # \'{dots}\n')
        assert read(path).config.theme == "dagtop-light"
        for text in (f'theme = "{dots}"', f"theme = '{dots}'", f'theme = """\n{dots}"""', f"theme = '''{dots}'''"):
            assert "there is no theme" in wrong(path, text)

    def test_everything_can_be_set(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_text(
            """
            theme = "dagtop-light"
            refresh = 4
            ascii = true
            mouse = false
            columns = ["task", "state", "why"]
            [confirm]
            cancel = "always"
            retry-failed = "never"
            [keys]
            task.cancel = "X"
            "task.hold" = ["p", "H"]
            """
        )
        assert read(path).config == Config(
            theme="dagtop-light",
            refresh=4,
            ascii=True,
            mouse=False,
            columns=("task", "state", "why"),
            confirm=Confirm(cancel="always", retry_failed="never"),
            keys={"task": {"cancel": "X"}, "task.hold": ["p", "H"]},
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('\nthme = "x"', ":2: there is no setting 'thme'; did you mean 'theme'?"),
            (
                "xyz = 1",
                ":1: there is no setting 'xyz'; there are theme, refresh, ascii, mouse, columns, confirm, keys, journal, safety",
            ),
            ('refresh = "fast"', ':1: refresh takes a number from 1 to 60, not "fast"'),
            ("refresh = 0.5", ":1: refresh takes a number from 1 to 60, not 0.5"),
            ("mouse = 1", ":1: mouse takes true or false, not 1"),
            ('theme = "dagtop-drak"', ":1: there is no theme \"dagtop-drak\"; did you mean 'dagtop-dark'?"),
            ('columns = ["task", "wy"]', ":1: there is no column \"wy\"; did you mean 'why'?"),
            ('columns = ["state"]', ":1: the column task cannot be left out: it is what a row is about"),
            ('columns = ["task", "task"]', ":1: the column task is listed twice"),
            ('[confirm]\ncancel = "nevr"', ':2: confirm.cancel takes "always", "loss" or "never", not "nevr"'),
            ('[confirm]\nquit = "never"', ':2: confirm.quit takes "always" or "loss", not "never"'),
            ('[confirm]\ncancl = "never"', ":2: there is no setting 'cancl' in [confirm]; did you mean 'cancel'?"),
            ("confirm = 3", ":1: confirm is a table: [confirm]"),
            ('\n[keys]\ntask.cancle = "x"', ":3: there is no action 'task.cancle'; did you mean 'task.cancel'?"),
            ("[keys]\n'task.hold' = 3", ':2: task.hold takes a key, such as "x", or a list of keys, not 3'),
            ('[keys]\ntask.hold = "ctrl+ü"', ':2: "ctrl+ü" is no key; write "x", "ctrl+x", "f5", "space"'),
            ('[keys]\ntask.hold = "ecsape"', ":2: \"ecsape\" is no key; did you mean 'escape'?"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_line(self, tmp_path: Path, text: str, message: str) -> None:
        assert wrong(tmp_path / "config.toml", text) == message

    def test_all_that_is_wrong_is_told_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_text(
            'thme = "x"\nrefresh = 0.5\ncolumns = ["task", "wy"]\n[confirm]\ncancl = "never"\nquit = 1\n'
            '[keys]\ntask.cancle = "x"\ntask.hold = "ecsape"\n[journal]\nolder-than = "soon"\n'
        )
        with pytest.raises(ConfigError) as told:
            read(path)
        lines = str(told.value).split("\n")
        assert sorted(line.removeprefix(str(path)).split(":")[1] for line in lines) == [
            "1",
            "11",
            "2",
            "3",
            "5",
            "6",
            "8",
            "9",
        ]
        assert len({*lines}) == 8

    def test_of_very_many_mistakes_the_first_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_text("".join(f"x{n} = 1\n" for n in range(2_000)))
        with pytest.raises(ConfigError) as told:
            read(path)
        assert len(str(told.value).split("\n")) == 20

    @pytest.mark.parametrize("text", ["theme = \nx = 1", "theme = 'a", "[keys"])
    def test_what_is_no_toml_is_told_with_its_line(self, tmp_path: Path, text: str) -> None:
        """What exactly is wrong about it is said in the words of the standard library."""
        assert wrong(tmp_path / "config.toml", text).startswith(":1: it is no TOML: ")

    def test_every_command_can_be_asked_about_by_its_name(self) -> None:
        verbs = {str(kind.__struct_config__.tag) for kind in get_args(do.Command)} - {"swap-graph"}
        assert verbs == {field.encode_name for field in msgspec.structs.fields(Confirm)} - {"quit"}
        assert all(Confirm().of(verb) == "loss" for verb in verbs)
        assert Confirm(continue_="always").of("continue") == "always"

    def test_a_file_that_is_named_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"^--config: there is no file "):
            read(tmp_path / "none.toml")
        with pytest.raises(ConfigError, match=r"^DAGTOP_CONFIG: there is no file "):
            read(None, {"DAGTOP_CONFIG": str(tmp_path / "none.toml")})

    def test_what_is_no_text_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"theme = '\xff'")
        with pytest.raises(ConfigError, match="not UTF-8"):
            read(path)
        with pytest.raises(ConfigError, match="cannot be read"):
            read(tmp_path)
        path.write_text(f"refresh = {'9' * 5000}")
        with pytest.raises(ConfigError, match="thousands of digits"):
            read(path)
        os.mkfifo(tmp_path / "pipe.toml")
        with pytest.raises(ConfigError, match="it is a pipe"):
            read(tmp_path / "pipe.toml")

    @given(st.text(max_size=80))
    def test_any_file_is_followed_or_refused(self, text: str) -> None:
        path = Path(os.environ["PYTEST_TMP"]) / "any.toml"
        path.write_bytes(text.encode("utf-8", "replace"))
        try:
            read(path)
        except ConfigError as error:
            told = str(error)
        else:
            told = ""
        assert told.isprintable()

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTEST_TMP", str(tmp_path_factory.getbasetemp()))

    def test_lines_of_keys_are_found_however_they_are_written(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_text('[keys]\n"task.cancel" = "x"\ntask . hold = "p"\n\n[keys.run]\npause = "Z"\n')
        document = read_toml(path)
        assert document.at("keys", "task.cancel").endswith(":2")
        assert document.at("keys", "task", "hold").endswith(":3")
        assert document.at("keys", "run", "pause").endswith(":6")
        assert document.at("nothing") == str(path)


class TestTheCommand:
    def test_it_prints_the_file_and_what_is_in_force(self, run, tmp_path) -> None:
        (tmp_path / "mine.toml").write_text('theme = "dagtop-cvd"\n[keys]\ntask.cancel = "r"\n')
        done = run("config", "--config", "mine.toml")
        assert done.returncode == 0
        assert done.stdout.splitlines()[0] == "# mine.toml, named by --config"
        assert 'theme = "dagtop-cvd"\n' in done.stdout
        assert "refresh = 10  # usual" in done.stdout
        assert '"task.cancel" = ["r"]  # r' in done.stdout
        assert "mine.toml:3: r is now task.cancel; task.restart has no key left" in done.stderr

    def test_init_writes_a_file_that_changes_nothing_and_never_over_another(self, run, tmp_path) -> None:
        environ = {"XDG_CONFIG_HOME": str(tmp_path / "of me")}
        assert run("config", "--init", environ=environ).returncode == 0
        path = tmp_path / "of me" / "dagtop" / "config.toml"
        assert read(path).config == Config()
        again = run("config", "--init", environ=environ)
        assert again.returncode == 2
        assert "it is there already" in again.stderr
        assert path.read_text() == default_text()

    def test_every_line_of_the_default_file_can_be_switched_on(self, tmp_path) -> None:
        lines = [line.removeprefix("# ") for line in default_text().splitlines() if " = " in line or line[:1] == "["]
        path = tmp_path / "config.toml"
        path.write_text("\n".join(lines))
        assert {name for name in Config.__struct_fields__ if name in default_text()} == set(Config.__struct_fields__)
        assert read(path).config.refresh == 10

    def test_a_file_with_a_mistake_opens_nothing(self, run, write) -> None:
        write("graph.py", "from dagtop import Graph\ngraph = Graph('g')\ngraph.add('a', print)\n")
        write("bad.toml", "refresh = 1000\n")
        done = run("run", "graph.py", "--config", "bad.toml", "--no-journal")
        assert done.returncode == 2
        assert done.stderr == "dagtop: bad.toml:1: refresh takes a number from 1 to 60, not 1000\n"
        write("bad.toml", "refresh = 1000\nmouse = 3\n")
        assert run("run", "graph.py", "--config", "bad.toml", "--no-journal").stderr == (
            "dagtop: bad.toml:1: refresh takes a number from 1 to 60, not 1000\n"
            "dagtop: bad.toml:2: mouse takes true or false, not 3\n"
        )

    @pytest.mark.parametrize("command", [["replay", "last"], ["resume", "last"], ["run", "graph.py"], ["graph.py"]])
    def test_every_command_that_draws_takes_settings(self, run, command) -> None:
        done = run(*command, "--config", "none.toml")
        assert done.returncode == 2
        assert done.stderr.startswith("dagtop: --config: there is no file none.toml")

    def test_keys_lists_every_action(self, run) -> None:
        from dagtop_app.actions import ACTIONS

        out = run("config", "--keys").stdout
        assert all(action.id in out for action in ACTIONS)


def test_settings_of_the_console_load_no_textual_where_there_is_none(run, tmp_path) -> None:
    (tmp_path / "config.toml").write_text('theme = "dagtop-cvd"\nrefresh = 3\n')
    code = (
        "from dagtop_app.settings import config; import sys; config.read('config.toml'); "
        "raise SystemExit('textual' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=run.environ, check=False)
    assert done.returncode == 0


def test_what_is_in_force_is_said_once() -> None:
    before = config.current()
    try:
        config.use(before._replace(config=Config(refresh=2.0)))
        assert config.current().config.refresh == 2
    finally:
        config.use(before)
