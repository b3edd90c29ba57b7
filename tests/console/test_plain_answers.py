"""What `--plain` answers: sentences without glyphs, keys or columns, of any run and any names."""

from __future__ import annotations

import msgspec
import pytest
from console_fakes import FakeLogs, finished_with_failures, hostile, many, running_mix
from console_scenes import steered
from console_services import services
from dagtop.core import commands as do
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import EMPTY
from dagtop.core.states import FINAL, RunState
from dagtop_app.plain import answers
from dagtop_app.steering.node_commands import together
from dagtop_app.words.parsing import WordError
from dagtop_app.words.vocabulary import VOCABULARY

SCENES = {
    "mix": running_mix,
    "done": finished_with_failures,
    "steered": steered,
    "hostile": hostile,
    "services": services,
}


@pytest.mark.parametrize("scene", [*SCENES])
def test_every_answer_is_in_words_that_can_be_read_aloud(scene: str) -> None:
    snapshot = SCENES[scene]()
    lines = [line for answer in answers.ANSWERS.values() for line in answer(snapshot)]
    lines += [*answers.tasks(snapshot, ""), *answers.reasons(snapshot, snapshot.plan.names)]
    for line in lines:
        assert line.strip()
        assert line.isprintable(), line
        if scene != "hostile":
            assert not set(line) & set("▌●◌○↻✔✖▽⊘■◍◇‖◫□▸"), line
            assert not answers._KEYS.search(line), line


def test_status_says_how_far_it_is_and_what_is_wrong() -> None:
    told = " ".join(answers.status(steered()))
    assert "nightly is running for 4:12" in told
    assert "Failed: load." in told
    assert "At a gate: deploy." in told


def test_status_of_a_run_that_is_over_says_when_it_ended() -> None:
    """It said "nightly is failed for 4:12"."""
    over = msgspec.structs.replace(running_mix(), state=RunState.FAILED)
    assert next(answers.status(over)).startswith("nightly has failed after 4:12: ")
    over = msgspec.structs.replace(over, state=RunState.CANCELLED)
    assert next(answers.status(over)).startswith("nightly was cancelled after 4:12: ")


def test_names_of_keys_are_left_out_where_there_are_none() -> None:
    assert answers.without_keys("or has been given an output (m).") == "or has been given an output."
    assert answers.without_keys("r and R cannot run it now: no.") == "It cannot run again now: no."


def test_tasks_are_told_a_line_each_and_a_filter_narrows_them_down() -> None:
    (line,) = answers.tasks(running_mix(), "load_orders")
    assert line.startswith("load_orders, failed, attempt 3 of 3")
    assert [*answers.tasks(running_mix(), "nothing_like_it")] == ["No task is like that."]
    assert [*answers.tasks(many(1_000), "")][-1].startswith("and 800 more")
    with pytest.raises(WordError, match="no state is called"):
        list(answers.tasks(running_mix(), "state:nonsense"))


def test_why_ends_with_the_words_that_would_move_the_task() -> None:
    told = [*answers.reasons(steered(), ["deploy"])]
    assert told[-1] == "Words: approve deploy; reject deploy."
    assert any("Deploy 14 pages to production?" in line for line in told)


def test_what_is_kept_up_is_stopped_and_started() -> None:
    snapshot = services()
    for row in snapshot.rows:
        if row.policy.restart.is_on and not row.held and row.gate is None and not row.gone:
            (words,) = [line for line in answers.reasons(snapshot, [row.name]) if line.startswith("Words: ")]
            assert ("stop " in words) is (row.state not in FINAL)
            assert ("start " in words.replace("restart ", "")) is (row.state in FINAL)


@pytest.mark.parametrize("scene", [*SCENES])
@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.PAUSED, RunState.CANCELLING, RunState.FAILED])
def test_no_word_is_offered_that_would_be_refused(scene: str, state: RunState) -> None:
    snapshot = msgspec.structs.replace(SCENES[scene](), state=state)
    for row in snapshot.rows:
        for word, command in answers._worth_trying(row):
            offered = word.format(answers.quoted(row.name)) in answers._ways_out(snapshot, row)
            assert offered is (command is None or not together(snapshot, [command]).radius.refusal), (row.name, word)


def test_names_are_given_as_they_can_be_typed() -> None:
    assert answers.quoted("load_1") == "load_1"
    assert answers.quoted("odd name") == '"odd name"'
    assert answers.quoted("because") == '"because"'


def test_what_a_command_would_do_is_told_in_one_line() -> None:
    snapshot = running_mix()
    text = answers.blast_text(together(snapshot, [do.CancelTask("train_ltv")]).radius, snapshot, {})
    assert text.startswith("train_ltv will not run")
    assert "Will not run: train_ltv, score_ltv, publish." in text
    radius = together(steered(), [do.CancelTask("fetch_2")]).radius
    assert answers.blast_text(radius, steered(), {}) == "fetch_2 is told to stop."


def test_how_long_it_takes_is_told_where_it_is_known() -> None:
    snapshot = finished_with_failures()
    radius = together(snapshot, [do.RestartTask("clean_orders", downstream=True)]).radius
    usual = {row.index: Usual(median=10.0, p95=12.0, runs=3) for row in snapshot.rows}
    text = answers.blast_text(radius, snapshot, usual)
    chain = ("clean_orders", "join_orders", "load_orders", "build_mart", "publish")
    assert text.endswith(f"About 0:{10 * sum(name in radius.runs_again for name in chain)}.")
    assert "About" not in answers.blast_text(radius, snapshot, {})


def test_keys_of_the_console_are_left_out() -> None:
    assert answers.without_keys("held by you · p releases it") == "held by you"
    assert answers.without_keys("It starts when p releases it.") == "It starts when it is released."
    assert answers.without_keys("# changes the limit of a pool; b its breaker") == ""
    assert answers.without_keys("in 4s · ReadTimeout: GET /") == "in 4s · ReadTimeout: GET /"


def test_logs_are_told_with_who_said_it() -> None:
    logs = FakeLogs()
    logs.add("load", "first \x1b[2J", at=1.0)
    logs.add("", "of the process", at=2.0, level="ERROR")
    lines = [*answers.log_lines(logs.lines, 0.0)]
    assert lines[0].endswith("load | first ␛[2J")
    assert lines[1].endswith("process | ERROR of the process")
    assert [*answers.log_lines([], 0.0)] == ["Nothing has been printed or logged."]


def test_help_lists_every_word_and_explains_each() -> None:
    told = "\n".join(answers.help_lines(""))
    assert all(entry.word in told and [*answers.help_lines(entry.word)] for entry in VOCABULARY)
    with pytest.raises(WordError, match="did you mean"):
        list(answers.help_lines("cancle"))


def test_a_run_that_has_not_begun_has_answers_too() -> None:
    assert all([*answer(EMPTY)] for answer in answers.ANSWERS.values())
    assert answers.quit_text(running_mix()).startswith("4 tasks run. Type drain")
    assert "1 task failed" in answers.over_text(finished_with_failures()) or "tasks failed" in answers.over_text(
        finished_with_failures()
    )
