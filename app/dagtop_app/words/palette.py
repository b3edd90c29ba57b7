"""The command line that `:` opens: what the line would do, while it is typed, and help for its words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dagtop.core.commands import BlastRadius
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot

from dagtop_app.lines import Line
from dagtop_app.steering.node_commands import together
from dagtop_app.text import clean, wrap
from dagtop_app.words.parsing import Worded, WordError, parse
from dagtop_app.words.vocabulary import VOCABULARY, entry_of

#: What a command for more tasks would do is not worked out at every letter.
WEIGHED = 2_000

_NOTHING: Mapping[int, Usual] = {}


class Outlook(NamedTuple):
    """What a line would do."""

    text: str
    tone: str
    """Style class."""


def word_lines(begun: str, cells: int) -> list[Line]:
    """Every word with what comes after it and what it does; those that begin so, or all if none does."""
    wanted = begun.strip().lower()
    chosen = [
        entry for entry in VOCABULARY if any(one.startswith(wanted) for one in (entry.word, *entry.aliases))
    ] or VOCABULARY
    lines: list[Line] = []
    for entry in chosen:
        also = f"   also {', '.join(entry.aliases)}" if entry.aliases else ""
        lines.append(((entry.word, "key"), (f" {entry.usage}", ""), (also, "faint")))
        lines += [((f"    {part}", "dim"),) for part in wrap(entry.help.replace("`", ""), cells - 4)]
    lines += [
        (),
        (
            (
                "TASK… is names, patterns (load_*) and what the filter takes (state:failed, tag:etl, /re/, !not).",
                "faint",
            ),
        ),
    ]
    return [*lines, (("“because …” at the end is kept with the run.", "faint"),)]


def outlook(
    text: str, snapshot: RunSnapshot, *, chosen: Sequence[str] = (), usual: Mapping[int, Usual] = _NOTHING
) -> Outlook:
    """What a line would do if it was entered now: see `parse`."""
    text = text.strip().removeprefix(":").strip()
    if not text:
        return Outlook("a command, and what it is about · Tab takes what is offered · esc leaves", "dim")
    entry = entry_of(text.split(maxsplit=1)[0])
    if entry is None:
        began = [one.word for one in VOCABULARY if one.word.startswith(text.lower())]
        if began:
            return Outlook(f"Tab: {', '.join(began[:8])}", "dim")
    try:
        worded = parse(text, snapshot, chosen=chosen, usual=usual)
    except WordError as error:
        return Outlook(clean(str(error), 300), "warn")
    if not worded.commands:
        return Outlook(entry.help.replace("`", "") if entry is not None else "", "dim")
    return _would(worded, snapshot)


def _would(worded: Worded, snapshot: RunSnapshot) -> Outlook:
    if len(worded.commands) > WEIGHED:
        return Outlook(f"{len(worded.commands):,} tasks; what it would do is told before it is done", "good")
    radius: BlastRadius = together(snapshot, worded.commands).radius
    if radius.refusal:
        return Outlook(f"would be refused: {clean(radius.refusal, 300)}", "warn")
    return Outlook(clean(radius.summary, 300), "bad" if radius.stops or radius.never_runs else "good")
