"""The page of a run of 10,000 tasks: how large it is, how long it takes to make and, where there is Chromium, to open.

    python benchmarks/report.py [TASKS]

Bars: 5 MB, and 2 s from the start of loading to the end of its scripts, beside an empty page.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
from dagtop import DAGExecutor, Graph, TaskContext
from dagtop.observe.report import ReportRecorder, collect, write_report
from dagtop_app.reports.picturing import draw

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), "")
ROUNDS = 5


def graph_of(count: int) -> Graph:
    """Layers of forty tasks with names of no pattern; one in a hundred fails and logs."""
    dice = random.Random(1)
    graph = Graph("ten thousand", max_parallel=64)
    names = [f"{dice.choice('abcdefgh')}{dice.randrange(16**8):08x}" for _ in range(count)]

    async def works() -> int:
        return 1

    async def fails(ctx: TaskContext) -> None:
        for line in range(20):
            ctx.log.info("line %d of what it has to say", line)
        raise ValueError("no luck")

    for place, name in enumerate(names):
        above = names[max(0, place - place % 40 - 40) : place - place % 40]
        needs = dice.sample(above, min(2, len(above)))
        graph.add(name, fails if place % 100 == 99 else works, depends_on=needs, trigger="all_done")
    return graph


def seconds_to_open(page: Path, profile: Path) -> float:
    """How long the browser is busy with a page, its own start and end included; the median."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([*command, page.as_uri()], capture_output=True, check=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> None:
    """Make it, measure it, print it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    recorder = ReportRecorder()
    graph = graph_of(count)
    result = anyio.run(DAGExecutor(graph, recorders=[recorder]).run)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        page = write_report(collect(result, recorder=recorder), Path(folder, "page.html"), draw=draw)
        made, size = time.perf_counter() - began, page.stat().st_size
        print(
            f"{count:,} tasks: {size / 1e6:.2f} MB ({'within' if size <= 5e6 else 'OVER'} 5 MB), made in {made:.2f} s"
        )
        if not BROWSER:
            print("no Chromium here: how long it takes to open is not measured")
            return
        empty = Path(folder, "empty.html")
        empty.write_text("<!doctype html><title>empty</title>")
        profile = Path(folder, "profile")
        seconds_to_open(empty, profile)  # the profile is made
        took = seconds_to_open(page, profile) - seconds_to_open(empty, profile)
        print(
            f"opens in {took:.2f} s ({'within' if took <= 2 else 'OVER'} 2 s), more than an empty page; median of {ROUNDS}"
        )


if __name__ == "__main__":
    main()
