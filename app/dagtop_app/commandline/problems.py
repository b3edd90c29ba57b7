"""Errors in words, for stderr: what could not be done, and every problem with its file and line."""

from __future__ import annotations

import os

from dagtop.errors import GraphError, LoadError, folded

from dagtop_app.text import clean, plural

#: Problems that are listed; of more, the rest is counted.
MOST_LISTED = 200


def problem_lines(error: Exception) -> list[str]:
    """The lines for an error of ours. Foreign text in it is cleaned, line by line."""
    if isinstance(error, GraphError):
        flaws = folded(error.problems)
        head = f"dagtop: the graph cannot be run, {plural(len(error.problems), 'problem')}:"
        lines = [f"  {_at(flaw.place)}{_text(flaw.message)}" for flaw in flaws[:MOST_LISTED]]
        if len(flaws) > MOST_LISTED:
            lines.append(f"  … and {len(flaws) - MOST_LISTED:,} more")
        return [head, *lines]
    if isinstance(error, LoadError):
        first, *rest = error.message.split("\n")
        return [
            f"dagtop: could not load {_at(error.place)}{clean(first)}",
            *(f"  {clean(line)}" for line in rest),
        ]
    first, *rest = str(error).split("\n")
    return [f"dagtop: {clean(first)}", *(f"  {clean(line)}" for line in rest)]


def _text(message: str) -> str:
    return "\n    ".join(clean(line) for line in message.split("\n"))


def _at(place: str) -> str:
    return f"{clean(shorter(place))}: " if place else ""


def shorter(place: str) -> str:
    """A path as seen from here, if that is shorter."""
    try:
        relative = os.path.relpath(place) if os.path.isabs(place) else place
    except (OSError, ValueError):
        return place
    return relative if len(relative) < len(place) and not relative.startswith("..") else place
