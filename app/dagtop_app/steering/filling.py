"""What forms ask and how they check it: values, reasons, limits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from dagtop_app.text import clean, plural

T = TypeVar("T")

#: How long a value may be when it is typed in.
LONGEST = 100_000
#: How many replicas may be asked for by hand: one zero too many should not be an accident.
MOST_REPLICAS = 1_000


class Field(NamedTuple):
    """One line to fill in."""

    initial: str
    note: str
    """What is meant, in a few words."""
    more: str = ""
    """What else there is to know, told below the fields while it is typed in."""


class Checked(NamedTuple, Generic[T]):
    """What the fields say now."""

    result: T | None
    """What the form comes to; None while a field is wrong, or nothing is to be done."""
    errors: Mapping[str, str]
    """What is wrong, by field."""
    outlook: str
    """What it means, in a sentence."""


class Marked(NamedTuple):
    """The output that a person gives a task, and why."""

    value: Any
    reason: str


def value_of(text: str) -> tuple[Any, str]:
    """(value, what it is in words): JSON if it reads as JSON, else the text itself; nothing typed is None."""
    if not text.strip():
        return None, "None"
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return text, f"the text {clean(text, 60)!r}"
    if isinstance(value, dict):
        return value, f"a dict of {len(value):,}"
    if isinstance(value, list):
        return value, f"a list of {len(value):,}"
    return value, f"{clean(repr(value), 60)}"


def mark(typed: Mapping[str, str]) -> Checked[Marked]:
    """Check the form that gives a task its output."""
    value, said = value_of(typed["value"])
    return Checked(Marked(value, typed["why"].strip()), {}, f"downstream gets {said}")


def reason(typed: Mapping[str, str]) -> Checked[str]:
    """Check the form that asks for a reason; any will do, and none."""
    return Checked(typed["why"].strip(), {}, "")


def replicas(now: int, what: str) -> Callable[[Mapping[str, str]], Checked[int]]:
    """The check of a form that asks how many replicas there should be."""

    def check(typed: Mapping[str, str]) -> Checked[int]:
        try:
            wanted = int(typed["replicas"].replace(",", ""))
        except ValueError:
            return Checked(None, {"replicas": "a whole number, please"}, "")
        if not 0 <= wanted <= MOST_REPLICAS:
            return Checked(None, {"replicas": f"0 or more, up to {MOST_REPLICAS:,}"}, "")
        if wanted == now:
            return Checked(None, {}, f"{what}: {plural(now, 'replica')} (as it is now)")
        first, last = min(now, wanted), max(now, wanted) - 1
        which = f"[{first}]" if first == last else f"[{first}] to [{last}]"
        return Checked(
            wanted, {}, f"{what}{which} {'is' if first == last else 'are'} {'started' if wanted > now else 'stopped'}"
        )

    return check


def limit(now: int, what: str) -> Callable[[Mapping[str, str]], Checked[int]]:
    """The check of a form that asks for the limit of a pool."""

    def check(typed: Mapping[str, str]) -> Checked[int]:
        try:
            wanted = int(typed["limit"].replace(",", ""))
        except ValueError:
            return Checked(None, {"limit": "a whole number, please"}, "")
        if not 1 <= wanted <= 1_000_000:
            return Checked(None, {"limit": "1 or more, up to 1,000,000"}, "")
        if wanted == now:
            return Checked(None, {}, f"{what}: {now:,} at once (as it is now)")
        return Checked(wanted, {}, f"{what}: {now:,} → {wanted:,} at once")

    return check
