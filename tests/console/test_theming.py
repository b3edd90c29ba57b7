"""Colours: every word can be read in every theme, states are told apart by every eye, and files of one's own are checked."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from dagtop_app.faces import STYLES, TASK_FACES
from dagtop_app.settings.config_file import ConfigError
from dagtop_app.settings.theming import keep_theme, read_theme, read_themes, theme_names, watching_themes
from dagtop_themes import Palette, palettes
from dagtop_themes.inks import COLOURLESS, INKS

THEMES = {palette.name: palette for palette in palettes()}

#: Drawn lines and bars, in which there is no word.
LINES = frozenset({"rule", "bar-rest"})
#: Styles that stand on the table, and so on the row under the cursor.
ON_ROWS = frozenset({"", "dim", "faint", "strong", "error", "good", "warn", "bad", "key", "mark"}) | {
    face.style for face in TASK_FACES.values()
}

#: How people see who lack one of the three kinds of cones (Machado, Oliveira and Fernandes 2009, severity 1).
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))

Colour = tuple[float, float, float]


def linear(text: str) -> Colour:
    """Light of #rrggbb, by colour."""
    values = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """As the Web's guidelines for accessibility have it: 1 to 21."""
    light = sorted(
        sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(text), strict=True)) for text in (one, other)
    )
    return (light[1] + 0.05) / (light[0] + 0.05)


def seen_by(matrix: tuple[Colour, ...], text: str) -> Colour:
    """A colour in CIELAB, as it is seen with that matrix."""
    light = linear(text)
    red, green, blue = (min(1.0, max(0.0, sum(m * v for m, v in zip(row, light, strict=True)))) for row in matrix)
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883,
    )
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one: str, other: str, matrix: tuple[Colour, ...]) -> float:
    """How far two colours are apart for such eyes; 2.3 can just be seen."""
    pairs = zip(seen_by(matrix, one), seen_by(matrix, other), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs)) ** 0.5


def colours(palette: Palette) -> Mapping[str, str]:
    """The variables of a theme, as inks name them."""
    return {**palette.base, **{f"dt-{name}": value for name, value in palette.states.items()}}


def grounds(palette: Palette, style: str) -> set[str]:
    """What a style stands on."""
    own = INKS[style].background if style else ""
    if own:
        return {colours(palette)[own]}
    rows = {palette.states["cursor"], palette.base["panel"]} if style in ON_ROWS else set[str]()
    return {palette.base["background"], palette.base["surface"]} | rows


class TestContrast:
    def test_the_measure_is_that_of_the_guidelines(self) -> None:
        assert contrast("#ffffff", "#000000") == 21
        assert round(contrast("#777777", "#ffffff"), 2) == 4.48

    @pytest.mark.parametrize("name", [*THEMES])
    @pytest.mark.parametrize("style", ["", *(style for style in INKS if style not in LINES)])
    def test_every_word_is_readable_on_whatever_it_stands(self, name: str, style: str) -> None:
        palette = THEMES[name]
        ink = INKS[style].color if style else ""
        text = colours(palette)[ink or "foreground"]
        least = 7.0 if name == "dagtop-contrast" else 4.5
        for ground in grounds(palette, style):
            assert contrast(text, ground) >= least, (style, text, ground)

    @pytest.mark.parametrize("name", [*THEMES])
    def test_failed_and_blocked_are_told_apart_by_every_eye(self, name: str) -> None:
        """In Airflow they were 6 apart, and 0.4 for people who do not see green."""
        states = THEMES[name].states
        for eyes in (DEUTERANOPIA, PROTANOPIA):
            assert apart(states["fail"], states["block"], eyes) > 20

    def test_one_theme_tells_all_states_apart_without_red_and_green(self) -> None:
        states = THEMES["dagtop-cvd"].states
        for one, other in itertools.combinations(("run", "ok", "fail", "block", "retry", "skip"), 2):
            for eyes in (DEUTERANOPIA, PROTANOPIA):
                assert apart(states[one], states[other], eyes) > 20, (one, other)

    def test_every_theme_has_every_colour_and_every_style_has_an_ink(self) -> None:
        assert {"dagtop-dark", "dagtop-light", "dagtop-cvd", "dagtop-contrast"} <= set(THEMES)
        first = THEMES["dagtop-dark"]
        for palette in THEMES.values():
            assert palette.base.keys() == first.base.keys()
            assert palette.states.keys() == first.states.keys()
        assert set(STYLES) <= set(INKS)
        for style, ink in INKS.items():
            assert {ink.color, ink.background} - {""} <= colours(first).keys(), style

    def test_without_colour_what_matters_is_still_told_apart(self) -> None:
        """State is glyph and word besides; bold, underline and reverse carry what stands out."""
        assert "underline" in COLOURLESS["fail"]
        assert COLOURLESS["fail"] != COLOURLESS["block"]
        assert all("reverse" in COLOURLESS[style] for style in ("cursor", "tab-on", "match", "alarm"))


class TestFiles:
    def test_a_file_says_only_what_differs(self, tmp_path: Path) -> None:
        (tmp_path / "paper.toml").write_text('dark = false\n[states]\nfail = "#aa0000"\n')
        palette = read_theme(tmp_path / "paper.toml")
        light = THEMES["dagtop-light"]
        assert palette == Palette(name="paper", dark=False, base=light.base, states={**light.states, "fail": "#aa0000"})

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('\n[states]\nfial = "#aa0000"', ":3: there is no colour 'fial' in [states]; did you mean 'fail'?"),
            ('[base]\nerror = "red"', ':2: error takes a colour such as "#ff6b74", not "red"'),
            ('extends = "dagtop"', ':1: there is no theme "dagtop" to extend; '),
            ('name = "a b"', ':1: a theme\'s name is letters, digits and hyphens, not "a b"'),
            ('drak = true', ":1: there is no setting 'drak'; did you mean 'dark'?"),
            ("[states]\nfail = 3", ':2: fail takes a colour such as "#ff6b74", not 3'),
            ("dark = ", ":1: it is no TOML: "),
        ],
    )  # fmt: skip
    def test_a_mistake_is_told_with_its_line_and_the_others_are_read(
        self, tmp_path: Path, text: str, message: str
    ) -> None:
        (tmp_path / "a.toml").write_text(text)
        (tmp_path / "b.toml").write_text('[states]\nfail = "#aa0000"\n')
        with pytest.raises(ConfigError) as caught:
            read_theme(tmp_path / "a.toml")
        assert str(caught.value).startswith(f"{tmp_path / 'a.toml'}{message}")
        read = read_themes(tmp_path)
        assert [palette.name for palette in read.palettes] == ["b"]
        assert read.problems == (str(caught.value),)

    def test_names_are_ours_ones_own_and_textuals(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_text("dark = true\n")
        names = theme_names(tmp_path)
        assert {"dagtop-dark", "mine", "nord"} <= set(names)
        assert len(names) == len(set(names))

    def test_a_folder_that_is_not_there_has_none(self, tmp_path: Path) -> None:
        assert read_themes(tmp_path / "none") == read_themes(tmp_path)

    def test_a_file_that_is_written_is_heard_of(self, tmp_path: Path) -> None:
        heard = threading.Event()
        with watching_themes(tmp_path, heard.set):
            for number in range(200):  # the watcher begins to watch in its own time
                (tmp_path / "mine.toml").write_text(f"# {number}\n")
                if heard.wait(0.1):
                    break
        assert heard.is_set()


class TestKeeping:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", 'theme = "x"\n'),
            ("# mine\n", 'theme = "x"\n# mine\n'),
            ('refresh = 2\ntheme = "old"  # why\n', 'refresh = 2\ntheme = "x"\n'),
            ('[keys]\ntheme = "y"\n', 'theme = "x"\n[keys]\ntheme = "y"\n'),
        ],
    )
    def test_one_line_is_changed_and_the_rest_stays(self, tmp_path: Path, before: str, after: str) -> None:
        path = tmp_path / "here" / "config.toml"
        path.parent.mkdir()
        path.write_text(before)
        keep_theme(path, "x")
        assert path.read_text() == after

    def test_a_file_that_is_a_link_stays_one(self, tmp_path: Path) -> None:
        (tmp_path / "dotfiles.toml").write_text("refresh = 2\n")
        (tmp_path / "config.toml").symlink_to(tmp_path / "dotfiles.toml")
        keep_theme(tmp_path / "config.toml", "x")
        assert (tmp_path / "config.toml").is_symlink()
        assert (tmp_path / "dotfiles.toml").read_text() == 'theme = "x"\nrefresh = 2\n'

    def test_a_file_of_notepad_can_be_read_afterwards(self, tmp_path: Path) -> None:
        """The line stood before the mark of its encoding, which is no TOML anywhere else than at the start."""
        path = tmp_path / "config.toml"
        path.write_bytes(b"\xef\xbb\xbfrefresh = 2\n")
        keep_theme(path, "x")
        assert path.read_bytes() == b'theme = "x"\nrefresh = 2\n'

    def test_a_file_that_is_no_text_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"\xff")
        with pytest.raises(OSError, match="not UTF-8"):
            keep_theme(path, "x")
        assert path.read_bytes() == b"\xff"

    def test_a_file_that_is_not_there_is_made(self, tmp_path: Path) -> None:
        keep_theme(tmp_path / "new" / "config.toml", "x")
        assert (tmp_path / "new" / "config.toml").read_text() == 'theme = "x"\n'
