"""The page: complete, safe, small, and readable without JavaScript."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import resources

import pytest
from dagtop.core import events as ev
from dagtop.core.states import RunState, TaskState
from dagtop.observe.report import ReportRecorder, collect
from dagtop.observe.report.html import to_html
from dagtop.observe.report.timeline import ROWS, timeline
from dagtop.observe.report.words import RUN_FACES, TASK_FACES, duration, verdict
from dagtop_app.reports.picturing import draw
from report_scene import FakeRun, FakeTask, big_run, failed, failure, plan_of, small_run, steered_run

EVIL = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'\x1b]0;pwned\x07\u202e" + "x" * 10_000


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def page_of(run: FakeRun) -> Page:
    return Page(to_html(collect(run)).decode())


def evil_run() -> FakeRun:
    bad = failed(EVIL, 0.0, 1.0, failure(EVIL, EVIL), tries=2)
    after = FakeTask("b" + EVIL, TaskState.SKIPPED, attempts=0, started_at=None, ready_at=None, reason=EVIL)
    return FakeRun(plan_of(EVIL, {EVIL: [], "b" + EVIL: [EVIL]}), [bad, after], graph=EVIL, reason=EVIL)


def test_the_page_tells_the_facts() -> None:
    page = page_of(small_run())
    for fact in [
        "orders",
        "3 of 5 tasks succeeded, 1 failed, 1 was skipped.",
        "OperationalError",
        "database is locked",
    ]:
        assert fact in page.text
    assert "etl.py:12 in load" in page.text
    assert "Traceback (most recent call last):" in page.text
    assert "1 task after it did not run: join" in page.text
    assert "upstream load failed" in page.text


def test_the_page_loads_nothing_and_allows_only_its_own_script() -> None:
    html = to_html(collect(small_run())).decode()
    assert not re.search(r"(src|href)\s*=\s*[\"']?[^\"'#\s]", html)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert re.search(r"default-src &#39;none&#39;|default-src 'none'", html)


def test_hostile_text_stays_text() -> None:
    harmless, hostile = page_of(small_run()), page_of(evil_run())
    assert hostile.count("script") == harmless.count("script") == 1
    assert hostile.count("img") == 0
    assert not any(name.startswith("on") for _, attrs in hostile.tags for name in attrs)
    html = to_html(collect(evil_run())).decode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", html)
    assert "␛]0;pwned␇" in html


def test_a_long_name_does_not_swell_the_page() -> None:
    assert len(to_html(collect(evil_run()))) < 120_000


def test_a_lone_surrogate_does_not_break_the_page() -> None:
    run = FakeRun(plan_of("g", {"a\udcff": []}), [FakeTask("a\udcff", output="\udcff")])
    assert b"a\\udcff" in to_html(collect(run))


def test_style_and_script_cannot_end_their_element() -> None:
    folder = resources.files("dagtop.observe.report")
    for name in ("report.css", "report.js"):
        assert "</" not in folder.joinpath(name).read_text("utf-8")


def test_state_is_never_told_by_colour_alone() -> None:
    text = page_of(small_run()).text
    for words in ("✔", "OK", "✖", "FAILED", "⊘", "SKIPPED"):
        assert words in text


def test_tables_and_headings_are_told_as_such() -> None:
    page = page_of(small_run())
    assert page.count("h1") == 1
    assert page.count("h2") >= 4
    scopes = {attrs.get("scope") for tag, attrs in page.tags if tag == "th"}
    assert scopes == {"col", "row"}
    assert all("role" in attrs or "aria-hidden" in attrs for tag, attrs in page.tags if tag == "svg")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_ten_thousand_tasks_stay_small_enough_to_open() -> None:
    html = to_html(collect(big_run(10_000, bad=300, width=400)))
    assert len(html) < 5_000_000
    assert html.count(b"<tr class") == 10_000
    assert b"203 more failures in the table below" in html


def test_more_tasks_than_the_table_takes_are_counted() -> None:
    names = {f"t{n}": [] for n in range(10_003)}
    run = FakeRun(plan_of("g", names), [FakeTask(name) for name in names])
    assert "3 more tasks in the JSON report" in page_of(run).text


def test_every_state_has_a_face() -> None:
    assert set(TASK_FACES) == {state.value for state in TaskState}
    assert set(RUN_FACES) == {state.value for state in RunState}


def test_an_empty_graph_has_a_page() -> None:
    assert "The graph has no tasks." in page_of(FakeRun(plan_of("g", {}), [])).text


def test_the_timeline_chooses_what_says_most() -> None:
    run = big_run(2000, bad=40, width=50)
    report = collect(run)
    drawn = timeline(report)
    names = {row.task.name for row in drawn.rows}
    assert len(drawn.rows) == ROWS
    assert drawn.left_out == 2000 - ROWS
    assert set(report.critical_path) <= names
    assert {t.name for t in report.tasks if t.failure} <= names
    assert [row.task.started_at for row in drawn.rows] == sorted(row.task.started_at for row in drawn.rows)


def test_the_bars_lie_where_the_times_are() -> None:
    rows = {row.task.name: row for row in timeline(collect(small_run())).rows}
    assert [(bar.style, bar.x) for bar in rows["extract"].bars] == [("queue", 0.0), ("ok", pytest.approx(2.381))]
    assert [bar.style for bar in rows["load"].bars] == ["gap", "gap", "fail", "fail", "fail"]
    assert rows["load"].anchor == "end"
    assert all(bar.x >= 0 and bar.x + bar.width <= 100.01 for row in rows.values() for bar in row.bars)


def test_neighbours_on_the_critical_path_are_joined() -> None:
    drawn = timeline(collect(small_run()))
    assert len(drawn.links) == 1


@pytest.mark.parametrize("span", [1e-5, 0.004, 0.9, 1.0, 7.3, 59.0, 61.0, 500.0, 4000.0, 90_000.0, 1e7])
def test_the_axis_has_round_marks_for_any_length(span: float) -> None:
    task = FakeTask("a", started_at=0.0, ended_at=span)
    ticks = timeline(collect(FakeRun(plan_of("g", {"a": []}), [task], duration=span))).ticks
    assert 3 <= len(ticks) <= 10
    assert len({tick.text for tick in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (0.0, "0 ms"), (0.0004, "0.4 ms"), (0.0123, "12 ms"), (0.3, "0.30 s"), (3.214, "3.21 s"),
        (41.26, "41.3 s"), (59.96, "1 min 00 s"), (725, "12 min 05 s"), (11_045, "3 h 04 min"), (183_600, "2 d 03 h"),
    ],
)  # fmt: skip
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_the_verdict_is_a_sentence() -> None:
    assert verdict("succeeded", {"succeeded": 4}, "") == "All 4 tasks succeeded."
    assert verdict("cancelled", {"succeeded": 1, "cancelled": 2}, "cancelled by hand") == (
        "1 of 3 tasks succeeded, 2 were stopped. Cancelled by hand."
    )
    assert verdict("running", {"running": 2, "succeeded": 1}, "") == "1 of 3 tasks succeeded, 2 not finished."


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 has it."""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_colour_can_be_read_on_its_ground(scheme: str) -> None:
    """WCAG 2 AA: 4.5 to 1, in both colour schemes."""
    css = resources.files("dagtop.observe.report").joinpath("report.css").read_text("utf-8")
    root = css.split(":root")[1 if scheme == "light" else 2]
    colours = dict(re.findall(r"--([\w-]+): #([0-9a-f]{3}|[0-9a-f]{6})\b", root.split("}")[0]))
    texts = ["ink", "dim", "accent", *{face.style for face in (*TASK_FACES.values(), *RUN_FACES.values())}]
    assert set(texts) <= set(colours)
    for text in texts:
        for ground in ("card", "bg", "soft"):
            light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


# -- the graph, breakers, logs ----------------------------------------------------------------------------------------


def test_the_page_has_the_picture_of_the_graph_and_the_moves_of_breakers_and_the_log_of_what_failed() -> None:
    page = Page(to_html(steered_run(), '<svg class="dg"><title>orders</title></svg>').decode())
    assert ("svg", {"class": "dg"}) in page.tags
    for fact in ("connecting to the database", "5 failures in a row", "held closed", "Its log"):
        assert fact in page.text, fact
    assert "this is not told" not in page.text


def test_a_picture_that_is_too_large_is_left_out() -> None:
    assert "<svg class=x>" not in to_html(collect(small_run()), "<svg class=x>" + " " * 1_000_000).decode()


def test_the_rules_of_the_picture_hold_for_the_picture_only() -> None:
    (sheet,) = re.findall(r"<style>(.*?)</style>", draw(collect(small_run())), re.DOTALL)
    selectors = re.findall(r"(?:^|[{}])([^{}@]+)\{", sheet.replace("@media(prefers-color-scheme:dark)", ""))
    assert [one for one in selectors if not one.startswith(".dg ")] == []


def test_hostile_logs_breakers_and_graphs_change_nothing_of_the_page() -> None:
    recorder = ReportRecorder()
    recorder.record(1, [ev.Log(0.5, EVIL, 1, "stdout", EVIL[:20], EVIL), ev.BreakerOpened(0.6, EVIL, EVIL, 1.0)])
    report = collect(evil_run(), recorder=recorder)
    html = to_html(report, draw(report)).decode()
    assert "<img" not in html
    assert html.count("<script") == 1
    assert "\x1b" not in html


def test_ten_thousand_tasks_with_graph_and_logs_stay_below_five_megabytes() -> None:
    run = big_run(10_000, bad=1000)
    recorder = ReportRecorder()
    lines = [ev.Log(1.0, task.name, 1, "stdout", "", "x" * 200) for task in run.tasks if task.failure is not None]
    recorder.record(1, lines * 30)
    report = collect(run, recorder=recorder)
    assert len(to_html(report, draw(report))) < 5_000_000
