"""What the console draws, in ASCII: each glyph as one character of the same width. Letters of any script stay. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from rich.cells import cell_len

from dagtop_app.faces import GATE_FACE, GONE_FACE, RUN_FACES, TASK_FACES

_GROUPS = {
    "-": "─┄┈╌‐‑‒–—―−╴╶", "=": "━═┅┉╍▒▄▅", "|": "│┃║┆┇┊┋╎╏▌▐▏▎▍▕∥╵╷╹╻",
    "+": "┌┐└┘├┤┬┴┼╭╮╯╰┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬┍┎┑┒┕┖┙┚┝┞┟┠┡┢┥┦┧┨┩┪┭┮┯┰┱┲┵┶┷┸┹┺┽┾┿╀╁╂╃╄╅╆╇╈╉╊±",
    "#": "█▓▇▆▋▊▉▀▙▛▜▟■▪◼▮", "_": "▁▂▃", ":": "░∶⋮", ".": "·•∙⋯⸱▫", "~": "…≈∼",
    ">": "→▶▸▷›»⇒➜►⟶", "<": "←◀◂◁‹«⇐◄⏎↵", "^": "↑▲△▴⇧⇑", "v": "↓▼▾⇓", "/": "╱", "\\": "╲", "x": "×✕✗╳", "*": "★☆✱∗",
    "o": "◯◎◉⊙◐◑◒◓", "?": "�", "'": "‘’′", '"': "“”″",
}  # fmt: skip

#: Keys as people read them, where their signs cannot be drawn.
KEYS: Mapping[str, str] = {"⏎": "Enter", "⌫": "Bksp", "⇧": "S-", "↑": "Up", "↓": "Dn", "←": "Lt", "→": "Rt"}


def _table() -> dict[int, str]:
    table = {ord(char): plain for plain, chars in _GROUPS.items() for char in chars}
    faces = [*RUN_FACES.values(), *TASK_FACES.values(), GATE_FACE, GONE_FACE]
    return table | {ord(face.glyph): face.plain for face in faces if not face.glyph.isascii()}


_TABLE = _table()


def ascii_of(text: str) -> str:
    """A text with every glyph in ASCII, as wide as before."""
    if text.isascii():
        return text
    text = text.translate(_TABLE)
    if text.isascii():
        return text
    return "".join(char if char.isascii() else _other(char) for char in text)


def _other(char: str) -> str:
    """A character that is in no table: letters stay, what is drawn does not."""
    code = ord(char)
    if 0x2800 <= code <= 0x28FF:  # dots of a braille pattern
        return " " if code == 0x2800 else ":" if code.bit_count() > 4 else "."
    if 0x2500 <= code <= 0x259F:
        return "+" if code < 0x2580 else "#"
    category = unicodedata.category(char)
    return char if category[0] in "LMN" else "?" * cell_len(char)


def keys_in_ascii(shown: str) -> str:
    """Keys as people read them, in ASCII."""
    for sign, name in KEYS.items():
        shown = shown.replace(sign, name)
    return ascii_of(shown)
