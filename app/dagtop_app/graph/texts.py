"""What the graph view says in words: the line above the drawing and the one below it."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.paths import SLASH
from dagtop.core.snapshot import TaskRow

from dagtop_app.faces import ASCII, ENTERED, face_of, glyph_of
from dagtop_app.graph.extents import Hidden
from dagtop_app.graph.loading import Sheet
from dagtop_app.graphview import Scale
from dagtop_app.lines import Line, Span, line_width, sides
from dagtop_app.text import cut, duration, name_of, plural

_SCALES = {Scale.BOX: "boxes", Scale.PILL: "pills", Scale.OVERVIEW: "overview", Scale.WALL: "wall"}


def title(
    sheet: Sheet | None, graph: str, pending: int | None, critical: float | None
) -> tuple[list[Span], list[Span]]:
    """What the line above the drawing says: (left, right).

    `pending` is the number of tasks that are being laid out, `critical` the seconds that the critical path takes.
    """
    left: list[Span] = [("Graph ", "title")]
    if sheet is not None and sheet.wish.focus is not None:
        sign = "+-" if ASCII else "±"
        left += [
            ("around ", "dim"),
            (cut(sheet.labels[sheet.wish.focus.task], 24), ""),
            (f" {sign}{sheet.depth}", "key"),
        ]
    else:
        inside = sheet.wish.level if sheet is not None else None
        path = "".join(f" {ENTERED} {name_of(name, 40)}" for name in inside.split(SLASH)) if inside else ""
        left.append((f"{cut(graph, 32)}{path}", ""))
    if pending is not None:
        return left, [(f"laying out {plural(pending, 'task')}…", "warn")]
    if sheet is None:
        return left, []
    right: list[Span] = []
    if critical is not None:
        right = [(f"critical path {duration(critical)}", "key"), (" · ", "dim")]
    right.append((f"{_how_many(sheet)} · {_how_deep(sheet)} · ", "dim"))
    right.append((_SCALES[sheet.scale], ""))
    if sheet.is_folded:
        right.append((f" · {plural(_groups(sheet), 'group')} folded", "key"))
    right.append((" · fit" if sheet.wish.scale is None and sheet.wish.folded is None else " · = fits", "dim"))
    return left, right


def _how_many(sheet: Sheet) -> str:
    drawn, total = len(sheet.drawn), len(sheet.labels)
    if sheet.wish.level is not None:
        return f"{drawn:,} at this level"
    return plural(total, "task") if drawn == total else f"{drawn:,} of {plural(total, 'task')}"


def _how_deep(sheet: Sheet) -> str:
    deep = plural(len(sheet.layout.layers), "level" if sheet.wish.level is None else "step")
    if sheet.scale is Scale.WALL and sheet.bundles:
        return f"{deep} · {max(len(bundle.tasks) for bundle in sheet.bundles.values())} tasks in half a cell"
    return deep


def _groups(sheet: Sheet) -> int:
    return sum(1 for bundle in sheet.bundles.values() if not bundle.is_level)


def foot(
    hidden: Hidden, sheet: Sheet | None, selected: TaskRow | None, group: Sequence[Span], *, critical: bool, cells: int
) -> Line:
    """The line below the drawing: what the lines mean, or what is at the cursor, and how much lies outside.

    `group` tells of the one at the cursor, if there is one.
    """
    right = _outside(hidden)
    room = cells - line_width(right) - 3
    left: list[Span] = [(" ", "")]
    if sheet is None:
        return sides(left, right, cells)
    if group:
        left += group if line_width(left) + line_width(group) <= room else group[:-1]
    if (group or sheet.scale.is_small) and selected is not None:
        face = face_of(selected)
        if group:
            left.append((" · keys act on " if line_width(left) + 40 <= room else " · ", "dim"))
        left += [
            (f"{glyph_of(selected)} ", face.style),
            (cut(name_of(selected.name, 200), max(8, room - 10 - line_width(left))), "strong"),
            (f" {face.word}", face.style),
        ]
    elif not group and not sheet.scale.is_small:
        for entry in _legend(critical=critical, groups=bool(sheet.bundles)):
            if line_width(left) + line_width(entry) + 2 <= room:
                left += [*entry, ("  ", "")]
    return sides(left, right, cells)


def _legend(*, critical: bool, groups: bool) -> list[list[Span]]:
    thick = "=" if ASCII else "━"
    entries: list[list[Span]] = []
    if critical:
        entries.append([(thick, "key"), (" critical path", "dim")])
    entries.append([(thick, "strong"), (" before", "dim")])
    entries.append([(thick, "block"), (" after the selected", "dim")])
    if not ASCII:
        entries.append([("─", "ok"), (" done", "dim")])
        entries.append([("┄", "wait"), (" not yet", "dim")])
    if groups:
        entries.append([("[ ]" if ASCII else "╔╗", ""), (" several: Enter opens", "dim")])
    return entries


def _outside(hidden: Hidden) -> list[Span]:
    arrows = "<>^v" if ASCII else "◀▶▲▼"
    parts: list[Span] = []
    for arrow, count in zip(arrows, hidden, strict=True):
        if count:
            parts += [(f" {arrow} ", "key"), (f"{count:,} ", "dim")]
    return [*parts, ("more ", "dim")] if parts else parts
