"""Commands in words: which tasks they mean, which commands they come to, and what is said where they come to none."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from console_fakes import S, hostile, running_mix, snapshot_of
from console_scenes import steered
from dagtop.core import commands as do
from dagtop.core.events import EscalationAcknowledged
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Restart
from dagtop.core.snapshot import EMPTY, RunSnapshot
from dagtop.core.states import RunState
from dagtop_app.steering.node_commands import together
from dagtop_app.words.completing import offers
from dagtop_app.words.parsing import WordError, parse
from dagtop_app.words.tasks import tokens
from dagtop_app.words.vocabulary import BY_WORD, VOCABULARY
from hypothesis import given
from hypothesis import strategies as st

LOADS: dict[str, tuple[str, ...]] = {
    "list": (),
    "load_1": ("list",),
    "load_2": ("list",),
    "load_3": ("load_2",),
    "load[7]": ("list",),
    "odd name": ("list",),
    "because": (),
    "always": (),
}


def loads(**rows: object) -> RunSnapshot:
    kept = TaskPolicy(restart=Restart(policy="on-failure"), tags=("etl",))
    given: dict[str, dict[str, object]] = {
        "list": {"state": S.SUCCEEDED, "policy": TaskPolicy(tags=("etl",))},
        "load_1": {"state": S.RUNNING, "attempt": 1, "started_at": 1.0, "policy": kept},
        "load_2": {"state": S.FAILED, "attempt": 1, "policy": TaskPolicy(tags=("etl",))},
    }
    return snapshot_of(LOADS, given | dict(rows))  # type: ignore[arg-type]


def said(text: str, *chosen: str, of: RunSnapshot | None = None) -> list[do.Command]:
    return list(parse(text, of if of is not None else loads(), chosen=chosen).commands)


def refusal(text: str, of: RunSnapshot | None = None) -> str:
    with pytest.raises(WordError) as caught:
        parse(text, of if of is not None else loads())
    return str(caught.value)


class TestTasks:
    def test_a_name_is_the_task_of_that_name(self) -> None:
        assert said("hold load_1") == [do.HoldTask("load_1")]
        assert said("hold load[7]") == [do.HoldTask("load[7]")]

    def test_several_names_and_patterns_add_up_upstream_first(self) -> None:
        assert [one.task for one in said("hold load_* list")] == ["list", "load_1", "load_2", "load_3"]  # type: ignore[union-attr]
        assert len(said("hold all")) == len(LOADS)

    def test_what_ends_tasks_begins_with_the_last(self) -> None:
        """Or those after the first ones would be skipped because of these, before it is their turn."""
        assert said("cancel load_2 load_3") == [do.CancelTask("load_3"), do.CancelTask("load_2")]

    def test_terms_of_the_filter_box_narrow_them_down(self) -> None:
        assert said("cancel load_* state:running") == [do.CancelTask("load_1")]
        assert {one.task for one in said("restart tag:etl state:failed")} == {"load_2"}  # type: ignore[union-attr]
        assert said("restart /load_[23]/ !load_3") == [do.RestartTask("load_2")]

    def test_what_is_quoted_stands_for_itself(self) -> None:
        assert said('hold "odd name"') == [do.HoldTask("odd name")]
        assert said("hold 'because'") == [do.HoldTask("because")]
        assert "no task 'load_*'" in refusal("hold 'load_*'")

    def test_no_name_means_what_is_chosen(self) -> None:
        assert said("hold", "load_1", "load_2") == [do.HoldTask("load_1"), do.HoldTask("load_2")]
        assert refusal("hold") == "hold needs a task: hold TASK…"

    def test_a_name_that_is_none_is_told_with_the_nearest(self) -> None:
        assert refusal("hold laod_1") == "there is no task 'laod_1'; did you mean 'load_1'?"
        assert refusal("hold x_*") == "no task has a name like 'x_*'"
        assert refusal("hold load_* state:cached") == "no task of them is state:cached"
        assert "no state is called 'oops'" in refusal("hold state:oops")

    def test_a_term_without_a_value_does_not_mean_all_tasks(self) -> None:
        """`cancel state:` and Enter would have cancelled everything."""
        assert refusal("cancel state:") == "state: what? state:… needs a value"
        assert "needs a value" in refusal("restart load_* !tag:")

    def test_a_quote_that_is_not_closed_is_told(self) -> None:
        assert "not closed" in refusal('hold "load_1')


class TestCommands:
    @pytest.mark.parametrize(
        ("text", "commands"),
        [
            ("cancel load_1 because it is late", [do.CancelTask("load_1", "it is late")]),
            ("cancel load_1 --reason 'too late'", [do.CancelTask("load_1", "too late")]),
            (":cancel load_1", [do.CancelTask("load_1")]),
            ("CANCEL load_1", [do.CancelTask("load_1")]),
            ("cancel run", [do.CancelRun()]),
            ("cancel run because of the storm", [do.CancelRun("of the storm")]),
            ("restart load_2", [do.RestartTask("load_2")]),
            ("restart load_2 --downstream because fixed", [do.RestartTask("load_2", True, "fixed")]),
            ("restart --downstream load_2 load_3", [do.RestartTask("load_2", True)]),
            ("retry failed", [do.RetryFailed()]),
            ("retry", [do.RetryFailed()]),
            ("retry load_2", [do.RestartTask("load_2")]),
            ("release load_3", [do.ReleaseTask("load_3")]),
            ("skip load_3 because old", [do.SkipTask("load_3", "old")]),
            ("mark load_2 succeeded", [do.MarkSucceeded("load_2")]),
            ('mark load_2 as ok {"rows": 3}', [do.MarkSucceeded("load_2", {"rows": 3})]),
            ("mark succeeded load_2 value=a b", [do.MarkSucceeded("load_2", "a b")]),
            ("mark load_2 succeeded 7 because by hand", [do.MarkSucceeded("load_2", 7, "by hand")]),
            ("mark load_3 skipped", [do.SkipTask("load_3")]),
            ("stop load_1", [do.StopTask("load_1")]),
            ("start load_1", [do.StartTask("load_1")]),
            ("start run", [do.StartRun()]),
            ("limit 12", [do.SetMaxParallel(12)]),
            ("limit +2", [do.SetMaxParallel(10)]),
            ("limit -1", [do.SetMaxParallel(7)]),
            ("pause", [do.PauseRun()]),
            ("pause run", [do.PauseRun()]),
            ("continue", [do.ContinueRun()]),
            ("drain", [do.DrainRun()]),
            ("abandon", [do.AbandonRun()]),
            ("policy always load_1", [do.SetPolicy("load_1", restart="always")]),
            ("policy load_1 no", [do.SetPolicy("load_1", restart="no")]),
            ("policy always always", [do.SetPolicy("always", restart="always")]),
            ("set retries=3 timeout=30s load_2", [do.SetPolicy("load_2", retries=3, timeout=30.0)]),
            ("policy factor=3 load_2", [do.SetPolicy("load_2", factor=3.0)]),
            ("set-max-parallel 4", [do.SetMaxParallel(4)]),
            ("force-breaker api open", [do.ForceBreaker("api", "open")]),
        ],
    )
    def test_B22_a_line_comes_to_these_commands(self, text: str, commands: list[do.Command]) -> None:
        assert said(text) == commands

    @pytest.mark.parametrize(
        ("text", "commands"),
        [
            ("approve", [do.ApproveTask("deploy")]),
            ("approve deploy because checked", [do.ApproveTask("deploy", "checked")]),
            ("gate reject", [do.RejectTask("deploy")]),
            ("gate approve deploy because seen", [do.ApproveTask("deploy", "seen")]),
            ("breaker trip api", [do.TripBreaker("api")]),
            ("breaker mail close", [do.ResetBreaker("mail")]),
            ("breaker half-open mail", [do.ForceBreaker("mail", "half_open")]),
            ("breaker force open api", [do.ForceBreaker("api", "open")]),
            ("breaker let-go *", [do.ForceBreaker("api", ""), do.ForceBreaker("mail", "")]),
            ("breaker failure_threshold=3 recovery-timeout=20s api", [do.SetBreaker("api", 3, 20.0)]),
            ("ack", [do.AcknowledgeEscalation(1)]),
            ("ack ESC-1 because on it", [do.AcknowledgeEscalation(1, "on it")]),
            ("acknowledge load", [do.AcknowledgeEscalation(1)]),
            ("pool web 4", [do.SetPoolLimit("web", 4)]),
            ("pool +2", [do.SetPoolLimit("web", 4)]),
        ],
    )
    def test_B22_gates_breakers_and_pools_are_named(self, text: str, commands: list[do.Command]) -> None:
        assert said(text, of=steered()) == commands

    def test_B22_every_command_that_can_be_given_has_a_word(self) -> None:
        of = steered()
        lines = [
            *(
                "cancel load",
                "restart load",
                "retry failed",
                "skip load",
                "mark load ok",
                "approve",
                "reject",
                "stop load",
            ),
            *(
                "start load",
                "start run",
                "hold load",
                "release load",
                "pause",
                "continue",
                "drain",
                "cancel run",
                "abandon",
                "abandon load",
            ),
            *("limit 3", "pool web 4", "breaker trip api", "breaker close api", "breaker force open api"),
            *("ack", "breaker window=60 api"),
            "set retries=9 load",
        ]
        made = {type(command) for line in lines for command in said(line, of=of)}
        replicas = snapshot_of({"pack[0]": (), "pack[1]": ()}, {})
        made |= {type(command) for command in said("scale pack 3", of=replicas)}
        assert {*get_args(do.Command)} - made - {do.SwapGraph} <= ONLY_ON_THE_WIRE

    @pytest.mark.parametrize("kind", get_args(do.Command), ids=lambda kind: str(kind.__struct_config__.tag))
    def test_B22_every_command_is_reached_by_a_word_that_the_list_has(self, kind: type[do.Command]) -> None:
        """`:` and `--plain` read the same list: a command without a word there could be given by a key only."""
        word = WORD_OF[kind]
        assert word in BY_WORD
        offered = {
            offer.line.split()[0] for scene in (steered(), paused(), replicas(), stuck()) for offer in offers("", scene)
        }
        assert word in offered, "it is never offered"

    def test_what_somebody_looks_after_is_given_back_by_word(self) -> None:
        known = EscalationAcknowledged(1.0, "load", number=1, by="me")
        of = steered(acknowledged={1: known})
        assert said("ack --withdraw", of=of) == [do.AcknowledgeEscalation(1, withdraw=True)]
        assert said("ack --withdraw load", of=of) == [do.AcknowledgeEscalation(1, withdraw=True)]
        assert refusal("ack", of) == "no escalation is open"
        assert refusal("ack --withdraw", steered()) == "no escalation is acknowledged"

    def test_replicas_are_counted_for_all_of_them(self) -> None:
        replicas = snapshot_of({"pack": (), "pack[0]": (), "pack[1]": ()}, {})
        assert said("scale pack[1] 3", of=replicas) == [do.ScaleTask("pack", 3)]
        assert said("scale pack -1", of=replicas) == [do.ScaleTask("pack", 1)]
        assert "has no replicas" in refusal("scale list 3")

    def test_what_is_so_already_is_left_out(self) -> None:
        assert said("policy on-failure load_1 load_2") == [do.SetPolicy("load_2", restart="on-failure")]
        assert refusal("policy on-failure load_1") == "load_1 has that policy already"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("cancle load_1", "there is no command 'cancle'; did you mean 'cancel'?"),
            ("", "nothing was typed; help lists the words"),
            ("limit many", "a whole number, please: limit N | +N | -N (now 8)"),
            ("limit 99999999999999999999", "a whole number, please: limit N | +N | -N (now 8)"),
            ("mark load_2", "mark it as what? mark TASK… succeeded [VALUE] | TASK… skipped"),
            ("mark load_2 failed", "a task cannot be marked as failed: cancel it, or skip it"),
            ("policy load_1", "change what? policy no | on-failure | always | FIELD=VALUE… TASK…"),
            ("policy retrys=3 load_1", "a policy has no field 'retrys'; did you mean 'retries'?"),
            ("policy retries=x load_1", "retries is no 'x': a whole number, please"),
            ("hold load_1 because of it", "hold keeps no reason: leave “because …” out"),
            ("cancel load_1 because", "because what? the reason comes after it"),
            ("cancel load_1 --downstream", "cancel knows no --downstream"),
            ("pause now", "'now' is too much: pause"),
            ("pool web 3", "the run has no pools"),
            ("breaker trip api", "the run has no breakers"),
            ("approve", "no task stands at a gate"),
            ("ack", "no escalation is open"),
            ("set-max-parallel x", "limit must be a whole number, not 'x': set-max-parallel takes limit"),
        ],
    )
    def test_a_line_that_comes_to_nothing_says_what_would(self, text: str, message: str) -> None:
        assert refusal(text) == message

    def test_what_is_under_way_is_said_in_a_few_words(self) -> None:
        assert parse("cancel load_1", loads()).saying == "cancelling load_1"
        assert parse("hold load_*", loads()).saying == "holding 3 tasks"
        assert parse("restart load_2 --downstream", loads()).saying == "restarting load_2 and everything after"


#: Commands that another part of the console gives, and words do only by their name on the wire.
ONLY_ON_THE_WIRE: set[type] = set()

#: The word for each command, without which nobody could type it.
WORD_OF: dict[type, str] = {
    do.CancelTask: "cancel", do.AbandonTask: "abandon", do.RestartTask: "restart", do.RetryFailed: "retry", do.SkipTask: "skip",
    do.MarkSucceeded: "mark", do.ApproveTask: "approve", do.RejectTask: "reject", do.StopTask: "stop", do.StartTask: "start",
    do.ScaleTask: "scale", do.StartRun: "start", do.HoldTask: "hold", do.ReleaseTask: "release", do.PauseRun: "pause",
    do.ContinueRun: "continue", do.DrainRun: "drain", do.CancelRun: "cancel", do.AbandonRun: "abandon",
    do.SetMaxParallel: "limit", do.SetPoolLimit: "pool", do.TripBreaker: "breaker", do.ResetBreaker: "breaker",
    do.ForceBreaker: "breaker", do.SetBreaker: "breaker", do.AcknowledgeEscalation: "ack", do.SwapGraph: "reload",
    do.SetPolicy: "policy",
}  # fmt: skip


def paused() -> RunSnapshot:
    return msgspec.structs.replace(running_mix(), state=RunState.PAUSED)


def stuck() -> RunSnapshot:
    return running_mix()


def replicas() -> RunSnapshot:
    return snapshot_of({"pack[0]": (), "pack[1]": (), "pack": ("pack[0]", "pack[1]")}, {})


class TestQuestions:
    def test_words_that_only_show_something_name_what_they_are_about(self) -> None:
        assert parse("why load_1", loads()).tasks == ("load_1",)
        assert parse("why", loads(), chosen=["load_2"]).tasks == ("load_2",)
        assert parse("logs load_1 20", loads()) == ("logs", (), "", ("load_1",), "load_1 20")
        assert parse("tasks state:failed !x", loads()).rest == "state:failed !x"
        assert parse("undo", loads()).word == "undo"
        assert parse("?", loads()).word == "help"
        assert refusal("status load_1") == "'load_1' is too much: status"

    def test_no_word_and_no_alias_means_two_things(self) -> None:
        words = [word for entry in VOCABULARY for word in (entry.word, *entry.aliases)]
        assert len(words) == len(set(words)) == len(BY_WORD)


class TestTogether:
    """One question for several tasks, and one answer."""

    def test_what_would_be_refused_is_left_out(self) -> None:
        made = together(loads(), said("cancel load_*"))
        assert made.radius.stops == ("load_1",)
        assert {one.task for one in made.commands} == {"load_1", "load_3"}  # type: ignore[union-attr]
        assert together(loads(), said("cancel load_2 list")).radius.refusal.endswith("has ended already (failed)")

    def test_what_each_would_lose_is_told_once(self) -> None:
        radius = together(
            running_mix(), said("restart extract_orders clean_orders --downstream", of=running_mix())
        ).radius
        assert radius.runs_again.count("clean_orders") == 1

    def test_commands_that_do_not_touch_each_other_are_counted(self) -> None:
        made = together(loads(), said("policy retries=4 load_*"))
        assert len(made.commands) == 3
        assert made.radius.summary.endswith(", and 2 more")


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    for snapshot in (EMPTY, hostile()):
        refused = ""
        try:
            parse(text, snapshot)
        except WordError as error:
            refused = str(error) or "no reason"
        assert refused.isprintable()


@given(
    st.lists(
        st.sampled_from(
            [*BY_WORD, "load_1", "*", "state:failed", "because", "--downstream", "retries=3", "always", "8"]
        )
    )
)
def test_any_words_are_understood_or_refused(words: list[str]) -> None:
    for snapshot in (EMPTY, loads(), steered()):
        try:
            made = parse(" ".join(words), snapshot)
        except WordError:
            continue
        if made.commands:
            together(snapshot, made.commands)


def test_tokens_know_their_place() -> None:
    assert [(token.text, token.quoted) for token in tokens("a 'b c' x=\"d e\" /f g/ h")] == [
        ("a", False), ("b c", True), ("x=d e", False), ("/f g/", False), ("h", False),
    ]  # fmt: skip
