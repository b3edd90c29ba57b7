"""Values that are known to be secret: found in what tasks are given, and found again wherever they stand in a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

#: A shorter one would be found in the middle of words.
LEAST = 6
#: A longer one is told by its beginning, in case a text has only a part of it.
LONGEST = 4_000
#: Most that are looked for.
MOST = 20_000
#: Texts of just these lengths may have been cut: messages, reasons, the root of an error.
_CUT = frozenset({200, 300, 500, 2_000})
#: As many at most are looked for by one expression: it tries one after the other.
_FEW = 50


def found_in(values: Iterable[str], instead: str) -> Callable[[str], str] | None:
    """A function that puts `instead` in place of each of them; None if there are none.

    Of a value of several lines each line is looked for too, if it is long enough to be no line of anything else.
    """
    known: set[str] = set()
    for value in values:
        if len(value) < LEAST:
            continue
        known.add(value[:LONGEST])
        if "\n" in value:
            known.update(line.strip() for line in value[:LONGEST].splitlines() if len(line.strip()) >= 2 * LEAST)
    if not known:
        return None
    longest_first = sorted(known, key=lambda value: (-len(value), value))[:MOST]
    if len(longest_first) > _FEW:
        return _Table(longest_first, instead)
    pattern = re.compile("|".join(map(_as_it_stands, longest_first)))

    def found(text: str) -> str:
        is_cut = len(text) in _CUT
        text = pattern.sub(instead, text)
        return _without_parts(text, longest_first, instead, is_cut) if is_cut or "…" in text else text

    return found


#: Where something was left out of a text, with what stands around it.
_LEFT_OUT = re.compile(r"\s*…[^\n]{0,60}?(?:bytes cut|left out …\n|more characters\)|…|\Z)")


def _without_parts(text: str, values: Iterable[str], instead: str, is_cut: bool) -> str:
    """Without the beginning of a value where a text was cut off, and its end where the text goes on after that."""
    cuts = [(match.start(), match.end()) for match in _LEFT_OUT.finditer(text)][:4]
    if is_cut:
        cuts.append((len(text), len(text)))
    for before, after in reversed(cuts):
        end = max((_overlap(text[:before], value) for value in values), default=0)
        start = max((_overlap(value, text[after : after + LONGEST]) for value in values), default=0)
        text = "".join(
            (
                text[: before - end],
                instead if end else "",
                text[before:after],
                instead if start else "",
                text[after + start :],
            )
        )
    return text


def _overlap(one: str, other: str) -> int:
    """How many characters, at least `LEAST`, the end of the one shares with the beginning of the other."""
    longest = min(len(one), len(other), LONGEST)
    return next((size for size in range(longest, LEAST - 1, -1) if one.endswith(other[:size])), 0)


def _as_it_stands(value: str) -> str:
    """A plain word or number only as a whole: "monday" is not found in "mondays"."""
    found = re.escape(value)
    return rf"(?<![^\W_]){found}(?![^\W_])" if value.isalpha() or value.isdigit() else found


class _Table:
    """Finds many values by how they begin."""

    def __init__(self, longest_first: Iterable[str], instead: str) -> None:
        by_start: dict[str, list[str]] = {}
        for value in longest_first:
            by_start.setdefault(value[:LEAST], []).append(value)
        self._patterns = {start: re.compile("|".join(map(_as_it_stands, values))) for start, values in by_start.items()}
        self._instead = instead

    def __call__(self, text: str) -> str:
        get = self._patterns.get
        parts: list[str] = []
        kept = at = 0
        last = len(text) - LEAST
        while at <= last:
            pattern = get(text[at : at + LEAST])
            match = pattern.match(text, at) if pattern is not None else None
            if match is None:
                at += 1
                continue
            parts += (text[kept:at], self._instead)
            kept = at = match.end()
        return "".join((*parts, text[kept:])) if parts else text
