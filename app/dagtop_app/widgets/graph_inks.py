"""How the parts of a drawing look: which style class, how faded, on which ground. The styles are worked out once per theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dagtop.core.states import FINAL, TaskState
from rich.style import Style
from textual.widget import Widget

from dagtop_app.faces import ASCII, glyph, task_face
from dagtop_app.graph.words import worst
from dagtop_app.graphview import Emphasis, Part, Run
from dagtop_app.widgets.inks import inks


class Look(NamedTuple):
    """A style in words."""

    style: str = ""
    """Style class, "" for plain text."""
    faded: bool = False
    ground: str = ""
    """Style class whose background lies below."""


PLAIN = Look()
CURSOR = Look("tab-on")
#: What stands out does so by heavy lines first, by colour second.
_HEAVY = {Emphasis.CRITICAL: Look("key"), Emphasis.UPSTREAM: Look("strong"), Emphasis.DOWNSTREAM: Look("block")}
#: States that are told by their glyph even where a task has half a cell.
_LOUD = frozenset({TaskState.FAILED, TaskState.TIMED_OUT})
#: States in which nothing happens: on a wall they step back.
_QUIET = frozenset({TaskState.WAITING, TaskState.SKIPPED, TaskState.CANCELLED})
#: Lines that wait for their task are dashed.
_DASHES = str.maketrans("─│━┃", "┄┆┅┇")


def node_look(run: Run, state: TaskState, *, apart: bool, sought: bool | None) -> Look:
    """The look of a piece of a node. `apart`: other nodes stand out, this one does not; `sought`: a filter is on, and it wants
    the node or not."""
    tone = task_face(state).style
    selected = run.emphasis is Emphasis.SELECTED
    if sought is False and not selected:
        return Look("off")
    match run.part:
        case Part.LABEL:
            if selected:
                return CURSOR
            if sought:
                return Look("match")
            return Look("strong") if run.emphasis is Emphasis.CRITICAL else Look("dim") if apart else PLAIN
        case Part.FRAME if run.text == " ":
            return Look(ground="cursor") if selected else PLAIN
        case Part.FRAME if selected:
            return Look("mark")
        case Part.FRAME if run.emphasis is Emphasis.CRITICAL:
            return Look("key")
        case Part.GLYPH:
            return Look(tone, ground="cursor" if selected else "")
        case _ if apart and any(char.isalnum() for char in run.text):  # a line may fade, a word may not
            return Look("off")
        case _:
            return Look(tone, faded=apart, ground="cursor" if selected and run.part is Part.NOTE else "")


def cell_look(run: Run, state: TaskState, *, sought: bool | None) -> Look:
    """The look of a node that is a single cell: its state whatever stands out, and what stands out by its ground."""
    if run.emphasis is Emphasis.SELECTED:
        return CURSOR
    if sought is False:
        return Look("off")
    if sought or run.emphasis is Emphasis.CRITICAL:
        return Look("match")
    return Look(task_face(state).style, ground="" if run.emphasis is Emphasis.NONE else "cursor")


def bar_look(run: Run) -> Look:
    """The look of a piece of a group's bar."""
    return Look(run.tone)


def pair_text(run: Run, states: Sequence[TaskState]) -> str:
    """Half a cell each, or the glyph of the one that needs a person; that of the selected one."""
    if run.emphasis is Emphasis.SELECTED:
        return glyph(worst(states))
    bad = [state for state in states if state in _LOUD]
    return glyph(worst(bad)) if bad else run.text


def line_look(run: Run, states: Sequence[TaskState], *, passed: bool) -> tuple[Look, bool]:
    """The look of a line that comes from tasks in these states, and whether it is dashed.

    `passed`: it is not worth a colour, for a filter wants none of them or there are too many lines.
    """
    waits = any(state not in FINAL for state in states)
    heavy = _HEAVY.get(run.emphasis)
    if heavy is not None:
        return heavy, waits
    tone = task_face(worst(states)).style if states else "wait"
    if passed or tone == "wait":
        return Look("rule"), waits
    return Look(tone, faded=True), waits


def dashed(text: str) -> str:
    """A piece of a line, dashed."""
    return text if ASCII else text.translate(_DASHES)


class Inks(dict[Look, Style]):
    """The Rich style of each look, for one widget; empty it when the theme changes."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self._widget = widget

    def __missing__(self, look: Look) -> Style:
        """Mix a style, once."""
        style = self[look] = self._mix(look)
        return style

    def pair(self, run: Run, states: Sequence[TaskState], *, sought: bool | None) -> Style:
        """The style of a cell cut in two: the upper state on the lower one."""
        if run.emphasis is Emphasis.SELECTED:
            return self[CURSOR]
        if sought is False:
            return self[Look("off")]
        styles = inks(self._widget)
        bad = [state for state in states if state in _LOUD]
        if bad:
            return self[Look(task_face(worst(bad)).style)] + Style(bold=True)
        paper = self._widget.background_colors[1]
        upper, lower = (
            colour.blend(paper, 0.55) if state in _QUIET and colour.ansi is None and paper.ansi is None else colour
            for state, colour in ((state, styles.color(task_face(state).style)) for state in (states[0], states[-1]))
        )
        if run.emphasis is Emphasis.NONE and run.below >= 0:
            return Style(color=upper.rich_color, bgcolor=lower.rich_color)
        if run.below < 0:
            return Style(color=upper.rich_color, bgcolor=paper.rich_color)
        lift = styles.color("strong")
        if lift.ansi is not None or upper.ansi is not None or lower.ansi is not None:
            return Style(color=upper.rich_color, bgcolor=lower.rich_color, bold=True, underline=True)
        return Style(color=upper.blend(lift, 0.45).rich_color, bgcolor=lower.blend(lift, 0.45).rich_color)

    def _mix(self, look: Look) -> Style:
        widget = self._widget
        styles = inks(widget)
        style = widget.rich_style
        if look.ground:
            style += styles[look.ground]
        if look.style:
            style += styles[look.style]
        if not look.faded:
            return style
        ink, paper = styles.color(look.style), widget.background_colors[1]
        if ink.ansi is not None or paper.ansi is not None:
            return style + Style(dim=True, underline=False)  # a line is not a word
        return style + Style(color=ink.blend(paper, 0.5).rich_color, bold=False)
