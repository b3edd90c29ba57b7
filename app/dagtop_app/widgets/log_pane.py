"""What tasks print and log, live: follow, search, timestamps, wrap. Bounded, and read in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from dagtop.core.levels import is_inside
from textual.geometry import Size
from textual.strip import Strip

from dagtop_app.bridge import LogLine, Logs
from dagtop_app.inspector_model import log_spans
from dagtop_app.levels import relative
from dagtop_app.lines import Line, Span, fit_line, line_width
from dagtop_app.text import clean, fit, name_of, wrap
from dagtop_app.widgets.painted import PaintedScroll, paint

#: Lines kept on screen; older ones stay in the log book and the journal.
KEPT = 20_000
#: Lines read at one look.
BATCH = 2_000


class LogPane(PaintedScroll):
    """A window on a `LogBook`: one task's lines, or everybody's."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.subject: str | None = None
        self.within = False
        """Whether the subject is a node, and the lines those of all tasks in it."""
        self.following = True
        self.times = True
        self.wrapping = False
        self.needle = ""
        self._number = 0
        self._source: deque[LogLine] = deque(maxlen=KEPT)
        self._drawn: list[Line] = []
        self._matches: list[int] = []

    @property
    def lines(self) -> list[Line]:
        """What is shown, wrapped if so chosen."""
        return self._drawn

    @property
    def is_empty(self) -> bool:
        """Whether there is no line yet."""
        return not self._source

    @property
    def match_count(self) -> int:
        """How many lines match the search."""
        return len(self._matches)

    def open(self, task: str | None, logs: Logs, *, within: bool = False) -> None:
        """Show the lines of another task, of all (None), or of all `within` a node."""
        self.subject, self.within = task, within
        self._source.clear()
        self._drawn.clear()
        self._number = 0
        self.following = True
        latest = logs.tail(self._asked, min(KEPT, BATCH))
        self._take(latest)
        self._settle()

    def show(self, logs: Logs) -> bool:
        """Read what is new. True if anything was."""
        new = logs.since(self._number, self._asked, BATCH)
        if not new:
            return False
        self._take(new)
        self._settle()
        return True

    @property
    def _asked(self) -> str | None:
        return None if self.within else self.subject

    def _take(self, lines: object) -> None:
        for line in lines:  # type: ignore[attr-defined]
            self._number = max(self._number, line.number)
            if self.within and not is_inside(line.task, self.subject or ""):
                continue
            self._source.append(line)
            self._drawn.extend(self._spread(line))
        if len(self._drawn) > 2 * KEPT:
            self._redraw()

    def _spread(self, line: LogLine) -> Iterator[Line]:
        spans = log_spans(line, times=self.times, task=self.subject is None)
        if self.within:
            who = name_of(relative(line.task, self.subject or ""), 100)
            spans.insert(1 if self.times else 0, (f"{fit(who, 16)} ", "key"))
        cells = max(20, self.cells - 1)
        if not self.wrapping or line_width(spans) < cells:
            yield ((" ", ""), *spans)
            return
        *lead, (text, style) = spans
        indent = line_width(lead)
        first, *rest = wrap(text, max(10, cells - indent - 1))
        yield ((" ", ""), *lead, (first, style))
        for part in rest:
            yield ((" " * (indent + 1), ""), (part, style))

    def _redraw(self) -> None:
        self._drawn = [drawn for line in self._source for drawn in self._spread(line)]

    def _settle(self) -> None:
        size = Size(self.cells, len(self._drawn))
        if size != self.virtual_size:
            self.virtual_size = size
        if self.following:
            self.scroll_to(y=max(0, len(self._drawn) - self.size.height), animate=False, force=True)
        if self.needle:
            self._find_matches()
        self.refresh()

    def change(self, what: str) -> str:
        """Switch "follow", "times" or "wrap"; says what it is now."""
        if what == "follow":
            self.following = not self.following
        elif what == "times":
            self.times = not self.times
        else:
            self.wrapping = not self.wrapping
        self._redraw()
        self._settle()
        on = {"follow": self.following, "times": self.times, "wrap": self.wrapping}[what]
        return f"{what} {'on' if on else 'off'}"

    def on_resize(self) -> None:
        """Wrapped lines depend on the width."""
        if self.wrapping:
            self._redraw()
        self._settle()
        super().on_resize()

    def move(self, how: str) -> None:
        """Scroll; going up stops following, the end takes it up again."""
        self.following = how == "bottom"
        super().move(how)

    def _on_mouse_scroll_up(self, event: object) -> None:
        self.following = False
        super()._on_mouse_scroll_up(event)  # type: ignore[arg-type]

    def _nothing(self) -> tuple[str, ...]:
        """What stands here while there is no line."""
        one = self.subject is not None
        return (
            "",
            "This task has printed and logged nothing yet." if one else "Nothing has been printed or logged yet.",
            "What tasks print, log with logging, or with ctx.log.info(…), comes here.",
            "4 shows the logs of all tasks, Esc goes back."
            if one
            else "Esc goes back to the tasks; l there shows the log of one.",
        )

    # -- search ----------------------------------------------------------------------------------------------

    def search(self, needle: str) -> int:
        """Mark every line that has this text and go to the latest; says how many there are."""
        self.needle = clean(needle).lower()
        self._find_matches()
        if self._matches:
            self._look_at(self._matches[-1])
        self.refresh()
        return len(self._matches)

    def _find_matches(self) -> None:
        needle = self.needle
        self._matches = (
            [y for y, line in enumerate(self._drawn) if needle in "".join(text for text, _ in line).lower()]
            if needle
            else []
        )

    def find(self, step: int) -> bool:
        """To the next or previous match, around the end."""
        if not self._matches:
            return False
        here = self.scroll_offset.y + self.size.height // 2
        if step > 0:
            place = next((y for y in self._matches if y > here), self._matches[0])
        else:
            place = next((y for y in reversed(self._matches) if y < here), self._matches[-1])
        self._look_at(place)
        return True

    def _look_at(self, y: int) -> None:
        self.following = False
        self.scroll_to(y=max(0, y - self.size.height // 2), animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """One visible line, matches marked."""
        cells, place = self.cells, self.scroll_offset.y + y
        if not self._source and y < len(nothing := self._nothing()):
            return paint(self, fit_line((("  ", ""), (nothing[y], "dim")), cells), cells)
        if place >= len(self._drawn):
            return Strip.blank(cells, self.base)
        line = self._drawn[place]
        if self.needle:
            line = tuple(_marked(line, self.needle))
        return paint(self, fit_line(line, cells), cells)


def _marked(line: Line, needle: str) -> Iterator[Span]:
    for text, style in line:
        low, start = text.lower(), 0
        if len(low) != len(text):  # a letter whose small form is longer: leave the piece unmarked
            yield text, style
            continue
        while (found := low.find(needle, start)) >= 0:
            if found > start:
                yield text[start:found], style
            yield text[found : found + len(needle)], "match"
            start = found + len(needle)
        yield text[start:], style
