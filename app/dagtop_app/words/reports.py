"""`report html FILE`, as a word of the line: which form, and where to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dagtop.core.nearest import nearest

from dagtop_app.text import clean
from dagtop_app.words.tasks import WordError

#: What can be written while a run goes on, and what each is for.
FORMS: Mapping[str, str] = {
    "html": "one page: everything, with the graph and a timeline",
    "md": "Markdown, for a pull request or a wiki",
    "json": "all of it, for programs",
    "xml": "JUnit, for build servers",
    "trace.json": "a trace, for Perfetto: slots as threads",
    "svg": "the graph with its states, as a picture",
    "mmd": "the graph with its states, as mermaid",
    "dot": "the graph with its states, for Graphviz",
    "tickets": "each escalation as Markdown for a ticket",
}
_OTHERWISE = {"markdown": "md", "junit": "xml", "trace": "trace.json", "perfetto": "trace.json", "mermaid": "mmd"}


class Asked(NamedTuple):
    """What somebody wants written."""

    form: str
    """One of `FORMS`; "" if that was not said."""
    target: Path | None
    """The file, or of tickets the folder; None: beside the other files of the working directory."""


def report_asked(text: str) -> Asked:
    """What comes after `report`: a form, a file whose name ends in one, or both.

    Raises
    ------
    WordError: there is no such form, or the file's name is not one of the form.
    """
    first, _, rest = text.strip().partition(" ")
    form = _OTHERWISE.get(first.lower(), first.lower())
    if form in FORMS:
        target = _path(rest)
    elif not first:
        return Asked("", None)
    else:
        target, form = _path(text), _form_of(text)
        if not form:
            raise WordError(
                f"there is no report {clean(first, 40)!r}{nearest(form or first, FORMS)}; there are {', '.join(FORMS)}"
            )
    if target is not None and form != "tickets" and _form_of(target.name) != form:
        raise WordError(f"could not write {form} to {clean(str(target), 80)!r}: its name must end in .{form}")
    return Asked(form, target)


def _path(text: str) -> Path | None:
    plain = text.strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"":
        plain = plain[1:-1]
    return Path(plain).expanduser() if plain else None


def _form_of(name: str) -> str:
    """The form whose ending the name has, the longest that fits."""
    plain = name.strip().strip("'\"").lower()
    return max((form for form in FORMS if plain.endswith(f".{form}")), key=len, default="")
