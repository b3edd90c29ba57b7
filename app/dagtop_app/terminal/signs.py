"""What a terminal shows around its text: the title of its window, and how far the run is (OSC 9;4). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import BAD, RUN_OVER, RunState, TaskState

from dagtop_app.faces import RUN_FACES, run_glyph
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.tally import counts_of, done_of
from dagtop_app.text import clean, name_of

#: Terminals without a title, or that print what they do not know.
_PLAIN = frozenset({"linux", "dumb", "unknown", "vt100", "vt220", ""})
#: Keep the title that was there, and give it back; terminals that cannot ignore both.
KEEP_TITLE, TITLE_BACK = "\x1b[22;2t", "\x1b[23;2t"
NO_PROGRESS = "\x1b]9;4;0;0\a"


def has_title(environ: Mapping[str, str]) -> bool:
    """Whether the terminal has a title that can be set."""
    return environ.get("TERM", "") not in _PLAIN and not environ.get("DAGTOP_NO_TITLE")


def has_progress(environ: Mapping[str, str]) -> bool:
    """Whether the terminal shows progress. Others take OSC 9 for a notification, and would pop one up each time."""
    if environ.get("TMUX") or environ.get("STY") or environ.get("DAGTOP_NO_TITLE"):
        return False
    program, vte = environ.get("TERM_PROGRAM", ""), environ.get("VTE_VERSION", "")
    return (
        bool(environ.get("WT_SESSION"))
        or environ.get("ConEmuANSI") == "ON"
        or program in {"ghostty", "WezTerm"}
        or (program == "iTerm.app" and "P" in environ.get("TERM_FEATURES", ""))
        or (vte.isdecimal() and int(vte) >= 7900)
    )


def title_of(snapshot: RunSnapshot, source: str) -> str:
    """ "● nightly 58% · 2 failed": what one looks for among twenty tabs."""
    name = name_of(snapshot.graph or source or "dagtop", 40)
    if not snapshot.rows:
        return f"dagtop {name}"
    counts = counts_of(snapshot)
    bad = counts.get(TaskState.FAILED, 0) + counts.get(TaskState.TIMED_OUT, 0)
    word = RUN_FACES[snapshot.state].word.lower()
    parts = [f"{run_glyph(snapshot.state)} {name}"]
    parts.append(word if snapshot.state in RUN_OVER or upkeep.keeps(snapshot) else f"{percent(snapshot)}%")
    if bad:
        parts.append(f"· {bad:,} failed")
    return clean(" ".join(parts), 100)


def percent(snapshot: RunSnapshot) -> int:
    """Of the tasks that have ended, in whole percent."""
    done, tasks = done_of(snapshot)
    return done * 100 // max(1, tasks)


def title(text: str) -> str:
    """What sets the title. The text is cleaned."""
    return f"\x1b]2;{clean(text, 100)}\a"


def progress_of(snapshot: RunSnapshot) -> str:
    """What shows how far the run is: red once something failed, gone when all is well."""
    bad = not counts_of(snapshot).keys().isdisjoint(BAD)
    if snapshot.state is RunState.SUCCEEDED or not snapshot.rows:
        return NO_PROGRESS
    if snapshot.state in RUN_OVER:
        return "\x1b]9;4;2;100\a"
    if upkeep.keeps(snapshot):  # has no end
        return f"\x1b]9;4;{2 if bad else 0};{100 if bad else 0}\a"
    return f"\x1b]9;4;{2 if bad else 1};{percent(snapshot)}\a"
