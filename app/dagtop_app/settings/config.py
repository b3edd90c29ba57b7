"""How a person wants the console: `config.toml` in the user's folder, `--config`, `DAGTOP_CONFIG`.

What is set is read once, before anything that draws is loaded; `current()` says it from then on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from dagtop.core.nearest import nearest

from dagtop_app.settings.config_file import ConfigError, Document, decode, read_toml, shown
from dagtop_app.text import clean

CONFIG_VARIABLE = "DAGTOP_CONFIG"

Asking = Literal["always", "loss", "never"]
"""When a question is asked: always, only if something would be lost, or never."""

#: So many mistakes of a file are told.
MISTAKES = 20
#: Columns of the table of tasks, in their usual order. TASK and STATE are what makes a row one.
COLUMNS = ("task", "state", "try", "time", "usual", "policy", "breaker", "why")


class Confirm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Which questions are asked before something is done."""

    cancel: Asking = "loss"
    restart: Asking = "loss"
    abandon: Asking = "loss"
    skip: Asking = "loss"
    mark_succeeded: Asking = "loss"
    approve: Asking = "loss"
    reject: Asking = "loss"
    stop: Asking = "loss"
    start: Asking = "loss"
    scale: Asking = "loss"
    hold: Asking = "loss"
    release: Asking = "loss"
    set_policy: Asking = "loss"
    retry_failed: Asking = "loss"
    pause: Asking = "loss"
    continue_: Asking = msgspec.field(default="loss", name="continue")
    drain: Asking = "loss"
    cancel_run: Asking = "loss"
    abandon_run: Asking = "loss"
    start_run: Asking = "loss"
    set_max_parallel: Asking = "loss"
    set_pool_limit: Asking = "loss"
    trip_breaker: Asking = "loss"
    reset_breaker: Asking = "loss"
    force_breaker: Asking = "loss"
    set_breaker: Asking = "loss"
    acknowledge: Asking = "loss"
    quit: Literal["always", "loss"] = "loss"

    def of(self, verb: str) -> Asking:
        """When it is asked before a command of that name."""
        name = "continue_" if verb == "continue" else verb.replace("-", "_")
        asking: Asking = getattr(self, name, "loss")
        return asking


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Which runs are kept, when one ends. What is not set asks for nothing."""

    keep: Annotated[int, msgspec.Meta(ge=0)] | None = None
    older_than: str = ""
    max_size: str = ""


class SafetySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What is secret beside what looks so, and whether that is hidden."""

    hide_secrets: bool = True
    redact: tuple[Annotated[str, msgspec.Meta(min_length=2)], ...] = ()
    """Further words of names whose values are secret."""


#: How people know them.
JOURNAL_NAMES = ("journal.keep", "journal.older-than", "journal.max-size")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that can be set."""

    theme: str = ""
    """"" is the usual one."""
    refresh: Annotated[float, msgspec.Meta(ge=1, le=60)] = 10.0
    ascii: bool | None = None
    """None: as the terminal says."""
    mouse: bool = True
    columns: tuple[str, ...] = ()
    """() is all that there is room for."""
    confirm: Confirm = Confirm()
    keys: dict[str, Any] = {}
    journal: JournalSettings = JournalSettings()
    safety: SafetySettings = SafetySettings()

    @property
    def is_usual(self) -> bool:
        """Whether nothing is set."""
        return self == Config()


#: What each setting takes, for messages and for the file that `dagtop config --init` writes.
TAKES: Mapping[str, str] = {
    "theme": "the name of a theme",
    "refresh": "a number from 1 to 60",
    "ascii": "true or false",
    "mouse": "true or false",
    "columns": f"a list of columns: {', '.join(COLUMNS)}",
    "confirm": '"always", "loss" or "never"',
    "keys": "a table of keys by action: cancel = [keys]",
    "journal": "a table: keep, older-than, max-size",
    "journal.keep": "a number of runs",
    "journal.older-than": 'an age such as "30d"',
    "journal.max-size": 'a size such as "500MB"',
    "safety": "a table: hide-secrets, redact",
    "safety.hide-secrets": "true or false",
    "safety.redact": "a list of words, of two letters at least, that are in the names of secrets",
}


class Setting(NamedTuple):
    """What is in force, and where it comes from."""

    config: Config
    path: Path
    """The file, whether it is there or not."""
    document: Document | None = None
    """The file as it was read; None if there is none."""
    given: str = ""
    """"--config" or "DAGTOP_CONFIG" if one of them named the file."""
    themes: Path | None = None
    """The folder of the user's own themes."""

    def in_ascii(self) -> Setting:
        """The same, drawn with ASCII only."""
        return self._replace(config=msgspec.structs.replace(self.config, ascii=True))


def usual_path() -> Path:
    """`config.toml` in the user's folder."""
    from platformdirs import user_config_path  # noqa: PLC0415 - only where no other file is named

    return user_config_path("dagtop", appauthor=False) / "config.toml"


def path_of(given: str | os.PathLike[str] | None, environ: Mapping[str, str] = os.environ) -> tuple[Path, str]:
    """(the file, what named it): `--config`, else DAGTOP_CONFIG, else the user's own place, which nothing named."""
    if given:
        return Path(given).expanduser(), "--config"
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named).expanduser(), CONFIG_VARIABLE
    return usual_path(), ""


def read(given: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> Setting:
    """What the file sets. None at the user's own place sets nothing.

    Raises
    ------
    ConfigError: it cannot be followed, or it was named and is not there.
    """
    path, named = path_of(given, environ)
    try:
        there = path.is_file() or path.exists()
    except OSError:  # no right to look, or no path at all
        there = bool(named)
    if not there:
        if named:
            raise ConfigError(f"{named}: there is no file {clean(str(path), 300)}")
        return Setting(Config(), path, themes=path.parent / "themes")
    document, themes = read_toml(path), path.parent / "themes"
    config = _followed(document, themes)
    return Setting(config, path, document, named, themes)


def _followed(document: Document, themes: Path) -> Config:
    """What the file sets; all that is wrong with it is told at once."""
    wrong: dict[tuple[str, ...], ConfigError] = {}
    left = document
    while len(wrong) < MISTAKES:
        try:
            config = decode(left, Config, _takes())
            _check(left, config, themes)
        except ConfigError as error:
            if error.keys in wrong:
                break
            wrong[error.keys] = error
            if not error.keys:
                break
            left = left.without(error.keys)  # what is wrong beside it?
        else:
            if not wrong:
                return config
            break
    first, *beside = map(str, wrong.values())
    raise ConfigError(first, beside=tuple(beside))


def journal_settings(
    given: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ
) -> JournalSettings:
    """What the file sets about runs that are kept; the rest of it is not looked into.

    Raises
    ------
    ConfigError: the file cannot be read, or that part of it cannot be followed.
    """
    path, _ = path_of(given, environ)
    try:
        there = path.is_file()
    except OSError:
        there = False
    if not there:
        return JournalSettings()
    document = read_toml(path)
    only = document._replace(data={key: value for key, value in document.data.items() if key == "journal"})
    found = decode(only, Config, _takes()).journal
    _check_journal(document, found)
    return found


def _check_journal(document: Document, found: JournalSettings) -> None:
    """See that an age is one, and a size."""
    if found == JournalSettings():
        return
    from dagtop_app.commands.pruning import age_of, bytes_of  # noqa: PLC0415 - only where something is set

    for name, value, read_it in (("older-than", found.older_than, age_of), ("max-size", found.max_size, bytes_of)):
        try:
            if value:
                read_it(value)
        except ValueError:
            raise document.wrong(
                f"journal.{name} takes {TAKES[f'journal.{name}']}, not {shown(value)}", "journal", name
            ) from None


def _takes() -> dict[str, str]:
    fields = msgspec.structs.fields(Confirm)
    takes = {f"confirm.{field.encode_name}": TAKES["confirm"] for field in fields}
    return {**TAKES, **takes, "confirm.quit": '"always" or "loss"'}


def _check(document: Document, config: Config, themes: Path) -> None:
    """What types do not say."""
    _check_journal(document, config.journal)
    for name in config.columns:
        if name not in COLUMNS:
            raise document.wrong(f"there is no column {shown(name)}{_hint(name, COLUMNS)}", "columns")
        if config.columns.count(name) > 1:
            raise document.wrong(f"the column {name} is listed twice", "columns")
    if config.columns and "task" not in config.columns:
        raise document.wrong("the column task cannot be left out: it is what a row is about", "columns")
    if config.theme:
        from dagtop_app.settings.theming import own_names, theme_names  # noqa: PLC0415 - only where one is chosen

        if config.theme not in own_names(themes) and config.theme not in (names := theme_names(themes)):
            raise document.wrong(f"there is no theme {shown(config.theme)}{_hint(config.theme, names)}", "theme")
    if config.keys:
        from dagtop_app.settings.keymap import key_settings  # noqa: PLC0415 - it loads Textual's names of keys

        key_settings(document)


def _hint(name: str, known: tuple[str, ...]) -> str:
    return clean(nearest(name, known), 100) or f"; there are {', '.join(known)}"


_current = Setting(Config(), Path("config.toml"))


def use(setting: Setting) -> None:
    """Have this in force from now on."""
    global _current  # noqa: PLW0603 - one process has one person before it
    _current = setting


def current() -> Setting:
    """What is in force."""
    return _current
