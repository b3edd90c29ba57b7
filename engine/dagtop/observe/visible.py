"""Foreign text made safe to show: what would act on a terminal or hide from a reader becomes something one can see."""

from __future__ import annotations

import re

_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "␡"}
#: C1 controls; soft hyphen; zero-width, bidi and invisible operators; line and paragraph separators; lone surrogates;
#: byte order mark; interlinear marks; tags.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    return _PICTURES.get(code) or f"⟨U+{code:04X}⟩"


def _picture_in_block(match: re.Match[str]) -> str:
    return match.group() if match.group() in "\n\t" else _picture(match)


def one_line(text: str, limit: int = 300) -> str:
    """`text` on one line: ESC as ␛, a line break as ␊, a zero-width space as ⟨U+200B⟩.

    Beyond `limit` characters it is cut, and says so.
    """
    return _HIDDEN.sub(_picture, _cut(text, limit))


def block(text: str, limit: int = 20_000) -> str:
    """The same for a text of several lines: line breaks and tabs stay. Too long a text loses its middle."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
    return _HIDDEN.sub(_picture_in_block, text.replace("\r\n", "\n"))


def storable(text: str) -> str:
    r"""`text` as it can be written in UTF-8: lone surrogates become "\udc80"; nothing else changes."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters)"
