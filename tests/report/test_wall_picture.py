"""A graph that is too large for boxes is drawn as a wall: every task is a square, level by level."""

from __future__ import annotations

import hashlib
import re
from xml.etree import ElementTree as ET

import pytest
from dagtop.observe.report import Report, collect
from dagtop.observe.report.html import PICTURE, to_html
from dagtop_app.reports.picturing import draw
from dagtop_app.reports.wall_picture import levels_of, place
from report_scene import FakeRun, big_run, plan_of

SVG = "{http://www.w3.org/2000/svg}"


def wall_of(count: int, *, bad: int = 0, width: int = 40, hostile: str = "") -> Report:
    """A report whose tasks have names that make no groups."""
    run = big_run(count, bad=bad, width=width)
    names = {
        task.name: f"{hostile}{hashlib.md5(task.name.encode(), usedforsecurity=False).hexdigest()[:14]}z"
        for task in run.tasks
    }
    needs = {
        names[name]: [names[run.plan.names[above]] for above in run.plan.upstream[place]]
        for place, name in enumerate(run.plan.names)
    }
    for task in run.tasks:
        task.name = names[task.name]
    return collect(FakeRun(plan_of("big", needs), run.tasks, state=run.state, duration=run.duration))


@pytest.mark.parametrize("width", [1, 40, 2_500])
def test_every_task_has_a_square_of_its_own(width: int) -> None:
    report = wall_of(2_500, bad=50, width=width)
    root = ET.fromstring(draw(report))
    spots = [
        (int(x), int(y))
        for path in root.iter(f"{SVG}path")
        for x, y in re.findall(r"M(\d+) (\d+)h7", path.get("d", ""))
    ]
    spots += [(int(one.get("x", "")), int(one.get("y", ""))) for one in root.iter(f"{SVG}rect") if one.get("x")]
    assert len(spots) == len(set(spots)) == 2_500
    assert max(x for x, _ in spots) + 7 < int(root.get("width", "0"))
    assert max(y for _, y in spots) + 7 < int(root.get("height", "0"))


def test_what_failed_is_named_and_the_others_are_counted() -> None:
    report = wall_of(2_000, bad=20, hostile="<&>")
    titles = [title.text for title in ET.fromstring(draw(report)).iter(f"{SVG}title")]
    failed = [task.name for task in report.tasks if task.state == "failed"]
    assert [title for title in titles if title and title.endswith("(failed)")] == [
        f"{name} (failed)" for name in failed
    ]
    assert "1,980 tasks: ok" in titles


def test_a_task_is_behind_all_that_it_waits_for() -> None:
    levels = levels_of([[], [0], [], [1, 2], [0, 3], []])
    assert levels == [[0, 2, 5], [1], [3], [4]]


def test_levels_that_do_not_fit_beside_the_others_begin_a_new_line() -> None:
    spots = place([[task] for task in range(3_000)])
    assert max(spot.x for spot in spots) < 1_100
    assert len({spot.y for spot in spots}) == len([at for at in range(1, 3_000) if spots[at].x < spots[at - 1].x]) + 1


def test_the_page_of_ten_thousand_tasks_has_it_and_stays_small() -> None:
    report = wall_of(10_000, bad=1_000)
    picture = draw(report)
    assert len(picture) < PICTURE
    page = to_html(report, picture)
    assert b"each square is a task" in page
    assert len(page) < 5_000_000


def test_a_graph_without_tasks_has_no_picture() -> None:
    assert draw(collect(FakeRun(plan_of("", {}), []))) == ""
