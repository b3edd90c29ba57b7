"""`dagtop config`: which file of settings there is, what is in force, which keys are in each other's way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from dagtop_themes import palettes

from dagtop_app.settings import config
from dagtop_app.settings.config import COLUMNS, Confirm, Setting
from dagtop_app.settings.config_file import ConfigError, shown
from dagtop_app.settings.keymap import clashes, key_settings, key_shown
from dagtop_app.text import clean


def config_command(given: Path | None, *, init: bool, keys: bool) -> int:
    """Print what is in force; with `init` write a file with all that can be set, with `keys` list the actions.

    Raises
    ------
    ConfigError: the file cannot be followed, or written.
    """
    if keys:
        print("\n".join(_actions()))
        return 0
    if init:
        print(write_default(config.path_of(given)[0]))
        return 0
    setting = config.read(given)
    print("\n".join(effective(setting)))
    told = problems(setting)
    for line in told:
        print(f"dagtop: {line}", file=sys.stderr)
    return 0


def problems(setting: Setting) -> list[str]:
    """What does not stand in the way of anything, but should be known: keys that clash, themes that cannot be read."""
    found: list[str] = []
    if setting.document is not None and setting.config.keys:
        found += clashes(key_settings(setting.document))
    if setting.themes is not None:
        from dagtop_app.settings.theming import read_themes  # noqa: PLC0415 - only where there may be some

        found += read_themes(setting.themes).problems
    return found


def effective(setting: Setting) -> Iterator[str]:
    """What is in force, as the file has it; a line that the file does not set says so."""
    there = "" if setting.document is not None else " (not there; dagtop config --init writes it)"
    named = f", named by {setting.given}" if setting.given else ""
    yield f"# {clean(str(setting.path), 1000)}{named}{there}"
    if setting.themes is not None:
        yield f"# themes of your own: {clean(str(setting.themes), 1000)}/*.toml"
    given = setting.document.data if setting.document is not None else {}
    one = setting.config
    for name, value, usual in (
        ("theme", one.theme or "dagtop-dark", "theme" not in given),
        ("refresh", one.refresh, "refresh" not in given),
        ("mouse", one.mouse, "mouse" not in given),
        ("ascii", one.ascii, "ascii" not in given),
        ("columns", list(one.columns or COLUMNS), "columns" not in given),
    ):
        text = f"{name} = {shown_all(value)}" if value is not None else f"# {name}: as the terminal says"
        yield f"{text}{'  # usual' if usual and value is not None else ''}"
    yield ""
    yield "[confirm]"
    for name in given.get("confirm", {}):
        yield f'{name} = "{one.confirm.of(name)}"'
    yield f'# everything{" else" if given.get("confirm") else ""}: "loss"'
    yield ""
    yield "[journal]"
    for name, kept in (
        ("keep", one.journal.keep),
        ("older-than", one.journal.older_than),
        ("max-size", one.journal.max_size),
    ):
        is_set = name in given.get("journal", {})
        yield f"{name} = {shown_all(kept)}" if is_set else f"# {name}: any; every run is kept"
    yield ""
    yield "[safety]"
    for name, hidden in (("hide-secrets", one.safety.hide_secrets), ("redact", list(one.safety.redact))):
        yield f"{name} = {shown_all(hidden)}{'' if name in given.get('safety', {}) else '  # usual'}"
    if setting.document is not None and one.keys:
        yield ""
        yield "[keys]"
        for own in key_settings(setting.document):
            keys = shown_all([*own.keys])
            yield f'"{own.id}" = {keys}  # {" ".join(map(key_shown, own.keys)) or "no key"}'


def shown_all(value: object) -> str:
    """A value as TOML has it, to the end."""
    if isinstance(value, list):
        return f"[{', '.join(shown(one) for one in value)}]"
    return f"{value:g}" if isinstance(value, float) else shown(value)


def write_default(path: Path) -> str:
    """Write a file with all that can be set, each line a comment; returns what to say.

    Raises
    ------
    ConfigError: there is one already, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(default_text())
    except FileExistsError:
        raise ConfigError(f"{path}: it is there already; nothing was written") from None
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be written: {error.strerror or error}") from None
    return f"wrote {clean(str(path), 1000)}: every line in it is a comment, and says what is usual"


def default_text() -> str:
    """The file that `--init` writes."""
    names = ", ".join(palette.name for palette in palettes())
    confirm = "\n".join(f'# {field.encode_name} = "loss"' for field in msgspec.structs.fields(Confirm))
    return f"""# Settings of dagtop's console. Every line is a comment that says what is usual; take the "# " away to change it.
# dagtop config prints what is in force, and what is wrong with it.

# {names}, one of Textual's, or one of your own in themes/ beside this file. In the console: T.
# theme = "dagtop-dark"

# How often a second the screen looks at the run, 1 to 60.
# refresh = 10

# Draw with ASCII only. Without it: on the Linux console, and where DAGTOP_ASCII is set.
# ascii = false

# Take the mouse; without it the terminal's own selection works as ever.
# mouse = true

# Columns of the table of tasks, in this order, as far as there is room.
# columns = {shown_all([*COLUMNS])}

# When a question is asked before something is done: "always", "loss" (only if something would be lost), "never".
[confirm]
{confirm}

# Which runs are kept, looked at when one ends; without it all of them are. dagtop runs prune does it at once.
[journal]
# keep = 200
# older-than = "90d"
# max-size = "2GB"

# Further words that make a name one of a secret, beside password, token, api_key and the like: what stands under such a name
# is told nowhere. false shows secrets like anything else.
[safety]
# redact = ["iban", "customer_no"]
# hide-secrets = true

# Keys by action; dagtop config --keys lists the actions. A list gives several, "" takes the key away.
[keys]
# "task.cancel" = "x"
# "look.filter" = ["/", "ctrl+f"]
"""


def _actions() -> Iterator[str]:
    from dagtop_app.actions import ACTIONS  # noqa: PLC0415 - only for this list

    widest = max(len(action.id) for action in ACTIONS)
    for action in ACTIONS:
        keys = " ".join(key_shown(key) for key in action.keys.split(",") if key)
        yield f"{action.id:<{widest}}  {keys:<10}  {action.help}"
