"""How fast every view answers with 100,000 tasks, in a real pseudo-terminal: `python benchmarks/console_keys.py`.

Needs what `console.py` here needs. The run is over, or goes on slowly with `--running`. For each key, pressed several
times in its view, it prints

- first: from the key to the first thing that is drawn after it;
- whole: to the last, that is until nothing has been drawn for a quarter of a second;
- work: the processor time of the thread that draws, which a busy machine leaves as it is; a graph is laid out in another.

The bar is for the work: 50 ms for a key. What a view needs is imported when it is opened for the first time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

import pexpect
from console import DAGTOP, WIDE, Terminal, perf, shows

BAR = 50.0
STILL = 0.25


class Keys(NamedTuple):
    """Keys that are pressed in turn, each of them measured."""

    what: str
    keys: tuple[str, ...]
    times: int = 5


#: What is done after the key that opens the view. Esc at the end leaves nothing behind.
WALKS: tuple[tuple[str, str, tuple[Keys, ...]], ...] = (
    (
        "1",
        "Tasks",
        (
            Keys("line down, up", ("j", "k")),
            Keys("page down, up", ("\x1b[6~", "\x1b[5~")),
            Keys("end, top", ("G", "\x1b[H")),
            Keys("mark, unmark", (" ", "k", " ", "k")),
            Keys("problems, all", ("!", "!")),
            Keys("turn the order round", ("S",), 4),
            Keys("lanes, problems", ("t", "t"), 1),
            Keys("filter, typed", ("/", "_", "0", "9", "9", "state:"), 1),
            Keys("filter, cleared", ("\x1b",), 1),
            Keys("detail, back", ("\r", "\x1b"), 3),
            Keys("why, back", ("w", "\x1b"), 3),
            Keys("cancel asked, no", ("R", "\x1b"), 2),
        ),
    ),
    (
        "2",
        "Graph",
        (
            Keys("after, before", ("l", "h")),
            Keys("down, up", ("j", "k")),
            Keys("larger, smaller", (">", "<"), 2),
            Keys("focus", ("f", "f"), 2),
            Keys("pan", ("]", "["), 3),
        ),
    ),
    (
        "3",
        "Timeline",
        (
            Keys("line down, up", ("j", "k")),
            Keys("end, top", ("G", "\x1b[H")),
            Keys("closer, farther", (">", "<"), 3),
            Keys("earlier, later", ("h", "l"), 3),
            Keys("order", ("o",), 3),
            Keys("critical path", ("c",), 2),
        ),
    ),
    ("4", "Logs", (Keys("line down, up", ("j", "k")), Keys("whose", ("c",), 4))),
    ("5", "Breakers", (Keys("line down, up", ("j", "k")),)),
    ("6", "Escalations", (Keys("line down, up", ("j", "k")),)),
    (
        "7",
        "Events",
        (
            Keys("line up, down", ("k", "j")),
            Keys("top, end", ("\x1b[H", "G")),
            Keys("weight", ("s",), 4),
            Keys("only", ("o",), 2),
        ),
    ),
)


def spent(pid: int) -> float:
    """Seconds of processor time of the thread that draws, finer than ticks."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def pressed(terminal: Terminal, key: str) -> tuple[float, float, float]:
    """Milliseconds to the first and to the last that is drawn, and of work."""
    pid = terminal.child.pid
    before, begun = spent(pid), perf()
    first = last = 0.0
    terminal.child.send(key)
    while perf() - begun < (last or 2.0) + STILL:
        try:
            terminal.take(0.01)
        except pexpect.TIMEOUT:
            continue
        last = perf() - begun
        first = first or last
    return first * 1e3, last * 1e3, (spent(pid) - before) * 1e3


def walk(terminal: Terminal, key: str, name: str, steps: tuple[Keys, ...]) -> int:
    """All of one view; how many keys missed the bar."""
    told = [(f"{name}: opened", [pressed(terminal, key)])]
    told += [
        (f"{name}: {step.what}", [pressed(terminal, one) for _ in range(step.times) for one in step.keys])
        for step in steps
    ]
    missed = 0
    for what, figures in told:
        first, last, work = (statistics.median(column) for column in zip(*figures, strict=True))
        worst = max(figure[2] for figure in figures)
        missed += work > BAR
        told_off = "" if work <= BAR else "   MISSED"
        print(f"{what:36} {first:8.0f} {last:8.0f} {work:8.0f} {worst:8.0f}{told_off}", flush=True)
    return missed


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--views", default="1234567")
    parser.add_argument("--running", action="store_true")
    chosen = parser.parse_args()
    pace = ["-p", "seconds=60"] if chosen.running else ["-p", "seconds=0"]
    terminal = Terminal([*DAGTOP, str(WIDE), "-p", f"n={chosen.tasks}", *pace, "--no-journal"])
    terminal.until(shows("RUNNING" if chosen.running else f"{chosen.tasks:,}/{chosen.tasks:,}"), timeout=300)
    terminal.read_for(3)
    print(f"{'ms':36} {'first':>8} {'whole':>8} {'work':>8} {'worst':>8}   bar: {BAR:.0f} ms of work")
    missed = sum(walk(terminal, *view) for view in WALKS if view[0] in chosen.views)
    terminal.end()
    print(f"{missed} missed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
