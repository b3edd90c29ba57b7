"""TOML files that people write: read strictly, and what is wrong told with file, line and what would be right."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from dagtop.core.nearest import nearest

from dagtop_app.commandline.options import UsageError
from dagtop_app.text import clean

T = TypeVar("T")

#: More than this is no file of settings.
LARGEST = 1_000_000
#: A key of more parts is none of ours, and reading it takes time and room by the square of them.
_DEEPEST = 30

Path_ = tuple[str, ...]


class ConfigError(UsageError):
    """A file of settings cannot be followed. The message begins with its name and the line.

    Parameters
    ----------
    keys: what in it is wrong, as a path from the top; () if it is all of it.
    beside: what else is wrong.
    """

    help_helps = False

    def __init__(self, message: str, keys: Path_ = (), *, beside: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join((message, *beside)))
        self.keys = keys
        self._lines = (message, *beside)

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each mistake."""
        return self._lines


class Document(NamedTuple):
    """A file that was read."""

    path: Path
    data: dict[str, Any]
    lines: Mapping[Path_, int]
    """The line of each key, by its path from the top."""

    def at(self, *keys: str) -> str:
        """Where a key stands, as compilers say it: "config.toml:12"."""
        for length in range(len(keys), 0, -1):
            if (line := self.lines.get(keys[:length])) is not None:
                return f"{self.path}:{line}"
        return str(self.path)

    def wrong(self, message: str, *keys: str) -> ConfigError:
        """What is wrong about a key."""
        return ConfigError(f"{self.at(*keys)}: {message}", keys)

    def without(self, keys: Path_) -> Document:
        """The same, as if a key had not been set."""
        return self._replace(data=_without(self.data, keys))


def _without(data: Mapping[str, Any], keys: Path_) -> dict[str, Any]:
    first, *rest = keys
    left = {key: value for key, value in data.items() if key != first}
    if rest and isinstance(inner := data.get(first), Mapping):
        left[first] = _without(inner, tuple(rest))
    return left


def read_toml(path: Path) -> Document:
    """Read a file.

    Raises
    ------
    ConfigError: it cannot be read, or is no TOML.
    """
    try:
        found = path.stat()
        if stat.S_ISFIFO(found.st_mode):  # it would be waited for
            raise ConfigError(f"{path}: it is a pipe, and no file")
        if found.st_size > LARGEST:
            raise ConfigError(f"{path}: it is too large for a file of settings")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is not UTF-8 ({error.reason} at byte {error.start:,})") from None
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be read: {error.strerror or error}") from None
    if line := _line_of_too_deep(text):
        raise ConfigError(f"{path}:{line}: it is nested too deeply")
    import tomllib  # noqa: PLC0415 - most have no such file

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}{_place(str(error), text)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: it is nested too deeply") from None
    except ValueError:  # Python reads no longer ones
        raise ConfigError(f"{path}: there is a number of thousands of digits in it") from None
    return Document(path, data, dict(_lines(text)))


def _place(message: str, text: str) -> str:
    """ ":12: Invalid value", from "Invalid value (at line 12, column 3)"."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL)
    if found is None:
        return f": {clean(message, 200)}"
    what = found[1][:1].lower() + found[1][1:]
    return f":{found[2] or text.count(chr(10)) + 1}: it is no TOML: {clean(what, 200)}"


# -- where keys stand ----------------------------------------------------------------------------------------------------

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_TABLE = re.compile(rf"\s*\[\[?\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")


_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"""|\'{3}.*?\'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*|[A-Za-z0-9_-]+|[ \t]+|.''',
    re.DOTALL,
)


def _line_of_too_deep(text: str) -> int:
    """Where the first key stands that has very many parts; 0 if none has. What stands in texts and comments is none."""
    dots = 0
    for token in _TOKEN.finditer(text) if text.count(".") >= _DEEPEST else ():
        if token[0] == ".":
            dots += 1
            if dots == _DEEPEST:
                return text.count("\n", 0, token.start()) + 1
        elif not re.match(r"""[A-Za-z0-9_ \t"'-]""", token[0]):
            dots = 0
    return 0


def _lines(text: str) -> Iterator[tuple[Path_, int]]:
    """The line of each key. A text in several lines may look as if it had keys: then a wrong line is told, no more."""
    table: Path_ = ()
    for number, line in enumerate(text.splitlines(), 1):
        if (header := _TABLE.match(line)) is not None:
            table = _parts(header[1])
            yield table, number
        elif (key := _KEY.match(line)) is not None:
            parts = table + _parts(key[1])
            for length in range(len(table) + 1, len(parts)):
                yield parts[:length], number
            yield parts, number


def _parts(dotted: str) -> Path_:
    return tuple(_unquoted(part) for part in re.findall(_PART, dotted))


def _unquoted(part: str) -> str:
    if part[:1] == "'":
        return part[1:-1]
    if part[:1] != '"':
        return part
    import tomllib  # noqa: PLC0415 - as above

    try:
        return str(tomllib.loads(f"x = {part}")["x"])
    except tomllib.TOMLDecodeError:
        return part[1:-1]


# -- what they may say ---------------------------------------------------------------------------------------------------


def decode(document: Document, kind: type[T], takes: Mapping[str, str]) -> T:
    """The file's settings as a struct. `takes` says what each takes, by its dotted name.

    Raises
    ------
    ConfigError: a key is not known, or a value is none that it takes.
    """
    _check_keys(document, kind, document.data, ())
    try:
        return msgspec.convert(document.data, kind)
    except msgspec.ValidationError as error:
        raise _explained(document, str(error), takes) from None


def _check_keys(document: Document, kind: Any, data: Mapping[str, Any], above: Path_) -> None:
    """Nothing is passed over in silence: a slip of the pen is told with what was meant."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in data.items():
        keys = (*above, key)
        if key not in fields:
            there = f" in [{'.'.join(above)}]" if above else ""
            listed = f"; there are {', '.join(fields)}"
            raise document.wrong(
                f"there is no setting {clean(key, 60)!r}{there}{clean(nearest(key, fields), 80) or listed}", *keys
            )
        own = fields[key].type
        if isinstance(own, type) and issubclass(own, msgspec.Struct):
            if not isinstance(value, Mapping):
                raise document.wrong(f"{key} is a table: [{'.'.join(keys)}]", *keys)
            _check_keys(document, own, value, keys)


def _explained(document: Document, message: str, takes: Mapping[str, str]) -> ConfigError:
    """msgspec's message in our words, with the line."""
    found = re.search(r" - at `(?:key in )?\$\.?([^`\[]*)", message)
    keys = tuple(part for part in (found[1] if found else "").split(".") if part)
    missing = re.search(r"missing required field `([^`]+)`", message)
    if missing is not None:
        where = f" in [{'.'.join(keys)}]" if keys else ""
        return document.wrong(f"{missing[1]} is missing{where}", *keys)
    name = ".".join(keys)
    value: Any = document.data
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    wanted = takes.get(name) or takes.get(keys[0] if keys else "", "something else")
    return document.wrong(f"{name or 'it'} takes {wanted}, not {shown(value)}", *keys)


def shown(value: Any) -> str:
    """A value as TOML has it, for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{clean(value, 60)}"'
    if isinstance(value, list):
        return f"[{', '.join(shown(one) for one in value[:6])}{', …' if len(value) > 6 else ''}]"
    if isinstance(value, Mapping):
        return "a table"
    return clean(str(value), 60)
