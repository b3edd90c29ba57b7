"""The line of a replay: whether it plays, how fast, the instant that is shown on a bar of all of the run, where problems are."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.runtime.transport import Transport

from dagtop_app.faces import ASCII
from dagtop_app.lines import Line, Span, fit_line, line_width
from dagtop_app.text import clock

#: What the bar takes at least, in cells.
_LEAST = 10


def transport_line(it: Transport, cells: int) -> Line:
    """The whole line."""
    play, stand = (">", "=") if ASCII else ("▶", "‖")
    head = (
        f" {play if it.playing else stand} {it.speed:g}× "
        if not ASCII
        else f" {play if it.playing else stand} {it.speed:g}x "
    )
    left: list[Span] = [(head, "run" if it.playing else "strong"), (f"{_moment(it.at, it.end)} ", "strong")]
    right: list[Span] = [(f" {_moment(it.end, it.end)}", "dim")]
    number = f" · event {it.number:,} of {it.last:,} "
    told = f"{number}· {now} " if (now := _now(it)) else number
    room = cells - line_width(left) - line_width(right)
    fits = next((text for text in (told, number) if room - len(text) >= _LEAST), " ")
    right.append((fits, "dim"))
    room -= len(fits)
    return fit_line([*left, *bar(it, max(0, room)), *right], cells)


def _now(it: Transport) -> str:
    """What it does, or what can be done; "" if that is nothing out of the ordinary."""
    if it.following:
        return "live"
    if it.read < 1.0:
        return f"reading the run… {int(100 * it.read)} %"
    if it.heading is not None:
        return "on its way…"
    if it.filling:
        return "reading what was before…"
    return "G goes along with it" if it.goes_on else ""


def bar(it: Transport, cells: int) -> list[Span]:
    """The run from its beginning to its end: what is past, the instant, what comes; problems stand out."""
    if cells < _LEAST:
        return []
    place = _cell(it.at, it.end, cells)
    done, rest, knob, mark = ("=", "-", "O", "!") if ASCII else ("━", "─", "●", "▲")
    marks = {_cell(at, it.end, cells) for _, at in it.troubles}
    spans: list[Span] = []
    for cell in range(cells):
        if cell == place:
            spans.append((knob, "strong"))
        elif cell in marks:
            spans.append((mark, "fail"))
        else:
            spans.append((done, "run") if cell < place else (rest, "bar-rest"))
    return _joined(spans)


def moment_at(it: Transport, x: int, cells: int) -> float | None:
    """The moment that a click on cell `x` of the line means; None beside the bar."""
    spans = transport_line(it, cells)
    begin = line_width(spans[:2])
    length = sum(line_width([span]) for span in spans[2:] if set(span[0]) <= set("━─●▲=-O!"))
    if not begin <= x < begin + length:
        return None
    return it.end * (x - begin) / max(1, length - 1)


def _moment(at: float, end: float) -> str:
    """A moment of a run; of a short one to the point that its events can be told apart."""
    digits = 3 if end < 10 else 2 if end < 60 else 1 if end < 600 else 0
    whole, _, rest = f"{at:.{digits}f}".partition(".")
    return clock(float(whole)) + (f".{rest}" if digits else "")


def _cell(at: float, end: float, cells: int) -> int:
    return min(cells - 1, round((cells - 1) * at / end)) if end > 0 else 0


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Neighbours of one style as one span."""
    found: list[Span] = []
    for text, style in spans:
        if found and found[-1][1] == style:
            found[-1] = (found[-1][0] + text, style)
        else:
            found.append((text, style))
    return found
