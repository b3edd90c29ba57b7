"""Keys as a person has set them: by the action's id, checked, with a report of what is in each other's way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from dagtop.core.nearest import nearest

from dagtop_app import faces
from dagtop_app.actions import ACTIONS, BY_ID, IN_RUNS, NO_KEY, Action, footer_of
from dagtop_app.lines import Line
from dagtop_app.settings.config_file import Document, shown
from dagtop_app.terminal.ascii_form import keys_in_ascii
from dagtop_app.text import clean

#: Bindings of the whole console that are none of the list of actions.
APP_IDS = ("app.leave", "app.interrupt")

_NAMED = frozenset({
    "escape", "enter", "tab", "space", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown", "up", "down",
    "left", "right", *(f"f{number}" for number in range(1, 25)),
})  # fmt: skip
_RENAMED = {
    "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
    "plus_sign": "plus", "low_line": "underscore",
}  # fmt: skip
_ALIASES = {
    "esc": "escape", "return": "enter", "del": "delete", "ins": "insert", "pgup": "pageup", "pgdn": "pagedown",
    "bs": "backspace",
}  # fmt: skip
_SHOWN = {
    "escape": "Esc", "enter": "⏎", "tab": "Tab", "space": "Space", "backspace": "⌫", "delete": "Del", "insert": "Ins",
    "home": "Home", "end": "End", "pageup": "PgUp", "pagedown": "PgDn", "up": "↑", "down": "↓", "left": "←", "right": "→",
}  # fmt: skip
_WITH = ("ctrl", "alt", "shift", "super", "meta", "hyper")


class KeySetting(NamedTuple):
    """One line of [keys]."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them; () takes the key away."""
    at: str
    """Where it stands: "config.toml:12"."""


def key_settings(document: Document) -> list[KeySetting]:
    """What [keys] says, in its order.

    Raises
    ------
    ConfigError: an action or a key is not known.
    """
    settings: list[KeySetting] = []
    for path, value in _leaves(document.data.get("keys", {}), ("keys",)):
        name = ".".join(path[1:])
        if name not in BY_ID and name not in APP_IDS:
            hint = clean(nearest(name, [*BY_ID, *APP_IDS]), 80) or "; `dagtop config --keys` lists them"
            raise document.wrong(f"there is no action {clean(name, 60)!r}{hint}", *path)
        if any(known.id == name for known in settings):
            raise document.wrong(f"the keys of {name} are said twice", *path)
        texts = _texts(value)
        if texts is None:
            raise document.wrong(f'{name} takes a key, such as "x", or a list of keys, not {shown(value)}', *path)
        keys = []
        for text in texts:
            key = key_named(text)
            if key is None:
                raise document.wrong(f"{shown(text)} is no key{_key_hint(text)}", *path)
            keys.append(key)
        settings.append(KeySetting(name, tuple(dict.fromkeys(keys)), document.at(*path)))
    return settings


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """`task.cancel = "x"` is a table in a table to TOML, `"task.cancel" = "x"` is not."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    else:
        yield path, value


def _texts(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return [value] if len(value) == 1 else [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return None


@cache
def _characters() -> Mapping[str, str]:
    """The name of each key that is a character."""
    names = {}
    for char in map(chr, range(33, 127)):
        name = char if char.isalnum() else unicodedata.name(char).lower().replace("-", "_").replace(" ", "_")
        names[char] = _RENAMED.get(name, name)
    return names


def key_named(text: str) -> str | None:
    """A key as Textual names it; None if there is none of that name."""
    if len(text) == 1 and text.isprintable() and not text.isspace():
        return _characters().get(text, text if text.isalnum() else None)
    *modifiers, last = text.split("+")
    if not all(one.lower() in _WITH for one in modifiers) or len(set(modifiers)) < len(modifiers):
        return None
    name = _characters().get(last) if len(last) == 1 else _ALIASES.get(last.lower(), last.lower())
    if name is None or not (len(last) == 1 or name in _NAMED or name in _characters().values()):
        return None
    if modifiers and name.isupper():  # how terminals say it
        modifiers, name = [*modifiers, "shift"], name.lower()
    return "+".join([*(one for one in _WITH if one in {m.lower() for m in modifiers}), name])


def _key_hint(text: str) -> str:
    return (
        clean(nearest(text.lower(), [*_NAMED, *_characters().values()]), 60) or '; write "x", "ctrl+x", "f5", "space"'
    )


def key_shown(key: str) -> str:
    """A key as people read it."""
    *modifiers, name = key.split("+")
    by_name = {value: char for char, value in _characters().items()}
    last = _SHOWN.get(name) or by_name.get(name) or (name.upper() if name[:1] == "f" and name[1:].isdigit() else name)
    return "+".join([*(one.capitalize() for one in modifiers), last])


# -- what is in the way of what ------------------------------------------------------------------------------------------


def _keys_of(action: Action, settings: Mapping[str, KeySetting]) -> Sequence[str]:
    own = settings.get(action.id)
    return own.keys if own is not None else [key for key in action.keys.split(",") if key]


def clashes(settings: Sequence[KeySetting]) -> list[str]:
    """What keys were given twice, in sentences that begin with file and line."""
    own = {setting.id: setting for setting in settings}
    told: list[str] = []
    for setting in settings:
        action = BY_ID.get(setting.id)
        for key in setting.keys:
            others = [other for other in ACTIONS if other.id != setting.id and key in _keys_of(other, own)]
            told += [
                _clash(setting, action, other, key, own)
                for other in others
                if action is not None and _meet(action, other)
            ]
    return [text for text in dict.fromkeys(told) if text]


def _meet(action: Action, other: Action) -> bool:
    """Whether keys of both are ever in force at once."""
    if "runs" not in {action.view, other.view} or action.view == other.view:
        return True
    elsewhere = other if action.view == "runs" else action
    return not elsewhere.view and elsewhere in footer_of(IN_RUNS)


def _clash(setting: KeySetting, action: Action, other: Action, key: str, own: Mapping[str, KeySetting]) -> str:
    name = key_shown(key)
    if action.view == other.view:
        if other.id not in own:
            left = [one for one in _keys_of(other, own) if one != key]
            rest = f"has only {' '.join(map(key_shown, left))} left" if left else "has no key left"
            return f"{setting.at}: {name} is now {action.id}; {other.id} {rest}"
        if [*own].index(other.id) > [*own].index(action.id):
            line = setting.at.rpartition(":")[2]
            return f"{own[other.id].at}: {name} is now {other.id}, and no longer {action.id} (line {line})"
        return ""
    if not action.view and other.view:
        return f"{setting.at}: {name} is now {action.id}, but in the view {other.view} {other.id}"
    if action.view and not other.view and other.id in own:
        return ""  # told from the other side
    if action.view and not other.view:
        return f"{setting.at}: {name} is now {action.id} in the view {action.view}, and {other.id} elsewhere"
    return ""


def keymap(settings: Sequence[KeySetting]) -> dict[str, str]:
    """As Textual wants it. A key that two actions of one view were given is the later one's."""
    taken: dict[tuple[str, str], str] = {}
    for setting in settings:
        view = BY_ID[setting.id].view if setting.id in BY_ID else ""
        taken.update({(view, key): setting.id for key in setting.keys})
    found: dict[str, str] = {}
    for setting in settings:
        view = BY_ID[setting.id].view if setting.id in BY_ID else ""
        keys = [key for key in setting.keys if taken[view, key] == setting.id]
        found[setting.id] = ",".join(keys) or f"{NO_KEY}_{setting.id}"
    for action in ACTIONS:  # the keys that went to others, as Textual would take all of an action's keys with one
        left = [key for key in action.keys.split(",") if key and taken.get((action.view, key), action.id) == action.id]
        if action.id not in found and action.keys and len(left) < len(action.keys.split(",")):
            found[action.id] = ",".join(left) or f"{NO_KEY}_{action.id}"
    return found


_shown: dict[str, str] = {}


def use_keys(map_: Mapping[str, str]) -> None:
    """Have these keys in what is shown from now on."""
    _shown.clear()
    for name, keys in map_.items():
        _shown[name] = " ".join(key_shown(key) for key in keys.split(",") if not key.startswith(NO_KEY))


def shown_of(action: Action) -> str:
    """The keys of an action as people read them; "" if it has none."""
    shown = _shown.get(action.id, action.shown)
    return keys_in_ascii(shown) if faces.ASCII else shown


#: What texts say of keys, with the actions that they mean: "p releases it".
_HINTS: Mapping[str, str] = {
    "p releases": "task.hold", "Z goes on": "run.pause", "r starts": "task.restart", "r runs": "task.restart",
    "R also": "task.restart-downstream", "e raises": "task.edit", "e changes": "task.edit", "e ceiling": "task.edit",
    "d starts": "task.down", "d has it": "task.down", "P changes": "task.policy", "a decides": "run.gate",
    "u undoes": "edit.undo", "K starts": "run.cancel", "q leaves": "app.quit", "n next": "find.next",
    "F runs": "run.retry-failed", "F all that": "run.retry-failed", "m gives": "task.mark", "@ shows": "task.where",
    "# changes": "run.pool", "b its": "run.breaker", "+ allows": "run.more", ". runs it now": "run.now",
}  # fmt: skip
_HINT = re.compile("|".join(rf"(?<![\w.]){re.escape(text)}(?!\w)" for text in _HINTS))


def rekeyed(line: Line) -> Line:
    """A line in which texts name the keys as they are now."""
    if not _shown:
        return line
    return tuple((_HINT.sub(_named, text) if " " in text else text, style) for text, style in line)


#: What texts say of keys that move a task, or the run.
_STEERS = re.compile(r" · (?:p releases it|Z goes on|r starts it|d starts it|e raises the ceiling)(?!\w)")


def unsteered(line: Line) -> Line:
    """A line of a replay, as wide as it was: its texts name no keys that would change something."""
    return tuple((f"{_STEERS.sub('', text):<{len(text)}}" if " · " in text else text, style) for text, style in line)


def _named(match: re.Match[str]) -> str:
    shown = _shown.get(_HINTS[match[0]])
    if shown is None:
        return match[0]
    key = shown.partition(" ")[0] or f":{_HINTS[match[0]].rpartition('.')[2]}"
    return f"{key}{match[0][1:]}"


def help_key() -> str:
    """The first key of the help."""
    return shown_of(BY_ID["app.help"]).partition(" ")[0]
