"""The characters of lines and frames, one cell wide each.

A cell of a line is a set of bits: the four sides it touches, and whether it is a merge arrow or a crossing. `┼` is
only ever a crossing and `╋` only ever a junction of four, so that a drawing without emphasis can be read back.
"""

from __future__ import annotations

from dagtop.core.values import dataclass

LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
SIDES = LEFT | RIGHT | UP | DOWN
ARROW = 16
"""Here a line flows into the line on its right, which it must be read along to the right only."""
CROSSING = 32
"""Two lines pass here, one across and one down; they do not meet."""

_LIGHT = " ╴╶─╵╯╰┴╷╮╭┬│┤├╋"
"""By sides: left 1, right 2, up 4, down 8."""

# By weights (0 none, 1 light, 2 heavy): left + 3 right + 9 up + 27 down.
_MIXED = " ╴╸╶─╾╺╼━╵┘┙└┴┵┕┶┷╹┚┛┖┸┹┗┺┻╷┐┑┌┬┭┍┮┯│┤┥├┼┽┝┾┿╿┦┩┞╀╃┡╄╇╻┒┓┎┰┱┏┲┳╽┧┪┟╁╅┢╆╈┃┨┫┠╂╉┣╊╋"


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of characters."""

    light: str
    """Sixteen characters by sides."""
    mixed: str
    """Eighty-one characters by weights of the sides."""
    crossing: str
    arrow: str
    light_frame: tuple[tuple[str, str, str], ...]
    """Top, middle, bottom; each is left side, filling, right side."""
    heavy_frame: tuple[tuple[str, str, str], ...]
    double_frame: tuple[tuple[str, str, str], ...]
    """Around what stands for several."""
    ports: tuple[str, str, str, str, str, str]
    """Sides of a frame where lines arrive (light, heavy) and leave (light, heavy), and both of a double frame."""
    dots: bool
    """May use braille."""

    def line(self, bits: int, heavy: int = 0) -> str:
        """The character of a line cell; `heavy` is the part of `bits` drawn heavy."""
        if bits & ARROW:
            return self.arrow
        if heavy:
            return self.mixed[_weigh(bits & SIDES, heavy & bits)]
        return self.crossing if bits & CROSSING else self.light[bits & SIDES]


def _weigh(light: int, heavy: int) -> int:
    weight, place = 0, 1
    for side in (LEFT, RIGHT, UP, DOWN):
        weight += place * (2 if heavy & side else 1 if light & side else 0)
        place *= 3
    return weight


def _ascii_mixed() -> str:
    """Heavy across is `=`, any other cell with a heavy side is `#`."""
    table = []
    for weights in range(81):
        left, right, up, down = (weights // place % 3 for place in (1, 3, 9, 27))
        across, along = max(left, right), max(up, down)
        if across == 2 or along == 2:
            table.append("=" if across == 2 and not along else "#")
        else:
            table.append(" " if not weights else "-" if not along else "|" if not across else "+")
    return "".join(table)


UNICODE = Glyphs(
    light=_LIGHT,
    mixed=_MIXED,
    crossing="┼",
    arrow="▸",
    light_frame=(("╭", "─", "╮"), ("│", " ", "│"), ("╰", "─", "╯")),
    heavy_frame=(("┏", "━", "┓"), ("┃", " ", "┃"), ("┗", "━", "┛")),
    double_frame=(("╔", "═", "╗"), ("║", " ", "║"), ("╚", "═", "╝")),
    ports=("┤", "┨", "├", "┠", "╢", "╟"),
    dots=True,
)

ASCII = Glyphs(
    light=" ---|''+|..+|+++",
    mixed=_ascii_mixed(),
    crossing="|",
    arrow=">",
    light_frame=((".", "-", "."), ("|", " ", "|"), ("'", "-", "'")),
    heavy_frame=(("#", "=", "#"), ("#", " ", "#"), ("#", "=", "#")),
    double_frame=(("+", "=", "+"), ("[", " ", "]"), ("+", "=", "+")),
    ports=("|", "#", "|", "#", "[", "]"),
    dots=False,
)
