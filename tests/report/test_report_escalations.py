"""Escalations in the reports of a run: beside the failure, in a table of their own, in the JSON, and in plain lines (B15)."""

from __future__ import annotations

import dataclasses

import msgspec
from dagtop.core import events as ev
from dagtop.core.escalation import Cause, EscalationReport
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.observe.report import ReportRecorder, collect
from dagtop.observe.report.escalations import KEPT
from dagtop.observe.report.html import to_html
from dagtop.observe.report.json import from_json, to_json
from dagtop_app.plain.events import PlainLines
from report_scene import FakeRun, small_run
from test_html import EVIL, Page


def escalation(task: str = "load", number: int = 1, text: str = "", **more: object) -> EscalationReport:
    record = AttemptRecord(
        number=1,
        started_at=1.0,
        ended_at=2.0,
        ending="failed",
        failure=Failure(
            error="KeyError", message=f"'price'{text}", traceback=f"Traceback{text}", where="load.py:12 in load"
        ),
    )
    made = EscalationReport(
        number=number,
        task=task,
        run="r",
        graph="orders",
        state="failed",
        cause=Cause.BAD_INPUT,
        summary=f"It cannot take what extract gave it.{text}",
        evidence=(f"The line that failed had the output of extract in its hands.{text}",),
        options=(f"Look at what extract returned.{text}", "Mend load.py:12."),
        attempts=(record,),
        attempt_count=1,
        circuit=f"api{text}",
        circuit_state="half_open",
        inputs={f"extract{text}": f"list of 2{text}"},
        blocks=("join",),
        blocks_count=1,
        policy={"retries": f"0{text}"},
        at=3.0,
        escalated_at="2025-01-02T03:04:05.000000Z",
    )
    return msgspec.structs.replace(made, **more)


def run_with(*escalations: EscalationReport) -> FakeRun:
    return dataclasses.replace(small_run(), escalations=escalations)


def page_of(run: FakeRun) -> Page:
    return Page(to_html(collect(run)).decode())


class TestPage:
    def test_B15_a_failure_has_its_cause_evidence_and_options_beside_it(self) -> None:
        page = page_of(run_with(escalation()))
        for fact in [
            "bad output of an upstream task",
            "It cannot take what extract gave it.",
            "had the output of extract in its hands",
            "What can be done:",
            "Mend load.py:12.",
            "api (half-open)",
            "input extract",
            "list of 2",
            "retries 0",
        ]:
            assert fact in page.text
        assert "Other escalations" not in page.text

    def test_B15_those_of_tasks_that_did_not_stay_failed_have_a_table(self) -> None:
        earlier = escalation("load", 1, summary="It timed out then.")
        stopped = escalation("clean", 2, cause=Cause.BY_HAND, state="cancelled", summary="Kim stopped it.")
        page = page_of(run_with(earlier, stopped, escalation("load", 3)))
        assert "Other escalations 2" in page.text
        assert page.text.index("Kim stopped it.") < page.text.index("It timed out then.")
        assert "stopped by hand" in page.text

    def test_B15_hostile_texts_in_it_stay_texts(self) -> None:
        harmless, hostile = (
            page_of(small_run()),
            page_of(run_with(escalation(text=EVIL), escalation(EVIL, 2, text=EVIL))),
        )
        assert hostile.count("script") == harmless.count("script") == 1
        assert hostile.count("img") == 0
        assert "\x1b" not in hostile.text
        assert "\u202e" not in hostile.text

    def test_B15_a_run_without_any_has_nothing_of_it(self) -> None:
        assert "What can be done" not in page_of(small_run()).text


class TestJson:
    def test_B15_it_comes_back_without_the_tracebacks_that_the_tasks_have(self) -> None:
        report = from_json(to_json(collect(run_with(escalation()))))
        (kept,) = report.escalations
        assert (kept.task, kept.cause, kept.options) == ("load", Cause.BAD_INPUT, escalation().options)
        (attempt,) = kept.attempts
        assert attempt.failure is not None
        assert (attempt.failure.error, attempt.failure.message, attempt.failure.traceback) == (
            "KeyError",
            "'price'",
            "",
        )

    def test_B15_what_utf8_has_no_words_for_is_written_all_the_same(self) -> None:
        report = from_json(to_json(collect(run_with(escalation(text="\udc80")))))
        assert report.escalations[0].summary.endswith("\\udc80")
        assert list(report.escalations[0].inputs) == ["extract\\udc80"]

    def test_B15_the_latest_are_kept_and_the_rest_counted(self) -> None:
        recorder = ReportRecorder()
        made = [escalation("load", n + 1) for n in range(KEPT + 3)]
        recorder.record(1, [ev.TaskEscalated(3.0, "load", one) for one in made])
        report = collect(small_run(), recorder=recorder)
        assert len(report.escalations) == KEPT
        assert report.escalations_left_out == 3
        assert report.escalations[-1].number == KEPT + 3


class TestPlainLines:
    def told(self, made: EscalationReport) -> list[str]:
        lines = PlainLines().encode(1, [ev.TaskEscalated(3.0, made.task, made)]).decode().splitlines()
        return [lines[0].partition(" ")[2], *(line.strip() for line in lines[1:])]

    def test_B15_it_is_a_few_lines(self) -> None:
        assert self.told(escalation()) == [
            "load: bad output of an upstream task. It cannot take what extract gave it.",
            "- The line that failed had the output of extract in its hands.",
            "- Will not run because of it: join.",
            "→ Look at what extract returned.",
            "→ Mend load.py:12.",
        ]

    def test_B15_of_much_only_some_is_told(self) -> None:
        made = escalation(
            evidence=tuple(f"e{n}" for n in range(9)),
            options=tuple(f"o{n}" for n in range(9)),
            blocks=tuple(f"t{n}" for n in range(100)),
            blocks_count=5_000,
        )
        assert self.told(made)[1:] == [
            "- e0",
            "- e1",
            "- e2",
            "- Will not run because of it: t0, t1, t2 and 4,997 more.",
            "→ o0",
            "→ o1",
            "→ o2",
        ]

    def test_B15_a_failure_that_follows_from_another_is_one_line(self) -> None:
        assert len(self.told(escalation(cause=Cause.UPSTREAM))) == 1

    def test_B15_hostile_texts_steer_no_terminal_and_make_no_lines_of_their_own(self) -> None:
        told = (
            PlainLines().encode(1, [ev.TaskEscalated(3.0, "x\n\x1b[2J", escalation(text="\n\x1b[2J\u202e"))]).decode()
        )
        assert "\x1b" not in told
        assert "\u202e" not in told
        assert len(told.splitlines()) == 5
