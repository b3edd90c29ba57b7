"""The page in a real browser, where there is one: what people see, can do, print, and what hostile names cannot do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import BROWSER, Chromium, Page
from dagtop.core import events as ev
from dagtop.observe.report import Report, ReportRecorder, collect, write_report
from dagtop_app.reports.picturing import draw
from report_scene import FakeRun, FakeTask, big_run, failed, failure, plan_of, steered_run
from test_html import evil_run

pytestmark = pytest.mark.skipif(not BROWSER, reason="needs Chromium")

#: Each would run, if it were not text.
ATTACKS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "' onmouseover=alert(4) x='",
    "</style><svg onload=alert(5)>",
    "</title></svg><iframe srcdoc='<script>parent.alert(6)</script>'>",
    "javascript:alert(7)",
    "{{ 7 * 7 }}${alert(8)}`",
    "]]><!--<script>alert(9)//-->",
    "<a href=javascript:alert(10)>x</a>",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    one = Chromium(tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


def written(report: Report, folder: Path) -> Path:
    return write_report(report, folder / "page.html", draw=draw)


def attacked() -> Report:
    """Every text of the run is an attack."""
    needs = {name: list(ATTACKS[:place][-1:]) for place, name in enumerate(ATTACKS)}
    tasks = [
        failed(name, at, at + 1.0, failure(name, name), tries=2)
        if at % 2
        else FakeTask(name, output=name, ready_at=at, started_at=at, ended_at=at + 1.0)
        for at, name in enumerate(ATTACKS)
    ]
    recorder = ReportRecorder()
    for name in ATTACKS:
        recorder.record(
            1,
            [
                ev.Log(0.5, name, 1, name, name, name),
                ev.BreakerOpened(0.6, name, name, 1.0),
                ev.Problem(0.7, source=name, message=name, task=name),
            ],
        )
    run = FakeRun(plan_of(ATTACKS[0], needs), tasks, graph="".join(ATTACKS[:3]), reason=ATTACKS[2], duration=12.0)
    return collect(run, recorder=recorder, inputs={name: name for name in ATTACKS}, source=ATTACKS[1])


@pytest.mark.parametrize(
    "make", [steered_run, lambda: collect(evil_run()), attacked], ids=["steered", "evil", "attacked"]
)
def test_nothing_is_loaded_nothing_runs_and_nothing_is_complained_of(
    browser: Chromium, tmp_path: Path, make: Callable[[], Report]
) -> None:
    file = written(make(), tmp_path)
    page = Page(browser, file)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.evaluate(
        "document.querySelectorAll('[title], g, a, button').forEach(one => one.dispatchEvent(new Event('mouseover')))"
    )
    assert page.evaluate("document.querySelectorAll('img, iframe, object, embed, link, script').length") == 1
    assert page.complaints() == []
    assert page.loaded() == [file.as_uri()]
    page.close()


def test_ten_thousand_tasks_open_in_it(browser: Chromium, tmp_path: Path) -> None:
    file = written(collect(big_run(10_000, bad=100)), tmp_path)
    assert file.stat().st_size < 5_000_000
    page = Page(browser, file)
    assert page.evaluate("document.querySelectorAll('#tasks tbody tr').length") == 10_000
    assert page.complaints() == []
    page.close()


@pytest.mark.parametrize(("dark", "ground"), [(False, "rgb(244, 246, 249)"), (True, "rgb(13, 18, 25)")])
def test_it_is_light_or_dark_as_its_reader_is(browser: Chromium, tmp_path: Path, dark: bool, ground: str) -> None:
    page = Page(browser, written(steered_run(), tmp_path), dark=dark)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    fills = page.evaluate("[...document.querySelectorAll('.dg rect.t')].map(one => getComputedStyle(one).fill)")
    bright = [sum(map(int, fill[4:-1].split(", "))) > 384 for fill in fills]
    assert bright == [not dark] * 5
    page.close()


def test_without_scripts_every_fact_is_there(browser: Chromium, tmp_path: Path) -> None:
    page = Page(browser, written(steered_run(), tmp_path), scripts=False)
    text = page.evaluate("document.body.innerText")
    for fact in (
        "3 of 5 tasks succeeded",
        "OperationalError",
        "Traceback (most recent call last):",
        "connecting to the database",
        "5 failures in a row",
        "set max_parallel to 8",
        "it runs already",
        "slow disk",
        "upstream load failed",
    ):
        assert fact in text, fact
    assert page.evaluate("document.querySelectorAll('.tools, .zoom').length") == 0  # what would do nothing is not there
    assert page.evaluate("document.querySelectorAll('.bars rect').length") > 5
    assert page.evaluate("document.querySelectorAll('.dg rect.t').length") == 5
    page.close()


@pytest.mark.parametrize("width", [360, 390, 800, 1280])
def test_no_width_makes_the_page_itself_scroll_sideways(browser: Chromium, tmp_path: Path, width: int) -> None:
    page = Page(browser, written(attacked(), tmp_path), width=width, phone=width < 500)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_it_prints_with_all_failures_open_and_no_buttons(browser: Chromium, tmp_path: Path) -> None:
    page = Page(browser, written(steered_run(), tmp_path), dark=True)
    paper = page.paper()
    assert paper.startswith(b"%PDF")
    assert page.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")
    page.media("print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(23, 32, 45)"
    for tool in (".tools", ".zoom", ".parts"):
        assert page.evaluate(f"getComputedStyle(document.querySelector('{tool}')).display") == "none"
    page.close()


def test_the_table_is_filtered_sorted_and_led_to(browser: Chromium, tmp_path: Path) -> None:
    page = Page(browser, written(steered_run(), tmp_path))
    shown = "[...document.querySelectorAll('#tasks tbody tr:not([hidden]) th')].map(one => one.textContent)"
    assert page.evaluate(shown) == ["extract", "clean", "load", "join", "notify"]
    page.evaluate("document.querySelectorAll('#tasks thead button')[1].click()")
    assert page.evaluate(shown) == ["clean", "extract", "join", "load", "notify"]
    page.evaluate(
        "[...document.querySelectorAll('.tools button')].find(one => one.textContent.includes('SKIPPED')).click()"
    )
    assert page.evaluate(shown) == ["join"]
    page.evaluate("document.querySelector('.side.names a').click()")
    page.evaluate("new Promise(done => setTimeout(done))")
    assert len(page.evaluate(shown)) == 5  # the line that is led to is no longer filtered away
    assert page.evaluate("document.querySelector('#tasks tr:target th').textContent") == "extract"
    page.evaluate("[...document.querySelectorAll('.dg g')].at(-1).dispatchEvent(new Event('click', {bubbles: true}))")
    page.evaluate("new Promise(done => setTimeout(done))")
    assert page.evaluate("document.querySelector('#tasks tr:target th').textContent") == "notify"
    page.close()


def test_a_part_of_the_timeline_is_seen_larger_by_dragging_and_by_buttons(browser: Chromium, tmp_path: Path) -> None:
    page = Page(browser, written(steered_run(), tmp_path), height=3_000)
    wide = "document.querySelector('.bars').clientWidth"

    def seen() -> list[float]:
        told = page.evaluate("document.querySelector('.zoom output').textContent")
        return [float(it) for it in re.findall(r"[\d.]+(?= s)", told)]

    whole = page.evaluate(wide)
    page.evaluate("window.lane = document.querySelector('.bars').parentElement.getBoundingClientRect()")
    left, top, width = page.evaluate("[lane.left, lane.top, lane.width]")
    page.mouse("mousePressed", left + width * 0.25, top + 5, button="left", clickCount=1)
    page.mouse("mouseMoved", left + width * 0.75, top + 5, button="left")
    page.mouse("mouseReleased", left + width * 0.75, top + 5, button="left", clickCount=1)
    assert seen() == pytest.approx([1.05, 3.15], abs=0.02)
    assert page.evaluate(wide) == pytest.approx(2 * whole, rel=0.02)
    for button, then in (("+", [1.575, 2.625]), ("→", [2.1, 3.15]), ("−", [1.575, 3.675])):
        page.evaluate(
            f"[...document.querySelectorAll('.zoom button')].find(one => one.textContent === '{button}').click()"
        )
        assert seen() == pytest.approx(then, abs=0.02)
    page.evaluate("document.querySelector('.bars').dispatchEvent(new Event('dblclick', {bubbles: true}))")
    assert page.evaluate(wide) == whole
    assert page.complaints() == []
    page.close()
