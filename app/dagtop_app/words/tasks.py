"""Typed lines taken apart, and the tasks that they mean: by name, by pattern, by what the filter box understands. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dagtop.core.forecast import Usual
from dagtop.core.nearest import nearest
from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.spreading import chosen_by

from dagtop_app.tasks.filters import Filter
from dagtop_app.tasks.table_columns import is_slow
from dagtop_app.text import clean

#: A quoted text, NAME="a quoted text", a regular expression, or anything up to the next space.
_TOKENS = re.compile(
    r"""(?P<q>"[^"]*"|'[^']*')(?=\s|$)"""
    r"""|(?P<named>[\w-]+=)(?P<v>"[^"]*"|'[^']*')(?=\s|$)"""
    r"""|(?P<re>!?(?:\w+:)?/(?:\\.|[^/\\])+/)(?=\s|$)"""
    r"""|(?P<word>\S+)"""
)
#: What makes a word a term of the filter box, if no task is called so.
_TERM = re.compile(r"!.+|~.+|!?\w+:\S*|!?(?:\w+:)?/.+/", re.DOTALL)
_WILD = frozenset("*?[")


class WordError(ValueError):
    """What was typed cannot be done; the message says what would, in one sentence."""


class Token(NamedTuple):
    """One word of what was typed."""

    text: str
    quoted: bool
    """It stands for itself: neither a keyword nor a pattern."""
    start: int
    end: int
    """Its place in what was typed."""


def tokens(text: str) -> list[Token]:
    """The words of a line; what is in quotes is one.

    Raises
    ------
    WordError: a quote is not closed.
    """
    found: list[Token] = []
    for match in _TOKENS.finditer(text):
        start, end = match.span()
        if (quoted := match["q"]) is not None:
            found.append(Token(quoted[1:-1], True, start, end))
        elif match["named"] is not None:
            found.append(Token(match["named"] + match["v"][1:-1], False, start, end))
        else:
            word = match["re"] or match["word"]
            if word[0] in "\"'":
                raise WordError(f"the quote before {clean(word[1:], 40)!r} is not closed")
            found.append(Token(word, False, start, end))
    return found


def is_term(plan: Plan, token: Token) -> bool:
    """Whether a word narrows tasks down as in the filter box, and is none's name."""
    return not token.quoted and token.text not in plan.index and _TERM.fullmatch(token.text) is not None


def tasks_meant(snapshot: RunSnapshot, words: Sequence[Token], usual: Mapping[int, Usual]) -> list[str]:
    """The tasks that some words mean, upstream first. Names and patterns add up; terms of the filter box narrow them down.

    usual: how long tasks took in earlier runs, by index, for `state:slow`.

    Raises
    ------
    WordError: there are none.
    """
    plan = snapshot.plan
    names = [token for token in words if not is_term(plan, token)]
    terms = [token.text for token in words if is_term(plan, token)]
    for term in terms:
        if term.endswith(":"):  # the filter box lets all pass until it is said; a command must not mean all of them
            raise WordError(f"{clean(term, 40)} what? {clean(term, 40)}… needs a value")
    found = {name for token in names for name in _called(plan, token)}
    if not names:
        found = {name for index, name in enumerate(plan.names) if index not in plan.nodes}
    if terms:
        wanted = Filter(" ".join(terms))
        if wanted.error:
            raise WordError(wanted.error)
        wanted.slow = lambda row: is_slow(snapshot, row, usual)
        found = {name for name in found if wanted(snapshot.rows[plan.index[name]])}
        if not found:
            among = "of them is" if names else "is"
            raise WordError(f"no task {among} {clean(' '.join(terms), 80)}")
    return in_order(plan, found)


def in_order(plan: Plan, names: Iterable[str]) -> list[str]:
    """Some tasks, upstream first."""
    chosen = {plan.index[name] for name in names}
    if len(chosen) == 1:
        return [plan.names[index] for index in chosen]
    return [plan.names[index] for index in plan.order if index in chosen]


def _called(plan: Plan, token: Token) -> list[str]:
    """Those of this name, or of names like this."""
    name = token.text
    if name in plan.index:
        return [name]
    if token.quoted:
        raise WordError(no_task(plan, name))
    pattern = "*" if name == "all" else name
    found = chosen_by(plan, pattern)
    if found:
        return found
    if _WILD.intersection(pattern):
        raise WordError(f"no task has a name like {clean(name, 80)!r}")
    raise WordError(no_task(plan, name))


def no_task(plan: Plan, name: str) -> str:
    """That there is none of this name, and which is nearest."""
    return f"there is no task {clean(name, 80)!r}{clean(nearest(name, plan.names), 200)}"


def by_name(what: str, known: Iterable[str], token: Token) -> list[str]:
    """Breakers or pools by name or pattern.

    Raises
    ------
    WordError: there is none.
    """
    from fnmatch import fnmatchcase  # noqa: PLC0415 - where there is a pattern

    there = list(known)
    if token.text in there:
        return [token.text]
    found = [name for name in there if not token.quoted and fnmatchcase(name, token.text)]
    if found:
        return found
    if not there:
        raise WordError(f"the run has no {what}s")
    near = nearest(token.text, there)
    listed = ", ".join(clean(name, 40) for name in there[:8])
    hint = clean(near, 120) or f"; there {'is' if len(there) == 1 else 'are'} {listed}"
    raise WordError(f"there is no {what} {clean(token.text, 80)!r}{hint}")


def by_beginning(what: str, begun: str, known: Iterable[str]) -> str:
    """The one of that name, or the first that begins so.

    Raises
    ------
    WordError: there is none.
    """
    there, wanted = list(known), begun.strip().lower()
    found = [name for name in there if name == wanted] or [name for name in there if wanted and name.startswith(wanted)]
    if found:
        return found[0]
    asked = f"there is no {what} {clean(begun, 40)!r}{nearest(wanted, there)}" if wanted else f"which {what}?"
    listed = ", ".join(there)
    raise WordError(f"{asked}; there are {listed}")
