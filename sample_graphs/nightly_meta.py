"""A night's work on weather readings: a web service that must be up, and three graphs that fetch, clean and report, in one run.

Shows a MetaDAG. Its node `source` is a reconciler: it makes the readings, and serves them over HTTP on this computer; it comes
apart once, and is up again before anything is lost. `ingest` fetches page by page and keeps raw files, `clean` puts what is
bad or double aside, `report` sums up and writes a page; each takes what the node before it gave, by that node's name. When
nothing else is left to do, the source is let go of. All levels share two writers on the disk and eight tasks at once, and
`ingest` has three of these for itself. In the console each node is a level to go into.

    dagtop sample_graphs/nightly_meta.py
    dagtop sample_graphs/nightly_meta.py -p pace=0.2 -p pages=30 -p folder=out

Without `folder` the files are in a new one in the temporary directory; they stay, for `dagtop resume` and for readers.
With `cron="0 2 * * *"` in the line that begins with `nightly =` it would run every night.
"""

from __future__ import annotations

import csv
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dagtop import Graph, MetaDAG, Probe, Reconciler, Retry, TaskContext
from loopback import Addresses, RefusedError, is_up, serve

STATIONS = ("north", "east", "south", "west", "harbour", "summit")
#: Readings on a page.
PER_PAGE = 200
AGAIN = Retry(retries=20, base=0.1, cap=1.0, on=(OSError, RefusedError))

Reading = tuple[str, str, float]
"""Station, hour, degrees."""


def readings(station: str, pages: int, seed: int) -> Iterator[Reading]:
    """Made-up readings: some are missing, some cannot be, some come twice."""
    dice = random.Random(f"{seed} {station}")
    base = dice.uniform(-5, 15)
    for number in range(pages * PER_PAGE):
        day, hour = divmod(number, 24)
        when = f"2026-{day // 28 % 12 + 1:02}-{day % 28 + 1:02} {hour:02}:00"
        degrees = base + 8 * (12 - abs(hour - 12)) / 12 + dice.gauss(0, 1)
        chance = dice.random()
        yield station, when, round(999.9 if chance < 0.01 else degrees, 1)
        if chance > 0.99:
            yield station, when, round(degrees, 1)


def write(path: Path, rows: list[Reading]) -> str:
    """Write readings to a file: where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def read(path: str) -> list[Reading]:
    """The readings in a file."""
    with open(path, newline="", encoding="utf-8") as file:
        return [(station, when, float(degrees)) for station, when, degrees in csv.reader(file)]


# -- the source: a desired state ----------------------------------------------------------------------------------------

# It could stand alone, so it says what it needs; what the whole night says of the same names comes first.
source = Graph("source", resources={"disk": 1}, inputs={"pages": 12, "seed": 7, "folder": ""})


@source.service
def addresses() -> Iterator[Addresses]:
    """Who listens where."""
    yield Addresses()


@source.task(resources={"disk": 1})
def generate(folder: str, pages: int, seed: int, ctx: TaskContext) -> str:
    """Make the readings of all stations, once: the folder that they are in."""
    # Not ctx.scratch_dir, which goes with the run: a run that is resumed takes the folder from here.
    place = Path(folder or tempfile.mkdtemp(prefix="dagtop-nightly-")).absolute()
    for done, station in enumerate(STATIONS, 1):
        write(place / "source" / f"{station}.csv", [*readings(station, pages, seed)])
        ctx.progress(done, len(STATIONS), station)
    return str(place)


@source.task(restart="on-failure", restart_backoff=0.2, alive=Probe(partial(is_up, "archive"), interval=0.5))
def archive(generate: str, pages: int, addresses: Addresses, ctx: TaskContext) -> None:
    """Serve them, page by page, as long as anybody may need them. Comes apart once, in the middle of it."""
    given_out = 0

    def answer(path: str, asked: dict[str, Any]) -> Any:
        nonlocal given_out
        if path != "/page":
            return {"well": True}
        given_out += 1
        if given_out % 29 == 0:
            raise BlockingIOError("too many questions at once")
        rows = read(str(Path(generate) / "source" / f"{asked['station']}.csv"))
        first = asked["page"] * PER_PAGE
        return {"rows": rows[first : first + PER_PAGE], "more": first + PER_PAGE < len(rows)}

    def come_apart() -> None:
        if ctx.attempt == 1 and given_out > pages * len(STATIONS) // 3:
            raise RuntimeError("the archive has come apart")

    serve("archive", answer, addresses, ctx, now_and_then=come_apart)


# -- ingest -------------------------------------------------------------------------------------------------------------

ingest = Graph("ingest", max_parallel=3, default_retries=AGAIN)


def fetch(station: str, source: dict[str, Any], pace: float, ctx: TaskContext) -> str:
    """Fetch all pages of a station over HTTP: the raw file."""
    where, rows, page, more = Addresses(archive=source["archive"]["port"]), list[Reading](), 0, True
    while more:
        said = where.ask("archive", "/page", station=station, page=page)
        rows += map(tuple, said["rows"])
        page, more = page + 1, said["more"]
        ctx.progress(page, message=f"{page} pages, {len(rows):,} readings")
        time.sleep(0.15 * pace)
    return write(Path(source["generate"]) / "raw" / f"{station}.csv", rows)


for name in STATIONS:
    ingest.add(f"fetch {name}", partial(fetch, name), resources={"disk": 1}, tags=["http"])


# -- clean --------------------------------------------------------------------------------------------------------------

clean = Graph("clean")


def scrub(station: str, ingest: dict[str, str], pace: float, ctx: TaskContext) -> dict[str, Any]:
    """Put what is bad or double aside: where the rest is, and how much that was."""
    raw = Path(ingest[f"fetch {station}"])
    good: dict[str, Reading] = {}
    aside: list[Reading] = []
    rows = read(str(raw))
    for row in rows:
        if abs(row[2]) > 60 or row[1] in good:
            aside.append(row)
        else:
            good[row[1]] = row
    time.sleep(0.5 * pace)
    ctx.log.info("%d of %d readings put aside", len(aside), len(rows))
    write(raw.parent.with_name("aside") / raw.name, aside)
    return {
        "file": write(raw.parent.with_name("clean") / raw.name, [*good.values()]),
        "good": len(good),
        "aside": len(aside),
    }


for name in STATIONS:
    clean.add(f"scrub {name}", partial(scrub, name), resources={"disk": 1})


@clean.task(depends_on=[f"scrub {name}" for name in STATIONS])
def quality(ctx: TaskContext) -> dict[str, float]:
    """Which share of each station's readings was good."""
    told = {name: ctx.upstream[f"scrub {name}"] for name in STATIONS}
    return {name: of_one["good"] / (of_one["good"] + of_one["aside"]) for name, of_one in told.items()}


# -- report -------------------------------------------------------------------------------------------------------------

report = Graph("report")


@report.task
def stations(clean: dict[str, Any], pace: float) -> dict[str, list[Reading]]:
    """All good readings, by station."""
    time.sleep(0.3 * pace)
    return {name: read(clean[f"scrub {name}"]["file"]) for name in STATIONS}


@report.task
def means(stations: dict[str, list[Reading]]) -> dict[str, float]:
    """The mean of each station, in degrees."""
    return {name: round(sum(row[2] for row in rows) / len(rows), 2) for name, rows in stations.items()}


@report.task
def months(stations: dict[str, list[Reading]]) -> dict[str, float]:
    """The mean of each month, in degrees."""
    by_month: dict[str, list[float]] = defaultdict(list)
    for rows in stations.values():
        for _, when, degrees in rows:
            by_month[when[:7]].append(degrees)
    return {month: round(sum(all_of_it) / len(all_of_it), 2) for month, all_of_it in sorted(by_month.items())}


@report.task
def extremes(stations: dict[str, list[Reading]]) -> dict[str, Reading]:
    """The coldest and the warmest hour."""
    rows = [row for of_one in stations.values() for row in of_one]
    return {"coldest": min(rows, key=lambda row: row[2]), "warmest": max(rows, key=lambda row: row[2])}


@report.task(resources={"disk": 1})
def page(
    means: dict[str, float],
    months: dict[str, float],
    extremes: dict[str, Reading],
    clean: dict[str, Any],
    ctx: TaskContext,
) -> str:
    """What people read in the morning."""
    lines = ["# The weather", "", "| station | mean | good readings |", "| --- | --- | --- |"]
    lines += [f"| {name} | {mean:.1f} °C | {clean['quality'][name]:.1%} |" for name, mean in means.items()]
    lines += [
        "",
        "| month | mean |",
        "| --- | --- |",
        *(f"| {month} | {mean:.1f} °C |" for month, mean in months.items()),
        "",
    ]
    lines += [f"The {which} hour: {where}, {when}, {degrees} °C" for which, (where, when, degrees) in extremes.items()]
    text = "\n".join(lines) + "\n"
    path = Path(clean["scrub north"]["file"]).parents[1] / "weather.md"
    path.write_text(text, encoding="utf-8")
    for line in lines:
        ctx.log.info("%s", line)
    return text


# -- the night ----------------------------------------------------------------------------------------------------------

nightly = MetaDAG(
    "nightly", max_parallel=8, resources={"disk": 2}, inputs={"pace": 1.0, "pages": 12, "seed": 7, "folder": ""}
)
nightly.add(Reconciler(source))
nightly.add(ingest, depends_on=["source"])
nightly.add(clean, depends_on=["ingest"])
nightly.add(report, depends_on=["clean"])
