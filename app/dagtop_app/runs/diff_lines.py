"""What is different between two runs, as lines of the console. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dagtop_app.lines import Line

#: How the lines of a section look, by how its title begins.
_STYLES = {
    "failed newly": "fail", "failed no longer": "ok", "failed both times": "fail", "slower": "warn", "faster": "ok",
    "tasks that came": "good", "tasks that went": "stop",
}  # fmt: skip


def diff_lines(told: Iterator[str]) -> Iterator[Line]:
    """The lines of `dagtop diff`, each in the colour of its section."""
    style = ""
    for line in told:
        if line.startswith(("A  ", "B  ")):
            run, _, rest = line[3:].partition("  ")
            yield ((line[:3], "key"), (run, "strong"))
            yield ((f"   {rest}", "dim"),)
        elif line.startswith("  "):
            yield ((line, style),)
        else:
            style = next((found for title, found in _STYLES.items() if line.startswith(title)), "")
            title, colon, count = line.rpartition(": ")
            yield ((f"{title.upper()}  ", "head"), (count, "dim")) if colon and count.isdigit() else ((line, "dim"),)
