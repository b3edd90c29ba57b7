"""Themes that people write: TOML in `themes/` of the folder of settings, checked, and read again when they change."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from dagtop.core.nearest import nearest
from dagtop_themes import Palette, palettes

from dagtop_app.settings.config_file import ConfigError, Document, decode, read_toml, shown
from dagtop_app.text import clean

#: Milliseconds that a file must lie still before it is read, and at most waited for: editors write in several steps.
_STILL, _LONGEST = 50, 400
#: More files than this in the folder are not all themes.
_MOST = 200

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class _ThemeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file may say; what it does not say is as in the theme that it extends."""

    name: str = ""
    extends: str = ""
    dark: bool | None = None
    base: dict[str, Any] = {}
    states: dict[str, Any] = {}


_TAKES = {
    "name": "a text", "extends": "the name of a theme that comes along", "dark": "true or false",
    "base": 'colours such as base.error = "#ff6b74"', "states": 'colours such as states.fail = "#ff6b74"',
}  # fmt: skip


class Themes(NamedTuple):
    """Those of a folder."""

    palettes: tuple[Palette, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with the others, each in one line that begins with file and line."""


def read_themes(folder: Path) -> Themes:
    """All the themes of a folder; one that cannot be read is left out and told."""
    found: dict[str, Palette] = {}
    problems: list[str] = []
    try:
        files = sorted(folder.glob("*.toml"))[:_MOST]
    except OSError:
        return Themes()
    for file in files:
        try:
            palette = read_theme(file)
        except ConfigError as error:
            problems.append(str(error))
        else:
            found[palette.name] = palette
    return Themes(tuple(found.values()), tuple(problems))


def read_theme(file: Path) -> Palette:
    """One theme.

    Raises
    ------
    ConfigError: it cannot be read, or says what no theme can.
    """
    document = read_toml(file)
    given = decode(document, _ThemeFile, _TAKES)
    known = {palette.name: palette for palette in palettes()}
    parent = known.get(given.extends or ("dagtop-light" if given.dark is False else "dagtop-dark"))
    if parent is None:
        hint = clean(nearest(given.extends, known), 80) or f"; there are {', '.join(known)}"
        raise document.wrong(f"there is no theme {shown(given.extends)} to extend{hint}", "extends")
    name = given.name or file.stem
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,39}", name):
        raise document.wrong(f"a theme's name is letters, digits and hyphens, not {shown(name)}", "name")
    return Palette(
        name=name,
        dark=parent.dark if given.dark is None else given.dark,
        base={**parent.base, **_colours(document, "base", given.base, parent.base)},
        states={**parent.states, **_colours(document, "states", given.states, parent.states)},
    )


def _colours(document: Document, table: str, given: Mapping[str, Any], known: Mapping[str, str]) -> Mapping[str, str]:
    for name, colour in given.items():
        if name not in known:
            hint = clean(nearest(name, known), 80) or f"; there are {', '.join(known)}"
            raise document.wrong(f"there is no colour {clean(name, 40)!r} in [{table}]{hint}", table, name)
        if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
            raise document.wrong(f'{name} takes a colour such as "#ff6b74", not {shown(colour)}', table, name)
    return given


def own_names(folder: Path) -> tuple[str, ...]:
    """The names of our themes and of the user's."""
    return tuple(dict.fromkeys(palette.name for palette in (*palettes(), *read_themes(folder).palettes)))


def theme_names(folder: Path) -> tuple[str, ...]:
    """Those that can be chosen: ours, the user's, and Textual's."""
    from textual.theme import BUILTIN_THEMES  # noqa: PLC0415 - only where a theme is none of ours

    return tuple(dict.fromkeys([*own_names(folder), *BUILTIN_THEMES]))


@contextmanager
def watching_themes(folder: Path | None, changed: Callable[[], None]) -> Generator[None]:
    """While this is open, call `changed` on a thread of its own after a file in the folder was written or removed."""
    if folder is None or not folder.is_dir():
        yield
        return
    stop = threading.Event()
    worker = threading.Thread(target=_watch, args=(folder, stop, changed), name="watches the themes", daemon=True)
    worker.start()
    try:
        yield
    finally:
        stop.set()


def _watch(folder: Path, stop: threading.Event, changed: Callable[[], None]) -> None:
    from watchfiles import watch  # noqa: PLC0415 - only where there are themes of a user's own

    try:
        for changes in watch(
            folder, stop_event=stop, recursive=False, step=_STILL, debounce=_LONGEST, raise_interrupt=False
        ):
            if any(file.endswith(".toml") for _, file in changes):
                changed()
    except OSError:
        return  # the folder has gone: the themes stay as they are


# -- what is chosen is kept ------------------------------------------------------------------------------------------------

_LINE = re.compile(r"^[ \t]*theme[ \t]*=.*$", re.MULTILINE)
_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)


def keep_theme(path: Path, name: str) -> None:
    """Write the chosen theme into the file of settings; the rest of it stays as it is.

    Raises
    ------
    OSError: it cannot be written.
    """
    path = path.resolve()  # a link to a file elsewhere stays one
    try:
        text = path.read_text("utf-8-sig") if path.exists() else ""
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "it is not UTF-8") from None
    line = f'theme = "{name}"'
    header = _HEADER.search(text)
    top = text[: header.start()] if header is not None else text
    rest = text[len(top) :]
    top, found = _LINE.subn(line, top, count=1)
    if not found:
        top = f"{line}\n{top}"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(top + rest, "utf-8")
    draft.replace(path)
