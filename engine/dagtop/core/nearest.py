"""The nearest of some names, for whoever has misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: How many names are compared with one that is wrong, and how much of that: it takes 50 ms.
MANY, LONG = 2_000, 200


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" if some known name is near, else "". Of very many, those that begin alike are looked at."""
    candidates = list(known)
    if len(candidates) > MANY:
        candidates = [other for other in candidates if str(other)[:1] == name[:1]][:MANY]
    found = difflib.get_close_matches(name[:LONG], candidates, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
