"""Foreign text made safe to draw: no control character, no surprise in its width. Also numbers in words.

Task names, errors, logs and outputs are written by others. Everything that reaches the screen goes through `clean`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, chop_cells, set_cell_size

#: More combining marks than this on one letter are noise that some terminals draw over other lines.
_MARKS = 2
_PICTURES = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "␡", 0x2028: "␤", 0x2029: "␤"}
_PICTURES[0x09] = " "
#: Categories that have no glyph of their own, or steer the terminal: format (bidi, zero-width), surrogate, control.
_HIDDEN = frozenset({"Cf", "Cs", "Cc", "Zl", "Zp"})


def clean(text: str, limit: int = 4096) -> str:
    """One line of `text`, at most `limit` characters, in which every control character is a picture of itself.

    ESC is shown as ␛, a line break as ␊. Direction marks, zero-width characters and lone surrogates become "�".
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _clean(text)


@lru_cache(maxsize=8192)
def _clean(text: str) -> str:
    shown: list[str] = []
    marks = 0
    for char in text:
        picture = _PICTURES.get(ord(char))
        if picture is not None:
            shown.append(picture)
            marks = 0
            continue
        category = unicodedata.category(char)
        if category in {"Mn", "Me", "Mc"}:
            marks += 1
            # A variation selector only asks for an emoji that is wider than what was counted.
            if marks <= _MARKS and shown and not 0xFE00 <= ord(char) <= 0xFE0F:
                shown.append(char)
            continue
        marks = 0
        shown.append("�" if category in _HIDDEN else " " if category == "Zs" else char)
    return "".join(shown)


def clean_lines(text: str, most: int = 400) -> list[str]:
    """The lines of a longer text, each cleaned; a tab is four spaces. The middle is left out beyond `most` lines."""
    lines = text.expandtabs(4).splitlines()
    if len(lines) > most:
        half = most // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half:,} lines left out …", *lines[-half:]]
    return [clean(line) for line in lines]


def name_of(text: str, limit: int = 512) -> str:
    """A task's name on screen: cleaned, and never nothing."""
    return clean(text, limit) if text.strip() else "␣" * min(len(text), 8) or "(no name)"


def width(text: str) -> int:
    """Cells that a cleaned text takes on the terminal."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """A cleaned text in exactly `cells` cells, cut with "…" or padded."""
    if cells <= 0:
        return ""
    taken = width(text)
    if taken > cells:
        text = cut(text, cells)
        taken = width(text)
    padding = " " * (cells - taken)
    return padding + text if right else text + padding


def cut(text: str, cells: int) -> str:
    """A cleaned text in at most `cells` cells, with "…" where something is missing."""
    if cells <= 0:
        return ""
    if width(text) <= cells:
        return text
    if text.isascii():
        return text[: cells - 1] + "…"
    return set_cell_size(text, cells - 1).rstrip(" ") + "…"


def wrap(text: str, cells: int) -> list[str]:
    """A cleaned text in lines of at most `cells` cells, broken at spaces where that is possible."""
    if cells < 2 or width(text) <= cells:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        grown = f"{line} {word}" if line else word
        if width(grown) <= cells:
            line = grown
            continue
        if line.strip():
            lines.append(line)
        if width(word) <= cells:
            line = word
        else:
            *full, line = chop_cells(word, cells)
            lines.extend(full)
    return [*lines, line]


def clock(seconds: float) -> str:
    """How long something has been going on, in whole seconds: 0:41, 12:05, 3:04:05, 2d03h."""
    whole = max(0, int(seconds))
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d{hours % 24:02}h"
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def clock_left(left: float) -> str:
    """A countdown: whole seconds, never 0 before the end."""
    return f"{max(1, round(left))}s" if left < 100 else clock(left)


def duration(seconds: float) -> str:
    """How long something took, precisely where it was short: 12ms, 3.2s, 0:41, 3:04:05."""
    if seconds < 0.9995:
        return f"{max(0, round(seconds * 1000))}ms"
    return f"{seconds:.1f}s" if seconds < 9.95 else clock(seconds)


def seconds_of(value: float) -> str:
    """A number of seconds as people write it: 30s, 0.5s, 5m, 1h30m."""
    if value < 60 or value != int(value):
        return f"{value:g}s"
    hours, rest = divmod(int(value), 3600)
    minutes, secs = divmod(rest, 60)
    return "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (secs, "s")) if n)


def plural(count: int, noun: str) -> str:
    """ "1 task", "3 tasks"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def number(value: float) -> str:
    """1,200,000 or 0.5."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def bar(share: float, cells: int) -> tuple[str, str]:
    """(filled, rest) of a progress bar in `cells` cells, to an eighth of a cell."""
    eighths = round(min(1.0, max(0.0, share)) * cells * 8)
    full, part = divmod(eighths, 8)
    filled = "█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")
    return filled, "·" * (cells - len(filled))
