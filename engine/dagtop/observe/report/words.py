"""How states, times and numbers read in a report."""

from __future__ import annotations

from typing import NamedTuple


class Face(NamedTuple):
    """A state as people see it: never by colour alone. The same glyphs and words as the console's."""

    glyph: str
    word: str
    style: str
    """Class in the style sheet."""


TASK_FACES = {
    "waiting": Face("○", "WAITING", "wait"),
    "ready": Face("◌", "QUEUED", "wait"),
    "held": Face("‖", "HELD", "held"),
    "running": Face("●", "RUNNING", "run"),
    "backoff": Face("↻", "RETRY", "retry"),
    "cancelling": Face("◍", "STOPPING", "stop"),
    "blocked": Face("▽", "BLOCKED", "block"),
    "succeeded": Face("✔", "OK", "ok"),
    "cached": Face("◇", "CACHED", "cached"),
    "failed": Face("✖", "FAILED", "fail"),
    "timed_out": Face("✖", "TIMEOUT", "late"),
    "cancelled": Face("■", "STOPPED", "stop"),
    "skipped": Face("⊘", "SKIPPED", "skip"),
}

RUN_FACES = {
    "pending": Face("○", "Not started", "wait"),
    "running": Face("●", "Still running", "run"),
    "paused": Face("‖", "Paused", "held"),
    "draining": Face("▼", "Draining", "retry"),
    "cancelling": Face("◍", "Stopping", "stop"),
    "succeeded": Face("✔", "Succeeded", "ok"),
    "failed": Face("✖", "Failed", "fail"),
    "cancelled": Face("■", "Stopped", "stop"),
    "timed_out": Face("✖", "Out of time", "late"),
}


def task_face(state: str) -> Face:
    """The face of a task's state, also of one that is newer than this table."""
    return TASK_FACES.get(state) or Face("·", state.upper(), "wait")


def run_face(state: str) -> Face:
    """The face of a run's state."""
    return RUN_FACES.get(state) or Face("·", state, "wait")


def duration(seconds: float | None) -> str:
    """ "–", 12 ms, 3.21 s, 41.2 s, 12 min 05 s, 3 h 04 min, 2 d 03 h."""
    if seconds is None:
        return "–"
    seconds = max(0.0, seconds)
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms" if 0 < seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02} h"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def plural(count: int, noun: str) -> str:
    """1 task, 3 tasks."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def verdict(state: str, counts: dict[str, int], reason: str) -> str:
    """How the run went, in one sentence."""
    total = sum(counts.values())
    good = counts.get("succeeded", 0) + counts.get("cached", 0)
    parts: list[str] = []
    if bad := counts.get("failed", 0):
        parts.append(f"{bad:,} failed")
    if late := counts.get("timed_out", 0):
        parts.append(f"{late:,} ran out of time")
    if skipped := counts.get("skipped", 0):
        parts.append(f"{skipped:,} {'was' if skipped == 1 else 'were'} skipped")
    if stopped := counts.get("cancelled", 0):
        parts.append(f"{stopped:,} {'was' if stopped == 1 else 'were'} stopped")
    if open_ := total - good - sum(counts.get(s, 0) for s in ("failed", "timed_out", "skipped", "cancelled")):
        parts.append(f"{open_:,} not finished")
    if not total:
        said = "The graph has no tasks"
    elif not parts:
        said = f"All {plural(total, 'task')} succeeded" if total > 1 else "The one task succeeded"
    else:
        said = f"{good:,} of {plural(total, 'task')} succeeded, {', '.join(parts)}"
    return f"{said}. {reason[:1].upper()}{reason[1:]}." if reason and state != "succeeded" else f"{said}."
